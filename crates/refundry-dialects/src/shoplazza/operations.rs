//! Every operation of this API, once: what is routed, documented, walked and checked is compared with this table.
//!
//! Method, path and versions are those of `keys.txt`, which has the keys of each.

use serde_json::json;

use super::{VERSIONS, Version, keys, reject, route, scope, takes_any_token};
use crate::operations::{Api, BODY, LIST, MOVE, MOVE_BODY, NONE, No, ONE, ONE_BODY, Operation, row};
use crate::wire::Routed;

/// The API.
pub static API: Api = Api {
    title: "Shoplazza Open API",
    about: "Orders and their refunds, as Shoplazza's Open API has them. Amounts are decimal texts. A key or parameter \
        that is not known is read over, `null` counts as left out.",
    operations: OPERATIONS,
    versions: VERSIONS,
    keys,
    base: |version, _| base(version),
    server: base,
    routed,
    status: |no, version| match (no, is_modern(version)) {
        (No::NotFound, _) => 404,
        (No::Malformed, _) | (No::Invalid | No::State, true) => 400,
        (No::Invalid, false) => 422,
        (No::State, false) => 406,
    },
    // 400 is for what did not arrive whole.
    everywhere: &[400, 401, 403, 413, 429, 503],
    repeats_keys: is_modern,
    trace: "Request-Id",
    security: || json!({"type": "apiKey", "in": "header", "name": "Access-Token"}),
};

/// What stands before all paths of a version: `/openapi/2022-01`.
fn base(version: &str) -> String {
    if version.is_empty() { "/openapi".to_owned() } else { format!("/openapi/{version}") }
}

fn is_modern(version: &str) -> bool {
    Version::parse(version).is_some_and(Version::is_modern)
}

fn routed(method: &str, path: &str) -> Option<&'static str> {
    match route(method, path) {
        Routed::To(endpoint) if takes_any_token(&endpoint) => Some(""),
        Routed::To(endpoint) => Some(scope(&endpoint).map_or("", reject::scope_name)),
        Routed::MethodNotAllowed(_) | Routed::NotFound => None,
    }
}

const READ: &str = "read_order";
const WRITE: &str = "write_order";
const READ_GOODS: &str = "read_product";
const WRITE_GOODS: &str = "write_product";

/// The operations, in the order of the documentation.
const OPERATIONS: &[Operation] = &[
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
