//! Payment providers behind one trait.
//!
//! A driver is a translation in three parts: what the provider can do ([`Gateway::capabilities`]), how we ask it
//! ([`Gateway::refund`], [`Gateway::lookup`]) and what its answers mean ([`Gateway::read`], and [`Gateway::hear`] for
//! what it says unasked). It stores nothing, never waits, opens no connection and never tries again: leases, retries,
//! backoff and books are the engine's. So a driver can be read top to bottom and tested by handing it text.
//!
//! ```text
//! Ask ──refund()/lookup()──▶ Step ──┬─ Answer                                   (nothing to send)
//!                              ▲    └─ Http ──Transport──▶ HttpOutcome ──read()──┐
//!                              └─────────────────────────────────────────────────┘
//! Delivery (a webhook) ──hear()──▶ Heard ──┬─ Notices
//!                                          └─ Confirm ──Transport──▶ confirm() ──▶ Heard
//! ```
//!
//! Rules that hold for every driver:
//! - **Only an explicit yes or no is final.** A timeout, a 5xx, an unreadable body or a surprising shape is
//!   [`Answer::Unknown`]: the money may have moved, so the engine looks it up and never guesses.
//! - **The leg id is the idempotency key**, the same decimal text for ever ([`Ask::key`]). Sending it twice pays once,
//!   for as long as the provider remembers keys ([`KeyMemory`]).
//! - **The provider's own figures are handed on.** [`Answer::Done`] carries what the provider says it paid; when that
//!   differs from what was asked, the engine parks the leg for a person.
//! - **A delivery counts only once its signature was checked**, over the bytes as they came.
//!
//! Read next: [`manual`] (the smallest driver), [`simulated`] (a whole provider to try things on), [`drivers`] (the
//! list of all, and how one is configured), [`http`] (the only place that opens an outbound connection). A new provider
//! is a new module here and a line in [`drivers`].

pub mod adyen;
pub mod drivers;
pub mod hooks;
pub mod http;
pub mod hyperswitch;
pub mod manual;
pub mod merchant;
pub mod paypal;
mod public;
mod registry;
pub mod signing;
pub mod simulated;
pub mod statement;
pub mod stripe;
mod text;
mod units;
mod wire;

use std::fmt;

pub use adyen::Adyen;
pub use drivers::{Chooses, Driver, Setting, SettingFault, Settings};
pub use hooks::{About, Delivery, DisputeStage, Heard, Notice};
pub use http::{HttpOutcome, HttpRequest, Method, Transport, TransportLimits};
pub use hyperswitch::Hyperswitch;
pub use manual::Manual;
pub use merchant::MerchantService;
pub use paypal::PayPal;
pub use public::is_public;
pub use registry::{NameTaken, Registry};
pub use simulated::Simulated;
pub use statement::{Page, Span, Standing, StatementFault, StatementLine};
pub use stripe::Stripe;

/// One payment provider, configured: pure translation, no I/O of its own.
pub trait Gateway: Send + Sync {
    /// The name of the driver. It never changes, because configurations name it.
    fn name(&self) -> &'static str;

    /// What the provider can do, as data for the rules: an impossible refund is refused before anything is saved.
    fn capabilities(&self) -> Capabilities;

    /// How to ask for the money to be paid back. Safe to repeat with the same [`Ask`] while the provider remembers
    /// keys.
    fn refund(&self, ask: &Ask) -> Step;

    /// How to ask what became of an earlier [`refund`](Gateway::refund) with this key. Never pays a second time: where
    /// the provider has no inquiry, it repeats the request under its key, and only while that is surely remembered.
    fn lookup(&self, ask: &Ask) -> Step;

    /// What the outcome of a [`Step::Http`] means, or what to send next to find out. Answers [`Answer::NotFound`] only
    /// for [`Purpose::Lookup`], [`Answer::NotTaken`] only for [`Purpose::Refund`].
    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step;

    /// Checks a delivery's signature and says what it tells. A provider that delivers nothing refuses.
    fn hear(&self, _: &Delivery<'_>) -> Heard {
        Heard::refused("this driver takes no deliveries")
    }

    /// The second half of [`hear`](Gateway::hear) for a provider that confirms its own deliveries when asked: what its
    /// answer to [`Heard::Confirm`] means, or what to send next to find out.
    fn confirm(&self, _: &Delivery<'_>, _: HttpOutcome) -> Heard {
        Heard::refused("this driver asks for no confirmation")
    }

    /// The body by which a delivery is acknowledged, beside status 200.
    fn acknowledgement(&self) -> &'static str {
        ""
    }

    /// Reads a file that the provider offers for download: its refunds, one a line. Standard: CSV with a header.
    fn statement(&self, _: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
        Err(StatementFault::unsupported())
    }

    /// How to ask for the provider's refunds of a span of time; `None` where it has no such list.
    fn list(&self, _: Span) -> Option<HttpRequest> {
        None
    }

    /// What the answer to [`list`](Gateway::list), or to a further page of it, holds. The request that was sent comes
    /// along, for a provider whose pages do not say where they stand.
    fn read_list(&self, _: Span, _: &HttpRequest, _: HttpOutcome) -> Result<Page, StatementFault> {
        Err(StatementFault::unsupported())
    }
}

/// One leg of a refund, as a provider needs to hear it. A leg is asked for with the same figures every time.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// The leg, 18 decimal digits: the provider's idempotency key for ever.
    pub leg_id: u64,
    /// The refund this leg is part of, for the provider's own records.
    pub refund_id: u64,
    /// The provider's id of the original payment; empty when it was never told to us.
    pub payment_reference: String,
    /// The payment channel as the order's platform names it, for example `credit_card`.
    pub channel: String,
    /// What to pay back, in minor units of `currency`; above zero.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// The account name on the payment. Real drivers ignore it; the simulated provider reacts to it.
    pub script: String,
    /// The provider's id of the refund, where an earlier answer gave one; else empty.
    pub refund_reference: String,
    /// How long ago the key may have been sent for the first time, in milliseconds; 0 the first time.
    pub key_age_ms: i64,
    /// When it is asked, epoch milliseconds: for a provider that wants the time in what it is sent. It says nothing of
    /// the refund, so an ask with another time is the same ask.
    pub now_ms: i64,
}

impl Ask {
    /// The idempotency key as it is sent: the leg id in decimal.
    pub fn key(&self) -> String {
        self.leg_id.to_string()
    }

    /// Whether a provider with this memory surely still knows the key, with an hour to spare.
    pub fn key_is_remembered(&self, memory: KeyMemory) -> bool {
        const HOUR_MS: i64 = 3_600_000;
        match memory {
            KeyMemory::Never => false,
            KeyMemory::Days(days) => self.key_age_ms < i64::from(days) * 24 * HOUR_MS - HOUR_MS,
            KeyMemory::Forever => true,
        }
    }
}

impl fmt::Debug for Ask {
    /// Leaves the account name out: it is a person's, and debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("leg_id", &self.leg_id)
            .field("refund_id", &self.refund_id)
            .field("payment_reference", &self.payment_reference)
            .field("channel", &self.channel)
            .field("amount_minor", &self.amount_minor)
            .field("currency", &self.currency)
            .field("refund_reference", &self.refund_reference)
            .field("key_age_ms", &self.key_age_ms)
            .field("now_ms", &self.now_ms)
            .finish_non_exhaustive()
    }
}

/// What to do next to get an answer.
#[derive(Debug)]
pub enum Step {
    /// Nothing to send: this is the answer.
    Answer(Answer),
    /// Send this, then hand what comes back to [`Gateway::read`].
    Http(HttpRequest),
}

impl From<Answer> for Step {
    fn from(answer: Answer) -> Step {
        Step::Answer(answer)
    }
}

/// Why we ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To have money paid back.
    Refund,
    /// To learn what became of an earlier request.
    Lookup,
}

/// What a provider said about one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An explicit yes: the money is on its way or there. The figures are the provider's, to be compared with the ask.
    Done {
        /// The provider's id of the refund.
        reference: String,
        /// What the provider says it paid, in minor units of `currency`.
        amount_minor: i64,
        /// The ISO 4217 code the provider says it paid in.
        currency: String,
    },
    /// Taken, but not settled: look again later.
    Pending {
        /// The provider's id of the refund; empty where there is none yet.
        reference: String,
    },
    /// An explicit no: nothing was paid and nothing will be, so the money is refundable again.
    Declined {
        /// The provider's own stable code, for example `expired_or_canceled_card`.
        code: String,
        /// The provider's words for a person.
        message: String,
    },
    /// No usable answer; the money may have moved. To be looked up, never sent again blind.
    Unknown {
        /// For the operator. Names no person and quotes no body.
        reason: String,
    },
    /// Only to a request to pay: it surely was not taken this time (nobody answers, too many requests), and may be sent
    /// again under its key.
    NotTaken {
        /// For the operator. Names no person and quotes no body.
        reason: String,
    },
    /// Only from a look-up: the provider surely has no refund under this key, so it may be sent again.
    NotFound,
}

impl Answer {
    /// [`Answer::Unknown`] in a word.
    pub fn unknown(reason: impl Into<String>) -> Answer {
        Answer::Unknown { reason: reason.into() }
    }

    /// What a call that got no answer says of the money: nothing, except that a request to pay that was never sent was
    /// not taken.
    pub fn unanswered(purpose: Purpose, outcome: HttpOutcome) -> Answer {
        match (purpose, outcome) {
            (Purpose::Refund, HttpOutcome::NotSent { reason }) => Answer::NotTaken { reason },
            (_, HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason }) => Answer::Unknown { reason },
            (_, HttpOutcome::Answered { status, .. }) => Answer::Unknown { reason: format!("status {status}") },
        }
    }
}

/// What a provider can do, as plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A payment may be refunded in part.
    pub partial: bool,
    /// A payment may be refunded more than once.
    pub several_per_payment: bool,
    /// The smallest amount it takes, in minor units of whatever the currency is.
    pub minimum_minor: i64,
    /// How many days after capture it still refunds; `None` is without end.
    pub deadline_days: Option<u32>,
    /// How long it answers a repeated key with the first answer.
    pub remembers_keys: KeyMemory,
    /// Who brings the news that a pending leg has settled.
    pub settled_by: SettledBy,
    /// When a leg in doubt is asked about.
    pub inquiry: Inquiry,
}

impl Capabilities {
    /// A provider that takes parts, several for a payment, from one minor unit on and without a deadline, and that says
    /// itself how a refund ended: what a driver names apart from this is what its provider is known to limit.
    pub const fn without_limits(remembers_keys: KeyMemory) -> Capabilities {
        Capabilities {
            partial: true,
            several_per_payment: true,
            minimum_minor: 1,
            deadline_days: None,
            remembers_keys,
            settled_by: SettledBy::Provider,
            inquiry: Inquiry::USUAL,
        }
    }
}

/// When a leg is asked about that the provider has not answered for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Waits between two questions about a leg in doubt, milliseconds: quick at first, because most providers settle in
    /// seconds, then patient. After the last one a person decides.
    pub doubt_ms: &'static [i64],
    /// Days that the provider may take to settle a leg it has acknowledged, asked about at the pace of `doubt_ms` and
    /// then once a day. After that a person decides.
    pub settles_within_days: u32,
}

impl Inquiry {
    /// Seconds, minutes, hours, and then a day for a week.
    pub const USUAL: Inquiry = Inquiry {
        doubt_ms: &[
            1_000,
            5_000,
            30_000,
            120_000,
            600_000,
            3_600_000,
            6 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
            24 * 3_600_000,
        ],
        settles_within_days: 45,
    };
}

/// How long a provider recognises an idempotency key. Once it may have forgotten, look up before any second attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMemory {
    /// It knows no keys.
    Never,
    /// This many days after the first use.
    Days(u32),
    /// For ever.
    Forever,
}

/// Who brings the news that a pending leg has settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettledBy {
    /// The provider, when looked up.
    Provider,
    /// A person, by hand; looking up learns nothing.
    Person,
}
