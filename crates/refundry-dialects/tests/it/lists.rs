//! Lists of refunds and orders: filter, sort, cut the page. What the store does with indexes, done by looking at all.

use std::cmp::Ordering;

use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{Id, Reference};
use refundry_core::query::{AmountRange, OrderQuery, Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::RefundState;
use refundry_core::standing::{placed_ms, sent, standing, tally};
use refundry_core::terms::Terms;
use refundry_dialects::{OrderView, RefundPage, RefundView, Refusal, Reply};

use crate::engine::Engine;

/// What a list is sorted by, with the number that decides ties.
type Key = (i64, Id);

/// A page of refunds.
pub(crate) fn refunds(engine: &Engine, query: &RefundQuery) -> Result<RefundPage, Refusal> {
    let all: Vec<RefundView> = (0..engine.refunds.len()).map(|index| engine.view(index)).collect();
    let key = |view: &RefundView| match query.sort {
        SortBy::Created => (view.refund.created_ms, view.refund.id),
        SortBy::Updated => (view.refund.updated_ms, view.refund.id),
    };
    let named = |cursor: &Reference| {
        let names = |v: &&RefundView| cursor.names(v.refund.id, v.refund.external_id.as_deref());
        all.iter().find(names).map(key)
    };
    let matching = all.iter().filter(|view| matches(engine, query, view)).cloned().collect();
    let (refunds, has_more) = cut(matching, key, query.descending, (&query.page, query.limit), named)?;
    Ok(RefundPage { refunds, has_more })
}

/// How many refunds a list has, on all its pages.
pub(crate) fn count(engine: &Engine, query: &RefundQuery) -> i64 {
    let all = (0..engine.refunds.len()).map(|index| engine.view(index));
    i64::try_from(all.filter(|view| matches(engine, query, view)).count()).expect("few refunds")
}

/// A page of orders.
pub(crate) fn orders(engine: &Engine, query: &OrderQuery) -> Result<Reply, Refusal> {
    let key = |view: &OrderView| match query.sort {
        SortBy::Created => (view.facts.order.created_ms, view.facts.order.id),
        SortBy::Updated => (order_updated(view), view.facts.order.id),
    };
    let living = |index: &usize| engine.orders[*index].facts.order.life.deleted_ms.is_none();
    let named = |cursor: &Reference| engine.find_order(cursor).filter(living).map(|index| key(&engine.orders[index]));
    let matching = engine.orders.iter().filter(|view| matches_order(engine, query, view));
    let cut = cut(matching.cloned().collect(), key, query.descending, (&query.page, query.limit), named);
    let (orders, has_more) = cut?;
    let place = |view: &OrderView| engine.orders.iter().position(|known| known.facts.order.id == view.facts.order.id);
    let with = |view: OrderView| engine.view_with(place(&view).expect("it is one of them"), query.beside);
    Ok(Reply::Orders { orders: orders.into_iter().map(with).collect(), has_more })
}

/// How many orders a list has.
pub(crate) fn count_orders(engine: &Engine, query: &OrderQuery) -> i64 {
    let all = engine.orders.iter().filter(|view| matches_order(engine, query, view));
    i64::try_from(all.count()).expect("few orders")
}

fn order_updated(view: &OrderView) -> i64 {
    view.facts.order.updated_ms.max(view.facts.balances.updated_ms)
}

/// Whether an order is in a list, wherever its page begins.
pub(crate) fn matches_order(engine: &Engine, query: &OrderQuery, view: &OrderView) -> bool {
    let order = &view.facts.order;
    let (stands, life) = (standing(&view.facts), &order.life);
    let is_named = |name: &String| order.external_id.as_ref() == Some(name) || order.number == *name;
    let given = |names: &Vec<Reference>| {
        names.iter().any(|name| engine.find_order(name).is_some_and(|at| engine.orders[at].facts.order.id == order.id))
    };
    let at = |range: TimeRange, at_ms: Option<i64>| match at_ms {
        Some(at_ms) => in_time(range, at_ms),
        None => range == TimeRange::default(),
    };
    let mut terms = Terms::of(order).into_set();
    terms.extend(engine.told.get(&order.id).into_iter().flatten().cloned());
    life.deleted_ms.is_none()
        && query.named.as_ref().is_none_or(is_named)
        && query.orders.as_ref().is_none_or(given)
        && query.stages.as_ref().is_none_or(|stages| stages.contains(&stands.stage))
        && query.money.as_ref().is_none_or(|money| money.contains(&stands.money))
        && query.goods.as_ref().is_none_or(|goods| goods.contains(&stands.goods))
        && query.tally.as_ref().is_none_or(|wanted| wanted.contains(&tally(&view.facts)))
        && query.sent.as_ref().is_none_or(|wanted| wanted.contains(&sent(&view.facts)))
        && query.closed.is_none_or(|closed| closed == life.closed_ms.is_some())
        && in_time(query.created, order.created_ms)
        && in_time(query.updated, order_updated(view))
        && at(query.placed, placed_ms(order))
        && at(query.fulfilled, life.fulfilled_ms)
        && at(query.finished, life.finished_ms)
        && in_amounts(query.total, order.charged(), order.currency)
        && query.words.iter().all(|any| any.matches(&terms))
}

fn matches(engine: &Engine, query: &RefundQuery, view: &RefundView) -> bool {
    let RefundView { refund, order, .. } = view;
    let of_order = |orders: &Vec<Reference>| {
        let found = orders.iter().filter_map(|reference| engine.find_order(reference));
        found.map(|index| engine.orders[index].facts.order.id).any(|id| id == refund.order)
    };
    let is_named =
        |names: &Vec<Reference>| names.iter().any(|name| name.names(refund.id, refund.external_id.as_deref()));
    let of_sku = |sku: &String| {
        let by_units = refund.units.iter().map(|units| units.line);
        let by_money = refund.allocations.iter().filter_map(|a| order.components[a.component].line);
        by_units.chain(by_money).any(|line| order.lines[line].sku == *sku)
    };
    let failed_by = |code: &String| {
        refund.state() == RefundState::Failed && refund.failure().is_some_and(|(failure, _)| failure == code)
    };
    query.orders.as_ref().is_none_or(of_order)
        && query.refunds.as_ref().is_none_or(is_named)
        && query.states.as_ref().is_none_or(|states| states.contains(&refund.state()))
        && query.sku.as_ref().is_none_or(of_sku)
        && query.reason.as_ref().is_none_or(|reason| *reason == refund.reason)
        && query.failure_reason.as_ref().is_none_or(failed_by)
        && in_time(query.created, refund.created_ms)
        && in_time(query.updated, refund.updated_ms)
        && in_amounts(query.amount, refund.amount, order.currency)
        && in_amounts(query.refunded, refund.refunded(), order.currency)
}

fn in_time(range: TimeRange, at_ms: i64) -> bool {
    range.from_ms.is_none_or(|from| at_ms >= from) && range.to_ms.is_none_or(|to| at_ms <= to)
}

fn in_amounts(range: AmountRange, amount: Amount, currency: Currency) -> bool {
    let amount = Decimal::from_parts(i128::from(amount.get()), currency.exponent());
    let above = |(from, inclusive): (Decimal, bool)| amount > from || (inclusive && amount == from);
    let below = |(to, inclusive): (Decimal, bool)| amount < to || (inclusive && amount == to);
    range.from.is_none_or(above) && range.to.is_none_or(below)
}

/// Sorts the entries and cuts the page; `true` where more follow in the direction of travel.
fn cut<T>(
    mut entries: Vec<T>,
    key: impl Fn(&T) -> Key,
    descending: bool,
    (page, limit): (&Page, u32),
    named: impl Fn(&Reference) -> Option<Key>,
) -> Result<(Vec<T>, bool), Refusal> {
    let compare = |a: Key, b: Key| if descending { b.cmp(&a) } else { a.cmp(&b) };
    entries.sort_by(|a, b| compare(key(a), key(b)));
    let limit = usize::try_from(limit).expect("a page fits");
    let cursor_key = |cursor: &Reference, before: bool| {
        named(cursor).ok_or_else(|| Refusal::CursorUnknown { before, cursor: cursor.text.clone() })
    };
    let after = match page {
        Page::Start => None,
        Page::Skip(count) => {
            entries.drain(..usize::try_from(*count).unwrap_or(usize::MAX).min(entries.len()));
            None
        }
        Page::Key { key_ms, id } => Some((*key_ms, *id)),
        Page::After(cursor) => Some(cursor_key(cursor, false)?),
        Page::Before(cursor) => {
            let end = cursor_key(cursor, true)?;
            entries.retain(|entry| compare(key(entry), end) == Ordering::Less);
            let surplus = entries.len().saturating_sub(limit);
            entries.drain(..surplus);
            return Ok((entries, surplus > 0));
        }
    };
    if let Some(start) = after {
        entries.retain(|entry| compare(key(entry), start) == Ordering::Greater);
    }
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    Ok((entries, has_more))
}

#[test]
fn pages_meet_without_gap_or_overlap() {
    let page = |page: Page| {
        let (ids, more) = cut(vec![3, 1, 4, 2, 5], |id| (0, *id), true, (&page, 2), |r| r.ours.map(|id| (0, id)))?;
        Ok::<_, Refusal>(format!("{ids:?} {more}"))
    };
    let cursor = Reference::plain;
    assert_eq!(page(Page::Start).unwrap(), "[5, 4] true");
    assert_eq!(page(Page::Skip(2)).unwrap(), "[3, 2] true");
    assert_eq!(page(Page::Key { key_ms: 0, id: 4 }).unwrap(), "[3, 2] true");
    assert_eq!(page(Page::After(cursor("2"))).unwrap(), "[1] false");
    assert_eq!(page(Page::Before(cursor("1"))).unwrap(), "[3, 2] true");
    assert_eq!(page(Page::Before(cursor("3"))).unwrap(), "[5, 4] false");
    let unknown = Refusal::CursorUnknown { before: true, cursor: "x".to_owned() };
    assert_eq!(page(Page::Before(cursor("x"))), Err(unknown));
}
