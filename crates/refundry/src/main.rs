//! Refundry: a self-hosted refund engine. This binary is the shell around the engine: command line, HTTP in, HTTP out.

mod app;
mod audit;
mod bench;
mod cli;
mod database;
mod demo;
mod http;
mod import;
mod mailbox;
mod serve;
mod simulate;
mod telemetry;
mod tenants;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
