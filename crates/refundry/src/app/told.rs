//! What a payment app tells of a refund.

use refundry_core::told::Told;
use refundry_dialects::{Refusal, Reply};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::tenants::Caller;

use super::{App, mismatch};

impl App {
    pub(super) async fn told(&self, caller: &Caller, told: Box<Told>) -> Result<Reply, Refusal> {
        match self.write(caller, Job::Told { store: caller.store.id, told }).await? {
            Outcome::Told(Ok(_)) => Ok(Reply::Heard),
            Outcome::Told(Err(fault)) => Err(Refusal::Told(fault)),
            _ => Err(mismatch()),
        }
    }
}
