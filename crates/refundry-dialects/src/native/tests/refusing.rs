//! Every refusal is a problem document with its code, its status and its figures.

use expect_test::{Expect, expect};

use super::super::{examples, refuse};
use super::{body_of, decoded};
use crate::wire::{Refusal, Request};

const REQUEST: Request<'_> =
    Request { method: "GET", path: "/v1/refunds", query: "", headers: &[], body: &[], now_ms: 0 };

#[test]
fn every_refusal_has_the_shape_of_a_problem() {
    for refusal in examples::refusals() {
        let response = refuse(None, &REQUEST, &refusal);
        let body = body_of(&response);
        assert_eq!(response.content_type, "application/problem+json");
        assert_eq!(body["status"], response.status, "{refusal:?}");
        assert_eq!(body["type"], format!("/problems/{}", body["code"].as_str().expect("a code")), "{refusal:?}");
        assert!(!body["detail"].as_str().expect("a text").is_empty(), "{refusal:?}");
        assert!(!body["title"].as_str().expect("a text").is_empty(), "{refusal:?}");
    }
}

#[track_caller]
fn check(code: &str, expected: &Expect) {
    let all: Vec<Refusal> = examples::refusals();
    let responses = all.iter().map(|refusal| refuse(None, &REQUEST, refusal));
    let found = responses.map(|r| (body_of(&r), r.headers)).find(|(body, _)| body["code"] == code);
    let (body, headers) = found.expect("an example");
    let text = body.to_string();
    expected.assert_eq(&if headers.is_empty() { text } else { format!("{text}\n{headers:?}") });
}

#[test]
fn figures_stand_beside_the_words() {
    check(
        "part_exceeded",
        &expect![[
            r#"{"asked":"12.00","available":"10.00","code":"part_exceeded","currency":"USD","detail":"asked for 12.00 USD, shipping has 10.00 left","part":"shipping","status":422,"title":"A part of the price has less left than asked for","type":"/problems/part_exceeded"}"#
        ]],
    );
    check(
        "payment_exceeded",
        &expect![[
            r#"{"asked":"100.00","available":"90.00","code":"payment_exceeded","currency":"USD","detail":"asked for 100.00 USD, payment card-1 has 90.00 left","payment":"card-1","status":422,"title":"A payment can give back less than asked for","type":"/problems/payment_exceeded"}"#
        ]],
    );
    check(
        "payment_limited",
        &expect![[
            r#"{"asked":"0.20","code":"payment_limited","currency":"USD","detail":"payment card-1 can be refunded only by at least 0.50, not by 0.20 USD","least":"0.50","limit":"at_least","payment":"card-1","status":422,"title":"The provider of a payment does not take this","type":"/problems/payment_limited"}"#
        ]],
    );
    check(
        "refundable_stale",
        &expect![[
            r#"{"actual":"90.00","code":"refundable_stale","currency":"USD","detail":"the payments have 90.00 left, not 65","expected":"65","status":409,"title":"What is left is not what the caller believed","type":"/problems/refundable_stale"}"#
        ]],
    );
    check(
        "quantity_exceeded",
        &expect![[
            r#"{"asked":3,"available":2,"code":"quantity_exceeded","detail":"asked for 3 of \"shirt\", there are 2","entry":0,"line":"shirt","status":422,"title":"There are fewer units than asked for","type":"/problems/quantity_exceeded"}"#
        ]],
    );
    check(
        "amount_invalid",
        &expect![[
            r#"{"amount":"9.999","code":"amount_invalid","detail":"amount must be an amount with at most 2 decimals, as the currency has; it is 9.999","field":"amount","reason":"too_many_decimals","status":422,"title":"This is no amount that can be refunded","type":"/problems/amount_invalid"}"#
        ]],
    );
    check(
        "payments_do_not_add_up",
        &expect![[
            r#"{"code":"payments_do_not_add_up","currency":"USD","detail":"the total is 20.00 USD, the payments make 15.00","payments":"15.00","status":422,"title":"The payments do not make the amount","total":"20.00","type":"/problems/payments_do_not_add_up"}"#
        ]],
    );
    check(
        "unauthorized",
        &expect![[r#"
        {"code":"unauthorized","detail":"send the header Authorization: Bearer with a token that works","status":401,"title":"A token is needed","type":"/problems/unauthorized"}
        [("www-authenticate", "Bearer")]"#]],
    );
    check(
        "busy",
        &expect![[r#"
        {"code":"busy","detail":"nothing was stored; send the request again","status":503,"title":"Too much is waiting","type":"/problems/busy"}
        [("retry-after", "1")]"#]],
    );
    check(
        "outcome_unknown",
        &expect![[r#"
            {"code":"outcome_unknown","detail":"it is not known whether this was stored; send it again with the same Idempotency-Key","status":503,"title":"The database was lost while it committed","type":"/problems/outcome_unknown"}
            [("retry-after", "1")]"#]],
    );
    check(
        "method_not_allowed",
        &expect![[r#"
        {"allow":"GET, POST","code":"method_not_allowed","detail":"the path takes GET, POST","status":405,"title":"The path does not take this method","type":"/problems/method_not_allowed"}
        [("allow", "GET, POST")]"#]],
    );
}

/// Requests that are not understood.
const NOT_UNDERSTOOD: &[(&str, &str)] = &[
    ("POST /v1/refunds", ""),
    ("POST /v1/refunds", "[]"),
    ("POST /v1/refunds", "{"),
    ("POST /v1/refunds", r#"{"ask":{"amount":"1"}}"#),
    ("POST /v1/refunds", r#"{"order":" ","ask":{"amount":"1"}}"#),
    ("POST /v1/refunds", r#"{"order":7,"ask":{"amount":"1"}}"#),
    ("POST /v1/refunds", r#"{"order":"a"}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1","percent":"2"}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"ammount":"1"}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":9.99}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1e1"}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1234567890123456789012345678901"}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"items":[],"type":"duty"}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"items":[]}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"items":[{"line":"x"}]}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"items":[{"line":"x","sku":"y","amount":"1"}]}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"everything":false}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"parts":{}}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"parts":{"tip":5}}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"parts":{"tip":true}}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"parts":{"units":[{"line":"x","quantity":"2"}]}}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"parts":{"units":[{"line":"x","from":"here"}]}}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1"},"payments":"card"}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1"},"currency":"dollars"}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1"},"metadata":{"a":[]}}"#),
    ("POST /v1/refunds", r#"{"order":"a","ask":{"amount":"1"},"note":"\u0000"}"#),
    ("POST /v1/orders/a/quote", r#"{"order":"b","ask":{"amount":"1"}}"#),
    ("POST /v1/tokens", r#"{"scopes":["root"]}"#),
    ("POST /v1/stores", r#"{"handle":"x","currency":"XAU"}"#),
    ("GET /v1/refunds?sort=amount", ""),
    ("GET /v1/refunds?states=pending", ""),
    ("GET /v1/refunds?limit=101", ""),
    ("GET /v1/refunds?cursor=o_1_2", ""),
    ("GET /v1/refunds?sku=", ""),
    ("POST /v1/orders/import?from=ebay", ""),
    ("POST /v1/refunds/1/legs/x/settle", r#"{"outcome":"failed"}"#),
];

fn told(line: &str, body: &str) -> String {
    let response = decoded(line, body).expect_err("a refusal");
    let problem = body_of(&response);
    let text = |key: &str| problem[key].as_str().expect("a text").to_owned();
    format!("{} {}: {}\n", response.status, text("code"), text("detail"))
}

#[test]
fn what_is_not_understood_is_told_with_what_to_change() {
    let all: String = NOT_UNDERSTOOD.iter().map(|(line, body)| told(line, body)).collect();
    expect![[r#"
        400 malformed: the body is not valid JSON: EOF while parsing a value at line 1 column 0
        400 malformed: the body must be an object
        400 malformed: the body is not valid JSON: EOF while parsing an object at line 1 column 1
        400 malformed: order is required
        400 malformed: order must be an id of at least one character
        400 malformed: order must be a string
        400 malformed: ask is required
        400 malformed: ask must be an object with exactly one of amount, percent, items, everything, parts
        400 malformed: ask must be an object with exactly one of amount, percent, items, everything, parts
        400 malformed: ask.ammount is not known here
        400 malformed: ask.amount must be a string: send "9.99", not the JSON number 9.99
        400 malformed: ask.amount must be a decimal string such as "9.99"
        400 malformed: ask.amount must be a decimal of at most 30 digits
        400 malformed: ask.type must be left out: only amount and percent take it
        400 malformed: ask.items must be a list of at least one item
        400 malformed: ask.items[0].amount must be given, or else percent; exactly one of them
        400 malformed: ask.items[0].line must be given, or else sku; exactly one of them
        400 malformed: ask.everything must be true
        400 malformed: ask.parts must be an object with a total, units or the amount of at least one part
        400 malformed: ask.parts.tip must be a string: send "5", not the JSON number 5
        400 malformed: ask.parts.tip must be "5.00", {"gross":"5.00"}, {"net":"5.00"} or "remaining"
        400 malformed: ask.parts.units[0].quantity must be a whole number such as 2
        400 malformed: ask.parts.units[0].from must be one of automatic, waiting, shipped, returned
        400 malformed: payments must be {"first":[…]} or a list of {"payment":…, "amount":…}
        400 malformed: currency must be a code of three letters, such as "USD"
        400 malformed: metadata.a must be a string, a number, true or false
        400 malformed: note must be a text without NUL characters
        400 malformed: order must be "a", as in the path, or left out
        400 malformed: scopes must be a list of read_orders, write_orders, read_products, write_products, admin
        400 malformed: currency must be a currency of ISO 4217, such as "USD"
        400 malformed: sort must be one of created, updated
        400 malformed: states is not known here
        400 malformed: limit must be a whole number from 1 to 100
        400 cursor_unknown: send a next_cursor of this very list, with the same sort and direction, or none
        400 malformed: sku must be a value; leave the parameter out where there is none
        400 malformed: from must be one of native, shoplazza, shopline, digital_river
        409 leg_not_settleable: the refund has no leg "x", or it is final, or a gateway answers for it; a leg that was asked for within two minutes may still be paid, and cannot be called failed
    "#]]
    .assert_eq(&all);
    let deep = "[".repeat(10_000);
    expect![[r"
        400 malformed: the body is not valid JSON: recursion limit exceeded at line 1 column 128
    "]]
    .assert_eq(&told("POST /v1/refunds", &deep));
}
