//! The lists of refunds, under each filter alone, with an order, and with a time range.
//!
//! A case is asked for a while by a few connections in a closed loop; values are drawn anew for each request, the
//! common ones as often as they are common. Nothing is warmed up: the first page that somebody asks for counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::args::BenchArgs;
use super::client::{Access, Connection};
use super::dataset::Catalog;
use super::dataset::order::{DAY_MS, FIRST_MS, REASONS, SKUS, SPAN_MS, sku};
use super::load::{histogram, micros};
use super::progress::Progress;
use super::random::Random;
use super::report::{Figure, Latency, Report};
use super::session::Session;

/// Shoplazza's header for the token.
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("access-token");
/// Places in the list that pages are continued from.
const CURSORS: u32 = 20;

/// A filter of a list: its name, and a value drawn for one request.
type Filter = (&'static str, fn(&Values, &mut Random) -> String);

/// The filters of `GET /v1/refunds`.
const FILTERS: &[Filter] = &[
    ("no filter", |_, _| String::new()),
    ("order", |values, random| values.order(random)),
    ("state=pending", |_, _| "state=pending".to_owned()),
    ("state=failed", |_, _| "state=failed".to_owned()),
    ("state=succeeded", |_, _| "state=succeeded".to_owned()),
    ("sku, as they sell", |_, random| format!("sku={}", sku(random.skewed(SKUS)))),
    ("sku, best-selling", |_, _| format!("sku={}", sku(0))),
    ("sku, worst-selling", |_, _| format!("sku={}", sku(SKUS - 1))),
    ("sku, unknown", |_, _| "sku=NONE".to_owned()),
    ("reason, common", |_, _| "reason=damaged".to_owned()),
    ("reason, rare", |_, _| format!("reason={}", REASONS[REASONS.len() - 1].replace(' ', "%20"))),
    ("reason, unknown", |_, _| "reason=none".to_owned()),
    ("failure_code", |_, _| "failure_code=refund_failed".to_owned()),
    ("created, a day", |_, random| created(random, DAY_MS)),
    ("created, a quarter", |_, random| created(random, 90 * DAY_MS)),
    ("updated", |values, random| values.updated(random)),
    ("amount, ten cents wide", |_, random| amount(random, 10)),
    ("amount, fifty wide", |_, random| amount(random, 5_000)),
    ("amount, above all", |_, _| "amount_min=900000".to_owned()),
    ("oldest first", |_, _| "direction=asc".to_owned()),
    ("by update", |_, _| "sort=updated".to_owned()),
    ("by update, oldest first", |_, _| "sort=updated&direction=asc".to_owned()),
    ("a hundred", |_, _| "limit=100".to_owned()),
    ("next page", |values, random| values.cursor(random)),
];

/// Lists of other APIs, whole addresses.
const OTHERS: &[Filter] = &[
    ("Digital River, order", |v, random| format!("/refunds?orderId={}", v.order_id(random))),
    ("Digital River, sku", |_, random| format!("/refunds?skuId={}", sku(random.skewed(SKUS)))),
    ("Digital River, state", |_, _| "/refunds?state=failed".to_owned()),
    ("Digital River, failure", |_, _| "/refunds?failureReason=refund_failed".to_owned()),
    ("Digital River, amount", |_, random| {
        let least = 10 + random.below(100);
        format!("/refunds?amount[gte]={least}&amount[lt]={}", least + 1)
    }),
    ("Digital River, refunded", |_, _| "/refunds?refundedAmount[gte]=900000".to_owned()),
    ("Shoplazza, order", |v, random| format!("{SHOPLAZZA}?order_ids={}", v.order_id(random))),
    ("Shoplazza, status", |_, _| format!("{SHOPLAZZA}?refund_status=failed")),
    ("Shoplazza, created", |_, random| {
        let (from, to) = span(random, DAY_MS);
        format!("{SHOPLAZZA}?created_at_start={from}&created_at_end={to}")
    }),
    ("SHOPLINE, order", |v, random| format!("/admin/openapi/v20251201/orders/{}/refunds.json", v.order_id(random))),
];

const SHOPLAZZA: &str = "/openapi/2025-06/orders/refund_records";

/// Measures every case.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let session = Session::open(args, runtime, progress)?;
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    let asked = runtime.block_on(async {
        let values = Arc::new(Values::find(&session, args.seed).await?);
        let mut connections = Vec::new();
        for _ in 0..args.connections() {
            connections.push(Connection::open(&session.access).await?);
        }
        let cases = cases();
        for (done, case) in (0..).zip(&cases) {
            progress.count("lists", done, u32::try_from(cases.len()).unwrap_or(u32::MAX));
            let asking = Asking { values: Arc::clone(&values), access: session.access.clone(), case: case.clone() };
            let histogram = asking.run(&mut connections, args).await.with_context(|| case.name.clone())?;
            report.latencies.push(Latency::of(case.name.clone(), &histogram));
        }
        Ok::<_, anyhow::Error>(())
    });
    progress.clear();
    asked?;
    // The third quantile is the 99th.
    let slowest = report.latencies.iter().max_by_key(|latency| latency.us[2]).cloned();
    if let Some(slowest) = slowest {
        let value = Duration::from_micros(slowest.us[2]).as_secs_f64() * 1_000.0;
        report.figures.push(Figure { name: "slowest p99", value, unit: "ms", detail: slowest.name });
    }
    report.setup.push(("load", format!("{} connections, closed loop, seed {}", args.connections(), args.seed)));
    session.describe(&mut report);
    Ok(report)
}

/// One list: a filter, and what it is narrowed by.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    filter: fn(&Values, &mut Random) -> String,
    with: With,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    /// Nothing: the filter makes the whole address.
    Whole,
    Alone,
    Order,
    Range,
}

/// Every filter alone and with each of the two others, then the other APIs.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (with, suffix) in [(With::Alone, ""), (With::Order, " + order"), (With::Range, " + 30 days")] {
        for (name, filter) in FILTERS {
            let twice = match with {
                With::Order => *name == "order",
                With::Range => name.starts_with("created"),
                With::Whole | With::Alone => false,
            };
            if !twice {
                cases.push(Case { name: format!("{name}{suffix}"), filter: *filter, with });
            }
        }
    }
    let others =
        OTHERS.iter().map(|(name, filter)| Case { name: (*name).to_owned(), filter: *filter, with: With::Whole });
    cases.extend(others);
    cases
}

impl Case {
    /// The address of one request.
    pub(super) fn address(&self, values: &Values, random: &mut Random) -> String {
        let filter = (self.filter)(values, random);
        let narrowed = match self.with {
            With::Whole => return filter,
            With::Alone => String::new(),
            With::Order => values.order(random),
            With::Range => created(random, 30 * DAY_MS),
        };
        let parts: Vec<String> = [filter, narrowed].into_iter().filter(|part| !part.is_empty()).collect();
        format!("/v1/refunds?{}", parts.join("&"))
    }
}

/// What values are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) catalog: Catalog,
    pub(super) cursors: Vec<String>,
    /// When the refunds were last touched: the first and the last of them, epoch milliseconds.
    pub(super) updated_ms: (i64, i64),
}

impl Values {
    async fn find(session: &Session, seed: u64) -> anyhow::Result<Self> {
        let mut control = Connection::open(&session.access).await?;
        let mut random = Random::new(seed, u32::MAX - 2);
        let mut cursors = Vec::new();
        for _ in 0..CURSORS {
            let range = created(&mut random, 90 * DAY_MS);
            let page = control.ask(session.access.get(format!("/v1/refunds?{range}").parse()?)).await?;
            cursors.extend(page.get("next_cursor").and_then(Value::as_str).map(str::to_owned));
        }
        let mut ends = [0, 0];
        for (end, direction) in ends.iter_mut().zip(["asc", "desc"]) {
            let uri = format!("/v1/refunds?sort=updated&direction={direction}&limit=1").parse()?;
            let page = control.ask(session.access.get(uri)).await?;
            let updated = page.pointer("/data/0/updated_at").and_then(Value::as_str);
            *end = updated.and_then(|text| text.parse::<Timestamp>().ok()).map_or(FIRST_MS, Timestamp::as_millisecond);
        }
        Ok(Self { catalog: session.catalog.clone(), cursors, updated_ms: (ends[0], ends[1]) })
    }

    fn order_id(&self, random: &mut Random) -> String {
        self.catalog.order_id(random.below(self.catalog.size.orders))
    }

    fn order(&self, random: &mut Random) -> String {
        format!("order={}", self.order_id(random))
    }

    fn cursor(&self, random: &mut Random) -> String {
        let drawn = random.below(u32::try_from(self.cursors.len()).unwrap_or(1).max(1)) as usize;
        self.cursors.get(drawn).map_or_else(String::new, |cursor| format!("cursor={cursor}"))
    }

    /// A hundredth of the time in which refunds were touched.
    fn updated(&self, random: &mut Random) -> String {
        let (first, last) = self.updated_ms;
        let from = first + (last - first) / 100 * i64::from(random.below(100));
        format!("updated_from={}&updated_to={}", rfc3339(from), rfc3339(from + (last - first) / 100))
    }
}

fn created(random: &mut Random, wide_ms: i64) -> String {
    let (from, to) = span(random, wide_ms);
    format!("created_from={from}&created_to={to}")
}

/// Some time of this width within that of the data set.
fn span(random: &mut Random, wide_ms: i64) -> (String, String) {
    let from = FIRST_MS + (SPAN_MS - wide_ms) / 1_000 * i64::from(random.below(1_000));
    (rfc3339(from), rfc3339(from + wide_ms))
}

fn amount(random: &mut Random, wide_cents: u32) -> String {
    let least = 500 + random.below(20_000);
    let text = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
    format!("amount_min={}&amount_max={}", text(least), text(least + wide_cents))
}

fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

/// One case under way.
#[derive(Clone)]
struct Asking {
    values: Arc<Values>,
    access: Access,
    case: Case,
}

impl Asking {
    /// Asks over all connections until the time is over.
    async fn run(self, connections: &mut Vec<Connection>, args: &BenchArgs) -> anyhow::Result<Histogram<u64>> {
        let latency_us = Arc::new(Mutex::new(histogram()?));
        let end = Instant::now() + args.duration();
        let mut tasks = JoinSet::new();
        for (number, connection) in (0..).zip(connections.drain(..)) {
            let random = Random::new(args.seed, number);
            tasks.spawn(self.clone().one(connection, random, end, Arc::clone(&latency_us)));
        }
        while let Some(done) = tasks.join_next().await {
            connections.push(done.context("a connection panicked")??);
        }
        let histogram = latency_us.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(histogram)
    }

    /// Asks over one connection and gives it back.
    async fn one(
        self,
        mut connection: Connection,
        mut random: Random,
        end: Instant,
        latency_us: Arc<Mutex<Histogram<u64>>>,
    ) -> anyhow::Result<Connection> {
        while Instant::now() < end {
            let address = self.case.address(&self.values, &mut random);
            let mut request = self.access.get(address.parse()?);
            if address.starts_with("/openapi/") {
                let mut token = HeaderValue::from_str(self.access.token())?;
                token.set_sensitive(true);
                request.headers_mut().insert(ACCESS_TOKEN, token);
            }
            let sent = Instant::now();
            let (status, body) = connection.send(request).await?;
            let took = micros(sent.elapsed());
            if status != StatusCode::OK {
                bail!("{address}: {}: {}", status.as_u16(), String::from_utf8_lossy(&body).trim());
            }
            latency_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
        }
        Ok(connection)
    }
}
