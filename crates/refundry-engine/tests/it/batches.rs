//! Group commit: jobs of one batch see each other, and never pay for each other.

use refundry_core::order::Id;
use refundry_core::rejection::Rejection;
use refundry_engine::accept::Outcome;
use refundry_store::LaneError;
use std::sync::atomic::Ordering;

use crate::books::plain;
use crate::shop::{Backend, NOW_MS, Place, Shop, amount, created, everything, units};

on_both!(
    twin_keys_in_one_batch_make_one_refund,
    a_refusal_binds_no_key,
    refunds_of_one_order_in_one_batch_see_each_other,
    one_poisoned_job_costs_its_neighbours_nothing,
    one_refund_that_cannot_be_read_holds_up_nobody_elses_money,
    numbers_go_on_above_after_a_restart_with_a_clock_set_back,
);

fn twin_keys_in_one_batch_make_one_refund(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let key = Some(("key", "hash"));
    let first_batch = shop.together(&[
        shop.job(order, units("hat", 1), key),
        shop.job(order, units("hat", 1), key),
        shop.job(order, units("hat", 2), Some(("key", "other"))),
    ]);
    assert_eq!(shop.engine.lane_stats()[0].largest_batch.load(Ordering::Relaxed), 3);
    let mut outcomes = first_batch.into_iter().map(|outcome| created(outcome.unwrap()));
    let (first, twin) = (outcomes.next().unwrap().unwrap(), outcomes.next().unwrap().unwrap());
    assert!(!first.replayed && twin.replayed);
    assert_eq!(first.refund, twin.refund);
    assert_eq!(outcomes.next().unwrap().unwrap_err(), Rejection::KeyReused);

    shop.tick(1_000);
    let again = created(shop.call(shop.job(order, units("hat", 1), key))).unwrap();
    assert!(again.replayed);
    assert_eq!(again.refund, first.refund);
    assert_eq!(shop.facts(order).balances.refunds, 1);
    assert_eq!(shop.calls().len(), 1, "one leg, sent once");
    shop.assert_clean();
}

fn a_refusal_binds_no_key(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let key = Some(("key", "hash"));
    let refused = created(shop.call(shop.job(order, amount("44.01"), key)));
    assert!(matches!(refused, Err(Rejection::RefundableExceeded { .. })), "{refused:?}");
    assert!(created(shop.call(shop.job(order, amount("44.00"), Some(("key", "other"))))).is_ok());
    shop.assert_clean();
}

fn refunds_of_one_order_in_one_batch_see_each_other(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let outcomes = shop.together(&[
        shop.job(order, units("hat", 3), None),
        shop.job(order, units("hat", 2), None),
        shop.job(order, everything(), None),
        shop.job(order, amount("0.01"), None),
    ]);
    let mut outcomes = outcomes.into_iter().map(|outcome| created(outcome.unwrap()));
    assert_eq!(outcomes.next().unwrap().unwrap().refund.amount.get(), 3_300);
    assert!(matches!(outcomes.next().unwrap(), Err(Rejection::QuantityExceeded { available: 1, .. })));
    let rest = outcomes.next().unwrap().unwrap().refund;
    assert_eq!((rest.amount.get(), rest.number), (1_100, 2));
    assert!(matches!(outcomes.next().unwrap(), Err(Rejection::RefundableExceeded { .. })));
    shop.assert_clean();
}

fn one_poisoned_job_costs_its_neighbours_nothing(on: Backend) {
    let shop = Shop::new(on);
    let (good, broken) = (shop.put(plain("good")), shop.put(plain("broken")));
    take_goods_away(&shop, broken);
    let outcomes = shop.together(&[
        shop.job(good, units("hat", 1), None),
        shop.job(broken, everything(), None),
        shop.job(good, units("hat", 1), None),
    ]);
    assert!(matches!(outcomes[1], Err(LaneError::Poisoned { .. })), "{:?}", outcomes[1]);
    assert!([0, 2].iter().all(|i| matches!(outcomes[*i], Ok(Outcome::Created(Ok(_))))), "{outcomes:?}");
    let stats = &shop.engine.lane_stats()[0];
    let counted = (stats.reruns.load(Ordering::Relaxed), stats.poisoned.load(Ordering::Relaxed));
    assert_eq!(counted, (1, 1));
    assert_eq!(shop.facts(good).balances.refunds, 2);
    assert!(shop.audit().findings.iter().all(|finding| finding.order == i64::try_from(broken).ok()));
}

/// Leaves an order whose line has no goods, which the rules take for impossible.
pub(crate) fn take_goods_away(shop: &Shop, order: Id) {
    let id = i64::try_from(order).unwrap();
    let rewritten = shop.engine.store().write(|tx| {
        let sql = "SELECT facts FROM orders WHERE id = ?1";
        let facts = tx.query_one(sql, &[id.into()], |row| row.string(0))?.unwrap();
        let mut facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        facts["components"] = serde_json::json!([]);
        tx.execute("UPDATE orders SET facts = ?2 WHERE id = ?1", &[id.into(), facts.to_string().into()])
    });
    assert_eq!(rewritten, Ok(1));
}

fn one_refund_that_cannot_be_read_holds_up_nobody_elses_money(on: Backend) {
    let shop = Shop::open(Place::new(on), NOW_MS, false);
    let (good, broken) = (shop.put(plain("good")), shop.put(plain("broken")));
    let spoilt = shop.create(broken, units("hat", 1)).unwrap().refund;
    let sound = shop.create(good, units("hat", 1)).unwrap().refund;
    let spoil = "UPDATE refunds SET legs = 'spoilt' WHERE id = ?1";
    let spoilt = i64::try_from(spoilt.id).unwrap();
    assert_eq!(shop.engine.store().write(|tx| tx.execute(spoil, &[spoilt.into()])), Ok(1));
    let calls = shop.lease();
    assert_eq!(calls.iter().map(|call| call.ask.refund_id).collect::<Vec<_>>(), [sound.id]);
    shop.record(&calls[0], crate::shop::done(&calls[0])).unwrap();
    assert_eq!(shop.facts(good).balances.succeeded().get(), 1_100);
}

fn numbers_go_on_above_after_a_restart_with_a_clock_set_back(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let before = shop.create(order, units("hat", 1)).unwrap().refund;
    let newest = before.legs[0].id.max(before.id);
    let Shop { engine, place, .. } = shop;
    drop(engine);

    let shop = Shop::open(place, NOW_MS - 3_600_000, true);
    let after = shop.create(order, units("hat", 1)).unwrap().refund;
    assert!(after.id > newest, "{} is not above {newest}", after.id);
    assert_eq!(after.number, 2);
    let digits = after.id.to_string().len();
    assert_eq!(digits, 18);
    shop.assert_clean();
}
