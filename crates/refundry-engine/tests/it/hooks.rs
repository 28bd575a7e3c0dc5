//! Subscribers: what they are told, in which order, how often, and when nobody tries any more.

use refundry_core::balances::Facts;
use refundry_core::event::EventKind;
use refundry_core::event::EventKind::{
    OrderCancelled, OrderCreated, OrderDeleted, OrderPaid, OrderPartlyRefunded, OrderRefunded, OrderUpdated,
};
use refundry_core::limits::{DELIVERY_LEASE_MS, DELIVERY_WAITS_MS, EVENT_LIFE_MS, SUBSCRIPTIONS_MAX};
use refundry_core::order::{Id, Status};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{self, Due, Fate, HookAsk, HookDone, HookName, NewSubscription, SubscriptionFault};
use refundry_store::deliveries::{self, Delivery, Take};
use refundry_store::subscriptions::{self, Subscription};

use crate::batches::take_goods_away;
use crate::books::{past, plain};
use crate::shop::{Backend, NOW_MS, Shop, amount, declined, done, everything, units};

on_both!(
    what_happens_is_told_to_those_who_want_to_hear_it_in_its_order,
    an_order_that_comes_in_shows_its_history_and_one_that_is_deleted_is_told_whole,
    two_refunds_in_one_batch_are_two_events_with_the_figures_of_each,
    what_is_refused_and_what_was_rolled_back_tells_nothing,
    only_the_oldest_of_an_order_is_due_and_the_next_follows_at_once,
    what_was_taken_and_not_recorded_is_taken_again_with_the_same_bytes,
    after_the_last_rung_a_subscription_ends_unless_something_got_through,
    subscriptions_are_changed_and_ended_with_what_they_would_be_told,
    what_happened_long_ago_is_forgotten,
    what_only_a_newer_version_can_tell_holds_up_nobodys_money,
);

pub(crate) fn ask(shop: &Shop, ask: HookAsk) -> HookDone {
    match shop.call(Job::Hooks { store: shop.tenant, ask: Box::new(ask) }) {
        Outcome::Hooks(done) => done,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn new(kind: EventKind, address: &str) -> NewSubscription {
    NewSubscription {
        dialect: "shoplazza",
        version: "2022-01".to_owned(),
        topic: kind.code().to_owned(),
        kind: Some(kind),
        address: address.to_owned(),
        format: "json",
    }
}

pub(crate) fn subscribed(done: HookDone) -> Result<Subscription, SubscriptionFault> {
    match done {
        HookDone::Subscribed(subscribed) => subscribed,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn subscribe(shop: &Shop, kind: EventKind) -> Subscription {
    subscribed(ask(shop, HookAsk::Subscribe(new(kind, "https://a.example/")))).unwrap()
}

/// What is due now.
pub(crate) fn due(shop: &Shop) -> Vec<Due> {
    hooks::due(shop.engine.store(), shop.now_ms(), 100).unwrap().into_iter().flat_map(|now| now.due).collect()
}

/// Puts off what waits for an older one, as whoever posts does.
fn settle_waits(shop: &Shop) {
    for now in hooks::due(shop.engine.store(), shop.now_ms(), 100).unwrap() {
        ask(shop, HookAsk::Take { take: Vec::new(), wait: now.wait, drop: now.drop });
    }
}

fn take(shop: &Shop, due: &[Due], body: &str) -> Vec<Delivery> {
    let take = due.iter().map(|due| Take { key: due.delivery.key, takes: due.delivery.takes, body: body.to_owned() });
    match ask(shop, HookAsk::Take { take: take.collect(), wait: Vec::new(), drop: Vec::new() }) {
        HookDone::Taken(taken) => taken,
        other => panic!("{other:?}"),
    }
}

fn record(shop: &Shop, delivery: &Delivery, got_through: bool) -> Fate {
    match ask(shop, HookAsk::Record { delivery: delivery.clone(), got_through }) {
        HookDone::Recorded(fate) => fate,
        other => panic!("{other:?}"),
    }
}

/// Posts everything until nothing is due; what was posted, in its order.
pub(crate) fn post_all(shop: &Shop) -> Vec<Due> {
    let mut posted = Vec::new();
    loop {
        let now = due(shop);
        if now.is_empty() {
            return posted;
        }
        for taken in take(shop, &now, "{}") {
            posted.extend(now.iter().find(|due| due.delivery.key == taken.key).cloned());
            assert_eq!(record(shop, &taken, true), Fate::Delivered);
        }
    }
}

pub(crate) fn kinds(posted: &[Due]) -> Vec<EventKind> {
    posted.iter().map(|due| due.event.kind).collect()
}

/// The order right after it.
pub(crate) fn facts(due: &Due) -> &Facts {
    due.event.facts.as_ref().unwrap()
}

fn waiting(shop: &Shop) -> i64 {
    shop.engine.store().read(|tx| deliveries::count(tx, shop.tenant)).unwrap()
}

fn listed(shop: &Shop) -> Vec<Subscription> {
    shop.engine.store().read(|tx| subscriptions::list(tx, shop.tenant)).unwrap()
}

fn refund(shop: &Shop, order: Id, minor: &str) -> refundry_engine::execute::GatewayCall {
    shop.create(order, amount(minor)).unwrap();
    shop.calls().remove(0)
}

fn what_happens_is_told_to_those_who_want_to_hear_it_in_its_order(on: Backend) {
    let shop = Shop::new(on);
    let before = shop.put(plain("before"));
    assert_eq!(waiting(&shop), 0, "nobody wants to hear anything");
    for kind in [OrderCreated, OrderPaid, OrderUpdated, OrderPartlyRefunded, OrderRefunded, OrderCancelled] {
        subscribe(&shop, kind);
    }
    let order = shop.put(plain("a"));
    let call = refund(&shop, order, "10.00");
    shop.record(&call, done(&call));
    let call = refund(&shop, order, "5.00");
    shop.record(&call, declined());
    let call = refund(&shop, order, "34.00");
    shop.record(&call, done(&call));
    let mut cancelled = plain("a");
    cancelled.status = Status::Cancelled;
    shop.put(cancelled);

    let mut posted = post_all(&shop);
    posted.sort_by_key(|due| due.delivery.key.seq);
    let expected = [
        OrderCreated,
        OrderPaid,
        OrderUpdated,
        OrderPartlyRefunded,
        OrderUpdated,
        OrderUpdated,
        OrderUpdated,
        OrderUpdated,
        OrderRefunded,
        OrderUpdated,
        OrderCancelled,
        OrderUpdated,
    ];
    assert_eq!(kinds(&posted), expected);
    assert!(posted.iter().all(|due| due.delivery.key.order == order && order != before));
    let ids: std::collections::BTreeSet<Id> = posted.iter().map(|due| due.event.id).collect();
    assert_eq!(ids.len(), expected.len(), "each has a number of its own");
    let succeeded: Vec<i64> = posted.iter().map(|due| facts(due).balances.succeeded().get()).collect();
    assert_eq!(succeeded, [0, 0, 0, 1000, 1000, 1000, 1000, 1000, 4400, 4400, 4400, 4400], "as it was right then");
    let asked: Vec<i64> = posted.iter().map(|due| due.beside.asked_last.get()).collect();
    assert_eq!(asked, [0, 0, 1000, 1000, 1000, 500, 500, 3400, 3400, 3400, 3400, 3400]);
    shop.assert_clean();
}

fn an_order_that_comes_in_shows_its_history_and_one_that_is_deleted_is_told_whole(on: Backend) {
    let shop = Shop::new(on);
    for kind in [OrderCreated, OrderUpdated, OrderPartlyRefunded, OrderDeleted] {
        subscribe(&shop, kind);
    }
    shop.put_with(plain("a"), vec![past("r1", 1_000, 100, 1)]).unwrap();
    let posted = post_all(&shop);
    assert_eq!(kinds(&posted), [OrderCreated]);
    assert_eq!(facts(&posted[0]).balances.succeeded().get(), 1_100);
    assert_eq!(posted[0].beside.asked_last.get(), 1_100);

    // A refund that comes in later is news.
    shop.tick(1_000);
    shop.put_with(plain("a"), vec![past("r1", 1_000, 100, 1), past("r2", 1_000, 100, 1)]).unwrap();
    let mut posted = post_all(&shop);
    posted.sort_by_key(|due| due.delivery.key.seq);
    assert_eq!(kinds(&posted), [OrderUpdated, OrderPartlyRefunded, OrderUpdated]);
    assert_eq!(facts(&posted[1]).balances.succeeded().get(), 2_200);

    let mut deleted = plain("a");
    deleted.life.deleted_ms = Some(shop.now_ms());
    shop.put(deleted);
    let posted = post_all(&shop);
    assert_eq!(kinds(&posted), [OrderDeleted]);
    assert_eq!((facts(&posted[0]).order.number.as_str(), posted[0].beside.document.as_str()), ("a", r#"{"id":1}"#));
    shop.assert_clean();
}

fn two_refunds_in_one_batch_are_two_events_with_the_figures_of_each(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    subscribe(&shop, OrderUpdated);
    let jobs = [shop.job(order, units("hat", 1), None), shop.job(order, units("hat", 2), None)];
    assert!(shop.together(&jobs).iter().all(Result::is_ok));
    let posted = post_all(&shop);
    assert_eq!(kinds(&posted), [OrderUpdated, OrderUpdated]);
    let pending: Vec<i64> = posted.iter().map(|due| facts(due).balances.pending().get()).collect();
    assert_eq!(pending, [1_100, 3_300]);
}

fn what_is_refused_and_what_was_rolled_back_tells_nothing(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    subscribe(&shop, OrderUpdated);
    assert!(shop.create(order, amount("44.01")).is_err());
    assert_eq!(waiting(&shop), 0);
    // The same order again changes nothing.
    shop.put(plain("a"));
    assert_eq!(waiting(&shop), 0);
    // A job that fails by its own doing takes back what the batch had told; run again, it is told once.
    let broken = shop.put(plain("broken"));
    post_all(&shop);
    take_goods_away(&shop, broken);
    let jobs = [shop.job(order, units("hat", 1), None), shop.job(broken, everything(), None)];
    let outcomes = shop.together(&jobs);
    assert!(outcomes[0].is_ok() && outcomes[1].is_err());
    let told: Vec<Id> = post_all(&shop).iter().map(|due| due.delivery.key.order).collect();
    assert_eq!(told, [order]);
}

fn only_the_oldest_of_an_order_is_due_and_the_next_follows_at_once(on: Backend) {
    let shop = Shop::new(on);
    let (one, other) = (shop.put(plain("a")), shop.put(plain("b")));
    subscribe(&shop, OrderUpdated);
    for order in [one, one, other] {
        shop.create(order, amount("1.00")).unwrap();
    }
    let heads = due(&shop);
    let orders: Vec<Id> = heads.iter().map(|due| due.delivery.key.order).collect();
    assert_eq!(orders, [one, other], "one of each order");
    let taken = take(&shop, &heads, "{}");
    assert_eq!(taken.len(), 2);
    assert!(take(&shop, &heads, "{}").is_empty(), "who comes second gets none");
    settle_waits(&shop);
    assert!(due(&shop).is_empty());
    // The first fails, so what is behind it waits; the other order is told.
    let Fate::PutOff(again_ms) = record(&shop, &taken[0], false) else { panic!("not the last rung") };
    assert_eq!(again_ms, shop.now_ms() + DELIVERY_WAITS_MS[0]);
    assert_eq!(record(&shop, &taken[1], true), Fate::Delivered);
    shop.tick(DELIVERY_WAITS_MS[0] - 1);
    settle_waits(&shop);
    assert!(due(&shop).is_empty(), "nothing overtakes");
    shop.tick(1);
    let again = due(&shop);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].event.id, heads[0].event.id);
    let taken = take(&shop, &again, "{}");
    settle_waits(&shop);
    assert_eq!(record(&shop, &taken[0], true), Fate::Delivered);
    let next = due(&shop);
    assert_eq!(next.len(), 1, "the next is due at once");
    assert!(next[0].delivery.key.order == one && next[0].event.id > heads[0].event.id);
}

fn what_was_taken_and_not_recorded_is_taken_again_with_the_same_bytes(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    subscribe(&shop, OrderUpdated);
    shop.create(order, amount("1.00")).unwrap();
    let first = due(&shop);
    let lost = take(&shop, &first, "the first body");
    assert_eq!(lost[0].body, "the first body");
    shop.tick(DELIVERY_LEASE_MS - 1);
    assert!(due(&shop).is_empty());
    shop.tick(1);
    let second = due(&shop);
    assert_eq!(second[0].event.id, first[0].event.id);
    let again = take(&shop, &second, "another body");
    assert_eq!(again[0].body, "the first body");
    // Whoever lost it learns that it failed: somebody else has it in hand.
    assert_eq!(record(&shop, &lost[0], false), Fate::Stale);
    assert!(due(&shop).is_empty());
    // But that it got through, it may say.
    assert_eq!(record(&shop, &lost[0], true), Fate::Delivered);
    assert_eq!(waiting(&shop), 0);
    assert_eq!(record(&shop, &again[0], false), Fate::Stale);
    // A process that knows it is alone does not wait for the dead.
    shop.create(order, amount("1.00")).unwrap();
    take(&shop, &due(&shop), "{}");
    let Shop { engine, place, .. } = shop;
    drop(engine);
    let shop = Shop::open(place, NOW_MS + DELIVERY_LEASE_MS, true);
    assert!(due(&shop).is_empty());
    assert!(matches!(ask(&shop, HookAsk::Reclaim), HookDone::Counted(1)));
    assert_eq!(due(&shop).len(), 1);
}

/// Lets the one delivery that is due fail until nobody tries any more; what became of it then.
fn fail_to_the_end(shop: &Shop, order: Id, meanwhile: impl Fn(usize)) -> Fate {
    for wait_ms in DELIVERY_WAITS_MS.iter().enumerate().map(|(rung, wait_ms)| {
        meanwhile(rung);
        *wait_ms
    }) {
        let due: Vec<Due> = due(shop).into_iter().filter(|due| due.delivery.key.order == order).collect();
        let taken = take(shop, &due, "{}");
        assert_eq!(record(shop, &taken[0], false), Fate::PutOff(shop.now_ms() + wait_ms));
        shop.tick(wait_ms);
    }
    let due: Vec<Due> = due(shop).into_iter().filter(|due| due.delivery.key.order == order).collect();
    record(shop, &take(shop, &due, "{}")[0], false)
}

fn after_the_last_rung_a_subscription_ends_unless_something_got_through(on: Backend) {
    let shop = Shop::new(on);
    let (order, other) = (shop.put(plain("a")), shop.put(plain("b")));
    let subscription = subscribe(&shop, OrderUpdated);
    let heard = subscribe(&shop, OrderCancelled);
    shop.create(order, amount("1.00")).unwrap();
    let given_up = fail_to_the_end(&shop, order, |rung| {
        if rung == 12 {
            shop.create(other, amount("1.00")).unwrap();
            let due: Vec<Due> = due(&shop).into_iter().filter(|due| due.delivery.key.order == other).collect();
            assert_eq!(record(&shop, &take(&shop, &due, "{}")[0], true), Fate::Delivered);
            assert_eq!(listed(&shop)[0].failing_ms, None);
        }
    });
    assert_eq!(given_up, Fate::GivenUp);
    assert_eq!((waiting(&shop), listed(&shop).len()), (0, 2));

    shop.create(order, amount("1.00")).unwrap();
    // A success ends the failing, also that of the event before.
    post_all(&shop);
    shop.create(order, amount("1.00")).unwrap();
    shop.create(order, amount("1.00")).unwrap();
    let Fate::Ended(ended) = fail_to_the_end(&shop, order, |_| settle_waits(&shop)) else { panic!("it ends") };
    assert_eq!(ended.id, subscription.id);
    assert_eq!(waiting(&shop), 0, "what it would have been told goes with it");
    assert_eq!(listed(&shop), [heard]);
}

fn subscriptions_are_changed_and_ended_with_what_they_would_be_told(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let dialect = "shoplazza";
    let first = subscribe(&shop, OrderUpdated);
    let twin = HookAsk::Subscribe(new(OrderUpdated, "https://a.example/"));
    assert_eq!(subscribed(ask(&shop, twin)), Err(SubscriptionFault::Taken));
    let other = subscribed(ask(&shop, HookAsk::Subscribe(new(OrderUpdated, "https://b.example/")))).unwrap();
    let address = Some("https://a.example/".to_owned());
    let change = HookAsk::Change { dialect, hook: HookName::Ours(other.id), topic: None, address };
    assert_eq!(subscribed(ask(&shop, change)), Err(SubscriptionFault::Taken));
    shop.create(order, amount("1.00")).unwrap();
    assert_eq!(waiting(&shop), 2);

    shop.tick(1_000);
    let topic = Some(("order_paid".to_owned(), Some(OrderPaid)));
    let change = HookAsk::Change {
        dialect,
        hook: HookName::Ours(other.id),
        topic,
        address: Some("https://c.example/".to_owned()),
    };
    let changed = subscribed(ask(&shop, change)).unwrap();
    assert_eq!((changed.kind, changed.address.as_str()), (Some(OrderPaid), "https://c.example/"));
    assert_eq!((changed.created_ms, changed.updated_ms), (NOW_MS, NOW_MS + 1_000));
    assert_eq!(waiting(&shop), 1, "it does not want to hear that any more");
    let nothing = HookAsk::Change { dialect, hook: HookName::Ours(other.id), topic: None, address: None };
    assert_eq!(subscribed(ask(&shop, nothing)), Ok(changed));
    let foreign = HookAsk::Change { dialect: "shopline", hook: HookName::Ours(other.id), topic: None, address: None };
    assert_eq!(subscribed(ask(&shop, foreign)), Err(SubscriptionFault::Unknown));

    let end = |id| ask(&shop, HookAsk::Unsubscribe { dialect, hook: HookName::Ours(id) });
    assert!(matches!(end(first.id), HookDone::Unsubscribed(true)));
    assert!(matches!(end(first.id), HookDone::Unsubscribed(false)));
    assert_eq!((waiting(&shop), listed(&shop).len()), (0, 1));
    for number in 1..SUBSCRIPTIONS_MAX {
        let address = format!("https://a.example/{number}");
        subscribed(ask(&shop, HookAsk::Subscribe(new(OrderUpdated, &address)))).unwrap();
    }
    let one_more = HookAsk::Subscribe(new(OrderUpdated, "https://z.example/"));
    assert_eq!(subscribed(ask(&shop, one_more)), Err(SubscriptionFault::TooMany));
}

fn what_happened_long_ago_is_forgotten(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    subscribe(&shop, OrderUpdated);
    shop.create(order, amount("1.00")).unwrap();
    shop.tick(EVENT_LIFE_MS);
    assert!(matches!(ask(&shop, HookAsk::Forget), HookDone::Counted(0)));
    shop.tick(1);
    shop.create(order, amount("1.00")).unwrap();
    assert!(matches!(ask(&shop, HookAsk::Forget), HookDone::Counted(2)), "an event and its delivery");
    assert_eq!(kinds(&post_all(&shop)), [OrderUpdated]);
    // Counting begins anew without being noticed.
    shop.create(order, amount("1.00")).unwrap();
    assert_eq!(kinds(&post_all(&shop)), [OrderUpdated]);
}

fn what_only_a_newer_version_can_tell_holds_up_nobodys_money(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let (newer, known) = (subscribe(&shop, EventKind::OrderPaid), subscribe(&shop, EventKind::OrderUpdated));
    let foretell = "UPDATE subscriptions SET kind = 'order_foretold' WHERE store = ?1 AND kind = 'order_paid'";
    shop.engine.store().write(|tx| tx.execute(foretell, &[shop.tenant.into()]).map(|_| ())).unwrap();
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    shop.record(&shop.calls()[0], crate::shop::unknown());
    let sql = "SELECT subscription FROM deliveries WHERE store = ?1";
    let told = shop.engine.store().read(|tx| tx.query(sql, &[shop.tenant.into()], |row| row.int(0))).unwrap();
    assert!(!told.is_empty() && told.iter().all(|id| u64::try_from(*id) == Ok(known.id)), "{told:?} {newer:?}");
    assert_eq!(shop.facts(order).balances.pending(), made.amount);
}
