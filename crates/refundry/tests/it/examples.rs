//! Every example order is refunded to zero through every API, in random parts, and ends at exactly what was paid.
//!
//! Each API asks only for what it can say, by figures that it works out from `GET /v1/orders/{id}` alone. What it made
//! is then read back through all four APIs.

mod digital_river;
mod native;
mod order;
mod reading;
mod rng;
mod shoplazza;
mod shopline;

use std::collections::BTreeMap;

use serde_json::Value;

use self::order::{Sample, View, exponent, minor, samples};
use self::rng::{Rng, Seed};
use crate::harness::{Answer, Backend, Client, Place, Process, TOKEN, settled};

/// Random parts of one order, at most; then comes the rest.
const PARTS_MAX: u64 = 9;
/// The first of them runs against a provider in a process of its own, whose books are compared with ours.
const SEEDS: [u64; 3] = [4_711, 20_260_901, 77];

on_both!(
    every_example_goes_back_to_zero_through_our_own_api,
    every_example_goes_back_to_zero_through_shoplazza,
    every_example_goes_back_to_zero_through_shopline,
    every_example_goes_back_as_far_as_digital_river_allows,
);

/// A refund that one API is asked for.
struct Ask {
    path: String,
    body: Vec<u8>,
    /// What it must come to, where the caller can tell.
    amount: Option<i64>,
    /// What must be in excess of its parts, where the caller can tell.
    discrepancy: Option<i64>,
    /// Whether it must be accepted; where only the rules can tell, a refusal must leave no trace.
    certain: bool,
}

impl Ask {
    fn new(path: String, body: &Value) -> Self {
        Self { path, body: body.to_string().into_bytes(), amount: None, discrepancy: None, certain: true }
    }

    fn coming_to(self, amount: i64) -> Self {
        Self { amount: Some(amount), ..self }
    }
}

/// One of the four APIs, as a caller of it sees the world.
trait Api {
    /// A random part of what is left; `None` where this draw has nothing to ask for.
    fn part(&self, rng: &mut Rng, client: &mut Client, sample: &Sample, order: &View) -> Option<Ask>;

    /// The next step towards zero; `None` where this API can give back no more.
    fn rest(&self, rng: &mut Rng, sample: &Sample, order: &View) -> Option<Ask>;

    /// Our number of the refund that an answer tells of.
    fn number(&self, answer: &Value) -> String;

    /// What this API must leave behind, having given back all it can.
    fn leaves(&self, _before: &View) -> i64 {
        0
    }
}

/// One run of one API over all examples.
struct Run<'a> {
    api: &'a dyn Api,
    rng: Rng,
    client: Client,
    accepted: usize,
    refused: usize,
    /// What went back through gateways, by currency.
    sent: BTreeMap<String, i64>,
}

fn refund_all(on: Backend, api: &dyn Api) {
    let rounds = match on {
        Backend::Sqlite => SEEDS.len(),
        // The rules are the same; what differs is seen in one round.
        Backend::Postgres => 1,
    };
    for (index, seed) in SEEDS.into_iter().enumerate().take(rounds) {
        let _told = Seed(seed);
        let place = Place::new(on);
        let provider = (index == 0).then(Process::provider);
        let url = provider.as_ref().map(Process::url);
        let more: Vec<&str> = url.iter().flat_map(|url| ["--simulated-url", url.as_str()]).collect();
        let server = place.serve(&more);
        let (rng, client) = (Rng::new(seed), server.client());
        let mut run = Run { api, rng, client, accepted: 0, refused: 0, sent: BTreeMap::new() };
        for sample in samples(&mut run.client) {
            run.refund(&sample);
        }
        assert!(run.accepted > 2 * run.refused, "{} accepted, {} refused", run.accepted, run.refused);
        if let Some(provider) = provider {
            let books = provider.client().get("/books").json();
            let paid: BTreeMap<String, i64> = serde_json::from_value(books["paid_minor"].clone()).expect("totals");
            assert_eq!(paid, run.sent, "the provider's books and ours");
        }
        place.assert_clean();
    }
}

impl Run<'_> {
    fn refund(&mut self, sample: &Sample) {
        let before = View::read(&mut self.client, sample);
        let mut order = before.clone();
        if before.refundable() == 0 {
            let ask = self.api.rest(&mut self.rng, sample, &before);
            assert!(ask.is_none(), "{}", sample.file);
            self.refuse_unpaid(sample, &before);
            return;
        }
        for _ in 0..self.rng.below(PARTS_MAX) {
            if order.refundable() == 0 {
                break;
            }
            if let Some(ask) = self.api.part(&mut self.rng, &mut self.client, sample, &order) {
                order = self.send(sample, &order, &ask);
            }
        }
        while let Some(ask) = self.api.rest(&mut self.rng, sample, &order) {
            let after = self.send(sample, &order, &ask);
            assert_ne!(after.value, order.value, "{}: {} moves nothing", sample.file, ask.path);
            order = after;
        }
        assert_eq!(order.refundable(), self.api.leaves(&before), "{}: {:#}", sample.file, order.value);
        self.check_payments(sample, &before, &order);
        reading::everywhere(&mut self.client, sample, &order);
    }

    /// Sends one request, and looks at what it did.
    fn send(&mut self, sample: &Sample, before: &View, ask: &Ask) -> View {
        let answer = post(&mut self.client, &ask.path, &ask.body);
        let told =
            || format!("{}: {} {}\n{}", sample.file, ask.path, String::from_utf8_lossy(&ask.body), answer.text());
        settled(&mut self.client);
        let after = View::read(&mut self.client, sample);
        after.check(&sample.file);
        if !matches!(answer.status, 200 | 201) {
            assert!(matches!(answer.status, 400 | 406 | 409 | 422), "{} {}", answer.status, told());
            assert!(!ask.certain, "refused: {}\n{:#}", told(), before.value);
            assert_eq!(after.value, before.value, "a refusal left a trace: {}", told());
            self.refused += 1;
            return after;
        }
        self.accepted += 1;
        let number = self.api.number(&answer.json());
        let refund = self.client.get(&format!("/v1/refunds/{number}")).json();
        let figure = |key: &str| minor(&refund[key], before.exponent);
        if let Some(amount) = ask.amount {
            assert_eq!(figure("amount"), amount, "{}\n{refund:#}", told());
        }
        if let Some(discrepancy) = ask.discrepancy {
            assert_eq!(figure("discrepancy"), discrepancy, "{}\n{refund:#}", told());
        }
        assert_eq!(before.refundable() - after.refundable(), figure("refunded"), "{}\n{refund:#}", told());
        assert_eq!(after.count(), before.count() + 1, "{}", told());
        after
    }

    /// Σ of the legs that succeeded is what every payment captured, in both of its currencies.
    fn check_payments(&mut self, sample: &Sample, before: &View, after: &View) {
        let refunds = self.client.get(&format!("/v1/refunds?order={}&limit=100", sample.uid)).json();
        let refunds = refunds["data"].as_array().expect("a list");
        let mut given: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let mut made_here = 0;
        for leg in refunds.iter().flat_map(|refund| refund["legs"].as_array().expect("legs")) {
            let currency = leg["own_currency"].as_str().expect("a currency");
            let own = minor(&leg["own_amount"], exponent(currency));
            let amount = minor(&leg["amount"], before.exponent);
            if leg["state"] != "succeeded" {
                assert_eq!(leg["state"], "failed", "{leg:#}");
                continue;
            }
            let sum = given.entry(leg["payment"].as_str().expect("an id").to_owned()).or_default();
            *sum = (sum.0 + amount, sum.1 + own);
            made_here += amount;
            if leg["route"] == "original" {
                *self.sent.entry(currency.to_owned()).or_default() += own;
            }
        }
        let known_before = before.figure("refunded");
        assert_eq!(after.figure("refunded"), made_here, "{}", sample.file);
        assert!(made_here >= known_before, "{}", sample.file);
        assert_eq!(made_here + after.refundable(), before.figure("paid"), "{}", sample.file);
        for payment in after.list("payments") {
            let id = payment["id"].as_str().expect("an id");
            let (given, own_given) = given.get(id).copied().unwrap_or_default();
            let left = minor(&payment["left"], after.exponent);
            assert_eq!(given + left, minor(&payment["captured"], after.exponent), "{} {payment:#}", sample.file);
            if let Some(currency) = payment["own"]["currency"].as_str() {
                let own = |key: &str| minor(&payment["own"][key], exponent(currency));
                assert_eq!(own_given + own("left"), own("captured"), "{} {payment:#}", sample.file);
                assert!(left > 0 || own("left") == 0, "{} {payment:#}", sample.file);
            }
        }
    }

    /// An order of which nothing was captured refuses every API, whatever is asked.
    fn refuse_unpaid(&mut self, sample: &Sample, before: &View) {
        assert_eq!(before.figure("paid"), 0, "{}", sample.file);
        for (path, body) in order::unpaid_asks(sample) {
            let answer = post(&mut self.client, &path, body.to_string().as_bytes());
            let refused = matches!(answer.status, 400 | 406 | 409 | 422);
            assert!(refused, "{} {path} {body}: {} {}", sample.file, answer.status, answer.text());
        }
        assert_eq!(View::read(&mut self.client, sample).value, before.value, "{}", sample.file);
    }
}

/// Sends a body with the credentials of all APIs.
fn post(client: &mut Client, path: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("access-token", TOKEN),
        ("content-type", "application/json; charset=utf-8"),
    ];
    client.send("POST", path, &headers, body).expect("an answer")
}

fn every_example_goes_back_to_zero_through_our_own_api(on: Backend) {
    refund_all(on, &native::Native);
}

fn every_example_goes_back_to_zero_through_shoplazza(on: Backend) {
    refund_all(on, &shoplazza::Shoplazza);
}

fn every_example_goes_back_to_zero_through_shopline(on: Backend) {
    refund_all(on, &shopline::Shopline);
}

/// Digital River gives back at most what both the components and the payments have left. Of an order that captured
/// less than it charged, that is all that was captured; where earlier refunds held some of the price back, as one of
/// the examples does, the payments keep what the components no longer have.
fn every_example_goes_back_as_far_as_digital_river_allows(on: Backend) {
    refund_all(on, &digital_river::DigitalRiver);
}
