//! The load against a small server that keeps count.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::parsed;
use crate::bench::ask::Kind;
use crate::bench::load::{self, Load, Measured, Pace, due};
use crate::bench::loads::{self, MIXED};
use crate::bench::progress::Progress;
use crate::bench::report::Report;
use crate::bench::session::Session;

/// What the small server was sent.
#[derive(Default)]
struct Seen {
    orders: BTreeMap<String, Value>,
    keys: BTreeSet<String>,
    accepted: u32,
    /// Every refund but the first is answered with this instead of 201.
    refuse: Option<(u16, &'static str)>,
    /// How often it still says that something is pending.
    pending: u32,
    asked_pending: Vec<String>,
    quotes: u32,
    got: BTreeSet<String>,
    lists: u32,
}

type Shared = Arc<Mutex<Seen>>;

async fn start(seen: &Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::clone(seen);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request| answer(Arc::clone(&seen), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    format!("http://{address}")
}

async fn answer(seen: Shared, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("authorization").as_deref(), Some("Bearer secret"));
    let mut seen = seen.lock().unwrap();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    let (status, text) = match (method, path) {
        ("POST", "/v1/orders/import") => seen.import(&body),
        ("POST", "/v1/refunds") => {
            assert!(seen.keys.insert(header("idempotency-key").unwrap()), "every key is new");
            let refund: Value = serde_json::from_slice(&body).unwrap();
            seen.check_unit(refund["order"].as_str().unwrap(), &refund["ask"]);
            seen.create()
        }
        ("GET", "/v1/refunds") if query.starts_with("state=pending") => {
            seen.asked_pending.push(query.to_owned());
            let still = seen.pending > 0;
            seen.pending = seen.pending.saturating_sub(1);
            (200, format!(r#"{{"data":[{}],"next_cursor":null}}"#, if still { "{}" } else { "" }))
        }
        ("GET", "/v1/refunds") => {
            assert!(seen.orders.contains_key(query.strip_prefix("order=").unwrap()));
            seen.lists += 1;
            (200, r#"{"data":[],"next_cursor":null}"#.to_owned())
        }
        ("GET", "/metrics") => {
            let accepted = seen.accepted;
            (200, format!("refundry_writer_batches {}\nrefundry_writer_jobs {accepted}\n", accepted / 2))
        }
        ("POST", path) => {
            let order = path.strip_prefix("/v1/orders/").and_then(|rest| rest.strip_suffix("/quote")).unwrap();
            let quote: Value = serde_json::from_slice(&body).unwrap();
            seen.check_unit(order, &quote["ask"]);
            seen.quotes += 1;
            (200, "{}".to_owned())
        }
        (_, path) => {
            seen.got.insert(path.strip_prefix("/v1/refunds/").unwrap().to_owned());
            (200, "{}".to_owned())
        }
    };
    Ok(Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap())
}

impl Seen {
    fn import(&mut self, body: &[u8]) -> (u16, String) {
        let before = self.orders.len();
        for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let order: Value = serde_json::from_slice(line).unwrap();
            self.orders.insert(order["id"].as_str().unwrap().to_owned(), order);
        }
        (200, format!(r#"{{"created":{}}}"#, self.orders.len() - before))
    }

    fn check_unit(&self, order: &str, ask: &Value) {
        let unit = &ask["parts"]["units"][0];
        let order = self.orders.get(order).expect("an imported order");
        assert!(order["lines"].as_array().unwrap().iter().any(|line| line["id"] == unit["line"]));
        assert_eq!(unit["quantity"], 1);
    }

    fn create(&mut self) -> (u16, String) {
        match self.refuse.filter(|_| self.keys.len() > 1) {
            None => {
                self.accepted += 1;
                (201, format!(r#"{{"id":"r{}","created_at":"2026-01-31T09:30:00.000Z"}}"#, self.accepted))
            }
            Some((status, text)) => (status, text.to_owned()),
        }
    }
}

/// Runs a load of this mix and pace for a tenth of a second, after 30 ms of warm-up.
fn measure(seen: &Shared, mix: &'static [Kind], connections: u32, pace: Pace) -> (Load, Measured) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = runtime.block_on(start(seen));
    let args = parsed(&["--url", &url, "--token", "secret", "--orders", "600"]);
    let session = Session::open(&args, &runtime, &Progress::start()).unwrap();
    let load = Load {
        access: session.access.clone(),
        source: session.source(&runtime, mix, 1).unwrap(),
        connections,
        pace,
        warmup: Duration::from_millis(30),
        window: Duration::from_millis(100),
        seed: 1,
    };
    let measured = runtime.block_on(load::run(&load, |_, _| ())).unwrap();
    (load, measured)
}

fn report(load: &Load, measured: &Measured) -> Report {
    loads::report(&parsed(&["create"]), load, measured)
}

#[test]
fn counts_what_was_accepted_in_the_window_and_waits_for_the_rest() {
    let seen = Shared::default();
    seen.lock().unwrap().pending = 3;
    let (load, measured) = measure(&seen, &[Kind::Create], 8, Pace::Closed);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.orders.len(), 600, "imported in two requests");
    assert_eq!(seen.asked_pending.len(), 4);
    assert!(seen.asked_pending[0].contains("created_from=2026-01-31T09:30:00.000Z"), "older refunds do not count");
    let created = measured.tally.of(Kind::Create).len();
    assert_eq!((measured.tally.errors, measured.tally.answers()), (0, created));
    assert!(created > 0 && created < u64::from(seen.accepted), "the warm-up does not count");
    assert!(measured.settling.unwrap() >= Duration::from_millis(40), "three polls came to nothing");
    assert!(measured.writer.unwrap().jobs <= u64::from(seen.accepted));

    let report = report(&load, &measured);
    assert_eq!(report.failure, None);
    let rates: Vec<&str> = report.rates.iter().map(|rate| rate.name).collect();
    assert_eq!(rates, ["settled refunds", "accepted refunds"]);
    assert!(report.rates[0].per_second < report.rates[1].per_second);
}

#[test]
fn any_other_answer_is_an_error_and_the_first_is_shown() {
    let seen = Shared::default();
    seen.lock().unwrap().refuse = Some((422, r#"{"code":"quantity_exceeded"}"#));
    let (load, measured) = measure(&seen, &[Kind::Create], 2, Pace::Closed);
    assert_eq!(measured.tally.answers(), 0);
    assert!(measured.tally.errors > 0);
    let failure = report(&load, &measured).failure.unwrap();
    assert!(failure.ends_with(r#"the first: 422: {"code":"quantity_exceeded"}"#), "{failure}");
}

#[test]
fn a_mixed_load_asks_for_what_there_is() {
    let seen = Shared::default();
    let (load, measured) = measure(&seen, MIXED, 4, Pace::Closed);
    let seen = seen.lock().unwrap();
    assert_eq!(measured.tally.first_error, None);
    assert!(seen.quotes > 0 && seen.lists > 0);
    assert!(!seen.got.is_empty() && seen.got.iter().all(|id| load.source.refunds.contains(id)));
    let report = report(&load, &measured);
    assert_eq!(report.rates.last().unwrap().name, "requests");
    assert_eq!(report.latencies.len(), 4);
}

#[test]
fn reading_alone_makes_no_refund() {
    let seen = Shared::default();
    let (_, measured) = measure(&seen, &[Kind::Quote], 2, Pace::Closed);
    assert!(!measured.tally.of(Kind::Quote).is_empty());
    assert_eq!(measured.settling, Some(Duration::ZERO));
    assert_eq!(seen.lock().unwrap().accepted, 0);
}

#[test]
fn the_schedule_of_an_open_loop_moves_for_nobody() {
    assert_eq!(due(0, 7), Duration::ZERO);
    assert_eq!(due(7, 7), Duration::from_secs(1));
    assert_eq!(due(1, 1_000_000), Duration::from_micros(1));
    assert_eq!(due(3_600_000_000, 1_000_000), Duration::from_hours(1));
    let gaps = (1..1_000).map(|number| due(number, 333).saturating_sub(due(number - 1, 333)));
    assert!(gaps.map(|gap| gap.as_micros()).all(|us| (3_003..=3_004).contains(&us)));
}

#[test]
fn every_request_that_was_due_in_the_window_counts_whenever_it_was_answered() {
    // One connection may well be late; what it could not send in time is sent all the same.
    for connections in [1, 16] {
        let seen = Shared::default();
        let (_, measured) = measure(&seen, &[Kind::Create], connections, Pace::Open(1_000));
        assert_eq!(measured.tally.of(Kind::Create).len(), 100);
        // And thirty of the warm-up, and the first.
        assert_eq!(seen.lock().unwrap().accepted, 131);
    }
}
