//! Reads one order object of the platform into the books.
//!
//! The books are in the currency the buyer paid in; the store's, where it is another one, becomes the order's shadow
//! currency at the rate that the document's own figures give. Figures that contradict each other are refused.

use refundry_core::intake::{Intake, IntakeFault, PastRefund};
use refundry_core::life::Life;
use refundry_core::limits::{NOTE_CHARS_MAX, PAYMENTS_PER_ORDER_MAX};
use refundry_core::money::Amount;
use refundry_core::order::{Capture, Dialect, Order, Payment, PaymentKind, ShopMoney, Status};
use serde_json::Value;

use super::sold::{self, Sold};
use super::till::{
    Pair, Till, add, contradictory, currency, id, list, minor, name, object, of_malformed, proportion, rate, show,
    text, unreadable,
};
use super::{ids, past, terms};
use crate::body::Fields;
use crate::text::parse_time;

/// A payment with what the document says it was worth in the store's currency, and when it was paid.
struct Slip {
    payment: Payment,
    store: Option<Amount>,
    paid_ms: Option<i64>,
}

/// `{"order":{…}}` or the bare object.
pub(super) fn read(document: &Value, now_ms: i64) -> Result<Intake, IntakeFault> {
    let root = Fields::root(document).map_err(|m| of_malformed(&m))?;
    let fields = object(&root, "order")?.unwrap_or(root);
    let external_id = id(&fields, "id")?.ok_or_else(|| unreadable(fields.path("id"), "is required"))?;
    let till = Till::open(&fields)?;
    let included = fields.flag("taxes_included").map_err(|m| of_malformed(&m))?.unwrap_or_default();
    let sold = sold::read(&fields, till, included)?;
    let total = whole(&fields, till)?;
    let slips = slips(&fields, till, total)?;

    let created_ms = time(&fields, &["created_at", "order_at"])?.unwrap_or(now_ms);
    let Sold { lines, components, fulfillable, reduced } = sold;
    let mut order = Order {
        id: ids::order_number(&external_id).unwrap_or(0),
        origin: Dialect::Shopline,
        number: text(&fields, "name")?.map_or_else(|| external_id.clone(), str::to_owned),
        external_id: Some(external_id),
        currency: till.books,
        shop: None,
        taxes_included: included,
        capture: Capture::Whole,
        status: status(&fields)?,
        disputed: false,
        lines,
        components,
        payments: slips.iter().map(|slip| slip.payment.clone()).collect(),
        created_ms,
        updated_ms: time(&fields, &["updated_at"])?.unwrap_or(created_ms),
        test: false,
        life: life(&fields, &slips)?,
    };
    check_sums(&fields, &order)?;
    let sums = Sums { charged: order.charged(), captured: order.captured() };
    order.shop = shop_money(&fields, till, &order, &slips, total)?;
    order.validate().map_err(IntakeFault::Fault)?;
    let refunds = past::read(&fields, till, &order, &fulfillable, past::Leeway { goods: reduced, total })?;
    check_totals(&fields, till, sums, &refunds)?;
    Ok(Intake { order, refunds, document: document.to_string(), terms: terms::of(document) })
}

/// What the order costs and what was captured, in its own currency.
#[derive(Clone, Copy)]
struct Sums {
    charged: Amount,
    captured: Amount,
}

/// The order's rate, from what was paid where that is known in both currencies, else from the totals.
fn shop_money(
    fields: &Fields<'_>,
    till: Till,
    order: &Order,
    slips: &[Slip],
    total: Pair,
) -> Result<Option<ShopMoney>, IntakeFault> {
    let Some(store) = till.shop else { return Ok(None) };
    let mut paid = (Amount::ZERO, Some(Amount::ZERO));
    for slip in slips.iter().filter(|s| s.payment.own_currency == till.books && s.payment.captured.is_positive()) {
        paid.0 = add(&fields.path("payment_details"), paid.0, slip.payment.captured)?;
        paid.1 = match (paid.1, slip.store) {
            (Some(sum), Some(more)) => Some(add(&fields.path("payment_details"), sum, more)?),
            (Some(_) | None, _) => None,
        };
    }
    let (books, shop) = match paid {
        (books, Some(shop)) if books.is_positive() => (books, Some(shop)),
        (_, Some(_) | None) => (total.books, total.shop),
    };
    let unknown = || unreadable(fields.path("total_line_items_price_set"), format!("must be in {store} too"));
    let shop = if books.is_zero() { Amount::ZERO } else { shop.ok_or_else(unknown)? };
    // Whatever is ever converted: no unit price, no part and no refund is above the largest of these.
    let prices = order.lines.iter().map(|line| line.unit_price);
    let largest = prices.chain([order.charged(), order.captured()]).max().unwrap_or_default();
    rate((books, till.books), (shop, store), largest).map(Some).ok_or_else(|| {
        let reason = format!("{} cannot be {}", till.show(books), show(shop, store));
        contradictory(fields.path("payment_details"), reason)
    })
}

/// The largest total there is in both currencies; zero where there is none.
fn whole(order: &Fields<'_>, till: Till) -> Result<Pair, IntakeFault> {
    let mut largest = Pair::default();
    for key in ["total_price", "current_total_price", "subtotal_price", "total_line_items_price"] {
        if let Some(pair) = till.pair(order, key)?
            && pair.books > largest.books
            && pair.shop.is_none_or(|shop| !shop.is_negative())
        {
            largest = pair;
        }
    }
    Ok(largest)
}

fn slips(order: &Fields<'_>, till: Till, total: Pair) -> Result<Vec<Slip>, IntakeFault> {
    let account = payer(order)?;
    let details = list(order, "payment_details", PAYMENTS_PER_ORDER_MAX)?;
    details.iter().map(|fields| slip(fields, till, total, &account)).collect()
}

fn slip(fields: &Fields<'_>, till: Till, total: Pair, account: &str) -> Result<Slip, IntakeFault> {
    let external_id = id(fields, "pay_seq")?.ok_or_else(|| unreadable(fields.path("pay_seq"), "is required"))?;
    let own_currency = match text(fields, "settle_currency")? {
        Some(code) => currency(fields, "settle_currency", code)?,
        None => till.books,
    };
    let captured = text(fields, "pay_status")?.is_some_and(|status| status == "paid" || status == "paid_overtime");
    let store = minor(fields, "pay_amount", till.store())?;
    let own = match minor(fields, "settle_pay_amount", own_currency)? {
        Some(own) => own,
        // Without a settlement amount, the plain one says it where it is in the same currency.
        None => store
            .filter(|_| own_currency == till.store())
            .ok_or_else(|| unreadable(fields.path("settle_pay_amount"), "is required"))?,
    };
    if own.is_negative() || store.is_some_and(Amount::is_negative) {
        return Err(unreadable(fields.path("settle_pay_amount"), "must not be negative"));
    }
    let booked = booked(fields, till, total, (own, own_currency), store)?;
    let names = Names::read(fields)?;
    let kind = names.kind;
    let of_captured = |amount: Amount| if captured { amount } else { Amount::ZERO };
    let payment = Payment {
        id: 0,
        external_id: Some(external_id),
        channel: names.gateway,
        method: names.method,
        kind,
        gateway: if kind.settles_outside() { "manual" } else { "simulated" }.to_owned(),
        reference: name(fields, "pay_channel_deal_id")?.unwrap_or_default(),
        account: account.to_owned(),
        captured: of_captured(booked),
        own_currency,
        own_captured: of_captured(own),
    };
    Ok(Slip { payment, store, paid_ms: time(fields, &["processed_at", "create_time"])? })
}

/// What a slip was worth in the order's currency.
fn booked(
    fields: &Fields<'_>,
    till: Till,
    total: Pair,
    (own, own_currency): (Amount, refundry_core::money::Currency),
    store: Option<Amount>,
) -> Result<Amount, IntakeFault> {
    if own_currency == till.books {
        return Ok(own);
    }
    let store = store.ok_or_else(|| unreadable(fields.path("pay_amount"), "is required"))?;
    let Some(_) = till.shop else { return Ok(store) };
    let whole = total.shop.filter(|shop| shop.is_positive());
    let booked = whole.and_then(|shop| proportion(store, total.books, shop));
    booked.ok_or_else(|| {
        unreadable(fields.path("pay_amount"), "cannot be converted: the order has no total in both currencies")
    })
}

/// What a payment slip calls its channel.
struct Names {
    gateway: String,
    method: String,
    kind: PaymentKind,
}

impl Names {
    fn read(fields: &Fields<'_>) -> Result<Self, IntakeFault> {
        let named = |key| Ok::<_, IntakeFault>(text(fields, key)?.unwrap_or_default().to_owned());
        let (gateway, channel, method) = (named("gateway")?, named("pay_channel")?, named("payment_method")?);
        let kind = kind_named([&gateway, &channel, &method]);
        Ok(Self { gateway: if gateway.is_empty() { channel } else { gateway }, method, kind })
    }
}

/// What a payment is whose slip bears these names.
pub(super) fn kind_named<const N: usize>(names: [&str; N]) -> PaymentKind {
    let bare = |name: &str| {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    };
    let names = names.map(bare);
    let any = |is: fn(&str) -> bool| names.iter().any(|name| is(name));
    if any(|n| n == "cod" || n == "cashondelivery") {
        PaymentKind::CashOnDelivery
    } else if any(|n| n == "giftcard") {
        PaymentKind::GiftCard
    } else if any(|n| n.starts_with("custom") || n.starts_with("manual") || n == "adjustpay" || n == "cash")
        || any(|n| n.contains("banktransfer") || n.contains("bankdeposit") || n == "moneyorder")
    {
        PaymentKind::Custom
    } else {
        PaymentKind::Online
    }
}

/// Who paid: the name on the bill, else the customer's.
fn payer(order: &Fields<'_>) -> Result<String, IntakeFault> {
    for key in ["billing_address", "customer"] {
        let Some(person) = object(order, key)? else { continue };
        if let Some(name) = text(&person, "name")? {
            return Ok(name.to_owned());
        }
        let (first, last) = (text(&person, "first_name")?, text(&person, "last_name")?);
        let name = [first, last].into_iter().flatten().collect::<Vec<&str>>().join(" ");
        if !name.is_empty() {
            return Ok(name);
        }
    }
    Ok(String::new())
}

fn status(order: &Fields<'_>) -> Result<Status, IntakeFault> {
    let off = text(order, "status")?.is_some_and(|s| s == "canceled" || s == "cancelled");
    let cancelled = off || text(order, "cancelled_at")?.is_some();
    Ok(if cancelled { Status::Cancelled } else { Status::Open })
}

/// When it was paid first, and when and why it was called off. Nothing says whether it was put away.
fn life(order: &Fields<'_>, slips: &[Slip]) -> Result<Life, IntakeFault> {
    let paid = slips.iter().filter(|slip| slip.payment.captured.is_positive());
    Ok(Life {
        placed_ms: paid.filter_map(|slip| slip.paid_ms).min(),
        cancelled_ms: time(order, &["cancelled_at"])?,
        cancel_reason: text(order, "cancel_reason")?.unwrap_or_default().chars().take(NOTE_CHARS_MAX).collect(),
        ..Life::default()
    })
}

fn time(order: &Fields<'_>, keys: &[&str]) -> Result<Option<i64>, IntakeFault> {
    for key in keys {
        if let Some(text) = text(order, key)? {
            let invalid = || unreadable(order.path(key), "must be an ISO 8601 time");
            return parse_time(text).map(Some).ok_or_else(invalid);
        }
    }
    Ok(None)
}

/// Sums stay within the bound of all amounts, so that no later sum can overflow.
fn check_sums(fields: &Fields<'_>, order: &Order) -> Result<(), IntakeFault> {
    let parts = order.components.iter().flat_map(|c| [c.net, c.tax]);
    parts.into_iter().try_fold(Amount::ZERO, |sum, part| add(&fields.path("line_items"), sum, part))?;
    let paid = order.payments.iter().map(|p| p.captured);
    paid.into_iter().try_fold(Amount::ZERO, |sum, part| add(&fields.path("payment_details"), sum, part))?;
    Ok(())
}

/// The parts make the order's total, and payments make what is not outstanding.
fn check_totals(fields: &Fields<'_>, till: Till, sums: Sums, refunds: &[PastRefund]) -> Result<(), IntakeFault> {
    let Sums { charged, captured } = sums;
    let refunded: Amount = refunds.iter().flat_map(|r| &r.legs).map(|(_, booked, _)| *booked).sum();
    // `current_…` is after refunds; `total_price` is not always there.
    let (key, stated) = match till.amount(fields, "total_price")? {
        Some(total) => ("total_price", Some(total)),
        None => ("current_total_price", till.amount(fields, "current_total_price")?.map(|total| total + refunded)),
    };
    if let Some(stated) = stated.filter(|stated| *stated != charged) {
        let after = if refunded.is_zero() { String::new() } else { " with what was refunded".to_owned() };
        let reason = format!("{}{after}, but the parts come to {}", till.show(stated), till.show(charged));
        return Err(contradictory(fields.path(key), reason));
    }
    let outstanding = till.signed(fields, "total_outstanding")?;
    let outstanding = match (text(fields, "financial_status")?, outstanding) {
        (Some("paid"), outstanding) => outstanding.unwrap_or_default(),
        (Some("partially_paid" | "partially_refunded" | "refunded"), Some(outstanding)) => outstanding,
        // Elsewhere the platform does not say what counts as outstanding.
        (Some(_) | None, _) => return Ok(()),
    };
    let due = charged - outstanding;
    if due == captured {
        return Ok(());
    }
    let reason = format!("{} were to be paid so far, but payments come to {}", till.show(due), till.show(captured));
    Err(contradictory(fields.path("payment_details"), reason))
}
