//! Group commit: jobs that wait together are decided and committed together.
//!
//! A commit costs one wait for the disk, whatever it holds. A lane is one thread that takes whatever has queued up
//! while the previous commit ran and runs it as one transaction. It never waits for a batch to fill, so an idle server
//! answers at once and a busy one gets faster. While the disk is waited for, the next transaction is under way: a
//! second thread waits and answers. It knows nothing of what the jobs are, and must never answer a caller before the
//! commit is durable.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use crate::sqlite::{lock, wait_while};
use crate::{Store, StoreError, Ticket, Tx};

/// How the jobs of a lane are done.
pub trait Batch: Send + Sized + 'static {
    /// What a caller asks for.
    type Job: Send;
    /// What a caller is told after the commit.
    type Outcome: Send;

    /// Decides and writes all jobs in one transaction; gives one outcome per job, in their order.
    ///
    /// It is called again after a failure, with all the jobs or with fewer, so it must not keep state between calls. It
    /// may panic: the transaction is rolled back, and only the job that panics alone is given up.
    fn run(&mut self, tx: &mut Tx<'_>, jobs: &[Self::Job]) -> Result<Vec<Self::Outcome>, StoreError>;

    /// Jobs of different groups never share a transaction. One group, unless the database wants to be touched in one
    /// place at a time.
    fn group(&self, _job: &Self::Job) -> i64 {
        0
    }

    /// Called after a commit, which need not be durable yet.
    fn committed(&mut self) {}

    /// What is told of each commit once it is durable and before its callers are answered, for instance to wake
    /// workers.
    fn herald(&self) -> Herald<Self> {
        Box::new(|_, _| {})
    }
}

/// Told of the jobs of a durable commit, and what became of them.
pub type Herald<B> = Box<dyn FnMut(&[<B as Batch>::Job], &[<B as Batch>::Outcome]) + Send>;

/// Called once with what became of a job, on a thread of the lane: it should hand the answer on and return.
pub type Reply<O> = Box<dyn FnOnce(Result<O, LaneError>) + Send>;

/// Limits of a lane.
#[derive(Clone, Debug)]
pub struct LaneOptions {
    /// Name of the thread, as it shows in debuggers and panics.
    pub name: String,
    /// Most jobs waiting; one more is refused at once.
    pub queue_max: usize,
    /// Most jobs in one transaction.
    pub batch_max: usize,
}

impl Default for LaneOptions {
    fn default() -> Self {
        LaneOptions { name: "store-lane".to_owned(), queue_max: 4_096, batch_max: 128 }
    }
}

/// How often a batch is run again because another process took a key first.
const OUTRUN_MAX: u32 = 3;

/// One writer thread and its queue. Dropping the lane works off the queue first.
pub struct Lane<B: Batch> {
    shared: Arc<Shared<B>>,
    /// The one that runs jobs, and the one that answers.
    threads: Vec<JoinHandle<()>>,
}

impl<B: Batch> Lane<B> {
    /// Starts the threads.
    pub fn start(store: Store, batch: B, options: &LaneOptions) -> Result<Lane<B>, StoreError> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { waiting: VecDeque::new(), closed: false }),
            arrived: Condvar::new(),
            stats: Arc::new(LaneStats::default()),
            queue_max: options.queue_max,
            batch_max: options.batch_max.max(1),
        });
        let (done, answered) = mpsc::channel();
        let mut teller = Teller { herald: batch.herald(), stats: Arc::clone(&shared.stats) };
        let mut runner = Runner { shared: Arc::clone(&shared), store, batch, last: Ticket::durable(), done };
        let name = format!("{}-answers", options.name);
        let threads = vec![
            spawn(&options.name, move || runner.run())?,
            spawn(&name, move || answered.into_iter().for_each(|round| teller.answer(round)))?,
        ];
        Ok(Lane { shared, threads })
    }

    /// Queues a job. A full or closed queue gives it back at once, together with the reply.
    pub fn submit(&self, job: B::Job, reply: Reply<B::Outcome>) -> Result<(), QueueFull<B>> {
        let mut queue = lock(&self.shared.queue);
        if queue.closed || queue.waiting.len() >= self.shared.queue_max {
            drop(queue);
            self.shared.stats.refused.fetch_add(1, Ordering::Relaxed);
            return Err(QueueFull { job, reply });
        }
        queue.waiting.push_back((job, reply));
        self.shared.stats.queued.store(queue.waiting.len() as u64, Ordering::Relaxed);
        drop(queue);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Queues a job and waits for what becomes of it. Never call it on the lane's own thread.
    pub fn call(&self, job: B::Job) -> Result<B::Outcome, LaneError>
    where
        B::Outcome: 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        let reply = Box::new(move |answer| {
            // A caller that is gone needs no answer.
            let _ = sender.send(answer);
        });
        self.submit(job, reply).map_err(|_| LaneError::QueueFull)?;
        receiver.recv().unwrap_or(Err(LaneError::Poisoned { detail: "the lane ended without an answer".to_owned() }))
    }

    /// Takes no more jobs; those queued are still done. For a lane that is shared and cannot be dropped yet.
    pub fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.arrived.notify_one();
    }

    /// Counters for the metrics page.
    pub fn stats(&self) -> Arc<LaneStats> {
        Arc::clone(&self.shared.stats)
    }
}

impl<B: Batch> Drop for Lane<B> {
    fn drop(&mut self) {
        self.close();
        let threads = std::mem::take(&mut self.threads);
        // A reply may own the last handle to its lane; a thread must not wait for itself.
        if threads.iter().all(|thread| thread.thread().id() != thread::current().id()) {
            for thread in threads {
                let _ = thread.join();
            }
        }
    }
}

/// Why a job was not done. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneError {
    /// Too many jobs wait. Ask the caller to come back later.
    QueueFull,
    /// This job fails by itself: it panics, or breaks what the schema promises. A bug: never retry, report it.
    Poisoned {
        /// The panic's message, or the database's.
        detail: String,
    },
    /// The database could not do it now; the error tells what to do next.
    Store(StoreError),
}

impl fmt::Display for LaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaneError::QueueFull => write!(f, "too many jobs are waiting"),
            LaneError::Poisoned { detail } => write!(f, "the job cannot be done: {detail}"),
            LaneError::Store(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LaneError {}

/// A job that was not queued, given back with its reply, which was not called.
pub struct QueueFull<B: Batch> {
    /// The job.
    pub job: B::Job,
    /// Its reply.
    pub reply: Reply<B::Outcome>,
}

impl<B: Batch> fmt::Debug for QueueFull<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueFull")
    }
}

/// Counters of a lane since it started; `queued` is the present length.
#[derive(Debug, Default)]
pub struct LaneStats {
    /// Transactions committed.
    pub batches: AtomicU64,
    /// Jobs committed.
    pub jobs: AtomicU64,
    /// Jobs in the largest transaction.
    pub largest_batch: AtomicU64,
    /// Batches that failed and were run again one job at a time.
    pub reruns: AtomicU64,
    /// Jobs that failed by themselves.
    pub poisoned: AtomicU64,
    /// Jobs refused because the queue was full or closed.
    pub refused: AtomicU64,
    /// Jobs waiting.
    pub queued: AtomicU64,
    /// Panics after a commit: in `committed` or in a reply. The jobs are done; somebody may not have heard of it.
    pub reply_panics: AtomicU64,
}

struct Shared<B: Batch> {
    queue: Mutex<Queue<B>>,
    arrived: Condvar,
    stats: Arc<LaneStats>,
    queue_max: usize,
    batch_max: usize,
}

struct Queue<B: Batch> {
    waiting: VecDeque<(B::Job, Reply<B::Outcome>)>,
    closed: bool,
}

impl<B: Batch> Shared<B> {
    /// What waits of one group, up to the most one transaction holds; empty when the lane is closed and worked off.
    fn next_batch(&self, batch: &B) -> (Vec<B::Job>, Vec<Reply<B::Outcome>>) {
        let idle = |queue: &mut Queue<B>| queue.waiting.is_empty() && !queue.closed;
        let mut queue = wait_while(&self.arrived, lock(&self.queue), idle);
        let group = queue.waiting.front().map(|(job, _)| batch.group(job));
        let (mut jobs, mut replies, mut others) = (Vec::new(), Vec::new(), Vec::new());
        while jobs.len() < self.batch_max
            && let Some((job, reply)) = queue.waiting.pop_front()
        {
            if Some(batch.group(&job)) == group {
                jobs.push(job);
                replies.push(reply);
            } else {
                others.push((job, reply));
            }
        }
        others.into_iter().rev().for_each(|entry| queue.waiting.push_front(entry));
        self.stats.queued.store(queue.waiting.len() as u64, Ordering::Relaxed);
        (jobs, replies)
    }
}

/// Jobs that were run, and whom to tell.
struct Round<B: Batch> {
    jobs: Vec<B::Job>,
    replies: Vec<Reply<B::Outcome>>,
    result: Result<(Vec<B::Outcome>, Ticket), LaneError>,
}

/// What the thread owns that runs jobs.
struct Runner<B: Batch> {
    shared: Arc<Shared<B>>,
    store: Store,
    batch: B,
    /// Of the newest commit.
    last: Ticket,
    done: Sender<Round<B>>,
}

impl<B: Batch> Runner<B> {
    fn run(&mut self) {
        loop {
            self.last.wait_turn();
            let (jobs, replies) = self.shared.next_batch(&self.batch);
            if jobs.is_empty() {
                return;
            }
            self.work_off(jobs, replies);
        }
    }

    /// Does all jobs in one transaction, or, if that fails by their own doing, each in its own: one bad job never takes
    /// its neighbours down.
    fn work_off(&mut self, jobs: Vec<B::Job>, replies: Vec<Reply<B::Outcome>>) {
        let result = self.commit_unless_outrun(&jobs);
        let stats = &self.shared.stats;
        match &result {
            // Of a failure of the store none of the jobs is the cause, and the store has tried again where that can
            // help. A commit whose answer was lost may have happened, so running its jobs once more, even one by one,
            // could do them twice.
            Ok(_) | Err(LaneError::Store(_)) => {}
            Err(_) if jobs.len() > 1 => {
                stats.reruns.fetch_add(1, Ordering::Relaxed);
                for (job, reply) in jobs.into_iter().zip(replies) {
                    self.work_off(vec![job], vec![reply]);
                }
                return;
            }
            Err(_) => {
                stats.poisoned.fetch_add(1, Ordering::Relaxed);
            }
        }
        // The other thread only ends after this one.
        let _ = self.done.send(Round { jobs, replies, result });
    }

    /// Runs the jobs again whole where another process took a key first: they see it then, and decide on it.
    fn commit_unless_outrun(&mut self, jobs: &[B::Job]) -> Result<(Vec<B::Outcome>, Ticket), LaneError> {
        let mut outrun = 0;
        loop {
            match self.commit(jobs) {
                Err(LaneError::Store(StoreError::Conflict { .. })) if outrun < OUTRUN_MAX => outrun += 1,
                Err(LaneError::Store(error @ StoreError::Conflict { .. })) => {
                    return Err(LaneError::Poisoned { detail: error.to_string() });
                }
                result => return result,
            }
        }
    }

    /// One transaction; panics inside become errors.
    fn commit(&mut self, jobs: &[B::Job]) -> Result<(Vec<B::Outcome>, Ticket), LaneError> {
        let Runner { store, batch, .. } = self;
        // Safe to go on after a panic: the transaction is rolled back, and a batch keeps no state between calls.
        let result = catch_unwind(AssertUnwindSafe(|| {
            let written = store.write_early(|tx| {
                let outcomes = batch.run(tx, jobs)?;
                assert_eq!(outcomes.len(), jobs.len(), "a batch gives one outcome per job");
                Ok(outcomes)
            })?;
            batch.committed();
            Ok(written)
        }));
        let written = match result {
            Ok(Ok(written)) => written,
            Ok(Err(error @ StoreError::Defect { .. })) => {
                return Err(LaneError::Poisoned { detail: error.to_string() });
            }
            Ok(Err(error)) => return Err(LaneError::Store(error)),
            Err(panic) => return Err(LaneError::Poisoned { detail: panic_message(panic.as_ref()) }),
        };
        let stats = &self.shared.stats;
        stats.batches.fetch_add(1, Ordering::Relaxed);
        stats.jobs.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        stats.largest_batch.fetch_max(jobs.len() as u64, Ordering::Relaxed);
        self.last = written.1.clone();
        Ok(written)
    }
}

/// What the thread owns that answers.
struct Teller<B: Batch> {
    herald: Herald<B>,
    stats: Arc<LaneStats>,
}

impl<B: Batch> Teller<B> {
    /// Waits until a commit is durable, and answers its callers in the order in which they came.
    fn answer(&mut self, round: Round<B>) {
        let Round { jobs, replies, result } = round;
        let durable = result.and_then(|(outcomes, ticket)| match ticket.wait() {
            Ok(()) => Ok(outcomes),
            Err(error) => Err(LaneError::Store(error)),
        });
        match durable {
            Ok(outcomes) => {
                self.shielded(|teller| (teller.herald)(&jobs, &outcomes));
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    self.shielded(|_| reply(Ok(outcome)));
                }
            }
            Err(error) => {
                for reply in replies {
                    self.shielded(|_| reply(Err(error.clone())));
                }
            }
        }
    }

    /// Runs what others hand us after a commit. If it panics the lane must go on: more callers wait for their answer.
    fn shielded(&mut self, run: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| run(self))).is_err() {
            self.stats.reply_panics.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| StoreError::Unavailable { detail: format!("cannot start a thread: {error}") })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
