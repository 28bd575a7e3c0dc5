//! Goods that come back, in memory, by the real rules.

use std::sync::Arc;

use refundry_core::order::{Id, Reference};
use refundry_core::returns::{self as rules, Return};
use refundry_dialects::Refusal;
use refundry_dialects::returns::{ReturnCall, ReturnFault, ReturnReply, ReturnView};

use super::Engine;

impl Engine {
    pub(crate) fn returns(&mut self, call: ReturnCall) -> Result<ReturnReply, Refusal> {
        match call {
            ReturnCall::Open { order, draft } => {
                let index = self.find_order(&order).ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))?;
                let facts = self.orders[index].facts.clone();
                let of_order = self.returns.iter().filter(|back| back.order == facts.order.id);
                let (before, parcels): (Vec<Return>, _) = (of_order.cloned().collect(), self.newest_first(index));
                let now_ms = self.now_ms;
                let opened = rules::open(&facts, &parcels, &before, &draft, now_ms, &mut || self.next_id());
                let back = opened.map_err(|fault| Refusal::Returns(Box::new(fault)))?;
                self.returns.push(back.clone());
                Ok(ReturnReply::Return(Box::new(self.return_view(&back))))
            }
            ReturnCall::Close { back, notify } => {
                let unknown = || Refusal::Returns(Box::new(ReturnFault::ReturnUnknown(back.text.clone())));
                let index = self.find_return(&back).ok_or_else(unknown)?;
                let closed = rules::close(&self.returns[index], notify, self.now_ms);
                if let Some(closed) = closed.map_err(|fault| Refusal::Returns(Box::new(fault)))? {
                    self.returns[index] = closed;
                }
                Ok(ReturnReply::Return(Box::new(self.return_view(&self.returns[index]))))
            }
            ReturnCall::List { order, back } => {
                let known = |order: &Reference| {
                    let index = self.find_order(order).ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))?;
                    Ok(self.orders[index].facts.order.id)
                };
                let of = order.as_ref().map(known).transpose()?;
                let back = back.as_ref().map(|back| self.find_return(back).map(|index| self.returns[index].id));
                let asked = self.returns.iter().filter(|known| {
                    of.is_none_or(|of| of == known.order) && back.is_none_or(|back| back == Some(known.id))
                });
                Ok(ReturnReply::Returns(asked.map(|back| self.return_view(back)).collect()))
            }
        }
    }

    /// A parcel was called off: what never left does not come back.
    pub(crate) fn call_returns_off(&mut self, parcel: Id) {
        let now_ms = self.now_ms;
        for back in &mut self.returns {
            *back = rules::call_off(back, parcel, now_ms).unwrap_or_else(|| back.clone());
        }
    }

    fn find_return(&self, named: &Reference) -> Option<usize> {
        self.returns.iter().position(|back| named.ours == Some(back.id))
    }

    fn return_view(&self, back: &Return) -> ReturnView {
        let of = self.orders.iter().find(|view| view.facts.order.id == back.order).expect("a return has its order");
        ReturnView { order: Arc::clone(&of.facts.order), back: back.clone() }
    }
}
