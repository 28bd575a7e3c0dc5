//! A shop's day through Shoplazza's API, once in the older generation and once in the newer one: orders are made, paid,
//! shipped, refunded in every way, listed, called off; and whoever subscribed hears of all of it, in order.
//!
//! Every answer has just the documented keys.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ear::Ear;
use crate::harness::{Backend, Client, Place, Process, TOKEN, run, settled, until};
use crate::shoplazza_keys::check;

on_both!(a_day_in_older_versions, a_day_in_newer_versions);

const TOPICS: [&str; 10] = [
    "orders/create",
    "orders/paid",
    "orders/update",
    "orders/partially_fulfilled",
    "orders/fulfilled",
    "orders/partially_refunded",
    "orders/refunded",
    "orders/cancelled",
    "orders/delete",
    "fulfillments/create",
];

/// A shop in one version of the API.
struct Shop {
    version: &'static str,
    place: Place,
    server: Process,
    client: Client,
    ear: Ear,
}

impl Shop {
    fn open(on: Backend, version: &'static str) -> Self {
        let place = Place::new(on);
        let server = place.serve(&[]);
        let held = run(&[&["store", "hold", "bank", "--store", "demo"][..], &place.args()].concat());
        assert!(held.status.success(), "{held:?}");
        let client = server.client();
        let mut shop = Self { version, place, server, client, ear: Ear::new(|_| Some(200)) };
        for topic in TOPICS {
            let hook = json!({"address": shop.ear.url("hooks"), "topic": topic});
            let body = if shop.is_modern() { json!({ "webhook": hook }) } else { hook };
            shop.done("POST", "/webhooks", &body);
        }
        shop
    }

    fn is_modern(&self) -> bool {
        self.version >= "2024"
    }

    /// A call of this version: its status, and what it answers.
    #[track_caller]
    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.call_in(self.version, method, path, body)
    }

    #[track_caller]
    fn call_in(&mut self, version: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("access-token", TOKEN), ("content-type", "application/json")];
        let base = if version.is_empty() { "/openapi".to_owned() } else { format!("/openapi/{version}") };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = self.client.send(method, &format!("{base}{path}"), &headers, &bytes).expect("an answer");
        assert!(answer.header("request-id").is_some(), "{method} {path}");
        let said = answer.json();
        check(version, method, path.split('?').next().unwrap_or(path), answer.status, &said);
        (answer.status, said)
    }

    /// What is granted, without its envelope.
    #[track_caller]
    fn done(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let (status, said) = self.call(method, path, body);
        assert_eq!(status, 200, "{method} {path}: {said:#}");
        if self.is_modern() { said["data"].clone() } else { said }
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Value {
        self.done("GET", path, &Value::Null)
    }

    #[track_caller]
    fn order(&mut self, id: &str) -> Value {
        settled(&mut self.client);
        self.get(&format!("/orders/{id}"))["order"].clone()
    }

    /// Makes an order: two cups at 20.00, a pot at 30.00, shipping 10.00. Gives its id.
    #[track_caller]
    fn make(&mut self) -> Value {
        self.make_paid_by(None)
    }

    #[track_caller]
    fn make_paid_by(&mut self, payment_line: Option<&str>) -> Value {
        let address = json!({"first_name": "Ada", "last_name": "Example", "email": "ada@example.com",
            "country": "United States", "country_code": "US", "province": "Kentucky", "province_code": "US-KY",
            "city": "Lexington", "address": "1 Main Street", "zip": "40507", "phone": "5550100"});
        let line = |variant: &str, quantity: u32, price: &str| {
            let product = format!("p-{variant}");
            json!({"variant_id": variant, "product_id": product, "quantity": quantity, "price": price})
        };
        let lines = json!([line("cup", 2, "20.00"), line("pot", 1, "30.00")]);
        let mut order = json!({"tax_total": "0.00", "currency_code": "USD", "line_items": lines, "note": "ring twice",
            "shipping_address": address, "tags": ["gift"]});
        if let Some(name) = payment_line {
            order["payment_line"] = name.into();
        }
        let body = if self.is_modern() {
            order["shipping_line"] = json!({"shipping_name": "Standard", "shipping_price": "10.00"});
            json!({ "order": order })
        } else {
            order["discount"] = "0.00".into();
            order["shipping_line"] = json!({"name": "Standard", "shipping_price": "10.00"});
            order
        };
        let made = self.done("POST", "/orders", &body)["order"].clone();
        assert_eq!((&made["status"], &made["financial_status"]), (&json!("opened"), &json!("waiting")));
        assert_eq!((&made["total_price"], &made["total_paid"]), (&json!("80.00"), &json!("0.00")));
        made
    }

    /// Units of a variant in stock, wherever they are.
    #[track_caller]
    fn stock(&mut self, variant: &str) -> i64 {
        let variant = self.get(&format!("/variants/{variant}"));
        let variant = if variant["variant"].is_object() { variant["variant"].clone() } else { variant };
        variant["inventory_quantity"].as_i64().unwrap_or_else(|| panic!("{variant:#}"))
    }

    /// Each filter finds the order, or does not.
    #[track_caller]
    fn find(&mut self, list: &str, id_key: &str, id: &str, filters: &[(&str, bool)]) {
        for (filter, finds) in filters {
            let said = self.get(&format!("{list}?{filter}"));
            let listed = said.as_object().expect("an object").values().find_map(Value::as_array).expect("a list");
            let found = listed.iter().any(|entry| entry[id_key] == id);
            assert_eq!(found, *finds, "{list}?{filter}: {said:#}");
        }
    }

    /// Topics that were told of an order, in their order, once there are so many.
    fn told(&mut self, order: &str, count: usize) -> Vec<String> {
        until("all of it to be told", || {
            self.client.get("/healthz");
            (self.of(order).len() >= count).then_some(())
        });
        let told = self.of(order);
        for posted in &told {
            posted.assert_signed("webhook_secret_demo");
            let body = serde_json::from_slice(&posted.body).expect("JSON");
            let tree = refundry_dialects::shoplazza::keys();
            let topic = if posted.topic().starts_with("orders/") { "orders/*" } else { "fulfillments/*" };
            let tree = tree.tree(topic, "", "2026-01", refundry_dialects::keys::Kind::Delivery).expect("it is listed");
            let mut faults = Vec::new();
            tree.check(&body, "", &mut |fault| faults.push(fault));
            assert!(faults.is_empty(), "{}: {faults:?}", posted.topic());
        }
        told.iter().map(|posted| posted.topic().to_owned()).collect()
    }

    fn of(&self, order: &str) -> Vec<crate::ear::Posted> {
        let is_of = |posted: &crate::ear::Posted| {
            let body: Value = serde_json::from_slice(&posted.body).expect("JSON");
            body["order"]["id"] == order || body["fulfillment"]["order_id"] == order
        };
        let mut of_order: Vec<_> = self.ear.heard().into_iter().filter(is_of).collect();
        // Subscriptions are served side by side; each event's id grows with time.
        of_order.sort_by(|a, b| a.id().cmp(b.id()));
        of_order
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Pays an order over a real channel, and ships the first of its cups.
#[track_caller]
fn pay_and_ship(shop: &mut Shop, id: &str) -> Value {
    let line =
        json!({"payment_channel": "stripe", "payment_method": "credit_card", "transaction_no": format!("pi_{id}")});
    let paid = shop.done("POST", &format!("/orders/{id}/payment/success"), &json!({ "payment_line": line }));
    let order = &paid["order"];
    assert_eq!((&order["status"], &order["financial_status"]), (&json!("placed"), &json!("paid")));
    assert_eq!(order["total_paid"], order["total_price"]);
    let cup = order["line_items"][0]["id"].clone();
    let body =
        json!({"tracking_number": "T-1", "tracking_company": "DHL", "line_items": [{"id": cup, "ship_quantity": 1}]});
    let body = if shop.is_modern() { json!({ "fulfillment": body }) } else { body };
    let parcel = shop.done("POST", &format!("/orders/{id}/fulfillments"), &body)["fulfillment"].clone();
    assert_eq!((&parcel["status"], &parcel["tracking_number"]), (&json!("shipped"), &json!("T-1")));
    let order = shop.order(id);
    assert_eq!(order["fulfillment_status"], "partially_shipped");
    assert_eq!(order["fulfillments"][0]["id"], parcel["id"]);
    assert_eq!(shop.get(&format!("/orders/{id}/fulfillments/count"))["count"], 1);
    order
}

/// Records a refund in the newer way: its answer.
#[track_caller]
fn record(shop: &mut Shop, id: &str, refund: &Value) -> Value {
    let (status, said) = shop.call_in("2026-01", "POST", &format!("/orders/{id}/refund"), &json!({ "refund": refund }));
    assert_eq!(status, 200, "{said:#}");
    settled(&mut shop.client);
    said["data"].clone()
}

/// A refund over a channel that the shop holds waits until somebody says that it is done.
#[track_caller]
fn finish_a_pending_record(shop: &mut Shop) {
    let id = text(&shop.make()["id"]);
    shop.done("POST", &format!("/orders/{id}/payment/success"), &json!({"gateway": "bank"}));
    let body = json!({"refund": {"refund_total": "10.00", "refund_shipping_total": "10.00"}});
    let (status, said) = shop.call_in("2026-01", "POST", &format!("/orders/{id}/refund"), &body);
    assert_eq!(status, 200, "{said:#}");
    let made = said["data"].clone();
    let order = shop.get(&format!("/orders/{id}"))["order"].clone();
    assert_eq!((&order["financial_status"], &order["total_refund_price"]), (&json!("refunding"), &json!("0.00")));
    shop.find(
        "/orders/refund_records",
        "order_id",
        &id,
        &[("refund_status=pending", true), ("refund_status=finished", false)],
    );
    let cases = if shop.is_modern() { "/orders/post_sales" } else { "/orders/after_sales_list" };
    let case = text(&made["post_sale_id"]);
    shop.find(
        cases,
        "id",
        &case,
        &[("status=pending", true), ("status=finished", false), ("created_at_start=2020-01-01", true)],
    );
    let finish = json!({"post_sale_id": case, "refund_record_id": made["refund_record_id"],
        "transaction_number": "B-7", "extra_info": {"pos": "till 3"}});
    let path = format!("/orders/{id}/refund/finish");
    for _ in 0..2 {
        let (status, said) = shop.call_in("2026-01", "POST", &path, &finish);
        assert_eq!(status, 200, "{said:#}");
        assert_eq!(said["data"]["refund_record"]["refund_status"], "finished");
        assert_eq!(said["data"]["refund_record"]["extra_info"]["pos"], "till 3");
    }
    let order = shop.order(&id);
    assert_eq!(
        (&order["financial_status"], &order["total_refund_price"]),
        (&json!("partially_refunded"), &json!("10.00"))
    );
    let (status, _) = shop.call("DELETE", &format!("/orders/post_sales/{case}"), &Value::Null);
    assert_eq!(status, if shop.is_modern() { 400 } else { 406 }, "a finished case stays");

    // One that waits can go, and its money is free again.
    for _ in 0..2 {
        let body = json!({"refund": {"refund_total": "70.00"}});
        let (status, said) = shop.call_in("2026-01", "POST", &format!("/orders/{id}/refund"), &body);
        assert_eq!(status, 200, "{said:#}");
        let case = text(&said["data"]["post_sale_id"]);
        assert_eq!(shop.done("DELETE", &format!("/orders/post_sales/{case}"), &Value::Null), json!({}));
        shop.find(cases, "id", &case, &[("status=pending", false), ("status=finished", false)]);
    }
}

/// An order that is paid when it is handed over counts as paid once somebody says so.
#[track_caller]
fn take_cash(shop: &mut Shop) {
    let id = text(&shop.make_paid_by(Some("COD"))["id"]);
    let capture = json!({"transaction": {"order_id": id, "kind": "capture", "payment_channel": "cod"}});
    let told = shop.done("POST", &format!("/orders/{id}/transactions"), &capture);
    assert_eq!(
        (&told["transaction"]["status"], &told["transaction"]["amount"]),
        (&json!("success"), &json!("80.0000"))
    );
    assert_eq!(shop.order(&id)["financial_status"], "paid");
}

/// An order that nobody pays is called off, put away and deleted.
#[track_caller]
fn call_one_off(shop: &mut Shop) {
    let id = text(&shop.make()["id"]);
    let off = shop.done("POST", &format!("/orders/{id}/cancel"), &json!({"reason": "changed their mind"}));
    assert_eq!(
        (&off["order"]["status"], &off["order"]["cancel_reason"]),
        (&json!("cancelled"), &json!("changed their mind"))
    );
    shop.find("/orders", "id", &id, &[("status=cancelled", true), ("status=opened,placed,finished", false)]);
    if !shop.is_modern() {
        shop.done("POST", &format!("/orders/{id}/close"), &Value::Null);
        shop.done("POST", &format!("/orders/{id}/open"), &Value::Null);
    }
    assert_eq!(shop.done("DELETE", &format!("/orders/{id}"), &Value::Null), json!({}));
    assert_eq!(shop.call("GET", &format!("/orders/{id}"), &Value::Null).0, 404);
    shop.find("/orders", "id", &id, &[("status=cancelled", false)]);
    let updates = if shop.is_modern() { 1 } else { 3 };
    let told = shop.told(&id, 3 + updates);
    let mut expected = vec!["orders/create", "orders/cancelled"];
    expected.resize(2 + updates, "orders/update");
    expected.push("orders/delete");
    assert_eq!(told, expected);
}

/// What every list filters by, in both generations.
#[track_caller]
fn list_by_every_filter(shop: &mut Shop, id: &str, number: &str) {
    let ids = format!("ids={id}");
    let later = ["created", "updated", "placed"].map(|time| (format!("{time}_at_min=2099-01-01"), false));
    let since = ["created", "updated", "placed"]
        .map(|time| (format!("{time}_at_min=2020-01-01&{time}_at_max=2098-01-01"), true));
    let mut filters: Vec<(&str, bool)> = vec![
        (&ids, true),
        ("ids=nobody", false),
        ("status=placed", true),
        ("status=opened", false),
        ("financial_status=partially_refunded", true),
        ("financial_status=paid", false),
        ("fulfillment_status=shipped", false),
        ("recovery_status=waiting", true),
        ("recovery_status=success", false),
        ("location_id=nowhere", false),
    ];
    filters.extend(later.iter().chain(&since).map(|(filter, finds)| (filter.as_str(), *finds)));
    let keyword = format!("keyword={number}&keyword_scope_fields=number");
    if shop.is_modern() {
        filters.extend([
            ("customer_emails=ada@example.com", true),
            ("shipping_emails=ADA@example.com", true),
            ("shipping_emails=bob@example.com", false),
            ("shipping_phones=555-0100", true),
            ("product_ids=p-cup&product_ids=p-none", true),
            ("order_tags=gift", true),
            ("order_tags=rush", false),
            ("skus=none", false),
            ("spus=none", false),
            ("browser_ips=192.0.2.1", false),
            ("sales_platform=none", false),
            ("customer_id=none", false),
            ("total_min=80.00&total_max=85.00", true),
            ("total_min=85.01", false),
            (keyword.as_str(), true),
            ("fuzzy_fields=email&fuzzy_keywords=ada", true),
            ("fuzzy_fields=email&fuzzy_keywords=ada&fuzzy_keywords=zed&fuzzy_relation=and", false),
            ("finished_at_min=2020-01-01", false),
            ("fulfilled_at_min=2020-01-01", false),
            ("sort_by=updated_at&sort_direction=asc&page_size=250", true),
        ]);
    } else {
        filters.extend([("limit=250&page=1", true), ("limit=250&page=2", false)]);
    }
    shop.find("/orders", "id", id, &filters);
    for (filter, finds) in filters.into_iter().filter(|(filter, _)| !filter.contains("page")) {
        let query = if filter.starts_with("ids=") { filter.to_owned() } else { format!("{ids}&{filter}") };
        let count = shop.get(&format!("/orders/count?{query}"))["count"].clone();
        assert_eq!(count, i32::from(finds), "{filter}");
    }
    let size = if shop.is_modern() { "page_size=100" } else { "per_page=100" };
    let orders = format!("order_ids={id}&{size}");
    shop.find(
        "/orders/refund_records",
        "order_id",
        id,
        &[
            (&orders, true),
            ("order_ids=nobody", false),
            ("refund_status=finished", true),
            ("refund_status=failed", false),
            ("created_at_start=2020-01-01&created_at_end=2098-01-01", true),
            ("updated_at_start=2099-01-01", false),
            ("sort_by=updated_at&sort_direction=asc", true),
            ("page=1", true),
        ],
    );
}

fn a_day_in_newer_versions(on: Backend) {
    for version in ["2025-06", "2026-07"] {
        let mut shop = Shop::open(on, version);
        let made = shop.make();
        let (id, number) = (text(&made["id"]), text(&made["number"]));
        let fee = json!({"name": "Gift Wrapping", "price": "5.00", "fee_title": "Wrap"});
        let wrapped = shop.done("PUT", &format!("/orders/{id}"), &json!({"order": {"additional_prices": [fee]}}));
        assert_eq!(wrapped["order"]["total_price"], "85.00");
        let order = pay_and_ship(&mut shop, &id);
        assert_eq!(shop.get(&format!("/orders/number/{number}"))["order"], order);
        let (cup, pot) = (&order["line_items"][0]["id"], &order["line_items"][1]["id"]);
        let unit = |line: &Value, kind: Value, back: bool| {
            let (line, quantity) = (line.clone(), 1);
            json!({"line_item_id": line, "quantity": quantity, "refund_item_type": kind, "return_inventory": back})
        };
        // The cup that waits goes back on its shelf, the one that was shipped does not come back.
        let before = shop.stock("cup");
        record(&mut shop, &id, &json!({"refund_total": "20.00", "refund_line_items": [unit(cup, json!(2), true)]}));
        record(
            &mut shop,
            &id,
            &json!({"refund_total": "20.00", "refund_line_items": [unit(cup, json!("shipped"), false)]}),
        );
        assert_eq!(shop.stock("cup"), before + 1);
        let twice = [unit(pot, json!(0), false), unit(pot, json!(2), false)];
        let mixed = json!({"refund_total": "30.00", "refund_line_items": twice});
        let (status, said) = shop.call("POST", &format!("/orders/{id}/refund"), &json!({ "refund": mixed }));
        assert_eq!((status, &said["code"]), (400, &json!("InvalidParameter")));
        let fees = json!({"refund_total": "15.00", "refund_shipping_total": "10.00", "refund_additional_total": "5.00",
            "refund_additional_prices": [{"name": "Gift Wrapping", "price": "5.00"}]});
        record(&mut shop, &id, &fees);
        finish_a_pending_record(&mut shop);
        list_by_every_filter(&mut shop, &id, &number);
        let count = shop.get(&format!("/orders/refund_records/count?order_ids={id}"))["count"].clone();
        assert_eq!(count, 3);

        record(&mut shop, &id, &json!({"refund_total": "30.00"}));
        let order = shop.order(&id);
        assert_eq!((&order["financial_status"], &order["status"]), (&json!("refunded"), &json!("placed")));
        assert_eq!(order["total_refund_price"], "85.00");
        let again = json!({"refund": {"refund_total": "0.01"}});
        let (status, said) = shop.call("POST", &format!("/orders/{id}/refund"), &again);
        assert_eq!((status, &said["code"]), (400, &json!("InvalidParameter")));
        let refunds = shop.get(&format!("/orders/{id}/refund"));
        assert_eq!(refunds["records"].as_array().map(Vec::len), Some(4));
        finish_the_day(&mut shop, &id, &["20.00", "40.00", "55.00", "85.00"]);
    }
}

fn a_day_in_older_versions(on: Backend) {
    for version in ["", "2022-01"] {
        let mut shop = Shop::open(on, version);
        let made = shop.make();
        let (id, number) = (text(&made["id"]), text(&made["number"]));
        let order = pay_and_ship(&mut shop, &id);
        assert_eq!(shop.get(&format!("/orders/number/{number}"))["order"], order);
        let cup = order["line_items"][0]["id"].clone();
        let path = format!("/orders/{id}/partial_refund");
        // First the cup that waits, then the one that was shipped.
        for (taken, left) in [("1", true), ("0", false)] {
            let body = json!({"is_return": false, "line_items": [{"id": cup, "quantity": 1}]});
            let part = shop.done("POST", &path, &body);
            let record = &part["refund"]["refund_line_items"][0];
            assert_eq!((&part["refund"]["refund_price"], &record["delete_quantity"]), (&json!("20.00"), &json!(taken)));
            assert_eq!((&part["status"], &part["all_refunded"]), (&json!("finished"), &json!(false)), "{left}");
        }
        let mixed = json!({"is_return": false, "price": "5.00", "line_items": [{"id": cup, "quantity": 1}]});
        assert_eq!(shop.call("POST", &path, &mixed).0, 422);
        // Shipping, as an amount: from then on units go no longer by themselves.
        let part = shop.done("POST", &path, &json!({"is_return": false, "price": "10.00"}));
        assert_eq!(part["order"]["refund_status"], "customize");
        let units = json!({"is_return": false, "line_items": [{"id": order["line_items"][1]["id"], "quantity": 1}]});
        assert_eq!(shop.call("POST", &path, &units).0, 422);
        finish_a_pending_record(&mut shop);
        list_by_every_filter(&mut shop, &id, &number);

        let full = shop.done("POST", &format!("/orders/{id}/refund"), &Value::Null);
        assert_eq!((&full["number"], &full["all_refunded"]), (&json!(format!("{number}-S4")), &json!(true)));
        assert_eq!(
            (&full["refund"]["refund_price"], &full["order"]["financial_status"]),
            (&json!("30.00"), &json!("refunded"))
        );
        let (status, said) = shop.call("POST", &format!("/orders/{id}/refund"), &Value::Null);
        assert_eq!((status, said), (406, json!({"errors": ["After-sales is not included in current order."]})));
        let refunds = shop.get(&format!("/orders/{id}/refund"));
        assert_eq!((&refunds["all_refunded"], &refunds["refund_total"]), (&json!(true), &json!("80.00")));
        finish_the_day(&mut shop, &id, &["20.00", "40.00", "50.00", "80.00"]);
    }
}

/// The rest of the day, and what was told of the order that was refunded, by what had arrived back each time.
#[track_caller]
fn finish_the_day(shop: &mut Shop, id: &str, arrived: &[&str]) {
    let transactions = shop.get(&format!("/orders/{id}/transactions"));
    assert_eq!(transactions["transactions"][0]["status"], "refunded");
    call_one_off(shop);
    if !shop.is_modern() {
        take_cash(shop);
    }
    let made = ["orders/create", "orders/paid", "orders/partially_fulfilled", "fulfillments/create"];
    let refunded = arrived.len();
    // Each refund is an update when it is accepted, and another one when its money arrives.
    let wrapped = usize::from(shop.is_modern());
    // A full refund takes the units that wait, so that all that is left to ship is shipped.
    let fulfilled = usize::from(!shop.is_modern());
    let topics = shop.told(id, made.len() + wrapped + 2 + 3 * refunded + fulfilled);
    let counted = topics.iter().fold(BTreeMap::<&str, usize>::new(), |mut counted, topic| {
        *counted.entry(topic).or_default() += 1;
        counted
    });
    let mut expected: BTreeMap<&str, usize> = made.into_iter().map(|topic| (topic, 1)).collect();
    expected.extend([
        ("orders/update", wrapped + 2 + 2 * refunded),
        ("orders/partially_refunded", refunded - 1),
        ("orders/refunded", 1),
    ]);
    if fulfilled > 0 {
        expected.insert("orders/fulfilled", fulfilled);
    }
    assert_eq!(counted, expected);
    let totals: Vec<String> = shop
        .of(id)
        .iter()
        .filter(|posted| posted.topic().ends_with("refunded"))
        .map(|posted| text(&posted.order()["total_refund_price"]))
        .collect();
    assert_eq!(totals, arrived, "a receiver reckons each refund by how much more arrived");
    assert_eq!(shop.server.client().get("/healthz").status, 200);
    shop.place.assert_clean();
}
