//! An order in the making: what a caller wants to sell → the facts of an order.
//!
//! Prices, discount and tax are shared out over the lines here, once and for all, by largest remainder.

use crate::life::Life;
use crate::limits::AMOUNT_MINOR_MAX;
use crate::money::{Amount, Currency, Decimal, split};
use crate::order::{Capture, Component, ComponentKind, Dialect, Line, Order, OrderFault, Payment, PaymentKind, Status};

/// What a caller wants to sell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Through which API; it prints the order's ids in its own shape.
    pub origin: Dialect,
    /// What people will call the order; given where it is stored if this is empty.
    pub number: String,
    /// What it is sold in.
    pub currency: Currency,
    /// What is sold.
    pub lines: Vec<DraftLine>,
    /// Taken off the lines that take part in it.
    pub discount: Option<Discount>,
    /// Tax of the goods, on top of their prices.
    pub tax: Amount,
    /// Shipping without tax.
    pub shipping: Amount,
    /// Named additional charges.
    pub charges: Vec<(String, Amount)>,
    /// It is paid when it is handed over.
    pub on_delivery: bool,
}

/// One line of what is sold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftLine {
    /// The platform's product id, may be empty.
    pub product_id: String,
    /// The platform's variant id, may be empty.
    pub variant_id: String,
    /// Product title, may be empty.
    pub title: String,
    /// Units, at least 1.
    pub quantity: u32,
    /// Price of one; `None` for what the variant costs.
    pub price: Option<Amount>,
    /// What the line costs after a discount of its own; `None` for price times quantity.
    pub total: Option<Amount>,
    /// It takes no part in the order's discount.
    pub no_discount: bool,
}

/// A discount of the order as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// So much.
    Amount(Amount),
    /// So many hundredths of what the lines cost, rounded half up.
    Percent(Decimal),
}

/// Why a draft is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftFault {
    /// Nothing is sold.
    NoLines,
    /// A line states no price, and its variant has none here: which line.
    PriceUnknown(usize),
    /// A line costs more than its price times its quantity, or more than any order may: which line.
    LineTotal(usize),
    /// The discount is more than what the lines cost that take part in it, or no percentage from 0 to 100.
    Discount,
    /// There is a tax, and no line that could bear it.
    TaxOnNothing,
    /// It breaks a limit or a rule of all orders.
    Order(OrderFault),
}

/// Makes an order of a draft. `price_of` knows what a variant costs. Numbers (`id`) are zero; whoever stores it gives
/// them.
pub fn order(
    draft: &Draft,
    mut price_of: impl FnMut(&DraftLine) -> Option<Amount>,
    now_ms: i64,
) -> Result<Order, DraftFault> {
    if draft.lines.is_empty() {
        return Err(DraftFault::NoLines);
    }
    let (mut lines, mut totals) = (Vec::new(), Vec::new());
    for (index, line) in draft.lines.iter().enumerate() {
        let price = line.price.or_else(|| price_of(line)).ok_or(DraftFault::PriceUnknown(index))?;
        let full = price.get().checked_mul(i64::from(line.quantity)).filter(|full| *full <= AMOUNT_MINOR_MAX);
        let full = Amount::minor(full.ok_or(DraftFault::LineTotal(index))?);
        let total = line.total.unwrap_or(full);
        if total > full || total.is_negative() {
            return Err(DraftFault::LineTotal(index));
        }
        lines.push(line_of(line, price, full));
        totals.push(total);
    }
    let totals = discounted(draft, totals)?;
    for (line, total) in lines.iter_mut().zip(&totals) {
        // It held the full price until now.
        line.discount -= *total;
    }
    if draft.tax.is_positive() && totals.iter().all(|total| total.is_zero()) {
        return Err(DraftFault::TaxOnNothing);
    }
    let taxes = split(draft.tax, &totals);
    let goods = totals.iter().zip(taxes).enumerate();
    let goods = goods.map(|(index, (net, tax))| part(ComponentKind::Goods, Some(index), "", *net, tax));
    let mut components: Vec<Component> = goods.collect();
    if draft.shipping.is_positive() {
        components.push(part(ComponentKind::Shipping, None, "", draft.shipping, Amount::ZERO));
    }
    let charges = draft.charges.iter();
    components.extend(charges.map(|(name, net)| part(ComponentKind::Additional, None, name, *net, Amount::ZERO)));
    let order = Order {
        id: 0,
        origin: draft.origin,
        external_id: None,
        number: draft.number.clone(),
        currency: draft.currency,
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines,
        components,
        payments: draft.on_delivery.then(|| on_delivery(draft.currency)).into_iter().collect(),
        created_ms: now_ms,
        updated_ms: now_ms,
        test: false,
        life: Life::default(),
    };
    order.validate().map_err(DraftFault::Order)?;
    Ok(order)
}

/// The line as it is sold; its discount is the full price, until what is left of it is known.
fn line_of(line: &DraftLine, price: Amount, full: Amount) -> Line {
    Line {
        id: 0,
        external_id: None,
        sku: String::new(),
        title: line.title.clone(),
        variant_title: String::new(),
        product_id: line.product_id.clone(),
        variant_id: line.variant_id.clone(),
        location_id: String::new(),
        quantity: line.quantity,
        shipped: 0,
        unit_price: price,
        discount: full,
        cancelled: 0,
    }
}

/// What each line costs after the order's discount.
fn discounted(draft: &Draft, totals: Vec<Amount>) -> Result<Vec<Amount>, DraftFault> {
    let Some(discount) = draft.discount else { return Ok(totals) };
    let shared = totals.iter().zip(&draft.lines);
    let shared: Vec<Amount> =
        shared.map(|(total, line)| if line.no_discount { Amount::ZERO } else { *total }).collect();
    let open: Amount = shared.iter().sum();
    let off = match discount {
        Discount::Amount(off) => off,
        Discount::Percent(percent) if percent > Decimal::from_parts(100, 0) => return Err(DraftFault::Discount),
        Discount::Percent(percent) => percent_of(open, percent).ok_or(DraftFault::Discount)?,
    };
    if off.is_negative() || off > open {
        return Err(DraftFault::Discount);
    }
    Ok(totals.iter().zip(split(off, &shared)).map(|(total, share)| *total - share).collect())
}

fn percent_of(open: Amount, percent: Decimal) -> Option<Amount> {
    let (mantissa, scale) = percent.parts();
    let product = mantissa.checked_mul(i128::from(open.get()))?;
    let share = Decimal::from_parts(product, scale.checked_add(2)?).rounded_to(0).parts().0;
    i64::try_from(share).ok().map(Amount::minor)
}

fn part(kind: ComponentKind, line: Option<usize>, name: &str, net: Amount, tax: Amount) -> Component {
    Component { kind, line, name: name.to_owned(), net, tax }
}

/// Cash on delivery: nothing is captured until the order is marked paid or delivered.
fn on_delivery(currency: Currency) -> Payment {
    Payment {
        id: 0,
        external_id: None,
        channel: "cod".to_owned(),
        method: "cod".to_owned(),
        kind: PaymentKind::CashOnDelivery,
        gateway: String::new(),
        reference: String::new(),
        account: String::new(),
        captured: Amount::ZERO,
        own_currency: currency,
        own_captured: Amount::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(lines: &[(u32, i64)]) -> Draft {
        let line = |(quantity, price): &(u32, i64)| DraftLine {
            quantity: *quantity,
            price: Some(Amount::minor(*price)),
            ..DraftLine::default()
        };
        Draft {
            origin: Dialect::Shoplazza,
            number: String::new(),
            currency: Currency::parse("USD").unwrap(),
            lines: lines.iter().map(line).collect(),
            discount: None,
            tax: Amount::ZERO,
            shipping: Amount::ZERO,
            charges: Vec::new(),
            on_delivery: false,
        }
    }

    fn made(draft: &Draft) -> Result<Order, DraftFault> {
        order(draft, |line| (line.variant_id == "v").then(|| Amount::minor(700)), 5)
    }

    fn goods(order: &Order) -> Vec<(i64, i64, i64)> {
        let lines = order.lines.iter().zip(&order.components);
        lines.map(|(line, part)| (line.discount.get(), part.net.get(), part.tax.get())).collect()
    }

    #[test]
    fn discount_and_tax_are_shared_out_by_largest_remainder() {
        let mut draft = draft(&[(2, 1000), (1, 1000), (1, 1)]);
        draft.discount = Some(Discount::Amount(Amount::minor(1000)));
        draft.tax = Amount::minor(100);
        draft.shipping = Amount::minor(500);
        draft.charges = vec![("Gift Wrapping".to_owned(), Amount::minor(250))];
        let order = made(&draft).unwrap();
        assert_eq!(goods(&order), [(667, 1333, 67), (333, 667, 33), (0, 1, 0)]);
        assert_eq!(order.charged().get(), 3001 - 1000 + 100 + 500 + 250);
        assert_eq!(order.captured(), Amount::ZERO);
    }

    #[test]
    fn a_percentage_is_of_the_lines_that_take_part() {
        let mut draft = draft(&[(1, 999), (1, 500)]);
        draft.lines[1].no_discount = true;
        draft.discount = Some(Discount::Percent(Decimal::parse("12.5").unwrap()));
        assert_eq!(goods(&made(&draft).unwrap()), [(125, 874, 0), (0, 500, 0)]);
        for percent in ["100.01", "-1"] {
            draft.discount = Some(Discount::Percent(Decimal::parse(percent).unwrap()));
            assert_eq!(made(&draft), Err(DraftFault::Discount), "{percent}");
        }
    }

    #[test]
    fn a_price_comes_from_the_line_else_from_its_variant() {
        let mut draft = draft(&[(3, 100)]);
        draft.lines[0].price = None;
        assert_eq!(made(&draft), Err(DraftFault::PriceUnknown(0)));
        draft.lines[0].variant_id = "v".to_owned();
        assert_eq!(made(&draft).unwrap().charged().get(), 2100);
        draft.lines[0].total = Some(Amount::minor(2000));
        assert_eq!(goods(&made(&draft).unwrap()), [(100, 2000, 0)]);
        draft.lines[0].total = Some(Amount::minor(2101));
        assert_eq!(made(&draft), Err(DraftFault::LineTotal(0)));
    }

    #[test]
    fn what_cannot_be_sold_is_refused() {
        assert_eq!(made(&draft(&[])), Err(DraftFault::NoLines));
        let too_much = draft(&[(2, AMOUNT_MINOR_MAX)]);
        assert_eq!(made(&too_much), Err(DraftFault::LineTotal(0)));
        let mut free = draft(&[(1, 0)]);
        free.tax = Amount::minor(1);
        assert_eq!(made(&free), Err(DraftFault::TaxOnNothing));
        let none = draft(&[(0, 100)]);
        assert_eq!(made(&none), Err(DraftFault::Order(OrderFault::UnitsOutOfRange(0))));
        let mut below = draft(&[(1, 100)]);
        below.discount = Some(Discount::Amount(Amount::minor(101)));
        assert_eq!(made(&below), Err(DraftFault::Discount));
    }

    #[test]
    fn cash_on_delivery_captures_nothing_yet() {
        let mut draft = draft(&[(1, 100)]);
        draft.on_delivery = true;
        let order = made(&draft).unwrap();
        assert_eq!((order.payments.len(), order.captured()), (1, Amount::ZERO));
        assert_eq!(order.payments[0].kind, PaymentKind::CashOnDelivery);
    }
}
