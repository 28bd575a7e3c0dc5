//! What happened to orders and goods, as far as anybody wanted to hear it.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::{Balances, Facts};
use refundry_core::event::EventKind;
use refundry_core::order::{Id, Order};
use refundry_core::parcels::Parcel;
use refundry_core::paying::Transaction;
use refundry_core::refund::Refund;
use refundry_core::returns::Return;

use crate::orders::id;
use crate::stock::Level;
use crate::{StoreError, Tx, Value, codec, number};

/// An event on its way into the table.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// The store.
    pub store: i64,
    /// The order that it happened to, or the variant.
    pub of: Id,
    /// Counts the events of the order, or of the variant.
    pub seq: i64,
    /// Our number; whoever is told twice knows it by this.
    pub id: Id,
    /// What happened.
    pub kind: EventKind,
    /// What else it is about, such as a parcel.
    pub subject: Option<Id>,
    /// When, epoch milliseconds.
    pub happened_ms: i64,
    /// The order and its sums right after it; `None` for goods.
    pub order: Option<(&'a Order, &'a Balances)>,
    /// What else it is about, right after it.
    pub detail: Option<&'a Detail>,
}

/// What an event is about beside its order, as it was right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A refund.
    Refund(Arc<Refund>),
    /// What was told of a payment.
    Transaction(Box<Transaction>),
    /// A parcel.
    Parcel(Parcel),
    /// A return.
    Return(Return),
    /// Units of a variant at a location: such an event is of no order.
    Level(Level),
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
    /// The order right after it; `None` for what happened to goods.
    pub facts: Option<Facts>,
    /// What else it is about, right after it; `None` too for what happened before that was kept.
    pub detail: Option<Detail>,
}

/// Adds events.
pub fn insert(tx: &mut Tx<'_>, rows: &[NewEvent<'_>]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 9]> = Vec::with_capacity(rows.len());
    for NewEvent { store, of, seq, id, kind, subject, happened_ms, order, detail } in rows {
        params.push([
            (*store).into(),
            number(*of)?,
            (*seq).into(),
            number(*id)?,
            kind.code().into(),
            subject.map_or(Ok(Value::Null), number)?,
            (*happened_ms).into(),
            order.map_or_else(String::new, |(order, balances)| codec::pack_snapshot(order, balances)).into(),
            detail.map_or_else(String::new, codec::pack_detail).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// The count of the last event of orders or variants (store, number); 0 for those without any. Whoever goes on counting
/// holds the order, or the variant.
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

/// Events of a store (order or variant, count), as far as they are still there.
pub fn get_many(tx: &mut Tx<'_>, store: i64, keys: &[(Id, i64)]) -> Result<BTreeMap<(Id, i64), Event>, StoreError> {
    let mut found = BTreeMap::new();
    let params = keys.iter().map(|(order, seq)| Ok([store.into(), number(*order)?, (*seq).into()]));
    let params = params.collect::<Result<Vec<[Value<'_>; 3]>, StoreError>>()?;
    tx.each_many(GET, &params, |place, row| {
        let kind = EventKind::parse(&row.text(1)?);
        let kind = kind.ok_or_else(|| StoreError::defect("events.kind should hold a kind of event"))?;
        let (of, snapshot) = (keys[place].0, row.text(4)?);
        let event = Event {
            id: id(row, 0)?,
            kind,
            subject: row.opt_int(2)?.and_then(|subject| Id::try_from(subject).ok()),
            happened_ms: row.int(3)?,
            facts: if snapshot.is_empty() { None } else { Some(codec::read_snapshot(of, &snapshot)?) },
            detail: codec::read_detail(kind, of, &row.text(5)?)?,
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
    INSERT INTO events (store, order_id, seq, id, kind, subject, happened_ms, snapshot, detail)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const LAST: &str = "SELECT MAX(seq) FROM events WHERE store = ?1 AND order_id = ?2";
const GET: &str = "
    SELECT id, kind, subject, happened_ms, snapshot, detail FROM events
    WHERE store = ?1 AND order_id = ?2 AND seq = ?3";
const FORGET: &str = "DELETE FROM events WHERE store = ?1 AND happened_ms < ?2";
