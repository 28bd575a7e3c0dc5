//! What can be had of a refund.

use refundry_core::order::Reference;
use refundry_core::trial::{TrialAsk, trial};
use refundry_dialects::{Refusal, Reply};

use super::{Engine, rejected};

impl Engine {
    pub(super) fn trial(&self, order: &Reference, ask: &TrialAsk) -> Result<Reply, Refusal> {
        let facts = self.facts_now(self.known_order(order)?);
        let trial = trial(&facts, ask).map_err(rejected)?;
        Ok(Reply::Tried { facts: Box::new(facts), trial: Box::new(trial) })
    }
}
