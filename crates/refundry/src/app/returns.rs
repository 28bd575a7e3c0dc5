//! Calls about goods that come back.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::returns::{ReturnCall, ReturnReply, ReturnView};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::returns::{self, Refused, ReturnAsk, Returned};
use refundry_engine::tenants::Caller;

use super::{App, mismatch};

impl App {
    pub(super) async fn run_on_returns(&self, caller: &Arc<Caller>, call: ReturnCall) -> Result<ReturnReply, Refusal> {
        match call {
            ReturnCall::Open { order, draft } => {
                let named = order.text.clone();
                self.change_return(caller, ReturnAsk::Open { order, draft }, named).await
            }
            ReturnCall::Close { back, notify } => {
                let named = back.text.clone();
                self.change_return(caller, ReturnAsk::Close { back, notify }, named).await
            }
            ReturnCall::List { order, back } => {
                let (store, named) = (caller.store.id, order.as_ref().map(|order| order.text.clone()));
                let found = self
                    .read(caller, move |engine| returns::list(engine.store(), store, order.as_ref(), back.as_ref()))
                    .await?;
                let found = found.ok_or_else(|| Refusal::OrderUnknown(named.unwrap_or_default()))?;
                Ok(ReturnReply::Returns(found.into_iter().map(view).collect()))
            }
        }
    }

    /// Has it done; `named` is what the caller calls the order, or the return.
    async fn change_return(&self, caller: &Caller, ask: ReturnAsk, named: String) -> Result<ReturnReply, Refusal> {
        match self.write(caller, Job::Returns { store: caller.store.id, ask: Box::new(ask) }).await? {
            Outcome::Returns(Ok(returned)) => Ok(ReturnReply::Return(Box::new(view(*returned)))),
            Outcome::Returns(Err(Refused::OrderUnknown)) => Err(Refusal::OrderUnknown(named)),
            Outcome::Returns(Err(Refused::Fault(fault))) => Err(Refusal::Returns(Box::new(fault))),
            _ => Err(mismatch()),
        }
    }
}

fn view(Returned { order, back }: Returned) -> ReturnView {
    ReturnView { order, back }
}
