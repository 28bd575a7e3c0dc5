//! `refundry import` as somebody would run it: a child process, a file of orders, an embedded database beside it.
//!
//! Native orders are those of the data set, without their history. Orders of a platform are the examples of this
//! project, which are as long as the platform's own, one after another under new ids.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use refundry_engine::clock::Clock;
use serde_json::Value;

use super::args::BenchArgs;
use super::dataset::document::document;
use super::dataset::order::intake;
use super::dataset::{Catalog, Size};
use super::progress::Progress;
use super::report::{Rate, Report, processors};
use super::server::{Folder, Place};
use super::session::run_name;

/// Orders of a file where nobody says.
const ORDERS_DEFAULT: u32 = 20_000;

/// A format, the name of its rate, and the examples it is made from.
type Format = (&'static str, &'static str, &'static [&'static str]);

macro_rules! examples {
    ($($file:literal),+) => {
        &[$(include_str!(concat!("../../../../examples/orders/", $file))),+]
    };
}

const FORMATS: [Format; 4] = [
    ("native", "native orders", &[]),
    (
        "shoplazza",
        "Shoplazza orders",
        examples!(
            "shoplazza/euro-market-tax-included-delivered.json",
            "shoplazza/gift-card-and-card-fees-and-duty.json",
            "shoplazza/two-lines-discount-added-tax.json",
            "shoplazza/two-payments-two-refunds-already.json"
        ),
    ),
    (
        "shopline",
        "SHOPLINE orders",
        examples!(
            "shopline/gift-card-and-card-with-tip.json",
            "shopline/tax-included-paid-in-pounds.json",
            "shopline/two-lines-discount-added-tax.json",
            "shopline/two-refunds-already.json"
        ),
    ),
    (
        "digital-river",
        "Digital River orders",
        examples!(
            "digital-river/gift-card-and-card-vat.json",
            "digital-river/one-line-captured-one-open.json",
            "digital-river/two-lines-discounts-added-tax.json",
            "digital-river/two-refunds-already.json"
        ),
    ),
];

/// Measures each format, one after another, into one database.
pub(super) fn run(args: &BenchArgs, progress: &Progress) -> anyhow::Result<Report> {
    let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
    let files = Folder::new_in(place.folder()?, "imports")?;
    let count = args.orders.unwrap_or(ORDERS_DEFAULT);
    let handle = run_name();
    let added = place.command(&["store", "add", &handle])?.stdout(Stdio::null()).status();
    ensure!(added.context("cannot add a store")?.success(), "no store could be added");
    let mut report = Report { scenario: args.scenario.name(), ..Report::default() };
    for (from, name, examples) in FORMATS {
        progress.say(format!("writing {count} {name}"));
        let file = files.path.join(format!("{from}.ndjson"));
        write(&file, examples, count, args.seed)?;
        progress.say(format!("importing {count} {name}"));
        let took = import(&place, &handle, from, &file, count)?;
        report.rates.push(Rate::of(name, u64::from(count), took));
        std::fs::remove_file(&file).context("cannot remove a file of orders")?;
    }
    report.setup.push(("orders", format!("{count} of each, one NDJSON file; the process from start to end")));
    report.setup.push(("data", place.described()));
    report.setup.push(("processors", processors().to_string()));
    Ok(report)
}

fn write(file: &Path, examples: &[&str], count: u32, seed: u64) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(file).context("cannot write a file of orders")?);
    if examples.is_empty() {
        let catalog = Catalog { prefix: format!("{}-", run_name()), size: Size { orders: count, refunds: 0, seed } };
        for index in 0..count {
            writeln!(out, "{}", document(&intake(&catalog, index).order))?;
        }
    } else {
        let templates = examples.iter().map(|text| Template::of(text)).collect::<anyhow::Result<Vec<Template>>>()?;
        // Ids of this second and its successors: a folder that is kept has none of them yet.
        let first = Clock::System.now_ms().unsigned_abs() / 1_000 * 1_000_000;
        for (number, template) in (first..first + u64::from(count)).zip(templates.iter().cycle()) {
            writeln!(out, "{}", template.with_number(number))?;
        }
    }
    out.flush().context("cannot write a file of orders")
}

/// An example order on one line, and the digits that its id ends in.
pub(super) struct Template {
    line: String,
    id: String,
    digits: usize,
}

impl Template {
    pub(super) fn of(text: &str) -> anyhow::Result<Self> {
        let document: Value = serde_json::from_str(text).context("an example is not JSON")?;
        let order = document.get("order").unwrap_or(&document);
        let id = order.get("id").and_then(Value::as_str).context("an example has no id")?.to_owned();
        let digits = id.bytes().rev().take_while(u8::is_ascii_digit).count().min(18);
        Ok(Self { line: document.to_string(), id, digits })
    }

    /// The same order under another id of the same length.
    pub(super) fn with_number(&self, number: u64) -> String {
        let number = number % 10_u64.pow(u32::try_from(self.digits).unwrap_or(0));
        let kept = self.id.len().saturating_sub(self.digits);
        let id = format!("{}{number:0width$}", self.id.get(..kept).unwrap_or_default(), width = self.digits);
        self.line.replace(&self.id, &id)
    }
}

fn import(place: &Place, handle: &str, from: &str, file: &Path, count: u32) -> anyhow::Result<Duration> {
    let rejects = file.with_extension("rejects");
    let mut command = place.command(&["import", "--json", "--from", from, "--store", handle])?;
    command.arg("--rejects").arg(&rejects).arg(file).stderr(Stdio::inherit());
    let started = Instant::now();
    let output = command.output().context("cannot start an import")?;
    let took = started.elapsed();
    let summary = String::from_utf8_lossy(&output.stdout);
    let created = serde_json::from_str::<Value>(summary.trim()).ok().and_then(|s| s.get("created")?.as_u64());
    ensure!(created == Some(u64::from(count)), "not all orders were new: {}", summary.trim());
    Ok(took)
}
