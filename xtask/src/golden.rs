//! `cargo xtask golden`: writes what the code does now into the golden files of the dialects.
//!
//! Only calls the tests that compare them otherwise; what changed is for a person to read in the diff.

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Runs the dialects' golden tests in their writing mode.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`cargo xtask golden` takes no arguments");
    let mut cargo = workspace::cargo(&["test", "-p", "refundry-dialects", "--test", "it", "--locked"]);
    let status = cargo.env("REFUNDRY_GOLDEN", "write").status().context("cargo did not start")?;
    ensure!(status.success(), "cargo test ended with {status}");
    Ok(())
}
