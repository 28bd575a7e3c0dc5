//! Workers that die, and servers that leave all work to them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::dam::{Dam, Hold};
use super::{Made, ask, assert_sound, id_of};
use crate::harness::{Backend, Client, Place, Process, TOKEN, order, put_orders, until};

/// `refundry work`.
pub(super) fn work(place: &Place, provider: &str) -> Process {
    Process::start(&[&["work"], &place.args()[..], &["--simulated-url", provider]].concat())
}

/// Refunds of 1.00, one a key; gives their legs.
fn refund(client: &mut Client, keys: std::ops::Range<usize>, made: &mut Made) -> BTreeSet<String> {
    let mut legs = BTreeSet::new();
    for key in keys.map(|number| format!("key-{number}")) {
        let answer = ask(client, &key, &json!({"order": "leased", "ask": {"amount": "1.00"}}));
        assert_eq!(answer.status, 201, "{}", answer.text());
        let leg = answer.json()["legs"][0].clone();
        assert_eq!(leg["state"], "waiting", "{leg:#}");
        legs.insert(leg["id"].as_str().expect("an id").to_owned());
        made.insert(key, vec![id_of(&answer)]);
    }
    legs
}

fn books(provider: &Process) -> Vec<Value> {
    provider.client().get("/books").json()["refunds"].as_array().expect("a list").clone()
}

#[test]
fn legs_of_a_killed_worker_are_looked_up_and_paid_once() {
    const EACH: usize = 12;
    let place = Place::new(Backend::Postgres);
    let provider = Process::provider();
    let (dam, ear, other_dam) = (Dam::before(&provider), Dam::before(&provider), Dam::before(&provider));
    let server = place.serve(&["--no-work"]);
    let mut client = server.client();
    put_orders(&mut client, &[order("leased", 1)]);
    let mut made = Made::new();

    // Of some legs the provider heard and nobody its answer; of the others not even the provider.
    let mut killed = work(&place, &dam.url());
    dam.hold(Hold::Answers);
    let paid = refund(&mut client, 0..EACH, &mut made);
    until("the provider to pay", || (books(&provider).len() == EACH).then_some(()));
    dam.hold(Hold::Requests);
    let unpaid = refund(&mut client, EACH..2 * EACH, &mut made);
    until("the worker to ask", || unpaid.iter().all(|leg| !dam.heard_of(leg).is_empty()).then_some(()));
    killed.kill();
    assert_eq!(books(&provider).len(), EACH);
    // Another one falls asleep while it waits for answers, and wakes up when its legs are somebody else's.
    let mut asleep = work(&place, &other_dam.url());
    other_dam.hold(Hold::Answers);
    let slept_over = refund(&mut client, 2 * EACH..3 * EACH, &mut made);
    until("the provider to pay", || (books(&provider).len() == 2 * EACH).then_some(()));
    asleep.pause();

    let mut heir = work(&place, &ear.url());
    assert_eq!(assert_sound(&place, &server, &provider), made);
    heir.kill();
    asleep.resume();
    other_dam.hold(Hold::Nothing);
    // The old connection was idle for too long.
    refund(&mut server.client(), 3 * EACH..3 * EACH + 1, &mut made);
    assert_eq!(assert_sound(&place, &server, &provider), made);

    assert!(slept_over.iter().all(|leg| other_dam.heard_of(leg).len() == 1), "it asked once, before it slept");
    for leg in paid.iter().chain(&unpaid) {
        let heard = ear.heard_of(leg);
        let looked_up = format!("GET /refunds/{leg} ");
        assert!(heard[0].starts_with(&looked_up), "{heard:#?}");
        let sent = heard.iter().filter(|request| !request.starts_with(&looked_up)).count();
        assert_eq!(sent, usize::from(unpaid.contains(leg)), "{heard:#?}");
        assert_eq!(dam.heard_of(leg).len(), 1, "it was the dead one's before");
    }
}

#[test]
fn a_server_without_workers_answers_and_is_woken_by_anothers_work() {
    let place = Place::new(Backend::Postgres);
    let provider = Process::provider();
    // Whoever is not woken waits for as long as nobody would.
    let server = place.serve(&["--no-work", "--wait-ms", "600000"]);
    let mut client = server.client();
    put_orders(&mut client, &[order("leased", 1)]);
    let mut made = Made::new();
    let legs = refund(&mut client, 0..3, &mut made);
    let number = client.get("/v1/orders/leased").json()["uid"].as_str().expect("a number").to_owned();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let path = format!("/openapi/2022-01/orders/{number}/refund");
            server.client().send("POST", &path, &[("access-token", TOKEN)], b"").expect("an answer")
        });
        until("the refund to wait", || (books_of(&mut client).len() == legs.len() + 1).then_some(()));
        assert_eq!(books(&provider), Vec::<Value>::new(), "nobody works");
        let _worker = work(&place, &provider.url());
        let answer = waiting.join().expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let newest = books_of(&mut client).remove(0);
        assert_eq!((&newest["via"], &newest["state"]), (&json!("shoplazza"), &json!("succeeded")), "{newest:#}");
        assert_eq!(assert_sound(&place, &server, &provider), made);
    });
    assert_eq!(books(&provider).len(), legs.len() + 1);
}

/// The refunds of the order that these tests are about.
fn books_of(client: &mut Client) -> Vec<Value> {
    client.get("/v1/refunds?order=leased").json()["data"].as_array().expect("a list").clone()
}
