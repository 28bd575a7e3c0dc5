//! What goldens answer, against the list of every key that the platform documents: none missing, none renamed, none of
//! another type, none beside them. The list is `src/shoplazza/keys.txt`; its head says how it is read.

use std::fs;
use std::path::Path;

use refundry_core::balances::Facts;
use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id};
use refundry_core::parcels::{Parcel, ParcelState, ParcelUnits, Tracking};
use refundry_dialects::OrderView;
use refundry_dialects::hooks::{HookEvent, body};
use refundry_dialects::keys::{self, Kind, List};
use refundry_dialects::shoplazza;
use serde_json::{Value, json};

use crate::fixtures;
use crate::golden::{Section, parse};

/// The answers of a dialect's goldens: where, method, path, status, body.
fn answers(dialect: &str) -> Vec<(String, String, String, u16, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(dialect);
    let mut found = Vec::new();
    for path in crate::golden::listed(&folder) {
        let text = fs::read_to_string(&path).expect("a readable file");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut asked = None;
        for section in parse(&text).1 {
            match section.word {
                "request" => asked = section.body.lines().next().and_then(|line| line.split_once(' ')),
                "response" => {
                    let (method, target) = asked.expect("a response follows a request");
                    let (path, _) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
                    let (status, body) = answer(&section);
                    let place = format!("{name}:{}", section.line);
                    let body = body.and_then(|body| serde_json::from_str(body).ok());
                    found.extend(body.map(|body| (place, method.to_owned(), path.to_owned(), status, body)));
                }
                _ => {}
            }
        }
    }
    found
}

fn answer<'a>(section: &Section<'a>) -> (u16, Option<&'a str>) {
    let (head, body) = section.body.trim().split_once("\n\n").unwrap_or((section.body.trim(), ""));
    let status = head.lines().next().and_then(|line| line.trim().parse().ok()).expect("a status");
    (status, Some(body).filter(|body| !body.is_empty()))
}

#[test]
fn shoplazzas_answers_have_the_documented_keys() {
    crate::golden::played();
    let list = shoplazza::keys();
    let (mut checked, mut faults) = (0, Vec::new());
    for (place, method, path, status, body) in answers("shoplazza") {
        // No list is of a version that is not supported.
        let Some((version, path)) = keys::version_of(&path) else { continue };
        checked += 1;
        let found = list.check(version, &method, path, status, &body);
        faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
    }
    assert!(faults.is_empty(), "{} of {checked} answers:\n{}", faults.len(), faults.join("\n"));
    assert!(checked > 100, "only {checked} answers were looked at");
}

fn parcel(order: Id, units: Vec<ParcelUnits>) -> Parcel {
    Parcel {
        id: 7,
        order,
        external_id: None,
        number: 1,
        state: ParcelState::Shipped,
        units,
        tracking: Tracking::default(),
        created_ms: 0,
        updated_ms: 0,
    }
}

#[test]
fn shoplazzas_deliveries_have_the_documented_keys() {
    let list = shoplazza::keys();
    let mut faults = Vec::new();
    for (name, order) in fixtures::ALL.iter().map(|(name, make)| (name, make())) {
        let units = order.lines.iter().map(|line| ParcelUnits { line: line.id, quantity: 1 }).collect();
        let parcel = parcel(order.id, units);
        let order = OrderView { parcels: vec![parcel.clone()], ..OrderView::bare(Facts::fresh(order)) };
        let order = HookEvent { kind: EventKind::OrderCreated, order, asked_last: Amount::ZERO, parcel: Some(parcel) };
        for kind in EventKind::ALL {
            let topic = if kind == EventKind::ParcelCreated { "fulfillments/*" } else { "orders/*" };
            let tree = list.tree(topic, "", "2026-01", Kind::Delivery).expect("it is listed");
            let body = body(Dialect::Shoplazza, &HookEvent { kind, ..order.clone() }).expect("it has a body");
            tree.check(&serde_json::from_str(&body).unwrap(), "", &mut |fault| {
                faults.push(format!("{name}, {}: {fault}", kind.code()));
            });
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_list_tells_what_an_answer_lacks_and_has_too_much() {
    let list = List::read(
        "// Two generations.\n\n# GET /things/{id} · L,M · answer\nid string\nmoney string money\nwhen string time? M\n\
         owner @person\nlist array optional\nlist[] integer\nfree object free\nstate string @states\n\n\
         # @person · L,M · object\nname string\nage integer M\n\n# @states · L,M · words\nopen closed\n",
    )
    .unwrap();
    let cases: [(&str, &str, &[&str]); 6] = [
        ("2022-01", r#"{"id":"1","money":"1.00","owner":{"name":"a"},"free":{"x":[1]},"state":"open"}"#, &[]),
        (
            "2026-01",
            r#"{"id":"1","money":"1.00","when":null,"owner":{"name":"a","age":3},"list":[1],"free":{},"state":"closed"}"#,
            &[],
        ),
        ("2022-01", r#"{"id":"1","money":"1.00","owner":{},"free":{},"state":"open"}"#, &["owner.name is missing"]),
        (
            "2022-01",
            r#"{"id":1,"money":"1.0","owner":{"name":"a","age":3},"free":{},"state":"ajar"}"#,
            &[
                "id should be string, not 1",
                "money should be string money, not \"1.0\"",
                "owner.age is not listed",
                "state should be string @states, not \"ajar\"",
            ],
        ),
        (
            "2026-01",
            r#"{"id":"1","money":"-10.00","when":"2024-06-24","owner":{"name":"a","age":3},"list":["1"],"free":{},"state":"open"}"#,
            &["list[] should be integer, not \"1\"", "when should be string time, not \"2024-06-24\""],
        ),
        ("2026-01", "[]", &["the whole should be object, not []"]),
    ];
    for (version, body, expected) in cases {
        let tree = list.tree("GET", "/things/9", version, Kind::Answer).unwrap();
        let mut faults = Vec::new();
        tree.check(&serde_json::from_str(body).unwrap(), "", &mut |fault| faults.push(fault));
        faults.sort();
        assert_eq!(faults, expected, "{version} {body}");
    }
    assert!(list.tree("GET", "/things", "2022-01", Kind::Answer).is_none());
    for (wrong, told) in [
        ("# GET /a · L\nid string\n", "line 1"),
        ("# GET /a · L · answer\nid\n", "line 2"),
        ("# GET /a · L · answer\nid text\n", "line 2"),
        ("# GET /a · L · answer\nid string 2099-01\n", "line 2"),
        ("# GET /a · L · answer\nowner @nobody\n", "@nobody"),
        ("# GET /a · L · answer\nowner.name string\n", "owner.name"),
        ("# GET /a · L · answer\nid string\nid string\n", "line 3"),
    ] {
        let found = List::read(wrong).map(|_| ()).unwrap_err();
        assert!(found.contains(told), "{wrong:?}: {found}");
    }
}

#[test]
fn an_answer_is_checked_as_what_its_status_says() {
    let list = List::read(
        "# POST /things · L · answer\nid string\n\n# POST /things · L · refusal\nerrors object\n\n\
         # GET /things/{id} · L · answer\nid string\n\n# * * · L · refusal\nerror string\n",
    )
    .unwrap();
    let faults = |call: &str, status, body: Value| {
        let (method, path) = call.split_once(' ').unwrap();
        list.check("2022-01", method, path, status, &body).join("; ")
    };
    assert_eq!(faults("POST /things", 200, json!({"id": "1"})), "");
    assert_eq!(faults("POST /things", 200, json!({"errors": {}})), "id is missing; errors is not listed");
    // A refusal of its own, or one that any call may be given.
    assert_eq!(faults("POST /things", 422, json!({"errors": {}})), "");
    assert_eq!(faults("POST /things", 401, json!({"error": "no"})), "");
    assert_eq!(faults("GET /things/7", 401, json!({"error": "no"})), "");
    assert_eq!(faults("GET /things/7", 401, json!({"errors": {}})), "error is missing; errors is not listed");
    assert_eq!(faults("GET /nothing", 404, json!({"error": "no"})), "");
    assert_eq!(faults("GET /nothing", 200, json!({"id": "1"})), "GET /nothing of `2022-01` is not listed");
    assert_eq!(keys::version_of("/openapi"), None);
    assert_eq!(keys::version_of("/openapi/2099-01/things"), None);
    assert_eq!(keys::version_of("/openapi/things.json"), Some(("", "/things")));
    assert_eq!(keys::version_of("/openapi/2022-01/things/"), Some(("2022-01", "/things")));
}
