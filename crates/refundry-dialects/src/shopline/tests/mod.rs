//! The dialect, tried: requests, refusals, answers, orders.

mod answers;
mod orders;
mod requests;

use refundry_core::balances::Facts;
use refundry_core::intake::Intake;
use refundry_core::order::Id;
use serde_json::Value;

use crate::wire::{Header, Request, Response};

/// Noon of the day the quirks were checked, epoch milliseconds.
const NOW_MS: i64 = 1_795_435_200_000;
const PATH: &str = "/admin/openapi/v20220901/order/refund.json";

/// An example order of the repository, by file name.
pub(in crate::shopline) fn example(name: &str) -> Value {
    let path = format!("{}/../../examples/orders/shopline/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the example is there");
    serde_json::from_str(&text).expect("the example is JSON")
}

/// An order as the store would hold it: with numbers.
fn stored(mut intake: Intake) -> Facts {
    let number = |base: Id, index: usize| base + Id::try_from(index).expect("small");
    intake.order.id = 179_543_520_000_000_100;
    for (index, line) in intake.order.lines.iter_mut().enumerate() {
        line.id = number(179_543_520_000_000_200, index);
    }
    for (index, payment) in intake.order.payments.iter_mut().enumerate() {
        payment.id = number(179_543_520_000_000_300, index);
    }
    Facts::fresh(intake.order)
}

fn headers<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Header<'a>> {
    pairs.iter().map(|(name, value)| (*name, (*value).into())).collect()
}

fn post<'a>(path: &'a str, headers: &'a [Header<'a>], body: &'a str) -> Request<'a> {
    Request { method: "POST", path, query: "", headers, body: body.as_bytes(), now_ms: NOW_MS }
}

fn get<'a>(path: &'a str, query: &'a str) -> Request<'a> {
    Request { method: "GET", path, query, headers: &[], body: b"", now_ms: NOW_MS }
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}
