//! Everything Refundry remembers: one SQL text, kept today in one `SQLite` file.
//!
//! This crate opens the database, runs transactions, and owns every SQL statement, one file per table. It is
//! synchronous: a transaction is a plain function on a plain thread that runs to its end without suspending. It must
//! never decide whether a refund is allowed, never read the clock and never make an id: rules live in `refundry-core`,
//! time and ids are passed in.
//!
//! Reading order: [`Store`] here, then [`Tx`] (the only code that knows which database it is), then [`Lane`] (group
//! commit, which is where the speed comes from), then any table, for instance [`stores`].

pub mod audit;
mod checkpoint;
mod codec;
mod error;
mod filter;
pub mod journal;
pub mod keys;
mod lane;
mod migrate;
pub mod nodes;
pub mod orders;
pub mod outbox;
pub mod refunds;
mod sqlite;
pub mod stores;
pub mod tokens;
mod tx;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use checkpoint::LogStats;
pub use error::{SchemaProblem, StoreError};
pub use lane::{Batch, Lane, LaneError, LaneOptions, LaneStats, QueueFull, Reply};
pub use tx::{Row, Tx, Value};

/// The database: cheap to clone, shared by every thread. It closes when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    database: Arc<sqlite::Database>,
}

impl Store {
    /// Opens the database, making folder and file if they are missing, and brings the schema up to date.
    ///
    /// A file that some other program made, or a newer Refundry, is refused before anything in it is changed.
    pub fn open(options: &Options) -> Result<Store, StoreError> {
        let database = Arc::new(sqlite::Database::open(options)?);
        let store = Store { database };
        // Looking first spares whoever only wants to read from waiting for its turn to write.
        while store.read(migrate::is_pending)? {
            store.write(|tx| migrate::step(tx, options.now_ms))?;
        }
        Ok(store)
    }

    /// Runs `work` in a read transaction: from its first statement on it sees one snapshot, whatever others commit.
    ///
    /// It never waits for writers. It waits for a connection when all are in use, and gives up as
    /// [`StoreError::Busy`] after [`Options::busy`]. Do not call `read` inside `read`: with the pool exhausted the
    /// inner call would wait for its own caller.
    pub fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.read(work)
    }

    /// Runs `work` in a write transaction that nobody else writes beside, and commits it if `work` returns `Ok`.
    ///
    /// An `Err` or a panic rolls everything back. `work` may be called again from the start when the database asks for
    /// it (a serialization failure), so it must not count on running once. Never call `write` inside `write`: there is
    /// one writer, and it would wait for itself.
    pub fn write<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.write(work)
    }

    /// Size and upkeep of the write-ahead log, for the metrics page. All zero on an in-memory database.
    pub fn log_stats(&self) -> &LogStats {
        self.database.log_stats()
    }
}

/// Where the database is and how it is kept. [`Options::file`] gives the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file; `None` keeps everything in memory, on one connection, for simulations.
    pub path: Option<PathBuf>,
    /// The time now, in epoch milliseconds: written beside each migration that is applied.
    pub now_ms: i64,
    /// How long to wait for another writer, or for a free reading connection, before [`StoreError::Busy`].
    pub busy: Duration,
    /// Most reading connections open at once; each costs up to its page cache of memory.
    pub readers_max: usize,
    /// The log is copied into the database file each time it grew by this many pages.
    pub checkpoint_pages: u32,
    /// From this many pages on the log is also made to start over, which holds the writer up for a moment. Without it,
    /// a writer that never pauses would let the log grow for ever.
    pub restart_pages: u32,
}

impl Options {
    /// A database in a file.
    pub fn file(path: impl Into<PathBuf>, now_ms: i64) -> Options {
        Options { path: Some(path.into()), ..Options::memory(now_ms) }
    }

    /// A database that vanishes with its [`Store`]: for simulations and tests of other crates.
    pub fn memory(now_ms: i64) -> Options {
        Options {
            path: None,
            now_ms,
            busy: Duration::from_secs(5),
            readers_max: 4,
            // 16 MiB: long enough that hot pages are copied once for many commits, short enough that one copy is quick.
            checkpoint_pages: 4_096,
            // 128 MiB: reached only when the writer did not pause for eight copies in a row.
            restart_pages: 32_768,
        }
    }
}

/// A number of ours as a parameter.
fn number(id: refundry_core::order::Id) -> Result<Value<'static>, StoreError> {
    let number = i64::try_from(id).map_err(|_| StoreError::defect("a number of ours has at most 18 digits"))?;
    Ok(Value::Int(number))
}
