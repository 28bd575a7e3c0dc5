//! Requests become calls, or refusals in the platform's words.

use refundry_core::command::{Ask, CreateRefund, CurrencyAsk, PartMoney, Plan, UnitMode};
use refundry_core::money::Decimal;
use refundry_core::order::Reference;
use refundry_core::payouts::PaymentLimit;
use refundry_core::query::Page;
use refundry_core::refund::Restock;
use refundry_core::rejection::Rejection;

use super::{PATH, get, headers, json, post};
use crate::shop::ShopCall;
use crate::shopline::{Endpoint, Version, decode, refunds, refuse, route, token};
use crate::wire::{Call, Refusal, Response, Routed, Scope, Wait};

const V2025: &str = "/admin/openapi/v20250601/order/refund.json";
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

fn send(path: &str, pairs: &[(&str, &str)], body: &str) -> Result<Call, Response> {
    let Routed::To(endpoint) = route("POST", path) else { panic!("{path} leads nowhere") };
    let headers = headers(pairs);
    decode(&endpoint, &post(path, &headers, body))
}

fn command(path: &str, body: &str) -> CreateRefund {
    match send(path, &[JSON], body) {
        Ok(Call::CreateRefund { command, wait: Wait::No }) => *command,
        other => panic!("not a refund: {other:?}"),
    }
}

/// Status and text of a refused body.
#[track_caller]
fn check(body: &str, status: u16, text: &str) {
    let response = send(V2025, &[JSON], body).expect_err("refused");
    assert_eq!((response.status, json(&response)), (status, serde_json::json!({ "errors": text })));
}

#[test]
fn paths_lead_to_endpoints_of_any_version() {
    let is_refund =
        |path: &str| matches!(route("POST", path), Routed::To(Endpoint::Refunds(_, refunds::Endpoint::Create)));
    assert!(is_refund(PATH) && is_refund("/admin/openapi/v20991231/order/refund.json"));
    for path in [
        "/admin/openapi/v2022090/order/refund.json",
        "/admin/openapi/20220901/order/refund.json",
        "/admin/openapi/v2022-901/order/refund.json",
        "/admin/openapi/v20220901/order/refund",
        "/admin/openapi/v20220901/orders//refunds.json",
        "/admin/openapi/v20220901/orders/1/refunds/.json",
        "/admin/openapi/v20220901",
        "/admin",
    ] {
        assert_eq!(route("POST", path), Routed::NotFound, "{path}");
    }
    assert_eq!(route("GET", PATH), Routed::MethodNotAllowed("POST"));
    let one = refunds::Endpoint::Get { order: "21 0".to_owned(), refund: "260".to_owned() };
    let one = Endpoint::Refunds(Version::parse("v20220901").expect("a version"), one);
    assert_eq!(route("GET", "/admin/openapi/v20220901/orders/21%200/refunds/260.json"), Routed::To(one));
}

#[test]
fn tokens_are_bearer_tokens() {
    let read = |value: &str| {
        let headers = headers(&[("authorization", value)]);
        token(&post(PATH, &headers, ""))
    };
    assert_eq!(read("Bearer abc"), Some("abc".to_owned()));
    assert_eq!(read("bearer  abc "), Some("abc".to_owned()));
    assert_eq!(read("Basic abc"), None);
    assert_eq!(read("Bearer "), None);
}

#[test]
fn the_whole_body_is_read() {
    let command = command(
        V2025,
        r#"{"order_id": " 21057520029298437725452511", "note": "Refund", "notify": true, "currency": "USD",
            "processed_at": "2023-04-12T22:59:52+08:00",
            "refund_line_items": [{"line_item_id": 601, "quantity": 1, "type": "Unshipped", "restock_type": "cancel",
                "location_id": 5409714787218633772}],
            "shipping": {"amount": "1.23", "full_refund": true},
            "transactions": [{"id": 23057520029306658561302511, "amount": 2.34, "currency": "USD", "gateway": "Paypal",
                "kind": "refund", "type": true}]}"#,
    );
    assert_eq!(command.order, Reference { text: "21057520029298437725452511".to_owned(), ours: None });
    assert_eq!((command.note.as_str(), command.notify), ("Refund", true));
    assert_eq!(command.processed_ms, Some(1_681_311_592_000));
    assert_eq!(command.request.currency, CurrencyAsk::Is("USD".to_owned()));
    let Ask::Parts(parts) = &command.request.ask else { panic!("parts") };
    let unit = parts.units.first().expect("a unit");
    assert_eq!((unit.line.text.as_str(), unit.quantity), ("601", Some(1)));
    assert_eq!((unit.mode, unit.restock), (UnitMode::Waiting, Restock::Cancel));
    assert_eq!(unit.location, "5409714787218633772");
    let amount = Decimal::parse("1.23").expect("a decimal");
    assert_eq!(parts.parts.first().map(|p| p.money), Some(PartMoney::AsPriced(amount)));
    let Plan::Named(legs) = &command.request.plan else { panic!("legs") };
    let leg = legs.first().expect("a leg");
    assert_eq!(leg.payment.as_ref().map(|p| p.text.as_str()), Some("23057520029306658561302511"));
    assert_eq!((leg.channel.as_str(), leg.outside), ("Paypal", false));
    assert_eq!(leg.currency, CurrencyAsk::Is("USD".to_owned()));
}

#[test]
fn what_typed_clients_leave_out_counts_as_absent() {
    let body = r#"{"order_id": 210, "note": "", "notify": null, "currency": {}, "processed_at": " ", "shipping": {},
        "refund_line_items": [{"line_item_id": "601", "quantity": "2", "type": "Returned", "restock_type": ""}],
        "transactions": [{"amount": "1", "id": "", "gateway": null, "kind": ""}]}"#;
    let request = command(V2025, body).request;
    assert_eq!(request.currency, CurrencyAsk::ShopAssumed);
    let Ask::Parts(parts) = &request.ask else { panic!("parts") };
    assert!(parts.parts.is_empty());
    let unit = parts.units.first().expect("a unit");
    assert_eq!((unit.quantity, unit.mode, unit.restock), (Some(2), UnitMode::Returned, Restock::No));
    let Plan::Named(legs) = &request.plan else { panic!("legs") };
    let leg = legs.first().expect("a leg");
    assert_eq!((leg.payment.as_ref(), leg.outside, &leg.currency), (None, true, &CurrencyAsk::ShopAssumed));

    // Versions before the currency fields do not look at them, whatever is inside.
    let old = command(PATH, &body.replace(r#""currency": {}"#, r#""currency": 7"#).replace("\" \"", "\"never\""));
    assert_eq!((old.request.currency, old.processed_ms), (CurrencyAsk::Unsaid, None));
}

#[test]
fn shipping_follows_its_amount_before_its_flag() {
    let shipping = |policy: &str| {
        let body = format!(r#"{{"order_id": 1, "transactions": [{{"amount": 1}}], "shipping": {policy}}}"#);
        let Ask::Parts(parts) = command(PATH, &body).request.ask else { panic!("parts") };
        parts.parts.first().map(|p| p.money)
    };
    let two = PartMoney::AsPriced(Decimal::from_parts(2, 0));
    assert_eq!(shipping(r#"{"amount": "2.00"}"#), Some(two));
    assert_eq!(shipping(r#"{"amount": "2.00", "full_refund": true}"#), Some(two));
    assert_eq!(shipping(r#"{"amount": "0.00", "full_refund": true}"#), Some(PartMoney::Remaining));
    assert_eq!(shipping(r#"{"full_refund": true}"#), Some(PartMoney::Remaining));
    assert_eq!(shipping(r#"{"amount": "0", "full_refund": false}"#), None);
}

#[test]
fn ids_in_our_own_shape_are_read_back() {
    let ours = |order: &str| {
        let body = format!(r#"{{"order_id": "{order}", "transactions": [{{"amount": 1}}]}}"#);
        command(PATH, &body).order.ours
    };
    assert_eq!(ours("21000000179543520000000100"), Some(179_543_520_000_000_100));
    assert_eq!(ours("179543520000000100"), Some(179_543_520_000_000_100));
    assert_eq!(ours("21057520029298437725452511"), None);
    assert_eq!(ours("1001"), None);
}

#[test]
fn what_is_required_is_asked_for_first() {
    check("{}", 422, "order_id is required");
    check(r#"{"order_id": "", "transactions": [{}]}"#, 422, "order_id is required");
    check(r#"{"order_id": "1", "notify": "yes"}"#, 422, "transactions is required");
    check(r#"{"order_id": "1", "transactions": []}"#, 422, "transactions is required");
    check(r#"{"order_id": "1", "transactions": {}}"#, 422, "transactions is required");
    let item = |item: &str, status: u16, text: &str| {
        let body = format!(r#"{{"order_id": 1, "transactions": [{{"amount": 1}}], "refund_line_items": [{item}]}}"#);
        check(&body, status, text);
    };
    item(r#"{"line_item_id": 601, "quantity": 1}"#, 422, "refund_line_items.type is required");
    item(r#"{"type": "shipped"}"#, 422, "refund_line_items.type is invalid");
    item(r#"{"type": "Shipped", "quantity": 1}"#, 422, "refund_line_items.line_item_id is required");
    item(r#"{"type": "Shipped", "line_item_id": 1, "restock_type": "back"}"#, 422, "restock_type is invalid");
    let wrong = "Bad Request: refund_line_items[0].quantity must be a whole number";
    item(r#"{"type": "Shipped", "line_item_id": 1, "quantity": 1.5}"#, 400, wrong);
    item("7", 400, "Bad Request: refund_line_items[0] must be an object");
}

#[test]
fn amounts_are_plain_decimals() {
    for amount in ["\"a\"", "\"1e1\"", "1e1", "\"1,00\"", "\".5\"", &"9".repeat(31)] {
        check(&format!(r#"{{"order_id": 1, "transactions": [{{"amount": {amount}}}]}}"#), 422, "amount is invalid");
    }
    check(r#"{"order_id": 1, "transactions": [{"id": "230"}]}"#, 422, "transactions.amount is required");
    let wrong = "Bad Request: transactions[0].amount must be a string or a number";
    check(r#"{"order_id": 1, "transactions": [{"amount": true}]}"#, 400, wrong);
    let shipping = r#"{"order_id": 1, "transactions": [{"amount": 1}], "shipping": {"amount": "x"}}"#;
    check(shipping, 422, "amount is invalid");
}

#[test]
fn other_fields_are_checked_too() {
    let with = |field: &str| format!(r#"{{"order_id": 1, "transactions": [{{"amount": 1}}], {field}}}"#);
    check(&with(r#""notify": "true""#), 400, "Bad Request: notify must be true or false");
    check(&with(r#""currency": 7"#), 400, "Bad Request: currency must be a string");
    check(&with(r#""shipping": "all""#), 400, "Bad Request: shipping must be an object");
    let time = "processed_at is invalid: use ISO 8601, e.g. 2023-04-12T22:59:52+08:00";
    check(&with(r#""processed_at": "yesterday""#), 422, time);
    check(&with(&format!(r#""note": "{}""#, "n".repeat(2_001))), 422, "note must not be longer than 2000");
    let kind = r#"{"order_id": 1, "transactions": [{"amount": 1, "kind": "sale"}]}"#;
    check(kind, 422, "transactions.kind is invalid");
    let long = format!(r#"{{"order_id": 1, "transactions": [{{"amount": 1, "id": "{}"}}]}}"#, "9".repeat(65));
    check(&long, 422, "transactions.id must not be longer than 64");
}

#[test]
fn bodies_that_are_no_json_object_are_bad_requests() {
    check("[]", 400, "Bad Request: the body must be an object");
    let bad = |body: &[u8]| {
        let Routed::To(endpoint) = route("POST", PATH) else { panic!("a path") };
        let headers = headers(&[JSON]);
        let request = crate::wire::Request { body, ..post(PATH, &headers, "") };
        decode(&endpoint, &request).expect_err("refused").status
    };
    assert_eq!([bad(b""), bad(b" \n")], [422; 2], "no body is an empty one");
    assert_eq!([bad(b"{"), bad(b"{\"note\": \"\xff\"}"), bad(b"\xef\xbb\xbf{}")], [400; 3]);
    assert_eq!(bad("[".repeat(10_000).as_bytes()), 400);
    assert_eq!(bad("{\"a\":".repeat(10_000).as_bytes()), 400);
}

#[test]
fn media_types_are_checked() {
    let body = r#"{"order_id": 1, "transactions": [{"amount": 1}]}"#;
    let status = |pairs: &[(&str, &str)]| send(PATH, pairs, body).map_or_else(|response| response.status, |_| 200);
    assert_eq!(status(&[("content-type", "application/json")]), 200);
    assert_eq!(status(&[("content-type", "text/plain")]), 400);
    assert_eq!(status(&[]), 400);
    let accept = |accept: &str| status(&[JSON, ("accept", accept)]);
    assert_eq!(
        [accept("*/*"), accept("text/html, application/*;q=0.1"), accept("Application/JSON"), accept("")],
        [200; 4]
    );
    assert_eq!([accept("text/html"), accept("application/json;q=0, */*"), accept("application/xml")], [406; 3]);
    let accept_twice = |one: &str, other: &str| status(&[JSON, ("accept", one), ("accept", other)]);
    assert_eq!([accept_twice("text/plain", "application/json"), accept_twice("", "*/*")], [200; 2]);
    assert_eq!(accept_twice("text/plain", "application/xml"), 406);
}

#[test]
fn the_expectation_header_is_a_decimal() {
    let body = r#"{"order_id": 1, "transactions": [{"amount": 1}]}"#;
    let Ok(Call::CreateRefund { command, .. }) = send(PATH, &[JSON, ("refundable-before", " 65.00")], body) else {
        panic!("a refund")
    };
    assert_eq!(command.request.refundable_before, Some(Decimal::from_parts(65, 0)));
    let refused = send(PATH, &[JSON, ("refundable-before", "all")], body).expect_err("refused");
    assert_eq!(refused.status, 422);
}

#[test]
fn lists_are_limited_and_oldest_first() {
    let path = "/admin/openapi/v20250601/orders/21057520029298437725452511/refunds.json";
    let Routed::To(endpoint) = route("GET", path) else { panic!("a path") };
    let list = |query: &str| match decode(&endpoint, &get(path, query)) {
        Ok(Call::ListRefundsOf { query, .. }) => Ok((query.limit, query.descending, query.page)),
        Ok(other) => panic!("not a list: {other:?}"),
        Err(response) => Err((response.status, json(&response))),
    };
    assert_eq!(list(""), Ok((50, false, Page::Start)));
    assert_eq!(list("limit=250&other=1"), Ok((250, false, Page::Start)));
    let error = |status, text| Err((status, serde_json::json!({ "errors": text })));
    assert_eq!(list("limit=251"), error(422, "limit must be from 1 to 250"));
    assert_eq!(list("limit=0"), error(422, "limit must be from 1 to 250"));
    assert_eq!(list("limit=ten"), error(400, "Bad Request: limit must be a whole number"));
    let after = Reference { text: "2605755870074105241861".to_owned(), ours: None };
    assert_eq!(list("since_id=2605755870074105241861"), Ok((50, false, Page::After(after))));
    assert_eq!(list("page_info=x"), error(422, "page_info is invalid: use one that a link header gave"));
}

#[test]
fn times_of_a_query_have_an_offset_with_or_without_escapes() {
    let path = "/admin/openapi/v20250601/orders.json";
    let Routed::To(endpoint) = route("GET", path) else { panic!("a path") };
    let from = |time: &str| match decode(&endpoint, &get(path, &format!("created_at_min={time}"))) {
        Ok(Call::Shop(call)) => match *call {
            ShopCall::List(query) => query.created.from_ms,
            other => panic!("not a list: {other:?}"),
        },
        Ok(other) => panic!("not about orders: {other:?}"),
        Err(response) => Some(i64::from(response.status)),
    };
    assert_eq!(from("2023-04-12T22:59:52%2B08:00"), Some(1_681_311_592_000));
    assert_eq!(from("2023-04-12T22:59:52+08:00"), Some(1_681_311_592_000));
    assert_eq!(from("2023-04-12T22:59:52-08:00"), Some(1_681_369_192_000));
    assert_eq!(from("2023-04-12+22:59:52"), Some(1_681_340_392_000));
    assert_eq!(from("2023-04-12T22:59:52++08:00"), Some(422));
    assert_eq!(from("yesterday+08:00"), Some(422));
}

#[test]
fn refusals_have_the_platforms_words() {
    let words = |refusal: Refusal| {
        let response = refuse(None, &post(PATH, &[], ""), &refusal);
        let text = json(&response).get("errors").and_then(|v| v.as_str()).expect("a text").to_owned();
        (response.status, text)
    };
    let rejected = |rejection: Rejection| words(Refusal::Rejected(Box::new(rejection)));
    let is = |status: u16, text: &str| (status, text.to_owned());
    let usd = refundry_core::money::Currency::parse("USD").expect("a currency");
    let one = refundry_core::money::Amount::minor(1);
    assert_eq!(words(Refusal::NoSuchPath), is(404, "Not Found"));
    assert_eq!(words(Refusal::Unauthorized), is(401, "Unauthorized"));
    let scope = "This action requires write_orders scope";
    assert_eq!(words(Refusal::Forbidden(Scope::WriteOrders)), is(403, scope));
    assert_eq!(words(Refusal::RefundUnknown("1".to_owned())), is(404, "The refund does not exist."));
    assert_eq!(rejected(Rejection::OrderUnknown { order: "1".to_owned() }), is(404, "The order does not exist."));
    let given = || Some("EUR".to_owned());
    assert_eq!(rejected(Rejection::CurrencyDiffers { given: given(), wanted: usd }), is(422, "currency must be USD"));
    let wrong = "the input currency must be the settlement currency of the payment: USD";
    assert_eq!(rejected(Rejection::PaymentCurrencyDiffers { given: None, wanted: usd }), is(422, wrong));
    let unknown = Rejection::LineUnknown { entry: 0, line: "601".to_owned() };
    assert_eq!(rejected(unknown), is(422, "line_item_id 601 does not exist in the order"));
    let unknown = Rejection::PaymentUnknown { payment: "230".to_owned() };
    assert_eq!(rejected(unknown), is(422, "transaction 230 does not exist in the order"));
    let exceeded = Rejection::PartExceeded { part: "shipping".to_owned(), asked: one, available: one, currency: usd };
    assert_eq!(rejected(exceeded), is(422, "shipping amount exceeds the maximum refundable amount"));
    let exceeded = Rejection::PaymentExceeded { payment: String::new(), asked: one, available: one, currency: usd };
    assert_eq!(rejected(exceeded), is(422, "refund amount exceeds the maximum refundable amount"));
    let limited = |limit| {
        let payment = "230".to_owned();
        rejected(Rejection::PaymentLimited { payment, limit, asked: one, currency: usd })
    };
    let whole = "transaction 230 can only be refunded in full";
    assert_eq!(limited(PaymentLimit::OnlyInFull), is(422, whole));
    let again = "transaction 230 can only be refunded once, and was refunded before";
    assert_eq!(limited(PaymentLimit::OnlyOnce), is(422, again));
    let least = "transaction 230 can only be refunded by at least 0.01 USD";
    assert_eq!(limited(PaymentLimit::AtLeast(one)), is(422, least));
    let late = "transaction 230 can only be refunded within 180 days of the order";
    assert_eq!(limited(PaymentLimit::WithinDays(180)), is(422, late));
    assert_eq!(rejected(Rejection::OrderUnpaid), is(422, "the order payment status does not support refund"));
    let busy = refuse(None, &post(PATH, &[], ""), &Refusal::Busy);
    assert_eq!((busy.status, busy.headers.first().map(|h| h.0)), (503, Some("retry-after")));
}
