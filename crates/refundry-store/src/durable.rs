//! Waits for the disk on a thread of its own, so that the writer need not.
//!
//! A commit here only writes to the log (`synchronous = NORMAL`); it counts when the log has been synced after it.
//! While the disk works on one sync, the writer decides and commits the next batch, which the next sync covers.
//! Whoever is told of a commit, or reads it, waits for its [`Ticket`] first, so nobody ever sees what a power cut could
//! take back. A crash leaves a prefix of the commits, as always: `SQLite` checks the log frame by frame.
//!
//! A sync that fails leaves it unknown what is on the disk, and the next one might wrongly say that all is well: from
//! then on nothing is written any more until the process is started anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use crate::StoreError;
use crate::sqlite::{lock, wait_while};

/// The thread that syncs. Dropping it syncs what is left and stops it.
pub(crate) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    marks: Mutex<Marks>,
    moved: Condvar,
}

#[derive(Default)]
struct Marks {
    /// Commits so far.
    committed: u64,
    /// How many of them the sync under way covers, or the last one.
    begun: u64,
    /// How many of them are on the disk.
    durable: u64,
    failed: Option<StoreError>,
    stopped: bool,
}

/// Says which commit to wait for.
#[derive(Clone)]
pub struct Ticket(Option<(Arc<Shared>, u64)>);

impl Ticket {
    /// Of a commit that is durable when it returns.
    pub(crate) fn durable() -> Ticket {
        Ticket(None)
    }

    /// Waits while the disk works on earlier commits only.
    ///
    /// Whoever commits in batches waits for this before the next one: a batch that was committed earlier would wait for
    /// the same sync all the same, and would be smaller, which makes each of its jobs dearer. An idle disk begins at
    /// once, and is not waited for.
    pub(crate) fn wait_turn(&self) {
        if let Some((shared, commit)) = &self.0 {
            let waits =
                |marks: &mut Marks| marks.begun < *commit && marks.durable < marks.begun && marks.failed.is_none();
            drop(wait_while(&shared.moved, lock(&shared.marks), waits));
        }
    }

    /// Waits until the commit, and so all before it, is on the disk.
    pub fn wait(self) -> Result<(), StoreError> {
        let Some((shared, commit)) = self.0 else { return Ok(()) };
        let under_way = |marks: &mut Marks| marks.durable < commit && marks.failed.is_none();
        let marks = wait_while(&shared.moved, lock(&shared.marks), under_way);
        match &marks.failed {
            Some(error) if marks.durable < commit => Err(StoreError::Unsure { detail: error.to_string() }),
            _ => Ok(()),
        }
    }
}

impl Syncer {
    /// Starts the thread for the database in `file`.
    pub(crate) fn start(file: &Path) -> Result<Syncer, StoreError> {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        let shared = Arc::new(Shared { marks: Mutex::default(), moved: Condvar::new() });
        let working = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("store-sync".to_owned())
            .spawn(move || working.work(&PathBuf::from(log)))
            .map_err(|error| StoreError::Unavailable { detail: format!("cannot start a thread: {error}") })?;
        Ok(Syncer { shared, thread: Some(thread) })
    }

    /// Whether anything may be written.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        lock(&self.shared.marks).failed.clone().map_or(Ok(()), Err)
    }

    /// A transaction was committed.
    pub(crate) fn committed(&self) -> Ticket {
        let mut marks = lock(&self.shared.marks);
        marks.committed += 1;
        let commit = marks.committed;
        drop(marks);
        self.shared.moved.notify_all();
        Ticket(Some((Arc::clone(&self.shared), commit)))
    }

    /// The newest commit that anybody can have read by now.
    pub(crate) fn seen(&self) -> Ticket {
        let marks = lock(&self.shared.marks);
        if marks.durable == marks.committed {
            return Ticket::durable();
        }
        Ticket(Some((Arc::clone(&self.shared), marks.committed)))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        lock(&self.shared.marks).stopped = true;
        self.shared.moved.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self, log: &Path) {
        // It is there from the first commit on, and as long as a connection is open.
        let mut file = None;
        while let Some(commit) = self.next() {
            let synced = sync(&mut file, log);
            let mut marks = lock(&self.marks);
            match synced {
                Ok(()) => marks.durable = commit,
                Err(error) => {
                    let detail = format!("{} cannot be synced: {error}; start the process anew", log.display());
                    marks.failed = Some(StoreError::Unavailable { detail });
                }
            }
            let over = marks.failed.is_some();
            drop(marks);
            self.moved.notify_all();
            if over {
                return;
            }
        }
    }

    /// The newest commit that is not on the disk yet; `None` when all are and no more come.
    fn next(&self) -> Option<u64> {
        let idle = |marks: &mut Marks| marks.committed == marks.durable && !marks.stopped;
        let mut marks = wait_while(&self.moved, lock(&self.marks), idle);
        let commit = (marks.committed > marks.durable).then_some(marks.committed)?;
        marks.begun = commit;
        drop(marks);
        self.moved.notify_all();
        Some(commit)
    }
}

fn sync(file: &mut Option<File>, log: &Path) -> std::io::Result<()> {
    match file {
        Some(file) => file.sync_data(),
        None => file.insert(File::open(log)?).sync_data(),
    }
}
