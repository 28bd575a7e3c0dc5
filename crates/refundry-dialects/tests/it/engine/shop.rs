//! Orders themselves: made, changed, called off, put away, deleted.

use std::sync::Arc;

use refundry_core::amend::amended;
use refundry_core::call_off::with_waiting_units;
use refundry_core::command::CreateRefund;
use refundry_core::draft;
use refundry_core::intake::Intake;
use refundry_core::money::Amount;
use refundry_core::order::{Order, Reference, Status};
use refundry_core::query::Beside;
use refundry_core::refund::Restock;
use refundry_dialects::shop::{ShopCall, ShopFault, ShopReply};
use refundry_dialects::{OrderView, Refusal, Reply};
use serde_json::{Map, Value};

use super::Engine;
use crate::{intake, lists};

impl Engine {
    pub(super) fn shop(&mut self, call: ShopCall) -> Result<ShopReply, Refusal> {
        let now_ms = self.now_ms;
        match call {
            ShopCall::Create { draft, document, terms, numbering } => {
                if draft.currency.code() != "USD" {
                    let (given, wanted) = (draft.currency.code().to_owned(), "USD".to_owned());
                    return Err(refused(ShopFault::Currency { given, wanted }));
                }
                // One variant has a price of its own.
                let price = |line: &draft::DraftLine| (line.variant_id == "v-mug").then(|| Amount::minor(1250));
                let order = draft::order(&draft, price, now_ms).map_err(|fault| refused(ShopFault::Draft(fault)))?;
                let number = format!("{}{:0width$}", numbering.prefix, self.orders.len() + 1, width = numbering.digits);
                let put = Intake { order: Order { number, ..order }, refunds: Vec::new(), document, terms };
                let (index, _) = intake::take_in(self, put).map_err(|fault| Refusal::Intake(Box::new(fault)))?;
                Ok(ShopReply::Order(Box::new(self.view_with(index, Beside::ALL))))
            }
            ShopCall::Get { order } => Ok(self.shown(self.living(&order)?)),
            ShopCall::ByNumber { number } => {
                let found = self.orders.iter().rposition(|view| view.facts.order.number == number);
                let index = found.ok_or(Refusal::OrderUnknown(number))?;
                Ok(self.shown(index))
            }
            ShopCall::Amend { order, amendment } => {
                let index = self.living(&order)?;
                let view = &mut self.orders[index];
                let order = amended(&view.facts, &amendment).map_err(|fault| refused(ShopFault::Amend(fault)))?;
                view.facts.balances.fit(&order);
                view.facts.order = Arc::new(Order { updated_ms: now_ms, ..order });
                if !amendment.document.is_empty() {
                    patch(view, &amendment.document);
                }
                Ok(self.shown(index))
            }
            ShopCall::Cancel { order, reason } => self.alter(&order, |order| {
                order.status = Status::Cancelled;
                order.life.cancelled_ms = Some(now_ms);
                order.life.cancel_reason = reason;
            }),
            ShopCall::CallOff { order, reason, restock, refund } => self.call_off(&order, reason, restock, refund),
            ShopCall::Archive { order, closed } => {
                self.alter(&order, |order| order.life.closed_ms = closed.then_some(now_ms))
            }
            ShopCall::Delete { order } => {
                self.alter(&order, |order| order.life.deleted_ms = Some(now_ms)).map(|_| ShopReply::Deleted)
            }
            ShopCall::List(query) => match lists::orders(self, &query)? {
                Reply::Orders { orders, has_more } => Ok(ShopReply::Orders { orders, has_more }),
                other => unreachable!("{other:?}"),
            },
            ShopCall::Count(query) => Ok(ShopReply::Counted(lists::count_orders(self, &query))),
        }
    }

    fn call_off(
        &mut self,
        order: &Reference,
        reason: String,
        restock: bool,
        refund: Option<Box<CreateRefund>>,
    ) -> Result<ShopReply, Refusal> {
        let index = self.living(order)?;
        let facts = &self.orders[index].facts;
        if facts.order.status == Status::Cancelled {
            return Err(refused(ShopFault::CalledOff));
        }
        if let Some(refund) = refund {
            let restock = if restock { Restock::Cancel } else { Restock::No };
            let request = with_waiting_units(facts, &refund.request, restock);
            self.create(&CreateRefund { request, ..*refund })?;
        }
        let now_ms = self.now_ms;
        self.alter(order, |order| {
            order.status = Status::Cancelled;
            order.life.cancelled_ms = Some(now_ms);
            order.life.cancel_reason = reason;
        })
    }

    fn alter(&mut self, order: &Reference, edit: impl FnOnce(&mut Order)) -> Result<ShopReply, Refusal> {
        let index = self.living(order)?;
        let order = Arc::make_mut(&mut self.orders[index].facts.order);
        edit(order);
        order.updated_ms = self.now_ms;
        Ok(self.shown(index))
    }

    /// An order that was not deleted.
    fn living(&self, order: &Reference) -> Result<usize, Refusal> {
        let index = self.find_order(order).filter(|i| self.orders[*i].facts.order.life.deleted_ms.is_none());
        index.ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))
    }

    fn shown(&self, index: usize) -> ShopReply {
        ShopReply::Order(Box::new(self.view_with(index, Beside::ALL)))
    }
}

fn refused(fault: ShopFault) -> Refusal {
    Refusal::Shop(Box::new(fault))
}

/// Merges a patch into the document.
pub(super) fn patch(view: &mut OrderView, patch: &str) {
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut document = read(&view.document);
    merge(&mut document, read(patch));
    view.document = document.to_string();
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().expect("just made one").remove(&key);
        } else {
            merge(&mut target[&key], value);
        }
    }
}
