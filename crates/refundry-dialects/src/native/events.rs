//! Events of providers that wait for a person.

use refundry_core::money::{Amount, Currency};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answers::{Money, Page};
use super::codes;
use super::decode::{No, REFERENCE_CHARS_MAX};
use super::encode::json;
use super::query;
use super::read::{id, id_text, only, read_id, reference};
use crate::body::{self, Fault, Fields, Malformed};
use crate::payouts::{EventView, EventWord, PayoutCall, PayoutFault};
use crate::text::rfc3339_millis;
use crate::wire::{Call, Refusal, Request, Response};

/// Keys of `POST /v1/events/{event}/resolve`.
pub(super) const RESOLVE_KEYS: &[&str] = &["dismiss", "order", "payment"];

/// What becomes of an event: `dismiss`, or `order` with its `payment`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveInput {
    /// It is nothing to the store: why. At most 500 characters.
    pub dismiss: Option<String>,
    /// It is a refund of this order.
    pub order: Option<String>,
    /// Of this payment; may be left out where the order has only one.
    pub payment: Option<String>,
}

/// An event that a provider told of and that fits nothing here.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event<'a> {
    /// What it is about.
    #[schema(value_type = codes::EventAbout)]
    pub about: &'static str,
    /// How much; `null` where the currency is not known here.
    pub amount: Option<Money>,
    /// The currency, as the provider says.
    pub currency: &'a str,
    /// The provider's id of the event.
    pub event: &'a str,
    /// The gateway that told of it.
    pub gateway: &'a str,
    /// When it happened, as the provider says.
    #[schema(format = DateTime)]
    pub happened_at: Option<String>,
    /// When it was heard.
    #[schema(format = DateTime)]
    pub heard_at: String,
    /// Our number, 18 digits.
    pub id: String,
    /// The provider's word for what happened.
    pub kind: &'a str,
    /// The provider's id of the payment, may be empty.
    pub payment: &'a str,
    /// The provider's id of the refund or dispute, may be empty.
    pub reference: &'a str,
    /// Why it waits.
    pub why: &'a str,
}

/// What became of an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resolved<'a> {
    /// Our number of it.
    pub event: String,
    /// `dismissed`; `settled`, it moved a leg; `external`, a refund made at the provider is in the books now; `stale`,
    /// it told what was known.
    pub outcome: &'a str,
    /// The refund that it moved, or that was made of it.
    pub refund: Option<String>,
}

/// Reads `GET /v1/events`.
pub(super) fn list(request: &Request<'_>) -> Result<Call, No> {
    let (after, limit) = query::events(request)?;
    Ok(Call::Payouts(Box::new(PayoutCall::ListEvents { after, limit })))
}

/// Reads `POST /v1/events/{event}/resolve`.
pub(super) fn resolve(event: &str, bytes: &[u8]) -> Result<Call, No> {
    let body = body::parse(bytes)?;
    let word = word(&Fields::root(&body)?)?;
    let unknown = || Refusal::Payouts(Box::new(PayoutFault::EventUnknown(event.to_owned())));
    let event = read_id(event.trim()).ok_or_else(|| No::Refused(unknown()))?;
    Ok(Call::Payouts(Box::new(PayoutCall::ResolveEvent { event, word })))
}

fn word(fields: &Fields<'_>) -> Result<EventWord, Malformed> {
    only(fields, RESOLVE_KEYS)?;
    let either = |key: &str| fields.fault(key, Fault::Value("given, or else order; exactly one of them".to_owned()));
    let payment = id(fields, "payment")?;
    match (fields.value("dismiss"), id(fields, "order")?) {
        (None, Some(order)) => Ok(EventWord::Of { order: reference(order), payment: payment.map(reference) }),
        (Some(_), None) if payment.is_none() => {
            let why = fields.text_or_empty("dismiss", REFERENCE_CHARS_MAX)?;
            if why.trim().is_empty() {
                return Err(fields.fault("dismiss", Fault::Value("the reason, in words".to_owned())));
            }
            Ok(EventWord::Dismiss(why))
        }
        (Some(_), None) => Err(fields.fault("payment", Fault::Value("left out: only order takes it".to_owned()))),
        (None, None) | (Some(_), Some(_)) => Err(either("dismiss")),
    }
}

/// Writes a page of events.
pub(super) fn page(events: &[EventView], has_more: bool) -> Response {
    let last = events.last().filter(|_| has_more);
    let next_cursor = last.map(|event| query::cursor(query::EVENT_LIST, 0, event.id));
    json(200, &Page { data: events.iter().map(event).collect(), next_cursor })
}

/// Writes an event.
pub(super) fn event(view: &EventView) -> Event<'_> {
    let currency = Currency::parse(&view.currency);
    Event {
        about: view.about,
        amount: currency.map(|currency| Money::of(Amount::minor(view.amount_minor), currency)),
        currency: &view.currency,
        event: &view.event,
        gateway: &view.gateway,
        happened_at: view.happened_ms.map(rfc3339_millis),
        heard_at: rfc3339_millis(view.heard_ms),
        id: id_text(view.id),
        kind: &view.kind,
        payment: &view.payment,
        reference: &view.reference,
        why: &view.why,
    }
}

/// Writes what became of an event.
pub(super) fn resolved(event: u64, outcome: &str, refund: Option<u64>) -> Resolved<'_> {
    Resolved { event: id_text(event), outcome, refund: refund.map(id_text) }
}

/// The example event.
pub(super) fn example() -> EventView {
    EventView {
        id: super::examples::FIRST_ID + 200,
        gateway: "stripe-eu".to_owned(),
        event: "evt_1Qxample".to_owned(),
        kind: "refund.created".to_owned(),
        why: "no order has its payment".to_owned(),
        heard_ms: super::examples::NOW_MS + 1_200,
        happened_ms: Some(super::examples::NOW_MS),
        about: "refund",
        reference: "re_1Qxample".to_owned(),
        payment: "pi_3Qxample".to_owned(),
        amount_minor: 1_250,
        currency: "EUR".to_owned(),
    }
}

/// A page of events, as it is answered.
pub(super) fn example_page() -> Value {
    json!({"data": [event(&example())], "next_cursor": Value::Null})
}

/// What became of an event, as it is answered.
pub(super) fn example_resolved() -> Value {
    json!(resolved(example().id, "external", Some(super::examples::FIRST_ID + 300)))
}
