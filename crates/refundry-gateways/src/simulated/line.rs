//! A change of the books, as it is written down: one JSON object a line.

use serde::{Deserialize, Serialize};

use super::books::{Dispute, ExternalRefund, RefundOrder, Verdict};

/// A change.
#[derive(Clone, Debug)]
pub(super) enum Line {
    /// An order is taken, or the refund with its key changes.
    Refund(RefundLine),
    /// Somebody refunded at the dashboard.
    External(ExternalRefund),
    /// A dispute was opened, or went on to this.
    Dispute(Dispute),
    /// An event arrived where it was sent.
    Delivered(String),
    /// A key was asked for so often, and met trouble.
    Asked(Asked),
    /// The provider's clock is so far ahead, in milliseconds.
    Clock(i64),
}

/// A change of a refund: the first of a key is the order itself and its first answer, the last is how it stands.
#[derive(Clone, Debug)]
pub(super) struct RefundLine {
    pub(super) order: RefundOrder,
    pub(super) verdict: Verdict,
    pub(super) at_ms: i64,
    /// What is to become of it by itself. Only with an order that is taken.
    pub(super) plan: Vec<Planned>,
    /// The key was forgotten, so this is another payment.
    pub(super) again: bool,
}

/// What will become of a refund.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Planned {
    pub(super) at_ms: i64,
    pub(super) verdict: Verdict,
}

/// How often a key was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) key: String,
    pub(super) refunds: u32,
    pub(super) lookups: u32,
}

/// The line in JSON: what is not about it is left out. (An enum that finds its variant by trial would read numbers
/// through a buffer that does not know those of arbitrary precision.)
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<RefundOrder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "is_zero")]
    at_ms: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<Planned>,
    #[serde(skip_serializing_if = "is_false")]
    again: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    external: Option<ExternalRefund>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispute: Option<Dispute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Asked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_ahead_ms: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Line {
    pub(super) fn write(self) -> serde_json::Result<Vec<u8>> {
        let nothing = Written::default();
        let written = match self {
            Line::Refund(RefundLine { order, verdict, at_ms, plan, again }) => {
                Written { order: Some(order), verdict: Some(verdict), at_ms, plan, again, ..nothing }
            }
            Line::External(external) => Written { external: Some(external), ..nothing },
            Line::Dispute(dispute) => Written { dispute: Some(dispute), ..nothing },
            Line::Delivered(event) => Written { delivered: Some(event), ..nothing },
            Line::Asked(asked) => Written { asked: Some(asked), ..nothing },
            Line::Clock(ahead_ms) => Written { clock_ahead_ms: Some(ahead_ms), ..nothing },
        };
        let mut text = serde_json::to_vec(&written)?;
        text.push(b'\n');
        Ok(text)
    }

    /// `None` for what is no line of these books.
    pub(super) fn read(text: &[u8]) -> Option<Line> {
        let Written { order, verdict, at_ms, plan, again, external, dispute, delivered, asked, clock_ahead_ms } =
            serde_json::from_slice(text).ok()?;
        if let (Some(order), Some(verdict)) = (order, verdict) {
            return Some(Line::Refund(RefundLine { order, verdict, at_ms, plan, again }));
        }
        let external = external.map(Line::External);
        let others = external.or(dispute.map(Line::Dispute)).or(delivered.map(Line::Delivered));
        others.or(asked.map(Line::Asked)).or(clock_ahead_ms.map(Line::Clock))
    }
}
