//! A worked order through SHOPLINE's API, figure by figure: two of one line at 10.00, tax 1.60 on top, shipping 5.00;
//! 26.60 paid by one slip, nothing shipped. One unit and 2.00 of the shipping come to 12.80, and 12.50 go back.

use serde_json::{Value, json};

use crate::ear::Ear;
use crate::harness::{Backend, Place, TOKEN, run, settled, until};
use crate::shopline_client::{
    AdjustmentKind, ApiError, Client, Delivery, FinancialStatus, RefundStatus, RestockType, Told,
};

on_both!(the_worked_order_comes_out_to_the_cent, a_token_that_clients_have_already_opens_the_store);

/// No order of the demo has this one.
const ORDER: &str = "21057520029298437725452599";
const SLIP: &str = "23057520029306658561302511";
const PLACE: &str = "5409714787218633772";
/// Of the demo store.
const SECRET: &str = "webhook_secret_demo";

fn document() -> Value {
    json!({"order": {
        "id": ORDER, "name": "D2099", "status": "open", "financial_status": "paid", "fulfillment_status": null,
        "currency": "USD", "presentment_currency": "USD", "taxes_included": false,
        "created_at": "2026-11-10T14:01:09+00:00", "updated_at": "2026-11-10T14:05:44+00:00",
        "total_tax": "1.60", "total_discounts": "0.00", "current_total_price": "26.60",
        "line_items": [{"id": "601", "title": "Cup", "price": "10.00", "quantity": 2, "fulfillable_quantity": 2,
            "variant_id": "worked-cup", "product_id": "p-1", "sku": "cup", "location_id": PLACE,
            "tax_lines": [{"title": "VAT", "price": "1.60", "rate": 0.08, "type": "product_tax"}]}],
        "shipping_lines": [{"title": "Standard", "price": "5.00"}],
        "payment_details": [{"pay_seq": SLIP, "pay_amount": 26.60, "settle_currency": "USD",
            "settle_pay_amount": 26.60, "pay_status": "paid", "gateway": "SLpayments", "pay_channel": "SLpayments"}],
    }})
}

fn the_worked_order_comes_out_to_the_cent(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut native = server.client();
    let mut client = Client::new(&server.url(), "v20220901", TOKEN);
    let ear = Ear::new(|_| Some(200));
    for topic in ["refunds/create", "orders/updated", "inventory_levels/update"] {
        let hook = json!({"address": ear.url("hooks"), "topic": topic, "api_version": "v20240601"});
        client.subscribe(&hook).expect("a subscription");
    }
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let line = format!("{}\n", document());
    let taken = native.send("POST", "/v1/orders/import?from=shopline", &headers, line.as_bytes()).expect("an answer");
    assert_eq!(taken.json()["created"], 1, "{}", taken.text());

    let made = client.refund(&json!({
        "order_id": ORDER, "note": "Refund", "notify": true,
        "refund_line_items": [{"line_item_id": 601, "quantity": 1, "type": "Unshipped", "restock_type": "cancel"}],
        "shipping": {"amount": "2.00"},
        "transactions": [{"id": SLIP, "amount": "12.50", "kind": "refund", "type": true}],
    }));
    let made = made.expect("a refund");
    let row = &made.refund_line_items[0];
    assert_eq!((row.line_item_id, row.quantity, row.restock_type), (601, 1, RestockType::Cancel));
    assert_eq!((&*row.subtotal, &*row.total_tax), ("10.00", "0.80"));
    let adjustments: Vec<_> = made.order_adjustments.iter().map(|row| (row.kind, &*row.amount)).collect();
    assert_eq!(adjustments, [(AdjustmentKind::Shipping, "2.00"), (AdjustmentKind::Discrepancy, "0.30")]);
    assert!(made.order_adjustments.iter().all(|row| &*row.tax_amount == "0.00"));
    let paid = &made.transactions[0];
    assert_eq!((&*paid.id, paid.amount, &*paid.currency), (SLIP, 1_250, "USD"));
    assert_eq!((paid.status, made.transactions.len()), (RefundStatus::Pending, 1));

    let order = client.order(ORDER).expect("an order");
    assert_eq!(order.financial_status, FinancialStatus::PartiallyRefunded);
    assert_eq!((order.line_items[0].quantity, order.line_items[0].fulfillable_quantity), (2, 1));
    let levels = client.levels(&[("location_ids", PLACE)]).expect("levels");
    let cups: Vec<_> = levels.iter().filter(|level| level.variant_id == "worked-cup").collect();
    assert_eq!((cups.len(), cups[0].available), (1, 1));

    settled(&mut native);
    until("all to be told", || (ear.heard().len() >= 4).then_some(()));
    let told = ear.heard().into_iter().map(|posted| {
        let open = Delivery::open(&posted.headers, &posted.body, SECRET, false);
        open.unwrap_or_else(|fault| panic!("{fault}: {:?}", posted.headers))
    });
    let (mut refunds, mut goods) = (Vec::new(), Vec::new());
    for delivery in told {
        match delivery.body {
            Told::Refund(refund) => refunds.push(refund),
            Told::Level(level) => goods.push(level),
            Told::Order(order) => assert_eq!(order.financial_status, FinancialStatus::PartiallyRefunded),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((refunds.len(), &refunds[0].id), (1, &made.id));
    assert_eq!((goods.len(), &*goods[0].location_id, goods[0].available), (1, PLACE, 1));
    drop(server);
    place.assert_clean();
}

/// Whoever moves here keeps the tokens that its clients have, whatever these look like.
fn a_token_that_clients_have_already_opens_the_store(on: Backend) {
    const HELD: &str = "eyJhbGciOiJIUzUxMiJ9.eyJzdG9yZUlkIjoiMTY3MjM2OTcyOTYwNiJ9.c2lnbmVkIGVsc2V3aGVyZQ";
    let place = Place::new(on);
    let add = |secret: &str| {
        let words = ["token", "add", "--store", "demo", "--scopes", "read_orders", "--secret", secret];
        run(&[&words[..], &place.args()].concat())
    };
    let server = place.serve(&[]);
    let mut client = Client::new(&server.url(), "v20220901", HELD);
    assert_eq!(client.count_orders(&[]).err(), Some(ApiError::new(401, "Unauthorized")));
    let added = add(HELD);
    assert!(added.status.success(), "{added:?}");
    assert_eq!(String::from_utf8_lossy(&added.stdout).trim(), HELD);
    assert!(client.count_orders(&[]).expect("a count") > 0);
    for refused in [HELD, "too-short", "twenty characters, some blank"] {
        assert!(!add(refused).status.success(), "{refused}");
    }
    drop(server);
    place.assert_clean();
}
