//! Many at once: what was paid is never exceeded by one minor unit, and exactly as many succeed as fit.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, order, put_orders, settled};

const CLIENTS: usize = 64;

on_both!(
    sixty_four_clients_of_all_apis_never_take_more_than_was_captured,
    sixty_four_clients_never_take_more_units_than_were_sold,
    a_hundred_requests_with_one_key_make_one_refund,
);

/// Lets this many clients of some servers send at the same moment, and gives their answers.
pub(crate) fn at_once<T: Send>(
    servers: &[&Process],
    clients: usize,
    send: impl Fn(usize, &mut Client) -> T + Sync,
) -> Vec<T> {
    let barrier = Barrier::new(clients);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let (barrier, send) = (&barrier, &send);
                let mut client = servers[number % servers.len()].client();
                scope.spawn(move || {
                    barrier.wait();
                    send(number, &mut client)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no client panicked")).collect()
    })
}

/// Sends a refund of an order through one of the four APIs, in turns.
pub(crate) fn refund_through(number: usize, client: &mut Client, ids: &Ids, amount: &str) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("access-token", TOKEN),
        ("content-type", "application/json; charset=utf-8"),
    ];
    let (path, body) = match number % 4 {
        0 => ("/v1/refunds".to_owned(), json!({"order": ids.native, "ask": {"amount": amount}})),
        1 => (format!("/openapi/2025-06/orders/{}/refund", ids.number), json!({"refund": {"refund_total": amount}})),
        2 => (
            "/admin/openapi/v20220901/order/refund.json".to_owned(),
            json!({"order_id": ids.shopline_order,
                "transactions": [{"id": ids.shopline_slip, "amount": amount, "type": true}]}),
        ),
        _ => (
            "/refunds".to_owned(),
            json!({"orderId": format!("ord_{}", ids.number), "currency": "USD", "amount": amount}),
        ),
    };
    client.send("POST", &path, &headers, body.to_string().as_bytes()).expect("an answer")
}

/// How one order is called in each API.
pub(crate) struct Ids {
    native: String,
    number: String,
    shopline_order: String,
    shopline_slip: String,
    lines: Vec<String>,
}

pub(crate) fn ids(client: &mut Client, native: &str) -> Ids {
    let order = client.get(&format!("/v1/orders/{native}")).json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let number = text(&order["uid"]);
    let payment = text(&order["payments"][0]["uid"]);
    let lines = order["lines"].as_array().expect("lines").iter().map(|line| text(&line["uid"])).collect();
    Ids {
        native: native.to_owned(),
        shopline_order: format!("210{number:0>23}"),
        shopline_slip: format!("230{payment:0>23}"),
        number,
        lines,
    }
}

pub(crate) fn accepted(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| matches!(answer.status, 200 | 201)).count()
}

fn sixty_four_clients_of_all_apis_never_take_more_than_was_captured(on: Backend) {
    let place = Place::new(on);
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let mut client = server.client();
    // 1000.00 captured; 31.00 fits 32 times and leaves 8.00.
    put_orders(&mut client, &[order("together", 1)]);
    let ids = ids(&mut client, "together");
    let answers = at_once(&[&server], CLIENTS, |number, client| refund_through(number, client, &ids, "31.00"));
    assert_eq!(accepted(&answers), 32, "{answers:#?}");
    for answer in answers.iter().filter(|answer| !matches!(answer.status, 200 | 201)) {
        assert!(matches!(answer.status, 400 | 422), "{} {}", answer.status, answer.text());
    }
    settled(&mut client);
    let left = client.get("/v1/orders/together").json();
    assert_eq!(left["refundable"], "8.00", "{left:#}");
    let paid = provider.client().get("/books").json()["paid_minor"]["USD"].to_string();
    assert_eq!(paid, "99200");
    place.assert_clean();
}

fn sixty_four_clients_never_take_more_units_than_were_sold(on: Backend) {
    let place = Place::new(on);
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let mut client = server.client();
    put_orders(&mut client, &[order("units", 1)]);
    let ids = ids(&mut client, "units");
    let bearer = format!("Bearer {TOKEN}");
    // 100 units; 3 fit 33 times and leave one.
    let answers = at_once(&[&server], CLIENTS, |number, client| {
        let headers =
            [("authorization", bearer.as_str()), ("access-token", TOKEN), ("content-type", "application/json")];
        let line = &ids.lines[0];
        let (path, body) = match number % 3 {
            0 => (
                "/v1/refunds".to_owned(),
                json!({"order": ids.native, "ask": {"parts": {"units": [{"line": line, "quantity": 3}]}}}),
            ),
            1 => (
                format!("/openapi/2025-06/orders/{}/refund", ids.number),
                json!({"refund": {"refund_total": "30.00",
                    "refund_line_items": [{"line_item_id": line, "quantity": 3}]}}),
            ),
            _ => (
                "/admin/openapi/v20220901/order/refund.json".to_owned(),
                json!({"order_id": ids.shopline_order,
                    "refund_line_items": [{"line_item_id": line, "quantity": 3, "type": "Unshipped"}],
                    "transactions": [{"id": ids.shopline_slip, "amount": "30.00", "type": true}]}),
            ),
        };
        client.send("POST", &path, &headers, body.to_string().as_bytes()).expect("an answer")
    });
    assert_eq!(accepted(&answers), 33, "{answers:#?}");
    settled(&mut client);
    let order = client.get("/v1/orders/units").json();
    assert_eq!(order["refundable"], "10.00", "{order:#}");
    place.assert_clean();
}

fn a_hundred_requests_with_one_key_make_one_refund(on: Backend) {
    let place = Place::new(on);
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let mut client = server.client();
    put_orders(&mut client, &[order("twins", 1)]);
    let bearer = format!("Bearer {TOKEN}");
    let body = json!({"order": "twins", "ask": {"amount": "7.00"}}).to_string();
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "one and the same")];
    let send = |client: &mut Client| client.send("POST", "/v1/refunds", &headers, body.as_bytes()).expect("an answer");
    let answers = at_once(&[&server], 100, |_, client| send(client));
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.json(), answers[0].json());
    }
    let marked = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    assert_eq!(marked, 99);
    settled(&mut client);
    let refunds = client.get("/v1/refunds?order=twins").json();
    assert_eq!(refunds["data"].as_array().expect("a list").len(), 1);
    let other = json!({"order": "twins", "ask": {"amount": "7.01"}}).to_string();
    let reused = client.send("POST", "/v1/refunds", &headers, other.as_bytes()).expect("an answer");
    assert_eq!((reused.status, reused.json()["code"].as_str()), (422, Some("idempotency_key_reused")));
}
