//! Stock against the moves that made it, and moves against the refunds that made them. Each table is walked in pages.

use serde_json::Value as Json;

use super::Run;
use super::rows::parse;
use crate::{Row, Store, StoreError, Tx};

pub(super) fn check(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    check_levels(store, run)?;
    check_moves(store, run)?;
    check_refunds(store, run)?;
    check_orders(store, run)
}

/// Each row says what its moves sum to.
fn check_levels(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let decode = |row: &Row<'_>| Ok((key(row)?, row.int(3)?, row.int(4)?, row.int(5)?));
    walk(store, run, LEVELS, decode, |run, ((tenant, variant, location), quantity, moved, owned)| {
        let what = format!("stock of variant {variant} at location {location}");
        let place = &mut run.at(*tenant, None, None);
        place.same("stock", &what, ("the row", *quantity), ("the sum of its moves", *moved));
        if *owned < 2 {
            place.say("stray", format!("the {what} names a variant or location that is not there"));
        }
    })
}

/// What moved and has no row sums to nothing: it was taken off its location.
fn check_moves(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let decode = |row: &Row<'_>| Ok((key(row)?, row.int(3)?, row.int(4)?));
    walk(store, run, MOVED, decode, |run, ((tenant, variant, location), moved, rows)| {
        let what = format!("stock of variant {variant} at location {location}, which has no row");
        if *rows == 0 {
            run.at(*tenant, None, None).same("stock", what, ("that", 0), ("the sum of its moves", *moved));
        }
    })
}

/// A refund puts back what its units say at most, once, and takes back all of it when it fails as a whole.
fn check_refunds(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let decode = |row: &Row<'_>| {
        Ok((key(row)?, (row.int(3)?, row.int(4)?, row.int(5)?), row.opt_string(6)?, row.opt_string(7)?))
    };
    walk(store, run, BY_REFUND, decode, |run, ((tenant, refund, _), (put, taken, other), body, legs)| {
        let place = &mut run.at(*tenant, None, Some(*refund));
        let (Some(body), Some(legs)) = (body, legs) else {
            return place.say("stray", "stock moved for a refund that is not there");
        };
        let (Ok(body), Ok(legs)) = (parse("refunds.body", body), parse("refunds.legs", legs)) else { return };
        place.within("stock_refund", "units put back", *put, ("what the refund puts back", restocked(&body)));
        let reopened = legs.get("o") == Some(&Json::Bool(true));
        let due = if reopened { *put } else { 0 };
        place.same("stock_refund", "units taken back", ("their moves", -*taken), ("the refund", due));
        if *other != 0 {
            place.say("stock_refund", format!("{other} of its moves are not those of a refund"));
        }
    })
}

/// An order takes no more units than it has, and puts back no more than it took.
fn check_orders(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let decode = |row: &Row<'_>| Ok((key(row)?, (row.int(3)?, row.int(4)?), row.opt_string(5)?));
    walk(store, run, BY_ORDER, decode, |run, ((tenant, order, _), (moved, other), facts)| {
        let place = &mut run.at(*tenant, Some(*order), None);
        let Some(facts) = facts else { return place.say("stray", "stock moved for an order that is not there") };
        let Ok(facts) = parse("orders.facts", facts) else { return };
        place.within("stock_order", "units taken from stock", -*moved, ("what the order sold", sold(&facts)));
        place.within("stock_order", "units put back into stock", *moved, ("what the order took", 0));
        if *other != 0 {
            place.say("stock_order", format!("{other} of its moves are not those of an order"));
        }
    })
}

/// Units of an order's lines: the ninth entry of each.
fn sold(facts: &Json) -> i64 {
    let lines = facts.get("lines").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    lines.iter().filter_map(|line| line.get(8).and_then(Json::as_i64)).sum()
}

/// Units of a refund's body that go back on a shelf: the fourth and tenth entry of each.
fn restocked(body: &Json) -> i64 {
    let units = body.get("units").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let back = units.iter().filter(|u| u.get(9).and_then(Json::as_str).is_some_and(|code| code != "no_restock"));
    back.filter_map(|units| units.get(3).and_then(Json::as_i64)).sum()
}

type Key = (i64, i64, i64);

fn key(row: &Row<'_>) -> Result<Key, StoreError> {
    Ok((row.int(0)?, row.int(1)?, row.int(2)?))
}

/// Reads page after page of a statement that takes the key of the last row and a limit, and looks at each row.
fn walk<T: Keyed>(
    store: &Store,
    run: &mut Run<'_>,
    sql: &str,
    decode: impl Fn(&Row<'_>) -> Result<T, StoreError> + Copy,
    look: impl Fn(&mut Run<'_>, &T),
) -> Result<(), StoreError> {
    let mut after = (i64::MIN, i64::MIN, i64::MIN);
    loop {
        let limit = run.options.rows_per_read * 16;
        let params = [after.0.into(), after.1.into(), after.2.into(), limit.into()];
        let rows = store.read(|tx: &mut Tx<'_>| tx.query(sql, &params, decode))?;
        for row in &rows {
            look(run, row);
        }
        match rows.last() {
            Some(last) => after = last.key(),
            None => return Ok(()),
        }
    }
}

trait Keyed {
    fn key(&self) -> Key;
}

impl<A, B> Keyed for (Key, A, B) {
    fn key(&self) -> Key {
        self.0
    }
}

impl<A, B, C> Keyed for (Key, A, B, C) {
    fn key(&self) -> Key {
        self.0
    }
}

const LEVELS: &str = "
    SELECT t.store, t.variant_id, t.location_id, t.quantity,
        (SELECT CAST(COALESCE(SUM(m.moved), 0) AS BIGINT) FROM stock_moves m
         WHERE m.store = t.store AND m.variant_id = t.variant_id AND m.location_id = t.location_id),
        (SELECT COUNT(*) FROM variants v WHERE v.store = t.store AND v.id = t.variant_id)
            + (SELECT COUNT(*) FROM locations l WHERE l.store = t.store AND l.id = t.location_id)
    FROM stock t
    WHERE (t.store, t.variant_id, t.location_id) > (?1, ?2, ?3)
    ORDER BY t.store, t.variant_id, t.location_id LIMIT ?4";
const MOVED: &str = "
    SELECT m.store, m.variant_id, m.location_id, CAST(SUM(m.moved) AS BIGINT),
        (SELECT COUNT(*) FROM stock t
         WHERE t.store = m.store AND t.variant_id = m.variant_id AND t.location_id = m.location_id)
    FROM stock_moves m
    WHERE (m.store, m.variant_id, m.location_id) > (?1, ?2, ?3)
    GROUP BY m.store, m.variant_id, m.location_id
    ORDER BY m.store, m.variant_id, m.location_id LIMIT ?4";
// The third column only makes the key as long as the others.
const BY_REFUND: &str = "
    SELECT m.store, m.refund_id, CAST(0 AS BIGINT),
        CAST(SUM(CASE WHEN m.why = 'refund' THEN m.moved ELSE 0 END) AS BIGINT),
        CAST(SUM(CASE WHEN m.why = 'reopened' THEN m.moved ELSE 0 END) AS BIGINT),
        CAST(SUM(CASE WHEN m.why IN ('refund', 'reopened') THEN 0 ELSE 1 END) AS BIGINT),
        (SELECT r.body FROM refunds r WHERE r.store = m.store AND r.id = m.refund_id),
        (SELECT r.legs FROM refunds r WHERE r.store = m.store AND r.id = m.refund_id)
    FROM stock_moves m
    WHERE m.refund_id IS NOT NULL AND (m.store, m.refund_id, CAST(0 AS BIGINT)) > (?1, ?2, ?3)
    GROUP BY m.store, m.refund_id
    ORDER BY m.store, m.refund_id LIMIT ?4";
const BY_ORDER: &str = "
    SELECT m.store, m.order_id, CAST(0 AS BIGINT), CAST(SUM(m.moved) AS BIGINT),
        CAST(SUM(CASE WHEN m.why IN ('sold', 'called_off') THEN 0 ELSE 1 END) AS BIGINT),
        (SELECT o.facts FROM orders o WHERE o.store = m.store AND o.id = m.order_id)
    FROM stock_moves m
    WHERE m.order_id IS NOT NULL AND (m.store, m.order_id, CAST(0 AS BIGINT)) > (?1, ?2, ?3)
    GROUP BY m.store, m.order_id
    ORDER BY m.store, m.order_id LIMIT ?4";
