//! Orders themselves: made, changed, called off, put away, deleted.

use std::sync::Arc;

use refundry_core::amend::amended;
use refundry_core::balances::Facts;
use refundry_core::call_off::with_waiting_units;
use refundry_core::command::CreateRefund;
use refundry_core::draft::{self, Draft, DraftFault, DraftLine, Made, StockRule};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Order, Reference, Status};
use refundry_core::query::Beside;
use refundry_core::refund::Restock;
use refundry_core::terms::Term;
use refundry_dialects::shop::{Numbering, ShopCall, ShopFault, ShopReply};
use refundry_dialects::{OrderView, Refusal, Reply};
use serde_json::{Map, Value};

use super::Engine;
use crate::{intake, lists};

impl Engine {
    pub(super) fn shop(&mut self, call: ShopCall) -> Result<ShopReply, Refusal> {
        let now_ms = self.now_ms;
        match call {
            ShopCall::Create { draft, document, terms, numbering } => self.make(&draft, (document, terms), numbering),
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

    fn make(
        &mut self,
        draft: &Draft,
        (document, terms): (String, Vec<Term>),
        numbering: Numbering,
    ) -> Result<ShopReply, Refusal> {
        let now_ms = self.now_ms;
        let home = Currency::parse("USD").expect("a currency");
        // One variant has a price of its own, and of another there is none left.
        let price = |line: &DraftLine, _| (line.variant_id == "v-mug").then(|| Amount::minor(1250));
        let mut order = draft::order(draft, home, price, now_ms).map_err(no_draft)?;
        let gone = order.lines.iter().position(|line| line.variant_id == "v-gone");
        if let Some(line) = gone.filter(|_| draft.stock == StockRule::TakeIfThere) {
            return Err(refused(ShopFault::OutOfStock(line)));
        }
        intake::give_numbers(self, &mut order, None);
        if order.number.is_empty() {
            let number = self.orders.len() + usize::try_from(numbering.first).expect("small");
            order.number = format!("{}{number:0width$}", numbering.prefix, width = numbering.digits);
        }
        let Made { mut order, transactions, shipped } =
            draft::made(draft, order, now_ms, &mut || self.next_id()).map_err(no_draft)?;
        self.yard.transactions.extend(transactions);
        if let Some((after, parcel)) = shipped {
            order = after;
            self.yard.parcels.push(parcel);
        }
        self.told.insert(order.id, terms);
        self.orders.push(OrderView { document, ..OrderView::bare(Facts::fresh(order)) });
        Ok(ShopReply::Order(Box::new(self.view_with(self.orders.len() - 1, Beside::ALL))))
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

fn no_draft(fault: DraftFault) -> Refusal {
    refused(match fault {
        DraftFault::Currency { given, wanted } => {
            ShopFault::Currency { given: given.code().to_owned(), wanted: wanted.code().to_owned() }
        }
        fault => ShopFault::Draft(fault),
    })
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
