//! The journal: every movement of an order, in order, as postings that sum to zero. Entries are added, never changed.

use refundry_core::journal::{Happening, Posting};
use refundry_core::order::Id;

use crate::codec;
use crate::orders::id;
use crate::{StoreError, Tx, Value, number};

/// An entry to add.
pub struct Entry<'a> {
    /// The store.
    pub store: i64,
    /// The order.
    pub order: Id,
    /// The entry's own number, above all earlier ones of the order.
    pub id: Id,
    /// The refund that moved, if one did.
    pub refund: Option<Id>,
    /// When, epoch milliseconds.
    pub happened_ms: i64,
    /// What happened.
    pub happening: Happening,
    /// The movement.
    pub postings: &'a [Posting],
}

/// An entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The entry's own number.
    pub id: Id,
    /// The refund that moved, if one did.
    pub refund: Option<Id>,
    /// When, epoch milliseconds.
    pub happened_ms: i64,
    /// Code of what happened.
    pub kind: String,
    /// The movement.
    pub postings: Vec<Posting>,
}

/// Adds entries. Those of a refund stand under its number, which is near those of other refunds made now, where the
/// order's may be anywhere.
pub fn insert(tx: &mut Tx<'_>, entries: &[Entry<'_>]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 8]> = Vec::with_capacity(entries.len());
    for entry in entries {
        params.push([
            entry.store.into(),
            number(entry.refund.unwrap_or(entry.order))?,
            number(entry.id)?,
            number(entry.order)?,
            entry.refund.map(number).transpose()?.unwrap_or(Value::Null),
            entry.happened_ms.into(),
            entry.happening.code().into(),
            codec::pack_postings(entry.postings).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// All entries of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Recorded>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], |row| {
        let refund = row.opt_int(1)?.map(Id::try_from).transpose();
        Ok(Recorded {
            id: id(row, 0)?,
            refund: refund.map_err(|_| StoreError::defect("a refund's number is not negative"))?,
            happened_ms: row.int(2)?,
            kind: row.string(3)?,
            postings: codec::read_postings(&row.text(4)?)?,
        })
    })
}

const INSERT: &str = "
    INSERT INTO journal (store, subject, id, order_id, refund_id, happened_ms, kind, postings)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const OF_ORDER: &str = "
    SELECT id, refund_id, happened_ms, kind, postings FROM journal
    WHERE store = ?1 AND subject IN (
        SELECT CAST(?2 AS BIGINT) UNION ALL SELECT id FROM refunds WHERE store = ?1 AND order_id = ?2)
    ORDER BY +id";
