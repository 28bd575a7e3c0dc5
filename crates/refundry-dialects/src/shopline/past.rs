//! Reads refunds that an order already carries: settled elsewhere, only their figures matter.

use refundry_core::intake::{IntakeFault, PastRefund, PastUnits};
use refundry_core::limits::{COMPONENTS_PER_ORDER_MAX, NOTE_CHARS_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Amount, Currency, split};
use refundry_core::order::{ComponentKind, Order, Reference};
use refundry_core::refund::{Bucket, Restock};

use super::till::{
    Pair, Till, contradictory, count, currency, id, list, minor, name, proportion, show, text, unreadable,
};
use crate::body::Fields;
use crate::text::parse_time;

/// What the order as a whole allows its refunds.
#[derive(Clone, Copy)]
pub(super) struct Leeway {
    /// Points were taken off the goods: what a refund names beyond their rest is cut rather than refused.
    pub(super) goods: bool,
    /// A total in both currencies.
    pub(super) total: Pair,
}

/// A refund with its units, before it is known out of which bucket they came.
struct Draft {
    refund: PastRefund,
    path: String,
    units: Vec<Taken>,
}

struct Taken {
    line: usize,
    quantity: u32,
    net: Amount,
    tax: Amount,
    restock: Restock,
}

/// What is left of the order while its refunds are read.
struct Ledger<'a> {
    till: Till,
    order: &'a Order,
    leeway: Leeway,
    components: Vec<(Amount, Amount)>,
    /// Per payment: taken so far, in the order's currency and in its own.
    paid_back: Vec<(Amount, Amount)>,
}

/// Reads `refunds[]`, oldest first. Those that moved no money are left out.
pub(super) fn read(
    fields: &Fields<'_>,
    till: Till,
    order: &Order,
    fulfillable: &[Option<u32>],
    leeway: Leeway,
) -> Result<Vec<PastRefund>, IntakeFault> {
    let entries = list(fields, "refunds", usize::MAX)?;
    let mut dated = Vec::new();
    for entry in &entries {
        dated.push((created_ms(entry, order.created_ms)?, entry));
    }
    dated.sort_by_key(|(created_ms, _)| *created_ms);
    let mut ledger = Ledger {
        till,
        order,
        leeway,
        components: order.components.iter().map(|c| (c.net, c.tax)).collect(),
        paid_back: vec![(Amount::ZERO, Amount::ZERO); order.payments.len()],
    };
    let mut drafts = Vec::new();
    for (created_ms, entry) in dated {
        drafts.extend(ledger.refund(entry, created_ms)?);
    }
    place_units(order, fulfillable, &mut drafts)?;
    Ok(drafts.into_iter().map(|draft| draft.refund).collect())
}

fn created_ms(entry: &Fields<'_>, otherwise: i64) -> Result<i64, IntakeFault> {
    for key in ["created_at", "processed_at"] {
        if let Some(text) = text(entry, key)? {
            let invalid = || unreadable(entry.path(key), "must be an ISO 8601 time");
            return parse_time(text).ok_or_else(invalid);
        }
    }
    Ok(otherwise)
}

impl Ledger<'_> {
    fn refund(&mut self, entry: &Fields<'_>, created_ms: i64) -> Result<Option<Draft>, IntakeFault> {
        let mut legs = Vec::new();
        for transaction in list(entry, "transactions", COMPONENTS_PER_ORDER_MAX)? {
            self.legs(&transaction, &mut legs)?;
        }
        if legs.is_empty() {
            return Ok(None);
        }
        let mut allocations = Vec::new();
        let units = self.units(entry, &mut allocations)?;
        for adjustment in list(entry, "order_adjustments", COMPONENTS_PER_ORDER_MAX)? {
            if text(&adjustment, "kind")? == Some("shipping_refund") {
                self.shipping(&adjustment, &mut allocations)?;
            }
        }
        let note: String = text(entry, "note")?.unwrap_or_default().chars().take(NOTE_CHARS_MAX).collect();
        let refund = PastRefund {
            external_id: id(entry, "id")?,
            created_ms,
            note,
            reason: String::new(),
            allocations,
            units: Vec::new(),
            legs,
        };
        Ok(Some(Draft { refund, path: entry.path("refund_line_items"), units }))
    }

    fn units(
        &mut self,
        entry: &Fields<'_>,
        allocations: &mut Vec<(usize, Amount, Amount)>,
    ) -> Result<Vec<Taken>, IntakeFault> {
        let mut units = Vec::new();
        for row in list(entry, "refund_line_items", COMPONENTS_PER_ORDER_MAX)? {
            let named = id(&row, "line_item_id")?.unwrap_or_default();
            let reference = Reference { text: named, ours: None };
            let unknown = || contradictory(row.path("line_item_id"), "the order has no such line");
            let line = self.order.find_line(&reference).ok_or_else(unknown)?;
            let subtotal = self.till.amount(&row, "subtotal")?.unwrap_or_default();
            let tax = self.till.amount(&row, "total_tax")?.unwrap_or_default();
            let net = self.net(subtotal, tax, &row, "total_tax")?;
            let taken = self.take(line, (net, tax), &row.path("subtotal"))?;
            allocations.push((line, taken.0, taken.1));
            let quantity = count(&row, "quantity")?.filter(|q| (1..=UNITS_PER_LINE_MAX).contains(q));
            let quantity = quantity.ok_or_else(|| unreadable(row.path("quantity"), "must be at least 1"))?;
            let restock = text(&row, "restock_type")?.and_then(Restock::parse).unwrap_or(Restock::No);
            units.push(Taken { line, quantity, net, tax, restock });
        }
        Ok(units)
    }

    fn shipping(
        &mut self,
        adjustment: &Fields<'_>,
        allocations: &mut Vec<(usize, Amount, Amount)>,
    ) -> Result<(), IntakeFault> {
        let amount = self.till.amount(adjustment, "amount")?.unwrap_or_default();
        let tax = self.till.amount(adjustment, "tax_amount")?.unwrap_or_default();
        let net = self.net(amount, tax, adjustment, "tax_amount")?;
        let parts: Vec<usize> = self.order.of_kind(ComponentKind::Shipping).collect();
        let lefts = parts.iter().map(|c| self.components.get(*c).copied().unwrap_or_default());
        let (nets, taxes): (Vec<Amount>, Vec<Amount>) = lefts.unzip();
        let left = (nets.iter().sum::<Amount>(), taxes.iter().sum::<Amount>());
        let (net, tax) = self.within((net, tax), left, &adjustment.path("amount"))?;
        for ((component, net), tax) in parts.into_iter().zip(split(net, &nets)).zip(split(tax, &taxes)) {
            let (net, tax) = self.take(component, (net, tax), &adjustment.path("amount"))?;
            if net.is_positive() || tax.is_positive() {
                allocations.push((component, net, tax));
            }
        }
        Ok(())
    }

    /// Printed amounts include the tax where prices do.
    fn net(&self, printed: Amount, tax: Amount, at: &Fields<'_>, key: &str) -> Result<Amount, IntakeFault> {
        if !self.order.taxes_included {
            return Ok(printed);
        }
        if tax > printed {
            let reason = format!("{} of tax inside {}", self.till.show(tax), self.till.show(printed));
            return Err(contradictory(at.path(key), reason));
        }
        Ok(printed - tax)
    }

    fn take(&mut self, component: usize, asked: (Amount, Amount), path: &str) -> Result<(Amount, Amount), IntakeFault> {
        let left = self.components.get(component).copied().unwrap_or_default();
        let (net, tax) = self.within(asked, left, path)?;
        if let Some(slot) = self.components.get_mut(component) {
            *slot = (left.0 - net, left.1 - tax);
        }
        Ok((net, tax))
    }

    fn within(
        &self,
        asked: (Amount, Amount),
        left: (Amount, Amount),
        path: &str,
    ) -> Result<(Amount, Amount), IntakeFault> {
        if (asked.0 <= left.0 && asked.1 <= left.1) || self.leeway.goods {
            return Ok((asked.0.min(left.0), asked.1.min(left.1)));
        }
        let show = |(net, tax): (Amount, Amount)| format!("{} and {} of tax", self.till.show(net), self.till.show(tax));
        Err(contradictory(path.to_owned(), format!("{} refunded, where {} were left", show(asked), show(left))))
    }

    /// The money of one transaction, through the payment it names or, by channel, may have gone through.
    fn legs(&mut self, transaction: &Fields<'_>, legs: &mut Vec<(usize, Amount, Amount)>) -> Result<(), IntakeFault> {
        let counts = |key: &str, words: &[&str]| -> Result<bool, IntakeFault> {
            Ok(text(transaction, key)?.is_none_or(|word| words.contains(&word)))
        };
        // What is on its way counts as gone: it must not be given back twice.
        if !counts("kind", &["refund"])? || !counts("status", &["success", "pending"])? {
            return Ok(());
        }
        let settled = name(transaction, "settle_amount")?.is_some() && text(transaction, "settle_currency")?.is_some();
        let (amount_key, currency_key) =
            if settled { ("settle_amount", "settle_currency") } else { ("amount", "currency") };
        let said_in = match text(transaction, currency_key)? {
            Some(code) => currency(transaction, currency_key, code)?,
            None => self.till.books,
        };
        let amount = minor(transaction, amount_key, said_in)?.unwrap_or_default();
        let path = transaction.path(amount_key);
        if amount.is_negative() {
            return Err(unreadable(path, "must not be negative"));
        }
        let mut missing = amount;
        for index in self.candidates(transaction)? {
            let Some((booked, own, taken)) = self.part(index, missing, said_in) else { continue };
            missing -= taken;
            if let Some(slot) = self.paid_back.get_mut(index) {
                *slot = (slot.0 + booked, slot.1 + own);
            }
            legs.push((index, booked, own));
        }
        if missing.is_positive() {
            let (asked, beyond) = (show(amount, said_in), show(missing, said_in));
            return Err(contradictory(path, format!("{asked} refunded, {beyond} more than its payments had left")));
        }
        Ok(())
    }

    /// Payments a transaction may have gone through.
    fn candidates(&self, transaction: &Fields<'_>) -> Result<Vec<usize>, IntakeFault> {
        for key in ["parent_id", "parent_transaction_id", "pay_seq", "id"] {
            let named = id(transaction, key)?.map(|text| Reference { text, ours: None });
            if let Some(index) = named.and_then(|reference| self.order.find_payment(&reference)) {
                return Ok(vec![index]);
            }
        }
        let all = 0..self.order.payments.len();
        let gateway = text(transaction, "gateway")?.unwrap_or_default();
        let named =
            |index: &usize| self.order.payments.get(*index).is_some_and(|p| p.channel.eq_ignore_ascii_case(gateway));
        let fitting: Vec<usize> = all.clone().filter(named).collect();
        Ok(if fitting.is_empty() { all.collect() } else { fitting })
    }

    /// As much of `missing` as a payment has left: in the order's currency, in its own, and as it was said.
    fn part(&self, index: usize, missing: Amount, said_in: Currency) -> Option<(Amount, Amount, Amount)> {
        let payment = self.order.payments.get(index)?;
        let (booked_before, own_before) = self.paid_back.get(index).copied().unwrap_or_default();
        let (booked_left, own_left) = (payment.captured - booked_before, payment.own_captured - own_before);
        if !missing.is_positive() || !own_left.is_positive() {
            return None;
        }
        if said_in == payment.own_currency {
            let own = missing.min(own_left);
            let booked = payment.booked_of(own_before + own) - payment.booked_of(own_before);
            return Some((if own == own_left { booked_left } else { booked.min(booked_left) }, own, own));
        }
        // Said in the order's currency, or in the store's.
        let (to, from) = match (said_in == self.till.books, self.leeway.total.shop) {
            (true, _) => (Amount::minor(1), Amount::minor(1)),
            (false, Some(shop)) if said_in == self.till.store() && shop.is_positive() => {
                (self.leeway.total.books, shop)
            }
            (false, _) => return None,
        };
        let booked = proportion(missing, to, from)?.min(booked_left);
        let taken = if booked == booked_left { missing.min(proportion(booked, from, to)?) } else { missing };
        let own = payment.own_of(booked_before + booked) - payment.own_of(booked_before);
        Some((booked, if booked == booked_left { own_left } else { own.min(own_left) }, taken))
    }
}

/// Units of a line that may still have been refunded.
#[derive(Clone, Copy, Default)]
struct Room {
    /// Neither waiting nor shipped any more: they must have been refunded before shipping.
    gone: u32,
    shipped: u32,
    /// Said to wait; only taken where nothing else fits, as the platform may not lower the figure.
    waiting: u32,
}

impl Room {
    /// Takes units: out of those never shipped, and out of shipped ones.
    fn take(&mut self, quantity: u32, restock: Restock) -> (u32, u32) {
        let mut missing = quantity;
        let mut from = |slot: &mut u32| {
            let part = missing.min(*slot);
            *slot = slot.saturating_sub(part);
            missing = missing.saturating_sub(part);
            part
        };
        let (gone, shipped) = match restock {
            Restock::Cancel | Restock::No => (from(&mut self.gone), from(&mut self.shipped)),
            Restock::Return => {
                let shipped = from(&mut self.shipped);
                (from(&mut self.gone), shipped)
            }
        };
        (gone.saturating_add(from(&mut self.waiting)), shipped)
    }
}

/// Finds out where refunded units came from, which the document does not say.
///
/// Units that neither wait nor shipped were refunded before shipping. They are given to entries whose stock was
/// cancelled first, then to those that left the stock alone; returned ones are the last to have never shipped.
fn place_units(order: &Order, fulfillable: &[Option<u32>], drafts: &mut [Draft]) -> Result<(), IntakeFault> {
    let rooms = order.lines.iter().zip(fulfillable).map(|(line, waits)| {
        let unshipped = line.quantity.saturating_sub(line.shipped);
        let waiting = waits.unwrap_or(0).min(unshipped);
        Room { gone: unshipped.saturating_sub(waiting), shipped: line.shipped, waiting }
    });
    let mut rooms: Vec<Room> = rooms.collect();
    let mut seen = vec![0_u32; order.lines.len()];
    for restock in [Restock::Cancel, Restock::No, Restock::Return] {
        for draft in drafts.iter_mut() {
            for taken in draft.units.iter().filter(|t| t.restock == restock) {
                let room = rooms.get_mut(taken.line);
                let (waiting, shipped) = room.map_or((0, 0), |room| room.take(taken.quantity, restock));
                if waiting.saturating_add(shipped) < taken.quantity {
                    let reason = format!("{} units refunded, more than there are", taken.quantity);
                    return Err(contradictory(draft.path.clone(), reason));
                }
                let before = seen.get(taken.line).copied().unwrap_or(0);
                draft.refund.units.extend(moves(order, taken, (waiting, shipped), before));
                seen.get_mut(taken.line).into_iter().for_each(|s| *s = s.saturating_add(taken.quantity));
            }
        }
    }
    Ok(())
}

/// One move per bucket; a split entry's money is shared by units.
fn moves(order: &Order, taken: &Taken, (waiting, shipped): (u32, u32), before: u32) -> Vec<PastUnits> {
    let counts = [(Bucket::Waiting, waiting), (Bucket::Shipped, shipped)];
    let weights = counts.map(|(_, quantity)| Amount::minor(i64::from(quantity)));
    let shares = split(taken.net, &weights).into_iter().zip(split(taken.tax, &weights));
    let mut done = before;
    let moves = counts.into_iter().zip(shares).filter(|((_, quantity), _)| *quantity > 0);
    let moves = moves.map(|((bucket, quantity), (net, tax))| {
        let discount = order.discount_share(taken.line, done, quantity);
        done = done.saturating_add(quantity);
        PastUnits { line: taken.line, bucket, quantity, net, tax, discount, restock: taken.restock }
    });
    moves.collect()
}
