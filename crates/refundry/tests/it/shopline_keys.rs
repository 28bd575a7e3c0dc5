//! Real answers of SHOPLINE's API, over a socket, against the list of every key: each operation in each version that
//! has it, granted once and refused in the ways in which any operation can be.

use std::collections::BTreeSet;

use refundry_dialects::shopline::VERSIONS;
use refundry_dialects::shopline::operations::API;

use crate::harness::{Backend, Place, settled};
use crate::walk::{Step, Walk, get, send};

on_both!(every_answer_has_the_documented_keys);

/// An order with two payments, as the platform exports it; the demo has it.
const RICH: &str = "21057520029298437725452511";

/// The calls, in order; one that no endpoint answers in a version is left out there.
const STEPS: &[Step] = &[
    // Orders.
    Step {
        learn: &[
            ("made", "/order/id"),
            ("name", "/order/name"),
            ("line", "/order/line_items/0/id"),
            ("slip", "/order/payment_details/0/pay_seq"),
        ],
        ..MAKE
    },
    get("/orders.json"),
    get("/orders.json?ids={made},{rich}"),
    get("/orders.json?name={name}&status=any"),
    get("/orders/count.json"),
    get("/orders/count.json?financial_status=paid"),
    get("/orders/{made}.json"),
    get("/orders/{rich}.json"),
    send(
        "PUT",
        "/orders/{made}.json",
        r#"{"order": {"email": "c@example.com", "tags": "gift", "billing_address": {}}}"#,
    ),
    // Payments.
    get("/orders/{made}/transactions.json"),
    get("/orders/{rich}/transactions.json"),
    send("POST", "/transactions/query.json", r#"{"order_id": "{made}"}"#),
    send("POST", "/transactions/query.json", r#"{"order_id": "{rich}"}"#),
    Step { learn: &[("unpaid", "/order/id")], ..MAKE_UNPAID },
    Step {
        learn: &[("offline", "/transaction_list/0/id")],
        ..send(
            "POST",
            "/orders/transactions.json",
            r#"{"order_payment_list": [{"order_id": "{unpaid}", "amount": 5, "currency": "USD", "status": "unpaid",
                "gateway": "customPay", "payment_details": {}}]}"#,
        )
    },
    send(
        "POST",
        "/orders/update_transactions.json",
        r#"{"transactions": [{"id": "{offline}", "order_id": "{unpaid}", "amount": 5, "status": "paid"}]}"#,
    ),
    get("/checkouts/payment_settings.json"),
    get("/orders/pay_channels.json"),
    // Parcels.
    Step { learn: &[("parcel", "/fulfillment/id")], ..SHIP },
    get("/orders/{made}/fulfillments.json"),
    send("POST", "/orders/{made}/fulfillments/{parcel}/update_tracking.json", TRACK),
    send("POST", "/fulfillments/{parcel}/{made}/update_tracking.json", TRACK),
    Step {
        learn: &[("return", "/return/id")],
        ..send(
            "POST",
            "/return/create.json",
            r#"{"order_seq": "{made}", "return_reason": "too large", "return_line_items": [{"fulfillment_id": "{parcel}",
                "line_item_id": "{line}", "quantity": 1, "return_reason": "SIZE_TOO_LARGE"}]}"#,
        )
    },
    get("/return.json?order_id={made}"),
    get("/return.json?id={return}"),
    send("POST", "/return/{return}/close.json", r#"{"notify": true}"#),
    Step { learn: &[("stopped", "/fulfillment/id")], ..SHIP },
    send("POST", "/orders/{made}/fulfillments/{stopped}/cancel.json", ""),
    Step { learn: &[("stopped", "/fulfillment/id")], ..SHIP },
    send("POST", "/fulfillments/{stopped}/{made}/cancel.json", ""),
    // Refunds.
    send(
        "POST",
        "/orders/{made}/refunds/calculate.json",
        r#"{"currency": "USD", "refund_line_items": [{"line_item_id": "{line}", "quantity": 9, "type": "Shipped"}],
            "shipping": {"full_refund": true}}"#,
    ),
    send("POST", "/orders/{made}/refunds/calculate.json", r#"{"shipping": {}}"#),
    Step {
        learn: &[("refund", "/data/id")],
        ..send(
            "POST",
            "/order/refund.json",
            r#"{"order_id": "{made}", "note": "torn", "refund_line_items": [{"line_item_id": {line}, "quantity": 1,
                "type": "Shipped", "restock_type": "return"}], "shipping": {"amount": "1.00"}, "transactions": [
                {"id": "{slip}", "amount": "9.00", "type": true}]}"#,
        )
    },
    REFUNDS,
    get("/orders/{rich}/refunds.json"),
    get("/orders/{made}/refunds/{refund}.json"),
    // Goods in stock, and the store.
    Step { learn: &[("location", "/locations/0/id")], ..get("/locations/list.json") },
    get("/locations.json"),
    get("/locations/{location}.json"),
    Step {
        learn: &[("stocked", "/inventory_levels/0/inventory_item_id"), ("there", "/inventory_levels/0/location_id")],
        ..get("/inventory_levels.json")
    },
    get("/inventory_levels.json?inventory_item_ids={stocked}&location_ids={there}"),
    send(
        "POST",
        "/inventory_levels/set.json",
        r#"{"inventory_item_id": "{stocked}", "location_id": "{there}", "available": 7}"#,
    ),
    send(
        "POST",
        "/inventory_levels/adjust.json",
        r#"{"inventory_item_id": "{stocked}", "location_id": "{there}", "available_adjustment": -2}"#,
    ),
    get("/merchants/shop.json"),
    get("/currency/currencies.json"),
    // Webhooks.
    Step {
        learn: &[("hook", "/webhook/id")],
        ..send(
            "POST",
            "/webhooks.json",
            r#"{"webhook": {"address": "https://example.com/{made}", "topic": "refunds/create",
                "api_version": "v20240601"}}"#,
        )
    },
    get("/webhooks.json"),
    get("/webhooks/count.json"),
    get("/{hook}/webhooks.json"),
    send("PUT", "/{hook}/webhooks.json", r#"{"webhook": {"address": "https://example.com/{made}/other"}}"#),
    send("DELETE", "/{hook}/webhooks.json", ""),
    // An order's end.
    send("POST", "/orders/{unpaid}/cancel.json", r#"{"cancel_reason": "no stock", "restock": true, "amount": 5}"#),
    Step { learn: &[("unpaid", "/order/id")], ..MAKE_UNPAID },
    send("DELETE", "/orders/{unpaid}.json", ""),
];

/// The refunds of the order, before and after the money is back.
const REFUNDS: Step = get("/orders/{made}/refunds.json");

const MAKE: Step = send(
    "POST",
    "/orders.json",
    r#"{"order": {"currency": "USD", "financial_status": "paid", "line_items": [{"title": "Bag", "price": "10.00",
        "quantity": 3, "product_id": "p-1", "variant_id": "v-1", "taxable": true, "requires_shipping": true,
        "location_id": "", "discount_price": {}, "tax_line": {"title": "VAT", "price": "2.40", "rate": "0.08"},
        "properties": [{"name": "colour", "value": "red", "show": true, "type": "text"}]}],
        "shipping_line": {"title": "post", "price": "5.00", "code": "", "tax_line": {}},
        "price_info": {}, "transactions": {}, "billing_address": {},
        "customer": {"email": "b@example.com", "first_name": "Norman"},
        "shipping_address": {"first_name": "Norman", "country": "United States", "country_code": "US",
            "province": "Kentucky", "province_code": "KY", "city": "Louisville", "address1": "Chestnut Street 92",
            "zip": "40202"}, "order_note": "ring twice", "note_attributes": [{"name": "gift", "value": "yes"}]}}"#,
);

const MAKE_UNPAID: Step =
    send("POST", "/orders.json", r#"{"order": {"line_items": [{"title": "Bag", "price": "10.00", "quantity": 1}]}}"#);

/// One unit.
const SHIP: Step = send(
    "POST",
    "/orders/{made}/fulfillments.json",
    r#"{"fulfillment": {"line_items": [{"id": {line}, "quantity": 1}], "tracking_company": "post",
        "tracking_number": "T-1", "tracking_info_list": [{"tracking_company": "post", "tracking_number": "T-1",
        "tracking_url": "https://example.com/T-1"}]}}"#,
);

const TRACK: &str = r#"{"fulfillment": {"tracking_info": {"company": "post", "number": "T-2"},
    "tracking_info_list": [{"tracking_company": "post", "tracking_number": "T-2", "tracking_url": ""}]}}"#;

/// Operations that another test walks, because they need more than a few calls to be granted.
const ELSEWHERE: &[&str] = &["Notify of a Refund"];

fn every_answer_has_the_documented_keys(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    for version in VERSIONS.all() {
        let mut walk = Walk {
            api: &API,
            client: server.client(),
            version,
            token: |token| ("authorization", format!("Bearer {token}")),
            data: "",
            names: [("rich", RICH.to_owned())].into(),
            granted: BTreeSet::new(),
        };
        for step in STEPS {
            walk.take(step);
        }
        settled(&mut walk.client);
        walk.take(&REFUNDS);
        walk.end(ELSEWHERE);
    }
    drop(server);
    place.assert_clean();
}
