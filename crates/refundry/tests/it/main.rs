//! End to end: the real binary over real sockets, with the simulated provider as a process of its own.
//!
//! `cargo xtask test` points `REFUNDRY_BIN` at the release build; a plain `cargo test` uses the development build.

/// Runs each of the named tests on both databases. A test that is not named is dead code, which is an error.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name($crate::harness::Backend::Sqlite);
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                super::$name($crate::harness::Backend::Postgres);
            })+
        }
    };
}

mod bad_input;
mod bench;
mod cases;
mod chaos;
mod crash;
mod ear;
mod examples;
mod faults;
mod harness;
mod import;
mod limits;
mod parcels;
mod payouts;
mod readme;
mod reconcile;
mod schemathesis;
mod shoplazza_day;
mod shoplazza_keys;
mod shoplazza_worked;
mod shopline_client;
mod shopline_day;
mod shopline_hooks;
mod shopline_keys;
mod shopline_stock;
mod shopline_worked;
mod stock;
mod together;
mod walk;
mod webhooks;
