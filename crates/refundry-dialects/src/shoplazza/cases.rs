//! Endpoints about after-sales cases: lists, finishing a refund that waits, deleting one.

mod post_sale;

use refundry_core::limits::{EXTERNAL_ID_CHARS_MAX, METADATA_VALUE_CHARS_MAX};
use refundry_core::order::Reference;
use refundry_core::query::{CaseQuery, Page, RefundQuery};
use refundry_core::refund::Progress;
use serde_json::{Value, json};

use super::decode::{Bad, is_blank, order_reference, required_text};
use super::encode::{envelope, modern_record, object};
use super::list::{Cursor, List, Params, cursor_after, one_of, range, whole};
use super::state::progress_code;
use super::{Version, reference, reject};
use crate::body::{self, Fault, Fields, Malformed};
use crate::cases::{CaseCall, CaseFault, CasePage, CaseReply, FinishCase};
use crate::text::{parse_time, percent_decode, query_pairs, read_uuid, uuid_of};
use crate::wire::{RefundView, Request, Response, Routed, Scope};

const PER_PAGE_MAX: u32 = 100;
const PER_PAGE_DEFAULT: u32 = 20;

/// Under which key a refund keeps the `pos` of its finish.
const POS: &str = "pos";

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// After Sales List: `GET /openapi/2022-01/orders/after_sales_list`, `GET /openapi/2025-06/orders/post_sales`.
    List,
    /// Finish a Refund: `POST /openapi/2026-01/orders/{order_id}/refund/finish`.
    Finish {
        /// The order's id as it stands in the path.
        order: String,
    },
    /// Delete a case: `DELETE /openapi/{version}/orders/post_sales/{post_sale_id}`.
    Delete {
        /// The case's id as it stands in the path.
        case: String,
    },
}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let modern = version.is_modern();
    Some(match (path, method) {
        (["orders", "after_sales_list"], "GET") if !modern => Routed::To(Endpoint::List),
        (["orders", "post_sales"], "GET") if modern => Routed::To(Endpoint::List),
        (["orders", "after_sales_list"], _) if !modern => Routed::MethodNotAllowed("GET"),
        (["orders", "post_sales"], _) if modern => Routed::MethodNotAllowed("GET"),
        // A name of the other generation is no order's id.
        (["orders", "after_sales_list" | "post_sales"], _) => Routed::NotFound,
        (["orders", "post_sales", case], "DELETE") => Routed::To(Endpoint::Delete { case: percent_decode(case) }),
        (["orders", "post_sales", _], _) => Routed::MethodNotAllowed("DELETE"),
        (["orders", order, "refund", "finish"], "POST") if version >= Version::V202601 => {
            Routed::To(Endpoint::Finish { order: percent_decode(order) })
        }
        (["orders", _, "refund", "finish"], _) if version >= Version::V202601 => Routed::MethodNotAllowed("POST"),
        _ => return None,
    })
}

/// What a token must allow.
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match endpoint {
        Endpoint::List => Scope::ReadOrders,
        Endpoint::Finish { .. } | Endpoint::Delete { .. } => Scope::WriteOrders,
    }
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<CaseCall, Bad> {
    match endpoint {
        Endpoint::List => Ok(CaseCall::List(query(version, request.query)?)),
        Endpoint::Finish { order } => finish(order, request),
        Endpoint::Delete { case } => Ok(CaseCall::Delete { case: case_reference(case) }),
    }
}

/// A case is named by its refund's number alone, in the shape of a UUID.
fn case_reference(text: &str) -> Reference {
    Reference { text: String::new(), ours: read_uuid(&text.trim().to_ascii_lowercase()) }
}

fn query(version: Version, query: &str) -> Result<CaseQuery, Malformed> {
    let params = Params::of(query_pairs(query));
    let modern = version.is_modern();
    // Parameters of the older list keep working in the newer one.
    let name = |old: &'static str, new: &'static str| if modern { params.name(&[new, old]) } else { old };
    let codes = Progress::ALL.map(|progress| (progress_code(progress), progress));
    let limit = whole(&params, &[name("per_page", "page_size")], PER_PAGE_MAX)?.unwrap_or(PER_PAGE_DEFAULT);
    let page = if modern {
        match Cursor::of(&params, List::Cases)? {
            Some(cursor) => cursor.newest_first()?,
            None => Page::Start,
        }
    } else {
        match whole(&params, &["page"], u32::MAX)?.unwrap_or(1).saturating_sub(1) {
            0 => Page::Start,
            before => Page::Skip(u64::from(before) * u64::from(limit)),
        }
    };
    Ok(CaseQuery {
        progress: one_of(&params, "status", &codes)?,
        created: range(&params, name("created_at_start", "created_at_min"), name("created_at_end", "created_at_max"))?,
        page,
        limit,
        counted: !modern,
    })
}

fn finish(order: &str, request: &Request<'_>) -> Result<CaseCall, Bad> {
    let order = order_reference(order)?;
    let body = if is_blank(request.body) { Value::Null } else { body::parse(request.body)? };
    if body.is_null() {
        return Err(Malformed::at("post_sale_id", Fault::Missing).into());
    }
    let root = Fields::root(&body)?;
    let case = case_reference(required_text(&root, "post_sale_id")?);
    let record = reference(required_text(&root, "refund_record_id")?);
    let extra = root.object("extra_info")?;
    let pos = extra.map(|extra| extra.text_or_empty(POS, METADATA_VALUE_CHARS_MAX)).transpose()?.unwrap_or_default();
    let channel = root.text_or_empty("payment_channel", METADATA_VALUE_CHARS_MAX)?.trim().to_owned();
    Ok(CaseCall::Finish(FinishCase {
        order,
        case,
        record,
        at_ms: refund_time(&root)?,
        reference: root.text_or_empty("transaction_number", EXTERNAL_ID_CHARS_MAX)?.trim().to_owned(),
        channel,
        metadata: if pos.is_empty() { Vec::new() } else { vec![(POS.to_owned(), pos)] },
    }))
}

fn refund_time(root: &Fields<'_>) -> Result<Option<i64>, Malformed> {
    let Some(text) = root.text("refund_time")?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let wrong = || root.fault("refund_time", Fault::Type("an RFC 3339 time such as 2024-06-24T08:17:59Z"));
    parse_time(text).ok_or_else(wrong).map(Some)
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    version: Version,
    _request: &Request<'_>,
    reply: &CaseReply,
) -> Option<Response> {
    let written = match (endpoint, reply) {
        (Endpoint::List, CaseReply::Page(page)) => list(version, page),
        (Endpoint::Finish { .. }, CaseReply::Finished(view)) => finished(version, view),
        (Endpoint::Delete { .. }, CaseReply::Deleted) if version.is_modern() => {
            envelope(version, "Post sale deleted", &json!({}))
        }
        (Endpoint::Delete { .. }, CaseReply::Deleted) => json!({}),
        _ => return None,
    };
    Some(Response::json(200, &written))
}

fn list(version: Version, page: &CasePage) -> Value {
    let modern = version.is_modern();
    let cases: Vec<Value> = page.cases.iter().map(|case| post_sale::write(case, &page.shop, modern)).collect();
    if !modern {
        let counts = page.counts;
        return json!({
            "count": counts.listed,
            "pending_count": counts.untouched,
            "processing_count": counts.begun,
            "post_sales": cases,
        });
    }
    let last = page.cases.last().filter(|_| page.has_more);
    let newest_first = RefundQuery::default();
    let cursor = last.map_or_else(String::new, |case| cursor_after(List::Cases, &newest_first, &case.refund));
    let data = json!({ "orders": cases, "cursor": cursor, "has_more": page.has_more });
    envelope(version, "Post sales retrieved", &data)
}

fn finished(version: Version, view: &RefundView) -> Value {
    let mut record = object(modern_record(view));
    let pos = match view.refund.metadata.get(POS) {
        Some(refundry_core::refund::MetaValue::Text(pos)) => pos.as_str(),
        Some(_) | None => "",
    };
    record.insert("extra_info".to_owned(), json!({ "pos": pos }));
    let order_id = record.get("order_id").cloned().unwrap_or_default();
    let data = json!({ "order_id": order_id, "post_sale_id": uuid_of(view.refund.id), "refund_record": record });
    envelope(version, "Refund finished", &data)
}

/// Writes why not.
pub(super) fn refuse(modern: bool, fault: &CaseFault) -> Response {
    let message = match fault {
        CaseFault::Unknown => return reject::not_found(modern, "Unable to find resource", "There is no such case."),
        CaseFault::NotPending => return reject::not_in_this_state(modern),
        CaseFault::NotOne => {
            "post_sale_id and refund_record_id must name one refund of this order, by its case and by its record"
                .to_owned()
        }
        CaseFault::OtherChannel(channel) => {
            format!("payment_channel: no payment of this refund went through {channel}")
        }
        CaseFault::Failed => "the refund failed; only one that is pending can be finished".to_owned(),
        CaseFault::NotByHand => {
            "a gateway settles this refund by itself; only money over held or custom channels is finished so".to_owned()
        }
        CaseFault::TimeOutOfRange => {
            "refund_time must not be before the refund was created, nor in the future".to_owned()
        }
        CaseFault::TooManyPairs => "extra_info.pos: the refund's metadata has no room for it".to_owned(),
    };
    reject::invalid(modern, &message)
}
