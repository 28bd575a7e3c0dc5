//! Payment slips: paid for good, never above what is open, never lowered, and refunded only once they are paid.

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use arbtest::arbtest;

use super::random::{any_order, any_request};
use super::world::{by_name, dec, foreign_pay, line, order, pay};
use crate::balances::Facts;
use crate::command::{AmountIn, Ask, CreateRefund, CurrencyAsk, LegAsk, Parts, Plan, RefundRequest, Total};
use crate::decide::{accept, decide};
use crate::journal::opening;
use crate::life::Life;
use crate::money::{Amount, AmountError, Currency};
use crate::order::{Dialect, Id, Order, PaymentKind, Reference, ShopMoney, Status};
use crate::parcels::Fault;
use crate::paying::{self, Transaction};
use crate::rejection::Rejection;
use crate::slips::SlipState::{Failed, Paid, Unpaid};
use crate::slips::{SlipBook, SlipChange, SlipDraft, SlipFault, SlipState, slips};

/// 2 × 20.00 shirts and 3 × 10.00 mugs.
fn shop() -> Order {
    let mut order = order("USD");
    line(&mut order, "shirt", 2, 4_000, 0);
    line(&mut order, "mug", 3, 3_000, 0);
    order
}

fn draft(amount: &str, state: SlipState) -> SlipDraft {
    SlipDraft {
        order: by_name("T1"),
        amount: dec(amount),
        currency: Some("USD".to_owned()),
        state,
        channel: "customPay".to_owned(),
        name: "Bank".to_owned(),
        reference: "1C4".to_owned(),
        created_ms: Some(3),
        happened_ms: Some(5),
    }
}

fn change(slip: Id, amount: Option<&str>, state: Option<SlipState>) -> SlipChange {
    SlipChange {
        order: by_name("T1"),
        slip: Reference { text: slip.to_string(), ours: Some(slip) },
        amount: amount.map(dec),
        currency: None,
        state,
        reference: None,
        created_ms: None,
        happened_ms: None,
    }
}

/// Numbers from 1000 on.
fn numbers() -> impl FnMut() -> Id {
    let mut last = 999;
    move || {
        last += 1;
        last
    }
}

/// An order as the writer keeps it.
struct Kept {
    facts: Facts,
    told: Vec<Transaction>,
}

impl Kept {
    fn new(order: Order) -> Self {
        Self { facts: Facts::fresh(order), told: Vec::new() }
    }

    /// Runs something on its book, and keeps what came of it where nothing was refused.
    fn book(&mut self, run: impl FnOnce(&mut SlipBook) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut book = SlipBook::open(&self.facts, self.told.clone());
        run(&mut book)?;
        let booked = book.close();
        for told in booked.changed {
            let known = self.told.iter_mut().find(|known| known.id == told.id).expect("only what is kept changes");
            *known = told;
        }
        self.told.extend(booked.made);
        if let Some(order) = booked.order {
            let posted: i64 = opening(Some(&self.facts.order), &order).iter().map(|p| p.amount.get()).sum();
            assert_eq!(posted, 0, "an entry balances");
            self.facts.balances.fit(&order);
            self.facts.order = order.into();
        }
        Ok(())
    }

    fn make(&mut self, drafts: &[SlipDraft], next: &mut dyn FnMut() -> Id) -> Result<(), Fault> {
        self.book(|book| drafts.iter().enumerate().try_for_each(|(i, d)| book.make(i, d, 9, next).map(|_| ())))
    }

    fn change(&mut self, changes: &[SlipChange], next: &mut dyn FnMut() -> Id) -> Result<(), Fault> {
        self.book(|book| changes.iter().enumerate().try_for_each(|(i, c)| book.change(i, c, 9, next).map(|_| ())))
    }

    /// State, amount and what is captured of each slip.
    fn states(&self) -> Vec<(SlipState, i64, i64)> {
        let captured = |payment: usize| self.facts.order.payments[payment].captured.get();
        slips(&self.facts, &self.told).iter().map(|s| (s.state, s.amount.get(), captured(s.payment))).collect()
    }
}

fn usd() -> Currency {
    Currency::parse("USD").expect("a currency")
}

fn too_much(asked: i64, open: i64) -> Fault {
    Fault::PaysTooMuch { asked: Amount::minor(asked), open: Amount::minor(open), currency: usd() }
}

#[test]
fn slips_are_made_within_what_is_open() {
    let not_positive =
        |entry, amount: &str| Fault::AmountInvalid { entry, amount: dec(amount), why: AmountError::NotPositive };
    for (drafts, expected) in [
        (vec![draft("70.00", Paid)], Ok(vec![(Paid, 7_000, 7_000)])),
        (vec![draft("70", Unpaid)], Ok(vec![(Unpaid, 7_000, 0)])),
        (vec![draft("70.01", Paid)], Err(too_much(7_001, 7_000))),
        (vec![draft("70.01", Unpaid)], Err(too_much(7_001, 7_000))),
        // What failed takes nothing, so it is only told of.
        (vec![draft("70.01", Failed)], Ok(vec![(Failed, 7_001, 0)])),
        (vec![draft("50", Paid), draft("20.01", Paid)], Err(too_much(2_001, 2_000))),
        (vec![draft("50", Paid), draft("20", Paid)], Ok(vec![(Paid, 5_000, 5_000), (Paid, 2_000, 2_000)])),
        // Two that wait may stand for the same money: only one of them can be paid whole.
        (vec![draft("70", Unpaid), draft("70", Unpaid)], Ok(vec![(Unpaid, 7_000, 0), (Unpaid, 7_000, 0)])),
        (vec![draft("70", Paid), draft("0.01", Unpaid)], Err(too_much(1, 0))),
        (vec![draft("1", Paid), draft("0", Paid)], Err(not_positive(1, "0"))),
        (vec![draft("-1", Failed)], Err(not_positive(0, "-1"))),
        (
            vec![draft("1.005", Paid)],
            Err(Fault::AmountInvalid { entry: 0, amount: dec("1.005"), why: AmountError::TooManyDecimals(2) }),
        ),
        (
            vec![SlipDraft { currency: Some("EUR".to_owned()), ..draft("1", Paid) }],
            Err(Fault::Slip(SlipFault::Currency { wanted: usd() })),
        ),
        (vec![SlipDraft { currency: None, ..draft("1", Unpaid) }], Ok(vec![(Unpaid, 100, 0)])),
    ] {
        let mut kept = Kept::new(shop());
        let made = kept.make(&drafts, &mut numbers()).map(|()| kept.states());
        assert_eq!(made, expected, "{drafts:?}");
        let count = expected.map_or(0, |slips| slips.len());
        assert_eq!((kept.facts.order.payments.len(), kept.told.len()), (count, count), "all or nothing");
    }
}

#[test]
fn a_slip_is_a_payment_with_a_transaction() {
    let mut kept = Kept::new(shop());
    kept.make(&[draft("70", Paid)], &mut numbers()).unwrap();
    let payment = &kept.facts.order.payments[0];
    assert_eq!((payment.id, payment.kind, &*payment.gateway), (1000, PaymentKind::Custom, "manual"));
    assert_eq!((&*payment.channel, &*payment.reference), ("customPay", "1C4"));
    assert_eq!((kept.facts.order.life.placed_ms, kept.facts.order.updated_ms), (Some(5), 9));
    let sale = &kept.told[0];
    assert_eq!((sale.id, sale.payment, &*sale.name, &*sale.trade_id), (1001, Some(1000), "Bank", "1C4"));
    assert_eq!((sale.created_ms, sale.updated_ms, sale.amount.get()), (3, 5, 7_000));
    let mut waiting = Kept::new(shop());
    waiting.make(&[draft("70", Unpaid)], &mut numbers()).unwrap();
    assert_eq!(waiting.facts.order.life.placed_ms, None);
}

#[test]
fn no_slip_is_made_for_an_order_that_was_called_off_or_has_its_payments() {
    let mut off = Kept::new(Order { status: Status::Cancelled, ..shop() });
    for state in [Unpaid, Paid, Failed] {
        assert_eq!(off.make(&[draft("1", state)], &mut numbers()), Err(Fault::OrderCancelled));
    }
    let mut full = Kept::new(shop());
    let many = vec![draft("0.01", Unpaid); 101];
    assert!(matches!(full.make(&many, &mut numbers()), Err(Fault::Order(_))));
    assert_eq!(full.facts.order.payments.len(), 0);
}

/// A slip of 30.00 and one of 40.00; payments 1000 and 1002.
fn two(first: SlipState, second: SlipState) -> Kept {
    let mut kept = Kept::new(shop());
    kept.make(&[draft("30", first), draft("40", second)], &mut numbers()).unwrap();
    kept
}

#[test]
fn a_paid_slip_stays_paid_and_only_grows() {
    let named = || "1000".to_owned();
    for (asked, expected) in [
        (change(1000, None, Some(Unpaid)), Err(Fault::Slip(SlipFault::Paid(named())))),
        (change(1000, None, Some(Failed)), Err(Fault::Slip(SlipFault::Paid(named())))),
        (change(1000, Some("29.99"), None), Err(Fault::Slip(SlipFault::Lowered(named())))),
        (change(1000, Some("29.99"), Some(Unpaid)), Err(Fault::Slip(SlipFault::Paid(named())))),
        (change(1000, Some("30.00"), Some(Paid)), Ok((Paid, 3_000, 3_000))),
        (change(1000, Some("35"), None), Ok((Paid, 3_500, 3_500))),
        (change(1000, Some("70"), Some(Paid)), Ok((Paid, 7_000, 7_000))),
        (change(1000, Some("70.01"), None), Err(too_much(4_001, 4_000))),
        (
            SlipChange { currency: Some("EUR".to_owned()), ..change(1000, None, None) },
            Err(Fault::Slip(SlipFault::Currency { wanted: usd() })),
        ),
    ] {
        let mut kept = two(Paid, Unpaid);
        let changed = kept.change(std::slice::from_ref(&asked), &mut numbers()).map(|()| kept.states()[0]);
        assert_eq!(changed, expected, "{asked:?}");
        let told: Vec<i64> = kept.told.iter().map(|t| t.amount.get()).collect();
        assert_eq!(told[0], kept.states()[0].2, "its transaction tells the same");
    }
}

#[test]
fn what_is_not_paid_may_become_anything_within_what_is_open() {
    for (asked, expected) in [
        (change(1002, None, Some(Paid)), Ok((Paid, 4_000, 4_000))),
        (change(1002, Some("10"), Some(Paid)), Ok((Paid, 1_000, 1_000))),
        (change(1002, Some("41"), Some(Paid)), Err(too_much(4_100, 4_000))),
        (change(1002, Some("41"), None), Err(too_much(4_100, 4_000))),
        (change(1002, Some("41"), Some(Failed)), Ok((Failed, 4_100, 0))),
        (change(1002, Some("5"), None), Ok((Unpaid, 500, 0))),
        (change(1002, None, None), Ok((Unpaid, 4_000, 0))),
    ] {
        let mut kept = two(Paid, Unpaid);
        let changed = kept.change(std::slice::from_ref(&asked), &mut numbers()).map(|()| kept.states()[1]);
        assert_eq!(changed, expected, "{asked:?}");
    }
    let mut again = two(Unpaid, Failed);
    again.change(&[change(1002, None, Some(Unpaid)), change(1002, None, Some(Paid))], &mut numbers()).unwrap();
    assert_eq!(again.states()[1], (Paid, 4_000, 4_000), "what failed may be tried again");
    let both = [change(1000, None, Some(Paid)), change(1002, Some("40.01"), Some(Paid))];
    let mut kept = two(Unpaid, Unpaid);
    assert_eq!(kept.change(&both, &mut numbers()), Err(too_much(4_001, 4_000)));
    assert_eq!(kept.states(), [(Unpaid, 3_000, 0), (Unpaid, 4_000, 0)], "all or nothing");
}

#[test]
fn a_change_that_changes_nothing_touches_nothing() {
    let kept = two(Paid, Unpaid);
    let mut book = SlipBook::open(&kept.facts, kept.told.clone());
    for asked in
        [change(1000, Some("30"), Some(Paid)), change(1002, Some("40"), Some(Unpaid)), change(1002, None, None)]
    {
        book.change(0, &asked, 50, &mut numbers()).unwrap();
    }
    let booked = book.close();
    assert_eq!((booked.order, booked.made, booked.changed), (None, vec![], vec![]));
    let mut renamed = two(Paid, Unpaid);
    let asked = SlipChange { reference: Some("9Z".to_owned()), happened_ms: Some(40), ..change(1000, None, None) };
    renamed.change(&[asked], &mut numbers()).unwrap();
    assert_eq!(renamed.facts.order.payments[0].reference, "9Z");
    assert_eq!((&*renamed.told[0].trade_id, renamed.told[0].updated_ms), ("9Z", 40));
    assert_eq!(renamed.states()[0], (Paid, 3_000, 3_000));
}

#[test]
fn an_order_that_was_called_off_only_hears_of_failure() {
    let mut off = two(Paid, Unpaid);
    off.facts.order = Order { status: Status::Cancelled, ..Order::clone(&off.facts.order) }.into();
    for asked in [change(1002, None, Some(Paid)), change(1002, Some("1"), None), change(1000, Some("31"), None)] {
        assert_eq!(off.change(&[asked], &mut numbers()), Err(Fault::OrderCancelled));
    }
    off.change(&[change(1002, None, Some(Failed))], &mut numbers()).unwrap();
    assert_eq!(off.states()[1], (Failed, 4_000, 0));
}

#[test]
fn only_payments_made_outside_are_changed_by_hand() {
    let mut order = shop();
    pay(&mut order, "card", 1_000);
    pay(&mut order, "cash", 0);
    order.payments[1].kind = PaymentKind::CashOnDelivery;
    let mut kept = Kept::new(order);
    let named = |name: &str| SlipChange { slip: by_name(name), ..change(0, None, Some(Paid)) };
    let through = Fault::Slip(SlipFault::ThroughGateway("card".to_owned()));
    assert_eq!(kept.change(&[named("card")], &mut numbers()), Err(through));
    let unknown = Fault::Slip(SlipFault::Unknown("nobody".to_owned()));
    assert_eq!(kept.change(&[named("nobody")], &mut numbers()), Err(unknown));
    assert_eq!(kept.states(), [(Paid, 1_000, 1_000), (Unpaid, 6_000, 0)], "cash stands for what is open");
    kept.change(&[named("cash")], &mut numbers()).unwrap();
    assert_eq!(kept.states()[1], (Paid, 6_000, 6_000));
    assert_eq!(kept.told.len(), 1, "it is told of now");
}

#[test]
fn a_slip_that_stood_for_what_was_open_cannot_be_paid_with_nothing() {
    let mut order = shop();
    pay(&mut order, "card", 7_000);
    pay(&mut order, "cash", 0);
    order.payments[1].kind = PaymentKind::CashOnDelivery;
    let mut kept = Kept::new(order);
    let asked = SlipChange { slip: by_name("cash"), ..change(0, None, Some(Paid)) };
    let zero = Fault::AmountInvalid { entry: 0, amount: dec("0"), why: AmountError::NotPositive };
    assert_eq!(kept.change(&[asked], &mut numbers()), Err(zero));
}

#[test]
fn a_slip_in_another_currency_is_named_by_it_and_never_grows() {
    let mut order = shop();
    foreign_pay(&mut order, "bank", 1_000, "EUR", 900);
    order.payments[0].kind = PaymentKind::Custom;
    let mut kept = Kept::new(order);
    let eur = Currency::parse("EUR").expect("a currency");
    let asked = |amount: &str, code: &str| SlipChange {
        slip: by_name("bank"),
        currency: Some(code.to_owned()),
        ..change(0, Some(amount), Some(Paid))
    };
    kept.change(&[asked("9", "eur")], &mut numbers()).unwrap();
    for (asked, fault) in [
        (asked("9", "USD"), SlipFault::Currency { wanted: eur }),
        (asked("8.99", "EUR"), SlipFault::Lowered("bank".to_owned())),
        (asked("9.01", "EUR"), SlipFault::Currency { wanted: usd() }),
    ] {
        assert_eq!(kept.change(&[asked], &mut numbers()), Err(Fault::Slip(fault)));
    }
}

fn refund_to(payment: Id, amount: &str) -> RefundRequest {
    let leg = LegAsk {
        payment: Some(Reference { text: payment.to_string(), ours: Some(payment) }),
        channel: String::new(),
        amount: dec(amount),
        amount_in: AmountIn::Own,
        currency: CurrencyAsk::Unsaid,
        outside: true,
    };
    let parts = Parts { total: Total::OfPayments, ..Parts::default() };
    RefundRequest { plan: Plan::Named(vec![leg]), ..RefundRequest::of(Ask::Parts(parts)) }
}

#[test]
fn nothing_goes_back_through_a_slip_that_was_not_paid() {
    for state in [Unpaid, Failed] {
        let kept = two(Paid, state);
        let refused = decide(&kept.facts, &refund_to(1002, "0.01"));
        assert!(matches!(refused, Err(Rejection::PaymentExceeded { .. })), "{refused:?}");
        assert!(decide(&kept.facts, &refund_to(1000, "30")).is_ok());
        let none = two(state, state);
        assert_eq!(decide(&none.facts, &refund_to(1000, "0.01")), Err(Rejection::OrderUnpaid));
    }
    let mut kept = two(Paid, Unpaid);
    kept.change(&[change(1002, None, Some(Paid))], &mut numbers()).unwrap();
    assert!(decide(&kept.facts, &refund_to(1002, "40")).is_ok());
}

/// One random thing that happens to an order with its slips.
fn step(u: &mut Unstructured<'_>, kept: &mut Kept, next: &mut dyn FnMut() -> Id) -> Arbitrary<()> {
    let state = *u.choose(&[Unpaid, Paid, Failed])?;
    let amount = format!("{}.{:02}", u.int_in_range(0..=40)?, u.int_in_range(0..=99)?);
    let payments = kept.facts.order.payments.len();
    match u.int_in_range(0..=2)? {
        0 => {
            let draft = SlipDraft { currency: None, ..draft(&amount, state) };
            drop(kept.make(&[draft], next));
        }
        1 if payments > 0 => {
            let id = kept.facts.order.payments[u.choose_index(payments)?].id;
            let amount = if u.arbitrary()? { Some(&*amount) } else { None };
            let state = if u.arbitrary()? { Some(state) } else { None };
            drop(kept.change(&[change(id, amount, state)], next));
        }
        _ => {
            let request = any_request(u, &kept.facts)?;
            if let Ok(quote) = decide(&kept.facts, &request) {
                let command = CreateRefund::new(by_name("T1"), Dialect::Native, request);
                kept.facts.balances = accept(&kept.facts, &command, quote, 9, next).balances;
            }
        }
    }
    Ok(())
}

#[test]
fn no_history_takes_a_paid_slip_back_or_captures_more_than_was_open() {
    arbtest(|u| {
        let order = any_order(u)?;
        let mut kept = Kept::new(Order { life: Life::default(), ..order });
        let mut next = numbers();
        let most = kept.facts.order.charged().max(kept.facts.order.captured());
        for _ in 0..u.int_in_range(1..=12)? {
            let before: Vec<Amount> = kept.facts.order.payments.iter().map(|payment| payment.captured).collect();
            step(u, &mut kept, &mut next)?;
            let order = &kept.facts.order;
            order.validate().expect("a valid order");
            assert!(order.captured() <= most);
            assert!(before.iter().zip(&order.payments).all(|(was, is)| *was <= is.captured), "never lowered");
            assert!(kept.facts.balances.payments.iter().zip(&order.payments).all(|(p, of)| p.held() <= of.captured));
            for slip in slips(&kept.facts, &kept.told) {
                let payment = &order.payments[slip.payment];
                let captured = payment.captured.is_positive() || payment.own_captured.is_positive();
                assert!(!captured || slip.state == Paid);
            }
            let ids: std::collections::BTreeSet<Id> = kept.told.iter().map(|t| t.id).collect();
            assert_eq!(ids.len(), kept.told.len());
            assert!(paying::shown(&kept.facts, &kept.told).len() >= order.payments.len());
        }
        Ok(())
    });
}

#[test]
fn what_failed_can_be_shown_in_the_stores_currency() {
    let mut order = shop();
    order.shop = Some(ShopMoney { currency: Currency::parse("VND").expect("a currency"), rate: dec("25000") });
    let mut kept = Kept::new(order);
    let next = &mut numbers();
    let too_large = |amount: &str| {
        let why = AmountError::TooLarge;
        Err(Fault::AmountInvalid { entry: 0, amount: dec(amount), why })
    };
    assert_eq!(kept.make(&[draft("40000000000.01", Failed)], next), too_large("40000000000.01"));
    assert_eq!(kept.make(&[draft("40000000000", Failed)], next), Ok(()));
    let slip = kept.facts.order.payments[0].id;
    assert_eq!(kept.change(&[change(slip, Some("40000000000.01"), None)], next), too_large("40000000000.01"));
    assert_eq!(kept.states(), [(Failed, 4_000_000_000_000, 0)]);
}
