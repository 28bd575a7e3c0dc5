//! Requests and refusals as bytes; the published figures from JSON to JSON.

use std::sync::Arc;

use std::collections::BTreeMap;

use refundry_core::balances::Facts;
use refundry_core::command::{Ask, ItemMoney, ItemName, ItemPart};
use refundry_core::decide::{News, accept, decide, settle};
use refundry_core::money::{Amount, Decimal};
use refundry_core::query::{Page, RefundQuery};
use refundry_core::refund::{Class, MetaValue, RefundState};
use serde_json::{Value, json};

use super::{Endpoint, decode, encode, read_order, refuse, route, token};
use crate::wire::{Call, Header, OrderView, RefundAnswer, RefundView, Refusal, Reply, Request, Response, Routed};

mod elsewhere;
mod refusals;

fn request<'a>(headers: &'a [Header<'a>], query: &'a str, body: &'a [u8]) -> Request<'a> {
    Request { method: "POST", path: "/refunds", query, headers, body, now_ms: 0 }
}

/// One line an answer: status, then each error as `code parameter: message`.
fn summary(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let errors = body["errors"].as_array().expect("errors").iter();
    let errors = errors.map(|e| format!("{} {}: {}", text(&e["code"]), text(&e["parameter"]), text(&e["message"])));
    format!("{} {} | {}", response.status, text(&body["type"]), errors.collect::<Vec<_>>().join(" | "))
}

fn create(body: &str) -> Result<Call, String> {
    decode(&Endpoint::CreateRefund, &request(&[], "", body.as_bytes())).map_err(|response| summary(&response))
}

/// The ask that a body decodes to.
#[track_caller]
fn ask(body: &str) -> Ask {
    match create(body) {
        Ok(Call::CreateRefund { command, .. }) => command.request.ask,
        other => panic!("{body}: {other:?}"),
    }
}

#[track_caller]
fn refused(body: &str, expected: &str) {
    assert_eq!(create(body).expect_err(body), expected, "{body}");
}

fn dec(text: &str) -> Decimal {
    Decimal::parse(text).expect("a decimal")
}

#[test]
fn paths_lead_to_endpoints() {
    let get = |refund: &str| Routed::To(Endpoint::GetRefund { refund: refund.to_owned() });
    assert_eq!(route("POST", "/refunds"), Routed::To(Endpoint::CreateRefund));
    assert_eq!(route("POST", "/refunds/"), Routed::To(Endpoint::CreateRefund));
    assert_eq!(route("GET", "/refunds/"), Routed::To(Endpoint::ListRefunds));
    assert_eq!(route("GET", "/refunds/ref_1/"), get("ref_1"));
    assert_eq!(route("GET", "/refunds/a%2Fb"), get("a/b"));
    assert_eq!(route("POST", "/refunds/x"), Routed::To(Endpoint::UpdateRefund { refund: "x".to_owned() }));
    assert_eq!(route("DELETE", "/refunds/x"), Routed::MethodNotAllowed("GET, POST"));
    assert_eq!(route("PUT", "/refunds"), Routed::MethodNotAllowed("GET, POST"));
    assert_eq!(route("POST", "/orders/x"), Routed::MethodNotAllowed("GET"));
    for path in ["", "/", "//", "/refunds//", "/refunds/a/b", "/refunds/a//", "/charges", "/favicon.ico", "refunds"] {
        assert_eq!(route("GET", path), Routed::NotFound, "{path}");
    }
}

#[test]
fn the_key_is_a_bearer_token() {
    let read = |value: &str| token(&request(&[("authorization", value.into())], "", b""));
    assert_eq!(read("Bearer sk_test_demo"), Some("sk_test_demo".to_owned()));
    assert_eq!(read("bearer  sk_test_demo "), Some("sk_test_demo".to_owned()));
    for wrong in ["Bearer", "Bearer  ", "Basic c2s=", "sk_test_demo", ""] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn versions_are_those_that_were() {
    let ask = |version: &str| {
        let headers = [("digitalriver-version", version.into())];
        decode(&Endpoint::ListRefunds, &request(&headers, "", b"")).map_err(|response| summary(&response))
    };
    assert!(ask("2020-01-07").is_ok() && ask(" 2021-12-13 ").is_ok() && ask("").is_ok());
    let expected = "400 bad_request | invalid_parameter DigitalRiver-Version: '2022-01-01' is not a valid API version.";
    assert_eq!(ask("2022-01-01").unwrap_err(), expected);
}

#[test]
fn numbers_come_in_many_spellings() {
    let amount = |text: &str| ask(&format!(r#"{{"orderId":"o","currency":"usd","amount":{text}}}"#));
    for (text, value) in [("9.99", "9.99"), (r#""9.99""#, "9.99"), ("1e1", "10"), ("10.000", "10"), ("0.005", "0.005")]
    {
        assert_eq!(amount(text), Ask::Amount { amount: dec(value), class: None }, "{text}");
    }
    let item = |quantity: &str| {
        let body = format!(
            r#"{{"orderId":"o","currency":"USD","items":[{{"itemId":"i","quantity":{quantity},"amount":"1.0"}}]}}"#
        );
        match ask(&body) {
            Ask::Items(items) => items[0].quantity,
            other => panic!("{other:?}"),
        }
    };
    for (text, value) in [
        ("2", Some(2)),
        ("2.0", Some(2)),
        (r#""2""#, Some(2)),
        (r#""2.0000""#, Some(2)),
        ("2e0", Some(2)),
        ("null", None),
    ] {
        assert_eq!(item(text), value, "{text}");
    }
}

#[test]
fn asks_are_read_as_they_are_meant() {
    let typed = ask(r#"{"orderId":"o","currency":"USD","percent":100,"type":"importer_tax"}"#);
    assert_eq!(typed, Ask::Percent { percent: dec("100"), class: Some(Class::ImporterTax) });
    let nothing_but_amount = r#"{"orderId":"o","invoiceId":" ","currency":"USD","amount":1,"percent":null,"items":[],
        "type":null,"reason":"","metadata":null,"upstreamId":null}"#;
    assert_eq!(ask(nothing_but_amount), Ask::Amount { amount: dec("1"), class: None });
    let items = r#"{"orderId":"o","currency":"USD","items":[
        {"itemId":"900000000000000001","percent":"50"},
        {"skuId":"s","amount":2,"type":"fees"}]}"#;
    let Ask::Items(items) = ask(items) else { panic!("items") };
    assert!(matches!(&items[0].item, ItemName::Id(r) if r.ours == Some(900_000_000_000_000_001)));
    assert_eq!((items[0].money, items[0].part), (ItemMoney::Percent(dec("50")), None));
    assert_eq!((&items[1].item, items[1].part), (&ItemName::Sku("s".to_owned()), Some(ItemPart::Fees)));
}

#[test]
fn commands_carry_reason_metadata_and_expectation() {
    let body = br#"{"orderId":" ord_000000000000000042 ","currency":"eur","amount":1,"reason":"requested_by_customer",
        "metadata":{"a":"x","b":true,"c":1.50,"d":null}}"#;
    let headers = [("refundable-before", "65.00".into())];
    let Ok(Call::CreateRefund { command, .. }) = decode(&Endpoint::CreateRefund, &request(&headers, "", body)) else {
        panic!("a command")
    };
    assert_eq!((command.order.text.as_str(), command.order.ours), ("ord_000000000000000042", Some(42)));
    assert_eq!(command.reason, "requested_by_customer");
    assert_eq!(command.request.refundable_before, Some(dec("65")));
    let pairs: BTreeMap<String, MetaValue> = BTreeMap::from([
        ("a".to_owned(), MetaValue::Text("x".to_owned())),
        ("b".to_owned(), MetaValue::Bool(true)),
        ("c".to_owned(), MetaValue::Number("1.50".to_owned())),
    ]);
    assert_eq!(command.metadata, pairs);
    let headers = [("refundable-before", "much".into())];
    let answer = decode(&Endpoint::CreateRefund, &request(&headers, "", body)).map_err(|r| summary(&r));
    let expected = "400 bad_request | invalid_parameter Refundable-Before: 'much' is not a valid amount.";
    assert_eq!(answer.unwrap_err(), expected);
}

#[test]
fn broken_bodies_are_of_invalid_format() {
    let deep = "[".repeat(10_000);
    for body in ["", "{", "[]", "7", r#""x""#, "{'a':1}", r#"{"amount":1,}"#, deep.as_str()] {
        let answer = create(body).expect_err(body);
        let expected =
            "400 bad_request | invalid_format -: The format of your request is invalid. | invalid_format -: ";
        assert!(answer.starts_with(expected), "{body}: {answer}");
    }
    let answer = decode(&Endpoint::CreateRefund, &request(&[], "", b"{\"reason\":\"\xff\"}"));
    assert_eq!(answer.unwrap_err().status, 400);
}

#[test]
fn stages_answer_one_after_another() {
    refused(
        r#"{"ammount":1,"items":[{"id":"x"}]}"#,
        "400 bad_request | unknown_parameter ammount: 'ammount' is an unknown parameter. | \
         unknown_parameter items[0].id: 'items[0].id' is an unknown parameter.",
    );
    refused(
        r#"{"reason":7}"#,
        "400 bad_request | missing_parameter orderId: A parameter is missing. | \
         missing_parameter currency: A parameter is missing. | missing_parameter amount: A parameter is missing.",
    );
    refused(
        r#"{"orderId":"o","currency":"USD","items":[{"quantity":0}]}"#,
        "400 bad_request | missing_parameter items[0].itemId: A parameter is missing. | \
         missing_parameter items[0].amount: A parameter is missing.",
    );
    refused(
        r#"{"orderId":"o","currency":"USD","amount":-1,"type":"fees","reason":7}"#,
        "400 bad_request | invalid_parameter type: 'fees' is not a valid type. | \
         invalid_parameter amount: '-1' is not a valid amount. | invalid_parameter reason: '7' is not a valid reason.",
    );
}

/// A body with one more key; the one problem it has.
#[track_caller]
fn problem(rest: &str, expected: &str) {
    refused(&format!(r#"{{"orderId":"o","currency":"USD",{rest}}}"#), &format!("400 bad_request | {expected}"));
}

#[test]
fn amounts_and_percentages_stay_in_range() {
    let digits = "9".repeat(31);
    let places = format!("1.{}1e-36", "0".repeat(29));
    for bad in ["0", "-0.01", "true", "[1]", "{}", "\"abc\"", "\"\"", "\"1e1\"", "1e+400", "1e+20", "0.004", &digits] {
        let shown = bad.trim_matches('"');
        problem(&format!(r#""amount":{bad}"#), &format!("invalid_parameter amount: '{shown}' is not a valid amount."));
    }
    for bad in ["0", "0.009", "100.01", "-5", "true", "\"half\"", &places] {
        let shown = bad.trim_matches('"');
        problem(
            &format!(r#""percent":{bad}"#),
            &format!("invalid_parameter percent: '{shown}' is not a valid percent."),
        );
    }
    problem(&format!(r#""amount":{places}"#), &format!("invalid_parameter amount: '{places}' is not a valid amount."));
}

#[test]
fn only_one_way_to_say_how_much() {
    let one = "Only one of amount, percent and items may be given.";
    problem(r#""amount":1,"percent":1"#, &format!("invalid_parameter percent: {one}"));
    problem(r#""percent":1,"items":[{"itemId":"i","amount":1}]"#, &format!("invalid_parameter items: {one}"));
    problem(
        r#""items":[{"itemId":"i","amount":1}],"type":"shipping""#,
        "invalid_parameter type: 'type' restricts amount or percent; with items, use items[].type.",
    );
    problem(
        r#""invoiceId":"i","amount":1"#,
        "invalid_parameter invoiceId: Name the order by orderId or by invoiceId, not by both.",
    );
    refused(
        r#"{"invoiceId":"i7","currency":"USD","amount":1}"#,
        "404 not_found | not_found invoiceId: Invoice 'i7' not found.",
    );
}

#[test]
fn items_name_what_is_wrong_with_them() {
    let item = |rest: &str, expected: &str| problem(&format!(r#""items":[{{"itemId":"i",{rest}}}]"#), expected);
    item(
        r#""amount":1,"percent":1"#,
        "invalid_parameter items[0].amount: An item has an amount or a percent, not both.",
    );
    for bad in ["tax", "importer_tax", "product"] {
        let expected = format!("invalid_parameter items[0].type: '{bad}' is not a valid type.");
        item(&format!(r#""amount":1,"type":"{bad}""#), &expected);
    }
    for bad in ["0", "-1", "1.5", "\"two\"", "\"1e1\"", "99999999999999999999"] {
        let shown = bad.trim_matches('"');
        let expected = format!("invalid_parameter items[0].quantity: '{shown}' is not a valid quantity.");
        item(&format!(r#""amount":1,"quantity":{bad}"#), &expected);
    }
    item(r#""amount":0.001"#, "invalid_parameter items[0].amount: '0.001' is not a valid amount.");
    item(r#""percent":101"#, "invalid_parameter items[0].percent: '101' is not a valid percent.");
    problem(r#""items":{"itemId":"i"}"#, r#"invalid_parameter items: '{"itemId":"i"}' is not a valid list of items."#);
    problem(r#""items":[7]"#, "invalid_parameter items[0]: '7' is not a valid item.");
    let many = vec!["{\"itemId\":\"i\",\"amount\":1}"; 2001].join(",");
    problem(&format!(r#""items":[{many}]"#), "invalid_parameter items: A refund has at most 2000 items.");
}

#[test]
fn texts_have_bounds() {
    let long = "x".repeat(65);
    problem(
        &format!(r#""amount":1,"reason":"{long}""#),
        &format!("invalid_parameter reason: '{long}' is not a valid reason."),
    );
    assert!(create(&format!(r#"{{"orderId":"o","currency":"USD","amount":1,"reason":"{}"}}"#, "ü".repeat(64))).is_ok());
    refused(
        r#"{"orderId":"o","currency":"dollars","amount":1}"#,
        "400 bad_request | invalid_parameter currency: Currency dollars is not supported.",
    );
    refused(
        r#"{"orderId":5,"currency":"USD","amount":1}"#,
        "400 bad_request | invalid_parameter orderId: '5' is not a valid orderId.",
    );
}

#[test]
fn metadata_is_small_and_flat() {
    let update = |body: &str| {
        let endpoint = Endpoint::UpdateRefund { refund: "ref_000000000000000007".to_owned() };
        decode(&endpoint, &request(&[], "", body.as_bytes())).map_err(|response| summary(&response))
    };
    let Ok(Call::AnnotateRefund { refund, metadata }) = update(r#"{"metadata":{"a":1,"b":null}}"#) else {
        panic!("an update")
    };
    assert_eq!(refund.ours, Some(7));
    assert_eq!(metadata["a"], Some(MetaValue::Number("1".to_owned())));
    assert_eq!(metadata["b"], None);
    assert!(matches!(update("{}"), Ok(Call::AnnotateRefund { metadata, .. }) if metadata.is_empty()));
    let pairs: Vec<String> = (0..21).map(|i| format!("\"k{i}\":1")).collect();
    let (key, value) = ("k".repeat(41), "v".repeat(501));
    for (body, expected) in [
        (r#"{"reason":"x"}"#.to_owned(), "unknown_parameter reason: 'reason' is an unknown parameter.".to_owned()),
        (r#"{"metadata":[1]}"#.to_owned(), "invalid_parameter metadata: '[1]' is not a valid metadata.".to_owned()),
        (
            format!(r#"{{"metadata":{{{}}}}}"#, pairs.join(",")),
            "too_many_metadata_pairs metadata: Metadata has more than 20 keys.".to_owned(),
        ),
        (
            format!(r#"{{"metadata":{{"{key}":1}}}}"#),
            format!("invalid_metadata_key metadata: '{key}' is not a valid metadata key: use 1 to 40 characters."),
        ),
        (
            format!(r#"{{"metadata":{{"k":"{value}"}}}}"#),
            "invalid_metadata_value metadata.k: The value of 'k' is longer than 500 characters.".to_owned(),
        ),
        (
            r#"{"metadata":{"k":{}}}"#.to_owned(),
            "invalid_metadata_value metadata.k: The value of 'k' must be a string, a number or a boolean.".to_owned(),
        ),
    ] {
        assert_eq!(update(&body).expect_err(&body), format!("400 bad_request | {expected}"));
    }
}

fn list(query: &str) -> Result<RefundQuery, String> {
    match decode(&Endpoint::ListRefunds, &request(&[], query, b"")) {
        Ok(Call::ListRefunds(query)) => Ok(*query),
        Ok(other) => panic!("{other:?}"),
        Err(response) => Err(summary(&response)),
    }
}

#[test]
fn filters_are_read() {
    let plain = list("").expect("a query");
    assert_eq!(plain, RefundQuery::default());
    assert_eq!(list("0=a&1=b&expand=true&skuId=").expect("a query"), RefundQuery::default());
    let query = "state=created&ids=ref_000000000000000001,%20x&ids=y&orderId=ord_5&skuId=s%20k&reason=a+b\
        &failureReason=f&limit=100";
    let query = list(query).expect("a query");
    assert_eq!(query.states, Some(vec![RefundState::Pending]));
    let ids: Vec<(String, Option<u64>)> = query.refunds.expect("ids").into_iter().map(|r| (r.text, r.ours)).collect();
    assert_eq!(ids, [("ref_000000000000000001".to_owned(), Some(1)), ("x".to_owned(), None), ("y".to_owned(), None)]);
    assert_eq!(query.orders.expect("orders")[0].text, "ord_5");
    assert_eq!((query.sku.as_deref(), query.reason.as_deref()), (Some("s k"), Some("a b")));
    assert_eq!((query.failure_reason.as_deref(), query.limit), (Some("f"), 100));
    for (state, expected) in [("pending", 1), ("succeeded", 1), ("failed", 1), ("pending_information", 0), ("Nope", 0)]
    {
        assert_eq!(list(&format!("state={state}")).expect("a query").states.expect("states").len(), expected);
    }
}

#[test]
fn the_cursor_that_goes_back_wins() {
    let page = |query: &str| match list(query).expect("a query").page {
        Page::Before(r) => format!("before {}", r.text),
        Page::After(r) => format!("after {}", r.text),
        other => format!("{other:?}"),
    };
    assert_eq!(page("startingAfter=a&endingBefore=b"), "before b");
    assert_eq!(page("startingAfter=a&endingBefore="), "after a");
    assert_eq!(page("startingAfter="), "Start");
}

#[test]
fn ranges_narrow() {
    let created = |query: &str| {
        let range = list(query).expect("a query").created;
        (range.from_ms, range.to_ms)
    };
    assert_eq!(created("createdTime=1970-01-01T00:00:05Z"), (Some(5_000), Some(5_999)));
    assert_eq!(created("createdTime%5Bgt%5D=1970-01-01T00:00:05Z"), (Some(6_000), None));
    assert_eq!(created("createdTime[gte]=1970-01-01T00:00:05Z"), (Some(5_000), None));
    assert_eq!(created("createdTime[gte]=1970-01-01T00:00:05.5Z"), (Some(6_000), None));
    assert_eq!(
        created("createdTime[lt]=1970-01-01T00:00:05Z&createdTime[lte]=1970-01-01T00:00:09Z"),
        (None, Some(4_999))
    );
    assert_eq!(created("createdTime[lte]=1970-01-01T00:00:05.5Z"), (None, Some(5_999)));
    let amount = |query: &str| list(query).expect("a query").amount;
    let range = amount("amount[gt]=5&amount%5Bgte%5D=5.00&amount[lte]=9&amount[lt]=9.5");
    assert_eq!((range.from, range.to), (Some((dec("5"), false)), Some((dec("9"), true))));
    let refunded = list("refundedAmount=9.99").expect("a query").refunded;
    assert_eq!((refunded.from, refunded.to), (Some((dec("9.99"), true)), Some((dec("9.99"), true))));
}

#[test]
fn bad_filters_are_named() {
    for (query, parameter, message) in [
        ("limit=0", "limit", "'0' is not a valid limit."),
        ("limit=101", "limit", "'101' is not a valid limit."),
        ("limit=ten", "limit", "'ten' is not a valid limit."),
        ("limit=", "limit", "'' is not a valid limit."),
        ("limit=1.5", "limit", "'1.5' is not a valid limit."),
        ("amount[gt]=x", "amount[gt]", "'x' is not a valid amount."),
        ("refundedAmount=1e1", "refundedAmount", "'1e1' is not a valid amount."),
        ("createdTime=yesterday", "createdTime", "'yesterday' is not a valid date-time."),
        ("amount[above]=1", "amount[above]", "'amount[above]' has no valid operator: use eq, gt, gte, lt or lte."),
    ] {
        let expected = format!("400 bad_request | invalid_parameter {parameter}: {message}");
        assert_eq!(list(query).expect_err(query), expected);
    }
    assert_eq!(list("limit=10.0").expect("a query").limit, 10);
}

/// The order of the published figures, given as its own JSON.
fn published() -> Facts {
    let document = json!({
        "id": "5823594809", "currency": "USD", "totalAmount": 27.01, "subtotal": 25.0, "totalTax": 2.01,
        "items": [{
            "id": "i1", "skuId": "s1", "quantity": 2, "amount": 20.0, "tax": { "rate": 0.0805, "amount": 1.61 },
            "shipping": { "amount": 5.0, "taxAmount": 0.4 }, "state": "fulfilled"
        }],
        "payment": {
            "sources": [{ "id": "s", "type": "creditCard", "owner": { "lastName": "Doe" } }],
            "charges": [{ "id": "c1", "sourceId": "s", "captures": [{ "amount": 27.01, "state": "complete" }] }]
        },
        "capturedAmount": 27.01, "state": "complete", "liveMode": false
    });
    let mut order = read_order(&document, 0).expect("an order").order;
    order.id = 100_000_000_000_000_001;
    Facts::fresh(order)
}

/// Sends a body against the order; the answer's JSON, and the facts afterwards.
fn send(facts: &mut Facts, body: &str) -> (u16, Value) {
    let request = request(&[], "", body.as_bytes());
    let endpoint = Endpoint::CreateRefund;
    let response = match decode(&endpoint, &request) {
        Err(response) => response,
        Ok(Call::CreateRefund { command, .. }) => match decide(facts, &command.request) {
            Err(rejection) => refuse(Some(&endpoint), &request, &Refusal::Rejected(Box::new(rejection))),
            Ok(quote) => {
                let mut next = 200_000_000_000_000_000;
                let decision = accept(facts, &command, quote, 1_714_641_330_500, &mut || {
                    next += 1;
                    next
                });
                facts.balances = decision.balances;
                let view =
                    RefundView { refund: decision.refund, order: facts.order.clone(), beside: None, live: false };
                let answer = RefundAnswer { view, order: None, replayed: false };
                encode(&endpoint, &request, &Reply::Created(Box::new(answer)))
            }
        },
        Ok(other) => panic!("{other:?}"),
    };
    (response.status, serde_json::from_slice(&response.body).expect("JSON"))
}

/// A request and its figures: refund, order availability after, item availability after; or the error.
#[track_caller]
fn vector(rest: &str, expected: Result<(&str, &str, &str), (&str, &str)>) {
    let mut facts = published();
    let (status, body) = send(&mut facts, &format!(r#"{{"orderId":"5823594809","currency":"USD",{rest}}}"#));
    let order = OrderView::bare(facts);
    let get = Endpoint::GetOrder { order: "5823594809".to_owned() };
    let answer = encode(&get, &request(&[], "", b""), &Reply::Order { order: Box::new(order), created: false });
    let order: Value = serde_json::from_slice(&answer.body).expect("JSON");
    match expected {
        Ok((amount, order_left, item_left)) => {
            assert_eq!(status, 201, "{body}");
            let shown = if body["items"][0].is_object() { &body["items"][0]["amount"] } else { &body["amount"] };
            let left = &order["availableToRefundAmount"];
            let item = &order["items"][0]["availableToRefundAmount"];
            let figures = (shown.to_string(), left.to_string(), item.to_string());
            assert_eq!(figures, (amount.to_owned(), order_left.to_owned(), item_left.to_owned()), "{rest}");
        }
        Err((parameter, message)) => {
            assert_eq!(status, 400, "{body}");
            assert_eq!(body["type"], "bad_request");
            let error = &body["errors"][0];
            assert_eq!((&error["code"], &error["parameter"]), (&json!("invalid_parameter"), &json!(parameter)));
            assert_eq!(error["message"], message);
            assert_eq!(order["availableToRefundAmount"].to_string(), "27.01");
        }
    }
}

#[test]
fn the_published_figures_come_out() {
    let over = "The requested refund amount is greater than the available amount.";
    let whole = "Only full tax refunds are supported.";
    vector(r#""percent":50"#, Ok(("13.51", "13.5", "10.8")));
    vector(r#""percent":"100""#, Ok(("27.01", "0.0", "0.0")));
    vector(r#""type":"tax","percent":100"#, Ok(("2.01", "25.0", "20.0")));
    vector(r#""type":"shipping","percent":100"#, Ok(("5.4", "21.61", "21.61")));
    vector(r#""type":"shipping","percent":75"#, Ok(("4.05", "22.96", "21.61")));
    vector(r#""items":[{"itemId":"i1","quantity":2,"percent":100}]"#, Ok(("21.61", "5.4", "0.0")));
    vector(r#""items":[{"skuId":"s1","quantity":"2","amount":"10.805"}]"#, Ok(("21.61", "5.4", "0.0")));
    vector(r#""items":[{"itemId":"i1","amount":10}]"#, Ok(("10.0", "17.01", "11.61")));
    vector(r#""amount":27.02"#, Err(("amountRequested", over)));
    vector(r#""type":"tax","percent":50"#, Err(("percentRequested", whole)));
    vector(r#""type":"tax","amount":2"#, Err(("amountRequested", whole)));
    vector(r#""type":"tax","amount":2.02"#, Err(("amountRequested", over)));
    vector(r#""items":[{"itemId":"i1","amount":21.62}]"#, Err(("amountRequested", over)));
    vector(r#""items":[{"itemId":"i9","amount":1}]"#, Err(("items[0].itemId", "'i9' is not a valid itemId.")));
    vector(r#""items":[{"skuId":"s9","amount":1}]"#, Err(("items[0].skuId", "'s9' is not a valid skuId.")));
    vector(
        r#""items":[{"itemId":"i1","percent":0.01,"type":"shipping"}]"#,
        Err(("items[0].percent", "'0.01' is not a valid percent.")),
    );
    let (status, body) = send(&mut published(), r#"{"orderId":"o","currency":"EUR","amount":1}"#);
    assert_eq!((status, &body["errors"][0]["message"]), (400, &json!("Currency EUR is not supported.")));
    let (_, body) = send(
        &mut published(),
        r#"{"orderId":"o","currency":"USD","items":[{"itemId":"i1","quantity":3,"percent":1}]}"#,
    );
    assert_eq!(body["errors"][0]["code"], "invalid_quantity_amount");
    assert_eq!(body["errors"][0]["parameter"], "items[0].quantity");
}

#[test]
fn a_new_refund_says_no_more_than_is_known() {
    let (_, body) = send(
        &mut published(),
        r#"{"orderId":"o","currency":"USD","percent":50,"type":"shipping","reason":"r","metadata":{"n":1.50}}"#,
    );
    let expected = json!({
        "id": "ref_200000000000000001", "createdTime": "2024-05-02T09:15:30Z", "orderId": "5823594809",
        "currency": "USD", "type": "shipping", "amount": number("2.7"), "refundedAmount": number("0.0"), "items": [],
        "reason": "r", "state": "pending", "liveMode": false, "metadata": { "n": number("1.50") }
    });
    assert_eq!(body, expected);
    let (_, body) = send(
        &mut published(),
        r#"{"orderId":"o","currency":"USD","items":[
        {"itemId":"i1","amount":3},{"itemId":"i1","quantity":1,"amount":2},{"itemId":"i1","percent":100,"type":"shipping"}]}"#,
    );
    let items = json!([
        { "itemId": "i1", "skuId": "s1", "quantity": 2, "amount": number("3.0"), "refundedAmount": number("0.0") },
        { "itemId": "i1", "skuId": "s1", "quantity": 1, "amount": number("2.0"), "refundedAmount": number("0.0") },
        { "itemId": "i1", "skuId": "s1", "quantity": 2, "amount": number("5.4"), "refundedAmount": number("0.0"),
          "type": "shipping" }
    ]);
    assert_eq!(body["items"], items);
    for absent in ["amount", "type", "reason", "charges", "metadata", "failureReason"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}

/// A refund of the whole order over two payments of 20.00 and 7.01, after news of each leg.
fn after(body: &str, news: [News; 2]) -> Value {
    let mut facts = published();
    let mut second = facts.order.payments[0].clone();
    second.external_id = Some("c2".to_owned());
    for (payment, captured) in [(&mut Arc::make_mut(&mut facts.order).payments[0], 2000), (&mut second, 701)] {
        payment.captured = Amount::minor(captured);
        payment.own_captured = payment.captured;
    }
    Arc::make_mut(&mut facts.order).payments.push(second);
    let mut facts = Facts::fresh(facts.order);
    let Ok(Call::CreateRefund { command, .. }) = decode(&Endpoint::CreateRefund, &request(&[], "", body.as_bytes()))
    else {
        panic!("{body}")
    };
    let quote = decide(&facts, &command.request).expect("a quote");
    let mut decision = accept(&facts, &command, quote, 1_000, &mut || 1);
    for (leg, news) in news.into_iter().enumerate().take(decision.refund.legs.len()) {
        facts.balances = decision.balances.clone();
        decision = settle(&facts, &decision.refund, leg, news, 2_000).expect("news");
    }
    let view = RefundView { refund: decision.refund, order: facts.order, beside: None, live: true };
    let get = Endpoint::GetRefund { refund: "1".to_owned() };
    let answer = encode(&get, &request(&[], "", b""), &Reply::Refund(Box::new(view)));
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn went() -> News {
    News::Succeeded { reference: "p".to_owned() }
}

fn failed() -> News {
    News::Failed { code: "expired_or_canceled_card".to_owned(), message: String::new() }
}

#[test]
fn charges_appear_once_the_provider_has_answered() {
    let all = r#"{"orderId":"o","currency":"USD","percent":100}"#;
    let done = after(all, [went(), went()]);
    assert_eq!((&done["state"], done["refundedAmount"].to_string()), (&json!("succeeded"), "27.01".to_owned()));
    let charges = json!([
        { "id": "c1", "captured": true, "refunded": true, "sourceId": "src_c1",
          "refunds": [{ "createdTime": "1970-01-01T00:00:02Z", "amount": number("20.0"), "state": "complete" }] },
        { "id": "c2", "captured": true, "refunded": true, "sourceId": "src_c2",
          "refunds": [{ "createdTime": "1970-01-01T00:00:02Z", "amount": number("7.01"), "state": "complete" }] }
    ]);
    assert_eq!((&done["charges"], &done["liveMode"]), (&charges, &json!(true)));

    let open = after(all, [went(), News::Sent { reference: "p".to_owned() }]);
    assert_eq!((&open["state"], open["refundedAmount"].to_string()), (&json!("pending"), "0.0".to_owned()));
    assert_eq!(open["charges"].as_array().map(Vec::len), Some(1));

    let none = after(all, [failed(), failed()]);
    assert_eq!((&none["state"], none["refundedAmount"].to_string()), (&json!("failed"), "0.0".to_owned()));
    assert_eq!(none["failureReason"], "expired_or_canceled_card");
    assert_eq!(none["charges"][0]["refunds"][0]["state"], "failed");

    let partly = after(all, [went(), failed()]);
    assert_eq!((&partly["state"], partly["refundedAmount"].to_string()), (&json!("succeeded"), "20.0".to_owned()));
    assert!(partly.get("failureReason").is_none());
}

#[test]
fn items_keep_their_share_of_what_succeeded() {
    let body = r#"{"orderId":"o","currency":"USD","items":[
        {"itemId":"i1","percent":100},{"itemId":"i1","percent":100,"type":"shipping"}]}"#;
    let partly = after(body, [went(), failed()]);
    let figures: Vec<String> =
        partly["items"].as_array().expect("items").iter().map(|i| i["refundedAmount"].to_string()).collect();
    assert_eq!(figures, ["16.0", "4.0"]);
    assert_eq!(partly["refundedAmount"].to_string(), "20.0");
}
