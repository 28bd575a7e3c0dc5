//! What payment apps tell: believed of legs that wait for a person, and of what the simulated gateway says.

use refundry_core::decide::News;
use refundry_core::refund::{LegState, Route};
use refundry_core::told::{Told, ToldFault, Word};
use refundry_dialects::{Refusal, Reply};

use super::Engine;

impl Engine {
    /// Each gateway but the built-in ones is one that the store configured, and every leg that waits is being sent.
    pub(super) fn told_of(&mut self, told: &Told) -> Result<Reply, Refusal> {
        let found =
            self.refunds.iter().enumerate().find_map(|(index, refund)| {
                refund.legs.iter().position(|leg| leg.id == told.leg).map(|leg| (index, leg))
            });
        let (index, position) = found.ok_or(Refusal::Told(ToldFault::LegUnknown))?;
        let view = self.view(index);
        let leg = &view.refund.legs[position];
        told.agrees(&view.order, leg).map_err(|difference| Refusal::Told(ToldFault::Differs(difference)))?;
        let by_person = leg.route == Route::Outside || leg.gateway(&view.order) == "manual";
        if !by_person && leg.gateway(&view.order) != "simulated" {
            return Err(Refusal::Told(ToldFault::ByGateway));
        }
        let news = match told.word {
            Word::Pending if !by_person || leg.state != LegState::Waiting => return Ok(Reply::Heard),
            Word::Pending => News::Sent { reference: told.reference.clone() },
            Word::Success => {
                self.paid_by_app.insert(told.leg);
                News::Succeeded { reference: told.reference.clone() }
            }
            Word::Failure | Word::Error => {
                let is_paid = matches!(leg.state, LegState::Succeeded { .. });
                if is_paid && (leg.route == Route::Outside || !self.paid_by_app.contains(&told.leg)) {
                    return Err(Refusal::Told(ToldFault::PaidOtherwise));
                }
                if !by_person && !leg.state.is_final() {
                    return Err(Refusal::Told(ToldFault::MayStillArrive));
                }
                let code = told.word.failure().unwrap_or_default().to_owned();
                News::Failed { code, message: String::new() }
            }
        };
        // What changes nothing was heard all the same.
        let _ = self.apply(index, position, news);
        Ok(Reply::Heard)
    }
}
