//! The rules for a single file. Each takes a path (from the root, forward slashes) and a text and returns findings.
//!
//! Rules about code look at code only: a comment or a literal may name what the code must not use.

use std::ops::RangeInclusive;
use std::slice;

use super::Finding;
use crate::rust_text::{RustText, is_word};

/// Every rule that applies to a `.rs` file.
pub(super) const RUST_RULES: &[fn(&str, &str) -> Vec<Finding>] =
    &[module_comment, line_width, file_length, sql_in_store, clock_in_engine, banned_calls, no_floats];

const LINE_WIDTH_MAX: usize = 120;
const FILE_LINES_MAX: usize = 900;
const CLOCK_HOME: &str = "crates/refundry-engine/src/clock.rs";
const STORE: &str = "crates/refundry-store/";
const BARE_LOOPS: &str = "crates/refundry/src/bench/baseline/";
const PLANTING_TESTS: &str = "crates/refundry-engine/tests/";
const FAULT_TESTS: &str = "crates/refundry/tests/it/faults/";
const SQL_RULE: &str = "xtask/src/tidy/store_leads";
const DIALECTS: &[&str] = &["native", "shoplazza", "shopline", "digital_river"];

fn module_comment(path: &str, text: &str) -> Vec<Finding> {
    if text.starts_with("//!") {
        return Vec::new();
    }
    let message = "a file starts with a `//!` comment: what the module is for and what it must never do is the first \
        thing a reader needs";
    vec![Finding::new(path, 1, message)]
}

fn line_width(path: &str, text: &str) -> Vec<Finding> {
    let without_literals = RustText::new(text).code_and_comments();
    let too_long = |(line, bare): &(&str, &str)| {
        // A row of a data table, or a line within a long literal, cannot always be broken.
        let is_data = !bare.contains(char::is_alphabetic);
        line.chars().count() > LINE_WIDTH_MAX && !is_data
    };
    let lines = text.lines().zip(without_literals.lines()).enumerate();
    lines
        .filter(|(_, line)| too_long(line))
        .map(|(index, (line, _))| {
            let message = format!(
                "{} characters in a line, {LINE_WIDTH_MAX} at most: two files must fit side by side",
                line.chars().count()
            );
            Finding::new(path, index + 1, message)
        })
        .collect()
}

fn file_length(path: &str, text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let message = format!("{lines} lines in a file, {FILE_LINES_MAX} at most: a file has one subject; split this one");
    vec![Finding::new(path, FILE_LINES_MAX + 1, message)]
}

fn sql_in_store(path: &str, text: &str) -> Vec<Finding> {
    // The engine's tests and those of faults plant errors behind the store's back, which is the one thing its functions
    // cannot do; the rule about the store's SQL has samples of it; and the bare loops of the benchmark stand for a
    // program without our store, so they cannot go through it.
    if [STORE, PLANTING_TESTS, FAULT_TESTS, SQL_RULE, BARE_LOOPS].iter().any(|home| path.starts_with(home)) {
        return Vec::new();
    }
    let literals = RustText::new(text).string_literals();
    literals
        .iter()
        .filter(|(_, literal)| is_sql(literal))
        .map(|(line, _)| {
            let message = "SQL only in refundry-store: a table is read and written next to its codec, in one place";
            Finding::new(path, *line, message)
        })
        .collect()
}

fn is_sql(literal: &str) -> bool {
    // A backslash here is the continuation of a literal that begins on its second line.
    let statement = literal.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    ["SELECT", "INSERT INTO", "UPDATE", "DELETE FROM"]
        .iter()
        .filter_map(|verb| statement.strip_prefix(verb))
        .any(|rest| rest.starts_with(char::is_whitespace))
}

fn clock_in_engine(path: &str, text: &str) -> Vec<Finding> {
    if path == CLOCK_HOME || path.starts_with("xtask/") || is_bench(path) || is_test(path) {
        return Vec::new();
    }
    let code = RustText::new(text).code();
    let tests = inline_tests(&code);
    let reason = format!("the clock is read in {CLOCK_HOME} only: a run with a given clock can be repeated");
    lines_with(&code, &["SystemTime::now", "Instant::now"])
        .filter(|(line, _)| !tests.iter().any(|range| range.contains(line)))
        .map(|(line, found)| Finding::new(path, line, format!("`{found}`: {reason}")))
        .collect()
}

fn banned_calls(path: &str, text: &str) -> Vec<Finding> {
    const UNFINISHED: &str = "what is not there yet is left out or refused by name, it does not panic at run time";
    const HIDDEN: &str = "a test that does not run proves nothing; assert what happens today and say why";
    const VAGUE: &str = "any panic would pass; return an error and assert on it";
    const SLEEPY: &str = "wait for an event, not for a while: sleeping makes tests slow and still flaky";
    const BANNED: &[(&str, &str)] = &[
        ("todo!", UNFINISHED),
        ("unimplemented!", UNFINISHED),
        ("#[ignore", HIDDEN),
        ("#[should_panic", VAGUE),
        ("thread::sleep", SLEEPY),
    ];
    let code = RustText::new(text).code();
    BANNED
        .iter()
        .flat_map(|(banned, reason)| lines_with(&code, slice::from_ref(banned)).map(move |hit| (hit, reason)))
        .map(|((line, found), reason)| Finding::new(path, line, format!("no `{found}`: {reason}")))
        .collect()
}

fn no_floats(path: &str, text: &str) -> Vec<Finding> {
    if ["bench", "metrics", "telemetry", "progress"].iter().any(|word| path.contains(word)) {
        return Vec::new();
    }
    let code = RustText::new(text).code();
    let is_float = |word: &str, float: &str| {
        let is_number = word.starts_with(|c: char| c.is_ascii_digit()) && !word.starts_with("0x");
        word == float || (is_number && word.ends_with(float))
    };
    let has_float = |line: &str| line.split(|c| !is_word(c)).any(|word| is_float(word, "f32") || is_float(word, "f64"));
    let message = "no binary floats outside benches, metrics, telemetry and progress: they cannot hold 0.10, and near \
        money one of them always finds its way into a sum";
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| has_float(line)).map(|(index, _)| Finding::new(path, index + 1, message)).collect()
}

/// Golden tests read whole dialect folders, so a file is unread exactly when it lies in no dialect's folder.
pub(super) fn golden_folder(path: &str) -> Vec<Finding> {
    let parts: Vec<&str> = path.split('/').collect();
    let ["crates", _, "golden", rest @ ..] = parts.as_slice() else {
        return Vec::new();
    };
    if matches!(rest, [dialect, _, ..] if DIALECTS.contains(dialect)) {
        return Vec::new();
    }
    let message =
        format!("a golden file lies in the folder of a dialect ({}): elsewhere no test reads it", DIALECTS.join(", "));
    vec![Finding::new(path, 1, message)]
}

/// The lines of `code` that use one of `needles` as a whole word, with the needle found.
fn lines_with<'a>(code: &'a str, needles: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    let first_in = |line: &str| needles.iter().find(|needle| uses(line, needle)).copied();
    code.lines().enumerate().filter_map(move |(index, line)| first_in(line).map(|needle| (index + 1, needle)))
}

fn uses(line: &str, needle: &str) -> bool {
    let starts_in_word = |at: usize| needle.starts_with(is_word) && line[..at].ends_with(is_word);
    let ends_in_word = |at: usize| needle.ends_with(is_word) && line[at + needle.len()..].starts_with(is_word);
    line.match_indices(needle).any(|(at, _)| !starts_in_word(at) && !ends_in_word(at))
}

fn is_test(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs")) || path.ends_with("_tests.rs")
}

fn is_bench(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with("bench"))
}

/// The lines of every `#[cfg(test)] mod … { … }`. Works on blanked code, where each brace is a real one.
fn inline_tests(code: &str) -> Vec<RangeInclusive<usize>> {
    let line_of = |at: usize| 1 + code[..at].matches('\n').count();
    code.match_indices("#[cfg(test)]").map(|(at, _)| line_of(at)..=line_of(item_end(code, at))).collect()
}

/// Where the item after `start` ends: at its closing brace, or at a semicolon before any brace.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, c) in code[start..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' => {}
            _ => continue,
        }
        if depth == 0 {
            return start + offset;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "crates/refundry-core/src/lib.rs";

    /// Runs one rule and compares the lines it complains about.
    #[track_caller]
    fn check(rule: fn(&str, &str) -> Vec<Finding>, path: &str, text: &str, lines: &[usize]) {
        let found: Vec<usize> = rule(path, text).iter().map(|finding| finding.line).collect();
        assert_eq!(found, lines, "{path}: {text}");
    }

    #[test]
    fn a_file_starts_with_its_comment() {
        check(module_comment, LIB, "//! What it is for.\n", &[]);
        check(module_comment, LIB, "\n//! Late.\n", &[1]);
        check(module_comment, LIB, "use std::fmt;\n", &[1]);
        check(module_comment, LIB, "", &[1]);
    }

    #[test]
    fn lines_have_a_width() {
        let wide = "x".repeat(121);
        check(line_width, LIB, &format!("{}\n{wide}\n", &wide[..120]), &[2]);
        check(line_width, LIB, &format!("// {wide}\n"), &[1]);
        check(line_width, LIB, &format!("let a = \"{wide}\";\n"), &[1]);
        check(line_width, LIB, &format!("    (\"{wide}\", 'c', 12),\n"), &[]);
        check(line_width, LIB, &format!("let a = r\"\n{wide}\n\";\n"), &[]);
        check(line_width, LIB, &"é".repeat(120), &[]);
    }

    #[test]
    fn files_have_a_length() {
        check(file_length, LIB, &"\n".repeat(900), &[]);
        check(file_length, LIB, &"\n".repeat(901), &[901]);
    }

    #[test]
    fn sql_stays_in_the_store() {
        let text = "f(\"SELECT 1\");\nf(r#\"\n  DELETE FROM x\"#);\n\nf(\"\\\n  UPDATE x SET\", b\"INSERT INTO x\");\n";
        check(sql_in_store, LIB, text, &[1, 2, 5, 6]);
        check(sql_in_store, "crates/refundry/tests/it/main.rs", text, &[1, 2, 5, 6]);
        check(sql_in_store, "crates/refundry-store/src/orders.rs", text, &[]);
        check(sql_in_store, "crates/refundry-store/tests/it/main.rs", text, &[]);
        check(sql_in_store, "crates/refundry/src/bench/baseline/sqlite.rs", text, &[]);
        check(sql_in_store, "crates/refundry/src/bench/engine.rs", text, &[1, 2, 5, 6]);
        check(sql_in_store, LIB, "f(\"UPDATED x\", \"please SELECT one\"); // \"SELECT 1\"\n", &[]);
    }

    #[test]
    fn the_clock_has_one_home() {
        let text = "let a = Instant::now();\n// Instant::now()\nlet b = std::time::SystemTime::now;\n";
        check(clock_in_engine, LIB, text, &[1, 3]);
        for path in [
            CLOCK_HOME,
            "xtask/src/ci.rs",
            "crates/refundry-engine/benches/accept.rs",
            "crates/refundry/src/bench.rs",
            "crates/refundry-store/tests/it/main.rs",
            "crates/refundry-core/src/tests.rs",
        ] {
            check(clock_in_engine, path, text, &[]);
        }
        let with_tests = format!("#[cfg(test)]\nmod tests {{\nfn f() {{ g('}}') }}\n{text}}}\n{text}");
        check(clock_in_engine, LIB, &with_tests, &[8, 10]);
        check(clock_in_engine, LIB, &format!("#[cfg(test)]\nmod tests;\n{text}"), &[3, 5]);
        check(clock_in_engine, LIB, "MyInstant::nowhere(); Instant::now_ms()", &[]);
    }

    #[test]
    fn some_calls_are_banned() {
        let text = "todo!()\nunimplemented!(\"x\")\n#[ignore = \"slow\"]\n#[should_panic(expected = \"x\")]\n\
            std::thread::sleep(d);\nmy_todo!(); tokio::time::sleep(d); #[ignored] // todo!\n";
        check(banned_calls, LIB, text, &[1, 2, 3, 4, 5]);
        check(banned_calls, "crates/refundry/tests/it/main.rs", text, &[1, 2, 3, 4, 5]);
    }

    #[test]
    fn floats_are_for_measuring() {
        let text = "let a: f64 = b;\nlet c = 1.0f32 + 2_f64;\nlet d = 0x1f64; as_secs_f64(); \"f32\" // f64\n";
        check(no_floats, LIB, text, &[1, 2]);
        for path in ["crates/refundry/src/metrics.rs", "crates/refundry/src/bench/load.rs", "xtask/src/progress.rs"] {
            check(no_floats, path, text, &[]);
        }
    }

    #[test]
    fn golden_files_lie_where_tests_look() {
        let lines = |path| golden_folder(path).len();
        assert_eq!(lines("crates/refundry-dialects/golden/native/create.txt"), 0);
        assert_eq!(lines("crates/refundry-dialects/golden/digital_river/create.txt"), 0);
        assert_eq!(lines("crates/refundry-dialects/golden/digital-river/create.txt"), 1);
        assert_eq!(lines("crates/refundry-dialects/golden/notes.txt"), 1);
        assert_eq!(lines("crates/refundry-dialects/golden/native"), 1);
        assert_eq!(lines("crates/refundry-dialects/src/golden.rs"), 0);
    }

    #[test]
    fn a_finding_names_place_rule_and_reason() {
        let finding = &banned_calls(LIB, "\ntodo!()\n")[0];
        let expected = "crates/refundry-core/src/lib.rs:2: no `todo!`: what is not there yet is left out or refused by \
            name, it does not panic at run time";
        assert_eq!(finding.to_string(), expected);
    }
}
