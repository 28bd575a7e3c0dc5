//! Trials: what can be had of what is asked for, and that a refund of just that is accepted.
//!
//! A trial is written in minor units as `quantity mode line net+tax -discount, … | shipping net+tax of net+tax |
//! total = payment amount/own, …`.

use arbtest::arbitrary::{Result as Drawn, Unstructured};
use arbtest::arbtest;

use super::book::Book;
use super::properties::step;
use super::random::{any_order, any_terms};
use super::world::{by_name, dec, foreign_pay, line, order, part, pay};
use crate::balances::Facts;
use crate::command::{
    AmountIn, Ask, CurrencyAsk, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Target, Total, UnitAsk,
    UnitMode,
};
use crate::decide::decide;
use crate::money::{Amount, Decimal};
use crate::order::{ComponentKind, Order, ShopMoney};
use crate::payouts::{GatewayLimits, Strategy, Terms};
use crate::refund::{Bucket, Restock};
use crate::rejection::Rejection;
use crate::trial::{Trial, TrialAsk, TrialUnits, trial};

/// Four units (0), one of them shipped, with a discount of 20; shipping with tax; a tip. Paid by two payments.
fn sold() -> Order {
    let mut order = order("USD");
    line(&mut order, "hat", 4, 1_001, 81);
    order.lines[0].shipped = 1;
    order.lines[0].discount = Amount::minor(20);
    line(&mut order, "free", 2, 0, 0);
    part(&mut order, ComponentKind::Shipping, None, 500, 50);
    part(&mut order, ComponentKind::Tip, None, 100, 0);
    pay(&mut order, "card", 1_000);
    pay(&mut order, "voucher", 732);
    order
}

fn units(line: &str, quantity: i64, mode: UnitMode) -> UnitAsk {
    UnitAsk { line: by_name(line), quantity: Some(quantity), mode, restock: Restock::No, location: String::new() }
}

fn ask(units: &[UnitAsk], shipping: Option<PartMoney>) -> TrialAsk {
    TrialAsk { units: units.to_vec(), shipping, currency: CurrencyAsk::Unsaid }
}

fn show(trial: &Trial) -> String {
    let pair = |net: Amount, tax: Amount| format!("{}+{}", net.get(), tax.get());
    let units = trial.units.iter().map(|u| {
        let TrialUnits { line, mode, quantity, net, tax, discount } = *u;
        format!("{quantity} {mode:?} {line} {} -{}", pair(net, tax), discount.get())
    });
    let legs = trial.legs.iter().map(|l| format!("{} {}/{}", l.payment, l.amount.get(), l.own_amount.get()));
    let (units, legs) = (units.collect::<Vec<_>>().join(", "), legs.collect::<Vec<_>>().join(", "));
    let shipping = trial.shipping;
    let left = pair(shipping.left.0, shipping.left.1);
    format!("{units} | {} of {left} | {} = {legs}", pair(shipping.net, shipping.tax), trial.total.get())
}

#[track_caller]
fn check(facts: &Facts, ask: &TrialAsk, expected: &str) {
    let shown = match trial(facts, ask) {
        Ok(trial) => {
            assert_accepted(facts, ask, &trial);
            show(&trial)
        }
        Err(rejection) => rejection.code().to_owned(),
    };
    assert_eq!(shown, expected, "{ask:?}");
}

#[test]
fn what_is_asked_for_is_lowered_to_what_there_is() {
    use UnitMode::{Automatic, Returned, Shipped, Waiting};
    let facts = super::world::facts(sold());
    let as_priced = |amount: &str| Some(PartMoney::AsPriced(dec(amount)));
    let hat = |quantity, mode| units("hat", quantity, mode);
    let cases: &[(&[UnitAsk], Option<PartMoney>, &str)] = &[
        (&[], None, " | 0+0 of 500+50 | 0 = "),
        (&[hat(1, Waiting)], None, "1 Waiting 0 250+20 -5 | 0+0 of 500+50 | 270 = 0 270/270"),
        (&[hat(3, Waiting)], None, "3 Waiting 0 751+61 -15 | 0+0 of 500+50 | 812 = 0 812/812"),
        (&[hat(4, Waiting)], None, "3 Waiting 0 751+61 -15 | 0+0 of 500+50 | 812 = 0 812/812"),
        (&[hat(i64::MAX, Shipped)], None, "1 Shipped 0 250+20 -5 | 0+0 of 500+50 | 270 = 0 270/270"),
        (&[hat(9, Returned)], None, "1 Returned 0 250+20 -5 | 0+0 of 500+50 | 270 = 0 270/270"),
        (&[hat(9, Automatic)], None, "4 Automatic 0 1001+81 -20 | 0+0 of 500+50 | 1082 = 0 1000/1000, 1 82/82"),
        // The same units twice: the second entry finds none, and keeps its place.
        (
            &[hat(1, Shipped), hat(1, Returned), hat(2, Waiting)],
            None,
            "1 Shipped 0 250+20 -5, 0 Returned 0 0+0 -0, 2 Waiting 0 501+41 -10 | 0+0 of 500+50 | 812 = 0 812/812",
        ),
        (&[hat(0, Waiting)], None, "0 Waiting 0 0+0 -0 | 0+0 of 500+50 | 0 = "),
        (&[units("free", 5, Waiting)], None, "2 Waiting 1 0+0 -0 | 0+0 of 500+50 | 0 = "),
        (&[], as_priced("1.00"), " | 100+10 of 500+50 | 110 = 0 110/110"),
        (&[], as_priced("5.00"), " | 500+50 of 500+50 | 550 = 0 550/550"),
        (&[], as_priced("999.00"), " | 500+50 of 500+50 | 550 = 0 550/550"),
        (&[], as_priced("0"), " | 0+0 of 500+50 | 0 = "),
        (&[], Some(PartMoney::Gross(dec("9.99"))), " | 500+50 of 500+50 | 550 = 0 550/550"),
        (&[], Some(PartMoney::Gross(dec("1.10"))), " | 100+10 of 500+50 | 110 = 0 110/110"),
        (&[], Some(PartMoney::Remaining), " | 500+50 of 500+50 | 550 = 0 550/550"),
        (
            &[hat(9, Waiting), hat(9, Shipped)],
            Some(PartMoney::Remaining),
            "3 Waiting 0 751+61 -15, 1 Shipped 0 250+20 -5 | 500+50 of 500+50 | 1632 = 0 1000/1000, 1 632/632",
        ),
        // What cannot be lowered.
        (&[units("cap", 1, Waiting)], None, "line_unknown"),
        (&[hat(-1, Waiting)], None, "quantity_invalid"),
        (&[hat(1, Waiting), hat(1, Automatic)], None, "modes_mixed"),
        (&[], as_priced("-1.00"), "amount_invalid"),
        (&[], as_priced("1.001"), "amount_invalid"),
    ];
    for (units, shipping, expected) in cases {
        check(&facts, &ask(units, *shipping), expected);
    }
}

#[test]
fn shipping_with_its_tax_inside_is_asked_for_and_told_with_it() {
    let facts = super::world::facts(Order { taxes_included: true, ..sold() });
    let as_priced = |amount: &str| ask(&[], Some(PartMoney::AsPriced(dec(amount))));
    check(&facts, &as_priced("1.10"), " | 100+10 of 500+50 | 110 = 0 110/110");
    check(&facts, &as_priced("5.51"), " | 500+50 of 500+50 | 550 = 0 550/550");
}

#[test]
fn what_refunds_took_before_is_not_there_any_more() {
    let mut book = Book::open(sold());
    let taken = Parts {
        units: vec![units("hat", 2, UnitMode::Waiting)],
        parts: vec![PartAsk { target: Target::Shipping, money: PartMoney::Net(dec("2.00")) }],
        ..Parts::default()
    };
    book.ask_for(Ask::Parts(taken)).expect("it is there");
    let all = ask(&[units("hat", 4, UnitMode::Waiting)], Some(PartMoney::AsPriced(dec("5.00"))));
    check(&book.facts, &all, "1 Waiting 0 250+20 -5 | 300+30 of 300+30 | 600 = 0 238/238, 1 362/362");
    book.ask_for(Ask::Amount { amount: dec("7.00"), class: None }).expect("it is there");
    check(&book.facts, &all, "1 Waiting 0 70+6 -5 | 84+8 of 84+8 | 168 = 1 168/168");
    book.ask_for(Ask::Everything).expect("something is left");
    check(&book.facts, &all, "nothing_left");
}

#[test]
fn payments_that_have_less_than_the_parts_give_what_they_have() {
    let mut order = sold();
    order.payments[0].captured = Amount::minor(100);
    order.payments[0].own_captured = Amount::minor(100);
    let facts = super::world::facts(order);
    let all = ask(&[units("hat", 4, UnitMode::Automatic)], Some(PartMoney::Remaining));
    check(&facts, &all, "4 Automatic 0 1001+81 -20 | 500+50 of 500+50 | 832 = 0 100/100, 1 732/732");
}

#[test]
fn an_order_that_gives_nothing_back_is_refused_as_its_refund_would_be() {
    let facts = |order: Order| super::world::facts(order);
    let nothing = ask(&[], None);
    check(&facts(Order { payments: Vec::new(), ..sold() }), &nothing, "order_unpaid");
    check(&facts(Order { disputed: true, payments: Vec::new(), ..sold() }), &nothing, "order_disputed");
    let mut deleted = sold();
    deleted.life.deleted_ms = Some(1);
    check(&facts(deleted), &nothing, "order_deleted");
    // State, then currency, then lines.
    let unknown = TrialAsk {
        currency: CurrencyAsk::Is("EUR".to_owned()),
        ..ask(&[units("cap", 1, UnitMode::Waiting)], Some(PartMoney::AsPriced(dec("-1"))))
    };
    check(&facts(Order { payments: Vec::new(), ..sold() }), &unknown, "order_unpaid");
    check(&facts(sold()), &unknown, "currency_differs");
    let right = TrialAsk { currency: CurrencyAsk::Is("USD".to_owned()), ..unknown };
    check(&facts(sold()), &right, "line_unknown");
}

#[test]
fn a_foreign_order_names_its_currency_and_its_payments_theirs() {
    let mut order = sold();
    let euro = crate::money::Currency::parse("EUR").expect("a currency");
    order.shop = Some(ShopMoney { currency: euro, rate: dec("0.9") });
    order.payments.clear();
    foreign_pay(&mut order, "abroad", 1_000, "GBP", 800);
    pay(&mut order, "card", 732);
    let facts = super::world::facts(order);
    let assumed = TrialAsk { currency: CurrencyAsk::ShopAssumed, ..ask(&[], None) };
    check(&facts, &assumed, "currency_differs");
    let all = ask(&[units("hat", 4, UnitMode::Automatic)], None);
    check(&facts, &all, "4 Automatic 0 1001+81 -20 | 0+0 of 500+50 | 1082 = 0 1000/800, 1 82/82");
}

#[test]
fn the_store_says_how_it_is_spread_and_its_gateways_what_they_take() {
    let mut facts = super::world::facts(sold());
    let payouts = crate::payouts::Payouts { strategy: Strategy::OriginalLast, ..Default::default() };
    facts.terms = Terms { asked_ms: 0, payouts: payouts.clone().into() };
    let one = ask(&[units("hat", 1, UnitMode::Waiting)], None);
    check(&facts, &one, "1 Waiting 0 250+20 -5 | 0+0 of 500+50 | 270 = 1 270/270");
    let mut limited = payouts;
    let in_full = GatewayLimits { partial: false, several_per_payment: true, minimum_minor: 0, deadline_days: None };
    limited.gateways.insert("simulated".to_owned(), in_full);
    facts.terms.payouts = limited.into();
    check(&facts, &one, "payment_limited");
}

/// The same question, asking for no more than the answer.
fn lowered(facts: &Facts, ask: &TrialAsk, trial: &Trial) -> TrialAsk {
    let units = ask.units.iter().zip(&trial.units);
    let units = units.map(|(ask, units)| UnitAsk { quantity: Some(i64::from(units.quantity)), ..ask.clone() });
    let (net, gross) = (trial.shipping.net, trial.shipping.net + trial.shipping.tax);
    let decimal = |amount: Amount| Decimal::from_parts(i128::from(amount.get()), facts.order.currency.exponent());
    let shipping = ask.shipping.map(|money| match money {
        PartMoney::Gross(_) => PartMoney::Gross(decimal(gross)),
        PartMoney::Net(_) => PartMoney::Net(decimal(net)),
        PartMoney::AsPriced(_) => PartMoney::AsPriced(decimal(if facts.order.taxes_included { gross } else { net })),
        PartMoney::Remaining => PartMoney::Remaining,
    });
    TrialAsk { units: units.collect(), shipping, currency: ask.currency.clone() }
}

/// What a caller makes of a trial: a refund of its units and its shipping, through its legs.
fn refund_of(facts: &Facts, ask: &TrialAsk, trial: &Trial) -> RefundRequest {
    let TrialAsk { units, shipping, currency } = lowered(facts, ask, trial);
    let units = units.into_iter().filter(|units| units.quantity != Some(0)).collect();
    let parts = shipping.map(|money| PartAsk { target: Target::Shipping, money }).into_iter().collect();
    let legs = trial.legs.iter().map(|leg| {
        let payment = &facts.order.payments[leg.payment];
        LegAsk {
            payment: payment.external_id.as_deref().map(by_name),
            channel: String::new(),
            amount: Decimal::from_parts(i128::from(leg.own_amount.get()), payment.own_currency.exponent()),
            amount_in: AmountIn::Own,
            currency: CurrencyAsk::Is(payment.own_currency.code().to_owned()),
            outside: false,
        }
    });
    let ask = Ask::Parts(Parts { total: Total::OfPayments, units, parts, uniform_restock: false });
    RefundRequest { plan: Plan::Named(legs.collect()), currency, ..RefundRequest::of(ask) }
}

/// A trial is never above what is left, says the same when it is asked again for no more, and a refund of it is
/// accepted, to the minor unit.
#[track_caller]
fn assert_accepted(facts: &Facts, ask: &TrialAsk, tried: &Trial) {
    let again = lowered(facts, ask, tried);
    assert_eq!(trial(facts, &again).as_ref(), Ok(tried), "{again:?}");
    assert_within(facts, tried);
    let parts: Amount = tried.units.iter().map(|units| units.net + units.tax).sum();
    let parts = parts + tried.shipping.net + tried.shipping.tax;
    assert_eq!(tried.total, parts.min(facts.payments_left()));
    assert!(tried.total.is_positive() || tried.legs.is_empty());
    if tried.legs.is_empty() {
        return;
    }
    let quote = decide(facts, &refund_of(facts, ask, tried)).expect("what was tried is accepted");
    let moved: Amount = quote.units.iter().map(|units| units.net + units.tax).sum();
    let allocated: Amount = quote.allocations.iter().map(crate::refund::Allocation::gross).sum();
    assert_eq!((moved + tried.shipping.net + tried.shipping.tax, allocated), (parts, parts));
    let own: Vec<(usize, Amount)> = quote.legs.iter().map(|leg| (leg.payment, leg.own_amount)).collect();
    assert_eq!(own, tried.legs.iter().map(|leg| (leg.payment, leg.own_amount)).collect::<Vec<_>>());
    let through: Amount = tried.legs.iter().map(|leg| leg.amount).sum();
    let payments = 0..facts.order.payments.len();
    // A minor unit may be left of a payment of which nothing is left in its own currency.
    let stuck = payments.filter(|i| facts.payment_own_left(*i).is_zero()).map(|i| facts.payment_left(i));
    assert!(through <= tried.total && tried.total - through <= stuck.sum());
    // Amounts of another currency come back rounded.
    if tried.legs.iter().all(|leg| facts.order.payments[leg.payment].own_currency == facts.order.currency) {
        assert_eq!((quote.amount, quote.discrepancy), (through, through - parts));
    }
}

fn assert_within(facts: &Facts, trial: &Trial) {
    let buckets = [Bucket::Waiting, Bucket::Shipped];
    for line in 0..facts.order.lines.len() {
        let of_line = trial.units.iter().filter(|units| units.line == line);
        let units: u32 = of_line.clone().map(|units| units.quantity).sum();
        assert!(units <= buckets.iter().map(|bucket| facts.units_left(line, *bucket)).sum());
        let gross: Amount = of_line.map(|units| units.net + units.tax).sum();
        assert!(gross <= facts.component_left_gross(line));
    }
    assert!(trial.shipping.net <= trial.shipping.left.0 && trial.shipping.tax <= trial.shipping.left.1);
    for leg in &trial.legs {
        assert!(leg.own_amount.is_positive() && leg.own_amount <= facts.payment_own_left(leg.payment));
    }
}

fn any_trial(u: &mut Unstructured<'_>, facts: &Facts) -> Drawn<TrialAsk> {
    let mut entries = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let line = format!("l{}", u.choose_index(facts.order.lines.len())?);
        let mode = *u.choose(&[UnitMode::Waiting, UnitMode::Shipped, UnitMode::Returned])?;
        let quantity = if u.ratio(1, 6)? { i64::MAX } else { u.int_in_range(0..=4)? };
        entries.push(units(&line, quantity, mode));
    }
    let amount = Decimal::from_parts(u.int_in_range(0..=12_000)?, facts.order.currency.exponent());
    let ways = [PartMoney::AsPriced(amount), PartMoney::Gross(amount), PartMoney::Net(amount), PartMoney::Remaining];
    let shipping = if u.ratio(1, 4)? { None } else { Some(*u.choose(&ways)?) };
    Ok(ask(&entries, shipping))
}

#[test]
fn whatever_happened_before_a_trial_lowers_and_its_refund_is_accepted() {
    arbtest(|u| {
        let mut book = Book::open(any_order(u)?);
        for _ in 0..u.int_in_range(0..=4)? {
            if u.ratio(1, 4)? {
                let payment = u.choose_index(book.facts.order.payments.len())?;
                let captured = book.facts.order.payments[payment].own_captured.get();
                book.dispute(payment, u.int_in_range(0..=captured + 10)?);
            }
            step(u, &mut book, true)?;
        }
        book.facts.terms = if u.ratio(1, 3)? { any_terms(u)? } else { Terms::default() };
        let ask = any_trial(u, &book.facts)?;
        match trial(&book.facts, &ask) {
            Ok(trial) => assert_accepted(&book.facts, &ask, &trial),
            // Only an order that gives nothing back, and what its gateways take, stand in the way.
            Err(Rejection::OrderUnpaid | Rejection::NothingLeft) => assert!(!book.facts.payments_left().is_positive()),
            Err(Rejection::PaymentLimited { .. }) => assert_ne!(book.facts.terms, Terms::default()),
            Err(other) => panic!("{ask:?} is refused: {other:?}"),
        }
        Ok(())
    })
    .size_min(128)
    .size_max(2_048)
    .budget_ms(300);
}
