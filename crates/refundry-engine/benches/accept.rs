//! Settled refunds per second of the engine alone: no HTTP, the simulated provider in the process, durable commits.
//!
//! `cargo bench -p refundry-engine --bench accept [-- SECONDS]`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use refundry_core::command::{Ask, CreateRefund, Parts, RefundRequest, UnitAsk, UnitMode};
use refundry_core::intake::Intake;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{
    Capture, Component, ComponentKind, Dialect, Line, Order, Payment, PaymentKind, Reference, Status,
};
use refundry_core::refund::Restock;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome, RequestKey};
use refundry_engine::clock::Clock;
use refundry_engine::execute::WorkQueue;
use refundry_engine::store::{Options, Store};
use refundry_gateways::simulated::{BookKeeper, Simulated};
use refundry_gateways::{Gateway, Purpose, Registry, Step};

const CALLERS: u64 = 64;
const ORDERS: u64 = 2_000;
const LINES: usize = 4;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&Options::file(folder.path().join("bench.db"), Clock::System.now_ms())).expect("a store");
    let gateway: Box<dyn Gateway> = Box::new(Simulated::local(BookKeeper::in_memory()));
    let registry = Arc::new(Registry::new(vec![gateway]).unwrap_or_else(|_| unreachable!("one driver")));
    let (wake, woken) = channel();
    let arrived = Box::new(move || {
        // The payer only ends with the process.
        let _ = wake.send(());
    });
    let queue = Arc::new(WorkQueue::new(registry, true, arrived));
    let engine = Arc::new(Engine::start(store, Clock::System, queue).expect("an engine"));
    let settled = Arc::new(AtomicU64::new(0));
    {
        let (engine, settled) = (Arc::clone(&engine), Arc::clone(&settled));
        std::thread::spawn(move || pay_out(&engine, &woken, &settled));
    }
    for number in 0..ORDERS {
        let put = engine.call(Job::PutOrder { store: 1, intake: Box::new(order(number)) });
        assert!(matches!(put, Ok(Outcome::Put(Ok(_)))), "an order goes in");
    }
    let started = Instant::now();
    let accepted: u64 = std::thread::scope(|scope| {
        let engine = &*engine;
        let callers: Vec<_> = (0..CALLERS).map(|n| scope.spawn(move || call(engine, n, started, seconds))).collect();
        callers.into_iter().map(|caller| caller.join().expect("a caller")).sum()
    });
    while settled.load(Ordering::Relaxed) < accepted {
        std::thread::yield_now();
    }
    let stats = engine.lane_stats();
    let batches: u64 = stats.iter().map(|lane| lane.batches.load(Ordering::Relaxed)).sum();
    let jobs: u64 = stats.iter().map(|lane| lane.jobs.load(Ordering::Relaxed)).sum();
    let took = started.elapsed();
    let rate = u128::from(accepted) * 1_000 / took.as_millis().max(1);
    let text = format!("{rate} settled refunds/s ({accepted} in {took:?}); {jobs} jobs in {batches} batches\n");
    std::io::stdout().write_all(text.as_bytes()).expect("standard output");
}

fn call(engine: &Engine, caller: u64, started: Instant, seconds: u64) -> u64 {
    let mut accepted = 0;
    let mut random = caller.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while started.elapsed().as_secs() < seconds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let line = format!("l{}", random >> 32 & 3);
        let unit = UnitAsk {
            line: Reference { text: line, ours: None },
            quantity: Some(1),
            mode: UnitMode::Automatic,
            restock: Restock::No,
            location: String::new(),
        };
        let command = CreateRefund {
            order: Reference { text: format!("o{}", random % ORDERS), ours: None },
            via: Dialect::Native,
            request: RefundRequest::of(Ask::Parts(Parts { units: vec![unit], ..Parts::default() })),
            note: String::new(),
            reason: String::new(),
            notify: false,
            metadata: BTreeMap::new(),
            processed_ms: None,
        };
        let key = Some(RequestKey { key: format!("{caller}-{accepted}"), hash: "0".repeat(64) });
        match engine.call(Job::Create { store: 1, command: Box::new(command), key }) {
            Ok(Outcome::Created(Ok(_))) => accepted += 1,
            other => panic!("{other:?}"),
        }
    }
    accepted
}

fn pay_out(engine: &Arc<Engine>, woken: &Receiver<()>, settled: &Arc<AtomicU64>) {
    while woken.recv().is_ok() {
        for call in engine.queue().take(usize::MAX) {
            let gateway = engine.queue().registry().find(&call.gateway).expect("the driver");
            let Step::Answer(answer) = gateway.refund(&call.ask) else { unreachable!("it lives in this process") };
            assert!(!call.may_have_been_sent(), "{:?} was taken once", Purpose::Refund);
            let (settled, queue) = (Arc::clone(settled), Arc::clone(engine.queue()));
            let news = call.news(answer, engine.clock().now_ms());
            let done = Box::new(move |outcome| {
                assert!(matches!(outcome, Ok(Outcome::Recorded(Some(_)))), "an answer is recorded");
                queue.finished(1);
                settled.fetch_add(1, Ordering::Relaxed);
            });
            engine.submit(Job::Record(news), done).expect("room in the queue");
        }
    }
}

fn order(number: u64) -> Intake {
    let usd = Currency::parse("USD").expect("a currency");
    let line = |index: usize| Line {
        id: 0,
        external_id: Some(format!("l{index}")),
        sku: format!("sku-{index}"),
        title: "Cup".to_owned(),
        variant_title: String::new(),
        product_id: String::new(),
        variant_id: String::new(),
        location_id: String::new(),
        quantity: 1_000,
        shipped: 500,
        unit_price: Amount::minor(1_000),
        discount: Amount::ZERO,
        cancelled: 0,
    };
    let goods = |index: usize| Component {
        kind: ComponentKind::Goods,
        line: Some(index),
        name: String::new(),
        net: Amount::minor(1_000_000),
        tax: Amount::minor(80_000),
    };
    let captured = Amount::minor(4_320_000);
    let payment = Payment {
        id: 0,
        external_id: Some("card".to_owned()),
        channel: "card".to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        reference: String::new(),
        account: String::new(),
        captured,
        own_currency: usd,
        own_captured: captured,
    };
    let order = Order {
        id: 0,
        origin: Dialect::Native,
        external_id: Some(format!("o{number}")),
        number: format!("O{number}"),
        currency: usd,
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines: (0..LINES).map(line).collect(),
        components: (0..LINES).map(goods).collect(),
        payments: vec![payment],
        created_ms: 0,
        updated_ms: 0,
        test: true,
    };
    Intake { order, refunds: Vec::new(), document: String::new() }
}
