//! OpenAPI documents of the platforms' APIs, made of their tables of operations and their lists of keys.
//!
//! A document says what the list says, and nothing else: answers have exactly the listed keys, requests at least those
//! that are not optional (other keys are read over). What readers take beyond the documented types is not in it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::keys::{Kind, Tree};
use crate::operations::{Api, Operation, path_with};

/// Schemas that operations share, by name, as they are met.
type Shared = Map<String, Value>;

impl Api {
    /// The document of a version.
    pub fn document(&self, version: &str) -> Value {
        let server = (self.server)(version);
        let mut shared = Shared::new();
        let mut paths = Map::new();
        for operation in self.operations.iter().filter(|operation| self.is_routed(operation, version)) {
            // Paths that differ in the names of their parameters only are one; the first row names them.
            let is_same = |first: &&Operation| path_with(first.path, "{}") == path_with(operation.path, "{}");
            let first = self.operations.iter().filter(|first| self.is_routed(first, version)).find(is_same);
            let path = first.map_or(operation.path, |first| first.path);
            let whole = format!("{}{path}", (self.base)(version, path));
            let item = paths.entry(whole.strip_prefix(&server).unwrap_or(&whole)).or_insert_with(|| json!({}));
            item[operation.method.to_lowercase()] = self.described(operation, path, version, &mut shared);
        }
        let name = if version.is_empty() { "none" } else { version };
        json!({
            "openapi": "3.1.0",
            "info": {"title": self.title, "version": name, "description": self.about},
            "servers": [{"url": if server.is_empty() { "/" } else { &server }}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {"schemas": shared, "securitySchemes": {"token": (self.security)()}},
        })
    }

    fn described(&self, operation: &Operation, shown: &str, version: &str, shared: &mut Shared) -> Value {
        let Operation { method, path, scope, about, .. } = operation;
        let words = path.split(['/', '{', '}']).map(|word| word.trim_end_matches(".json"));
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        let id: Vec<String> = std::iter::once(method.to_lowercase()).chain(words).collect();
        let needs = if scope.is_empty() { "any token".to_owned() } else { format!("the scope `{scope}`") };
        let mut described = json!({
            "operationId": id.join("_"),
            "summary": about,
            "description": format!("Needs {needs}."),
            "responses": self.responses(operation, version, shared),
        });
        let mut parameters: Vec<Value> = shown.split('/').filter_map(path_parameter).collect();
        if let Some(asked) = (self.keys)().tree(method, path, version, Kind::Request) {
            if matches!(*method, "GET" | "DELETE") {
                let explode = (self.repeats_keys)(version);
                parameters.extend(asked.keys.iter().map(|(key, tree)| query_parameter(key, tree, explode)));
            } else {
                let is_required = asked.keys.values().any(|tree| !tree.optional);
                let schema = Writer { shared: None }.schema(&asked);
                described["requestBody"] =
                    json!({"required": is_required, "content": {"application/json": {"schema": schema}}});
            }
        }
        if !parameters.is_empty() {
            described["parameters"] = Value::Array(parameters);
        }
        described
    }

    fn responses(&self, operation: &Operation, version: &str, shared: &mut Shared) -> Value {
        let Operation { method, path, .. } = operation;
        let asked = (self.keys)().tree(method, path, version, Kind::Request);
        let can_be_cut = asked.is_some_and(|asked| *method == "GET" && asked.keys.contains_key("fields"));
        let mut trees = |kind| {
            let mut writer = Writer { shared: Some(&mut *shared) };
            let mut trees = (self.keys)().trees(method, path, version, kind);
            if can_be_cut && kind == Kind::Answer {
                trees.iter_mut().for_each(cut);
            }
            let mut schemas: Vec<Value> = trees.iter().map(|tree| writer.schema(tree)).collect();
            match schemas.len() {
                1 => schemas.remove(0),
                _ => json!({"anyOf": schemas}),
            }
        };
        let (answer, refusal) = (trees(Kind::Answer), trees(Kind::Refusal));
        let headers = json!({self.trace: {"required": true, "schema": {"type": "string"}}});
        let response = |about: &str, schema: &Value| {
            let content = json!({"application/json": {"schema": schema}});
            json!({"description": about, "headers": headers, "content": content})
        };
        let mut responses = Map::new();
        responses.insert("200".to_owned(), response("Done", &answer));
        for status in self.refusals(operation, version) {
            let mut refused = response(meaning(status), &refusal);
            if matches!(status, 429 | 503) {
                refused["headers"]["Retry-After"] = json!({"required": true, "schema": {"type": "string"}});
            }
            responses.insert(status.to_string(), refused);
        }
        Value::Object(responses)
    }
}

/// A list whose entries have only the keys that the caller names in `fields`.
fn cut(answer: &mut Tree) {
    for entry in answer.keys.values_mut().filter_map(|list| list.entry.as_mut()) {
        entry.name = None;
        entry.keys.values_mut().for_each(|key| key.optional = true);
    }
}

fn path_parameter(part: &str) -> Option<Value> {
    let (name, _) = part.strip_prefix('{')?.split_once('}')?;
    // Numbers of orders are any text; ids have the characters that the platform's ids have.
    let schema = if name == "number" {
        json!({"type": "string", "minLength": 1})
    } else {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    };
    Some(json!({"name": name, "in": "path", "required": true, "schema": schema}))
}

fn query_parameter(name: &str, tree: &Tree, explode: bool) -> Value {
    let mut parameter = json!({"name": name, "in": "query", "schema": Writer { shared: None }.schema(tree)});
    if !tree.optional {
        parameter["required"] = json!(true);
    }
    if tree.entry.is_some() {
        parameter["style"] = json!("form");
        parameter["explode"] = json!(explode);
    }
    parameter
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be read, or asks for what is not to be had",
        401 => "The token does not work",
        403 => "The token lacks the scope",
        404 => "Not there",
        406 => "The order is in a state that does not take this, or the answer would be of no accepted type",
        413 => "The body is too large",
        422 => "It asks for what is not to be had",
        429 => "Too many requests",
        _ => "Too much is waiting",
    }
}

/// Writes schemas: of an answer with the schemas it shares with others, of a request without.
struct Writer<'a> {
    shared: Option<&'a mut Shared>,
}

impl Writer<'_> {
    fn schema(&mut self, tree: &Tree) -> Value {
        let schema = match (&tree.name, self.shared.is_some()) {
            (Some(name), true) => self.reference(name, tree),
            (_, _) => self.own(tree),
        };
        match schema {
            schema if !tree.nullable => schema,
            schema => json!({"anyOf": [schema, {"type": "null"}]}),
        }
    }

    fn reference(&mut self, name: &str, tree: &Tree) -> Value {
        let name: String = name.replace(':', "_");
        if self.shared.as_ref().is_some_and(|shared| !shared.contains_key(&name)) {
            let own = self.own(tree);
            if let Some(shared) = &mut self.shared {
                shared.insert(name.clone(), own);
            }
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    fn own(&mut self, tree: &Tree) -> Value {
        let is_answer = self.shared.is_some();
        match tree.shape.split_once(' ').unwrap_or((&tree.shape, "")) {
            ("string", how) => text(how, tree.words.as_ref(), is_answer),
            ("array", _) => {
                let entries = tree.entry.as_ref().map_or_else(|| json!({}), |entry| self.schema(entry));
                json!({"type": "array", "items": entries})
            }
            ("object", how) => {
                let properties: Map<String, Value> =
                    tree.keys.iter().map(|(key, tree)| (key.clone(), self.schema(tree))).collect();
                let required: Vec<&String> =
                    tree.keys.iter().filter(|(_, tree)| !tree.optional).map(|(key, _)| key).collect();
                let mut schema = json!({"type": "object", "properties": properties});
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                if let Some(entry) = &tree.entry {
                    schema["additionalProperties"] = self.schema(entry);
                } else if is_answer && how != "free" {
                    schema["additionalProperties"] = json!(false);
                }
                schema
            }
            (plain, _) => json!({"type": plain}),
        }
    }
}

fn text(how: &str, words: Option<&BTreeSet<String>>, is_answer: bool) -> Value {
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    match (how, words) {
        (_, Some(words)) => json!({"type": "string", "enum": words}),
        // A request is free to write a time with a fraction or an offset.
        ("time" | "time-offset", _) if !is_answer => json!({"type": "string", "format": "date-time"}),
        // Some currencies have no decimals, and some have three.
        ("money", _) if !is_answer => pattern("^[0-9]{1,15}(\\.[0-9]{1,3})?$"),
        ("money", _) => pattern("^-?[0-9]+\\.[0-9]{2,4}$"),
        ("money-4", _) => pattern("^-?[0-9]+\\.[0-9]{4}$"),
        ("rate", _) => pattern("^-?[0-9]+(\\.[0-9]{1,20})?$"),
        ("time", _) => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
        ("time-empty", _) => pattern("^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"),
        ("time-plain", _) => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"),
        ("time-offset", _) => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}$"),
        ("time-offset-empty", _) => {
            pattern("^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2})?$")
        }
        ("digits" | "time-millis" | "minor", _) => pattern("^[0-9]{1,40}$"),
        ("json", _) => json!({"type": "string", "contentMediaType": "application/json"}),
        (_, _) => json!({"type": "string"}),
    }
}
