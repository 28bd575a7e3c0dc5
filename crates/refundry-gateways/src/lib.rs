//! Payment providers behind one trait.
//!
//! A driver is a translation in three parts: what the provider can do ([`Gateway::capabilities`]), how we ask it
//! ([`Gateway::refund`], [`Gateway::lookup`]) and what its answers mean ([`Gateway::read`]). It stores nothing, never
//! waits, opens no connection and never tries again: leases, retries, backoff and books are the engine's. So a driver
//! can be read top to bottom and tested by handing it text.
//!
//! ```text
//! Ask ──refund()/lookup()──▶ Step ──┬─ Answer                                   (nothing to send)
//!                                   └─ Http ──Transport──▶ HttpOutcome ──read()──▶ Answer
//! ```
//!
//! Three rules hold for every driver:
//! - **Only an explicit yes or no is final.** A timeout, a 5xx, an unreadable body or a surprising shape is
//!   [`Answer::Unknown`]: the money may have moved, so the engine looks it up and never guesses.
//! - **The leg id is the idempotency key**, the same decimal text for ever ([`Ask::key`]). Sending it twice pays once,
//!   for as long as the provider remembers keys ([`KeyMemory`]).
//! - **The provider's own figures are handed on.** [`Answer::Done`] carries what the provider says it paid; when that
//!   differs from what was asked, the engine parks the leg for a person.
//!
//! Read next: [`manual`] (the smallest driver), [`simulated`] (a whole provider to try things on), [`http`] (the only
//! place that opens an outbound connection). A new provider is a new module here and a line where the [`Registry`] is
//! filled.

pub mod http;
pub mod manual;
pub mod simulated;

use std::fmt;

pub use http::{HttpOutcome, HttpRequest, Method, Transport, TransportLimits};
pub use manual::Manual;
pub use simulated::Simulated;

/// One payment provider: pure translation, no I/O of its own.
pub trait Gateway: Send + Sync {
    /// The name in configuration and on stored legs. It never changes, because old legs are found by it.
    fn name(&self) -> &'static str;

    /// What the provider can do, as data for the rules: an impossible refund is refused before anything is saved.
    fn capabilities(&self) -> Capabilities;

    /// How to ask for the money to be paid back. Safe to repeat with the same [`Ask`] while the provider remembers
    /// keys.
    fn refund(&self, ask: &Ask) -> Step;

    /// How to ask what became of an earlier [`refund`](Gateway::refund) with this key. Never moves money by itself.
    fn lookup(&self, ask: &Ask) -> Step;

    /// What the outcome of a [`Step::Http`] means. Answers [`Answer::NotFound`] only for [`Purpose::Lookup`].
    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Answer;
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
}

impl Ask {
    /// The idempotency key as it is sent: the leg id in decimal.
    pub fn key(&self) -> String {
        self.leg_id.to_string()
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
    /// Only from a look-up: the provider surely has no refund under this key, so it may be sent again.
    NotFound,
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

/// The configured drivers, by name.
pub struct Registry {
    drivers: Vec<Box<dyn Gateway>>,
}

impl Registry {
    /// Takes the configured drivers; each name may occur once.
    pub fn new(drivers: Vec<Box<dyn Gateway>>) -> Result<Registry, NameTaken> {
        for (position, driver) in drivers.iter().enumerate() {
            let earlier = drivers.iter().take(position);
            if earlier.into_iter().any(|other| other.name() == driver.name()) {
                return Err(NameTaken { name: driver.name() });
            }
        }
        Ok(Registry { drivers })
    }

    /// The driver of that name, if it is configured.
    pub fn find(&self, name: &str) -> Option<&dyn Gateway> {
        self.drivers().find(|driver| driver.name() == name)
    }

    /// Every configured driver, in the order of configuration.
    pub fn drivers(&self) -> impl Iterator<Item = &dyn Gateway> {
        self.drivers.iter().map(AsRef::as_ref)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.drivers().map(Gateway::name)).finish()
    }
}

/// Two configured drivers have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameTaken {
    /// The name that occurs twice.
    pub name: &'static str,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two gateways are named {}", self.name)
    }
}

impl std::error::Error for NameTaken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_finds_by_name_and_refuses_a_name_twice() {
        let registry = Registry::new(vec![Box::new(Manual), Box::new(Simulated::remote("http://localhost"))]).unwrap();
        assert_eq!(registry.find("manual").map(Gateway::name), Some("manual"));
        assert_eq!(registry.find("simulated").map(Gateway::name), Some("simulated"));
        assert!(registry.find("stripe").is_none());

        let twice = Registry::new(vec![Box::new(Manual), Box::new(Manual)]);
        assert_eq!(twice.err(), Some(NameTaken { name: "manual" }));
    }
}
