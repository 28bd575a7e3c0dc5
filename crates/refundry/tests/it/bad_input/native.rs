//! Our own API: refunds and quotes, orders and what is added to them, stores and tokens, lists.

use serde_json::{Value, json};

use super::{BODY_BYTES_MAX, Basics, Row, World, fields_of, order, put};

fn problem(status: u16, code: &str, title: &str, detail: &str) -> Value {
    let kind = format!("/problems/{code}");
    json!({"type": kind, "title": title, "status": status, "detail": detail, "code": code})
}

fn basics(good: Row, allowed: &str, methods: &'static [&'static str], scope: &str) -> Vec<Row> {
    let detail = "send the header Authorization: Bearer with a token that works";
    let lacks = format!("the token lacks the scope {scope}");
    let takes = format!("the path takes {allowed}");
    let forbidden = problem(403, "forbidden", "The token does not allow this", &lacks);
    let refused = problem(405, "method_not_allowed", "The path does not take this method", &takes);
    let large = problem(413, "body_too_large", "The body is too large", "a body has at most 1048576 bytes");
    let reads = good.body.is_empty();
    let malformed = |row: Row| row.names(400, &["\"malformed\"", "the body is not valid JSON: "]);
    let basics = Basics {
        good,
        unauthorized: (401, problem(401, "unauthorized", "A token is needed", detail)),
        forbidden: (scope != "read_orders").then(|| (403, put(&forbidden, "/scope", json!(scope)))),
        other_methods: (methods, &|_| (405, put(&refused, "/allow", json!(allowed)))),
        too_large: (413, put(&large, "/bytes_max", json!(BODY_BYTES_MAX))),
        malformed: (!reads).then_some(&malformed as &dyn Fn(Row) -> Row),
    };
    basics.rows()
}

/// What every endpoint refuses alike.
fn every_endpoint(world: &World) -> Vec<Row> {
    let refund = json!({"order": "bad", "ask": {"amount": "1.00"}});
    let payment = json!({"id": "more", "channel": "card", "currency": "USD", "captured": "1.00"});
    let store = json!({"handle": "other-shop", "currency": "USD"});
    let settle = format!("/v1/refunds/{0}/legs/{0}/settle", world.bad.order);
    let (write, read, admin) = ("write_orders", "read_orders", "admin");
    let refund_path = |more: &str| format!("/v1/refunds/{0}/{more}", world.bad.order);
    let put = |path: &str, body: &Value| Row { method: "PUT", ..Row::post("", path, body) };
    let (gateway, route) = (json!({"driver": "cash"}), json!({"gateway": "nobody"}));
    [
        basics(Row::post("", refund_path("cancel"), &json!({})), "POST", &["GET", "PUT"], write),
        basics(Row::post("", refund_path("retry"), &json!({})), "POST", &["GET", "PUT"], write),
        basics(Row::get("", refund_path(&format!("legs/{}", world.bad.order))), "GET", &["POST"], read),
        basics(Row::get("", "/v1/legs"), "GET", &["POST"], read),
        basics(Row::get("", "/v1/events"), "GET", &["POST"], read),
        basics(Row::post("", "/v1/events/1/resolve", &json!({"dismiss": "no"})), "POST", &["GET"], write),
        basics(Row::get("", "/v1/gateways"), "GET", &["POST"], admin),
        basics(put("/v1/gateways/eu", &gateway), "PUT", &["GET", "POST", "DELETE"], admin),
        basics(Row::get("", "/v1/routes"), "GET", &["POST"], admin),
        basics(put("/v1/routes/card", &route), "PUT", &["GET", "POST", "DELETE"], admin),
        basics(Row::post("", "/v1/refunds", &refund), "GET, POST", &["PUT", "DELETE", "BREW"], write),
        basics(Row::post("", "/v1/orders/bad/quote", &refund), "POST", &["GET", "PUT"], read),
        basics(Row::post("", "/v1/orders", &order("new")), "GET, POST", &["PUT", "DELETE"], write),
        basics(Row { method: "PUT", ..Row::post("", "/v1/orders/new", &order("new")) }, "GET, PUT", &["POST"], write),
        basics(Row::post("", "/v1/orders/bad/payments", &payment), "POST", &["GET", "PUT"], write),
        basics(Row::post("", "/v1/orders/bad/fulfilments", &json!({})), "POST", &["GET"], write),
        basics(Row::post("", settle, &json!({"outcome": "succeeded"})), "POST", &["GET"], write),
        basics(Row::post("", "/v1/stores", &store), "GET, POST", &["PUT"], admin),
        basics(Row::post("", "/v1/tokens", &json!({"scopes": ["read_orders"]})), "GET, POST", &["PUT"], admin),
        basics(Row::new("", "DELETE", "/v1/tokens/0123456789abcdef"), "DELETE", &["GET", "POST"], admin),
        basics(Row::get("", "/v1/refunds"), "GET, POST", &[], read),
        basics(Row::get("", "/v1/orders"), "GET, POST", &[], read),
        basics(Row::get("", "/v1/orders/bad"), "GET, PUT", &["DELETE"], read),
        basics(Row::get("", format!("/v1/refunds/{}", world.bad.order)), "GET", &["POST", "DELETE"], read),
    ]
    .concat()
}

/// Values in a refund of an amount; status, code and detail.
const AMOUNT: &str = r#"
/order null
  400 malformed order is required
/order ""
  400 malformed order must be an id of at least one character
/order 7
  400 malformed order must be a string
/order "nobody"
  404 order_unknown no order has the id "nobody"
/order "a/b\u6ce8'--"
  404 order_unknown no order has the id "a/b注'--"
/order "a\u0000"
  400 malformed order must be a text without NUL characters
/order x×65
  400 malformed order must not be longer than 64
/ask null
  400 malformed ask is required
/ask []
  400 malformed ask must be an object
/ask {}
  400 malformed ask must be an object with exactly one of amount, percent, items, everything, parts
/ask {"amount": "1.00", "percent": "1"}
  400 malformed ask must be an object with exactly one of amount, percent, items, everything, parts
/ask {"ammount": "1.00"}
  400 malformed ask.ammount is not known here
/ask {"everything": false}
  400 malformed ask.everything must be true
/ask {"everything": "yes"}
  400 malformed ask.everything must be true or false
/ask {"percent": "0"}
  422 percent_invalid 0 is not from 0.01 to 100
/ask {"percent": "100.01"}
  422 percent_invalid 100.01 is not from 0.01 to 100
/ask {"percent": 10}
  400 malformed ask.percent must be a string: send "10", not the JSON number 10
/ask {"percent": "50", "type": "tax"}
  422 tax_only_whole a tax goes back whole
/ask {"amount": "1.00", "type": "fees"}
  400 malformed ask.type must be one of shipping, duty, tax, importer_tax
/ask {"amount": "10.01", "type": "shipping"}
  422 part_exceeded asked for 10.01 USD, shipping has 10.00 left
/ask/amount 1.00
  400 malformed ask.amount must be a string: send "1.00", not the JSON number 1.00
/ask/amount true
  400 malformed ask.amount must be a decimal string such as "9.99"
/ask/amount "one"
  400 malformed ask.amount must be a decimal string such as "9.99"
/ask/amount " 1.00"
  400 malformed ask.amount must be a decimal string such as "9.99"
/ask/amount "1e0"
  400 malformed ask.amount must be a decimal string such as "9.99"
/ask/amount 9×31
  400 malformed ask.amount must be a decimal of at most 30 digits
/ask/amount 9×30
  422 amount_invalid must be at most 10^15 minor units
/ask/amount "0"
  422 amount_invalid must be above zero; it is 0
/ask/amount "-1.00"
  422 amount_invalid must be above zero; it is -1
/ask/amount "1.001"
  422 amount_invalid must be an amount with at most 2 decimals
/ask/amount "124.01"
  422 refundable_exceeded asked for 124.01 USD, the order has 124.00 left
/ask {"items": []}
  400 malformed ask.items must be a list of at least one item
/ask {"items": {}}
  400 malformed ask.items must be a list
/ask {"items": [7]}
  400 malformed ask.items[0] must be an object
/ask {"items": [{"amount": "1.00"}]}
  400 malformed ask.items[0].line must be given, or else sku
/ask {"items": [{"line": "bad-cup"}]}
  400 malformed ask.items[0].amount must be given, or else percent
/ask {"items": [{"line": "bad-cup", "amount": "1.00", "qty": 1}]}
  400 malformed ask.items[0].qty is not known here
/ask {"items": [{"line": "bad-cup", "amount": "1.00", "quantity": "1"}]}
  400 malformed ask.items[0].quantity must be a whole number such as 2
/ask {"items": [{"line": "bad-cup", "amount": "1.00", "quantity": 1.0}]}
  400 malformed ask.items[0].quantity must be a whole number such as 2
/ask {"items": [{"line": "bad-cup", "amount": "1.00", "quantity": 5}]}
  422 quantity_exceeded there are 4
/ask {"items": [{"line": "bad-cup", "amount": "1.00", "quantity": 0}]}
  422 quantity_invalid must be at least 1, not 0
/ask {"items": [{"line": "other-cup", "amount": "1.00"}]}
  422 line_unknown the order has no line "other-cup"
/ask {"items": [{"line": "bad-cup", "amount": "44.01"}]}
  422 part_exceeded asked for 44.01 USD
/ask {"parts": {}}
  400 malformed ask.parts must be an object with a total, units or the amount of at least one part
/ask {"parts": {"tips": "1.00"}}
  400 malformed ask.parts.tips is not known here
/ask {"parts": {"tip": "5.01"}}
  422 part_exceeded asked for 5.01 USD, tip has 5.00 left
/ask {"parts": {"shipping": 1}}
  400 malformed ask.parts.shipping must be a string: send "1", not the JSON number 1
/ask {"parts": {"total": "2.00", "shipping": "1.00", "tip": "2.00"}}
  422 parts_do_not_add_up the total is 2.00 USD, the parts make 3.00
/ask {"parts": {"additional_named": [{"name": "Ribbon", "gross": "1.00"}]}}
  422 charge_unknown the order has no additional charge "Ribbon"
/ask {"parts": {"units": [{"line": "bad-cup", "from": "shelf"}]}}
  400 malformed ask.parts.units[0].from must be one of automatic, waiting, shipped, returned
/ask {"parts": {"units": [{"line": "bad-cup", "quantity": 1}, {"line": "bad-cup", "quantity": 1, "from": "waiting"}]}}
  422 modes_mixed take units of "bad-cup" automatically or from named buckets
/ask {"parts": {"units": [{"line": "bad-cup", "quantity": 3, "from": "shipped"}]}}
  422 quantity_exceeded asked for 3 of "bad-cup", there are 2
/payments "card"
  400 malformed payments must be {"first":[…]} or a list
/payments {"last": []}
  400 malformed payments.last is not known here
/payments {"first": ["other-card"]}
  422 payment_unknown the order has no payment "other-card"
/payments [{"payment": "other-card", "amount": "1.00"}]
  422 payment_unknown the order has no payment "other-card"
/payments [{"payment": "bad-card", "amount": "0.99"}]
  422 payments_do_not_add_up the total is 1.00 USD, the payments make 0.99
/payments [{"payment": "bad-card"}]
  400 malformed payments[0].amount is required
/currency "EUR"
  422 currency_differs the order's currency is USD, not EUR
/currency "dollars"
  400 malformed currency must be a code of three letters
/note n×2001
  400 malformed note must not be longer than 2000
/reason r×65
  400 malformed reason must not be longer than 64
/notify "no"
  400 malformed notify must be true or false
/metadata {"k": []}
  400 malformed metadata.k must be a string, a number, true or false
/processed_at "yesterday"
  400 malformed processed_at must be an RFC 3339 time
/amount "1.00"
  400 malformed amount is not known here
"#;

/// Values in a new order.
const ORDER: &str = r#"
/id ""
  400 malformed id must be an id of at least one character
/id x×65
  400 malformed id must not be longer than 64
/id 7
  400 malformed id must be a string
/currency null
  400 malformed currency is required
/currency "XXY"
  400 malformed currency must be a currency of ISO 4217
/curency "USD"
  400 malformed curency is not known here
/total "1.00"
  422 order_contradictory total
/lines {}
  400 malformed lines must be a list
/lines/0/quantity 0
  422 order_invalid lines[0] has 1 to 100000 units
/lines/0/quantity -1
  400 malformed lines[0].quantity must be a whole number from 0 to 100000
/lines/0/quantity 99999999999
  400 malformed lines[0].quantity must be a whole number from 0 to 100000
/lines/0/shipped 5
  422 order_invalid no more shipped and cancelled than sold
/lines/0/unit_price "1.001"
  400 malformed lines[0].unit_price
/lines/0/unit_price 10
  400 malformed lines[0].unit_price must be a string: send "10"
/lines/0/tax "-1.00"
  400 malformed lines[0].tax
/lines/1/id "new-cup"
  422 order_invalid the id "new-cup" stands twice in the order
/payments/0/captured "-1.00"
  400 malformed payments[0].captured
/payments/0/captured 9×25
  400 malformed payments[0].captured
/payments/0/kind "barter"
  400 malformed payments[0].kind must be one of
/created_at "yesterday"
  400 malformed created_at must be an RFC 3339 time
/origin "shopline"
  400 malformed origin must be native
"#;

/// The code, and what the detail or the field must contain.
fn named(row: Row, status: u16, text: &'static str) -> Row {
    let (code, detail) = text.split_once(' ').expect("a code and a detail");
    row.names(status, &[code, detail])
}

/// Bodies of the endpoints beside refunds and orders.
fn others(world: &World) -> Vec<Row> {
    let of = |path: &str, body: Value, status, text| named(Row::post(text, path, &body), status, text);
    let put_as = |path: &str, body: &Value| Row { method: "PUT", ..Row::post("an order of another name", path, body) };
    let refund = format!("/v1/refunds/{}/legs/1/settle", world.bad.order);
    let payment = |key: &str, value: Value| {
        let good = json!({"id": "more", "channel": "card", "currency": "USD", "captured": "1.00"});
        put(&good, key, value)
    };
    let (payments, fulfil) = ("/v1/orders/bad/payments", "/v1/orders/bad/fulfilments");
    let units = |line: &str, quantity: Value| json!({"lines": [{"line": line, "quantity": quantity}]});
    vec![
        of(payments, payment("/currency", json!(null)), 400, "malformed currency is required"),
        of(payments, payment("/currency", json!("EUR")), 422, "order_contradictory currency"),
        of(payments, payment("/captured", json!("1.001")), 400, "malformed captured"),
        of(payments, payment("/captured", json!(1)), 400, "malformed captured must be a string"),
        of(payments, payment("/amount", json!("1.00")), 400, "malformed amount is not known here"),
        of("/v1/orders/nobody/payments", payment("/id", json!("m")), 404, "order_unknown no order has the id"),
        of(fulfil, units("bad-cup", json!(3)), 422, "quantity_exceeded there are 2"),
        of(fulfil, units("bad-cup", json!(0)), 400, "malformed lines[0].quantity must be a whole number from 1"),
        of(fulfil, units("bad-cup", json!("1")), 400, "malformed lines[0].quantity must be a whole number"),
        of(fulfil, units("other-cup", json!(1)), 422, "line_unknown the order has no line"),
        of(fulfil, json!({"line": "bad-cup"}), 400, "malformed line is not known here"),
        of("/v1/orders/nobody/fulfilments", json!({}), 404, "order_unknown no order has the id"),
        of(&refund, json!({"outcome": "maybe"}), 400, "malformed outcome must be one of succeeded, failed"),
        of(&refund, json!({}), 400, "malformed outcome is required"),
        of(&refund, json!({"outcome": "failed"}), 409, "leg_not_settleable the refund has no leg"),
        of("/v1/stores", json!({}), 400, "malformed handle is required"),
        of("/v1/stores", json!({"handle": "s", "currency": "XXY"}), 400, "malformed currency must be a currency"),
        of("/v1/stores", json!({"handle": "demo", "currency": "USD"}), 422, "setting_invalid this handle is in use"),
        of("/v1/tokens", json!({}), 400, "malformed scopes is required"),
        of("/v1/tokens", json!({"scopes": []}), 400, "malformed scopes must be a list of"),
        of("/v1/tokens", json!({"scopes": ["root"]}), 400, "malformed scopes must be a list of"),
        of("/v1/tokens", json!({"scopes": ["admin"], "store": "x"}), 422, "setting_invalid the handle of a store"),
        Row::new("nobody's token", "DELETE", "/v1/tokens/0123456789abcdef").names(404, &["token_unknown"]),
        put_as("/v1/orders/newer", &order("new")).names(400, &["malformed", "id must be \"newer\", as in the path"]),
        put_as("/v1/orders/bad", &put(&order("bad"), "/currency", json!("XXY"))).names(400, &["currency"]),
        put_as(&format!("/v1/orders/{}", "x".repeat(65)), &json!({"currency": "USD"})).names(422, &["order_invalid"]),
        of("/v1/orders/bad/quote", json!({"order": "other", "ask": {}}), 400, "malformed order must be \"bad\""),
        of("/v1/orders/nobody/quote", json!({"ask": {"amount": "1"}}), 404, "order_unknown no order has the id"),
        of(
            "/v1/orders/unpaid/quote",
            json!({"ask": {"everything": true}}),
            422,
            "order_unpaid there is no captured payment",
        ),
        of("/v1/orders/unpaid/quote", json!({"ask": {"amount": "1"}}), 422, "refundable_exceeded has 0.00 left"),
        of("/v1/orders/spent/quote", json!({"ask": {"everything": true}}), 422, "nothing_left everything captured was"),
        of("/v1/orders/spent/quote", json!({"ask": {"amount": "1"}}), 422, "refundable_exceeded has 0.00 left"),
        of("/v1/orders/yen/quote", json!({"ask": {"amount": "1.5"}}), 422, "amount_invalid must be a whole number"),
        of("/v1/orders/import?from=ebay", json!({}), 400, "malformed from must be one of"),
    ]
}

/// Bodies of what a person says about paying back, and of gateways.
fn payouts(world: &World) -> Vec<Row> {
    let of = |path: &str, body: Value, status, text| named(Row::post(text, path, &body), status, text);
    let put = |path: &str, body: Value, status, text: &'static str| {
        named(Row { method: "PUT", ..Row::post(text, path, &body) }, status, text)
    };
    let refund = |more: &str| format!("/v1/refunds/{}/{more}", world.bad.order);
    let (cancel, retry) = (refund("cancel"), refund("retry"));
    let (resolve, eu, card) = (format!("/v1/events/{}/resolve", world.bad.order), "/v1/gateways/eu", "/v1/routes/card");
    let stripe = |more: Value| {
        let mut body = json!({"driver": "stripe"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    vec![
        of(&cancel, json!({}), 404, "refund_unknown no refund has the id"),
        of(&cancel, json!({"resaon": "x"}), 400, "malformed resaon is not known here"),
        of(&cancel, json!({"reason": "x".repeat(501)}), 400, "malformed reason must not be longer than 500"),
        of(&retry, json!({}), 404, "refund_unknown no refund has the id"),
        of(&retry, json!({"too": "same"}), 400, "malformed too is not known here"),
        of(&retry, json!({"to": "inside"}), 400, "malformed to must be \"same\", \"outside\" or"),
        of(&retry, json!({"to": {"payment": 7}}), 400, "malformed to.payment must be a string"),
        of(&retry, json!({"to": {"paymnt": "x"}}), 400, "malformed to.paymnt is not known here"),
        Row::get("a leg of nobody", refund("legs/1")).names(404, &["leg_unknown", "it has no leg \"1\""]),
        of(&resolve, json!({"dismiss": "no"}), 404, "event_unknown no event waits that has the id"),
        of(&resolve, json!({"dismis": "no"}), 400, "malformed dismis is not known here"),
        of(&resolve, json!({"dismiss": ""}), 400, "malformed dismiss must be the reason, in words"),
        of(&resolve, json!({"payment": "x"}), 400, "malformed dismiss must be given, or else order"),
        put(eu, json!({}), 422, "setting_invalid driver: the gateway eu is new, so it needs a driver"),
        put(eu, json!({"driver": "cash"}), 422, "setting_invalid driver: no driver is called cash"),
        put(eu, json!({"drivr": "stripe"}), 400, "malformed drivr is not known here"),
        put(eu, stripe(json!({"secrets": "sk_live_x"})), 400, "malformed secrets must be an object"),
        put(eu, stripe(json!({})), 422, "setting_invalid secrets.secret_key: it is required"),
        put(
            eu,
            stripe(json!({"secrets": {"secret_kee": "sk_live_x"}})),
            422,
            "setting_invalid secrets.secret_kee: this",
        ),
        put(
            eu,
            stripe(json!({"settings": {"acount": "x"}})),
            422,
            "setting_invalid settings.acount: this driver has no",
        ),
        put(
            eu,
            stripe(json!({"settings": {"secret_key": "sk_live_x"}})),
            422,
            "setting_invalid it is a secret: send it",
        ),
        put(eu, stripe(json!({"secrets": {"secret_key": "hush"}})), 422, "setting_invalid it is neither a secret key"),
        put(
            eu,
            stripe(json!({"secrets": {"secret_key": "sk_live_x"}})),
            503,
            "secrets_unavailable REFUNDRY_SECRETS_KEY",
        ),
        put(
            "/v1/gateways/e%20u",
            json!({"driver": "manual"}),
            422,
            "setting_invalid name: a gateway's name is 1 to 64",
        ),
        put("/v1/gateways/manual", json!({"driver": "manual"}), 422, "setting_invalid name: manual is built in"),
        put(card, json!({"gateway": "nobody"}), 422, "setting_invalid gateway: the store has no gateway \"nobody\""),
        put(card, json!({"gatway": "manual"}), 400, "malformed gatway is not known here"),
        put(card, json!({}), 400, "malformed gateway is required"),
        put(card, json!({"gateway": 7}), 400, "malformed gateway must be a string"),
        put("/v1/routes/%20", json!({"gateway": "manual"}), 400, "malformed channel must be a name of 1 to 200"),
    ]
}

fn reading() -> Vec<Row> {
    let mut rows = Vec::new();
    for id in ["nobody", "a%2Fb", "%E6%B3%A8", "%FF", "%2", "a%27%20OR%201=1", &"x".repeat(20_000)] {
        rows.push(Row::get("an odd id", format!("/v1/refunds/{id}")).names(404, &["refund_unknown"]));
        rows.push(Row::get("an odd id", format!("/v1/orders/{id}")).names(404, &["order_unknown"]));
    }
    for path in
        ["/v1", "/v1/", "/v1/nothing", "/v1/orders/", "/v1/orders/a%00b", "/v1/orders//quote", "/v1/refunds/1/legs"]
    {
        rows.push(Row::get("an unknown path", path).names(404, &["path_unknown", "/v1/openapi.json"]));
    }
    let queries = [
        ("/v1/refunds?limit=0", "limit must be a whole number from 1 to 100"),
        ("/v1/refunds?limit=101", "limit must be a whole number from 1 to 100"),
        ("/v1/refunds?limit=ten", "limit must be a whole number from 1 to 100"),
        ("/v1/refunds?limit=", "limit must be a value"),
        ("/v1/refunds?limit=1&limit=2", "limit must be given once"),
        ("/v1/refunds?state=done", "state must be one of pending, succeeded, failed"),
        ("/v1/refunds?sort=amount", "sort must be one of created, updated"),
        ("/v1/refunds?direction=up", "direction must be one of asc, desc"),
        ("/v1/refunds?created_from=yesterday", "created_from must be an RFC 3339 time"),
        ("/v1/refunds?amount_min=1e1", "amount_min must be a decimal string"),
        ("/v1/refunds?order=%00", "order must be a value"),
        ("/v1/refunds?oder=1", "oder is not known here"),
        ("/v1/orders?nummer=1", "nummer is not known here"),
        ("/v1/orders?limit=-1", "limit must be a whole number from 1 to 100"),
        ("/v1/tokens?state=1", "state is not known here"),
        ("/v1/stores?limit=0", "limit must be a whole number from 1 to 100"),
        ("/v1/legs?stage=doubt", "stage must be one of waiting, calling, sent, in_doubt, parked"),
        ("/v1/legs?stages=sent", "stages is not known here"),
        ("/v1/legs?limit=0", "limit must be a whole number from 1 to 100"),
        ("/v1/events?stage=sent", "stage is not known here"),
        ("/v1/gateways?name=eu", "name is not known here"),
        ("/v1/routes?limit=101", "limit must be a whole number from 1 to 100"),
    ];
    rows.extend(queries.map(|(path, text)| Row::get("a bad query", path).names(400, &["malformed", text])));
    for cursor in ["next", "cd_1_2_3", "o_1_2", "cd_x_1", "cd_99999999999999999999_1", "cd_1_-1"] {
        let path = format!("/v1/refunds?cursor={cursor}");
        rows.push(Row::get("a cursor of nobody", path).names(400, &["cursor_unknown", "send a next_cursor"]));
    }
    rows
}

fn headers() -> Vec<Row> {
    let body = json!({"order": "bad", "ask": {"amount": "1.00"}});
    let row = |what: &str, name, value: &str| Row::post(what, "/v1/refunds", &body).header(name, value);
    let before = "the header Refundable-Before must be what the payments have left, as a decimal such as 65.00";
    let key = "between 1 and 255 characters long";
    vec![
        row("before: a word", "refundable-before", "all").names(400, &["malformed", before]),
        row("before: nothing", "refundable-before", "").names(400, &["malformed", before]),
        row("before: odd characters", "refundable-before", "124.00\u{20ac}").names(400, &["malformed", before]),
        row("before: stale", "refundable-before", "123.99")
            .names(409, &["refundable_stale", "the payments have 124.00 left, not 123.99"]),
        row("key: nothing", "idempotency-key", "").names(422, &["setting_invalid", key]),
        row("key: too long", "idempotency-key", &"k".repeat(256)).names(422, &["setting_invalid", key]),
        row("no body", "x-nothing", "").body("").names(400, &["malformed", "the body is not valid JSON"]),
        row("a list", "x-nothing", "").body("[]").names(400, &["malformed", "the body must be an object"]),
        row("null", "x-nothing", "").body("null").names(400, &["malformed", "the body must be an object"]),
        row("nothing in it", "x-nothing", "").body("{}").names(400, &["malformed", "order is required"]),
    ]
}

#[test]
fn bad_input_is_refused_in_its_words() {
    let mut world = World::new();
    let refund = json!({"order": "bad", "ask": {"amount": "1.00"}});
    let mut rows = every_endpoint(&world);
    let to =
        |path: &'static str| move |what, body: Value, status, text| named(Row::post(what, path, &body), status, text);
    rows.extend(fields_of(AMOUNT, &refund, to("/v1/refunds")));
    rows.extend(fields_of(ORDER, &order("new"), to("/v1/orders")));
    rows.extend(others(&world));
    rows.extend(payouts(&world));
    rows.extend(reading());
    rows.extend(headers());
    world.check(&rows);
    world.close();
}

#[test]
fn an_import_says_which_lines_are_bad_and_takes_the_others() {
    let mut world = World::new();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let lines = [
        order("first").to_string(),
        "{".to_owned(),
        String::new(),
        deep,
        "null".to_owned(),
        put(&order("second"), "/lines/0/quantity", json!(0)).to_string(),
        order("third").to_string(),
    ];
    let mut body = lines.join("\n").into_bytes();
    body.extend_from_slice(b"\n{\"id\":\"\xff\"}");
    let answer = Row::new("an import", "POST", "/v1/orders/import").body(body).send(&mut world.client);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.json();
    assert_eq!(report["created"], 2, "{report:#}");
    let lines = report["faults"].as_array().into_iter().flatten().map(|fault| fault["line"].clone());
    assert_eq!(lines.collect::<Value>(), json!([2, 4, 5, 6, 8]), "{report:#}");
    let details = report["faults"].as_array().into_iter().flatten().map(|fault| &fault["detail"]);
    assert!(details.into_iter().all(|detail| detail.as_str().is_some_and(|text| !text.is_empty())), "{report:#}");
    for (name, status) in [("first", 200), ("second", 404), ("third", 200)] {
        assert_eq!(world.client.get(&format!("/v1/orders/{name}")).status, status, "{name}");
    }
    world.close();
}
