//! End to end: the real binary over real sockets, with the simulated provider as a process of its own.
//!
//! `cargo xtask test` points `REFUNDRY_BIN` at the release build; a plain `cargo test` uses the development build.

mod bad_input;
mod bench;
mod crash;
mod examples;
mod harness;
mod import;
mod readme;
mod together;
