//! Transactions, errors, snapshots, and the length of the write-ahead log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use refundry_store::{Options, Store, StoreError, Value};

use crate::{Backend, NOW_MS, Scratch, count_pairs, insert_pair, pair_ids};

on_both!(
    an_error_rolls_back,
    a_panic_rolls_back_and_the_store_goes_on,
    a_transaction_that_must_start_over_is_run_again_but_not_for_ever,
    values_come_back_as_they_went_in,
    errors_say_what_to_do_next,
    a_read_sees_one_snapshot,
    readers_are_bounded,
    two_handles_write_the_same_file_side_by_side,
    a_writer_beside_a_busy_one_gets_its_turn,
);

fn an_error_rolls_back(on: Backend) {
    let scratch = Scratch::new(on);
    let result: Result<(), StoreError> = scratch.store.write(|tx| {
        insert_pair(tx, 1)?;
        Err(StoreError::defect("changed my mind"))
    });
    assert_eq!(result, Err(StoreError::defect("changed my mind")));
    assert!(pair_ids(&scratch.store).is_empty());
}

fn a_panic_rolls_back_and_the_store_goes_on(on: Backend) {
    let scratch = Scratch::new(on);
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

fn a_transaction_that_must_start_over_is_run_again_but_not_for_ever(on: Backend) {
    let scratch = Scratch::new(on);
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

fn values_come_back_as_they_went_in(on: Backend) {
    let scratch = Scratch::new(on);
    let rows: [[Value<'_>; 2]; 4] = [
        [i64::MIN.into(), "".into()],
        [i64::MAX.into(), Value::Null],
        [0.into(), "zwölf € \u{0} {lock}".into()],
        [1.into(), String::from("owned").into()],
    ];
    let inserted = scratch.store.write(|tx| tx.execute_many("INSERT INTO pairs (id, text) VALUES (?1, ?2)", &rows));
    assert_eq!(inserted, Ok(4));
    let read = scratch.store.write(|tx| {
        let sql = "SELECT id, text FROM pairs ORDER BY id {lock}";
        tx.query(sql, &[], |row| Ok((row.int(0)?, row.opt_string(1)?)))
    });
    let text = |text: &str| Some(text.to_owned());
    let expected = [(i64::MIN, text("")), (0, text("zwölf € \u{0} {lock}")), (1, text("owned")), (i64::MAX, None)];
    assert_eq!(read.unwrap(), expected);
}

fn errors_say_what_to_do_next(on: Backend) {
    let scratch = Scratch::new(on);
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

fn a_read_sees_one_snapshot(on: Backend) {
    let scratch = Scratch::new(on);
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

fn readers_are_bounded(on: Backend) {
    let scratch = Scratch::with(on, |options| {
        options.readers_max = 2;
        options.busy = Duration::from_millis(20);
    });
    let store = &scratch.store;
    let third = store.read(|_| store.read(|_| Ok(store.read(count_pairs))));
    assert_eq!(third, Ok(Err(StoreError::Busy)));

    // Beyond the pool, readers queue: sixteen threads share two connections.
    let scratch = Scratch::with(on, |options| options.readers_max = 2);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(scratch.store.read(count_pairs), Ok(0)));
        }
    });
}

fn two_handles_write_the_same_file_side_by_side(on: Backend) {
    let scratch = Scratch::new(on);
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

fn a_writer_beside_a_busy_one_gets_its_turn(on: Backend) {
    let scratch = Scratch::new(on);
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

fn in_memory() -> Store {
    let store = Store::open(&Options::memory(NOW_MS)).unwrap();
    let table = "CREATE TABLE pairs (id BIGINT PRIMARY KEY, text TEXT)";
    store.write(|tx| tx.execute(table, &[])).unwrap();
    store
}
