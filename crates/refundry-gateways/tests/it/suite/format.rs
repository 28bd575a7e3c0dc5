//! Reads the files of the suite. The format is described in the parent.

use std::collections::BTreeMap;
use std::path::Path;

use refundry_gateways::drivers::{Driver, driver};
use refundry_gateways::signing::{Hash, to_hex};
use refundry_gateways::{Ask, HttpOutcome, Method, Purpose, Settings, Span};

/// A file as it was written.
pub(super) struct File {
    /// Its path, for messages.
    pub(super) name: String,
    pub(super) driver: &'static Driver,
    pub(super) settings: Settings,
    pub(super) proof: Proof,
    pub(super) cases: Vec<Case>,
}

/// How a delivery of this driver shows whose it is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) by: ProofBy,
    /// Seconds that a signature holds; `None` where it has no time stamp.
    pub(super) tolerance_s: Option<i64>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum ProofBy {
    /// The file has no delivery.
    Nothing,
    /// A header with a code over the whole body.
    Header(String),
    /// A field of the JSON body with a code over other fields.
    Field { name: String, over: Vec<String> },
    /// The provider's own word, asked for with the help of this header.
    Provider(String),
}

/// A section: what is done, what goes out and comes back, and what is made of it.
pub(super) struct Case {
    pub(super) line: usize,
    pub(super) act: Act,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) expected: Vec<(usize, String)>,
}

pub(super) enum Act {
    Ask(Purpose, Ask),
    Delivery(Incoming),
    Statement(Vec<u8>),
    List(Span),
}

impl Act {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Ask(Purpose::Refund, _) => "refund",
            Self::Ask(Purpose::Lookup, _) => "lookup",
            Self::Delivery(_) => "delivery",
            Self::Statement(_) => "statement",
            Self::List(_) => "list",
        }
    }
}

/// A delivery, owned.
#[derive(Clone)]
pub(super) struct Incoming {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) now_ms: i64,
}

/// One request and what came back.
pub(super) struct Exchange {
    pub(super) line: usize,
    pub(super) method: Method,
    pub(super) url: String,
    /// Those that matter, names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) outcome: HttpOutcome,
}

/// What is wrong, and in which line.
pub(super) type Fault = (usize, String);

/// Reads a file of the folder named `folder`.
pub(super) fn parse(path: &Path, folder: &str, text: &str) -> Result<File, Fault> {
    let mut sections: Vec<Vec<(usize, &str)>> = vec![Vec::new()];
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("=== ") {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("one was put there").push((number, line));
    }
    let mut sections = sections.into_iter();
    let mut file = read_head(path, folder, &sections.next().unwrap_or_default())?;
    file.cases = sections.map(|section| read_case(&section)).collect::<Result<_, _>>()?;
    if file.cases.is_empty() {
        return Err((1, "the file has no case".to_owned()));
    }
    Ok(file)
}

fn read_head(path: &Path, folder: &str, lines: &[(usize, &str)]) -> Result<File, Fault> {
    if !lines.first().is_some_and(|(_, line)| line.starts_with("# ")) {
        return Err((1, "a file opens with `# ` and a sentence of what it shows".to_owned()));
    }
    let driver = driver(folder).ok_or_else(|| (1, format!("there is no driver `{folder}`, but a folder of it")))?;
    let mut settings = BTreeMap::new();
    let mut proof = Proof { by: ProofBy::Nothing, tolerance_s: None };
    let mut has_source = false;
    for (number, line) in lines.iter().copied().filter(|(_, line)| !is_comment(line)) {
        let fault = |reason: &str| (number, format!("`{line}`: {reason}"));
        let (key, value) = line.split_once(':').ok_or_else(|| fault("a line of the head is `key: value`"))?;
        let value = value.trim();
        match key.split_once(' ').unwrap_or((key, "")) {
            ("source", "") if value.contains(|c: char| c.is_ascii_digit()) => has_source = true,
            ("source", "") => return Err(fault("a source is a page and the date of it")),
            ("setting", name) => drop(settings.insert(name.to_owned(), value.to_owned())),
            ("signature", "") => proof.by = read_proof(value).map_err(|reason| fault(&reason))?,
            ("tolerance", "") if value == "none" => proof.tolerance_s = None,
            ("tolerance", "") => proof.tolerance_s = Some(value.parse().map_err(|_| fault("it is a number: seconds"))?),
            _ => return Err(fault("there are source, setting NAME, signature, tolerance")),
        }
    }
    if !has_source {
        return Err((1, "the file says no source: `source: PAGE, DATE`".to_owned()));
    }
    let name = path.display().to_string();
    Ok(File { name, driver, settings: Settings(settings), proof, cases: Vec::new() })
}

fn read_proof(text: &str) -> Result<ProofBy, String> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("header", name) if !name.is_empty() => Ok(ProofBy::Header(name.to_lowercase())),
        ("provider", name) if !name.is_empty() => Ok(ProofBy::Provider(name.to_lowercase())),
        ("field", rest) => {
            let (name, over) = rest.split_once(" over ").ok_or("`field NAME over FIELD, FIELD`")?;
            let over = over.split(',').map(|field| field.trim().to_owned()).collect();
            Ok(ProofBy::Field { name: name.to_owned(), over })
        }
        _ => Err("there are `header NAME`, `field NAME over FIELD, FIELD`, `provider HEADER`".to_owned()),
    }
}

fn is_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// Lines that begin a block; they never begin a line of JSON, of a form or of CSV.
const MARKS: [&str; 3] = ["--> ", "<-- ", "= "];

/// A block: its line, its mark (none for the first), what stands behind the mark, and the lines below.
struct Block<'a> {
    line: usize,
    mark: &'static str,
    rest: &'a str,
    lines: Vec<&'a str>,
}

fn blocks<'a>(lines: &[(usize, &'a str)]) -> Vec<Block<'a>> {
    let mut blocks: Vec<Block<'a>> = Vec::new();
    for (number, line) in lines.iter().copied() {
        let marked = MARKS.iter().find_map(|mark| line.strip_prefix(mark).map(|rest| (*mark, rest)));
        match (marked, blocks.last_mut()) {
            (Some((mark, rest)), _) => blocks.push(Block { line: number, mark, rest, lines: Vec::new() }),
            (None, Some(block)) => block.lines.push(line),
            (None, None) => blocks.push(Block { line: number, mark: "", rest: "", lines: vec![line] }),
        }
    }
    blocks
}

fn read_case(lines: &[(usize, &str)]) -> Result<Case, Fault> {
    let (line, title) = lines.first().copied().unwrap_or_default();
    let (word, _) = title["=== ".len()..].split_once(' ').ok_or((line, "a case says what it shows".to_owned()))?;
    // Comments stand directly below the title, so that a body may hold any line.
    let comments = lines.iter().skip(1).take_while(|(_, line)| is_comment(line)).count();
    let mut blocks = blocks(&lines[1 + comments..]).into_iter().peekable();
    let Some(stated) = blocks.next_if(|block| block.mark.is_empty()) else {
        return Err((line, "the case states nothing".to_owned()));
    };
    let act = match word {
        "refund" => Act::Ask(Purpose::Refund, read_ask(&stated)?),
        "lookup" => Act::Ask(Purpose::Lookup, read_ask(&stated)?),
        "delivery" => Act::Delivery(read_delivery(&stated)?),
        "statement" => Act::Statement(body_of(&stated.lines).map(|body| body + "\n").unwrap_or_default().into_bytes()),
        "list" => Act::List(read_span(&stated)?),
        _ => return Err((line, "there are refund, lookup, delivery, statement, list".to_owned())),
    };
    let mut case = Case { line, act, exchanges: Vec::new(), expected: Vec::new() };
    while let Some(block) = blocks.next() {
        match block.mark {
            "= " if !block.lines.iter().all(|line| is_comment(line)) => {
                return Err((block.line + 1, "nobody reads this line; a comment starts with #".to_owned()));
            }
            "= " => case.expected.push((block.line, block.rest.trim().to_owned())),
            "--> " => {
                let back = blocks.next_if(|next| next.mark == "<-- ");
                let back = back.ok_or((block.line, "a request is followed by `<-- ` and what came back".to_owned()))?;
                case.exchanges.push(read_exchange(&block, &back)?);
            }
            _ => return Err((block.line, "this answers no request".to_owned())),
        }
    }
    if case.expected.is_empty() {
        return Err((line, "the case does not end with `= ` and what is made of it".to_owned()));
    }
    Ok(case)
}

/// Reads `ask 1000 USD payment=pi_1 reference=re_1 …`.
fn read_ask(block: &Block<'_>) -> Result<Ask, Fault> {
    let fault = |reason: String| (block.line, reason);
    let line = only_line(block)?;
    let mut ask = Ask {
        leg_id: 123_456_789_012_345_678,
        refund_id: 123_456_789_012_345_000,
        payment_reference: String::new(),
        channel: "credit_card".to_owned(),
        amount_minor: 0,
        currency: String::new(),
        script: String::new(),
        refund_reference: String::new(),
        key_age_ms: 0,
        now_ms: 1_764_000_000_000,
    };
    let mut words = line.split_whitespace();
    let (Some("ask"), Some(amount), Some(currency)) = (words.next(), words.next(), words.next()) else {
        return Err(fault("`ask AMOUNT_MINOR CURRENCY payment=… reference=… …`".to_owned()));
    };
    ask.amount_minor = number(block.line, amount)?;
    currency.clone_into(&mut ask.currency);
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| fault(format!("`{word}` is not `key=value`")))?;
        match key {
            "leg" => ask.leg_id = number(block.line, value)?,
            "refund" => ask.refund_id = number(block.line, value)?,
            "payment" => value.clone_into(&mut ask.payment_reference),
            "reference" => value.clone_into(&mut ask.refund_reference),
            "channel" => value.clone_into(&mut ask.channel),
            "script" => value.clone_into(&mut ask.script),
            "key_age_ms" => ask.key_age_ms = number(block.line, value)?,
            "now_ms" => ask.now_ms = number(block.line, value)?,
            _ => {
                let known = "leg, refund, payment, reference, channel, script, key_age_ms, now_ms";
                return Err(fault(format!("`{key}`: there are {known}")));
            }
        }
    }
    Ok(ask)
}

/// Reads `at 1492774577000`, headers, a blank line and the body.
fn read_delivery(block: &Block<'_>) -> Result<Incoming, Fault> {
    let first = block.lines.first().and_then(|line| line.strip_prefix("at "));
    let first = first.ok_or((block.line, "a delivery opens with `at EPOCH_MS`".to_owned()))?;
    let (first, end) = first.strip_suffix(" newline").map_or((first, ""), |first| (first, "\n"));
    let now_ms = number(block.line, first)?;
    let (mut headers, body) = head_and_body(block.line, &block.lines[1..])?;
    let body = (body + end).into_bytes();
    for (_, value) in &mut headers {
        *value = signed(value, &body).map_err(|reason| (block.line, reason))?;
    }
    Ok(Incoming { headers, body, now_ms })
}

/// Fills in `{hmac-sha256 KEY TEXT}`: the code of that text and the body under that key, for events of which the
/// provider publishes no signed example.
fn signed(value: &str, body: &[u8]) -> Result<String, String> {
    let Some((before, rest)) = value.split_once("{hmac-") else { return Ok(value.to_owned()) };
    let (inside, after) = rest.split_once('}').ok_or("a `{hmac-` without `}`")?;
    let mut words = inside.split_whitespace();
    let hash = match words.next() {
        Some("sha256") => Hash::Sha256,
        Some("sha512") => Hash::Sha512,
        _ => return Err("there are `{hmac-sha256 KEY TEXT}` and `{hmac-sha512 KEY TEXT}`".to_owned()),
    };
    let key = words.next().ok_or("the key is missing")?;
    let code = hash.sign(key.as_bytes(), &[words.next().unwrap_or_default().as_bytes(), body]);
    Ok(format!("{before}{}{}", to_hex(&code), signed(after, body)?))
}

/// Reads `from 0 to 1000`, epoch milliseconds.
fn read_span(block: &Block<'_>) -> Result<Span, Fault> {
    let words: Vec<&str> = only_line(block)?.split_whitespace().collect();
    let ["from", from, "to", to] = words.as_slice() else {
        return Err((block.line, "`from EPOCH_MS to EPOCH_MS`".to_owned()));
    };
    let (from_ms, to_ms) = (number(block.line, from)?, number(block.line, to)?);
    Ok(Span { from_ms, to_ms, now_ms: to_ms })
}

fn read_exchange(there: &Block<'_>, back: &Block<'_>) -> Result<Exchange, Fault> {
    let (method, url) = match there.rest.split_once(' ') {
        Some(("GET", url)) => (Method::Get, url.trim().to_owned()),
        Some(("POST", url)) => (Method::Post, url.trim().to_owned()),
        _ => return Err((there.line, "a request is `GET URL` or `POST URL`".to_owned())),
    };
    let (headers, body) = head_and_body(there.line + 1, &there.lines)?;
    let outcome = match back.rest.split_once(' ').unwrap_or((back.rest, "")) {
        ("broken", reason) => HttpOutcome::Broken { reason: reason.to_owned() },
        ("not", "sent") => HttpOutcome::NotSent { reason: "nobody answers".to_owned() },
        (status, _) => {
            let body = body_of(&back.lines).unwrap_or_default().trim().to_owned();
            HttpOutcome::Answered { status: number(back.line, status)?, body: body.into_bytes() }
        }
    };
    Ok(Exchange { line: there.line, method, url, headers, body, outcome })
}

/// Headers up to a blank line, and the lines below it.
fn head_and_body(first_line: usize, lines: &[&str]) -> Result<(Vec<(String, String)>, String), Fault> {
    let end = lines.iter().position(|line| line.trim().is_empty()).unwrap_or(lines.len());
    let header = |(number, line): (usize, &&str)| {
        let (name, value) = line.split_once(": ").ok_or_else(|| (number, format!("`{line}` is not a header")))?;
        Ok((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers = (first_line..).zip(&lines[..end]).map(header).collect::<Result<_, Fault>>()?;
    Ok((headers, body_of(lines.get(end + 1..).unwrap_or_default()).unwrap_or_default()))
}

/// Lines as a body: without the blank ones at its end and without a last line break. `None` if there are none.
fn body_of(lines: &[&str]) -> Option<String> {
    let end = lines.iter().rposition(|line| !line.trim().is_empty())?;
    Some(lines[..=end].join("\n"))
}

fn only_line<'a>(block: &Block<'a>) -> Result<&'a str, Fault> {
    let mut lines = block.lines.iter().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        _ => Err((block.line, "one line is wanted here".to_owned())),
    }
}

fn number<T: std::str::FromStr>(line: usize, text: &str) -> Result<T, Fault> {
    text.trim().parse().map_err(|_| (line, format!("`{text}` is not a number that fits")))
}
