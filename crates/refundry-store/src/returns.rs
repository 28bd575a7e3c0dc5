//! Returns: which goods come back.

use refundry_core::order::{Id, Reference};
use refundry_core::returns::{Return, ReturnState};

use crate::codec;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Adds a return.
pub fn insert(tx: &mut Tx<'_>, store: i64, back: &Return) -> Result<(), StoreError> {
    write(tx, INSERT, store, back)
}

/// Rewrites a return.
pub fn update(tx: &mut Tx<'_>, store: i64, back: &Return) -> Result<(), StoreError> {
    write(tx, UPDATE, store, back)
}

fn write(tx: &mut Tx<'_>, sql: &str, store: i64, back: &Return) -> Result<(), StoreError> {
    let row: [Value<'_>; 7] = [
        store.into(),
        number(back.order)?,
        number(back.id)?,
        back.state.code().into(),
        back.created_ms.into(),
        back.updated_ms.into(),
        codec::pack_return(back).into(),
    ];
    tx.write_many(sql, &[row])
}

/// The return that a caller names by our number; no platform's id is known of any.
pub fn find(tx: &mut Tx<'_>, store: i64, reference: &Reference) -> Result<Option<Return>, StoreError> {
    match reference.ours {
        Some(ours) => get(tx, store, ours),
        None => Ok(None),
    }
}

/// A return by our number.
pub fn get(tx: &mut Tx<'_>, store: i64, id: Id) -> Result<Option<Return>, StoreError> {
    tx.query_one(BY_ID, &[store.into(), number(id)?], decode)
}

/// All returns of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Return>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], decode)
}

fn decode(row: &Row<'_>) -> Result<Return, StoreError> {
    let state = ReturnState::parse(&row.text(2)?);
    let mut back = Return {
        order: id(row, 0)?,
        id: id(row, 1)?,
        state: state.ok_or_else(|| StoreError::defect("returns.state should hold a state"))?,
        created_ms: row.int(3)?,
        updated_ms: row.int(4)?,
        // The rest is packed.
        reason: String::new(),
        notify: false,
        processed_ms: None,
        lines: Vec::new(),
    };
    codec::read_return(&mut back, &row.text(5)?)?;
    Ok(back)
}

const INSERT: &str = "
    INSERT INTO returns (store, order_id, id, state, created_ms, updated_ms, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const UPDATE: &str = "
    UPDATE returns SET state = ?4, created_ms = ?5, updated_ms = ?6, body = ?7
    WHERE store = ?1 AND order_id = ?2 AND id = ?3";
const BY_ID: &str = "
    SELECT order_id, id, state, created_ms, updated_ms, body FROM returns WHERE store = ?1 AND id = ?2";
const OF_ORDER: &str = "
    SELECT order_id, id, state, created_ms, updated_ms, body FROM returns
    WHERE store = ?1 AND order_id = ?2 ORDER BY created_ms, id";
