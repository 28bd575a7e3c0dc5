//! Order documents → orders: every example adds up, and every figure that does not is refused.

use refundry_core::intake::IntakeFault;
use refundry_core::money::Amount;
use serde_json::{Value, json};

use super::{FILES, NOW_MS, booked, document};
use crate::shoplazza::{encode, read_order};

#[test]
fn every_example_reads_and_adds_up() {
    for name in FILES {
        let text = document(name);
        let intake = read_order(&text, NOW_MS).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let order = &intake.order;
        assert_eq!(order.validate(), Ok(()), "{name}");
        let print = |amount| encode::price(order, amount);
        assert_eq!(print(order.charged()), text["order"]["total_price"], "{name}");
        assert_eq!(print(order.captured()), text["order"]["total_paid"], "{name}");
        let refunded: Amount = intake.refunds.iter().flat_map(|r| r.legs.iter().map(|l| l.1)).sum();
        assert_eq!(print(refunded), text["order"]["total_refund_price"], "{name}");
        assert_eq!(serde_json::from_str::<Value>(&intake.document).unwrap(), text, "{name}");
        for wrapped in [json!({ "data": text.clone() }), json!({ "code": "Success", "data": text.clone() })] {
            assert_eq!(read_order(&wrapped, NOW_MS).unwrap().order, *order, "{name} in an envelope");
        }
    }
}

#[test]
fn a_bare_order_reads_where_one_payment_bears_it() {
    let bare = document("two-lines-discount-added-tax")["order"].clone();
    let order = read_order(&bare, NOW_MS).unwrap().order;
    assert_eq!(order.captured(), Amount::minor(25_032));
    assert_eq!(order.payments[0].account, "Mara Lindqvist");
    assert_eq!(order.lines[0].shipped, 1);
    let two = document("gift-card-and-card-fees-and-duty")["order"].clone();
    let captured: Vec<i64> =
        read_order(&two, NOW_MS).unwrap().order.payments.iter().map(|p| p.captured.get()).collect();
    assert_eq!(captured, [7_500, 16_664]);
}

#[test]
fn a_foreign_market_carries_the_shop_rate() {
    for (name, rate, shadow) in [
        ("euro-market-tax-included-delivered", "1.25", 25_595),
        ("cash-on-delivery-yen-tax-included-legacy", "0.0064", 7_586),
    ] {
        let order = read_order(&document(name), NOW_MS).unwrap().order;
        let shop = order.shop.unwrap();
        assert_eq!((shop.currency.code(), shop.rate.to_string().as_str()), ("USD", rate), "{name}");
        assert_eq!(shop.convert(order.charged(), order.currency), Amount::minor(shadow), "{name}");
    }
}

#[test]
fn cash_on_delivery_is_settled_outside() {
    let order = read_order(&document("cash-on-delivery-yen-tax-included-legacy"), NOW_MS).unwrap().order;
    assert!(order.taxes_included);
    assert_eq!((order.payments[0].gateway.as_str(), order.payments[0].external_id.as_deref()), ("manual", None));
    assert_eq!(order.components.iter().map(|c| c.tax.get()).sum::<i64>(), 895);
}

/// Changes one figure of an example and expects the fault to name it.
#[track_caller]
fn check_contradiction(name: &str, pointer: &str, value: Value, field: &str) {
    let mut text = document(name);
    *text.pointer_mut(pointer).unwrap() = value;
    match read_order(&text, NOW_MS) {
        Err(IntakeFault::Contradictory { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{pointer}: {:?}", other.map(|intake| intake.order.number)),
    }
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    let name = "two-payments-two-refunds-already";
    check_contradiction(name, "/order/total_price", json!("207.66"), "order.total_price");
    check_contradiction(name, "/order/sub_total", json!("184.61"), "order.sub_total");
    check_contradiction(name, "/order/total_discount", json!("16.40"), "order.total_discount");
    check_contradiction(name, "/order/total_discount", json!("17.47"), "order.total_price");
    check_contradiction(name, "/order/total_tax", json!("14.90"), "order.total_tax");
    check_contradiction(name, "/order/total_paid", json!("207.00"), "order.total_paid");
    check_contradiction(name, "/order/additional_total", json!("4.00"), "order.additional_total");
    check_contradiction(name, "/order/total_refund_price", json!("119.13"), "order.total_refund_price");
    check_contradiction(name, "/order/line_items/0/ship_quantity", json!(4), "order.line_items[0].ship_quantity");
    check_contradiction(
        name,
        "/order/line_items/0/refund_quantity_total",
        json!(1),
        "order.line_items[0].refund_quantity_total",
    );
    check_contradiction(name, "/refund_records/0/refund_price", json!("58.81"), "refund_records[0].refund_price");
    check_contradiction(
        name,
        "/refund_records/1/refund_line_items/0/delete_quantity",
        json!("1"),
        "refund_records[1].refund_line_items[0].delete_quantity",
    );
    check_contradiction(name, "/refund_records/1/refund_shipping", json!("13.00"), "refund_records[1].refund_shipping");
    let over = json!([{ "refund_price": "250.33", "refund_status": "finished" }]);
    let mut text = document("two-lines-discount-added-tax");
    text["refund_records"] = over;
    assert!(matches!(read_order(&text, NOW_MS), Err(IntakeFault::Contradictory { .. })));
}

#[test]
fn what_cannot_be_read_names_its_field() {
    for (pointer, value, field) in [
        ("/order/currency", json!("DOLLARS"), "order.currency"),
        ("/order/id", Value::Null, "order.id"),
        ("/order/total_price", json!("1e3"), "order.total_price"),
        ("/order/line_items/1/price", json!("18.505"), "order.line_items[1].price"),
        ("/order/line_items/1/price", json!("-18.50"), "order.line_items[1].price"),
        ("/order/line_items/1/quantity", json!("many"), "order.line_items[1].quantity"),
        ("/order/line_items", json!({}), "order.line_items"),
        ("/order/created_at", json!("yesterday"), "order.created_at"),
        ("/transactions/0/amount", json!([]), "transactions[0].amount"),
        ("/transactions", json!(7), "transactions"),
        ("/order", json!([]), "order"),
    ] {
        let mut text = document("two-lines-discount-added-tax");
        *text.pointer_mut(pointer).unwrap() = value;
        match read_order(&text, NOW_MS) {
            Err(IntakeFault::Unreadable { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{pointer}: {:?}", other.map(|intake| intake.order.number)),
        }
    }
    assert!(read_order(&json!("an order"), NOW_MS).is_err());
}

#[test]
fn a_bare_total_becomes_one_refund() {
    let mut text = document("two-payments-two-refunds-already");
    text.as_object_mut().unwrap().remove("refund_records");
    let refunds = read_order(&text, NOW_MS).unwrap().refunds;
    assert_eq!(refunds.len(), 1);
    let legs: Vec<(usize, i64)> = refunds[0].legs.iter().map(|l| (l.0, l.1.get())).collect();
    assert_eq!(legs, [(0, 4_000), (1, 7_912)]);
    assert_eq!(refunds[0].units.iter().map(|u| u.quantity).sum::<u32>(), 2);
}

#[test]
fn discounts_and_taxes_of_the_order_are_shared_out() {
    let mut text = document("two-lines-discount-added-tax");
    for line in text["order"]["line_items"].as_array_mut().unwrap() {
        let line = line.as_object_mut().unwrap();
        line.remove("total_price");
        line.remove("tax_price");
    }
    let order = read_order(&text, NOW_MS).unwrap().order;
    let parts: Vec<(i64, i64)> = order.components.iter().take(2).map(|c| (c.net.get(), c.tax.get())).collect();
    assert_eq!(order.lines.iter().map(|l| l.discount.get()).sum::<i64>(), 3_321);
    // 33.21 by 178.00 : 74.00, then 15.86 by 154.54 : 64.25, largest remainder.
    assert_eq!(parts, [(15_454, 1_120), (6_425, 466)]);
}

/// Every value of a document in turn replaced by what nobody expects there: read or refused, never a panic.
#[test]
fn no_document_is_too_strange() {
    let strange = [
        Value::Null,
        json!(""),
        json!([]),
        json!("9999999999999.99"),
        json!(99_999),
        json!("-1"),
        json!("cod"),
        json!("KWD"),
    ];
    let mut text = document("two-payments-two-refunds-already");
    // Texts that are kept and never read would only make this slow.
    for unread in ["billing_address", "shipping_address", "fulfillments"] {
        text["order"].as_object_mut().unwrap().remove(unread);
    }
    let mut pointers = Vec::new();
    point_at_all(&text, "", &mut pointers);
    for pointer in pointers {
        for value in &strange {
            let mut changed = text.clone();
            *changed.pointer_mut(&pointer).unwrap() = value.clone();
            if let Ok(intake) = read_order(&changed, NOW_MS) {
                assert_eq!(intake.order.validate(), Ok(()), "{pointer} = {value}");
                let facts = booked(intake).facts;
                assert!(!facts.payments_left().is_negative(), "{pointer} = {value}");
                let (sold, held) = (&facts.order.components, &facts.balances.components);
                let within = sold.iter().zip(held).all(|(c, held)| held.net <= c.net && held.tax <= c.tax);
                assert!(within, "{pointer} = {value}");
            }
        }
    }
}

fn point_at_all(value: &Value, at: &str, pointers: &mut Vec<String>) {
    pointers.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| point_at_all(value, &format!("{at}/{key}"), pointers)),
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(i, value)| point_at_all(value, &format!("{at}/{i}"), pointers));
        }
        _ => {}
    }
}
