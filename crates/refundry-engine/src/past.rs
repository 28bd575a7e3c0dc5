//! Which of the refunds that an order brings along are new.
//!
//! One with a platform's id is known by it. One without is known by its time alone, and may stand for several: a
//! platform that states a bare total states a larger one after its next refund. What it grew by is then the news.

use std::collections::BTreeMap;

use refundry_core::intake::{IntakeFault, PastRefund, PastUnits};
use refundry_core::money::Amount;
use refundry_core::refund::{Bucket, Refund, Shape};

/// The refunds that are not known yet, oldest first.
pub(crate) fn news(known: &[Refund], brought: &[PastRefund]) -> Result<Vec<PastRefund>, IntakeFault> {
    let mut news = Vec::new();
    let mut unnamed: BTreeMap<i64, Vec<&PastRefund>> = BTreeMap::new();
    for refund in brought {
        match &refund.external_id {
            Some(external) if known.iter().any(|k| k.external_id.as_ref() == Some(external)) => {}
            Some(_) => news.push(refund.clone()),
            None => unnamed.entry(refund.created_ms).or_default().push(refund),
        }
    }
    for (created_ms, group) in unnamed {
        let same_time =
            |k: &&Refund| k.external_id.is_none() && k.shape == Shape::Imported && k.created_ms == created_ms;
        let before: Vec<&Refund> = known.iter().filter(same_time).collect();
        if before.is_empty() {
            news.extend(group.into_iter().cloned());
        } else {
            news.extend(growth(&before, &group)?);
        }
    }
    news.sort_by_key(|refund| refund.created_ms);
    Ok(news)
}

/// What refunds without ids are more than those of the same time before; `None` where they are no more money.
fn growth(before: &[&Refund], now: &[&PastRefund]) -> Result<Option<PastRefund>, IntakeFault> {
    let money: Amount = now.iter().flat_map(|r| &r.legs).map(|(_, amount, _)| *amount).sum();
    if money <= before.iter().map(|r| r.amount).sum() {
        return Ok(None);
    }
    let mut legs: BTreeMap<usize, (Amount, Amount)> = BTreeMap::new();
    for (payment, amount, own) in now.iter().flat_map(|r| &r.legs) {
        add(&mut legs, *payment, (*amount, *own));
    }
    for leg in before.iter().flat_map(|r| &r.legs) {
        add(&mut legs, leg.payment, (-leg.amount, -leg.own_amount));
    }
    let legs = grown(legs, "money")?;
    let Some(last) = now.last() else { return Ok(None) };
    let mut parts: BTreeMap<usize, (Amount, Amount)> = BTreeMap::new();
    for (component, net, tax) in now.iter().flat_map(|r| &r.allocations) {
        add(&mut parts, *component, (*net, *tax));
    }
    for part in before.iter().flat_map(|r| &r.allocations) {
        add(&mut parts, part.component, (-part.net, -part.tax));
    }
    let units = grown_units(before, now)?;
    Ok(Some(PastRefund { allocations: grown(parts, "parts")?, units, legs, ..(*last).clone() }))
}

fn add(sums: &mut BTreeMap<usize, (Amount, Amount)>, index: usize, (one, other): (Amount, Amount)) {
    let sum = sums.entry(index).or_default();
    *sum = (sum.0 + one, sum.1 + other);
}

/// The entries that grew.
fn grown(sums: BTreeMap<usize, (Amount, Amount)>, what: &str) -> Result<Vec<(usize, Amount, Amount)>, IntakeFault> {
    if sums.values().any(|(one, other)| one.is_negative() || other.is_negative()) {
        return Err(shrunk(what));
    }
    let grew = sums.into_iter().filter(|(_, (one, other))| one.is_positive() || other.is_positive());
    Ok(grew.map(|(index, (one, other))| (index, one, other)).collect())
}

fn grown_units(before: &[&Refund], now: &[&PastRefund]) -> Result<Vec<PastUnits>, IntakeFault> {
    let mut sums: BTreeMap<(usize, Bucket), PastUnits> = BTreeMap::new();
    for units in now.iter().flat_map(|r| &r.units) {
        let nothing = PastUnits { quantity: 0, net: Amount::ZERO, tax: Amount::ZERO, discount: Amount::ZERO, ..*units };
        let sum = sums.entry((units.line, units.bucket)).or_insert(nothing);
        sum.quantity = sum.quantity.saturating_add(units.quantity);
        (sum.net, sum.tax, sum.discount) = (sum.net + units.net, sum.tax + units.tax, sum.discount + units.discount);
    }
    for units in before.iter().flat_map(|r| &r.units) {
        let sum = sums.get_mut(&(units.line, units.bucket)).ok_or_else(|| shrunk("units"))?;
        sum.quantity = sum.quantity.checked_sub(units.quantity).ok_or_else(|| shrunk("units"))?;
        (sum.net, sum.tax, sum.discount) = (sum.net - units.net, sum.tax - units.tax, sum.discount - units.discount);
    }
    Ok(sums.into_values().filter(|units| units.quantity > 0).collect())
}

fn shrunk(what: &str) -> IntakeFault {
    let reason = format!("fewer {what} were refunded than the same order said before");
    IntakeFault::Contradictory { field: "refunds".to_owned(), reason }
}
