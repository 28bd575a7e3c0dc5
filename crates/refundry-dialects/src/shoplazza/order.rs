//! An order object of this platform → the facts of an order.
//!
//! Figures must agree: `total_price` = `sub_total` − `total_discount` + `total_tax` (unless prices include it) +
//! `total_shipping` + `shipping_tax_total` + `total_tip_received` + `additional_total` + `duty_total`. What only the
//! order as a whole states is shared out over its lines here, once and for all.

use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::life::Life;
use refundry_core::limits::{AMOUNT_MINOR_MAX, ENTRIES_PER_REQUEST_MAX, LINES_PER_ORDER_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Amount, Currency, split};
use refundry_core::order::{Capture, Component, ComponentKind, Dialect, Line, Order, Status};
use serde_json::Value;

use super::document::{self, Document};
use super::{past, payments, rate, terms};
use crate::body::{Fault, Fields, Malformed};
use crate::text::parse_time;

/// Reads a document: the order with its transactions and refund records, or the order alone.
pub(super) fn read(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    let parts = document::parts(document);
    let fields = Fields::of(parts.order, parts.path).map_err(unreadable)?;
    let currency = currency(&fields)?;
    let reader = Reader { fields, currency };
    let mut order = order_of(&reader, now_ms)?;
    let goods = goods(&reader, &mut order.lines)?;
    order.taxes_included = goods.taxes_included;
    order.components = goods.components;
    order.components.extend(others(&reader, &order.lines, goods.duties)?);
    check_total(&reader, &order)?;
    shipped(&reader, &mut order.lines)?;
    let transactions = transactions(&parts)?;
    order.payments = payments::read(&reader, &order, &transactions)?;
    order.test = transactions.iter().any(|t| t.flag("test").ok().flatten() == Some(true));
    order.shop = rate::shop_money(&reader, &order)?;
    order.validate().map_err(IntakeFault::Fault)?;
    let refunds = past::read(&reader, &order, parts.refund_records)?;
    let (document, terms) = (parts.kept(), terms::of(parts.order));
    Ok(Intake { order, refunds, document, terms })
}

/// An object of the document with the order's currency; its faults are faults of the intake.
pub(super) struct Reader<'a> {
    /// The object.
    pub(super) fields: Fields<'a>,
    /// The order's currency.
    pub(super) currency: Currency,
}

impl<'a> Reader<'a> {
    /// The same currency with another object.
    pub(super) fn within<'b>(&self, fields: Fields<'b>) -> Reader<'b> {
        Reader { fields, currency: self.currency }
    }

    /// A text or number as text, empty where absent.
    pub(super) fn text(&self, key: &str) -> Result<String, IntakeFault> {
        let text = self.fields.text_or_number(key).map_err(unreadable)?;
        Ok(text.map(|text| text.trim().to_owned()).unwrap_or_default())
    }

    /// The text, which must be there.
    pub(super) fn required_text(&self, key: &str) -> Result<String, IntakeFault> {
        let text = self.text(key)?;
        if text.is_empty() { Err(self.missing(key)) } else { Ok(text) }
    }

    /// An amount of the order's currency, `None` where absent or blank.
    pub(super) fn amount(&self, key: &str) -> Result<Option<Amount>, IntakeFault> {
        self.amount_in(key, self.currency)
    }

    /// An amount of some currency; never negative.
    pub(super) fn amount_in(&self, key: &str, currency: Currency) -> Result<Option<Amount>, IntakeFault> {
        if self.fields.value(key).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let Some(decimal) = self.fields.decimal(key, false).map_err(unreadable)? else { return Ok(None) };
        let amount = decimal.to_minor(currency).ok().filter(|amount| !amount.is_negative());
        let reason = || {
            let decimals = currency.exponent();
            format!("{decimal} must be an amount of {currency}, not negative, with at most {decimals} decimals")
        };
        amount.map(Some).ok_or_else(|| self.wrong(key, reason()))
    }

    /// The amount, zero where absent.
    pub(super) fn amount_or_zero(&self, key: &str) -> Result<Amount, IntakeFault> {
        Ok(self.amount(key)?.unwrap_or_default())
    }

    /// A number of units, `None` where absent or blank.
    pub(super) fn units(&self, key: &str) -> Result<Option<u32>, IntakeFault> {
        if self.fields.value(key).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let Some(units) = self.fields.whole(key).map_err(unreadable)? else { return Ok(None) };
        let in_range = u32::try_from(units).ok().filter(|units| *units <= UNITS_PER_LINE_MAX);
        in_range.map(Some).ok_or_else(|| self.wrong(key, format!("must be from 0 to {UNITS_PER_LINE_MAX}")))
    }

    /// A time, `None` where absent or blank.
    pub(super) fn time(&self, key: &str) -> Result<Option<i64>, IntakeFault> {
        let text = self.text(key)?;
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || self.wrong(key, "must be an ISO 8601 time such as 2024-06-24T08:17:59Z".to_owned());
        parse_time(&text).map(Some).ok_or_else(wrong)
    }

    /// The objects of a list.
    pub(super) fn list(&self, key: &str, max: usize) -> Result<Vec<Reader<'a>>, IntakeFault> {
        let entries = self.fields.objects(key, max).map_err(unreadable)?;
        Ok(entries.into_iter().map(|fields| Reader { fields, currency: self.currency }).collect())
    }

    /// Prints an amount.
    pub(super) fn print(&self, amount: Amount) -> String {
        amount.to_decimal(self.currency, self.currency.exponent().max(2))
    }

    /// A value that cannot be read.
    pub(super) fn wrong(&self, key: &str, reason: String) -> IntakeFault {
        IntakeFault::Unreadable { field: self.fields.path(key), reason }
    }

    /// A value that is not there.
    pub(super) fn missing(&self, key: &str) -> IntakeFault {
        unreadable(self.fields.fault(key, Fault::Missing))
    }

    /// Two figures that contradict each other.
    pub(super) fn contradicts(&self, key: &str, reason: String) -> IntakeFault {
        IntakeFault::Contradictory { field: self.fields.path(key), reason }
    }

    /// Requires a stated figure to be what was worked out.
    pub(super) fn agrees(&self, key: &str, stated: Amount, worked: Amount, of: &str) -> Result<(), IntakeFault> {
        if stated == worked {
            return Ok(());
        }
        let (stated, worked) = (self.print(stated), self.print(worked));
        Err(self.contradicts(key, format!("is {stated}, but {of} make {worked}")))
    }
}

/// A fault of reading is a fault of the intake.
pub(super) fn unreadable(malformed: Malformed) -> IntakeFault {
    let reason = malformed.sentence();
    IntakeFault::Unreadable { field: malformed.field, reason }
}

fn currency(order: &Fields<'_>) -> Result<Currency, IntakeFault> {
    let code = order.text("currency").map_err(unreadable)?;
    let code = code.ok_or_else(|| unreadable(order.fault("currency", Fault::Missing)))?;
    let wrong = || unreadable(order.fault("currency", Fault::Value("an ISO 4217 code such as USD".to_owned())));
    Currency::parse(code.trim()).ok_or_else(wrong)
}

fn transactions<'a>(parts: &Document<'a>) -> Result<Vec<Fields<'a>>, IntakeFault> {
    let list = parts.transactions.map(|list| list.as_array().ok_or(list));
    match list {
        None => Ok(Vec::new()),
        Some(Err(_)) => Err(unreadable(Malformed::at("transactions", Fault::Type("a list")))),
        Some(Ok(entries)) if entries.len() > ENTRIES_PER_REQUEST_MAX => {
            Err(unreadable(Malformed::at("transactions", Fault::TooLong(ENTRIES_PER_REQUEST_MAX))))
        }
        Some(Ok(entries)) => {
            let read = |(i, entry): (usize, &'a Value)| Fields::of(entry, &format!("transactions[{i}]"));
            entries.iter().enumerate().map(read).collect::<Result<_, _>>().map_err(unreadable)
        }
    }
}

/// The order without its parts and payments.
fn order_of(reader: &Reader<'_>, now_ms: i64) -> Result<Order, IntakeFault> {
    let id = reader.required_text("id")?;
    let number = reader.text("number")?;
    let created_ms = reader.time("created_at")?.unwrap_or(now_ms);
    let cancelled = reader.text("status")? == "cancelled";
    let lines = reader.list("line_items", LINES_PER_ORDER_MAX)?;
    Ok(Order {
        id: 0,
        origin: Dialect::Shoplazza,
        number: if number.is_empty() { id.clone() } else { number },
        external_id: Some(id),
        currency: reader.currency,
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: if cancelled { Status::Cancelled } else { Status::Open },
        disputed: false,
        lines: lines.iter().map(line).collect::<Result<_, _>>()?,
        components: Vec::new(),
        payments: Vec::new(),
        created_ms,
        updated_ms: reader.time("updated_at")?.unwrap_or(created_ms),
        test: false,
        life: Life::default(),
    })
}

fn line(item: &Reader<'_>) -> Result<Line, IntakeFault> {
    let quantity = item.units("quantity")?.ok_or_else(|| item.missing("quantity"))?;
    let unit_price = item.amount("price")?.ok_or_else(|| item.missing("price"))?;
    Ok(Line {
        id: 0,
        external_id: Some(item.required_text("id")?),
        sku: item.text("sku")?,
        title: item.text("product_title")?,
        variant_title: item.text("variant_title")?,
        product_id: item.text("product_id")?,
        variant_id: item.text("variant_id")?,
        location_id: String::new(),
        quantity,
        shipped: 0,
        unit_price,
        discount: Amount::ZERO,
        cancelled: 0,
    })
}

/// The goods of all lines, and the duty of each.
struct Goods {
    taxes_included: bool,
    components: Vec<Component>,
    duties: Vec<Option<Amount>>,
}

fn goods(reader: &Reader<'_>, lines: &mut [Line]) -> Result<Goods, IntakeFault> {
    let items = reader.list("line_items", LINES_PER_ORDER_MAX)?;
    let taxes_included = taxes_included(reader)?;
    let full = items.iter().zip(lines.iter()).map(|(item, line)| full_price(item, line));
    let full = full.collect::<Result<Vec<Amount>, IntakeFault>>()?;
    if let Some(sub_total) = reader.amount("sub_total")? {
        reader.agrees("sub_total", sub_total, full.iter().sum(), "price × quantity of its lines")?;
    }
    let totals = net_of_discounts(reader, &items, &full)?;
    for ((line, full), total) in lines.iter_mut().zip(&full).zip(&totals) {
        line.discount = *full - *total;
    }
    let taxes = taxes(reader, &items, &totals)?;
    let mut components = Vec::new();
    for (index, ((item, total), tax)) in items.iter().zip(&totals).zip(&taxes).enumerate() {
        if taxes_included && tax > total {
            let (tax, total) = (item.print(*tax), item.print(*total));
            return Err(item.contradicts("tax_price", format!("{tax} of included tax is above the line's {total}")));
        }
        let net = if taxes_included { *total - *tax } else { *total };
        components.push(part(ComponentKind::Goods, Some(index), net, *tax));
    }
    let duties = items.iter().map(|item| item.amount("duty_price")).collect::<Result<_, _>>()?;
    Ok(Goods { taxes_included, components, duties })
}

fn part(kind: ComponentKind, line: Option<usize>, net: Amount, tax: Amount) -> Component {
    Component { kind, line, name: String::new(), net, tax }
}

fn taxes_included(reader: &Reader<'_>) -> Result<bool, IntakeFault> {
    let own = reader.fields.flag("product_tax_included").map_err(unreadable)?;
    let config = reader.fields.object("config").map_err(unreadable)?;
    let configured = config.map(|c| c.flag("product_tax_included")).transpose().map_err(unreadable)?.flatten();
    match (own, configured) {
        (Some(own), Some(configured)) if own != configured => {
            Err(reader.contradicts("product_tax_included", format!("is {own}, but config says {configured}")))
        }
        (own, configured) => Ok(own.or(configured).unwrap_or(false)),
    }
}

fn full_price(item: &Reader<'_>, line: &Line) -> Result<Amount, IntakeFault> {
    let product = line.unit_price.get().checked_mul(i64::from(line.quantity));
    let product = product.filter(|product| *product <= AMOUNT_MINOR_MAX).map(Amount::minor);
    product.ok_or_else(|| item.wrong("price", format!("times {} units is too large", line.quantity)))
}

/// Each line after its discounts; what only the order states of discounts is shared out over the lines.
fn net_of_discounts(reader: &Reader<'_>, items: &[Reader<'_>], full: &[Amount]) -> Result<Vec<Amount>, IntakeFault> {
    let mut totals = Vec::new();
    for (item, full) in items.iter().zip(full) {
        // Modern lines say `total_price`, legacy ones `total`.
        let key = if item.fields.value("total_price").is_some() { "total_price" } else { "total" };
        let total = item.amount(key)?.unwrap_or(*full);
        if total > *full {
            let (total, full) = (item.print(total), item.print(*full));
            return Err(item.contradicts(key, format!("is {total}, above price × quantity, which is {full}")));
        }
        totals.push(total);
    }
    let own: Amount = full.iter().sum::<Amount>() - totals.iter().sum();
    let Some(stated) = reader.amount("total_discount")? else { return Ok(totals) };
    let open: Amount = totals.iter().sum();
    if stated < own || stated - own > open {
        reader.agrees("total_discount", stated, own, "the discounts of its lines")?;
    }
    let shared = split(stated - own, &totals);
    Ok(totals.iter().zip(shared).map(|(total, share)| *total - share).collect())
}

/// The tax of each line; where lines state none, the order's is shared out in proportion to what they cost.
fn taxes(reader: &Reader<'_>, items: &[Reader<'_>], totals: &[Amount]) -> Result<Vec<Amount>, IntakeFault> {
    let own = items.iter().map(|item| item.amount("tax_price")).collect::<Result<Vec<_>, _>>()?;
    let sum: Amount = own.iter().flatten().sum();
    let stated = reader.amount("total_tax")?;
    if own.iter().any(Option::is_some) {
        reader.agrees("total_tax", stated.unwrap_or(sum), sum, "the taxes of its lines")?;
        return Ok(own.into_iter().map(Option::unwrap_or_default).collect());
    }
    let mut weights = Vec::new();
    for (item, total) in items.iter().zip(totals) {
        let taxable = item.fields.flag("taxable").map_err(unreadable)?.unwrap_or(true);
        weights.push(if taxable { *total } else { Amount::ZERO });
    }
    let stated = stated.unwrap_or_default();
    if stated.is_positive() && weights.iter().all(|w| w.is_zero()) {
        let stated = reader.print(stated);
        return Err(reader.contradicts("total_tax", format!("is {stated}, but no line can bear a tax")));
    }
    Ok(split(stated, &weights))
}

/// Everything but the goods: duty, shipping, tip, additional charges.
fn others(reader: &Reader<'_>, lines: &[Line], duties: Vec<Option<Amount>>) -> Result<Vec<Component>, IntakeFault> {
    let mut parts = Vec::new();
    let stated = reader.amount("duty_total")?;
    if duties.iter().any(Option::is_some) {
        let sum: Amount = duties.iter().flatten().sum();
        reader.agrees("duty_total", stated.unwrap_or(sum), sum, "the duties of its lines")?;
    } else if let Some(duty) = stated.filter(|duty| duty.is_positive()) {
        parts.push(part(ComponentKind::Duty, None, duty, Amount::ZERO));
    }
    assert_eq!(duties.len(), lines.len(), "one duty a line");
    for (index, duty) in duties.into_iter().enumerate() {
        if let Some(duty) = duty.filter(|duty| duty.is_positive()) {
            parts.push(part(ComponentKind::Duty, Some(index), duty, Amount::ZERO));
        }
    }
    // Shipping tax always comes on top, even where goods include theirs.
    let (shipping, shipping_tax) = (shipping(reader)?, reader.amount_or_zero("shipping_tax_total")?);
    if shipping.is_positive() || shipping_tax.is_positive() {
        parts.push(part(ComponentKind::Shipping, None, shipping, shipping_tax));
    }
    let tip = reader.amount_or_zero("total_tip_received")?;
    if tip.is_positive() {
        parts.push(part(ComponentKind::Tip, None, tip, Amount::ZERO));
    }
    parts.extend(additional(reader)?);
    Ok(parts)
}

fn shipping(reader: &Reader<'_>) -> Result<Amount, IntakeFault> {
    if let Some(total) = reader.amount("total_shipping")? {
        return Ok(total);
    }
    let line = reader.fields.object("shipping_line").map_err(unreadable)?;
    line.map_or(Ok(Amount::ZERO), |line| reader.within(line).amount_or_zero("shipping_price"))
}

fn additional(reader: &Reader<'_>) -> Result<Vec<Component>, IntakeFault> {
    let mut parts = Vec::new();
    for charge in reader.list("additional_prices", ENTRIES_PER_REQUEST_MAX)? {
        let net = charge.amount_or_zero("price")?;
        let name = charge.text("name")?;
        parts.push(Component { name, ..part(ComponentKind::Additional, None, net, Amount::ZERO) });
    }
    let stated = reader.amount("additional_total")?;
    if parts.is_empty() {
        let charged = stated.filter(|total| total.is_positive());
        return Ok(charged.map(|net| part(ComponentKind::Additional, None, net, Amount::ZERO)).into_iter().collect());
    }
    let sum: Amount = parts.iter().map(|p| p.net).sum();
    reader.agrees("additional_total", stated.unwrap_or(sum), sum, "its additional prices")?;
    Ok(parts)
}

fn check_total(reader: &Reader<'_>, order: &Order) -> Result<(), IntakeFault> {
    let total = reader.amount("total_price")?.ok_or_else(|| reader.missing("total_price"))?;
    reader.agrees("total_price", total, order.charged(), "its goods, taxes, shipping, tip, fees and duty")
}

/// Units shipped: stated by the line, else counted over parcels, else all or none by the status.
fn shipped(reader: &Reader<'_>, lines: &mut [Line]) -> Result<(), IntakeFault> {
    let items = reader.list("line_items", LINES_PER_ORDER_MAX)?;
    let parcels = parcels(reader)?;
    let status = reader.text("fulfillment_status")?;
    for (item, line) in items.iter().zip(lines) {
        let own = item.text("fulfillment_status")?;
        let status = if own.is_empty() { &status } else { &own };
        let in_parcels = || {
            let of_line = parcels.iter().filter(|(id, _)| Some(id) == line.external_id.as_ref());
            of_line.fold(0_u32, |sum, (_, units)| sum.saturating_add(*units))
        };
        let gone = matches!(status.as_str(), "shipped" | "finished" | "returning" | "partially_returned" | "returned");
        line.shipped = match item.units("ship_quantity")? {
            Some(stated) => stated,
            None if !parcels.is_empty() => in_parcels(),
            None if gone => line.quantity,
            None => 0,
        };
        if line.shipped > line.quantity {
            let reason = format!("{} units were shipped of {}", line.shipped, line.quantity);
            return Err(item.contradicts("ship_quantity", reason));
        }
    }
    Ok(())
}

/// Line id and units of every item in every parcel that was not called off.
fn parcels(reader: &Reader<'_>) -> Result<Vec<(String, u32)>, IntakeFault> {
    let mut shipped = Vec::new();
    for parcel in reader.list("fulfillments", ENTRIES_PER_REQUEST_MAX)? {
        if parcel.text("status")? == "cancelled" {
            continue;
        }
        for item in parcel.list("line_items", LINES_PER_ORDER_MAX)? {
            let units = match item.units("shipping_quantity")? {
                Some(units) => Some(units),
                None => item.units("ship_quantity")?,
            };
            let id = item.text(if item.fields.value("id").is_some() { "id" } else { "line_item_id" })?;
            shipped.push((id, units.or(item.units("quantity")?).unwrap_or(0)));
        }
    }
    Ok(shipped)
}
