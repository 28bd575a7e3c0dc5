//! Re-derives every balance from the first journal entry on, and compares it with what is stored.
//!
//! The writer never checks itself, so this shares no code with it: its own SQL, reading of packed columns, and sums.
//! It must never use `codec.rs`, nor anything of `refundry-core` that decides, books or spreads. Where it finds a
//! difference it says which two figures differ; it repairs nothing.
//!
//! It walks order by order, in read transactions of a bounded number of orders, so it runs beside a busy server without
//! holding it up: each order is seen as of one moment, and memory never holds more than one order.
//!
//! Reading order: [`audit`], then `order.rs` (one order), `replay.rs` (its journal, entry by entry), `lists.rs` (what
//! lists of orders go by), `strays.rs` (rows that belong to nothing), `stock.rs` (goods), `returns.rs` (goods that come
//! back), `rows.rs` (what is read), `sums.rs` (arithmetic).

mod lists;
mod order;
mod replay;
mod returns;
mod rows;
mod stock;
mod strays;
mod sums;

use std::collections::BTreeMap;
use std::fmt;

use crate::{Store, StoreError, Tx};

/// How an audit is done.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Most findings that are kept; more are only counted.
    pub findings_max: usize,
    /// Most orders, or rows of another table, looked at in one read transaction.
    pub rows_per_read: i64,
    /// Only this order (store, order), as after a question about it; nothing outside of it is looked at then.
    pub order: Option<(i64, i64)>,
    /// Names of the gateways whose legs only a person settles: those wait outside of the outbox.
    pub settled_by_person: Vec<String>,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self { findings_max: 1_000, rows_per_read: 64, order: None, settled_by_person: vec!["manual".to_owned()] }
    }
}

/// What an audit saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Stores there are.
    pub stores: u64,
    /// Orders re-derived.
    pub orders: u64,
    /// Refunds among them.
    pub refunds: u64,
    /// Journal entries added up.
    pub entries: u64,
    /// All differences, those beyond the kept ones too.
    pub findings_total: u64,
    /// The first differences, at most [`AuditOptions::findings_max`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// No difference was found.
    pub fn is_clean(&self) -> bool {
        self.findings_total == 0
    }
}

/// A difference between two figures that must agree, or a row that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, for scripts.
    pub code: &'static str,
    /// The store; 0 for what belongs to none.
    pub store: i64,
    /// The order, if one is concerned.
    pub order: Option<i64>,
    /// The refund, if one is concerned.
    pub refund: Option<i64>,
    /// Which two figures differ and by how much, for a person. Amounts are minor units.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: store {}", self.code, self.store)?;
        if let Some(order) = self.order {
            write!(f, ", order {order}")?;
        }
        if let Some(refund) = self.refund {
            write!(f, ", refund {refund}")?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Looks at everything there is, and reports what does not agree.
pub fn audit(store: &Store, options: &AuditOptions) -> Result<Report, StoreError> {
    let mut run = Run { options, report: Report::default(), newest: BTreeMap::new() };
    if let Some((tenant, order)) = options.order {
        store.read(|tx| {
            order::check(tx, &mut run, tenant, order)?;
            returns::check_order(tx, &mut run, tenant, order)
        })?;
        return Ok(run.report);
    }
    run.walk_orders(store)?;
    stock::check(store, &mut run)?;
    returns::check(store, &mut run)?;
    strays::check(store, &mut run)?;
    Ok(run.report)
}

/// One audit under way.
struct Run<'o> {
    options: &'o AuditOptions,
    report: Report,
    /// Per node number: the latest time in any number it made.
    newest: BTreeMap<i64, i64>,
}

impl Run<'_> {
    fn walk_orders(&mut self, store: &Store) -> Result<(), StoreError> {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let last = store.read(|tx| {
                let keys = self.next_orders(tx, after)?;
                for (tenant, order) in &keys {
                    order::check(tx, self, *tenant, *order)?;
                }
                Ok(keys.last().copied())
            })?;
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    fn next_orders(&self, tx: &mut Tx<'_>, after: (i64, i64)) -> Result<Vec<(i64, i64)>, StoreError> {
        let params = [after.0.into(), after.1.into(), self.options.rows_per_read.into()];
        tx.query(ORDERS, &params, |row| Ok((row.int(0)?, row.int(1)?)))
    }

    /// Notes a number of ours, so that the marks of the nodes can be held against the newest.
    fn saw(&mut self, id: i64) {
        let newest = self.newest.entry(node_of(id)).or_insert(i64::MIN);
        *newest = (*newest).max(ms_of(id));
    }

    fn at(&mut self, store: i64, order: Option<i64>, refund: Option<i64>) -> Place<'_> {
        Place { report: &mut self.report, max: self.options.findings_max, store, order, refund }
    }
}

const ORDERS: &str = "SELECT store, id FROM orders WHERE (store, id) > (?1, ?2) ORDER BY store, id LIMIT ?3";

/// Numbers of ours are milliseconds, two digits of a node, three digits of a counter.
fn ms_of(id: i64) -> i64 {
    id / 100_000
}

fn node_of(id: i64) -> i64 {
    id / 1_000 % 100
}

/// What a finding is about.
struct Place<'r> {
    report: &'r mut Report,
    max: usize,
    store: i64,
    order: Option<i64>,
    refund: Option<i64>,
}

impl Place<'_> {
    /// The same order, another refund of it.
    fn of(&mut self, refund: i64) -> Place<'_> {
        Place { report: &mut *self.report, max: self.max, store: self.store, order: self.order, refund: Some(refund) }
    }

    fn say(&mut self, code: &'static str, text: impl Into<String>) {
        self.report.findings_total += 1;
        if self.report.findings.len() < self.max {
            let Place { store, order, refund, .. } = *self;
            self.report.findings.push(Finding { code, store, order, refund, text: text.into() });
        }
    }

    /// Two figures that must be equal, each with where it stands.
    fn same(
        &mut self,
        code: &'static str,
        what: impl fmt::Display,
        left: (&str, impl Into<i128>),
        right: (&str, impl Into<i128>),
    ) {
        let (a, b) = (left.1.into(), right.1.into());
        if a != b {
            let (more, by) = if a > b { ("more", a - b) } else { ("less", b - a) };
            self.say(code, format!("{what}: {} says {a}, {} says {b}, so the first is {by} {more}", left.0, right.0));
        }
    }

    /// A figure that must not pass another.
    fn within(
        &mut self,
        code: &'static str,
        what: impl fmt::Display,
        figure: impl Into<i128>,
        limit: (&str, impl Into<i128>),
    ) {
        let (figure, most) = (figure.into(), limit.1.into());
        if figure > most {
            self.say(code, format!("{what} is {figure}, {} more than {}, which is {most}", figure - most, limit.0));
        }
    }
}
