//! The load: requests from many connections, then the wait until every refund among them is settled.
//!
//! In a closed loop a connection sends its next request when the answer is there, so a slow server is asked less. In an
//! open loop every request has its time on a schedule that nothing moves, and its latency counts from that time: a
//! request that waits because all before it are slow has waited, too (no coordinated omission).

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use hyper::{Request, Uri};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use super::ask::{Kind, Source};
use super::client::{Access, Connection};
use super::random::Random;
use super::report::{Figure, per};

/// How often the server is asked whether anything is pending.
const POLL: Duration = Duration::from_millis(20);
/// How long refunds may take to settle after the window.
pub(super) const SETTLING_MAX: Duration = Duration::from_mins(1);
/// How long requests under way at the end of the window, and those that wait for their turn, may take.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// The longest latency that is told apart: a minute, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What is sent, to whom and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) access: Access,
    pub(super) source: Source,
    pub(super) connections: u32,
    pub(super) pace: Pace,
    pub(super) warmup: Duration,
    pub(super) window: Duration,
    pub(super) seed: u64,
}

/// When the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// When the connection has its answer.
    Closed,
    /// At its time, so many times a second.
    Open(u32),
}

/// The time of a request in an open loop, from the start of the schedule.
pub(super) fn due(number: u64, rate: u32) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How far a run is, with the time left.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    WarmUp(Duration),
    Window(Duration),
    Settling,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// Answers of the window, and what went wrong at any time.
    pub(super) tally: Tally,
    /// From the end of the window until nothing was pending; `None` if something still was in the end.
    pub(super) settling: Option<Duration>,
    /// What the server's writer did in the window; `None` if its metrics do not tell.
    pub(super) writer: Option<WriterFigures>,
}

/// Counts of answers.
#[derive(Debug)]
pub(super) struct Tally {
    /// Latencies of good answers in microseconds, in the order of [`Kind::ALL`].
    latency_us: [Histogram<u64>; 4],
    /// Anything else, at any time.
    pub(super) errors: u32,
    /// The first of these.
    pub(super) first_error: Option<String>,
}

/// Counters of the server's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriterFigures {
    pub(super) transactions: u64,
    pub(super) jobs: u64,
}

/// Runs the load; `show` is told how far it is, and how many good answers there were.
pub(super) async fn run(load: &Load, show: impl Fn(Stage, u64)) -> anyhow::Result<Measured> {
    let creates = load.source.mix.contains(&Kind::Create);
    let since = if creates { Some(first_refund(load).await?) } else { None };
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&load.access).await?);
    }
    let start = Instant::now();
    let begin = start + load.warmup;
    let (end, tally, next) = (begin + load.window, Mutex::new(Tally::new()?), AtomicU64::new(0));
    let shared = Arc::new(Shared { load: load.clone(), start, begin, end, tally, next });
    let mut senders = JoinSet::new();
    for (number, connection) in (0..).zip(connections) {
        senders.spawn(Sender::new(Arc::clone(&shared), connection, number).run());
    }
    watch(&shared, &mut senders, shared.begin, |left| show(Stage::WarmUp(left), 0)).await?;
    let before = writer_figures(load).await;
    watch(&shared, &mut senders, shared.end, |left| show(Stage::Window(left), shared.tally().answers())).await?;
    let after = writer_figures(load).await;
    show(Stage::Settling, shared.tally().answers());
    if timeout(LAST_ANSWERS, async { while senders.join_next().await.is_some() {} }).await.is_err() {
        shared.tally().error(|| format!("some requests were not answered within {} s", LAST_ANSWERS.as_secs()));
        senders.shutdown().await;
    }
    let settling = match since {
        Some(since) => settle(load, &since, shared.end).await?,
        None => Some(Duration::ZERO),
    };
    let tally = std::mem::replace(&mut *shared.tally(), Tally::new()?);
    Ok(Measured { tally, settling, writer: after.zip(before).map(|(after, before)| after.since(before)) })
}

struct Shared {
    load: Load,
    start: Instant,
    begin: Instant,
    end: Instant,
    tally: Mutex<Tally>,
    /// The number of the next request of an open loop.
    next: AtomicU64,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the time of the next request, from which its latency counts; `None` when the run is over.
    async fn turn(&self) -> Option<Instant> {
        match self.load.pace {
            Pace::Closed => Some(Instant::now()).filter(|now| *now < self.end),
            Pace::Open(rate) => {
                let due = self.start + due(self.next.fetch_add(1, Ordering::Relaxed), rate);
                if due >= self.end {
                    return None;
                }
                if due > Instant::now() {
                    sleep_until(due).await;
                }
                Some(due)
            }
        }
    }

    /// Whether an answer belongs to the window: by its own time in a closed loop, by its request's in an open one.
    fn counts(&self, sent: Instant, answered: Instant) -> bool {
        let moment = if self.load.pace == Pace::Closed { answered } else { sent };
        (self.begin..self.end).contains(&moment)
    }
}

/// Asks for one refund and gives the server's time of it: every refund of the load is younger.
async fn first_refund(load: &Load) -> anyhow::Result<String> {
    let mut control = Connection::open(&load.access).await?;
    let body = load.source.refund(&mut Random::new(load.seed, u32::MAX));
    let key = Some(format!("{}-first", load.source.run));
    let request = load.access.post(Uri::from_static("/v1/refunds"), key, body)?;
    let (status, body) = control.send(request).await?;
    let answer = serde_json::from_slice::<Value>(&body).ok().filter(|_| status == Kind::Create.expected());
    let created = answer.as_ref().and_then(|refund| refund.get("created_at")?.as_str());
    let text = String::from_utf8_lossy(&body);
    Ok(created.with_context(|| format!("the first refund: {}: {}", status.as_u16(), text.trim()))?.to_owned())
}

/// One connection and what it sends.
struct Sender {
    shared: Arc<Shared>,
    connection: Connection,
    number: u32,
    sent: u32,
    random: Random,
}

impl Sender {
    fn new(shared: Arc<Shared>, connection: Connection, number: u32) -> Self {
        let random = Random::new(shared.load.seed, number);
        Self { shared, connection, number, sent: 0, random }
    }

    /// Sends one request after another until the window ends.
    async fn run(mut self) {
        while let Some(due) = self.shared.turn().await {
            let load = &self.shared.load;
            let place = (self.number, self.sent);
            self.sent = self.sent.wrapping_add(1);
            let (kind, request) = match load.source.next(&load.access, &mut self.random, place) {
                Ok(next) => next,
                Err(error) => {
                    self.shared.tally().error(|| format!("{error:#}"));
                    return;
                }
            };
            if !self.ask(kind, request, due).await {
                return;
            }
        }
    }

    /// Sends a request and counts its answer; `false` when there is no connection any more.
    async fn ask(&mut self, kind: Kind, request: Request<bytes::Bytes>, due: Instant) -> bool {
        let shared = Arc::clone(&self.shared);
        match self.connection.send(request).await {
            Ok((status, _)) if status == kind.expected() => {
                let answered = Instant::now();
                if shared.counts(due, answered) {
                    shared.tally().good(kind, answered - due);
                }
            }
            Ok((status, body)) => {
                shared.tally().error(|| format!("{}: {}", status.as_u16(), String::from_utf8_lossy(&body).trim()));
            }
            Err(error) => {
                shared.tally().error(|| format!("{error:#}"));
                let Ok(another) = Connection::open(&shared.load.access).await else { return false };
                self.connection = another;
            }
        }
        true
    }
}

/// Waits for a moment and tells the time left each second; fails as soon as nobody sends any more.
async fn watch(
    shared: &Shared,
    senders: &mut JoinSet<()>,
    moment: Instant,
    tell: impl Fn(Duration),
) -> anyhow::Result<()> {
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = timeout_at(moment, pending::<()>()) => return Ok(()),
            _ = second.tick() => tell(moment.saturating_duration_since(Instant::now())),
            _ = senders.join_next(), if !senders.is_empty() => {
                let first = shared.tally().first_error.clone();
                // On a schedule, whoever would be late for the rest of it is done early.
                if let Some(first) = first.filter(|_| senders.is_empty() && Instant::now() < moment) {
                    bail!("every connection was lost: {first}");
                }
            }
        }
    }
}

/// Waits until no refund of this run is pending and gives the time since the window ended.
async fn settle(load: &Load, since: &str, end: Instant) -> anyhow::Result<Option<Duration>> {
    let mut control = Connection::open(&load.access).await?;
    let uri: Uri = format!("/v1/refunds?state=pending&created_from={since}&limit=1").parse()?;
    let mut poll = interval(POLL);
    // A slow answer is not made up for by asking twice at once.
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        let page = control.ask(load.access.get(uri.clone())).await?;
        let pending = page.get("data").and_then(Value::as_array).context("a list has no data")?;
        let took = end.elapsed();
        if pending.is_empty() {
            return Ok(Some(took));
        }
        if took > SETTLING_MAX {
            return Ok(None);
        }
    }
}

/// Asked over a connection of its own: one that idles through the window may be closed by the server.
async fn writer_figures(load: &Load) -> Option<WriterFigures> {
    let mut control = Connection::open(&load.access).await.ok()?;
    let (_, body) = control.send(load.access.get(Uri::from_static("/metrics"))).await.ok()?;
    WriterFigures::read(&String::from_utf8_lossy(&body))
}

impl WriterFigures {
    /// Reads them from a page of metrics.
    pub(super) fn read(page: &str) -> Option<Self> {
        let figure = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.trim().parse().ok())
        };
        Some(Self { transactions: figure("refundry_writer_batches")?, jobs: figure("refundry_writer_jobs")? })
    }

    /// What was done since.
    pub(super) fn since(self, before: Self) -> Self {
        let transactions = self.transactions.saturating_sub(before.transactions);
        Self { transactions, jobs: self.jobs.saturating_sub(before.jobs) }
    }

    /// How many jobs a transaction had, for a report.
    pub(super) fn figure(self) -> Option<Figure> {
        let Self { transactions, jobs } = self;
        let detail = format!("{jobs} in {transactions}");
        let value = per(jobs, transactions)?;
        Some(Figure { name: "jobs/transaction", value, unit: "jobs", detail })
    }
}

/// An empty histogram of latencies in microseconds.
pub(super) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).context("no histogram has these bounds")
}

/// A latency as histograms count it.
pub(super) fn micros(latency: Duration) -> u64 {
    u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        let latency_us = [histogram()?, histogram()?, histogram()?, histogram()?];
        Ok(Self { latency_us, errors: 0, first_error: None })
    }

    /// Latencies of the good answers of one kind.
    pub(super) fn of(&self, kind: Kind) -> &Histogram<u64> {
        let [create, quote, get, list] = &self.latency_us;
        match kind {
            Kind::Create => create,
            Kind::Quote => quote,
            Kind::Get => get,
            Kind::List => list,
        }
    }

    /// Good answers of any kind.
    pub(super) fn answers(&self) -> u64 {
        self.latency_us.iter().map(Histogram::len).sum()
    }

    fn good(&mut self, kind: Kind, latency: Duration) {
        let [create, quote, get, list] = &mut self.latency_us;
        let histogram = match kind {
            Kind::Create => create,
            Kind::Quote => quote,
            Kind::Get => get,
            Kind::List => list,
        };
        histogram.saturating_record(micros(latency));
    }

    fn error(&mut self, text: impl FnOnce() -> String) {
        self.errors = self.errors.saturating_add(1);
        self.first_error.get_or_insert_with(text);
    }
}
