//! After-sales cases in the engine behind the golden files: each refund is one.

use refundry_core::decide::{News, settle_at};
use refundry_core::query::{CaseQuery, Page};
use refundry_core::refund::{CASE_DELETED, LegState, MetaValue, Progress, Refund, RefundState};
use refundry_dialects::cases::{CaseCall, CaseCounts, CaseFault, CasePage, CaseReply, CaseView, FinishCase};
use refundry_dialects::{RefundView, Refusal};

use super::Engine;

impl Engine {
    pub(crate) fn cases(&mut self, call: CaseCall) -> Result<CaseReply, Refusal> {
        match call {
            CaseCall::List(query) => Ok(CaseReply::Page(Box::new(self.case_page(&query)))),
            CaseCall::Finish(ask) => self.finish_case(&ask),
            CaseCall::Delete { case } => {
                let unknown = || fault(CaseFault::Unknown);
                let found = self.refunds.iter().position(|r| case.ours == Some(r.id) && !r.is_case_deleted());
                let index = found.ok_or_else(unknown)?;
                if self.refunds[index].progress() != Progress::Untouched {
                    return Err(fault(CaseFault::NotPending));
                }
                for leg in 0..self.refunds[index].legs.len() {
                    let news = News::Failed { code: CASE_DELETED.to_owned(), message: String::new() };
                    self.apply(index, leg, news).expect("a leg that waits can fail");
                }
                Ok(CaseReply::Deleted)
            }
        }
    }

    fn case_page(&self, query: &CaseQuery) -> CasePage {
        let from = query.created.from_ms.unwrap_or(i64::MIN);
        let within = from..=query.created.to_ms.unwrap_or(i64::MAX);
        let mut all: Vec<&Refund> = self.refunds.iter().filter(|r| !r.is_case_deleted()).collect();
        all.retain(|refund| within.contains(&refund.created_ms));
        all.sort_by_key(|refund| std::cmp::Reverse((refund.created_ms, refund.id)));
        let whole = |count: usize| i64::try_from(count).expect("few");
        let count = |wanted: Progress| whole(all.iter().filter(|refund| refund.progress() == wanted).count());
        let (untouched, begun) = (count(Progress::Untouched), count(Progress::Begun));
        all.retain(|refund| query.progress.is_none_or(|wanted| refund.progress() == wanted));
        let counts = CaseCounts { listed: whole(all.len()), untouched, begun };
        let skip = match query.page {
            Page::Key { key_ms, id } => all.iter().filter(|r| (r.created_ms, r.id) >= (key_ms, id)).count(),
            Page::Skip(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
            Page::Start | Page::After(_) | Page::Before(_) => 0,
        };
        let rest: Vec<&Refund> = all.into_iter().skip(skip).collect();
        let limit = query.limit as usize;
        let view = |refund: &&Refund| {
            let order = self.orders[self.order_of(refund)].clone();
            CaseView { refund: (*refund).clone(), order }
        };
        let cases = rest.iter().take(limit).map(view).collect();
        let counts = if query.counted { counts } else { CaseCounts::default() };
        CasePage { shop: "Demo".to_owned(), cases, has_more: rest.len() > limit, counts }
    }

    fn finish_case(&mut self, ask: &FinishCase) -> Result<CaseReply, Refusal> {
        let order = self.find_order(&ask.order).ok_or_else(|| Refusal::OrderUnknown(ask.order.text.clone()))?;
        let named = |r: &Refund| ask.case.ours == Some(r.id) && ask.record.names(r.id, r.external_id.as_deref());
        let found = self.refunds.iter().position(|refund| named(refund) && !refund.is_case_deleted());
        let index = found.filter(|index| self.order_of(&self.refunds[*index]) == order);
        let index = index.ok_or_else(|| fault(CaseFault::NotOne))?;
        let RefundView { refund, order: of, .. } = self.view(index);
        let mut channels = refund.legs.iter().map(|leg| of.payments[leg.payment].channel.to_lowercase());
        if !ask.channel.is_empty() && !channels.any(|channel| channel == ask.channel.to_lowercase()) {
            return Err(fault(CaseFault::OtherChannel(ask.channel.clone())));
        }
        match refund.state() {
            RefundState::Succeeded => return Ok(CaseReply::Finished(Box::new(self.view(index)))),
            RefundState::Failed => return Err(fault(CaseFault::Failed)),
            RefundState::Pending => {}
        }
        let open: Vec<usize> = (0..refund.legs.len()).filter(|i| !refund.legs[*i].state.is_final()).collect();
        let by_hand =
            |i: &usize| refund.legs[*i].state == LegState::Waiting && refund.legs[*i].gateway(&of) == "manual";
        if !open.iter().all(by_hand) {
            return Err(fault(CaseFault::NotByHand));
        }
        let at_ms = ask.at_ms.unwrap_or(self.now_ms);
        if at_ms > self.now_ms || at_ms / 1_000 < refund.created_ms / 1_000 {
            return Err(fault(CaseFault::TimeOutOfRange));
        }
        for leg in open {
            let news = News::Succeeded { reference: ask.reference.clone() };
            let facts = &self.orders[order].facts;
            let decision = settle_at(facts, &self.refunds[index], leg, news, (at_ms, self.now_ms));
            let decision = decision.expect("a leg that waits can succeed");
            self.orders[order].facts.balances = decision.balances;
            self.refunds[index] = decision.refund;
        }
        for (key, value) in &ask.metadata {
            self.refunds[index].metadata.insert(key.clone(), MetaValue::Text(value.clone()));
        }
        Ok(CaseReply::Finished(Box::new(self.view(index))))
    }
}

fn fault(fault: CaseFault) -> Refusal {
    Refusal::Cases(Box::new(fault))
}
