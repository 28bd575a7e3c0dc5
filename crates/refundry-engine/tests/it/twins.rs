//! The same random business on both databases leaves the same rows, column by column.

use std::collections::BTreeMap;

use refundry_store::{Options, Store, StoreError};

use crate::books::{fill, random_business};
use crate::shop::{Backend, NOW_MS, Shop};

/// Columns that name a process, which is another one each time.
const NAMES_OF_PROCESSES: [(&str, &str); 2] = [("outbox", "holder"), ("nodes", "holder")];

/// Every row of every table, as sorted lines of text.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

#[test]
fn the_same_commands_leave_the_same_rows() {
    let (mut sqlite, mut postgres) = (Shop::new(Backend::Sqlite), Shop::new(Backend::Postgres));
    let columns = columns();
    for seed in [1, 2, 3] {
        for shop in [&mut sqlite, &mut postgres] {
            // It names its orders alike each time, so each time needs a store of its own.
            shop.tenant = shop.add_store(&format!("shop-{seed}"));
            random_business(shop, seed);
        }
    }
    for shop in [&sqlite, &postgres] {
        fill(shop);
    }
    let (ours, theirs) = (dump(sqlite.engine.store(), &columns), dump(postgres.engine.store(), &columns));
    assert!(ours["refunds"].len() > 300 && ours["journal"].len() > 600, "there was business");
    for (table, rows) in &ours {
        for (row, twin) in rows.iter().zip(&theirs[table]) {
            assert_eq!(row, twin, "a row of {table}");
        }
        assert_eq!(rows.len(), theirs[table].len(), "rows of {table}");
    }
}

/// The columns of every table, as a new schema has them.
pub(crate) fn columns() -> BTreeMap<String, Vec<String>> {
    let store = Store::open(&Options::memory(NOW_MS)).unwrap();
    let sql = "
        SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.type = 'table' ORDER BY m.name, c.cid";
    let all = store.read(|tx| tx.query(sql, &[], |row| Ok((row.string(0)?, row.string(1)?)))).unwrap();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column) in all {
        if !NAMES_OF_PROCESSES.contains(&(table.as_str(), column.as_str())) {
            columns.entry(table).or_default().push(column);
        }
    }
    columns
}

pub(crate) fn dump(store: &Store, columns: &BTreeMap<String, Vec<String>>) -> Dump {
    let mut dump = Dump::new();
    for (table, columns) in columns {
        let casts: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
        let sql = format!("SELECT {} FROM {table}", casts.join(", "));
        let rows = store.read(|tx| {
            tx.query(&sql, &[], |row| {
                let values = (0..columns.len()).map(|column| Ok(format!("{:?}", row.opt_string(column)?)));
                Ok(values.collect::<Result<Vec<_>, StoreError>>()?.join("|"))
            })
        });
        let mut rows = rows.unwrap();
        rows.sort();
        dump.insert(table.clone(), rows);
    }
    dump
}
