//! The bare loops that set the limit: what a refund has to write, written by hand, and nothing else.
//!
//! They know no money, no rules, no HTTP and no provider. Each is one small file, so that a reader can check that it is
//! fair: that it writes the rows a refund needs, durably, on indexes of the same size, and no more than that.

mod postgres;
pub(super) mod sqlite;

use std::time::Duration;

use tokio::runtime::Runtime;

use super::args::BenchArgs;
use super::dataset::Size;
use super::progress::Progress;
use super::random::Random;
use super::report::{Rate, Report, processors};
use super::server::{Folder, Place};
use super::session::ORDERS_DEFAULT;

/// Runs the loop that belongs to a place: on the same database server, or on the same disk in a folder of its own.
pub(super) fn run(bare: &Bare, place: &Place, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Rate> {
    let show = |what: &str| progress.say(what);
    let rate = if let Some(url) = place.database() {
        runtime.block_on(postgres::run(bare, url, &show))?.rate("bare loop on PostgreSQL")
    } else {
        let folder = Folder::new_in(place.folder()?, "bare-loop")?;
        sqlite::run(bare, &folder.path, &show)?.rate("bare loop on SQLite")
    };
    progress.clear();
    Ok(rate)
}

/// The scenario `baseline`: a loop by itself.
pub(super) fn alone(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Report> {
    let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
    let size = args.wish().size(ORDERS_DEFAULT);
    let bare = Bare { size, warmup: args.warmup, window: args.duration() };
    let rates = vec![run(&bare, &place, runtime, progress)?];
    let setup =
        vec![("data set", size.to_string()), ("data", place.described()), ("processors", processors().to_string())];
    Ok(Report { scenario: args.scenario.name(), rates, setup, ..Report::default() })
}

/// How long a loop runs, on how much data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare {
    /// Orders and refunds that are there before it starts.
    pub(super) size: Size,
    pub(super) warmup: Duration,
    pub(super) window: Duration,
}

/// What a loop did: refunds settled in the window, and how long that took, the last of them settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) refunds: u64,
    pub(super) took: Duration,
}

impl Done {
    /// As a line of a report.
    pub(super) fn rate(self, name: &'static str) -> Rate {
        Rate::of(name, self.refunds, self.took)
    }
}

/// The tenant.
const STORE: i64 = 1;

/// An order's sums, as long as ours are: a count that every refund raises, and figures that stay.
fn sums(refunds: u64) -> String {
    format!("{refunds}{SUMS}")
}

/// How many refunds the sums say there were.
fn refunds_in(sums: &str) -> Option<u64> {
    sums.split('|').next()?.parse().ok()
}

const SUMS: &str = "|[[8403361,1596639],[250000,47500],[412,78]],[[0,2],[0,1]],[[0,12999,0,12999]],0,0,1767225600000";

/// What was decided of a refund, as long as ours is.
const BODY: &str = concat!(
    r#"{"n":1,"via":"native","processed":null,"note":"","notify":false,"shape":["parts",null],"amount":11999,"#,
    r#""discrepancy":0,"allocations":[[0,10083,1916,0,0,null,"unit_shares",19,1,0]],"units":[[0,false,false,1,10083,"#,
    r#"1916,0,0,0,"no_restock",""]],"legs":[[179556632859003076,0,11999,11999,false,""]],"cap":[true,0,25833847]}"#
);

/// What the provider made of it, before and after it answered.
const LEGS_SENT: &str = r#"{"l":[["waiting"]]}"#;
const LEGS_SETTLED: &str = r#"{"l":[["succeeded",1795566328626,"sim_179556632859003076",""]]}"#;

/// A hash of a request, as long as ours is.
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A key that a caller would make up: random, so that keys lie all over their index.
fn key(random: &mut Random) -> String {
    format!("{:016x}{:016x}", random.bits(), random.bits())
}
