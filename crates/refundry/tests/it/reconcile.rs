//! `refundry reconcile`: what was paid, and what only one side knows of, by asking the provider and from its files.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Backend, Client, Place, Process, order, put_orders, run, until};

on_both!(
    books_that_agree_and_differences_of_every_kind,
    legs_that_the_provider_never_saw_are_missing_there,
    a_file_of_stripes_is_read_without_a_gateway,
    a_refund_made_there_and_heard_of_agrees,
);

/// A span that holds whatever time the machine has.
const EVER: [&str; 4] = ["--from", "2020-01-01", "--to", "2100-01-01"];

fn reconcile(place: &Place, more: &[&str]) -> Output {
    run(&[&["reconcile"], &place.args()[..], &["--store", "demo"], more].concat())
}

/// Its exit code and its report.
#[track_caller]
fn report(place: &Place, more: &[&str]) -> (i32, Value) {
    let output = reconcile(place, &[more, &["--json"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text);
    let report = report.unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().expect("an exit code"), report)
}

/// Code and leg (or reference) of each difference, sorted.
fn differences(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let all = report["differences"].as_array().expect("a list").iter();
    let mut all: Vec<_> = all
        .map(|found| match found["leg"].as_str() {
            Some(leg) => (text(&found["code"]), leg.to_owned()),
            None => (text(&found["code"]), text(&found["there"][0]["payment"])),
        })
        .collect();
    all.sort();
    all
}

/// An order whose payment has a name at the provider.
fn order_paid_by(id: &str, payment: &str, gateway: &str) -> Value {
    let mut order = order(id, 1);
    order["payments"][0]["reference"] = payment.into();
    order["payments"][0]["gateway"] = gateway.into();
    order
}

/// Refunds an amount, waits until its leg is in one of these states, and gives refund and leg.
#[track_caller]
fn refund(client: &mut Client, order: &str, amount: &str, states: &[&str]) -> (String, String) {
    let made = client.post("/v1/refunds", &json!({"order": order, "ask": {"amount": amount}}));
    assert_eq!(made.status, 201, "{}", made.text());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let refund = text(&made.json()["id"]);
    let leg = until("the leg to get there", || {
        let leg = client.get(&format!("/v1/refunds/{refund}")).json()["legs"][0].clone();
        states.contains(&leg["state"].as_str().expect("a state")).then_some(leg)
    });
    (refund, text(&leg["id"]))
}

#[track_caller]
fn post(client: &mut Client, path: &str, body: &Value) {
    let answer = client.post(path, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn books_that_agree_and_differences_of_every_kind(on: Backend) {
    let place = Place::new(on);
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let (mut client, mut there) = (server.client(), provider.client());
    let orders = [order_paid_by("plain", "pay_1", "simulated"), order_paid_by("second", "pay_2", "simulated")];
    put_orders(&mut client, &orders);
    let url = provider.url();
    let asking = ["--gateway", "simulated", "--simulated-url", &url];
    let asking = [&asking[..], &EVER].concat();

    let settled = ["succeeded"];
    refund(&mut client, "plain", "10.00", &settled);
    refund(&mut client, "plain", "40.01", &["failed"]);
    refund(&mut client, "plain", "40.13", &["sent"]);
    let (code, agreed) = report(&place, &asking);
    assert_eq!((code, differences(&agreed)), (0, Vec::new()), "{agreed:#}");
    assert_eq!((&agreed["agreed"], &agreed["legs"], &agreed["refunds_there"]), (&json!(3), &json!(3), &json!(3)));
    assert_eq!(agreed["sums"], json!([{"currency": "USD", "here": "10.00", "there": "10.00", "difference": "0.00"}]));

    let (_, parked) = refund(&mut client, "plain", "40.04", &["parked"]);
    let (_, late) = refund(&mut client, "plain", "40.07", &settled);
    post(&mut there, "/clock", &json!({"advance_ms": 61_000}));
    post(&mut there, "/dashboard/refunds", &json!({"payment": "pay_2", "amount_minor": 700, "currency": "USD"}));
    let (code, found) = report(&place, &asking);
    let expected = [("amount_differs", parked.as_str()), ("missing_here", "pay_2"), ("state_differs", late.as_str())];
    let expected: Vec<_> = expected.map(|(code, whose)| (code.to_owned(), whose.to_owned())).into();
    assert_eq!((code, differences(&found)), (5, expected.clone()), "{found:#}");
    let made_there = found["differences"].as_array().expect("a list").iter().find(|f| f["code"] == "missing_here");
    assert_eq!(made_there.expect("it is there")["suggestion"], json!({"kind": "order", "order": "second"}));
    // 10.00 and 40.07 here; 10.00, 40.03 and 7.00 there.
    let sums = json!([{"currency": "USD", "here": "50.07", "there": "57.03", "difference": "6.96"}]);
    assert_eq!(found["sums"], sums, "{found:#}");

    // The same from the provider's file, and with a refund in it that was made twice.
    let folder = tempfile::tempdir().expect("a folder");
    let csv = there.get("/statement.csv").text();
    let file = write(folder.path(), "books.csv", &csv);
    let (code, from_file) = report(&place, &[&["--gateway", "simulated", &file], &EVER[..]].concat());
    assert_eq!((code, differences(&from_file)), (5, expected.clone()), "{from_file:#}");
    let (code, twice_named) = report(&place, &["--provider", "simulated", &file, &file]);
    assert_eq!((code, differences(&twice_named)), (5, expected), "{twice_named:#}");
    let doubled = csv.lines().find(|line| line.contains(&late)).expect("a line").replacen("sim_", "sim_again_", 1);
    let paid = csv.lines().find(|line| line.contains(",1000,")).expect("a line").replacen("sim_", "sim_again_", 1);
    let file = write(folder.path(), "twice.csv", &format!("{csv}{doubled}\n{paid}\n"));
    let (code, twice) = report(&place, &["--gateway", "simulated", &file]);
    assert_eq!((code, &twice["differences"][0]["code"]), (5, &json!("twice_there")), "{twice:#}");
    assert_eq!(twice["differences"].as_array().expect("a list").len(), 4, "{twice:#}");

    let shown = reconcile(&place, &["--gateway", "simulated", &file]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let first: Vec<&str> = shown.lines().take(2).collect();
    assert!(first[0].starts_with("outcome") && first[1].starts_with("twice_there"), "{shown}");
    assert!(shown.contains("order second has the payment"), "{shown}");
    assert!(shown.trim_end().ends_with("4 differences"), "{shown}");
    place.assert_clean();
}

fn legs_that_the_provider_never_saw_are_missing_there(on: Backend) {
    let place = Place::new(on);
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    let mut client = server.client();
    put_orders(&mut client, &[order_paid_by("lost", "pay_1", "simulated")]);
    let (_, first) = refund(&mut client, "lost", "10.00", &["succeeded"]);
    let (_, second) = refund(&mut client, "lost", "20.00", &["succeeded"]);
    // Another provider, with empty books, and then one that paid the same amount without a word of whose it is.
    let stranger = Process::provider();
    let url = stranger.url();
    let asking = ["--provider", "simulated", "--simulated-url", &url];
    let asking = [&asking[..], &EVER].concat();
    let (code, found) = report(&place, &asking);
    let missing = |leg: &str| ("missing_there".to_owned(), leg.to_owned());
    assert_eq!((code, differences(&found)), (5, vec![missing(&first), missing(&second)]), "{found:#}");
    let paid = json!({"payment": "pay_1", "amount_minor": 2000, "currency": "USD"});
    post(&mut stranger.client(), "/dashboard/refunds", &paid);
    let (_, found) = report(&place, &asking);
    let found = found["differences"].as_array().expect("a list");
    let suggestions: Vec<&Value> = found.iter().map(|found| &found["suggestion"]["kind"]).collect();
    assert_eq!(suggestions, [&Value::Null, &json!("line"), &json!("leg")], "{found:#?}");
    assert_eq!(found[2]["suggestion"]["leg"], json!(second));

    // More than one page.
    for _ in 0..60 {
        let paid = json!({"payment": "pay_nobody", "amount_minor": 1, "currency": "USD"});
        post(&mut stranger.client(), "/dashboard/refunds", &paid);
    }
    let (_, many) = report(&place, &asking);
    assert_eq!(many["refunds_there"], 61, "{many:#}");

    // A span in which there was nothing; a provider that does not answer; arguments that make no sense.
    let early = [&asking[..4], &["--from", "2020-01-01", "--to", "2020-02-01T00:00:00Z"]].concat();
    assert_eq!(report(&place, &early).0, 0);
    drop(stranger);
    let cases: [(&[&str], i32, &str); 8] = [
        (&asking, 1, "page 1"),
        (&["--gateway", "manual", "--from", "2020-01-01", "--to", "2020-02-01"], 1, "has no list"),
        (&["--gateway", "nobody", "statement.csv"], 1, "no gateway nobody"),
        (&["--gateway", "simulated", "no-such-file.csv"], 1, "no-such-file.csv"),
        (&["--gateway", "simulated"], 2, "--from"),
        (&EVER, 2, "--gateway"),
        (&["--gateway", "simulated", "--from", "2020-02-01", "--to", "2020-01-01"], 2, "--from must be before --to"),
        (&["--gateway", "simulated", "--from", "2020-02-01T00:00", "--to", "2020-03-01"], 2, "zone"),
    ];
    for (args, expected, word) in cases {
        let output = reconcile(&place, args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{args:?} {told}");
        assert!(told.contains(word), "{args:?} {told}");
    }
}

/// The rows of the driver suite, with our legs in them.
fn a_file_of_stripes_is_read_without_a_gateway(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let intent = "pi_1GszsK2eZvKYlo2CfhZyoZLp";
    let mut yen = order_paid_by("yen", "ch_yen", "stripe");
    yen["currency"] = "JPY".into();
    (yen["lines"][0]["unit_price"], yen["lines"][0]["net"]) = ("10".into(), "1000".into());
    yen["payments"][0]["captured"] = "1000".into();
    put_orders(&mut client, &[order_paid_by("stripe-1", intent, "stripe"), yen]);
    // No gateway is called `stripe`, so a person says what became of its legs.
    let (refund_1, paid) = refund(&mut client, "stripe-1", "10.00", &["waiting"]);
    let (refund_2, failed) = refund(&mut client, "stripe-1", "2.00", &["waiting"]);
    for (refund, leg, outcome) in [(&refund_1, &paid, "succeeded"), (&refund_2, &failed, "failed")] {
        let path = format!("/v1/refunds/{refund}/legs/{leg}/settle");
        until("the leg to be left to a person", || {
            (client.post(&path, &json!({"outcome": outcome})).status == 200).then_some(())
        });
    }
    let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/../refundry-gateways/suite/stripe/statements.txt");
    let suite = std::fs::read_to_string(suite).expect("the suite of the driver");
    let rows = suite.lines().skip_while(|line| !line.starts_with("balance_transaction_id"));
    let rows: Vec<&str> = rows.take_while(|line| !line.starts_with("= ")).collect();
    let csv = rows.join("\n").replace("123456789012345678", &paid).replace("123456789012345679", &failed);
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), "stripe.csv", &csv);
    let (code, found) = report(&place, &["--provider", "stripe", &file]);
    // One in yen was made at the provider; another that was made there failed there.
    assert_eq!(code, 5, "{found:#}");
    assert_eq!(differences(&found), [("missing_here".to_owned(), "ch_yen".to_owned())], "{found:#}");
    assert_eq!(found["differences"][0]["suggestion"], json!({"kind": "order", "order": "yen"}), "{found:#}");
    assert_eq!(found["agreed"], 3, "{found:#}");
    let sums = json!([
        {"currency": "JPY", "here": "0", "there": "500", "difference": "500"},
        {"currency": "USD", "here": "10.00", "there": "10.00", "difference": "0.00"},
    ]);
    assert_eq!(found["sums"], sums);

    let wrong = write(folder.path(), "wrong.csv", &csv.replace("-10.00,usd,ch_1", "-9.99,usd,ch_1"));
    let (code, found) = report(&place, &["--provider", "stripe", "--gateway", "stripe", &wrong]);
    assert_eq!(code, 5);
    assert_eq!(found["differences"][0]["code"], "amount_differs", "{found:#}");
    assert_eq!(found["differences"][0]["there"][0]["place"], "wrong.csv:3");
    let told = reconcile(&place, &["--provider", "paypal", &file]);
    assert_eq!(told.status.code(), Some(1), "it is no report of PayPal");
}

/// A configured gateway: what its provider told of is in the books already. Asking needs its secrets, files do not.
fn a_refund_made_there_and_heard_of_agrees(on: Backend) {
    let place = Place::new(on);
    let key = ["--secrets-key", &"0a".repeat(32)];
    let server = place.serve(&key);
    let hook = format!("{}/hooks/demo/sim-eu", server.url());
    let provider =
        Process::start(&["simulate-provider", "--listen", "127.0.0.1:0", "--notify", &hook, "--notify-secret", "hush"]);
    let folder = tempfile::tempdir().expect("a folder");
    let secret = format!("webhook_secret={}", write(folder.path(), "secret", "hush"));
    let base_url = format!("base_url={}", provider.url());
    let put = ["gateway", "put", "sim-eu", "--store", "demo", "--driver", "simulated", "--set", &base_url];
    let done = run(&[&put[..], &["--secret-file", &secret], &key, &place.args()].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (mut client, mut there) = (server.client(), provider.client());
    put_orders(&mut client, &[order_paid_by("heard", "pay_1", "sim-eu")]);
    let (_, leg) = refund(&mut client, "heard", "10.00", &["succeeded"]);
    post(&mut there, "/dashboard/refunds", &json!({"payment": "pay_1", "amount_minor": 700, "currency": "USD"}));
    until("the refund made there to be heard of", || {
        (client.get("/v1/orders/heard").json()["refundable"] == "983.00").then_some(())
    });
    let asking = [&["--gateway", "sim-eu"], &key[..], &EVER].concat();
    let (code, found) = report(&place, &asking);
    assert_eq!((code, &found["agreed"]), (0, &json!(2)), "{found:#}");
    assert_eq!(found["sums"][0]["here"], "17.00");

    let unlocked = reconcile(&place, &[&["--gateway", "sim-eu"], &EVER[..]].concat());
    assert_eq!(unlocked.status.code(), Some(1), "its secrets cannot be read");
    let csv = there.get("/statement.csv").text();
    let file = write(folder.path(), "books.csv", &csv);
    assert_eq!(report(&place, &["--provider", "simulated", &file]).0, 0, "the only gateway of that driver is meant");
    // The file of another gateway of the store.
    let (code, found) = report(&place, &["--gateway", "simulated", &file]);
    assert_eq!(code, 5, "{found:#}");
    let strange = json!({"kind": "other_gateway", "leg": leg, "gateway": "sim-eu"});
    let found = found["differences"].as_array().expect("a list");
    assert_eq!(found.iter().map(|found| &found["suggestion"]).collect::<Vec<_>>(), [&strange], "{found:#?}");
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}
