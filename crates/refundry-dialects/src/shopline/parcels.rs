//! Endpoints about parcels of an order, which this API calls fulfilments: ship, list, call off, follow otherwise.
//!
//! Public documentation: <https://developer.shopline.com/docs/admin-rest-api/order/fulfillment>.

use refundry_core::order::Reference;
use refundry_core::parcels::{Parcel, ParcelQuery, ParcelState, Shipment, Track, TrackingChange};
use refundry_core::slips::SlipFault;
use serde_json::{Value, json};

use super::money::Money;
use super::orders::{Document, Kept, sold_line};
use super::params::{self, flag, missing, objects};
use super::reject::{self, unprocessable};
use super::{Version, ids};
use crate::body::{Fault, Fields};
use crate::parcels::{ParcelCall, ParcelFault, ParcelReply};
use crate::text::{percent_decode, rfc3339_offset};
use crate::wire::{Call, OrderView, Reply, Request, Response, Routed, Scope};

/// Parcels of one list, which has no pages: the newest.
const LISTED_MAX: u32 = 1_000;
/// Most ways to follow a parcel.
const TRACKS_MAX: usize = 10;
/// Longest tracking number or name of a carrier.
const TEXT_CHARS_MAX: usize = 255;
/// Longest address of a page, as browsers take it.
const URL_CHARS_MAX: usize = 2_000;

/// The endpoints, with their path parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST orders/{order_id}/fulfillments.json`
    Ship {
        /// The order's id.
        order: String,
    },
    /// `GET orders/{order_id}/fulfillments.json`
    List {
        /// The order's id.
        order: String,
    },
    /// `POST orders/{order_id}/fulfillments/{fulfillment_id}/cancel.json`, and
    /// `POST fulfillments/{fulfillment_id}/{order_id}/cancel.json`
    Unship {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
    /// `POST orders/{order_id}/fulfillments/{fulfillment_id}/update_tracking.json`, and
    /// `POST fulfillments/{order_id}/{fulfillment_id}/update_tracking.json`
    Track {
        /// The order's id.
        order: String,
        /// The fulfilment's id.
        parcel: String,
    },
}

/// The endpoint of a method and the names of a path; `None` where the path is none of these.
pub(super) fn route(_: Version, method: &str, path: &[&str]) -> Option<Routed<Endpoint>> {
    let unship = |(order, parcel)| super::only(method, "POST", Endpoint::Unship { order, parcel });
    let track = |(order, parcel)| super::only(method, "POST", Endpoint::Track { order, parcel });
    Some(match path {
        ["orders", order, "fulfillments"] => {
            let order = percent_decode(order);
            match method {
                "GET" => Routed::To(Endpoint::List { order }),
                "POST" => Routed::To(Endpoint::Ship { order }),
                _ => Routed::MethodNotAllowed("GET, POST"),
            }
        }
        ["orders", order, "fulfillments", parcel, "cancel"] | ["fulfillments", parcel, order, "cancel"] => {
            unship(told_apart(order, parcel))
        }
        ["orders", order, "fulfillments", parcel, "update_tracking"]
        | ["fulfillments", order, parcel, "update_tracking"] => track(told_apart(order, parcel)),
        _ => return None,
    })
}

/// Order and parcel of a path. Clients put the two in either order, so what they look like counts more than where they
/// stand.
fn told_apart(order: &str, parcel: &str) -> (String, String) {
    let (order, parcel) = (percent_decode(order), percent_decode(parcel));
    let is_parcel = |text: &str| text.starts_with("220") || text.starts_with("400");
    let is_order = |text: &str| text.starts_with("210");
    let swapped = (is_parcel(&order) && !is_parcel(&parcel)) || (is_order(&parcel) && !is_order(&order));
    if swapped { (parcel, order) } else { (order, parcel) }
}

/// What a token must allow, and the platform's word for it.
pub(super) const fn scope(endpoint: &Endpoint) -> (Scope, &'static str) {
    match endpoint {
        Endpoint::List { .. } => (Scope::ReadOrders, "read_orders"),
        Endpoint::Ship { .. } | Endpoint::Unship { .. } | Endpoint::Track { .. } => {
            (Scope::WriteOrders, "write_orders")
        }
    }
}

/// Makes a call of a request, or the finished refusal.
pub(super) fn decode(endpoint: &Endpoint, version: Version, request: &Request<'_>) -> Result<Call, Response> {
    let call = match endpoint {
        Endpoint::Ship { order } => ParcelCall::Ship { order: order_of(order), shipment: shipment(version, request)? },
        Endpoint::List { order } => ParcelCall::List {
            order: order_of(order),
            query: ParcelQuery { limit: LISTED_MAX, ..ParcelQuery::default() },
        },
        Endpoint::Unship { order, parcel } => {
            // Nothing in it counts, but it must be one.
            params::root(&params::body(request)?)?;
            ParcelCall::Unship { order: order_of(order), parcel: ids::parcel_reference(parcel) }
        }
        Endpoint::Track { order, parcel } => ParcelCall::Track {
            order: order_of(order),
            parcel: ids::parcel_reference(parcel),
            tracking: tracking_change(version, request)?,
        },
    };
    Ok(Call::Parcels(Box::new(call)))
}

fn order_of(text: &str) -> Reference {
    ids::order_reference(text)
}

/// What is to be shipped: without lines, everything that is left.
fn shipment(version: Version, request: &Request<'_>) -> Result<Shipment, Response> {
    let body = params::body(request)?;
    let root = params::root(&body)?;
    // What is not set is the same as nothing, so an empty one ships everything as well.
    let Some(asked) = inner(&root, "fulfillment")? else { return Ok(Shipment::default()) };
    flag(&asked, "notify_customer")?;
    let units = objects(&asked, "line_items")?.iter().map(unit).collect::<Result<_, _>>()?;
    let tracking = if let Some(tracks) = tracks(version, &asked)? {
        TrackingChange { tracks: Some(tracks), ..TrackingChange::default() }
    } else {
        main_track(&asked, ["tracking_company", "tracking_number", "tracking_url"])?
    };
    Ok(Shipment { units, tracking })
}

fn unit(item: &Fields<'_>) -> Result<(Reference, Option<u32>), Response> {
    let line = params::id(item, "id")?.ok_or_else(|| missing(item, "id"))?;
    // Left out is what a typed client makes of zero.
    let quantity = item.whole("quantity").map_err(|m| reject::malformed(&m))?.unwrap_or(0);
    if quantity < 1 {
        return Err(unprocessable("quantity is invalid"));
    }
    // More than can be counted is more than there is.
    Ok((ids::line_reference(&line), Some(u32::try_from(quantity).unwrap_or(u32::MAX))))
}

/// How a parcel is followed from now on.
fn tracking_change(version: Version, request: &Request<'_>) -> Result<TrackingChange, Response> {
    let body = params::body(request)?;
    let root = params::root(&body)?;
    let asked = inner(&root, "fulfillment")?.ok_or_else(|| missing(&root, "fulfillment"))?;
    flag(&asked, "notify_customer")?;
    if let Some(tracks) = tracks(version, &asked)? {
        return Ok(TrackingChange { tracks: Some(tracks), ..TrackingChange::default() });
    }
    let info = inner(&asked, "tracking_info")?.ok_or_else(|| missing(&asked, "tracking_info"))?;
    if info.value("number").is_none() {
        return Err(missing(&info, "number"));
    }
    main_track(&info, ["company", "number", "url"])
}

/// The list of tracks, in the versions that have it; `None` where there is none.
fn tracks(version: Version, asked: &Fields<'_>) -> Result<Option<Vec<Track>>, Response> {
    if version < Version::WITH_TRACKING_LIST || asked.value("tracking_info_list").is_none() {
        return Ok(None);
    }
    let list = asked.objects("tracking_info_list", TRACKS_MAX).map_err(|m| reject::malformed(&m))?;
    let track = |item: &Fields<'_>| {
        Ok(Track {
            number: text(item, "tracking_number", TEXT_CHARS_MAX)?.ok_or_else(|| missing(item, "tracking_number"))?,
            company: text(item, "tracking_company", TEXT_CHARS_MAX)?.unwrap_or_default(),
            company_code: String::new(),
            url: text(item, "tracking_url", URL_CHARS_MAX)?.unwrap_or_default(),
        })
    };
    list.iter().map(track).collect::<Result<_, _>>().map(Some)
}

/// Carrier, number and address of one track; what is not said stays.
fn main_track(fields: &Fields<'_>, [company, number, url]: [&str; 3]) -> Result<TrackingChange, Response> {
    Ok(TrackingChange {
        company: text(fields, company, TEXT_CHARS_MAX)?,
        number: text(fields, number, TEXT_CHARS_MAX)?,
        url: text(fields, url, URL_CHARS_MAX)?,
        ..TrackingChange::default()
    })
}

/// A text or a number as text, trimmed.
fn text(fields: &Fields<'_>, key: &str, max: usize) -> Result<Option<String>, Response> {
    let Some(text) = fields.text_or_number(key).map_err(|m| reject::malformed(&m))? else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > max {
        return Err(reject::malformed(&fields.fault(key, Fault::TooLong(max))));
    }
    Ok(Some(text.to_owned()))
}

fn inner<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<Fields<'a>>, Response> {
    fields.object(key).map_err(|m| reject::malformed(&m))
}

/// Writes the answer; `None` if it is to another question.
pub(super) fn encode(endpoint: &Endpoint, version: Version, _: &Request<'_>, reply: &Reply) -> Option<Response> {
    let Reply::Parcels(reply) = reply else { return None };
    let written = match (endpoint, &**reply) {
        (
            Endpoint::Ship { .. } | Endpoint::Unship { .. } | Endpoint::Track { .. },
            ParcelReply::Parcel { order, parcel },
        ) => json!({ "fulfillment": object(version, order, parcel) }),
        (Endpoint::List { .. }, ParcelReply::Parcels { order, parcels, .. }) => {
            // As they were sent, the first one first.
            let shown = parcels.iter().rev().map(|parcel| object(version, order, parcel));
            json!({ "fulfillments": shown.collect::<Vec<Value>>() })
        }
        (_, _) => return None,
    };
    Some(Response::json(200, &written))
}

/// A parcel by itself.
pub(in crate::shopline) fn object(version: Version, view: &OrderView, parcel: &Parcel) -> Value {
    of_order(version, view, Document::of(view).order(), parcel)
}

/// A parcel of an order whose document was read. A unit whose line the order has no more is left out.
pub(in crate::shopline) fn of_order(version: Version, view: &OrderView, kept: Kept<'_>, parcel: &Parcel) -> Value {
    let order = &*view.facts.order;
    let items = parcel.units.iter().filter_map(|units| {
        let index = order.lines.iter().position(|line| line.id == units.line)?;
        let mut item = sold_line(view, kept, index);
        let discount = order.lines.get(index).map(|line| Money::converted(order, line.discount));
        item.insert("fulfillment_quantity".to_owned(), units.quantity.into());
        item.insert("total_discount".to_owned(), discount?.plain().into());
        Some(Value::Object(item))
    });
    let items: Vec<Value> = items.collect();
    let tracks = &parcel.tracking.tracks;
    let said = |text: fn(&Track) -> &str| tracks.iter().map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let main = parcel.tracking.main();
    let mut shown = json!({
        "id": ids::parcel_id(order, parcel),
        "order_id": ids::order_id(order),
        "name": format!("{}-F{}", order.number, parcel.number),
        "status": if parcel.state == ParcelState::Cancelled { "cancelled" } else { "success" },
        "shipment_status": if parcel.state == ParcelState::Finished { "delivered" } else { "" },
        "created_at": rfc3339_offset(parcel.created_ms),
        "updated_at": rfc3339_offset(parcel.updated_ms),
        "tracking_company": main.company,
        "tracking_number": main.number,
        "tracking_url": main.url,
        "tracking_numbers": said(|track| &track.number),
        "tracking_urls": said(|track| &track.url),
        "line_items": items,
    });
    if let Some(map) = shown.as_object_mut().filter(|_| version >= Version::WITH_TRACKING_LIST) {
        map.insert("tracking_info_list".to_owned(), tracks.iter().map(track).collect());
    }
    shown
}

fn track(track: &Track) -> Value {
    json!({
        "tracking_company": track.company,
        "tracking_number": track.number,
        "tracking_url": track.url,
    })
}

/// Writes why not: what is asked about parcels, payments and slips of an order.
pub(super) fn refuse(fault: &ParcelFault) -> Response {
    match fault {
        ParcelFault::ParcelUnknown(_) => reject::errors(404, "The fulfillment does not exist."),
        fault => unprocessable(words(fault)),
    }
}

fn words(fault: &ParcelFault) -> String {
    match fault {
        ParcelFault::ParcelUnknown(id) => format!("fulfillment {id} does not exist in the order"),
        ParcelFault::OrderCancelled => "the order was cancelled".to_owned(),
        ParcelFault::AlreadyPaid => "the order is paid already".to_owned(),
        ParcelFault::NothingToCapture(channel) | ParcelFault::ChannelUnknown(channel) => {
            format!("no payment through {channel} waits to be captured")
        }
        ParcelFault::AmountInvalid { .. } => "amount is invalid".to_owned(),
        ParcelFault::PaysTooMuch { .. } => "payment amount exceeds the outstanding amount of the order".to_owned(),
        ParcelFault::LineUnknown { line, .. } => format!("line_item_id {line} does not exist in the order"),
        ParcelFault::TooManyUnits { .. } => "fulfillment quantity exceeds the fulfillable quantity".to_owned(),
        ParcelFault::NothingToShip => "the order has nothing left to fulfill".to_owned(),
        ParcelFault::ParcelOver(ParcelState::Finished) => "the fulfillment was delivered".to_owned(),
        ParcelFault::ParcelOver(_) => "the fulfillment was cancelled".to_owned(),
        ParcelFault::UnitsRefunded { .. } => "units of the fulfillment were refunded as shipped".to_owned(),
        ParcelFault::Slip(fault) => match fault {
            SlipFault::Unknown(id) => format!("transaction {id} does not exist in the order"),
            SlipFault::ThroughGateway(id) => format!("transaction {id} is no offline payment"),
            SlipFault::Currency { wanted } => format!("currency must be {wanted}"),
            SlipFault::Paid(id) => format!("transaction {id} is paid, and its status cannot change"),
            SlipFault::Lowered(id) => format!("transaction {id} is paid, and its amount cannot be lowered"),
        },
        ParcelFault::Order(fault) => reject::order_fault(fault),
    }
}
