//! Real processes and a payment provider that errs, one of them killed every second under load: in the end its books
//! equal ours to the cent, nothing was paid twice, and nothing that was acknowledged is lost.
//!
//! A minute on each database; `REFUNDRY_CHAOS_SECONDS` has it go on for longer.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Backend, Client, Place, Process, TOKEN, all_refunds, order, put_orders, run, until};

on_both!(whichever_process_is_killed_the_books_are_equal_in_the_end);

/// How long processes are killed where nobody says.
const SECONDS: u64 = 60;
/// Refunds a second that clients may ask for.
const RATE: usize = 40;
const CLIENTS: usize = 12;
const ORDERS: usize = 60;
/// What goes wrong at the provider, per mille and in milliseconds.
const FAULTS: &str = r#"{"answer_after_ms": [0, 1200],
    "lost_before": 40, "lost_after": 40, "refused": 20, "down": 20, "declined": 40,
    "slow_settlement": 150, "slow_settlement_ms": [100, 4000],
    "turns_into_failure": 60, "turns_into_failure_ms": [100, 6000],
    "delivery_doubled": 200, "delivery_late": 200, "delivery_late_ms": [100, 3000], "delivery_reordered": 200}"#;
const SECRETS_KEY: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

/// The processes of one installation, each of which can be killed and come back where it was.
struct Town {
    place: Place,
    folder: TempDir,
    servers: Vec<Process>,
    workers: Vec<Process>,
    provider: Process,
}

impl Town {
    fn new(on: Backend) -> Self {
        let place = Place::new(on);
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
        write("faults.json", FAULTS);
        write("none.json", "{}");
        write("webhook.secret", "whsec_chaos");
        // Embedded, one process answers and one pays; on a server there may be several of each.
        let count = if on == Backend::Sqlite { 1 } else { 2 };
        let servers: Vec<Process> = (0..count).map(|_| serve(&place, "127.0.0.1:0")).collect();
        let address = Process::provider().address.clone();
        let town = Self {
            provider: provide(&folder, &address, &servers[0], "faults.json"),
            workers: Vec::new(),
            place,
            folder,
            servers,
        };
        town.route();
        let workers = (0..count).map(|_| work(&town.place)).collect();
        Self { workers, ..town }
    }

    /// Every payment of the store is paid back by the provider.
    fn route(&self) {
        let base_url = format!("base_url=http://{}", self.provider.address);
        let secret = format!("webhook_secret={}", self.folder.path().join("webhook.secret").display());
        let [named, database] = self.place.args();
        let put = ["gateway", "put", "erring", "--store", "demo", "--driver", "simulated", "--set", &base_url];
        let secrets = ["--secret-file", &secret, "--secrets-key", SECRETS_KEY, named, database];
        for args in [
            &[&put[..], &secrets].concat()[..],
            &["gateway", "route", "--store", "demo", "*", "erring", named, database],
        ] {
            let output = run(args);
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Kills the n-th process of all, and starts it again where it was.
    fn kill(&mut self, turn: usize) {
        let (servers, workers) = (self.servers.len(), self.workers.len());
        let place = turn % (servers + workers + 1);
        if place < servers {
            let address = self.servers[place].address.clone();
            self.servers[place].kill();
            self.servers[place] = serve(&self.place, &address);
        } else if place < servers + workers {
            self.workers[place - servers].kill();
            self.workers[place - servers] = work(&self.place);
        } else {
            self.restart_provider("faults.json");
        }
    }

    fn restart_provider(&mut self, faults: &str) {
        let address = self.provider.address.clone();
        self.provider.kill();
        self.provider = provide(&self.folder, &address, &self.servers[0], faults);
    }
}

fn serve(place: &Place, listen: &str) -> Process {
    let args = place.args();
    Process::start(&[
        "serve",
        "--demo",
        "--no-work",
        "--listen",
        listen,
        "--secrets-key",
        SECRETS_KEY,
        args[0],
        args[1],
    ])
}

fn work(place: &Place) -> Process {
    let args = place.args();
    Process::start(&["work", "--secrets-key", SECRETS_KEY, args[0], args[1]])
}

fn provide(folder: &TempDir, address: &str, server: &Process, faults: &str) -> Process {
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let (books, faults) = (in_folder("books.jsonl"), in_folder(faults));
    let notify = format!("{}/hooks/demo/erring", server.url());
    let args = ["simulate-provider", "--listen", address, "--books", &books, "--faults", &faults, "--seed", "7"];
    Process::start(&[&args[..], &["--notify", &notify, "--notify-secret", "whsec_chaos"]].concat())
}

/// What clients may ask for, and what they were told.
#[derive(Default)]
struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    allowed: usize,
    begun: usize,
    over: bool,
    /// Refunds by the key that they were asked for under.
    acknowledged: BTreeMap<String, String>,
}

impl Ledger {
    /// Waits for leave to ask for one more; `None` once it is over.
    fn begin(&self) -> Option<usize> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut State| !state.over && state.begun >= state.allowed;
        let mut state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        if state.over {
            return None;
        }
        state.begun += 1;
        Some(state.begun)
    }

    fn allow(&self, more: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).allowed += more;
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.changed.notify_all();
    }

    /// Lets a second go by.
    fn second(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, Duration::from_secs(1), |state| !state.over);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn whichever_process_is_killed_the_books_are_equal_in_the_end(on: Backend) {
    let seconds = std::env::var("REFUNDRY_CHAOS_SECONDS").map_or(SECONDS, |text| text.parse().expect("seconds"));
    let mut town = Town::new(on);
    put_orders(&mut town.servers[0].client(), &(0..ORDERS).map(paid_order).collect::<Vec<Value>>());
    let addresses: Vec<String> = town.servers.iter().map(|server| server.address.clone()).collect();
    let ledger = Ledger::default();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (ledger, addresses) = (&ledger, &addresses);
            scope.spawn(move || insist(number, addresses, ledger));
        }
        // Whatever happens here, the clients are let go.
        let _end = End(&ledger);
        for turn in 0..seconds {
            ledger.allow(RATE);
            ledger.second();
            town.kill(usize::try_from(turn).expect("small"));
        }
    });
    town.restart_provider("none.json");
    let acknowledged = ledger.state.into_inner().unwrap_or_else(PoisonError::into_inner).acknowledged;
    assert!(acknowledged.len() > RATE * usize::try_from(seconds).expect("small") / 2, "{}", acknowledged.len());
    come_to_rest(&mut town);
    for (key, id) in &acknowledged {
        let found = town.servers[0].client().get(&format!("/v1/refunds/{id}"));
        assert_eq!(found.status, 200, "refund {id} of {key} was acknowledged and is gone");
    }
    town.place.assert_clean();
}

/// Lets go of the clients when it is dropped, which a panic does too.
struct End<'l>(&'l Ledger);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An order whose payment has a name at the provider.
fn paid_order(number: usize) -> Value {
    let mut order = order(&format!("chaos-{number}"), 4);
    order["payments"][0]["reference"] = json!(format!("pay_{number}"));
    order
}

/// A client that repeats each request, under its key, until it is acknowledged.
fn insist(number: usize, addresses: &[String], ledger: &Ledger) {
    let bearer = format!("Bearer {TOKEN}");
    let mut clients: Vec<Client> = addresses.iter().map(|address| Client::to(address)).collect();
    while let Some(turn) = ledger.begin() {
        let amount = format!("{}.{:02}", turn % 7, 1 + turn % 90);
        let body = json!({"order": format!("chaos-{}", turn % ORDERS), "ask": {"amount": amount}});
        let key = format!("chaos-{number}-{turn}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
        for attempt in turn.. {
            let client = &mut clients[attempt % addresses.len()];
            // Nobody is there, or whoever was there is killed: the same again, to the next one.
            let Ok(answer) = client.send("POST", "/v1/refunds", &headers, body.to_string().as_bytes()) else {
                continue;
            };
            match answer.status {
                201 => {
                    let id = answer.json()["id"].as_str().expect("an id").to_owned();
                    let mut state = ledger.state.lock().unwrap_or_else(PoisonError::into_inner);
                    state.acknowledged.insert(key, id);
                    break;
                }
                503 => {}
                status => panic!("{status} {}", answer.text()),
            }
        }
    }
}

/// Has every leg asked about until none is open, and compares the books until the last late failure has arrived.
fn come_to_rest(town: &mut Town) {
    let mut client = town.servers[0].client();
    until("all legs to be over", || {
        let path = "/v1/legs?stage=waiting&stage=calling&stage=sent&stage=in_doubt&stage=parked&limit=100";
        let open = client.get(path).json()["data"].as_array().expect("a list").clone();
        for leg in &open {
            let [refund, leg] = ["refund", "leg"].map(|name| leg[name].as_str().expect("an id"));
            let asked = client.post(&format!("/v1/refunds/{refund}/legs/{leg}/ask"), &json!({}));
            assert!(matches!(asked.status, 200 | 409), "{}", asked.text());
        }
        open.is_empty().then_some(())
    });
    let provider = &mut town.provider.client();
    until("every event to arrive", || (provider.get("/books").json()["undelivered"] == 0).then_some(()));
    let difference = until("the books to stand still", || {
        let books = provider.get("/books").json();
        let found = difference(&all_refunds(&mut client), &books);
        (found.is_none() || books["undelivered"] == 0).then_some(found)
    });
    assert_eq!(difference, None);
}

/// What the provider says and we do not, or the other way round.
fn difference(ours: &BTreeMap<String, Value>, books: &Value) -> Option<String> {
    if books["paid_twice"] != json!([]) {
        return Some(format!("paid twice: {}", books["paid_twice"]));
    }
    let paid = books["refunds"].as_array().expect("a list").iter().filter(|row| row["paid_minor"] != 0);
    let mut paid: BTreeMap<String, String> =
        paid.map(|row| (row["key"].as_str().expect("a key").to_owned(), row["paid_minor"].to_string())).collect();
    let legs = ours.values().flat_map(|refund| refund["legs"].as_array().expect("legs"));
    for leg in legs.filter(|leg| leg["route"] == "original" && leg["gateway"] == "erring") {
        let id = leg["id"].as_str().expect("an id");
        let amount = leg["amount"].as_str().expect("an amount").replace('.', "");
        let ours = (leg["state"] == "succeeded").then(|| amount.trim_start_matches('0').to_owned());
        let theirs = paid.remove(id);
        if ours != theirs {
            return Some(format!("leg {id} is {}, and the provider paid {theirs:?}: {leg}", leg["state"]));
        }
    }
    paid.pop_first().map(|(key, amount)| format!("{amount} were paid under {key}, which is no leg of ours"))
}
