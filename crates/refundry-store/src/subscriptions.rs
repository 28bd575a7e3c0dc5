//! Subscriptions: who wants to hear what happens, and where.

use std::collections::BTreeMap;

use refundry_core::event::EventKind;
use refundry_core::order::Id;

use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// A subscription, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The store.
    pub store: i64,
    /// Our number.
    pub id: Id,
    /// Its place among all that its store ever had, from 1; 0 for one from before they were counted.
    pub number: i64,
    /// Code of the public API that it was made with.
    pub dialect: String,
    /// Version of that API.
    pub version: String,
    /// What it wants to hear, in that API's words.
    pub topic: String,
    /// The events that this means; `None` for what never happens here.
    pub kind: Option<EventKind>,
    /// Where events are posted to.
    pub address: String,
    /// In which format.
    pub format: String,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed last.
    pub updated_ms: i64,
    /// Since when nothing got through; `None` while it does.
    pub failing_ms: Option<i64>,
}

/// Adds a subscription.
pub fn insert(tx: &mut Tx<'_>, row: &Subscription) -> Result<(), StoreError> {
    let params = [
        row.store.into(),
        number(row.id)?,
        (&row.dialect).into(),
        (&row.version).into(),
        (&row.topic).into(),
        row.kind.map_or("", EventKind::code).into(),
        (&row.address).into(),
        (&row.format).into(),
        row.created_ms.into(),
        row.updated_ms.into(),
        row.failing_ms.into(),
        row.number.into(),
    ];
    tx.execute(INSERT, &params)?;
    Ok(())
}

/// Changes what a subscription wants to hear, and where.
pub fn update(tx: &mut Tx<'_>, row: &Subscription) -> Result<(), StoreError> {
    let params = [
        row.store.into(),
        number(row.id)?,
        (&row.topic).into(),
        row.kind.map_or("", EventKind::code).into(),
        (&row.address).into(),
        row.updated_ms.into(),
    ];
    tx.execute(UPDATE, &params)?;
    Ok(())
}

/// Notes since when nothing gets through to a subscriber, or that something did.
pub fn note_failing(tx: &mut Tx<'_>, store: i64, id: Id, failing_ms: Option<i64>) -> Result<(), StoreError> {
    tx.execute(NOTE_FAILING, &[store.into(), number(id)?, failing_ms.into()])?;
    Ok(())
}

/// Removes a subscription; `false` means that there was none.
pub fn remove(tx: &mut Tx<'_>, store: i64, id: Id) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, &[store.into(), number(id)?])? == 1)
}

/// A subscription of a store.
pub fn get(tx: &mut Tx<'_>, store: i64, id: Id) -> Result<Option<Subscription>, StoreError> {
    tx.query_one(GET, &[store.into(), number(id)?], |row| decode(row, store))
}

/// All subscriptions of a store, oldest first.
pub fn list(tx: &mut Tx<'_>, store: i64) -> Result<Vec<Subscription>, StoreError> {
    tx.query(LIST, &[store.into()], |row| decode(row, store))
}

/// Which subscriptions of some stores want to hear which events; a store without any is left out, and so is what only a
/// newer version can tell of, which may share the database while processes are replaced.
pub fn wanted(tx: &mut Tx<'_>, stores: &[i64]) -> Result<BTreeMap<i64, Vec<(Id, EventKind)>>, StoreError> {
    let mut wanted: BTreeMap<i64, Vec<(Id, EventKind)>> = BTreeMap::new();
    let params: Vec<[Value<'_>; 1]> = stores.iter().map(|store| [(*store).into()]).collect();
    tx.each_many(WANTED, &params, |place, row| {
        if let Some(kind) = EventKind::parse(&row.text(1)?) {
            wanted.entry(stores[place]).or_default().push((id(row, 0)?, kind));
        }
        Ok(())
    })?;
    Ok(wanted)
}

const INSERT: &str = "
    INSERT INTO subscriptions
        (store, id, dialect, version, topic, kind, address, format, created_ms, updated_ms, failing_ms, number)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const UPDATE: &str = "
    UPDATE subscriptions SET topic = ?3, kind = ?4, address = ?5, updated_ms = ?6 WHERE store = ?1 AND id = ?2";
const NOTE_FAILING: &str = "UPDATE subscriptions SET failing_ms = ?3 WHERE store = ?1 AND id = ?2";
const REMOVE: &str = "DELETE FROM subscriptions WHERE store = ?1 AND id = ?2";
const GET: &str = "
    SELECT id, dialect, version, topic, kind, address, format, created_ms, updated_ms, failing_ms, number
    FROM subscriptions WHERE store = ?1 AND id = ?2";
const LIST: &str = "
    SELECT id, dialect, version, topic, kind, address, format, created_ms, updated_ms, failing_ms, number
    FROM subscriptions WHERE store = ?1 ORDER BY id";
const WANTED: &str = "SELECT id, kind FROM subscriptions WHERE store = ?1 AND kind <> ''";

fn broken() -> StoreError {
    StoreError::defect("subscriptions.kind should hold a kind of event")
}

fn decode(row: &Row<'_>, store: i64) -> Result<Subscription, StoreError> {
    let kind = row.string(4)?;
    Ok(Subscription {
        store,
        id: id(row, 0)?,
        dialect: row.string(1)?,
        version: row.string(2)?,
        topic: row.string(3)?,
        kind: if kind.is_empty() { None } else { Some(EventKind::parse(&kind).ok_or_else(broken)?) },
        address: row.string(5)?,
        format: row.string(6)?,
        created_ms: row.int(7)?,
        updated_ms: row.int(8)?,
        failing_ms: row.opt_int(9)?,
        number: row.int(10)?,
    })
}
