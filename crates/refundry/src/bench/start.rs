//! How long a server takes from its start until it has answered a request, on the data set that is there.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hyper::{StatusCode, Uri};
use tokio::runtime::Runtime;

use super::args::BenchArgs;
use super::client::{Access, Connection};
use super::load::{histogram, micros};
use super::progress::Progress;
use super::report::{Latency, Report, processors};
use super::server::{Place, Server};
use super::session::data_set;

/// How often it is started.
const STARTS: u32 = 10;

/// Measures some starts, each after a clean stop.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
    let catalog = data_set(args, &place, progress)?;
    let mut latency_us = histogram()?;
    let mut memory = None;
    for number in 0..STARTS {
        progress.count("starts", number, STARTS);
        let (took, server) = start(args, &place, runtime)?;
        latency_us.saturating_record(micros(took));
        memory = server.memory();
    }
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    report.latencies.push(Latency::of("until it answers", &latency_us));
    report.figures.extend(memory.map(super::server::Memory::figure));
    report.setup.push(("data set", catalog.size.to_string()));
    report.setup.push(("data", place.described()));
    report.setup.push(("processors", processors().to_string()));
    Ok(report)
}

fn start(args: &BenchArgs, place: &Place, runtime: &Runtime) -> anyhow::Result<(Duration, Server)> {
    let started = Instant::now();
    let server = Server::start(place)?;
    let access = Access::new(&server.target, &args.token)?;
    let (status, body) = runtime.block_on(async {
        let mut connection = Connection::open(&access).await?;
        connection.send(access.get(Uri::from_static("/v1/refunds?limit=1"))).await
    })?;
    ensure!(status == StatusCode::OK, "the first answer: {}: {}", status.as_u16(), String::from_utf8_lossy(&body));
    Ok((started.elapsed(), server))
}
