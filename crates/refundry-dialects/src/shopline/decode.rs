//! Wire → call.
//!
//! Clients made by the platform's generator drop `false`, `0` and `""`, and send `{}` for objects that are not set, so
//! all of these are one with a missing key here.

use refundry_core::command::{
    AmountIn, Ask, CreateRefund, CurrencyAsk, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Rounding, Target,
    Total, UnitAsk, UnitMode,
};
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, EXTERNAL_ID_CHARS_MAX, NOTE_CHARS_MAX};
use refundry_core::money::Decimal;
use refundry_core::order::Dialect;
use refundry_core::query::{Page, RefundQuery, SortBy};
use refundry_core::refund::Restock;
use serde_json::Value;

use super::paging::PageInfo;
use super::{Version, ids, reject};
use crate::body::{self, Fault, Fields};
use crate::text::{parse_time, query_pairs};
use crate::wire::{Call, Request, Response, Wait};

/// Refunds of one page, unless the caller says otherwise.
const PAGE_DEFAULT: u32 = 50;
/// Refunds of one page at most, as the platform documents it.
const PAGE_MAX: u32 = 250;

/// Refuses a caller that takes anything but JSON.
pub(super) fn check_accept(request: &Request<'_>) -> Result<(), Response> {
    let Some(accept) = request.header("accept").filter(|text| !text.trim().is_empty()) else { return Ok(()) };
    // The most specific range that covers JSON decides, as RFC 9110 has it.
    let ranks = ["*/*", "application/*", "application/json"];
    let covering = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let rank = ranks.iter().position(|r| *r == media)?;
        let refused = parts.any(|p| p.split_once('=').is_some_and(|(name, q)| is_zero_weight(name, q)));
        Some((rank, !refused))
    });
    match covering.max() {
        Some((_, true)) => Ok(()),
        Some((_, false)) | None => Err(reject::errors(406, "Not Acceptable: answers are application/json only")),
    }
}

fn is_zero_weight(name: &str, weight: &str) -> bool {
    let zero = Decimal::parse(weight.trim()).is_ok_and(|w| w == Decimal::ZERO);
    name.trim().eq_ignore_ascii_case("q") && zero
}

/// `POST order/refund.json`
pub(super) fn create_refund(version: Version, request: &Request<'_>) -> Result<Call, Response> {
    check_content_type(request)?;
    let mut body = body::parse(request.body).map_err(|m| reject::malformed(&m))?;
    drop_unset(&mut body);
    let fields = Fields::root(&body).map_err(|m| reject::malformed(&m))?;

    // What is required comes first, whatever else is wrong.
    let order = id(&fields, "order_id")?.ok_or_else(|| missing(&fields, "order_id"))?;
    let transactions = objects(&fields, "transactions")?;
    if transactions.is_empty() {
        return Err(missing(&fields, "transactions"));
    }
    let items = objects(&fields, "refund_line_items")?;
    let modes = items.iter().map(unit_mode).collect::<Result<Vec<UnitMode>, Response>>()?;

    let units = items.iter().zip(modes).map(|(item, mode)| unit_ask(item, mode));
    let legs = transactions.iter().map(|transaction| leg_ask(version, transaction));
    let parts = Parts {
        total: Total::OfPayments,
        units: units.collect::<Result<Vec<UnitAsk>, Response>>()?,
        parts: shipping(&fields)?.into_iter().collect(),
        uniform_restock: false,
    };
    let refund = RefundRequest {
        ask: Ask::Parts(parts),
        plan: Plan::Named(legs.collect::<Result<Vec<LegAsk>, Response>>()?),
        strategy: None,
        currency: currency(version, &fields)?,
        rounding: Rounding::Exact,
        refundable_before: refundable_before(request)?,
    };
    let command = CreateRefund {
        note: fields.text_or_empty("note", NOTE_CHARS_MAX).map_err(|m| reject::malformed(&m))?,
        notify: flag(&fields, "notify")?,
        processed_ms: processed_ms(version, &fields)?,
        ..CreateRefund::new(ids::order_reference(&order), Dialect::Shopline, refund)
    };
    Ok(Call::CreateRefund { command: Box::new(command), wait: Wait::No })
}

/// `GET orders/{order_id}/refunds.json`
pub(super) fn list_refunds(order: &str, request: &Request<'_>) -> Result<Call, Response> {
    let query = Box::new(list_query(order, request)?);
    Ok(Call::ListRefundsOf { order: ids::order_reference(order), query })
}

/// Reads the query of the list; the encoder needs it again for the links to other pages.
pub(super) fn list_query(order: &str, request: &Request<'_>) -> Result<RefundQuery, Response> {
    let query = query_pairs(request.query);
    let value = |key: &str| {
        let found = query.iter().find(|(name, _)| name == key).map(|(_, value)| value.trim());
        found.filter(|text| !text.is_empty())
    };
    let from = match value("page_info") {
        None => None,
        Some(text) => {
            let unread = || reject::unprocessable("page_info is invalid: use one that a link header gave");
            Some(PageInfo::read(text).ok_or_else(unread)?)
        }
    };
    let number = value("limit").map(str::parse::<i64>).transpose();
    let number = number.map_err(|_| reject::bad_request("limit must be a whole number"))?;
    let limit = number.unwrap_or(i64::from(from.as_ref().map_or(PAGE_DEFAULT, |info| info.limit)));
    let limit = u32::try_from(limit).ok().filter(|n| (1..=PAGE_MAX).contains(n));
    let limit = limit.ok_or_else(|| reject::unprocessable(format!("limit must be from 1 to {PAGE_MAX}")))?;
    // A `page_info` carries where its list began, so `since_id` beside it says nothing.
    let since = || value("since_id").map_or(Page::Start, |text| Page::After(ids::refund_reference(text)));
    Ok(RefundQuery {
        orders: Some(vec![ids::order_reference(order)]),
        sort: SortBy::Created,
        descending: false,
        page: from.map_or_else(since, |info| info.page),
        limit,
        ..RefundQuery::default()
    })
}

/// `GET orders/{order_id}/refunds/{refund_id}.json`
pub(super) fn get_refund(refund: &str) -> Call {
    Call::GetRefund { refund: ids::refund_reference(refund) }
}

fn check_content_type(request: &Request<'_>) -> Result<(), Response> {
    let media = request.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    if media.starts_with("application/json") {
        return Ok(());
    }
    Err(reject::bad_request("Content-Type must be application/json; charset=utf-8"))
}

/// Removes what counts as absent from all objects: `null`, blank texts, empty objects and lists.
fn drop_unset(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(drop_unset);
            map.retain(|_, value| !is_unset(value));
        }
        // Entries keep their places: an empty one is a mistake to be named, not nothing.
        Value::Array(entries) => entries.iter_mut().for_each(drop_unset),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn missing(fields: &Fields<'_>, key: &str) -> Response {
    reject::malformed(&fields.fault(key, Fault::Missing))
}

fn objects<'a>(fields: &Fields<'a>, key: &str) -> Result<Vec<Fields<'a>>, Response> {
    fields.objects(key, ENTRIES_PER_REQUEST_MAX).map_err(|m| reject::malformed(&m))
}

fn flag(fields: &Fields<'_>, key: &str) -> Result<bool, Response> {
    fields.flag(key).map(Option::unwrap_or_default).map_err(|m| reject::malformed(&m))
}

/// An id or name, as text or number; ids of 26 digits are beyond any integer, so it stays text.
fn id(fields: &Fields<'_>, key: &str) -> Result<Option<String>, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?;
    let Some(text) = text.map(|t| t.trim().to_owned()) else { return Ok(None) };
    if text.chars().count() > EXTERNAL_ID_CHARS_MAX {
        return Err(reject::malformed(&fields.fault(key, Fault::TooLong(EXTERNAL_ID_CHARS_MAX))));
    }
    // A typed client that never set a numeric id would have dropped this zero.
    Ok(Some(text).filter(|t| t != "0"))
}

/// One of a few words, case and all; absent gives `None`.
fn word<T>(
    fields: &Fields<'_>,
    key: &str,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Response> {
    let text = fields.text(key).map_err(|m| reject::malformed(&m))?;
    text.map(|text| read(text).ok_or_else(|| reject::unprocessable(format!("{name} is invalid")))).transpose()
}

/// An amount: a plain decimal, as text or number, never with an exponent.
fn amount(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?;
    let read = text.map(|text| Decimal::parse(text.trim())).transpose();
    read.map_err(|_| reject::unprocessable("amount is invalid"))
}

fn unit_mode(item: &Fields<'_>) -> Result<UnitMode, Response> {
    let mode = word(item, "type", "refund_line_items.type", |text| match text {
        "Unshipped" => Some(UnitMode::Waiting),
        "Shipped" => Some(UnitMode::Shipped),
        "Returned" => Some(UnitMode::Returned),
        _ => None,
    })?;
    mode.ok_or_else(|| missing(item, "type"))
}

fn unit_ask(item: &Fields<'_>, mode: UnitMode) -> Result<UnitAsk, Response> {
    let line = id(item, "line_item_id")?.ok_or_else(|| missing(item, "line_item_id"))?;
    let quantity = item.whole("quantity").map_err(|m| reject::malformed(&m))?;
    Ok(UnitAsk {
        line: ids::line_reference(&line),
        // Left out is what a typed client makes of zero; the rules refuse it as that.
        quantity: Some(quantity.unwrap_or(0)),
        mode,
        restock: word(item, "restock_type", "restock_type", Restock::parse)?.unwrap_or(Restock::No),
        location: id(item, "location_id")?.unwrap_or_default(),
    })
}

/// A positive amount wins over `full_refund`; zero is what a typed client leaves out.
fn shipping(fields: &Fields<'_>) -> Result<Option<PartAsk>, Response> {
    let Some(policy) = fields.object("shipping").map_err(|m| reject::malformed(&m))? else { return Ok(None) };
    let full = flag(&policy, "full_refund")?;
    let stated = amount(&policy, "amount")?.filter(|amount| *amount != Decimal::ZERO);
    let money = stated.map(PartMoney::AsPriced).or(full.then_some(PartMoney::Remaining));
    Ok(money.map(|money| PartAsk { target: Target::Shipping, money }))
}

fn leg_ask(version: Version, transaction: &Fields<'_>) -> Result<LegAsk, Response> {
    word(transaction, "kind", "transactions.kind", |text| (text == "refund").then_some(()))?;
    let by_original_route = flag(transaction, "type")?;
    Ok(LegAsk {
        payment: id(transaction, "id")?.map(|text| ids::payment_reference(&text)),
        channel: transaction.text_or_empty("gateway", EXTERNAL_ID_CHARS_MAX).map_err(|m| reject::malformed(&m))?,
        amount: amount(transaction, "amount")?.ok_or_else(|| missing(transaction, "amount"))?,
        amount_in: AmountIn::Own,
        currency: currency(version, transaction)?,
        outside: !by_original_route,
    })
}

/// Versions before the field ignore it; later ones take its absence for the store's currency.
fn currency(version: Version, fields: &Fields<'_>) -> Result<CurrencyAsk, Response> {
    if version < Version::WITH_CURRENCIES {
        return Ok(CurrencyAsk::Unsaid);
    }
    let code = fields.text("currency").map_err(|m| reject::malformed(&m))?;
    Ok(code.map_or(CurrencyAsk::ShopAssumed, |code| CurrencyAsk::Is(code.trim().to_owned())))
}

fn processed_ms(version: Version, fields: &Fields<'_>) -> Result<Option<i64>, Response> {
    if version < Version::WITH_CURRENCIES {
        return Ok(None);
    }
    let text = fields.text("processed_at").map_err(|m| reject::malformed(&m))?;
    let invalid = || reject::unprocessable("processed_at is invalid: use ISO 8601, e.g. 2023-04-12T22:59:52+08:00");
    text.map(|text| parse_time(text).ok_or_else(invalid)).transpose()
}

/// Our extension: what the caller believes is left.
fn refundable_before(request: &Request<'_>) -> Result<Option<Decimal>, Response> {
    let invalid = |_| reject::unprocessable("Refundable-Before is invalid: use a decimal amount, e.g. 65.00");
    request.header("refundable-before").map(|text| Decimal::parse(text.trim()).map_err(invalid)).transpose()
}
