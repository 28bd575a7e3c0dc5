//! The audit finds nothing in books that are right, and every single error that is planted in them.
//!
//! The errors are planted with `SQLite` directly, behind the store's back: each number of each row of each table is
//! changed by one, also inside the packed columns, each flag is turned, each row dropped and doubled, one at a time.

use std::collections::BTreeSet;
use std::path::Path;

use refundry_core::money::Currency;
use refundry_store::audit::{AuditOptions, audit};
use refundry_store::{Options, Store, StoreError};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value as Json;

use crate::books::{fill, plain, random_business};
use crate::shop::{Backend, Build, NOW_MS, Shop, everything, order};

on_both!(right_books_have_no_findings, whatever_is_asked_and_answered_the_books_are_right);

/// An error that the audit need not find: which, and why it does no harm or cannot be known.
struct Harmless {
    table: &'static str,
    /// A column, with the path of a number inside a packed one; `*` stands for any position. Or `drop`, `double`.
    place: &'static str,
    why: &'static str,
}

const fn harmless(table: &'static str, place: &'static str, why: &'static str) -> Harmless {
    Harmless { table, place, why }
}

const HARMLESS: &[Harmless] = &[
    harmless("schema_migrations", "applied_ms", "for people"),
    harmless("stores", "created_ms", "for people"),
    harmless("stores", "double", "a second store without orders is a store"),
    harmless("tokens", "created_ms", "for people"),
    harmless("tokens", "revoked_ms", "for people; whether it is there at all is what counts"),
    harmless("tokens", "drop", "a token that is gone opens nothing"),
    harmless("tokens", "double", "another token of the same store"),
    harmless("nodes", "lease_until_ms", "a lease ends by itself"),
    harmless("nodes", "high_ms", "written seconds ahead, so one more or less is still above; too low is found"),
    harmless("nodes", "double", "another node, which made no number yet"),
    harmless("orders", "updated_ms", "the platform's word, kept once; where no refund came later, lists tell of it"),
    harmless("orders", "facts.lines.*.8", "units sold: kept once until a refund made here takes some of them"),
    harmless("orders", "facts.lines.*.10", "units called off: kept once, bounded as those shipped"),
    harmless("orders", "facts.lines.*.11", "price of one unit: shown, never counted with; money is in the components"),
    harmless(
        "orders",
        "facts.lines.*.12",
        "discount: shown; its shares in units refunded tell of it, up to their rounding",
    ),
    harmless("orders", "facts.payments.*.0", "number of a payment: kept once; one that names two things is found"),
    harmless("orders", "facts.components.*.1", "the line of a part other than goods: kept once until it is refunded"),
    harmless("orders", "facts.included", "how prices were entered: kept once"),
    harmless("orders", "facts.by_fulfilment", "what counts as captured: kept once"),
    harmless("orders", "facts.disputed", "kept once"),
    harmless("orders", "facts.test", "kept once"),
    harmless("order_documents", "document.id", "the platform's own words, kept once"),
    harmless("order_documents", "drop", "not every order has one"),
    harmless("order_skus", "double", "a name that a line bore once: its refunds are found by it"),
    harmless(
        "refunds",
        "updated_ms",
        "while a leg is under way: the provider's news move no money, so nothing else tells of them",
    ),
    harmless("refund_blocks", "double", "a block without refunds is looked into for nothing"),
    harmless("refunds", "body.notify", "the caller's wish, kept once"),
    harmless(
        "refunds",
        "body.allocations.*.5",
        "units that money of an item was stated for: the caller's word, bounded",
    ),
    harmless(
        "refunds",
        "body.allocations.*.9",
        "odd minor units explain a split and are in no sum; those of unit shares are found",
    ),
    harmless("refunds", "body.cap.1", "where shipping captures, what had been captured then is not known any more"),
    harmless("refunds", "body.cap.2", "where shipping captures, what had been captured then is not known any more"),
    harmless("refunds", "body.units.*.1", "bucket of units that are open again after all legs failed"),
    harmless("refunds", "body.units.*.2", "that goods came back is the caller's word"),
    harmless("refunds", "body.units.*.4", "worth of units refunded elsewhere: the platform's word, kept once"),
    harmless("refunds", "body.units.*.5", "tax of units refunded elsewhere: the platform's word, kept once"),
    harmless("refunds", "body.units.*.6", "discount of units refunded elsewhere: the platform's word, kept once"),
    harmless("outbox", "taken_ms", "tells for how long what was sent may be on its way; a moment more or less"),
    harmless("outbox", "before_ms", "the same of the time before"),
    harmless("outbox", "rung", "how often it was asked about; a question more or less"),
    harmless("evidence", "leg_id", "for people; nothing is decided on it"),
    harmless("evidence", "id", "for people; nothing is decided on it"),
    harmless("evidence", "heard_ms", "for people; when it was heard"),
    harmless("evidence", "drop", "for people; nothing is decided on it"),
    harmless("evidence", "double", "for people; nothing is decided on it"),
    harmless("locations", "active", "kept once"),
    harmless("locations", "created_ms", "for people"),
    harmless("locations", "updated_ms", "for people"),
    harmless("locations", "double", "another place where nothing is"),
    harmless("variants", "id", "goods that were never put back; others are found"),
    harmless("variants", "price_minor", "what the first order asked for one; shown, never counted with"),
    harmless("variants", "tracked", "kept once"),
    harmless("variants", "created_ms", "for people"),
    harmless("variants", "updated_ms", "for people"),
    harmless("variants", "drop", "goods that were never put back; others are found"),
    harmless("variants", "double", "goods that were never put back"),
    harmless("stock", "updated_ms", "for people"),
    harmless("stock", "drop", "none there, as where all that was put was taken back; more or less is found"),
    harmless("stock_moves", "id", "only orders the moves of one variant, and one more changes no order"),
    harmless("stock_moves", "at_ms", "for people"),
    harmless("keys", "drop", "keys are forgotten after a while anyway"),
    harmless("keys", "double", "another key that replays the same refund"),
    harmless("outbox", "due_ms", "a leg is only looked at sooner or later"),
    harmless("outbox", "attempts", "from one on it means that the leg is looked up first; to or from none is found"),
    harmless("journal", "id", "an entry's own number only orders it, and one more changes no order"),
    harmless(
        "journal",
        "happened_ms",
        "of entries that opened or changed an order, and of a success that failed later: for people",
    ),
];

fn right_books_have_no_findings(on: Backend) {
    let shop = Shop::new(on);
    fill(&shop);
    shop.assert_clean();
    let report = shop.audit();
    assert_eq!((report.stores, report.orders), (2, 7));
    assert!(report.refunds > 20 && report.entries > report.refunds, "{report:?}");
}

/// The audit must not cry wolf.
fn whatever_is_asked_and_answered_the_books_are_right(on: Backend) {
    let shop = Shop::new(on);
    random_business(&shop, 7);
    assert!(shop.audit().refunds > 100);
    shop.assert_clean();
}

/// The audit has its own list of exponents; it must know every currency that the rules take.
#[test]
fn amounts_of_every_currency_are_read_alike() {
    let shop = Shop::new(Backend::Sqlite);
    let letters = || b'A'..=b'Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    let codes: Vec<String> = codes.map(|code| String::from_utf8(code.to_vec()).unwrap()).collect();
    for code in codes.iter().filter(|code| Currency::parse(code).is_some()) {
        let id = shop.put(order(code, code).line("hat", 1, 5_000, 0).pay("card", "simulated", 5_000));
        shop.create(id, everything()).unwrap();
    }
    assert!(shop.audit().orders > 150);
    shop.assert_clean();
}

#[test]
fn findings_are_bounded_but_counted() {
    let shop = Shop::new(Backend::Sqlite);
    for name in ["a", "b", "c"] {
        shop.put(plain(name));
    }
    let raw = Connection::open(shop.path()).unwrap();
    raw.execute("DELETE FROM balances", []).unwrap();
    let options = AuditOptions { findings_max: 2, rows_per_read: 1, ..AuditOptions::default() };
    let report = audit(shop.engine.store(), &options).unwrap();
    assert_eq!((report.findings.len(), report.findings_total), (2, 3));
    assert!(report.findings.iter().all(|finding| finding.code == "balances_missing"));
    assert!(!report.is_clean());
}

#[test]
fn every_planted_error_is_found() {
    let shop = Shop::new(Backend::Sqlite);
    fill(&shop);
    let path = shop.path();
    let folder = tempfile::tempdir().unwrap();
    let Shop { engine, place: _kept, .. } = shop;
    drop(engine);
    // Each bench plants its share of the errors in a copy of its own.
    let copies: Vec<_> = (0..BENCHES).map(|n| folder.path().join(format!("copy-{n}.db"))).collect();
    for copy in &copies {
        std::fs::copy(&path, copy).unwrap();
    }
    let results: Vec<Shares> = std::thread::scope(|scope| {
        let benches: Vec<_> =
            copies.iter().enumerate().map(|(n, copy)| scope.spawn(move || Bench::open(copy).work_off(n))).collect();
        benches.into_iter().map(|bench| bench.join().unwrap()).collect()
    });
    let missed: Vec<String> = results.iter().flat_map(|shares| shares.missed.clone()).collect();
    let planted: usize = results.iter().map(|shares| shares.planted).sum();
    assert!(missed.is_empty(), "{} of {planted} were not found:\n{}", missed.len(), missed.join("\n"));
    assert!(planted > 4_000, "only {planted} errors were planted");
    for (index, entry) in HARMLESS.iter().enumerate() {
        let is_used = results.iter().any(|shares| shares.used.contains(&index));
        assert!(is_used, "{} {} is found after all: {}", entry.table, entry.place, entry.why);
    }
}

const BENCHES: usize = 3;

/// What one bench did.
#[derive(Default)]
struct Shares {
    planted: usize,
    /// Entries of [`HARMLESS`] that were needed.
    used: BTreeSet<usize>,
    missed: Vec<String>,
}

#[test]
fn a_mark_below_the_newest_number_is_found() {
    let shop = Shop::new(Backend::Sqlite);
    shop.put(plain("a"));
    let raw = Connection::open(shop.path()).unwrap();
    raw.execute("UPDATE nodes SET high_ms = high_ms - 10000", []).unwrap();
    let codes: Vec<_> = shop.audit().findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["node_mark"]);
}

#[test]
fn a_schema_that_was_tampered_with_is_refused() {
    let shop = Shop::new(Backend::Sqlite);
    let raw = Connection::open(shop.path()).unwrap();
    raw.execute("UPDATE schema_migrations SET version = 100 WHERE version = 4", []).unwrap();
    let opened = Store::open(&Options::file(shop.path(), NOW_MS));
    assert!(matches!(opened.err(), Some(StoreError::Schema(_))));
}

struct Bench {
    store: Store,
    options: Options,
    raw: Connection,
}

struct Table {
    name: String,
    columns: Vec<String>,
    /// Positions of the primary key's columns.
    key: Vec<usize>,
    rows: Vec<Vec<Value>>,
}

struct Plant {
    place: String,
    /// The row's key, for messages.
    key: Vec<Value>,
    before: Option<Vec<Value>>,
    after: Option<Vec<Value>>,
}

impl Bench {
    fn open(path: &Path) -> Bench {
        let options = Options::file(path, NOW_MS);
        let raw = Connection::open(path).unwrap();
        raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
        Bench { store: Store::open(&options).unwrap(), options, raw }
    }

    /// Plants every n-th error.
    fn work_off(&self, first: usize) -> Shares {
        let mut shares = Shares::default();
        for table in self.tables() {
            for plant in table.plants().iter().skip(first).step_by(BENCHES) {
                shares.planted += 1;
                let excuse = HARMLESS.iter().position(|h| h.table == table.name && plant.is_at(h.place));
                let excuse = excuse.filter(|_| self.excuses(&table, plant));
                match excuse {
                    _ if self.finds(&table, plant, excuse.is_some()) => {}
                    Some(index) => drop(shares.used.insert(index)),
                    None => shares.missed.push(format!("{} {} {:?}", table.name, plant.place, plant.key)),
                }
            }
        }
        assert_eq!(self.findings(None), Some(0), "every planted error was taken back");
        shares
    }

    fn tables(&self) -> Vec<Table> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut names = self.raw.prepare(sql).unwrap();
        let names = names.query_map([], |row| row.get(0)).unwrap();
        names.map(|name| self.table(name.unwrap())).collect()
    }

    fn table(&self, name: String) -> Table {
        let mut info = self.raw.prepare(&format!("PRAGMA table_info({name})")).unwrap();
        let columns = info.query_map([], |row| Ok((row.get::<_, String>(1)?, row.get::<_, i64>(5)?))).unwrap();
        let columns: Vec<(String, i64)> = columns.map(Result::unwrap).collect();
        let key = (0..columns.len()).filter(|c| columns[*c].1 > 0).collect();
        let mut all = self.raw.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let count = columns.len();
        let rows = all.query_map([], |row| (0..count).map(|c| row.get(c)).collect::<Result<Vec<Value>, _>>()).unwrap();
        let rows = rows.map(Result::unwrap).collect();
        Table { name, columns: columns.into_iter().map(|(column, _)| column).collect(), key, rows }
    }

    /// Plants an error, looks, and takes it back. What the database itself refuses is found as well.
    fn finds(&self, table: &Table, plant: &Plant, excused: bool) -> bool {
        if !self.replace(table, plant.before.as_ref(), plant.after.as_ref()) {
            return true;
        }
        let refused = table.name == "schema_migrations" && Store::open(&self.options).is_err();
        // Where all happens inside one order, looking at that one first, or only, saves most of the time.
        let orders: Vec<_> = plant.before.iter().chain(&plant.after).filter_map(|row| table.order(row)).collect();
        let inside = orders.first().copied().filter(|first| orders.iter().all(|order| order == first));
        let inside = inside.filter(|_| table.name != "orders" || orders.len() == 2);
        let found = refused
            || inside.is_some() && self.findings(inside) != Some(0)
            || !(inside.is_some() && excused) && self.findings(None) != Some(0);
        assert!(self.replace(table, plant.after.as_ref(), plant.before.as_ref()), "taken back");
        found
    }

    /// How many findings; `None` where the file is refused before anything is looked at.
    fn findings(&self, order: Option<(i64, i64)>) -> Option<u64> {
        let report = audit(&self.store, &AuditOptions { order, ..AuditOptions::default() });
        report.ok().map(|report| report.findings_total)
    }

    /// Whether an entry of [`HARMLESS`] holds for this very row: most do only where nothing else tells of the figure.
    fn excuses(&self, table: &Table, plant: &Plant) -> bool {
        let Some(row) = &plant.before else { return true };
        let text = |column: &str| match table.cell(row, column) {
            Value::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let body = || serde_json::from_str::<Json>(&text("body")).unwrap();
        let steps: Vec<&str> = plant.place.split('.').collect();
        match (table.name.as_str(), steps.as_slice()) {
            ("orders", ["facts", "lines", line, "8"]) => !self.has_units(row, line.parse().unwrap()),
            ("refunds", ["updated_ms"]) => text("state") == "pending",
            ("refunds", ["body", "allocations", index, "9"]) => {
                body()["allocations"][index.parse::<usize>().unwrap()][6] != "unit_shares" || text("state") == "failed"
            }
            ("refunds", ["body", "units", _, "4" | "5" | "6"]) => {
                body()["shape"][0] == "imported" || text("state") == "failed"
            }
            ("outbox", ["attempts"]) => {
                let attempts = |row: &Option<Vec<Value>>| table.cell(row.as_ref().unwrap(), "attempts").clone();
                [&plant.before, &plant.after].iter().all(|row| !matches!(attempts(row), Value::Integer(..=0)))
            }
            ("journal", ["happened_ms"]) => {
                ["order_opened", "order_changed", "leg_succeeded"].contains(&text("kind").as_str())
            }
            ("refunds", ["body", "units", _, "1"]) => text("state") == "failed",
            ("stock", ["drop"]) => *table.cell(row, "quantity") == Value::Integer(0),
            ("refunds", ["body", "cap", _]) => self.is_captured_by_shipping(row),
            _ => true,
        }
    }

    /// Whether a refund that was made here took units of a line: two columns of the order's row are store and number.
    fn has_units(&self, order: &[Value], line: usize) -> bool {
        let sql = "SELECT body FROM refunds WHERE store = ?1 AND order_id = ?2 AND state <> 'failed'";
        let mut bodies = self.raw.prepare_cached(sql).unwrap();
        let bodies = bodies.query_map(params_from_iter(&order[..2]), |row| row.get::<_, String>(0)).unwrap();
        let mut bodies = bodies.map(|body| serde_json::from_str::<Json>(&body.unwrap()).unwrap());
        bodies.any(|body| {
            let units = body["units"].as_array().unwrap().iter();
            body["shape"][0] != "imported" && units.into_iter().any(|units| units[0] == line)
        })
    }

    fn is_captured_by_shipping(&self, refund: &[Value]) -> bool {
        let sql = "SELECT facts FROM orders WHERE store = ?1 AND id = ?2";
        let facts: String =
            self.raw.query_row(sql, params_from_iter([&refund[0], &refund[2]]), |row| row.get(0)).unwrap();
        serde_json::from_str::<Json>(&facts).unwrap()["by_fulfilment"] == true
    }

    fn replace(&self, table: &Table, old: Option<&Vec<Value>>, new: Option<&Vec<Value>>) -> bool {
        let transaction = self.raw.unchecked_transaction().unwrap();
        if let Some(old) = old {
            let marks: Vec<String> =
                table.key.iter().enumerate().map(|(n, c)| format!("{} = ?{}", table.columns[*c], n + 1)).collect();
            let sql = format!("DELETE FROM {} WHERE {}", table.name, marks.join(" AND "));
            let key = table.key.iter().map(|c| &old[*c]);
            let gone = transaction.prepare_cached(&sql).unwrap().execute(params_from_iter(key)).unwrap();
            assert_eq!(gone, 1);
        }
        if let Some(new) = new {
            let marks: Vec<String> = (1..=new.len()).map(|n| format!("?{n}")).collect();
            let sql = format!("INSERT INTO {} VALUES ({})", table.name, marks.join(", "));
            let inserted = transaction.prepare_cached(&sql).unwrap().execute(params_from_iter(new));
            if inserted.is_err() {
                return false;
            }
        }
        transaction.commit().unwrap();
        true
    }
}

/// Text columns that are derived from others, and so must be found like numbers.
const DERIVED: [(&str, &str); 4] =
    [("refunds", "state"), ("refunds", "failure"), ("refund_skus", "sku"), ("journal", "kind")];

impl Table {
    fn plants(&self) -> Vec<Plant> {
        let mut plants = Vec::new();
        for row in &self.rows {
            let key: Vec<Value> = self.key.iter().map(|c| row[*c].clone()).collect();
            let mut plant = |place: String, before: Option<Vec<Value>>, after: Option<Vec<Value>>| {
                plants.push(Plant { place, key: key.clone(), before, after });
            };
            plant("drop".to_owned(), Some(row.clone()), None);
            for column in &self.key {
                plant("double".to_owned(), None, Some(self.double(row, *column)));
            }
            for (index, column) in self.columns.iter().enumerate() {
                for (path, value) in changes(&row[index], DERIVED.contains(&(self.name.as_str(), column))) {
                    let mut after = row.clone();
                    after[index] = value;
                    plant(format!("{column}{path}"), Some(row.clone()), Some(after));
                }
            }
        }
        plants
    }

    /// The same row under another key.
    fn double(&self, row: &[Value], key: usize) -> Vec<Value> {
        let mut double = row.to_vec();
        double[key] = match &row[key] {
            Value::Integer(number) => Value::Integer(number + 1),
            Value::Text(text) => Value::Text(format!("{text}x")),
            other => other.clone(),
        };
        // What must be unique beside the key.
        if let Some(column) = self.columns.iter().position(|c| c == "handle" || c == "external_id") {
            double[column] = Value::Text("another".to_owned());
        }
        double
    }

    /// The order that a row belongs to.
    fn order(&self, row: &[Value]) -> Option<(i64, i64)> {
        let column = if self.name == "orders" { "id" } else { "order_id" };
        let order = self.columns.iter().position(|c| c == column)?;
        match (&row[0], &row[order]) {
            (Value::Integer(store), Value::Integer(order)) => Some((*store, *order)),
            _ => None,
        }
    }

    fn cell<'r>(&self, row: &'r [Value], column: &str) -> &'r Value {
        &row[self.columns.iter().position(|c| c == column).unwrap()]
    }
}

/// A number one more and one less, a packed column with one number or flag changed, a derived text changed.
fn changes(value: &Value, derived: bool) -> Vec<(String, Value)> {
    match value {
        Value::Integer(number) => [1, -1].map(|by| (String::new(), Value::Integer(number + by))).to_vec(),
        Value::Text(text) if derived => vec![(String::new(), Value::Text(format!("{text}x")))],
        Value::Text(text) => match serde_json::from_str::<Json>(text) {
            Ok(json) if json.is_array() || json.is_object() => {
                let mut paths = Vec::new();
                leaves(&json, String::new(), &mut paths);
                let changed = paths.into_iter().map(|(path, leaf)| {
                    let mut json = json.clone();
                    *json.pointer_mut(&path).unwrap() = leaf;
                    (path.replace('/', "."), Value::Text(json.to_string()))
                });
                changed.collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Every number and flag inside a packed column, with what it is changed to.
fn leaves(json: &Json, path: String, found: &mut Vec<(String, Json)>) {
    match json {
        Json::Number(number) => {
            let number = number.as_i64().unwrap();
            found.push((path.clone(), Json::from(number + 1)));
            found.push((path, Json::from(number - 1)));
        }
        Json::Bool(flag) => found.push((path, Json::Bool(!flag))),
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, format!("{path}/{index}"), found);
            }
        }
        Json::Object(fields) => {
            for (name, field) in fields {
                leaves(field, format!("{path}/{name}"), found);
            }
        }
        Json::Null | Json::String(_) => {}
    }
}

impl Plant {
    fn is_at(&self, place: &str) -> bool {
        let (here, there) = (self.place.split('.'), place.split('.'));
        here.clone().count() == there.clone().count()
            && here.zip(there).all(|(here, there)| there == "*" || here == there)
    }
}
