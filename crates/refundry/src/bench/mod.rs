//! `refundry bench`: how many refunds a server settles in a second, measured from outside, over HTTP.
//!
//! It knows the server by its own API only, so that it measures what a client would see, on any machine, with any
//! database. It must never add work of its own to what it measures: the load shares the processors with the server.

mod client;
mod load;
mod orders;
mod report;
mod server;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::ProgressBar;
use refundry_engine::clock::Clock;

use self::client::{Access, Target};
use self::load::{Load, Measured, Stage};
use self::orders::Orders;
use self::report::{Report, Subject};
use self::server::Server;
use crate::serve::say;

/// What the figures mean; the end of `refundry bench --help`.
const FIGURES: &str = "\
How it works:
  The orders are imported first: 4 lines of 1,000 units at 10.00, tax included, paid by one online payment over the
  gateway `simulated`. Then every connection sends one refund after another: one unit of a line and an order picked at
  random, each with an Idempotency-Key of its own. The next one is sent when the answer is there (a closed loop), so
  the load never grows beyond the number of connections. Figures are taken during --duration, after --warmup.

Figures:
  settled refunds/s    Refunds accepted in the window, divided by the window plus the time to settle the rest: from
                       the end of the window until the server answers that no refund made by this run is pending any
                       more. That time is asked for every 20 ms, for 60 s at most. Refunds left over from the warm-up
                       and those answered after the window are settled in it too, and not counted.
  accepted refunds/s   Refunds accepted in the window, divided by the window. Accepted is what was answered with 201
                       inside the window: decided, committed to disk, and sure to be paid out, but maybe not yet.
  p50 p90 p99 max      Time of those answers, from just before the request is written until the whole answer is read;
                       three digits are exact. With fixed connections, a slow server is asked less often: read it
                       together with the rate. --json gives microseconds.
  errors               Answers other than 201 and connections lost, the warm-up included. With any, the exit code is 1
                       and the first of them is shown.
  jobs/transaction     What the server's writer committed together in the window, from its /metrics: a refund is a job
                       when it is accepted, and again when the gateway's answer is recorded.

Commits are durable: the server answers after its database has the refund on disk. A folder in memory (tmpfs) makes
that look free; without --data the folder is in the system's place for temporary files, and the report names its file
system. Load and server share this machine's processors unless --url names another machine. Nothing else should talk
to the server during the run.";

/// What to measure, and how.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIGURES)]
pub(crate) struct BenchArgs {
    /// Base URL of the server to measure; without it, one is started for the run and stopped afterwards
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    url: Option<Target>,
    /// Token that may write orders and read refunds
    #[arg(long, default_value = "sk_test_demo")]
    token: String,
    /// Folder for the database of the server that is started; it is kept. Without it, a temporary one that is removed
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Connections, each with one refund under way
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000))]
    connections: u32,
    /// Orders to import and to pick from
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    orders: u32,
    /// How long to send before anything is measured, e.g. 2s or 500ms
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    warmup: Duration,
    /// How long to measure
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time_above_zero)]
    duration: Duration,
    /// Seed of the order in which orders and lines are picked
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Measures, prints the figures, and fails if anything went wrong on the way.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    // One thread is enough to send, and leaves the others to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let server = match &args.url {
        Some(_) => None,
        None => Some(Server::start(args.data.as_deref())?),
    };
    let target = args.url.clone().or_else(|| server.as_ref().map(|s| s.target.clone())).context("no server")?;
    let subject = Subject {
        url: target.to_string(),
        data: server.as_ref().map(|s| (s.data().to_path_buf(), server::filesystem_of(s.data()))),
    };
    let load = Load {
        access: Access::new(&target, &args.token)?,
        orders: Orders { run: format!("bench-{}", Clock::System.now_ms()), count: args.orders },
        connections: args.connections,
        warmup: args.warmup,
        window: args.duration,
        seed: args.seed,
    };
    let measured = runtime.block_on(measure(&load))?;
    // The server is stopped before the figures are printed, so that what it may log then does not come between.
    drop(server);
    let report = Report { subject: &subject, load: &load, measured: &measured };
    say(&if args.json { report.json().to_string() } else { report.text() })?;
    match report.failure() {
        None => Ok(()),
        Some(failure) => bail!(failure),
    }
}

/// Runs the load, until it is done or somebody interrupts: then whatever was started is still stopped and removed.
async fn measure(load: &Load) -> anyhow::Result<Measured> {
    let progress = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let measured = tokio::select! {
        measured = load::run(load, |stage, accepted| progress.set_message(sentence(stage, accepted))) => measured,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(anyhow::anyhow!("interrupted")),
            Err(error) => Err(error).context("cannot wait for signals"),
        },
    };
    progress.finish_and_clear();
    measured
}

fn sentence(stage: Stage, accepted: u32) -> String {
    match stage {
        Stage::Importing => "importing orders".to_owned(),
        Stage::WarmUp(left) => format!("warming up, {:.0} s left", left.as_secs_f64()),
        Stage::Window(left) => format!("measuring, {:.0} s left, {accepted} refunds accepted", left.as_secs_f64()),
        Stage::Settling => format!("{accepted} refunds accepted, waiting until all are settled"),
    }
}

/// Reads `500ms`, `2s` or `3m`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: Option<u32> = digits.parse().ok();
    let unit_ms = match text.strip_prefix(digits) {
        Some("ms") => Some(1),
        Some("s") => Some(1_000),
        Some("m") => Some(60_000),
        _ => None,
    };
    match number.zip(unit_ms) {
        Some((number, unit_ms)) => Ok(Duration::from_millis(u64::from(number) * unit_ms)),
        None => Err("a whole number with its unit is expected: 500ms, 2s or 3m".to_owned()),
    }
}

fn time_above_zero(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(time) }
}
