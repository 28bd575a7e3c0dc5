//! Faults around a server's database: whatever is torn down, no acknowledged refund is lost, and nothing is paid twice.
//!
//! Each test ends the same way: no leg is unsettled, the provider's books equal ours leg by leg, an audit finds
//! nothing, and every key that was acknowledged made exactly one refund.

mod dam;
mod load;
mod refusals;
mod workers;

use std::collections::BTreeMap;

use refundry_test_postgres::{Cluster, Cut, Options, Proxy, Shutdown, fresh_database};
use serde_json::{Value, json};

use self::load::{load_orders, under_load};
use crate::harness::{
    Answer, Backend, Client, Place, Process, TOKEN, all_refunds, compare_books, order, put_orders, settled, until,
};
use crate::together::{accepted, at_once, ids, refund_through};

/// Refunds by the key they were asked for under, which their note repeats.
type Made = BTreeMap<String, Vec<String>>;

/// What every test of this file ends with; gives what was made.
#[track_caller]
fn assert_sound(place: &Place, server: &Process, provider: &Process) -> Made {
    let mut client = server.client();
    settled(&mut client);
    let ours = all_refunds(&mut client);
    compare_books(&ours, &mut provider.client());
    place.assert_clean();
    let mut made = Made::new();
    for (id, refund) in ours {
        if let Some(key) = refund["note"].as_str().filter(|note| note.starts_with("key-")) {
            made.entry(key.to_owned()).or_default().push(id);
        }
    }
    made
}

#[test]
fn a_server_restarted_again_and_again_under_load_loses_nothing() {
    let cluster = Cluster::start(&Options::default()).expect("a server");
    let place = Place::Server(fresh_database(&cluster.url("postgres")).expect("a database"));
    let provider = Process::provider();
    let server = place.serve(&["--simulated-url", &provider.url()]);
    load_orders(&mut server.client());
    let ledger = under_load(&[&server], 64, |ledger| {
        for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Fast, Shutdown::Immediate] {
            ledger.wait_for_more(150);
            cluster.restart(how).expect("a restart");
        }
        ledger.wait_for_more(150);
        cluster.stop(Shutdown::Fast).expect("an end");
        // Away for longer than anybody waits.
        let refused = ledger.refused();
        until("a refusal", || (ledger.refused() > refused).then_some(()));
        cluster.resume().expect("a start");
        ledger.wait_for_more(150);
    });
    assert_eq!(assert_sound(&place, &server, &provider), ledger.acknowledged());
}

#[test]
fn a_connection_cut_around_its_commit_makes_one_refund_a_key() {
    const CUTS: u32 = 30;
    let place = Place::new(Backend::Postgres);
    let [_, url] = place.args();
    let proxy = Proxy::start(url).expect("a proxy");
    let provider = Process::provider();
    // Whoever works is not cut off, so that no leg has to wait for its lease to run out.
    let server = Process::serve(["--database", &proxy.url()], &["--no-work"]);
    let _worker = workers::work(&place, &provider.url());
    load_orders(&mut server.client());
    let ledger = under_load(&[&server], 16, |ledger| {
        for number in 0..CUTS {
            proxy.cut_next(if number % 2 == 0 { Cut::AfterCommit } else { Cut::BeforeCommit });
            until("a commit to cut", || (proxy.cuts() > number).then_some(()));
            if number % 5 == 4 {
                proxy.cut_all();
            }
            ledger.wait_for_more(10);
        }
    });
    assert!(ledger.unsure() > 0, "somebody was told that it is not known");
    assert_eq!(ledger.refused(), ledger.unsure(), "and nobody that nothing was stored");
    assert!(ledger.replayed() > 0, "a commit was there whose answer had been lost");
    assert_eq!(assert_sound(&place, &server, &provider), ledger.acknowledged());
}

#[test]
fn two_servers_and_two_workers_on_the_same_orders_pay_what_was_paid_and_no_more() {
    let place = Place::new(Backend::Postgres);
    let provider = Process::provider();
    let url = provider.url();
    let servers = [place.serve(&["--simulated-url", &url]), place.serve(&["--no-work"])];
    let _workers = [workers::work(&place, &url), workers::work(&place, &url)];
    let mut client = servers[0].client();
    // 1000.00 captured of each; 31.00 fits 32 times and leaves 8.00.
    let names: Vec<String> = (0..3).map(|number| format!("pair-{number}")).collect();
    put_orders(&mut client, &names.iter().map(|name| order(name, 1)).collect::<Vec<_>>());
    let ids: Vec<_> = names.iter().map(|name| ids(&mut client, name)).collect();
    let both = [&servers[0], &servers[1]];
    let answers = at_once(&both, 64, |number, client| {
        // Every client asks for all of them, and no two begin with the same in the same API.
        let turns = (0..ids.len()).map(|turn| refund_through(number / 2, client, &ids[(turn + number) % 3], "31.00"));
        turns.collect::<Vec<Answer>>()
    });
    let answers = answers.concat();
    assert_eq!(accepted(&answers), 3 * 32, "{answers:#?}");
    for answer in answers.iter().filter(|answer| !matches!(answer.status, 200 | 201)) {
        assert!(matches!(answer.status, 400 | 422), "{} {}", answer.status, answer.text());
    }
    assert_sound(&place, &servers[1], &provider);
    for name in &names {
        let left = client.get(&format!("/v1/orders/{name}")).json();
        assert_eq!(left["refundable"], "8.00", "{left:#}");
    }
    let paid = provider.client().get("/books").json()["paid_minor"]["USD"].to_string();
    assert_eq!(paid, "297600");
}

#[test]
fn one_key_sent_to_two_servers_at_once_makes_one_refund() {
    let place = Place::new(Backend::Postgres);
    let provider = Process::provider();
    let more = ["--simulated-url", &provider.url()];
    let servers = [place.serve(&more), place.serve(&more)];
    put_orders(&mut servers[0].client(), &[order("one", 1), order("other", 1)]);
    // Half of the keys ask both servers for the same, half for two orders, of which one must be refused.
    let answers = at_once(&[&servers[0], &servers[1]], 64, |number, client| {
        let key = number / 2;
        let order = if key % 2 == 0 && number % 2 == 1 { "other" } else { "one" };
        ask(client, &format!("key-{key}"), &json!({"order": order, "ask": {"amount": "7.00"}}))
    });
    let mut acknowledged = Made::new();
    for (number, pair) in answers.chunks(2).enumerate() {
        let mut made: Vec<String> = pair.iter().filter(|answer| answer.status == 201).map(id_of).collect();
        let replayed = pair.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
        if number % 2 == 0 {
            let codes: Vec<Value> = pair.iter().map(|answer| answer.json()["code"].clone()).collect();
            assert!(codes.contains(&json!("idempotency_key_reused")), "{pair:#?}");
            assert_eq!(made.len(), 1, "{pair:#?}");
        } else {
            assert_eq!((made.len(), replayed), (2, 1), "{pair:#?}");
            made.dedup();
        }
        acknowledged.insert(format!("key-{number}"), made);
    }
    assert_eq!(assert_sound(&place, &servers[0], &provider), acknowledged);
}

/// Asks for a refund under a key, which becomes its note.
fn ask(client: &mut Client, key: &str, body: &Value) -> Answer {
    let mut body = body.clone();
    body["note"] = key.into();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    client.send("POST", "/v1/refunds", &headers, body.to_string().as_bytes()).expect("an answer")
}

fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}
