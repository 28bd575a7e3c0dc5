//! What the client takes and what it refuses, without a server.

use std::collections::BTreeMap;

use ring::hmac;
use serde_json::{Value, json};

use super::samples::{self, ORDER, PARCEL, REFUND, RETURN, SLIP, Sample};
use super::wire::{Asked, Double, MoneySet, Time, decode};
use super::{Delivery, Order, Refund, Told, Topic};

const NEWEST: u32 = 20_270_301;
/// What came with which version, and in which answer where not everywhere.
const LATER_KEYS: &[(&str, &str, u32)] = &[
    ("POST order/refund.json", "total_duties_set", 20_230_901),
    ("", "standard_province_code", 20_250_601),
    ("", "tracking_info_list", 20_250_601),
    ("", "transactions_v2", 20_260_301),
];

fn asked(version: u32) -> Asked {
    Asked { version, minted: false }
}

fn read(sample: &Sample, version: u32, body: &Value) -> Result<(), String> {
    (sample.read)(asked(version), body.to_string().as_bytes())
}

/// The sample as it is in an older version.
fn in_version(sample: &Sample, version: u32) -> Value {
    let mut body = sample.body.clone();
    for (name, key, since) in LATER_KEYS {
        if version < *since && (name.is_empty() || *name == sample.name) {
            remove(&mut body, key);
        }
    }
    if version < 20_251_201 {
        for place in ["/return/status", "/returns/0/status"] {
            body.pointer_mut(place).into_iter().for_each(|status| *status = json!("CLOSED"));
        }
    }
    body
}

fn remove(value: &mut Value, key: &str) {
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(|entry| remove(entry, key)),
        Value::Object(map) => {
            map.remove(key);
            map.values_mut().for_each(|value| remove(value, key));
        }
        _ => {}
    }
}

#[test]
fn each_answer_is_read_in_its_version_and_in_no_other() {
    let versions = [20_210_901, 20_220_901, 20_230_301, 20_230_901, 20_250_301, 20_250_601, 20_251_201, 20_260_301];
    for sample in samples::all() {
        let bodies = versions.map(|version| in_version(&sample, version));
        for (version, body) in versions.iter().zip(&bodies) {
            assert_eq!(read(&sample, *version, body), Ok(()), "{} in v{version}", sample.name);
            for (other, of_other) in versions.iter().zip(&bodies) {
                let is_read = read(&sample, *version, of_other).is_ok();
                // A word that came later stays open to all later versions.
                let is_same = body == of_other || (other < version && sample.name.contains("return"));
                assert_eq!(is_read, is_same, "{}: v{other}'s in v{version}", sample.name);
            }
        }
    }
}

/// Keys of answers that may be missing.
const OPTIONAL: &[&str] = &[
    "POST refunds/calculate.json /refund/refund_line_items",
    "POST refunds/calculate.json /refund/shipping",
    "POST refunds/calculate.json /refund/transactons",
    "POST transactions/query.json /transaction_list/parent_transaction_id",
    "POST orders.json /order/discount_codes/code",
    "POST orders.json /order/discount_codes/amount",
    "POST orders.json /order/discount_codes/amount_set",
    "POST orders.json /order/discount_codes/type",
];
/// Objects with keys of somebody's own.
const FREE_OBJECTS: &[&str] = &["duties", "discount_applications", "receipt"];
/// The one key that can be `null`.
const NULLABLE: &str = "fulfillment_status";
/// Texts in which anybody may have written anything, by the key, or by the key above and it.
const FREE_TEXTS: &str = "
    errors note buyer_note user_id cancel_reason tags email phone phone_code first_name last_name company address1
    address2 area area_code city city_code province province_code standard_province_code country country_code zip
    district customer/id name title variant_title attribute value urls product_id variant_id sku vendor image_url
    fulfillment_service line_items/location_id code source discount_codes/type properties/type gateway pay_channel
    payment_method payment_gateway_names pay_channel_deal_id channel_refund_id status_code status_msg error_code
    error_msg token receipt_json credit_card_number credit_card_bin credit_card_brand credit_card_expire_month
    credit_card_expire_year channel_status pay_channel_code pay_channel_desc pay_channel_id pay_channel_name
    shopline_payments_account_id tracking_company tracking_number tracking_numbers tracking_url tracking_urls
    fulfillment_id order_package_seq reverse_delivery_id return_reason_note return/return_reason
    returns/return_reason /return_reason inventory_item_id domain iana_timezone merchant_id customer_email language
    location_country_code address";

/// Answers of which another sample has the same object, but for these keys: their wrapper and what is below these is
/// enough.
const AGAIN: &[(&str, &[&str])] = &[
    ("GET refunds/{id}.json", &[]),
    ("GET orders/{id}.json", &[]),
    ("POST orders.json", &["/order/total_weight", "/order/discount_codes", "/order/payment_details"]),
    ("GET fulfillments.json", &[]),
    ("GET return.json", &[]),
    ("GET locations/{id}.json", &[]),
    ("POST webhooks.json", &[]),
    ("refunds/update", &[]),
    ("orders/create", &[]),
    ("fulfillments/create", &[]),
];

#[test]
fn no_answer_is_read_with_one_thing_changed() {
    for sample in samples::all() {
        let mut places = Vec::new();
        walk(&sample.body, "", &mut places);
        if let Some((_, own)) = AGAIN.iter().find(|(name, _)| *name == sample.name) {
            places.retain(|place| place.matches('/').count() <= 1 || own.iter().any(|key| place.starts_with(key)));
        }
        let mut tried = 0;
        for place in &places {
            // Where it stands, without the indexes.
            let keys: Vec<&str> = place.split('/').filter(|key| key.parse::<u32>().is_err()).collect();
            let keys = keys.join("/");
            for (mutant, is_taken) in mutants(&sample, place, &keys) {
                let mut body = sample.body.clone();
                *body.pointer_mut(place).expect("it is there") = mutant.clone();
                let said = read(&sample, NEWEST, &body);
                assert_eq!(said.is_ok(), is_taken, "{} {place} as {mutant}: {said:?}", sample.name);
                tried += 1;
            }
        }
        assert!(tried >= 5, "{}: {tried}", sample.name);
    }
}

fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Array(entries) => {
            assert!(!entries.is_empty(), "an empty list at {at} shows nothing");
            entries.iter().enumerate().for_each(|(index, entry)| walk(entry, &format!("{at}/{index}"), places));
        }
        // Every set is one of two; the trouble within them is theirs wherever they stand.
        Value::Object(_) if is_set(at) && places.iter().filter(|place| is_set(place)).count() > 2 => {}
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(value, &format!("{at}/{key}"), places)),
        _ => {}
    }
}

fn is_set(place: &str) -> bool {
    place.ends_with("_set")
}

/// A set with numbers where it has texts, or the other way round.
fn other_set(set: &Value) -> Value {
    let mut set = set.clone();
    for place in ["/shop_money/amount", "/presentment_money/amount"] {
        let amount = set.pointer_mut(place).expect("it is there");
        *amount = amount.as_str().map_or_else(|| json!(amount.to_string()), number_of);
    }
    set
}

/// Other values for a place, and whether each is taken.
fn mutants(sample: &Sample, place: &str, keys: &str) -> Vec<(Value, bool)> {
    let ends = |entry: &&str| keys.ends_with(&format!("/{}", entry.trim_start_matches('/')));
    let is_null_taken = keys.ends_with(NULLABLE);
    let others = |others: &[Value]| others.iter().map(|value| (value.clone(), false)).collect::<Vec<_>>();
    let mut mutants = match sample.body.pointer(place).expect("it is there") {
        Value::String(text) => {
            let is_free =
                FREE_TEXTS.split_whitespace().find(ends).is_some_and(|entry| !entry.starts_with('/') || keys == entry);
            let mut mutants = others(&[json!(1), json!(true), json!([]), json!([text]), json!({})]);
            mutants.push((json!("\u{2603}"), is_free));
            if !is_free {
                mutants.extend(others(&wrong_texts(text)));
            }
            mutants
        }
        Value::Number(number) => {
            let mut mutants = others(&[json!(number.to_string()), json!(true), json!([]), json!({})]);
            if !number.to_string().contains('.') {
                mutants.extend(["1.5", "7.0", "1e2", "9223372036854775808"].map(|digits| (number_of(digits), false)));
            }
            mutants
        }
        Value::Bool(value) => others(&[json!(value.to_string()), json!(1), json!([]), json!({})]),
        Value::Object(map) => {
            let mut mutants = others(&[json!([]), json!([map]), json!("x"), json!(1), json!(true)]);
            if is_set(place) {
                mutants.push((other_set(&json!(map)), false));
            }
            let mut more = map.clone();
            more.insert("zz_unknown".to_owned(), json!("x"));
            mutants.push((Value::Object(more), FREE_OBJECTS.iter().any(ends)));
            for key in map.keys() {
                let mut less = map.clone();
                less.remove(key);
                let is_optional = OPTIONAL.contains(&format!("{} {keys}/{key}", sample.name).as_str());
                mutants.push((Value::Object(less), is_optional || keys.ends_with("/receipt")));
            }
            mutants
        }
        Value::Array(_) => others(&[json!({}), json!("x"), json!(1), json!([null])]),
        Value::Null => Vec::new(),
    };
    mutants.push((Value::Null, is_null_taken));
    mutants
}

/// Texts that look like one that is right.
fn wrong_texts(right: &str) -> Vec<Value> {
    let mut wrong = vec![json!(format!(" {right}")), json!(format!("{right} "))];
    let is_digits = right.bytes().all(|b| b.is_ascii_digit());
    if right.contains('T') && right.len() == 25 {
        for text in [
            "2023-04-12T22:59:52Z",
            "2023-04-12 22:59:52+08:00",
            "2023-04-12T22:59:52.000+08:00",
            "2023-04-12T22:59:52+0800",
            "2023-04-12T22:59:52",
            "2023-02-30T22:59:52+08:00",
            "2023-04-12T25:59:52+08:00",
            "2023-04-12",
            "1673404700862",
        ] {
            wrong.push(json!(text));
        }
    } else if is_digits && right.len() == 13 && right.starts_with("16734") {
        wrong.extend([json!("1673404700"), json!("1673404700.862"), json!("2023-04-12T22:59:52+08:00")]);
    } else if is_digits {
        wrong.extend([json!(""), json!(format!("{right}.0")), json!(format!("-{right}")), json!("0x1f")]);
    } else if right.len() >= 4 && right.as_bytes()[right.len() - 3] == b'.' {
        wrong.extend(["", "1", "1.5", "1,00", ".50", "+1.00", "01.00", "1.00000", "1e2"].map(|text| json!(text)));
    } else {
        wrong.extend([json!(right.to_uppercase() + "X"), json!(right.replace('_', "-") + "s")]);
    }
    wrong
}

fn number_of(digits: &str) -> Value {
    Value::Number(digits.parse().expect("a number"))
}

#[test]
fn texts_and_numbers_are_what_they_say() {
    let set = |amount: &str| {
        json!({"shop_money": {"amount": amount, "currency_code": "KWD"},
        "presentment_money": {"amount": "500.00", "currency_code": "JPY"}})
    };
    let read = |body: &Value| decode::<MoneySet>("", asked(NEWEST), body.to_string().as_bytes());
    for amount in ["1.234", "-0.30", "0.00", "12345678901234567890.12"] {
        assert_eq!(&*read(&set(amount)).expect("an amount").shop_money.amount, amount);
    }
    let twice = set("1.00").to_string().replace("\"amount\":\"1.00\"", "\"amount\":\"1.00\",\"amount\":\"1.00\"");
    let fault = decode::<MoneySet>("", asked(NEWEST), twice.as_bytes()).expect_err("a key twice");
    assert!(fault.contains("`amount` twice"), "{fault}");
    let behind = format!("{} {{}}", set("1.00"));
    assert!(decode::<MoneySet>("", asked(NEWEST), behind.as_bytes()).is_err(), "something behind it");
    for (digits, amount) in [("8", "8.00"), ("8.5", "8.50"), ("-0.30", "-0.30"), ("1.234", "1.234")] {
        let double: Double = serde_json::from_str(digits).expect("a double");
        assert_eq!(double.amount(), amount);
    }
    for wrong in ["1e2", "\"8.00\"", "null"] {
        assert!(serde_json::from_str::<Double>(wrong).is_err(), "{wrong}");
    }
    let time: Time = serde_json::from_str("\"1970-01-01T08:00:01+08:00\"").expect("a time");
    assert_eq!(time.seconds(), 1);
}

#[test]
fn a_plain_amount_is_the_one_in_the_stores_currency() {
    let mut refund = samples::refund();
    refund["refund_line_items"][0]["subtotal"] = number_of("8");
    let read = |refund: &Value| decode::<Refund>("", asked(NEWEST), refund.to_string().as_bytes());
    read(&refund).expect("zeros at the end say nothing");
    refund["refund_line_items"][0]["subtotal"] = number_of("8.01");
    let fault = read(&refund).expect_err("two amounts");
    assert_eq!(fault, "subtotal_set has 8 in the store's currency, and beside it stands 8.01");
}

#[test]
fn ids_of_our_own_have_the_platforms_form() {
    let minted = Asked { version: NEWEST, minted: true };
    let read = |order: &Value| decode::<Order>("", minted, order.to_string().as_bytes()).map(drop);
    let order = samples::order();
    assert_eq!(read(&order), Ok(()));
    for (place, id) in [
        ("/id", "2105752002929843772545251"),
        ("/id", "22057520029298437725452511"),
        ("/payment_details/0/pay_seq", "1"),
        ("/fulfillments/0/id", "4005740193290131085320"),
        ("/refunds/0/id", "SL201AS1"),
        ("/refunds/0/transactions/0/id", REFUND),
    ] {
        let mut order = order.clone();
        *order.pointer_mut(place).expect("it is there") = json!(id);
        assert!(read(&order).is_err(), "{place} {id}");
        let imported = decode::<Order>("", asked(NEWEST), order.to_string().as_bytes());
        assert!(imported.is_ok(), "{place} {id}: {:?}", imported.err());
    }
}

#[test]
fn every_topic_is_told_of_something() {
    let samples: BTreeMap<&str, Value> = samples::all().into_iter().map(|sample| (sample.name, sample.body)).collect();
    for (topic, of, subject) in [
        ("refunds/create", "refunds/create", REFUND),
        ("refunds/update", "refunds/create", REFUND),
        ("orders/create", "orders/create", ORDER),
        ("orders/updated", "orders/create", ORDER),
        ("orders/paid", "orders/create", ORDER),
        ("orders/cancelled", "orders/create", ORDER),
        ("orders/edited", "orders/create", ORDER),
        ("orders/fulfilled", "orders/create", ORDER),
        ("orders/partially_fulfilled", "orders/create", ORDER),
        ("orders/delete", "orders/create", ORDER),
        ("order_transactions/create", "order_transactions/create", SLIP),
        ("fulfillments/create", "fulfillments/create", PARCEL),
        ("fulfillments/update", "fulfillments/create", PARCEL),
        ("return/create", "return/create", RETURN),
        ("return/update", "return/create", RETURN),
        ("return_package/create", "return_package/create", RETURN),
        ("return_package/update", "return_package/update", RETURN),
        ("inventory_levels/update", "inventory_levels/update", "i-1"),
    ] {
        let topic = Topic::try_from(topic.to_owned()).expect("a topic");
        let told = Told::read(topic, asked(NEWEST), samples[of].to_string().as_bytes()).expect("a body");
        assert_eq!(told.subject(), subject, "{topic:?}");
    }
    assert!(Topic::try_from("orders/update".to_owned()).is_err(), "it is in headers of examples only");
}

#[test]
fn a_delivery_has_seven_headers_and_a_signature_in_hex() {
    let body = samples::told_refund().to_string();
    let sign = |secret: &str| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        tag.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    let headers: BTreeMap<String, String> = [
        ("content-type", "application/json; charset=utf-8"),
        ("x-shopline-topic", "refunds/create"),
        ("x-shopline-hmac-sha256", &sign("secret")),
        ("x-shopline-shop-domain", "open001.myshopline.com"),
        ("x-shopline-shop-id", "1610418123456"),
        ("x-shopline-merchant-id", "2000001234"),
        ("x-shopline-api-version", "v20260301"),
        ("x-shopline-webhook-id", "0123456789abcdef01234567"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let open = |headers: &BTreeMap<String, String>| Delivery::open(headers, body.as_bytes(), "secret", true);
    let delivery = open(&headers).expect("a delivery");
    assert_eq!((delivery.topic, delivery.api_version.as_str()), (Topic::RefundsCreate, "v20260301"));
    assert_eq!((delivery.shop_id.as_str(), delivery.merchant_id.as_str()), ("1610418123456", "2000001234"));
    assert_eq!(delivery.shop_domain, "open001.myshopline.com");
    assert_eq!(delivery.webhook_id.len(), 24);
    assert_eq!(delivery.body.subject(), REFUND);

    for name in headers.keys() {
        for value in [None, Some("")] {
            let mut headers = headers.clone();
            headers.remove(name);
            headers.extend(value.map(|value| (name.clone(), value.to_owned())));
            assert!(open(&headers).is_err(), "{name}: {value:?}");
        }
    }
    for (name, wrong) in [
        ("content-type", "text/plain".to_owned()),
        ("x-shopline-topic", "refunds/delete".to_owned()),
        ("x-shopline-topic", "orders/create".to_owned()),
        ("x-shopline-hmac-sha256", sign("another")),
        ("x-shopline-hmac-sha256", sign("secret").to_uppercase()),
        ("x-shopline-hmac-sha256", "XzA=".to_owned()),
        ("x-shopline-shop-id", "demo".to_owned()),
        ("x-shopline-api-version", "20260301".to_owned()),
        // It had no `transactions_v2` yet.
        ("x-shopline-api-version", "v20251201".to_owned()),
        ("x-shopline-webhook-id", "7".to_owned()),
    ] {
        let mut headers = headers.clone();
        headers.insert(name.to_owned(), wrong.clone());
        assert!(open(&headers).is_err(), "{name}: {wrong}");
    }
    assert!(Delivery::open(&headers, format!("{body} ").as_bytes(), "secret", true).is_err(), "another body");
}
