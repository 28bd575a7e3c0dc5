//! Lists of orders give what looking at every order gives, whichever way they are read.

use std::collections::{BTreeMap, BTreeSet};

use refundry_core::balances::Facts;
use refundry_core::money::Decimal;
use refundry_core::order::{Id, Order, Reference, Status};
use refundry_core::query::{AmountRange, AnyOf, Beside, OrderQuery, Page, SortBy, TimeRange};
use refundry_core::standing::{Goods, Money, Sent, Stage, Tally, placed_ms, sent, standing, tally};
use refundry_core::terms::{Term, TermKind, Terms};
use refundry_engine::read;
use refundry_store::orders;

use crate::shop::{Backend, Build, NOW_MS, Shop, amount, declined, done, named, order};

on_both!(
    every_way_gives_the_same_page,
    terms_follow_what_is_told,
    a_deleted_order_is_in_no_list,
    a_page_comes_with_documents_where_they_are_wanted,
    a_page_is_filled_past_orders_that_are_not_meant,
    a_page_comes_with_refunds_and_transactions_where_they_are_wanted,
);

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(sides).unwrap()).unwrap()
    }

    fn sometimes<T>(&mut self, sides: usize, value: T) -> Option<T> {
        (self.roll(sides) == 0).then_some(value)
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())].clone()
    }
}

/// An order as it is known, and all terms that it should be found by.
struct Known {
    facts: Facts,
    terms: BTreeSet<Term>,
}

const KINDS: [TermKind; 7] = [
    TermKind::Customer,
    TermKind::CustomerEmail,
    TermKind::Tag,
    TermKind::Platform,
    TermKind::Name,
    TermKind::ShippingPhone,
    TermKind::Spu,
];
const TEXTS: [&str; 6] = ["ann", "anna smith", "Smith Öl", "Anna", "vip", "x"];
const TITLES: [&str; 4] = ["cap", "Blue Cap", "blue cotton sock", "sock_set"];

fn every_way_gives_the_same_page(on: Backend) {
    let (shop, mut dice) = (Shop::new(on), Dice(11));
    let all = orders_at_random(&shop, &mut dice);
    shop.assert_clean();
    let store = shop.engine.store();
    let mut pages = 0;
    for _ in 0..1_000 {
        let query = random_query(&mut dice, &all);
        let expected = expected(&all, &query);
        let matching = i64::try_from(all.iter().filter(|known| matches(&query, known)).count()).unwrap();
        pages += usize::from(!expected.0.is_empty());
        for few in [0, 6, 24, 8_000] {
            let found = store.read(|tx| orders::list_with(tx, shop.tenant, &query, few)).unwrap().unwrap();
            let found = (found.0.iter().map(|facts| facts.order.id).collect::<Vec<_>>(), found.1);
            assert_eq!(found, expected, "few is {few}: {query:?}");
            let count = store.read(|tx| orders::count_with(tx, shop.tenant, &query, few)).unwrap();
            assert_eq!(count, matching, "few is {few}: {query:?}");
        }
    }
    assert!(pages > 200, "only {pages} of the pages had orders");
}

/// Orders that came all ways, some changed later, some deleted, with refunds in every state.
fn orders_at_random(shop: &Shop, dice: &mut Dice) -> Vec<Known> {
    let mut told: BTreeMap<Id, Vec<Term>> = BTreeMap::new();
    for number in 0..70 {
        shop.tick(i64::try_from(dice.roll(5_000_000)).unwrap());
        let (order, terms) = (random_order(shop, dice, number), random_terms(dice));
        let id = shop.put_told(order.clone(), Vec::new(), terms.clone()).unwrap().order;
        told.insert(id, terms);
        refund_at_random(shop, dice, id);
        if dice.roll(3) == 0 {
            change_at_random(shop, dice, order, id, &mut told);
        }
    }
    // The order of another store is in no list of this one.
    shop.add_store("other");
    let ids = shop.engine.store().read(|tx| orders::walk(tx, shop.tenant, 0, 1_000)).unwrap();
    let mut all = Vec::new();
    for id in ids {
        let facts = shop.facts(id);
        if facts.order.life.deleted_ms.is_none() {
            let mut terms = Terms::of(&facts.order).into_set();
            terms.extend(told[&id].iter().cloned());
            all.push(Known { facts, terms });
        }
    }
    all
}

fn random_order(shop: &Shop, dice: &mut Dice, number: usize) -> Order {
    let now_ms = shop.now_ms();
    let currency = if dice.roll(5) == 0 { "JPY" } else { "USD" };
    let captured = [0, 9_000, 18_000][dice.roll(3)];
    let mut made = order(&format!("o-{number}"), currency).line("a", 2, 9_000, 0).line("b", 1, 9_000, 0);
    if captured > 0 {
        made = made.pay("p", "simulated", captured);
    }
    made.created_ms = now_ms - i64::try_from(dice.roll(3)).unwrap() * 1_000_000;
    made.updated_ms = made.created_ms + i64::try_from(dice.roll(2_000_000)).unwrap();
    for line in &mut made.lines {
        dice.pick(&TITLES).clone_into(&mut line.title);
        dice.pick(&["P1", "p2", ""]).clone_into(&mut line.product_id);
        line.shipped = u32::try_from(dice.roll(3)).unwrap().min(line.quantity);
        made.life.delivered.push(if dice.roll(2) == 0 { line.shipped } else { 0 });
    }
    if dice.roll(6) == 0 {
        made.status = Status::Cancelled;
    }
    made.life.placed_ms = dice.sometimes(4, made.created_ms + 500);
    made.life.fulfilled_ms = dice.sometimes(3, made.created_ms + 700);
    made.life.finished_ms = dice.sometimes(3, made.created_ms + 900);
    made.life.location = dice.sometimes(4, 7);
    made.life.deleted_ms = dice.sometimes(12, now_ms);
    made.life.closed_ms = dice.sometimes(3, now_ms);
    made
}

fn random_terms(dice: &mut Dice) -> Vec<Term> {
    let mut terms = Terms::default();
    for _ in 0..dice.roll(5) {
        terms.add(dice.pick(&KINDS), dice.pick(&TEXTS));
        terms.add_phrases(TermKind::Name, dice.pick(&TEXTS));
    }
    terms.into_vec()
}

fn refund_at_random(shop: &Shop, dice: &mut Dice, id: Id) {
    for _ in 0..dice.roll(3) {
        shop.tick(i64::try_from(dice.roll(3_000_000)).unwrap());
        let sum = ["1.00", "90.00", "180.00", "45.00"][dice.roll(4)];
        let sum = if shop.facts(id).order.currency.exponent() == 0 { "9000" } else { sum };
        if shop.create(id, amount(sum)).is_err() {
            continue;
        }
        if dice.roll(4) > 0 {
            for call in shop.lease() {
                let answer = if dice.roll(3) == 0 { declined() } else { done(&call) };
                shop.record(&call, answer);
            }
        }
    }
}

/// Told anew with other terms, made at another time, or deleted.
fn change_at_random(shop: &Shop, dice: &mut Dice, mut order: Order, id: Id, told: &mut BTreeMap<Id, Vec<Term>>) {
    if shop.facts(id).balances.refunds > 0 || order.life.deleted_ms.is_some() {
        return;
    }
    let terms = random_terms(dice);
    match dice.roll(4) {
        0 => order.created_ms -= 5,
        1 => "Green hat".clone_into(&mut order.lines[0].title),
        2 => order.life.deleted_ms = Some(NOW_MS),
        _ => {}
    }
    assert_eq!(shop.put_told(order, Vec::new(), terms.clone()).unwrap().order, id);
    told.insert(id, terms);
}

fn random_query(dice: &mut Dice, all: &[Known]) -> OrderQuery {
    let facts = |dice: &mut Dice| &all[dice.roll(all.len())].facts;
    let (a, b, c) = (facts(dice), facts(dice), facts(dice));
    let time = |dice: &mut Dice, from: Option<i64>, to: Option<i64>| TimeRange {
        from_ms: from.filter(|_| dice.roll(7) == 0),
        to_ms: to.filter(|_| dice.roll(7) == 0),
    };
    let end = |dice: &mut Dice, facts: &Facts| {
        let order = &facts.order;
        let milli = i128::from(order.charged().to_milli(order.currency)) + i128::try_from(dice.roll(3)).unwrap() - 1;
        dice.sometimes(8, (Decimal::from_parts(milli, 3), order.id.is_multiple_of(2)))
    };
    let sort = if dice.roll(2) == 0 { SortBy::Created } else { SortBy::Updated };
    let page = match dice.roll(7) {
        0 => Page::Skip(u64::try_from(dice.roll(12)).unwrap()),
        1 => Page::Key { key_ms: key(sort, c).0, id: c.order.id },
        2 => Page::After(Reference { text: String::new(), ours: Some(c.order.id) }),
        3 => Page::Before(Reference { text: String::new(), ours: Some(c.order.id) }),
        _ => Page::Start,
    };
    let some = |dice: &mut Dice, count: usize| (0..dice.roll(4)).map(|_| dice.roll(count)).collect::<BTreeSet<_>>();
    let (stages, money, goods) = (some(dice, 4), some(dice, 8), some(dice, 7));
    let (tally, sent, dice_flag) = (some(dice, 5), some(dice, 3), dice.roll(2) == 0);
    let given: Vec<Reference> = (0..9).map(|_| named(facts(dice).order.external_id.as_deref().unwrap())).collect();
    OrderQuery {
        named: dice.sometimes(20, a.order.number.clone()),
        orders: dice.sometimes(15, given),
        stages: dice.sometimes(5, stages.into_iter().map(|n| Stage::ALL[n]).collect()),
        money: dice.sometimes(4, money.into_iter().map(|n| Money::ALL[n]).collect()),
        goods: dice.sometimes(5, goods.into_iter().map(|n| Goods::ALL[n]).collect()),
        tally: dice.sometimes(3, tally.into_iter().map(|n| Tally::ALL[n]).collect()),
        sent: dice.sometimes(4, sent.into_iter().map(|n| Sent::ALL[n]).collect()),
        closed: dice.sometimes(4, dice_flag),
        created: time(dice, Some(a.order.created_ms), Some(b.order.created_ms)),
        updated: time(dice, Some(updated(b)), Some(updated(a))),
        placed: time(dice, placed_ms(&a.order), placed_ms(&b.order)),
        fulfilled: time(dice, a.order.life.fulfilled_ms, c.order.life.fulfilled_ms),
        finished: time(dice, b.order.life.finished_ms, c.order.life.finished_ms),
        total: AmountRange { from: end(dice, a), to: end(dice, b) },
        words: (0..[0, 0, 1, 1, 2][dice.roll(5)]).map(|_| random_words(dice)).collect(),
        sort,
        descending: dice.roll(2) == 0,
        page,
        limit: u32::try_from(1 + dice.roll(6)).unwrap(),
        beside: Beside::NOTHING,
    }
}

fn random_words(dice: &mut Dice) -> AnyOf {
    let texts: Vec<&str> = (0..dice.roll(4)).map(|_| dice.pick(&TEXTS)).collect();
    match dice.roll(7) {
        6 => AnyOf { or_none: true, ..AnyOf::whole(dice.pick(&KINDS), texts) },
        0 => AnyOf::whole(TermKind::Sku, ["SKU-a", "none"]),
        1 => AnyOf::whole(TermKind::Product, ["p1"]),
        2 => AnyOf::beginning(&[TermKind::Title, TermKind::Number], ["c", "o-1"].into_iter().take(1 + dice.roll(2))),
        3 => AnyOf::whole(TermKind::Location, ["7"]),
        4 => AnyOf::beginning(&KINDS, texts),
        _ => AnyOf::whole(dice.pick(&KINDS), texts),
    }
}

fn updated(facts: &Facts) -> i64 {
    facts.order.updated_ms.max(facts.balances.updated_ms)
}

fn key(sort: SortBy, facts: &Facts) -> (i64, Id) {
    (if sort == SortBy::Created { facts.order.created_ms } else { updated(facts) }, facts.order.id)
}

/// The page by looking at every order.
fn expected(all: &[Known], query: &OrderQuery) -> (Vec<Id>, bool) {
    let matching = all.iter().filter(|known| matches(query, known)).map(|known| key(query.sort, &known.facts));
    let mut keys: Vec<(i64, Id)> = matching.collect();
    keys.sort_unstable();
    if query.descending {
        keys.reverse();
    }
    let find = |name: &Reference| {
        let known = all.iter().find(|known| Some(known.facts.order.id) == name.ours).unwrap();
        key(query.sort, &known.facts)
    };
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

fn matches(query: &OrderQuery, Known { facts, terms }: &Known) -> bool {
    let order = &facts.order;
    let within = |range: TimeRange, at: Option<i64>| {
        range.from_ms.is_none_or(|from| at.is_some_and(|at| at >= from))
            && range.to_ms.is_none_or(|to| at.is_some_and(|at| at <= to))
    };
    let total = Decimal::from_parts(i128::from(order.charged().get()), order.currency.exponent());
    let stands = standing(facts);
    let is_named = |name: &String| order.external_id.as_ref() == Some(name) || order.number == *name;
    let given = |names: &Vec<Reference>| names.iter().any(|n| Some(n.text.as_str()) == order.external_id.as_deref());
    query.named.as_ref().is_none_or(is_named)
        && query.orders.as_ref().is_none_or(given)
        && query.stages.as_ref().is_none_or(|stages| stages.contains(&stands.stage))
        && query.money.as_ref().is_none_or(|money| money.contains(&stands.money))
        && query.goods.as_ref().is_none_or(|goods| goods.contains(&stands.goods))
        && query.tally.as_ref().is_none_or(|wanted| wanted.contains(&tally(facts)))
        && query.sent.as_ref().is_none_or(|wanted| wanted.contains(&sent(facts)))
        && query.closed.is_none_or(|closed| closed == order.life.closed_ms.is_some())
        && within(query.created, Some(order.created_ms))
        && within(query.updated, Some(updated(facts)))
        && within(query.placed, placed_ms(order))
        && within(query.fulfilled, order.life.fulfilled_ms)
        && within(query.finished, order.life.finished_ms)
        && query.total.from.is_none_or(|(from, inclusive)| total > from || (inclusive && total == from))
        && query.total.to.is_none_or(|(to, inclusive)| total < to || (inclusive && total == to))
        && query.words.iter().all(|any| any.matches(terms))
}

fn found(shop: &Shop, words: AnyOf) -> Vec<Id> {
    let query = OrderQuery { words: vec![words], ..OrderQuery::default() };
    let page = read::list_orders(shop.engine.store(), shop.tenant, &query).unwrap().unwrap().0;
    let count = read::count_orders(shop.engine.store(), shop.tenant, &query).unwrap();
    assert_eq!(usize::try_from(count).unwrap(), page.len());
    page.into_iter().map(|shown| shown.facts.order.id).collect()
}

/// What is told anew takes the place of what was, also where the facts stay; what nobody tells stays.
fn terms_follow_what_is_told(on: Backend) {
    let shop = Shop::new(on);
    let tag = |text: &str| vec![Term { kind: TermKind::Tag, text: text.to_owned() }];
    let made = order("a", "USD").line("cap", 2, 9_000, 0).pay("p", "simulated", 9_000);
    let id = shop.put_told(made.clone(), Vec::new(), tag("new")).unwrap().order;
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["NEW"])), [id]);
    shop.put_told(made.clone(), Vec::new(), tag("old")).unwrap();
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["new"])), Vec::<Id>::new());
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["old"])), [id]);
    let fulfil = refundry_engine::accept::Job::Fulfil { store: shop.tenant, order: named("a"), units: Vec::new() };
    shop.call(fulfil);
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["old"])), [id]);
    let mut renamed = made;
    renamed.lines[0].shipped = 2;
    "hat".clone_into(&mut renamed.lines[0].title);
    renamed.created_ms += 1;
    shop.put_told(renamed, Vec::new(), tag("old")).unwrap();
    assert_eq!(found(&shop, AnyOf::beginning(&[TermKind::Title], ["ca"])), Vec::<Id>::new());
    assert_eq!(found(&shop, AnyOf::beginning(&[TermKind::Title], ["ha"])), [id]);
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["old"])), [id]);
    shop.assert_clean();
}

fn a_deleted_order_is_in_no_list(on: Backend) {
    let shop = Shop::new(on);
    let mut made = order("a", "USD").line("cap", 2, 9_000, 0).pay("p", "simulated", 9_000);
    let tag = vec![Term { kind: TermKind::Tag, text: "new".to_owned() }];
    shop.put_told(made.clone(), Vec::new(), tag.clone()).unwrap();
    made.life.deleted_ms = Some(NOW_MS);
    shop.put_told(made, Vec::new(), tag).unwrap();
    assert_eq!(found(&shop, AnyOf::whole(TermKind::Tag, ["new"])), Vec::<Id>::new());
    let all = OrderQuery::default();
    assert_eq!(read::count_orders(shop.engine.store(), shop.tenant, &all).unwrap(), 0);
    let unknown = OrderQuery { page: Page::After(named("a")), ..all };
    assert!(read::list_orders(shop.engine.store(), shop.tenant, &unknown).unwrap().is_err());
    shop.assert_clean();
}

fn a_page_comes_with_documents_where_they_are_wanted(on: Backend) {
    let shop = Shop::new(on);
    for name in ["a", "b"] {
        shop.put(order(name, "USD").line("cap", 2, 9_000, 0));
    }
    for document in [false, true] {
        let beside = Beside { document, ..Beside::NOTHING };
        let query = OrderQuery { beside, ..OrderQuery::default() };
        let (page, has_more) = read::list_orders(shop.engine.store(), shop.tenant, &query).unwrap().unwrap();
        let texts: Vec<&str> = page.iter().map(|shown| shown.document.as_str()).collect();
        assert_eq!(texts, if document { [r#"{"id":1}"#; 2] } else { [""; 2] });
        assert!(!has_more);
    }
}

/// Nothing leads to orders by how much of them is on its way back: each is looked at until a page is full.
fn a_page_is_filled_past_orders_that_are_not_meant(on: Backend) {
    let shop = Shop::new(on);
    let put = |name: &str, sum: Option<&str>| {
        shop.tick(1_000);
        let id = shop.put(order(name, "USD").line("cap", 1, 9_000, 0).pay(&format!("p{name}"), "simulated", 9_000));
        if let Some(sum) = sum {
            shop.create(id, amount(sum)).unwrap();
        }
        id
    };
    let failed = put("e", Some("5.00"));
    for call in shop.calls() {
        shop.record(&call, declined());
    }
    // All others stay on their way.
    let whole = [put("a", Some("90.00")), put("b", Some("90.00"))];
    let partly: Vec<Id> = (0..40).map(|number| put(&format!("c{number}"), Some("1.00"))).collect();
    let paid = put("d", None);
    let ids = |query: &OrderQuery| {
        let (page, more) = read::list_orders(shop.engine.store(), shop.tenant, query).unwrap().unwrap();
        (page.into_iter().map(|shown| shown.facts.order.id).collect::<Vec<_>>(), more)
    };
    let count = |query: &OrderQuery| read::count_orders(shop.engine.store(), shop.tenant, query).unwrap();
    let of = |tally: Tally, limit: u32| OrderQuery { tally: Some(vec![tally]), limit, ..OrderQuery::default() };
    assert_eq!(ids(&of(Tally::Back, 1)), (vec![whole[1]], true));
    assert_eq!(ids(&OrderQuery { descending: false, ..of(Tally::Back, 1) }), (vec![whole[0]], true));
    let behind = Page::After(Reference { text: String::new(), ours: Some(whole[1]) });
    assert_eq!(ids(&OrderQuery { page: behind, ..of(Tally::Back, 1) }), (vec![whole[0]], false));
    let before = Page::Before(Reference { text: String::new(), ours: Some(whole[1]) });
    assert_eq!(ids(&OrderQuery { page: before, ..of(Tally::PartlyBack, 2) }), (vec![partly[1], partly[0]], true));
    assert_eq!(ids(&OrderQuery { sort: SortBy::Updated, ..of(Tally::Back, 5) }), (vec![whole[1], whole[0]], false));
    assert_eq!(standing(&shop.facts(failed)).money, Money::RefundFailed);
    // What failed is paid again, and stands among what was never refunded.
    assert_eq!(ids(&of(Tally::Paid, 5)), (vec![paid, failed], false));
    assert_eq!(count(&of(Tally::Back, 1)), 2);
    assert_eq!(count(&of(Tally::PartlyBack, 1)), 40);
    assert_eq!(count(&of(Tally::Paid, 1)), 2);
    assert_eq!(count(&of(Tally::PartlyPaid, 1)), 0);
    shop.assert_clean();
}

fn a_page_comes_with_refunds_and_transactions_where_they_are_wanted(on: Backend) {
    let shop = Shop::new(on);
    let made: Vec<Id> = ["a", "b"]
        .map(|name| {
            shop.tick(1_000);
            shop.put(order(name, "USD").line("cap", 2, 9_000, 0).pay(&format!("p{name}"), "simulated", 9_000))
        })
        .into();
    let mut refunds = vec![Vec::new(); 2];
    for sum in ["1.00", "2.00", "3.00"] {
        for (order, refunds) in made.iter().zip(&mut refunds) {
            refunds.push(shop.create(*order, amount(sum)).unwrap().refund.id);
        }
    }
    for beside in [Beside::NOTHING, Beside::PARCELS, Beside::ALL] {
        let query = OrderQuery { beside, descending: false, ..OrderQuery::default() };
        let (page, _) = read::list_orders(shop.engine.store(), shop.tenant, &query).unwrap().unwrap();
        let found: Vec<Vec<Id>> = page.iter().map(|shown| shown.refunds.iter().map(|r| r.id).collect()).collect();
        assert_eq!(found, if beside.refunds { refunds.clone() } else { vec![Vec::new(); 2] });
        assert!(page.iter().all(|shown| shown.store == shop.tenant && shown.transactions.is_empty()));
    }
    let shown = read::order(shop.engine.store(), shop.tenant, &named("b"), Beside::ALL).unwrap().unwrap();
    assert_eq!(shown.refunds.iter().map(|refund| refund.id).collect::<Vec<_>>(), refunds[1]);
}
