//! Payouts under random faults, crashes, clock jumps and doubled deliveries, replayed exactly from a seed.
//!
//! The engine is the real one, on a real (embedded) database in memory; the payment provider is the simulated one with
//! its faults and its own books; time is a number that this program moves. One thread does one thing after another, so
//! a seed that fails fails again, and its steps can be read one by one.
//!
//! ```text
//! refundry-simulation SEED             that seed alone, telling every step
//! refundry-simulation --seeds N [FROM] N seeds, from FROM (1) on
//! ```
//!
//! Ends with status 1 where a seed failed, after naming it.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

mod checks;
mod dice;
mod people;
mod provider;
mod shop;
mod worker;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shop::{Counts, Shop};

/// Steps of one seed; about a third of them ask for a refund.
const STEPS: u64 = 900;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [seed] if seed.parse::<u64>().is_ok() => one(seed.parse().unwrap_or_default()),
        ["--seeds", count] => many(count, "1"),
        ["--seeds", count, from] => many(count, from),
        _ => {
            println!("usage: refundry-simulation SEED | --seeds N [FROM]");
            ExitCode::from(2)
        }
    }
}

/// One seed, step by step.
fn one(seed: u64) -> ExitCode {
    match simulate(seed, true) {
        Ok(counts) => {
            println!("seed {seed} passed: {}", told(&counts));
            ExitCode::SUCCESS
        }
        Err(why) => failed(seed, &why),
    }
}

fn failed(seed: u64, why: &str) -> ExitCode {
    println!("seed {seed} failed: {why}\nreplay it with `cargo xtask sim {seed}`");
    ExitCode::FAILURE
}

/// Many seeds, on all processors; each of them by itself.
fn many(count: &str, from: &str) -> ExitCode {
    let (Ok(count), Ok(from)) = (count.parse::<u64>(), from.parse::<u64>()) else {
        println!("the number of seeds, and the first of them, are whole numbers");
        return ExitCode::from(2);
    };
    // A panic is a finding, which is told once, with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(from);
    let failures: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let totals: Mutex<Counts> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    match simulate(seed, false) {
                        Ok(counts) => totals.lock().expect("no thread panics here").add(&counts),
                        Err(why) => {
                            failures.lock().expect("no thread panics here").insert(seed, why);
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panics here");
    for (seed, why) in failures.iter().take(10) {
        failed(*seed, why);
    }
    println!(
        "{count} seeds, {} failed: {}",
        failures.len(),
        told(&totals.into_inner().expect("no thread panics here"))
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn told(counts: &Counts) -> String {
    counts.0.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// Runs a seed; what went wrong is told in words, panics too.
fn simulate(seed: u64, tell: bool) -> Result<Counts, String> {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut shop = Shop::open(seed, tell)?;
        for _ in 0..STEPS {
            shop.step()?;
        }
        shop.come_to_rest()?;
        checks::books_are_equal(&shop)?;
        Ok(shop.counts)
    }));
    match run {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("it panicked: {}", text.unwrap_or_default()))
        }
    }
}
