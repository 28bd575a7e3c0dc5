//! The chance of a run: repeatable, and good enough to pick orders with. It must never make a key or a token.

/// Pseudo-random numbers (xorshift64*): the same seed and stream draw the same numbers.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, stream: u32) -> Self {
        // Neighbouring seeds and streams must not start alike, and the state must never be zero.
        let mixed = mix(mix(seed.wrapping_add(1)).wrapping_add(u64::from(stream)));
        Self(mixed | 1)
    }

    /// Any 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        // A product of two 32-bit numbers, shifted back, is below the bound.
        u32::try_from(((self.bits() >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }

    /// A number below `bound` that is small far more often than large: half of all draws fall into its first eighth.
    pub(super) fn skewed(&mut self, bound: u32) -> u32 {
        let drawn = u64::from(self.below(1 << 20));
        // The cube of a draw from [0, 1), in fixed point.
        let cube = (((drawn * drawn) >> 20) * drawn) >> 20;
        u32::try_from((cube * u64::from(bound)) >> 20).unwrap_or(0)
    }

    /// Whether something of so many per cent happens.
    pub(super) fn per_cent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }
}

fn mix(value: u64) -> u64 {
    let value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ (value >> 27)
}
