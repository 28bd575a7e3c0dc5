//! Refund requests: the `ask`, the payments, and what is kept beside them.

use std::collections::BTreeMap;

use refundry_core::command::{
    AmountIn, Ask, CreateRefund, CurrencyAsk, ItemAsk, ItemMoney, ItemName, ItemPart, LegAsk, PartAsk, PartMoney,
    Parts, Plan, RefundRequest, Rounding, Target, Total, UnitAsk, UnitMode,
};
use refundry_core::limits::{
    ENTRIES_PER_REQUEST_MAX, EXTERNAL_ID_CHARS_MAX, METADATA_KEY_CHARS_MAX, METADATA_PAIRS_MAX,
    METADATA_VALUE_CHARS_MAX, NOTE_CHARS_MAX, PAYMENTS_PER_ORDER_MAX, REASON_CHARS_MAX,
};
use refundry_core::money::Decimal;
use refundry_core::order::{Dialect, Reference};
use refundry_core::payouts::Strategy;
use refundry_core::refund::{Class, MetaValue, Restock};
use serde_json::Value;

use super::read::{
    code, decimal, decimal_of, id, only, reference, required_decimal, required_id, text_of, time, whole,
};
use crate::body::{Fault, Fields, Malformed};
use crate::wire::Request;

/// Keys of `POST /v1/refunds` and of a quote.
pub(super) const REFUND_KEYS: &[&str] =
    &["order", "ask", "payments", "strategy", "currency", "note", "reason", "notify", "metadata", "processed_at"];
/// Codes of `strategy`, as a refusal lists them.
const STRATEGIES: &str = "original_first, original_last, proportional, gift_card_first, gift_card_last, fewest_refunds";
/// Ways to ask, of which a request has exactly one.
pub(super) const ASK_KINDS: &[&str] = &["amount", "percent", "items", "everything", "parts"];
/// Keys of an item.
pub(super) const ITEM_KEYS: &[&str] = &["line", "sku", "quantity", "amount", "percent", "part"];
/// Keys of `parts`.
pub(super) const PARTS_KEYS: &[&str] = &[
    "total",
    "units",
    "product",
    "shipping",
    "tip",
    "additional",
    "duty",
    "importer_tax",
    "fees",
    "goods",
    "additional_named",
];
/// Keys of an entry of `units`.
pub(super) const UNIT_KEYS: &[&str] = &["line", "quantity", "from", "restock", "location"];
/// Keys of an entry of `goods`.
pub(super) const GOODS_KEYS: &[&str] = &["line", "gross", "net", "remaining"];
/// Keys of an entry of `additional_named`.
pub(super) const NAMED_KEYS: &[&str] = &["name", "gross", "net", "remaining"];
/// Keys of a stated payment.
pub(super) const PAYMENT_KEYS: &[&str] = &["payment", "channel", "amount", "amount_in", "currency", "outside"];

/// Reads a refund request on an order.
pub(super) fn read(fields: &Fields<'_>, order: Reference, request: &Request<'_>) -> Result<CreateRefund, Malformed> {
    only(fields, REFUND_KEYS)?;
    let asked = fields.object("ask")?.ok_or_else(|| fields.fault("ask", Fault::Missing))?;
    let money = RefundRequest {
        ask: ask(&asked)?,
        plan: plan(fields)?,
        strategy: code(fields, "strategy", STRATEGIES, Strategy::parse)?,
        currency: currency(fields)?,
        rounding: Rounding::Exact,
        refundable_before: refundable_before(request)?,
    };
    Ok(CreateRefund {
        note: text_of(fields, "note", NOTE_CHARS_MAX)?,
        reason: text_of(fields, "reason", REASON_CHARS_MAX)?,
        notify: fields.flag("notify")?.unwrap_or(false),
        metadata: metadata(fields)?,
        processed_ms: time(fields, "processed_at")?,
        ..CreateRefund::new(order, Dialect::Native, money)
    })
}

fn refundable_before(request: &Request<'_>) -> Result<Option<Decimal>, Malformed> {
    let wrong = |_| {
        let wanted = "what the payments have left, as a decimal such as 65.00".to_owned();
        Malformed::at("the header Refundable-Before", Fault::Value(wanted))
    };
    request.header("refundable-before").map(|text| Decimal::parse(text.trim()).map_err(wrong)).transpose()
}

fn ask(fields: &Fields<'_>) -> Result<Ask, Malformed> {
    let known: Vec<&str> = ASK_KINDS.iter().copied().chain(["type"]).collect();
    only(fields, &known)?;
    let mut kinds = ASK_KINDS.iter().filter(|key| fields.value(key).is_some());
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        let wanted = format!("an object with exactly one of {}", ASK_KINDS.join(", "));
        return Err(Malformed::at("ask", Fault::Value(wanted)));
    };
    let class = code(fields, "type", "shipping, duty, tax, importer_tax", Class::parse)?;
    if class.is_some() && !matches!(*kind, "amount" | "percent") {
        return Err(fields.fault("type", Fault::Value("left out: only amount and percent take it".to_owned())));
    }
    match *kind {
        "amount" => Ok(Ask::Amount { amount: required_decimal(fields, "amount")?, class }),
        "percent" => Ok(Ask::Percent { percent: required_decimal(fields, "percent")?, class }),
        "items" => Ok(Ask::Items(items(fields)?)),
        "everything" if fields.flag("everything")? == Some(true) => Ok(Ask::Everything),
        "everything" => Err(fields.fault("everything", Fault::Value("true".to_owned()))),
        _ => parts(fields).map(Ask::Parts),
    }
}

fn items(fields: &Fields<'_>) -> Result<Vec<ItemAsk>, Malformed> {
    let entries = fields.objects("items", ENTRIES_PER_REQUEST_MAX)?;
    if entries.is_empty() {
        return Err(fields.fault("items", Fault::Value("a list of at least one item".to_owned())));
    }
    entries.iter().map(item).collect()
}

fn item(fields: &Fields<'_>) -> Result<ItemAsk, Malformed> {
    only(fields, ITEM_KEYS)?;
    let item = match (id(fields, "line")?, fields.text("sku")?) {
        (Some(line), None) => ItemName::Id(reference(line)),
        (None, Some(sku)) => ItemName::Sku(sku.to_owned()),
        (Some(_), Some(_)) | (None, None) => return Err(one_of(fields, "line", "sku")),
    };
    let money = match (decimal(fields, "amount")?, decimal(fields, "percent")?) {
        (Some(amount), None) => ItemMoney::Amount(amount),
        (None, Some(percent)) => ItemMoney::Percent(percent),
        (Some(_), Some(_)) | (None, None) => return Err(one_of(fields, "amount", "percent")),
    };
    let part = code(fields, "part", "shipping, fees, duty", |text| match text {
        "shipping" => Some(ItemPart::Shipping),
        "fees" => Some(ItemPart::Fees),
        "duty" => Some(ItemPart::Duty),
        _ => None,
    })?;
    Ok(ItemAsk { item, quantity: whole(fields, "quantity")?, money, part })
}

fn one_of(fields: &Fields<'_>, one: &str, other: &str) -> Malformed {
    fields.fault(one, Fault::Value(format!("given, or else {other}; exactly one of them")))
}

fn parts(of: &Fields<'_>) -> Result<Parts, Malformed> {
    let fields = of.object("parts")?.ok_or_else(|| of.fault("parts", Fault::Missing))?;
    only(&fields, PARTS_KEYS)?;
    let units = fields.objects("units", ENTRIES_PER_REQUEST_MAX)?;
    let units = units.iter().map(unit).collect::<Result<Vec<UnitAsk>, Malformed>>()?;
    let mut parts = Vec::new();
    let whole_parts = [
        ("product", Target::Product),
        ("shipping", Target::Shipping),
        ("tip", Target::Tip),
        ("additional", Target::Additionals),
        ("duty", Target::Duty),
        ("importer_tax", Target::ImporterTax),
        ("fees", Target::Fees),
    ];
    for (key, target) in whole_parts {
        if let Some(value) = fields.value(key) {
            parts.push(PartAsk { target, money: part_money(value, &fields.path(key))? });
        }
    }
    for entry in fields.objects("goods", ENTRIES_PER_REQUEST_MAX)? {
        only(&entry, GOODS_KEYS)?;
        let line = reference(required_id(&entry, "line")?);
        parts.push(PartAsk { target: Target::Goods(line), money: money_of(&entry)? });
    }
    for entry in fields.objects("additional_named", ENTRIES_PER_REQUEST_MAX)? {
        only(&entry, NAMED_KEYS)?;
        let name = entry.text("name")?.ok_or_else(|| entry.fault("name", Fault::Missing))?;
        parts.push(PartAsk { target: Target::Additional(name.to_owned()), money: money_of(&entry)? });
    }
    let total = total(&fields)?;
    if units.is_empty() && parts.is_empty() && total == Total::Derived {
        let wanted = "an object with a total, units or the amount of at least one part";
        return Err(of.fault("parts", Fault::Value(wanted.to_owned())));
    }
    Ok(Parts { total, units, parts, uniform_restock: false })
}

fn total(fields: &Fields<'_>) -> Result<Total, Malformed> {
    if fields.value("total").and_then(Value::as_str) == Some("of_payments") {
        return Ok(Total::OfPayments);
    }
    Ok(decimal(fields, "total")?.map_or(Total::Derived, Total::Stated))
}

fn unit(fields: &Fields<'_>) -> Result<UnitAsk, Malformed> {
    only(fields, UNIT_KEYS)?;
    let mode = code(fields, "from", "automatic, waiting, shipped, returned", |text| match text {
        "automatic" => Some(UnitMode::Automatic),
        "waiting" => Some(UnitMode::Waiting),
        "shipped" => Some(UnitMode::Shipped),
        "returned" => Some(UnitMode::Returned),
        _ => None,
    })?;
    Ok(UnitAsk {
        line: reference(required_id(fields, "line")?),
        quantity: whole(fields, "quantity")?,
        mode: mode.unwrap_or(UnitMode::Automatic),
        restock: code(fields, "restock", "no_restock, return, cancel", Restock::parse)?.unwrap_or(Restock::No),
        location: text_of(fields, "location", EXTERNAL_ID_CHARS_MAX)?,
    })
}

/// `"5.00"`, `"remaining"`, `{"gross":"5.00"}` or `{"net":"5.00"}`.
fn part_money(value: &Value, path: &str) -> Result<PartMoney, Malformed> {
    match value {
        Value::String(text) if text == "remaining" => Ok(PartMoney::Remaining),
        Value::Object(_) => {
            let fields = Fields::of(value, path)?;
            only(&fields, &["gross", "net"])?;
            money_of(&fields)
        }
        _ => decimal_of(value).map(PartMoney::Gross).map_err(|fault| match fault {
            Fault::Type(_) => {
                let wanted = "\"5.00\", {\"gross\":\"5.00\"}, {\"net\":\"5.00\"} or \"remaining\"";
                Malformed::at(path, Fault::Value(wanted.to_owned()))
            }
            fault => Malformed::at(path, fault),
        }),
    }
}

/// `gross`, `net` or `remaining` of an object, exactly one of them.
fn money_of(fields: &Fields<'_>) -> Result<PartMoney, Malformed> {
    let (gross, net, remaining) = (decimal(fields, "gross")?, decimal(fields, "net")?, fields.flag("remaining")?);
    match (gross, net, remaining.unwrap_or(false)) {
        (Some(gross), None, false) => Ok(PartMoney::Gross(gross)),
        (None, Some(net), false) => Ok(PartMoney::Net(net)),
        (None, None, true) => Ok(PartMoney::Remaining),
        _ => Err(one_of(fields, "gross", "net")),
    }
}

fn plan(fields: &Fields<'_>) -> Result<Plan, Malformed> {
    match fields.value("payments") {
        None => Ok(Plan::default()),
        Some(Value::Array(_)) => {
            let entries = fields.objects("payments", ENTRIES_PER_REQUEST_MAX)?;
            Ok(Plan::Named(entries.iter().map(leg).collect::<Result<Vec<LegAsk>, Malformed>>()?))
        }
        Some(value @ Value::Object(_)) => in_order(&Fields::of(value, &fields.path("payments"))?),
        Some(_) => {
            let wanted = "{\"first\":[…]} or a list of {\"payment\":…, \"amount\":…}";
            Err(fields.fault("payments", Fault::Value(wanted.to_owned())))
        }
    }
}

fn in_order(fields: &Fields<'_>) -> Result<Plan, Malformed> {
    only(fields, &["first"])?;
    let wrong = || fields.fault("first", Fault::Value("a list of payment ids".to_owned()));
    let listed = fields.value("first").ok_or_else(|| fields.fault("first", Fault::Missing))?;
    let listed = listed.as_array().ok_or_else(wrong)?;
    if listed.len() > PAYMENTS_PER_ORDER_MAX {
        return Err(fields.fault("first", Fault::TooLong(PAYMENTS_PER_ORDER_MAX)));
    }
    let names = listed.iter().map(|value| value.as_str().map(reference).ok_or_else(wrong));
    names.collect::<Result<Vec<Reference>, Malformed>>().map(Plan::InOrder)
}

fn leg(fields: &Fields<'_>) -> Result<LegAsk, Malformed> {
    only(fields, PAYMENT_KEYS)?;
    let amount_in = code(fields, "amount_in", "order, own", |text| match text {
        "order" => Some(AmountIn::Books),
        "own" => Some(AmountIn::Own),
        _ => None,
    })?;
    Ok(LegAsk {
        payment: id(fields, "payment")?.map(reference),
        channel: text_of(fields, "channel", EXTERNAL_ID_CHARS_MAX)?,
        amount: required_decimal(fields, "amount")?,
        amount_in: amount_in.unwrap_or(AmountIn::Books),
        currency: currency(fields)?,
        outside: fields.flag("outside")?.unwrap_or(false),
    })
}

/// Any code is taken here; the rules compare it with the order's and say which one it must be.
fn currency(fields: &Fields<'_>) -> Result<CurrencyAsk, Malformed> {
    let Some(code) = fields.text("currency")? else { return Ok(CurrencyAsk::Unsaid) };
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
        let wanted = "a code of three letters, such as \"USD\"";
        return Err(fields.fault("currency", Fault::Value(wanted.to_owned())));
    }
    Ok(CurrencyAsk::Is(code.to_ascii_uppercase()))
}

fn metadata(fields: &Fields<'_>) -> Result<BTreeMap<String, MetaValue>, Malformed> {
    let mut pairs = BTreeMap::new();
    let Some(given) = fields.object("metadata")? else { return Ok(pairs) };
    for key in given.keys() {
        let Some(value) = given.value(key) else { continue };
        let meta = match value {
            Value::String(text) if text.contains('\0') => {
                return Err(given.fault(key, Fault::Value("a text without NUL characters".to_owned())));
            }
            Value::String(text) => MetaValue::Text(text.clone()),
            Value::Number(number) => MetaValue::Number(number.to_string()),
            Value::Bool(flag) => MetaValue::Bool(*flag),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(given.fault(key, Fault::Type("a string, a number, true or false")));
            }
        };
        let chars = match &meta {
            MetaValue::Text(text) | MetaValue::Number(text) => text.chars().count(),
            MetaValue::Bool(_) => 0,
        };
        if chars > METADATA_VALUE_CHARS_MAX {
            return Err(given.fault(key, Fault::TooLong(METADATA_VALUE_CHARS_MAX)));
        }
        if key.is_empty() || key.contains('\0') || key.chars().count() > METADATA_KEY_CHARS_MAX {
            let wanted = format!("an object whose keys have 1 to {METADATA_KEY_CHARS_MAX} characters");
            return Err(fields.fault("metadata", Fault::Value(wanted)));
        }
        pairs.insert(key.to_owned(), meta);
    }
    if pairs.len() > METADATA_PAIRS_MAX {
        return Err(fields.fault("metadata", Fault::Value(format!("an object of at most {METADATA_PAIRS_MAX} pairs"))));
    }
    Ok(pairs)
}
