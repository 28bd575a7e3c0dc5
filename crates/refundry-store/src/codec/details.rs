//! What an event is about beside its order, packed whole: each with the columns that its own table has, so that it can
//! be read when that row says something newer.

use std::sync::Arc;

use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::Id;
use refundry_core::parcels::{Parcel, ParcelState};
use refundry_core::paying::{Transaction, TransactionKind, TransactionState};
use refundry_core::refund::Refund;
use refundry_core::returns::{Return, ReturnState};

use super::{RefundColumns, broken, currency, read, write};
use crate::StoreError;
use crate::events::Detail;
use crate::stock::Level;

const COLUMN: &str = "events.detail";

/// Number, platform's id, accepted, changed, reason, metadata, body, legs.
type PackedRefund = (Id, Option<String>, i64, i64, String, String, String, String);
/// Number, payment, kind, state, amount, currency, made, body.
pub(crate) type TransactionColumns = (Id, Option<Id>, String, String, i64, String, i64, String);
/// Number, platform's id, running number, state, made, changed, body.
type PackedParcel = (Id, Option<String>, u32, String, i64, i64, String);
/// Number, state, made, changed, body.
type PackedReturn = (Id, String, i64, i64, String);
/// Location, units, changed.
type PackedLevel = (Id, i64, i64);

pub(crate) fn pack_detail(detail: &Detail) -> String {
    match detail {
        Detail::Refund(refund) => {
            let packed: PackedRefund = (
                refund.id,
                refund.external_id.clone(),
                refund.created_ms,
                refund.updated_ms,
                refund.reason.clone(),
                super::pack_metadata(&refund.metadata),
                super::pack_refund(refund),
                super::pack_progress(refund),
            );
            write(&packed)
        }
        Detail::Transaction(told) => {
            let (kind, state) = (told.kind.code().to_owned(), told.state.code().to_owned());
            let (amount, currency) = (told.amount.get(), told.currency.code().to_owned());
            let body = super::pack_transaction(told);
            let packed: TransactionColumns =
                (told.id, told.payment, kind, state, amount, currency, told.created_ms, body);
            write(&packed)
        }
        Detail::Parcel(parcel) => {
            let Parcel { id, external_id, number, state, created_ms, updated_ms, .. } = parcel;
            let (state, body) = (state.code().to_owned(), super::pack_parcel(parcel));
            let packed: PackedParcel = (*id, external_id.clone(), *number, state, *created_ms, *updated_ms, body);
            write(&packed)
        }
        Detail::Return(back) => {
            let (state, body) = (back.state.code().to_owned(), super::pack_return(back));
            let packed: PackedReturn = (back.id, state, back.created_ms, back.updated_ms, body);
            write(&packed)
        }
        Detail::Level(level) => {
            let packed: PackedLevel = (level.location, level.quantity, level.updated_ms);
            write(&packed)
        }
    }
}

/// Reads the detail of an event about an order, or a variant; `None` where there is none.
pub(crate) fn read_detail(kind: EventKind, of: Id, packed: &str) -> Result<Option<Detail>, StoreError> {
    if packed.is_empty() {
        return Ok(None);
    }
    Ok(match kind {
        EventKind::RefundCreated | EventKind::RefundUpdated => Some(Detail::Refund(Arc::new(refund(of, packed)?))),
        EventKind::TransactionCreated => {
            Some(Detail::Transaction(Box::new(transaction_of(of, read(COLUMN, packed)?)?)))
        }
        EventKind::ParcelCreated | EventKind::ParcelUpdated => Some(Detail::Parcel(parcel(of, packed)?)),
        EventKind::ReturnCreated | EventKind::ReturnUpdated => Some(Detail::Return(goods_back(of, packed)?)),
        EventKind::StockChanged => {
            let (location, quantity, updated_ms): PackedLevel = read(COLUMN, packed)?;
            Some(Detail::Level(Level { variant: of, location, quantity, updated_ms }))
        }
        EventKind::OrderCreated
        | EventKind::OrderUpdated
        | EventKind::OrderEdited
        | EventKind::OrderPaid
        | EventKind::OrderPartlyFulfilled
        | EventKind::OrderFulfilled
        | EventKind::OrderFinished
        | EventKind::OrderPartlyRefunded
        | EventKind::OrderRefunded
        | EventKind::OrderCancelled
        | EventKind::OrderDeleted => None,
    })
}

fn refund(order_id: Id, packed: &str) -> Result<Refund, StoreError> {
    let (id, external_id, created_ms, updated_ms, reason, metadata, body, legs): PackedRefund = read(COLUMN, packed)?;
    let columns = RefundColumns { id, order_id, external_id, created_ms, updated_ms, reason };
    super::read_refund(columns, &metadata, &body, &legs)
}

/// A transaction of an order, of its columns.
pub(crate) fn transaction_of(order: Id, columns: TransactionColumns) -> Result<Transaction, StoreError> {
    const COLUMNS: &str = "transactions";
    let (id, payment, kind, state, amount, code, created_ms, body) = columns;
    let (texts, test, card, updated_ms) = super::read_transaction(&body)?;
    let [channel, name, trade_id, message, error_code] = texts;
    Ok(Transaction {
        id,
        order,
        payment,
        kind: TransactionKind::parse(&kind).ok_or_else(|| broken(COLUMNS, "a kind of transaction"))?,
        state: TransactionState::parse(&state).ok_or_else(|| broken(COLUMNS, "a state of a transaction"))?,
        amount: Amount::minor(amount),
        currency: currency(&code)?,
        channel,
        name,
        trade_id,
        message,
        error_code,
        test,
        card,
        created_ms,
        updated_ms: updated_ms.unwrap_or(created_ms),
    })
}

fn parcel(order: Id, packed: &str) -> Result<Parcel, StoreError> {
    let (id, external_id, number, state, created_ms, updated_ms, body): PackedParcel = read(COLUMN, packed)?;
    let (units, tracking) = super::read_parcel(&body)?;
    let state = ParcelState::parse(&state).ok_or_else(|| broken(COLUMN, "a state of a parcel"))?;
    Ok(Parcel { id, order, external_id, number, state, units, tracking, created_ms, updated_ms })
}

fn goods_back(order: Id, packed: &str) -> Result<Return, StoreError> {
    let (id, state, created_ms, updated_ms, body): PackedReturn = read(COLUMN, packed)?;
    let state = ReturnState::parse(&state).ok_or_else(|| broken(COLUMN, "a state of a return"))?;
    let (reason, notify, processed_ms, lines) = (String::new(), false, None, Vec::new());
    let mut back = Return { id, order, state, reason, notify, processed_ms, lines, created_ms, updated_ms };
    super::read_return(&mut back, &body)?;
    Ok(back)
}
