//! Lists of orders: what is asked for, and the cursor that leads on.
//!
//! A cursor keeps what was asked for with it, because whatever else comes beside one counts for nothing: only the
//! length of a page and the keys of its orders may change. Where orders are named, it names those not shown yet.

use refundry_core::order::{Id, Reference};
use refundry_core::query::{AnyOf, Beside, OrderQuery, Page, SortBy, TimeRange};
use refundry_core::standing::{Sent, Stage, Tally};
use refundry_core::terms::{TERM_CHARS_MAX, TermKind};
use serde_json::{Map, Value, json};

use super::object::{Form, object};
use crate::shopline::paging::{self, Token};
use crate::shopline::params::{Query, only_fields};
use crate::shopline::{Version, ids, reject, terms};
use crate::wire::{OrderView, Request, Response};

const PAGE_MAX: u32 = 100;
const PAGE_DEFAULT: u32 = 50;
const IDS_MAX: usize = 100;
/// Characters of all ids together: what a cursor can carry. Ids of the platform have 26 digits.
const IDS_CHARS_MAX: usize = 3_000;

/// What a cursor keeps of a query.
const FILTERS: [&str; 16] = [
    "ids",
    "name",
    "status",
    "financial_status",
    "fulfillment_status",
    "created_at_min",
    "created_at_max",
    "updated_at_min",
    "updated_at_max",
    "buyer_id",
    "email",
    "location",
    "contract_ids",
    "hidden_order",
    "search_content",
    "sort_condition",
];

const TALLIES: [(&str, Option<Tally>); 7] = [
    ("unpaid", Some(Tally::Unpaid)),
    // No order is ever in these two here.
    ("authorized", None),
    ("pending", None),
    ("partially_paid", Some(Tally::PartlyPaid)),
    ("paid", Some(Tally::Paid)),
    ("partially_refunded", Some(Tally::PartlyBack)),
    ("refunded", Some(Tally::Back)),
];

/// Where `search_content` is looked for.
const SEARCHED: [TermKind; 8] = [
    TermKind::Number,
    TermKind::Name,
    TermKind::Title,
    TermKind::Sku,
    TermKind::CustomerEmail,
    TermKind::ShippingEmail,
    TermKind::CustomerPhone,
    TermKind::ShippingPhone,
];

/// What is asked of a list.
struct Asked {
    query: OrderQuery,
    /// What the next cursor keeps.
    filters: Vec<(String, String)>,
    /// The list goes up from an order, as nobody said how to sort it.
    upwards: bool,
}

/// The query of the list.
pub(super) fn query(request: &Request<'_>) -> Result<OrderQuery, Response> {
    read(request).map(|asked| asked.query)
}

/// The query of the count; what says where a page begins means nothing here.
pub(super) fn count(request: &Request<'_>) -> Result<OrderQuery, Response> {
    filters(&Query::of(request).joined("ids"), &["any"])
}

fn read(request: &Request<'_>) -> Result<Asked, Response> {
    let given = Query::of(request).joined("ids");
    let Some(text) = given.text("page_info") else { return first(&given) };
    let unread = || reject::unprocessable("page_info is invalid: use one that a link header gave");
    let token = Token::read(text).ok_or_else(unread)?;
    let invalid = |_| unread();
    let filters: Vec<(String, String)> = FILTERS.iter().filter_map(|key| token.filter(key)).collect();
    let kept = Query::of_pairs(filters.clone());
    let mut query = self::filters(&kept, &[]).map_err(invalid)?;
    (query.sort, query.descending) = sort(&kept).map_err(invalid)?.unwrap_or((SortBy::Created, !token.upwards));
    query.limit = given.limit(token.limit.clamp(1, PAGE_MAX), PAGE_MAX)?;
    query.beside = beside(&given);
    let reference = ids::order_reference(&token.id);
    query.page = match (token.back, token.key_ms, reference.ours) {
        // Where the list went on from still counts if that order has moved in it, or is gone, since.
        (false, Some(key_ms), Some(id)) => Page::Key { key_ms, id },
        (false, ..) => Page::After(reference),
        (true, ..) => Page::Before(reference),
    };
    Ok(Asked { query, filters, upwards: token.upwards })
}

fn first(given: &Query) -> Result<Asked, Response> {
    let mut query = filters(given, &[])?;
    let since = given.text("since_id").map(ids::order_reference);
    let sorted = sort(given)?;
    let upwards = sorted.is_none() && since.is_some();
    (query.sort, query.descending) = sorted.unwrap_or((SortBy::Created, !upwards));
    query.page = since.map_or(Page::Start, Page::After);
    query.limit = given.limit(PAGE_DEFAULT, PAGE_MAX)?;
    query.beside = beside(given);
    let kept = FILTERS.iter().filter_map(|key| Some(((*key).to_owned(), kept(key, given.text(key)?))));
    Ok(Asked { query, filters: kept.collect(), upwards })
}

/// Words are compared up to a bounded length, so no more of them has to be kept.
fn kept(key: &str, text: &str) -> String {
    let max = if key == "ids" { IDS_CHARS_MAX } else { TERM_CHARS_MAX };
    text.chars().take(max).collect()
}

/// All filters; `any` are words for all ways of being shipped.
fn filters(given: &Query, any: &[&str]) -> Result<OrderQuery, Response> {
    let orders = orders(given)?;
    let mut query = OrderQuery {
        stages: stages(given)?,
        tally: tallies(given)?,
        sent: sent(given, any)?,
        created: range(given, "created_at_min", "created_at_max")?,
        updated: range(given, "updated_at_min", "updated_at_max")?,
        words: words(given),
        ..OrderQuery::default()
    };
    // An order that is named is meant, wherever it was put.
    let hides = !given.flag("hidden_order")?.unwrap_or(false) && orders.is_none();
    query.closed = hides.then_some(false);
    // Nothing has a contract here.
    query.orders = if given.text("contract_ids").is_some() { Some(Vec::new()) } else { orders };
    Ok(query)
}

fn orders(given: &Query) -> Result<Option<Vec<Reference>>, Response> {
    let Some(text) = given.text("ids") else { return Ok(None) };
    let named: Vec<&str> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if named.len() > IDS_MAX {
        return Err(reject::unprocessable(format!("ids must not be more than {IDS_MAX}")));
    }
    if text.chars().count() > IDS_CHARS_MAX {
        return Err(reject::unprocessable("ids are too long"));
    }
    Ok(Some(named.into_iter().map(ids::order_reference).collect()))
}

fn stages(given: &Query) -> Result<Option<Vec<Stage>>, Response> {
    match given.text("status") {
        None | Some("any") => Ok(None),
        Some("open") => Ok(Some(vec![Stage::Opened, Stage::Placed, Stage::Finished])),
        Some("cancelled") => Ok(Some(vec![Stage::Cancelled])),
        Some(_) => Err(reject::unprocessable("status value is illegal")),
    }
}

/// One word or several of them.
fn tallies(given: &Query) -> Result<Option<Vec<Tally>>, Response> {
    let Some(text) = given.text("financial_status") else { return Ok(None) };
    let mut tallies = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let known = TALLIES.iter().find(|(name, _)| *name == word);
        let (_, tally) = known.ok_or_else(|| reject::unprocessable("financial status value is illegal"))?;
        tallies.extend(*tally);
    }
    Ok(Some(tallies))
}

fn sent(given: &Query, any: &[&str]) -> Result<Option<Vec<Sent>>, Response> {
    match given.text("fulfillment_status") {
        None => Ok(None),
        Some(word) if any.contains(&word) => Ok(None),
        Some("unshipped") => Ok(Some(vec![Sent::Nothing])),
        Some("partial") => Ok(Some(vec![Sent::Some])),
        Some("shipped") => Ok(Some(vec![Sent::All])),
        Some(_) => Err(reject::unprocessable("fulfillment status value is illegal")),
    }
}

fn range(given: &Query, from: &str, to: &str) -> Result<TimeRange, Response> {
    // The platform writes times to the second, so the last one counts whole.
    let to_ms = given.time_ms(to)?.map(|ms| if ms % 1_000 == 0 { ms.saturating_add(999) } else { ms });
    Ok(TimeRange { from_ms: given.time_ms(from)?, to_ms })
}

fn words(given: &Query) -> Vec<AnyOf> {
    let whole = |key: &str, kind| given.text(key).map(|text| AnyOf::whole(kind, [text]));
    let found = given.text("search_content").map(searched);
    let all = [
        whole("name", TermKind::Number),
        whole("buyer_id", TermKind::Customer),
        whole("email", TermKind::CustomerEmail),
        whole("location", TermKind::Place),
        found,
    ];
    all.into_iter().flatten().collect()
}

/// Whatever begins with a text. Phone numbers are known by their digits alone.
fn searched(text: &str) -> AnyOf {
    let is_phone = text.chars().all(|c| c.is_ascii_digit() || "+-() ".contains(c));
    let phone = Some(terms::digits(text)).filter(|digits| is_phone && !digits.is_empty() && digits != text);
    AnyOf::beginning(&SEARCHED, std::iter::once(text).chain(phone.as_deref()))
}

/// `order_at:desc,id:asc`: the first key counts, as it leaves hardly anything to the others.
fn sort(given: &Query) -> Result<Option<(SortBy, bool)>, Response> {
    let Some(text) = given.text("sort_condition") else { return Ok(None) };
    let invalid = || reject::unprocessable("sort_condition is invalid: use e.g. order_at:desc");
    let mut first = None;
    for entry in text.split(',') {
        let (key, direction) = entry.trim().split_once(':').unwrap_or((entry.trim(), "asc"));
        let sort = match key.trim() {
            "order_at" | "created_at" | "id" => SortBy::Created,
            "updated_at" => SortBy::Updated,
            _ => return Err(invalid()),
        };
        let descending = match direction.trim() {
            "asc" => false,
            "desc" => true,
            _ => return Err(invalid()),
        };
        first = first.or(Some((sort, descending)));
    }
    Ok(first)
}

/// What has to be read beside the orders to show the keys that are wanted.
fn beside(given: &Query) -> Beside {
    let Some(names) = given.text("fields") else { return Beside::ALL };
    let wants = |key: &str| names.split(',').any(|name| name.trim() == key);
    Beside {
        document: true,
        parcels: wants("fulfillments"),
        refunds: wants("refunds"),
        transactions: wants("payment_details"),
    }
}

/// Writes a page.
pub(super) fn page(version: Version, request: &Request<'_>, orders: &[OrderView], has_more: bool) -> Response {
    let given = Query::of(request);
    let shown = orders.iter().map(|view| {
        let mut order = object(version, view, Form::Listed);
        only_fields(&given, &mut order);
        order
    });
    let answer = Response::json(200, &json!({ "orders": shown.collect::<Vec<Value>>() }));
    match link(request, orders, has_more) {
        Some(link) => answer.with("link", link),
        None => answer,
    }
}

fn link(request: &Request<'_>, orders: &[OrderView], has_more: bool) -> Option<String> {
    // It was read before, so it can be read again.
    let asked = read(request).ok()?;
    let (first, last) = (orders.first()?, orders.last()?);
    // A page after or before some order has at least that one on its other side.
    let (back, on) = match asked.query.page {
        Page::Before(_) => (has_more, true),
        Page::After(_) | Page::Key { .. } => (true, has_more),
        Page::Start | Page::Skip(_) => (false, has_more),
    };
    let is_named = asked.query.orders.is_some();
    let token = |end: &OrderView, back: bool| {
        let order = &end.facts.order;
        let key_ms = match asked.query.sort {
            SortBy::Created => order.created_ms,
            SortBy::Updated => order.updated_ms.max(end.facts.balances.updated_ms),
        };
        let filters = filters_left(&asked, orders);
        let id = ids::minted_order_id(order.id);
        Token { id, back, limit: asked.query.limit, key_ms: Some(key_ms), upwards: asked.upwards, filters }.write()
    };
    // Where orders are named, those of earlier pages are not in the cursor any more.
    let previous = (back && !is_named).then(|| token(first, true));
    let next = on.then(|| token(last, false));
    paging::entries(request, asked.query.limit, previous, next)
}

/// What the next cursor keeps: of orders that are named, those that were not shown.
fn filters_left(asked: &Asked, shown: &[OrderView]) -> Map<String, Value> {
    let is_shown = |id: &str| {
        let reference = ids::order_reference(id);
        let is = |view: &OrderView| reference.names(view.facts.order.id, view.facts.order.external_id.as_deref());
        shown.iter().any(is)
    };
    let left = |(key, text): &(String, String)| {
        let text = if key == "ids" {
            text.split(',').map(str::trim).filter(|id| !is_shown(id)).map(short).collect::<Vec<String>>().join(",")
        } else {
            text.clone()
        };
        (key.clone(), Value::String(text))
    };
    asked.filters.iter().map(left).collect()
}

/// An id of ours without the digits that all of them have.
fn short(id: &str) -> String {
    ids::order_reference(id).ours.map_or_else(|| id.to_owned(), |ours: Id| format!("{ours:018}"))
}
