//! Goods that come back, on both databases: whoever is first has the units, and the books agree after each step.

use refundry_core::command::{Ask, Parts, RefundRequest, UnitAsk, UnitMode};
use refundry_core::order::{Id, Reference};
use refundry_core::parcels::{Parcel, Shipment, TrackingChange};
use refundry_core::refund::Restock;
use refundry_core::returns::{Return, ReturnDraft, ReturnFault, ReturnReason, ReturnState, ReturnUnits};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::parcels::{ParcelAsk, Step};
use refundry_engine::returns::{self, Refused, ReturnAsk, ReturnDone};

use crate::books::{ours, plain};
use crate::pairs::{both, pair};
use crate::shop::{Backend, NOW_MS, Shop, named};

on_both!(
    goods_come_back_and_nobody_waits_for_them_any_more,
    two_that_want_the_last_unit_are_served_one_after_the_other,
    two_processes_never_give_the_last_unit_twice,
    two_processes_close_a_return_once,
    what_is_refunded_comes_back_no_more,
    what_comes_back_is_refunded_all_the_same,
    what_never_left_does_not_come_back,
    nobody_is_shown_a_return_of_another,
    what_is_planted_in_returns_is_found,
);

fn ship(shop: &Shop, order: Id, hats: u32) -> Parcel {
    let shipment = Shipment { units: vec![(named("hat"), Some(hats))], tracking: TrackingChange::default() };
    step(shop, order, Step::Ship(shipment))
}

fn step(shop: &Shop, order: Id, step: Step) -> Parcel {
    let ask = Box::new(ParcelAsk { order: ours(order), step });
    match shop.call(Job::Parcels { store: shop.tenant, ask }) {
        Outcome::Parcels(stepped) => stepped.unwrap().parcel.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn hats(parcel: &Parcel, quantity: i64) -> ReturnUnits {
    ReturnUnits { parcel: Some(ours(parcel.id)), line: named("hat"), quantity, reason: None, note: String::new() }
}

fn opening(shop: &Shop, order: Reference, units: Vec<ReturnUnits>) -> Job {
    let draft = ReturnDraft { units, reason: "too warm".to_owned(), ..ReturnDraft::default() };
    Job::Returns { store: shop.tenant, ask: Box::new(ReturnAsk::Open { order, draft }) }
}

fn closing(shop: &Shop, back: Id) -> Job {
    let ask = Box::new(ReturnAsk::Close { back: ours(back), notify: true });
    Job::Returns { store: shop.tenant, ask }
}

fn outcome(outcome: Outcome) -> ReturnDone {
    match outcome {
        Outcome::Returns(done) => done,
        other => panic!("{other:?}"),
    }
}

/// Does it, and looks at the books.
#[track_caller]
fn run(shop: &Shop, job: Job) -> Result<Return, Refused> {
    let done = outcome(shop.call(job)).map(|returned| returned.back);
    shop.assert_clean();
    done
}

#[track_caller]
fn open(shop: &Shop, order: Id, units: ReturnUnits) -> Result<Return, Refused> {
    run(shop, opening(shop, ours(order), vec![units]))
}

fn of_order(shop: &Shop, order: Id) -> Vec<Return> {
    let found = returns::list(shop.engine.store(), shop.tenant, Some(&ours(order)), None).unwrap();
    found.unwrap().into_iter().map(|found| found.back).collect()
}

fn refused(fault: ReturnFault) -> Refused {
    Refused::Fault(fault)
}

fn too_many(entry: usize, asked: i64, left: u32) -> Refused {
    refused(ReturnFault::TooManyUnits { entry, line: "hat".to_owned(), asked, left })
}

/// A refund of units that came back.
fn paid_back(quantity: i64) -> RefundRequest {
    let ask = UnitAsk {
        line: named("hat"),
        quantity: Some(quantity),
        mode: UnitMode::Returned,
        restock: Restock::No,
        location: String::new(),
    };
    RefundRequest::of(Ask::Parts(Parts { units: vec![ask], ..Parts::default() }))
}

fn goods_come_back_and_nobody_waits_for_them_any_more(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let parcel = ship(&shop, order, 3);
    shop.tick(1_000);
    let torn = ReturnUnits { reason: Some(ReturnReason::Defective), note: "torn".to_owned(), ..hats(&parcel, 1) };
    let first = run(&shop, opening(&shop, named("a"), vec![torn, hats(&parcel, 1)])).unwrap();
    assert_eq!((first.order, first.state, &*first.reason), (order, ReturnState::Open, "too warm"));
    assert_eq!((first.created_ms, first.updated_ms), (NOW_MS + 1_000, NOW_MS + 1_000));
    let told: Vec<_> = first.lines.iter().map(|line| (line.parcel, line.quantity, line.reason, &*line.note)).collect();
    assert_eq!(told, [(Some(parcel.id), 1, Some(ReturnReason::Defective), "torn"), (Some(parcel.id), 1, None, "")]);
    assert_eq!(open(&shop, order, hats(&parcel, 2)).unwrap_err(), too_many(0, 2, 1));
    shop.tick(1_000);
    let second = open(&shop, order, hats(&parcel, 1)).unwrap();
    assert_eq!(of_order(&shop, order), [first.clone(), second.clone()]);

    shop.tick(1_000);
    let closed = run(&shop, closing(&shop, first.id)).unwrap();
    let expected = Return { state: ReturnState::Closed, notify: true, updated_ms: NOW_MS + 3_000, ..first };
    assert_eq!(closed, expected);
    shop.tick(1_000);
    assert_eq!(run(&shop, closing(&shop, closed.id)).unwrap(), closed, "it was closed before");
    assert_eq!(of_order(&shop, order), [closed, second]);
    let again = open(&shop, order, hats(&parcel, 2)).unwrap();
    assert_eq!(again.lines[0].quantity, 2, "what a closed return held may be asked for again");
}

fn two_that_want_the_last_unit_are_served_one_after_the_other(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let parcel = ship(&shop, order, 1);
    let jobs = [1, 1].map(|quantity| opening(&shop, ours(order), vec![hats(&parcel, quantity)]));
    let mut done = shop.together(&jobs).into_iter().map(|done| outcome(done.unwrap()).map(|returned| returned.back));
    let first = done.next().unwrap().unwrap();
    assert_eq!(done.next().unwrap().unwrap_err(), too_many(0, 1, 0));
    let jobs =
        [closing(&shop, first.id), opening(&shop, ours(order), vec![hats(&parcel, 1)]), closing(&shop, first.id)];
    let done = shop.together(&jobs).into_iter().map(|done| outcome(done.unwrap()).map(|returned| returned.back.state));
    let expected = [ReturnState::Closed, ReturnState::Open, ReturnState::Closed];
    assert_eq!(done.collect::<Result<Vec<_>, _>>().unwrap(), expected, "the units came free in between");
    shop.assert_clean();
}

fn two_processes_never_give_the_last_unit_twice(on: Backend) {
    let pair = pair(on);
    for round in 0..12 {
        let order = pair[0].put(plain(&format!("o{round}")));
        let parcel = ship(&pair[0], order, 1);
        let done = both(&pair, |_, shop| outcome(shop.call(opening(shop, ours(order), vec![hats(&parcel, 1)]))));
        let (made, not): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), not.len()), (1, 1), "one of them has it");
        assert_eq!(not.into_iter().next().unwrap().unwrap_err(), too_many(0, 1, 0));
        assert_eq!(of_order(&pair[1], order).len(), 1);
    }
    pair[1].assert_clean();
}

fn two_processes_close_a_return_once(on: Backend) {
    let pair = pair(on);
    // So that it shows who wrote last.
    pair[1].tick(500);
    for round in 0..12 {
        let order = pair[0].put(plain(&format!("o{round}")));
        let parcel = ship(&pair[0], order, 1);
        let back = open(&pair[0], order, hats(&parcel, 1)).unwrap();
        let done = both(&pair, |_, shop| outcome(shop.call(closing(shop, back.id))).unwrap().back);
        assert_eq!(done[0], done[1], "the second one found it closed");
        assert_eq!(of_order(&pair[0], order), [done[0].clone()]);
    }
    pair[0].assert_clean();
}

fn what_is_refunded_comes_back_no_more(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let (one, other) = (ship(&shop, order, 1), ship(&shop, order, 1));
    shop.create(order, paid_back(1)).unwrap();
    open(&shop, order, hats(&one, 1)).unwrap();
    assert_eq!(open(&shop, order, hats(&other, 1)).unwrap_err(), too_many(0, 1, 0));
    // In one batch, a return sees the refund before it.
    let order = shop.put(plain("b"));
    let parcel = ship(&shop, order, 1);
    let jobs = [shop.job(order, paid_back(1), None), opening(&shop, ours(order), vec![hats(&parcel, 1)])];
    let done = shop.together(&jobs).pop().unwrap().unwrap();
    assert_eq!(outcome(done).map(|returned| returned.back).unwrap_err(), too_many(0, 1, 0));
    shop.assert_clean();
}

fn what_comes_back_is_refunded_all_the_same(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let parcel = ship(&shop, order, 2);
    let back = open(&shop, order, hats(&parcel, 2)).unwrap();
    shop.create(order, paid_back(2)).unwrap();
    shop.assert_clean();
    assert_eq!(of_order(&shop, order), std::slice::from_ref(&back), "a refund closes no return");
    run(&shop, closing(&shop, back.id)).unwrap();
    assert_eq!(open(&shop, order, hats(&parcel, 1)).unwrap_err(), too_many(0, 1, 0));
    assert_eq!(shop.facts(order).balances.refunds, 1, "and a return refunds nothing");
}

fn what_never_left_does_not_come_back(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let (one, other) = (ship(&shop, order, 2), ship(&shop, order, 2));
    let closed = open(&shop, order, hats(&one, 1)).unwrap();
    let closed = run(&shop, closing(&shop, closed.id)).unwrap();
    let waits = open(&shop, order, hats(&one, 1)).unwrap();
    let mixed = run(&shop, opening(&shop, ours(order), vec![hats(&other, 1), hats(&one, 1)])).unwrap();
    let elsewhere = open(&shop, order, hats(&other, 1)).unwrap();
    shop.tick(1_000);
    step(&shop, order, Step::Unship { parcel: ours(one.id) });
    shop.assert_clean();
    let off = |back: &Return| Return { state: ReturnState::Cancelled, updated_ms: NOW_MS + 1_000, ..back.clone() };
    assert_eq!(of_order(&shop, order), [closed, off(&waits), off(&mixed), elsewhere]);
    let over = refused(ReturnFault::Over(ReturnState::Cancelled));
    assert_eq!(run(&shop, closing(&shop, waits.id)).unwrap_err(), over);
    let called_off = ReturnFault::ParcelCancelled { entry: 0, parcel: one.id.to_string() };
    assert_eq!(open(&shop, order, hats(&one, 1)).unwrap_err(), refused(called_off));
    open(&shop, order, hats(&other, 1)).unwrap();
}

fn nobody_is_shown_a_return_of_another(on: Backend) {
    let shop = Shop::new(on);
    let (order, other) = (shop.put(plain("a")), shop.put(plain("b")));
    let parcel = ship(&shop, order, 1);
    ship(&shop, other, 1);
    let stray = ReturnFault::ParcelUnknown { entry: 0, parcel: parcel.id.to_string() };
    assert_eq!(open(&shop, other, hats(&parcel, 1)).unwrap_err(), refused(stray));
    assert_eq!(open(&shop, 7, hats(&parcel, 1)).unwrap_err(), Refused::OrderUnknown);
    let back = open(&shop, order, hats(&parcel, 1)).unwrap();
    let list = |tenant, order: Option<Id>, id: Option<Id>| {
        let (order, id) = (order.map(ours), id.map(ours));
        let found = returns::list(shop.engine.store(), tenant, order.as_ref(), id.as_ref()).unwrap();
        found.map(|found| found.into_iter().map(|found| (found.order.id, found.back)).collect::<Vec<_>>())
    };
    let (one, none) = (Some(vec![(order, back.clone())]), Some(Vec::new()));
    assert_eq!(list(shop.tenant, None, Some(back.id)), one);
    assert_eq!(list(shop.tenant, Some(order), Some(back.id)), one);
    assert_eq!(list(shop.tenant, Some(order), None), one);
    assert_eq!(list(shop.tenant, Some(other), Some(back.id)), none);
    assert_eq!(list(shop.tenant, Some(other), None), none);
    assert_eq!(list(shop.tenant, None, Some(order)), none, "that is no return");
    assert_eq!(list(shop.tenant, Some(7), Some(back.id)), None);
    assert_eq!(list(shop.tenant, Some(7), None), None);
    let elsewhere = shop.add_store("elsewhere");
    assert_eq!(list(elsewhere, None, Some(back.id)), none);
    assert_eq!(list(elsewhere, Some(order), None), None);
    let unknown = |id: Id| refused(ReturnFault::ReturnUnknown(id.to_string()));
    assert_eq!(run(&shop, closing(&shop, 7)).unwrap_err(), unknown(7));
    let theirs =
        Job::Returns { store: elsewhere, ask: Box::new(ReturnAsk::Close { back: ours(back.id), notify: false }) };
    assert_eq!(run(&shop, theirs).unwrap_err(), unknown(back.id));

    let mut gone = plain("a");
    gone.lines[0].shipped = 1;
    gone.life.deleted_ms = Some(NOW_MS);
    assert_eq!(shop.put(gone), order);
    assert_eq!(open(&shop, order, hats(&parcel, 1)).unwrap_err(), Refused::OrderUnknown);
    assert_eq!(run(&shop, closing(&shop, back.id)).unwrap_err(), unknown(back.id));
    assert_eq!((list(shop.tenant, None, Some(back.id)), list(shop.tenant, Some(order), None)), (none, None));
}

/// The audit finds what no step leaves behind.
fn what_is_planted_in_returns_is_found(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let parcel = ship(&shop, order, 2);
    let back = open(&shop, order, hats(&parcel, 2)).unwrap();
    let (line, entry) = (back.lines[0].line, back.lines[0].id);
    let store = shop.engine.store();
    let body = |text: String| format!("UPDATE returns SET body = '{text}'");
    let with = |entry: Id, parcel: &str, line: Id, units: i64| {
        let lines = format!("[[{entry},{parcel},{line},{units},\"\",\"\"]]");
        body(format!("{{\"reason\":\"too warm\",\"notify\":false,\"processed\":null,\"lines\":{lines}}}"))
    };
    let of = parcel.id.to_string();
    let right = with(entry, &of, line, 2);
    for (plant, repair, code) in [
        (with(entry, &of, line, 3), &*right, "return_units"),
        (with(entry, &of, line, 0), &right, "return_shape"),
        (with(back.id, &of, line, 2), &right, "return_shape"),
        (with(entry, "7", line, 2), &right, "return_parcel"),
        (with(entry, &of, entry, 2), &right, "return_parcel"),
        (body("{}".to_owned()), &right, "unreadable"),
        ("UPDATE returns SET state = 'lost'".to_owned(), "UPDATE returns SET state = 'open'", "return_shape"),
        ("UPDATE parcels SET state = 'cancelled'".to_owned(), "UPDATE parcels SET state = 'shipped'", "return_parcel"),
        (
            format!("UPDATE returns SET order_id = order_id + 1 WHERE id = {}", back.id),
            "UPDATE returns SET order_id = order_id - 1",
            "stray",
        ),
    ] {
        store.write(|tx| tx.execute(&plant, &[])).unwrap();
        let report = shop.audit();
        assert!(report.findings.iter().any(|finding| finding.code == code), "{plant}: {:?}", report.findings);
        store.write(|tx| tx.execute(repair, &[])).unwrap();
        shop.assert_clean();
    }
}
