//! Ten thousand refunds of one order, one after another: whether an order with a long history is slower.

use anyhow::ensure;
use hyper::Uri;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::args::BenchArgs;
use super::ask::Kind;
use super::client::{Access, Connection};
use super::load::{histogram, micros};
use super::progress::Progress;
use super::report::{Figure, Latency, Report};
use super::session::{Session, run_name};

/// Refunds of the order.
const REFUNDS: u32 = 10_000;
/// How many at each end are compared.
const COMPARED: usize = 100;
/// Refunds of another order before, so that the first ones that count find everything warm.
const WARMUP: u32 = 500;

/// Measures the first hundred refunds against the last.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let session = Session::open(args, runtime, progress)?;
    let run = run_name();
    let latencies = runtime.block_on(async {
        refunds(&session.access, &format!("{run}-warm"), WARMUP, progress).await?;
        refunds(&session.access, &format!("{run}-one"), REFUNDS, progress).await
    })?;
    let mut all = histogram()?;
    for us in &latencies {
        all.saturating_record(*us);
    }
    let first = median(latencies.get(..COMPARED).unwrap_or(&latencies));
    let last = median(latencies.get(latencies.len().saturating_sub(COMPARED)..).unwrap_or(&latencies));
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    let detail = format!("{last} µs against {first} µs, medians of {COMPARED}");
    let value = f64::from(last) / f64::from(first.max(1));
    report.figures.push(Figure { name: "last to first", value, unit: "times", detail });
    report.latencies.push(Latency::of("create", &all));
    session.describe(&mut report);
    Ok(report)
}

/// Makes an order with one line and refunds it unit by unit; gives the latencies in microseconds.
async fn refunds(access: &Access, order: &str, count: u32, progress: &Progress) -> anyhow::Result<Vec<u64>> {
    let mut connection = Connection::open(access).await?;
    let units = REFUNDS * 2;
    let total = format!("{units}.00");
    let document = json!({
        "id": order, "number": order, "currency": "USD", "taxes_included": false,
        "lines": [{ "id": "line-0", "sku": "ONE-0", "title": "One", "quantity": units, "unit_price": "1.00" }],
        "payments": [{ "id": "card", "kind": "online", "gateway": "simulated", "captured": total }],
        "total": total, "paid": total,
    });
    let made = connection.send(access.post(Uri::from_static("/v1/orders"), None, document.to_string())?).await?;
    ensure!(made.0.is_success(), "the order is refused: {}", String::from_utf8_lossy(&made.1).trim());
    let body = format!(r#"{{"order":"{order}","ask":{{"parts":{{"units":[{{"line":"line-0","quantity":1}}]}}}}}}"#);
    let mut latencies = Vec::with_capacity(count as usize);
    for number in 0..count {
        let key = Some(format!("{order}-{number}"));
        let request = access.post(Uri::from_static("/v1/refunds"), key, body.clone())?;
        let sent = Instant::now();
        let (status, answer) = connection.send(request).await?;
        latencies.push(micros(sent.elapsed()));
        let text = String::from_utf8_lossy(&answer);
        ensure!(status == Kind::Create.expected(), "refund {number}: {}: {}", status.as_u16(), text.trim());
        if number.is_multiple_of(500) {
            progress.count("refunds of one order", number, count);
        }
    }
    Ok(latencies)
}

fn median(latencies: &[u64]) -> u32 {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(0, |us| u32::try_from(*us).unwrap_or(u32::MAX))
}
