//! Orders and what hangs on them: the packed facts, the balances that refunds rewrite, the document, the SKUs.
//!
//! What lists of orders go by is in `index.rs` and `terms.rs`, the lists themselves in `list.rs`.

mod index;
mod list;
mod parts;
mod terms;

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Order, Reference};

pub use index::{Listed, relist, updated_ms};
pub use parts::{count, count_with, list, list_with};
pub use terms::{Changed, put_terms};

use crate::codec::{self, OrderColumns};
use crate::recent::Recent;
use crate::{Row, StoreError, Tx, Value, number, stores};

/// Our number of the order that a caller names: the platform's id wins over our own number.
pub fn resolve(tx: &mut Tx<'_>, store: i64, reference: &Reference) -> Result<Option<Id>, StoreError> {
    Ok(resolve_many(tx, &[(store, reference)])?.pop().flatten())
}

/// Our numbers of orders that callers name (store, name), in their order.
pub fn resolve_many(tx: &mut Tx<'_>, named: &[(i64, &Reference)]) -> Result<Vec<Option<Id>>, StoreError> {
    let mut found = vec![None; named.len()];
    let texts = named.iter().map(|(store, reference)| [(*store).into(), reference.text.as_str().into()]);
    tx.each_many(BY_EXTERNAL_ID, &texts.collect::<Vec<[Value<'_>; 2]>>(), |place, row| {
        found[place] = Some(id(row, 0)?);
        Ok(())
    })?;
    let unfound = named.iter().enumerate().filter(|(place, _)| found[*place].is_none());
    let ours = unfound.filter_map(|(place, (store, reference))| {
        let ours = i64::try_from(reference.ours?).ok()?;
        Some((place, [(*store).into(), ours.into()]))
    });
    let (places, numbers): (Vec<usize>, Vec<[Value<'_>; 2]>) = ours.unzip();
    tx.each_many(EXISTS, &numbers, |place, row| {
        found[places[place]] = Some(id(row, 0)?);
        Ok(())
    })?;
    Ok(found)
}

/// An order with its balances, as they are now; whoever decides on them uses [`hold`].
pub fn facts(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Option<Facts>, StoreError> {
    tx.query_one(FACTS, &[store.into(), number(order)?], decode_facts)
}

/// Orders of a store with their balances, as they are now, in the order of `orders`; `None` for those that are not
/// there.
pub fn facts_of(tx: &mut Tx<'_>, store: i64, orders: &[Id]) -> Result<Vec<Option<Facts>>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(orders.len());
    for order in orders {
        params.push([store.into(), number(*order)?]);
    }
    let mut found = vec![None; orders.len()];
    tx.each_many(FACTS, &params, |place, row| {
        found[place] = Some(decode_facts(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Orders with their balances (store, order), held until the end of the transaction; `None` for those that are not
/// there. Keys come in ascending order, so that two writers never wait for each other in a circle.
///
/// What is held is the row of balances: everybody who changes anything of an order holds it first. It is held before
/// anything is read, because a statement that waits for a row sees the other rows as they were before.
pub fn hold(tx: &mut Tx<'_>, keys: &[(i64, Id)], recent: &mut Recent) -> Result<Vec<Option<Facts>>, StoreError> {
    let mut found: Vec<Option<Facts>> = keys.iter().map(|(store, order)| recent.take_facts(*store, *order)).collect();
    let unknown: Vec<usize> = (0..keys.len()).filter(|place| found[*place].is_none()).collect();
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(unknown.len());
    for place in &unknown {
        let (store, order) = keys[*place];
        params.push([store.into(), number(order)?]);
    }
    tx.lock_many(HOLD, &params)?;
    tx.each_many(FACTS, &params, |place, row| {
        let place = unknown[place];
        let order = recent.order(keys[place].0, columns(row)?, &row.text(5)?)?;
        found[place] = Some(with_balances(order, row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Adds orders: store, order. Balances are apart, see [`insert_balances`]. Where somebody else added the same platform
/// id first, the transaction ends as [`StoreError::Conflict`].
pub fn insert(tx: &mut Tx<'_>, rows: &[(i64, &Order)]) -> Result<(), StoreError> {
    write_orders(tx, INSERT, rows)
}

/// Rewrites the facts of orders: store, order.
pub fn update(tx: &mut Tx<'_>, rows: &[(i64, &Order)]) -> Result<(), StoreError> {
    write_orders(tx, UPDATE, rows)
}

fn write_orders(tx: &mut Tx<'_>, sql: &str, rows: &[(i64, &Order)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 7]> = Vec::with_capacity(rows.len());
    let mut skus: Vec<[Value<'_>; 3]> = Vec::new();
    let mut references: Vec<[Value<'_>; 3]> = Vec::new();
    for (store, order) in rows {
        params.push([
            (*store).into(),
            number(order.id)?,
            order.external_id.as_deref().into(),
            order.number.as_str().into(),
            order.created_ms.into(),
            order.updated_ms.into(),
            codec::pack_order(order).into(),
        ]);
        let named: BTreeSet<&str> = order.lines.iter().map(|l| l.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
        for sku in named {
            skus.push([(*store).into(), sku.into(), number(order.id)?]);
        }
        for reference in payment_references(order) {
            references.push([(*store).into(), reference.into(), number(order.id)?]);
        }
    }
    tx.write_many(sql, &params)?;
    tx.write_many(PUT_SKU, &skus)?;
    tx.write_many(PUT_REFERENCE, &references)
}

/// What providers call the payments of an order.
fn payment_references(order: &Order) -> BTreeSet<&str> {
    order.payments.iter().map(|payment| payment.reference.as_str()).filter(|reference| !reference.is_empty()).collect()
}

/// Orders with a payment that a provider calls so, oldest first: mostly one.
pub fn of_payment(tx: &mut Tx<'_>, store: i64, reference: &str) -> Result<Vec<Id>, StoreError> {
    if reference.is_empty() {
        return Ok(Vec::new());
    }
    tx.query(OF_PAYMENT, &[store.into(), reference.into()], |row| id(row, 0))
}

/// Notes what providers call the payments of orders that were taken in before that was noted.
pub(crate) fn index_payments(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    each_page(tx, |tx, store, orders| {
        let mut references: Vec<[Value<'_>; 3]> = Vec::new();
        for facts in orders {
            for reference in payment_references(&facts.order) {
                references.push([store.into(), reference.into(), number(facts.order.id)?]);
            }
        }
        tx.write_many(PUT_REFERENCE, &references)
    })
}

/// Lists orders that were taken in before they were listed so.
pub(crate) fn index_orders(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    each_page(tx, |tx, store, orders| {
        let mut updated: Vec<[Value<'_>; 3]> = Vec::with_capacity(orders.len());
        for facts in orders {
            updated.push([store.into(), number(facts.order.id)?, updated_ms(facts).into()]);
        }
        tx.write_many(SET_UPDATED, &updated)?;
        index::list_first(tx, store, orders)?;
        let changed = orders.iter().map(|facts| Changed { store, before: None, after: &facts.order, told: None });
        put_terms(tx, &changed.collect::<Vec<_>>())
    })
}

/// Notes which orders are put away: those that were listed before that was kept.
pub(crate) fn note_closed(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    each_page(tx, index::list_closed)
}

/// Walks over all orders of all stores, some hundred at a time.
fn each_page(
    tx: &mut Tx<'_>,
    visit: impl Fn(&mut Tx<'_>, i64, &[Facts]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const PAGE: i64 = 256;
    for store in stores::list(tx)? {
        let mut after = 0;
        loop {
            let orders = walk(tx, store.id, after, PAGE)?;
            let Some(last) = orders.last() else { break };
            after = *last;
            let mut page = Vec::with_capacity(orders.len());
            for order in orders {
                page.extend(facts(tx, store.id, order)?);
            }
            visit(tx, store.id, &page)?;
        }
    }
    Ok(())
}

/// Keeps the documents that orders were read from: store, order, document.
pub fn put_documents(tx: &mut Tx<'_>, rows: &[(i64, Id, &str)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 3]> = Vec::with_capacity(rows.len());
    for (store, order, document) in rows {
        params.push([(*store).into(), number(*order)?, (*document).into()]);
    }
    tx.write_many(PUT_DOCUMENT, &params)
}

/// The document an order was read from; empty where there is none.
pub fn document(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<String, StoreError> {
    let found = tx.query_one(DOCUMENT, &[store.into(), number(order)?], |row| row.string(0))?;
    Ok(found.unwrap_or_default())
}

/// The documents that orders of a store were read from, in their order; empty where there is none.
pub fn documents(tx: &mut Tx<'_>, store: i64, orders: &[Id]) -> Result<Vec<String>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(orders.len());
    for order in orders {
        params.push([store.into(), number(*order)?]);
    }
    let mut found = vec![String::new(); orders.len()];
    tx.each_many(DOCUMENT, &params, |place, row| {
        found[place] = row.string(0)?;
        Ok(())
    })?;
    Ok(found)
}

/// Adds balances of orders that are new: store, facts.
pub fn insert_balances(tx: &mut Tx<'_>, rows: &[(i64, &Facts)]) -> Result<(), StoreError> {
    write_balances(tx, INSERT_BALANCES, rows)
}

/// Writes balances that changed: store, facts.
pub fn update_balances(tx: &mut Tx<'_>, rows: &[(i64, &Facts)]) -> Result<(), StoreError> {
    write_balances(tx, UPDATE_BALANCES, rows)
}

fn write_balances(tx: &mut Tx<'_>, sql: &str, rows: &[(i64, &Facts)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 4]> = Vec::with_capacity(rows.len());
    for (store, facts) in rows {
        let sums = codec::pack_balances(&facts.balances);
        params.push([(*store).into(), number(facts.order.id)?, sums.into(), updated_ms(facts).into()]);
    }
    tx.write_many(sql, &params)
}

/// The newest order that people call so.
pub fn by_number(tx: &mut Tx<'_>, store: i64, name: &str) -> Result<Option<Id>, StoreError> {
    tx.query_one(BY_NUMBER, &[store.into(), name.into()], |row| id(row, 0))
}

/// Numbers of all orders of a store above `after`, ascending, at most `limit`: for walks over everything.
pub fn walk(tx: &mut Tx<'_>, store: i64, after: Id, limit: i64) -> Result<Vec<Id>, StoreError> {
    tx.query(WALK, &[store.into(), number(after)?, limit.into()], |row| id(row, 0))
}

const BY_EXTERNAL_ID: &str = "SELECT id FROM orders WHERE store = ?1 AND external_id = ?2";
const BY_NUMBER: &str = "SELECT id FROM orders WHERE store = ?1 AND number = ?2 ORDER BY id DESC LIMIT 1";
const EXISTS: &str = "SELECT id FROM orders WHERE store = ?1 AND id = ?2";
const FACTS: &str = "
    SELECT o.id, o.external_id, o.number, o.created_ms, o.updated_ms, o.facts, b.sums
    FROM orders o JOIN balances b ON b.store = o.store AND b.order_id = o.id
    WHERE o.store = ?1 AND o.id = ?2";
const HOLD: &str = "SELECT order_id FROM balances WHERE store = ?1 AND order_id = ?2 {lock}";
const INSERT: &str = "
    INSERT INTO orders (store, id, external_id, number, created_ms, updated_ms, facts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const UPDATE: &str = "
    UPDATE orders
    SET external_id = ?3, number = ?4, created_ms = ?5, updated_ms = ?6, facts = ?7
    WHERE store = ?1 AND id = ?2";
const PUT_SKU: &str = "
    INSERT INTO order_skus (store, sku, order_id) VALUES (?1, ?2, ?3) ON CONFLICT (store, sku, order_id) DO NOTHING";
const PUT_REFERENCE: &str = "
    INSERT INTO payment_references (store, reference, order_id) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, reference, order_id) DO NOTHING";
const OF_PAYMENT: &str = "
    SELECT order_id FROM payment_references WHERE store = ?1 AND reference = ?2 ORDER BY order_id";
const PUT_DOCUMENT: &str = "
    INSERT INTO order_documents (store, order_id, document) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, order_id) DO UPDATE SET document = excluded.document";
const DOCUMENT: &str = "SELECT document FROM order_documents WHERE store = ?1 AND order_id = ?2";
const INSERT_BALANCES: &str = "INSERT INTO balances (store, order_id, sums, updated_ms) VALUES (?1, ?2, ?3, ?4)";
const UPDATE_BALANCES: &str = "UPDATE balances SET sums = ?3, updated_ms = ?4 WHERE store = ?1 AND order_id = ?2";
const SET_UPDATED: &str = "UPDATE balances SET updated_ms = ?3 WHERE store = ?1 AND order_id = ?2";
const WALK: &str = "SELECT id FROM orders WHERE store = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

fn decode_facts(row: &Row<'_>) -> Result<Facts, StoreError> {
    let order = codec::read_order(columns(row)?, &row.text(5)?)?;
    with_balances(Arc::new(order), row)
}

fn columns(row: &Row<'_>) -> Result<OrderColumns, StoreError> {
    Ok(OrderColumns {
        id: id(row, 0)?,
        external_id: row.opt_string(1)?,
        number: row.string(2)?,
        created_ms: row.int(3)?,
        updated_ms: row.int(4)?,
    })
}

fn with_balances(order: Arc<Order>, row: &Row<'_>) -> Result<Facts, StoreError> {
    let mut balances = codec::read_balances(&row.text(6)?)?;
    balances.fit(&order);
    Ok(Facts::new(order, balances))
}

pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<Id, StoreError> {
    Id::try_from(row.int(column)?).map_err(|_| StoreError::defect("a number of ours is not negative"))
}
