//! What can be had of a refund.

use std::sync::Arc;

use refundry_core::order::Reference;
use refundry_core::trial::TrialAsk;
use refundry_dialects::{Refusal, Reply};
use refundry_engine::read;
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn trial(
        &self,
        caller: &Arc<Caller>,
        order: Reference,
        ask: Box<TrialAsk>,
    ) -> Result<Reply, Refusal> {
        let store = caller.store.id;
        match self.read(caller, move |e| read::trial(e, store, &order, &ask)).await? {
            Ok((facts, trial)) => Ok(Reply::Tried { facts: Box::new(facts), trial: Box::new(trial) }),
            Err(rejection) => Err(Refusal::Rejected(Box::new(rejection))),
        }
    }
}
