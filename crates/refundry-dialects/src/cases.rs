//! What is asked and answered about after-sales cases: lists, finishing a refund that waits, deleting one.
//!
//! Each refund is a case, until its case is deleted.

use refundry_core::order::Reference;
use refundry_core::query::CaseQuery;
use refundry_core::refund::Refund;

use crate::wire::{OrderView, RefundView};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseCall {
    /// A page of cases.
    List(CaseQuery),
    /// All money of a refund that waits for a person went back.
    Finish(FinishCase),
    /// Delete a case of which nothing was sent.
    Delete {
        /// Which refund's.
        case: Reference,
    },
}

/// What is said of a refund that is finished by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishCase {
    /// Which order.
    pub order: Reference,
    /// Which refund, as the case's id names it.
    pub case: Reference,
    /// The same refund, as its record's id names it.
    pub record: Reference,
    /// When the money went back, epoch milliseconds; now where it is left out.
    pub at_ms: Option<i64>,
    /// What the money's way calls it, may be empty.
    pub reference: String,
    /// The channel it went through, may be empty.
    pub channel: String,
    /// Pairs that are kept with the refund.
    pub metadata: Vec<(String, String)>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseReply {
    /// To `List`.
    Page(Box<CasePage>),
    /// To `Finish`: the refund after it.
    Finished(Box<RefundView>),
    /// To `Delete`.
    Deleted,
}

/// A page of cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasePage {
    /// Name of the store for people.
    pub shop: String,
    /// The page, newest first.
    pub cases: Vec<CaseView>,
    /// More follow.
    pub has_more: bool,
    /// How many there are; zeros where that was not asked for.
    pub counts: CaseCounts,
}

/// How many cases there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaseCounts {
    /// In the list, on all its pages.
    pub listed: i64,
    /// Within the list's times, with nothing done for them.
    pub untouched: i64,
    /// Within the list's times, begun and not over.
    pub begun: i64,
}

/// A case: a refund, and its order as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseView {
    /// The refund.
    pub refund: Refund,
    /// The order.
    pub order: OrderView,
}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseFault {
    /// No such case.
    Unknown,
    /// Money of it was sent, or may have been; or it is over.
    NotPending,
    /// The order has no such refund, or case and record are not the same one.
    NotOne,
    /// No payment of the refund has this channel.
    OtherChannel(String),
    /// It failed, so it cannot be finished.
    Failed,
    /// A gateway answers for some of it.
    NotByHand,
    /// The time lies before the refund, or in the future.
    TimeOutOfRange,
    /// More is kept with the refund than there is room for.
    TooManyPairs,
}
