//! Endpoints about money that came in for an order: payment slips and transactions.
//!
//! Public documentation: <https://developer.shopline.com/docs/admin-rest-api/order/payment/create-payment-slip>,
//! <https://developer.shopline.com/docs/admin-rest-api/order/payment/update-payment-slip>.

mod decode;
mod encode;

use super::{Version, only};
use crate::parcels::ParcelReply;
use crate::text::percent_decode;
use crate::wire::{Call, Reply, Request, Response, Routed, Scope};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET orders/{order_id}/transactions.json`
    Transactions {
        /// The order's id.
        order: String,
    },
    /// `POST transactions/query.json`
    Query,
    /// `POST orders/transactions.json`
    PutSlips,
    /// `POST orders/update_transactions.json`
    ChangeSlips,
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["orders", "transactions"] => only(method, "POST", Endpoint::PutSlips),
        ["orders", "update_transactions"] => only(method, "POST", Endpoint::ChangeSlips),
        ["orders", order, "transactions"] => {
            only(method, "GET", Endpoint::Transactions { order: percent_decode(order) })
        }
        ["transactions", "query"] if version >= Version::WITH_TRANSACTION_QUERY => {
            only(method, "POST", Endpoint::Query)
        }
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::Transactions { .. } | Endpoint::Query => (Scope::ReadOrders, "read_orders"),
        Endpoint::PutSlips | Endpoint::ChangeSlips => (Scope::WriteOrders, "write_orders"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::Transactions { order } => decode::transactions(order),
        Endpoint::Query => decode::query(request)?,
        Endpoint::PutSlips => decode::put_slips(request)?,
        Endpoint::ChangeSlips => decode::change_slips(request)?,
    };
    Ok(Call::Parcels(Box::new(call)))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, _: Version, request: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Parcels(reply) = reply else { return None };
    let written = match (endpoint, &**reply) {
        (Endpoint::Transactions { .. }, ParcelReply::Money { order, slips, .. }) => encode::transactions(order, slips),
        (Endpoint::Query, ParcelReply::Money { order, slips, transactions, refunds }) => {
            encode::found(order, slips, transactions, refunds, decode::wanted(request).as_ref())
        }
        (Endpoint::PutSlips | Endpoint::ChangeSlips, ParcelReply::Slips(slips)) => encode::slips(slips),
        (_, _) => return None,
    };
    Some(Response::json(200, &written))
}
