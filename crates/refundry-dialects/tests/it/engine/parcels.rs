//! Payments, transactions and parcels of orders in memory, by the real rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::order::{Id, Order, Reference};
use refundry_core::parcels::{self as rules, Parcel, ParcelQuery};
use refundry_core::paying::{self, Transaction};
use refundry_core::query::{Beside, Page, TimeRange};
use refundry_core::refund::Refund;
use refundry_core::slips::{self, SlipBook};
use refundry_dialects::parcels::{ParcelCall, ParcelFault, ParcelReply, SlipView};
use refundry_dialects::{OrderView, Refusal};

use super::Engine;

/// Our number of the only store.
const STORE: Id = 1;

/// What is known of orders beside their facts.
#[derive(Default)]
pub(crate) struct Yard {
    pub(super) parcels: Vec<Parcel>,
    pub(super) transactions: Vec<Transaction>,
}

impl Yard {
    /// The parcel that was made last.
    pub(super) fn last_parcel(&self) -> Option<Parcel> {
        self.parcels.last().cloned()
    }

    /// The transaction that was told of last.
    pub(super) fn last_transaction(&self) -> Option<Transaction> {
        self.transactions.last().cloned()
    }
}

impl Engine {
    pub(crate) fn parcels(&mut self, call: ParcelCall) -> Result<ParcelReply, Refusal> {
        let order = match &call {
            ParcelCall::PutSlips(_) | ParcelCall::ChangeSlips(_) => return self.slips(&call),
            ParcelCall::Money { order, refunds } => {
                return self.index_of(order).map(|index| self.money(index, *refunds));
            }
            ParcelCall::Pay { order, .. }
            | ParcelCall::Capture { order, .. }
            | ParcelCall::Ship { order, .. }
            | ParcelCall::Track { order, .. }
            | ParcelCall::Deliver { order, .. }
            | ParcelCall::Unship { order, .. }
            | ParcelCall::List { order, .. }
            | ParcelCall::Count { order, .. }
            | ParcelCall::Get { order, .. }
            | ParcelCall::Transactions { order, .. } => order,
        };
        let index = self.index_of(order)?;
        self.parcels_of(index, call).map_err(|fault| Refusal::Parcels(Box::new(fault)))
    }

    fn index_of(&self, order: &Reference) -> Result<usize, Refusal> {
        self.find_order(order).ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))
    }

    fn money(&self, index: usize, with_refunds: bool) -> ParcelReply {
        let (facts, told) = (&self.orders[index].facts, self.told(index));
        let (slips, transactions) = (slips::slips(facts, &told), paying::shown(facts, &told));
        let of_order = self.refunds.iter().filter(|refund| with_refunds && refund.order == facts.order.id);
        let refunds = of_order.cloned().collect();
        ParcelReply::Money { order: Arc::clone(&facts.order), slips, transactions, refunds }
    }

    /// Slips of several orders, all or nothing.
    fn slips(&mut self, call: &ParcelCall) -> Result<ParcelReply, Refusal> {
        let orders: Vec<&Reference> = match call {
            ParcelCall::PutSlips(drafts) => drafts.iter().map(|draft| &draft.order).collect(),
            ParcelCall::ChangeSlips(changes) => changes.iter().map(|change| &change.order).collect(),
            other => unreachable!("{other:?}"),
        };
        let indices = orders.into_iter().map(|order| self.index_of(order)).collect::<Result<Vec<usize>, Refusal>>()?;
        let mut books: BTreeMap<usize, SlipBook> =
            indices.iter().map(|i| (*i, SlipBook::open(&self.orders[*i].facts, self.told(*i)))).collect();
        let mut slipped = Vec::new();
        for (entry, index) in indices.into_iter().enumerate() {
            let (book, now_ms) = (books.get_mut(&index).expect("it was opened"), self.now_ms);
            let payment = match call {
                ParcelCall::PutSlips(drafts) => book.make(entry, &drafts[entry], now_ms, &mut || self.next_id()),
                ParcelCall::ChangeSlips(changes) => book.change(entry, &changes[entry], now_ms, &mut || self.next_id()),
                other => unreachable!("{other:?}"),
            };
            slipped.push((index, payment.map_err(|fault| Refusal::Parcels(Box::new(fault)))?));
        }
        let views = slipped.into_iter().map(|(index, payment)| SlipView {
            order: Arc::clone(books[&index].order()),
            slip: books[&index].slip(payment).expect("it was made"),
        });
        let views = views.collect();
        for (index, book) in books {
            let booked = book.close();
            self.yard.transactions.retain(|known| booked.changed.iter().all(|changed| changed.id != known.id));
            self.yard.transactions.extend(booked.made.into_iter().chain(booked.changed));
            self.yard.transactions.sort_by_key(|transaction| transaction.id);
            if let Some(order) = booked.order {
                self.put_again(index, order);
            }
        }
        Ok(ParcelReply::Slips(views))
    }

    fn parcels_of(&mut self, index: usize, call: ParcelCall) -> Result<ParcelReply, ParcelFault> {
        let (facts, now_ms) = (self.orders[index].facts.clone(), self.now_ms);
        match call {
            ParcelCall::Pay { lines, patch, .. } => {
                let (order, made) = paying::pay(&facts, &lines, now_ms, &mut || self.next_id())?;
                self.yard.transactions.extend(made);
                self.put_again(index, order);
                if let Some(patch) = patch {
                    super::shop::patch(&mut self.orders[index], &patch.to_string());
                }
                Ok(ParcelReply::Order(self.view_of(index)))
            }
            ParcelCall::Capture { channel, void, .. } => {
                let told = self.told(index);
                let captured = paying::capture(&facts, &told, (&channel, void), now_ms, &mut || self.next_id());
                let (order, transaction) = captured?;
                self.yard.transactions.push(transaction.clone());
                self.put_again(index, order.unwrap_or_else(|| Order::clone(&facts.order)));
                Ok(ParcelReply::Transaction { order: facts.order, transaction: Box::new(transaction) })
            }
            ParcelCall::Ship { shipment, .. } => {
                let number = u32::try_from(self.newest_first(index).len()).expect("few") + 1;
                let (order, parcel) = rules::ship(&facts, &shipment, (self.next_id(), number), now_ms)?;
                self.yard.parcels.push(parcel.clone());
                Ok(self.shown_after(index, Some(order), parcel))
            }
            ParcelCall::Track { parcel, tracking, .. } => {
                let parcel = rules::track(&self.parcel(index, &parcel)?, &tracking, now_ms);
                Ok(self.shown_after(index, None, parcel))
            }
            ParcelCall::Deliver { parcel, .. } => {
                let known = self.parcel(index, &parcel)?;
                let Some(arrived) = rules::deliver(&facts, &known, now_ms, &mut || self.next_id())? else {
                    return Ok(self.shown_after(index, None, known));
                };
                self.yard.transactions.extend(arrived.transaction);
                Ok(self.shown_after(index, Some(arrived.order), arrived.parcel))
            }
            ParcelCall::Unship { parcel, .. } => {
                let known = self.parcel(index, &parcel)?;
                match rules::unship(&facts, &known, now_ms)? {
                    Some((order, parcel)) => {
                        self.call_returns_off(parcel.id);
                        Ok(self.shown_after(index, Some(order), parcel))
                    }
                    None => Ok(self.shown_after(index, None, known)),
                }
            }
            ParcelCall::Get { parcel, .. } => {
                let parcel = self.parcel(index, &parcel)?;
                Ok(ParcelReply::Parcel { order: self.view_of(index), parcel })
            }
            ParcelCall::List { query, .. } => {
                let (parcels, has_more) = page(self.newest_first(index), &query);
                Ok(ParcelReply::Parcels { order: self.view_of(index), parcels, has_more })
            }
            ParcelCall::Count { query, .. } => {
                let all = self.newest_first(index).into_iter().filter(|parcel| fits(parcel, &query));
                Ok(ParcelReply::Counted(i64::try_from(all.count()).expect("few")))
            }
            ParcelCall::Transactions { state, channel, .. } => {
                let mut transactions = paying::shown(&facts, &self.told(index));
                transactions.retain(|t| state.is_none_or(|state| t.state == state));
                transactions.retain(|t| channel.as_ref().is_none_or(|c| t.channel.eq_ignore_ascii_case(c)));
                Ok(ParcelReply::Transactions { order: facts.order, transactions })
            }
            ParcelCall::Money { .. } | ParcelCall::PutSlips(_) | ParcelCall::ChangeSlips(_) => {
                unreachable!("they are answered before")
            }
        }
    }

    fn put_again(&mut self, index: usize, order: Order) {
        let facts = &mut self.orders[index].facts;
        facts.balances.fit(&order);
        facts.order = Arc::new(order);
    }

    fn shown_after(&mut self, index: usize, order: Option<Order>, parcel: Parcel) -> ParcelReply {
        if let Some(order) = order {
            self.put_again(index, order);
        }
        for known in self.yard.parcels.iter_mut().filter(|known| known.id == parcel.id) {
            known.clone_from(&parcel);
        }
        ParcelReply::Parcel { order: self.view_of(index), parcel }
    }

    /// An order with its parcels.
    pub(super) fn view_of(&self, index: usize) -> Box<OrderView> {
        Box::new(self.view_with(index, Beside::PARCELS))
    }

    /// An order with what is wanted beside.
    pub(crate) fn view_with(&self, index: usize, beside: Beside) -> OrderView {
        let known = &self.orders[index];
        let of_order = |refund: &&Refund| refund.order == known.facts.order.id;
        let refunds = self.refunds.iter().filter(of_order).cloned();
        let mut refunds: Vec<Refund> = if beside.refunds { refunds.collect() } else { Vec::new() };
        refunds.sort_by_key(|refund| (refund.created_ms, refund.id));
        OrderView {
            facts: known.facts.clone(),
            document: if beside.document { known.document.clone() } else { String::new() },
            parcels: if beside.parcels { self.newest_first(index) } else { Vec::new() },
            refunds,
            transactions: if beside.transactions { self.told(index) } else { Vec::new() },
            store: STORE,
        }
    }

    fn order_id(&self, index: usize) -> Id {
        self.orders[index].facts.order.id
    }

    fn told(&self, index: usize) -> Vec<Transaction> {
        self.yard.transactions.iter().filter(|t| t.order == self.order_id(index)).cloned().collect()
    }

    pub(super) fn newest_first(&self, index: usize) -> Vec<Parcel> {
        let of_order = self.yard.parcels.iter().filter(|parcel| parcel.order == self.order_id(index));
        of_order.rev().cloned().collect()
    }

    fn parcel(&self, index: usize, named: &Reference) -> Result<Parcel, ParcelFault> {
        let found = self.newest_first(index).into_iter().find(|p| named.names(p.id, p.external_id.as_deref()));
        found.ok_or_else(|| ParcelFault::ParcelUnknown(named.text.clone()))
    }
}

fn fits(parcel: &Parcel, query: &ParcelQuery) -> bool {
    let within = |range: TimeRange, ms: i64| {
        range.from_ms.is_none_or(|from| ms >= from) && range.to_ms.is_none_or(|to| ms <= to)
    };
    within(query.created, parcel.created_ms) && within(query.updated, parcel.updated_ms)
}

fn page(mut parcels: Vec<Parcel>, query: &ParcelQuery) -> (Vec<Parcel>, bool) {
    parcels.retain(|parcel| fits(parcel, query));
    match query.page {
        Page::Skip(count) => parcels = parcels.into_iter().skip(usize::try_from(count).unwrap_or(usize::MAX)).collect(),
        Page::Key { key_ms, id } => parcels.retain(|parcel| (parcel.created_ms, parcel.id) < (key_ms, id)),
        Page::Start | Page::After(_) | Page::Before(_) => {}
    }
    let limit = usize::try_from(query.limit).expect("at most 250");
    let has_more = parcels.len() > limit;
    parcels.truncate(limit);
    (parcels, has_more)
}
