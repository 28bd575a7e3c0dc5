//! Migrations: from nothing, at the same time, and the schemas that are refused.

use std::sync::Barrier;
use std::thread;

use refundry_store::{Options, SchemaProblem, Store, StoreError};

use crate::{Backend, NOW_MS, Place, Scratch};

on_both!(
    several_may_open_a_new_database_at_once,
    a_database_of_another_program_is_refused,
    an_empty_database_gets_every_migration_once,
    a_schema_from_the_future_is_refused,
    a_schema_made_by_another_text_is_refused,
);

fn an_empty_database_gets_every_migration_once(on: Backend) {
    let scratch = Scratch::new(on);
    let again = Store::open(&Options { now_ms: NOW_MS + 1, ..scratch.options() }).unwrap();
    let sql = "SELECT version, name, applied_ms FROM schema_migrations ORDER BY version";
    let applied = again.read(|tx| tx.query(sql, &[], |row| Ok((row.int(0)?, row.string(1)?, row.int(2)?)))).unwrap();
    assert_eq!(applied[0], (1, "start".to_owned(), NOW_MS));
    for (place, (version, _, applied_ms)) in (1..).zip(&applied) {
        assert_eq!((*version, *applied_ms), (place, NOW_MS));
    }
}

fn several_may_open_a_new_database_at_once(on: Backend) {
    let place = Place::new(on);
    let options = match &place {
        Place::Folder(folder) => Options::file(folder.path().join("deep/down/store.db"), NOW_MS),
        Place::Server(_) => place.options(),
    };
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

fn a_schema_from_the_future_is_refused(on: Backend) {
    let refused = reopened_after(
        on,
        "INSERT INTO schema_migrations (version, name, checksum, applied_ms) VALUES (9999, 'later', '', 0)",
    );
    assert!(matches!(refused, SchemaProblem::FromTheFuture { found: 9999, known } if known < 9999), "{refused:?}");
}

fn a_schema_made_by_another_text_is_refused(on: Backend) {
    let refused = reopened_after(on, "UPDATE schema_migrations SET checksum = 'edited' WHERE version = 1");
    assert_eq!(refused, SchemaProblem::Differs { version: 1 });
}

fn a_database_of_another_program_is_refused(on: Backend) {
    // Tables without the one that says whose they are.
    let refused = reopened_after(on, "DROP TABLE schema_migrations");
    assert_eq!(refused, SchemaProblem::NotOurs { table: "balances".to_owned() });
}

#[track_caller]
fn reopened_after(on: Backend, change: &str) -> SchemaProblem {
    let scratch = Scratch::new(on);
    scratch.store.write(|tx| tx.execute(change, &[])).unwrap();
    match Store::open(&scratch.options()).err() {
        Some(StoreError::Schema(problem)) => problem,
        other => panic!("opened, or refused for another reason: {other:?}"),
    }
}
