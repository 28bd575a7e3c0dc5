//! SHOPLINE's webhooks end to end: all headers, the signature in both texts, a message that keeps its id, and a
//! subscription that ends where nothing gets through.

use refundry_gateways::signing::{Hash, to_base64, to_hex};
use serde_json::{Value, json};

use crate::ear::{Ear, Posted};
use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, order, put_orders, run, until};

on_both!(
    what_happens_is_posted_with_all_headers_and_again_under_the_same_id,
    a_store_says_how_it_is_named_and_how_it_signs,
    a_subscription_ends_when_its_last_attempt_failed,
);

const BASE: &str = "/admin/openapi/v20260301";

/// A call of SHOPLINE's API.
#[track_caller]
fn ask(client: &mut Client, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    client.send(method, &format!("{BASE}{path}"), &headers, body.as_bytes()).expect("an answer")
}

#[track_caller]
fn subscribe(client: &mut Client, address: &str, topic: &str, version: &str) -> u64 {
    let body = json!({"webhook": {"address": address, "topic": topic, "api_version": version}});
    let answer = ask(client, TOKEN, "POST", "/webhooks.json", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["webhook"]["id"].as_u64().expect("a small number")
}

/// A command about the demo store, which must succeed.
#[track_caller]
fn command(place: &Place, words: &[&str]) -> String {
    let output = run(&[words, &place.args()[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refund(client: &mut Client, order: &str, quantity: u32) {
    let body = json!({"order": order,
        "ask": {"parts": {"units": [{"line": format!("{order}-l0"), "quantity": quantity, "restock": "return"}]}}});
    let answer = client.post("/v1/refunds", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn topic(posted: &Posted) -> &str {
    posted.header("x-shopline-topic")
}

fn id(posted: &Posted) -> &str {
    posted.header("x-shopline-webhook-id")
}

fn of(ear: &Ear, wanted: &str) -> Vec<Posted> {
    ear.heard().into_iter().filter(|posted| topic(posted) == wanted).collect()
}

fn body(posted: &Posted) -> Value {
    serde_json::from_slice(&posted.body).expect("JSON")
}

#[track_caller]
fn assert_signed(posted: &Posted, secret: &str, text: fn(&[u8]) -> String) {
    let expected = text(&Hash::Sha256.sign(secret.as_bytes(), &[&posted.body]));
    assert_eq!(posted.header("x-shopline-hmac-sha256"), expected);
    assert_eq!(posted.header("content-type"), "application/json");
}

fn what_happens_is_posted_with_all_headers_and_again_under_the_same_id(on: Backend) {
    let place = Place::new(on);
    let (first, other) = (Ear::new(|_| Some(200)), Ear::new(|_| Some(200)));
    let server = place.serve(&[]);
    let mut client = server.client();
    let topics = ["refunds/create", "refunds/update", "orders/updated", "inventory_levels/update", "orders/create"];
    for (index, topic) in (1..).zip(topics) {
        assert_eq!(subscribe(&mut client, &first.url("hooks"), topic, "v20240601"), index, "they count from 1");
    }
    subscribe(&mut client, &other.url("hooks"), "refunds/create", "v20260301");
    put_orders(&mut client, &[order("hook", 1)]);
    until("the order to be told", || (of(&first, "orders/create").len() == 1).then_some(()));
    let mut failures = 0;
    first.play(move |posted| {
        if topic(posted) != "refunds/create" {
            return Some(200);
        }
        failures += 1;
        [None, Some(503)].get(failures - 1).copied().unwrap_or(Some(200))
    });
    refund(&mut client, "hook", 40);
    for attempt in 1..=2 {
        until("an attempt to fail", || (of(&first, "refunds/create").len() == attempt).then_some(()));
        until("it to be recorded", || {
            let said = command(&place, &["webhook", "retry", "--store", "demo"]);
            (said.trim() == "deliveries posted again: 1").then_some(())
        });
    }
    until("the refund to be told", || (of(&first, "refunds/create").len() == 3).then_some(()));
    until("the refund to be over", || (of(&first, "refunds/update").len() == 1).then_some(()));
    until("the order to be told", || (of(&first, "orders/updated").len() == 2).then_some(()));
    until("the goods to be told", || (of(&first, "inventory_levels/update").len() == 1).then_some(()));
    until("the other to be told", || (other.heard().len() == 1).then_some(()));

    for posted in first.heard() {
        assert_signed(&posted, "webhook_secret_demo", to_hex);
        assert_eq!(posted.header("x-shopline-shop-domain"), "demo.myshopline.com");
        let shop = posted.header("x-shopline-shop-id");
        assert!(!shop.is_empty() && shop.bytes().all(|b| b.is_ascii_digit()), "{shop}");
        assert_eq!(posted.header("x-shopline-merchant-id"), shop);
        assert_eq!(posted.header("x-shopline-api-version"), "v20240601");
        assert!(id(&posted).len() == 24 && id(&posted).bytes().all(|b| b.is_ascii_hexdigit()), "{}", id(&posted));
    }
    let created = of(&first, "refunds/create");
    assert!(created.iter().all(|posted| (id(posted), &posted.body) == (id(&created[0]), &created[0].body)));
    assert_ne!(id(&created[0]), id(&other.heard()[0]), "each subscriber has a message of its own");
    let ids: std::collections::BTreeSet<String> = first.heard().iter().map(|posted| id(posted).to_owned()).collect();
    assert_eq!(ids.len(), first.heard().len() - 2, "each event has one of its own");

    let (made, over) = (body(&created[0]), body(&of(&first, "refunds/update")[0]));
    assert_eq!((&made["id"], &made["transactions"][0]["status"]), (&over["id"], &json!("pending")));
    assert_eq!(
        (&over["transactions"][0]["status"], &over["transactions"][0]["amount"]),
        (&json!("success"), &json!("400.00"))
    );
    assert!(made.get("transactions_v2").is_none(), "a key of later versions");
    assert_eq!(body(&other.heard()[0])["transactions_v2"][0]["status"], "pending");
    let states: Vec<Value> = of(&first, "orders/updated")
        .iter()
        .map(|posted| body(posted)["refunds"][0]["transactions"][0]["status"].clone())
        .collect();
    assert_eq!(states, ["pending", "success"], "as it was then");
    let level = body(&of(&first, "inventory_levels/update")[0]);
    assert_eq!((&level["available"], &level["onhand"], &level["committed"]), (&json!(40), &json!(40), &json!(0)));
    place.assert_clean();
}

fn a_store_says_how_it_is_named_and_how_it_signs(on: Backend) {
    let place = Place::new(on);
    let key = "0a".repeat(32);
    let with_key = ["--secrets-key", key.as_str()];
    command(&place, &["store", "add", "shop"]);
    let add = ["token", "add", "--store", "shop", "--scopes", "read_orders,write_orders,admin"];
    let token = command(&place, &add).trim().to_owned();
    let secret = |word: &str, more: &[&str]| {
        let words = [&["webhook", "secret", word, "--store", "shop"][..], &with_key, more].concat();
        command(&place, &words).trim().to_owned()
    };
    let (lazza, line) = (secret("rotate", &[]), secret("rotate", &["--api", "shopline"]));
    assert!(lazza != line && secret("show", &["--api", "shopline"]) == line, "each API has one of its own");
    command(
        &place,
        &["store", "shopline", "--store", "shop", "--domain", "open001.example", "--merchant-id", "2000001234"],
    );
    command(&place, &["store", "shopline", "--store", "shop", "--signature", "base64"]);

    let ear = Ear::new(|_| Some(200));
    let listen = ["serve", "--listen", "127.0.0.1:0", "--webhooks-to-private"];
    let server = Process::start(&[&listen[..], &place.args(), &with_key].concat());
    let mut client = server.client();
    let hook = json!({"webhook": {"address": ear.url("in"), "topic": "orders/create", "api_version": "v20260215"}});
    let made = ask(&mut client, &token, "POST", "/webhooks.json", &hook);
    assert_eq!(made.status, 200, "{}", made.text());
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let put = client.send("POST", "/v1/orders", &headers, order("own", 1).to_string().as_bytes()).expect("an answer");
    assert_eq!(put.status, 201, "{}", put.text());
    until("it to be told", || (ear.heard().len() == 1).then_some(()));
    let posted = ear.heard().remove(0);
    assert_signed(&posted, &line, to_base64);
    let named = ["shop-domain", "merchant-id", "api-version"]
        .map(|name| posted.header(&format!("x-shopline-{name}")).to_owned());
    assert_eq!(named, ["open001.example", "2000001234", "v20260215"]);
    assert_eq!(body(&posted)["name"], "own");

    // It ends, and nothing more is told.
    let known = command(&place, &["webhook", "list", "--store", "shop"]);
    assert!(known.starts_with("1\tshopline\torders/create\t"), "{known}");
    let ended = ask(&mut client, &token, "DELETE", "/1/webhooks.json", &Value::Null);
    assert_eq!((ended.status, ended.json()), (200, json!({})));
    assert_eq!(ask(&mut client, &token, "GET", "/1/webhooks.json", &Value::Null).status, 404);
    place.assert_clean();
}

fn a_subscription_ends_when_its_last_attempt_failed(on: Backend) {
    let place = Place::new(on);
    let ear = Ear::new(|_| Some(500));
    let server = place.serve(&[]);
    let mut client = server.client();
    let said = command(&place, &["webhook", "waits", "--store", "demo", "3600"]);
    assert_eq!(said.trim(), "failed deliveries are tried again 1 times");
    subscribe(&mut client, &ear.url("hooks"), "orders/create", "v20240601");
    put_orders(&mut client, &[order("lost", 1)]);
    until("the first attempt", || (ear.heard().len() == 1).then_some(()));
    until("it to be recorded", || {
        let said = command(&place, &["webhook", "retry", "--store", "demo"]);
        (said.trim() == "deliveries posted again: 1").then_some(())
    });
    until("the subscription to be over", || {
        let counted = ask(&mut client, TOKEN, "GET", "/webhooks/count.json", &Value::Null);
        (counted.json()["count"] == 0).then_some(())
    });
    assert_eq!(ear.heard().len(), 2);
    let none = run(&[&["webhook", "waits", "--store", "demo", "0"][..], &place.args()].concat());
    assert!(!none.status.success(), "a wait of nothing is none");
    assert_eq!(
        command(&place, &["webhook", "waits", "--store", "demo"]).trim(),
        "failed deliveries climb the usual ladder"
    );
}
