//! Orders that are paid, shipped and delivered after they came in, on both databases; the books agree after each step.

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Order, PaymentKind};
use refundry_core::parcels::{Fault, Parcel, ParcelQuery, ParcelState, Shipment, TrackingChange};
use refundry_core::paying::{Card, PayLine, Transaction, TransactionState};
use refundry_core::query::{Beside, Page, TimeRange};
use refundry_core::refund::Bucket;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::parcels::{self, ParcelAsk, Refused, Step, Stepped};
use refundry_engine::read;
use serde_json::{Value, json};

use crate::books::ours;
use crate::shop::{Backend, Build, NOW_MS, Shop, done, everything, named, order, units};

on_both!(
    an_order_is_paid_shipped_and_delivered,
    two_that_pay_or_ship_at_once_are_served_one_after_the_other,
    units_wait_again_while_none_was_refunded_as_shipped,
    cash_comes_with_the_last_parcel,
    what_is_held_is_captured_once,
    a_billing_address_is_laid_over_the_document,
    parcels_are_listed_by_pages_and_times,
    nobody_is_shown_another_order,
);

/// 2 hats for 44.00 and 3 pins for 9.00, nothing paid.
fn unpaid(name: &str) -> Order {
    order(name, "USD").line("hat", 2, 4_000, 400).line("pin", 3, 900, 0)
}

fn pay_by(channel: &str, reference: &str) -> PayLine {
    PayLine {
        channel: channel.to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        name: "Card".to_owned(),
        reference: reference.to_owned(),
        account: String::new(),
        amount: None,
        test: false,
        card: Card::of_number("4242424242424242"),
    }
}

fn paid_by(channel: &str, reference: &str) -> Step {
    Step::Pay { lines: vec![pay_by(channel, reference)], patch: None }
}

fn ship(units: &[(&str, u32)]) -> Step {
    let units = units.iter().map(|(line, quantity)| (named(line), Some(*quantity))).collect();
    let tracking = TrackingChange { number: Some("T1".to_owned()), ..TrackingChange::default() };
    Step::Ship(Shipment { units, tracking })
}

fn job(shop: &Shop, order: Id, step: Step) -> Job {
    Job::Parcels { store: shop.tenant, ask: Box::new(ParcelAsk { order: ours(order), step }) }
}

fn outcome(outcome: Outcome) -> Result<Box<Stepped>, Refused> {
    match outcome {
        Outcome::Parcels(done) => done,
        other => panic!("{other:?}"),
    }
}

/// Does it, and looks at the books.
#[track_caller]
fn step(shop: &Shop, order: Id, step: Step) -> Result<Box<Stepped>, Refused> {
    let stepped = outcome(shop.call(job(shop, order, step)));
    shop.assert_clean();
    stepped
}

#[track_caller]
fn parcel(stepped: Result<Box<Stepped>, Refused>) -> Parcel {
    stepped.unwrap().parcel.unwrap()
}

fn refused(fault: Fault) -> Refused {
    Refused::Fault(fault)
}

fn transactions(shop: &Shop, order: Id) -> Vec<Transaction> {
    parcels::of_order(shop.engine.store(), shop.tenant, &ours(order)).unwrap().unwrap().found
}

fn of_order(shop: &Shop, order: Id) -> Vec<Parcel> {
    read::order(shop.engine.store(), shop.tenant, &ours(order), Beside::ALL).unwrap().unwrap().parcels
}

fn waiting(facts: &Facts) -> [u32; 2] {
    [0, 1].map(|line| facts.units_left(line, Bucket::Waiting))
}

fn an_order_is_paid_shipped_and_delivered(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    shop.tick(1_000);
    step(&shop, order, paid_by("stripe", "pi_1")).unwrap();
    let facts = shop.facts(order);
    assert_eq!((facts.order.captured().get(), facts.order.life.placed_ms), (5_300, Some(NOW_MS + 1_000)));
    assert_eq!(step(&shop, order, paid_by("stripe", "pi_2")).unwrap_err(), refused(Fault::AlreadyPaid));
    let [sale] = &transactions(&shop, order)[..] else { panic!("one transaction") };
    assert_eq!((sale.state, sale.amount.get(), &*sale.trade_id), (TransactionState::Success, 5_300, "pi_1"));
    assert_eq!((&*sale.name, &*sale.card.number), ("Card", "424242******4242"));

    let first = parcel(step(&shop, order, ship(&[("hat", 1), ("pin", 3)])));
    assert_eq!((first.number, first.state, &*first.tracking.main().number), (1, ParcelState::Shipped, "T1"));
    assert_eq!(waiting(&shop.facts(order)), [1, 0]);
    let too_many = Fault::TooManyUnits { entry: 0, line: "hat".to_owned(), asked: 2, waiting: 1 };
    assert_eq!(step(&shop, order, ship(&[("hat", 2)])).unwrap_err(), refused(too_many));
    let tracking = TrackingChange { company: Some("Post".to_owned()), ..TrackingChange::default() };
    let followed = parcel(step(&shop, order, Step::Track { parcel: ours(first.id), tracking }));
    assert_eq!((&*followed.tracking.main().number, &*followed.tracking.main().company), ("T1", "Post"));
    shop.tick(1_000);
    let second = parcel(step(&shop, order, Step::Ship(Shipment::default())));
    assert_eq!((second.number, shop.facts(order).order.life.fulfilled_ms), (2, Some(NOW_MS + 2_000)));

    let arrived = parcel(step(&shop, order, Step::Deliver { parcel: ours(first.id) }));
    shop.tick(1_000);
    assert_eq!(parcel(step(&shop, order, Step::Deliver { parcel: ours(first.id) })), arrived, "it arrived before");
    assert_eq!(shop.facts(order).order.life.delivered, [1, 3]);
    step(&shop, order, Step::Deliver { parcel: ours(second.id) }).unwrap();
    assert_eq!(shop.facts(order).order.life.finished_ms, Some(NOW_MS + 3_000));
    let states: Vec<ParcelState> = of_order(&shop, order).iter().map(|parcel| parcel.state).collect();
    assert_eq!(states, [ParcelState::Finished; 2]);

    shop.create(order, everything()).unwrap();
    assert_eq!(transactions(&shop, order)[0].state, TransactionState::Refunding);
    for call in shop.calls() {
        shop.record(&call, done(&call));
    }
    assert_eq!(transactions(&shop, order)[0].state, TransactionState::Refunded);
    shop.assert_clean();
}

fn two_that_pay_or_ship_at_once_are_served_one_after_the_other(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    let jobs = [paid_by("a", "1"), paid_by("b", "2"), ship(&[("hat", 2)]), ship(&[("hat", 1), ("pin", 1)])]
        .map(|step| job(&shop, order, step));
    let mut done = shop.together(&jobs).into_iter().map(|done| outcome(done.unwrap()));
    assert!(done.next().unwrap().is_ok());
    assert_eq!(done.next().unwrap().unwrap_err(), refused(Fault::AlreadyPaid));
    let first = parcel(done.next().unwrap());
    let too_many = Fault::TooManyUnits { entry: 0, line: "hat".to_owned(), asked: 1, waiting: 0 };
    assert_eq!(done.next().unwrap().unwrap_err(), refused(too_many));
    assert_eq!((of_order(&shop, order), transactions(&shop, order).len()), (vec![first.clone()], 1));
    shop.assert_clean();
    let both = [Step::Deliver { parcel: ours(first.id) }, Step::Unship { parcel: ours(first.id) }];
    let done: Vec<_> = shop.together(&both.map(|step| job(&shop, order, step))).into_iter().collect();
    let done: Vec<_> = done.into_iter().map(|done| outcome(done.unwrap()).map(|s| s.parcel.unwrap().state)).collect();
    let over = refused(Fault::ParcelOver(ParcelState::Finished));
    assert_eq!(done, [Ok(ParcelState::Finished), Err(over)]);
    shop.assert_clean();
}

fn units_wait_again_while_none_was_refunded_as_shipped(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    step(&shop, order, paid_by("stripe", "pi_1")).unwrap();
    let hats = parcel(step(&shop, order, ship(&[("hat", 2)])));
    let off = parcel(step(&shop, order, Step::Unship { parcel: ours(hats.id) }));
    assert_eq!((off.state, waiting(&shop.facts(order))), (ParcelState::Cancelled, [2, 3]));
    assert_eq!(parcel(step(&shop, order, Step::Unship { parcel: ours(hats.id) })), off, "it was called off before");
    let over = refused(Fault::ParcelOver(ParcelState::Cancelled));
    assert_eq!(step(&shop, order, Step::Deliver { parcel: ours(hats.id) }).unwrap_err(), over);
    let again = parcel(step(&shop, order, ship(&[("hat", 2)])));
    assert_eq!(again.number, 2);
    shop.create(order, units("hat", 1)).unwrap();
    let refused_unit = Fault::UnitsRefunded { line: "hat".to_owned() };
    assert_eq!(step(&shop, order, Step::Unship { parcel: ours(again.id) }).unwrap_err(), refused(refused_unit));
    assert_eq!(shop.facts(order).order.lines[0].shipped, 2, "a refusal leaves everything as it was");
}

fn cash_comes_with_the_last_parcel(on: Backend) {
    let shop = Shop::new(on);
    let mut cod = unpaid("a").pay("cod", "manual", 0);
    cod.payments[0].kind = PaymentKind::CashOnDelivery;
    let order = shop.put(cod);
    assert_eq!(transactions(&shop, order)[0].state, TransactionState::Processing);
    let all = parcel(step(&shop, order, Step::Ship(Shipment::default())));
    let arrived = step(&shop, order, Step::Deliver { parcel: ours(all.id) }).unwrap();
    assert_eq!(arrived.transaction.map(|t| t.amount.get()), Some(5_300));
    let facts = shop.facts(order);
    assert_eq!((facts.order.captured().get(), facts.order.payments.len()), (5_300, 1));
    assert_eq!(transactions(&shop, order)[0].state, TransactionState::Success);
    shop.create(order, everything()).unwrap();
    shop.assert_clean();
}

fn what_is_held_is_captured_once(on: Backend) {
    let shop = Shop::new(on);
    let capture = |channel: &str, void| Step::Capture { channel: channel.to_owned(), void };
    let order = shop.put(unpaid("a").pay("stripe", "simulated", 0));
    let unknown = Fault::ChannelUnknown("paypal".to_owned());
    assert_eq!(step(&shop, order, capture("paypal", false)).unwrap_err(), refused(unknown));
    let captured = step(&shop, order, capture("stripe", false)).unwrap().transaction.unwrap();
    assert_eq!((captured.state, captured.amount.get()), (TransactionState::Success, 5_300));
    let nothing = || refused(Fault::NothingToCapture("stripe".to_owned()));
    assert_eq!(step(&shop, order, capture("stripe", false)).unwrap_err(), nothing());
    assert_eq!(transactions(&shop, order), [captured]);
    let other = shop.put(unpaid("b").pay("stripe", "simulated", 0));
    let given_up = step(&shop, other, capture("stripe", true)).unwrap().transaction.unwrap();
    assert_eq!(given_up.state, TransactionState::Void);
    assert_eq!(step(&shop, other, capture("stripe", false)).unwrap_err(), nothing());
    assert_eq!(shop.facts(other).order.captured().get(), 0);
}

fn document(shop: &Shop, order: Id) -> Value {
    let seen = read::order(shop.engine.store(), shop.tenant, &ours(order), Beside::ALL).unwrap().unwrap();
    serde_json::from_str(&seen.document).unwrap()
}

fn a_billing_address_is_laid_over_the_document(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    assert_eq!(document(&shop, order), json!({"id": 1}));
    let patch = Some(json!({"billing_address": {"city": "Bern", "zip": null}}));
    let paid = Step::Pay { lines: vec![pay_by("stripe", "pi_1")], patch };
    // What one job of a batch leaves, the next one sees.
    let jobs = [job(&shop, order, paid), job(&shop, order, ship(&[("hat", 1)]))];
    for done in shop.together(&jobs) {
        outcome(done.unwrap()).unwrap();
    }
    assert_eq!(document(&shop, order), json!({"id": 1, "billing_address": {"city": "Bern"}}));
    shop.assert_clean();
}

fn parcels_are_listed_by_pages_and_times(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    let made: Vec<Parcel> = ["hat", "hat", "pin"]
        .map(|line| {
            shop.tick(1_000);
            parcel(step(&shop, order, ship(&[(line, 1)])))
        })
        .into();
    shop.tick(1_000);
    step(&shop, order, Step::Deliver { parcel: ours(made[0].id) }).unwrap();
    let list = |query: &ParcelQuery| {
        let (page, more) = parcels::list(shop.engine.store(), shop.tenant, &ours(order), query).unwrap().unwrap().found;
        let count = parcels::count(shop.engine.store(), shop.tenant, &ours(order), query).unwrap().unwrap().found;
        (page.iter().map(|parcel| parcel.number).collect::<Vec<_>>(), more, count)
    };
    let all = ParcelQuery::default();
    assert_eq!(list(&all), (vec![3, 2, 1], false, 3));
    assert_eq!(list(&ParcelQuery { limit: 2, ..all.clone() }), (vec![3, 2], true, 3));
    let after = Page::Key { key_ms: made[1].created_ms, id: made[1].id };
    assert_eq!(list(&ParcelQuery { page: after, ..all.clone() }), (vec![1], false, 3));
    assert_eq!(list(&ParcelQuery { page: Page::Skip(1), limit: 1, ..all.clone() }), (vec![2], true, 3));
    let at = |ms| TimeRange { from_ms: Some(NOW_MS + ms), to_ms: Some(NOW_MS + ms) };
    assert_eq!(list(&ParcelQuery { created: at(2_000), ..all.clone() }), (vec![2], false, 1));
    assert_eq!(list(&ParcelQuery { updated: at(4_000), ..all }), (vec![1], false, 1));
}

fn nobody_is_shown_another_order(on: Backend) {
    let shop = Shop::new(on);
    let (order, other) = (shop.put(unpaid("a")), shop.put(unpaid("b")));
    let made = parcel(step(&shop, order, ship(&[("hat", 1)])));
    let unknown = refused(Fault::ParcelUnknown(made.id.to_string()));
    assert_eq!(step(&shop, other, Step::Deliver { parcel: ours(made.id) }).unwrap_err(), unknown);
    assert_eq!(step(&shop, 7, ship(&[("hat", 1)])).unwrap_err(), Refused::OrderUnknown);
    let elsewhere = shop.add_store("elsewhere");
    assert!(read::order(shop.engine.store(), elsewhere, &ours(order), Beside::ALL).unwrap().is_none());
    let found = parcels::one(shop.engine.store(), shop.tenant, &ours(order), &ours(made.id)).unwrap().unwrap();
    assert_eq!(found.found, Some(made.clone()));
    let found = parcels::one(shop.engine.store(), shop.tenant, &ours(other), &ours(made.id)).unwrap().unwrap();
    assert_eq!(found.found, None);
    let mut gone = unpaid("c");
    gone.life.deleted_ms = Some(NOW_MS);
    let gone = shop.put(gone);
    assert_eq!(step(&shop, gone, paid_by("a", "1")).unwrap_err(), Refused::OrderUnknown);
    assert!(parcels::of_order(shop.engine.store(), shop.tenant, &ours(gone)).unwrap().is_none());
}
