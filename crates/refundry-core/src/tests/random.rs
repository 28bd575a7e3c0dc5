//! Random orders, requests and news: any order that passes validation, any request a dialect could send.

use arbtest::arbitrary::{Result, Unstructured};

use super::world::{by_name, component, dec, order};
use crate::balances::Facts;
use crate::command::{
    AmountIn, Ask, CurrencyAsk, ItemAsk, ItemMoney, ItemName, ItemPart, LegAsk, PartAsk, PartMoney, Parts, Plan,
    RefundRequest, Rounding, Target, Total, UnitAsk, UnitMode,
};
use crate::decide::News;
use crate::money::{Amount, Currency, Decimal};
use crate::order::{Capture, ComponentKind, Order, PaymentKind, Reference, ShopMoney};
use crate::payouts::{GatewayLimits, Payouts, Strategy, Terms};
use crate::quote::quote;
use crate::refund::{Class, Restock};

/// An order with lines, all kinds of parts, and payments that captured more, less or exactly what it costs.
pub(crate) fn any_order(u: &mut Unstructured<'_>) -> Result<Order> {
    let mut order = order(u.choose(&["USD", "USD", "JPY", "KWD"])?);
    order.taxes_included = u.arbitrary()?;
    order.capture = if u.ratio(1, 4)? { Capture::ByFulfilment } else { Capture::Whole };
    for index in 0..u.int_in_range(1..=3)? {
        let quantity: u32 = u.int_in_range(1..=5)?;
        super::world::line(&mut order, &format!("l{index}"), quantity, any_amount(u)?, any_tax(u)?);
        let line = &mut order.lines[index];
        line.shipped = u.int_in_range(0..=quantity)?;
        line.cancelled = if u.ratio(1, 6)? { u.int_in_range(0..=quantity - line.shipped)? } else { 0 };
        line.discount = Amount::minor(any_amount(u)?);
    }
    for kind in ComponentKind::ALL.into_iter().skip(1) {
        for _ in 0..u.int_in_range(0..=2)? {
            let of_line = if u.ratio(1, 2)? { Some(u.choose_index(order.lines.len())?) } else { None };
            let mut part = component(kind, of_line, any_amount(u)?, any_tax(u)?);
            part.name = (*u.choose(&["gift", "box"])?).to_owned();
            order.components.push(part);
        }
    }
    if u.ratio(1, 2)? {
        order.shop = Some(ShopMoney {
            currency: currency(u.choose(&["EUR", "JPY", "KWD"])?),
            rate: dec(u.choose(&["7.1245", "0.0091", "149.5", "1", "0.140845070422535211267605633803"])?),
        });
    }
    pay_for(u, &mut order)?;
    Ok(order)
}

fn pay_for(u: &mut Unstructured<'_>, order: &mut Order) -> Result<()> {
    let charged = order.charged().get();
    let mut missing = match u.int_in_range(0..=3)? {
        0 => charged + u.int_in_range(0..=50)?,
        1 => u.int_in_range(0..=charged)?,
        _ => charged,
    };
    let count = u.int_in_range(1..=4)?;
    for index in 0..count {
        let captured = if index + 1 == count { missing } else { u.int_in_range(0..=missing)? };
        missing -= captured;
        super::world::pay(order, &format!("p{index}"), captured);
        let payment = &mut order.payments[index];
        payment.kind = *u.choose(&PaymentKind::ALL)?;
        (*u.choose(&["simulated", "eu", "us"])?).clone_into(&mut payment.gateway);
        if u.ratio(1, 3)? {
            payment.own_currency = currency(u.choose(&["EUR", "IDR"])?);
            payment.own_captured = Amount::minor(u.int_in_range(0..=captured * 3 + 2)?);
        }
    }
    Ok(())
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency")
}

fn any_amount(u: &mut Unstructured<'_>) -> Result<i64> {
    if u.ratio(1, 2)? { u.int_in_range(0..=12) } else { u.int_in_range(0..=9_999) }
}

fn any_tax(u: &mut Unstructured<'_>) -> Result<i64> {
    if u.ratio(1, 3)? { Ok(0) } else { u.int_in_range(0..=700) }
}

/// A request; mostly one that can be granted.
pub(crate) fn any_request(u: &mut Unstructured<'_>, facts: &Facts) -> Result<RefundRequest> {
    let ask = match u.int_in_range(0..=10)? {
        0..=4 => Ask::Parts(any_parts(u, facts)?),
        5 | 6 => {
            let amount = some_of(u, facts.available(), facts)?;
            Ask::Amount { amount, class: any_class(u)? }
        }
        7 => Ask::Percent { percent: any_percent(u)?, class: any_class(u)? },
        8 => Ask::Items(any_items(u, facts)?),
        9 => Ask::Lines { units: any_parts(u, facts)?.units, returned: u.ratio(1, 2)? },
        _ => Ask::Everything,
    };
    let mut request = RefundRequest::of(ask);
    request.rounding = *u.choose(&[Rounding::Exact, Rounding::HalfUp])?;
    request.plan = any_plan(u, facts, &request)?;
    request.strategy = any_strategy(u)?;
    if u.ratio(1, 20)? {
        request.refundable_before = Some(some_of(u, facts.payments_left(), facts)?);
    }
    Ok(request)
}

/// Mostly within what is left, now and then all of it, a little more, or with decimals beyond the currency's.
fn some_of(u: &mut Unstructured<'_>, left: Amount, facts: &Facts) -> Result<Decimal> {
    let minor = match u.int_in_range(0..=9)? {
        0 => left.get(),
        1 => left.get() + u.int_in_range(0..=2)?,
        2 => u.int_in_range(0..=3)?,
        _ => u.int_in_range(0..=left.get().max(0))?,
    };
    let exponent = facts.order.currency.exponent();
    if u.ratio(1, 12)? {
        return Ok(Decimal::from_parts(i128::from(minor * 10 + u.int_in_range(0..=9)?), exponent + 1));
    }
    Ok(Decimal::from_parts(i128::from(minor), exponent))
}

fn any_class(u: &mut Unstructured<'_>) -> Result<Option<Class>> {
    if u.ratio(2, 3)? { Ok(None) } else { u.choose(&Class::ALL).copied().map(Some) }
}

fn any_percent(u: &mut Unstructured<'_>) -> Result<Decimal> {
    if u.ratio(1, 3)? { Ok(dec("100")) } else { Ok(Decimal::from_parts(u.int_in_range(0..=10_050)?, 2)) }
}

fn any_line(u: &mut Unstructured<'_>, facts: &Facts) -> Result<Reference> {
    Ok(by_name(&format!("l{}", u.choose_index(facts.order.lines.len())?)))
}

fn any_parts(u: &mut Unstructured<'_>, facts: &Facts) -> Result<Parts> {
    let mut parts = Parts { uniform_restock: u.ratio(1, 4)?, ..Parts::default() };
    for _ in 0..u.int_in_range(0..=2)? {
        parts.units.push(UnitAsk {
            line: any_line(u, facts)?,
            quantity: if u.ratio(1, 4)? { None } else { Some(u.int_in_range(0..=3)?) },
            mode: *u.choose(&[UnitMode::Automatic, UnitMode::Automatic, UnitMode::Waiting, UnitMode::Returned])?,
            restock: *u.choose(&[Restock::No, Restock::Return, Restock::Cancel])?,
            location: String::new(),
        });
    }
    for _ in 0..u.int_in_range(0..=3)? {
        let target = match u.int_in_range(0..=9)? {
            0 => Target::Product,
            1..=3 => Target::Goods(any_line(u, facts)?),
            4 => Target::Tip,
            5 => Target::Additionals,
            6 => Target::Additional((*u.choose(&["gift", "box"])?).to_owned()),
            7 => Target::Duty,
            8 => u.choose(&[Target::ImporterTax, Target::Fees])?.clone(),
            _ => Target::Shipping,
        };
        let amount = some_of(u, Amount::minor(400), facts)?;
        let money = match u.int_in_range(0..=3)? {
            0 => PartMoney::Gross(amount),
            1 => PartMoney::Net(amount),
            2 => PartMoney::AsPriced(amount),
            _ => PartMoney::Remaining,
        };
        parts.parts.push(PartAsk { target, money });
    }
    parts.total = match u.int_in_range(0..=3)? {
        0 => Total::Stated(some_of(u, facts.payments_left(), facts)?),
        1 => Total::OfPayments,
        _ => Total::Derived,
    };
    Ok(parts)
}

fn any_items(u: &mut Unstructured<'_>, facts: &Facts) -> Result<Vec<ItemAsk>> {
    let mut items = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let line = any_line(u, facts)?;
        let sku = ItemName::Sku(line.text.clone());
        items.push(ItemAsk {
            item: if u.ratio(1, 4)? { sku } else { ItemName::Id(line) },
            quantity: if u.ratio(1, 2)? { None } else { Some(u.int_in_range(1..=3)?) },
            money: if u.ratio(1, 2)? {
                ItemMoney::Amount(some_of(u, Amount::minor(300), facts)?)
            } else {
                ItemMoney::Percent(any_percent(u)?)
            },
            part: *u.choose(&[None, None, Some(ItemPart::Shipping), Some(ItemPart::Fees), Some(ItemPart::Duty)])?,
        });
    }
    Ok(items)
}

fn any_plan(u: &mut Unstructured<'_>, facts: &Facts, request: &RefundRequest) -> Result<Plan> {
    let by_payments = matches!(&request.ask, Ask::Parts(parts) if parts.total == Total::OfPayments);
    if !by_payments && u.ratio(1, 2)? {
        let payments = facts.order.payments.len();
        return Ok(Plan::InOrder(if u.ratio(1, 2)? {
            vec![payment_name(u.choose_index(payments)?)]
        } else {
            Vec::new()
        }));
    }
    // A named plan that adds up: what the request comes to, shared out at random.
    let mut missing = quote(facts, request).map_or(Amount::minor(u.int_in_range(0..=500)?), |quote| quote.amount);
    let mut legs = Vec::new();
    for index in 0..facts.order.payments.len() {
        let most = missing.min(facts.payment_left(index)).get();
        let part = if u.ratio(1, 2)? { most } else { u.int_in_range(0..=most)? };
        missing -= Amount::minor(part);
        if by_payments && u.ratio(1, 3)? {
            let most = facts.payment_own_left(index).get();
            let own = Amount::minor(if u.ratio(1, 3)? { most } else { u.int_in_range(0..=most)? });
            let exponent = facts.order.payments[index].own_currency.exponent();
            let amount = Decimal::from_parts(i128::from(own.get()), exponent);
            legs.push(LegAsk { amount_in: AmountIn::Own, amount, ..leg(index, Amount::ZERO, facts) });
        } else if part > 0 {
            legs.push(LegAsk { outside: u.ratio(1, 5)?, ..leg(index, Amount::minor(part), facts) });
        }
    }
    if u.ratio(1, 3)? && !legs.is_empty() {
        // The same payment twice.
        legs.push(legs[0].clone());
    }
    Ok(Plan::Named(legs))
}

fn any_strategy(u: &mut Unstructured<'_>) -> Result<Option<Strategy>> {
    if u.ratio(1, 3)? { Ok(None) } else { u.choose(&Strategy::ALL).copied().map(Some) }
}

/// What a store could have configured; the request comes on day 40 of the order.
pub(crate) fn any_terms(u: &mut Unstructured<'_>) -> Result<Terms> {
    let mut payouts = Payouts { strategy: *u.choose(&Strategy::ALL)?, ..Payouts::default() };
    if u.ratio(1, 4)? {
        payouts.routes.insert("card".to_owned(), (*u.choose(&["eu", "us", "simulated"])?).to_owned());
    }
    for gateway in ["simulated", "eu", "us"] {
        if u.ratio(1, 2)? {
            let limits = GatewayLimits {
                partial: u.ratio(3, 4)?,
                several_per_payment: u.ratio(3, 4)?,
                minimum_minor: if u.ratio(1, 2)? { 0 } else { u.int_in_range(0..=200)? },
                deadline_days: *u.choose(&[None, None, Some(39), Some(40)])?,
            };
            payouts.gateways.insert(gateway.to_owned(), limits);
        }
    }
    Ok(Terms { asked_ms: 40 * 86_400_000, payouts: payouts.into() })
}

fn payment_name(index: usize) -> Reference {
    by_name(&format!("p{index}"))
}

fn leg(index: usize, amount: Amount, facts: &Facts) -> LegAsk {
    LegAsk {
        payment: Some(payment_name(index)),
        channel: String::new(),
        amount: Decimal::from_parts(i128::from(amount.get()), facts.order.currency.exponent()),
        amount_in: AmountIn::Books,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    }
}

/// News of a leg, whether or not it makes sense.
pub(crate) fn any_news(u: &mut Unstructured<'_>, failures: bool) -> Result<News> {
    let reference = (*u.choose(&["", "r1", "r2"])?).to_owned();
    Ok(match u.int_in_range(0..=if failures { 8 } else { 5 })? {
        0 => News::Sent { reference },
        1 => News::InDoubt { reason: reference },
        2 => News::NotSent { reason: "nobody answers".to_owned() },
        3 => News::Contradicted { reason: "other figures".to_owned(), reference },
        4 | 5 => News::Succeeded { reference },
        _ => News::Failed { code: reference, message: String::new() },
    })
}
