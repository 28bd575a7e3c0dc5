//! Stock, over the socket: what a refund puts back, and what a Shoplazza client reads and changes.

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, TOKEN, put_orders, settled};

const READING: &str = "sk_test_demo_read";

on_both!(a_refund_puts_units_back_where_a_client_sees_them, a_client_counts_its_goods, each_token_has_its_scopes);

#[track_caller]
fn call(client: &mut Client, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [("access-token", token), ("content-type", "application/json")];
    client.send(method, path, &headers, &body).expect("an answer")
}

#[track_caller]
fn done(client: &mut Client, method: &str, path: &str, body: &Value) -> Value {
    let answer = call(client, TOKEN, method, path, body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

#[track_caller]
fn get(client: &mut Client, path: &str) -> Value {
    done(client, "GET", path, &Value::Null)
}

/// The order of the platform's own example: one shirt shipped, one waiting, a mug waiting.
fn example(id: &str, account: &str) -> Value {
    json!({"id": id, "number": id, "currency": "USD", "created_at": "2026-11-02T09:15:00.000Z",
        "lines": [
            {"id": "A", "sku": "SHIRT", "title": "Shirt", "variant_title": "Blue / M", "product_id": "prod_1",
                "variant_id": "var_1", "quantity": 2, "shipped": 1, "unit_price": "20.00"},
            {"id": "B", "sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": "30.00"}],
        "shipping": [{"net": "10.00"}], "tip": {"net": "5.00"},
        "additional": [{"name": "Gift Wrapping", "net": "5.00"}],
        "payments": [{"id": "P", "channel": "card", "method": "credit_card", "kind": "online",
            "gateway": "simulated", "account": account, "captured": "90.00"}]})
}

/// The first worked example: a shirt back and its wrapping.
fn refund() -> Value {
    json!({"refund": {"refund_total": "25.00", "refund_product_total": "20.00", "refund_additional_total": "5.00",
        "refund_additional_prices": [{"name": "Gift Wrapping", "price": "5.00"}],
        "refund_line_items": [
            {"line_item_id": "A", "quantity": 1, "refund_item_type": 0, "return_inventory": true}]}})
}

/// The inventory item of a variant.
fn item(client: &mut Client, variant: &str) -> String {
    let found = get(client, &format!("/openapi/2025-06/inventory_items/variant?variant_ids={variant}"));
    let pairs = &found["data"]["variant_inventory_items"];
    assert_eq!(pairs[0]["variant_id"], variant, "{found}");
    pairs[0]["inventory_item_id"].as_str().expect("an id").to_owned()
}

fn default_location(client: &mut Client) -> String {
    let found = get(client, "/openapi/2022-01/locations/default");
    assert_eq!(found["location"]["default"], true, "{found}");
    found["location"]["id"].as_str().expect("an id").to_owned()
}

fn stock(client: &mut Client, variant: &str) -> [i64; 2] {
    let item = item(client, variant);
    let place = default_location(client);
    let path = format!("/openapi/2022-01/inventory_levels?inventory_item_ids={item}&location_ids={place}");
    let levels = get(client, &path);
    assert_eq!(levels["inventory_levels"].as_array().map(Vec::len), Some(1), "{levels}");
    let level = &levels["inventory_levels"][0];
    assert_eq!((&level["inventory_item_id"], &level["location_id"]), (&json!(item), &json!(place)));
    let variant = get(client, &format!("/openapi/2026-01/variants/{variant}"));
    let quantity = &variant["data"]["variant"]["inventory_quantity"];
    [level["stock"].as_i64().expect("a number"), quantity.as_i64().expect("a number")]
}

fn a_refund_puts_units_back_where_a_client_sees_them(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    put_orders(&mut client, &[example("worked-1", "Dana Holt"), example("worked-2", "RefundFail")]);
    assert_eq!(stock(&mut client, "var_1"), [0, 0]);

    let made = done(&mut client, "POST", "/openapi/2025-06/orders/worked-1/refund", &refund());
    assert_eq!(made["code"], "success");
    assert_eq!(stock(&mut client, "var_1"), [1, 1]);
    assert_eq!(stock(&mut client, "MUG"), [0, 0], "a mug without an id of its own is known by its name in stock");

    // Nothing waits any more, so this is refused, and moves nothing.
    let both = json!({"refund": {"refund_total": "20.00", "refund_line_items": [
        {"line_item_id": "A", "quantity": 1, "refund_item_type": 1, "return_inventory": true},
        {"line_item_id": "A", "quantity": 1, "refund_item_type": 2, "return_inventory": true}]}});
    let refused = call(&mut client, TOKEN, "POST", "/openapi/2025-06/orders/worked-1/refund", &both);
    assert_eq!(refused.status, 400, "{}", refused.text());
    // Everything that is left goes without its units.
    done(&mut client, "POST", "/openapi/2022-01/orders/worked-1/refund", &Value::Null);
    settled(&mut client);
    assert_eq!(stock(&mut client, "var_1"), [1, 1]);

    // One whose money does not go back puts its unit back, and takes it again.
    done(&mut client, "POST", "/openapi/2025-06/orders/worked-2/refund", &refund());
    settled(&mut client);
    assert_eq!(stock(&mut client, "var_1"), [1, 1]);
    place.assert_clean();
}

fn a_client_counts_its_goods(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    put_orders(&mut client, &[example("counted", "Dana Holt")]);
    let (shirt, here) = (item(&mut client, "var_1"), default_location(&mut client));
    let shelf = |key: &str, units: i64| {
        let mut body = json!({"inventory_item_id": shirt, "location_id": here});
        body[key] = units.into();
        body
    };
    let set = json!({"variant": {"inventory_quantity": 10}});
    let variant = done(&mut client, "PUT", "/openapi/2022-01/variants/var_1", &set);
    assert_eq!(variant["variant"]["inventory_quantity"], 10);
    assert_eq!((&variant["variant"]["price"], &variant["variant"]["title"]), (&json!("20.00"), &json!("Blue / M")));
    let more = shelf("stock_adjustment", 5);
    let level = done(&mut client, "PUT", "/openapi/2026-07/inventory_levels", &more);
    assert_eq!((&level["code"], &level["data"]["inventory_level"]["stock"]), (&json!("Success"), &json!(15)));
    let level = done(&mut client, "POST", "/openapi/2022-01/inventory_levels/set", &shelf("stock", 4));
    assert_eq!(level["inventory_level"]["stock"], 19);
    let level = done(&mut client, "POST", "/openapi/2022-01/inventory_levels", &shelf("ignored", 0));
    assert_eq!(level["inventory_level"]["stock"], 19, "it was there already");
    let refused = call(&mut client, TOKEN, "PUT", "/openapi/2022-01/inventory_levels", &shelf("stock_adjustment", 0));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(stock(&mut client, "var_1"), [19, 19]);
    let found = get(&mut client, &format!("/openapi/2022-01/locations/{here}/inventory_levels"));
    let levels = found["inventory_levels"].as_array().expect("a list");
    let of_shirt = levels.iter().find(|level| level["inventory_item_id"] == shirt).expect("it is there");
    assert_eq!(of_shirt["stock"], 19, "among {} others", levels.len());
    let off = format!("/openapi/2025-06/inventory_levels?inventory_item_id={shirt}&location_id={here}");
    assert_eq!(done(&mut client, "DELETE", &off, &Value::Null)["data"], json!({}));
    assert_eq!(stock(&mut client, "var_1"), [0, 0]);
    place.assert_clean();
}

fn each_token_has_its_scopes(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let admin = client.post("/v1/tokens", &json!({"label": "desk", "scopes": ["admin"]})).json();
    let desk = admin["secret"].as_str().expect("a secret").to_owned();
    for token in [TOKEN, READING, &desk] {
        let shop = call(&mut client, token, "GET", "/openapi/2022-01/shop?fields=name", &Value::Null);
        assert_eq!((shop.status, &shop.json()["shop"]["name"]), (200, &json!("Demo store")), "{token}");
    }
    let modern = get(&mut client, "/openapi/2026-01/shop");
    assert_eq!(
        (&modern["data"]["currency"], &modern["data"]["domain"]),
        (&json!("USD"), &json!("demo.myshoplaza.com"))
    );
    let unknown = call(&mut client, "sk_test_nobody", "GET", "/openapi/2026-01/shop", &Value::Null);
    assert_eq!(unknown.status, 401, "{}", unknown.text());
    client
        .send("DELETE", &format!("/v1/tokens/{}", admin["id"].as_str().expect("an id")), &bearer(), b"")
        .expect("gone");
    assert_eq!(call(&mut client, &desk, "GET", "/openapi/2022-01/shop", &Value::Null).status, 401);

    let count = json!({"variant": {"inventory_quantity": 1}});
    let forbidden = call(&mut client, READING, "PUT", "/openapi/2022-01/variants/MUG-STONE", &count);
    assert_eq!(forbidden.json(), json!({"error": "The token lacks the write_product scope."}));
    assert_eq!(call(&mut client, READING, "GET", "/openapi/2022-01/variants/MUG-STONE", &Value::Null).status, 200);
}

fn bearer() -> [(&'static str, &'static str); 1] {
    [("authorization", "Bearer sk_test_demo")]
}
