//! An API as a table: every operation once, so that what is routed, documented, walked and checked is one thing.

use serde_json::Value;

use crate::keys::{List, Versions, is_of};

#[cfg(test)]
mod tests;

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// `GET`
    pub method: &'static str,
    /// Below the version: `/orders/{id}/refund`.
    pub path: &'static str,
    /// The versions that have it, as the API's [`Versions`] reads them.
    pub versions: &'static str,
    /// What a token must allow, in the platform's word; empty where any token will do.
    pub scope: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    no: &'static [No],
}

/// A way to be refused, beside those that all operations have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// The body is not JSON.
    Malformed,
    /// It can be read, and asks for what is not to be had.
    Invalid,
    /// What the path or the body names is not there.
    NotFound,
    /// The order, or what is below it, is in a state that does not take this.
    State,
}

/// Nothing of its own to refuse.
pub const NONE: &[No] = &[];
/// A list.
pub const LIST: &[No] = &[No::Invalid];
/// One thing by its id.
pub const ONE: &[No] = &[No::Invalid, No::NotFound];
/// A body, and nothing that is named.
pub const BODY: &[No] = &[No::Malformed, No::Invalid];
/// One thing by its id, and a body.
pub const ONE_BODY: &[No] = &[No::Malformed, No::Invalid, No::NotFound];
/// One thing that must be in the right state.
pub const MOVE: &[No] = &[No::Invalid, No::NotFound, No::State];
/// The same, with a body.
pub const MOVE_BODY: &[No] = &[No::Malformed, No::Invalid, No::NotFound, No::State];

/// A row of a table.
pub(crate) const fn row(
    (method, path): (&'static str, &'static str),
    versions: &'static str,
    scope: &'static str,
    about: &'static str,
    no: &'static [No],
) -> Operation {
    Operation { method, path, versions, scope, about, no }
}

/// An API: its operations, and what is the same in all of them.
#[derive(Debug)]
pub struct Api {
    /// Its name for people.
    pub title: &'static str,
    /// What its OpenAPI documents say of it as a whole.
    pub about: &'static str,
    /// The operations, in the order of its documentation.
    pub operations: &'static [Operation],
    /// Its versions.
    pub versions: Versions,
    /// The list of all its keys.
    pub keys: fn() -> &'static List,
    /// What stands before a path of a version: `/openapi/2022-01`.
    pub base: fn(version: &str, path: &str) -> String,
    /// The part of it that its OpenAPI document has as the server's address.
    pub server: fn(version: &str) -> String,
    /// The scope that the endpoint of a method and a whole path asks for, in the platform's word, empty for any token;
    /// `None` where there is no endpoint.
    pub routed: fn(method: &str, path: &str) -> Option<&'static str>,
    /// The status of a refusal in a version.
    pub status: fn(no: No, version: &str) -> u16,
    /// Statuses of refusals that any operation may give: token, size, limit, load.
    pub everywhere: &'static [u16],
    /// Whether a list in a query is a repeated key in a version, or one comma list.
    pub repeats_keys: fn(version: &str) -> bool,
    /// The header with the id of the call, which every answer has.
    pub trace: &'static str,
    /// How a token is sent, as OpenAPI says it.
    pub security: fn() -> Value,
}

impl Api {
    /// What stands before a path, and the path with the same text for each of its parameters.
    pub fn whole_path(&self, row: &Operation, version: &str, parameter: &str) -> String {
        format!("{}{}", (self.base)(version, row.path), path_with(row.path, parameter))
    }

    /// Whether a version, as a list of keys writes it, has an operation.
    pub fn is_in(&self, row: &Operation, version: &str) -> bool {
        self.versions.read(row.versions).is_some_and(|versions| versions.contains(version))
    }

    /// Whether a version has an endpoint for an operation.
    pub fn is_routed(&self, row: &Operation, version: &str) -> bool {
        self.is_in(row, version) && self.routed_scope(row, version).is_some()
    }

    /// The scope that an operation's endpoint asks for, in the platform's word.
    pub fn routed_scope(&self, row: &Operation, version: &str) -> Option<&'static str> {
        (self.routed)(row.method, &self.whole_path(row, version, "1"))
    }

    /// The statuses of refusals that are an operation's own.
    pub fn own_refusals(&self, row: &Operation, version: &str) -> Vec<u16> {
        let mut statuses: Vec<u16> = row.no.iter().map(|no| (self.status)(*no, version)).collect();
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The statuses of all refusals: an operation's own, and those of all.
    pub fn refusals(&self, row: &Operation, version: &str) -> Vec<u16> {
        let mut statuses = self.own_refusals(row, version);
        statuses.extend(self.everywhere);
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// The row of a call, by its path below the version: a literal path before one with parameters.
    pub fn row_of(&self, method: &str, path: &str, version: &str) -> Option<&'static Operation> {
        // What is a name in some versions is nobody's id in the others.
        let is_name = self.operations.iter().any(|row| row.path == path);
        let is_it = |row: &Operation| if is_name { row.path == path } else { is_of(row.path, path) };
        let fits = |row: &&Operation| row.method == method && self.is_routed(row, version) && is_it(row);
        self.operations.iter().filter(fits).min_by_key(|row| row.path.matches('{').count())
    }
}

/// A path with the same text for each of its parameters.
pub(crate) fn path_with(path: &str, parameter: &str) -> String {
    let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
        Some((_, rest)) => format!("{parameter}{rest}"),
        None => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<String>>().join("/")
}
