//! What every driver must do, whatever its provider says: tried on the cases of its files with the answers spoilt.

use std::fmt::Debug;

use refundry_gateways::{Answer, Ask, Gateway, Heard, HttpOutcome, HttpRequest, Method, Purpose, Step};
use serde_json::Value;

use super::format::{Act, Case, File, Incoming, ProofBy};
use super::play;

/// More calls than any question may take.
const CALLS_MAX: usize = 20;

/// The rules that a case shows to be broken.
pub(super) fn broken_by(file: &File, case: &Case) -> Vec<String> {
    let Ok(gateway) = play::open(file) else { return vec!["the driver does not open".to_owned()] };
    let mut faults = Faults { secrets: secrets(file), found: Vec::new() };
    faults.look_for_secrets("the settings", &file.settings);
    match &case.act {
        Act::Ask(purpose, ask) => asked(&*gateway, *purpose, ask, case, &mut faults),
        Act::Delivery(incoming) => {
            play::with_delivery(incoming, |delivery| faults.look_for_secrets("the delivery", delivery));
            faults.look_for_secrets("what is heard", &play::hear(&*gateway, incoming));
            confirmed(&*gateway, incoming, case, &mut faults);
        }
        Act::List(span) => {
            let request = gateway.list(*span);
            faults.look_for_secrets("the list", &request);
            let Some(request) = request else { return faults.found };
            if request.url.parse::<hyper::Uri>().is_err() {
                faults.add("its list cannot be called".to_owned());
            }
            for (told, outcome) in spoilt(case.exchanges.first().map(|exchange| &exchange.outcome)) {
                if gateway.read_list(*span, &request, outcome).is_ok() {
                    faults.add(format!("a list: {told} is a page"));
                }
            }
        }
        Act::Statement(_) => {}
    }
    faults.found
}

/// What was found so far, and what must never be seen.
struct Faults {
    secrets: Vec<String>,
    found: Vec<String>,
}

impl Faults {
    fn add(&mut self, fault: String) {
        if !self.found.contains(&fault) {
            self.found.push(fault);
        }
    }

    fn look_for_secrets(&mut self, told: &str, shown: &dyn Debug) {
        let text = format!("{shown:?}");
        if self.secrets.iter().any(|secret| text.contains(secret)) {
            self.add(format!("debug output of {told} shows a secret"));
        }
    }
}

/// The values of the settings that are secret; one setting may hold several, with commas.
fn secrets(file: &File) -> Vec<String> {
    let secret = file.driver.settings.iter().filter(|setting| setting.secret);
    let values = secret.flat_map(|setting| file.settings.get(setting.name).split(',')).map(str::trim);
    // A published example may have the name of a setting for its value; names are shown.
    let is_name = |value: &str| file.driver.settings.iter().any(|setting| setting.name == value);
    values.filter(|value| !value.is_empty() && !is_name(value)).map(str::to_owned).collect()
}

/// Plays the case up to each of its answers, and spoils that one.
fn asked(gateway: &dyn Gateway, purpose: Purpose, ask: &Ask, case: &Case, faults: &mut Faults) {
    let mut step = play::first_step(gateway, purpose, ask);
    faults.look_for_secrets("the ask", ask);
    if let (Step::Http(once), Step::Http(twice)) = (&step, play::first_step(gateway, purpose, ask))
        && *once != twice
    {
        faults.add("asked twice, it sends two different requests".to_owned());
    }
    let mut leg_was_sent = false;
    for exchange in &case.exchanges {
        faults.look_for_secrets("a step", &step);
        let Step::Http(request) = step else { return };
        if request.url.parse::<hyper::Uri>().is_err() {
            faults.add(format!("{} cannot be called", request.url));
        }
        let carries = carries_leg(&request, ask);
        leg_was_sent |= carries;
        for (told, outcome) in spoilt(Some(&exchange.outcome)) {
            let may_be_refused = matches!(outcome, HttpOutcome::NotSent { .. }) || !carries;
            match last_answer(gateway, purpose, ask, &outcome) {
                Answer::Unknown { .. } => {}
                Answer::NotTaken { .. } if purpose == Purpose::Refund && may_be_refused => {}
                answer => faults.add(format!("to {told} it says {answer:?}")),
            }
        }
        step = gateway.read(purpose, ask, exchange.outcome.clone());
    }
    faults.look_for_secrets("the answer", &step);
    let acted = case.exchanges.iter().any(|exchange| exchange.method == Method::Post);
    let Step::Answer(answer) = step else { return };
    match (purpose, &answer) {
        (Purpose::Lookup, Answer::NotTaken { .. }) | (Purpose::Refund, Answer::NotFound) => {
            faults.add(format!("{answer:?} is no answer to a {purpose:?}"));
        }
        (Purpose::Refund, Answer::Done { .. } | Answer::Pending { .. }) if acted && !leg_was_sent => {
            faults.add("no request carried the leg id".to_owned());
        }
        _ => {}
    }
}

fn carries_leg(request: &HttpRequest, ask: &Ask) -> bool {
    let key = ask.key();
    let in_headers = request.headers.iter().any(|(_, value)| value.contains(&key));
    in_headers || request.url.contains(&key) || String::from_utf8_lossy(&request.body).contains(&key)
}

/// The answer when every call from here on ends the same way.
fn last_answer(gateway: &dyn Gateway, purpose: Purpose, ask: &Ask, outcome: &HttpOutcome) -> Answer {
    for _ in 0..CALLS_MAX {
        if let Step::Answer(answer) = gateway.read(purpose, ask, outcome.clone()) {
            return answer;
        }
    }
    Answer::unknown("it never came to an end")
}

/// Answers that say nothing of any money, some made of what really came back.
fn spoilt(real: Option<&HttpOutcome>) -> Vec<(String, HttpOutcome)> {
    const HTML: &[u8] = b"<!DOCTYPE html><html><body><h1>Moved</h1></body></html>";
    let answered = |status: u16, words: &str, body: &[u8]| {
        (format!("{status} with {words}"), HttpOutcome::Answered { status, body: body.to_vec() })
    };
    let broken = HttpOutcome::Broken { reason: "cut".to_owned() };
    let not_sent = HttpOutcome::NotSent { reason: "nobody answers".to_owned() };
    let mut spoilt = vec![("a cut connection".to_owned(), broken), ("no connection".to_owned(), not_sent)];
    for status in [200, 201, 202, 204, 302, 400, 404, 408, 409, 422, 500, 502, 503, 504] {
        spoilt.push(answered(status, "no body", b""));
        spoilt.push(answered(status, "a web page", HTML));
        spoilt.push(answered(status, "bytes that are no text", b"\xff\xfe\x00"));
    }
    for (words, body) in [("null", "null"), ("a list", "[]"), ("an empty object", "{}"), ("a text", "\"done\"")] {
        spoilt.push(answered(200, words, body.as_bytes()));
        spoilt.push(answered(404, words, body.as_bytes()));
    }
    if let Some(HttpOutcome::Answered { status, body }) = real {
        for failed in [500, 502, 503] {
            spoilt.push(answered(failed, "the body of the real answer", body));
        }
        for kept in [body.len().saturating_sub(1), body.len() / 2] {
            if serde_json::from_slice::<Value>(&body[..kept]).is_err() {
                spoilt.push(answered(*status, &format!("the first {kept} bytes of the real body"), &body[..kept]));
            }
        }
    }
    spoilt
}

/// Spoils what the provider says about its own delivery.
fn confirmed(gateway: &dyn Gateway, incoming: &Incoming, case: &Case, faults: &mut Faults) {
    let mut heard = play::hear(gateway, incoming);
    for exchange in &case.exchanges {
        faults.look_for_secrets("a confirmation", &heard);
        if !matches!(heard, Heard::Confirm(_)) {
            return;
        }
        for (told, outcome) in spoilt(Some(&exchange.outcome)) {
            let mut last = play::confirm(gateway, incoming, outcome.clone());
            for _ in 0..CALLS_MAX {
                if matches!(last, Heard::Confirm(_)) {
                    last = play::confirm(gateway, incoming, outcome.clone());
                }
            }
            if !matches!(last, Heard::Later { .. } | Heard::Refused { .. }) {
                faults.add(format!("confirmed by {told}, it says {last:?}"));
            }
        }
        heard = play::confirm(gateway, incoming, exchange.outcome.clone());
    }
}

/// Spoils the first delivery of a file that is believed, in every way.
pub(super) fn broken_by_deliveries(file: &File) -> Vec<String> {
    let Ok(gateway) = play::open(file) else { return vec![format!("{}: the driver does not open", file.name)] };
    let mut faults = Vec::new();
    let mut refuses = |line: usize, told: &str, incoming: &Incoming| {
        let heard = play::hear(&*gateway, incoming);
        if !matches!(heard, Heard::Refused { .. }) {
            faults.push(format!("{}:{line}: {told} is not refused: {heard:?}", file.name));
        }
    };
    for body in ["", "{}", "[]", "a=b", "<html>"] {
        let bare = Incoming { headers: Vec::new(), body: body.as_bytes().to_vec(), now_ms: 1_764_000_000_000 };
        refuses(1, &format!("a delivery of `{body}` without a header"), &bare);
    }
    let believed = |incoming: &Incoming| !matches!(play::hear(&*gateway, incoming), Heard::Refused { .. });
    let deliveries = file.cases.iter().filter_map(|case| match &case.act {
        Act::Delivery(incoming) => Some((case.line, incoming)),
        _ => None,
    });
    let Some((line, genuine)) = { deliveries }.find(|(_, incoming)| believed(incoming)) else { return faults };
    if file.proof.by == ProofBy::Nothing {
        return vec![format!("{}:{line}: a delivery, but the head does not say `signature: …`", file.name)];
    }
    for (told, spoilt) in forgeries(file, genuine) {
        refuses(line, &told, &spoilt);
    }
    faults
}

/// A delivery with something wrong about it, and what.
fn forgeries(file: &File, genuine: &Incoming) -> Vec<(String, Incoming)> {
    let mut forged = Vec::new();
    if let Some(tolerance_s) = file.proof.tolerance_s {
        let mut old = genuine.clone();
        old.now_ms += (2 * tolerance_s + 1) * 1000;
        forged.push(("an old delivery".to_owned(), old));
    }
    match &file.proof.by {
        ProofBy::Nothing => {}
        ProofBy::Provider(name) => forged.push((format!("one without {name}"), without_header(genuine, name))),
        ProofBy::Header(name) => {
            forged.push((format!("one without {name}"), without_header(genuine, name)));
            let value = genuine.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
            for (told, spoilt) in spoilt_values(value) {
                let mut other = without_header(genuine, name);
                other.headers.push((name.clone(), spoilt));
                forged.push((format!("one whose {name} {told}"), other));
            }
            for at in (0..genuine.body.len()).step_by((genuine.body.len() / 40).max(1)) {
                let mut other = genuine.clone();
                other.body[at] ^= 1;
                forged.push((format!("one with another byte {at}"), other));
            }
        }
        ProofBy::Field { name, over } => {
            let body = String::from_utf8_lossy(&genuine.body).into_owned();
            for field in over.iter().chain([name]) {
                for (told, spoilt) in spoilt_values(value_of(&body, field)) {
                    let body = body.replace(value_of(&body, field), &spoilt).into_bytes();
                    forged.push((format!("one whose {field} {told}"), Incoming { body, ..genuine.clone() }));
                }
            }
        }
    }
    forged
}

fn without_header(genuine: &Incoming, name: &str) -> Incoming {
    let mut other = genuine.clone();
    other.headers.retain(|(known, _)| known != name);
    other
}

fn spoilt_values(value: &str) -> Vec<(&'static str, String)> {
    let (head, tail) = value.split_at(value.len().saturating_sub(4));
    let wrong = if tail.starts_with('1') { "0" } else { "1" };
    vec![
        ("is empty", String::new()),
        ("is cut by one character", value[..value.len().saturating_sub(1)].to_owned()),
        ("is cut in half", value[..value.len() / 2].to_owned()),
        ("has another character", format!("{head}{wrong}{}", tail.get(1..).unwrap_or_default())),
    ]
}

/// The text of a field's value, wherever in the JSON it stands.
fn value_of<'a>(body: &'a str, field: &str) -> &'a str {
    let rest = body.split_once(&format!("\"{field}\"")).map_or("", |(_, rest)| rest);
    let rest = rest.trim_start_matches(|c: char| c == ':' || c.is_whitespace());
    match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap_or_default(),
        None => rest.split([',', '}', '\n']).next().unwrap_or_default(),
    }
}
