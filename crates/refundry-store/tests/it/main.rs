//! The store on real files and a real server: what every database behind the seam has to keep.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop a test, like the tests themselves")]

/// Runs each of the named tests on both databases. A test that is not named is dead code, which is an error.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name($crate::Backend::Sqlite);
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                super::$name($crate::Backend::Postgres);
            })+
        }
    };
}

mod file;
mod lane;
mod schema;
mod server;
mod store;
mod tables;

use refundry_store::{DatabaseUrl, Options, Store, StoreError, Tx};
use refundry_test_postgres::{Database, fresh_database, shared_url};
use tempfile::TempDir;

/// The time in these tests, which never read a clock.
const NOW_MS: i64 = 1_700_000_000_000;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// An open database of its own, with a table `pairs` to play with.
struct Scratch {
    store: Store,
    // After the store, so that it is closed before it is removed.
    place: Place,
}

enum Place {
    Folder(TempDir),
    Server(Database),
}

impl Place {
    fn new(on: Backend) -> Place {
        match on {
            Backend::Sqlite => Place::Folder(tempfile::tempdir().unwrap()),
            Backend::Postgres => Place::Server(fresh_database(&shared_url()).unwrap()),
        }
    }

    fn options(&self) -> Options {
        match self {
            Place::Folder(folder) => Options::file(folder.path().join("store.db"), NOW_MS),
            Place::Server(database) => Options::server(DatabaseUrl::new(database.url()), NOW_MS),
        }
    }
}

impl Scratch {
    fn new(on: Backend) -> Scratch {
        Scratch::with(on, |_| {})
    }

    fn with(on: Backend, change: impl FnOnce(&mut Options)) -> Scratch {
        let place = Place::new(on);
        let mut options = place.options();
        change(&mut options);
        let store = Store::open(&options).unwrap();
        store
            .write(|tx| tx.execute("CREATE TABLE pairs (id BIGINT CONSTRAINT pairs_id PRIMARY KEY, text TEXT)", &[]))
            .unwrap();
        Scratch { store, place }
    }

    fn options(&self) -> Options {
        self.place.options()
    }

    /// The folder of a test that only makes sense on a file.
    fn folder(&self) -> &std::path::Path {
        match &self.place {
            Place::Folder(folder) => folder.path(),
            Place::Server(_) => panic!("a server has no folder"),
        }
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
