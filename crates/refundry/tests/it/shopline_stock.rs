//! SHOPLINE, over the socket: places, what refunds put back there, and what the store says of itself.

use serde_json::{Value, json};

use crate::harness::{Answer, Backend, Client, Place, TOKEN, run, settled, until};

/// An example order: two and three units, of the first two and of the second one shipped; both sold from `SHELF`.
const ORDER: &str = "21057520029298437725452511";
const SLIP: &str = "23059722818662011641045750";
const SHELF: &str = "5409714787218633772";
const BASE: &str = "/admin/openapi/v20260301";

on_both!(
    goods_go_back_only_to_places_that_are_there,
    a_client_counts_its_goods,
    the_store_says_what_it_was_told_to_say,
    channels_are_those_that_something_was_chosen_for,
);

#[track_caller]
fn call(client: &mut Client, method: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json; charset=utf-8")];
    client.send(method, &format!("{BASE}/{path}"), &headers, &body).expect("an answer")
}

#[track_caller]
fn done(client: &mut Client, method: &str, path: &str, body: &Value) -> Value {
    let answer = call(client, method, path, body);
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

#[track_caller]
fn get(client: &mut Client, path: &str) -> Value {
    done(client, "GET", path, &Value::Null)
}

/// Status and text of a refusal.
#[track_caller]
fn refused(client: &mut Client, method: &str, path: &str, body: &Value) -> (u16, String) {
    let answer = call(client, method, path, body);
    (answer.status, answer.json()["errors"].as_str().expect("a text").to_owned())
}

/// One unit of the second line, which waits, back to a place.
fn refund(place: &str, restock: &str) -> Value {
    json!({"order_id": ORDER, "currency": "USD",
        "refund_line_items": [{"line_item_id": 602, "quantity": 1, "type": "Unshipped", "restock_type": restock,
            "location_id": place}],
        "transactions": [{"id": SLIP, "amount": "25.44", "currency": "USD", "type": true}]})
}

/// What there is of the second line's goods: places, as callers see them, and units.
fn levels(client: &mut Client, variant: &str) -> Vec<(String, i64)> {
    let found = get(client, &format!("inventory_levels.json?inventory_item_ids={variant}"));
    let all = found["inventory_levels"].as_array().expect("a list").iter().map(|level| {
        assert_eq!(level["variant_id"], variant, "{level}");
        let place = level["location_id"].as_str().expect("an id").to_owned();
        (place, level["available"].as_i64().expect("a number"))
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

/// The default place, as callers see it.
fn default_place(client: &mut Client) -> String {
    let found = get(client, "locations/list.json");
    let all = found["locations"].as_array().expect("a list");
    let of = |is_default: &str| {
        let found = all.iter().find(|place| place["is_default"] == is_default).expect("a place");
        found["id"].as_str().expect("an id").to_owned()
    };
    assert_eq!((all.len(), of("false").as_str()), (2, SHELF), "{found:#}");
    of("true")
}

/// The platform's id of the goods of the second line.
fn variant() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/orders/shopline/two-lines-discount-added-tax.json");
    let text = std::fs::read_to_string(path).expect("the example");
    let example: Value = serde_json::from_str(&text).expect("JSON");
    example["order"]["line_items"][1]["variant_id"].as_str().expect("an id").to_owned()
}

fn goods_go_back_only_to_places_that_are_there(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let (here, variant) = (default_place(&mut client), variant());
    assert!(here.len() == 19 && here.starts_with('5'), "{here}");
    assert_eq!(get(&mut client, &format!("locations/{here}.json"))["location"]["id"], here.as_str());

    let unknown = (422, "location_id is invalid".to_owned());
    for nowhere in ["5409714787218633773", "moon", "0000000000000000000"] {
        assert_eq!(refused(&mut client, "POST", "order/refund.json", &refund(nowhere, "cancel")), unknown, "{nowhere}");
    }
    assert_eq!(levels(&mut client, &variant), [(here.clone(), 0)], "a refusal moves nothing");
    let listed = get(&mut client, &format!("orders/{ORDER}/refunds.json"));
    assert_eq!(listed["refunds"], json!([]), "and stores nothing");
    assert_eq!(default_place(&mut client), here, "and makes no place");

    // To the place that is named, as the list has it; to the line's own where none is.
    done(&mut client, "POST", "order/refund.json", &refund(&here, "cancel"));
    assert_eq!(levels(&mut client, &variant), [(here.clone(), 1)]);
    done(&mut client, "POST", "order/refund.json", &refund("", "return"));
    let mut expected = [(here.clone(), 1), (SHELF.to_owned(), 1)];
    expected.sort();
    assert_eq!(levels(&mut client, &variant), expected);
    assert_eq!(default_place(&mut client), here, "our own id makes no place");
    settled(&mut client);
    assert_eq!(levels(&mut client, &variant), expected);
    place.assert_clean();
}

fn a_client_counts_its_goods(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let (here, variant) = (default_place(&mut client), variant());
    let listed = get(&mut client, &format!("inventory_levels.json?inventory_item_ids={variant}"));
    let item = listed["inventory_levels"][0]["inventory_item_id"].as_str().expect("an id").to_owned();
    let shelf = |place: &str, key: &str, units: i64| {
        let mut body = json!({"inventory_item_id": item, "location_id": place});
        body[key] = units.into();
        body
    };
    let set = done(&mut client, "POST", "inventory_levels/set.json", &shelf(SHELF, "available", 12));
    let level = &set["inventory_level"];
    assert_eq!((&level["available"], &level["variant_id"]), (&json!(12), &json!(variant)), "{set}");
    assert!(level["updated_at"].is_string(), "{set}");
    let fewer = shelf(SHELF, "available_adjustment", -2);
    let adjusted = done(&mut client, "POST", "inventory_levels/adjust.json", &fewer);
    let level = &adjusted["inventory_level"];
    assert_eq!((&level["available"], &level["location_id"]), (&json!(10), &json!(SHELF)), "{adjusted}");
    assert!(level["update_at"].is_string() && level.get("updated_at").is_none(), "{adjusted}");
    done(&mut client, "POST", "inventory_levels/set.json", &shelf(&here, "available", 5));
    let at = get(&mut client, &format!("inventory_levels.json?inventory_item_ids={item}&location_ids={here},{SHELF}"));
    assert_eq!(at["inventory_levels"].as_array().map(Vec::len), Some(2), "{at}");
    let mut none = shelf(&here, "available", 0);
    none.as_object_mut().expect("an object").remove("available");
    done(&mut client, "POST", "inventory_levels/set.json", &none);
    let mut expected = [(here.clone(), 0), (SHELF.to_owned(), 10)];
    expected.sort();
    assert_eq!(levels(&mut client, &variant), expected);

    let nowhere = shelf("5409714787218633773", "available", 1);
    let path = "inventory_levels/set.json";
    assert_eq!(refused(&mut client, "POST", path, &nowhere), (404, "The location does not exist.".to_owned()));
    let nothing = json!({"inventory_item_id": "9", "location_id": here});
    assert_eq!(refused(&mut client, "POST", path, &nothing), (404, "The inventory item does not exist.".to_owned()));
    let gone = refused(&mut client, "GET", "locations/5409714787218633773.json", &Value::Null);
    assert_eq!(gone, (404, "The location does not exist.".to_owned()));
    place.assert_clean();
}

/// Runs a command beside the server.
fn command(place: &Place, words: &[&str]) -> Result<String, String> {
    let output = run(&[words, &place.args()[..]].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Status of a read for a host.
fn status_for(client: &mut Client, host: &str) -> u16 {
    let bytes =
        format!("GET {BASE}/merchants/shop.json HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    client.raw(bytes.as_bytes()).expect("an answer").status
}

fn the_store_says_what_it_was_told_to_say(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let shop = get(&mut client, "merchants/shop.json")["data"].clone();
    let id = shop["id"].as_i64().expect("a number").to_string();
    assert_eq!((&shop["domain"], &shop["iana_timezone"]), (&json!("demo.myshopline.com"), &json!("UTC")), "{shop:#}");
    assert_eq!((&shop["merchant_id"], &shop["email"]), (&json!(id), &json!("")), "{shop:#}");
    assert_eq!(status_for(&mut client, "demo.myshopline.com"), 200);
    assert_eq!(status_for(&mut client, "open001.myshopline.com"), 401);
    assert_eq!(status_for(&mut client, "Demo.MyShopline.com:443"), 200);
    assert_eq!(status_for(&mut client, "open001.MYSHOPLINE.COM"), 401);

    let store = ["store", "shopline", "--store", "demo"];
    let usual = format!("domain\tdemo.myshopline.com\nmerchant\t{id}\nzone\tUTC\nemail\t\nsignature\thex");
    assert_eq!(command(&place, &store), Ok(usual.clone()));
    let more = ["--domain", "open001.myshopline.com", "--merchant-id", "2000001234", "--zone", "Asia/Shanghai"];
    let more = [&store[..], &more, &["--email", "shop@example.com", "--signature", "base64"]].concat();
    let said = command(&place, &more).expect("it is set");
    assert!(said.ends_with("zone\tAsia/Shanghai\nemail\tshop@example.com\nsignature\tbase64"), "{said}");
    let shop = get(&mut client, "merchants/shop.json")["data"].clone();
    assert_eq!(shop["domain"], "open001.myshopline.com", "{shop:#}");
    assert_eq!((&shop["merchant_id"], &shop["email"]), (&json!("2000001234"), &json!("shop@example.com")), "{shop:#}");
    assert_eq!(shop["iana_timezone"], "Asia/Shanghai", "{shop:#}");
    until("the host name that was chosen leads in", || {
        (status_for(&mut client, "open001.myshopline.com") == 200).then_some(())
    });
    assert_eq!(status_for(&mut client, "open002.myshopline.com"), 401);

    for (flag, value, word) in [
        ("--domain", "a..b", "a domain is a host name"),
        ("--merchant-id", "m1", "1 to 20 digits"),
        ("--zone", "+08:00", "a time zone has a name"),
        ("--email", "nobody", "an e-mail address"),
        ("--signature", "rot13", "neither hex nor base64"),
    ] {
        let error = command(&place, &[&store[..], &[flag, value]].concat()).expect_err("it is refused");
        assert!(error.contains(word), "{flag}: {error}");
    }
    let back = ["--domain", "", "--merchant-id", "", "--zone", "", "--email", "", "--signature", ""];
    assert_eq!(command(&place, &[&store[..], &back].concat()), Ok(usual));
    let currency = get(&mut client, "currency/currencies.json");
    assert_eq!(currency["currencies"][0]["currency"], "USD", "{currency}");
    let settings = get(&mut client, "checkouts/payment_settings.json");
    assert_eq!(settings["payment_settings"][0]["enabled_presentment_currencies"], json!(["USD"]), "{settings}");
}

fn channels_are_those_that_something_was_chosen_for(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    let mut codes = || {
        let found = get(&mut client, "orders/pay_channels.json");
        let all = found["pay_channle_list"].as_array().expect("a list");
        let pair = |channel: &Value| {
            let text = |key: &str| channel[key].as_str().expect("a text").to_owned();
            (text("pay_channel_code"), text("pay_channel_desc"))
        };
        all.iter().map(pair).collect::<Vec<_>>()
    };
    let before = codes();
    let of = |code: &str, gateway: &str| (code.to_owned(), format!("paid back by {gateway}"));
    assert!(!before.contains(&of("paypal", "manual")), "{before:?}");
    command(&place, &["gateway", "route", "PayPal", "manual", "--store", "demo"]).expect("a route");
    command(&place, &["gateway", "route", "*", "simulated", "--store", "demo"]).expect("a route");
    command(&place, &["store", "hold", "COD", "--store", "demo"]).expect("it is held");
    let after = codes();
    assert!(after.contains(&of("paypal", "manual")) && after.contains(&of("cod", "manual")), "{after:?}");
    assert!(after.iter().all(|(code, _)| code != "*"), "{after:?}");
}
