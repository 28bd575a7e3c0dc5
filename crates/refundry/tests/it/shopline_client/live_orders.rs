//! Orders of the real server, as the client reads, changes and refunds them.

use serde_json::{Value, json};

use super::live::{Bench, Known, VERSIONS, error};
use super::orders::{FinancialStatus, OrderStatus};
use super::refunds::AdjustmentKind;
use super::{Client, Order, Trial};
use crate::harness::{Backend, TOKEN, settled};

on_both!(every_order_is_read_tried_and_refunded, orders_are_changed_called_off_and_deleted);

/// Orders of all platforms, in all of their currencies.
fn every_order_is_read_tried_and_refunded(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let mut client = Client::new(&bench.server.url(), version, TOKEN);
        let orders = all(&mut client);
        let count = client.count_orders(&[]).expect("a count");
        assert_eq!(usize::try_from(count).ok(), Some(orders.len()));
        let mut refunded = 0;
        for order in &orders {
            let one = client.order(&order.id).expect("an order");
            assert_eq!(format!("{one:?}"), format!("{order:?}"));
            let by_id = client.orders(&[("ids", &order.id)]).expect("a list").entries;
            assert_eq!((by_id.len(), &by_id[0].id), (1, &order.id));
            let payments = client.payments(&order.id).expect("payments");
            let slips: Vec<_> = order.payment_details.iter().map(|payment| &payment.pay_seq).collect();
            assert_eq!(payments.iter().map(|payment| &payment.id).collect::<Vec<_>>(), slips);
            refunded += usize::from(refund_a_unit_of_each(&mut client, order));
        }
        assert!(refunded >= 5, "{refunded} of {} orders could be refunded", orders.len());
        settled(&mut bench.native);
        let cut = client.cut("/orders.json", "orders", &["id", "refunds"]).expect("a list");
        assert_eq!(cut.len(), orders.len());
    }
    bench.close();
}

/// All orders, four at a time.
#[track_caller]
fn all(client: &mut Client) -> Vec<Order> {
    let mut page = client.orders(&[("limit", "4")]).expect("a page");
    assert_eq!(page.previous, None);
    let mut orders = page.entries;
    while let Some(next) = page.next {
        page = client.follow(&next).expect("a page");
        assert!(page.previous.is_some(), "there is a page before");
        orders.append(&mut page.entries);
    }
    let mut ids: Vec<_> = orders.iter().map(|order| order.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), orders.len(), "an order is listed twice");
    orders
}

/// Tries one unit of each line and all of the shipping, and takes what is suggested; whether there was anything.
#[track_caller]
fn refund_a_unit_of_each(client: &mut Client, order: &Order) -> bool {
    let item = |line: &super::orders::LineItem| {
        let kind = if line.fulfillable_quantity > 0 { "Unshipped" } else { "Shipped" };
        json!({"line_item_id": *line.id, "quantity": 1, "type": kind})
    };
    let items: Vec<Value> = order.line_items.iter().map(item).collect();
    let ask = json!({"currency": *order.currency, "refund_line_items": items, "shipping": {"full_refund": true}});
    let trial = match client.trial(&order.id, &ask) {
        Ok(trial) => trial,
        Err(refusal) => {
            assert_eq!(Some(refusal), error(422, "the order payment status does not support refund"));
            return false;
        }
    };
    assert_eq!(trial.currency, order.currency);
    if trial.transactons.0.is_none() {
        return false;
    }
    let made = client.refund(&as_suggested(order, &trial)).expect("a refund");
    let suggested = trial.transactons.0.expect("they are there");
    for (made, suggested) in made.transactions.iter().zip(&suggested) {
        assert_eq!((&made.id, &made.currency), (&suggested.parent_id, &suggested.currency));
        let digits = suggested.amount.replace('.', "");
        assert_eq!(made.amount.to_string(), digits.trim_start_matches('0'));
    }
    let read = client.refund_of(&order.id, &made.id).expect("a refund");
    for (made, read) in made.refund_line_items.iter().zip(&read.refund_line_items) {
        assert_eq!((&*made.subtotal, &*made.total_tax), (&*read.subtotal.amount(), &*read.total_tax.amount()));
        let sets = [(&made.subtotal_set, &read.subtotal_set), (&made.total_tax_set, &read.total_tax_set)];
        for (made, read) in sets {
            assert_eq!(made.presentment_money.amount, read.presentment_money.amount);
            assert_eq!(made.presentment_money.currency_code, order.presentment_currency);
        }
    }
    assert!(made.order_adjustments.iter().all(|row| row.kind == AdjustmentKind::Shipping), "{made:#?}");
    let after = client.order(&order.id).expect("an order");
    assert_eq!(after.refunds.last().map(|refund| &refund.id), Some(&made.id));
    assert!(
        matches!(after.financial_status, FinancialStatus::PartiallyRefunded | FinancialStatus::Refunded),
        "{:?}",
        after.financial_status
    );
    true
}

fn as_suggested(order: &Order, trial: &Trial) -> Value {
    let rows = trial.refund_line_items.0.iter().flatten().filter(|row| row.quantity > 0).map(|row| {
        let line: i64 = row.line_item_id.parse().expect("a long");
        let kind = format!("{:?}", row.r#type);
        json!({"line_item_id": line, "quantity": row.quantity, "type": kind, "restock_type": "no_restock"})
    });
    let transactions = trial.transactons.0.iter().flatten().map(|transaction| {
        json!({"id": *transaction.parent_id, "amount": *transaction.amount, "currency": *transaction.currency,
            "kind": "refund", "type": true})
    });
    json!({"order_id": *order.id, "currency": *order.currency, "shipping": {"full_refund": true},
        "refund_line_items": rows.collect::<Vec<_>>(), "transactions": transactions.collect::<Vec<_>>()})
}

fn orders_are_changed_called_off_and_deleted(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let Known { order: id, .. } = bench.order(&format!("changed-{version}"), false);
        let mut client = bench.client(version);
        let change = json!({"tags": "gift", "email": "ada@example.com", "phone": "", "shipping_address":
            {"first_name": "Ada", "city": "Lexington", "country_code": "US", "standard_province_code": "KY"}});
        let changed = client.update_order(&id, &change).expect("an order");
        assert_eq!((&*changed.tags, &*changed.email), ("gift", "ada@example.com"));
        assert_eq!((&*changed.shipping_address.city, changed.status), ("Lexington", OrderStatus::Open));
        let found = client.orders(&[("email", "ada@example.com"), ("status", "open")]).expect("a list").entries;
        assert!(found.iter().any(|order| *order.id == *id), "{found:#?}");

        let cancel = json!({"cancel_reason": "no stock", "restock": true, "email": false, "amount": 400,
            "currency": "USD", "refund_type": "Manual"});
        let cancelled = client.cancel_order(&id, &cancel).expect("an order");
        assert_eq!((cancelled.status, &*cancelled.cancel_reason), (OrderStatus::Canceled, "no stock"));
        assert_eq!(cancelled.financial_status, FinancialStatus::PartiallyRefunded);
        assert_eq!(&*cancelled.refunds[0].transactions[0].amount, "400.00");
        let found = client.orders(&[("status", "cancelled"), ("ids", &id)]).expect("a list").entries;
        assert_eq!((found.len(), &found[0].cancelled_at), (1, &cancelled.cancelled_at));
        client.delete_order(&id).expect("it is deleted");
        assert_eq!(client.order(&id).err(), error(404, "The order does not exist."));
        assert_eq!(client.refunds(&id, &[]).err(), error(404, "The order does not exist."));
    }
    bench.close();
}
