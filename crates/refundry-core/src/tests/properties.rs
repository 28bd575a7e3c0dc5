//! Properties over random orders and random histories: what must always hold is checked by [`Book`] after every step.

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;

use super::book::Book;
use super::random::{any_news, any_order, any_request, any_terms};
use super::world::by_name;
use crate::balances::Balances;
use crate::command::{Ask, Parts, UnitAsk, UnitMode};
use crate::decide::News;
use crate::money::Amount;
use crate::order::Capture;
use crate::payouts::Terms;
use crate::refund::{RefundState, Restock};
use crate::rejection::Rejection;
use crate::standing::{Tally, sent, standing, tally};

/// A request, or news of a leg.
pub(super) fn step(u: &mut Unstructured<'_>, book: &mut Book, failures: bool) -> Result<()> {
    if !book.refunds.is_empty() && u.ratio(1, 2)? {
        let refund = u.choose_index(book.refunds.len())?;
        let leg = u.choose_index(book.refunds[refund].legs.len())?;
        let news = any_news(u, failures)?;
        book.news(refund, leg, &news);
        return Ok(());
    }
    stands_where_lists_look(book);
    let request = any_request(u, &book.facts)?;
    let accepted = book.ask(&request);
    stands_where_lists_look(book);
    if failures && let Ok(refund) = accepted {
        let twice = u.ratio(1, 4)?;
        for _ in 0..u.int_in_range(0..=2)? {
            let leg = u.choose_index(book.refunds[refund].legs.len())?;
            let news = any_news(u, true)?;
            book.news(refund, leg, &news);
            assert!(!twice || !book.news(refund, leg, &news), "doubled news");
        }
    }
    Ok(())
}

/// Whatever happened before, everything takes the rest of every payment, in both its currencies.
fn finish(book: &mut Book) {
    let any_left = book.facts.any_payment_left();
    match book.ask_for(Ask::Everything) {
        Ok(_) => assert!(any_left),
        Err(Rejection::OrderUnpaid | Rejection::NothingLeft) => assert!(!book.facts.payments_left().is_positive()),
        Err(other) => panic!("everything is refused: {other:?}"),
    }
    for payment in 0..book.facts.order.payments.len() {
        assert!(book.facts.payment_left(payment).is_zero(), "payment {payment} is given back");
        let unpaid = book.facts.order.captured().is_zero();
        assert!(unpaid || book.facts.payment_own_left(payment).is_zero(), "payment {payment} in its own currency");
    }
    assert!(book.facts.components_left().is_zero() || book.refunds.is_empty() || !any_left);
}

/// Lists by a tally, or by how much was sent, begin with the states that may have it.
fn stands_where_lists_look(book: &Book) {
    let (facts, stands) = (&book.facts, standing(&book.facts));
    assert!(stands.money.tallies().contains(&tally(facts)), "{:?} is {:?}", stands.money, tally(facts));
    assert!(stands.goods.sent().contains(&sent(facts)), "{:?} is {:?}", stands.goods, sent(facts));
    let back = facts.balances.pending() + facts.balances.succeeded();
    assert_eq!(tally(facts) == Tally::Back, back.is_positive() && back >= facts.order.captured());
}

#[test]
fn any_history_keeps_the_books() {
    arbtest(|u| {
        let mut book = Book::open(any_order(u)?);
        for _ in 0..u.int_in_range(1..=8)? {
            if u.ratio(1, 4)? {
                book.facts.terms = any_terms(u)?;
            }
            step(u, &mut book, true)?;
        }
        // What gateways refuse stays for good; without them everything goes back.
        book.facts.terms = Terms::default();
        finish(&mut book);
        Ok(())
    })
    .size_min(128)
    .size_max(2_048)
    .budget_ms(500);
}

#[test]
fn disputes_hold_what_they_are_about_and_nothing_once_they_are_won() {
    arbtest(|u| {
        let mut book = Book::open(any_order(u)?);
        let payments = book.facts.order.payments.len();
        for _ in 0..u.int_in_range(1..=8)? {
            if u.ratio(1, 2)? {
                let payment = u.choose_index(payments)?;
                let captured = book.facts.order.payments[payment].own_captured.get();
                book.dispute(payment, u.int_in_range(0..=captured + 10)?);
            }
            step(u, &mut book, true)?;
            let before = book.facts.clone();
            if let Ok(refund) = book.ask_for(Ask::Everything) {
                for leg in &book.refunds[refund].legs {
                    assert!(leg.amount <= before.payment_left(leg.payment), "what is contested stays");
                }
            }
        }
        for payment in 0..payments {
            book.dispute(payment, 0);
        }
        finish(&mut book);
        Ok(())
    })
    .size_min(128)
    .size_max(2_048)
    .budget_ms(500);
}

/// The figures a refund moves, without its running number and time.
fn money(balances: &Balances) -> Balances {
    Balances { refunds: 0, updated_ms: 0, customized: false, ..balances.clone() }
}

#[test]
fn a_refund_that_fails_leaves_nothing_behind() {
    arbtest(|u| {
        let mut book = Book::open(any_order(u)?);
        for _ in 0..u.int_in_range(0..=3)? {
            step(u, &mut book, true)?;
        }
        let before = money(&book.facts.balances);
        let request = any_request(u, &book.facts)?;
        let Ok(refund) = book.ask(&request) else { return Ok(()) };
        let legs = book.refunds[refund].legs.len();
        let start = u.choose_index(legs)?;
        for leg in (start..legs).chain(0..start) {
            if u.ratio(1, 2)? {
                book.news(refund, leg, &News::Succeeded { reference: String::new() });
            }
            assert!(book.news(refund, leg, &News::Failed { code: "lost".to_owned(), message: String::new() }));
        }
        assert_eq!(book.refunds[refund].state(), RefundState::Failed);
        assert_eq!(money(&book.facts.balances), before);
        Ok(())
    })
    .size_min(128)
    .size_max(2_048)
    .budget_ms(250);
}

#[test]
fn shadows_of_the_shop_sum_to_the_shadow_of_the_sum() {
    arbtest(|u| {
        let mut book = Book::open(any_order(u)?);
        let Some(shop) = book.facts.order.shop else { return Ok(()) };
        for _ in 0..u.int_in_range(1..=5)? {
            step(u, &mut book, false)?;
        }
        finish(&mut book);
        for (index, held) in book.facts.balances.components.iter().enumerate() {
            let of_it = book.refunds.iter().flat_map(|r| &r.allocations).filter(|a| a.component == index);
            let sums = of_it.fold((Amount::ZERO, Amount::ZERO), |(net, tax), a| (net + a.shop.0, tax + a.shop.1));
            let currency = book.facts.order.currency;
            assert_eq!(sums, (shop.convert(held.net, currency), shop.convert(held.tax, currency)));
        }
        Ok(())
    })
    .size_min(128)
    .size_max(1_024)
    .budget_ms(150);
}

/// One unit of a line.
fn one_unit(line: usize) -> Ask {
    let unit = UnitAsk {
        line: by_name(&format!("l{line}")),
        quantity: Some(1),
        mode: UnitMode::Automatic,
        restock: Restock::No,
        location: String::new(),
    };
    Ask::Parts(Parts { units: vec![unit], ..Parts::default() })
}

#[test]
fn units_in_any_order_end_at_what_was_paid() {
    arbtest(|u| {
        let mut order = any_order(u)?;
        order.capture = Capture::Whole;
        for line in &mut order.lines {
            line.cancelled = 0;
        }
        // Enough money, so that only the shares decide; every share above zero, so that every unit can be asked for.
        let charged = order.charged();
        for payment in &mut order.payments {
            payment.captured = charged;
            payment.own_captured = charged;
            payment.own_currency = order.currency;
        }
        for component in order.components.iter_mut().take(order.lines.len()) {
            component.net += Amount::minor(5);
        }
        for payment in &mut order.payments {
            payment.captured += Amount::minor(15);
            payment.own_captured = payment.captured;
        }
        let mut units: Vec<usize> = order
            .lines
            .iter()
            .enumerate()
            .flat_map(|(i, l)| vec![i; usize::try_from(l.quantity).expect("few")])
            .collect();
        let mut book = Book::open(order);
        while !units.is_empty() {
            let line = units.swap_remove(u.choose_index(units.len())?);
            book.ask_for(one_unit(line)).expect("a unit is left");
        }
        for line in 0..book.facts.order.lines.len() {
            assert!(book.facts.component_left_gross(line).is_zero(), "line {line} is given back");
        }
        assert!(book.facts.balances.discrepancy.is_zero());
        Ok(())
    })
    .size_min(128)
    .size_max(512)
    .budget_ms(150);
}
