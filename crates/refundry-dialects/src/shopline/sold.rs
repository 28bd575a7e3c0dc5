//! What an order object says was sold: lines, and every part of the price.
//!
//! Discounts and taxes that are only there for the order as a whole are shared out over the lines once, here.

use std::collections::BTreeMap;

use refundry_core::intake::IntakeFault;
use refundry_core::limits::{COMPONENTS_PER_ORDER_MAX, LINES_PER_ORDER_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Amount, split};
use refundry_core::order::{Component, ComponentKind, Line};

use super::till::{Till, add, contradictory, count, id, list, name, of_malformed, text, unreadable};
use crate::body::Fields;

/// Lines with their parts of the price.
pub(super) struct Sold {
    pub(super) lines: Vec<Line>,
    /// Goods of each line first.
    pub(super) components: Vec<Component>,
    /// Per line: units that still wait to ship, where the document says so.
    pub(super) fulfillable: Vec<Option<u32>>,
    /// Points or a rounding were taken off the whole: past refunds may then name more than goods have here.
    pub(super) reduced: bool,
}

/// A line before its parts are final.
struct Item {
    line: Line,
    /// After discounts, as priced: with tax inside where prices include it.
    price: Amount,
    tax: Amount,
    duty: (Amount, Amount),
    taxable: bool,
    fulfillable: Option<u32>,
}

/// A shipping line: charged, and its tax.
struct Shipping {
    price: Amount,
    tax: Amount,
}

/// Reads lines, shipping, tip, duties and adjustments; checks them against the order's totals.
pub(super) fn read(order: &Fields<'_>, till: Till, included: bool) -> Result<Sold, IntakeFault> {
    let shipped = shipped_units(order)?;
    let lines = list(order, "line_items", LINES_PER_ORDER_MAX)?;
    let mut items =
        lines.iter().map(|fields| item(fields, till, &shipped)).collect::<Result<Vec<Item>, IntakeFault>>()?;
    check_list_prices(order, till, &items)?;
    share_discount(order, till, &mut items)?;
    let mut shipping = shipping(order, till)?;
    share_tax(order, till, included, &mut items, &mut shipping)?;

    let mut components = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = order.path(&format!("line_items[{index}].tax_lines"));
        components.push(part(ComponentKind::Goods, Some(index), item.price, item.tax, included, (till, &path))?);
    }
    for (index, line) in shipping.iter().enumerate().filter(|(_, s)| s.price.is_positive() || s.tax.is_positive()) {
        let path = order.path(&format!("shipping_lines[{index}].tax_lines"));
        components.push(part(ComponentKind::Shipping, None, line.price, line.tax, included, (till, &path))?);
    }
    let lone = |kind, line, (net, tax)| Component { kind, line, name: String::new(), net, tax };
    let tip = till.amount(order, "total_tip_received")?.unwrap_or_default();
    if tip.is_positive() {
        components.push(lone(ComponentKind::Tip, None, (tip, Amount::ZERO)));
    }
    let mut duties = Amount::ZERO;
    for (index, item) in items.iter().enumerate().filter(|(_, item)| item.duty.0.is_positive()) {
        duties = add(&order.path("line_items"), duties, item.duty.0)?;
        components.push(lone(ComponentKind::Duty, Some(index), item.duty));
    }
    // The order's own figure shrinks with refunds, so it only counts where no line names duties.
    let order_duty = till.amount(order, "current_total_duties")?.unwrap_or_default();
    if duties.is_zero() && order_duty.is_positive() {
        components.push(lone(ComponentKind::Duty, None, (order_duty, Amount::ZERO)));
    }
    let mut sold = Sold {
        fulfillable: items.iter().map(|item| item.fulfillable).collect(),
        lines: items.into_iter().map(|item| item.line).collect(),
        components,
        reduced: false,
    };
    adjust(order, till, &mut sold)?;
    Ok(sold)
}

fn item(fields: &Fields<'_>, till: Till, shipped: &BTreeMap<String, u32>) -> Result<Item, IntakeFault> {
    let external_id = id(fields, "id")?.ok_or_else(|| unreadable(fields.path("id"), "is required"))?;
    let quantity = count(fields, "quantity")?.filter(|q| (1..=UNITS_PER_LINE_MAX).contains(q));
    let quantity = quantity
        .ok_or_else(|| unreadable(fields.path("quantity"), format!("must be from 1 to {UNITS_PER_LINE_MAX}")))?;
    let unit_price = till.amount(fields, "price")?.ok_or_else(|| unreadable(fields.path("price"), "is required"))?;
    let listed = list_price(fields, unit_price, quantity)?;
    let discount = sum(fields, "discount_allocations", "amount", till)?;
    if discount > listed {
        let reason = format!("{} off a price of {}", till.show(discount), till.show(listed));
        return Err(contradictory(fields.path("discount_allocations"), reason));
    }
    let fulfillable = count(fields, "fulfillable_quantity")?;
    let line = Line {
        id: 0,
        sku: owned(fields, "sku")?,
        title: owned(fields, "title")?,
        variant_title: owned(fields, "variant_title")?,
        product_id: name(fields, "product_id")?.unwrap_or_default(),
        variant_id: name(fields, "variant_id")?.unwrap_or_default(),
        location_id: name(fields, "location_id")?.unwrap_or_default(),
        quantity,
        shipped: line_shipped(fields, &external_id, quantity, fulfillable, shipped)?,
        external_id: Some(external_id),
        unit_price,
        discount,
        cancelled: 0,
    };
    Ok(Item {
        line,
        price: listed - discount,
        tax: sum(fields, "tax_lines", "price", till)?,
        duty: duty(fields, till)?,
        taxable: flag(fields, "taxable")?,
        fulfillable,
    })
}

fn list_price(fields: &Fields<'_>, unit_price: Amount, quantity: u32) -> Result<Amount, IntakeFault> {
    let product = unit_price.get().checked_mul(i64::from(quantity));
    let product = product.ok_or_else(|| unreadable(fields.path("price"), "comes to more than any order can"))?;
    add(&fields.path("price"), Amount::ZERO, Amount::minor(product))
}

/// Units shipped: what parcels hold; without parcels, what the line's own status says.
fn line_shipped(
    fields: &Fields<'_>,
    external_id: &str,
    quantity: u32,
    fulfillable: Option<u32>,
    shipped: &BTreeMap<String, u32>,
) -> Result<u32, IntakeFault> {
    let units = if shipped.is_empty() {
        let started = text(fields, "fulfillment_status")?.is_some_and(|s| s == "fulfilled" || s == "partial");
        if started { quantity.saturating_sub(fulfillable.unwrap_or(0)) } else { 0 }
    } else {
        shipped.get(external_id).copied().unwrap_or(0)
    };
    if units > quantity {
        let reason = format!("{quantity} units sold, but {units} shipped");
        return Err(contradictory(fields.path("quantity"), reason));
    }
    Ok(units)
}

/// Units per line id in parcels that were not called off.
fn shipped_units(order: &Fields<'_>) -> Result<BTreeMap<String, u32>, IntakeFault> {
    let mut units = BTreeMap::<String, u32>::new();
    for parcel in list(order, "fulfillments", COMPONENTS_PER_ORDER_MAX)? {
        if text(&parcel, "status")?.is_some_and(|s| s == "cancelled" || s == "canceled") {
            continue;
        }
        for line in list(&parcel, "line_items", LINES_PER_ORDER_MAX)? {
            let Some(external_id) = id(&line, "id")? else { continue };
            let inside = match count(&line, "fulfillment_quantity")? {
                Some(inside) => inside,
                None => count(&line, "quantity")?.unwrap_or(0),
            };
            let sum = units.entry(external_id).or_default();
            *sum = sum.saturating_add(inside);
        }
    }
    Ok(units)
}

/// Σ of one amount over a list.
fn sum(fields: &Fields<'_>, key: &str, amount: &str, till: Till) -> Result<Amount, IntakeFault> {
    list(fields, key, COMPONENTS_PER_ORDER_MAX)?.iter().try_fold(Amount::ZERO, |sum, entry| {
        add(&fields.path(key), sum, till.amount(entry, amount)?.unwrap_or_default())
    })
}

/// Duties of a line: each entry is itself a money set, or has an amount with one.
fn duty(fields: &Fields<'_>, till: Till) -> Result<(Amount, Amount), IntakeFault> {
    let path = fields.path("duties");
    let mut all = (Amount::ZERO, Amount::ZERO);
    for entry in list(fields, "duties", COMPONENTS_PER_ORDER_MAX)? {
        let amount = match till.of_set(&entry)? {
            Some(pair) => pair.books,
            None => till.amount(&entry, "price")?.unwrap_or_default(),
        };
        if amount.is_negative() {
            return Err(unreadable(path, "must not be negative"));
        }
        all.0 = add(&path, all.0, amount)?;
        all.1 = add(&path, all.1, sum(&entry, "tax_lines", "price", till)?)?;
    }
    Ok(all)
}

fn check_list_prices(order: &Fields<'_>, till: Till, items: &[Item]) -> Result<(), IntakeFault> {
    let Some(stated) = till.amount(order, "total_line_items_price")? else { return Ok(()) };
    let listed = items.iter().try_fold(Amount::ZERO, |sum, item| {
        add(&order.path("line_items"), sum, add(&order.path("line_items"), item.price, item.line.discount)?)
    })?;
    if stated == listed {
        return Ok(());
    }
    let reason = format!("{}, but the lines come to {}", till.show(stated), till.show(listed));
    Err(contradictory(order.path("total_line_items_price"), reason))
}

/// What the subtotal is below the lines is a discount of the order as a whole.
fn share_discount(order: &Fields<'_>, till: Till, items: &mut [Item]) -> Result<(), IntakeFault> {
    let prices: Vec<Amount> = items.iter().map(|item| item.price).collect();
    let all = prices.iter().try_fold(Amount::ZERO, |sum, price| add(&order.path("line_items"), sum, *price))?;
    let Some(subtotal) = till.amount(order, "subtotal_price")? else { return Ok(()) };
    if subtotal > all {
        let reason = format!("{}, but the lines come to {} after discounts", till.show(subtotal), till.show(all));
        return Err(contradictory(order.path("subtotal_price"), reason));
    }
    for (item, share) in items.iter_mut().zip(split(all - subtotal, &prices)) {
        item.price -= share;
        item.line.discount += share;
    }
    Ok(())
}

fn shipping(order: &Fields<'_>, till: Till) -> Result<Vec<Shipping>, IntakeFault> {
    let stated = till.amount(order, "total_shipping_price")?;
    let lines = list(order, "shipping_lines", LINES_PER_ORDER_MAX)?;
    if lines.is_empty() {
        let lump = stated.filter(|price| price.is_positive());
        return Ok(lump.into_iter().map(|price| Shipping { price, tax: Amount::ZERO }).collect());
    }
    let mut all = Vec::new();
    let mut charged = Amount::ZERO;
    for line in &lines {
        let price = till.amount(line, "price")?.unwrap_or_default();
        charged = add(&order.path("shipping_lines"), charged, price)?;
        all.push(Shipping { price, tax: sum(line, "tax_lines", "price", till)? });
    }
    match stated {
        Some(stated) if stated != charged => {
            let reason = format!("{}, but the shipping lines come to {}", till.show(stated), till.show(charged));
            Err(contradictory(order.path("total_shipping_price_set"), reason))
        }
        Some(_) | None => Ok(all),
    }
}

/// A tax that no line explains is shared over the lines, as long as none has a tax of its own.
fn share_tax(
    order: &Fields<'_>,
    till: Till,
    included: bool,
    items: &mut [Item],
    shipping: &mut [Shipping],
) -> Result<(), IntakeFault> {
    let Some(stated) = till.amount(order, "total_tax")? else { return Ok(()) };
    let on = |sum: Amount, tax: Amount| add(&order.path("tax_lines"), sum, tax);
    let of_lines = items.iter().try_fold(Amount::ZERO, |sum, item| on(on(sum, item.tax)?, item.duty.1))?;
    let named = shipping.iter().try_fold(of_lines, |sum, line| on(sum, line.tax))?;
    if stated == named {
        return Ok(());
    }
    let taxed: Vec<Amount> = items.iter().map(|item| if item.taxable { item.price } else { Amount::ZERO }).collect();
    let weights: Vec<Amount> =
        if taxed.iter().all(|w| w.is_zero()) { items.iter().map(|item| item.price).collect() } else { taxed };
    let base: Amount = weights.iter().sum();
    let rest = stated - named;
    let shareable = rest.is_positive() && of_lines.is_zero() && base.is_positive() && (!included || rest <= base);
    if !shareable {
        let reason = format!("{}, but lines and shipping have {}", till.show(stated), till.show(named));
        return Err(contradictory(order.path("total_tax"), reason));
    }
    for (item, share) in items.iter_mut().zip(split(rest, &weights)) {
        item.tax = share;
    }
    Ok(())
}

/// A part of the price, with its tax taken out where prices include it.
fn part(
    kind: ComponentKind,
    line: Option<usize>,
    price: Amount,
    tax: Amount,
    included: bool,
    (till, path): (Till, &str),
) -> Result<Component, IntakeFault> {
    if included && tax > price {
        let reason = format!("{} of tax inside a price of {}", till.show(tax), till.show(price));
        return Err(contradictory(path.to_owned(), reason));
    }
    let net = if included { price - tax } else { price };
    Ok(Component { kind, line, name: String::new(), net, tax })
}

/// Rounding up is a charge; member points and rounding down come off the goods, and off the rest once goods are free.
fn adjust(order: &Fields<'_>, till: Till, sold: &mut Sold) -> Result<(), IntakeFault> {
    let rounding = till.signed(order, "adjust_price")?.unwrap_or_default();
    let points = till.amount(order, "deduct_member_point_amount")?.unwrap_or_default();
    if rounding.is_positive() {
        let name = "adjust_price".to_owned();
        let tax = Amount::ZERO;
        sold.components.push(Component { kind: ComponentKind::Additional, line: None, name, net: rounding, tax });
    }
    let off = add(&order.path("deduct_member_point_amount"), points, (-rounding).or_zero())?;
    if off.is_zero() {
        return Ok(());
    }
    let nets = |components: &[Component], only_goods: bool| -> Vec<Amount> {
        let counts = |c: &Component| !only_goods || c.kind == ComponentKind::Goods;
        components.iter().map(|c| if counts(c) { c.net } else { Amount::ZERO }).collect()
    };
    let total = |weights: &[Amount]| {
        weights.iter().try_fold(Amount::ZERO, |sum, net| add(&order.path("line_items"), sum, *net))
    };
    let mut weights = nets(&sold.components, true);
    if off > total(&weights)? {
        weights = nets(&sold.components, false);
    }
    let all = total(&weights)?;
    if off > all {
        let reason = format!("{} off an order of {}", till.show(off), till.show(all));
        return Err(contradictory(order.path("deduct_member_point_amount"), reason));
    }
    for (component, share) in sold.components.iter_mut().zip(split(off, &weights)) {
        component.net -= share;
        if let Some(line) = component.line.filter(|_| component.kind == ComponentKind::Goods) {
            sold.lines.get_mut(line).into_iter().for_each(|line| line.discount += share);
        }
    }
    sold.reduced = true;
    Ok(())
}

fn owned(fields: &Fields<'_>, key: &str) -> Result<String, IntakeFault> {
    Ok(text(fields, key)?.unwrap_or_default().to_owned())
}

fn flag(fields: &Fields<'_>, key: &str) -> Result<bool, IntakeFault> {
    fields.flag(key).map(Option::unwrap_or_default).map_err(|m| of_malformed(&m))
}
