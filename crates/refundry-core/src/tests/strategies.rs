//! Which payments give how much: strategies and the limits of gateways, worked out on paper.
//!
//! Payments are written `name captured words`, in minor units: `gift` and `cash` are kinds, `held=N` is on its way back
//! already, and `full`, `once`, `min=N`, `days=N` are what its gateway takes. A request is `amount strategy`, perhaps
//! with the payments that go first. It is asked on day 40 of the order.

use std::sync::Arc;

use super::book::Book;
use super::world::{by_name, dec, foreign_pay, line, order, pay};
use crate::balances::Facts;
use crate::command::{AmountIn, Ask, CurrencyAsk, LegAsk, Plan, RefundRequest};
use crate::decide::{News, decide};
use crate::money::{Amount, Decimal};
use crate::order::{Order, PaymentKind};
use crate::payouts::{GatewayLimits, PaymentLimit, Payouts, Strategy, Terms};
use crate::quote::{Quote, alternatives};
use crate::refund::Route;
use crate::rejection::Rejection;

const DAY_MS: i64 = 86_400_000;

/// Takes everything.
const FREE: GatewayLimits =
    GatewayLimits { partial: true, several_per_payment: true, minimum_minor: 0, deadline_days: None };

/// Facts of an order that cost far more than was paid for it.
fn paid_by(payments: &str) -> Facts {
    let mut order = order("USD");
    line(&mut order, "thing", 1, 1_000_000, 0);
    let mut payouts = Payouts::default();
    let mut held = Vec::new();
    for payment in payments.split("; ") {
        let mut words = payment.split(' ');
        let name = words.next().expect("a name");
        pay(&mut order, name, words.next().and_then(|w| w.parse().ok()).expect("what it captured"));
        let (mut limits, mut taken) = (FREE, 0);
        let payment = order.payments.last_mut().expect("it was just added");
        payment.gateway = name.to_owned();
        for word in words {
            match word.split_once('=') {
                None if word == "gift" => payment.kind = PaymentKind::GiftCard,
                None if word == "cash" => payment.kind = PaymentKind::CashOnDelivery,
                None if word == "full" => limits.partial = false,
                None if word == "once" => limits.several_per_payment = false,
                Some(("held", amount)) => taken = amount.parse().expect("an amount"),
                Some(("min", amount)) => limits.minimum_minor = amount.parse().expect("an amount"),
                Some(("days", days)) => limits.deadline_days = Some(days.parse().expect("days")),
                _ => panic!("what is {word}?"),
            }
        }
        held.push(Amount::minor(taken));
        if limits != FREE {
            payouts.gateways.insert(name.to_owned(), limits);
        }
    }
    let mut facts = super::world::facts(order);
    for (paid, held) in facts.balances.payments.iter_mut().zip(held) {
        (paid.pending, paid.own_pending) = (held, held);
    }
    facts.terms = Terms { asked_ms: 40 * DAY_MS, payouts: Arc::new(payouts) };
    facts
}

fn minor(amount: i64) -> Ask {
    Ask::Amount { amount: Decimal::from_parts(i128::from(amount), 2), class: None }
}

/// `amount strategy first…`.
fn asked(text: &str) -> RefundRequest {
    let mut words = text.split(' ');
    let amount = words.next().and_then(|w| w.parse().ok()).expect("an amount");
    let strategy = Some(words.next().and_then(Strategy::parse).expect("a strategy"));
    RefundRequest { strategy, plan: Plan::InOrder(words.map(by_name).collect()), ..RefundRequest::of(minor(amount)) }
}

fn show(facts: &Facts, decided: &Result<Quote, Rejection>) -> String {
    match decided {
        Ok(quote) => legs(facts, quote.legs.iter().map(|leg| (leg.payment, leg.amount))),
        Err(Rejection::PaymentLimited { payment, limit, asked, .. }) => {
            let figure = match limit {
                PaymentLimit::AtLeast(amount) => format!("={}", amount.get()),
                PaymentLimit::WithinDays(days) => format!("={days}"),
                PaymentLimit::OnlyInFull | PaymentLimit::OnlyOnce => String::new(),
            };
            format!("no: {payment} {}{figure}, not {}", limit.code(), asked.get())
        }
        Err(rejection) => format!("no: {}", rejection.code()),
    }
}

fn legs(facts: &Facts, legs: impl Iterator<Item = (usize, Amount)>) -> String {
    let name = |payment: usize| facts.order.payments[payment].external_id.clone().unwrap_or_default();
    legs.map(|(payment, amount)| format!("{} {}", name(payment), amount.get())).collect::<Vec<_>>().join(", ")
}

/// Payments, then requests with what comes of them.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

const FREELY: &[Case] = &[
    (
        "a 3000; g 2000 gift; c 5000",
        &[
            ("4000 original_first", "a 3000, g 1000"),
            ("3000 original_first", "a 3000"),
            ("10000 original_first", "a 3000, g 2000, c 5000"),
            ("6000 original_last", "c 5000, g 1000"),
            ("4000 gift_card_first", "g 2000, a 2000"),
            ("6000 gift_card_first", "g 2000, a 3000, c 1000"),
            ("9000 gift_card_last", "a 3000, c 5000, g 1000"),
            ("1000 proportional", "a 300, g 200, c 500"),
            // 1.5, 1.0 and 2.5: the odd cent goes to the earlier of two equal remainders.
            ("5 proportional", "a 2, g 1, c 2"),
            // 0.3, 0.2 and 0.5.
            ("1 proportional", "c 1"),
            ("10000 proportional", "a 3000, g 2000, c 5000"),
            ("2000 fewest_refunds", "g 2000"),
            ("5000 fewest_refunds", "c 5000"),
            ("2500 fewest_refunds", "a 2500"),
            ("4000 fewest_refunds", "c 4000"),
            ("6000 fewest_refunds", "c 5000, a 1000"),
            ("9000 fewest_refunds", "c 5000, a 3000, g 1000"),
            ("6000 gift_card_first c", "c 5000, g 1000"),
            ("6000 original_last g a", "g 2000, a 3000, c 1000"),
            // 800 over 3000 and 5000.
            ("2800 proportional g", "g 2000, a 300, c 500"),
            ("2000 proportional g", "g 2000"),
            ("1500 proportional g", "g 1500"),
            ("5000 fewest_refunds a", "a 3000, g 2000"),
            ("1000 fewest_refunds c", "c 1000"),
            ("10001 original_first", "no: refundable_exceeded"),
            ("10001 proportional", "no: refundable_exceeded"),
            ("10001 fewest_refunds", "no: refundable_exceeded"),
        ],
    ),
    (
        // 1000 of 2000, 2000 and 5000 left: 222.2, 222.2, 555.6.
        "a 3000 held=1000; g 2000 gift; c 5000; d 700 held=700",
        &[
            ("1000 proportional", "a 222, g 222, c 556"),
            ("2000 fewest_refunds", "a 2000"),
            ("1000 original_last", "c 1000"),
        ],
    ),
];

const LIMITED: &[Case] = &[
    (
        "a 3000 full; c 5000",
        &[
            ("3000 original_first", "a 3000"),
            ("2000 original_first", "c 2000"),
            ("4000 original_first", "a 3000, c 1000"),
            ("6000 original_first", "a 3000, c 3000"),
            // The card gives 1000 less than it could, so that the other goes back whole.
            ("7000 original_last", "c 4000, a 3000"),
            ("2000 fewest_refunds", "c 2000"),
            ("3000 fewest_refunds", "a 3000"),
            ("7000 fewest_refunds", "c 4000, a 3000"),
            ("700 proportional", "c 700"),
            ("8000 proportional", "a 3000, c 5000"),
            // Shares of 2250 and 3750: a takes no part, and c alone has too little, so they are asked in turn.
            ("6000 proportional", "a 3000, c 3000"),
        ],
    ),
    (
        "a 3000 full; c 1000",
        &[
            ("2000 original_first", "no: a only_in_full, not 2000"),
            ("2000 original_last", "no: a only_in_full, not 1000"),
        ],
    ),
    (
        "a 3000 full held=100; c 5000",
        &[("1000 original_first", "c 1000"), ("6000 original_first", "no: a only_in_full, not 2900")],
    ),
    ("a 3000 once; c 500", &[("1000 original_first", "a 1000"), ("3200 original_first", "a 3000, c 200")]),
    (
        "a 3000 once held=1000; c 500",
        &[
            ("400 original_first", "c 400"),
            ("400 proportional", "c 400"),
            ("700 original_first", "no: a only_once, not 700"),
            ("2500 original_last", "no: a only_once, not 2000"),
        ],
    ),
    (
        "a 3000; c 5000 min=50",
        &[
            ("3050 original_first", "a 3000, c 50"),
            // 20 are too few for c: a gives 30 less.
            ("3020 original_first", "a 2970, c 50"),
            ("20 original_last", "a 20"),
        ],
    ),
    // The next one is asked before anybody gives less.
    (
        "a 3000; c 5000 min=50; d 100",
        &[("3020 original_first", "a 3000, d 20"), ("3110 original_first", "a 3000, c 110")],
    ),
    // Two give less: b down to what it takes, then a.
    ("a 60; b 60 min=40; c 900 min=80", &[("130 original_first", "a 10, b 40, c 80")]),
    // Neither can give 30 less, so a is left out.
    ("a 3000 min=2980; c 5000 min=50", &[("3020 original_first", "c 3020"), ("3060 original_first", "a 3000, c 60")]),
    ("a 40 min=50", &[("40 original_first", "no: a at_least=50, not 40")]),
    ("a 90 min=50", &[("50 original_first", "a 50"), ("49 fewest_refunds", "no: a at_least=50, not 49")]),
    (
        "a 3000 days=39; c 5000 days=40",
        &[
            ("1000 original_first", "c 1000"),
            ("1000 proportional", "c 1000"),
            ("5000 fewest_refunds", "c 5000"),
            ("6000 original_first", "no: a within_days=39, not 3000"),
            ("6000 original_last", "no: a within_days=39, not 1000"),
        ],
    ),
    // What a person hands over has no limits.
    ("k 3000 cash full once min=500 days=1 held=10", &[("100 original_first", "k 100")]),
    (
        // Without a, whose share would be 300: 285.7 and 714.3.
        "a 3000 min=400; g 2000 gift min=150; c 5000",
        &[("1000 proportional", "g 286, c 714"), ("2000 proportional", "a 600, g 400, c 1000")],
    ),
    // Of two equal shares that are too small the later is left out.
    ("a 3000 min=600; c 3000 min=600", &[("1000 proportional", "a 1000")]),
    // Shares of 600 each; asked in turn, a gives 800 less so that c goes back whole.
    ("a 1000 min=100; c 1000 full", &[("1200 proportional", "a 200, c 1000")]),
    ("a 1000 min=600; c 1000 min=600", &[("1100 proportional", "no: c at_least=600, not 100")]),
];

#[test]
fn payments_give_as_the_table_says() {
    for (payments, requests) in FREELY.iter().chain(LIMITED) {
        let facts = paid_by(payments);
        for (request, expected) in *requests {
            let decided = decide(&facts, &asked(request));
            assert_eq!(show(&facts, &decided), *expected, "{payments} | {request}");
            let strategy = asked(request).strategy;
            assert!(decided.is_err() || decided.is_ok_and(|quote| quote.strategy == strategy));
        }
    }
}

#[test]
fn the_stores_own_strategy_decides_where_the_request_says_nothing() {
    let mut facts = paid_by("a 3000; g 2000 gift; c 5000");
    let request = RefundRequest::of(minor(1_000));
    let quote = decide(&facts, &request).expect("there is enough");
    assert_eq!((quote.strategy, quote.legs.len()), (Some(Strategy::OriginalFirst), 1));
    facts.terms.payouts = Arc::new(Payouts { strategy: Strategy::Proportional, ..Payouts::default() });
    let decided = decide(&facts, &request);
    assert_eq!(show(&facts, &decided), "a 300, g 200, c 500");
    assert_eq!(decided.map(|quote| quote.strategy), Ok(Some(Strategy::Proportional)));
    assert_eq!(show(&facts, &decide(&facts, &asked("1000 gift_card_first"))), "g 1000");
    let named = RefundRequest { plan: Plan::Named(vec![leg("c", "10.00")]), ..request };
    assert_eq!(decide(&facts, &named).map(|quote| quote.strategy), Ok(None));
}

#[test]
fn everything_takes_all_payments_by_any_strategy() {
    let facts = paid_by("a 3000; g 2000 gift; c 5000");
    let limited = paid_by("a 3000; g 2000 gift once held=500; c 5000");
    for strategy in Strategy::ALL {
        let request = RefundRequest { strategy: Some(strategy), ..RefundRequest::of(Ask::Everything) };
        assert_eq!(show(&facts, &decide(&facts, &request)), "a 3000, g 2000, c 5000");
        assert_eq!(show(&limited, &decide(&limited, &request)), "no: g only_once, not 1500");
    }
    let quote = decide(&facts, &RefundRequest::of(Ask::Everything)).expect("there is something");
    let all = alternatives(&facts, &RefundRequest::of(Ask::Everything), &quote);
    assert_eq!(all.iter().map(|one| one.strategies.clone()).collect::<Vec<_>>(), [Strategy::ALL.to_vec()]);
}

fn leg(payment: &str, amount: &str) -> LegAsk {
    LegAsk {
        payment: Some(by_name(payment)),
        channel: String::new(),
        amount: dec(amount),
        amount_in: AmountIn::Books,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    }
}

#[test]
fn what_the_caller_names_keeps_to_the_limits_too() {
    let outside = |leg: LegAsk| LegAsk { outside: true, ..leg };
    let nameless = |leg: LegAsk| LegAsk { payment: None, ..leg };
    for (payments, named, expected) in [
        ("a 3000 full; c 5000", vec![leg("a", "30.00")], "a 3000"),
        ("a 3000 full; c 5000", vec![leg("c", "1.00"), leg("a", "29.99")], "no: a only_in_full, not 2999"),
        ("a 3000 full; c 5000", vec![leg("a", "10.00"), leg("a", "20.00")], "no: a only_in_full, not 1000"),
        ("a 3000 full; c 5000", vec![outside(leg("a", "10.00"))], "a 1000"),
        ("a 3000 once; c 5000", vec![leg("a", "10.00")], "a 1000"),
        ("a 3000 once; c 5000", vec![leg("a", "10.00"), leg("a", "5.00")], "no: a only_once, not 500"),
        ("a 3000 once; c 5000", vec![outside(leg("a", "10.00")), leg("a", "5.00")], "a 1000, a 500"),
        ("a 3000 once held=1", vec![nameless(leg("", "1.00"))], "no: a only_once, not 100"),
        ("a 3000 min=50 days=40", vec![leg("a", "0.49")], "no: a at_least=50, not 49"),
        ("a 3000 min=50 days=39", vec![leg("a", "0.49")], "no: a within_days=39, not 49"),
        ("a 3000 min=50", vec![leg("a", "30.01")], "no: payment_exceeded"),
    ] {
        let facts = paid_by(payments);
        let total: i64 = named.iter().map(|leg| leg.amount.to_minor(facts.order.currency).expect("cents").get()).sum();
        let request = RefundRequest { plan: Plan::Named(named), ..RefundRequest::of(minor(total)) };
        assert_eq!(show(&facts, &decide(&facts, &request)), expected, "{payments}");
    }
}

#[test]
fn no_deadline_is_looked_at_without_a_time() {
    let mut facts = paid_by("a 3000 days=39");
    facts.terms.asked_ms = 0;
    assert_eq!(show(&facts, &decide(&facts, &asked("100 original_first"))), "a 100");
    facts.terms.asked_ms = 39 * DAY_MS;
    assert_eq!(show(&facts, &decide(&facts, &asked("100 original_first"))), "a 100");
    facts.terms.asked_ms += 1;
    let no = "no: a within_days=39, not 100";
    assert_eq!(show(&facts, &decide(&facts, &asked("100 original_first"))), no);
}

#[test]
fn a_minimum_is_in_the_payments_own_currency() {
    let mut order: Order = order("USD");
    line(&mut order, "thing", 1, 1_000_000, 0);
    foreign_pay(&mut order, "a", 1_000, "JPY", 1_500);
    order.payments[0].external_id = None;
    let mut facts = super::world::facts(order);
    let limits = GatewayLimits { minimum_minor: 150, ..FREE };
    let gateways = [("simulated".to_owned(), limits)].into();
    facts.terms.payouts = Arc::new(Payouts { gateways, ..Payouts::default() });
    let quote = decide(&facts, &asked("100 original_first")).expect("150 yen");
    assert_eq!(quote.legs[0].own_amount, Amount::minor(150));
    // 99 cents are 148.5 yen, which are 149.
    let expected = Rejection::PaymentLimited {
        payment: "200".to_owned(),
        limit: PaymentLimit::AtLeast(Amount::minor(150)),
        asked: Amount::minor(149),
        currency: facts.order.payments[0].own_currency,
    };
    assert_eq!(decide(&facts, &asked("99 original_first")), Err(expected));
}

#[test]
fn a_refund_under_way_counts_as_the_one_and_a_failed_one_does_not() {
    let facts = paid_by("a 3000 once; c 500");
    let mut book = Book::open(Order::clone(&facts.order));
    book.facts.terms = facts.terms.clone();
    let again = asked("700 original_first");
    book.ask(&again).expect("it is the first");
    assert_eq!(show(&facts, &decide(&book.facts, &again)), "no: a only_once, not 700");
    assert!(book.news(0, 0, &News::Failed { code: "lost".to_owned(), message: String::new() }));
    assert_eq!(show(&facts, &decide(&book.facts, &again)), "a 700");
    book.ask(&again).expect("the first one failed");
    assert!(book.news(1, 0, &News::Succeeded { reference: String::new() }));
    assert_eq!(show(&facts, &decide(&book.facts, &again)), "no: a only_once, not 700");
}

#[test]
fn alternatives_are_told_side_by_side() {
    let table = |facts: &Facts, request: &RefundRequest| {
        let quote = decide(facts, request).expect("it is granted");
        let told = alternatives(facts, request, &quote).into_iter().map(|one| {
            let codes: Vec<&str> = one.strategies.iter().map(|s| s.code()).collect();
            let legs = legs(facts, one.legs.iter().map(|leg| (leg.payment, leg.amount)));
            format!("{}: {legs}", codes.join(" "))
        });
        told.collect::<Vec<_>>()
    };
    let facts = paid_by("a 3000; g 2000 gift; c 5000");
    let expected = [
        "original_first gift_card_last: a 2000",
        "original_last: c 2000",
        "proportional: a 600, g 400, c 1000",
        "gift_card_first fewest_refunds: g 2000",
    ];
    assert_eq!(table(&facts, &asked("2000 original_last")), expected);
    let named = RefundRequest { plan: Plan::Named(vec![leg("c", "20.00")]), ..RefundRequest::of(minor(2_000)) };
    assert_eq!(table(&facts, &named), expected);
    // c goes first in all of them.
    let expected = [
        "original_first gift_card_last: c 5000, a 1000",
        "original_last gift_card_first fewest_refunds: c 5000, g 1000",
        "proportional: c 5000, a 600, g 400",
    ];
    assert_eq!(table(&facts, &asked("6000 original_first c")), expected);
    // What is refused is left out: only a person can hand this over.
    let late = paid_by("a 3000 days=1");
    let outside = LegAsk { outside: true, ..leg("a", "20.00") };
    let outside = RefundRequest { plan: Plan::Named(vec![outside]), ..RefundRequest::of(minor(2_000)) };
    assert_eq!(table(&late, &outside), [""; 0]);
}

#[test]
fn codes_are_read_as_they_are_written() {
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::parse(strategy.code()), Some(strategy));
    }
    assert_eq!(Strategy::parse("named"), None);
    assert_eq!(Strategy::default(), Strategy::ALL[0]);
}

#[test]
fn what_is_paid_outside_keeps_the_route_of_one_channel_only() {
    let mut facts = paid_by("a 3000; g 2000; c 5000");
    let order = Arc::make_mut(&mut facts.order);
    for (payment, channel) in order.payments.iter_mut().zip(["PayPal", "card", "paypal"]) {
        channel.clone_into(&mut payment.channel);
    }
    let routes = |but: &str, amount: i64| {
        let plan = Plan::Outside { but: but.to_owned() };
        let strategy = Some(Strategy::OriginalFirst);
        let quote = decide(&facts, &RefundRequest { plan, strategy, ..RefundRequest::of(minor(amount)) })?;
        Ok::<_, Rejection>(quote.legs.iter().map(|leg| (leg.amount.get(), leg.route)).collect::<Vec<_>>())
    };
    let (original, outside) = (Route::Original, Route::Outside);
    assert_eq!(routes("paypal", 6_000), Ok(vec![(3_000, original), (2_000, outside), (1_000, original)]));
    assert_eq!(routes("", 4_000), Ok(vec![(3_000, outside), (1_000, outside)]));
    assert_eq!(routes("cash", 1_000), Ok(vec![(1_000, outside)]));
    assert!(routes("paypal", 10_001).is_err());
}

#[test]
fn what_is_paid_outside_is_not_held_against_what_gateways_take() {
    for payment in ["a 3000 days=1", "a 3000 min=2000", "a 3000 full", "a 3000 once held=500"] {
        let facts = paid_by(payment);
        let decided = |but: &str| {
            let plan = Plan::Outside { but: but.to_owned() };
            let quote = decide(&facts, &RefundRequest { plan, ..RefundRequest::of(minor(1_000)) });
            quote.map(|quote| quote.legs.iter().map(|leg| (leg.amount.get(), leg.route)).collect::<Vec<_>>())
        };
        assert_eq!(decided(""), Ok(vec![(1_000, Route::Outside)]), "{payment}");
        assert_eq!(decided("paypal"), Ok(vec![(1_000, Route::Outside)]), "{payment}");
        let kept = decided(&facts.order.payments[0].channel).map_err(|no| no.code());
        assert_eq!(kept, Err("payment_limited"), "{payment}");
    }
}
