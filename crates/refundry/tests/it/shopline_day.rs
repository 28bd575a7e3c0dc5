//! A store's day through SHOPLINE's API, with a client that knows nothing but the documents: an order in another
//! currency is made, paid, shipped in part, tried and refunded in every way; a payment app tells what became of the
//! money; and whoever subscribed hears of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ear::Ear;
use crate::harness::{Backend, Place, Process, TOKEN, run, until};
use crate::shopline_client::{
    AdjustmentKind, ApiError, Client, Delivery, FinancialStatus, MadeOrder, MadeRefund, Order, OrderStatus, Refund,
    RefundStatus, RestockType, Told, UnitType,
};

on_both!(a_day_in_v20220901, a_day_in_v20260301);

/// A place that the first order brings along.
const PLACE: &str = "5409714787218633001";
/// Of the demo store.
const SECRET: &str = "webhook_secret_demo";
/// What the app is called in the path of its notifications.
const APP: (&str, &str) = ("bogus", "card");
const TOPICS: [&str; 11] = [
    "orders/create",
    "orders/paid",
    "orders/updated",
    "orders/cancelled",
    "orders/partially_fulfilled",
    "order_transactions/create",
    "fulfillments/create",
    "refunds/create",
    "refunds/update",
    "return/create",
    "inventory_levels/update",
];

/// A store in one version of the API.
struct Store {
    place: Place,
    server: Process,
    client: Client,
    ear: Ear,
    version: &'static str,
    /// Later versions check currencies.
    has_currencies: bool,
}

impl Store {
    fn open(on: Backend, version: &'static str) -> Self {
        let place = Place::new(on);
        let server = place.serve(&[]);
        // What goes back through this channel is told by the app, and by nobody else.
        let held = run(&[&["store", "hold", "wallet", "--store", "demo"][..], &place.args()].concat());
        assert!(held.status.success(), "{held:?}");
        let client = Client::new(&server.url(), version, TOKEN);
        let has_currencies = version >= "v20230901";
        let mut store = Self { place, server, client, ear: Ear::new(|_| Some(200)), version, has_currencies };
        // Webhooks came later than the first versions, and name a version of their own.
        let told_in = version.max("v20240601");
        for topic in TOPICS {
            let hook = json!({"address": store.ear.url("hooks"), "topic": topic, "api_version": told_in});
            store.client.subscribe(&hook).expect("a subscription");
        }
        store
    }

    /// Four cups at 10.00 EUR less 4.00, tax 3.60, shipping 6.00 and its tax 0.60: 46.20 EUR, which are 57.75 USD.
    fn make(&mut self) -> MadeOrder {
        let order = json!({
            "currency": "EUR", "exchange_rate": "1.25", "financial_status": "paid",
            "line_items": [{"title": "Cup", "price": "10.00", "quantity": 4, "product_id": "p-1",
                "variant_id": "day-cup", "location_id": PLACE, "taxable": true, "requires_shipping": true,
                "discount_price": {"amount": "4.00", "title": "spring"},
                "tax_line": {"title": "VAT", "price": "3.60", "rate": "0.1"}}],
            "shipping_lines": [{"title": "Standard", "price": "6.00", "code": "std",
                "tax_line": {"title": "VAT", "price": "0.60", "rate": "0.1"}}],
            "transaction_list": [{"amount": "46.20", "gateways": "wallet", "status": "success"}],
            "customer": {"email": "ada@example.com", "first_name": "Ada"}, "order_note": "ring twice",
        });
        self.client.create_order(&order).expect("an order")
    }

    fn order(&mut self, id: &str) -> Order {
        self.client.order(id).expect("an order")
    }

    /// A refund of the order, in the settlement currency where the version asks for it.
    fn refund(&mut self, order: &MadeOrder, mut body: Value) -> Result<MadeRefund, ApiError> {
        body["order_id"] = (*order.id).into();
        if self.has_currencies {
            body["currency"] = "EUR".into();
            for transaction in body["transactions"].as_array_mut().expect("transactions") {
                transaction["currency"] = "EUR".into();
            }
        }
        self.client.refund(&body)
    }

    /// The only transaction of a refund that waits, as the app knows it.
    fn waiting(&mut self, order: &str, refund: &str) -> String {
        let read = self.client.refund_of(order, refund).expect("a refund");
        let mut waiting = read.transactions.iter().filter(|row| row.status == RefundStatus::Pending);
        let id = waiting.next().expect("one that waits").id.to_string();
        assert!(waiting.next().is_none(), "{read:#?}");
        id
    }

    fn tell(&mut self, transaction: &str, status: &str, cents: u32) -> Result<(), ApiError> {
        let amount = if self.version >= "v20260301" { json!(cents.to_string()) } else { json!(cents) };
        let body = json!({"refund_transaction_id": transaction, "channel_order_transaction_id": "pay-1",
            "channel_refund_transaction_id": format!("back-{transaction}"), "currency": "EUR", "status": status,
            "amount": amount});
        self.client.notify_refund(APP.0, APP.1, &body)
    }

    fn status_of(&mut self, order: &str, refund: &str) -> Vec<RefundStatus> {
        let read = self.client.refund_of(order, refund).expect("a refund");
        read.transactions.iter().map(|row| row.status).collect()
    }
}

fn refused(text: &str) -> ApiError {
    ApiError::new(422, text)
}

fn a_day_in_v20220901(on: Backend) {
    a_day(on, "v20220901");
}

fn a_day_in_v20260301(on: Backend) {
    a_day(on, "v20260301");
}

fn a_day(on: Backend, version: &'static str) {
    let mut store = Store::open(on, version);
    let order = store.make();
    assert_eq!((&*order.currency, order.financial_status), ("EUR", FinancialStatus::Paid));
    let slip = order.payment_details[0].pay_seq.to_string();
    assert_eq!((&*order.payment_details[0].pay_amount, &*order.current_total_price), ("57.75", "57.75"));
    let both = &order.current_total_price_set;
    assert_eq!((&*both.shop_money.amount, &*both.presentment_money.amount), ("57.75", "46.20"));

    ship(&mut store, &order);
    tried(&mut store, &order, &slip);
    let first = given_back(&mut store, &order, &slip);
    settled_by_the_app(&mut store, &order, &first);
    failed_and_tried_again(&mut store, &order, &slip);
    goods_back(&mut store, &order);
    let called_off = called_off(&mut store);
    lists(&mut store, &order, &called_off);
    heard(&store, &order);

    drop(store.server);
    store.place.assert_clean();
}

/// Two of the four cups.
fn ship(store: &mut Store, order: &MadeOrder) {
    let line: i64 = order.line_items[0].id.parse().expect("a small number");
    assert!(line < 1_000, "lines of an order that is made here are counted");
    let mut parcel = json!({"line_items": [{"id": line, "quantity": 2}], "notify_customer": true});
    if store.version >= "v20250601" {
        parcel["tracking_info_list"] = json!([{"tracking_company": "post", "tracking_number": "T-1"}]);
    } else {
        parcel["tracking_company"] = "post".into();
        parcel["tracking_number"] = "T-1".into();
    }
    let sent = store.client.ship(&order.id, &parcel).expect("a fulfilment");
    assert_eq!((&*sent.tracking_number, sent.line_items[0].fulfillable_quantity), ("T-1", 2));
    let too_many = json!({"line_items": [{"id": line, "quantity": 3}]});
    assert_eq!(store.client.ship(&order.id, &too_many).err().map(|error| error.status), Some(422));
}

/// More than can be had is lowered, and nothing moves.
fn tried(store: &mut Store, order: &MadeOrder, slip: &str) {
    let line = &*order.line_items[0].id;
    let mut ask = json!({"shipping": {"full_refund": true}, "refund_line_items": [
        {"line_item_id": line, "quantity": 5, "type": "Unshipped"},
        {"line_item_id": line, "quantity": 1, "type": "Returned"}]});
    if store.has_currencies {
        assert_eq!(store.client.trial(&order.id, &ask).err(), Some(refused("currency must be EUR")));
        ask["currency"] = "EUR".into();
    }
    let trial = store.client.trial(&order.id, &ask).expect("a trial");
    assert_eq!(&*trial.currency, "EUR");
    let rows = trial.refund_line_items.0.expect("rows");
    let rows: Vec<_> = rows.iter().map(|row| (row.r#type, row.quantity, &*row.subtotal, &*row.total_tax)).collect();
    assert_eq!(rows, [(UnitType::Unshipped, 2, "18.00", "1.80"), (UnitType::Returned, 1, "9.00", "0.90")]);
    let shipping = trial.shipping.0.expect("shipping");
    assert_eq!((&*shipping.amount, &*shipping.tax, &*shipping.maximum_refundable), ("6.00", "0.60", "6.00"));
    let suggested = trial.transactons.0.expect("a suggestion");
    assert_eq!((suggested.len(), &*suggested[0].parent_id, &*suggested[0].gateway), (1, slip, "wallet"));
    // 19.80 and 9.90 and 6.60.
    assert_eq!((&*suggested[0].amount, &*suggested[0].maximum_refundable), ("36.30", "46.20"));
    assert_eq!(store.order(&order.id).financial_status, FinancialStatus::Paid);
}

/// A cup that waits and one that came back, and all of the shipping: 26.40, of which 26.00 go back, 6.00 of them
/// outside.
fn given_back(store: &mut Store, order: &MadeOrder, slip: &str) -> MadeRefund {
    let line: i64 = order.line_items[0].id.parse().expect("a number");
    let body = json!({
        "note": "one was broken", "notify": true, "shipping": {"full_refund": true},
        "refund_line_items": [
            {"line_item_id": line, "quantity": 1, "type": "Unshipped", "restock_type": "cancel"},
            {"line_item_id": line, "quantity": 1, "type": "Returned", "restock_type": "return", "location_id": PLACE}],
        "transactions": [
            {"id": slip, "amount": "6.00", "kind": "refund", "type": false},
            {"id": slip, "amount": "20.00", "kind": "refund", "type": true}],
    });
    let mut nowhere = body.clone();
    nowhere["refund_line_items"][1]["location_id"] = "5409714787218633999".into();
    assert_eq!(store.refund(order, nowhere).err(), Some(refused("location_id is invalid")));
    if store.has_currencies {
        let mut other = body.clone();
        other["order_id"] = (*order.id).into();
        assert_eq!(store.client.refund(&other).err(), Some(refused("currency must be EUR")));
        other["currency"] = "EUR".into();
        let text = "the input currency must be the settlement currency of the payment: EUR";
        assert_eq!(store.client.refund(&other).err(), Some(refused(text)));
    }
    let made = store.refund(order, body).expect("a refund");
    let rows: Vec<_> =
        made.refund_line_items.iter().map(|row| (row.quantity, row.restock_type, &*row.subtotal)).collect();
    // 9.00 EUR each, in the currency of the store.
    assert_eq!(rows, [(1, RestockType::Cancel, "11.25"), (1, RestockType::Return, "11.25")]);
    let adjustments: Vec<_> =
        made.order_adjustments.iter().map(|row| (row.kind, &*row.amount, &*row.tax_amount)).collect();
    let (shipping, difference) = (AdjustmentKind::Shipping, AdjustmentKind::Discrepancy);
    assert_eq!(adjustments, [(shipping, "7.50", "0.75"), (difference, "0.50", "0.00")]);
    let paid: Vec<_> = made.transactions.iter().map(|row| (row.amount, &*row.currency, row.status)).collect();
    assert_eq!(paid, [(600, "EUR", RefundStatus::Success), (2_000, "EUR", RefundStatus::Pending)]);

    let after = store.order(&order.id);
    assert_eq!(after.financial_status, FinancialStatus::PartiallyRefunded);
    assert_eq!(after.line_items[0].fulfillable_quantity, 1);
    let levels = store.client.levels(&[("location_ids", PLACE)]).expect("levels");
    assert_eq!((levels.len(), &*levels[0].variant_id, levels[0].available), (1, "day-cup", 2));
    made
}

fn settled_by_the_app(store: &mut Store, order: &MadeOrder, made: &MadeRefund) {
    let waiting = store.waiting(&order.id, &made.id);
    assert_eq!(store.tell(&waiting, "success", 1_999).err().map(|error| error.status), Some(422));
    assert_eq!(store.status_of(&order.id, &made.id), [RefundStatus::Success, RefundStatus::Pending]);
    store.tell(&waiting, "success", 2_000).expect("it is heard");
    // Once more is the same.
    store.tell(&waiting, "success", 2_000).expect("it is heard");
    assert_eq!(store.status_of(&order.id, &made.id), [RefundStatus::Success, RefundStatus::Success]);
}

/// What failed can be refunded again, and no cent more than was paid.
fn failed_and_tried_again(store: &mut Store, order: &MadeOrder, slip: &str) {
    let of = |amount: &str, routed: bool| json!({"transactions": [{"id": slip, "amount": amount, "type": routed}]});
    let failed = store.refund(order, of("20.20", true)).expect("a refund");
    assert_eq!(store.order(&order.id).financial_status, FinancialStatus::Refunded, "what waits counts");
    assert!(store.refund(order, of("0.01", false)).is_err(), "nothing is left meanwhile");
    let waiting = store.waiting(&order.id, &failed.id);
    store.tell(&waiting, "failure", 2_020).expect("it is heard");
    assert_eq!(store.status_of(&order.id, &failed.id), [RefundStatus::Failure]);
    assert_eq!(store.order(&order.id).financial_status, FinancialStatus::PartiallyRefunded);
    let text = "refund amount exceeds the maximum refundable amount";
    assert_eq!(store.refund(order, of("20.21", false)).err(), Some(refused(text)));
    let again = store.refund(order, of("20.20", false)).expect("a refund");
    assert_eq!(again.transactions[0].status, RefundStatus::Success);
    assert_eq!(store.order(&order.id).financial_status, FinancialStatus::Refunded);
}

/// The other cup that was shipped comes back; its money went already.
fn goods_back(store: &mut Store, order: &MadeOrder) {
    let parcel = store.client.fulfillments(&order.id).expect("fulfilments")[0].id.to_string();
    let line = |quantity: u32| {
        json!({"order_seq": *order.id, "return_reason": "broken", "return_line_items": [{"fulfillment_id": parcel,
            "line_item_id": *order.line_items[0].id, "quantity": quantity, "return_reason": "DEFECTIVE"}]})
    };
    assert_eq!(store.client.create_return(&line(2)).err().map(|error| error.status), Some(422), "one was refunded");
    let back = store.client.create_return(&line(1)).expect("a return");
    store.client.close_return(&back.id, false).expect("it is closed");
    assert_eq!(store.client.returns(&[("order_id", &order.id)]).expect("returns").len(), 1);
}

/// Another order is called off, and its money goes back outside.
fn called_off(store: &mut Store) -> MadeOrder {
    let order = store.make();
    let mut body = json!({"cancel_reason": "no stock", "restock": true, "amount": 46.2, "refund_type": "Manual"});
    if store.has_currencies {
        body["currency"] = "EUR".into();
    }
    let after = store.client.cancel_order(&order.id, &body).expect("an order");
    assert_eq!((after.status, after.financial_status), (OrderStatus::Canceled, FinancialStatus::Refunded));
    assert_eq!(after.line_items[0].fulfillable_quantity, 0);
    assert_eq!(store.client.cancel_order(&order.id, &body).err(), Some(refused("the order is already canceled")));
    let levels = store.client.levels(&[("location_ids", PLACE)]).expect("levels");
    assert_eq!(levels[0].available, 6, "two and all four of these");
    order
}

fn lists(store: &mut Store, order: &MadeOrder, called_off: &MadeOrder) {
    let ids = format!("{},{}", &*order.id, &*called_off.id);
    let mut found = |query: &[(&str, &str)]| -> BTreeSet<String> {
        let query = [&[("ids", ids.as_str())][..], query].concat();
        let page = store.client.orders(&query).expect("a list");
        page.entries.iter().map(|order| order.id.to_string()).collect()
    };
    let (one, other) = (order.id.to_string(), called_off.id.to_string());
    let both = BTreeSet::from([one.clone(), other.clone()]);
    assert_eq!(found(&[("status", "any")]), both);
    assert_eq!(found(&[("status", "open")]), BTreeSet::from([one.clone()]));
    assert_eq!(found(&[("status", "cancelled")]), BTreeSet::from([other]));
    assert_eq!(found(&[("financial_status", "refunded")]), both);
    assert_eq!(found(&[("financial_status", "paid")]), BTreeSet::new());
    assert_eq!(found(&[("fulfillment_status", "partial")]), BTreeSet::from([one]));
    assert_eq!(found(&[("email", "ada@example.com")]), both);
    let text = "fulfillment status value is illegal";
    assert_eq!(store.client.orders(&[("fulfillment_status", "half")]).err(), Some(refused(text)));

    let mut page = store.client.refunds(&order.id, &[("limit", "2")]).expect("a page");
    let mut seen: Vec<Refund> = page.entries;
    while let Some(next) = page.next {
        page = store.client.follow(&next).expect("a page");
        seen.append(&mut page.entries);
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted_by_key(|refund| refund.created_at.seconds()), "oldest first");
}

/// What every subscriber hears, opened as a subscriber does.
fn heard(store: &Store, order: &MadeOrder) {
    let mut by_topic: BTreeMap<String, usize> = BTreeMap::new();
    let expected: &[(&str, usize)] = &[
        ("order_transactions/create", 2),
        ("orders/cancelled", 1),
        ("orders/create", 2),
        ("orders/paid", 2),
        ("orders/partially_fulfilled", 1),
        ("fulfillments/create", 1),
        ("refunds/create", 4),
        // The app's yes, and its no.
        ("refunds/update", 2),
        ("return/create", 1),
        ("inventory_levels/update", 2),
    ];
    until("all to be told", || {
        by_topic.clear();
        for posted in store.ear.heard() {
            *by_topic.entry(posted.header("x-shopline-topic").to_owned()).or_default() += 1;
        }
        let told = |topic: &str| by_topic.get(topic).copied().unwrap_or_default();
        expected.iter().all(|(topic, count)| told(topic) >= *count).then_some(())
    });
    let mut messages = BTreeSet::new();
    let mut refunds = Vec::new();
    for posted in store.ear.heard() {
        let delivery = Delivery::open(&posted.headers, &posted.body, SECRET, false);
        let delivery = delivery.unwrap_or_else(|fault| panic!("{fault}: {:?}", posted.headers));
        assert_eq!(delivery.api_version, store.version.max("v20240601"));
        assert!(messages.insert(delivery.webhook_id), "each message has an id of its own");
        if let Told::Refund(refund) = delivery.body
            && *refund.order_id == *order.id
        {
            refunds.push((refund.id.to_string(), refund.transactions.last().expect("one").status));
        }
    }
    for (topic, count) in expected {
        assert_eq!(by_topic.get(*topic), Some(count), "{topic} of {by_topic:?}");
    }
    let states: Vec<RefundStatus> = refunds.iter().map(|(_, status)| *status).collect();
    let (pending, success, failure) = (RefundStatus::Pending, RefundStatus::Success, RefundStatus::Failure);
    let mut sorted = states.clone();
    sorted.sort_by_key(|status| format!("{status:?}"));
    assert_eq!(sorted, [failure, pending, pending, success, success], "{refunds:?}");
}
