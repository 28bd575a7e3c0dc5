//! The OpenAPI document agrees with the code: with what is committed, what is routed and which keys are read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use refundry_core::command::{Ask, RefundRequest};
use refundry_core::decide::decide;
use refundry_core::intake::IntakeFault;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{ComponentKind, Dialect, PaymentKind};
use refundry_core::payouts::Strategy;
use refundry_core::quote::alternatives;
use refundry_core::refund::{Class, RefundState, Restock, Stage};
use refundry_core::rejection::Rejection;
use serde::Serialize;
use serde_json::Value;

use super::super::operations::{Body, OPERATIONS};
use super::super::{
    answers, ask, decode, encode, events, examples, gateways, legs, openapi, order, orders, past, query, reject,
};
use crate::payouts::RouteView;
use crate::wire::{OrderView, Scope, StoreView, TokenView};

fn schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    document.pointer(&format!("/components/schemas/{name}")).unwrap_or_else(|| panic!("schema {name}"))
}

#[test]
fn the_committed_document_is_what_the_code_makes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/openapi.json");
    let mut made = serde_json::to_string_pretty(&openapi::document()).expect("JSON");
    made.push('\n');
    if std::env::var_os("REFUNDRY_UPDATE").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("docs/api can be made");
        std::fs::write(&path, &made).expect("docs/api/openapi.json can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/api/openapi.json is old: run the tests once with REFUNDRY_UPDATE=1");
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    found.insert(target.clone());
                }
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(entries) => entries.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let document = openapi::document();
    let mut found = BTreeSet::new();
    walk(&document, &mut found);
    for target in found {
        let pointer = target.strip_prefix('#').expect("inside the document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn every_operation_is_routed_and_its_example_is_understood() {
    for operation in OPERATIONS {
        assert!(operation.endpoint().is_some(), "{} {}", operation.method, operation.path);
        let path = operation.path.replace("{id}", "demo-1001").replace("{leg}", "179361360000000102");
        let path = path.replace("{event}", "179361360000000201");
        let line = format!("{} {path}", operation.method);
        let body = match &operation.body {
            Body::None => continue,
            Body::Json { example, .. } => example().to_string(),
            Body::Lines { example } => example().as_str().expect("text").to_owned(),
        };
        super::decoded(&line, &body).unwrap_or_else(|no| panic!("{line}: {}", super::body_of(&no)));
    }
    for (name, body) in examples::more_refund_inputs() {
        super::decoded("POST /v1/refunds", &body.to_string())
            .unwrap_or_else(|no| panic!("{name}: {}", super::body_of(&no)));
    }
}

#[track_caller]
fn check_keys(document: &Value, name: &str, read: &[&str]) {
    let properties = schema(document, name).get("properties").and_then(Value::as_object).expect("an object");
    let shown: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(shown, read.iter().copied().collect(), "{name}");
    assert_eq!(schema(document, name).get("additionalProperties"), Some(&Value::Bool(false)), "{name}");
}

#[test]
fn the_keys_shown_are_the_keys_read() {
    let document = &openapi::document();
    check_keys(document, "StoreInput", decode::STORE_KEYS);
    check_keys(document, "TokenInput", decode::TOKEN_KEYS);
    check_keys(document, "FulfilmentInput", decode::FULFILMENT_KEYS);
    check_keys(document, "FulfilmentLine", decode::FULFILMENT_LINE_KEYS);
    check_keys(document, "SettleInput", decode::SETTLE_KEYS);
    check_keys(document, "CancelInput", legs::CANCEL_KEYS);
    check_keys(document, "RetryInput", legs::RETRY_KEYS);
    check_keys(document, "ResolveInput", events::RESOLVE_KEYS);
    check_keys(document, "GatewayInput", gateways::GATEWAY_KEYS);
    check_keys(document, "RouteInput", gateways::ROUTE_KEYS);
    check_keys(document, "OrderInput", order::ORDER_KEYS);
    check_keys(document, "LineInput", order::LINE_KEYS);
    check_keys(document, "ChargeInput", order::CHARGE_KEYS);
    check_keys(document, "PaymentInput", order::PAYMENT_KEYS);
    check_keys(document, "AddedPayment", &[order::PAYMENT_KEYS, &["currency"]].concat());
    check_keys(document, "OwnMoneyInput", order::OWN_KEYS);
    check_keys(document, "PastRefundInput", past::REFUND_KEYS);
    check_keys(document, "PastAllocation", past::ALLOCATION_KEYS);
    check_keys(document, "PastUnits", past::UNIT_KEYS);
    check_keys(document, "PastPayment", past::PAYMENT_KEYS);
    check_keys(document, "RefundInput", ask::REFUND_KEYS);
    check_keys(document, "ItemAsk", ask::ITEM_KEYS);
    check_keys(document, "PartsAsk", ask::PARTS_KEYS);
    check_keys(document, "UnitAsk", ask::UNIT_KEYS);
    check_keys(document, "GoodsMoney", ask::GOODS_KEYS);
    check_keys(document, "NamedMoney", ask::NAMED_KEYS);
    check_keys(document, "PaymentAsk", ask::PAYMENT_KEYS);
}

#[test]
fn the_order_answered_has_every_key_that_an_order_is_sent_with() {
    let document = openapi::document();
    let properties = schema(&document, "Order").get("properties").and_then(Value::as_object).expect("an object");
    let shown: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(shown, [order::ORDER_KEYS, order::ORDER_ANSWER_KEYS].concat().into_iter().collect());
}

#[test]
fn the_parameters_shown_are_the_parameters_read() {
    let shown = |id: &str| {
        let operation = OPERATIONS.iter().find(|o| o.id == id).expect("an operation");
        operation.params.iter().filter(|p| !p.header).map(|p| p.name).collect::<Vec<_>>()
    };
    assert_eq!(shown("listRefunds"), query::REFUND_KEYS);
    assert_eq!(shown("listOrders"), query::ORDER_KEYS);
    assert_eq!(shown("listLegs"), query::LEG_KEYS);
    assert_eq!(shown("listEvents"), query::EVENT_KEYS);
}

#[track_caller]
fn check_codes<'a>(document: &Value, name: &str, codes: impl Iterator<Item = &'a str>) {
    let of = schema(document, name);
    let shown: Vec<&str> = match of.get("enum").and_then(Value::as_array) {
        Some(codes) => codes.iter().filter_map(Value::as_str).collect(),
        None => panic!("{name} lists no codes: {of}"),
    };
    assert_eq!(shown, codes.collect::<Vec<_>>(), "{name}");
}

#[test]
fn the_codes_shown_are_those_of_the_domain() {
    let document = &openapi::document();
    check_codes(document, "RefundState", RefundState::ALL.iter().map(|c| c.code()));
    check_codes(document, "Stage", Stage::ALL.iter().map(|c| c.code()));
    check_codes(document, "ComponentKind", ComponentKind::ALL.iter().map(|c| c.code()));
    check_codes(document, "ComponentType", Class::ALL.iter().map(|c| c.code()));
    check_codes(document, "PaymentKind", PaymentKind::ALL.iter().map(|c| c.code()));
    check_codes(document, "Origin", Dialect::ALL.iter().map(|c| c.code()));
    check_codes(document, "Scope", Scope::ALL.iter().map(|c| c.code()));
    check_codes(document, "Strategy", Strategy::ALL.iter().map(|c| c.code()));
    check_codes(document, "Restock", [Restock::No, Restock::Return, Restock::Cancel].iter().map(|c| c.code()));
}

#[test]
fn problems_begin_with_the_rules_in_rank_order() {
    let codes: Vec<&str> = reject::PROBLEMS.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes.get(..Rejection::CODES.len()), Some(&Rejection::CODES[..]));
    let shown = openapi::document();
    let shown = shown.pointer("/components/examples").and_then(Value::as_object).expect("examples");
    let shown: BTreeSet<&str> = shown.keys().map(String::as_str).collect();
    assert_eq!(shown, codes.into_iter().collect(), "every problem has an example, and every example is listed");
}

#[test]
fn answers_stand_in_the_order_of_the_alphabet() {
    fn check(answer: &impl Serialize) {
        let sorted = serde_json::to_value(answer).expect("JSON").to_string();
        assert_eq!(serde_json::to_string(answer).expect("JSON"), sorted, "sort the fields by their names on the wire");
    }
    let zero = || answers::Money::of(Amount::ZERO, Currency::parse("USD").expect("a currency"));
    let (view, facts) = examples::refunded();
    let mut refund = encode::refund(&view);
    let allocation = refund.allocations.first_mut().expect("an allocation");
    allocation.shop = Some(answers::ShopNetTax { currency: "USD", net: zero(), tax: zero() });
    check(&answers::Page { data: vec![refund], next_cursor: Some("cd_1_2".to_owned()) });
    let mut order = orders::order(&OrderView::bare(facts.clone()));
    order.shop = Some(answers::ShopMoney { currency: "USD".to_owned(), rate: "1".to_owned() });
    order.tip = Some(answers::Tip { left: answers::NetTax { net: zero(), tax: zero() }, net: zero(), tax: zero() });
    let own = answers::OwnMoney { captured: zero(), currency: "USD".to_owned(), left: zero() };
    order.payments.first_mut().expect("a payment").own = Some(own);
    check(&order);
    let request = RefundRequest::of(Ask::Everything);
    let quote = decide(&facts, &request).expect("something is left");
    let plans = alternatives(&facts, &request, &quote);
    check(&encode::quote(&facts.order, &quote, &plans, facts.payments_left()));
    let no = reject::import_fault(1, &IntakeFault::Clash { order: 1 });
    check(&answers::Imported { changed: 0, created: 0, failed: 1, faults: vec![no], unchanged: 0 });
    let (id, text) = (1, String::new);
    let store = StoreView { id, handle: text(), name: text(), currency: text(), created_ms: 0 };
    check(&encode::store(&store));
    let token = TokenView { id: text(), label: text(), scopes: Vec::new(), created_ms: 0, secret: Some(text()) };
    check(&encode::token(&token));
    let (leg, evidence) = legs::example();
    check(&legs::file(&leg, &evidence));
    check(&events::event(&events::example()));
    check(&events::resolved(1, "dismissed", None));
    check(&gateways::gateway(&gateways::example_view()));
    check(&gateways::route(&RouteView { channel: text(), gateway: None }));
}
