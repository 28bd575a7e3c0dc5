//! The client against the real server, over a socket.

use serde_json::{Value, json};

use super::parcels::ParcelStatus;
use super::payments::{PaymentStatus, SlipStatus};
use super::refunds::{ReadRow, RefundStatus, RestockType, TransactionKind, UnitType};
use super::returns::{ReturnReason, ReturnStatus};
use super::stock::TrueOrFalse;
use super::{ApiError, Client, MadeRefund, Refund, Way};
use crate::harness::{self, Backend, Place, Process, TOKEN, order, put_orders, run, settled};

on_both!(
    refunds_are_made_listed_and_read,
    the_demos_orders_are_read_in_every_version,
    trials_are_what_refunds_come_to,
    parcels_go_out_and_come_back,
    slips_are_made_changed_and_listed,
    places_stock_and_the_shop_are_read,
);

pub(super) const VERSIONS: [&str; 4] = ["v20220901", "v20230901", "v20250601", "v20260301"];

/// A server with its clients, and an order for each version.
pub(super) struct Bench {
    place: Place,
    pub(super) server: Process,
    pub(super) native: harness::Client,
}

/// What an order is called here.
pub(super) struct Known {
    pub(super) order: String,
    pub(super) slip: String,
    pub(super) line: i64,
}

impl Bench {
    pub(super) fn new(on: Backend) -> Self {
        let place = Place::new(on);
        let server = place.serve(&[]);
        let native = server.client();
        Self { place, server, native }
    }

    /// One for orders that were never anywhere else.
    pub(super) fn client(&self, version: &str) -> Client {
        Client::new(&self.server.url(), version, TOKEN).minted()
    }

    /// An order of a hundred cups at 10.00, which is paid unless it is `open`.
    pub(super) fn order(&mut self, id: &str, open: bool) -> Known {
        let mut document = order(id, 1);
        if open {
            document["payments"] = json!([]);
        }
        put_orders(&mut self.native, &[document]);
        let known = self.native.get(&format!("/v1/orders/{id}")).json();
        let padded = |prefix: &str, uid: &Value| format!("{prefix}{:0>23}", uid.as_str().unwrap_or_default());
        let line = known["lines"][0]["uid"].as_str().and_then(|uid| uid.parse().ok()).expect("a uid");
        Known { order: padded("210", &known["uid"]), slip: padded("230", &known["payments"][0]["uid"]), line }
    }

    /// Refunds of a channel wait from now on until somebody settles them.
    pub(super) fn hold(&self, channel: &str) {
        let held = run(&[&["store", "hold", channel, "--store", "demo"][..], &self.place.args()].concat());
        assert!(held.status.success(), "{held:?}");
    }

    pub(super) fn close(self) {
        drop(self.server);
        self.place.assert_clean();
    }
}

fn refunds_are_made_listed_and_read(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let Known { order: id, slip, line } = bench.order(&format!("typed-{version}"), false);
        let mut client = bench.client(version);
        let ask = |amount: &str, outside: bool| {
            json!({"order_id": id, "note": "torn", "transactions": [{"id": slip, "amount": amount, "type": !outside}],
                "refund_line_items": [{"line_item_id": line, "quantity": 1, "type": "Unshipped",
                    "restock_type": "cancel"}]})
        };
        let made = ["10.00", "9.50", "12.00"].map(|amount| client.refund(&ask(amount, amount == "9.50")));
        let made = made.map(|made| made.expect("a refund"));
        assert_eq!(made[0].transactions[0].status, RefundStatus::Pending);
        assert_eq!(made[1].transactions[0].status, RefundStatus::Success);
        settled(&mut bench.native);

        let listed = client.refunds(&id, &[]).expect("a list");
        assert_eq!((listed.entries.len(), listed.next, listed.previous), (3, None, None));
        for (made, listed) in made.iter().zip(&listed.entries) {
            let read = client.refund_of(&id, &made.id).expect("a refund");
            is_the_same(made, &read, &id, &slip);
            is_the_same(made, listed, &id, &slip);
        }
        pages(&mut client, &id, &made);
        let cut = client.cut(&format!("/orders/{id}/refunds.json"), "refunds", &["id", "note"]).expect("a list");
        assert_eq!(cut[2], json!({"id": *made[2].id, "note": "torn"}));
        refusals(&mut client, &bench.server.url(), version, &id, &ask("2000.00", false));
    }
    bench.close();
}

/// What was answered when it was made, and what is read later.
#[track_caller]
fn is_the_same(made: &MadeRefund, read: &Refund, order: &str, slip: &str) {
    assert_eq!((&*made.order_id, &*read.order_id, &*read.note), (order, order, "torn"));
    assert_eq!((&made.id, &*made.transactions[0].id), (&read.id, slip));
    assert_eq!(made.create_at.number() / 1000, read.created_at.seconds());
    let (row, ReadRow { line_item, .. }) = (&made.refund_line_items[0], &read.refund_line_items[0]);
    assert_eq!(row.line_item_id.to_string(), *read.refund_line_items[0].line_item_id);
    assert_eq!((row.line_item_id.to_string(), 100), (line_item.id.to_string(), line_item.quantity));
    assert_eq!((row.restock_type, &*row.subtotal), (RestockType::Cancel, "10.00"));
    assert_eq!(read.refund_line_items[0].subtotal.amount(), *row.subtotal);
    assert_eq!(read.refund_line_items[0].id.to_string(), row.id.to_string());
    let (before, after) = (&made.transactions[0], &read.transactions[0]);
    assert_eq!(before.amount.to_string(), after.amount.replace('.', ""));
    assert_eq!(after.status, RefundStatus::Success);
    let adjustments = made.order_adjustments.iter().zip(&read.order_adjustments);
    for (before, after) in adjustments {
        assert_eq!((&before.id, &before.amount), (&after.id, &after.amount));
        assert_eq!(after.amount_set.presentment_money.amount.amount(), *before.amount);
    }
    assert_eq!(made.order_adjustments.len(), read.order_adjustments.len());
}

/// One at a time, there and back.
#[track_caller]
fn pages(client: &mut Client, order: &str, made: &[MadeRefund]) {
    let mut page = client.refunds(order, &[("limit", "1")]).expect("a page");
    assert_eq!(page.previous, None);
    for (at, refund) in made.iter().enumerate() {
        assert_eq!((page.entries.len(), &page.entries[0].id), (1, &refund.id));
        let Some(next) = page.next else {
            assert_eq!(at, made.len() - 1, "the last page");
            break;
        };
        page = client.follow(&next).expect("a page");
    }
    let back: super::Page<Refund> = client.follow(&page.previous.expect("a page before")).expect("a page");
    assert_eq!(back.entries[0].id, made[made.len() - 2].id);
}

#[track_caller]
fn refusals(client: &mut Client, url: &str, version: &str, order: &str, too_much: &Value) {
    assert_eq!(client.refund(&json!({})).err(), Some(ApiError::new(422, "order_id is required")));
    assert_eq!(client.refund(&json!({"order_id": order})).err(), Some(ApiError::new(422, "transactions is required")));
    assert_eq!(
        client.refund(too_much).err(),
        Some(ApiError::new(422, "refund amount exceeds the maximum refundable amount"))
    );
    assert_eq!(
        client.refunds("21000000000000000000000001", &[]).err(),
        Some(ApiError::new(404, "The order does not exist."))
    );
    assert_eq!(
        client.refund_of(order, "2600000000000000000001").err(),
        Some(ApiError::new(404, "The refund does not exist."))
    );
    let mut stranger = Client::new(url, version, "sk_test_nobody");
    assert_eq!(stranger.refunds(order, &[]).err(), Some(ApiError::new(401, "Unauthorized")));
    let mut reader = Client::new(url, version, "sk_test_demo_read");
    assert_eq!(reader.refund(too_much).err(), Some(ApiError::new(403, "This action requires write_orders scope")));
}

fn the_demos_orders_are_read_in_every_version(on: Backend) {
    let bench = Bench::new(on);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/orders/shopline");
    let mut refunds = 0;
    for file in std::fs::read_dir(folder).expect("the folder of examples") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("an example");
        let order: Value = serde_json::from_str(&text).expect("JSON");
        let id = order["order"]["id"].as_str().expect("an id");
        for version in VERSIONS {
            let mut client = Client::new(&bench.server.url(), version, TOKEN);
            let listed = client.refunds(id, &[]).expect("a list").entries;
            refunds += listed.len();
            for refund in listed {
                let read = client.refund_of(id, &refund.id).expect("a refund");
                assert_eq!((&*read.order_id, read.created_at), (id, refund.created_at));
            }
            for payment in client.payments(id).expect("payments") {
                assert_eq!(&*payment.order_id, id);
            }
            client.fulfillments(id).expect("parcels");
            if version >= "v20260301" {
                assert!(!client.transactions(id, "").expect("transactions").is_empty());
            }
        }
    }
    assert!(refunds > 0, "no example has a refund");
    bench.close();
}

fn trials_are_what_refunds_come_to(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let Known { order: id, slip, line } = bench.order(&format!("tried-{version}"), false);
        let mut client = bench.client(version);
        let nothing = client.trial(&id, &json!({})).expect("a trial");
        assert!(nothing.transactons.0.is_none() && nothing.refund_line_items.0.is_none(), "{nothing:?}");
        let items = json!([{"line_item_id": line.to_string(), "quantity": 101, "type": "Unshipped"}]);
        let ask = json!({"refund_line_items": items, "shipping": {"full_refund": true}});
        let trial = client.trial(&id, &ask).expect("a trial");
        let rows = trial.refund_line_items.0.expect("rows");
        assert_eq!((rows[0].quantity, &*rows[0].subtotal, rows[0].r#type), (100, "1000.00", UnitType::Unshipped));
        let transactions = trial.transactons.0.expect("transactions");
        assert_eq!((&*transactions[0].parent_id, &*transactions[0].amount), (slip.as_str(), "1000.00"));
        let ask = json!({"order_id": id, "transactions": [{"id": slip, "amount": &*transactions[0].amount}],
            "refund_line_items": [{"line_item_id": line, "quantity": rows[0].quantity, "type": "Unshipped"}]});
        let made = client.refund(&ask).expect("a refund");
        assert!(made.order_adjustments.is_empty(), "{made:?}");
        let spent = client.trial(&id, &json!({}));
        assert_eq!(spent.err(), Some(ApiError::new(422, "the order payment status does not support refund")));
    }
    bench.close();
}

fn parcels_go_out_and_come_back(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let Known { order: id, slip, line } = bench.order(&format!("shipped-{version}"), false);
        let mut client = bench.client(version);
        let ask = json!({"line_items": [{"id": line, "quantity": 2}], "tracking_company": "DHL",
            "tracking_number": "T-1", "tracking_url": "https://example.com/T-1", "notify_customer": false});
        for way in Way::ALL {
            let parcel = client.ship(&id, &ask).expect("a parcel");
            assert_eq!((parcel.line_items[0].fulfillment_quantity, &*parcel.tracking_number), (2, "T-1"));
            let track = json!({"tracking_info": {"company": "UPS", "number": "T-2", "url": ""}});
            let tracked = client.update_tracking(way, &id, &parcel.id, &track).expect("a parcel");
            assert_eq!((&tracked.id, tracked.tracking_numbers), (&parcel.id, vec!["T-2".to_owned()]));
            let cancelled = client.cancel_fulfillment(way, &id, &parcel.id).expect("a parcel");
            assert_eq!((&cancelled.id, cancelled.status), (&parcel.id, ParcelStatus::Cancelled));
        }
        let parcel = client.ship(&id, &ask).expect("a parcel");
        let listed = client.fulfillments(&id).expect("parcels");
        assert_eq!((listed.len(), &listed[4].id), (5, &parcel.id));

        let entry = json!({"fulfillment_id": *parcel.id, "line_item_id": line.to_string(), "quantity": 1,
            "return_reason": "SIZE_TOO_LARGE", "return_reason_note": "it is a tent"});
        let ask = json!({"order_seq": id, "return_reason": "too large", "return_line_items": [entry]});
        let back = client.create_return(&ask).expect("a return");
        assert_eq!((&*back.order_id, back.status), (id.as_str(), ReturnStatus::Open));
        assert_eq!(back.return_line_items[0].return_reason, ReturnReason::TooLarge);
        let unit = json!({"line_item_id": line, "quantity": 1, "type": "Returned", "restock_type": "return"});
        let ask = json!({"order_id": id, "refund_line_items": [unit],
            "transactions": [{"id": slip, "amount": "10.00", "type": true}]});
        client.refund(&ask).expect("a refund");
        client.close_return(&back.id, true).expect("it is closed");
        for query in [("order_id", id.as_str()), ("id", &back.id)] {
            let listed = client.returns(&[query]).expect("returns");
            assert_eq!((listed.len(), &listed[0].id, listed[0].status), (1, &back.id, ReturnStatus::Closed));
        }
        assert_eq!(client.returns(&[]).err(), Some(ApiError::new(422, "order_id or id is required")));
    }
    settled(&mut bench.native);
    bench.close();
}

fn slips_are_made_changed_and_listed(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        let Known { order: id, .. } = bench.order(&format!("open-{version}"), true);
        let mut client = bench.client(version);
        let slip = |amount: i64, status: &str| {
            json!({"order_id": id, "amount": amount, "currency": "USD", "status": status, "gateway": "customPay",
                "create_at": 1_673_404_700})
        };
        let made = client.create_slips(&json!([slip(400, "paid"), slip(600, "unpaid")])).expect("slips");
        assert_eq!((made[0].status, made[1].status), (SlipStatus::Paid, SlipStatus::Unpaid));
        assert_eq!((made[0].amount.amount().as_str(), made[0].create_at.seconds()), ("400.00", 1_673_404_700));
        let change = json!([{"id": *made[1].id, "order_id": id, "status": "paid", "amount": 500}]);
        let changed = client.update_slips(&change).expect("slips");
        assert_eq!((&changed[0].id, changed[0].amount.amount().as_str()), (&made[1].id, "500.00"));

        let payments = client.payments(&id).expect("payments");
        assert_eq!(payments.iter().map(|payment| &*payment.amount).collect::<Vec<_>>(), ["400.00", "500.00"]);
        assert_eq!((&payments[0].id, payments[0].status), (&made[0].id, PaymentStatus::Success));
        let refund = json!({"order_id": id, "transactions": [{"id": *made[0].id, "amount": "400.00", "type": true}]});
        let refund = client.refund(&refund).expect("a refund");
        settled(&mut bench.native);
        if version < "v20260301" {
            assert_eq!(client.transactions(&id, "").err(), Some(ApiError::new(404, "Not Found")));
            continue;
        }
        let all = client.transactions(&id, "").expect("transactions");
        let kinds: Vec<_> = all.iter().map(|transaction| transaction.kind).collect();
        assert_eq!(kinds, [TransactionKind::Sale, TransactionKind::Sale, TransactionKind::Refund], "{all:#?}");
        let read = client.refund_of(&id, &refund.id).expect("a refund");
        assert_eq!(*all[2].id, *read.transactions[0].id);
        assert_eq!(client.transactions(&id, &all[2].id).expect("one").len(), 1);
    }
    bench.close();
}

fn places_stock_and_the_shop_are_read(on: Backend) {
    let mut bench = Bench::new(on);
    for version in VERSIONS {
        bench.order(&format!("stocked-{version}"), false);
        let mut client = Client::new(&bench.server.url(), version, TOKEN);
        let places = client.locations().expect("places");
        assert_eq!(client.locations_with_district().expect("places").len(), places.len());
        let here = places.iter().find(|place| place.is_default == TrueOrFalse::True).expect("a default place");
        assert_eq!(client.location(&here.id).expect("a place").id, here.id);
        let levels = client.levels(&[]).expect("levels");
        let item = levels[0].inventory_item_id.clone();
        let set = client.set_level(&item, &here.id, 7).expect("a level");
        assert_eq!((set.available, &set.location_id), (7, &here.id));
        let adjusted = client.adjust_level(&item, &here.id, -2).expect("a level");
        assert_eq!((adjusted.available, &adjusted.inventory_item_id), (5, &item));
        assert_eq!(client.set_level(&item, &here.id, 0).expect("a level").available, 0);
        let found = client.levels(&[("inventory_item_ids", &item), ("location_ids", &here.id)]).expect("levels");
        assert_eq!((found.len(), found[0].available), (1, 0));

        let shop = client.shop().expect("the shop");
        assert_eq!((shop.domain.as_str(), &*shop.currency), ("demo.myshopline.com", "USD"));
        assert_eq!(client.currencies().expect("currencies")[0].currency, shop.currency);
        assert_eq!(client.payment_settings().expect("settings")[0].currency_code, shop.currency);
        client.pay_channels().expect("channels");
        let nowhere = client.location("5409714787218633773");
        assert_eq!(nowhere.err(), Some(ApiError::new(404, "The location does not exist.")));
    }
    bench.close();
}
