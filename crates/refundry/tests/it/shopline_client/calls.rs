//! What the client sends, and what it does with an answer, against a server that answers everything with the same.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::samples::{self, LOCATION, ORDER, PARCEL, REFUND, REFUND_TRANSACTION, RETURN, SLIP};
use super::sending::{Links, as_sent, links, query};
use super::{ApiError, Client, Refund, Way, Webhook};

#[test]
fn links_are_read_to_the_letter() {
    let next = "<http://h/a.json?limit=2&page_info=x>; rel=\"next\"";
    let previous = "<http://h/a.json?limit=2&page_info=y>; rel=\"previous\"";
    let url = |info: &str| Some(format!("http://h/a.json?limit=2&page_info={info}"));
    assert_eq!(links(next), Ok(Links { next: url("x"), previous: None }));
    assert_eq!(links(&format!("{previous},{next}")), Ok(Links { next: url("x"), previous: url("y") }));
    for wrong in [
        "",
        &format!("{previous}, {next}"),
        &format!("{next},{next}"),
        &next.replace("; ", ";"),
        &next.replace('"', ""),
        &next.replace("next", "last"),
        &next.replace("page_info=x", "page_info="),
        &next.replace("limit=2", "limit=2,3"),
        &next.replace('<', ""),
    ] {
        assert!(links(wrong).is_err(), "{wrong}");
    }
}

/// A JSON number of exactly these digits.
fn digits(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

#[test]
fn what_is_not_set_is_sent_as_empty_objects_or_not_at_all() {
    let objects = json!({"shipping": {"tax": {}}, "lines": [{"tax": {}}], "others": [{"tax": {}}]});
    let body = json!({"note": "", "notify": false, "amount": "0.00", "number": 0, "double": digits("0.00"),
        "lines": [{"id": 601, "quantity": 0, "type": null}], "empty": [], "kept": true, "of": {"x": ""}});
    let sent = json!({"amount": "0.00", "lines": [{"id": 601, "tax": {}}], "kept": true, "of": {},
        "shipping": {"tax": {}}});
    assert_eq!(as_sent(&body, &objects), sent);
    assert_eq!(query(&[]), "");
    assert_eq!(
        query(&[("ids", "1,2"), ("t", "2023-04-12T22:59:52+08:00")]),
        "?ids=1%2C2&t=2023-04-12T22%3A59%3A52%2B08%3A00"
    );
}

/// Somebody who answers every request with the same, and keeps what was sent.
struct Stub {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stub = Self { url, answer: Arc::default(), asked: Arc::default() };
        let (answer, asked) = (Arc::clone(&stub.answer), Arc::clone(&stub.asked));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                std::thread::spawn(move || stream.map(|stream| serve(stream, &answer, &asked)));
            }
        });
        stub
    }

    fn answers(&self, status: u16, headers: &str, body: &Value) {
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        *self.answer.lock().expect("no panic") = format!("{head}{body}");
    }

    fn grants(&self, body: &Value) {
        self.answers(200, "content-type: application/json\r\ntraceid: 1\r\n", body);
    }

    fn asked(&self) -> String {
        self.asked.lock().expect("no panic").pop().expect("something was asked")
    }

    fn client(&self, version: &str) -> Client {
        Client::new(&self.url, version, "a-token")
    }
}

fn serve(stream: TcpStream, answer: &Mutex<String>, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut request, mut length) = (String::new(), String::new(), 0);
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            if let Some(digits) = line.strip_prefix("content-length: ") {
                length = digits.trim().parse().expect("a length");
            } else if !line.starts_with("host: ") {
                request.push_str(&line.replace("\r\n", "\n"));
            }
            line.clear();
        }
        let mut body = vec![0; length];
        // Whoever is done with it hangs up.
        if request.is_empty() || reader.read_exact(&mut body).is_err() {
            return;
        }
        asked.lock().expect("no panic").push(format!("{request}{}", String::from_utf8_lossy(&body)));
        let answer = answer.lock().expect("no panic").clone();
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

type Call = fn(&mut Client) -> Result<(), ApiError>;

const ONE: &str = "GET orders/{id}.json";
const NOTHING: &str = "DELETE orders/{id}.json";
const COUNT: &str = "GET count.json";
const PARCEL_SHOWN: &str = "fulfillments.json";
const SLIPS: &str = "POST orders/transactions.json";
const HOOK: &str = "POST webhooks.json";

/// Every call: the sample that answers it, the call, and what is sent: method, path below the version, body. Ids are
/// written as their names.
const CALLS: &[(&str, Call, &str)] = &[
    (
        "POST order/refund.json",
        |client| client.refund(&json!({"order_id": ORDER, "notify": false, "transactions": []})).map(drop),
        r#"POST /order/refund.json {"order_id":"ORDER","shipping":{}}"#,
    ),
    (
        "POST refunds/calculate.json",
        |client| client.trial(ORDER, &json!({})).map(drop),
        r#"POST /orders/ORDER/refunds/calculate.json {"shipping":{}}"#,
    ),
    (
        "GET refunds.json",
        |client| client.refunds(ORDER, &[("limit", "2")]).map(drop),
        "GET /orders/ORDER/refunds.json?limit=2",
    ),
    (
        "GET refunds/{id}.json",
        |client| client.refund_of(ORDER, REFUND).map(drop),
        "GET /orders/ORDER/refunds/REFUND.json",
    ),
    ("GET orders.json", |client| client.orders(&[("ids", ORDER)]).map(drop), "GET /orders.json?ids=ORDER"),
    (COUNT, |client| client.count_orders(&[]).map(|count| assert_eq!(count, 7)), "GET /orders/count.json"),
    (ONE, |client| client.order(ORDER).map(drop), "GET /orders/ORDER.json"),
    (
        "POST orders.json",
        |client| client.create_order(&json!({"line_items": [{"quantity": 1}]})).map(drop),
        r#"POST /orders.json {"order":{"billing_address":{},"customer":{},"line_items":[{"discount_price":{},"quantity":1,"tax_line":{}}],"price_info":{},"shipping_address":{},"shipping_line":{"tax_line":{}},"transactions":{}}}"#,
    ),
    (
        ONE,
        |client| client.update_order(ORDER, &json!({"tags": "a"})).map(drop),
        r#"PUT /orders/ORDER.json {"order":{"shipping_address":{},"tags":"a"}}"#,
    ),
    (NOTHING, |client| client.delete_order(ORDER), "DELETE /orders/ORDER.json"),
    (
        ONE,
        |client| client.cancel_order(ORDER, &json!({"restock": false, "email": true})).map(drop),
        r#"POST /orders/ORDER/cancel.json {"email":true}"#,
    ),
    ("GET transactions.json", |client| client.payments(ORDER).map(drop), "GET /orders/ORDER/transactions.json"),
    (
        "POST transactions/query.json",
        |client| client.transactions(ORDER, "").map(drop),
        r#"POST /transactions/query.json {"order_id":"ORDER"}"#,
    ),
    (
        SLIPS,
        |client| client.create_slips(&json!([{"order_id": ORDER, "amount": 5}])).map(drop),
        r#"POST /orders/transactions.json {"order_payment_list":[{"amount":5,"order_id":"ORDER","payment_details":{}}]}"#,
    ),
    (
        SLIPS,
        |client| client.update_slips(&json!([{"id": SLIP, "status": "paid"}])).map(drop),
        r#"POST /orders/update_transactions.json {"transactions":[{"id":"SLIP","payment_details":{},"status":"paid"}]}"#,
    ),
    (
        NOTHING,
        |client| client.notify_refund("8", "card", &json!({"refund_transaction_id": REFUND_TRANSACTION})),
        r#"POST /payment/notify/8/card/refund.json {"refund_transaction_id":"LEG"}"#,
    ),
    (
        PARCEL_SHOWN,
        |client| client.ship(ORDER, &json!({"notify_customer": false})).map(drop),
        r#"POST /orders/ORDER/fulfillments.json {"fulfillment":{}}"#,
    ),
    ("GET fulfillments.json", |client| client.fulfillments(ORDER).map(drop), "GET /orders/ORDER/fulfillments.json"),
    (
        PARCEL_SHOWN,
        |client| client.cancel_fulfillment(Way::Fulfillments, ORDER, PARCEL).map(drop),
        "POST /fulfillments/PARCEL/ORDER/cancel.json",
    ),
    (
        PARCEL_SHOWN,
        |client| client.update_tracking(Way::FulfillmentsSwapped, ORDER, PARCEL, &json!({})).map(drop),
        r#"POST /fulfillments/ORDER/PARCEL/update_tracking.json {"fulfillment":{"tracking_info":{}}}"#,
    ),
    (
        "POST return/create.json",
        |client| client.create_return(&json!({"order_seq": ORDER})).map(drop),
        r#"POST /return/create.json {"order_seq":"ORDER"}"#,
    ),
    ("GET return.json", |client| client.returns(&[("order_id", ORDER)]).map(drop), "GET /return.json?order_id=ORDER"),
    (NOTHING, |client| client.close_return(RETURN, false), "POST /return/RETURN/close.json {}"),
    ("GET locations/list.json", |client| client.locations().map(drop), "GET /locations/list.json"),
    ("GET locations.json", |client| client.locations_with_district().map(drop), "GET /locations.json"),
    ("GET locations/{id}.json", |client| client.location(LOCATION).map(drop), "GET /locations/PLACE.json"),
    (
        "GET inventory_levels.json",
        |client| client.levels(&[("inventory_item_ids", "i")]).map(drop),
        "GET /inventory_levels.json?inventory_item_ids=i",
    ),
    (
        "POST set.json",
        |client| client.set_level("i", LOCATION, 0).map(drop),
        r#"POST /inventory_levels/set.json {"inventory_item_id":"i","location_id":"PLACE"}"#,
    ),
    (
        "POST adjust.json",
        |client| client.adjust_level("i", LOCATION, -1).map(drop),
        r#"POST /inventory_levels/adjust.json {"available_adjustment":-1,"inventory_item_id":"i","location_id":"PLACE"}"#,
    ),
    ("GET shop.json", |client| client.shop().map(drop), "GET /merchants/shop.json"),
    ("GET currencies.json", |client| client.currencies().map(drop), "GET /currency/currencies.json"),
    ("GET payment_settings.json", |client| client.payment_settings().map(drop), "GET /checkouts/payment_settings.json"),
    ("GET pay_channels.json", |client| client.pay_channels().map(drop), "GET /orders/pay_channels.json"),
    (
        HOOK,
        |client| client.subscribe(&json!({"topic": "refunds/create"})).map(drop),
        r#"POST /webhooks.json {"webhook":{"topic":"refunds/create"}}"#,
    ),
    ("GET webhooks.json", |client| client.webhooks(&[]).map(drop), "GET /webhooks.json"),
    (COUNT, |client| client.count_webhooks().map(|count| assert_eq!(count, 7)), "GET /webhooks/count.json"),
    (HOOK, |client| client.webhook(7).map(drop), "GET /7/webhooks.json"),
    (HOOK, |client| client.change_webhook(7, "a").map(drop), r#"PUT /7/webhooks.json {"webhook":{"address":"a"}}"#),
    (NOTHING, |client| client.delete_webhook(7), "DELETE /7/webhooks.json"),
];

fn with_ids(text: &str) -> String {
    let ids = [
        ("ORDER", ORDER),
        ("REFUND", REFUND),
        ("RETURN", RETURN),
        ("PARCEL", PARCEL),
        ("PLACE", LOCATION),
        ("SLIP", SLIP),
        ("LEG", REFUND_TRANSACTION),
    ];
    ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
}

#[test]
fn calls_are_sent_as_the_vendors_clients_send_them() {
    let stub = Stub::new();
    let mut client = stub.client("v20270301");
    let samples: BTreeMap<&str, Value> = samples::all().into_iter().map(|sample| (sample.name, sample.body)).collect();
    for (name, call, sent) in CALLS {
        stub.grants(&samples[name]);
        call(&mut client).unwrap_or_else(|error| panic!("{sent}: {error:?}"));
        let sent = with_ids(sent);
        let (method, rest) = sent.split_once(' ').expect("a method");
        let (path, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let base = if path.starts_with("/payment/") { "/payments_apps/openapi" } else { "/admin/openapi" };
        let line = format!("{method} {base}/v20270301{path} HTTP/1.1");
        let head = format!("{line}\nauthorization: Bearer a-token\ncontent-type: application/json\n");
        assert_eq!(stub.asked(), format!("{head}{body}"));
        stub.answers(422, "content-type: application/json\r\ntraceid: 1\r\n", &json!({"errors": "no"}));
        assert_eq!(call(&mut client), Err(ApiError::new(422, "no")));
        stub.asked();
    }
}

#[test]
fn each_way_to_a_parcel_has_its_path() {
    let stub = Stub::new();
    stub.grants(&samples::all().into_iter().find(|sample| sample.name == "fulfillments.json").expect("it").body);
    let paths = Way::ALL.map(|way| {
        stub.client("v20270301").cancel_fulfillment(way, "O", "P").expect("a parcel");
        stub.asked().split(' ').nth(1).expect("a path").replace("/admin/openapi/v20270301", "")
    });
    let expected = [
        "/orders/O/fulfillments/P/cancel.json",
        "/orders/P/fulfillments/O/cancel.json",
        "/fulfillments/P/O/cancel.json",
        "/fulfillments/O/P/cancel.json",
    ];
    assert_eq!(paths, expected);
}

/// What a call says before it panics.
fn panics(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("a panic");
    panic.downcast_ref::<String>().expect("words").clone()
}

#[test]
fn an_answer_that_is_not_in_order_is_told_of_with_its_place() {
    let stub = Stub::new();
    let json_type = "content-type: application/json\r\n";
    let traced = "traceid: 1\r\n";
    let told = |version: &str| {
        let mut client = stub.client(version);
        panics(|| drop(client.order(ORDER)))
    };
    let order = json!({ "order": samples::order() });
    stub.answers(200, json_type, &order);
    assert!(told("v20270301").contains("has no traceId"));
    stub.answers(200, &format!("{traced}content-type: text/html\r\n"), &order);
    assert!(told("v20270301").contains("answers with text/html"));
    stub.grants(&order);
    let words = told("v20220901");
    let start = format!("GET /admin/openapi/v20220901/orders/{ORDER}.json in v20220901, 200: ");
    assert!(words.starts_with(&start), "{words}");
    assert!(words.contains("shipping_address.standard_province_code: it comes with v20250601"), "{words}");
    stub.answers(201, &format!("{json_type}{traced}"), &order);
    assert!(told("v20270301").contains("`order` beside `errors`"));
    stub.answers(404, &format!("{json_type}{traced}"), &json!({"errors": ["no"]}));
    assert!(told("v20270301").contains("invalid type: sequence"));
    stub.answers(404, &format!("{json_type}{traced}"), &json!({"errors": "no", "code": 1}));
    assert!(told("v20270301").contains("`code` beside `errors`"));
}

#[test]
fn pages_are_followed_and_cut_entries_have_the_keys_asked_for() {
    let stub = Stub::new();
    let mut client = stub.client("v20270301");
    let list = json!({ "refunds": [samples::refund()] });
    let next = format!("{}/admin/openapi/v20270301/orders/1/refunds.json?limit=1&page_info=abc", stub.url);
    let head = "content-type: application/json\r\ntraceid: 1\r\n";
    stub.answers(200, &format!("{head}link: <{next}>; rel=\"next\"\r\n"), &list);
    let page = client.refunds("1", &[("limit", "1")]).expect("a page");
    assert_eq!((page.entries.len(), page.next.as_deref(), page.previous), (1, Some(next.as_str()), None));
    stub.answers(200, &format!("{head}link: <{next}>; rel=\"previous\"\r\n"), &list);
    let page = client.follow::<Refund>(&page.next.expect("a next")).expect("a page");
    assert_eq!((page.next, page.previous.as_deref()), (None, Some(next.as_str())));
    assert!(stub.asked().starts_with("GET /admin/openapi/v20270301/orders/1/refunds.json?limit=1&page_info=abc "));

    stub.grants(&json!({"webhooks": [{"id": 7, "topic": "refunds/create"}]}));
    assert_eq!(client.cut("/webhooks.json", "webhooks", &["topic", "id"]).expect("a list").len(), 1);
    assert!(stub.asked().starts_with("GET /admin/openapi/v20270301/webhooks.json?fields=topic%2Cid "));
    let words = panics(|| drop(client.cut("/webhooks.json", "webhooks", &["id"])));
    assert!(words.contains("GET /admin/openapi/v20270301/webhooks.json?fields=id"), "{words}");
    stub.grants(&json!({"webhooks": []}));
    let none = client.follow::<Webhook>(&format!("{}/x", stub.url)).expect("a page");
    assert!(none.entries.is_empty());
}
