//! Chance that can be repeated.

/// Marsaglia's xorshift of 64 bits.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        // Small seeds have few bits, and the generator takes long to mix them.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 up to, but not including, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From 1 up to and including `most`.
    pub(super) fn upto(&mut self, most: i64) -> i64 {
        1 + i64::try_from(self.below(u64::try_from(most).expect("at least 1"))).expect("below an i64")
    }

    /// True in one of `of` draws.
    pub(super) fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            return None;
        }
        from.get(usize::try_from(self.below(from.len() as u64)).expect("an index"))
    }

    /// Shares an amount out over what several places have left; every part is above zero.
    pub(super) fn split(&mut self, amount: i64, lefts: &[i64]) -> Vec<(usize, i64)> {
        let mut parts = Vec::new();
        let mut missing = amount;
        let mut room: i64 = lefts.iter().sum();
        for (index, left) in lefts.iter().enumerate() {
            room -= left;
            let least = (missing - room).max(0);
            let most = missing.min(*left);
            let part = if most > least { least + self.upto(most - least + 1) - 1 } else { most };
            if part > 0 {
                parts.push((index, part));
            }
            missing -= part;
        }
        assert_eq!(missing, 0, "there was enough room");
        parts
    }
}

/// Names the seed where a test fails.
pub(super) struct Seed(pub(super) u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}", self.0);
        }
    }
}
