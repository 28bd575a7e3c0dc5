//! What a provider says unasked: deliveries (webhooks), and what they mean.
//!
//! A delivery is bytes and headers as they came. A driver checks the signature over those bytes and turns them into
//! [`Notice`]s. Deliveries come late, twice and in any order; that is the engine's affair. A driver only has to name
//! each event by an id that is the same every time it is delivered.

use std::borrow::Cow;
use std::fmt;

use crate::{Answer, HttpRequest};

/// A webhook as it came.
#[derive(Clone, Copy)]
pub struct Delivery<'d> {
    /// Names in lower case, and values.
    pub headers: &'d [(&'d str, Cow<'d, str>)],
    /// The body, byte for byte.
    pub body: &'d [u8],
    /// When it came, epoch milliseconds: signatures hold for some minutes.
    pub now_ms: i64,
}

impl<'d> Delivery<'d> {
    /// The value of a header; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&'d str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

impl fmt::Debug for Delivery<'_> {
    /// Shows no header value and no body: they hold signatures and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a driver makes of a delivery.
#[derive(Debug)]
pub enum Heard {
    /// It is the provider's. No notice at all means that it is about something else.
    Notices(Vec<Notice>),
    /// Only the provider can tell whether it is its own: send this, and hand the outcome to
    /// [`Gateway::confirm`](crate::Gateway::confirm).
    Confirm(HttpRequest),
    /// It is not shown to be the provider's, so nothing of it counts.
    Refused {
        /// Why, for the operator and the sender. Quotes no secret and no body.
        reason: String,
    },
    /// Whether it is the provider's could not be found out now; the sender should come again.
    Later {
        /// Why, for the operator.
        reason: String,
    },
}

impl Heard {
    /// [`Heard::Refused`] in a word.
    pub fn refused(reason: impl Into<String>) -> Heard {
        Heard::Refused { reason: reason.into() }
    }
}

/// One event that a delivery tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the event: the same whenever it is delivered again, at most 255 characters.
    pub event: String,
    /// The provider's own word for the kind of event, for example `refund.failed`.
    pub kind: String,
    /// When it happened at the provider, epoch milliseconds, where it says so.
    pub happened_ms: Option<i64>,
    /// What it is about.
    pub about: About,
}

/// What a notice is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A refund, ours or one that was made at the provider.
    Refund {
        /// Our leg, where the event carries the key or reference that we gave it.
        leg_id: Option<u64>,
        /// The provider's id of the refund.
        refund_reference: String,
        /// The provider's id of the payment, the one that orders carry; empty where the event does not say.
        payment_reference: String,
        /// A second id of the same payment, for a provider that has two and whose orders may carry either; else empty.
        payment_alias: String,
        /// How it stands: [`Answer::Done`], [`Answer::Pending`] or [`Answer::Declined`].
        answer: Answer,
        /// The refund's amount in minor units of `currency`, however it stands.
        amount_minor: i64,
        /// ISO 4217 code.
        currency: String,
    },
    /// Money that the buyer's bank takes, or wants to take, back.
    Dispute {
        /// The provider's id of the dispute.
        dispute_reference: String,
        /// The provider's id of the payment, the one that orders carry.
        payment_reference: String,
        /// A second id of the same payment, for a provider that has two and whose orders may carry either; else empty.
        payment_alias: String,
        /// How it stands.
        stage: DisputeStage,
        /// The disputed amount in minor units of `currency`.
        amount_minor: i64,
        /// ISO 4217 code.
        currency: String,
    },
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStage {
    /// The amount is contested, or taken already: it is held.
    Open,
    /// The merchant keeps the money: the hold ends.
    Won,
    /// The buyer keeps the money: it is gone for good.
    Lost,
}

impl DisputeStage {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Open, Self::Won, Self::Lost].into_iter().find(|stage| stage.code() == code)
    }
}
