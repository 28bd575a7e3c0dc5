//! Builds the order of a worked case: discounts by largest remainder, taxes per line half up or shared out over the
//! order. This is what an intake does; the rules under test only ever see the frozen figures.

use std::collections::BTreeMap;

use serde_json::Value;

use super::book::Book;
use super::world::{component, dec, line, order, part, pay};
use crate::money::{Amount, Currency, Decimal, ratio, split};
use crate::order::{ComponentKind, Order};
use crate::refund::{Allocation, Bucket, Leg, LegState, Refund, Restock, Route, Shape, UnitMove, Why};

/// A case's order, and what only the test needs of it.
pub(crate) struct Sold {
    pub(crate) order: Order,
    /// Tax rate of each component, where it was taxed by rate.
    pub(crate) rates: BTreeMap<usize, String>,
    /// Units and their tax that went back before, per line.
    pub(crate) before: Vec<(usize, u32, Amount)>,
}

/// A line or shipment before its tax is known.
struct Priced {
    /// After discounts; with tax inside where prices include it.
    price: Amount,
    discount: Amount,
    rate: Option<Decimal>,
    included: bool,
    /// Stated rather than worked out by rate.
    tax: Option<Amount>,
}

pub(crate) fn sell(case: &Value) -> Sold {
    let facts = &case["order"];
    let mut sold = Sold { order: order(text(&case["currency"])), rates: BTreeMap::new(), before: Vec::new() };
    let currency = sold.order.currency;
    let lines = price_lines(facts, currency);
    let net_taxes = taxes(&lines, facts, currency);
    for (index, ((priced, (net, tax)), stated)) in lines.iter().zip(net_taxes).zip(list(&facts["lines"])).enumerate() {
        line(&mut sold.order, text(&stated["id"]), quantity(stated), net.get(), tax.get());
        sold.order.lines[index].discount = priced.discount;
        sold.order.taxes_included |= priced.included;
        if stated["refunded_qty"].is_u64() {
            let units = u32::try_from(stated["refunded_qty"].as_u64().expect("units")).expect("few");
            sold.before.push((index, units, money(&stated["refunded_tax"], currency)));
        }
    }
    sell_plain(case, &mut sold.order);
    let shipments: Vec<Priced> = list(&facts["shipping"]).iter().map(|s| price_shipping(s, currency)).collect();
    for (priced, (net, tax)) in shipments.iter().zip(taxes(&shipments, &Value::Null, currency)) {
        part(&mut sold.order, ComponentKind::Shipping, None, net.get(), tax.get());
        sold.order.taxes_included |= priced.included;
    }
    sell_others(case, &mut sold.order);
    for (index, stated) in list(&facts["lines"]).iter().enumerate() {
        remember_rate(&mut sold.rates, index, stated);
    }
    for (index, stated) in list(&facts["shipping"]).iter().enumerate() {
        remember_rate(&mut sold.rates, sold.order.lines.len() + index, stated);
    }
    check_totals(facts, &sold.order);
    capture(facts, &mut sold.order);
    sold
}

/// Opens the books, with what went back before.
pub(crate) fn open(sold: &Sold) -> Book {
    let mut book = Book::open(sold.order.clone());
    for (line, units, tax) in &sold.before {
        let goods = sold.order.goods(*line);
        let net = ratio(goods.net, i128::from(*units), i128::from(sold.order.lines[*line].quantity));
        book.import(past(&book, *line, *units, net, *tax));
    }
    book
}

fn past(book: &Book, line: usize, quantity: u32, net: Amount, tax: Amount) -> Refund {
    let none = (Amount::ZERO, Amount::ZERO);
    let discount = Amount::ZERO;
    let (restock, location) = (Restock::No, String::new());
    let bucket = Bucket::Waiting;
    let returned_goods = false;
    let units = UnitMove {
        line,
        bucket,
        returned_goods,
        quantity,
        net,
        tax,
        discount,
        shop: none,
        restock,
        location,
        reopened: false,
    };
    let (odd, why) = (Amount::ZERO, Why::Imported);
    let allocation = Allocation { component: line, net, tax, shop: none, returned: none, quantity: None, why, odd };
    let (amount, own_amount) = (net + tax, net + tax);
    let state = LegState::Succeeded { at_ms: 1 };
    let leg = Leg {
        id: 2,
        payment: 0,
        amount,
        own_amount,
        route: Route::Outside,
        state,
        reference: String::new(),
        named_channel: String::new(),
        gateway: String::new(),
        retried_by: None,
    };
    let mut elsewhere = Book::open(Order::clone(&book.facts.order));
    elsewhere.ask_for(crate::command::Ask::Everything).expect("a refund to start from");
    Refund {
        shape: Shape::Imported,
        amount,
        discrepancy: Amount::ZERO,
        allocations: vec![allocation],
        units: vec![units],
        legs: vec![leg],
        ..elsewhere.refunds[0].clone()
    }
}

fn price_lines(facts: &Value, currency: Currency) -> Vec<Priced> {
    let lines = list(&facts["lines"]);
    let by_unit = facts["rounding"] == "unit";
    let gross: Vec<Amount> = lines.iter().map(|l| unit_price(l, currency).times_units(quantity(l))).collect();
    let shares = split(money_or_zero(&facts["order_discount"], currency), &gross);
    let priced = lines.iter().zip(gross).zip(shares).map(|((stated, gross), share)| {
        let mut discount = share + money_or_zero(&stated["order_discount_share"], currency);
        discount += money_or_zero(&stated["line_discount"], currency);
        for percent in ["line_discount_percent", "order_discount_percent"] {
            let Some(percent) = stated[percent].as_str() else { continue };
            discount += if by_unit {
                let unit = unit_price(stated, currency);
                let rest = unit_after(unit, dec(percent));
                (unit - rest).times_units(quantity(stated))
            } else {
                // Rounded half up on what is left to pay, as the shops do.
                gross - unit_after(gross, dec(percent))
            };
        }
        let tax = ["tax", "invoiced_tax"].into_iter().find_map(|key| stated[key].as_str());
        let rate = stated["tax_rate"].as_str().map(dec);
        let included = stated["tax_included"] == true;
        let tax = tax.map(|tax| dec(tax).to_minor(currency).expect("an amount"));
        Priced { price: gross - discount, discount, rate, included, tax }
    });
    priced.collect()
}

/// What is left of a price after so many percent.
fn unit_after(price: Amount, percent: Decimal) -> Amount {
    let (mantissa, scale) = percent.parts();
    let whole = 100 * 10_i128.pow(scale);
    ratio(price, whole - mantissa, whole)
}

fn price_shipping(stated: &Value, currency: Currency) -> Priced {
    let discount = money_or_zero(&stated["discount"], currency);
    Priced {
        price: money(&stated["price"], currency) - discount,
        discount,
        rate: stated["tax_rate"].as_str().map(dec),
        included: stated["tax_included"] == true,
        tax: stated["tax"].as_str().map(|tax| dec(tax).to_minor(currency).expect("an amount")),
    }
}

/// Net and tax of each.
fn taxes(priced: &[Priced], facts: &Value, currency: Currency) -> Vec<(Amount, Amount)> {
    if facts["tax_rounding"] == "order" {
        // The weight of a line is its exact tax.
        let exact = |p: &Priced| {
            Amount::minor(p.price.get() * i64::try_from(p.rate.map_or(0, |r| r.parts().0)).expect("small"))
        };
        let shares = split(money(&facts["tax_total"], currency), &priced.iter().map(exact).collect::<Vec<_>>());
        return priced.iter().map(|p| p.price).zip(shares).collect();
    }
    let one = |p: &Priced| match (p.tax, p.rate) {
        (Some(tax), _) => (p.price, tax),
        (None, None) => (p.price, Amount::ZERO),
        (None, Some(rate)) if p.included => {
            let (mantissa, scale) = rate.parts();
            let tax = ratio(p.price, mantissa, 10_i128.pow(scale) + mantissa);
            (p.price - tax, tax)
        }
        (None, Some(rate)) => (p.price, rate.of_amount(p.price, 0)),
    };
    priced.iter().map(one).collect()
}

/// Orders of which only a sum is known: one line of that sum.
fn sell_plain(case: &Value, order: &mut Order) {
    let (facts, currency) = (&case["order"], order.currency);
    if facts["subtotal_minor"].is_i64() {
        let (subtotal, tax) = (int(&facts["subtotal_minor"]), int(&facts["tax_minor"]));
        let net = if facts["tax_mode"] == "inclusive" { subtotal - tax } else { subtotal };
        line(order, "order", 1, net, tax);
    } else if facts["split"].is_object() {
        let seller = text(&case["request"]["order"]);
        line(order, "order", 1, money(&facts["split"][seller], currency).get(), 0);
    } else if facts["captured"].is_string() {
        line(order, "order", 1, money(&facts["captured"], currency).get(), 0);
    } else if facts["paid_minor"].is_i64() {
        line(order, "order", 1, int(&facts["paid_minor"]), 0);
    } else if facts["lines"].is_null() && facts["payments"].is_array() {
        let paid: Amount = list(&facts["payments"]).iter().map(|p| money(&p["paid"], currency)).sum();
        line(order, "order", 1, paid.get(), 0);
    }
    for (index, item) in list(&facts["invoice_items"]).iter().enumerate() {
        line(order, &(index + 1).to_string(), 1, money(item, currency).get(), 0);
    }
    for (index, item) in list(&case["request"]["precise_items"]).iter().enumerate() {
        let above = dec(text(item)).to_minor_half_up(currency).expect("an amount") + Amount::minor(1);
        line(order, &format!("item{index}"), 1, above.get(), 0);
    }
    if facts["payment_remaining"].is_string() {
        let shipping: Amount = list(&facts["shipping"]).iter().map(|s| money(&s["price"], currency)).sum();
        line(order, "rest", 1, (money(&facts["payment_remaining"], currency) - shipping).get(), 0);
    }
}

/// Parts beside goods and shipments.
fn sell_others(case: &Value, order: &mut Order) {
    let (facts, currency) = (&case["order"], order.currency);
    if facts["shipping_tax"].is_string() {
        part(order, ComponentKind::Shipping, None, 0, money(&facts["shipping_tax"], currency).get());
    }
    if facts["applied_balance_minor"].is_i64() {
        part(order, ComponentKind::Additional, None, int(&facts["applied_balance_minor"]), 0);
    }
    if facts["other_tax_in_refund"].is_string() {
        let tax = money(&facts["other_tax_in_refund"], currency);
        let goods: Amount = list(&case["request"]["lines"])
            .iter()
            .map(|asked| {
                let of_line = list(&facts["lines"]).iter().find(|l| l["id"] == asked["line"]).expect("a line");
                unit_price(of_line, currency).times_units(quantity(asked))
            })
            .sum();
        let others = facts["grand_before"].as_str().map(|before| dec(before).to_minor(currency).expect("an amount"));
        let net = others.map_or(Amount::ZERO, |before| before - goods - tax);
        order.components.push(component(ComponentKind::Additional, None, net.get(), tax.get()));
    }
}

/// The case's own sums must agree with what was built.
fn check_totals(facts: &Value, order: &Order) {
    let sum = |of: fn(&crate::order::Component) -> Amount| order.components.iter().map(of).sum::<Amount>();
    for (key, built) in [("total", order.charged()), ("tax_total", sum(|c| c.tax)), ("net", sum(|c| c.net))] {
        if facts[key].is_string() && !facts["captured"].is_string() {
            assert_eq!(money(&facts[key], order.currency), built, "{key} of the order");
        }
    }
}

fn capture(facts: &Value, order: &mut Order) {
    let currency = order.currency;
    let mut rest = order.charged();
    for payment in list(&facts["payments"]) {
        let paid = if payment["paid"] == "rest" { rest } else { money(&payment["paid"], currency) };
        rest -= paid;
        pay(order, text(&payment["id"]), paid.get());
    }
    if !order.payments.is_empty() {
        return;
    }
    let paid = match (&facts["paid"], &facts["paid_minor"]) {
        (Value::String(paid), _) => dec(paid).to_minor(currency).expect("an amount"),
        (_, Value::Number(_)) => Amount::minor(int(&facts["paid_minor"])),
        _ => order.charged(),
    };
    pay(order, "card", paid.get());
}

fn remember_rate(rates: &mut BTreeMap<usize, String>, component: usize, stated: &Value) {
    if let Some(rate) = stated["tax_rate"].as_str() {
        rates.insert(component, rate.to_owned());
    }
}

fn unit_price(stated: &Value, currency: Currency) -> Amount {
    if stated["unit_price"] == "any" { Amount::minor(100) } else { money(&stated["unit_price"], currency) }
}

/// Units of a line; of an order that was invoiced in part, those invoiced.
pub(crate) fn quantity(stated: &Value) -> u32 {
    let invoiced = stated["invoiced_qty"].as_u64();
    u32::try_from(invoiced.or(stated["quantity"].as_u64()).expect("a quantity")).expect("few units")
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[track_caller]
pub(crate) fn int(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}

#[track_caller]
pub(crate) fn money(value: &Value, currency: Currency) -> Amount {
    dec(text(value)).to_minor(currency).expect("an amount")
}

fn money_or_zero(value: &Value, currency: Currency) -> Amount {
    if value.is_null() { Amount::ZERO } else { money(value, currency) }
}

trait TimesUnits {
    fn times_units(self, units: u32) -> Self;
}

impl TimesUnits for Amount {
    fn times_units(self, units: u32) -> Self {
        Self::minor(self.get() * i64::from(units))
    }
}
