//! The load against a small server that keeps count, and the parts that turn text into figures and back.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
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

use super::client::{Access, Target};
use super::load::{self, Load, Measured, WriterFigures};
use super::orders::{Orders, Random};
use super::report::{Report, Subject};
use super::{server, time, time_above_zero};

/// What the small server was sent.
#[derive(Default)]
struct Seen {
    orders: BTreeMap<String, Value>,
    keys: BTreeSet<String>,
    accepted: u32,
    /// Every refund is answered with this instead of 201.
    refuse: Option<(u16, &'static str)>,
    /// How often it still says that something is pending.
    pending: u32,
    asked_pending: Vec<String>,
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
    let (status, text) = match (parts.method.as_str(), parts.uri.path()) {
        ("POST", "/v1/orders/import") => {
            assert_eq!(parts.uri.query(), Some("from=native"));
            let before = seen.orders.len();
            for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let order: Value = serde_json::from_slice(line).unwrap();
                seen.orders.insert(order["id"].as_str().unwrap().to_owned(), order);
            }
            (200, format!(r#"{{"created":{}}}"#, seen.orders.len() - before))
        }
        ("POST", "/v1/refunds") => {
            assert!(seen.keys.insert(header("idempotency-key").unwrap()), "every key is new");
            let refund: Value = serde_json::from_slice(&body).unwrap();
            let order = seen.orders.get(refund["order"].as_str().unwrap()).expect("an imported order");
            let unit = &refund["ask"]["parts"]["units"][0];
            assert!(order["lines"].as_array().unwrap().iter().any(|line| line["id"] == unit["line"]));
            assert_eq!(unit["quantity"], 1);
            match seen.refuse {
                None => {
                    seen.accepted += 1;
                    (201, "{}".to_owned())
                }
                Some((status, text)) => (status, text.to_owned()),
            }
        }
        ("GET", "/v1/refunds") => {
            seen.asked_pending.push(parts.uri.query().unwrap_or_default().to_owned());
            let still = seen.pending > 0;
            seen.pending = seen.pending.saturating_sub(1);
            (200, format!(r#"{{"data":[{}],"next_cursor":null}}"#, if still { "{}" } else { "" }))
        }
        ("GET", "/metrics") => {
            let accepted = seen.accepted;
            (200, format!("refundry_writer_batches {}\nrefundry_writer_jobs {accepted}\n", accepted / 2))
        }
        _ => (200, r#"{"created_at":"2026-01-31T09:30:00.000Z"}"#.to_owned()),
    };
    Ok(Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap())
}

fn measure(seen: &Shared, connections: u32) -> (Load, anyhow::Result<Measured>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target: Target = start(seen).await.parse().unwrap();
        let load = Load {
            access: Access::new(&target, "secret").unwrap(),
            orders: Orders { run: "bench-7".to_owned(), count: 600 },
            connections,
            warmup: Duration::from_millis(30),
            window: Duration::from_millis(100),
            seed: 1,
        };
        let measured = load::run(&load, |_, _| ()).await;
        (load, measured)
    })
}

fn report(load: &Load, measured: &Measured) -> (String, Value, Option<String>) {
    let subject = Subject { url: "http://server".to_owned(), data: None };
    let report = Report { subject: &subject, load, measured };
    (report.text(), report.json(), report.failure())
}

#[test]
fn counts_what_was_accepted_in_the_window_and_waits_for_the_rest() {
    let seen = Shared::default();
    seen.lock().unwrap().pending = 3;
    let (load, measured) = measure(&seen, 8);
    let measured = measured.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.orders.len(), 600, "imported in two requests");
    assert_eq!(seen.asked_pending.len(), 4);
    assert!(seen.asked_pending[0].contains("created_from=2026-01-31T09:30:00.000Z"), "older refunds do not count");
    let tally = &measured.tally;
    assert_eq!((tally.errors, tally.latency_us.len()), (0, u64::from(tally.accepted)));
    assert!(tally.accepted > 0 && tally.accepted < seen.accepted, "the warm-up does not count");
    assert!(measured.settling.unwrap() >= Duration::from_millis(40), "three polls came to nothing");
    assert!(measured.writer.unwrap().jobs <= seen.accepted);

    let (text, json, failure) = report(&load, &measured);
    assert_eq!(failure, None);
    assert!(text.starts_with("settled refunds/s") && text.contains("http://server"), "{text}");
    assert_eq!(json["accepted"], tally.accepted);
    assert_eq!(json["window_ms"], 100);
    assert!(json["settled_per_second"].as_f64().unwrap() < json["accepted_per_second"].as_f64().unwrap());
}

#[test]
fn any_other_answer_is_an_error_and_the_first_is_shown() {
    let seen = Shared::default();
    seen.lock().unwrap().refuse = Some((422, r#"{"code":"quantity_exceeded"}"#));
    let (load, measured) = measure(&seen, 2);
    let measured = measured.unwrap();
    let (_, json, failure) = report(&load, &measured);
    assert_eq!(measured.tally.accepted, 0);
    assert!(measured.tally.errors > 0);
    assert_eq!(json["first_error"], r#"422: {"code":"quantity_exceeded"}"#);
    assert!(failure.unwrap().ends_with(r#"the first: 422: {"code":"quantity_exceeded"}"#));
}

#[test]
fn an_order_that_was_there_before_stops_the_run() {
    let seen = Shared::default();
    seen.lock().unwrap().orders.insert("bench-7-3".to_owned(), Value::Null);
    let (_, measured) = measure(&seen, 1);
    let error = format!("{:#}", measured.unwrap_err());
    assert!(error.starts_with("the orders cannot be imported: not all are new"), "{error}");
}

#[test]
fn one_seed_always_picks_the_same() {
    let orders = Orders { run: "r".to_owned(), count: 50 };
    let drawn = |seed, stream| {
        let mut random = Random::new(seed, stream);
        (0..20).map(|_| orders.refund(&mut random)).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1, 0), drawn(1, 0));
    assert_ne!(drawn(1, 0), drawn(2, 0));
    assert_ne!(drawn(1, 0), drawn(1, 1));

    let mut random = Random::new(0, 0);
    let mut counts = [0_u32; 10];
    for _ in 0..10_000 {
        counts[random.below(10) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
}

#[test]
fn times_have_a_unit() {
    assert_eq!(time("2s"), Ok(Duration::from_secs(2)));
    assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(time("3m"), Ok(Duration::from_mins(3)));
    assert_eq!(time("0s"), Ok(Duration::ZERO));
    for wrong in ["", "2", "s", "-1s", "1.5s", "2 s", "2h", "4294967296s"] {
        assert!(time(wrong).is_err(), "{wrong}");
    }
    assert!(time_above_zero("0ms").is_err());
}

#[test]
fn a_server_has_an_address_and_no_path() {
    let shown = |text: &str| text.parse::<Target>().map(|target| target.to_string());
    assert_eq!(shown("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080".to_owned()));
    assert_eq!(shown("http://refunds.example/"), Ok("http://refunds.example:80".to_owned()));
    assert_eq!(shown("http://[::1]:9"), Ok("http://[::1]:9".to_owned()));
    for wrong in ["", "127.0.0.1:8080", "https://example.com", "http://example.com/v1", "http://"] {
        assert!(shown(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn figures_of_the_writer_are_read_from_the_metrics() {
    let page = "# HELP refundry_writer_batches x\nrefundry_writer_batches 4\nrefundry_writer_jobs 300\n# EOF\n";
    assert_eq!(WriterFigures::read(page), Some(WriterFigures { transactions: 4, jobs: 300 }));
    assert_eq!(WriterFigures::read("refundry_writer_batches 4\n"), None);
}

#[test]
fn the_nearest_mount_tells_the_file_system() {
    let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/disk xfs rw 0 0\n";
    let kind = |folder: &str| server::kind_of(mounts, Path::new(folder));
    assert_eq!(kind("/tmp/a").as_deref(), Some("tmpfs"));
    assert_eq!(kind("/tmp/disk/a").as_deref(), Some("xfs"));
    assert_eq!(kind("/tmpfile").as_deref(), Some("ext4"));
}
