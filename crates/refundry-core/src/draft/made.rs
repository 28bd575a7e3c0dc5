//! What becomes of an order the moment it is made: payments that were told of with it, and everything shipped at once.

use super::{Claim, Draft, DraftFault, DraftPayment, Place, minor};
use crate::balances::Facts;
use crate::limits::PAYMENTS_PER_ORDER_MAX;
use crate::money::{Amount, AmountError};
use crate::order::{Id, Order, OrderFault};
use crate::parcels::{self, Fault, Parcel, Shipment};
use crate::paying::{self, PayLine, Transaction, TransactionState};

/// An order that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The order with its payments.
    pub order: Order,
    /// What tells of them.
    pub transactions: Vec<Transaction>,
    /// The order once everything left, and the parcel that it left in; only where it is shipped at once.
    pub shipped: Option<(Order, Parcel)>,
}

/// Pays and ships an order that a draft was made into, as the draft says. `next` numbers what is new; the order has its
/// own numbers.
pub fn made(draft: &Draft, order: Order, now_ms: i64, next: &mut dyn FnMut() -> Id) -> Result<Made, DraftFault> {
    if draft.paid.len() > PAYMENTS_PER_ORDER_MAX {
        return Err(DraftFault::Order(OrderFault::TooMany("payments", PAYMENTS_PER_ORDER_MAX)));
    }
    let amounts = amounts(draft, &order)?;
    let (order, transactions) = paid(draft, order, &amounts, now_ms, next)?;
    let shipped = draft.shipped.then(|| {
        let facts = Facts::fresh(order.clone());
        parcels::ship(&facts, &Shipment::default(), (next(), 1), now_ms).map_err(DraftFault::Shipment)
    });
    Ok(Made { order, transactions, shipped: shipped.transpose()? })
}

/// What each payment comes to, `None` for all that is open: not more than the order costs, and no other than the draft
/// claims. What was tried and failed counts for nothing.
fn amounts(draft: &Draft, order: &Order) -> Result<Vec<Option<Amount>>, DraftFault> {
    let (charged, currency) = (order.charged(), order.currency);
    let (mut came, mut comes, mut whole) = (Amount::ZERO, Amount::ZERO, false);
    let mut amounts = Vec::with_capacity(draft.paid.len());
    for (index, payment) in draft.paid.iter().enumerate() {
        let place = Place::Payment(index);
        let amount = payment.line.amount.map(|amount| minor(amount, place, currency)).transpose()?;
        let brought = payment.state == TransactionState::Success;
        match amount {
            Some(amount) if amount.is_zero() => return Err(DraftFault::Amount(place, AmountError::NotPositive)),
            Some(amount) if !order.can_show(amount) => return Err(DraftFault::Amount(place, AmountError::TooLarge)),
            Some(amount) if brought => came += amount,
            Some(amount) if payment.state == TransactionState::Processing => comes += amount,
            Some(_) => {}
            None if brought => whole = true,
            None => return Err(DraftFault::Amount(place, AmountError::NotPositive)),
        }
        amounts.push(amount);
    }
    let asked = if whole { charged.max(came) } else { came } + comes;
    if asked > charged {
        return Err(DraftFault::Payment(Fault::PaysTooMuch { asked, open: charged, currency }));
    }
    match draft.claim {
        Some(claim) if !holds(claim, (came, whole), charged) => Err(DraftFault::Claim(claim)),
        Some(_) | None => Ok(amounts),
    }
}

fn holds(claim: Claim, (came, whole): (Amount, bool), charged: Amount) -> bool {
    match claim {
        Claim::Unpaid => !whole && came.is_zero(),
        Claim::PartlyPaid => !whole && came.is_positive() && came < charged,
        Claim::Paid => whole || came >= charged,
    }
}

/// The order with its payments: first those that brought money, which is paid back in that order, then those that did
/// not.
fn paid(
    draft: &Draft,
    order: Order,
    amounts: &[Option<Amount>],
    now_ms: i64,
    next: &mut dyn FnMut() -> Id,
) -> Result<(Order, Vec<Transaction>), DraftFault> {
    let at_ms = |payment: &DraftPayment| payment.at_ms.unwrap_or(now_ms);
    let brought = |payment: &&DraftPayment| payment.state == TransactionState::Success;
    let came: Vec<&DraftPayment> = draft.paid.iter().filter(brought).collect();
    let (mut order, mut transactions) = (order, Vec::new());
    if !came.is_empty() {
        let lines: Vec<PayLine> = came.iter().map(|payment| payment.line.clone()).collect();
        let paid = paying::pay(&Facts::fresh(order), &lines, now_ms, next).map_err(DraftFault::Payment)?;
        (order, transactions) = paid;
        for (transaction, payment) in transactions.iter_mut().zip(&came) {
            (transaction.created_ms, transaction.updated_ms) = (at_ms(payment), at_ms(payment));
        }
        order.life.placed_ms = came.iter().map(|payment| at_ms(payment)).min();
    }
    let others = draft.paid.iter().zip(amounts).filter(|(payment, _)| !brought(payment));
    for (payment, amount) in others {
        let told = (amount.unwrap_or_default(), payment.state, at_ms(payment));
        let transaction = paying::without_money(&mut order, &payment.line, told, next);
        transactions.push(Transaction { error_code: payment.error_code.clone(), ..transaction });
    }
    order.validate().map_err(DraftFault::Order)?;
    Ok((order, transactions))
}
