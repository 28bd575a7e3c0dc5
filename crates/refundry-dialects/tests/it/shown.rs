//! Orders of SHOPLINE as they are shown: every example as it came, to the cent, and what is shown is taken in again as
//! the same order.

use std::fs;
use std::path::Path;

use refundry_core::intake::Intake;
use refundry_core::order::Dialect;
use refundry_dialects::{Request, read_order};
use serde_json::Value;

use crate::engine::Engine;
use crate::golden::listed;
use crate::intake;

const NOW_MS: i64 = 1_795_435_200_000;

fn examples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders/shopline");
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).expect("a readable file");
        serde_json::from_str(&text).expect("JSON")
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    listed(&folder).iter().map(|path| (name(path), read(path))).collect()
}

fn taken(document: &Value) -> Intake {
    read_order(Dialect::Shopline, document, NOW_MS).expect("it is read")
}

/// The order as it is shown after it was taken in.
fn shown(document: &Value) -> Value {
    let mut engine = Engine::new();
    intake::take_in(&mut engine, taken(document)).unwrap_or_else(|fault| panic!("{fault:?}"));
    let id = document["order"]["id"].as_str().expect("an id");
    let path = format!("/admin/openapi/v20260301/orders/{id}.json");
    let headers = [("authorization", "Bearer t".into())];
    let request = Request { method: "GET", path: &path, query: "", headers: &headers, body: b"", now_ms: NOW_MS };
    let answer = engine.serve(&request).response;
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// Where two values differ, as far as both have a key. Nothing is nothing, however it is written.
fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, ours) in ours {
                if let Some(theirs) = theirs.get(key) {
                    differences(&format!("{path}.{key}"), ours, theirs, found);
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differences(&format!("{path}[{place}]"), ours, theirs, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (ours, theirs) if ours == theirs || (is_empty(ours) && is_empty(theirs)) => {}
        _ => found.push(format!("{path}: {ours} for {theirs}")),
    }
}

/// What the platform says of a refund that was settled there, and nobody keeps.
const NOT_KEPT: [&str; 6] = ["channel_refund_id", "processed_at", "status_update_at", "user_id", "id", "updated_at"];

#[test]
fn an_order_is_shown_as_it_came() {
    let mut found = Vec::new();
    for (name, document) in examples() {
        let mut theirs = document["order"].clone();
        // Parcels that were packed elsewhere are not known here, only that their units are gone.
        theirs.as_object_mut().unwrap().remove("fulfillments");
        differences(&name, &shown(&document)["order"], &theirs, &mut found);
    }
    let last =
        |path: &str| path.split(':').next().unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned();
    found.retain(|fault| !fault.contains(".refunds[") || !NOT_KEPT.contains(&last(fault).as_str()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_shown_is_taken_in_as_the_same_order() {
    for (name, document) in examples() {
        let (first, mut again) = (taken(&document), taken(&shown(&document)));
        // Without parcels, units that were refunded before they left look as if they had left.
        for (line, known) in again.order.lines.iter_mut().zip(&first.order.lines) {
            line.shipped = line.shipped.min(known.shipped);
        }
        assert_eq!(again.order, first.order, "{name}");
        let money = |intake: &Intake| {
            let money = intake.refunds.iter().map(|past| (past.legs.clone(), past.allocations.clone()));
            money.collect::<Vec<_>>()
        };
        assert_eq!(money(&again), money(&first), "{name}");
    }
}
