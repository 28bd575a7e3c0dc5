//! What a provider says it paid back, over a span of time: from a file it offers, or by asking it. The other side of a
//! reconciliation.

use std::fmt;

use crate::HttpRequest;

/// A span of time, epoch milliseconds: from `from_ms` on, up to but without `to_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First moment.
    pub from_ms: i64,
    /// First moment after it.
    pub to_ms: i64,
    /// When it is asked about, epoch milliseconds: for a provider that wants the time in what it is sent.
    pub now_ms: i64,
}

/// One refund as the provider states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Where it stands in the file, from 1 (the header is line 1); 0 for one that was asked for.
    pub line: u64,
    /// The provider's id of the refund.
    pub refund_reference: String,
    /// Our leg, where the provider keeps the key or reference that we gave it.
    pub leg_id: Option<u64>,
    /// The provider's id of the payment; empty where it does not say.
    pub payment_reference: String,
    /// How it stands.
    pub standing: Standing,
    /// In minor units of `currency`, above zero for money that went back.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// When it was made, epoch milliseconds, where it says so.
    pub made_ms: Option<i64>,
}

/// How a refund stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Paid.
    Paid,
    /// Taken, not settled.
    Pending,
    /// Not paid, or it came back.
    NotPaid,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it holds.
    pub lines: Vec<StatementLine>,
    /// How to ask for the next one.
    pub next: Option<HttpRequest>,
}

/// Why a file or an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementFault {
    /// The line of the file, from 1; 0 where it is about the whole.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl StatementFault {
    /// About the whole.
    pub fn whole(reason: impl Into<String>) -> StatementFault {
        StatementFault { line: 0, reason: reason.into() }
    }

    pub(crate) fn unsupported() -> StatementFault {
        StatementFault::whole("this driver has nothing to reconcile with")
    }
}

impl fmt::Display for StatementFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.reason) } else { write!(f, "line {}: {}", self.line, self.reason) }
    }
}

impl std::error::Error for StatementFault {}
