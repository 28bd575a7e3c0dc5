//! Orders that are called off with their money, on both databases: all of it happens once, or nothing.

use refundry_core::command::{Ask, CreateRefund, Parts, Plan, RefundRequest, Total};
use refundry_core::order::{Dialect, Id, Status};
use refundry_core::refund::{Restock, Route};
use refundry_core::rejection::Rejection;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::call_off::CalledOff;
use refundry_engine::shop::{ShopAsk, ShopNo};

use crate::shop::{Backend, Build, Shop, dec, done, number, order, units};

on_both!(
    an_order_called_off_gives_its_money_back_once,
    a_refund_that_is_refused_leaves_the_order_open,
    an_order_is_called_off_without_money,
    two_who_call_it_off_at_once_make_one_refund,
);

/// Two caps at 10.00, paid by card.
fn sold(shop: &Shop) -> Id {
    shop.put(order("a", "USD").line("cap", 2, 2_000, 0).pay("card", "simulated", 2_000))
}

fn job(shop: &Shop, order: Id, amount: Option<&str>, plan: Plan) -> Job {
    let refund = amount.map(|amount| {
        let parts = Parts { total: Total::Stated(dec(amount)), ..Parts::default() };
        let request = RefundRequest { plan, ..RefundRequest::of(Ask::Parts(parts)) };
        Box::new(CreateRefund::new(number(order), Dialect::Shopline, request))
    });
    let ask = ShopAsk::CallOff { order: number(order), reason: "no stock".to_owned(), restock: true, refund };
    Job::Shop { store: shop.tenant, ask: Box::new(ask) }
}

fn answer(outcome: Outcome) -> CalledOff {
    match outcome {
        Outcome::CalledOff(done) => done,
        other => panic!("{other:?}"),
    }
}

fn an_order_called_off_gives_its_money_back_once(on: Backend) {
    let shop = Shop::new(on);
    let id = sold(&shop);
    let (_, accepted) = answer(shop.call(job(&shop, id, Some("15.00"), Plan::default()))).unwrap();
    let refund = accepted.expect("a refund").refund;
    assert_eq!((refund.amount.get(), refund.legs[0].route), (1_500, Route::Original));
    assert_eq!((refund.units[0].quantity, refund.units[0].restock), (2, Restock::Cancel));
    let order = shop.facts(id).order;
    assert_eq!((order.status, order.life.cancel_reason.as_str()), (Status::Cancelled, "no stock"));
    assert!(!order.life.restocked, "its refund put the units back");
    // The worker has the leg without having to look for it.
    let calls = shop.calls();
    assert_eq!(calls.len(), 1);
    shop.record(&calls[0], done(&calls[0]));
    let again = answer(shop.call(job(&shop, id, Some("5.00"), Plan::default())));
    assert_eq!(again.err(), Some(ShopNo::CalledOff));
    assert_eq!(shop.facts(id).balances.succeeded().get(), 1_500);
    shop.assert_clean();
}

fn a_refund_that_is_refused_leaves_the_order_open(on: Backend) {
    let shop = Shop::new(on);
    let id = sold(&shop);
    let refused = answer(shop.call(job(&shop, id, Some("20.01"), Plan::default())));
    let Err(ShopNo::Rejected(no)) = refused else { panic!("{refused:?}") };
    assert!(matches!(*no, Rejection::RefundableExceeded { .. }), "{no:?}");
    let facts = shop.facts(id);
    assert_eq!((facts.order.status, facts.balances.refunds), (Status::Open, 0));
    let unknown = answer(shop.call(job(&shop, 7, Some("1.00"), Plan::default())));
    assert!(matches!(unknown, Err(ShopNo::OrderUnknown(_))));
    shop.assert_clean();
}

fn an_order_is_called_off_without_money(on: Backend) {
    let shop = Shop::new(on);
    let id = sold(&shop);
    let (_, accepted) = answer(shop.call(job(&shop, id, None, Plan::default()))).unwrap();
    assert!(accepted.is_none());
    let facts = shop.facts(id);
    assert_eq!((facts.order.status, facts.order.life.restocked), (Status::Cancelled, false), "it took nothing");
    // What was paid for it can still go back.
    shop.create(id, units("cap", 1)).unwrap();
    shop.assert_clean();
}

fn two_who_call_it_off_at_once_make_one_refund(on: Backend) {
    let shop = Shop::new(on);
    let id = sold(&shop);
    let outside = || Plan::Outside { but: String::new() };
    let outcomes = shop.together(&[job(&shop, id, Some("5.00"), outside()), job(&shop, id, Some("5.00"), outside())]);
    let mut done = 0;
    for outcome in outcomes {
        match answer(outcome.expect("it was done")) {
            Ok((_, accepted)) => {
                assert_eq!(accepted.expect("a refund").refund.legs[0].route, Route::Outside);
                done += 1;
            }
            Err(no) => assert_eq!(no, ShopNo::CalledOff),
        }
    }
    assert_eq!((done, shop.facts(id).balances.refunds), (1, 1));
    shop.assert_clean();
}
