//! Refunds by whole units alone, on both databases: what is stored of them opens again when they fail.

use refundry_core::command::{Ask, RefundRequest, UnitAsk, UnitMode};
use refundry_core::order::ComponentKind;
use refundry_core::refund::Restock;
use refundry_core::rejection::Rejection;

use crate::shop::{Backend, Build, Shop, amount, declined, done, named, order};

on_both!(shipping_goes_with_the_last_units_and_comes_back_with_them);

fn all_of(lines: &[(&str, i64)]) -> RefundRequest {
    let unit = |(line, quantity): &(&str, i64)| UnitAsk {
        line: named(line),
        quantity: Some(*quantity),
        mode: UnitMode::Automatic,
        restock: Restock::No,
        location: String::new(),
    };
    RefundRequest::of(Ask::Lines { units: lines.iter().map(unit).collect(), returned: true })
}

fn shipping_goes_with_the_last_units_and_comes_back_with_them(on: Backend) {
    let shop = Shop::new(on);
    let sold = order("units", "USD").line("cap", 2, 2_000, 200).line("mug", 1, 1_000, 0);
    let id = shop.put(sold.part(ComponentKind::Shipping, None, 500, 50).pay("card", "simulated", 3_750));
    // Each refund's amount in minor units, and whether its payment is taken.
    for (lines, minor, taken) in [
        (&[("cap", 1)][..], 1_100, true),
        (&[("cap", 1), ("mug", 1)], 2_650, false),
        (&[("mug", 1)], 1_000, true),
        (&[("cap", 1)], 1_650, false),
    ] {
        let accepted = shop.create(id, all_of(lines)).unwrap();
        assert_eq!(accepted.refund.amount.get(), minor, "{lines:?}");
        for call in shop.calls() {
            let answer = if taken { done(&call) } else { declined() };
            assert!(shop.record(&call, answer).is_some());
        }
        shop.assert_clean();
    }
    shop.create(id, amount("0.50")).unwrap();
    assert_eq!(shop.create(id, all_of(&[("cap", 1)])).err(), Some(Rejection::AmountsOnly));
    shop.assert_clean();
}
