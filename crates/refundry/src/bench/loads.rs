//! The scenarios that send requests from many connections: create, quote, get, mixed.

use anyhow::Context as _;
use tokio::runtime::Runtime;

use super::args::{BenchArgs, Scenario};
use super::ask::Kind;
use super::baseline::{self, Bare};
use super::load::{self, Load, Measured, Pace, SETTLING_MAX, Stage, WriterFigures};
use super::progress::Progress;
use super::report::{Latency, Rate, Report, seconds};
use super::session::Session;

/// Drawn from with equal chances.
pub(super) const MIXED: &[Kind] = &[
    Kind::Create,
    Kind::Create,
    Kind::Create,
    Kind::Create,
    Kind::Create,
    Kind::Quote,
    Kind::Quote,
    Kind::Get,
    Kind::Get,
    Kind::List,
];

/// Measures one of them, and the bare loop after it where that is asked for.
pub(super) fn run(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let mix: &[Kind] = match args.scenario {
        Scenario::Quote => &[Kind::Quote],
        Scenario::Get => &[Kind::Get],
        Scenario::Mixed => MIXED,
        _ => &[Kind::Create],
    };
    let session = Session::open(args, runtime, progress)?;
    let load = Load {
        access: session.access.clone(),
        source: session.source(runtime, mix, args.seed)?,
        connections: args.connections(),
        pace: args.rate.map_or(Pace::Closed, Pace::Open),
        warmup: args.warmup,
        window: args.duration(),
        seed: args.seed,
    };
    let measured = runtime.block_on(measure(&load, progress));
    progress.clear();
    let mut report = report(args, &load, &measured?);
    session.describe(&mut report);
    let size = session.catalog.size;
    // The server is stopped before anything else runs, so that what it may log then does not come between.
    let place = session.stop();
    if args.baseline && report.failure.is_none() {
        let place = place.context("the bare loop needs a folder")?;
        let bare = Bare { size, warmup: args.warmup, window: args.duration() };
        report.baseline = Some(baseline::run(&bare, &place, runtime, progress)?);
    }
    Ok(report)
}

/// Runs the load, until it is done or somebody interrupts: then whatever was started is still stopped and removed.
async fn measure(load: &Load, progress: &Progress) -> anyhow::Result<Measured> {
    tokio::select! {
        measured = load::run(load, |stage, answers| progress.say(sentence(stage, answers))) => measured,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(anyhow::anyhow!("interrupted")),
            Err(error) => Err(error).context("cannot wait for signals"),
        },
    }
}

fn sentence(stage: Stage, answers: u64) -> String {
    match stage {
        Stage::WarmUp(left) => format!("warming up, {:.0} s left", left.as_secs_f64()),
        Stage::Window(left) => format!("measuring, {:.0} s left, {answers} answers", left.as_secs_f64()),
        Stage::Settling => format!("{answers} answers, waiting until all refunds are settled"),
    }
}

/// What the figures of a load come to.
pub(super) fn report(args: &BenchArgs, load: &Load, measured: &Measured) -> Report {
    let Measured { tally, settling, writer } = measured;
    let created = tally.of(Kind::Create).len();
    let mut report = Report { scenario: args.scenario.name(), failure: failure(measured), ..Report::default() };
    if let (true, Some(settling)) = (load.source.mix.contains(&Kind::Create), settling) {
        let mut settled = Rate::of("settled refunds", created, load.window + *settling);
        settled.detail = format!("{created} in {} + {}", seconds(load.window), seconds(*settling));
        report.rates.push(settled);
        report.rates.push(Rate::of("accepted refunds", created, load.window));
    }
    if load.source.mix != [Kind::Create] {
        report.rates.push(Rate::of("requests", tally.answers(), load.window));
    }
    for kind in Kind::ALL {
        if !tally.of(kind).is_empty() {
            report.latencies.push(Latency::of(kind.name(), tally.of(kind)));
        }
    }
    report.figures.extend(writer.and_then(WriterFigures::figure));
    report.setup.push(("errors", tally.errors.to_string()));
    let loop_ = match load.pace {
        Pace::Closed => "closed loop".to_owned(),
        Pace::Open(rate) => format!("open loop at {rate} requests/s"),
    };
    report.setup.push(("load", format!("{} connections, {loop_}, seed {}", load.connections, load.seed)));
    report
}

/// Why the run does not count, if it does not.
fn failure(measured: &Measured) -> Option<String> {
    let Measured { tally, settling, .. } = measured;
    if let Some(first) = &tally.first_error {
        return Some(format!("{} answers were not as they should be; the first: {first}", tally.errors));
    }
    if settling.is_none() {
        return Some(format!("some refunds were still pending {} s after the window", SETTLING_MAX.as_secs()));
    }
    (tally.answers() == 0).then(|| "no request was answered in the window".to_owned())
}
