//! Stripe's objects, as far as they matter here: docs.stripe.com/api, read November 2026.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::units;
use crate::{Answer, Ask, Standing};

/// The keys under which our ids stand in a refund's metadata.
pub(super) const LEG: &str = "refundry_leg";
pub(super) const REFUND: &str = "refundry_refund";

/// Any object's own word for what it is.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) object: String,
}

/// `api/refunds/object`.
#[derive(Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    charge: Option<String>,
    payment_intent: Option<String>,
    status: Option<String>,
    failure_reason: Option<String>,
    pub(super) created: i64,
    metadata: Option<BTreeMap<String, String>>,
}

/// `api/refunds/list`.
#[derive(Deserialize)]
pub(super) struct Refunds {
    pub(super) url: String,
    pub(super) has_more: bool,
    pub(super) data: Vec<Refund>,
}

/// `api/disputes/object`.
#[derive(Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) charge: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) status: String,
    payment_method_details: Option<DisputedMethod>,
}

#[derive(Deserialize)]
struct DisputedMethod {
    card: Option<DisputedCard>,
}

#[derive(Deserialize)]
struct DisputedCard {
    case_type: Option<String>,
}

/// `api/errors`.
#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) error: Fault,
}

/// What is wrong with a request.
#[derive(Deserialize)]
pub(super) struct Fault {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) code: Option<String>,
    decline_code: Option<String>,
    pub(super) message: Option<String>,
}

impl Refund {
    /// Our leg, as we wrote it into the metadata.
    pub(super) fn leg(&self) -> Option<u64> {
        self.metadata.as_ref()?.get(LEG)?.parse().ok()
    }

    /// Whether it pays back this payment, by whichever of its two ids.
    pub(super) fn is_of(&self, payment: &str) -> bool {
        [&self.payment_intent, &self.charge].iter().any(|id| id.as_deref() == Some(payment))
    }

    /// The payment's two ids, the payment intent first.
    pub(super) fn payment(&self) -> (String, String) {
        two_ids(self.payment_intent.as_ref(), self.charge.as_ref())
    }

    /// How it stands; a status that is not in the reference is not settled.
    pub(super) fn standing(&self) -> Standing {
        match self.status.as_deref() {
            Some("succeeded") => Standing::Paid,
            Some("failed" | "canceled") => Standing::NotPaid,
            _ => Standing::Pending,
        }
    }

    /// What it says of the money. `None` where the amount cannot be one of its currency.
    pub(super) fn answer(&self) -> Option<Answer> {
        let (amount_minor, currency) = units::from_stripe(self.amount, &self.currency)?;
        Some(match (self.standing(), self.status.as_deref()) {
            (Standing::Paid, _) => Answer::Done { reference: self.id.clone(), amount_minor, currency },
            (Standing::Pending, _) => Answer::Pending { reference: self.id.clone() },
            (Standing::NotPaid, status) => {
                let status = status.unwrap_or_default();
                Answer::Declined {
                    code: self.failure_reason.clone().unwrap_or_else(|| status.to_owned()),
                    message: format!("refund {} {status}", self.id),
                }
            }
        })
    }

    /// What it says of the money of a leg: nothing, unless it is that leg's.
    pub(super) fn answer_to(&self, ask: &Ask) -> Answer {
        let ours = self.leg() == Some(ask.leg_id) || (self.leg().is_none() && self.id == ask.refund_reference);
        match self.answer() {
            _ if !ours => Answer::unknown("the answer is about another refund"),
            _ if !self.is_of(&ask.payment_reference) => Answer::unknown("the answer is about another payment"),
            // A word for a status that the reference does not have may mean anything.
            Some(Answer::Pending { .. }) if !matches!(self.status.as_deref(), Some("pending" | "requires_action")) => {
                Answer::unknown("the refund has a status that is not known")
            }
            Some(answer) => answer,
            None => Answer::unknown("the amount is none of its currency"),
        }
    }
}

impl Dispute {
    /// The payment's two ids, the payment intent first.
    pub(super) fn payment(&self) -> (String, String) {
        two_ids(self.payment_intent.as_ref(), self.charge.as_ref())
    }

    /// Kept from becoming a chargeback because the bank dropped it, not because the buyer was paid.
    pub(super) fn is_blocked(&self) -> bool {
        let card = self.payment_method_details.as_ref().and_then(|details| details.card.as_ref());
        card.and_then(|card| card.case_type.as_deref()) == Some("block")
    }
}

impl Fault {
    /// The most exact of its words: why the bank declined, else what went wrong, else its kind.
    pub(super) fn word(&self) -> &str {
        self.decline_code.as_deref().or(self.code.as_deref()).unwrap_or(&self.kind)
    }
}

fn two_ids(payment_intent: Option<&String>, charge: Option<&String>) -> (String, String) {
    match (payment_intent, charge) {
        (Some(intent), charge) => (intent.clone(), charge.cloned().unwrap_or_default()),
        (None, charge) => (charge.cloned().unwrap_or_default(), String::new()),
    }
}
