//! Numbers of ours: 18 decimal digits, ordered in time, unique over all processes without asking anybody.
//!
//! A number is milliseconds (13 digits), the node (2 digits) and a counter (3 digits). The node is leased from a row of
//! the database. The row also keeps a time that no number of this node has passed: it is written ahead in the
//! transaction that first needs it, so that after a crash, or with a clock that jumped back, numbers go on above it.
//!
//! Clocks of several processes never agree, and a busy process runs ahead of its own. So every order keeps the newest
//! number it was given, and whoever holds it goes on above that: the numbers of one order tell what came first.

use refundry_core::limits::ENTRIES_PER_REQUEST_MAX;
use refundry_core::order::Id;
use refundry_store::nodes::{self, Node};
use refundry_store::{StoreError, Tx};

/// How long a node is leased.
const LEASE_MS: i64 = 60_000;
/// How far the high-water mark is written ahead.
const AHEAD_MS: i64 = 5_000;
/// Numbers a node can make per millisecond; a busier one runs ahead of the clock.
const PER_MS: i64 = 1_000;

/// When a number was made, epoch milliseconds, give or take what its maker ran ahead of the clock.
pub(crate) fn made_ms(id: Id) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX) / PER_MS / 100
}

/// The lowest number that the refund of a leg can have: a refund is numbered right before its legs, by the same maker.
pub(crate) fn lowest_refund(leg: Id) -> Id {
    let legs = i64::try_from(ENTRIES_PER_REQUEST_MAX).unwrap_or(i64::MAX) + 1;
    let ms = (made_ms(leg) - legs / PER_MS - 1).max(0);
    Id::try_from(ms * 100 * PER_MS).unwrap_or(0)
}

/// Makes numbers for one process.
pub(crate) struct Ids {
    holder: String,
    node: Option<Leased>,
    /// Milliseconds times [`PER_MS`] plus counter of the last number.
    last: i64,
}

struct Leased {
    node: i64,
    until_ms: i64,
    /// Written in the database: no number passes it before it is raised.
    high_ms: i64,
}

impl Ids {
    /// A maker without a node yet; `holder` tells this process from all others.
    pub(crate) fn new(holder: String) -> Self {
        Self { holder, node: None, last: 0 }
    }

    /// Numbers for the running transaction.
    ///
    /// Everything it writes is part of the transaction. If that is rolled back, the marks in memory may be ahead of the
    /// database, so call [`Ids::forget`] then.
    pub(crate) fn begin(&mut self, tx: &mut Tx<'_>, now_ms: i64) -> Result<(), StoreError> {
        let fresh = |leased: &Leased, last: i64| {
            now_ms < leased.until_ms - LEASE_MS / 2 && (last / PER_MS).max(now_ms) + AHEAD_MS / 2 < leased.high_ms
        };
        if self.node.as_ref().is_some_and(|leased| fresh(leased, self.last)) {
            return Ok(());
        }
        let until_ms = now_ms + LEASE_MS;
        let high_ms = (self.last / PER_MS).max(now_ms) + AHEAD_MS;
        if let Some(leased) = &mut self.node
            && nodes::renew(tx, leased.node, &self.holder, until_ms, high_ms)?
        {
            leased.until_ms = until_ms;
            leased.high_ms = leased.high_ms.max(high_ms);
            return Ok(());
        }
        let Some(Node { node, high_ms: used_ms }) = nodes::lease(tx, &self.holder, now_ms, until_ms)? else {
            return Err(StoreError::Unavailable {
                detail: "all node numbers are leased to other processes".to_owned(),
            });
        };
        self.last = self.last.max((used_ms + 1) * PER_MS);
        // A mark further ahead than any clock that agrees with ours would write it: our clock was set back, and the
        // number is another one because the old lease seems to have time left. Numbers still go on above.
        let highest_ms = nodes::highest(tx)?;
        if highest_ms > now_ms + AHEAD_MS {
            self.last = self.last.max((highest_ms + 1) * PER_MS);
        }
        let high_ms = (self.last / PER_MS).max(now_ms) + AHEAD_MS;
        nodes::renew(tx, node, &self.holder, until_ms, high_ms)?;
        self.node = Some(Leased { node, until_ms, high_ms });
        Ok(())
    }

    /// Like [`Ids::begin`], for numbers above one that any process may have given.
    pub(crate) fn begin_above(&mut self, tx: &mut Tx<'_>, newest: Id, now_ms: i64) -> Result<(), StoreError> {
        let newest = i64::try_from(newest).map_err(|_| StoreError::defect("a number of ours has at most 18 digits"))?;
        let node = newest / PER_MS % 100;
        // Those under our own node are below our next one anyway. Under another node, the millisecond after is.
        if self.node.as_ref().is_none_or(|leased| leased.node != node) {
            self.last = self.last.max((newest / PER_MS / 100 + 1) * PER_MS - 1);
        }
        self.begin(tx, now_ms)
    }

    /// Makes the next [`Ids::begin`] ask the database again: what was leased or marked may have been rolled back.
    pub(crate) fn forget(&mut self) {
        if let Some(leased) = &mut self.node {
            leased.until_ms = 0;
        }
    }

    /// The next number, above all before it. Only between [`Ids::begin`] and the end of its transaction.
    pub(crate) fn next(&mut self, now_ms: i64) -> Id {
        let leased = self.node.as_ref().expect("numbers are made inside a transaction that leased a node");
        self.last = (self.last + 1).max(now_ms * PER_MS);
        let (ms, counter) = (self.last / PER_MS, self.last % PER_MS);
        assert!(ms <= leased.high_ms, "a batch makes fewer numbers than the mark is ahead");
        let id = (ms * 100 + leased.node) * PER_MS + counter;
        Id::try_from(id).expect("times are after 1970")
    }
}
