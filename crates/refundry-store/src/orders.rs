//! Orders and what hangs on them: the packed facts, the balances that refunds rewrite, the document, the SKUs.

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::balances::{Balances, Facts};
use refundry_core::order::{Id, Order, Reference};
use refundry_core::query::{OrderQuery, Page};

use crate::codec::{self, OrderColumns};
use crate::filter::Filter;
use crate::{Row, StoreError, Tx, Value, number};

/// Our number of the order that a caller names: the platform's id wins over our own number.
pub fn resolve(tx: &mut Tx<'_>, store: i64, reference: &Reference) -> Result<Option<Id>, StoreError> {
    let external = [store.into(), reference.text.as_str().into()];
    if let Some(id) = tx.query_one(BY_EXTERNAL_ID, &external, |row| id(row, 0))? {
        return Ok(Some(id));
    }
    let Some(ours) = reference.ours.and_then(|id| i64::try_from(id).ok()) else { return Ok(None) };
    tx.query_one(EXISTS, &[store.into(), ours.into()], |row| id(row, 0))
}

/// An order with its balances, held until the end of the transaction.
pub fn facts(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Option<Facts>, StoreError> {
    tx.query_one(FACTS, &[store.into(), number(order)?], decode_facts)
}

/// Adds an order, or rewrites the facts of a known one (same number). Balances are apart, see [`put_balances`].
pub fn put(tx: &mut Tx<'_>, store: i64, order: &Order) -> Result<(), StoreError> {
    let params = [
        store.into(),
        number(order.id)?,
        order.external_id.as_deref().into(),
        order.number.as_str().into(),
        order.created_ms.into(),
        order.updated_ms.into(),
        codec::pack_order(order).into(),
    ];
    tx.execute(PUT, &params)?;
    let skus: BTreeSet<&str> = order.lines.iter().map(|l| l.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
    let mut rows = Vec::with_capacity(skus.len());
    for sku in skus {
        rows.push([store.into(), sku.into(), number(order.id)?]);
    }
    tx.execute_many(PUT_SKU, &rows)?;
    Ok(())
}

/// Keeps the document an order was read from; an empty one is not kept.
pub fn put_document(tx: &mut Tx<'_>, store: i64, order: Id, document: &str) -> Result<(), StoreError> {
    if !document.is_empty() {
        tx.execute(PUT_DOCUMENT, &[store.into(), number(order)?, document.into()])?;
    }
    Ok(())
}

/// The document an order was read from; empty where there is none.
pub fn document(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<String, StoreError> {
    let found = tx.query_one(DOCUMENT, &[store.into(), number(order)?], |row| row.string(0))?;
    Ok(found.unwrap_or_default())
}

/// Writes balances, new or changed: store, order, sums.
pub fn put_balances(tx: &mut Tx<'_>, rows: &[(i64, Id, &Balances)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 3]> = Vec::with_capacity(rows.len());
    for (store, order, balances) in rows {
        params.push([(*store).into(), number(*order)?, codec::pack_balances(balances).into()]);
    }
    tx.execute_many(PUT_BALANCES, &params)?;
    Ok(())
}

/// A page of orders, newest first, and whether more follow.
pub fn list(tx: &mut Tx<'_>, store: i64, query: &OrderQuery) -> Result<(Vec<Facts>, bool), StoreError> {
    let mut filter = Filter::new(LIST, store);
    if let Some(named) = &query.named {
        filter.add("(o.external_id = {} OR o.number = {})", &[named.as_str().into(), named.as_str().into()]);
    }
    if let Some(from) = query.created.from_ms {
        filter.add("o.created_ms >= {}", &[from.into()]);
    }
    if let Some(to) = query.created.to_ms {
        filter.add("o.created_ms <= {}", &[to.into()]);
    }
    if let Page::Key { key_ms, id } = query.page {
        filter.add("(o.created_ms, o.id) < ({}, {})", &[key_ms.into(), number(id)?]);
    }
    filter.push(" ORDER BY o.created_ms DESC, o.id DESC LIMIT {}", (i64::from(query.limit) + 1).into());
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = tx.query(&filter.sql, &filter.params, decode_facts)?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// Numbers of all orders of a store above `after`, ascending, at most `limit`: for walks over everything.
pub fn walk(tx: &mut Tx<'_>, store: i64, after: Id, limit: i64) -> Result<Vec<Id>, StoreError> {
    tx.query(WALK, &[store.into(), number(after)?, limit.into()], |row| id(row, 0))
}

const BY_EXTERNAL_ID: &str = "SELECT id FROM orders WHERE store = ?1 AND external_id = ?2";
const EXISTS: &str = "SELECT id FROM orders WHERE store = ?1 AND id = ?2";
const FACTS: &str = "
    SELECT o.id, o.external_id, o.number, o.created_ms, o.updated_ms, o.facts, b.sums
    FROM orders o JOIN balances b ON b.store = o.store AND b.order_id = o.id
    WHERE o.store = ?1 AND o.id = ?2 {lock}";
const PUT: &str = "
    INSERT INTO orders (store, id, external_id, number, created_ms, updated_ms, facts)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (store, id) DO UPDATE SET
        external_id = excluded.external_id, number = excluded.number, created_ms = excluded.created_ms,
        updated_ms = excluded.updated_ms, facts = excluded.facts";
const PUT_SKU: &str = "
    INSERT INTO order_skus (store, sku, order_id) VALUES (?1, ?2, ?3) ON CONFLICT (store, sku, order_id) DO NOTHING";
const PUT_DOCUMENT: &str = "
    INSERT INTO order_documents (store, order_id, document) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, order_id) DO UPDATE SET document = excluded.document";
const DOCUMENT: &str = "SELECT document FROM order_documents WHERE store = ?1 AND order_id = ?2";
const PUT_BALANCES: &str = "
    INSERT INTO balances (store, order_id, sums) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, order_id) DO UPDATE SET sums = excluded.sums";
const LIST: &str = "
    SELECT o.id, o.external_id, o.number, o.created_ms, o.updated_ms, o.facts, b.sums
    FROM orders o JOIN balances b ON b.store = o.store AND b.order_id = o.id
    WHERE o.store = ?1";
const WALK: &str = "SELECT id FROM orders WHERE store = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

fn decode_facts(row: &Row<'_>) -> Result<Facts, StoreError> {
    let columns = OrderColumns {
        id: id(row, 0)?,
        external_id: row.opt_string(1)?,
        number: row.string(2)?,
        created_ms: row.int(3)?,
        updated_ms: row.int(4)?,
    };
    let order = codec::read_order(columns, row.text(5)?)?;
    let mut balances = codec::read_balances(row.text(6)?)?;
    balances.fit(&order);
    Ok(Facts { order: Arc::new(order), balances })
}

pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<Id, StoreError> {
    Id::try_from(row.int(column)?).map_err(|_| StoreError::defect("a number of ours is not negative"))
}
