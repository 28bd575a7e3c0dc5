//! Calls about orders themselves.

use std::sync::Arc;

use refundry_core::query::{Beside, OrderQuery};
use refundry_dialects::shop::{Numbering, ShopCall, ShopFault, ShopReply};
use refundry_dialects::{OrderView, Refusal};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::read;
use refundry_engine::shop::{Series, ShopAsk, ShopNo};
use refundry_engine::tenants::Caller;

use super::{App, by_number, cursor_of, known_order, mismatch, order_view, written};

impl App {
    pub(super) async fn run_on_shop(&self, caller: &Arc<Caller>, call: ShopCall) -> Result<ShopReply, Refusal> {
        let store = caller.store.id;
        let ask = match call {
            ShopCall::Get { order } => {
                let text = order.text.clone();
                let found = self.read(caller, move |e| read::order(e.store(), store, &order, Beside::ALL)).await?;
                return Ok(ShopReply::Order(shown(known_order(found, text.clone())?, text)?));
            }
            ShopCall::ByNumber { number } => {
                let text = number.clone();
                let found =
                    self.read(caller, move |e| read::order_by_number(e.store(), store, &number, Beside::ALL)).await?;
                return Ok(ShopReply::Order(shown(known_order(found, text.clone())?, text)?));
            }
            ShopCall::List(query) => return self.list_shop(caller, *query).await,
            ShopCall::Count(query) => {
                let count = self.read(caller, move |e| read::count_orders(e.store(), store, &query)).await?;
                return Ok(ShopReply::Counted(count));
            }
            ShopCall::Create { draft, document, terms, numbering } => {
                let Numbering { prefix, digits, first } = numbering;
                ShopAsk::Create { draft, document, terms, numbering: Series { prefix, digits, first } }
            }
            ShopCall::Amend { order, amendment } => ShopAsk::Amend { order, amendment },
            ShopCall::Cancel { order, reason } => ShopAsk::Cancel { order, reason },
            ShopCall::CallOff { order, reason, restock, refund } => ShopAsk::CallOff { order, reason, restock, refund },
            ShopCall::Archive { order, closed } => ShopAsk::Archive { order, closed },
            ShopCall::Delete { order } => ShopAsk::Delete { order },
        };
        let deletes = matches!(ask, ShopAsk::Delete { .. });
        match self.write(caller, Job::Shop { store, ask: Box::new(ask) }).await? {
            Outcome::Shop(Ok(_)) if deletes => Ok(ShopReply::Deleted),
            Outcome::Shop(Ok(order)) | Outcome::CalledOff(Ok((order, _))) => {
                Ok(ShopReply::Order(self.order(store, by_number(order), Beside::ALL).await.map_err(written)?))
            }
            Outcome::Shop(Err(no)) | Outcome::CalledOff(Err(no)) => Err(refused(no)),
            _ => Err(mismatch()),
        }
    }
}

impl App {
    async fn list_shop(&self, caller: &Arc<Caller>, query: OrderQuery) -> Result<ShopReply, Refusal> {
        let (store, page) = (caller.store.id, query.page.clone());
        let found = self.read(caller, move |e| read::list_orders(e.store(), store, &query)).await?;
        let Ok((found, has_more)) = found else { return Err(cursor_of(&page)) };
        Ok(ShopReply::Orders { orders: found.into_iter().map(order_view).collect(), has_more })
    }
}

/// An order that was deleted is shown to nobody.
fn shown(view: Box<OrderView>, named: String) -> Result<Box<OrderView>, Refusal> {
    if view.facts.order.life.deleted_ms.is_some() { Err(Refusal::OrderUnknown(named)) } else { Ok(view) }
}

fn refused(no: ShopNo) -> Refusal {
    let fault = match no {
        ShopNo::OrderUnknown(order) => return Refusal::OrderUnknown(order),
        ShopNo::Rejected(rejection) => return Refusal::Rejected(rejection),
        ShopNo::CalledOff => ShopFault::CalledOff,
        ShopNo::Intake(fault) => return Refusal::Intake(Box::new(fault)),
        ShopNo::Draft(fault) => ShopFault::Draft(fault),
        ShopNo::Currency { given, wanted } => ShopFault::Currency { given, wanted },
        ShopNo::OutOfStock(line) => ShopFault::OutOfStock(line),
        ShopNo::Amend(fault) => ShopFault::Amend(fault),
    };
    Refusal::Shop(Box::new(fault))
}
