//! Example orders come in whole, and orders that contradict themselves do not.

use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::money::{Amount, Decimal};
use refundry_core::order::{Dialect, PaymentKind};
use refundry_core::refund::Bucket;
use serde_json::{Value, json};

use super::{NOW_MS, example, stored};
use crate::shopline::{Version, orders, read_order};
use crate::wire::OrderView;

fn read(document: &Value) -> Intake {
    read_order(document, NOW_MS).expect("the order can be read")
}

/// Total and captured in minor units, and the rate to the store's currency, of an example.
#[track_caller]
fn check(name: &str, total: i64, rate: Option<&str>) -> Intake {
    let intake = read(&example(name));
    let order = &intake.order;
    assert_eq!(order.validate(), Ok(()));
    assert_eq!((order.charged().get(), order.captured().get()), (total, total));
    assert_eq!(order.shop.map(|shop| shop.rate), rate.map(|text| Decimal::parse(text).expect("a rate")));
    for (index, line) in order.lines.iter().enumerate() {
        let goods = order.goods(index);
        let price = if order.taxes_included { goods.gross() } else { goods.net };
        assert_eq!(price + line.discount, Amount::minor(line.unit_price.get() * i64::from(line.quantity)));
    }
    let bare = example(name).get("order").cloned().expect("wrapped");
    assert_eq!(read(&bare).order, intake.order);
    intake
}

#[test]
fn every_example_is_read_to_the_cent() {
    check("two-lines-discount-added-tax.json", 32649, None);
    check("gift-card-and-card-with-tip.json", 16862, None);
    check("tax-included-paid-in-pounds.json", 13440, Some("1.25"));
    check("cash-on-delivery-yen.json", 15950, Some("0.0064"));
    check("kuwaiti-dinar-duties-two-payments.json", 80800, Some("3.2"));
    check("two-refunds-already.json", 33481, None);
    let folder = format!("{}/../../examples/orders/shopline", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(std::fs::read_dir(folder).expect("the folder is there").count(), 6, "an example is not read here");
}

#[test]
fn parts_payments_and_units_are_where_they_belong() {
    let order = check("two-lines-discount-added-tax.json", 32649, None).order;
    assert_eq!(order.lines.iter().map(|l| (l.quantity, l.shipped)).collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    let parts: Vec<(i64, i64)> = order.components.iter().map(|c| (c.net.get(), c.tax.get())).collect();
    assert_eq!(parts, [(21903, 2026), (6987, 646), (995, 92)]);
    assert_eq!(order.payments.first().map(|p| p.account.as_str()), Some("Ines Marchbanks"));

    let order = check("kuwaiti-dinar-duties-two-payments.json", 80800, Some("3.2")).order;
    let parts: Vec<(&str, Option<usize>, i64)> =
        order.components.iter().map(|c| (c.kind.code(), c.line, c.net.get())).collect();
    let expected = [
        ("goods", Some(0), 31475),
        ("goods", Some(1), 40825),
        ("shipping", None, 4875),
        ("duty", Some(0), 1575),
        ("duty", Some(1), 2050),
    ];
    assert_eq!(parts, expected);
    assert_eq!(order.payments.iter().map(|p| p.captured.get()).collect::<Vec<_>>(), [60000, 20800]);

    let order = check("cash-on-delivery-yen.json", 15950, Some("0.0064")).order;
    let payment = order.payments.first().expect("one");
    assert_eq!((payment.kind, payment.gateway.as_str()), (PaymentKind::CashOnDelivery, "manual"));
    let order = check("gift-card-and-card-with-tip.json", 16862, None).order;
    assert_eq!(order.payments.first().map(|p| p.kind), Some(PaymentKind::GiftCard));
}

#[test]
fn past_refunds_come_with_their_money_and_units() {
    let refunds = check("two-refunds-already.json", 33481, None).refunds;
    let [first, second] = refunds.as_slice() else { panic!("two refunds: {refunds:?}") };
    let minor = Amount::minor;
    assert_eq!(first.legs, [(0, minor(2554), minor(2554))]);
    assert_eq!(first.allocations, [(1, minor(2359), minor(195))]);
    assert_eq!(second.legs, [(0, minor(11960), minor(11960))]);
    assert_eq!(second.allocations, [(0, minor(11141), minor(919)), (2, minor(600), minor(50))]);
    let units: Vec<(usize, Bucket, u32)> =
        refunds.iter().flat_map(|r| &r.units).map(|u| (u.line, u.bucket, u.quantity)).collect();
    assert_eq!(units, [(1, Bucket::Waiting, 1), (0, Bucket::Shipped, 1)]);
    assert_eq!(first.external_id.as_deref(), Some("2606875819904720791844"));
}

/// An order of one line: 2 × 10.00, tax 1.60, shipping 5.00, paid 26.60.
pub(super) fn small() -> Value {
    json!({
        "id": "21057520029298437725452511",
        "name": "D2034",
        "currency": "USD",
        "financial_status": "paid",
        "subtotal_price": "20.00",
        "total_tax": "1.60",
        "line_items": [{
            "id": "601", "title": "Jacket", "price": "10.00", "quantity": 2, "fulfillable_quantity": 2,
            "taxable": true, "tax_lines": [{"price": "1.60"}],
        }],
        "shipping_lines": [{"price": "5.00"}],
        "payment_details": [{
            "pay_seq": "23057520029306658561302511", "pay_amount": 26.60, "settle_currency": "USD",
            "settle_pay_amount": 26.60, "pay_status": "paid", "gateway": "Paypal",
        }],
    })
}

/// What became of [`small`] with one value replaced: the parts and what was captured, or field and reason.
#[track_caller]
fn check_small(changes: &[(&str, Value)], expected: Result<&[(i64, i64)], (&str, &str)>) {
    let mut document = small();
    let order = document.as_object_mut().expect("an order");
    for (key, value) in changes {
        order.insert((*key).to_owned(), value.clone());
    }
    let outcome = read_order(&document, NOW_MS);
    let parts = outcome.map(|intake| {
        assert_eq!(intake.order.validate(), Ok(()));
        intake.order.components.iter().map(|c| (c.net.get(), c.tax.get())).collect::<Vec<_>>()
    });
    let parts = parts.map_err(|fault| match fault {
        IntakeFault::Unreadable { field, reason } | IntakeFault::Contradictory { field, reason } => (field, reason),
        other => (String::new(), format!("{other:?}")),
    });
    let expected = expected.map(<[_]>::to_vec).map_err(|(field, reason)| (field.to_owned(), reason.to_owned()));
    assert_eq!(parts, expected);
}

#[test]
fn figures_of_the_whole_order_are_shared_over_its_lines() {
    let two = json!([
        {"id": 1, "price": "10.00", "quantity": 1, "taxable": true},
        {"id": 2, "price": "5.00", "quantity": 2, "taxable": true},
    ]);
    check_small(&[], Ok(&[(2000, 160), (500, 0)]));
    check_small(&[("line_items", two.clone())], Ok(&[(1000, 80), (1000, 80), (500, 0)]));
    check_small(
        &[("line_items", two.clone()), ("subtotal_price", json!("19.99")), ("financial_status", json!(""))],
        Ok(&[(999, 80), (1000, 80), (500, 0)]),
    );
    check_small(
        &[("deduct_member_point_amount", json!("4.00")), ("total_outstanding", json!("-4.00"))],
        Ok(&[(1600, 160), (500, 0)]),
    );
    check_small(
        &[("adjust_price", json!("0.40")), ("total_outstanding", json!("0.40"))],
        Ok(&[(2000, 160), (500, 0), (40, 0)]),
    );
    check_small(
        &[("taxes_included", json!(true)), ("total_outstanding", json!("-1.60"))],
        Ok(&[(1840, 160), (500, 0)]),
    );
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    check_small(
        &[("subtotal_price", json!("21.00"))],
        Err(("subtotal_price", "21.00 USD, but the lines come to 20.00 USD after discounts")),
    );
    check_small(
        &[("total_line_items_price", json!("19.00"))],
        Err(("total_line_items_price", "19.00 USD, but the lines come to 20.00 USD")),
    );
    check_small(&[("total_tax", json!("1.70"))], Err(("total_tax", "1.70 USD, but lines and shipping have 1.60 USD")));
    check_small(
        &[("current_total_price", json!("26.59"))],
        Err(("current_total_price", "26.59 USD, but the parts come to 26.60 USD")),
    );
    check_small(
        &[("total_outstanding", json!("1.00"))],
        Err(("payment_details", "25.60 USD were to be paid so far, but payments come to 26.60 USD")),
    );
    let refund =
        |amount: &str| json!([{"id": "1", "transactions": [{"amount": amount, "currency": "USD", "kind": "refund"}]}]);
    check_small(&[("refunds", refund("26.60"))], Ok(&[(2000, 160), (500, 0)]));
    check_small(
        &[("refunds", refund("26.61"))],
        Err(("refunds[0].transactions[0].amount", "26.61 USD refunded, 0.01 USD more than its payments had left")),
    );
    let units = |quantity: u32, subtotal: &str| {
        let row = json!({"line_item_id": "601", "quantity": quantity, "subtotal": subtotal, "total_tax": "0.80"});
        json!([{"refund_line_items": [row], "transactions": [{"amount": "1", "currency": "USD"}]}])
    };
    check_small(&[("refunds", units(2, "10.00"))], Ok(&[(2000, 160), (500, 0)]));
    check_small(
        &[("refunds", units(3, "10.00"))],
        Err(("refunds[0].refund_line_items", "3 units refunded, more than there are")),
    );
    let beyond = "20.01 USD and 0.80 USD of tax refunded, where 20.00 USD and 1.60 USD of tax were left";
    check_small(&[("refunds", units(2, "20.01"))], Err(("refunds[0].refund_line_items[0].subtotal", beyond)));
}

#[test]
fn what_cannot_be_read_is_named() {
    let faulty = json!({"order": {"id": "1", "currency": "USD", "payment_details": [{"settle_pay_amount": 1}]}});
    let fault = IntakeFault::Unreadable {
        field: "order.payment_details[0].pay_seq".to_owned(),
        reason: "is required".to_owned(),
    };
    assert_eq!(read_order(&faulty, NOW_MS), Err(fault));
    check_small(&[("id", json!(""))], Err(("id", "is required")));
    check_small(&[("currency", json!("XXX"))], Err(("currency", "must be an ISO 4217 currency")));
    check_small(&[("subtotal_price", json!("a"))], Err(("subtotal_price", "subtotal_price must be a decimal amount")));
    check_small(&[("subtotal_price", json!("-1"))], Err(("subtotal_price", "must not be negative")));
    check_small(
        &[("line_items", json!([{"id": "1", "price": "1000000000000.00", "quantity": 100_000}]))],
        Err(("line_items[0].price", "comes to more than any order can")),
    );
    check_small(
        &[("line_items", json!([{"id": "1", "price": "9.00", "quantity": 0}]))],
        Err(("line_items[0].quantity", "must be from 1 to 100000")),
    );
    let pounds = json!({"shop_money": {"amount": "20.00", "currency_code": "GBP"}});
    check_small(
        &[("subtotal_price_set", pounds)],
        Err(("line_items[0].price_set", "is required: price alone is in GBP, and the buyer paid in USD")),
    );
}

/// Every place of a document, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), found)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whatever stands in one place of an order, it is an order that validates, or a fault: never a panic.
#[test]
fn no_value_in_any_place_is_too_odd() {
    let huge = "9".repeat(30);
    let mut odd: Vec<Value> = ["-1", "0", "0.001", "10000000000000", "1e12", &huge, "null", "true", "[]", "{}"]
        .iter()
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect();
    odd.extend(["", "x", "0.00", "9999999999999.99", "-0.01", "JPY", "KWD", "refund_discrepancy"].map(Value::from));
    odd.push(json!([{}, {"price": "1.00"}]));
    let (mut read_well, mut refused) = (0, 0);
    let names = ["two-refunds-already.json", "tax-included-paid-in-pounds.json", "cash-on-delivery-yen.json"];
    for (name, document) in names.map(|name| (name, example(name))) {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let pairs = all.iter().skip(1).flat_map(|place| odd.iter().map(move |value| (place, value)));
        // Every pair takes a minute; each place and each value comes up in these.
        for (place, value) in pairs.step_by(17) {
            let mut changed = document.clone();
            changed.pointer_mut(place).expect("a place").clone_from(value);
            match read_order(&changed, NOW_MS) {
                Ok(intake) => {
                    assert_eq!(intake.order.validate(), Ok(()), "{name}{place}: {value}");
                    read_well += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read_well > 500 && refused > 500, "both happen: {read_well} read, {refused} refused");
}

/// An order made here is printed under our number in the platform's shape; sent back, it names that number.
#[test]
fn an_id_in_our_shape_names_our_number() {
    let mut document = example("two-lines-discount-added-tax.json");
    for (id, ours) in [
        ("21000000176166720000001042", 176_166_720_000_001_042),
        ("21057520029298437725452511", 0),
        ("23000000176166720000001042", 0),
        ("176166720000001042", 0),
    ] {
        document["order"]["id"] = json!(id);
        let order = read(&document).order;
        assert_eq!((order.id, order.external_id.as_deref()), (ours, Some(id)));
    }
}

/// All example orders of an API.
fn examples_of(folder: &str) -> Vec<Value> {
    let path = format!("{}/../../examples/orders/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path());
    files.map(|file| serde_json::from_str(&std::fs::read_to_string(file).expect("a text")).expect("JSON")).collect()
}

#[test]
fn totals_of_orders_of_any_api_add_up() {
    let apis = [
        (Dialect::Native, "native"),
        (Dialect::Shoplazza, "shoplazza"),
        (Dialect::Shopline, "shopline"),
        (Dialect::DigitalRiver, "digital-river"),
    ];
    for (api, folder) in apis {
        for document in examples_of(folder) {
            let intake = crate::read_order(api, &document, NOW_MS).expect("the order can be read");
            let (document, currency) = (intake.document.clone(), intake.order.currency);
            let view = OrderView { document, ..OrderView::bare(stored(intake)) };
            let version = Version::parse("v20260301").expect("a version");
            let shown = orders::object(version, &view, orders::Form::Listed);
            let amount = |key: &str| {
                let path = format!("/{key}_set/presentment_money/amount");
                let text = shown.pointer(&path).and_then(Value::as_str).expect("an amount");
                Decimal::parse(text).expect("a decimal").to_minor(currency).expect("an amount")
            };
            let taxed = shown.get("taxes_included") == Some(&json!(true));
            let tax = if taxed { Amount::ZERO } else { amount("total_tax") };
            let charges = ["subtotal_price", "total_shipping_price", "current_total_duties", "total_tip_received"];
            let charges: Amount = charges.iter().map(|key| amount(key)).sum();
            let off = amount("deduct_member_point_amount");
            let total = charges + tax + amount("adjust_price") - off;
            assert_eq!(total, amount("current_total_price"), "{folder}: {shown:#}");
        }
    }
}
