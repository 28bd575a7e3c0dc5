//! Disputes that providers told of, with what each holds of its payment.

use refundry_core::money::Amount;
use refundry_core::order::Id;

use crate::orders::id;
use crate::{Row, StoreError, Tx, number};

/// A dispute, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeRecord {
    /// The store.
    pub store: i64,
    /// The gateway that told of it.
    pub gateway: String,
    /// The provider's id; with the gateway's name unique in the store.
    pub reference: String,
    /// The order.
    pub order: Id,
    /// The payment, by our number.
    pub payment: Id,
    /// How it stands: stable code of the engine.
    pub stage: String,
    /// Held of the payment now, in the order's currency.
    pub amount: Amount,
    /// The same in the payment's own currency.
    pub own_amount: Amount,
    /// When it was heard of first, epoch milliseconds.
    pub opened_ms: i64,
    /// When it changed last.
    pub updated_ms: i64,
}

/// The dispute that a provider calls so.
pub fn get(tx: &mut Tx<'_>, store: i64, gateway: &str, reference: &str) -> Result<Option<DisputeRecord>, StoreError> {
    tx.query_one(GET, &[store.into(), gateway.into(), reference.into()], |row| decode(row, store))
}

/// All disputes of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<DisputeRecord>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], |row| decode(row, store))
}

/// Adds a dispute, or writes how it stands now.
pub fn put(tx: &mut Tx<'_>, dispute: &DisputeRecord) -> Result<(), StoreError> {
    let DisputeRecord { store, gateway, reference, order, payment, stage, amount, own_amount, opened_ms, updated_ms } =
        dispute;
    let params = [
        (*store).into(),
        gateway.into(),
        reference.into(),
        number(*order)?,
        number(*payment)?,
        stage.into(),
        amount.get().into(),
        own_amount.get().into(),
        (*opened_ms).into(),
        (*updated_ms).into(),
    ];
    tx.execute(PUT, &params)?;
    Ok(())
}

const GET: &str = "
    SELECT gateway, reference, order_id, payment_id, stage, amount, own_amount, opened_ms, updated_ms FROM disputes
    WHERE store = ?1 AND gateway = ?2 AND reference = ?3";
const OF_ORDER: &str = "
    SELECT gateway, reference, order_id, payment_id, stage, amount, own_amount, opened_ms, updated_ms FROM disputes
    WHERE store = ?1 AND order_id = ?2 ORDER BY opened_ms, reference {binary}";
const PUT: &str = "
    INSERT INTO disputes
        (store, gateway, reference, order_id, payment_id, stage, amount, own_amount, opened_ms, updated_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (store, gateway, reference) DO UPDATE
    SET stage = excluded.stage, amount = excluded.amount, own_amount = excluded.own_amount,
        updated_ms = excluded.updated_ms";

fn decode(row: &Row<'_>, store: i64) -> Result<DisputeRecord, StoreError> {
    Ok(DisputeRecord {
        store,
        gateway: row.string(0)?,
        reference: row.string(1)?,
        order: id(row, 2)?,
        payment: id(row, 3)?,
        stage: row.string(4)?,
        amount: Amount::minor(row.int(5)?),
        own_amount: Amount::minor(row.int(6)?),
        opened_ms: row.int(7)?,
        updated_ms: row.int(8)?,
    })
}
