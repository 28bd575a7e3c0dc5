//! Orders made here whole: paid, shipped and taken from stock in one transaction, or not at all.

use refundry_core::command::Ask;
use refundry_core::draft::{Claim, Draft, DraftFault, DraftLine, DraftPayment, DraftShipping, StockRule};
use refundry_core::event::EventKind::{
    OrderCreated, OrderFulfilled, OrderPaid, OrderUpdated, ParcelCreated, TransactionCreated,
};
use refundry_core::limits::STOCK_UNITS_MAX;
use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{Dialect, Id, PaymentKind};
use refundry_core::parcels::{Shipment, TrackingChange};
use refundry_core::paying::{Card, PayLine, TransactionKind, TransactionState};
use refundry_core::query::OrderQuery;
use refundry_core::refund::Restock;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::shop::{Series, ShopAsk, ShopDone, ShopNo};
use refundry_engine::stock::{self, StockAsk, StockDone};
use refundry_engine::store::{parcels, stock as rows, transactions};
use refundry_engine::{parcels as after, read};

use crate::hooks::subscribe;
use crate::shop::{Backend, Build, NOW_MS, Shop, dec, declined, everything, named, number, order, units};

on_both!(
    an_order_is_made_with_its_payments_and_can_be_refunded_at_once,
    another_currency_needs_a_rate_and_keeps_it,
    an_order_that_is_shipped_at_once_has_a_parcel_and_is_told_step_by_step,
    names_count_up_from_where_the_series_begins,
    units_are_taken_where_the_line_says,
    without_enough_in_stock_there_is_no_order,
    two_of_one_batch_do_not_sell_the_same_unit,
    an_order_called_off_gives_back_what_it_took_once,
    what_is_refused_leaves_nothing_behind,
    planted_errors_of_sold_stock_are_found,
);

/// Two cups at 10.00 with 1.60 tax, and shipping of 5.00: 26.60.
fn draft() -> Draft {
    let line = DraftLine {
        external_id: Some("1".to_owned()),
        title: "Cup".to_owned(),
        variant_id: "v-cup".to_owned(),
        quantity: 2,
        price: Some(dec("10.00")),
        tax: dec("1.60"),
        ..DraftLine::default()
    };
    let shipping = vec![DraftShipping { price: dec("5.00"), tax: Decimal::ZERO }];
    Draft { lines: vec![line], shipping, ..Draft::new(Dialect::Shopline, None) }
}

fn payment(channel: &str, amount: Option<&str>, state: TransactionState) -> DraftPayment {
    let line = PayLine {
        channel: channel.to_owned(),
        method: String::new(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        name: String::new(),
        reference: String::new(),
        account: String::new(),
        amount: amount.map(dec),
        test: false,
        card: Card::default(),
    };
    DraftPayment { line, state, error_code: String::new(), at_ms: None }
}

fn paid() -> Draft {
    let paid = vec![payment("Paypal", None, TransactionState::Success)];
    Draft { paid, claim: Some(Claim::Paid), ..draft() }
}

fn job(shop: &Shop, draft: Draft) -> Job {
    let ask = ShopAsk::Create {
        draft: Box::new(draft),
        document: r#"{"order":{"note":"a"}}"#.to_owned(),
        terms: Vec::new(),
        numbering: Series { prefix: "", digits: 1, first: 1001 },
    };
    Job::Shop { store: shop.tenant, ask: Box::new(ask) }
}

fn done(outcome: Outcome) -> ShopDone {
    match outcome {
        Outcome::Shop(done) => done,
        other => panic!("{other:?}"),
    }
}

fn make(shop: &Shop, draft: Draft) -> ShopDone {
    done(shop.call(job(shop, draft)))
}

fn count(shop: &Shop) -> i64 {
    read::count_orders(shop.engine.store(), shop.tenant, &OrderQuery::default()).unwrap()
}

fn set(shop: &Shop, variant: &str, place: Option<&str>, units: i64) {
    let ask = StockAsk::Set { variant: named(variant), location: place.map(named), units };
    let done = shop.call(Job::Stock { store: shop.tenant, ask: Box::new(ask) });
    assert!(matches!(done, Outcome::Stock(StockDone::Level(_))), "{done:?}");
}

fn levels(shop: &Shop, variant: &str) -> Vec<(String, i64)> {
    let found = stock::levels(shop.engine.store(), shop.tenant, &[named(variant)], &[]).unwrap();
    found.into_iter().map(|shelf| (shelf.place.external_id.unwrap_or_default(), shelf.level.quantity)).collect()
}

fn told(shop: &Shop, order: Id) -> Vec<String> {
    let sql = "SELECT kind FROM events WHERE store = ?1 AND order_id = ?2 ORDER BY seq";
    let params = [shop.tenant.into(), i64::try_from(order).unwrap().into()];
    shop.engine.store().read(|tx| tx.query(sql, &params, |row| row.string(0))).unwrap()
}

fn an_order_is_made_with_its_payments_and_can_be_refunded_at_once(on: Backend) {
    let shop = Shop::new(on);
    let hour = 3_600_000;
    let mut paypal = payment("Paypal", Some("20.00"), TransactionState::Success);
    paypal.at_ms = Some(NOW_MS - hour);
    let bank = payment("Bank", Some("6.60"), TransactionState::Processing);
    let made = make(&shop, Draft { paid: vec![bank, paypal], claim: Some(Claim::PartlyPaid), ..draft() }).unwrap();
    let facts = shop.facts(made);
    let slips: Vec<(&str, i64)> = facts.order.payments.iter().map(|p| (p.channel.as_str(), p.captured.get())).collect();
    assert_eq!(slips, [("Paypal", 2_000), ("Bank", 0)]);
    assert_eq!((facts.order.life.placed_ms, facts.order.created_ms), (Some(NOW_MS - hour), NOW_MS));
    let told = shop.engine.store().read(|tx| transactions::of_order(tx, shop.tenant, made)).unwrap();
    let told: Vec<_> = told.iter().map(|t| (t.kind, t.state, t.amount.get(), t.payment)).collect();
    let ids: Vec<Option<Id>> = facts.order.payments.iter().map(|p| Some(p.id)).collect();
    let sale = TransactionKind::Sale;
    assert_eq!(
        told,
        [(sale, TransactionState::Success, 2_000, ids[0]), (sale, TransactionState::Processing, 660, ids[1]),]
    );
    let refund = shop.create(made, everything()).unwrap().refund;
    assert_eq!((refund.amount.get(), refund.legs.len()), (2_000, 1));
    // The rest is paid later by the payment that waited for it.
    let lines = vec![payment("Bank", None, TransactionState::Success).line];
    let step = after::Step::Pay { lines, patch: None };
    let pay = after::ParcelAsk { order: number(made), step };
    let Outcome::Parcels(stepped) = shop.call(Job::Parcels { store: shop.tenant, ask: Box::new(pay) }) else {
        panic!("not paid")
    };
    stepped.unwrap();
    let order = shop.facts(made).order;
    assert_eq!((order.payments.len(), order.payments[1].captured.get()), (2, 660));
    shop.assert_clean();
}

fn another_currency_needs_a_rate_and_keeps_it(on: Backend) {
    let shop = Shop::new(on);
    let euros = || Draft { currency: Currency::parse("EUR"), ..paid() };
    let (given, wanted) = ("EUR".to_owned(), "USD".to_owned());
    assert_eq!(make(&shop, euros()), Err(ShopNo::Currency { given, wanted }));
    let made = make(&shop, Draft { rate: Some(dec("1.0837")), ..euros() }).unwrap();
    let order = shop.facts(made).order;
    let money = order.shop.unwrap();
    assert_eq!((money.currency, money.rate), (Currency::parse("USD").unwrap(), dec("1.0837")));
    assert_eq!((order.charged().get(), order.payments[0].own_currency.code()), (2_660, "EUR"));
    let shadows: Vec<i64> =
        order.components.iter().flat_map(|c| [c.net, c.tax]).map(|a| money.convert(a, order.currency).get()).collect();
    assert_eq!(shadows, [2_167, 173, 542, 0]);
    // Parts of a refund are converted by the same rate, between running sums.
    let refund = shop.create(made, units("1", 1)).unwrap().refund;
    assert_eq!(refund.allocations[0].shop, (Amount::minor(1_084), Amount::minor(87)));
    shop.assert_clean();
}

fn an_order_that_is_shipped_at_once_has_a_parcel_and_is_told_step_by_step(on: Backend) {
    let shop = Shop::new(on);
    for kind in [OrderCreated, OrderPaid, OrderFulfilled, OrderUpdated, ParcelCreated, TransactionCreated] {
        subscribe(&shop, kind);
    }
    let made = make(&shop, Draft { shipped: true, ..paid() }).unwrap();
    let facts = shop.facts(made);
    assert_eq!((facts.order.lines[0].shipped, facts.order.life.fulfilled_ms), (2, Some(NOW_MS)));
    let sent = shop.engine.store().read(|tx| parcels::all(tx, shop.tenant, made)).unwrap();
    assert_eq!((sent.len(), sent[0].number, sent[0].units[0].quantity), (1, 1, 2));
    assert_eq!(
        told(&shop, made),
        ["order_created", "order_paid", "transaction_created", "order_fulfilled", "order_updated", "parcel_created",]
    );
    let unpaid = make(&shop, draft()).unwrap();
    assert_eq!(told(&shop, unpaid), ["order_created"]);
    // What comes next is numbered above all of it.
    assert!(shop.create(made, units("1", 1)).unwrap().refund.id > sent[0].id);
    shop.assert_clean();
}

fn names_count_up_from_where_the_series_begins(on: Backend) {
    let shop = Shop::new(on);
    let taken = order("a", "USD").line("cap", 1, 100, 0).pay("card", "simulated", 100);
    shop.put(refundry_core::order::Order { number: "1002".to_owned(), ..taken });
    let own = make(&shop, Draft { number: "MINE".to_owned(), ..draft() }).unwrap();
    assert_eq!(shop.facts(own).order.number, "MINE");
    let outcomes = shop.together(&[job(&shop, draft()), job(&shop, Draft { shipped: true, ..draft() })]);
    let numbers = outcomes.into_iter().map(|outcome| {
        let made = done(outcome.unwrap()).unwrap();
        shop.facts(made).order.number.clone()
    });
    assert_eq!(numbers.collect::<Vec<_>>(), ["1001", "1003"]);
    shop.assert_clean();
}

fn units_are_taken_where_the_line_says(on: Backend) {
    let shop = Shop::new(on);
    make(&shop, draft()).unwrap();
    shop.call(Job::Stock { store: shop.tenant, ask: Box::new(StockAsk::Open) });
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)], "nothing is taken unless it is asked for");
    let mut there = draft();
    "attic".clone_into(&mut there.lines[0].location_id);
    let second = DraftLine { external_id: Some("2".to_owned()), quantity: 3, ..there.lines[0].clone() };
    there.lines.push(second);
    there.stock = StockRule::Take;
    let made = make(&shop, there).unwrap();
    let here = make(&shop, Draft { stock: StockRule::Take, ..draft() }).unwrap();
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), -2), ("attic".to_owned(), -5)]);
    let sold_by = |order: Id| shop.engine.store().read(|tx| rows::sold_by(tx, shop.tenant, order)).unwrap();
    let units = |order: Id| sold_by(order).into_iter().map(|(_, _, units)| units).collect::<Vec<_>>();
    assert_eq!((units(made), units(here)), (vec![-5], vec![-2]));
    // Goods without a name are sold, and not counted.
    let mut plain = draft();
    plain.lines[0].variant_id.clear();
    plain.stock = StockRule::TakeIfThere;
    make(&shop, plain).unwrap();
    // A place by our number of it is that place, not a new one.
    let places = stock::locations(shop.engine.store(), shop.tenant).unwrap();
    let mut ours = Draft { stock: StockRule::Take, ..draft() };
    let attic = places.iter().find(|place| place.external_id.as_deref() == Some("attic")).unwrap();
    ours.lines[0].location_id = format!("{:018}", attic.id);
    make(&shop, ours).unwrap();
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), -2), ("attic".to_owned(), -7)]);
    assert_eq!(stock::locations(shop.engine.store(), shop.tenant).unwrap(), places);
    shop.assert_clean();
}

/// Three cups are taken, one of them is refunded and put back, and then the order is called off without money.
fn an_order_called_off_gives_back_what_it_took_once(on: Backend) {
    let shop = Shop::new(on);
    let made = |stock: StockRule| {
        let mut draft = Draft { stock, ..paid() };
        draft.lines[0].quantity = 3;
        make(&shop, draft).unwrap()
    };
    let call_off = |order: Id| {
        let ask = ShopAsk::CallOff { order: number(order), reason: String::new(), restock: true, refund: None };
        Job::Shop { store: shop.tenant, ask: Box::new(ask) }
    };
    let units_of = |order: Id, quantity: i64| shop.job(order, units("1", quantity), None);
    let order = made(StockRule::Take);
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), -3)]);
    // In one batch, where nothing of it is written yet.
    let outcomes = shop.together(&[units_of(order, 1), call_off(order), units_of(order, 1)]);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)], "each of the three once");
    assert!(shop.facts(order).order.life.restocked);
    shop.call(units_of(order, 1));
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)]);
    assert_eq!(shop.facts(order).balances.refunds, 3);

    // A refund that fails leaves its units in stock, where they are counted once, whenever it was made.
    for (restock, is_before) in [(Restock::Return, true), (Restock::No, true), (Restock::Return, false)] {
        let late = made(StockRule::Take);
        let mut request = units("1", 1);
        if let Ask::Parts(parts) = &mut request.ask {
            parts.units[0].restock = restock;
        }
        if !is_before {
            shop.call(call_off(late));
        }
        let refund = shop.create(late, request).unwrap().refund;
        shop.tick(1);
        shop.call(call_off(late));
        let call = shop.calls().into_iter().find(|call| call.ask.refund_id == refund.id).unwrap();
        shop.record(&call, declined()).unwrap();
        assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)], "{restock:?} {is_before}");
        shop.call(units_of(late, 1));
        assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)], "{restock:?} {is_before}");
        shop.assert_clean();
    }

    // So do units whose parcel is called off later.
    let late = made(StockRule::Take);
    let step = |step: after::Step| {
        let ask = Box::new(after::ParcelAsk { order: number(late), step });
        match shop.call(Job::Parcels { store: shop.tenant, ask }) {
            Outcome::Parcels(stepped) => stepped.unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let shipment = Shipment { units: vec![(named("1"), Some(1))], tracking: TrackingChange::default() };
    let parcel = step(after::Step::Ship(shipment)).parcel.unwrap();
    shop.call(call_off(late));
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), -1)]);
    step(after::Step::Unship { parcel: number(parcel.id) });
    shop.call(units_of(late, 3));
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 0)]);
    shop.assert_clean();

    // What took nothing gives nothing, and a refund of it still puts its units where they are asked for.
    let other = made(StockRule::Leave);
    shop.call(call_off(other));
    assert_eq!((levels(&shop, "v-cup"), shop.facts(other).order.life.restocked), (vec![(String::new(), 0)], false));
    shop.call(units_of(other, 2));
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 2)]);
    shop.assert_clean();
}

fn without_enough_in_stock_there_is_no_order(on: Backend) {
    let shop = Shop::new(on);
    let careful = || Draft { stock: StockRule::TakeIfThere, ..draft() };
    // Of what nobody knows there is nothing.
    assert_eq!(make(&shop, careful()), Err(ShopNo::OutOfStock(0)));
    make(&shop, draft()).unwrap();
    assert_eq!(make(&shop, careful()), Err(ShopNo::OutOfStock(0)));
    set(&shop, "v-cup", None, 3);
    let mut twice = careful();
    twice.lines.push(DraftLine { external_id: Some("2".to_owned()), ..twice.lines[0].clone() });
    assert_eq!(make(&shop, twice), Err(ShopNo::OutOfStock(0)), "four of three");
    let mut elsewhere = careful();
    "attic".clone_into(&mut elsewhere.lines[0].location_id);
    assert_eq!(make(&shop, elsewhere), Err(ShopNo::OutOfStock(0)));
    assert_eq!((count(&shop), levels(&shop, "v-cup")), (1, vec![(String::new(), 3)]));
    let made = make(&shop, careful()).unwrap();
    assert_eq!((shop.facts(made).order.number.as_str(), levels(&shop, "v-cup")), ("1002", vec![(String::new(), 1)]));
    assert_eq!(make(&shop, careful()), Err(ShopNo::OutOfStock(0)));
    shop.assert_clean();
}

fn two_of_one_batch_do_not_sell_the_same_unit(on: Backend) {
    let shop = Shop::new(on);
    make(&shop, draft()).unwrap();
    set(&shop, "v-cup", None, 5);
    let careful = || job(&shop, Draft { stock: StockRule::TakeIfThere, ..draft() });
    let jobs = [careful(), job(&shop, Draft { stock: StockRule::Take, ..draft() }), careful(), careful()];
    let made: Vec<bool> = shop.together(&jobs).into_iter().map(|outcome| done(outcome.unwrap()).is_ok()).collect();
    assert_eq!(made, [true, true, false, false]);
    assert_eq!(levels(&shop, "v-cup"), [(String::new(), 1)]);
    shop.assert_clean();
}

fn what_is_refused_leaves_nothing_behind(on: Backend) {
    let shop = Shop::new(on);
    for kind in [OrderCreated, OrderUpdated] {
        subscribe(&shop, kind);
    }
    let short = vec![payment("Paypal", Some("26.59"), TransactionState::Success)];
    let short = Draft { paid: short, claim: Some(Claim::Paid), ..draft() };
    let much = vec![payment("Paypal", Some("26.61"), TransactionState::Success)];
    let much = Draft { paid: much, ..draft() };
    assert_eq!(make(&shop, short), Err(ShopNo::Draft(DraftFault::Claim(Claim::Paid))));
    assert!(matches!(make(&shop, much), Err(ShopNo::Draft(DraftFault::Payment(_)))));
    let careful = Draft { stock: StockRule::TakeIfThere, shipped: true, ..paid() };
    assert_eq!(make(&shop, careful), Err(ShopNo::OutOfStock(0)));
    assert_eq!(count(&shop), 0);
    for table in [
        "orders",
        "transactions",
        "parcels",
        "variants",
        "stock",
        "stock_moves",
        "events",
        "journal",
        "series WHERE name = ''",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let rows = shop.engine.store().read(|tx| tx.query_one(&sql, &[], |row| row.int(0))).unwrap();
        assert_eq!(rows, Some(0), "{table}");
    }
    let made = make(&shop, paid()).unwrap();
    assert_eq!(shop.facts(made).order.number, "1001");
    shop.assert_clean();
}

fn planted_errors_of_sold_stock_are_found(on: Backend) {
    let shop = Shop::new(on);
    let made = make(&shop, Draft { stock: StockRule::Take, ..draft() }).unwrap();
    set(&shop, "v-cup", None, STOCK_UNITS_MAX);
    let codes = |sql: &str, back: &str| {
        let write = |sql: &str| shop.engine.store().write(|tx| tx.execute(sql, &[])).unwrap();
        assert!(write(sql) > 0, "{sql}");
        let found: Vec<&str> = shop.audit().findings.iter().map(|finding| finding.code).collect();
        assert!(write(back) > 0, "{back}");
        found
    };
    let moved = |by: &str| format!("UPDATE stock_moves SET moved = moved {by} WHERE why = 'sold'");
    assert_eq!(codes(&moved("- 1"), &moved("+ 1")), ["stock", "stock_order"]);
    let why = |from: &str, to: &str| format!("UPDATE stock_moves SET why = '{to}' WHERE why = '{from}'");
    assert_eq!(codes(&why("sold", "adjusted"), &why("adjusted", "sold")), ["stock_order"]);
    let of = |order: Id| format!("UPDATE stock_moves SET order_id = {order} WHERE why = 'sold'");
    assert_eq!(codes(&of(made + 1), &of(made)), ["stray"]);
    shop.assert_clean();
}
