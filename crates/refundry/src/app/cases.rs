//! Calls about after-sales cases: lists, finishing a refund that waits, deleting one.

use std::sync::Arc;

use refundry_core::query::CaseQuery;
use refundry_dialects::Refusal;
use refundry_dialects::cases::{CaseCall, CaseCounts, CaseFault, CasePage, CaseReply, CaseView, FinishCase};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::cases::{self, Case, CaseAsk, CaseDone, DeleteFault, FinishAsk, FinishFault};
use refundry_engine::tenants::Caller;

use super::{App, mismatch, order_view, shared_view};

impl App {
    pub(super) async fn run_on_cases(&self, caller: &Arc<Caller>, call: CaseCall) -> Result<CaseReply, Refusal> {
        match call {
            CaseCall::List(query) => self.cases(caller, query).await,
            CaseCall::Finish(ask) => self.finish_case(caller, ask).await,
            CaseCall::Delete { case } => {
                let ask = Box::new(CaseAsk::Delete { case });
                match self.write(caller, Job::Cases { store: caller.store.id, ask }).await? {
                    Outcome::Cases(CaseDone::Deleted(Ok(_))) => Ok(CaseReply::Deleted),
                    Outcome::Cases(CaseDone::Deleted(Err(fault))) => Err(refused(match fault {
                        DeleteFault::Unknown => CaseFault::Unknown,
                        DeleteFault::NotPending => CaseFault::NotPending,
                    })),
                    _ => Err(mismatch()),
                }
            }
        }
    }

    async fn cases(&self, caller: &Arc<Caller>, query: CaseQuery) -> Result<CaseReply, Refusal> {
        let store = caller.store.id;
        let page = self.read(caller, move |e| cases::list(e.store(), store, &query)).await?;
        let view = |Case { refund, order }| CaseView { refund, order: order_view(order) };
        let counts =
            CaseCounts { listed: page.counts.listed, untouched: page.counts.untouched, begun: page.counts.begun };
        let cases = page.cases.into_iter().map(view).collect();
        let shop = caller.store.name.clone();
        Ok(CaseReply::Page(Box::new(CasePage { shop, cases, has_more: page.has_more, counts })))
    }

    async fn finish_case(&self, caller: &Caller, ask: FinishCase) -> Result<CaseReply, Refusal> {
        let FinishCase { order, case, record, at_ms, reference, channel, metadata } = ask;
        let (order_named, channel_named) = (order.text.clone(), channel.clone());
        let ask = Box::new(CaseAsk::Finish(FinishAsk { order, case, record, at_ms, reference, channel, metadata }));
        match self.write(caller, Job::Cases { store: caller.store.id, ask }).await? {
            Outcome::Cases(CaseDone::Finished(Ok(found))) => {
                Ok(CaseReply::Finished(Box::new(shared_view(caller, &found))))
            }
            Outcome::Cases(CaseDone::Finished(Err(fault))) => Err(match fault {
                FinishFault::OrderUnknown => Refusal::OrderUnknown(order_named),
                FinishFault::NotOne => refused(CaseFault::NotOne),
                FinishFault::OtherChannel => refused(CaseFault::OtherChannel(channel_named)),
                FinishFault::Failed => refused(CaseFault::Failed),
                FinishFault::NotByHand => refused(CaseFault::NotByHand),
                FinishFault::TimeOutOfRange => refused(CaseFault::TimeOutOfRange),
                FinishFault::TooManyPairs => refused(CaseFault::TooManyPairs),
            }),
            _ => Err(mismatch()),
        }
    }
}

fn refused(fault: CaseFault) -> Refusal {
    Refusal::Cases(Box::new(fault))
}
