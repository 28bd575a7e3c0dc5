//! How an amount is spread over payments: who is asked, in which order, for how much.
//!
//! The rules, all of which come after what the caller named:
//!
//! 1. Asked one after the other, each payment gives what is missing, or all that it has. One that cannot take its part
//!    is skipped and the next one is asked.
//! 2. If something is still missing then, the first of those skipped that can be served gets the least that it takes,
//!    and the payments asked last give so much less, none of them less than it takes.
//! 3. If that does not come out, the smallest payment that can give all of it does.
//! 4. In proportion, everyone takes a share of what it has left; of those that cannot take theirs the one with the
//!    smallest share, of equals the later, is left out, and the rest is shared anew.
//! 5. Where proportion or a single payment does not come out, the payments are asked one after the other.

use crate::balances::Facts;
use crate::money::{Amount, split};
use crate::order::PaymentKind;
use crate::payouts::Strategy;
use crate::room::Room;

/// How much goes through which payment.
pub(crate) type Parts = Vec<(usize, Amount)>;

/// The first payment that could not take its part, where the others cannot take it instead.
pub(crate) struct Stuck {
    pub(crate) payment: usize,
    pub(crate) part: Amount,
}

/// Spreads an amount: over the payments named first, in their order, then by the strategy over the others.
///
/// `Ok` makes the amount, unless all payments together have less and none of them has a limit in its way.
pub(crate) fn spread(facts: &Facts, strategy: Strategy, first: &[usize], amount: Amount) -> Result<Parts, Stuck> {
    let rooms = Room::of_all(facts);
    let others = turns(facts, strategy, first);
    let mut begun = ask(&rooms, first, amount);
    let rest = match strategy {
        Strategy::Proportional => shares(&rooms, &others, begun.missing),
        Strategy::FewestRefunds => one(&rooms, &others, begun.missing).map(|payment| vec![(payment, begun.missing)]),
        Strategy::OriginalFirst | Strategy::OriginalLast | Strategy::GiftCardFirst | Strategy::GiftCardLast => None,
    };
    if let Some(rest) = rest {
        begun.parts.extend(rest);
        return Ok(begun.parts);
    }
    let order = [first, &others].concat();
    let asked = ask(&rooms, &order, amount);
    match asked.skipped.first().copied() {
        Some((payment, part)) if asked.missing.is_positive() => {
            let all = filled(&rooms, asked);
            let all = all.or_else(|| one(&rooms, &order, amount).map(|payment| vec![(payment, amount)]));
            all.ok_or(Stuck { payment, part })
        }
        Some(_) | None => Ok(asked.parts),
    }
}

/// The payments that are not named, in the order in which the strategy asks them.
fn turns(facts: &Facts, strategy: Strategy, first: &[usize]) -> Vec<usize> {
    let payments = &facts.order.payments;
    let mut turns: Vec<usize> = (0..payments.len()).filter(|payment| !first.contains(payment)).collect();
    let is_gift_card = |payment: &usize| payments.get(*payment).is_some_and(|p| p.kind == PaymentKind::GiftCard);
    match strategy {
        Strategy::OriginalFirst | Strategy::Proportional => {}
        Strategy::OriginalLast => turns.reverse(),
        // Sorting is stable: within each group they stay as listed.
        Strategy::GiftCardFirst => turns.sort_by_key(|payment| !is_gift_card(payment)),
        Strategy::GiftCardLast => turns.sort_by_key(is_gift_card),
        Strategy::FewestRefunds => turns.sort_by_key(|payment| -facts.payment_left(*payment)),
    }
    turns
}

/// What came of asking payments one after the other.
struct Asked {
    parts: Parts,
    missing: Amount,
    /// Payments with the part that they could not take.
    skipped: Parts,
}

/// Rule 1.
fn ask(rooms: &[Room], order: &[usize], amount: Amount) -> Asked {
    let mut asked = Asked { parts: Vec::new(), missing: amount, skipped: Vec::new() };
    for payment in order {
        let Some(room) = rooms.get(*payment) else { continue };
        let part = asked.missing.min(room.most);
        if room.takes(part) {
            asked.missing -= part;
            asked.parts.push((*payment, part));
        } else if part.is_positive() {
            asked.skipped.push((*payment, part));
        }
    }
    asked
}

/// Rule 2: what the payments asked give, all of it.
fn filled(rooms: &[Room], asked: Asked) -> Option<Parts> {
    if asked.missing.is_zero() {
        return Some(asked.parts);
    }
    let least_of = |payment: usize| rooms.get(payment).and_then(|room| room.least);
    asked.skipped.iter().find_map(|(payment, _)| {
        let least = least_of(*payment)?;
        let mut parts = asked.parts.clone();
        let mut wanted = least - asked.missing;
        for (giver, part) in parts.iter_mut().rev() {
            let given = wanted.min(*part - least_of(*giver)?);
            *part -= given;
            wanted -= given;
        }
        parts.push((*payment, least));
        wanted.is_zero().then_some(parts)
    })
}

/// Rule 4.
fn shares(rooms: &[Room], payments: &[usize], amount: Amount) -> Option<Parts> {
    let able = payments.iter().filter_map(|payment| rooms.get(*payment).map(|room| (*payment, *room)));
    let mut able: Vec<(usize, Room)> = able.filter(|(_, room)| room.least.is_some()).collect();
    loop {
        let weights: Vec<Amount> = able.iter().map(|(_, room)| room.most).collect();
        if amount > weights.iter().sum() {
            return None;
        }
        let shares = split(amount, &weights);
        let fits = |(room, share): (&Room, &Amount)| share.is_zero() || room.takes(*share);
        let unfit = able.iter().zip(&shares).enumerate().filter(|(_, ((_, room), share))| !fits((room, share)));
        let out = unfit.min_by_key(|(index, (_, share))| (**share, std::cmp::Reverse(*index))).map(|(index, _)| index);
        let Some(out) = out else {
            let parts = able.iter().zip(shares).map(|((payment, _), share)| (*payment, share));
            return Some(parts.filter(|(_, share)| share.is_positive()).collect());
        };
        able.remove(out);
    }
}

/// The one payment that gives all of it: one that has exactly as much, else the smallest that may keep a rest.
fn one(rooms: &[Room], payments: &[usize], amount: Amount) -> Option<usize> {
    let room_of = |payment: usize| rooms.get(payment).filter(|room| room.takes(amount)).map(|room| room.most);
    payments.iter().copied().filter(|payment| room_of(*payment).is_some()).min_by_key(|p| (room_of(*p), *p))
}
