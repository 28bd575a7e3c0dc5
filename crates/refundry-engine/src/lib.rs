//! The engine: drives rules, store and gateways, and owns the clock and the ids.
//!
//! Plain synchronous code. Reading order:
//!
//! 1. [`accept`]: command → one transaction for many commands → outcomes (the only writer)
//! 2. [`execute`]: lease → gateway → record; the call itself is made by whoever owns the connections
//! 3. [`by_hand`]: what a person does about it · [`cases`]: the same by after-sales cases · [`hear`]: what gateways say
//!    unasked · [`publish`]: tells those who wait
//! 4. [`hooks`]: who subscribed to what happens, and what they are told
//! 5. [`intake`]: orders in · [`read`]: questions · [`tenants`]: stores and tokens · [`settings`]: what a store chose
//!
//! It never learns a wire format: commands come in parsed, outcomes go out as domain values.

pub mod accept;
mod anew;
pub mod by_hand;
pub mod call_off;
pub mod cases;
pub mod clock;
pub mod execute;
pub mod hear;
pub mod hooks;
mod ids;
pub mod intake;
pub mod parcels;
mod past;
pub mod publish;
pub mod read;
pub mod returns;
pub mod settings;
pub mod shop;
pub mod slips;
pub mod stock;
pub mod tenants;
mod twins;
mod world;

use std::sync::Arc;

use refundry_core::limits::{BATCH_MAX, QUEUE_MAX};
use refundry_store::{Lane, LaneError, LaneOptions, LaneStats, Recent, Reply, Store, StoreError};

use crate::accept::{Job, Outcome, Writer};
use crate::clock::Clock;
use crate::execute::WorkQueue;
use crate::hooks::Bell;
use crate::ids::Ids;
use crate::publish::Waiters;

pub use refundry_store as store;

/// The engine of one process.
pub struct Engine {
    store: Store,
    clock: Clock,
    queue: Arc<WorkQueue>,
    waiters: Arc<Waiters>,
    bell: Arc<Bell>,
    lanes: Vec<Lane<Writer>>,
}

/// The writer's queue is full: nothing was stored, come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Engine {
    /// Starts the writers on a store: one where there is one writer, a few where rows can be locked. `queue` receives
    /// the legs that this process leases.
    pub fn start(store: Store, clock: Clock, queue: Arc<WorkQueue>) -> Result<Self, StoreError> {
        let waiters = Arc::new(Waiters::default());
        let bell = Arc::new(Bell::default());
        let holder = holder()?;
        let count = store.lanes();
        let mut lanes = Vec::with_capacity(count);
        for number in 0..count {
            let writer = Writer {
                clock: clock.clone(),
                // Each makes numbers under a node of its own, so that they need not agree on the next one.
                ids: Ids::new(format!("{holder}/{number}")),
                holder: holder.clone(),
                lane: number,
                distributed: store.is_distributed(),
                queue: Arc::clone(&queue),
                waiters: Arc::clone(&waiters),
                bell: Arc::clone(&bell),
                uncommitted: false,
                recent: Recent::default(),
            };
            let name = format!("refundry-writer-{number}");
            let options = LaneOptions { name, queue_max: QUEUE_MAX / count, batch_max: BATCH_MAX };
            lanes.push(Lane::start(store.clone(), writer, &options)?);
        }
        Ok(Self { store, clock, queue, waiters, bell, lanes })
    }

    /// Queues a job; `reply` is called once, after the commit, on the writer's thread.
    pub fn submit(&self, job: Job, reply: Reply<Outcome>) -> Result<(), Busy> {
        self.lane_for(&job).submit(job, reply).map_err(|_| Busy)
    }

    /// Queues a job and waits for what becomes of it.
    pub fn call(&self, job: Job) -> Result<Outcome, LaneError> {
        self.lane_for(&job).call(job)
    }

    /// Jobs on one order go to one lane, where they share a transaction instead of waiting for each other's.
    fn lane_for(&self, job: &Job) -> &Lane<Writer> {
        let place = job.lane(self.store.is_distributed(), self.lanes.len());
        self.lanes.get(place).or(self.lanes.first()).expect("an engine has a lane")
    }

    /// The store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The legs that this process leased.
    pub fn queue(&self) -> &Arc<WorkQueue> {
        &self.queue
    }

    /// Requests that wait for a refund to settle.
    pub fn waiters(&self) -> &Arc<Waiters> {
        &self.waiters
    }

    /// Rings after a commit that left events for somebody to hear.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Counters of the writers.
    pub fn lane_stats(&self) -> Vec<Arc<LaneStats>> {
        self.lanes.iter().map(Lane::stats).collect()
    }
}

/// A name for this process that no other has, now or after a restart.
fn holder() -> Result<String, StoreError> {
    let secret = tenants::new_secret(false)?;
    let digits: String = secret.chars().rev().take(12).collect();
    Ok(format!("{}-{digits}", std::process::id()))
}
