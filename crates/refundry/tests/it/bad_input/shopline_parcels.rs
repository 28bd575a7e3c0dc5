//! SHOPLINE: fulfilments, payment slips, transactions.

use serde_json::{Value, json};

use super::shopline::{basics, errors};
use super::{Row, World, fields, put, unreadable, without};

const BASE: &str = "/admin/openapi/v20260301";
const EARLY: &str = "/admin/openapi/v20220901";
const ORDER_UNKNOWN: &str = "The order does not exist.";
const PARCEL_UNKNOWN: &str = "The fulfillment does not exist.";
const NOBODY: &str = "22099999999999999999999999";

/// Values of single fields of a fulfilment, each in an otherwise good body: where, what; status, message.
const SHIPMENT: &str = r#"
/fulfillment "all"
  400 Bad Request: fulfillment must be an object
/fulfillment [1]
  400 Bad Request: fulfillment must be an object
/fulfillment/line_items 7
  400 Bad Request: fulfillment.line_items must be a list
/fulfillment/line_items [null]
  400 Bad Request: fulfillment.line_items[0] must be an object
/fulfillment/line_items [{}]
  422 fulfillment.line_items.id is required
/fulfillment/line_items/0/id true
  400 Bad Request: fulfillment.line_items[0].id must be a string or a number
/fulfillment/line_items/0/id "a\u0000b"
  422 fulfillment.line_items.id must be a text without NUL characters
/fulfillment/line_items/0/id 601
  422 line_item_id 601 does not exist in the order
/fulfillment/line_items/0/id 1e400
  422 line_item_id 1e+400 does not exist in the order
/fulfillment/line_items/0/quantity null
  422 quantity is invalid
/fulfillment/line_items/0/quantity 0
  422 quantity is invalid
/fulfillment/line_items/0/quantity -9223372036854775808
  422 quantity is invalid
/fulfillment/line_items/0/quantity 3
  422 fulfillment quantity exceeds the fulfillable quantity
/fulfillment/line_items/0/quantity 9223372036854775807
  422 fulfillment quantity exceeds the fulfillable quantity
/fulfillment/line_items/0/quantity 9223372036854775808
  400 Bad Request: fulfillment.line_items[0].quantity must be a whole number
/fulfillment/line_items/0/quantity 1.5
  400 Bad Request: fulfillment.line_items[0].quantity must be a whole number
/fulfillment/notify_customer 1
  400 Bad Request: fulfillment.notify_customer must be true or false
/fulfillment/tracking_number true
  400 Bad Request: fulfillment.tracking_number must be a string or a number
/fulfillment/tracking_number "a\u0000b"
  422 fulfillment.tracking_number must be a text without NUL characters
/fulfillment/tracking_number x×256
  422 fulfillment.tracking_number must not be longer than 255
/fulfillment/tracking_url x×2001
  422 fulfillment.tracking_url must not be longer than 2000
/fulfillment/tracking_info_list {"a":1}
  400 Bad Request: fulfillment.tracking_info_list must be a list
/fulfillment/tracking_info_list [{}]
  422 fulfillment.tracking_info_list.tracking_number is required
/fulfillment/tracking_info_list [7]
  400 Bad Request: fulfillment.tracking_info_list[0] must be an object
"#;

/// The same of a slip that is made.
const SLIP: &str = r#"
/order_payment_list null
  422 order_payment_list is required
/order_payment_list {"a":1}
  400 Bad Request: order_payment_list must be a list
/order_payment_list [null]
  400 Bad Request: order_payment_list[0] must be an object
/order_payment_list [{}]
  422 order_payment_list.order_id is required
/order_payment_list/0/order_id "nobody"
  404 The order does not exist.
/order_payment_list/0/order_id "a\u0000b"
  422 order_payment_list.order_id must be a text without NUL characters
/order_payment_list/0/order_id x×65
  422 order_payment_list.order_id must not be longer than 64
/order_payment_list/0/amount null
  422 order_payment_list.amount is required
/order_payment_list/0/amount 0
  422 amount is invalid
/order_payment_list/0/amount -0.01
  422 amount is invalid
/order_payment_list/0/amount "1e1"
  422 amount is invalid
/order_payment_list/0/amount 0.001
  422 amount is invalid
/order_payment_list/0/amount 10.01
  422 payment amount exceeds the outstanding amount of the order
/order_payment_list/0/amount 9999999999999999999999999999999
  422 amount is invalid
/order_payment_list/0/status "PAID"
  422 order_payment_list.status is invalid
/order_payment_list/0/status true
  400 Bad Request: order_payment_list[0].status must be a string
/order_payment_list/0/currency "dollars"
  422 currency must be USD
/order_payment_list/0/currency 840
  400 Bad Request: order_payment_list[0].currency must be a string
/order_payment_list/0/gateway "COD"
  422 order_payment_list.gateway is invalid
/order_payment_list/0/create_at "now"
  400 Bad Request: order_payment_list[0].create_at must be a whole number
/order_payment_list/0/create_at 253402300800
  422 create_at is invalid: use epoch seconds, e.g. 1632638624
/order_payment_list/0/processed_at 1632638624
  400 Bad Request: order_payment_list[0].processed_at must be a string
/order_payment_list/0/payment_details "cash"
  400 Bad Request: order_payment_list[0].payment_details must be an object
/order_payment_list/0/payment_details {"pay_channel_deal_id":[1]}
  400 Bad Request: order_payment_list[0].payment_details.pay_channel_deal_id must be a string or a number
/order_payment_list/0/payment_details {"store_payment_name":"a\u0000b"}
  422 order_payment_list.payment_details.store_payment_name must be a text without NUL characters
"#;

fn shipment(world: &World) -> Value {
    json!({"fulfillment": {"line_items": [{"id": world.bad.line_number(0), "quantity": 1}], "tracking_number": "T"}})
}

fn slip(world: &World) -> Value {
    json!({"order_payment_list": [{"order_id": world.unpaid.shopline_order(), "amount": 5.00, "currency": "USD",
        "status": "paid", "gateway": "customPay"}]})
}

fn parcels(world: &World) -> Vec<Row> {
    let order = world.bad.shopline_order();
    let of_order = format!("{BASE}/orders/{order}/fulfillments.json");
    let good = shipment(world);
    let others: &[&str] = &["PUT", "PATCH", "DELETE", "BREW"];
    let mut rows = basics(Row::post("", &of_order, &good), "GET, POST", others, true);
    rows.extend(fields(SHIPMENT, &of_order, &good, errors));
    let line = world.other.line_number(0);
    rows.push(
        Row::post("another order's line", &of_order, &put(&good, "/fulfillment/line_items/0/id", json!(line)))
            .says(422, errors(&format!("line_item_id {line} does not exist in the order"))),
    );
    let thrice = json!(vec![good["fulfillment"]["line_items"][0].clone(); 3]);
    rows.push(
        Row::post("units of one line, thrice", &of_order, &put(&good, "/fulfillment/line_items", thrice))
            .says(422, errors("fulfillment quantity exceeds the fulfillable quantity")),
    );
    let tracked = json!({"fulfillment": {"tracking_info": {"number": "1"}}});
    for (cancel, track) in [
        (format!("orders/{order}/fulfillments/{NOBODY}/cancel.json"), format!("orders/{order}/fulfillments/{NOBODY}")),
        (format!("fulfillments/{NOBODY}/{order}/cancel.json"), format!("fulfillments/{order}/{NOBODY}")),
    ] {
        let (cancel, track) = (format!("{EARLY}/{cancel}"), format!("{EARLY}/{track}/update_tracking.json"));
        rows.extend(basics(Row::post("", &cancel, &json!({})), "POST", &["GET", "DELETE"], true));
        rows.extend(basics(Row::post("", &track, &tracked), "POST", &["GET", "PUT"], true));
        rows.push(Row::post("nobody's", &cancel, &json!({})).says(404, errors(PARCEL_UNKNOWN)));
        rows.push(Row::post("nobody's", &track, &tracked).says(404, errors(PARCEL_UNKNOWN)));
        rows.push(
            Row::post("nothing to follow", &track, &without(&tracked, "/fulfillment/tracking_info"))
                .says(422, errors("fulfillment is required")),
        );
    }
    for id in ["nobody", "0", "a%2Fb", "a%00b", "%FF", "a%27%20OR%201=1", &"9".repeat(26), &"x".repeat(20_000)] {
        let list = format!("{BASE}/orders/{id}/fulfillments.json");
        rows.push(Row::get("an odd order", &list).says(404, errors(ORDER_UNKNOWN)));
        rows.push(Row::post("an odd order", &list, &good).says(404, errors(ORDER_UNKNOWN)));
        let of = [format!("orders/{order}/fulfillments/{id}"), format!("fulfillments/{id}/{order}")];
        let odd = |path| Row::post("an odd one", format!("{BASE}/{path}/cancel.json"), &json!({}));
        rows.extend(of.map(|path| odd(path).says(404, errors(PARCEL_UNKNOWN))));
    }
    rows
}

fn slips(world: &World) -> Vec<Row> {
    let (make, alter) = (format!("{BASE}/orders/transactions.json"), format!("{BASE}/orders/update_transactions.json"));
    let (good, order) = (slip(world), world.bad.shopline_order());
    let paid = world.bad.shopline_slip(0);
    let change = json!({"transactions": [{"id": paid, "order_id": order, "status": "paid", "amount": 100}]});
    let mut rows = basics(Row::post("", &make, &good), "POST", &["GET", "PUT", "DELETE"], true);
    rows.extend(basics(Row::post("", &alter, &change), "POST", &["GET", "PUT", "DELETE"], true));
    rows.extend(fields(SLIP, &make, &good, errors));
    let entry = good["order_payment_list"][0].clone();
    let list = |entries: Value| json!({ "order_payment_list": entries });
    let of = |id: &str| put(&entry, "/order_id", json!(id));
    let too_much = errors("payment amount exceeds the outstanding amount of the order");
    rows.extend([
        Row::post("a hundred and one", &make, &list(json!(vec![entry.clone(); 101])))
            .says(422, errors("order_payment_list must not be longer than 100")),
        Row::post("a cent too much over both", &make, &list(json!([entry, put(&entry, "/amount", json!(5.01))])))
            .says(422, too_much.clone()),
        Row::post("a good one beside one that is not", &make, &list(json!([entry, of(&order)]))).says(422, too_much),
        Row::post("a good one beside nobody's", &make, &list(json!([entry, of("nobody")])))
            .says(404, errors(ORDER_UNKNOWN)),
        Row::post("what a gateway answers for", &alter, &change)
            .says(422, errors(&format!("transaction {paid} is no offline payment"))),
        Row::post("another order's slip", &alter, &put(&change, "/transactions/0/id", json!("0/\u{e9}")))
            .says(422, errors("transaction 0/\u{e9} does not exist in the order")),
        Row::post("no slip", &alter, &without(&change, "/transactions/0/id"))
            .says(422, errors("transactions.id is required")),
        Row::post("no order", &alter, &without(&change, "/transactions/0/order_id"))
            .says(422, errors("transactions.order_id is required")),
        Row::post("nothing", &alter, &json!({})).says(422, errors("transactions is required")),
        Row::post("a void", &alter, &put(&change, "/transactions/0/kind", json!("void")))
            .says(422, errors("transactions.kind is invalid")),
    ]);
    rows
}

fn transactions(world: &World) -> Vec<Row> {
    let order = world.bad.shopline_order();
    let list = format!("{EARLY}/orders/{order}/transactions.json");
    let query = format!("{BASE}/transactions/query.json");
    let good = json!({ "order_id": order });
    let mut rows = basics(Row::get("", &list), "GET", &["POST", "PUT"], false);
    rows.extend(basics(Row::post("", &query, &good), "POST", &["GET", "PUT"], false));
    for (what, body) in unreadable() {
        rows.push(Row::new(what, "POST", &query).body(body).names(400, &["Bad Request: the body is not valid JSON: "]));
    }
    rows.extend([
        Row::post("before it was there", format!("{EARLY}/transactions/query.json"), &good)
            .says(404, errors("Not Found")),
        Row::post("no order", &query, &json!({})).says(422, errors("order_id is required")),
        Row::post("nobody", &query, &json!({"order_id": "a\u{e9}"})).says(404, errors(ORDER_UNKNOWN)),
        Row::post("a list of orders", &query, &json!({"order_id": [order]}))
            .says(400, errors("Bad Request: order_id must be a string or a number")),
        Row::post("no transaction", &query, &put(&good, "/transaction_id", json!(true)))
            .says(400, errors("Bad Request: transaction_id must be a string or a number")),
    ]);
    for id in ["nobody", "0", "a%2Fb", "a%00b", "%FF", &"9".repeat(26), &"x".repeat(20_000)] {
        let path = format!("{BASE}/orders/{id}/transactions.json");
        rows.push(Row::get("an odd order", path).says(404, errors(ORDER_UNKNOWN)));
    }
    rows
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let mut rows = parcels(&world);
    rows.extend(slips(&world));
    rows.extend(transactions(&world));
    world.check(&rows);
    world.close();
}
