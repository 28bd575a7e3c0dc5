//! What a provider says of a dispute: it holds money of its payment until it is won.

use refundry_core::dispute::{Hold, hold};
use refundry_core::journal::Happening;
use refundry_core::money::Amount;
use refundry_gateways::DisputeStage;
use refundry_store::StoreError;
use refundry_store::disputes::{self, DisputeRecord};

use super::{Effect, Hearing, Verdict};

impl Hearing<'_, '_> {
    /// Applies what is said of a dispute (its name, how far it is), in minor units of a currency.
    pub(super) fn dispute(
        &mut self,
        (reference, stage): (&str, DisputeStage),
        (amount_minor, currency): (i64, &str),
    ) -> Result<Verdict, StoreError> {
        let (store, now_ms) = (self.store, self.now_ms);
        let (order, index) = match self.payment_of()? {
            Ok(found) => found,
            Err(why) => return Ok((Effect::Waiting, why, None)),
        };
        let before = disputes::get(self.tx, store, self.gateway, reference)?;
        let facts = self.world.facts(self.tx, store, order)?;
        let (payment, _) = facts.payment(index);
        if payment.own_currency.code() != currency && stage != DisputeStage::Won {
            let why = format!("it is in {currency}, the payment in {}", payment.own_currency.code());
            return Ok((Effect::Waiting, why, None));
        }
        // What it holds is held of one payment, and cannot be let go of another.
        if let Some(before) = before.as_ref().filter(|before| (before.order, before.payment) != (order, payment.id)) {
            let why = format!("the dispute is known of payment {} of order {}", before.payment, before.order);
            return Ok((Effect::Waiting, why, None));
        }
        let happened_ms = self.notice.happened_ms.unwrap_or(now_ms);
        if before.as_ref().is_some_and(|before| is_older(before, stage, happened_ms)) {
            return Ok((Effect::Stale, "what is known of the dispute is newer".to_owned(), None));
        }
        let held = before.as_ref().map_or_else(Hold::default, |b| Hold { amount: b.amount, own_amount: b.own_amount });
        let wanted = if stage == DisputeStage::Won { Amount::ZERO } else { Amount::minor(amount_minor) };
        let decided = hold(facts, index, held, wanted);
        let record = DisputeRecord {
            store,
            gateway: self.gateway.to_owned(),
            reference: reference.to_owned(),
            order,
            payment: payment.id,
            stage: stage.code().to_owned(),
            amount: decided.hold.amount,
            own_amount: decided.hold.own_amount,
            opened_ms: before.map_or(happened_ms, |before| before.opened_ms),
            updated_ms: happened_ms,
        };
        disputes::put(self.tx, &record)?;
        let entry = self.ids.next(now_ms);
        let (balances, postings) = (decided.balances, decided.postings);
        self.world.apply_to_order((store, order), balances, Happening::DisputeHeld, postings, entry, now_ms)?;
        Ok((Effect::Disputed, format!("{} {} held", decided.hold.own_amount.get(), currency), None))
    }
}

/// Whether what is known of a dispute is newer than this. Of the same moment, an end counts more than a beginning.
fn is_older(before: &DisputeRecord, stage: DisputeStage, happened_ms: i64) -> bool {
    let ended = before.stage != DisputeStage::Open.code();
    happened_ms < before.updated_ms || (happened_ms == before.updated_ms && ended && stage == DisputeStage::Open)
}
