//! What a person does about a refund: call it off, try again what failed, choose gateways.

use refundry_core::limits::LEASE_MS;
use refundry_core::order::{ComponentKind, Id};
use refundry_core::refund::{LegState, RefundState, Route};
use refundry_core::retry::Destination;
use refundry_engine::accept::{Accepted, Job, Outcome, RequestKey};
use refundry_engine::by_hand::{AskFault, CancelFault, RetryAsk, RetryFault};
use refundry_gateways::{Answer, Purpose};

use crate::books::{ours, plain};
use crate::shop::{
    Backend, Build, NOW_MS, Place, Shop, amount, declined, done, everything, named, order, units, unknown,
};

on_both!(
    a_refund_is_called_off_while_nothing_was_sent,
    a_refund_is_called_off_while_its_provider_takes_nothing,
    what_failed_is_tried_again_once,
    a_retry_takes_the_same_units_and_parts,
    a_retry_goes_to_another_payment_or_outside,
    a_part_that_failed_is_tried_again_by_itself,
    a_retry_is_decided_on_what_is_left_now,
    a_ladder_ends_with_a_person,
    the_provider_is_asked_at_once_when_a_person_wants_to_know,
    what_waits_for_a_person_is_asked_about_and_never_sent,
    a_start_takes_over_what_was_leased_and_not_what_was_put_off,
);

pub(crate) fn cancel(shop: &Shop, refund: Id) -> Result<RefundState, CancelFault> {
    match shop.call(Job::Cancel { store: shop.tenant, refund: ours(refund), text: "typing error".to_owned() }) {
        Outcome::Cancelled(cancelled) => cancelled.map(|(refund, _)| refund.state()),
        other => panic!("{other:?}"),
    }
}

fn retry(shop: &Shop, refund: Id, to: Destination) -> Result<Accepted, RetryFault> {
    retry_under(shop, refund, to, None)
}

fn retry_under(shop: &Shop, refund: Id, to: Destination, key: Option<&str>) -> Result<Accepted, RetryFault> {
    let key = key.map(|key| RequestKey { key: key.to_owned(), hash: "hash".to_owned() });
    match shop.call(Job::Retry { store: shop.tenant, ask: RetryAsk { refund: ours(refund), to }, key }) {
        Outcome::Created(created) => Ok(created.unwrap()),
        Outcome::NotRetried(fault) => Err(fault),
        other => panic!("{other:?}"),
    }
}

/// A refund whose every leg is declined.
fn failed(shop: &Shop, order: Id, request: refundry_core::command::RefundRequest) -> Id {
    let made = shop.create(order, request).unwrap().refund;
    for call in shop.calls() {
        shop.record(&call, declined()).unwrap();
    }
    made.id
}

fn a_refund_is_called_off_while_nothing_was_sent(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, false);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, units("hat", 2)).unwrap().refund;
    shop.tick(10);
    assert_eq!(cancel(&shop, refund.id), Ok(RefundState::Failed));
    let called_off = shop.refund(refund.id);
    assert_eq!(called_off.failure(), Some(("cancelled", "typing error")));
    let facts = shop.facts(order);
    assert_eq!((facts.payments_left().get(), facts.units_refunded(0).all()), (4_400, 0));
    assert!(shop.lease().is_empty(), "nobody can send it any more");
    assert_eq!(cancel(&shop, refund.id), Err(CancelFault::MayBeSent), "it is over");
    assert_eq!(cancel(&shop, 7), Err(CancelFault::RefundUnknown));

    let sent = shop.create(order, units("hat", 1)).unwrap().refund;
    let call = shop.lease().remove(0);
    assert_eq!(cancel(&shop, sent.id), Err(CancelFault::MayBeSent), "a worker has it");
    shop.record(&call, unknown()).unwrap();
    assert_eq!(cancel(&shop, sent.id), Err(CancelFault::MayBeSent), "nobody knows");
    shop.assert_clean();
}

fn a_refund_is_called_off_while_its_provider_takes_nothing(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    assert_eq!(cancel(&shop, refund.id), Err(CancelFault::MayBeSent));
    let refused = shop.record(&call, Answer::NotTaken { reason: "too many requests".to_owned() });
    assert!(refused.is_none(), "it waits as before");
    assert_eq!(cancel(&shop, refund.id), Ok(RefundState::Failed));
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty());
    shop.assert_clean();
}

fn what_failed_is_tried_again_once(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = failed(&shop, order, amount("10.00"));
    let again = retry_under(&shop, refund, Destination::Same, Some("k")).unwrap();
    assert_eq!((again.refund.amount.get(), again.refund.retry_of), (1_000, Some(refund)));
    assert_eq!(shop.refund(refund).legs[0].retried_by, Some(again.refund.id));
    assert_eq!(retry(&shop, refund, Destination::Same).unwrap_err(), RetryFault::NothingFailed);
    assert!(retry_under(&shop, refund, Destination::Same, Some("k")).unwrap().replayed, "the same request again");
    let call = shop.calls().remove(0);
    assert_ne!(call.ask.leg_id, shop.refund(refund).legs[0].id, "a key that failed is never used again");
    shop.record(&call, declined()).unwrap();
    let third = retry(&shop, again.refund.id, Destination::Same).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, done(&call)).unwrap();
    assert_eq!(shop.refund(third.refund.id).state(), RefundState::Succeeded);
    assert_eq!(retry(&shop, third.refund.id, Destination::Same).unwrap_err(), RetryFault::NothingFailed);
    assert_eq!(retry(&shop, 7, Destination::Same).unwrap_err(), RetryFault::RefundUnknown);
    assert_eq!(shop.facts(order).payments_left().get(), 3_400);
    shop.assert_clean();
}

fn a_retry_takes_the_same_units_and_parts(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(
        order("a", "USD")
            .line("hat", 3, 1_000, 70)
            .part(ComponentKind::Shipping, None, 500, 35)
            .part(ComponentKind::Tip, None, 100, 0)
            .pay("card", "simulated", 1_705),
    );
    for request in [units("hat", 2), everything(), crate::shop::part(refundry_core::command::Target::Shipping, "2.00")]
    {
        let refund = failed(&shop, id, request);
        let first = shop.refund(refund);
        let again = retry(&shop, refund, Destination::Same).unwrap().refund;
        let parts = |refund: &refundry_core::refund::Refund| {
            let parts = refund.allocations.iter().map(|a| (a.component, a.net.get(), a.tax.get()));
            let units = refund.units.iter().map(|u| (u.line, u.bucket, u.quantity, u.restock));
            (refund.amount.get(), refund.discrepancy.get(), parts.collect::<Vec<_>>(), units.collect::<Vec<_>>())
        };
        assert_eq!(parts(&again), parts(&first));
        let call = shop.calls().remove(0);
        shop.record(&call, declined()).unwrap();
        shop.assert_clean();
    }
}

fn a_retry_goes_to_another_payment_or_outside(on: Backend) {
    let shop = Shop::new(on);
    let two = order("a", "USD").line("hat", 1, 2_000, 0).pay("card", "simulated", 1_500).pay("gift", "simulated", 500);
    let order = shop.put(two);
    let refund = failed(&shop, order, amount("4.00"));
    let moved = retry(&shop, refund, Destination::Payment(named("gift"))).unwrap().refund;
    assert_eq!((moved.legs[0].payment, moved.legs[0].route), (1, Route::Original));
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    let outside = retry(&shop, moved.id, Destination::Outside).unwrap().refund;
    assert_eq!((outside.legs[0].route, outside.state()), (Route::Outside, RefundState::Succeeded));
    assert!(shop.calls().is_empty());
    shop.assert_clean();
}

fn a_part_that_failed_is_tried_again_by_itself(on: Backend) {
    let shop = Shop::new(on);
    let two = order("a", "USD").line("hat", 2, 2_000, 0).pay("card", "simulated", 1_500).pay("gift", "simulated", 500);
    let order = shop.put(two);
    let refund = shop.create(order, everything()).unwrap().refund;
    for call in shop.calls() {
        let answer = if call.ask.amount_minor == 500 { declined() } else { done(&call) };
        shop.record(&call, answer).unwrap();
    }
    assert_eq!(shop.facts(order).payments_left().get(), 500);
    let again = retry(&shop, refund.id, Destination::Same).unwrap().refund;
    assert_eq!((again.amount.get(), again.discrepancy.get(), again.units.len()), (500, 0, 0));
    assert_eq!(again.legs[0].payment, 1);
    assert_eq!(shop.facts(order).payments_left().get(), 0);
    shop.assert_clean();
}

fn a_retry_is_decided_on_what_is_left_now(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = failed(&shop, order, amount("40.00"));
    shop.create(order, amount("10.00")).unwrap();
    let job =
        Job::Retry { store: shop.tenant, ask: RetryAsk { refund: ours(refund), to: Destination::Same }, key: None };
    let refused = crate::shop::created(shop.call(job)).unwrap_err();
    assert_eq!(refused.code(), "part_exceeded");
    assert_eq!(shop.refund(refund).legs[0].retried_by, None, "a refusal binds nothing");
    shop.assert_clean();
}

fn a_ladder_ends_with_a_person(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let mut call = shop.calls().remove(0);
    let mut asked = 0;
    while !matches!(shop.refund(refund.id).legs[0].state, LegState::Parked { .. }) {
        asked += 1;
        shop.record(&call, unknown());
        shop.tick(86_400_000);
        if let Some(next) = shop.lease().pop() {
            call = next;
        }
    }
    assert_eq!(asked, 15, "fourteen rungs, and the last word");
    let told = shop.engine.store().read(|tx| refundry_store::evidence::of_leg(tx, shop.tenant, call.ask.leg_id));
    let told = told.unwrap();
    assert_eq!(told.len(), 15);
    assert_eq!(told.last().unwrap().heard, "given_up");
    assert!(call.ask.key_age_ms >= 13 * 86_400_000);
    shop.tick(90 * 86_400_000);
    assert!(shop.lease().is_empty());
    shop.assert_clean();
}

fn the_provider_is_asked_at_once_when_a_person_wants_to_know(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let leg = refund.legs[0].id;
    let ask = |refund, leg| match shop.call(Job::AskNow { store: shop.tenant, refund: ours(refund), leg }) {
        Outcome::Asked(asked) => asked.map(|(refund, _)| refund.state()),
        other => panic!("{other:?}"),
    };
    let mut call = shop.calls().remove(0);
    assert_eq!(ask(refund.id, leg), Ok(RefundState::Pending));
    assert!(shop.lease().is_empty(), "a worker has it, and nobody else gets it meanwhile");
    for wait in [1_000, 5_000, 30_000] {
        shop.record(&call, unknown());
        shop.tick(wait);
        call = shop.lease().remove(0);
    }
    shop.record(&call, unknown());
    assert!(shop.lease().is_empty(), "it is to be asked in two minutes");
    assert_eq!(ask(refund.id, leg), Ok(RefundState::Pending));
    call = shop.lease().remove(0);
    let odd = Answer::Done { reference: String::new(), amount_minor: 999, currency: "USD".to_owned() };
    shop.record(&call, odd).unwrap();
    assert!(shop.lease().is_empty());
    // One that waits for a person is asked about once more, and waits on while that tells nothing new.
    ask(refund.id, leg).unwrap();
    call = shop.lease().remove(0);
    shop.record(&call, unknown());
    assert!(matches!(shop.refund(refund.id).legs[0].state, LegState::Parked { .. }));
    shop.tick(90 * 86_400_000);
    assert!(shop.lease().is_empty());
    ask(refund.id, leg).unwrap();
    call = shop.lease().remove(0);
    shop.record(&call, done(&call)).unwrap();
    assert_eq!(ask(refund.id, leg), Err(AskFault::NothingToAsk));
    assert_eq!(ask(refund.id, 7), Err(AskFault::LegUnknown));
    assert_eq!(ask(7, leg), Err(AskFault::RefundUnknown));
    shop.assert_clean();
}

fn what_waits_for_a_person_is_asked_about_and_never_sent(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let leg = refund.legs[0].id;
    let call = shop.calls().remove(0);
    shop.record(&call, Answer::Pending { reference: "re_1".to_owned() }).unwrap();
    shop.tick(1_000);
    let call = shop.lease().remove(0);
    assert!(!call.may_be_sent_after(&Answer::NotFound, shop.now_ms()), "the provider had it");
    shop.record(&call, Answer::NotFound).unwrap();
    assert!(matches!(shop.refund(refund.id).legs[0].state, LegState::Parked { .. }));
    shop.tick(1_000_000);
    match shop.call(Job::AskNow { store: shop.tenant, refund: ours(refund.id), leg }) {
        Outcome::Asked(asked) => assert!(asked.is_ok()),
        other => panic!("{other:?}"),
    }
    let call = shop.lease().remove(0);
    assert_eq!(call.first(), Purpose::Lookup);
    assert!(!call.may_be_sent_after(&Answer::NotFound, shop.now_ms()), "it still may have it");
    shop.record(&call, Answer::NotFound);
    assert!(matches!(shop.refund(refund.id).legs[0].state, LegState::Parked { .. }));
    shop.assert_clean();
}

fn a_start_takes_over_what_was_leased_and_not_what_was_put_off(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let mut call = shop.calls().remove(0);
    for wait in [1_000, 5_000, 30_000] {
        shop.record(&call, unknown());
        shop.tick(wait);
        call = shop.lease().remove(0);
    }
    let leg = refund.legs[0].id;
    let reclaim = |now_ms| {
        let store = shop.engine.store();
        store.write(|tx| refundry_store::outbox::reclaim(tx, shop.tenant, "another", now_ms, LEASE_MS)).unwrap()
    };
    assert_eq!(reclaim(shop.now_ms()), 1, "its worker is lost");
    let call = shop.lease().remove(0);
    shop.record(&call, unknown());
    assert_eq!(reclaim(shop.now_ms()), 0, "leg {leg} is to be asked about in minutes");
    shop.assert_clean();
}
