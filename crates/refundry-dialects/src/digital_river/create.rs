//! `POST /refunds`: what a caller may ask, read stage by stage.

use std::cmp::Ordering;

use refundry_core::command::{
    Ask, CreateRefund, CurrencyAsk, ItemAsk, ItemMoney, ItemName, ItemPart, RefundRequest, Rounding,
};
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, REASON_CHARS_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Currency, Decimal};
use refundry_core::order::Dialect;
use refundry_core::refund::Class;
use serde_json::Value;

use super::decode::{decimal, is_storable, metadata, parse, refundable_before, shown, stage, unknown_keys, whole};
use super::ids::{line_reference, order_reference};
use super::reject::{Problem, bad_request, not_found};
use crate::body::Fields;
use crate::wire::{Call, Request, Response, Wait};

const KEYS: [&str; 9] =
    ["orderId", "invoiceId", "currency", "amount", "percent", "items", "type", "reason", "metadata"];
const ITEM_KEYS: [&str; 6] = ["itemId", "skuId", "quantity", "amount", "percent", "type"];
/// The three ways to say how much, of which a request uses one.
const MONEY_KEYS: [&str; 3] = ["amount", "percent", "items"];

/// Reads a refund request. An invoice is never found: there are none yet.
pub(super) fn create(request: &Request<'_>) -> Result<Call, Response> {
    let value = parse(request)?;
    let Ok(fields) = Fields::root(&value) else { return Err(bad_request(&Problem::format("it is no object"))) };
    let items = item_objects(&fields);
    stage(&unknown(&fields, &items))?;
    stage(&missing(&fields, &items))?;
    let command = command(request, &fields)?;
    if let Some(invoice) = named(&fields, "invoiceId") {
        return Err(not_found("invoiceId", &format!("Invoice '{}' not found.", shown(invoice))));
    }
    Ok(Call::CreateRefund { command: Box::new(command), wait: Wait::No })
}

fn unknown(fields: &Fields<'_>, items: &[Fields<'_>]) -> Vec<Problem> {
    let of_items = items.iter().flat_map(|item| unknown_keys(item, &ITEM_KEYS));
    unknown_keys(fields, &KEYS).chain(of_items).collect()
}

fn missing(fields: &Fields<'_>, items: &[Fields<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut require = |there: bool, key: String| {
        if !there {
            problems.push(Problem::missing(&key));
        }
    };
    require(named(fields, "orderId").or(named(fields, "invoiceId")).is_some(), fields.path("orderId"));
    require(named(fields, "currency").is_some(), fields.path("currency"));
    require(MONEY_KEYS.iter().any(|key| asks(fields, key)), fields.path("amount"));
    for item in items {
        require(named(item, "itemId").or(named(item, "skuId")).is_some(), item.path("itemId"));
        require(item.value("amount").or(item.value("percent")).is_some(), item.path("amount"));
    }
    problems
}

fn command(request: &Request<'_>, fields: &Fields<'_>) -> Result<CreateRefund, Response> {
    let mut problems = Vec::new();
    let order = keep(&mut problems, order_text(fields));
    let currency = keep(&mut problems, currency(fields));
    problems.extend(surplus(fields));
    let known = currency.as_deref().and_then(Currency::parse);
    let class = keep(&mut problems, class(fields)).flatten();
    let ask = ask(fields, class, known, &mut problems);
    let reason = keep(&mut problems, reason(fields));
    let metadata = keep(&mut problems, metadata(fields));
    let refundable_before = keep(&mut problems, refundable_before(request));
    let (Some(order), Some(currency), Some(ask), Some(reason), Some(metadata), Some(refundable_before), true) =
        (order, currency, ask, reason, metadata, refundable_before, problems.is_empty())
    else {
        return Err(bad_request(&problems));
    };
    let request = RefundRequest {
        currency: CurrencyAsk::Is(currency),
        rounding: Rounding::HalfUp,
        refundable_before,
        ..RefundRequest::of(ask)
    };
    Ok(CreateRefund {
        reason,
        metadata: metadata.into_iter().filter_map(|(key, value)| Some((key, value?))).collect(),
        ..CreateRefund::new(order_reference(order), Dialect::DigitalRiver, request)
    })
}

fn keep<T>(problems: &mut Vec<Problem>, read: Result<T, Problem>) -> Option<T> {
    read.map_err(|problem| problems.push(problem)).ok()
}

/// The order's id; empty where an invoice is named instead.
fn order_text<'a>(fields: &Fields<'a>) -> Result<&'a str, Problem> {
    if named(fields, "orderId").is_some() && named(fields, "invoiceId").is_some() {
        let message = "Name the order by orderId or by invoiceId, not by both.".to_owned();
        return Err(Problem::of("invalid_parameter", "invoiceId", message));
    }
    let key = if named(fields, "orderId").is_some() { "orderId" } else { "invoiceId" };
    text(fields, key).map(|id| if key == "orderId" { id } else { "" })
}

/// Three letters, in capitals. Whether it is the order's is for the rules to say.
fn currency(fields: &Fields<'_>) -> Result<String, Problem> {
    let code = text(fields, "currency").unwrap_or_default().trim();
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Ok(code.to_ascii_uppercase());
    }
    let given = fields.value("currency").map(shown).unwrap_or_default();
    Err(Problem::of("invalid_parameter", "currency", format!("Currency {given} is not supported.")))
}

/// Every way to say how much beyond the first.
fn surplus(fields: &Fields<'_>) -> impl Iterator<Item = Problem> {
    let given = MONEY_KEYS.iter().filter(|key| asks(fields, key)).skip(1);
    let message = "Only one of amount, percent and items may be given.";
    given.map(|key| Problem::of("invalid_parameter", key, message.to_owned()))
}

fn ask(
    fields: &Fields<'_>,
    class: Option<Class>,
    currency: Option<Currency>,
    problems: &mut Vec<Problem>,
) -> Option<Ask> {
    if asks(fields, "amount") {
        let amount = keep(problems, amount(fields, None, currency))?;
        return Some(Ask::Amount { amount, class });
    }
    if asks(fields, "percent") {
        let percent = keep(problems, percent(fields))?;
        return Some(Ask::Percent { percent, class });
    }
    Some(Ask::Items(items(fields, currency, problems)?))
}

/// An amount above zero that has at least one minor unit and at most as many as any amount may have.
///
/// Beside a quantity it is per unit, and only the product is rounded.
fn amount(fields: &Fields<'_>, quantity: Option<i64>, currency: Option<Currency>) -> Result<Decimal, Problem> {
    let given = fields.value("amount").map(shown).unwrap_or_default();
    let wrong = || Problem::invalid(&fields.path("amount"), "amount", &given);
    let amount = decimal(fields, "amount").filter(|amount| amount.sign() == Ordering::Greater).ok_or_else(wrong)?;
    // A quantity beyond all lines is refused by the rules, as one beyond its line is.
    let units = quantity.map_or(Some(1), |q| u32::try_from(q).ok()).filter(|units| *units <= UNITS_PER_LINE_MAX);
    if let (Some(currency), Some(units)) = (currency, units) {
        let minor = amount.times(units).to_minor_half_up(currency);
        minor.ok().filter(|minor| minor.is_positive()).ok_or_else(wrong)?;
    }
    Ok(amount)
}

fn percent(fields: &Fields<'_>) -> Result<Decimal, Problem> {
    let given = fields.value("percent").map(shown).unwrap_or_default();
    let range = Decimal::from_parts(1, 2)..=Decimal::from_parts(100, 0);
    let percent = decimal(fields, "percent").filter(|percent| range.contains(percent));
    percent.ok_or_else(|| Problem::invalid(&fields.path("percent"), "percent", &given))
}

/// The one component type of an order-level refund. Fees have none: they are refunded by item.
fn class(fields: &Fields<'_>) -> Result<Option<Class>, Problem> {
    let Some(given) = fields.value("type") else { return Ok(None) };
    if asks(fields, "items") {
        let message = "'type' restricts amount or percent; with items, use items[].type.".to_owned();
        return Err(Problem::of("invalid_parameter", "type", message));
    }
    let class = given.as_str().and_then(Class::parse);
    class.map(Some).ok_or_else(|| Problem::invalid("type", "type", &shown(given)))
}

fn items(fields: &Fields<'_>, currency: Option<Currency>, problems: &mut Vec<Problem>) -> Option<Vec<ItemAsk>> {
    let value = fields.value("items")?;
    let Some(entries) = value.as_array() else {
        problems.push(Problem::invalid("items", "list of items", &shown(value)));
        return None;
    };
    if entries.len() > ENTRIES_PER_REQUEST_MAX {
        let message = format!("A refund has at most {ENTRIES_PER_REQUEST_MAX} items.");
        problems.push(Problem::of("invalid_parameter", "items", message));
        return None;
    }
    let mut read = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("items[{index}]");
        match Fields::of(entry, &path) {
            Ok(fields) => read.push(item(&fields, currency, problems)),
            Err(_) => problems.push(Problem::invalid(&path, "item", &shown(entry))),
        }
    }
    read.into_iter().collect()
}

fn item(fields: &Fields<'_>, currency: Option<Currency>, problems: &mut Vec<Problem>) -> Option<ItemAsk> {
    let item = keep(problems, item_name(fields));
    let quantity = keep(problems, quantity(fields));
    let money = keep(problems, item_money(fields, quantity.flatten(), currency));
    let part = keep(problems, item_part(fields));
    Some(ItemAsk { item: item?, quantity: quantity?, money: money?, part: part? })
}

/// The line's id wins over its SKU where both are given.
fn item_name(fields: &Fields<'_>) -> Result<ItemName, Problem> {
    if named(fields, "itemId").is_some() {
        return text(fields, "itemId").map(|id| ItemName::Id(line_reference(id)));
    }
    text(fields, "skuId").map(|sku| ItemName::Sku(sku.to_owned()))
}

fn quantity(fields: &Fields<'_>) -> Result<Option<i64>, Problem> {
    let Some(given) = fields.value("quantity") else { return Ok(None) };
    let quantity = decimal(fields, "quantity").and_then(whole).filter(|quantity| *quantity >= 1);
    quantity.map(Some).ok_or_else(|| Problem::invalid(&fields.path("quantity"), "quantity", &shown(given)))
}

fn item_money(fields: &Fields<'_>, quantity: Option<i64>, currency: Option<Currency>) -> Result<ItemMoney, Problem> {
    match (fields.value("amount"), fields.value("percent")) {
        (Some(_), Some(_)) => {
            let message = "An item has an amount or a percent, not both.".to_owned();
            Err(Problem::of("invalid_parameter", &fields.path("amount"), message))
        }
        (Some(_), None) => amount(fields, quantity, currency).map(ItemMoney::Amount),
        (None, _) => percent(fields).map(ItemMoney::Percent),
    }
}

fn item_part(fields: &Fields<'_>) -> Result<Option<ItemPart>, Problem> {
    let Some(given) = fields.value("type") else { return Ok(None) };
    match given.as_str() {
        Some("shipping") => Ok(Some(ItemPart::Shipping)),
        Some("fees") => Ok(Some(ItemPart::Fees)),
        Some("duty") => Ok(Some(ItemPart::Duty)),
        Some(_) | None => Err(Problem::invalid(&fields.path("type"), "type", &shown(given))),
    }
}

/// Free text; integrations send it empty, too.
fn reason(fields: &Fields<'_>) -> Result<String, Problem> {
    let Some(given) = fields.value("reason") else { return Ok(String::new()) };
    let reason = given.as_str().filter(|reason| reason.chars().count() <= REASON_CHARS_MAX && is_storable(reason));
    reason.map(str::to_owned).ok_or_else(|| Problem::invalid("reason", "reason", &shown(given)))
}

fn text<'a>(fields: &Fields<'a>, key: &str) -> Result<&'a str, Problem> {
    let given = fields.value(key);
    let wrong = || Problem::invalid(&fields.path(key), key, &given.map(shown).unwrap_or_default());
    given.and_then(Value::as_str).ok_or_else(wrong)
}

/// The entries of `items` that are objects; what is none is a matter of the last stage.
fn item_objects<'a>(fields: &Fields<'a>) -> Vec<Fields<'a>> {
    let entries = fields.value("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let read = entries.iter().enumerate().map(|(index, entry)| Fields::of(entry, &format!("items[{index}]")));
    read.filter_map(Result::ok).collect()
}

/// An id or code that was given; a blank one names nothing.
fn named<'a>(fields: &Fields<'a>, key: &str) -> Option<&'a Value> {
    fields.value(key).filter(|value| value.as_str().is_none_or(|text| !text.trim().is_empty()))
}

/// Whether this key says how much; an empty list of items says nothing.
fn asks(fields: &Fields<'_>, key: &str) -> bool {
    fields.value(key).is_some_and(|value| value.as_array().is_none_or(|entries| !entries.is_empty()))
}
