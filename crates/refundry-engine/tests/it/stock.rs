//! Stock: what refunds put back, once and together with them, and what people count.

use refundry_core::command::{Ask, CreateRefund, Plan};
use refundry_core::intake::{Intake, PastUnits};
use refundry_core::order::{Dialect, Id, Order, Reference};
use refundry_core::refund::{Bucket, RefundState, Restock};
use refundry_core::rejection::Rejection;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::stock::{self, StockAsk, StockDone, StockFault};
use refundry_engine::store::locations::{self, LocationRecord};
use refundry_engine::store::stock::Level;
use refundry_engine::store::{LaneError, StoreError, Tx};

use crate::books::{past, plain};
use crate::shop::{Backend, Build, NOW_MS, Shop, created, declined, done, everything, named, order, units};

on_both!(
    a_refund_puts_its_units_back_once,
    two_refunds_of_one_batch_both_count,
    a_refund_without_restock_moves_nothing,
    a_refund_that_fails_takes_its_units_back,
    a_refund_that_is_tried_again_puts_them_back_again,
    units_go_where_the_refund_then_the_line_then_the_order_says,
    shopline_puts_units_only_where_a_place_is,
    what_was_accepted_is_tried_again_wherever_its_units_went,
    a_place_that_an_order_of_the_same_batch_brings_is_there,
    our_own_number_makes_no_new_place,
    refunds_made_elsewhere_move_nothing,
    variants_are_born_with_the_first_order_that_names_them,
    what_people_count_is_added_or_set,
    a_refund_before_it_in_the_batch_is_counted_over,
    many_who_count_at_once_lose_nothing,
    a_batch_that_fails_moves_nothing,
    a_refund_from_before_stock_was_counted_takes_nothing,
    a_variant_is_taken_off_a_location,
    planted_errors_are_found,
);

fn levels(shop: &Shop, variant: &str) -> Vec<(String, i64)> {
    let found = stock::levels(shop.engine.store(), shop.tenant, &[named(variant)], &[]).unwrap();
    found.into_iter().map(|shelf| (shelf.place.external_id.unwrap_or_default(), shelf.level.quantity)).collect()
}

fn total(shop: &Shop, variant: &str) -> i64 {
    stock::variant(shop.engine.store(), shop.tenant, &named(variant)).unwrap().unwrap().1
}

fn ask(shop: &Shop, ask: StockAsk) -> StockDone {
    match shop.call(job(shop, ask)) {
        Outcome::Stock(done) => done,
        other => panic!("{other:?}"),
    }
}

fn job(shop: &Shop, ask: StockAsk) -> Job {
    Job::Stock { store: shop.tenant, ask: Box::new(ask) }
}

fn level(done: StockDone) -> Level {
    match done {
        StockDone::Level(shelf) => shelf.level,
        other => panic!("{other:?}"),
    }
}

/// The default location by its number, which is the store's.
fn default(shop: &Shop) -> Reference {
    let id = stock::default_location(shop.tenant).unwrap();
    Reference { text: id.to_string(), ours: Some(id) }
}

fn adjust(shop: &Shop, variant: &str, by: i64) -> StockAsk {
    StockAsk::Adjust { variant: named(variant), location: default(shop), by }
}

fn set(variant: &str, units: i64) -> StockAsk {
    StockAsk::Set { variant: named(variant), location: None, units }
}

fn without_restock(line: &str, quantity: i64) -> refundry_core::command::RefundRequest {
    let mut request = units(line, quantity);
    if let refundry_core::command::Ask::Parts(parts) = &mut request.ask {
        parts.units[0].restock = Restock::No;
    }
    request
}

fn to_place(line: &str, place: &str) -> refundry_core::command::RefundRequest {
    let mut request = units(line, 1);
    if let refundry_core::command::Ask::Parts(parts) = &mut request.ask {
        place.clone_into(&mut parts.units[0].location);
        parts.units[0].restock = Restock::Cancel;
    }
    request
}

fn a_refund_puts_its_units_back_once(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    assert_eq!(total(&shop, "sku-hat"), 0);
    let key = Some(("key", "hash"));
    created(shop.call(shop.job(order, units("hat", 2), key))).unwrap();
    assert!(created(shop.call(shop.job(order, units("hat", 2), key))).unwrap().replayed);
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 2)]);
    // Whatever becomes of the money later, the units stay where they are.
    for call in shop.calls() {
        shop.tick(100);
        shop.record(&call, done(&call)).unwrap();
        shop.record(&call, done(&call));
    }
    assert_eq!(total(&shop, "sku-hat"), 2);
    shop.assert_clean();
}

fn two_refunds_of_one_batch_both_count(on: Backend) {
    let shop = Shop::new(on);
    let (first, second) = (shop.put(plain("a")), shop.put(plain("b")));
    let key = Some(("key", "hash"));
    let outcomes = shop.together(&[
        shop.job(first, units("hat", 1), None),
        shop.job(second, units("hat", 2), key),
        shop.job(second, units("hat", 2), key),
        shop.job(first, units("hat", 9), None),
        shop.job(first, units("hat", 1), None),
    ]);
    let accepted = outcomes.into_iter().filter(|outcome| matches!(outcome, Ok(Outcome::Created(Ok(_)))));
    assert_eq!(accepted.count(), 4);
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 4)]);
    shop.assert_clean();
}

fn a_refund_without_restock_moves_nothing(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, without_restock("hat", 1)).unwrap();
    shop.create(order, everything()).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 0);
    assert!(!stock::is_open(shop.engine.store(), shop.tenant).unwrap(), "nothing needed a place");
    shop.assert_clean();
}

fn a_refund_that_fails_takes_its_units_back(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    shop.create(order, to_place("hat", "attic")).unwrap();
    let kept = shop.create(order, units("hat", 1)).unwrap().refund;
    let calls = shop.calls();
    for call in &calls {
        shop.tick(100);
        if call.ask.refund_id == kept.id {
            shop.record(call, done(call)).unwrap();
        } else {
            shop.record(call, declined()).unwrap();
            // News that come twice take nothing twice.
            shop.record(call, declined());
        }
    }
    assert_eq!(shop.refund(kept.id).state(), RefundState::Succeeded);
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 1), ("attic".to_owned(), 0)]);
    shop.assert_clean();
}

fn a_refund_that_is_tried_again_puts_them_back_again(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let refund = shop.create(order, units("hat", 3)).unwrap().refund;
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 0);
    let retry = refundry_engine::by_hand::RetryAsk {
        refund: Reference { text: refund.id.to_string(), ours: Some(refund.id) },
        to: refundry_core::retry::Destination::Same,
    };
    created(shop.call(Job::Retry { store: shop.tenant, ask: retry, key: None })).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 3);
    shop.assert_clean();
}

fn units_go_where_the_refund_then_the_line_then_the_order_says(on: Backend) {
    let shop = Shop::new(on);
    let mut sold = order("a", "USD").line("hat", 4, 4_000, 0).line("cap", 4, 4_000, 0).pay("card", "simulated", 8_000);
    "cellar".clone_into(&mut sold.lines[0].location_id);
    let first = shop.put(sold);
    shop.create(first, to_place("hat", "attic")).unwrap();
    shop.create(first, units("hat", 1)).unwrap();
    shop.create(first, units("cap", 1)).unwrap();
    let cellar = stock::location(shop.engine.store(), shop.tenant, &named("cellar")).unwrap().unwrap().id;
    let mut second = order("b", "USD").line("cap", 4, 4_000, 0).pay("card", "simulated", 4_000);
    second.life.location = Some(cellar);
    let second = shop.put(second);
    shop.create(second, units("cap", 2)).unwrap();
    // An order may name a place by a number that leads nowhere.
    let mut lost = order("c", "USD").line("cap", 4, 4_000, 0).pay("card", "simulated", 4_000);
    lost.life.location = Some(7);
    let lost = shop.put(lost);
    shop.create(lost, units("cap", 1)).unwrap();
    let sorted = |variant| {
        let mut found = levels(&shop, variant);
        found.sort();
        found
    };
    assert_eq!(sorted("sku-hat"), [("attic".to_owned(), 1), ("cellar".to_owned(), 1)]);
    assert_eq!(sorted("sku-cap"), [(String::new(), 2), ("cellar".to_owned(), 2)]);
    let names: Vec<_> = stock::locations(shop.engine.store(), shop.tenant).unwrap();
    assert_eq!(names.len(), 3);
    assert_eq!(names[0].id, stock::default_location(shop.tenant).unwrap(), "the default one comes first");
    shop.assert_clean();
}

/// A refund of one unit of the hat through SHOPLINE's API, to a place.
fn by_shopline(shop: &Shop, order: Id, place: &str) -> Job {
    let order = Reference::plain(&order.to_string());
    let command = Box::new(CreateRefund {
        known_places: true,
        ..CreateRefund::new(order, Dialect::Shopline, to_place("hat", place))
    });
    Job::Create { store: shop.tenant, command, key: None }
}

fn lost(outcome: Outcome) -> String {
    match created(outcome) {
        Err(Rejection::LocationUnknown { location }) => location,
        other => panic!("{other:?}"),
    }
}

/// Makes a place; goods may go there or not.
fn make_place(shop: &Shop, id: Id, name: &str, active: bool) {
    let record = LocationRecord {
        store: shop.tenant,
        id,
        external_id: Some(name.to_owned()),
        name: name.to_owned(),
        active,
        address: String::new(),
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
    };
    shop.engine.store().write(|tx| locations::insert(tx, std::slice::from_ref(&record))).unwrap();
}

fn shopline_puts_units_only_where_a_place_is(on: Backend) {
    let shop = Shop::new(on);
    let mut sold = order("a", "USD").line("hat", 12, 12_000, 0).pay("card", "simulated", 12_000);
    "5409714787218633772".clone_into(&mut sold.lines[0].location_id);
    let order = shop.put(sold);
    make_place(&shop, 7, "closed", false);
    for place in ["moon", "5409714787218633773", "409714787218633772", "closed", "a\0b", &"x".repeat(300)] {
        assert_eq!(lost(shop.call(by_shopline(&shop, order, place))), place);
    }
    assert_eq!(total(&shop, "sku-hat"), 0, "a refusal stores nothing");
    assert_eq!(stock::locations(shop.engine.store(), shop.tenant).unwrap().len(), 2, "and makes no place");
    // Lines rank before places, payments behind them.
    let both = |quantity, payment: &str| {
        let mut request = to_place("hat", "moon");
        if let Ask::Parts(parts) = &mut request.ask {
            parts.units[0].quantity = Some(quantity);
        }
        request.plan = Plan::InOrder(vec![named(payment)]);
        let command = CreateRefund {
            known_places: true,
            ..CreateRefund::new(Reference::plain(&order.to_string()), Dialect::Shopline, request)
        };
        shop.call(Job::Create { store: shop.tenant, command: Box::new(command), key: None })
    };
    assert_eq!(created(both(13, "card")).map(|_| ()).map_err(|no| no.code()), Err("quantity_exceeded"));
    assert_eq!(lost(both(1, "nobody")), "moon");
    // By the platform's name, by our number, and as SHOPLINE's callers see that; else to the line's own place.
    ask(&shop, StockAsk::Open);
    let line = stock::location(shop.engine.store(), shop.tenant, &named("5409714787218633772")).unwrap().unwrap().id;
    let default = stock::default_location(shop.tenant).unwrap();
    for place in
        ["5409714787218633772", "", &format!("{line:018}"), &format!("5{line:018}"), &format!("5{default:018}")]
    {
        created(shop.call(by_shopline(&shop, order, place))).unwrap();
    }
    let mut found = levels(&shop, "sku-hat");
    found.sort();
    assert_eq!(found, [(String::new(), 1), ("5409714787218633772".to_owned(), 4)]);
    assert_eq!(stock::locations(shop.engine.store(), shop.tenant).unwrap().len(), 3);
    // Where nothing is put back, no place is looked at; and other APIs make places as they name them.
    let mut request = to_place("hat", "moon");
    if let Ask::Parts(parts) = &mut request.ask {
        parts.units[0].restock = Restock::No;
    }
    let command = CreateRefund {
        known_places: true,
        ..CreateRefund::new(Reference::plain(&order.to_string()), Dialect::Shopline, request)
    };
    created(shop.call(Job::Create { store: shop.tenant, command: Box::new(command), key: None })).unwrap();
    shop.create(order, to_place("hat", "attic")).unwrap();
    created(shop.call(by_shopline(&shop, order, "attic"))).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 7);
    shop.assert_clean();
}

fn what_was_accepted_is_tried_again_wherever_its_units_went(on: Backend) {
    let shop = Shop::new(on);
    let mut sold = order("a", "USD").line("hat", 4, 4_000, 0).pay("card", "simulated", 4_000);
    "cellar".clone_into(&mut sold.lines[0].location_id);
    let order = shop.put(sold);
    let refund = created(shop.call(by_shopline(&shop, order, "cellar"))).unwrap().refund;
    let closed = shop.engine.store().write(|tx| tx.execute("UPDATE locations SET active = 0", &[])).unwrap();
    assert_eq!(closed, 1);
    shop.record(&shop.calls().remove(0), declined()).unwrap();
    assert_eq!(lost(shop.call(by_shopline(&shop, order, "cellar"))), "cellar");
    let retry = refundry_engine::by_hand::RetryAsk {
        refund: Reference { text: refund.id.to_string(), ours: Some(refund.id) },
        to: refundry_core::retry::Destination::Same,
    };
    created(shop.call(Job::Retry { store: shop.tenant, ask: retry, key: None })).unwrap();
    assert_eq!(levels(&shop, "sku-hat"), [("cellar".to_owned(), 1)]);
    shop.assert_clean();
}

fn a_place_that_an_order_of_the_same_batch_brings_is_there(on: Backend) {
    let shop = Shop::new(on);
    let mut sold = order("a", "USD").line("hat", 4, 4_000, 0).pay("card", "simulated", 4_000);
    let first = shop.put(sold.clone());
    sold.external_id = Some("b".to_owned());
    "cellar".clone_into(&mut sold.lines[0].location_id);
    let intake = Box::new(Intake { order: sold, refunds: Vec::new(), document: "{}".to_owned(), terms: Vec::new() });
    let outcomes = shop.together(&[
        by_shopline(&shop, first, "moon"),
        Job::PutOrder { store: shop.tenant, intake },
        by_shopline(&shop, first, "cellar"),
        by_shopline(&shop, first, "cellar"),
    ]);
    let codes: Vec<Result<(), &str>> = outcomes
        .into_iter()
        .filter_map(|outcome| match outcome {
            Ok(Outcome::Created(made)) => Some(made.map(|_| ()).map_err(|no| no.code())),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [Err("location_unknown"), Ok(()), Ok(())]);
    assert_eq!(levels(&shop, "sku-hat"), [("cellar".to_owned(), 2)]);
    shop.assert_clean();
}

fn our_own_number_makes_no_new_place(on: Backend) {
    let shop = Shop::new(on);
    ask(&shop, StockAsk::Open);
    let id = stock::default_location(shop.tenant).unwrap();
    let mut sold = order("a", "USD").line("hat", 2, 2_000, 0).line("cap", 2, 2_000, 0).pay("card", "simulated", 4_000);
    sold.lines[0].location_id = format!("5{id:018}");
    sold.lines[1].location_id = format!("{id:018}");
    let order = shop.put(sold);
    shop.create(order, units("hat", 1)).unwrap();
    created(shop.call(by_shopline(&shop, order, ""))).unwrap();
    shop.create(order, units("cap", 1)).unwrap();
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 2)]);
    assert_eq!(levels(&shop, "sku-cap"), [(String::new(), 1)]);
    assert_eq!(stock::locations(shop.engine.store(), shop.tenant).unwrap().len(), 1);
    shop.assert_clean();
}

fn refunds_made_elsewhere_move_nothing(on: Backend) {
    let shop = Shop::new(on);
    let mut told = past("p1", 1_000, 100, 1);
    told.units = vec![PastUnits { restock: Restock::Return, bucket: Bucket::Waiting, ..told.units.remove(0) }];
    shop.put_with(plain("a"), vec![told]).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 0);
    shop.assert_clean();
}

fn variants_are_born_with_the_first_order_that_names_them(on: Backend) {
    let shop = Shop::new(on);
    let mut sold: Order =
        order("a", "EUR").line("hat", 2, 4_000, 0).line("cap", 1, 500, 0).pay("card", "simulated", 4_500);
    "v-1".clone_into(&mut sold.lines[0].variant_id);
    "p-1".clone_into(&mut sold.lines[0].product_id);
    "Red".clone_into(&mut sold.lines[0].variant_title);
    sold.lines[1].sku = String::new();
    let first = shop.put(sold.clone());
    sold.external_id = Some("b".to_owned());
    "Blue".clone_into(&mut sold.lines[0].variant_title);
    shop.put(sold);
    let find = |name: &str| stock::variants(shop.engine.store(), shop.tenant, &[named(name)]).unwrap().pop();
    let red = find("v-1").unwrap();
    assert_eq!((red.title.as_str(), red.product_id.as_str(), red.sku.as_str()), ("Red", "p-1", "sku-hat"));
    assert_eq!((red.price.get(), red.currency.code(), red.created_ms), (2_050, "EUR", NOW_MS));
    assert!(find("sku-hat").is_none(), "the platform's id comes first");
    // By our number, too; and where it never was, there is none of it at the default place.
    let ours = Reference { text: red.id.to_string(), ours: Some(red.id) };
    assert_eq!(stock::variants(shop.engine.store(), shop.tenant, &[ours]).unwrap(), std::slice::from_ref(&red));
    ask(&shop, StockAsk::Open);
    assert_eq!(levels(&shop, "v-1"), [(String::new(), 0)]);
    // Goods without any name are refunded, and counted nowhere.
    shop.create(first, units("cap", 1)).unwrap();
    let all = stock::levels(shop.engine.store(), shop.tenant, &[], &[]).unwrap();
    assert_eq!(all.len(), 1);
    shop.assert_clean();
}

fn what_people_count_is_added_or_set(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    assert_eq!(level(ask(&shop, adjust(&shop, "sku-hat", 5))).quantity, 5);
    assert_eq!(level(ask(&shop, adjust(&shop, "sku-hat", -7))).quantity, -2);
    assert_eq!(level(ask(&shop, set("sku-hat", 40))).quantity, 40);
    assert_eq!(level(ask(&shop, set("sku-hat", 40))).quantity, 40);
    shop.create(id, units("hat", 1)).unwrap();
    assert_eq!(total(&shop, "sku-hat"), 41);
    let refused = |done| match done {
        StockDone::Refused(fault) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(ask(&shop, adjust(&shop, "sku-cap", 1))), StockFault::VariantUnknown);
    let nowhere = StockAsk::Connect { variant: named("sku-hat"), location: named("moon") };
    assert_eq!(refused(ask(&shop, nowhere)), StockFault::LocationUnknown);
    assert_eq!(refused(ask(&shop, adjust(&shop, "sku-hat", 1_000_000_000))), StockFault::TooMany);
    assert_eq!(total(&shop, "sku-hat"), 41);
    shop.assert_clean();
}

fn a_refund_before_it_in_the_batch_is_counted_over(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    let outcomes = shop.together(&[
        shop.job(id, units("hat", 2), None),
        job(&shop, set("sku-hat", 10)),
        shop.job(id, units("hat", 1), None),
        job(&shop, adjust(&shop, "sku-hat", 100)),
    ]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    // Where there are lanes, refunds and counts go through different ones, so each may come before the other.
    let possible: &[i64] = if on == Backend::Sqlite { &[111] } else { &[110, 111, 112, 113] };
    let sum = total(&shop, "sku-hat");
    assert!(possible.contains(&sum), "{sum}");
    shop.assert_clean();
}

fn many_who_count_at_once_lose_nothing(on: Backend) {
    let shop = Shop::new(on);
    let orders: Vec<Id> = (0..4).map(|n| shop.put(plain(&format!("order {n}")))).collect();
    std::thread::scope(|scope| {
        for order in &orders {
            let shop = &shop;
            scope.spawn(move || {
                for _ in 0..4 {
                    shop.create(*order, units("hat", 1)).unwrap();
                    ask(shop, adjust(shop, "sku-hat", 10));
                }
            });
        }
    });
    assert_eq!(total(&shop, "sku-hat"), 4 * 4 * 11);
    shop.assert_clean();
}

fn a_batch_that_fails_moves_nothing(on: Backend) {
    let shop = Shop::new(on);
    let (good, broken) = (shop.put(plain("good")), shop.put(plain("broken")));
    // Its key is taken: the batch is taken back as a whole, and only the sound job is done again.
    let spoil = |tx: &mut Tx<'_>| -> Result<u64, StoreError> {
        let id = i64::try_from(broken).unwrap();
        tx.execute("UPDATE orders SET facts = REPLACE(facts, 'components', 'nothing') WHERE id = ?1", &[id.into()])
    };
    assert_eq!(shop.engine.store().write(spoil), Ok(1));
    let outcomes = shop.together(&[shop.job(good, units("hat", 1), None), shop.job(broken, units("hat", 1), None)]);
    assert!(matches!(outcomes[0], Ok(Outcome::Created(Ok(_)))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(LaneError::Poisoned { .. } | LaneError::Store(_))), "{outcomes:?}");
    assert_eq!(total(&shop, "sku-hat"), 1);
    let found = shop.audit().findings;
    assert!(found.iter().all(|finding| finding.order == i64::try_from(broken).ok()), "{found:?}");
}

fn a_refund_from_before_stock_was_counted_takes_nothing(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    shop.create(id, units("hat", 1)).unwrap();
    forget_stock(&shop);
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    // Nor were its goods known.
    assert!(stock::variants(shop.engine.store(), shop.tenant, &[named("sku-hat")]).unwrap().is_empty());
    shop.create(id, units("hat", 2)).unwrap();
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 2)]);
    shop.assert_clean();
}

/// As a database is that was just brought up to date.
fn forget_stock(shop: &Shop) {
    for table in ["stock_moves", "stock", "variants", "locations"] {
        shop.engine.store().write(|tx| tx.execute(&format!("DELETE FROM {table}"), &[])).unwrap();
    }
}

fn a_variant_is_taken_off_a_location(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    shop.create(id, to_place("hat", "attic")).unwrap();
    let attic = || StockAsk::Disconnect { variant: named("sku-hat"), location: named("attic") };
    level(ask(&shop, StockAsk::Connect { variant: named("sku-hat"), location: default(&shop) }));
    assert!(matches!(ask(&shop, attic()), StockDone::Done));
    assert!(matches!(ask(&shop, attic()), StockDone::Done), "twice is no harm");
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 0)]);
    // The refund fails later: what it had put there is missing there.
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    assert_eq!(levels(&shop, "sku-hat"), [(String::new(), 0), ("attic".to_owned(), -1)]);
    shop.assert_clean();
}

fn planted_errors_are_found(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(plain("a"));
    let refund = shop.create(id, units("hat", 2)).unwrap().refund;
    ask(&shop, adjust(&shop, "sku-hat", 3));
    let codes = |sql: &str, back: &str| {
        let write = |sql: &str| shop.engine.store().write(|tx| tx.execute(sql, &[])).unwrap();
        assert!(write(sql) > 0, "{sql}");
        let found: Vec<&str> = shop.audit().findings.iter().map(|finding| finding.code).collect();
        assert!(write(back) > 0, "{back}");
        found
    };
    let stock = |by: &str| format!("UPDATE stock SET quantity = quantity {by}");
    assert_eq!(codes(&stock("+ 1"), &stock("- 1")), ["stock"]);
    let moved = |by: &str| format!("UPDATE stock_moves SET moved = moved {by} WHERE why = 'refund'");
    assert_eq!(codes(&moved("+ 1"), &moved("- 1")), ["stock", "stock_refund"]);
    let why = |from: &str, to: &str| format!("UPDATE stock_moves SET why = '{to}' WHERE why = '{from}'");
    assert_eq!(codes(&why("refund", "set"), &why("set", "refund")), ["stock_refund"]);
    let of = |refund: Id| format!("UPDATE stock_moves SET refund_id = {refund} WHERE why = 'refund'");
    assert_eq!(codes(&of(refund.id + 1), &of(refund.id)), ["stray"]);
    let variant = |by: &str| format!("UPDATE variants SET id = id {by}");
    assert_eq!(codes(&variant("+ 1"), &variant("- 1")), ["stray"]);
    shop.assert_clean();
}
