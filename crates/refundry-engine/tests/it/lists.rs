//! Lists give what looking at every refund gives, whichever way they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::money::Decimal;
use refundry_core::order::{Id, Order};
use refundry_core::query::{AmountRange, Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::{Refund, RefundState};
use refundry_engine::read;
use refundry_store::{orders, refunds};

use crate::books::fill;
use crate::shop::{Backend, Build, Shop, amount, declined, done, named, order};

on_both!(every_way_gives_the_same_page, a_walk_meets_every_refund_of_a_span_once);

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn sometimes<T>(&mut self, value: T) -> Option<T> {
        (self.roll(5) == 0).then_some(value)
    }
}

fn every_way_gives_the_same_page(on: Backend) {
    let (shop, mut dice) = (Shop::new(on), Dice(5));
    fill(&shop);
    refund_at_random(&shop, &mut dice);
    let all = everything(&shop);
    assert!(all.len() > 150, "{}", all.len());
    let mut pages = 0;
    for _ in 0..1_500 {
        let query = random_query(&mut dice, &all);
        let expected = expected(&all, &query);
        let matching = all.iter().filter(|(refund, order)| matches(&query, refund, order)).count();
        let matching = i64::try_from(matching).unwrap();
        pages += usize::from(!expected.0.is_empty());
        for few in [0, 20, 5_000] {
            let found =
                shop.engine.store().read(|tx| refunds::list_with(tx, shop.tenant, &query, few)).unwrap().unwrap();
            let found = (found.0.iter().map(|refund| refund.id).collect::<Vec<_>>(), found.1);
            assert_eq!(found, expected, "few is {few}: {query:?}");
            let count = shop.engine.store().read(|tx| refunds::count_with(tx, shop.tenant, &query, few)).unwrap();
            assert_eq!(count, matching, "few is {few}: {query:?}");
        }
    }
    assert!(pages > 300, "only {pages} of the pages had refunds");
}

/// Orders with refunds of many amounts, some of which succeed at once, some much later, some never.
fn refund_at_random(shop: &Shop, dice: &mut Dice) {
    for number in 0..25_u64 {
        let name = format!("random-{number}");
        let put =
            shop.put(order(&name, "USD").line("cap", 9, 9_000, 0).line("sock", 9, 9_000, 0).pay("p", "card", 18_000));
        for _ in 0..6 {
            shop.tick(i64::try_from(dice.roll(50_000_000)).unwrap());
            let cents = 1 + dice.roll(1_500);
            shop.create(put, amount(&format!("{}.{:02}", cents / 100, cents % 100))).unwrap();
            if dice.roll(3) > 0 {
                shop.tick(i64::try_from(dice.roll(3)).unwrap() * 40_000_000);
                for call in shop.lease() {
                    let answer = if dice.roll(4) == 0 { declined() } else { done(&call) };
                    shop.record(&call, answer);
                }
            }
        }
    }
}

fn everything(shop: &Shop) -> Vec<(Refund, Arc<Order>)> {
    let store = shop.engine.store();
    let known = store.read(|tx| orders::walk(tx, shop.tenant, 0, 10_000)).unwrap();
    let mut all = Vec::new();
    for id in known {
        let order = shop.facts(id).order;
        let of_order = store.read(|tx| refunds::of_order(tx, shop.tenant, id)).unwrap();
        let seen = read::order_with_refunds(store, shop.tenant, &named_order(&order)).unwrap().unwrap();
        assert_eq!((seen.order.facts.order.id, &seen.refunds), (id, &of_order));
        let first = store.read(|tx| refunds::first_of_order(tx, shop.tenant, id, 2)).unwrap();
        assert_eq!(first, of_order[..of_order.len().min(2)]);
        all.extend(of_order.into_iter().map(|refund| (refund, Arc::clone(&order))));
    }
    all
}

fn random_query(dice: &mut Dice, all: &[(Refund, Arc<Order>)]) -> RefundQuery {
    let count = u64::try_from(all.len()).unwrap();
    let pick = |dice: &mut Dice| all[usize::try_from(dice.roll(count)).unwrap()].clone();
    let (a, b, c) = (pick(dice), pick(dice), pick(dice));
    let time =
        |dice: &mut Dice, from: i64, to: i64| TimeRange { from_ms: dice.sometimes(from), to_ms: dice.sometimes(to) };
    let money = |dice: &mut Dice| {
        let mut end = |refund: &Refund| {
            let bound = Decimal::from_parts(i128::from(refund.amount.get()) * 10 + i128::from(dice.roll(2)), 3);
            dice.sometimes((bound, true)).map(|(bound, _)| (bound, refund.id.is_multiple_of(2)))
        };
        AmountRange { from: end(&a.0), to: end(&b.0) }
    };
    let states = match dice.roll(12) {
        0 => Some(vec![]),
        1 => Some(vec![RefundState::Pending]),
        2 => Some(vec![RefundState::Failed]),
        3 => Some(vec![RefundState::Pending, RefundState::Failed]),
        4 => Some(vec![RefundState::Succeeded]),
        5 => Some(vec![RefundState::Succeeded, RefundState::Failed]),
        _ => None,
    };
    let sort = if dice.roll(2) == 0 { SortBy::Created } else { SortBy::Updated };
    let page = match dice.roll(6) {
        0 => Page::Skip(dice.roll(30)),
        1 => Page::Key { key_ms: key(sort, &c.0).0, id: c.0.id },
        2 => Page::After(named_by_number(&c.0)),
        3 => Page::Before(named_by_number(&c.0)),
        _ => Page::Start,
    };
    let skus = ["cap", "sku-cap", "sku-mug", "sku-lamp", "SKU-CAP"];
    let sku = skus[usize::try_from(dice.roll(5)).unwrap()].to_owned();
    let given: Vec<_> = (0..20).map(|_| named_by_number(&pick(dice).0)).collect();
    RefundQuery {
        orders: dice.sometimes(vec![named_order(&a.1), named_order(&b.1)]),
        refunds: dice.sometimes(given),
        states,
        sku: dice.sometimes(sku),
        reason: dice.sometimes(a.0.reason.clone()),
        failure_reason: dice.sometimes(b.0.failure().map_or("", |(code, _)| code).to_owned()),
        created: time(dice, a.0.created_ms, b.0.created_ms),
        updated: time(dice, c.0.updated_ms, a.0.updated_ms),
        amount: money(dice),
        refunded: money(dice),
        sort,
        descending: dice.roll(2) == 0,
        page,
        limit: u32::try_from(1 + dice.roll(12)).unwrap(),
    }
}

fn named_by_number(refund: &Refund) -> refundry_core::order::Reference {
    refundry_core::order::Reference { text: refund.id.to_string(), ours: Some(refund.id) }
}

fn named_order(order: &Order) -> refundry_core::order::Reference {
    order.external_id.as_deref().map_or_else(|| named(&order.number), named)
}

fn key(sort: SortBy, refund: &Refund) -> (i64, Id) {
    (if sort == SortBy::Created { refund.created_ms } else { refund.updated_ms }, refund.id)
}

/// The page by looking at every refund.
fn expected(all: &[(Refund, Arc<Order>)], query: &RefundQuery) -> (Vec<Id>, bool) {
    let mut sorted: BTreeMap<(i64, Id), Id> = BTreeMap::new();
    for (refund, _) in all.iter().filter(|(refund, order)| matches(query, refund, order)) {
        sorted.insert(key(query.sort, refund), refund.id);
    }
    let find = |name: &refundry_core::order::Reference| {
        key(query.sort, &all.iter().find(|(refund, _)| Some(refund.id) == name.ours).unwrap().0)
    };
    let mut keys: Vec<(i64, Id)> = sorted.into_keys().collect();
    if query.descending {
        keys.reverse();
    }
    let beyond = |key: (i64, Id), start: (i64, Id)| if query.descending { key < start } else { key > start };
    match &query.page {
        Page::Start => {}
        Page::Skip(count) => drop(keys.drain(..keys.len().min(usize::try_from(*count).unwrap()))),
        Page::Key { key_ms, id } => keys.retain(|key| beyond(*key, (*key_ms, *id))),
        Page::After(name) => keys.retain(|key| beyond(*key, find(name))),
        Page::Before(name) => {
            keys.retain(|key| *key != find(name) && !beyond(*key, find(name)));
            let surplus = keys.len().saturating_sub(query.limit as usize);
            return (keys[surplus..].iter().map(|key| key.1).collect(), surplus > 0);
        }
    }
    let has_more = keys.len() > query.limit as usize;
    keys.truncate(query.limit as usize);
    (keys.into_iter().map(|key| key.1).collect(), has_more)
}

fn matches(query: &RefundQuery, refund: &Refund, order: &Order) -> bool {
    let within = |range: TimeRange, at: i64| {
        range.from_ms.is_none_or(|from| at >= from) && range.to_ms.is_none_or(|to| at <= to)
    };
    let money = |range: AmountRange, minor: i64| {
        let amount = Decimal::from_parts(i128::from(minor), order.currency.exponent());
        range.from.is_none_or(|(from, inclusive)| amount > from || (inclusive && amount == from))
            && range.to.is_none_or(|(to, inclusive)| amount < to || (inclusive && amount == to))
    };
    let by_money = refund.allocations.iter().filter_map(|a| order.components[a.component].line);
    let mut lines = by_money.chain(refund.units.iter().map(|units| units.line));
    query.orders.as_ref().is_none_or(|orders| orders.iter().any(|name| *name == named_order(order)))
        && query.refunds.as_ref().is_none_or(|names| names.iter().any(|name| name.ours == Some(refund.id)))
        && query.states.as_ref().is_none_or(|states| states.contains(&refund.state()))
        && query.sku.as_ref().is_none_or(|sku| lines.any(|line| order.lines[line].sku == *sku))
        && query.reason.as_ref().is_none_or(|reason| *reason == refund.reason)
        && query.failure_reason.as_ref().is_none_or(|code| refund.failure().map_or("", |(code, _)| code) == code)
        && within(query.created, refund.created_ms)
        && within(query.updated, refund.updated_ms)
        && money(query.amount, refund.amount.get())
        && money(query.refunded, refund.refunded().get())
}

/// A walk over a span meets every refund of it once, however short its pages are.
fn a_walk_meets_every_refund_of_a_span_once(on: Backend) {
    let shop = Shop::new(on);
    let other = shop.add_store("other");
    let order = shop.put(order("walked", "USD").line("cap", 1, 1000, 0).pay("card", "simulated", 1000));
    let start = shop.now_ms();
    for round in 0..7 {
        // Several in one millisecond.
        shop.tick(i64::from(round % 3 == 0));
        shop.create(order, amount("1.00")).unwrap();
    }
    let walked = |store: i64, span: (i64, i64), limit: i64| {
        let (mut after, mut met) = (None, Vec::new());
        loop {
            let page = shop.engine.store().read(|tx| refunds::accepted_within(tx, store, span, after, limit)).unwrap();
            let Some(last) = page.last() else { return met };
            after = Some((last.created_ms, last.id));
            met.extend(page.iter().map(|refund| (refund.created_ms, refund.id)));
        }
    };
    let all: Vec<(i64, u64)> = everything(&shop).iter().map(|(refund, _)| (refund.created_ms, refund.id)).collect();
    for span in [(0, i64::MAX), (start, start + 4), (start + 1, start + 2), (start + 2, start + 3), (start, start)] {
        let expected: Vec<_> = all.iter().copied().filter(|(ms, _)| (span.0..span.1).contains(ms)).collect();
        for limit in [1, 2, 100] {
            assert_eq!(walked(shop.tenant, span, limit), expected, "{span:?} {limit}");
        }
    }
    assert_eq!(walked(other, (0, i64::MAX), 10), []);
}
