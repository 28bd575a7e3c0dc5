//! `cargo xtask ci`: the checks every change must pass, in the order in which they are cheap to fail.
//!
//! Runs nothing that a contributor cannot run by hand; a step that needs a secret or a service does not belong here.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::test::Totals;
use crate::{sim, test, workspace};

/// What a step leaves for the closing lines: only the test step counts something.
type Outcome = Result<Option<Totals>>;

struct Step {
    name: &'static str,
    run: fn() -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "docs", run: docs },
    Step { name: "test", run: run_tests },
    Step { name: "simulate", run: simulate },
];

/// Runs every step and stops at the first failure.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`cargo xtask ci` takes no arguments");
    let begin = Instant::now();
    let mut done: Vec<(&str, Duration)> = Vec::new();
    let mut totals = None;
    for Step { name, run } in STEPS {
        println!("ci: {name} ...");
        let step_begin = Instant::now();
        let outcome = run();
        let took = step_begin.elapsed();
        match outcome {
            Ok(counted) => {
                println!("ci: {name} passed in {}", seconds(took));
                totals = counted.or(totals);
                done.push((name, took));
            }
            Err(error) => bail!("ci failed at the step `{name}` after {}: {error:#}", seconds(took)),
        }
    }
    println!();
    for (name, took) in done {
        println!("ci: {name:<8} {:>8}", seconds(took));
    }
    if let Some(totals) = totals {
        println!("{totals}");
    }
    println!("ci passed in {}", seconds(begin.elapsed()));
    Ok(())
}

fn format() -> Outcome {
    check(&mut workspace::cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    let args = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    check(&mut workspace::cargo(&args))
}

fn docs() -> Outcome {
    let mut cargo = workspace::cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    check(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

fn simulate() -> Outcome {
    sim::run(&[]).map(|()| None)
}

fn run_tests() -> Outcome {
    test::test(&[]).map(Some)
}

fn check(command: &mut Command) -> Outcome {
    let status = command.status().context("cargo did not start")?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(None)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f32())
}
