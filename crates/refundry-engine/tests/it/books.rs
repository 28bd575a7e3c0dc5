//! A shop with a bit of everything in its books.

use std::collections::BTreeMap;

use refundry_core::command::{
    AmountIn, Ask, CurrencyAsk, ItemAsk, ItemMoney, ItemName, LegAsk, Plan, RefundRequest, Target, Total,
};
use refundry_core::decide::News;
use refundry_core::intake::{PastRefund, PastUnits};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Capture, ComponentKind, Id, Order, PaymentKind, Reference, ShopMoney};
use refundry_core::refund::{Bucket, MetaValue, Restock};
use refundry_engine::accept::{Job, Outcome};
use refundry_gateways::Answer;
use refundry_store::tokens::TokenRecord;

use crate::shop::{
    Build, NOW_MS, Shop, amount, created, dec, declined, done, everything, named, order, part, units, unknown,
};

/// Fills a shop with orders whose refunds went every way they can.
pub(crate) fn fill(shop: &Shop) {
    taxes_and_two_payments(shop);
    shop_currency_and_failures(shop);
    foreign_payment(shop);
    history(shop);
    legs_in_every_state(shop);
    shipped_by_and_by(shop);
    let other = shop.add_store("other");
    let token = TokenRecord {
        store: other,
        hash: "a1".repeat(32),
        label: "till".to_owned(),
        scopes: "refunds".to_owned(),
        created_ms: NOW_MS,
        revoked_ms: Some(NOW_MS + 9),
    };
    shop.call(Job::AddToken(token));
}

fn taxes_and_two_payments(shop: &Shop) {
    let mut order = order("mixed", "USD")
        .line("shirt", 3, 10_000, 1_900)
        .line("mug", 7, 4_321, 333)
        .part(ComponentKind::Shipping, None, 799, 76)
        .part(ComponentKind::Tip, None, 250, 0)
        .part(ComponentKind::Fee, Some(1), 97, 0)
        .pay("card", "simulated", 12_000)
        .pay("wallet", "simulated", 5_776);
    "attic".clone_into(&mut order.lines[1].location_id);
    let id = shop.put(order);
    settle(shop, id, units("shirt", 1), done_all);
    settle(shop, id, units("mug", 2), done_all);
    let items = vec![ItemAsk {
        item: ItemName::Id(named("mug")),
        quantity: Some(1),
        money: ItemMoney::Amount(dec("1.23")),
        part: None,
    }];
    settle(shop, id, RefundRequest::of(Ask::Items(items)), done_all);
    settle(shop, id, part(Target::Shipping, "3.33"), done_all);
    settle(shop, id, RefundRequest::of(Ask::Percent { percent: dec("12.5"), class: None }), |_| declined());
    settle(shop, id, amount("20.01"), done_all);
    shop.tick(1_000);
    let refund = created(shop.call(shop.job(id, units("mug", 1), Some(("key-1", "hash-1"))))).unwrap().refund;
    let metadata = BTreeMap::from([("n".to_owned(), Some(MetaValue::Number("7".to_owned())))]);
    shop.call(Job::Annotate { store: shop.tenant, refund: ours(refund.id), metadata });
    settle(shop, id, everything(), done_all);
}

fn shop_currency_and_failures(shop: &Shop) {
    let mut order = order("abroad", "EUR")
        .line("lamp", 4, 9_999, 1_899)
        .line("bulb", 9, 2_345, 445)
        .part(ComponentKind::Shipping, None, 590, 112)
        .pay("card", "simulated", 9_000)
        .pay("voucher", "simulated", 6_400);
    order.shop = Some(ShopMoney { currency: Currency::parse("JPY").unwrap(), rate: dec("161.237") });
    let id = shop.put(order);
    settle(shop, id, units("lamp", 1), done_all);
    settle(shop, id, units("bulb", 3), |_| declined());
    settle(shop, id, amount("60.00"), done_all);
    // Two legs, one of which fails; and then one that comes home after it had succeeded.
    let refund = settle(shop, id, everything(), |first| if first { declined() } else { unknown() });
    shop.tick(1_000);
    let leg = refund.legs.last().unwrap();
    let news = |news| refundry_engine::accept::LegNews {
        store: shop.tenant,
        order: id,
        refund: refund.id,
        leg: leg.id,
        news,
        source: refundry_engine::accept::Source::Answer,
        again_ms: shop.now_ms(),
        attempts: 1,
        lane: 0,
    };
    shop.call(Job::Record(news(News::Succeeded { reference: "r".to_owned() })));
    let again = settle(shop, id, amount("0.11"), done_all);
    shop.tick(1_000);
    let late = refundry_engine::accept::LegNews {
        refund: again.id,
        leg: again.legs[0].id,
        ..news(News::NotSent { reason: String::new() })
    };
    let late = refundry_engine::accept::LegNews {
        news: News::Failed { code: "came_home".to_owned(), message: String::new() },
        ..late
    };
    assert!(matches!(shop.call(Job::Record(late)), Outcome::Recorded(Some(_))));
    settle(shop, id, amount("0.07"), done_all);
}

fn foreign_payment(shop: &Shop) {
    let order = order("gulf", "KWD").line("oud", 3, 31_007, 1_550).pay_in("card", "USD", 10_611, 32_557);
    let id = shop.put(order);
    settle(shop, id, units("oud", 1), done_all);
    let legs = vec![LegAsk {
        payment: Some(named("card")),
        channel: String::new(),
        amount: dec("12.34"),
        amount_in: AmountIn::Own,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    }];
    let parts = refundry_core::command::Parts {
        total: refundry_core::command::Total::OfPayments,
        ..refundry_core::command::Parts::default()
    };
    let request = RefundRequest { plan: Plan::Named(legs), ..RefundRequest::of(Ask::Parts(parts)) };
    settle(shop, id, request.clone(), done_all);
    settle(shop, id, request, |_| declined());
    settle(shop, id, amount("3.001"), |_| unknown());
    // A later payment, in the order's own currency.
    let extra = Box::new(order_payment("later", 1_000));
    let currency = Currency::parse("KWD").unwrap();
    shop.call(Job::AddPayment { store: shop.tenant, order: ours(id), currency, payment: extra });
}

fn order_payment(name: &str, captured: i64) -> refundry_core::order::Payment {
    order("", "KWD").pay(name, "simulated", captured).payments.remove(0)
}

fn history(shop: &Shop) {
    let mut order = order("moved", "EUR")
        .line("rug", 5, 50_003, 9_501)
        .part(ComponentKind::Shipping, None, 1_000, 190)
        .pay("card", "simulated", 60_694);
    order.shop = Some(ShopMoney { currency: Currency::parse("USD").unwrap(), rate: dec("1.0837") });
    let id = shop.put_with(order, vec![past("p1", 20_001, 3_800, 2), past("p2", 10_000, 1_901, 1)]).unwrap().order;
    settle(shop, id, units("rug", 1), done_all);
    shop.tick(1_000);
    let order = crate::shop::order("moved too", "USD").line("rug", 5, 50_003, 9_501).pay("card", "simulated", 60_000);
    shop.put_with(order, vec![past("p1", 20_001, 3_800, 2)]).unwrap();
}

/// A refund of the first line that was made elsewhere.
pub(crate) fn past(name: &str, net: i64, tax: i64, quantity: u32) -> PastRefund {
    let (net, tax) = (Amount::minor(net), Amount::minor(tax));
    let units = PastUnits {
        line: 0,
        bucket: Bucket::Waiting,
        quantity,
        net,
        tax,
        discount: Amount::minor(7),
        restock: Restock::No,
    };
    PastRefund {
        external_id: Some(name.to_owned()),
        created_ms: NOW_MS - 5_000_000,
        note: String::new(),
        reason: String::new(),
        allocations: vec![(0, net, tax)],
        units: vec![units],
        legs: vec![(0, net + tax, net + tax)],
    }
}

fn legs_in_every_state(shop: &Shop) {
    let mut order = order("legs", "JPY")
        .line("tea", 10, 10_000, 1_000)
        .pay("card", "simulated", 8_000)
        .pay("hand", "manual", 2_000)
        .pay("cash", "manual", 1_000);
    order.payments[2].kind = PaymentKind::CashOnDelivery;
    let id = shop.put(order);
    let through = |payment: &str, yen: &str| RefundRequest { plan: Plan::InOrder(vec![named(payment)]), ..amount(yen) };
    settle(shop, id, amount("101"), |_| unknown());
    settle(shop, id, amount("102"), |_| Answer::Pending { reference: "p".to_owned() });
    settle(shop, id, amount("103"), |_| Answer::Done {
        reference: String::new(),
        amount_minor: 1,
        currency: "JPY".to_owned(),
    });
    shop.tick(1_000);
    shop.create(id, amount("104")).unwrap();
    shop.calls();
    shop.tick(1_000);
    shop.create(id, through("hand", "205")).unwrap();
    shop.tick(1_000);
    shop.create(id, through("cash", "306")).unwrap();
    shop.tick(1_000);
    let by_hand = shop.create(id, through("hand", "207")).unwrap().refund;
    let news = News::Succeeded { reference: "slip".to_owned() };
    let leg = by_hand.legs[0].id;
    shop.call(Job::SettleByHand { store: shop.tenant, refund: ours(by_hand.id), leg, news });
}

fn shipped_by_and_by(shop: &Shop) {
    let mut order = order("river", "USD")
        .line("ebook", 4, 8_001, 777)
        .line("cable", 2, 1_999, 160)
        .part(ComponentKind::Shipping, Some(0), 500, 40)
        .pay("charge", "simulated", 11_477);
    order.capture = Capture::ByFulfilment;
    let id = shop.put(order);
    let fulfil = |units| Job::Fulfil { store: shop.tenant, order: ours(id), units };
    shop.call(fulfil(vec![(named("ebook"), 3)]));
    settle(shop, id, amount("10.00"), done_all);
    shop.call(fulfil(Vec::new()));
    settle(shop, id, RefundRequest::of(Ask::Percent { percent: dec("50"), class: None }), done_all);
}

pub(crate) fn ours(id: Id) -> Reference {
    Reference::plain(&id.to_string())
}

fn done_all(_: bool) -> Answer {
    Answer::NotFound
}

/// Creates a refund and answers its calls; `answer` hears whether a call is the first. A look-up that finds nothing
/// stands for a plain yes here.
fn settle(
    shop: &Shop,
    order: Id,
    request: RefundRequest,
    answer: impl Fn(bool) -> Answer,
) -> std::sync::Arc<refundry_core::refund::Refund> {
    shop.tick(1_000);
    let accepted = shop.create(order, request).unwrap();
    for (index, call) in shop.calls().iter().enumerate() {
        shop.tick(100);
        let answer = match answer(index == 0) {
            Answer::NotFound => done(call),
            answer => answer,
        };
        assert!(shop.record(call, answer).is_some());
    }
    accepted.refund
}

/// An order without refunds, for tests of their own.
pub(crate) fn plain(name: &str) -> Order {
    order(name, "USD").line("hat", 4, 4_000, 400).pay("card", "simulated", 4_400)
}

/// Many random requests, answered at random; the same seed asks and answers the same.
pub(crate) fn random_business(shop: &Shop, seed: u64) {
    let mut dice = seed;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for round in 0..20 {
        let number = |roll: &mut dyn FnMut(u64) -> u64, sides| i64::try_from(roll(sides)).unwrap();
        let name = format!("order-{round}");
        let mut order = order(&name, ["USD", "JPY", "KWD"][usize::try_from(roll(3)).unwrap()]);
        for line in ["a", "b", "c"] {
            let quantity = u32::try_from(roll(7) + 1).unwrap();
            order = order.line(line, quantity, number(&mut roll, 20_000), number(&mut roll, 2_000));
        }
        order = order.part(ComponentKind::Shipping, None, number(&mut roll, 900), number(&mut roll, 90)).part(
            ComponentKind::Fee,
            Some(1),
            number(&mut roll, 90),
            0,
        );
        let charged = order.charged().get();
        let first = charged / 2 + number(&mut roll, 50);
        order = order.pay("card", "simulated", first).pay_in("abroad", "EUR", charged / 3 + 1, charged - first);
        if roll(2) == 0 {
            order.shop = Some(ShopMoney { currency: Currency::parse("GBP").unwrap(), rate: dec("0.7713") });
        }
        if roll(4) == 0 {
            order.capture = Capture::ByFulfilment;
        }
        order.taxes_included = roll(3) == 0;
        let id = shop.put(order);
        for _ in 0..12 {
            shop.tick(1_000);
            let request = match roll(7) {
                6 => twice("card", &(number(&mut roll, 150) + 1).to_string()),
                0 => units("a", number(&mut roll, 4) + 1),
                1 => units("b", 1),
                2 => amount(&number(&mut roll, 90).to_string()),
                3 => part(Target::Product, &number(&mut roll, 30).to_string()),
                4 => RefundRequest::of(Ask::Percent { percent: dec("17.5"), class: None }),
                _ if roll(5) == 0 => everything(),
                _ => part(Target::Shipping, "1"),
            };
            let _ = shop.create(id, request);
            if roll(3) == 0 {
                shop.call(Job::Fulfil { store: shop.tenant, order: ours(id), units: vec![(named("a"), 1)] });
            }
            for call in shop.calls() {
                shop.tick(10);
                match roll(4) {
                    0 => shop.record(&call, declined()),
                    1 => shop.record(&call, unknown()),
                    _ => shop.record(&call, done(&call)),
                };
                if roll(5) == 0 {
                    shop.tick(10);
                    shop.record(&call, declined());
                }
            }
        }
    }
}

/// Money for one line's units through one payment that is named twice.
fn twice(payment: &str, amount: &str) -> RefundRequest {
    let leg = LegAsk {
        payment: Some(named(payment)),
        channel: String::new(),
        amount: dec(amount),
        amount_in: AmountIn::Books,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    };
    let mut request = units("c", 1);
    if let Ask::Parts(parts) = &mut request.ask {
        parts.total = Total::OfPayments;
    }
    RefundRequest { plan: Plan::Named(vec![leg.clone(), leg]), ..request }
}
