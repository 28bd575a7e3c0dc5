//! Real answers of Shoplazza's API, over a socket, against the list of every key: each operation in each version that
//! has it, granted once and refused in the ways in which any operation can be.
//!
//! [`check`] is for every test that talks to this API.

use std::collections::BTreeSet;

use refundry_dialects::shoplazza::VERSIONS;
use refundry_dialects::shoplazza::operations::API;
use serde_json::Value;

use crate::harness::{Backend, Place, order, put_orders, settled};
use crate::walk::{self, Walk};

on_both!(every_answer_has_the_documented_keys);

/// Panics unless an answer has the documented keys, all of them and no others, each of its type.
///
/// `version` is as in the path, empty for a path without; `path` begins below it and has no query.
#[track_caller]
pub(crate) fn check(version: &str, method: &str, path: &str, status: u16, body: &Value) {
    walk::check(&API, version, method, path, status, body);
}

/// A call that is granted. `{name}` in path and body is what the walk has learned.
struct Step {
    method: &'static str,
    /// Below the version, with its query.
    path: &'static str,
    /// The body in legacy and in modern versions; empty for none.
    bodies: (&'static str, &'static str),
    /// What to remember of the answer: a name, and where it stands below `data` or the top.
    learn: &'static [(&'static str, &'static str)],
}

impl Step {
    const fn of(&self, is_modern: bool) -> walk::Step {
        let body = if is_modern { self.bodies.1 } else { self.bodies.0 };
        walk::Step { method: self.method, path: self.path, body, learn: self.learn }
    }
}

const fn get(path: &'static str) -> Step {
    Step { method: "GET", path, bodies: ("", ""), learn: &[] }
}

const fn send(method: &'static str, path: &'static str, legacy: &'static str, modern: &'static str) -> Step {
    Step { method, path, bodies: (legacy, modern), learn: &[] }
}

/// An order with two payments and two refunds, as the platform exports it; the demo has it.
const RICH: &str = "625832068831405057";
/// What one of its lines is of.
const VARIANT: &str = "31f36ce5-424c-4c35-a454-bf1bc2da90f2";
const PRODUCT: &str = "5e8c6d21-d2fe-4528-a26f-0d6d65744d76";

/// Operations that another test walks, because they need more than a few calls to be granted.
const ELSEWHERE: &[&str] = &["Finish a Refund Record", "Capture or Void a Payment", "Delete an After-Sales Case"];

/// The calls, in order; one that no endpoint answers in a version is left out there.
const STEPS: &[Step] = &[
    Step {
        learn: &[("case", "/post_sale_id")],
        ..send(
            "POST",
            "/orders/{order}/refund",
            "",
            r#"{"refund": {"refund_total": "10.00", "note": "torn", "refund_line_items": [
                {"line_item_id": "{order}-l0", "quantity": 1, "return_inventory": true}]}}"#,
        )
    },
    Step {
        learn: &[("case", "/id")],
        ..send(
            "POST",
            "/orders/{other}/partial_refund",
            r#"{"is_return": false, "line_items": [{"id": "{other}-l0", "quantity": 2}]}"#,
            "",
        )
    },
    get("/orders/refund_records"),
    get("/orders/refund_records?order_ids={order}&sort_by=updated_at&sort_direction=asc"),
    get("/orders/refund_records/count?order_ids={order}"),
    get("/orders/{order}/refund"),
    get("/orders/{other}/refund"),
    get("/orders/{rich}/refund"),
    // Orders.
    Step { learn: &[("made", "/order/id"), ("number", "/order/number"), ("item", "/order/line_items/0/id")], ..MAKE },
    get("/orders"),
    get("/orders?ids={order}"),
    get("/orders/count"),
    get("/orders/number/{number}"),
    get("/orders/{order}"),
    get("/orders/{rich}"),
    send("PUT", "/orders/{made}", r#"{"note": "gift"}"#, r#"{"order": {"note": "gift"}}"#),
    // Payments and parcels.
    send("POST", "/orders/{made}/payment/success", "", ""),
    get("/orders/{made}/transactions"),
    Step { learn: &[("parcel", "/fulfillment/id")], ..SHIP },
    get("/orders/{made}/fulfillments"),
    get("/orders/{made}/fulfillments/count"),
    get("/orders/{made}/fulfillments/{parcel}"),
    send(
        "PUT",
        "/orders/{made}/fulfillments/{parcel}",
        r#"{"tracking_number": "T-2"}"#,
        r#"{"fulfillment": {"tracking_number": "T-2", "tracking_items": [{"tracking_number": "T-2"}]}}"#,
    ),
    send("POST", "/orders/{made}/fulfillments/{parcel}/complete", "", ""),
    Step { learn: &[("stopped", "/fulfillment/id")], ..SHIP },
    send("POST", "/orders/{made}/fulfillments/{stopped}/cancel", "", ""),
    // An order's end.
    send("POST", "/orders/{made}/close", "", ""),
    send("POST", "/orders/{made}/open", "", ""),
    Step { learn: &[("called_off", "/order/id")], ..MAKE },
    send("POST", "/orders/{called_off}/cancel", r#"{"reason": "no stock"}"#, r#"{"reason": "no stock"}"#),
    send("DELETE", "/orders/{called_off}", "", ""),
    // After-sales cases.
    get("/orders/after_sales_list"),
    get("/orders/post_sales"),
    // Goods in stock, and the shop.
    Step { learn: &[("location", "/locations/0/id")], ..get("/locations") },
    get("/locations/default"),
    get("/locations/{location}/inventory_levels"),
    Step {
        learn: &[("stocked", "/variant_inventory_items/0/inventory_item_id")],
        ..get("/inventory_items/variant?variant_ids={variant}")
    },
    get("/inventory_items?inventory_item_ids={stocked}"),
    get("/inventory_items/{stocked}"),
    get("/inventory_levels?inventory_item_ids={stocked}"),
    send("POST", "/inventory_levels", LEVEL, LEVEL),
    send("PUT", "/inventory_levels", LEVEL, LEVEL),
    send("POST", "/inventory_levels/set", LEVEL, LEVEL),
    send("DELETE", "/inventory_levels?inventory_item_id={stocked}&location_id={location}", "", ""),
    get("/variants/{variant}"),
    send("PUT", "/variants/{variant}", QUANTITY, QUANTITY),
    get("/shop"),
    // Webhooks.
    Step {
        learn: &[("hook", "/webhook/id")],
        ..send(
            "POST",
            "/webhooks",
            r#"{"address": "https://example.com/{order}", "topic": "orders/paid"}"#,
            r#"{"webhook": {"address": "https://example.com/{order}", "topic": "orders/paid"}}"#,
        )
    },
    get("/webhooks"),
    get("/webhooks/count"),
    get("/webhooks/{hook}"),
    send(
        "PUT",
        "/webhooks/{hook}",
        r#"{"address": "https://example.com/{order}/paid"}"#,
        r#"{"webhook": {"address": "https://example.com/{order}/paid"}}"#,
    ),
    send("DELETE", "/webhooks/{hook}", "", ""),
];

const MAKE: Step = send(
    "POST",
    "/orders",
    r#"{"tax_total": "0.00", "discount": "0.00", "currency_code": "USD",
        "shipping_address": {"last_name": "Norman", "email": "b@example.com", "country": "United States",
            "country_code": "US", "province": "Kentucky", "province_code": "KY", "city": "Louisville",
            "address": "Chestnut Street 92"},
        "line_items": [{"variant_id": "{variant}", "product_id": "{product}", "quantity": 2}],
        "shipping_line": {"name": "post", "shipping_price": "5.00"}}"#,
    r#"{"order": {"tax_total": "0.00", "currency_code": "USD",
        "shipping_address": {"last_name": "Norman", "email": "b@example.com", "country_code": "US",
            "province": "Kentucky", "province_code": "KY", "city": "Louisville", "address": "Chestnut Street 92",
            "zip": "40202"},
        "line_items": [{"variant_id": "{variant}", "product_id": "{product}", "quantity": 2, "price": "20.00",
            "product_title": "Bag"}],
        "shipping_line": {"shipping_name": "post", "shipping_price": "5.00"}}}"#,
);

/// One unit. 2024-07 calls line and quantity otherwise, and every version reads over what it does not know.
const SHIP: Step = send(
    "POST",
    "/orders/{made}/fulfillments",
    r#"{"tracking_number": "T-1", "line_items": [{"id": "{item}", "ship_quantity": 1}]}"#,
    r#"{"fulfillment": {"tracking_number": "T-1", "tracking_items": [{"tracking_number": "T-1"}],
        "line_items": [{"id": "{item}", "ship_quantity": 1, "line_item_id": "{item}", "quantity": 1}]}}"#,
);

/// For adding to a level, connecting one, and setting it.
const LEVEL: &str =
    r#"{"inventory_item_id": "{stocked}", "location_id": "{location}", "stock_adjustment": 2, "stock": 3}"#;
const QUANTITY: &str = r#"{"variant": {"inventory_quantity": 9}}"#;

fn every_answer_has_the_documented_keys(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    for version in VERSIONS.all() {
        let mut client = server.client();
        let handle = if version.is_empty() { "none" } else { version };
        let [first, second, third] = ["a", "b", "c"].map(|which| format!("walk-{handle}-{which}"));
        put_orders(&mut client, &[order(&first, 2), order(&second, 1), order(&third, 1)]);
        let known =
            [("rich", RICH), ("variant", VARIANT), ("product", PRODUCT)].map(|(name, id)| (name, id.to_owned()));
        let names = [("order", first), ("other", second), ("spent", third)].into_iter().chain(known).collect();
        let is_modern = version > "2024";
        let mut walk = Walk {
            api: &API,
            client,
            version,
            token: |token| ("access-token", token.to_owned()),
            data: if is_modern { "/data" } else { "" },
            names,
            granted: BTreeSet::new(),
        };
        for step in STEPS {
            walk.take(&step.of(is_modern));
        }
        if !is_modern {
            walk.take(&send("POST", "/orders/{spent}/refund", "", "").of(is_modern));
        }
        settled(&mut walk.client);
        // Once more, now that the money is back.
        for step in STEPS.iter().filter(|step| step.method == "GET" && step.path.contains("refund")) {
            walk.take(&step.of(is_modern));
        }
        walk.end(ELSEWHERE);
    }
    drop(server);
    place.assert_clean();
}
