//! Refunds: what was decided (never rewritten), what providers made of it, and lists of them.

pub mod cases;
mod days;
mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::limits::REFUNDS_LISTED_MAX;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::refund::{Leg, LegState, Progress, Refund, Route};

use crate::codec::{self, RefundColumns};
use crate::orders::id;
use crate::outbox::{self, OutboxRow, Stage};
use crate::recent::Recent;
use crate::{Row, StoreError, Tx, Value, number, stores};

pub use list::{count, count_with, list, list_with};

/// Adds refunds: store, refund, its order.
pub fn insert(tx: &mut Tx<'_>, rows: &[(i64, &Refund, &Order)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 16]> = Vec::with_capacity(rows.len());
    let mut names = Vec::with_capacity(rows.len());
    let mut blocks = BTreeMap::new();
    let mut made = days::Made::new();
    for (store, refund, order) in rows {
        days::note(&mut made, *store, refund);
        let block = block(tx, &mut blocks, *store, refund.id)?;
        for sku in skus(refund, order) {
            names.push([(*store).into(), sku.into(), refund.created_ms.into(), number(refund.id)?]);
        }
        params.push([
            (*store).into(),
            number(refund.id)?,
            number(refund.order)?,
            refund.external_id.as_deref().into(),
            refund.created_ms.into(),
            refund.updated_ms.into(),
            refund.state().code().into(),
            refund.reason.as_str().into(),
            failure(refund).into(),
            refund.amount.to_milli(order.currency).into(),
            refund.refunded().to_milli(order.currency).into(),
            codec::pack_metadata(&refund.metadata).into(),
            codec::pack_refund(refund).into(),
            codec::pack_progress(refund).into(),
            block,
            begun(refund),
        ]);
    }
    tx.write_many(INSERT, &params)?;
    days::add(tx, made)?;
    tx.write_many(INSERT_SKU, &names)
}

/// About how many refunds make a block. Its run of amounts then has some thirty pages, so what one batch adds lands on
/// few of them, and a search by amount over five million refunds looks into some 1,200 blocks.
const BLOCK_REFUNDS: u64 = 4_096;

/// The block a refund goes to: the newest of the store, until chance, which is its number's, begins another. Nobody has
/// to count for that, so processes need not wait for each other.
fn block(
    tx: &mut Tx<'_>,
    blocks: &mut BTreeMap<i64, i64>,
    store: i64,
    refund: Id,
) -> Result<Value<'static>, StoreError> {
    let newest = match blocks.get(&store) {
        Some(block) => Some(*block),
        None => tx.query_one(NEWEST_BLOCK, &[store.into()], |row| row.int(0))?,
    };
    // The upper bits of a product with a large odd number depend on every bit of the number.
    let begins = (refund.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).is_multiple_of(BLOCK_REFUNDS);
    let block = match newest {
        Some(block) if !begins => block,
        _ => {
            tx.execute(INSERT_BLOCK, &[store.into(), number(refund)?])?;
            i64::try_from(refund).map_err(|_| StoreError::defect("a number of ours has at most 18 digits"))?
        }
    };
    blocks.insert(store, block);
    Ok(block.into())
}

/// Writes what changed of refunds: states of legs, and the columns derived from them.
pub fn update(tx: &mut Tx<'_>, rows: &[(i64, &Refund, &Order)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 8]> = Vec::with_capacity(rows.len());
    for (store, refund, order) in rows {
        params.push([
            (*store).into(),
            number(refund.id)?,
            refund.updated_ms.into(),
            refund.state().code().into(),
            failure(refund).into(),
            refund.refunded().to_milli(order.currency).into(),
            codec::pack_progress(refund).into(),
            begun(refund),
        ]);
    }
    tx.write_many(UPDATE, &params)
}

/// Writes the metadata of a refund.
pub fn update_metadata(tx: &mut Tx<'_>, store: i64, refund: &Refund) -> Result<(), StoreError> {
    let packed = codec::pack_metadata(&refund.metadata);
    tx.execute(UPDATE_METADATA, &[store.into(), number(refund.id)?, packed.into()])?;
    Ok(())
}

/// One refund, held until the end of the transaction.
pub fn get(tx: &mut Tx<'_>, store: i64, refund: Id) -> Result<Option<Refund>, StoreError> {
    tx.query_one(GET, &[store.into(), number(refund)?], decode)
}

/// Refunds (store, refund), in their order.
pub fn get_many(tx: &mut Tx<'_>, keys: &[(i64, Id)]) -> Result<Vec<Option<Arc<Refund>>>, StoreError> {
    get_unknown(tx, keys, vec![None; keys.len()])
}

/// Like [`get_many`], for a transaction that knows of some from the last one.
pub fn get_recent(
    tx: &mut Tx<'_>,
    keys: &[(i64, Id)],
    recent: &mut Recent,
) -> Result<Vec<Option<Arc<Refund>>>, StoreError> {
    let known = keys.iter().map(|(store, refund)| recent.take_refund(*store, *refund));
    get_unknown(tx, keys, known.collect())
}

fn get_unknown(
    tx: &mut Tx<'_>,
    keys: &[(i64, Id)],
    mut found: Vec<Option<Arc<Refund>>>,
) -> Result<Vec<Option<Arc<Refund>>>, StoreError> {
    let unknown: Vec<usize> = (0..keys.len()).filter(|place| found[*place].is_none()).collect();
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(unknown.len());
    for place in &unknown {
        let (store, refund) = keys[*place];
        params.push([store.into(), number(refund)?]);
    }
    tx.each_many(GET, &params, |place, row| {
        found[unknown[place]] = Some(Arc::new(decode(row)?));
        Ok(())
    })?;
    Ok(found)
}

/// The refund that a caller names. A platform's id is unique per order only, so the newest of that name wins.
pub fn find(tx: &mut Tx<'_>, store: i64, reference: &Reference) -> Result<Option<Refund>, StoreError> {
    if let Some(ours) = reference.ours.filter(|id| i64::try_from(*id).is_ok())
        && let Some(refund) = get(tx, store, ours)?
    {
        return Ok(Some(refund));
    }
    let named = tx.query(BY_EXTERNAL_ID, &[store.into(), reference.text.as_str().into()], decode)?;
    Ok(named.into_iter().next())
}

/// The refund that a leg belongs to, if it is numbered `lowest` or above: numbers of a refund and of its legs have the
/// maker in common (their digits 14 and 15), which spares looking at refunds of others.
pub fn of_leg(tx: &mut Tx<'_>, store: i64, leg: Id, lowest: Id) -> Result<Option<Refund>, StoreError> {
    let near = tx.query(OF_LEG, &[store.into(), number(lowest)?, number(leg)?], decode)?;
    Ok(near.into_iter().find(|refund| refund.legs.iter().any(|l| l.id == leg)))
}

/// All refunds of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Refund>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], decode)
}

/// The first refunds of an order, oldest first, at most `limit`.
pub fn first_of_order(tx: &mut Tx<'_>, store: i64, order: Id, limit: i64) -> Result<Vec<Refund>, StoreError> {
    tx.query(FIRST_OF_ORDER, &[store.into(), number(order)?, limit.into()], decode)
}

/// The first refunds of each order, oldest first, at most [`REFUNDS_LISTED_MAX`] of each.
pub fn of_orders(tx: &mut Tx<'_>, store: i64, orders: &[Id]) -> Result<Vec<Vec<Refund>>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(orders.len());
    for order in orders {
        params.push([store.into(), number(*order)?]);
    }
    let mut found = vec![Vec::new(); orders.len()];
    tx.each_many(OF_EACH, &params, |place, row| {
        found[place].push(decode(row)?);
        Ok(())
    })?;
    for refunds in &mut found {
        refunds.sort_by_key(|refund| (refund.created_ms, refund.id));
    }
    Ok(found)
}

/// Refunds accepted from `from_ms` on and before `to_ms`, oldest first, behind `after` (accepted at, number), at most
/// `limit`: for walks over a span of time.
pub fn accepted_within(
    tx: &mut Tx<'_>,
    store: i64,
    (from_ms, to_ms): (i64, i64),
    after: Option<(i64, Id)>,
    limit: i64,
) -> Result<Vec<Refund>, StoreError> {
    // Numbers are above zero.
    let (after_ms, after_id) = after.unwrap_or((from_ms, 0));
    let params = [store.into(), after_ms.into(), number(after_id)?, to_ms.into(), limit.into()];
    tx.query(ACCEPTED_WITHIN, &params, decode)
}

/// Puts legs that wait for a person into the outbox: those from before they were kept there.
pub(crate) fn adopt_parked(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for store in stores::list(tx)? {
        let mut parked = Vec::new();
        for refund in tx.query(PENDING, &[store.id.into()], decode)? {
            let waits = |leg: &&Leg| matches!(leg.state, LegState::Parked { .. }) && leg.route == Route::Original;
            parked.extend(refund.legs.iter().filter(waits).map(|leg| OutboxRow {
                store: store.id,
                leg: leg.id,
                refund: refund.id,
                order: refund.order,
                due_ms: outbox::NEVER_MS,
                holder: "before".to_owned(),
                attempts: 1,
                stage: Stage::Parked,
                taken_ms: 0,
                before_ms: 0,
                rung: 0,
            }));
        }
        outbox::insert(tx, &parked)?;
    }
    Ok(())
}

/// Notes which refunds nothing was done for yet: those from before that was kept.
pub(crate) fn note_untouched(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for store in stores::list(tx)? {
        for refund in tx.query(PENDING, &[store.id.into()], decode)? {
            if refund.progress() == Progress::Untouched {
                tx.execute(NOTE_UNTOUCHED, &[store.id.into(), number(refund.id)?])?;
            }
        }
    }
    Ok(())
}

/// A list's cursor that names no refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorUnknown;

const INSERT: &str = "
    INSERT INTO refunds (store, id, order_id, external_id, created_ms, updated_ms, state, reason, failure,
        amount_milli, refunded_milli, metadata, body, legs, block, begun)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const INSERT_SKU: &str = "INSERT INTO refund_skus (store, sku, created_ms, refund_id) VALUES (?1, ?2, ?3, ?4)";
const NEWEST_BLOCK: &str = "SELECT block FROM refund_blocks WHERE store = ?1 ORDER BY block DESC LIMIT 1";
const INSERT_BLOCK: &str = "INSERT INTO refund_blocks (store, block) VALUES (?1, ?2)";
const UPDATE: &str = "
    UPDATE refunds SET updated_ms = ?3, state = ?4, failure = ?5, refunded_milli = ?6, legs = ?7, begun = ?8
    WHERE store = ?1 AND id = ?2";
const UPDATE_METADATA: &str = "UPDATE refunds SET metadata = ?3 WHERE store = ?1 AND id = ?2";
const GET: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND id = ?2";
// Sorted by `+id`, here and where rows of one order are read: a plain `id` may draw a plan along the primary key,
// through all refunds of the store.
const BY_EXTERNAL_ID: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND external_id = ?2 ORDER BY +id DESC LIMIT 1";
const OF_ORDER: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND order_id = ?2 ORDER BY +id";
const FIRST_OF_ORDER: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND order_id = ?2 ORDER BY +id LIMIT ?3";
// A statement for many rows takes no parameter as its limit.
const OF_EACH: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND order_id = ?2 ORDER BY +id LIMIT 1000";
const _: () = assert!(REFUNDS_LISTED_MAX == 1_000, "the limit that the text names");
const OF_LEG: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds
    WHERE store = ?1 AND id BETWEEN ?2 AND ?3 AND (id / 1000) % 100 = (CAST(?3 AS BIGINT) / 1000) % 100
    ORDER BY id DESC";
const ACCEPTED_WITHIN: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND (created_ms, id) > (?2, ?3) AND created_ms < ?4
    ORDER BY created_ms, id LIMIT ?5";
const NOTE_UNTOUCHED: &str = "UPDATE refunds SET begun = 0 WHERE store = ?1 AND id = ?2";
const PENDING: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND state = 'pending' ORDER BY created_ms, id";

fn begun(refund: &Refund) -> Value<'static> {
    i64::from(refund.progress() != Progress::Untouched).into()
}

fn failure(refund: &Refund) -> String {
    refund.failure().map_or_else(String::new, |(code, _)| code.to_owned())
}

/// The SKUs whose goods the refund concerns.
fn skus<'o>(refund: &Refund, order: &'o Order) -> BTreeSet<&'o str> {
    let by_money = refund.allocations.iter().filter_map(|a| order.components.get(a.component)?.line);
    let lines = by_money.chain(refund.units.iter().map(|u| u.line));
    let skus = lines.filter_map(|line| order.lines.get(line)).map(|line| line.sku.as_str());
    skus.filter(|sku| !sku.is_empty()).collect()
}

fn decode(row: &Row<'_>) -> Result<Refund, StoreError> {
    let columns = RefundColumns {
        id: id(row, 0)?,
        order_id: id(row, 1)?,
        external_id: row.opt_string(2)?,
        created_ms: row.int(3)?,
        updated_ms: row.int(4)?,
        reason: row.string(5)?,
    };
    codec::read_refund(columns, &row.text(6)?, &row.text(7)?, &row.text(8)?)
}
