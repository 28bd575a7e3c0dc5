//! Orders themselves: create, read, change, call off, list.

use refundry_store::{StoreError, Tx};

use crate::accept::{Means, Named};
use crate::world::World;

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum ShopAsk {}

impl ShopAsk {
    /// What it names, so that the order is held before anything is read.
    pub(crate) const fn named(&self) -> Named<'_> {
        match *self {}
    }
}

/// What became of it.
#[derive(Debug)]
pub enum ShopDone {}

pub(crate) fn run(
    _tx: &mut Tx<'_>,
    _world: &mut World,
    _store: i64,
    ask: &ShopAsk,
    _means: Means<'_>,
) -> Result<ShopDone, StoreError> {
    match *ask {}
}
