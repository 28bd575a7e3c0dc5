//! Refunds that fail or never end, for lists by state and failure: orders whose payer's name the simulated provider
//! reacts to. Imported refunds cannot say this, for they are over and paid.
//!
//! They are only asked for here. The server that is started next sends them.

use anyhow::{Context as _, bail};
use refundry_core::command::{Ask, CreateRefund, Parts, RefundRequest, UnitAsk, UnitMode};
use refundry_core::order::{Dialect, Order, Payment, Reference};
use refundry_core::refund::Restock;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome, RequestKey};

use super::order::{intake, line_id};
use super::{Catalog, Size};

/// Refunds of one such order.
const REFUNDS: u32 = 20;
/// The reason of those that are declined: while none of them is pending any more, the server has sent them all.
pub(in crate::bench) const DECLINED: &str = "declined on purpose";
/// The reason of those that stay pending.
const PENDING: &str = "pending on purpose";

/// Payers' names that the provider declines, each with another code.
const DECLINING: [&str; 2] = ["RefundFail", "RefundFailWhileCreation"];

/// Asks for one refund in 250 of the data set's more, which will be declined, and for one in 10,000 that will not end.
pub(super) fn make(engine: &Engine, store: i64, size: Size) -> anyhow::Result<()> {
    if size.refunds == 0 {
        return Ok(());
    }
    let declined = (size.refunds / 250 / REFUNDS).clamp(2, 1_000);
    let pending = (size.refunds / 10_000 / REFUNDS).clamp(1, 25);
    for index in 0..declined {
        let account = DECLINING.get((index % 2) as usize).copied().unwrap_or_default();
        order_with_refunds(engine, store, size, (&format!("bench-declined-{index}"), account, DECLINED))?;
    }
    for index in 0..pending {
        order_with_refunds(engine, store, size, (&format!("bench-pending-{index}"), "RefundPending", PENDING))?;
    }
    Ok(())
}

fn order_with_refunds(
    engine: &Engine,
    store: i64,
    size: Size,
    (id, account, reason): (&str, &str, &str),
) -> anyhow::Result<()> {
    let catalog = Catalog { prefix: id.to_owned(), size: Size { orders: 1, refunds: 0, seed: size.seed } };
    let mut intake = intake(&catalog, 0);
    let payments = intake.order.payments.into_iter();
    let payments = payments.map(|payment| Payment { account: account.to_owned(), ..payment }).collect();
    intake.order = Order { external_id: Some(id.to_owned()), payments, ..intake.order };
    intake.document = String::new();
    match engine.call(Job::PutOrder { store, intake: Box::new(intake) })? {
        Outcome::Put(Ok(_)) => {}
        other => bail!("order {id} is refused: {other:?}"),
    }
    for number in 0..REFUNDS {
        // Under a key, so that a data set that was broken off has none of them twice.
        let key = Some(RequestKey { key: format!("{id}-{number}"), hash: "0".repeat(64) });
        let command = Box::new(one_unit(id, &line_id(0), reason));
        match engine.call(Job::Create { store, command, key }).context("a refund of the data set")? {
            Outcome::Created(Ok(_)) => {}
            other => bail!("a refund of order {id} is refused: {other:?}"),
        }
    }
    Ok(())
}

/// The command to refund one unit of a line.
pub(in crate::bench) fn one_unit(order: &str, line: &str, reason: &str) -> CreateRefund {
    let unit = UnitAsk {
        line: Reference { text: line.to_owned(), ours: None },
        quantity: Some(1),
        mode: UnitMode::Automatic,
        restock: Restock::No,
        location: String::new(),
    };
    CreateRefund {
        reason: reason.to_owned(),
        ..CreateRefund::new(
            Reference { text: order.to_owned(), ours: None },
            Dialect::Native,
            RefundRequest::of(Ask::Parts(Parts { units: vec![unit], ..Parts::default() })),
        )
    }
}
