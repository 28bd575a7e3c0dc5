//! Runs every file below `golden/`: a flow of requests, told from top to bottom with what came of each.
//!
//! A file opens with `# Title` and comment lines. Then come sections, each begun by a line `=== word …`:
//!
//! - `orders two_lines, foreign`: fixture orders that exist from here on; `two-refunds-already.json` is an example
//!   order of SHOPLINE, taken in as `refundry import` does;
//! - `token write_orders`: scopes of the caller from here on, `none` for a token that does not work;
//!   before the first such section: `read_orders, write_orders`;
//! - `request`, perhaps with a few words on it: method and target, headers, a blank line, the body;
//!   directly below it, `body-repeat "[" 10000` and `body-bytes ff fe` add to a body what text cannot show;
//! - `store proportional`: how the store spreads refunds over payments from here on;
//! - `hold bogus`: refunds over this channel wait for a person from here on;
//! - `limits simulated full once min=500 days=30`: what a gateway takes from here on, any of these; amounts are in
//!   minor units;
//! - `full 1500`: the platform takes no call from here on, and one more in so many milliseconds; `full no` for room;
//! - `event 500 USD pay_1`: a refund of this amount in minor units that the gateway `till` told of and that fits
//!   nothing, with the provider's id of its payment;
//! - `settle 1 succeeded`: what became of the first refund's first leg; `settle 2.3 …` is the third leg of the second;
//!   `succeeded`, `failed CODE`, `in_doubt`, `sent`;
//! - `deliver refunds/create v20260301`: somebody who subscribed to this topic of SHOPLINE's, in this version, is told
//!   of what there is right now: the last refund, order, parcel, transaction or return, or the first shelf;
//! - `call`, `outcome`, `response` after each request, `delivery` after each `deliver`: written by the runner, compared
//!   on every run.
//!
//! The runner tells the file anew and compares the whole text, so it never has to interpret what it wrote before.

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use refundry_core::decide::News;
use refundry_core::order::Dialect;
use refundry_core::payouts::{GatewayLimits, Strategy};
use refundry_dialects::{Header, Request, Scope};

use crate::engine::Engine;
use crate::{fixtures, words};

/// The variable that makes the run rewrite files instead of comparing them.
const WRITE: &str = "REFUNDRY_GOLDEN";
const RECORDED: &[&str] = &["call", "outcome", "response", "delivery"];

/// Whether this run rewrites files.
pub(crate) fn writes() -> bool {
    match std::env::var(WRITE) {
        Ok(value) if value == "write" => true,
        Ok(value) => panic!("{WRITE} is `{value}`; the only value it can have is `write`"),
        Err(_) => false,
    }
}

/// What differs, once all files were played. Whoever reads goldens asks this first, and so reads what was written.
pub(crate) fn played() -> &'static [String] {
    static FAULTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let write = writes();
        golden_paths().into_iter().filter_map(|path| path.and_then(|path| check(&path, write)).err()).collect()
    });
    &FAULTS
}

#[test]
fn golden_files_tell_what_happens() {
    let faults = played();
    let update = "to accept what the code does now: cargo xtask golden";
    assert!(faults.is_empty(), "golden files that differ: {}\n\n{}\n{update}", faults.len(), faults.join("\n"));
}

/// Every golden file, or why something below `golden/` is none.
fn golden_paths() -> Vec<Result<PathBuf, String>> {
    let mut paths = Vec::new();
    for folder in listed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")) {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !folder.is_dir() || Dialect::parse(name).is_none() {
            paths.push(Err(format!("{}: not the folder of a dialect, so nothing reads it\n", folder.display())));
            continue;
        }
        paths.extend(listed(&folder).into_iter().map(|path| {
            let is_text = path.is_file() && path.extension().is_some_and(|extension| extension == "txt");
            if is_text { Ok(path) } else { Err(format!("{}: not a .txt file\n", path.display())) }
        }));
    }
    paths
}

/// What lies in a folder, by name; nothing where there is no folder.
pub(crate) fn listed(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
}

fn check(path: &Path, write: bool) -> Result<(), String> {
    let name = path.display();
    let before = fs::read_to_string(path).map_err(|error| format!("{name}: {error}\n"))?;
    let mut engine = Engine::new();
    // A defect in one dialect must not hide which file met it, nor what the other files say.
    let now = catch_unwind(AssertUnwindSafe(|| tell(&before, &mut |step| play(&mut engine, step))))
        .map_err(|_| format!("{name}: panicked, see the message above\n"))?
        .map_err(|fault| format!("{name}:{fault}\n"))?;
    if now == before {
        return Ok(());
    }
    if write {
        return fs::write(path, now).map_err(|error| format!("{name}: {error}\n"));
    }
    Err(format!("{name}\n{}", diff(&before, &now)))
}

/// A section that does something.
enum Step<'a> {
    Orders(&'a str),
    Token(&'a str),
    Store(&'a str),
    Limits(&'a str),
    Hold(&'a str),
    Full(&'a str),
    Event(&'a str),
    Settle(&'a str),
    Deliver(&'a str),
    Request(Sent<'a>),
}

/// A request as a file states it.
struct Sent<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Does a step with the real rules; for a request, the sections that record it.
fn play(engine: &mut Engine, step: Step<'_>) -> Result<String, String> {
    match step {
        Step::Orders(names) => {
            for name in words_of(names) {
                if Path::new(name).extension().is_some_and(|extension| extension == "json") {
                    engine.import_example(name)?;
                    continue;
                }
                let unknown = || {
                    let known: Vec<&str> = fixtures::ALL.iter().map(|(name, _)| *name).collect();
                    format!("there is no order `{name}`; there are {}", known.join(", "))
                };
                engine.hold(fixtures::by_name(name).ok_or_else(unknown)?);
            }
        }
        Step::Token("none") => engine.scopes = None,
        Step::Token(scopes) => {
            let parse = |code| Scope::parse(code).ok_or_else(|| format!("there is no scope `{code}`"));
            engine.scopes = Some(words_of(scopes).map(parse).collect::<Result<_, _>>()?);
        }
        Step::Store(code) => {
            engine.payouts.strategy = Strategy::parse(code).ok_or_else(|| format!("there is no strategy `{code}`"))?;
        }
        Step::Limits(text) => {
            let (gateway, limits) = limits(text)?;
            engine.payouts.gateways.insert(gateway, limits);
        }
        Step::Hold(channel) => {
            engine.payouts.held.insert(channel.to_owned());
        }
        Step::Full("no") => engine.full_ms = None,
        Step::Full(text) => {
            let wait_ms = text.parse().map_err(|_| format!("`{text}` is neither milliseconds nor `no`"))?;
            engine.full_ms = Some(wait_ms);
        }
        Step::Event(text) => engine.hear(text)?,
        Step::Settle(text) => {
            let (refund, leg, news) = settlement(text)?;
            engine.settle(refund, leg, news)?;
        }
        Step::Deliver(what) => return Ok(words::delivery(&engine.deliver(what)?)),
        Step::Request(Sent { method, path, query, headers, body }) => {
            let headers: Vec<Header<'_>> = headers.iter().map(|(name, value)| (name.as_str(), value.into())).collect();
            let request = Request { method, path, query, headers: &headers, body: &body, now_ms: engine.now_ms };
            return Ok(words::record(&engine.serve(&request)));
        }
    }
    Ok(String::new())
}

/// Reads `simulated full once min=500 days=30`.
fn limits(text: &str) -> Result<(String, GatewayLimits), String> {
    let mut limits = GatewayLimits { partial: true, several_per_payment: true, minimum_minor: 0, deadline_days: None };
    let mut words = text.split_whitespace();
    let gateway = words.next().ok_or("which gateway?")?;
    for word in words {
        let wrong = || format!("`{word}` is no limit: `full`, `once`, `min=N` or `days=N`");
        match word.split_once('=') {
            None if word == "full" => limits.partial = false,
            None if word == "once" => limits.several_per_payment = false,
            Some(("min", amount)) => limits.minimum_minor = amount.parse().map_err(|_| wrong())?,
            Some(("days", days)) => limits.deadline_days = Some(days.parse().map_err(|_| wrong())?),
            None | Some(_) => return Err(wrong()),
        }
    }
    Ok((gateway.to_owned(), limits))
}

/// Reads `1 failed CODE`; positions count from 1 in the file, from 0 in the answer.
fn settlement(text: &str) -> Result<(usize, usize, News), String> {
    let mut words = text.split_whitespace();
    let position = words.next().unwrap_or_default();
    let (refund, leg) = position.split_once('.').unwrap_or((position, "1"));
    let index = |text: &str| text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let (Some(refund), Some(leg)) = (index(refund), index(leg)) else {
        return Err(format!("`{position}` is not a refund (`1`), nor a leg of it (`1.2`)"));
    };
    let news = match (words.next().unwrap_or_default(), words.next()) {
        ("succeeded", None) => News::Succeeded { reference: format!("re_{}", refund + 1) },
        ("failed", Some(code)) => News::Failed { code: code.to_owned(), message: format!("the provider says {code}") },
        ("in_doubt", None) => News::InDoubt { reason: "no answer in time".to_owned() },
        ("sent", None) => News::Sent { reference: format!("re_{}", refund + 1) },
        _ => return Err("what became of the leg? `succeeded`, `failed CODE`, `in_doubt` or `sent`".to_owned()),
    };
    Ok((refund, leg, news))
}

/// Entries of a list written with commas or blanks.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// Tells a file anew: what it states as it stands, what it records as it is now. A fault names its line.
fn tell(text: &str, act: &mut dyn FnMut(Step<'_>) -> Result<String, String>) -> Result<String, String> {
    let (head, sections) = parse(text);
    if !head.starts_with("# ") {
        return Err("1: a golden file opens with `# ` and a sentence of what it shows".to_owned());
    }
    comments_only(1, head)?;
    let mut told = head.to_owned();
    let mut rest = sections.iter().peekable();
    while let Some(section) = rest.next() {
        let at = |fault: String| format!("{}: {fault}", section.line);
        told += section.text;
        let step = match section.word {
            "orders" => Step::Orders(section.rest),
            "token" => Step::Token(section.rest),
            "store" => Step::Store(section.rest),
            "limits" => Step::Limits(section.rest),
            "hold" => Step::Hold(section.rest),
            "full" => Step::Full(section.rest),
            "event" => Step::Event(section.rest),
            "settle" => Step::Settle(section.rest),
            "deliver" => {
                comments_only(section.line + 1, section.body)?;
                while rest.next_if(|next| RECORDED.contains(&next.word)).is_some() {}
                told.truncate(told.trim_end().len());
                told += "\n\n";
                Step::Deliver(section.rest)
            }
            "request" => {
                let mut sent = read_request(section.body).map_err(at)?;
                while let Some(more) = rest.next_if(|next| next.word.starts_with("body-")) {
                    sent.body.extend(more_body(more).map_err(|fault| format!("{}: {fault}", more.line))?);
                    told += more.text;
                }
                while rest.next_if(|next| RECORDED.contains(&next.word)).is_some() {}
                told.truncate(told.trim_end().len());
                told += "\n\n";
                Step::Request(sent)
            }
            word if RECORDED.contains(&word) => {
                return Err(at(format!("`{word}` follows no request")));
            }
            word => return Err(at(format!("there is no section `{word}`"))),
        };
        if !matches!(step, Step::Request(_) | Step::Deliver(_)) {
            comments_only(section.line + 1, section.body)?;
        }
        told += &act(step).map_err(at)?;
    }
    Ok(format!("{}\n", told.trim_end()))
}

/// A part of a file: its title line cut into first word and rest, its lines below, and both as they stand.
pub(crate) struct Section<'a> {
    pub(crate) line: usize,
    pub(crate) word: &'a str,
    pub(crate) rest: &'a str,
    pub(crate) body: &'a str,
    text: &'a str,
}

/// The comment a file opens with, and its sections. Nothing is lost: in order, their texts are the file.
pub(crate) fn parse(text: &str) -> (&str, Vec<Section<'_>>) {
    let mut starts = Vec::new();
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with("=== ") {
            starts.push((index + 1, at));
        }
        at += line.len();
    }
    let ends = starts.iter().map(|(_, at)| *at).skip(1).chain([text.len()]);
    let section = |((line, start), end): (&(usize, usize), usize)| {
        let text = &text[*start..end];
        let (title, body) = text.split_once('\n').unwrap_or((text, ""));
        let title = title["=== ".len()..].trim();
        let (word, rest) = title.split_once(' ').unwrap_or((title, ""));
        Section { line: *line, word, rest: rest.trim(), body, text }
    };
    let head = &text[..starts.first().map_or(text.len(), |(_, at)| *at)];
    (head, starts.iter().zip(ends).map(section).collect())
}

/// Where nothing is read, only a comment may stand.
fn comments_only(first_line: usize, text: &str) -> Result<(), String> {
    let is_comment = |line: &str| line.trim().is_empty() || line.starts_with('#');
    match text.lines().position(|line| !is_comment(line)) {
        Some(index) => Err(format!("{}: nobody reads this line; a comment starts with #", first_line + index)),
        None => Ok(()),
    }
}

fn read_request(text: &str) -> Result<Sent<'_>, String> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').ok_or("a request opens with `METHOD /target`")?;
    let (path, query) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is not a header"))?;
        Ok((name.trim().to_lowercase(), value.trim().to_owned()))
    };
    let headers = lines.filter(|line| !line.is_empty()).map(header).collect::<Result<_, String>>()?;
    Ok(Sent { method, path, query, headers, body: body.trim_end().as_bytes().to_vec() })
}

fn more_body(section: &Section<'_>) -> Result<Vec<u8>, String> {
    comments_only(section.line + 1, section.body)?;
    match section.word {
        "body-repeat" => {
            let (text, count) = section.rest.rsplit_once(' ').unwrap_or_default();
            let text: Option<String> = serde_json::from_str(text).ok();
            let (Some(text), Ok(count)) = (text, count.parse()) else {
                return Err("it takes a text in JSON quotes and a count: `body-repeat \"[\" 10000`".to_owned());
            };
            Ok(text.repeat(count).into_bytes())
        }
        "body-bytes" => {
            let byte = |hex| u8::from_str_radix(hex, 16).map_err(|_| format!("`{hex}` is not a byte in hex"));
            section.rest.split_whitespace().map(byte).collect()
        }
        word => Err(format!("there is no section `{word}`")),
    }
}

/// The lines that differ, with two lines around them and their numbers in the file as it stands.
fn diff(before: &str, now: &str) -> String {
    const AROUND: usize = 2;
    let edits = edits(&before.lines().collect::<Vec<_>>(), &now.lines().collect::<Vec<_>>());
    let changed: Vec<usize> = (0..edits.len()).filter(|i| edits[*i].0 != ' ').collect();
    let near = |index: usize| {
        let next = changed.partition_point(|at| *at + AROUND < index);
        changed.get(next).is_some_and(|at| *at <= index + AROUND)
    };
    let (mut text, mut number, mut skipped) = (String::new(), 0, false);
    for (index, (sign, line)) in edits.iter().enumerate() {
        number += usize::from(*sign != '+');
        if near(index) {
            text += if skipped { "       ⋮\n" } else { "" };
            let _ = writeln!(text, "{number:>6} {sign}{line}");
        }
        skipped = !near(index);
    }
    text
}

/// Kept (' '), removed ('-') and added ('+') lines; both ends that the texts share are set aside, for the table's size.
fn edits<'a>(before: &[&'a str], now: &[&'a str]) -> Vec<(char, &'a str)> {
    let shared = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = shared(&mut before.iter().zip(now));
    let (before_rest, now_rest) = (&before[head..], &now[head..]);
    let tail = shared(&mut before_rest.iter().rev().zip(now_rest.iter().rev()));
    let (before_rest, tail_lines) = before_rest.split_at(before_rest.len() - tail);
    let middle = shortest_edits(before_rest, &now_rest[..now_rest.len() - tail]);
    let keep = |lines: &[&'a str]| lines.iter().map(|line| (' ', *line)).collect::<Vec<_>>();
    [keep(&before[..head]), middle, keep(tail_lines)].concat()
}

/// The shortest way from one text to the other.
fn shortest_edits<'a>(before: &[&'a str], now: &[&'a str]) -> Vec<(char, &'a str)> {
    // kept[i][j]: how many lines the rests from i and from j have in common.
    let mut kept = vec![vec![0_u32; now.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..now.len()).rev() {
            let same = before[i] == now[j];
            kept[i][j] = if same { kept[i + 1][j + 1] + 1 } else { kept[i + 1][j].max(kept[i][j + 1]) };
        }
    }
    let (mut edits, mut i, mut j) = (Vec::new(), 0, 0);
    while i < before.len() || j < now.len() {
        if i < before.len() && j < now.len() && before[i] == now[j] {
            edits.push((' ', before[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < before.len() && (j == now.len() || kept[i + 1][j] >= kept[i][j + 1]) {
            edits.push(('-', before[i]));
            i += 1;
        } else {
            edits.push(('+', now[j]));
            j += 1;
        }
    }
    edits
}

/// The runner alone, with a stand-in that echoes each step.
mod tests {
    use super::{Step, diff, tell};

    const FILE: &str = "\
# Title: what it shows
# and why

=== orders two_lines, yen
# the buyer is in Japan
=== request once more
POST /a/b?c=d
Content-Type: application/json

{\"e\":
 1}


=== body-repeat \"[]\" 3
=== body-bytes 7d ff
=== call
stale

=== response
stale
=== settle 1.2 failed expired
=== request
GET /";

    const TOLD: &str = "\
# Title: what it shows
# and why

=== orders two_lines, yen
# the buyer is in Japan
=== request once more
POST /a/b?c=d
Content-Type: application/json

{\"e\":
 1}


=== body-repeat \"[]\" 3
=== body-bytes 7d ff

=== call
POST /a/b c=d [(\"content-type\", \"application/json\")] {\"e\":\n 1}[][][]}\u{fffd}

=== settle 1.2 failed expired
=== request
GET /

=== call
GET /  []
";

    fn echo(text: &str) -> Result<String, String> {
        tell(text, &mut |step| match step {
            Step::Request(sent) => {
                let body = String::from_utf8_lossy(&sent.body);
                Ok(format!("=== call\n{} {} {} {:?} {body}\n\n", sent.method, sent.path, sent.query, sent.headers))
            }
            Step::Orders("two_lines, yen") | Step::Settle("1.2 failed expired") => Ok(String::new()),
            Step::Orders(rest)
            | Step::Token(rest)
            | Step::Store(rest)
            | Step::Limits(rest)
            | Step::Hold(rest)
            | Step::Full(rest)
            | Step::Event(rest)
            | Step::Deliver(rest)
            | Step::Settle(rest) => Err(format!("`{rest}` is not of this test")),
        })
    }

    #[test]
    fn what_is_recorded_is_told_anew_and_nothing_else() {
        let told = echo(FILE).unwrap();
        assert_eq!(told.replace(" \n", "\n"), TOLD.replace(" \n", "\n"));
        assert_eq!(echo(&told).as_ref(), Ok(&told), "a file that is true stays as it is");
    }

    #[test]
    fn a_fault_names_its_line() {
        let fault = |text: &str| echo(&format!("# Title\n\n{text}\n")).unwrap_err();
        assert_eq!(fault("=== order x"), "3: there is no section `order`");
        assert_eq!(fault("=== outcome\nx"), "3: `outcome` follows no request");
        assert_eq!(fault("=== token none\n\nx"), "5: nobody reads this line; a comment starts with #");
        assert_eq!(fault("=== token none"), "3: `none` is not of this test");
        assert_eq!(fault("=== request\nGET"), "3: a request opens with `METHOD /target`");
        assert_eq!(fault("=== request\nGET /\nx"), "3: `x` is not a header");
        assert_eq!(fault("=== request\nGET /\n=== body-bytes 7g"), "5: `7g` is not a byte in hex");
        assert_eq!(echo("title").unwrap_err(), "1: a golden file opens with `# ` and a sentence of what it shows");
    }

    #[test]
    fn a_difference_is_shown_with_its_place() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
        let now = "a\nb\nc\nx\ne\nf\ng\nh\ni\nj\nk\n";
        let expected = "       ⋮\n     2  b\n     3  c\n     4 -d\n     4 +x\n     5  e\n     6  f\n       ⋮\n\
            \x20    9  i\n    10  j\n    10 +k\n";
        assert_eq!(diff(before, now), expected);
        assert_eq!(diff(before, before), "");
    }
}
