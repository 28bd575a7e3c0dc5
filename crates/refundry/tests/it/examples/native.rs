//! Our own API: every way to ask, through payments in any order, by name and outside of gateways. A quote is asked for
//! before, and the refund must keep its promise.

use serde_json::{Map, Value, json};

use super::order::{Sample, View, minor, text};
use super::rng::Rng;
use super::{Api, Ask};
use crate::harness::Client;

pub(super) struct Native;

impl Api for Native {
    fn part(&self, rng: &mut Rng, client: &mut Client, sample: &Sample, order: &View) -> Option<Ask> {
        let mut body = json!({"order": sample.uid, "note": "n", "reason": "r", "metadata": {"ticket": 7}});
        body["ask"] = match rng.below(8) {
            0 => json!({ "amount": own(order, rng.upto(order.refundable())) }),
            1 => typed(rng, order),
            2 => json!({ "percent": rng.pick(&["0.5", "12.5", "50", "99.99"]) }),
            3 => json!({ "items": items(rng, order) }),
            4 => {
                let total = rng.upto(order.refundable());
                let mut parts = parts(rng, order);
                parts.insert("total".to_owned(), own(order, total).into());
                json!({ "parts": parts })
            }
            5 => {
                let total = rng.upto(order.refundable());
                body["payments"] = named(rng, order, total);
                let mut parts = parts(rng, order);
                parts.insert("total".to_owned(), "of_payments".into());
                json!({ "parts": parts })
            }
            _ => json!({ "parts": parts(rng, order) }),
        };
        if body["payments"].is_null() && rng.one_in(2) {
            let ids: Vec<&Value> = order.list("payments").iter().map(|payment| &payment["id"]).collect();
            body["payments"] = json!({"first": [rng.pick(&ids)]});
        }
        Some(quoted(client, order, &body))
    }

    fn rest(&self, rng: &mut Rng, sample: &Sample, order: &View) -> Option<Ask> {
        let left = order.refundable();
        let mut body = json!({"order": sample.uid, "ask": {"everything": true}});
        if rng.one_in(3) {
            body["ask"] = json!({"parts": {"total": own(order, left)}});
        }
        (left > 0).then(|| Ask::new("/v1/refunds".to_owned(), &body).coming_to(left))
    }

    fn number(&self, answer: &Value) -> String {
        text(&answer["id"])
    }
}

/// The request with what its quote says: the same figures, or the same refusal.
fn quoted(client: &mut Client, order: &View, body: &Value) -> Ask {
    let answer = client.post(&format!("/v1/orders/{}/quote", text(&order.value["uid"])), body);
    let quote = answer.json();
    let ask = Ask::new("/v1/refunds".to_owned(), body);
    match answer.status {
        200 => {
            let figure = |key: &str| minor(&quote[key], order.exponent);
            Ask { discrepancy: Some(figure("discrepancy")), ..ask.coming_to(figure("amount")) }
        }
        422 => {
            let again = client.post("/v1/refunds", body);
            assert_eq!((again.status, again.json()["code"].clone()), (422, quote["code"].clone()), "{body}");
            Ask { certain: false, ..ask }
        }
        status => panic!("{status} {body} {}", answer.text()),
    }
}

fn own(order: &View, amount: i64) -> String {
    let text = order.print(amount);
    if order.exponent == 0 { text.trim_end_matches(".00").to_owned() } else { text }
}

fn typed(rng: &mut Rng, order: &View) -> Value {
    let charges: [(&str, &[&str]); 3] =
        [("shipping", &["shipping"]), ("duty", &["duties"]), ("importer_tax", &["importer_tax"])];
    let (class, keys) = rng.pick(&charges).expect("a type");
    let left = order.gross_left(keys);
    if left == 0 || rng.one_in(3) {
        return json!({"percent": "100", "type": rng.pick(&["tax", class])});
    }
    let amount = if *class == "importer_tax" { left } else { rng.upto(left) };
    json!({"amount": own(order, amount), "type": class})
}

fn items(rng: &mut Rng, order: &View) -> Vec<Value> {
    let line = rng.pick(order.list("lines")).expect("a line");
    let net = minor(&line["left"]["net"], order.exponent) + minor(&line["left"]["tax"], order.exponent);
    let mut item = json!({ "line": line["id"] });
    if net > 0 && rng.one_in(2) {
        item["amount"] = json!(own(order, rng.upto(net)));
    } else {
        item["percent"] = json!(rng.pick(&["10", "25.5", "40"]));
        item["quantity"] = json!(rng.upto(line["quantity"].as_i64().expect("a quantity")));
    }
    if rng.one_in(4) {
        item["part"] = json!(rng.pick(&["shipping", "duty", "fees"]));
    }
    vec![item]
}

/// Units and amounts of parts, as far as there are any.
fn parts(rng: &mut Rng, order: &View) -> Map<String, Value> {
    let mut parts = Map::new();
    let line = usize::try_from(rng.below(order.list("lines").len() as u64)).expect("an index");
    let id = order.list("lines")[line]["id"].clone();
    let (waiting, shipped) = order.units(line);
    let goods = &order.left("lines")[line];
    if waiting + shipped > 0 && !rng.one_in(3) {
        let quantity = rng.upto(waiting + shipped);
        let restock = rng.pick(&["no_restock", "return", "cancel"]);
        parts.insert("units".to_owned(), json!([{"line": id, "quantity": quantity, "restock": restock}]));
    } else if goods.net > 0 {
        let (key, most) = if rng.one_in(2) { ("gross", goods.gross()) } else { ("net", goods.net) };
        parts.insert("goods".to_owned(), json!([{"line": id, key: own(order, rng.upto(most))}]));
    }
    let charges = [
        ("shipping", "shipping"),
        ("tip", "tip"),
        ("duty", "duties"),
        ("importer_tax", "importer_tax"),
        ("fees", "fees"),
    ];
    for (key, of) in charges {
        let left = order.gross_left(&[of]);
        if left > 0 && rng.one_in(4) {
            let amount = if rng.one_in(3) { "remaining".to_owned() } else { own(order, rng.upto(left)) };
            parts.insert(key.to_owned(), json!(amount));
        }
    }
    for charge in order.left("additional") {
        if charge.net > 0 && rng.one_in(4) {
            let named = json!([{"name": charge.name, "net": own(order, rng.upto(charge.net))}]);
            parts.insert("additional_named".to_owned(), named);
        }
    }
    if parts.is_empty() {
        parts.insert("total".to_owned(), json!(own(order, rng.upto(order.refundable()))));
    }
    parts
}

/// Payments by name, in the order's money or their own, some of them outside of gateways.
fn named(rng: &mut Rng, order: &View, total: i64) -> Value {
    let payments = order.list("payments");
    let legs = rng.split(total, &order.payments_left()).into_iter().map(|(index, amount)| {
        let id = &payments[index]["id"];
        let outside = rng.one_in(3);
        let (currency, own_left) = order.own_left(index);
        if currency != order.currency() && own_left > 0 && rng.one_in(2) {
            let own = super::order::decimal(rng.upto(own_left), super::order::exponent(&currency));
            return json!({"payment": id, "amount": own, "amount_in": "own", "currency": currency, "outside": outside});
        }
        json!({"payment": id, "amount": own(order, amount), "outside": outside})
    });
    legs.collect()
}
