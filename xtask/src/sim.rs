//! `cargo xtask sim` and `cargo xtask soak`: payouts under faults, from seeds and with real processes.
//!
//! A simulation is built with optimisation: it is a search, and finds more the faster it runs.

use anyhow::{Context, Result, bail, ensure};

use crate::{test, workspace};

/// Seeds of a run without arguments, as CI makes it.
const SEEDS: &str = "300";
/// Seeds of a soak.
const SOAK_SEEDS: &str = "10000";
/// How long a soak kills processes, on each database.
const SOAK_SECONDS: &str = "600";
/// The test that does so, and the variable that tells it for how long.
const CHAOS: &str = "chaos";
const CHAOS_VARIABLE: &str = "REFUNDRY_CHAOS_SECONDS";

/// Runs 300 seeds; or, with a seed as argument, that one alone, telling every step.
pub(crate) fn run(args: &[String]) -> Result<()> {
    match args {
        [] => simulate(&["--seeds", SEEDS]),
        [seed] if seed.parse::<u64>().is_ok() => simulate(&[seed]),
        _ => bail!("`cargo xtask sim` takes a seed, or nothing"),
    }
}

/// Runs 10,000 seeds, and then kills processes under load for ten minutes on each database.
pub(crate) fn soak(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`cargo xtask soak` takes no arguments");
    simulate(&["--seeds", SOAK_SEEDS])?;
    let args = ["-p", "refundry", "--test", "it", "--", CHAOS, "--test-threads", "1"].map(str::to_owned);
    test::test_with(&args, &[(CHAOS_VARIABLE, SOAK_SECONDS)]).map(|_| ())
}

fn simulate(args: &[&str]) -> Result<()> {
    let run = ["run", "--release", "-p", "refundry-simulation", "--locked", "--quiet", "--"];
    let status = workspace::cargo(&[&run[..], args].concat()).status().context("cargo did not start")?;
    ensure!(status.success(), "the simulation ended with {status}");
    Ok(())
}
