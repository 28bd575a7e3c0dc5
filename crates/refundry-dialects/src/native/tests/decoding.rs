//! What a request becomes.

use expect_test::{Expect, expect};
use refundry_core::money::Decimal;
use refundry_core::order::Dialect;
use refundry_core::query::Page;

use super::super::{Endpoint, route, scope, token};
use super::{decoded, decoded_with};
use crate::wire::{Call, Request, Routed, Scope};

#[track_caller]
fn check_ask(ask: &str, expected: &Expect) {
    let body = format!(r#"{{"order":"demo-1001","ask":{ask}}}"#);
    let Ok(Call::CreateRefund { command, .. }) = decoded("POST /v1/refunds", &body) else { panic!("{body}") };
    expected.assert_eq(&format!("{:?}", command.request.ask));
}

#[test]
fn an_ask_says_everything_that_the_rules_can() {
    check_ask(r#"{"amount":"9.99"}"#, &expect!["Amount { amount: Decimal { mantissa: 999, scale: 2 }, class: None }"]);
    check_ask(
        r#"{"amount":"4","type":"shipping"}"#,
        &expect!["Amount { amount: Decimal { mantissa: 4, scale: 0 }, class: Some(Shipping) }"],
    );
    check_ask(
        r#"{"percent":"50","type":"duty"}"#,
        &expect!["Percent { percent: Decimal { mantissa: 50, scale: 0 }, class: Some(Duty) }"],
    );
    check_ask(
        r#"{"items":[{"sku":"A","amount":"1"},{"line":"b","quantity":2,"percent":"5","part":"fees"}]}"#,
        &expect![[
            r#"Items([ItemAsk { item: Sku("A"), quantity: None, money: Amount(Decimal { mantissa: 1, scale: 0 }), part: None }, ItemAsk { item: Id(Reference { text: "b", ours: None }), quantity: Some(2), money: Percent(Decimal { mantissa: 5, scale: 0 }), part: Some(Fees) }])"#
        ]],
    );
    check_ask(r#"{"everything":true}"#, &expect!["Everything"]);
    check_ask(
        r#"{"parts":{"total":"12.00","product":"5.00","tip":"remaining"}}"#,
        &expect![
            "Parts(Parts { total: Stated(Decimal { mantissa: 12, scale: 0 }), units: [], parts: [PartAsk { target: Product, money: Gross(Decimal { mantissa: 5, scale: 0 }) }, PartAsk { target: Tip, money: Remaining }], uniform_restock: false })"
        ],
    );
    check_ask(
        r#"{"parts":{"total":"of_payments","shipping":{"gross":"5"},"fees":{"net":"1"}}}"#,
        &expect![
            "Parts(Parts { total: OfPayments, units: [], parts: [PartAsk { target: Shipping, money: Gross(Decimal { mantissa: 5, scale: 0 }) }, PartAsk { target: Fees, money: Net(Decimal { mantissa: 1, scale: 0 }) }], uniform_restock: false })"
        ],
    );
    check_ask(
        r#"{"parts":{"units":[{"line":"shirt"}]}}"#,
        &expect![[
            r#"Parts(Parts { total: Derived, units: [UnitAsk { line: Reference { text: "shirt", ours: None }, quantity: None, mode: Automatic, restock: No, location: "" }], parts: [], uniform_restock: false })"#
        ]],
    );
    check_ask(
        r#"{"parts":{"units":[{"line":"a","quantity":1,"from":"returned","restock":"return","location":"L"}]}}"#,
        &expect![[
            r#"Parts(Parts { total: Derived, units: [UnitAsk { line: Reference { text: "a", ours: None }, quantity: Some(1), mode: Returned, restock: Return, location: "L" }], parts: [], uniform_restock: false })"#
        ]],
    );
    check_ask(
        r#"{"parts":{"goods":[{"line":"a","net":"2"}],"additional_named":[{"name":"Gift","remaining":true}]}}"#,
        &expect![[
            r#"Parts(Parts { total: Derived, units: [], parts: [PartAsk { target: Goods(Reference { text: "a", ours: None }), money: Net(Decimal { mantissa: 2, scale: 0 }) }, PartAsk { target: Additional("Gift"), money: Remaining }], uniform_restock: false })"#
        ]],
    );
}

#[track_caller]
fn check_plan(payments: &str, expected: &Expect) {
    let body = format!(r#"{{"order":"a","ask":{{"amount":"1"}},"payments":{payments}}}"#);
    let Ok(Call::CreateRefund { command, .. }) = decoded("POST /v1/refunds", &body) else { panic!("{body}") };
    expected.assert_eq(&format!("{:?}", command.request.plan));
}

#[test]
fn payments_are_named_or_put_in_order() {
    check_plan("null", &expect!["InOrder([])"]);
    check_plan(
        r#"{"first":["card-1","179361360000000004"]}"#,
        &expect![[
            r#"InOrder([Reference { text: "card-1", ours: None }, Reference { text: "179361360000000004", ours: Some(179361360000000004) }])"#
        ]],
    );
    check_plan(
        r#"[{"payment":"card-1","amount":"1.00","outside":true}]"#,
        &expect![[
            r#"Named([LegAsk { payment: Some(Reference { text: "card-1", ours: None }), channel: "", amount: Decimal { mantissa: 1, scale: 0 }, amount_in: Books, currency: Unsaid, outside: true }])"#
        ]],
    );
    check_plan(
        r#"[{"channel":"paypal","amount":"1.00","amount_in":"own","currency":"eur"}]"#,
        &expect![[
            r#"Named([LegAsk { payment: None, channel: "paypal", amount: Decimal { mantissa: 1, scale: 0 }, amount_in: Own, currency: Is("EUR"), outside: false }])"#
        ]],
    );
}

#[test]
fn what_stands_beside_the_ask_is_kept() {
    let body = r#"{"order":"a","ask":{"amount":"1"},"currency":"usd","note":"n","reason":"r","notify":true,
        "metadata":{"a":"b","c":1.50,"d":false,"e":null},"processed_at":"2026-11-01T00:00:00Z"}"#;
    let headers = [("refundable-before", "65.00".into())];
    let Ok(Call::CreateRefund { command, .. }) = decoded_with("POST /v1/refunds", &headers, body.as_bytes()) else {
        panic!("{body}")
    };
    assert_eq!(command.request.refundable_before, Decimal::parse("65").ok());
    expect![[r#"
        "n" "r" true {"a": Text("b"), "c": Number("1.50"), "d": Bool(false)} Some(1793491200000) Is("USD")
    "#]]
    .assert_eq(&format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}\n",
        command.note, command.reason, command.notify, command.metadata, command.processed_ms, command.request.currency
    ));
    let headers = [("refundable-before", "all".into())];
    let no = decoded_with("POST /v1/refunds", &headers, body.as_bytes()).expect_err("a refusal");
    assert_eq!(no.status, 400);
}

#[test]
fn lists_take_every_filter() {
    let line = "GET /v1/refunds?order=a&order=b%20c&state=pending&state=failed&sku=S&reason=r&failure_code=f\
                &created_from=2026-11-01&updated_to=2026-11-02T00:00:00Z&amount_min=1.50&amount_max=2\
                &sort=updated&direction=asc&limit=5&cursor=ua_17_99";
    let Ok(Call::ListRefunds(query)) = decoded(line, "") else { panic!("{line}") };
    expect![[r#"
        RefundQuery { orders: Some([Reference { text: "a", ours: None }, Reference { text: "b c", ours: None }]), refunds: None, states: Some([Pending, Failed]), sku: Some("S"), reason: Some("r"), failure_reason: Some("f"), created: TimeRange { from_ms: Some(1793491200000), to_ms: None }, updated: TimeRange { from_ms: None, to_ms: Some(1793577600000) }, amount: AmountRange { from: Some((Decimal { mantissa: 15, scale: 1 }, true)), to: Some((Decimal { mantissa: 2, scale: 0 }, true)) }, refunded: AmountRange { from: None, to: None }, sort: Updated, descending: false, page: Key { key_ms: 17, id: 99 }, limit: 5 }
    "#]].assert_eq(&format!("{query:?}\n"));
    let Ok(Call::ListOrders(query)) = decoded("GET /v1/orders?number=1001&cursor=o_-5_7", "") else { panic!() };
    assert_eq!(query.page, Page::Key { key_ms: -5, id: 7 });
}

#[test]
fn an_import_reports_lines_by_their_numbers() {
    let body = "\n{\"currency\":\"USD\"}\r\n{\n\n[]\n";
    let Ok(Call::ImportOrders(orders)) = decoded("POST /v1/orders/import", body) else { panic!("no import") };
    let numbers: Vec<(usize, bool)> = orders.iter().map(|(line, order)| (*line, order.is_ok())).collect();
    assert_eq!(numbers, [(2, true), (3, false), (5, false)]);
}

#[test]
fn small_bodies_become_calls() {
    let fulfil = |body: &str| decoded("POST /v1/orders/demo-1001/fulfilments", body);
    assert_eq!(fulfil(""), fulfil("{}"));
    assert_eq!(fulfil(r#"{"lines":[]}"#), fulfil("{}"));
    expect![[r#"
        Ok(Fulfil { order: Reference { text: "demo-1001", ours: None }, units: [(Reference { text: "shirt", ours: None }, 1)] })
    "#]].assert_eq(&format!("{:?}\n", fulfil(r#"{"lines":[{"line":"shirt","quantity":1}]}"#)));
    assert!(fulfil(r#"{"lines":[{"line":"shirt","quantity":0}]}"#).is_err());
    let settle =
        decoded("POST /v1/refunds/r/legs/179361360000000102/settle", r#"{"outcome":"failed","reference":"x"}"#);
    expect![[r#"
        Ok(SettleLeg { refund: Reference { text: "r", ours: None }, leg: 179361360000000102, succeeded: false, text: "x" })
    "#]].assert_eq(&format!("{settle:?}\n"));
    let payment =
        r#"{"currency":"JPY","id":"p","kind":"custom","captured":"500","own":{"currency":"USD","captured":"3.20"}}"#;
    expect![[r#"
        Ok(AddPayment { order: Reference { text: "a", ours: None }, currency: JPY, payment: Payment { id: 0, external_id: Some("p"), channel: "", method: "", kind: Custom, gateway: "manual", reference: "", account: "", captured: Amount(500), own_currency: USD, own_captured: Amount(320) } })
    "#]].assert_eq(&format!("{:?}\n", decoded("POST /v1/orders/a/payments", payment)));
    let token = decoded("POST /v1/tokens", r#"{"scopes":["admin","read_orders","admin"]}"#);
    let scopes = vec![Scope::ReadOrders, Scope::Admin];
    assert_eq!(token, Ok(Call::CreateToken { store: None, label: String::new(), scopes }));
}

#[test]
fn paths_lead_to_endpoints() {
    assert_eq!(route("GET", "/v1/orders/a%2Fb%20c"), Routed::To(Endpoint::GetOrder("a/b c".to_owned())));
    assert_eq!(route("POST", "/v1/orders/import"), Routed::To(Endpoint::ImportOrders));
    assert_eq!(route("GET", "/v1/orders/import"), Routed::To(Endpoint::GetOrder("import".to_owned())));
    assert_eq!(route("POST", "/v1/orders/a"), Routed::MethodNotAllowed("GET, PUT"));
    assert_eq!(route("PATCH", "/v1/refunds"), Routed::MethodNotAllowed("GET, POST"));
    for path in ["/v1", "/v1/", "/v1/orders/", "/v1/orders//quote", "/v1/order", "/v1/orders/%00", "/v1/refunds/1/legs"]
    {
        assert_eq!(route("GET", path), Routed::NotFound, "{path}");
    }
    assert_eq!(scope(&Endpoint::OpenApi), None);
    assert_eq!(scope(&Endpoint::Quote(String::new())), Some(Scope::ReadOrders));
    assert_eq!(scope(&Endpoint::CreateRefund), Some(Scope::WriteOrders));
    assert_eq!(Dialect::Native, crate::dialect_of("/v1/orders"));
}

#[test]
fn a_token_comes_as_bearer() {
    let of = |value: &str| {
        let headers = [("authorization", value.into())];
        token(&Request { method: "GET", path: "/v1/orders", query: "", headers: &headers, body: &[], now_ms: 0 })
    };
    assert_eq!(of("Bearer sk_test_demo"), Some("sk_test_demo".to_owned()));
    assert_eq!(of("bearer  sk "), Some("sk".to_owned()));
    assert_eq!(of("Basic sk"), None);
    assert_eq!(of("Bearer "), None);
}
