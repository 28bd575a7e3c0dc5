//! SHOPLINE Admin OpenAPI (`/admin/openapi/{version}/…`): creating and reading refunds of an order.
//!
//! Public documentation: <https://developer.shopline.com/docs/admin-rest-api/order/order-management/order-refund>.
//! Where it surprises, and what is done about it, stands in `quirks.md` beside this file.

use std::sync::LazyLock;

use refundry_core::intake::{Intake, IntakeFault};
use serde_json::Value;

use crate::keys::{List, Versions};
use crate::rate::{Bucket, Rate};
use crate::text::percent_decode;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

mod decode;
mod encode;
mod ids;
mod order;
mod paging;
mod past;
mod reject;
mod sold;
#[cfg(test)]
mod tests;
mod till;

/// All versions that were seen; one API, which changes key by key.
pub const VERSIONS: Versions = Versions {
    groups: &[(
        "all",
        &[
            "v20210901",
            "v20220601",
            "v20220901",
            "v20230301",
            "v20230901",
            "v20231201",
            "v20240301",
            "v20240601",
            "v20241201",
            "v20250301",
            "v20250601",
            "v20251201",
            "v20260301",
            "v20260601",
            "v20260901",
            "v20261201",
            "v20270301",
        ],
    )],
};

/// The list of all keys of this API, `keys.txt`.
pub fn keys() -> &'static List {
    static LIST: LazyLock<List> = LazyLock::new(|| List::read(VERSIONS, include_str!("keys.txt")).unwrap_or_default());
    &LIST
}

/// Version and path of a call, as [`keys`] has them; `None` for a path of another API.
///
/// Any date names a version: the newest that is not after it, or the first.
pub fn version_of(path: &str) -> Option<(&'static str, &str)> {
    let below = ["/admin/openapi/", "/payments_apps/openapi/"].iter().find_map(|base| path.strip_prefix(base))?;
    let (date, _) = below.split_once('/')?;
    Version::parse(date)?;
    let not_after = VERSIONS.all().take_while(|version| *version <= date).last();
    Some((not_after.or_else(|| VERSIONS.all().next())?, below.strip_prefix(date)?))
}

/// What the platform takes: four calls a second from an app, after a burst.
pub const RATE: Rate = Rate { per_token: Bucket { capacity: 40, per_second: 4 }, per_store: None, header: None };

/// A version of the API: the date in `v20220901`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// The first version with currencies and a back-dated time in requests, and with duties in answers.
    const WITH_CURRENCIES: Self = Self(20_230_901);

    /// Reads `v` and eight digits. Any date is taken: the platform serves the nearest version it still has.
    fn parse(segment: &str) -> Option<Self> {
        let digits = segment.strip_prefix('v')?;
        let shaped = digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit());
        shaped.then(|| digits.parse().ok().map(Self))?
    }
}

/// The endpoints of this API, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST order/refund.json`
    CreateRefund {
        /// Decides which fields there are.
        version: Version,
    },
    /// `GET orders/{order_id}/refunds.json`
    ListRefunds {
        /// As in the path.
        order: String,
    },
    /// `GET orders/{order_id}/refunds/{refund_id}.json`
    GetRefund {
        /// As in the path.
        order: String,
        /// As in the path.
        refund: String,
    },
}

/// Names the endpoint of a method and path (without query).
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    let Some(below) = path.strip_prefix("/admin/openapi/") else { return Routed::NotFound };
    let mut segments = below.split('/');
    let Some(version) = segments.next().and_then(Version::parse) else { return Routed::NotFound };
    let (allowed, endpoint) = match segments.collect::<Vec<&str>>().as_slice() {
        ["order", "refund.json"] => ("POST", Endpoint::CreateRefund { version }),
        ["orders", order, "refunds.json"] if !order.is_empty() => {
            ("GET", Endpoint::ListRefunds { order: percent_decode(order) })
        }
        ["orders", order, "refunds", file] if !order.is_empty() => match file.strip_suffix(".json") {
            None | Some("") => return Routed::NotFound,
            Some(refund) => {
                ("GET", Endpoint::GetRefund { order: percent_decode(order), refund: percent_decode(refund) })
            }
        },
        _ => return Routed::NotFound,
    };
    if method == allowed { Routed::To(endpoint) } else { Routed::MethodNotAllowed(allowed) }
}

/// The credential, from `Authorization: Bearer …`.
pub fn token(request: &Request<'_>) -> Option<String> {
    let (scheme, token) = request.header("authorization")?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// What a token must allow; `None` where no token is asked for.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    match endpoint {
        Endpoint::CreateRefund { .. } => Some(Scope::WriteOrders),
        Endpoint::ListRefunds { .. } | Endpoint::GetRefund { .. } => Some(Scope::ReadOrders),
    }
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, Response> {
    decode::check_accept(request)?;
    match endpoint {
        Endpoint::CreateRefund { version } => decode::create_refund(*version, request),
        Endpoint::ListRefunds { order } => decode::list_refunds(order, request),
        Endpoint::GetRefund { refund, .. } => Ok(decode::get_refund(refund)),
    }
}

/// Writes the answer.
pub fn encode(endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    match (endpoint, reply) {
        (Endpoint::CreateRefund { version }, Reply::Created(answer)) => encode::created(*version, &answer.view),
        (Endpoint::ListRefunds { order }, Reply::Refunds(page)) => {
            let query = decode::list_query(order, request).unwrap_or_default();
            let answer = encode::list(request, page);
            match paging::link(request, &query, page) {
                Some(link) => answer.with("link", link),
                None => answer,
            }
        }
        (Endpoint::GetRefund { order, refund }, Reply::Refund(view)) => {
            // A refund is found by its own id alone; the order in the path must be its order.
            if ids::order_reference(order).names(view.order.id, view.order.external_id.as_deref()) {
                encode::one(view)
            } else {
                reject::refusal(&Refusal::RefundUnknown(refund.clone()))
            }
        }
        // The engine never answers a call with another call's reply; if it did, that is a defect.
        _ => reject::refusal(&Refusal::Internal),
    }
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(_endpoint: Option<&Endpoint>, _request: &Request<'_>, refusal: &Refusal) -> Response {
    reject::refusal(refusal)
}

/// Reads an order object of this API: `{"order":{…}}` or the bare object.
pub fn read_order(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    order::read(document, now_ms)
}
