//! Events that providers told of, each once, with what it did here.

use refundry_core::order::Id;

use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// An event, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// The store.
    pub store: i64,
    /// The gateway that told of it.
    pub gateway: String,
    /// The provider's id of the event; with the gateway's name unique in the store.
    pub event: String,
    /// Our number for it.
    pub id: Id,
    /// When it was heard, epoch milliseconds.
    pub heard_ms: i64,
    /// When it happened, as the provider says.
    pub happened_ms: Option<i64>,
    /// The provider's word for what happened.
    pub kind: String,
    /// What it did here: stable code of the engine.
    pub outcome: String,
    /// Why, for a person.
    pub detail: String,
    /// The refund that it moved, or that was made of it.
    pub refund: Option<Id>,
    /// What it says, as the engine packs it.
    pub notice: String,
}

/// The outcome of an event that waits for a person.
pub const WAITING: &str = "waiting";

/// Whether an event was heard before.
pub fn is_known(tx: &mut Tx<'_>, store: i64, gateway: &str, event: &str) -> Result<bool, StoreError> {
    Ok(tx.query_one(KNOWN, &[store.into(), gateway.into(), event.into()], |row| row.int(0))?.is_some())
}

/// What an event did here: the stable code of the engine; `None` if it was not heard yet.
pub fn outcome(tx: &mut Tx<'_>, store: i64, gateway: &str, event: &str) -> Result<Option<String>, StoreError> {
    tx.query_one(OUTCOME, &[store.into(), gateway.into(), event.into()], |row| row.string(0))
}

/// Keeps an event. Where somebody else kept it a moment ago, the transaction ends as [`StoreError::Conflict`].
pub fn insert(tx: &mut Tx<'_>, rows: &[InboxRow]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 11]> = Vec::with_capacity(rows.len());
    for row in rows {
        let InboxRow { store, gateway, event, id, heard_ms, happened_ms, kind, outcome, detail, refund, notice } = row;
        params.push([
            (*store).into(),
            gateway.into(),
            event.into(),
            number(*id)?,
            (*heard_ms).into(),
            (*happened_ms).into(),
            kind.into(),
            outcome.into(),
            detail.into(),
            refund.map_or(Ok(Value::Null), number)?,
            notice.into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// Events that wait for a person, oldest first, above the number `after`.
pub fn waiting(tx: &mut Tx<'_>, store: i64, after: Id, limit: i64) -> Result<Vec<InboxRow>, StoreError> {
    tx.query(LIST_WAITING, &[store.into(), number(after)?, limit.into()], |row| decode(row, store))
}

/// How many events wait for a person.
pub fn count_waiting(tx: &mut Tx<'_>, store: i64) -> Result<i64, StoreError> {
    Ok(tx.query_one(COUNT_WAITING, &[store.into()], |row| row.int(0))?.unwrap_or(0))
}

/// An event that waits for a person.
pub fn get_waiting(tx: &mut Tx<'_>, store: i64, event: Id) -> Result<Option<InboxRow>, StoreError> {
    tx.query_one(GET_WAITING, &[store.into(), number(event)?], |row| decode(row, store))
}

/// Ends the wait of an event; `false` if it waits no more.
pub fn settle(
    tx: &mut Tx<'_>,
    row: &InboxRow,
    outcome: &str,
    detail: &str,
    refund: Option<Id>,
) -> Result<bool, StoreError> {
    let refund = refund.map_or(Ok(Value::Null), number)?;
    let params = [row.store.into(), number(row.id)?, outcome.into(), detail.into(), refund];
    Ok(tx.execute(SETTLE, &params)? == 1)
}

const KNOWN: &str = "SELECT id FROM inbox WHERE store = ?1 AND gateway = ?2 AND event = ?3";
const OUTCOME: &str = "SELECT outcome FROM inbox WHERE store = ?1 AND gateway = ?2 AND event = ?3";
const INSERT: &str = "
    INSERT INTO inbox
        (store, gateway, event, id, heard_ms, happened_ms, kind, outcome, detail, refund_id, notice)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const LIST_WAITING: &str = "
    SELECT gateway, event, id, heard_ms, happened_ms, kind, outcome, detail, refund_id, notice FROM inbox
    WHERE store = ?1 AND outcome = 'waiting' AND id > ?2 ORDER BY id LIMIT ?3";
const COUNT_WAITING: &str = "SELECT COUNT(*) FROM inbox WHERE store = ?1 AND outcome = 'waiting'";
const GET_WAITING: &str = "
    SELECT gateway, event, id, heard_ms, happened_ms, kind, outcome, detail, refund_id, notice FROM inbox
    WHERE store = ?1 AND outcome = 'waiting' AND id = ?2";
const SETTLE: &str = "
    UPDATE inbox SET outcome = ?3, detail = ?4, refund_id = ?5 WHERE store = ?1 AND outcome = 'waiting' AND id = ?2";

fn decode(row: &Row<'_>, store: i64) -> Result<InboxRow, StoreError> {
    Ok(InboxRow {
        store,
        gateway: row.string(0)?,
        event: row.string(1)?,
        id: id(row, 2)?,
        heard_ms: row.int(3)?,
        happened_ms: row.opt_int(4)?,
        kind: row.string(5)?,
        outcome: row.string(6)?,
        detail: row.string(7)?,
        refund: row.opt_int(8)?.and_then(|refund| Id::try_from(refund).ok()),
        notice: row.string(9)?,
    })
}
