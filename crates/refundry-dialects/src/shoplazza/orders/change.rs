//! Wire → call: texts, addresses, shipping and additional prices of an order that change.

use refundry_core::amend::Amendment;
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, NOTE_CHARS_MAX};
use refundry_core::money::Decimal;
use refundry_core::order::Reference;
use refundry_core::terms::{TermChange, TermKind};
use serde_json::{Map, Value, json};

use super::super::decode::{Bad, body_or_null, required_amount, required_text};
use super::super::{Version, terms};
use crate::body::{Fault, Fields, Malformed};
use crate::shop::ShopCall;
use crate::wire::Request;

/// Characters of any text that is only shown again.
pub(super) const TEXT_CHARS_MAX: usize = 1_000;

/// Texts of an address.
const ADDRESS: [&str; 15] = [
    "first_name",
    "last_name",
    "email",
    "phone_area_code",
    "phone",
    "country",
    "country_code",
    "province",
    "province_code",
    "city",
    "area",
    "address",
    "address1",
    "zip",
    "company",
];

/// Who is told of what: 0, 1 or 2.
const NOTIFICATIONS: [&str; 4] =
    ["order_confirm_notify", "fulfillment_notify", "partial_fulfillment_notify", "order_delivered_notify"];

/// Reads the body: flat in legacy versions, under `order` in modern ones.
pub(super) fn decode(version: Version, request: &Request<'_>, order: Reference) -> Result<ShopCall, Bad> {
    let body = body_or_null(request)?;
    let empty = json!({});
    let root = Fields::root(if body.is_null() { &empty } else { &body })?;
    let amendment = if version.is_modern() {
        let given = root.object("order")?.ok_or_else(|| root.fault("order", Fault::Missing))?;
        modern(&given)?
    } else {
        legacy(&root)?
    };
    Ok(ShopCall::Amend { order, amendment: Box::new(amendment) })
}

fn legacy(order: &Fields<'_>) -> Result<Amendment, Malformed> {
    let mut patch = texts(order)?;
    // One document spells it so.
    if let Some(accepts) = order.flag("buyer_accespts_marketing")? {
        patch.entry("buyer_accepts_marketing").or_insert(accepts.into());
    }
    Ok(Amendment { document: document(&patch), terms: Some(terms_of(patch)), ..Amendment::default() })
}

fn modern(order: &Fields<'_>) -> Result<Amendment, Malformed> {
    let mut patch = texts(order)?;
    notifications(&mut patch, order)?;
    let mut amendment = Amendment::default();
    if let Some(line) = order.object("shipping_line")? {
        required_text(&line, "shipping_name")?;
        amendment.shipping = Some(required_amount(&line, "shipping_price")?);
        let mut shown = Map::new();
        put_text(&mut shown, "name", &line, "shipping_name")?;
        put_text(&mut shown, "desc", &line, "shipping_desc")?;
        if let Some(method) = line.whole("delivery_method")? {
            shown.insert("delivery_method".to_owned(), method.into());
        }
        // Figures of the order that was read may be stale now; the books know them.
        shown.insert("shipping_price".to_owned(), Value::Null);
        patch.insert("shipping_line".to_owned(), shown.into());
        patch.insert("total_shipping".to_owned(), Value::Null);
    }
    let cleared = order.flag("clear_additional_prices")?.unwrap_or(false);
    let given = order.objects("additional_prices", ENTRIES_PER_REQUEST_MAX)?;
    if cleared || !given.is_empty() {
        let (charges, shown) = charges(&given)?;
        amendment.charges = Some(charges);
        patch.insert("additional_prices".to_owned(), shown.into());
        patch.insert("additional_total".to_owned(), Value::Null);
    }
    if amendment.shipping.is_some() || amendment.charges.is_some() {
        patch.insert("total_price".to_owned(), Value::Null);
        patch.insert("primary_market_price".to_owned(), Value::Null);
    }
    amendment.document = document(&patch);
    amendment.terms = Some(terms_of(patch));
    Ok(amendment)
}

/// A patch of the order inside its document; empty where nothing of it changes.
fn document(patch: &Map<String, Value>) -> String {
    if patch.is_empty() { String::new() } else { json!({ "order": patch }).to_string() }
}

/// What a patch changes of what the order is found by. The names that it had go on leading to it.
fn terms_of(patch: Map<String, Value>) -> TermChange {
    let address = patch.get("shipping_address");
    let told = |key: &str| address.is_some_and(|address| address.get(key).is_some());
    let kinds = [
        (patch.contains_key("tags"), TermKind::Tag),
        (told("email"), TermKind::ShippingEmail),
        (told("phone"), TermKind::ShippingPhone),
    ];
    let gone = kinds.into_iter().filter(|(told, _)| *told).map(|(_, kind)| kind).collect();
    let more = terms::of(&Value::Object(patch));
    TermChange::Changed { gone, more }
}

/// Prices by name, and what else is to be shown of them.
type Charges = (Vec<(String, Decimal)>, Vec<Value>);

fn charges(given: &[Fields<'_>]) -> Result<Charges, Malformed> {
    let (mut charges, mut shown) = (Vec::new(), Vec::new());
    for charge in given {
        let name = required_text(charge, "name")?.to_owned();
        charges.push((name.clone(), required_amount(charge, "price")?));
        let mut texts = Map::from_iter([("name".to_owned(), Value::from(name))]);
        put_text(&mut texts, "fee_title", charge, "fee_title")?;
        put_text(&mut texts, "biz_id", charge, "biz_id")?;
        shown.push(Value::Object(texts));
    }
    Ok((charges, shown))
}

/// What changes alike in both generations.
fn texts(order: &Fields<'_>) -> Result<Map<String, Value>, Malformed> {
    let mut patch = Map::new();
    if order.value("note").is_some() {
        patch.insert("note".to_owned(), order.text_or_empty("note", NOTE_CHARS_MAX)?.into());
    }
    if let Some(tags) = tags(order)? {
        patch.insert("tags".to_owned(), tags.into());
    }
    if let Some(accepts) = order.flag("buyer_accepts_marketing")? {
        patch.insert("buyer_accepts_marketing".to_owned(), accepts.into());
    }
    if let Some(given) = order.object("shipping_address")? {
        let changed = address(&given)?;
        if !changed.is_empty() {
            patch.insert("shipping_address".to_owned(), changed.into());
        }
    }
    Ok(patch)
}

/// The texts of an address that are given.
pub(in crate::shoplazza) fn address(given: &Fields<'_>) -> Result<Map<String, Value>, Malformed> {
    let mut shown = Map::new();
    for key in ADDRESS {
        put_text(&mut shown, key, given, key)?;
    }
    for key in ["latitude", "longitude"] {
        if let Some(degrees) = given.text_or_number(key)? {
            shown.insert(key.to_owned(), degrees.into());
        }
    }
    if let Some(cpf) = given.text("cpf")? {
        shown.insert("extra_info".to_owned(), json!({ "cpf": cpf }));
    }
    if shown.contains_key("address") {
        // Orders of the older shape call the two street lines otherwise.
        shown.entry("address1").or_insert("".into());
        shown.insert("address2".to_owned(), Value::Null);
    }
    let name = ["first_name", "last_name"].map(|key| shown.get(key).and_then(Value::as_str));
    match name {
        [Some(first), Some(last)] => {
            let name = format!("{first} {last}").trim().to_owned();
            shown.insert("name".to_owned(), name.into());
        }
        // One of them alone does not tell the whole name, and the whole name that was known is wrong now.
        [Some(_), None] | [None, Some(_)] => {
            shown.insert("name".to_owned(), Value::Null);
        }
        [None, None] => {}
    }
    Ok(shown)
}

/// Puts a text that is given, `""` included.
pub(super) fn put_text(
    shown: &mut Map<String, Value>,
    key: &str,
    given: &Fields<'_>,
    name: &str,
) -> Result<(), Malformed> {
    if given.value(name).is_some() {
        shown.insert(key.to_owned(), given.text_or_empty(name, TEXT_CHARS_MAX)?.into());
    }
    Ok(())
}

/// Tags as they are shown, `a, b`: given as a list, or as a text with commas.
pub(super) fn tags(order: &Fields<'_>) -> Result<Option<String>, Malformed> {
    let wrong = || order.fault("tags", Fault::Type("a list of strings"));
    let tags: Vec<&str> = match order.value("tags") {
        None => return Ok(None),
        Some(Value::String(text)) => text.split(',').collect(),
        Some(Value::Array(tags)) if tags.len() <= ENTRIES_PER_REQUEST_MAX => {
            tags.iter().map(|tag| tag.as_str().ok_or_else(wrong)).collect::<Result<_, _>>()?
        }
        Some(Value::Array(_)) => return Err(order.fault("tags", Fault::TooLong(ENTRIES_PER_REQUEST_MAX))),
        Some(_) => return Err(wrong()),
    };
    let tags: Vec<&str> = tags.into_iter().map(str::trim).filter(|tag| !tag.is_empty()).collect();
    let tags = tags.join(", ");
    if tags.contains('\0') || tags.chars().count() > TEXT_CHARS_MAX {
        return Err(order.fault("tags", Fault::TooLong(TEXT_CHARS_MAX)));
    }
    Ok(Some(tags))
}

/// Who is told of what.
pub(super) fn notifications(shown: &mut Map<String, Value>, order: &Fields<'_>) -> Result<(), Malformed> {
    for key in NOTIFICATIONS {
        if let Some(flag) = order.whole(key)? {
            if !(0..=2).contains(&flag) {
                return Err(order.fault(key, Fault::Value("0, 1 or 2".to_owned())));
            }
            shown.insert(key.to_owned(), flag.into());
        }
    }
    Ok(())
}
