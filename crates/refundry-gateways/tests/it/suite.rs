//! The driver suite: replays every file below `suite/`, and holds every driver to what all must do.
//!
//! A folder is named as its driver. A file opens with `# Title`, comment lines and its head, `key: value`:
//!
//! - `source: PAGE, DATE`, at least one: where the answers and deliveries below are quoted from;
//! - `setting NAME: VALUE`: how the driver is configured;
//! - `signature: header NAME`, `signature: field NAME over FIELD, FIELD` or `signature: provider HEADER`: how a
//!   delivery shows whose it is, and `tolerance: 300` for how many seconds, or `tolerance: none`.
//!
//! Then come cases, each begun by a line `=== word` and what it shows, perhaps with comments right below:
//!
//! - `refund`, `lookup`: `ask 1000 USD payment=… reference=… leg=… refund=… channel=… script=… key_age_ms=… now_ms=…`;
//! - `delivery`: `at EPOCH_MS`, or `at EPOCH_MS newline` for a body that ends with one; headers, a blank line, the
//!   body. `{hmac-sha256 KEY TEXT}` in a header stands for the code of TEXT and the body, in hex, where the provider
//!   publishes an event but no signed example of it;
//! - `list`: `from EPOCH_MS to EPOCH_MS`;
//! - `statement`: the file as it is downloaded, to the last line.
//!
//! Below that, as often as something is sent: `--> POST URL`, the headers that matter, a blank line and the body, then
//! `<-- 200` and the body that comes back, or `<-- broken`, or `<-- not sent`. A JSON body may be laid out in any way,
//! another one broken into lines anywhere; what goes out must be the same, what comes in is taken as it stands.
//!
//! A case ends with lines `= …`, what the driver makes of it ([`words`]). Words for a person, after the first `: `, may
//! be left out: `= unknown`, `= done re_1 1000 USD`, `= declined charge_already_refunded`, `= not found`.

mod format;
mod play;
mod rules;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use format::{Case, File};
use refundry_gateways::drivers::DRIVERS;

/// Those that no provider stands behind.
const OURS: [&str; 2] = ["manual", "simulated"];

#[test]
fn every_file_says_what_its_driver_does() {
    let (files, mut faults) = files();
    for file in &files {
        let names = |(line, fault)| format!("{}:{line}: {fault}", file.name);
        faults.extend(file.cases.iter().filter_map(|case| check(file, case).err()).map(names));
    }
    assert!(faults.is_empty(), "faults: {}\n\n{}\n", faults.len(), faults.join("\n\n"));
}

#[test]
fn every_driver_keeps_the_rules() {
    let (files, _) = files();
    let mut faults = Vec::new();
    for file in &files {
        for case in &file.cases {
            let names = |fault| format!("{}:{}: {fault}", file.name, case.line);
            faults.extend(rules::broken_by(file, case).into_iter().map(names));
        }
        faults.extend(rules::broken_by_deliveries(file));
    }
    assert!(faults.is_empty(), "faults: {}\n\n{}\n", faults.len(), faults.join("\n"));
}

#[test]
fn every_driver_has_files() {
    let (files, _) = files();
    for driver in DRIVERS.iter().filter(|driver| !OURS.contains(&driver.name)) {
        for word in ["refund", "lookup", "delivery"] {
            let mut cases = files.iter().filter(|file| file.driver.name == driver.name).flat_map(|file| &file.cases);
            assert!(cases.any(|case| case.act.word() == word), "suite/{}/ has no case `{word}`", driver.name);
        }
    }
}

/// Plays a case and compares what the driver made of it with what the file says.
fn check(file: &File, case: &Case) -> Result<(), format::Fault> {
    let told = play::case(file, case)?;
    let expected: Vec<&str> = case.expected.iter().map(|(_, line)| line.as_str()).collect();
    if expected.len() == told.len() && expected.iter().zip(&told).all(|(expected, told)| words::met(expected, told)) {
        return Ok(());
    }
    let line = case.expected.first().map_or(case.line, |(line, _)| *line);
    let sides = [expected.join("\n  = "), told.join("\n  = ")];
    Err((line, format!("the file says\n  = {}\nthe driver says\n  = {}", sides[0], sides[1])))
}

/// Every file of the suite that can be read, and what is wrong with the others.
fn files() -> (Vec<File>, Vec<String>) {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in listed(&root.join("suite")) {
        for path in listed(&folder) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if path.extension().is_none_or(|extension| extension != "txt") {
                faults.push(format!("{}: not a .txt file", name.display()));
                continue;
            }
            let folder = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let text = fs::read_to_string(&path).expect("a readable file");
            match format::parse(&name, folder, &text) {
                Ok(file) => files.push(file),
                Err((line, fault)) => faults.push(format!("{}:{line}: {fault}", name.display())),
            }
        }
    }
    (files, faults)
}

/// What lies in a folder, by name.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
}

/// A file of one case of the simulated driver.
const SAMPLE: &str = r#"# A sample
source: src/simulated/mod.rs, 2026-11-25
setting base_url: http://127.0.0.1:1

=== refund a sample
ask 1000 USD payment=pay_1 leg=1
--> POST http://127.0.0.1:1/refunds
Content-Type: application/json

{"key": "1", "payment": "pay_1", "currency": "USD", "amount_minor": 1000, "account": ""}
<-- 200
{"key":"1","reference":"sim_1","status":"done","amount_minor":1000,"currency":"USD"}
= done sim_1 1000 USD
"#;

/// What is wrong with a text, as `line: fault`, or an empty text.
fn fault_of(text: &str) -> String {
    let checked = format::parse(Path::new("sample.txt"), "simulated", text)
        .and_then(|file| file.cases.iter().try_for_each(|case| check(&file, case)));
    checked.err().map_or(String::new(), |(line, fault)| format!("{line}: {fault}"))
}

#[test]
fn a_file_that_is_wrong_is_told_with_line_and_both_sides() {
    assert_eq!(fault_of(SAMPLE), "");
    for (from, to, expected) in [
        (
            "= done sim_1 1000",
            "= done sim_1 999",
            "13: the file says\n  = done sim_1 999 USD\nthe driver says\n  = done",
        ),
        ("\"pay_1\"", "\"pay_2\"", "7: the file says\n  POST"),
        ("POST http", "GET http", "7: the file says\n  GET"),
        ("application/json", "text/plain", "7: the file says\n  POST"),
        ("source: src/simulated/mod.rs, 2026-11-25", "", "1: the file says no source"),
        ("= done", "= refund done", "13: the file says"),
        ("<-- 200", "<-- two", "11: `two` is not a number"),
        ("leg=1", "lag=1", "6: `lag`: there are"),
        ("=== refund", "=== fund", "5: there are refund"),
    ] {
        let fault = fault_of(&SAMPLE.replacen(from, to, 1));
        assert!(fault.starts_with(expected), "{from} → {to}: {fault}");
    }
    let (head, exchange) = SAMPLE.split_at(SAMPLE.find("--> ").expect("a request"));
    let fault = fault_of(&format!("{head}= done sim_1 1000 USD\n"));
    assert!(fault.starts_with("5: the driver asks once more: POST"), "{fault}");
    let twice = format!("{head}{}{exchange}", exchange.replace("= done sim_1 1000 USD\n", ""));
    assert!(fault_of(&twice).starts_with("13: the driver does not ask this"), "{}", fault_of(&twice));
}
