//! Wire → call: the three ways to create a refund. What can be said without the order is checked here, the rest by the
//! rules.

use refundry_core::command::{
    AmountIn, Ask, CreateRefund, CurrencyAsk, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Rounding, Target,
    Total, UnitAsk, UnitMode,
};
use refundry_core::limits::{ENTRIES_PER_REQUEST_MAX, EXTERNAL_ID_CHARS_MAX, NOTE_CHARS_MAX};
use refundry_core::money::Decimal;
use refundry_core::order::{Dialect, Reference};
use refundry_core::refund::Restock;
use serde_json::Value;

use super::reference;
use crate::body::{self, Fault, Fields, Malformed};
use crate::wire::{Call, Request, Wait};

/// Why a request cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The body, a parameter or a header: what to change.
    Field(Malformed),
    /// The order's id in the path is empty, or cannot be one.
    OrderId(String),
    /// Fields of a subscription, each with what is wrong with it.
    Fields(Vec<(&'static str, Vec<&'static str>)>),
}

impl From<Malformed> for Bad {
    fn from(malformed: Malformed) -> Self {
        Self::Field(malformed)
    }
}

/// Create Order's Refund Record.
pub(super) fn create_record(request: &Request<'_>, order: &str) -> Result<Call, Bad> {
    let order = order_reference(order)?;
    let refundable_before = refundable_before(request)?;
    let body = body_or_null(request)?;
    if body.is_null() {
        return Err(Malformed::at("refund", Fault::Missing).into());
    }
    let root = Fields::root(&body)?;
    let refund = root.object("refund")?.ok_or_else(|| root.fault("refund", Fault::Missing))?;
    let total = amount(&refund, "refund_total")?.ok_or_else(|| refund.fault("refund_total", Fault::Missing))?;
    let parts =
        Parts { total: Total::Stated(total), units: units(&refund)?, parts: parts(&refund)?, uniform_restock: true };
    let asked = RefundRequest {
        plan: plan(&refund)?,
        rounding: Rounding::Exact,
        refundable_before,
        ..RefundRequest::of(Ask::Parts(parts))
    };
    let note = refund.text_or_empty("note", NOTE_CHARS_MAX)?;
    Ok(Call::CreateRefund { command: Box::new(command(order, asked, note)), wait: Wait::No })
}

/// Full Order Refund. It documents no body, and callers send none, an empty one or `null`; any other JSON is ignored.
pub(super) fn full_refund(request: &Request<'_>, order: &str) -> Result<Call, Bad> {
    let order = order_reference(order)?;
    let refundable_before = refundable_before(request)?;
    if !is_blank(request.body) {
        // What was garbled on its way here may have meant less than everything.
        body::parse(request.body)?;
    }
    let asked = RefundRequest { refundable_before, ..RefundRequest::of(Ask::Everything) };
    Ok(Call::CreateRefund { command: Box::new(command(order, asked, String::new())), wait: Wait::Configured })
}

/// Partial Order Refund: an amount, or line items.
pub(super) fn partial_refund(request: &Request<'_>, order: &str) -> Result<Call, Bad> {
    let order = order_reference(order)?;
    let refundable_before = refundable_before(request)?;
    let body = body_or_null(request)?;
    let either = || Fault::Value("given, or line_items".to_owned());
    if body.is_null() {
        return Err(Malformed::at("price", either()).into());
    }
    let root = Fields::root(&body)?;
    let returned = root.flag("is_return")?.unwrap_or(false);
    let price = amount(&root, "price")?;
    let items = root.objects("line_items", ENTRIES_PER_REQUEST_MAX)?;
    let ask = match price {
        None if items.is_empty() => return Err(root.fault("price", either()).into()),
        None => Ask::Lines { units: items.iter().map(line_unit).collect::<Result<_, _>>()?, returned },
        Some(price) if items.is_empty() => Ask::Parts(Parts { total: Total::Stated(price), ..Parts::default() }),
        Some(_) => {
            let alone = Fault::Value("left out where line_items is given".to_owned());
            return Err(root.fault("price", alone).into());
        }
    };
    let asked = RefundRequest { refundable_before, ..RefundRequest::of(ask) };
    Ok(Call::CreateRefund { command: Box::new(command(order, asked, String::new())), wait: Wait::Configured })
}

/// Callers send whole line items; only these two keys count.
fn line_unit(item: &Fields<'_>) -> Result<UnitAsk, Malformed> {
    let line = reference(required_text(item, "id")?);
    let quantity = item.whole("quantity")?.ok_or_else(|| item.fault("quantity", Fault::Missing))?;
    let (mode, restock, location) = (UnitMode::Automatic, Restock::No, String::new());
    Ok(UnitAsk { line, quantity: Some(quantity), mode, restock, location })
}

/// Refunds of an order.
pub(super) fn order_refunds(order: &str) -> Result<Call, Bad> {
    Ok(Call::OrderWithRefunds { order: order_reference(order)? })
}

/// Whether the body of a full refund is one of the modern call, whose caller probably meant less than everything.
pub(super) fn names_parts(request: &Request<'_>) -> bool {
    !is_blank(request.body) && body::parse(request.body).is_ok_and(|body| body.get("refund").is_some())
}

fn command(order: Reference, request: RefundRequest, note: String) -> CreateRefund {
    CreateRefund { note, ..CreateRefund::new(order, Dialect::Shoplazza, request) }
}

pub(super) fn order_reference(text: &str) -> Result<Reference, Bad> {
    let text = text.trim();
    let shaped = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if text.is_empty() || !shaped || text.len() > EXTERNAL_ID_CHARS_MAX {
        return Err(Bad::OrderId(text.to_owned()));
    }
    Ok(reference(text))
}

/// The body of a call that may leave it out: `null` where it is empty.
pub(super) fn body_or_null(request: &Request<'_>) -> Result<Value, Malformed> {
    if is_blank(request.body) { Ok(Value::Null) } else { body::parse(request.body) }
}

/// Why an order is called off, empty where that is not said.
pub(super) fn reason(request: &Request<'_>) -> Result<String, Malformed> {
    let body = body_or_null(request)?;
    if body.is_null() { Ok(String::new()) } else { Fields::root(&body)?.text_or_empty("reason", NOTE_CHARS_MAX) }
}

pub(super) fn is_blank(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

fn refundable_before(request: &Request<'_>) -> Result<Option<Decimal>, Malformed> {
    let Some(text) = request.header("refundable-before") else { return Ok(None) };
    let wrong = |_| Malformed::at("Refundable-Before", Fault::Type("a decimal amount such as 65.00"));
    Decimal::parse(text.trim()).map(Some).map_err(wrong)
}

/// An amount, as text or as a JSON number. Clients that always send every key send `""` for what they leave out.
pub(super) fn amount(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Malformed> {
    if fields.value(key).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty()) {
        return Ok(None);
    }
    fields.decimal(key, false)
}

pub(super) fn required_amount(fields: &Fields<'_>, key: &str) -> Result<Decimal, Malformed> {
    amount(fields, key)?.ok_or_else(|| fields.fault(key, Fault::Missing))
}

pub(super) fn required_text<'a>(fields: &Fields<'a>, key: &str) -> Result<&'a str, Malformed> {
    let text = fields.text(key)?.map(str::trim).filter(|text| !text.is_empty());
    text.ok_or_else(|| fields.fault(key, Fault::Missing))
}

/// Parts count with their tax: a goods amount has no tax field beside it.
fn parts(refund: &Fields<'_>) -> Result<Vec<PartAsk>, Malformed> {
    let totals = [
        ("refund_product_total", Target::Product),
        ("refund_shipping_total", Target::Shipping),
        ("refund_tip", Target::Tip),
        ("refund_additional_total", Target::Additionals),
    ];
    let mut parts = Vec::new();
    for (key, target) in totals {
        if let Some(amount) = amount(refund, key)? {
            parts.push(PartAsk { target, money: PartMoney::Gross(amount) });
        }
    }
    for fee in refund.objects("refund_additional_prices", ENTRIES_PER_REQUEST_MAX)? {
        let target = Target::Additional(required_text(&fee, "name")?.to_owned());
        parts.push(PartAsk { target, money: PartMoney::Gross(required_amount(&fee, "price")?) });
    }
    Ok(parts)
}

fn units(refund: &Fields<'_>) -> Result<Vec<UnitAsk>, Malformed> {
    let items = refund.objects("refund_line_items", ENTRIES_PER_REQUEST_MAX)?;
    items.iter().map(unit).collect()
}

fn unit(item: &Fields<'_>) -> Result<UnitAsk, Malformed> {
    let line = reference(required_text(item, "line_item_id")?);
    // None and 0 both mean all that the buckets still hold, as with `ship_quantity`; the rules refuse what is below.
    let quantity = item.whole("quantity")?.filter(|quantity| *quantity != 0);
    let restock = if item.flag("return_inventory")?.unwrap_or(false) { Restock::Return } else { Restock::No };
    Ok(UnitAsk { line, quantity, mode: mode(item)?, restock, location: String::new() })
}

/// A number in the 2025-06 pages, a name in the 2026-01 schemas; both are read in every version.
fn mode(item: &Fields<'_>) -> Result<UnitMode, Malformed> {
    let key = "refund_item_type";
    let allowed = || item.fault(key, Fault::Value("0 (automatic), 1 (shipped) or 2 (waiting to ship)".to_owned()));
    match item.text_or_number(key).map_err(|_| allowed())?.as_deref().map(str::trim) {
        None | Some("" | "0" | "auto") => Ok(UnitMode::Automatic),
        Some("1" | "shipped") => Ok(UnitMode::Shipped),
        Some("2" | "waiting_ship") => Ok(UnitMode::Waiting),
        Some(_) => Err(allowed()),
    }
}

fn plan(refund: &Fields<'_>) -> Result<Plan, Malformed> {
    let payments = refund.objects("refund_payments", ENTRIES_PER_REQUEST_MAX)?;
    if payments.is_empty() {
        return Ok(Plan::default());
    }
    payments.iter().map(leg).collect::<Result<Vec<LegAsk>, Malformed>>().map(Plan::Named)
}

fn leg(payment: &Fields<'_>) -> Result<LegAsk, Malformed> {
    Ok(LegAsk {
        payment: Some(reference(required_text(payment, "payment_line_id")?)),
        channel: String::new(),
        amount: required_amount(payment, "refund_price")?,
        amount_in: AmountIn::Books,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    })
}
