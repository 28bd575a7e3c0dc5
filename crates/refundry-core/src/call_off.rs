//! What goes back of an order that is called off.

use crate::balances::Facts;
use crate::command::{Ask, Parts, RefundRequest, UnitAsk, UnitMode};
use crate::order::Reference;
use crate::refund::{Bucket, Restock};

/// The request with all units that wait, which leave the order with its money; a request that is not by parts stays
/// as it is. Shipped units stay with whoever has them.
#[must_use]
pub fn with_waiting_units(facts: &Facts, request: &RefundRequest, restock: Restock) -> RefundRequest {
    let mut request = request.clone();
    let Ask::Parts(Parts { units, .. }) = &mut request.ask else { return request };
    let waiting = facts.order.lines.iter().enumerate().filter(|(line, _)| facts.units_left(*line, Bucket::Waiting) > 0);
    units.extend(waiting.map(|(_, line)| UnitAsk {
        line: Reference { text: String::new(), ours: Some(line.id) },
        quantity: None,
        mode: UnitMode::Waiting,
        restock,
        location: String::new(),
    }));
    request
}
