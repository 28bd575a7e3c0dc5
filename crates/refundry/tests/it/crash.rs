//! Killed at any instant: every acknowledged refund is there afterwards, and nothing was paid twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Client, Process, TOKEN, audit, order, put_orders, settled};

const CLIENTS: usize = 64;
const ORDERS: usize = 40;
const KILLS: usize = 20;

#[test]
fn killed_twenty_times_under_load_it_keeps_every_refund_and_pays_each_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let provider = Process::provider();
    let more = ["--simulated-url".to_owned(), provider.url()];
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let mut server = Process::server(folder.path(), &more);
    let orders: Vec<Value> = (0..ORDERS).map(|i| order(&format!("crash-{i}"), 4)).collect();
    put_orders(&mut server.client(), &orders);

    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 0..KILLS {
        load_until_killed(&mut server, round, &acknowledged);
        server = Process::server(folder.path(), &more);
    }

    let mut client = server.client();
    settled(&mut client);
    let ours = all_refunds(&mut client);
    let acknowledged = acknowledged.into_inner().expect("no client panicked");
    assert!(acknowledged.len() > KILLS * 20, "the load was one: {}", acknowledged.len());
    for id in &acknowledged {
        assert!(ours.contains_key(id), "refund {id} was acknowledged and is gone");
    }
    compare_books(&ours, &mut provider.client());
    let (clean, words) = audit(folder.path());
    assert!(clean, "{words}");
}

/// Drives 64 connections until enough refunds of this round are acknowledged, and kills the server in the middle.
fn load_until_killed(server: &mut Process, round: usize, acknowledged: &Mutex<BTreeSet<String>>) {
    // Another number each time, so that the kill falls on another moment of a batch.
    let enough = 40 + round * 13;
    let count = AtomicUsize::new(0);
    let clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
    std::thread::scope(|scope| {
        for (number, client) in clients.into_iter().enumerate() {
            let count = &count;
            scope.spawn(move || refund_until_broken(client, (round, number), count, acknowledged));
        }
        crate::harness::until("the round's load", || (count.load(Ordering::Relaxed) >= enough).then_some(()));
        server.kill();
    });
}

fn refund_until_broken(
    mut client: Client,
    (round, number): (usize, usize),
    count: &AtomicUsize,
    acknowledged: &Mutex<BTreeSet<String>>,
) {
    let bearer = format!("Bearer {TOKEN}");
    for turn in 0_usize.. {
        let order = (number * 7 + turn * 3) % ORDERS;
        let line = format!("crash-{order}-l{}", turn % 4);
        let body = json!({"order": format!("crash-{order}"),
            "ask": {"parts": {"units": [{"line": line, "quantity": 1}]}}});
        let key = format!("{round}-{number}-{turn}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
        // A broken connection ends the round for this client.
        let Ok(answer) = client.send("POST", "/v1/refunds", &headers, body.to_string().as_bytes()) else { return };
        match answer.status {
            201 => {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                acknowledged.lock().expect("no client panicked").insert(id);
                count.fetch_add(1, Ordering::Relaxed);
            }
            // A line that is used up; the next turn takes another one.
            422 => {}
            status => panic!("{status} {}", answer.text()),
        }
    }
}

/// Every refund by its id, through the list and its cursor.
fn all_refunds(client: &mut Client) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut path = "/v1/refunds?limit=100".to_owned();
    loop {
        let page = client.get(&path).json();
        for refund in page["data"].as_array().expect("a list") {
            let id = refund["id"].as_str().expect("an id").to_owned();
            assert!(found.insert(id, refund.clone()).is_none(), "a refund is listed twice");
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return found };
        path = format!("/v1/refunds?limit=100&cursor={cursor}");
    }
}

/// The provider's books equal ours: every leg that succeeded was paid once, and nothing else was.
fn compare_books(ours: &BTreeMap<String, Value>, provider: &mut Client) {
    let books = provider.get("/books").json();
    let paid: BTreeMap<String, String> = books["refunds"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|refund| refund["status"] == "done")
        .map(|refund| (refund["key"].as_str().expect("a key").to_owned(), refund["amount_minor"].to_string()))
        .collect();
    let legs = ours.values().flat_map(|refund| refund["legs"].as_array().expect("legs"));
    let succeeded: BTreeMap<String, String> = legs
        // What was settled outside, such as the history of the example orders, never met the provider.
        .filter(|leg| leg["state"] == "succeeded" && leg["route"] == "original")
        .map(|leg| {
            let amount = leg["amount"].as_str().expect("an amount").replace('.', "");
            (leg["id"].as_str().expect("an id").to_owned(), amount.trim_start_matches('0').to_owned())
        })
        .collect();
    let missing = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.iter().filter(|(key, amount)| b.get(*key) != Some(amount)).map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&paid, &succeeded), Vec::<String>::new(), "paid, and not so in our books");
    assert_eq!(missing(&succeeded, &paid), Vec::<String>::new(), "in our books, and not so paid");
}
