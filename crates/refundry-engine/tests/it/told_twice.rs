//! One refund, told by the provider that made it and by the platform in whose admin it was asked for: counted once.

use refundry_core::intake::PastRefund;
use refundry_core::order::{Id, Order};
use refundry_core::refund::{Refund, RefundState};
use refundry_engine::cases::FinishAsk;
use refundry_engine::hear::Effect;
use refundry_gateways::{Answer, Notice};

use crate::books::past;
use crate::cases::{ask, finish, hold};
use crate::deliveries::{hear, left, paid, paid_order, refund};
use crate::shop::{Backend, NOW_MS, Shop, declined, units};

on_both!(
    the_platform_tells_of_what_the_provider_told,
    the_provider_tells_of_what_the_platform_told,
    one_that_failed_in_between_stays_failed,
    two_of_the_same_amount_are_two,
    a_platform_may_call_a_refund_as_its_provider_does,
    what_is_days_apart_is_not_the_same,
    what_a_person_finished_by_the_providers_name_is_that_refund,
);

const DAY_MS: i64 = 86_400_000;

/// A refund of one hat for 22.00, made just now.
fn told(name: &str) -> PastRefund {
    PastRefund { created_ms: NOW_MS, ..past(name, 2_000, 200, 1) }
}

fn heard(event: &str, reference: &str, answer: Answer) -> Notice {
    Notice { happened_ms: Some(NOW_MS), ..refund(event, None, reference, answer, 2_200) }
}

fn refunds(shop: &Shop, order: Id) -> Vec<Refund> {
    let all = shop.engine.store().read(|tx| refundry_store::refunds::of_order(tx, shop.tenant, order)).unwrap();
    all.into_iter().filter(|refund| refund.state() != RefundState::Failed).collect()
}

fn names(refund: &Refund) -> (&str, &str) {
    (refund.external_id.as_deref().unwrap_or(""), &refund.legs[0].reference)
}

fn a() -> Order {
    paid_order("a")
}

fn the_platform_tells_of_what_the_provider_told(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(a());
    assert_eq!(hear(&shop, vec![heard("e1", "re_1", paid("re_1", 2_200))]), [Effect::External]);
    for _ in 0..2 {
        shop.put_with(a(), vec![told("9001")]).unwrap();
        let all = refunds(&shop, order);
        assert_eq!(all.iter().map(names).collect::<Vec<_>>(), [("9001", "re_1")]);
        assert_eq!(left(&shop, order), 2_200, "once");
        assert_eq!(shop.facts(order).units_refunded(0).all(), 1, "with its units");
        shop.assert_clean();
    }
    assert_eq!(hear(&shop, vec![heard("e2", "re_1", paid("re_1", 2_200))]), [Effect::Stale]);
    assert_eq!(hear(&shop, vec![heard("e3", "re_1", declined())]), [Effect::Settled], "it is still known by that name");
    assert_eq!((left(&shop, order), refunds(&shop, order).len()), (4_400, 0));
    shop.put_with(a(), vec![told("9001")]).unwrap();
    assert_eq!(left(&shop, order), 4_400, "the platform has not heard of it");
    shop.assert_clean();
}

fn the_provider_tells_of_what_the_platform_told(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put_with(a(), vec![told("9001")]).unwrap().order;
    for event in ["e1", "e2"] {
        assert_eq!(hear(&shop, vec![heard(event, "re_1", paid("re_1", 2_200))]), [Effect::Stale]);
        assert_eq!(refunds(&shop, order).iter().map(names).collect::<Vec<_>>(), [("9001", "re_1")]);
        assert_eq!(left(&shop, order), 2_200);
    }
    // Another one of the same amount is another one.
    assert_eq!(hear(&shop, vec![heard("e3", "re_2", paid("re_2", 2_200))]), [Effect::External]);
    assert_eq!(left(&shop, order), 0);
    assert_eq!(hear(&shop, vec![heard("e4", "re_1", declined())]), [Effect::Settled]);
    assert_eq!((left(&shop, order), shop.facts(order).units_refunded(0).all()), (2_200, 0));
    shop.assert_clean();
}

fn one_that_failed_in_between_stays_failed(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(a());
    hear(&shop, vec![heard("e1", "re_1", paid("re_1", 2_200)), heard("e2", "re_1", declined())]);
    shop.put_with(a(), vec![told("9001")]).unwrap();
    assert_eq!((left(&shop, order), refunds(&shop, order).len()), (4_400, 0));
    assert_eq!(hear(&shop, vec![heard("e3", "re_1", declined())]), [Effect::Stale]);
    shop.assert_clean();
}

fn two_of_the_same_amount_are_two(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(a());
    let both = ["re_1", "re_2"].map(|name| heard(name, name, paid(name, 2_200)));
    assert_eq!(hear(&shop, both.to_vec()), [Effect::External, Effect::External]);
    shop.put_with(a(), vec![told("9001"), told("9002")]).unwrap();
    let all = refunds(&shop, order);
    assert_eq!(all.iter().map(names).collect::<Vec<_>>(), [("9001", "re_1"), ("9002", "re_2")]);
    assert_eq!(left(&shop, order), 0);
    shop.assert_clean();
}

fn a_platform_may_call_a_refund_as_its_provider_does(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put_with(a(), vec![told("re_5")]).unwrap().order;
    assert_eq!(hear(&shop, vec![heard("e1", "re_5", paid("re_5", 2_200))]), [Effect::Stale]);
    assert_eq!(left(&shop, order), 2_200);
    let both = ["re_6", "re_5"].map(|name| heard(&format!("late {name}"), name, paid(name, 2_200)));
    assert_eq!(hear(&shop, both.to_vec()), [Effect::External, Effect::Stale], "another one of the same amount");
    assert_eq!((left(&shop, order), refunds(&shop, order).len()), (0, 2));
    shop.assert_clean();
}

fn what_is_days_apart_is_not_the_same(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(a());
    let early = Notice { happened_ms: Some(NOW_MS - 4 * DAY_MS), ..heard("e1", "re_1", paid("re_1", 2_200)) };
    assert_eq!(hear(&shop, vec![early]), [Effect::External]);
    shop.put_with(a(), vec![told("9001")]).unwrap();
    assert_eq!(refunds(&shop, order).iter().map(names).collect::<Vec<_>>(), [("re_1", "re_1"), ("9001", "")]);
    assert_eq!(left(&shop, order), 0);
    shop.assert_clean();
}

/// A refund over a held channel is made in the provider's admin, and finished here under the provider's name of it.
fn what_a_person_finished_by_the_providers_name_is_that_refund(on: Backend) {
    let shop = Shop::new(on);
    let mut order = a();
    "bogus".clone_into(&mut order.payments[0].channel);
    hold(&shop, "bogus", true);
    let order = shop.put(order);
    let made = shop.create(order, units("hat", 2)).unwrap().refund;
    let finished = finish(&shop, FinishAsk { reference: "re_1".to_owned(), ..ask(order, made.id) }).unwrap();
    assert_eq!((finished.state(), left(&shop, order)), (RefundState::Succeeded, 2_200));
    assert_eq!(hear(&shop, vec![heard("e1", "re_1", paid("re_1", 2_200))]), [Effect::Stale]);
    assert_eq!((left(&shop, order), refunds(&shop, order).len()), (2_200, 1));
    // Another one is another one, and what was said of this one may turn out otherwise.
    let other = refund("e2", None, "re_2", paid("re_2", 1_000), 1_000);
    assert_eq!(hear(&shop, vec![other]), [Effect::External]);
    assert_eq!(hear(&shop, vec![heard("e3", "re_1", declined())]), [Effect::Settled]);
    assert_eq!((left(&shop, order), shop.refund(made.id).state()), (3_400, RefundState::Failed));
    shop.assert_clean();
}
