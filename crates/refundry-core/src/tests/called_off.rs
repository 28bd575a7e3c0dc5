//! What goes back of an order that is called off: its waiting units leave it, whatever the amount is.
//! Figures are the amount, and how much of it is beyond what the units are worth.

use super::world::{by_name, dec, facts, line, order, part, pay};
use crate::balances::Facts;
use crate::call_off::with_waiting_units;
use crate::command::{Ask, Parts, RefundRequest, Total};
use crate::decide::decide;
use crate::money::Amount;
use crate::order::ComponentKind;
use crate::refund::{Bucket, Restock};

/// Two of `a` at 10.00 + 1.00, one of them shipped; three of `b` for 10.00; shipping 5.00: 37.00 paid.
fn sold() -> Facts {
    let mut sold = order("USD");
    line(&mut sold, "a", 2, 2_000, 200);
    line(&mut sold, "b", 3, 1_000, 0);
    sold.lines[0].shipped = 1;
    part(&mut sold, ComponentKind::Shipping, None, 500, 0);
    pay(&mut sold, "card", 3_700);
    facts(sold)
}

fn stated(amount: &str) -> RefundRequest {
    RefundRequest::of(Ask::Parts(Parts { total: Total::Stated(dec(amount)), ..Parts::default() }))
}

#[test]
fn waiting_units_leave_the_order_and_take_money_first() {
    let facts = sold();
    assert_eq!(facts.order.find_line(&by_name("b")), Some(1));
    for (amount, expected) in [
        // Less than the units are worth: the shop keeps the rest of their price.
        ("5.00", Ok((500, -1_600))),
        // One of `a` is 11.00, all of `b` are 10.00.
        ("21.00", Ok((2_100, 0))),
        ("26.00", Ok((2_600, 500))),
        ("37.00", Ok((3_700, 1_600))),
        ("37.01", Err("refundable_exceeded")),
        ("0", Err("amount_invalid")),
    ] {
        let request = with_waiting_units(&facts, &stated(amount), Restock::Cancel);
        let decided = decide(&facts, &request).map(|quote| {
            let moved: Vec<_> = quote.units.iter().map(|u| (u.line, u.quantity, u.bucket, u.restock)).collect();
            let expected = [(0, 1, Bucket::Waiting, Restock::Cancel), (1, 3, Bucket::Waiting, Restock::Cancel)];
            assert_eq!(moved, expected, "{amount}");
            let of_units: Amount = quote.units.iter().map(|units| units.net + units.tax).sum();
            (quote.amount.get(), (quote.amount - of_units).get())
        });
        assert_eq!(decided.map_err(|no| no.code()), expected, "{amount}");
    }
}

#[test]
fn where_nothing_waits_only_money_goes_back() {
    let mut facts = sold();
    for line in &mut std::sync::Arc::make_mut(&mut facts.order).lines {
        line.shipped = line.quantity;
    }
    let quote = decide(&facts, &with_waiting_units(&facts, &stated("4.00"), Restock::No)).expect("it is there");
    assert_eq!((quote.amount.get(), quote.units.len()), (400, 0));
}
