//! The OpenAPI document of this API: schemas from the wire types, paths from one table, examples from the code itself.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::operations::{Body, OPERATIONS, Ok, Operation, Param};
use super::{answers, codes, events, examples, gateways, legs, reject, requests};
use crate::wire::Response;

#[derive(OpenApi)]
#[openapi(components(schemas(
    answers::Store,
    answers::Token,
    answers::Order,
    answers::Imported,
    answers::Refund,
    answers::Quote,
    answers::Problem,
    legs::OpenLeg,
    legs::LegFile,
    legs::CancelInput,
    legs::RetryInput,
    events::Event,
    events::Resolved,
    events::ResolveInput,
    gateways::Gateway,
    gateways::GatewayInput,
    gateways::PaymentRoute,
    gateways::RouteInput,
    requests::StoreInput,
    requests::TokenInput,
    requests::OrderInput,
    requests::AddedPayment,
    requests::FulfilmentInput,
    requests::SettleInput,
    requests::RefundInput,
    codes::RefundState,
)))]
struct Schemas;

/// What the document says of the API as a whole.
const DESCRIPTION: &str = "Orders and their payments come in; refunds are worked out, checked and paid back.\n\n\
    Amounts are decimal strings with the decimals of their currency; JSON numbers are refused. Times are RFC 3339 with \
    milliseconds. A key that is not known is refused, so that a typo does not go unnoticed. `null` counts as left out.\n\n\
    Creating a refund and trying one again take `Idempotency-Key`: the same key and body give the same answer, marked \
    `Idempotent-Replayed: true`. Orders, lines and payments are told apart by your own ids instead. A refund and a quote take `Refundable-Before`, what the caller believes the payments have left; where that is \
    stale, the refund is refused.\n\n\
    Every \"no\" is a problem document (RFC 9457) with a stable `code` and the figures that decided it. Where several \
    reasons apply, the first in the order of the list in the schema `ProblemCode` is given.";

/// Schemas of answers: every key is always there, `null` where there is nothing.
const ANSWERS: &[&str] = &[
    "Store",
    "Order",
    "Line",
    "Charge",
    "Tip",
    "Payment",
    "OwnMoney",
    "Imported",
    "ImportFault",
    "Refund",
    "Quote",
    "Allocation",
    "UnitMove",
    "Leg",
    "QuotedLeg",
    "PaymentPlan",
    "PlannedLeg",
    "Explanation",
    "OpenLeg",
    "LegFile",
    "Evidence",
    "Event",
    "Resolved",
    "Gateway",
    "PaymentRoute",
];

/// The document.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Schemas::openapi()).unwrap_or(Value::Null);
    let mut schemas = document.pointer("/components/schemas").cloned().unwrap_or_default();
    if let Some(schemas) = schemas.as_object_mut() {
        let codes: Vec<&str> = reject::PROBLEMS.iter().map(|(code, ..)| *code).collect();
        let about = "Stable codes of problems, in the order in which they are checked.";
        schemas.insert("ProblemCode".to_owned(), json!({"type": "string", "enum": codes, "description": about}));
        if let Some(code) = schemas.get_mut("Problem").and_then(|p| find_property(p, "code")) {
            *code = json!({"$ref": "#/components/schemas/ProblemCode"});
        }
        for name in ANSWERS {
            require_all(schemas.get_mut(*name));
        }
        let mut quoted = schemas.get("RefundInput").cloned().unwrap_or_default();
        quoted["required"] = json!(["ask"]);
        quoted["description"] = json!("A refund to quote: as to create, but the order stands in the path.");
        schemas.insert("QuoteInput".to_owned(), quoted);
        for of in ["Store", "Token", "Order", "Refund", "OpenLeg", "Event", "Gateway", "PaymentRoute"] {
            schemas.insert(format!("{of}Page"), page_of(of));
        }
    }
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Refundry",
        "version": "1",
        "description": DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"token": []}]);
    document["paths"] = paths();
    let token = json!({"type": "http", "scheme": "bearer", "description": "A token of one store, with scopes."});
    document["components"] = json!({
        "schemas": schemas,
        "securitySchemes": {"token": token},
        "examples": problem_examples(),
    });
    document
}

/// The answer of `GET /v1/openapi.json`.
pub(super) fn response() -> Response {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    let body = DOCUMENT.get_or_init(|| Response::json(200, &document()).body);
    Response { status: 200, headers: Vec::new(), content_type: "application/json", body: body.clone() }
}

/// A property of a schema, whether it stands on top or in a part of it.
fn find_property<'a>(schema: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let on_top = format!("/properties/{name}");
    if schema.pointer(&on_top).is_some() {
        return schema.pointer_mut(&on_top);
    }
    schema.get_mut("allOf")?.as_array_mut()?.iter_mut().find_map(|part| part.pointer_mut(&on_top))
}

fn require_all(schema: Option<&mut Value>) {
    let Some(schema) = schema else { return };
    let keys = schema.get("properties").and_then(Value::as_object).map(|p| p.keys().cloned().collect::<Vec<_>>());
    schema["required"] = json!(keys.unwrap_or_default());
}

fn page_of(schema: &str) -> Value {
    json!({
        "type": "object",
        "description": "A page of a list.",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": reference(schema), "description": "The entries, in list order."},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "Send it as `cursor` to get the next page; `null` on the last one.",
            },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn problem_examples() -> Value {
    let mut all = Map::new();
    let responses = examples::refusals().into_iter().map(|refusal| reject::refuse(None, &refusal));
    let token = super::Endpoint::RevokeToken("9f86d081884c7d65".to_owned());
    let no_token = crate::wire::Refusal::Setting { field: "token", reason: String::new() };
    let special = [reject::malformed(&examples::malformed()), reject::refuse(Some(&token), &no_token)];
    for response in responses.chain(special) {
        let problem: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        let code = problem.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
        let title = problem.get("title").cloned().unwrap_or_default();
        all.insert(code, json!({"summary": title, "value": problem}));
    }
    Value::Object(all)
}

fn paths() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        paths.entry(operation.path).or_default().insert(operation.method.to_ascii_lowercase(), described(operation));
    }
    json!(paths)
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description(),
        "responses": responses(operation),
    });
    let parameters: Vec<Value> = path_parameters(operation).chain(operation.params.iter().map(parameter)).collect();
    if !parameters.is_empty() {
        described["parameters"] = Value::Array(parameters);
    }
    match operation.scope() {
        None => described["security"] = json!([]),
        Some(scope) => described["security"] = json!([{"token": [scope.code()]}]),
    }
    match &operation.body {
        Body::None => {}
        Body::Json { schema, example, required } => {
            let mut content = json!({"schema": reference(schema)});
            let mut all = Map::new();
            all.insert("default".to_owned(), json!({"value": example()}));
            if matches!(*schema, "RefundInput" | "QuoteInput") {
                let more = examples::more_refund_inputs();
                all.extend(more.into_iter().map(|(name, value)| (name.to_owned(), json!({"value": value}))));
            }
            content["examples"] = Value::Object(all);
            described["requestBody"] = json!({"required": required, "content": {"application/json": content}});
        }
        Body::Lines { example } => {
            let content = json!({"schema": {"type": "string"}, "example": example()});
            described["requestBody"] = json!({
                "required": true,
                "description": "One order a line.",
                "content": {"application/x-ndjson": content},
            });
        }
    }
    described
}

fn path_parameters(operation: &Operation) -> impl Iterator<Item = Value> {
    let names = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let about = match name {
            "leg" => "The leg's number.",
            "event" => "The event's number.",
            "name" => "What the store calls it: letters, digits, `-`, `_`.",
            "channel" => "The payment channel (or method) as orders name it; `*` for all without a route of their own.",
            _ if operation.path.starts_with("/v1/orders") => "The order's id, or our number of it.",
            _ if operation.path.starts_with("/v1/refunds") => "The refund's id.",
            _ => "The token's public id.",
        };
        let schema = json!({"type": "string"});
        json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
    })
}

fn parameter(param: &Param) -> Value {
    let schema = match param.codes {
        [] => json!({"type": param.kind}),
        codes => json!({"type": "string", "enum": codes}),
    };
    let schema = if param.repeated { json!({"type": "array", "items": schema}) } else { schema };
    json!({
        "name": param.name,
        "in": if param.header { "header" } else { "query" },
        "description": param.about,
        "schema": schema,
        "explode": true,
    })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for ok in operation.ok {
        let (status, described) = match ok {
            Ok::Json { status, schema, about, example } => {
                let content = json!({"schema": reference(schema), "example": example()});
                (*status, json!({"description": about, "content": {"application/json": content}}))
            }
            Ok::Document => {
                let content = json!({"schema": {"type": "object"}});
                (200, json!({"description": "This document.", "content": {"application/json": content}}))
            }
            Ok::Empty { about } => (204, json!({"description": about})),
        };
        responses.insert(status.to_string(), described);
    }
    for code in operation.problems() {
        let Some((_, status, _)) = reject::PROBLEMS.iter().find(|(known, ..)| *known == code) else { continue };
        let entry = responses.entry(status.to_string()).or_insert_with(|| {
            let content = json!({"schema": reference("Problem"), "examples": {}});
            json!({"description": "Refused.", "content": {"application/problem+json": content}})
        });
        entry["content"]["application/problem+json"]["examples"][code] =
            json!({"$ref": format!("#/components/examples/{code}")});
    }
    for (status, response) in &mut responses {
        let examples = response.pointer("/content/application~1problem+json/examples").and_then(Value::as_object);
        if let Some(examples) = examples {
            let codes: Vec<String> = examples.keys().map(|code| format!("`{code}`")).collect();
            response["description"] = json!(format!("{}: {}.", status_words(status), codes.join(", ")));
        }
    }
    Value::Object(responses)
}

fn status_words(status: &str) -> &'static str {
    match status {
        "400" => "Not understood",
        "401" => "No token that works",
        "403" => "Not allowed",
        "404" => "Not there",
        "405" => "Not with this method",
        "409" => "In conflict with what is",
        "413" => "Too large",
        "422" => "Refused by the rules",
        "503" => "Too busy, or the database is away; `Retry-After` says when to come back",
        _ => "A defect",
    }
}
