//! One order of a data set, with the refunds that it already had: made from its number and the seed alone.
//!
//! Orders are compact but look like a shop's: one to four lines, tax inside or on top, sometimes shipping, a gift card
//! before the card. Only the quantities are a wholesaler's, so that no run of any length empties an order.

use refundry_core::balances::Facts;
use refundry_core::intake::{Intake, PastRefund, PastUnits};
use refundry_core::life::Life;
use refundry_core::money::{Amount, Currency, ratio};
use refundry_core::order::{Capture, Component, ComponentKind, Dialect, Line, Order, Payment, PaymentKind, Status};
use refundry_core::refund::{Bucket, Restock};
use refundry_core::terms::{Term, TermKind, Terms};

use super::Catalog;
use super::document::document;
use crate::bench::random::Random;

/// Lines of an order.
const LINES_MAX: u32 = 4;
/// Stock keeping units of the shop.
pub(in crate::bench) const SKUS: u32 = 4_000;
/// People who buy.
pub(in crate::bench) const CUSTOMERS: u32 = 20_000;
/// The oldest order, 2024-10-01, and how long orders and refunds are spread: two years. Fixed, so that a data set is
/// the same on every day.
pub(in crate::bench) const FIRST_MS: i64 = 1_727_740_800_000;
pub(in crate::bench) const SPAN_MS: i64 = 730 * DAY_MS;
pub(in crate::bench) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Refunds follow their order within so many days.
const REFUND_DAYS: i64 = 60;
/// Reasons, the commoner ones several times; the last is the rarest.
pub(in crate::bench) const REASONS: [&str; 20] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "damaged",
    "damaged",
    "damaged",
    "damaged",
    "wrong size",
    "wrong size",
    "wrong size",
    "not as described",
    "not as described",
    "changed mind",
    "changed mind",
    "late",
    "defective",
    "lost in transit",
];

/// How many lines an order has: known without making it, because the load needs only that.
pub(in crate::bench) fn lines_of(catalog: &Catalog, index: u32) -> u32 {
    1 + Random::new(catalog.size.seed, index).below(LINES_MAX)
}

/// How many refunds an order brings along. Neighbours share twice the average unevenly, so the sum over all orders is
/// exactly what was asked for.
pub(in crate::bench) fn refunds_of(catalog: &Catalog, index: u32) -> u32 {
    let (orders, refunds) = (u64::from(catalog.size.orders), u64::from(catalog.size.refunds));
    let up_to = |index: u64| refunds * index / orders;
    let even = |index: u64| up_to(index + 1) - up_to(index);
    let index = u64::from(index);
    let (left, right) = (index & !1, index | 1);
    if right >= orders {
        return u32::try_from(even(index)).unwrap_or(u32::MAX);
    }
    let both = u32::try_from(even(left) + even(right)).unwrap_or(u32::MAX);
    let pair = u32::try_from(left).unwrap_or(u32::MAX);
    let first = Random::new(catalog.size.seed ^ 0x5eed, pair).below(both.saturating_add(1));
    if index == left { first } else { both - first }
}

/// The name of a stock keeping unit; the first ones sell best.
pub(in crate::bench) fn sku(rank: u32) -> String {
    format!("SKU-{rank:04}")
}

/// The order with this index.
pub(in crate::bench) fn intake(catalog: &Catalog, index: u32) -> Intake {
    let mut random = Random::new(catalog.size.seed, index);
    let order = order(catalog, index, &mut random);
    let mut facts = Facts::fresh(order);
    let count = refunds_of(catalog, index);
    let mut times: Vec<i64> = (0..count).map(|_| refund_time(facts.order.created_ms, &mut random)).collect();
    times.sort_unstable();
    let refunds = (1..).zip(times).map(|(number, time)| past_refund(&mut facts, number, time, &mut random)).collect();
    let order = Order::clone(&facts.order);
    let document = document(&order).to_string();
    Intake { order, refunds, document, terms: terms(&mut random) }
}

/// What a platform's document would say of the buyer; drawn last, so that the rest stays as it was.
fn terms(random: &mut Random) -> Vec<Term> {
    let buyer = random.below(CUSTOMERS);
    let mut terms = Terms::default();
    terms.add(TermKind::Customer, &buyer.to_string());
    terms.add(TermKind::CustomerEmail, &format!("buyer-{buyer}@example.com"));
    terms.add_phrases(TermKind::Name, &format!("Buyer {buyer}"));
    if random.per_cent(10) {
        terms.add(TermKind::Tag, "vip");
    }
    terms.into_vec()
}

fn order(catalog: &Catalog, index: u32, random: &mut Random) -> Order {
    // The first draw, as `lines_of` knows.
    let count = 1 + random.below(LINES_MAX);
    let id = catalog.order_id(index);
    let taxes_included = random.per_cent(50);
    let shipped = random.per_cent(70);
    let lines: Vec<Line> = (0..count).map(|number| line(number, shipped, random)).collect();
    let tax_per_cent = [0, 7, 19, 21][random.below(4) as usize];
    let mut components = Vec::with_capacity(lines.len() + 1);
    for (place, line) in lines.iter().enumerate() {
        let price = Amount::minor(line.unit_price.get() * i64::from(line.quantity)) - line.discount;
        let (net, tax) = taxed(price, tax_per_cent, taxes_included);
        let name = String::new();
        components.push(Component { kind: ComponentKind::Goods, line: Some(place), name, net, tax });
    }
    if random.per_cent(60) {
        let (net, tax) = taxed(Amount::minor(490 + i64::from(random.below(1_000))), tax_per_cent, taxes_included);
        let name = String::new();
        components.push(Component { kind: ComponentKind::Shipping, line: None, name, net, tax });
    }
    let total = components.iter().map(Component::gross).sum();
    let created_ms = FIRST_MS + SPAN_MS * i64::from(index) / i64::from(catalog.size.orders.max(1));
    Order {
        id: 0,
        origin: Dialect::Native,
        number: format!("N{index:07}"),
        external_id: Some(id.clone()),
        currency: usd(),
        shop: None,
        taxes_included,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines,
        components,
        payments: payments(&id, total, random),
        created_ms,
        updated_ms: created_ms,
        test: false,
        life: Life::default(),
    }
}

fn line(number: u32, shipped: bool, random: &mut Random) -> Line {
    let rank = random.skewed(SKUS);
    let quantity = 1_000 + random.below(1_500);
    let unit_price = Amount::minor(499 + 100 * i64::from(random.below(120)));
    let price = unit_price.get() * i64::from(quantity);
    let discount = Amount::minor(if random.per_cent(25) { price / 20 } else { 0 });
    Line {
        id: 0,
        external_id: Some(line_id(number)),
        sku: sku(rank),
        title: format!("Thing number {rank}"),
        variant_title: ["Small", "Medium", "Large"][random.below(3) as usize].to_owned(),
        product_id: format!("p-{rank}"),
        variant_id: String::new(),
        location_id: String::new(),
        quantity,
        shipped: if shipped { quantity } else { 0 },
        unit_price,
        discount,
        cancelled: 0,
    }
}

/// How the lines of an order are called.
pub(in crate::bench) fn line_id(number: u32) -> String {
    format!("line-{number}")
}

/// Net and tax of a price that has the tax inside, or gets it on top.
fn taxed(price: Amount, per_cent: i128, included: bool) -> (Amount, Amount) {
    let base = if included { 100 + per_cent } else { 100 };
    let tax = ratio(price, per_cent, base);
    if included { (price - tax, tax) } else { (price, tax) }
}

/// A card, in a quarter of the orders behind a gift card.
fn payments(order: &str, total: Amount, random: &mut Random) -> Vec<Payment> {
    let gift = if random.per_cent(25) { Amount::minor(total.get() / 5) } else { Amount::ZERO };
    let mut payments = Vec::with_capacity(2);
    if gift.is_positive() {
        payments.push(payment(order, "gift_card", PaymentKind::GiftCard, gift));
    }
    payments.push(payment(order, "credit_card", PaymentKind::Online, total - gift));
    payments
}

fn payment(order: &str, method: &str, kind: PaymentKind, captured: Amount) -> Payment {
    Payment {
        id: 0,
        external_id: Some(method.replace('_', "-")),
        channel: method.to_owned(),
        method: method.to_owned(),
        kind,
        gateway: "simulated".to_owned(),
        reference: format!("sim_{order}_{method}"),
        account: String::new(),
        captured,
        own_currency: usd(),
        own_captured: captured,
    }
}

fn usd() -> Currency {
    Currency::parse("USD").expect("a currency of ISO 4217")
}

fn refund_time(order_ms: i64, random: &mut Random) -> i64 {
    let after = i64::from(random.below(1 << 30)) * (REFUND_DAYS * DAY_MS) / (1 << 30);
    (order_ms + after).min(FIRST_MS + SPAN_MS)
}

/// One or two units of one line, paid back as the next refund of these units would be.
fn past_refund(facts: &mut Facts, number: u32, created_ms: i64, random: &mut Random) -> PastRefund {
    let count = u32::try_from(facts.order.lines.len()).unwrap_or(1);
    let line = random.below(count) as usize;
    let quantity = 1 + random.below(2);
    let bucket = if facts.units_left(line, Bucket::Shipped) > 0 { Bucket::Shipped } else { Bucket::Waiting };
    let share = facts.next_units(line, quantity);
    // What the next refund of the line is worth depends on those before it.
    if let (Some(held), Some(units)) = (facts.balances.components.get_mut(line), facts.balances.lines.get_mut(line)) {
        held.net += share.net;
        held.tax += share.tax;
        let place = if bucket == Bucket::Shipped { &mut units.shipped } else { &mut units.waiting };
        *place = place.saturating_add(quantity);
    }
    let (net, tax, discount) = (share.net, share.tax, Amount::ZERO);
    let restock = if random.per_cent(50) { Restock::Return } else { Restock::No };
    let reason = REASONS[random.below(20) as usize].to_owned();
    let id = facts.order.external_id.clone().unwrap_or_default();
    PastRefund {
        external_id: Some(format!("{id}-r{number}")),
        created_ms,
        note: if random.per_cent(20) { "As agreed with the buyer".to_owned() } else { String::new() },
        reason,
        allocations: vec![(line, net, tax)],
        units: vec![PastUnits { line, bucket, quantity, net, tax, discount, restock }],
        legs: legs(facts, net + tax),
    }
}

/// The money through the payments in their order, as far as each goes.
fn legs(facts: &mut Facts, amount: Amount) -> Vec<(usize, Amount, Amount)> {
    let mut open = amount;
    let mut legs = Vec::with_capacity(1);
    for index in 0..facts.order.payments.len() {
        let part = open.min(facts.payment_left(index));
        if part.is_positive() {
            if let Some(paid) = facts.balances.payments.get_mut(index) {
                paid.succeeded += part;
                paid.own_succeeded += part;
            }
            legs.push((index, part, part));
            open -= part;
        }
    }
    legs
}
