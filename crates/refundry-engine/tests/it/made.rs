//! Orders made and changed here, on both databases.

use refundry_core::amend::{AmendFault, Amendment};
use refundry_core::draft::{Draft, DraftFault, DraftLine, DraftShipping};
use refundry_core::intake::IntakeFault;
use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{ComponentKind, Dialect, Id, Status};
use refundry_core::query::{Beside, OrderQuery};
use refundry_core::rejection::Rejection;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::read::{self, Shown};
use refundry_engine::shop::{Series, ShopAsk, ShopDone, ShopNo};

use crate::shop::{Backend, Build, Shop, amount, dec, everything, number, order};

on_both!(
    orders_are_numbered_one_after_the_other,
    a_draft_that_is_no_order_uses_up_no_number,
    a_line_without_price_costs_what_its_variant_does,
    a_long_run_of_numbers_is_leapt_over,
    charges_change_until_they_are_refunded,
    texts_of_an_order_are_merged_into_its_document,
    an_order_is_called_off_and_put_away_once,
    an_order_that_was_deleted_is_unknown_and_its_books_stay,
    nobody_takes_the_place_of_an_order_made_here,
    an_order_made_here_is_no_new_one_under_the_id_that_was_printed,
);

fn draft(price: Option<i64>) -> Box<Draft> {
    let price = price.map(|minor| Decimal::from_parts(minor.into(), 2));
    let line = DraftLine { title: "Cup".to_owned(), quantity: 2, price, ..DraftLine::default() };
    let shipping = vec![DraftShipping { price: dec("5.00"), tax: Decimal::ZERO }];
    Box::new(Draft { lines: vec![line], shipping, ..Draft::new(Dialect::Shoplazza, Currency::parse("USD")) })
}

fn making(draft: Box<Draft>) -> ShopAsk {
    ShopAsk::Create {
        draft,
        document: r#"{"order":{"note":"a"}}"#.to_owned(),
        terms: Vec::new(),
        numbering: Series { prefix: "SPZ", digits: 8, first: 1 },
    }
}

/// Makes an order of two cups.
pub(crate) fn job(shop: &Shop) -> Job {
    Job::Shop { store: shop.tenant, ask: Box::new(making(draft(Some(1_000)))) }
}

fn ask(shop: &Shop, ask: ShopAsk) -> ShopDone {
    match shop.call(Job::Shop { store: shop.tenant, ask: Box::new(ask) }) {
        Outcome::Shop(done) => done,
        other => panic!("{other:?}"),
    }
}

fn orders_are_numbered_one_after_the_other(on: Backend) {
    let shop = Shop::new(on);
    let taken = order("SPZ00000003", "USD").line("cap", 1, 100, 0).pay("card", "simulated", 100);
    shop.put(refundry_core::order::Order { number: "SPZ00000003".to_owned(), ..taken });
    let job = || Job::Shop { store: shop.tenant, ask: Box::new(making(draft(Some(1_000)))) };
    let outcomes = shop.together(&[job(), job(), job()]);
    let numbers = outcomes.into_iter().map(|outcome| match outcome.unwrap() {
        Outcome::Shop(Ok(id)) => shop.facts(id).order.number.clone(),
        other => panic!("{other:?}"),
    });
    // The third is somebody's already.
    assert_eq!(numbers.collect::<Vec<_>>(), ["SPZ00000001", "SPZ00000002", "SPZ00000004"]);
    let found = read::order_by_number(shop.engine.store(), shop.tenant, "SPZ00000002", Beside::ALL).unwrap();
    let Shown { facts, document, .. } = found.unwrap();
    assert_eq!((facts.order.charged().get(), facts.order.captured()), (2_500, Amount::ZERO));
    assert_eq!(document, r#"{"order":{"note":"a"}}"#);
    assert_eq!(shop.create(facts.order.id, everything()).err(), Some(Rejection::OrderUnpaid));
    shop.assert_clean();
}

fn a_long_run_of_numbers_is_leapt_over(on: Backend) {
    let shop = Shop::new(on);
    for n in 1..=40 {
        let taken = order(&format!("taken-{n}"), "USD").line("cap", 1, 100, 0).pay("card", "simulated", 100);
        shop.put(refundry_core::order::Order { number: format!("SPZ{n:08}"), ..taken });
    }
    // Sixteen one by one, then two, four, eight and sixteen further.
    for number in ["SPZ00000046", "SPZ00000047"] {
        let made = ask(&shop, making(draft(Some(1)))).unwrap();
        assert_eq!(shop.facts(made).order.number, number);
    }
    shop.assert_clean();
}

fn a_line_without_price_costs_what_its_variant_does(on: Backend) {
    let shop = Shop::new(on);
    let mut sold = order("a", "USD").line("cap", 2, 2_400, 0).pay("card", "simulated", 2_400);
    "v-1".clone_into(&mut sold.lines[0].variant_id);
    let price = sold.lines[0].unit_price.get();
    shop.put(sold);
    let mut unpriced = draft(None);
    "v-1".clone_into(&mut unpriced.lines[0].variant_id);
    let id = ask(&shop, making(unpriced.clone())).unwrap();
    assert_eq!(charged(&shop, id), 2 * price + 500);
    "v-2".clone_into(&mut unpriced.lines[0].variant_id);
    assert_eq!(ask(&shop, making(unpriced)), Err(ShopNo::Draft(DraftFault::PriceUnknown(0))));
    shop.assert_clean();
}

fn a_draft_that_is_no_order_uses_up_no_number(on: Backend) {
    let shop = Shop::new(on);
    let unpriced = ask(&shop, making(draft(None)));
    assert_eq!(unpriced, Err(ShopNo::Draft(DraftFault::PriceUnknown(0))));
    let foreign = Draft { currency: Currency::parse("EUR"), ..*draft(Some(1)) };
    let (given, wanted) = ("EUR".to_owned(), "USD".to_owned());
    assert_eq!(ask(&shop, making(Box::new(foreign))), Err(ShopNo::Currency { given, wanted }));
    let made = ask(&shop, making(draft(Some(1)))).unwrap();
    assert_eq!(shop.facts(made).order.number, "SPZ00000001");
    shop.assert_clean();
}

fn charged(shop: &Shop, id: Id) -> i64 {
    shop.facts(id).order.charged().get()
}

fn charges(shop: &Shop, id: Id, charges: &[(&str, &str)]) -> ShopDone {
    let charges = charges.iter().map(|(name, price)| ((*name).to_owned(), dec(price))).collect();
    let amendment = Box::new(Amendment { charges: Some(charges), ..Amendment::default() });
    ask(shop, ShopAsk::Amend { order: number(id), amendment })
}

fn charges_change_until_they_are_refunded(on: Backend) {
    let shop = Shop::new(on);
    let sold = order("a", "USD").line("cap", 1, 1_000, 0).pay("card", "simulated", 2_000);
    let id = shop.put(sold);
    charges(&shop, id, &[("Wrap", "5.00"), ("Card", "5.00")]).unwrap();
    assert_eq!(charged(&shop, id), 2_000);
    shop.assert_clean();
    charges(&shop, id, &[("Wrap", "5.00")]).unwrap();
    assert_eq!(charged(&shop, id), 1_500);
    let amendment = Box::new(Amendment { shipping: Some(dec("1.00")), ..Amendment::default() });
    ask(&shop, ShopAsk::Amend { order: number(id), amendment }).unwrap();
    assert_eq!(charged(&shop, id), 1_600);
    // All open parts bear a share of this, so none of them can change or go any more; one more can come.
    shop.create(id, amount("8.00")).unwrap();
    for changed in [&[][..], &[("Wrap", "5.01")]] {
        let refused = charges(&shop, id, changed);
        assert!(matches!(refused, Err(ShopNo::Intake(IntakeFault::ChangesRefunded { .. }))), "{refused:?}");
    }
    charges(&shop, id, &[("Wrap", "5.00"), ("Late", "0.50")]).unwrap();
    assert_eq!(charged(&shop, id), 1_650);
    assert_eq!(
        charges(&shop, id, &[("Wrap", "5.00"), ("Wrap", "5.00")]),
        Err(ShopNo::Amend(AmendFault::ChargeName("Wrap".to_owned())))
    );
    let kinds: Vec<ComponentKind> = shop.facts(id).order.components.iter().map(|c| c.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == ComponentKind::Additional).count(), 2);
    shop.assert_clean();
}

fn texts_of_an_order_are_merged_into_its_document(on: Backend) {
    let shop = Shop::new(on);
    let id = ask(&shop, making(draft(Some(1_000)))).unwrap();
    let patch = |document: &str| ShopAsk::Amend {
        order: number(id),
        amendment: Box::new(Amendment { document: document.to_owned(), ..Amendment::default() }),
    };
    let job = |document: &str| Job::Shop { store: shop.tenant, ask: Box::new(patch(document)) };
    // Both of one batch count.
    for outcome in shop.together(&[job(r#"{"order":{"tags":"x"}}"#), job(r#"{"order":{"note":null,"by":{"a":1}}}"#)]) {
        assert!(matches!(outcome.unwrap(), Outcome::Shop(Ok(_))));
    }
    let shown = read::order(shop.engine.store(), shop.tenant, &number(id), Beside::ALL).unwrap().unwrap();
    let Shown { facts, document, .. } = shown;
    assert_eq!(document, r#"{"order":{"by":{"a":1},"tags":"x"}}"#);
    assert_eq!(facts.balances.refunds, 0);
    shop.assert_clean();
}

fn an_order_is_called_off_and_put_away_once(on: Backend) {
    let shop = Shop::new(on);
    let id = ask(&shop, making(draft(Some(1_000)))).unwrap();
    let archive = |closed| ShopAsk::Archive { order: number(id), closed };
    let cancel = |reason: &str| ShopAsk::Cancel { order: number(id), reason: reason.to_owned() };
    ask(&shop, archive(true)).unwrap();
    let closed = shop.facts(id).order.life.closed_ms;
    shop.tick(1_000);
    ask(&shop, archive(true)).unwrap();
    assert_eq!((shop.facts(id).order.life.closed_ms, closed.is_some()), (closed, true));
    ask(&shop, archive(false)).unwrap();
    assert_eq!(shop.facts(id).order.life.closed_ms, None);
    ask(&shop, cancel("too late")).unwrap();
    shop.tick(1_000);
    ask(&shop, cancel("again")).unwrap();
    let order = shop.facts(id).order;
    assert_eq!((order.status, order.life.cancel_reason.as_str()), (Status::Cancelled, "too late"));
    assert_eq!(order.life.cancelled_ms, Some(shop.now_ms() - 1_000));
    shop.assert_clean();
}

fn an_order_that_was_deleted_is_unknown_and_its_books_stay(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(order("a", "USD").line("cap", 1, 1_000, 0).pay("card", "simulated", 1_000));
    shop.create(id, amount("4.00")).unwrap();
    let delete = || ask(&shop, ShopAsk::Delete { order: number(id) });
    delete().unwrap();
    assert!(matches!(delete(), Err(ShopNo::OrderUnknown(_))));
    assert_eq!(shop.create(id, amount("1.00")).err(), Some(Rejection::OrderDeleted));
    let facts = shop.facts(id);
    assert_eq!((facts.balances.refunds, facts.order.life.deleted_ms), (1, Some(shop.now_ms())));
    shop.assert_clean();
}

/// What our own answers show of an order is no other order under our number of it, which would hide the first one.
fn nobody_takes_the_place_of_an_order_made_here(on: Backend) {
    let shop = Shop::new(on);
    let made = ask(&shop, making(draft(Some(1_000)))).unwrap();
    for origin in [Dialect::Shoplazza, Dialect::Native] {
        let mut shown = order(&format!("{made:018}"), "USD").line("cup", 2, 2_000, 0).pay("card", "simulated", 2_000);
        shown.origin = origin;
        let clash = IntakeFault::Clash { order: made };
        assert_eq!(shop.put_with(shown, Vec::new()).err(), Some(clash), "{origin:?}");
    }
    let found = read::order(shop.engine.store(), shop.tenant, &number(made), Beside::ALL).unwrap().unwrap();
    assert_eq!((found.facts.order.id, found.facts.order.captured()), (made, Amount::ZERO));
    shop.assert_clean();
}

/// A dialect prints our number in a shape of its own and says so where it reads it back: the same sale must not be sold
/// twice.
fn an_order_made_here_is_no_new_one_under_the_id_that_was_printed(on: Backend) {
    let shop = Shop::new(on);
    let sold = Draft { origin: Dialect::Shopline, ..*draft(Some(1_000)) };
    let made = ask(&shop, making(Box::new(sold))).unwrap();
    let mut shown = order(&format!("210{made:023}"), "USD").line("1", 2, 2_000, 0).pay("card", "simulated", 2_500);
    (shown.origin, shown.id) = (Dialect::Shopline, made);
    for _ in 0..2 {
        assert_eq!(shop.put_with(shown.clone(), Vec::new()).err(), Some(IntakeFault::Clash { order: made }));
    }
    // One of that shape that nobody made here is somebody else's.
    let (external_id, id) = (Some(format!("210{:023}", made - 1)), made - 1);
    let taken = shop.put(refundry_core::order::Order { external_id, id, ..shown });
    assert_ne!(taken, made - 1);
    assert_eq!(read::count_orders(shop.engine.store(), shop.tenant, &OrderQuery::default()).unwrap(), 2);
    shop.assert_clean();
}
