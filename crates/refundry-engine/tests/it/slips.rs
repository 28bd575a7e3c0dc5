//! Payment slips, on both databases: of several orders at once, all or nothing; the books agree after each step.

use refundry_core::command::{AmountIn, Ask, CurrencyAsk, LegAsk, Parts, Plan, RefundRequest, Total};
use refundry_core::order::{Id, Order, PaymentKind};
use refundry_core::parcels::Fault;
use refundry_core::paying::TransactionState;
use refundry_core::rejection::Rejection;
use refundry_core::slips::SlipState::{Failed, Paid, Unpaid};
use refundry_core::slips::{SlipChange, SlipDraft, SlipFault, SlipState};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::parcels;
use refundry_engine::slips::{SlipAsk, SlipNo, Slipped};

use crate::books::ours;
use crate::shop::{Backend, Build, NOW_MS, Shop, dec, named, order};

on_both!(
    slips_are_made_paid_and_refunded,
    one_bad_entry_leaves_all_orders_as_they_were,
    two_that_pay_at_once_are_served_one_after_the_other,
    orders_named_in_any_sequence_are_held_in_one,
    what_one_job_of_a_batch_leaves_the_next_one_sees,
    nobody_changes_slips_of_another_store,
    an_order_that_comes_in_anew_keeps_slips_that_nobody_paid,
    a_slip_that_comes_in_under_another_name_counts_once,
    whoever_knows_what_a_slip_settled_in_is_believed,
);

/// 53.00 USD: 2 hats for 44.00 and 3 pins for 9.00, nothing paid.
fn unpaid(name: &str) -> Order {
    order(name, "USD").line("hat", 2, 4_000, 400).line("pin", 3, 900, 0)
}

fn draft(order: Id, amount: &str, state: SlipState) -> SlipDraft {
    SlipDraft {
        order: ours(order),
        amount: dec(amount),
        currency: None,
        state,
        channel: "customPay".to_owned(),
        name: "Bank".to_owned(),
        reference: format!("bank-{amount}"),
        created_ms: None,
        happened_ms: None,
    }
}

fn change(order: Id, slip: Id, amount: Option<&str>, state: Option<SlipState>) -> SlipChange {
    SlipChange {
        order: ours(order),
        slip: ours(slip),
        amount: amount.map(dec),
        currency: None,
        state,
        reference: None,
        created_ms: None,
        happened_ms: None,
    }
}

fn job(shop: &Shop, ask: SlipAsk) -> Job {
    Job::Slips { store: shop.tenant, ask: Box::new(ask) }
}

fn outcome(outcome: Outcome) -> Result<Vec<Slipped>, SlipNo> {
    match outcome {
        Outcome::Slips(done) => done,
        other => panic!("{other:?}"),
    }
}

/// Does it, and looks at the books.
#[track_caller]
fn make(shop: &Shop, drafts: Vec<SlipDraft>) -> Result<Vec<Slipped>, SlipNo> {
    let done = outcome(shop.call(job(shop, SlipAsk::Make(drafts))));
    shop.assert_clean();
    done
}

#[track_caller]
fn alter(shop: &Shop, changes: Vec<SlipChange>) -> Result<Vec<Slipped>, SlipNo> {
    let done = outcome(shop.call(job(shop, SlipAsk::Change(changes))));
    shop.assert_clean();
    done
}

/// State, amount, and what is captured of each slip of an order, as whoever reads sees them.
fn states(shop: &Shop, order: Id) -> Vec<(SlipState, i64, i64)> {
    let seen = parcels::money(shop.engine.store(), shop.tenant, &ours(order), false).unwrap().unwrap();
    let payments = &seen.order.facts.order.payments;
    let slips = seen.found.slips.iter();
    slips.map(|slip| (slip.state, slip.amount.get(), payments[slip.payment].captured.get())).collect()
}

fn payments(shop: &Shop, order: Id) -> Vec<Id> {
    shop.facts(order).order.payments.iter().map(|payment| payment.id).collect()
}

fn refund_to(payment: Id, amount: &str) -> RefundRequest {
    let leg = LegAsk {
        payment: Some(ours(payment)),
        channel: String::new(),
        amount: dec(amount),
        amount_in: AmountIn::Own,
        currency: CurrencyAsk::Unsaid,
        outside: false,
    };
    let parts = Parts { total: Total::OfPayments, ..Parts::default() };
    RefundRequest { plan: Plan::Named(vec![leg]), ..RefundRequest::of(Ask::Parts(parts)) }
}

fn slips_are_made_paid_and_refunded(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    shop.tick(1_000);
    let told =
        SlipDraft { created_ms: Some(NOW_MS - 9_000), happened_ms: Some(NOW_MS - 5_000), ..draft(order, "20", Paid) };
    let made = make(&shop, vec![told, draft(order, "33", Unpaid), draft(order, "33", Failed)]).unwrap();
    assert_eq!(
        made.iter().map(|s| (s.slip.payment, s.slip.state)).collect::<Vec<_>>(),
        [(0, Paid), (1, Unpaid), (2, Failed)]
    );
    assert_eq!((made[0].slip.created_ms, made[0].slip.told.updated_ms), (NOW_MS - 9_000, NOW_MS - 5_000));
    assert_eq!(states(&shop, order), [(Paid, 2_000, 2_000), (Unpaid, 3_300, 0), (Failed, 3_300, 0)]);
    let facts = shop.facts(order);
    let payment = &facts.order.payments[0];
    assert_eq!((payment.kind, &*payment.gateway, &*payment.reference), (PaymentKind::Custom, "manual", "bank-20"));
    assert_eq!(facts.order.life.placed_ms, Some(NOW_MS - 5_000));

    let ids = payments(&shop, order);
    for unpaid in &ids[1..] {
        let refused = shop.create(order, refund_to(*unpaid, "0.01")).unwrap_err();
        assert!(matches!(refused, Rejection::PaymentExceeded { .. }), "{refused:?}");
    }
    let paid = SlipChange { reference: Some("late".to_owned()), ..change(order, ids[1], Some("30"), Some(Paid)) };
    shop.tick(1_000);
    let changed = alter(&shop, vec![paid, change(order, ids[0], Some("22"), None)]).unwrap();
    assert_eq!((changed[0].slip.amount.get(), changed[1].slip.amount.get()), (3_000, 2_200));
    assert_eq!(states(&shop, order), [(Paid, 2_200, 2_200), (Paid, 3_000, 3_000), (Failed, 3_300, 0)]);
    let money = parcels::money(shop.engine.store(), shop.tenant, &ours(order), true).unwrap().unwrap().found;
    let told: Vec<_> = money.transactions.iter().map(|t| (t.state, t.amount.get(), &*t.trade_id)).collect();
    let expected = [
        (TransactionState::Success, 2_200, "bank-20"),
        (TransactionState::Success, 3_000, "late"),
        (TransactionState::Error, 3_300, "bank-33"),
    ];
    assert_eq!(told, expected);
    assert_eq!(money.slips[1].told.updated_ms, NOW_MS + 2_000);

    shop.create(order, refund_to(ids[1], "30")).unwrap();
    shop.assert_clean();
    let lowered = SlipNo::Fault(Fault::Slip(SlipFault::Lowered(ids[1].to_string())));
    assert_eq!(alter(&shop, vec![change(order, ids[1], Some("29"), None)]).unwrap_err(), lowered);
    let money = parcels::money(shop.engine.store(), shop.tenant, &ours(order), true).unwrap().unwrap().found;
    assert_eq!((money.refunds.len(), money.refunds[0].amount.get()), (1, 3_000));
}

fn one_bad_entry_leaves_all_orders_as_they_were(on: Backend) {
    let shop = Shop::new(on);
    let (first, second) = (shop.put(unpaid("a")), shop.put(unpaid("b")));
    let too_much = make(&shop, vec![draft(first, "53", Paid), draft(second, "53.01", Paid)]).unwrap_err();
    assert!(matches!(too_much, SlipNo::Fault(Fault::PaysTooMuch { .. })), "{too_much:?}");
    let nobody = make(&shop, vec![draft(first, "53", Paid), draft(7, "1", Paid)]).unwrap_err();
    assert_eq!(nobody, SlipNo::OrderUnknown("7".to_owned()));
    assert_eq!((states(&shop, first), states(&shop, second)), (vec![], vec![]));
    make(&shop, vec![draft(first, "50", Unpaid), draft(second, "50", Paid)]).unwrap();
    let (slip, paid) = (payments(&shop, first)[0], payments(&shop, second)[0]);
    let un_paid = alter(&shop, vec![change(first, slip, None, Some(Paid)), change(second, paid, None, Some(Failed))]);
    assert_eq!(un_paid.unwrap_err(), SlipNo::Fault(Fault::Slip(SlipFault::Paid(paid.to_string()))));
    assert_eq!((states(&shop, first), states(&shop, second)), (vec![(Unpaid, 5_000, 0)], vec![(Paid, 5_000, 5_000)]));
    let mut gone = unpaid("c");
    gone.life.deleted_ms = Some(NOW_MS);
    let gone = shop.put(gone);
    assert!(matches!(make(&shop, vec![draft(gone, "1", Paid)]).unwrap_err(), SlipNo::OrderUnknown(_)));
    assert!(parcels::money(shop.engine.store(), shop.tenant, &ours(gone), true).unwrap().is_none());
    assert!(make(&shop, vec![]).unwrap().is_empty());
}

fn two_that_pay_at_once_are_served_one_after_the_other(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    let jobs = [
        job(&shop, SlipAsk::Make(vec![draft(order, "53", Paid)])),
        job(&shop, SlipAsk::Make(vec![draft(order, "53", Paid)])),
    ];
    let mut done = shop.together(&jobs).into_iter().map(|done| outcome(done.unwrap()));
    assert!(done.next().unwrap().is_ok());
    let too_much = done.next().unwrap().unwrap_err();
    assert!(matches!(too_much, SlipNo::Fault(Fault::PaysTooMuch { .. })), "{too_much:?}");
    assert_eq!(states(&shop, order), [(Paid, 5_300, 5_300)]);
    shop.assert_clean();
}

fn orders_named_in_any_sequence_are_held_in_one(on: Backend) {
    let shop = Shop::new(on);
    let orders = ["a", "b", "c"].map(|name| shop.put(unpaid(name)));
    let [a, b, c] = orders;
    let rounds = [[a, b, c], [c, b, a], [b, c, a], [c, a, b], [a, c, b], [b, a, c]];
    let jobs = rounds.map(|round| job(&shop, SlipAsk::Make(round.map(|order| draft(order, "1", Paid)).into())));
    // They may go to several lanes: none waits for another in a circle.
    for done in shop.together(&jobs) {
        outcome(done.unwrap()).unwrap();
    }
    for order in orders {
        assert_eq!(states(&shop, order), [(Paid, 100, 100); 6]);
    }
    shop.assert_clean();
    // One order named twice is one order.
    let both = vec![draft(a, "1", Paid), SlipDraft { order: named("a"), ..draft(a, "2", Paid) }];
    assert_eq!(make(&shop, both).unwrap().iter().map(|s| s.slip.payment).collect::<Vec<_>>(), [6, 7]);
}

fn what_one_job_of_a_batch_leaves_the_next_one_sees(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    make(&shop, vec![draft(order, "10", Unpaid)]).unwrap();
    let slip = payments(&shop, order)[0];
    let jobs = [
        job(&shop, SlipAsk::Change(vec![change(order, slip, Some("20"), None)])),
        job(&shop, SlipAsk::Change(vec![change(order, slip, None, Some(Paid))])),
        job(&shop, SlipAsk::Make(vec![draft(order, "33", Paid)])),
        job(&shop, SlipAsk::Make(vec![draft(order, "0.01", Paid)])),
    ];
    let done: Vec<_> = shop.together(&jobs).into_iter().map(|done| outcome(done.unwrap()).is_ok()).collect();
    assert_eq!(done, [true, true, true, false]);
    assert_eq!(states(&shop, order), [(Paid, 2_000, 2_000), (Paid, 3_300, 3_300)]);
    shop.assert_clean();
}

fn nobody_changes_slips_of_another_store(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(unpaid("a"));
    make(&shop, vec![draft(order, "10", Unpaid)]).unwrap();
    let slip = payments(&shop, order)[0];
    let other = shop.put(unpaid("b"));
    let unknown = SlipNo::Fault(Fault::Slip(SlipFault::Unknown(slip.to_string())));
    assert_eq!(alter(&shop, vec![change(other, slip, None, Some(Paid))]).unwrap_err(), unknown);
    let elsewhere = shop.add_store("elsewhere");
    let ask = SlipAsk::Change(vec![change(order, slip, None, Some(Paid))]);
    let done = outcome(shop.call(Job::Slips { store: elsewhere, ask: Box::new(ask) }));
    assert_eq!(done.unwrap_err(), SlipNo::OrderUnknown(order.to_string()));
    assert!(parcels::money(shop.engine.store(), elsewhere, &ours(order), true).unwrap().is_none());
    assert_eq!(states(&shop, order), [(Unpaid, 1_000, 0)]);
}

fn an_order_that_comes_in_anew_keeps_slips_that_nobody_paid(on: Backend) {
    let shop = Shop::new(on);
    let told = |title: &str| {
        let mut told = unpaid("a").pay("card", "simulated", 2_000);
        title.clone_into(&mut told.lines[0].title);
        told
    };
    let order = shop.put(told("Hat"));
    make(&shop, vec![draft(order, "33", Unpaid), draft(order, "20", Failed), draft(order, "3", Paid)]).unwrap();
    let (known, stood) = (payments(&shop, order), states(&shop, order));
    for (seconds, title) in [(1, "Cap"), (2, "Bonnet")] {
        shop.tick(1_000);
        assert_eq!(shop.put_with(told(title), Vec::new()).map(|taken| taken.order), Ok(order));
        shop.assert_clean();
        assert_eq!(shop.facts(order).order.lines[0].title, title);
        assert_eq!((payments(&shop, order), states(&shop, order)), (known.clone(), stood.clone()));
        // What refunds stand on stays where it is.
        shop.create(order, refund_to(known[3], &format!("0.0{seconds}"))).unwrap();
    }
    alter(&shop, vec![change(order, known[1], Some("30"), Some(Paid))]).unwrap();
    assert_eq!(states(&shop, order)[1], (Paid, 3_000, 3_000));
    // Whoever tells of it by its provider's name tells of the same money.
    let mut more = told("Beret").pay("customPay", "manual", 3_000);
    "bank-33".clone_into(&mut more.payments[1].reference);
    shop.put_with(more, Vec::new()).unwrap();
    assert_eq!((payments(&shop, order), shop.facts(order).order.captured().get()), (known, 5_300));
    shop.assert_clean();
}

fn a_slip_that_comes_in_under_another_name_counts_once(on: Backend) {
    let shop = Shop::new(on);
    let told = || unpaid("a").pay("card", "simulated", 2_000);
    let order = shop.put(told());
    let unnamed = |amount| SlipDraft { reference: String::new(), ..draft(order, amount, Paid) };
    make(&shop, vec![unnamed("30"), unnamed("3")]).unwrap();
    // The platform knows of the first one, by a name of its own, and not of the second.
    shop.put(told().pay("transfer", "manual", 3_000));
    let captured: Vec<i64> = shop.facts(order).order.payments.iter().map(|paid| paid.captured.get()).collect();
    assert_eq!((captured.iter().sum::<i64>(), captured.len()), (5_300, 3), "{captured:?}");
    let refused = make(&shop, vec![unnamed("0.01")]).unwrap_err();
    assert!(matches!(refused, SlipNo::Fault(Fault::PaysTooMuch { .. })), "{refused:?}");
    shop.assert_clean();

    // One that the platform knows, and calls unpaid because another one brought the money.
    let bank = |captured| {
        let mut told = unpaid("b").pay("bank", "manual", captured);
        told.payments[0].kind = PaymentKind::Custom;
        told
    };
    let order = shop.put(bank(0));
    alter(&shop, vec![change(order, payments(&shop, order)[0], None, Some(Paid))]).unwrap();
    assert_eq!(shop.put(bank(0)), order);
    assert_eq!(states(&shop, order), [(Paid, 5_300, 5_300)]);
    for (here, there) in [(0, 5_300), (2_000, 3_300)] {
        shop.put(bank(here).pay("card", "simulated", there));
        assert_eq!(shop.facts(order).order.captured().get(), 5_300);
        shop.assert_clean();
    }
}

fn whoever_knows_what_a_slip_settled_in_is_believed(on: Backend) {
    let shop = Shop::new(on);
    let bank = |own, captured| {
        let mut told = unpaid("a").pay_in("bank", "EUR", own, captured);
        told.payments[0].kind = PaymentKind::Custom;
        told
    };
    let order = shop.put(bank(0, 0));
    let settled = |shop: &Shop| {
        let paid = shop.facts(order).order.payments[0].clone();
        (paid.captured.get(), paid.own_currency.code(), paid.own_captured.get())
    };
    // What it is told here, it is told in the order's currency.
    alter(&shop, vec![change(order, payments(&shop, order)[0], None, Some(Paid))]).unwrap();
    shop.put(bank(0, 0));
    assert_eq!(settled(&shop), (5_300, "USD", 5_300));
    shop.put(bank(4_900, 5_300));
    assert_eq!(settled(&shop), (5_300, "EUR", 4_900));
    shop.assert_clean();
}
