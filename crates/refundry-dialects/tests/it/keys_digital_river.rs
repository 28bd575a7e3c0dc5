//! The list of every key of the Digital River API, `src/digital_river/keys.txt`: that it reads, and that goldens answer
//! what it says and nothing else. Its head says how it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use refundry_core::balances::Facts;
use refundry_dialects::{OrderView, Reply, Request, digital_river};
use serde_json::{Value, json};

use crate::golden::parse;

const LIST: &str = include_str!("../../src/digital_river/keys.txt");

/// All versions, oldest first; the first four are the group `L`, the others the group `M`.
const VERSIONS: [&str; 6] = ["2020-01-07", "2020-09-30", "2020-12-17", "2021-02-23", "2021-03-23", "2021-12-13"];
const OF_L: usize = 4;

/// Every endpoint.
const ENDPOINTS: [&str; 32] = [
    "POST /refunds",
    "GET /refunds",
    "GET /refunds/{id}",
    "POST /refunds/{id}",
    "GET /orders/{id}",
    "GET /orders",
    "POST /orders",
    "POST /orders/{id}",
    "POST /orders/{id}/refresh",
    "GET /charges/{id}",
    "POST /fulfillments",
    "GET /fulfillments",
    "GET /fulfillments/{id}",
    "POST /fulfillments/{id}",
    "POST /returns",
    "GET /returns",
    "GET /returns/{id}",
    "POST /returns/{id}",
    "GET /invoices",
    "POST /invoices",
    "GET /invoices/{id}",
    "POST /invoices/{id}",
    "DELETE /invoices/{id}",
    "POST /invoices/{id}/open",
    "POST /invoices/{id}/void",
    "GET /events",
    "GET /events/{id}",
    "GET /webhooks",
    "POST /webhooks",
    "GET /webhooks/{id}",
    "PATCH /webhooks/{id}",
    "DELETE /webhooks/{id}",
];

struct Block {
    title: &'static str,
    versions: BTreeSet<&'static str>,
    kind: &'static str,
    keys: Vec<(&'static str, Key)>,
    words: BTreeSet<&'static str>,
}

#[derive(Clone)]
struct Key {
    shape: &'static str,
    optional: bool,
    nullable: bool,
    versions: BTreeSet<&'static str>,
}

/// All paths of a block in a version, with what other blocks say of them; the whole is the empty path.
type Flat = BTreeMap<String, Key>;

static BLOCKS: LazyLock<Vec<Block>> = LazyLock::new(|| read(LIST).unwrap_or_else(|fault| panic!("{fault}")));

fn versions(text: &str) -> Option<BTreeSet<&'static str>> {
    let at = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let mut found = BTreeSet::new();
    for word in text.split(',') {
        match (word, word.strip_suffix('+')) {
            ("L", _) => found.extend(&VERSIONS[..OF_L]),
            ("M", _) => found.extend(&VERSIONS[OF_L..]),
            (_, Some(first)) => found.extend(&VERSIONS[at(first)?..]),
            (word, None) => found.extend([VERSIONS[at(word)?]]),
        }
    }
    Some(found)
}

fn read(text: &'static str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let fault = || format!("line {}: {line}", index + 1);
        match (line.strip_prefix("# "), blocks.last_mut()) {
            _ if line.is_empty() || line.starts_with("//") => {}
            (Some(title), _) => blocks.push(head(title).ok_or_else(fault)?),
            (None, None) => return Err(fault()),
            (None, Some(block)) if block.kind == "words" => {
                for word in line.split(' ') {
                    block.words.insert(word).then_some(()).ok_or_else(fault)?;
                }
            }
            (None, Some(block)) => {
                let (path, key) = key(line, &block.versions).ok_or_else(fault)?;
                for path in spread(path) {
                    let twin =
                        |(known, other): &(&str, Key)| *known == path && !other.versions.is_disjoint(&key.versions);
                    if block.keys.iter().any(twin) {
                        return Err(fault());
                    }
                    block.keys.push((path, key.clone()));
                }
            }
        }
    }
    Ok(blocks)
}

fn head(title: &'static str) -> Option<Block> {
    let mut parts = title.split(" · ");
    let (title, of, kind) = (parts.next()?, versions(parts.next()?)?, parts.next()?);
    let is_kind = ["request", "answer", "refusal", "delivery", "object", "words"].contains(&kind);
    let whole = is_kind && parts.next().is_none();
    whole.then(|| Block { title, versions: of, kind, keys: Vec::new(), words: BTreeSet::new() })
}

/// `PATH TYPE [optional] [VERSIONS]`.
fn key(line: &'static str, all: &BTreeSet<&'static str>) -> Option<(&'static str, Key)> {
    let (path, rest) = line.split_once(' ')?;
    let mut rest = rest.trim();
    let mut of = all.clone();
    if let Some((before, only)) = rest.rsplit_once(' ').and_then(|(before, last)| Some((before, versions(last)?))) {
        (rest, of) = (before, only.intersection(all).copied().collect());
    }
    let (rest, optional) = rest.strip_suffix(" optional").map_or((rest, false), |rest| (rest, true));
    let (shape, nullable) = rest.strip_suffix('?').map_or((rest, false), |rest| (rest, true));
    let known = [
        "string",
        "string time",
        "string time-3",
        "string time-6",
        "integer",
        "number",
        "number money",
        "number rate",
        "number percent",
        "boolean",
        "array",
        "object",
        "object free",
        "scalar",
    ];
    let named = shape.strip_prefix("string ").unwrap_or(shape).strip_prefix('@');
    let is_known = known.contains(&shape) || named.is_some_and(|name| !name.is_empty() && !name.contains(' '));
    (is_known && !of.is_empty()).then_some((path, Key { shape, optional, nullable, versions: of }))
}

/// A key for each operator; they are the same line, so that only their names differ.
fn spread(path: &'static str) -> Vec<&'static str> {
    match path.split_once('[') {
        Some((name, operators)) if !operators.starts_with(']') => {
            let operators = operators.trim_end_matches(']').split('|');
            operators.map(|operator| &*format!("{name}[{operator}]").leak()).collect()
        }
        _ => vec![path],
    }
}

fn named(name: &str, version: &str) -> Result<&'static Block, String> {
    let mut found = BLOCKS.iter().filter(|block| block.title == name && block.versions.contains(version));
    let block = found.next().ok_or_else(|| format!("there is no {name} in {version}"))?;
    if found.next().is_some() { Err(format!("{name} twice in {version}")) } else { Ok(block) }
}

/// A block with all that it names. What stands later wins over what it repeats.
fn flat(block: &Block, version: &str) -> Result<Flat, String> {
    let object = Key { shape: "object", optional: false, nullable: false, versions: block.versions.clone() };
    let mut all = Flat::from([(String::new(), object)]);
    for (path, key) in block.keys.iter().filter(|(_, key)| key.versions.contains(version)) {
        let path = if *path == "..." { "" } else { *path };
        let fault = |what: &str| format!("{} {path}: {what}", block.title);
        // A key with an operator stands for itself.
        let operator = path.ends_with(']') && !path.ends_with("[]");
        let above = path.rfind(['.', '[', '{']).filter(|_| !operator).map_or("", |at| &path[..at]);
        all.get(above).ok_or_else(|| fault("nothing above it"))?;
        all.retain(|known, _| known.is_empty() || below(path, known).is_none());
        let mut key = key.clone();
        if let Some(name) = key.shape.strip_prefix('@') {
            for (inner, of) in flat(named(&format!("@{name}"), version)?, version)? {
                let dot = if path.is_empty() || inner.is_empty() || inner.starts_with(['[', '{']) { "" } else { "." };
                all.insert(format!("{path}{dot}{inner}"), of);
            }
            key.shape = all[path].shape;
        } else if let Some(name) = key.shape.strip_prefix("string @") {
            let words = named(&format!("@{name}"), version)?;
            if words.kind != "words" {
                return Err(fault("not words"));
            }
        }
        all.insert(path.to_owned(), key);
    }
    Ok(all)
}

/// What of a path is below another: `.b` or `[]` of `a`, the empty text of `a` itself.
fn below<'a>(path: &str, known: &'a str) -> Option<&'a str> {
    known.strip_prefix(path).filter(|rest| rest.is_empty() || path.is_empty() || rest.starts_with(['.', '[', '{']))
}

/// Tells what of a value is not as it is listed.
fn check(all: &Flat, version: &str, path: &str, value: &Value, tell: &mut dyn FnMut(String)) {
    let Some(key) = all.get(path) else { return tell(format!("{path} is not listed")) };
    if !is_shaped(key, version, value) {
        return tell(format!("`{path}` should be {}, not {value}", key.shape));
    }
    match value {
        Value::Array(entries) => {
            for entry in entries {
                check(all, version, &format!("{path}[]"), entry, tell);
            }
        }
        Value::Object(keys) if key.shape == "object free" => {
            let entry = format!("{path}{{}}");
            let listed = all.contains_key(&entry);
            keys.values().filter(|_| listed).for_each(|value| check(all, version, &entry, value, tell));
        }
        Value::Object(keys) => {
            let dot = if path.is_empty() { "" } else { "." };
            for (listed, _) in all.iter().filter(|(_, key)| !key.optional) {
                let name = below(path, listed).and_then(|rest| rest.strip_prefix(dot));
                let name = name.filter(|name| !name.is_empty() && !name.contains(['.', '[', '{']));
                if name.is_some_and(|name| !keys.contains_key(name)) {
                    tell(format!("{listed} is missing"));
                }
            }
            keys.iter().for_each(|(name, value)| check(all, version, &format!("{path}{dot}{name}"), value, tell));
        }
        _ => {}
    }
}

fn is_shaped(key: &Key, version: &str, value: &Value) -> bool {
    match (key.shape, value) {
        (_, Value::Null) => key.nullable,
        ("string", Value::String(_)) => true,
        ("string time", Value::String(text)) => is_time(text, 0..=0),
        ("string time-3", Value::String(text)) => is_time(text, 3..=3),
        ("string time-6", Value::String(text)) => is_time(text, 0..=6),
        (shape, Value::String(text)) if shape.starts_with("string @") => {
            let words = named(shape.trim_start_matches("string "), version);
            words.is_ok_and(|block| block.words.contains(text.as_str()))
        }
        ("integer", Value::Number(number)) => number.is_i64(),
        // At least one decimal, no exponent, no noise.
        ("number money", Value::Number(number)) => {
            number.to_string().split_once('.').is_some_and(|(whole, decimals)| {
                let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                digits(whole.trim_start_matches('-')) && digits(decimals) && decimals.len() <= 4
            })
        }
        ("number" | "number rate" | "number percent", Value::Number(_))
        | ("boolean", Value::Bool(_))
        | ("array", Value::Array(_))
        | ("object" | "object free", Value::Object(_))
        | ("scalar", Value::String(_) | Value::Bool(_) | Value::Number(_)) => true,
        _ => false,
    }
}

/// `2022-03-17T16:17:54Z`, with so many decimals of a second.
fn is_time(text: &str, decimals: std::ops::RangeInclusive<usize>) -> bool {
    let Some((whole, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let like = |(known, given): (u8, u8)| if known == b'0' { given.is_ascii_digit() } else { known == given };
    let Some(rest) = rest.strip_suffix('Z') else { return false };
    let fraction = rest.strip_prefix('.').unwrap_or("");
    "0000-00-00T00:00:00".bytes().zip(whole.bytes()).all(like)
        && (rest.is_empty() || !fraction.is_empty())
        && decimals.contains(&fraction.len())
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

/// A golden's answer, with what was asked.
struct Answer {
    place: String,
    method: String,
    path: String,
    version: String,
    status: u16,
    body: Value,
}

fn answers() -> Vec<Answer> {
    let mut found = Vec::new();
    for file in crate::golden::listed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/digital_river")) {
        let text = fs::read_to_string(&file).expect("a readable file");
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let mut asked = "";
        for section in parse(&text).1 {
            if section.word == "request" {
                asked = section.body;
            }
            if section.word != "response" {
                continue;
            }
            let (head, body) = section.body.trim().split_once("\n\n").expect("every answer has a body");
            let (method, target) = asked.lines().next().and_then(|line| line.split_once(' ')).expect("a request");
            let path = target.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
            let version = asked.lines().find_map(|line| line.strip_prefix("DigitalRiver-Version: "));
            let version = version.filter(|version| VERSIONS.contains(version)).unwrap_or(VERSIONS[VERSIONS.len() - 1]);
            found.push(Answer {
                place: format!("{name}:{}", section.line),
                method: method.to_owned(),
                path,
                version: version.to_owned(),
                status: head.lines().next().and_then(|line| line.trim().parse().ok()).expect("a status"),
                body: serde_json::from_str(body).expect("a body of JSON"),
            });
        }
    }
    found
}

/// The block of a call; the fewest variables win.
fn block_of(answer: &Answer) -> Option<&'static Block> {
    if !(200..300).contains(&answer.status) {
        return BLOCKS.iter().find(|block| block.kind == "refusal");
    }
    let fits = |block: &&Block| {
        let (method, pattern) = block.title.split_once(' ').unwrap_or_default();
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), answer.path.split('/').collect());
        let same = |(known, given): (&&str, &&str)| known.starts_with('{') || known == given;
        method == answer.method && pattern.len() == path.len() && pattern.iter().zip(&path).all(same)
    };
    let of = |block: &&Block| block.kind == "answer" && block.versions.contains(answer.version.as_str());
    BLOCKS.iter().filter(of).filter(fits).min_by_key(|block| block.title.matches('{').count())
}

#[test]
fn the_list_reads_and_names_only_what_it_has() {
    for block in BLOCKS.iter() {
        assert_eq!(block.kind == "words", !block.words.is_empty(), "{}", block.title);
        for version in &block.versions {
            let all = flat(block, version).unwrap_or_else(|fault| panic!("{version}: {fault}"));
            for (path, key) in &all {
                let entry = all.contains_key(&format!("{path}[]"));
                assert_eq!(key.shape == "array", entry, "{}, {path}: an array has entries", block.title);
                let bare =
                    key.shape == "object" && !all.keys().any(|other| other != path && below(path, other).is_some());
                assert!(!bare || path.is_empty(), "{}, {path}: an object has keys", block.title);
                let asked = ["request", "object"].contains(&block.kind);
                assert!(asked || !key.nullable, "{}, {path}: no answer has null", block.title);
            }
        }
        let twin = |other: &&Block| {
            (other.title, other.kind) == (block.title, block.kind) && !other.versions.is_disjoint(&block.versions)
        };
        assert_eq!(BLOCKS.iter().filter(twin).count(), 1, "{} {}", block.title, block.kind);
        // An object that nothing names would be read by nobody.
        let names = |(_, key): &(&str, Key)| key.shape.trim_start_matches("string ") == block.title;
        let used = BLOCKS.iter().any(|other| other.keys.iter().any(names));
        assert_eq!(block.title.starts_with('@'), used, "{}", block.title);
    }
}

#[test]
fn every_endpoint_is_listed() {
    for title in ENDPOINTS {
        let kinds: Vec<&str> = BLOCKS.iter().filter(|block| block.title == title).map(|block| block.kind).collect();
        // What deletes answers without a body.
        let deletes = title.starts_with("DELETE");
        assert_eq!(kinds.contains(&"answer"), !deletes, "{title}: {kinds:?}");
        let takes_nothing = title.starts_with("GET") || title.contains("}/");
        assert!(takes_nothing || kinds.contains(&"request"), "{title}: {kinds:?}");
    }
    let calls = BLOCKS.iter().filter(|block| block.title.contains(" /")).map(|block| block.title);
    let unknown: BTreeSet<&str> = calls.filter(|title| !ENDPOINTS.contains(title)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_type_of_event_has_one_delivery() {
    let deliveries: Vec<&Block> = BLOCKS.iter().filter(|block| block.kind == "delivery").collect();
    let types = named("@event_type", VERSIONS[0]).unwrap();
    let mut used = BTreeSet::new();
    for name in &types.words {
        let fits = |block: &&&Block| name.starts_with(block.title.trim_end_matches('*'));
        let longest = deliveries.iter().filter(fits).max_by_key(|block| block.title.len());
        used.insert(longest.unwrap_or_else(|| panic!("nothing delivers {name}")).title);
    }
    assert_eq!(used.len(), deliveries.len(), "{used:?}");
}

#[test]
fn answers_have_the_documented_keys() {
    crate::golden::played();
    let mut faults = Vec::new();
    let all = answers();
    for answer in &all {
        let Some(block) = block_of(answer) else {
            faults.push(format!("{}: {} {} is not listed", answer.place, answer.method, answer.path));
            continue;
        };
        let keys = flat(block, &answer.version).unwrap_or_else(|fault| panic!("{fault}"));
        check(&keys, &answer.version, "", &answer.body, &mut |fault| {
            faults.push(format!("{}, {} {}: {fault}", answer.place, answer.method, answer.path));
        });
    }
    assert!(faults.is_empty(), "{} of {} answers:\n{}", faults.len(), all.len(), faults.join("\n"));
    assert!(all.len() > 60, "only {} answers were looked at", all.len());
}

#[test]
fn orders_that_were_brought_in_have_the_documented_keys() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders/digital-river");
    let version = VERSIONS[VERSIONS.len() - 1];
    let block = BLOCKS.iter().find(|block| block.title == "GET /orders/{id}" && block.kind == "answer");
    let keys = flat(block.expect("it is listed"), version).expect("a block");
    let mut faults = Vec::new();
    let files = crate::golden::listed(&folder);
    for file in &files {
        let document = fs::read_to_string(file).expect("a readable file");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let intake = digital_river::read_order(&document, 0).expect("an order");
        let order = OrderView { document: intake.document, ..OrderView::bare(Facts::fresh(intake.order)) };
        let request = Request { method: "GET", path: "/orders/o", query: "", headers: &[], body: b"", now_ms: 0 };
        let get = digital_river::Endpoint::GetOrder { order: "o".to_owned() };
        let reply = Reply::Order { order: Box::new(order), created: false };
        let answer = digital_river::encode(&get, &request, &reply);
        let shown = serde_json::from_slice(&answer.body).expect("JSON");
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        check(&keys, version, "", &shown, &mut |fault| faults.push(format!("{name}: {fault}")));
    }
    assert!(files.len() >= 8 && faults.is_empty(), "{} files\n{}", files.len(), faults.join("\n"));
}

/// A list finds nothing in answers that are right, so it has to be seen to find what is wrong.
#[test]
fn what_is_wrong_with_an_answer_is_told() {
    let right = json!({
        "id": "ref_1", "createdTime": "2024-05-02T09:15:30Z", "orderId": "ord_1", "currency": "JPY",
        "refundedAmount": exact("0.0"), "state": "pending_information", "liveMode": false,
        "items": [{ "itemId": "1", "quantity": 2, "amount": exact("300.0"), "refundedAmount": exact("0.0") }],
        "tokenInformation": { "token": "t", "expiresTime": "2024-06-01T09:15:30.000Z" },
        "expiresTime": "2024-06-01T09:15:30.000Z", "metadata": { "a": "b", "c": true, "d": 3 },
        "charges": [{ "id": "c", "captured": true, "refunded": true, "sourceId": "s", "refunds": [
            { "createdTime": "2024-05-02T09:15:31Z", "amount": exact("300.0"), "state": "pending" },
        ]}],
    });
    let faults = |at: &str, value: Value, version: &str| {
        let mut answer = right.clone();
        let (above, key) = at.rsplit_once('/').unwrap();
        let object = answer.pointer_mut(above).and_then(Value::as_object_mut).unwrap();
        // Nothing at all instead of it, where this is no key.
        let _ = if value == json!("-") { object.remove(key) } else { object.insert(key.to_owned(), value) };
        let block = BLOCKS.iter().find(|block| block.title == "GET /refunds/{id}").unwrap();
        let mut faults = Vec::new();
        check(&flat(block, version).unwrap(), version, "", &answer, &mut |fault| faults.push(fault));
        faults.join("; ")
    };
    let (first, last) = (VERSIONS[0], VERSIONS[VERSIONS.len() - 1]);
    let cases = [
        ("/reason", json!("it broke"), last, ""),
        ("/invoiceId", json!("inv_1"), last, ""),
        ("/invoiceId", json!("inv_1"), first, "invoiceId is not listed"),
        ("/type", json!("importer_tax"), last, ""),
        ("/type", json!("importer_tax"), first, "`type` should be string @refund_type, not \"importer_tax\""),
        ("/type", json!("fees"), last, "`type` should be string @refund_type, not \"fees\""),
        ("/items/0/type", json!("fees"), last, ""),
        ("/state", json!("created"), last, "`state` should be string @refund_state, not \"created\""),
        ("/liveMode", json!("-"), last, "liveMode is missing"),
        ("/items/0/itemId", json!("-"), last, "items[].itemId is missing"),
        ("/items/0/percent", json!(50), last, "items[].percent is not listed"),
        ("/source", json!("s"), last, "source is not listed"),
        ("/reason", Value::Null, last, "`reason` should be string, not null"),
        ("/refundedAmount", json!(33), last, "`refundedAmount` should be number money, not 33"),
        (
            "/refundedAmount",
            exact("53.769999999999996"),
            last,
            "`refundedAmount` should be number money, not 53.769999999999996",
        ),
        ("/refundedAmount", json!("0.0"), last, "`refundedAmount` should be number money, not \"0.0\""),
        (
            "/createdTime",
            json!("2024-05-02T09:15:30.5Z"),
            last,
            "`createdTime` should be string time, not \"2024-05-02T09:15:30.5Z\"",
        ),
        (
            "/expiresTime",
            json!("2024-06-01T09:15:30Z"),
            last,
            "`expiresTime` should be string time-3, not \"2024-06-01T09:15:30Z\"",
        ),
        ("/metadata/e", json!([1]), last, "`metadata{}` should be scalar, not [1]"),
        (
            "/charges/0/refunds/0/state",
            json!("pending_information"),
            last,
            "`charges[].refunds[].state` should be string @capture_state, not \"pending_information\"",
        ),
    ];
    for (at, value, version, told) in cases {
        assert_eq!(faults(at, value.clone(), version), told, "{at} {value} in {version}");
    }
}

fn exact(number: &str) -> Value {
    Value::Number(number.parse().expect("a number"))
}

#[test]
fn a_list_that_is_wrong_is_told_by_its_line() {
    for (wrong, told) in [
        ("id string\n", "line 1"),
        ("# GET /a · L\nid string\n", "line 1"),
        ("# GET /a · L · answers\nid string\n", "line 1"),
        ("# GET /a · 2099-01-01 · answer\nid string\n", "line 1"),
        ("# GET /a · L · answer\nid\n", "line 2"),
        ("# GET /a · L · answer\nid text\n", "line 2"),
        ("# GET /a · L · answer\nid string 2099-01-01\n", "line 2"),
        ("# GET /a · L · answer\nid string M\n", "line 2"),
        ("# GET /a · L · answer\nid string\nid integer\n", "line 3"),
        ("# GET /a · L · request\na[eq|gt] string\na[gt] string\n", "line 3"),
        ("# @a · L · words\none two one\n", "line 2"),
    ] {
        let found = read(wrong).map(|_| ()).unwrap_err();
        assert!(found.starts_with(told), "{wrong:?}: {found}");
    }
    assert!(read("# GET /a · L,M · answer\nid string L\nid integer 2021-03-23+\n").is_ok());
}
