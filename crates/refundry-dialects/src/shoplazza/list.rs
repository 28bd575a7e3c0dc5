//! The query of the refund list: page numbers in legacy versions, an opaque cursor in modern ones.

use refundry_core::order::{Id, Reference};
use refundry_core::query::{Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::{Refund, RefundState};

use super::decode::Bad;
use super::state::state_code;
use super::{Version, reference};
use crate::body::{Fault, Malformed};
use crate::text::{parse_time, query_pairs};
use crate::wire::{Call, Request};

const ORDER_IDS_MAX: usize = 10;
const RECORD_IDS_MAX: usize = 20;
const PER_PAGE_MAX: u32 = 100;
const PER_PAGE_DEFAULT: u32 = 10;

/// Reads the query of the list.
pub(super) fn decode(version: Version, request: &Request<'_>) -> Result<Call, Bad> {
    Ok(Call::ListRefunds(Box::new(query(version, request.query)?)))
}

/// Reads the query of the count: the filters of the list. Paging and sorting mean nothing here, so they are not read.
pub(super) fn count(version: Version, request: &Request<'_>) -> Result<Call, Bad> {
    let params = Params::of(query_pairs(request.query));
    Ok(Call::CountRefunds(Box::new(filters(&params, version.is_modern())?)))
}

/// Parameters of the older list keep working in the newer one.
fn keys(modern: bool, old: &'static str, new: &'static str) -> Vec<&'static str> {
    if modern { vec![new, old] } else { vec![old] }
}

fn filters(params: &Params, modern: bool) -> Result<RefundQuery, Malformed> {
    Ok(RefundQuery {
        orders: references(params, &["order_ids"], ORDER_IDS_MAX)?,
        refunds: references(params, &keys(modern, "refund_record_ids", "refund_order_ids"), RECORD_IDS_MAX)?,
        states: states(params, &keys(modern, "refund_status", "refund_statuses"))?,
        created: range(params, "created_at_start", "created_at_end")?,
        updated: range(params, "updated_at_start", "updated_at_end")?,
        ..RefundQuery::default()
    })
}

/// Reads the query of the list; the encoder needs its sort key again for the next cursor.
pub(super) fn query(version: Version, query: &str) -> Result<RefundQuery, Malformed> {
    let params = Params::of(query_pairs(query));
    let modern = version.is_modern();
    let limit = whole(&params, &keys(modern, "per_page", "page_size"), PER_PAGE_MAX)?.unwrap_or(PER_PAGE_DEFAULT);
    let Place { sort, descending, page } = place(&params, List::Records, modern, limit)?;
    Ok(RefundQuery { sort, descending, page, limit, ..filters(&params, modern)? })
}

/// A list with cursors. Each has cursors of its own, because one of another list would start a page anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Refund records.
    Records,
    /// Orders.
    Orders,
    /// After-sales cases.
    Cases,
}

impl List {
    /// How its cursors begin.
    const fn letter(self) -> char {
        match self {
            Self::Records => 'r',
            Self::Orders => 'o',
            Self::Cases => 's',
        }
    }
}

/// The order of a list, and where its page starts.
pub(super) struct Place {
    pub(super) sort: SortBy,
    pub(super) descending: bool,
    pub(super) page: Page,
}

/// Reads `sort_by`, `sort_direction`, `page` and, in modern versions, `cursor`.
pub(super) fn place(params: &Params, list: List, modern: bool, limit: u32) -> Result<Place, Malformed> {
    let cursor = if modern { Cursor::of(params, list)? } else { None };
    let sort = one_of(params, "sort_by", &[("created_at", SortBy::Created), ("updated_at", SortBy::Updated)])?;
    let descending = one_of(params, "sort_direction", &[("asc", false), ("desc", true)])?;
    let sort = sort.or(cursor.as_ref().map(|c| c.sort)).unwrap_or(SortBy::Created);
    let descending = descending.or(cursor.as_ref().map(|c| c.descending)).unwrap_or(true);
    let page = whole(params, &["page"], u32::MAX)?;
    Ok(Place { sort, descending, page: start(cursor, page, limit, (sort, descending))? })
}

fn start(cursor: Option<Cursor>, page: Option<u32>, limit: u32, order: (SortBy, bool)) -> Result<Page, Malformed> {
    let Some(cursor) = cursor else {
        let before = u64::from(page.unwrap_or(1).saturating_sub(1));
        return Ok(if before == 0 { Page::Start } else { Page::Skip(before * u64::from(limit)) });
    };
    if page.is_some() {
        return Err(Malformed::at("page", Fault::Value("left out where cursor is given".to_owned())));
    }
    if (cursor.sort, cursor.descending) != order {
        let same = "used with the sort_by and sort_direction of the page it came from".to_owned();
        return Err(Malformed::at("cursor", Fault::Value(same)));
    }
    Ok(Page::Key { key_ms: cursor.key_ms, id: cursor.id })
}

/// Where a page of a list ended, and in which order it was sorted: 35 characters that mean nothing to anybody else.
pub(super) struct Cursor {
    sort: SortBy,
    descending: bool,
    key_ms: i64,
    id: u64,
}

impl Cursor {
    pub(super) fn of(params: &Params, list: List) -> Result<Option<Self>, Malformed> {
        let Some(text) = params.first(&["cursor"]) else { return Ok(None) };
        let wrong = || Malformed::at("cursor", Fault::Value("one that a page of this list gave".to_owned()));
        text.strip_prefix(list.letter()).and_then(Self::parse).ok_or_else(wrong).map(Some)
    }

    /// Where it stands in a list that is sorted by time of creation, newest first.
    pub(super) fn newest_first(&self) -> Result<Page, Malformed> {
        if self.sort == SortBy::Created && self.descending {
            return Ok(Page::Key { key_ms: self.key_ms, id: self.id });
        }
        Err(Malformed::at("cursor", Fault::Value("one that a page of this list gave".to_owned())))
    }

    fn parse(text: &str) -> Option<Self> {
        let (order, rest) = text.split_at_checked(2)?;
        let (sort, descending) = match order {
            "cd" => (SortBy::Created, true),
            "ca" => (SortBy::Created, false),
            "ud" => (SortBy::Updated, true),
            "ua" => (SortBy::Updated, false),
            _ => return None,
        };
        if rest.len() != 32 || !rest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let (key, id) = rest.split_at_checked(16)?;
        let number = |hex: &str| u64::from_str_radix(hex, 16).ok();
        Some(Self { sort, descending, key_ms: number(key)?.cast_signed(), id: number(id)? })
    }
}

/// The cursor behind the last refund of a page.
pub(super) fn cursor_after(list: List, query: &RefundQuery, end: &Refund) -> String {
    cursor(list, (query.sort, query.descending), (end.created_ms, end.updated_ms), end.id)
}

/// The cursor behind an entry: its list and the order of that, when it was made and last changed, its number.
pub(super) fn cursor(
    list: List,
    (sort, descending): (SortBy, bool),
    (created_ms, updated_ms): (i64, i64),
    id: Id,
) -> String {
    let list = list.letter();
    let (letter, key_ms) = match sort {
        SortBy::Created => ('c', created_ms),
        SortBy::Updated => ('u', updated_ms),
    };
    let direction = if descending { 'd' } else { 'a' };
    format!("{list}{letter}{direction}{key_ms:016x}{id:016x}")
}

/// Query parameters; `key[]` is the same as `key`.
pub(super) struct Params(pub(super) Vec<(String, String)>);

impl Params {
    /// Decoded pairs of a query.
    pub(super) const fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Values of a parameter of any of these names.
    pub(super) fn values<'a>(&'a self, keys: &'a [&'static str]) -> impl Iterator<Item = &'a str> {
        let named = |key: &str| keys.contains(&key.strip_suffix("[]").unwrap_or(key));
        self.0.iter().filter(move |(key, _)| named(key)).map(|(_, value)| value.trim()).filter(|v| !v.is_empty())
    }

    /// The first of them.
    pub(super) fn first<'a>(&'a self, keys: &'a [&'static str]) -> Option<&'a str> {
        self.values(keys).next()
    }

    /// Comma lists and repeated keys, in every version.
    pub(super) fn list<'a>(&'a self, keys: &'a [&'static str]) -> Vec<&'a str> {
        self.values(keys).flat_map(|value| value.split(',')).map(str::trim).filter(|v| !v.is_empty()).collect()
    }

    /// The name by which the caller gave it, for faults.
    pub(super) fn name(&self, keys: &[&'static str]) -> &'static str {
        let given = |key: &&&'static str| self.0.iter().any(|(k, _)| k.strip_suffix("[]").unwrap_or(k) == **key);
        keys.iter().find(given).or(keys.first()).copied().unwrap_or_default()
    }
}

/// Things that a parameter names, at most so many.
pub(super) fn references(
    params: &Params,
    keys: &[&'static str],
    max: usize,
) -> Result<Option<Vec<Reference>>, Malformed> {
    let ids = params.list(keys);
    if ids.len() > max {
        return Err(Malformed::at(params.name(keys), Fault::Value(format!("at most {max} ids"))));
    }
    Ok((!ids.is_empty()).then(|| ids.into_iter().map(reference).collect()))
}

fn states(params: &Params, keys: &[&'static str]) -> Result<Option<Vec<RefundState>>, Malformed> {
    let wrong = || Malformed::at(params.name(keys), Fault::Value("among pending, finished, failed".to_owned()));
    let find = |code: &str| RefundState::ALL.into_iter().find(|state| state_code(*state) == code).ok_or_else(wrong);
    let states = params.list(keys).into_iter().map(find).collect::<Result<Vec<_>, _>>()?;
    Ok((!states.is_empty()).then_some(states))
}

/// One of some words.
pub(super) fn one_of<T: Copy>(
    params: &Params,
    key: &'static str,
    allowed: &[(&str, T)],
) -> Result<Option<T>, Malformed> {
    let keys = [key];
    let Some(text) = params.first(&keys) else { return Ok(None) };
    let names = || allowed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
    let found = allowed.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| Malformed::at(key, Fault::Value(names()))).map(Some)
}

/// A whole number from 1.
pub(super) fn whole(params: &Params, keys: &[&'static str], max: u32) -> Result<Option<u32>, Malformed> {
    let Some(text) = params.first(keys) else { return Ok(None) };
    let number = text.parse::<u32>().ok().filter(|number| (1..=max).contains(number));
    let wrong = || Malformed::at(params.name(keys), Fault::Value(format!("a whole number from 1 to {max}")));
    number.ok_or_else(wrong).map(Some)
}

/// A range of times.
pub(super) fn range(params: &Params, from: &'static str, to: &'static str) -> Result<TimeRange, Malformed> {
    let from_ms = time(params, from)?.map(|(ms, _)| ms);
    // Times are printed in whole seconds, so an end in whole seconds includes all of its second.
    let to_ms = time(params, to)?.map(|(ms, fraction)| if fraction { ms } else { ms.saturating_add(999) });
    Ok(TimeRange { from_ms, to_ms })
}

/// A time, and whether it was given with a fraction of a second.
fn time(params: &Params, key: &'static str) -> Result<Option<(i64, bool)>, Malformed> {
    let keys = [key];
    let Some(text) = params.first(&keys) else { return Ok(None) };
    // The plus of an offset arrives as a space where the caller did not escape it.
    let ms = parse_time(text).or_else(|| parse_time(&text.replace(' ', "+")));
    let wrong = || Malformed::at(key, Fault::Type("an ISO 8601 time such as 2024-06-24T08:17:59Z"));
    Ok(Some((ms.ok_or_else(wrong)?, text.contains(['.', ',']))))
}
