//! Calls about what happens to an order after it was made: payments, transactions, parcels.

use std::sync::Arc;

use refundry_core::order::Reference;
use refundry_core::parcels::{Fault, ParcelQuery};
use refundry_core::query::Beside;
use refundry_dialects::parcels::{ParcelCall, ParcelReply, SlipView};
use refundry_dialects::{OrderView, Refusal};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::parcels::{self, Money, ParcelAsk, Refused, Seen, Step, Stepped};
use refundry_engine::slips::{SlipAsk, SlipNo, Slipped};
use refundry_engine::tenants::Caller;

use super::{App, by_number, mismatch, order_view, written};

impl App {
    pub(super) async fn run_on_parcels(&self, caller: &Arc<Caller>, call: ParcelCall) -> Result<ParcelReply, Refusal> {
        match call {
            ParcelCall::Pay { order, lines, patch } => {
                let stepped = self.step(caller, order, Step::Pay { lines, patch }).await?;
                Ok(ParcelReply::Order(self.after(caller, &stepped).await?))
            }
            ParcelCall::Capture { order, channel, void } => {
                let stepped = self.step(caller, order, Step::Capture { channel, void }).await?;
                let order = Arc::clone(&self.after(caller, &stepped).await?.facts.order);
                let transaction = Box::new(stepped.transaction.ok_or_else(mismatch)?);
                Ok(ParcelReply::Transaction { order, transaction })
            }
            ParcelCall::Ship { order, shipment } => self.one_after(caller, order, Step::Ship(shipment)).await,
            ParcelCall::Track { order, parcel, tracking } => {
                self.one_after(caller, order, Step::Track { parcel, tracking }).await
            }
            ParcelCall::Deliver { order, parcel } => self.one_after(caller, order, Step::Deliver { parcel }).await,
            ParcelCall::Unship { order, parcel } => self.one_after(caller, order, Step::Unship { parcel }).await,
            ParcelCall::List { order, query } => self.list_parcels(caller, order, query).await,
            ParcelCall::Count { order, query } => {
                let (store, named) = (caller.store.id, order.text.clone());
                let seen = self.read(caller, move |e| parcels::count(e.store(), store, &order, &query)).await?;
                Ok(ParcelReply::Counted(known(seen, named)?.found))
            }
            ParcelCall::Get { order, parcel } => {
                let (store, named, text) = (caller.store.id, order.text.clone(), parcel.text.clone());
                let seen = self.read(caller, move |e| parcels::one(e.store(), store, &order, &parcel)).await?;
                let seen = known(seen, named)?;
                let parcel = seen.found.ok_or_else(|| refused(Fault::ParcelUnknown(text)))?;
                Ok(ParcelReply::Parcel { order: Box::new(order_view(seen.order)), parcel })
            }
            ParcelCall::Transactions { order, state, channel } => {
                let (store, named) = (caller.store.id, order.text.clone());
                let seen = self.read(caller, move |e| parcels::of_order(e.store(), store, &order)).await?;
                let Seen { order, found } = known(seen, named)?;
                let matching = found.into_iter().filter(|transaction| {
                    state.is_none_or(|state| transaction.state == state)
                        && channel.as_deref().is_none_or(|wanted| transaction.channel.eq_ignore_ascii_case(wanted))
                });
                Ok(ParcelReply::Transactions { order: order.facts.order, transactions: matching.collect() })
            }
            ParcelCall::Money { order, refunds } => {
                let (store, named) = (caller.store.id, order.text.clone());
                let seen = self.read(caller, move |e| parcels::money(e.store(), store, &order, refunds)).await?;
                let Seen { order, found: Money { slips, transactions, refunds } } = known(seen, named)?;
                Ok(ParcelReply::Money { order: order.facts.order, slips, transactions, refunds })
            }
            ParcelCall::PutSlips(slips) => self.book_slips(caller, SlipAsk::Make(slips)).await,
            ParcelCall::ChangeSlips(changes) => self.book_slips(caller, SlipAsk::Change(changes)).await,
        }
    }

    async fn list_parcels(
        &self,
        caller: &Arc<Caller>,
        order: Reference,
        query: ParcelQuery,
    ) -> Result<ParcelReply, Refusal> {
        let (store, named) = (caller.store.id, order.text.clone());
        let seen = self.read(caller, move |e| parcels::list(e.store(), store, &order, &query)).await?;
        let Seen { order, found: (parcels, has_more) } = known(seen, named)?;
        Ok(ParcelReply::Parcels { order: Box::new(order_view(order)), parcels, has_more })
    }

    async fn book_slips(&self, caller: &Caller, ask: SlipAsk) -> Result<ParcelReply, Refusal> {
        match self.write(caller, Job::Slips { store: caller.store.id, ask: Box::new(ask) }).await? {
            Outcome::Slips(Ok(slips)) => {
                let views = slips.into_iter().map(|Slipped { order, slip }| SlipView { order, slip });
                Ok(ParcelReply::Slips(views.collect()))
            }
            Outcome::Slips(Err(SlipNo::OrderUnknown(order))) => Err(Refusal::OrderUnknown(order)),
            Outcome::Slips(Err(SlipNo::Fault(fault))) => Err(refused(fault)),
            _ => Err(mismatch()),
        }
    }

    /// Has a step done.
    async fn step(&self, caller: &Caller, order: Reference, step: Step) -> Result<Box<Stepped>, Refusal> {
        let named = order.text.clone();
        let ask = Box::new(ParcelAsk { order, step });
        match self.write(caller, Job::Parcels { store: caller.store.id, ask }).await? {
            Outcome::Parcels(Ok(stepped)) => Ok(stepped),
            Outcome::Parcels(Err(Refused::OrderUnknown)) => Err(Refusal::OrderUnknown(named)),
            Outcome::Parcels(Err(Refused::Fault(fault))) => Err(refused(fault)),
            _ => Err(mismatch()),
        }
    }

    /// Has a step done that leaves a parcel, and shows that.
    async fn one_after(&self, caller: &Arc<Caller>, order: Reference, step: Step) -> Result<ParcelReply, Refusal> {
        let stepped = self.step(caller, order, step).await?;
        let order = self.after(caller, &stepped).await?;
        let parcel = stepped.parcel.ok_or_else(mismatch)?;
        Ok(ParcelReply::Parcel { order, parcel })
    }

    /// The order after a step. The step is stored, so whoever cannot read it now is not told that nothing was done.
    async fn after(&self, caller: &Caller, stepped: &Stepped) -> Result<Box<OrderView>, Refusal> {
        self.order(caller.store.id, by_number(stepped.order), Beside::PARCELS).await.map_err(written)
    }
}

fn known<T>(seen: Option<Seen<T>>, named: String) -> Result<Seen<T>, Refusal> {
    seen.ok_or(Refusal::OrderUnknown(named))
}

fn refused(fault: Fault) -> Refusal {
    Refusal::Parcels(Box::new(fault))
}
