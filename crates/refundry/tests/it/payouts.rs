//! Money that does not simply go back: legs in doubt, parked, declined and not taken, and what a person does about
//! them; gateways that a store configures, and what providers say unasked.

mod till;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use self::till::Till;
use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, binary, order, put_orders, run, settled, until};

on_both! {
    a_leg_in_doubt_is_seen_everywhere_until_it_settles_by_itself,
    a_parked_leg_waits_for_a_person_and_is_settled_by_hand,
    what_was_declined_is_tried_again_outside_once,
    a_refund_that_is_not_taken_is_called_off,
    a_gateway_works_without_a_restart_and_keeps_its_secrets,
    who_is_asked_stays_while_legs_are_open,
    the_last_route_stays,
    deliveries_settle_legs_and_what_fits_nothing_waits_for_a_person,
}

/// Key of secrets of these tests.
const SECRETS_KEY: &str = "8f3c1a5be0d7429668f3c1a5be0d742968f3c1a5be0d7429668f3c1a5be0d742";

/// Asks for a refund of an amount, and gives it.
#[track_caller]
fn refund(client: &mut Client, order: &str, amount: &str) -> Value {
    let answer = client.post("/v1/refunds", &json!({"order": order, "ask": {"amount": amount}}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value:#}"))
}

/// Waits until the first leg of a refund is in a state, and gives the refund.
#[track_caller]
fn once(client: &mut Client, refund: &Value, state: &str) -> Value {
    let path = format!("/v1/refunds/{}", text(refund, "id"));
    until(state, || {
        let refund = client.get(&path).json();
        let leg = &refund["legs"][0];
        assert!(leg["finished_at"].is_null() || leg["state"] == state, "{refund:#}");
        (leg["state"] == state).then_some(refund)
    })
}

/// Legs in some stages.
fn legs(client: &mut Client, query: &str) -> Vec<Value> {
    client.get(&format!("/v1/legs{query}")).json()["data"].as_array().expect("a list").clone()
}

/// What `refundry doctor` finds: its exit code, and the store `demo`.
fn doctor(place: &Place) -> (Option<i32>, Value) {
    let output = run(&[&["doctor", "--json"], &place.args()[..]].concat());
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), found["stores"][0].clone())
}

/// A figure of `/metrics`.
fn metric(client: &mut Client, name: &str) -> String {
    let metrics = client.get("/metrics").text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// A server over a provider of its own, with an order of 1000.00.
fn started(place: &Place) -> (Process, Process) {
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    put_orders(&mut server.client(), &[order("paid", 1)]);
    (provider, server)
}

fn a_leg_in_doubt_is_seen_everywhere_until_it_settles_by_itself(on: Backend) {
    let place = Place::new(on);
    let (mut provider, server) = started(&place);
    let mut client = server.client();
    // It is asked about after a second, and then it settles; the provider has to be stopped before that.
    let (made, leg) = until("a leg to stay in doubt", || {
        let made = refund(&mut client, "paid", "40.03");
        let id = text(&made["legs"][0], "id").to_owned();
        until("the provider to pay", || provider.client().get("/books").text().contains(&id).then_some(()));
        provider.pause();
        let path = format!("/v1/refunds/{}/legs/{id}", text(&made, "id"));
        let file = until("the answer to be lost", || {
            let file = client.get(&path).json();
            matches!(text(&file["leg"], "state"), "in_doubt" | "succeeded").then_some(file)
        });
        if file["leg"]["state"] == "in_doubt" {
            return Some((made, file));
        }
        provider.resume();
        None
    });
    let [listed] = &legs(&mut client, "?stage=in_doubt")[..] else { panic!("not one leg is in doubt") };
    // It may have been asked about once more in between.
    for key in ["leg", "refund", "stage", "reason", "next"] {
        assert_eq!(listed[key], leg["standing"][key], "{leg:#}");
    }
    assert_eq!((&listed["stage"], &listed["refund"]), (&json!("in_doubt"), &made["id"]), "{listed:#}");
    assert_eq!((&listed["amount"], &listed["currency"]), (&json!("40.03"), &json!("USD")), "{listed:#}");
    assert_eq!((&listed["gateway"], &listed["order"]), (&json!("simulated"), &json!("paid")), "{listed:#}");
    assert_eq!(listed["next"], "the gateway is asked what became of it");
    assert!(text(listed, "next_at").starts_with("20") && text(listed, "reason").contains("500"), "{listed:#}");
    let evidence = &leg["evidence"][0];
    assert_eq!((&evidence["source"], &evidence["heard"]), (&json!("answer"), &json!("in_doubt")), "{leg:#}");
    assert!(text(evidence, "detail").contains("500"), "{leg:#}");
    assert_eq!(metric(&mut client, "refundry_legs_in_doubt"), "1");

    let (code, found) = doctor(&place);
    assert_eq!((code, &found["needs_a_person"]), (Some(0), &json!(false)), "{found:#}");
    assert_eq!(found["legs"]["in_doubt"], 1, "{found:#}");
    let told = &found["open_legs"][0];
    assert_eq!((&told["leg"], &told["next"]), (&listed["leg"], &listed["next"]), "{found:#}");
    assert!(told["next_at"].is_string(), "{found:#}");

    let cancel = client.post(&format!("/v1/refunds/{}/cancel", text(&made, "id")), &json!({}));
    assert_eq!((cancel.status, &cancel.json()["code"]), (409, &json!("refund_not_cancellable")));
    provider.resume();
    settled(&mut client);
    let file = client.get(&format!("/v1/refunds/{}/legs/{}", text(&made, "id"), text(listed, "leg"))).json();
    assert_eq!((&file["leg"]["state"], &file["standing"]), (&json!("succeeded"), &Value::Null), "{file:#}");
    assert_eq!(legs(&mut client, ""), Vec::<Value>::new());
    place.assert_clean();
}

fn a_parked_leg_waits_for_a_person_and_is_settled_by_hand(on: Backend) {
    let place = Place::new(on);
    let (_provider, server) = started(&place);
    let mut client = server.client();
    let [made, other] = ["40.04", "140.04"].map(|amount| refund(&mut client, "paid", amount));
    once(&mut client, &made, "parked");
    once(&mut client, &other, "parked");
    let [listed, second] = &legs(&mut client, "")[..] else { panic!("not two legs are open") };
    let page = client.get("/v1/legs?limit=1").json();
    assert_eq!(page["data"], json!([listed]), "{page:#}");
    let next = client.get(&format!("/v1/legs?limit=1&cursor={}", text(&page, "next_cursor"))).json();
    assert_eq!((&next["data"], &next["next_cursor"]), (&json!([second]), &Value::Null), "{next:#}");
    assert_eq!((&listed["stage"], &listed["next_at"]), (&json!("parked"), &Value::Null), "{listed:#}");
    assert!(text(listed, "next").contains("settle it by hand"), "{listed:#}");
    let path = format!("/v1/refunds/{}/legs/{}", text(&made, "id"), text(listed, "leg"));
    let file = client.get(&path).json();
    let evidence = &file["evidence"][0];
    assert_eq!((&evidence["heard"], &file["leg"]["state"]), (&json!("contradicted"), &json!("parked")), "{file:#}");
    assert!(text(evidence, "detail").contains("4003"), "{file:#}");
    assert_eq!(metric(&mut client, "refundry_legs_parked"), "2");
    let (code, found) = doctor(&place);
    assert_eq!((code, &found["needs_a_person"]), (Some(4), &json!(true)), "{found:#}");
    assert_eq!(found["open_legs"][0]["next"], listed["next"], "{found:#}");

    let settle = format!("{path}/settle");
    let answer = client.post(&settle, &json!({"outcome": "succeeded", "reference": "looked it up: 40.03 and a cent"}));
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("succeeded")), "{}", answer.text());
    let again = client.post(&settle, &json!({"outcome": "failed"}));
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("leg_not_settleable")), "{}", again.text());
    assert_eq!(client.get(&path).json()["standing"], Value::Null);
    assert_eq!(client.get(&format!("{path}1")).status, 404);
    assert_eq!(doctor(&place).0, Some(4));
    let settle = format!("/v1/refunds/{}/legs/{}/settle", text(&other, "id"), text(second, "leg"));
    let answer = client.post(&settle, &json!({"outcome": "failed", "reference": "they never had it"}));
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("leg_not_settleable")), "{}", answer.text());
    assert!(text(&answer.json(), "detail").contains("within two minutes"), "{}", answer.text());
    let answer = client.post(&settle, &json!({"outcome": "succeeded", "reference": "140.03 and a cent"}));
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("succeeded")), "{}", answer.text());
    assert_eq!(doctor(&place).0, Some(0));
    place.assert_clean();
}

fn what_was_declined_is_tried_again_outside_once(on: Backend) {
    let place = Place::new(on);
    let (_provider, server) = started(&place);
    let mut client = server.client();
    let made = refund(&mut client, "paid", "40.01");
    let failed = once(&mut client, &made, "failed");
    assert_eq!(failed["legs"][0]["code"], "expired_or_canceled_card", "{failed:#}");
    let path = format!("/v1/refunds/{}/retry", text(&made, "id"));
    let again = |client: &mut Client, body: &str| {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "outside")];
        client.send("POST", &path, &headers, body.as_bytes()).expect("an answer")
    };
    let answer = again(&mut client, r#"{"to": "outside"}"#);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let retried = answer.json();
    assert_eq!((&retried["retry_of"], &retried["amount"]), (&made["id"], &json!("40.01")), "{retried:#}");
    let leg = &retried["legs"][0];
    assert_eq!((&leg["route"], &leg["gateway"]), (&json!("outside"), &Value::Null), "{retried:#}");
    let now = client.get(&format!("/v1/refunds/{}", text(&made, "id"))).json();
    assert_eq!(now["legs"][0]["retried_by"], retried["id"], "{now:#}");

    let replayed = again(&mut client, r#"{"to": "outside"}"#);
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.json()["id"], retried["id"]);
    assert_eq!(again(&mut client, "").json()["code"], "idempotency_key_reused");
    let twice = client.post(&path, &json!({}));
    assert_eq!((twice.status, &twice.json()["code"]), (409, &json!("nothing_to_retry")), "{}", twice.text());
    let left = client.get("/v1/orders/paid").json();
    assert_eq!(left["refundable"], "959.99", "{left:#}");
    place.assert_clean();
}

fn a_refund_that_is_not_taken_is_called_off(on: Backend) {
    let place = Place::new(on);
    let (mut provider, server) = started(&place);
    let mut client = server.client();
    let lost = refund(&mut client, "paid", "40.05");
    once(&mut client, &lost, "in_doubt");
    let lost = client.post(&format!("/v1/refunds/{}/cancel", text(&lost, "id")), &json!({}));
    assert_eq!((lost.status, &lost.json()["code"]), (409, &json!("refund_not_cancellable")), "{}", lost.text());
    provider.kill();
    let made = refund(&mut client, "paid", "30.00");
    let path = format!("/v1/refunds/{}/cancel", text(&made, "id"));
    // While a worker has it, nobody knows; between two tries it surely is not sent.
    let cancelled = until("a time between two tries", || {
        let answer = client.post(&path, &json!({"reason": "the buyer keeps it"}));
        let waits = answer.status == 409 && answer.json()["code"] == "refund_not_cancellable";
        assert!(waits || answer.status == 200, "{}", answer.text());
        (!waits).then(|| answer.json())
    });
    let leg = &cancelled["legs"][0];
    assert_eq!((&cancelled["state"], &leg["code"]), (&json!("failed"), &json!("cancelled")), "{cancelled:#}");
    assert_eq!(leg["reason"], "the buyer keeps it");
    assert_eq!(client.post(&path, &json!({})).status, 409);
    assert_eq!(client.post("/v1/refunds/nobody/cancel", &json!({})).status, 404);
    assert_eq!(client.get("/v1/orders/paid").json()["refundable"], "959.95");
    place.assert_clean();
}

/// A server that knows the key of secrets and logs all that it can into a file.
fn server_with_secrets(place: &Place, log: &Path) -> Process {
    let start = ["serve", "--demo", "--listen", "127.0.0.1:0", "--secrets-key", SECRETS_KEY];
    Process::start_logged(&[&start[..], &place.args()].concat(), log)
}

/// `refundry gateway put` with secrets from the environment.
fn put_from_shell(place: &Place, till: &Till) -> Output {
    let mut command = Command::new(binary());
    command.args(["gateway", "put"]).args(place.args()).args(["--store", "demo", "--driver", "stripe"]);
    command.args(["--set", &format!("base_url={}", till.url()), "stripe-eu"]);
    command.args(["--secret-env", "secret_key=TILL_KEY", "--secret-env", "webhook_secret=TILL_SIGNING"]);
    command.env("TILL_KEY", till::KEY).env("TILL_SIGNING", till::SIGNING);
    command.env("REFUNDRY_SECRETS_KEY", SECRETS_KEY);
    command.output().expect("the binary runs")
}

fn put(client: &mut Client, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    client.send("PUT", path, &[("authorization", bearer.as_str())], body.to_string().as_bytes()).expect("an answer")
}

/// An order of 1000.00 that Stripe knows by a payment intent.
fn put_order(client: &mut Client) {
    let mut order = order("paid", 1);
    order["payments"][0]["reference"] = json!("pi_paid");
    put_orders(client, &[order]);
}

fn assert_hushed(what: &str, bytes: &[u8]) {
    for secret in [till::KEY, till::SIGNING, SECRETS_KEY] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret stands in {what}");
    }
}

fn a_gateway_works_without_a_restart_and_keeps_its_secrets(on: Backend) {
    let (place, logs) = (Place::new(on), tempfile::tempdir().expect("a folder"));
    let log = logs.path().join("log");
    let (till, server) = (Till::open(), server_with_secrets(&place, &log));
    let mut client = server.client();
    put_order(&mut client);
    let output = put_from_shell(&place, &till);
    assert!(output.status.success(), "{output:?}");
    assert_hushed("what is printed", &[output.stdout, output.stderr].concat());
    let route = put(&mut client, "/v1/routes/CARD", &json!({"gateway": "stripe-eu"}));
    assert_eq!((route.status, route.json()), (200, json!({"channel": "card", "gateway": "stripe-eu"})));
    assert_eq!(client.get("/v1/routes").json()["data"], json!([{"channel": "card", "gateway": "stripe-eu"}]));

    let gateways = client.get("/v1/gateways");
    let gateway = gateways.json()["data"][0].clone();
    assert_eq!(gateway["secrets"], json!(["secret_key", "webhook_secret"]), "{gateway:#}");
    assert_eq!(gateway["settings"], json!({"base_url": till.url()}), "{gateway:#}");
    assert_eq!((&gateway["usable"], &gateway["fault"]), (&json!(true), &Value::Null), "{gateway:#}");
    // The same through the API: merged into what is there.
    let changed = put(&mut client, "/v1/gateways/stripe-eu", &json!({"settings": {"account": "acct_1"}}));
    assert_eq!(changed.status, 200, "{}", changed.text());
    let settings = json!({"account": "acct_1", "base_url": till.url()});
    assert_eq!((&changed.json()["settings"], &changed.json()["secrets"]), (&settings, &gateway["secrets"]));
    let made = refund(&mut client, "paid", "12.00");
    let sent = once(&mut client, &made, "sent");
    assert_eq!((&sent["legs"][0]["gateway"], &sent["legs"][0]["reference"]), (&json!("stripe-eu"), &json!("re_0")));
    assert!(till.knows_the_key());
    let [listed] = &legs(&mut client, "?stage=sent")[..] else { panic!("not one leg is sent") };
    assert_eq!(listed["next"], "the gateway is asked whether it is settled");
    let fresh = json!({"driver": "stripe", "secrets": {"secret_key": till::KEY, "webhook_secret": till::SIGNING}});
    let created = put(&mut client, "/v1/gateways/us", &fresh);
    assert_eq!((created.status, &created.json()["usable"]), (201, &json!(true)), "{}", created.text());
    let seen = put(&mut client, "/v1/gateways/us", &json!({"settings": {"secret_key": till::KEY}}));
    assert_eq!((seen.status, &seen.json()["field"]), (422, &json!("settings.secret_key")), "{}", seen.text());
    for answer in [&gateways, &changed, &created, &seen] {
        assert_hushed("an answer", &answer.body);
    }

    // Who has no key can say so, and nothing else.
    let keyless = place.serve(&["--no-work"]);
    let listed = keyless.client().get("/v1/gateways").json()["data"][0].clone();
    assert_eq!((&listed["usable"], &listed["secrets"]), (&json!(false), &Value::Null), "{listed:#}");
    let no = put(&mut keyless.client(), "/v1/gateways/third", &fresh);
    assert_eq!((no.status, &no.json()["code"]), (503, &json!("secrets_unavailable")), "{}", no.text());
    assert!(no.text().contains("REFUNDRY_SECRETS_KEY"), "{}", no.text());
    assert_hushed("a refusal", &no.body);
    drop((keyless, server));
    assert_hushed("the log", &std::fs::read(&log).expect("a log"));
    if let Place::Folder(folder) = &place {
        for file in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
            assert_hushed("the database", &std::fs::read(file.path()).expect("a file"));
        }
    }
    place.assert_clean();
}

/// A refund of 12.00 that a gateway has and has not settled.
struct Sent {
    place: Place,
    till: Till,
    server: Process,
    client: Client,
    made: Value,
    _logs: tempfile::TempDir,
}

fn sent_through_stripe(on: Backend) -> Sent {
    let (place, logs) = (Place::new(on), tempfile::tempdir().expect("a folder"));
    let (till, server) = (Till::open(), server_with_secrets(&place, &logs.path().join("log")));
    let mut client = server.client();
    put_order(&mut client);
    assert!(put_from_shell(&place, &till).status.success());
    assert_eq!(put(&mut client, "/v1/routes/card", &json!({"gateway": "stripe-eu"})).status, 200);
    let made = refund(&mut client, "paid", "12.00");
    once(&mut client, &made, "sent");
    Sent { place, till, server, client, made, _logs: logs }
}

fn who_is_asked_stays_while_legs_are_open(on: Backend) {
    let Sent { place, till, server: _server, mut client, made, _logs } = sent_through_stripe(on);

    let account = json!({"settings": {"account": "acct_1"}});
    let no = put(&mut client, "/v1/gateways/stripe-eu", &account);
    assert_eq!((no.status, &no.json()["code"]), (409, &json!("gateway_in_use")), "{}", no.text());
    assert_eq!((&no.json()["legs"], &no.json()["field"]), (&json!(1), &json!("settings.account")), "{}", no.text());
    let mut command = Command::new(binary());
    command.args(["gateway", "put"]).args(place.args()).args(["--store", "demo", "--set", "account=acct_1"]);
    let output = command.arg("stripe-eu").env("REFUNDRY_SECRETS_KEY", SECRETS_KEY).output().expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("not settled (1)"), "{told}");
    let rotated = put(&mut client, "/v1/gateways/stripe-eu", &json!({"secrets": {"secret_key": till::KEY}}));
    assert_eq!(rotated.status, 200, "a key may be replaced at any time: {}", rotated.text());

    let settles = till::event("evt_1", &till.refunds()[0]);
    assert_eq!(till::deliver(&mut client, &settles, till::SIGNING).status, 200);
    once(&mut client, &made, "succeeded");
    assert_eq!(put(&mut client, "/v1/gateways/stripe-eu", &account).status, 200);

    // Whoever may change settings does not get to see the secrets by a host of his own.
    let mut host = json!({"settings": {"base_url": "https://other.example"}});
    let no = put(&mut client, "/v1/gateways/stripe-eu", &host);
    assert_eq!((no.status, &no.json()["field"]), (422, &json!("secrets")), "{}", no.text());
    assert!(no.text().contains("secret_key, webhook_secret"), "{}", no.text());
    host["secrets"] = json!({"secret_key": till::KEY, "webhook_secret": till::SIGNING});
    assert_eq!(put(&mut client, "/v1/gateways/stripe-eu", &host).status, 200);
    place.assert_clean();
}

fn the_last_route_stays(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&["--no-work"]);
    let mut client = server.client();
    let nowhere = json!({"gateway": Value::Null});
    assert_eq!(put(&mut client, "/v1/routes/card", &nowhere).status, 200, "there is none yet");
    assert_eq!(put(&mut client, "/v1/routes/card", &json!({"gateway": "manual"})).status, 200);
    let no = put(&mut client, "/v1/routes/card", &nowhere);
    assert_eq!((no.status, &no.json()["field"]), (422, &json!("gateway")), "{}", no.text());
    assert!(no.text().contains("route `*` to `manual`"), "{}", no.text());
    let output = run(&[&["gateway", "route", "--store", "demo", "card"], &place.args()[..]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("the last route cannot be taken away"), "{told}");
    assert_eq!(client.get("/v1/routes").json()["data"], json!([{"channel": "card", "gateway": "manual"}]));
    assert_eq!(put(&mut client, "/v1/routes/*", &json!({"gateway": "manual"})).status, 200);
    assert_eq!(put(&mut client, "/v1/routes/card", &nowhere).status, 200);
    place.assert_clean();
}

fn deliveries_settle_legs_and_what_fits_nothing_waits_for_a_person(on: Backend) {
    let Sent { place, till, server, mut client, made, _logs } = sent_through_stripe(on);

    let settles = till::event("evt_1", &till.refunds()[0]);
    let wrong = till::deliver(&mut client, &settles, "whsec_of_somebody_else");
    assert_eq!(wrong.status, 401, "{}", wrong.text());
    assert_eq!(client.get("/v1/events").json()["data"], json!([]));
    let path = format!("/v1/refunds/{}", text(&made, "id"));
    assert_eq!(client.get(&path).json()["legs"][0]["state"], "sent");
    for _ in 0..2 {
        let right = till::deliver(&mut client, &settles, till::SIGNING);
        assert_eq!(right.status, 200, "{}", right.text());
    }
    assert_eq!(client.get(&path).json()["legs"][0]["state"], "succeeded");

    // Refunds of payments that no order has.
    for (event, payment) in [("evt_2", "pi_gone"), ("evt_3", "pi_other")] {
        let elsewhere = till::event(event, &till::refund(&format!("re_{event}"), payment, 250, &json!({})));
        assert_eq!(till::deliver(&mut client, &elsewhere, till::SIGNING).status, 200);
    }
    let page = client.get("/v1/events?limit=1").json();
    let first = page["data"][0].clone();
    assert_eq!((&first["event"], &first["why"]), (&json!("evt_2"), &json!("no order has its payment")), "{page:#}");
    assert_eq!((&first["amount"], &first["payment"]), (&json!("2.50"), &json!("pi_gone")), "{page:#}");
    let next = client.get(&format!("/v1/events?limit=1&cursor={}", text(&page, "next_cursor"))).json();
    assert_eq!((&next["data"][0]["event"], &next["next_cursor"]), (&json!("evt_3"), &Value::Null), "{next:#}");
    assert_eq!(doctor(&place).0, Some(4));

    let resolve = |event: &Value| format!("/v1/events/{}/resolve", text(event, "id"));
    let no = client.post(&resolve(&first), &json!({"order": "nobody"}));
    assert_eq!((no.status, &no.json()["code"]), (409, &json!("event_not_resolvable")), "{}", no.text());
    let found = client.post(&resolve(&first), &json!({"order": "paid"}));
    assert_eq!((found.status, &found.json()["outcome"]), (200, &json!("external")), "{}", found.text());
    let external = client.get(&format!("/v1/refunds/{}", text(&found.json(), "refund"))).json();
    assert_eq!((&external["amount"], &external["state"]), (&json!("2.50"), &json!("succeeded")), "{external:#}");
    let dismissed = client.post(&resolve(&next["data"][0]), &json!({"dismiss": "of the other shop"}));
    assert_eq!((dismissed.status, &dismissed.json()["outcome"]), (200, &json!("dismissed")), "{}", dismissed.text());
    let again = client.post(&resolve(&next["data"][0]), &json!({"dismiss": "of the other shop"}));
    assert_eq!((again.status, &again.json()["code"]), (404, &json!("event_unknown")), "{}", again.text());
    assert_eq!(client.get("/v1/events").json()["data"], json!([]));
    assert_eq!(client.get("/v1/orders/paid").json()["refundable"], "985.50");
    drop(server);
    place.assert_clean();
}
