//! Migrations: from nothing, at the same time, and the schemas that are refused.

use std::sync::Barrier;
use std::thread;

use refundry_store::{Options, SchemaProblem, Store, StoreError};

use crate::{NOW_MS, Scratch};

#[test]
fn an_empty_database_gets_every_migration_once() {
    let scratch = Scratch::new();
    let again = Store::open(&Options { now_ms: NOW_MS + 1, ..scratch.options() }).unwrap();
    let sql = "SELECT version, name, applied_ms FROM schema_migrations ORDER BY version";
    let applied = again.read(|tx| tx.query(sql, &[], |row| Ok((row.int(0)?, row.string(1)?, row.int(2)?)))).unwrap();
    assert_eq!(applied[0], (1, "start".to_owned(), NOW_MS));
    for (place, (version, _, applied_ms)) in (1..).zip(&applied) {
        assert_eq!((*version, *applied_ms), (place, NOW_MS));
    }
}

#[test]
fn several_may_open_a_new_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::file(folder.path().join("deep/down/store.db"), NOW_MS);
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                Store::open(&options).unwrap();
            });
        }
    });
}

#[test]
fn a_schema_from_the_future_is_refused() {
    let refused = reopened_after(
        "INSERT INTO schema_migrations (version, name, checksum, applied_ms) VALUES (9999, 'later', '', 0)",
    );
    assert!(matches!(refused, SchemaProblem::FromTheFuture { found: 9999, known } if known < 9999), "{refused:?}");
}

#[test]
fn a_schema_made_by_another_text_is_refused() {
    let refused = reopened_after("UPDATE schema_migrations SET checksum = 'edited' WHERE version = 1");
    assert_eq!(refused, SchemaProblem::Differs { version: 1 });
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let refused = Store::open(&Options::file(&path, NOW_MS)).err();
    let problem = SchemaProblem::NotOurs { table: "recipes".to_owned() };
    assert_eq!(refused, Some(StoreError::Schema(problem)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[track_caller]
fn reopened_after(change: &str) -> SchemaProblem {
    let scratch = Scratch::new();
    scratch.store.write(|tx| tx.execute(change, &[])).unwrap();
    match Store::open(&scratch.options()).err() {
        Some(StoreError::Schema(problem)) => problem,
        other => panic!("opened, or refused for another reason: {other:?}"),
    }
}
