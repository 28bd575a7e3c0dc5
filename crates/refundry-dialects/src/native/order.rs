//! Reads the order document of this API.
//!
//! What `GET /v1/orders/{id}` answers can be put back: the keys that only the answer has are known here and left alone.
//! Figures that could be worked out and are stated all the same must agree.

use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::life::Life;
use refundry_core::limits::{
    AMOUNT_MINOR_MAX, COMPONENTS_PER_ORDER_MAX, LINES_PER_ORDER_MAX, NOTE_CHARS_MAX, PAYMENTS_PER_ORDER_MAX,
};
use refundry_core::money::{Amount, AmountError, Currency, Decimal};
use refundry_core::order::{
    Capture, Component, ComponentKind, Dialect, Line, Order, OrderFault, Payment, PaymentKind, ShopMoney, Status,
};
use serde_json::Value;

use super::encode::shown;
use super::past;
use super::read::{code, count, currency, decimal, id, only, required_decimal, required_id, text_of, time};
use crate::body::{Fault, Fields, Malformed};

/// Keys of an order that a caller may set.
pub(super) const ORDER_KEYS: &[&str] = &[
    "id",
    "number",
    "currency",
    "shop",
    "taxes_included",
    "capture",
    "status",
    "disputed",
    "test",
    "created_at",
    "updated_at",
    "total",
    "paid",
    "lines",
    "shipping",
    "tip",
    "additional",
    "duties",
    "importer_tax",
    "fees",
    "payments",
    "refunds",
];
/// Keys that only answers have.
pub(super) const ORDER_ANSWER_KEYS: &[&str] =
    &["uid", "origin", "refundable", "refunded", "pending", "discrepancy", "refund_count"];
/// Keys of a line that a caller may set.
pub(super) const LINE_KEYS: &[&str] = &[
    "id",
    "sku",
    "title",
    "variant_title",
    "product_id",
    "variant_id",
    "location_id",
    "quantity",
    "shipped",
    "cancelled",
    "unit_price",
    "discount",
    "net",
    "tax",
];
/// Keys of a payment that a caller may set.
pub(super) const PAYMENT_KEYS: &[&str] =
    &["id", "channel", "method", "kind", "gateway", "reference", "account", "captured", "own"];
/// Our numbers, what is left and what was refunded, in answers, of lines, charges and payments.
pub(super) const LEFT_KEYS: &[&str] = &["uid", "left", "refunded", "pending"];
/// Keys of a charge that a caller may set.
pub(super) const CHARGE_KEYS: &[&str] = &["line", "name", "net", "tax"];
/// Keys of the shop's money.
pub(super) const SHOP_KEYS: &[&str] = &["currency", "rate"];
/// Keys of a payment's own money.
pub(super) const OWN_KEYS: &[&str] = &["currency", "captured"];
/// Characters of titles, names and references.
const TEXT_CHARS_MAX: usize = NOTE_CHARS_MAX;

/// The lists of charges, with the kind of component that each becomes.
const CHARGE_LISTS: [(&str, ComponentKind); 5] = [
    ("shipping", ComponentKind::Shipping),
    ("additional", ComponentKind::Additional),
    ("duties", ComponentKind::Duty),
    ("importer_tax", ComponentKind::ImporterTax),
    ("fees", ComponentKind::Fee),
];

/// Why a document is no order.
pub(super) enum Unfit {
    /// A field cannot be read.
    Malformed(Malformed),
    /// The whole does not hold.
    Fault(IntakeFault),
}

impl From<Malformed> for Unfit {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl Unfit {
    /// Two figures that do not agree.
    pub(super) fn contradictory(field: impl Into<String>, reason: String) -> Self {
        Self::Fault(IntakeFault::Contradictory { field: field.into(), reason })
    }
}

/// Reads an order document.
pub(super) fn read(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    read_document(document, now_ms).map_err(|unfit| match unfit {
        Unfit::Malformed(malformed) => IntakeFault::Unreadable { reason: malformed.sentence(), field: malformed.field },
        Unfit::Fault(fault) => fault,
    })
}

/// Reads a payment that is added to an order, with the currency that its amount is in.
pub(super) fn added_payment(fields: &Fields<'_>) -> Result<(Currency, Payment), Malformed> {
    let known: Vec<&str> = PAYMENT_KEYS.iter().copied().chain(["currency"]).collect();
    only(fields, &known)?;
    let books = currency(fields, "currency")?.ok_or_else(|| fields.fault("currency", Fault::Missing))?;
    payment(fields, books).map(|payment| (books, payment))
}

fn read_document(document: &Value, now_ms: i64) -> Result<Intake, Unfit> {
    let fields = Fields::root(document)?;
    only(&fields, &[ORDER_KEYS, ORDER_ANSWER_KEYS].concat())?;
    check_origin(&fields)?;
    let books = currency(&fields, "currency")?.ok_or_else(|| fields.fault("currency", Fault::Missing))?;
    let taxes_included = fields.flag("taxes_included")?.unwrap_or(false);
    let mut lines = Vec::new();
    let mut components = Vec::new();
    for (index, entry) in fields.objects("lines", LINES_PER_ORDER_MAX)?.iter().enumerate() {
        let (line, net, tax) = line(entry, books, taxes_included)?;
        lines.push(line);
        let name = String::new();
        components.push(Component { kind: ComponentKind::Goods, line: Some(index), name, net, tax });
    }
    read_charges(&fields, books, &lines, &mut components)?;
    let created_ms = time(&fields, "created_at")?.unwrap_or(now_ms);
    let external_id = id(&fields, "id")?.map(str::to_owned);
    let number = text_of(&fields, "number", TEXT_CHARS_MAX)?;
    let order = Order {
        id: 0,
        origin: Dialect::Native,
        number: if number.is_empty() { external_id.clone().unwrap_or_default() } else { number },
        external_id,
        currency: books,
        shop: shop(&fields, books)?,
        taxes_included,
        capture: code(&fields, "capture", "whole, by_fulfilment", read_capture)?.unwrap_or(Capture::Whole),
        status: code(&fields, "status", "open, cancelled", read_status)?.unwrap_or(Status::Open),
        disputed: fields.flag("disputed")?.unwrap_or(false),
        lines,
        components,
        payments: read_payments(&fields, books)?,
        created_ms,
        updated_ms: time(&fields, "updated_at")?.unwrap_or(created_ms),
        test: fields.flag("test")?.unwrap_or(false),
        life: Life::default(),
    };
    check_bounds(&fields, &order)?;
    order.validate().map_err(|fault| Unfit::Fault(IntakeFault::Fault(fault)))?;
    check_sums(&fields, &order)?;
    let refunds = past::read(&fields, &order)?;
    Ok(Intake { order, refunds, document: document.to_string(), terms: Vec::new() })
}

/// An order of a platform is read here, and brought up to date by importing it again in the platform's own format.
fn check_origin(fields: &Fields<'_>) -> Result<(), Malformed> {
    match fields.text("origin")? {
        None | Some("native") => Ok(()),
        Some(_) => {
            let wanted = "native: import an order of a platform again in the platform's own format";
            Err(fields.fault("origin", Fault::Value(wanted.to_owned())))
        }
    }
}

fn read_capture(code: &str) -> Option<Capture> {
    match code {
        "whole" => Some(Capture::Whole),
        "by_fulfilment" => Some(Capture::ByFulfilment),
        _ => None,
    }
}

fn read_status(code: &str) -> Option<Status> {
    match code {
        "open" => Some(Status::Open),
        "cancelled" => Some(Status::Cancelled),
        _ => None,
    }
}

fn shop(of: &Fields<'_>, books: Currency) -> Result<Option<ShopMoney>, Malformed> {
    let Some(fields) = of.object("shop")? else { return Ok(None) };
    only(&fields, SHOP_KEYS)?;
    let currency = currency(&fields, "currency")?.ok_or_else(|| fields.fault("currency", Fault::Missing))?;
    if currency == books {
        let wanted = "another currency than the order's; leave shop out where it is the same";
        return Err(fields.fault("currency", Fault::Value(wanted.to_owned())));
    }
    let rate = required_decimal(&fields, "rate")?;
    let (mantissa, scale) = rate.parts();
    // Products with the largest amount must stay inside the 128 bits that they are worked out in.
    if mantissa <= 0 || mantissa > 1_000_000_000_000_000_000 || scale > 12 {
        let wanted = "above zero, with at most 12 decimals and 18 digits";
        return Err(fields.fault("rate", Fault::Value(wanted.to_owned())));
    }
    Ok(Some(ShopMoney { currency, rate }))
}

/// An amount of a currency that is not negative.
pub(super) fn money(fields: &Fields<'_>, key: &str, currency: Currency) -> Result<Option<Amount>, Malformed> {
    let Some(decimal) = decimal(fields, key)? else { return Ok(None) };
    let wanted = match decimal.to_minor(currency) {
        Ok(amount) if !amount.is_negative() => return Ok(Some(amount)),
        Ok(_) | Err(AmountError::NotPositive) => "zero or more".to_owned(),
        Err(AmountError::TooManyDecimals(0)) => format!("whole: {currency} has no decimals"),
        Err(AmountError::TooManyDecimals(max)) => format!("an amount with at most {max} decimals, as {currency} has"),
        Err(AmountError::TooLarge) => "at most 10^15 minor units".to_owned(),
    };
    Err(fields.fault(key, Fault::Value(wanted)))
}

/// Sums that would not fit are refused before anything sums them up.
fn check_bounds(fields: &Fields<'_>, order: &Order) -> Result<(), Unfit> {
    let wide = |amount: Amount| i128::from(amount.get());
    let charged: i128 = order.components.iter().map(|c| wide(c.net).saturating_add(wide(c.tax))).sum();
    let captured: i128 = order.payments.iter().map(|p| wide(p.captured)).sum();
    let max = i128::from(AMOUNT_MINOR_MAX);
    if charged > max || captured > max {
        let what = if charged > max { "total" } else { "captured" };
        return Err(Unfit::Fault(IntakeFault::Fault(OrderFault::AmountOutOfRange(what))));
    }
    let Some(shop) = order.shop else { return Ok(()) };
    let (mantissa, scale) = shop.rate.parts();
    let lift = 10_i128.saturating_pow(shop.currency.exponent());
    let drop = 10_i128.saturating_pow(scale.saturating_add(order.currency.exponent()));
    let worth = mantissa.saturating_mul(charged.max(captured)).saturating_mul(lift) / drop.max(1);
    if worth > max {
        let wanted = "smaller: in the shop's currency the order would be above 10^15 minor units";
        return Err(Malformed::at(fields.path("shop.rate"), Fault::Value(wanted.to_owned())).into());
    }
    Ok(())
}

fn required_money(fields: &Fields<'_>, key: &str, currency: Currency) -> Result<Amount, Malformed> {
    money(fields, key, currency)?.ok_or_else(|| fields.fault(key, Fault::Missing))
}

fn line(fields: &Fields<'_>, books: Currency, taxes_included: bool) -> Result<(Line, Amount, Amount), Unfit> {
    only(fields, &[LINE_KEYS, LEFT_KEYS].concat())?;
    let quantity = count(fields, "quantity")?.ok_or_else(|| fields.fault("quantity", Fault::Missing))?;
    let line = Line {
        id: 0,
        external_id: Some(required_id(fields, "id")?.to_owned()),
        sku: text_of(fields, "sku", TEXT_CHARS_MAX)?,
        title: text_of(fields, "title", TEXT_CHARS_MAX)?,
        variant_title: text_of(fields, "variant_title", TEXT_CHARS_MAX)?,
        product_id: text_of(fields, "product_id", TEXT_CHARS_MAX)?,
        variant_id: text_of(fields, "variant_id", TEXT_CHARS_MAX)?,
        location_id: text_of(fields, "location_id", TEXT_CHARS_MAX)?,
        quantity,
        shipped: count(fields, "shipped")?.unwrap_or(0),
        unit_price: required_money(fields, "unit_price", books)?,
        discount: money(fields, "discount", books)?.unwrap_or_default(),
        cancelled: count(fields, "cancelled")?.unwrap_or(0),
    };
    let tax = money(fields, "tax", books)?.unwrap_or_default();
    let net = net_of(fields, &line, tax, books, taxes_included)?;
    Ok((line, net, tax))
}

/// `quantity × unit price − discount`, less the tax where prices include it.
fn net_of(
    fields: &Fields<'_>,
    line: &Line,
    tax: Amount,
    books: Currency,
    taxes_included: bool,
) -> Result<Amount, Unfit> {
    let show = |amount: Amount| shown(amount, books);
    let mut sum = format!("{} × {} − {}", line.quantity, show(line.unit_price), show(line.discount));
    let inside = if taxes_included { tax } else { Amount::ZERO };
    if taxes_included {
        sum = format!("{sum} − {}", show(tax));
    }
    let priced = i128::from(line.unit_price.get()).saturating_mul(i128::from(line.quantity));
    let worked_out = priced - i128::from(line.discount.get()) - i128::from(inside.get());
    let stated = money(fields, "net", books)?;
    match (i64::try_from(worked_out).ok().map(Amount::minor), stated) {
        (Some(net), _) if net.is_negative() => {
            let reason = format!("{sum} is {}: discount and tax are more than the price", show(net));
            Err(Unfit::contradictory(fields.path("discount"), reason))
        }
        (Some(net), Some(stated)) if net != stated => {
            let reason = format!("{} is not {sum} = {}", show(stated), show(net));
            Err(Unfit::contradictory(fields.path("net"), reason))
        }
        (Some(net), _) => Ok(net),
        (None, _) => Err(fields.fault("unit_price", Fault::Value("smaller".to_owned())).into()),
    }
}

fn read_charges(
    fields: &Fields<'_>,
    books: Currency,
    lines: &[Line],
    components: &mut Vec<Component>,
) -> Result<(), Unfit> {
    for kind in ComponentKind::ALL {
        if kind == ComponentKind::Tip
            && let Some(tip) = fields.object("tip")?
        {
            only(&tip, &["net", "tax", "left"])?;
            components.push(charge(&tip, kind, books, lines)?);
        }
        let Some((key, _)) = CHARGE_LISTS.iter().find(|(_, of)| *of == kind) else { continue };
        for entry in fields.objects(key, COMPONENTS_PER_ORDER_MAX)? {
            only(&entry, &[CHARGE_KEYS, LEFT_KEYS].concat())?;
            components.push(charge(&entry, kind, books, lines)?);
        }
    }
    Ok(())
}

fn charge(fields: &Fields<'_>, kind: ComponentKind, books: Currency, lines: &[Line]) -> Result<Component, Unfit> {
    let line = id(fields, "line")?.map(|name| line_named(fields, lines, name)).transpose()?;
    let name = text_of(fields, "name", TEXT_CHARS_MAX)?;
    if kind == ComponentKind::Additional && name.is_empty() {
        return Err(fields.fault("name", Fault::Missing).into());
    }
    let net = required_money(fields, "net", books)?;
    let tax = money(fields, "tax", books)?.unwrap_or_default();
    Ok(Component { kind, line, name, net, tax })
}

/// The line that a key of the document names.
pub(super) fn line_named(fields: &Fields<'_>, lines: &[Line], name: &str) -> Result<usize, Malformed> {
    let found = lines.iter().position(|line| line.external_id.as_deref() == Some(name));
    found.ok_or_else(|| fields.fault("line", Fault::Value(format!("the id of a line; \"{name}\" is none"))))
}

fn read_payments(fields: &Fields<'_>, books: Currency) -> Result<Vec<Payment>, Malformed> {
    let entries = fields.objects("payments", PAYMENTS_PER_ORDER_MAX)?;
    let known = [PAYMENT_KEYS, LEFT_KEYS].concat();
    entries.iter().map(|entry| only(entry, &known).and_then(|()| payment(entry, books))).collect()
}

fn payment(fields: &Fields<'_>, books: Currency) -> Result<Payment, Malformed> {
    let kinds = "online, gift_card, cash_on_delivery, custom";
    let kind = code(fields, "kind", kinds, PaymentKind::parse)?.unwrap_or(PaymentKind::Online);
    let gateway = text_of(fields, "gateway", TEXT_CHARS_MAX)?;
    let usual = if kind.settles_outside() { "manual" } else { "simulated" };
    let captured = required_money(fields, "captured", books)?;
    let (own_currency, own_captured) = match fields.object("own")? {
        None => (books, captured),
        Some(own) => {
            only(&own, &[OWN_KEYS, &["left"]].concat())?;
            let currency = currency(&own, "currency")?.ok_or_else(|| own.fault("currency", Fault::Missing))?;
            (currency, required_money(&own, "captured", currency)?)
        }
    };
    Ok(Payment {
        id: 0,
        external_id: Some(required_id(fields, "id")?.to_owned()),
        channel: text_of(fields, "channel", TEXT_CHARS_MAX)?,
        method: text_of(fields, "method", TEXT_CHARS_MAX)?,
        kind,
        gateway: if gateway.is_empty() { usual.to_owned() } else { gateway },
        reference: text_of(fields, "reference", TEXT_CHARS_MAX)?,
        account: text_of(fields, "account", TEXT_CHARS_MAX)?,
        captured,
        own_currency,
        own_captured,
    })
}

/// `total` and `paid` are worked out; where they are stated all the same, they must agree.
fn check_sums(fields: &Fields<'_>, order: &Order) -> Result<(), Unfit> {
    let sums = [
        ("total", order.charged(), "what the lines and charges come to"),
        ("paid", order.captured(), "what the payments captured"),
    ];
    for (key, sum, what) in sums {
        let stated: Option<Decimal> = decimal(fields, key)?;
        if stated.is_some_and(|stated| stated.to_minor(order.currency) != Ok(sum)) {
            let stated = fields.text(key)?.unwrap_or_default();
            let reason = format!("{stated} is not {}, {what}", shown(sum, order.currency));
            return Err(Unfit::contradictory(key, reason));
        }
    }
    Ok(())
}
