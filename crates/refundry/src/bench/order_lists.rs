//! The lists of orders, and how many each has, under each filter alone and in pairs, and those of after-sales cases:
//! read in this process, because every API asks the same query. Nothing is warmed up: the first page that somebody asks
//! for counts.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use refundry_core::money::Decimal;
use refundry_core::order::Reference;
use refundry_core::query::{AmountRange, AnyOf, Beside, OrderQuery, Page, SortBy, TimeRange};
use refundry_core::standing::{Goods, Money, Stage};
use refundry_core::terms::TermKind;
use refundry_engine::clock::Clock;
use refundry_engine::execute::WorkQueue;
use refundry_engine::{Engine, read};
use refundry_gateways::Registry;

use super::args::BenchArgs;
use super::case_lists;
use super::dataset::Catalog;
use super::dataset::order::{CUSTOMERS, DAY_MS, FIRST_MS, SKUS, SPAN_MS, sku};
use super::load::{histogram, micros};
use super::progress::Progress;
use super::random::Random;
use super::report::{Figure, Latency, Report, processors};
use super::server::Place;
use super::session::data_set;
use crate::database::open;
use crate::tenants::store_called;

/// Narrows a query by one filter, with a value drawn for one request.
type Filter = fn(OrderQuery, &Catalog, &mut Random) -> OrderQuery;

/// Every filter; those of `PAIRED` are also asked for together.
const FILTERS: &[(&str, Filter)] = &[
    ("no filter", |query, _, _| query),
    ("ids", |query, catalog, random| {
        let ids = (0..20).map(|_| Reference::plain(&catalog.order_id(random.below(catalog.size.orders))));
        OrderQuery { orders: Some(ids.collect()), ..query }
    }),
    ("stage, common", |query, _, _| OrderQuery { stages: Some(vec![Stage::Placed]), ..query }),
    ("stage, none", |query, _, _| OrderQuery { stages: Some(vec![Stage::Cancelled]), ..query }),
    ("money, paid", |query, _, _| OrderQuery { money: Some(vec![Money::Paid]), ..query }),
    ("money, partly refunded", |query, _, _| OrderQuery { money: Some(vec![Money::PartlyRefunded]), ..query }),
    ("money, refunding", |query, _, _| OrderQuery { money: Some(vec![Money::Refunding]), ..query }),
    ("money, two", |query, _, _| OrderQuery { money: Some(vec![Money::Refunding, Money::RefundFailed]), ..query }),
    ("goods, shipped", |query, _, _| OrderQuery { goods: Some(vec![Goods::Shipped]), ..query }),
    ("goods, waiting", |query, _, _| OrderQuery { goods: Some(vec![Goods::Waiting]), ..query }),
    ("created, 30 days", |query, _, random| OrderQuery { created: span(random, 30), ..query }),
    ("placed, 30 days", |query, _, random| OrderQuery { placed: span(random, 30), ..query }),
    ("placed, a year", |query, _, random| OrderQuery { placed: span(random, 365), ..query }),
    ("updated, a day", |query, _, random| OrderQuery { updated: span(random, 1), ..query }),
    ("total, a dollar wide", |query, _, random| {
        let least = i128::from(10_000 + random.below(2_000_000));
        let bound = |cents: i128| Some((Decimal::from_parts(cents, 2), true));
        OrderQuery { total: AmountRange { from: bound(least), to: bound(least + 100) }, ..query }
    }),
    ("total, above half", |query, _, _| OrderQuery {
        total: AmountRange { from: Some((Decimal::from_parts(2_000_000, 2), true)), to: None },
        ..query
    }),
    ("sku, as they sell", |query, _, random| word(query, TermKind::Sku, &sku(random.skewed(SKUS)))),
    ("sku, best-selling", |query, _, _| word(query, TermKind::Sku, &sku(0))),
    ("sku, unknown", |query, _, _| word(query, TermKind::Sku, "none")),
    ("customer", |query, _, random| word(query, TermKind::Customer, &random.below(CUSTOMERS).to_string())),
    ("tag, one in ten", |query, _, _| word(query, TermKind::Tag, "vip")),
    ("keyword, a number", |query, catalog, random| {
        keyword(query, &format!("N{:07}", random.below(catalog.size.orders)))
    }),
    ("keyword, a name", |query, _, random| keyword(query, &format!("buyer {}", random.below(CUSTOMERS)))),
    ("keyword, in every order", |query, _, _| keyword(query, "thing")),
];

const PAIRED: &[&str] = &[
    "stage, common",
    "money, paid",
    "money, refunding",
    "goods, shipped",
    "created, 30 days",
    "placed, a year",
    "total, above half",
    "sku, best-selling",
    "tag, one in ten",
    "keyword, a name",
];

/// Where a page starts, and what the list is sorted by.
const PAGES: &[(&str, Filter)] = &[
    ("", |query, _, _| query),
    ("oldest first", |query, _, _| OrderQuery { descending: false, ..query }),
    ("by update", |query, _, _| OrderQuery { sort: SortBy::Updated, ..query }),
    ("page far behind", |query, catalog, random| OrderQuery {
        page: Page::Skip(u64::from(random.below(catalog.size.orders))),
        ..query
    }),
    ("cursor", |query, _, random| {
        let key_ms = FIRST_MS + SPAN_MS / 1_000 * i64::from(random.below(1_000));
        OrderQuery { page: Page::Key { key_ms, id: 0 }, ..query }
    }),
    ("250 of them", |query, _, _| OrderQuery { limit: 250, ..query }),
];

/// One list: the filters, where its page starts, and whether its orders are only counted.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    parts: Vec<Filter>,
    counted: bool,
}

impl Case {
    pub(super) fn query(&self, catalog: &Catalog, random: &mut Random) -> OrderQuery {
        let query = OrderQuery { beside: Beside::PARCELS, ..OrderQuery::default() };
        self.parts.iter().fold(query, |query, part| part(query, catalog, random))
    }
}

/// Every filter under every page, pairs of filters, and the counts of them all.
pub(super) fn cases() -> Vec<Case> {
    let mut sets: Vec<(String, Vec<Filter>, bool)> = Vec::new();
    for (name, filter) in FILTERS {
        sets.push(((*name).to_owned(), vec![*filter], true));
    }
    let paired: Vec<&(&str, Filter)> = FILTERS.iter().filter(|(name, _)| PAIRED.contains(name)).collect();
    for (place, (first, one)) in paired.iter().enumerate() {
        for (second, two) in paired.iter().skip(place + 1) {
            sets.push((format!("{first} + {second}"), vec![*one, *two], false));
        }
    }
    let mut cases = Vec::new();
    for (name, filters, alone) in sets {
        for (page, start) in PAGES.iter().filter(|(page, _)| alone || page.is_empty()) {
            let mark = if page.is_empty() { String::new() } else { format!(", {page}") };
            let parts = filters.iter().copied().chain([*start]).collect();
            cases.push(Case { name: format!("{name}{mark}"), parts, counted: false });
        }
        cases.push(Case { name: format!("{name}, counted"), parts: filters, counted: true });
    }
    cases
}

/// Measures every case.
pub(super) fn run(args: &BenchArgs, progress: &Progress) -> anyhow::Result<Report> {
    let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
    let catalog = data_set(args, &place, progress)?;
    let registry = Registry::new(Vec::new()).map_err(|_| anyhow::anyhow!("one driver has two names"))?;
    let queue = Arc::new(WorkQueue::new(Arc::new(registry), false, Box::new(|| {})));
    let engine = Engine::start(open(&place.data_args())?, Clock::System, queue).context("cannot start the engine")?;
    let store = store_called(&engine, "demo")?.id;
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    let orders = cases();
    let after_sales = case_lists::cases();
    let all = u32::try_from(orders.len() + after_sales.len()).unwrap_or(u32::MAX);
    for (done, case) in (0..).zip(&orders) {
        progress.count("lists of orders", done, all);
        let ask = |random: &mut Random| ask_orders(&engine, store, case, &case.query(&catalog, random));
        let latency_us = measure(args, &ask).with_context(|| case.name.clone())?;
        report.latencies.push(Latency::of(case.name.clone(), &latency_us));
    }
    for (done, case) in (u32::try_from(orders.len()).unwrap_or(u32::MAX)..).zip(&after_sales) {
        progress.count("lists of cases", done, all);
        let ask = |random: &mut Random| -> anyhow::Result<Duration> {
            let query = case.query(&catalog, random);
            let asked = Instant::now();
            refundry_engine::cases::list(engine.store(), store, &query)?;
            Ok(asked.elapsed())
        };
        let latency_us = measure(args, &ask).with_context(|| case.name.clone())?;
        report.latencies.push(Latency::of(format!("cases: {}", case.name), &latency_us));
    }
    // The third quantile is the 99th.
    if let Some(slowest) = report.latencies.iter().max_by_key(|latency| latency.us[2]).cloned() {
        let value = Duration::from_micros(slowest.us[2]).as_secs_f64() * 1_000.0;
        report.figures.push(Figure { name: "slowest p99", value, unit: "ms", detail: slowest.name });
    }
    report.setup.push(("load", format!("{} readers, closed loop, seed {}", args.connections(), args.seed)));
    report.setup.push(("data set", catalog.size.to_string()));
    report.setup.push(("data", place.described()));
    report.setup.push(("processors", processors().to_string()));
    Ok(report)
}

fn ask_orders(engine: &Engine, store: i64, case: &Case, query: &OrderQuery) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    if case.counted {
        read::count_orders(engine.store(), store, query)?;
    } else if read::list_orders(engine.store(), store, query)?.is_err() {
        anyhow::bail!("a cursor names nothing");
    }
    Ok(asked.elapsed())
}

/// Asks one list at a time and says how long that took.
type Ask<'a> = &'a (dyn Fn(&mut Random) -> anyhow::Result<Duration> + Sync);

/// Asks from a few threads until the time is over.
fn measure(args: &BenchArgs, ask: Ask<'_>) -> anyhow::Result<Histogram<u64>> {
    let latency_us = Mutex::new(histogram()?);
    let end = Instant::now() + args.duration();
    let read = |mut random: Random| -> anyhow::Result<()> {
        while Instant::now() < end {
            let took = micros(ask(&mut random)?);
            latency_us.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let readers = (0..args.connections()).map(|number| {
            let random = Random::new(args.seed, number);
            let read = &read;
            scope.spawn(move || read(random))
        });
        for reader in readers.collect::<Vec<_>>() {
            reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    Ok(latency_us.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Some days within those of the data set.
fn span(random: &mut Random, days: i64) -> TimeRange {
    let wide_ms = days * DAY_MS;
    let from = FIRST_MS + (SPAN_MS - wide_ms) / 1_000 * i64::from(random.below(1_000));
    TimeRange { from_ms: Some(from), to_ms: Some(from + wide_ms) }
}

fn word(mut query: OrderQuery, kind: TermKind, text: &str) -> OrderQuery {
    query.words.push(AnyOf::whole(kind, [text]));
    query
}

fn keyword(mut query: OrderQuery, text: &str) -> OrderQuery {
    let kinds = [TermKind::Number, TermKind::Name, TermKind::CustomerEmail, TermKind::Title, TermKind::Sku];
    query.words.push(AnyOf::beginning(&kinds, [text]));
    query
}
