//! A data set: orders with a history, made in this process through the engine's own intake, the way an import comes in.
//!
//! The same size and seed always make the same data. A marker, an order like any other, says what a database holds: it
//! is written first as unfinished, so that a run that broke off is recognised and goes on where it stopped. Nothing
//! here may write behind the engine's back: the books have to balance like anybody's.

pub(super) mod document;
pub(super) mod order;
pub(super) mod scripted;

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context as _, bail, ensure};
use refundry_core::intake::Intake;
use refundry_core::order::{Line, Order, Reference};
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::store::{LaneError, orders};

use crate::demo;
use crate::tenants::store_called;

/// How many orders wait for the writer at once: enough that its batches are always full.
const IN_FLIGHT: usize = 1_024;
/// Id of the order that says what the data set is.
const MARKER: &str = "bench-data-set";
/// Refunds an order may bring on average; its lines have at least this many units, two a refund, with room to spare.
const REFUNDS_PER_ORDER_MAX: u32 = 100;

/// How large a data set is, and which of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) orders: u32,
    pub(super) refunds: u32,
    pub(super) seed: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "orders={} refunds={} seed={}", self.orders, self.refunds, self.seed)
    }
}

impl FromStr for Size {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
        let mut number = |name: &str| value(name)?.parse::<u64>().ok();
        let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
        let (orders, refunds) = (small(number("orders")), small(number("refunds")));
        let (Some(orders), Some(refunds), Some(seed)) = (orders, refunds, number("seed")) else { return Err(()) };
        Ok(Self { orders, refunds, seed })
    }
}

/// The orders of a data set, by index; nothing of them is kept in memory.
#[derive(Clone, Debug)]
pub(super) struct Catalog {
    /// In front of the index in an order's id.
    pub(super) prefix: String,
    pub(super) size: Size,
}

impl Catalog {
    /// The orders that a data set of this size has in any database.
    pub(super) fn of(size: Size) -> Self {
        Self { prefix: "bench-".to_owned(), size }
    }

    pub(super) fn order_id(&self, index: u32) -> String {
        format!("{}{index}", self.prefix)
    }
}

/// What is asked for; what is left open is taken from the data set that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) orders: Option<u32>,
    pub(super) refunds: Option<u32>,
    pub(super) seed: u64,
}

impl Wish {
    /// What to make where nothing is there.
    pub(super) fn size(self, orders: u32) -> Size {
        Size { orders: self.orders.unwrap_or(orders), refunds: self.refunds.unwrap_or(0), seed: self.seed }
    }

    /// Whether the data set that is there will do.
    fn allows(self, there: Size) -> bool {
        let open = self.orders.is_none() && self.refunds.is_none();
        let same = self.orders.unwrap_or(there.orders) == there.orders
            && self.refunds.unwrap_or(there.refunds) == there.refunds;
        open || same
    }
}

/// Makes the data set in the demo store, or finds it there. `show` is told how many orders are in, of how many.
pub(super) fn ready(
    engine: &Engine,
    wish: Wish,
    default_orders: u32,
    show: &dyn Fn(u32, u32),
) -> anyhow::Result<Catalog> {
    demo::seed(engine).context("cannot make the demo store")?;
    let store = store_called(engine, "demo")?.id;
    let marker = engine.store().read(|tx| {
        let Some(id) = orders::resolve(tx, store, &Reference::plain(MARKER))? else { return Ok(None) };
        Ok(orders::facts(tx, store, id)?.map(|facts| facts.order.number.clone()))
    })?;
    let size = match marker {
        None => wish.size(default_orders),
        Some(text) => {
            let (size, finished) = match text.strip_suffix(" unfinished") {
                Some(size) => (size, false),
                None => (text.as_str(), true),
            };
            let there: Size = size.parse().map_err(|()| anyhow::anyhow!("the data set there is called {text:?}"))?;
            ensure!(wish.allows(there), "another data set is there ({there}); choose another folder, or name its size");
            if finished {
                return Ok(Catalog::of(there));
            }
            there
        }
    };
    ensure!(
        size.refunds / REFUNDS_PER_ORDER_MAX <= size.orders,
        "{} refunds are too many for {} orders: {REFUNDS_PER_ORDER_MAX} an order at most",
        size.refunds,
        size.orders
    );
    let catalog = Catalog::of(size);
    mark(engine, store, &format!("{size} unfinished"))?;
    make(engine, store, &catalog, show)?;
    scripted::make(engine, store, size)?;
    mark(engine, store, &size.to_string())?;
    Ok(catalog)
}

/// Puts all orders, many at a time.
fn make(engine: &Engine, store: i64, catalog: &Catalog, show: &dyn Fn(u32, u32)) -> anyhow::Result<()> {
    let count = catalog.size.orders;
    let (answers, answered) = sync_channel(IN_FLIGHT);
    for index in 0..count {
        if index as usize >= IN_FLIGHT {
            next_answer(&answered)?;
        }
        submit(engine, store, order::intake(catalog, index), &answers)?;
        if index.is_multiple_of(1_024) {
            show(index, count);
        }
    }
    drop(answers);
    for _ in 0..IN_FLIGHT.min(count as usize) {
        next_answer(&answered)?;
    }
    Ok(())
}

type Answer = Result<Outcome, LaneError>;

fn submit(engine: &Engine, store: i64, intake: Intake, answers: &SyncSender<Answer>) -> anyhow::Result<()> {
    let answers = answers.clone();
    let reply = Box::new(move |answer| {
        // Nobody listens any more when an earlier order failed.
        let _ = answers.send(answer);
    });
    let queued = engine.submit(Job::PutOrder { store, intake: Box::new(intake) }, reply);
    queued.map_err(|_| anyhow::anyhow!("the writer's queue is full"))
}

fn next_answer(answered: &Receiver<Answer>) -> anyhow::Result<()> {
    match answered.recv().context("the writer ended")?? {
        Outcome::Put(Ok(_)) => Ok(()),
        Outcome::Put(Err(fault)) => bail!("an order of the data set is refused: {fault:?}"),
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// Writes what the data set is into the number of an order of its own.
fn mark(engine: &Engine, store: i64, text: &str) -> anyhow::Result<()> {
    let catalog = Catalog { prefix: String::new(), size: Size { orders: 1, refunds: 0, seed: 0 } };
    let mut intake = order::intake(&catalog, 0);
    // A name of its own: lists by it must not find what nobody bought.
    let lines = intake.order.lines.into_iter().map(|line| Line { sku: String::new(), ..line }).collect();
    let (external_id, number) = (Some(MARKER.to_owned()), text.to_owned());
    intake.order = Order { external_id, number, lines, ..intake.order };
    match engine.call(Job::PutOrder { store, intake: Box::new(intake) })? {
        Outcome::Put(Ok(_)) => Ok(()),
        other => bail!("the data set cannot be marked: {other:?}"),
    }
}
