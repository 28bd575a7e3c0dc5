//! Every operation of this API, once: what is routed, documented, walked and checked is compared with this table.
//!
//! Method, path and versions are those of `keys.txt`, which has the keys of each.

use super::{VERSIONS, Version, reject, route, scope, takes_any_token};
use crate::wire::Routed;

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// `GET`
    pub method: &'static str,
    /// Below the version: `/orders/{id}/refund`.
    pub path: &'static str,
    /// The versions that have it, as [`VERSIONS`] reads them.
    pub versions: &'static str,
    /// What a token must allow, in the platform's word; empty where any token will do.
    pub scope: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    no: &'static [No],
}

/// A way to be refused, beside those that all operations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    /// The body is not JSON.
    Malformed,
    /// It can be read, and asks for what is not to be had.
    Invalid,
    /// What the path or the body names is not there.
    NotFound,
    /// The order, or what is below it, is in a state that does not take this.
    State,
}

impl No {
    const fn status(self, modern: bool) -> u16 {
        match (self, modern) {
            (Self::NotFound, _) => 404,
            (Self::Malformed, _) | (Self::Invalid | Self::State, true) => 400,
            (Self::Invalid, false) => 422,
            (Self::State, false) => 406,
        }
    }
}

impl Operation {
    /// Whether a version, as a list of keys writes it, has it.
    pub fn is_in(&self, version: &str) -> bool {
        VERSIONS.read(self.versions).is_some_and(|versions| versions.contains(version))
    }

    /// The path of a call, with the same text for each of its parameters.
    pub fn path_with(&self, version: &str, parameter: &str) -> String {
        let path: Vec<&str> =
            self.path.split('/').map(|part| if part.starts_with('{') { parameter } else { part }).collect();
        format!("{}{}", base(version), path.join("/"))
    }

    /// Whether a version has an endpoint for it.
    pub fn is_routed(&self, version: &str) -> bool {
        self.is_in(version) && matches!(route(self.method, &self.path_with(version, "1")), Routed::To(_))
    }

    /// The scope that its endpoint asks for, in the platform's word.
    pub fn routed_scope(&self, version: &str) -> Option<&'static str> {
        match route(self.method, &self.path_with(version, "1")) {
            Routed::To(endpoint) if takes_any_token(&endpoint) => Some(""),
            Routed::To(endpoint) => Some(scope(&endpoint).map_or("", reject::scope_name)),
            Routed::MethodNotAllowed(_) | Routed::NotFound => None,
        }
    }

    /// The statuses of refusals that are its own.
    pub fn own_refusals(&self, version: &str) -> Vec<u16> {
        let modern = Version::parse(version).is_some_and(Version::is_modern);
        let mut statuses: Vec<u16> = self.no.iter().map(|no| no.status(modern)).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The statuses of all refusals: its own, and those of token, size, limit and load.
    pub fn refusals(&self, version: &str) -> Vec<u16> {
        let mut statuses = self.own_refusals(version);
        statuses.extend([401, 403, 413, 429, 503]);
        // What did not arrive whole, in any operation.
        statuses.push(400);
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }
}

/// What stands before all paths of a version: `/openapi/2022-01`.
pub fn base(version: &str) -> String {
    if version.is_empty() { "/openapi".to_owned() } else { format!("/openapi/{version}") }
}

const fn row(
    (method, path): (&'static str, &'static str),
    versions: &'static str,
    scope: &'static str,
    about: &'static str,
    no: &'static [No],
) -> Operation {
    Operation { method, path, versions, scope, about, no }
}

/// Nothing of its own to refuse.
const NONE: &[No] = &[];
/// A list.
const LIST: &[No] = &[No::Invalid];
/// One thing by its id.
const ONE: &[No] = &[No::Invalid, No::NotFound];
/// A body, and nothing that is named.
const BODY: &[No] = &[No::Malformed, No::Invalid];
/// One thing by its id, and a body.
const ONE_BODY: &[No] = &[No::Malformed, No::Invalid, No::NotFound];
/// One thing that must be in the right state.
const MOVE: &[No] = &[No::Invalid, No::NotFound, No::State];
/// The same, with a body.
const MOVE_BODY: &[No] = &[No::Malformed, No::Invalid, No::NotFound, No::State];

const READ: &str = "read_order";
const WRITE: &str = "write_order";
const READ_GOODS: &str = "read_product";
const WRITE_GOODS: &str = "write_product";

/// The operations, in the order of the documentation.
pub const OPERATIONS: &[Operation] = &[
    // Refunds.
    row(("POST", "/orders/{order_id}/refund"), "M", WRITE, "Create Order's Refund Record", MOVE_BODY),
    row(("POST", "/orders/{id}/refund"), "L", WRITE, "Full Order Refund", MOVE_BODY),
    row(("POST", "/orders/{id}/partial_refund"), "L", WRITE, "Partial Order Refund", MOVE_BODY),
    row(("GET", "/orders/refund_records"), "L,M", READ, "Refund List", LIST),
    row(("GET", "/orders/refund_records/count"), "M", READ, "Refund Records Count", LIST),
    row(("GET", "/orders/{id}/refund"), "L,M", READ, "Refunds of an Order", ONE),
    row(("POST", "/orders/{order_id}/refund/finish"), "2026-01+", WRITE, "Finish a Refund Record", MOVE_BODY),
    // Orders.
    row(("POST", "/orders"), "L,M", WRITE, "Create an Order", BODY),
    row(("GET", "/orders"), "L,M", READ, "Order List", LIST),
    row(("GET", "/orders/count"), "L,M", READ, "Order Count", LIST),
    row(("GET", "/orders/number/{number}"), "L,M", READ, "Order by Number", &[No::NotFound]),
    row(("GET", "/orders/{id}"), "L,M", READ, "Order Details", ONE),
    row(("PUT", "/orders/{id}"), "L,M", WRITE, "Update an Order", ONE_BODY),
    row(("DELETE", "/orders/{id}"), "L,M", WRITE, "Delete an Order", ONE),
    row(("POST", "/orders/{id}/cancel"), "L,M", WRITE, "Cancel an Order", ONE_BODY),
    row(("POST", "/orders/{id}/close"), "L", WRITE, "Close an Order", ONE),
    row(("POST", "/orders/{id}/open"), "L", WRITE, "Open a Closed Order", ONE),
    // Fulfilments.
    row(("POST", "/orders/{id}/fulfillments"), "L,M", WRITE, "Create a Fulfilment", MOVE_BODY),
    row(("GET", "/orders/{id}/fulfillments"), "L,M", READ, "Fulfilments of an Order", ONE),
    row(("GET", "/orders/{id}/fulfillments/count"), "L,M", READ, "Count of Fulfilments", ONE),
    row(("GET", "/orders/{id}/fulfillments/{fid}"), "L,M", READ, "Fulfilment Details", ONE),
    row(("PUT", "/orders/{id}/fulfillments/{fid}"), "L,M", WRITE, "Update a Fulfilment", ONE_BODY),
    row(("POST", "/orders/{id}/fulfillments/{fid}/complete"), "L,M", WRITE, "Complete a Fulfilment", MOVE),
    row(("POST", "/orders/{id}/fulfillments/{fid}/cancel"), "L,M", WRITE, "Cancel a Fulfilment", MOVE),
    // Payments.
    row(("POST", "/orders/{id}/payment/success"), "L,M", WRITE, "Mark an Order as Paid", MOVE_BODY),
    row(("GET", "/orders/{id}/transactions"), "L,M", READ, "Transactions of an Order", ONE),
    row(("POST", "/orders/{id}/transactions"), "L", WRITE, "Capture or Void a Payment", MOVE_BODY),
    // After-sales cases.
    row(("GET", "/orders/after_sales_list"), "L", READ, "After-Sales List", LIST),
    row(("GET", "/orders/post_sales"), "M", READ, "After-Sales List", LIST),
    row(
        ("DELETE", "/orders/post_sales/{post_sale_id}"),
        "L,M",
        WRITE,
        "Delete an After-Sales Case",
        &[No::NotFound, No::State],
    ),
    // Goods in stock, and the shop.
    row(("GET", "/locations"), "L,M", READ_GOODS, "Location List", NONE),
    row(("GET", "/locations/default"), "L,M", READ_GOODS, "Default Location", NONE),
    row(
        ("GET", "/locations/{id}/inventory_levels"),
        "L,M",
        READ_GOODS,
        "Inventory Levels of a Location",
        &[No::NotFound],
    ),
    row(("GET", "/inventory_items"), "L,M", READ_GOODS, "Inventory Items", LIST),
    row(("GET", "/inventory_items/{id}"), "L,M", READ_GOODS, "Inventory Item", &[No::NotFound]),
    row(("GET", "/inventory_items/variant"), "L,M", READ_GOODS, "Inventory Items of Variants", LIST),
    row(("GET", "/inventory_levels"), "L,M", READ_GOODS, "Inventory Levels", LIST),
    row(("PUT", "/inventory_levels"), "L,M", WRITE_GOODS, "Adjust an Inventory Level", ONE_BODY),
    row(("POST", "/inventory_levels/set"), "L,M", WRITE_GOODS, "Set an Inventory Level", ONE_BODY),
    row(("POST", "/inventory_levels"), "L,M", WRITE_GOODS, "Connect an Item to a Location", ONE_BODY),
    row(("DELETE", "/inventory_levels"), "L,M", WRITE_GOODS, "Disconnect an Item from a Location", ONE),
    row(("GET", "/variants/{id}"), "L,M", READ_GOODS, "Variant Details", ONE),
    row(("PUT", "/variants/{id}"), "L,M", WRITE_GOODS, "Set the Stock of a Variant", ONE_BODY),
    row(("GET", "/shop"), "L,M", "", "Shop Details", NONE),
    // Webhooks.
    row(("POST", "/webhooks"), "L,M", READ, "Create a Webhook", BODY),
    row(("GET", "/webhooks"), "L,M", READ, "Webhook List", LIST),
    row(("GET", "/webhooks/count"), "L,M", READ, "Webhook Count", LIST),
    row(("GET", "/webhooks/{id}"), "L,M", READ, "Webhook Details", ONE),
    row(("PUT", "/webhooks/{id}"), "L,M", READ, "Update a Webhook", ONE_BODY),
    row(("DELETE", "/webhooks/{id}"), "L,M", READ, "Delete a Webhook", ONE),
];
