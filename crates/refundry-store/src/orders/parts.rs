//! Lists of orders, taken apart where the index alone cannot tell who is meant.
//!
//! Money on its way back is in no index, and neither is how much of a partly delivered order left. So a list by a tally
//! of the money, or by how much was sent, is put together from lists that have no order in common: those of which the
//! index says that all their orders are meant, and those whose orders are looked at one by one. Each goes its own way.

use std::borrow::Cow;

use refundry_core::balances::Facts;
use refundry_core::order::Id;
use refundry_core::query::{OrderQuery, Page, SortBy};
use refundry_core::standing::{Goods, Money, sent, tally};

use super::list::{self, Start};
use super::updated_ms;
use crate::refunds::CursorUnknown;
use crate::{StoreError, Tx};

/// So many orders are looked at one by one within some ten milliseconds.
const FEW: i64 = 8_000;
/// Orders that are read at once where each is looked at.
const CHUNK_MAX: u32 = 512;

/// A page of orders in list order, and whether more follow in the direction of travel.
pub fn list(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
) -> Result<Result<(Vec<Facts>, bool), CursorUnknown>, StoreError> {
    list_with(tx, store, query, FEW)
}

/// Like [`list`], with another idea of how many orders are few: it changes the way, never the page. For tests.
pub fn list_with(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
    few: i64,
) -> Result<Result<(Vec<Facts>, bool), CursorUnknown>, StoreError> {
    let start = match list::start(tx, store, query)? {
        Ok(start) => start,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let parts = parts(query);
    let (mut found, has_more) = match parts.as_slice() {
        [Part { query, in_doubt: false }] => list::page(tx, store, query, start, few)?,
        parts => joined(tx, store, query, parts, start, few)?,
    };
    if matches!(query.page, Page::Before(_)) {
        found.reverse();
    }
    Ok(Ok((found, has_more)))
}

/// How many orders all pages of a list have together; sorting and paging of the query do not count.
pub fn count(tx: &mut Tx<'_>, store: i64, query: &OrderQuery) -> Result<i64, StoreError> {
    count_with(tx, store, query, FEW)
}

/// Like [`count`], with another idea of how many orders are few: it changes the way, never the number. For tests.
pub fn count_with(tx: &mut Tx<'_>, store: i64, query: &OrderQuery, few: i64) -> Result<i64, StoreError> {
    let mut count: i64 = 0;
    for part in parts(query) {
        if part.in_doubt {
            let all =
                OrderQuery { page: Page::Start, sort: SortBy::Created, limit: CHUNK_MAX, ..part.query.into_owned() };
            walk(tx, store, &all, Start::default(), few, |_| {
                count = count.saturating_add(1);
                true
            })?;
        } else {
            count = count.saturating_add(list::counted(tx, store, &part.query, few)?);
        }
    }
    Ok(count)
}

/// A list that the index leads to.
struct Part<'q> {
    query: Cow<'q, OrderQuery>,
    /// Whether each of its orders has to be looked at.
    in_doubt: bool,
}

/// Lists that are the whole list together and have no order in common.
fn parts(query: &OrderQuery) -> Vec<Part<'_>> {
    if query.tally.is_none() && query.sent.is_none() {
        return vec![Part { query: Cow::Borrowed(query), in_doubt: false }];
    }
    // Where the orders are named, they are few: no index has to lead to them.
    if query.orders.is_some() || query.named.is_some() {
        return vec![Part { query: Cow::Borrowed(query), in_doubt: true }];
    }
    let mut parts = Vec::new();
    for (money, money_in_doubt) in money(query) {
        for (goods, goods_in_doubt) in goods(query) {
            let narrowed = OrderQuery { money: money.clone(), goods, ..query.clone() };
            parts.push(Part { query: Cow::Owned(narrowed), in_doubt: money_in_doubt || goods_in_doubt });
        }
    }
    parts
}

/// States that an index leads to, `None` for all of them, and whether others than those meant have them, too.
type States<T> = Vec<(Option<Vec<T>>, bool)>;

/// States of money that may have one of the tallies. What is on its way stands by itself, as nothing leads to it and to
/// others at once.
fn money(query: &OrderQuery) -> States<Money> {
    let Some(wanted) = &query.tally else { return vec![(query.money.clone(), false)] };
    let given = query.money.as_deref().unwrap_or(&Money::ALL);
    let mut groups = Vec::new();
    for in_doubt in [false, true] {
        for refunding in [false, true] {
            let states = given.iter().copied().filter(|money| (*money == Money::Refunding) == refunding);
            groups.push((fitting(states, |money| meant(money.tallies(), wanted), in_doubt), in_doubt));
        }
    }
    some(groups)
}

/// States of goods of which so much may have been sent.
fn goods(query: &OrderQuery) -> States<Goods> {
    let Some(wanted) = &query.sent else { return vec![(query.goods.clone(), false)] };
    let given = query.goods.as_deref().unwrap_or(&Goods::ALL);
    let group = |in_doubt| fitting(given.iter().copied(), |goods| meant(goods.sent(), wanted), in_doubt);
    some(vec![(group(false), false), (group(true), true)])
}

/// Whether all that a state may mean is wanted (`Some(true)`), some of it (`Some(false)`), or nothing.
fn meant<T: PartialEq>(may_be: &[T], wanted: &[T]) -> Option<bool> {
    let count = may_be.iter().filter(|one| wanted.contains(one)).count();
    (count > 0).then_some(count == may_be.len())
}

fn fitting<T: Copy>(states: impl Iterator<Item = T>, meant: impl Fn(T) -> Option<bool>, in_doubt: bool) -> Vec<T> {
    states.filter(|state| meant(*state) == Some(!in_doubt)).collect()
}

fn some<T>(groups: Vec<(Vec<T>, bool)>) -> States<T> {
    let some = groups.into_iter().filter(|(states, _)| !states.is_empty());
    some.map(|(states, in_doubt)| (Some(states), in_doubt)).collect()
}

/// The page that several lists have together, in the order of travel, and whether more follow.
fn joined(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
    parts: &[Part<'_>],
    start: Start,
    few: i64,
) -> Result<(Vec<Facts>, bool), StoreError> {
    let skipped = usize::try_from(start.skip).unwrap_or(usize::MAX);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let wanted = skipped.saturating_add(limit).saturating_add(1);
    let mut found = Vec::new();
    for part in parts {
        let limit = u32::try_from(wanted).unwrap_or(u32::MAX).min(CHUNK_MAX);
        let first = OrderQuery { limit, ..part.query.clone().into_owned() };
        let mut missing = wanted;
        // What is skipped is skipped of all lists together.
        walk(tx, store, &first, Start { skip: 0, ..start }, few, |facts| {
            found.push(facts);
            missing = missing.saturating_sub(1);
            missing > 0
        })?;
    }
    let forwards = query.descending == matches!(query.page, Page::Before(_));
    found.sort_by_cached_key(|facts| key(query.sort, facts));
    if !forwards {
        found.reverse();
    }
    found.drain(..skipped.min(found.len()));
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// Visits the orders of a list that are meant, in the order of travel, until the visitor has enough. The limit of the
/// query is how many orders are read at first.
fn walk(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
    mut start: Start,
    few: i64,
    mut visit: impl FnMut(Facts) -> bool,
) -> Result<(), StoreError> {
    let mut read = query.clone();
    loop {
        let (orders, has_more) = list::page(tx, store, &read, start, few)?;
        start.key = orders.last().map(|facts| key(query.sort, facts)).or(start.key);
        for facts in orders {
            if is_meant(query, &facts) && !visit(facts) {
                return Ok(());
            }
        }
        if !has_more {
            return Ok(());
        }
        read.limit = read.limit.saturating_mul(2).min(CHUNK_MAX);
    }
}

/// Whether an order has one of the tallies, and so much of it was sent.
fn is_meant(query: &OrderQuery, facts: &Facts) -> bool {
    query.tally.as_ref().is_none_or(|wanted| wanted.contains(&tally(facts)))
        && query.sent.as_ref().is_none_or(|wanted| wanted.contains(&sent(facts)))
}

/// Where an order stands in a list.
fn key(sort: SortBy, facts: &Facts) -> (i64, Id) {
    let key_ms = match sort {
        SortBy::Created => facts.order.created_ms,
        SortBy::Updated => updated_ms(facts),
    };
    (key_ms, facts.order.id)
}
