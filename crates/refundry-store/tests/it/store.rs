//! Transactions, errors, snapshots, and the length of the write-ahead log.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use refundry_store::{Options, Store, StoreError, Value};

use crate::{NOW_MS, Scratch, count_pairs, insert_pair, pair_ids};

#[test]
fn an_error_rolls_back() {
    let scratch = Scratch::new();
    let result: Result<(), StoreError> = scratch.store.write(|tx| {
        insert_pair(tx, 1)?;
        Err(StoreError::defect("changed my mind"))
    });
    assert_eq!(result, Err(StoreError::defect("changed my mind")));
    assert!(pair_ids(&scratch.store).is_empty());
}

#[test]
fn a_panic_rolls_back_and_the_store_goes_on() {
    let scratch = Scratch::new();
    for store in [&scratch.store, &in_memory()] {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            store.write::<()>(|tx| {
                insert_pair(tx, 1)?;
                panic!("in the middle of a write");
            })
        }));
        assert!(panic.is_err());
        let panic = catch_unwind(AssertUnwindSafe(|| store.read::<()>(|_| panic!("in a read"))));
        assert!(panic.is_err());
        store.write(|tx| insert_pair(tx, 2)).unwrap();
        assert_eq!(pair_ids(store), [2]);
    }
}

#[test]
fn a_transaction_that_must_start_over_is_run_again_but_not_for_ever() {
    let scratch = Scratch::new();
    let mut runs = 0;
    let result = scratch.store.write(|tx| {
        runs += 1;
        insert_pair(tx, 1)?;
        if runs < 5 { Err(StoreError::Busy) } else { Ok(runs) }
    });
    assert_eq!(result, Ok(5));
    assert_eq!(pair_ids(&scratch.store), [1]);

    let mut runs = 0;
    let result: Result<(), StoreError> = scratch.store.write(|_| {
        runs += 1;
        Err(StoreError::Busy)
    });
    assert_eq!((result, runs), (Err(StoreError::Busy), 5));
}

#[test]
fn values_come_back_as_they_went_in() {
    let scratch = Scratch::new();
    let rows: [[Value<'_>; 2]; 4] = [
        [i64::MIN.into(), "".into()],
        [i64::MAX.into(), Value::Null],
        [0.into(), "zwölf € \u{0} {lock}".into()],
        [1.into(), String::from("owned").into()],
    ];
    let inserted = scratch.store.write(|tx| tx.execute_many("INSERT INTO pairs (id, text) VALUES (?1, ?2)", &rows));
    assert_eq!(inserted, Ok(4));
    let read = scratch.store.read(|tx| {
        let sql = "SELECT id, text FROM pairs ORDER BY id {lock} {skip_locked}";
        tx.query(sql, &[], |row| Ok((row.int(0)?, row.opt_string(1)?)))
    });
    let text = |text: &str| Some(text.to_owned());
    let expected = [(i64::MIN, text("")), (0, text("zwölf € \u{0} {lock}")), (1, text("owned")), (i64::MAX, None)];
    assert_eq!(read.unwrap(), expected);
}

#[test]
fn errors_say_what_to_do_next() {
    let scratch = Scratch::new();
    let store = &scratch.store;
    store.write(|tx| insert_pair(tx, 1)).unwrap();
    let conflict = StoreError::Conflict { constraint: "pairs_id".to_owned() };
    assert_eq!(store.write(|tx| insert_pair(tx, 1)), Err(conflict));

    let defects = [
        store.write(|tx| tx.execute("SELEKT 1", &[])).unwrap_err(),
        store.write(|tx| tx.execute("DELETE FROM pairs WHERE id = ?1", &[])).unwrap_err(),
        store.read(|tx| insert_pair(tx, 2)).unwrap_err(),
        in_memory().read(|tx| insert_pair(tx, 2)).unwrap_err(),
        store.read(|tx| tx.query("SELECT text FROM pairs", &[], |row| row.int(0))).unwrap_err(),
        store.read(|tx| tx.query("SELECT NULL", &[], |row| row.string(0))).unwrap_err(),
        store.read(|tx| tx.query("SELECT 1", &[], |row| row.int(1))).unwrap_err(),
        store.read(|tx| tx.query_one("SELECT 1 UNION SELECT 2", &[], |row| row.int(0))).unwrap_err(),
        store
            .write(|tx| {
                tx.execute("CREATE TABLE checked (n BIGINT CHECK (n >= 0))", &[])?;
                tx.execute("INSERT INTO checked (n) VALUES (-1)", &[])
            })
            .unwrap_err(),
    ];
    for error in defects {
        assert!(matches!(error, StoreError::Defect { .. }), "{error:?}");
    }
    assert_eq!(pair_ids(store), [1]);
}

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
fn a_read_sees_one_snapshot() {
    let scratch = Scratch::new();
    let store = &scratch.store;
    store.write(|tx| insert_pair(tx, 1)).unwrap();
    let counts = store.read(|tx| {
        let before = count_pairs(tx)?;
        store.write(|tx| insert_pair(tx, 2))?;
        Ok((before, count_pairs(tx)?))
    });
    assert_eq!(counts, Ok((1, 1)));
    assert_eq!(pair_ids(store), [1, 2]);
}

#[test]
fn readers_are_bounded() {
    let scratch = Scratch::with(|options| {
        options.readers_max = 2;
        options.busy = Duration::from_millis(20);
    });
    let store = &scratch.store;
    let third = store.read(|_| store.read(|_| Ok(store.read(count_pairs))));
    assert_eq!(third, Ok(Err(StoreError::Busy)));

    // Beyond the pool, readers queue: sixteen threads share two connections.
    let scratch = Scratch::with(|options| options.readers_max = 2);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(scratch.store.read(count_pairs), Ok(0)));
        }
    });
}

#[test]
fn everything_is_there_after_reopening() {
    let scratch = Scratch::new();
    for id in 0..100 {
        scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
    }
    let log = scratch.folder.path().join("store.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    let options = scratch.options();
    let Scratch { store, folder } = scratch;
    drop(store);
    assert!(!log.exists(), "the last to close empties the log");

    let store = Store::open(&options).unwrap();
    assert_eq!(pair_ids(&store), (0..100).collect::<Vec<_>>());
    drop((store, folder));
}

#[test]
fn a_copy_taken_while_running_recovers_from_its_log() {
    let scratch = Scratch::new();
    for id in 0..50 {
        scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
    }
    // What is on disk when the power fails: the files as they are, without the shared memory.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        fs::copy(scratch.folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let store = Store::open(&Options::file(crashed.path().join("store.db"), NOW_MS)).unwrap();
    assert_eq!(pair_ids(&store), (0..50).collect::<Vec<_>>());
}

#[test]
fn two_handles_write_the_same_file_side_by_side() {
    let scratch = Scratch::new();
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for half in 0..2 {
            let (start, options) = (&start, scratch.options());
            scope.spawn(move || {
                let store = Store::open(&options).unwrap();
                start.wait();
                for number in 0..100 {
                    store.write(|tx| insert_pair(tx, half * 100 + number)).unwrap();
                }
            });
        }
    });
    assert_eq!(pair_ids(&scratch.store), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_writer_who_never_lets_go_is_reported_as_busy() {
    let scratch = Scratch::new();
    let other = Store::open(&Options { busy: Duration::from_millis(20), ..scratch.options() }).unwrap();
    let result = scratch.store.write(|tx| {
        insert_pair(tx, 1)?;
        Ok(other.write(|tx| insert_pair(tx, 2)))
    });
    assert_eq!(result, Ok(Err(StoreError::Busy)));
    assert_eq!(pair_ids(&other), [1]);
}

#[test]
fn a_writer_beside_a_busy_one_gets_its_turn() {
    let scratch = Scratch::new();
    let beside = Store::open(&scratch.options()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut id = 1_000;
            while !done.load(Ordering::Relaxed) {
                scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
                id += 1;
            }
        });
        // In the same process and, through a handle of its own, as another process would.
        for id in 0..20 {
            scratch.store.write(|tx| insert_pair(tx, id)).unwrap();
            beside.write(|tx| insert_pair(tx, 100 + id)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_log_stays_short_under_many_small_commits() {
    let scratch = Scratch::with(|options| {
        options.checkpoint_pages = 100;
        options.restart_pages = 400;
    });
    let store = &scratch.store;
    let log = scratch.folder.path().join("store.db-wal");
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

fn in_memory() -> Store {
    let store = Store::open(&Options::memory(NOW_MS)).unwrap();
    let table = "CREATE TABLE pairs (id BIGINT PRIMARY KEY, text TEXT)";
    store.write(|tx| tx.execute(table, &[])).unwrap();
    store
}
