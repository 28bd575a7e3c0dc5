//! Shoplazza: the modern refund, the legacy full refund, the list in both generations.

use serde_json::{Value, json};

use super::{Basics, Row, World, fields, number, put, without};

const BAD_ORDER_ID: &str = "Order id must be 1 to 64 letters, digits, underscores or hyphens.";
const NOT_IN_AFTER_SALES: &str = "After-sales is not included in current order.";

/// The one text of a refusal; `None` where the body has another shape.
pub(super) fn message(body: &Value) -> Option<String> {
    let map = body.as_object()?;
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match keys.as_slice() {
        ["code", "message"] if !map["code"].as_str()?.is_empty() => text(&map["message"]),
        ["error"] => text(&map["error"]),
        ["errors"] if map["errors"].as_array()?.len() == 1 => text(&map["errors"][0]),
        _ => None,
    }
}

fn coded(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message})
}

fn invalid(message: &str) -> Value {
    coded("InvalidParameter", message)
}

fn errors(message: &str) -> Value {
    json!({"errors": [message]})
}

fn modern(order: &str) -> String {
    format!("/openapi/2025-06/orders/{order}/refund")
}

fn legacy(order: &str) -> String {
    format!("/openapi/2022-01/orders/{order}/refund")
}

fn modern_basics(good: Row, allowed: &str, methods: &'static [&'static str], writes: bool) -> Vec<Row> {
    let message = "The Access-Token header is missing or its token does not work.";
    let message_405 = format!("This path takes {allowed} only.");
    let malformed = |row: Row| row.names(400, &["the body is not valid JSON: "]);
    let basics = Basics {
        good,
        unauthorized: (401, coded("Unauthorized", message)),
        forbidden: writes.then(|| (403, coded("Forbidden", "The token lacks the write_order scope."))),
        other_methods: (methods, &|_| (405, coded("MethodNotAllowed", &message_405))),
        too_large: (413, coded("RequestTooLarge", "The body must not be larger than 1048576 bytes.")),
        malformed: writes.then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

fn legacy_basics(good: Row, methods: &'static [&'static str], writes: bool) -> Vec<Row> {
    let malformed = |row: Row| row.says(400, errors("Bad Request"));
    let basics = Basics {
        good,
        unauthorized: (401, json!({"error": "Unauthorized"})),
        forbidden: writes.then(|| (403, json!({"error": "The token lacks the write_order scope."}))),
        other_methods: (methods, &|_| (405, errors("Method Not Allowed"))),
        too_large: (413, errors("The body must not be larger than 1048576 bytes.")),
        malformed: writes.then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

/// One cup back, over the first payment.
fn good(world: &World) -> Value {
    json!({"refund": {"refund_total": "11.00", "refund_product_total": "11.00",
        "refund_line_items": [
            {"line_item_id": world.bad.lines[0], "quantity": 1, "refund_item_type": 0, "return_inventory": true}],
        "refund_payments": [{"payment_line_id": world.bad.payments[0], "refund_price": "11.00"}]}})
}

fn bodies() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("null", json!(null), "refund is required"),
        ("a list", json!([]), "the body must be an object"),
        ("a text", json!("refund"), "the body must be an object"),
        ("a number", json!(7), "the body must be an object"),
        ("nothing in it", json!({}), "refund is required"),
        ("only an unknown key", json!({"refunds": {}}), "refund is required"),
        ("null for the refund", json!({"refund": null}), "refund is required"),
        ("a list for the refund", json!({"refund": []}), "refund must be an object"),
        ("an empty refund", json!({"refund": {}}), "refund.refund_total is required"),
        ("an unknown key in it", json!({"refund": {"refund_totals": "1.00"}}), "refund.refund_total is required"),
    ]
}

/// Values of single fields, each in an otherwise good body: where, what; status, message.
const FIELDS: &str = r#"
/refund/refund_total null
  400 refund.refund_total is required
/refund/refund_total ""
  400 refund.refund_total is required
/refund/refund_total true
  400 refund.refund_total must be a decimal amount
/refund/refund_total {}
  400 refund.refund_total must be a decimal amount
/refund/refund_total ["1.00"]
  400 refund.refund_total must be a decimal amount
/refund/refund_total "eleven"
  400 refund.refund_total must be a decimal amount
/refund/refund_total "11,00"
  400 refund.refund_total must be a decimal amount
/refund/refund_total "$11.00"
  400 refund.refund_total must be a decimal amount
/refund/refund_total "0x0b"
  400 refund.refund_total must be a decimal amount
/refund/refund_total "1.1e1"
  400 refund.refund_total must be a decimal amount
/refund/refund_total 1.1e1
  400 refund.refund_total must be a decimal amount
/refund/refund_total "Infinity"
  400 refund.refund_total must be a decimal amount
/refund/refund_product_total []
  400 refund.refund_product_total must be a decimal amount
/refund/refund_shipping_total "x"
  400 refund.refund_shipping_total must be a decimal amount
/refund/refund_tip "x"
  400 refund.refund_tip must be a decimal amount
/refund/refund_additional_total "x"
  400 refund.refund_additional_total must be a decimal amount
/refund/refund_additional_prices "x"
  400 refund.refund_additional_prices must be a list
/refund/refund_additional_prices [{"price": "1.00"}]
  400 refund.refund_additional_prices[0].name is required
/refund/refund_additional_prices [{"name": "Gift Wrapping"}]
  400 refund.refund_additional_prices[0].price is required
/refund/refund_line_items {}
  400 refund.refund_line_items must be a list
/refund/refund_line_items "x"
  400 refund.refund_line_items must be a list
/refund/refund_line_items [7]
  400 refund.refund_line_items[0] must be an object
/refund/refund_line_items [null]
  400 refund.refund_line_items[0] must be an object
/refund/refund_line_items [{}]
  400 refund.refund_line_items[0].line_item_id is required
/refund/refund_line_items/0/line_item_id 7
  400 refund.refund_line_items[0].line_item_id must be a string
/refund/refund_line_items/0/line_item_id " "
  400 refund.refund_line_items[0].line_item_id is required
/refund/refund_line_items/0/quantity "one"
  400 refund.refund_line_items[0].quantity must be a whole number
/refund/refund_line_items/0/quantity 1.5
  400 refund.refund_line_items[0].quantity must be a whole number
/refund/refund_line_items/0/quantity true
  400 refund.refund_line_items[0].quantity must be a whole number
/refund/refund_line_items/0/quantity "99999999999999999999"
  400 refund.refund_line_items[0].quantity must be a whole number
/refund/refund_line_items/0/refund_item_type 3
  400 refund.refund_line_items[0].refund_item_type must be 0 (automatic), 1 (shipped) or 2 (waiting to ship)
/refund/refund_line_items/0/refund_item_type -1
  400 refund.refund_line_items[0].refund_item_type must be 0 (automatic), 1 (shipped) or 2 (waiting to ship)
/refund/refund_line_items/0/refund_item_type "Shipped"
  400 refund.refund_line_items[0].refund_item_type must be 0 (automatic), 1 (shipped) or 2 (waiting to ship)
/refund/refund_line_items/0/refund_item_type []
  400 refund.refund_line_items[0].refund_item_type must be 0 (automatic), 1 (shipped) or 2 (waiting to ship)
/refund/refund_line_items/0/return_inventory "yes"
  400 refund.refund_line_items[0].return_inventory must be true or false
/refund/refund_line_items/0/return_inventory 1
  400 refund.refund_line_items[0].return_inventory must be true or false
/refund/refund_payments {}
  400 refund.refund_payments must be a list
/refund/refund_payments/0/payment_line_id null
  400 refund.refund_payments[0].payment_line_id is required
/refund/refund_payments/0/refund_price null
  400 refund.refund_payments[0].refund_price is required
/refund/refund_payments/0/refund_price "x"
  400 refund.refund_payments[0].refund_price must be a decimal amount
/refund/note 7
  400 refund.note must be a string
/refund/note "a\u0000b"
  400 refund.note must be a text without NUL characters
/refund/note n×2001
  400 refund.note must not be longer than 2000
"#;

/// Bodies and amounts that name nothing of the order: the refund; status, message.
const AMOUNTS: &str = r#"
/refund {"refund_total": "0"}
  400 refund_total must be above zero
/refund {"refund_total": "-0.00"}
  400 refund_total must be above zero
/refund {"refund_total": "-1.00"}
  400 refund_total must not be negative: -1
/refund {"refund_total": "1.001"}
  400 refund_total must have at most 2 decimals, not 1.001
/refund {"refund_total": 1.001}
  400 refund_total must have at most 2 decimals, not 1.001
/refund {"refund_total": "999999999999999999999999999999"}
  400 refund_total is too large: 999999999999999999999999999999
/refund {"refund_total": 999999999999999999999999999999}
  400 refund_total is too large: 999999999999999999999999999999
/refund {"refund_total": "9999999999999999999999999999999"}
  400 refund.refund_total must be an amount of at most 30 digits
/refund {"refund_total": "124.01"}
  400 refund_total must be at most 124.00, not 124.01
/refund {"refund_total": 124.01}
  400 refund_total must be at most 124.00, not 124.01
/refund {"refund_total": "104.01", "refund_product_total": "104.01"}
  400 refund_product_total must be at most 104.00, not 104.01
/refund {"refund_total": "10.01", "refund_shipping_total": "10.01"}
  400 refund_shipping_total must be at most 10.00, not 10.01
/refund {"refund_total": "5.01", "refund_tip": "5.01"}
  400 refund_tip must be at most 5.00, not 5.01
/refund {"refund_total": "5.01", "refund_additional_total": "5.01"}
  400 refund_additional_total must be at most 5.00, not 5.01
/refund {"refund_total": "-1.00", "refund_shipping_total": "-1.00"}
  400 refund_total must not be negative: -1
/refund {"refund_total": "1.00", "refund_shipping_total": "-1.00", "refund_tip": "2.00"}
  400 refund_shipping_total must not be negative: -1
/refund {"refund_total": "12.00", "refund_product_total": "12.00", "refund_shipping_total": "1.00"}
  400 the parts make 13.00, but their total is 12.00
/refund {"refund_total": "1.00", "refund_additional_prices": [{"name": "Ribbon", "price": "1.00"}]}
  400 the order has no additional price named Ribbon
/refund {"refund_total": "5.01", "refund_additional_prices": [{"name": "Gift Wrapping", "price": "5.01"}]}
  400 price of additional price Gift Wrapping must be at most 5.00, not 5.01
"#;

/// Lines and units that are not to be had.
fn units(world: &World) -> Vec<(&'static str, Value, String)> {
    let base = without(&good(world), "/refund/refund_product_total");
    let (cup, strange) = (&world.bad.lines[0], &world.other.lines[0]);
    let of = |entries: Value| put(&base, "/refund/refund_line_items", entries);
    let entry = |quantity: Value, mode: u8, back: bool| {
        let taken = json!({"line_item_id": cup, "quantity": quantity, "refund_item_type": mode});
        put(&taken, "/return_inventory", json!(back))
    };
    let line = |id: &str| put(&base, "/refund/refund_line_items/0/line_item_id", json!(id));
    let unknown = |id: &str| format!("refund_line_items[0].line_item_id: the order has no line item {id}");
    let units = |rest: &str| format!("refund_line_items[0].quantity of line item {cup} must {rest}");
    let too_many = "refund.refund_line_items must not be longer than 2000";
    let mixed = || format!("refund_item_type 0 must not be mixed with 1 or 2 for line item {cup}");
    let differs = || format!("return_inventory must be the same in all entries of line item {cup}");
    vec![
        ("another order's line", line(strange), unknown(strange)),
        ("a line that is none", line("cup/../%00"), unknown("cup/../%00")),
        ("a very long line", line(&"l".repeat(300)), unknown(&"l".repeat(300))),
        ("too many entries", of(json!(vec![json!({}); 2_001])), too_many.to_owned()),
        ("modes mixed", of(json!([entry(json!(1), 0, true), entry(json!(1), 2, true)])), mixed()),
        ("modes mixed, in turn", of(json!([entry(json!(1), 1, true), entry(json!(1), 0, true)])), mixed()),
        ("inventory differs", of(json!([entry(json!(1), 1, true), entry(json!(1), 2, false)])), differs()),
        ("units below zero", of(json!([entry(json!(-1), 0, true)])), units("not be -1")),
        ("a unit too many", of(json!([entry(json!(5), 0, true)])), units("be at most 4, not 5")),
        ("a unit too many, a text", of(json!([entry(json!("5"), 0, true)])), units("be at most 4, not 5")),
        ("a unit too many of a bucket", of(json!([entry(json!(3), 1, true)])), units("be at most 2, not 3")),
        (
            "a unit too many in two entries",
            of(json!([entry(json!(2), 2, true), entry(json!(1), 2, true)])),
            format!("refund_line_items[1].quantity of line item {cup} must be at most 0, not 1"),
        ),
    ]
}

/// Payments that are not to be had.
fn payments(world: &World) -> Vec<(&'static str, Value, String)> {
    let (card, wallet, strange) = (&world.bad.payments[0], &world.bad.payments[1], &world.other.payments[0]);
    let of = |total: &str, payments: &[(&String, &str)]| {
        let entry = |(id, amount): &(&String, &str)| json!({"payment_line_id": id, "refund_price": amount});
        let payments: Vec<Value> = payments.iter().map(entry).collect();
        json!({"refund": {"refund_total": total, "refund_payments": payments}})
    };
    let exceeded = |id: &str, figures: &str| format!("refund_price of payment line {id} must be at most {figures}");
    vec![
        (
            "another order's payment",
            of("1.00", &[(strange, "1.00")]),
            format!("the order has no payment line {strange}"),
        ),
        (
            "below the total",
            of("11.00", &[(card, "10.99")]),
            "refund_payments make 10.99, but refund_total is 11.00".into(),
        ),
        (
            "above the total",
            of("11.00", &[(card, "11.01")]),
            "refund_payments make 11.01, but refund_total is 11.00".into(),
        ),
        ("a cent too much of one", of("24.01", &[(wallet, "24.01")]), exceeded(wallet, "24.00, not 24.01")),
        (
            "below zero",
            of("1.00", &[(card, "2.00"), (wallet, "-1.00")]),
            "refund_price must not be negative: -1".into(),
        ),
        ("zero", of("1.00", &[(card, "1.00"), (wallet, "0")]), "refund_price must be above zero".into()),
        (
            "three decimals",
            of("1.00", &[(card, "1.001")]),
            "refund_price must have at most 2 decimals, not 1.001".into(),
        ),
    ]
}

fn headers(world: &World) -> Vec<Row> {
    let path = modern(&world.bad.order);
    let row = |what: &str, name, value: &str| Row::post(what, path.as_str(), &good(world)).header(name, value);
    let wanted = || invalid("Refundable-Before must be a decimal amount such as 65.00");
    let key = || invalid("Idempotency-Key: between 1 and 255 characters long");
    vec![
        row("before: a word", "refundable-before", "all").says(400, wanted()),
        row("before: nothing", "refundable-before", "").says(400, wanted()),
        row("before: an exponent", "refundable-before", "1.24e2").says(400, wanted()),
        row("before: odd characters", "refundable-before", "124.00\u{a0}\u{20ac}").says(400, wanted()),
        row("before: stale", "refundable-before", "123.99")
            .says(400, invalid("124.00 USD is refundable now, not the 123.99 that Refundable-Before states")),
        row("key: nothing", "idempotency-key", "").says(400, key()),
        row("key: too long", "idempotency-key", &"k".repeat(256)).says(400, key()),
    ]
}

fn order_ids(world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    let body = good(world);
    for (what, id) in odd_ids() {
        rows.push(Row::post(what, modern(&id), &body).says(400, invalid(BAD_ORDER_ID)));
        rows.push(Row::post(what, legacy(&id), &json!({})).says(422, errors("Invalid ID")));
    }
    rows.push(Row::post("a blank id", modern("%20"), &body).says(400, invalid("Order id is required.")));
    rows.push(Row::post("a blank id", legacy("%20"), &json!({})).says(422, errors("Invalid ID")));
    for id in ["nobody", "000000000000000000", "999999999999999999"] {
        rows.push(Row::post("an unknown order", modern(id), &body).says(404, coded("NotFound", "Order not found")));
        rows.push(Row::post("an unknown order", legacy(id), &json!({})).says(404, errors("Order not found")));
    }
    rows.extend(unread_ids());
    let paths = [
        "/openapi/2025-06/orders/a/b/refund",
        "/openapi/2025-01/orders/a/refund",
        "/openapi/2025-06/orders/a/refund.json",
        "/openapi/2025-06/orders/a/refunds",
    ];
    for path in paths {
        let says = coded("NotFound", "There is no such path or version.");
        rows.push(Row::post("an unknown path", path, &body).says(404, says));
    }
    for path in [
        "/openapi",
        "/openapi/",
        "/openapi/2019-01/orders/a/refund",
        "/openapi/2022-01/orders/a/refundx",
        "/openapi//orders/a/refund",
    ] {
        rows.push(Row::post("an unknown path", path, &body).says(404, errors("Unable to find resource")));
    }
    rows
}

/// The same ids where the refunds of an order are read.
fn unread_ids() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, id) in odd_ids() {
        rows.push(Row::get(what, modern(&id)).says(400, invalid(BAD_ORDER_ID)));
        rows.push(Row::get(what, legacy(&id)).says(422, errors("Invalid ID")));
    }
    for id in ["nobody", "000000000000000000", "999999999999999999"] {
        rows.push(Row::get("an unknown order", modern(id)).says(404, coded("NotFound", "Order not found")));
        rows.push(Row::get("an unknown order", legacy(id)).says(404, errors("Unable to find resource")));
    }
    rows
}

/// Ids that no order can have.
fn odd_ids() -> Vec<(&'static str, String)> {
    vec![
        ("an id with a slash", "a%2Fb".to_owned()),
        ("an id with NUL", "a%00b".to_owned()),
        ("an id of other letters", "%E6%B3%A8%E6%96%87".to_owned()),
        ("an id of no UTF-8", "%FF%FE".to_owned()),
        ("an id with a broken escape", "a%2".to_owned()),
        ("an id with a quote", "a%27%20OR%201=1".to_owned()),
        ("an id of 65 characters", "a".repeat(65)),
        ("an id of 20,000 characters", "a".repeat(20_000)),
    ]
}

fn partials(world: &World) -> Vec<Row> {
    let path = |order: &str| format!("/openapi/2022-01/orders/{order}/partial_refund");
    let cup = &world.bad.lines[0];
    let rows = [
        (json!({}), "price must be given, or line_items"),
        (json!(null), "price must be given, or line_items"),
        (json!({"price": "", "line_items": null}), "price must be given, or line_items"),
        (json!([]), "the body must be an object"),
        (json!({"price": "x"}), "price must be a decimal amount"),
        (json!({"price": "0"}), "price must be above zero"),
        (json!({"price": "124.01"}), "price must be at most 124.00, not 124.01"),
        (json!({"line_items": [{"quantity": 1}]}), "line_items[0].id is required"),
        (json!({"line_items": [{"id": cup}]}), "line_items[0].quantity is required"),
        (json!({"line_items": [{"id": "none", "quantity": 1}]}), "line_items[0].id: the order has no line item none"),
    ];
    let rows = rows
        .into_iter()
        .map(|(body, says)| Row::post("a partial refund", path(&world.bad.order), &body).says(422, errors(says)));
    let mut rows: Vec<Row> = rows.collect();
    let one = json!({"price": "1.00"});
    rows.extend(legacy_basics(Row::post("", path(&world.bad.order), &one), &["GET", "PUT"], true));
    rows.push(Row::post("an unknown order", path("nobody"), &one).says(404, errors("Unable to find resource")));
    rows.push(Row::post("an unpaid order", path(&world.unpaid.order), &one).says(406, errors(NOT_IN_AFTER_SALES)));
    rows.push(Row::post("a spent order", path(&world.spent.order), &one).says(406, errors(NOT_IN_AFTER_SALES)));
    rows
}

fn states(world: &World) -> Vec<Row> {
    let one = json!({"refund": {"refund_total": "1.00"}});
    let yen =
        |amount: &str| Row::post("half a yen", modern(&world.yen.order), &json!({"refund": {"refund_total": amount}}));
    vec![
        Row::post("an unpaid order", modern(&world.unpaid.order), &one)
            .says(400, invalid("the order is not paid, so there is nothing to refund")),
        Row::post("a spent order", modern(&world.spent.order), &one)
            .says(400, invalid("everything that was paid has been refunded or is on its way back")),
        Row::post("an unpaid order", legacy(&world.unpaid.order), &json!({})).says(406, errors(NOT_IN_AFTER_SALES)),
        Row::post("a spent order", legacy(&world.spent.order), &json!({})).says(406, errors(NOT_IN_AFTER_SALES)),
        Row::post("before: a word", legacy(&world.bad.order), &json!({}))
            .header("refundable-before", "all")
            .says(422, errors("Refundable-Before must be a decimal amount such as 65.00")),
        Row::post("before: stale", legacy(&world.bad.order), &json!({}))
            .header("refundable-before", "65")
            .says(422, errors("124.00 USD is refundable now, not the 65 that Refundable-Before states")),
        yen("500.50").says(400, invalid("refund_total must have at most 0 decimals, not 500.5")),
        yen("1001").says(400, invalid("refund_total must be at most 1000.00, not 1001.00")),
        Row::post("no body", modern(&world.bad.order), &json!({})).body("").says(400, invalid("refund is required")),
        Row::post("a blank body", modern(&world.bad.order), &json!({}))
            .body(" \n")
            .says(400, invalid("refund is required")),
    ]
}

fn lists() -> Vec<Row> {
    let eleven = ["1"; 11].join(",");
    let queries = [
        ("per_page=0", "per_page must be a whole number from 1 to 100"),
        ("per_page=101", "per_page must be a whole number from 1 to 100"),
        ("per_page=-1", "per_page must be a whole number from 1 to 100"),
        ("per_page=ten", "per_page must be a whole number from 1 to 100"),
        ("per_page=99999999999999999999", "per_page must be a whole number from 1 to 100"),
        ("page=0", "page must be a whole number from 1 to 4294967295"),
        ("page=1e1", "page must be a whole number from 1 to 4294967295"),
        ("sort_by=amount", "sort_by must be created_at or updated_at"),
        ("sort_by=created_at%00", "sort_by must be created_at or updated_at"),
        ("sort_direction=up", "sort_direction must be asc or desc"),
        ("created_at_start=yesterday", "created_at_start must be an ISO 8601 time such as 2024-06-24T08:17:59Z"),
        ("created_at_end=2024-13-01", "created_at_end must be an ISO 8601 time such as 2024-06-24T08:17:59Z"),
        ("updated_at_start=%FF", "updated_at_start must be an ISO 8601 time such as 2024-06-24T08:17:59Z"),
        (
            "updated_at_end=99999-01-01T00:00:00Z",
            "updated_at_end must be an ISO 8601 time such as 2024-06-24T08:17:59Z",
        ),
        (&format!("order_ids={eleven}"), "order_ids must be at most 10 ids"),
    ];
    let mut rows = Vec::new();
    for (query, says) in queries {
        let path = |version| format!("/openapi/{version}/orders/refund_records?{query}");
        rows.push(Row::get("a bad query", path("2022-01")).says(422, errors(says)));
        rows.push(Row::get("a bad query", path("2025-06")).says(400, invalid(says)));
    }
    rows.extend(counts(&queries));
    let path = |version: &str, query: &str| format!("/openapi/{version}/orders/refund_records?{query}");
    let state = "must be among pending, finished, failed";
    rows.extend([
        Row::get("a state", path("2022-01", "refund_status=done")).says(422, errors(&format!("refund_status {state}"))),
        Row::get("a state", path("2025-06", "refund_statuses=done"))
            .says(400, invalid(&format!("refund_statuses {state}"))),
        Row::get("a cursor", path("2025-06", "cursor=next"))
            .says(400, invalid("cursor must be one that a page of this list gave")),
        Row::get("a page size", path("2025-06", "page_size=101"))
            .says(400, invalid("page_size must be a whole number from 1 to 100")),
    ]);
    rows
}

/// A count refuses the list's filters as the list does.
fn counts(queries: &[(&str, &str)]) -> Vec<Row> {
    let filters = queries.iter().filter(|(query, _)| !query.contains("page") && !query.starts_with("sort"));
    let rows = filters.map(|(query, says)| {
        let path = format!("/openapi/2026-07/orders/refund_records/count?{query}");
        Row::get("a bad query", path).says(400, invalid(says))
    });
    let mut rows: Vec<Row> = rows.collect();
    let older = "/openapi/2022-01/orders/refund_records/count";
    rows.push(Row::get("an older version", older).says(404, errors("Unable to find resource")));
    rows
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let path = modern(&world.bad.order);
    let (full, records) = (legacy(&world.bad.order), "/orders/refund_records");
    let mut rows =
        modern_basics(Row::post("", path.as_str(), &good(&world)), "GET, POST", &["PUT", "DELETE", "BREW"], true);
    rows.extend(legacy_basics(Row::post("", full, &json!({})), &["PUT", "PATCH"], true));
    rows.extend(modern_basics(Row::get("", format!("/openapi/2026-01{records}")), "GET", &["POST", "DELETE"], false));
    rows.extend(legacy_basics(Row::get("", legacy(&world.bad.order)), &["PUT"], false));
    let counted = Row::get("", format!("/openapi/2026-07{records}/count"));
    rows.extend(modern_basics(counted, "GET", &["POST", "DELETE"], false));
    rows.extend(legacy_basics(Row::get("", format!("/openapi/2020-07{records}")), &["POST", "DELETE"], false));
    rows.extend(
        bodies().into_iter().map(|(what, body, says)| Row::post(what, path.as_str(), &body).says(400, invalid(says))),
    );
    rows.extend(fields(FIELDS, &path, &good(&world), invalid));
    rows.extend(fields(AMOUNTS, &path, &good(&world), invalid));
    for (what, body, says) in units(&world).into_iter().chain(payments(&world)) {
        rows.push(Row::post(what, path.as_str(), &body).says(400, invalid(&says)));
    }
    rows.extend(headers(&world));
    rows.extend(order_ids(&world));
    rows.extend(states(&world));
    rows.extend(partials(&world));
    rows.extend(lists());
    world.check(&rows);
    world.close();
}

#[test]
fn what_is_odd_but_allowed_is_taken() {
    let mut world = World::new();
    let (path, full) = (modern(&world.bad.order), legacy(&world.other.order));
    let row = |what: &str, body: Value| Row::post(what, path.as_str(), &body).status(200);
    let total = |total: Value| json!({"refund": {"refund_total": total}});
    let cup = &world.bad.lines[0];
    let absent = json!({"refund": {"refund_total": "1.00", "refund_product_total": "", "refund_shipping_total": null,
        "refund_line_items": [], "refund_payments": null, "note": null, "unheard_of": {"a": [1]}}});
    let names = json!({"refund": {"refund_total": "11.00", "refund_line_items": [
        {"line_item_id": cup, "quantity": "1.0000", "refund_item_type": "waiting_ship", "return_inventory": null}]}});
    let rows = [
        (row("a number", total(number("1.10"))), "1.10"),
        (row("many zeros", total(json!("0000000001.100000"))), "1.10"),
        (row("blanks around it", total(json!(" 1.10 "))), "1.10"),
        (row("null and empty for absent", absent), "1.00"),
        (row("names for modes", names), "11.00"),
        (row("no content type", total(json!("1.00"))).header("content-type", "text/plain"), "1.00"),
        (Row::post("yen with zeros", modern(&world.yen.order), &total(json!("500.00"))).status(200), "500"),
        (
            Row::post("a body that nobody reads", full, &json!({"refund": {"refund_total": "1.00"}})).status(200),
            "124.00",
        ),
    ];
    world.check_taken(&rows);
    world.close();
}
