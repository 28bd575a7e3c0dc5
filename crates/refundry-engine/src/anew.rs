//! Orders that come in anew: what was done with them here stays, whether whoever tells of them knows of it or not.

use std::collections::BTreeSet;

use refundry_core::money::Amount;
use refundry_core::order::{Id, Line, Order, Payment, Status};
use refundry_core::parcels::ParcelState;
use refundry_core::paying::{TransactionKind, TransactionState};
use refundry_store::{StoreError, Tx, parcels, transactions};

/// Lays over an order, as it is told anew, what was done with it here. Its lines and payments have their numbers.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    store: i64,
    before: &Order,
    order: &mut Order,
    tells_delivered: bool,
) -> Result<(), StoreError> {
    // Once called off, an order never goes its way again.
    if before.life.cancelled_ms.is_some() && before.status == Status::Cancelled {
        order.status = Status::Cancelled;
    }
    if before.currency == order.currency {
        keep_payments(tx, store, before, order)?;
    }
    keep_shipped(tx, store, before, order)?;
    if !tells_delivered && !before.life.delivered.is_empty() {
        order.life.delivered = delivered(before, order);
    }
    Ok(())
}

/// Amounts of two currencies cannot be compared.
fn captured_less(now: &Payment, before: &Payment) -> bool {
    let own_less = now.own_currency == before.own_currency && now.own_captured < before.own_captured;
    now.captured < before.captured || own_less
}

/// Money that somebody told of here, and that is not told of now, is still there; but whoever tells of as much money
/// as the books have knows of it, under whatever name, and nothing is kept that would make it more than the books have
/// and the order costs. A payment that was made here and brought nothing so far is nobody else's to tell of: it stays.
fn keep_payments(tx: &mut Tx<'_>, store: i64, before: &Order, order: &mut Order) -> Result<(), StoreError> {
    let kept = |paid: &Payment| order.payments.iter().any(|now| now.id == paid.id && !captured_less(now, paid));
    let is_theirs = |paid: &Payment| paid.external_id.is_some() && paid.captured.is_zero();
    if before.payments.iter().all(|paid| is_theirs(paid) || kept(paid)) {
        return Ok(());
    }
    let (mut told, mut came) = (BTreeSet::new(), BTreeSet::new());
    for of_it in transactions::of_order(tx, store, before.id)? {
        told.extend(of_it.payment);
        let brings = matches!(of_it.kind, TransactionKind::Sale | TransactionKind::Capture);
        came.extend(of_it.payment.filter(|_| brings && of_it.state == TransactionState::Success));
    }
    for (index, paid) in before.payments.iter().enumerate() {
        let is_open = paid.captured.is_zero() && paid.external_id.is_none() && told.contains(&paid.id);
        if !is_open && !came.contains(&paid.id) {
            continue;
        }
        let new = |now: &Payment| before.payments.iter().all(|known| known.id != now.id);
        let is_it = |now: &Payment| now.id == paid.id || (new(now) && same_trade(now, paid));
        let (now_in, known_in) = (captured(order), captured(before));
        let most = known_in.max(charged(order));
        let fits = |instead: Amount| now_in - i128::from(instead.get()) + i128::from(paid.captured.get()) <= most;
        match order.payments.iter_mut().find(|now| is_it(now)) {
            Some(now) if captured_less(now, paid) && fits(now.captured) => {
                let external_id = now.external_id.take().or_else(|| paid.external_id.clone());
                *now = Payment { external_id, ..paid.clone() };
                order.test |= before.test;
            }
            Some(now) => now.id = paid.id,
            None if is_open || (now_in < known_in && fits(Amount::ZERO)) => {
                order.payments.insert(index.min(order.payments.len()), paid.clone());
                order.test |= before.test;
            }
            None => {}
        }
    }
    Ok(())
}

/// The provider knows both by one name.
fn same_trade(one: &Payment, other: &Payment) -> bool {
    !one.reference.is_empty()
        && one.reference == other.reference
        && one.channel.eq_ignore_ascii_case(&other.channel)
        && one.own_currency == other.own_currency
}

/// What an order's payments captured; it may not have been checked yet, so no sum of it is an amount.
fn captured(order: &Order) -> i128 {
    order.payments.iter().map(|payment| i128::from(payment.captured.get())).sum()
}

/// What an order costs; its sum is no amount either.
fn charged(order: &Order) -> i128 {
    order.components.iter().flat_map(|part| [part.net, part.tax]).map(|amount| i128::from(amount.get())).sum()
}

/// Units of lines that left in parcels made here do not wait again.
fn keep_shipped(tx: &mut Tx<'_>, store: i64, before: &Order, order: &mut Order) -> Result<(), StoreError> {
    let fewer = |known: &Line| order.lines.iter().any(|line| line.id == known.id && line.shipped < known.shipped);
    if !before.lines.iter().any(fewer) {
        return Ok(());
    }
    let parcels = parcels::all(tx, store, before.id)?;
    let on_their_way = parcels.iter().filter(|parcel| parcel.state != ParcelState::Cancelled);
    let packed: BTreeSet<Id> = on_their_way.flat_map(|parcel| parcel.units.iter().map(|units| units.line)).collect();
    for known in before.lines.iter().filter(|line| packed.contains(&line.id)) {
        for line in order.lines.iter_mut().filter(|line| line.id == known.id) {
            line.shipped = line.shipped.max(known.shipped);
        }
    }
    Ok(())
}

/// Units delivered of each line, wherever it is in the order now.
fn delivered(before: &Order, order: &Order) -> Vec<u32> {
    let of = |id: Id| before.lines.iter().position(|line| line.id == id).map_or(0, |line| before.life.delivered(line));
    order.lines.iter().map(|line| of(line.id).min(line.shipped)).collect()
}
