//! A shop to try the engine on: its store, its clock, and orders built in a line or two.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use refundry_core::command::{Ask, CreateRefund, PartAsk, PartMoney, Parts, RefundRequest, Target, UnitAsk, UnitMode};
use refundry_core::intake::{Intake, PastRefund};
use refundry_core::life::Life;
use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{
    Capture, Component, ComponentKind, Dialect, Id, Line, Order, Payment, PaymentKind, Reference, Status,
};
use refundry_core::refund::{Refund, Restock};
use refundry_core::rejection::Rejection;
use refundry_engine::Engine;
use refundry_engine::accept::{Accepted, Job, Outcome, RequestKey};
use refundry_engine::clock::Clock;
use refundry_engine::execute::{GatewayCall, WorkQueue};
use refundry_engine::intake::Taken;
use refundry_gateways::{Answer, Inquiry, Manual, Registry, Simulated, simulated::BookKeeper};
use refundry_store::audit::{AuditOptions, Report, audit};
use refundry_store::stores::StoreRecord;
use refundry_store::{DatabaseUrl, LaneError, Options, Recent, Store};
use refundry_test_postgres::{Database, fresh_database, shared_url};
use tempfile::TempDir;

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Where a shop keeps its books.
pub(crate) enum Place {
    Folder(TempDir),
    Server(Database),
}

impl Place {
    pub(crate) fn new(on: Backend) -> Place {
        match on {
            Backend::Sqlite => Place::Folder(tempfile::tempdir().unwrap()),
            Backend::Postgres => Place::Server(fresh_database(&shared_url()).unwrap()),
        }
    }

    pub(crate) fn options(&self, now_ms: i64) -> Options {
        match self {
            Place::Folder(folder) => Options::file(folder.path().join("shop.db"), now_ms),
            Place::Server(database) => Options::server(DatabaseUrl::new(database.url()), now_ms),
        }
    }
}

pub(crate) struct Shop {
    pub(crate) engine: Engine,
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) tenant: i64,
    // After the engine, so that the database is closed before it is removed.
    pub(crate) place: Arc<Place>,
}

impl Shop {
    /// A shop whose process takes legs for itself at once.
    pub(crate) fn new(on: Backend) -> Shop {
        Shop::open(Place::new(on), NOW_MS, true)
    }

    /// A shop with one writer, so that what waits together is done together.
    pub(crate) fn open(place: impl Into<Arc<Place>>, now_ms: i64, working: bool) -> Shop {
        let place = place.into();
        let options = Options { writers_max: 2, ..place.options(now_ms) };
        Shop::with(place, &options, working)
    }

    pub(crate) fn with(place: impl Into<Arc<Place>>, options: &Options, working: bool) -> Shop {
        let place = place.into();
        let now = Arc::new(AtomicI64::new(options.now_ms));
        let store = Store::open(options).unwrap();
        let drivers: Vec<Box<dyn refundry_gateways::Gateway>> =
            vec![Box::new(Manual), Box::new(Simulated::local(BookKeeper::in_memory()))];
        let registry = Arc::new(Registry::new(drivers).unwrap());
        let queue = Arc::new(WorkQueue::new(registry, working, Box::new(|| {})));
        let engine = Engine::start(store, Clock::Manual(Arc::clone(&now)), queue).unwrap();
        let mut shop = Shop { engine, now, tenant: 0, place };
        shop.tenant = shop.add_store("shop");
        shop
    }

    pub(crate) fn path(&self) -> PathBuf {
        match &*self.place {
            Place::Folder(folder) => folder.path().join("shop.db"),
            Place::Server(_) => panic!("a server has no file"),
        }
    }

    /// The number of the store with this handle, made if it is not there yet.
    pub(crate) fn add_store(&self, handle: &str) -> i64 {
        let record = StoreRecord {
            id: 0,
            handle: handle.to_owned(),
            name: handle.to_owned(),
            currency: "USD".to_owned(),
            settings: "{}".to_owned(),
            created_ms: self.now_ms(),
        };
        self.call(Job::AddStore(record));
        let found = self.engine.store().read(|tx| refundry_store::stores::by_handle(tx, handle));
        found.unwrap().unwrap().id
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn tick(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn call(&self, job: Job) -> Outcome {
        self.engine.call(job).unwrap()
    }

    /// Has all jobs wait until they can be done in one transaction.
    pub(crate) fn together(&self, jobs: &[Job]) -> Vec<Result<Outcome, LaneError>> {
        let (sender, answers) = mpsc::channel();
        let gate = self.put(order("gate", "USD"));
        let ((enter, entered), (open, opened)) = (mpsc::channel(), mpsc::channel());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let held = self.engine.store().write(|tx| {
                    refundry_store::orders::hold(tx, &[(self.tenant, gate)], &mut Recent::default())?;
                    enter.send(()).unwrap();
                    opened.recv().unwrap();
                    Ok(())
                });
                held.unwrap();
            });
            entered.recv().unwrap();
            // The writer waits for the gate with this one, which changes nothing, while the others gather behind it.
            let payment = Box::new(order("", "EUR").pay("none", "simulated", 1).payments.remove(0));
            let (order, currency) = (Reference::plain(&gate.to_string()), Currency::parse("EUR").unwrap());
            let waits = Job::AddPayment { store: self.tenant, order, currency, payment };
            self.engine.submit(waits, Box::new(|_| {})).unwrap();
            let stats = self.engine.lane_stats();
            while stats[0].queued.load(Ordering::Relaxed) > 0 {
                std::thread::yield_now();
            }
            for (index, job) in jobs.iter().cloned().enumerate() {
                let sender = sender.clone();
                self.engine.submit(job, Box::new(move |answer| sender.send((index, answer)).unwrap())).unwrap();
            }
            open.send(()).unwrap();
        });
        let mut outcomes: Vec<_> = answers.iter().take(jobs.len()).collect();
        outcomes.sort_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, answer)| answer).collect()
    }

    pub(crate) fn put(&self, order: Order) -> Id {
        self.put_with(order, Vec::new()).unwrap().order
    }

    pub(crate) fn put_with(
        &self,
        order: Order,
        refunds: Vec<PastRefund>,
    ) -> Result<Taken, refundry_core::intake::IntakeFault> {
        self.put_told(order, refunds, Vec::new())
    }

    /// Takes in an order whose document says so.
    pub(crate) fn put_told(
        &self,
        order: Order,
        refunds: Vec<PastRefund>,
        terms: Vec<refundry_core::terms::Term>,
    ) -> Result<Taken, refundry_core::intake::IntakeFault> {
        let intake = Box::new(Intake { order, refunds, document: r#"{"id":1}"#.to_owned(), terms });
        match self.call(Job::PutOrder { store: self.tenant, intake }) {
            Outcome::Put(taken) => taken,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn create(&self, order: Id, request: RefundRequest) -> Result<Accepted, Rejection> {
        created(self.call(self.job(order, request, None)))
    }

    pub(crate) fn job(&self, order: Id, request: RefundRequest, key: Option<(&str, &str)>) -> Job {
        let command = CreateRefund {
            note: "a note".to_owned(),
            reason: "a reason".to_owned(),
            ..CreateRefund::new(Reference::plain(&order.to_string()), Dialect::Native, request)
        };
        let key = key.map(|(key, hash)| RequestKey { key: key.to_owned(), hash: hash.to_owned() });
        Job::Create { store: self.tenant, command: Box::new(command), key }
    }

    /// The calls that this process took for itself.
    pub(crate) fn calls(&self) -> Vec<GatewayCall> {
        let calls = self.engine.queue().take(usize::MAX);
        self.engine.queue().finished(calls.len());
        calls
    }

    /// Leases what is due.
    pub(crate) fn lease(&self) -> Vec<GatewayCall> {
        match self.call(Job::Lease { store: self.tenant, limit: 100 }) {
            Outcome::Leased(calls) => {
                self.calls();
                calls
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn record(&self, call: &GatewayCall, answer: Answer) -> Option<Arc<Refund>> {
        match self.call(Job::Record(call.news(answer, Inquiry::USUAL, self.now_ms()))) {
            Outcome::Recorded(refund) => refund,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refund(&self, id: Id) -> Refund {
        let found = self.engine.store().read(|tx| refundry_store::refunds::get(tx, self.tenant, id));
        found.unwrap().unwrap()
    }

    pub(crate) fn facts(&self, id: Id) -> refundry_core::balances::Facts {
        let found = self.engine.store().read(|tx| refundry_store::orders::facts(tx, self.tenant, id));
        found.unwrap().unwrap()
    }

    pub(crate) fn audit(&self) -> Report {
        audit(self.engine.store(), &AuditOptions::default()).unwrap()
    }

    /// Whatever a test did, the books agree.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let report = self.audit();
        let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(report.is_clean(), "{}", texts.join("\n"));
    }
}

#[track_caller]
pub(crate) fn created(outcome: Outcome) -> Result<Accepted, Rejection> {
    match outcome {
        Outcome::Created(created) => created,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn done(call: &GatewayCall) -> Answer {
    Answer::Done {
        reference: format!("ref-{}", call.ask.leg_id),
        amount_minor: call.ask.amount_minor,
        currency: call.ask.currency.clone(),
    }
}

pub(crate) fn declined() -> Answer {
    Answer::Declined { code: "card_expired".to_owned(), message: "The card has expired.".to_owned() }
}

pub(crate) fn unknown() -> Answer {
    Answer::Unknown { reason: "timed out".to_owned() }
}

/// An order without anything; `name` is its platform id.
pub(crate) fn order(name: &str, currency: &str) -> Order {
    Order {
        id: 0,
        origin: Dialect::Native,
        external_id: Some(name.to_owned()),
        number: name.to_owned(),
        currency: Currency::parse(currency).unwrap(),
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines: Vec::new(),
        components: Vec::new(),
        payments: Vec::new(),
        created_ms: NOW_MS - 86_400_000,
        updated_ms: NOW_MS - 86_400_000,
        test: false,
        life: Life::default(),
    }
}

pub(crate) trait Build {
    fn line(self, name: &str, quantity: u32, net: i64, tax: i64) -> Self;
    fn part(self, kind: ComponentKind, line: Option<usize>, net: i64, tax: i64) -> Self;
    fn pay(self, name: &str, gateway: &str, captured: i64) -> Self;
    fn pay_in(self, name: &str, currency: &str, own: i64, captured: i64) -> Self;
}

impl Build for Order {
    /// Adds a line; net and tax are of the whole line. Call before any part.
    fn line(mut self, name: &str, quantity: u32, net: i64, tax: i64) -> Self {
        let index = self.lines.len();
        self.lines.push(Line {
            id: 0,
            external_id: Some(name.to_owned()),
            sku: format!("sku-{name}"),
            title: name.to_owned(),
            variant_title: String::new(),
            product_id: String::new(),
            variant_id: String::new(),
            location_id: String::new(),
            quantity,
            shipped: 0,
            unit_price: Amount::minor(net / i64::from(quantity) + 50),
            discount: Amount::minor(50 * i64::from(quantity)),
            cancelled: 0,
        });
        let goods = Component {
            kind: ComponentKind::Goods,
            line: Some(index),
            name: String::new(),
            net: Amount::minor(net),
            tax: Amount::minor(tax),
        };
        self.components.insert(index, goods);
        self
    }

    fn part(mut self, kind: ComponentKind, line: Option<usize>, net: i64, tax: i64) -> Self {
        let (net, tax) = (Amount::minor(net), Amount::minor(tax));
        self.components.push(Component { kind, line, name: String::new(), net, tax });
        self
    }

    fn pay(mut self, name: &str, gateway: &str, captured: i64) -> Self {
        let currency = self.currency.code();
        self = self.pay_in(name, currency, captured, captured);
        if let Some(payment) = self.payments.last_mut() {
            gateway.clone_into(&mut payment.gateway);
        }
        self
    }

    fn pay_in(mut self, name: &str, currency: &str, own: i64, captured: i64) -> Self {
        self.payments.push(Payment {
            id: 0,
            external_id: Some(name.to_owned()),
            channel: name.to_owned(),
            method: "credit_card".to_owned(),
            kind: PaymentKind::Online,
            gateway: "simulated".to_owned(),
            reference: String::new(),
            account: String::new(),
            captured: Amount::minor(captured),
            own_currency: Currency::parse(currency).unwrap(),
            own_captured: Amount::minor(own),
        });
        self
    }
}

pub(crate) fn dec(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// An order by our number of it.
pub(crate) fn number(id: Id) -> Reference {
    Reference { text: String::new(), ours: Some(id) }
}

pub(crate) fn named(name: &str) -> Reference {
    Reference { text: name.to_owned(), ours: None }
}

/// Units of a line and nothing else.
pub(crate) fn units(line: &str, quantity: i64) -> RefundRequest {
    let ask = UnitAsk {
        line: named(line),
        quantity: Some(quantity),
        mode: UnitMode::Automatic,
        restock: Restock::Return,
        location: String::new(),
    };
    RefundRequest::of(Ask::Parts(Parts { units: vec![ask], ..Parts::default() }))
}

/// An amount of one part.
pub(crate) fn part(target: Target, amount: &str) -> RefundRequest {
    let parts = vec![PartAsk { target, money: PartMoney::Gross(dec(amount)) }];
    RefundRequest::of(Ask::Parts(Parts { parts, ..Parts::default() }))
}

pub(crate) fn amount(text: &str) -> RefundRequest {
    RefundRequest::of(Ask::Amount { amount: dec(text), class: None })
}

pub(crate) fn everything() -> RefundRequest {
    RefundRequest::of(Ask::Everything)
}
