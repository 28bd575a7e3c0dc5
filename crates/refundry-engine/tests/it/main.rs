//! The engine on real files: group commit, payouts, imports, numbers, and the audit of all of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop a test, like the tests themselves")]

mod audit;
mod batches;
mod books;
mod imports;
mod lists;
mod payouts;
mod shop;
