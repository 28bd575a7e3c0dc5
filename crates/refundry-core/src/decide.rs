//! (facts, command) → decision; (facts, refund, news of a leg) → decision. The only transitions there are.
//!
//! Everything here is pure: ids and times come in as arguments. A decision carries the refund as it is to be stored,
//! the balances as they are to be stored, and the postings that explain the difference.

use crate::balances::{Balances, Facts};
use crate::command::{CreateRefund, RefundRequest};
use crate::journal::{self, Happening, Posting};
use crate::money::{Amount, split};
use crate::order::Id;
use crate::quote::{Quote, quote};
use crate::refund::{Bucket, Leg, LegState, Refund, Route};
use crate::rejection::Rejection;

/// What is to be stored, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The refund after it.
    pub refund: Refund,
    /// The balances after it.
    pub balances: Balances,
    /// What happened; `None` where no money moved, which leaves no journal entry.
    pub happening: Option<Happening>,
    /// The movement, summing to zero.
    pub postings: Vec<Posting>,
}

/// Decides a refund; a refusal stores nothing.
pub fn decide(facts: &Facts, request: &RefundRequest) -> Result<Quote, Rejection> {
    quote(facts, request)
}

/// Decides a refund that names places for units which go back in stock. `lost` is the first of these that the store
/// does not have, where that matters to the API it is asked through.
pub fn decide_at(facts: &Facts, request: &RefundRequest, lost: Option<&str>) -> Result<Quote, Rejection> {
    let decided = decide(facts, request);
    let Some(location) = lost else { return decided };
    let lost = Rejection::LocationUnknown { location: location.to_owned() };
    match decided {
        Err(other) if other.rank() < lost.rank() => Err(other),
        Ok(_) | Err(_) => Err(lost),
    }
}

/// Turns a quote into the refund that is stored. Cannot fail: everything was decided.
///
/// `next_id` gives the refund's number first and then one number a leg, each above the one before.
pub fn accept(
    facts: &Facts,
    command: &CreateRefund,
    quote: Quote,
    now_ms: i64,
    next_id: &mut dyn FnMut() -> Id,
) -> Decision {
    let id = next_id();
    let legs = quote.legs.into_iter().map(|leg| Leg {
        id: next_id(),
        payment: leg.payment,
        amount: leg.amount,
        own_amount: leg.own_amount,
        route: leg.route,
        gateway: leg.gateway,
        state: match leg.route {
            Route::Original => LegState::Waiting,
            Route::Outside => LegState::Succeeded { at_ms: now_ms },
        },
        reference: String::new(),
        named_channel: leg.named_channel,
        retried_by: None,
    });
    let refund = Refund {
        id,
        external_id: None,
        order: facts.order.id,
        number: facts.balances.refunds.checked_add(1).expect("refund number overflow"),
        via: command.via,
        created_ms: now_ms,
        updated_ms: now_ms,
        processed_ms: command.processed_ms,
        note: command.note.clone(),
        reason: command.reason.clone(),
        notify: command.notify,
        metadata: command.metadata.clone(),
        shape: quote.shape,
        amount: quote.amount,
        discrepancy: quote.discrepancy,
        allocations: quote.allocations,
        units: quote.units,
        legs: legs.collect(),
        nearest_cap: quote.nearest_cap,
        retry_of: command.retry_of,
    };
    record(facts, refund, now_ms)
}

/// Takes a finished picture of a refund into the books: a new one, or one that came with an imported order.
///
/// Its legs are under way or succeeded; one that failed moved no money and never enters the books.
pub fn record(facts: &Facts, refund: Refund, now_ms: i64) -> Decision {
    let failed = refund.legs.iter().any(|leg| matches!(leg.state, LegState::Failed { .. }));
    assert!(!failed, "a failed leg moves no money");
    let mut balances = facts.balances.clone();
    balances.fit(&facts.order);
    for allocation in &refund.allocations {
        let held = balances.components.get_mut(allocation.component).expect("component of this order");
        held.net += allocation.net;
        held.tax += allocation.tax;
    }
    for units in &refund.units {
        let line = balances.lines.get_mut(units.line).expect("line of this order");
        let bucket = match units.bucket {
            Bucket::Waiting => &mut line.waiting,
            Bucket::Shipped => &mut line.shipped,
        };
        *bucket = bucket.checked_add(units.quantity).expect("units overflow");
    }
    for leg in &refund.legs {
        let paid = balances.payments.get_mut(leg.payment).expect("payment of this order");
        match leg.state {
            LegState::Succeeded { .. } => {
                paid.succeeded += leg.amount;
                paid.own_succeeded += leg.own_amount;
            }
            LegState::Waiting
            | LegState::Sent
            | LegState::InDoubt { .. }
            | LegState::Parked { .. }
            | LegState::Failed { .. } => {
                paid.pending += leg.amount;
                paid.own_pending += leg.own_amount;
            }
        }
    }
    balances.discrepancy += refund.discrepancy;
    balances.refunds = refund.number.max(balances.refunds);
    balances.customized |= refund.units.is_empty();
    balances.updated_ms = now_ms;
    let postings = journal::acceptance(&facts.order, &refund);
    Decision { refund, balances, happening: Some(Happening::RefundAccepted), postings }
}

/// What is known of a leg after it was sent or looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The provider has it and will say later.
    Sent {
        /// The provider's id of the refund, may be empty.
        reference: String,
    },
    /// Nobody knows.
    InDoubt {
        /// What went wrong.
        reason: String,
    },
    /// It surely never reached the provider, or the provider surely does not have it: it may be sent.
    NotSent {
        /// How that is known.
        reason: String,
    },
    /// The money went back.
    Succeeded {
        /// The provider's id of the refund, may be empty.
        reference: String,
    },
    /// The money did not go back, or came home again.
    Failed {
        /// The provider's code.
        code: String,
        /// The provider's words.
        message: String,
    },
    /// The answer contradicts what was asked.
    Contradicted {
        /// The provider's id of the refund, may be empty.
        reference: String,
        /// How.
        reason: String,
    },
    /// It was asked about for as long as that is of use, and nobody knows.
    GivenUp {
        /// What was heard last.
        reason: String,
    },
}

impl News {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::InDoubt { .. } => "in_doubt",
            Self::NotSent { .. } => "not_sent",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Contradicted { .. } => "contradicted",
            Self::GivenUp { .. } => "given_up",
        }
    }

    /// The provider's id of the refund, empty where it gave none.
    pub fn reference(&self) -> &str {
        match self {
            Self::Sent { reference } | Self::Succeeded { reference } | Self::Contradicted { reference, .. } => {
                reference
            }
            Self::InDoubt { .. } | Self::NotSent { .. } | Self::Failed { .. } | Self::GivenUp { .. } => "",
        }
    }

    /// The words that came with it: a reason, a reference, or a code with its message.
    pub fn words(&self) -> String {
        match self {
            Self::InDoubt { reason }
            | Self::NotSent { reason }
            | Self::Contradicted { reason, .. }
            | Self::GivenUp { reason } => reason.clone(),
            Self::Sent { reference } | Self::Succeeded { reference } => reference.clone(),
            Self::Failed { code, message } if message.is_empty() => code.clone(),
            Self::Failed { code, message } => format!("{code}: {message}"),
        }
    }
}

/// News that changes nothing: a repetition, or something older than what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale;

/// Applies news of one leg (index into the refund's legs).
///
/// Safe in any order and number of times: a failed leg stays failed, whatever comes later; a succeeded one can only
/// turn into a failure.
pub fn settle(facts: &Facts, refund: &Refund, leg: usize, news: News, now_ms: i64) -> Result<Decision, Stale> {
    settle_at(facts, refund, leg, news, (now_ms, now_ms))
}

/// Like [`settle`], for news of what happened at `at_ms` and is heard of at `now_ms`, which is no earlier: the leg ends
/// when it happened, refund and balances change when it is heard of.
pub fn settle_at(
    facts: &Facts,
    refund: &Refund,
    leg: usize,
    news: News,
    (at_ms, now_ms): (i64, i64),
) -> Result<Decision, Stale> {
    let current = refund.legs.get(leg).ok_or(Stale)?;
    let reference = Some(news.reference()).filter(|r| !r.is_empty()).unwrap_or(&current.reference).to_owned();
    let state = next_state(&current.state, news, at_ms).ok_or(Stale)?;
    let next = Leg { state, reference, ..current.clone() };
    if next == *current {
        return Err(Stale);
    }
    match &next.state {
        LegState::Failed { .. } => Ok(fail(facts, refund, leg, next, now_ms)),
        LegState::Succeeded { .. } => Ok(succeed(facts, refund, leg, next, now_ms)),
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => {
            let refund = with_leg(refund, leg, next, now_ms);
            let balances = Balances { updated_ms: now_ms, ..facts.balances.clone() };
            Ok(Decision { refund, balances, happening: None, postings: Vec::new() })
        }
    }
}

fn next_state(current: &LegState, news: News, at_ms: i64) -> Option<LegState> {
    let next = match news {
        News::Sent { .. } => LegState::Sent,
        News::InDoubt { reason } => LegState::InDoubt { reason },
        News::NotSent { .. } => LegState::Waiting,
        News::Succeeded { .. } => LegState::Succeeded { at_ms },
        News::Failed { code, message } => LegState::Failed { at_ms, code, message },
        News::Contradicted { reason, .. } | News::GivenUp { reason } => LegState::Parked { reason },
    };
    let allowed = match current {
        LegState::Failed { .. } => false,
        LegState::Succeeded { .. } => matches!(next, LegState::Failed { .. }),
        LegState::Parked { .. } => next.is_final(),
        // That a provider acknowledged the leg is never unlearnt: a look-up that fails changes nothing, and a leg that
        // it denies afterwards is a contradiction, never one to be sent again.
        LegState::Sent => !matches!(next, LegState::Waiting | LegState::InDoubt { .. }),
        LegState::Waiting | LegState::InDoubt { .. } => true,
    };
    allowed.then_some(next)
}

fn succeed(facts: &Facts, refund: &Refund, index: usize, next: Leg, now_ms: i64) -> Decision {
    let refund = with_leg(refund, index, next, now_ms);
    let leg = refund.legs.get(index).expect("leg of this refund");
    let mut balances = Balances { updated_ms: now_ms, ..facts.balances.clone() };
    let paid = balances.payments.get_mut(leg.payment).expect("payment of this order");
    paid.pending -= leg.amount;
    paid.own_pending -= leg.own_amount;
    paid.succeeded += leg.amount;
    paid.own_succeeded += leg.own_amount;
    let postings = journal::success(&facts.order, leg);
    Decision { refund, balances, happening: Some(Happening::LegSucceeded), postings }
}

fn fail(facts: &Facts, before: &Refund, index: usize, next: Leg, now_ms: i64) -> Decision {
    let late = before.legs.get(index).is_some_and(|leg| leg.state.is_final());
    let (returned, discrepancy) = give_back(before, index);
    let mut refund = with_leg(before, index, next, now_ms);
    let mut balances = Balances { updated_ms: now_ms, ..facts.balances.clone() };
    for (allocation, (component, net, tax)) in refund.allocations.iter_mut().zip(&returned) {
        allocation.returned = (allocation.returned.0 + *net, allocation.returned.1 + *tax);
        let held = balances.components.get_mut(*component).expect("component of this order");
        held.net -= *net;
        held.tax -= *tax;
    }
    balances.discrepancy -= discrepancy;
    let leg = refund.legs.get(index).expect("leg of this refund").clone();
    let paid = balances.payments.get_mut(leg.payment).expect("payment of this order");
    if late {
        paid.succeeded -= leg.amount;
        paid.own_succeeded -= leg.own_amount;
    } else {
        paid.pending -= leg.amount;
        paid.own_pending -= leg.own_amount;
    }
    if refund.legs.iter().all(|leg| matches!(leg.state, LegState::Failed { .. })) {
        reopen_units(&mut refund, &mut balances);
    }
    let postings = journal::failure(&facts.order, &leg, late, &returned, discrepancy);
    Decision { refund, balances, happening: Some(Happening::LegFailed), postings }
}

/// What a failing leg gives back to each allocation (component, net, tax), and to the discrepancy.
///
/// The failed amount returns in proportion to what allocations still hold (largest remainder, ties to the earlier);
/// the last leg to fail returns all of it.
fn give_back(refund: &Refund, index: usize) -> (Vec<(usize, Amount, Amount)>, Amount) {
    let failed = refund.legs.get(index).map_or(Amount::ZERO, |leg| leg.amount);
    let held = refund.amount - refund.failed();
    let kept: Vec<(Amount, Amount)> = refund.allocations.iter().map(crate::refund::Allocation::kept).collect();
    let kept_sum: Amount = kept.iter().map(|(net, tax)| *net + *tax).sum();
    let discrepancy_kept = held - kept_sum;
    // A negative discrepancy means that allocations hold more than money moves: they get their share of it back too.
    let short = (-discrepancy_kept).or_zero();
    let beyond = discrepancy_kept.or_zero();
    let short_back = if held.is_zero() {
        short
    } else {
        crate::money::ratio(short, i128::from(failed.get()), i128::from(held.get()))
    };
    let mut weights: Vec<Amount> = kept.iter().flat_map(|(net, tax)| [*net, *tax]).collect();
    weights.push(beyond);
    let mut parts = split(failed + short_back, &weights);
    let beyond_back = parts.pop().unwrap_or_default();
    let pairs = refund.allocations.iter().zip(parts.chunks_exact(2));
    let returned = pairs.map(|(allocation, pair)| match pair {
        [net, tax] => (allocation.component, *net, *tax),
        _ => (allocation.component, Amount::ZERO, Amount::ZERO),
    });
    (returned.collect(), beyond_back - short_back)
}

fn reopen_units(refund: &mut Refund, balances: &mut Balances) {
    for units in refund.units.iter_mut().filter(|u| !u.reopened) {
        units.reopened = true;
        let line = balances.lines.get_mut(units.line).expect("line of this order");
        let bucket = match units.bucket {
            Bucket::Waiting => &mut line.waiting,
            Bucket::Shipped => &mut line.shipped,
        };
        *bucket = bucket.checked_sub(units.quantity).expect("units were taken before");
    }
}

fn with_leg(refund: &Refund, index: usize, next: Leg, now_ms: i64) -> Refund {
    let mut refund = refund.clone();
    refund.updated_ms = now_ms;
    if let Some(leg) = refund.legs.get_mut(index) {
        *leg = next;
    }
    refund
}
