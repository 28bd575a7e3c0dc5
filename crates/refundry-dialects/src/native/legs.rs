//! Legs on their way out, and what a person does about a refund: call it off, try again what failed.

use std::borrow::Cow;

use refundry_core::refund::{LegState, Stage};
use refundry_core::retry::Destination;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answers::{self, Money, Page};
use super::decode::{No, REFERENCE_CHARS_MAX};
use super::encode::{json, leg, named, order_id, shown};
use super::read::{id_text, only, read_id, reference, required_id, text_of};
use super::{codes, examples, query};
use crate::body::{self, Fault, Fields};
use crate::payouts::{LegView, PayoutCall, PayoutFault, Standing, Testimony};
use crate::text::rfc3339_millis;
use crate::wire::{Call, Refusal, Request, Response};

/// Keys of `POST /v1/refunds/{id}/cancel`.
pub(super) const CANCEL_KEYS: &[&str] = &["reason"];
/// Keys of `POST /v1/refunds/{id}/retry`.
pub(super) const RETRY_KEYS: &[&str] = &["to"];
/// Keys of a retry's destination.
const DESTINATION_KEYS: &[&str] = &["payment"];

/// Why a refund is called off.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelInput {
    /// Kept with the legs that are called off; at most 500 characters.
    pub reason: Option<String>,
}

/// How to try again what failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryInput {
    /// Where the money goes now; `same` where it is left out.
    pub to: Option<RetryTo>,
}

/// Where the money goes the second time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum RetryTo {
    /// The same payments, or outside.
    Way(codes::RetryWay),
    /// Another payment of the order.
    #[schema(title = "RetryToPayment")]
    Payment {
        /// Its id.
        payment: String,
    },
}

/// A leg that is not over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenLeg<'a> {
    /// What the gateway is asked for, in the payment's own currency.
    pub amount: Money,
    /// How often a worker took it up.
    pub attempts: i64,
    /// The payment's own currency.
    pub currency: &'static str,
    /// The gateway that pays back.
    pub gateway: &'a str,
    /// The leg's number.
    pub leg: String,
    /// What happens next.
    pub next: &'static str,
    /// When it happens; `null` where nothing does before a person decides.
    #[schema(format = DateTime)]
    pub next_at: Option<String>,
    /// The order's id.
    pub order: Cow<'a, str>,
    /// Why nobody knows, or why a person has to look; `null` elsewhere.
    pub reason: Option<&'a str>,
    /// The refund's id.
    pub refund: Cow<'a, str>,
    /// Where it stands.
    #[schema(value_type = codes::Stage)]
    pub stage: &'static str,
}

/// A leg with all that is known of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LegFile<'a> {
    /// What was heard of it that was not plain, oldest first.
    pub evidence: Vec<Evidence<'a>>,
    /// The leg, as in its refund.
    pub leg: Option<answers::Leg<'a>>,
    /// Where it stands; `null` once it is over, and for a leg that no gateway answers for.
    pub standing: Option<OpenLeg<'a>>,
}

/// Something heard of a leg.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Evidence<'a> {
    /// The words.
    pub detail: &'a str,
    /// What was heard: `sent`, `in_doubt`, `not_sent`, `succeeded`, `failed`, `contradicted` (it says other figures
    /// than were asked for), `given_up` (nothing was learnt in time).
    pub heard: &'a str,
    /// When.
    #[schema(format = DateTime)]
    pub heard_at: String,
    /// From whom: `answer` of the gateway when asked, `delivery` of the gateway unasked, `person`.
    pub source: &'a str,
}

/// Reads `POST /v1/refunds/{id}/cancel`; the body may be left out.
pub(super) fn cancel(name: &str, bytes: &[u8]) -> Result<Call, No> {
    let body = optional(bytes)?;
    let fields = Fields::root(&body)?;
    only(&fields, CANCEL_KEYS)?;
    Ok(Call::CancelRefund { refund: reference(name), reason: text_of(&fields, "reason", REFERENCE_CHARS_MAX)? })
}

/// Reads `POST /v1/refunds/{id}/retry`; the body may be left out.
pub(super) fn retry(name: &str, bytes: &[u8]) -> Result<Call, No> {
    let body = optional(bytes)?;
    let fields = Fields::root(&body)?;
    only(&fields, RETRY_KEYS)?;
    let to = match fields.value("to") {
        None => Destination::Same,
        Some(Value::String(way)) if way == "same" => Destination::Same,
        Some(Value::String(way)) if way == "outside" => Destination::Outside,
        Some(Value::Object(_)) => {
            let to = fields.object("to")?.ok_or_else(|| fields.fault("to", Fault::Missing))?;
            only(&to, DESTINATION_KEYS)?;
            Destination::Payment(reference(required_id(&to, "payment")?))
        }
        Some(_) => {
            let wanted = r#""same", "outside" or {"payment":…}"#.to_owned();
            return Err(fields.fault("to", Fault::Value(wanted)).into());
        }
    };
    Ok(Call::RetryRefund { refund: reference(name), to })
}

fn optional(bytes: &[u8]) -> Result<Value, No> {
    if bytes.trim_ascii().is_empty() { Ok(json!({})) } else { Ok(body::parse(bytes)?) }
}

/// Reads `GET /v1/legs`.
pub(super) fn list(request: &Request<'_>) -> Result<Call, No> {
    let (stages, after, limit) = query::legs(request)?;
    Ok(Call::Payouts(Box::new(PayoutCall::ListLegs { stages, after, limit })))
}

/// Reads `GET /v1/refunds/{id}/legs/{leg}`.
pub(super) fn get(refund: &str, leg: &str) -> Result<Call, No> {
    // A text that is none of our numbers names no leg of any refund.
    let unknown = || Refusal::Payouts(Box::new(PayoutFault::LegUnknown(leg.to_owned())));
    let leg = read_id(leg.trim()).ok_or_else(|| No::Refused(unknown()))?;
    Ok(Call::Payouts(Box::new(PayoutCall::GetLeg { refund: reference(refund), leg })))
}

/// Writes a page of legs.
pub(super) fn page(legs: &[LegView], has_more: bool) -> Response {
    let last = legs.last().and_then(LegView::leg).filter(|_| has_more);
    let next_cursor = last.map(|leg| query::cursor(query::LEG_LIST, 0, leg.id));
    json(200, &Page { data: legs.iter().filter_map(open_leg).collect(), next_cursor })
}

/// Writes a leg with all that is known of it.
pub(super) fn file<'a>(view: &'a LegView, evidence: &'a [Testimony]) -> LegFile<'a> {
    LegFile {
        evidence: evidence.iter().map(heard).collect(),
        leg: view.leg().map(|known| leg(&view.order, known)),
        standing: open_leg(view),
    }
}

fn heard(testimony: &Testimony) -> Evidence<'_> {
    Evidence {
        detail: &testimony.detail,
        heard: &testimony.heard,
        heard_at: rfc3339_millis(testimony.heard_ms),
        source: &testimony.source,
    }
}

/// Writes where a leg stands.
pub(super) fn open_leg(view: &LegView) -> Option<OpenLeg<'_>> {
    let LegView { refund, order, standing, .. } = view;
    let (leg, standing) = view.leg().zip(*standing)?;
    let own = order.payments.get(leg.payment).map_or(order.currency, |payment| payment.own_currency);
    let reason = match &leg.state {
        LegState::InDoubt { reason } | LegState::Parked { reason } => Some(reason.as_str()),
        _ => None,
    };
    Some(OpenLeg {
        amount: shown(leg.own_amount, own),
        attempts: standing.attempts,
        currency: own.code(),
        gateway: leg.gateway(order),
        leg: id_text(leg.id),
        next: standing.stage.next(),
        next_at: standing.next_ms.map(rfc3339_millis),
        order: order_id(order),
        reason: reason.filter(|reason| !reason.is_empty()),
        refund: named(order, refund.external_id.as_deref(), refund.id),
        stage: standing.stage.code(),
    })
}

/// The example leg: nobody knows what became of it.
pub(super) fn example() -> (LegView, Vec<Testimony>) {
    let (view, _) = examples::refunded();
    let mut refund = view.refund;
    let reason = "the provider answered with status 500";
    for leg in &mut refund.legs {
        leg.state = LegState::InDoubt { reason: reason.to_owned() };
    }
    let (heard_ms, detail) = (refund.created_ms + 350, reason.to_owned());
    let standing = Standing { stage: Stage::InDoubt, attempts: 3, next_ms: Some(refund.created_ms + 36_350) };
    let testimony = Testimony { heard_ms, source: "answer".to_owned(), heard: "in_doubt".to_owned(), detail };
    (LegView { refund, order: view.order, index: 0, standing: Some(standing) }, vec![testimony])
}

/// A page of legs, as it is answered.
pub(super) fn example_page() -> Value {
    let (view, _) = example();
    json!({"data": [open_leg(&view)], "next_cursor": Value::Null})
}

/// A leg with all that is known of it, as it is answered.
pub(super) fn example_file() -> Value {
    let (view, evidence) = example();
    json!(file(&view, &evidence))
}
