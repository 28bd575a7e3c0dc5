//! What only a file has: other programs' files, a log, and one writer.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use refundry_store::{Options, SchemaProblem, Store, StoreError};

use crate::{Backend, NOW_MS, Scratch, count_pairs, insert_pair, pair_ids};

#[test]
fn a_file_that_is_no_database_is_corrupt_and_a_place_that_cannot_be_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    fs::write(&file, "Dear customer, ".repeat(100)).unwrap();
    let error = Store::open(&Options::file(&file, NOW_MS)).err();
    assert!(matches!(error, Some(StoreError::Corrupt { .. })), "{error:?}");
    assert!(fs::read_to_string(&file).unwrap().starts_with("Dear"));

    let error = Store::open(&Options::file(file.join("below/store.db"), NOW_MS)).err();
    assert!(matches!(error, Some(StoreError::Unavailable { .. })), "{error:?}");
}

#[test]
fn everything_is_there_after_reopening() {
    let scratch = Scratch::new(Backend::Sqlite);
    for id in 0..100 {
        scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
    }
    let log = scratch.folder().join("store.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    let options = scratch.options();
    let Scratch { store, place } = scratch;
    drop(store);
    assert!(!log.exists(), "the last to close empties the log");

    let store = Store::open(&options).unwrap();
    assert_eq!(pair_ids(&store), (0..100).collect::<Vec<_>>());
    drop((store, place));
}

#[test]
fn a_copy_taken_while_running_recovers_from_its_log() {
    let scratch = Scratch::new(Backend::Sqlite);
    for id in 0..50 {
        scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
    }
    // What is on disk when the power fails: the files as they are, without the shared memory.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(scratch.folder().join(name), crashed.path().join(name)).unwrap();
    }
    let store = Store::open(&Options::file(crashed.path().join("store.db"), NOW_MS)).unwrap();
    assert_eq!(pair_ids(&store), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_writer_who_never_lets_go_is_reported_as_busy() {
    let scratch = Scratch::new(Backend::Sqlite);
    let other = Store::open(&Options { busy: Duration::from_millis(20), ..scratch.options() }).unwrap();
    let result = scratch.store.write(|tx| {
        insert_pair(tx, 1)?;
        Ok(other.write(|tx| insert_pair(tx, 2)))
    });
    assert_eq!(result, Ok(Err(StoreError::Busy)));
    assert_eq!(pair_ids(&other), [1]);
}

#[test]
fn the_log_stays_short_under_many_small_commits() {
    let scratch = Scratch::with(Backend::Sqlite, |options| {
        options.checkpoint_pages = 100;
        options.restart_pages = 400;
    });
    let store = &scratch.store;
    let log = scratch.folder().join("store.db-wal");
    let mut longest = 0;
    for round in 0..200_i64 {
        let write = |ids: std::ops::Range<i64>| {
            ids.into_iter().try_for_each(|id| store.write(|tx| insert_pair(tx, round * 100 + id)))
        };
        // A reader now and then, whose snapshot keeps the log from starting over for half a round.
        store
            .read(|tx| {
                let before = count_pairs(tx)?;
                write(0..50)?;
                assert_eq!(count_pairs(tx)?, before);
                Ok(())
            })
            .unwrap();
        write(50..100).unwrap();
        longest = longest.max(fs::metadata(&log).unwrap().len());
    }
    assert_eq!(store.read(count_pairs), Ok(20_000));
    // Without checkpoints these commits leave 170 MB; with them, about 4.
    assert!(longest < 16_000_000, "the log grew to {longest} bytes: {:?}", store.log_stats());
    assert!(store.log_stats().unwrap().checkpoints.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let refused = Store::open(&Options::file(&path, NOW_MS)).err();
    let problem = SchemaProblem::NotOurs { table: "recipes".to_owned() };
    assert_eq!(refused, Some(StoreError::Schema(problem)));
    assert_eq!(fs::read(&path).unwrap(), before);
}
