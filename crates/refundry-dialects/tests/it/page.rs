//! `docs/api/*.md`: the table of operations of each platform's API, with a request and an answer of each from the
//! goldens, and every refusal that they show. `cargo xtask golden` writes them; every other run compares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use refundry_dialects::operations::{Api, Operation};
use refundry_dialects::{shoplazza, shopline};
use serde_json::Value;

use crate::golden::{listed, parse, played, writes};

/// The page of an API.
struct Page {
    /// Its name, and that of the folder with the goldens.
    name: &'static str,
    api: &'static Api,
    head: &'static str,
    /// The version and the path below it.
    version_of: fn(&str) -> Option<(&'static str, &str)>,
    /// The header of the token, which is not shown.
    token: &'static str,
    generations: &'static [Generation],
    /// Refusals that any operation may give; they are told once.
    everywhere: &'static [u16],
}

/// Versions that answer in one shape.
struct Generation {
    /// Empty where there is one only.
    name: &'static str,
    newest: &'static str,
    has: fn(&str) -> bool,
}

const SHOPLAZZA: Page = Page {
    name: "shoplazza",
    api: &shoplazza::operations::API,
    head: "# Shoplazza's API

Written by `cargo xtask golden` from the golden files; edit those instead.

Every path stands below `/openapi`, or `/openapi/` and a version: 2020-01, 2020-07, 2021-07 and 2022-01 are *legacy* (as
is a path without a version), and answer bare objects; 2024-07, 2025-06, 2026-01 and 2026-07 are *modern*, and answer in
an envelope. A running server has the OpenAPI document of each version at `/openapi/{version}/openapi.json`, where no
token is asked for; [shoplazza-legacy.json](shoplazza-legacy.json) is that of 2022-01,
[shoplazza-modern.json](shoplazza-modern.json) that of 2026-07. The keys of every request and answer, version by
version, stand in [keys.txt](../../crates/refundry-dialects/src/shoplazza/keys.txt), and where the platform's
documentation surprises in [quirks.md](../../crates/refundry-dialects/src/shoplazza/quirks.md).

The token goes into the header `Access-Token`. Every answer has a `Request-Id`.

",
    version_of: shoplazza::version_of,
    token: "access-token:",
    generations: &[
        Generation { name: "Legacy", newest: "2022-01", has: |version| version < "2024" },
        Generation { name: "Modern", newest: "2026-07", has: |version| version > "2024" },
    ],
    everywhere: &[401, 403, 405, 413, 429, 503],
};

const SHOPLINE: Page = Page {
    name: "shopline",
    api: &shopline::operations::API,
    head: "# SHOPLINE's API

Written by `cargo xtask golden` from the golden files; edit those instead.

Every path stands below `/admin/openapi/` and a version, but for that of the payment apps, which stands below
`/payments_apps/openapi/` and a version. A version is a date, `v20210901` to `v20270301`; any other date is served as the
newest of these that is not after it. A running server has the OpenAPI document of each version at
`/admin/openapi/{version}/openapi.json`, where no token is asked for; [shopline.json](shopline.json) is that of v20270301.
The keys of every request and answer, version by version, stand in
[keys.txt](../../crates/refundry-dialects/src/shopline/keys.txt), and where the platform's documentation surprises in
[quirks.md](../../crates/refundry-dialects/src/shopline/quirks.md).

The token goes into the header `Authorization`, as `Bearer` and the token. Every success is a 200, every answer has a
`traceId`.

",
    version_of: shopline::version_of,
    token: "authorization:",
    generations: &[Generation { name: "", newest: "v20270301", has: |_| true }],
    everywhere: &[401, 403, 405, 406, 413, 429, 503],
};

/// A request of a golden file and its answer.
struct Case {
    /// Name of the file.
    file: String,
    title: String,
    version: &'static str,
    /// First line, headers but for the token, body.
    request: String,
    status: u16,
    body: String,
    /// Its line in the table.
    row: Option<&'static Operation>,
}

fn cases(page: &Page) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(page.name);
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
                    cases.extend(case(page, &file, title, &request, section.body.trim()));
                }
                _ => {}
            }
        }
    }
    cases
}

/// `None` for a call of a version that is not supported.
fn case(page: &Page, file: &str, title: String, request: &str, response: &str) -> Option<Case> {
    let (method, target) = request.lines().next()?.split_once(' ')?;
    let (whole, _) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
    let (version, path) = (page.version_of)(whole)?;
    let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
    let status = head.lines().next()?.trim().parse().ok()?;
    let shown = request.lines().filter(|line| !line.to_lowercase().starts_with(page.token));
    Some(Case {
        file: file.to_owned(),
        title,
        version,
        request: shown.collect::<Vec<_>>().join("\n").trim().to_owned(),
        status,
        body: body.trim().to_owned(),
        row: page.api.row_of(method, path, version),
    })
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

fn refusals(text: &mut String, page: &Page, cases: &[&Case]) {
    let mut told = BTreeSet::new();
    let mut rows: Vec<&&Case> = cases.iter().filter(|case| told.insert((case.status, sentence(&case.body)))).collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|case| case.status);
    *text += "| Status | Asked for | Answer |\n|---|---|---|\n";
    for case in rows {
        let title = if case.title.is_empty() { "what its file says" } else { &case.title };
        let link = format!("[{title}](../../crates/refundry-dialects/golden/{}/{})", page.name, case.file);
        let _ = writeln!(text, "| {} | {link} | {} |", case.status, sentence(&case.body));
    }
    *text += "\n";
}

/// An operation in one generation, and what its goldens lack.
fn tell(
    text: &mut String,
    page: &Page,
    row: &'static Operation,
    cases: &[&Case],
    of: &Generation,
    faults: &mut Vec<String>,
) {
    let name = format!("{} {} {}", row.method, row.path, of.name);
    let name = name.trim_end();
    let cases: Vec<&Case> = cases.iter().filter(|case| (of.has)(case.version)).copied().collect();
    // The newest of several.
    let successes = cases.iter().rev().filter(|case| case.status == 200);
    let Some(success) = successes.max_by_key(|case| case.version) else {
        faults.push(format!("{name}: no golden file has a success"));
        return;
    };
    if !of.name.is_empty() {
        let _ = writeln!(text, "### {}\n", of.name);
    }
    let _ = writeln!(text, "```http\n{}\n```\n", success.request);
    let _ = writeln!(text, "<details><summary>Answer</summary>\n\n```json\n{}\n```\n\n</details>\n", success.body);
    let refused: Vec<&Case> = cases.iter().filter(|case| case.status != 200).copied().collect();
    let shown: BTreeSet<u16> = refused.iter().map(|case| case.status).collect();
    for status in page.api.own_refusals(row, of.newest).iter().filter(|status| !shown.contains(status)) {
        faults.push(format!("{name}: no golden file has its {status}"));
    }
    let known = page.api.refusals(row, of.newest);
    for status in shown.iter().filter(|status| **status != 405 && !known.contains(status)) {
        faults.push(format!("{name}: a golden file has a {status}, the table of operations does not"));
    }
    let own: Vec<&Case> = refused.into_iter().filter(|case| !page.everywhere.contains(&case.status)).collect();
    refusals(text, page, &own);
}

fn text(page: &Page, cases: &[Case], faults: &mut Vec<String>) -> String {
    let mut text = page.head.to_owned();
    text += "## Refusals of every operation\n\n";
    for of in page.generations {
        let everywhere = |case: &&Case| page.everywhere.contains(&case.status) && (of.has)(case.version);
        if !of.name.is_empty() {
            let _ = writeln!(text, "### {}\n", of.name);
        }
        refusals(&mut text, page, &cases.iter().filter(everywhere).collect::<Vec<_>>());
    }
    for row in page.api.operations {
        let is_in = |of: &&Generation| {
            let mut versions = page.api.versions.all().filter(|version| (of.has)(version));
            versions.any(|version| page.api.is_routed(row, version))
        };
        let generations: Vec<&Generation> = page.generations.iter().filter(is_in).collect();
        if generations.is_empty() {
            continue;
        }
        let of: Vec<&Case> = cases.iter().filter(|case| case.row.is_some_and(|of| std::ptr::eq(of, row))).collect();
        let _ = writeln!(text, "## {}\n\n`{} {}` · {}", row.about, row.method, row.path, versions(row.versions));
        let scope = if row.scope.is_empty() { String::new() } else { format!(" · scope `{}`", row.scope) };
        text.truncate(text.trim_end().len());
        let _ = writeln!(text, "{scope}\n");
        for generation in generations {
            tell(&mut text, page, row, &of, generation, faults);
        }
    }
    format!("{}\n", text.trim_end())
}

fn versions(text: &str) -> String {
    match text {
        "L" => "legacy versions".to_owned(),
        "M" => "modern versions".to_owned(),
        "L,M" | "all" => "all versions".to_owned(),
        text => text.strip_suffix('+').map_or_else(|| text.to_owned(), |first| format!("since {first}")),
    }
}

fn check(page: &Page) {
    played();
    let mut faults = Vec::new();
    let made = text(page, &cases(page), &mut faults);
    let path = docs(&format!("{}.md", page.name));
    if writes() {
        fs::write(&path, &made).expect("the page can be written");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/api/{}.md is old: cargo xtask golden", page.name);
}

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api").join(file)
}

#[test]
fn the_page_of_shoplazza_is_what_the_goldens_tell() {
    check(&SHOPLAZZA);
}

#[test]
fn the_page_of_shopline_is_what_the_goldens_tell() {
    check(&SHOPLINE);
}
