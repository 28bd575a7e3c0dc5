//! How many calls a platform takes, and the leaky bucket that counts them.
//!
//! Each API's own figures stand in its folder. The bucket is pure: whole milliseconds come in, nothing is read and
//! nothing is rounded on the way. Nothing here may know who calls, nor keep a bucket: the server does.

/// A call, in the thousandths that a level is counted in: at `n` calls a second, `n` of them drain in a millisecond.
const CALL: u64 = 1_000;

/// A leaky bucket: each call fills it by one, it drains at a steady rate, and what would not fit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Calls that fit into it.
    pub capacity: u32,
    /// Calls that drain in a second; at least one.
    pub per_second: u32,
}

/// What a platform takes from its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The bucket that each token has with each store.
    pub per_token: Bucket,
    /// The bucket that all tokens of a store share; a call needs room in both.
    pub per_store: Option<Bucket>,
    /// Lower-case name of the header that says how full the token's bucket is (`7/40`), where there is one.
    pub header: Option<&'static str>,
}

/// How full a bucket is, and when that was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Thousandths of a call.
    fill: u64,
    /// Epoch milliseconds.
    at_ms: i64,
}

impl Level {
    /// An empty bucket.
    pub const fn empty(now_ms: i64) -> Self {
        Self { fill: 0, at_ms: now_ms }
    }

    /// What has not drained by now (epoch milliseconds). A clock that was set back drains nothing, and counts on from
    /// where it stands now: else the bucket would stay as it is until the old time comes again.
    #[must_use]
    pub fn drained(self, bucket: Bucket, now_ms: i64) -> Self {
        let passed = u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or_default();
        let fill = self.fill.saturating_sub(passed.saturating_mul(u64::from(bucket.per_second)));
        Self { fill, at_ms: now_ms }
    }

    /// Milliseconds until one more call fits; zero where it fits now.
    pub fn wait_ms(self, bucket: Bucket) -> u64 {
        let over = (self.fill + CALL).saturating_sub(u64::from(bucket.capacity) * CALL);
        over.div_ceil(u64::from(bucket.per_second.max(1)))
    }

    /// With one more call in it.
    #[must_use]
    pub const fn and_one(self) -> Self {
        Self { fill: self.fill + CALL, ..self }
    }

    /// Calls in it. One that has drained in part still counts, so a bucket that refuses is shown full.
    pub const fn used(self) -> u64 {
        self.fill.div_ceil(CALL)
    }

    /// Whether all has drained, so that it is as good as a bucket nobody used.
    pub const fn is_empty(self) -> bool {
        self.fill == 0
    }
}

/// `Retry-After` of a wait: whole seconds, and at least one, which every client understands.
pub(crate) fn retry_after(wait_ms: u64) -> u64 {
    wait_ms.div_ceil(1_000).max(1)
}

#[cfg(test)]
mod tests {
    use arbtest::arbtest;
    use refundry_core::order::Dialect;

    use super::*;
    use crate::rate;

    const SMALL: Bucket = Bucket { capacity: 3, per_second: 2 };

    /// What a caller meets: the call goes in if there is room.
    fn try_one(level: &mut Level, bucket: Bucket, now_ms: i64) -> u64 {
        *level = level.drained(bucket, now_ms);
        let wait = level.wait_ms(bucket);
        if wait == 0 {
            *level = level.and_one();
        }
        wait
    }

    #[test]
    fn a_burst_fits_and_then_only_what_drains() {
        let mut level = Level::empty(0);
        // Milliseconds, milliseconds to wait, and what is in it after that.
        let steps =
            [(0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 500, 3), (1, 499, 3), (499, 1, 3), (500, 0, 3), (501, 499, 3)];
        for (now_ms, wait_ms, used) in steps {
            assert_eq!((try_one(&mut level, SMALL, now_ms), level.used()), (wait_ms, used), "at {now_ms}");
        }
        assert_eq!(level.drained(SMALL, 1_750).used(), 1, "half a call still counts");
        assert!(level.drained(SMALL, 2_000).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_neither_drains_nor_freezes() {
        let mut level = Level::empty(1_000_000);
        while try_one(&mut level, SMALL, 1_000_000) == 0 {}
        assert_eq!(try_one(&mut level, SMALL, 0), 500);
        assert_eq!(try_one(&mut level, SMALL, 500), 0);
        assert_eq!(level.drained(SMALL, i64::MAX), Level::empty(i64::MAX));
    }

    #[test]
    fn never_more_than_the_capacity_and_what_drained() {
        arbtest(|u| {
            let bucket = Bucket { capacity: u.int_in_range(1..=100)?, per_second: u.int_in_range(1..=300)? };
            let (mut level, mut now_ms, mut admitted) = (Level::empty(0), 0_i64, Vec::new());
            for _ in 0..u.int_in_range(1..=400)? {
                now_ms += if u.ratio(1, 2)? { 0 } else { u.int_in_range(0..=700)? };
                let wait = try_one(&mut level, bucket, now_ms);
                if wait == 0 {
                    admitted.push(now_ms);
                } else {
                    // It is told neither too early nor too late.
                    let wait = i64::try_from(wait).expect("a short wait");
                    assert!(level.drained(bucket, now_ms + wait - 1).wait_ms(bucket) > 0);
                    assert_eq!(level.drained(bucket, now_ms + wait).wait_ms(bucket), 0);
                }
                assert!(level.used() <= u64::from(bucket.capacity));
            }
            // In every stretch of time, not only since the start.
            for (first, from) in admitted.iter().enumerate() {
                for (calls, to) in (1_i64..).zip(&admitted[first..]) {
                    let drained = (to - from) * i64::from(bucket.per_second);
                    let most = i64::from(bucket.capacity) * 1_000 + drained;
                    assert!(calls * 1_000 <= most, "{calls} calls from {from} to {to} through {bucket:?}");
                }
            }
            let idle_ms = i64::from(bucket.capacity) * 1_000 / i64::from(bucket.per_second) + 1;
            assert!(level.drained(bucket, now_ms + idle_ms).is_empty(), "an idle bucket empties");
            Ok(())
        })
        .size_min(64)
        .size_max(4_096)
        .budget_ms(500);
    }

    #[test]
    fn each_platform_has_its_own_figures() {
        let figures = |dialect, live| {
            let pair = |bucket: Bucket| (bucket.capacity, bucket.per_second);
            rate(dialect, live).map(|rate| (pair(rate.per_token), rate.per_store.map(pair), rate.header))
        };
        for live in [false, true] {
            assert_eq!(figures(Dialect::Native, live), None);
            let header = Some("x-shoplazza-shop-api-call-limit");
            assert_eq!(figures(Dialect::Shoplazza, live), Some(((40, 2), Some((80, 20)), header)));
            assert_eq!(figures(Dialect::Shopline, live), Some(((40, 4), None, None)));
        }
        assert_eq!(figures(Dialect::DigitalRiver, false), Some(((25, 25), None, None)));
        assert_eq!(figures(Dialect::DigitalRiver, true), Some(((250, 250), None, None)));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        let told: Vec<u64> = [0, 1, 999, 1_000, 1_001, 20_000].into_iter().map(retry_after).collect();
        assert_eq!(told, [1, 1, 1, 1, 2, 20]);
    }
}
