//! The simulated provider when things go wrong: over its wire, and as a simulation in this process meets it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use refundry_gateways::simulated::{
    BookKeeper, Books, Dashboard, Faults, Millis, NoAnswer, Outage, Posting, RefundOrder, Secret, Setup, Status, Time,
    notify,
};
use refundry_gateways::{
    About, Answer, Delivery, DisputeStage, Gateway, Heard, HttpOutcome, Notice, Purpose, Simulated, Span, Transport,
    TransportLimits,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Provider, ask, get, post};

const SECRET: &str = "shared";
const START_MS: i64 = 1_764_000_000_000;

fn setup(faults: Faults) -> (Setup, Arc<AtomicI64>) {
    let now_ms = Arc::new(AtomicI64::new(START_MS));
    let secret = Some(Secret(SECRET.to_owned()));
    (Setup { faults, time: Time::Shared(Arc::clone(&now_ms)), secret }, now_ms)
}

fn order(key: &str, payment: &str, amount_minor: i64) -> RefundOrder {
    RefundOrder {
        key: key.to_owned(),
        payment: payment.to_owned(),
        currency: "USD".to_owned(),
        amount_minor,
        account: String::new(),
    }
}

fn entered(amount_minor: i64) -> Dashboard {
    Dashboard { payment: "pay_1".to_owned(), amount_minor, currency: "USD".to_owned() }
}

fn transport() -> Transport {
    Transport::new(TransportLimits::default())
}

/// What the driver hears of a delivery at the time it was signed.
fn heard(posting: &Posting, now_ms: i64) -> Notice {
    let headers: Vec<_> = posting.headers.iter().map(|(name, value)| (name.as_str(), value.into())).collect();
    let delivery = Delivery { headers: &headers, body: &posting.body, now_ms };
    match Simulated::remote("http://127.0.0.1").with_secret(SECRET).hear(&delivery) {
        Heard::Notices(mut notices) => notices.pop().expect("an event tells one thing"),
        other => panic!("{other:?}"),
    }
}

/// payment reference: what a refund, a look-up, a second refund and a second look-up are told.
const ONCE: &[(&str, [&str; 4])] = &[
    ("pay_1.sim-rate_limited_once", ["not taken", "not found", "done", "done"]),
    ("pay_1.sim-down_once", ["unknown", "not found", "done", "done"]),
    ("pay_1.sim-cut_before_once", ["unknown", "not found", "done", "done"]),
    ("pay_1.sim-cut_after_once", ["unknown", "done", "done", "done"]),
    ("pay_1.sim-slow_settlement", ["pending", "pending", "pending", "pending"]),
    ("pay_1.sim-late_failure", ["done", "done", "done", "done"]),
];

#[tokio::test]
async fn what_goes_wrong_once_over_the_wire_and_in_this_process() {
    let provider = Provider::start(BookKeeper::in_memory());
    let local = Simulated::local(BookKeeper::in_memory());
    for (leg_id, (payment, expected)) in (1..).zip(ONCE) {
        let mut ask = ask(leg_id, 1000, "");
        (*payment).clone_into(&mut ask.payment_reference);
        for gateway in [&provider.gateway(), &local] {
            let mut told = Vec::new();
            for purpose in [Purpose::Refund, Purpose::Lookup, Purpose::Refund, Purpose::Lookup] {
                told.push(word(&transport().ask(gateway, purpose, &ask).await));
            }
            assert_eq!(told, *expected, "{payment} {gateway:?}");
        }
    }
    provider.stop().await;
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Done { .. } => "done",
        Answer::Pending { .. } => "pending",
        Answer::Declined { .. } => "declined",
        Answer::Unknown { .. } => "unknown",
        Answer::NotTaken { .. } => "not taken",
        Answer::NotFound => "not found",
    }
}

#[tokio::test]
async fn a_cut_connection_is_broken_and_a_refusal_says_when_to_come_again() {
    let (setup, _) = setup(Faults { lost_after: 1000, lost_as_500: 0, ..Faults::default() });
    let books = BookKeeper::in_memory_with(setup);
    let provider = Provider::start(books.clone());
    let body = serde_json::to_string(&order("1", "p", 5)).unwrap();
    let lost = transport().call(post(provider.url("/refunds"), &body)).await;
    assert!(matches!(lost, HttpOutcome::Broken { .. }), "{lost:?}");
    let unseen = transport().call(get(provider.url("/refunds/1"))).await;
    assert!(matches!(unseen, HttpOutcome::Broken { .. }), "{unseen:?}");
    assert_eq!(books.read(|books| books.account("1")).unwrap().times_paid, 1);

    books.set_faults(Faults { lost_after: 1000, lost_as_500: 1000, ..Faults::default() });
    assert_eq!(status(transport().call(get(provider.url("/refunds/1"))).await), 500);
    books.set_faults(Faults { refused: 1000, ..Faults::default() });
    let mut stream = TcpStream::connect(provider.address).unwrap();
    stream.write_all(b"GET /refunds/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    });
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
    provider.stop().await;
}

#[tokio::test]
async fn an_outage_never_says_that_a_refund_is_unknown() {
    let (setup, now_ms) = setup(Faults { outages: vec![Outage(START_MS + 10, START_MS + 20)], ..Faults::default() });
    let provider = Provider::start(BookKeeper::in_memory_with(setup));
    let ask = ask(1, 1000, "");
    let gateway = provider.gateway();
    let told = async |purpose, at_ms| {
        now_ms.store(START_MS + at_ms, Ordering::Relaxed);
        word(&transport().ask(&gateway, purpose, &ask).await)
    };
    assert_eq!(told(Purpose::Lookup, 9).await, "not found");
    assert_eq!(told(Purpose::Lookup, 10).await, "unknown");
    assert_eq!(told(Purpose::Refund, 19).await, "unknown");
    assert_eq!(status(transport().call(get(provider.url("/statement.csv"))).await), 503);
    assert_eq!(told(Purpose::Lookup, 20).await, "not found");
    assert_eq!(told(Purpose::Refund, 20).await, "done");
    provider.stop().await;
}

#[tokio::test]
async fn hundreds_of_answers_are_held_back_together() {
    // Held one after the other they would take a minute, which is longer than their deadline.
    let faults = Faults { answer_after_ms: Millis(200, 200), ..Faults::default() };
    let provider = Provider::start(BookKeeper::in_memory_with(setup(faults).0));
    let (transport, mut calls) = (transport(), JoinSet::new());
    for leg_id in 1..=300 {
        let (transport, gateway) = (transport.clone(), provider.gateway());
        calls.spawn(async move { transport.ask(&gateway, Purpose::Refund, &ask(leg_id, 100, "")).await });
    }
    for answer in calls.join_all().await {
        assert_eq!(word(&answer), "done", "{answer:?}");
    }
    provider.stop().await;
}

#[tokio::test]
async fn the_clock_brings_late_failures_forward() {
    let provider = Provider::start(BookKeeper::in_memory());
    let mut leg = ask(1, 1000, "");
    "pay_1.sim-late_failure".clone_into(&mut leg.payment_reference);
    let (transport, gateway) = (transport(), provider.gateway());
    assert_eq!(word(&transport.ask(&gateway, Purpose::Refund, &leg).await), "done");
    let clock = post(provider.url("/clock"), r#"{"advance_ms": 60000}"#);
    assert_eq!(body(transport.call(clock).await), json!({ "now_ms": 60_000 }));
    let late = transport.ask(&gateway, Purpose::Lookup, &leg).await;
    assert!(matches!(&late, Answer::Declined { code, .. } if code == "account_closed"), "{late:?}");
    let books = body(transport.call(get(provider.url("/books"))).await);
    assert_eq!((&books["paid_minor"], &books["refunds"][0]["times_paid"]), (&json!({}), &json!(1)));
    assert_eq!(status(transport.call(post(provider.url("/clock"), r#"{"advance_ms": -1}"#)).await), 400);
    provider.stop().await;
}

#[tokio::test]
async fn the_dashboard() {
    let provider = Provider::start(BookKeeper::in_memory());
    let transport = transport();
    let entry = r#"{"payment": "pay_1", "amount_minor": 500, "currency": "USD"}"#;
    let external = body(transport.call(post(provider.url("/dashboard/refunds"), entry)).await);
    assert_eq!(external["reference"], "simx_1");
    let dispute = body(transport.call(post(provider.url("/dashboard/disputes"), entry)).await);
    assert_eq!((&dispute["id"], &dispute["stage"]), (&json!("simd_1"), &json!("open")));
    let lost = post(provider.url("/dashboard/disputes/simd_1"), r#"{"stage": "lost"}"#);
    assert_eq!(body(transport.call(lost).await)["stage"], "lost");
    let books = body(transport.call(get(provider.url("/books"))).await);
    assert_eq!((&books["external_minor"], &books["paid_minor"]), (&json!({ "USD": 500 }), &json!({})));
    assert_eq!((&books["external"][0], &books["disputes"][0]["stage"]), (&external, &json!("lost")));

    for (path, entry, expected) in [
        ("/dashboard/refunds", "{}", 400),
        ("/dashboard/refunds", r#"{"payment": "p", "amount_minor": 0, "currency": "USD"}"#, 400),
        ("/dashboard/disputes/simd_1", r#"{"stage": "over"}"#, 400),
        ("/dashboard/disputes/simd_9", r#"{"stage": "won"}"#, 404),
        ("/dashboard/payments", entry, 404),
    ] {
        assert_eq!(status(transport.call(post(provider.url(path), entry)).await), expected, "{path} {entry}");
    }
    provider.stop().await;
}

#[tokio::test]
async fn a_list_and_a_statement_hold_every_refund_of_a_span() {
    let (setup, now_ms) = setup(Faults::default());
    let books = BookKeeper::in_memory_with(setup);
    for number in 0..130 {
        now_ms.store(START_MS + number, Ordering::Relaxed);
        books.refund(&order(&number.to_string(), "pay, \"1\"", 1000 + number)).unwrap();
    }
    books.refund_at_dashboard(&entered(7)).unwrap();
    let span = Span { from_ms: START_MS + 10, to_ms: START_MS + 200, now_ms: START_MS + 200 };
    let expected = books.statement(span);
    assert_eq!(expected.len(), 121);

    let provider = Provider::start(books);
    let (gateway, transport) = (provider.gateway(), transport());
    let (mut listed, mut pages, mut next) = (Vec::new(), 0, gateway.list(span));
    while let Some(request) = next {
        let page = gateway.read_list(span, &request, transport.call(request.clone()).await).unwrap();
        listed.extend(page.lines);
        (pages, next) = (pages + 1, page.next);
    }
    assert_eq!((listed, pages), (expected.clone(), 3));

    let url = provider.url(&format!("/statement.csv?from_ms={}&to_ms={}", span.from_ms, span.to_ms));
    let HttpOutcome::Answered { status: 200, body } = transport.call(get(url)).await else { panic!("a file") };
    let mut lines = gateway.statement(&body).unwrap();
    assert!((2..).zip(&lines).all(|(number, line)| line.line == number));
    for line in &mut lines {
        line.line = 0;
    }
    assert_eq!(lines, expected);
    provider.stop().await;
}

#[test]
fn events_are_due_signed_and_come_again_until_they_arrived() {
    let (setup, now_ms) = setup(Faults::default());
    let books = BookKeeper::in_memory_with(setup);
    books.refund(&order("123456789012345678", "pay_1.sim-late_failure", 1000)).unwrap();
    books.refund_at_dashboard(&entered(5)).unwrap();
    let dispute = books.open_dispute(&entered(6)).unwrap();
    books.move_dispute(&dispute.id, DisputeStage::Won).unwrap();

    let first = books.due();
    let kinds: Vec<_> = first.iter().map(|posting| heard(posting, START_MS).kind).collect();
    assert_eq!(kinds, ["refund.succeeded", "refund.succeeded", "dispute.opened", "dispute.won"]);
    let ids: Vec<_> = first.iter().map(|posting| posting.event.as_str()).collect();
    assert_eq!(ids, ["evt_123456789012345678_1", "evt_simx_1_1", "evt_simd_1_1", "evt_simd_1_2"]);
    assert_eq!(books.due(), []);
    books.delivered(&first[0]).unwrap();
    books.delivered(&first[2]).unwrap();

    assert_eq!(books.next_ms(), Some(START_MS + 1_000));
    now_ms.store(START_MS + 1_000, Ordering::Relaxed);
    let again: Vec<_> = books.due().into_iter().map(|posting| posting.event).collect();
    assert_eq!(again, ["evt_simx_1_1", "evt_simd_1_2"]);
    books.delivered(&first[1]).unwrap();
    books.delivered(&first[3]).unwrap();
    assert_eq!((books.undelivered(), books.next_ms()), (0, Some(START_MS + 60_000)));

    now_ms.store(START_MS + 60_000, Ordering::Relaxed);
    let late = books.due();
    let notice = heard(&late[0], START_MS + 60_000);
    assert_eq!((late.len(), notice.kind.as_str(), notice.happened_ms), (1, "refund.failed", Some(START_MS + 60_000)));
    let About::Refund { leg_id, answer, amount_minor, .. } = notice.about else { panic!("a refund") };
    assert_eq!((leg_id, word(&answer), amount_minor), (Some(123_456_789_012_345_678), "declined", 1000));
}

#[test]
fn deliveries_are_doubled_late_lost_and_out_of_order() {
    let (setup, now_ms) = setup(Faults { delivery_reordered: 500, ..Faults::default() });
    let books = BookKeeper::in_memory_with(setup);
    for (key, payment) in
        [("1", "p.sim-delivered_twice"), ("2", "p.sim-delivered_late"), ("3", "p.sim-never_delivered")]
    {
        books.refund(&order(key, payment, 1000)).unwrap();
    }
    let ids = |books: &BookKeeper| books.due().into_iter().map(|posting| posting.event).collect::<Vec<_>>();
    let twice = books.due();
    assert_eq!(twice.iter().map(|posting| posting.event.as_str()).collect::<Vec<_>>(), ["evt_1_1", "evt_1_1"]);
    books.delivered(&twice[0]).unwrap();
    assert_eq!(books.undelivered(), 2, "the other delivery of it, and the late one");
    books.delivered(&twice[1]).unwrap();
    now_ms.fetch_add(3_599_999, Ordering::Relaxed);
    assert_eq!(ids(&books), Vec::<String>::new());
    now_ms.fetch_add(1, Ordering::Relaxed);
    let late = books.due();
    assert_eq!(late.len(), 1);
    books.delivered(&late[0]).unwrap();

    for key in 10..40 {
        books.refund(&order(&key.to_string(), "p", 1000)).unwrap();
    }
    let at_once = ids(&books);
    assert!(at_once.is_sorted() && (5..25).contains(&at_once.len()), "{at_once:?}");
    assert_eq!(books.undelivered(), 30);
}

#[test]
fn a_run_replays_exactly() {
    let faults = Faults {
        seed: 4711,
        lost_before: 100,
        lost_after: 100,
        refused: 50,
        down: 50,
        slow_settlement: 200,
        turns_into_failure: 100,
        wrong_amount: 50,
        declined: 50,
        delivery_doubled: 100,
        delivery_late: 100,
        delivery_reordered: 100,
        delivery_lost: 50,
        ..Faults::default()
    };
    let run = |keys: &mut dyn Iterator<Item = i64>, faults: &Faults| {
        let (setup, now_ms) = setup(faults.clone());
        let books = BookKeeper::in_memory_with(setup);
        let mut told = BTreeMap::new();
        for key in keys {
            let order = order(&key.to_string(), "pay_1", 1000);
            let answers: Vec<Result<Status, NoAnswer>> =
                (0..4).map(|_| books.refund(&order).map(|outcome| outcome.status)).collect();
            told.insert(key, answers);
        }
        let mut events = Vec::new();
        while let Some(next_ms) = books.next_ms() {
            now_ms.fetch_max(next_ms, Ordering::Relaxed);
            for posting in books.due() {
                events.push((now_ms.load(Ordering::Relaxed), posting.event.clone(), posting.copy));
                books.delivered(&posting).unwrap();
            }
        }
        assert_eq!(books.read(Books::paid_twice), Vec::<String>::new());
        events.sort();
        (told, events, books.read(|books| books.accounts().collect::<Vec<_>>()))
    };
    let first = run(&mut (0..500), &faults);
    assert_eq!(first, run(&mut (0..500).rev(), &faults), "whatever order they come in");
    assert_ne!(first, run(&mut (0..500), &Faults { seed: 4712, ..faults.clone() }));
    let statuses = |wanted| first.2.iter().filter(|account| account.outcome.status == wanted).count();
    assert!(statuses(Status::Declined) > 50 && statuses(Status::Done) > 300 && statuses(Status::Pending) == 0);
}

/// A receiver of events that answers each with the next of some statuses, and hands on what it was told.
fn receiver(statuses: &'static [u16]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hooks", listener.local_addr().expect("a bound listener has an address"));
    let receiving = thread::spawn(move || {
        let mut told = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().expect("a caller");
            let (head, body) = read_request(&mut stream);
            assert!(head.starts_with("POST /hooks ") && head.contains("simulated-signature: t="), "{head}");
            let event: Value = serde_json::from_str(&body).expect("an event");
            let word = |name: &str| event[name].as_str().expect("a word").to_owned();
            told.push(format!("{} {}", word("id"), word("type")));
            let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("the caller listens");
        }
        told
    });
    (url, receiving)
}

fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or("0", str::trim);
            if body.len() >= length.parse().expect("a length") {
                let whole = String::from_utf8_lossy(&bytes).into_owned();
                let (head, body) = whole.split_once("\r\n\r\n").expect("a head");
                return (head.replace("post /hooks", "POST /hooks").clone(), body.to_owned());
            }
        }
        let read = stream.read(&mut buffer).expect("the caller writes");
        assert!(read > 0, "the caller went away");
        bytes.extend_from_slice(&buffer[..read]);
    }
}

fn fresh(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => path,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_posted_again_and_survive_a_restart() {
    let path = fresh("events.jsonl");
    let limits = TransportLimits { deadline: Duration::from_secs(10), ..TransportLimits::default() };

    let (setup, now_ms) = setup(Faults::default());
    let books = BookKeeper::open_with(&path, setup.clone()).unwrap();
    for key in ["1", "2"] {
        books.refund(&order(key, "pay_1.sim-late_failure", 1000)).unwrap();
    }
    // The first is refused and the second arrives; the process ends before the first is tried again.
    let (url, receiving) = receiver(&[503, 204]);
    let one_by_one = TransportLimits { in_flight_max: 1, ..limits };
    let posting = tokio::spawn(notify(books.clone(), url, Transport::new(one_by_one)));
    let told = tokio::task::spawn_blocking(move || receiving.join().unwrap()).await.unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    while books.undelivered() > 1 {
        tokio::task::yield_now().await;
    }
    posting.abort();
    assert!(posting.await.unwrap_err().is_cancelled());
    drop(books);

    // Meanwhile both refunds turn into failures, and the dashboard is used when it is back.
    now_ms.fetch_add(60_000, Ordering::Relaxed);
    let books = BookKeeper::open_with(&path, setup).unwrap();
    assert_eq!(books.undelivered(), 3);
    let (url, receiving) = receiver(&[200, 200, 200, 500, 200]);
    let posting = tokio::spawn(notify(books.clone(), url, Transport::new(one_by_one)));
    let provider = Provider::start(books.clone());
    while books.undelivered() > 0 {
        tokio::task::yield_now().await;
    }
    let entry = r#"{"payment": "pay_1", "amount_minor": 500, "currency": "USD"}"#;
    assert_eq!(status(transport().call(post(provider.url("/dashboard/refunds"), entry)).await), 200);
    // It is refused, and waits for a second of the provider's clock.
    while books.next_ms() != Some(START_MS + 61_000) {
        tokio::task::yield_now().await;
    }
    let clock = transport().call(post(provider.url("/clock"), r#"{"advance_ms": 1000}"#)).await;
    assert_eq!(status(clock), 200);
    let mut told = tokio::task::spawn_blocking(move || receiving.join().unwrap()).await.unwrap();
    while books.undelivered() > 0 {
        tokio::task::yield_now().await;
    }
    told.sort();
    let open = told.iter().filter(|event| event.ends_with("_1 refund.succeeded") && !event.contains("simx")).count();
    assert_eq!(open, 1, "the one that had not arrived: {told:?}");
    let rest: Vec<_> = told.iter().filter(|event| !event.ends_with("_1 refund.succeeded")).collect();
    assert_eq!(rest, ["evt_1_2 refund.failed", "evt_2_2 refund.failed"]);
    assert_eq!(told.iter().filter(|event| event.contains("simx_1_1")).count(), 2);
    posting.abort();
    provider.stop().await;
}

#[test]
fn trouble_that_was_met_is_not_met_again_after_a_restart() {
    let path = fresh("met.jsonl");
    let order = order("1", "pay_1.sim-down_once", 1000);
    assert_eq!(BookKeeper::open(&path).unwrap().refund(&order), Err(NoAnswer::NotTaken));
    assert!(BookKeeper::open(&path).unwrap().refund(&order).is_ok());
    let books = BookKeeper::open(&path).unwrap();
    books.advance_clock(5_000).unwrap();
    drop(books);
    assert_eq!(BookKeeper::open(&path).unwrap().now_ms(), 5_000, "a clock that was moved stays so");
}

fn status(outcome: HttpOutcome) -> u16 {
    match outcome {
        HttpOutcome::Answered { status, .. } => status,
        other => panic!("no answer: {other:?}"),
    }
}

fn body(outcome: HttpOutcome) -> Value {
    match outcome {
        HttpOutcome::Answered { status: 200, body } => serde_json::from_slice(&body).expect("a JSON body"),
        other => panic!("no answer: {other:?}"),
    }
}
