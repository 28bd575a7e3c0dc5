//! Events that subscribers do not have yet.
//!
//! What one subscriber is told of one order comes to them in its order: only the oldest of it is posted, and those
//! behind wait until it got through, or was given up.

use std::collections::BTreeMap;

use refundry_core::order::Id;

use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Which delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryKey {
    /// The store.
    pub store: i64,
    /// The subscription.
    pub subscription: Id,
    /// The order, or the variant where goods moved.
    pub order: Id,
    /// Count of the event among those of the order, or of the variant.
    pub seq: i64,
}

/// A delivery, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which.
    pub key: DeliveryKey,
    /// When somebody is to post it, epoch milliseconds.
    pub due_ms: i64,
    /// How often somebody took it to post it.
    pub takes: i64,
    /// How often it did not get through.
    pub failures: i64,
    /// When it did not get through first.
    pub failed_ms: Option<i64>,
    /// What is posted; empty until it is made.
    pub body: String,
}

/// Somebody takes a delivery to post it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Which.
    pub key: DeliveryKey,
    /// How often it had been taken when this was decided.
    pub takes: i64,
    /// What to post, unless that is kept already.
    pub body: String,
}

/// Adds deliveries that are due at once.
pub fn insert(tx: &mut Tx<'_>, keys: &[DeliveryKey], now_ms: i64) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 5]> = Vec::with_capacity(keys.len());
    for key in keys {
        let [store, subscription, order, seq] = key_of(key)?;
        params.push([store, subscription, order, seq, now_ms.into()]);
    }
    tx.write_many(INSERT, &params)
}

/// Which of some stores have deliveries that are due.
pub fn due_stores(tx: &mut Tx<'_>, stores: &[i64], now_ms: i64) -> Result<Vec<i64>, StoreError> {
    let mut due = Vec::new();
    let params = stores.iter().map(|store| [(*store).into()]);
    tx.each_many(NEXT_DUE, &params.collect::<Vec<[Value<'_>; 1]>>(), |place, row| {
        if row.opt_int(0)?.is_some_and(|due_ms| due_ms <= now_ms) {
            due.push(stores[place]);
        }
        Ok(())
    })?;
    Ok(due)
}

/// Deliveries of a store that are due, longest first.
pub fn due(tx: &mut Tx<'_>, store: i64, now_ms: i64, limit: i64) -> Result<Vec<Delivery>, StoreError> {
    tx.query(DUE, &[store.into(), now_ms.into(), limit.into()], |row| decode(row, store))
}

/// The oldest delivery of each one's subscription and order: its count, and when it is due.
pub fn heads(tx: &mut Tx<'_>, keys: &[DeliveryKey]) -> Result<BTreeMap<DeliveryKey, (i64, i64)>, StoreError> {
    let mut heads = BTreeMap::new();
    let mut params: Vec<[Value<'_>; 3]> = Vec::with_capacity(keys.len());
    for key in keys {
        let [store, subscription, order, _] = key_of(key)?;
        params.push([store, subscription, order]);
    }
    tx.each_many(HEAD, &params, |place, row| {
        heads.insert(keys[place], (row.int(0)?, row.int(1)?));
        Ok(())
    })?;
    Ok(heads)
}

/// Puts deliveries off that wait for an older one: to when that is due.
pub fn wait(tx: &mut Tx<'_>, rows: &[(DeliveryKey, i64)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 5]> = Vec::with_capacity(rows.len());
    for (key, due_ms) in rows {
        let [store, subscription, order, seq] = key_of(key)?;
        params.push([store, subscription, order, seq, (*due_ms).into()]);
    }
    tx.write_many(WAIT, &params)
}

/// Takes deliveries for `holder`, a name that was never used before, until `until_ms`, except those that somebody took
/// since; gives those that were taken, with what is to be posted.
pub fn take(
    tx: &mut Tx<'_>,
    rows: &[Take],
    holder: &str,
    now_ms: i64,
    until_ms: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let mut params: Vec<[Value<'_>; 9]> = Vec::with_capacity(rows.len());
    let mut keys: Vec<[Value<'_>; 4]> = Vec::with_capacity(rows.len());
    for Take { key, takes, body } in rows {
        let [store, subscription, order, seq] = key_of(key)?;
        keys.push([store.clone(), subscription.clone(), order.clone(), seq.clone()]);
        let (takes, body, holder) = ((*takes).into(), body.as_str().into(), holder.into());
        params.push([store, subscription, order, seq, takes, now_ms.into(), until_ms.into(), holder, body]);
    }
    tx.execute_many(TAKE, &params)?;
    let mut taken = Vec::new();
    tx.each_many(GET, &keys, |place, row| {
        let found = decode(row, rows[place].key.store)?;
        if found.takes == rows[place].takes + 1 && row.text(8)? == holder {
            taken.push(found);
        }
        Ok(())
    })?;
    taken.sort_by_key(|delivery| delivery.key);
    Ok(taken)
}

/// One delivery.
pub fn get(tx: &mut Tx<'_>, key: &DeliveryKey) -> Result<Option<Delivery>, StoreError> {
    tx.query_one(GET, &key_of(key)?, |row| decode(row, key.store))
}

/// Removes a delivery; `false` means that it was gone. The next of its subscription and order is due at once.
pub fn remove(tx: &mut Tx<'_>, key: &DeliveryKey, now_ms: i64) -> Result<bool, StoreError> {
    let [store, subscription, order, seq] = key_of(key)?;
    let was_there = tx.execute(REMOVE, &[store.clone(), subscription.clone(), order.clone(), seq])? == 1;
    tx.execute(NEXT, &[store, subscription, order, now_ms.into()])?;
    Ok(was_there)
}

/// Puts a delivery off that did not get through, unless somebody else took it since.
pub fn put_off(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    due_ms: i64,
    failures: i64,
    failed_ms: i64,
) -> Result<(), StoreError> {
    let [store, subscription, order, seq] = key_of(&delivery.key)?;
    let takes = delivery.takes.into();
    let params = [store, subscription, order, seq, takes, due_ms.into(), failures.into(), failed_ms.into()];
    tx.execute(PUT_OFF, &params)?;
    Ok(())
}

/// Removes all that a subscription would be told.
pub fn drop_of(tx: &mut Tx<'_>, store: i64, subscription: Id) -> Result<u64, StoreError> {
    tx.execute(DROP, &[store.into(), number(subscription)?])
}

/// Makes deliveries of a store due at once that failed before; gives how many.
pub fn hasten(tx: &mut Tx<'_>, store: i64, now_ms: i64) -> Result<u64, StoreError> {
    tx.execute(HASTEN, &[store.into(), now_ms.into()])
}

/// Makes deliveries due at once that were taken: for a process that knows it is the only one, and has none in hand.
pub fn reclaim(tx: &mut Tx<'_>, store: i64, now_ms: i64) -> Result<u64, StoreError> {
    tx.execute(RECLAIM, &[store.into(), now_ms.into()])
}

/// Forgets deliveries that were made before this; gives how many.
pub fn forget(tx: &mut Tx<'_>, store: i64, before_ms: i64) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[store.into(), before_ms.into()])
}

/// How many deliveries of a store wait.
pub fn count(tx: &mut Tx<'_>, store: i64) -> Result<i64, StoreError> {
    Ok(tx.query_one(COUNT, &[store.into()], |row| row.int(0))?.unwrap_or(0))
}

/// How many deliveries of a store wait, by subscription.
pub fn count_by_subscription(tx: &mut Tx<'_>, store: i64) -> Result<BTreeMap<Id, i64>, StoreError> {
    Ok(tx.query(COUNT_BY, &[store.into()], |row| Ok((id(row, 0)?, row.int(1)?)))?.into_iter().collect())
}

const INSERT: &str = "
    INSERT INTO deliveries
        (store, subscription, order_id, seq, made_ms, due_ms, holder, takes, failures, failed_ms, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5, '', 0, 0, NULL, '')";
const NEXT_DUE: &str = "SELECT MIN(due_ms) FROM deliveries WHERE store = ?1";
const DUE: &str = "
    SELECT subscription, order_id, seq, due_ms, takes, failures, failed_ms, body, holder
    FROM deliveries WHERE store = ?1 AND due_ms <= ?2 ORDER BY due_ms, order_id, seq LIMIT ?3";
const HEAD: &str = "
    SELECT seq, due_ms FROM deliveries WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 ORDER BY seq LIMIT 1";
const WAIT: &str = "
    UPDATE deliveries SET due_ms = ?5
    WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND seq = ?4 AND due_ms < ?5";
const TAKE: &str = "
    UPDATE deliveries SET due_ms = ?7, holder = ?8, takes = takes + 1, body = CASE WHEN body = '' THEN ?9 ELSE body END
    WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND seq = ?4 AND takes = ?5 AND due_ms <= ?6";
const GET: &str = "
    SELECT subscription, order_id, seq, due_ms, takes, failures, failed_ms, body, holder
    FROM deliveries WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND seq = ?4";
const REMOVE: &str = "DELETE FROM deliveries WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND seq = ?4";
const NEXT: &str = "
    UPDATE deliveries SET due_ms = ?4
    WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND due_ms > ?4 AND holder = '' AND failures = 0
        AND seq = (
            SELECT MIN(seq) FROM deliveries WHERE store = ?1 AND subscription = ?2 AND order_id = ?3)";
const PUT_OFF: &str = "
    UPDATE deliveries SET due_ms = ?6, holder = '', failures = ?7, failed_ms = ?8
    WHERE store = ?1 AND subscription = ?2 AND order_id = ?3 AND seq = ?4 AND takes = ?5";
const DROP: &str = "DELETE FROM deliveries WHERE store = ?1 AND subscription = ?2";
const HASTEN: &str = "
    UPDATE deliveries SET due_ms = ?2 WHERE store = ?1 AND due_ms > ?2 AND holder = '' AND failures > 0";
const RECLAIM: &str = "
    UPDATE deliveries SET due_ms = ?2, holder = '' WHERE store = ?1 AND due_ms > ?2 AND holder <> ''";
const FORGET: &str = "DELETE FROM deliveries WHERE store = ?1 AND made_ms < ?2";
const COUNT: &str = "SELECT COUNT(*) FROM deliveries WHERE store = ?1";
const COUNT_BY: &str = "SELECT subscription, COUNT(*) FROM deliveries WHERE store = ?1 GROUP BY subscription";

fn key_of(key: &DeliveryKey) -> Result<[Value<'static>; 4], StoreError> {
    let DeliveryKey { store, subscription, order, seq } = key;
    Ok([(*store).into(), number(*subscription)?, number(*order)?, (*seq).into()])
}

fn decode(row: &Row<'_>, store: i64) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        key: DeliveryKey { store, subscription: id(row, 0)?, order: id(row, 1)?, seq: row.int(2)? },
        due_ms: row.int(3)?,
        takes: row.int(4)?,
        failures: row.int(5)?,
        failed_ms: row.opt_int(6)?,
        body: row.string(7)?,
    })
}
