//! Endpoints about what happens to an order after it was made: payments, transactions, parcels.
//!
//! Public documentation: <https://www.shoplazza.dev/reference/create-fulfillment>,
//! <https://www.shoplazza.dev/reference/transaction-list-3>,
//! <https://www.shoplazza.dev/v2025.06/reference/order-pay-success-v2025-06>.

mod decode;
mod encode;

pub(super) use encode::{of_order, one_of};

use super::Version;
use super::decode::Bad;
use super::reject::{Kind, NOT_NOW, not_found, plain, print, say};
use crate::parcels::{ParcelCall, ParcelFault, ParcelReply};
use crate::text::percent_decode;
use crate::wire::{Request, Response, Routed, Scope};

/// The endpoints, with their path parameters as they stand in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /orders/{id}/payment/success`
    Pay {
        /// The order's id.
        order: String,
    },
    /// `GET /orders/{id}/transactions`
    Transactions {
        /// The order's id.
        order: String,
    },
    /// `POST /orders/{id}/transactions`, in legacy versions
    Capture {
        /// The order's id.
        order: String,
    },
    /// `POST /orders/{id}/fulfillments`
    Ship {
        /// The order's id.
        order: String,
    },
    /// `GET /orders/{id}/fulfillments`
    List {
        /// The order's id.
        order: String,
    },
    /// `GET /orders/{id}/fulfillments/count`
    Count {
        /// The order's id.
        order: String,
    },
    /// `GET /orders/{id}/fulfillments/{fid}`
    Get {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
    /// `PUT /orders/{id}/fulfillments/{fid}`
    Track {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
    /// `POST /orders/{id}/fulfillments/{fid}/complete`
    Deliver {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
    /// `POST /orders/{id}/fulfillments/{fid}/cancel`
    Unship {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let ["orders", order, rest @ ..] = path else { return None };
    let order = percent_decode(order);
    let legacy = !version.is_modern();
    Some(match (rest, method) {
        (["payment", "success"], "POST") => Routed::To(Endpoint::Pay { order }),
        (["transactions"], "GET") => Routed::To(Endpoint::Transactions { order }),
        (["transactions"], "POST") if legacy => Routed::To(Endpoint::Capture { order }),
        (["transactions"], _) => Routed::MethodNotAllowed(if legacy { "GET, POST" } else { "GET" }),
        (["fulfillments"], "GET") => Routed::To(Endpoint::List { order }),
        (["fulfillments"], "POST") => Routed::To(Endpoint::Ship { order }),
        (["fulfillments"], _) => Routed::MethodNotAllowed("GET, POST"),
        // A literal name wins over a fulfilment that happens to have it as its id.
        (["fulfillments", "count"], "GET") => Routed::To(Endpoint::Count { order }),
        (["fulfillments", "count"], _) => Routed::MethodNotAllowed("GET"),
        (["fulfillments", parcel], method) => {
            let parcel = percent_decode(parcel);
            match method {
                "GET" => Routed::To(Endpoint::Get { order, parcel }),
                "PUT" => Routed::To(Endpoint::Track { order, parcel }),
                _ => Routed::MethodNotAllowed("GET, PUT"),
            }
        }
        (["fulfillments", parcel, "complete"], "POST") => {
            Routed::To(Endpoint::Deliver { order, parcel: percent_decode(parcel) })
        }
        (["fulfillments", parcel, "cancel"], "POST") => {
            Routed::To(Endpoint::Unship { order, parcel: percent_decode(parcel) })
        }
        (["payment", "success"] | ["fulfillments", _, "complete" | "cancel"], _) => Routed::MethodNotAllowed("POST"),
        _ => return None,
    })
}

/// What a token must allow.
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match endpoint {
        Endpoint::Transactions { .. } | Endpoint::List { .. } | Endpoint::Count { .. } | Endpoint::Get { .. } => {
            Scope::ReadOrders
        }
        Endpoint::Pay { .. }
        | Endpoint::Capture { .. }
        | Endpoint::Ship { .. }
        | Endpoint::Track { .. }
        | Endpoint::Deliver { .. }
        | Endpoint::Unship { .. } => Scope::WriteOrders,
    }
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    match endpoint {
        Endpoint::Pay { order } => decode::pay(order, request),
        Endpoint::Transactions { order } => decode::transactions(order, request),
        Endpoint::Capture { order } => decode::capture(order, request),
        Endpoint::Ship { order } => decode::ship(version, order, request),
        Endpoint::List { order } => decode::list(version, order, request),
        Endpoint::Count { order } => decode::count(order, request),
        Endpoint::Get { order, parcel } => {
            decode::named(order, parcel).map(|(order, parcel)| ParcelCall::Get { order, parcel })
        }
        Endpoint::Track { order, parcel } => decode::track(version, (order, parcel), request),
        Endpoint::Deliver { order, parcel } => {
            decode::named(order, parcel).map(|(order, parcel)| ParcelCall::Deliver { order, parcel })
        }
        Endpoint::Unship { order, parcel } => {
            decode::named(order, parcel).map(|(order, parcel)| ParcelCall::Unship { order, parcel })
        }
    }
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    version: Version,
    _request: &Request<'_>,
    reply: &ParcelReply,
) -> Option<Response> {
    let written = match (endpoint, reply) {
        (Endpoint::Pay { .. }, ParcelReply::Order(order)) => encode::paid(version, order),
        (Endpoint::Transactions { .. }, ParcelReply::Transactions { order, transactions }) => {
            encode::transactions(version, order, transactions)
        }
        (Endpoint::Capture { .. }, ParcelReply::Transaction { order, transaction }) => {
            encode::captured(version, order, transaction)
        }
        (
            Endpoint::Ship { .. }
            | Endpoint::Get { .. }
            | Endpoint::Track { .. }
            | Endpoint::Deliver { .. }
            | Endpoint::Unship { .. },
            ParcelReply::Parcel { order, parcel },
        ) => encode::one(endpoint, version, order, parcel),
        (Endpoint::List { .. }, ParcelReply::Parcels { order, parcels, has_more }) => {
            encode::page(version, order, parcels, *has_more)
        }
        (Endpoint::Count { .. }, ParcelReply::Counted(count)) => encode::counted(version, *count),
        (_, _) => return None,
    };
    Some(Response::json(200, &written))
}

/// Writes why not.
pub(super) fn refuse(modern: bool, fault: &ParcelFault) -> Response {
    let not_now = |why: &str| {
        if modern { say(modern, Kind::Invalid, why) } else { plain(modern, 406, NOT_NOW, "", why) }
    };
    let invalid = |why: &str| say(modern, Kind::Invalid, why);
    match fault {
        ParcelFault::OrderCancelled => not_now("the order was cancelled"),
        ParcelFault::AlreadyPaid => not_now("the order is paid already"),
        ParcelFault::NothingToCapture(channel) => {
            not_now(&format!("no payment through {channel} waits to be captured"))
        }
        ParcelFault::ParcelOver(state) => not_now(&format!("the fulfillment is {}", encode::state_word(*state))),
        ParcelFault::UnitsRefunded { line } => {
            not_now(&format!("units of {line} were refunded as shipped, so they cannot wait to be shipped again"))
        }
        ParcelFault::ParcelUnknown(id) => {
            not_found(modern, "Unable to find resource", &format!("The order has no fulfillment {id}."))
        }
        ParcelFault::ChannelUnknown(channel) => {
            invalid(&format!("payment_channel: the order has no payment through {channel}"))
        }
        ParcelFault::AmountInvalid { entry, amount, why } => {
            invalid(&super::reject::amount_sentence(&format!("payment_lines[{entry}].amount"), *amount, *why))
        }
        ParcelFault::PaysTooMuch { asked, open, currency } => {
            let (asked, open) = (print(*asked, *currency), print(*open, *currency));
            invalid(&format!("payment_lines make {asked}, but only {open} is to be paid"))
        }
        ParcelFault::LineUnknown { entry, line } => {
            invalid(&format!("line_items[{entry}]: the order has no line item {line}"))
        }
        ParcelFault::TooManyUnits { entry, line, asked, waiting } => invalid(&format!(
            "line_items[{entry}].ship_quantity of line item {line} must be at most {waiting}, not {asked}"
        )),
        ParcelFault::NothingToShip => invalid("line_items: none of them waits to be shipped"),
        ParcelFault::Slip(_) => not_now("the payment stays as it is"),
        ParcelFault::Order(fault) => invalid(&super::reject::order_fault(fault)),
    }
}

#[cfg(test)]
mod tests {
    use refundry_core::limits::PAYMENTS_PER_ORDER_MAX;
    use refundry_core::order::OrderFault;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_path_that_is_none_of_these_is_left_to_others() {
        let to = |version, method, path: &str| route(version, method, &path.split('/').collect::<Vec<_>>());
        let legacy = Version::V202201;
        assert_eq!(to(legacy, "GET", "orders/1"), None);
        assert_eq!(to(legacy, "GET", "orders/1/payment"), None);
        assert_eq!(to(legacy, "GET", "shop"), None);
        let order = || "1".to_owned();
        let capture = Some(Routed::To(Endpoint::Capture { order: order() }));
        assert_eq!(to(legacy, "POST", "orders/1/transactions"), capture);
        let get_only = Some(Routed::MethodNotAllowed("GET"));
        assert_eq!(to(Version::V202506, "POST", "orders/1/transactions"), get_only);
        assert_eq!(
            to(legacy, "GET", "orders/1/fulfillments/count"),
            Some(Routed::To(Endpoint::Count { order: order() }))
        );
    }

    #[test]
    fn an_order_that_would_have_too_many_payments_is_refused_in_words() {
        let fault = ParcelFault::Order(OrderFault::TooMany("payments", PAYMENTS_PER_ORDER_MAX));
        let body: Value = serde_json::from_slice(&refuse(false, &fault).body).unwrap();
        assert_eq!(body, json!({"errors": ["an order has at most 100 payments"]}));
    }
}
