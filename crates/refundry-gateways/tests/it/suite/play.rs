//! Replays a case: hands the driver what the file says came back, and compares what it sends.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use refundry_gateways::{
    Answer, Ask, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, Method, Purpose, Span, StatementFault,
    StatementLine, Step,
};
use serde_json::Value;

use super::format::{Act, Case, Exchange, Fault, File, Incoming};
use super::words;

/// The gateway that a file configures.
pub(super) fn open(file: &File) -> Result<Arc<dyn Gateway>, Fault> {
    file.driver.open(&file.settings).map_err(|fault| (1, fault.to_string()))
}

/// What the driver made of a case, one line each.
pub(super) fn case(file: &File, case: &Case) -> Result<Vec<String>, Fault> {
    let gateway = open(file)?;
    let mut exchanges = Exchanges { at: case.line, left: &case.exchanges };
    let told = match &case.act {
        Act::Ask(purpose, ask) => vec![words::answer(&answer(&*gateway, *purpose, ask, &mut exchanges)?)],
        Act::Delivery(incoming) => words::heard(&heard(&*gateway, incoming, &mut exchanges)?),
        Act::Statement(body) => words::statement(&gateway.statement(body)),
        Act::List(span) => words::statement(&listed(&*gateway, *span, &mut exchanges)?),
    };
    match exchanges.left {
        [] => Ok(told),
        [never, ..] => Err((never.line, format!("the driver does not ask this; it says\n  = {}", told.join("\n  = ")))),
    }
}

/// The exchanges of a case that were not played yet.
struct Exchanges<'a> {
    at: usize,
    left: &'a [Exchange],
}

impl Exchanges<'_> {
    /// What comes back, if this request is the one that the file says.
    fn answer(&mut self, request: &HttpRequest) -> Result<HttpOutcome, Fault> {
        let Some((next, left)) = self.left.split_first() else {
            return Err((self.at, format!("the driver asks once more: {}", first_line(request))));
        };
        self.left = left;
        compare(next, request)?;
        Ok(next.outcome.clone())
    }
}

pub(super) fn first_step(gateway: &dyn Gateway, purpose: Purpose, ask: &Ask) -> Step {
    match purpose {
        Purpose::Refund => gateway.refund(ask),
        Purpose::Lookup => gateway.lookup(ask),
    }
}

fn answer(gateway: &dyn Gateway, purpose: Purpose, ask: &Ask, exchanges: &mut Exchanges<'_>) -> Result<Answer, Fault> {
    let mut step = first_step(gateway, purpose, ask);
    loop {
        match step {
            Step::Answer(answer) => return Ok(answer),
            Step::Http(request) => step = gateway.read(purpose, ask, exchanges.answer(&request)?),
        }
    }
}

fn heard(gateway: &dyn Gateway, incoming: &Incoming, exchanges: &mut Exchanges<'_>) -> Result<Heard, Fault> {
    let mut heard = hear(gateway, incoming);
    while let Heard::Confirm(request) = heard {
        let outcome = exchanges.answer(&request)?;
        heard = confirm(gateway, incoming, outcome);
    }
    Ok(heard)
}

pub(super) fn hear(gateway: &dyn Gateway, incoming: &Incoming) -> Heard {
    with_delivery(incoming, |delivery| gateway.hear(delivery))
}

pub(super) fn confirm(gateway: &dyn Gateway, incoming: &Incoming, outcome: HttpOutcome) -> Heard {
    with_delivery(incoming, |delivery| gateway.confirm(delivery, outcome))
}

pub(super) fn with_delivery<T>(incoming: &Incoming, act: impl FnOnce(&Delivery<'_>) -> T) -> T {
    let headers: Vec<(&str, Cow<'_, str>)> = {
        let headers = incoming.headers.iter();
        headers.map(|(name, value)| (name.as_str(), Cow::Borrowed(value.as_str()))).collect()
    };
    act(&Delivery { headers: &headers, body: &incoming.body, now_ms: incoming.now_ms })
}

type Lines = Result<Vec<StatementLine>, StatementFault>;

fn listed(gateway: &dyn Gateway, span: Span, exchanges: &mut Exchanges<'_>) -> Result<Lines, Fault> {
    let Some(mut request) = gateway.list(span) else {
        return Err((exchanges.at, "this driver has no list".to_owned()));
    };
    let mut lines = Vec::new();
    loop {
        match gateway.read_list(span, &request, exchanges.answer(&request)?) {
            Ok(page) => {
                lines.extend(page.lines);
                match page.next {
                    Some(next) => request = next,
                    None => return Ok(Ok(lines)),
                }
            }
            Err(fault) => return Ok(Err(fault)),
        }
    }
}

/// Shows both sides where a request is not as the file says. Headers that the file does not name may be there.
fn compare(expected: &Exchange, request: &HttpRequest) -> Result<(), Fault> {
    let body = String::from_utf8_lossy(&request.body);
    let value_of = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let same_headers = expected.headers.iter().all(|(name, value)| value_of(name) == Some(value));
    if expected.method == request.method
        && expected.url == request.url
        && same_headers
        && same_body(&expected.body, &body)
    {
        return Ok(());
    }
    let named = expected.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let sent = expected.headers.iter().map(|(name, _)| (name.as_str(), value_of(name).unwrap_or("(none)")));
    let says = shown(&format!("{} {}", word(expected.method), expected.url), named, &expected.body);
    let sends = shown(&first_line(request), sent, &body);
    Err((expected.line, format!("the file says\n{says}\nthe driver sends\n{sends}")))
}

fn same_body(expected: &str, sent: &str) -> bool {
    match (serde_json::from_str::<Value>(expected), serde_json::from_str::<Value>(sent)) {
        (Ok(expected), Ok(sent)) => expected == sent,
        _ => expected.replace('\n', "") == sent.replace('\n', ""),
    }
}

fn shown<'a>(first: &str, headers: impl Iterator<Item = (&'a str, &'a str)>, body: &str) -> String {
    let mut text = format!("  {first}");
    for (name, value) in headers {
        let _ = write!(text, "\n  {name}: {value}");
    }
    for line in body.lines() {
        let _ = write!(text, "\n  {line}");
    }
    text
}

fn first_line(request: &HttpRequest) -> String {
    format!("{} {}", word(request.method), request.url)
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}
