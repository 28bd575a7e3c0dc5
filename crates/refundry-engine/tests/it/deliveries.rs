//! What providers say unasked: late, twice, in any order, and about things that nobody here knows.

use refundry_core::decide::News;
use refundry_core::intake::IntakeFault;
use refundry_core::order::{Id, Order};
use refundry_core::refund::{LegState, Refund, RefundState, Shape};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::by_hand::HandFault;
use refundry_engine::hear::{BY_HAND, Effect, Ruling, RulingFault};
use refundry_gateways::{About, Answer, DisputeStage, Notice};
use refundry_store::inbox;

use crate::books::{ours, plain};
use crate::shop::{Backend, Build, NOW_MS, Shop, amount, declined, done, everything, named, order, unknown};

on_both!(
    an_event_settles_the_leg_that_it_names_and_the_answer_comes_too_late,
    an_event_is_heard_once,
    a_failure_days_later_reopens_money_and_units_whatever_comes_after,
    figures_that_nobody_asked_for_wait_for_a_person,
    a_leg_is_heard_of_through_its_own_gateway_only,
    a_refund_made_at_the_provider_lowers_what_is_left,
    a_refund_made_at_the_provider_may_fail_there,
    what_cannot_be_matched_waits_and_is_matched_when_its_order_comes,
    a_person_rules_on_what_waits,
    a_leg_under_way_is_never_taken_for_a_refund_made_elsewhere,
    money_that_a_person_gave_up_and_that_was_paid_after_all_is_booked,
    a_dispute_holds_its_amount_until_it_is_won,
    old_news_of_a_dispute_changes_nothing,
    what_was_called_failed_and_is_paid_later_waits_for_a_person,
    a_dispute_keeps_to_its_payment,
    a_contested_payment_stays_in_its_place,
    a_leg_is_known_by_its_providers_name_in_every_state,
    figures_are_compared_of_what_only_the_provider_names_too,
    another_gateways_names_are_its_own,
    an_answer_that_a_leg_was_paid_which_a_person_called_failed_is_booked,
    an_event_that_cannot_be_read_holds_up_no_other,
);

pub(crate) fn hear(shop: &Shop, notices: Vec<Notice>) -> Vec<Effect> {
    hear_through(shop, "simulated", notices)
}

fn hear_through(shop: &Shop, gateway: &str, notices: Vec<Notice>) -> Vec<Effect> {
    match shop.call(Job::Hear { store: shop.tenant, gateway: gateway.to_owned(), notices }) {
        Outcome::Heard(heard) => heard.into_iter().map(|heard| heard.effect).collect(),
        other => panic!("{other:?}"),
    }
}

fn notice(event: &str, about: About) -> Notice {
    Notice { event: event.to_owned(), kind: "event".to_owned(), happened_ms: None, about }
}

/// An event about a refund of a payment of 44.00 US dollars that its provider calls `pi_1`.
pub(crate) fn refund(event: &str, leg_id: Option<Id>, reference: &str, answer: Answer, minor: i64) -> Notice {
    notice(
        event,
        About::Refund {
            leg_id,
            refund_reference: reference.to_owned(),
            payment_reference: "pi_1".to_owned(),
            payment_alias: String::new(),
            answer,
            amount_minor: minor,
            currency: "USD".to_owned(),
        },
    )
}

pub(crate) fn paid(reference: &str, minor: i64) -> Answer {
    Answer::Done { reference: reference.to_owned(), amount_minor: minor, currency: "USD".to_owned() }
}

fn dispute(event: &str, stage: DisputeStage, minor: i64, happened_ms: i64) -> Notice {
    let about = About::Dispute {
        dispute_reference: "dp_1".to_owned(),
        payment_reference: "pi_1".to_owned(),
        payment_alias: String::new(),
        stage,
        amount_minor: minor,
        currency: "USD".to_owned(),
    };
    Notice { happened_ms: Some(happened_ms), ..notice(event, about) }
}

/// An order of 44.00 US dollars whose payment the provider calls `pi_1`.
pub(crate) fn paid_order(name: &str) -> Order {
    let mut order = plain(name);
    "pi_1".clone_into(&mut order.payments[0].reference);
    order
}

pub(crate) fn waiting(shop: &Shop) -> Vec<(Id, String)> {
    let rows = shop.engine.store().read(|tx| inbox::waiting(tx, shop.tenant, 0, 100)).unwrap();
    rows.into_iter().map(|row| (row.id, row.detail)).collect()
}

pub(crate) fn left(shop: &Shop, order: Id) -> i64 {
    shop.facts(order).payments_left().get()
}

fn an_event_settles_the_leg_that_it_names_and_the_answer_comes_too_late(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    let leg = made.legs[0].id;
    assert_eq!(hear(&shop, vec![refund("e1", Some(leg), "re_1", paid("re_1", 1_000), 1_000)]), [Effect::Settled]);
    assert_eq!(shop.refund(made.id).state(), RefundState::Succeeded);
    assert!(shop.record(&call, done(&call)).is_none(), "the webhook overtook it");
    assert_eq!(left(&shop, order), 3_400);
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty(), "nothing is left to ask");
    shop.assert_clean();
}

fn an_event_is_heard_once(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let outside = || refund("e1", None, "re_9", paid("re_9", 1_000), 1_000);
    // In one delivery, in another one, and through another gateway that counts its own events.
    assert_eq!(hear(&shop, vec![outside(), outside()]), [Effect::External, Effect::Known]);
    assert_eq!(hear(&shop, vec![outside()]), [Effect::Known]);
    // The same refund under another event is the same refund.
    assert_eq!(hear(&shop, vec![refund("e2", None, "re_9", paid("re_9", 1_000), 1_000)]), [Effect::Stale]);
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn a_failure_days_later_reopens_money_and_units_whatever_comes_after(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, crate::shop::units("hat", 2)).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, done(&call)).unwrap();
    shop.tick(9 * 86_400_000);
    let leg = Some(made.legs[0].id);
    let failed = refund("e2", leg, "re_1", declined(), 2_200);
    let repeated = refund("e1", leg, "re_1", paid("re_1", 2_200), 2_200);
    assert_eq!(hear(&shop, vec![failed, repeated]), [Effect::Settled, Effect::Stale]);
    let refund = shop.refund(made.id);
    assert_eq!((refund.state(), refund.units[0].reopened), (RefundState::Failed, true));
    let facts = shop.facts(order);
    assert_eq!((facts.payments_left().get(), facts.units_refunded(0).all()), (4_400, 0));
    let told = shop.engine.store().read(|tx| refundry_store::evidence::of_leg(tx, shop.tenant, made.legs[0].id));
    let told: Vec<_> = told.unwrap().into_iter().map(|e| (e.source, e.heard)).collect();
    let delivery = |heard: &str| ("delivery".to_owned(), heard.to_owned());
    assert_eq!(told, [delivery("failed"), delivery("succeeded")], "what contradicts the end is kept");
    shop.assert_clean();
}

fn figures_that_nobody_asked_for_wait_for_a_person(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    let leg = Some(made.legs[0].id);
    assert_eq!(hear(&shop, vec![refund("e1", leg, "re_1", paid("re_1", 999), 999)]), [Effect::Settled]);
    assert!(matches!(shop.refund(made.id).legs[0].state, LegState::Parked { .. }));
    shop.record(&call, done(&call)).unwrap();
    // Of a leg that is over, they cannot change anything, and must not be lost.
    assert_eq!(hear(&shop, vec![refund("e2", leg, "re_1", declined(), 998)]), [Effect::Waiting]);
    assert_eq!(waiting(&shop)[0].1, "the provider says 998 USD where 1000 USD was asked (minor units)");
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn a_leg_is_heard_of_through_its_own_gateway_only(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let leg = Some(made.legs[0].id);
    let event = refund("e1", leg, "re_1", declined(), 1_000);
    assert_eq!(hear_through(&shop, "other", vec![event]), [Effect::Waiting]);
    assert_eq!(shop.refund(made.id).legs[0].state, LegState::Waiting);
    shop.assert_clean();
}

fn a_refund_made_at_the_provider_lowers_what_is_left(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    assert_eq!(hear(&shop, vec![refund("e1", None, "re_9", paid("re_9", 1_500), 1_500)]), [Effect::External]);
    let refunds = shop.engine.store().read(|tx| refundry_store::refunds::of_order(tx, shop.tenant, order)).unwrap();
    let made = refunds.first().unwrap();
    assert_eq!((made.shape, made.external_id.as_deref()), (Shape::Imported, Some("re_9")));
    assert_eq!((made.amount.get(), made.state()), (1_500, RefundState::Succeeded));
    assert_eq!(left(&shop, order), 2_900);
    let rest = shop.create(order, everything()).unwrap().refund;
    assert_eq!(rest.amount.get(), 2_900);
    // A further one cannot be: what it says waits, and nothing goes below zero.
    assert_eq!(hear(&shop, vec![refund("e2", None, "re_8", paid("re_8", 100), 100)]), [Effect::Waiting]);
    assert_eq!(left(&shop, order), 0);
    shop.assert_clean();
}

fn a_refund_made_at_the_provider_may_fail_there(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let begun = refund("e1", None, "re_9", Answer::Pending { reference: "re_9".to_owned() }, 1_500);
    let failed = refund("e2", None, "re_9", declined(), 1_500);
    assert_eq!(hear(&shop, vec![begun]), [Effect::External], "the money is as good as gone");
    assert_eq!(left(&shop, order), 2_900);
    assert_eq!(hear(&shop, vec![failed]), [Effect::Settled]);
    assert_eq!(left(&shop, order), 4_400);
    let never_heard_of = refund("e3", None, "re_7", declined(), 100);
    assert_eq!(hear(&shop, vec![never_heard_of]), [Effect::Settled]);
    let its_beginning = refund("e4", None, "re_7", paid("re_7", 100), 100);
    assert_eq!(hear(&shop, vec![its_beginning]), [Effect::Stale], "it comes too late");
    assert_eq!(left(&shop, order), 4_400);
    let more_than_there_is = refund("e5", None, "re_8", declined(), 4_401);
    assert_eq!(hear(&shop, vec![more_than_there_is]), [Effect::Stale]);
    shop.assert_clean();
}

fn what_cannot_be_matched_waits_and_is_matched_when_its_order_comes(on: Backend) {
    let shop = Shop::new(on);
    let again = || match shop.call(Job::HearAgain { store: shop.tenant, after: 0 }) {
        Outcome::HeardAgain(heard) => heard.into_iter().map(|(_, heard)| heard.effect).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let events =
        vec![refund("e1", None, "re_9", paid("re_9", 1_500), 1_500), dispute("e2", DisputeStage::Open, 500, NOW_MS)];
    assert_eq!(hear(&shop, events), [Effect::Waiting, Effect::Waiting]);
    assert_eq!(again(), [Effect::Waiting, Effect::Waiting]);
    assert_eq!(waiting(&shop)[0].1, "no order has its payment");
    let order = shop.put(paid_order("a"));
    assert_eq!(again(), [Effect::External, Effect::Disputed]);
    assert_eq!((again(), waiting(&shop)), (Vec::new(), Vec::new()));
    assert_eq!(left(&shop, order), 2_400);
    shop.assert_clean();
}

fn a_person_rules_on_what_waits(on: Backend) {
    let shop = Shop::new(on);
    let two = order("a", "USD").line("hat", 1, 2_000, 0).pay("card", "simulated", 1_500).pay("gift", "simulated", 500);
    let order = shop.put(two);
    let rule = |event, ruling: Ruling| match shop.call(Job::Rule { store: shop.tenant, event, ruling }) {
        Outcome::Ruled(ruled) => ruled.map(|heard| heard.effect),
        other => panic!("{other:?}"),
    };
    hear(&shop, vec![refund("e1", None, "re_1", paid("re_1", 400), 400)]);
    hear(&shop, vec![refund("e2", None, "re_2", paid("re_2", 9_000), 9_000)]);
    let events = waiting(&shop);
    let of = |payment: Option<&str>| Ruling::Of { order: named("a"), payment: payment.map(named) };
    assert_eq!(rule(events[0].0, of(None)), Err(RulingFault::PaymentUnknown), "there are two");
    assert_eq!(rule(events[0].0, of(Some("gift"))), Ok(Effect::External));
    assert_eq!(rule(events[0].0, of(Some("gift"))), Err(RulingFault::EventUnknown), "it waits no more");
    let refused = rule(events[1].0, of(Some("card")));
    assert!(matches!(refused, Err(RulingFault::Impossible(_))), "{refused:?}");
    assert_eq!(rule(events[1].0, Ruling::Dismissed { text: "another shop's".to_owned() }), Ok(Effect::Stale));
    assert!(waiting(&shop).is_empty());
    assert_eq!(shop.facts(order).payment_left(1).get(), 100);
    shop.assert_clean();
}

fn a_leg_under_way_is_never_taken_for_a_refund_made_elsewhere(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    shop.create(order, amount("10.00")).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, unknown()).unwrap();
    // The provider's event lost our number on its way.
    let event = refund("e1", None, "re_1", paid("re_1", 1_000), 1_000);
    assert_eq!(hear(&shop, vec![event]), [Effect::Waiting]);
    assert_eq!(left(&shop, order), 3_400, "it is not counted twice");
    shop.tick(1_000);
    let again = shop.lease().remove(0);
    shop.record(&again, paid("re_1", 1_000)).unwrap();
    let Outcome::HeardAgain(heard) = shop.call(Job::HearAgain { store: shop.tenant, after: 0 }) else { panic!() };
    assert_eq!(heard[0].1.effect, Effect::Stale, "now it is known whose it was");
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn money_that_a_person_gave_up_and_that_was_paid_after_all_is_booked(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, paid("re_1", 999)).unwrap();
    let leg = made.legs[0].id;
    let news = News::Failed { code: "settled_by_hand".to_owned(), message: "not on the statement".to_owned() };
    let give_up =
        || match shop.call(Job::SettleByHand { store: shop.tenant, refund: ours(made.id), leg, news: news.clone() }) {
            Outcome::Settled(settled) => settled.map(|_| ()),
            other => panic!("{other:?}"),
        };
    assert_eq!(give_up(), Err(HandFault::MayStillArrive), "what was sent a moment ago");
    shop.tick(120_000);
    assert_eq!(give_up(), Ok(()));
    assert_eq!(left(&shop, order), 4_400);
    let event = |name: &str| refund(name, Some(leg), "re_1", paid("re_1", 1_000), 1_000);
    assert_eq!(hear(&shop, vec![event("e1")]), [Effect::External]);
    assert_eq!(hear(&shop, vec![event("e2")]), [Effect::Stale], "once");
    assert_eq!(left(&shop, order), 3_400);
    assert_eq!(hear(&shop, vec![refund("e3", Some(leg), "re_1", declined(), 1_000)]), [Effect::Settled]);
    assert_eq!(left(&shop, order), 4_400, "and it came home again");
    shop.assert_clean();
}

fn give_up(shop: &Shop, made: &Refund) {
    let news = News::Failed { code: BY_HAND.to_owned(), message: "not on the statement".to_owned() };
    let (refund, leg) = (ours(made.id), made.legs[0].id);
    match shop.call(Job::SettleByHand { store: shop.tenant, refund, leg, news }) {
        Outcome::Settled(Ok(_)) => {}
        other => panic!("{other:?}"),
    }
}

fn a_leg_is_known_by_its_providers_name_in_every_state(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let pending = |name: &str| Answer::Pending { reference: name.to_owned() };
    let begin = |name: &str| {
        let made = shop.create(order, amount("10.00")).unwrap().refund;
        let call = shop.calls().remove(0);
        shop.record(&call, pending(name)).unwrap();
        made
    };
    let (failed, parked) = (begin("re_1"), begin("re_2"));
    let leg = |made: &Refund| Some(made.legs[0].id);
    hear(&shop, vec![refund("e1", leg(&failed), "re_1", declined(), 1_000)]);
    hear(&shop, vec![refund("e2", leg(&parked), "re_2", paid("re_2", 999), 999)]);
    assert!(matches!(shop.refund(parked.id).legs[0].state, LegState::Parked { .. }));
    // They name no leg of ours, only what the provider calls it.
    let again = refund("e3", None, "re_1", paid("re_1", 1_000), 1_000);
    let late = Notice { happened_ms: Some(NOW_MS + 9), ..refund("e4", None, "re_1", paid("re_1", 1_000), 1_000) };
    assert_eq!(hear(&shop, vec![again, late]), [Effect::Stale, Effect::Waiting], "never a refund of its own");
    assert_eq!(hear(&shop, vec![refund("e5", None, "re_2", paid("re_2", 1_000), 1_000)]), [Effect::Settled]);
    assert_eq!(shop.refund(parked.id).state(), RefundState::Succeeded);
    assert_eq!((shop.refund(parked.id).legs[0].reference.as_str(), left(&shop, order)), ("re_2", 3_400));
    shop.assert_clean();
}

fn figures_are_compared_of_what_only_the_provider_names_too(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, Answer::Pending { reference: "re_1".to_owned() }).unwrap();
    assert_eq!(hear(&shop, vec![refund("e1", None, "re_1", paid("re_1", 999), 999)]), [Effect::Settled]);
    assert!(matches!(shop.refund(made.id).legs[0].state, LegState::Parked { .. }), "a person must look");
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn another_gateways_names_are_its_own(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, Answer::Pending { reference: "17".to_owned() }).unwrap();
    let other = refund("e1", None, "17", paid("17", 700), 700);
    assert_eq!(hear_through(&shop, "other", vec![other]), [Effect::External], "it is a refund of its own");
    assert_eq!((shop.refund(made.id).legs[0].state.code(), left(&shop, order)), ("sent", 2_700));
    shop.assert_clean();
}

fn an_answer_that_a_leg_was_paid_which_a_person_called_failed_is_booked(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, paid("re_1", 999)).unwrap();
    shop.tick(120_000);
    give_up(&shop, &made);
    assert_eq!(left(&shop, order), 4_400);
    // A worker that was asleep all the while wakes up with what it had heard.
    for _ in 0..2 {
        assert!(shop.record(&call, paid("re_1", 1_000)).is_none());
        assert_eq!(left(&shop, order), 3_400, "once");
    }
    assert_eq!(
        hear(&shop, vec![refund("e1", Some(made.legs[0].id), "re_1", paid("re_1", 1_000), 1_000)]),
        [Effect::Stale]
    );
    // Where it does not fit any more, it waits for a person.
    let made = shop.create(order, amount("34.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, paid("re_2", 999)).unwrap();
    shop.tick(120_000);
    give_up(&shop, &made);
    shop.create(order, amount("0.01")).unwrap();
    assert!(shop.record(&call, paid("re_2", 3_400)).is_none());
    assert_eq!(waiting(&shop).len(), 1);
    assert_eq!(left(&shop, order), 3_399);
    shop.assert_clean();
}

fn an_event_that_cannot_be_read_holds_up_no_other(on: Backend) {
    let shop = Shop::new(on);
    let events = ["e1", "e2"].map(|event| refund(event, None, event, paid(event, 1_000), 1_000));
    assert_eq!(hear(&shop, events.to_vec()), [Effect::Waiting, Effect::Waiting]);
    let break_one = "UPDATE inbox SET notice = '{' WHERE event = 'e1'";
    shop.engine.store().write(|tx| tx.execute(break_one, &[]).map(|_| ())).unwrap();
    let order = shop.put(paid_order("a"));
    let Outcome::HeardAgain(heard) = shop.call(Job::HearAgain { store: shop.tenant, after: 0 }) else { panic!() };
    let effects: Vec<_> = heard.into_iter().map(|(_, heard)| heard.effect).collect();
    assert_eq!(effects, [Effect::Waiting, Effect::External]);
    assert_eq!((left(&shop, order), waiting(&shop).len()), (3_400, 1));
}

fn what_was_called_failed_and_is_paid_later_waits_for_a_person(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    let event = |name: &str, happened_ms| {
        let paid = refund(name, Some(made.legs[0].id), "re_1", paid("re_1", 1_000), 1_000);
        Notice { happened_ms: Some(happened_ms), ..paid }
    };
    assert_eq!(hear(&shop, vec![event("e1", NOW_MS - 1)]), [Effect::Stale], "it is older than the failure");
    let leg = Some(made.legs[0].id);
    let begun = Answer::Pending { reference: "re_1".to_owned() };
    let others =
        [("e0", paid("re_1", 999)), ("e9", begun)].map(|(event, answer)| refund(event, leg, "re_1", answer, 999));
    assert_eq!(hear(&shop, others.to_vec()), [Effect::Stale, Effect::Stale], "whatever it says");
    assert_eq!(hear(&shop, vec![event("e2", NOW_MS + 1)]), [Effect::Waiting]);
    assert_eq!((waiting(&shop).len(), left(&shop, order)), (1, 4_400));
    // The person finds that it was paid. From then on that refund is what the provider speaks of.
    let ruling = Ruling::Of { order: named("a"), payment: None };
    let ruled = shop.call(Job::Rule { store: shop.tenant, event: waiting(&shop)[0].0, ruling });
    assert!(matches!(&ruled, Outcome::Ruled(Ok(heard)) if heard.effect == Effect::External), "{ruled:?}");
    assert_eq!(left(&shop, order), 3_400);
    assert_eq!(hear(&shop, vec![event("e3", NOW_MS + 2)]), [Effect::Stale]);
    let failed = refund("e4", Some(made.legs[0].id), "re_1", declined(), 1_000);
    assert_eq!(hear(&shop, vec![failed]), [Effect::Settled]);
    assert_eq!(left(&shop, order), 4_400);
    shop.assert_clean();
}

fn a_dispute_keeps_to_its_payment(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let mut other = plain("b");
    "pi_2".clone_into(&mut other.payments[0].reference);
    let other = shop.put(other);
    let first = dispute("d1", DisputeStage::Open, 3_000, NOW_MS);
    let mut second = dispute("d2", DisputeStage::Open, 1_000, NOW_MS + 1);
    let About::Dispute { payment_reference, .. } = &mut second.about else { panic!("a dispute") };
    "pi_2".clone_into(payment_reference);
    assert_eq!(hear(&shop, vec![first, second]), [Effect::Disputed, Effect::Waiting]);
    assert_eq!((left(&shop, order), left(&shop, other)), (1_400, 4_400));
    shop.assert_clean();
}

fn a_contested_payment_stays_in_its_place(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    assert_eq!(hear(&shop, vec![dispute("d1", DisputeStage::Open, 3_000, NOW_MS)]), [Effect::Disputed]);
    let mut moved = paid_order("a");
    moved.payments[0].external_id = Some("another".to_owned());
    let refused = shop.put_with(moved, Vec::new());
    assert!(matches!(refused, Err(IntakeFault::ChangesRefunded { .. })), "{refused:?}");
    let mut dropped = paid_order("a");
    dropped.payments.clear();
    let refused = shop.put_with(dropped, Vec::new());
    assert!(matches!(refused, Err(IntakeFault::ChangesRefunded { .. })), "{refused:?}");
    assert_eq!(left(&shop, order), 1_400);
    shop.assert_clean();
}

fn a_dispute_holds_its_amount_until_it_is_won(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let say = |event: &str, stage, minor, at_ms| hear(&shop, vec![dispute(event, stage, minor, at_ms)]);
    assert_eq!(say("d1", DisputeStage::Open, 3_000, NOW_MS), [Effect::Disputed]);
    assert_eq!(left(&shop, order), 1_400);
    let refused = shop.create(order, amount("14.01")).unwrap_err();
    assert_eq!(refused.code(), "refundable_exceeded");
    let made = shop.create(order, amount("14.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, done(&call)).unwrap();
    assert_eq!((made.amount.get(), left(&shop, order)), (1_400, 0));
    assert_eq!(say("d2", DisputeStage::Open, 4_000, NOW_MS + 1), [Effect::Disputed]);
    assert_eq!(left(&shop, order), 0, "what was paid back is contested all the same");
    assert_eq!(say("d3", DisputeStage::Won, 4_000, NOW_MS + 2), [Effect::Disputed]);
    assert_eq!(left(&shop, order), 3_000);
    assert_eq!(say("d4", DisputeStage::Lost, 4_000, NOW_MS + 3), [Effect::Disputed]);
    assert_eq!(left(&shop, order), 0, "the buyer has it, by another way");
    shop.assert_clean();
}

fn old_news_of_a_dispute_changes_nothing(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(paid_order("a"));
    let won = dispute("d2", DisputeStage::Won, 3_000, NOW_MS + 9);
    let opened = dispute("d1", DisputeStage::Open, 3_000, NOW_MS);
    let same_moment = dispute("d3", DisputeStage::Open, 3_000, NOW_MS + 9);
    let heard = hear(&shop, vec![won, opened, same_moment]);
    assert_eq!(heard, [Effect::Disputed, Effect::Stale, Effect::Stale]);
    assert_eq!(left(&shop, order), 4_400);
    shop.assert_clean();
}
