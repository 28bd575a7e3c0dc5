//! Orders that are paid, shipped and delivered after they were made: to the cent, to the unit, and whatever is refunded
//! in between.

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use arbtest::arbtest;

use super::random::{any_order, any_request};
use super::world::{by_name, dec, line, order, pay};
use crate::balances::Facts;
use crate::command::{Ask, CreateRefund, Parts, RefundRequest, UnitAsk, UnitMode};
use crate::decide::{accept, decide};
use crate::journal::opening;
use crate::life::Life;
use crate::limits::AMOUNT_MINOR_MAX;
use crate::money::{Amount, AmountError};
use crate::order::{Dialect, Id, Order, PaymentKind, Status};
use crate::parcels::{Fault, Parcel, ParcelState, Shipment, Track, Tracking, TrackingChange, deliver, ship, unship};
use crate::paying::TransactionState::{self, RefundFailed, Refunded, Refunding, Success};
use crate::paying::{Card, PayLine, Transaction, capture, pay as pay_in, shown};
use crate::refund::Restock;
use crate::standing::{Goods, Money, Stage, standing};

fn told(channel: &str, reference: &str, amount: Option<&str>) -> PayLine {
    PayLine {
        channel: channel.to_owned(),
        method: "credit_card".to_owned(),
        kind: PaymentKind::Online,
        gateway: "simulated".to_owned(),
        name: String::new(),
        reference: reference.to_owned(),
        account: String::new(),
        amount: amount.map(dec),
        test: false,
        card: Card::default(),
    }
}

/// Numbers from 1000 on.
fn numbers() -> impl FnMut() -> Id {
    let mut last = 999;
    move || {
        last += 1;
        last
    }
}

fn paid(facts: &Facts, lines: &[PayLine]) -> Result<(Facts, Vec<Transaction>), Fault> {
    let (order, transactions) = pay_in(facts, lines, 7, &mut numbers())?;
    Ok((moved(facts, order), transactions))
}

/// The facts with another order: what the writer does.
fn moved(facts: &Facts, order: Order) -> Facts {
    order.validate().expect("a valid order");
    let mut balances = facts.balances.clone();
    balances.fit(&order);
    Facts::new(order.into(), balances)
}

/// 2 × 20.00 shirts, 3 × 10.00 mugs.
fn shop() -> Order {
    let mut order = order("USD");
    line(&mut order, "shirt", 2, 4_000, 0);
    line(&mut order, "mug", 3, 3_000, 0);
    order
}

fn captured(facts: &Facts) -> Vec<i64> {
    facts.order.payments.iter().map(|payment| payment.captured.get()).collect()
}

#[test]
fn what_is_open_is_paid_by_the_first_line_or_as_stated() {
    let facts = Facts::fresh(shop());
    for (lines, expected) in [
        (vec![told("a", "1", None)], vec![7_000]),
        (vec![told("a", "1", None), told("b", "2", None)], vec![7_000, 0]),
        (vec![told("a", "1", None), told("b", "2", Some("12.34"))], vec![5_766, 1_234]),
        (vec![told("a", "1", Some("10")), told("b", "2", None), told("c", "3", None)], vec![1_000, 6_000, 0]),
        (vec![told("a", "1", Some("70.00")), told("b", "2", None)], vec![7_000, 0]),
        (vec![told("a", "1", Some("69.99"))], vec![6_999]),
    ] {
        let (after, transactions) = paid(&facts, &lines).unwrap();
        assert_eq!(captured(&after), expected, "{lines:?}");
        let amounts: Vec<i64> = transactions.iter().map(|t| t.amount.get()).collect();
        assert_eq!(amounts, expected, "one transaction a line");
        let posted: i64 = opening(Some(&facts.order), &after.order).iter().map(|posting| posting.amount.get()).sum();
        assert_eq!(posted, 0, "an entry balances");
        assert_eq!(after.order.life.placed_ms, Some(7));
    }
    for (lines, fault) in [
        (
            vec![told("a", "1", Some("70.01"))],
            Fault::PaysTooMuch {
                asked: Amount::minor(7_001),
                open: Amount::minor(7_000),
                currency: facts.order.currency,
            },
        ),
        (
            vec![told("a", "1", Some("1.005"))],
            Fault::AmountInvalid { entry: 0, amount: dec("1.005"), why: AmountError::TooManyDecimals(2) },
        ),
        (
            vec![told("a", "1", None), told("b", "2", Some("-1"))],
            Fault::AmountInvalid { entry: 1, amount: dec("-1"), why: AmountError::NotPositive },
        ),
    ] {
        assert_eq!(paid(&facts, &lines), Err(fault));
    }
}

#[test]
fn the_largest_order_is_paid_whole_and_no_sum_of_lines_overflows() {
    let mut order = order("USD");
    line(&mut order, "ship", 1, AMOUNT_MINOR_MAX, 0);
    let facts = Facts::fresh(order);
    let (after, _) = paid(&facts, &[told("a", "1", None)]).unwrap();
    assert_eq!(captured(&after), [AMOUNT_MINOR_MAX]);
    let most = (AMOUNT_MINOR_MAX / 100).to_string();
    let lines: Vec<PayLine> = (0..100).map(|i| told("a", &i.to_string(), Some(&most))).collect();
    assert!(matches!(paid(&facts, &lines), Err(Fault::PaysTooMuch { .. })));
    let more = vec![told("a", "1", None); 101];
    assert!(matches!(paid(&facts, &more), Err(Fault::Order(_))), "too many payments");
}

#[test]
fn an_order_is_paid_once_and_never_when_it_was_called_off() {
    let facts = Facts::fresh(shop());
    let (after, _) = paid(&facts, &[told("a", "1", None)]).unwrap();
    assert_eq!(paid(&after, &[told("b", "2", None)]), Err(Fault::AlreadyPaid));
    let (part, _) = paid(&facts, &[told("a", "1", Some("50"))]).unwrap();
    assert_eq!(standing(&part).money, Money::PartlyPaid);
    let (whole, _) = paid(&part, &[told("b", "2", None)]).unwrap();
    assert_eq!(captured(&whole), [5_000, 2_000]);
    let off = Facts::fresh(Order { status: Status::Cancelled, ..shop() });
    assert_eq!(paid(&off, &[told("a", "1", None)]), Err(Fault::OrderCancelled));
    let mut free = order("USD");
    line(&mut free, "gift", 1, 0, 0);
    let (after, transactions) = paid(&Facts::fresh(free), &[told("a", "1", None)]).unwrap();
    assert_eq!((captured(&after), transactions.len()), (vec![0], 1), "what costs nothing is paid by nothing");
    assert_eq!(paid(&after, &[told("a", "1", None)]), Err(Fault::AlreadyPaid));
}

#[test]
fn a_payment_that_waits_is_completed_and_not_doubled() {
    let mut waiting = shop();
    pay(&mut waiting, "card", 0);
    waiting.payments[0].channel = "PayPal".to_owned();
    waiting.payments[0].account = "Jo Doe".to_owned();
    let facts = Facts::fresh(waiting);
    let (after, _) = paid(&facts, &[told("paypal", "t-1", None), told("paypal", "t-2", None)]).unwrap();
    let payments = &after.order.payments;
    assert_eq!((captured(&after), payments.len()), (vec![7_000, 0], 2));
    assert_eq!((payments[0].external_id.as_deref(), &*payments[0].reference), (Some("card"), "t-1"));
    assert_eq!(payments[0].account, "Jo Doe");
}

#[test]
fn a_test_payment_is_named_after_its_order() {
    let test = PayLine { test: true, ..told("bogus", "", None) };
    let (after, transactions) = paid(&Facts::fresh(shop()), std::slice::from_ref(&test)).unwrap();
    assert!(after.order.test && transactions[0].test);
    assert_eq!(transactions[0].trade_id, "test_000000000000000001");
    let theirs = Order { origin: Dialect::Shoplazza, external_id: Some("1-9".to_owned()), ..shop() };
    assert_eq!(paid(&Facts::fresh(theirs), &[test]).unwrap().1[0].trade_id, "test_1-9");
}

#[test]
fn what_is_held_is_captured_once_or_given_up() {
    let mut held = shop();
    held.payments.push(crate::order::Payment { channel: "stripe".to_owned(), ..super::world::payment("card", 0) });
    let facts = Facts::fresh(held);
    let [authorized] = &shown(&facts, &[])[..] else { panic!("one transaction") };
    assert_eq!((authorized.state, authorized.amount.get()), (TransactionState::Authorized, 7_000));
    let next = &mut numbers();
    assert_eq!(capture(&facts, &[], ("paypal", false), 7, next), Err(Fault::ChannelUnknown("paypal".to_owned())));
    let (order, transaction) = capture(&facts, &[], ("Stripe", false), 7, next).unwrap();
    assert_eq!((transaction.state, transaction.amount.get()), (TransactionState::Success, 7_000));
    let after = moved(&facts, order.unwrap());
    assert_eq!((captured(&after), after.order.life.placed_ms), (vec![7_000], Some(7)));
    let nothing = Err(Fault::NothingToCapture("stripe".to_owned()));
    assert_eq!(capture(&after, &[transaction], ("stripe", false), 8, next), nothing);
    let (order, given_up) = capture(&facts, &[], ("stripe", true), 7, next).unwrap();
    assert_eq!((order, given_up.state), (None, TransactionState::Void));
    assert_eq!(capture(&facts, &[given_up], ("stripe", false), 8, next), nothing);
    let off = Facts::fresh(Order { status: Status::Cancelled, ..Order::clone(&facts.order) });
    assert_eq!(capture(&off, &[], ("stripe", false), 7, next), Err(Fault::OrderCancelled));
    assert!(capture(&off, &[], ("stripe", true), 7, next).is_ok());
}

#[test]
fn a_card_is_never_kept_whole() {
    for (told, kept, first, last) in [
        ("4242 4242 4242 4242", "424242******4242", "424242", "4242"),
        ("4242-4242-4242-4242", "424242******4242", "424242", "4242"),
        ("424242******4242", "424242******4242", "424242", "4242"),
        ("123456789012", "********9012", "", "9012"),
        ("4242", "4242", "", "4242"),
        ("", "", "", ""),
    ] {
        let card = Card::of_number(told);
        assert_eq!((&*card.number, &*card.first_six(), &*card.last_four()), (kept, first, last), "{told}");
    }
}

fn shipment(units: &[(&str, Option<u32>)]) -> Shipment {
    Shipment { units: units.iter().map(|(line, n)| (by_name(line), *n)).collect(), ..Shipment::default() }
}

fn refund(facts: &mut Facts, request: RefundRequest) -> bool {
    let Ok(quote) = decide(facts, &request) else { return false };
    let command = CreateRefund::new(by_name("T1"), Dialect::Native, request);
    let next = &mut numbers();
    facts.balances = accept(facts, &command, quote, 9, next).balances;
    true
}

fn units(line: &str, quantity: i64, mode: UnitMode) -> RefundRequest {
    let ask =
        UnitAsk { line: by_name(line), quantity: Some(quantity), mode, restock: Restock::No, location: String::new() };
    RefundRequest::of(Ask::Parts(Parts { units: vec![ask], ..Parts::default() }))
}

#[test]
fn only_units_that_wait_are_shipped() {
    let (mut facts, _) = paid(&Facts::fresh(shop()), &[told("a", "1", None)]).unwrap();
    assert!(refund(&mut facts, units("mug", 1, UnitMode::Waiting)));
    let too_many =
        |entry, line: &str, asked, waiting| Fault::TooManyUnits { entry, line: line.to_owned(), asked, waiting };
    for (asked, fault) in [
        (shipment(&[("mug", Some(3))]), too_many(0, "mug", 3, 2)),
        (shipment(&[("mug", Some(1)), ("mug", Some(2))]), too_many(1, "mug", 2, 1)),
        (shipment(&[("cup", None)]), Fault::LineUnknown { entry: 0, line: "cup".to_owned() }),
        (shipment(&[("mug", Some(0))]), Fault::NothingToShip),
    ] {
        assert_eq!(ship(&facts, &asked, (5, 1), 10), Err(fault));
    }
    let (order, parcel) = ship(&facts, &shipment(&[("mug", Some(1)), ("mug", None)]), (5, 1), 10).unwrap();
    assert_eq!(parcel.units_of(101), 2);
    assert_eq!((parcel.state, order.life.fulfilled_ms), (ParcelState::Shipped, None));
    let facts = moved(&facts, order);
    assert_eq!(standing(&facts).goods, Goods::PartlyShipped);
    let (order, parcel) = ship(&facts, &Shipment::default(), (6, 2), 11).unwrap();
    assert_eq!((parcel.units_of(100), parcel.units_of(101)), (2, 0), "all that waits");
    assert_eq!(order.life.fulfilled_ms, Some(11));
    let facts = moved(&facts, order);
    assert_eq!(ship(&facts, &Shipment::default(), (7, 3), 12), Err(Fault::NothingToShip));
    let off = Facts::fresh(Order { status: Status::Cancelled, ..shop() });
    assert_eq!(ship(&off, &Shipment::default(), (7, 1), 12), Err(Fault::OrderCancelled));
}

#[test]
fn a_parcel_arrives_once_and_the_last_one_finishes_the_order() {
    let (facts, _) = paid(&Facts::fresh(shop()), &[told("a", "1", None)]).unwrap();
    let (order, first) = ship(&facts, &shipment(&[("mug", None)]), (5, 1), 10).unwrap();
    let facts = moved(&facts, order);
    let next = &mut numbers();
    let arrived = deliver(&facts, &first, 11, next).unwrap().unwrap();
    assert_eq!((arrived.order.life.delivered.clone(), arrived.order.life.finished_ms), (vec![0, 3], None));
    assert_eq!(deliver(&facts, &arrived.parcel, 12, next), Ok(None), "it arrived before");
    assert_eq!(unship(&facts, &arrived.parcel, 12), Err(Fault::ParcelOver(ParcelState::Finished)));
    let facts = moved(&facts, arrived.order);
    assert_eq!(standing(&facts).goods, Goods::PartlyFinished);
    let (order, second) = ship(&facts, &Shipment::default(), (6, 2), 13).unwrap();
    let facts = moved(&facts, order);
    let arrived = deliver(&facts, &second, 14, next).unwrap().unwrap();
    assert_eq!((arrived.order.life.finished_ms, arrived.transaction), (Some(14), None));
    assert_eq!(standing(&moved(&facts, arrived.order)).stage, Stage::Finished);
}

#[test]
fn cash_comes_with_the_last_parcel_unless_it_was_paid_before() {
    let mut cod = shop();
    pay(&mut cod, "cod", 0);
    cod.payments[0].kind = PaymentKind::CashOnDelivery;
    let next = &mut numbers();
    let facts = Facts::fresh(cod);
    let (order, first) = ship(&facts, &shipment(&[("mug", None)]), (5, 1), 10).unwrap();
    let facts = moved(&facts, order);
    let arrived = deliver(&facts, &first, 11, next).unwrap().unwrap();
    assert_eq!(arrived.transaction, None, "some is still to come");
    let facts = moved(&facts, arrived.order);
    let (order, second) = ship(&facts, &Shipment::default(), (6, 2), 12).unwrap();
    let facts = moved(&facts, order);
    let arrived = deliver(&facts, &second, 13, next).unwrap().unwrap();
    assert_eq!(arrived.transaction.map(|t| t.amount.get()), Some(7_000));
    assert_eq!(arrived.order.life.placed_ms, Some(13));
    assert_eq!(captured(&moved(&facts, arrived.order)), [7_000]);
    let (paid, _) = paid(&facts, &[told("other", "1", Some("1"))]).unwrap();
    let arrived = deliver(&paid, &second, 13, next).unwrap().unwrap();
    assert_eq!((arrived.transaction, captured(&moved(&paid, arrived.order))), (None, vec![0, 100]));
}

#[test]
fn units_wait_again_unless_they_were_refunded_as_shipped() {
    let (facts, _) = paid(&Facts::fresh(shop()), &[told("a", "1", None)]).unwrap();
    let (order, parcel) = ship(&facts, &Shipment::default(), (5, 1), 10).unwrap();
    let shipped = moved(&facts, order);
    let (order, off) = unship(&shipped, &parcel, 11).unwrap().unwrap();
    assert_eq!((off.state, order.life.fulfilled_ms), (ParcelState::Cancelled, None));
    assert_eq!(order.lines.iter().map(|line| line.shipped).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(unship(&shipped, &off, 12), Ok(None), "it was called off before");
    assert_eq!(deliver(&shipped, &off, 12, &mut numbers()), Err(Fault::ParcelOver(ParcelState::Cancelled)));
    let mut refunded = shipped.clone();
    assert!(refund(&mut refunded, units("mug", 1, UnitMode::Shipped)));
    assert_eq!(unship(&refunded, &parcel, 11), Err(Fault::UnitsRefunded { line: "mug".to_owned() }));
    let mut fewer = Order::clone(&shipped.order);
    fewer.lines[1].shipped = 1;
    assert_eq!(unship(&moved(&shipped, fewer), &parcel, 11), Err(Fault::UnitsRefunded { line: "mug".to_owned() }));
}

#[test]
fn what_is_captured_by_shipping_stays_captured_while_it_is_refunded() {
    let mut order = Order { capture: crate::order::Capture::ByFulfilment, ..shop() };
    pay(&mut order, "card", 7_000);
    let facts = Facts::fresh(order);
    let (order, parcel) = ship(&facts, &shipment(&[("shirt", None)]), (5, 1), 10).unwrap();
    let mut facts = moved(&facts, order);
    assert!(refund(&mut facts, RefundRequest::of(Ask::Amount { amount: dec("1.00"), class: None })));
    assert_eq!(unship(&facts, &parcel, 11), Err(Fault::UnitsRefunded { line: "shirt".to_owned() }));
}

#[test]
fn a_change_of_tracking_leaves_what_it_does_not_name() {
    let track = |number: &str, company: &str| Track {
        number: number.to_owned(),
        company: company.to_owned(),
        ..Track::default()
    };
    let change = TrackingChange { number: Some("1".to_owned()), ..TrackingChange::default() };
    let one = Tracking::default().with(&change);
    assert_eq!(one.tracks, [track("1", "")]);
    let two = one.with(&TrackingChange { tracks: Some(vec![track("2", "A"), track("3", "B")]), ..change.clone() });
    assert_eq!(two.tracks, [track("1", "A"), track("3", "B")]);
    assert_eq!(
        two.with(&TrackingChange { phone: Some("9".to_owned()), ..TrackingChange::default() }).tracks,
        two.tracks
    );
}

#[test]
fn a_transaction_tells_what_refunds_did_since() {
    let (facts, told) = paid(&Facts::fresh(shop()), &[told("a", "1", None), told("b", "2", None)]).unwrap();
    let states = |facts: &Facts| shown(facts, &told).iter().map(|t| t.state).collect::<Vec<_>>();
    assert_eq!(states(&facts), [Success, Success]);
    let mut refunding = facts.clone();
    assert!(refund(&mut refunding, units("mug", 1, UnitMode::Waiting)));
    assert_eq!(states(&refunding), [Refunding, Success], "the second one brought nothing");
    let mut refunded = refunding.clone();
    let sums = &mut refunded.balances.payments[0];
    (sums.succeeded, sums.pending) = (sums.pending, Amount::ZERO);
    (sums.own_succeeded, sums.own_pending) = (sums.own_pending, Amount::ZERO);
    assert_eq!(states(&refunded), [Refunded, Success]);
    let mut failed = facts.clone();
    failed.balances.refunds = 1;
    assert_eq!(states(&failed), [RefundFailed, Success]);
    let untold = shown(&facts, &[]);
    assert_eq!(untold.iter().map(|t| (t.id, t.amount.get())).collect::<Vec<_>>(), [(1002, 0), (1000, 7_000)]);
}

/// One random thing that happens to an order with its parcels.
fn step(u: &mut Unstructured<'_>, facts: &mut Facts, parcels: &mut Vec<Parcel>) -> Arbitrary<()> {
    let next = &mut numbers();
    let choice = u.int_in_range(0..=4)?;
    let chosen = if parcels.is_empty() { None } else { Some(u.choose_index(parcels.len())?) };
    match (choice, chosen) {
        (0, _) => {
            let line = u.choose_index(facts.order.lines.len())?;
            let asked = if u.arbitrary()? { None } else { Some(u.int_in_range(0..=3)?) };
            let name = facts.order.lines[line].external_id.clone().unwrap_or_default();
            let number = u32::try_from(parcels.len()).expect("few") + 1;
            if let Ok((order, parcel)) = ship(facts, &shipment(&[(&name, asked)]), (u64::from(number), number), 1) {
                *facts = moved(facts, order);
                parcels.push(parcel);
            }
        }
        (1, Some(index)) => {
            if let Ok(Some(arrived)) = deliver(facts, &parcels[index], 2, next) {
                *facts = moved(facts, arrived.order);
                parcels[index] = arrived.parcel;
            }
        }
        (2, Some(index)) => {
            if let Ok(Some((order, parcel))) = unship(facts, &parcels[index], 3) {
                *facts = moved(facts, order);
                parcels[index] = parcel;
            }
        }
        (3, _) => {
            if let Ok((order, _)) = pay_in(facts, &[told("late", "", None)], 4, next) {
                *facts = moved(facts, order);
            }
        }
        _ => {
            let request = any_request(u, facts)?;
            refund(facts, request);
        }
    }
    Ok(())
}

#[test]
fn no_history_ships_less_than_was_refunded_or_delivers_more_than_was_shipped() {
    arbtest(|u| {
        let order = any_order(u)?;
        let before: Vec<u32> = order.lines.iter().map(|line| line.shipped).collect();
        let mut facts = Facts::fresh(Order { life: Life::default(), ..order });
        let mut parcels = Vec::new();
        for _ in 0..u.int_in_range(1..=12)? {
            step(u, &mut facts, &mut parcels)?;
            for (index, line) in facts.order.lines.iter().enumerate() {
                let refunded = facts.units_refunded(index);
                let sent = |state: &[ParcelState]| -> u32 {
                    let of_state = parcels.iter().filter(|parcel| state.contains(&parcel.state));
                    of_state.map(|parcel| parcel.units_of(line.id)).sum()
                };
                assert!(line.shipped >= refunded.shipped);
                assert!(facts.order.life.delivered(index) <= line.shipped);
                assert!(line.shipped + line.cancelled + refunded.waiting <= line.quantity);
                assert_eq!(line.shipped, before[index] + sent(&[ParcelState::Shipped, ParcelState::Finished]));
                assert_eq!(facts.order.life.delivered(index), sent(&[ParcelState::Finished]));
            }
            for (component, held) in facts.order.components.iter().zip(&facts.balances.components) {
                let (net, tax) = facts.order.captured_part(component);
                assert!(held.net <= net && held.tax <= tax, "no refund holds what is not captured");
            }
            assert!(facts.balances.payments.iter().zip(&facts.order.payments).all(|(p, of)| p.held() <= of.captured));
        }
        Ok(())
    });
}
