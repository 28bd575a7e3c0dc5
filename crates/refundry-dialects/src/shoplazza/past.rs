//! Refunds that an order brings along: its refund records, or the bare total of what was refunded.

use refundry_core::intake::{IntakeFault, PastRefund, PastUnits};
use refundry_core::limits::ENTRIES_PER_REQUEST_MAX;
use refundry_core::money::{Amount, unit_share};
use refundry_core::order::{Component, ComponentKind, Order, Reference};
use refundry_core::refund::{Bucket, Restock};
use serde_json::Value;

use super::order::{Reader, unreadable};
use crate::body::{Fault, Fields, Malformed};

/// Refund records of one order in a document. The refunds of an order have no limit, but a document has.
const RECORDS_MAX: usize = 10_000;

/// Reads the refund records; without any, the total that the order states becomes one refund.
pub(super) fn read(
    reader: &Reader<'_>,
    order: &Order,
    records: Option<&Value>,
) -> Result<Vec<PastRefund>, IntakeFault> {
    let mut books = Books::new(order);
    let mut refunds = Vec::new();
    let mut settled = Amount::ZERO;
    for record in records_of(reader, records)? {
        let status = record.text("refund_status")?;
        if status == "failed" {
            continue;
        }
        let Some(refund) = books.record(&record)? else { continue };
        if status != "pending" {
            settled += refund.legs.iter().map(|(_, amount, _)| *amount).sum();
        }
        refunds.push(refund);
    }
    refunds.sort_by_key(|refund| refund.created_ms);
    let stated = reader.amount("total_refund_price")?;
    if !refunds.is_empty() {
        reader.agrees("total_refund_price", stated.unwrap_or(settled), settled, "its finished refund records")?;
        books.check_line_units(reader)?;
        return Ok(refunds);
    }
    match stated.filter(|total| total.is_positive()) {
        Some(total) => Ok(vec![books.bare_total(reader, total)?]),
        None => Ok(Vec::new()),
    }
}

fn records_of<'a>(reader: &Reader<'_>, records: Option<&'a Value>) -> Result<Vec<Reader<'a>>, IntakeFault> {
    let Some(records) = records else { return Ok(Vec::new()) };
    let fault = |fault| unreadable(Malformed::at("refund_records", fault));
    let entries = records.as_array().ok_or_else(|| fault(Fault::Type("a list")))?;
    if entries.len() > RECORDS_MAX {
        return Err(fault(Fault::TooLong(RECORDS_MAX)));
    }
    let read = |(i, entry): (usize, &'a Value)| Fields::of(entry, &format!("refund_records[{i}]"));
    let fields = entries.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    Ok(fields.into_iter().map(|fields| reader.within(fields)).collect())
}

/// Index of a component or payment, with its two amounts: net and tax, or booked and own.
type Shares = Vec<(usize, Amount, Amount)>;

/// What is left of the order while its refunds are read one after another.
struct Books<'a> {
    order: &'a Order,
    /// Net and tax left of each component.
    parts: Vec<(Amount, Amount)>,
    /// Left of each payment, and given back in its own currency.
    payments: Vec<(Amount, Amount)>,
    /// Units left of each line: waiting, shipped.
    units: Vec<(u32, u32)>,
}

impl<'a> Books<'a> {
    fn new(order: &'a Order) -> Self {
        Self {
            order,
            parts: order.components.iter().map(|c| (c.net, c.tax)).collect(),
            payments: order.payments.iter().map(|p| (p.captured, Amount::ZERO)).collect(),
            units: order.lines.iter().map(|l| (l.quantity.saturating_sub(l.shipped), l.shipped)).collect(),
        }
    }

    /// Reads one record; `None` for one that moved no money.
    fn record(&mut self, record: &Reader<'_>) -> Result<Option<PastRefund>, IntakeFault> {
        let total = record.amount("refund_price")?.ok_or_else(|| record.missing("refund_price"))?;
        let legs = self.legs(record, total)?;
        if legs.is_empty() {
            return Ok(None);
        }
        let (units, mut allocations) = self.lines(record)?;
        let shipping = (record.amount_or_zero("refund_shipping")?, record.amount_or_zero("refund_shipping_tax")?);
        self.take(record, "refund_shipping", shipping, &|c| c.kind == ComponentKind::Shipping, &mut allocations)?;
        let tip = (record.amount_or_zero("refund_tip")?, Amount::ZERO);
        self.take(record, "refund_tip", tip, &|c| c.kind == ComponentKind::Tip, &mut allocations)?;
        self.charges(record, &mut allocations)?;
        let id = record.text("id")?;
        Ok(Some(PastRefund {
            external_id: (!id.is_empty()).then_some(id),
            created_ms: record.time("created_at")?.unwrap_or(self.order.created_ms),
            note: record.text("note")?,
            reason: String::new(),
            allocations,
            units,
            legs,
        }))
    }

    fn charges(&mut self, record: &Reader<'_>, allocations: &mut Shares) -> Result<(), IntakeFault> {
        let named = record.list("additional_prices", ENTRIES_PER_REQUEST_MAX)?;
        for charge in &named {
            let name = charge.text("name")?;
            let price = (charge.amount_or_zero("price")?, Amount::ZERO);
            let is_it = |c: &Component| c.kind == ComponentKind::Additional && c.name == name;
            self.take(charge, "price", price, &is_it, allocations)?;
        }
        if named.is_empty() {
            let total = (record.amount_or_zero("additional_total")?, Amount::ZERO);
            let is_any = |c: &Component| c.kind == ComponentKind::Additional;
            self.take(record, "additional_total", total, &is_any, allocations)?;
        }
        Ok(())
    }

    /// Takes an amount out of the components that it is for, the first ones first.
    fn take(
        &mut self,
        record: &Reader<'_>,
        key: &str,
        asked: (Amount, Amount),
        is_for: &dyn Fn(&Component) -> bool,
        allocations: &mut Shares,
    ) -> Result<(), IntakeFault> {
        let (mut net, mut tax) = asked;
        for (index, component) in self.order.components.iter().enumerate().filter(|(_, c)| is_for(c)) {
            let Some(left) = self.parts.get_mut(index) else { continue };
            let part = (net.min(left.0), tax.min(left.1));
            *left = (left.0 - part.0, left.1 - part.1);
            (net, tax) = (net - part.0, tax - part.1);
            if part.0.is_positive() || part.1.is_positive() {
                allocations.push((index, part.0, part.1));
            }
            assert!(component.net >= part.0, "never above the component");
        }
        if net.is_zero() && tax.is_zero() {
            return Ok(());
        }
        let (asked, over) = (record.print(asked.0 + asked.1), record.print(net + tax));
        Err(record.contradicts(key, format!("refunds {asked}, which is {over} more than the order has left of it")))
    }

    fn legs(&mut self, record: &Reader<'_>, total: Amount) -> Result<Shares, IntakeFault> {
        let details = record.list("payment_details", ENTRIES_PER_REQUEST_MAX)?;
        if details.is_empty() {
            return self.in_order(record, "refund_price", total);
        }
        let mut legs = Vec::new();
        let mut sum = Amount::ZERO;
        for detail in &details {
            let amount = detail.amount("refund_price")?.ok_or_else(|| detail.missing("refund_price"))?;
            sum += amount;
            let failed = detail.text("refund_status")? == "failed";
            if amount.is_positive() && !failed {
                let payment = self.payment_of(detail)?;
                legs.push(self.leg(detail, "refund_price", payment, amount)?);
            }
        }
        record.agrees("refund_price", total, sum, "its payment details")?;
        Ok(legs)
    }

    /// By the payment line's id where the record says it (modern), else by channel and method.
    fn payment_of(&self, detail: &Reader<'_>) -> Result<usize, IntakeFault> {
        let id = detail.text("payment_line_id")?;
        if !id.is_empty() {
            let found = self.order.find_payment(&Reference { text: id.clone(), ours: None });
            return found.ok_or_else(|| detail.wrong("payment_line_id", format!("the order has no payment line {id}")));
        }
        let (channel, method) = (detail.text("payment_channel")?, detail.text("payment_method")?);
        let payments = &self.order.payments;
        let exact = payments.iter().position(|p| p.channel == channel && p.method == method);
        let found = exact.or_else(|| payments.iter().position(|p| p.channel == channel));
        let only = (payments.len() == 1).then_some(0);
        let wrong = || detail.wrong("payment_channel", format!("the order has no payment through {channel}"));
        found.or(only.filter(|_| channel.is_empty())).ok_or_else(wrong)
    }

    fn leg(
        &mut self,
        record: &Reader<'_>,
        key: &str,
        index: usize,
        amount: Amount,
    ) -> Result<(usize, Amount, Amount), IntakeFault> {
        let (Some(payment), Some((left, own_back))) = (self.order.payments.get(index), self.payments.get_mut(index))
        else {
            return Err(record.wrong(key, "names no payment of the order".to_owned()));
        };
        if amount > *left {
            let (asked, left) = (record.print(amount), record.print(*left));
            return Err(record.contradicts(key, format!("refunds {asked} of a payment that has {left} left")));
        }
        *left -= amount;
        let own = payment.own_of(payment.captured - *left) - *own_back;
        *own_back += own;
        Ok((index, amount, own))
    }

    /// Spreads an amount over the payments as they are listed.
    fn in_order(&mut self, record: &Reader<'_>, key: &str, total: Amount) -> Result<Shares, IntakeFault> {
        let left: Amount = self.payments.iter().map(|(left, _)| *left).sum();
        if total > left {
            let (total, left) = (record.print(total), record.print(left));
            return Err(record.contradicts(key, format!("refunds {total}, but the payments have {left} left")));
        }
        let mut missing = total;
        let mut legs = Vec::new();
        for index in 0..self.payments.len() {
            let part = self.payments.get(index).map_or(Amount::ZERO, |(left, _)| missing.min(*left));
            if part.is_positive() {
                missing -= part;
                legs.push(self.leg(record, key, index, part)?);
            }
        }
        Ok(legs)
    }

    fn lines(&mut self, record: &Reader<'_>) -> Result<(Vec<PastUnits>, Shares), IntakeFault> {
        let mut units = Vec::new();
        let mut allocations: Shares = Vec::new();
        for item in record.list("refund_line_items", ENTRIES_PER_REQUEST_MAX)? {
            let id = item.required_text("line_item_id")?;
            let line = self.order.find_line(&Reference { text: id.clone(), ours: None });
            let unknown = || item.wrong("line_item_id", format!("the order has no line item {id}"));
            let line = line.ok_or_else(unknown)?;
            let quantity = item.units("refund_quantity")?.unwrap_or(0);
            if quantity == 0 {
                continue;
            }
            let before = item.units("delete_quantity")?;
            let figures = self.figures(&item, line, quantity)?;
            allocations.push((line, figures.0, figures.1));
            units.extend(self.take_units(&item, line, (quantity, before), figures)?);
        }
        Ok((units, allocations))
    }

    /// Net, tax and discount of refunded units, as the record states them, else by the line's unit shares.
    fn figures(
        &mut self,
        item: &Reader<'_>,
        line: usize,
        quantity: u32,
    ) -> Result<(Amount, Amount, Amount), IntakeFault> {
        let (sold, left) = self.order.lines.get(line).map_or((0, 0), |l| (l.quantity, self.units_left(line)));
        if quantity > left {
            return Err(item.contradicts("refund_quantity", format!("is {quantity}, but {left} units are left")));
        }
        let goods = self.order.goods(line);
        let taken = sold.saturating_sub(left);
        let shares = (unit_share(goods.net, taken, quantity, sold), unit_share(goods.tax, taken, quantity, sold));
        let discount = item.amount("discount")?.unwrap_or_else(|| self.order.discount_share(line, taken, quantity));
        let tax = item.amount("tax")?.unwrap_or(shares.1);
        let gross = item.amount("total")?.unwrap_or(shares.0 + tax);
        let (net_left, tax_left) = self.parts.get(line).copied().unwrap_or_default();
        if gross > net_left + tax_left {
            let (gross, left) = (item.print(gross), item.print(net_left + tax_left));
            return Err(item.contradicts("total", format!("is {gross}, but the line has {left} left")));
        }
        // Net and tax may be a cent apart from how the line was split; the sum is what counts.
        let tax = tax.min(tax_left).min(gross).max(gross - net_left);
        let net = gross - tax;
        if let Some(part) = self.parts.get_mut(line) {
            *part = (net_left - net, tax_left - tax);
        }
        Ok((net, tax, discount))
    }

    fn units_left(&self, line: usize) -> u32 {
        self.units.get(line).map_or(0, |(waiting, shipped)| waiting.saturating_add(*shipped))
    }

    /// Takes units out of their buckets; where the record does not say which, those waiting go first.
    fn take_units(
        &mut self,
        item: &Reader<'_>,
        line: usize,
        (quantity, before): (u32, Option<u32>),
        (net, tax, discount): (Amount, Amount, Amount),
    ) -> Result<Vec<PastUnits>, IntakeFault> {
        let Some((waiting_left, shipped_left)) = self.units.get_mut(line) else { return Ok(Vec::new()) };
        let waiting = before.unwrap_or_else(|| quantity.min(*waiting_left));
        let shipped = quantity.checked_sub(waiting);
        let Some(shipped) = shipped.filter(|shipped| shipped <= shipped_left && waiting <= *waiting_left) else {
            let reason = format!(
                "is {waiting} of {quantity} units, but {waiting_left} wait to be shipped and {shipped_left} were shipped"
            );
            return Err(item.contradicts("delete_quantity", reason));
        };
        *waiting_left = waiting_left.saturating_sub(waiting);
        *shipped_left = shipped_left.saturating_sub(shipped);
        let share = |bucket, taken, n| PastUnits {
            line,
            bucket,
            quantity: n,
            net: unit_share(net, taken, n, quantity),
            tax: unit_share(tax, taken, n, quantity),
            discount: unit_share(discount, taken, n, quantity),
            restock: Restock::No,
        };
        let moves = [share(Bucket::Waiting, 0, waiting), share(Bucket::Shipped, waiting, shipped)];
        Ok(moves.into_iter().filter(|units| units.quantity > 0).collect())
    }

    /// The lines may state how many of their units were refunded, too.
    fn check_line_units(&self, reader: &Reader<'_>) -> Result<(), IntakeFault> {
        for (index, (item, stated)) in stated_units(reader)?.into_iter().enumerate() {
            let sold = self.order.lines.get(index).map_or(0, |l| l.quantity);
            let refunded = sold.saturating_sub(self.units_left(index));
            if let Some((key, stated)) = stated.filter(|(_, stated)| *stated != refunded) {
                return Err(item.contradicts(key, format!("is {stated}, but refund records make {refunded}")));
            }
        }
        Ok(())
    }

    /// One refund of a bare total: its money, and the units that the lines say are gone.
    fn bare_total(&mut self, reader: &Reader<'_>, total: Amount) -> Result<PastRefund, IntakeFault> {
        let legs = self.in_order(reader, "total_refund_price", total)?;
        let mut units = Vec::new();
        let mut allocations = Vec::new();
        for (index, (item, stated)) in stated_units(reader)?.into_iter().enumerate() {
            let Some((_, quantity)) = stated.filter(|(_, quantity)| *quantity > 0) else { continue };
            let sold = self.order.lines.get(index).map_or(0, |l| l.quantity);
            if quantity > sold {
                return Err(item.contradicts("quantity", format!("is {sold}, but {quantity} units were refunded")));
            }
            let goods = self.order.goods(index);
            let share = |amount| unit_share(amount, 0, quantity, sold);
            let figures = (share(goods.net), share(goods.tax), self.order.discount_share(index, 0, quantity));
            allocations.push((index, figures.0, figures.1));
            units.extend(self.take_units(&item, index, (quantity, None), figures)?);
        }
        Ok(PastRefund {
            external_id: None,
            // A time that a second import finds again; when the money went back is not said.
            created_ms: self.order.created_ms,
            note: String::new(),
            reason: String::new(),
            allocations,
            units,
            legs,
        })
    }
}

/// Each line item with the key and number of its refunded units, where it states them.
type StatedUnits<'a> = Vec<(Reader<'a>, Option<(&'static str, u32)>)>;

fn stated_units<'a>(reader: &Reader<'a>) -> Result<StatedUnits<'a>, IntakeFault> {
    let items = reader.list("line_items", refundry_core::limits::LINES_PER_ORDER_MAX)?;
    let stated = items.into_iter().map(|item| {
        for key in ["refund_quantity_total", "refund_quantity"] {
            if let Some(units) = item.units(key)? {
                return Ok((item, Some((key, units))));
            }
        }
        Ok((item, None))
    });
    stated.collect()
}
