//! Refunds by amount, percentage or money of items: they move money, never unit buckets.

use std::cmp::Ordering;

use crate::balances::Facts;
use crate::command::{ItemAsk, ItemMoney, ItemName, ItemPart, Rounding};
use crate::money::{Amount, AmountError, Decimal};
use crate::order::ComponentKind;
use crate::quote::{Draft, positive};
use crate::refund::{Class, Shape, Why};
use crate::rejection::{Rejection, all_or_first};
use crate::spread::Spread;

/// Digits of a percentage after the point that count; more are rounded half up. Keeps products inside `i128`.
const PERCENT_SCALE_MAX: u32 = 9;

/// An amount, perhaps of one component type.
pub(crate) fn by_amount(
    facts: &Facts,
    amount: Decimal,
    class: Option<Class>,
    rounding: Rounding,
) -> Result<Draft, Rejection> {
    let asked = positive("amount", amount, facts.order.currency, rounding)?;
    let shape = Shape::Amount(class);
    if let Some(class @ (Class::Tax | Class::ImporterTax)) = class {
        let whole = whole_of(facts, class);
        if asked < whole {
            return Err(Rejection::TaxOnlyWhole { by_percent: false, whole, currency: facts.order.currency });
        }
        return take_whole(facts, class, asked, whole, shape);
    }
    take(facts, asked, class, shape)
}

/// A percentage of what is left, perhaps of one component type.
pub(crate) fn by_percent(facts: &Facts, percent: Decimal, class: Option<Class>) -> Result<Draft, Rejection> {
    let fraction = check_percent(percent)?;
    let shape = Shape::Percent(class);
    if let Some(class @ (Class::Tax | Class::ImporterTax)) = class {
        let whole = whole_of(facts, class);
        if percent != Decimal::from_parts(100, 0) {
            return Err(Rejection::TaxOnlyWhole { by_percent: true, whole, currency: facts.order.currency });
        }
        return take_whole(facts, class, whole, whole, shape);
    }
    let base = match class {
        None => facts.available(),
        Some(class) => Spread::new(facts).left_of(&components_of(facts, class)),
    };
    let asked = fraction.of_amount(base, 2);
    // A percentage of nothing is refused when payments are planned: nothing is left to refund.
    if asked.is_zero() && base.is_positive() {
        return Err(Rejection::PercentInvalid { percent });
    }
    take(facts, asked, class, shape)
}

/// Money of items, each of its goods or of one other part of the line.
pub(crate) fn by_items(facts: &Facts, items: &[ItemAsk], rounding: Rounding) -> Result<Draft, Rejection> {
    let lines = items.iter().enumerate().map(|(entry, item)| line_of(facts, entry, item));
    let lines = all_or_first(lines)?;
    let quantities = items.iter().zip(&lines).enumerate().map(|(entry, (item, line))| {
        let ordered = facts.order.lines.get(*line).map_or(0, |l| l.quantity);
        check_quantity(entry, item, ordered).map(|quantity| (quantity, ordered))
    });
    let quantities = all_or_first(quantities)?;
    let parts = items.iter().zip(&lines).map(|(item, line)| part_of(facts, *line, item.part)).collect::<Vec<_>>();
    let priced = items.iter().zip(&parts).zip(&quantities).map(|((item, components), (quantity, ordered))| {
        item_amount(facts, item, components, (*quantity, *ordered), rounding)
    });
    let amounts = all_or_first(priced)?;

    let mut spread = Spread::new(facts);
    for (((item, components), amount), (quantity, _)) in items.iter().zip(&parts).zip(&amounts).zip(&quantities) {
        let available = spread.left_of(components);
        if *amount > available {
            let part = item_part_code(item.part).to_owned();
            return Err(Rejection::PartExceeded { part, asked: *amount, available, currency: facts.order.currency });
        }
        let why = if matches!(item.money, ItemMoney::Percent(_)) { Why::Percent } else { Why::Stated };
        spread.spread(*amount, components, why);
        spread.state_quantity(*quantity);
    }
    Ok(draft(facts, amounts.iter().sum(), spread, Shape::Items))
}

fn draft(facts: &Facts, asked: Amount, spread: Spread<'_>, shape: Shape) -> Draft {
    let allocations = spread.into_allocations();
    Draft { amount: Some(asked), at_most: facts.available(), allocations, units: Vec::new(), shape }
}

fn take(facts: &Facts, asked: Amount, class: Option<Class>, shape: Shape) -> Result<Draft, Rejection> {
    let mut spread = Spread::new(facts);
    let components = match class {
        None => (0..facts.order.components.len()).collect(),
        Some(class) => components_of(facts, class),
    };
    if let Some(class) = class {
        let available = spread.left_of(&components);
        if asked > available {
            let (part, currency) = (class.code().to_owned(), facts.order.currency);
            return Err(Rejection::PartExceeded { part, asked, available, currency });
        }
    }
    let why = if matches!(shape, Shape::Percent(_)) { Why::Percent } else { Why::ProRata };
    spread.spread(asked, &components, why);
    Ok(draft(facts, asked, spread, shape))
}

/// Taxes go back whole: `asked` is at least `whole` here.
fn take_whole(facts: &Facts, class: Class, asked: Amount, whole: Amount, shape: Shape) -> Result<Draft, Rejection> {
    if asked > whole || whole.is_zero() {
        let (part, currency) = (class.code().to_owned(), facts.order.currency);
        return Err(Rejection::PartExceeded { part, asked, available: whole, currency });
    }
    let mut spread = Spread::new(facts);
    for component in components_of(facts, class) {
        let (net, tax) = spread.left(component);
        let net = if class == Class::Tax { Amount::ZERO } else { net };
        spread.take(component, net, tax, Why::Remaining, Amount::ZERO);
    }
    Ok(draft(facts, asked, spread, shape))
}

/// All that is left of a tax class: the importer's tax is its own component, every other tax sits beside its net.
fn whole_of(facts: &Facts, class: Class) -> Amount {
    let lefts = components_of(facts, class).into_iter().map(|c| facts.component_left(c));
    if class == Class::Tax { lefts.map(|(_, tax)| tax).sum() } else { lefts.map(|(net, tax)| net + tax).sum() }
}

fn components_of(facts: &Facts, class: Class) -> Vec<usize> {
    let belongs = |kind: ComponentKind| match class {
        Class::Shipping => kind == ComponentKind::Shipping,
        Class::Duty => kind == ComponentKind::Duty,
        Class::Tax => kind != ComponentKind::ImporterTax,
        Class::ImporterTax => kind == ComponentKind::ImporterTax,
    };
    let indexed = facts.order.components.iter().enumerate();
    indexed.filter(|(_, c)| belongs(c.kind)).map(|(i, _)| i).collect()
}

fn check_percent(percent: Decimal) -> Result<Decimal, Rejection> {
    let (low, high) = (Decimal::from_parts(1, 2), Decimal::from_parts(100, 0));
    if percent < low || percent > high {
        return Err(Rejection::PercentInvalid { percent });
    }
    Ok(percent.rounded_to(PERCENT_SCALE_MAX))
}

fn line_of(facts: &Facts, entry: usize, item: &ItemAsk) -> Result<usize, Rejection> {
    match &item.item {
        ItemName::Id(reference) => facts
            .order
            .find_line(reference)
            .ok_or_else(|| Rejection::LineUnknown { entry, line: reference.text.clone() }),
        ItemName::Sku(sku) => {
            let mut lines = facts.order.lines.iter().enumerate().filter(|(_, l)| l.sku == *sku).map(|(i, _)| i);
            match (lines.next(), lines.next()) {
                (Some(line), None) => Ok(line),
                (Some(_), Some(_)) => Err(Rejection::LineAmbiguous { entry, sku: sku.clone() }),
                (None, _) => Err(Rejection::LineUnknown { entry, line: sku.clone() }),
            }
        }
    }
}

fn check_quantity(entry: usize, item: &ItemAsk, ordered: u32) -> Result<u32, Rejection> {
    let Some(asked) = item.quantity else { return Ok(ordered) };
    let line = match &item.item {
        ItemName::Id(reference) => reference.text.clone(),
        ItemName::Sku(sku) => sku.clone(),
    };
    if asked < 1 {
        return Err(Rejection::QuantityInvalid { entry, line, quantity: asked });
    }
    match u32::try_from(asked) {
        Ok(quantity) if quantity <= ordered => Ok(quantity),
        Ok(_) | Err(_) => Err(Rejection::QuantityExceeded { entry, line, asked, available: ordered }),
    }
}

fn part_of(facts: &Facts, line: usize, part: Option<ItemPart>) -> Vec<usize> {
    let kind = match part {
        None => return vec![line],
        Some(ItemPart::Shipping) => ComponentKind::Shipping,
        Some(ItemPart::Fees) => ComponentKind::Fee,
        Some(ItemPart::Duty) => ComponentKind::Duty,
    };
    let of_line = |i: &usize| facts.order.components.get(*i).is_some_and(|c| c.line == Some(line));
    facts.order.of_kind(kind).filter(of_line).collect()
}

const fn item_part_code(part: Option<ItemPart>) -> &'static str {
    match part {
        None => "item",
        Some(ItemPart::Shipping) => "item shipping",
        Some(ItemPart::Fees) => "item fees",
        Some(ItemPart::Duty) => "item duty",
    }
}

/// The line total of one item.
///
/// An amount beside a quantity is per unit and is multiplied before it is rounded: callers who divide a line total by
/// the quantity get their total back. This is the one place to change if amounts should be per line instead.
fn item_amount(
    facts: &Facts,
    item: &ItemAsk,
    components: &[usize],
    (quantity, ordered): (u32, u32),
    rounding: Rounding,
) -> Result<Amount, Rejection> {
    let currency = facts.order.currency;
    let (stated, amount) = match item.money {
        ItemMoney::Amount(amount) => {
            let times = if item.quantity.is_some() { quantity } else { 1 };
            let total = amount.times(times);
            let minor = match rounding {
                Rounding::Exact => total.to_minor(currency),
                Rounding::HalfUp => total.to_minor_half_up(currency),
            };
            (amount, minor)
        }
        ItemMoney::Percent(percent) => {
            let fraction = check_percent(percent)?;
            let charged = components.iter().filter_map(|c| facts.order.components.get(*c));
            let base: Amount = charged.map(crate::order::Component::gross).sum();
            (percent, Ok(fraction.times(quantity).of_amount_divided(base, 2, ordered)))
        }
    };
    let checked = amount.and_then(|a| if a.is_positive() { Ok(a) } else { Err(AmountError::NotPositive) });
    match (checked, item.money) {
        (Ok(amount), _) => Ok(amount),
        (Err(_), ItemMoney::Percent(percent)) if stated.sign() == Ordering::Greater => {
            Err(Rejection::PercentInvalid { percent })
        }
        (Err(why), ItemMoney::Percent(_) | ItemMoney::Amount(_)) => {
            Err(Rejection::AmountInvalid { field: "item".to_owned(), amount: stated, why })
        }
    }
}
