//! Wire → call: slips to be made and changed, and what is asked of an order's money.

use refundry_core::limits::SLIPS_PER_REQUEST_MAX;
use refundry_core::order::Reference;
use refundry_core::slips::{SlipChange, SlipDraft, SlipState};

use super::encode::slip_word;
use crate::body::{Fault, Fields};
use crate::parcels::ParcelCall;
use crate::shopline::params::{self, double, id, missing, time_ms, word};
use crate::shopline::{ids, reject};
use crate::wire::{Request, Response};

/// The one channel that slips are made for: money that was taken outside.
const CHANNEL: &str = "customPay";
/// Longest id of a payment at its provider, and longest name of one.
const TEXT_CHARS_MAX: usize = 255;
/// The last second that is printed with four digits of a year.
const LAST_SECOND: i64 = 253_402_300_799;

/// `GET orders/{order_id}/transactions.json`
pub(super) fn transactions(order: &str) -> ParcelCall {
    ParcelCall::Money { order: ids::order_reference(order), refunds: false }
}

/// `POST transactions/query.json`
pub(super) fn query(request: &Request<'_>) -> Result<ParcelCall, Response> {
    let body = params::body(request)?;
    let fields = params::root(&body)?;
    let order = id(&fields, "order_id")?.ok_or_else(|| missing(&fields, "order_id"))?;
    id(&fields, "transaction_id")?;
    Ok(ParcelCall::Money { order: ids::order_reference(&order), refunds: true })
}

/// The one transaction that a query asks for, as it was sent.
pub(super) fn wanted(request: &Request<'_>) -> Option<String> {
    let body = params::body(request).ok()?;
    id(&params::root(&body).ok()?, "transaction_id").ok()?
}

/// `POST orders/transactions.json`
pub(super) fn put_slips(request: &Request<'_>) -> Result<ParcelCall, Response> {
    let body = params::body(request)?;
    let entries = entries(&params::root(&body)?, "order_payment_list")?;
    let slips = entries.iter().map(|entry| {
        // What is required comes first, whatever else is wrong.
        let order = order(entry)?;
        let amount = double(entry, "amount")?.ok_or_else(|| missing(entry, "amount"))?;
        let state = state(entry, "order_payment_list.status")?.ok_or_else(|| missing(entry, "status"))?;
        check_words(entry, "order_payment_list")?;
        let details = Details::of(entry)?;
        Ok(SlipDraft {
            order,
            amount,
            currency: currency(entry)?,
            state,
            channel: CHANNEL.to_owned(),
            name: details.name,
            reference: details.reference.unwrap_or_default(),
            created_ms: created_ms(entry)?,
            happened_ms: time_ms(entry, "processed_at")?,
        })
    });
    slips.collect::<Result<_, Response>>().map(ParcelCall::PutSlips)
}

/// `POST orders/update_transactions.json`
pub(super) fn change_slips(request: &Request<'_>) -> Result<ParcelCall, Response> {
    let body = params::body(request)?;
    let entries = entries(&params::root(&body)?, "transactions")?;
    let changes = entries.iter().map(|entry| {
        let slip = id(entry, "id")?.ok_or_else(|| missing(entry, "id"))?;
        let order = order(entry)?;
        let (amount, state) = (double(entry, "amount")?, state(entry, "transactions.status")?);
        check_words(entry, "transactions")?;
        Ok(SlipChange {
            order,
            slip: ids::payment_reference(&slip),
            amount,
            currency: currency(entry)?,
            state,
            reference: Details::of(entry)?.reference,
            created_ms: created_ms(entry)?,
            happened_ms: time_ms(entry, "processed_at")?,
        })
    });
    changes.collect::<Result<_, Response>>().map(ParcelCall::ChangeSlips)
}

/// The entries of a list that must have some.
fn entries<'a>(root: &Fields<'a>, key: &str) -> Result<Vec<Fields<'a>>, Response> {
    let entries = root.objects(key, SLIPS_PER_REQUEST_MAX).map_err(|m| reject::malformed(&m))?;
    if entries.is_empty() { Err(missing(root, key)) } else { Ok(entries) }
}

fn order(entry: &Fields<'_>) -> Result<Reference, Response> {
    let text = id(entry, "order_id")?.ok_or_else(|| missing(entry, "order_id"))?;
    Ok(ids::order_reference(&text))
}

fn state(entry: &Fields<'_>, name: &str) -> Result<Option<SlipState>, Response> {
    let states = [SlipState::Unpaid, SlipState::Paid, SlipState::Failed];
    word(entry, "status", name, |text| states.into_iter().find(|state| slip_word(*state) == text))
}

/// Words that can be only one.
fn check_words(entry: &Fields<'_>, list: &str) -> Result<(), Response> {
    word(entry, "gateway", &format!("{list}.gateway"), |text| (text == CHANNEL).then_some(()))?;
    word(entry, "kind", &format!("{list}.kind"), |text| (text == "sale").then_some(()))?;
    Ok(())
}

fn currency(entry: &Fields<'_>) -> Result<Option<String>, Response> {
    let code = entry.text("currency").map_err(|m| reject::malformed(&m))?;
    Ok(code.map(|code| code.trim().to_owned()))
}

/// When a slip was made, in epoch seconds; zero is what a typed client leaves out.
fn created_ms(entry: &Fields<'_>) -> Result<Option<i64>, Response> {
    let seconds = entry.whole("create_at").map_err(|m| reject::malformed(&m))?.filter(|seconds| *seconds != 0);
    let read = |seconds: i64| {
        let in_range = (1..=LAST_SECOND).contains(&seconds);
        in_range
            .then(|| seconds.saturating_mul(1_000))
            .ok_or_else(|| reject::unprocessable("create_at is invalid: use epoch seconds, e.g. 1632638624"))
    };
    seconds.map(read).transpose()
}

/// What is told of a payment that was made elsewhere.
struct Details {
    reference: Option<String>,
    name: String,
}

impl Details {
    fn of(entry: &Fields<'_>) -> Result<Self, Response> {
        let Some(details) = entry.object("payment_details").map_err(|m| reject::malformed(&m))? else {
            return Ok(Self { reference: None, name: String::new() });
        };
        let name = text(&details, "store_payment_name")?.unwrap_or_default();
        Ok(Self { reference: text(&details, "pay_channel_deal_id")?, name })
    }
}

/// A text or a number as text, trimmed.
fn text(fields: &Fields<'_>, key: &str) -> Result<Option<String>, Response> {
    let Some(text) = fields.text_or_number(key).map_err(|m| reject::malformed(&m))? else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(reject::malformed(&fields.fault(key, Fault::TooLong(TEXT_CHARS_MAX))));
    }
    Ok(Some(text.to_owned()))
}
