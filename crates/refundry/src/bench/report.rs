//! What was measured, in one form for all scenarios: as text for people and as JSON for scripts.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// All there is to say about a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) scenario: &'static str,
    /// Things a second; the first is what the scenario is about.
    pub(super) rates: Vec<Rate>,
    pub(super) latencies: Vec<Latency>,
    /// Single figures.
    pub(super) figures: Vec<Figure>,
    /// What the first rate is compared with.
    pub(super) baseline: Option<Rate>,
    /// How it was measured: name and value.
    pub(super) setup: Vec<(&'static str, String)>,
    /// Why the run does not count, if it does not.
    pub(super) failure: Option<String>,
}

/// How often something happened in a second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) name: &'static str,
    pub(super) per_second: f64,
    /// Where it comes from, e.g. `120 in 2.00 s`.
    pub(super) detail: String,
}

/// How long something took, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) name: String,
    pub(super) count: u64,
    /// In the order of [`QUANTILES`].
    pub(super) us: [u64; 5],
}

/// What is told of a latency.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// A figure by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) detail: String,
}

impl Rate {
    /// So many in so long.
    pub(super) fn of(name: &'static str, count: u64, time: Duration) -> Self {
        Self { name, per_second: ratio(count, time), detail: format!("{count} in {}", seconds(time)) }
    }
}

impl Latency {
    /// Reads the figures off a histogram of microseconds.
    pub(super) fn of(name: impl Into<String>, histogram: &Histogram<u64>) -> Self {
        let us = QUANTILES.map(|(_, quantile)| histogram.value_at_quantile(quantile));
        Self { name: name.into(), count: histogram.len(), us }
    }
}

impl Report {
    /// How much of the baseline the first rate is.
    pub(super) fn ratio(&self) -> Option<f64> {
        let (baseline, rate) = (self.baseline.as_ref()?, self.rates.first()?);
        (baseline.per_second > 0.0).then(|| rate.per_second / baseline.per_second)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let rates = self.rates.iter().chain(&self.baseline);
        rows.extend(rates.map(|r| (format!("{}/s", r.name), format!("{:.0}  ({})", r.per_second, r.detail))));
        rows.extend(self.ratio().map(|ratio| ("ratio".to_owned(), format!("{ratio:.2} of the bare loop"))));
        for Figure { name, value, unit, detail } in &self.figures {
            let detail = if detail.is_empty() { String::new() } else { format!("  ({detail})") };
            rows.push(((*name).to_owned(), format!("{} {unit}{detail}", decimal(*value))));
        }
        rows.extend(self.setup.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<26}{value}")).collect();
        if !self.latencies.is_empty() {
            lines.push(String::new());
            lines.extend(self.latency_table());
        }
        lines.join("\n")
    }

    fn latency_table(&self) -> Vec<String> {
        let names = self.latencies.iter().map(|latency| latency.name.chars().count());
        let width = names.max().unwrap_or(0).max("latency in ms".len());
        let head = QUANTILES.map(|(name, _)| format!("{name:>10}")).concat();
        let mut lines = vec![format!("{:<width$}{head}{:>10}", "latency in ms", "count")];
        for Latency { name, count, us } in &self.latencies {
            let cells = us.map(|us| format!("{:>10}", milliseconds(us))).concat();
            lines.push(format!("{name:<width$}{cells}{count:>10}"));
        }
        lines
    }

    /// For scripts.
    pub(super) fn json(&self) -> Value {
        let rate = |rate: &Rate| (key(rate.name), json!(rounded(rate.per_second)));
        let latency = |latency: &Latency| {
            let figures = QUANTILES.iter().zip(latency.us).map(|((name, _), us)| ((*name).to_owned(), us.into()));
            let mut map: Map<String, Value> = figures.collect();
            map.insert("count".to_owned(), latency.count.into());
            (latency.name.clone(), Value::Object(map))
        };
        let figure = |figure: &Figure| (key(figure.name), json!({ "value": figure.value, "unit": figure.unit }));
        json!({
            "scenario": self.scenario,
            "version": env!("CARGO_PKG_VERSION"),
            "per_second": self.rates.iter().map(rate).collect::<Map<String, Value>>(),
            "baseline_per_second": self.baseline.as_ref().map(|baseline| rounded(baseline.per_second)),
            "ratio": self.ratio().map(|ratio| (ratio * 1_000.0).round() / 1_000.0),
            "latency_us": self.latencies.iter().map(latency).collect::<Map<String, Value>>(),
            "figures": self.figures.iter().map(figure).collect::<Map<String, Value>>(),
            "setup": self.setup.iter().map(|(name, value)| (key(name), json!(value))).collect::<Map<String, Value>>(),
            "failure": self.failure,
        })
    }
}

/// Names with blanks are for people.
fn key(name: &str) -> String {
    name.replace([' ', '/', '-'], "_")
}

/// A count for each of another; nothing where there is none of those.
#[expect(clippy::cast_precision_loss, reason = "a count of a benchmark is far below 2^52")]
pub(super) fn per(count: u64, others: u64) -> Option<f64> {
    (others > 0).then(|| count as f64 / others as f64)
}

/// A count for each second of a time.
#[expect(clippy::cast_precision_loss, reason = "a count of a benchmark is far below 2^52")]
fn ratio(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE)
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Microseconds as milliseconds.
fn milliseconds(us: u64) -> String {
    format!("{:.2}", Duration::from_micros(us).as_secs_f64() * 1_000.0)
}

/// Small figures have decimals.
fn decimal(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// One decimal is more than a measurement can be trusted with.
fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}
