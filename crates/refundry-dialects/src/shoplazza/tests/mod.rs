//! Requests and documents through the whole dialect, with the real rules in between.

use refundry_core::balances::Facts;
use refundry_core::command::{CreateRefund, RefundRequest};
use refundry_core::decide::{News, accept, decide, record, settle};
use refundry_core::intake::{Intake, PastRefund};
use refundry_core::money::Amount;
use refundry_core::order::Dialect;
use refundry_core::query::{Page, RefundQuery};
use refundry_core::refund::{
    Allocation, Cap, CapKind, Leg, LegState, Refund, RefundState, Route, Shape, UnitMove, Why,
};
use serde_json::{Value, json};

use super::*;
use crate::wire::{OrderView, RefundAnswer, RefundPage, RefundView};

mod here;
mod intake;
mod orders_list;

const FILES: [&str; 6] = [
    "two-lines-discount-added-tax",
    "gift-card-and-card-fees-and-duty",
    "euro-market-tax-included-delivered",
    "two-payments-two-refunds-already",
    "cash-on-delivery-yen-tax-included-legacy",
    "kuwaiti-dinar-unfulfilled-legacy",
];

const NOW_MS: i64 = 1_795_392_000_000;
const ORDER: &str = "625830417729104385";

fn document(name: &str) -> Value {
    let path = format!("{}/../../examples/orders/shoplazza/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn request<'a>(method: &'a str, path: &'a str, query: &'a str, body: &'a str) -> Request<'a> {
    Request { method, path, query, headers: &[], body: body.as_bytes(), now_ms: NOW_MS }
}

fn routed(method: &str, path: &str) -> Endpoint {
    match route(method, path) {
        Routed::To(endpoint) => endpoint,
        other => panic!("{method} {path} leads to {other:?}"),
    }
}

fn call(method: &str, path: &str, query: &str, body: &str) -> Result<Call, (u16, Value)> {
    let endpoint = routed(method, path);
    decode(&endpoint, &request(method, path, query, body)).map_err(|response| (response.status, body_of(&response)))
}

fn body_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// An order as the store keeps it: numbered, with its past refunds in the books.
fn stored(name: &str) -> OrderView {
    booked(read_order(&document(name), NOW_MS).unwrap())
}

fn booked(Intake { mut order, refunds, document, .. }: Intake) -> OrderView {
    order.id = 795_000_000_000_000_001;
    for (line, id) in order.lines.iter_mut().zip(795_000_000_000_000_100..) {
        line.id = id;
    }
    for (payment, id) in order.payments.iter_mut().zip(795_000_000_000_000_200..) {
        payment.id = id;
    }
    let mut facts = Facts::fresh(order);
    for (number, past) in (1..).zip(refunds) {
        facts.balances = record(&facts, imported(&facts, &past, number), NOW_MS).balances;
    }
    OrderView { document, ..OrderView::bare(facts) }
}

fn imported(facts: &Facts, past: &PastRefund, number: u32) -> Refund {
    let amount: Amount = past.legs.iter().map(|(_, amount, _)| *amount).sum();
    let none = (Amount::ZERO, Amount::ZERO);
    let allocations = past.allocations.iter().map(|(component, net, tax)| Allocation {
        component: *component,
        net: *net,
        tax: *tax,
        shop: none,
        returned: none,
        quantity: None,
        why: Why::Imported,
        odd: Amount::ZERO,
    });
    let allocations: Vec<Allocation> = allocations.collect();
    let units = past.units.iter().map(|u| UnitMove {
        line: u.line,
        bucket: u.bucket,
        returned_goods: false,
        quantity: u.quantity,
        net: u.net,
        tax: u.tax,
        discount: u.discount,
        shop: none,
        restock: u.restock,
        location: String::new(),
        reopened: false,
    });
    let legs = past.legs.iter().map(|(payment, amount, own)| Leg {
        id: 795_000_000_000_001_000,
        payment: *payment,
        amount: *amount,
        own_amount: *own,
        route: Route::Outside,
        state: LegState::Succeeded { at_ms: past.created_ms },
        reference: String::new(),
        named_channel: String::new(),
        gateway: String::new(),
        retried_by: None,
    });
    Refund {
        id: 795_000_000_000_000_900,
        external_id: past.external_id.clone(),
        order: facts.order.id,
        number,
        via: Dialect::Shoplazza,
        created_ms: past.created_ms,
        updated_ms: past.created_ms,
        processed_ms: None,
        note: past.note.clone(),
        reason: past.reason.clone(),
        notify: false,
        metadata: std::collections::BTreeMap::new(),
        shape: Shape::Imported,
        amount,
        discrepancy: amount - allocations.iter().map(Allocation::gross).sum(),
        units: units.collect(),
        legs: legs.collect(),
        allocations,
        nearest_cap: Cap { by: CapKind::Payment(0), left: Amount::ZERO },
        retry_of: None,
    }
}

/// Takes a creating request through the rules; returns the refund as accepted, or the refusal.
fn create(view: &mut OrderView, path: &str, body: &str) -> Result<Refund, (u16, Value)> {
    let endpoint = routed("POST", path);
    let request = request("POST", path, "", body);
    let Call::CreateRefund { command, .. } = decode(&endpoint, &request).map_err(|r| (r.status, body_of(&r)))? else {
        panic!("{path} creates no refund")
    };
    let quote = decide(&view.facts, &command.request).map_err(|rejection| {
        let response = refuse(Some(&endpoint), &request, &Refusal::Rejected(Box::new(rejection)));
        (response.status, body_of(&response))
    })?;
    let mut next = 795_000_000_000_001_000;
    let decision = accept(&view.facts, &command, quote, NOW_MS, &mut || {
        next += 1;
        next
    });
    view.facts.balances = decision.balances;
    Ok(decision.refund)
}

/// Lets all legs of a refund succeed.
fn finish(view: &mut OrderView, mut refund: Refund) -> Refund {
    for leg in 0..refund.legs.len() {
        let news = News::Succeeded { reference: String::new() };
        if let Ok(decision) = settle(&view.facts, &refund, leg, news, NOW_MS + 1_500) {
            refund = decision.refund;
            view.facts.balances = decision.balances;
        }
    }
    refund
}

fn answer(view: &OrderView, refund: Refund) -> RefundAnswer {
    let order = view.facts.order.clone();
    RefundAnswer {
        view: RefundView { refund, order, beside: None, live: true },
        order: Some(view.clone()),
        replayed: false,
    }
}

#[track_caller]
fn check_route(method: &str, path: &str, wanted: &str) {
    let found = match route(method, path) {
        Routed::To(endpoint) => format!("{endpoint:?}"),
        Routed::MethodNotAllowed(allow) => format!("405 {allow}"),
        Routed::NotFound => "404".to_owned(),
    };
    assert_eq!(found, wanted, "{method} {path}");
}

#[test]
fn paths_lead_to_their_endpoints() {
    check_route("POST", "/openapi/2025-06/orders/7/refund", "CreateRecord { version: V202506, order: \"7\" }");
    check_route("POST", "/openapi/2026-07/orders/7/refund/", "CreateRecord { version: V202607, order: \"7\" }");
    check_route("POST", "/openapi/2022-01/orders/7/refund.json", "FullRefund { version: V202201, order: \"7\" }");
    check_route("POST", "/openapi/orders/a%2Db/refund", "FullRefund { version: Unversioned, order: \"a-b\" }");
    check_route("POST", "/openapi/2022-01/orders//refund", "FullRefund { version: V202201, order: \"\" }");
    check_route("GET", "/openapi/2020-01/orders/refund_records.json", "ListRecords { version: V202001 }");
    check_route("GET", "/openapi/2024-07/orders/refund_records/", "ListRecords { version: V202407 }");
    check_route("POST", "/openapi/2024-07/orders/refund_records", "405 GET");
    check_route("GET", "/openapi/2024-07/orders/refund_records/count", "CountRecords { version: V202407 }");
    check_route("POST", "/openapi/2024-07/orders/refund_records/count", "405 GET");
    check_route("GET", "/openapi/2022-01/orders/refund_records/count", "404");
    check_route("POST", "/openapi/2020-07/orders/7/partial_refund", "PartialRefund { version: V202007, order: \"7\" }");
    check_route("GET", "/openapi/orders/7/partial_refund.json", "405 POST");
    check_route("POST", "/openapi/2026-07/orders/7/partial_refund", "404");
    check_route("GET", "/openapi/orders/7/refund.json", "OrderRefunds { version: Unversioned, order: \"7\" }");
    check_route("GET", "/openapi/2026-01/orders/7/refund/", "OrderRefunds { version: V202601, order: \"7\" }");
    check_route("PUT", "/openapi/2024-07/orders/7/refund", "405 GET, POST");
    check_route("POST", "/openapi/2025-06/orders/7/refund.json", "404");
    check_route("POST", "/openapi/2023-01/orders/7/refund", "404");
    check_route("POST", "/openapi/2022-01/orders/7/refund/now", "404");
    check_route("GET", "/openapi", "404");
}

const MODERN: &str = "/openapi/2025-06/orders/625830417729104385/refund";
const LEGACY: &str = "/openapi/2022-01/orders/625830417729104385/refund";

#[track_caller]
fn check_create(body: &str, wanted: Result<&str, &str>) {
    let found = match call("POST", MODERN, "", body) {
        Ok(Call::CreateRefund { command, .. }) => Ok(format!("{:?}", command.request)),
        Ok(other) => panic!("{other:?}"),
        Err((status, body)) => {
            assert_eq!((status, &body["code"]), (400, &json!("InvalidParameter")));
            Err(body["message"].as_str().unwrap().to_owned())
        }
    };
    match (found, wanted) {
        (Ok(found), Ok(part)) => assert!(found.contains(part), "{found}\nlacks {part}"),
        (Err(found), Err(wanted)) => assert_eq!(found, wanted),
        (found, _) => panic!("{body}: {found:?}"),
    }
}

#[test]
fn a_record_is_read_from_its_body() {
    check_create("", Err("refund is required"));
    check_create("null", Err("refund is required"));
    check_create("[]", Err("the body must be an object"));
    check_create("{}", Err("refund is required"));
    check_create(r#"{"refund":{}}"#, Err("refund.refund_total is required"));
    check_create(r#"{"refund":{"refund_total":""}}"#, Err("refund.refund_total is required"));
    check_create(r#"{"refund":{"refund_total":true}}"#, Err("refund.refund_total must be a decimal amount"));
    check_create(r#"{"refund":{"refund_total":1e1}}"#, Err("refund.refund_total must be a decimal amount"));
    check_create(
        r#"{"refund":{"refund_total":"1000000000000000000000000000001"}}"#,
        Err("refund.refund_total must be an amount of at most 30 digits"),
    );
    check_create(r#"{"refund":{"refund_total":25.5,"what":1}}"#, Ok("Stated(Decimal { mantissa: 255, scale: 1 })"));
    check_create(r#"{"refund":{"refund_total":"1","refund_tip":"","refund_shipping_total":null}}"#, Ok("parts: []"));
    check_create(
        r#"{"refund":{"refund_total":"1","refund_additional_prices":[{"name":"Gift Wrapping","price":"5.00"}]}}"#,
        Ok("target: Additional(\"Gift Wrapping\"), money: Gross(Decimal { mantissa: 5, scale: 0 })"),
    );
    check_create(
        r#"{"refund":{"refund_total":"1","refund_additional_prices":[{"name":"","price":"5.00"}]}}"#,
        Err("refund.refund_additional_prices[0].name is required"),
    );
    check_create(
        r#"{"refund":{"refund_total":"1","refund_payments":[{"payment_line_id":"p","refund_price":0.5}]}}"#,
        Ok("amount: Decimal { mantissa: 5, scale: 1 }, amount_in: Books"),
    );
    check_create(
        r#"{"refund":{"refund_total":"1","refund_payments":[{"payment_line_id":7,"refund_price":"1"}]}}"#,
        Err("refund.refund_payments[0].payment_line_id must be a string"),
    );
    check_create(
        r#"{"refund":{"refund_total":"1","refund_line_items":{}}}"#,
        Err("refund.refund_line_items must be a list"),
    );
}

#[test]
fn units_are_read_in_all_their_spellings() {
    let item = |rest: &str| format!(r#"{{"refund":{{"refund_total":"1","refund_line_items":[{{{rest}}}]}}}}"#);
    for (kind, mode) in [
        ("0", "Automatic"),
        ("\"0\"", "Automatic"),
        ("\"auto\"", "Automatic"),
        ("null", "Automatic"),
        ("1", "Shipped"),
        ("\"shipped\"", "Shipped"),
        ("2", "Waiting"),
        ("\"waiting_ship\"", "Waiting"),
    ] {
        let body = item(&format!(r#""line_item_id":"l","refund_item_type":{kind}"#));
        check_create(&body, Ok(&format!("quantity: None, mode: {mode}, restock: No")));
    }
    check_create(&item(r#""line_item_id":"l","quantity":0,"return_inventory":true"#), Ok("quantity: None"));
    check_create(&item(r#""line_item_id":"l","quantity":-1"#), Ok("quantity: Some(-1)"));
    let field = "refund.refund_line_items[0]";
    check_create(&item(r#""quantity":1"#), Err(&format!("{field}.line_item_id is required")));
    check_create(
        &item(r#""line_item_id":"l","quantity":1.5"#),
        Err(&format!("{field}.quantity must be a whole number")),
    );
    check_create(
        &item(r#""line_item_id":"l","refund_item_type":3"#),
        Err(&format!("{field}.refund_item_type must be 0 (automatic), 1 (shipped) or 2 (waiting to ship)")),
    );
    check_create(
        &item(r#""line_item_id":"l","return_inventory":"yes""#),
        Err(&format!("{field}.return_inventory must be true or false")),
    );
}

#[test]
fn garbled_bodies_and_ids_are_refused() {
    let deep = "[".repeat(10_000);
    for body in ["{", "{\"refund\":", deep.as_str()] {
        assert_eq!(call("POST", MODERN, "", body).unwrap_err().0, 400);
        assert_eq!(call("POST", LEGACY, "", body).unwrap_err(), (400, json!({ "errors": ["Bad Request"] })));
    }
    let broken = Request { body: b"{\"refund\":\"\xff\"}", ..request("POST", MODERN, "", "") };
    assert_eq!(decode(&routed("POST", MODERN), &broken).unwrap_err().status, 400);
    for body in ["", " \n", "null", "{}", r#"{"refund":{"refund_total":"1"}}"#] {
        assert!(call("POST", LEGACY, "", body).is_ok(), "{body}");
    }
    let long = format!("/openapi/2022-01/orders/{}/refund", "9".repeat(65));
    for path in ["/openapi/2022-01/orders//refund", "/openapi/2022-01/orders/%20/refund", long.as_str()] {
        assert_eq!(call("POST", path, "", "").unwrap_err(), (422, json!({ "errors": ["Invalid ID"] })), "{path}");
    }
    let empty = call("POST", "/openapi/2026-01/orders//refund", "", "").unwrap_err();
    assert_eq!(empty, (400, json!({ "code": "InvalidParameter", "message": "Order id is required." })));
    assert_eq!(call("POST", "/openapi/2026-01/orders/a$b/refund", "", "").unwrap_err().0, 400);
}

#[test]
fn refundable_before_is_read() {
    let with = |value: &str| {
        let headers = [("refundable-before", value.into())];
        let request = Request { headers: &headers, ..request("POST", LEGACY, "", "") };
        decode(&routed("POST", LEGACY), &request).map_err(|r| (r.status, body_of(&r)))
    };
    let Ok(Call::CreateRefund { command, .. }) = with("65.00") else { panic!("refused") };
    assert_eq!(command.request.refundable_before.unwrap().to_string(), "65");
    let message = "Refundable-Before must be a decimal amount such as 65.00";
    assert_eq!(with("lots").unwrap_err(), (422, json!({ "errors": [message] })));
}

fn listed(path: &str, query: &str) -> Result<RefundQuery, (u16, Value)> {
    match call("GET", path, query, "")? {
        Call::ListRefunds(query) => Ok(*query),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_are_asked_for_in_both_generations() {
    let (old, new) = ("/openapi/2022-01/orders/refund_records", "/openapi/2025-06/orders/refund_records");
    assert_eq!(listed(old, "").unwrap(), RefundQuery::default());
    let query = listed(old, "order_ids=1,2&order_ids=3&order_ids[]=4&page=3&per_page=20&sort_direction=asc").unwrap();
    assert_eq!(query.orders.unwrap().len(), 4);
    assert_eq!((query.page, query.limit, query.descending), (Page::Skip(40), 20, false));
    let query = listed(new, "refund_statuses=pending&refund_status=failed&refund_record_ids=1,2&per_page=5").unwrap();
    assert_eq!(query.states.unwrap(), [RefundState::Pending, RefundState::Failed]);
    assert_eq!((query.refunds.unwrap().len(), query.limit), (2, 5));
    let query = listed(old, "created_at_start=2026-11-01T08:00:00+08:00&created_at_end=2026-11-01T00:00:00Z").unwrap();
    let midnight = 1_793_491_200_000;
    assert_eq!((query.created.from_ms, query.created.to_ms), (Some(midnight), Some(midnight + 999)));
    for bad in [
        "order_ids=1,2,3,4,5,6,7,8,9,10,11",
        "refund_status=done",
        "per_page=101",
        "per_page=0",
        "page=0",
        "page=x",
        "sort_by=price",
        "sort_direction=down",
        "updated_at_end=soon",
    ] {
        assert_eq!(listed(old, bad).unwrap_err().0, 422, "{bad}");
        assert_eq!(listed(new, bad).unwrap_err().0, 400, "{bad}");
    }
    assert!(listed(old, &format!("refund_record_ids={}", vec!["1"; 21].join(","))).is_err());
    assert!(listed(old, "cursor=x&unknown=1&page=").is_ok());
    assert!(listed(new, "cursor=x").is_err());
}

#[test]
fn a_cursor_goes_on_where_its_page_ended() {
    let mut view = stored("two-lines-discount-added-tax");
    let refund = create(&mut view, MODERN, r#"{"refund":{"refund_total":"25.00"}}"#).unwrap();
    let order = view.facts.order.clone();
    let page = RefundPage { refunds: vec![RefundView { refund, order, beside: None, live: true }], has_more: true };
    let path = "/openapi/2026-01/orders/refund_records";
    let written = encode(
        &routed("GET", path),
        &request("GET", path, "sort_by=updated_at&sort_direction=asc", ""),
        &Reply::Refunds(page),
    );
    let cursor = body_of(&written)["data"]["cursor"].as_str().unwrap().to_owned();
    let next = listed(path, &format!("cursor={cursor}")).unwrap();
    assert_eq!(next.page, Page::Key { key_ms: NOW_MS, id: 795_000_000_000_001_001 });
    assert!(!next.descending);
    assert!(listed(path, &format!("cursor={cursor}&sort_direction=desc")).is_err());
    assert!(listed(path, &format!("cursor={cursor}&page=2")).is_err());
}

#[test]
fn a_record_is_created_and_listed() {
    let mut view = stored("two-lines-discount-added-tax");
    let body = r#"{"refund":{"refund_total":"81.61","refund_product_total":"81.61","note":"late",
        "refund_line_items":[{"line_item_id":"637297228186620116","quantity":1,"return_inventory":true}]}}"#;
    let refund = create(&mut view, MODERN, body).unwrap();
    let created = encode(
        &routed("POST", MODERN),
        &request("POST", MODERN, "", body),
        &Reply::Created(Box::new(answer(&view, refund.clone()))),
    );
    let wanted = json!({
        "code": "success", "message": "Refund processed successfully",
        "data": { "refund_record_id": "795000000000001001", "post_sale_id": crate::text::uuid_of(refund.id) },
    });
    assert_eq!(body_of(&created), wanted);
    let page = RefundPage { refunds: vec![answer(&view, refund).view], has_more: false };
    let path = "/openapi/2022-01/orders/refund_records";
    let listed = encode(&routed("GET", path), &request("GET", path, "", ""), &Reply::Refunds(page.clone()));
    let record = &body_of(&listed)["records"][0];
    let item = &record["refund_line_items"][0];
    assert_eq!((&record["refund_method"], &record["refund_status"]), (&json!("general"), &json!("pending")));
    assert_eq!(item["delete_quantity"], "1");
    let figures = ["sub_total", "discount", "tax", "total"].map(|key| item[key].as_str().unwrap());
    assert_eq!(figures, ["89.00", "12.91", "5.52", "81.61"]);
    assert_eq!(item["line_item"]["product_title"], "Waxed Canvas Rucksack");
    assert_eq!(record["payment_details"][0]["finished_at"], "");
    let path = "/openapi/2026-01/orders/refund_records";
    let listed = encode(&routed("GET", path), &request("GET", path, "", ""), &Reply::Refunds(page));
    let data = &body_of(&listed)["data"];
    assert_eq!((&data["cursor"], &data["has_more"]), (&json!(""), &json!(false)));
    assert_eq!(data["records"][0]["refund_line_items"][0]["delete_quantity"], 1);
    assert_eq!(
        data["records"][0]["payment_details"][0]["payment_line_id"],
        view.facts.order.payments[0].external_id.clone().unwrap()
    );
}

#[test]
fn a_full_refund_that_names_parts_is_served_and_pointed_out() {
    let path = "/openapi/2022-01/orders/7/refund";
    let warned = |path: &str, body: &str| warning(&routed("POST", path), &request("POST", path, "", body)).is_some();
    assert!(warned(path, r#"{"refund": {"refund_total": "1.00"}}"#));
    assert!(!warned(path, "") && !warned(path, "null") && !warned(path, r#"{"note": "x"}"#));
    assert!(!warned("/openapi/2025-06/orders/7/refund", r#"{"refund": {"refund_total": "1.00"}}"#));
    assert!(call("POST", path, "", r#"{"refund": {"refund_total": "1.00"}}"#).is_ok());
}

#[test]
fn a_full_refund_echoes_the_order() {
    for name in FILES {
        let mut view = stored(name);
        let path = format!("/openapi/2022-01/orders/{}/refund", view.facts.order.external_id.clone().unwrap());
        let refund = create(&mut view, &path, "").unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        let refund = finish(&mut view, refund);
        let number = refund.number;
        let reply = Reply::Created(Box::new(answer(&view, refund)));
        let body = body_of(&encode(&routed("POST", &path), &request("POST", &path, "", ""), &reply));
        assert_eq!((&body["status"], &body["all_refunded"]), (&json!("finished"), &json!(true)), "{name}");
        assert_eq!(body["refund"], body["refunds"], "{name}");
        let order = &body["order"];
        assert_eq!(body["number"], format!("{}-S{number}", order["number"].as_str().unwrap()), "{name}");
        assert_eq!(order["financial_status"], "refunded", "{name}");
        assert_eq!(order["total_refund_price"], order["total_paid"], "{name}");
        assert_eq!(order["id"], document(name)["order"]["id"], "{name}");
        let again = create(&mut view, &path, "").unwrap_err();
        assert_eq!(again, (406, json!({ "errors": ["After-sales is not included in current order."] })), "{name}");
        check_legacy_keys(name, order);
    }
}

/// Each legacy order has the keys of a legacy example, wherever it came from.
#[track_caller]
fn check_legacy_keys(name: &str, order: &Value) {
    let example = document("cash-on-delivery-yen-tax-included-legacy");
    for (key, value) in example["order"].as_object().unwrap() {
        assert!(order.get(key).is_some(), "{name} lacks {key}");
        let nested = match value {
            Value::Object(object) => object.clone(),
            Value::Array(entries) => entries.first().and_then(Value::as_object).cloned().unwrap_or_default(),
            _ => continue,
        };
        let found = order[key].get(0).unwrap_or(&order[key]);
        let empty = order[key].as_array().is_some_and(Vec::is_empty);
        for key in nested.keys().filter(|_| !empty) {
            assert!(found.get(key).is_some(), "{name} lacks {key} in {found}");
        }
    }
    for stranger in ["payment_lines", "cancelled_at", "device", "primary_market_price"] {
        assert!(order.get(stranger).is_none(), "{name} has {stranger}");
    }
}

#[test]
fn an_order_of_another_platform_is_built_from_its_facts() {
    let mut view = stored("two-lines-discount-added-tax");
    std::sync::Arc::make_mut(&mut view.facts.order).origin = Dialect::Shopline;
    let order = echo::legacy_order(&view);
    assert_eq!(order["id"], "795000000000000001");
    assert_eq!(order["line_items"][0]["id"], "795000000000000100");
    assert_eq!(order["total_price"], "250.32");
    assert_eq!((&order["financial_status"], &order["status"]), (&json!("paid"), &json!("placed")));
    for key in document("cash-on-delivery-yen-tax-included-legacy")["order"].as_object().unwrap().keys() {
        assert!(order.get(key).is_some(), "lacks {key}");
    }
}

#[track_caller]
fn check_refused(body: &str, message: &str) {
    let mut view = stored("two-lines-discount-added-tax");
    let refused = create(&mut view, MODERN, body).unwrap_err();
    assert_eq!(refused, (400, json!({ "code": "InvalidParameter", "message": message })));
}

#[test]
fn the_rules_refuse_in_this_platforms_words() {
    check_refused(r#"{"refund":{"refund_total":"250.33"}}"#, "refund_total must be at most 250.32, not 250.33");
    check_refused(r#"{"refund":{"refund_total":"0.00"}}"#, "refund_total must be above zero");
    check_refused(r#"{"refund":{"refund_total":"-1"}}"#, "refund_total must not be negative: -1");
    check_refused(r#"{"refund":{"refund_total":"1.005"}}"#, "refund_total must have at most 2 decimals, not 1.005");
    check_refused(
        r#"{"refund":{"refund_total":"9","refund_tip":"5.01"}}"#,
        "refund_tip must be at most 5.00, not 5.01",
    );
    check_refused(
        r#"{"refund":{"refund_total":"9","refund_payments":[{"payment_line_id":"nope","refund_price":"9"}]}}"#,
        "the order has no payment line nope",
    );
    check_refused(
        r#"{"refund":{"refund_total":"9","refund_line_items":[{"line_item_id":"637297228186620116","quantity":-1}]}}"#,
        "refund_line_items[0].quantity of line item 637297228186620116 must not be -1",
    );
    let item = |rest: &str| format!(r#"{{"line_item_id":"637297228186620116",{rest}}}"#);
    let items = |a: &str, b: &str| {
        format!(r#"{{"refund":{{"refund_total":"9","refund_line_items":[{},{}]}}}}"#, item(a), item(b))
    };
    check_refused(
        &items(r#""refund_item_type":0"#, r#""refund_item_type":2"#),
        "refund_item_type 0 must not be mixed with 1 or 2 for line item 637297228186620116",
    );
    check_refused(
        &items(r#""refund_item_type":1,"return_inventory":true"#, r#""refund_item_type":2"#),
        "return_inventory must be the same in all entries of line item 637297228186620116",
    );
}

#[test]
fn an_order_goes_through_its_states() {
    let mut view = stored("two-lines-discount-added-tax");
    assert_eq!((financial_status(&view.facts), refund_status(&view.facts)), ("paid", "none"));
    let refund = create(&mut view, MODERN, r#"{"refund":{"refund_total":"20.00"}}"#).unwrap();
    assert_eq!((financial_status(&view.facts), refund_status(&view.facts)), ("refunding", "customize"));
    let failed = News::Failed { code: "declined".to_owned(), message: "no".to_owned() };
    let decision = settle(&view.facts, &refund, 0, failed, NOW_MS).unwrap();
    view.facts.balances = decision.balances;
    assert_eq!(financial_status(&view.facts), "refund_failed");
    let refund = create(&mut view, MODERN, r#"{"refund":{"refund_total":"20.00"}}"#).unwrap();
    finish(&mut view, refund);
    assert_eq!(financial_status(&view.facts), "partially_refunded");
    let refund = create(&mut view, LEGACY, "").unwrap();
    finish(&mut view, refund);
    assert_eq!(financial_status(&view.facts), "refunded");
    assert!(fully_refunded(&view.facts));
}

#[test]
fn tokens_and_scopes() {
    let headers = [("access-token", " sk_test_demo ".into())];
    let with = Request { headers: &headers, ..request("POST", LEGACY, "", "") };
    assert_eq!(token(&with).as_deref(), Some("sk_test_demo"));
    assert_eq!(token(&request("POST", LEGACY, "", "")), None);
    assert_eq!(scope(&routed("POST", LEGACY)), Some(Scope::WriteOrders));
    assert_eq!(scope(&routed("GET", "/openapi/orders/refund_records")), Some(Scope::ReadOrders));
}

#[test]
fn commands_carry_who_asked() {
    let Ok(Call::CreateRefund { command, .. }) = call("POST", LEGACY, "", "") else { panic!("refused") };
    let CreateRefund { via, request: RefundRequest { refundable_before, .. }, order, .. } = *command;
    assert_eq!((via, refundable_before, order.text.as_str()), (Dialect::Shoplazza, None, ORDER));
}

#[test]
fn a_modern_document_is_echoed_in_the_legacy_shape() {
    let mut view = stored("two-payments-two-refunds-already");
    let refund = create(&mut view, "/openapi/orders/625832068831405057/refund", "").unwrap();
    finish(&mut view, refund);
    let order = echo::legacy_order(&view);
    for (pointer, wanted) in [
        ("/billing_address/address1", json!("905 Harbour Street")),
        ("/shipping_address/address2", json!("Apt 3B")),
        ("/customer/user_id", json!("ec98e74d-44ef-40e2-bb09-7c2aa1309278")),
        ("/customer/orders_count", json!(7)),
        ("/source_name/data", json!("Direct")),
        ("/canceled_at", Value::Null),
        ("/config/market_setting/market_price_setting/local_to_base", json!("1")),
        ("/line_items/0/image", json!("https://cdn.example.com/products/nm-skil-28.jpg")),
        ("/line_items/0/total", json!("148.23")),
        ("/line_items/0/refund_quantity", json!(3)),
        ("/line_items/0/refund_total", json!("161.39")),
        ("/fulfillments/0/line_items/0/shipping_quantity", json!(2)),
        ("/fulfillments/0/line_items/0/refund_quantity", json!(3)),
        ("/fulfillment_status", json!("shipped")),
        ("/refund_status", json!("general")),
        ("/status", json!("placed")),
        ("/total_refund_price", json!("207.67")),
        ("/total_refund_tax", json!("16.04")),
        ("/total_refund_discount", json!("16.47")),
        ("/updated_at", json!("2026-11-23T00:00:01Z")),
    ] {
        assert_eq!(order.pointer(pointer), Some(&wanted), "{pointer}");
    }
}

#[test]
fn nulls_of_a_document_do_not_take_the_place_of_texts() {
    let mut view = stored("two-payments-two-refunds-already");
    let mut document: Value = serde_json::from_str(&view.document).unwrap();
    let order = document.pointer_mut("/order").unwrap();
    order["customer"] = json!({ "id": null, "user_id": "u1", "order_count": null });
    order["shipping_address"]["address"] = Value::Null;
    order["tags"] = Value::Null;
    view.document = document.to_string();
    let order = echo::legacy_order(&view);
    for (pointer, wanted) in [
        ("/customer/id", json!("u1")),
        ("/customer/user_id", json!("u1")),
        ("/customer/orders_count", json!(0)),
        ("/shipping_address/address1", json!("Apt 3B")),
        ("/tags", json!("")),
    ] {
        assert_eq!(order.pointer(pointer), Some(&wanted), "{pointer}");
    }
}
