//! Refunds made in one API, read in all four: the same amount, the same state.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::order::{Sample, View, exponent, minor, text};
use crate::harness::{Client, TOKEN};

/// Compares all refunds of an order, as each API shows them, with what our own API says.
pub(super) fn everywhere(client: &mut Client, sample: &Sample, order: &View) {
    let listed = get(client, &format!("/v1/refunds?order={}&limit=100", sample.uid));
    let refunds = listed["data"].as_array().expect("a list");
    assert_eq!(refunds.len() as u64, order.count(), "{}", sample.file);
    let shoplazza = [shoplazza(client, sample, true), shoplazza(client, sample, false)];
    let shopline = by_id(&get(client, &shopline_path(sample, "refunds.json?limit=250"))["refunds"]);
    let path = format!("/refunds?orderId={}&limit=100", sample.id("digital-river"));
    let river = by_id(&get(client, &path)["data"]);
    for all in shoplazza.iter().chain([&shopline, &river]) {
        assert_eq!(all.len(), refunds.len(), "{}", sample.file);
    }
    for refund in refunds.iter().filter(|refund| refund["explanation"]["rule"] != "imported") {
        let number = text(&refund["id"]);
        assert_eq!(*refund, get(client, &format!("/v1/refunds/{number}")), "{}", sample.file);
        for records in &shoplazza {
            check_shoplazza(order, refund, &records[&number]);
        }
        let id = format!("260{number:0>19}");
        let one = get(client, &shopline_path(sample, &format!("refunds/{id}.json")));
        assert_eq!(one["refund"], shopline[&id], "{}", sample.file);
        check_shopline(order, refund, &shopline[&id]);
        let id = format!("ref_{number}");
        assert_eq!(get(client, &format!("/refunds/{id}")), river[&id], "{}", sample.file);
        check_river(order, refund, &river[&id]);
    }
}

fn get(client: &mut Client, path: &str) -> Value {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("access-token", TOKEN)];
    let answer = client.send("GET", path, &headers, b"").expect("an answer");
    assert_eq!(answer.status, 200, "{path} {}", answer.text());
    answer.json()
}

fn by_id(list: &Value) -> BTreeMap<String, Value> {
    let entries = list.as_array().expect("a list");
    entries.iter().map(|entry| (text(&entry["id"]), entry.clone())).collect()
}

fn shopline_path(sample: &Sample, rest: &str) -> String {
    format!("/admin/openapi/v20250601/orders/{}/{rest}", sample.id("shopline"))
}

/// Records of the modern list or of the legacy one.
fn shoplazza(client: &mut Client, sample: &Sample, modern: bool) -> BTreeMap<String, Value> {
    let (version, size) = if modern { ("2025-06", "page_size") } else { ("2022-01", "per_page") };
    let id = sample.id("shoplazza");
    let answer = get(client, &format!("/openapi/{version}/orders/refund_records?order_ids={id}&{size}=100"));
    by_id(if modern { &answer["data"]["records"] } else { &answer["records"] })
}

fn check_shoplazza(order: &View, refund: &Value, record: &Value) {
    let figure = |value: &Value| minor(value, order.exponent);
    let state = match refund["state"].as_str() {
        Some("succeeded") => "finished",
        Some(same) => same,
        None => panic!("a state"),
    };
    assert_eq!(record["refund_status"], state, "{record:#}");
    assert_eq!(figure(&record["refund_price"]), figure(&refund["amount"]), "{record:#}");
    let paid: Vec<i64> = entries(record, "payment_details").map(|payment| figure(&payment["refund_price"])).collect();
    let legs: Vec<i64> = entries(refund, "legs").map(|leg| figure(&leg["amount"])).collect();
    assert_eq!(paid, legs, "{record:#}");
    let units = |value: &Value, key: &str, each: &str| -> u64 {
        entries(value, key).map(|entry| entry[each].as_u64().expect("units")).sum()
    };
    assert_eq!(units(record, "refund_line_items", "refund_quantity"), units(refund, "units", "quantity"));
}

fn check_shopline(order: &View, refund: &Value, shown: &Value) {
    let mut legs = entries(refund, "legs");
    for transaction in entries(shown, "transactions") {
        let leg = legs.next().expect("a leg");
        let exponent = exponent(leg["own_currency"].as_str().expect("a currency"));
        assert_eq!(minor(&transaction["amount"], exponent), minor(&leg["own_amount"], exponent), "{shown:#}");
        assert_eq!(transaction["currency"], leg["own_currency"], "{shown:#}");
        let state = match leg["state"].as_str() {
            Some("succeeded") => "success",
            Some("failed") => "failure",
            _ => "pending",
        };
        assert_eq!(transaction["status"], state, "{shown:#}");
    }
    assert!(legs.next().is_none(), "{shown:#}");
    // Rows and adjustments explain the money to the cent, in the buyer's currency.
    let books = |set: &Value| minor(&set["presentment_money"]["amount"], order.exponent);
    let tax = |set: &Value| if order.taxes_included() { 0 } else { books(set) };
    let mut explained = 0;
    for row in entries(shown, "refund_line_items") {
        explained += books(&row["subtotal_set"]) + tax(&row["total_tax_set"]);
    }
    for adjustment in entries(shown, "order_adjustments") {
        let amount = books(&adjustment["amount_set"]);
        match adjustment["kind"].as_str() {
            Some("shipping_refund") => explained += amount + tax(&adjustment["tax_amount_set"]),
            // Negative where money goes back beyond the parts.
            Some("refund_discrepancy") => explained -= amount,
            _ => panic!("{adjustment:#}"),
        }
    }
    assert_eq!(explained, minor(&refund["amount"], order.exponent), "{shown:#}\n{refund:#}");
}

fn check_river(order: &View, refund: &Value, shown: &Value) {
    let figure = |value: &Value| minor(value, order.exponent);
    assert_eq!(shown["state"], refund["state"], "{shown:#}");
    let items: i64 = entries(shown, "items").map(|item| figure(&item["amount"])).sum();
    let amount = if shown["amount"].is_null() { items } else { figure(&shown["amount"]) };
    assert!(shown["amount"].is_null() || shown["items"] == json!([]), "{shown:#}");
    assert_eq!(amount, figure(&refund["amount"]), "{shown:#}\n{refund:#}");
    assert_eq!(figure(&shown["refundedAmount"]), figure(&refund["refunded"]), "{shown:#}");
    assert_eq!(shown["currency"], refund["currency"], "{shown:#}");
}

fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}
