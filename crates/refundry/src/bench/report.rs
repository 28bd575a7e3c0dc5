//! What was measured, as text for people and as JSON for scripts.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::load::{Load, Measured, SETTLING_MAX};

/// The server that was measured.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) url: String,
    /// Folder of its database and the file system that is on, where this run started the server.
    pub(super) data: Option<(PathBuf, Option<String>)>,
}

/// All there is to say about a run.
pub(super) struct Report<'a> {
    pub(super) subject: &'a Subject,
    pub(super) load: &'a Load,
    pub(super) measured: &'a Measured,
}

impl Report<'_> {
    /// Refunds accepted in the window, for each second of it.
    fn accepted_per_second(&self) -> f64 {
        f64::from(self.measured.tally.accepted) / self.load.window.as_secs_f64()
    }

    /// The same refunds, for each second until all of them were settled.
    fn settled_per_second(&self) -> Option<f64> {
        let settling = self.measured.settling?;
        Some(f64::from(self.measured.tally.accepted) / (self.load.window + settling).as_secs_f64())
    }

    fn jobs_per_transaction(&self) -> Option<f64> {
        let writer = self.measured.writer.filter(|writer| writer.transactions > 0)?;
        Some(f64::from(writer.jobs) / f64::from(writer.transactions))
    }

    /// The latencies shown: name and microseconds.
    fn latencies(&self) -> [(&'static str, u64); 4] {
        let histogram = &self.measured.tally.latency_us;
        let at = |quantile| histogram.value_at_quantile(quantile);
        [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("max", histogram.max())]
    }

    /// Why the run does not count, if it does not.
    pub(super) fn failure(&self) -> Option<String> {
        let Measured { tally, settling, .. } = self.measured;
        if let Some(first) = &tally.first_error {
            return Some(format!("{} answers were not 201; the first: {first}", tally.errors));
        }
        if settling.is_none() {
            return Some(format!("some refunds were still pending {} s after the window", SETTLING_MAX.as_secs()));
        }
        (tally.accepted == 0).then(|| "no refund was accepted in the window".to_owned())
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let Measured { tally, settling, writer } = self.measured;
        let window = seconds(self.load.window);
        let settled = match (self.settled_per_second(), settling) {
            (Some(rate), Some(settling)) => {
                format!("{rate:.0}  ({} in {window} + {})", tally.accepted, seconds(*settling))
            }
            _ => format!("unknown  (some were still pending after {} s)", SETTLING_MAX.as_secs()),
        };
        let latency = self.latencies().map(|(name, us)| format!("{name} {}", milliseconds(us)));
        let mut rows = vec![
            ("settled refunds/s", settled),
            ("accepted refunds/s", format!("{:.0}  ({} in {window})", self.accepted_per_second(), tally.accepted)),
            ("latency", latency.join("  ")),
            ("errors", tally.errors.to_string()),
            ("connections", self.load.connections.to_string()),
            ("orders", format!("{}, seed {}", self.load.orders.count, self.load.seed)),
        ];
        if let (Some(mean), Some(writer)) = (self.jobs_per_transaction(), writer) {
            let counts = format!("{} in {}", writer.jobs, writer.transactions);
            rows.push(("jobs/transaction", format!("{mean:.1}  ({counts})")));
        }
        rows.push(("server", self.subject.url.clone()));
        if let Some((folder, filesystem)) = &self.subject.data {
            let on = filesystem.as_deref().unwrap_or("an unknown file system");
            rows.push(("data", format!("{} on {on}, durable commits", folder.display())));
            rows.push(("processors", format!("{}, shared by server and load", processors())));
        }
        let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<20}{value}")).collect();
        lines.join("\n")
    }

    /// For scripts.
    pub(super) fn json(&self) -> Value {
        let Measured { tally, settling, writer } = self.measured;
        let latency: serde_json::Map<String, Value> =
            self.latencies().into_iter().map(|(name, us)| (name.to_owned(), us.into())).collect();
        let data = self.subject.data.as_ref();
        json!({
            "settled_per_second": self.settled_per_second().map(rounded),
            "accepted_per_second": rounded(self.accepted_per_second()),
            "accepted": tally.accepted,
            "window_ms": whole_ms(self.load.window),
            "settling_ms": settling.map(whole_ms),
            "warmup_ms": whole_ms(self.load.warmup),
            "latency_us": latency,
            "errors": tally.errors,
            "first_error": tally.first_error,
            "connections": self.load.connections,
            "orders": self.load.orders.count,
            "seed": self.load.seed,
            "server": {
                "url": self.subject.url,
                "version": data.map(|_| env!("CARGO_PKG_VERSION")),
                "data": data.map(|(folder, _)| folder.display().to_string()),
                "filesystem": data.and_then(|(_, filesystem)| filesystem.clone()),
                "processors": data.map(|_| processors()),
                "jobs": writer.map(|writer| writer.jobs),
                "transactions": writer.map(|writer| writer.transactions),
                "jobs_per_transaction": self.jobs_per_transaction().map(rounded),
            },
        })
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn milliseconds(us: u64) -> String {
    format!("{:.2} ms", Duration::from_micros(us).as_secs_f64() * 1_000.0)
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One decimal is more than a measurement can be trusted with.
fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}
