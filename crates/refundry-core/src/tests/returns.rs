//! A table of what comes back and what does not, and random histories of orders with their parcels and returns.

use std::collections::BTreeMap;

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use arbtest::arbtest;

use super::random::any_order;
use super::world::{by_name, facts, line, order, pay};
use crate::balances::Facts;
use crate::command::{Ask, CreateRefund, Parts, RefundRequest, UnitAsk, UnitMode};
use crate::decide::{accept, decide};
use crate::life::Life;
use crate::limits::RETURNS_PER_ORDER_MAX;
use crate::order::{Dialect, Id, Order, Reference, Status};
use crate::parcels::{Parcel, ParcelState, Shipment, ship, unship};
use crate::refund::Restock;
use crate::returns::{
    Return, ReturnDraft, ReturnFault, ReturnLine, ReturnReason, ReturnState, ReturnUnits, call_off, close, open,
};

/// An order with what left and what comes back.
struct Yard {
    facts: Facts,
    parcels: Vec<Parcel>,
    returns: Vec<Return>,
    now_ms: i64,
    next: Id,
}

impl Yard {
    fn new(order: Order) -> Self {
        Self { facts: facts(order), parcels: Vec::new(), returns: Vec::new(), now_ms: 10, next: 1_000 }
    }

    fn put(&mut self, order: Order) {
        order.validate().expect("a valid order");
        self.facts = Facts::new(order.into(), self.facts.balances.clone());
    }

    fn ship(&mut self, units: Vec<(Reference, Option<u32>)>) -> bool {
        let number = u32::try_from(self.parcels.len()).expect("few") + 1;
        let shipment = Shipment { units, ..Shipment::default() };
        let Ok((order, parcel)) = ship(&self.facts, &shipment, (u64::from(number), number), self.now_ms) else {
            return false;
        };
        self.put(order);
        self.parcels.push(parcel);
        true
    }

    fn unship(&mut self, index: usize) -> bool {
        let Ok(Some((order, parcel))) = unship(&self.facts, &self.parcels[index], self.now_ms) else { return false };
        self.put(order);
        for back in &mut self.returns {
            *back = call_off(back, parcel.id, self.now_ms).unwrap_or_else(|| back.clone());
        }
        self.parcels[index] = parcel;
        true
    }

    fn open(&mut self, units: Vec<ReturnUnits>) -> Result<(), ReturnFault> {
        let draft = ReturnDraft { units, reason: "so".to_owned(), ..ReturnDraft::default() };
        let (before, next) = (self.next, &mut self.next);
        let mut give = || {
            *next += 1;
            *next
        };
        let opened = open(&self.facts, &self.parcels, &self.returns, &draft, self.now_ms, &mut give);
        match opened {
            Ok(back) => self.returns.push(back),
            Err(fault) => {
                assert_eq!(self.next, before, "a refusal uses no number up");
                return Err(fault);
            }
        }
        Ok(())
    }

    fn close(&mut self, index: usize) -> Result<bool, ReturnFault> {
        let Some(back) = close(&self.returns[index], false, self.now_ms)? else { return Ok(false) };
        self.returns[index] = back;
        Ok(true)
    }

    fn refund(&mut self, line: Reference, quantity: i64, mode: UnitMode) -> bool {
        let ask = UnitAsk { line, quantity: Some(quantity), mode, restock: Restock::No, location: String::new() };
        let request = RefundRequest::of(Ask::Parts(Parts { units: vec![ask], ..Parts::default() }));
        let Ok(quote) = decide(&self.facts, &request) else { return false };
        let command = CreateRefund::new(by_name("T1"), Dialect::Native, request);
        let next = &mut self.next;
        let mut give = || {
            *next += 1;
            *next
        };
        self.facts.balances = accept(&self.facts, &command, quote, self.now_ms, &mut give).balances;
        true
    }

    /// Does a step: `ship 2 a`, `unship p1`, `back 1 a of p1, 1 b`, `close r1`, `refund 1 a`.
    fn step(&mut self, step: &str) -> String {
        let (verb, rest) = step.split_once(' ').expect("a verb");
        let index = || rest[1..].parse::<usize>().expect("a number") - 1;
        let done = |done: bool| if done { "ok" } else { "no" }.to_owned();
        let units = |text: &str| {
            let (quantity, line) = text.split_once(' ').expect("`2 a`");
            (quantity.parse::<i64>().expect("a quantity"), by_name(line))
        };
        match verb {
            "ship" => {
                let (quantity, line) = units(rest);
                let shipped = self.ship(vec![(line, u32::try_from(quantity).ok())]);
                done(shipped)
            }
            "unship" => {
                let called_off = self.unship(index());
                done(called_off)
            }
            "refund" => {
                let (quantity, line) = units(rest);
                let refunded = self.refund(line, quantity, UnitMode::Shipped);
                done(refunded)
            }
            "back" => {
                let entries = rest.split(", ").filter(|entry| !entry.is_empty() && *entry != "none").map(entry);
                let opened = self.open(entries.collect());
                opened.map_or_else(|fault| told(&fault), |()| format!("r{}", self.returns.len()))
            }
            "close" => match self.close(index()) {
                Ok(true) => "closed".to_owned(),
                Ok(false) => "closed before".to_owned(),
                Err(fault) => told(&fault),
            },
            other => panic!("no step {other}"),
        }
    }
}

/// Reads `1 a of p1`, or `1 a` where the parcel is not known.
fn entry(text: &str) -> ReturnUnits {
    let (units, parcel) = text.split_once(" of ").map_or((text, None), |(units, parcel)| (units, Some(parcel)));
    let (quantity, line) = units.split_once(' ').expect("`1 a`");
    let parcel = parcel.map(|name| Reference { text: name.to_owned(), ours: name[1..].parse().ok() });
    let quantity = quantity.parse().expect("a quantity");
    ReturnUnits { parcel, line: by_name(line), quantity, reason: None, note: String::new() }
}

fn told(fault: &ReturnFault) -> String {
    match fault {
        ReturnFault::ReturnUnknown(id) => format!("no return {id}"),
        ReturnFault::Over(state) => format!("it is {}", state.code()),
        ReturnFault::NoUnits => "no units".to_owned(),
        ReturnFault::TooMany => "too many returns".to_owned(),
        ReturnFault::LineUnknown { entry, line } => format!("{entry}: no line {line}"),
        ReturnFault::ParcelUnknown { entry, parcel } => format!("{entry}: no parcel {parcel}"),
        ReturnFault::ParcelCancelled { entry, parcel } => format!("{entry}: {parcel} was called off"),
        ReturnFault::NotInParcel { entry, line, parcel } => format!("{entry}: no {line} in {parcel}"),
        ReturnFault::QuantityInvalid { entry } => format!("{entry}: no quantity"),
        ReturnFault::TooManyUnits { entry, line, asked, left } => format!("{entry}: {asked} {line}, {left} left"),
    }
}

/// 3 of `a` for 30.00, 2 of `b` for 10.00, all paid.
fn sold() -> Order {
    let mut sold = order("USD");
    line(&mut sold, "a", 3, 3_000, 0);
    line(&mut sold, "b", 2, 1_000, 0);
    pay(&mut sold, "card", 4_000);
    sold
}

#[test]
fn units_come_back_that_left_and_are_not_spoken_for() {
    // Each step, and what came of it.
    let cases: [&[(&str, &str)]; 12] = [
        &[("back 1 a of p1", "0: no parcel p1"), ("back 1 a", "0: 1 a, 0 left")],
        &[("ship 2 a", "ok"), ("back 2 a of p1", "r1"), ("back 1 a of p1", "0: 1 a, 0 left")],
        &[("ship 2 a", "ok"), ("back 3 a of p1", "0: 3 a, 2 left"), ("back 1 b of p1", "0: no b in p1")],
        &[
            ("ship 2 a", "ok"),
            ("back 1 a of p1, 1 a of p1", "r1"),
            ("back 1 a of p1", "0: 1 a, 0 left"),
            ("close r1", "closed"),
            ("close r1", "closed before"),
            ("back 1 a of p1, 2 a of p1", "1: 2 a, 1 left"),
            ("back 2 a of p1", "r2"),
        ],
        // Refunded units come back no more, whichever parcel they left in.
        &[("ship 2 a", "ok"), ("refund 1 a", "ok"), ("back 2 a of p1", "0: 2 a, 1 left"), ("back 1 a of p1", "r1")],
        &[
            ("ship 1 a", "ok"),
            ("ship 1 a", "ok"),
            ("refund 1 a", "ok"),
            ("back 1 a of p2", "r1"),
            ("back 1 a of p1", "0: 1 a, 0 left"),
        ],
        // A refund of what is on its way counts beside it until the return is closed, and for good after.
        &[
            ("ship 2 a", "ok"),
            ("back 1 a of p1", "r1"),
            ("refund 1 a", "ok"),
            ("back 1 a of p1", "0: 1 a, 0 left"),
            ("close r1", "closed"),
            ("back 1 a of p1", "r2"),
            ("close r2", "closed"),
            ("refund 1 a", "ok"),
            ("back 1 a of p1", "0: 1 a, 0 left"),
        ],
        // What never left cannot come back.
        &[
            ("ship 2 a", "ok"),
            ("ship 1 b", "ok"),
            ("back 1 a of p1", "r1"),
            ("back 1 b of p2", "r2"),
            ("unship p1", "ok"),
            ("close r1", "it is cancelled"),
            ("close r2", "closed"),
            ("back 1 a of p1", "0: p1 was called off"),
            ("back 1 a", "0: 1 a, 0 left"),
        ],
        // Without a parcel, what left of the line counts, in parcels and out of them.
        &[
            ("ship 2 a", "ok"),
            ("back 1 a", "r1"),
            ("back 2 a of p1", "0: 2 a, 1 left"),
            ("back 1 a of p1", "r2"),
            ("back 1 a", "0: 1 a, 0 left"),
        ],
        &[("ship 1 a", "ok"), ("back 1 a of p1, 1 c of p1", "1: no line c"), ("back 1 a of p1", "r1")],
        &[("ship 1 a", "ok"), ("back 0 a of p1", "0: no quantity"), ("back -1 a of p1", "0: no quantity")],
        &[("ship 1 a", "ok"), ("back none", "no units"), ("back 4294967297 a of p1", "0: 4294967297 a, 1 left")],
    ];
    for steps in cases {
        let mut yard = Yard::new(sold());
        for (step, expected) in steps {
            assert_eq!(yard.step(step), *expected, "{step} of {steps:?}");
            yard.now_ms += 1;
        }
    }
}

#[test]
fn a_return_says_what_was_asked() {
    let mut yard = Yard::new(sold());
    yard.step("ship 2 a");
    let worn = ReturnUnits { reason: Some(ReturnReason::Style), note: "worn".to_owned(), ..entry("1 a of p1") };
    let draft = ReturnDraft {
        units: vec![worn, entry("1 a")],
        reason: "changed their mind".to_owned(),
        notify: true,
        processed_ms: Some(5),
    };
    let mut last = 500;
    let mut next = || {
        last += 1;
        last
    };
    let back = open(&yard.facts, &yard.parcels, &[], &draft, 10, &mut next).unwrap();
    let line = ReturnLine {
        id: 502,
        parcel: Some(1),
        line: 100,
        quantity: 1,
        reason: Some(ReturnReason::Style),
        note: "worn".to_owned(),
    };
    let other = ReturnLine { id: 503, parcel: None, line: 100, quantity: 1, reason: None, note: String::new() };
    let expected = Return {
        id: 501,
        order: 1,
        state: ReturnState::Open,
        reason: "changed their mind".to_owned(),
        notify: true,
        processed_ms: Some(5),
        lines: vec![line, other],
        created_ms: 10,
        updated_ms: 10,
    };
    assert_eq!(back, expected);
    let closed = close(&Return { notify: false, ..back.clone() }, true, 20).unwrap().unwrap();
    assert_eq!(closed, Return { state: ReturnState::Closed, updated_ms: 20, ..back });
}

#[test]
fn a_parcel_is_found_by_the_platforms_id_first() {
    let mut yard = Yard::new(sold());
    yard.step("ship 1 a");
    yard.step("ship 1 b");
    yard.parcels[1].external_id = Some("1".to_owned());
    let named = ReturnUnits { parcel: Some(Reference::plain("1")), ..entry("1 b") };
    yard.open(vec![named]).unwrap();
    assert_eq!(yard.returns[0].lines[0].parcel, Some(2));
}

#[test]
fn goods_of_an_order_that_was_called_off_or_never_paid_come_back_all_the_same() {
    let mut yard = Yard::new(Order { payments: Vec::new(), ..sold() });
    yard.step("ship 1 a");
    let off = Order { status: Status::Cancelled, ..Order::clone(&yard.facts.order) };
    yard.put(off);
    assert_eq!(yard.step("back 1 a of p1"), "r1");
}

#[test]
fn an_order_has_only_so_many_returns() {
    let mut yard = Yard::new(sold());
    yard.step("ship 1 a");
    for _ in 0..RETURNS_PER_ORDER_MAX {
        yard.open(vec![entry("1 a of p1")]).unwrap();
        yard.close(yard.returns.len() - 1).unwrap();
    }
    assert_eq!(yard.step("back 1 a of p1"), "too many returns");
}

#[test]
fn codes_are_read_back() {
    for state in ReturnState::ALL {
        assert_eq!(ReturnState::parse(state.code()), Some(state));
    }
    for reason in ReturnReason::ALL {
        assert_eq!(ReturnReason::parse(reason.code()), Some(reason));
    }
    assert_eq!((ReturnState::parse("OPEN"), ReturnReason::parse("")), (None, None));
}

/// One random thing that happens to an order with its parcels and returns.
fn step(u: &mut Unstructured<'_>, yard: &mut Yard) -> Arbitrary<()> {
    let line = u.choose_index(yard.facts.order.lines.len())?;
    let line = Reference { text: String::new(), ours: Some(yard.facts.order.lines[line].id) };
    let parcel = if yard.parcels.is_empty() { None } else { Some(u.choose_index(yard.parcels.len())?) };
    let back = if yard.returns.is_empty() { None } else { Some(u.choose_index(yard.returns.len())?) };
    match (u.int_in_range(0..=7)?, parcel, back) {
        (0 | 1, ..) => {
            yard.ship(vec![(line, Some(u.int_in_range(0..=3)?))]);
        }
        (2, Some(parcel), _) => {
            yard.unship(parcel);
        }
        (3, _, Some(back)) => {
            let _ = yard.close(back);
        }
        (4, ..) => {
            let mode = if u.arbitrary()? { UnitMode::Shipped } else { UnitMode::Automatic };
            yard.refund(line, u.int_in_range(1..=2)?, mode);
        }
        _ => {
            let mut units = Vec::new();
            for _ in 0..u.int_in_range(1..=2)? {
                let known = parcel.map(|index| Reference { text: String::new(), ours: Some(yard.parcels[index].id) });
                let parcel = if u.arbitrary()? { known } else { None };
                let quantity = u.int_in_range(0..=3)?;
                let (line, note) = (line.clone(), String::new());
                units.push(ReturnUnits { parcel, line, quantity, reason: None, note });
            }
            let before = held(yard, ReturnState::Open);
            if yard.open(units).is_ok() {
                assert_room(yard, &before);
            }
        }
    }
    Ok(())
}

/// Units by line in returns of a state.
fn held(yard: &Yard, state: ReturnState) -> BTreeMap<Id, u32> {
    let mut held = BTreeMap::new();
    for line in yard.returns.iter().filter(|back| back.state == state).flat_map(|back| &back.lines) {
        *held.entry(line.line).or_default() += line.quantity;
    }
    held
}

/// A return was made: all that is spoken for of a line it grew left before.
fn assert_room(yard: &Yard, before: &BTreeMap<Id, u32>) {
    let now = held(yard, ReturnState::Open);
    for (index, line) in yard.facts.order.lines.iter().enumerate() {
        let (was, is) = (before.get(&line.id).copied().unwrap_or(0), now.get(&line.id).copied().unwrap_or(0));
        assert!(is == was || is + yard.facts.units_refunded(index).shipped <= line.shipped, "line {index}");
    }
}

#[test]
fn no_history_brings_back_more_than_left() {
    arbtest(|u| {
        let order = any_order(u)?;
        let mut yard = Yard::new(Order { life: Life::default(), ..order });
        for _ in 0..u.int_in_range(1..=16)? {
            step(u, &mut yard)?;
            let mut inside: BTreeMap<(Id, Id), u32> = BTreeMap::new();
            for line in yard.returns.iter().filter(|back| back.state == ReturnState::Open).flat_map(|back| &back.lines)
            {
                if let Some(parcel) = line.parcel {
                    *inside.entry((parcel, line.line)).or_default() += line.quantity;
                }
            }
            for ((parcel, line), held) in inside {
                let parcel = yard.parcels.iter().find(|known| known.id == parcel).expect("a parcel of the order");
                assert_ne!(parcel.state, ParcelState::Cancelled);
                assert!(held <= parcel.units_of(line), "no parcel gives back more than it took");
            }
        }
        Ok(())
    });
}
