//! Orders to try the rules on, built in a line or two.

use crate::balances::Facts;
use crate::command::{Ask, RefundRequest};
use crate::life::Life;
use crate::money::{Amount, Currency, Decimal};
use crate::order::{Capture, Component, ComponentKind, Dialect, Line, Order, Payment, PaymentKind, Reference, Status};

/// An order without anything, in the given currency.
pub(crate) fn order(currency: &str) -> Order {
    Order {
        id: 1,
        origin: Dialect::Native,
        external_id: None,
        number: "T1".to_owned(),
        currency: Currency::parse(currency).expect("a currency"),
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines: Vec::new(),
        components: Vec::new(),
        payments: Vec::new(),
        created_ms: 0,
        updated_ms: 0,
        test: true,
        life: Life::default(),
    }
}

/// Adds a line `name` of `quantity` units; net and tax are of the whole line. Call before any [`part`].
pub(crate) fn line(order: &mut Order, name: &str, quantity: u32, net: i64, tax: i64) {
    let index = order.lines.len();
    order.lines.push(Line {
        id: 100 + u64::try_from(index).expect("small"),
        external_id: Some(name.to_owned()),
        sku: name.to_owned(),
        title: name.to_owned(),
        variant_title: String::new(),
        product_id: String::new(),
        variant_id: String::new(),
        location_id: String::new(),
        quantity,
        shipped: 0,
        unit_price: Amount::minor(net.div_euclid(i64::from(quantity))),
        discount: Amount::ZERO,
        cancelled: 0,
    });
    order.components.insert(index, component(ComponentKind::Goods, Some(index), net, tax));
}

/// Adds a part of the order as a whole, or of one line.
pub(crate) fn part(order: &mut Order, kind: ComponentKind, of_line: Option<usize>, net: i64, tax: i64) {
    order.components.push(component(kind, of_line, net, tax));
}

/// A component without a name.
pub(crate) fn component(kind: ComponentKind, line: Option<usize>, net: i64, tax: i64) -> Component {
    Component { kind, line, name: String::new(), net: Amount::minor(net), tax: Amount::minor(tax) }
}

/// Adds a captured online payment in the order's currency.
pub(crate) fn pay(order: &mut Order, name: &str, captured: i64) {
    let index = u64::try_from(order.payments.len()).expect("small");
    order.payments.push(Payment { id: 200 + index, own_currency: order.currency, ..payment(name, captured) });
}

/// Adds a captured online payment that settles in another currency.
pub(crate) fn foreign_pay(order: &mut Order, name: &str, captured: i64, own_currency: &str, own_captured: i64) {
    pay(order, name, captured);
    let payment = order.payments.last_mut().expect("it was just added");
    payment.own_currency = Currency::parse(own_currency).expect("a currency");
    payment.own_captured = Amount::minor(own_captured);
}

/// A captured online payment in US dollars.
pub(crate) fn payment(name: &str, captured: i64) -> Payment {
    Payment {
        id: 200,
        external_id: Some(name.to_owned()),
        channel: "card".to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        reference: String::new(),
        account: String::new(),
        captured: Amount::minor(captured),
        own_currency: Currency::parse("USD").expect("a currency"),
        own_captured: Amount::minor(captured),
    }
}

/// Facts of an order that passes validation.
pub(crate) fn facts(order: Order) -> Facts {
    assert_eq!(order.validate(), Ok(()), "the test's order is one");
    Facts::fresh(order)
}

/// A decimal.
pub(crate) fn dec(text: &str) -> Decimal {
    Decimal::parse(text).expect("a decimal")
}

/// A reference by name.
pub(crate) fn by_name(name: &str) -> Reference {
    Reference { text: name.to_owned(), ours: None }
}

/// A request as Digital River asks: surplus decimals rounded.
pub(crate) fn rounded(ask: Ask) -> RefundRequest {
    RefundRequest { rounding: crate::command::Rounding::HalfUp, ..RefundRequest::of(ask) }
}
