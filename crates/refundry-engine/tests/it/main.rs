//! The engine on real files and a real server: group commit, payouts, imports, numbers, and the audit of all of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests may stop a test, like the tests themselves")]

/// Runs each of the named tests on both databases. A test that is not named is dead code, which is an error.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name($crate::shop::Backend::Sqlite);
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                super::$name($crate::shop::Backend::Postgres);
            })+
        }
    };
}

mod anew;
mod audit;
mod batches;
mod books;
mod by_hand;
mod called_off;
mod cases;
mod deliveries;
mod hooks;
mod imports;
mod last_units;
mod lists;
mod made;
mod news;
mod order_lists;
mod pairs;
mod parcels;
mod payouts;
mod returns;
mod selling;
mod shop;
mod slips;
mod stock;
mod told;
mod told_twice;
mod twins;
mod upgrade;
