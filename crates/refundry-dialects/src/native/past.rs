//! Refunds that an order document brings along: made elsewhere, and over.

use std::collections::{BTreeMap, BTreeSet};

use refundry_core::intake::{IntakeFault, PastRefund, PastUnits};
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, NOTE_CHARS_MAX, PAYMENTS_PER_ORDER_MAX, REASON_CHARS_MAX};
use refundry_core::money::{Amount, unit_share};
use refundry_core::order::{Component, ComponentKind, Order, OrderFault};
use refundry_core::refund::{Bucket, Restock};

use super::encode::shown;
use super::order::{Unfit, line_named, money};
use super::read::{code, count, id, only, reference, required_id, text_of, time};
use crate::body::{Fault, Fields, Malformed};

/// Keys of a past refund.
pub(super) const REFUND_KEYS: &[&str] =
    &["id", "created_at", "note", "reason", "amount", "allocations", "units", "payments"];
/// Keys of an allocation.
pub(super) const ALLOCATION_KEYS: &[&str] = &["kind", "line", "name", "net", "tax"];
/// Keys of units.
pub(super) const UNIT_KEYS: &[&str] = &["line", "from", "quantity", "net", "tax", "discount", "restock"];
/// Keys of a payment.
pub(super) const PAYMENT_KEYS: &[&str] = &["payment", "amount", "own_amount"];
/// Refunds that one document may bring along.
const REFUNDS_MAX: usize = ENTRIES_PER_REQUEST_MAX;

/// What refunds of the document hold so far.
struct Held {
    components: Vec<(Amount, Amount)>,
    units: BTreeMap<(usize, Bucket), u32>,
    payments: Vec<(Amount, Amount)>,
}

/// Reads the past refunds, oldest first, and checks that they never exceed what the order has.
pub(super) fn read(of: &Fields<'_>, order: &Order) -> Result<Vec<PastRefund>, Unfit> {
    let mut held = Held {
        components: vec![<(Amount, Amount)>::default(); order.components.len()],
        units: BTreeMap::new(),
        payments: vec![<(Amount, Amount)>::default(); order.payments.len()],
    };
    let mut ids = BTreeSet::new();
    let mut refunds = Vec::new();
    for fields in of.objects("refunds", REFUNDS_MAX)? {
        let refund = refund(&fields, order, &mut held)?;
        if let Some(id) = &refund.external_id
            && !ids.insert(id.clone())
        {
            return Err(Unfit::Fault(IntakeFault::Fault(OrderFault::DuplicateId(id.clone()))));
        }
        refunds.push(refund);
    }
    refunds.sort_by_key(|refund| refund.created_ms);
    Ok(refunds)
}

fn refund(fields: &Fields<'_>, order: &Order, held: &mut Held) -> Result<PastRefund, Unfit> {
    only(fields, REFUND_KEYS)?;
    let units = units(fields, order, held)?;
    let allocations = match fields.value("allocations") {
        None => goods_of(&units),
        Some(_) => allocations(fields, order)?,
    };
    for (component, net, tax) in &allocations {
        allocate(fields, order, held, *component, (*net, *tax))?;
    }
    let legs = legs(fields, order, held)?;
    Ok(PastRefund {
        external_id: Some(required_id(fields, "id")?.to_owned()),
        created_ms: time(fields, "created_at")?.unwrap_or(order.created_ms),
        note: text_of(fields, "note", NOTE_CHARS_MAX)?,
        reason: text_of(fields, "reason", REASON_CHARS_MAX)?,
        allocations,
        units,
        legs,
    })
}

/// Where only units are stated, their worth is what their goods got back.
fn goods_of(units: &[PastUnits]) -> Vec<(usize, Amount, Amount)> {
    let mut by_line: BTreeMap<usize, (Amount, Amount)> = BTreeMap::new();
    for unit in units {
        let (net, tax) = by_line.entry(unit.line).or_default();
        *net += unit.net;
        *tax += unit.tax;
    }
    by_line.into_iter().map(|(line, (net, tax))| (line, net, tax)).collect()
}

fn units(of: &Fields<'_>, order: &Order, held: &mut Held) -> Result<Vec<PastUnits>, Unfit> {
    let entries = of.objects("units", ENTRIES_PER_REQUEST_MAX)?;
    entries.iter().map(|fields| unit(fields, order, held)).collect()
}

fn unit(fields: &Fields<'_>, order: &Order, held: &mut Held) -> Result<PastUnits, Unfit> {
    only(fields, UNIT_KEYS)?;
    let line = line_named(fields, &order.lines, required_id(fields, "line")?)?;
    let sold = order.lines.get(line).ok_or_else(|| fields.fault("line", Fault::Missing))?;
    let bucket = code(fields, "from", "waiting, shipped", |text| match text {
        "waiting" => Some(Bucket::Waiting),
        "shipped" => Some(Bucket::Shipped),
        _ => None,
    })?;
    let bucket = bucket.ok_or_else(|| fields.fault("from", Fault::Missing))?;
    let wrong = || fields.fault("quantity", Fault::Value("a whole number of at least 1".to_owned()));
    let quantity = count(fields, "quantity")?.filter(|q| *q > 0).ok_or_else(wrong)?;
    let of_bucket = |b: Bucket| held.units.get(&(line, b)).copied().unwrap_or(0);
    let taken = of_bucket(Bucket::Waiting).saturating_add(of_bucket(Bucket::Shipped));
    let there = match bucket {
        Bucket::Waiting => sold.quantity.saturating_sub(sold.shipped).saturating_sub(sold.cancelled),
        Bucket::Shipped => sold.shipped,
    };
    let after = of_bucket(bucket).saturating_add(quantity);
    if after > there {
        let reason = format!("refunds take {after} units that are {}, of {there} there", bucket.code());
        return Err(Unfit::contradictory(fields.path("quantity"), reason));
    }
    held.units.insert((line, bucket), after);
    let goods = order.goods(line);
    let share = |total: Amount| unit_share(total, taken, quantity, sold.quantity);
    let stated = |key: &str, total: Amount| -> Result<Amount, Malformed> {
        Ok(money(fields, key, order.currency)?.unwrap_or_else(|| share(total)))
    };
    Ok(PastUnits {
        line,
        bucket,
        quantity,
        net: stated("net", goods.net)?,
        tax: stated("tax", goods.tax)?,
        discount: stated("discount", sold.discount)?,
        restock: code(fields, "restock", "no_restock, return, cancel", Restock::parse)?.unwrap_or(Restock::No),
    })
}

fn allocations(of: &Fields<'_>, order: &Order) -> Result<Vec<(usize, Amount, Amount)>, Unfit> {
    let mut allocations = Vec::new();
    for fields in of.objects("allocations", ENTRIES_PER_REQUEST_MAX)? {
        only(&fields, ALLOCATION_KEYS)?;
        let kinds = "goods, shipping, tip, additional, duty, importer_tax, fee";
        let kind = code(&fields, "kind", kinds, ComponentKind::parse)?;
        let kind = kind.ok_or_else(|| fields.fault("kind", Fault::Missing))?;
        let line = id(&fields, "line")?.map(|name| line_named(&fields, &order.lines, name)).transpose()?;
        let name = fields.text("name")?;
        let is_it = |c: &Component| c.kind == kind && c.line == line && name.is_none_or(|name| c.name == name);
        let component = order.components.iter().position(is_it);
        let none = || fields.fault("kind", Fault::Value("of a part that the order has".to_owned()));
        let amount = |key: &str| money(&fields, key, order.currency).map(Option::unwrap_or_default);
        allocations.push((component.ok_or_else(none)?, amount("net")?, amount("tax")?));
    }
    Ok(allocations)
}

fn allocate(
    fields: &Fields<'_>,
    order: &Order,
    held: &mut Held,
    index: usize,
    (net, tax): (Amount, Amount),
) -> Result<(), Unfit> {
    let (Some(component), Some(sum)) = (order.components.get(index), held.components.get_mut(index)) else {
        return Ok(());
    };
    *sum = (sum.0 + net, sum.1 + tax);
    for (sum, charged, what) in [(sum.0, component.net, "net"), (sum.1, component.tax, "tax")] {
        if sum > charged {
            let show = |amount| shown(amount, order.currency);
            let part = super::explain::component_name(order, index);
            let reason = format!("refunds take {} {what} of {part}, charged {}", show(sum), show(charged));
            return Err(Unfit::contradictory(fields.path("allocations"), reason));
        }
    }
    Ok(())
}

/// The payments as stated, or `amount` taken from the payments as the order lists them.
fn legs(fields: &Fields<'_>, order: &Order, held: &mut Held) -> Result<Vec<(usize, Amount, Amount)>, Unfit> {
    let amount = money(fields, "amount", order.currency)?;
    let entries = fields.objects("payments", PAYMENTS_PER_ORDER_MAX)?;
    let mut legs = Vec::new();
    if let (Some(amount), true) = (amount, entries.is_empty()) {
        let mut missing = amount;
        for (index, payment) in order.payments.iter().enumerate() {
            let taken = held.payments.get(index).map_or(Amount::ZERO, |p| p.0);
            let part = missing.min(payment.captured - taken);
            if part.is_positive() {
                missing -= part;
                legs.push(leg(fields, order, held, (index, part, None))?);
            }
        }
        if missing.is_positive() {
            let (missing, captured) = (shown(missing, order.currency), shown(order.captured(), order.currency));
            let reason = format!("refunds take {missing} more than the captured {captured}");
            return Err(Unfit::contradictory(fields.path("amount"), reason));
        }
        return Ok(legs);
    }
    for entry in &entries {
        only(entry, PAYMENT_KEYS)?;
        let name = required_id(entry, "payment")?;
        let unknown = || entry.fault("payment", Fault::Value(format!("the id of a payment; \"{name}\" is none")));
        let index = order.find_payment(&reference(name)).ok_or_else(unknown)?;
        let own_currency = order.payments.get(index).map_or(order.currency, |p| p.own_currency);
        let part = money(entry, "amount", order.currency)?.ok_or_else(|| entry.fault("amount", Fault::Missing))?;
        let own = money(entry, "own_amount", own_currency)?;
        legs.push(leg(entry, order, held, (index, part, own))?);
    }
    let sum: Amount = legs.iter().map(|(_, amount, _)| *amount).sum();
    if let Some(amount) = amount.filter(|amount| *amount != sum) {
        let (amount, sum) = (shown(amount, order.currency), shown(sum, order.currency));
        let reason = format!("{amount} is not {sum}, what its payments come to");
        return Err(Unfit::contradictory(fields.path("amount"), reason));
    }
    if !sum.is_positive() {
        return Err(fields.fault("payments", Fault::Missing).into());
    }
    Ok(legs)
}

fn leg(
    fields: &Fields<'_>,
    order: &Order,
    held: &mut Held,
    (index, amount, own): (usize, Amount, Option<Amount>),
) -> Result<(usize, Amount, Amount), Unfit> {
    let (Some(payment), Some(sum)) = (order.payments.get(index), held.payments.get_mut(index)) else {
        return Err(fields.fault("payment", Fault::Missing).into());
    };
    let after = sum.0 + amount;
    let show = |amount| shown(amount, order.currency);
    if after > payment.captured {
        let reason = format!("refunds take {}, captured were {}", show(after), show(payment.captured));
        return Err(Unfit::contradictory(fields.path("amount"), reason));
    }
    // The pair follows the captured pair between running sums, so the last refund takes the rest of both.
    let own = own.unwrap_or_else(|| (payment.own_of(after) - sum.1).or_zero());
    let own_after = sum.1 + own;
    if own_after > payment.own_captured || (payment.own_currency == order.currency && own != amount) {
        let show = |amount| shown(amount, payment.own_currency);
        let reason = format!(
            "refunds take {} {} in the payment's own currency, captured were {}; this one takes {}",
            show(own_after),
            payment.own_currency,
            show(payment.own_captured),
            show(own)
        );
        return Err(Unfit::contradictory(fields.path("own_amount"), reason));
    }
    *sum = (after, own_after);
    Ok((index, amount, own))
}
