//! SHOPLINE: returns.

use serde_json::{Value, json};

use super::shopline::errors;
use super::{Basics, Row, World, fields, put, without};
use crate::harness::TOKEN;

const BASE: &str = "/admin/openapi/v20260301";
const EARLY: &str = "/admin/openapi/v20220901";
const ORDER_UNKNOWN: &str = "The order does not exist.";
const RETURN_UNKNOWN: &str = "The return does not exist.";

/// Values of single fields, each in an otherwise good body: where, what; status, message.
const FIELDS: &str = r#"
/order_seq null
  422 order_seq is required
/order_seq {}
  422 order_seq is required
/order_seq 0
  422 order_seq is required
/order_seq true
  400 Bad Request: order_seq must be a string or a number
/order_seq "nobody"
  404 The order does not exist.
/order_seq 7
  404 The order does not exist.
/order_seq "a\u0000b"
  422 order_seq must be a text without NUL characters
/order_seq x×65
  422 order_seq must not be longer than 64
/return_line_items null
  422 return_line_items is required
/return_line_items []
  422 return_line_items is required
/return_line_items {"a":1}
  400 Bad Request: return_line_items must be a list
/return_line_items [null]
  400 Bad Request: return_line_items[0] must be an object
/return_line_items [{}]
  422 return_line_items.fulfillment_id is required
/return_line_items/0/fulfillment_id ""
  422 return_line_items.fulfillment_id is required
/return_line_items/0/fulfillment_id [1]
  400 Bad Request: return_line_items[0].fulfillment_id must be a string or a number
/return_line_items/0/fulfillment_id 7
  422 fulfillment_id 7 does not exist in the order
/return_line_items/0/fulfillment_id "22099999999999999999999999"
  422 fulfillment_id 22099999999999999999999999 does not exist in the order
/return_line_items/0/line_item_id null
  422 return_line_items.line_item_id is required
/return_line_items/0/line_item_id 601
  422 line_item_id 601 does not exist in the order
/return_line_items/0/line_item_id 1e400
  422 line_item_id 1e+400 does not exist in the order
/return_line_items/0/quantity null
  422 quantity is invalid
/return_line_items/0/quantity 0
  422 quantity is invalid
/return_line_items/0/quantity -9223372036854775808
  422 quantity is invalid
/return_line_items/0/quantity 2
  422 return quantity exceeds the returnable quantity
/return_line_items/0/quantity 4294967297
  422 return quantity exceeds the returnable quantity
/return_line_items/0/quantity 9223372036854775807
  422 return quantity exceeds the returnable quantity
/return_line_items/0/quantity 9223372036854775808
  400 Bad Request: return_line_items[0].quantity must be a whole number
/return_line_items/0/quantity "1.5"
  400 Bad Request: return_line_items[0].quantity must be a whole number
/return_line_items/0/return_reason "style"
  422 return_line_items.return_reason is invalid
/return_line_items/0/return_reason 1
  400 Bad Request: return_line_items[0].return_reason must be a string
/return_line_items/0/return_reason_note x×129
  422 return_line_items.return_reason_note must not be longer than 128
/return_line_items/0/return_reason_note "a\u0000b"
  422 return_line_items.return_reason_note must be a text without NUL characters
/return_line_items/0/return_reason_note {"a":1}
  400 Bad Request: return_line_items[0].return_reason_note must be a string
/return_reason x×2001
  422 return_reason must not be longer than 2000
/return_reason 7
  400 Bad Request: return_reason must be a string
/notify_customer "false"
  400 Bad Request: notify_customer must be true or false
/processed_at 1632638624
  400 Bad Request: processed_at must be a string
/processed_at "tomorrow"
  422 processed_at is invalid: use ISO 8601, e.g. 2023-04-12T22:59:52+08:00
"#;

/// What no endpoint takes; one that writes asks for another scope, and reads a body.
fn basics(good: Row, allowed: &str, methods: &'static [&'static str], writes: bool) -> Vec<Row> {
    let malformed = |row: Row| row.names(400, &["Bad Request: the body is not valid JSON: "]);
    let not_allowed = format!("Method Not Allowed: use {allowed}");
    let basics = Basics {
        good,
        unauthorized: (401, errors("Unauthorized")),
        forbidden: writes.then(|| (403, errors("This action requires write_return scope"))),
        other_methods: (methods, &|_| (405, errors(&not_allowed))),
        too_large: (413, errors("Payload Too Large: send a smaller body")),
        malformed: writes.then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

/// What is answered to something that is done.
#[track_caller]
fn done(world: &mut World, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.to_string();
    let answer = world.client.send("POST", &format!("{BASE}/{path}"), &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// Ships a pan of an order; gives the fulfilment's id.
fn ship(world: &mut World, order: &str, pan: i64) -> String {
    let body = json!({"fulfillment": {"line_items": [{"id": pan, "quantity": 1}]}});
    let shipped = done(world, &format!("orders/{order}/fulfillments.json"), &body);
    shipped["fulfillment"]["id"].as_str().expect("an id").to_owned()
}

fn making(world: &World, good: &Value, elsewhere: &str) -> Vec<Row> {
    let path = format!("{BASE}/return/create.json");
    let mut rows = basics(Row::post("", &path, good), "POST", &["GET", "PUT", "DELETE", "BREW"], true);
    rows.extend(fields(FIELDS, &path, good, errors));
    let (cup, pan) = (world.bad.line_number(0), world.other.line_number(1));
    let of = &good["return_line_items"][0]["fulfillment_id"].as_str().expect("an id");
    let entry = |key: &str, value: Value| put(good, &format!("/return_line_items/0/{key}"), value);
    let twice = json!(vec![good["return_line_items"][0].clone(); 2]);
    let endless = json!(vec![good["return_line_items"][0].clone(); 2_001]);
    rows.extend([
        Row::post("no order", &path, &without(good, "/order_seq")).says(422, errors("order_seq is required")),
        Row::post("a list", &path, &json!([good])).says(400, errors("Bad Request: the body must be an object")),
        Row::post("another order's line", &path, &entry("line_item_id", json!(pan)))
            .says(422, errors(&format!("line_item_id {pan} does not exist in the order"))),
        Row::post("another order's fulfilment", &path, &entry("fulfillment_id", json!(elsewhere)))
            .says(422, errors(&format!("fulfillment_id {elsewhere} does not exist in the order"))),
        Row::post("what left without a fulfilment", &path, &entry("line_item_id", json!(cup)))
            .says(422, errors(&format!("line_item_id {cup} is not in fulfillment_id {of}"))),
        Row::post("one unit twice", &path, &put(good, "/return_line_items", twice))
            .says(422, errors("return quantity exceeds the returnable quantity")),
        Row::post("more entries than are read", &path, &put(good, "/return_line_items", endless))
            .says(422, errors("return_line_items must not be longer than 2000")),
    ]);
    rows
}

fn reading_and_closing(order: &str, back: &str) -> Vec<Row> {
    let (list, close) = (format!("{EARLY}/return.json"), format!("{EARLY}/return/{back}/close.json"));
    let of_order = format!("{list}?order_id={order}");
    let mut rows = basics(Row::get("", &of_order), "GET", &["POST", "PUT", "DELETE"], false);
    rows.extend(basics(Row::post("", &close, &json!({"notify": true})), "POST", &["GET", "PUT", "DELETE"], true));
    let neither = errors("order_id or id is required");
    rows.extend([
        Row::get("neither", &list).says(422, neither.clone()),
        Row::get("both blank", format!("{list}?order_id=%20&id=")).says(422, neither.clone()),
        Row::get("another key", format!("{list}?return_id={back}")).says(422, neither),
        Row::post("a word", &close, &json!({"notify": "no"}))
            .says(400, errors("Bad Request: notify must be true or false")),
        Row::post("a list", &close, &json!([])).says(400, errors("Bad Request: the body must be an object")),
    ]);
    for id in ["nobody", "0", "a%2Fb", "a%00b", "%FF", "a%27%20OR%201=1", &"9".repeat(26), &"x".repeat(20_000), order] {
        let close = format!("{BASE}/return/{id}/close.json");
        rows.push(Row::post("an odd one", close, &json!({})).says(404, errors(RETURN_UNKNOWN)));
        if id != order {
            rows.push(
                Row::get("an odd order", format!("{list}?order_id={id}&id={back}")).says(404, errors(ORDER_UNKNOWN)),
            );
        }
    }
    rows
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let (order, other) = (world.bad.shopline_order(), world.other.shopline_order());
    let (pan, other_pan) = (world.bad.line_number(1), world.other.line_number(1));
    let (parcel, elsewhere) = (ship(&mut world, &order, pan), ship(&mut world, &other, other_pan));
    let entry = |parcel: &str, pan: i64| json!({"fulfillment_id": parcel, "line_item_id": pan, "quantity": 1});
    let good = json!({"order_seq": order, "return_line_items": [entry(&parcel, pan)]});
    let made = json!({"order_seq": other, "return_line_items": [entry(&elsewhere, other_pan)]});
    let back = done(&mut world, "return/create.json", &made)["return"].clone();
    let back = back["id"].as_str().expect("an id").to_owned();
    let mut rows = making(&world, &good, &elsewhere);
    rows.extend(reading_and_closing(&other, &back));
    world.check(&rows);
    // None of that made a return, or closed one.
    let list = |world: &mut World, order: &str| {
        let answer = Row::get("", format!("{BASE}/return.json?order_id={order}")).send(&mut world.client);
        answer.json()["returns"].clone()
    };
    assert_eq!(list(&mut world, &order), json!([]));
    assert_eq!(
        (&list(&mut world, &other)[0]["id"], &list(&mut world, &other)[0]["status"]),
        (&json!(back), &json!("OPEN"))
    );
    done(&mut world, "return/create.json", &good);
    done(&mut world, &format!("return/{back}/close.json"), &json!({}));
    world.close();
}
