//! Reads an order object: the shape of 2021-12-13 (`payment.charges`) and the older one (`charges` at the top).
//!
//! The object says of each item what it cost in all its parts, and of each charge what was captured of it. Prices are
//! always net with their tax beside them. Figures that do not add up refuse the order: nothing is guessed about money.

use refundry_core::intake::{Intake, IntakeFault, PastRefund};
use refundry_core::life::Life;
use refundry_core::limits::{AMOUNT_MINOR_MAX, LINES_PER_ORDER_MAX, PAYMENTS_PER_ORDER_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Amount, Currency, Decimal, ratio, split};
use refundry_core::order::{Capture, Component, ComponentKind, Dialect, Line, Order, Status};
use serde_json::Value;

use crate::body::{Fields, Malformed};
use crate::text::parse_time;

mod charges;
#[cfg(test)]
mod tests;

/// An order object, with the currency its figures are in.
#[derive(Clone, Copy)]
struct Source<'a> {
    fields: &'a Fields<'a>,
    currency: Currency,
}

/// Reads an order, bare or as `{"order": {…}}`.
pub(super) fn read(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    let bare = document.get("order").filter(|order| order.is_object()).unwrap_or(document);
    let fields = Fields::root(bare).map_err(unreadable)?;
    let currency = currency(&fields)?;
    let source = Source { fields: &fields, currency };
    let items = fields.objects("items", LINES_PER_ORDER_MAX).map_err(unreadable)?;
    if items.is_empty() {
        return Err(fault("items", "is required: an order has at least one item"));
    }
    let mut lines = items.iter().map(|item| line(Source { fields: item, currency })).collect::<Result<Vec<_>, _>>()?;
    share_discounts(source, &items, &mut lines)?;
    let components = components(source, &items)?;
    let (payments, refunds) = charges::read(source, now_ms)?;
    let state = fields.text("state").map_err(unreadable)?.unwrap_or_default();
    let id = required_text(&fields, "id")?;
    let upstream = fields.text_or_number("upstreamId").map_err(unreadable)?.filter(|text| !text.trim().is_empty());
    let created_ms = time(&fields, "createdTime")?.unwrap_or(now_ms);
    let mut order = Order {
        id: 0,
        origin: Dialect::DigitalRiver,
        number: upstream.unwrap_or_else(|| id.clone()),
        external_id: Some(id),
        currency,
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: if state == "cancelled" { Status::Cancelled } else { Status::Open },
        disputed: state == "dispute",
        lines,
        components,
        payments,
        created_ms,
        updated_ms: time(&fields, "updatedTime")?.unwrap_or(created_ms),
        test: fields.flag("liveMode").map_err(unreadable)? == Some(false),
        life: Life::default(),
    };
    order.validate().map_err(IntakeFault::Fault)?;
    check_totals(source, &order, &refunds)?;
    settle_capture(&mut order);
    Ok(Intake { order, refunds, document: bare.to_string(), terms: Vec::new() })
}

fn currency(fields: &Fields<'_>) -> Result<Currency, IntakeFault> {
    let code = required_text(fields, "currency")?;
    Currency::parse(&code).ok_or_else(|| fault("currency", "must be a currency code of ISO 4217"))
}

fn line(source: Source<'_>) -> Result<Line, IntakeFault> {
    let fields = source.fields;
    let details = fields.object("productDetails").map_err(unreadable)?;
    let detail = |key: &str| -> Result<String, IntakeFault> {
        let text = details.as_ref().map_or(Ok(None), |d| d.text_or_number(key)).map_err(unreadable)?;
        Ok(text.unwrap_or_default())
    };
    let sku = fields.text_or_number("skuId").map_err(unreadable)?;
    let quantity = fields.whole("quantity").map_err(unreadable)?.unwrap_or(1);
    let quantity = u32::try_from(quantity).ok().filter(|q| (1..=UNITS_PER_LINE_MAX).contains(q));
    let quantity = quantity.ok_or_else(|| {
        fault(&fields.path("quantity"), &format!("must be a whole number from 1 to {UNITS_PER_LINE_MAX}"))
    })?;
    let (shipped, cancelled) = match fields.text("state").map_err(unreadable)?.unwrap_or_default() {
        "fulfilled" | "paid" | "returned" => (quantity, 0),
        "cancelled" => (0, quantity),
        _ => (0, 0),
    };
    Ok(Line {
        id: 0,
        external_id: Some(required_text(fields, "id")?),
        sku: match sku {
            Some(sku) => sku,
            None => detail("skuId")?,
        },
        title: detail("name")?,
        variant_title: String::new(),
        product_id: detail("id")?,
        variant_id: String::new(),
        location_id: String::new(),
        quantity,
        shipped,
        unit_price: Amount::ZERO,
        discount: Amount::ZERO,
        cancelled,
    })
}

/// Fills in what units cost before discounts. Only for display: items are listed net of all discounts.
///
/// An item names a discount of its own as an amount or in percent; what `totalDiscount` has beyond those was given on
/// the order and is shared out by largest remainder.
fn share_discounts(source: Source<'_>, items: &[Fields<'_>], lines: &mut [Line]) -> Result<(), IntakeFault> {
    let mut amounts = Vec::new();
    let mut discounts = Vec::new();
    for item in items {
        let item = Source { fields: item, ..source };
        let amount = item.amount("amount")?;
        let discount = item.child("discount")?;
        let off = discount.as_ref().map_or(Ok(Amount::ZERO), |d| Source { fields: d, ..source }.amount("amountOff"))?;
        let percent = discount.as_ref().map_or(Ok(None), |d| d.decimal("percentOff", true)).map_err(unreadable)?;
        let discount = off + percent.map_or(Amount::ZERO, |percent| off_by_percent(amount, percent));
        discounts.push(discount.min(Amount::minor(AMOUNT_MINOR_MAX)));
        amounts.push(amount);
    }
    let named: Amount = discounts.iter().sum();
    let rest = (source.amount("totalDiscount")? - named).or_zero();
    let shares =
        if amounts.iter().any(|a| a.is_positive()) { split(rest, &amounts) } else { vec![Amount::ZERO; amounts.len()] };
    for ((line, amount), (named, share)) in lines.iter_mut().zip(amounts).zip(discounts.into_iter().zip(shares)) {
        line.discount = named + share;
        line.unit_price = ratio(amount + line.discount, 1, i128::from(line.quantity));
    }
    Ok(())
}

/// What a percentage took off a price of which `left` is left; nothing where hardly anything is left to tell it by.
fn off_by_percent(left: Amount, percent: Decimal) -> Amount {
    let percent = percent.rounded_to(2);
    if percent <= Decimal::ZERO || percent > Decimal::from_parts(99, 0) {
        return Amount::ZERO;
    }
    let (mantissa, scale) = percent.parts();
    let whole = 100_i128.saturating_mul(10_i128.saturating_pow(scale));
    ratio(left, mantissa, whole.saturating_sub(mantissa))
}

/// Goods of every item first, then all other parts of each, then what stands on the order alone.
fn components(source: Source<'_>, items: &[Fields<'_>]) -> Result<Vec<Component>, IntakeFault> {
    let mut goods = Vec::new();
    let mut others = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = Source { fields: item, ..source };
        goods.push(Component {
            kind: ComponentKind::Goods,
            line: Some(index),
            name: String::new(),
            net: item.required_amount("amount")?,
            tax: item.inner("tax", "amount")?,
        });
        let fees = item.child("fees")?;
        let name = fees.map_or(Ok(String::new()), |fees| fee_name(&fees))?;
        let parts = [
            (ComponentKind::Shipping, "shipping", String::new()),
            (ComponentKind::Duty, "duties", String::new()),
            (ComponentKind::ImporterTax, "importerTax", String::new()),
            (ComponentKind::Fee, "fees", name),
        ];
        for (kind, key, name) in parts {
            let (net, tax) = (item.inner(key, "amount")?, item.inner(key, "taxAmount")?);
            others.push(Component { kind, line: Some(index), name, net, tax });
        }
    }
    share_tax(source, items, &mut goods)?;
    others.extend(of_order(source, items)?);
    goods.extend(others.into_iter().filter(|part| !part.net.is_zero() || !part.tax.is_zero()));
    Ok(goods)
}

/// The fee's type, where an item bears only one.
fn fee_name(fees: &Fields<'_>) -> Result<String, IntakeFault> {
    let details = fees.objects("details", LINES_PER_ORDER_MAX).map_err(unreadable)?;
    match details.as_slice() {
        [one] => Ok(one.text("type").map_err(unreadable)?.unwrap_or_default().to_owned()),
        _ => Ok(String::new()),
    }
}

/// Shares the order's tax out over its goods where no item names its own.
fn share_tax(source: Source<'_>, items: &[Fields<'_>], goods: &mut [Component]) -> Result<(), IntakeFault> {
    let nets: Vec<Amount> = goods.iter().map(|c| c.net).collect();
    if items.iter().any(|item| item.value("tax").is_some()) || !nets.iter().any(|net| net.is_positive()) {
        return Ok(());
    }
    let shipping = items.iter().map(|item| Source { fields: item, ..source }.inner("shipping", "taxAmount"));
    let mut elsewhere: Amount = shipping.sum::<Result<Amount, IntakeFault>>()?;
    if elsewhere.is_zero() {
        elsewhere = source.inner("shippingChoice", "taxAmount")?;
    }
    let fees = items.iter().map(|item| Source { fields: item, ..source }.inner("fees", "taxAmount"));
    elsewhere += fees.sum::<Result<Amount, IntakeFault>>()?;
    let taxes = split((source.amount("totalTax")? - elsewhere).or_zero(), &nets);
    for (component, tax) in goods.iter_mut().zip(taxes) {
        component.tax = tax;
    }
    Ok(())
}

/// Parts that stand on the order alone: what items carry counts there, and is not counted again.
fn of_order(source: Source<'_>, items: &[Fields<'_>]) -> Result<Vec<Component>, IntakeFault> {
    let carried = |key: &str| items.iter().any(|item| item.value(key).is_some());
    let part = |kind, net, tax| Component { kind, line: None, name: String::new(), net, tax };
    let mut parts = Vec::new();
    if !carried("shipping") {
        let (net, tax) = (source.inner("shippingChoice", "amount")?, source.inner("shippingChoice", "taxAmount")?);
        parts.push(part(ComponentKind::Shipping, net, tax));
    }
    for (kind, key, total) in [
        (ComponentKind::Duty, "duties", "totalDuty"),
        (ComponentKind::ImporterTax, "importerTax", "totalImporterTax"),
        (ComponentKind::Fee, "fees", "totalFees"),
    ] {
        if !carried(key) {
            parts.push(part(kind, source.amount(total)?, Amount::ZERO));
        }
    }
    Ok(parts)
}

/// The document's own sums against the sums of its parts.
fn check_totals(source: Source<'_>, order: &Order, refunds: &[PastRefund]) -> Result<(), IntakeFault> {
    let total = source.required_amount("totalAmount")?;
    source.agree("totalAmount", total, order.charged(), "the sum of all items with their taxes, shipping and fees")?;
    let captured = order.captured();
    if source.fields.value("capturedAmount").is_some() {
        let stated = source.amount("capturedAmount")?;
        source.agree("capturedAmount", stated, captured, "the sum of the completed captures")?;
    }
    if captured > total {
        return Err(source.contradiction("capturedAmount", captured, total, "more than the order's totalAmount"));
    }
    if source.fields.value("refundedAmount").is_some() {
        let refunded: Amount = refunds.iter().flat_map(|refund| &refund.legs).map(|(_, amount, _)| *amount).sum();
        let stated = source.amount("refundedAmount")?;
        source.agree("refundedAmount", stated, refunded, "the sum of the completed refunds of the charges")?;
    }
    Ok(())
}

/// Says which part of the price counts as captured.
///
/// An order captured to the full is shipped, whatever its items say. One captured in part was captured item by item,
/// each with all its parts as it was fulfilled. Where the captures are not those of whole items (a part of an item's
/// units was shipped), only the payments can say what is refundable, and they do.
fn settle_capture(order: &mut Order) {
    let captured = order.captured();
    if captured == order.charged() {
        for line in &mut order.lines {
            line.shipped = line.quantity.saturating_sub(line.cancelled);
        }
        return;
    }
    order.capture = Capture::ByFulfilment;
    let by_lines: Amount = order.components.iter().map(|c| order.captured_part(c)).map(|(net, tax)| net + tax).sum();
    if by_lines != captured {
        order.capture = Capture::Whole;
    }
}

impl<'a> Source<'a> {
    /// An amount, zero where absent. Digits beyond the minor unit are the noise of binary fractions in old exports.
    fn amount(self, key: &str) -> Result<Amount, IntakeFault> {
        let Some(decimal) = self.fields.decimal(key, true).map_err(unreadable)? else { return Ok(Amount::ZERO) };
        let read = decimal.to_minor_half_up(self.currency).ok().filter(|amount| !amount.is_negative());
        read.ok_or_else(|| fault(&self.fields.path(key), "must be an amount of the order's currency, not below zero"))
    }

    fn required_amount(self, key: &str) -> Result<Amount, IntakeFault> {
        if self.fields.value(key).is_none() {
            return Err(fault(&self.fields.path(key), "is required"));
        }
        self.amount(key)
    }

    /// An amount inside an object, zero where either is absent.
    fn inner(self, object: &str, key: &str) -> Result<Amount, IntakeFault> {
        let child = self.child(object)?;
        child.map_or(Ok(Amount::ZERO), |child| Source { fields: &child, currency: self.currency }.amount(key))
    }

    fn child(self, key: &str) -> Result<Option<Fields<'a>>, IntakeFault> {
        self.fields.object(key).map_err(unreadable)
    }

    /// Refuses a stated figure that is not what its parts make.
    fn agree(self, key: &str, stated: Amount, summed: Amount, parts: &str) -> Result<(), IntakeFault> {
        if stated == summed {
            return Ok(());
        }
        Err(self.contradiction(key, stated, summed, &format!("but {parts} makes")))
    }

    fn contradiction(self, key: &str, stated: Amount, other: Amount, words: &str) -> IntakeFault {
        let print = |amount: Amount| amount.to_decimal(self.currency, self.currency.exponent());
        let difference = print((stated - other).abs());
        let reason = format!("{key} is {}, {words} {}: a difference of {difference}", print(stated), print(other));
        IntakeFault::Contradictory { field: self.fields.path(key), reason }
    }
}

fn required_text(fields: &Fields<'_>, key: &str) -> Result<String, IntakeFault> {
    let text = fields.text_or_number(key).map_err(unreadable)?.map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty()).ok_or_else(|| fault(&fields.path(key), "is required"))
}

fn time(fields: &Fields<'_>, key: &str) -> Result<Option<i64>, IntakeFault> {
    let Some(text) = fields.text(key).map_err(unreadable)? else { return Ok(None) };
    parse_time(text).map(Some).ok_or_else(|| fault(&fields.path(key), "must be a time such as 2026-11-23T09:00:00Z"))
}

fn unreadable(fault: Malformed) -> IntakeFault {
    IntakeFault::Unreadable { reason: fault.sentence(), field: fault.field }
}

fn fault(field: &str, reason: &str) -> IntakeFault {
    IntakeFault::Unreadable { field: field.to_owned(), reason: format!("{field} {reason}") }
}
