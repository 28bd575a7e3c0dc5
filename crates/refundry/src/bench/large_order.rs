//! Full refunds of orders with a thousand lines, through our own API.

use anyhow::ensure;
use hyper::Uri;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::args::BenchArgs;
use super::ask::Kind;
use super::client::{Access, Connection};
use super::load::{histogram, micros};
use super::progress::Progress;
use super::report::{Latency, Report};
use super::session::{Session, run_name};

/// Lines of an order: the most there may be.
const LINES: u32 = 1_000;
/// Orders refunded.
const ORDERS: u32 = 200;

/// Measures each of them.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let session = Session::open(args, runtime, progress)?;
    let mut latency_us = histogram()?;
    runtime.block_on(async {
        let mut connection = Connection::open(&session.access).await?;
        let run = run_name();
        for number in 0..ORDERS {
            progress.count("large orders", number, ORDERS);
            let order = format!("{run}-large-{number}");
            latency_us.saturating_record(refund(&session.access, &mut connection, &order).await?);
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    report.latencies.push(Latency::of(format!("full refund of {LINES} lines"), &latency_us));
    session.describe(&mut report);
    Ok(report)
}

/// Makes an order and refunds it whole; gives the latency of the refund in microseconds.
async fn refund(access: &Access, connection: &mut Connection, order: &str) -> anyhow::Result<u64> {
    let document = document(order).to_string();
    let made = connection.send(access.post(Uri::from_static("/v1/orders"), None, document)?).await?;
    ensure!(made.0.is_success(), "the order is refused: {}", String::from_utf8_lossy(&made.1).trim());
    let body = format!(r#"{{"order":"{order}","ask":{{"everything":true}}}}"#);
    let request = access.post(Uri::from_static("/v1/refunds"), Some(order.to_owned()), body)?;
    let sent = Instant::now();
    let (status, answer) = connection.send(request).await?;
    let took = micros(sent.elapsed());
    let text = String::from_utf8_lossy(&answer);
    ensure!(status == Kind::Create.expected(), "a full refund: {}: {}", status.as_u16(), text.trim());
    Ok(took)
}

/// Three units at 12.50 and 19 % on top, a thousand times.
fn document(order: &str) -> Value {
    let line = |number: u32| {
        json!({
            "id": format!("line-{number}"), "sku": format!("LARGE-{number}"), "title": format!("Thing {number}"),
            "quantity": 3, "unit_price": "12.50", "tax": "7.13",
        })
    };
    let cents = LINES * (3 * 1_250 + 713);
    let total = format!("{}.{:02}", cents / 100, cents % 100);
    json!({
        "id": order, "number": order, "currency": "USD", "taxes_included": false,
        "lines": (0..LINES).map(line).collect::<Vec<Value>>(),
        "payments": [{ "id": "card", "kind": "online", "gateway": "simulated", "captured": total }],
        "total": total, "paid": total,
    })
}
