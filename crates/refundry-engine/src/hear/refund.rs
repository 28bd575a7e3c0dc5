//! What a provider says of a refund: one of our legs, or one that was made at the provider itself.

use std::sync::Arc;

use refundry_core::decide::News;
use refundry_core::intake::PastRefund;
use refundry_core::money::Amount;
use refundry_core::order::{Id, Order};
use refundry_core::payouts::MANUAL;
use refundry_core::refund::{Leg, LegState, Refund, Route};
use refundry_gateways::{About, Answer, Notice};
use refundry_store::StoreError;
use refundry_store::outbox::UNASKED;

use crate::accept::{LegNews, Source, missing_refund};
use crate::execute::{record, same_figures};
use crate::intake::{fits, take_past};
use crate::twins;

use super::app::{self, failed_by_app};
use super::{BY_HAND, Effect, Hearing, Verdict, payment_names, refund_of};

/// What an event says of a refund.
#[derive(Clone, Copy)]
pub(super) struct Said<'n> {
    /// How it stands.
    pub(super) answer: &'n Answer,
    /// How much of its payment it gives back, in minor units of `currency`.
    pub(super) amount_minor: i64,
    pub(super) currency: &'n str,
}

/// A refund and one of its legs.
type Part = (Arc<Refund>, Id);

impl Hearing<'_, '_> {
    /// Applies what is said of a refund.
    pub(super) fn refund(&mut self, said: Said<'_>) -> Result<Verdict, StoreError> {
        if let About::Refund { leg_id: Some(leg), .. } = &self.notice.about
            && let Some(refund) = refund_of(self.tx, self.store, *leg)?
        {
            return self.ours(said, (refund.id, *leg));
        }
        self.elsewhere(said)
    }

    /// An event about one of our legs.
    fn ours(&mut self, said: Said<'_>, (refund, leg): (Id, Id)) -> Result<Verdict, StoreError> {
        let (known, order) = self.world.refund(self.tx, self.store, refund)?.ok_or_else(missing_refund)?;
        let found = known.legs.iter().find(|l| l.id == leg).ok_or_else(missing_refund)?;
        if found.gateway(&order) != self.gateway {
            let why = format!("leg {leg} goes through the gateway {}, not this one", found.gateway(&order));
            return Ok((Effect::Waiting, why, None));
        }
        if found.state.is_failed() && self.figures_differ(said, &known, found)?.is_none() {
            // The money was given back to the order. If a person or a payment app said so and it was paid after all, or
            // a person took it for paid since, it is money that went out by another way.
            let all = self.world.refunds_of(self.tx, self.store, known.order)?;
            let is_booked = self.called(&all, &order).is_some_and(|(_, named)| !named.state.is_failed());
            if is_booked || self.failed_by_others(found) {
                return self.made_there(said, (&order, found.payment), &all);
            }
        }
        self.settle(said, (known, leg))
    }

    /// An event about a refund that is none of our legs by name: one of them all the same, or one made at the provider.
    fn elsewhere(&mut self, said: Said<'_>) -> Result<Verdict, StoreError> {
        let (order, payment) = match self.payment_of()? {
            Ok(found) => found,
            Err(why) => return Ok((Effect::Waiting, why, None)),
        };
        let known = self.world.refunds_of(self.tx, self.store, order)?;
        let order = Arc::clone(&self.world.facts(self.tx, self.store, order)?.order);
        let is_known = self.called(&known, &order).is_some();
        let may_be = known.iter().flat_map(|refund| &refund.legs).find(|leg| {
            let open = !leg.state.is_final() && leg.payment == payment;
            open && leg.own_amount.get() == said.amount_minor
        });
        if let Some(leg) = may_be.filter(|_| !is_known) {
            let why = format!("it names no leg of ours, and may be leg {}, which is under way", leg.id);
            return Ok((Effect::Waiting, why, None));
        }
        self.made_there(said, (&order, payment), &known)
    }

    /// An event about a refund of a payment, by the provider's name of it: one of the order's `known` refunds moves, a
    /// new one comes in.
    fn made_there(
        &mut self,
        said: Said<'_>,
        (order, payment): (&Order, usize),
        known: &[Refund],
    ) -> Result<Verdict, StoreError> {
        let by_name = match self.called(known, order) {
            Some((refund, leg)) => Some(self.named(refund.id, leg.id)?),
            None => None,
        };
        let it_failed = match said.answer {
            Answer::Done { .. } | Answer::Pending { .. } => false,
            Answer::Declined { .. } => true,
            Answer::Unknown { .. } | Answer::NotTaken { .. } | Answer::NotFound => return Ok(nothing()),
        };
        if let Some(part) = by_name {
            return match said.answer {
                Answer::Pending { .. } => Ok((Effect::Stale, "the refund is known".to_owned(), None)),
                _ => self.settle(said, part),
            };
        }
        if let Some((refund, leg)) = self.name_twin(said, payment, known)? {
            if it_failed {
                return self.settle(said, (refund, leg));
            }
            return Ok((Effect::Stale, format!("leg {leg}, which came with its order"), Some(refund)));
        }
        match self.take_in(said, (order.id, payment), known)? {
            // One that failed at once is taken in all the same, so that an event of its beginning which comes later
            // finds it known.
            Ok((refund, leg)) if it_failed => self.settle(said, (refund, leg)),
            Ok((refund, _)) => Ok((Effect::External, format!("refund {}", refund.id), Some(refund))),
            // It does not fit, and moved nothing.
            Err(_) if it_failed => {
                Ok((Effect::Stale, "a refund that was made elsewhere and failed there".to_owned(), None))
            }
            Err(why) => Ok((Effect::Waiting, why, None)),
        }
    }

    /// A person says that an event is about a refund of a payment. If it is about one that failed before, it was paid
    /// by another way since.
    pub(super) fn ruled(&mut self, said: Said<'_>, (order, payment): (Id, usize)) -> Result<Verdict, StoreError> {
        let known = self.world.refunds_of(self.tx, self.store, order)?;
        let order = Arc::clone(&self.world.facts(self.tx, self.store, order)?.order);
        let failed = self.called(&known, &order).is_some_and(|(_, leg)| leg.state.is_failed());
        if !failed || !matches!(said.answer, Answer::Done { .. }) {
            return self.made_there(said, (&order, payment), &known);
        }
        Ok(match self.take_in(said, (order.id, payment), &known)? {
            Ok((refund, _)) => (Effect::External, format!("refund {}", refund.id), Some(refund)),
            Err(why) => (Effect::Waiting, why, None),
        })
    }

    /// Records what a leg's provider says of it.
    fn settle(&mut self, said: Said<'_>, (refund, leg): Part) -> Result<Verdict, StoreError> {
        let found = refund.legs.iter().find(|known| known.id == leg).ok_or_else(missing_refund)?;
        let Some(news) = news_of(said.answer) else { return Ok(nothing()) };
        if found.state.is_failed() {
            // Whatever its figures: what is older than the failure is over.
            return match self.paid_after_all(found).filter(|_| matches!(news, News::Succeeded { .. })) {
                Some(why) => Ok((Effect::Waiting, why, None)),
                None => self.record(news, (refund, leg)),
            };
        }
        let news = match self.figures_differ(said, &refund, found)? {
            Some(reason) if found.state.is_final() => return Ok((Effect::Waiting, reason, Some(refund))),
            Some(reason) => News::Contradicted { reference: news.reference().to_owned(), reason },
            None => news,
        };
        self.record(news, (refund, leg))
    }

    fn record(&mut self, news: News, (refund, leg): Part) -> Result<Verdict, StoreError> {
        let news = LegNews {
            store: self.store,
            order: refund.order,
            refund: refund.id,
            leg,
            news,
            source: Source::Delivery,
            again_ms: self.now_ms,
            attempts: UNASKED,
            lane: 0,
        };
        Ok(match record(self.tx, self.world, &news, self.ids, self.now_ms)? {
            Some(moved) => (Effect::Settled, format!("leg {leg}"), Some(moved)),
            None => (Effect::Stale, format!("leg {leg}"), None),
        })
    }

    /// How the figures of an event are others than a leg's.
    fn figures_differ(&mut self, said: Said<'_>, refund: &Refund, leg: &Leg) -> Result<Option<String>, StoreError> {
        let facts = self.world.facts(self.tx, self.store, refund.order)?;
        let own = facts.order.payments.get(leg.payment).map_or("", |payment| payment.own_currency.code());
        Ok(same_figures((leg.own_amount.get(), own), (said.amount_minor, said.currency)).err())
    }

    /// Why a person must look where a provider says that it paid what it called failed before: the money may have been
    /// promised to somebody else since. `None` for what came late and is older than the failure.
    fn paid_after_all(&self, leg: &Leg) -> Option<String> {
        let LegState::Failed { at_ms, code, .. } = &leg.state else { return None };
        let is_newer = self.notice.happened_ms.is_some_and(|happened_ms| happened_ms > *at_ms);
        is_newer.then(|| format!("leg {} failed with {code}, and is said to be paid now", leg.id))
    }

    /// Gives the provider's name to the refund that its platform told us of, where an event is about the same.
    fn name_twin(&mut self, said: Said<'_>, payment: usize, known: &[Refund]) -> Result<Option<Part>, StoreError> {
        let made_ms = self.notice.happened_ms.unwrap_or(self.now_ms);
        let own = Amount::minor(said.amount_minor);
        match twins::told_by_platform(known, (payment, own), made_ms) {
            Some((twin, leg)) => Ok(Some(self.named(twin.id, leg.id)?)),
            None => Ok(None),
        }
    }

    /// A leg under the provider's name, so that no event about another refund is taken for news of it.
    fn named(&mut self, refund: Id, leg: Id) -> Result<Part, StoreError> {
        let (known, _) = self.world.refund(self.tx, self.store, refund)?.ok_or_else(missing_refund)?;
        let mut refund = Refund::clone(&known);
        let unnamed = refund.legs.iter_mut().find(|known| known.id == leg && known.reference.is_empty());
        let Some(unnamed) = unnamed else { return Ok((known, leg)) };
        unnamed.reference = name_of(self.notice);
        let refund = Arc::new(refund);
        self.world.amend(self.store, Arc::clone(&refund));
        Ok((refund, leg))
    }

    /// Takes a refund into the books that was made at the provider: it lowers what is refundable. Else why that cannot
    /// be.
    fn take_in(
        &mut self,
        said: Said<'_>,
        (order, payment): (Id, usize),
        known: &[Refund],
    ) -> Result<Result<Part, String>, StoreError> {
        let Said { amount_minor, currency, .. } = said;
        let name = name_of(self.notice);
        let is_taken = known.iter().any(|refund| refund.external_id.as_ref() == Some(&name));
        let external_id = if is_taken { format!("event {}", self.notice.event) } else { name.clone() };
        let facts = self.world.facts(self.tx, self.store, order)?;
        let (paid, _) = facts.payment(payment);
        if paid.own_currency.code() != currency {
            return Ok(Err(format!("it is in {currency}, the payment in {}", paid.own_currency.code())));
        }
        let own_amount = Amount::minor(amount_minor);
        if !own_amount.is_positive() {
            return Ok(Err("its amount is not above zero".to_owned()));
        }
        let amount = if own_amount == facts.payment_own_left(payment) {
            facts.payment_left(payment)
        } else {
            paid.booked_of(own_amount)
        };
        let past = PastRefund {
            external_id: Some(external_id),
            created_ms: self.notice.happened_ms.unwrap_or(self.now_ms),
            note: format!("made at the provider, heard through {}", self.gateway),
            reason: String::new(),
            allocations: Vec::new(),
            units: Vec::new(),
            legs: vec![(payment, amount, own_amount)],
        };
        if let Err(why) = fits(facts, &past) {
            return Ok(Err(why));
        }
        let refund = take_past(self.tx, self.world, (self.store, order), &past, Some(&name), self.ids, self.now_ms)?;
        let leg = refund.legs.first().ok_or_else(missing_refund)?.id;
        Ok(Ok((refund, leg)))
    }

    /// The leg that the provider calls so, one that did not fail rather than one that did.
    ///
    /// Never one through another gateway, whose names are its own, save one that a person settled. Never one that
    /// failed by the word of somebody else, or that the order's platform has told of again: what is said then is news
    /// of other money.
    fn called<'r>(&self, known: &'r [Refund], order: &Order) -> Option<(&'r Refund, &'r Leg)> {
        let name = name_of(self.notice);
        let legs = known.iter().flat_map(|refund| refund.legs.iter().map(move |leg| (refund, leg)));
        let named = legs.filter(|(refund, leg)| match leg.route {
            Route::Original if leg.gateway(order) == self.gateway => leg.reference == name,
            // A person made it in the provider's admin, and said so by the provider's name of it.
            Route::Original => leg.gateway == MANUAL && leg.reference == name && self.is_about(order, leg),
            // A platform may call its refund as the provider does.
            Route::Outside if leg.reference.is_empty() => refund.external_id.as_ref() == Some(&name),
            Route::Outside => leg.reference == name,
        });
        let counted = named.filter(|(_, leg)| !self.failed_by_others(leg) && !twins::is_replaced(leg));
        counted.min_by_key(|(_, leg)| leg.state.is_failed())
    }

    /// Whether a leg failed by the word of somebody who is not its gateway, nor the one that speaks.
    fn failed_by_others(&self, leg: &Leg) -> bool {
        failed_by_hand(leg) || (failed_by_app(leg) && self.notice.kind != app::KIND)
    }

    /// Whether the event is about the payment of a leg.
    fn is_about(&self, order: &Order, leg: &Leg) -> bool {
        let payment = order.payments.get(leg.payment);
        payment.is_some_and(|payment| payment_names(self.notice).any(|name| name == payment.reference))
    }
}

/// Whether a leg failed by a person's word, or a payment app's, who are not its gateway.
pub(crate) fn failed_by_word(leg: &Leg) -> bool {
    failed_by_hand(leg) || failed_by_app(leg)
}

/// Whether a leg failed by a person's word.
fn failed_by_hand(leg: &Leg) -> bool {
    matches!(&leg.state, LegState::Failed { code, .. } if code == BY_HAND)
}

fn news_of(answer: &Answer) -> Option<News> {
    match answer.clone() {
        Answer::Done { reference, .. } => Some(News::Succeeded { reference }),
        Answer::Pending { reference } => Some(News::Sent { reference }),
        Answer::Declined { code, message } => Some(News::Failed { code, message }),
        Answer::Unknown { .. } | Answer::NotTaken { .. } | Answer::NotFound => None,
    }
}

fn nothing() -> Verdict {
    (Effect::Stale, "it says nothing of how the refund stands".to_owned(), None)
}

/// What a refund made at the provider is called: by the provider, else by the event that told of it.
fn name_of(notice: &Notice) -> String {
    match &notice.about {
        About::Refund { refund_reference, .. } if !refund_reference.is_empty() => refund_reference.clone(),
        About::Refund { .. } | About::Dispute { .. } => format!("event {}", notice.event),
    }
}
