//! Everything Refundry remembers: one SQL text, kept in one `SQLite` file or on a `PostgreSQL` server.
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
pub mod deliveries;
pub mod disputes;
mod durable;
mod error;
pub mod events;
pub mod evidence;
mod filter;
pub mod gateways;
pub mod inbox;
pub mod journal;
pub mod keys;
mod lane;
pub mod locations;
mod migrate;
pub mod nodes;
pub mod orders;
pub mod outbox;
pub mod parcels;
mod pool;
mod postgres;
mod recent;
pub mod refunds;
pub mod returns;
pub mod series;
pub mod signing;
mod sqlite;
pub mod stock;
pub mod stores;
pub mod subscriptions;
pub mod tokens;
pub mod transactions;
mod tx;
pub mod variants;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use checkpoint::LogStats;
pub use durable::Ticket;
pub use error::{SchemaProblem, StoreError};
pub use lane::{Batch, Herald, Lane, LaneError, LaneOptions, LaneStats, QueueFull, Reply};
pub use postgres::DatabaseUrl;
pub use recent::{Name, Recent};
pub use tx::{Row, Tx, Value};

/// How often a write starts over when the database asks for it.
const ATTEMPTS_MAX: u32 = 5;

/// The database: cheap to clone, shared by every thread. It closes when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    database: Arc<Database>,
    lanes: usize,
    distributed: bool,
}

enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Store {
    /// Opens the database, making folder and file if they are missing, and brings the schema up to date.
    ///
    /// A file that some other program made, or a newer Refundry, is refused before anything in it is changed.
    pub fn open(options: &Options) -> Result<Store, StoreError> {
        let store = Store::connect(options)?;
        // Looking first spares whoever only wants to read from waiting for its turn to write.
        while store.read(migrate::is_pending)? {
            store.write(|tx| migrate::step(tx, options.now_ms))?;
        }
        Ok(store)
    }

    fn connect(options: &Options) -> Result<Store, StoreError> {
        let (database, lanes) = match &options.place {
            Place::File(path) => (Database::Sqlite(sqlite::Database::open(Some(path), options)?), 1),
            Place::Memory => (Database::Sqlite(sqlite::Database::open(None, options)?), 1),
            Place::Server(url) => {
                // One writer more than there are lanes, for what is written beside them.
                let lanes = options.writers_max.saturating_sub(1).max(1);
                (Database::Postgres(postgres::Database::open(url, options)?), lanes)
            }
        };
        Ok(Store { database: Arc::new(database), lanes, distributed: options.distributed })
    }

    /// Whether a transaction should hold rows of one store only; see [`Options::distributed`].
    pub fn is_distributed(&self) -> bool {
        self.distributed
    }

    /// How many [`Lane`]s gain something here: one where there is one writer.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// The version of the newest migration that was applied.
    pub fn schema_version(&self) -> Result<i64, StoreError> {
        self.read(migrate::version)
    }

    /// Runs `work` in a read transaction: from its first statement on it sees one snapshot, whatever others commit.
    ///
    /// It never waits for writers. It waits for a connection when all are in use, and gives up as
    /// [`StoreError::Busy`] after [`Options::busy`]. Do not call `read` inside `read`: with the pool exhausted the
    /// inner call would wait for its own caller.
    pub fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.database {
            Database::Sqlite(database) => database.read(work),
            Database::Postgres(database) => database.read(work),
        }
    }

    /// Runs `work` in a write transaction, and commits it if `work` returns `Ok`. On `SQLite` nobody else writes beside
    /// it; on `PostgreSQL` others do, so what is decided on must be read with `{lock}`.
    ///
    /// An `Err` or a panic rolls everything back. `work` may be called again from the start when the database asks for
    /// it (a serialization failure, a lost connection), so it must not count on running once. Never call `write` inside
    /// `write`: on `SQLite` there is one writer, and it would wait for itself.
    pub fn write<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (done, ticket) = self.write_early(work)?;
        ticket.wait().map(|()| done)
    }

    /// Like [`Store::write`], but gives a ticket to wait with until the commit is durable. Nobody may be told of it
    /// before, and nothing done about it outside.
    pub fn write_early<T>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Ticket), StoreError> {
        match &*self.database {
            Database::Sqlite(database) => database.write(work),
            Database::Postgres(database) => database.write(work).map(|done| (done, Ticket::durable())),
        }
    }

    /// Size and upkeep of the write-ahead log of a file.
    pub fn log_stats(&self) -> Option<&LogStats> {
        match &*self.database {
            Database::Sqlite(database) => Some(database.log_stats()),
            Database::Postgres(_) => None,
        }
    }
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Everything in memory, on one connection: for simulations.
    Memory,
    /// In a file of the embedded database.
    File(PathBuf),
    /// On a `PostgreSQL` server.
    Server(DatabaseUrl),
}

/// Where the database is and how it is kept. [`Options::file`] gives the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub place: Place,
    /// The time now, in epoch milliseconds: written beside each migration that is applied.
    pub now_ms: i64,
    /// How long to wait for another writer, or for a free connection, before [`StoreError::Busy`]; and for a server
    /// that is away, before [`StoreError::Unavailable`].
    pub busy: Duration,
    /// Most reading connections open at once; on a file, each costs up to its page cache of memory.
    pub readers_max: usize,
    /// Most writing connections to a server; a file has one.
    pub writers_max: usize,
    /// The server spreads rows over machines by store: a transaction then holds one store only.
    pub distributed: bool,
    /// On a file: the log is copied into the database file each time it grew by this many pages.
    pub checkpoint_pages: u32,
    /// On a file: from this many pages on the log is also made to start over, which holds the writer up for a moment.
    /// Without it, a writer that never pauses would let the log grow for ever.
    pub restart_pages: u32,
}

impl Options {
    /// A database in a file.
    pub fn file(path: impl Into<PathBuf>, now_ms: i64) -> Options {
        Options { place: Place::File(path.into()), ..Options::memory(now_ms) }
    }

    /// A database of a `PostgreSQL` server.
    pub fn server(url: DatabaseUrl, now_ms: i64) -> Options {
        Options { place: Place::Server(url), readers_max: 8, ..Options::memory(now_ms) }
    }

    /// A database that vanishes with its [`Store`]: for simulations and tests of other crates.
    pub fn memory(now_ms: i64) -> Options {
        Options {
            place: Place::Memory,
            now_ms,
            busy: Duration::from_secs(5),
            readers_max: 4,
            // Two lanes keep two cores and one disk busy: while one waits for its commit, the other decides.
            writers_max: 3,
            distributed: false,
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
