//! The client against the real server, over a socket.

use serde_json::{Value, json};

use super::refunds::{ReadRow, RefundStatus, RestockType};
use super::{ApiError, Client, MadeRefund, Refund};
use crate::harness::{Backend, Place, TOKEN, order, put_orders, settled};

on_both!(refunds_are_made_listed_and_read, the_demos_orders_are_read_in_every_version);

const VERSIONS: [&str; 4] = ["v20220901", "v20230901", "v20250601", "v20260301"];

fn refunds_are_made_listed_and_read(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut native = server.client();
    for version in VERSIONS {
        put_orders(&mut native, &[order(&format!("typed-{version}"), 1)]);
        let known = native.get(&format!("/v1/orders/typed-{version}")).json();
        let padded = |prefix: &str, uid: &Value| format!("{prefix}{:0>23}", uid.as_str().expect("a uid"));
        let (id, slip) = (padded("210", &known["uid"]), padded("230", &known["payments"][0]["uid"]));
        let line: i64 = known["lines"][0]["uid"].as_str().and_then(|uid| uid.parse().ok()).expect("a uid");
        let mut client = Client::new(&server.url(), version, TOKEN).minted();
        let ask = |amount: &str, outside: bool| {
            json!({"order_id": id, "note": "torn", "transactions": [{"id": slip, "amount": amount, "type": !outside}],
                "refund_line_items": [{"line_item_id": line, "quantity": 1, "type": "Unshipped",
                    "restock_type": "cancel"}]})
        };
        let made: Vec<MadeRefund> = ["10.00", "9.50", "12.00"]
            .map(|amount| client.refund(&ask(amount, amount == "9.50")).expect("a refund"))
            .into();
        assert_eq!(made[0].transactions[0].status, RefundStatus::Pending);
        assert_eq!(made[1].transactions[0].status, RefundStatus::Success);
        settled(&mut native);

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
        refusals(&mut client, &server.url(), version, &id, &ask("2000.00", false));
    }
    drop(server);
    place.assert_clean();
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
    let error = |status, errors| Some(ApiError::new(status, errors));
    assert_eq!(client.refund(&json!({})).err(), error(422, "order_id is required"));
    assert_eq!(client.refund(&json!({"order_id": order})).err(), error(422, "transactions is required"));
    assert_eq!(client.refund(too_much).err(), error(422, "refund amount exceeds the maximum refundable amount"));
    assert_eq!(client.refunds("21000000000000000000000001", &[]).err(), error(404, "The order does not exist."));
    assert_eq!(client.refund_of(order, "2600000000000000000001").err(), error(404, "The refund does not exist."));
    let mut stranger = Client::new(url, version, "sk_test_nobody");
    assert_eq!(stranger.refunds(order, &[]).err(), error(401, "Unauthorized"));
    let mut reader = Client::new(url, version, "sk_test_demo_read");
    assert_eq!(reader.refund(too_much).err(), error(403, "This action requires write_orders scope"));
}

fn the_demos_orders_are_read_in_every_version(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/orders/shopline");
    let mut refunds = 0;
    for file in std::fs::read_dir(folder).expect("the folder of examples") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("an example");
        let order: Value = serde_json::from_str(&text).expect("JSON");
        let id = order["order"]["id"].as_str().expect("an id");
        for version in VERSIONS {
            let mut client = Client::new(&server.url(), version, TOKEN);
            let listed = client.refunds(id, &[]).expect("a list").entries;
            refunds += listed.len();
            for refund in listed {
                let read = client.refund_of(id, &refund.id).expect("a refund");
                assert_eq!((&*read.order_id, read.created_at), (id, refund.created_at));
            }
        }
    }
    assert!(refunds > 0, "no example has a refund");
    drop(server);
    place.assert_clean();
}
