//! An order that comes in unpaid is paid, shipped in part, delivered and refunded through Shoplazza's API, in both of
//! its generations.

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, settled};

on_both! {
    an_order_is_paid_shipped_delivered_and_refunded,
    older_versions_do_the_same,
    many_that_pay_or_ship_at_once_do_it_once,
}

/// 2 shirts at 20.00 and a mug at 30.00, shipping 10.00: nothing paid, nothing shipped.
fn unpaid(id: &str) -> Value {
    json!({
        "id": id, "number": id, "status": "opened", "financial_status": "waiting", "fulfillment_status": "initialled",
        "currency": "USD", "sub_total": "70.00", "total_price": "80.00", "total_shipping": "10.00",
        "created_at": "2026-01-02T03:04:05Z", "payment_line": {"payment_channel": "", "payment_method": ""},
        "billing_address": {"first_name": "Old", "last_name": "Name", "address1": "Old Street", "city": "Bern"},
        "line_items": [
            {"id": "shirt", "product_title": "Shirt", "quantity": 2, "price": "20.00", "total": "40.00"},
            {"id": "mug", "product_title": "Mug", "quantity": 1, "price": "30.00", "total": "30.00"},
        ],
    })
}

/// A server with its provider, and orders that came in from Shoplazza.
fn started(place: &Place, orders: &[Value]) -> (Process, Process) {
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let lines: Vec<u8> = orders.iter().flat_map(|order| format!("{order}\n").into_bytes()).collect();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let path = "/v1/orders/import?from=shoplazza";
    let answer = server.client().send("POST", path, &headers, &lines).expect("an answer");
    assert_eq!((answer.status, &answer.json()["created"]), (200, &json!(orders.len())), "{}", answer.text());
    (provider, server)
}

#[track_caller]
fn ask(client: &mut Client, method: &str, path: &str, body: &Value) -> Answer {
    let headers = [("access-token", TOKEN), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    client.send(method, &format!("/openapi/{path}"), &headers, body.as_bytes()).expect("an answer")
}

/// What is answered to something that is done.
#[track_caller]
fn done(client: &mut Client, method: &str, path: &str, body: &Value) -> Value {
    let answer = ask(client, method, path, body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

#[track_caller]
fn refused(client: &mut Client, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = ask(client, method, path, body);
    assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.text());
    (answer.status, answer.json())
}

fn statuses(transactions: &Value) -> Vec<&str> {
    transactions.as_array().expect("a list").iter().map(|t| t["status"].as_str().expect("a status")).collect()
}

/// Asks for one unit of a line, of those that wait (2) or were shipped (1).
fn unit(line: &str, bucket: u8, total: &str) -> Value {
    json!({"refund": {"refund_total": total, "refund_line_items": [
        {"line_item_id": line, "quantity": 1, "refund_item_type": bucket}]}})
}

const NOT_NOW: &str = "Operation not allowed in current state";

fn an_order_is_paid_shipped_delivered_and_refunded(on: Backend) {
    let place = Place::new(on);
    let (_provider, server) = started(&place, &[unpaid("1-1")]);
    let client = &mut server.client();
    let (order, fulfillments) = ("2025-06/orders/1-1", "2025-06/orders/1-1/fulfillments");
    let transactions = |client: &mut Client, query: &str| {
        done(client, "GET", &format!("{order}/transactions{query}"), &Value::Null)["data"]["transactions"].clone()
    };
    assert_eq!(transactions(client, ""), json!([]));
    assert_eq!(refused(client, "POST", &format!("{order}/refund"), &unit("mug", 2, "30.00")).0, 400);
    let paid = json!({"gateway": "Wallet", "payment_line": {"payment_channel": "stripe",
        "payment_method": "credit_card", "transaction_no": "pi_1", "credit_card_number": "4242424242424242"}});
    let answer = done(client, "POST", &format!("{order}/payment/success"), &paid);
    assert_eq!(answer["data"]["order"]["financial_status"], "paid", "{answer:#}");
    let (status, body) = refused(client, "POST", &format!("{order}/payment/success"), &paid);
    assert_eq!((status, &body["message"]), (400, &json!("the order is paid already")));
    let told = transactions(client, "?status=success&payment_channel=stripe");
    assert_eq!((&told[0]["amount"], &told[0]["payment_name"]), (&json!("80.00"), &json!("Wallet")));
    assert_eq!(told[0]["payment_detail"]["card_number"], "424242******4242", "{told:#}");

    let part = json!({"fulfillment": {"line_items": [{"id": "shirt", "ship_quantity": 1}], "tracking_number": "T1"}});
    let first = done(client, "POST", fulfillments, &part)["data"]["fulfillment"].clone();
    assert_eq!((&first["status"], &first["line_items"][0]["ship_quantity"]), (&json!("shipped"), &json!(1)));
    let first = format!("{fulfillments}/{}", first["id"].as_str().expect("an id"));
    let arrived = done(client, "POST", &format!("{first}/complete"), &Value::Null);
    assert_eq!(arrived["data"]["fulfillment"]["status"], "finished");
    assert_eq!(done(client, "POST", &format!("{first}/complete"), &Value::Null), arrived, "a second time");

    // One shirt waits, the other one was shipped: each is refunded out of its own.
    for bucket in [2, 1] {
        done(client, "POST", &format!("{order}/refund"), &unit("shirt", bucket, "20.00"));
        settled(client);
        assert_eq!(statuses(&transactions(client, "")), ["refunded"]);
    }
    assert_eq!(refused(client, "POST", &format!("{order}/refund"), &unit("shirt", 0, "20.00")).0, 400);

    let mug = json!({"fulfillment": {"line_items": [{"id": "mug"}]}});
    let mug = done(client, "POST", fulfillments, &mug)["data"]["fulfillment"]["id"].clone();
    let mug = format!("{fulfillments}/{}", mug.as_str().expect("an id"));
    done(client, "POST", &format!("{order}/refund"), &unit("mug", 1, "30.00"));
    settled(client);
    let (status, body) = refused(client, "POST", &format!("{mug}/cancel"), &Value::Null);
    let message = "units of Mug were refunded as shipped, so they cannot wait to be shipped again";
    assert_eq!((status, &body["message"]), (400, &json!(message)));
    let tracked = json!({"fulfillment": {"tracking_number": "T2"}});
    assert_eq!(done(client, "PUT", &mug, &tracked)["data"]["fulfillment"]["tracking_number"], "T2");
    assert_eq!(done(client, "GET", &mug, &Value::Null)["data"]["fulfillment"]["tracking_number"], "T2");
    let page = done(client, "GET", &format!("{fulfillments}?page_size=1"), &Value::Null)["data"].clone();
    assert_eq!((&page["fulfillments"][0]["tracking_number"], &page["has_more"]), (&json!("T2"), &json!(true)));
    let next = format!("{fulfillments}?page_size=1&cursor={}", page["cursor"].as_str().expect("a cursor"));
    let page = done(client, "GET", &next, &Value::Null)["data"].clone();
    assert_eq!((&page["fulfillments"][0]["tracking_number"], &page["has_more"]), (&json!("T1"), &json!(false)));
    assert_eq!(done(client, "GET", &format!("{fulfillments}/count"), &Value::Null)["data"]["count"], 2);
    place.assert_clean();
}

fn older_versions_do_the_same(on: Backend) {
    let place = Place::new(on);
    let (_provider, server) = started(&place, &[unpaid("1-1"), unpaid("1-2")]);
    let client = &mut server.client();
    let (order, fulfillments) = ("2022-01/orders/1-1", "2022-01/orders/1-1/fulfillments");
    let address = json!({"billing_address": {"first_name": "Ada", "last_name": "Byron", "address": "1 New Street"}});
    let answer = done(client, "POST", &format!("{order}/payment/success"), &address);
    let paid = &answer["order"];
    assert_eq!((&paid["status"], &paid["financial_status"]), (&json!("placed"), &json!("paid")), "{paid:#}");
    assert_eq!((&paid["total_paid"], &paid["payment_line"]["payment_channel"]), (&json!("80.00"), &json!("bogus")));
    let billing = &paid["billing_address"];
    assert_eq!((&billing["name"], &billing["address1"]), (&json!("Ada Byron"), &json!("1 New Street")), "{billing:#}");
    assert_eq!((&billing["city"], &billing["address2"]), (&json!("Bern"), &json!("")), "{billing:#}");
    let told = done(client, "GET", &format!("{order}/transactions"), &Value::Null);
    let sale = &told["transactions"][0];
    assert_eq!((&told["count"], &sale["test"], &sale["amount"]), (&json!(1), &json!(true), &json!("80.0000")));
    assert_eq!((&sale["trade_id"], &told["since_id"]), (&json!("test_1-1"), &sale["id"]));
    assert_eq!(
        refused(client, "POST", &format!("{order}/payment/success"), &Value::Null),
        (406, json!({"errors": [NOT_NOW]}))
    );

    let all = json!({"tracking_number": "T1", "line_item_ids": ["shirt", "mug"]});
    let sent = done(client, "POST", fulfillments, &all)["fulfillment"].clone();
    let sent = format!("{fulfillments}/{}", sent["id"].as_str().expect("an id"));
    assert_eq!(done(client, "POST", &format!("{sent}/cancel"), &Value::Null)["fulfillment"]["status"], "cancelled");
    let over = (406, json!({"errors": [NOT_NOW]}));
    assert_eq!(refused(client, "POST", &format!("{sent}/complete"), &Value::Null), over);
    let again = done(client, "POST", fulfillments, &all)["fulfillment"]["id"].clone();
    let again = format!("{fulfillments}/{}", again.as_str().expect("an id"));
    done(client, "POST", &format!("{again}/complete"), &Value::Null);
    assert_eq!(refused(client, "POST", &format!("{again}/cancel"), &Value::Null), over);
    let listed = done(client, "GET", &format!("{fulfillments}?limit=1&page=2"), &Value::Null);
    assert_eq!(listed["fulfillments"][0]["status"], "cancelled", "{listed:#}");

    let case = done(client, "POST", &format!("{order}/refund"), &Value::Null);
    assert_eq!((&case["all_refunded"], &case["order"]["fulfillment_status"]), (&json!(true), &json!("finished")));
    let told = done(client, "GET", &format!("{order}/transactions"), &Value::Null);
    assert_eq!(statuses(&told["transactions"]), ["refunded"]);
    for path in ["2022-01/orders/9/fulfillments", "2022-01/orders/1-2/fulfillments/9", "2022-01/orders/9/transactions"]
    {
        let unknown = (404, json!({"errors": ["Unable to find resource"]}));
        assert_eq!(refused(client, "GET", path, &Value::Null), unknown, "{path}");
    }
    place.assert_clean();
}

/// Sends the same from eight connections, and gives how many were done.
fn at_once(server: &Process, path: &str, body: &Value) -> usize {
    std::thread::scope(|scope| {
        let try_it = || ask(&mut server.client(), "POST", path, body).status;
        let sent: Vec<_> = (0..8).map(|_| scope.spawn(try_it)).collect();
        let answers: Vec<u16> = sent.into_iter().map(|thread| thread.join().expect("an answer")).collect();
        assert!(answers.iter().all(|status| matches!(status, 200 | 400 | 406 | 422)), "{answers:?}");
        answers.into_iter().filter(|status| *status == 200).count()
    })
}

fn many_that_pay_or_ship_at_once_do_it_once(on: Backend) {
    let place = Place::new(on);
    let (_provider, server) = started(&place, &[unpaid("1-1")]);
    let paid = json!({"payment_line": {"payment_channel": "stripe", "payment_method": "card", "transaction_no": "p"}});
    assert_eq!(at_once(&server, "2022-01/orders/1-1/payment/success", &paid), 1);
    let one = json!({"tracking_number": "T", "line_items": [{"id": "shirt", "ship_quantity": 1}]});
    assert_eq!(at_once(&server, "2022-01/orders/1-1/fulfillments", &one), 2, "there are two shirts");
    let client = &mut server.client();
    assert_eq!(done(client, "GET", "2022-01/orders/1-1/fulfillments/count", &Value::Null)["count"], 2);
    assert_eq!(done(client, "GET", "2022-01/orders/1-1/transactions", &Value::Null)["count"], 1);
    place.assert_clean();
}
