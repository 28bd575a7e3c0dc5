//! What `/metrics` shows: counters of requests and decisions, the writer's figures, the age of work.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use refundry_engine::Engine;
use refundry_engine::clock::Stopwatch;
use refundry_engine::store::outbox::Stage;
use refundry_engine::store::{LaneStats, deliveries, inbox, outbox, stores};

use crate::postman::Posted;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    api: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Api {
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

/// The metrics of one process.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Histogram,
    accepted: Family<Api, Counter>,
    refused: Family<Code, Counter>,
    deliveries: Family<Code, Counter>,
    writer: Writer,
    outbox: Outbox,
    hooks: Hooks,
}

struct Hooks {
    delivered: Gauge,
    failed: Gauge,
    waiting: Gauge,
}

struct Writer {
    batches: Gauge,
    jobs: Gauge,
    queued: Gauge,
    poisoned: Gauge,
    reruns: Gauge,
}

struct Outbox {
    in_doubt: Gauge,
    parked: Gauge,
    events: Gauge,
    legs: Gauge,
    oldest_ms: Gauge,
    in_hand: Gauge,
}

impl Metrics {
    /// Metrics that start at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("refundry");
        let requests = Family::<Answered, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 14));
        let accepted = Family::<Api, Counter>::default();
        let refused = Family::<Code, Counter>::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_seconds", "Time from headers to answer", seconds.clone());
        registry.register("refunds_accepted", "Refunds accepted", accepted.clone());
        registry.register("refunds_refused", "Refunds refused, by code", refused.clone());
        let deliveries = Family::<Code, Counter>::default();
        registry.register("deliveries", "Events that providers told of, by what they did", deliveries.clone());
        let mut gauge = |name: &str, help: &str| {
            let gauge: Gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let writer = Writer {
            batches: gauge("writer_batches", "Transactions committed by the writer"),
            jobs: gauge("writer_jobs", "Jobs committed by the writer"),
            queued: gauge("writer_queued", "Jobs waiting for the writer"),
            poisoned: gauge("writer_poisoned", "Jobs that failed by themselves"),
            reruns: gauge("writer_reruns", "Batches run again one job at a time"),
        };
        let outbox = Outbox {
            in_doubt: gauge("legs_in_doubt", "Legs of which nobody knows what became, to be asked about"),
            parked: gauge("legs_parked", "Legs that wait for a person to decide"),
            events: gauge("events_waiting", "Events of providers that fit nothing here and wait for a person"),
            legs: gauge("outbox_legs", "Legs to be sent or looked up"),
            oldest_ms: gauge("outbox_oldest_ms", "How long ago the oldest leg in the outbox was due"),
            in_hand: gauge("outbox_in_hand", "Legs leased by this process"),
        };
        let hooks = Hooks {
            delivered: gauge("webhooks_delivered", "Events that this process delivered to subscribers"),
            failed: gauge("webhooks_failed", "Attempts of this process at a delivery that did not get through"),
            waiting: gauge("webhooks_waiting", "Deliveries to subscribers that wait"),
        };
        Self { registry, requests, seconds, accepted, refused, deliveries, writer, outbox, hooks }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, api: &'static str, status: u16, started: Stopwatch) {
        self.requests.get_or_create(&Answered { api, status }).inc();
        self.seconds.observe(started.elapsed().as_secs_f64());
    }

    /// A refund was accepted.
    pub(crate) fn accepted(&self, api: &'static str) {
        self.accepted.get_or_create(&Api { api }).inc();
    }

    /// A refund was refused.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&Code { code }).inc();
    }

    /// An event came in: what it did, or that its delivery was refused.
    pub(crate) fn delivered(&self, code: &'static str) {
        self.deliveries.get_or_create(&Code { code }).inc();
    }

    /// All of them, as Prometheus reads them. `backlog` is what [`backlog`] found, where it could look.
    pub(crate) fn print(&self, engine: &Engine, posted: &Posted, backlog: Option<Backlog>) -> String {
        let stats = engine.lane_stats();
        let sum = |of: fn(&LaneStats) -> &AtomicU64| stats.iter().map(|lane| of(lane).load(Ordering::Relaxed)).sum();
        let show = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        show(&self.writer.batches, sum(|lane| &lane.batches));
        show(&self.writer.jobs, sum(|lane| &lane.jobs));
        show(&self.writer.queued, sum(|lane| &lane.queued));
        show(&self.writer.poisoned, sum(|lane| &lane.poisoned));
        show(&self.writer.reruns, sum(|lane| &lane.reruns));
        self.outbox.in_hand.set(i64::try_from(engine.queue().taken()).unwrap_or(i64::MAX));
        show(&self.hooks.delivered, posted.delivered.load(Ordering::Relaxed));
        show(&self.hooks.failed, posted.failed.load(Ordering::Relaxed));
        if let Some(Backlog { legs, oldest_ms, in_doubt, parked, events, hooks }) = backlog {
            self.hooks.waiting.set(hooks);
            self.outbox.in_doubt.set(in_doubt);
            self.outbox.parked.set(parked);
            self.outbox.events.set(events);
            self.outbox.legs.set(legs);
            self.outbox.oldest_ms.set(oldest_ms);
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// What waits in the outbox of all stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    legs: i64,
    oldest_ms: i64,
    in_doubt: i64,
    parked: i64,
    events: i64,
    hooks: i64,
}

/// Looks at the outbox, on a thread that may block; `None` where it cannot be read, which is logged.
pub(crate) fn backlog(engine: &Engine) -> Option<Backlog> {
    let now_ms = engine.clock().now_ms();
    let looked = engine.store().read(|tx| {
        let (mut legs, mut oldest_ms) = (0, None::<i64>);
        let (mut in_doubt, mut parked, mut events, mut hooks) = (0, 0, 0, 0);
        for store in stores::list(tx)? {
            let (count, due_ms) = outbox::backlog(tx, store.id)?;
            legs += count;
            oldest_ms = [oldest_ms, due_ms].into_iter().flatten().min();
            for (stage, count) in outbox::count_by_stage(tx, store.id)? {
                match stage {
                    Stage::InDoubt => in_doubt += count,
                    Stage::Parked => parked += count,
                    Stage::Waiting | Stage::Calling | Stage::Sent => {}
                }
            }
            events += inbox::count_waiting(tx, store.id)?;
            hooks += deliveries::count(tx, store.id)?;
        }
        let oldest_ms = oldest_ms.map_or(0, |due_ms| (now_ms - due_ms).max(0));
        Ok(Backlog { legs, oldest_ms, in_doubt, parked, events, hooks })
    });
    looked.inspect_err(|error| tracing::error!(%error, "the outbox cannot be read")).ok()
}
