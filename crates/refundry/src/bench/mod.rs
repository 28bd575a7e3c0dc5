//! `refundry bench`: what a server can do, measured from outside, next to what the disk and the processors allow.
//!
//! Over HTTP it knows the server by its own API only, so that it measures what a client would see. It must never add
//! work of its own to what it measures: the load shares the processors with the server.
//!
//! Reading order: `args` (what can be asked), `session` (a server with a data set), `load` and `loads` (many requests),
//! then any other scenario, `baseline` (the bare loops), and `report`.

mod args;
mod ask;
mod baseline;
mod case_lists;
mod chart;
mod client;
mod dataset;
mod engine;
mod help;
mod imports;
mod large_order;
mod lists;
mod load;
mod loads;
mod one_order;
mod order_lists;
mod progress;
mod random;
mod report;
mod server;
mod session;
mod start;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, bail};

pub(crate) use self::args::BenchArgs;
use self::args::Scenario;
use self::progress::Progress;
use crate::serve::say;

/// Measures, prints the figures, and fails if anything went wrong on the way.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    args.check()?;
    // One thread is enough to send, and leaves the others to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let progress = Progress::start();
    let report = match args.scenario {
        Scenario::Create | Scenario::Quote | Scenario::Get | Scenario::Mixed => loads::run(args, &runtime, &progress),
        Scenario::List => lists::run(args, &runtime, &progress),
        Scenario::OrderList => order_lists::run(args, &progress),
        Scenario::Engine => engine::run(args, &runtime, &progress),
        Scenario::OneOrder => one_order::run(args, &runtime, &progress),
        Scenario::LargeOrder => large_order::run(args, &runtime, &progress),
        Scenario::Import => imports::run(args, &progress),
        Scenario::Start => start::run(args, &runtime, &progress),
        Scenario::Baseline => baseline::alone(args, &runtime, &progress),
    };
    progress.clear();
    let report = report?;
    if let Some(file) = &args.svg {
        std::fs::write(file, chart::svg(&report)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say(&if args.json { report.json().to_string() } else { report.text() })?;
    match report.failure {
        None => Ok(()),
        Some(failure) => bail!(failure),
    }
}
