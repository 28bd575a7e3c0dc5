//! After-sales cases: refunds that wait over held channels, finishing them, deleting their cases, and lists of them.

use refundry_core::event::EventKind;
use refundry_core::limits::EVENT_LIFE_MS;
use refundry_core::order::{Id, Order, PaymentKind, Reference};
use refundry_core::query::{CaseQuery, Page, TimeRange};
use refundry_core::refund::{CASE_DELETED, LegState, MetaValue, Progress, Refund, RefundState, Route};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::cases::{self, CaseAsk, CaseDone, DeleteFault, FinishAsk, FinishFault};
use refundry_engine::hooks::{self, HookAsk, HookDone};
use refundry_engine::read;

use crate::books::{ours, plain};
use crate::hooks::subscribe;
use crate::shop::{Backend, NOW_MS, Place, Shop, amount, done, everything, named, units};

on_both!(
    money_over_a_held_channel_waits_until_it_is_finished,
    what_is_quoted_over_a_held_channel_waits_too,
    a_refund_is_finished_once_and_by_its_own_names,
    only_what_waits_for_a_person_is_finished,
    an_untouched_case_is_deleted_and_its_money_comes_free,
    cases_are_listed_and_counted_by_how_far_they_came,
    what_is_finished_late_is_told_all_the_same,
);

/// A second is what callers tell times in.
const SECOND_MS: i64 = 1_000;

/// An order of 44.00, paid over the channel `bogus`.
pub(crate) fn bogus(name: &str) -> Order {
    let mut order = plain(name);
    for payment in &mut order.payments {
        "bogus".clone_into(&mut payment.channel);
    }
    order
}

pub(crate) fn hold(shop: &Shop, channel: &str, held: bool) {
    let ask = Box::new(CaseAsk::Hold { channel: channel.to_owned(), held });
    match shop.call(Job::Cases { store: shop.tenant, ask }) {
        Outcome::Cases(CaseDone::Held(settings)) => assert_eq!(settings.held.contains("bogus"), held),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ask(order: Id, refund: Id) -> FinishAsk {
    FinishAsk {
        order: ours(order),
        case: ours(refund),
        record: ours(refund),
        at_ms: None,
        reference: "wire-77".to_owned(),
        channel: String::new(),
        metadata: Vec::new(),
    }
}

pub(crate) fn finish(shop: &Shop, ask: FinishAsk) -> Result<Refund, FinishFault> {
    match shop.call(Job::Cases { store: shop.tenant, ask: Box::new(CaseAsk::Finish(ask)) }) {
        Outcome::Cases(CaseDone::Finished(finished)) => finished.map(|(refund, _)| Refund::clone(&refund)),
        other => panic!("{other:?}"),
    }
}

fn delete(shop: &Shop, refund: Id) -> Result<Refund, DeleteFault> {
    let ask = Box::new(CaseAsk::Delete { case: ours(refund) });
    match shop.call(Job::Cases { store: shop.tenant, ask }) {
        Outcome::Cases(CaseDone::Deleted(deleted)) => deleted.map(|(refund, _)| Refund::clone(&refund)),
        other => panic!("{other:?}"),
    }
}

fn money_over_a_held_channel_waits_until_it_is_finished(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "Bogus", true);
    let order = shop.put(bogus("a"));
    let made = shop.create(order, units("hat", 2)).unwrap().refund;
    let leg = &made.legs[0];
    assert_eq!((leg.route, leg.gateway.as_str(), &leg.state), (Route::Original, "manual", &LegState::Waiting));
    assert!(shop.calls().is_empty() && shop.lease().is_empty(), "nothing is sent");
    assert!(shop.facts(order).balances.pending().is_positive());
    shop.tick(60 * SECOND_MS);
    let at_ms = made.created_ms + 30 * SECOND_MS;
    let metadata = vec![("pos".to_owned(), "till 4".to_owned())];
    let finished = finish(&shop, FinishAsk { at_ms: Some(at_ms), metadata, ..ask(order, made.id) }).unwrap();
    assert_eq!(finished, shop.refund(made.id), "kept as it was told");
    assert_eq!(finished.legs[0].state, LegState::Succeeded { at_ms });
    assert_eq!(finished.legs[0].reference, "wire-77");
    assert_eq!(finished.updated_ms, shop.now_ms(), "it changed when it was told");
    assert_eq!(finished.metadata.get("pos"), Some(&MetaValue::Text("till 4".to_owned())));
    let facts = shop.facts(order);
    assert_eq!((facts.balances.pending().get(), facts.balances.succeeded()), (0, made.amount));
    shop.assert_clean();

    hold(&shop, "bogus", false);
    let sent = shop.create(order, amount("1.00")).unwrap().refund;
    assert_eq!(shop.calls().len(), 1, "held no more");
    assert_eq!(sent.legs[0].gateway, "");
    shop.assert_clean();
}

fn what_is_quoted_over_a_held_channel_waits_too(on: Backend) {
    let shop = Shop::new(on);
    let mut custom = bogus("a");
    custom.payments[0].kind = PaymentKind::Custom;
    "manual".clone_into(&mut custom.payments[0].gateway);
    let order = shop.put(custom);
    let outside = shop.create(order, amount("1.00")).unwrap().refund;
    assert_eq!((outside.legs[0].route, outside.state()), (Route::Outside, RefundState::Succeeded));
    hold(&shop, "bogus", true);
    let request = amount("2.00");
    let quoted = read::quote(&shop.engine, shop.tenant, &ours(order), &request).unwrap().unwrap();
    let made = shop.create(order, request).unwrap().refund;
    assert_eq!((quoted.quote.legs[0].route, made.legs[0].route), (Route::Original, Route::Original));
    assert_eq!(made.progress(), Progress::Untouched);
    assert_eq!(finish(&shop, ask(order, made.id)).unwrap().state(), RefundState::Succeeded);
    shop.assert_clean();
}

fn a_refund_is_finished_once_and_by_its_own_names(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let [order, other] = ["a", "b"].map(|name| shop.put(bogus(name)));
    let made = shop.create(order, amount("3.00")).unwrap().refund;
    let second = shop.create(order, amount("4.00")).unwrap().refund;
    shop.tick(60 * SECOND_MS);
    let right = ask(order, made.id);
    let (early, late) = (made.created_ms - SECOND_MS, shop.now_ms() + 1);
    let wrong = [
        (FinishAsk { order: named("nobody"), ..right.clone() }, FinishFault::OrderUnknown),
        (FinishAsk { order: ours(other), ..right.clone() }, FinishFault::NotOne),
        (FinishAsk { record: ours(second.id), ..right.clone() }, FinishFault::NotOne),
        (FinishAsk { case: ours(7), ..right.clone() }, FinishFault::NotOne),
        (FinishAsk { case: Reference { text: String::new(), ours: None }, ..right.clone() }, FinishFault::NotOne),
        (FinishAsk { channel: "paypal".to_owned(), ..right.clone() }, FinishFault::OtherChannel),
        (FinishAsk { at_ms: Some(early), ..right.clone() }, FinishFault::TimeOutOfRange),
        (FinishAsk { at_ms: Some(late), ..right.clone() }, FinishFault::TimeOutOfRange),
    ];
    for (ask, fault) in wrong {
        assert_eq!(finish(&shop, ask), Err(fault));
    }
    assert_eq!(shop.refund(made.id), Refund::clone(&made), "nothing changed");
    // The second in which it was accepted is none before it.
    let at_ms = made.created_ms.div_euclid(SECOND_MS) * SECOND_MS;
    let told = FinishAsk { at_ms: Some(at_ms), channel: "BOGUS".to_owned(), ..right.clone() };
    let finished = finish(&shop, told).unwrap();
    assert_eq!(finished.finished_ms(), Some(made.created_ms));
    shop.tick(SECOND_MS);
    let again = FinishAsk { reference: "wire-78".to_owned(), at_ms: Some(early), ..right };
    assert_eq!(finish(&shop, again), Ok(finished), "unchanged");
    // Twice in one batch.
    let twice = Job::Cases { store: shop.tenant, ask: Box::new(CaseAsk::Finish(ask(order, second.id))) };
    let outcomes = shop.together(&[twice.clone(), twice]);
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(Outcome::Cases(CaseDone::Finished(Ok(_))))), "{outcome:?}");
    }
    assert_eq!(shop.facts(order).balances.succeeded().get(), 700);
    shop.assert_clean();
}

fn only_what_waits_for_a_person_is_finished(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(bogus("a"));
    let sent = shop.create(order, amount("3.00")).unwrap().refund;
    hold(&shop, "bogus", true);
    assert_eq!(finish(&shop, ask(order, sent.id)), Err(FinishFault::NotByHand), "its gateway stays");
    let call = shop.calls().remove(0);
    shop.record(&call, crate::shop::declined()).unwrap();
    assert_eq!(finish(&shop, ask(order, sent.id)), Err(FinishFault::Failed));
    let dropped = shop.create(order, amount("3.00")).unwrap().refund;
    delete(&shop, dropped.id).unwrap();
    assert_eq!(finish(&shop, ask(order, dropped.id)), Err(FinishFault::NotOne), "deleted");
    shop.assert_clean();
}

fn an_untouched_case_is_deleted_and_its_money_comes_free(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let order = shop.put(bogus("a"));
    let made = shop.create(order, everything()).unwrap().refund;
    assert!(shop.create(order, amount("1.00")).is_err(), "all of it waits");
    let deleted = delete(&shop, made.id).unwrap();
    assert_eq!(deleted.failure(), Some((CASE_DELETED, "")));
    assert!(deleted.is_case_deleted() && deleted.state() == RefundState::Failed);
    assert_eq!(delete(&shop, made.id), Err(DeleteFault::Unknown), "gone");
    assert_eq!(delete(&shop, 7), Err(DeleteFault::Unknown));
    assert_eq!(shop.facts(order).units_refunded(0).all(), 0);
    let again = shop.create(order, everything()).unwrap().refund;
    finish(&shop, ask(order, again.id)).unwrap();
    assert_eq!(delete(&shop, again.id), Err(DeleteFault::NotPending), "paid");
    shop.assert_clean();

    let sent = shop.put(plain("b"));
    let sent = shop.create(sent, amount("1.00")).unwrap().refund;
    assert_eq!(delete(&shop, sent.id), Err(DeleteFault::NotPending), "a worker has it");
    shop.assert_clean();
}

fn list(shop: &Shop, query: &CaseQuery) -> (Vec<Id>, bool, [i64; 3]) {
    let page = cases::list(shop.engine.store(), shop.tenant, query).unwrap();
    let ids = page.cases.iter().map(|case| {
        assert_eq!(case.order.facts.order.id, case.refund.order);
        case.refund.id
    });
    (ids.collect(), page.has_more, [page.counts.listed, page.counts.untouched, page.counts.begun])
}

fn cases_are_listed_and_counted_by_how_far_they_came(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, true);
    let all = CaseQuery { progress: None, created: TimeRange::default(), page: Page::Start, limit: 100, counted: true };
    assert_eq!(list(&shop, &all), (Vec::new(), false, [0, 0, 0]));
    let order = shop.put(plain("a"));
    let held = shop.put(bogus("b"));
    hold(&shop, "bogus", true);
    let mut made = Vec::new();
    for number in 0..12 {
        let order = if number % 3 == 0 { held } else { order };
        made.push(shop.create(order, amount("1.00")).unwrap().refund.id);
        // Some are made within the same moment, some on another day.
        shop.tick([0, SECOND_MS, 20 * 60 * 60 * SECOND_MS, SECOND_MS][number % 4]);
    }
    for (number, call) in shop.calls().into_iter().enumerate() {
        let answer = match number % 2 {
            0 => refundry_gateways::Answer::Pending { reference: String::new() },
            _ => done(&call),
        };
        shop.record(&call, answer).unwrap();
    }
    delete(&shop, made[3]).unwrap();
    finish(&shop, ask(held, made[6])).unwrap();
    shop.assert_clean();

    let refunds: Vec<Refund> = made.iter().map(|id| shop.refund(*id)).collect();
    let rule = |query: &CaseQuery| {
        let within = |r: &&Refund| {
            query.created.from_ms.is_none_or(|from| r.created_ms >= from)
                && query.created.to_ms.is_none_or(|to| r.created_ms <= to)
        };
        let mut cases: Vec<&Refund> = refunds.iter().filter(|r| !r.is_case_deleted()).filter(within).collect();
        let count = |p: Progress| i64::try_from(cases.iter().filter(|r| r.progress() == p).count()).unwrap();
        let (untouched, begun) = (count(Progress::Untouched), count(Progress::Begun));
        cases.retain(|r| query.progress.is_none_or(|p| r.progress() == p));
        cases.sort_by_key(|r| std::cmp::Reverse((r.created_ms, r.id)));
        let ids: Vec<Id> = cases.iter().map(|r| r.id).collect();
        let listed = i64::try_from(ids.len()).unwrap();
        (ids, [listed, untouched, begun])
    };
    let (from_ms, to_ms) = (refunds[2].created_ms, refunds[9].created_ms);
    let ranges = [(None, None), (Some(from_ms), None), (None, Some(to_ms)), (Some(from_ms), Some(to_ms))];
    for progress in [None, Some(Progress::Untouched), Some(Progress::Begun), Some(Progress::Over)] {
        for (from_ms, to_ms) in ranges {
            let whole = CaseQuery { progress, created: TimeRange { from_ms, to_ms }, ..all.clone() };
            let (expected, counts) = rule(&whole);
            assert_eq!(list(&shop, &whole), (expected.clone(), false, counts), "{whole:?}");
            let by_two = CaseQuery { limit: 2, counted: false, ..whole };
            let (mut skipped, mut keyed) = (Vec::new(), Vec::new());
            for skip in 0.. {
                let page = Page::Skip(skip * 2);
                let (ids, more, counts) = list(&shop, &CaseQuery { page, ..by_two.clone() });
                assert_eq!(counts, [0, 0, 0], "not asked for");
                skipped.extend(ids);
                if !more {
                    break;
                }
            }
            let mut page = Page::Start;
            loop {
                let (ids, more, _) = list(&shop, &CaseQuery { page, ..by_two.clone() });
                keyed.extend(ids);
                if !more {
                    break;
                }
                let last = refunds.iter().find(|r| Some(&r.id) == keyed.last()).unwrap();
                page = Page::Key { key_ms: last.created_ms, id: last.id };
            }
            assert_eq!((&skipped, &keyed), (&expected, &expected), "{by_two:?}");
        }
    }
}

/// Money may have gone back long before anybody says so. That is told like anything else, and is not what happened to
/// the order long ago.
fn what_is_finished_late_is_told_all_the_same(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let order = shop.put(bogus("a"));
    let made = shop.create(order, units("hat", 1)).unwrap().refund;
    subscribe(&shop, EventKind::OrderPartlyRefunded);
    shop.tick(EVENT_LIFE_MS + 10 * SECOND_MS);
    finish(&shop, FinishAsk { at_ms: Some(made.created_ms + SECOND_MS), ..ask(order, made.id) }).unwrap();
    let forget = Job::Hooks { store: shop.tenant, ask: Box::new(HookAsk::Forget) };
    assert!(matches!(shop.call(forget), Outcome::Hooks(HookDone::Counted(0))));
    let next = shop.create(order, units("hat", 1)).unwrap().refund;
    finish(&shop, ask(order, next.id)).unwrap();
    let due = hooks::due(shop.engine.store(), shop.now_ms(), 100).unwrap();
    let told: Vec<_> = due.iter().flat_map(|now| now.due.iter().map(|due| due.event.kind)).collect();
    assert_eq!(told, [EventKind::OrderPartlyRefunded], "the first of two");
    assert_eq!(due.iter().map(|now| (now.wait.len(), now.drop.len())).collect::<Vec<_>>(), [(1, 0)]);
    shop.assert_clean();
}
