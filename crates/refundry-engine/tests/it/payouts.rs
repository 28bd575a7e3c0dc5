//! Lease, answer, and everything that can come late, twice or never.

use refundry_core::command::{Plan, RefundRequest};
use refundry_core::decide::News;
use refundry_core::refund::{LegState, MetaValue, RefundState};
use refundry_engine::accept::{AnnotateFault, Job, Outcome};
use refundry_engine::by_hand::HandFault;
use refundry_gateways::Answer;

use crate::books::{ours, plain};
use crate::shop::{Backend, Build, NOW_MS, Place, Shop, amount, declined, done, named, order, unknown};

on_both!(
    a_leg_is_taken_answered_and_over,
    a_lease_that_ran_out_is_looked_up_and_not_sent_again,
    doubt_is_asked_about_again_and_again,
    a_success_that_turns_into_a_failure_gives_the_money_back,
    an_answer_that_contradicts_waits_for_a_person,
    a_leg_that_a_provider_acknowledged_and_then_denies_waits_for_a_person,
    money_that_a_person_pays_is_settled_by_hand,
    late_doubt_leaves_a_newer_lease_alone,
    what_surely_was_not_sent_is_sent_without_a_look_up,
    a_call_that_was_not_taken_says_nothing_of_a_later_one,
    what_is_not_there_yet_may_still_arrive,
    a_leg_without_a_driver_is_settled_by_hand_and_never_asked_about_again,
    metadata_stays_within_its_limit_however_it_comes,
);

fn a_leg_is_taken_answered_and_over(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, false);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    assert!(shop.calls().is_empty(), "this process only takes what it leases");

    let calls = shop.lease();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].ask.leg_id, calls[0].ask.amount_minor, calls[0].attempts), (refund.legs[0].id, 1_000, 1));
    assert!(!calls[0].may_have_been_sent());
    assert!(shop.lease().is_empty(), "it is leased already");
    shop.assert_clean();

    shop.tick(10);
    let paid = shop.record(&calls[0], done(&calls[0])).unwrap();
    assert_eq!(paid.state(), RefundState::Succeeded);
    assert!(shop.record(&calls[0], done(&calls[0])).is_none(), "the same news again");
    assert!(shop.record(&calls[0], unknown()).is_none(), "older news");
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty());
    assert_eq!(shop.facts(order).balances.succeeded().get(), 1_000);
    shop.assert_clean();
}

fn a_lease_that_ran_out_is_looked_up_and_not_sent_again(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, amount("10.00")).unwrap();
    let first = shop.calls().remove(0);
    assert!(!first.may_have_been_sent());
    assert!(first.in_time(NOW_MS + 30_000));
    assert!(!first.in_time(NOW_MS + 30_001), "it might still be under way when the next one looks it up");

    shop.tick(61_000);
    let second = shop.lease().remove(0);
    assert_eq!((second.ask.leg_id, second.attempts), (first.ask.leg_id, 2));
    assert!(second.may_have_been_sent());
    // The look-up says that it was paid, and then the first call's answer arrives after all.
    shop.record(&second, done(&second)).unwrap();
    assert!(shop.record(&first, done(&first)).is_none());
    assert_eq!(shop.facts(order).balances.succeeded().get(), 1_000);
    shop.assert_clean();
}

fn doubt_is_asked_about_again_and_again(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    let doubted = shop.record(&call, unknown()).unwrap();
    assert!(matches!(doubted.legs[0].state, LegState::InDoubt { .. }));
    shop.tick(999);
    assert!(shop.lease().is_empty());
    shop.tick(1);
    let again = shop.lease().remove(0);
    assert!(again.may_have_been_sent());
    assert!(shop.record(&again, unknown()).is_none(), "nothing new");
    shop.tick(5_000);
    let third = shop.lease().remove(0);
    assert_eq!(third.attempts, 3);
    shop.record(&third, declined()).unwrap();
    let failed = shop.refund(refund.id);
    assert_eq!((failed.state(), failed.failure().map(|(code, _)| code)), (RefundState::Failed, Some("card_expired")));
    assert_eq!(shop.facts(order).payments_left().get(), 4_400, "failed money comes back");
    shop.assert_clean();
}

fn a_success_that_turns_into_a_failure_gives_the_money_back(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, amount("10.00")).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, done(&call)).unwrap();
    shop.tick(86_400_000);
    assert_eq!(shop.record(&call, declined()).unwrap().state(), RefundState::Failed);
    assert!(shop.record(&call, done(&call)).is_none(), "failed stays failed");
    assert_eq!(shop.facts(order).payments_left().get(), 4_400);
    shop.assert_clean();
}

fn an_answer_that_contradicts_waits_for_a_person(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let call = shop.calls().remove(0);
    let odd = Answer::Done { reference: String::new(), amount_minor: 999, currency: "USD".to_owned() };
    let parked = shop.record(&call, odd).unwrap();
    assert!(matches!(parked.legs[0].state, LegState::Parked { .. }));
    shop.tick(1_000_000);
    assert!(shop.lease().is_empty(), "nobody sends it again");
    shop.assert_clean();

    let hand = |news| settle(&shop, refund.id, refund.legs[0].id, news);
    assert_eq!(hand(News::Sent { reference: String::new() }), Err(HandFault::NotByHand), "that is no word of a person");
    assert_eq!(hand(success()), Ok(RefundState::Succeeded));
    assert_eq!(hand(success()), Err(HandFault::NotByHand));
    shop.assert_clean();
}

fn a_leg_that_a_provider_acknowledged_and_then_denies_waits_for_a_person(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, amount("10.00")).unwrap();
    let first = shop.calls().remove(0);
    assert!(!first.acknowledged);
    shop.record(&first, Answer::Pending { reference: "r-1".to_owned() }).unwrap();
    shop.tick(60_000);
    let second = shop.lease().remove(0);
    assert!(second.acknowledged);
    assert!(shop.record(&second, unknown()).is_none(), "a look-up that fails unlearns nothing");
    shop.tick(120_000);
    let third = shop.lease().remove(0);
    assert!(third.acknowledged);
    let parked = shop.record(&third, Answer::NotFound).unwrap();
    assert!(matches!(parked.legs[0].state, LegState::Parked { .. }));
    shop.tick(86_400_000);
    assert!(shop.lease().is_empty(), "nobody sends it again");
    assert_eq!(shop.facts(order).balances.pending().get(), 1_000);
    shop.assert_clean();
}

fn money_that_a_person_pays_is_settled_by_hand(on: Backend) {
    let shop = Shop::new(on);
    let order = shop
        .put(order("a", "USD").line("hat", 1, 2_000, 0).pay("card", "simulated", 1_000).pay("hand", "manual", 1_000));
    let through = |payment: &str| RefundRequest { plan: Plan::InOrder(vec![named(payment)]), ..amount("4.00") };
    let by_hand = shop.create(order, through("hand")).unwrap().refund;
    assert!(shop.calls().is_empty());
    shop.assert_clean();
    assert_eq!(settle(&shop, by_hand.id, 1, success()), Err(HandFault::LegUnknown));
    assert_eq!(settle(&shop, 1, by_hand.legs[0].id, success()), Err(HandFault::RefundUnknown));
    for news in [
        News::NotSent { reason: String::new() },
        News::Sent { reference: String::new() },
        News::InDoubt { reason: String::new() },
    ] {
        assert_eq!(settle(&shop, by_hand.id, by_hand.legs[0].id, news), Err(HandFault::NotByHand));
    }
    assert_eq!(settle(&shop, by_hand.id, by_hand.legs[0].id, success()), Ok(RefundState::Succeeded));

    let by_gateway = shop.create(order, through("card")).unwrap().refund;
    let refused = settle(&shop, by_gateway.id, by_gateway.legs[0].id, success());
    assert_eq!(refused, Err(HandFault::NotByHand), "a gateway answers for it");
    shop.assert_clean();
}

pub(crate) fn success() -> News {
    News::Succeeded { reference: "slip".to_owned() }
}

pub(crate) fn settle(shop: &Shop, refund: u64, leg: u64, news: News) -> Result<RefundState, HandFault> {
    match shop.call(Job::SettleByHand { store: shop.tenant, refund: ours(refund), leg, news }) {
        Outcome::Settled(settled) => settled.map(|(refund, _)| refund.state()),
        other => panic!("{other:?}"),
    }
}

fn late_doubt_leaves_a_newer_lease_alone(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, amount("10.00")).unwrap();
    let first = shop.calls().remove(0);
    shop.tick(61_000);
    let second = shop.lease().remove(0);
    // The first taker gives up only now. The leg is the second one's until its lease runs out.
    shop.record(&first, unknown()).unwrap();
    shop.tick(59_000);
    assert!(shop.lease().is_empty());
    shop.record(&second, unknown());
    shop.tick(5_000);
    assert_eq!(shop.lease().remove(0).attempts, 3);
    shop.assert_clean();
}

fn what_surely_was_not_sent_is_sent_without_a_look_up(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let not_taken = || Answer::NotTaken { reason: "nobody listens".to_owned() };
    let first = shop.calls().remove(0);
    assert!(shop.record(&first, not_taken()).is_none());
    shop.tick(1_000);
    let second = shop.lease().remove(0);
    assert!(!second.may_have_been_sent(), "its key was never used");
    assert_eq!((second.attempts, second.ask.key_age_ms), (2, 0));
    assert!(shop.record(&second, not_taken()).is_none());
    assert_eq!(shop.refund(refund.id).legs[0].state, LegState::Waiting, "it is not in doubt");
    shop.tick(5_000);
    // This one dies with it.
    shop.lease();
    shop.tick(61_000);
    let fourth = shop.lease().remove(0);
    assert!(fourth.may_have_been_sent());
    assert_eq!(fourth.ask.key_age_ms, 67_000);
    shop.assert_clean();
}

fn a_call_that_was_not_taken_says_nothing_of_a_later_one(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let first = shop.calls().remove(0);
    shop.tick(61_000);
    let second = shop.lease().remove(0);
    shop.record(&second, unknown()).unwrap();
    // The first taker was stuck for all that time, and its request never left.
    assert!(shop.record(&first, Answer::NotTaken { reason: "nobody listens".to_owned() }).is_none());
    assert!(matches!(shop.refund(refund.id).legs[0].state, LegState::InDoubt { .. }));
    let cancel = Job::Cancel { store: shop.tenant, refund: ours(refund.id), text: String::new() };
    assert!(matches!(shop.call(cancel), Outcome::Cancelled(Err(_))), "it may have been paid");
    shop.assert_clean();
}

fn what_is_not_there_yet_may_still_arrive(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let first = shop.calls().remove(0);
    shop.record(&first, unknown()).unwrap();
    shop.tick(1_000);
    let second = shop.lease().remove(0);
    assert!(shop.record(&second, Answer::NotFound).is_some(), "not there yet is no news that frees it");
    assert!(matches!(shop.refund(refund.id).legs[0].state, LegState::InDoubt { .. }));
    shop.tick(120_000);
    let third = shop.lease().remove(0);
    shop.record(&third, Answer::NotFound).unwrap();
    assert_eq!(shop.refund(refund.id).legs[0].state, LegState::Waiting);
    shop.assert_clean();
}

fn a_leg_without_a_driver_is_settled_by_hand_and_never_asked_about_again(on: Backend) {
    for news in [success(), News::Failed { code: "lost".to_owned(), message: String::new() }] {
        let shop = Shop::new(on);
        let order = shop.put(order("a", "USD").line("hat", 1, 1_000, 0).pay("card", "no such driver", 1_000));
        let refund = shop.create(order, amount("4.00")).unwrap().refund;
        let call = shop.calls().remove(0);
        shop.record(&call, unknown()).unwrap();
        shop.tick(60_000);
        assert_eq!(shop.lease().len(), 1, "a driver may be configured any time");
        shop.tick(120_000);
        let failed = matches!(news, News::Failed { .. });
        let expected = if failed { RefundState::Failed } else { RefundState::Succeeded };
        assert_eq!(settle(&shop, refund.id, refund.legs[0].id, news), Ok(expected));
        shop.tick(86_400_000);
        assert!(shop.lease().is_empty());
        assert_eq!(shop.facts(order).payments_left().get(), if failed { 1_000 } else { 600 });
        shop.assert_clean();
    }
}

fn metadata_stays_within_its_limit_however_it_comes(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, amount("10.00")).unwrap().refund;
    let annotate = |keys: std::ops::Range<usize>, value: Option<MetaValue>| {
        let metadata = keys.map(|n| (format!("k{n}"), value.clone())).collect();
        match shop.call(Job::Annotate { store: shop.tenant, refund: ours(refund.id), metadata }) {
            Outcome::Annotated(annotated) => annotated.map(|(refund, _)| refund.metadata.len()),
            other => panic!("{other:?}"),
        }
    };
    let yes = || Some(MetaValue::Bool(true));
    assert_eq!(annotate(0..20, yes()), Ok(20));
    assert_eq!(annotate(20..21, yes()), Err(AnnotateFault::TooManyPairs));
    assert_eq!(annotate(0..20, yes()), Ok(20), "the same keys again");
    assert_eq!(annotate(0..5, None), Ok(15));
    assert_eq!(annotate(20..25, yes()), Ok(20));
    assert_eq!(shop.refund(refund.id).metadata.len(), 20);
}
