//! Single cases at the edges of the rules, most of them found by the properties.

use super::book::Book;
use super::world::{by_name, dec, facts, line, order, part, pay};
use crate::command::{
    AmountIn, Ask, CurrencyAsk, ItemAsk, ItemMoney, ItemName, ItemPart, LegAsk, Parts, Plan, RefundRequest, Total,
};
use crate::decide::{News, decide};
use crate::limits::AMOUNT_MINOR_MAX;
use crate::money::{Amount, Currency};
use crate::order::{ComponentKind, Order, OrderFault, ShopMoney};
use crate::refund::CapKind;
use crate::rejection::Rejection;

/// 100.00 USD, paid by one payment that settled as so much of another currency.
fn foreign(captured: i64, own_currency: &str, own_captured: i64) -> Order {
    let mut order = order("USD");
    line(&mut order, "item", 1, captured, 0);
    pay(&mut order, "card", captured);
    order.payments[0].own_currency = Currency::parse(own_currency).expect("a currency");
    order.payments[0].own_captured = Amount::minor(own_captured);
    order
}

fn through(amount: &str, amount_in: AmountIn) -> LegAsk {
    LegAsk {
        payment: Some(by_name("card")),
        channel: String::new(),
        amount: dec(amount),
        amount_in,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    }
}

fn of_payments(legs: Vec<LegAsk>) -> RefundRequest {
    let ask = Ask::Parts(Parts { total: Total::OfPayments, ..Parts::default() });
    RefundRequest { plan: Plan::Named(legs), ..RefundRequest::of(ask) }
}

#[test]
fn an_amount_far_above_a_payment_in_another_currency_is_refused() {
    let facts = facts(foreign(10_000, "IDR", 160_000_000));
    for (amount, amount_in) in [("9999999999999.99", AmountIn::Books), ("9999999999999.99", AmountIn::Own)] {
        let refused = decide(&facts, &of_payments(vec![through(amount, amount_in), through(amount, amount_in)]));
        assert_eq!(refused.map_err(|r| r.code()), Err("payment_exceeded"));
    }
}

#[test]
fn the_currency_of_an_unnamed_payment_is_checked() {
    let facts = facts(foreign(10_000, "JPY", 15_000));
    let mut leg = LegAsk { payment: None, ..through("100", AmountIn::Own) };
    leg.currency = CurrencyAsk::Is("USD".to_owned());
    let refused = decide(&facts, &of_payments(vec![leg.clone()])).map_err(|r| r.code());
    assert_eq!(refused, Err("payment_currency_differs"), "100 USD are not 100 JPY");
    leg.currency = CurrencyAsk::Is("JPY".to_owned());
    assert_eq!(decide(&facts, &of_payments(vec![leg])).map(|q| q.amount), Ok(Amount::minor(67)));
}

#[test]
fn everything_takes_the_rest_of_both_currencies() {
    // Three cents settled as 100 of something small: three tiny refunds use up the cents first.
    let mut book = Book::open(foreign(3, "JPY", 100));
    for _ in 0..3 {
        book.ask(&of_payments(vec![through("1", AmountIn::Own)])).expect("one yen");
    }
    assert_eq!((book.facts.payment_left(0), book.facts.payment_own_left(0)), (Amount::ZERO, Amount::minor(97)));
    book.ask_for(Ask::Everything).expect("yen are left");
    assert_eq!((book.facts.payment_left(0), book.facts.payment_own_left(0)), (Amount::ZERO, Amount::ZERO));
    assert_eq!(book.ask_for(Ask::Everything), Err(Rejection::NothingLeft));
}

#[test]
fn the_nearest_cap_sees_all_legs_of_a_payment() {
    let facts = facts(foreign(10_000, "USD", 10_000));
    let quote = decide(&facts, &of_payments(vec![through("60", AmountIn::Books), through("39", AmountIn::Books)]));
    let cap = quote.expect("99 of 100").nearest_cap;
    assert_eq!((cap.by, cap.left), (CapKind::Payment(0), Amount::minor(100)));
}

#[test]
fn each_item_keeps_its_own_quantity() {
    let mut order = order("USD");
    line(&mut order, "item", 5, 5_000, 0);
    part(&mut order, ComponentKind::Shipping, Some(0), 1_000, 0);
    part(&mut order, ComponentKind::Shipping, Some(0), 1, 0);
    pay(&mut order, "card", 6_001);
    let shipping = |quantity| ItemAsk {
        item: ItemName::Id(by_name("item")),
        quantity: Some(quantity),
        money: ItemMoney::Amount(dec("0.10")),
        part: Some(ItemPart::Shipping),
    };
    let quote = decide(&facts(order), &RefundRequest::of(Ask::Items(vec![shipping(2), shipping(3)]))).expect("fits");
    let stated: Vec<_> = quote.allocations.iter().map(|a| (a.component, a.net.get(), a.quantity)).collect();
    assert_eq!(stated, [(1, 20, Some(2)), (1, 30, Some(3))]);
}

#[test]
fn an_order_of_many_large_parts_is_refused_rather_than_summed() {
    let mut order = order("USD");
    for _ in 0..4_900 {
        part(&mut order, ComponentKind::Fee, None, AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX);
    }
    assert_eq!(order.validate(), Err(OrderFault::AmountOutOfRange("total")));
}

#[test]
fn a_shop_rate_must_be_usable_for_the_whole_order() {
    let with_rate = |rate: &str| {
        let mut order = foreign(1_000_000_000_000, "USD", 1_000_000_000_000);
        order.shop = Some(ShopMoney { currency: Currency::parse("EUR").expect("a currency"), rate: dec(rate) });
        order
    };
    for rate in ["0", "-1.1", "1001", "999999999999999999999999999999"] {
        assert_eq!(with_rate(rate).validate(), Err(OrderFault::AmountOutOfRange("shop rate")), "{rate}");
    }
    // As many digits as a division gives: the shadow of everything must still be found.
    let mut book = Book::open(with_rate("0.140845070422535211267605633803"));
    book.ask_for(Ask::Everything).expect("everything");
    assert_eq!(book.refunds[0].allocations[0].shop.0, Amount::minor(140_845_070_423));
}

/// One refund of everything through two payments, failing leg by leg in either order, late or not.
#[test]
fn failed_refunds_restore_everything() {
    let failed = News::Failed { code: "lost".to_owned(), message: String::new() };
    let done = News::Succeeded { reference: String::new() };
    for first in [0, 1] {
        for late in [false, true] {
            let mut order = order("USD");
            line(&mut order, "item", 3, 100, 7);
            part(&mut order, ComponentKind::Tip, None, 11, 0);
            pay(&mut order, "one", 50);
            pay(&mut order, "two", 60);
            let mut book = Book::open(order);
            let fresh = book.facts.balances.clone();
            book.ask_for(Ask::Everything).expect("everything");
            for leg in [first, 1 - first] {
                assert!(!late || book.news(0, leg, &done));
                assert!(book.news(0, leg, &failed), "a success may turn into a failure");
                assert!(!book.news(0, leg, &done), "a failed leg stays failed");
            }
            let after = &book.facts.balances;
            assert_eq!((&after.components, &after.lines), (&fresh.components, &fresh.lines));
            assert_eq!((&after.payments, after.discrepancy), (&fresh.payments, fresh.discrepancy));
        }
    }
}

#[test]
fn refunds_made_elsewhere_count() {
    let mut order = order("USD");
    line(&mut order, "item", 3, 100, 7);
    pay(&mut order, "card", 107);
    let mut elsewhere = Book::open(order.clone());
    elsewhere.ask_for(Ask::Amount { amount: dec("0.50"), class: None }).expect("half");
    let done = News::Succeeded { reference: "seen".to_owned() };
    assert!(elsewhere.news(0, 0, &done));
    let mut book = Book::open(order);
    book.import(elsewhere.refunds[0].clone());
    assert_eq!(book.facts.available(), Amount::minor(57));
}
