//! The example orders, and documents that contradict themselves.

use refundry_core::balances::Facts;
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::money::{Amount, Decimal};
use refundry_core::order::{Capture, ComponentKind, PaymentKind};
use serde_json::{Value, json};

use super::read;

fn example(name: &str) -> Value {
    let path = format!("{}/../../examples/orders/digital-river/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(&path).expect(&path)).expect(&path)
}

fn intake(name: &str) -> Intake {
    read(&example(name), 0).unwrap_or_else(|fault| panic!("{name}: {fault:?}"))
}

fn figure(document: &Value, key: &str, intake: &Intake) -> Amount {
    let text = document.get(key).map_or_else(|| "0".to_owned(), ToString::to_string);
    Decimal::parse(&text).expect(key).to_minor(intake.order.currency).expect(key)
}

#[test]
fn every_example_reads_and_adds_up() {
    let folder = format!("{}/../../examples/orders/digital-river", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let (document, intake) = (example(&name), intake(&name));
        let order = &intake.order;
        assert_eq!(order.validate(), Ok(()), "{name}");
        assert_eq!(order.charged(), figure(&document, "totalAmount", &intake), "{name}");
        assert_eq!(order.captured(), figure(&document, "capturedAmount", &intake), "{name}");
        let legs = intake.refunds.iter().flat_map(|refund| &refund.legs).map(|(_, amount, _)| *amount);
        let refunded: Amount = legs.sum();
        assert_eq!(refunded, figure(&document, "refundedAmount", &intake), "{name}");
        let facts = Facts::fresh(order.clone());
        let available = figure(&document, "availableToRefundAmount", &intake);
        assert_eq!(facts.available() - refunded, available, "{name}");
        assert_eq!(serde_json::from_str::<Value>(&intake.document).expect("JSON"), document, "{name}");
        if intake.refunds.is_empty() {
            for (line, item) in document["items"].as_array().expect("items").iter().enumerate() {
                let stated = figure(item, "availableToRefundAmount", &intake);
                assert_eq!(facts.component_left_gross(line), stated, "{name} item {line}");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn refunds_go_to_the_primary_charge_first_however_charges_are_listed() {
    let mut document = example("gift-card-and-card-vat");
    document["payment"]["charges"].as_array_mut().expect("charges").reverse();
    let kinds = |document: &Value| {
        let order = read(document, 0).expect("an order").order;
        order.payments.iter().map(|payment| payment.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&document), [PaymentKind::Online, PaymentKind::GiftCard]);
    assert_eq!(kinds(&example("gift-card-and-card-vat")), kinds(&document));
}

#[test]
fn captures_follow_fulfilment() {
    let open = intake("one-line-captured-one-open").order;
    assert_eq!(open.capture, Capture::ByFulfilment);
    assert_eq!(open.lines.iter().map(|l| l.shipped).collect::<Vec<_>>(), [1, 0]);
    let nothing = intake("nothing-captured-yet").order;
    assert_eq!((nothing.capture, nothing.lines[0].shipped), (Capture::ByFulfilment, 0));
    let whole = intake("two-refunds-already").order;
    assert_eq!((whole.capture, whole.lines[0].shipped), (Capture::Whole, 4));
    let mut part = example("one-line-captured-one-open");
    part["payment"]["charges"][1]["captures"][0]["amount"] = json!(50.0);
    part["capturedAmount"] = json!(342.97);
    let part = Facts::fresh(read(&part, 0).expect("an order").order);
    assert_eq!((part.order.capture, part.available().get()), (Capture::Whole, 34297));
}

#[test]
fn payments_are_what_their_sources_say() {
    let split = intake("gift-card-and-card-vat").order.payments;
    assert_eq!(split.iter().map(|p| p.kind).collect::<Vec<_>>(), [PaymentKind::Online, PaymentKind::GiftCard]);
    assert_eq!((split[0].account.as_str(), split[0].gateway.as_str()), ("Morgenrot", "simulated"));
    let cash = intake("yen-cash-on-delivery").order.payments;
    assert_eq!((cash[0].kind, cash[0].gateway.as_str()), (PaymentKind::CashOnDelivery, "manual"));
}

#[test]
fn parts_of_the_price_keep_their_place() {
    let order = intake("fees-duty-and-importer-tax").order;
    let kinds: Vec<(ComponentKind, Option<usize>, &str)> =
        order.components.iter().map(|c| (c.kind, c.line, c.name.as_str())).collect();
    let of_line = |line, name| {
        [
            (ComponentKind::Shipping, Some(line), ""),
            (ComponentKind::Duty, Some(line), ""),
            (ComponentKind::ImporterTax, Some(line), ""),
            (ComponentKind::Fee, Some(line), name),
        ]
    };
    let goods = [(ComponentKind::Goods, Some(0), ""), (ComponentKind::Goods, Some(1), "")];
    let expected: Vec<_> = goods.into_iter().chain(of_line(0, "")).chain(of_line(1, "recycling")).collect();
    assert_eq!(kinds, expected);
    let yen = intake("yen-cash-on-delivery").order;
    assert_eq!((yen.lines[1].discount.get(), yen.lines[1].unit_price.get()), (1001, 4527));
    let dinar = intake("kuwaiti-dinar-three-decimals").order;
    assert_eq!((dinar.lines[1].discount.get(), dinar.lines[1].unit_price.get()), (1215, 2315));
}

#[test]
fn past_refunds_are_one_an_entry() {
    let refunds = intake("two-refunds-already").refunds;
    let legs: Vec<_> = refunds.iter().map(|r| r.legs.clone()).collect();
    let leg = |amount| vec![(0, Amount::minor(amount), Amount::minor(amount))];
    assert_eq!(legs, [leg(4815), leg(1070)]);
    let mut split_up = example("two-refunds-already");
    split_up["refundedAmount"] = json!(63.85);
    let half = json!([{ "createdTime": "2026-10-08T17:05:26Z", "amount": 5.0, "state": "complete" },
        { "createdTime": "2026-10-10T17:05:26Z", "amount": 9.0, "state": "failed" }]);
    split_up["payment"]["charges"][1]["refunds"] = half;
    let legs: Vec<_> = read(&split_up, 0).expect("an order").refunds.iter().map(|r| r.legs.clone()).collect();
    let (card, gift) = (leg(4815)[0], (1, Amount::minor(500), Amount::minor(500)));
    assert_eq!(legs, [vec![card, gift], leg(1070)]);
    let mut bare = example("two-refunds-already");
    bare["refundedAmount"] = json!(170.0);
    bare["payment"]["charges"][0].as_object_mut().expect("a charge").remove("refunds");
    let bare = read(&bare, 0).expect("an order").refunds;
    let split = |a, b| vec![(0, Amount::minor(a), Amount::minor(a)), (1, Amount::minor(b), Amount::minor(b))];
    assert_eq!(bare.into_iter().map(|r| r.legs).collect::<Vec<_>>(), [split(16469, 531)]);
}

#[test]
fn older_shapes_are_read() {
    let mut old = example("two-lines-discounts-added-tax");
    let payment = old.as_object_mut().expect("an object").remove("payment").expect("a payment");
    old["charges"] = payment["charges"].clone();
    old["sources"] = payment["sources"].clone();
    for item in old["items"].as_array_mut().expect("items") {
        let item = item.as_object_mut().expect("an item");
        item.remove("shipping");
        item.remove("tax");
    }
    let order = read(&json!({ "order": old }), 0).expect("an order").order;
    let new = intake("two-lines-discounts-added-tax").order;
    assert_eq!(order.payments, new.payments);
    assert_eq!(order.charged(), new.charged());
    let shipping = order.components.last().expect("shipping");
    assert_eq!((shipping.kind, shipping.line, shipping.gross().get()), (ComponentKind::Shipping, None, 1242));
    assert_eq!(order.components[0].tax.get() + order.components[1].tax.get(), 1772 + 571);
}

/// Changes one figure of an order with refunds; the field and the reason of the refusal.
#[track_caller]
fn contradicts(pointer: &str, value: Value, field: &str, reason: &str) {
    let mut document = example("two-refunds-already");
    *document.pointer_mut(pointer).expect(pointer) = value;
    let expected = IntakeFault::Contradictory { field: field.to_owned(), reason: reason.to_owned() };
    assert_eq!(read(&document, 0).map(|i| i.order), Err(expected));
}

#[test]
fn contradictions_name_both_figures() {
    contradicts(
        "/totalAmount",
        json!(224.70),
        "totalAmount",
        "totalAmount is 224.70, but the sum of all items with their taxes, shipping and fees makes 224.69: a difference of 0.01",
    );
    contradicts(
        "/capturedAmount",
        json!(200),
        "capturedAmount",
        "capturedAmount is 200.00, but the sum of the completed captures makes 224.69: a difference of 24.69",
    );
    contradicts(
        "/refundedAmount",
        json!(48.15),
        "refundedAmount",
        "refundedAmount is 48.15, but the sum of the completed refunds of the charges makes 58.85: a difference of 10.70",
    );
    contradicts(
        "/payment/charges/0/refunds/0/amount",
        json!(160),
        "payment.charges[0].refunds",
        "refunds is 170.70, but the charge captured only 164.69: a difference of 6.01",
    );
}

#[test]
fn unreadable_documents_say_where() {
    for (pointer, value, field) in [
        ("/currency", json!("DOLLAR"), "currency"),
        ("/id", json!(" "), "id"),
        ("/items", json!([]), "items"),
        ("/items/0/quantity", json!(0), "items[0].quantity"),
        ("/items/1/amount", json!("much"), "items[1].amount"),
        ("/items/1/amount", json!(-1), "items[1].amount"),
        ("/items/1/amount", json!(1e30), "items[1].amount"),
        ("/payment/charges/0/refunds/0/state", json!("pending"), "payment.charges[0].refunds[0].state"),
        ("/payment/charges/0/currency", json!("EUR"), "payment.charges[0].currency"),
        ("/createdTime", json!("today"), "createdTime"),
    ] {
        let mut document = example("two-refunds-already");
        *document.pointer_mut(pointer).expect(pointer) = value;
        match read(&document, 0) {
            Err(IntakeFault::Unreadable { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{pointer}: {other:?}"),
        }
    }
    assert!(read(&json!([]), 0).is_err());
    let mut heavy = example("two-refunds-already");
    let mut item = heavy["items"][0].clone();
    for key in ["amount", "shipping", "fees", "duties", "tax", "importerTax"] {
        item[key] = json!({ "amount": 9_999_999_999_999_i64, "taxAmount": 9_999_999_999_999_i64 });
    }
    item["amount"] = json!(9_999_999_999_999_i64);
    item["discount"] = json!({ "amountOff": 9_999_999_999_999_i64, "percentOff": 99 });
    heavy["items"] = Value::Array(vec![item; 1_000]);
    assert!(read(&heavy, 0).is_err());
    let mut huge = example("two-refunds-already");
    let capture = json!({ "amount": 9_999_999_999_999.0, "state": "complete" });
    huge["payment"]["charges"][0]["captures"] = Value::Array(vec![capture; 9_999]);
    assert!(read(&huge, 0).is_err());
}
