//! Refusals in rank order: of any two sins in one request, the one that ranks first is named.
//!
//! A sin is a change to a request that would pass. Every pair of a family is tried, the later sin committed first, so
//! that neither the position in a list nor the order of the checks decides.

use std::collections::BTreeSet;

use super::world::{by_name, dec, line, order, part, pay};
use crate::balances::Facts;
use crate::command::{
    Ask, CurrencyAsk, ItemAsk, ItemMoney, ItemName, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Target,
    Total, UnitAsk, UnitMode,
};
use crate::decide::{decide, decide_at};
use crate::money::Amount;
use crate::order::{ComponentKind, Reference};
use crate::payouts::{GatewayLimits, Payouts, Terms};
use crate::refund::{Class, Restock};
use crate::rejection::Rejection;

/// A request in the making, with the facts it meets.
struct Case {
    facts: Facts,
    request: RefundRequest,
    /// A place that the request names and the store does not have.
    lost: Option<&'static str>,
}

type Sin = (&'static str, fn(&mut Case));

/// Two payments of 10.00 and 990.00 for an order that costs far more.
fn facts() -> Facts {
    let mut order = order("USD");
    for name in ["a", "b", "c", "d"] {
        line(&mut order, name, 2, 20_000, 2_000);
    }
    line(&mut order, "big", 1, 10_000_000, 0);
    order.lines[3].sku = "twin".to_owned();
    order.lines[4].sku = "twin".to_owned();
    part(&mut order, ComponentKind::Shipping, None, 500, 50);
    part(&mut order, ComponentKind::Tip, None, 300, 0);
    part(&mut order, ComponentKind::Additional, None, 200, 0);
    order.components[7].name = "gift".to_owned();
    pay(&mut order, "p1", 1_000);
    pay(&mut order, "p2", 99_000);
    super::world::facts(order)
}

fn unit(line: &str, quantity: i64) -> UnitAsk {
    UnitAsk {
        line: by_name(line),
        quantity: Some(quantity),
        mode: UnitMode::Automatic,
        restock: Restock::No,
        location: String::new(),
    }
}

fn gross(target: Target, amount: &str) -> PartAsk {
    PartAsk { target, money: PartMoney::Gross(dec(amount)) }
}

fn item(line: &str, amount: &str) -> ItemAsk {
    ItemAsk { item: ItemName::Id(by_name(line)), quantity: None, money: ItemMoney::Amount(dec(amount)), part: None }
}

fn leg(payment: Option<&str>, amount: &str) -> LegAsk {
    LegAsk {
        payment: payment.map(by_name),
        channel: String::new(),
        amount: dec(amount),
        amount_in: crate::command::AmountIn::Books,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    }
}

impl Case {
    fn of(ask: Ask) -> Self {
        Self { facts: facts(), request: RefundRequest::of(ask), lost: None }
    }

    fn parts(&mut self) -> &mut Parts {
        let Ask::Parts(parts) = &mut self.request.ask else { panic!("a request by parts") };
        parts
    }

    fn items(&mut self) -> &mut Vec<ItemAsk> {
        let Ask::Items(items) = &mut self.request.ask else { panic!("a request by items") };
        items
    }

    fn pay_through(&mut self, leg: LegAsk) {
        match &mut self.request.plan {
            Plan::Named(legs) => legs.push(leg),
            Plan::InOrder(_) | Plan::Outside { .. } => self.request.plan = Plan::Named(vec![leg]),
        }
    }

    #[track_caller]
    fn check(&self, expected: &str, what: &str) {
        let refused = decide_at(&self.facts, &self.request, self.lost).map(|quote| quote.amount);
        assert_eq!(refused.as_ref().map_err(Rejection::code), Err(expected), "{what}: {refused:?}");
    }
}

fn by_parts() -> Case {
    Case::of(Ask::Parts(Parts { units: vec![unit("a", 1)], ..Parts::default() }))
}

fn by_items() -> Case {
    Case::of(Ask::Items(vec![item("a", "1.00")]))
}

/// The gateway of both payments refunds only within 30 days.
fn too_late(case: &mut Case) {
    let limits = GatewayLimits { partial: true, several_per_payment: true, minimum_minor: 0, deadline_days: Some(30) };
    let gateways = [("simulated".to_owned(), limits)].into();
    let payouts = Payouts { gateways, ..Payouts::default() };
    case.facts.terms = Terms { asked_ms: 31 * 86_400_000, payouts: std::sync::Arc::new(payouts) };
}

/// Sins of any request, before and after those of its family.
const BEFORE: [Sin; 3] = [
    ("refundable_stale", |case| case.request.refundable_before = Some(dec("999.99"))),
    ("order_disputed", |case| std::sync::Arc::make_mut(&mut case.facts.order).disputed = true),
    ("order_deleted", |case| std::sync::Arc::make_mut(&mut case.facts.order).life.deleted_ms = Some(1)),
];
const CURRENCIES: [Sin; 3] = [
    ("currency_differs", |case| case.request.currency = CurrencyAsk::Is("EUR".to_owned())),
    ("payment_currency_differs", |case| {
        case.pay_through(LegAsk { currency: CurrencyAsk::Is("EUR".to_owned()), ..leg(Some("p2"), "1.00") });
    }),
    ("payment_currency_differs", |case| {
        // Nothing is left on the first payment, so that the second is meant without a name.
        case.facts.balances.payments[0].succeeded = Amount::minor(1_000);
        case.facts.balances.payments[0].own_succeeded = Amount::minor(1_000);
        case.pay_through(LegAsk { currency: CurrencyAsk::Is("EUR".to_owned()), ..leg(None, "1.00") });
    }),
];
const PLANS: [Sin; 4] = [
    ("payment_unknown", |case| case.pay_through(leg(Some("nobody"), "1.00"))),
    ("payment_unnamed", |case| {
        case.facts.balances.payments[0].succeeded = Amount::ZERO;
        case.facts.balances.payments[0].own_succeeded = Amount::ZERO;
        case.pay_through(leg(None, "1.00"));
    }),
    ("payments_do_not_add_up", |case| case.pay_through(leg(Some("p1"), "0.01"))),
    ("payments_do_not_add_up", |case| case.pay_through(leg(Some("p2"), "0.02"))),
];

fn parts_family() -> Vec<Sin> {
    let own: [Sin; 16] = [
        ("line_unknown", |case| case.parts().units.push(unit("nowhere", 1))),
        ("line_unknown", |case| {
            case.parts().parts.push(gross(Target::Goods(Reference::plain("nowhere")), "1.00"));
        }),
        ("modes_mixed", |case| {
            let waiting = UnitAsk { mode: UnitMode::Waiting, ..unit("a", 1) };
            case.parts().units.push(waiting);
        }),
        ("restock_differs", |case| {
            case.parts().uniform_restock = true;
            let back = UnitAsk { restock: Restock::Return, ..unit("b", 1) };
            case.parts().units.extend([unit("b", 1), back]);
        }),
        ("quantity_invalid", |case| case.parts().units.push(unit("c", 0))),
        ("quantity_exceeded", |case| case.parts().units.push(unit("d", 3))),
        ("location_unknown", |case| case.lost = Some("moon")),
        ("charge_unknown", |case| {
            case.parts().parts.push(gross(Target::Additional("none".to_owned()), "1.00"));
        }),
        ("amount_invalid", |case| case.parts().parts.push(gross(Target::Shipping, "-0.01"))),
        ("amount_invalid", |case| case.parts().parts.push(gross(Target::Shipping, "0.001"))),
        ("amount_invalid", |case| case.pay_through(leg(Some("p2"), "0.00"))),
        ("amount_invalid", |case| {
            case.pay_through(LegAsk { amount_in: crate::command::AmountIn::Own, ..leg(Some("p2"), "-1.00") });
        }),
        ("part_exceeded", |case| case.parts().parts.push(gross(Target::Tip, "3.01"))),
        ("part_exceeded", |case| {
            case.parts().parts.push(PartAsk { target: Target::Duty, money: PartMoney::Net(dec("0.01")) });
        }),
        ("parts_do_not_add_up", |case| {
            let gift = gross(Target::Additional("gift".to_owned()), "1.00");
            case.parts().parts.extend([gross(Target::Additionals, "2.00"), gift]);
        }),
        ("parts_do_not_add_up", |case| {
            case.parts().parts.push(gross(Target::Goods(by_name("a")), "100.00"));
            case.parts().total = Total::Stated(dec("99.99"));
        }),
    ];
    let state: [Sin; 2] = [
        ("order_unpaid", |case| {
            for payment in &mut std::sync::Arc::make_mut(&mut case.facts.order).payments {
                payment.captured = Amount::ZERO;
                payment.own_captured = Amount::ZERO;
            }
        }),
        ("nothing_left", |case| {
            for (payment, paid) in case.facts.order.payments.iter().zip(&mut case.facts.balances.payments) {
                paid.succeeded = payment.captured;
                paid.own_succeeded = payment.captured;
            }
        }),
    ];
    let amounts: [Sin; 3] = [
        ("payment_exceeded", |case| {
            case.parts().total = Total::Stated(dec("2000.00"));
            case.pay_through(leg(Some("p2"), "2000.00"));
        }),
        ("payment_limited", too_late),
        ("refundable_exceeded", |case| case.parts().total = Total::Stated(dec("2000.00"))),
    ];
    [&BEFORE[..], &state, &CURRENCIES, &own, &PLANS, &amounts].concat()
}

fn items_family() -> Vec<Sin> {
    let own: [Sin; 11] = [
        ("line_unknown", |case| case.items().push(item("nowhere", "1.00"))),
        ("line_unknown", |case| {
            case.items().push(ItemAsk { item: ItemName::Sku("nowhere".to_owned()), ..item("a", "1.00") });
        }),
        ("line_ambiguous", |case| {
            case.items().push(ItemAsk { item: ItemName::Sku("twin".to_owned()), ..item("a", "1.00") });
        }),
        ("quantity_invalid", |case| case.items().push(ItemAsk { quantity: Some(0), ..item("c", "1.00") })),
        ("quantity_exceeded", |case| case.items().push(ItemAsk { quantity: Some(3), ..item("d", "1.00") })),
        ("amount_invalid", |case| case.items().push(item("a", "0.00"))),
        ("amount_invalid", |case| case.items().push(item("a", "1.001"))),
        ("amount_invalid", |case| case.pay_through(leg(Some("p2"), "0.00"))),
        ("percent_invalid", |case| {
            case.items().push(ItemAsk { money: ItemMoney::Percent(dec("100.01")), ..item("a", "1.00") });
        }),
        ("percent_invalid", |case| {
            case.items().push(ItemAsk { money: ItemMoney::Percent(dec("0.009")), ..item("a", "1.00") });
        }),
        ("part_exceeded", |case| case.items().push(item("b", "220.01"))),
    ];
    let amounts: [Sin; 3] = [
        ("payment_exceeded", |case| {
            case.items().clear();
            case.items().push(item("big", "2000.00"));
            case.pay_through(leg(Some("p2"), "2000.00"));
        }),
        ("payment_limited", too_late),
        ("refundable_exceeded", |case| case.items().push(item("big", "2000.00"))),
    ];
    [&BEFORE[..], &CURRENCIES, &own, &PLANS, &amounts].concat()
}

fn walk(family: &[Sin], base: fn() -> Case, seen: &mut BTreeSet<&'static str>) {
    for (index, (code, sin)) in family.iter().enumerate() {
        let mut alone = base();
        assert!(decide(&alone.facts, &alone.request).is_ok(), "the request would pass");
        sin(&mut alone);
        alone.check(code, code);
        seen.insert(code);
        for (later, other) in &family[index + 1..] {
            let mut both = base();
            other(&mut both);
            sin(&mut both);
            both.check(code, &format!("{code} and {later}"));
        }
    }
}

#[test]
fn of_two_sins_the_one_that_ranks_first_is_named() {
    let mut seen = BTreeSet::new();
    walk(&parts_family(), by_parts, &mut seen);
    walk(&items_family(), by_items, &mut seen);
    for (ask, plan, code) in amounts_table() {
        let mut case = Case::of(ask);
        case.request.plan = plan;
        case.check(code, code);
        seen.insert(code);
    }
    let mut case = Case::of(Ask::Lines { units: vec![unit("nowhere", 1)], returned: false });
    case.request.currency = CurrencyAsk::Is("EUR".to_owned());
    case.facts.balances.customized = true;
    case.check("amounts_only", "an amount before, another currency and an unknown line");
    seen.insert("amounts_only");
    // The engine finds orders and remembers keys; every other refusal must have occurred here.
    let by_engine = ["order_unknown", "idempotency_key_reused"];
    let missing: Vec<&str> = Rejection::CODES.into_iter().filter(|c| !seen.contains(c)).collect();
    assert_eq!(missing, by_engine);
    for family in [parts_family(), items_family()] {
        let ranks = family.iter().map(|(code, _)| Rejection::CODES.iter().position(|c| c == code));
        assert!(ranks.is_sorted(), "a family lists its sins in rank order");
    }
}

/// Requests by amount and percentage, each with two things wrong.
fn amounts_table() -> Vec<(Ask, Plan, &'static str)> {
    let amount = |text: &str, class| Ask::Amount { amount: dec(text), class };
    let percent = |text: &str, class| Ask::Percent { percent: dec(text), class };
    let through = |payment: Option<&str>, text: &str| Plan::Named(vec![leg(payment, text)]);
    let first = |payment: &str| Plan::InOrder(vec![by_name(payment)]);
    vec![
        (amount("0", None), first("nobody"), "amount_invalid"),
        (amount("0.001", Some(Class::Tax)), first("nobody"), "amount_invalid"),
        (amount("1.00", Some(Class::Tax)), through(Some("p2"), "-1"), "amount_invalid"),
        (amount("1.00", Some(Class::Tax)), first("nobody"), "tax_only_whole"),
        (amount("9.00", Some(Class::Shipping)), through(Some("p2"), "0.001"), "amount_invalid"),
        (amount("9.00", Some(Class::Shipping)), first("nobody"), "part_exceeded"),
        (amount("9.00", Some(Class::ImporterTax)), first("nobody"), "part_exceeded"),
        (amount("2000.00", None), first("nobody"), "payment_unknown"),
        (amount("2000.00", None), through(None, "1.00"), "payment_unnamed"),
        (amount("2000.00", None), through(Some("p2"), "1999.99"), "payments_do_not_add_up"),
        (amount("2000.00", None), through(Some("p2"), "2000.00"), "payment_exceeded"),
        (amount("2000.00", None), Plan::default(), "refundable_exceeded"),
        (percent("0.009", Some(Class::Tax)), first("nobody"), "percent_invalid"),
        (percent("100.01", None), first("nobody"), "percent_invalid"),
        (percent("0.01", Some(Class::Shipping)), first("nobody"), "percent_invalid"),
        (percent("0", None), through(Some("p2"), "0"), "amount_invalid"),
        (percent("50", Some(Class::Tax)), first("nobody"), "tax_only_whole"),
        (percent("100", Some(Class::ImporterTax)), first("nobody"), "part_exceeded"),
        (percent("100", Some(Class::Duty)), first("nobody"), "payment_unknown"),
        (percent("100", Some(Class::Duty)), through(Some("p2"), "1"), "payments_do_not_add_up"),
        (percent("100", Some(Class::Duty)), Plan::default(), "refundable_exceeded"),
    ]
}

#[test]
fn codes_stand_in_declaration_order() {
    let source = include_str!("../rejection.rs");
    let arms = source.split("match self {").nth(1).and_then(|rest| rest.split("\n        }").next());
    let in_code: Vec<&str> = arms.expect("code() is a match").split('"').skip(1).step_by(2).collect();
    assert_eq!(in_code, Rejection::CODES, "code() names them in rank order");
    let declared = source.split("pub enum Rejection {").nth(1).and_then(|rest| rest.split("\n}").next());
    let variants: Vec<&str> = declared
        .expect("the enum")
        .lines()
        .filter_map(|line| line.strip_prefix("    ").filter(|l| l.starts_with(|c: char| c.is_ascii_uppercase())))
        .map(|line| line.trim_end_matches([' ', '{', ',']))
        .collect();
    let named = arms.map(|arms| arms.matches("Self::").count());
    assert_eq!((variants.len(), named), (Rejection::CODES.len(), Some(variants.len())));
    for (variant, arm) in variants.iter().zip(arms.unwrap_or_default().split("Self::").skip(1)) {
        assert!(arm.starts_with(variant), "{variant} is declared where code() names it");
    }
    for (rank, code) in Rejection::CODES.iter().enumerate() {
        assert_eq!(Rejection::CODES.iter().position(|c| c == code), Some(rank), "{code} once");
    }
}

#[test]
fn figures_of_a_refusal_are_those_that_decided() {
    let case = Case::of(Ask::Amount { amount: dec("2000.00"), class: None });
    let currency = case.facts.order.currency;
    let (asked, available) = (Amount::minor(200_000), Amount::minor(100_000));
    let expected = Rejection::RefundableExceeded { asked, available, currency };
    assert_eq!(decide(&case.facts, &case.request), Err(expected));
    let mut case = by_parts();
    case.pay_through(leg(Some("p1"), "10.01"));
    case.pay_through(leg(Some("p2"), "99.99"));
    let expected = Rejection::PaymentExceeded {
        payment: "p1".to_owned(),
        asked: Amount::minor(1_001),
        available: Amount::minor(1_000),
        currency,
    };
    assert_eq!(decide(&case.facts, &case.request), Err(expected));
}
