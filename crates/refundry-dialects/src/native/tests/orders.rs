//! Orders: the example files read, answers can be put back, contradictions are refused.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use refundry_core::balances::Facts;
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::money::Decimal;
use refundry_core::order::Dialect;
use refundry_core::refund::Bucket;
use serde_json::{Value, json};

use super::super::{orders, read_order};
use super::decoded;
use crate::wire::{Call, OrderView};

fn example(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders/native").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn read(document: &Value) -> Intake {
    read_order(document, 1_793_613_600_000).unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// What an order is in one paragraph.
fn summary(intake: &Intake) -> String {
    let order = &intake.order;
    let show = |amount: refundry_core::money::Amount| amount.to_decimal(order.currency, order.currency.exponent());
    let components = order.components.iter().enumerate().map(|(index, c)| {
        format!("{} {}+{}", super::super::explain::component_name(order, index), show(c.net), show(c.tax))
    });
    let lines = order.lines.iter().map(|l| format!("{}×{} shipped {}", l.quantity, show(l.unit_price), l.shipped));
    let payments = order.payments.iter().map(|p| {
        let own = p.own_captured.to_decimal(p.own_currency, p.own_currency.exponent());
        format!("{} {} by {}, own {own} {}", p.kind.code(), show(p.captured), p.gateway, p.own_currency)
    });
    let refunds = intake.refunds.iter().map(|r| format!("{:?} {:?} {:?}", r.allocations, r.units, r.legs));
    let all: Vec<String> = lines.chain(components).chain(payments).chain(refunds).collect();
    format!("{} {} {}\n{}\n", order.number, show(order.charged()), order.currency, all.join("\n"))
}

#[track_caller]
fn check_example(name: &str, expected: &Expect) {
    let document = example(name);
    let intake = read(&document);
    let order = &intake.order;
    order.validate().expect("a valid order");
    let figure = |key: &str| {
        let text = document.get(key).and_then(Value::as_str).expect("a figure");
        Decimal::parse(text).expect("a decimal").to_minor(order.currency).expect("an amount")
    };
    assert_eq!(order.charged(), figure("total"), "{name}");
    assert_eq!(order.captured(), figure("paid"), "{name}");
    assert_eq!(intake.document, document.to_string());
    expected.assert_eq(&summary(&intake));
}

#[test]
fn the_example_orders_read() {
    check_example(
        "demo-1001.json",
        &expect![[r"
        1001 90.00 USD
        2×20.00 shipped 1
        1×30.00 shipped 0
        goods:shirt 40.00+0.00
        goods:mug 30.00+0.00
        shipping 10.00+0.00
        tip 5.00+0.00
        additional:Gift Wrapping 5.00+0.00
        online 90.00 by simulated, own 90.00 USD
    "]],
    );
    check_example(
        "tax-included-two-payments.json",
        &expect![[r"
        EU-20417 92.42 EUR
        1×59.50 shipped 1
        3×11.99 shipped 2
        goods:web-20417-1 45.00+8.55
        goods:web-20417-2 31.75+2.22
        shipping:Parcel 4.12+0.78
        gift_card 25.00 by simulated, own 25.00 EUR
        online 67.42 by simulated, own 67.42 EUR
        [(1, Amount(1058), Amount(74))] [PastUnits { line: 1, bucket: Shipped, quantity: 1, net: Amount(1058), tax: Amount(74), discount: Amount(67), restock: No }] [(1, Amount(1132), Amount(1132))]
    "]],
    );
    check_example(
        "yen-cash-on-delivery.json",
        &expect![[r"
        JP-5530 7014 JPY
        3×1320 shipped 3
        2×972 shipped 2
        goods:jp-5530-a 3600+360
        goods:jp-5530-b 1707+137
        shipping:Cool delivery 800+80
        additional:Cash on delivery fee 300+30
        cash_on_delivery 7014 by manual, own 7014 JPY
    "]],
    );
    check_example(
        "dinar-dollar-shop-with-duty-and-fee.json",
        &expect![[r"
        KW-118 41.920 KWD
        1×24.750 shipped 1
        3×3.333 shipped 1
        goods:kw-118-1 22.275+0.000
        goods:kw-118-2 9.999+0.000
        shipping:kw-118-1:Air 4.500+0.000
        shipping:Courier 1.250+0.000
        duty 1.614+0.000
        importer_tax 1.982+0.000
        fee:kw-118-2:Battery levy 0.300+0.000
        online 31.920 by simulated, own 31.920 KWD
        custom 10.000 by manual, own 32.50 USD
    "]],
    );
}

#[test]
fn every_example_file_is_read_here() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders/native");
    let files = std::fs::read_dir(folder).expect("a folder").count();
    assert_eq!(files, 4, "add the new file to the_example_orders_read");
}

#[test]
fn an_order_answered_can_be_put_back() {
    for name in [
        "demo-1001.json",
        "tax-included-two-payments.json",
        "yen-cash-on-delivery.json",
        "dinar-dollar-shop-with-duty-and-fee.json",
    ] {
        let intake = read(&example(name));
        let facts = Facts::fresh(intake.order.clone());
        let view = OrderView { document: intake.document.clone(), ..OrderView::bare(facts) };
        let answered = serde_json::to_value(orders::order(&view)).expect("JSON");
        let again = read(&answered);
        assert_eq!((again.order, again.refunds), (intake.order, intake.refunds), "{name}");
    }
}

#[test]
fn an_order_of_a_platform_is_not_put_back() {
    let mut order = read(&example("demo-1001.json")).order;
    order.origin = Dialect::Shopline;
    order.id = 179_361_360_000_000_001;
    let facts = Facts::fresh(order);
    let left = facts.units_left(0, Bucket::Waiting);
    let document = r#"{"refunds":[{}]}"#.to_owned();
    let answered = orders::order(&OrderView { document, ..OrderView::bare(facts) });
    assert_eq!((answered.id.as_str(), answered.lines[0].left.waiting), ("179361360000000001", left));
    assert_eq!(answered.refunds, json!([]), "a platform's refunds have another shape");
    let answered = serde_json::to_value(answered).expect("JSON");
    let Err(IntakeFault::Unreadable { field, .. }) = read_order(&answered, 0) else { panic!("it was taken") };
    assert_eq!(field, "origin");
}

fn faulty(change: &str, value: &Value) -> String {
    let mut document = example("tax-included-two-payments.json");
    let (parent, key) = change.rsplit_once('/').expect("a pointer");
    document.pointer_mut(parent).expect("a parent")[key] = value.clone();
    format!("{:?}\n", read_order(&document, 0).expect_err("a fault"))
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    let changes = [
        ("/total", json!("92.41")),
        ("/paid", json!("0")),
        ("/lines/0/net", json!("45.01")),
        ("/lines/0/tax", json!("59.00")),
        ("/lines/0/unit_price", json!("59.999")),
        ("/lines/0/unit_price", json!(59.5)),
        ("/lines/0/discount", json!("-1.00")),
        ("/lines/0/shipped", json!(2)),
        ("/lines/1/id", json!("web-20417-1")),
        ("/lines/1/quantity", json!(100_001)),
        ("/lines/0/colour", json!("black")),
        ("/shipping/0/line", json!("nothing")),
        ("/shop", json!({"currency": "USD", "rate": "0"})),
        ("/shop", json!({"currency": "JPY", "rate": "1000000000000000000"})),
        ("/payments/1/own", json!({"currency": "EUR", "captured": "1.00"})),
        ("/refunds/0/units/0/quantity", json!(3)),
        ("/refunds/0/payments/0/amount", json!("70.00")),
        ("/refunds/0/amount", json!("11.00")),
        ("/refunds/0/allocations", json!([{"kind": "shipping", "net": "5.00"}])),
        ("/refunds/0/allocations", json!([{"kind": "tip", "net": "5.00"}])),
        ("/currency", json!("BTC")),
    ];
    let all: String = changes.iter().map(|(change, value)| faulty(change, value)).collect();
    expect![[r#"
        Contradictory { field: "total", reason: "92.41 is not 92.42, what the lines and charges come to" }
        Contradictory { field: "paid", reason: "0 is not 92.42, what the payments captured" }
        Contradictory { field: "lines[0].net", reason: "45.01 is not 1 × 59.50 − 5.95 − 8.55 = 45.00" }
        Contradictory { field: "lines[0].discount", reason: "1 × 59.50 − 5.95 − 59.00 is -5.45: discount and tax are more than the price" }
        Unreadable { field: "lines[0].unit_price", reason: "lines[0].unit_price must be an amount with at most 2 decimals, as EUR has" }
        Unreadable { field: "lines[0].unit_price", reason: "lines[0].unit_price must be a string: send \"59.5\", not the JSON number 59.5" }
        Unreadable { field: "lines[0].discount", reason: "lines[0].discount must be zero or more" }
        Fault(UnitsOutOfRange(0))
        Fault(DuplicateId("web-20417-1"))
        Fault(UnitsOutOfRange(1))
        Unreadable { field: "lines[0].colour", reason: "lines[0].colour is not known here" }
        Unreadable { field: "shipping[0].line", reason: "shipping[0].line must be the id of a line; \"nothing\" is none" }
        Unreadable { field: "shop.rate", reason: "shop.rate must be above zero, with at most 12 decimals and 18 digits" }
        Unreadable { field: "shop.rate", reason: "shop.rate must be smaller: in the shop's currency the order would be above 10^15 minor units" }
        Fault(CapturedPairDiffers(1))
        Contradictory { field: "refunds[0].units[0].quantity", reason: "refunds take 3 units that are shipped, of 2 there" }
        Contradictory { field: "refunds[0].payments[0].amount", reason: "refunds take 70.00, captured were 67.42" }
        Contradictory { field: "refunds[0].amount", reason: "11.00 is not 11.32, what its payments come to" }
        Contradictory { field: "refunds[0].allocations", reason: "refunds take 5.00 net of shipping:Parcel, charged 4.12" }
        Unreadable { field: "refunds[0].allocations[0].kind", reason: "refunds[0].allocations[0].kind must be of a part that the order has" }
        Unreadable { field: "currency", reason: "currency must be a currency of ISO 4217, such as \"USD\"" }
    "#]].assert_eq(&all);
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let charge = json!({"net": "10000000000000.00", "tax": "10000000000000.00"});
    let document = json!({"currency": "USD", "shipping": vec![charge; 4_900]});
    expect![[r#"Err(Fault(AmountOutOfRange("total")))"#]].assert_eq(&format!("{:?}", read_order(&document, 0)));
}

#[test]
fn the_id_of_the_path_is_the_order_s() {
    let put = |line: &str, body: &str| decoded(line, body);
    let Ok(Call::PutOrder(intake)) = put("PUT /v1/orders/a-1", r#"{"currency":"USD"}"#) else { panic!("not taken") };
    assert_eq!((intake.order.external_id.as_deref(), intake.order.number.as_str()), (Some("a-1"), "a-1"));
    assert!(put("PUT /v1/orders/a-1", r#"{"currency":"USD","id":"a-1"}"#).is_ok());
    assert_eq!(put("PUT /v1/orders/a-1", r#"{"currency":"USD","id":"a-2"}"#).expect_err("a refusal").status, 400);
    let long = format!("PUT /v1/orders/{}", "x".repeat(65));
    assert_eq!(put(&long, r#"{"currency":"USD"}"#).expect_err("a refusal").status, 422);
    let Ok(Call::PutOrder(intake)) = put("POST /v1/orders", r#"{"currency":"USD"}"#) else { panic!("not taken") };
    assert_eq!(intake.order.external_id, None);
}
