//! The bare loops that set the limit: what a refund has to write, written by hand, and nothing else.
//!
//! They know no money, no rules, no HTTP and no provider. Each is one small file, so that a reader can check that it is
//! fair: that it writes the rows a refund needs, durably, on indexes of the same size, and no more than that.

pub(super) mod sqlite;

use std::time::Duration;

use tokio::runtime::Runtime;

use super::dataset::Size;
use super::progress::Progress;
use super::random::Random;
use super::report::Rate;
use super::server::{Folder, Place};

/// Runs the loop that belongs to a place, on the same disk, in a folder of its own.
pub(super) fn run(bare: &Bare, place: &Place, _runtime: &Runtime, progress: &Progress) -> anyhow::Result<Rate> {
    let folder = Folder::new_in(place.folder()?, "bare-loop")?;
    Ok(sqlite::run(bare, &folder.path, &|what| progress.say(what))?.rate("bare loop on SQLite"))
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
const BODY: &str = "[1,\"native\",null,\"\",0,\"parts\",1999,0,[[1,1680,319,0,0,null,\"unit_shares\",2,1,0]],\
    [[1,\"shipped\",0,1,1680,319,0,0,0,\"no_restock\",\"\",0]],\
    [[176722560012345678,0,1999,1999,\"original\",\"\"]],[\"payment\",0,39998001]]";

/// What the provider made of it, before and after it answered.
const LEGS_SENT: &str = "[[\"waiting\"]]";
const LEGS_SETTLED: &str = "[[\"succeeded\",1767225600000,\"sim_176722560012345678\"]]";

/// A hash of a request, as long as ours is.
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A key that a caller would make up: random, so that keys lie all over their index.
fn key(random: &mut Random) -> String {
    format!("{:016x}{:016x}", random.bits(), random.bits())
}
