//! The OpenAPI documents of the platforms' APIs against the server, by schemathesis
//! (<https://pypi.org/project/schemathesis/>): whatever it makes up, no answer is a server's error, none is outside its
//! document, and none is given without a token.
//!
//! It is installed once into a virtual environment below the target folder, which needs Python 3 with `venv` and the
//! Python package index. `schemathesis_hooks.py`, beside this file, lets it ask for orders that exist.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use refundry_dialects::operations::Api;
use refundry_dialects::{shoplazza, shopline};

use crate::harness::{Backend, Place, Process, TOKEN, order, put_orders};

/// The package that documents are checked by.
const PACKAGE: &str = "schemathesis==4.32.5";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";
/// Orders that it can use up.
const ORDERS: usize = 100;

#[test]
fn answers_of_shoplazzas_legacy_versions_are_as_documented() {
    check(&SHOPLAZZA, |version| version < "2024", "2022-01");
}

#[test]
fn answers_of_shoplazzas_modern_versions_are_as_documented() {
    check(&SHOPLAZZA, |version| version > "2024", "2026-07");
}

/// Where something changed: each of these answers otherwise than the one before.
#[test]
fn answers_of_shopline_are_as_documented() {
    let changed = |version: &str| ["v20210901", "v20230901", "v20250601", "v20260301", "v20270301"].contains(&version);
    check(&SHOPLINE, changed, "v20270301");
}

/// An API that is tried.
struct Tried {
    api: &'static Api,
    /// Where its documents are.
    document: fn(version: &str) -> String,
    token: &'static str,
}

const SHOPLAZZA: Tried = Tried {
    api: &shoplazza::operations::API,
    document: |version| format!("{}/openapi.json", (shoplazza::operations::API.server)(version)),
    token: "Access-Token: ",
};

const SHOPLINE: Tried = Tried {
    api: &shopline::operations::API,
    document: |version| format!("/admin/openapi/{version}/openapi.json"),
    token: "Authorization: Bearer ",
};

/// Checks each of the versions, the newest with every kind of value that its document rules out or allows, the others
/// with a few calls of each operation.
fn check(tried: &Tried, is_one: fn(&str) -> bool, newest: &str) {
    let python = python();
    let place = Place::new(Backend::Sqlite);
    let server = place.serve(&[]);
    let ids: Vec<String> = (0..ORDERS).map(|number| format!("made-{number}")).collect();
    let orders: Vec<_> = ids.iter().map(|id| order(id, 2)).collect();
    put_orders(&mut server.client(), &orders);
    let known = serde_json::to_string(&ids).expect("JSON");
    for version in tried.api.versions.all().filter(|version| is_one(version)) {
        let (phases, examples) = if version == newest { ("coverage,fuzzing", "20") } else { ("fuzzing", "8") };
        run(&python, &server, tried, version, &known, (phases, examples));
    }
    drop(server);
    place.assert_clean();
}

#[track_caller]
fn run(python: &Path, server: &Process, tried: &Tried, version: &str, orders: &str, (phases, examples): (&str, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.ndjson");
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemathesis_hooks.py");
    let mut command = Command::new(python);
    command.args(["-m", "schemathesis.cli", "run", "--no-color", "--seed", "20220101", "--continue-on-failure"]);
    command.args(["--phases", phases, "--max-examples", examples, "--request-timeout", "60", "--warnings", "off"]);
    command.args(["--checks", CHECKS, "--header", &format!("{}{TOKEN}", tried.token), "--report", "ndjson"]);
    command.arg("--report-ndjson-path").arg(&report);
    command.arg(format!("{}{}", server.url(), (tried.document)(version)));
    // What it remembers of runs before would make this one another.
    command.current_dir(folder.path()).env("SCHEMATHESIS_HOOKS", hooks).env("REFUNDRY_ORDERS", orders);
    succeeded(&command.output().expect("schemathesis starts"), &format!("the answers of `{version}`"));
    let report = fs::read_to_string(&report).expect("a report");
    let reached = report.matches("\"status_code\":200").count();
    assert!(reached > 10, "`{version}`: only {reached} calls came through, so little was looked at");
}

/// The Python of the virtual environment, which is made first if it is not whole.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = home.join(PACKAGE.replace("==", "-"));
    let python = environment.join("bin/python");
    let whole = environment.join("whole");
    // Other tests may be at it, too.
    let lock = File::create(home.join("schemathesis.lock")).expect("the target folder can be written");
    lock.lock().expect("the target folder can hold a lock");
    if !whole.exists() {
        if environment.exists() {
            fs::remove_dir_all(&environment).expect("half an environment can be removed");
        }
        let hint = "tests need Python 3 with venv; on Debian: apt-get install python3 python3-venv";
        let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).output();
        succeeded(&made.unwrap_or_else(|error| panic!("python3: {error}; {hint}")), hint);
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", PACKAGE]);
        let installed = pip.output().expect("the virtual environment has a Python");
        succeeded(&installed, "tests install it from the Python package index");
        File::create(&whole).expect("the target folder can be written");
    }
    python
}

#[track_caller]
fn succeeded(output: &Output, what: &str) {
    let words = [&output.stdout, &output.stderr].map(|words| String::from_utf8_lossy(words).into_owned());
    assert!(output.status.success(), "{what}\n{}{}", words[0], words[1]);
}
