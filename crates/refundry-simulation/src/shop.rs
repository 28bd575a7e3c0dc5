//! The shop that is simulated: its engine, its provider, its clocks, and what happens next by chance.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use refundry_core::intake::Intake;
use refundry_core::life::Life;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Capture, Component, ComponentKind, Dialect, Id, Line, Order, Payment, PaymentKind, Status};
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::clock::Clock;
use refundry_engine::execute::WorkQueue;
use refundry_gateways::{Ask, Gateway, Purpose, Registry};
use refundry_store::stores::{self, StoreRecord};
use refundry_store::{Options, Store};

use crate::dice::Dice;
use crate::people::Request;
use crate::provider::Provider;
use crate::worker::Worker;

/// When every simulation begins, epoch milliseconds.
pub(crate) const BEGIN_MS: i64 = 1_790_000_000_000;
/// Orders of a shop.
const ORDERS: usize = 24;
/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(pub(crate) BTreeMap<&'static str, u64>);

impl Counts {
    pub(crate) fn one(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }
}

/// Everything that one seed is about.
pub(crate) struct Shop {
    pub(crate) dice: Dice,
    pub(crate) counts: Counts,
    pub(crate) store: Store,
    /// The engine that runs now; a crash puts another in its place.
    pub(crate) engine: Option<Engine>,
    /// The time as our processes read it. It jumps, both ways.
    pub(crate) clock: Arc<AtomicI64>,
    /// The true time, which is the provider's. It only goes on.
    true_clock: Arc<AtomicI64>,
    pub(crate) tenant: i64,
    pub(crate) orders: Vec<Id>,
    pub(crate) provider: Provider,
    /// Requests to pay that are still on their way to the provider, with the time at which they arrive. Whoever sent
    /// them has long given up.
    pub(crate) delayed: Vec<(i64, Ask)>,
    /// Calls that this process has leased and not finished.
    pub(crate) worker: Worker,
    /// Requests that callers made under a key, to be repeated.
    pub(crate) requests: Vec<Request>,
    tell: bool,
    steps: u64,
}

impl Shop {
    pub(crate) fn open(seed: u64, tell: bool) -> Result<Self, String> {
        let dice = Dice::new(seed);
        let store = Store::open(&Options::memory(BEGIN_MS)).map_err(|error| error.to_string())?;
        let true_clock = Arc::new(AtomicI64::new(BEGIN_MS));
        let mut shop = Self {
            provider: Provider::new(seed, Arc::clone(&true_clock)),
            dice,
            counts: Counts::default(),
            store,
            engine: None,
            clock: Arc::new(AtomicI64::new(BEGIN_MS)),
            true_clock,
            tenant: 0,
            orders: Vec::new(),
            delayed: Vec::new(),
            worker: Worker::default(),
            requests: Vec::new(),
            tell,
            steps: 0,
        };
        shop.start()?;
        let record = StoreRecord {
            id: 0,
            handle: "shop".to_owned(),
            name: "Shop".to_owned(),
            currency: "USD".to_owned(),
            settings: "{}".to_owned(),
            created_ms: BEGIN_MS,
        };
        shop.call(Job::AddStore(record))?;
        let found = shop.store.read(|tx| stores::by_handle(tx, "shop")).map_err(|error| error.to_string())?;
        shop.tenant = found.ok_or("the store is not there")?.id;
        for number in 0..ORDERS {
            let order = order(&mut shop.dice, number);
            let intake = Box::new(Intake { order, refunds: Vec::new(), document: String::new(), terms: Vec::new() });
            match shop.call(Job::PutOrder { store: shop.tenant, intake })? {
                Outcome::Put(Ok(taken)) => shop.orders.push(taken.order),
                other => return Err(format!("an order was not taken in: {other:?}")),
            }
        }
        Ok(shop)
    }

    /// Starts an engine, as a process does that begins.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let drivers: Vec<Box<dyn Gateway>> =
            vec![Box::new(self.provider.driver()), Box::new(refundry_gateways::Manual)];
        let registry = Arc::new(Registry::new(drivers).map_err(|error| error.to_string())?);
        let queue = Arc::new(WorkQueue::new(registry, true, Box::new(|| {})));
        let clock = Clock::Manual(Arc::clone(&self.clock));
        let engine = Engine::start(self.store.clone(), clock, queue).map_err(|error| error.to_string())?;
        self.engine = Some(engine);
        Ok(())
    }

    /// Ends the process where it is: what it had leased and not recorded is lost with it.
    pub(crate) fn crash(&mut self) -> Result<(), String> {
        self.say(|_| "the process is killed".to_owned());
        self.counts.one("crashes");
        self.worker = Worker::default();
        self.engine = None;
        self.start()
    }

    pub(crate) fn call(&self, job: Job) -> Result<Outcome, String> {
        let engine = self.engine.as_ref().ok_or("no engine runs")?;
        engine.call(job).map_err(|error| format!("a job failed: {error}"))
    }

    pub(crate) fn engine(&self) -> Result<&Engine, String> {
        self.engine.as_ref().ok_or_else(|| "no engine runs".to_owned())
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(crate) fn true_ms(&self) -> i64 {
        self.true_clock.load(Ordering::Relaxed)
    }

    /// Tells a step, where somebody wants to read them.
    pub(crate) fn say<T: fmt::Display>(&self, what: impl FnOnce(&Self) -> T) {
        if self.tell {
            println!("{:>4} {:+} ms: {}", self.steps, self.true_ms() - BEGIN_MS, what(self));
        }
    }

    /// Lets time pass, for everybody.
    pub(crate) fn pass(&mut self, ms: i64) {
        let ends = self.true_ms() + ms;
        while let Some(next) = self.delayed.iter().map(|(at_ms, _)| *at_ms).filter(|at_ms| *at_ms <= ends).min() {
            self.true_clock.fetch_max(next, Ordering::Relaxed);
            let arrived: Vec<Ask> =
                self.delayed.extract_if(.., |(at_ms, _)| *at_ms <= next).map(|(_, ask)| ask).collect();
            for ask in arrived {
                let answer = self.provider.ask(Purpose::Refund, &ask);
                self.say(|_| {
                    format!("leg {}: a request arrives that nobody waits for any more: {answer:?}", ask.leg_id)
                });
            }
        }
        self.true_clock.fetch_max(ends, Ordering::Relaxed);
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        match self.dice.below(100) {
            0..36 => self.ask_for_a_refund(),
            36..60 => self.work(),
            60..70 => self.lease(),
            70..79 => self.deliver(false),
            79..91 => {
                self.let_time_pass();
                Ok(())
            }
            91..93 => self.crash(),
            93..97 => self.person_acts(),
            97..99 => self.refund_at_the_dashboard(),
            _ => self.dispute(),
        }
    }

    fn let_time_pass(&mut self) {
        let ms = match self.dice.below(10) {
            0..5 => self.dice.between(1, 2_000),
            5..8 => self.dice.between(2_000, 120_000),
            8 => self.dice.between(120_000, 6 * 3_600_000),
            _ => self.dice.between(6 * 3_600_000, 2 * DAY_MS),
        };
        self.pass(ms);
        if self.dice.hits(60) {
            // Somebody sets the machine's clock.
            let by = self.dice.between(-4_000, 4_000);
            self.clock.fetch_add(by, Ordering::Relaxed);
            self.counts.one("clock jumps");
            self.say(|_| format!("our clock jumps by {by} ms"));
        }
    }
}

/// An order of one to three lines, with shipping, paid by one to three payments.
fn order(dice: &mut Dice, number: usize) -> Order {
    let usd = Currency::parse("USD").expect("a currency");
    let mut order = Order {
        id: 0,
        origin: Dialect::Native,
        external_id: Some(format!("order-{number}")),
        number: format!("{number}"),
        currency: usd,
        shop: None,
        taxes_included: dice.hits(300),
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines: Vec::new(),
        components: Vec::new(),
        payments: Vec::new(),
        created_ms: BEGIN_MS - DAY_MS,
        updated_ms: BEGIN_MS - DAY_MS,
        test: false,
        life: Life::default(),
    };
    let part = |kind, line, net: i64, tax: i64| Component {
        kind,
        line,
        name: String::new(),
        net: Amount::minor(net),
        tax: Amount::minor(tax),
    };
    for line in 0..=dice.index(3) {
        let quantity = u32::try_from(dice.between(1, 40)).unwrap_or(1);
        let net = dice.between(500, 90_000);
        order.lines.push(Line {
            id: 0,
            external_id: Some(format!("line-{line}")),
            sku: format!("sku-{line}"),
            title: "Thing".to_owned(),
            variant_title: String::new(),
            product_id: String::new(),
            variant_id: String::new(),
            location_id: String::new(),
            quantity,
            shipped: u32::try_from(dice.between(0, i64::from(quantity))).unwrap_or(0),
            unit_price: Amount::minor(net / i64::from(quantity)),
            discount: Amount::ZERO,
            cancelled: 0,
        });
        order.components.push(part(ComponentKind::Goods, Some(line), net, net / 11));
    }
    order.components.push(part(ComponentKind::Shipping, None, dice.between(0, 3_000), dice.between(0, 200)));
    let mut open: i64 = order.charged().get();
    let payments = 1 + dice.index(3);
    for index in 0..payments {
        let captured = if index + 1 == payments { open } else { dice.between(1, (open - 1).max(1)).min(open) };
        open -= captured;
        order.payments.push(Payment {
            id: 0,
            external_id: Some(format!("payment-{index}")),
            channel: "card".to_owned(),
            method: "credit_card".to_owned(),
            kind: if index == 1 { PaymentKind::GiftCard } else { PaymentKind::Online },
            gateway: "simulated".to_owned(),
            reference: format!("pay_{number}_{index}"),
            account: String::new(),
            captured: Amount::minor(captured),
            own_currency: usd,
            own_captured: Amount::minor(captured),
        });
    }
    order
}
