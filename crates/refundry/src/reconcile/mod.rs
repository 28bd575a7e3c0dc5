//! `refundry reconcile`: our legs against the provider's, to the cent. Looks, and changes nothing: what differs is for
//! a person, with the likely match beside it.

mod books;
mod matching;
mod report;
mod statements;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use refundry_engine::clock::Clock;
use refundry_engine::store::Store;
use refundry_engine::store::gateways::{self, GatewayRecord};
use refundry_engine::store::stores::{self, StoreRecord};
use refundry_gateways::drivers::driver;
use refundry_gateways::{Driver, Gateway, Settings, Simulated, StatementLine};

use crate::cli::DataArgs;
use crate::database;
use crate::gateways::{SecretsArgs, Vault, driver_called};
use crate::serve::say;
use books::Books;
use matching::{SLACK_MS, Scope, Span, Theirs, compare};
use report::Head;

/// Exit code when something differs.
const DIFFERS: u8 = 5;
/// Exit code of a command that was not understood.
const MISUSE: u8 = 2;

/// How to reconcile.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("whose").required(true).multiple(true).args(["gateway", "provider"])))]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    secrets: SecretsArgs,
    /// Handle of the store; may be left out where there is only one
    #[arg(long)]
    store: Option<String>,
    /// The gateway whose legs are compared, as the store calls it
    #[arg(long)]
    gateway: Option<String>,
    /// The driver that reads the files, where no gateway of it is configured (or just one, which is then meant)
    #[arg(long, value_name = "DRIVER")]
    provider: Option<String>,
    /// Compare what was made from this day (UTC) or time on; without files, the provider is asked
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "to", required_unless_present = "files")]
    from: Option<i64>,
    /// … and before this one
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    to: Option<i64>,
    /// Base URL of a simulated payment provider, to ask the built-in gateway `simulated`
    #[arg(long, env = "REFUNDRY_SIMULATED_URL", value_name = "URL")]
    simulated_url: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Reports that the provider offers for download
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A day, which begins at midnight UTC, or a time as RFC 3339 has it.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    // A longer text would be a time without its zone, whose hours must not be dropped.
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let day = day.ok_or("it is neither a day (2026-11-01) nor a time with its zone (2026-11-01T00:00:00Z)")?;
    let midnight = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0));
    midnight.map(Timestamp::as_millisecond).map_err(|_| "it is out of range".to_owned())
}

/// Compares and reports.
pub(crate) fn run(args: &ReconcileArgs) -> anyhow::Result<ExitCode> {
    let named = match (args.from, args.to) {
        (Some(from_ms), Some(to_ms)) if from_ms < to_ms => Some(Span { from_ms, to_ms }),
        (Some(_), Some(_)) => {
            writeln!(std::io::stderr(), "refundry: --from must be before --to")?;
            return Ok(ExitCode::from(MISUSE));
        }
        _ => None,
    };
    let store = database::open_existing(&args.data)?;
    let tenant = tenant(&store, args.store.as_deref())?;
    let target = Target::of(args, &store, &tenant)?;
    let progress = progress();
    let seen = |count| progress.inc(count);
    // Before it is asked: what is made while its pages are read may be on none of them.
    let asked_ms = args.files.is_empty().then(|| Clock::System.now_ms());
    let theirs = match named {
        Some(span) if args.files.is_empty() => statements::by_asking(&*target.open(args)?, widened(span), &seen)?,
        _ => statements::from_files(&target.reader(args)?, &args.files)?,
    };
    let Some(scope) = scope(named, asked_ms, &theirs) else {
        bail!("the files do not say which time they are of: name it with --from and --to");
    };
    let mut books = Books::new(&store, tenant.id, &target.gateway);
    let read = "the books cannot be read";
    let Span { from_ms, to_ms } = widened(scope.span);
    books.read_span((from_ms, to_ms), &theirs, &seen).context(read)?;
    books.look_up(&theirs, &seen).context(read)?;
    let (ours, hints) = books.done();
    let found = compare(&ours, theirs, &hints, scope);
    progress.finish_and_clear();
    let span = scope.span;
    let head = Head { store: &tenant.handle, gateway: &target.gateway, driver: target.driver.name, span };
    if args.json {
        say(&report::as_json(&head, &found).to_string())?;
    } else {
        report::print(&head, &found)?;
    }
    Ok(if found.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

fn tenant(store: &Store, handle: Option<&str>) -> anyhow::Result<StoreRecord> {
    if let Some(handle) = handle {
        let found = store.read(|tx| stores::by_handle(tx, handle))?;
        return found.with_context(|| format!("no store is called {handle}; `refundry store list` shows all"));
    }
    let mut all = store.read(stores::list)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => bail!("there is no store yet; `refundry store add HANDLE` makes one"),
        _ => bail!("there are several stores; name one with --store"),
    }
}

/// Whose legs are compared, and who reads the other side.
struct Target {
    /// As legs name it.
    gateway: String,
    driver: &'static Driver,
    /// What the store configured; `None` for a built-in gateway, or one that is not there any more.
    record: Option<GatewayRecord>,
}

impl Target {
    fn of(args: &ReconcileArgs, store: &Store, tenant: &StoreRecord) -> anyhow::Result<Self> {
        let configured = store.read(|tx| gateways::list(tx, tenant.id))?;
        let provider = args.provider.as_deref().map(driver_called).transpose()?;
        if let Some(name) = &args.gateway {
            let record = configured.into_iter().find(|record| record.name == *name);
            let own = match &record {
                Some(record) => Some(driver_called(&record.driver)?),
                None => driver(name),
            };
            let driver = provider.or(own).with_context(|| {
                let handle = &tenant.handle;
                format!("the store {handle} has no gateway {name}; where it had one, name its driver with --provider")
            })?;
            let own = own.filter(|own| record.is_some() && own.name != driver.name);
            ensure!(own.is_none(), "the gateway {name} has another driver than {}", driver.name);
            return Ok(Self { gateway: name.clone(), driver, record });
        }
        let driver = provider.context("name a --gateway or a --provider")?;
        let mut fitting: Vec<GatewayRecord> = configured.into_iter().filter(|r| r.driver == driver.name).collect();
        ensure!(fitting.len() < 2, "several gateways have the driver {}: name one with --gateway", driver.name);
        let record = fitting.pop();
        let gateway = record.as_ref().map_or_else(|| driver.name.to_owned(), |record| record.name.clone());
        Ok(Self { gateway, driver, record })
    }

    /// The gateway itself, with its secrets, to be asked.
    fn open(&self, args: &ReconcileArgs) -> anyhow::Result<Arc<dyn Gateway>> {
        let opened = match (&self.record, self.driver.name, &args.simulated_url) {
            (Some(record), _, _) => self.driver.open(&Vault::open(&args.secrets)?.settings(record)?),
            (None, "simulated", Some(url)) => return Ok(Arc::new(Simulated::remote(url))),
            (None, "simulated", None) => bail!("where is the simulated provider? Name it with --simulated-url"),
            (None, ..) => self.driver.open(&Settings::default()),
        };
        opened.with_context(|| format!("the gateway {} cannot be asked", self.gateway))
    }

    /// How files are read: without secrets, wherever that can be.
    fn reader(
        &self,
        args: &ReconcileArgs,
    ) -> anyhow::Result<impl Fn(&[u8]) -> Result<Vec<StatementLine>, refundry_gateways::StatementFault>> {
        let shown = self.record.as_ref().map(|record| serde_json::from_str(&record.settings)).transpose();
        let shown: BTreeMap<String, String> =
            shown.context("its settings are no JSON object of texts")?.unwrap_or_default();
        let reader = self.driver.file_reader();
        let opened = if reader.is_none() { Some(self.open(args)?) } else { None };
        let shown = Settings(shown);
        Ok(move |file: &[u8]| match (reader, &opened) {
            (Some(read), _) => read(&shown, file),
            (None, Some(gateway)) => gateway.statement(file),
            (None, None) => Ok(Vec::new()),
        })
    }
}

/// A day more on either side: what lies there explains what would be missing.
fn widened(span: Span) -> Span {
    Span { from_ms: span.from_ms.saturating_sub(SLACK_MS), to_ms: span.to_ms.saturating_add(SLACK_MS) }
}

/// Which time is compared: the one that was named, else from the first line to the last. A provider that was asked at
/// a moment says nothing of what comes after it.
fn scope(named: Option<Span>, asked_ms: Option<i64>, theirs: &[Theirs]) -> Option<Scope> {
    let made = || theirs.iter().filter_map(|theirs| theirs.line.made_ms);
    let held = made().min().zip(made().max()).map(|(from_ms, to_ms)| (from_ms, to_ms.saturating_add(1)));
    let held = held.map(|(from_ms, to_ms)| Span { from_ms, to_ms });
    let span = named.or(held)?;
    let covered = match (held, asked_ms) {
        (_, Some(asked_ms)) => {
            let Span { from_ms, to_ms } = widened(span);
            Span { from_ms, to_ms: to_ms.min(asked_ms) }
        }
        (Some(held), None) => Span { from_ms: held.from_ms.min(span.from_ms), to_ms: held.to_ms.max(span.to_ms) },
        (None, None) => span,
    };
    Some(Scope { span, covered })
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} refunds and lines, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}
