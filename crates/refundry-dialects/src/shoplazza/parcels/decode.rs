//! Wire → call: payments, captures, parcels and their lists.

use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, PAYMENTS_PER_ORDER_MAX};
use refundry_core::order::Reference;
use refundry_core::parcels::{Parcel, ParcelQuery, Shipment, Track, TrackingChange};
use refundry_core::paying::{Card, PayLine, TransactionState};
use refundry_core::query::Page;
use serde_json::{Map, Value};

use super::encode::transaction_word;
use crate::body::{self, Fault, Fields, Malformed};
use crate::parcels::ParcelCall;
use crate::shoplazza::decode::{Bad, amount, is_blank, order_reference};
use crate::shoplazza::list::{Params, one_of, range, whole};
use crate::shoplazza::payments::kind_named;
use crate::shoplazza::{Version, orders::address, reference};
use crate::text::query_pairs;
use crate::wire::Request;

/// Most entries of a page, in both generations.
const PAGE_MAX: u32 = 250;
const LEGACY_PAGE: u32 = 50;
const MODERN_PAGE: u32 = 10;
/// Longest name of a channel or method, and of what people call a payment.
const NAME_CHARS_MAX: usize = 64;
/// Longest id of a provider, tracking number or name of a carrier.
const TEXT_CHARS_MAX: usize = 255;
/// Longest address of a page, as browsers take it.
const URL_CHARS_MAX: usize = 2_000;
/// Most ways to follow a parcel.
const TRACKS_MAX: usize = 10;
/// The channel of test payments.
const BOGUS: &str = "bogus";

/// Order and fulfilment of a path.
pub(super) fn named(order: &str, parcel: &str) -> Result<(Reference, Reference), Bad> {
    Ok((order_reference(order)?, reference(parcel)))
}

/// The body, `null` where there is none.
fn body_of(request: &Request<'_>) -> Result<Value, Malformed> {
    if is_blank(request.body) { Ok(Value::Null) } else { body::parse(request.body) }
}

/// Pay: without a body, or with nothing in it, a test payment.
pub(super) fn pay(order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let order = order_reference(order)?;
    let body = match body_of(request)? {
        Value::Null => Value::Object(Map::new()),
        body => body,
    };
    let root = Fields::root(&body)?;
    let address = root.object("billing_address")?;
    let account = address.as_ref().map(payer).transpose()?.unwrap_or_default();
    let name = root.text_or_empty("gateway", NAME_CHARS_MAX)?.trim().to_owned();
    let mut lines = Vec::new();
    let single = root.object("payment_line")?;
    for fields in single.into_iter().chain(root.objects("payment_lines", PAYMENTS_PER_ORDER_MAX)?) {
        let line = pay_line(&fields, &name, &account)?;
        // The one payment line may stand among the several as well.
        let told = |known: &PayLine| (&known.channel, &known.reference) == (&line.channel, &line.reference);
        if line.reference.is_empty() || !lines.iter().any(told) {
            lines.push(line);
        }
    }
    if lines.is_empty() {
        let (channel, method) =
            if name.is_empty() { (BOGUS, "bogus_gateway") } else { (name.as_str(), "custom_payment") };
        lines.push(line_of(channel, method, &name, &account));
    }
    let mut patch = address.as_ref().map(billing_patch).transpose()?;
    if let Some((key, told)) = crate::shoplazza::payments::told_here(&lines) {
        patch.get_or_insert_default()["order"][key] = told;
    }
    Ok(ParcelCall::Pay { order, lines, patch })
}

fn pay_line(fields: &Fields<'_>, name: &str, account: &str) -> Result<PayLine, Malformed> {
    let channel = named_text(fields, "payment_channel")?;
    let method = named_text(fields, "payment_method")?;
    let card = fields.text_or_number("credit_card_number")?.unwrap_or_default();
    Ok(PayLine {
        reference: long_text(fields, "transaction_no", TEXT_CHARS_MAX)?.unwrap_or_default(),
        amount: amount(fields, "amount")?,
        card: Card::of_number(&card.chars().take(TEXT_CHARS_MAX).collect::<String>()),
        ..line_of(&channel, &method, name, account)
    })
}

fn line_of(channel: &str, method: &str, name: &str, account: &str) -> PayLine {
    let kind = kind_named(channel, method);
    PayLine {
        channel: channel.to_owned(),
        method: method.to_owned(),
        kind,
        gateway: if kind.settles_outside() { "manual" } else { "simulated" }.to_owned(),
        name: name.to_owned(),
        reference: String::new(),
        account: account.to_owned(),
        amount: None,
        test: channel.eq_ignore_ascii_case(BOGUS),
        card: Card::default(),
    }
}

/// A text that must be there and not be blank.
fn named_text(fields: &Fields<'_>, key: &str) -> Result<String, Malformed> {
    let text = fields.text_or_empty(key, NAME_CHARS_MAX)?.trim().to_owned();
    if text.is_empty() { Err(fields.fault(key, Fault::Missing)) } else { Ok(text) }
}

/// A text or a number as text, trimmed.
fn long_text(fields: &Fields<'_>, key: &str, max: usize) -> Result<Option<String>, Malformed> {
    let Some(text) = fields.text_or_number(key)? else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > max { Err(fields.fault(key, Fault::TooLong(max))) } else { Ok(Some(text.to_owned())) }
}

fn payer(address: &Fields<'_>) -> Result<String, Malformed> {
    let part = |key| Ok::<_, Malformed>(long_text(address, key, TEXT_CHARS_MAX)?.unwrap_or_default());
    Ok(format!("{} {}", part("first_name")?, part("last_name")?).trim().to_owned())
}

/// What a new billing address changes of the order; what it leaves out stays.
fn billing_patch(given: &Fields<'_>) -> Result<Value, Malformed> {
    Ok(serde_json::json!({ "order": { "billing_address": address(given)? } }))
}

/// The transactions of an order.
pub(super) fn transactions(order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let params = Params(query_pairs(request.query));
    let words = TransactionState::ALL.map(|state| (transaction_word(state), state));
    let state = one_of(&params, "status", &words)?;
    let channel = params.first(&["payment_channel"]).map(str::to_owned);
    Ok(ParcelCall::Transactions { order: order_reference(order)?, state, channel })
}

/// Capture, or give up. The path says which order; `order_id` in the body is not read.
pub(super) fn capture(order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let order = order_reference(order)?;
    let body = body_of(request)?;
    if body.is_null() {
        return Err(Malformed::at("transaction", Fault::Missing).into());
    }
    let root = Fields::root(&body)?;
    let asked = root.object("transaction")?.ok_or_else(|| root.fault("transaction", Fault::Missing))?;
    let void = match named_text(&asked, "kind")?.as_str() {
        "capture" => false,
        "void" => true,
        _ => return Err(asked.fault("kind", Fault::Value("capture or void".to_owned())).into()),
    };
    Ok(ParcelCall::Capture { order, channel: named_text(&asked, "payment_channel")?, void })
}

/// Flat in legacy versions, in `fulfillment` in modern ones; the wrapped form is read in both.
fn fulfillment<'a>(version: Version, root: &Fields<'a>) -> Result<Fields<'a>, Malformed> {
    match root.object("fulfillment")? {
        Some(wrapped) => Ok(wrapped),
        None if version.is_modern() => Err(root.fault("fulfillment", Fault::Missing)),
        None => Ok(root.clone()),
    }
}

/// Mark shipped.
pub(super) fn ship(version: Version, order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let order = order_reference(order)?;
    let body = match body_of(request)? {
        Value::Null => Value::Object(Map::new()),
        body => body,
    };
    let root = Fields::root(&body)?;
    let fields = fulfillment(version, &root)?;
    let units = units(version, &fields)?;
    let tracking = tracking(&fields)?;
    if !version.is_modern() && tracking.number.as_deref().unwrap_or_default().is_empty() {
        return Err(fields.fault("tracking_number", Fault::Missing).into());
    }
    Ok(ParcelCall::Ship { order, shipment: Shipment { units, tracking } })
}

fn units(version: Version, fields: &Fields<'_>) -> Result<Vec<(Reference, Option<u32>)>, Malformed> {
    let items = fields.objects("line_items", ENTRIES_PER_REQUEST_MAX)?;
    let ids = ids(fields)?;
    match (items.is_empty(), ids.is_empty()) {
        (true, true) if version.is_modern() => Err(fields.fault("line_items", Fault::Missing)),
        (true, true) => Err(fields.fault("line_item_ids", Fault::Value("given, or line_items".to_owned()))),
        (true, false) => Ok(ids.into_iter().map(|line| (line, None)).collect()),
        (false, true) => items.iter().map(unit).collect(),
        (false, false) => {
            let alone = Fault::Value("left out where line_items is given".to_owned());
            Err(fields.fault("line_item_ids", alone))
        }
    }
}

fn ids(fields: &Fields<'_>) -> Result<Vec<Reference>, Malformed> {
    let key = "line_item_ids";
    let Some(value) = fields.value(key) else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| fields.fault(key, Fault::Type("a list of ids")))?;
    if list.len() > ENTRIES_PER_REQUEST_MAX {
        return Err(fields.fault(key, Fault::TooLong(ENTRIES_PER_REQUEST_MAX)));
    }
    let id = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() && !text.contains('\0') => Ok(reference(text)),
        Value::Number(number) => Ok(reference(&number.to_string())),
        _ => Err(fields.fault(key, Fault::Type("a list of ids"))),
    };
    list.iter().map(id).collect()
}

/// 2024-07 says `line_item_id` and `quantity`; clients of the others send whole line items, whose `quantity` is that
/// of the order. 0 is all that waits.
fn unit(item: &Fields<'_>) -> Result<(Reference, Option<u32>), Malformed> {
    let (key, count) = match item.text_or_number("line_item_id")? {
        Some(_) if item.value("id").is_none() => ("line_item_id", "quantity"),
        Some(_) | None => ("id", "ship_quantity"),
    };
    let id = item.text_or_number(key)?.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| item.fault(key, Fault::Missing))?;
    let wrong = || item.fault(count, Fault::Value("a whole number, 0 or above".to_owned()));
    let units = item.whole(count)?.map(|units| u32::try_from(units).map_err(|_| wrong())).transpose()?;
    Ok((reference(&id), units.filter(|units| *units != 0)))
}

fn tracking(fields: &Fields<'_>) -> Result<TrackingChange, Malformed> {
    let tracks = match fields.value("tracking_items") {
        None => None,
        Some(_) => Some(fields.objects("tracking_items", TRACKS_MAX)?.iter().map(track_of).collect::<Result<_, _>>()?),
    };
    Ok(TrackingChange {
        tracks,
        number: long_text(fields, "tracking_number", TEXT_CHARS_MAX)?,
        company: long_text(fields, "tracking_company", TEXT_CHARS_MAX)?,
        company_code: long_text(fields, "tracking_company_code", TEXT_CHARS_MAX)?,
        url: long_text(fields, "tracking_url", URL_CHARS_MAX)?,
        phone: long_text(fields, "phone_number", NAME_CHARS_MAX)?,
    })
}

fn track_of(item: &Fields<'_>) -> Result<Track, Malformed> {
    let text = |key, max| Ok::<_, Malformed>(long_text(item, key, max)?.unwrap_or_default());
    Ok(Track {
        number: text("tracking_number", TEXT_CHARS_MAX)?,
        company: text("tracking_company", TEXT_CHARS_MAX)?,
        company_code: text("tracking_company_code", TEXT_CHARS_MAX)?,
        url: text("tracking_url", URL_CHARS_MAX)?,
    })
}

/// A parcel is followed otherwise.
pub(super) fn track(version: Version, (order, parcel): (&str, &str), request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let (order, parcel) = named(order, parcel)?;
    let body = match body_of(request)? {
        Value::Null => Value::Object(Map::new()),
        body => body,
    };
    let root = Fields::root(&body)?;
    let tracking = tracking(&fulfillment(version, &root)?)?;
    Ok(ParcelCall::Track { order, parcel, tracking })
}

fn filters(params: &Params) -> Result<ParcelQuery, Malformed> {
    Ok(ParcelQuery {
        created: range(params, "created_at_min", "created_at_max")?,
        updated: range(params, "updated_at_min", "updated_at_max")?,
        ..ParcelQuery::default()
    })
}

/// A page of an order's parcels: by number in legacy versions, by cursor in modern ones.
pub(super) fn list(version: Version, order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let params = Params(query_pairs(request.query));
    let filters = filters(&params)?;
    let query = if version.is_modern() {
        let limit = whole(&params, &["page_size"], PAGE_MAX)?.unwrap_or(MODERN_PAGE);
        let wrong = || Malformed::at("cursor", Fault::Value("one that a page of this list gave".to_owned()));
        let page = params.first(&["cursor"]).map(|text| read_cursor(text).ok_or_else(wrong)).transpose()?;
        ParcelQuery { page: page.unwrap_or(Page::Start), limit, ..filters }
    } else {
        let limit = whole(&params, &["limit"], PAGE_MAX)?.unwrap_or(LEGACY_PAGE);
        let before = u64::from(whole(&params, &["page"], u32::MAX)?.unwrap_or(1).saturating_sub(1));
        let page = if before == 0 { Page::Start } else { Page::Skip(before * u64::from(limit)) };
        ParcelQuery { page, limit, ..filters }
    };
    Ok(ParcelCall::List { order: order_reference(order)?, query })
}

/// How many parcels an order has; paging means nothing here, so it is not read.
pub(super) fn count(order: &str, request: &Request<'_>) -> Result<ParcelCall, Bad> {
    let query = filters(&Params(query_pairs(request.query)))?;
    Ok(ParcelCall::Count { order: order_reference(order)?, query })
}

/// The cursor behind the last parcel of a page: 32 characters that mean nothing to anybody else.
pub(super) fn cursor_after(last: &Parcel) -> String {
    format!("{:016x}{:016x}", last.created_ms, last.id)
}

fn read_cursor(text: &str) -> Option<Page> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (key, id) = text.split_at_checked(16)?;
    let number = |hex: &str| i64::from_str_radix(hex, 16).ok();
    Some(Page::Key { key_ms: number(key)?, id: number(id)?.unsigned_abs() })
}
