//! A typed client of SHOPLINE's API, written from its public documents alone: it shares no type, no list of keys and no
//! helper with the server, and takes nothing that the documents do not have.
//!
//! It sends like the clients that the vendor generates, and is as strict with answers as the strictest of them: any
//! status but 200 is an error, a number is no text, a long has no point, and a key that nobody knows is a fault. Where
//! an answer does not decode it panics, with what was asked, in which version, and why.

#![expect(clippy::struct_field_names, reason = "fields are named as the keys of the wire")]

mod calls;
mod hooks;
mod live;
mod live_orders;
mod orders;
mod parcels;
mod payments;
mod refunds;
mod returns;
mod samples;
mod sending;
mod stock;
mod tests;
mod wire;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{self, Answer};
pub(crate) use hooks::{Delivery, Told, Topic, Webhook};
pub(crate) use orders::{FinancialStatus, MadeOrder, Order, OrderStatus};
pub(crate) use parcels::Fulfillment;
pub(crate) use payments::{OrderPayment, PayChannel, PaymentSettings, Slip, Transaction};
pub(crate) use refunds::{AdjustmentKind, MadeRefund, Refund, RefundStatus, RestockType, Trial, UnitType};
pub(crate) use returns::Return;
pub(crate) use stock::{AdjustedLevel, Level, Location, LocationWithDistrict, Shop, ShopCurrency};
use wire::{Asked, Check, Count, Nothing, decode};

/// What was answered instead of a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) errors: String,
}

impl ApiError {
    /// An error to compare with.
    pub(crate) fn new(status: u16, errors: &str) -> Self {
        Self { status, errors: errors.to_owned() }
    }
}

/// What a call comes to.
pub(crate) type Answered<T> = Result<T, ApiError>;

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<T>,
    /// The address of the next page, for [`Client::follow`]; `None` on the last.
    pub(crate) next: Option<String>,
    /// The address of the page before.
    pub(crate) previous: Option<String>,
}

/// An entry of a list that has pages.
pub(crate) trait Listed: for<'de> Deserialize<'de> + Check {
    /// The key that the list stands under.
    const KEY: &'static str;
}

impl Listed for Refund {
    const KEY: &'static str = "refunds";
}

impl Listed for Order {
    const KEY: &'static str = "orders";
}

impl Listed for Webhook {
    const KEY: &'static str = "webhooks";
}

/// The two ways to a parcel that is there, with its ids in the order of the template, or the other way round as some
/// clients have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `orders/{}/fulfillments/{}/…`
    Orders,
    /// The same, with the parcel's id first.
    OrdersSwapped,
    /// `fulfillments/{}/{}/…`, with the parcel's id first.
    Fulfillments,
    /// The same, with the order's id first.
    FulfillmentsSwapped,
}

impl Way {
    pub(crate) const ALL: [Self; 4] =
        [Self::Orders, Self::OrdersSwapped, Self::Fulfillments, Self::FulfillmentsSwapped];

    fn path(self, order: &str, parcel: &str, verb: &str) -> String {
        match self {
            Self::Orders => format!("/orders/{order}/fulfillments/{parcel}/{verb}.json"),
            Self::OrdersSwapped => format!("/orders/{parcel}/fulfillments/{order}/{verb}.json"),
            Self::Fulfillments => format!("/fulfillments/{parcel}/{order}/{verb}.json"),
            Self::FulfillmentsSwapped => format!("/fulfillments/{order}/{parcel}/{verb}.json"),
        }
    }
}

/// A client of one version with one token.
pub(crate) struct Client {
    connection: harness::Client,
    base_url: String,
    version: String,
    token: String,
    asked: Asked,
}

/// A call: how, where below the version, with what query and what body.
struct Sent<'a> {
    method: &'static str,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Option<Value>,
}

const fn get(path: &str) -> Sent<'_> {
    Sent { method: "GET", path, query: &[], body: None }
}

const fn post(path: &str, body: Value) -> Sent<'_> {
    Sent { method: "POST", path, query: &[], body: Some(body) }
}

impl Client {
    /// A client of `http://127.0.0.1:port` in `v20220901`.
    pub(crate) fn new(base_url: &str, version: &str, token: &str) -> Self {
        let address = base_url.strip_prefix("http://").expect("an address without TLS");
        let date = wire::date_of(version).expect("a version is a v and a date");
        Self {
            connection: harness::Client::to(address),
            base_url: base_url.to_owned(),
            version: version.to_owned(),
            token: token.to_owned(),
            asked: Asked { version: date, minted: false },
        }
    }

    /// From now on every id must have the form of those that the server makes: for a store without imported orders.
    pub(crate) fn minted(mut self) -> Self {
        self.asked.minted = true;
        self
    }

    // ── refunds ──

    /// `POST order/refund.json`
    pub(crate) fn refund(&mut self, body: &Value) -> Answered<MadeRefund> {
        let body = sending::as_sent(body, &json!({"shipping": {}}));
        self.ask("data", &post("/order/refund.json", body))
    }

    /// `POST orders/{order_id}/refunds/calculate.json`
    pub(crate) fn trial(&mut self, order: &str, body: &Value) -> Answered<Trial> {
        let body = sending::as_sent(body, &json!({"shipping": {}}));
        self.ask("refund", &post(&format!("/orders/{order}/refunds/calculate.json"), body))
    }

    /// `GET orders/{order_id}/refunds.json`
    pub(crate) fn refunds(&mut self, order: &str, query: &[(&str, &str)]) -> Answered<Page<Refund>> {
        self.list(&format!("/orders/{order}/refunds.json"), query)
    }

    /// `GET orders/{order_id}/refunds/{refund_id}.json`
    pub(crate) fn refund_of(&mut self, order: &str, refund: &str) -> Answered<Refund> {
        self.ask("refund", &get(&format!("/orders/{order}/refunds/{refund}.json")))
    }

    // ── orders ──

    /// `GET orders.json`
    pub(crate) fn orders(&mut self, query: &[(&str, &str)]) -> Answered<Page<Order>> {
        self.list("/orders.json", query)
    }

    /// `GET orders/count.json`
    pub(crate) fn count_orders(&mut self, query: &[(&str, &str)]) -> Answered<i64> {
        let count: Answered<Count> = self.ask("", &Sent { query, ..get("/orders/count.json") });
        count.map(|count| count.count)
    }

    /// `GET orders/{id}.json`
    pub(crate) fn order(&mut self, id: &str) -> Answered<Order> {
        self.ask("order", &get(&format!("/orders/{id}.json")))
    }

    /// `POST orders.json`, of what stands under `order`.
    pub(crate) fn create_order(&mut self, order: &Value) -> Answered<MadeOrder> {
        let line = json!({"discount_price": {}, "tax_line": {}});
        let shipping_line = json!({"tax_line": {}});
        let objects = json!({"billing_address": {}, "customer": {}, "line_items": [line], "price_info": {},
            "shipping_address": {}, "shipping_line": shipping_line, "shipping_lines": [shipping_line],
            "transactions": {}});
        let body = sending::as_sent(order, &objects);
        self.ask("order", &post("/orders.json", json!({ "order": body })))
    }

    /// `PUT orders/{id}.json`, of what stands under `order`.
    pub(crate) fn update_order(&mut self, id: &str, order: &Value) -> Answered<Order> {
        let body = sending::as_sent(order, &json!({"shipping_address": {}}));
        self.ask("order", &Sent { method: "PUT", ..post(&format!("/orders/{id}.json"), json!({ "order": body })) })
    }

    /// `DELETE orders/{id}.json`
    pub(crate) fn delete_order(&mut self, id: &str) -> Answered<()> {
        self.ask_nothing(&Sent { method: "DELETE", ..get(&format!("/orders/{id}.json")) })
    }

    /// `POST orders/{id}/cancel.json`
    pub(crate) fn cancel_order(&mut self, id: &str, body: &Value) -> Answered<Order> {
        let body = sending::as_sent(body, &json!({}));
        self.ask("order", &post(&format!("/orders/{id}/cancel.json"), body))
    }

    // ── payments ──

    /// `GET orders/{order_id}/transactions.json`
    pub(crate) fn payments(&mut self, order: &str) -> Answered<Vec<OrderPayment>> {
        self.ask("transactions", &get(&format!("/orders/{order}/transactions.json")))
    }

    /// `POST transactions/query.json`
    pub(crate) fn transactions(&mut self, order: &str, transaction: &str) -> Answered<Vec<Transaction>> {
        let body = sending::as_sent(&json!({"order_id": order, "transaction_id": transaction}), &json!({}));
        self.ask("transaction_list", &post("/transactions/query.json", body))
    }

    /// `POST orders/transactions.json`, of what stands under `order_payment_list`.
    pub(crate) fn create_slips(&mut self, slips: &Value) -> Answered<Vec<Slip>> {
        let body = json!({ "order_payment_list": slips });
        let body = sending::as_sent(&body, &json!({"order_payment_list": [{"payment_details": {}}]}));
        self.ask("transaction_list", &post("/orders/transactions.json", body))
    }

    /// `POST orders/update_transactions.json`, of what stands under `transactions`.
    pub(crate) fn update_slips(&mut self, slips: &Value) -> Answered<Vec<Slip>> {
        let body =
            sending::as_sent(&json!({ "transactions": slips }), &json!({"transactions": [{"payment_details": {}}]}));
        self.ask("transaction_list", &post("/orders/update_transactions.json", body))
    }

    /// `POST /payments_apps/…/payment/notify/{channel_id}/{payment_method}/refund.json`
    pub(crate) fn notify_refund(&mut self, channel: &str, method: &str, body: &Value) -> Answered<()> {
        let body = sending::as_sent(body, &json!({}));
        let path = format!("/payment/notify/{channel}/{method}/refund.json");
        let target = format!("/payments_apps/openapi/{}{path}", self.version);
        let answer = self.send("POST", &target, Some(&body))?;
        let _: Nothing = self.read("", "POST", &path, &answer);
        Ok(())
    }

    // ── parcels and returns ──

    /// `POST orders/{order_id}/fulfillments.json`, of what stands under `fulfillment`.
    pub(crate) fn ship(&mut self, order: &str, fulfillment: &Value) -> Answered<Fulfillment> {
        let body = sending::as_sent(&json!({ "fulfillment": fulfillment }), &json!({"fulfillment": {}}));
        self.ask("fulfillment", &post(&format!("/orders/{order}/fulfillments.json"), body))
    }

    /// `GET orders/{order_id}/fulfillments.json`
    pub(crate) fn fulfillments(&mut self, order: &str) -> Answered<Vec<Fulfillment>> {
        self.ask("fulfillments", &get(&format!("/orders/{order}/fulfillments.json")))
    }

    /// `POST …/cancel.json`, which has no body.
    pub(crate) fn cancel_fulfillment(&mut self, way: Way, order: &str, parcel: &str) -> Answered<Fulfillment> {
        self.ask("fulfillment", &Sent { method: "POST", ..get(&way.path(order, parcel, "cancel")) })
    }

    /// `POST …/update_tracking.json`, of what stands under `fulfillment`.
    pub(crate) fn update_tracking(
        &mut self,
        way: Way,
        order: &str,
        parcel: &str,
        fulfillment: &Value,
    ) -> Answered<Fulfillment> {
        let objects = json!({"fulfillment": {"tracking_info": {}}});
        let body = sending::as_sent(&json!({ "fulfillment": fulfillment }), &objects);
        self.ask("fulfillment", &post(&way.path(order, parcel, "update_tracking"), body))
    }

    /// `POST return/create.json`
    pub(crate) fn create_return(&mut self, body: &Value) -> Answered<Return> {
        self.ask("return", &post("/return/create.json", sending::as_sent(body, &json!({}))))
    }

    /// `GET return.json`
    pub(crate) fn returns(&mut self, query: &[(&str, &str)]) -> Answered<Vec<Return>> {
        self.ask("returns", &Sent { query, ..get("/return.json") })
    }

    /// `POST return/{id}/close.json`
    pub(crate) fn close_return(&mut self, id: &str, notify: bool) -> Answered<()> {
        let body = sending::as_sent(&json!({ "notify": notify }), &json!({}));
        self.ask_nothing(&post(&format!("/return/{id}/close.json"), body))
    }

    // ── stock and shop ──

    /// `GET locations/list.json`
    pub(crate) fn locations(&mut self) -> Answered<Vec<Location>> {
        self.ask("locations", &get("/locations/list.json"))
    }

    /// `GET locations.json`
    pub(crate) fn locations_with_district(&mut self) -> Answered<Vec<LocationWithDistrict>> {
        self.ask("locations", &get("/locations.json"))
    }

    /// `GET locations/{id}.json`
    pub(crate) fn location(&mut self, id: &str) -> Answered<Location> {
        self.ask("location", &get(&format!("/locations/{id}.json")))
    }

    /// `GET inventory_levels.json`
    pub(crate) fn levels(&mut self, query: &[(&str, &str)]) -> Answered<Vec<Level>> {
        self.ask("inventory_levels", &Sent { query, ..get("/inventory_levels.json") })
    }

    /// `POST inventory_levels/set.json`
    pub(crate) fn set_level(&mut self, item: &str, location: &str, available: i64) -> Answered<Level> {
        let body = json!({"inventory_item_id": item, "location_id": location, "available": available});
        self.ask("inventory_level", &post("/inventory_levels/set.json", sending::as_sent(&body, &json!({}))))
    }

    /// `POST inventory_levels/adjust.json`
    pub(crate) fn adjust_level(&mut self, item: &str, location: &str, by: i64) -> Answered<AdjustedLevel> {
        let body = json!({"inventory_item_id": item, "location_id": location, "available_adjustment": by});
        self.ask("inventory_level", &post("/inventory_levels/adjust.json", sending::as_sent(&body, &json!({}))))
    }

    /// `GET merchants/shop.json`
    pub(crate) fn shop(&mut self) -> Answered<Shop> {
        self.ask("data", &get("/merchants/shop.json"))
    }

    /// `GET currency/currencies.json`
    pub(crate) fn currencies(&mut self) -> Answered<Vec<ShopCurrency>> {
        self.ask("currencies", &get("/currency/currencies.json"))
    }

    /// `GET checkouts/payment_settings.json`
    pub(crate) fn payment_settings(&mut self) -> Answered<Vec<PaymentSettings>> {
        self.ask("payment_settings", &get("/checkouts/payment_settings.json"))
    }

    /// `GET orders/pay_channels.json`, whose key is so on the wire.
    pub(crate) fn pay_channels(&mut self) -> Answered<Vec<PayChannel>> {
        self.ask("pay_channle_list", &get("/orders/pay_channels.json"))
    }

    // ── webhooks ──

    /// `POST webhooks.json`, of what stands under `webhook`.
    pub(crate) fn subscribe(&mut self, webhook: &Value) -> Answered<Webhook> {
        let body = sending::as_sent(&json!({ "webhook": webhook }), &json!({"webhook": {}}));
        self.ask("webhook", &post("/webhooks.json", body))
    }

    /// `GET webhooks.json`
    pub(crate) fn webhooks(&mut self, query: &[(&str, &str)]) -> Answered<Page<Webhook>> {
        self.list("/webhooks.json", query)
    }

    /// `GET webhooks/count.json`
    pub(crate) fn count_webhooks(&mut self) -> Answered<i64> {
        let count: Answered<Count> = self.ask("", &get("/webhooks/count.json"));
        count.map(|count| count.count)
    }

    /// `GET {id}/webhooks.json`
    pub(crate) fn webhook(&mut self, id: i64) -> Answered<Webhook> {
        self.ask("webhook", &get(&format!("/{id}/webhooks.json")))
    }

    /// `PUT {id}/webhooks.json`
    pub(crate) fn change_webhook(&mut self, id: i64, address: &str) -> Answered<Webhook> {
        let body = json!({"webhook": {"address": address}});
        self.ask("webhook", &Sent { method: "PUT", ..post(&format!("/{id}/webhooks.json"), body) })
    }

    /// `DELETE {id}/webhooks.json`
    pub(crate) fn delete_webhook(&mut self, id: i64) -> Answered<()> {
        self.ask_nothing(&Sent { method: "DELETE", ..get(&format!("/{id}/webhooks.json")) })
    }

    // ── lists ──

    /// The page that a `link` leads to.
    pub(crate) fn follow<T: Listed>(&mut self, url: &str) -> Answered<Page<T>> {
        let target = url.strip_prefix(&self.base_url).unwrap_or_else(|| panic!("{url} leads elsewhere")).to_owned();
        let answer = self.send("GET", &target, None)?;
        Ok(self.page(&target, &answer))
    }

    /// Entries of a list that was asked for with `fields`: nothing but those keys, of which each entry has all.
    pub(crate) fn cut(&mut self, path: &str, key: &str, fields: &[&str]) -> Answered<Vec<Value>> {
        let target = self.target(&Sent { query: &[("fields", &fields.join(","))], ..get(path) });
        let answer = self.send("GET", &target, None)?;
        let entries: Vec<Value> = match answer.json() {
            Value::Object(mut map) if map.len() == 1 => match map.remove(key) {
                Some(Value::Array(entries)) => entries,
                other => panic!("GET {target}: {key} is {other:?}"),
            },
            other => panic!("GET {target}: {other:#}"),
        };
        for entry in &entries {
            let keys: Vec<&String> =
                entry.as_object().unwrap_or_else(|| panic!("GET {target}: {entry}")).keys().collect();
            let mut wanted = fields.to_vec();
            wanted.sort_unstable();
            assert_eq!(keys, wanted, "GET {target}");
        }
        Ok(entries)
    }

    fn list<T: Listed>(&mut self, path: &str, query: &[(&str, &str)]) -> Answered<Page<T>> {
        let target = self.target(&Sent { query, ..get(path) });
        let answer = self.send("GET", &target, None)?;
        Ok(self.page(&target, &answer))
    }

    fn page<T: Listed>(&self, target: &str, answer: &Answer) -> Page<T> {
        let entries = self.read(T::KEY, "GET", target, answer);
        let links = answer.header("link").map_or_else(sending::Links::default, |header| {
            sending::links(header).unwrap_or_else(|fault| panic!("GET {target}: the link is {fault}"))
        });
        Page { entries, next: links.next, previous: links.previous }
    }

    // ── sending and reading ──

    fn ask<T>(&mut self, key: &'static str, sent: &Sent<'_>) -> Answered<T>
    where
        T: for<'de> Deserialize<'de> + Check,
    {
        let target = self.target(sent);
        let answer = self.send(sent.method, &target, sent.body.as_ref())?;
        Ok(self.read(key, sent.method, &target, &answer))
    }

    fn ask_nothing(&mut self, sent: &Sent<'_>) -> Answered<()> {
        self.ask::<Nothing>("", sent).map(|Nothing {}| ())
    }

    fn target(&self, sent: &Sent<'_>) -> String {
        format!("/admin/openapi/{}{}{}", self.version, sent.path, sending::query(sent.query))
    }

    fn send(&mut self, method: &str, target: &str, body: Option<&Value>) -> Answered<Answer> {
        let bearer = format!("Bearer {}", self.token);
        // On a GET too, and without a character set.
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let answer = self.connection.send(method, target, &headers, &body);
        let answer = answer.unwrap_or_else(|fault| panic!("{method} {target}: {fault}"));
        let trace = answer.header("traceid").unwrap_or_default();
        assert!(!trace.is_empty(), "{method} {target} has no traceId");
        if answer.status == 200 {
            return Ok(answer);
        }
        let errors = self.read("errors", method, target, &answer);
        Err(ApiError { status: answer.status, errors })
    }

    fn read<T>(&self, key: &'static str, method: &str, target: &str, answer: &Answer) -> T
    where
        T: for<'de> Deserialize<'de> + Check,
    {
        let media_type = answer.header("content-type").unwrap_or_default();
        let is_json = media_type.split(';').next() == Some("application/json");
        assert!(is_json, "{method} {target} answers with {media_type}: {}", answer.text());
        decode(key, self.asked, &answer.body).unwrap_or_else(|fault| {
            let Self { version, .. } = self;
            panic!("{method} {target} in {version}, {}: {fault}\n{}", answer.status, answer.text())
        })
    }
}
