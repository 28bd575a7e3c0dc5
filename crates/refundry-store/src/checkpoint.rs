//! Keeps the write-ahead log short, on a connection and a thread of its own.
//!
//! A checkpoint copies pages from the log into the database file. On the writer's own connection it holds up whoever
//! commits for 33 to 140 ms; here the writer goes on meanwhile. The thread sleeps until a commit finds that the log has
//! grown; it must never wait for a reader for long, and must never hold the writer up except to make the log start
//! over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use crate::sqlite::{lock, wait_when_busy, wait_while};
use crate::{Options, StoreError};

/// How long the writer may be held up by readers of old pages when the log is made to start over. It is tried again
/// after the next [`Options::checkpoint_pages`] pages.
const RESTART_WAIT: Duration = Duration::from_millis(100);

/// Size and upkeep of the write-ahead log.
#[derive(Debug, Default)]
pub struct LogStats {
    /// Pages in the log after the latest commit of this process.
    pub pages: AtomicU64,
    /// Times pages were copied into the database file.
    pub checkpoints: AtomicU64,
    /// Times the log was made to start over because it had grown very long.
    pub restarts: AtomicU64,
    /// Times one of the two failed or was prevented by a reader; it is tried again later.
    pub hindered: AtomicU64,
}

/// The thread that makes checkpoints. Dropping it stops it; its connection closes with it.
pub(crate) struct Checkpointer {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn start(
        mut conn: Connection,
        turn: &Arc<Mutex<()>>,
        stats: &Arc<LogStats>,
        options: &Options,
    ) -> Result<Checkpointer, StoreError> {
        wait_when_busy(&mut conn, RESTART_WAIT)?;
        let signal = Arc::new(Signal {
            stats: Arc::clone(stats),
            checkpoint_pages: u64::from(options.checkpoint_pages.max(1)),
            restart_pages: u64::from(options.restart_pages),
            tried_at: AtomicU64::new(0),
            call: Mutex::new(Call::Idle),
            called: Condvar::new(),
        });
        let (turn, heard) = (Arc::clone(turn), Arc::clone(&signal));
        let thread = thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                while heard.wait() {
                    heard.tidy(&conn, &turn);
                }
            })
            .map_err(|error| StoreError::Unavailable { detail: format!("cannot start a thread: {error}") })?;
        Ok(Checkpointer { signal, thread: Some(thread) })
    }

    /// Has `writer` report the length of the log after each of its commits. It reports, and never copies itself.
    pub(crate) fn watch(&self, writer: &mut Connection) -> Result<(), StoreError> {
        let signal = Arc::clone(&self.signal);
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            signal.committed(u64::try_from(pages).unwrap_or(0));
            Ok(())
        }))?;
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.signal.call(Call::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook; the log is put in order by the next process.
            let _ = thread.join();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Idle,
    Tidy,
    Stop,
}

struct Signal {
    stats: Arc<LogStats>,
    checkpoint_pages: u64,
    restart_pages: u64,
    /// Length of the log when a checkpoint was last tried, so that a reader in the way does not make us try at every
    /// commit.
    tried_at: AtomicU64,
    call: Mutex<Call>,
    called: Condvar,
}

impl Signal {
    /// Called by the writer after each commit, so it does next to nothing.
    fn committed(&self, pages: u64) {
        self.stats.pages.store(pages, Ordering::Relaxed);
        let mut tried_at = self.tried_at.load(Ordering::Relaxed);
        if pages < tried_at {
            // The log has started over.
            tried_at = 0;
            self.tried_at.store(0, Ordering::Relaxed);
        }
        if pages - tried_at >= self.checkpoint_pages {
            self.call(Call::Tidy);
        }
    }

    fn call(&self, wanted: Call) {
        let mut call = lock(&self.call);
        if *call != Call::Stop {
            *call = wanted;
        }
        drop(call);
        self.called.notify_one();
    }

    /// Waits for something to do; `false` means stop.
    fn wait(&self) -> bool {
        let idle = |call: &mut Call| *call == Call::Idle;
        let mut call = wait_while(&self.called, lock(&self.call), idle);
        if *call == Call::Tidy {
            *call = Call::Idle;
        }
        *call != Call::Stop
    }

    fn tidy(&self, conn: &Connection, turn: &Mutex<()>) {
        let pages = self.checkpoint(conn, "PRAGMA wal_checkpoint(PASSIVE)", &self.stats.checkpoints);
        if pages.is_some_and(|pages| pages >= self.restart_pages) {
            // What is left to copy is only what was committed during the copy above. Our writers queue behind `turn`
            // meanwhile: SQLite's lock is not fair, and a busy writer would never leave it to us.
            let _turn = lock(turn);
            self.checkpoint(conn, "PRAGMA wal_checkpoint(RESTART)", &self.stats.restarts);
        }
    }

    /// Runs one checkpoint and gives the length of the log. Failures are counted, not reported: the log is only longer
    /// than it should be, and a disk that fails will fail the next commit as well.
    fn checkpoint(&self, conn: &Connection, sql: &str, done: &AtomicU64) -> Option<u64> {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let result = conn.query_row(sql, [], row);
        let (hindered, pages) = result.map_or((true, None), |(busy, pages)| (busy != 0, u64::try_from(pages).ok()));
        let counter = if hindered { &self.stats.hindered } else { done };
        counter.fetch_add(1, Ordering::Relaxed);
        self.tried_at.store(pages.unwrap_or_else(|| self.stats.pages.load(Ordering::Relaxed)), Ordering::Relaxed);
        pages
    }
}
