//! What happened to orders, as far as anybody wanted to hear it.

use std::collections::BTreeMap;

use refundry_core::balances::{Balances, Facts};
use refundry_core::event::EventKind;
use refundry_core::order::{Id, Order};

use crate::orders::id;
use crate::{StoreError, Tx, Value, codec, number};

/// An event on its way into the table.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// The store.
    pub store: i64,
    /// Counts the events of the order.
    pub seq: i64,
    /// Our number; whoever is told twice knows it by this.
    pub id: Id,
    /// What happened.
    pub kind: EventKind,
    /// What else it is about, such as a parcel.
    pub subject: Option<Id>,
    /// When, epoch milliseconds.
    pub happened_ms: i64,
    /// The order right after it.
    pub order: &'a Order,
    /// Its sums right after it.
    pub balances: &'a Balances,
}

/// An event, as it is kept.
#[derive(Clone, Debug)]
pub struct Event {
    /// Our number.
    pub id: Id,
    /// What happened.
    pub kind: EventKind,
    /// What else it is about.
    pub subject: Option<Id>,
    /// When, epoch milliseconds.
    pub happened_ms: i64,
    /// The order right after it.
    pub facts: Facts,
}

/// Adds events.
pub fn insert(tx: &mut Tx<'_>, rows: &[NewEvent<'_>]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 8]> = Vec::with_capacity(rows.len());
    for NewEvent { store, seq, id, kind, subject, happened_ms, order, balances } in rows {
        params.push([
            (*store).into(),
            number(order.id)?,
            (*seq).into(),
            number(*id)?,
            kind.code().into(),
            subject.map_or(Ok(Value::Null), number)?,
            (*happened_ms).into(),
            codec::pack_snapshot(order, balances).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// The count of the last event of orders (store, order); 0 for those without any. Whoever goes on counting holds the
/// order.
pub fn last_of(tx: &mut Tx<'_>, orders: &[(i64, Id)]) -> Result<BTreeMap<(i64, Id), i64>, StoreError> {
    let mut last: BTreeMap<(i64, Id), i64> = orders.iter().map(|key| (*key, 0)).collect();
    let params = orders.iter().map(|(store, order)| Ok([(*store).into(), number(*order)?]));
    let params = params.collect::<Result<Vec<[Value<'_>; 2]>, StoreError>>()?;
    tx.each_many(LAST, &params, |place, row| {
        last.insert(orders[place], row.opt_int(0)?.unwrap_or(0));
        Ok(())
    })?;
    Ok(last)
}

/// Events of a store (order, count), as far as they are still there.
pub fn get_many(tx: &mut Tx<'_>, store: i64, keys: &[(Id, i64)]) -> Result<BTreeMap<(Id, i64), Event>, StoreError> {
    let mut found = BTreeMap::new();
    let params = keys.iter().map(|(order, seq)| Ok([store.into(), number(*order)?, (*seq).into()]));
    let params = params.collect::<Result<Vec<[Value<'_>; 3]>, StoreError>>()?;
    tx.each_many(GET, &params, |place, row| {
        let kind = EventKind::parse(&row.text(1)?);
        let event = Event {
            id: id(row, 0)?,
            kind: kind.ok_or_else(|| StoreError::defect("events.kind should hold a kind of event"))?,
            subject: row.opt_int(2)?.and_then(|subject| Id::try_from(subject).ok()),
            happened_ms: row.int(3)?,
            facts: codec::read_snapshot(keys[place].0, &row.text(4)?)?,
        };
        found.insert(keys[place], event);
        Ok(())
    })?;
    Ok(found)
}

/// Forgets events that happened before this; gives how many.
pub fn forget(tx: &mut Tx<'_>, store: i64, before_ms: i64) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[store.into(), before_ms.into()])
}

const INSERT: &str = "
    INSERT INTO events (store, order_id, seq, id, kind, subject, happened_ms, snapshot)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const LAST: &str = "SELECT MAX(seq) FROM events WHERE store = ?1 AND order_id = ?2";
const GET: &str = "
    SELECT id, kind, subject, happened_ms, snapshot FROM events WHERE store = ?1 AND order_id = ?2 AND seq = ?3";
const FORGET: &str = "DELETE FROM events WHERE store = ?1 AND happened_ms < ?2";
