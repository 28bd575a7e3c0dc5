//! What the simulated provider says unasked: the body of an event, its signature, and how the driver reads both. The
//! wire is in the parent's documentation.

use serde::{Deserialize, Serialize};

use super::books::{Books, Dispute, Outcome, Status, Verdict};
use super::line::{Line, RefundLine};
use crate::signing::{Hash, from_hex, to_hex};
use crate::{About, Answer, Delivery, DisputeStage, Heard, Notice};

/// The header of the signature.
pub(super) const SIGNATURE: &str = "simulated-signature";

/// How far the time stamp of a signature may be from the time it is checked.
const TOLERANCE_SECONDS: u64 = 300;

/// An event, as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// The same whenever it is delivered.
    pub(super) id: String,
    #[serde(rename = "type")]
    kind: String,
    pub(super) created_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refund: Option<RefundNews>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dispute: Option<Dispute>,
}

/// A refund in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RefundNews {
    reference: String,
    /// Empty for one that was made at the dashboard.
    #[serde(default)]
    key: String,
    payment: String,
    status: Status,
    amount_minor: i64,
    currency: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Event {
    /// What is told of a line that was just applied to the books.
    pub(super) fn of(line: &Line, books: &Books) -> Option<Event> {
        match line {
            Line::Refund(RefundLine { order, verdict, at_ms, .. }) => {
                let Verdict { status, amount_minor, code, message } = verdict.clone();
                let kind = match status {
                    Status::Done => "refund.succeeded",
                    Status::Pending => "refund.updated",
                    Status::Declined => "refund.failed",
                };
                let news = RefundNews {
                    reference: books.reference(&order.key),
                    key: order.key.clone(),
                    payment: order.payment.clone(),
                    status,
                    amount_minor,
                    currency: order.currency.clone(),
                    code,
                    message,
                };
                Some(Event::about_refund(&order.key, books.changes(&order.key), kind, *at_ms, news))
            }
            Line::External(external) => {
                let news = RefundNews {
                    reference: external.reference.clone(),
                    key: String::new(),
                    payment: external.payment.clone(),
                    status: Status::Done,
                    amount_minor: external.amount_minor,
                    currency: external.currency.clone(),
                    code: String::new(),
                    message: String::new(),
                };
                Some(Event::about_refund(&external.reference, 1, "refund.succeeded", external.made_ms, news))
            }
            Line::Dispute(dispute) => {
                let kind = match dispute.stage {
                    DisputeStage::Open => "dispute.opened",
                    DisputeStage::Won => "dispute.won",
                    DisputeStage::Lost => "dispute.lost",
                };
                Some(Event {
                    id: format!("evt_{}_{}", dispute.id, books.changes(&dispute.id)),
                    kind: kind.to_owned(),
                    created_ms: dispute.changed_ms,
                    refund: None,
                    dispute: Some(dispute.clone()),
                })
            }
            Line::Delivered(_) | Line::Asked(_) | Line::Clock(_) => None,
        }
    }

    fn about_refund(of: &str, nth: u32, kind: &str, created_ms: i64, news: RefundNews) -> Event {
        let (id, kind) = (format!("evt_{of}_{nth}"), kind.to_owned());
        Event { id, kind, created_ms, refund: Some(news), dispute: None }
    }

    fn notice(self) -> Option<Notice> {
        let about = match (self.refund, self.dispute) {
            (Some(news), None) => About::Refund {
                leg_id: leg_of(&news.key),
                answer: news.answer(),
                refund_reference: news.reference,
                payment_reference: news.payment,
                payment_alias: String::new(),
                amount_minor: news.amount_minor,
                currency: news.currency,
            },
            (None, Some(dispute)) => About::Dispute {
                dispute_reference: dispute.id,
                payment_reference: dispute.payment,
                payment_alias: String::new(),
                stage: dispute.stage,
                amount_minor: dispute.amount_minor,
                currency: dispute.currency,
            },
            _ => return None,
        };
        Some(Notice { event: self.id, kind: self.kind, happened_ms: Some(self.created_ms), about })
    }
}

impl RefundNews {
    fn answer(&self) -> Answer {
        match self.status {
            Status::Done => Answer::Done {
                reference: self.reference.clone(),
                amount_minor: self.amount_minor,
                currency: self.currency.clone(),
            },
            Status::Pending => Answer::Pending { reference: self.reference.clone() },
            Status::Declined => Answer::Declined { code: self.code.clone(), message: self.message.clone() },
        }
    }
}

/// Our leg, where the key is one of ours.
pub(super) fn leg_of(key: &str) -> Option<u64> {
    key.parse().ok().filter(|leg: &u64| leg.to_string() == key)
}

/// The value of the signature's header: an HMAC-SHA-256 over the seconds, a dot and the body.
pub(super) fn signature(secret: &[u8], now_ms: i64, body: &[u8]) -> String {
    let seconds = now_ms.div_euclid(1000).to_string();
    let code = Hash::Sha256.sign(secret, &[seconds.as_bytes(), b".", body]);
    format!("t={seconds},v1={}", to_hex(&code))
}

/// Checks a delivery and says what it tells.
pub(super) fn hear(secret: Option<&[u8]>, delivery: &Delivery<'_>) -> Heard {
    let Some(secret) = secret else {
        return Heard::refused("no secret is set to check deliveries with");
    };
    let Some(header) = delivery.header(SIGNATURE) else {
        return Heard::refused(format!("there is no header {SIGNATURE}"));
    };
    let parts = header.split_once(',').and_then(|(t, v1)| Some((t.strip_prefix("t=")?, v1.strip_prefix("v1=")?)));
    let Some((seconds, code)) = parts.and_then(|(seconds, code)| Some((seconds, from_hex(code)?))) else {
        return Heard::refused("the signature is malformed");
    };
    if !Hash::Sha256.verify(secret, &[seconds.as_bytes(), b".", delivery.body], &code) {
        return Heard::refused("the signature does not match");
    }
    let now = delivery.now_ms.div_euclid(1000);
    let timely = seconds.parse::<i64>().is_ok_and(|sent| now.abs_diff(sent) <= TOLERANCE_SECONDS);
    if !timely {
        return Heard::refused("the signature is too old, or the clocks differ");
    }
    match serde_json::from_slice::<Event>(delivery.body) {
        Ok(event) => Heard::Notices(event.notice().into_iter().collect()),
        Err(_) => Heard::refused("the body is not an event"),
    }
}

/// What a look-up and an event say of a refund are the same words.
impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        let Outcome { reference, status, amount_minor, currency, code, message, .. } = outcome;
        match status {
            Status::Done => Answer::Done { reference, amount_minor, currency },
            Status::Pending => Answer::Pending { reference },
            Status::Declined => Answer::Declined { code, message },
        }
    }
}
