//! The endpoints as the OpenAPI document lists them: one table.

use serde_json::{Value, json};

use super::{Endpoint, events, examples, gateways, legs, route, scope};
use crate::wire::{Routed, Scope};
use refundry_core::rejection::Rejection;

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    about: &'static str,
    pub(super) params: &'static [Param],
    pub(super) body: Body,
    pub(super) ok: &'static [Ok],
    problems: &'static [&'static str],
    /// Every refusal of the rules may come back.
    rules: bool,
}

/// A body that is sent.
pub(super) enum Body {
    None,
    Json { schema: &'static str, example: fn() -> Value, required: bool },
    Lines { example: fn() -> Value },
}

/// An answer that is no refusal.
pub(super) enum Ok {
    Json { status: u16, schema: &'static str, about: &'static str, example: fn() -> Value },
    Document,
    Empty { about: &'static str },
}

/// A parameter of the query string, or a header.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) codes: &'static [&'static str],
    pub(super) repeated: bool,
    pub(super) header: bool,
    pub(super) about: &'static str,
}

const fn text(name: &'static str, about: &'static str) -> Param {
    Param { name, kind: "string", codes: &[], repeated: false, header: false, about }
}

const fn one_of(name: &'static str, codes: &'static [&'static str], about: &'static str) -> Param {
    Param { codes, ..text(name, about) }
}

const fn header(name: &'static str, about: &'static str) -> Param {
    Param { header: true, ..text(name, about) }
}

const LIMIT: Param = Param { kind: "integer", ..text("limit", "Entries of the page, 1 to 100; 20 where left out.") };
const CURSOR: Param = text("cursor", "`next_cursor` of the page before.");
const KEY: Param = header("Idempotency-Key", "The same key and body give the same answer.");
const BEFORE: Param =
    header("Refundable-Before", "What the caller believes the payments have left; refused where that is stale.");
const PAGED: &[Param] = &[LIMIT, CURSOR];
const KEYED: &[Param] = &[KEY];
const ORDER_PARAMS: &[Param] = &[
    text("number", "Only with this id or number."),
    text("created_from", "Made at or after."),
    text("created_to", "Made at or before."),
    LIMIT,
    CURSOR,
];
const IMPORT_PARAMS: &[Param] = &[one_of(
    "from",
    &["native", "shoplazza", "shopline", "digital_river"],
    "The API whose order objects are sent; `native` where left out.",
)];
const REFUND_PARAMS: &[Param] = &[
    Param { repeated: true, ..text("order", "Only of these orders; may be given several times.") },
    Param {
        repeated: true,
        ..one_of("state", &["pending", "succeeded", "failed"], "Only in these states; may be given several times.")
    },
    text("sku", "Only with an item of this SKU."),
    text("reason", "Only with exactly this reason."),
    text("failure_code", "Only failed with exactly this code of the provider."),
    text("created_from", "Accepted at or after."),
    text("created_to", "Accepted at or before."),
    text("updated_from", "Last changed at or after."),
    text("updated_to", "Last changed at or before."),
    text("amount_min", "Of this amount or more, as a decimal."),
    text("amount_max", "Of this amount or less, as a decimal."),
    one_of("sort", &["created", "updated"], "`created` where left out."),
    one_of("direction", &["asc", "desc"], "`desc` where left out."),
    LIMIT,
    CURSOR,
];
const LEG_PARAMS: &[Param] = &[
    Param {
        repeated: true,
        ..one_of(
            "stage",
            &["waiting", "calling", "sent", "in_doubt", "parked"],
            "Only those that stand here; may be given several times. `in_doubt` and `parked` where left out.",
        )
    },
    LIMIT,
    CURSOR,
];
const ORDER_PROBLEMS: &[&str] = &["order_clash", "order_changes_refunded", "order_contradictory", "order_invalid"];

const fn json_of(schema: &'static str, example: fn() -> Value) -> Body {
    Body::Json { schema, example, required: true }
}

const fn optional(schema: &'static str, example: fn() -> Value) -> Body {
    Body::Json { schema, example, required: false }
}

const fn ok(status: u16, schema: &'static str, about: &'static str, example: fn() -> Value) -> Ok {
    Ok::Json { status, schema, about, example }
}

/// A reading operation, to be completed.
const fn get(path: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    Operation {
        method: "GET",
        path,
        id,
        tag,
        summary,
        about: "",
        params: &[],
        body: Body::None,
        ok: &[],
        problems: &[],
        rules: false,
    }
}

/// A writing operation, to be completed.
const fn post(path: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    Operation { method: "POST", ..get(path, id, tag, summary) }
}

/// Every operation.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        params: PAGED,
        ok: &[ok(200, "StorePage", "All stores, on one page.", || page(&examples::store()))],
        problems: &["cursor_unknown"],
        ..get("/v1/stores", "listStores", "stores", "List the stores")
    },
    Operation {
        body: json_of("StoreInput", || json!({"handle": "demo", "name": "Demo", "currency": "USD"})),
        ok: &[ok(201, "Store", "The new store.", examples::store)],
        problems: &["setting_invalid"],
        ..post("/v1/stores", "createStore", "stores", "Add a store")
    },
    Operation {
        params: PAGED,
        ok: &[ok(200, "TokenPage", "All tokens of the store, on one page, without secrets.", || {
            page(&examples::token(false))
        })],
        problems: &["cursor_unknown"],
        ..get("/v1/tokens", "listTokens", "tokens", "List the tokens of the store")
    },
    Operation {
        about: "The secret is in this answer and nowhere else.",
        body: json_of("TokenInput", || json!({"label": "Help desk", "scopes": ["read_orders", "write_orders"]})),
        ok: &[ok(201, "Token", "The new token, with its secret.", || examples::token(true))],
        problems: &["setting_invalid"],
        ..post("/v1/tokens", "createToken", "tokens", "Make a token")
    },
    Operation {
        method: "DELETE",
        ok: &[Ok::Empty { about: "The token does not work any more." }],
        problems: &["token_unknown"],
        ..get("/v1/tokens/{id}", "revokeToken", "tokens", "Revoke a token")
    },
    Operation {
        about: "Newest first.",
        params: ORDER_PARAMS,
        ok: &[ok(200, "OrderPage", "A page of orders.", examples::order_page)],
        problems: &["cursor_unknown"],
        ..get("/v1/orders", "listOrders", "orders", "List orders")
    },
    Operation {
        about: "With an id that is known already, it brings that order up to date, as `PUT` does.",
        body: json_of("OrderInput", examples::order_input),
        ok: &[
            ok(200, "Order", "The order was known; this is how it is now.", examples::order),
            ok(201, "Order", "The order is new.", examples::order),
        ],
        problems: ORDER_PROBLEMS,
        ..post("/v1/orders", "createOrder", "orders", "Take an order in")
    },
    Operation {
        about: "Each line is one order, taken in by itself; lines that cannot be are reported with their numbers.",
        params: IMPORT_PARAMS,
        body: Body::Lines { example: examples::import_input },
        ok: &[ok(200, "Imported", "What came of it, line by line.", examples::imported)],
        problems: &[],
        ..post("/v1/orders/import", "importOrders", "orders", "Take in many orders")
    },
    Operation {
        about: "What is still refundable stands as `left` beside every line (both buckets), charge and payment. The \
                answer can be put back as it is.",
        ok: &[ok(200, "Order", "The order.", examples::order)],
        problems: &["order_unknown"],
        ..get("/v1/orders/{id}", "getOrder", "orders", "Get an order with what is left of it")
    },
    Operation {
        method: "PUT",
        about: "Added payments, units shipped and refunds made elsewhere are taken; a change to the price or quantity \
                of a line that was refunded is refused.",
        body: json_of("OrderInput", examples::order_input),
        ok: &[
            ok(200, "Order", "The order was known; this is how it is now.", examples::order),
            ok(201, "Order", "The order is new.", examples::order),
        ],
        problems: &["order_clash", "order_changes_refunded", "order_contradictory", "order_invalid"],
        ..get("/v1/orders/{id}", "putOrder", "orders", "Take an order in under an id, or bring it up to date")
    },
    Operation {
        about: "Without a body, or with an empty list, everything that waits is shipped.",
        body: Body::Json {
            schema: "FulfilmentInput",
            example: || json!({"lines": [{"line": "shirt", "quantity": 1}]}),
            required: false,
        },
        ok: &[ok(200, "Order", "The order as it is now.", examples::order)],
        problems: &["order_unknown", "order_invalid", "order_contradictory"],
        ..post("/v1/orders/{id}/fulfilments", "fulfilOrder", "orders", "Record units as shipped")
    },
    Operation {
        body: json_of(
            "AddedPayment",
            || json!({"currency": "USD", "id": "card-2", "channel": "card", "captured": "12.00"}),
        ),
        ok: &[ok(200, "Order", "The order as it is now.", examples::order)],
        problems: &["order_unknown", "order_invalid", "order_contradictory", "setting_invalid"],
        ..post("/v1/orders/{id}/payments", "addPayment", "orders", "Add a captured payment to an order")
    },
    Operation {
        about: "Stores nothing. Takes the very body of a refund, whose `order` may be left out, and works it out by \
                the same rules: creating it on the same order gives the same figures. Beside it stands how each \
                strategy would spread the same amount over the payments.",
        params: &[BEFORE],
        body: json_of("QuoteInput", examples::refund_input),
        ok: &[ok(200, "Quote", "What the refund would be.", examples::quote)],
        rules: true,
        ..post("/v1/orders/{id}/quote", "quoteRefund", "refunds", "Work a refund out without creating it")
    },
    Operation {
        params: REFUND_PARAMS,
        ok: &[ok(200, "RefundPage", "A page of refunds.", examples::refund_page)],
        problems: &["cursor_unknown"],
        ..get("/v1/refunds", "listRefunds", "refunds", "List refunds")
    },
    Operation {
        about: "The answer shows the refund as it was accepted: legs that go through a gateway still wait.",
        params: &[BEFORE, KEY],
        body: json_of("RefundInput", examples::refund_input),
        ok: &[ok(201, "Refund", "The refund as it was accepted.", examples::refund)],
        rules: true,
        ..post("/v1/refunds", "createRefund", "refunds", "Create a refund")
    },
    Operation {
        ok: &[ok(200, "Refund", "The refund as it is now.", examples::refund)],
        problems: &["refund_unknown"],
        ..get("/v1/refunds/{id}", "getRefund", "refunds", "Get a refund")
    },
    Operation {
        about: "Only while surely nothing of it was sent: its legs fail with the code `cancelled`, and what it took is \
                refundable again. The body may be left out.",
        body: optional("CancelInput", || json!({"reason": "The buyer keeps it"})),
        ok: &[ok(200, "Refund", "The refund as it is now.", examples::refund)],
        problems: &["refund_unknown", "refund_not_cancellable"],
        ..post("/v1/refunds/{id}/cancel", "cancelRefund", "refunds", "Call a refund off")
    },
    Operation {
        about: "Makes a refund of its own of the failed legs that no other refund tries again, by the same rules as \
                any: the money goes back through the same payments, through another one, or outside. The body may be \
                left out.",
        params: KEYED,
        body: optional("RetryInput", || json!({"to": "outside"})),
        ok: &[ok(201, "Refund", "The new refund as it was accepted, with its `retry_of`.", examples::refund)],
        problems: &["refund_unknown", "nothing_to_retry"],
        rules: true,
        ..post("/v1/refunds/{id}/retry", "retryRefund", "refunds", "Try again what failed of a refund")
    },
    Operation {
        about: "With all that was heard of it and was not plain: what a person sees who has to decide.",
        ok: &[ok(200, "LegFile", "The leg, where it stands, and the evidence.", legs::example_file)],
        problems: &["leg_unknown"],
        ..get("/v1/refunds/{id}/legs/{leg}", "getLeg", "refunds", "Get a leg with the evidence of it")
    },
    Operation {
        about: "Whatever its ladder says. Of a leg that is parked, too, which stays so unless the answer settles it. \
                A leg that is due within a minute anyway, or in a worker's hands, is left as it is. The answer shows \
                the leg before anybody has asked.",
        ok: &[ok(200, "LegFile", "The leg, where it stands, and the evidence.", legs::example_file)],
        problems: &["leg_unknown", "nothing_to_ask"],
        ..post("/v1/refunds/{id}/legs/{leg}/ask", "askLeg", "refunds", "Have the gateway asked about a leg now")
    },
    Operation {
        about: "For legs that no gateway answers for, and for parked ones: those on which what the provider says and \
                what was asked disagree, or of which nothing was learnt in time. Look at the evidence and ask the \
                provider first; what is said here is final.",
        body: json_of("SettleInput", || json!({"outcome": "succeeded", "reference": "TRANSFER-2026-118"})),
        ok: &[ok(200, "Refund", "The refund as it is now.", examples::refund)],
        problems: &["refund_unknown", "leg_not_settleable"],
        ..post("/v1/refunds/{id}/legs/{leg}/settle", "settleLeg", "refunds", "Record by hand what became of a leg")
    },
    Operation {
        about: "Legs that are not over, oldest first, each with what happens next and when.",
        params: LEG_PARAMS,
        ok: &[ok(200, "OpenLegPage", "A page of legs.", legs::example_page)],
        problems: &["cursor_unknown"],
        ..get("/v1/legs", "listLegs", "payouts", "List legs that are in doubt or wait for a person")
    },
    Operation {
        about: "What providers told of and fits nothing here, oldest first. Those whose order comes in later resolve \
                by themselves.",
        params: PAGED,
        ok: &[ok(200, "EventPage", "A page of events.", events::example_page)],
        problems: &["cursor_unknown"],
        ..get("/v1/events", "listEvents", "payouts", "List events of providers that wait for a person")
    },
    Operation {
        about: "Either it is dismissed, or it is a refund of a payment, which then is in the books.",
        body: json_of("ResolveInput", || json!({"order": "demo-1001", "payment": "card-1"})),
        ok: &[ok(200, "Resolved", "What became of it.", events::example_resolved)],
        problems: &["event_unknown", "event_not_resolvable"],
        ..post("/v1/events/{event}/resolve", "resolveEvent", "payouts", "Say what becomes of an event that waits")
    },
    Operation {
        about: "Those that the store configured. The built-in ones, `manual` and `simulated`, need no configuration \
                and are not listed. No value of a secret is ever shown.",
        params: PAGED,
        ok: &[ok(200, "GatewayPage", "All of them, on one page.", || page(&gateways::example()))],
        problems: &["cursor_unknown"],
        ..get("/v1/gateways", "listGateways", "gateways", "List the gateways of the store")
    },
    Operation {
        method: "PUT",
        about: "Settings are added to those that the gateway has; an empty text takes one away. It works at once, in \
                other processes within a second. Its driver stays, because old legs are asked about through it; the \
                settings that choose a host or an account stay while legs may have been sent and are not settled. With \
                another host, all secrets that are kept have to be given again.",
        body: json_of("GatewayInput", gateways::example_input),
        ok: &[
            ok(200, "Gateway", "It was there; this is how it is now.", gateways::example),
            ok(201, "Gateway", "It is new.", gateways::example),
        ],
        problems: &["setting_invalid", "gateway_driver_differs", "gateway_in_use", "secrets_unavailable"],
        ..get("/v1/gateways/{name}", "putGateway", "gateways", "Configure a gateway, or change settings of one")
    },
    Operation {
        params: PAGED,
        ok: &[ok(200, "PaymentRoutePage", "All routes, on one page.", || page(&gateways::example_route()))],
        problems: &["cursor_unknown"],
        ..get("/v1/routes", "listRoutes", "gateways", "List which payment channels lead to which gateway")
    },
    Operation {
        method: "PUT",
        about: "Refunds made from now on go there; what was sent before is asked about where it was sent.",
        body: json_of("RouteInput", || json!({"gateway": "stripe-eu"})),
        ok: &[ok(200, "PaymentRoute", "The route as it is now.", gateways::example_route)],
        problems: &["setting_invalid"],
        ..get("/v1/routes/{channel}", "putRoute", "gateways", "Lead a payment channel to a gateway")
    },
    Operation { ok: &[Ok::Document], ..get("/v1/openapi.json", "getOpenApi", "meta", "Get this document") },
];

fn page(entry: &Value) -> Value {
    json!({"data": [entry], "next_cursor": Value::Null})
}

impl Operation {
    /// The endpoint that the path leads to.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match route(self.method, &self.path.replace(['{', '}'], "")) {
            Routed::To(endpoint) => Some(endpoint),
            Routed::MethodNotAllowed(_) | Routed::NotFound => None,
        }
    }

    /// What a token must allow.
    pub(super) fn scope(&self) -> Option<Scope> {
        self.endpoint().and_then(|endpoint| scope(&endpoint))
    }

    /// What it does, and which scope it needs.
    pub(super) fn description(&self) -> String {
        let scope = self.scope().map(|scope| format!("Needs the scope `{}`.", scope.code()));
        let parts = [self.about.to_owned(), scope.unwrap_or_else(|| "Needs no token.".to_owned())];
        parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Codes of every problem that may come back, in the order in which they are checked.
    pub(super) fn problems(&self) -> Vec<&'static str> {
        let mut may = self.problems.to_vec();
        if self.scope().is_some() {
            may.extend(["unauthorized", "forbidden", "internal", "busy", "outcome_unknown"]);
        }
        if !matches!(self.body, Body::None) {
            may.extend(["body_incomplete", "body_too_large"]);
        }
        if !matches!(self.body, Body::None) || self.params.iter().any(|p| !p.header) {
            may.push("malformed");
        }
        if self.rules {
            may.extend(Rejection::CODES);
        }
        let known = super::reject::PROBLEMS.iter().map(|(code, ..)| *code);
        known.filter(|code| may.contains(code)).collect()
    }
}
