//! Shoplazza: units by refund item type, named parts, fees, payments, a bare total, and the legacy full refund.

use serde_json::{Map, Value, json};

use super::order::{Sample, View, text};
use super::rng::Rng;
use super::{Api, Ask};
use crate::harness::Client;

const ME: &str = "shoplazza";
const MODERN: [&str; 4] = ["2024-07", "2025-06", "2026-01", "2026-07"];
const LEGACY: [&str; 3] = ["", "2020-01/", "2022-01/"];

pub(super) struct Shoplazza;

impl Api for Shoplazza {
    fn part(&self, rng: &mut Rng, client: &mut Client, sample: &Sample, order: &View) -> Option<Ask> {
        match rng.below(6) {
            0..=2 => units(rng, client, sample, order),
            3 | 4 => parts(rng, sample, order),
            _ => {
                let total = rng.upto(order.refundable());
                Some(record(rng, sample, order, total, Map::new()))
            }
        }
    }

    fn rest(&self, rng: &mut Rng, sample: &Sample, order: &View) -> Option<Ask> {
        let left = order.refundable();
        if left == 0 {
            return None;
        }
        if rng.one_in(2) {
            return Some(record(rng, sample, order, left, Map::new()));
        }
        let version = rng.pick(&LEGACY)?;
        let path = format!("/openapi/{version}orders/{}/refund", sample.id(ME));
        // It documents no body; callers send none, or anything.
        let body = if rng.one_in(2) { Vec::new() } else { b"{}".to_vec() };
        let ask = Ask { path, body, amount: None, discrepancy: None, certain: true };
        Some(ask.coming_to(left))
    }

    fn number(&self, answer: &Value) -> String {
        let record = &answer["data"]["refund_record_id"];
        text(if record.is_null() { &answer["refund"]["id"] } else { record })
    }
}

/// Create Order's Refund Record with these keys, through one payment after the other or through named ones.
fn record(rng: &mut Rng, sample: &Sample, order: &View, total: i64, mut keys: Map<String, Value>) -> Ask {
    let version = rng.pick(&MODERN).expect("a version");
    keys.insert("refund_total".to_owned(), order.print(total).into());
    keys.insert("note".to_owned(), "changed their mind".into());
    if rng.one_in(2) {
        let payments: Vec<Value> = rng
            .split(total, &order.payments_left())
            .into_iter()
            .map(|(index, part)| {
                json!({"payment_line_id": sample.payment(ME, order, index), "refund_price": order.print(part)})
            })
            .collect();
        keys.insert("refund_payments".to_owned(), payments.into());
    }
    let path = format!("/openapi/{version}/orders/{}/refund", sample.id(ME));
    Ask::new(path, &json!({ "refund": keys })).coming_to(total)
}

/// Units of one or two lines, perhaps with some shipping or tip, for what they are worth together.
fn units(rng: &mut Rng, client: &mut Client, sample: &Sample, order: &View) -> Option<Ask> {
    let (mut items, mut asked) = (Vec::new(), Vec::new());
    let lines = order.list("lines");
    for _ in 0..rng.upto(2) {
        let index = usize::try_from(rng.below(lines.len() as u64)).expect("an index");
        let (waiting, shipped) = order.units(index);
        let (kinds, from, most) = match rng.below(3) {
            0 => ([json!(0), json!("auto")], "automatic", waiting + shipped),
            1 => ([json!(1), json!("shipped")], "shipped", shipped),
            _ => ([json!("2"), json!("waiting_ship")], "waiting", waiting),
        };
        let id = sample.line(ME, order, index);
        if most == 0 || items.iter().any(|item: &Value| item["line_item_id"] == json!(id)) {
            continue;
        }
        // Left out, or zero, is all of them.
        let quantity = if rng.one_in(4) { None } else { Some(rng.upto(most)) };
        let kind = rng.pick(&kinds)?;
        items.push(json!({"line_item_id": id, "refund_item_type": kind, "quantity": quantity.unwrap_or(0),
            "return_inventory": rng.one_in(2)}));
        asked.push(json!({"line": lines[index]["id"], "from": from, "quantity": quantity.unwrap_or(most)}));
    }
    if items.is_empty() {
        return None;
    }
    let mut keys = Map::from_iter([("refund_line_items".to_owned(), Value::from(items))]);
    let mut parts = Map::from_iter([("units".to_owned(), Value::from(asked))]);
    for (key, part) in [("refund_shipping_total", "shipping"), ("refund_tip", "tip")] {
        let left = order.gross_left(&[part]);
        if left > 0 && rng.one_in(3) {
            let amount = json!(order.print(rng.upto(left)));
            keys.insert(key.to_owned(), amount.clone());
            parts.insert(part.to_owned(), own_decimals(order, &amount));
        }
    }
    // Earlier refunds beyond their parts may have used up what these units are worth.
    let (total, unexplained) = order.quote(client, &json!({ "parts": parts }))?;
    assert_eq!(unexplained, 0, "units and parts explain themselves");
    let ask = record(rng, sample, order, total, keys);
    Some(Ask { discrepancy: Some(0), ..ask })
}

/// Our own API takes the currency's decimals only, so yen have none.
fn own_decimals(order: &View, amount: &Value) -> Value {
    let amount = text(amount);
    json!(if order.exponent == 0 { amount.trim_end_matches(".00") } else { &amount })
}

/// Product, shipping, tip and additional charges, all named or only some, with named fees or without.
fn parts(rng: &mut Rng, sample: &Sample, order: &View) -> Option<Ask> {
    let all_named = rng.one_in(2);
    let mut keys = Map::new();
    let mut total = 0;
    for (key, lefts) in [
        ("refund_product_total", &["lines", "duties", "importer_tax", "fees"][..]),
        ("refund_shipping_total", &["shipping"]),
        ("refund_tip", &["tip"]),
    ] {
        let left = order.gross_left(lefts);
        if !all_named && rng.one_in(2) {
            continue;
        }
        let amount = if left > 0 && !rng.one_in(4) { rng.upto(left) } else { 0 };
        keys.insert(key.to_owned(), order.print(amount).into());
        total += amount;
    }
    let (named, additional) = fees(rng, order);
    if all_named || additional > 0 {
        if named.is_empty() || rng.one_in(2) {
            keys.insert("refund_additional_total".to_owned(), order.print(additional).into());
        }
        if !named.is_empty() {
            keys.insert("refund_additional_prices".to_owned(), named.into());
        }
        total += additional;
    }
    if total == 0 || total > order.refundable() {
        return None;
    }
    // What no part names may still be in the total, unless all of them are named.
    let more = order.refundable() - total;
    if !names_all(&keys) && more > 0 && rng.one_in(2) {
        total += rng.upto(more);
    }
    Some(record(rng, sample, order, total, keys))
}

fn names_all(keys: &Map<String, Value>) -> bool {
    ["refund_product_total", "refund_shipping_total", "refund_tip"].iter().all(|key| keys.contains_key(*key))
        && ["refund_additional_total", "refund_additional_prices"].iter().any(|key| keys.contains_key(*key))
}

/// Some of each named charge, and their sum.
fn fees(rng: &mut Rng, order: &View) -> (Vec<Value>, i64) {
    let (mut named, mut sum) = (Vec::new(), 0);
    for charge in order.left("additional") {
        if charge.gross() > 0 && rng.one_in(2) {
            let amount = rng.upto(charge.gross());
            named.push(json!({"name": charge.name, "price": order.print(amount)}));
            sum += amount;
        }
    }
    (named, sum)
}
