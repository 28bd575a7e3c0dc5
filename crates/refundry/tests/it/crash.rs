//! Killed at any instant: every acknowledged refund is there afterwards, and nothing was paid twice.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{
    Backend, Client, Place, Process, TOKEN, all_refunds, compare_books, order, put_orders, settled, until,
};

const CLIENTS: usize = 64;
const ORDERS: usize = 40;

on_both!(killed_many_times_under_load_it_keeps_every_refund_and_pays_each_once);

fn killed_many_times_under_load_it_keeps_every_refund_and_pays_each_once(on: Backend) {
    let kills = match on {
        Backend::Sqlite => 20,
        // Legs of the dead are taken over when their leases run out, so the end takes a minute however many died.
        Backend::Postgres => 10,
    };
    let place = Place::new(on);
    let provider = Process::provider();
    let more = ["--simulated-url".to_owned(), provider.url()];
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let mut server = place.serve(&more);
    let orders: Vec<Value> = (0..ORDERS).map(|i| order(&format!("crash-{i}"), 4)).collect();
    put_orders(&mut server.client(), &orders);

    let acknowledged = Mutex::new(BTreeSet::new());
    for round in 0..kills {
        load_until_killed(&mut server, round, &acknowledged);
        server = place.serve(&more);
    }

    let mut client = server.client();
    settled(&mut client);
    let ours = all_refunds(&mut client);
    let acknowledged = acknowledged.into_inner().expect("no client panicked");
    assert!(acknowledged.len() > kills * 20, "the load was one: {}", acknowledged.len());
    for id in &acknowledged {
        assert!(ours.contains_key(id), "refund {id} was acknowledged and is gone");
    }
    compare_books(&ours, &mut provider.client());
    place.assert_clean();
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
        until("the round's load", || (count.load(Ordering::Relaxed) >= enough).then_some(()));
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
