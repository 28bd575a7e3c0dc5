//! Group commit: jobs share commits, and never each other's bad luck.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use refundry_store::{Batch, Herald, Lane, LaneError, LaneOptions, Store, StoreError, Tx};

use crate::{Backend, Scratch, insert_pair, pair_ids};

on_both!(
    jobs_that_wait_together_commit_together_and_are_answered_in_order,
    one_bad_job_in_a_hundred_takes_nobody_down,
    a_busy_batch_is_run_again_whole_and_given_up_in_the_end,
    a_full_queue_refuses_at_once_and_loses_nothing,
    a_panic_in_a_reply_hurts_nobody_else,
    answers_come_after_the_commit,
);

/// Inserts the job's number as a pair, except for the jobs that say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Insert(i64),
    /// Stops the lane until the test lets it go on, so that jobs pile up behind it.
    Gate,
    Panic,
    WrongSql,
    BusyOnce,
    BusyAlways,
    PanicInReply(i64),
}

struct Inserts {
    entered: Sender<()>,
    go_on: Receiver<()>,
    busy_left: u32,
    committed: Arc<Mutex<Vec<usize>>>,
}

impl Batch for Inserts {
    type Job = Job;
    type Outcome = i64;

    fn run(&mut self, tx: &mut Tx<'_>, jobs: &[Job]) -> Result<Vec<i64>, StoreError> {
        jobs.iter().map(|job| self.one(tx, *job)).collect()
    }

    fn herald(&self) -> Herald<Self> {
        let committed = Arc::clone(&self.committed);
        Box::new(move |jobs, outcomes| {
            assert_eq!(jobs.len(), outcomes.len());
            committed.lock().unwrap().push(jobs.len());
        })
    }
}

impl Inserts {
    fn one(&mut self, tx: &mut Tx<'_>, job: Job) -> Result<i64, StoreError> {
        match job {
            Job::Insert(id) | Job::PanicInReply(id) => {
                insert_pair(tx, id)?;
                Ok(id)
            }
            Job::Gate => {
                self.entered.send(()).unwrap();
                self.go_on.recv().unwrap();
                Ok(-1)
            }
            Job::Panic => panic!("poison"),
            Job::WrongSql => tx.execute("INSERT INTO nowhere (id) VALUES (1)", &[]).map(|_| -2),
            Job::BusyOnce if self.busy_left > 0 => {
                self.busy_left -= 1;
                Err(StoreError::Busy)
            }
            Job::BusyOnce => Ok(-3),
            Job::BusyAlways => Err(StoreError::Busy),
        }
    }
}

/// A lane, the two ends of its gate, and what was answered, in order.
struct Bench {
    lane: Lane<Inserts>,
    entered: Receiver<()>,
    go_on: Sender<()>,
    committed: Arc<Mutex<Vec<usize>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
}

type Answer = (Job, Result<i64, LaneError>);

impl Bench {
    fn new(store: &Store, options: &LaneOptions) -> Bench {
        let (tell_entered, entered) = mpsc::channel();
        let (go_on, wait_go_on) = mpsc::channel();
        let committed = Arc::new(Mutex::new(Vec::new()));
        let batch =
            Inserts { entered: tell_entered, go_on: wait_go_on, busy_left: 1, committed: Arc::clone(&committed) };
        let lane = Lane::start(store.clone(), batch, options).unwrap();
        Bench { lane, entered, go_on, committed, answers: Arc::default() }
    }

    fn submit(&self, job: Job) -> bool {
        let answers = Arc::clone(&self.answers);
        let reply = Box::new(move |answer| {
            answers.lock().unwrap().push((job, answer));
            assert!(!matches!(job, Job::PanicInReply(_)), "a careless caller");
        });
        match self.lane.submit(job, reply) {
            Ok(()) => true,
            Err(full) => {
                assert_eq!(full.job, job);
                false
            }
        }
    }

    /// Runs `jobs` as one batch: they pile up while the lane is held at the gate.
    fn pile_up(&self, jobs: impl IntoIterator<Item = Job>) {
        assert!(self.submit(Job::Gate));
        self.entered.recv().unwrap();
        for job in jobs {
            assert!(self.submit(job));
        }
        self.go_on.send(()).unwrap();
    }

    /// Works off the queue and gives what was answered, without the gate's own answer.
    fn finish(self) -> Vec<Answer> {
        drop(self.lane);
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        answers.into_iter().filter(|(job, _)| *job != Job::Gate).collect()
    }
}

fn jobs_that_wait_together_commit_together_and_are_answered_in_order(on: Backend) {
    let scratch = Scratch::new(on);
    let bench = Bench::new(&scratch.store, &LaneOptions::default());
    let (stats, committed) = (bench.lane.stats(), Arc::clone(&bench.committed));
    bench.pile_up((0..300).map(Job::Insert));
    let answers = bench.finish();
    assert_eq!(answers, (0..300).map(|id| (Job::Insert(id), Ok(id))).collect::<Vec<_>>());
    assert_eq!(*committed.lock().unwrap(), [1, 128, 128, 44]);
    assert_eq!(pair_ids(&scratch.store).len(), 300);
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((read(&stats.batches), read(&stats.jobs)), (4, 301));
    assert_eq!((read(&stats.largest_batch), read(&stats.queued), read(&stats.reruns)), (128, 0, 0));
}

fn one_bad_job_in_a_hundred_takes_nobody_down(on: Backend) {
    let conflict = "the key pairs_id is taken";
    let wrong = match on {
        Backend::Sqlite => "no such table: nowhere",
        Backend::Postgres => "relation \"nowhere\" does not exist",
    };
    for (bad, why) in [(Job::Panic, "poison"), (Job::WrongSql, wrong), (Job::Insert(0), conflict)] {
        let scratch = Scratch::new(on);
        let bench = Bench::new(&scratch.store, &LaneOptions::default());
        let stats = bench.lane.stats();
        bench.pile_up((0..100).map(|id| if id == 61 { bad } else { Job::Insert(id) }));
        let answers = bench.finish();
        assert_eq!(answers.len(), 100);
        for (id, (job, answer)) in (0..).zip(answers) {
            match answer {
                Err(LaneError::Poisoned { detail }) => {
                    assert_eq!((id, job), (61, bad));
                    assert!(detail.contains(why), "{detail}");
                }
                answer => assert_eq!((job, answer), (Job::Insert(id), Ok(id))),
            }
        }
        assert_eq!(pair_ids(&scratch.store), (0..100).filter(|id| *id != 61).collect::<Vec<_>>());
        assert_eq!(stats.reruns.load(Ordering::Relaxed), 1);
        assert_eq!(stats.poisoned.load(Ordering::Relaxed), 1);
    }
}

fn a_busy_batch_is_run_again_whole_and_given_up_in_the_end(on: Backend) {
    let scratch = Scratch::new(on);
    let bench = Bench::new(&scratch.store, &LaneOptions::default());
    let stats = bench.lane.stats();
    bench.pile_up([Job::Insert(1), Job::BusyOnce, Job::Insert(2)]);
    assert_eq!(bench.lane.call(Job::Insert(3)), Ok(3));
    bench.pile_up([Job::Insert(4), Job::BusyAlways]);
    let answers: Vec<_> = bench.finish().into_iter().map(|(_, answer)| answer).collect();
    let busy = || Err(LaneError::Store(StoreError::Busy));
    assert_eq!(answers, [Ok(1), Ok(-3), Ok(2), busy(), busy()]);
    assert_eq!(pair_ids(&scratch.store), [1, 2, 3]);
    assert_eq!(stats.reruns.load(Ordering::Relaxed), 0);
}

fn a_full_queue_refuses_at_once_and_loses_nothing(on: Backend) {
    let scratch = Scratch::new(on);
    let options = LaneOptions { queue_max: 10, ..LaneOptions::default() };
    let bench = Bench::new(&scratch.store, &options);
    let stats = bench.lane.stats();
    assert!(bench.submit(Job::Gate));
    bench.entered.recv().unwrap();
    let taken: Vec<bool> = (0..12).map(|id| bench.submit(Job::Insert(id))).collect();
    assert_eq!(taken, [[true; 10].as_slice(), &[false; 2]].concat());
    assert_eq!(bench.lane.call(Job::Insert(99)), Err(LaneError::QueueFull));
    assert_eq!(stats.queued.load(Ordering::Relaxed), 10);
    bench.lane.close();
    assert!(!bench.submit(Job::Insert(98)), "closed");
    bench.go_on.send(()).unwrap();
    assert_eq!(bench.finish().len(), 10);
    assert_eq!(pair_ids(&scratch.store), (0..10).collect::<Vec<_>>());
    assert_eq!(stats.refused.load(Ordering::Relaxed), 4);
}

fn a_panic_in_a_reply_hurts_nobody_else(on: Backend) {
    let scratch = Scratch::new(on);
    let bench = Bench::new(&scratch.store, &LaneOptions::default());
    let stats = bench.lane.stats();
    bench.pile_up([Job::Insert(1), Job::PanicInReply(2), Job::Insert(3)]);
    assert_eq!(bench.lane.call(Job::Insert(4)), Ok(4));
    assert_eq!(bench.finish().len(), 3);
    assert_eq!(pair_ids(&scratch.store), [1, 2, 3, 4]);
    assert_eq!(stats.reply_panics.load(Ordering::Relaxed), 1);
}

fn answers_come_after_the_commit(on: Backend) {
    let scratch = Scratch::new(on);
    let bench = Bench::new(&scratch.store, &LaneOptions::default());
    let (sender, seen) = mpsc::channel();
    let reader = scratch.store.clone();
    let reply = Box::new(move |_| sender.send(pair_ids(&reader)).unwrap());
    bench.lane.submit(Job::Insert(7), reply).unwrap();
    assert_eq!(seen.recv().unwrap(), [7]);
}
