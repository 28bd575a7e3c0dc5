//! Clients that insist: each repeats what it asks for, under its key, until it is acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Made, ask, id_of};
use crate::harness::{Client, Process, order, put_orders, until};

/// Orders to refund; enough of them that none is used up.
const ORDERS: usize = 40;

/// Takes the orders in.
pub(super) fn load_orders(client: &mut Client) {
    put_orders(client, &(0..ORDERS).map(|number| order(&format!("load-{number}"), 4)).collect::<Vec<Value>>());
}

/// What clients were told.
#[derive(Default)]
pub(super) struct Ledger {
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// Answers that say to come back, as nothing was done.
    refused: AtomicUsize,
    /// Answers that say that it may have been done or not.
    unsure: AtomicUsize,
    replayed: AtomicUsize,
    over: AtomicBool,
}

impl Ledger {
    pub(super) fn acknowledged(&self) -> Made {
        let acknowledged = self.acknowledged.lock().expect("no client panicked");
        acknowledged.iter().map(|(key, id)| (key.clone(), vec![id.clone()])).collect()
    }

    /// Answers other than an acknowledgement.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed) + self.unsure()
    }

    pub(super) fn unsure(&self) -> usize {
        self.unsure.load(Ordering::Relaxed)
    }

    /// Repeated requests that had been done before.
    pub(super) fn replayed(&self) -> usize {
        self.replayed.load(Ordering::Relaxed)
    }

    /// Waits until so many more are acknowledged.
    pub(super) fn wait_for_more(&self, count: usize) {
        let enough = self.count() + count;
        until("the load to go on", || (self.count() >= enough).then_some(()));
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("no client panicked").len()
    }

    /// Repeats a request until it is acknowledged. The server itself must always answer.
    fn insist(&self, client: &mut Client, key: &str, body: &Value) {
        loop {
            let answer = ask(client, key, body);
            match answer.status {
                201 => {
                    let replayed = answer.header("idempotent-replayed") == Some("true");
                    self.replayed.fetch_add(usize::from(replayed), Ordering::Relaxed);
                    let mut acknowledged = self.acknowledged.lock().expect("no client panicked");
                    acknowledged.insert(key.to_owned(), id_of(&answer));
                    return;
                }
                503 => {
                    // Nobody is told that nothing was stored while it may have been.
                    let unsure = answer.json()["code"] == "outcome_unknown";
                    if unsure { &self.unsure } else { &self.refused }.fetch_add(1, Ordering::Relaxed)
                }
                status => panic!("{status} {}", answer.text()),
            };
        }
    }
}

/// Ends the load when it is dropped, which a panic does too.
struct Over<'l>(&'l Ledger);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Runs `meanwhile` while clients refund through the servers; every request that was begun is acknowledged in the end.
pub(super) fn under_load(servers: &[&Process], clients: usize, meanwhile: impl FnOnce(&Ledger)) -> Ledger {
    let ledger = Ledger::default();
    std::thread::scope(|scope| {
        for number in 0..clients {
            let mut client = servers[number % servers.len()].client();
            let ledger = &ledger;
            scope.spawn(move || {
                for turn in 0_usize.. {
                    if ledger.over.load(Ordering::Relaxed) {
                        return;
                    }
                    let order = format!("load-{}", (number * 7 + turn * 3) % ORDERS);
                    let line = format!("{order}-l{}", turn % 4);
                    let ask = match turn % 8 {
                        0 => json!({"parts": {"units": [{"line": line, "quantity": 1}]}}),
                        _ => json!({"amount": "0.07"}),
                    };
                    ledger.insist(&mut client, &format!("key-{number}-{turn}"), &json!({"order": order, "ask": ask}));
                }
            });
        }
        let _over = Over(&ledger);
        meanwhile(&ledger);
    });
    ledger
}
