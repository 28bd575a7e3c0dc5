//! A worked order through Shoplazza's API, figure by figure: line A of two cups at 20.00, one of them shipped, line B
//! of one pot at 30.00, shipping 10.00, a tip of 5.00, gift wrapping of 5.00; 90.00 paid in one payment.

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, TOKEN, settled};

on_both!(the_worked_order_comes_out_to_the_cent, units_that_are_named_in_two_ways_are_refused,);

const ORDER: &str = "633130-SPZ00000020";

fn document() -> Value {
    json!({"order": {
        "id": ORDER, "number": "SPZ00000020", "status": "placed", "financial_status": "paid",
        "fulfillment_status": "partially_shipped", "currency": "USD", "sub_total": "70.00", "total_price": "90.00",
        "total_shipping": "10.00", "total_tip_received": "5.00", "additional_total": "5.00", "total_paid": "90.00",
        "created_at": "2026-06-24T08:00:00Z", "updated_at": "2026-06-24T08:17:59Z",
        "additional_prices": [{"name": "Gift Wrapping", "price": "5.00"}],
        "payment_lines": [{"id": "P", "payment_channel": "bogus", "payment_method": "bogus", "transaction_no": "tr_1"}],
        "line_items": [
            {"id": "A", "product_id": "p1", "variant_id": "v1", "product_title": "Cup", "quantity": 2, "price": "20.00",
                "sku": "cup", "ship_quantity": 1},
            {"id": "B", "product_id": "p2", "variant_id": "v2", "product_title": "Pot", "quantity": 1, "price": "30.00",
                "sku": "pot", "ship_quantity": 0},
        ],
    }})
}

/// A client of the platform's API.
struct Api {
    client: Client,
}

impl Api {
    #[track_caller]
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("access-token", TOKEN), ("content-type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.client.send(method, &format!("/openapi/{path}"), &headers, &body).expect("an answer")
    }

    #[track_caller]
    fn done(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        answer.json()
    }

    #[track_caller]
    fn refused(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.call("POST", path, body);
        (answer.status, answer.json())
    }

    fn record(&mut self, refund: &Value) -> Value {
        self.done("POST", &format!("2026-01/orders/{ORDER}/refund"), &json!({ "refund": refund }))
    }

    fn order(&mut self) -> Value {
        self.done("GET", &format!("2022-01/orders/{ORDER}"), &Value::Null)["order"].clone()
    }
}

fn taken_in(place: &Place) -> (crate::harness::Process, Api) {
    let server = place.serve(&[]);
    let mut client = server.client();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let line = format!("{}\n", document());
    let path = "/v1/orders/import?from=shoplazza";
    let taken = client.send("POST", path, &headers, line.as_bytes()).expect("an answer");
    assert_eq!(taken.json()["created"], 1, "{}", taken.text());
    (server, Api { client })
}

/// The first example: a cup that waits, and the gift wrapping.
fn first() -> Value {
    json!({
        "refund_total": "25.00", "refund_product_total": "20.00", "refund_additional_total": "5.00",
        "refund_additional_prices": [{"name": "Gift Wrapping", "price": "5.00"}],
        "refund_line_items": [
            {"line_item_id": "A", "quantity": 1, "refund_item_type": 0, "return_inventory": true},
        ],
    })
}

fn the_worked_order_comes_out_to_the_cent(on: Backend) {
    let place = Place::new(on);
    let (_server, mut api) = taken_in(&place);
    let answer = api.record(&first());
    let data = &answer["data"];
    assert_eq!((&answer["code"], &answer["message"]), (&json!("Success"), &json!("Refund processed successfully")));
    settled(&mut api.client);
    let order = api.order();
    let said = ["financial_status", "status", "total_refund_price", "refund_status"].map(|key| order[key].clone());
    assert_eq!(said, ["partially_refunded", "placed", "25.00", "general"].map(Value::from));
    let modern = api.done("GET", &format!("2025-06/orders/refund_records?order_ids={ORDER}"), &Value::Null);
    let record = &modern["data"]["records"][0];
    assert_eq!((&record["id"], &record["refund_price"]), (&data["refund_record_id"], &json!("25.00")));
    assert_eq!((&record["additional_total"], &record["refund_tip"]), (&json!("5.00"), &json!("0.00")));
    assert_eq!(record["additional_prices"][0]["name"], "Gift Wrapping");
    assert_eq!(record["refund_line_items"][0]["delete_quantity"], 1);
    let payments = record["payment_details"].as_array().expect("a list");
    assert_eq!(payments.len(), 1);
    assert_eq!((&payments[0]["payment_line_id"], &payments[0]["refund_price"]), (&json!("P"), &json!("25.00")));

    // The rest, and once more.
    let full = api.done("POST", &format!("2022-01/orders/{ORDER}/refund"), &Value::Null);
    assert_eq!((&full["number"], &full["all_refunded"]), (&json!("SPZ00000020-S2"), &json!(true)));
    assert_eq!((&full["status"], &full["refund"]["refund_price"]), (&json!("finished"), &json!("65.00")));
    assert_eq!(full["refund"], full["refunds"]);
    let after = &full["order"];
    assert_eq!((&after["financial_status"], &after["status"]), (&json!("refunded"), &json!("placed")));
    let again = api.refused(&format!("2022-01/orders/{ORDER}/refund"), &Value::Null);
    assert_eq!(again, (406, json!({"errors": ["After-sales is not included in current order."]})));

    let path = format!("2022-01/orders/refund_records?order_ids={ORDER}&sort_by=created_at&sort_direction=asc");
    let legacy = api.done("GET", &path, &Value::Null);
    let records = legacy["records"].as_array().expect("a list");
    let prices: Vec<&Value> = records.iter().map(|record| &record["refund_price"]).collect();
    assert_eq!(prices, [&json!("25.00"), &json!("65.00")]);
    assert_eq!(api.order()["total_refund_price"], "90.00");
    let first = &records[0];
    assert_eq!((&first["currency"], &first["refund_line_items"][0]["delete_quantity"]), (&json!("USD"), &json!("1")));
    assert_eq!(first["refund_line_items"][0]["line_item"]["id"], "A");
    for key in ["refund_tip", "additional_total", "additional_prices"] {
        assert!(first[key].is_null() && !record[key].is_null(), "{key} is of modern records only");
    }
    place.assert_clean();
}

fn units_that_are_named_in_two_ways_are_refused(on: Backend) {
    let place = Place::new(on);
    let (_server, mut api) = taken_in(&place);
    api.record(&first());
    settled(&mut api.client);
    let items = |items: Value| json!({"refund": {"refund_total": "20.00", "refund_line_items": items}});
    let path = format!("2025-06/orders/{ORDER}/refund");
    let unit = |line: &str, kind: u8, back: bool| {
        let kind = json!(kind);
        json!({"line_item_id": line, "quantity": 1, "refund_item_type": kind, "return_inventory": back})
    };
    for refused in [
        // The cup that waited is gone.
        items(json!([unit("A", 1, false), unit("A", 2, false)])),
        items(json!([unit("B", 0, false), unit("B", 2, false)])),
        items(json!([unit("B", 1, true), unit("B", 2, false)])),
    ] {
        let (status, body) = api.refused(&path, &refused);
        assert_eq!((status, &body["code"]), (400, &json!("InvalidParameter")), "{refused} {body}");
    }
    assert_eq!(api.order()["total_refund_price"], "25.00", "nothing of them was stored");
    place.assert_clean();
}
