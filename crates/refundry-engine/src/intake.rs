//! Orders in: new ones, and known ones brought up to date. What refunds stand on never changes under them.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::{Balances, Facts};
use refundry_core::decide::{News, record, settle};
use refundry_core::intake::{Intake, IntakeFault, PastRefund};
use refundry_core::journal::{Happening, opening};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{ComponentKind, Dialect, Id, Order, Payment, Reference};
use refundry_core::refund::{Allocation, Bucket, Cap, CapKind, Leg, LegState, Refund, Route, Shape, UnitMove, Why};
use refundry_store::{StoreError, Tx, orders};

use crate::accept::missing_refund;
use crate::ids::Ids;
use crate::world::{Document, World};
use crate::{anew, past, twins};

/// What became of an order on its way in.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The order's number.
    pub order: Id,
    /// What happened to it.
    pub how: How,
}

/// What became of an order on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was not known.
    Created,
    /// It was known, and something is new.
    Changed,
    /// It was known just so.
    Unchanged,
}

/// Why an order cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeFault {
    /// No such order.
    OrderUnknown(String),
    /// No such line in it.
    LineUnknown(String),
    /// More units than wait to be shipped.
    TooManyUnits {
        /// The line.
        line: String,
        /// Units that wait.
        waiting: u32,
    },
    /// The changed order breaks a rule of all orders.
    Intake(IntakeFault),
    /// Whoever asked knows why not.
    Refused,
}

/// How the caller's own order is found again.
pub(crate) fn reference(order: &Order) -> Option<Reference> {
    // Our own API prints our number for an order that has no id of the caller's, and takes it back.
    let ours = |text: &str| if order.origin == Dialect::Native { our_number(text) } else { None };
    order.external_id.as_ref().map(|text| Reference { text: text.clone(), ours: ours(text) })
}

/// Our number, in the digits that APIs print it in which call an order by it.
fn our_number(text: &str) -> Option<Id> {
    let shaped = text.len() == 18 && text.bytes().all(|b| b.is_ascii_digit());
    shaped.then(|| text.parse().ok()).flatten()
}

/// Takes an order in. Doing it twice changes nothing.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    intake: &Intake,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Taken, IntakeFault>, StoreError> {
    let known = match reference(&intake.order) {
        Some(reference) => world.resolve(tx, store, &reference)?,
        None => None,
    };
    // Under our number of another order it would be found in place of that one; and an order made here that comes back
    // would be sold, and refunded, twice.
    let printed = Some(intake.order.id).filter(|id| *id != 0);
    if known.is_none()
        && let Some(ours) = printed.or_else(|| intake.order.external_id.as_deref().and_then(our_number))
        && let Some(order) = orders::resolve(tx, store, &Reference { text: String::new(), ours: Some(ours) })?
    {
        return Ok(Err(IntakeFault::Clash { order }));
    }
    match known {
        None => create(tx, world, store, intake, ids, now_ms),
        Some(order) => update(tx, world, (store, order), intake, ids, now_ms),
    }
}

fn create(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    intake: &Intake,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Taken, IntakeFault>, StoreError> {
    let order = with_ids(intake.order.clone(), None, ids, now_ms);
    let facts = Facts::fresh(order);
    if let Err(fault) = check(&facts, intake.refunds.iter().map(|past| (past, None))) {
        return Ok(Err(fault));
    }
    let id = facts.order.id;
    let postings = opening(None, &facts.order);
    world.put_order(
        store,
        facts,
        Some(Document::of(intake)),
        (ids.next(now_ms), Happening::OrderOpened, postings),
        now_ms,
    )?;
    for past in &intake.refunds {
        take_past(tx, world, (store, id), past, None, ids, now_ms)?;
    }
    Ok(Ok(Taken { order: id, how: How::Created }))
}

/// Added payments, fulfilments, status and refunds made elsewhere are taken; price and quantity of what was refunded
/// are not.
fn update(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, id): (i64, Id),
    intake: &Intake,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Taken, IntakeFault>, StoreError> {
    let before = world.facts(tx, store, id)?.clone();
    if before.order.origin != intake.order.origin {
        return Ok(Err(IntakeFault::Clash { order: id }));
    }
    let mut order = with_ids(intake.order.clone(), Some(&before.order), ids, now_ms);
    anew::keep(tx, store, &before.order, &mut order, !intake.order.life.delivered.is_empty())?;
    if let Err(fault) = check_kept(&before, &order) {
        return Ok(Err(fault));
    }
    let known = world.refunds_of(tx, store, id)?;
    let news = match past::news(&known, &intake.refunds) {
        Ok(news) => news,
        Err(fault) => return Ok(Err(fault)),
    };
    let twins = twins::told_by_provider(&known, &news);
    // The platform's own clock moves with every refund; that alone is no change of ours.
    let same = Order { updated_ms: before.order.updated_ms, ..order.clone() } == *before.order;
    if same && news.is_empty() {
        world.put_document(tx, (store, id), Document::of(intake))?;
        return Ok(Ok(Taken { order: id, how: How::Unchanged }));
    }
    if same {
        order.updated_ms = before.order.updated_ms;
    }
    let mut balances = before.balances.clone();
    balances.fit(&order);
    let facts = Facts::new(Arc::new(order), balances);
    if let Err(fault) = check(&facts, news.iter().zip(twins.iter().copied())) {
        return Ok(Err(fault));
    }
    let postings = opening(Some(&before.order), &facts.order);
    world.put_order(
        store,
        facts,
        Some(Document::of(intake)),
        (ids.next(now_ms), Happening::OrderChanged, postings),
        now_ms,
    )?;
    world.tell_payments((store, id), &before.order);
    world.goods().sold(store, id);
    for (past, twin) in news.iter().zip(twins) {
        match twin {
            Some(twin) => replace(tx, world, (store, id), past, twin.id, ids, now_ms)?,
            None => {
                take_past(tx, world, (store, id), past, None, ids, now_ms)?;
            }
        }
    }
    Ok(Ok(Taken { order: id, how: How::Changed }))
}

/// Gives numbers to the order, its lines and payments; what was known keeps its own.
pub(crate) fn with_ids(mut order: Order, before: Option<&Order>, ids: &mut Ids, now_ms: i64) -> Order {
    order.id = before.map_or_else(|| ids.next(now_ms), |b| b.id);
    if let Some(before) = before {
        // It may have been found by our number, which is no id of the caller's.
        order.external_id.clone_from(&before.external_id);
        order.life = std::mem::take(&mut order.life).after(&before.life);
    }
    for (index, line) in order.lines.iter_mut().enumerate() {
        let same = before.and_then(|b| match &line.external_id {
            Some(external) => b.lines.iter().find(|l| l.external_id.as_ref() == Some(external)),
            None => b.lines.get(index).filter(|l| l.external_id.is_none()),
        });
        line.id = same.map_or_else(|| ids.next(now_ms), |l| l.id);
    }
    for (index, payment) in order.payments.iter_mut().enumerate() {
        let same = before.and_then(|b| match &payment.external_id {
            Some(external) => b.payments.iter().find(|p| p.external_id.as_ref() == Some(external)),
            None => b.payments.get(index).filter(|p| p.external_id.is_none()),
        });
        payment.id = same.map_or_else(|| ids.next(now_ms), |p| p.id);
    }
    order
}

/// Takes a refund in that an event has told of before: what that put into the books goes out, and this comes in under
/// the provider's name. Where the provider said since that it failed, so does this.
fn replace(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, Id),
    past: &PastRefund,
    heard: Id,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (heard, _) = world.refund(tx, store, heard)?.ok_or_else(missing_refund)?;
    let leg = heard.legs.first().ok_or_else(missing_refund)?;
    if let Ok(decision) = settle(world.facts(tx, store, order)?, &heard, 0, twins::replacement(past), now_ms) {
        let entry = ids.next(now_ms);
        world.apply(store, order, decision, false, entry, now_ms)?;
    }
    let told = take_past(tx, world, (store, order), past, Some(&leg.reference), ids, now_ms)?;
    if let LegState::Failed { code, message, .. } = leg.state.clone() {
        let failed = settle(world.facts(tx, store, order)?, &told, 0, News::Failed { code, message }, now_ms);
        let failed = failed.map_err(|_| StoreError::defect("a refund that came in can fail"))?;
        let entry = ids.next(now_ms);
        world.apply(store, order, failed, false, entry, now_ms)?;
    }
    Ok(())
}

/// What every order must keep, and what refunds made elsewhere must leave possible, each with the one that it takes the
/// place of. Runs on a copy; nothing is stored.
fn check<'r>(
    facts: &Facts,
    refunds: impl Iterator<Item = (&'r PastRefund, Option<&'r Refund>)>,
) -> Result<(), IntakeFault> {
    facts.order.validate().map_err(IntakeFault::Fault)?;
    let mut copy = facts.clone();
    let mut next = 0;
    for (index, (past, twin)) in refunds.enumerate() {
        if let Some(Ok(gone)) = twin.map(|twin| settle(&copy, twin, 0, twins::replacement(past), 0)) {
            copy.balances = gone.balances;
        }
        let field = format!("refunds[{index}]");
        fits(&copy, past).map_err(|reason| IntakeFault::Contradictory { field, reason })?;
        let refund = past_refund(&copy, past, None, 0, &mut || {
            next += 1;
            next
        });
        copy.balances = record(&copy, refund, 0).balances;
    }
    Ok(())
}

pub(crate) fn fits(facts: &Facts, past: &PastRefund) -> Result<(), String> {
    let order = &facts.order;
    // The same part may be listed several times, so each entry counts what the ones before it took.
    let mut parts: BTreeMap<usize, (Amount, Amount)> = BTreeMap::new();
    for (component, net, tax) in &past.allocations {
        if order.components.get(*component).is_none() || net.is_negative() || tax.is_negative() {
            return Err("it allocates to a part that the order does not have".to_owned());
        }
        let (net_left, tax_left) = facts.component_left(*component);
        let taken = parts.entry(*component).or_default();
        *taken = (taken.0 + *net, taken.1 + *tax);
        if taken.0 > net_left || taken.1 > tax_left {
            return Err("it gives back more of a part than was charged for it".to_owned());
        }
    }
    let mut payments: BTreeMap<usize, (Amount, Amount)> = BTreeMap::new();
    for (index, amount, own) in &past.legs {
        let payment = order.payments.get(*index).filter(|_| !amount.is_negative() && !own.is_negative());
        let Some(payment) = payment else { return Err("it names a payment that the order does not have".to_owned()) };
        if payment.own_currency == order.currency && own != amount {
            return Err("it gives back two different amounts in one currency".to_owned());
        }
        let taken = payments.entry(*index).or_default();
        *taken = (taken.0 + *amount, taken.1 + *own);
        if taken.0 > facts.payment_left(*index) || taken.1 > facts.payment_own_left(*index) {
            return Err("it gives back more through a payment than was captured by it".to_owned());
        }
    }
    let mut units: BTreeMap<(usize, Bucket), u32> = BTreeMap::new();
    for moved in &past.units {
        let taken = units.entry((moved.line, moved.bucket)).or_default();
        *taken = taken.saturating_add(moved.quantity);
        if moved.quantity == 0 || *taken > facts.units_left(moved.line, moved.bucket) {
            return Err("it takes back more units than were sold".to_owned());
        }
    }
    if past.legs.is_empty() {
        return Err("it names no payment".to_owned());
    }
    Ok(())
}

/// Books a refund that was made elsewhere, `named` so by the provider where that is known.
pub(crate) fn take_past(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, Id),
    past: &PastRefund,
    named: Option<&str>,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Arc<Refund>, StoreError> {
    let facts = world.facts(tx, store, order)?;
    let refund = past_refund(facts, past, named, now_ms, &mut || ids.next(now_ms));
    let decision = record(facts, refund, now_ms);
    let entry = ids.next(now_ms);
    Ok(world.apply(store, order, decision, true, entry, now_ms)?.0)
}

/// A refund that is over: every leg succeeded, outside of our gateways.
fn past_refund(
    facts: &Facts,
    past: &PastRefund,
    named: Option<&str>,
    now_ms: i64,
    next_id: &mut dyn FnMut() -> Id,
) -> Refund {
    let id = next_id();
    let legs: Vec<Leg> = past
        .legs
        .iter()
        .map(|(payment, amount, own_amount)| Leg {
            id: next_id(),
            payment: *payment,
            amount: *amount,
            own_amount: *own_amount,
            route: Route::Outside,
            state: LegState::Succeeded { at_ms: past.created_ms },
            reference: named.unwrap_or_default().to_owned(),
            named_channel: String::new(),
            gateway: String::new(),
            retried_by: None,
        })
        .collect();
    let amount: Amount = legs.iter().map(|leg| leg.amount).sum();
    let mut shadows = Shadows::of(facts);
    let allocations = past.allocations.iter().map(|a| past_allocation(facts, past, &mut shadows, *a));
    let allocations: Vec<Allocation> = allocations.collect();
    let allocated: Amount = allocations.iter().map(Allocation::gross).sum();
    let mut shadows = Shadows::of(facts);
    let units = past.units.iter().map(|units| UnitMove {
        line: units.line,
        bucket: units.bucket,
        returned_goods: false,
        quantity: units.quantity,
        net: units.net,
        tax: units.tax,
        discount: units.discount,
        shop: shadows.next(units.line, units.net, units.tax),
        restock: units.restock,
        location: String::new(),
        reopened: false,
    });
    let cap = legs.first().map_or(0, |leg| leg.payment);
    let left = facts.payment_left(cap) - legs.first().map_or(Amount::ZERO, |leg| leg.amount);
    Refund {
        id,
        external_id: past.external_id.clone(),
        order: facts.order.id,
        number: facts.balances.refunds.saturating_add(1),
        via: facts.order.origin,
        created_ms: past.created_ms,
        updated_ms: now_ms,
        processed_ms: None,
        note: past.note.clone(),
        reason: past.reason.clone(),
        notify: false,
        metadata: BTreeMap::new(),
        shape: Shape::Imported,
        amount,
        discrepancy: amount - allocated,
        allocations,
        units: units.collect(),
        legs,
        nearest_cap: Cap { by: CapKind::Payment(cap), left },
        retry_of: None,
    }
}

fn past_allocation(
    facts: &Facts,
    past: &PastRefund,
    shadows: &mut Shadows<'_>,
    (component, net, tax): (usize, Amount, Amount),
) -> Allocation {
    let units = past.units.iter().filter(|u| u.line == component).map(|u| u.quantity).sum();
    let is_goods = facts.order.components.get(component).is_some_and(|c| c.kind == ComponentKind::Goods);
    let why = match units {
        units if units > 0 && is_goods => Why::Units { taken: facts.units_refunded(component).all(), units },
        _ => Why::Imported,
    };
    let nothing = (Amount::ZERO, Amount::ZERO);
    let shop = shadows.next(component, net, tax);
    Allocation { component, net, tax, shop, returned: nothing, quantity: None, why, odd: Amount::ZERO }
}

/// Shop money of the parts of one refund: between running sums, so that the last refund takes the residue.
struct Shadows<'a> {
    facts: &'a Facts,
    taken: BTreeMap<usize, (Amount, Amount)>,
}

impl<'a> Shadows<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self { facts, taken: BTreeMap::new() }
    }

    fn next(&mut self, component: usize, net: Amount, tax: Amount) -> (Amount, Amount) {
        let Some(shop) = self.facts.order.shop else { return (Amount::ZERO, Amount::ZERO) };
        let held = self.facts.balances.components.get(component).copied().unwrap_or_default();
        let taken = self.taken.entry(component).or_default();
        let before = (held.net + taken.0, held.tax + taken.1);
        *taken = (taken.0 + net, taken.1 + tax);
        let at = |amount| shop.convert(amount, self.facts.order.currency);
        (at(before.0 + net) - at(before.0), at(before.1 + tax) - at(before.1))
    }
}

/// An order with refunds keeps what they stand on.
fn check_kept(before: &Facts, after: &Order) -> Result<(), IntakeFault> {
    if before.balances.refunds == 0 {
        return check_payments_kept(before, after);
    }
    let changed = |what: String| Err(IntakeFault::ChangesRefunded { what });
    if before.order.currency != after.currency || before.order.shop != after.shop {
        return changed("the order's currency".to_owned());
    }
    for (index, line) in before.order.lines.iter().enumerate() {
        let refunded = before.units_refunded(index);
        let touched = refunded.all() > 0 || !before.component_untouched(index);
        let kept = after.lines.get(index).is_some_and(|now| {
            let price = (now.quantity, now.unit_price, now.discount) == (line.quantity, line.unit_price, line.discount);
            let same = now.id == line.id && (!touched || price);
            let room = now.shipped >= refunded.shipped
                && now.quantity.saturating_sub(now.shipped).saturating_sub(now.cancelled) >= refunded.waiting;
            same && room
        });
        if !kept {
            return changed(format!("line {}", line.external_id.as_deref().unwrap_or(&line.sku)));
        }
    }
    for (index, component) in before.order.components.iter().enumerate() {
        let touched = !before.component_untouched(index);
        let now = after.components.get(index);
        let same_place =
            now.is_some_and(|now| (now.kind, now.line, &now.name) == (component.kind, component.line, &component.name));
        if !same_place || (touched && now != Some(component)) {
            return changed(component.kind.code().to_owned());
        }
    }
    check_payments_kept(before, after)
}

/// Payments stay, in their places; what one captured never falls below what went back through it.
fn check_payments_kept(before: &Facts, after: &Order) -> Result<(), IntakeFault> {
    for (index, payment) in before.order.payments.iter().enumerate() {
        let (_, paid) = before.payment(index);
        let contested = !paid.disputed.is_zero() || !paid.own_disputed.is_zero();
        if paid.held().is_zero() && !contested && before.balances.refunds == 0 {
            continue;
        }
        let pending = paid.pending.is_positive() || paid.own_pending.is_positive();
        let kept = after.payments.get(index).is_some_and(|now| {
            // A leg under way is asked about where it was sent: anybody else would say that it never was.
            let same_way = (&now.gateway, &now.reference) == (&payment.gateway, &payment.reference);
            now.id == payment.id
                && (!pending || same_way)
                && now.own_currency == payment.own_currency
                && now.captured >= paid.held()
                && now.own_captured >= paid.own_held()
        });
        if !kept {
            let what = format!("payment {}", payment.external_id.as_deref().unwrap_or(&payment.channel));
            return Err(IntakeFault::ChangesRefunded { what });
        }
    }
    Ok(())
}

/// Units were shipped.
pub(crate) fn fulfil(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    order: &Reference,
    units: &[(Reference, u32)],
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Arc<Order>, ChangeFault>, StoreError> {
    change(tx, world, (store, order), None, (ids, now_ms), |facts| {
        let waiting = |line: usize| facts.units_left(line, Bucket::Waiting);
        let mut order = Order::clone(&facts.order);
        if units.is_empty() {
            for (index, line) in order.lines.iter_mut().enumerate() {
                line.shipped = line.shipped.saturating_add(waiting(index));
            }
            return Ok(order);
        }
        for (reference, quantity) in units {
            let unknown = || ChangeFault::LineUnknown(reference.text.clone());
            let index = facts.order.find_line(reference).ok_or_else(unknown)?;
            let line = order.lines.get_mut(index).ok_or_else(unknown)?;
            let before = facts.order.lines.get(index).map_or(0, |l| l.shipped);
            let now = line.shipped.saturating_add(*quantity);
            if now.saturating_sub(before) > waiting(index) {
                return Err(ChangeFault::TooManyUnits { line: reference.text.clone(), waiting: waiting(index) });
            }
            line.shipped = now;
        }
        Ok(order)
    })
}

/// Another payment was captured.
pub(crate) fn add_payment(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    order: &Reference,
    (currency, payment): (Currency, &Payment),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Arc<Order>, ChangeFault>, StoreError> {
    let id = ids.next(now_ms);
    let mut before = None;
    let changed = change(tx, world, (store, order), None, (ids, now_ms), |facts| {
        before = Some(Arc::clone(&facts.order));
        let mut order = Order::clone(&facts.order);
        if currency != order.currency {
            let reason = format!("{currency} is not {}, the order's currency", order.currency);
            let field = "currency".to_owned();
            return Err(ChangeFault::Intake(IntakeFault::Contradictory { field, reason }));
        }
        order.payments.push(Payment { id, ..payment.clone() });
        Ok(order)
    })?;
    if let (Ok(order), Some(before)) = (&changed, before) {
        world.tell_payments((store, order.id), &before);
    }
    Ok(changed)
}

/// Folds a change of an order, and of the document that its dialect echoes (`None` leaves it), if the order keeps all
/// that refunds stand on. An order that was deleted is unknown.
pub(crate) fn change(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, &Reference),
    document: Option<Document<'_>>,
    (ids, now_ms): (&mut Ids, i64),
    edit: impl FnOnce(&Facts) -> Result<Order, ChangeFault>,
) -> Result<Result<Arc<Order>, ChangeFault>, StoreError> {
    let unknown = || ChangeFault::OrderUnknown(order.text.clone());
    let Some(id) = world.resolve(tx, store, order)? else { return Ok(Err(unknown())) };
    let before = world.facts(tx, store, id)?.clone();
    if before.order.life.deleted_ms.is_some() {
        return Ok(Err(unknown()));
    }
    let after = match edit(&before) {
        Ok(order) => Order { updated_ms: now_ms, ..order },
        Err(fault) => return Ok(Err(fault)),
    };
    let kept = after.validate().map_err(IntakeFault::Fault).and_then(|()| check_kept(&before, &after));
    if let Err(fault) = kept {
        return Ok(Err(ChangeFault::Intake(fault)));
    }
    let mut balances: Balances = before.balances.clone();
    balances.fit(&after);
    let postings = opening(Some(&before.order), &after);
    let entry = (ids.next(now_ms), Happening::OrderChanged, postings);
    world.put_order(store, Facts::new(Arc::new(after), balances), document, entry, now_ms)?;
    Ok(Ok(world.order(tx, store, id)?))
}
