//! SHOPLINE: units by type, shipping by amount or in full, transactions in each slip's own currency, discrepancies.

use serde_json::{Map, Value, json};

use super::order::{Sample, View, decimal, exponent, number, text};
use super::rng::Rng;
use super::{Api, Ask};
use crate::harness::Client;

const ME: &str = "shopline";
const VERSIONS: [&str; 4] = ["v20220901", "v20230301", "v20230901", "v20250601"];

pub(super) struct Shopline;

impl Api for Shopline {
    fn part(&self, rng: &mut Rng, client: &mut Client, sample: &Sample, order: &View) -> Option<Ask> {
        let mut keys = Map::new();
        let mut parts = Map::new();
        units(rng, sample, order, &mut keys, &mut parts);
        shipping(rng, order, &mut keys, &mut parts);
        let computed = if parts.is_empty() { None } else { order.quote(client, &json!({ "parts": parts })) };
        let total = match computed {
            Some((amount, _)) if !rng.one_in(3) => amount,
            _ => rng.upto(order.refundable()),
        };
        let slips = rng.split(total, &order.payments_left());
        let foreign = slips.iter().any(|(slip, _)| order.own_left(*slip).0 != order.currency());
        let mut asked = Vec::new();
        for (slip, amount) in slips {
            let (currency, own_left) = order.own_left(slip);
            // What a foreign slip gives is said in its own money, and any of it is as good.
            let amount = if currency == order.currency() { amount } else { rng.upto(own_left) };
            if amount > 1 && rng.one_in(5) {
                let first = rng.upto(amount - 1);
                asked.extend([(slip, first), (slip, amount - first)]);
            } else {
                asked.push((slip, amount));
            }
        }
        let ask = refund(rng, sample, order, &asked, keys);
        if foreign {
            return Some(ask);
        }
        let explained = computed.map(|(amount, _)| total - amount);
        Some(Ask { discrepancy: explained.or(parts.is_empty().then_some(total)), ..ask.coming_to(total) })
    }

    /// Until every slip is empty: all at once, or one after the other.
    fn rest(&self, rng: &mut Rng, sample: &Sample, order: &View) -> Option<Ask> {
        let slips = 0..order.list("payments").len();
        let mut asked: Vec<(usize, i64)> = slips.map(|slip| (slip, order.own_left(slip).1)).collect();
        asked.retain(|(_, left)| *left > 0);
        if asked.is_empty() {
            return None;
        }
        if rng.one_in(2) {
            asked.truncate(1);
        }
        Some(refund(rng, sample, order, &asked, Map::new()))
    }

    fn number(&self, answer: &Value) -> String {
        let id = text(&answer["data"]["id"]);
        let digits = id.strip_prefix("260").expect("a refund's id");
        assert_eq!(id.len(), 22, "{id}");
        format!("{:0>18}", digits.trim_start_matches('0'))
    }
}

fn refund(rng: &mut Rng, sample: &Sample, order: &View, asked: &[(usize, i64)], mut keys: Map<String, Value>) -> Ask {
    let version = rng.pick(&VERSIONS).expect("a version");
    let with_currency = *version >= "v20230901";
    let mut transactions = Vec::new();
    for (slip, amount) in asked {
        let (currency, _) = order.own_left(*slip);
        let amount = decimal(*amount, exponent(&currency));
        let mut transaction = json!({"id": sample.payment(ME, order, *slip), "kind": "refund",
            "amount": if rng.one_in(2) { number(&amount) } else { json!(amount) }, "type": !rng.one_in(3)});
        if with_currency {
            transaction["currency"] = json!(currency);
        }
        transactions.push(transaction);
    }
    if with_currency {
        keys.insert("currency".to_owned(), json!(order.currency()));
    }
    keys.insert("order_id".to_owned(), json!(sample.id(ME)));
    keys.insert("transactions".to_owned(), transactions.into());
    Ask::new(format!("/admin/openapi/{version}/order/refund.json"), &Value::Object(keys))
}

/// Up to two entries of units, of one line or of two.
fn units(rng: &mut Rng, sample: &Sample, order: &View, keys: &mut Map<String, Value>, parts: &mut Map<String, Value>) {
    let (mut items, mut asked) = (Vec::new(), Vec::new());
    let lines = order.list("lines");
    let mut taken = vec![(0, 0); lines.len()];
    for _ in 0..rng.below(3) {
        let index = usize::try_from(rng.below(lines.len() as u64)).expect("an index");
        let (waiting, shipped) = order.units(index);
        let (kind, from, left) = match rng.below(3) {
            0 => ("Unshipped", "waiting", waiting - taken[index].0),
            1 => ("Shipped", "shipped", shipped - taken[index].1),
            _ => ("Returned", "returned", shipped - taken[index].1),
        };
        if left == 0 {
            continue;
        }
        let quantity = rng.upto(left);
        let bucket = if from == "waiting" { &mut taken[index].0 } else { &mut taken[index].1 };
        *bucket += quantity;
        let id = sample.line(ME, order, index);
        let id = if rng.one_in(2) { number(&id) } else { json!(id) };
        let restock = rng.pick(&["return", "no_restock", "cancel"]);
        items.push(json!({"line_item_id": id, "quantity": quantity, "type": kind, "restock_type": restock}));
        asked.push(json!({"line": lines[index]["id"], "quantity": quantity, "from": from}));
    }
    if !items.is_empty() {
        keys.insert("refund_line_items".to_owned(), items.into());
        parts.insert("units".to_owned(), asked.into());
    }
}

fn shipping(rng: &mut Rng, order: &View, keys: &mut Map<String, Value>, parts: &mut Map<String, Value>) {
    let left = order.left("shipping");
    let gross: i64 = left.iter().map(super::order::Charge::gross).sum();
    let net: i64 = left.iter().map(|charge| charge.net).sum();
    if net == 0 || !rng.one_in(3) {
        return;
    }
    if rng.one_in(3) {
        keys.insert("shipping".to_owned(), json!({"full_refund": true}));
        parts.insert("shipping".to_owned(), json!("remaining"));
        return;
    }
    // An amount is what the shop's prices are: with tax where they include it.
    let (key, most) = if order.taxes_included() { ("gross", gross) } else { ("net", net) };
    let amount = order.print(rng.upto(most));
    keys.insert("shipping".to_owned(), json!({"amount": amount}));
    let own = if order.exponent == 0 { amount.trim_end_matches(".00").to_owned() } else { amount };
    parts.insert("shipping".to_owned(), json!({ key: own }));
}
