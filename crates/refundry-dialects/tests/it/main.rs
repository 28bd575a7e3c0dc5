//! The dialects as a caller meets them: golden files, served by a small engine with the real rules.
//!
//! A new test is a file below `golden/`; this binary only grows when the engine behind the files must learn something.

mod engine;
mod fixtures;
mod golden;
mod intake;
mod keys;
mod keys_digital_river;
mod lists;
mod page;
mod payouts;
mod shown;
mod words;
