//! Calling an order off with its money: the refund and the end of the order in one transaction, or neither.

use refundry_core::call_off::with_waiting_units;
use refundry_core::command::CreateRefund;
use refundry_core::decide::decide;
use refundry_core::order::{Id, Reference, Status};
use refundry_core::refund::Restock;
use refundry_store::{StoreError, Tx};

use crate::accept::{Accepted, Writer};
use crate::shop::{self, ShopNo};
use crate::stock;
use crate::world::World;

/// An order that is to be called off.
pub(crate) struct CallOff<'a> {
    /// Which.
    pub(crate) order: &'a Reference,
    /// Why, may be empty.
    pub(crate) reason: &'a str,
    /// The units that wait go back into stock.
    pub(crate) restock: bool,
    /// The money that goes back with it.
    pub(crate) refund: Option<&'a CreateRefund>,
}

/// What became of it: the order's number, and its refund if there is one.
pub type CalledOff = Result<(Id, Option<Accepted>), ShopNo>;

impl Writer {
    /// A second call finds the order called off, so that an answer that was lost costs no second refund.
    pub(crate) fn call_off(
        &mut self,
        tx: &mut Tx<'_>,
        world: &mut World,
        store: i64,
        ask: &CallOff<'_>,
        now_ms: i64,
    ) -> Result<CalledOff, StoreError> {
        let unknown = || Ok(Err(ShopNo::OrderUnknown(ask.order.text.clone())));
        let Some(id) = world.resolve(tx, store, ask.order)? else { return unknown() };
        world.set_terms(tx, store, id, self.queue.registry(), now_ms)?;
        let facts = world.facts(tx, store, id)?;
        if facts.order.life.deleted_ms.is_some() {
            return unknown();
        }
        if facts.order.status == Status::Cancelled {
            return Ok(Err(ShopNo::CalledOff));
        }
        let restock = if ask.restock { Restock::Cancel } else { Restock::No };
        let command = ask.refund.map(|refund| {
            let request = with_waiting_units(facts, &refund.request, restock);
            CreateRefund { request, ..refund.clone() }
        });
        // Nothing may be left of it if the rules say no, so they are asked before anything changes.
        if let Some(Err(no)) = command.as_ref().map(|command| decide(facts, &command.request)) {
            return Ok(Err(ShopNo::Rejected(Box::new(no))));
        }
        let gives_back = ask.restock && ask.refund.is_none();
        let restocked = gives_back && stock::give_back(tx, world, (store, id), &mut self.ids, now_ms)?;
        let altered = shop::alter(tx, world, (store, ask.order), &mut self.means(now_ms), |order| {
            shop::call_off(order, ask.reason, now_ms);
            order.life.restocked = restocked;
        })?;
        if let Err(no) = altered {
            return Ok(Err(no));
        }
        let Some(command) = command else { return Ok(Ok((id, None))) };
        match self.create(tx, world, store, &command, None, now_ms)? {
            Ok(accepted) => Ok(Ok((id, Some(accepted)))),
            Err(_) => Err(StoreError::defect("calling an order off changed what can be refunded of it")),
        }
    }
}
