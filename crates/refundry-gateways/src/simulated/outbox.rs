//! Events that wait to be delivered: pure, in memory, no clock. They are not written down themselves, for they follow
//! from the lines of the books; only that one arrived is a line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::events::Event;

/// The wait after a first delivery that was not confirmed; doubled each time.
const AGAIN_MS: i64 = 1_000;
const AGAIN_MS_MAX: i64 = 60_000;

/// Waiting events.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// By event and copy.
    waiting: BTreeMap<(String, u32), Waiting>,
    /// When they are due; those of the same moment in the order in which they happened.
    due: BTreeSet<(i64, u64, String, u32)>,
    happened: u64,
}

#[derive(Debug)]
struct Waiting {
    event: Arc<Event>,
    due_ms: i64,
    number: u64,
    attempts: u32,
}

impl Outbox {
    /// Adds an event with the moments at which it is to be delivered, in milliseconds after it happened.
    pub(super) fn push(&mut self, event: Event, after_ms: &[i64]) {
        let event = Arc::new(event);
        self.happened += 1;
        for (copy, after_ms) in (0..).zip(after_ms) {
            let due_ms = event.created_ms.saturating_add(*after_ms);
            self.put(copy, Waiting { event: Arc::clone(&event), due_ms, number: self.happened, attempts: 0 });
        }
    }

    /// What is due, in order; each comes again later until it is confirmed.
    pub(super) fn take_due(&mut self, now_ms: i64) -> Vec<(Arc<Event>, u32)> {
        let mut taken = Vec::new();
        while self.due.first().is_some_and(|(due_ms, ..)| *due_ms <= now_ms) {
            let Some((.., id, copy)) = self.due.pop_first() else { break };
            if let Some(waiting) = self.waiting.remove(&(id, copy)) {
                taken.push((copy, waiting));
            }
        }
        let again = |attempts: u32| AGAIN_MS.saturating_mul(1 << attempts.min(16)).min(AGAIN_MS_MAX);
        let mut told = Vec::new();
        for (copy, waiting) in taken {
            told.push((Arc::clone(&waiting.event), copy));
            let due_ms = now_ms.saturating_add(again(waiting.attempts));
            self.put(copy, Waiting { due_ms, attempts: waiting.attempts + 1, ..waiting });
        }
        told
    }

    /// One copy of an event arrived.
    pub(super) fn confirm(&mut self, id: &str, copy: u32) {
        if let Some(waiting) = self.waiting.remove(&(id.to_owned(), copy)) {
            self.due.remove(&(waiting.due_ms, waiting.number, id.to_owned(), copy));
        }
    }

    /// Whether any copy of an event is still to be delivered.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.waiting.range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX)).next().is_some()
    }

    /// Forgets an event: it had arrived before.
    pub(super) fn forget(&mut self, id: &str) {
        let copies: Vec<u32> =
            self.waiting.range((id.to_owned(), 0)..=(id.to_owned(), u32::MAX)).map(|((_, copy), _)| *copy).collect();
        for copy in copies {
            self.confirm(id, copy);
        }
    }

    /// When something is due next.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.due.first().map(|(due_ms, ..)| *due_ms)
    }

    /// How many deliveries are still to come.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn put(&mut self, copy: u32, waiting: Waiting) {
        let id = waiting.event.id.clone();
        self.due.insert((waiting.due_ms, waiting.number, id.clone(), copy));
        self.waiting.insert((id, copy), waiting);
    }
}
