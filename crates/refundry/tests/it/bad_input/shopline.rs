//! SHOPLINE: creating a refund, the list, one refund.

use serde_json::{Value, json};

use super::{Basics, Row, World, fields, number, put, without};

const PATH: &str = "/admin/openapi/v20220901/order/refund.json";
const LATER: &str = "/admin/openapi/v20250601/order/refund.json";
const ORDER_UNKNOWN: &str = "The order does not exist.";
const REFUND_UNKNOWN: &str = "The refund does not exist.";
const NOT_REFUNDABLE: &str = "the order payment status does not support refund";
const EXCEEDED: &str = "refund amount exceeds the maximum refundable amount";

/// The one text of a refusal; `None` where the body has another shape.
pub(super) fn message(body: &Value) -> Option<String> {
    let map = body.as_object().filter(|map| map.len() == 1)?;
    map.get("errors")?.as_str().map(str::to_owned)
}

pub(super) fn errors(text: &str) -> Value {
    json!({"errors": text})
}

pub(super) fn basics(good: Row, allowed: &str, methods: &'static [&'static str], writes: bool) -> Vec<Row> {
    let malformed = |row: Row| row.names(400, &["Bad Request: the body is not valid JSON: "]);
    let not_allowed = format!("Method Not Allowed: use {allowed}");
    let basics = Basics {
        good,
        unauthorized: (401, errors("Unauthorized")),
        forbidden: writes.then(|| (403, errors("This action requires write_orders scope"))),
        other_methods: (methods, &|_| (405, errors(&not_allowed))),
        too_large: (413, errors("Payload Too Large: send a smaller body")),
        malformed: writes.then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

/// One cup back, over the first payment.
fn good(world: &World) -> Value {
    json!({"order_id": world.bad.shopline_order(), "note": "n", "notify": false,
        "refund_line_items": [{"line_item_id": world.bad.line_number(0), "quantity": 1, "type": "Unshipped",
            "restock_type": "cancel", "location_id": ""}],
        "shipping": {"amount": "0", "full_refund": false},
        "transactions": [{"id": world.bad.shopline_slip(0), "amount": "11.00", "type": true, "kind": "refund"}]})
}

/// Values of single fields, each in an otherwise good body: where, what; status, message.
const FIELDS: &str = r#"
/order_id null
  422 order_id is required
/order_id ""
  422 order_id is required
/order_id {}
  422 order_id is required
/order_id true
  400 Bad Request: order_id must be a string or a number
/order_id "nobody"
  404 The order does not exist.
/order_id 7
  404 The order does not exist.
/order_id "a/../b\u6ce8"
  404 The order does not exist.
/transactions null
  422 transactions is required
/transactions []
  422 transactions is required
/transactions {}
  422 transactions is required
/transactions "x"
  400 Bad Request: transactions must be a list
/transactions [7]
  400 Bad Request: transactions[0] must be an object
/transactions [{}]
  422 transactions.amount is required
/transactions/0/amount null
  422 transactions.amount is required
/transactions/0/amount true
  400 Bad Request: transactions[0].amount must be a string or a number
/transactions/0/amount "eleven"
  422 amount is invalid
/transactions/0/amount "1.1e1"
  422 amount is invalid
/transactions/0/amount 1.1e1
  422 amount is invalid
/transactions/0/amount "1,1"
  422 amount is invalid
/transactions/0/amount "0"
  422 amount is invalid
/transactions/0/amount 0
  422 amount is invalid
/transactions/0/amount "-1.00"
  422 amount is invalid
/transactions/0/amount "1.001"
  422 amount is invalid
/transactions/0/amount 1.001
  422 amount is invalid
/transactions/0/amount "100.01"
  422 refund amount exceeds the maximum refundable amount
/transactions/0/amount 100.01
  422 refund amount exceeds the maximum refundable amount
/transactions/0/type "true"
  400 Bad Request: transactions[0].type must be true or false
/transactions/0/type 1
  400 Bad Request: transactions[0].type must be true or false
/transactions/0/kind "sale"
  422 transactions.kind is invalid
/transactions/0/gateway 7
  400 Bad Request: transactions[0].gateway must be a string
/transactions/0/gateway "g\u0000"
  422 transactions.gateway must be a text without NUL characters
/refund_line_items "x"
  400 Bad Request: refund_line_items must be a list
/refund_line_items [null]
  400 Bad Request: refund_line_items[0] must be an object
/refund_line_items [{}]
  422 refund_line_items.type is required
/refund_line_items/0/type null
  422 refund_line_items.type is required
/refund_line_items/0/type "shipped"
  422 refund_line_items.type is invalid
/refund_line_items/0/type 1
  400 Bad Request: refund_line_items[0].type must be a string
/refund_line_items/0/line_item_id 0
  422 refund_line_items.line_item_id is required
/refund_line_items/0/line_item_id [1]
  400 Bad Request: refund_line_items[0].line_item_id must be a string or a number
/refund_line_items/0/line_item_id 601
  422 line_item_id 601 does not exist in the order
/refund_line_items/0/line_item_id 1e400
  422 line_item_id 1e+400 does not exist in the order
/refund_line_items/0/quantity null
  422 quantity is invalid
/refund_line_items/0/quantity 0
  422 quantity is invalid
/refund_line_items/0/quantity -1
  422 quantity is invalid
/refund_line_items/0/quantity 1.5
  400 Bad Request: refund_line_items[0].quantity must be a whole number
/refund_line_items/0/quantity "one"
  400 Bad Request: refund_line_items[0].quantity must be a whole number
/refund_line_items/0/quantity 3
  422 refund quantity exceeds the refundable quantity
/refund_line_items/0/restock_type "keep"
  422 restock_type is invalid
/refund_line_items/0/restock_type true
  400 Bad Request: refund_line_items[0].restock_type must be a string
/refund_line_items/0/location_id "moon"
  422 location_id is invalid
/refund_line_items/0/location_id 5409714787218633773
  422 location_id is invalid
/refund_line_items/0/location_id "a\u0000b"
  422 refund_line_items.location_id must be a text without NUL characters
/refund_line_items/0/location_id [1]
  400 Bad Request: refund_line_items[0].location_id must be a string or a number
/shipping "x"
  400 Bad Request: shipping must be an object
/shipping/amount "x"
  422 amount is invalid
/shipping/amount "-1"
  422 amount is invalid
/shipping/amount "10.01"
  422 shipping amount exceeds the maximum refundable amount
/shipping/full_refund "yes"
  400 Bad Request: shipping.full_refund must be true or false
/notify "no"
  400 Bad Request: notify must be true or false
/note 7
  400 Bad Request: note must be a string
/note "a\u0000b"
  422 note must be a text without NUL characters
/order_id x×65
  422 order_id must not be longer than 64
/transactions/0/amount 9×30
  422 amount is invalid
/transactions/0/amount 9999999999999999999999999999999
  422 amount is invalid
/refund_line_items/0/quantity 9×20
  400 Bad Request: refund_line_items[0].quantity must be a whole number
/note n×2001
  422 note must not be longer than 2000
"#;

fn rules(world: &World) -> Vec<Row> {
    let (bad, other) = (&world.bad, &world.other);
    let base = good(world);
    let row = |what: &str, body: Value| Row::post(what, PATH, &body);
    let line = other.line_number(0);
    let entry = json!({"line_item_id": bad.line_number(0), "quantity": 1, "type": "Unshipped"});
    let unit_thrice = json!([entry, entry, entry]);
    let slip = other.shopline_slip(0);
    let of = |order: &super::Ids| json!({"order_id": order.shopline_order(), "transactions": [{"amount": "1.00"}]});
    vec![
        row("too many", put(&base, "/transactions", json!(vec![json!({}); 2_001])))
            .says(422, errors("transactions must not be longer than 2000")),
        row("a list", json!([])).says(400, errors("Bad Request: the body must be an object")),
        row("null", json!(null)).says(400, errors("Bad Request: the body must be an object")),
        row("nothing in it", json!({})).says(422, errors("order_id is required")),
        row("no transactions", without(&base, "/transactions")).says(422, errors("transactions is required")),
        row("another order's line", put(&base, "/refund_line_items/0/line_item_id", json!(line)))
            .says(422, errors(&format!("line_item_id {line} does not exist in the order"))),
        row("another order's slip", put(&base, "/transactions/0/id", json!(slip)))
            .says(422, errors(&format!("transaction {slip} does not exist in the order"))),
        row("a slip that is none", put(&base, "/transactions/0/id", json!("0/\u{e9}")))
            .says(422, errors("transaction 0/\u{e9} does not exist in the order")),
        row("no slip named, two fit", without(&base, "/transactions/0/id"))
            .says(422, errors("transactions.id is required: not exactly one payment slip of the order fits")),
        row("units of one bucket, listed thrice", put(&base, "/refund_line_items", unit_thrice))
            .says(422, errors("refund quantity exceeds the refundable quantity")),
        row(
            "a cent too much over both",
            json!({"order_id": bad.shopline_order(), "transactions": [
            {"id": bad.shopline_slip(0), "amount": "100.00"}, {"id": bad.shopline_slip(1), "amount": "24.01"}]}),
        )
        .says(422, errors(EXCEEDED)),
        row(
            "one slip twice, a cent too much",
            json!({"order_id": bad.shopline_order(), "transactions": [
            {"id": bad.shopline_slip(0), "amount": "50.00"}, {"id": bad.shopline_slip(0), "amount": "50.01"}]}),
        )
        .says(422, errors(EXCEEDED)),
        row("an unpaid order", of(&world.unpaid)).says(422, errors(NOT_REFUNDABLE)),
        row("a spent order", of(&world.spent)).says(422, errors(NOT_REFUNDABLE)),
        row("half a yen", put(&of(&world.yen), "/transactions/0/amount", json!("1.50")))
            .says(422, errors("amount is invalid")),
        row("a yen too much", put(&of(&world.yen), "/transactions/0/amount", json!("1001")))
            .says(422, errors(EXCEEDED)),
    ]
}

/// Fields that later versions have, and headers.
fn later(world: &World) -> Vec<Row> {
    let base = good(world);
    let row = |what: &str, body: Value| Row::post(what, LATER, &body);
    let own = |what: &str, name, value: &str| Row::post(what, PATH, &good(world)).header(name, value);
    let before = || errors("Refundable-Before is invalid: use a decimal amount, e.g. 65.00");
    let key = || errors("Idempotency-Key is invalid: between 1 and 255 characters long");
    let time = || errors("processed_at is invalid: use ISO 8601, e.g. 2023-04-12T22:59:52+08:00");
    let content = || errors("Bad Request: Content-Type must be application/json; charset=utf-8");
    let accept = || errors("Not Acceptable: answers are application/json only");
    vec![
        row("another currency", put(&base, "/currency", json!("EUR"))).says(422, errors("currency must be USD")),
        row("no currency", put(&base, "/currency", json!("dollars"))).says(422, errors("currency must be USD")),
        row("a currency in small letters", put(&base, "/currency", json!("usd")))
            .says(422, errors("currency must be USD")),
        row("a number for a currency", put(&base, "/currency", json!(840)))
            .says(400, errors("Bad Request: currency must be a string")),
        row("another currency of a payment", put(&base, "/transactions/0/currency", json!("EUR")))
            .says(422, errors("the input currency must be the settlement currency of the payment: USD")),
        row("a day", put(&base, "/processed_at", json!("yesterday"))).says(422, time()),
        row("blanks in a time", put(&base, "/processed_at", json!("2023-04-12T22: 59: 52+08:00"))).says(422, time()),
        row("a number for a time", put(&base, "/processed_at", json!(1)))
            .says(400, errors("Bad Request: processed_at must be a string")),
        own("before: a word", "refundable-before", "all").says(422, before()),
        own("before: nothing", "refundable-before", "").says(422, before()),
        own("before: odd characters", "refundable-before", "124.00\u{20ac}").says(422, before()),
        own("before: stale", "refundable-before", "123.99")
            .says(422, errors("Refundable-Before is 123.99, but 124.00 USD can be refunded")),
        own("key: nothing", "idempotency-key", "").says(422, key()),
        own("key: too long", "idempotency-key", &"k".repeat(256)).says(422, key()),
        own("a form", "content-type", "application/x-www-form-urlencoded").says(400, content()),
        own("a text", "content-type", "text/plain").says(400, content()),
        own("no content type", "content-type", "").says(400, content()),
        own("wants XML", "accept", "application/xml").says(406, accept()),
        own("wants no JSON", "accept", "*/*, application/json;q=0").says(406, accept()),
        Row::get("wants XML", list(&world.bad.shopline_order())).header("accept", "text/xml").says(406, accept()),
        own("no body", "x-nothing", "").body("").says(422, errors("order_id is required")),
        own("another shop's host", "x-nothing", "")
            .header("authorization", "Basic c2s6")
            .token("")
            .says(401, errors("Unauthorized")),
    ]
}

fn list(order: &str) -> String {
    format!("/admin/openapi/v20220901/orders/{order}/refunds.json")
}

fn one(order: &str, refund: &str) -> String {
    format!("/admin/openapi/v20220901/orders/{order}/refunds/{refund}.json")
}

fn reading(world: &World, refund: &str) -> Vec<Row> {
    let (bad, spent) = (world.bad.shopline_order(), world.spent.shopline_order());
    let mut rows = vec![
        Row::get("limit", format!("{}?limit=ten", list(&bad)))
            .says(400, errors("Bad Request: limit must be a whole number")),
        Row::get("limit", format!("{}?limit=1e1", list(&bad)))
            .says(400, errors("Bad Request: limit must be a whole number")),
        Row::get("limit", format!("{}?limit=0", list(&bad))).says(422, errors("limit must be from 1 to 250")),
        Row::get("limit", format!("{}?limit=-1", list(&bad))).says(422, errors("limit must be from 1 to 250")),
        Row::get("limit", format!("{}?limit=251", list(&bad))).says(422, errors("limit must be from 1 to 250")),
        Row::get("since", format!("{}?since_id=nobody", list(&bad)))
            .says(422, errors("since_id is invalid: the order has no such refund")),
        Row::get("since", format!("{}?since_id=%00", list(&bad)))
            .says(422, errors("since_id is invalid: the order has no such refund")),
        Row::get("another order's refund", one(&bad, refund)).says(404, errors(REFUND_UNKNOWN)),
    ];
    let ids = [
        "nobody",
        "0",
        "a%2Fb",
        "a%00b",
        "%E6%B3%A8",
        "%FF",
        "%2",
        "a%27%20OR%201=1",
        &"9".repeat(26),
        &"x".repeat(20_000),
    ];
    for id in ids {
        rows.push(Row::get("an odd id", one(&spent, id)).says(404, errors(REFUND_UNKNOWN)));
        rows.push(Row::get("an odd id", one(id, refund)).says(404, errors(REFUND_UNKNOWN)));
        rows.push(Row::get("an odd id", list(id)).says(404, errors(ORDER_UNKNOWN)));
    }
    let paths = [
        "/admin",
        "/admin/openapi",
        "/admin/openapi/v2022/order/refund.json",
        "/admin/openapi/20220901/order/refund.json",
        "/admin/openapi/v20220901/order/refunds.json",
        "/admin/openapi/v20220901/order/refund",
        "/admin/openapi/v20220901/orders//refunds.json",
        "/admin/openapi/v20220901/orders/1/refunds/.json",
        "/payments_apps/nothing",
    ];
    rows.extend(paths.map(|path| Row::get("an unknown path", path).says(404, errors("Not Found"))));
    rows
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let order = world.bad.shopline_order();
    let refund =
        world.client.get("/v1/refunds?order=spent").json()["data"][0]["id"].as_str().expect("an id").to_owned();
    let refund = format!("260{refund:0>19}");
    let mut rows = basics(Row::post("", PATH, &good(&world)), "POST", &["GET", "PUT", "DELETE", "BREW"], true);
    rows.extend(basics(Row::get("", list(&order)), "GET", &["POST", "PATCH"], false));
    rows.extend(basics(Row::get("", one(&world.spent.shopline_order(), &refund)), "GET", &["POST", "DELETE"], false));
    rows.extend(fields(FIELDS, PATH, &good(&world), errors));
    rows.extend(rules(&world));
    rows.extend(later(&world));
    rows.extend(reading(&world, &refund));
    world.check(&rows);
    world.close();
}

#[test]
fn what_is_odd_but_allowed_is_taken() {
    let mut world = World::new();
    let base = good(&world);
    let row = |what: &str, body: Value| Row::post(what, PATH, &body).status(200);
    let slip = world.bad.shopline_slip(1);
    let unset = json!({"order_id": world.bad.shopline_order(), "note": "", "shipping": {}, "refund_line_items": [],
        "unheard_of": 1, "transactions": [{"id": slip, "amount": number("1.10"), "gateway": "", "type": null}]});
    let number_ids =
        put(&put(&base, "/order_id", number(&world.bad.order)), "/refund_line_items/0/quantity", json!("1.0"));
    let slip_number = put(&base, "/transactions/0/id", number(&world.bad.shopline_slip(0)));
    let rows = [
        (row("unset fields", unset), "1.10"),
        (row("numbers for ids", number_ids), "11.00"),
        (row("26 digits as a number", slip_number), "11.00"),
        (
            row(
                "an older version has no currency",
                put(&without(&base, "/refund_line_items"), "/currency", json!("EUR")),
            ),
            "11.00",
        ),
        (
            row("zeros behind", put(&without(&base, "/refund_line_items"), "/transactions/0/amount", json!("1.1000"))),
            "1.10",
        ),
    ];
    world.check_taken(&rows);
    world.close();
}
