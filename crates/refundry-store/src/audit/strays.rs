//! Rows that belong to nothing, and figures that stand outside of any order. Each table is walked in pages.

use super::rows::parse;
use super::{Run, node_of};
use crate::{Row, Store, StoreError, Tx};

pub(super) fn check(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    for table in &TABLES {
        walk(store, run, table)?;
    }
    check_stores(store, run)?;
    check_keys(store, run)?;
    check_skus(store, run)?;
    check_outbox(store, run)?;
    // Last, because marks only rise: whoever made the newest number seen above had written its mark before.
    check_nodes(store, run)
}

/// A table whose rows belong to another row.
struct Table {
    name: &'static str,
    /// Its primary key after the store: one or two columns.
    key: [&'static str; 2],
    /// The condition that finds the row it belongs to, with `t` for this table.
    owner: &'static str,
}

const ORDER: &str = "SELECT 1 FROM orders o WHERE o.store = t.store AND o.id = t.order_id";
/// An entry stands under its refund, else under its order.
const MOVED: &str = "SELECT 1 FROM orders o WHERE o.store = t.store AND o.id = t.order_id
    AND t.subject = COALESCE(t.refund_id, t.order_id) AND (t.refund_id IS NULL OR EXISTS (
        SELECT 1 FROM refunds r WHERE r.store = t.store AND r.id = t.refund_id AND r.order_id = t.order_id))";
/// An event is of an order, or of a variant where goods moved.
const TOLD: &str = "SELECT 1 FROM orders o WHERE o.store = t.store AND o.id = t.order_id
    UNION ALL SELECT 1 FROM variants v WHERE v.store = t.store AND v.id = t.order_id";
const STORE: &str = "SELECT 1 FROM stores s WHERE s.id = t.store";
const TABLES: [Table; 20] = [
    Table { name: "orders", key: ["id", ""], owner: STORE },
    Table { name: "tokens", key: ["hash", ""], owner: STORE },
    Table { name: "balances", key: ["order_id", ""], owner: ORDER },
    Table { name: "order_documents", key: ["order_id", ""], owner: ORDER },
    Table { name: "order_skus", key: ["sku", "order_id"], owner: ORDER },
    Table { name: "order_index", key: ["order_id", ""], owner: ORDER },
    // Terms of orders that are there are held against them; here it is enough to see each order that has any.
    Table { name: "order_terms", key: ["order_id", "kind"], owner: ORDER },
    Table { name: "refunds", key: ["id", ""], owner: ORDER },
    Table { name: "journal", key: ["subject", "id"], owner: MOVED },
    Table { name: "payment_references", key: ["reference", "order_id"], owner: ORDER },
    Table { name: "parcels", key: ["order_id", "id"], owner: ORDER },
    Table { name: "transactions", key: ["order_id", "id"], owner: ORDER },
    Table { name: "returns", key: ["order_id", "id"], owner: ORDER },
    Table { name: "events", key: ["order_id", "seq"], owner: TOLD },
    Table { name: "subscriptions", key: ["id", ""], owner: STORE },
    Table { name: "evidence", key: ["leg_id", "id"], owner: STORE },
    Table { name: "refund_blocks", key: ["block", ""], owner: STORE },
    Table { name: "locations", key: ["id", ""], owner: STORE },
    Table { name: "variants", key: ["id", ""], owner: STORE },
    Table { name: "refund_days", key: ["day", "node"], owner: STORE },
];

/// Where a walk stopped. A key is a number or a text, so it is passed on as it came.
enum Key {
    Number(i64),
    Text(String),
}

fn walk(store: &Store, run: &mut Run<'_>, table: &Table) -> Result<(), StoreError> {
    let mut after: Option<(i64, Key, Key)> = None;
    loop {
        let rows = store.read(|tx| page(tx, table, after.as_ref(), run.options.rows_per_read * 16))?;
        for ((tenant, first, second), owned) in &rows {
            if !owned {
                let named = match second {
                    Key::Number(0) => first.to_string(),
                    second => format!("{first}, {second}"),
                };
                let text = format!("the row {named} of {} belongs to nothing", table.name);
                run.at(*tenant, None, None).say("stray", text);
            }
        }
        match rows.into_iter().last() {
            Some((key, _)) => after = Some(key),
            None => return Ok(()),
        }
    }
}

type Found = ((i64, Key, Key), bool);

fn page(tx: &mut Tx<'_>, table: &Table, after: Option<&(i64, Key, Key)>, limit: i64) -> Result<Vec<Found>, StoreError> {
    let Table { name, key: [first, second], owner } = table;
    let columns: Vec<&str> = ["store", first, second].into_iter().filter(|column| !column.is_empty()).collect();
    let keys = columns.join(", ");
    let mut params = vec![limit.into()];
    let mut condition = String::new();
    if let Some((tenant, first, second)) = after {
        params.push((*tenant).into());
        params.push(first.value());
        params.push(second.value());
        let marks = if columns.len() == 3 { "?2, ?3, ?4" } else { "?2, ?3" };
        params.truncate(columns.len() + 1);
        condition = format!("WHERE ({keys}) > ({marks})");
    }
    let second_column = if second.is_empty() { "0" } else { second };
    let sql = format!(
        "SELECT store, {first}, {second_column}, (SELECT COUNT(*) FROM ({owner}) x)
         FROM {name} t {condition} ORDER BY {keys} LIMIT ?1"
    );
    let text_first = matches!(*first, "hash" | "sku" | "reference");
    tx.query(&sql, &params, |row| {
        let first = if text_first { Key::Text(row.string(1)?) } else { Key::Number(row.int(1)?) };
        Ok(((row.int(0)?, first, Key::Number(row.int(2)?)), row.int(3)? != 0))
    })
}

impl Key {
    fn value(&self) -> crate::Value<'_> {
        match self {
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.into(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

fn check_stores(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let stores = store.read(|tx| tx.query(STORES, &[], |row| Ok((row.int(0)?, row.string(1)?))))?;
    for (id, settings) in stores {
        run.report.stores += 1;
        if !parse("stores.settings", &settings).is_ok_and(|settings| settings.is_object()) {
            run.at(id, None, None).say("unreadable", "stores.settings is no JSON object");
        }
        let counts = |row: &Row<'_>| Ok((row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?));
        for (day, node, kept, found) in store.read(|tx| tx.query(COUNTS, &[id.into()], counts))? {
            let what = format!("refunds of day {day} numbered under node {node}");
            let found = ("the refunds", i128::from(found));
            run.at(id, None, None).same("refund_count", what, ("refund_days", i128::from(kept)), found);
        }
    }
    Ok(())
}

/// A key names a refund of its own store that was accepted when the key was bound.
fn check_keys(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let mut after = (i64::MIN, String::new());
    loop {
        let limit = run.options.rows_per_read * 16;
        let params = [after.0.into(), after.1.as_str().into(), limit.into()];
        let decode = |row: &Row<'_>| Ok((row.int(0)?, row.string(1)?, row.int(2)?, row.int(3)?, row.opt_int(4)?));
        let rows = store.read(|tx| tx.query(KEYS, &params, decode))?;
        for (tenant, key, refund, created_ms, accepted_ms) in &rows {
            let place = &mut run.at(*tenant, None, Some(*refund));
            match accepted_ms {
                None => place.say("key_refund", format!("the key '{key}' names a refund that is not there")),
                Some(accepted_ms) => {
                    let what = format!("time at which the key '{key}' was bound");
                    place.same("key_created", what, ("the key", *created_ms), ("the refund", *accepted_ms));
                }
            }
        }
        match rows.into_iter().last() {
            Some((tenant, key, ..)) => after = (tenant, key),
            None => return Ok(()),
        }
    }
}

/// A refund is listed under names of its own order's lines, at the time it was accepted.
fn check_skus(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let mut after = (i64::MIN, String::new(), i64::MIN, i64::MIN);
    loop {
        let limit = run.options.rows_per_read * 16;
        let params = [after.0.into(), after.1.as_str().into(), after.2.into(), after.3.into(), limit.into()];
        let decode = |row: &Row<'_>| Ok(((row.int(0)?, row.string(1)?, row.int(2)?, row.int(3)?), row.int(4)? != 0));
        let rows = store.read(|tx| tx.query(SKUS, &params, decode))?;
        for ((tenant, sku, _, refund), _) in rows.iter().filter(|(_, owned)| !owned) {
            let text = format!("the row '{sku}' of refund_skus belongs to no such refund");
            run.at(*tenant, None, Some(*refund)).say("stray", text);
        }
        match rows.into_iter().last() {
            Some((key, _)) => after = key,
            None => return Ok(()),
        }
    }
}

/// Rows of the outbox whose leg is in no refund; those of legs that are there are checked with their order.
fn check_outbox(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let params = [after.0.into(), after.1.into(), run.options.rows_per_read.into()];
        let decode = |row: &Row<'_>| Ok((row.int(0)?, row.int(1)?, row.int(2)?, row.opt_string(3)?));
        let rows = store.read(|tx| tx.query(OUTBOX, &params, decode))?;
        for (tenant, leg, refund, body) in &rows {
            let has_leg = |body: &String| {
                let body = parse("refunds.body", body).ok()?;
                let legs = body.get("legs")?.as_array()?.clone();
                legs.iter().any(|l| l.get(0).and_then(serde_json::Value::as_i64) == Some(*leg)).then_some(())
            };
            if body.as_ref().and_then(has_leg).is_none() {
                let text = format!("the outbox holds leg {leg}, which the refund does not have");
                run.at(*tenant, None, Some(*refund)).say("outbox_extra", text);
            }
        }
        match rows.last() {
            Some((tenant, leg, ..)) => after = (*tenant, *leg),
            None => return Ok(()),
        }
    }
}

fn check_nodes(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let nodes = store.read(|tx| tx.query(NODES, &[], |row| Ok((row.int(0)?, row.int(1)?))))?;
    for (node, newest) in std::mem::take(&mut run.newest) {
        let place = &mut run.at(0, None, None);
        match nodes.iter().find(|(known, _)| *known == node) {
            None => place.say("node_missing", format!("numbers were made under node {node}, which is not there")),
            Some((_, high_ms)) => {
                let what = format!("time in the newest number made under node {node}");
                place.within("node_mark", what, newest, ("the node's mark", *high_ms));
            }
        }
    }
    for (node, _) in nodes.iter().filter(|(node, _)| node_of(node * 1_000) != *node) {
        run.at(0, None, None).say("node_missing", format!("a number has no room for node {node}"));
    }
    Ok(())
}

const STORES: &str = "SELECT id, settings FROM stores ORDER BY id";
// In one statement, so that both are of the same moment.
const COUNTS: &str = "
    SELECT n.day, n.node, CAST(SUM(n.kept) AS BIGINT), CAST(SUM(n.found) AS BIGINT)
    FROM (SELECT d.day AS day, d.node AS node, d.made AS kept, 0 AS found FROM refund_days d WHERE d.store = ?1
        UNION ALL
        SELECT r.created_ms / 86400000 AS day, (r.id / 1000) % 100 AS node, 0 AS kept, 1 AS found
        FROM refunds r WHERE r.store = ?1) n
    GROUP BY n.day, n.node HAVING SUM(n.kept) <> SUM(n.found)";
const KEYS: &str = "
    SELECT k.store, k.key, k.refund_id, k.created_ms, r.created_ms
    FROM keys k LEFT JOIN refunds r ON r.store = k.store AND r.id = k.refund_id
    WHERE (k.store, k.key) > (?1, ?2) ORDER BY k.store, k.key LIMIT ?3";
const SKUS: &str = "
    SELECT t.store, t.sku, t.created_ms, t.refund_id,
        (SELECT COUNT(*) FROM refunds r JOIN order_skus o ON o.store = r.store AND o.order_id = r.order_id
         WHERE r.store = t.store AND r.id = t.refund_id AND r.created_ms = t.created_ms AND o.sku = t.sku)
    FROM refund_skus t
    WHERE (t.store, t.sku, t.created_ms, t.refund_id) > (?1, ?2, ?3, ?4)
    ORDER BY t.store, t.sku, t.created_ms, t.refund_id LIMIT ?5";
const OUTBOX: &str = "
    SELECT t.store, t.leg_id, t.refund_id, r.body
    FROM outbox t LEFT JOIN refunds r ON r.store = t.store AND r.id = t.refund_id
    WHERE (t.store, t.leg_id) > (?1, ?2) ORDER BY t.store, t.leg_id LIMIT ?3";
const NODES: &str = "SELECT node, high_ms FROM nodes ORDER BY node";
