//! One refund, told twice: by the provider that made it, and by the platform in whose admin it was asked for.
//!
//! Neither knows the other's name of it, so two tellings are taken for one refund where payment and amount are the same
//! and the times are near. Whichever comes second finds the first: an event gives the provider's name to the refund
//! that came with its order; an order's refund takes the place of what an event told of, because it knows of which
//! parts the money was.

use refundry_core::decide::News;
use refundry_core::intake::PastRefund;
use refundry_core::money::Amount;
use refundry_core::order::Id;
use refundry_core::refund::{Leg, LegState, Refund, Route, Shape};

/// How far apart the provider's time of a refund and the platform's may be: a platform may ask its provider later, and
/// a provider tells of some refunds only when they are settled.
const APART_MS: u64 = 3 * 24 * 3_600_000;

/// The code of legs whose refund was told again, with its parts, by the platform.
const REPLACED: &str = "told_by_platform";

/// The refund that a platform told of and that an event about a payment is about, and which of its legs.
pub(crate) fn told_by_platform(
    known: &[Refund],
    (payment, own_amount): (usize, Amount),
    made_ms: i64,
) -> Option<(&Refund, &Leg)> {
    let unnamed = known.iter().filter(|refund| refund.shape == Shape::Imported).flat_map(|refund| {
        let legs = refund.legs.iter().filter(|leg| {
            let same = leg.payment == payment && leg.own_amount == own_amount;
            same && leg.route == Route::Outside && leg.reference.is_empty()
        });
        legs.map(move |leg| (refund, leg))
    });
    let near = unnamed.filter(|(refund, _)| apart_ms(refund, made_ms) <= APART_MS);
    near.min_by_key(|(refund, _)| apart_ms(refund, made_ms))
}

/// The refunds that events told of and that an order's new refunds are: one for each of these, where there is one.
pub(crate) fn told_by_provider<'k>(known: &'k [Refund], news: &[PastRefund]) -> Vec<Option<&'k Refund>> {
    let mut taken: Vec<Id> = Vec::new();
    let twin_of = |past: &PastRefund| {
        let [(payment, _, own_amount)] = past.legs[..] else { return None };
        // What has no name of the platform's is known by its time and its sum alone, and is counted by them.
        past.external_id.as_ref()?;
        let heard = known.iter().filter(|refund| {
            let [leg] = &refund.legs[..] else { return false };
            let is_heard = refund.shape == Shape::Imported && refund.external_id.as_ref() == Some(&leg.reference);
            is_heard && !is_replaced(leg) && leg.payment == payment && leg.own_amount == own_amount
        });
        let near = heard.filter(|r| apart_ms(r, past.created_ms) <= APART_MS && !taken.contains(&r.id));
        let twin = near.min_by_key(|refund| apart_ms(refund, past.created_ms))?;
        taken.push(twin.id);
        Some(twin)
    };
    news.iter().map(twin_of).collect()
}

/// That a refund was told again.
pub(crate) fn replacement(by: &PastRefund) -> News {
    let name = by.external_id.as_deref().unwrap_or_default();
    News::Failed { code: REPLACED.to_owned(), message: format!("the order has it as refund {name}") }
}

/// Whether the platform has told of a leg's money under another name.
pub(crate) fn is_replaced(leg: &Leg) -> bool {
    matches!(&leg.state, LegState::Failed { code, .. } if code == REPLACED)
}

fn apart_ms(refund: &Refund, made_ms: i64) -> u64 {
    refund.created_ms.abs_diff(made_ms)
}
