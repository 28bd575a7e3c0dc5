//! Endpoints about goods in stock, places, and the store.
//!
//! An inventory item is a variant under another id: our number, in 18 digits. Nothing here has pages; what a list holds
//! at most stands in `limits.rs` of the rules.

use refundry_core::limits::{STOCK_IDS_MAX, STOCK_NAME_CHARS_MAX, STOCK_UNITS_MAX};
use refundry_core::order::Reference;
use serde_json::{Value, json};

use super::params::{self, Query};
use super::{Version, ids, only, reject};
use crate::body::{Fault, Fields, Malformed};
use crate::stock::{ChannelView, LevelView, LocationView, ProfileView, StockCall, StockFault, StockReply};
use crate::text::{percent_decode, rfc3339_offset};
use crate::wire::{Call, Reply, Request, Response, Routed, Scope, StoreView};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET locations/list.json`
    ListLocations,
    /// `GET locations.json`
    Locations,
    /// `GET locations/{id}.json`
    Location(String),
    /// `GET inventory_levels.json`
    Levels,
    /// `POST inventory_levels/set.json`
    Set,
    /// `POST inventory_levels/adjust.json`
    Adjust,
    /// `GET merchants/shop.json`
    Shop,
    /// `GET currency/currencies.json`
    Currencies,
    /// `GET checkouts/payment_settings.json`
    PaymentSettings,
    /// `GET orders/pay_channels.json`
    PayChannels,
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    Some(match path {
        ["locations", "list"] => only(method, "GET", Endpoint::ListLocations),
        ["locations"] => only(method, "GET", Endpoint::Locations),
        ["locations", id] => only(method, "GET", Endpoint::Location(percent_decode(id))),
        ["inventory_levels"] => only(method, "GET", Endpoint::Levels),
        ["inventory_levels", "set"] => only(method, "POST", Endpoint::Set),
        ["inventory_levels", "adjust"] => only(method, "POST", Endpoint::Adjust),
        ["merchants", "shop"] => only(method, "GET", Endpoint::Shop),
        ["currency", "currencies"] => only(method, "GET", Endpoint::Currencies),
        ["checkouts", "payment_settings"] => only(method, "GET", Endpoint::PaymentSettings),
        ["orders", "pay_channels"] => only(method, "GET", Endpoint::PayChannels),
        _ => return None,
    })
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::ListLocations | Endpoint::Locations | Endpoint::Location(_) => (Scope::ReadProducts, "read_location"),
        Endpoint::Levels => (Scope::ReadProducts, "read_inventory"),
        Endpoint::Set | Endpoint::Adjust => (Scope::WriteProducts, "write_inventory"),
        Endpoint::Shop | Endpoint::PayChannels => (Scope::ReadProducts, "read_store_information"),
        Endpoint::Currencies => (Scope::ReadOrders, "read_orders"),
        Endpoint::PaymentSettings => (Scope::WriteOrders, "write_orders"),
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, _: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::ListLocations | Endpoint::Locations => StockCall::Locations,
        // What cannot be the name of a place is the name of none.
        Endpoint::Location(id) => match named(id, ids::location_reference) {
            Ok(location) => StockCall::Location(location),
            Err(_) => return Err(unknown_location()),
        },
        Endpoint::Levels => {
            let query = Query::of(request);
            StockCall::Levels {
                variants: list(&query, "inventory_item_ids", ids::variant_reference)?,
                locations: list(&query, "location_ids", ids::location_reference)?,
            }
        }
        Endpoint::Set => {
            let body = params::body(request)?;
            let fields = params::root(&body)?;
            let (variant, location) = shelf(&fields)?;
            StockCall::Set { variant, location: Some(location), units: units(&fields, "available")? }
        }
        Endpoint::Adjust => {
            let body = params::body(request)?;
            let fields = params::root(&body)?;
            let (variant, location) = shelf(&fields)?;
            StockCall::Adjust { variant, location, by: units(&fields, "available_adjustment")? }
        }
        Endpoint::Shop => StockCall::Profile,
        Endpoint::Currencies | Endpoint::PaymentSettings => StockCall::Shop,
        Endpoint::PayChannels => StockCall::Channels,
    };
    Ok(Call::Stock(Box::new(call)))
}

/// A name by which goods or a place can be known.
fn named(text: &str, read: fn(&str) -> Reference) -> Result<Reference, Fault> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(Fault::Value("a text without NUL characters".to_owned()));
    }
    if text.chars().count() > STOCK_NAME_CHARS_MAX {
        return Err(Fault::TooLong(STOCK_NAME_CHARS_MAX));
    }
    Ok(read(text))
}

/// Ids in a query, with commas between them.
fn list(query: &Query, key: &str, read: fn(&str) -> Reference) -> Result<Vec<Reference>, Response> {
    let entries = query.list(key);
    if entries.len() > STOCK_IDS_MAX {
        return Err(reject::unprocessable(format!("{key} must not have more than {STOCK_IDS_MAX} ids")));
    }
    let fault = |fault| reject::malformed(&Malformed::at(key, fault));
    entries.iter().map(|id| named(id, read).map_err(fault)).collect()
}

/// The item and the location that a body names.
fn shelf(fields: &Fields<'_>) -> Result<(Reference, Reference), Response> {
    let id = |key: &str, read: fn(&str) -> Reference| {
        let text = params::id(fields, key)?.ok_or_else(|| params::missing(fields, key))?;
        named(&text, read).map_err(|fault| reject::malformed(&fields.fault(key, fault)))
    };
    Ok((id("inventory_item_id", ids::variant_reference)?, id("location_id", ids::location_reference)?))
}

/// A count. Typed clients leave a zero out.
fn units(fields: &Fields<'_>, key: &str) -> Result<i64, Response> {
    let units = fields.whole(key).map_err(|m| reject::malformed(&m))?.unwrap_or(0);
    if (-STOCK_UNITS_MAX..=STOCK_UNITS_MAX).contains(&units) {
        return Ok(units);
    }
    Err(reject::unprocessable(format!("{key} is invalid: it must be from -{STOCK_UNITS_MAX} to {STOCK_UNITS_MAX}")))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, _: Version, _: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Stock(reply) = reply else { return None };
    let answer = match (endpoint, &**reply) {
        (Endpoint::ListLocations, StockReply::Locations(all)) => {
            json!({ "locations": all.iter().map(location).collect::<Value>() })
        }
        (Endpoint::Locations, StockReply::Locations(all)) => {
            json!({ "locations": all.iter().map(with_district).collect::<Value>() })
        }
        (Endpoint::Location(_), StockReply::Location(view)) => json!({ "location": location(view) }),
        (Endpoint::Levels, StockReply::Levels(all)) => {
            json!({ "inventory_levels": all.iter().map(|view| level(view, "updated_at")).collect::<Value>() })
        }
        (Endpoint::Set, StockReply::Level(view)) => json!({ "inventory_level": level(view, "updated_at") }),
        // So on the wire.
        (Endpoint::Adjust, StockReply::Level(view)) => json!({ "inventory_level": level(view, "update_at") }),
        (Endpoint::Shop, StockReply::Profile(view)) => json!({ "data": shop(view) }),
        (Endpoint::Currencies, StockReply::Shop(store)) => {
            json!({ "currencies": [{ "currency": store.currency, "enabled": true, "rate_update_at": "" }] })
        }
        (Endpoint::PaymentSettings, StockReply::Shop(store)) => json!({ "payment_settings": [payment_setting(store)] }),
        (Endpoint::PayChannels, StockReply::Channels(all)) => {
            json!({ "pay_channle_list": all.iter().map(channel).collect::<Value>() })
        }
        (_, _) => return None,
    };
    Some(Response::json(200, &answer))
}

/// The address is one text here; what a platform keeps apart of it is blank.
fn location(view: &LocationView) -> Value {
    json!({
        "id": ids::location_id(view.id, view.external_id.as_deref()),
        "name": view.name,
        "active": view.active,
        "is_default": view.is_default.to_string(),
        "legacy": false,
        "address1": view.address,
        "address2": "",
        "city": "",
        "country": "",
        "country_code": "",
        "province": "",
        "province_code": "",
        "zip": "",
        "phone": "",
        "phone_code": "",
        "created_at": rfc3339_offset(view.created_ms),
        "updated_at": rfc3339_offset(view.updated_ms),
    })
}

fn with_district(view: &LocationView) -> Value {
    let mut location = location(view);
    location["district"] = Value::String(String::new());
    location
}

/// Units of an item at a place; `at` is how the time of the last change is spelt.
fn level(view: &LevelView, at: &str) -> Value {
    json!({
        "inventory_item_id": ids::variant_id(view.variant),
        "location_id": ids::location_id(view.location, view.location_external_id.as_deref()),
        "variant_id": view.variant_external_id,
        "available": view.units,
        at: rfc3339_offset(view.updated_ms),
    })
}

/// What nobody told us of a shop is blank.
fn shop(view: &ProfileView) -> Value {
    let ProfileView { store, domain, merchant_id, zone, email } = view;
    json!({
        "id": store.id,
        "name": store.name,
        "currency": store.currency,
        "domain": domain,
        "iana_timezone": zone,
        "merchant_id": merchant_id,
        "email": email,
        "customer_email": email,
        "language": "",
        "location_country_code": "",
        "biz_store_status": OPEN,
        "created_at": rfc3339_offset(store.created_ms),
        "updated_at": rfc3339_offset(store.created_ms),
    })
}

/// The platform's number for a shop that sells.
const OPEN: u8 = 2;

/// Orders come in any currency; a store itself has one.
fn payment_setting(store: &StoreView) -> Value {
    json!({
        "currency_code": store.currency,
        "enabled_presentment_currencies": [store.currency],
        "shopline_payments_account_id": "",
    })
}

/// The platform does not say which words there are for the state; a channel that is there can be used.
fn channel(view: &ChannelView) -> Value {
    json!({
        "pay_channel_id": view.name,
        "pay_channel_code": view.name,
        "pay_channel_name": view.name,
        "pay_channel_desc": format!("paid back by {}", view.gateway),
        "channel_status": "enabled",
    })
}

/// Writes why not.
pub(super) fn refuse(fault: &StockFault) -> Response {
    match fault {
        StockFault::LocationUnknown(_) => unknown_location(),
        StockFault::VariantUnknown(_) => reject::errors(404, "The inventory item does not exist."),
        StockFault::TooMany => reject::unprocessable(format!(
            "available is invalid: it must stay between -{STOCK_UNITS_MAX} and {STOCK_UNITS_MAX}"
        )),
    }
}

fn unknown_location() -> Response {
    reject::errors(404, "The location does not exist.")
}
