//! What a payment app tells of a refund: whom it is believed about, and that no money goes out twice by its word.

use std::sync::mpsc;

use refundry_core::decide::News;
use refundry_core::limits::LEASE_MS;
use refundry_core::money::Currency;
use refundry_core::order::{Id, Order};
use refundry_core::refund::{LegState, PAYMENT_APP_ERROR, PAYMENT_APP_FAILURE, Refund, RefundState};
use refundry_core::told::{Difference, Told, ToldFault, Word};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::by_hand::CancelFault;
use refundry_engine::hear::{BY_HAND, Effect};
use refundry_gateways::Answer;
use refundry_store::gateways::GatewayRecord;
use refundry_store::outbox;

use crate::books::plain;
use crate::by_hand::cancel;
use crate::cases::{ask, bogus, finish, hold};
use crate::deliveries::{left, waiting};
use crate::payouts::{settle, success};
use crate::shop::{Backend, Build, NOW_MS, Place, Shop, amount, dec, done, order, units, unknown};

on_both!(
    a_leg_over_a_held_channel_is_settled_by_the_word_of_its_app,
    what_an_app_has_is_not_called_off_and_a_person_may_still_say_how_it_ended,
    a_failure_frees_money_and_units_once,
    an_error_is_kept_as_one,
    a_success_after_a_failure_waits_for_a_person,
    a_failure_after_the_apps_own_success_is_the_end,
    other_figures_are_refused_and_nothing_is_kept_of_them,
    figures_are_those_of_the_payments_own_currency,
    a_leg_that_a_worker_may_be_sending_does_not_fail,
    an_answer_that_a_leg_was_paid_which_an_app_called_failed_is_booked,
    a_leg_that_a_worker_takes_meanwhile_does_not_fail,
    a_leg_that_surely_was_not_sent_fails_and_is_sent_no_more,
    a_leg_in_a_workers_hands_is_never_called_sent,
    a_success_overtakes_the_worker,
    a_configured_gateway_settles_its_legs_itself,
    a_gateway_that_is_gone_answers_no_more,
    what_somebody_else_called_paid_does_not_fail,
    what_a_person_called_failed_and_an_app_paid_is_booked,
    a_leg_that_nobody_knows_is_refused,
);

/// Beyond this a request that was sent never arrives.
const ARRIVED_MS: i64 = 4 * 30_000;

/// What an app says of a leg of 10.00 US dollars.
fn word(leg: Id, word: Word) -> Told {
    Told {
        leg,
        word,
        amount: dec("10.00"),
        currency: "USD".to_owned(),
        reference: "app-1".to_owned(),
        payment_reference: "pay-1".to_owned(),
    }
}

fn tell_in(shop: &Shop, store: i64, told: Told) -> Result<Effect, ToldFault> {
    match shop.call(Job::Told { store, told: Box::new(told) }) {
        Outcome::Told(told) => told.map(|heard| heard.effect),
        other => panic!("{other:?}"),
    }
}

fn tell(shop: &Shop, told: Told) -> Result<Effect, ToldFault> {
    tell_in(shop, shop.tenant, told)
}

/// A shop with an order of 44.00 and a refund of 10.00 of it: over a held channel, so that it waits for an app.
fn held(on: Backend) -> (Shop, Id, Refund) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let (order, made) = refunded(&shop, bogus("a"));
    (shop, order, made)
}

/// The same through the simulated provider, so that a worker has it.
fn simulated(on: Backend) -> (Shop, Id, Refund) {
    let shop = Shop::new(on);
    let (order, made) = refunded(&shop, plain("a"));
    (shop, order, made)
}

fn refunded(shop: &Shop, order: Order) -> (Id, Refund) {
    let order = shop.put(order);
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    (order, Refund::clone(&made))
}

fn leg_of(shop: &Shop, refund: Id) -> LegState {
    shop.refund(refund).legs[0].state.clone()
}

/// How many events of a gateway were kept.
fn kept(shop: &Shop) -> usize {
    let (store, is) = (shop.tenant, |word: Word, leg: Id| format!("{} of leg {leg} as app-1", word.code()));
    let words = [Word::Pending, Word::Success, Word::Failure, Word::Error];
    let known = shop.engine.store().read(|tx| {
        let mut known = 0;
        let all = refundry_store::refunds::list(tx, store, &refundry_core::query::RefundQuery::default())?;
        let legs: Vec<Id> = all.unwrap().0.iter().flat_map(|refund| &refund.legs).map(|leg| leg.id).collect();
        for gateway in ["manual", "simulated", "eu"] {
            for (leg, word) in legs.iter().flat_map(|leg| words.map(|word| (*leg, word))) {
                known += usize::from(refundry_store::inbox::is_known(tx, store, gateway, &is(word, leg))?);
            }
        }
        Ok(known)
    });
    known.unwrap()
}

fn a_leg_over_a_held_channel_is_settled_by_the_word_of_its_app(on: Backend) {
    let (shop, order, made) = held(on);
    let leg = made.legs[0].id;
    assert_eq!(tell(&shop, word(leg, Word::Pending)), Ok(Effect::Settled));
    assert_eq!((leg_of(&shop, made.id), left(&shop, order)), (LegState::Sent, 3_400));
    assert_eq!(tell(&shop, word(leg, Word::Pending)), Ok(Effect::Stale));
    shop.tick(5);
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Settled));
    let paid = shop.refund(made.id);
    assert_eq!(paid.legs[0].state, LegState::Succeeded { at_ms: NOW_MS + 5 });
    assert_eq!(paid.legs[0].reference, "app-1");
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Known), "each word once");
    assert_eq!(tell(&shop, word(leg, Word::Pending)), Ok(Effect::Stale), "that comes too late");
    assert_eq!(shop.refund(made.id), paid);
    assert_eq!((left(&shop, order), shop.facts(order).balances.succeeded().get()), (3_400, 1_000));
    assert_eq!(waiting(&shop), Vec::new());
    shop.assert_clean();
}

fn what_an_app_has_is_not_called_off_and_a_person_may_still_say_how_it_ended(on: Backend) {
    let (shop, order, made) = held(on);
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Pending)), Ok(Effect::Settled));
    assert_eq!(cancel(&shop, made.id), Err(CancelFault::MayBeSent), "the app may pay it at this moment");
    assert_eq!(settle(&shop, made.id, made.legs[0].id, success()), Ok(RefundState::Succeeded));
    let other = shop.create(order, amount("10.00")).unwrap().refund;
    assert_eq!(tell(&shop, word(other.legs[0].id, Word::Pending)), Ok(Effect::Settled));
    assert_eq!(finish(&shop, ask(order, other.id)).map(|refund| refund.state()), Ok(RefundState::Succeeded));
    assert_eq!(left(&shop, order), 2_400);
    shop.assert_clean();
}

fn a_failure_frees_money_and_units_once(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let order = shop.put(bogus("a"));
    let made = shop.create(order, units("hat", 2)).unwrap().refund;
    let failed = Told { amount: dec("22.00"), ..word(made.legs[0].id, Word::Failure) };
    assert_eq!(tell(&shop, failed.clone()), Ok(Effect::Settled));
    let after = shop.refund(made.id);
    assert_eq!((after.state(), after.failure()), (RefundState::Failed, Some((PAYMENT_APP_FAILURE, ""))));
    let facts = shop.facts(order);
    assert_eq!((facts.payments_left().get(), facts.units_refunded(0).all()), (4_400, 0));
    // The same word again, under the same name and another one, as a word of the same kind.
    for reference in ["app-1", "app-2", ""] {
        for again in [Word::Failure, Word::Error, Word::Pending] {
            let told = Told { word: again, reference: reference.to_owned(), ..failed.clone() };
            assert_eq!(tell(&shop, told), Ok(Effect::Stale));
        }
    }
    assert_eq!((shop.refund(made.id), left(&shop, order)), (after, 4_400));
    assert_eq!(waiting(&shop), Vec::new());
    shop.assert_clean();
}

fn an_error_is_kept_as_one(on: Backend) {
    let (shop, order, made) = held(on);
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Error)), Ok(Effect::Settled));
    assert_eq!(shop.refund(made.id).failure(), Some((PAYMENT_APP_ERROR, "")));
    assert_eq!(left(&shop, order), 4_400);
    shop.assert_clean();
}

fn a_success_after_a_failure_waits_for_a_person(on: Backend) {
    let (shop, order, made) = held(on);
    let leg = made.legs[0].id;
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Settled));
    // Within the same millisecond, and once more.
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Waiting));
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Known));
    let detail = format!("leg {leg} failed with {PAYMENT_APP_FAILURE}, and is said to be paid now");
    assert_eq!(waiting(&shop).into_iter().map(|(_, detail)| detail).collect::<Vec<_>>(), [detail]);
    assert_eq!((shop.refund(made.id).state(), left(&shop, order)), (RefundState::Failed, 4_400));
    shop.assert_clean();
}

fn a_failure_after_the_apps_own_success_is_the_end(on: Backend) {
    for first in ["app-1", ""] {
        let (shop, order, made) = held(on);
        let leg = made.legs[0].id;
        assert_eq!(tell(&shop, word(leg, Word::Pending)), Ok(Effect::Settled));
        let paid = Told { reference: first.to_owned(), ..word(leg, Word::Success) };
        assert_eq!(tell(&shop, paid), Ok(Effect::Settled));
        shop.tick(86_400_000);
        assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Settled), "it came home again");
        assert_eq!((shop.refund(made.id).state(), left(&shop, order)), (RefundState::Failed, 4_400));
        shop.assert_clean();
    }
}

fn other_figures_are_refused_and_nothing_is_kept_of_them(on: Backend) {
    let (shop, order, made) = held(on);
    let leg = made.legs[0].id;
    let usd = Currency::parse("USD").unwrap();
    for said in [Word::Pending, Word::Success, Word::Failure, Word::Error] {
        for amount in ["9.99", "10.01", "10.001", "0", "-10.00", "1000"] {
            let told = Told { amount: dec(amount), ..word(leg, said) };
            assert_eq!(tell(&shop, told), Err(ToldFault::Differs(Difference::Amount)), "{amount}");
        }
        for currency in ["EUR", "usd", ""] {
            let told = Told { currency: currency.to_owned(), ..word(leg, said) };
            assert_eq!(tell(&shop, told), Err(ToldFault::Differs(Difference::Currency(usd))), "{currency}");
        }
    }
    assert_eq!((leg_of(&shop, made.id), kept(&shop), waiting(&shop)), (LegState::Waiting, 0, Vec::new()));
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Settled), "the right ones are not known yet");
    assert_eq!((left(&shop, order), kept(&shop)), (3_400, 1));
    shop.assert_clean();
}

fn figures_are_those_of_the_payments_own_currency(on: Backend) {
    let shop = Shop::new(on);
    hold(&shop, "bogus", true);
    let foreign = order("a", "USD").line("hat", 4, 4_000, 0).pay_in("bogus", "JPY", 6_000, 4_000);
    let (_, made) = refunded(&shop, foreign);
    let leg = &made.legs[0];
    assert_eq!((leg.amount.get(), leg.own_amount.get()), (1_000, 1_500));
    let jpy = Currency::parse("JPY").unwrap();
    assert_eq!(tell(&shop, word(leg.id, Word::Success)), Err(ToldFault::Differs(Difference::Currency(jpy))));
    let yen = |amount: &str| {
        let (amount, currency) = (dec(amount), "JPY".to_owned());
        Told { amount, currency, ..word(leg.id, Word::Success) }
    };
    assert_eq!(tell(&shop, yen("10.00")), Err(ToldFault::Differs(Difference::Amount)));
    assert_eq!(tell(&shop, yen("1500.00")), Ok(Effect::Settled));
    shop.assert_clean();
}

fn a_leg_that_a_worker_may_be_sending_does_not_fail(on: Backend) {
    let (shop, order, made) = simulated(on);
    let leg = made.legs[0].id;
    let call = shop.calls().remove(0);
    for said in [Word::Failure, Word::Error] {
        assert_eq!(tell(&shop, word(leg, said)), Err(ToldFault::MayStillArrive), "it is being sent");
    }
    shop.record(&call, Answer::Pending { reference: "re_1".to_owned() }).unwrap();
    shop.tick(ARRIVED_MS - 1);
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Err(ToldFault::MayStillArrive));
    assert_eq!((leg_of(&shop, made.id), left(&shop, order), kept(&shop)), (LegState::Sent, 3_400, 0));
    // Somebody looks it up at this moment: that may be followed by sending it.
    shop.tick(1);
    shop.lease();
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Err(ToldFault::MayStillArrive));
    shop.tick(ARRIVED_MS);
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Settled));
    assert_eq!((shop.refund(made.id).state(), left(&shop, order)), (RefundState::Failed, 4_400));
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty(), "nobody sends it any more");
    shop.assert_clean();
}

fn an_answer_that_a_leg_was_paid_which_an_app_called_failed_is_booked(on: Backend) {
    let (shop, order, made) = simulated(on);
    let leg = made.legs[0].id;
    let call = shop.calls().remove(0);
    shop.record(&call, unknown()).unwrap();
    shop.tick(LEASE_MS);
    let late = shop.lease().remove(0);
    shop.tick(ARRIVED_MS);
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Settled));
    assert_eq!(left(&shop, order), 4_400);
    // A process that stood still for minutes comes with its answer.
    shop.record(&late, done(&late));
    assert_eq!(shop.refund(made.id).state(), RefundState::Failed);
    assert_eq!(left(&shop, order), 3_400, "what went out is not there any more");
    shop.assert_clean();
}

fn a_leg_that_a_worker_takes_meanwhile_does_not_fail(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, false);
    let (order, made) = refunded(&shop, plain("a"));
    let told = Job::Told { store: shop.tenant, told: Box::new(word(made.legs[0].id, Word::Failure)) };
    let ((enter, entered), (open, opened)) = (mpsc::channel(), mpsc::channel());
    let (sender, answer) = mpsc::channel();
    let held = &shop;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let leased = held.engine.store().write(|tx| {
                let leased = outbox::lease(tx, held.tenant, "another", NOW_MS, NOW_MS + LEASE_MS, 10)?;
                enter.send(()).unwrap();
                opened.recv().unwrap();
                Ok(leased)
            });
            assert_eq!(leased.unwrap().len(), 1);
        });
        entered.recv().unwrap();
        shop.engine.submit(told, Box::new(move |outcome| sender.send(outcome).unwrap())).unwrap();
        let stats = shop.engine.lane_stats();
        while stats.iter().any(|lane| lane.queued.load(std::sync::atomic::Ordering::Relaxed) > 0) {
            std::thread::yield_now();
        }
        open.send(()).unwrap();
    });
    match answer.recv().unwrap().unwrap() {
        Outcome::Told(told) => assert_eq!(told.map(|heard| heard.effect), Err(ToldFault::MayStillArrive)),
        other => panic!("{other:?}"),
    }
    assert_eq!((leg_of(&shop, made.id), left(&shop, order), kept(&shop)), (LegState::Waiting, 3_400, 0));
    shop.assert_clean();
}

fn a_leg_that_surely_was_not_sent_fails_and_is_sent_no_more(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, false);
    let (order, made) = refunded(&shop, plain("a"));
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Failure)), Ok(Effect::Settled));
    assert_eq!(left(&shop, order), 4_400);
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty());
    shop.assert_clean();
}

fn a_leg_in_a_workers_hands_is_never_called_sent(on: Backend) {
    let (shop, _, made) = simulated(on);
    let call = shop.calls().remove(0);
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Pending)), Ok(Effect::Stale));
    assert_eq!((leg_of(&shop, made.id), kept(&shop)), (LegState::Waiting, 0), "or it would never be sent");
    shop.record(&call, Answer::NotTaken { reason: "too many requests".to_owned() });
    shop.tick(LEASE_MS);
    let call = shop.lease().remove(0);
    assert!(!call.may_have_been_sent());
    shop.record(&call, done(&call)).unwrap();
    assert_eq!(shop.refund(made.id).state(), RefundState::Succeeded);
    shop.assert_clean();
}

fn a_success_overtakes_the_worker(on: Backend) {
    let (shop, order, made) = simulated(on);
    let call = shop.calls().remove(0);
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Success)), Ok(Effect::Settled));
    assert!(shop.record(&call, done(&call)).is_none(), "that is known");
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty());
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn configure(shop: &Shop, name: &str) {
    let record = GatewayRecord {
        store: shop.tenant,
        name: name.to_owned(),
        driver: "stripe".to_owned(),
        settings: "{}".to_owned(),
        secrets: String::new(),
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
    };
    match shop.call(Job::PutGateway(record)) {
        Outcome::Configured(true) => {}
        other => panic!("{other:?}"),
    }
}

/// An order that goes back through a gateway of the store's own.
fn abroad(name: &str) -> Order {
    order(name, "USD").line("hat", 4, 4_000, 400).pay("card", "eu", 4_400)
}

fn a_configured_gateway_settles_its_legs_itself(on: Backend) {
    let shop = Shop::new(on);
    configure(&shop, "eu");
    let (order, made) = refunded(&shop, abroad("a"));
    let leg = made.legs[0].id;
    let call = shop.calls().remove(0);
    let all = [Word::Pending, Word::Success, Word::Failure, Word::Error];
    let refused = |shop: &Shop, why: &str| {
        for said in all {
            assert_eq!(tell(shop, word(leg, said)), Err(ToldFault::ByGateway), "{why}");
        }
    };
    refused(&shop, "its worker is sending it");
    shop.record(&call, Answer::Pending { reference: "re_1".to_owned() }).unwrap();
    shop.tick(10 * ARRIVED_MS);
    refused(&shop, "its gateway will say");
    assert_eq!((leg_of(&shop, made.id), left(&shop, order), kept(&shop)), (LegState::Sent, 3_400, 0));
    let call = shop.lease().remove(0);
    shop.record(&call, done(&call)).unwrap();
    refused(&shop, "its gateway has said");
    assert_eq!((shop.refund(made.id).state(), left(&shop, order)), (RefundState::Succeeded, 3_400));
    shop.assert_clean();
}

fn a_gateway_that_is_gone_answers_no_more(on: Backend) {
    let shop = Shop::new(on);
    let (order, made) = refunded(&shop, abroad("a"));
    let leg = made.legs[0].id;
    let call = shop.calls().remove(0);
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Err(ToldFault::MayStillArrive));
    shop.record(&call, unknown()).unwrap();
    shop.tick(ARRIVED_MS);
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Settled));
    assert_eq!(left(&shop, order), 4_400);
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty());
    shop.assert_clean();
}

fn what_somebody_else_called_paid_does_not_fail(on: Backend) {
    // A person paid it by another way.
    let (shop, order, made) = held(on);
    assert_eq!(settle(&shop, made.id, made.legs[0].id, success()), Ok(RefundState::Succeeded));
    for said in [Word::Failure, Word::Error] {
        assert_eq!(tell(&shop, word(made.legs[0].id, said)), Err(ToldFault::PaidOtherwise));
    }
    assert_eq!((left(&shop, order), kept(&shop)), (3_400, 0));
    shop.assert_clean();
    // Whatever an app says of it later: what it may have paid itself comes on top of that.
    let (shop, order, made) = held(on);
    assert_eq!(settle(&shop, made.id, made.legs[0].id, success()), Ok(RefundState::Succeeded));
    for reference in ["app-1", "", &*shop.refund(made.id).legs[0].reference] {
        let told = |said| Told { reference: reference.to_owned(), ..word(made.legs[0].id, said) };
        let said = tell(&shop, told(Word::Success));
        assert!(matches!(said, Ok(Effect::Stale | Effect::Known)), "{said:?}");
        assert_eq!(tell(&shop, told(Word::Failure)), Err(ToldFault::PaidOtherwise), "{reference:?}");
    }
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
    // The simulated provider paid it.
    let (shop, order, made) = simulated(on);
    let call = shop.calls().remove(0);
    shop.record(&call, done(&call)).unwrap();
    shop.tick(10 * ARRIVED_MS);
    assert_eq!(tell(&shop, word(made.legs[0].id, Word::Failure)), Err(ToldFault::PaidOtherwise));
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
    // It was settled outside of anything that an app knows of, whatever it has said before.
    let shop = Shop::new(on);
    let mut cash = plain("a");
    cash.payments[0].kind = refundry_core::order::PaymentKind::Custom;
    let (order, made) = refunded(&shop, cash);
    assert_eq!(made.state(), RefundState::Succeeded);
    for reference in ["app-1", ""] {
        let told = |said| Told { reference: reference.to_owned(), ..word(made.legs[0].id, said) };
        assert_eq!(tell(&shop, told(Word::Success)), Ok(Effect::Stale));
        assert_eq!(tell(&shop, told(Word::Failure)), Err(ToldFault::PaidOtherwise));
    }
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn what_a_person_called_failed_and_an_app_paid_is_booked(on: Backend) {
    let (shop, order, made) = held(on);
    let leg = made.legs[0].id;
    let lost = News::Failed { code: BY_HAND.to_owned(), message: "lost".to_owned() };
    assert_eq!(settle(&shop, made.id, leg, lost), Ok(RefundState::Failed));
    assert_eq!(tell(&shop, word(leg, Word::Failure)), Ok(Effect::Stale), "as it was said");
    assert_eq!(left(&shop, order), 4_400);
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::External));
    assert_eq!(left(&shop, order), 3_400, "what went out is not there any more");
    assert_eq!(tell(&shop, word(leg, Word::Success)), Ok(Effect::Known));
    assert_eq!(left(&shop, order), 3_400);
    shop.assert_clean();
}

fn a_leg_that_nobody_knows_is_refused(on: Backend) {
    let (shop, order, made) = held(on);
    let leg = made.legs[0].id;
    for unknown in [0, 7, made.id, leg + 1, order, u64::MAX] {
        assert_eq!(tell(&shop, word(unknown, Word::Success)), Err(ToldFault::LegUnknown));
    }
    let other = shop.add_store("other");
    assert_eq!(tell_in(&shop, other, word(leg, Word::Success)), Err(ToldFault::LegUnknown), "of another store");
    assert_eq!((leg_of(&shop, made.id), kept(&shop)), (LegState::Waiting, 0));
    shop.assert_clean();
}
