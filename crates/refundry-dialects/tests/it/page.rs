//! `docs/api/shoplazza.md`: the table of operations, with a request and an answer of each from the goldens, and every
//! refusal that they show. `cargo xtask golden` writes it; every other run compares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use refundry_dialects::keys::is_of;
use refundry_dialects::shoplazza::operations::{OPERATIONS, Operation};
use refundry_dialects::shoplazza::{VERSIONS, version_of};
use serde_json::Value;

use crate::golden::{listed, parse, played, writes};

const HEAD: &str = "# Shoplazza's API

Written by `cargo xtask golden` from the golden files; edit those instead.

Every path stands below `/openapi`, or `/openapi/` and a version: 2020-01, 2020-07, 2021-07 and 2022-01 are *legacy* (as
is a path without a version), and answer bare objects; 2024-07, 2025-06, 2026-01 and 2026-07 are *modern*, and answer in
an envelope. A running server has the OpenAPI document of each version at `/openapi/{version}/openapi.json`, where no
token is asked for; [shoplazza-legacy.json](shoplazza-legacy.json) is that of 2022-01,
[shoplazza-modern.json](shoplazza-modern.json) that of 2026-07. The keys of every request and answer, version by
version, stand in [keys.txt](../../crates/refundry-dialects/src/shoplazza/keys.txt), and where the platform's
documentation surprises in [quirks.md](../../crates/refundry-dialects/src/shoplazza/quirks.md).

The token goes into the header `Access-Token`. Every answer has a `Request-Id`.

";

/// Refusals that any operation may give are told once.
const EVERYWHERE: [u16; 6] = [401, 403, 405, 413, 429, 503];

/// A request of a golden file and its answer.
struct Case {
    /// Name of the file.
    file: String,
    title: String,
    method: String,
    /// Below the version.
    path: String,
    version: &'static str,
    is_modern: bool,
    /// First line, headers but for the token, body.
    request: String,
    status: u16,
    body: String,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/shoplazza");
    let mut cases = Vec::new();
    for path in listed(&folder) {
        let text = fs::read_to_string(&path).expect("a readable file");
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut asked = None;
        for section in parse(&text).1 {
            match section.word {
                "request" => asked = Some((section.rest.to_owned(), section.body.trim().to_owned())),
                "response" => {
                    let (title, request) = asked.take().expect("a response follows a request");
                    cases.extend(case(&file, title, &request, section.body.trim()));
                }
                _ => {}
            }
        }
    }
    cases
}

/// `None` for a call of a version that is not supported.
fn case(file: &str, title: String, request: &str, response: &str) -> Option<Case> {
    let (method, target) = request.lines().next()?.split_once(' ')?;
    let (whole, _) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
    let (version, path) = version_of(whole)?;
    let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
    let status = head.lines().next()?.trim().parse().ok()?;
    let shown = request.lines().filter(|line| !line.to_lowercase().starts_with("access-token:"));
    Some(Case {
        file: file.to_owned(),
        title,
        method: method.to_owned(),
        path: path.to_owned(),
        version,
        is_modern: version > "2024",
        request: shown.collect::<Vec<_>>().join("\n").trim().to_owned(),
        status,
        body: body.trim().to_owned(),
    })
}

/// The row that a call belongs to: a literal path before one with parameters.
fn row_of(case: &Case) -> Option<&'static Operation> {
    let fits =
        |row: &&Operation| row.method == case.method && row.is_routed(case.version) && is_of(row.path, &case.path);
    OPERATIONS.iter().filter(fits).min_by_key(|row| row.path.matches('{').count())
}

/// What is said no with, in one line.
fn sentence(body: &str) -> String {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let text = match (&body["message"], &body["errors"], &body["error"]) {
        (Value::String(message), _, _) => format!("`{}`: {message}", body["code"].as_str().unwrap_or_default()),
        (_, Value::Array(errors), _) => errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        (_, _, Value::String(error)) => error.clone(),
        _ => format!("`{body}`"),
    };
    text.replace('|', "\\|")
}

fn refusals(text: &mut String, cases: &[&Case]) {
    let mut told = BTreeSet::new();
    let mut rows: Vec<&&Case> = cases.iter().filter(|case| told.insert((case.status, sentence(&case.body)))).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|case| case.status);
    *text += "| Status | Asked for | Answer |\n|---|---|---|\n";
    for case in rows {
        let title = if case.title.is_empty() { "what its file says" } else { &case.title };
        let link = format!("[{title}](../../crates/refundry-dialects/golden/shoplazza/{})", case.file);
        let _ = writeln!(text, "| {} | {link} | {} |", case.status, sentence(&case.body));
    }
    *text += "\n";
}

fn generation(is_modern: bool) -> &'static str {
    if is_modern { "Modern" } else { "Legacy" }
}

/// An operation in one generation, and what its goldens lack.
fn tell(text: &mut String, row: &Operation, cases: &[&Case], is_modern: bool, faults: &mut Vec<String>) {
    let newest = if is_modern { "2026-07" } else { "2022-01" };
    let name = format!("{} {} of {} versions", row.method, row.path, generation(is_modern).to_lowercase());
    let of: Vec<&Case> = cases.iter().filter(|case| case.is_modern == is_modern).copied().collect();
    let Some(success) = of.iter().find(|case| case.status == 200) else {
        faults.push(format!("{name}: no golden file has a success"));
        return;
    };
    let _ = writeln!(text, "### {}\n\n```http\n{}\n```\n", generation(is_modern), success.request);
    let _ = writeln!(text, "<details><summary>Answer</summary>\n\n```json\n{}\n```\n\n</details>\n", success.body);
    let refused: Vec<&Case> = of.iter().filter(|case| case.status != 200).copied().collect();
    let shown: BTreeSet<u16> = refused.iter().map(|case| case.status).collect();
    for status in row.own_refusals(newest).iter().filter(|status| !shown.contains(status)) {
        faults.push(format!("{name}: no golden file has its {status}"));
    }
    for status in shown.iter().filter(|status| **status != 405 && !row.refusals(newest).contains(status)) {
        faults.push(format!("{name}: a golden file has a {status}, the table of operations does not"));
    }
    refusals(text, &refused.into_iter().filter(|case| !EVERYWHERE.contains(&case.status)).collect::<Vec<_>>());
}

fn page(cases: &[Case], faults: &mut Vec<String>) -> String {
    let mut text = HEAD.to_owned();
    text += "## Refusals of every operation\n\n";
    for is_modern in [false, true] {
        let everywhere = |case: &&Case| EVERYWHERE.contains(&case.status) && case.is_modern == is_modern;
        let _ = writeln!(text, "### {}\n", generation(is_modern));
        refusals(&mut text, &cases.iter().filter(everywhere).collect::<Vec<_>>());
    }
    for row in OPERATIONS {
        let is_in = |is_modern| {
            let versions = VERSIONS.all();
            versions.filter(|version| (*version > "2024") == is_modern).any(|version| row.is_routed(version))
        };
        if !is_in(false) && !is_in(true) {
            continue;
        }
        let is_of_row = |case: &&Case| row_of(case).is_some_and(|of| std::ptr::eq(of, row));
        let of: Vec<&Case> = cases.iter().filter(is_of_row).collect();
        let _ = writeln!(text, "## {}\n\n`{} {}` · {}", row.about, row.method, row.path, versions(row.versions));
        let scope = if row.scope.is_empty() { String::new() } else { format!(" · scope `{}`", row.scope) };
        text.truncate(text.trim_end().len());
        let _ = writeln!(text, "{scope}\n");
        for is_modern in [false, true].into_iter().filter(|is_modern| is_in(*is_modern)) {
            tell(&mut text, row, &of, is_modern, faults);
        }
    }
    format!("{}\n", text.trim_end())
}

fn versions(text: &str) -> String {
    match text {
        "L" => "legacy versions".to_owned(),
        "M" => "modern versions".to_owned(),
        "L,M" => "all versions".to_owned(),
        text => text.strip_suffix('+').map_or_else(|| text.to_owned(), |first| format!("since {first}")),
    }
}

#[test]
fn the_page_is_what_the_goldens_tell() {
    played();
    let mut faults = Vec::new();
    let made = page(&cases(), &mut faults);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/shoplazza.md");
    if writes() {
        fs::write(&path, &made).expect("the page can be written");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/api/shoplazza.md is old: cargo xtask golden");
}
