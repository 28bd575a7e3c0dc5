//! The embedded database: one file, one writing connection, a few reading ones, and one that only makes checkpoints.
//!
//! Commits are durable when they return, or as soon as their ticket says so (see `durable.rs`). Several processes may
//! use the file at once (the command line beside a server); `SQLite`'s own locks decide who writes, ours only keep
//! order inside the process. Nothing outside of this file, `checkpoint.rs` and `durable.rs` may name `SQLite`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use crate::checkpoint::{Checkpointer, LogStats};
use crate::durable::{Syncer, Ticket};
use crate::pool::{Lent, Pool, Reusable};
use crate::tx::unexpected;
use crate::{ATTEMPTS_MAX, Options, Row, StoreError, Tx, Value, migrate};

/// Lists tables, without `SQLite`'s own.
pub(crate) const TABLE_NAMES: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";

/// More than all statements of the program, so that none is ever parsed twice on a connection.
const STATEMENTS_CACHED: usize = 512;

/// How long to wait between two looks at a lock that another process holds. `SQLite`'s own waits grow to 100 ms, and a
/// server under load leaves the lock free for far less than a millisecond at a time: the command line beside it would
/// hardly ever get its turn.
const BUSY_POLL: Duration = Duration::from_millis(1);

/// The reading connections of a file.
struct Readers {
    pool: Pool<Connection>,
    path: PathBuf,
    busy: Duration,
}

/// The connection that writes, and what it has seen others do.
struct Writer {
    conn: Connection,
    state: State,
}

/// What tells one state of the database from another.
#[derive(Clone, Copy, Default)]
struct State {
    /// Changes when another connection has committed, of whatever process.
    others: i64,
    /// Rises with each commit of ours, and when others were seen to have committed.
    number: u64,
}

/// An open database file, or a database in memory.
pub(crate) struct Database {
    // Dropped in this order. The checkpoint connection closes last, so that it is the one to empty the log.
    readers: Option<Readers>,
    writer: Mutex<Writer>,
    /// Held while waiting for the writer, and let go once it is had. Whoever waits thereby bars the one who just wrote
    /// from writing again at once: mutexes alone are not fair, and a busy lane would starve everybody else.
    turn: Arc<Mutex<()>>,
    stats: Arc<LogStats>,
    /// On a file.
    syncer: Option<Syncer>,
    /// Kept for its end: dropping it stops the thread.
    _checkpointer: Option<Checkpointer>,
}

impl Database {
    pub(crate) fn open(path: Option<&Path>, options: &Options) -> Result<Database, StoreError> {
        let turn = Arc::new(Mutex::new(()));
        let stats = Arc::new(LogStats::default());
        let Some(path) = path else {
            let mut writer = Connection::open_in_memory()?;
            prepare(&mut writer, options.busy)?;
            return Ok(Database {
                readers: None,
                writer: Mutex::new(Writer { conn: writer, state: State::default() }),
                turn,
                stats,
                syncer: None,
                _checkpointer: None,
            });
        };
        make_file(path)?;
        let mut writer = connect(path, options.busy)?;
        // Before the first pragma that writes: somebody else's file is left as it was found.
        transact(&writer, "BEGIN", migrate::is_pending)?;
        configure_file(&writer)?;
        let checkpointer = Checkpointer::start(connect(path, options.busy)?, &turn, &stats, options)?;
        checkpointer.watch(&mut writer)?;
        let pool = Pool::new(options.readers_max, options.busy);
        let readers = Readers { pool, path: path.to_owned(), busy: options.busy };
        Ok(Database {
            readers: Some(readers),
            writer: Mutex::new(Writer { conn: writer, state: State::default() }),
            turn,
            stats,
            syncer: Some(Syncer::start(path)?),
            _checkpointer: Some(checkpointer),
        })
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = if let Some(readers) = &self.readers {
            let conn = readers.lend()?;
            let result = transact(&conn, "BEGIN", work);
            drop(conn);
            // What was read may be a commit that nobody was told of yet.
            self.syncer.as_ref().map_or(Ok(()), |syncer| syncer.seen().wait()).and(result)
        } else {
            let writer = self.writer();
            let _guard = QueryOnly::on(&writer.conn)?;
            transact(&writer.conn, "BEGIN", work)
        };
        // Reading connections refuse writes with the same code as a file that cannot be written.
        result.map_err(|error| match error {
            StoreError::ReadOnly { detail } => StoreError::defect(format!("a read transaction wrote: {detail}")),
            error => error,
        })
    }

    /// Commits, and gives what to wait for until that is durable.
    pub(crate) fn write<T>(
        &self,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Ticket), StoreError> {
        self.syncer.as_ref().map_or(Ok(()), Syncer::check)?;
        let mut writer = self.writer();
        let Writer { conn, state } = &mut *writer;
        let mut attempts = 1;
        loop {
            let mut begun = false;
            let result = transact(conn, "BEGIN IMMEDIATE", |tx| {
                begun = true;
                if let Tx::Sqlite(tx) = tx {
                    state.look(tx.conn)?;
                    tx.state = Some(state.number);
                }
                work(tx)
            });
            // A commit that failed, or of which nobody knows, is one state more as well: nothing known holds then.
            state.number += 1;
            match result {
                // A begin that found the database busy has waited its full time already.
                Err(StoreError::Busy) if begun && attempts < ATTEMPTS_MAX => attempts += 1,
                // Counted before the writer is let go, so that the count never runs ahead of an older commit.
                result => return result.map(|done| (done, self.ticket())),
            }
        }
    }

    fn ticket(&self) -> Ticket {
        self.syncer.as_ref().map_or_else(Ticket::durable, Syncer::committed)
    }

    pub(crate) fn log_stats(&self) -> &LogStats {
        &self.stats
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        let _turn = lock(&self.turn);
        lock(&self.writer)
    }
}

impl State {
    /// Sees whether others have committed. Within a transaction that writes nobody does.
    fn look(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let others = conn.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.others != others {
            *self = State { others, number: self.number + 1 };
        }
        Ok(())
    }
}

impl Readers {
    fn lend(&self) -> Result<Lent<'_, Connection>, StoreError> {
        self.pool.lend(|| {
            let conn = connect(&self.path, self.busy)?;
            conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")?;
            Ok(conn)
        })
    }
}

impl Reusable for Connection {
    fn is_clean(&self) -> bool {
        // A connection whose rollback failed would carry an old snapshot into the next read.
        self.is_autocommit()
    }
}

/// One transaction on one connection, rolled back unless `work` and the commit succeed.
fn transact<T>(
    conn: &Connection,
    begin: &str,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    conn.prepare_cached(begin)?.execute([])?;
    let open = OpenTransaction { conn };
    let result = work(&mut Tx::Sqlite(SqliteTx { conn, state: None }))?;
    conn.prepare_cached("COMMIT")?.execute([])?;
    drop(open);
    Ok(result)
}

struct OpenTransaction<'c> {
    conn: &'c Connection,
}

impl Drop for OpenTransaction<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            // Nobody is left to tell about a failure here, and the next begin on this connection fails loudly.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}

/// Makes the one connection of a database in memory refuse writes for a while, so that reads there are as strict as on
/// a file.
struct QueryOnly<'c> {
    conn: &'c Connection,
}

impl<'c> QueryOnly<'c> {
    fn on(conn: &'c Connection) -> Result<QueryOnly<'c>, StoreError> {
        conn.execute_batch("PRAGMA query_only = ON")?;
        Ok(QueryOnly { conn })
    }
}

impl Drop for QueryOnly<'_> {
    fn drop(&mut self) {
        // It sets a flag and cannot fail on an open connection; if it did, the next write would say so.
        let _ = self.conn.execute_batch("PRAGMA query_only = OFF");
    }
}

/// The `SQLite` side of [`Tx`].
pub struct SqliteTx<'c> {
    conn: &'c Connection,
    /// See [`Tx::state`].
    pub(crate) state: Option<u64>,
}

impl SqliteTx<'_> {
    pub(crate) fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut visit: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            visit(&Row::sqlite(row))?;
        }
        Ok(())
    }

    pub(crate) fn each_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        sql: &str,
        rows: &[R],
        mut visit: impl FnMut(usize, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        for (place, params) in rows.iter().enumerate() {
            let mut found = statement.query(params_from_iter(params.as_ref()))?;
            while let Some(row) = found.next()? {
                visit(place, &Row::sqlite(row))?;
            }
        }
        Ok(())
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        self.execute_many(sql, &[params])
    }

    pub(crate) fn execute_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<u64, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut touched = 0;
        for row in rows {
            touched += statement.execute(params_from_iter(row.as_ref()))? as u64;
        }
        Ok(touched)
    }
}

/// The `SQLite` side of [`Row`].
pub(crate) struct SqliteRow<'r>(pub(crate) &'r rusqlite::Row<'r>);

impl SqliteRow<'_> {
    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            _ => Err(unexpected(column, "a number")),
        }
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|_| unexpected(column, "text in UTF-8"))
            }
            _ => Err(unexpected(column, "a text")),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Null => ValueRef::Null,
        }))
    }
}

/// Makes folder and file. The file is readable by its owner only: it holds what customers bought.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::Unavailable { detail: format!("cannot open {}: {error}", path.display()) };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed)?;
    Ok(())
}

fn connect(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    // Each connection is used by one thread at a time, so SQLite's own mutexes would be taken for nothing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    prepare(&mut conn, busy)?;
    Ok(conn)
}

/// What every connection needs; nothing here writes to the file.
fn prepare(conn: &mut Connection, busy: Duration) -> Result<(), StoreError> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    wait_when_busy(conn, busy)?;
    // Plans never depend on bound values. Without this, a cached statement whose plan looked at one is prepared anew at
    // each use, because its bindings are cleared in between: a third of the writer's time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // No memory map: a failing disk would end the process by a signal instead of an error. No foreign keys: rows are
    // written in batches whose order is ours, and every write comes from code in this crate.
    conn.execute_batch(
        "PRAGMA foreign_keys = OFF;
         PRAGMA synchronous = FULL;
         PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0;",
    )?;
    Ok(())
}

/// Looks again every [`BUSY_POLL`] while another process holds a lock, up to about `limit` in all. It counts looks,
/// since this crate does not read the clock.
pub(crate) fn wait_when_busy(conn: &mut Connection, limit: Duration) -> Result<(), StoreError> {
    let looks_max = limit.as_millis() / BUSY_POLL.as_millis();
    conn.busy_handler(Some(move |looks: i32| {
        pause(BUSY_POLL);
        u128::try_from(looks).is_ok_and(|looks| looks < looks_max)
    }))?;
    Ok(())
}

/// What the file and its writer need.
fn configure_file(writer: &Connection) -> Result<(), StoreError> {
    let mode: String = writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let detail = format!("the file system allows no write-ahead log (journal mode stays {mode})");
        return Err(StoreError::Unavailable { detail });
    }
    // The log is synced by a thread of its own, see durable.rs; checkpoints sync it as ever before they copy.
    writer.execute_batch("PRAGMA synchronous = NORMAL;")?;
    // The log keeps its length when it starts over, which spares growing it again; after a spell in which a long read
    // kept it from starting over, it is cut back to 256 MiB.
    // 16 MiB hold all that is written again and again. A larger cache costs more than it spares: SQLite looks through
    // all its slots at each commit (6 % of the writer's time with 64 MiB), and a page that is not there is in the
    // system's cache.
    writer.execute_batch("PRAGMA cache_size = -16384;")?;
    writer.query_row("PRAGMA journal_size_limit = 268435456", [], |_| Ok(()))?;
    Ok(())
}

/// Waits for a while: for what happens in another process, which cannot wake us.
pub(crate) fn pause(time: Duration) {
    let (never, signalled) = (Mutex::new(()), Condvar::new());
    drop(signalled.wait_timeout(lock(&never), time));
}

/// Waits for a condition without minding that another thread panicked.
pub(crate) fn wait_while<'m, T>(
    moved: &Condvar,
    guard: MutexGuard<'m, T>,
    condition: impl FnMut(&mut T) -> bool,
) -> MutexGuard<'m, T> {
    moved.wait_while(guard, condition).unwrap_or_else(PoisonError::into_inner)
}

/// Locks without minding that another thread panicked: what these mutexes guard is put right by drop guards.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let detail = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, message) = error else {
            return StoreError::Defect { detail };
        };
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::DiskFull | ErrorCode::ReadOnly => StoreError::ReadOnly { detail },
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory => StoreError::Unavailable { detail },
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt { detail },
            ErrorCode::ConstraintViolation if UNIQUE_CODES.contains(&failure.extended_code) => {
                StoreError::Conflict { constraint: constraint_name(&message.unwrap_or_default()) }
            }
            _ => StoreError::Defect { detail },
        }
    }
}

const UNIQUE_CODES: [i32; 3] = [
    rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE,
    rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
    rusqlite::ffi::SQLITE_CONSTRAINT_ROWID,
];

/// `SQLite` names the columns (`UNIQUE constraint failed: tokens.store, tokens.hash`) where `PostgreSQL` names the
/// constraint; ours are named so that both become `tokens_store_hash`.
fn constraint_name(message: &str) -> String {
    let columns = message.rsplit("failed: ").next().unwrap_or_default();
    let mut name = String::new();
    for (place, column) in columns.split(", ").enumerate() {
        match column.split_once('.') {
            Some((table, column)) if place == 0 => name.extend([table, "_", column]),
            Some((_, column)) => name.extend(["_", column]),
            None => name.push_str(column),
        }
    }
    name
}
