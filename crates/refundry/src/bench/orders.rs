//! The orders of a run, the refunds asked for them, and the chance that picks one.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Lines of an order.
const LINES: u32 = 4;
/// Units of a line: many, so that no line runs dry.
const UNITS: u32 = 1_000;
/// 19 % within 1,000 units at 10.00. It does not divide by the units, so every refund's share has to be rounded.
const LINE_TAX: &str = "1596.64";
/// What is left of the price without it.
const LINE_NET: &str = "8403.36";
/// What all lines come to.
const TOTAL: &str = "40000.00";

/// The orders of a run.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    /// In the id of every order and in every idempotency key: a server may be measured again and again.
    pub(super) run: String,
    pub(super) count: u32,
}

impl Orders {
    pub(super) fn id(&self, index: u32) -> String {
        format!("{}-{index}", self.run)
    }

    /// Some of the orders, as lines of JSON.
    pub(super) fn documents(&self, range: std::ops::Range<u32>) -> String {
        let mut text = String::new();
        for index in range {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{}", self.document(index));
        }
        text
    }

    fn document(&self, index: u32) -> Value {
        let line = |line: u32| {
            json!({
                "id": line_id(line),
                "sku": format!("BENCH-{line}"),
                "title": format!("Measured Thing {line}"),
                "quantity": UNITS,
                "unit_price": "10.00",
                "net": LINE_NET,
                "tax": LINE_TAX,
            })
        };
        let id = self.id(index);
        json!({
            "id": id,
            "number": id,
            "currency": "USD",
            "taxes_included": true,
            "lines": (0..LINES).map(line).collect::<Vec<Value>>(),
            "payments": [{
                "id": format!("{id}-card"),
                "channel": "card",
                "method": "credit_card",
                "kind": "online",
                "gateway": "simulated",
                "reference": format!("sim_{id}"),
                "captured": TOTAL,
            }],
            "total": TOTAL,
            "paid": TOTAL,
        })
    }

    /// The body of a refund of one unit, somewhere.
    pub(super) fn refund(&self, random: &mut Random) -> String {
        let order = random.below(self.count);
        let line = line_id(random.below(LINES));
        let run = &self.run;
        format!(r#"{{"order":"{run}-{order}","ask":{{"parts":{{"units":[{{"line":"{line}","quantity":1}}]}}}}}}"#)
    }
}

fn line_id(line: u32) -> String {
    format!("line-{line}")
}

/// Pseudo-random numbers (xorshift64*): the same seed and stream pick the same orders.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, stream: u32) -> Self {
        // Neighbouring seeds must not start alike, and the state must never be zero.
        let mixed = seed.wrapping_add(u64::from(stream)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((mixed ^ (mixed >> 27)) | 1)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        // A product of two 32-bit numbers, shifted back, is below the bound.
        u32::try_from((drawn * u64::from(bound)) >> 32).unwrap_or(0)
    }
}
