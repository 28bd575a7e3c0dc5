//! Wire → call.

use refundry_core::command::{
    AmountIn, Ask, CreateRefund, LegAsk, PartAsk, PartMoney, Parts, Plan, RefundRequest, Rounding, Target, Total,
    UnitAsk, UnitMode,
};
use refundry_core::limits::{EXTERNAL_ID_CHARS_MAX, NOTE_CHARS_MAX};
use refundry_core::money::Decimal;
use refundry_core::order::Dialect;
use refundry_core::query::{Page, RefundQuery, SortBy};
use refundry_core::refund::Restock;

use crate::body::Fields;
use crate::shopline::paging::PageInfo;
use crate::shopline::params::{self, Query, amount, currency, flag, id, missing, objects, processed_ms, word};
use crate::shopline::{Version, ids, reject};
use crate::wire::{Call, Request, Response, Wait};

/// Refunds of one page, unless the caller says otherwise.
const PAGE_DEFAULT: u32 = 50;
/// Refunds of one page at most, as the platform documents it.
const PAGE_MAX: u32 = 250;

/// `POST order/refund.json`
pub(super) fn create_refund(version: Version, request: &Request<'_>) -> Result<Call, Response> {
    let body = params::body(request)?;
    let fields = params::root(&body)?;

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
        known_places: true,
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
    let query = Query::of(request);
    let from = match query.text("page_info") {
        None => None,
        Some(text) => {
            let unread = || reject::unprocessable("page_info is invalid: use one that a link header gave");
            Some(PageInfo::read(text).ok_or_else(unread)?)
        }
    };
    let limit = query.limit(from.as_ref().map_or(PAGE_DEFAULT, |info| info.limit), PAGE_MAX)?;
    // A `page_info` carries where its list began, so `since_id` beside it says nothing.
    let since = || query.text("since_id").map_or(Page::Start, |text| Page::After(ids::refund_reference(text)));
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

/// The pool that units come from.
pub(in crate::shopline) fn unit_mode(item: &Fields<'_>) -> Result<UnitMode, Response> {
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
pub(in crate::shopline) fn shipping(fields: &Fields<'_>) -> Result<Option<PartAsk>, Response> {
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

/// Our extension: what the caller believes is left.
fn refundable_before(request: &Request<'_>) -> Result<Option<Decimal>, Response> {
    let invalid = |_| reject::unprocessable("Refundable-Before is invalid: use a decimal amount, e.g. 65.00");
    request.header("refundable-before").map(|text| Decimal::parse(text.trim()).map_err(invalid)).transpose()
}
