//! Orders of the real server, as the client reads, changes and refunds them.

use serde_json::{Value, json};

use super::live::{Bench, VERSIONS};
use super::orders::{FinancialStatus, OrderStatus};
use super::refunds::{AdjustmentKind, RefundStatus};
use super::{ApiError, Client, Delivery, Order, Trial, Way};
use crate::ear::Ear;
use crate::harness::{Backend, TOKEN, settled, until};

on_both!(
    every_order_is_read_tried_and_refunded,
    orders_are_made_changed_called_off_and_deleted,
    refunds_are_settled_by_notification,
    whatever_happens_is_told,
);

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
            assert_eq!(refusal, ApiError::new(422, "the order payment status does not support refund"));
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
    // Less was paid than this comes to, or a slip gives coarser units of another currency.
    let is_all = suggested.iter().all(|transaction| transaction.amount == transaction.maximum_refundable);
    let is_foreign = suggested.iter().any(|transaction| transaction.currency != order.currency);
    let is_shipping = made.order_adjustments.iter().all(|row| row.kind == AdjustmentKind::Shipping);
    assert!(is_shipping || is_all || is_foreign, "{made:#?}");
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

/// Cups and a pot in euros, in a shop that counts in dollars: 83.90 EUR.
pub(super) fn cups_and_a_pot() -> Value {
    let vat = |price: &str| json!({"title": "VAT", "price": price, "rate": "0.1"});
    let cups = json!({"title": "Cup", "price": "20.00", "quantity": 2, "variant_id": "v-cup", "product_id": "p-cup",
        "discount_price": {"amount": "1.00", "title": "spring"}, "tax_line": vat("3.90"),
        "properties": [{"name": "engraving", "value": "Ada", "show": true, "urls": ["https://example.com/a.png"]}]});
    let pot = json!({"title": "Pot", "price": "30.00", "quantity": 1, "taxable": true, "requires_shipping": true});
    json!({"currency": "EUR", "exchange_rate": "1.25", "financial_status": "paid", "line_items": [cups, pot],
        "shipping_line": {"title": "Standard", "price": "10.00", "code": "std", "tax_line": vat("1.00")},
        "transaction_list": [{"amount": "83.90", "gateways": "bank", "status": "success"}],
        "customer": {"email": "ada@example.com", "first_name": "Ada"}, "order_note": "ring twice",
        "shipping_address": {"first_name": "Ada", "city": "Lexington", "country_code": "US"},
        "inventory_behaviour": "decrement_ignoring_policy"})
}

fn orders_are_made_changed_called_off_and_deleted(on: Backend) {
    let bench = Bench::new(on);
    for version in VERSIONS {
        let mut client = bench.client(version);
        let made = client.create_order(&cups_and_a_pot()).expect("an order");
        assert_eq!((made.financial_status, &*made.currency), (FinancialStatus::Paid, "EUR"));
        assert_eq!((&*made.current_total_price, &*made.payment_details[0].pay_amount), ("104.88", "104.88"));
        let id = made.id.to_string();
        let read = client.order(&id).expect("an order");
        assert_eq!((&read.name, &read.current_total_price), (&made.name, &made.current_total_price));
        let (before, after) = (&made.payment_details[0], &read.payment_details[0]);
        assert_eq!((&before.pay_seq, &*before.pay_amount), (&after.pay_seq, &*after.pay_amount.amount()));
        assert_eq!(after.settle_pay_amount.amount(), "83.90");
        let settings = [&read.currency, &read.presentment_currency, &after.settle_currency];
        assert!(settings.iter().all(|currency| ***currency == *"EUR"), "{settings:?}");

        let change = json!({"tags": "gift", "email": "bob@example.com", "phone": "",
            "shipping_address": {"city": "Louisville", "standard_province_code": "KY"}});
        let changed = client.update_order(&id, &change).expect("an order");
        assert_eq!((&*changed.tags, &*changed.email), ("gift", "bob@example.com"));
        assert_eq!((&*changed.shipping_address.city, changed.status), ("Louisville", OrderStatus::Open));
        let found = client.orders(&[("email", "bob@example.com"), ("status", "open")]).expect("a list").entries;
        assert_eq!((found.len(), &*found[0].id), (1, id.as_str()));

        let cancel = json!({"cancel_reason": "no stock", "restock": true, "email": false, "amount": 40,
            "currency": "EUR", "refund_type": "Manual"});
        let cancelled = client.cancel_order(&id, &cancel).expect("an order");
        assert_eq!((cancelled.status, &*cancelled.cancel_reason), (OrderStatus::Canceled, "no stock"));
        assert_eq!(cancelled.financial_status, FinancialStatus::PartiallyRefunded);
        assert_eq!(&*cancelled.refunds[0].transactions[0].amount, "40.00");
        let found = client.orders(&[("status", "cancelled"), ("ids", &id)]).expect("a list").entries;
        assert_eq!((found.len(), &found[0].cancelled_at), (1, &cancelled.cancelled_at));
        client.delete_order(&id).expect("it is deleted");
        assert_eq!(client.order(&id).err(), Some(ApiError::new(404, "The order does not exist.")));
        assert_eq!(client.refunds(&id, &[]).err(), Some(ApiError::new(404, "The order does not exist.")));
    }
    bench.close();
}

fn refunds_are_settled_by_notification(on: Backend) {
    let bench = Bench::new(on);
    bench.hold("bank");
    for version in VERSIONS {
        let mut client = bench.client(version);
        let order = client.create_order(&cups_and_a_pot()).expect("an order");
        let slip = &*order.payment_details[0].pay_seq;
        let ask = json!({"order_id": *order.id, "currency": "EUR",
            "transactions": [{"id": slip, "amount": "83.90", "currency": "EUR", "type": true}]});
        for (status, becomes) in [("failure", RefundStatus::Failure), ("success", RefundStatus::Success)] {
            let made = client.refund(&ask).expect("the money is there");
            let pending = client.refund_of(&order.id, &made.id).expect("a refund");
            let transaction = &pending.transactions[0];
            assert_eq!((transaction.status, &*transaction.amount), (RefundStatus::Pending, "83.90"));
            // A long at first, its digits as text later.
            let amount = if version < "v20260301" { json!(8390) } else { json!("8390") };
            let told = json!({"refund_transaction_id": *transaction.id, "currency": "EUR", "status": status,
                "channel_refund_transaction_id": format!("bank-{status}-{version}"), "amount": amount});
            client.notify_refund("bank", "transfer", &told).expect("it is taken");
            let settled = client.refund_of(&order.id, &made.id).expect("a refund");
            assert_eq!(settled.transactions[0].status, becomes);
        }
        assert_eq!(client.order(&order.id).expect("an order").financial_status, FinancialStatus::Refunded);
    }
    bench.close();
}

/// What was told of in a shop that does everything once.
fn whatever_happens_is_told(on: Backend) {
    const SECRET: &str = "webhook_secret_demo";
    let bench = Bench::new(on);
    for version in ["v20240601", "v20260301"] {
        let ear = Ear::new(|_| Some(200));
        let mut client = bench.client(version);
        for topic in TOPICS {
            let hook = json!({"address": ear.url("hooks"), "topic": topic, "api_version": version});
            let made = client.subscribe(&hook).expect("a subscription");
            assert_eq!(client.webhook(made.id).expect("it").topic, made.topic);
        }
        let hooks = client.webhooks(&[]).expect("a list").entries;
        assert_eq!((hooks.len(), client.count_webhooks()), (16, Ok(16)));
        do_everything_once(&mut client);
        for topic in TOPICS {
            until(topic, || {
                client.count_webhooks().expect("a count");
                ear.heard().iter().any(|posted| posted.header("x-shopline-topic") == topic).then_some(())
            });
        }
        for posted in ear.heard() {
            let delivery = Delivery::open(&posted.headers, &posted.body, SECRET, true)
                .unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(&posted.body)));
            assert_eq!((&*delivery.shop_domain, &*delivery.api_version), ("demo.myshopline.com", version));
            assert!(!delivery.body.subject().is_empty(), "{:?}", delivery.topic);
        }
        for hook in hooks {
            client.change_webhook(hook.id, &ear.url("elsewhere")).expect("a subscription");
            client.delete_webhook(hook.id).expect("it is over");
        }
        assert_eq!(client.count_webhooks(), Ok(0));
    }
    bench.close();
}

const TOPICS: [&str; 16] = [
    "refunds/create",
    "refunds/update",
    "orders/create",
    "orders/updated",
    "orders/paid",
    "orders/cancelled",
    "orders/edited",
    "orders/fulfilled",
    "orders/partially_fulfilled",
    "orders/delete",
    "order_transactions/create",
    "fulfillments/create",
    "fulfillments/update",
    "return/create",
    "return/update",
    "inventory_levels/update",
];

#[track_caller]
fn do_everything_once(client: &mut Client) {
    let order = client.create_order(&cups_and_a_pot()).expect("an order");
    let (cups, pot) = (&order.line_items[0], &order.line_items[1]);
    let line = |line: &str, quantity: i64| json!({"id": line.parse::<i64>().expect("a long"), "quantity": quantity});
    let ship = |lines: Value| json!({"line_items": lines, "tracking_number": "T-1", "tracking_company": "DHL"});
    let parcel = client.ship(&order.id, &ship(json!([line(&cups.id, 2)]))).expect("a parcel");
    client.ship(&order.id, &ship(json!([line(&pot.id, 1)]))).expect("a parcel");
    let track = json!({"tracking_info": {"number": "T-2"}});
    client.update_tracking(Way::Orders, &order.id, &parcel.id, &track).expect("a parcel");
    let entry = json!({"fulfillment_id": *parcel.id, "line_item_id": *cups.id, "quantity": 1});
    let back = json!({"order_seq": *order.id, "return_line_items": [entry]});
    let back = client.create_return(&back).expect("a return");
    let unit = json!({"line_item_id": cups.id.parse::<i64>().expect("a long"), "quantity": 1, "type": "Returned",
        "restock_type": "return"});
    let refund = json!({"order_id": *order.id, "currency": "EUR", "refund_line_items": [unit],
        "transactions": [{"amount": "21.45", "currency": "EUR", "type": true}]});
    client.refund(&refund).expect("a refund");
    client.close_return(&back.id, true).expect("it is closed");
    client.update_order(&order.id, &json!({"tags": "gift"})).expect("an order");
    let other = client.create_order(&cups_and_a_pot()).expect("an order");
    client.cancel_order(&other.id, &json!({"cancel_reason": "no stock", "restock": true})).expect("an order");
    client.delete_order(&other.id).expect("it is deleted");
}
