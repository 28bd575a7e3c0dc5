//! The store on real files: what every database behind the seam has to keep.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop a test, like the tests themselves")]

mod lane;
mod schema;
mod store;
mod tables;

use refundry_store::{Options, Store, StoreError, Tx};
use tempfile::TempDir;

/// The time in these tests, which never read a clock.
const NOW_MS: i64 = 1_700_000_000_000;

/// An open database in a folder of its own, with a table `pairs` to play with.
struct Scratch {
    store: Store,
    // After the store, so that the files close before they are removed.
    folder: TempDir,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::file(folder.path().join("store.db"), NOW_MS);
        change(&mut options);
        let store = Store::open(&options).unwrap();
        store.write(|tx| tx.execute("CREATE TABLE pairs (id BIGINT PRIMARY KEY, text TEXT)", &[])).unwrap();
        Scratch { store, folder }
    }

    fn options(&self) -> Options {
        Options::file(self.folder.path().join("store.db"), NOW_MS)
    }
}

fn insert_pair(tx: &mut Tx<'_>, id: i64) -> Result<(), StoreError> {
    tx.execute("INSERT INTO pairs (id, text) VALUES (?1, ?2)", &[id.into(), "x".into()])?;
    Ok(())
}

fn count_pairs(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let count = tx.query_one("SELECT COUNT(*) FROM pairs", &[], |row| row.int(0))?;
    Ok(count.unwrap_or(0))
}

fn pair_ids(store: &Store) -> Vec<i64> {
    store.read(|tx| tx.query("SELECT id FROM pairs ORDER BY id", &[], |row| row.int(0))).unwrap()
}
