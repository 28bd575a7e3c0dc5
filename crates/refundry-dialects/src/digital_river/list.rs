//! `GET /refunds`: filters, cursors, limit. Query keys that nobody knows are ignored, blank values count as absent.

use std::ops::ControlFlow;

use refundry_core::money::Decimal;
use refundry_core::query::{AmountRange, Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::RefundState;

use super::decode::{shortened, stage, whole};
use super::ids::{order_reference, refund_reference};
use super::reject::Problem;
use crate::text::{parse_time, query_pairs};
use crate::wire::{Call, Request, Response};

const LIMIT_DEFAULT: u32 = 10;
const LIMIT_MAX: i64 = 100;
const SECOND_MS: i64 = 1_000;

/// An end of a range, from the operator in a key's brackets.
#[derive(Clone, Copy)]
enum Operator {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// Reads the query of a list.
pub(super) fn list(request: &Request<'_>) -> Result<Call, Response> {
    let mut query = RefundQuery { sort: SortBy::Created, descending: true, limit: LIMIT_DEFAULT, ..Default::default() };
    let mut cursors = Cursors::default();
    let mut problems = Vec::new();
    for (key, value) in query_pairs(request.query) {
        // A limit is a number even when it is blank; any other blank filter filters nothing.
        let value = value.trim();
        if value.is_empty() && key != "limit" {
            continue;
        }
        let read = plain(&mut query, &mut cursors, &key, value);
        let read = read.and_then(|step| match step {
            ControlFlow::Break(()) => Ok(()),
            ControlFlow::Continue(()) => ranged(&mut query, &key, value),
        });
        problems.extend(read.err());
    }
    stage(&problems)?;
    query.page = cursors.page();
    Ok(Call::ListRefunds(Box::new(query)))
}

/// Both cursors as sent; the one that goes back wins.
#[derive(Default)]
struct Cursors {
    before: Option<String>,
    after: Option<String>,
}

impl Cursors {
    fn page(&self) -> Page {
        match (&self.before, &self.after) {
            (Some(before), _) => Page::Before(refund_reference(before)),
            (None, Some(after)) => Page::After(refund_reference(after)),
            (None, None) => Page::Start,
        }
    }
}

/// Filters without operators; goes on to the others where the key is none of these.
fn plain(query: &mut RefundQuery, cursors: &mut Cursors, key: &str, value: &str) -> Result<ControlFlow<()>, Problem> {
    let text = || Some(value.to_owned());
    match key {
        "limit" => query.limit = limit(value)?,
        "startingAfter" => cursors.after = text(),
        "endingBefore" => cursors.before = text(),
        "state" => query.states = Some(states(value)),
        "ids" | "ids[]" => {
            let ids = value.split(',').filter(|id| !id.trim().is_empty()).map(refund_reference);
            query.refunds.get_or_insert_default().extend(ids);
        }
        "orderId" => query.orders = Some(vec![order_reference(value)]),
        "skuId" => query.sku = text(),
        "reason" => query.reason = text(),
        "failureReason" => query.failure_reason = text(),
        _ => return Ok(ControlFlow::Continue(())),
    }
    Ok(ControlFlow::Break(()))
}

/// Filters with an operator in brackets, or with none for equality.
fn ranged(query: &mut RefundQuery, key: &str, value: &str) -> Result<(), Problem> {
    let (name, operator) = match key.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']')),
        None => (key, Some("eq")),
    };
    if !["createdTime", "amount", "refundedAmount"].contains(&name) {
        return Ok(());
    }
    let Some(operator) = operator.and_then(Operator::parse) else {
        let message = format!("'{}' has no valid operator: use eq, gt, gte, lt or lte.", shortened(key));
        return Err(Problem::of("invalid_parameter", key, message));
    };
    if name == "createdTime" {
        let time = parse_time(value).ok_or_else(|| Problem::invalid(key, "date-time", value))?;
        operator.bound_time(&mut query.created, time);
        return Ok(());
    }
    let amount = Decimal::parse(value).map_err(|_| Problem::invalid(key, "amount", value))?;
    let range = if name == "amount" { &mut query.amount } else { &mut query.refunded };
    operator.bound_amount(range, amount);
    Ok(())
}

/// A refund is only ever pending, succeeded or failed here. `created` is the state that the reference page prints for
/// a new refund; every other name matches nothing.
fn states(value: &str) -> Vec<RefundState> {
    let state = if value == "created" { Some(RefundState::Pending) } else { RefundState::parse(value) };
    state.into_iter().collect()
}

fn limit(value: &str) -> Result<u32, Problem> {
    let number = Decimal::parse(value).ok().and_then(whole).filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let limit = number.and_then(|limit| u32::try_from(limit).ok());
    limit.ok_or_else(|| Problem::invalid("limit", "limit", value))
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "eq" => Some(Self::Eq),
            "gt" => Some(Self::Gt),
            "gte" => Some(Self::Gte),
            "lt" => Some(Self::Lt),
            "lte" => Some(Self::Lte),
            _ => None,
        }
    }

    /// Narrows a range of times.
    ///
    /// Times are printed with whole seconds and compared as printed: whoever asks for what is later than a time that he
    /// was shown must not be shown the same refund again.
    fn bound_time(self, range: &mut TimeRange, time_ms: i64) {
        let at_or_before = time_ms.div_euclid(SECOND_MS).saturating_mul(SECOND_MS);
        let next = at_or_before.saturating_add(SECOND_MS);
        let at_or_after = if at_or_before == time_ms { time_ms } else { next };
        let (from, to) = match self {
            Self::Eq => (Some(at_or_after), Some(next.saturating_sub(1))),
            Self::Gt => (Some(next), None),
            Self::Gte => (Some(at_or_after), None),
            Self::Lt => (None, Some(at_or_after.saturating_sub(1))),
            Self::Lte => (None, Some(next.saturating_sub(1))),
        };
        range.from_ms = range.from_ms.into_iter().chain(from).max();
        range.to_ms = range.to_ms.into_iter().chain(to).min();
    }

    /// Narrows a range of amounts.
    fn bound_amount(self, range: &mut AmountRange, amount: Decimal) {
        let (from, to) = match self {
            Self::Eq => (Some(true), Some(true)),
            Self::Gt => (Some(false), None),
            Self::Gte => (Some(true), None),
            Self::Lt => (None, Some(false)),
            Self::Lte => (None, Some(true)),
        };
        // Of two equal ends the one that excludes is the narrower.
        let from = from.map(|inclusive| (amount, inclusive));
        let to = to.map(|inclusive| (amount, inclusive));
        range.from = range.from.into_iter().chain(from).max_by_key(|(amount, inclusive)| (*amount, !inclusive));
        range.to = range.to.into_iter().chain(to).min_by_key(|(amount, inclusive)| (*amount, *inclusive));
    }
}
