//! The texts that orders are found by, kept as they are now: what is gone is removed.

use std::collections::BTreeSet;

use refundry_core::order::Order;
use refundry_core::terms::{Term, TermChange, TermKind, Terms};

use crate::{Row, StoreError, Tx, Value, number};

/// An order that changed.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'o> {
    /// Its store.
    pub store: i64,
    /// As it was; `None` for a new one.
    pub before: Option<&'o Order>,
    /// As it is.
    pub after: &'o Order,
    /// What its document says, where that changed.
    pub told: Option<&'o TermChange>,
}

/// A row: the text, and when its order was made.
type Entry = (Term, i64);

/// Keeps what orders are found by. What documents say stays unless it is told anew.
pub fn put_terms(tx: &mut Tx<'_>, rows: &[Changed<'_>]) -> Result<(), StoreError> {
    let kept = read(tx, rows)?;
    let mut gone: Vec<[Value<'_>; 5]> = Vec::new();
    let mut new: Vec<[Value<'_>; 5]> = Vec::new();
    for (row, kept) in rows.iter().zip(kept) {
        let (before, after) = row.entries(kept);
        let order = number(row.after.id)?;
        let value = |(term, created_ms): &Entry| {
            let text = Value::from(term.text.clone());
            [row.store.into(), kind_code(term.kind).into(), text, (*created_ms).into(), order.clone()]
        };
        gone.extend(before.difference(&after).map(value));
        new.extend(after.difference(&before).map(value));
    }
    tx.write_many(REMOVE, &gone)?;
    tx.write_many(PUT, &new)
}

impl Changed<'_> {
    /// Whether what was told before has to be read: to be replaced, or because each of its rows changes.
    fn wants_kept(&self) -> bool {
        self.before.is_some_and(|before| {
            let moved = before.created_ms != self.after.created_ms;
            self.told.is_some() || moved || is_deleted(before) != is_deleted(self.after)
        })
    }

    /// The rows before and after, `kept` being what was told before.
    fn entries(&self, kept: Vec<Entry>) -> (BTreeSet<Entry>, BTreeSet<Entry>) {
        let known = kept.iter().map(|(term, _)| term.clone());
        let told: Vec<Term> = match self.told {
            Some(told) => told.after(known).into_iter().filter(|term| !term.kind.is_of_facts()).collect(),
            None => known.collect(),
        };
        let mut before: BTreeSet<Entry> = kept.into_iter().collect();
        before.extend(self.before.into_iter().flat_map(of_facts));
        let after = &self.after;
        let mut entries = of_facts(after);
        if !is_deleted(after) {
            entries.extend(told.into_iter().map(|term| (term, after.created_ms)));
        }
        (before, entries)
    }
}

fn is_deleted(order: &Order) -> bool {
    order.life.deleted_ms.is_some()
}

fn of_facts(order: &Order) -> BTreeSet<Entry> {
    if is_deleted(order) {
        return BTreeSet::new();
    }
    Terms::of(order).into_set().into_iter().map(|term| (term, order.created_ms)).collect()
}

/// What documents said of each order, where that is wanted.
fn read(tx: &mut Tx<'_>, rows: &[Changed<'_>]) -> Result<Vec<Vec<Entry>>, StoreError> {
    let places: Vec<usize> = (0..rows.len()).filter(|place| rows[*place].wants_kept()).collect();
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(places.len());
    for place in &places {
        params.push([rows[*place].store.into(), number(rows[*place].after.id)?]);
    }
    let mut kept = vec![Vec::new(); rows.len()];
    tx.each_many(TOLD, &params, |place, row| {
        kept[places[place]].push(decode(row)?);
        Ok(())
    })?;
    Ok(kept)
}

fn decode(row: &Row<'_>) -> Result<Entry, StoreError> {
    let code = row.int(0)?;
    let kind = TermKind::ALL.into_iter().find(|kind| kind_code(*kind) == code);
    let kind = kind.ok_or_else(|| StoreError::defect("a term is of a kind that nobody knows"))?;
    Ok((Term { kind, text: row.string(1)? }, row.int(2)?))
}

const REMOVE: &str = "
    DELETE FROM order_terms WHERE store = ?1 AND kind = ?2 AND term = ?3 AND created_ms = ?4 AND order_id = ?5";
const PUT: &str = "
    INSERT INTO order_terms (store, kind, term, created_ms, order_id) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (store, kind, term, created_ms, order_id) DO NOTHING";
const TOLD: &str = "SELECT kind, term, created_ms FROM order_terms WHERE store = ?1 AND order_id = ?2 AND kind >= 5";

/// The number that stands for a kind in the table; those that documents tell come last.
pub(super) const fn kind_code(kind: TermKind) -> i64 {
    match kind {
        TermKind::Number => 0,
        TermKind::Sku => 1,
        TermKind::Product => 2,
        TermKind::Title => 3,
        TermKind::Location => 4,
        TermKind::Customer => 5,
        TermKind::CustomerEmail => 6,
        TermKind::ShippingEmail => 7,
        TermKind::ShippingPhone => 8,
        TermKind::BrowserIp => 9,
        TermKind::Spu => 10,
        TermKind::Tag => 11,
        TermKind::Platform => 12,
        TermKind::Recovery => 13,
        TermKind::Name => 14,
        TermKind::Place => 15,
        TermKind::CustomerPhone => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_documents_tell_comes_last() {
        for (code, kind) in (0..).zip(TermKind::ALL) {
            assert_eq!(kind_code(kind), code);
            assert_eq!(kind.is_of_facts(), code < 5);
        }
    }
}
