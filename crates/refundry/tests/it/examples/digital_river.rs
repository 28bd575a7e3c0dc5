//! Digital River: amounts, percentages, items, component types, and at last a hundred percent.

use serde_json::{Value, json};

use super::order::{Charge, Sample, View, minor, number, text};
use super::rng::Rng;
use super::{Api, Ask};
use crate::harness::Client;

const ME: &str = "digital-river";
/// Below this many minor units a percentage may round to nothing.
const SAFE_FOR_PERCENT: i64 = 10_000;

pub(super) struct DigitalRiver;

impl Api for DigitalRiver {
    fn part(&self, rng: &mut Rng, _: &mut Client, sample: &Sample, order: &View) -> Option<Ask> {
        let left = available(order);
        if left == 0 {
            return None;
        }
        match rng.below(8) {
            0 => {
                let amount = rng.upto(left);
                Some(refund(sample, order, &amount_of(rng, order, amount)).coming_to(amount))
            }
            1 => Some(percent(rng, sample, order, left)),
            2..=4 => items(rng, sample, order, left),
            5 => typed(rng, sample, order, "shipping", &["shipping"], left),
            6 => typed(rng, sample, order, "duty", &["duties"], left),
            _ => taxes(rng, sample, order, left),
        }
    }

    fn rest(&self, _: &mut Rng, sample: &Sample, order: &View) -> Option<Ask> {
        let left = available(order);
        (left > 0).then(|| refund(sample, order, &json!({"percent": 100})).coming_to(left))
    }

    fn number(&self, answer: &Value) -> String {
        text(&answer["id"]).strip_prefix("ref_").expect("a refund's id").to_owned()
    }

    fn leaves(&self, before: &View) -> i64 {
        before.refundable() - available(before)
    }
}

/// What components and payments both have left.
fn available(order: &View) -> i64 {
    order.components_left().min(order.refundable())
}

fn refund(sample: &Sample, order: &View, how: &Value) -> Ask {
    let mut body = how.clone();
    body["orderId"] = json!(sample.id(ME));
    body["currency"] = json!(order.currency());
    Ask { discrepancy: Some(0), ..Ask::new("/refunds".to_owned(), &body) }
}

/// An amount as number or text.
fn amount_of(rng: &mut Rng, order: &View, amount: i64) -> Value {
    let text = order.print(amount);
    json!({ "amount": if rng.one_in(3) { json!(text) } else { number(&text) } })
}

fn percent(rng: &mut Rng, sample: &Sample, order: &View, left: i64) -> Ask {
    let percent = rng.pick(&["0.5", "12.5", "33.3333", "50", "99.99"]).expect("a percentage");
    let ask = refund(sample, order, &json!({ "percent": number(percent) }));
    Ask { certain: left >= SAFE_FOR_PERCENT, ..ask }
}

/// Some of one component type, or all of it by percentage.
fn typed(rng: &mut Rng, sample: &Sample, order: &View, class: &str, keys: &[&str], left: i64) -> Option<Ask> {
    let whole = order.gross_left(keys);
    if whole == 0 || whole > left {
        return None;
    }
    let (mut how, amount) = if rng.one_in(3) {
        (json!({"percent": 100}), whole)
    } else {
        let amount = rng.upto(whole);
        (amount_of(rng, order, amount), amount)
    };
    how["type"] = json!(class);
    Some(refund(sample, order, &how).coming_to(amount))
}

/// Taxes go back whole, or not at all.
fn taxes(rng: &mut Rng, sample: &Sample, order: &View, left: i64) -> Option<Ask> {
    let (class, whole) = if rng.one_in(2) {
        ("importer_tax", order.gross_left(&["importer_tax"]))
    } else {
        let keys = ["lines", "shipping", "tip", "additional", "duties", "fees"];
        ("tax", keys.iter().flat_map(|key| order.left(key)).map(|charge| charge.tax).sum())
    };
    if whole == 0 || whole > left {
        return None;
    }
    let mut how = if rng.one_in(2) { json!({"percent": "100"}) } else { amount_of(rng, order, whole) };
    how["type"] = json!(class);
    Some(refund(sample, order, &how).coming_to(whole))
}

/// One or two lines: an amount for all of it, an amount a unit, or a percentage; of the goods or of another part.
fn items(rng: &mut Rng, sample: &Sample, order: &View, left: i64) -> Option<Ask> {
    let lines = order.list("lines");
    let (mut items, mut total, mut certain) = (Vec::new(), 0, true);
    let first = usize::try_from(rng.below(lines.len() as u64)).expect("an index");
    let count = usize::try_from(rng.upto(2)).expect("a count").min(lines.len());
    for index in (0..count).map(|step| (first + step) % lines.len()) {
        let line = &lines[index];
        let (kind, key) = match rng.below(6) {
            0 => (Some("shipping"), "shipping"),
            1 => (Some("duty"), "duties"),
            2 => (Some("fees"), "fees"),
            _ => (None, "lines"),
        };
        let id = text(&line["id"]);
        let part: i64 = order.left(key).iter().filter(|charge| charge.line == id).map(Charge::gross).sum();
        let room = part.min(left - total);
        if room <= 0 {
            continue;
        }
        let mut item = json!({});
        let sku = text(&line["sku"]);
        let unique = !sku.is_empty() && lines.iter().filter(|line| line["sku"] == json!(sku)).count() == 1;
        if unique && rng.one_in(3) {
            item["skuId"] = json!(sku);
        } else {
            item["itemId"] = json!(sample.line(ME, order, index));
        }
        if let Some(kind) = kind {
            item["type"] = json!(kind);
        }
        let (amount, sure) = item_money(rng, order, line, room, &mut item, kind.is_none());
        total += amount;
        certain &= sure;
        items.push(item);
    }
    if items.is_empty() {
        return None;
    }
    let ask = refund(sample, order, &json!({ "items": items }));
    Some(if certain { ask.coming_to(total) } else { Ask { certain, ..ask } })
}

/// How much of an item, what that comes to, and whether that is sure.
fn item_money(rng: &mut Rng, order: &View, line: &Value, room: i64, item: &mut Value, goods: bool) -> (i64, bool) {
    let ordered = line["quantity"].as_i64().expect("a quantity");
    let quantity = rng.upto(ordered);
    if goods && rng.one_in(3) {
        let whole = minor(&line["net"], order.exponent) + minor(&line["tax"], order.exponent);
        let percent = rng.upto(100);
        item["percent"] = json!(percent);
        item["quantity"] = json!(quantity);
        // Half up, as a till rounds.
        let amount = (2 * whole * percent * quantity + 100 * ordered) / (2 * 100 * ordered);
        return (amount, amount > 0 && amount <= room);
    }
    if room >= quantity && rng.one_in(2) {
        let each = rng.upto(room / quantity);
        item["amount"] = number(&order.print(each));
        item["quantity"] = json!(quantity);
        return (each * quantity, true);
    }
    let amount = rng.upto(room);
    item["amount"] = number(&order.print(amount));
    (amount, true)
}
