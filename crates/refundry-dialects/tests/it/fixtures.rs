//! Orders that golden files start from, by name. Figures are small enough to check in the head.
//!
//! Every order has a number of its own, so that a file may load several: number 1001 has our id 110000000000100100,
//! its lines 110000000000100101 and on, its payments 110000000000100151 and on.

use refundry_core::life::Life;
use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{
    Capture, Component, ComponentKind, Dialect, Id, Line, Order, Payment, PaymentKind, ShopMoney, Status,
};

/// Builds an order anew, always the same.
type Build = fn() -> Order;

/// All of them, with the name that `=== orders` takes. Amounts are in minor units: 9000 is 90.00 USD.
pub(crate) const ALL: &[(&str, Build)] = &[
    ("two_lines", two_lines),
    ("two_lines_shoplazza", two_lines_shoplazza),
    ("two_lines_shopline", two_lines_shopline),
    ("two_lines_digital_river", two_lines_digital_river),
    ("taxed", taxed),
    ("tax_included", tax_included),
    ("two_payments", two_payments),
    ("foreign", foreign),
    ("yen", yen),
    ("dinar", dinar),
    ("unpaid", unpaid),
    ("disputed", disputed),
    ("cash_on_delivery", cash_on_delivery),
    ("worked_shopline", worked_shopline),
    ("placed", placed),
    ("river", river),
    ("held", held),
    ("cash_to_come", cash_to_come),
    ("own_gateway", own_gateway),
];

/// The order of this name.
pub(crate) fn by_name(name: &str) -> Option<Order> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, build)| build())
}

/// 90.00 USD: shirt 2 × 20.00 (one shipped), mug 1 × 30.00 (waiting), shipping 10.00, tip 5.00, gift wrapping 5.00.
fn two_lines() -> Order {
    two_lines_numbered(1001)
}

/// `two_lines` as it came from Shoplazza, with its ids.
fn two_lines_shoplazza() -> Order {
    from(Dialect::Shoplazza, two_lines_numbered(1002), "11218-00000001", &["li_1", "li_2"], &["pay_1"])
}

/// `two_lines` as it came from SHOPLINE, with its ids.
fn two_lines_shopline() -> Order {
    let slips = ["23057520029306658561302511"];
    from(Dialect::Shopline, two_lines_numbered(1003), "21057520029298437725452511", &["601", "602"], &slips)
}

/// `two_lines` as it came from Digital River, with its ids. Only what is shipped counts as captured: the mug and the
/// second shirt cannot be refunded yet.
fn two_lines_digital_river() -> Order {
    let order = Order { capture: Capture::ByFulfilment, ..two_lines_numbered(1004) };
    from(Dialect::DigitalRiver, order, "ord_1000045", &["10000", "20000"], &["ch_1"])
}

/// 63.29 USD: discounts on both lines, tax of 8.25 % added to goods and shipping, odd cents in every share.
fn taxed() -> Order {
    let mut order = order(1005, "USD");
    line(&mut order, "socks", (3, 2), 2797, 231);
    discount(&mut order, 200);
    line(&mut order, "hat", (1, 0), 2350, 194);
    discount(&mut order, 100);
    part(&mut order, ComponentKind::Shipping, "", 699, 58);
    pay(&mut order, "card-1", 6329);
    order
}

/// 114.69 EUR with 19 % of tax inside every price: lamp 2 × 49.90 (shipped), bulb 3 × 3.33 (waiting), shipping 4.90.
fn tax_included() -> Order {
    let mut order = Order { taxes_included: true, ..order(1006, "EUR") };
    line(&mut order, "lamp", (2, 2), 8387, 1593);
    line(&mut order, "bulb", (3, 0), 839, 160);
    part(&mut order, ComponentKind::Shipping, "", 412, 78);
    pay(&mut order, "card-1", 11_469);
    order
}

/// 120.00 USD, shipped: jacket 80.00, belt 2 × 15.00, shipping 10.00; 30.00 by gift card, the rest by card.
fn two_payments() -> Order {
    let mut order = order(1007, "USD");
    line(&mut order, "jacket", (1, 1), 8000, 0);
    line(&mut order, "belt", (2, 2), 3000, 0);
    part(&mut order, ComponentKind::Shipping, "", 1000, 0);
    let gift_card = pay(&mut order, "gift-1", 3000);
    gift_card.kind = PaymentKind::GiftCard;
    "gift_card".clone_into(&mut gift_card.channel);
    "gift_card".clone_into(&mut gift_card.method);
    pay(&mut order, "card-1", 9000);
    order
}

/// 66.64 EUR in a shop that counts in USD at 1.0925; the payment settles in EUR.
fn foreign() -> Order {
    let rate = Decimal::parse("1.0925").expect("a decimal");
    let mut order = Order { shop: Some(ShopMoney { currency: currency("USD"), rate }), ..order(1008, "EUR") };
    line(&mut order, "scarf", (2, 1), 5000, 950);
    part(&mut order, ComponentKind::Shipping, "", 600, 114);
    pay(&mut order, "card-1", 6664);
    order
}

/// 4428 JPY, a currency without decimals: tea 3 × 1200 and its tax of 288, shipping 500 and its tax of 40.
fn yen() -> Order {
    let mut order = order(1009, "JPY");
    line(&mut order, "tea", (3, 1), 3_600, 288);
    part(&mut order, ComponentKind::Shipping, "", 500, 40);
    pay(&mut order, "card-1", 4_428);
    order
}

/// 27.500 KWD, a currency with three decimals: oud 2 × 12.345 and its tax of 1.235, shipping 1.500 and its tax.
fn dinar() -> Order {
    let mut order = order(1010, "KWD");
    line(&mut order, "oud", (2, 1), 24_690, 1_235);
    part(&mut order, ComponentKind::Shipping, "", 1_500, 75);
    pay(&mut order, "card-1", 27_500);
    order
}

/// 90.00 USD of which nothing was captured.
fn unpaid() -> Order {
    Order { payments: Vec::new(), ..two_lines_numbered(1011) }
}

/// 90.00 USD, held by a dispute.
fn disputed() -> Order {
    Order { disputed: true, ..two_lines_numbered(1012) }
}

/// 45.00 USD, delivered and paid in cash: lantern 2 × 20.00, shipping 5.00. A person gives the money back.
fn cash_on_delivery() -> Order {
    let mut order = order(1013, "USD");
    line(&mut order, "lantern", (2, 2), 4000, 0);
    part(&mut order, ComponentKind::Shipping, "", 500, 0);
    let cash = pay(&mut order, "cash-1", 4500);
    cash.kind = PaymentKind::CashOnDelivery;
    "cod".clone_into(&mut cash.channel);
    "cash_on_delivery".clone_into(&mut cash.method);
    "manual".clone_into(&mut cash.gateway);
    order
}

/// 90.00 USD, held by a card of which nothing was captured.
fn held() -> Order {
    let mut order = Order { payments: Vec::new(), ..two_lines_numbered(1016) };
    "card".clone_into(&mut pay(&mut order, "card-1", 0).channel);
    order
}

/// 45.00 USD, to be paid in cash on delivery: lantern 2 × 20.00, shipping 5.00.
fn cash_to_come() -> Order {
    let mut order = order(1017, "USD");
    line(&mut order, "lantern", (2, 0), 4000, 0);
    part(&mut order, ComponentKind::Shipping, "", 500, 0);
    let cash = pay(&mut order, "cash-1", 0);
    cash.kind = PaymentKind::CashOnDelivery;
    "cod".clone_into(&mut cash.channel);
    "cash_on_delivery".clone_into(&mut cash.method);
    "manual".clone_into(&mut cash.gateway);
    order
}

/// 26.60 USD, the order of SHOPLINE's worked example: 2 × 10.00, tax 1.60 added, shipping 5.00, nothing shipped.
fn worked_shopline() -> Order {
    let mut order = order(1014, "USD");
    line(&mut order, "tee", (2, 0), 2000, 160);
    "5409714787218633772".clone_into(&mut order.lines[0].location_id);
    part(&mut order, ComponentKind::Shipping, "", 500, 0);
    pay(&mut order, "card-1", 2660);
    from(Dialect::Shopline, order, "21057520029298437725452511", &["601"], &["23057520029306658561302511"])
}

/// `two_lines` as it came from SHOPLINE, sold from two places, of which the second takes nothing any more.
fn placed() -> Order {
    let mut order = two_lines_numbered(1021);
    "5409714787218633772".clone_into(&mut order.lines[0].location_id);
    "5409714787218630000".clone_into(&mut order.lines[1].location_id);
    let slips = ["23057520029306658561302516"];
    from(Dialect::Shopline, order, "21057520029298437725452516", &["601", "602"], &slips)
}

/// 27.01 USD from Digital River, captured and shipped: two units for 20.00 + 1.61 tax, their shipping 5.00 + 0.40.
fn river() -> Order {
    let mut order = Order { capture: Capture::ByFulfilment, ..order(1015, "USD") };
    line(&mut order, "river-shirt", (2, 2), 2000, 161);
    part(&mut order, ComponentKind::Shipping, "", 500, 40).line = Some(0);
    pay(&mut order, "card-1", 2701);
    from(Dialect::DigitalRiver, order, "ord_1000046", &["10000"], &["ch_2"])
}

/// 90.00 USD, paid through a gateway that the store configured.
fn own_gateway() -> Order {
    let mut order = two_lines_numbered(1031);
    "eu".clone_into(&mut order.payments[0].gateway);
    order
}

fn two_lines_numbered(number: u64) -> Order {
    let mut order = order(number, "USD");
    line(&mut order, "shirt", (2, 1), 4000, 0);
    line(&mut order, "mug", (1, 0), 3000, 0);
    part(&mut order, ComponentKind::Shipping, "", 1000, 0);
    part(&mut order, ComponentKind::Tip, "", 500, 0);
    part(&mut order, ComponentKind::Additional, "Gift Wrapping", 500, 0);
    pay(&mut order, "card-1", 9000);
    order
}

/// An order without anything, made on 1 February 2026 and one hour later per number.
fn order(number: u64, code: &str) -> Order {
    let made_ms = 1_769_936_400_000 + i64::try_from(number - 1_000).expect("small") * 3_600_000;
    Order {
        id: 110_000_000_000_000_000 + number * 100,
        origin: Dialect::Native,
        external_id: None,
        number: number.to_string(),
        currency: currency(code),
        shop: None,
        taxes_included: false,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines: Vec::new(),
        components: Vec::new(),
        payments: Vec::new(),
        created_ms: made_ms,
        updated_ms: made_ms,
        test: true,
        life: Life::default(),
    }
}

/// Adds a line of so many units, so many of them shipped; net and tax are of the whole line. Call before any [`part`].
fn line(order: &mut Order, sku: &str, (quantity, shipped): (u32, u32), net: i64, tax: i64) {
    let index = order.lines.len();
    let printed = if order.taxes_included { net + tax } else { net };
    order.lines.push(Line {
        id: order.id + 1 + offset(index),
        external_id: None,
        sku: sku.to_owned(),
        title: sku.to_owned(),
        variant_title: String::new(),
        product_id: format!("p-{sku}"),
        variant_id: format!("v-{sku}"),
        location_id: String::new(),
        quantity,
        shipped,
        unit_price: Amount::minor(printed / i64::from(quantity)),
        discount: Amount::ZERO,
        cancelled: 0,
    });
    order.components.push(component(ComponentKind::Goods, Some(index), "", net, tax));
}

/// Says that the last line's net is what this discount left of its price.
fn discount(order: &mut Order, discount: i64) {
    let net = order.components.last().expect("a line before its discount").net.get();
    let line = order.lines.last_mut().expect("a line before its discount");
    line.discount = Amount::minor(discount);
    line.unit_price = Amount::minor((net + discount) / i64::from(line.quantity));
}

/// Adds a part of the order as a whole.
fn part<'a>(order: &'a mut Order, kind: ComponentKind, name: &str, net: i64, tax: i64) -> &'a mut Component {
    order.components.push(component(kind, None, name, net, tax));
    order.components.last_mut().expect("just added")
}

/// Adds a captured online payment in the order's currency.
fn pay<'a>(order: &'a mut Order, reference: &str, captured: i64) -> &'a mut Payment {
    order.payments.push(Payment {
        id: order.id + 51 + offset(order.payments.len()),
        external_id: None,
        channel: "card".to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        reference: reference.to_owned(),
        account: "Alex Example".to_owned(),
        captured: Amount::minor(captured),
        own_currency: order.currency,
        own_captured: Amount::minor(captured),
    });
    order.payments.last_mut().expect("just added")
}

/// Gives an order the ids of the platform it came from.
fn from(origin: Dialect, order: Order, id: &str, lines: &[&str], payments: &[&str]) -> Order {
    let mut order = Order { origin, external_id: Some(id.to_owned()), ..order };
    assert_eq!((order.lines.len(), order.payments.len()), (lines.len(), payments.len()), "an id for each");
    for (line, id) in order.lines.iter_mut().zip(lines) {
        line.external_id = Some((*id).to_owned());
    }
    for (payment, id) in order.payments.iter_mut().zip(payments) {
        payment.external_id = Some((*id).to_owned());
    }
    order
}

fn component(kind: ComponentKind, line: Option<usize>, name: &str, net: i64, tax: i64) -> Component {
    Component { kind, line, name: name.to_owned(), net: Amount::minor(net), tax: Amount::minor(tax) }
}

fn currency(code: &str) -> Currency {
    Currency::parse(code).expect("a currency")
}

fn offset(index: usize) -> Id {
    Id::try_from(index).expect("small")
}

#[test]
fn every_fixture_is_an_order_whose_figures_meet() {
    let mut ids = std::collections::BTreeSet::new();
    for (name, build) in ALL {
        let order = build();
        assert_eq!(order.validate(), Ok(()), "{name}");
        assert!(ids.insert(order.id), "{name}: two orders with one id");
        if order.captured().is_positive() {
            assert_eq!(order.charged(), order.captured(), "{name}: charged and captured");
        }
        for (line, goods) in order.lines.iter().zip(&order.components) {
            let price = line.unit_price.get() * i64::from(line.quantity) - line.discount.get();
            let goods = if order.taxes_included { goods.gross() } else { goods.net };
            assert_eq!(price, goods.get(), "{name}: price of {}", line.sku);
        }
    }
}
