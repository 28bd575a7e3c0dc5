//! Query strings of lists, and the cursors of their pages.
//!
//! A cursor is opaque to callers: it holds the list it belongs to, the sort key and the number of the last entry, so a
//! page starts where the one before ended, whatever was added meanwhile.

use refundry_core::limits::PAGE_MAX;
use refundry_core::order::{Dialect, Id};
use refundry_core::query::{AmountRange, OrderQuery, Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::{RefundState, Stage};

use super::decode::No;
use super::read::{decimal_of, reference};
use crate::body::{Fault, Malformed};
use crate::text::{parse_time, query_pairs};
use crate::wire::{Refusal, Request};

/// Entries of a page where the caller does not say.
const LIMIT_DEFAULT: u32 = 20;

/// Keys of `GET /v1/refunds`.
pub(super) const REFUND_KEYS: &[&str] = &[
    "order",
    "state",
    "sku",
    "reason",
    "failure_code",
    "created_from",
    "created_to",
    "updated_from",
    "updated_to",
    "amount_min",
    "amount_max",
    "sort",
    "direction",
    "limit",
    "cursor",
];
/// Keys of `GET /v1/orders`.
pub(super) const ORDER_KEYS: &[&str] = &["number", "created_from", "created_to", "limit", "cursor"];
/// Keys of `GET /v1/legs`.
pub(super) const LEG_KEYS: &[&str] = &["stage", "limit", "cursor"];
/// Keys of `GET /v1/events`.
pub(super) const EVENT_KEYS: &[&str] = &["limit", "cursor"];
/// Keys that may be given several times: any of the values matches.
const REPEATABLE: &[&str] = &["order", "state", "stage"];

/// The query string of a list, its keys checked.
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn of(request: &Request<'_>, known: &[&str]) -> Result<Self, Malformed> {
        let pairs = query_pairs(request.query);
        for (index, (key, value)) in pairs.iter().enumerate() {
            if !known.contains(&key.as_str()) {
                return Err(Malformed::at(key.as_str(), Fault::Unknown));
            }
            let again = pairs.iter().take(index).any(|(k, _)| k == key);
            if again && !REPEATABLE.contains(&key.as_str()) {
                return Err(Malformed::at(key.as_str(), Fault::Value("given once".to_owned())));
            }
            if value.trim().is_empty() || value.contains('\0') {
                let wanted = "a value; leave the parameter out where there is none";
                return Err(Malformed::at(key.as_str(), Fault::Value(wanted.to_owned())));
            }
        }
        Ok(Self(pairs))
    }

    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, value)| value.trim())
    }

    fn one(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.trim())
    }

    fn time(&self, key: &'static str) -> Result<Option<i64>, Malformed> {
        let wrong = || Malformed::at(key, Fault::Value("an RFC 3339 time such as 2026-01-31T09:30:00Z".to_owned()));
        self.one(key).map(|text| parse_time(text).ok_or_else(wrong)).transpose()
    }

    fn times(&self, from: &'static str, to: &'static str) -> Result<TimeRange, Malformed> {
        Ok(TimeRange { from_ms: self.time(from)?, to_ms: self.time(to)? })
    }

    fn amounts(&self, from: &'static str, to: &'static str) -> Result<AmountRange, Malformed> {
        let end = |key: &'static str| {
            let read = |text: &str| decimal_of(&serde_json::Value::from(text));
            let read = self.one(key).map(|text| read(text).map_err(|fault| Malformed::at(key, fault)));
            read.transpose().map(|decimal| decimal.map(|d| (d, true)))
        };
        Ok(AmountRange { from: end(from)?, to: end(to)? })
    }

    fn code<T>(&self, key: &'static str, codes: &[(&str, T)], default: T) -> Result<T, Malformed>
    where
        T: Copy,
    {
        let Some(text) = self.one(key) else { return Ok(default) };
        let found = codes.iter().find(|(code, _)| *code == text).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let names: Vec<&str> = codes.iter().map(|(code, _)| *code).collect();
            Malformed::at(key, Fault::Value(format!("one of {}", names.join(", "))))
        })
    }

    fn limit(&self) -> Result<u32, Malformed> {
        let Some(text) = self.one("limit") else { return Ok(LIMIT_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.ok_or_else(|| Malformed::at("limit", Fault::Value(format!("a whole number from 1 to {PAGE_MAX}"))))
    }

    fn page(&self, list: &str) -> Result<Page, No> {
        let Some(cursor) = self.one("cursor") else { return Ok(Page::Start) };
        let unknown = || Refusal::CursorUnknown { before: false, cursor: cursor.to_owned() };
        read_cursor(list, cursor).ok_or_else(|| No::Refused(unknown()))
    }

    /// The number that a page begins above, in a list that goes by its numbers.
    fn after(&self, list: &str) -> Result<Id, No> {
        match self.page(list)? {
            Page::Key { id, .. } if i64::try_from(id).is_ok() => Ok(id),
            Page::Key { .. } => {
                let cursor = self.one("cursor").unwrap_or_default().to_owned();
                Err(No::Refused(Refusal::CursorUnknown { before: false, cursor }))
            }
            _ => Ok(0),
        }
    }
}

/// The query of `GET /v1/refunds`.
pub(super) fn refunds(request: &Request<'_>) -> Result<RefundQuery, No> {
    let pairs = Pairs::of(request, REFUND_KEYS)?;
    let orders: Vec<_> = pairs.all("order").map(reference).collect();
    let states = pairs.all("state").map(|text| {
        let wrong = || Malformed::at("state", Fault::Value("one of pending, succeeded, failed".to_owned()));
        RefundState::parse(text).ok_or_else(wrong)
    });
    let states = states.collect::<Result<Vec<RefundState>, Malformed>>()?;
    let sort = pairs.code("sort", &[("created", SortBy::Created), ("updated", SortBy::Updated)], SortBy::Created)?;
    let descending = pairs.code("direction", &[("asc", false), ("desc", true)], true)?;
    Ok(RefundQuery {
        orders: (!orders.is_empty()).then_some(orders),
        refunds: None,
        states: (!states.is_empty()).then_some(states),
        sku: pairs.one("sku").map(str::to_owned),
        reason: pairs.one("reason").map(str::to_owned),
        failure_reason: pairs.one("failure_code").map(str::to_owned),
        created: pairs.times("created_from", "created_to")?,
        updated: pairs.times("updated_from", "updated_to")?,
        amount: pairs.amounts("amount_min", "amount_max")?,
        refunded: AmountRange::default(),
        sort,
        descending,
        page: pairs.page(refund_list(sort, descending))?,
        limit: pairs.limit()?,
    })
}

/// The query of `GET /v1/orders`.
pub(super) fn orders(request: &Request<'_>) -> Result<OrderQuery, No> {
    let pairs = Pairs::of(request, ORDER_KEYS)?;
    Ok(OrderQuery {
        named: pairs.one("number").map(str::to_owned),
        created: pairs.times("created_from", "created_to")?,
        page: pairs.page(ORDER_LIST)?,
        limit: pairs.limit()?,
        ..OrderQuery::default()
    })
}

/// The query of `GET /v1/legs`: stages, the number that the page begins above, and how many.
pub(super) fn legs(request: &Request<'_>) -> Result<(Vec<Stage>, Id, u32), No> {
    let pairs = Pairs::of(request, LEG_KEYS)?;
    let wrong = || {
        let codes = Stage::ALL.map(Stage::code).join(", ");
        Malformed::at("stage", Fault::Value(format!("one of {codes}")))
    };
    let stages = pairs.all("stage").map(|text| Stage::parse(text).ok_or_else(wrong));
    let mut stages = stages.collect::<Result<Vec<Stage>, Malformed>>()?;
    stages.sort_unstable();
    stages.dedup();
    if stages.is_empty() {
        stages = vec![Stage::InDoubt, Stage::Parked];
    }
    Ok((stages, pairs.after(LEG_LIST)?, pairs.limit()?))
}

/// The query of `GET /v1/events`: the number that the page begins above, and how many.
pub(super) fn events(request: &Request<'_>) -> Result<(Id, u32), No> {
    let pairs = Pairs::of(request, EVENT_KEYS)?;
    Ok((pairs.after(EVENT_LIST)?, pairs.limit()?))
}

/// The format of an import's orders.
pub(super) fn import_from(request: &Request<'_>) -> Result<Dialect, No> {
    let pairs = Pairs::of(request, &["from"])?;
    Ok(pairs.code("from", &Dialect::ALL.map(|d| (d.code(), d)), Dialect::Native)?)
}

/// Lists that are never longer than a page take no parameters but those of paging.
pub(super) fn whole_list(request: &Request<'_>) -> Result<(), No> {
    let pairs = Pairs::of(request, &["limit", "cursor"])?;
    pairs.limit()?;
    match pairs.one("cursor") {
        None => Ok(()),
        Some(cursor) => Err(No::Refused(Refusal::CursorUnknown { before: false, cursor: cursor.to_owned() })),
    }
}

/// The list of orders, in its cursors.
pub(super) const ORDER_LIST: &str = "o";

/// The list of legs, in its cursors.
pub(super) const LEG_LIST: &str = "l";
/// The list of events, in its cursors.
pub(super) const EVENT_LIST: &str = "e";

/// A list of refunds, in its cursors: a cursor of another order of the list would skip entries.
pub(super) const fn refund_list(sort: SortBy, descending: bool) -> &'static str {
    match (sort, descending) {
        (SortBy::Created, true) => "cd",
        (SortBy::Created, false) => "ca",
        (SortBy::Updated, true) => "ud",
        (SortBy::Updated, false) => "ua",
    }
}

/// Writes a cursor.
pub(super) fn cursor(list: &str, key_ms: i64, id: u64) -> String {
    format!("{list}_{key_ms}_{id}")
}

fn read_cursor(list: &str, text: &str) -> Option<Page> {
    let rest = text.strip_prefix(list)?.strip_prefix('_')?;
    let (key, id) = rest.split_once('_')?;
    Some(Page::Key { key_ms: key.parse().ok()?, id: id.parse().ok()? })
}
