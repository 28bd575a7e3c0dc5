//! What orders show of what was paid, shipped and delivered here, and the platform's documents know nothing of.

use super::*;
use crate::parcels::ParcelCall;

/// What an order's document is to keep of a payment that is made here.
fn patch_of(body: &str) -> Option<Value> {
    match call("POST", &format!("/openapi/2026-01/orders/{ORDER}/payment/success"), "", body) {
        Ok(Call::Parcels(call)) => match *call {
            ParcelCall::Pay { patch, .. } => patch,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payment_is_called_as_it_was_when_it_was_made() {
    let patch = patch_of(
        r#"{"gateway": "Wallet", "payment_line": {"payment_channel": "stripe", "payment_method": "credit_card",
            "transaction_no": "pi_1", "credit_card_number": "4242 4242 4242 4242"}}"#,
    );
    let mut view = stored("two-lines-discount-added-tax");
    let mut document: Value = serde_json::from_str(&view.document).unwrap();
    document["order"]["payments_here"] = patch.unwrap()["order"]["payments_here"].clone();
    view.document = document.to_string();
    let mut order = Order::clone(&view.facts.order);
    let made = |reference: &str| refundry_core::order::Payment {
        id: 795_000_000_000_000_300,
        external_id: None,
        channel: "stripe".to_owned(),
        reference: reference.to_owned(),
        ..order.payments[0].clone()
    };
    let (named, another) = (made("pi_1"), made("pi_2"));
    order.payments.extend([named, another]);
    view.facts = Facts::fresh(order);
    let lines = order_modern::payment_lines(&view);
    let shown: Vec<_> = lines.iter().skip(1).map(|line| (&line["payment_name"], &line["credit_card_number"])).collect();
    let wanted = [json!(["Wallet", "424242******4242"]), json!(["stripe", ""])];
    assert_eq!(shown, wanted.iter().map(|pair| (&pair[0], &pair[1])).collect::<Vec<_>>());
}

#[test]
fn nothing_is_kept_of_a_payment_that_is_called_by_its_channel() {
    for body in ["", r#"{"gateway": "Bank of Nowhere"}"#] {
        assert_eq!(patch_of(body), None, "{body}");
    }
}

#[test]
fn a_listed_line_item_tells_what_was_delivered() {
    let mut order = Order::clone(&stored("two-lines-discount-added-tax").facts.order);
    let index = order.lines.iter().position(|line| line.quantity > 1).unwrap();
    let units = order.lines[index].quantity;
    for (shipped, delivered, wanted) in [
        (0, 0, "waiting"),
        (1, 0, "partially_shipped"),
        (units, 0, "shipped"),
        (units, 1, "partially_finished"),
        (units, units, "finished"),
    ] {
        order.lines[index].shipped = shipped;
        order.life.delivered = vec![0; index];
        order.life.delivered.push(delivered);
        let line = echo::legacy_line(&order, index, (0, Amount::ZERO));
        assert_eq!(line["fulfillment_status"], wanted);
    }
}
