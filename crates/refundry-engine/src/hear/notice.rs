//! Notices as the inbox keeps them: what an event says, packed, so that it can be tried again.

use refundry_core::order::Id;
use refundry_gateways::{About, Answer, DisputeStage, Notice};
use refundry_store::StoreError;
use refundry_store::inbox::InboxRow;
use serde::{Deserialize, Serialize};

/// A notice as it is kept.
#[derive(Serialize, Deserialize)]
struct Packed {
    kind: String,
    happened_ms: Option<i64>,
    about: PackedAbout,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PackedAbout {
    Refund {
        leg: Option<Id>,
        refund: String,
        payment: String,
        alias: String,
        standing: String,
        code: String,
        message: String,
        amount_minor: i64,
        currency: String,
    },
    Dispute {
        dispute: String,
        payment: String,
        alias: String,
        stage: String,
        amount_minor: i64,
        currency: String,
    },
}

pub(super) fn pack(notice: &Notice) -> String {
    let about = match notice.about.clone() {
        About::Refund {
            leg_id,
            refund_reference,
            payment_reference,
            payment_alias,
            answer,
            amount_minor,
            currency,
        } => {
            let (standing, code, message) = match answer {
                Answer::Done { .. } => ("done", String::new(), String::new()),
                Answer::Pending { .. } => ("pending", String::new(), String::new()),
                Answer::Declined { code, message } => ("declined", code, message),
                Answer::Unknown { .. } | Answer::NotTaken { .. } | Answer::NotFound => {
                    ("unknown", String::new(), String::new())
                }
            };
            PackedAbout::Refund {
                leg: leg_id,
                refund: refund_reference,
                payment: payment_reference,
                alias: payment_alias,
                standing: standing.to_owned(),
                code,
                message,
                amount_minor,
                currency,
            }
        }
        About::Dispute { dispute_reference, payment_reference, payment_alias, stage, amount_minor, currency } => {
            PackedAbout::Dispute {
                dispute: dispute_reference,
                payment: payment_reference,
                alias: payment_alias,
                stage: stage.code().to_owned(),
                amount_minor,
                currency,
            }
        }
    };
    let packed = Packed { kind: notice.kind.clone(), happened_ms: notice.happened_ms, about };
    serde_json::to_string(&packed).expect("a packed notice has text keys only")
}

/// A notice as it was kept.
pub(crate) fn unpack(row: &InboxRow) -> Result<Notice, StoreError> {
    let broken = || StoreError::defect(format!("inbox.notice of event {} cannot be read", row.id));
    let packed: Packed = serde_json::from_str(&row.notice).map_err(|_| broken())?;
    let about = match packed.about {
        PackedAbout::Refund { leg, refund, payment, alias, standing, code, message, amount_minor, currency } => {
            let reference = refund.clone();
            let answer = match standing.as_str() {
                "done" => Answer::Done { reference, amount_minor, currency: currency.clone() },
                "pending" => Answer::Pending { reference },
                "declined" => Answer::Declined { code, message },
                _ => Answer::unknown("it says nothing of how the refund stands"),
            };
            About::Refund {
                leg_id: leg,
                refund_reference: refund,
                payment_reference: payment,
                payment_alias: alias,
                answer,
                amount_minor,
                currency,
            }
        }
        PackedAbout::Dispute { dispute, payment, alias, stage, amount_minor, currency } => About::Dispute {
            dispute_reference: dispute,
            payment_reference: payment,
            payment_alias: alias,
            stage: DisputeStage::parse(&stage).ok_or_else(broken)?,
            amount_minor,
            currency,
        },
    };
    Ok(Notice { event: row.event.clone(), kind: packed.kind, happened_ms: packed.happened_ms, about })
}
