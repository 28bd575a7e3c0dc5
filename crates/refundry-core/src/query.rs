//! What a caller may list, already parsed.

use crate::money::Decimal;
use crate::order::{Id, Reference};
use crate::refund::{Progress, RefundState};
use crate::standing::{Goods, Money, Sent, Stage, Tally};
use crate::terms::{Term, TermKind, folded};

/// Which refunds, in which order, and which page of them. All filters combine with AND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundQuery {
    /// Only refunds of these orders.
    pub orders: Option<Vec<Reference>>,
    /// Only these refunds.
    pub refunds: Option<Vec<Reference>>,
    /// Only in one of these states; an empty list matches nothing.
    pub states: Option<Vec<RefundState>>,
    /// Only with an item of this stock keeping unit.
    pub sku: Option<String>,
    /// Only with exactly this reason.
    pub reason: Option<String>,
    /// Only failed with exactly this code.
    pub failure_reason: Option<String>,
    /// When it was accepted.
    pub created: TimeRange,
    /// When it or a leg last changed.
    pub updated: TimeRange,
    /// The refund's amount.
    pub amount: AmountRange,
    /// What succeeded of it.
    pub refunded: AmountRange,
    /// What the list is sorted by; ties by number, in the same direction.
    pub sort: SortBy,
    /// Newest first.
    pub descending: bool,
    /// Where the page starts.
    pub page: Page,
    /// At most this many, 1 to 250.
    pub limit: u32,
}

/// Which after-sales cases, newest first, and which page of them. Each refund is one, unless its case was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseQuery {
    /// Only those that have come so far.
    pub progress: Option<Progress>,
    /// When the refund was accepted.
    pub created: TimeRange,
    /// Where the page starts: at the first, behind a number of cases, or behind a key.
    pub page: Page,
    /// At most this many, 1 to 100.
    pub limit: u32,
    /// Whether the number of cases is asked for, too.
    pub counted: bool,
}

impl Default for RefundQuery {
    fn default() -> Self {
        Self {
            orders: None,
            refunds: None,
            states: None,
            sku: None,
            reason: None,
            failure_reason: None,
            created: TimeRange::default(),
            updated: TimeRange::default(),
            amount: AmountRange::default(),
            refunded: AmountRange::default(),
            sort: SortBy::Created,
            descending: true,
            page: Page::Start,
            limit: 10,
        }
    }
}

/// Epoch milliseconds, both ends inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// At or after.
    pub from_ms: Option<i64>,
    /// At or before.
    pub to_ms: Option<i64>,
}

/// Major units, ends inclusive or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AmountRange {
    /// Lower end, and whether it belongs to the range.
    pub from: Option<(Decimal, bool)>,
    /// Upper end, and whether it belongs to the range.
    pub to: Option<(Decimal, bool)>,
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// When a refund was accepted, an order was made.
    Created,
    /// When it or a leg last changed.
    Updated,
}

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// At the beginning.
    Start,
    /// After this many (page numbers).
    Skip(u64),
    /// After the entry with this sort key (epoch milliseconds) and number: an opaque cursor, decoded.
    Key {
        /// Its sort key.
        key_ms: i64,
        /// Its number.
        id: Id,
    },
    /// After this refund in list order.
    After(Reference),
    /// Before this refund in list order, nearest ones.
    Before(Reference),
}

/// Which orders, in which order, and which page of them. All filters combine with AND; deleted orders are in no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderQuery {
    /// Only with this platform id or merchant number.
    pub named: Option<String>,
    /// Only these orders.
    pub orders: Option<Vec<Reference>>,
    /// Only in one of these stages; an empty list matches nothing.
    pub stages: Option<Vec<Stage>>,
    /// Only with their money in one of these states; an empty list matches nothing.
    pub money: Option<Vec<Money>>,
    /// Only with their goods in one of these states; an empty list matches nothing.
    pub goods: Option<Vec<Goods>>,
    /// Only with one of these tallies of their money; an empty list matches nothing.
    pub tally: Option<Vec<Tally>>,
    /// Only with so much of their goods on its way or there; an empty list matches nothing.
    pub sent: Option<Vec<Sent>>,
    /// Only put away as done with, or only others.
    pub closed: Option<bool>,
    /// When it was made.
    pub created: TimeRange,
    /// When it, a refund of it or a leg last changed.
    pub updated: TimeRange,
    /// When it was paid first.
    pub placed: TimeRange,
    /// When its last unit was shipped.
    pub fulfilled: TimeRange,
    /// When its last parcel was delivered.
    pub finished: TimeRange,
    /// What it costs.
    pub total: AmountRange,
    /// Only found by one of the words of each of these.
    pub words: Vec<AnyOf>,
    /// What the list is sorted by; ties by number, in the same direction.
    pub sort: SortBy,
    /// Newest first.
    pub descending: bool,
    /// Where the page starts.
    pub page: Page,
    /// At most this many, 1 to 250.
    pub limit: u32,
    /// What each order of the page comes with.
    pub beside: Beside,
}

impl Default for OrderQuery {
    fn default() -> Self {
        Self {
            named: None,
            orders: None,
            stages: None,
            money: None,
            goods: None,
            tally: None,
            sent: None,
            closed: None,
            created: TimeRange::default(),
            updated: TimeRange::default(),
            placed: TimeRange::default(),
            fulfilled: TimeRange::default(),
            finished: TimeRange::default(),
            total: AmountRange::default(),
            words: Vec::new(),
            sort: SortBy::Created,
            descending: true,
            page: Page::Start,
            limit: 10,
            beside: Beside::NOTHING,
        }
    }
}

/// What an order is read with, beside its facts: each costs a look of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Beside {
    /// The document that it was read from.
    pub document: bool,
    /// Its parcels.
    pub parcels: bool,
    /// Its refunds.
    pub refunds: bool,
    /// What was told of its payments.
    pub transactions: bool,
}

impl Beside {
    /// Nothing.
    pub const NOTHING: Self = Self { document: false, parcels: false, refunds: false, transactions: false };
    /// The document and the parcels.
    pub const PARCELS: Self = Self { document: true, parcels: true, ..Self::NOTHING };
    /// Everything there is.
    pub const ALL: Self = Self { document: true, parcels: true, refunds: true, transactions: true };
}

/// Words of which one must be among the terms of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyOf {
    /// As terms of these kinds.
    pub kinds: Vec<TermKind>,
    /// Each as [`crate::terms::folded`] makes it; without any, nothing matches.
    pub texts: Vec<String>,
    /// Whether a term need only begin so.
    pub begins: bool,
    /// Whether an order without any term of these kinds is meant too: one of the texts is what nobody writes down.
    pub or_none: bool,
}

impl AnyOf {
    /// One of these texts as a whole.
    pub fn whole<'t>(kind: TermKind, texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self { kinds: vec![kind], texts: texts.into_iter().map(folded).collect(), begins: false, or_none: false }
    }

    /// The beginning of a term of one of these kinds.
    pub fn beginning<'t>(kinds: &[TermKind], texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self { kinds: kinds.to_vec(), texts: texts.into_iter().map(folded).collect(), begins: true, or_none: false }
    }

    /// Whether an order with these terms is meant.
    pub fn matches<'t>(&self, terms: impl IntoIterator<Item = &'t Term>) -> bool {
        let same = |term: &Term, text: &String| {
            if self.begins { term.text.starts_with(text) } else { term.text == *text }
        };
        let mut of_kind = terms.into_iter().filter(|term| self.kinds.contains(&term.kind)).peekable();
        let none = of_kind.peek().is_none();
        of_kind.any(|term| self.texts.iter().any(|text| same(term, text))) || (none && self.or_none)
    }
}
