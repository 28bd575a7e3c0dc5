//! Real answers of Shoplazza's API, over a socket, against the list of every key: each operation in each version that
//! has it, granted once and refused in the ways in which any operation can be.
//!
//! [`check`] is for every test that talks to this API.

use std::collections::{BTreeMap, BTreeSet};

use refundry_dialects::keys::{is_of, versions};
use refundry_dialects::shoplazza;
use refundry_dialects::shoplazza::operations::{OPERATIONS, Operation, base};
use serde_json::Value;

use crate::harness::{Answer, Backend, Client, Place, TOKEN, order, put_orders, settled};

on_both!(every_answer_has_the_documented_keys);

/// Panics unless an answer has the documented keys, all of them and no others, each of its type.
///
/// `version` is as in the path, empty for a path without; `path` begins below it and has no query.
#[track_caller]
pub(crate) fn check(version: &str, method: &str, path: &str, status: u16, body: &Value) {
    let faults = shoplazza::keys().check(version, method, path, status, body);
    assert!(faults.is_empty(), "{method} {path} of `{version}`, {status}: {}\n{body:#}", faults.join("; "));
}

/// A call that is granted. `{name}` in path and body is what [`Walk::names`] has.
struct Step {
    method: &'static str,
    /// Below the version, with its query.
    path: &'static str,
    /// The body in legacy and in modern versions; empty for none.
    bodies: (&'static str, &'static str),
    /// What to remember of the answer: a name, and where it stands below `data` or the top.
    learn: &'static [(&'static str, &'static str)],
}

const fn get(path: &'static str) -> Step {
    Step { method: "GET", path, bodies: ("", ""), learn: &[] }
}

const fn send(method: &'static str, path: &'static str, legacy: &'static str, modern: &'static str) -> Step {
    Step { method, path, bodies: (legacy, modern), learn: &[] }
}

/// An order with two payments and two refunds, as the platform exports it; the demo has it.
const RICH: &str = "625832068831405057";

/// Operations that another test walks, because they need more than a few calls to be granted.
const ELSEWHERE: &[&str] = &[];

/// The calls, in order; one that no endpoint answers in a version is left out there.
const STEPS: &[Step] = &[
    Step {
        learn: &[("case", "/post_sale_id"), ("record", "/refund_record_id")],
        ..send(
            "POST",
            "/orders/{order}/refund",
            "",
            r#"{"refund": {"refund_total": "10.00", "note": "torn", "refund_line_items": [
                {"line_item_id": "{order}-l0", "quantity": 1, "return_inventory": true}]}}"#,
        )
    },
    send(
        "POST",
        "/orders/{other}/partial_refund",
        r#"{"is_return": false, "line_items": [{"id": "{other}-l0", "quantity": 2}]}"#,
        "",
    ),
    get("/orders/refund_records"),
    get("/orders/refund_records?order_ids={order}&sort_by=updated_at&sort_direction=asc"),
    get("/orders/refund_records/count?order_ids={order}"),
    get("/orders/{order}/refund"),
    get("/orders/{other}/refund"),
    get("/orders/{rich}/refund"),
];

/// Where the walk is.
struct Walk {
    client: Client,
    version: &'static str,
    is_modern: bool,
    names: BTreeMap<&'static str, String>,
    granted: BTreeSet<&'static str>,
}

impl Walk {
    fn filled(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    #[track_caller]
    fn ask(&mut self, method: &str, target: &str, body: &str, token: Option<&str>) -> Answer {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(token.map(|token| ("access-token", token)));
        let whole = format!("{}{target}", base(self.version));
        let answer = self.client.send(method, &whole, &headers, body.as_bytes()).expect("an answer");
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        assert!(answer.header("request-id").is_some(), "{method} {target} has no Request-Id");
        check(self.version, method, path, answer.status, &answer.json());
        answer
    }

    #[track_caller]
    fn take(&mut self, step: &Step) {
        let target = self.filled(step.path);
        let (path, _) = target.split_once('?').unwrap_or((&target, ""));
        let Some(row) = row_of(step.method, path, self.version) else { return };
        let body = self.filled(if self.is_modern { step.bodies.1 } else { step.bodies.0 });
        let answer = self.ask(step.method, &target, &body, Some(TOKEN));
        assert_eq!(answer.status, 200, "{} {target} of `{}`: {}", step.method, self.version, answer.text());
        self.granted.insert(name_of(row));
        let answer = answer.json();
        let data = if self.is_modern { &answer["data"] } else { &answer };
        for (name, place) in step.learn {
            if let Some(value) = data.pointer(place).and_then(Value::as_str) {
                self.names.insert(name, value.to_owned());
            }
        }
    }

    /// No token, no such thing, no JSON.
    fn be_refused(&mut self, row: &Operation) {
        let path = row.path_with("", "nowhere-7").replacen("/openapi", "", 1);
        assert_eq!(self.ask(row.method, &path, "", None).status, 401, "{} {path}", row.method);
        assert_eq!(self.ask(row.method, &path, "", Some("sk_test_nobody")).status, 401, "{} {path}", row.method);
        let own = row.own_refusals(self.version);
        if row.path.contains('{') && own.contains(&404) {
            // What the body lacks may be told first.
            let status = self.ask(row.method, &path, "", Some(TOKEN)).status;
            assert!(own.contains(&status), "{} {path} of `{}`: {status}", row.method, self.version);
        }
        if matches!(row.method, "POST" | "PUT") && own.contains(&400) {
            let status = self.ask(row.method, &path, "[", Some(TOKEN)).status;
            assert!(own.contains(&status), "{} {path} of `{}`: {status}", row.method, self.version);
        }
    }
}

/// The row of a call: a literal path before one with parameters.
fn row_of(method: &str, path: &str, version: &str) -> Option<&'static Operation> {
    let fits = |row: &&Operation| row.method == method && row.is_routed(version) && is_of(row.path, path);
    OPERATIONS.iter().filter(fits).min_by_key(|row| row.path.matches('{').count())
}

/// A name that is the same in all versions.
fn name_of(row: &'static Operation) -> &'static str {
    row.about
}

fn every_answer_has_the_documented_keys(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    for version in versions() {
        let mut client = server.client();
        let handle = if version.is_empty() { "none" } else { version };
        let [first, second, third] = ["a", "b", "c"].map(|which| format!("walk-{handle}-{which}"));
        put_orders(&mut client, &[order(&first, 2), order(&second, 1), order(&third, 1)]);
        let names = [("order", first), ("other", second), ("spent", third), ("rich", RICH.to_owned())];
        let is_modern = version > "2024";
        let mut walk = Walk { client, version, is_modern, names: names.into(), granted: BTreeSet::new() };
        for step in STEPS {
            walk.take(step);
        }
        if !is_modern {
            walk.take(&send("POST", "/orders/{spent}/refund", "", ""));
        }
        settled(&mut walk.client);
        // Once more, now that the money is back.
        STEPS.iter().filter(|step| step.method == "GET").for_each(|step| walk.take(step));
        for row in OPERATIONS.iter().filter(|row| row.is_routed(version)) {
            walk.be_refused(row);
            let is_walked = walk.granted.contains(name_of(row)) || ELSEWHERE.contains(&name_of(row));
            assert!(is_walked, "{} {} of `{version}`: no step is granted it", row.method, row.path);
        }
    }
    drop(server);
    place.assert_clean();
}
