//! Webhooks end to end: a receiver on a real socket that checks every signature, fails when it likes, and sees whether
//! anything is lost, overtakes, or comes again as something else.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::ear::{Ear, Posted};
use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, order, put_orders, run, until};

on_both!(
    what_happens_is_posted_signed_and_in_order_and_again_where_it_failed,
    killed_between_delivery_and_record_it_delivers_again_under_the_same_id,
    a_store_of_its_own_signs_with_its_own_secret_and_posts_into_no_private_network,
);

/// A call of Shoplazza's API.
#[track_caller]
fn ask(client: &mut Client, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("access-token", token), ("content-type", "application/json")];
    client.send(method, path, &headers, body.as_bytes()).expect("an answer")
}

#[track_caller]
fn subscribe(client: &mut Client, address: &str, topic: &str) -> String {
    let body = json!({"address": address, "topic": topic});
    let answer = ask(client, TOKEN, "POST", "/openapi/2022-01/webhooks", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["webhook"]["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn refund(client: &mut Client, order: &str, quantity: u32) {
    let body = json!({"order": order,
        "ask": {"parts": {"units": [{"line": format!("{order}-l0"), "quantity": quantity}]}}});
    let answer = client.post("/v1/refunds", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// A command about the demo store, which must succeed.
#[track_caller]
fn command(place: &Place, words: &[&str]) -> String {
    let output = run(&[words, &place.args()[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn what_happens_is_posted_signed_and_in_order_and_again_where_it_failed(on: Backend) {
    let place = Place::new(on);
    let ear = Ear::new(|_| Some(200));
    let server = place.serve(&[]);
    let mut client = server.client();
    for topic in ["orders/create", "orders/paid", "orders/partially_refunded", "orders/refunded", "orders/update"] {
        subscribe(&mut client, &ear.url("hooks"), topic);
    }
    let taken = json!({"address": ear.url("hooks"), "topic": "orders/paid"});
    assert_eq!(ask(&mut client, TOKEN, "POST", "/openapi/webhooks", &taken).status, 422);
    let reader = ask(&mut client, "sk_test_demo_read", "GET", "/openapi/2026-01/webhooks/count", &Value::Null);
    assert_eq!(reader.json()["data"]["count"], 5);

    put_orders(&mut client, &[order("hook", 1)]);
    until("the order to be told", || (ear.heard().len() == 2).then_some(()));
    // The second of an order's updates fails until somebody has it tried again; those behind it wait.
    let mut failures = 0;
    let first = Arc::new(Mutex::new(None::<String>));
    let failing = Arc::clone(&first);
    ear.play(move |posted| {
        if posted.topic() != "orders/update" {
            return Some(204);
        }
        failing.lock().expect("no panic").get_or_insert(posted.id().to_owned());
        failures += 1;
        [Some(302), None, Some(500)].get(failures - 1).copied().unwrap_or(Some(200))
    });
    refund(&mut client, "hook", 40);
    until("the first part to arrive", || (ear.of("orders/partially_refunded").len() == 1).then_some(()));
    refund(&mut client, "hook", 60);
    until("all to arrive", || (ear.of("orders/refunded").len() == 1).then_some(()));
    for attempt in 1..=3 {
        until("an attempt to fail", || (ear.of("orders/update").len() == attempt).then_some(()));
        // Only what failed is tried again, and recording that may take a moment.
        until("it to be recorded", || {
            let said = command(&place, &["webhook", "retry", "--store", "demo"]);
            (said.trim() == "deliveries posted again: 1").then_some(())
        });
    }
    until("what waited behind it", || (ear.of("orders/update").len() == 7).then_some(()));

    let heard = ear.heard();
    for posted in &heard {
        posted.assert_signed("webhook_secret_demo");
        assert_eq!(posted.header("x-shoplazza-shop-domain"), "demo.myshoplaza.com");
        assert_eq!(posted.header("x-shoplazza-api-version"), "2022-01");
        assert_eq!(posted.order()["number"], "hook");
    }
    let updates = ear.of("orders/update");
    let ids: Vec<&str> = updates.iter().map(Posted::id).collect();
    let first = first.lock().expect("no panic").clone().expect("it failed");
    assert!(ids[..4].iter().all(|id| *id == first), "one event, tried four times: {ids:?}");
    assert!(updates[..4].iter().all(|posted| posted.body == updates[0].body), "the same bytes each time");
    assert!(ids[4..].windows(2).all(|pair| pair[0] < pair[1]) && ids[4] > ids[3], "in their order: {ids:?}");
    let states: Vec<Value> = updates[3..].iter().map(|posted| posted.order()["financial_status"].clone()).collect();
    assert_eq!(states, ["refunding", "partially_refunded", "refunding", "refunded"], "as it was then");
    let total = |topic: &str| ear.of(topic)[0].order()["total_refund_price"].clone();
    assert_eq!((total("orders/partially_refunded"), total("orders/refunded")), (json!("400.00"), json!("1000.00")));
    let asked: Vec<Value> = updates[3..].iter().map(|posted| posted.order()["refund_price"].clone()).collect();
    assert_eq!(asked, ["400.00", "400.00", "600.00", "600.00"]);

    let metrics = client.get("/metrics").text();
    assert!(metrics.contains("refundry_webhooks_failed 3\n"), "{metrics}");
    until("nothing to wait", || client.get("/metrics").text().contains("refundry_webhooks_waiting 0\n").then_some(()));
    let listed = command(&place, &["webhook", "list", "--store", "demo"]);
    assert_eq!(listed.lines().filter(|line| line.ends_with("0 waiting")).count(), 5, "{listed}");
    place.assert_clean();
}

fn killed_between_delivery_and_record_it_delivers_again_under_the_same_id(on: Backend) {
    let place = Place::new(on);
    let (arrived, arrival): (Sender<()>, Receiver<()>) = channel();
    let (go_on, gone): (Sender<()>, Receiver<()>) = channel();
    let mut before = true;
    // The first delivery is answered when whoever sent it is dead.
    let ear = Ear::new(move |_| {
        if std::mem::replace(&mut before, false) {
            arrived.send(()).expect("somebody waits");
            gone.recv().expect("it goes on");
        }
        Some(200)
    });
    let mut server = place.serve(&[]);
    subscribe(&mut server.client(), &ear.url("hooks"), "orders/create");
    put_orders(&mut server.client(), &[order("killed", 1)]);
    arrival.recv().expect("the delivery arrives");
    server.kill();
    go_on.send(()).expect("somebody waits");

    let server = place.serve(&[]);
    until("it to be delivered again", || {
        server.client().get("/metrics");
        (ear.heard().len() == 2).then_some(())
    });
    let heard = ear.heard();
    assert_eq!((heard[0].id(), &heard[0].body), (heard[1].id(), &heard[1].body));
    heard[1].assert_signed("webhook_secret_demo");
    until("it to be over", || {
        let metrics = server.client().get("/metrics").text();
        metrics.contains("refundry_webhooks_waiting 0\n").then_some(())
    });
    assert_eq!(ear.heard().len(), 2);
}

fn a_store_of_its_own_signs_with_its_own_secret_and_posts_into_no_private_network(on: Backend) {
    let place = Place::new(on);
    let key = "0a".repeat(32);
    let with_key = ["--secrets-key", key.as_str()];
    command(&place, &["store", "add", "shop"]);
    let add = ["token", "add", "--store", "shop", "--scopes", "read_orders,write_orders,admin"];
    let token = command(&place, &add).trim().to_owned();
    let ear = Ear::new(|_| Some(200));
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let hook = json!({"webhook": {"address": ear.url("hooks"), "topic": "orders/create"}});

    let start = |more: &[&str]| Process::start(&[&listen[..], &place.args(), &with_key, more].concat());
    let mut server = start(&[]);
    for address in [ear.url("hooks"), "http://localhost/x".to_owned(), "http://[::1]/x".to_owned()] {
        let body = json!({"address": address, "topic": "orders/create"});
        let refused = ask(&mut server.client(), &token, "POST", "/openapi/2022-01/webhooks", &body);
        assert_eq!((refused.status, refused.json()), (422, json!({"errors": {"address": ["is invalid"]}})));
    }
    server.kill();
    let server = start(&["--webhooks-to-private"]);
    let made = ask(&mut server.client(), &token, "POST", "/openapi/2026-01/webhooks", &hook);
    assert_eq!(made.status, 200, "{}", made.text());

    let secret = |word: &str, more: &[&str]| {
        let words = [&["webhook", "secret", word, "--store", "shop"][..], &with_key, more].concat();
        command(&place, &words).trim().to_owned()
    };
    let rotated = secret("rotate", &[]);
    assert!(rotated.starts_with("whsec_") && secret("show", &[]) == rotated, "{rotated}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), " the app's client secret\n").expect("it is written");
    secret("set", &["--secret-file", file.path().to_str().expect("UTF-8")]);
    assert_eq!(secret("show", &[]), "the app's client secret");

    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = order("own", 1).to_string();
    let put = server.client().send("POST", "/v1/orders", &headers, body.as_bytes()).expect("an answer");
    assert_eq!(put.status, 201, "{}", put.text());
    until("it to be told", || {
        server.client().get("/metrics");
        (!ear.heard().is_empty()).then_some(())
    });
    let posted = ear.heard().remove(0);
    posted.assert_signed("the app's client secret");
    assert_eq!(posted.header("x-shoplazza-api-version"), "2026-01");
    assert_eq!(posted.header("x-shoplazza-shop-domain"), "shop.myshoplaza.com");
}
