//! The platforms' rate limits, where the server was told to emulate them: one bucket for each token, and one that all
//! tokens of a store share where the platform has it.
//!
//! Buckets live in memory, each process counts for itself, and a new one starts with all of them empty: this is for
//! trying out how a client takes a limit, and must never be what protects the server.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use refundry_core::order::Dialect;
use refundry_dialects::{Bucket, Level, Refusal, rate};
use refundry_engine::clock::Clock;
use refundry_engine::tenants::Caller;

/// Buckets kept at once; more than any installation has in use.
const BUCKETS_MAX: usize = 10_000;

/// Whose bucket it is: that of a token, by its hash, or the one that a store's tokens share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Token(String),
    Store(i64),
}

/// One platform's limits do not touch another's.
type Key = (Dialect, Whose);

/// The buckets of everybody.
pub(crate) struct Limits {
    clock: Clock,
    /// Whatever is not in here is empty.
    kept: Mutex<BTreeMap<Key, (Bucket, Level)>>,
    most: usize,
}

impl Limits {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default(), most: BUCKETS_MAX }
    }

    /// Counts a call of a caller whose token works, or refuses it; a refused one fills nothing.
    pub(super) fn admit(&self, dialect: Dialect, caller: &Caller) -> Result<(), Refusal> {
        let Some(rate) = rate(dialect, caller.live) else { return Ok(()) };
        let token = ((dialect, Whose::Token(caller.hash.clone())), rate.per_token);
        let store = rate.per_store.map(|bucket| ((dialect, Whose::Store(caller.store.id)), bucket));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Read while nobody else counts, so that time never runs backwards between two calls.
        let now_ms = self.clock.now_ms();
        let levels: Vec<(Key, Bucket, Level)> = [Some(token), store]
            .into_iter()
            .flatten()
            .map(|(key, bucket)| {
                let level = level(&kept, &key, bucket, now_ms);
                (key, bucket, level)
            })
            .collect();
        let retry_after_ms = levels.iter().map(|(_, bucket, level)| level.wait_ms(*bucket)).max().unwrap_or(0);
        if retry_after_ms > 0 {
            return Err(Refusal::TooMany { retry_after_ms });
        }
        for (key, bucket, level) in levels {
            if kept.len() >= self.most && !kept.contains_key(&key) {
                forget(&mut kept, self.most, now_ms);
            }
            kept.insert(key, (bucket, level.and_one()));
        }
        Ok(())
    }

    /// The header that says how full the bucket of a token (by its hash) is now, where the platform sends one. A token
    /// that never called, or does not work, has used nothing.
    pub(super) fn header(&self, dialect: Dialect, token: Option<String>) -> Option<(&'static str, String)> {
        // No platform that has such a header tells live tokens from others.
        let rate = rate(dialect, false)?;
        let name = rate.header?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        let used = token.map_or(0, |hash| level(&kept, &(dialect, Whose::Token(hash)), rate.per_token, now_ms).used());
        Some((name, format!("{used}/{}", rate.per_token.capacity)))
    }
}

fn level(kept: &BTreeMap<Key, (Bucket, Level)>, key: &Key, bucket: Bucket, now_ms: i64) -> Level {
    kept.get(key).map_or(Level::empty(now_ms), |(_, level)| level.drained(bucket, now_ms))
}

/// Makes room: buckets that are empty by now are as good as none. Where all are in use, everybody starts anew, to the
/// callers' good.
fn forget(kept: &mut BTreeMap<Key, (Bucket, Level)>, most: usize, now_ms: i64) {
    kept.retain(|_, (bucket, level)| !level.drained(*bucket, now_ms).is_empty());
    if kept.len() >= most {
        kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use refundry_engine::store::stores::StoreRecord;

    use super::*;

    struct World {
        now: Arc<AtomicI64>,
        limits: Limits,
    }

    impl World {
        fn new(most: usize) -> Self {
            let now = Arc::new(AtomicI64::new(1_772_359_200_000));
            let limits = Limits { most, ..Limits::new(Clock::Manual(Arc::clone(&now))) };
            Self { now, limits }
        }

        fn pass(&self, ms: i64) {
            self.now.fetch_add(ms, Ordering::Relaxed);
        }

        fn call(&self, dialect: Dialect, caller: &Caller) -> Result<(), u64> {
            self.limits.admit(dialect, caller).map_err(|refusal| match refusal {
                Refusal::TooMany { retry_after_ms } => retry_after_ms,
                other => panic!("{other:?}"),
            })
        }

        /// How many calls go through before one is refused, and how long that one shall wait.
        fn burst(&self, dialect: Dialect, caller: &Caller) -> (usize, u64) {
            let mut calls = 0;
            loop {
                match self.call(dialect, caller) {
                    Ok(()) => calls += 1,
                    Err(wait_ms) => return (calls, wait_ms),
                }
            }
        }

        fn shown(&self, caller: &Caller) -> String {
            let (name, value) = self.limits.header(Dialect::Shoplazza, Some(caller.hash.clone())).expect("a header");
            assert_eq!(name, "x-shoplazza-shop-api-call-limit");
            value
        }

        fn kept(&self) -> usize {
            self.limits.kept.lock().expect("no panic").len()
        }
    }

    fn caller(store: i64, token: &str, live: bool) -> Caller {
        let store = StoreRecord {
            id: store,
            handle: format!("store-{store}"),
            name: String::new(),
            currency: "USD".to_owned(),
            settings: "{}".to_owned(),
            created_ms: 0,
        };
        Caller { store, hash: token.to_owned(), scopes: Vec::new(), live }
    }

    #[test]
    fn the_first_call_beyond_a_burst_is_refused() {
        let (world, one) = (World::new(100), caller(1, "one", false));
        assert_eq!(world.shown(&one), "0/40");
        assert_eq!(world.burst(Dialect::Shoplazza, &one), (40, 500));
        assert_eq!(world.shown(&one), "40/40");
        world.pass(499);
        assert_eq!(world.call(Dialect::Shoplazza, &one), Err(1));
        world.pass(1);
        assert_eq!(world.shown(&one), "39/40");
        assert_eq!(world.burst(Dialect::Shoplazza, &one), (1, 500));
        world.pass(20_000);
        assert_eq!(world.shown(&one), "0/40");
        assert_eq!(world.burst(Dialect::Shopline, &one), (40, 250));
        assert_eq!(world.burst(Dialect::DigitalRiver, &one), (25, 40));
        assert_eq!(world.burst(Dialect::DigitalRiver, &caller(1, "live", true)), (250, 4));
        assert_eq!(world.limits.header(Dialect::Shopline, Some("one".to_owned())), None);
    }

    #[test]
    fn our_own_api_has_no_limit() {
        let (world, one) = (World::new(100), caller(1, "one", false));
        assert!((0..1_000).all(|_| world.call(Dialect::Native, &one).is_ok()));
        assert_eq!((world.kept(), world.limits.header(Dialect::Native, Some("one".to_owned()))), (0, None));
    }

    #[test]
    fn a_store_s_tokens_share_a_second_bucket() {
        let world = World::new(100);
        let tokens: Vec<Caller> = ["a", "b", "c"].map(|token| caller(1, token, false)).into();
        assert_eq!(world.burst(Dialect::Shoplazza, &tokens[0]), (40, 500));
        assert_eq!(world.burst(Dialect::Shoplazza, &tokens[1]), (40, 500));
        assert_eq!(world.call(Dialect::Shoplazza, &tokens[2]), Err(50), "the store's bucket is full");
        assert_eq!(world.shown(&tokens[2]), "0/40", "a refused call fills nothing");
        assert_eq!(world.call(Dialect::Shoplazza, &caller(2, "d", false)), Ok(()), "another store has its own");
        world.pass(50);
        assert_eq!(world.call(Dialect::Shoplazza, &tokens[2]), Ok(()));
        assert_eq!(world.call(Dialect::Shoplazza, &tokens[0]), Err(450), "the longer wait is told");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let world = World::new(3);
        for token in ["a", "b", "c"] {
            assert_eq!(world.call(Dialect::Shopline, &caller(1, token, false)), Ok(()));
        }
        world.pass(100);
        assert_eq!(world.burst(Dialect::Shopline, &caller(1, "a", false)).0, 39);
        world.pass(150);
        // The buckets of b and c have run empty, that of a has not.
        assert_eq!(world.call(Dialect::Shopline, &caller(1, "d", false)), Ok(()));
        assert_eq!(world.kept(), 2);
        assert_eq!(world.burst(Dialect::Shopline, &caller(1, "a", false)).0, 1);
        // With none to forget, all start anew.
        assert_eq!(world.call(Dialect::Shopline, &caller(1, "e", false)), Ok(()));
        assert_eq!(world.call(Dialect::Shopline, &caller(1, "f", false)), Ok(()));
        assert_eq!(world.kept(), 1);
    }
}
