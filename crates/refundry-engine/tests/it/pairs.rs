//! Two engines on one database, as two processes are: the same orders, keys and legs at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread;

use refundry_core::limits::{KEY_LIFE_MS, LEASE_MS};
use refundry_core::order::{Id, Reference};
use refundry_core::rejection::Rejection;
use refundry_engine::accept::{Accepted, Job, Outcome};
use refundry_engine::intake::How;
use refundry_engine::stock::{self, StockAsk, StockDone};
use refundry_store::keys::{self, KeyRecord};
use refundry_store::{Options, Store, StoreError};

use crate::books::plain;
use crate::shop::{
    Backend, Build, NOW_MS, Place, Shop, amount, created, declined, done, everything, order, units, unknown,
};

on_both!(
    numbers_of_an_order_ascend_however_far_the_clocks_are_apart,
    a_lease_that_ran_out_is_taken_over_by_the_other,
    what_one_remembers_is_not_older_than_what_the_other_did,
    what_this_process_writes_beside_its_lane_is_seen_by_it,
);

/// Two processes that work, with a few lanes each where there can be.
pub(crate) fn pair(on: Backend) -> [Shop; 2] {
    let place = Arc::new(Place::new(on));
    let options = Options { writers_max: 4, ..place.options(NOW_MS) };
    let pair = [Shop::with(Arc::clone(&place), &options, true), Shop::with(place, &options, true)];
    assert_eq!(pair[0].tenant, pair[1].tenant);
    pair
}

/// Has both do something at the same moment.
pub(crate) fn both<T: Send>(pair: &[Shop; 2], what: impl Fn(usize, &Shop) -> T + Sync) -> [T; 2] {
    let (barrier, what) = (Barrier::new(2), &what);
    thread::scope(|scope| {
        let run = |number: usize| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                what(number, &pair[number])
            })
        };
        [run(0), run(1)].map(|thread| thread.join().unwrap())
    })
}

fn total(shop: &Shop, orders: &[Id]) -> u32 {
    orders.iter().map(|order| shop.facts(*order).balances.refunds).sum()
}

#[test]
fn both_refund_and_settle_the_same_orders_from_many_threads() {
    const THREADS: usize = 6;
    let pair = pair(Backend::Postgres);
    assert_eq!(pair[0].engine.lane_stats().len(), 3);
    let orders: Vec<Id> = (0..8).map(|number| pair[0].put(plain(&format!("o{number}")))).collect();
    let mut numbers: Vec<Id> = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (shop, orders) = (&pair[thread % 2], &orders);
                scope.spawn(move || (0..60).flat_map(|turn| business(shop, orders, thread, turn)).collect::<Vec<Id>>())
            })
            .collect();
        numbers.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
    });
    for (round, shop) in pair.iter().cycle().take(4).enumerate() {
        shop.tick((i64::try_from(round).unwrap() + 1) * 2 * LEASE_MS);
        for call in shop.calls().into_iter().chain(shop.lease()) {
            shop.record(&call, done(&call));
        }
    }
    let different: BTreeSet<Id> = numbers.iter().copied().collect();
    assert_eq!(different.len(), numbers.len(), "numbers are unique over lanes and engines");
    for order in &orders {
        let facts = pair[0].facts(*order);
        assert_eq!(facts.balances.pending().get(), 0, "all legs are settled");
        assert!(facts.balances.succeeded().get() <= 4_400);
        assert!(facts.balances.succeeded().get() > 2_200, "the orders were fought for");
    }
    pair[0].assert_clean();
}

/// One refund, and answers for the legs that this process has at hand; gives the numbers that were made.
fn business(shop: &Shop, orders: &[Id], thread: usize, turn: usize) -> Vec<Id> {
    let order = orders[(thread * 3 + turn * 5) % orders.len()];
    let made = shop.create(order, amount("1.10"));
    for (place, call) in shop.calls().into_iter().enumerate() {
        let answer = match (turn + place) % 7 {
            0 => declined(),
            1 => unknown(),
            _ => done(&call),
        };
        shop.record(&call, answer);
    }
    match made {
        Ok(Accepted { refund, .. }) => refund.legs.iter().map(|leg| leg.id).chain([refund.id]).collect(),
        Err(Rejection::RefundableExceeded { .. }) => Vec::new(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_key_used_by_both_at_once_makes_one_refund() {
    let pair = pair(Backend::Postgres);
    let (one, other) = (pair[0].put(plain("a")), pair[0].put(plain("b")));
    for number in 0..40_u32 {
        // On the same order they wait for it; on two orders only the key stands between them.
        let orders = if number % 2 == 0 { [one, one] } else { [one, other] };
        let key = format!("key-{number}");
        let [first, second] = both(&pair, |side, shop| {
            created(shop.call(shop.job(orders[side], amount("0.10"), Some((&key, "hash"))))).unwrap()
        });
        assert_eq!(first.refund.id, second.refund.id, "{key}");
        assert!(first.replayed != second.replayed, "{key}: one of them made it");
        assert_eq!(total(&pair[0], &[one, other]), number + 1);
    }
    pair[1].assert_clean();
}

#[test]
fn a_key_that_counts_no_more_is_bound_again_once() {
    let pair = pair(Backend::Postgres);
    let (one, other) = (pair[0].put(plain("a")), pair[0].put(plain("b")));
    let keys: Vec<String> = (0..30).map(|number| format!("key-{number}")).collect();
    for key in &keys {
        created(pair[0].call(pair[0].job(one, amount("0.10"), Some((key, "old"))))).unwrap();
    }
    for shop in &pair {
        shop.tick(KEY_LIFE_MS + 1);
    }
    for (number, key) in (1_u32..).zip(&keys) {
        let [first, second] = both(&pair, |side, shop| {
            created(shop.call(shop.job([one, other][side], amount("0.10"), Some((key, "new"))))).unwrap()
        });
        assert_eq!(first.refund.id, second.refund.id, "{key}");
        assert_eq!(total(&pair[0], &[one, other]), 30 + number);
    }
    pair[0].assert_clean();
}

#[test]
fn a_key_that_somebody_else_bound_anew_is_not_taken_from_him() {
    let shop = Shop::new(Backend::Postgres);
    let store = shop.engine.store();
    let record = |refund, created_ms| {
        let (key, hash) = ("key".to_owned(), "hash".to_owned());
        KeyRecord { store: shop.tenant, key, hash, refund, created_ms }
    };
    let bind = |store: &Store, record: KeyRecord| {
        store.write(|tx| {
            keys::release(tx, &[(record.store, "key", 1)])?;
            keys::bind(tx, std::slice::from_ref(&record))
        })
    };
    bind(store, record(1, 1)).unwrap();
    let outrun = store.write(|tx| {
        let old = keys::get_many(tx, &[(shop.tenant, "key")])?.remove(0).unwrap();
        assert_eq!(old.refund, 1);
        bind(store, record(2, 9)).unwrap();
        keys::release(tx, &[(shop.tenant, "key", old.created_ms)])?;
        keys::bind(tx, &[record(3, 9)])
    });
    assert!(matches!(outrun, Err(StoreError::Conflict { .. })), "{outrun:?}");
    let bound = store.read(|tx| keys::get_many(tx, &[(shop.tenant, "key")])).unwrap();
    assert_eq!(bound, [Some(record(2, 9))]);
}

#[test]
fn a_new_order_put_by_both_at_once_is_one_order() {
    let pair = pair(Backend::Postgres);
    for number in 0..40 {
        let [(first, a), (second, b)] = both(&pair, |_, shop| {
            let taken = shop.put_with(plain(&format!("new-{number}")), Vec::new()).unwrap();
            (taken.order, taken.how)
        });
        assert_eq!(first, second);
        assert!(matches!((a, b), (How::Created, How::Unchanged) | (How::Unchanged, How::Created)), "{a:?} {b:?}");
        assert_eq!(pair[1].create(first, everything()).unwrap().refund.amount.get(), 4_400);
    }
    pair[0].assert_clean();
}

fn a_lease_that_ran_out_is_taken_over_by_the_other(on: Backend) {
    let pair = pair(on);
    let order = pair[0].put(plain("a"));
    let refund = pair[0].create(order, amount("10.00")).unwrap().refund;
    let of_dead = pair[0].calls().remove(0);
    assert!(pair[1].lease().is_empty(), "it is the first one's");
    pair[1].tick(LEASE_MS - 1);
    assert!(pair[1].lease().is_empty());
    pair[1].tick(1);
    let taken_over = pair[1].lease().remove(0);
    assert_eq!((taken_over.ask.leg_id, taken_over.attempts), (refund.legs[0].id, 2));
    assert!(taken_over.may_have_been_sent(), "so it is looked up first");
    assert!(pair[1].record(&taken_over, done(&taken_over)).is_some());
    // It was not dead, only slow.
    assert!(pair[0].record(&of_dead, declined()).is_some(), "a late failure is believed once");
    assert!(pair[0].record(&of_dead, done(&of_dead)).is_none());
    pair[0].tick(2 * LEASE_MS);
    assert!(pair[0].lease().is_empty());
    pair[1].assert_clean();
}

fn numbers_of_an_order_ascend_however_far_the_clocks_are_apart(on: Backend) {
    for behind_ms in [0, 1, 2_000, 50_000] {
        let pair = pair(on);
        pair[1].tick(-behind_ms);
        let order = pair[0].put(plain("a"));
        let mut newest = order;
        for turn in 0..20 {
            let shop = &pair[turn % 2];
            let refund = shop.create(order, amount("0.10")).unwrap().refund;
            let leg = refund.legs[0].id;
            assert!(refund.id > newest && leg > refund.id, "{refund:?} is not above {newest}");
            assert_eq!(refund.number, u32::try_from(turn).unwrap() + 1);
            newest = leg;
            // The other one settles it.
            let call = shop.calls().remove(0);
            pair[(turn + 1) % 2].record(&call, if turn % 3 == 0 { declined() } else { done(&call) }).unwrap();
            shop.tick(1);
        }
        pair[0].assert_clean();
    }
}

/// Orders of several stores, and a refund of each, one store after the other and again.
fn jobs_of_many_stores(shop: &Shop) -> Vec<Job> {
    let mut jobs = Vec::new();
    for number in 0..4 {
        for handle in ["north", "south", "west"] {
            let store = shop.add_store(handle);
            let order = order(&format!("o{number}"), "USD").line("hat", 4, 4_000, 400).pay("card", "simulated", 4_400);
            let intake = refundry_core::intake::Intake {
                order,
                refunds: Vec::new(),
                document: String::new(),
                terms: Vec::new(),
            };
            let put = shop.call(Job::PutOrder { store, intake: Box::new(intake) });
            let Outcome::Put(Ok(taken)) = put else { panic!("{put:?}") };
            let Job::Create { command, .. } = shop.job(taken.order, units("hat", 1), None) else { unreachable!() };
            jobs.push(Job::Create { store, command, key: None });
        }
    }
    jobs
}

/// Both have the order and the refunds at hand from a moment ago; each turn must find what the other one did.
fn what_one_remembers_is_not_older_than_what_the_other_did(on: Backend) {
    let [one, two] = &pair(on);
    let order = one.put(plain("o"));
    let available = |shop: &Shop| shop.facts(order).available();
    let (first, other) = (one.create(order, amount("1.00")).unwrap(), two.create(order, amount("2.00")).unwrap());
    assert_eq!((first.refund.number, other.refund.number), (1, 2));
    let (call, late) = (one.calls().remove(0), two.calls().remove(0));
    // One accepted it and remembers that it is under way; two hears how it ended, and so does one, too late.
    two.record(&call, declined()).unwrap();
    assert_eq!(one.record(&call, done(&call)), None);
    one.record(&late, done(&late)).unwrap();
    assert_eq!(two.record(&late, done(&late)), None);
    let left = available(one);
    assert!(two.create(order, everything()).unwrap().refund.amount == left);
    one.create(order, everything()).unwrap_err();
    assert_eq!(available(two), refundry_core::money::Amount::ZERO);
    one.assert_clean();
}

/// Rows that are changed past the lane, through the same connection.
fn what_this_process_writes_beside_its_lane_is_seen_by_it(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("o"));
    shop.create(order, amount("1.00")).unwrap();
    shop.calls();
    let write = |balances: refundry_core::balances::Balances| {
        let facts = refundry_core::balances::Facts { balances, ..shop.facts(order) };
        let rows = [(shop.tenant, &facts)];
        shop.engine.store().write(|tx| refundry_store::orders::update_balances(tx, &rows)).unwrap();
    };
    let before = shop.facts(order);
    let mut spent = before.balances.clone();
    spent.payments[0].pending = before.order.payments[0].captured;
    write(spent);
    shop.create(order, amount("1.00")).unwrap_err();
    write(before.balances);
    shop.create(order, amount("1.00")).unwrap();
    shop.assert_clean();
}

#[test]
fn where_rows_are_spread_by_store_a_transaction_holds_one() {
    for distributed in [false, true] {
        let place = Place::new(Backend::Postgres);
        let options = Options { writers_max: 2, distributed, ..place.options(NOW_MS) };
        let shop = Shop::with(place, &options, true);
        let jobs = jobs_of_many_stores(&shop);
        let stats = shop.engine.lane_stats().remove(0);
        let before = stats.batches.load(Ordering::Relaxed);
        let outcomes = shop.together(&jobs);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Outcome::Created(Ok(_))))), "{outcomes:?}");
        // The gate is put, and waited for; then come the jobs.
        let batches = stats.batches.load(Ordering::Relaxed) - before - 2;
        assert_eq!(batches, if distributed { 3 } else { 1 });
        // The server says which transaction wrote a row.
        let mixed = "SELECT COUNT(*) FROM (SELECT 1 FROM journal WHERE kind = 'refund_accepted'
            GROUP BY xmin::text HAVING COUNT(DISTINCT store) > 1) AS mixed";
        let mixed = shop.engine.store().read(|tx| tx.query_one(mixed, &[], |row| row.int(0))).unwrap();
        assert_eq!(mixed, Some(i64::from(!distributed)));
        shop.assert_clean();
    }
}

#[test]
fn jobs_of_many_stores_are_all_answered_by_two_engines() {
    let place = Arc::new(Place::new(Backend::Postgres));
    let options = Options { writers_max: 4, distributed: true, ..place.options(NOW_MS) };
    let pair = [Shop::with(Arc::clone(&place), &options, true), Shop::with(place, &options, true)];
    let jobs = jobs_of_many_stores(&pair[0]);
    let made = both(&pair, |_, shop| {
        let (sender, answers) = std::sync::mpsc::channel();
        for job in jobs.iter().cycle().take(jobs.len() * 2) {
            let sender = sender.clone();
            shop.engine.submit(job.clone(), Box::new(move |answer| sender.send(answer).unwrap())).unwrap();
        }
        let answers = answers.iter().take(jobs.len() * 2).map(|answer| created(answer.unwrap()));
        answers.flatten().count()
    });
    // Four hats of each order, and each engine asked for two.
    assert_eq!(made, [jobs.len() * 2; 2]);
    pair[0].assert_clean();
}

/// Numbers of a series, goods that are new, and stock: rows that many want who hold no order in common.
#[test]
fn both_number_orders_and_count_goods_from_many_threads() {
    const THREADS: usize = 6;
    const ROUNDS: usize = 3;
    let pair = pair(Backend::Postgres);
    let adjust = |sku: &str| StockAsk::Adjust {
        variant: Reference::plain(sku),
        location: Reference { text: String::new(), ours: Some(stock::default_location(pair[0].tenant).unwrap()) },
        by: 1,
    };
    for sku in ["hat", "pin"] {
        pair[0].put(order(sku, "USD").line(sku, 1, 100, 0).pay("card", "simulated", 100));
    }
    let numbers = both(&pair, |number, shop| {
        thread::scope(|scope| {
            let run = |thread: usize| {
                let adjust = &adjust;
                move || {
                    let mut numbers = Vec::new();
                    for round in 0..ROUNDS {
                        let skus = if (number + thread + round).is_multiple_of(2) {
                            ["sku-hat", "sku-pin"]
                        } else {
                            ["sku-pin", "sku-hat"]
                        };
                        let store = shop.tenant;
                        let (first, next) = (adjust(skus[0]), adjust(skus[1]));
                        let count = |ask: StockAsk| Job::Stock { store, ask: Box::new(ask) };
                        assert!(matches!(shop.call(count(first)), Outcome::Stock(StockDone::Level(_))));
                        let new = format!("new {round}");
                        let name = format!("{number} {thread} {round}");
                        let sold = order(&name, "USD").line(&new, 1, 100, 0).line("hat", 1, 100, 0);
                        let sold = shop.put(sold.pay("card", "simulated", 200));
                        shop.create(sold, units("hat", 1)).unwrap();
                        let Outcome::Shop(Ok(made)) = shop.call(crate::made::job(shop)) else { panic!("not made") };
                        numbers.push(shop.facts(made).order.number.clone());
                        assert!(matches!(shop.call(count(next)), Outcome::Stock(StockDone::Level(_))));
                    }
                    numbers
                }
            };
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(run(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        })
    });
    let numbers: BTreeSet<String> = numbers.concat().into_iter().collect();
    assert_eq!(numbers.len(), 2 * THREADS * ROUNDS, "each number once");
    let counted =
        |sku| stock::variant(pair[0].engine.store(), pair[0].tenant, &Reference::plain(sku)).unwrap().unwrap().1;
    let each = i64::try_from(2 * THREADS * ROUNDS).unwrap();
    assert_eq!((counted("sku-hat"), counted("sku-pin")), (2 * each, each));
    pair[0].assert_clean();
}
