//! The command line. Exit codes: 0 done, 1 it failed, 2 the command was not understood.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{bench, serve, telemetry};

/// Self-hosted refund engine: refunds worked out to the cent, paid out exactly once.
#[derive(Parser)]
#[command(name = "refundry", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer requests and pay refunds out
    Serve(ServeArgs),
    /// Measure how many refunds a server settles in a second
    Bench(bench::BenchArgs),
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataArgs {
    /// Folder of the embedded database
    #[arg(long, env = "REFUNDRY_DATA", default_value = "refundry-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
}

/// How to serve.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Address to listen on; port 0 lets the system pick one
    #[arg(long, env = "REFUNDRY_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Make a store `demo` with example orders and the tokens `sk_test_demo` and `sk_test_demo_read`; loopback only
    #[arg(long)]
    pub(crate) demo: bool,
    /// Base URL of a simulated payment provider (see `simulate-provider`); without it, one lives inside this process
    #[arg(long, env = "REFUNDRY_SIMULATED_URL", value_name = "URL")]
    pub(crate) simulated_url: Option<String>,
    /// How long a request that waits for the payment provider waits before it answers "pending", in milliseconds
    #[arg(long, env = "REFUNDRY_WAIT_MS", default_value_t = 2_000, value_name = "MS")]
    pub(crate) wait_ms: u64,
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output with code 0, mistakes to standard error with code 2.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    telemetry::start();
    let done = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "refundry: {error:#}");
            ExitCode::FAILURE
        }
    }
}
