//! Development tasks, run as `cargo xtask <task>`: what CI runs, the tests, the golden files, the house rules.
//!
//! A task is a module here and a row in [`TASKS`]. Nothing in this crate may be needed to run Refundry itself.
#![expect(clippy::print_stdout, reason = "a command line tool reports on standard output")]

mod ci;
mod golden;
mod rust_text;
mod sim;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// One row of the task list.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task { name: "ci", about: "format check, clippy, docs, then `test`; what CI runs", run: ci::run },
    Task {
        name: "test",
        about: "build, start a PostgreSQL, run all tests; arguments go to cargo test",
        run: test::run,
    },
    Task { name: "sim", about: "payouts under faults: 300 seeds, or one alone with all its steps", run: sim::run },
    Task { name: "soak", about: "10,000 seeds, then ten minutes of killed processes on each database", run: sim::soak },
    Task { name: "golden", about: "write what the code does now into the golden files", run: golden::run },
    Task { name: "tidy", about: "check the house rules; also runs as a test", run: tidy::run },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        // Printed here, not by the runtime, so that no backtrace follows what went wrong.
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let Some((name, rest)) = args.split_first() else {
        print!("{}", task_list());
        return Ok(());
    };
    match TASKS.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(rest),
        None => bail!("there is no task `{name}`\n{}", task_list()),
    }
}

fn task_list() -> String {
    let lines = TASKS.iter().map(|task| format!("  {:<6} {}\n", task.name, task.about));
    format!("usage: cargo xtask <task> [arguments]\n\n{}", lines.collect::<String>())
}
