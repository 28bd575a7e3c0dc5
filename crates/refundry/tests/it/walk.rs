//! A walk over an API as its clients see it: calls that are granted and calls that are refused, of a table of
//! operations, over a socket, each answer checked against the list of every key.

use std::collections::{BTreeMap, BTreeSet};

use refundry_dialects::operations::{Api, Operation};
use serde_json::Value;

use crate::harness::{Answer, Client, TOKEN};

/// Panics unless an answer has the documented keys, all of them and no others, each of its type.
///
/// `version` is as in the path, empty for a path without; `path` begins below it and has no query.
#[track_caller]
pub(crate) fn check(api: &Api, version: &str, method: &str, path: &str, status: u16, body: &Value) {
    let faults = (api.keys)().check(version, method, path, status, body);
    assert!(faults.is_empty(), "{method} {path} of `{version}`, {status}: {}\n{body:#}", faults.join("; "));
}

/// A call that is granted. `{name}` in path and body is what [`Walk::names`] has.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) method: &'static str,
    /// Below the version, with its query.
    pub(crate) path: &'static str,
    /// Empty for none.
    pub(crate) body: &'static str,
    /// What to remember of the answer: a name, and where it stands below [`Walk::data`].
    pub(crate) learn: &'static [(&'static str, &'static str)],
}

pub(crate) const fn get(path: &'static str) -> Step {
    Step { method: "GET", path, body: "", learn: &[] }
}

pub(crate) const fn send(method: &'static str, path: &'static str, body: &'static str) -> Step {
    Step { method, path, body, learn: &[] }
}

/// Where a walk is.
pub(crate) struct Walk {
    pub(crate) api: &'static Api,
    pub(crate) client: Client,
    pub(crate) version: &'static str,
    /// The header that a token goes into.
    pub(crate) token: fn(&str) -> (&'static str, String),
    /// Where the data of an answer stand in it; empty where there is no envelope.
    pub(crate) data: &'static str,
    pub(crate) names: BTreeMap<&'static str, String>,
    /// What was granted, by its line in the table, which is the same in all versions.
    pub(crate) granted: BTreeSet<&'static str>,
}

impl Walk {
    fn filled(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    #[track_caller]
    fn ask(&mut self, method: &str, target: &str, body: &str, token: Option<&str>) -> Answer {
        let token = token.map(self.token);
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(token.as_ref().map(|(name, token)| (*name, token.as_str())));
        let whole = format!("{}{target}", (self.api.base)(self.version, target));
        let answer = self.client.send(method, &whole, &headers, body.as_bytes()).expect("an answer");
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        let trace = self.api.trace.to_lowercase();
        assert!(answer.header(&trace).is_some(), "{method} {target} has no {}", self.api.trace);
        check(self.api, self.version, method, path, answer.status, &answer.json());
        answer
    }

    /// Makes a call that is granted, if the version has it.
    #[track_caller]
    pub(crate) fn take(&mut self, step: &Step) {
        let target = self.filled(step.path);
        let (path, _) = target.split_once('?').unwrap_or((&target, ""));
        let Some(row) = self.api.row_of(step.method, path, self.version) else { return };
        let body = self.filled(step.body);
        let answer = self.ask(step.method, &target, &body, Some(TOKEN));
        assert_eq!(answer.status, 200, "{} {target} of `{}`: {}", step.method, self.version, answer.text());
        self.granted.insert(row.about);
        let answer = answer.json();
        let data = answer.pointer(self.data).unwrap_or(&answer);
        for (name, place) in step.learn {
            let value = match data.pointer(place) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => continue,
            };
            self.names.insert(name, value);
        }
    }

    /// Has every operation refused, and panics where one was neither granted before nor is `elsewhere`.
    #[track_caller]
    pub(crate) fn end(&mut self, elsewhere: &[&str]) {
        for row in self.api.operations.iter().filter(|row| self.api.is_routed(row, self.version)) {
            self.be_refused(row);
            let is_walked = self.granted.contains(row.about) || elsewhere.contains(&row.about);
            assert!(is_walked, "{} {} of `{}`: no step is granted it", row.method, row.path, self.version);
        }
    }

    /// No token, no such thing, no JSON.
    fn be_refused(&mut self, row: &Operation) {
        let whole = self.api.whole_path(row, self.version, "nowhere-7");
        let path = whole.strip_prefix(&(self.api.base)(self.version, row.path)).unwrap_or(&whole);
        assert_eq!(self.ask(row.method, path, "", None).status, 401, "{} {path}", row.method);
        assert_eq!(self.ask(row.method, path, "", Some("sk_test_nobody")).status, 401, "{} {path}", row.method);
        let own = self.api.own_refusals(row, self.version);
        if row.path.contains('{') && own.contains(&404) {
            // What the body lacks may be told first.
            let status = self.ask(row.method, path, "", Some(TOKEN)).status;
            assert!(own.contains(&status), "{} {path} of `{}`: {status}", row.method, self.version);
        }
        if matches!(row.method, "POST" | "PUT") && own.contains(&400) {
            let status = self.ask(row.method, path, "[", Some(TOKEN)).status;
            assert!(own.contains(&status), "{} {path} of `{}`: {status}", row.method, self.version);
        }
    }
}
