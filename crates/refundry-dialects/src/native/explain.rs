//! Says in words why an allocation has its amount.

use refundry_core::money::Amount;
use refundry_core::order::{ComponentKind, Order};
use refundry_core::refund::{Allocation, Shape, Why};

use super::encode::{line_id, shown};

/// A component in one word: `shipping`, `goods:shirt`, `additional:Gift Wrapping`.
pub(super) fn component_name(order: &Order, index: usize) -> String {
    let Some(component) = order.components.get(index) else { return String::new() };
    let kind = component.kind.code();
    let line = component.line.map(|line| line_id(order, line));
    match (line, component.name.as_str()) {
        (Some(line), "") => format!("{kind}:{line}"),
        (Some(line), name) => format!("{kind}:{line}:{name}"),
        (None, "") => kind.to_owned(),
        (None, name) => format!("{kind}:{name}"),
    }
}

/// How a refund was asked for.
pub(super) const fn rule(shape: Shape) -> &'static str {
    match shape {
        Shape::Parts => "parts",
        Shape::Lines => "lines",
        Shape::Amount(_) => "amount",
        Shape::Percent(_) => "percent",
        Shape::Items => "items",
        Shape::Everything => "everything",
        Shape::Imported => "imported",
    }
}

/// The rule of an allocation with its figures.
pub(super) fn because(order: &Order, allocation: &Allocation) -> String {
    let show = |amount: Amount| shown(amount, order.currency);
    let component = order.components.get(allocation.component);
    let charged = component.map_or((Amount::ZERO, Amount::ZERO), |c| (c.net, c.tax));
    // Taxes can be asked for by themselves; beside the whole price their figure would look like a part.
    let figures = if allocation.net.is_zero() && allocation.tax.is_positive() {
        format!("{} of {} tax", show(allocation.tax), show(charged.1))
    } else {
        format!("{} of {}", show(allocation.gross()), show(charged.0 + charged.1))
    };
    let rule = match allocation.why {
        Why::Units { taken, units } => {
            let line = component.filter(|c| c.kind == ComponentKind::Goods).and_then(|c| c.line);
            let sold = line.and_then(|line| order.lines.get(line)).map_or(0, |line| line.quantity);
            format!("{units} {} after {taken} of {sold}", plural(units, "unit"))
        }
        Why::Stated => "stated by the caller".to_owned(),
        Why::ProRata => "a share in proportion to what each part had left".to_owned(),
        Why::FeesLast => "fees give last, once the other parts are used up".to_owned(),
        Why::Remaining => "all that was left".to_owned(),
        Why::Percent => "the percentage asked for".to_owned(),
        Why::Imported => "came with the imported order".to_owned(),
    };
    format!("{rule}: {figures}{}", odd_words(allocation.odd))
}

fn odd_words(odd: Amount) -> String {
    let count = odd.get().unsigned_abs();
    let units = if count == 1 { "1 minor unit".to_owned() } else { format!("{count} minor units") };
    match odd {
        odd if odd.is_zero() => String::new(),
        odd if odd.is_negative() => format!(", {units} less through rounding"),
        _ => format!(", {units} of it from rounding"),
    }
}

fn plural(count: u32, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}
