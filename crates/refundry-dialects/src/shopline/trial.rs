//! `POST orders/{order_id}/refunds/calculate.json`: how much of what is asked for can be had.
//!
//! Public documentation:
//! <https://developer.shopline.com/docs/admin-rest-api/order/order-management/order-refund-trial>.

use refundry_core::balances::Facts;
use refundry_core::command::{UnitAsk, UnitMode};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::Order;
use refundry_core::quote::PlannedLeg;
use refundry_core::refund::Restock;
use refundry_core::trial::{Trial, TrialAsk, TrialShipping, TrialUnits};
use serde_json::{Value, json};

use super::money::{Money, decimal};
use super::params::{self, currency, id, missing, objects};
use super::refunds::{shipping, unit_mode};
use super::{Version, ids, only, reject};
use crate::body::Fields;
use crate::text::percent_decode;
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST orders/{order_id}/refunds/calculate.json`
    Try {
        /// As in the path.
        order: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    match path {
        ["orders", order, "refunds", "calculate"] => {
            Some(only(method, "POST", Endpoint::Try { order: percent_decode(order) }))
        }
        _ => None,
    }
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::Try { .. } => (Scope::WriteOrders, "write_orders"),
    }
}

/// Makes a call of a request, or the finished refusal. A body that is not there asks for nothing.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<Call, Response> {
    let Endpoint::Try { order } = endpoint;
    let body = params::body(request)?;
    let fields = params::root(&body)?;
    let items = objects(&fields, "refund_line_items")?;
    // What is required comes first, whatever else is wrong.
    let modes = items.iter().map(unit_mode).collect::<Result<Vec<UnitMode>, Response>>()?;
    let units = items.iter().zip(modes).map(|(item, mode)| unit_ask(item, mode));
    let ask = TrialAsk {
        units: units.collect::<Result<Vec<UnitAsk>, Response>>()?,
        shipping: shipping(&fields)?.map(|part| part.money),
        currency: currency(version, &fields)?,
    };
    Ok(Call::Trial { order: ids::order_reference(order), ask: Box::new(ask) })
}

fn unit_ask(item: &Fields<'_>, mode: UnitMode) -> Result<UnitAsk, Response> {
    let line = id(item, "line_item_id")?.ok_or_else(|| missing(item, "line_item_id"))?;
    // Left out is what a typed client makes of the zero that an earlier trial lowered it to.
    let quantity = item.whole("quantity").map_err(|m| reject::malformed(&m))?.unwrap_or(0);
    let (line, location) = (ids::line_reference(&line), String::new());
    Ok(UnitAsk { line, quantity: Some(quantity), mode, restock: Restock::No, location })
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, _: Version, _: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Endpoint::Try { .. } = endpoint;
    match reply {
        Reply::Tried { facts, trial } => Some(Response::json(200, &json!({ "refund": refund(facts, trial) }))),
        _ => None,
    }
}

/// `refund_line_items` only where units were asked for; `transactons`, as it is on the wire, only where money moves.
/// Shipping is always told of, because what is left of it is.
fn refund(facts: &Facts, trial: &Trial) -> Value {
    let order = &facts.order;
    let mut shown = json!({
        "currency": order.currency.code(),
        "shipping": shipping_of(order, trial.shipping),
        "total_duties_set": Money::zero(order).texts(),
    });
    if !trial.units.is_empty() {
        shown["refund_line_items"] = trial.units.iter().map(|units| line(order, *units)).collect();
    }
    if !trial.legs.is_empty() {
        shown["transactons"] = trial.legs.iter().filter_map(|leg| transaction(facts, leg)).collect();
    }
    shown
}

/// Amounts here are in the currency that the buyer paid in.
fn text(order: &Order, amount: Amount) -> String {
    decimal(amount, order.currency)
}

/// Net and tax as the order's prices are: with the tax inside where they include it.
fn as_priced(order: &Order, net: Amount, tax: Amount) -> Amount {
    if order.taxes_included { net + tax } else { net }
}

fn line(order: &Order, units: TrialUnits) -> Value {
    let TrialUnits { line, mode, quantity, net, tax, discount } = units;
    let sold = order.lines.get(line);
    json!({
        "line_item_id": sold.map(|line| ids::line_id(order, line).to_string()),
        "quantity": quantity,
        "type": type_of(mode),
        "price": sold.map(|line| text(order, line.unit_price)),
        "discount_total_amount": text(order, discount),
        "subtotal": text(order, as_priced(order, net, tax)),
        "total_tax": text(order, tax),
    })
}

const fn type_of(mode: UnitMode) -> &'static str {
    match mode {
        UnitMode::Waiting | UnitMode::Automatic => "Unshipped",
        UnitMode::Shipped => "Shipped",
        UnitMode::Returned => "Returned",
    }
}

fn shipping_of(order: &Order, shipping: TrialShipping) -> Value {
    let TrialShipping { net, tax, left } = shipping;
    json!({
        "amount": text(order, as_priced(order, net, tax)),
        "tax": text(order, tax),
        "maximum_refundable": text(order, as_priced(order, left.0, left.1)),
    })
}

/// What goes into a transaction of the refund's request, in the currency of its payment.
fn transaction(facts: &Facts, leg: &PlannedLeg) -> Option<Value> {
    let order = &facts.order;
    let payment = order.payments.get(leg.payment)?;
    let own: Currency = payment.own_currency;
    Some(json!({
        "parent_id": ids::payment_id(order, payment),
        "order_id": ids::order_id(order),
        "gateway": payment.channel,
        "kind": "suggested_refund",
        "amount": decimal(leg.own_amount, own),
        "maximum_refundable": decimal(facts.payment_own_left(leg.payment), own),
        "currency": own.code(),
    }))
}
