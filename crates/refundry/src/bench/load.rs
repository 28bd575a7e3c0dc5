//! The load: orders in, then refunds from many connections, then the wait until all of them are settled.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use hyper::{StatusCode, Uri};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::client::{Access, Connection};
use super::orders::{Orders, Random};

/// Orders of one import request.
const IMPORT_ORDERS: u32 = 500;
/// How often the server is asked whether anything is pending.
const POLL: Duration = Duration::from_millis(20);
/// How long refunds may take to settle after the window.
pub(super) const SETTLING_MAX: Duration = Duration::from_mins(1);
/// How long requests under way at the end of the window may take.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// The longest latency that is told apart: a minute, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What is sent, to whom and for how long.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) access: Access,
    pub(super) orders: Orders,
    pub(super) connections: u32,
    pub(super) warmup: Duration,
    pub(super) window: Duration,
    pub(super) seed: u64,
}

/// How far a run is, with the time left.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Importing,
    WarmUp(Duration),
    Window(Duration),
    Settling,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// Answers in the window, and what went wrong at any time.
    pub(super) tally: Tally,
    /// From the end of the window until nothing was pending; `None` if something still was in the end.
    pub(super) settling: Option<Duration>,
    /// What the server's writer did in the window; `None` if its metrics do not tell.
    pub(super) writer: Option<WriterFigures>,
}

/// Counts of answers.
#[derive(Debug)]
pub(super) struct Tally {
    /// Answered with 201 in the window.
    pub(super) accepted: u32,
    /// Their latency in microseconds.
    pub(super) latency_us: Histogram<u64>,
    /// Anything else, at any time.
    pub(super) errors: u32,
    /// The first of these.
    pub(super) first_error: Option<String>,
}

/// Counters of the server's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriterFigures {
    pub(super) transactions: u32,
    pub(super) jobs: u32,
}

/// Runs the load; `show` is told how far it is.
pub(super) async fn run(load: &Load, show: impl Fn(Stage, u32)) -> anyhow::Result<Measured> {
    show(Stage::Importing, 0);
    let since = import(load).await.context("the orders cannot be imported")?;
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&load.access).await?);
    }

    let begin = Instant::now() + load.warmup;
    let shared =
        Arc::new(Shared { load: load.clone(), begin, end: begin + load.window, tally: Mutex::new(Tally::new()?) });
    let mut senders = JoinSet::new();
    for (number, connection) in (0..).zip(connections) {
        senders.spawn(send_refunds(Arc::clone(&shared), connection, number));
    }
    watch(&shared, &mut senders, shared.begin, |left| show(Stage::WarmUp(left), 0)).await?;
    let before = writer_figures(load).await;
    watch(&shared, &mut senders, shared.end, |left| show(Stage::Window(left), shared.tally().accepted)).await?;
    let after = writer_figures(load).await;
    show(Stage::Settling, shared.tally().accepted);
    if timeout(LAST_ANSWERS, async { while senders.join_next().await.is_some() {} }).await.is_err() {
        shared.tally().error(|| format!("some requests were not answered within {} s", LAST_ANSWERS.as_secs()));
        senders.shutdown().await;
    }
    let settling = settle(load, &since, shared.end).await?;
    let tally = std::mem::replace(&mut *shared.tally(), Tally::new()?);
    Ok(Measured { tally, settling, writer: after.zip(before).map(|(after, before)| after.since(before)) })
}

struct Shared {
    load: Load,
    begin: Instant,
    end: Instant,
    tally: Mutex<Tally>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Imports the orders and gives the server's time of the last one: every refund of this run is younger.
async fn import(load: &Load) -> anyhow::Result<String> {
    let mut control = Connection::open(&load.access).await?;
    let count = load.orders.count;
    for first in (0..count).step_by(IMPORT_ORDERS as usize) {
        let last = count.min(first + IMPORT_ORDERS);
        let uri = Uri::from_static("/v1/orders/import?from=native");
        let body = load.orders.documents(first..last);
        let answer = control.ask(load.access.post(uri, None, body)?).await?;
        ensure!(
            answer.get("created").and_then(Value::as_u64) == Some(u64::from(last - first)),
            "not all are new: {answer}"
        );
    }
    let uri: Uri = format!("/v1/orders/{}", load.orders.id(count - 1)).parse()?;
    let order = control.ask(load.access.get(uri)).await?;
    let created = order.get("created_at").and_then(Value::as_str);
    Ok(created.context("an order does not say when it was made")?.to_owned())
}

/// Sends refunds one after another until the window ends.
async fn send_refunds(shared: Arc<Shared>, mut connection: Connection, number: u32) {
    let load = &shared.load;
    let mut random = Random::new(load.seed, number);
    let mut sent: u32 = 0;
    while Instant::now() < shared.end {
        let key = format!("{}-{number}-{sent}", load.orders.run);
        sent = sent.wrapping_add(1);
        let body = load.orders.refund(&mut random);
        let Ok(request) = load.access.post(Uri::from_static("/v1/refunds"), Some(key), body) else { return };
        let started = Instant::now();
        let answer = connection.send(request).await;
        let answered = Instant::now();
        match answer {
            Ok((StatusCode::CREATED, _)) if (shared.begin..shared.end).contains(&answered) => {
                shared.tally().accepted(answered - started);
            }
            Ok((StatusCode::CREATED, _)) => {}
            Ok((status, body)) => {
                shared.tally().error(|| format!("{}: {}", status.as_u16(), String::from_utf8_lossy(&body).trim()));
            }
            Err(error) => {
                shared.tally().error(|| format!("{error:#}"));
                let Ok(another) = Connection::open(&load.access).await else { return };
                connection = another;
            }
        }
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
            _ = senders.join_next() => {
                if Instant::now() >= moment {
                    return Ok(());
                }
                if senders.is_empty() {
                    let first = shared.tally().first_error.clone().unwrap_or_default();
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

    fn since(self, before: Self) -> Self {
        let transactions = self.transactions.saturating_sub(before.transactions);
        Self { transactions, jobs: self.jobs.saturating_sub(before.jobs) }
    }
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).context("no histogram has these bounds")?;
        Ok(Self { accepted: 0, latency_us, errors: 0, first_error: None })
    }

    pub(super) fn accepted(&mut self, latency: Duration) {
        self.accepted = self.accepted.saturating_add(1);
        self.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    fn error(&mut self, text: impl FnOnce() -> String) {
        self.errors = self.errors.saturating_add(1);
        self.first_error.get_or_insert_with(text);
    }
}
