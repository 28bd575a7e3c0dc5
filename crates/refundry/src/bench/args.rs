//! The options of `refundry bench`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use super::client::Target;
use super::dataset::Wish;
use super::help::FIGURES;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// Refunds of one unit of a random line of a random order
    Create,
    /// Quotes of the same
    Quote,
    /// Single refunds by their id
    Get,
    /// The list of refunds under each filter, alone, with an order and with a time range
    List,
    /// The lists of orders and their counts, under each filter and pairs of them, and of cases, read in this process
    OrderList,
    /// Of ten requests five create a refund, two quote one, two get one and one lists those of an order
    Mixed,
    /// The engine in this process, without HTTP
    Engine,
    /// Ten thousand refunds of one order, one after another
    OneOrder,
    /// Full refunds of orders with a thousand lines
    LargeOrder,
    /// `refundry import`, from each format
    Import,
    /// How long a server takes from its start until it answers
    Start,
    /// The bare loop that the others are compared with, alone
    Baseline,
}

impl Scenario {
    /// As it is written on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Quote => "quote",
            Self::Get => "get",
            Self::List => "list",
            Self::OrderList => "order-list",
            Self::Mixed => "mixed",
            Self::Engine => "engine",
            Self::OneOrder => "one-order",
            Self::LargeOrder => "large-order",
            Self::Import => "import",
            Self::Start => "start",
            Self::Baseline => "baseline",
        }
    }

    /// Whether it settles refunds at a rate that a bare loop can be compared with.
    fn has_baseline(self) -> bool {
        matches!(self, Self::Create | Self::Mixed | Self::Engine)
    }

    /// Whether it sends requests from many connections.
    fn is_load(self) -> bool {
        matches!(self, Self::Create | Self::Quote | Self::Get | Self::Mixed)
    }

    /// Whether it can be run against a server that somebody else started.
    fn is_remote(self) -> bool {
        !matches!(self, Self::OrderList | Self::Engine | Self::Import | Self::Start | Self::Baseline)
    }
}

/// What to measure, and how.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = FIGURES)]
pub(crate) struct BenchArgs {
    /// What to measure
    #[arg(value_enum, default_value_t = Scenario::Create)]
    pub(super) scenario: Scenario,
    /// Base URL of the server to measure; without it, one is started for the run and stopped afterwards
    #[arg(long, value_name = "URL", conflicts_with_all = ["data", "database", "baseline", "refunds"])]
    pub(super) url: Option<Target>,
    /// Token that may write orders and read refunds
    #[arg(long, default_value = "sk_test_demo")]
    pub(super) token: String,
    /// Folder for the embedded database; it is kept, and its data set is used again. Without it, a temporary one
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// URL of the database that the server is started on (postgres://…), instead of the embedded one
    #[arg(long, env = "REFUNDRY_DATABASE", value_name = "URL")]
    pub(super) database: Option<String>,
    /// Orders of the data set [default: 2000, or those that are there]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(super) orders: Option<u32>,
    /// Refunds that those orders already have [default: 0, or those that are there]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000_000))]
    pub(super) refunds: Option<u32>,
    /// Connections (callers of `engine`), each with one request under way
    /// [default: 64; 256 with --rate; 4 for `list`, 1 for `order-list`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(super) connections: Option<u32>,
    /// Requests a second, sent on a fixed schedule however slow the answers are (an open loop)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) rate: Option<u32>,
    /// How long to send before anything is measured: 2s, 500ms, or a number of seconds
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = time)]
    pub(super) warmup: Duration,
    /// How long to measure; each filter of `list` [default: 10s; 1s for the lists]
    #[arg(long, visible_alias = "seconds", value_name = "TIME", value_parser = time_above_zero)]
    duration: Option<Duration>,
    /// Seed of the data set, and of the order in which orders and lines are picked
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) seed: u64,
    /// Measure the bare loop too, on the same disk with as many rows, and print the ratio
    #[arg(long)]
    pub(super) baseline: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// Draw the figures into this file
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
}

impl BenchArgs {
    /// Refuses options that would be left out of account.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let name = self.scenario.name();
        ensure!(!self.baseline || self.scenario.has_baseline(), "there is no bare loop to compare `{name}` with");
        ensure!(self.rate.is_none() || self.scenario.is_load(), "`{name}` is not sent at a rate");
        ensure!(self.url.is_none() || self.scenario.is_remote(), "`{name}` starts its own server: leave out --url");
        Ok(())
    }

    pub(super) fn wish(&self) -> Wish {
        Wish { orders: self.orders, refunds: self.refunds, seed: self.seed }
    }

    pub(super) fn duration(&self) -> Duration {
        let default = if matches!(self.scenario, Scenario::List | Scenario::OrderList) { 1 } else { 10 };
        self.duration.unwrap_or(Duration::from_secs(default))
    }

    /// Connections where none are asked for: with a schedule there must be more than are ever busy at once.
    pub(super) fn connections(&self) -> u32 {
        let default = match (self.scenario, self.rate) {
            (Scenario::List, _) => 4,
            (Scenario::OrderList, _) => 1,
            (_, Some(_)) => 256,
            _ => 64,
        };
        self.connections.unwrap_or(default)
    }
}

/// Reads `500ms`, `2s`, `3m`, or a number of seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: Option<u32> = digits.parse().ok();
    let unit_ms = match text.strip_prefix(digits) {
        Some("ms") => Some(1),
        Some("s" | "") => Some(1_000),
        Some("m") => Some(60_000),
        _ => None,
    };
    match number.zip(unit_ms) {
        Some((number, unit_ms)) => Ok(Duration::from_millis(u64::from(number) * unit_ms)),
        None => Err("a whole number with its unit is expected: 500ms, 2s or 3m".to_owned()),
    }
}

pub(super) fn time_above_zero(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(time) }
}
