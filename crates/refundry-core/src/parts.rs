//! Refunds by named parts, units and a total; of whole units alone; and of everything that is left.

use crate::balances::Facts;
use crate::command::{PartAsk, PartMoney, Parts, Rounding, Target, Total, UnitAsk};
use crate::money::{Amount, Currency};
use crate::order::ComponentKind;
use crate::quote::{Draft, not_negative, positive};
use crate::refund::{Bucket, Shape, UnitMove, Why};
use crate::rejection::Rejection;
use crate::spread::{Spread, tax_with};
use crate::units;

/// A part with its figures worked out.
struct Priced<'a> {
    target: &'a Target,
    components: Vec<usize>,
    /// What it adds to the refund, with tax.
    gross: Amount,
    /// The part of `gross` without tax, where the caller stated that.
    net: Option<Amount>,
    /// Units of the same goods are listed: their shares are the allocation, the amount is only money.
    covered: bool,
}

/// Everything the payments have left: all units, all components, and the difference as discrepancy.
pub(crate) fn everything(facts: &Facts) -> Draft {
    let units = units::all_left(facts);
    let mut spread = Spread::new(facts);
    spread.take_rest(&(0..facts.order.components.len()).collect::<Vec<_>>());
    Draft {
        amount: Some(facts.payments_left()),
        at_most: facts.payments_left(),
        allocations: spread.into_allocations(),
        units,
        shape: Shape::Everything,
    }
}

/// Whole units at their shares. Shipping goes with the last of them: it must not stay behind on an order without goods.
pub(crate) fn by_lines(facts: &Facts, asks: &[UnitAsk], returned: bool) -> Result<Draft, Rejection> {
    let mut units = units::resolve(facts, asks, false)?;
    for moved in &mut units {
        moved.returned_goods = returned && moved.bucket == Bucket::Shipped;
    }
    let mut spread = Spread::new(facts);
    units::allocate(facts, &mut spread, &units);
    let mut amount = units::worth(units.iter());
    if units::are_the_last(facts, &units) {
        let shipping: Vec<usize> = facts.order.of_kind(ComponentKind::Shipping).collect();
        amount += spread.left_of(&shipping);
        spread.take_rest(&shipping);
    }
    let (amount, at_most) = (Some(check_moves(amount)?), facts.payments_left());
    Ok(Draft { amount, at_most, allocations: spread.into_allocations(), units, shape: Shape::Parts })
}

/// Named parts, whole units, a total.
pub(crate) fn by_parts(facts: &Facts, ask: &Parts, rounding: Rounding) -> Result<Draft, Rejection> {
    check_lines(facts, ask)?;
    let units = units::resolve(facts, &ask.units, ask.uniform_restock)?;
    check_charges(facts, ask)?;
    let total = match ask.total {
        Total::Stated(total) => Some(positive("total", total, facts.order.currency, rounding)?),
        Total::Derived | Total::OfPayments => None,
    };
    check_amounts(facts, ask, rounding)?;
    let additionals = explained_additionals(facts, ask, rounding)?;
    let priced = price_all(facts, ask, &units, rounding, additionals.is_some())?;
    let stated: Amount = priced.iter().map(|p| p.gross).sum();
    if let Some((total, parts)) = additionals.filter(|(total, parts)| total != parts) {
        return Err(Rejection::PartsDoNotAddUp { total, parts, currency: facts.order.currency });
    }
    check_sum(ask, total, stated, facts.order.currency)?;

    let mut spread = Spread::new(facts);
    units::allocate(facts, &mut spread, &units);
    for part in priced.iter().filter(|p| !p.covered) {
        match part.net {
            Some(net) => spread.spread_net(net, &part.components),
            None => spread.spread(part.gross, &part.components, Why::Stated),
        }
    }
    let uncovered = units::worth(units.iter().filter(|u| !covers(&priced, u.line)));
    if let Some(rest) = total.map(|total| total - stated)
        && uncovered.is_zero()
        && units.iter().all(|u| covers(&priced, u.line))
    {
        let open: Vec<usize> = (0..facts.order.components.len()).collect();
        spread.spread(rest, &open, Why::ProRata);
    }
    let derived = stated + uncovered;
    let (amount, shape) = match ask.total {
        Total::Stated(_) => (total, Shape::Parts),
        Total::Derived => (Some(check_moves(derived)?), Shape::Parts),
        Total::OfPayments => (None, Shape::Lines),
    };
    let at_most = facts.payments_left();
    Ok(Draft { amount, at_most, allocations: spread.into_allocations(), units, shape })
}

/// A refund that comes to nothing is refused: no money would move.
fn check_moves(derived: Amount) -> Result<Amount, Rejection> {
    if derived.is_positive() {
        return Ok(derived);
    }
    Err(Rejection::AmountInvalid {
        field: "total".to_owned(),
        amount: crate::money::Decimal::ZERO,
        why: crate::money::AmountError::NotPositive,
    })
}

fn check_lines(facts: &Facts, ask: &Parts) -> Result<(), Rejection> {
    for (entry, part) in ask.parts.iter().enumerate() {
        if let Target::Goods(line) = &part.target
            && facts.order.find_line(line).is_none()
        {
            return Err(Rejection::LineUnknown { entry, line: line.text.clone() });
        }
    }
    Ok(())
}

fn check_charges(facts: &Facts, ask: &Parts) -> Result<(), Rejection> {
    for part in &ask.parts {
        if let Target::Additional(name) = &part.target
            && components_of(facts, &part.target).is_empty()
        {
            return Err(Rejection::ChargeUnknown { name: name.clone() });
        }
    }
    Ok(())
}

/// Reads all amounts before any of them is judged, as their rank wants.
fn check_amounts(facts: &Facts, ask: &Parts, rounding: Rounding) -> Result<(), Rejection> {
    for part in &ask.parts {
        if let PartMoney::Gross(amount) | PartMoney::Net(amount) | PartMoney::AsPriced(amount) = part.money {
            not_negative(&part.target.describe(), amount, facts.order.currency, rounding)?;
        }
    }
    Ok(())
}

/// The parts of one request price one after another, so that two parts of one component see each other.
fn price_all<'a>(
    facts: &Facts,
    ask: &'a Parts,
    units: &[UnitMove],
    rounding: Rounding,
    explained: bool,
) -> Result<Vec<Priced<'a>>, Rejection> {
    let mut left = Spread::new(facts);
    let mut priced = Vec::new();
    for part in &ask.parts {
        // Named charges explain an additional total where both are given, so the total adds nothing of its own.
        if explained && part.target == Target::Additionals {
            continue;
        }
        let mut one = price(facts, &left, part, rounding)?;
        let goods = |line: usize| match &one.target {
            Target::Product => true,
            Target::Goods(reference) => facts.order.find_line(reference) == Some(line),
            Target::Shipping
            | Target::Tip
            | Target::Additionals
            | Target::Additional(_)
            | Target::Duty
            | Target::ImporterTax
            | Target::Fees => false,
        };
        one.covered = units.iter().any(|u| goods(u.line));
        match one.net {
            Some(net) => left.spread_net(net, &one.components),
            None => left.spread(one.gross, &one.components, Why::Stated),
        }
        priced.push(one);
    }
    Ok(priced)
}

fn price<'a>(facts: &Facts, left: &Spread<'_>, part: &'a PartAsk, rounding: Rounding) -> Result<Priced<'a>, Rejection> {
    let components = components_of(facts, &part.target);
    let field = part.target.describe();
    let currency = facts.order.currency;
    let nets: Amount = components.iter().map(|c| left.left(*c).0).sum();
    let all = left.left_of(&components);
    let by_gross = match part.money {
        PartMoney::AsPriced(amount) if facts.order.taxes_included => PartMoney::Gross(amount),
        PartMoney::AsPriced(amount) => PartMoney::Net(amount),
        PartMoney::Gross(_) | PartMoney::Net(_) | PartMoney::Remaining => part.money,
    };
    let (gross, net) = match by_gross {
        PartMoney::Remaining => (all, None),
        PartMoney::Gross(amount) | PartMoney::AsPriced(amount) => {
            let gross = not_negative(&field, amount, currency, rounding)?;
            exceeds(&field, gross, all, currency)?;
            (gross, None)
        }
        PartMoney::Net(amount) => {
            let net = not_negative(&field, amount, currency, rounding)?;
            exceeds(&field, net, nets, currency)?;
            (net + tax_of_net(left, net, &components), Some(net))
        }
    };
    Ok(Priced { target: &part.target, components, gross, net, covered: false })
}

/// What giving back shipping comes to, net and tax, where more than is left of it is lowered to that.
pub(crate) fn shipping_at_most(facts: &Facts, money: PartMoney) -> Result<(Amount, Amount), Rejection> {
    let shipping = components_of(facts, &Target::Shipping);
    let currency = facts.order.currency;
    let mut spread = Spread::new(facts);
    let (by_gross, stated) = match money {
        PartMoney::Remaining => (true, None),
        PartMoney::AsPriced(amount) => (facts.order.taxes_included, Some(amount)),
        PartMoney::Gross(amount) => (true, Some(amount)),
        PartMoney::Net(amount) => (false, Some(amount)),
    };
    let stated = stated.map(|amount| not_negative(&Target::Shipping.describe(), amount, currency, Rounding::Exact));
    match stated.transpose()? {
        None => spread.take_rest(&shipping),
        Some(amount) if by_gross => spread.spread(amount.min(spread.left_of(&shipping)), &shipping, Why::Stated),
        Some(amount) => {
            let nets: Amount = shipping.iter().map(|c| spread.left(*c).0).sum();
            spread.spread_net(amount.min(nets), &shipping);
        }
    }
    let sums = spread.into_allocations().into_iter().map(|a| (a.net, a.tax));
    Ok(sums.fold((Amount::ZERO, Amount::ZERO), |(net, tax), part| (net + part.0, tax + part.1)))
}

fn tax_of_net(left: &Spread<'_>, net: Amount, components: &[usize]) -> Amount {
    let nets: Vec<Amount> = components.iter().map(|c| left.left(*c).0).collect();
    let parts = crate::money::split(net, &nets);
    let taxes = components.iter().zip(parts).map(|(component, part)| {
        let (net_left, tax_left) = left.left(*component);
        tax_with(part, net_left, tax_left)
    });
    taxes.sum()
}

fn exceeds(part: &str, asked: Amount, available: Amount, currency: Currency) -> Result<(), Rejection> {
    if asked <= available {
        return Ok(());
    }
    Err(Rejection::PartExceeded { part: part.to_owned(), asked, available, currency })
}

/// An additional total that comes with named charges, and their sum: the two must then agree.
fn explained_additionals(
    facts: &Facts,
    ask: &Parts,
    rounding: Rounding,
) -> Result<Option<(Amount, Amount)>, Rejection> {
    let mut total = None;
    let mut named = None;
    for part in &ask.parts {
        let (PartMoney::Gross(amount), slot) = (match part.target {
            Target::Additionals => (part.money, &mut total),
            Target::Additional(_) => (part.money, &mut named),
            Target::Product
            | Target::Goods(_)
            | Target::Shipping
            | Target::Tip
            | Target::Duty
            | Target::ImporterTax
            | Target::Fees => continue,
        }) else {
            continue;
        };
        let amount = not_negative(&part.target.describe(), amount, facts.order.currency, rounding)?;
        *slot = Some(slot.unwrap_or(Amount::ZERO) + amount);
    }
    Ok(total.zip(named))
}

/// Parts never exceed the total; where product, shipping, tip and additional charges are all named, they make it.
fn check_sum(ask: &Parts, total: Option<Amount>, parts: Amount, currency: Currency) -> Result<(), Rejection> {
    let Some(total) = total else { return Ok(()) };
    let names = |wanted: fn(&Target) -> bool| ask.parts.iter().any(|p| wanted(&p.target));
    let complete = names(|t| matches!(t, Target::Product))
        && names(|t| matches!(t, Target::Shipping))
        && names(|t| matches!(t, Target::Tip))
        && names(|t| matches!(t, Target::Additionals | Target::Additional(_)));
    if parts > total || (complete && parts != total) {
        return Err(Rejection::PartsDoNotAddUp { total, parts, currency });
    }
    Ok(())
}

fn covers(priced: &[Priced<'_>], line: usize) -> bool {
    priced.iter().any(|p| p.covered && p.components.contains(&line))
}

fn components_of(facts: &Facts, target: &Target) -> Vec<usize> {
    let order = &facts.order;
    let kinds: &[ComponentKind] = match target {
        Target::Product => &[ComponentKind::Goods, ComponentKind::Duty, ComponentKind::ImporterTax, ComponentKind::Fee],
        Target::Goods(line) => return order.find_line(line).into_iter().collect(),
        Target::Shipping => &[ComponentKind::Shipping],
        Target::Tip => &[ComponentKind::Tip],
        Target::Additionals => &[ComponentKind::Additional],
        Target::Additional(name) => {
            let named = |c: &usize| order.components.get(*c).is_some_and(|c| c.name == *name);
            return order.of_kind(ComponentKind::Additional).filter(named).collect();
        }
        Target::Duty => &[ComponentKind::Duty],
        Target::ImporterTax => &[ComponentKind::ImporterTax],
        Target::Fees => &[ComponentKind::Fee],
    };
    let in_kinds = |(i, c): (usize, &crate::order::Component)| kinds.contains(&c.kind).then_some(i);
    order.components.iter().enumerate().filter_map(in_kinds).collect()
}
