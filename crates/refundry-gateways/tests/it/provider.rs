//! The simulated provider behind its wire.

use refundry_gateways::simulated::{BookKeeper, Books};
use refundry_gateways::{Answer, Ask, Gateway, HttpOutcome, Manual, Purpose, Transport, TransportLimits};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Provider, ask, get, post};

/// account name, amount: what a refund, a look-up, a second refund and a second look-up are told.
const SCRIPTS: &[(&str, i64, [&str; 4])] = &[
    ("Ada Byron", 1000, ["done 1000", "done 1000", "done 1000", "done 1000"]),
    ("RefundFail", 1000, ["refund_failed"; 4]),
    ("refundFail", 1000, ["refund_failed"; 4]),
    ("RefundFailAfterPaymentInfo", 1000, ["refund_failed"; 4]),
    ("RefundFailWhileCreation", 1000, ["refund_not_created"; 4]),
    (
        "RefundFailedAfterPending",
        1000,
        ["pending", "refund_failed_after_pending", "pending", "refund_failed_after_pending"],
    ),
    ("RefundPending", 1000, ["pending"; 4]),
    ("", 4001, ["expired_or_canceled_card"; 4]),
    ("", 4002, ["pending", "done 4002", "pending", "done 4002"]),
    ("", 4003, ["unknown status 500", "done 4003", "unknown status 500", "done 4003"]),
    ("", 4004, ["done 4003"; 4]),
    ("", 4005, ["unknown status 503", "not found", "unknown status 503", "not found"]),
];

#[tokio::test]
async fn every_script_over_the_wire_and_in_this_process() {
    let provider = Provider::start(BookKeeper::in_memory());
    let transport = Transport::new(TransportLimits::default());
    let local = refundry_gateways::Simulated::local(BookKeeper::in_memory());
    for (leg_id, (script, amount_minor, expected)) in (1..).zip(SCRIPTS) {
        let ask = ask(leg_id, *amount_minor, script);
        let remote = four_answers(&transport, &provider.gateway(), &ask).await;
        assert_eq!(remote, *expected, "{script} {amount_minor}");
        let local = four_answers(&transport, &local, &ask).await;
        for (local, remote) in local.iter().zip(&remote) {
            let same = local == remote || (local.starts_with("unknown") && remote.starts_with("unknown"));
            assert!(same, "{script} {amount_minor}: local {local}, remote {remote}");
        }
    }
    provider.stop().await;
}

async fn four_answers(transport: &Transport, gateway: &dyn Gateway, ask: &Ask) -> [String; 4] {
    let mut told = Vec::new();
    for purpose in [Purpose::Refund, Purpose::Lookup, Purpose::Refund, Purpose::Lookup] {
        told.push(match transport.ask(gateway, purpose, ask).await {
            Answer::Done { amount_minor, currency, .. } if currency == "USD" => format!("done {amount_minor}"),
            Answer::Pending { .. } => "pending".to_owned(),
            Answer::Declined { code, .. } => code,
            Answer::Unknown { reason } => format!("unknown {reason}"),
            Answer::NotFound => "not found".to_owned(),
            Answer::NotTaken { reason } => format!("not taken {reason}"),
            other @ Answer::Done { .. } => format!("{other:?}"),
        });
    }
    told.try_into().expect("four were asked")
}

#[tokio::test]
async fn a_key_pays_once() {
    let books = BookKeeper::in_memory();
    let provider = Provider::start(books.clone());
    let transport = Transport::new(TransportLimits::default());
    let gateway = provider.gateway();
    let first = ask(1, 1000, "");
    let done = Answer::Done { reference: "sim_1".to_owned(), amount_minor: 1000, currency: "USD".to_owned() };

    assert_eq!(transport.ask(&gateway, Purpose::Lookup, &first).await, Answer::NotFound);
    for _ in 0..3 {
        assert_eq!(transport.ask(&gateway, Purpose::Refund, &first).await, done);
    }
    let clash = ask(1, 2000, "");
    assert!(matches!(transport.ask(&gateway, Purpose::Refund, &clash).await, Answer::Unknown { .. }));
    assert_eq!(transport.ask(&gateway, Purpose::Lookup, &clash).await, done);

    assert_eq!(books.read(Books::count), 1);
    assert_eq!(books.read(Books::paid_minor).into_iter().collect::<Vec<_>>(), [("USD".to_owned(), 1000)]);
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_legs_at_once_each_asked_twice() {
    let books = BookKeeper::in_memory();
    let provider = Provider::start(books.clone());
    let transport = Transport::new(TransportLimits::default());
    let mut calls = JoinSet::new();
    for leg_id in (1..=400).chain(1..=400) {
        let (transport, gateway) = (transport.clone(), provider.gateway());
        calls.spawn(async move { transport.ask(&gateway, Purpose::Refund, &ask(leg_id, 100, "")).await });
    }
    for answer in calls.join_all().await {
        assert!(matches!(answer, Answer::Done { amount_minor: 100, .. }), "{answer:?}");
    }
    assert_eq!(books.read(Books::count), 400);
    assert_eq!(books.read(Books::paid_minor).get("USD"), Some(&40_000));
    provider.stop().await;
}

#[tokio::test]
async fn the_books_can_be_read() {
    let provider = Provider::start(BookKeeper::in_memory());
    let transport = Transport::new(TransportLimits::default());
    for (leg_id, amount_minor) in [(1, 1000), (2, 4001), (3, 4002), (4, 500)] {
        transport.ask(&provider.gateway(), Purpose::Refund, &ask(leg_id, amount_minor, "")).await;
    }
    let (status, page) = answered(transport.call(get(provider.url("/books"))).await);
    let row = |key: &str, amount_minor: i64, status: &str, paid_minor: i64| {
        json!({
            "key": key,
            "reference": if status == "declined" { String::new() } else { format!("sim_{key}") },
            "payment": "pay_1",
            "amount_minor": amount_minor,
            "currency": "USD",
            "status": status,
            "code": if status == "declined" { "expired_or_canceled_card" } else { "" },
            "paid_minor": paid_minor,
            "times_paid": i64::from(paid_minor > 0),
            "taken_ms": 0,
            "changed_ms": 0,
        })
    };
    let expected = json!({
        "now_ms": 0,
        "count": 4,
        "paid_minor": { "USD": 1500 },
        "external_minor": {},
        "paid_twice": [],
        "undelivered": 0,
        "refunds": [
            row("1", 1000, "done", 1000),
            row("2", 4001, "declined", 0),
            row("3", 4002, "pending", 0),
            row("4", 500, "done", 500),
        ],
        "external": [],
        "disputes": [],
    });
    assert_eq!((status, page), (200, expected));
    provider.stop().await;
}

#[tokio::test]
async fn what_the_wire_refuses() {
    let books = BookKeeper::in_memory();
    let provider = Provider::start(books.clone());
    let transport = Transport::new(TransportLimits::default());
    let order = |key: &str, account: &str| {
        json!({ "key": key, "payment": "p", "currency": "USD", "amount_minor": 1, "account": account }).to_string()
    };
    let long_name = "x".repeat(64 * 1024);
    let refusals = [
        (post(provider.url("/refunds"), "{"), 400, "malformed_order"),
        (post(provider.url("/refunds"), "[]"), 400, "malformed_order"),
        (post(provider.url("/refunds"), r#"{"key":"1","currency":"USD","amount_minor":1.5}"#), 400, "malformed_order"),
        (post(provider.url("/refunds"), &order("", "")), 400, "malformed_key"),
        (post(provider.url("/refunds"), &order("a/b", "")), 400, "malformed_key"),
        (post(provider.url("/refunds"), &order(&"1".repeat(65), "")), 400, "malformed_key"),
        (post(provider.url("/refunds"), &order("1", &long_name)), 413, "body_too_long"),
        (get(provider.url("/refunds/1")), 404, "unknown_key"),
        (get(provider.url("/refunds")), 404, "not_found"),
        (post(provider.url("/books"), ""), 404, "not_found"),
    ];
    for (request, status, error) in refusals {
        let asked = format!("{request:?}");
        assert_eq!(answered(transport.call(request).await), (status, json!({ "error": error })), "{asked}");
    }
    assert_eq!(books.read(Books::count), 0);

    let room = long_name.len() - order("1", "").len();
    let longest = post(provider.url("/refunds"), &order("1", &long_name[..room]));
    assert_eq!(longest.body.len(), 64 * 1024);
    assert_eq!(answered(transport.call(longest).await).0, 200);
    provider.stop().await;
}

fn answered(outcome: HttpOutcome) -> (u16, Value) {
    match outcome {
        HttpOutcome::Answered { status, body } => (status, serde_json::from_slice(&body).expect("a JSON body")),
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn the_manual_driver_waits_for_a_person() {
    let transport = Transport::new(TransportLimits::default());
    for purpose in [Purpose::Refund, Purpose::Lookup] {
        let answer = transport.ask(&Manual, purpose, &ask(1, 1000, "")).await;
        assert_eq!(answer, Answer::Pending { reference: String::new() });
    }
}
