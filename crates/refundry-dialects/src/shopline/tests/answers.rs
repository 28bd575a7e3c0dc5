//! Refunds as this API shows them, decided by the rules themselves.

use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::command::CreateRefund;
use refundry_core::decide::{News, accept, decide, settle};
use refundry_core::order::{Dialect, Id};
use refundry_core::refund::Refund;
use refundry_core::rejection::Rejection;
use serde_json::{Value, json};

use super::orders::small;
use super::{NOW_MS, PATH, example, get, headers, json, post, stored};
use crate::shopline::{Endpoint, VERSIONS, decode, encode, keys, read_order, route, version_of};
use crate::wire::{Call, RefundAnswer, RefundPage, RefundView, Reply, Response, Routed};

const CREATED_MS: i64 = 1_673_404_700_862;

fn endpoint(method: &str, path: &str) -> Endpoint {
    match route(method, path) {
        Routed::To(endpoint) => endpoint,
        other => panic!("{path}: {other:?}"),
    }
}

fn command(path: &str, body: &Value) -> CreateRefund {
    let headers = headers(&[("content-type", "application/json")]);
    match decode(&endpoint("POST", path), &post(path, &headers, &body.to_string())) {
        Ok(Call::CreateRefund { command, .. }) => *command,
        other => panic!("not a refund: {other:?}"),
    }
}

/// Decides, books and shows a refund.
fn refund(facts: &mut Facts, path: &str, body: &Value) -> Result<(Refund, Value), Rejection> {
    let command = command(path, body);
    let quote = decide(facts, &command.request)?;
    let mut next: Id = 179_543_520_000_000_400 + Id::from(facts.balances.refunds) * 10;
    let decision = accept(facts, &command, quote, CREATED_MS, &mut || {
        next += 1;
        next
    });
    facts.balances = decision.balances;
    let view = view(facts, &decision.refund);
    let answer = RefundAnswer { view, order: None, replayed: false };
    let reply = Reply::Created(Box::new(answer));
    let response = encode(&endpoint("POST", path), &post(path, &[], ""), &reply);
    assert_eq!(response.status, 200);
    Ok((decision.refund, json(&response)))
}

fn view(facts: &Facts, refund: &Refund) -> RefundView {
    RefundView { refund: refund.clone(), order: facts.order.clone(), beside: None, live: false }
}

fn read(facts: &Facts, refund: &Refund, path: &str) -> Response {
    encode(&endpoint("GET", path), &get(path, ""), &Reply::Refund(Box::new(view(facts, refund))))
}

fn facts(document: &Value) -> Facts {
    stored(read_order(document, NOW_MS).expect("an order"))
}

fn dollars(amount: &str) -> Value {
    let side = json!({"amount": amount, "currency_code": "USD"});
    json!({"shop_money": side, "presentment_money": side})
}

fn asked() -> Value {
    json!({
        "order_id": "21057520029298437725452511",
        "note": "Notes",
        "refund_line_items": [{"line_item_id": 601, "quantity": 1, "type": "Unshipped", "restock_type": "cancel"}],
        "shipping": {"amount": "2.00"},
        "transactions": [{"id": "23057520029306658561302511", "amount": "12.50", "type": true}],
    })
}

#[test]
fn the_worked_example_comes_out_number_for_number() {
    let mut facts = facts(&small());
    let (stored, answer) = refund(&mut facts, PATH, &asked()).expect("accepted");
    let order = "21057520029298437725452511";
    let refund = "2600179543520000000401";
    let expected = json!({"data": {
        "id": refund,
        "order_id": order,
        "create_at": "1673404700862",
        "note": "Notes",
        "order_adjustments": [
            {
                "id": "1795435200000004011", "refund_id": refund, "order_id": order,
                "kind": "shipping_refund", "reason": "shipping_refund",
                "amount": "2.00", "amount_set": dollars("2.00"),
                "tax_amount": "0.00", "tax_amount_set": dollars("0.00"),
            },
            {
                "id": "1795435200000004012", "refund_id": refund, "order_id": order,
                "kind": "refund_discrepancy", "reason": "refund_discrepancy",
                "amount": "0.30", "amount_set": dollars("0.30"),
                "tax_amount": "0.00", "tax_amount_set": dollars("0.00"),
            },
        ],
        "refund_line_items": [{
            "id": 7_175_581_414_982_979_u64, "line_item_id": 601, "quantity": 1, "restock_type": "cancel",
            "subtotal": "10.00", "subtotal_set": dollars("10.00"),
            "total_tax": "0.80", "total_tax_set": dollars("0.80"),
        }],
        "transactions": [{
            "id": "23057520029306658561302511", "order_id": order, "amount": 1250, "currency": "USD",
            "kind": "refund", "status": "pending", "create_at": "1673404700862", "processed_at": "1673404700862",
        }],
    }});
    assert_eq!(answer, expected);
    assert_eq!(stored.amount.get(), 1250);
    assert_eq!(facts.balances.lines.first().map(|l| (l.waiting, l.shipped)), Some((1, 0)));
}

#[test]
fn the_same_refund_is_read_with_other_types() {
    let mut facts = facts(&small());
    let (stored, _) = refund(&mut facts, PATH, &asked()).expect("accepted");
    let path = "/admin/openapi/v20250601/orders/21057520029298437725452511/refunds/2600179543520000000401.json";
    let document = json(&read(&facts, &stored, path));
    let one = document.get("refund").expect("a refund");
    let at = |pointer: &str| one.pointer(pointer).map(ToString::to_string).unwrap_or_default();
    assert_eq!(at("/created_at"), r#""2023-01-11T02:38:20+00:00""#);
    assert_eq!(at("/refund_line_items/0/id"), r#""7175581414982979""#);
    assert_eq!(at("/refund_line_items/0/line_item_id"), r#""601""#);
    assert_eq!(at("/refund_line_items/0/subtotal"), "10.00");
    assert_eq!(at("/refund_line_items/0/subtotal_set/shop_money/amount"), r#""10.00""#);
    assert_eq!(at("/refund_line_items/0/line_item/fulfillable_quantity"), "1");
    assert_eq!(at("/refund_line_items/0/line_item/tax_lines/0/rate"), "0.0800");
    assert_eq!(at("/order_adjustments/1/amount"), r#""0.30""#);
    assert_eq!(at("/order_adjustments/1/amount_set/shop_money/amount"), "0.30");
    assert_eq!(at("/order_adjustments/1/reason"), r#""Refund discrepancy""#);
    assert_eq!(at("/transactions/0/amount"), r#""12.50""#);
    assert_eq!(at("/transactions/0/id"), r#""10100000000179543520000000402""#);
    assert_eq!(at("/total_duties_set/shop_money/amount"), r#""0.00""#);

    let page = RefundPage { refunds: vec![view(&facts, &stored)], has_more: false };
    let list = "/admin/openapi/v20250601/orders/21057520029298437725452511/refunds.json";
    let response = encode(&endpoint("GET", list), &get(list, ""), &Reply::Refunds(page.clone()));
    assert_eq!(json(&response), json!({ "refunds": [one] }));
    let response = encode(&endpoint("GET", list), &get(list, "fields=id,%20note"), &Reply::Refunds(page));
    assert_eq!(json(&response), json!({"refunds": [{"id": "2600179543520000000401", "note": "Notes"}]}));

    // A page that a link leads to shows no more than the one before it, however its keys were written.
    for (asked, kept) in [("id,%20note", "id%2Cnote"), ("id+,+x.y%26z", "id%2Cx.y%26z"), ("%E9%A1%B5", "%E9%A1%B5")] {
        let page = RefundPage { refunds: vec![view(&facts, &stored)], has_more: true };
        let query = format!("limit=1&fields={asked}");
        let response = encode(&endpoint("GET", list), &get(list, &query), &Reply::Refunds(page));
        let link = response.headers.iter().find(|(name, _)| *name == "link").map(|(_, link)| link.as_str());
        let begin = format!("<{list}?limit=1&fields={kept}&page_info=");
        assert!(link.is_some_and(|link| link.starts_with(&begin)), "{link:?}");
    }

    let elsewhere = path.replace("452511/", "452512/");
    let response = read(&facts, &stored, &elsewhere);
    assert_eq!((response.status, json(&response)), (404, json!({"errors": "The refund does not exist."})));
}

#[test]
fn later_versions_add_duties_and_statuses_follow_the_legs() {
    let mut facts = facts(&small());
    let mut body = asked();
    body["transactions"] = json!([
        {"id": "23057520029306658561302511", "amount": "10.00", "type": true},
        {"id": "23057520029306658561302511", "amount": "2.80"},
    ]);
    body["processed_at"] = json!("2023-04-12T22:59:52+08:00");
    let (stored, answer) = refund(&mut facts, "/admin/openapi/v20230901/order/refund.json", &body).expect("accepted");
    let data = answer.get("data").expect("data");
    assert_eq!(data.get("total_duties_set"), Some(&dollars("0.00")));
    assert_eq!(data.pointer("/order_adjustments/1"), None);
    let statuses = |document: &Value| {
        let list = document.get("transactions").and_then(Value::as_array).expect("transactions").clone();
        list.iter().map(|t| t.get("status").and_then(Value::as_str).expect("a status").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses(data), ["pending", "success"]);
    assert_eq!(data.pointer("/transactions/0/processed_at"), Some(&json!("1681311592000")));

    let news = News::Failed { code: "expired".to_owned(), message: String::new() };
    let failed = settle(&facts, &stored, 0, news, NOW_MS).expect("news").refund;
    let path = "/admin/openapi/v20250601/orders/21057520029298437725452511/refunds/2600179543520000000401.json";
    let document = json(&read(&facts, &failed, path));
    assert_eq!(statuses(document.get("refund").expect("a refund")), ["failure", "success"]);
}

#[test]
fn foreign_currencies_show_both_moneys() {
    let mut facts = facts(&example("tax-included-paid-in-pounds.json"));
    let path = "/admin/openapi/v20250601/order/refund.json";
    let body = in_pounds();
    let (_, answer) = refund(&mut facts, path, &body).expect("accepted");
    let data = answer.get("data").expect("data");
    let money = |pointer: &str| {
        let set = data.pointer(pointer).expect("a set");
        let side = |side: &str| set.pointer(side).and_then(Value::as_str).unwrap_or_default().to_owned();
        (side("/shop_money/amount"), side("/shop_money/currency_code"), side("/presentment_money/amount"))
    };
    let both = |shop: &str, books: &str| (shop.to_owned(), "USD".to_owned(), books.to_owned());
    // A third of 48.24 with 8.04 of tax inside.
    assert_eq!(money("/refund_line_items/0/subtotal_set"), both("20.10", "16.08"));
    assert_eq!(money("/refund_line_items/0/total_tax_set"), both("3.35", "2.68"));
    assert_eq!(data.pointer("/refund_line_items/0/subtotal"), Some(&json!("20.10")));
    assert_eq!(money("/order_adjustments/0/amount_set"), both("9.00", "7.20"));
    assert_eq!(money("/order_adjustments/0/tax_amount_set"), both("1.50", "1.20"));
    // 23.28 computed, 25.00 given: negative.
    assert_eq!(money("/order_adjustments/1/amount_set"), both("-2.15", "-1.72"));
    assert_eq!(data.pointer("/transactions/0/amount"), Some(&json!(2500)));

    let mut without = body.clone();
    without.as_object_mut().expect("an object").remove("currency");
    let refused = refund(&mut facts, path, &without).expect_err("refused");
    assert_eq!(refused.code(), "currency_differs");
    // Before the field, nothing was asked of it.
    refund(&mut facts, PATH, &without).expect("accepted");
}

#[test]
fn integer_amounts_have_at_least_two_decimals() {
    let amount = |name: &str, order: &str, slip: &str, amount: &str| {
        let mut facts = facts(&example(name));
        let body = json!({"order_id": order, "transactions": [{"id": slip, "amount": amount}]});
        let (_, answer) = refund(&mut facts, PATH, &body).expect("accepted");
        answer.pointer("/data/transactions/0/amount").map(ToString::to_string)
    };
    let yen = ("cash-on-delivery-yen.json", "21057518840276613904418254", "23054760739563970048171592");
    assert_eq!(amount(yen.0, yen.1, yen.2, "500.00"), Some("50000".to_owned()));
    let dinar = ("kuwaiti-dinar-duties-two-payments.json", "21057521066839120477395648", "23050382246731422886168864");
    assert_eq!(amount(dinar.0, dinar.1, dinar.2, "1.234"), Some("1234".to_owned()));
}

#[test]
fn orders_of_other_origins_have_ids_in_this_shape() {
    let mut facts = facts(&small());
    Arc::make_mut(&mut facts.order).origin = Dialect::Shoplazza;
    let mut body = asked();
    body["order_id"] = json!("21000000179543520000000100");
    body["refund_line_items"][0]["line_item_id"] = json!(179_543_520_000_000_200_u64);
    body["transactions"][0]["id"] = json!("23000000179543520000000300");
    let (stored, answer) = refund(&mut facts, PATH, &body).expect("accepted");
    assert_eq!(answer.pointer("/data/order_id"), Some(&json!("21000000179543520000000100")));
    assert_eq!(answer.pointer("/data/refund_line_items/0/line_item_id"), Some(&json!(179_543_520_000_000_200_u64)));
    assert_eq!(answer.pointer("/data/transactions/0/id"), Some(&json!("23000000179543520000000300")));
    let path = "/admin/openapi/v20250601/orders/21000000179543520000000100/refunds/2600179543520000000401.json";
    assert_eq!(read(&facts, &stored, path).status, 200);
}

#[test]
fn everything_can_be_refunded_and_no_more() {
    let mut facts = facts(&small());
    let all = |amount: &str| {
        json!({
            "order_id": "21057520029298437725452511",
            "refund_line_items": [{"line_item_id": 601, "quantity": 2, "type": "Unshipped"}],
            "shipping": {"full_refund": true},
            "transactions": [{"gateway": "paypal", "amount": amount, "type": true}],
        })
    };
    assert_eq!(refund(&mut facts, PATH, &all("26.61")).expect_err("refused").code(), "payment_exceeded");
    let (_, answer) = refund(&mut facts, PATH, &all("26.60")).expect("accepted");
    assert_eq!(answer.pointer("/data/order_adjustments/0/amount"), Some(&json!("5.00")));
    assert_eq!(answer.pointer("/data/order_adjustments/1"), None);
    assert_eq!(refund(&mut facts, PATH, &all("0.01")).expect_err("refused").code(), "nothing_left");
}

#[test]
fn units_priced_with_tax_are_worth_their_price() {
    // 2 × 49.90 with 15.93 of tax inside: net and tax halved apart would come to 49.91.
    let mut document = small();
    for (key, value) in [
        ("taxes_included", json!(true)),
        ("subtotal_price", json!("99.80")),
        ("total_tax", json!("15.93")),
        ("total_outstanding", json!("78.20")),
    ] {
        document[key] = value;
    }
    document["line_items"][0]["price"] = json!("49.90");
    document["line_items"][0]["tax_lines"][0]["price"] = json!("15.93");
    let mut facts = facts(&document);
    let subtotals = ["7.97", "7.96"].map(|tax| {
        let mut body = asked();
        body["transactions"][0]["amount"] = json!("1.00");
        body["shipping"] = json!({});
        let (_, answer) = refund(&mut facts, PATH, &body).expect("accepted");
        assert_eq!(answer.pointer("/data/refund_line_items/0/total_tax"), Some(&json!(tax)));
        answer.pointer("/data/refund_line_items/0/subtotal").cloned()
    });
    assert_eq!(subtotals, [Some(json!("49.90")), Some(json!("49.90"))]);
}

/// A refund in pounds of units, shipping and more money than they are worth: the store counts in dollars.
fn in_pounds() -> Value {
    json!({
        "order_id": "21057519388102746650091733",
        "currency": "GBP",
        "refund_line_items": [{"line_item_id": "607", "quantity": 1, "type": "Returned", "restock_type": "return"}],
        "shipping": {"full_refund": true},
        "transactions": [{"id": "23059214928452000497671900", "amount": "25.00", "currency": "GBP", "type": true}],
    })
}

/// A refund of money alone, in a currency with three decimals.
fn in_dinars() -> Value {
    json!({
        "order_id": "21057521066839120477395648",
        "currency": "KWD",
        "transactions": [{"id": "23050382246731422886168864", "amount": "1.234", "currency": "KWD", "type": true}],
    })
}

#[test]
fn answers_have_the_listed_keys_in_every_version() {
    let orders = [
        (small(), asked()),
        (example("tax-included-paid-in-pounds.json"), in_pounds()),
        (example("kuwaiti-dinar-duties-two-payments.json"), in_dinars()),
    ];
    // One that is not listed is served as the one before it.
    for version in VERSIONS.all().chain(["v20240930"]) {
        let check = |method: &str, path: &str, status: u16, body: &Value| {
            let (listed, below) = version_of(path).expect("a path of this API");
            let faults = keys().check(listed, method, below, status, body);
            assert!(faults.is_empty(), "{method} {path}: {faults:?}");
        };
        for (document, body) in &orders {
            let mut facts = facts(document);
            let base = format!("/admin/openapi/{version}");
            let create = format!("{base}/order/refund.json");
            let (refund, answer) = refund(&mut facts, &create, body).expect("accepted");
            check("POST", &create, 200, &answer);
            let all = format!("{base}/orders/{}/refunds.json", body["order_id"].as_str().expect("an id"));
            let page = RefundPage { refunds: vec![view(&facts, &refund)], has_more: false };
            let listed = encode(&endpoint("GET", &all), &get(&all, ""), &Reply::Refunds(page));
            let listed = json(&listed);
            check("GET", &all, 200, &listed);
            let one = all.replace(".json", &format!("/{}.json", answer["data"]["id"].as_str().expect("an id")));
            let read = json(&read(&facts, &refund, &one));
            check("GET", &one, 200, &read);
            assert_eq!(listed["refunds"][0], read["refund"]);
        }
        check("GET", &format!("/admin/openapi/{version}/orders/1/refunds.json"), 404, &json!({"errors": "no"}));
    }
}
