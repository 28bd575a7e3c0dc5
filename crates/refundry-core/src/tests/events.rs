//! What each change of an order is told as: a row a change.

use super::book::Book;
use super::world::{line, order, pay};
use crate::balances::Facts;
use crate::command::Ask;
use crate::decide::News;
use crate::event::EventKind::{
    OrderCancelled, OrderCreated, OrderDeleted, OrderFinished, OrderFulfilled, OrderPaid, OrderPartlyFulfilled,
    OrderPartlyRefunded, OrderRefunded, OrderUpdated, RefundCreated, RefundUpdated,
};
use crate::event::{EventKind, Snapshot, events, of_refund, refunds_then};
use crate::money::{Amount, Currency};
use crate::order::{Order, Payment, PaymentKind, Status};
use crate::refund::{LegState, Refund, RefundState};

/// Ten units at 1.00.
fn unpaid() -> Facts {
    let mut order = order("USD");
    line(&mut order, "cup", 10, 1_000, 0);
    Facts::fresh(order)
}

fn captured(minor: i64) -> Payment {
    let usd = Currency::parse("USD").expect("a currency");
    Payment {
        id: 200,
        external_id: None,
        channel: "card".to_owned(),
        method: String::new(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        reference: String::new(),
        account: String::new(),
        captured: Amount::minor(minor),
        own_currency: usd,
        own_captured: Amount::minor(minor),
    }
}

/// The order after a change of it, its balances as they were.
fn with(facts: &Facts, change: impl FnOnce(&mut Order)) -> Facts {
    let mut order = Order::clone(&facts.order);
    change(&mut order);
    let mut balances = facts.balances.clone();
    balances.fit(&order);
    Facts::new(order.into(), balances)
}

/// The order after money moved: on its way, and arrived.
fn refunded(facts: &Facts, pending: i64, succeeded: i64) -> Facts {
    let mut after = facts.clone();
    after.balances.refunds = 1;
    after.balances.payments[0].pending = Amount::minor(pending);
    after.balances.payments[0].succeeded = Amount::minor(succeeded);
    after
}

fn told(before: Option<&Facts>, after: &Facts) -> Vec<EventKind> {
    events(before.map(Snapshot::of).as_ref(), &Snapshot::of(after))
}

#[test]
fn each_change_is_told_as_what_it_means_and_as_an_update_last() {
    let unpaid = unpaid();
    let half = with(&unpaid, |o| o.payments = vec![captured(500)]);
    let paid = with(&unpaid, |o| o.payments = vec![captured(1_000)]);
    let shipped = |units| with(&paid, move |o| o.lines[0].shipped = units);
    let delivered = |units| with(&shipped(10), move |o| o.life.delivered = vec![units]);
    let cancelled = with(&unpaid, |o| o.status = Status::Cancelled);
    let mut rest_refunded = refunded(&shipped(4), 0, 600);
    rest_refunded.balances.lines[0].waiting = 6;
    let noted = with(&paid, |o| o.life.closed_ms = Some(5));
    let rows: [(&str, Facts, Facts, &[EventKind]); 18] = [
        ("half paid", unpaid.clone(), half.clone(), &[OrderUpdated]),
        ("paid", unpaid.clone(), paid.clone(), &[OrderPaid, OrderUpdated]),
        ("the other half paid", half, paid.clone(), &[OrderPaid, OrderUpdated]),
        ("some shipped", paid.clone(), shipped(4), &[OrderPartlyFulfilled, OrderUpdated]),
        ("some more shipped", shipped(4), shipped(7), &[OrderPartlyFulfilled, OrderUpdated]),
        ("the rest shipped", shipped(7), shipped(10), &[OrderFulfilled, OrderUpdated]),
        ("some delivered", shipped(10), delivered(4), &[OrderUpdated]),
        ("all delivered", delivered(4), delivered(10), &[OrderFinished, OrderUpdated]),
        ("shipped and delivered at once", paid.clone(), delivered(10), &[OrderFulfilled, OrderFinished, OrderUpdated]),
        ("money on its way", paid.clone(), refunded(&paid, 300, 0), &[OrderUpdated]),
        ("some arrived", refunded(&paid, 300, 0), refunded(&paid, 0, 300), &[OrderPartlyRefunded, OrderUpdated]),
        ("all arrived", refunded(&paid, 700, 300), refunded(&paid, 0, 1_000), &[OrderRefunded, OrderUpdated]),
        ("it failed", refunded(&paid, 300, 0), refunded(&paid, 0, 0), &[OrderUpdated]),
        ("it came back", refunded(&paid, 0, 300), refunded(&paid, 0, 0), &[OrderUpdated]),
        (
            "what waited is refunded, so all is shipped",
            shipped(4),
            rest_refunded,
            &[OrderFulfilled, OrderPartlyRefunded, OrderUpdated],
        ),
        ("called off", unpaid.clone(), cancelled.clone(), &[OrderCancelled, OrderUpdated]),
        ("called off already", cancelled.clone(), with(&cancelled, |o| o.life.closed_ms = Some(5)), &[OrderUpdated]),
        ("put away", paid.clone(), noted, &[OrderUpdated]),
    ];
    for (what, before, after, expected) in rows {
        assert_eq!(told(Some(&before), &after), expected, "{what}");
    }
}

#[test]
fn an_order_that_comes_in_is_told_as_created_and_paid_and_its_history_is_not_told() {
    let unpaid = unpaid();
    let done = with(&unpaid, |o| {
        o.payments = vec![captured(1_000)];
        o.lines[0].shipped = 10;
    });
    assert_eq!(told(None, &unpaid), [OrderCreated]);
    assert_eq!(told(None, &done), [OrderCreated, OrderPaid]);
    assert_eq!(told(None, &refunded(&done, 0, 1_000)), [OrderCreated, OrderPaid]);
}

#[test]
fn an_order_that_is_deleted_is_told_as_that_alone() {
    let unpaid = unpaid();
    let deleted = with(&unpaid, |o| {
        o.life.deleted_ms = Some(9);
        o.status = Status::Cancelled;
    });
    assert_eq!(told(Some(&unpaid), &deleted), [OrderDeleted]);
    // Its books go on, and whoever keeps an eye on the money hears of it.
    assert_eq!(told(Some(&deleted), &with(&deleted, |o| o.life.closed_ms = Some(9))), [OrderUpdated]);
}

#[test]
fn every_kind_has_a_code_of_its_own() {
    for kind in EventKind::ALL {
        assert_eq!(EventKind::parse(kind.code()), Some(kind));
    }
    assert_eq!(EventKind::parse("order_eaten"), None);
}

fn amount_of(text: &str) -> Ask {
    Ask::Amount { amount: super::world::dec(text), class: None }
}

#[test]
fn a_refund_is_told_when_it_is_made_and_when_a_leg_of_it_ends_or_is_open_again() {
    let mut book = Book::open(paid_order());
    let made = book.ask_for(amount_of("3.00")).expect("it can be refunded");
    let first = book.refunds[made].clone();
    assert_eq!(of_refund(None, &first), Some(RefundCreated));
    let succeeded = News::Succeeded { reference: "r1".to_owned() };
    let failed = News::Failed { code: "card_gone".to_owned(), message: String::new() };
    let rows: [(&str, News, Option<EventKind>); 5] = [
        ("on its way", News::Sent { reference: "r1".to_owned() }, None),
        ("nobody knows", News::GivenUp { reason: "no answer".to_owned() }, None),
        ("arrived", succeeded.clone(), Some(RefundUpdated)),
        ("came back", failed, Some(RefundUpdated)),
        ("arrived, said too late", succeeded, None),
    ];
    for (what, news, expected) in rows {
        let before = book.refunds[made].clone();
        book.news(made, 0, &news);
        assert_eq!(of_refund(Some(&before), &book.refunds[made]), expected, "{what}");
    }
}

/// Ten units at 1.00, paid.
fn paid_order() -> Order {
    let mut order = order("USD");
    line(&mut order, "cup", 10, 1_000, 0);
    pay(&mut order, "card", 1_000);
    order
}

#[test]
fn refunds_are_shown_as_they_were_at_any_moment_before() {
    let mut book = Book::open(paid_order());
    // What was known after each step: the facts, and the states of the refunds by then.
    let mut seen: Vec<(Facts, Vec<RefundState>)> = Vec::new();
    let look = |book: &Book| (book.facts.clone(), book.refunds.iter().map(Refund::state).collect::<Vec<_>>());
    seen.push(look(&book));
    for text in ["3.00", "2.00", "3.00"] {
        book.ask_for(amount_of(text)).expect("it can be refunded");
        seen.push(look(&book));
    }
    let failed = News::Failed { code: "card_gone".to_owned(), message: String::new() };
    let arrived = News::Succeeded { reference: "r".to_owned() };
    for (refund, news) in [(1, arrived.clone()), (2, failed), (0, arrived)] {
        assert!(book.news(refund, 0, &news));
        book.pass(10);
        seen.push(look(&book));
    }
    for (step, (facts, states)) in seen.iter().enumerate() {
        let then = refunds_then(facts, book.refunds.clone());
        let shown: Vec<RefundState> = then.iter().map(Refund::state).collect();
        assert_eq!(shown, *states, "after step {step}");
        let open = then.iter().flat_map(|r| &r.legs).filter(|leg| leg.state == LegState::Waiting);
        assert_eq!(open.map(|leg| leg.amount).sum::<Amount>(), facts.balances.pending(), "after step {step}");
        let failed = then.iter().filter(|refund| refund.state() == RefundState::Failed);
        assert!(then.iter().filter(|r| r.failed().is_zero()).all(|r| r.units.iter().all(|u| !u.reopened)));
        assert_eq!(failed.count(), usize::from(step >= 5), "after step {step}");
    }
}
