//! Digital River: creating, listing, reading and annotating refunds, reading an order.

use serde_json::{Value, json};

use super::{Basics, Ids, Row, World, fields, number, put, without};

const EXCEEDED: &str = "The requested refund amount is greater than the available amount.";

/// All messages of a refusal with what they are about; `None` where the body has another shape.
pub(super) fn message(status: u16, body: &Value) -> Option<String> {
    let kind = match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        409 => "conflict",
        _ => "bad_request",
    };
    let errors = body["errors"].as_array().filter(|errors| !errors.is_empty() && body["type"] == kind)?;
    let said = errors.iter().map(|error| {
        let text = error["message"].as_str().filter(|text| !text.trim().is_empty())?;
        Some(format!("{} {} {text}", error["code"], error["parameter"]))
    });
    said.collect::<Option<Vec<String>>>().map(|said| said.join("\n"))
}

fn bad(code: &str, parameter: &str, message: &str) -> Value {
    json!({"type": "bad_request", "errors": [{"code": code, "parameter": parameter, "message": message}]})
}

fn invalid(parameter: &str, message: &str) -> Value {
    bad("invalid_parameter", parameter, message)
}

fn not_found(parameter: &str, message: &str) -> Value {
    json!({"type": "not_found", "errors": [{"code": "not_found", "parameter": parameter, "message": message}]})
}

/// `parameter message`, and a code where it is none of the usual two.
fn said(text: &str) -> Value {
    let (first, rest) = text.split_once(' ').expect("a parameter and a message");
    match first.strip_suffix('!') {
        Some(code) => {
            let (parameter, message) = rest.split_once(' ').expect("a parameter and a message");
            bad(code, parameter, message)
        }
        None if rest == "A parameter is missing." => bad("missing_parameter", first, rest),
        None if rest.ends_with("is an unknown parameter.") => bad("unknown_parameter", first, rest),
        None => invalid(first, rest),
    }
}

fn basics(good: Row, allowed: &str, methods: &'static [&'static str], writes: bool) -> Vec<Row> {
    let message = |text: &str| json!([{"message": text}]);
    let not_allowed = |method: &str| {
        let text = format!("The method {method} is not allowed here; use {allowed}.");
        let errors = json!([{"code": "method_not_allowed", "message": text}]);
        (405, json!({"type": "method_not_allowed", "errors": errors}))
    };
    let malformed = |row: Row| {
        let names = ["\"invalid_format\" null The format of your request is invalid.\n", "What is wrong: "];
        row.names(400, &names)
    };
    let unauthorized = message("An authorization error has occurred.");
    let forbidden = message("The key does not have the permission write_orders.");
    let large = json!([{"code": "limit_exceeded", "message": "The request body is too large."}]);
    let basics = Basics {
        good,
        unauthorized: (401, json!({"type": "unauthorized", "errors": unauthorized})),
        forbidden: writes.then(|| (403, json!({"type": "forbidden", "errors": forbidden}))),
        other_methods: (methods, &not_allowed),
        too_large: (413, json!({"type": "bad_request", "errors": large})),
        malformed: writes.then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

fn order_id(ids: &Ids) -> String {
    format!("ord_{}", ids.order)
}

fn amount(world: &World) -> Value {
    json!({"orderId": order_id(&world.bad), "currency": "USD", "amount": "1.00", "reason": "r", "metadata": {"k": "v"}})
}

fn items(world: &World) -> Value {
    json!({"orderId": order_id(&world.bad), "currency": "USD",
        "items": [{"itemId": world.bad.lines[0], "quantity": 1, "amount": "11.00"}]})
}

/// Values in a body that asks for an amount: where, what; status, parameter and message.
const AMOUNT: &str = r#"
/orderId null
  400 orderId A parameter is missing.
/orderId " "
  400 orderId A parameter is missing.
/orderId 7
  400 orderId '7' is not a valid orderId.
/orderId {}
  400 orderId '{}' is not a valid orderId.
/invoiceId "inv_1"
  400 invoiceId Name the order by orderId or by invoiceId, not by both.
/currency null
  400 currency A parameter is missing.
/currency ""
  400 currency A parameter is missing.
/currency "EUR"
  400 currency Currency EUR is not supported.
/currency "US"
  400 currency Currency US is not supported.
/currency "$$$"
  400 currency Currency $$$ is not supported.
/currency 840
  400 currency Currency 840 is not supported.
/amount null
  400 amount A parameter is missing.
/amount ""
  400 amount '' is not a valid amount.
/amount "one"
  400 amount 'one' is not a valid amount.
/amount true
  400 amount 'true' is not a valid amount.
/amount {}
  400 amount '{}' is not a valid amount.
/amount "1e0"
  400 amount '1e0' is not a valid amount.
/amount 0
  400 amount '0' is not a valid amount.
/amount -1.0
  400 amount '-1.0' is not a valid amount.
/amount "0.004"
  400 amount '0.004' is not a valid amount.
/amount 999999999999999999999999999999
  400 amount '999999999999999999999999999999' is not a valid amount.
/amount "9999999999999999999999999999999"
  400 amount '9999999999999999999999999999999' is not a valid amount.
/amount 1e400
  400 amount '1e+400' is not a valid amount.
/amount 124.01
  400 amountRequested The requested refund amount is greater than the available amount.
/amount "124.005"
  400 amountRequested The requested refund amount is greater than the available amount.
/percent 10
  400 percent Only one of amount, percent and items may be given.
/items [{"itemId": "x", "amount": 1}]
  400 items Only one of amount, percent and items may be given.
/type "fees"
  400 type 'fees' is not a valid type.
/type 1
  400 type '1' is not a valid type.
/type "shipping "
  400 type 'shipping ' is not a valid type.
/type "tax"
  400 amountRequested Only full tax refunds are supported.
/reason 7
  400 reason '7' is not a valid reason.
/reason "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
  400 reason 'rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr' is not a valid reason.
/metadata []
  400 metadata '[]' is not a valid metadata.
/metadata {"k": []}
  400 invalid_metadata_value! metadata.k The value of 'k' must be a string, a number or a boolean.
/metadata {"k": "a\u0000"}
  400 invalid_metadata_value! metadata.k The value of 'k' contains the character U+0000.
/metadata {"": 1}
  400 invalid_metadata_key! metadata '' is not a valid metadata key: use 1 to 40 characters.
/ammount 1
  400 ammount 'ammount' is an unknown parameter.
/ false
  400  '' is an unknown parameter.
"#;

/// Values in a body that asks for items.
const ITEMS: &str = r#"
/items []
  400 amount A parameter is missing.
/items {}
  400 items '{}' is not a valid list of items.
/items "all"
  400 items 'all' is not a valid list of items.
/items [7]
  400 items[0] '7' is not a valid item.
/items [null]
  400 items[0] 'null' is not a valid item.
/items/0/itemId 7
  400 items[0].itemId '7' is not a valid itemId.
/items/0/itemId "nothing"
  400 items[0].itemId 'nothing' is not a valid itemId.
/items/0/itemId ""
  400 items[0].itemId A parameter is missing.
/items/0/amount null
  400 items[0].amount A parameter is missing.
/items/0/amount 0
  400 items[0].amount '0' is not a valid amount.
/items/0/amount "-1.00"
  400 items[0].amount '-1.00' is not a valid amount.
/items/0/amount 44.01
  400 amountRequested The requested refund amount is greater than the available amount.
/items/0/percent 10
  400 items[0].amount An item has an amount or a percent, not both.
/items/0/quantity 0
  400 items[0].quantity '0' is not a valid quantity.
/items/0/quantity -1
  400 items[0].quantity '-1' is not a valid quantity.
/items/0/quantity 1.5
  400 items[0].quantity '1.5' is not a valid quantity.
/items/0/quantity "one"
  400 items[0].quantity 'one' is not a valid quantity.
/items/0/quantity 99999999999999999999
  400 items[0].quantity '99999999999999999999' is not a valid quantity.
/items/0/quantity 5
  400 invalid_quantity_amount! items[0].quantity The requested quantity 5 is greater than the ordered quantity 4.
/items/0/type "tax"
  400 items[0].type 'tax' is not a valid type.
/items/0/type 1
  400 items[0].type '1' is not a valid type.
/items/0/type "duty"
  400 amountRequested The requested refund amount is greater than the available amount.
/items/0/sku "x"
  400 items[0].sku 'items[0].sku' is an unknown parameter.
/type "shipping"
  400 type 'type' restricts amount or percent; with items, use items[].type.
"#;

/// Values in a body that asks for a share.
const PERCENT: &str = r#"
/percent 0
  400 percent '0' is not a valid percent.
/percent "0.009"
  400 percent '0.009' is not a valid percent.
/percent 100.01
  400 percent '100.01' is not a valid percent.
/percent -10
  400 percent '-10' is not a valid percent.
/percent "half"
  400 percent 'half' is not a valid percent.
/percent true
  400 percent 'true' is not a valid percent.
"#;

fn rules(world: &World) -> Vec<Row> {
    let base = amount(world);
    let row = |what: &str, body: Value| Row::post(what, "/refunds", &body);
    let of = |ids: &Ids, amount: &str| json!({"orderId": order_id(ids), "currency": "USD", "amount": amount});
    let unknown = |id: &str| row("an unknown order", put(&base, "/orderId", json!(id)));
    let strange = &world.other.lines[0];
    let invoice = put(&without(&base, "/orderId"), "/invoiceId", json!("inv_1"));
    let taxes = json!({"orderId": order_id(&world.bad), "currency": "USD", "percent": 50, "type": "tax"});
    let long = "x".repeat(300);
    vec![
        row("nothing in it", json!({})).names(400, &["orderId", "currency", "amount", "A parameter is missing."]),
        row("a list", json!([])).names(400, &["The format of your request is invalid.", "must be a JSON object"]),
        row("null", json!(null)).names(400, &["The format of your request is invalid.", "must be a JSON object"]),
        row("an order of nobody", put(&base, "/orderId", json!("ord_nobody")))
            .says(404, not_found("orderId", "Order 'ord_nobody' not found.")),
        unknown("a/b\u{6ce8}'--").says(404, not_found("orderId", "Order 'a/b\u{6ce8}'--' not found.")),
        unknown(&long).says(404, not_found("orderId", &format!("Order '{}…' not found.", "x".repeat(200)))),
        row("another order's item", put(&items(world), "/items/0/itemId", json!(strange)))
            .says(400, invalid("items[0].itemId", &format!("'{strange}' is not a valid itemId."))),
        row("too many items", put(&items(world), "/items", json!(vec![json!({"skuId": "CUP", "amount": 1}); 2_001])))
            .says(400, invalid("items", "A refund has at most 2000 items.")),
        row("an invoice", invoice).says(404, not_found("invoiceId", "Invoice 'inv_1' not found.")),
        row("half the taxes", taxes).says(400, invalid("percentRequested", "Only full tax refunds are supported.")),
        row("an unpaid order", of(&world.unpaid, "1.00")).says(400, invalid("amountRequested", EXCEEDED)),
        row("a spent order", of(&world.spent, "1.00")).says(400, invalid("amountRequested", EXCEEDED)),
        row("dollars for yen", of(&world.yen, "1")).says(400, invalid("currency", "Currency USD is not supported.")),
        row("half a yen too much", put(&of(&world.yen, "1000.5"), "/currency", json!("JPY")))
            .says(400, invalid("amountRequested", EXCEEDED)),
        row("a wrong version", base.clone())
            .header("digitalriver-version", "2019-01-01")
            .says(400, invalid("DigitalRiver-Version", "'2019-01-01' is not a valid API version.")),
        row("before: a word", base.clone())
            .header("refundable-before", "all")
            .says(400, invalid("Refundable-Before", "'all' is not a valid amount.")),
        row("before: odd characters", base.clone())
            .header("refundable-before", "124.00\u{20ac}")
            .says(400, invalid("Refundable-Before", "'124.00\u{20ac}' is not a valid amount.")),
        row("before: stale", base.clone())
            .header("refundable-before", "123.99")
            .names(409, &["invalid_state", "Refundable-Before", "124.00 USD, not 123.99"]),
        row("key: nothing", base.clone())
            .header("idempotency-key", "")
            .says(400, invalid("Idempotency-Key", "Idempotency-Key: between 1 and 255 characters long.")),
        row("key: too long", base.clone())
            .header("idempotency-key", "k".repeat(256))
            .says(400, invalid("Idempotency-Key", "Idempotency-Key: between 1 and 255 characters long.")),
        row("no body", base.clone()).body("").names(400, &["The format of your request is invalid."]),
    ]
}

/// The metadata of a refund that is there.
fn annotations(world: &World, refund: &str) -> Vec<Row> {
    let path = format!("/refunds/{refund}");
    let row = |what: &str, body: Value| Row::post(what, path.as_str(), &body);
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("k{n}"), json!(n))).collect();
    let long = "v".repeat(501);
    let key = "k".repeat(41);
    vec![
        row("an amount", json!({"amount": 1})).says(400, said("amount 'amount' is an unknown parameter.")),
        row("a state", json!({"metadata": {}, "state": "failed"}))
            .says(400, said("state 'state' is an unknown parameter.")),
        row("a list", json!([])).names(400, &["The format of your request is invalid."]),
        row("a text", json!({"metadata": "x"})).says(400, said("metadata 'x' is not a valid metadata.")),
        row("an object inside", json!({"metadata": {"k": {}}})).says(
            400,
            said("invalid_metadata_value! metadata.k The value of 'k' must be a string, a number or a boolean."),
        ),
        row("too many", json!({"metadata": many}))
            .says(400, said("too_many_metadata_pairs! metadata Metadata has more than 20 keys.")),
        row("too long", json!({"metadata": {"k": long}}))
            .says(400, said("invalid_metadata_value! metadata.k The value of 'k' is longer than 500 characters.")),
        row("a key too long", json!({"metadata": {key.clone(): 1}})).says(
            400,
            bad(
                "invalid_metadata_key",
                "metadata",
                &format!("'{key}' is not a valid metadata key: use 1 to 40 characters."),
            ),
        ),
        row("no body", json!({})).body("").names(400, &["The format of your request is invalid."]),
        Row::post("nobody's refund", format!("/refunds/ref_{}", world.bad.order), &json!({"metadata": {"k": "v"}}))
            .says(404, not_found("id", &format!("Refund 'ref_{}' not found.", world.bad.order))),
    ]
}

fn reading() -> Vec<Row> {
    let ids = [
        ("nobody", "nobody"),
        ("a%2Fb", "a/b"),
        ("a%00b", "a\0b"),
        ("%E6%B3%A8", "\u{6ce8}"),
        ("%FF", "%FF"),
        ("%2", "%2"),
        ("a%27%20OR%201=1", "a' OR 1=1"),
        ("ref_999999999999999999", "ref_999999999999999999"),
    ];
    let mut rows = Vec::new();
    for (sent, read) in ids {
        for (path, what) in [("/refunds/", "Refund"), ("/orders/", "Order")] {
            let text = format!("{what} '{read}' not found.");
            rows.push(Row::get("an odd id", format!("{path}{sent}")).says(404, not_found("id", &text)));
        }
        let text = format!("Refund '{read}' not found.");
        rows.push(Row::post("an odd id", format!("/refunds/{sent}"), &json!({})).says(404, not_found("id", &text)));
    }
    let long = format!("Order '{}…' not found.", "x".repeat(200));
    rows.push(Row::get("a long id", format!("/orders/{}", "x".repeat(20_000))).says(404, not_found("id", &long)));
    let queries = [
        ("limit=0", "limit", "'0' is not a valid limit."),
        ("limit=101", "limit", "'101' is not a valid limit."),
        ("limit=", "limit", "'' is not a valid limit."),
        ("limit=ten", "limit", "'ten' is not a valid limit."),
        ("limit=1e1", "limit", "'1e1' is not a valid limit."),
        ("startingAfter=nobody", "startingAfter", "'nobody' is not a valid refund id."),
        ("endingBefore=%00", "endingBefore", "'\0' is not a valid refund id."),
        ("createdTime=yesterday", "createdTime", "'yesterday' is not a valid date-time."),
        ("createdTime[gt]=2024-13-01", "createdTime[gt]", "'2024-13-01' is not a valid date-time."),
        ("amount[gte]=all", "amount[gte]", "'all' is not a valid amount."),
        ("refundedAmount=1e1", "refundedAmount", "'1e1' is not a valid amount."),
        ("amount[over]=1", "amount[over]", "'amount[over]' has no valid operator: use eq, gt, gte, lt or lte."),
        ("amount[gt=1", "amount[gt", "'amount[gt' has no valid operator: use eq, gt, gte, lt or lte."),
    ];
    let bad = queries.map(|(query, parameter, text)| {
        Row::get("a bad query", format!("/refunds?{query}")).says(400, invalid(parameter, text))
    });
    rows.extend(bad);
    for path in [
        "/",
        "/nothing",
        "/refunds/a/b",
        "/orders",
        "/orders/a/b",
        "/refund-details/x",
        "//refunds",
        "/v2/refunds",
        "/openapiorders",
    ] {
        let errors = json!([{"code": "not_found", "message": format!("Resource '{path}' not found.")}]);
        rows.push(Row::get("an unknown path", path).says(404, json!({"type": "not_found", "errors": errors})));
    }
    rows
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let id = world.client.get("/v1/refunds?order=spent").json()["data"][0]["id"].as_str().expect("an id").to_owned();
    let refund = format!("ref_{id}");
    let one = format!("/refunds/{refund}");
    let order = format!("/orders/{}", order_id(&world.bad));
    let mut rows = basics(Row::post("", "/refunds", &amount(&world)), "GET, POST", &["PUT", "DELETE", "BREW"], true);
    rows.extend(basics(
        Row::post("", one.as_str(), &json!({"metadata": {"k": 1}})),
        "GET, POST",
        &["PUT", "PATCH"],
        true,
    ));
    rows.extend(basics(Row::get("", "/refunds"), "GET, POST", &[], false));
    rows.extend(basics(Row::get("", one), "GET, POST", &["DELETE"], false));
    rows.extend(basics(Row::get("", order), "GET", &["POST", "DELETE"], false));
    rows.extend(fields(AMOUNT, "/refunds", &amount(&world), said));
    rows.extend(fields(ITEMS, "/refunds", &items(&world), said));
    rows.extend(fields(PERCENT, "/refunds", &without(&amount(&world), "/amount"), said));
    rows.extend(rules(&world));
    rows.extend(annotations(&world, &refund));
    rows.extend(reading());
    world.check(&rows);
    world.close();
}

#[test]
fn what_is_odd_but_allowed_is_taken() {
    let mut world = World::new();
    let base = amount(&world);
    let row = |what: &str, body: Value| Row::post(what, "/refunds", &body).status(201);
    let of = |value: Value| put(&base, "/amount", value);
    let sku = json!({"orderId": order_id(&world.bad), "currency": "usd", "percent": null, "unheard_of": null,
        "items": [{"skuId": "PAN", "quantity": "1.0000", "amount": "3e1"}]});
    let mut by_number = put(&sku, "/items/0/amount", number("3e1"));
    by_number["reason"] = json!("");
    let rows = [
        (row("an exponent", of(number("1.1e0"))), "1.10"),
        (row("half a cent is rounded up", of(json!("1.005"))), "1.01"),
        (row("noise of a float", of(number("1.1000000000000001"))), "1.10"),
        (row("no content type", of(json!("1.00"))).header("content-type", "text/plain"), "1.00"),
        (row("an item by SKU, as a text", by_number), "30.00"),
    ];
    world.check_taken(&rows);
    world.close();
}
