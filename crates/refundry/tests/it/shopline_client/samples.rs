//! An answer of each kind as the documents describe it, with every key and no list empty, in the newest version.
//! Doubles are written with a point, and longs without.

use serde_json::{Number, Value, json};

use super::hooks::{Told, Topic, Webhook};
use super::orders::{MadeOrder, Order};
use super::parcels::Fulfillment;
use super::payments::{OrderPayment, PayChannel, PaymentSettings, Slip, Transaction};
use super::refunds::{MadeRefund, Refund, Trial};
use super::returns::Return;
use super::stock::{AdjustedLevel, Level, Location, LocationWithDistrict, Shop, ShopCurrency};
use super::wire::{Asked, Count, Nothing, decode};

pub(super) const ORDER: &str = "21057520029298437725452511";
pub(super) const SLIP: &str = "23057520029306658561302511";
pub(super) const REFUND: &str = "2605755870074105241861";
pub(super) const REFUND_TRANSACTION: &str = "10100112220607455014540963840";
pub(super) const PARCEL: &str = "22046737798141702810214336";
pub(super) const RETURN: &str = "2605860580357012238342";
pub(super) const LOCATION: &str = "5409714787218633772";
const TIME: &str = "2023-04-12T22:59:52+08:00";
const MILLIS: &str = "1673404700862";

/// An answer, and what reads it.
pub(super) struct Sample {
    /// The call that it answers, or the topic that it tells of.
    pub(super) name: &'static str,
    pub(super) body: Value,
    pub(super) read: Read,
}

/// Reads an answer, and says what is wrong with it.
type Read = fn(Asked, &[u8]) -> Result<(), String>;

fn sample(name: &'static str, read: Read, body: Value) -> Sample {
    Sample { name, body, read }
}

/// Reads a body whose only key is this one, and drops what was read.
macro_rules! under {
    ($key:literal, $kind:ty) => {
        |asked, bytes| decode::<$kind>($key, asked, bytes).map(drop)
    };
}

/// Reads the body of a delivery.
macro_rules! told {
    ($topic:ident) => {
        |asked, bytes| Told::read(Topic::$topic, asked, bytes).map(drop)
    };
}

/// All answers, by the rows of the list of endpoints, and all deliveries.
pub(super) fn all() -> Vec<Sample> {
    let mut all = vec![
        sample("POST order/refund.json", under!("data", MadeRefund), json!({ "data": made_refund() })),
        sample("POST refunds/calculate.json", under!("refund", Trial), json!({ "refund": trial() })),
        sample("GET refunds.json", under!("refunds", Vec<Refund>), json!({ "refunds": [refund()] })),
        sample("GET refunds/{id}.json", under!("refund", Refund), json!({ "refund": refund() })),
        sample("GET orders.json", under!("orders", Vec<Order>), json!({ "orders": [order()] })),
        sample("GET orders/{id}.json", under!("order", Order), json!({ "order": order() })),
        sample("GET count.json", under!("", Count), json!({"count": 7})),
        sample("POST orders.json", under!("order", MadeOrder), json!({ "order": made_order() })),
        sample("DELETE orders/{id}.json", under!("", Nothing), json!({})),
        sample("any refusal", under!("errors", String), json!({"errors": "The order does not exist."})),
    ];
    all.extend(payments());
    all.extend(goods());
    all.extend(deliveries());
    all
}

fn payments() -> Vec<Sample> {
    let payment = json!({"id": SLIP, "order_id": ORDER, "kind": "sale", "status": "success", "amount": "101.00",
        "currency": "USD", "gateway": "Paypal", "error_code": "", "error_msg": "", "status_code": "0",
        "status_msg": "ok", "receipt": {"token": "EC-1"}, "payment_details": credit_card()});
    let transaction = json!({"id": SLIP, "order_id": ORDER, "parent_transaction_id": SLIP, "kind": "capture",
        "status": "success", "amount": "101.00", "currency": "USD", "gateway": "Paypal", "payment_method": "card",
        "error_code": "", "error_msg": "", "create_at": TIME, "update_at": TIME, "payment_details": payment_details()});
    let slip = json!({"id": SLIP, "order_id": ORDER, "amount": double("101.00"), "status": "paid",
        "create_at": TIME, "pay_channel_deal_id": ""});
    let settings = json!({"currency_code": "USD", "enabled_presentment_currencies": ["USD", "GBP"],
        "shopline_payments_account_id": ""});
    let channel = json!({"channel_status": "1", "pay_channel_code": "Paypal", "pay_channel_desc": "",
        "pay_channel_id": "8", "pay_channel_name": "PayPal"});
    vec![
        sample(
            "GET transactions.json",
            under!("transactions", Vec<OrderPayment>),
            json!({ "transactions": [payment] }),
        ),
        sample(
            "POST transactions/query.json",
            under!("transaction_list", Vec<Transaction>),
            json!({ "transaction_list": [transaction] }),
        ),
        sample(
            "POST orders/transactions.json",
            under!("transaction_list", Vec<Slip>),
            json!({ "transaction_list": [slip] }),
        ),
        sample(
            "GET payment_settings.json",
            under!("payment_settings", Vec<PaymentSettings>),
            json!({ "payment_settings": [settings] }),
        ),
        sample(
            "GET pay_channels.json",
            under!("pay_channle_list", Vec<PayChannel>),
            json!({ "pay_channle_list": [channel] }),
        ),
    ]
}

fn goods() -> Vec<Sample> {
    let line = json!({"id": "1", "fulfillment_id": PARCEL, "line_item_id": "601", "quantity": 1,
        "return_reason": "SIZE_TOO_LARGE", "return_reason_note": "a note"});
    let back = json!({"id": RETURN, "order_id": ORDER, "status": "cancelled", "return_reason": "a reason",
        "created_at": TIME, "return_line_items": [line]});
    let level = json!({"inventory_item_id": "i-1", "location_id": LOCATION, "variant_id": "v-1", "available": -1,
        "updated_at": TIME});
    let adjusted = json!({"inventory_item_id": "i-1", "location_id": LOCATION, "variant_id": "v-1", "available": 7,
        "update_at": TIME});
    let shop = json!({"id": 1_672_369_729_606_i64, "name": "open001", "currency": "USD",
        "domain": "open001.myshopline.com", "iana_timezone": "Asia/Shanghai", "merchant_id": "2000234880",
        "email": "a@example.com", "customer_email": "", "language": "en", "location_country_code": "CN",
        "biz_store_status": 2, "created_at": TIME, "updated_at": TIME});
    let currency = json!({"currency": "USD", "enabled": true, "rate_update_at": TIME});
    vec![
        sample("fulfillments.json", under!("fulfillment", Fulfillment), json!({ "fulfillment": fulfillment() })),
        sample(
            "GET fulfillments.json",
            under!("fulfillments", Vec<Fulfillment>),
            json!({ "fulfillments": [fulfillment()] }),
        ),
        sample("POST return/create.json", under!("return", Return), json!({ "return": back })),
        sample("GET return.json", under!("returns", Vec<Return>), json!({ "returns": [back] })),
        sample("GET locations/list.json", under!("locations", Vec<Location>), json!({ "locations": [location()] })),
        sample("GET locations/{id}.json", under!("location", Location), json!({ "location": location() })),
        sample(
            "GET locations.json",
            under!("locations", Vec<LocationWithDistrict>),
            json!({ "locations": [with(location(), &json!({"district": ""}))] }),
        ),
        sample(
            "GET inventory_levels.json",
            under!("inventory_levels", Vec<Level>),
            json!({ "inventory_levels": [level] }),
        ),
        sample("POST set.json", under!("inventory_level", Level), json!({ "inventory_level": level })),
        sample("POST adjust.json", under!("inventory_level", AdjustedLevel), json!({ "inventory_level": adjusted })),
        sample("GET shop.json", under!("data", Shop), json!({ "data": shop })),
        sample("GET currencies.json", under!("currencies", Vec<ShopCurrency>), json!({ "currencies": [currency] })),
        sample("GET webhooks.json", under!("webhooks", Vec<Webhook>), json!({ "webhooks": [webhook()] })),
        sample("POST webhooks.json", under!("webhook", Webhook), json!({ "webhook": webhook() })),
    ]
}

fn deliveries() -> Vec<Sample> {
    let payment = json!({"pay_seq": SLIP, "pay_amount": double("101.00"), "pay_status": "paid",
        "pay_channel_deal_id": "", "create_time": TIME, "status_code": "0", "status_msg": "ok"});
    let level = json!({"inventory_item_id": "i-1", "variant_id": "v-1", "location_id": LOCATION, "available": 7,
        "onhand": 7, "committed": 0, "unavailable": 0, "updated_at": TIME});
    let sold = sold_line(&json!({}));
    let line = json!({"refund_detail_seq": "1", "order_package_seq": PARCEL, "quantity": 1, "line_item": sold});
    let back = json!({"after_sale_order_seq": RETURN, "order_seq": ORDER, "status": "REQUESTED",
        "return_reason": "a reason", "created_at": TIME, "return_line_items": [line]});
    let package = json!({"return_id": RETURN, "reverse_delivery_id": "1", "tracking_information": tracking()});
    vec![
        sample("refunds/create", told!(RefundsCreate), told_refund()),
        sample("refunds/update", told!(RefundsUpdate), told_refund()),
        sample("orders/create", told!(OrdersCreate), order()),
        sample("order_transactions/create", told!(OrderTransactionsCreate), payment),
        sample("fulfillments/create", told!(FulfillmentsCreate), fulfillment()),
        sample("return/create", told!(ReturnCreate), back),
        sample("return_package/create", told!(ReturnPackageCreate), with(package.clone(), &json!({"create_at": TIME}))),
        sample("return_package/update", told!(ReturnPackageUpdate), package),
        sample("inventory_levels/update", told!(InventoryLevelsUpdate), level),
    ]
}

/// A JSON number of exactly these digits.
fn double(digits: &str) -> Value {
    Value::Number(digits.parse::<Number>().expect("a number"))
}

/// The object with some keys more, or other values under them.
fn with(mut object: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().expect("an object") {
        object[key] = value.clone();
    }
    object
}

fn set(amount: &str) -> Value {
    json!({"shop_money": {"amount": amount, "currency_code": "USD"},
        "presentment_money": {"amount": amount, "currency_code": "USD"}})
}

fn double_set(amount: &str) -> Value {
    json!({"shop_money": {"amount": double(amount), "currency_code": "USD"},
        "presentment_money": {"amount": double(amount), "currency_code": "USD"}})
}

pub(super) fn made_refund() -> Value {
    json!({"id": REFUND, "order_id": ORDER, "create_at": MILLIS, "note": "Notes",
        "order_adjustments": [{"id": "RAP5570565996182771228", "refund_id": REFUND, "order_id": ORDER,
            "kind": "refund_discrepancy", "reason": "refund_discrepancy", "amount": "2.34", "amount_set": set("2.34"),
            "tax_amount": "0.00", "tax_amount_set": set("0.00")}],
        "refund_line_items": [{"id": 1, "line_item_id": 601, "quantity": 1, "restock_type": "return",
            "subtotal": "3.45", "subtotal_set": set("3.45"), "total_tax": "4.56", "total_tax_set": set("4.56")}],
        "transactions": [{"id": SLIP, "order_id": ORDER, "amount": 234, "currency": "USD", "kind": "refund",
            "status": "pending", "create_at": MILLIS, "processed_at": MILLIS}],
        "total_duties_set": set("0.00")})
}

pub(super) fn trial() -> Value {
    json!({"currency": "USD", "total_duties_set": set("0.00"),
        "refund_line_items": [{"line_item_id": "33121216544", "quantity": 1, "type": "Unshipped", "price": "199.00",
            "discount_total_amount": "3.33", "subtotal": "195.67", "total_tax": "3.98"}],
        "shipping": {"amount": "5.00", "tax": "1.00", "maximum_refundable": "10.00"},
        "transactons": [{"parent_id": SLIP, "order_id": ORDER, "gateway": "bogus", "kind": "suggested_refund",
            "amount": "41.89", "maximum_refundable": "41.89", "currency": "USD"}]})
}

/// A refund as it is read, without what stands in one form only.
fn refund_common(line: &Value, transaction: &Value) -> Value {
    json!({"id": REFUND, "order_id": ORDER, "note": "Notes", "user_id": "", "created_at": TIME, "processed_at": TIME,
        "order_adjustments": [{"id": "1", "refund_id": REFUND, "order_id": ORDER, "kind": "refund_discrepancy",
            "reason": "Refund discrepancy", "amount": "2.34", "amount_set": double_set("2.34"), "tax_amount": "0.00",
            "tax_amount_set": double_set("0.00")}],
        "refund_line_items": [{"id": "1", "line_item_id": "601", "quantity": 1, "restock_type": "no_restock",
            "subtotal": double("8.00"), "subtotal_set": set("8.00"), "total_tax": double("0.50"),
            "total_tax_set": set("0.50"), "line_item": line}],
        "transactions": [with(json!({"id": REFUND_TRANSACTION, "order_id": ORDER, "amount": "8.50", "currency": "USD",
            "kind": "refund", "status": "success", "user_id": "", "created_at": TIME, "processed_at": TIME}),
            transaction)]})
}

pub(super) fn refund() -> Value {
    with(refund_common(&sold_line(&json!({})), &json!({})), &json!({"total_duties_set": set("0.00")}))
}

fn order_refund() -> Value {
    let more = json!({"gateway": "Paypal", "settle_amount": "8.50", "settle_currency": "USD",
        "channel_refund_id": "re_1", "status_update_at": TIME});
    refund_common(&sold_line(&json!({})), &more)
}

pub(super) fn told_refund() -> Value {
    let refund = refund_common(&sold_line(&json!({"fulfillment_quantity": 1})), &json!({}));
    let transaction = json!({"id": REFUND_TRANSACTION, "kind": "refund", "status": "fail", "amount": "8.50",
        "currency": "USD", "gateway": "Paypal", "payment_method": "", "create_at": TIME, "error_code": "",
        "error_msg": "", "payment_details": payment_details()});
    with(refund, &json!({"total_duties_set": set("0.00"), "transactions_v2": [transaction]}))
}

fn payment_details() -> Value {
    json!({"credit_card": credit_card(), "pay_channel_deal_id": "", "receipt_json": "{}"})
}

fn credit_card() -> Value {
    json!({"credit_card_number": "**** 4242", "credit_card_bin": "424242", "credit_card_brand": "visa",
        "credit_card_expire_month": "12", "credit_card_expire_year": "2030"})
}

fn tax(kind: &str) -> Value {
    json!({"title": "VAT", "name": "VAT", "price": "1.60", "price_set": set("1.60"), "rate": double("0.08"),
        "type": kind})
}

fn sold_line(more: &Value) -> Value {
    let line = json!({"id": "601", "name": "tee red", "title": "tee", "variant_title": "red", "attribute": "red",
        "price": "10.00", "price_set": set("10.00"), "quantity": 2, "fulfillable_quantity": 1,
        "fulfillment_status": "partial", "fulfillment_service": "manual", "product_id": "p-1", "variant_id": "v-1",
        "sku": "tee", "vendor": "", "grams": double("0.5"), "requires_shipping": true, "taxable": true,
        "tax_lines": [tax("product_tax")]});
    with(line, more)
}

fn fulfillment() -> Value {
    let line = sold_line(&json!({"fulfillment_quantity": 1, "total_discount": "0.00"}));
    json!({"id": PARCEL, "order_id": ORDER, "name": "1032-F2", "status": "success", "shipment_status": "faliure",
        "created_at": TIME, "updated_at": TIME, "tracking_company": "DHL", "tracking_number": "T-1",
        "tracking_url": "", "tracking_numbers": ["T-1"], "tracking_urls": [""], "tracking_info_list": [tracking()],
        "line_items": [line]})
}

fn tracking() -> Value {
    json!({"tracking_company": "DHL", "tracking_number": "T-1", "tracking_url": ""})
}

fn location() -> Value {
    json!({"id": LOCATION, "name": "Home", "active": true, "is_default": "true", "legacy": false, "address1": "",
        "address2": "", "city": "", "country": "", "country_code": "", "province": "", "province_code": "", "zip": "",
        "phone": "", "phone_code": "", "created_at": TIME, "updated_at": TIME})
}

fn webhook() -> Value {
    json!({"id": 7, "address": "https://example.com/hooks", "topic": "refunds/create", "api_version": "v20240601",
        "created_at": TIME, "updated_at": TIME})
}

fn address() -> Value {
    json!({"first_name": "Ada", "last_name": "Example", "company": "", "email": "a@example.com", "phone": "",
        "address1": "1 Main Street", "address2": "", "area": "", "area_code": "", "city": "Lexington",
        "city_code": "", "province": "Kentucky", "province_code": "KY", "standard_province_code": "KY",
        "country": "United States", "country_code": "US", "zip": "40507"})
}

pub(super) fn order() -> Value {
    let allocation = json!({"amount": "1.00", "amount_set": set("1.00"), "discount_application_index": 0});
    let line = sold_line(&json!({"tags": "", "image_url": "", "location_id": LOCATION, "gift_card": false,
        "is_bundle": false, "is_bundle_component": false, "discount_allocations": [allocation], "duties": [{}],
        "properties": [{"name": "engraving", "value": "Ada", "show": true, "type": "text", "urls": ["u"]}]}));
    let shipping = json!({"title": "Standard", "code": "std", "source": "", "price": "5.00", "price_set": set("5.00"),
        "shipping_price": "6.00", "shipping_price_set": set("6.00"), "discounted_price": "5.00",
        "discounted_price_set": set("5.00"), "discount_allocations": [allocation], "tax_lines": [tax("shipping_tax")]});
    let payment = json!({"pay_seq": SLIP, "pay_amount": double("26.60"), "settle_currency": "USD",
        "settle_pay_amount": double("26.60"), "pay_status": "paid", "gateway": "Paypal", "pay_channel": "Paypal",
        "pay_channel_deal_id": "", "payment_method": "", "status_code": "", "status_msg": "", "create_time": TIME,
        "processed_at": TIME, "giftcard_presentment_money": {"amount": "0.00", "currency_code": "USD"}});
    let place = json!({"location_id": LOCATION, "name": "Home", "type": "productLocation", "address1": "",
        "address2": "", "city": "", "country": "", "country_code": "", "province": "", "province_code": "", "zip": ""});
    let customer = json!({"id": "9", "email": "a@example.com", "phone": "", "first_name": "Ada",
        "last_name": "Example", "created_at": TIME, "updated_at": TIME});
    let order = json!({"id": ORDER, "name": "D2034", "status": "open", "financial_status": "partially_refunded",
        "fulfillment_status": "partial", "currency": "USD", "presentment_currency": "USD", "created_at": TIME,
        "updated_at": TIME, "order_at": TIME, "processed_at": TIME, "cancelled_at": TIME, "cancel_reason": "",
        "note": "", "buyer_note": "", "email": "a@example.com", "phone": "", "tags": "", "store_id": "1672369729606",
        "user_id": "", "customer": customer, "shipping_address": address(), "billing_address": address(),
        "taxes_included": false, "tax_type": "product_tax", "total_shipping_price_set": set("5.00"),
        "current_total_duties_set": set("0.00"), "total_weight": double("1.0"), "line_items": [line],
        "shipping_lines": [shipping], "tax_lines": [tax("product_tax")], "discount_codes": [discount_code()],
        "discount_applications": [{}], "payment_details": [payment], "payment_gateway_names": ["Paypal"],
        "fulfillments": [fulfillment()], "refunds": [order_refund()], "locations": [place]});
    let totals = [
        "subtotal_price",
        "total_tax",
        "total_discounts",
        "total_line_items_price",
        "current_subtotal_price",
        "current_total_price",
        "current_total_tax",
        "current_total_discounts",
        "total_outstanding",
        "total_tip_received",
        "adjust_price",
        "deduct_member_point_amount",
    ];
    totals.iter().fold(order, |order, total| {
        let mut twins = json!({});
        twins[*total] = json!("26.60");
        twins[format!("{total}_set")] = set("26.60");
        with(order, &twins)
    })
}

fn discount_code() -> Value {
    json!({"code": "SPRING", "amount": "1.00", "amount_set": set("1.00"), "type": "fixed"})
}

pub(super) fn made_order() -> Value {
    let mut order = with(order(), &json!({"total_weight": "1.0", "discount_codes": discount_code()}));
    order["payment_details"][0]["pay_amount"] = json!("26.60");
    order
}
