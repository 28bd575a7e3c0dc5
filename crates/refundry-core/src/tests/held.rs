//! Money over held channels: it waits for a person, and ends when that person says it did.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::{dec, facts, line, order, pay, payment, rounded};
use crate::balances::Facts;
use crate::command::{Ask, CreateRefund, Parts, Total};
use crate::decide::{News, accept, decide, settle_at};
use crate::order::{Dialect, PaymentKind, Reference};
use crate::payouts::{Payouts, Terms};
use crate::refund::{LegState, Progress, Refund, Route};

/// An order of 10.00 by `bogus` and 5.00 by a custom channel; some channels are held.
fn world(held: &[&str]) -> Facts {
    let mut order = order("USD");
    line(&mut order, "hat", 1, 1_500, 0);
    pay(&mut order, "bogus", 1_000);
    "bogus".clone_into(&mut order.payments[0].channel);
    order.payments.push(crate::order::Payment {
        id: 77,
        channel: "Bank".to_owned(),
        kind: PaymentKind::Custom,
        gateway: "manual".to_owned(),
        ..payment("bank", 500)
    });
    let held: BTreeSet<String> = held.iter().map(|channel| (*channel).to_owned()).collect();
    let payouts = Arc::new(Payouts { held, ..Payouts::default() });
    Facts { terms: Terms { asked_ms: 0, payouts }, ..facts(order) }
}

fn refund_all(facts: &Facts) -> (Facts, Refund) {
    let request = rounded(Ask::Parts(Parts { total: Total::Stated(dec("15.00")), ..Parts::default() }));
    let quote = decide(facts, &request).unwrap();
    let order = Reference { text: String::new(), ours: Some(facts.order.id) };
    let command = CreateRefund::new(order, Dialect::Shoplazza, request);
    let mut id = 1_000;
    let decision = accept(facts, &command, quote, 5_000, &mut || {
        id += 1;
        id
    });
    (Facts { balances: decision.balances, ..facts.clone() }, decision.refund)
}

#[test]
fn a_held_leg_waits_and_any_other_goes_its_way() {
    // Held channels, then of each leg: route, gateway, state.
    let waits = |gateway| (Route::Original, gateway, LegState::Waiting);
    let paid = (Route::Outside, "", LegState::Succeeded { at_ms: 5_000 });
    let cases = [
        (&[][..], [waits(""), paid.clone()], Progress::Begun),
        (&["bogus"][..], [waits("manual"), paid], Progress::Begun),
        // That the payment names the manual gateway itself makes no difference.
        (&["bank"][..], [waits(""), waits("")], Progress::Untouched),
        (&["bank", "bogus"][..], [waits("manual"), waits("")], Progress::Untouched),
    ];
    for (held, expected, progress) in cases {
        let (_, refund) = refund_all(&world(held));
        let legs = refund.legs.iter().map(|leg| (leg.route, leg.gateway.as_str(), leg.state.clone()));
        assert_eq!(legs.collect::<Vec<_>>(), expected, "{held:?}");
        assert_eq!(refund.progress(), progress, "{held:?}");
    }
}

#[test]
fn a_leg_ends_when_it_happened_and_the_refund_changes_when_it_is_told() {
    let (facts, refund) = refund_all(&world(&["bank", "bogus"]));
    let news = || News::Succeeded { reference: "wire".to_owned() };
    let first = settle_at(&facts, &refund, 0, news(), (6_000, 9_000)).unwrap();
    assert_eq!(first.refund.legs[0].state, LegState::Succeeded { at_ms: 6_000 });
    assert_eq!((first.refund.updated_ms, first.balances.updated_ms), (9_000, 9_000));
    assert_eq!(first.refund.progress(), Progress::Begun);
    let facts = Facts { balances: first.balances, ..facts };
    assert!(settle_at(&facts, &first.refund, 0, news(), (7_000, 9_500)).is_err(), "told already");
    let second = settle_at(&facts, &first.refund, 1, news(), (6_000, 9_000)).unwrap();
    assert_eq!(second.refund.progress(), Progress::Over);
    assert_eq!((second.balances.succeeded().get(), second.balances.pending().get()), (1_500, 0));
    assert_eq!(second.refund.legs[1].reference, "wire");
}
