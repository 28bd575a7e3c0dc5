//! A refund, its legs (one per payment), their states and the only transitions.

use std::collections::BTreeMap;

use crate::money::Amount;
use crate::order::{ComponentKind, Dialect, Id, Order};

/// One decision to give money back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Our number.
    pub id: Id,
    /// The platform's id, for a refund that came with an imported order.
    pub external_id: Option<String>,
    /// The order's number.
    pub order: Id,
    /// Running number on the order, from 1; failed refunds keep theirs.
    pub number: u32,
    /// The API it was asked through.
    pub via: Dialect,
    /// When it was accepted, epoch milliseconds.
    pub created_ms: i64,
    /// When it or a leg last changed, epoch milliseconds.
    pub updated_ms: i64,
    /// When the caller says it was processed, if they back-dated it, epoch milliseconds.
    pub processed_ms: Option<i64>,
    /// Free text, may be empty.
    pub note: String,
    /// Reason for filtering, may be empty.
    pub reason: String,
    /// Whether the buyer is to be told.
    pub notify: bool,
    /// The caller's own pairs.
    pub metadata: BTreeMap<String, MetaValue>,
    /// How it was asked for.
    pub shape: Shape,
    /// Σ legs = Σ allocations + discrepancy.
    pub amount: Amount,
    /// What legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Amount,
    /// Which component each part belongs to.
    pub allocations: Vec<Allocation>,
    /// Units taken out of the order.
    pub units: Vec<UnitMove>,
    /// One per payment touched.
    pub legs: Vec<Leg>,
    /// The limit that left the least room.
    pub nearest_cap: Cap,
    /// The refund whose failed legs this one tries again.
    pub retry_of: Option<Id>,
}

/// A metadata value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaValue {
    /// A text.
    Text(String),
    /// A number, exactly as it was written.
    Number(String),
    /// True or false.
    Bool(bool),
}

/// How a refund was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Named parts, units, a total.
    Parts,
    /// Lines, a shipping policy and payments that fix the amount.
    Lines,
    /// An amount, perhaps of one component type.
    Amount(Option<Class>),
    /// A percentage, perhaps of one component type.
    Percent(Option<Class>),
    /// Money of items.
    Items,
    /// Everything that was left.
    Everything,
    /// Came with an imported order.
    Imported,
}

impl Shape {
    /// The component type asked for, where one was.
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Amount(class) | Self::Percent(class) => class,
            Self::Parts | Self::Lines | Self::Items | Self::Everything | Self::Imported => None,
        }
    }
}

/// A component type that an amount or percentage may be restricted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Shipping and its tax.
    Shipping,
    /// Customs duty.
    Duty,
    /// All taxes but the importer's, whole or not at all.
    Tax,
    /// Importer tax, whole or not at all.
    ImporterTax,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shipping, Self::Duty, Self::Tax, Self::ImporterTax];

    /// Stable code, which is Digital River's `type`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shipping => "shipping",
            Self::Duty => "duty",
            Self::Tax => "tax",
            Self::ImporterTax => "importer_tax",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }
}

/// The part of a refund that belongs to one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Index into the order's components.
    pub component: usize,
    /// Without tax.
    pub net: Amount,
    /// Tax.
    pub tax: Amount,
    /// Shadow of net and tax in the shop's currency, `(0, 0)` where the currencies are equal.
    pub shop: (Amount, Amount),
    /// Given back to the component by failed legs: net and tax.
    pub returned: (Amount, Amount),
    /// Units that an item refund was stated for; moves no unit bucket.
    pub quantity: Option<u32>,
    /// Which rule gave the amount.
    pub why: Why,
    /// Minor units that rounding put here rather than on a neighbour.
    pub odd: Amount,
}

impl Allocation {
    /// Net and tax together.
    pub fn gross(&self) -> Amount {
        self.net + self.tax
    }

    /// Net and tax that failed legs did not give back.
    pub fn kept(&self) -> (Amount, Amount) {
        (self.net - self.returned.0, self.tax - self.returned.1)
    }
}

/// Which rule gave an allocation its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Shares of `units` after `taken` of the line's units.
    Units {
        /// Units refunded before.
        taken: u32,
        /// Units refunded now.
        units: u32,
    },
    /// The caller stated the amount of this component.
    Stated,
    /// A share of an amount spread over open components, in proportion to what they had left.
    ProRata,
    /// A share that fell on fees because all other components were used up.
    FeesLast,
    /// All that the component had left.
    Remaining,
    /// A percentage of the component.
    Percent,
    /// Came with an imported order.
    Imported,
}

impl Why {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Units { .. } => "unit_shares",
            Self::Stated => "stated",
            Self::ProRata => "pro_rata",
            Self::FeesLast => "fees_last",
            Self::Remaining => "remaining",
            Self::Percent => "percent",
            Self::Imported => "imported",
        }
    }
}

/// Which units of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Waiting to ship.
    Waiting,
    /// Shipped.
    Shipped,
}

impl Bucket {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Shipped => "shipped",
        }
    }
}

/// What happens to the stock of refunded units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restock {
    /// Nothing.
    No,
    /// They came back and go on the shelf.
    Return,
    /// They never left the shelf.
    Cancel,
}

impl Restock {
    /// Stable code: SHOPLINE's `restock_type`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::No => "no_restock",
            Self::Return => "return",
            Self::Cancel => "cancel",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::No, Self::Return, Self::Cancel].into_iter().find(|r| r.code() == code)
    }
}

/// Units of one line taken out of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitMove {
    /// Index into the order's lines.
    pub line: usize,
    /// Where they came from.
    pub bucket: Bucket,
    /// The caller said that these units were returned (SHOPLINE `Returned`).
    pub returned_goods: bool,
    /// How many, at least 1.
    pub quantity: u32,
    /// Their goods without tax.
    pub net: Amount,
    /// Their tax.
    pub tax: Amount,
    /// Their discount share, for display.
    pub discount: Amount,
    /// Shadow of net and tax in the shop's currency, `(0, 0)` where the currencies are equal.
    pub shop: (Amount, Amount),
    /// What happens to the stock.
    pub restock: Restock,
    /// Where the stock goes, may be empty.
    pub location: String,
    /// The refund failed as a whole and the units are open again.
    pub reopened: bool,
}

/// The part of a refund that goes through one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Our number, and the provider's idempotency key for ever.
    pub id: Id,
    /// Index into the order's payments.
    pub payment: usize,
    /// In the order's currency.
    pub amount: Amount,
    /// In the payment's own currency.
    pub own_amount: Amount,
    /// How the money travels.
    pub route: Route,
    /// The gateway that pays back, empty where it is the one that the payment names. It stays: what was asked there is
    /// asked about there.
    pub gateway: String,
    /// Where it is now.
    pub state: LegState,
    /// The provider's id of the refund, empty until it gave one. It stays in every state: what the provider says later
    /// may name nothing else.
    pub reference: String,
    /// The channel the caller named, for display, may be empty.
    pub named_channel: String,
    /// The refund that tries again what failed here.
    pub retried_by: Option<Id>,
}

/// How a leg's money travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Over the original payment, through its gateway.
    Original,
    /// Outside: recorded, never sent.
    Outside,
}

/// Where a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegState {
    /// Saved, to be sent (or, outside, to be finished by hand).
    Waiting,
    /// The provider has it and will say later.
    Sent,
    /// It may have been sent and nobody knows what became of it: looked up, never sent again blind.
    InDoubt {
        /// What went wrong.
        reason: String,
    },
    /// The money went back.
    Succeeded {
        /// When, epoch milliseconds.
        at_ms: i64,
    },
    /// The money did not go back and is refundable again.
    Failed {
        /// When, epoch milliseconds.
        at_ms: i64,
        /// The provider's code, e.g. `expired_or_canceled_card`.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// A person must look: the provider's answer contradicts what was asked.
    Parked {
        /// What contradicts.
        reason: String,
    },
}

impl LegState {
    /// Nothing more is expected.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Failed { .. })
    }

    /// The money did not go back.
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::InDoubt { .. } => "in_doubt",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Parked { .. } => "parked",
        }
    }
}

/// Where a leg that is not over stands on its way out: its state, and whether a worker may be sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It surely was not sent, or the provider surely does not have it.
    Waiting,
    /// A worker has it for the first time since it surely was not sent: it may be sent at this moment.
    Calling,
    /// The provider has it and has not settled it.
    Sent,
    /// Nobody knows; it is asked about.
    InDoubt,
    /// A person decides.
    Parked,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Calling, Self::Sent, Self::InDoubt, Self::Parked];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Sent => "sent",
            Self::InDoubt => "in_doubt",
            Self::Parked => "parked",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.code() == code)
    }

    /// What happens next, for a person; the time of it stands beside.
    pub const fn next(self) -> &'static str {
        match self {
            Self::Waiting => "it is sent to the gateway",
            Self::Calling => "the gateway is being asked; without an answer by then, it is asked what became of it",
            Self::Sent => "the gateway is asked whether it is settled",
            Self::InDoubt => "the gateway is asked what became of it",
            Self::Parked => "nothing by itself: look at the evidence, ask the provider, and settle it by hand",
        }
    }
}

/// Where a refund is: derived from its legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefundState {
    /// A leg is not final.
    Pending,
    /// All legs are final and at least one succeeded.
    Succeeded,
    /// All legs failed.
    Failed,
}

impl RefundState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// The limit that left the least room after a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Which limit.
    pub by: CapKind,
    /// Room left under it after this refund.
    pub left: Amount,
}

/// A limit of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapKind {
    /// What a component was charged (index into the order's components).
    Component(usize),
    /// What a payment captured (index into the order's payments).
    Payment(usize),
}

/// The code of legs that failed because their after-sales case was deleted before anything was sent.
pub const CASE_DELETED: &str = "case_deleted";
/// The code of legs that a payment app called failed.
pub const PAYMENT_APP_FAILURE: &str = "payment_app_failure";
/// The code of legs that failed because something went wrong in a payment app.
pub const PAYMENT_APP_ERROR: &str = "payment_app_error";

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Progress {
    /// Every leg waits: no money of it moved or was asked for.
    Untouched,
    /// A leg was sent or settled, and not all are over.
    Begun,
    /// All legs are over, whichever way.
    Over,
}

impl Progress {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Untouched, Self::Begun, Self::Over];
}

impl Refund {
    /// How far it has come, derived from the legs.
    pub fn progress(&self) -> Progress {
        match () {
            () if self.legs.iter().all(|leg| leg.state.is_final()) => Progress::Over,
            () if self.legs.iter().all(|leg| leg.state == LegState::Waiting) => Progress::Untouched,
            () => Progress::Begun,
        }
    }

    /// Whether its after-sales case was deleted: then it is no case any more.
    pub fn is_case_deleted(&self) -> bool {
        self.failure().is_some_and(|(code, _)| code == CASE_DELETED)
    }

    /// The state, derived from the legs.
    pub fn state(&self) -> RefundState {
        if self.legs.iter().any(|leg| !leg.state.is_final()) {
            return RefundState::Pending;
        }
        let any_success = self.legs.iter().any(|leg| matches!(leg.state, LegState::Succeeded { .. }));
        if any_success { RefundState::Succeeded } else { RefundState::Failed }
    }

    /// Σ of legs that succeeded.
    pub fn refunded(&self) -> Amount {
        let succeeded = self.legs.iter().filter(|leg| matches!(leg.state, LegState::Succeeded { .. }));
        succeeded.map(|leg| leg.amount).sum()
    }

    /// Σ of legs that failed.
    pub fn failed(&self) -> Amount {
        let failed = self.legs.iter().filter(|leg| matches!(leg.state, LegState::Failed { .. }));
        failed.map(|leg| leg.amount).sum()
    }

    /// The provider's code of the first failed leg.
    pub fn failure(&self) -> Option<(&str, &str)> {
        self.legs.iter().find_map(|leg| match &leg.state {
            LegState::Failed { code, message, .. } => Some((code.as_str(), message.as_str())),
            LegState::Waiting
            | LegState::Sent
            | LegState::InDoubt { .. }
            | LegState::Succeeded { .. }
            | LegState::Parked { .. } => None,
        })
    }

    /// When the last leg succeeded, if the refund is not pending any more.
    pub fn finished_ms(&self) -> Option<i64> {
        if self.state() == RefundState::Pending {
            return None;
        }
        self.legs.iter().filter_map(Leg::finished_ms).max()
    }

    /// The refund as it was accepted: legs that go through a gateway waiting, legs settled outside finished.
    ///
    /// Answers to a creating request show this picture, so that a repeated request gets the same answer.
    #[must_use]
    pub fn as_accepted(&self) -> Self {
        let mut accepted = self.clone();
        accepted.updated_ms = self.created_ms;
        for leg in &mut accepted.legs {
            leg.state = match leg.route {
                Route::Original => LegState::Waiting,
                Route::Outside => LegState::Succeeded { at_ms: self.created_ms },
            };
        }
        for allocation in &mut accepted.allocations {
            allocation.returned = (Amount::ZERO, Amount::ZERO);
        }
        for leg in &mut accepted.legs {
            leg.reference.clear();
            leg.retried_by = None;
        }
        for units in &mut accepted.units {
            units.reopened = false;
        }
        accepted
    }

    /// Σ of allocations of one kind: net and tax.
    pub fn allocated_to(&self, order: &Order, kind: ComponentKind) -> (Amount, Amount) {
        let of_kind =
            self.allocations.iter().filter(|a| order.components.get(a.component).is_some_and(|c| c.kind == kind));
        of_kind.fold((Amount::ZERO, Amount::ZERO), |(net, tax), a| (net + a.net, tax + a.tax))
    }
}

impl Leg {
    /// The gateway that pays back.
    pub fn gateway<'l>(&'l self, order: &'l Order) -> &'l str {
        if self.gateway.is_empty() {
            return order.payments.get(self.payment).map_or("", |payment| payment.gateway.as_str());
        }
        &self.gateway
    }

    /// When the leg became final, epoch milliseconds.
    pub fn finished_ms(&self) -> Option<i64> {
        match &self.state {
            LegState::Succeeded { at_ms, .. } | LegState::Failed { at_ms, .. } => Some(*at_ms),
            LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => None,
        }
    }
}
