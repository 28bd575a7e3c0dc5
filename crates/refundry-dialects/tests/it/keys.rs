//! What goldens answer, against the list of every key that the platform documents: none missing, none renamed, none of
//! another type, none beside them. The lists are `src/<dialect>/keys.txt`; their heads say how they are read.

use std::fs;
use std::path::Path;

use refundry_core::balances::Facts;
use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id};
use refundry_core::parcels::{Parcel, ParcelState, ParcelUnits, Tracking};
use refundry_dialects::OrderView;
use refundry_dialects::hooks::{About, HookEvent, OrderTold, Subject, body};
use refundry_dialects::keys::{Kind, List, Versions};
use refundry_dialects::shoplazza::{self, VERSIONS};
use refundry_dialects::shopline;
use serde_json::{Value, json};

use crate::fixtures;
use crate::golden::{Section, parse};

/// An answer of a golden.
struct Answer {
    /// File and line.
    place: String,
    method: String,
    path: String,
    query: String,
    status: u16,
    body: Value,
}

/// The answers of a dialect's goldens that have a body.
fn answers(dialect: &str) -> Vec<Answer> {
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
                    let (path, query) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
                    let (status, body) = answer(&section);
                    let body = body.and_then(|body| serde_json::from_str(body).ok());
                    found.extend(body.map(|body| Answer {
                        place: format!("{name}:{}", section.line),
                        method: method.to_owned(),
                        path: path.to_owned(),
                        query: query.to_owned(),
                        status,
                        body,
                    }));
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
    for answer in answers("shoplazza") {
        // No list is of a version that is not supported.
        let Some((version, path)) = shoplazza::version_of(&answer.path) else { continue };
        checked += 1;
        let found = list.check(version, &answer.method, path, answer.status, &answer.body);
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", answer.place)));
    }
    assert!(faults.is_empty(), "{} of {checked} answers:\n{}", faults.len(), faults.join("\n"));
    assert!(checked > 100, "only {checked} answers were looked at");
}

#[test]
fn shoplines_answers_have_the_documented_keys() {
    crate::golden::played();
    let list = List::read(shopline::VERSIONS, include_str!("../../src/shopline/keys.txt")).expect("it can be read");
    let (mut checked, mut faults) = (0, Vec::new());
    for Answer { place, method, path, query, status, body } in answers("shopline") {
        let Some((version, path)) = shopline::version_of(&path) else { continue };
        checked += 1;
        assert!(status == 200 || status >= 400, "{place}: {status} is no status of this API");
        let mut found = list.check(version, &method, path, status, &body);
        // Entries of a list have the keys that were asked for; the list itself knows of all of them.
        if let Some((_, names)) =
            query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == "fields")
        {
            let names = names.replace("%2C", ",");
            let is_wanted = |key: &str| names.split(',').any(|name| name == key);
            found.retain(|fault| {
                let key = fault.strip_suffix(" is missing").and_then(|path| path.split_once("[]."));
                key.is_none_or(|(_, key)| key.contains('.') || is_wanted(key))
            });
        }
        faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
    }
    assert!(faults.is_empty(), "{} of {checked} answers:\n{}", faults.len(), faults.join("\n"));
    assert!(checked > 50, "only {checked} answers were looked at");
}

/// Where each golden has a delivery: headers and body.
fn deliveries(dialect: &str) -> Vec<(String, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(dialect);
    let mut found = Vec::new();
    for path in crate::golden::listed(&folder) {
        let text = fs::read_to_string(&path).expect("a readable file");
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for section in parse(&text).1.iter().filter(|section| section.word == "delivery") {
            let (head, body) = section.body.trim().split_once("\n\n").expect("headers and a body");
            let body = serde_json::from_str(body).expect("a body is JSON");
            found.push((format!("{name}:{}", section.line), head.to_owned(), body));
        }
    }
    found
}

#[test]
fn shoplines_deliveries_have_the_documented_keys() {
    crate::golden::played();
    let (list, mut faults) = (shopline::keys(), Vec::new());
    let mut seen: std::collections::BTreeSet<(String, String)> = std::collections::BTreeSet::new();
    for (place, head, body) in deliveries("shopline") {
        let header = |name: &str| {
            let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.filter(|value| !value.is_empty()).unwrap_or_else(|| panic!("{place} has no {name}"))
        };
        for name in ["Hmac-Sha256", "Shop-Domain", "Shop-Id", "Merchant-Id"] {
            header(&format!("X-Shopline-{name}"));
        }
        let id = header("X-Shopline-Webhook-Id");
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{place}: {id}");
        let topic = header("X-Shopline-Topic");
        let path = format!("/admin/openapi/{}/webhooks.json", header("X-Shopline-API-Version"));
        let (version, _) = shopline::version_of(&path).expect("it names a version");
        let all = format!("{}/*", topic.split_once('/').expect("a topic has two words").0);
        let tree = [topic, &all].iter().find_map(|topic| list.tree(topic, "", version, Kind::Delivery));
        let tree = tree.unwrap_or_else(|| panic!("{topic} is not listed"));
        tree.check(&body, "", &mut |fault| faults.push(format!("{place}, {topic}: {fault}")));
        seen.insert((topic.to_owned(), version.to_owned()));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // Each topic that anything happens under; one stands for all of orders.
    assert_eq!(seen.len(), 2 * 9, "{seen:?}");
}

#[test]
fn shoplines_orders_are_told_with_the_documented_keys() {
    let (list, mut faults) = (shopline::keys(), Vec::new());
    let kinds = [
        EventKind::OrderCreated,
        EventKind::OrderUpdated,
        EventKind::OrderEdited,
        EventKind::OrderPaid,
        EventKind::OrderPartlyFulfilled,
        EventKind::OrderFulfilled,
        EventKind::OrderCancelled,
        EventKind::OrderDeleted,
    ];
    for (name, order) in fixtures::ALL.iter().map(|(name, make)| (name, make())) {
        let order = OrderView::bare(Facts::fresh(order));
        for version in shopline::VERSIONS.all().filter(|version| *version >= "v20240601") {
            let tree = list.tree("orders/*", "", version, Kind::Delivery).expect("it is listed");
            for kind in kinds {
                let told = OrderTold { order: order.clone(), asked_last: Amount::ZERO, subject: Subject::Order };
                let about = About::Order(Box::new(told));
                let body = body(Dialect::Shopline, &HookEvent { kind, version: version.to_owned(), about });
                tree.check(&serde_json::from_str(&body.expect("it has a body")).unwrap(), "", &mut |fault| {
                    faults.push(format!("{name}, {} in {version}: {fault}", kind.code()));
                });
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_date_names_the_version_of_shopline_that_was_there() {
    for (path, found) in [
        ("/admin/openapi/v20220901/order/refund.json", Some(("v20220901", "/order/refund.json"))),
        ("/admin/openapi/v20240930/orders.json", Some(("v20240601", "/orders.json"))),
        ("/admin/openapi/v20200101/orders.json", Some(("v20210901", "/orders.json"))),
        ("/admin/openapi/v99991231/1/webhooks.json", Some(("v20270301", "/1/webhooks.json"))),
        (
            "/payments_apps/openapi/v20250601/payment/notify/1/a/refund.json",
            Some(("v20250601", "/payment/notify/1/a/refund.json")),
        ),
        ("/admin/openapi/v2025-06/orders.json", None),
        ("/admin/openapi/v20220901", None),
        ("/openapi/2022-01/orders", None),
    ] {
        assert_eq!(shopline::version_of(path), found, "{path}");
    }
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

/// What its subscribers can hear of.
const SHOPLAZZAS: [EventKind; 11] = [
    EventKind::OrderCreated,
    EventKind::OrderUpdated,
    EventKind::OrderPaid,
    EventKind::OrderPartlyFulfilled,
    EventKind::OrderFulfilled,
    EventKind::OrderFinished,
    EventKind::OrderPartlyRefunded,
    EventKind::OrderRefunded,
    EventKind::OrderCancelled,
    EventKind::OrderDeleted,
    EventKind::ParcelCreated,
];

#[test]
fn shoplazzas_deliveries_have_the_documented_keys() {
    let list = shoplazza::keys();
    let mut faults = Vec::new();
    for (name, order) in fixtures::ALL.iter().map(|(name, make)| (name, make())) {
        let units = order.lines.iter().map(|line| ParcelUnits { line: line.id, quantity: 1 }).collect();
        let parcel = parcel(order.id, units);
        let order = OrderView { parcels: vec![parcel.clone()], ..OrderView::bare(Facts::fresh(order)) };
        let told = OrderTold { order, asked_last: Amount::ZERO, subject: Subject::Parcel(parcel) };
        let about = About::Order(Box::new(told));
        let of_order = HookEvent { kind: EventKind::OrderCreated, version: "2026-01".to_owned(), about };
        for kind in SHOPLAZZAS {
            let topic = if kind == EventKind::ParcelCreated { "fulfillments/*" } else { "orders/*" };
            let tree = list.tree(topic, "", "2026-01", Kind::Delivery).expect("it is listed");
            let body = body(Dialect::Shoplazza, &HookEvent { kind, ..of_order.clone() }).expect("it has a body");
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
        VERSIONS,
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
        let found = List::read(VERSIONS, wrong).map(|_| ()).unwrap_err();
        assert!(found.contains(told), "{wrong:?}: {found}");
    }
}

#[test]
fn an_answer_is_checked_as_what_its_status_says() {
    let list = List::read(
        VERSIONS,
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
    assert_eq!(shoplazza::version_of("/openapi"), None);
    assert_eq!(shoplazza::version_of("/openapi/2099-01/things"), None);
    assert_eq!(shoplazza::version_of("/openapi/things.json"), Some(("", "/things")));
    assert_eq!(shoplazza::version_of("/openapi/2022-01/things/"), Some(("2022-01", "/things")));
}

#[test]
fn versions_are_read_as_a_list_writes_them() {
    let versions = Versions { groups: &[("old", &["", "v1"]), ("new", &["v2", "v3"])] };
    let read = |text| versions.read(text).map(|found| found.into_iter().collect::<Vec<_>>());
    assert_eq!(versions.all().collect::<Vec<_>>(), ["", "v1", "v2", "v3"]);
    for (text, found) in [
        ("old", Some(vec!["", "v1"])),
        ("old,new", Some(vec!["", "v1", "v2", "v3"])),
        ("v2", Some(vec!["v2"])),
        ("v1+", Some(vec!["v1", "v2", "v3"])),
        ("v2-", Some(vec!["", "v1", "v2"])),
        ("v1,v3", Some(vec!["v1", "v3"])),
        ("", None),
        ("+", None),
        ("v4", None),
        ("old,v4", None),
    ] {
        assert_eq!(read(text), found, "{text}");
    }
    let list = List::read(
        versions,
        "# GET /a/{id}.json · old,new · answer\nown @a\nnewest @a:new new\n\n\
         # GET /a/count.json · old · answer\ncount integer\n\n\
         # @a · v2- · object\nid string v1-\nid integer v2\n\n# @a · v3 · object\nid number\n",
    )
    .unwrap();
    let faults = |version, path, body: Value| list.check(version, "GET", path, 200, &body).join("; ");
    assert_eq!(faults("", "/a/7.json", json!({"own": {"id": "1"}})), "");
    assert_eq!(faults("v2", "/a/7.json", json!({"own": {"id": 1}, "newest": {"id": 1.5}})), "");
    assert_eq!(
        faults("v2", "/a/7.json", json!({"own": {"id": "1"}, "newest": {"id": 1}})),
        "own.id should be integer, not \"1\""
    );
    // A literal before what is any text, where it is listed.
    assert_eq!(faults("v1", "/a/count.json", json!({"count": 1})), "");
    assert_eq!(faults("v2", "/a/count.json", json!({"own": {"id": 1}, "newest": {"id": 1}})), "");
    assert_eq!(faults("v1", "/a/7", json!({})), "GET /a/7 of `v1` is not listed");
}

#[test]
fn values_are_checked_as_their_type_is_written() {
    let versions = Versions { groups: &[("all", &["v1"])] };
    for (shape, right, wrong) in [
        ("string money", &[r#""1.00""#, r#""-0.125""#][..], &[r#""1""#, r#""1.0""#, "1.00"][..]),
        ("number money", &["1.00", "-8.0", "10", "0.125"], &[r#""1.00""#, "1e3", "0.33333"]),
        ("integer minor", &["123", "-5"], &["1.0", r#""123""#]),
        ("string minor", &[r#""123""#, r#""-5""#], &[r#""1.0""#, r#""""#, "123"]),
        ("string digits", &[r#""21057520029298437725452511""#], &[r#""""#, r#""-1""#, r#""D1""#, "1"]),
        ("string time-millis", &[r#""1673404700862""#], &[r#""2023-01-01T00:00:00Z""#, "1673404700862"]),
        (
            "string time-offset",
            &[r#""2021-08-16T08:27:57+00:00""#, r#""2021-08-16T08:27:57-07:00""#],
            &[r#""2021-08-16T08:27:57Z""#, r#""""#, "1"],
        ),
        ("string time-offset-empty", &[r#""""#, r#""2021-08-16T08:27:57+08:00""#], &[r#""never""#, "null"]),
    ] {
        let list = format!("# GET /a · all · answer\nx {shape}\n");
        let list = List::read(versions, &list).unwrap();
        let faults = |x: &str| {
            let body = serde_json::from_str(&format!("{{\"x\":{x}}}")).unwrap();
            list.check("v1", "GET", "/a", 200, &body)
        };
        assert!(right.iter().all(|x| faults(x).is_empty()), "{shape}: {right:?}");
        assert!(wrong.iter().all(|x| !faults(x).is_empty()), "{shape}: {wrong:?}");
    }
    for wrong in ["integer money", "number minor", "boolean money", "string offset"] {
        assert!(List::read(versions, &format!("# GET /a · all · answer\nx {wrong}\n")).is_err(), "{wrong}");
    }
}
