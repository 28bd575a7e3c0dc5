//! How domain values are packed into text columns: JSON arrays in a fixed order, small and quick to read.
//!
//! Domain types are never serialised as they are: a change of theirs must not change what is stored without somebody
//! noticing. Each packed form is a tuple or struct here, and taking a value apart names every field of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::{Allocated, Balances, Facts, PaidBack, UnitsRefunded};
use refundry_core::journal::{Account, Posting};
use refundry_core::life::Life;
use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{
    Capture, Component, ComponentKind, Dialect, Id, Line, Order, Payment, PaymentKind, ShopMoney, Status,
};
use refundry_core::parcels::{Parcel, ParcelUnits, Track, Tracking};
use refundry_core::paying::{Card, Transaction};
use refundry_core::refund::{
    Allocation, Bucket, Cap, CapKind, Class, Leg, LegState, MetaValue, Refund, Restock, Route, Shape, UnitMove, Why,
};
use refundry_core::returns::{Return, ReturnLine, ReturnReason};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::StoreError;

mod details;

pub(crate) use details::{pack_detail, read_detail, transaction_of};

/// An order without what has columns of its own.
#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a packed form: each flag is an enum again as soon as it is read")]
struct PackedOrder {
    origin: String,
    currency: String,
    shop: Option<(String, String)>,
    included: bool,
    by_fulfilment: bool,
    cancelled: bool,
    disputed: bool,
    test: bool,
    lines: Vec<PackedLine>,
    components: Vec<PackedComponent>,
    payments: Vec<PackedPayment>,
    /// Left out where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    life: Option<PackedLife>,
    /// Of its life, too, and left out where it is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restocked: bool,
}

/// Placed, fulfilled, finished, cancelled, its reason, closed, deleted, units delivered, location.
type PackedLife =
    (Option<i64>, Option<i64>, Option<i64>, Option<i64>, String, Option<i64>, Option<i64>, Vec<u32>, Option<Id>);

type PackedLine = (Id, Option<String>, String, String, String, String, String, String, u32, u32, u32, i64, i64);
type PackedComponent = (String, Option<usize>, String, i64, i64);
type PackedPayment = (Id, Option<String>, String, String, String, String, String, String, i64, String, i64);

/// What has columns of its own beside the packed facts of an order.
pub(crate) struct OrderColumns {
    pub(crate) id: Id,
    pub(crate) external_id: Option<String>,
    pub(crate) number: String,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

impl OrderColumns {
    /// Whether an order has just these.
    pub(crate) fn are_of(&self, order: &Order) -> bool {
        let Self { id, external_id, number, created_ms, updated_ms } = self;
        (id, external_id, number) == (&order.id, &order.external_id, &order.number)
            && (created_ms, updated_ms) == (&order.created_ms, &order.updated_ms)
    }
}

pub(crate) fn pack_order(order: &Order) -> String {
    let packed = PackedOrder {
        origin: order.origin.code().to_owned(),
        currency: order.currency.code().to_owned(),
        shop: order.shop.map(|shop| (shop.currency.code().to_owned(), shop.rate.to_string())),
        included: order.taxes_included,
        by_fulfilment: order.capture == Capture::ByFulfilment,
        cancelled: order.status == Status::Cancelled,
        disputed: order.disputed,
        test: order.test,
        lines: order.lines.iter().map(pack_line).collect(),
        components: order.components.iter().map(pack_component).collect(),
        payments: order.payments.iter().map(pack_payment).collect(),
        life: pack_life(&order.life),
        restocked: order.life.restocked,
    };
    write(&packed)
}

pub(crate) fn read_order(columns: OrderColumns, facts: &str) -> Result<Order, StoreError> {
    let packed: PackedOrder = read("orders.facts", facts)?;
    let shop = packed.shop.map(|(code, rate)| {
        let rate = Decimal::parse(&rate).map_err(|_| broken("orders.facts", "a rate"))?;
        Ok::<_, StoreError>(ShopMoney { currency: currency(&code)?, rate })
    });
    let payments = packed.payments.into_iter().map(read_payment);
    Ok(Order {
        id: columns.id,
        origin: Dialect::parse(&packed.origin).ok_or_else(|| broken("orders.facts", "an origin"))?,
        external_id: columns.external_id,
        number: columns.number,
        currency: currency(&packed.currency)?,
        shop: shop.transpose()?,
        taxes_included: packed.included,
        capture: if packed.by_fulfilment { Capture::ByFulfilment } else { Capture::Whole },
        status: if packed.cancelled { Status::Cancelled } else { Status::Open },
        disputed: packed.disputed,
        lines: packed.lines.into_iter().map(read_line).collect(),
        components: packed.components.into_iter().map(read_component).collect::<Result<_, _>>()?,
        payments: payments.collect::<Result<_, _>>()?,
        created_ms: columns.created_ms,
        updated_ms: columns.updated_ms,
        test: packed.test,
        life: Life { restocked: packed.restocked, ..packed.life.map(read_life).unwrap_or_default() },
    })
}

fn pack_life(life: &Life) -> Option<PackedLife> {
    if *life == Life::default() {
        return None;
    }
    let Life { placed_ms, fulfilled_ms, finished_ms, cancelled_ms, cancel_reason, .. } = life.clone();
    // That units were put back stands beside it.
    let Life { closed_ms, deleted_ms, delivered, restocked: _, location, .. } = life.clone();
    let ends = (cancelled_ms, cancel_reason, closed_ms, deleted_ms);
    Some((placed_ms, fulfilled_ms, finished_ms, ends.0, ends.1, ends.2, ends.3, delivered, location))
}

fn read_life(packed: PackedLife) -> Life {
    let (placed_ms, fulfilled_ms, finished_ms, cancelled_ms, cancel_reason, closed_ms, deleted_ms, ..) = packed;
    Life {
        placed_ms,
        fulfilled_ms,
        finished_ms,
        cancelled_ms,
        cancel_reason,
        closed_ms,
        deleted_ms,
        delivered: packed.7,
        restocked: false,
        location: packed.8,
    }
}

fn pack_line(line: &Line) -> PackedLine {
    let Line { id, external_id, sku, title, variant_title, product_id, variant_id, location_id, .. } = line.clone();
    let Line { quantity, shipped, cancelled, unit_price, discount, .. } = *line;
    let money = (unit_price.get(), discount.get());
    (
        id,
        external_id,
        sku,
        title,
        variant_title,
        product_id,
        variant_id,
        location_id,
        quantity,
        shipped,
        cancelled,
        money.0,
        money.1,
    )
}

fn read_line(packed: PackedLine) -> Line {
    let (
        id,
        external_id,
        sku,
        title,
        variant_title,
        product_id,
        variant_id,
        location_id,
        quantity,
        shipped,
        cancelled,
        price,
        discount,
    ) = packed;
    Line {
        id,
        external_id,
        sku,
        title,
        variant_title,
        product_id,
        variant_id,
        location_id,
        quantity,
        shipped,
        cancelled,
        unit_price: Amount::minor(price),
        discount: Amount::minor(discount),
    }
}

fn pack_component(component: &Component) -> PackedComponent {
    let Component { kind, line, name, net, tax } = component;
    (kind.code().to_owned(), *line, name.clone(), net.get(), tax.get())
}

fn read_component((kind, line, name, net, tax): PackedComponent) -> Result<Component, StoreError> {
    let kind = ComponentKind::parse(&kind).ok_or_else(|| broken("orders.facts", "a component kind"))?;
    Ok(Component { kind, line, name, net: Amount::minor(net), tax: Amount::minor(tax) })
}

fn pack_payment(payment: &Payment) -> PackedPayment {
    let Payment { id, external_id, channel, method, kind, gateway, reference, account, .. } = payment.clone();
    let (own, captured) = (payment.own_currency.code().to_owned(), payment.captured.get());
    (
        id,
        external_id,
        channel,
        method,
        kind.code().to_owned(),
        gateway,
        reference,
        account,
        captured,
        own,
        payment.own_captured.get(),
    )
}

fn read_payment(packed: PackedPayment) -> Result<Payment, StoreError> {
    let (id, external_id, channel, method, kind, gateway, reference, account, captured, own, own_captured) = packed;
    Ok(Payment {
        id,
        external_id,
        channel,
        method,
        kind: PaymentKind::parse(&kind).ok_or_else(|| broken("orders.facts", "a payment kind"))?,
        gateway,
        reference,
        account,
        captured: Amount::minor(captured),
        own_currency: currency(&own)?,
        own_captured: Amount::minor(own_captured),
    })
}

/// Refunds, components (net, tax), lines (waiting, shipped), payments (pending, succeeded, own pending, own succeeded),
/// discrepancy, customized, updated, newest number.
type PackedBalances = (u32, Vec<(i64, i64)>, Vec<(u32, u32)>, Vec<(i64, i64, i64, i64)>, i64, bool, i64, Id);
/// The same of an order with disputes, and what they hold.
type DisputedBalances =
    (u32, Vec<(i64, i64)>, Vec<(u32, u32)>, Vec<(i64, i64, i64, i64)>, i64, bool, i64, Id, Vec<Holding>);
/// What disputes hold of a payment: which, in the order's currency, in its own.
type Holding = (usize, i64, i64);
/// Balances from before several processes could give numbers to one order: without the newest.
type OlderBalances = (u32, Vec<(i64, i64)>, Vec<(u32, u32)>, Vec<(i64, i64, i64, i64)>, i64, bool, i64);

pub(crate) fn pack_balances(balances: &Balances) -> String {
    let Balances { refunds, components, lines, payments, discrepancy, customized, updated_ms, newest } = balances;
    let paid = |p: &PaidBack| (p.pending.get(), p.succeeded.get(), p.own_pending.get(), p.own_succeeded.get());
    let packed: PackedBalances = (
        *refunds,
        components.iter().map(|c| (c.net.get(), c.tax.get())).collect(),
        lines.iter().map(|l| (l.waiting, l.shipped)).collect(),
        payments.iter().map(paid).collect(),
        discrepancy.get(),
        *customized,
        *updated_ms,
        *newest,
    );
    let held = payments.iter().enumerate().map(|(index, p)| (index, p.disputed.get(), p.own_disputed.get()));
    let held: Vec<_> = held.filter(|(_, amount, own)| (*amount, *own) != (0, 0)).collect();
    if held.is_empty() {
        return write(&packed);
    }
    let (refunds, components, lines, payments, discrepancy, customized, updated_ms, newest) = packed;
    let disputed: DisputedBalances =
        (refunds, components, lines, payments, discrepancy, customized, updated_ms, newest, held);
    write(&disputed)
}

/// An order and its sums, whole: platform's id, number, made, updated, facts, sums.
type PackedSnapshot<'a> = (Option<Cow<'a, str>>, Cow<'a, str>, i64, i64, Cow<'a, str>, Cow<'a, str>);

pub(crate) fn pack_snapshot(order: &Order, balances: &Balances) -> String {
    let packed: PackedSnapshot<'_> = (
        order.external_id.as_deref().map(Cow::Borrowed),
        Cow::Borrowed(&order.number),
        order.created_ms,
        order.updated_ms,
        pack_order(order).into(),
        pack_balances(balances).into(),
    );
    write(&packed)
}

pub(crate) fn read_snapshot(id: Id, snapshot: &str) -> Result<Facts, StoreError> {
    let (external_id, number, created_ms, updated_ms, facts, sums): PackedSnapshot<'static> =
        read("events.snapshot", snapshot)?;
    let (external_id, number) = (external_id.map(Cow::into_owned), number.into_owned());
    let order = read_order(OrderColumns { id, external_id, number, created_ms, updated_ms }, &facts)?;
    let mut balances = read_balances(&sums)?;
    balances.fit(&order);
    Ok(Facts::new(Arc::new(order), balances))
}

pub(crate) fn read_balances(sums: &str) -> Result<Balances, StoreError> {
    let (packed, held) = read_sums(sums)?;
    let (refunds, components, lines, payments, discrepancy, customized, updated_ms, newest) = packed;
    let paid = |(pending, succeeded, own_pending, own_succeeded)| PaidBack {
        pending: Amount::minor(pending),
        succeeded: Amount::minor(succeeded),
        own_pending: Amount::minor(own_pending),
        own_succeeded: Amount::minor(own_succeeded),
        ..PaidBack::default()
    };
    let allocated = |(net, tax)| Allocated { net: Amount::minor(net), tax: Amount::minor(tax) };
    let mut payments: Vec<PaidBack> = payments.into_iter().map(paid).collect();
    for (index, amount, own_amount) in held {
        let payment = payments.get_mut(index).ok_or_else(|| broken("balances.sums", "a payment of the order"))?;
        (payment.disputed, payment.own_disputed) = (Amount::minor(amount), Amount::minor(own_amount));
    }
    Ok(Balances {
        refunds,
        components: components.into_iter().map(allocated).collect(),
        lines: lines.into_iter().map(|(waiting, shipped)| UnitsRefunded { waiting, shipped }).collect(),
        payments,
        discrepancy: Amount::minor(discrepancy),
        customized,
        updated_ms,
        newest,
    })
}

/// The sums, and what disputes hold: most orders have none, and older ones not even the newest number.
fn read_sums(sums: &str) -> Result<(PackedBalances, Vec<Holding>), StoreError> {
    let error = match read::<PackedBalances>("balances.sums", sums) {
        Ok(packed) => return Ok((packed, Vec::new())),
        Err(error) => error,
    };
    if let Ok(disputed) = read::<DisputedBalances>("balances.sums", sums) {
        let (refunds, components, lines, payments, discrepancy, customized, updated_ms, newest, held) = disputed;
        return Ok(((refunds, components, lines, payments, discrepancy, customized, updated_ms, newest), held));
    }
    // One process gave all its numbers, and still ascends.
    let older = read::<OlderBalances>("balances.sums", sums).map_err(|_| error)?;
    let (refunds, components, lines, payments, discrepancy, customized, updated_ms) = older;
    Ok(((refunds, components, lines, payments, discrepancy, customized, updated_ms, 0), Vec::new()))
}

/// What never changes of a refund and has no column of its own.
#[derive(Serialize, Deserialize)]
struct PackedRefund {
    n: u32,
    via: String,
    processed: Option<i64>,
    note: String,
    notify: bool,
    shape: (String, Option<String>),
    amount: i64,
    discrepancy: i64,
    allocations: Vec<PackedAllocation>,
    units: Vec<PackedUnits>,
    legs: Vec<(Id, usize, i64, i64, bool, String)>,
    cap: (bool, usize, i64),
    /// The gateway of each leg, empty for that of the payment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    /// The refund that this one tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<Id>,
}

/// Component, net, tax, shop net, shop tax, quantity, rule, its two figures, odd.
type PackedAllocation = (usize, i64, i64, i64, i64, Option<u32>, String, u32, u32, i64);
/// Line, from shipped, returned goods, quantity, net, tax, discount, shop net, shop tax, restock, location.
type PackedUnits = (usize, bool, bool, u32, i64, i64, i64, i64, i64, String, String);

/// What changes of a refund: leg states (code, time, reference or code, text), what allocations got back, whether
/// units reopened.
#[derive(Serialize, Deserialize)]
struct PackedProgress {
    l: Vec<(String, i64, String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    r: Vec<(i64, i64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    o: bool,
    /// The refund that tries each leg again, 0 for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    t: Vec<Id>,
    /// The provider's ids of the refunds that failed, empty for all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    f: Vec<String>,
}

/// What has columns of its own beside the packed parts of a refund.
pub(crate) struct RefundColumns {
    pub(crate) id: Id,
    pub(crate) order_id: Id,
    pub(crate) external_id: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) reason: String,
}

pub(crate) fn pack_refund(refund: &Refund) -> String {
    let legs = refund.legs.iter().map(|leg| {
        let outside = leg.route == Route::Outside;
        (leg.id, leg.payment, leg.amount.get(), leg.own_amount.get(), outside, leg.named_channel.clone())
    });
    let cap = match refund.nearest_cap.by {
        CapKind::Component(index) => (false, index),
        CapKind::Payment(index) => (true, index),
    };
    let named = refund.legs.iter().map(|leg| &leg.gateway);
    let packed = PackedRefund {
        n: refund.number,
        via: refund.via.code().to_owned(),
        processed: refund.processed_ms,
        note: refund.note.clone(),
        notify: refund.notify,
        shape: pack_shape(refund.shape),
        amount: refund.amount.get(),
        discrepancy: refund.discrepancy.get(),
        allocations: refund.allocations.iter().map(pack_allocation).collect(),
        units: refund.units.iter().map(pack_units).collect(),
        legs: legs.collect(),
        cap: (cap.0, cap.1, refund.nearest_cap.left.get()),
        by: if named.clone().any(|gateway| !gateway.is_empty()) { named.cloned().collect() } else { Vec::new() },
        again: refund.retry_of,
    };
    write(&packed)
}

pub(crate) fn pack_progress(refund: &Refund) -> String {
    let returned: Vec<(i64, i64)> =
        refund.allocations.iter().map(|a| (a.returned.0.get(), a.returned.1.get())).collect();
    let nothing = returned.iter().all(|r| *r == (0, 0));
    let tried: Vec<Id> = refund.legs.iter().map(|leg| leg.retried_by.unwrap_or(0)).collect();
    let failed: Vec<String> = refund.legs.iter().map(name_of_failed).collect();
    let packed = PackedProgress {
        l: refund.legs.iter().map(pack_state).collect(),
        r: if nothing { Vec::new() } else { returned },
        o: refund.units.iter().any(|u| u.reopened),
        t: if tried.iter().all(|id| *id == 0) { Vec::new() } else { tried },
        f: if failed.iter().all(String::is_empty) { Vec::new() } else { failed },
    };
    write(&packed)
}

pub(crate) fn read_refund(
    columns: RefundColumns,
    metadata: &str,
    body: &str,
    progress: &str,
) -> Result<Refund, StoreError> {
    let packed: PackedRefund = read("refunds.body", body)?;
    let progress: PackedProgress = read("refunds.legs", progress)?;
    if progress.l.len() != packed.legs.len() {
        return Err(broken("refunds.legs", "one state a leg"));
    }
    let mut gateways = packed.by.into_iter();
    let mut tried = progress.t.into_iter();
    let mut failed = progress.f.into_iter();
    let legs = packed.legs.into_iter().zip(progress.l).map(|(leg, state)| {
        let gateway = gateways.next().unwrap_or_default();
        let retried_by = tried.next().filter(|id| *id != 0);
        let failed_name = failed.next().unwrap_or_default();
        let (id, payment, amount, own_amount, outside, named_channel) = leg;
        let route = if outside { Route::Outside } else { Route::Original };
        let (amount, own_amount) = (Amount::minor(amount), Amount::minor(own_amount));
        let (state, name) = read_state(state)?;
        let reference = name.unwrap_or(failed_name);
        Ok(Leg { id, payment, amount, own_amount, route, gateway, state, reference, named_channel, retried_by })
    });
    let mut returned = progress.r.into_iter();
    let allocations = packed.allocations.into_iter().map(|a| read_allocation(a, returned.next().unwrap_or((0, 0))));
    let units = packed.units.into_iter().map(|u| read_units(u, progress.o));
    let (by_payment, index, left) = packed.cap;
    let by = if by_payment { CapKind::Payment(index) } else { CapKind::Component(index) };
    Ok(Refund {
        id: columns.id,
        external_id: columns.external_id,
        order: columns.order_id,
        number: packed.n,
        via: Dialect::parse(&packed.via).ok_or_else(|| broken("refunds.body", "a dialect"))?,
        created_ms: columns.created_ms,
        updated_ms: columns.updated_ms,
        processed_ms: packed.processed,
        note: packed.note,
        reason: columns.reason,
        notify: packed.notify,
        metadata: read_metadata(metadata)?,
        shape: read_shape(&packed.shape)?,
        amount: Amount::minor(packed.amount),
        discrepancy: Amount::minor(packed.discrepancy),
        allocations: allocations.collect::<Result<_, _>>()?,
        units: units.collect::<Result<_, _>>()?,
        legs: legs.collect::<Result<_, StoreError>>()?,
        nearest_cap: Cap { by, left: Amount::minor(left) },
        retry_of: packed.again,
    })
}

fn pack_allocation(allocation: &Allocation) -> PackedAllocation {
    let Allocation { component, net, tax, shop, returned: _, quantity, why, odd } = *allocation;
    let (first, second) = match why {
        Why::Units { taken, units } => (taken, units),
        Why::Stated | Why::ProRata | Why::FeesLast | Why::Remaining | Why::Percent | Why::Imported => (0, 0),
    };
    let shop = (shop.0.get(), shop.1.get());
    let why = why.code().to_owned();
    (component, net.get(), tax.get(), shop.0, shop.1, quantity, why, first, second, odd.get())
}

fn read_allocation(packed: PackedAllocation, returned: (i64, i64)) -> Result<Allocation, StoreError> {
    let (component, net, tax, shop_net, shop_tax, quantity, why, taken, units, odd) = packed;
    let plain = [Why::Stated, Why::ProRata, Why::FeesLast, Why::Remaining, Why::Percent, Why::Imported];
    let counted = Why::Units { taken, units };
    let why = std::iter::once(counted).chain(plain).find(|w| w.code() == why);
    Ok(Allocation {
        component,
        net: Amount::minor(net),
        tax: Amount::minor(tax),
        shop: (Amount::minor(shop_net), Amount::minor(shop_tax)),
        returned: (Amount::minor(returned.0), Amount::minor(returned.1)),
        quantity,
        why: why.ok_or_else(|| broken("refunds.body", "a rule"))?,
        odd: Amount::minor(odd),
    })
}

fn pack_units(units: &UnitMove) -> PackedUnits {
    let UnitMove { line, bucket, returned_goods, quantity, net, tax, discount, shop, .. } = *units;
    (
        line,
        bucket == Bucket::Shipped,
        returned_goods,
        quantity,
        net.get(),
        tax.get(),
        discount.get(),
        shop.0.get(),
        shop.1.get(),
        units.restock.code().to_owned(),
        units.location.clone(),
    )
}

fn read_units(packed: PackedUnits, reopened: bool) -> Result<UnitMove, StoreError> {
    let (line, shipped, returned_goods, quantity, net, tax, discount, shop_net, shop_tax, restock, location) = packed;
    Ok(UnitMove {
        line,
        bucket: if shipped { Bucket::Shipped } else { Bucket::Waiting },
        returned_goods,
        quantity,
        net: Amount::minor(net),
        tax: Amount::minor(tax),
        discount: Amount::minor(discount),
        shop: (Amount::minor(shop_net), Amount::minor(shop_tax)),
        restock: Restock::parse(&restock).ok_or_else(|| broken("refunds.body", "a restock rule"))?,
        location,
        reopened,
    })
}

fn pack_shape(shape: Shape) -> (String, Option<String>) {
    let code = match shape {
        Shape::Parts => "parts",
        Shape::Lines => "lines",
        Shape::Amount(_) => "amount",
        Shape::Percent(_) => "percent",
        Shape::Items => "items",
        Shape::Everything => "everything",
        Shape::Imported => "imported",
    };
    (code.to_owned(), shape.class().map(|class| class.code().to_owned()))
}

fn read_shape((code, class): &(String, Option<String>)) -> Result<Shape, StoreError> {
    let class = class.as_deref().map(|c| Class::parse(c).ok_or_else(|| broken("refunds.body", "a component type")));
    let class = class.transpose()?;
    match code.as_str() {
        "parts" => Ok(Shape::Parts),
        "lines" => Ok(Shape::Lines),
        "amount" => Ok(Shape::Amount(class)),
        "percent" => Ok(Shape::Percent(class)),
        "items" => Ok(Shape::Items),
        "everything" => Ok(Shape::Everything),
        "imported" => Ok(Shape::Imported),
        _ => Err(broken("refunds.body", "a shape")),
    }
}

/// Code, time, and two texts: the provider's id of the refund and a reason; of a failure its code and message, whose
/// provider's id stands in a list of its own.
fn pack_state(leg: &Leg) -> (String, i64, String, String) {
    let (code, reference) = (leg.state.code().to_owned(), leg.reference.clone());
    match leg.state.clone() {
        LegState::Waiting | LegState::Sent => (code, 0, reference, String::new()),
        LegState::InDoubt { reason } | LegState::Parked { reason } => (code, 0, reference, reason),
        LegState::Succeeded { at_ms } => (code, at_ms, reference, String::new()),
        LegState::Failed { at_ms, code: failure, message } => (code, at_ms, failure, message),
    }
}

fn name_of_failed(leg: &Leg) -> String {
    if matches!(leg.state, LegState::Failed { .. }) { leg.reference.clone() } else { String::new() }
}

/// The state, and the provider's id of the refund unless it failed.
fn read_state(
    (code, at_ms, first, second): (String, i64, String, String),
) -> Result<(LegState, Option<String>), StoreError> {
    let state = match code.as_str() {
        "waiting" => LegState::Waiting,
        "sent" => LegState::Sent,
        "in_doubt" => LegState::InDoubt { reason: second },
        "succeeded" => LegState::Succeeded { at_ms },
        "failed" => return Ok((LegState::Failed { at_ms, code: first, message: second }, None)),
        "parked" => LegState::Parked { reason: second },
        _ => return Err(broken("refunds.legs", "a leg state")),
    };
    Ok((state, Some(first)))
}

/// Kind (`t`, `n`, `b`) and text of each value; an empty text column stands for no metadata.
pub(crate) fn pack_metadata(metadata: &BTreeMap<String, MetaValue>) -> String {
    if metadata.is_empty() {
        return String::new();
    }
    let pack = |value: &MetaValue| match value {
        MetaValue::Text(text) => ("t".to_owned(), text.clone()),
        MetaValue::Number(text) => ("n".to_owned(), text.clone()),
        MetaValue::Bool(flag) => ("b".to_owned(), flag.to_string()),
    };
    write(&metadata.iter().map(|(key, value)| (key, pack(value))).collect::<BTreeMap<_, _>>())
}

fn read_metadata(packed: &str) -> Result<BTreeMap<String, MetaValue>, StoreError> {
    if packed.is_empty() {
        return Ok(BTreeMap::new());
    }
    let pairs: BTreeMap<String, (String, String)> = read("refunds.metadata", packed)?;
    let value = |(kind, text): (String, String)| match kind.as_str() {
        "t" => Ok(MetaValue::Text(text)),
        "n" => Ok(MetaValue::Number(text)),
        "b" => Ok(MetaValue::Bool(text == "true")),
        _ => Err(broken("refunds.metadata", "a value")),
    };
    pairs.into_iter().map(|(key, packed)| Ok((key, value(packed)?))).collect()
}

pub(crate) fn pack_postings(postings: &[Posting]) -> String {
    write(&postings.iter().map(|p| (p.account.to_string(), p.amount.get())).collect::<Vec<_>>())
}

pub(crate) fn read_postings(packed: &str) -> Result<Vec<Posting>, StoreError> {
    let postings: Vec<(String, i64)> = read("journal.postings", packed)?;
    let posting = |(account, amount): (String, i64)| {
        let account = Account::parse(&account).ok_or_else(|| broken("journal.postings", "an account"))?;
        Ok(Posting { account, amount: Amount::minor(amount) })
    };
    postings.into_iter().map(posting).collect()
}

/// Line and units of each line; number, company, its code and address of each track; telephone number.
type PackedParcel = (Vec<(Id, u32)>, Vec<(String, String, String, String)>, String);

pub(crate) fn pack_parcel(parcel: &Parcel) -> String {
    let units: Vec<(Id, u32)> = parcel.units.iter().map(|units| (units.line, units.quantity)).collect();
    let track = |track: &Track| {
        let Track { number, company, company_code, url } = track.clone();
        (number, company, company_code, url)
    };
    let packed: PackedParcel =
        (units, parcel.tracking.tracks.iter().map(track).collect(), parcel.tracking.phone.clone());
    write(&packed)
}

pub(crate) fn read_parcel(packed: &str) -> Result<(Vec<ParcelUnits>, Tracking), StoreError> {
    let (units, tracks, phone): PackedParcel = read("parcels.body", packed)?;
    let units = units.into_iter().map(|(line, quantity)| ParcelUnits { line, quantity });
    let track = |(number, company, company_code, url)| Track { number, company, company_code, url };
    Ok((units.collect(), Tracking { tracks: tracks.into_iter().map(track).collect(), phone }))
}

/// Channel, name, the provider's id, message and error code; whether it was a test; number, month, year, first and
/// last name and both answers of a card, left out where nothing is known of one; and when it changed, where that was
/// not when it was made.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PackedTransaction {
    Changed([String; 5], bool, Option<[String; 7]>, i64),
    AsMade([String; 5], bool, Option<[String; 7]>),
}

pub(crate) fn pack_transaction(transaction: &Transaction) -> String {
    let Transaction { channel, name, trade_id, message, error_code, test, card, created_ms, updated_ms, .. } =
        transaction.clone();
    let Card { number, month, year, first_name, last_name, avs, cvv } = card;
    let card = [number, month, year, first_name, last_name, avs, cvv];
    let card = Some(card).filter(|texts| texts.iter().any(|text| !text.is_empty()));
    let texts = [channel, name, trade_id, message, error_code];
    write(&if updated_ms == created_ms {
        PackedTransaction::AsMade(texts, test, card)
    } else {
        PackedTransaction::Changed(texts, test, card, updated_ms)
    })
}

/// What [`pack_transaction`] packs of a transaction; when it changed is `None` where that was when it was made.
pub(crate) fn read_transaction(packed: &str) -> Result<([String; 5], bool, Card, Option<i64>), StoreError> {
    let (texts, test, card, updated_ms) = match read("transactions.body", packed)? {
        PackedTransaction::Changed(texts, test, card, updated_ms) => (texts, test, card, Some(updated_ms)),
        PackedTransaction::AsMade(texts, test, card) => (texts, test, card, None),
    };
    let [number, month, year, first_name, last_name, avs, cvv] = card.unwrap_or_default();
    Ok((texts, test, Card { number, month, year, first_name, last_name, avs, cvv }, updated_ms))
}

/// A return without what has columns of its own.
#[derive(Serialize, Deserialize)]
struct PackedReturn {
    reason: String,
    notify: bool,
    processed: Option<i64>,
    lines: Vec<PackedReturnLine>,
}

/// Number, parcel, line, units, reason (empty for none), note.
type PackedReturnLine = (Id, Option<Id>, Id, u32, String, String);

pub(crate) fn pack_return(back: &Return) -> String {
    let line = |line: &ReturnLine| {
        let ReturnLine { id, parcel, line, quantity, reason, note } = line.clone();
        (id, parcel, line, quantity, reason.map_or("", ReturnReason::code).to_owned(), note)
    };
    write(&PackedReturn {
        reason: back.reason.clone(),
        notify: back.notify,
        processed: back.processed_ms,
        lines: back.lines.iter().map(line).collect(),
    })
}

/// Adds what is packed to a return that has what its columns say.
pub(crate) fn read_return(back: &mut Return, packed: &str) -> Result<(), StoreError> {
    let PackedReturn { reason, notify, processed, lines } = read("returns.body", packed)?;
    let line = |(id, parcel, line, quantity, reason, note): PackedReturnLine| {
        let reason = match reason.as_str() {
            "" => None,
            code => Some(ReturnReason::parse(code).ok_or_else(|| broken("returns.body", "a reason"))?),
        };
        Ok(ReturnLine { id, parcel, line, quantity, reason, note })
    };
    back.lines = lines.into_iter().map(line).collect::<Result<_, StoreError>>()?;
    (back.reason, back.notify, back.processed_ms) = (reason, notify, processed);
    Ok(())
}

fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("packed forms have text keys only")
}

fn read<T: DeserializeOwned>(column: &'static str, packed: &str) -> Result<T, StoreError> {
    serde_json::from_str(packed).map_err(|error| StoreError::defect(format!("{column} cannot be read: {error}")))
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code).ok_or_else(|| broken("a packed column", "a currency"))
}

fn broken(column: &str, wanted: &str) -> StoreError {
    StoreError::defect(format!("{column} should hold {wanted}"))
}
