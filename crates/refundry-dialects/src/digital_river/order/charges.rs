//! The charges of an order: what was captured through each, and what went back.

use refundry_core::intake::{IntakeFault, PastRefund};
use refundry_core::limits::AMOUNT_MINOR_MAX;
use refundry_core::money::Amount;
use refundry_core::order::{Payment, PaymentKind};

use super::{PAYMENTS_PER_ORDER_MAX, Source, fault, required_text, time, unreadable};
use crate::body::Fields;

/// Operations of one charge. Far above what one payment sees; bounds the work of a hostile document.
const OPERATIONS_MAX: usize = 10_000;

/// Payments in the order in which they are paid back, and past refunds, oldest first.
pub(super) fn read(order: Source<'_>, now_ms: i64) -> Result<(Vec<Payment>, Vec<PastRefund>), IntakeFault> {
    // Since 2021-03-23 sources and charges stand below `payment`, before that at the top.
    let below = order.child("payment")?;
    let holder = below.as_ref().unwrap_or(order.fields);
    let charges = objects(holder, "charges", PAYMENTS_PER_ORDER_MAX)?;
    let sources = objects(holder, "sources", PAYMENTS_PER_ORDER_MAX)?;
    let mut payments = Vec::new();
    let mut refunds = Vec::new();
    let mut itemized = false;
    for (charge, source) in primary_first(&charges, &sources)? {
        let charge = Source { fields: charge, ..order };
        let payment = payment(charge, source)?;
        let past = past_refunds(charge, payments.len(), now_ms)?;
        let mut returned = Amount::ZERO;
        for (_, amount, _) in past.iter().flat_map(|refund| &refund.legs) {
            returned = charge.bounded(returned + *amount)?;
        }
        if returned > payment.captured {
            return Err(charge.contradiction("refunds", returned, payment.captured, "but the charge captured only"));
        }
        itemized |= charge.fields.value("refunds").is_some();
        for refund in past {
            join(&mut refunds, refund);
        }
        payments.push(payment);
    }
    if !itemized {
        refunds.extend(bare_refund(order, &payments, now_ms)?);
    }
    refunds.sort_by_key(|refund| refund.created_ms);
    Ok((payments, refunds))
}

/// A charge and the source it was made on, where the document names one.
type Charge<'b, 'a> = (&'b Fields<'a>, Option<&'b Fields<'a>>);

/// Charges with their sources, those on secondary sources last: refunds go to the primary one first, and payments are
/// paid back in the order in which they are listed.
fn primary_first<'b, 'a>(
    charges: &'b [Fields<'a>],
    sources: &'b [Fields<'a>],
) -> Result<Vec<Charge<'b, 'a>>, IntakeFault> {
    let (mut primary, mut secondary) = (Vec::new(), Vec::new());
    for charge in charges {
        let source = source_of(charge, sources)?;
        let channel = source.map_or(Ok(None), |s| s.text("type")).map_err(unreadable)?;
        let list = if channel.is_some_and(is_secondary) { &mut secondary } else { &mut primary };
        list.push((charge, source));
    }
    primary.extend(secondary);
    Ok(primary)
}

/// Sources that only ever pay beside another one.
fn is_secondary(source_type: &str) -> bool {
    matches!(source_type, "giftCard" | "customerCredit")
}

/// Adds a refund, or its leg to the refund that was made at the same instant through an earlier charge: a refund of a
/// split payment leaves one entry in each charge it touches.
fn join(refunds: &mut Vec<PastRefund>, refund: PastRefund) {
    let payment = refund.legs.first().map(|(payment, _, _)| *payment);
    let other_half = refunds.iter_mut().find(|r| {
        let touches = r.legs.iter().any(|(other, _, _)| Some(*other) == payment);
        r.created_ms == refund.created_ms && !touches && r.external_id.is_none() && refund.external_id.is_none()
    });
    match other_half {
        Some(first) => first.legs.extend(refund.legs),
        None => refunds.push(refund),
    }
}

fn payment(charge: Source<'_>, source: Option<&Fields<'_>>) -> Result<Payment, IntakeFault> {
    let stated = charge.fields.text("currency").map_err(unreadable)?;
    if stated.is_some_and(|code| !code.eq_ignore_ascii_case(charge.currency.code())) {
        return Err(fault(&charge.fields.path("currency"), "must be the order's currency"));
    }
    let channel = source.map_or(Ok(None), |s| s.text("type")).map_err(unreadable)?.unwrap_or_default();
    let detail = source.map_or(Ok(None), |s| s.object(channel)).map_err(unreadable)?;
    let brand = detail.map_or(Ok(None), |d| d.text("brand")).map_err(unreadable)?;
    let owner = source.map_or(Ok(None), |s| s.object("owner")).map_err(unreadable)?;
    let account = owner.map_or(Ok(None), |o| o.text("lastName")).map_err(unreadable)?;
    let kind = match channel {
        channel if is_secondary(channel) => PaymentKind::GiftCard,
        "codJapan" => PaymentKind::CashOnDelivery,
        // Wire transfer, konbini and the like are refunded through the provider, too: it collects the bank details.
        _ => PaymentKind::Online,
    };
    let captured = captured(charge)?;
    Ok(Payment {
        id: 0,
        external_id: Some(required_text(charge.fields, "id")?),
        channel: channel.to_owned(),
        method: brand.unwrap_or(channel).to_owned(),
        kind,
        gateway: if kind.settles_outside() { "manual" } else { "simulated" }.to_owned(),
        reference: String::new(),
        account: account.unwrap_or_default().to_owned(),
        captured,
        own_currency: charge.currency,
        own_captured: captured,
    })
}

/// Σ of the captures that are complete; pending and failed ones hold no money.
fn captured(charge: Source<'_>) -> Result<Amount, IntakeFault> {
    let captures = objects(charge.fields, "captures", OPERATIONS_MAX)?;
    let mut sum = Amount::ZERO;
    for capture in &captures {
        if is_complete(capture)? {
            sum = charge.add(sum, capture)?;
        }
    }
    Ok(sum)
}

/// One refund an entry. The document does not say which items an entry was for, so it stays unallocated: it lowers what
/// the payments have left, which bounds every further refund.
fn past_refunds(charge: Source<'_>, payment: usize, now_ms: i64) -> Result<Vec<PastRefund>, IntakeFault> {
    let entries = objects(charge.fields, "refunds", OPERATIONS_MAX)?;
    let mut past = Vec::new();
    for entry in &entries {
        let state = entry.text("state").map_err(unreadable)?.unwrap_or_default();
        if state.starts_with("pending") {
            let field = entry.path("state");
            return Err(fault(&field, "is pending: bring the order in once this refund is complete or failed"));
        }
        if !is_complete(entry)? {
            continue;
        }
        let amount = Source { fields: entry, ..charge }.required_amount("amount")?;
        let id = entry.text_or_number("id").map_err(unreadable)?;
        let created_ms = time(entry, "createdTime")?.unwrap_or(now_ms);
        past.push(unallocated(id, created_ms, vec![(payment, amount, amount)]));
    }
    Ok(past)
}

/// A total that no charge explains: one refund, the primary charge first. It bears the order's own time, because a
/// second import knows it by that, and the time of the last change moves.
fn bare_refund(order: Source<'_>, payments: &[Payment], now_ms: i64) -> Result<Option<PastRefund>, IntakeFault> {
    let total = order.amount("refundedAmount")?;
    if total.is_zero() {
        return Ok(None);
    }
    let mut missing = total;
    let mut legs = Vec::new();
    for (index, payment) in payments.iter().enumerate() {
        let part = missing.min(payment.captured);
        if part.is_positive() {
            missing -= part;
            legs.push((index, part, part));
        }
    }
    if missing.is_positive() {
        let captured = payments.iter().map(|p| p.captured).sum();
        return Err(order.contradiction("refundedAmount", total, captured, "but the charges captured only"));
    }
    let created_ms = time(order.fields, "createdTime")?.unwrap_or(now_ms);
    Ok(Some(unallocated(None, created_ms, legs)))
}

impl Source<'_> {
    /// Adds the amount of an operation of this charge.
    fn add(self, sum: Amount, operation: &Fields<'_>) -> Result<Amount, IntakeFault> {
        self.bounded(sum + Source { fields: operation, ..self }.required_amount("amount")?)
    }

    /// Sums stay inside what one payment may be, however many operations a document lists.
    fn bounded(self, sum: Amount) -> Result<Amount, IntakeFault> {
        let fits = sum.get() <= AMOUNT_MINOR_MAX;
        if fits { Ok(sum) } else { Err(fault(self.fields.path("amount").as_str(), "is too large")) }
    }
}

fn unallocated(external_id: Option<String>, created_ms: i64, legs: Vec<(usize, Amount, Amount)>) -> PastRefund {
    PastRefund {
        external_id,
        created_ms,
        note: String::new(),
        reason: String::new(),
        allocations: Vec::new(),
        units: Vec::new(),
        legs,
    }
}

fn source_of<'a, 'b>(charge: &Fields<'_>, sources: &'b [Fields<'a>]) -> Result<Option<&'b Fields<'a>>, IntakeFault> {
    let Some(wanted) = charge.text_or_number("sourceId").map_err(unreadable)? else { return Ok(None) };
    for source in sources {
        if source.text_or_number("id").map_err(unreadable)?.as_ref() == Some(&wanted) {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

fn is_complete(operation: &Fields<'_>) -> Result<bool, IntakeFault> {
    Ok(operation.text("state").map_err(unreadable)? == Some("complete"))
}

fn objects<'a>(fields: &Fields<'a>, key: &str, max: usize) -> Result<Vec<Fields<'a>>, IntakeFault> {
    fields.objects(key, max).map_err(unreadable)
}
