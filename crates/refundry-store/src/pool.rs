//! Connections that are lent out one user at a time: opened when needed, kept for the next, never more than a limit.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::StoreError;
use crate::sqlite::lock;

/// A connection that can tell whether the next user may have it.
pub(crate) trait Reusable {
    /// Nothing of its last user is left on it, as far as this side knows.
    fn is_clean(&self) -> bool;
}

/// The connections of one purpose.
pub(crate) struct Pool<C> {
    max: usize,
    busy: Duration,
    state: Mutex<State<C>>,
    returned: Condvar,
}

struct State<C> {
    idle: Vec<C>,
    open: usize,
}

impl<C: Reusable> Pool<C> {
    /// At most `max` connections; whoever finds all of them lent waits for `busy` and gives up.
    pub(crate) fn new(max: usize, busy: Duration) -> Self {
        let state = Mutex::new(State { idle: Vec::new(), open: 0 });
        Self { max: max.max(1), busy, state, returned: Condvar::new() }
    }

    /// An idle connection, or a new one.
    pub(crate) fn lend<E: From<StoreError>>(&self, connect: impl FnOnce() -> Result<C, E>) -> Result<Lent<'_, C>, E> {
        let exhausted = |state: &mut State<C>| state.idle.is_empty() && state.open >= self.max;
        let waited = self.returned.wait_timeout_while(lock(&self.state), self.busy, exhausted);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(StoreError::Busy.into());
        }
        let conn = state.idle.pop();
        if conn.is_none() {
            state.open += 1;
        }
        drop(state);
        // From here on the place is given back however this ends.
        let mut lent = Lent { pool: self, conn };
        if lent.conn.is_none() {
            lent.conn = Some(connect()?);
        }
        Ok(lent)
    }

    /// Closes what nobody uses: after one connection was lost, the others of the same server are no better.
    pub(crate) fn clear(&self) {
        let mut state = lock(&self.state);
        state.open -= state.idle.len();
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }
}

/// A connection on loan; it goes back however its use ends: return, error or panic.
pub(crate) struct Lent<'p, C: Reusable> {
    pool: &'p Pool<C>,
    /// There from the end of [`Pool::lend`] on.
    conn: Option<C>,
}

impl<C: Reusable> Deref for Lent<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.conn.as_ref().expect("a connection on loan is there until it goes back")
    }
}

impl<C: Reusable> DerefMut for Lent<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.conn.as_mut().expect("a connection on loan is there until it goes back")
    }
}

impl<C: Reusable> Drop for Lent<'_, C> {
    fn drop(&mut self) {
        let conn = self.conn.take().filter(C::is_clean);
        let mut state = lock(&self.pool.state);
        match conn {
            Some(conn) => state.idle.push(conn),
            None => state.open -= 1,
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
