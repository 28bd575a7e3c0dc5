//! Brings the schema up to date: numbered files, forward only, each in one transaction.
//!
//! A migration that has shipped never changes; a checksum of its text is kept with it, so that an edited file is
//! noticed before it does harm. There is no way back: old and new servers overlap for a while, so a change is expanded,
//! moved and contracted in three releases. Adding one: the file, and a line in [`MIGRATIONS`].

use crate::{SchemaProblem, StoreError, Tx, orders, refunds};

/// Every migration, oldest first; versions count from 1 without gaps.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "start", sql: include_str!("../migrations/0001_start.sql"), then: None },
    Migration { version: 2, name: "refunds", sql: include_str!("../migrations/0002_refunds.sql"), then: None },
    Migration { version: 3, name: "lists", sql: include_str!("../migrations/0003_lists.sql"), then: None },
    Migration {
        version: 4,
        name: "payouts",
        sql: include_str!("../migrations/0004_payouts.sql"),
        then: Some(|tx| orders::index_payments(tx).and_then(|()| refunds::adopt_parked(tx))),
    },
    Migration { version: 5, name: "series", sql: include_str!("../migrations/0005_series.sql"), then: None },
    Migration { version: 6, name: "parcels", sql: include_str!("../migrations/0006_parcels.sql"), then: None },
    Migration { version: 7, name: "stock", sql: include_str!("../migrations/0007_stock.sql"), then: None },
    Migration {
        version: 8,
        name: "cases",
        sql: include_str!("../migrations/0008_cases.sql"),
        then: Some(refunds::note_untouched),
    },
    Migration { version: 9, name: "hooks", sql: include_str!("../migrations/0009_hooks.sql"), then: None },
    Migration {
        version: 10,
        name: "shop",
        sql: include_str!("../migrations/0010_shop.sql"),
        then: Some(orders::index_orders),
    },
    Migration { version: 11, name: "days", sql: include_str!("../migrations/0011_days.sql"), then: None },
    Migration {
        version: 12,
        name: "closed",
        sql: include_str!("../migrations/0012_closed.sql"),
        then: Some(orders::note_closed),
    },
    Migration { version: 13, name: "sold", sql: include_str!("../migrations/0013_sold.sql"), then: None },
    Migration { version: 14, name: "returns", sql: include_str!("../migrations/0014_returns.sql"), then: None },
    Migration { version: 15, name: "told", sql: include_str!("../migrations/0015_told.sql"), then: None },
];

/// A part of a migration that is no SQL.
type Work = fn(&mut Tx<'_>) -> Result<(), StoreError>;

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    /// What the texts alone cannot say, because it is inside a packed column.
    then: Option<Work>,
}

/// Whether a migration is to be applied. Refuses a database that is not ours, newer than we are, or migrated by other
/// texts than ours; changes nothing.
pub(crate) fn is_pending(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    Ok(next(tx)?.is_some())
}

/// The newest migration that was applied; 0 before the first.
pub(crate) fn version(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_one(VERSION, &[], |row| row.opt_int(0))?.flatten().unwrap_or(0))
}

/// Applies the next migration, unless another process, which may be starting at the same time, just did.
pub(crate) fn step(tx: &mut Tx<'_>, now_ms: i64) -> Result<(), StoreError> {
    tx.lock_schema()?;
    let Some(migration) = next(tx)? else {
        return Ok(());
    };
    tx.execute(CREATE, &[])?;
    for statement in statements(migration.sql) {
        tx.execute(&statement, &[])?;
    }
    if let Some(then) = migration.then {
        then(tx)?;
    }
    let checksum = checksum(migration.sql);
    tx.execute(INSERT, &[migration.version.into(), migration.name.into(), checksum.into(), now_ms.into()])?;
    Ok(())
}

const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version BIGINT PRIMARY KEY,
        name TEXT NOT NULL,
        checksum TEXT NOT NULL,
        applied_ms BIGINT NOT NULL
    )";
const INSERT: &str = "INSERT INTO schema_migrations (version, name, checksum, applied_ms) VALUES (?1, ?2, ?3, ?4)";
const VERSION: &str = "SELECT MAX(version) FROM schema_migrations";
const LIST: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";

/// The first migration that was not applied, after making sure that all applied ones are known.
fn next(tx: &mut Tx<'_>) -> Result<Option<&'static Migration>, StoreError> {
    let tables = tx.table_names()?;
    if !tables.iter().any(|table| table == "schema_migrations") {
        return match tables.into_iter().next() {
            Some(table) => Err(StoreError::Schema(SchemaProblem::NotOurs { table })),
            None => Ok(MIGRATIONS.first()),
        };
    }
    let applied = tx.query(LIST, &[], |row| Ok((row.int(0)?, row.string(1)?)))?;
    let known = MIGRATIONS.last().map_or(0, |migration| migration.version);
    if let Some(&(found, _)) = applied.last()
        && found > known
    {
        return Err(StoreError::Schema(SchemaProblem::FromTheFuture { found, known }));
    }
    for (migration, (version, sum)) in MIGRATIONS.iter().zip(&applied) {
        if migration.version != *version || checksum(migration.sql) != *sum {
            return Err(StoreError::Schema(SchemaProblem::Differs { version: *version }));
        }
    }
    Ok(MIGRATIONS.get(applied.len()))
}

/// The statements of a file: comment lines dropped, split where a line ends with a semicolon.
fn statements(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let line = line.trim_end();
        current.push_str(line.strip_suffix(';').unwrap_or(line));
        current.push('\n');
        if line.ends_with(';') {
            statements.push(std::mem::take(&mut current));
        }
    }
    assert!(current.trim().is_empty(), "a migration ends with a semicolon, not with: {current}");
    statements
}

/// FNV-1a: it guards against slips of the hand, not against malice, so nothing stronger is needed.
fn checksum(sql: &str) -> String {
    let hash = sql
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}
