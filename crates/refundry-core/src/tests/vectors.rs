//! Digital River's published vectors (one line of two, 20.00 + 1.61 tax, shipping 5.00 + 0.40, fully captured).

use super::world::{by_name, dec, facts, line, order, part, pay, rounded};
use crate::balances::Facts;
use crate::command::{Ask, CreateRefund, ItemAsk, ItemMoney, ItemName};
use crate::decide::{accept, decide};
use crate::order::{ComponentKind, Dialect};
use crate::refund::Class;

fn published() -> Facts {
    let mut order = order("USD");
    line(&mut order, "item", 2, 2000, 161);
    part(&mut order, ComponentKind::Shipping, Some(0), 500, 40);
    pay(&mut order, "card", 2701);
    facts(order)
}

/// Refund, order availability after, item availability after; or the code of the refusal.
#[track_caller]
fn check(ask: Ask, expected: Result<(i64, i64, i64), &str>) {
    let mut facts = published();
    let request = rounded(ask);
    let outcome = decide(&facts, &request).map(|quote| {
        let command = CreateRefund::new(by_name("T1"), Dialect::DigitalRiver, request.clone());
        let mut next = 1000;
        let decision = accept(&facts, &command, quote, 5, &mut || {
            next += 1;
            next
        });
        let amount = decision.refund.amount.get();
        facts.balances = decision.balances;
        (amount, facts.available().get(), facts.component_left_gross(0).get())
    });
    assert_eq!(outcome.as_ref().map_err(crate::rejection::Rejection::code).copied(), expected);
}

fn percent(text: &str, class: Option<Class>) -> Ask {
    Ask::Percent { percent: dec(text), class }
}

fn amount(text: &str) -> Ask {
    Ask::Amount { amount: dec(text), class: None }
}

#[test]
fn percentages_and_types_come_to_the_published_figures() {
    check(percent("50", None), Ok((1351, 1350, 1080)));
    check(percent("100", None), Ok((2701, 0, 0)));
    check(percent("100", Some(Class::Tax)), Ok((201, 2500, 2000)));
    check(percent("100", Some(Class::Shipping)), Ok((540, 2161, 2161)));
    check(percent("75", Some(Class::Shipping)), Ok((405, 2296, 2161)));
    check(percent("50", Some(Class::Tax)), Err("tax_only_whole"));
}

#[test]
fn amounts_stop_at_what_is_available() {
    check(amount("27.01"), Ok((2701, 0, 0)));
    check(amount("27.02"), Err("refundable_exceeded"));
    check(amount("0"), Err("amount_invalid"));
}

#[test]
fn items_return_goods_with_their_tax() {
    let item = |quantity, money| ItemAsk { item: ItemName::Id(by_name("item")), quantity, money, part: None };
    check(Ask::Items(vec![item(Some(2), ItemMoney::Percent(dec("100")))]), Ok((2161, 540, 0)));
    check(Ask::Items(vec![item(Some(2), ItemMoney::Amount(dec("10.805")))]), Ok((2161, 540, 0)));
    check(Ask::Items(vec![item(Some(3), ItemMoney::Percent(dec("100")))]), Err("quantity_exceeded"));
    check(Ask::Items(vec![item(None, ItemMoney::Amount(dec("21.62")))]), Err("part_exceeded"));
}
