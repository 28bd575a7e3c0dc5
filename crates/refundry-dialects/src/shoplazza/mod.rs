//! Shoplazza Open API: refunds of an order, in every version since 2020-01.
//!
//! Two generations share their paths. Legacy versions (none, 2020-01 to 2022-01) answer bare objects, and `POST
//! /orders/{id}/refund` gives everything back; modern ones (2024-07 and later) answer in an envelope, and the same
//! method and path records exactly the refund that the body describes. Only the version in the path tells them apart.
//! Where the documents contradict each other, `quirks.md` says what we do.
//!
//! Public documentation: <https://www.shoplazza.dev/reference/order-refund-3> (Full Order Refund),
//! <https://www.shoplazza.dev/reference/refund-record-list> (Refund List),
//! <https://www.shoplazza.dev/api/202506/order-refund-record-create> (Create Order's Refund Record).

use std::sync::LazyLock;

use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::order::{Id, Order, Reference};
use serde_json::Value;

use crate::keys::{List, Versions};
use crate::rate::{Bucket, Rate};
use crate::text::percent_decode;
use crate::wire::{Call, Refusal, Reply, Request, Response, Routed, Scope};

pub mod cases;
mod decode;
mod document;
mod echo;
mod encode;
pub mod hooks;
mod list;
pub mod operations;
mod order;
mod order_modern;
pub mod orders;
mod orders_list;
pub mod parcels;
mod past;
mod payments;
mod rate;
mod reject;
mod shape;
mod state;
pub mod stock;
mod terms;
#[cfg(test)]
mod tests;

pub use state::{financial_status, fully_refunded, refund_status};

/// All versions: legacy ones, of which the first is a path without, and modern ones.
pub const VERSIONS: Versions = Versions {
    groups: &[
        ("L", &["", "2020-01", "2020-07", "2021-07", "2022-01"]),
        ("M", &["2024-07", "2025-06", "2026-01", "2026-07"]),
    ],
};

/// The list of all keys of this API, `keys.txt`.
pub fn keys() -> &'static List {
    static LIST: LazyLock<List> = LazyLock::new(|| List::read(VERSIONS, include_str!("keys.txt")).unwrap_or_default());
    &LIST
}

/// Version and path of a call, as [`keys`] has them; `None` for a path that is not below `/openapi`, or of an unknown
/// version.
pub fn version_of(path: &str) -> Option<(&'static str, &str)> {
    let path = path.strip_prefix("/openapi").filter(|path| path.starts_with('/'))?;
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".json").unwrap_or(path);
    let first = path.split('/').nth(1).unwrap_or_default();
    if !first.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(("", path));
    }
    let version = VERSIONS.all().find(|version| *version == first)?;
    Some((version, path.strip_prefix('/')?.strip_prefix(version)?))
}

/// What the platform takes: two calls a second from an app, 20 from all apps of a store, after a burst.
pub const RATE: Rate = Rate {
    per_token: Bucket { capacity: 40, per_second: 2 },
    per_store: Some(Bucket { capacity: 80, per_second: 20 }),
    header: Some("x-shoplazza-shop-api-call-limit"),
};

/// The endpoints of this API, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Create Order's Refund Record: `POST /openapi/2025-06/orders/{order_id}/refund`.
    CreateRecord {
        /// A modern version.
        version: Version,
        /// The order's id as it stands in the path.
        order: String,
    },
    /// Full Order Refund: `POST /openapi/2022-01/orders/{id}/refund`.
    FullRefund {
        /// A legacy version.
        version: Version,
        /// The order's id as it stands in the path.
        order: String,
    },
    /// Partial Order Refund: `POST /openapi/2022-01/orders/{id}/partial_refund`.
    PartialRefund {
        /// A legacy version.
        version: Version,
        /// The order's id as it stands in the path.
        order: String,
    },
    /// Refund List: `GET /openapi/{version}/orders/refund_records`.
    ListRecords {
        /// Any version.
        version: Version,
    },
    /// Refunds of an Order: `GET /openapi/{version}/orders/{id}/refund`.
    OrderRefunds {
        /// Any version.
        version: Version,
        /// The order's id as it stands in the path.
        order: String,
    },
    /// Refund Records Count: `GET /openapi/2025-06/orders/refund_records/count`.
    CountRecords {
        /// A modern version.
        version: Version,
    },
    /// Orders themselves.
    Orders(Version, orders::Endpoint),
    /// Payments, transactions and parcels of an order.
    Parcels(Version, parcels::Endpoint),
    /// After-sales cases.
    Cases(Version, cases::Endpoint),
    /// Webhooks.
    Hooks(Version, hooks::Endpoint),
    /// Goods in stock, and the shop.
    Stock(Version, stock::Endpoint),
    /// The OpenAPI document: `GET /openapi/{version}/openapi.json`. The platform has no such path.
    Document(Version),
}

impl Endpoint {
    const fn version(&self) -> Version {
        match self {
            Self::CreateRecord { version, .. }
            | Self::FullRefund { version, .. }
            | Self::PartialRefund { version, .. }
            | Self::OrderRefunds { version, .. }
            | Self::ListRecords { version }
            | Self::CountRecords { version }
            | Self::Orders(version, _)
            | Self::Parcels(version, _)
            | Self::Cases(version, _)
            | Self::Hooks(version, _)
            | Self::Stock(version, _)
            | Self::Document(version) => *version,
        }
    }
}

/// A version of the API, as the path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// No version in the path: behaves like 2020-01.
    Unversioned,
    /// `2020-01`
    V202001,
    /// `2020-07`
    V202007,
    /// `2021-07`
    V202107,
    /// `2022-01`
    V202201,
    /// `2024-07`
    V202407,
    /// `2025-06`
    V202506,
    /// `2026-01`
    V202601,
    /// `2026-07`
    V202607,
}

impl Version {
    /// Reads the version of a path; `None` for one that is not supported.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "2020-01" => Some(Self::V202001),
            "2020-07" => Some(Self::V202007),
            "2021-07" => Some(Self::V202107),
            "2022-01" => Some(Self::V202201),
            "2024-07" => Some(Self::V202407),
            "2025-06" => Some(Self::V202506),
            "2026-01" => Some(Self::V202601),
            "2026-07" => Some(Self::V202607),
            _ => None,
        }
    }

    /// As a delivery names it: without a version it is the oldest one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unversioned => Self::V202001.code(),
            named => named.code(),
        }
    }

    /// As the path names it; empty for a path without.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unversioned => "",
            Self::V202001 => "2020-01",
            Self::V202007 => "2020-07",
            Self::V202107 => "2021-07",
            Self::V202201 => "2022-01",
            Self::V202407 => "2024-07",
            Self::V202506 => "2025-06",
            Self::V202601 => "2026-01",
            Self::V202607 => "2026-07",
        }
    }

    /// Whether answers come in an envelope.
    pub fn is_modern(self) -> bool {
        self >= Self::V202407
    }

    /// `code` of a success. The documents disagree: 2025-06 says `success`, a strict client of 2026-01 insists on
    /// `Success`.
    pub const fn success(self) -> &'static str {
        if matches!(self, Self::V202506) { "success" } else { "Success" }
    }
}

/// Names the endpoint of a method and path (without query).
pub fn route(method: &str, path: &str) -> Routed<Endpoint> {
    if let Some(version) = document_of(path) {
        return if method == "GET" { Routed::To(Endpoint::Document(version)) } else { Routed::MethodNotAllowed("GET") };
    }
    let Some((version, path)) = below(path) else { return Routed::NotFound };
    let path: Vec<&str> = path.split('/').collect();
    // Literal names win over an order that happens to have one as its id, so orders themselves come last.
    refunds(version, method, &path)
        .or_else(|| cases::route(version, method, &path).map(|to| to.map(|e| Endpoint::Cases(version, e))))
        .or_else(|| parcels::route(version, method, &path).map(|to| to.map(|e| Endpoint::Parcels(version, e))))
        .or_else(|| hooks::route(version, method, &path).map(|to| to.map(|e| Endpoint::Hooks(version, e))))
        .or_else(|| stock::route(version, method, &path).map(|to| to.map(|e| Endpoint::Stock(version, e))))
        .or_else(|| orders::route(version, method, &path).map(|to| to.map(|e| Endpoint::Orders(version, e))))
        .unwrap_or(Routed::NotFound)
}

/// The version whose document a path names.
fn document_of(path: &str) -> Option<Version> {
    match path.strip_prefix("/openapi/")?.strip_suffix("openapi.json")? {
        "" => Some(Version::Unversioned),
        version => Version::parse(version.strip_suffix('/')?),
    }
}

/// The version of a path, and what is below it.
fn below(path: &str) -> Option<(Version, &str)> {
    let path = path.strip_prefix("/openapi/")?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let first = path.split('/').next().unwrap_or_default();
    let (version, path) = match Version::parse(first) {
        Some(version) => (version, path.strip_prefix(first)?.strip_prefix('/')?),
        None => (Version::Unversioned, path),
    };
    Some((version, if version.is_modern() { path } else { path.strip_suffix(".json").unwrap_or(path) }))
}

fn refunds(version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let modern = version.is_modern();
    Some(match (path, method) {
        (["orders", "refund_records"], "GET") => Routed::To(Endpoint::ListRecords { version }),
        (["orders", "refund_records", "count"], "GET") if modern => Routed::To(Endpoint::CountRecords { version }),
        (["orders", "refund_records"], _) => Routed::MethodNotAllowed("GET"),
        (["orders", "refund_records", "count"], _) if modern => Routed::MethodNotAllowed("GET"),
        (["orders", order, "refund"], method) => {
            let order = percent_decode(order);
            match method {
                "POST" if modern => Routed::To(Endpoint::CreateRecord { version, order }),
                "POST" => Routed::To(Endpoint::FullRefund { version, order }),
                "GET" => Routed::To(Endpoint::OrderRefunds { version, order }),
                _ => Routed::MethodNotAllowed("GET, POST"),
            }
        }
        (["orders", order, "partial_refund"], "POST") if !modern => {
            Routed::To(Endpoint::PartialRefund { version, order: percent_decode(order) })
        }
        (["orders", _, "partial_refund"], _) if !modern => Routed::MethodNotAllowed("POST"),
        _ => return None,
    })
}

/// The credential, from this API's own header.
pub fn token(request: &Request<'_>) -> Option<String> {
    request.header("access-token").map(str::trim).filter(|token| !token.is_empty()).map(str::to_owned)
}

/// What a token must allow; `None` where no token is asked for.
pub fn scope(endpoint: &Endpoint) -> Option<Scope> {
    match endpoint {
        Endpoint::CreateRecord { .. } | Endpoint::FullRefund { .. } | Endpoint::PartialRefund { .. } => {
            Some(Scope::WriteOrders)
        }
        Endpoint::ListRecords { .. } | Endpoint::CountRecords { .. } | Endpoint::OrderRefunds { .. } => {
            Some(Scope::ReadOrders)
        }
        Endpoint::Orders(_, endpoint) => Some(orders::scope(endpoint)),
        Endpoint::Parcels(_, endpoint) => Some(parcels::scope(endpoint)),
        Endpoint::Cases(_, endpoint) => Some(cases::scope(endpoint)),
        Endpoint::Hooks(_, endpoint) => Some(hooks::scope(endpoint)),
        Endpoint::Stock(_, endpoint) => Some(stock::scope(endpoint)),
        Endpoint::Document(_) => None,
    }
}

/// Whether a token that works is enough, whatever it allows.
pub fn takes_any_token(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Stock(_, endpoint) if stock::takes_any_token(endpoint))
}

/// Makes a call of a request, or the finished refusal.
pub fn decode(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::CreateRecord { order, .. } => decode::create_record(request, order),
        Endpoint::FullRefund { order, .. } => decode::full_refund(request, order),
        Endpoint::PartialRefund { order, .. } => decode::partial_refund(request, order),
        Endpoint::OrderRefunds { order, .. } => decode::order_refunds(order),
        Endpoint::ListRecords { version } => list::decode(*version, request),
        Endpoint::CountRecords { version } => list::count(*version, request),
        Endpoint::Orders(version, endpoint) => {
            orders::decode(endpoint, *version, request).map(|call| Call::Shop(Box::new(call)))
        }
        Endpoint::Parcels(version, endpoint) => {
            parcels::decode(endpoint, *version, request).map(|call| Call::Parcels(Box::new(call)))
        }
        Endpoint::Cases(version, endpoint) => {
            cases::decode(endpoint, *version, request).map(|call| Call::Cases(Box::new(call)))
        }
        Endpoint::Hooks(version, endpoint) => {
            hooks::decode(endpoint, *version, request).map(|call| Call::Hooks(Box::new(call)))
        }
        Endpoint::Stock(version, endpoint) => {
            stock::decode(endpoint, *version, request).map(|call| Call::Stock(Box::new(call)))
        }
        Endpoint::Document(version) => Ok(Call::Ready(Response::json(200, &operations::API.document(version.code())))),
    };
    call.map_err(|bad| reject::bad(endpoint.version().is_modern(), &bad))
}

/// What the operator should know of a request that is served to the letter.
pub fn warning(endpoint: &Endpoint, request: &Request<'_>) -> Option<&'static str> {
    match endpoint {
        Endpoint::FullRefund { .. } if decode::names_parts(request) => {
            Some("a full order refund came with a refund object, which this version ignores: everything is refunded")
        }
        Endpoint::FullRefund { .. }
        | Endpoint::CreateRecord { .. }
        | Endpoint::PartialRefund { .. }
        | Endpoint::OrderRefunds { .. }
        | Endpoint::ListRecords { .. }
        | Endpoint::CountRecords { .. }
        | Endpoint::Orders(..)
        | Endpoint::Parcels(..)
        | Endpoint::Cases(..)
        | Endpoint::Hooks(..)
        | Endpoint::Stock(..)
        | Endpoint::Document(_) => None,
    }
}

/// Writes the answer.
pub fn encode(endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    let whole = match (endpoint, reply) {
        (Endpoint::Orders(version, endpoint), Reply::Shop(reply)) => orders::encode(endpoint, *version, request, reply),
        (Endpoint::Parcels(version, endpoint), Reply::Parcels(reply)) => {
            parcels::encode(endpoint, *version, request, reply)
        }
        (Endpoint::Cases(version, endpoint), Reply::Cases(reply)) => cases::encode(endpoint, *version, request, reply),
        (Endpoint::Hooks(version, endpoint), Reply::Hooks(reply)) => hooks::encode(endpoint, *version, request, reply),
        (Endpoint::Stock(version, endpoint), Reply::Stock(reply)) => stock::encode(endpoint, *version, request, reply),
        (_, _) => None,
    };
    if let Some(whole) = whole {
        return whole;
    }
    let written = match (endpoint, reply) {
        (Endpoint::CreateRecord { version, .. }, Reply::Created(answer)) => encode::record_created(*version, answer),
        (Endpoint::FullRefund { .. } | Endpoint::PartialRefund { .. }, Reply::Created(answer)) => {
            encode::full_refund(answer)
        }
        (Endpoint::ListRecords { version }, Reply::Refunds(page)) => encode::records(*version, request, page),
        (Endpoint::CountRecords { version }, Reply::Counted(count)) => encode::record_count(*version, *count),
        (Endpoint::OrderRefunds { version, .. }, Reply::OrderWithRefunds { order, refunds }) => {
            encode::order_refunds(*version, order, refunds)
        }
        // No endpoint of this API asks for anything else, so another reply is a defect of the caller.
        (_, _) => return refuse(Some(endpoint), request, &Refusal::Internal),
    };
    Response::json(200, &written)
}

/// Writes a refusal; `endpoint` is `None` where the path led to none.
pub fn refuse(endpoint: Option<&Endpoint>, request: &Request<'_>, refusal: &Refusal) -> Response {
    reject::refuse(endpoint, request.path, refusal)
}

/// Reads an order object of this API.
pub fn read_order(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    order::read(document, now_ms)
}

/// Our numbers are printed as they are, in 18 digits, except where the platform's ids are UUIDs.
fn print_id(id: Id) -> String {
    format!("{id:018}")
}

/// Reads an id: the platform's own, or our number in the 18 digits in which this API prints it.
fn reference(text: &str) -> Reference {
    let text = text.trim();
    let ours = text.len() == 18 && text.bytes().all(|b| b.is_ascii_digit());
    Reference { text: text.to_owned(), ours: ours.then(|| text.parse().ok()).flatten() }
}

/// The platform's id where the order came from this platform, else our number.
fn own_or_ours(order: &Order, external_id: Option<&str>, id: Id) -> String {
    match external_id {
        Some(own) if order.origin == refundry_core::order::Dialect::Shoplazza => own.to_owned(),
        Some(_) | None => print_id(id),
    }
}
