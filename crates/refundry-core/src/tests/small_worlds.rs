//! Small worlds, all of them: every order of up to three lines of up to three units with odd totals, every sequence of
//! a few refunds. Whatever the sequence, shares are never negative, never above what is left, and end at what was paid.

use super::book::Book;
use super::world::{by_name, line, order, pay};
use crate::balances::{Balances, Facts};
use crate::command::{Ask, PartAsk, PartMoney, Parts, RefundRequest, Target, UnitAsk, UnitMode};
use crate::decide::{accept, decide};
use crate::money::{Amount, Decimal};
use crate::order::Order;
use crate::refund::Restock;

/// Units and totals (net, tax) of a line.
type Shape = (u32, i64, i64);

#[derive(Clone, Copy, Debug)]
enum Move {
    Units(usize, u32),
    Money(usize, i64),
}

fn sell(shapes: &[Shape]) -> Order {
    let mut order = order("USD");
    for (index, (quantity, net, tax)) in shapes.iter().enumerate() {
        line(&mut order, &format!("l{index}"), *quantity, *net, *tax);
        order.lines[index].shipped = quantity / 2;
    }
    let charged = order.charged().get();
    pay(&mut order, "card", charged);
    order
}

fn request(one: Move) -> RefundRequest {
    let name = |line: usize| by_name(&format!("l{line}"));
    RefundRequest::of(Ask::Parts(match one {
        Move::Units(line, quantity) => {
            let (line, location, mode) = (name(line), String::new(), UnitMode::Automatic);
            let quantity = Some(i64::from(quantity));
            Parts { units: vec![UnitAsk { line, quantity, mode, restock: Restock::No, location }], ..Parts::default() }
        }
        Move::Money(line, cents) => {
            let money = PartMoney::Gross(Decimal::from_parts(i128::from(cents), 2));
            Parts { parts: vec![PartAsk { target: Target::Goods(name(line)), money }], ..Parts::default() }
        }
    }))
}

/// Every sequence of so many moves, from these facts on; the figures after each are held against what is left.
fn walk(facts: &mut Facts, moves: &[Move], steps: u32, seen: &mut u64) {
    *seen += 1;
    if steps == 0 || !facts.payments_left().is_positive() {
        return end(facts);
    }
    let mut stuck = true;
    for one in moves {
        let request = request(*one);
        let Ok(quote) = decide(facts, &request) else {
            assert!(is_refused_rightly(facts, *one), "{one:?} of {:?} is refused", facts.balances);
            continue;
        };
        stuck = false;
        let amount = quote.amount;
        let mut next_id = 0;
        let decision = accept(facts, &super::book::create(&request), quote, 1, &mut || {
            next_id += 1;
            next_id
        });
        check_share(facts, &decision.balances, *one, amount);
        let before = std::mem::replace(&mut facts.balances, decision.balances);
        walk(facts, moves, steps - 1, seen);
        facts.balances = before;
    }
    if stuck {
        end(facts);
    }
}

/// Units may be gone or worth nothing, money may be gone.
fn is_refused_rightly(facts: &Facts, one: Move) -> bool {
    match one {
        Move::Units(line, n) => {
            let open = facts.order.lines[line].quantity - facts.units_refunded(line).all();
            n > open || facts.next_units(line, n).net + facts.next_units(line, n).tax == Amount::ZERO
        }
        Move::Money(line, cents) => Amount::minor(cents) > facts.component_left_gross(line),
    }
}

fn check_share(facts: &Facts, after: &Balances, one: Move, amount: Amount) {
    let (Move::Units(line, _) | Move::Money(line, _)) = one;
    let (net_left, tax_left) = facts.component_left(line);
    let (before, after) = (facts.balances.components[line], after.components[line]);
    let (net, tax) = (after.net - before.net, after.tax - before.tax);
    assert!(!net.is_negative() && net <= net_left, "{one:?}: net {net:?} of {net_left:?}");
    assert!(!tax.is_negative() && tax <= tax_left, "{one:?}: tax {tax:?} of {tax_left:?}");
    assert_eq!(net + tax, amount, "{one:?}: shares are the amount");
    let Move::Units(_, n) = one else { return };
    // Fair: n of the open units are worth n shares of what is open, within a cent for net and one for tax.
    let open = facts.order.lines[line].quantity - facts.units_refunded(line).all();
    for (share, left) in [(net, net_left), (tax, tax_left)] {
        let off = share.get() * i64::from(open) - left.get() * i64::from(n);
        assert!(off.abs() < 2 * i64::from(open), "{one:?}: {share:?} of {left:?} for {n} of {open}");
    }
}

/// The open units of every line, taken together, are worth exactly what the line has left.
fn end(facts: &Facts) {
    for line in 0..facts.order.lines.len() {
        let open = facts.order.lines[line].quantity - facts.units_refunded(line).all();
        if open == 0 {
            let mut closed = facts.balances.components[line];
            closed.net += facts.component_left(line).0;
            assert_eq!(closed.net, facts.order.goods(line).net);
            continue;
        }
        let share = facts.next_units(line, open);
        assert_eq!((share.net, share.tax), facts.component_left(line), "the last units take the rest");
    }
}

fn moves_of(shapes: &[Shape], cents: impl Fn(i64) -> Vec<i64>) -> Vec<Move> {
    let mut moves = Vec::new();
    for (line, (quantity, net, tax)) in shapes.iter().enumerate() {
        moves.extend((1..=*quantity).map(|n| Move::Units(line, n)));
        moves.extend(cents(net + tax).into_iter().map(|cents| Move::Money(line, cents)));
    }
    moves
}

#[test]
fn every_sequence_on_one_line() {
    let mut seen = 0;
    for quantity in 1..=3 {
        for net in 0..=7 {
            for tax in 0..=3 {
                let shape = [(quantity, net, tax)];
                let moves = moves_of(&shape, |all| (1..=all).collect());
                walk(&mut Facts::fresh(sell(&shape)), &moves, 5, &mut seen);
            }
        }
    }
    assert!(seen > 20_000, "{seen} worlds");
}

#[test]
fn every_sequence_on_two_and_three_lines() {
    let shapes: Vec<Shape> = (1..=3).flat_map(|q| [(q, 1, 0), (q, 5, 1), (q, 4, 3)]).collect();
    let mut seen = 0;
    for (i, a) in shapes.iter().enumerate() {
        for (j, b) in shapes.iter().enumerate().skip(i) {
            let two = [*a, *b];
            let one_cent = |all: i64| if all > 1 { vec![1] } else { Vec::new() };
            walk(&mut Facts::fresh(sell(&two)), &moves_of(&two, one_cent), 3, &mut seen);
            // The third line is enough to see that lines leave each other alone: its totals vary less.
            for c in shapes.iter().skip(j).filter(|c| c.1 == 5) {
                let three = [*a, *b, *c];
                walk(&mut Facts::fresh(sell(&three)), &moves_of(&three, |_| Vec::new()), 3, &mut seen);
            }
        }
    }
    assert!(seen > 10_000, "{seen} worlds");
}

/// Unit by unit in every order of the lines, with a cent of money first or not, the books end at exactly what was paid.
#[test]
fn units_in_every_order_end_at_what_was_paid() {
    for (quantity, net, tax) in [(3, 100, 7), (3, 10, 4), (2, 9, 3), (3, 11, 0), (3, 0, 13)] {
        for cents in 0..=2 {
            for after in 0..quantity {
                let mut book = Book::open(sell(&[(quantity, net, tax)]));
                for unit in 0..quantity {
                    if unit == after && cents > 0 {
                        book.ask(&request(Move::Money(0, cents))).expect("money is left");
                    }
                    book.ask(&request(Move::Units(0, 1))).expect("a unit is left");
                }
                assert!(book.facts.payments_left().is_zero(), "{quantity} units of {net} and {tax}, {cents} first");
                assert!(book.facts.balances.discrepancy.is_zero());
            }
        }
    }
}
