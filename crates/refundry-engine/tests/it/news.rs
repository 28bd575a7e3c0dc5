//! What subscribers hear of refunds, goods, parcels and payments: when, in which order, and as it was right then.

use refundry_core::amend::Amendment;
use refundry_core::draft::{Draft, DraftLine, DraftPayment};
use refundry_core::event::EventKind::{
    self, OrderCancelled, OrderCreated, OrderEdited, OrderFulfilled, OrderPaid, OrderPartlyFulfilled, OrderUpdated,
    ParcelCreated, ParcelUpdated, RefundCreated, RefundUpdated, ReturnCreated, ReturnUpdated, StockChanged,
    TransactionCreated,
};
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id, PaymentKind, Reference};
use refundry_core::parcels::{ParcelState, Shipment, TrackingChange};
use refundry_core::paying::{Card, PayLine, TransactionKind, TransactionState};
use refundry_core::refund::{Refund, RefundState};
use refundry_core::returns::{ReturnDraft, ReturnState, ReturnUnits};
use refundry_core::slips::{SlipChange, SlipDraft, SlipState};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{self as engine, Due, HookAsk, HookDone, HookName, NewSubscription};
use refundry_engine::parcels::{ParcelAsk, Step};
use refundry_engine::returns::ReturnAsk;
use refundry_engine::shop::{Series, ShopAsk};
use refundry_engine::slips::SlipAsk;
use refundry_engine::stock::StockAsk;
use refundry_gateways::Answer;
use refundry_store::events::Detail;
use refundry_store::stock::Level;

use crate::books::{ours, past, plain};
use crate::hooks::{ask, due, facts, kinds, new, post_all, subscribe, subscribed};
use crate::pairs::{both, pair};
use crate::shop::{Backend, Build, Shop, amount, declined, done, everything, named, order, units};

on_both!(
    a_refund_is_told_before_its_order_and_its_goods_and_again_when_its_money_is_over,
    refunds_that_an_order_brings_are_history_and_later_ones_are_news,
    however_late_it_is_posted_each_shows_what_was_right_after_it,
    goods_are_told_with_what_is_there_now,
    goods_at_two_places_are_counted_as_one_variant,
    two_processes_that_move_the_same_goods_tell_all_of_it,
    parcels_are_told_with_each_change,
    returns_are_told_when_they_begin_and_when_they_end,
    what_is_told_of_payments_is_told_on,
    payments_that_an_order_is_made_with_and_slips_are_told,
    an_order_that_is_edited_is_told_as_that,
    subscriptions_count_from_one_in_each_store,
    an_event_from_before_details_were_kept_still_names_its_parcel,
);

/// Subscribes to events as an API does that shows refunds.
fn listen(shop: &Shop, kinds: &[EventKind]) {
    for kind in kinds {
        let new = NewSubscription { dialect: "shopline", ..new(*kind, "https://a.example/") };
        subscribed(ask(shop, HookAsk::Subscribe(new))).unwrap();
    }
}

/// What was told since, in the order in which it happened.
fn told(shop: &Shop) -> Vec<Due> {
    let mut posted = post_all(shop);
    posted.sort_by_key(|due| due.event.id);
    posted
}

fn refund_of(due: &Due) -> &Refund {
    match &due.event.detail {
        Some(Detail::Refund(refund)) => refund,
        other => panic!("{other:?}"),
    }
}

fn level_of(due: &Due) -> &Level {
    match &due.event.detail {
        Some(Detail::Level(level)) => level,
        other => panic!("{other:?}"),
    }
}

fn a_refund_is_told_before_its_order_and_its_goods_and_again_when_its_money_is_over(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    listen(&shop, &[RefundCreated, RefundUpdated, OrderUpdated, StockChanged]);
    let made = shop.create(order, units("hat", 1)).unwrap().refund;
    let call = shop.calls().remove(0);
    let first = told(&shop);
    assert_eq!(kinds(&first), [RefundCreated, OrderUpdated, StockChanged]);
    assert_eq!((first[0].event.subject, refund_of(&first[0])), (Some(made.id), &*made));
    assert_eq!(facts(&first[0]).balances.pending().get(), 1_100, "the order right after it");

    // That it is on its way is no news, neither of it nor of the order.
    shop.tick(1_000);
    shop.record(&call, Answer::Pending { reference: "p".to_owned() }).unwrap();
    assert!(told(&shop).is_empty());
    shop.record(&call, done(&call)).unwrap();
    let arrived = told(&shop);
    assert_eq!(kinds(&arrived), [RefundUpdated, OrderUpdated]);
    assert_eq!(refund_of(&arrived[0]).state(), RefundState::Succeeded);
    // Said again, it is nothing new.
    shop.record(&call, done(&call));
    assert!(told(&shop).is_empty());

    // One that fails as a whole takes its units back from where it had put them.
    shop.create(order, units("hat", 2)).unwrap();
    let call = shop.calls().remove(0);
    shop.record(&call, declined()).unwrap();
    let failed = told(&shop);
    let expected = [RefundCreated, OrderUpdated, StockChanged, RefundUpdated, OrderUpdated, StockChanged];
    assert_eq!(kinds(&failed), expected);
    assert_eq!(refund_of(&failed[3]).state(), RefundState::Failed);
    let there: Vec<i64> = [&first[2], &failed[2], &failed[5]].map(|due| level_of(due).quantity).into();
    assert_eq!(there, [1, 3, 1]);
    shop.assert_clean();
}

fn refunds_that_an_order_brings_are_history_and_later_ones_are_news(on: Backend) {
    let shop = Shop::new(on);
    listen(&shop, &[OrderCreated, OrderUpdated, RefundCreated, RefundUpdated, TransactionCreated]);
    shop.put_with(plain("a"), vec![past("r1", 1_000, 100, 1)]).unwrap();
    let came = told(&shop);
    assert_eq!(kinds(&came), [OrderCreated]);
    assert_eq!(came[0].beside.refunds.len(), 1);
    shop.tick(1_000);
    shop.put_with(plain("a"), vec![past("r1", 1_000, 100, 1), past("r2", 1_000, 100, 1)]).unwrap();
    let news = told(&shop);
    assert_eq!(kinds(&news), [OrderUpdated, RefundCreated, OrderUpdated]);
    let refund = refund_of(&news[1]);
    assert_eq!((refund.external_id.as_deref(), refund.state()), (Some("r2"), RefundState::Succeeded));
    // In one batch with the order that it belongs to, a refund made here is news all the same.
    let put = refundry_core::intake::Intake {
        order: plain("b"),
        refunds: Vec::new(),
        document: String::new(),
        terms: Vec::new(),
    };
    let put = Job::PutOrder { store: shop.tenant, intake: Box::new(put) };
    let mut refund = shop.job(1, everything(), None);
    if let Job::Create { command, .. } = &mut refund {
        command.order = named("b");
    }
    assert!(shop.together(&[put, refund]).iter().all(Result::is_ok));
    let mut news = told(&shop);
    // An order that only keeps the two together.
    news.retain(|due| facts(due).order.number == "b");
    assert_eq!(kinds(&news), [OrderCreated, RefundCreated, OrderUpdated]);
}

fn however_late_it_is_posted_each_shows_what_was_right_after_it(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    listen(&shop, &[RefundCreated, RefundUpdated, OrderUpdated, TransactionCreated]);
    for quantity in [1, 2] {
        shop.create(order, units("hat", quantity)).unwrap();
        let call = shop.calls().remove(0);
        shop.tick(1_000);
        shop.record(&call, if quantity == 1 { done(&call) } else { declined() }).unwrap();
        shop.tick(1_000);
    }
    shop.call(Job::Fulfil { store: shop.tenant, order: ours(order), units: Vec::new() });
    let all = told(&shop);
    let (pending, succeeded, failed) = (RefundState::Pending, RefundState::Succeeded, RefundState::Failed);
    let expected: [(EventKind, &[RefundState]); 9] = [
        (RefundCreated, &[pending]),
        (OrderUpdated, &[pending]),
        (RefundUpdated, &[succeeded]),
        (OrderUpdated, &[succeeded]),
        (RefundCreated, &[succeeded, pending]),
        (OrderUpdated, &[succeeded, pending]),
        (RefundUpdated, &[succeeded, failed]),
        (OrderUpdated, &[succeeded, failed]),
        (OrderUpdated, &[succeeded, failed]),
    ];
    assert_eq!(all.len(), expected.len());
    for (due, (kind, states)) in all.iter().zip(expected) {
        let shown: Vec<RefundState> = due.beside.refunds.iter().map(Refund::state).collect();
        assert_eq!((due.event.kind, &*shown), (kind, states));
        if matches!(kind, RefundCreated | RefundUpdated) {
            assert_eq!(Some(&refund_of(due).state()), states.last());
            assert_eq!(Some(refund_of(due).id), due.beside.refunds.last().map(|refund| refund.id));
        }
        let open: Amount =
            due.beside.refunds.iter().map(|refund| refund.amount - refund.refunded() - refund.failed()).sum();
        assert_eq!(open, facts(due).balances.pending());
    }
}

fn stock(shop: &Shop, ask: StockAsk) -> Job {
    Job::Stock { store: shop.tenant, ask: Box::new(ask) }
}

fn goods_are_told_with_what_is_there_now(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let set = |units| stock(&shop, StockAsk::Set { variant: named("sku-hat"), location: None, units });
    shop.call(set(7));
    assert!(told(&shop).is_empty(), "nobody listened");
    listen(&shop, &[StockChanged]);
    shop.call(set(7));
    assert!(told(&shop).is_empty(), "nothing changed");
    shop.tick(1_000);
    shop.call(set(5));
    // What several jobs of a batch put back is told once, with what is there after all of them.
    let jobs = [shop.job(order, units("hat", 1), None), set(9), shop.job(order, units("hat", 2), None)];
    assert!(shop.together(&jobs).iter().all(Result::is_ok));
    let all = told(&shop);
    assert_eq!(kinds(&all), [StockChanged; 4]);
    assert_eq!(all.iter().map(|due| level_of(due).quantity).collect::<Vec<_>>(), [5, 6, 9, 11]);
    for due in &all {
        let (variant, place) = due.beside.goods.as_ref().unwrap();
        let level = level_of(due);
        assert_eq!((&*variant.external_id, variant.id, place.id), ("sku-hat", level.variant, level.location));
        assert_eq!((due.event.facts.is_none(), level.updated_ms), (true, shop.now_ms()));
    }
    // A variant that is taken off a place leaves none there.
    let location = Reference { text: String::new(), ours: Some(level_of(&all[0]).location) };
    shop.call(stock(&shop, StockAsk::Disconnect { variant: named("sku-hat"), location }));
    assert_eq!(told(&shop).iter().map(|due| level_of(due).quantity).collect::<Vec<_>>(), [0]);
    shop.assert_clean();
}

fn goods_at_two_places_are_counted_as_one_variant(on: Backend) {
    let shop = Shop::new(on);
    let mut there =
        order("a", "USD").line("hat", 4, 4_000, 400).line("cap", 4, 4_000, 400).pay("card", "simulated", 8_800);
    for line in &mut there.lines {
        "v1".clone_into(&mut line.variant_id);
    }
    "attic".clone_into(&mut there.lines[1].location_id);
    let order = shop.put(there);
    listen(&shop, &[StockChanged]);
    let jobs = ["hat", "cap", "hat"].map(|line| shop.job(order, units(line, 1), None));
    assert!(shop.together(&jobs).iter().all(Result::is_ok));
    shop.create(order, units("cap", 1)).unwrap();
    let all = told(&shop);
    let seen: Vec<(i64, Option<String>, i64)> = all
        .iter()
        .map(|due| {
            let place = due.beside.goods.as_ref().unwrap().1.external_id.clone();
            (due.delivery.key.seq, place, level_of(due).quantity)
        })
        .collect();
    assert_eq!(seen, [(1, None, 2), (2, Some("attic".to_owned()), 1), (3, Some("attic".to_owned()), 2)]);
    shop.assert_clean();
}

fn two_processes_that_move_the_same_goods_tell_all_of_it(on: Backend) {
    const ROUNDS: i64 = 20;
    let pair = pair(on);
    let mut there = plain("a");
    "attic".clone_into(&mut there.lines[0].location_id);
    let order = pair[0].put(there);
    // Each at a place of its own, and then both at one.
    pair[0].create(order, units("hat", 1)).unwrap();
    listen(&pair[0], &[StockChanged]);
    both(&pair, |number, shop| {
        for round in 0..ROUNDS {
            let apart = round % 2 == 0 && number == 1;
            let set = StockAsk::Set { variant: named("sku-hat"), location: None, units: 1_000 + round * 2 + 1 };
            let adjust = StockAsk::Adjust { variant: named("sku-hat"), location: named("attic"), by: 1 };
            let done = shop.call(stock(shop, if apart { set } else { adjust }));
            assert!(matches!(done, Outcome::Stock(_)), "{done:?}");
        }
    });
    let mut all = post_all(&pair[0]);
    all.sort_by_key(|due| due.delivery.key.seq);
    let counts: Vec<i64> = all.iter().map(|due| due.delivery.key.seq).collect();
    assert_eq!(counts, (1..=2 * ROUNDS).collect::<Vec<_>>(), "each is told, one after the other");
    let in_attic = all.iter().filter(|due| due.beside.goods.as_ref().unwrap().1.external_id.is_some());
    let units: Vec<i64> = in_attic.map(|due| level_of(due).quantity).collect();
    assert_eq!(units, (2..=ROUNDS * 3 / 2 + 1).collect::<Vec<_>>(), "with what was there then");
    pair[0].assert_clean();
}

fn parcels_are_told_with_each_change(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    listen(&shop, &[ParcelCreated, ParcelUpdated, OrderPartlyFulfilled, OrderFulfilled]);
    let step =
        |step| shop.call(Job::Parcels { store: shop.tenant, ask: Box::new(ParcelAsk { order: ours(order), step }) });
    let parcel = |outcome: Outcome| match outcome {
        Outcome::Parcels(Ok(stepped)) => stepped.parcel.unwrap(),
        other => panic!("{other:?}"),
    };
    let send = |units| Step::Ship(Shipment { units: vec![(named("hat"), Some(units))], ..Shipment::default() });
    let first = parcel(step(send(1)));
    let follow = |number: &str| Step::Track {
        parcel: ours(first.id),
        tracking: TrackingChange { number: Some(number.to_owned()), ..TrackingChange::default() },
    };
    step(follow("T1"));
    step(follow("T1"));
    let second = parcel(step(send(3)));
    step(Step::Deliver { parcel: ours(first.id) });
    step(Step::Deliver { parcel: ours(first.id) });
    step(Step::Unship { parcel: ours(second.id) });
    shop.tick(1_000);
    let all = told(&shop);
    let seen: Vec<(EventKind, Id, String, ParcelState)> = all
        .iter()
        .filter_map(|due| match &due.event.detail {
            Some(Detail::Parcel(parcel)) => {
                let number = parcel.tracking.main().number;
                Some((due.event.kind, parcel.id, number, parcel.state))
            }
            _ => None,
        })
        .collect();
    let (shipped, t1) = (ParcelState::Shipped, "T1".to_owned());
    assert_eq!(
        seen,
        [
            (ParcelCreated, first.id, String::new(), shipped),
            (ParcelUpdated, first.id, t1.clone(), shipped),
            (ParcelCreated, second.id, String::new(), shipped),
            (ParcelUpdated, first.id, t1, ParcelState::Finished),
            (ParcelUpdated, second.id, String::new(), ParcelState::Cancelled),
        ]
    );
    assert_eq!(kinds(&all)[..2], [OrderPartlyFulfilled, ParcelCreated], "what it means for the order comes first");
}

fn returns_are_told_when_they_begin_and_when_they_end(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    listen(&shop, &[ReturnCreated, ReturnUpdated, ParcelUpdated]);
    let parcels = |step| match shop
        .call(Job::Parcels { store: shop.tenant, ask: Box::new(ParcelAsk { order: ours(order), step }) })
    {
        Outcome::Parcels(Ok(stepped)) => stepped.parcel.unwrap(),
        other => panic!("{other:?}"),
    };
    let parcel = parcels(Step::Ship(Shipment::default()));
    let returns = |ask| match shop.call(Job::Returns { store: shop.tenant, ask: Box::new(ask) }) {
        Outcome::Returns(done) => done.map(|returned| returned.back),
        other => panic!("{other:?}"),
    };
    let hats = |quantity| {
        let unit = ReturnUnits {
            parcel: Some(ours(parcel.id)),
            line: named("hat"),
            quantity,
            reason: None,
            note: String::new(),
        };
        let draft = ReturnDraft { units: vec![unit], ..ReturnDraft::default() };
        ReturnAsk::Open { order: ours(order), draft }
    };
    let first = returns(hats(1)).unwrap();
    returns(hats(2)).unwrap();
    assert!(returns(hats(2)).is_err(), "there is one left");
    let close = || ReturnAsk::Close { back: ours(first.id), notify: false };
    returns(close()).unwrap();
    returns(close()).unwrap();
    parcels(Step::Unship { parcel: ours(parcel.id) });
    let all = told(&shop);
    assert_eq!(kinds(&all), [ReturnCreated, ReturnCreated, ReturnUpdated, ParcelUpdated, ReturnUpdated]);
    let states: Vec<ReturnState> = all
        .iter()
        .filter_map(|due| match &due.event.detail {
            Some(Detail::Return(back)) => Some(back.state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [ReturnState::Open, ReturnState::Open, ReturnState::Closed, ReturnState::Cancelled]);
    assert_eq!(all[0].event.detail, Some(Detail::Return(first)));
    shop.assert_clean();
}

fn what_is_told_of_payments_is_told_on(on: Backend) {
    let shop = Shop::new(on);
    listen(&shop, &[OrderPaid, TransactionCreated]);
    let pay = |channel: &str, amount: Option<&str>| PayLine {
        channel: channel.to_owned(),
        method: String::new(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        name: String::new(),
        reference: format!("ref-{channel}"),
        account: String::new(),
        amount: amount.map(crate::shop::dec),
        test: false,
        card: Card::default(),
    };
    let open = |name: &str| order(name, "USD").line("hat", 4, 4_000, 400);
    let step = |order, step| {
        let done =
            shop.call(Job::Parcels { store: shop.tenant, ask: Box::new(ParcelAsk { order: ours(order), step }) });
        assert!(matches!(done, Outcome::Parcels(Ok(_))), "{done:?}");
    };
    let seen = |what: &str| {
        let all = told(&shop);
        let about = |due: &Due| match &due.event.detail {
            Some(Detail::Transaction(t)) => {
                assert_eq!(due.event.subject, Some(t.id), "{what}");
                let payment = t.payment.and_then(|id| facts(due).order.payments.iter().find(|p| p.id == id));
                let captured = payment.map(|payment| payment.captured.get());
                Some((t.kind, t.state, t.amount.get(), captured))
            }
            _ => None,
        };
        all.iter().map(|due| (due.event.kind, about(due))).collect::<Vec<_>>()
    };
    let (sale, capture, success) = (TransactionKind::Sale, TransactionKind::Capture, TransactionState::Success);
    let transaction = |kind, state, amount, captured| (TransactionCreated, Some((kind, state, amount, Some(captured))));

    let split = shop.put(open("split"));
    step(split, Step::Pay { lines: vec![pay("stripe", Some("10.00")), pay("paypal", None)], patch: None });
    let both = [transaction(sale, success, 1_000, 1_000), transaction(sale, success, 3_400, 3_400)];
    assert_eq!(seen("paid by two"), [&[(OrderPaid, None)][..], &both].concat());

    let held = shop.put(open("held").pay("stripe", "simulated", 0));
    step(held, Step::Capture { channel: "stripe".to_owned(), void: false });
    assert_eq!(seen("captured"), [(OrderPaid, None), transaction(capture, success, 4_400, 4_400)]);

    let given_up = shop.put(open("given up").pay("stripe", "simulated", 0));
    step(given_up, Step::Capture { channel: "stripe".to_owned(), void: true });
    let void = transaction(TransactionKind::Void, TransactionState::Void, 4_400, 0);
    assert_eq!(seen("given up"), [void]);

    let mut cash = open("cash").pay("cod", "manual", 0);
    cash.payments[0].kind = PaymentKind::CashOnDelivery;
    let cash = shop.put(cash);
    step(cash, Step::Ship(Shipment::default()));
    let parcels = shop.engine.store().read(|tx| refundry_store::parcels::all(tx, shop.tenant, cash)).unwrap();
    step(cash, Step::Deliver { parcel: ours(parcels[0].id) });
    assert_eq!(seen("cash"), [(OrderPaid, None), transaction(capture, success, 4_400, 4_400)]);

    // Payments that nobody told of as transactions: one that is added, and one that the platform brings later.
    let later = shop.put(open("later"));
    let mut payment = open("x").pay("bank", "manual", 4_400).payments.remove(0);
    payment.external_id = None;
    let currency = plain("x").currency;
    let added = Job::AddPayment { store: shop.tenant, order: ours(later), currency, payment: Box::new(payment) };
    shop.call(added);
    assert_eq!(seen("added"), [(OrderPaid, None), transaction(sale, success, 4_400, 4_400)]);
    shop.put(open("brought"));
    assert!(seen("an order without payment").is_empty());
    shop.put(open("brought").pay("card", "simulated", 4_400));
    assert_eq!(seen("brought"), [(OrderPaid, None), transaction(sale, success, 4_400, 4_400)]);
    shop.put(open("brought").pay("card", "simulated", 4_400));
    assert!(seen("the same again").is_empty());
    shop.assert_clean();
}

fn payments_that_an_order_is_made_with_and_slips_are_told(on: Backend) {
    let shop = Shop::new(on);
    listen(&shop, &[OrderCreated, OrderPaid, TransactionCreated, ParcelCreated]);
    let line = PayLine {
        channel: "CUSTOM".to_owned(),
        method: String::new(),
        kind: PaymentKind::Custom,
        gateway: "manual".to_owned(),
        name: String::new(),
        reference: String::new(),
        account: String::new(),
        amount: Some(crate::shop::dec("20.00")),
        test: false,
        card: Card::default(),
    };
    let payment = DraftPayment { line, state: TransactionState::Success, error_code: String::new(), at_ms: None };
    let cups = DraftLine {
        title: "Cup".to_owned(),
        quantity: 2,
        price: Some(crate::shop::dec("10.00")),
        ..DraftLine::default()
    };
    let draft = Draft {
        lines: vec![cups],
        paid: vec![payment],
        shipped: true,
        ..Draft::new(Dialect::Shopline, Some(plain("x").currency))
    };
    let making = ShopAsk::Create {
        draft: Box::new(draft),
        document: String::new(),
        terms: Vec::new(),
        numbering: Series { prefix: "D", digits: 1, first: 1_001 },
    };
    let made = shop.call(Job::Shop { store: shop.tenant, ask: Box::new(making) });
    assert!(matches!(made, Outcome::Shop(Ok(_))), "{made:?}");
    let all = told(&shop);
    assert_eq!(kinds(&all), [OrderCreated, OrderPaid, TransactionCreated, ParcelCreated]);
    assert_eq!(all[2].beside.transactions.len(), 1);

    // A slip that is made is told; that it is paid later is told of the order.
    let order = shop.put(order("open", "USD").line("hat", 4, 4_000, 400));
    let slip = SlipDraft {
        order: ours(order),
        amount: crate::shop::dec("44.00"),
        currency: None,
        state: SlipState::Unpaid,
        channel: "customPay".to_owned(),
        name: String::new(),
        reference: String::new(),
        created_ms: None,
        happened_ms: None,
    };
    shop.call(Job::Slips { store: shop.tenant, ask: Box::new(SlipAsk::Make(vec![slip])) });
    let all = told(&shop);
    assert_eq!(kinds(&all), [OrderCreated, TransactionCreated]);
    let payment = shop.facts(order).order.payments[0].id;
    let paid = SlipChange {
        order: ours(order),
        slip: ours(payment),
        amount: None,
        currency: None,
        state: Some(SlipState::Paid),
        reference: None,
        created_ms: None,
        happened_ms: None,
    };
    shop.call(Job::Slips { store: shop.tenant, ask: Box::new(SlipAsk::Change(vec![paid])) });
    assert_eq!(kinds(&told(&shop)), [OrderPaid]);
    shop.assert_clean();
}

fn an_order_that_is_edited_is_told_as_that(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    listen(&shop, &[OrderEdited, OrderUpdated, OrderCancelled]);
    let ask = |ask| match shop.call(Job::Shop { store: shop.tenant, ask: Box::new(ask) }) {
        Outcome::Shop(done) => done,
        other => panic!("{other:?}"),
    };
    let document = r#"{"note":"x"}"#.to_owned();
    let amendment = Box::new(Amendment { document, ..Amendment::default() });
    ask(ShopAsk::Amend { order: ours(order), amendment }).unwrap();
    assert_eq!(kinds(&told(&shop)), [OrderUpdated, OrderEdited]);
    let amendment = Box::new(Amendment { shipping: Some(crate::shop::dec("-1")), ..Amendment::default() });
    assert!(ask(ShopAsk::Amend { order: ours(order), amendment }).is_err());
    assert!(told(&shop).is_empty());
    ask(ShopAsk::Cancel { order: ours(order), reason: String::new() }).unwrap();
    assert_eq!(kinds(&told(&shop)), [OrderCancelled, OrderUpdated]);
}

fn subscriptions_count_from_one_in_each_store(on: Backend) {
    let shop = Shop::new(on);
    let dialect = "shopline";
    listen(&shop, &[OrderCreated, OrderPaid]);
    let first = subscribe(&shop, OrderUpdated);
    assert_eq!(first.number, 3, "counted whatever API made it");
    let elsewhere = shop.add_store("elsewhere");
    let ask_there = HookAsk::Subscribe(NewSubscription { dialect, ..new(OrderPaid, "https://a.example/") });
    let Outcome::Hooks(done) = shop.call(Job::Hooks { store: elsewhere, ask: Box::new(ask_there) }) else {
        panic!("it is about subscriptions")
    };
    assert_eq!(subscribed(done).unwrap().number, 1);
    let find = |store, hook| engine::subscription(shop.engine.store(), store, dialect, HookName::Place(hook)).unwrap();
    assert_eq!(find(shop.tenant, 2).and_then(|found| found.kind), Some(OrderPaid));
    assert_eq!((find(shop.tenant, 3), find(shop.tenant, 0), find(elsewhere, 2)), (None, None, None));
    let address = Some("https://b.example/".to_owned());
    let change = HookAsk::Change { dialect, hook: HookName::Place(2), topic: None, address };
    assert_eq!(subscribed(ask(&shop, change)).unwrap().address, "https://b.example/");
    let end = || ask(&shop, HookAsk::Unsubscribe { dialect, hook: HookName::Place(2) });
    assert!(matches!(end(), HookDone::Unsubscribed(true)));
    assert!(matches!(end(), HookDone::Unsubscribed(false)));
    // A number is never given twice.
    listen(&shop, &[OrderPaid]);
    assert!(find(shop.tenant, 2).is_none() && find(shop.tenant, 4).is_some());
    shop.assert_clean();
}

fn an_event_from_before_details_were_kept_still_names_its_parcel(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    subscribe(&shop, ParcelCreated);
    let ask = ParcelAsk { order: ours(order), step: Step::Ship(Shipment::default()) };
    shop.call(Job::Parcels { store: shop.tenant, ask: Box::new(ask) });
    let without = "UPDATE events SET detail = ''";
    shop.engine.store().write(|tx| tx.execute(without, &[]).map(|_| ())).unwrap();
    let due = due(&shop).remove(0);
    assert_eq!(due.event.detail, None);
    assert_eq!(due.event.subject, due.beside.parcels.first().map(|parcel| parcel.id));
    assert!(shop.create(order, amount("1.00")).is_ok());
}
