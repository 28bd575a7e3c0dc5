//! The query of the order list: page numbers and a few filters in legacy versions, a cursor and many in modern ones.

use refundry_core::balances::Facts;
use refundry_core::money::Decimal;
use refundry_core::query::{AmountRange, AnyOf, Beside, OrderQuery, Page};
use refundry_core::standing::{Goods, Money, Stage};
use refundry_core::terms::TermKind;

use super::Version;
use super::list::{self, List, Params, one_of, place, range, references, whole};
use super::terms::{NOT_RECOVERED, digits};
use crate::body::{Fault, Malformed};
use crate::text::query_pairs;

/// Orders of a page, and ids of a query.
const PAGE_MAX: u32 = 250;
const PAGE_DEFAULT: u32 = 10;
const IDS_MAX: usize = 250;
/// Values of any other filter.
const VALUES_MAX: usize = 50;
const KEYWORDS_MAX: usize = 10;

/// `status`.
const STAGES: &[(&str, Option<Stage>)] = &[
    ("opened", Some(Stage::Opened)),
    ("placed", Some(Stage::Placed)),
    ("finished", Some(Stage::Finished)),
    ("cancelled", Some(Stage::Cancelled)),
];

/// `financial_status`; what no order ever has here is known all the same.
const MONEY: &[(&str, Option<Money>)] = &[
    ("waiting", Some(Money::Waiting)),
    ("paying", None),
    ("authorized", None),
    ("partially_paid", Some(Money::PartlyPaid)),
    ("paid", Some(Money::Paid)),
    ("cancelled", Some(Money::Cancelled)),
    ("failed", None),
    ("refunding", Some(Money::Refunding)),
    ("refund_failed", Some(Money::RefundFailed)),
    ("refunded", Some(Money::Refunded)),
    ("partially_refunded", Some(Money::PartlyRefunded)),
];

/// `fulfillment_status`; what no order ever has here is known all the same.
const GOODS: &[(&str, Option<Goods>)] = &[
    ("initialled", Some(Goods::Initialled)),
    ("waiting", Some(Goods::Waiting)),
    ("partially_shipped", Some(Goods::PartlyShipped)),
    ("shipped", Some(Goods::Shipped)),
    ("partially_finished", Some(Goods::PartlyFinished)),
    ("finished", Some(Goods::Finished)),
    ("cancelled", Some(Goods::Cancelled)),
    ("returning", None),
    ("partially_returned", None),
    ("returned", None),
];

const RECOVERY: &[(&str, Option<&str>)] = &[
    (NOT_RECOVERED, Some(NOT_RECOVERED)),
    ("sending", Some("sending")),
    ("recalling", Some("recalling")),
    ("failed", Some("failed")),
    ("success", Some("success")),
];

/// What `keyword_scope_fields` and `fuzzy_fields` may name.
const FIELDS: &[(&str, &[TermKind])] = &[
    ("number", &[TermKind::Number]),
    ("order_number", &[TermKind::Number]),
    ("name", &[TermKind::Name]),
    ("customer_name", &[TermKind::Name]),
    ("email", &[TermKind::CustomerEmail, TermKind::ShippingEmail]),
    ("customer_email", &[TermKind::CustomerEmail]),
    ("shipping_email", &[TermKind::ShippingEmail]),
    ("phone", &[TermKind::CustomerPhone, TermKind::ShippingPhone]),
    ("customer_phone", &[TermKind::CustomerPhone]),
    ("shipping_phone", &[TermKind::ShippingPhone]),
    ("product_title", &[TermKind::Title]),
    ("product_id", &[TermKind::Product]),
    ("sku", &[TermKind::Sku]),
    ("spu", &[TermKind::Spu]),
    ("order_tag", &[TermKind::Tag]),
    ("tag", &[TermKind::Tag]),
    ("customer_id", &[TermKind::Customer]),
    ("browser_ip", &[TermKind::BrowserIp]),
    ("sales_platform", &[TermKind::Platform]),
];

/// Where keywords are looked for unless fields are named.
const ANYWHERE: &[TermKind] = &[
    TermKind::Number,
    TermKind::Name,
    TermKind::CustomerEmail,
    TermKind::ShippingEmail,
    TermKind::CustomerPhone,
    TermKind::ShippingPhone,
    TermKind::Title,
    TermKind::Sku,
    TermKind::Spu,
    TermKind::Tag,
];

/// Filters whose values are texts that an order is found by as a whole.
const WORDS: &[(&str, &[TermKind])] = &[
    ("customer_id", &[TermKind::Customer]),
    ("sales_platform", &[TermKind::Platform]),
    ("customer_emails", &[TermKind::CustomerEmail]),
    ("shipping_emails", &[TermKind::ShippingEmail]),
    ("shipping_phones", &[TermKind::ShippingPhone]),
    ("browser_ips", &[TermKind::BrowserIp]),
    ("product_ids", &[TermKind::Product]),
    ("skus", &[TermKind::Sku]),
    ("spus", &[TermKind::Spu]),
    ("order_tags", &[TermKind::Tag]),
];

/// Reads the query of the list; the encoder needs its sort key again for the next cursor.
pub(super) fn query(version: Version, query: &str) -> Result<OrderQuery, Malformed> {
    let params = Params(query_pairs(query));
    let modern = version.is_modern();
    let size: &[&'static str] = if modern { &["page_size", "limit"] } else { &["limit"] };
    let limit = whole(&params, size, PAGE_MAX)?.unwrap_or(PAGE_DEFAULT);
    let filters = filters(&params, modern)?;
    if !modern {
        let before = u64::from(whole(&params, &["page"], u32::MAX)?.unwrap_or(1).saturating_sub(1));
        let page = if before == 0 { Page::Start } else { Page::Skip(before * u64::from(limit)) };
        return Ok(OrderQuery { page, limit, ..filters });
    }
    // Newer versions know no page numbers here, so one that is sent means nothing.
    let params = Params(params.0.into_iter().filter(|(key, _)| key != "page").collect());
    let start = place(&params, List::Orders, modern, limit)?;
    Ok(OrderQuery { sort: start.sort, descending: start.descending, page: start.page, limit, ..filters })
}

/// Reads the query of the count: the filters of the list. Paging and sorting mean nothing here, so they are not read.
pub(super) fn count(version: Version, query: &str) -> Result<OrderQuery, Malformed> {
    filters(&Params(query_pairs(query)), version.is_modern())
}

/// The cursor behind the last order of a page.
pub(super) fn cursor_after(query: &OrderQuery, last: &Facts) -> String {
    let updated_ms = last.order.updated_ms.max(last.balances.updated_ms);
    list::cursor(List::Orders, (query.sort, query.descending), (last.order.created_ms, updated_ms), last.order.id)
}

/// Older versions say `paying` of an order that is partly paid.
fn money(params: &Params, modern: bool) -> Result<Option<Vec<Money>>, Malformed> {
    let mut money = states(params, "financial_status", MONEY)?;
    if !modern && params.list(&["financial_status"]).contains(&"paying") {
        money.get_or_insert_default().push(Money::PartlyPaid);
    }
    Ok(money)
}

fn filters(params: &Params, modern: bool) -> Result<OrderQuery, Malformed> {
    let mut words = Vec::new();
    words.extend(recovery(params)?);
    words.extend(matching(params, "location_id", &[TermKind::Location, TermKind::Place])?);
    let mut query = OrderQuery {
        orders: references(params, &["ids"], IDS_MAX)?,
        stages: states(params, "status", STAGES)?,
        money: money(params, modern)?,
        goods: states(params, "fulfillment_status", GOODS)?,
        created: range(params, "created_at_min", "created_at_max")?,
        updated: range(params, "updated_at_min", "updated_at_max")?,
        placed: range(params, "placed_at_min", "placed_at_max")?,
        beside: Beside::PARCELS,
        ..OrderQuery::default()
    };
    if modern {
        query.finished = range(params, "finished_at_min", "finished_at_max")?;
        query.fulfilled = range(params, "fulfilled_at_min", "fulfilled_at_max")?;
        query.total = AmountRange { from: amount(params, "total_min")?, to: amount(params, "total_max")? };
        for (key, kinds) in WORDS {
            words.extend(matching(params, key, kinds)?);
        }
        words.extend(keyword(params)?);
        words.extend(fuzzy(params)?);
    }
    query.words = words;
    Ok(query)
}

/// Values of a filter, at most so many.
fn values(params: &Params, key: &'static str, max: usize) -> Result<Vec<String>, Malformed> {
    let values: Vec<String> = params.list(&[key]).into_iter().map(str::to_owned).collect();
    if values.len() > max {
        return Err(Malformed::at(key, Fault::Value(format!("at most {max} values"))));
    }
    Ok(values)
}

/// Words of an enumeration; those that no order ever has here match nothing.
fn states<T: Copy>(
    params: &Params,
    key: &'static str,
    known: &[(&str, Option<T>)],
) -> Result<Option<Vec<T>>, Malformed> {
    let words = values(params, key, VALUES_MAX)?;
    let find = |word: &String| {
        let found = known.iter().find(|(name, _)| name == word).map(|(_, state)| *state);
        let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| Malformed::at(key, Fault::Value(format!("among {}", names()))))
    };
    let states = words.iter().map(find).collect::<Result<Vec<Option<T>>, Malformed>>()?;
    Ok((!words.is_empty()).then(|| states.into_iter().flatten().collect()))
}

/// `recovery_status`: one that nobody wrote down is waiting.
fn recovery(params: &Params) -> Result<Option<AnyOf>, Malformed> {
    let Some(states) = states(params, "recovery_status", RECOVERY)? else { return Ok(None) };
    let or_none = states.contains(&NOT_RECOVERED);
    Ok(Some(AnyOf { or_none, ..AnyOf::whole(TermKind::Recovery, states) }))
}

fn matching(params: &Params, key: &'static str, kinds: &[TermKind]) -> Result<Option<AnyOf>, Malformed> {
    let mut texts = values(params, key, VALUES_MAX)?;
    if texts.is_empty() {
        return Ok(None);
    }
    if kinds == [TermKind::ShippingPhone] {
        texts = texts.iter().map(|phone| digits(phone)).filter(|phone| !phone.is_empty()).collect();
    }
    let any = AnyOf { kinds: kinds.to_vec(), ..AnyOf::whole(TermKind::Number, texts.iter().map(String::as_str)) };
    Ok(Some(any))
}

/// `keyword`: the beginning of a number, a name, a title from any of its words on.
fn keyword(params: &Params) -> Result<Option<AnyOf>, Malformed> {
    let kinds = fields(params, "keyword_scope_fields")?;
    Ok(params.first(&["keyword"]).map(|keyword| AnyOf::beginning(&kinds, [keyword])))
}

/// `fuzzy_keywords`: one of them, or each.
fn fuzzy(params: &Params) -> Result<Vec<AnyOf>, Malformed> {
    let kinds = fields(params, "fuzzy_fields")?;
    let each = one_of(params, "fuzzy_relation", &[("or", false), ("and", true)])?.unwrap_or(false);
    let keywords = values(params, "fuzzy_keywords", KEYWORDS_MAX)?;
    let keywords = keywords.iter().map(String::as_str);
    if each {
        return Ok(keywords.map(|keyword| AnyOf::beginning(&kinds, [keyword])).collect());
    }
    let any = AnyOf::beginning(&kinds, keywords);
    Ok(if any.texts.is_empty() { Vec::new() } else { vec![any] })
}

/// The fields to look into; an unknown one would list what nobody asked for, so it is refused.
fn fields(params: &Params, key: &'static str) -> Result<Vec<TermKind>, Malformed> {
    let names = values(params, key, VALUES_MAX)?;
    if names.is_empty() {
        return Ok(ANYWHERE.to_vec());
    }
    let mut kinds = Vec::new();
    for name in names {
        // The filters themselves are called by the plural.
        let same = |field: &&(&str, &[TermKind])| field.0 == name || name.strip_suffix('s') == Some(field.0);
        let known = || FIELDS.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", ");
        let found = FIELDS.iter().find(same);
        let (_, found) = found.ok_or_else(|| Malformed::at(key, Fault::Value(format!("among {}", known()))))?;
        kinds.extend(found.iter().copied().filter(|kind| !kinds.contains(kind)).collect::<Vec<_>>());
    }
    Ok(kinds)
}

fn amount(params: &Params, key: &'static str) -> Result<Option<(Decimal, bool)>, Malformed> {
    let keys = [key];
    let Some(text) = params.first(&keys) else { return Ok(None) };
    let wrong = |_| Malformed::at(key, Fault::Type("an amount such as 10.00"));
    Decimal::parse(text).map(|bound| Some((bound, true))).map_err(wrong)
}
