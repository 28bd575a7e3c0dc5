//! One order, many ways to ask: which component, which payment and which units each cent comes from.
//!
//! A quote is written in minor units as `amount = component:net+tax why, … | payment amount/own, … | units |
//! discrepancy`.

use super::book::Book;
use super::world::{by_name, dec, line, order, part, pay};
use crate::command::{
    AmountIn, Ask, CurrencyAsk, ItemAsk, ItemMoney, ItemName, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest,
    Target, Total, UnitAsk, UnitMode,
};
use crate::decide::decide;
use crate::money::{Amount, Currency};
use crate::order::{Capture, ComponentKind, Order, PaymentKind};
use crate::quote::Quote;
use crate::refund::{Class, Restock, Route};
use crate::rejection::Rejection;

/// Goods of 3 units (0) and of 2 units, one of them shipped (1); shipping (2), two charges (3, 4), a fee (5).
fn sold() -> Order {
    let mut order = order("USD");
    line(&mut order, "three", 3, 1_000, 100);
    line(&mut order, "two", 2, 500, 25);
    order.lines[1].shipped = 1;
    part(&mut order, ComponentKind::Shipping, None, 300, 30);
    part(&mut order, ComponentKind::Additional, None, 40, 0);
    part(&mut order, ComponentKind::Additional, None, 20, 0);
    order.components[3].name = "gift".to_owned();
    order.components[4].name = "box".to_owned();
    part(&mut order, ComponentKind::Fee, Some(0), 85, 0);
    pay(&mut order, "card", 1_000);
    pay(&mut order, "voucher", 1_100);
    order
}

#[track_caller]
fn check(order: &Order, request: &RefundRequest, expected: &str) {
    let mut book = Book::open(order.clone());
    let shown = match decide(&book.facts, request) {
        Ok(quote) => show(&quote),
        Err(rejection) => format!("{}: {}", rejection.code(), figures(&rejection)),
    };
    assert_eq!(shown, expected, "{request:?}");
    // Whatever is promised can be stored.
    let _ = book.ask(request);
}

fn show(quote: &Quote) -> String {
    let allocations =
        quote.allocations.iter().map(|a| format!("{}:{}+{} {}", a.component, a.net.get(), a.tax.get(), a.why.code()));
    let legs = quote.legs.iter().map(|l| {
        let outside = if l.route == Route::Outside { " outside" } else { "" };
        format!("{} {}/{}{outside}", l.payment, l.amount.get(), l.own_amount.get())
    });
    let units = quote.units.iter().map(|u| format!("{} {} {}", u.quantity, u.bucket.code(), u.line));
    let join = |parts: Vec<String>| parts.join(", ");
    let (allocations, legs, units) = (join(allocations.collect()), join(legs.collect()), join(units.collect()));
    format!("{} = {allocations} | {legs} | {units} | {}", quote.amount.get(), quote.discrepancy.get())
}

fn figures(rejection: &Rejection) -> String {
    match rejection {
        Rejection::PartExceeded { part, asked, available, .. } => {
            format!("{part} {} of {}", asked.get(), available.get())
        }
        Rejection::RefundableExceeded { asked, available, .. } => format!("{} of {}", asked.get(), available.get()),
        Rejection::QuantityExceeded { asked, available, .. } => format!("{asked} of {available}"),
        Rejection::PartsDoNotAddUp { total, parts, .. } => format!("{} of {}", parts.get(), total.get()),
        other => format!("{other:?}"),
    }
}

fn amount(text: &str) -> RefundRequest {
    RefundRequest::of(Ask::Amount { amount: dec(text), class: None })
}

fn parts(total: Total, units: Vec<UnitAsk>, parts: Vec<(Target, PartMoney)>) -> RefundRequest {
    let parts = parts.into_iter().map(|(target, money)| PartAsk { target, money }).collect();
    RefundRequest::of(Ask::Parts(Parts { total, units, parts, uniform_restock: false }))
}

fn units(line: &str, quantity: i64, mode: UnitMode) -> UnitAsk {
    let (line, location) = (by_name(line), String::new());
    UnitAsk { line, quantity: Some(quantity), mode, restock: Restock::No, location }
}

fn gross(text: &str) -> PartMoney {
    PartMoney::Gross(dec(text))
}

#[test]
fn amounts_fall_on_what_is_open_and_on_fees_last() {
    let order = sold();
    check(&order, &amount("0.02"), "2 = 0:1+0 pro_rata, 1:1+0 pro_rata | 0 2/2 |  | 0");
    check(
        &order,
        &amount("20.20"),
        "2020 = 0:1000+100 remaining, 1:500+25 remaining, 2:300+30 remaining, 3:40+0 remaining, 4:20+0 remaining, \
         5:5+0 fees_last | 0 1000/1000, 1 1020/1020 |  | 0",
    );
    let mut rich = order.clone();
    rich.payments[1].captured = Amount::minor(9_000);
    rich.payments[1].own_captured = Amount::minor(9_000);
    check(&rich, &amount("21.01"), "refundable_exceeded: 2101 of 2100");
}

#[test]
fn everything_is_what_the_payments_have_left() {
    let all = "0:1000+100 remaining, 1:500+25 remaining, 2:300+30 remaining, 3:40+0 remaining, 4:20+0 remaining, \
               5:85+0 remaining";
    let units = "3 waiting 0, 1 waiting 1, 1 shipped 1";
    for (captured, discrepancy) in [(1_100, 0), (1_150, 50), (1_050, -50)] {
        let mut order = sold();
        order.payments[1].captured = Amount::minor(captured);
        order.payments[1].own_captured = Amount::minor(captured);
        let amount = 1_000 + captured;
        let expected = format!("{amount} = {all} | 0 1000/1000, 1 {captured}/{captured} | {units} | {discrepancy}");
        check(&order, &RefundRequest::of(Ask::Everything), &expected);
    }
}

#[test]
fn units_come_from_their_bucket() {
    let order = sold();
    let one = |unit| parts(Total::Derived, vec![unit], Vec::new());
    check(
        &order,
        &one(units("two", 2, UnitMode::Automatic)),
        "525 = 1:500+25 unit_shares | 0 525/525 | 1 waiting 1, 1 shipped 1 | 0",
    );
    check(&order, &one(units("two", 1, UnitMode::Waiting)), "263 = 1:250+13 unit_shares | 0 263/263 | 1 waiting 1 | 0");
    check(&order, &one(units("two", 1, UnitMode::Shipped)), "263 = 1:250+13 unit_shares | 0 263/263 | 1 shipped 1 | 0");
    check(&order, &one(units("two", 2, UnitMode::Returned)), "quantity_exceeded: 2 of 1");
    check(&order, &one(units("three", 1, UnitMode::Shipped)), "quantity_exceeded: 1 of 0");
    check(
        &order,
        &one(UnitAsk { quantity: None, ..units("two", 0, UnitMode::Waiting) }),
        "263 = 1:250+13 unit_shares | 0 263/263 | 1 waiting 1 | 0",
    );
    let twice = vec![units("two", 1, UnitMode::Waiting), units("two", 1, UnitMode::Returned)];
    check(
        &order,
        &parts(Total::Derived, twice, Vec::new()),
        "525 = 1:500+25 unit_shares | 0 525/525 | 1 waiting 1, 1 shipped 1 | 0",
    );
}

#[test]
fn an_amount_beside_units_leaves_their_shares_alone() {
    let order = sold();
    let one = || vec![units("three", 1, UnitMode::Automatic)];
    let shares = "0:333+33 unit_shares";
    check(
        &order,
        &parts(Total::Stated(dec("5.00")), one(), Vec::new()),
        &format!("500 = {shares} | 0 500/500 | 1 waiting 0 | 134"),
    );
    let covered = parts(Total::Derived, one(), vec![(Target::Goods(by_name("three")), gross("2.00"))]);
    check(&order, &covered, &format!("200 = {shares} | 0 200/200 | 1 waiting 0 | -166"));
    let product =
        parts(Total::Derived, one(), vec![(Target::Product, gross("2.00")), (Target::Shipping, gross("0.11"))]);
    check(&order, &product, &format!("211 = {shares}, 2:10+1 stated | 0 211/211 | 1 waiting 0 | -166"));
    let other = parts(Total::Derived, one(), vec![(Target::Goods(by_name("two")), gross("2.10"))]);
    check(&order, &other, &format!("576 = {shares}, 1:200+10 stated | 0 576/576 | 1 waiting 0 | 0"));
}

#[test]
fn a_total_says_what_its_parts_leave_open() {
    let order = sold();
    let tip = |total, money| parts(total, Vec::new(), vec![(Target::Shipping, money)]);
    check(&order, &tip(Total::Stated(dec("1.10")), gross("1.10")), "110 = 2:100+10 stated | 0 110/110 |  | 0");
    check(&order, &tip(Total::Stated(dec("1.09")), gross("1.10")), "parts_do_not_add_up: 110 of 109");
    check(&order, &tip(Total::Derived, PartMoney::Net(dec("0.33"))), "36 = 2:33+3 stated | 0 36/36 |  | 0");
    check(&order, &tip(Total::Derived, PartMoney::AsPriced(dec("0.33"))), "36 = 2:33+3 stated | 0 36/36 |  | 0");
    check(&order, &tip(Total::Derived, PartMoney::Remaining), "330 = 2:300+30 remaining | 0 330/330 |  | 0");
    let mut included = order.clone();
    included.taxes_included = true;
    check(&included, &tip(Total::Derived, PartMoney::AsPriced(dec("0.33"))), "33 = 2:30+3 stated | 0 33/33 |  | 0");
    let charges = |total: &str, gift: &str| {
        let named = (Target::Additional("gift".to_owned()), gross(gift));
        parts(Total::Derived, Vec::new(), vec![(Target::Additionals, gross(total)), named])
    };
    check(&order, &charges("0.30", "0.30"), "30 = 3:30+0 stated | 0 30/30 |  | 0");
    check(&order, &charges("0.31", "0.30"), "parts_do_not_add_up: 30 of 31");
    check(&order, &charges("0.41", "0.41"), "part_exceeded: additional charge gift 41 of 40");
}

#[test]
fn percentages_are_of_what_is_left() {
    let mut book = Book::open(sold());
    let shipping = |percent: &str| Ask::Percent { percent: dec(percent), class: Some(Class::Shipping) };
    for expected in [165, 83, 41, 21] {
        let refund = book.ask_for(shipping("50")).expect("half of what is left");
        assert_eq!(book.refunds[refund].amount, Amount::minor(expected));
    }
    // Of an item they are of its price, however much of it went back.
    let half = ItemAsk {
        item: ItemName::Id(by_name("two")),
        quantity: Some(1),
        money: ItemMoney::Percent(dec("50")),
        part: None,
    };
    for _ in 0..4 {
        let refund = book.ask_for(Ask::Items(vec![half.clone()])).map(|refund| book.refunds[refund].amount);
        assert!(matches!(refund, Ok(amount) if amount == Amount::minor(131)), "{refund:?}");
    }
    assert_eq!(book.ask_for(Ask::Items(vec![half])).map_err(|r| r.code()), Err("part_exceeded"));
}

#[test]
fn a_tie_between_net_and_tax_falls_to_net() {
    let mut order = order("USD");
    line(&mut order, "odd", 1, 1, 1);
    pay(&mut order, "card", 2);
    check(&order, &amount("0.01"), "1 = 0:1+0 pro_rata | 0 1/1 |  | 0");
}

#[test]
fn only_what_was_fulfilled_is_captured() {
    let mut order = sold();
    order.capture = Capture::ByFulfilment;
    // Half of line 1, and the parts of the order as a whole; the fee belongs to a line that waits.
    check(
        &order,
        &amount("6.53"),
        "653 = 1:250+13 remaining, 2:300+30 remaining, 3:40+0 remaining, 4:20+0 remaining | 0 653/653 |  | 0",
    );
    check(&order, &amount("6.54"), "refundable_exceeded: 654 of 653");
}

#[test]
fn payments_give_back_in_order_and_by_their_kind() {
    let mut order = sold();
    order.payments[1].kind = PaymentKind::CashOnDelivery;
    let first = |name: &str| RefundRequest { plan: Plan::InOrder(vec![by_name(name)]), ..shipping() };
    check(&order, &first("voucher"), "330 = 2:300+30 remaining | 1 330/330 outside |  | 0");
    order.payments[0].captured = Amount::minor(5);
    order.payments[0].own_captured = Amount::minor(5);
    check(&order, &shipping(), "330 = 2:300+30 remaining | 0 5/5, 1 325/325 outside |  | 0");
    let leg = LegAsk {
        payment: None,
        channel: "CARD".to_owned(),
        amount: dec("3.30"),
        amount_in: AmountIn::Books,
        currency: CurrencyAsk::ShopAssumed,
        outside: true,
    };
    order.payments[0] = sold().payments[0].clone();
    order.payments[1].channel = "cash".to_owned();
    let named = RefundRequest { plan: Plan::Named(vec![leg]), ..shipping() };
    check(&order, &named, "330 = 2:300+30 remaining | 0 330/330 outside |  | 0");
}

fn shipping() -> RefundRequest {
    parts(Total::Derived, Vec::new(), vec![(Target::Shipping, PartMoney::Remaining)])
}

#[test]
fn both_currencies_of_a_payment_follow_their_running_sums() {
    let mut order = order("USD");
    line(&mut order, "item", 1, 300, 0);
    pay(&mut order, "card", 300);
    order.payments[0].own_currency = Currency::parse("JPY").expect("a currency");
    order.payments[0].own_captured = Amount::minor(100);
    let mut book = Book::open(order);
    for own in [33, 34, 33] {
        let refund = book.ask(&amount("1.00")).expect("a third");
        assert_eq!(book.refunds[refund].legs[0].own_amount, Amount::minor(own));
    }
}
