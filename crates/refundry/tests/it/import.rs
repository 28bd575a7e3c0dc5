//! `refundry import` and `POST /v1/orders/import`: every form of file, what is refused and why, and that a second time
//! changes nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Client, Process, TOKEN, binary, order, run, settled};

/// A data folder beside files to import.
struct Desk {
    folder: TempDir,
}

/// What the command said.
struct Said {
    code: i32,
    out: String,
    err: String,
    /// Lines of the rejects file.
    rejects: Vec<Value>,
}

impl Said {
    /// The summary of `--json`: created, changed, unchanged, rejected.
    fn counts(&self) -> [u64; 4] {
        let summary: Value = serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{} {}", self.out, self.err));
        ["created", "changed", "unchanged", "rejected"].map(|key| summary[key].as_u64().expect("a count"))
    }
}

impl Desk {
    /// Without any store yet.
    fn bare() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn with_store() -> Self {
        let desk = Self::bare();
        let data = desk.data();
        let added = run(&["store", "add", "shop", "--data", text(&data)]);
        assert!(added.status.success(), "{added:?}");
        desk
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    fn import(&self, from: &str, files: &[&Path]) -> Said {
        self.import_with(from, &["--json"], files, b"")
    }

    fn import_with(&self, from: &str, more: &[&str], files: &[&Path], input: &[u8]) -> Said {
        let rejects = self.folder.path().join("rejects.ndjson");
        let _ = std::fs::remove_file(&rejects);
        let data = self.data();
        let mut args = vec!["import", "--from", from, "--data", text(&data), "--rejects", text(&rejects)];
        args.extend(more);
        args.extend(files.iter().map(|file| text(file)));
        let mut command = Command::new(binary());
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        // A command that fails early reads none of it.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        let written = std::fs::read_to_string(&rejects).unwrap_or_default();
        Said {
            code: output.status.code().expect("a code"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
            rejects: written.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect(),
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// The example orders of one platform, as documents.
fn examples(origin: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders").join(origin);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("examples").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let read = |file: &PathBuf| serde_json::from_slice(&std::fs::read(file).expect("an example")).expect("JSON");
    files.iter().map(read).collect()
}

fn ndjson(documents: &[Value]) -> Vec<u8> {
    documents.iter().flat_map(|document| format!("{document}\n").into_bytes()).collect()
}

fn import_over_http(client: &mut Client, from: &str, body: &[u8]) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    client.send("POST", &format!("/v1/orders/import?from={from}"), &headers, body).expect("an answer")
}

/// created, changed, unchanged, failed.
fn counts_of(answer: &Answer) -> [u64; 4] {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    ["created", "changed", "unchanged", "failed"].map(|key| body[key].as_u64().expect("a count"))
}

/// Everything that `/v1` shows of orders and refunds.
fn books(client: &mut Client) -> (Value, Value) {
    (client.get("/v1/orders?limit=100").json(), client.get("/v1/refunds?limit=100").json())
}

#[test]
fn every_form_of_file_takes_all_orders_in_and_a_second_time_nothing() {
    for from in ["native", "shoplazza", "shopline", "digital-river"] {
        let orders = examples(from);
        let all = u64::try_from(orders.len()).expect("few");
        let pretty = serde_json::to_vec_pretty(&orders[0]).expect("JSON");
        let list = serde_json::to_vec_pretty(&orders).expect("JSON");
        let named = json!({ "orders": orders }).to_string().into_bytes();
        let paged = json!({"hasMore": false, "data": orders}).to_string().into_bytes();
        let lines = ndjson(&orders);
        let marked = [b"\xef\xbb\xbf", lines.as_slice()].concat();
        let spaced = [b"\n", lines.as_slice(), b"\r\n\r\n"].concat();
        let dumped = [named.as_slice(), b"\n", paged.as_slice()].concat();
        let desk = Desk::with_store();
        let single = desk.import(from, &[&desk.file("one.json", &pretty)]);
        assert_eq!((single.code, single.counts()), (0, [1, 0, 0, 0]), "{from}: {}", single.err);
        let packed = desk.import(from, &[&desk.file("one.json.gz", &gzip(&pretty))]);
        assert_eq!((packed.code, packed.counts()), (0, [0, 0, 1, 0]), "{from}: {}", packed.err);
        let first = desk.import(from, &[&desk.file("all.json", &list)]);
        assert_eq!((first.code, first.counts()), (0, [all - 1, 0, 1, 0]), "{from}: {:#?}", first.rejects);
        for (name, bytes) in [
            ("list", list),
            ("named", named),
            ("paged", paged),
            ("lines", lines),
            ("marked", marked),
            ("spaced", spaced),
        ] {
            for (packed, bytes) in [("", bytes.clone()), (".gz", gzip(&bytes))] {
                let again = desk.import(from, &[&desk.file(&format!("{name}{packed}"), &bytes)]);
                assert_eq!((again.code, again.counts()), (0, [0, 0, all, 0]), "{from} {name}{packed}");
            }
            let piped = desk.import_with(from, &["--json"], &[Path::new("-")], &bytes);
            assert_eq!((piped.code, piped.counts()), (0, [0, 0, all, 0]), "{from} {name} from standard input");
        }
        let twice = desk.import(from, &[&desk.file("dumped", &dumped)]);
        assert_eq!((twice.code, twice.counts()), (0, [0, 0, 2 * all, 0]), "{from}");
    }
}

#[test]
fn bad_lines_go_to_the_rejects_file_and_good_ones_go_in() {
    let desk = Desk::with_store();
    let contradictory = json!({"id": "sums", "currency": "USD", "created_at": "2026-11-01T10:00:00Z", "total": "9.00",
        "lines": [{"id": "a", "quantity": 1, "unit_price": "10.00"}]});
    let bytes = [
        ndjson(&[order("good-1", 1)]),
        b"{\"id\": \"torn\"\n\n".to_vec(),
        ndjson(&[contradictory.clone(), json!(42), order("good-2", 2)]),
        b"\xff\xfe not text\n".to_vec(),
        format!("{}\n", order("good-1", 1)).into_bytes(),
        order("good-3", 1).to_string().into_bytes(),
    ]
    .concat();
    let file = desk.file("mixed.ndjson", &bytes);
    let said = desk.import("native", &[&file]);
    assert_eq!((said.code, said.counts()), (3, [3, 0, 1, 4]), "{} {:#?}", said.err, said.rejects);
    let lines: Vec<u64> = said.rejects.iter().map(|reject| reject["line"].as_u64().expect("a line")).collect();
    assert_eq!(lines, [2, 4, 5, 7]);
    for reject in &said.rejects {
        assert_eq!(reject["file"], text(&file));
        assert!(!reject["reason"].as_str().expect("a reason").is_empty(), "{reject}");
    }
    assert_eq!(said.rejects[0]["order"], "{\"id\": \"torn\"");
    assert!(said.rejects[0]["reason"].as_str().expect("a text").starts_with("not JSON"), "{}", said.rejects[0]);
    assert_eq!(said.rejects[1]["order"], contradictory);
    let reason = said.rejects[1]["reason"].as_str().expect("a text");
    assert!(reason.contains("9.00") && reason.contains("10.00"), "{reason}");
    assert_eq!(said.rejects[2]["order"], 42);
    // For people: the counts, and where the rest is.
    let told = desk.import_with("native", &[], &[&file], b"");
    assert_eq!(told.code, 3);
    assert!(told.out.starts_with("0 created, 0 changed, 4 unchanged, 4 rejected\n"), "{}", told.out);
    assert!(told.out.contains("rejects.ndjson"), "{}", told.out);
}

#[test]
fn a_long_document_with_a_mistake_is_one_reject() {
    let desk = Desk::with_store();
    let pretty = serde_json::to_string_pretty(&order("one", 3)).expect("JSON");
    let broken = pretty.replacen("\"quantity\": 100,", "\"quantity\": 100", 1);
    assert_ne!(broken, pretty);
    let said = desk.import("native", &[&desk.file("broken.json", broken.as_bytes())]);
    assert_eq!((said.code, said.counts()), (3, [0, 0, 0, 1]), "{:#?}", said.rejects);
    let line = said.rejects[0]["line"].as_u64().expect("a line");
    let shown = broken.lines().nth(usize::try_from(line - 1).expect("a line")).expect("that line");
    assert_eq!(said.rejects[0]["order"], shown);
}

#[test]
fn a_line_of_five_megabytes_is_refused_and_its_neighbours_are_not() {
    let huge = |id: &str| {
        let mut huge = order(id, 1);
        huge["note"] = json!("x".repeat(5 << 20));
        huge
    };
    let bytes = ndjson(&[order("before", 1), huge("huge"), order("after", 1)]);
    let first = ndjson(&[huge("huge"), order("later", 1)]);
    let desk = Desk::with_store();
    for (name, bytes, counts, line) in [("middle", &bytes, [2, 0, 0, 1], 2), ("first", &first, [1, 0, 0, 1], 1)] {
        let said = desk.import("native", &[&desk.file(name, &gzip(bytes))]);
        assert_eq!((said.code, said.counts()), (3, counts), "{name} {}", said.err);
        assert_eq!(said.rejects[0]["line"], line);
        let (reason, shown) = (&said.rejects[0]["reason"], &said.rejects[0]["order"]);
        assert!(reason.as_str().expect("a text").contains("longer than 4194304 bytes"), "{reason}");
        assert!(shown.as_str().is_some_and(|text| text.starts_with('{') && text.len() < 300), "{shown}");
    }
    // To the byte: as long as it may be, and one more, each with another order behind it.
    let padded = |id: &str, length: usize| {
        let order = order(id, 1).to_string();
        format!("{}{order}\n", " ".repeat(length - order.len())).into_bytes()
    };
    let most = 4 << 20;
    let next = ndjson(&[order("next", 1)]);
    let exact = [padded("exact", most), padded("above", most + 1), next].concat();
    let said = desk.import("native", &[&desk.file("exact", &exact)]);
    assert_eq!((said.code, said.counts()), (3, [2, 0, 0, 1]), "{}", said.err);
    assert_eq!(said.rejects[0]["line"], 2);
    let server = Process::server(&desk.folder.path().join("served"), &[]);
    let answer = import_over_http(&mut server.client(), "native", &bytes);
    assert_eq!(counts_of(&answer), [2, 0, 0, 1]);
    assert_eq!(answer.json()["faults"][0]["line"], 2, "{}", answer.text());
}

#[test]
fn mistakes_of_the_caller_are_said_in_clear_words() {
    let bare = Desk::bare();
    let file = bare.file("one.json", order("one", 1).to_string().as_bytes());
    let storeless = bare.import("native", &[&file]);
    assert_eq!(storeless.code, 1);
    assert!(storeless.err.contains("refundry store add"), "{}", storeless.err);

    let desk = Desk::with_store();
    let good = desk.file("good.json", order("good", 1).to_string().as_bytes());
    let missing = desk.folder.path().join("nowhere.json");
    let said = desk.import("native", &[&good, &missing]);
    assert_eq!((said.code, said.counts()), (1, [1, 0, 0, 0]), "what was read before goes in: {}", said.err);
    assert!(said.err.contains("nowhere.json") && said.err.contains("No such file"), "{}", said.err);
    let torn = gzip(&ndjson(&[order("packed", 1), order("lost", 1)]));
    let said = desk.import("native", &[&desk.file("torn.gz", &torn[..torn.len() / 2])]);
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.err.contains("torn.gz"), "{}", said.err);

    let empty = desk.import("native", &[&desk.file("empty", b""), &desk.file("blank", b"\n \n")]);
    assert_eq!((empty.code, empty.counts()), (0, [0, 0, 0, 0]), "{}", empty.err);
    let unknown = desk.import("magento", &[&good]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("digital-river"), "{}", unknown.err);
    let own = desk.folder.path().join("rejects.ndjson");
    let data = desk.data();
    std::fs::write(&own, order("kept", 1).to_string()).expect("a file");
    let rejects = ["--rejects", text(&own), "--data", text(&data), text(&own)];
    let clash = run(&[&["import", "--from", "native"], rejects.as_slice()].concat());
    assert_eq!(clash.status.code(), Some(1));
    assert!(std::fs::read_to_string(&own).expect("still there").contains("kept"));

    assert!(run(&["store", "add", "second", "--data", text(&data)]).status.success());
    let which = desk.import("native", &[&good]);
    assert_eq!(which.code, 1);
    assert!(which.err.contains("--store"), "{}", which.err);
    let chosen = desk.import_with("native", &["--json", "--store", "second"], &[&good], b"");
    assert_eq!((chosen.code, chosen.counts()), (0, [1, 0, 0, 0]), "{}", chosen.err);
}

#[test]
fn beside_a_running_server_a_second_import_leaves_its_books_alone() {
    let desk = Desk::with_store();
    let data = desk.data();
    std::fs::remove_dir_all(&data).expect("the folder");
    let server = Process::server(&data, &[]);
    let mut client = server.client();
    for order in books(&mut client).0["data"].as_array().expect("orders") {
        let refund = client.post("/v1/refunds", &json!({"order": order["uid"], "ask": {"percent": "12.5"}}));
        // Of one order nothing was captured.
        let status = if order["paid"] == "0.00" { 422 } else { 201 };
        assert_eq!(refund.status, status, "{}", refund.text());
    }
    settled(&mut client);
    let before = books(&mut client);
    for from in ["native", "shoplazza", "shopline", "digital-river"] {
        let lines = ndjson(&examples(from));
        let known = u64::try_from(examples(from).len()).expect("few");
        let said = desk.import(from, &[&desk.file("again.ndjson", &lines)]);
        assert_eq!((said.code, said.counts()), (0, [0, 0, known, 0]), "{from}: {} {:#?}", said.err, said.rejects);
        let code = from.replace('-', "_");
        assert_eq!(counts_of(&import_over_http(&mut client, &code, &lines)), [0, 0, known, 0], "{from}");
    }
    assert_eq!(books(&mut client), before);
    let said = desk.import("native", &[&desk.file("new.json", order("fresh", 1).to_string().as_bytes())]);
    assert_eq!((said.code, said.counts()), (0, [1, 0, 0, 0]), "{}", said.err);
    let refund = client.post("/v1/refunds", &json!({"order": "fresh", "ask": {"everything": true}}));
    assert_eq!(refund.status, 201, "the server sees it at once: {}", refund.text());
}

#[test]
fn what_was_refunded_stays_and_news_is_taken() {
    let desk = Desk::with_store();
    let data = desk.data();
    std::fs::remove_dir_all(&data).expect("the folder");
    let server = Process::server(&data, &[]);
    let mut client = server.client();
    let known = order("upsert", 2);
    assert_eq!(client.post("/v1/orders", &known).status, 201);
    let ask = json!({"order": "upsert", "ask": {"parts": {"units": [{"line": "upsert-l0", "quantity": 3}]}}});
    assert_eq!(client.post("/v1/refunds", &ask).status, 201);
    settled(&mut client);
    let before = books(&mut client);

    let edited = |edit: fn(&mut Value)| {
        let mut order = known.clone();
        edit(&mut order);
        order
    };
    let refused = [
        edited(|order| {
            order["lines"][0]["unit_price"] = json!("11.00");
            order["lines"][0]["net"] = json!("1100.00");
        }),
        edited(|order| {
            order["lines"][0]["quantity"] = json!(90);
            order["lines"][0]["net"] = json!("900.00");
        }),
        edited(|order| order["payments"][0]["captured"] = json!("29.99")),
        edited(|order| order["total"] = json!("1.00")),
        // The id of one of SHOPLINE's examples.
        edited(|order| order["id"] = json!("21057520029298437725452511")),
    ];
    let words = ["line upsert-l0", "line upsert-l0", "payment upsert-p", "1.00", "which is another one"];
    let bytes = ndjson(&refused);
    let said = desk.import("native", &[&desk.file("refused.ndjson", &bytes)]);
    assert_eq!((said.code, said.counts()), (3, [0, 0, 0, 5]), "{} {:#?}", said.err, said.rejects);
    let answer = import_over_http(&mut client, "native", &bytes);
    assert_eq!(counts_of(&answer), [0, 0, 0, 5]);
    let faults = answer.json()["faults"].clone();
    for (index, word) in words.iter().enumerate() {
        let reason = said.rejects[index]["reason"].as_str().expect("a reason");
        assert!(reason.contains(word), "{reason}");
        assert_eq!(said.rejects[index]["line"], faults[index]["line"]);
        assert_eq!(said.rejects[index]["reason"], faults[index]["detail"]);
    }
    assert_eq!(books(&mut client), before, "a refused order leaves no trace");
    take_news(&desk, &mut client, &known);
}

/// Another payment, shipped units and a refund made elsewhere: each is taken, once.
fn take_news(desk: &Desk, client: &mut Client, known: &Value) {
    let mut order = known.clone();
    order["lines"][0]["shipped"] = json!(40);
    let second = json!({"id": "second", "channel": "cash", "kind": "custom", "gateway": "manual", "captured": "5.00"});
    order["payments"].as_array_mut().expect("payments").push(second);
    order["refunds"] = json!([{"id": "elsewhere", "created_at": "2026-11-02T10:00:00Z", "amount": "7.50",
        "allocations": [], "payments": [{"payment": "upsert-p", "amount": "7.50"}]}]);
    let file = desk.file("news.json", order.to_string().as_bytes());
    let said = desk.import("native", &[&file]);
    assert_eq!((said.code, said.counts()), (0, [0, 1, 0, 0]), "{} {:#?}", said.err, said.rejects);
    let shown = client.get("/v1/orders/upsert").json();
    assert_eq!(shown["paid"], "2005.00", "{shown:#}");
    assert_eq!(shown["refunded"], "37.50", "{shown:#}");
    assert_eq!(shown["refundable"], "1967.50", "{shown:#}");
    assert_eq!(shown["lines"][0]["left"]["shipped"], 40, "{shown:#}");
    let before = books(client);
    let again = desk.import("native", &[&file]);
    assert_eq!((again.code, again.counts()), (0, [0, 0, 1, 0]), "{:#?}", again.rejects);
    let lines = ndjson(&[order]);
    assert_eq!(counts_of(&import_over_http(client, "native", &lines)), [0, 0, 1, 0]);
    assert_eq!(books(client), before);
}
