//! Endpoints about returns: make one, read those of an order, close one. None of them moves money.

use refundry_core::limits::{NOTE_CHARS_MAX, RETURN_NOTE_CHARS_MAX, RETURNS_PER_ORDER_MAX};
use refundry_core::order::Order;
use refundry_core::returns::{Return, ReturnDraft, ReturnLine, ReturnReason, ReturnState, ReturnUnits};
use serde_json::{Value, json};

use super::params::{self, Query, flag, id, missing, objects, word};
use super::{Version, ids, only, reject};
use crate::body::Fields;
use crate::returns::{ReturnCall, ReturnFault, ReturnReply};
use crate::text::{percent_decode, rfc3339_offset};
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST return/create.json`
    Create,
    /// `GET return.json`
    List,
    /// `POST return/{id}/close.json`
    Close {
        /// As in the path.
        id: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["return"] => only(method, "GET", Endpoint::List),
        ["return", "create"] => only(method, "POST", Endpoint::Create),
        ["return", id, "close"] => only(method, "POST", Endpoint::Close { id: percent_decode(id) }),
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::List => (Scope::ReadOrders, "read_returns"),
        Endpoint::Create | Endpoint::Close { .. } => (Scope::WriteOrders, "write_return"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::Create => create(request),
        Endpoint::List => list(request),
        Endpoint::Close { id } => close(id, request),
    };
    call.map(|call| Call::Returns(Box::new(call)))
}

fn create(request: &Request<'_>) -> Result<ReturnCall, Response> {
    let body = params::body(request)?;
    let fields = params::root(&body)?;
    // What is required comes first, whatever else is wrong.
    let order = id(&fields, "order_seq")?.ok_or_else(|| missing(&fields, "order_seq"))?;
    let items = objects(&fields, "return_line_items")?;
    if items.is_empty() {
        return Err(missing(&fields, "return_line_items"));
    }
    let draft = ReturnDraft {
        units: items.iter().map(units).collect::<Result<_, _>>()?,
        reason: fields.text_or_empty("return_reason", NOTE_CHARS_MAX).map_err(|m| reject::malformed(&m))?,
        notify: flag(&fields, "notify_customer")?,
        processed_ms: params::time_ms(&fields, "processed_at")?,
    };
    Ok(ReturnCall::Open { order: ids::order_reference(&order), draft })
}

fn units(item: &Fields<'_>) -> Result<ReturnUnits, Response> {
    let parcel = id(item, "fulfillment_id")?.ok_or_else(|| missing(item, "fulfillment_id"))?;
    let line = id(item, "line_item_id")?.ok_or_else(|| missing(item, "line_item_id"))?;
    let quantity = item.whole("quantity").map_err(|m| reject::malformed(&m))?;
    let note = item.text_or_empty("return_reason_note", RETURN_NOTE_CHARS_MAX).map_err(|m| reject::malformed(&m))?;
    Ok(ReturnUnits {
        parcel: Some(ids::parcel_reference(&parcel)),
        line: ids::line_reference(&line),
        // Left out is what a typed client makes of zero; the rules refuse it as that.
        quantity: quantity.unwrap_or(0),
        reason: word(item, "return_reason", "return_line_items.return_reason", read_reason)?,
        note,
    })
}

fn list(request: &Request<'_>) -> Result<ReturnCall, Response> {
    let query = Query::of(request);
    let order = query.text("order_id").map(ids::order_reference);
    let back = query.text("id").map(ids::return_reference);
    if order.is_none() && back.is_none() {
        return Err(reject::unprocessable("order_id or id is required"));
    }
    Ok(ReturnCall::List { order, back })
}

fn close(id: &str, request: &Request<'_>) -> Result<ReturnCall, Response> {
    let body = params::body(request)?;
    let notify = flag(&params::root(&body)?, "notify")?;
    Ok(ReturnCall::Close { back: ids::return_reference(id), notify })
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, version: Version, _: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Returns(reply) = reply else { return None };
    let written = match (endpoint, &**reply) {
        (Endpoint::Create, ReturnReply::Return(view)) => json!({ "return": object(version, &view.order, &view.back) }),
        (Endpoint::Close { .. }, ReturnReply::Return(_)) => json!({}),
        (Endpoint::List, ReturnReply::Returns(views)) => {
            let shown = views.iter().map(|view| object(version, &view.order, &view.back));
            json!({ "returns": shown.collect::<Vec<_>>() })
        }
        (_, _) => return None,
    };
    Some(Response::json(200, &written))
}

/// A return.
fn object(version: Version, order: &Order, back: &Return) -> Value {
    json!({
        "id": ids::return_id(back.id),
        "order_id": ids::order_id(order),
        "status": status(version, back.state),
        "return_reason": back.reason,
        "created_at": rfc3339_offset(back.created_ms),
        "return_line_items": back.lines.iter().map(|line| entry(order, line)).collect::<Vec<_>>(),
    })
}

fn entry(order: &Order, entry: &ReturnLine) -> Value {
    // An order keeps its lines, so the line is there.
    let line = order.lines.iter().find(|line| line.id == entry.line);
    json!({
        "id": entry.id.to_string(),
        "fulfillment_id": entry.parcel.map(ids::minted_parcel_id).unwrap_or_default(),
        "line_item_id": line.map_or_else(|| entry.line.to_string(), |line| ids::line_id(order, line).to_string()),
        "quantity": entry.quantity,
        "return_reason": entry.reason.map_or("", reason_word),
        "return_reason_note": entry.note,
    })
}

/// Where a return stands. Before the platform had a word for one that was called off, that was just over.
const fn status(version: Version, state: ReturnState) -> &'static str {
    match state {
        ReturnState::Open => "OPEN",
        ReturnState::Closed => "CLOSED",
        ReturnState::Cancelled if version.0 < Version::WITH_CANCELLED_RETURNS.0 => "CLOSED",
        ReturnState::Cancelled => "cancelled",
    }
}

const fn reason_word(reason: ReturnReason) -> &'static str {
    match reason {
        ReturnReason::Color => "COLOR",
        ReturnReason::Defective => "DEFECTIVE",
        ReturnReason::NotAsDescribed => "NOT_AS_DESCRIBED",
        ReturnReason::Other => "OTHER",
        ReturnReason::TooLarge => "SIZE_TOO_LARGE",
        ReturnReason::TooSmall => "SIZE_TOO_SMALL",
        ReturnReason::Style => "STYLE",
        ReturnReason::Unwanted => "UNWANTED",
        ReturnReason::WrongItem => "WRONG_ITEM",
    }
}

fn read_reason(text: &str) -> Option<ReturnReason> {
    ReturnReason::ALL.into_iter().find(|reason| reason_word(*reason) == text)
}

/// Writes why not.
pub(super) fn refuse(fault: &ReturnFault) -> Response {
    match fault {
        ReturnFault::ReturnUnknown(_) => reject::errors(404, "The return does not exist."),
        ReturnFault::Over(state) => reject::unprocessable(format!("the return is {}", state.code())),
        ReturnFault::NoUnits => reject::unprocessable("return_line_items is required"),
        ReturnFault::TooMany => reject::unprocessable(format!(
            "the order has {RETURNS_PER_ORDER_MAX} returns, which is as many as it may have"
        )),
        ReturnFault::LineUnknown { line, .. } => {
            reject::unprocessable(format!("line_item_id {line} does not exist in the order"))
        }
        ReturnFault::ParcelUnknown { parcel, .. } => {
            reject::unprocessable(format!("fulfillment_id {parcel} does not exist in the order"))
        }
        ReturnFault::ParcelCancelled { parcel, .. } => {
            reject::unprocessable(format!("fulfillment_id {parcel} is cancelled"))
        }
        ReturnFault::NotInParcel { line, parcel, .. } => {
            reject::unprocessable(format!("line_item_id {line} is not in fulfillment_id {parcel}"))
        }
        ReturnFault::QuantityInvalid { .. } => reject::unprocessable("quantity is invalid"),
        ReturnFault::TooManyUnits { .. } => reject::unprocessable("return quantity exceeds the returnable quantity"),
    }
}
