//! Refunds that were asked for through other APIs, or came in with an order, as they are read here.

use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::command::{
    Ask, CreateRefund, PartAsk, PartMoney, Parts, RefundRequest, Target, Total, UnitAsk, UnitMode,
};
use refundry_core::decide::{accept, decide};
use refundry_core::money::Amount;
use refundry_core::order::{Component, ComponentKind, Dialect, Reference};
use refundry_core::refund::Restock;
use serde_json::{Value, json};

use super::{dec, number, published, request};
use crate::digital_river::{Endpoint, encode, read_order};
use crate::wire::{OrderView, RefundView, Reply};

/// What a refund of `order`, asked through SHOPLINE, looks like here.
fn seen(facts: &Facts, ask: Ask) -> Value {
    let command = CreateRefund {
        reason: "r".repeat(70),
        ..CreateRefund::new(Reference::plain("o"), Dialect::Shopline, RefundRequest::of(ask))
    };
    let quote = decide(facts, &command.request).expect("a quote");
    let refund = accept(facts, &command, quote, 0, &mut || 7).refund;
    let view = RefundView { refund, order: facts.order.clone(), beside: None, live: false };
    let get = Endpoint::GetRefund { refund: "7".to_owned() };
    let answer = encode(&get, &request(&[], "", b""), &Reply::Refund(Box::new(view)));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn units(quantity: i64) -> UnitAsk {
    UnitAsk {
        line: Reference::plain("i1"),
        quantity: Some(quantity),
        mode: UnitMode::Automatic,
        restock: Restock::No,
        location: String::new(),
    }
}

fn part(target: Target, amount: &str) -> PartAsk {
    PartAsk { target, money: PartMoney::Gross(dec(amount)) }
}

#[test]
fn money_for_units_is_itemized_and_nothing_else_is() {
    let facts = published();
    let unit = seen(&facts, Ask::Parts(Parts { units: vec![units(1)], ..Parts::default() }));
    let items = json!([{ "itemId": "i1", "skuId": "s1", "quantity": 1, "amount": number("10.81"),
        "refundedAmount": number("0.0") }]);
    assert_eq!((&unit["items"], unit.get("amount")), (&items, None));
    assert_eq!(unit["reason"].as_str().map(str::len), Some(64));

    let shipping = vec![part(Target::Shipping, "5.40")];
    let with_shipping = seen(&facts, Ask::Parts(Parts { units: vec![units(1)], parts: shipping, ..Parts::default() }));
    assert_eq!((&with_shipping["items"], with_shipping["amount"].to_string()), (&json!([]), "16.21".to_owned()));

    let no_units = seen(
        &facts,
        Ask::Parts(Parts { parts: vec![part(Target::Goods(Reference::plain("i1")), "3")], ..Parts::default() }),
    );
    assert_eq!((&no_units["items"], no_units["amount"].to_string()), (&json!([]), "3.0".to_owned()));

    let total = Total::Stated(dec("9.00"));
    let less = seen(&facts, Ask::Parts(Parts { total, units: vec![units(1)], ..Parts::default() }));
    assert_eq!((&less["items"], less["amount"].to_string()), (&json!([]), "9.0".to_owned()));

    let everything = seen(&facts, Ask::Everything);
    assert_eq!((&everything["items"], everything["amount"].to_string()), (&json!([]), "27.01".to_owned()));
    assert_eq!(everything.get("type"), None);
}

#[test]
fn orders_of_other_origins_show_our_numbers() {
    let mut facts = published();
    Arc::make_mut(&mut facts.order).origin = Dialect::Shoplazza;
    Arc::make_mut(&mut facts.order).lines[0].id = 100_000_000_000_000_002;
    Arc::make_mut(&mut facts.order).payments[0].id = 100_000_000_000_000_003;
    let shown = seen(&facts, Ask::Parts(Parts { units: vec![units(2)], ..Parts::default() }));
    assert_eq!(shown["id"], "ref_000000000000000007");
    assert_eq!(shown["orderId"], "ord_100000000000000001");
    assert_eq!(shown["items"][0]["itemId"], "100000000000000002");
}

#[test]
fn fees_of_one_item_are_one_item() {
    let mut facts = published();
    for name in ["battery", "recycling"] {
        let (net, tax) = (Amount::minor(100), Amount::ZERO);
        let fee = Component { kind: ComponentKind::Fee, line: Some(0), name: name.to_owned(), net, tax };
        Arc::make_mut(&mut facts.order).components.push(fee);
    }
    Arc::make_mut(&mut facts.order).payments[0].captured = Amount::minor(2901);
    Arc::make_mut(&mut facts.order).payments[0].own_captured = Amount::minor(2901);
    let mut facts = Facts::fresh(facts.order);
    let (_, body) = super::send(
        &mut facts,
        r#"{"orderId":"o","currency":"USD","items":[{"itemId":"i1","percent":100,"type":"fees"},
            {"itemId":"i1","quantity":1,"amount":1}]}"#,
    );
    let figures: Vec<(String, Value)> =
        body["items"].as_array().expect("items").iter().map(|i| (i["amount"].to_string(), i["type"].clone())).collect();
    assert_eq!(figures, [("2.0".to_owned(), json!("fees")), ("1.0".to_owned(), Value::Null)]);
}

#[test]
fn an_order_is_shown_as_it_came_with_the_figures_of_today() {
    let path = format!(
        "{}/../../examples/orders/digital-river/two-lines-discounts-added-tax.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let document: Value = serde_json::from_slice(&std::fs::read(path).expect("the example")).expect("JSON");
    let intake = read_order(&document, 0).expect("an order");
    let mut facts = Facts::fresh(intake.order);
    let body = r#"{"orderId":"o","currency":"USD","items":[{"itemId":"145972281866","percent":100}]}"#;
    let (status, _) = super::send(&mut facts, body);
    assert_eq!(status, 201);
    let order = Box::new(OrderView { document: intake.document, ..OrderView::bare(facts) });
    let get = Endpoint::GetOrder { order: "o".to_owned() };
    let answer = encode(&get, &request(&[], "", b""), &Reply::Order { order, created: false });
    let mut expected = document;
    expected["availableToRefundAmount"] = number("89.32");
    expected["items"][0]["availableToRefundAmount"] = number("0.0");
    expected["items"][1]["availableToRefundAmount"] = number("76.9");
    let shown: Value = serde_json::from_slice(&answer.body).expect("JSON");
    expected["updatedTime"] = shown["updatedTime"].clone();
    assert_eq!(shown, expected);
}

#[test]
fn stated_figures_do_not_outlive_what_they_counted() {
    let facts = published();
    // The one refund that the document counted failed after all; the one capture was more than it knew.
    let document = r#"{"id":"o","capturedAmount":1.0,"refundedAmount":5.0,"items":[{"id":"i1"}]}"#.to_owned();
    let order = Box::new(OrderView { document, ..OrderView::bare(facts) });
    let get = Endpoint::GetOrder { order: "o".to_owned() };
    let answer = encode(&get, &request(&[], "", b""), &Reply::Order { order, created: false });
    let shown: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((&shown["capturedAmount"], &shown["refundedAmount"]), (&number("27.01"), &number("0.0")));
}
