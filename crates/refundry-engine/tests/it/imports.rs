//! Orders in: twice changes nothing, and what refunds stand on stays.

use refundry_core::intake::{Intake, IntakeFault, PastRefund};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{ComponentKind, Order, ShopMoney};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::intake::How;
use refundry_gateways::Ask;

use crate::books::{past, plain};
use crate::shop::{Backend, Build, Shop, dec, declined, done, order, units, unknown};

on_both!(
    taking_in_twice_changes_nothing,
    a_refunded_line_keeps_its_price_and_quantity,
    what_an_order_loses_leaves_its_books_too,
    a_line_may_change_again_once_its_refund_failed,
    history_that_lists_a_part_twice_is_added_up_before_it_is_believed,
    shop_money_of_history_leaves_no_residue,
    a_payment_with_a_leg_under_way_stays_where_the_leg_was_sent,
    an_order_that_comes_twice_in_one_batch_is_taken_once,
    a_bare_total_that_grows_is_taken_for_what_it_grew_by,
);

fn taking_in_twice_changes_nothing(on: Backend) {
    let shop = Shop::new(on);
    let history = || vec![past("p1", 1_000, 100, 1)];
    let first = shop.put_with(plain("a"), history()).unwrap();
    assert_eq!(first.how, How::Created);
    let before = (shop.facts(first.order), shop.audit());
    shop.tick(1_000);
    let again = shop.put_with(plain("a"), history()).unwrap();
    assert_eq!((again.order, again.how), (first.order, How::Unchanged));
    assert_eq!((shop.facts(first.order), shop.audit()), before);

    let more = shop.put_with(plain("a"), [history(), vec![past("p2", 1_000, 100, 1)]].concat()).unwrap();
    assert_eq!((more.order, more.how), (first.order, How::Changed));
    assert_eq!(shop.facts(first.order).balances.refunds, 2);
    shop.assert_clean();
}

fn a_refunded_line_keeps_its_price_and_quantity(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    shop.create(id, units("hat", 1)).unwrap();
    let before = shop.facts(id);
    let edits: [fn(&mut Order); 4] = [
        |order| order.lines[0].quantity = 5,
        |order| order.lines[0].unit_price = Amount::minor(1),
        |order| order.lines[0].discount = Amount::minor(1),
        |order| order.components[0].net = Amount::minor(4_001),
    ];
    for edit in edits {
        let mut changed = plain("a");
        edit(&mut changed);
        let refused = shop.put_with(changed, Vec::new());
        assert!(matches!(refused, Err(IntakeFault::ChangesRefunded { .. })), "{refused:?}");
    }
    assert_eq!(shop.facts(id), before);

    // Units that were not refunded may ship, and a name may change.
    let mut shipped = plain("a");
    shipped.lines[0].shipped = 3;
    shipped.lines[0].sku = String::from("sku-renamed");
    assert_eq!(shop.put_with(shipped, Vec::new()).unwrap().how, How::Changed);
    shop.assert_clean();
}

fn what_an_order_loses_leaves_its_books_too(on: Backend) {
    let shop = Shop::new(on);
    let whole = || {
        let order = order("a", "EUR").line("hat", 2, 2_000, 200).line("bag", 1, 900, 90);
        order.part(ComponentKind::Shipping, None, 500, 50).pay_in("card", "USD", 4_100, 3_740)
    };
    let id = shop.put(whole());
    let smaller = order("a", "EUR").line("hat", 2, 2_000, 200).pay("cash", "manual", 2_200);
    assert_eq!(shop.put(smaller), id);
    shop.assert_clean();
    assert_eq!(shop.put(whole()), id);
    shop.assert_clean();
}

fn a_line_may_change_again_once_its_refund_failed(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    shop.create(id, units("hat", 3)).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    let mut changed = plain("a");
    changed.lines[0].quantity = 2;
    changed.components[0].net = Amount::minor(3_900);
    assert_eq!(shop.put(changed), id);
    shop.create(id, units("hat", 1)).unwrap();
    shop.assert_clean();
}

fn history_that_lists_a_part_twice_is_added_up_before_it_is_believed(on: Backend) {
    type Edit = fn(&mut PastRefund);
    let shop = Shop::new(on);
    let cases: [(Edit, &str); 4] = [
        (|p| p.allocations = vec![p.allocations[0]; 2], "more of a part"),
        (|p| p.legs = vec![p.legs[0]; 2], "more through a payment"),
        (|p| p.units = vec![p.units[0]; 2], "more units"),
        (|p| p.legs[0].2 = Amount::minor(1), "two different amounts"),
    ];
    for (edit, reason) in cases {
        let mut refund = past("p1", 2_500, 250, 3);
        edit(&mut refund);
        match shop.put_with(plain("a"), vec![refund]) {
            Err(IntakeFault::Contradictory { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shop.audit().orders, 0);
}

fn shop_money_of_history_leaves_no_residue(on: Backend) {
    let shop = Shop::new(on);
    let mut order = plain("a");
    order.shop = Some(ShopMoney { currency: Currency::parse("JPY").unwrap(), rate: dec("0.7") });
    let id = shop.put_with(order, (0..4).map(|n| past(&format!("p{n}"), 1_000, 100, 1)).collect()).unwrap().order;
    let of_order = shop.engine.store().read(|tx| refundry_store::refunds::of_order(tx, shop.tenant, id)).unwrap();
    let sum = |part: fn(&refundry_core::refund::Refund) -> Amount| of_order.iter().map(part).sum::<Amount>().get();
    // 40.00 at 0.7 yen each is 28 yen.
    assert_eq!((sum(|r| r.allocations[0].shop.0), sum(|r| r.units[0].shop.0)), (28, 28));
    shop.assert_clean();
}

fn a_payment_with_a_leg_under_way_stays_where_the_leg_was_sent(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    shop.create(id, units("hat", 1)).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, unknown()).unwrap();
    let edits: [fn(&mut Order); 2] = [
        |order| order.payments[0].gateway = String::from("manual"),
        |order| order.payments[0].reference = String::from("another charge"),
    ];
    for edit in edits {
        let mut changed = plain("a");
        edit(&mut changed);
        // The look-up would go where nobody knows of the leg, which would then be sent a second time.
        let refused = shop.put_with(changed.clone(), Vec::new());
        assert!(matches!(refused, Err(IntakeFault::ChangesRefunded { .. })), "{refused:?}");
    }
    shop.tick(1_000);
    let again = shop.lease().remove(0);
    let same = Ask { key_age_ms: 1_000, now_ms: call.ask.now_ms + 1_000, ..call.ask.clone() };
    assert_eq!((&again.gateway, &again.ask), (&call.gateway, &same));
    shop.record(&again, done(&again)).unwrap();
    let mut changed = plain("a");
    edits[1](&mut changed);
    assert_eq!(shop.put_with(changed, Vec::new()).unwrap().how, How::Changed);
    shop.assert_clean();
}

fn an_order_that_comes_twice_in_one_batch_is_taken_once(on: Backend) {
    let shop = Shop::new(on);
    let refunds = vec![PastRefund { external_id: None, ..past("", 1_000, 100, 1) }];
    let intake = Box::new(Intake { order: plain("a"), refunds, document: String::new(), terms: Vec::new() });
    let job = Job::PutOrder { store: shop.tenant, intake };
    let taken: Vec<_> = shop
        .together(&[job.clone(), job])
        .into_iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Put(Ok(taken))) => taken,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(taken.iter().map(|taken| taken.how).collect::<Vec<_>>(), [How::Created, How::Unchanged]);
    let facts = shop.facts(taken[0].order);
    assert_eq!((facts.balances.refunds, facts.payments_left().get()), (1, 3_300), "1100 of 4400 went back, once");
    shop.assert_clean();
}

fn a_bare_total_that_grows_is_taken_for_what_it_grew_by(on: Backend) {
    let bare = |net: i64, tax: i64, quantity: u32| PastRefund { external_id: None, ..past("", net, tax, quantity) };
    let shop = Shop::new(on);
    let id = shop.put_with(plain("a"), vec![bare(1_000, 100, 1)]).unwrap().order;
    let again = shop.put_with(plain("a"), vec![bare(1_000, 100, 1)]).unwrap();
    assert_eq!(again.how, How::Unchanged);

    for _ in 0..2 {
        shop.tick(1_000);
        shop.put_with(plain("a"), vec![bare(3_000, 300, 3)]).unwrap();
        let facts = shop.facts(id);
        assert_eq!((facts.balances.refunds, facts.payments_left().get()), (2, 1_100), "3300 of 4400 went back");
        assert_eq!(facts.units_refunded(0).all(), 3);
        assert!(facts.balances.discrepancy.is_zero());
    }
    let less = shop.put_with(plain("a"), vec![bare(1_000, 100, 1)]).unwrap();
    assert_eq!(less.how, How::Unchanged, "what was believed before stays");
    let odd = shop.put_with(plain("a"), vec![PastRefund { units: Vec::new(), ..bare(4_000, 400, 4) }]);
    assert!(matches!(odd, Err(IntakeFault::Contradictory { .. })), "{odd:?}");
    shop.assert_clean();
}
