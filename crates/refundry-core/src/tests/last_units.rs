//! A table of refunds by whole units alone: shipping goes with the last of them, and an amount ends them.

use super::book::Book;
use super::world::{by_name, dec, line, order, part, pay};
use crate::command::{Ask, PartAsk, PartMoney, Parts, Target, Total, UnitAsk, UnitMode};
use crate::order::{ComponentKind, Order};
use crate::refund::{Bucket, Restock};
use crate::rejection::Rejection;

/// Two of `a` at 10.00 + 1.00, one of them shipped; three of `b` for 10.00; shipping 5.00 + 0.50; a tip of 3.00.
fn sold() -> Order {
    let mut sold = order("USD");
    line(&mut sold, "a", 2, 2_000, 200);
    line(&mut sold, "b", 3, 1_000, 0);
    sold.lines[0].shipped = 1;
    part(&mut sold, ComponentKind::Shipping, None, 500, 50);
    part(&mut sold, ComponentKind::Tip, None, 300, 0);
    pay(&mut sold, "card", 4_050);
    sold
}

fn unit(text: &str) -> UnitAsk {
    let (quantity, name) = text.split_once(' ').expect("`2 a`");
    let quantity = Some(quantity.parse().expect("a quantity"));
    let (mode, restock) = (UnitMode::Automatic, Restock::No);
    UnitAsk { line: by_name(name), quantity, mode, restock, location: String::new() }
}

/// Reads `1 a, 2 b` (lines), `price 5.00`, or `ship 1.00 with 1 a` (named parts, which other APIs ask for).
fn ask(text: &str) -> Ask {
    if let Some(price) = text.strip_prefix("price ") {
        return Ask::Parts(Parts { total: Total::Stated(dec(price)), ..Parts::default() });
    }
    if let Some((amount, units)) = text.strip_prefix("ship ").and_then(|rest| rest.split_once(" with ")) {
        let shipping = PartAsk { target: Target::Shipping, money: PartMoney::Gross(dec(amount)) };
        return Ask::Parts(Parts { units: vec![unit(units)], parts: vec![shipping], ..Parts::default() });
    }
    Ask::Lines { units: text.split(", ").map(unit).collect(), returned: true }
}

/// What came of each step: the amount in minor units, or the code of the refusal.
fn told(steps: &[&str]) -> Vec<String> {
    let mut book = Book::open(sold());
    let tell = |step: &&str| match book.ask_for(ask(step)) {
        Ok(refund) => book.refunds[refund].amount.get().to_string(),
        Err(rejection) => rejection.code().to_owned(),
    };
    steps.iter().map(tell).collect()
}

#[test]
fn shipping_goes_with_the_last_units_and_an_amount_ends_them() {
    let cases: [(&[&str], &[&str]); 13] = [
        (&["1 a"], &["1100"]),
        (&["2 a"], &["2200"]),
        // A line that is gone is not the last while another has units.
        (&["2 a", "2 b", "1 b"], &["2200", "667", "883"]),
        (&["3 b", "1 a", "1 a"], &["1000", "1100", "1650"]),
        (&["2 a, 3 b"], &["3750"]),
        (&["1 a, 1 a, 3 b"], &["3750"]),
        // What shipping gave before does not go again.
        (&["ship 1.50 with 1 a", "1 a, 3 b"], &["1250", "2500"]),
        (&["ship 5.50 with 1 a", "1 a, 3 b"], &["1650", "2100"]),
        (&["1 b", "1 b", "1 b"], &["333", "334", "333"]),
        // The tip stays; an amount takes it.
        (&["2 a, 3 b", "price 3.00", "price 0.01"], &["3750", "300", "nothing_left"]),
        (&["price 5.00", "1 a", "price 5.00"], &["500", "amounts_only", "500"]),
        (&["1 a", "price 29.51", "price 29.50", "1 a"], &["1100", "refundable_exceeded", "2950", "nothing_left"]),
        (
            &["3 a", "0 a", "1 c", "-1 b"],
            &["quantity_exceeded", "quantity_invalid", "line_unknown", "quantity_invalid"],
        ),
    ];
    for (steps, expected) in cases {
        assert_eq!(told(steps), expected, "{steps:?}");
    }
}

#[test]
fn units_that_were_shipped_came_back_where_the_request_says_so() {
    for (said, expected) in [(true, [false, true]), (false, [false, false])] {
        let mut book = Book::open(sold());
        book.ask_for(Ask::Lines { units: vec![unit("2 a")], returned: said }).expect("two are left");
        let moved = &book.refunds[0].units;
        assert_eq!([moved[0].bucket, moved[1].bucket], [Bucket::Waiting, Bucket::Shipped]);
        assert_eq!([moved[0].returned_goods, moved[1].returned_goods], expected);
        assert!(moved.iter().all(|units| units.restock == Restock::No));
    }
}

#[test]
fn an_amount_ends_lines_before_anything_else_is_judged() {
    let mut book = Book::open(sold());
    book.ask_for(ask("price 1.00")).expect("there is as much");
    assert_eq!(book.ask_for(ask("7 nowhere")), Err(Rejection::AmountsOnly));
    book.ask_for(ask("price 39.50")).expect("the rest");
    assert_eq!(book.ask_for(ask("1 a")), Err(Rejection::NothingLeft));
}
