//! Every operation of this API, once: what is routed, documented, walked and checked is compared with this table.
//!
//! Method, path and versions are those of `keys.txt`, which has the keys of each.

use serde_json::json;

use super::{VERSIONS, keys, route, scope_word};
use crate::operations::{Api, BODY, LIST, MOVE_BODY, NONE, No, ONE, ONE_BODY, Operation, row};
use crate::wire::Routed;

/// The API.
pub static API: Api = Api {
    title: "SHOPLINE Admin OpenAPI",
    about: "Orders and their refunds, as SHOPLINE's Admin OpenAPI has them. Any date names a version: this is the \
        newest that is not after it. A key or a parameter that is not known is read over; `null`, empty texts and empty \
        objects count as left out.",
    operations: OPERATIONS,
    versions: VERSIONS,
    keys,
    base: |version, path| {
        let apps = path.starts_with("/payment/");
        format!("/{}/openapi/{version}", if apps { "payments_apps" } else { "admin" })
    },
    server: |_| String::new(),
    routed: |method, path| match route(method, path) {
        Routed::To(endpoint) => Some(scope_word(&endpoint).unwrap_or_default()),
        Routed::MethodNotAllowed(_) | Routed::NotFound => None,
    },
    status: |no, _| match no {
        No::Malformed => 400,
        No::NotFound => 404,
        No::Invalid | No::State => 422,
    },
    // 400 is for what did not arrive whole, 406 for who takes no JSON.
    everywhere: &[400, 401, 403, 406, 413, 429, 503],
    repeats_keys: |_| false,
    trace: "traceId",
    security: || json!({"type": "http", "scheme": "bearer"}),
};

const READ: &str = "read_orders";
const WRITE: &str = "write_orders";

/// The operations, in the order of the documentation.
const OPERATIONS: &[Operation] = &[
    // Refunds.
    row(("POST", "/order/refund.json"), "all", WRITE, "Order Refund", MOVE_BODY),
    row(("POST", "/orders/{order_id}/refunds/calculate.json"), "all", WRITE, "Order Refund Trial", MOVE_BODY),
    row(("GET", "/orders/{order_id}/refunds.json"), "all", READ, "Refunds of an Order", ONE),
    row(("GET", "/orders/{order_id}/refunds/{refund_id}.json"), "all", READ, "Refund Details", &[No::NotFound]),
    // Orders.
    row(("GET", "/orders.json"), "all", READ, "Order List", LIST),
    row(("GET", "/orders/count.json"), "all", READ, "Order Count", LIST),
    row(("GET", "/orders/{id}.json"), "all", READ, "Order Details", &[No::NotFound]),
    row(("POST", "/orders.json"), "all", WRITE, "Create an Order", BODY),
    row(("PUT", "/orders/{id}.json"), "all", WRITE, "Update an Order", ONE_BODY),
    row(("DELETE", "/orders/{id}.json"), "all", WRITE, "Delete an Order", &[No::NotFound]),
    row(("POST", "/orders/{id}/cancel.json"), "all", WRITE, "Cancel an Order", MOVE_BODY),
    // Payments.
    row(("GET", "/orders/{order_id}/transactions.json"), "all", READ, "Transactions of an Order", &[No::NotFound]),
    row(("POST", "/transactions/query.json"), "v20260301+", READ, "Query Transactions", ONE_BODY),
    row(("POST", "/orders/transactions.json"), "all", WRITE, "Create Payment Slips", ONE_BODY),
    row(("POST", "/orders/update_transactions.json"), "all", WRITE, "Update Payment Slips", ONE_BODY),
    row(("GET", "/checkouts/payment_settings.json"), "all", WRITE, "Payment Settings", NONE),
    row(("GET", "/orders/pay_channels.json"), "all", "read_store_information", "Payment Channels", NONE),
    row(
        ("POST", "/payment/notify/{channel_id}/{payment_method}/refund.json"),
        "all",
        "write_payment_gateways",
        "Notify of a Refund",
        ONE_BODY,
    ),
    // Fulfilments.
    row(("GET", "/orders/{order_id}/fulfillments.json"), "all", READ, "Fulfilments of an Order", &[No::NotFound]),
    row(("POST", "/orders/{order_id}/fulfillments.json"), "all", WRITE, "Create a Fulfilment", MOVE_BODY),
    row(
        ("POST", "/orders/{order_id}/fulfillments/{fulfillment_id}/cancel.json"),
        "all",
        WRITE,
        "Cancel a Fulfilment of an Order",
        &[No::NotFound, No::State],
    ),
    row(
        ("POST", "/fulfillments/{fulfillment_id}/{order_id}/cancel.json"),
        "all",
        WRITE,
        "Cancel a Fulfilment",
        &[No::NotFound, No::State],
    ),
    row(
        ("POST", "/orders/{order_id}/fulfillments/{fulfillment_id}/update_tracking.json"),
        "all",
        WRITE,
        "Track a Fulfilment of an Order",
        ONE_BODY,
    ),
    row(
        ("POST", "/fulfillments/{order_id}/{fulfillment_id}/update_tracking.json"),
        "all",
        WRITE,
        "Track a Fulfilment",
        ONE_BODY,
    ),
    // Returns.
    row(("POST", "/return/create.json"), "all", "write_return", "Create a Return", MOVE_BODY),
    row(("GET", "/return.json"), "all", "read_returns", "Return List", ONE),
    row(("POST", "/return/{id}/close.json"), "all", "write_return", "Close a Return", ONE_BODY),
    // Goods in stock, and the store.
    row(("GET", "/locations/list.json"), "all", "read_location", "Location List", NONE),
    row(("GET", "/locations.json"), "all", "read_location", "Locations", NONE),
    row(("GET", "/locations/{id}.json"), "all", "read_location", "Location Details", &[No::NotFound]),
    row(("GET", "/inventory_levels.json"), "all", "read_inventory", "Inventory Levels", LIST),
    row(("POST", "/inventory_levels/set.json"), "all", "write_inventory", "Set an Inventory Level", ONE_BODY),
    row(("POST", "/inventory_levels/adjust.json"), "all", "write_inventory", "Adjust an Inventory Level", ONE_BODY),
    row(("GET", "/merchants/shop.json"), "all", "read_store_information", "Store Information", NONE),
    row(("GET", "/currency/currencies.json"), "all", READ, "Currencies", NONE),
    // Webhooks.
    row(("POST", "/webhooks.json"), "all", READ, "Subscribe to a Webhook", BODY),
    row(("GET", "/webhooks.json"), "all", READ, "Webhook List", LIST),
    row(("GET", "/webhooks/count.json"), "all", READ, "Webhook Count", NONE),
    row(("GET", "/{id}/webhooks.json"), "all", READ, "Webhook Details", &[No::NotFound]),
    row(("PUT", "/{id}/webhooks.json"), "all", READ, "Update a Webhook", ONE_BODY),
    row(("DELETE", "/{id}/webhooks.json"), "all", READ, "Delete a Webhook", &[No::NotFound]),
];
