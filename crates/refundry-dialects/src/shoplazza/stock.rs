//! Endpoints about what a refund client reads of goods: locations, variants, their stock, the shop.
//!
//! An inventory item is a variant under another id: our number, in 18 digits. Places to stock are few and named by id,
//! so nothing here has pages; what a list holds at most stands in `limits.rs` of the rules.

use refundry_core::limits::{STOCK_IDS_MAX, STOCK_NAME_CHARS_MAX, STOCK_UNITS_MAX};
use refundry_core::order::Reference;
use serde_json::{Map, Value, json};

use super::decode::Bad;
use super::encode::envelope;
use super::list::Params;
use super::reject::{Kind, not_found, say};
use super::{Version, print_id, reference};
use crate::body::{self, Fault, Fields, Malformed};
use crate::stock::{LevelView, LocationView, StockCall, StockFault, StockReply, VariantView};
use crate::text::{percent_decode, query_pairs, rfc3339_seconds};
use crate::wire::{Request, Response, Routed, Scope, StoreView};

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /shop`.
    Shop,
    /// `GET /locations`.
    Locations,
    /// `GET /locations/default`.
    DefaultLocation,
    /// `GET /locations/{id}/inventory_levels`.
    LevelsAt(String),
    /// `GET /inventory_items`.
    Items,
    /// `GET /inventory_items/{id}`.
    Item(String),
    /// `GET /inventory_items/variant`.
    ItemsOfVariants,
    /// `GET /inventory_levels`.
    Levels,
    /// `PUT /inventory_levels`.
    Adjust,
    /// `POST /inventory_levels/set`, which adds, too.
    Set,
    /// `POST /inventory_levels`.
    Connect,
    /// `DELETE /inventory_levels`.
    Disconnect,
    /// `GET /variants/{id}`.
    Variant(String),
    /// `PUT /variants/{id}`.
    SetVariant(String),
}

/// The endpoint of a method and a path below the version; `None` where the path is none of these.
pub(super) fn route(_version: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let to = |endpoint| Some(Routed::To(endpoint));
    match (path, method) {
        (["shop"], "GET") => to(Endpoint::Shop),
        (["locations"], "GET") => to(Endpoint::Locations),
        (["locations", "default"], "GET") => to(Endpoint::DefaultLocation),
        (["locations", id, "inventory_levels"], "GET") => to(Endpoint::LevelsAt(percent_decode(id))),
        (["inventory_items"], "GET") => to(Endpoint::Items),
        (["inventory_items", "variant"], "GET") => to(Endpoint::ItemsOfVariants),
        (["inventory_items", id], "GET") => to(Endpoint::Item(percent_decode(id))),
        (["inventory_levels"], "GET") => to(Endpoint::Levels),
        (["inventory_levels"], "PUT") => to(Endpoint::Adjust),
        (["inventory_levels"], "POST") => to(Endpoint::Connect),
        (["inventory_levels"], "DELETE") => to(Endpoint::Disconnect),
        (["inventory_levels", "set"], "POST") => to(Endpoint::Set),
        (["variants", id], "GET") => to(Endpoint::Variant(percent_decode(id))),
        (["variants", id], "PUT") => to(Endpoint::SetVariant(percent_decode(id))),
        (
            ["shop" | "locations" | "inventory_items"]
            | ["locations", "default"]
            | ["inventory_items", _]
            | ["locations", _, "inventory_levels"],
            _,
        ) => Some(Routed::MethodNotAllowed("GET")),
        (["inventory_levels"], _) => Some(Routed::MethodNotAllowed("GET, PUT, POST, DELETE")),
        (["inventory_levels", "set"], _) => Some(Routed::MethodNotAllowed("POST")),
        (["variants", _], _) => Some(Routed::MethodNotAllowed("GET, PUT")),
        _ => None,
    }
}

/// What a token must allow; for the shop itself, see [`takes_any_token`].
pub(super) const fn scope(endpoint: &Endpoint) -> Scope {
    match endpoint {
        Endpoint::Shop
        | Endpoint::Locations
        | Endpoint::DefaultLocation
        | Endpoint::LevelsAt(_)
        | Endpoint::Items
        | Endpoint::Item(_)
        | Endpoint::ItemsOfVariants
        | Endpoint::Levels
        | Endpoint::Variant(_) => Scope::ReadProducts,
        Endpoint::Adjust | Endpoint::Set | Endpoint::Connect | Endpoint::Disconnect | Endpoint::SetVariant(_) => {
            Scope::WriteProducts
        }
    }
}

/// Whether a token that works is enough, whatever it allows.
pub(super) const fn takes_any_token(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Shop)
}

/// Makes a call of a request.
pub(super) fn decode(endpoint: &Endpoint, _version: Version, request: &Request<'_>) -> Result<StockCall, Bad> {
    let query = || Params(query_pairs(request.query));
    Ok(match endpoint {
        Endpoint::Shop => StockCall::Shop,
        Endpoint::Locations => StockCall::Locations,
        Endpoint::DefaultLocation => StockCall::DefaultLocation,
        Endpoint::LevelsAt(id) => StockCall::LevelsAt(named(id, "location_id")?),
        Endpoint::Items => StockCall::Variants(required_list(&query(), "inventory_item_ids")?),
        Endpoint::ItemsOfVariants => StockCall::Variants(required_list(&query(), "variant_ids")?),
        Endpoint::Item(id) => StockCall::Variant(named(id, "inventory_item_id")?),
        Endpoint::Variant(id) => StockCall::Variant(named(id, "variant_id")?),
        Endpoint::Levels => StockCall::Levels {
            variants: list(&query(), "inventory_item_ids")?,
            locations: list(&query(), "location_ids")?,
        },
        Endpoint::Adjust => {
            let body = body(request)?;
            let fields = Fields::root(&body)?;
            let (variant, location) = shelf(&fields)?;
            StockCall::Adjust { variant, location, by: units(&fields, "stock_adjustment", 1)? }
        }
        Endpoint::Set => {
            let body = body(request)?;
            let fields = Fields::root(&body)?;
            let (variant, location) = shelf(&fields)?;
            StockCall::Adjust { variant, location, by: units(&fields, "stock", 0)? }
        }
        Endpoint::Connect => {
            let body = body(request)?;
            let (variant, location) = shelf(&Fields::root(&body)?)?;
            StockCall::Connect { variant, location }
        }
        Endpoint::Disconnect => {
            let (variant, location) = named_shelf(request, &query())?;
            StockCall::Disconnect { variant, location }
        }
        Endpoint::SetVariant(id) => {
            let variant = named(id, "variant_id")?;
            let body = body(request)?;
            let root = Fields::root(&body)?;
            let fields = root.object("variant")?.ok_or_else(|| root.fault("variant", Fault::Missing))?;
            let units = units(&fields, "inventory_quantity", -STOCK_UNITS_MAX)?;
            StockCall::Set { variant, location: None, units }
        }
    })
}

/// A body that must be there.
fn body(request: &Request<'_>) -> Result<Value, Malformed> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let body = body::parse(request.body)?;
    Ok(if body.is_null() { Value::Object(Map::new()) } else { body })
}

fn named(text: &str, key: &str) -> Result<Reference, Malformed> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Malformed::at(key, Fault::Missing));
    }
    if text.contains('\0') {
        return Err(Malformed::at(key, Fault::Value("a text without NUL characters".to_owned())));
    }
    if text.chars().count() > STOCK_NAME_CHARS_MAX {
        return Err(Malformed::at(key, Fault::TooLong(STOCK_NAME_CHARS_MAX)));
    }
    Ok(reference(text))
}

fn list(query: &Params, key: &'static str) -> Result<Vec<Reference>, Malformed> {
    let keys = [key];
    let ids = query.list(&keys);
    if ids.len() > STOCK_IDS_MAX {
        return Err(Malformed::at(key, Fault::Value(format!("at most {STOCK_IDS_MAX} ids"))));
    }
    ids.into_iter().map(|id| named(id, key)).collect()
}

fn required_list(query: &Params, key: &'static str) -> Result<Vec<Reference>, Malformed> {
    let ids = list(query, key)?;
    if ids.is_empty() { Err(Malformed::at(key, Fault::Missing)) } else { Ok(ids) }
}

/// An item and a location, as a body names them; ids may come as numbers.
fn shelf(fields: &Fields<'_>) -> Result<(Reference, Reference), Malformed> {
    let id = |key: &str| named(&fields.text_or_number(key)?.unwrap_or_default(), &fields.path(key));
    Ok((id("inventory_item_id")?, id("location_id")?))
}

/// The same in the query of a DELETE, or in its body, where some clients put it.
fn named_shelf(request: &Request<'_>, query: &Params) -> Result<(Reference, Reference), Malformed> {
    let first = |key: &'static str| query.first(&[key]).map(str::to_owned);
    match (first("inventory_item_id"), first("location_id")) {
        (None, None) => shelf(&Fields::root(&body(request)?)?),
        (item, location) => Ok((
            named(&item.unwrap_or_default(), "inventory_item_id")?,
            named(&location.unwrap_or_default(), "location_id")?,
        )),
    }
}

fn units(fields: &Fields<'_>, key: &str, least: i64) -> Result<i64, Malformed> {
    let units = fields.whole(key)?.ok_or_else(|| fields.fault(key, Fault::Missing))?;
    let range = || fields.fault(key, Fault::Value(format!("a whole number from {least} to {STOCK_UNITS_MAX}")));
    Some(units).filter(|units| (least..=STOCK_UNITS_MAX).contains(units)).ok_or_else(range)
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(
    endpoint: &Endpoint,
    version: Version,
    _request: &Request<'_>,
    reply: &StockReply,
) -> Option<Response> {
    let (key, value) = match (endpoint, reply) {
        (Endpoint::Shop, StockReply::Shop(store)) => ("shop", shop(store)),
        (Endpoint::Locations, StockReply::Locations(all)) => ("locations", all.iter().map(location).collect()),
        (Endpoint::DefaultLocation, StockReply::Location(view)) => ("location", location(view)),
        (Endpoint::LevelsAt(_) | Endpoint::Levels, StockReply::Levels(all)) => {
            ("inventory_levels", all.iter().map(level).collect())
        }
        (Endpoint::Items, StockReply::Variants(all)) => ("inventory_items", all.iter().map(item).collect()),
        (Endpoint::ItemsOfVariants, StockReply::Variants(all)) => {
            let pair =
                |view: &VariantView| json!({ "inventory_item_id": print_id(view.id), "variant_id": view.external_id });
            ("variant_inventory_items", all.iter().map(pair).collect())
        }
        (Endpoint::Item(_), StockReply::Variant { variant, .. }) => ("inventory_item", item(variant)),
        (Endpoint::Adjust | Endpoint::Set | Endpoint::Connect, StockReply::Level(view)) => {
            ("inventory_level", level(view))
        }
        (Endpoint::Disconnect, StockReply::Disconnected) => ("", Value::Null),
        (Endpoint::Variant(_) | Endpoint::SetVariant(_), StockReply::Variant { variant: view, units }) => {
            ("variant", variant(view, *units))
        }
        (_, _) => return None,
    };
    let modern = version.is_modern();
    let data = match key {
        "" => json!({}),
        // A modern answer has the shop itself where others have it under its name.
        "shop" if modern => value,
        key => json!({ key: value }),
    };
    Some(Response::json(200, &if modern { envelope(version, "success", &data) } else { data }))
}

fn location(view: &LocationView) -> Value {
    json!({
        "id": place(view.external_id.as_deref(), view.id),
        "name": view.name,
        "active": view.active,
        "default": view.is_default,
        "address": view.address,
    })
}

fn place(external_id: Option<&str>, id: refundry_core::order::Id) -> String {
    external_id.map_or_else(|| print_id(id), str::to_owned)
}

fn item(view: &VariantView) -> Value {
    json!({
        "id": print_id(view.id),
        "variant_id": view.external_id,
        "tracking": view.tracked,
        // Selling is not stopped here, whatever there is.
        "tracking_policy": "continue",
    })
}

fn level(view: &LevelView) -> Value {
    json!({
        "inventory_item_id": print_id(view.variant),
        "location_id": place(view.location_external_id.as_deref(), view.location),
        "stock": view.units,
        "updated_at": rfc3339_seconds(view.updated_ms),
    })
}

fn variant(view: &VariantView, units: i64) -> Value {
    json!({
        "id": view.external_id,
        "product_id": view.product_id,
        "title": view.title,
        "sku": view.sku,
        "price": view.price.to_decimal(view.currency, view.currency.exponent().max(2)),
        "inventory_quantity": units,
    })
}

/// What nobody told us of a shop is blank.
fn shop(store: &StoreView) -> Value {
    let domain = format!("{}.myshoplaza.com", store.handle);
    json!({
        "id": store.id,
        "name": store.name,
        "email": "",
        "domain": domain,
        "system_domain": domain,
        "address1": "",
        "zip": "",
        "city": "",
        "phone": "",
        "primary_locale": "",
        "country_code": "",
        "province_code": "",
        "currency": store.currency,
        "customer_email": "",
        "timezone": "+0000",
        "shop_owner": "",
        "account": "",
        "created_at": rfc3339_seconds(store.created_ms),
        "updated_at": rfc3339_seconds(store.created_ms),
        "icon": { "alt": "", "src": "", "path": "" },
        "root_url": format!("https://{domain}"),
    })
}

/// Writes why not.
pub(super) fn refuse(modern: bool, fault: &StockFault) -> Response {
    match fault {
        StockFault::LocationUnknown(id) => {
            not_found(modern, "Record not found", &format!("There is no location {id}."))
        }
        StockFault::VariantUnknown(id) => {
            not_found(modern, "Record not found", &format!("There is no variant or inventory item {id}."))
        }
        StockFault::TooMany => {
            say(modern, Kind::Invalid, &format!("stock must stay between -{STOCK_UNITS_MAX} and {STOCK_UNITS_MAX}"))
        }
    }
}
