//! Endpoints about orders themselves: make, read, change, call off, put away, delete.

use refundry_core::amend::AmendFault;
use refundry_core::draft::DraftFault;
use refundry_core::money::AmountError;
use serde_json::{Value, json};

use super::decode::{Bad, order_reference, reason};
use super::echo::legacy_order;
use super::encode::envelope;
use super::order_modern::modern_order;
use super::{Version, orders_list, reject};
use crate::shop::{ShopCall, ShopFault, ShopReply};
use crate::text::percent_decode;
use crate::wire::{OrderView, Request, Response, Routed, Scope};

mod change;
mod create;

pub(super) use change::address;

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Create Order: `POST /orders`.
    Create,
    /// Order List: `GET /orders`.
    List,
    /// Order Count: `GET /orders/count`.
    Count,
    /// Order Details: `GET /orders/{id}`.
    Get(String),
    /// Order Details by Number: `GET /orders/number/{number}`.
    ByNumber(String),
    /// Update Order: `PUT /orders/{id}`.
    Update(String),
    /// Delete Order: `DELETE /orders/{id}`.
    Delete(String),
    /// Cancel Order: `POST /orders/{id}/cancel`.
    Cancel(String),
    /// Close Order: `POST /orders/{id}/close`, legacy versions only.
    Close(String),
    /// Open Order: `POST /orders/{id}/open`, legacy versions only.
    Open(String),
}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let legacy = !version.is_modern();
    let only = |wanted: &str, allow, endpoint| {
        if method == wanted { Routed::To(endpoint) } else { Routed::MethodNotAllowed(allow) }
    };
    Some(match path {
        ["orders"] if method == "GET" => Routed::To(Endpoint::List),
        ["orders"] => only("POST", "GET, POST", Endpoint::Create),
        ["orders", "count"] => only("GET", "GET", Endpoint::Count),
        ["orders", "number", number] => only("GET", "GET", Endpoint::ByNumber(percent_decode(number))),
        // Literal names are no ids, and where they lead to something, that was found before.
        ["orders", "number" | "refund_records" | "post_sales" | "after_sales_list"] => return None,
        ["orders", order] => {
            let order = percent_decode(order);
            match method {
                "GET" => Routed::To(Endpoint::Get(order)),
                "PUT" => Routed::To(Endpoint::Update(order)),
                "DELETE" => Routed::To(Endpoint::Delete(order)),
                _ => Routed::MethodNotAllowed("GET, PUT, DELETE"),
            }
        }
        ["orders", order, "cancel"] => only("POST", "POST", Endpoint::Cancel(percent_decode(order))),
        ["orders", order, "close"] if legacy => only("POST", "POST", Endpoint::Close(percent_decode(order))),
        ["orders", order, "open"] if legacy => only("POST", "POST", Endpoint::Open(percent_decode(order))),
        _ => return None,
    })
}

/// What a token must allow.
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match endpoint {
        Endpoint::List | Endpoint::Count | Endpoint::Get(_) | Endpoint::ByNumber(_) => Scope::ReadOrders,
        Endpoint::Create
        | Endpoint::Update(_)
        | Endpoint::Delete(_)
        | Endpoint::Cancel(_)
        | Endpoint::Close(_)
        | Endpoint::Open(_) => Scope::WriteOrders,
    }
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<ShopCall, Bad> {
    Ok(match endpoint {
        Endpoint::Create => create::decode(version, request)?,
        Endpoint::List => ShopCall::List(Box::new(orders_list::query(version, request.query)?)),
        Endpoint::Count => ShopCall::Count(Box::new(orders_list::count(version, request.query)?)),
        Endpoint::Get(order) => ShopCall::Get { order: order_reference(order)? },
        Endpoint::ByNumber(number) => ShopCall::ByNumber { number: number.trim().to_owned() },
        Endpoint::Update(order) => change::decode(version, request, order_reference(order)?)?,
        Endpoint::Delete(order) => ShopCall::Delete { order: order_reference(order)? },
        Endpoint::Cancel(order) => ShopCall::Cancel { order: order_reference(order)?, reason: reason(request)? },
        Endpoint::Close(order) => ShopCall::Archive { order: order_reference(order)?, closed: true },
        Endpoint::Open(order) => ShopCall::Archive { order: order_reference(order)?, closed: false },
    })
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    version: Version,
    request: &Request<'_>,
    reply: &ShopReply,
) -> Option<Response> {
    let written = match (endpoint, reply) {
        (Endpoint::Delete(_), ShopReply::Deleted) => whole(version, &json!({})),
        (Endpoint::List, ShopReply::Orders { orders, has_more }) => page(version, request, orders, *has_more),
        (Endpoint::Count, ShopReply::Counted(count)) if version.is_modern() => {
            envelope(version, "Count retrieved", &json!({ "count": count }))
        }
        (Endpoint::Count, ShopReply::Counted(count)) => json!({ "count": count }),
        (Endpoint::Create, ShopReply::Order(view)) if !version.is_modern() => {
            let mut order = order(version, view);
            // Only the answer that made it has this.
            order["invoice_url"] = order["checkout_url"].clone();
            json!({ "order": order })
        }
        (
            Endpoint::Create
            | Endpoint::Get(_)
            | Endpoint::ByNumber(_)
            | Endpoint::Update(_)
            | Endpoint::Cancel(_)
            | Endpoint::Close(_)
            | Endpoint::Open(_),
            ShopReply::Order(view),
        ) => whole(version, &json!({ "order": order(version, view) })),
        (_, _) => return None,
    };
    Some(Response::json(200, &written))
}

fn page(version: Version, request: &Request<'_>, orders: &[OrderView], has_more: bool) -> Value {
    let shown: Vec<Value> = orders.iter().map(|view| order(version, view)).collect();
    if !version.is_modern() {
        return json!({ "orders": shown });
    }
    let last = orders.last().filter(|_| has_more);
    let query = orders_list::query(version, request.query).unwrap_or_default();
    let cursor = last.map_or_else(String::new, |last| orders_list::cursor_after(&query, &last.facts));
    envelope(version, "Orders retrieved", &json!({ "orders": shown, "cursor": cursor, "has_more": has_more }))
}

/// An order in the shape of the version.
pub(super) fn order(version: Version, view: &OrderView) -> Value {
    if version.is_modern() { modern_order(version, view) } else { legacy_order(view) }
}

/// A bare object in legacy versions, the data of an envelope in modern ones.
pub(super) fn whole(version: Version, data: &Value) -> Value {
    if version.is_modern() { envelope(version, "success", data) } else { data.clone() }
}

/// Writes why not.
pub(super) fn refuse(modern: bool, fault: &ShopFault) -> Response {
    reject::invalid(modern, &sentence(if modern { "order." } else { "" }, fault))
}

/// What is wrong with which key; modern bodies have all keys inside of another one.
fn sentence(inside: &str, fault: &ShopFault) -> String {
    match fault {
        ShopFault::Currency { given, wanted } => {
            format!("{inside}currency_code must be {wanted}, which the store sells in, not {given}")
        }
        ShopFault::Draft(fault) => match fault {
            DraftFault::NoLines => format!("{inside}line_items is required"),
            DraftFault::PriceUnknown(line) => {
                format!("{inside}line_items[{line}].price is required: its variant has no price here")
            }
            DraftFault::LineTotal(line) => {
                format!("{inside}line_items[{line}].total_price must not be above price times quantity")
            }
            DraftFault::Discount => {
                format!("{inside}discount must be an amount or percentage that is not above what the line items cost")
            }
            DraftFault::TaxOnNothing => format!("{inside}tax_total must be 0.00 where the line items cost nothing"),
            DraftFault::Order(fault) => reject::order_fault(fault),
            // Amounts were read in the order's currency, and none of the others can be asked for here.
            DraftFault::Currency { .. }
            | DraftFault::Rate(_)
            | DraftFault::TaxInside(_)
            | DraftFault::Amount(..)
            | DraftFault::Claim(_)
            | DraftFault::Payment(_)
            | DraftFault::Shipment(_) => format!("{inside}line_items cannot be sold so"),
        },
        ShopFault::CalledOff => "the order was cancelled before".to_owned(),
        ShopFault::OutOfStock(line) => format!("{inside}line_items[{line}] is out of stock"),
        ShopFault::Amend(fault) => match fault {
            AmendFault::Amount { what, amount, why } => {
                let key = if what == "shipping" {
                    format!("{inside}shipping_line.shipping_price")
                } else {
                    format!("price of additional price {what}")
                };
                match why {
                    AmountError::NotPositive => format!("{key} must not be negative: {amount}"),
                    AmountError::TooManyDecimals(_) | AmountError::TooLarge => {
                        reject::amount_sentence(&key, *amount, *why)
                    }
                }
            }
            AmendFault::LineUnknown(line) => format!("{inside}line_items names {line}, which is no line of the order"),
            AmendFault::ChargeName(name) => format!("{inside}additional_prices names \"{name}\" twice"),
        },
    }
}
