//! The engine in this process: the same writer and the same disk as a server's, without HTTP and without a child.
//!
//! One thread stands for all callers: each of them has one job at the writer, and asks for its next refund as soon as
//! the last one is committed. Another thread pays out, with a simulated provider in the process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome, RequestKey};
use refundry_engine::clock::Clock;
use refundry_engine::execute::{GatewayCall, WorkQueue};
use refundry_engine::store::{LaneError, LaneStats};
use refundry_gateways::simulated::{BookKeeper, Simulated};
use refundry_gateways::{Gateway, Registry, Step};
use tokio::runtime::Runtime;

use super::args::BenchArgs;
use super::baseline::{self, Bare};
use super::dataset::Catalog;
use super::dataset::order::{line_id, lines_of};
use super::dataset::scripted::one_unit;
use super::load::{SETTLING_MAX, WriterFigures, histogram, micros};
use super::progress::Progress;
use super::random::Random;
use super::report::{Latency, Rate, Report, processors, seconds};
use super::server::{Memory, Place};
use super::session::{data_set, run_name};
use crate::database::open;
use crate::tenants::store_called;

/// Measures the engine, and the bare loop after it where that is asked for.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
    let catalog = data_set(args, &place, progress)?;
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    {
        let embedded = Embedded::start(&place)?;
        progress.say("measuring the engine");
        let measured = embedded.drive(args, &catalog)?;
        measured.report(args, &mut report);
    }
    let memory = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| Memory::read(&status));
    report.figures.extend(memory.map(Memory::figure));
    report.setup.push(("data set", catalog.size.to_string()));
    report.setup.push(("data", place.described()));
    report.setup.push(("processors", processors().to_string()));
    if args.baseline {
        let bare = Bare { size: catalog.size, warmup: args.warmup, window: args.duration() };
        report.baseline = Some(baseline::run(&bare, &place, runtime, progress)?);
    }
    Ok(report)
}

/// An engine with somebody who pays out.
struct Embedded {
    engine: Arc<Engine>,
    store: i64,
    /// Legs of refunds recorded as paid.
    settled: Arc<AtomicU64>,
    /// The first thing that went wrong while paying out.
    broken: Arc<Mutex<Option<String>>>,
}

impl Embedded {
    fn start(place: &Place) -> anyhow::Result<Self> {
        let simulated: Box<dyn Gateway> = Box::new(Simulated::local(BookKeeper::in_memory()));
        let registry = Registry::new(vec![simulated]).map_err(|_| anyhow::anyhow!("one driver has two names"))?;
        let (wake, woken) = channel();
        let arrived = Box::new(move || {
            // The payer only ends with the engine.
            let _ = wake.send(());
        });
        let queue = Arc::new(WorkQueue::new(Arc::new(registry), true, arrived));
        let engine =
            Engine::start(open(&place.data_args())?, Clock::System, queue).context("cannot start the engine")?;
        let store = store_called(&engine, "demo")?.id;
        let embedded = Self {
            engine: Arc::new(engine),
            store,
            settled: Arc::new(AtomicU64::new(0)),
            broken: Arc::new(Mutex::new(None)),
        };
        let payer = Payer {
            engine: Arc::downgrade(&embedded.engine),
            settled: Arc::clone(&embedded.settled),
            broken: Arc::clone(&embedded.broken),
        };
        thread::spawn(move || payer.run(&woken));
        Ok(embedded)
    }

    /// Keeps every caller busy until the window ends, then waits until everything is settled.
    fn drive(&self, args: &BenchArgs, catalog: &Catalog) -> anyhow::Result<Measured> {
        let begin = Instant::now() + args.warmup;
        let end = begin + args.duration();
        let (answers, answered) = channel();
        let callers = args.connections();
        let mut asking =
            Asking { embedded: self, catalog, run: run_name(), sent: 0, answers, random: Random::new(args.seed, 0) };
        for _ in 0..callers {
            asking.ask()?;
        }
        let (mut under_way, mut accepted, mut latency_us, mut before) = (callers, 0_u64, histogram()?, None);
        while under_way > 0 {
            let (asked, answer) = answered.recv().context("the engine ended")?;
            accepted += 1;
            under_way -= 1;
            match answer {
                Ok(Outcome::Created(Ok(_))) => {}
                other => bail!("a refund was not accepted: {other:?}"),
            }
            let now = Instant::now();
            if now >= begin && before.is_none() {
                before = Some((accepted, figures(&self.engine.lane_stats())));
            }
            if (begin..end).contains(&now) {
                latency_us.saturating_record(micros(now - asked));
            }
            if now < end {
                asking.ask()?;
                under_way += 1;
            }
        }
        self.wait_until_settled(accepted)?;
        let (_, before) = before.context("the window is shorter than one batch")?;
        let took = begin.elapsed();
        Ok(Measured { took, latency_us, writer: figures(&self.engine.lane_stats()).since(before) })
    }

    fn wait_until_settled(&self, accepted: u64) -> anyhow::Result<()> {
        let since = Instant::now();
        while self.settled.load(Ordering::Relaxed) < accepted {
            let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
            ensure!(broken.is_none(), "a refund cannot be settled: {}", broken.unwrap_or_default());
            ensure!(since.elapsed() < SETTLING_MAX, "some refunds were not settled in {}", seconds(SETTLING_MAX));
            thread::yield_now();
        }
        Ok(())
    }
}

type Answer = Result<Outcome, LaneError>;

/// What asks for refunds.
struct Asking<'a> {
    embedded: &'a Embedded,
    catalog: &'a Catalog,
    run: String,
    sent: u64,
    answers: Sender<(Instant, Answer)>,
    random: Random,
}

impl Asking<'_> {
    fn ask(&mut self) -> anyhow::Result<()> {
        let index = self.random.below(self.catalog.size.orders);
        let line = line_id(self.random.below(lines_of(self.catalog, index)));
        let command = Box::new(one_unit(&self.catalog.order_id(index), &line, ""));
        let key = Some(RequestKey { key: format!("{}-{}", self.run, self.sent), hash: "0".repeat(64) });
        self.sent += 1;
        let (answers, asked) = (self.answers.clone(), Instant::now());
        let reply = Box::new(move |answer| {
            // Nobody listens any more when an earlier one failed.
            let _ = answers.send((asked, answer));
        });
        let job = Job::Create { store: self.embedded.store, command, key };
        self.embedded.engine.submit(job, reply).map_err(|_| anyhow::anyhow!("the writer's queue is full"))
    }
}

/// Sends legs to the provider and records its answers.
struct Payer {
    // It must not keep the engine alive: its queue is what wakes it.
    engine: std::sync::Weak<Engine>,
    settled: Arc<AtomicU64>,
    broken: Arc<Mutex<Option<String>>>,
}

impl Payer {
    fn run(self, woken: &Receiver<()>) {
        while woken.recv().is_ok() {
            let Some(engine) = self.engine.upgrade() else { return };
            for call in engine.queue().take(usize::MAX) {
                if let Err(error) = self.pay(&engine, &call) {
                    self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(format!("{error:#}"));
                }
            }
        }
    }

    fn pay(&self, engine: &Arc<Engine>, call: &GatewayCall) -> anyhow::Result<()> {
        let gateway = engine.queue().registry().find(call.store, &call.gateway).context("there is no such driver")?;
        let Step::Answer(answer) = gateway.refund(&call.ask) else { bail!("the provider is not in this process") };
        let news = call.news(answer, gateway.capabilities().inquiry, engine.clock().now_ms());
        let (settled, queue, broken) =
            (Arc::clone(&self.settled), Arc::clone(engine.queue()), Arc::clone(&self.broken));
        let done = Box::new(move |outcome: Answer| {
            queue.finished(1);
            match outcome {
                Ok(Outcome::Recorded(Some(_))) => {
                    settled.fetch_add(1, Ordering::Relaxed);
                }
                other => {
                    let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                    broken.get_or_insert(format!("{other:?}"));
                }
            }
        });
        engine.submit(Job::Record(news), done).map_err(|_| anyhow::anyhow!("the writer's queue is full"))
    }
}

fn figures(lanes: &[Arc<LaneStats>]) -> WriterFigures {
    let sum = |of: fn(&LaneStats) -> &AtomicU64| lanes.iter().map(|lane| of(lane).load(Ordering::Relaxed)).sum();
    WriterFigures { transactions: sum(|lane| &lane.batches), jobs: sum(|lane| &lane.jobs) }
}

struct Measured {
    /// From the beginning of the window until all was settled.
    took: Duration,
    latency_us: Histogram<u64>,
    writer: WriterFigures,
}

impl Measured {
    fn report(&self, args: &BenchArgs, report: &mut Report) {
        let count = self.latency_us.len();
        report.rates.push(Rate::of("settled refunds", count, self.took));
        report.latencies.push(Latency::of("create", &self.latency_us));
        report.figures.extend(self.writer.figure());
        report.setup.push(("load", format!("{} callers, closed loop, seed {}", args.connections(), args.seed)));
    }
}
