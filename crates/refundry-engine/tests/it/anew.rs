//! Orders that come in anew, told by somebody who does not know what was done with them here.

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Order, PaymentKind, Status};
use refundry_core::parcels::{Fault, Shipment, TrackingChange};
use refundry_core::paying::{Card, PayLine, Transaction};
use refundry_core::refund::Bucket;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::parcels::{self, ParcelAsk, Refused, Step, Stepped};
use refundry_engine::shop::ShopAsk;

use crate::books::ours;
use crate::shop::{Backend, Build, Shop, done, named, order, units};

on_both!(
    a_payment_told_here_stays,
    a_payment_told_here_stays_with_what_was_refunded_of_it,
    a_payment_that_is_told_by_both_counts_once,
    whoever_knows_of_as_much_money_is_believed,
    cash_that_came_with_the_parcel_stays,
    what_left_in_a_parcel_does_not_wait_again,
    what_arrived_moves_along_with_its_line,
    an_order_that_was_called_off_stays_so,
);

/// 2 hats for 44.00 and 3 pins for 9.00, nothing paid.
fn unpaid(name: &str) -> Order {
    order(name, "USD").line("hat", 2, 4_000, 400).line("pin", 3, 900, 0)
}

fn paid(reference: &str) -> Step {
    let line = PayLine {
        channel: "stripe".to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        name: String::new(),
        reference: reference.to_owned(),
        account: String::new(),
        amount: None,
        test: false,
        card: Card::default(),
    };
    Step::Pay { lines: vec![line], patch: None }
}

fn ship(units: &[(&str, u32)]) -> Step {
    let units = units.iter().map(|(line, quantity)| (named(line), Some(*quantity))).collect();
    Step::Ship(Shipment { units, tracking: TrackingChange::default() })
}

/// Does it, and looks at the books.
#[track_caller]
fn step(shop: &Shop, order: Id, step: Step) -> Result<Box<Stepped>, Refused> {
    let ask = Box::new(ParcelAsk { order: ours(order), step });
    let stepped = match shop.call(Job::Parcels { store: shop.tenant, ask }) {
        Outcome::Parcels(stepped) => stepped,
        other => panic!("{other:?}"),
    };
    shop.assert_clean();
    stepped
}

/// Tells it anew, and looks at the books.
#[track_caller]
fn again(shop: &Shop, order: Order) -> Facts {
    shop.tick(1_000);
    let id = shop.put(order);
    shop.assert_clean();
    shop.facts(id)
}

fn transactions(shop: &Shop, order: Id) -> Vec<Transaction> {
    parcels::of_order(shop.engine.store(), shop.tenant, &ours(order)).unwrap().unwrap().found
}

fn waiting(facts: &Facts) -> [u32; 2] {
    [0, 1].map(|line| facts.units_left(line, Bucket::Waiting))
}

fn a_payment_told_here_stays(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    step(&shop, id, paid("pi_1")).unwrap();
    let payments = shop.facts(id).order.payments.clone();
    let mut renamed = unpaid("a");
    "Cap".clone_into(&mut renamed.lines[0].title);
    let facts = again(&shop, renamed);
    assert_eq!((facts.order.captured().get(), &*facts.order.lines[0].title), (5_300, "Cap"));
    assert_eq!(facts.order.payments, payments);
    assert_eq!(step(&shop, id, paid("pi_2")).unwrap_err(), Refused::Fault(Fault::AlreadyPaid));
    assert_eq!(transactions(&shop, id).len(), 1);
}

fn a_payment_told_here_stays_with_what_was_refunded_of_it(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    step(&shop, id, paid("pi_1")).unwrap();
    shop.create(id, units("hat", 1)).unwrap();
    let pending = shop.facts(id).balances.pending();
    let mut renamed = unpaid("a");
    "Pins".clone_into(&mut renamed.lines[1].title);
    let facts = again(&shop, renamed);
    assert_eq!((facts.order.captured().get(), facts.balances.pending()), (5_300, pending));
    for call in shop.calls() {
        shop.record(&call, done(&call)).unwrap();
    }
    shop.assert_clean();
}

fn a_payment_that_is_told_by_both_counts_once(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    step(&shop, id, paid("pi_1")).unwrap();
    let here = shop.facts(id).order.payments[0].id;
    for captured in [5_300, 0, 5_300] {
        let mut told = unpaid("a").pay("stripe", "simulated", captured);
        "pi_1".clone_into(&mut told.payments[0].reference);
        "line-1".clone_into(told.payments[0].external_id.as_mut().unwrap());
        let facts = again(&shop, told);
        let [payment] = &facts.order.payments[..] else { panic!("one payment: {:?}", facts.order.payments) };
        assert_eq!((payment.id, payment.captured.get()), (here, 5_300));
        assert_eq!(payment.external_id.as_deref(), Some("line-1"));
    }
    assert_eq!(transactions(&shop, id).len(), 1);
}

fn whoever_knows_of_as_much_money_is_believed(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    step(&shop, id, paid("")).unwrap();
    let facts = again(&shop, unpaid("a").pay("paypal", "simulated", 5_300));
    assert_eq!(facts.order.captured().get(), 5_300);
    assert_eq!(facts.order.payments[0].channel, "paypal");
}

fn cash_that_came_with_the_parcel_stays(on: Backend) {
    let shop = Shop::new(on);
    let on_delivery = || {
        let mut order = unpaid("a").pay("cod", "manual", 0);
        order.payments[0].kind = PaymentKind::CashOnDelivery;
        order
    };
    let id = shop.put(on_delivery());
    let parcel = step(&shop, id, Step::Ship(Shipment::default())).unwrap().parcel.unwrap();
    step(&shop, id, Step::Deliver { parcel: ours(parcel.id) }).unwrap();
    assert_eq!(shop.facts(id).order.captured().get(), 5_300);
    let facts = again(&shop, on_delivery());
    assert_eq!((facts.order.captured().get(), waiting(&facts)), (5_300, [0, 0]));
    assert_eq!(facts.order.life.delivered, [2, 3]);
}

fn what_left_in_a_parcel_does_not_wait_again(on: Backend) {
    let shop = Shop::new(on);
    let mut before = unpaid("a");
    before.lines[1].shipped = 1;
    let id = shop.put(before.clone());
    let parcel = step(&shop, id, ship(&[("hat", 2), ("pin", 1)])).unwrap().parcel.unwrap();
    let facts = again(&shop, before.clone());
    assert_eq!(waiting(&facts), [0, 1]);
    assert!(step(&shop, id, ship(&[("hat", 1)])).is_err(), "it is on its way");
    // What never left in a parcel of ours is theirs to correct.
    step(&shop, id, Step::Unship { parcel: ours(parcel.id) }).unwrap();
    before.lines[1].shipped = 0;
    assert_eq!(waiting(&again(&shop, before)), [2, 3]);
}

fn what_arrived_moves_along_with_its_line(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    let parcel = step(&shop, id, ship(&[("hat", 1), ("pin", 3)])).unwrap().parcel.unwrap();
    step(&shop, id, Step::Deliver { parcel: ours(parcel.id) }).unwrap();
    assert_eq!(shop.facts(id).order.life.delivered, [1, 3]);
    let facts =
        again(&shop, order("a", "USD").line("bag", 1, 100, 0).line("pin", 3, 900, 0).line("hat", 2, 4_000, 400));
    assert_eq!(facts.order.life.delivered, [0, 3, 1]);
    assert_eq!(facts.order.lines.iter().map(|line| line.shipped).collect::<Vec<_>>(), [0, 3, 1]);
}

fn an_order_that_was_called_off_stays_so(on: Backend) {
    let shop = Shop::new(on);
    let id = shop.put(unpaid("a"));
    let ask = ShopAsk::Cancel { order: ours(id), reason: "customer".to_owned() };
    shop.call(Job::Shop { store: shop.tenant, ask: Box::new(ask) });
    let facts = again(&shop, unpaid("a"));
    assert_eq!((facts.order.status, &*facts.order.life.cancel_reason), (Status::Cancelled, "customer"));
    assert_eq!(step(&shop, id, paid("pi_1")).unwrap_err(), Refused::Fault(Fault::OrderCancelled));
}
