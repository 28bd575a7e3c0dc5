//! The command line. Exit codes: 0 done, 1 it failed, 2 the command was not understood, 3 some orders were rejected,
//! 4 something was found that needs a person, 5 our legs and the provider's differ.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::gateways::{GatewayCommand, SecretsArgs};
use crate::postman::WebhookCommand;
use crate::reconcile::ReconcileArgs;
use crate::{
    audit, bench, database, doctor, gateways, import, postman, reconcile, serve, simulate, telemetry, tenants,
};

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
    /// Pay out refunds that others accept: more workers on one database
    Work(WorkArgs),
    /// Bring the schema of the database up to date, and say which version it has
    Migrate(MigrateArgs),
    /// Take orders in from files, beside a running server
    Import(ImportArgs),
    /// Re-derive every balance from the journal and report what differs, beside a running server
    Audit(AuditArgs),
    /// Tell what needs a person, and what happens next by itself, beside a running server
    Doctor(DoctorArgs),
    /// Compare our legs with the provider's, from files it offers or by asking it, beside a running server
    Reconcile(ReconcileArgs),
    /// Add or list stores
    #[command(subcommand)]
    Store(StoreCommand),
    /// Add, list or revoke tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Configure the gateways that pay back, and which payment channels lead to them
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Who is told what happens, and what signs it
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Run a simulated payment provider with books of its own
    SimulateProvider(SimulateArgs),
    /// Measure how many refunds a server settles in a second
    Bench(bench::BenchArgs),
}

/// What to do with stores.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum StoreCommand {
    /// Add a store
    Add {
        #[command(flatten)]
        data: DataArgs,
        /// Short name, unique: letters, digits, `-`
        handle: String,
        /// Name for people; the handle where it is left out
        #[arg(long)]
        name: Option<String>,
        /// Currency of the shop, e.g. USD
        #[arg(long, default_value = "USD")]
        currency: String,
    },
    /// List all stores
    List {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Say how refunds are spread over several payments where a request does not
    Strategy {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// `original_first`, `original_last`, `proportional`, `gift_card_first`, `gift_card_last`, `fewest_refunds`
        strategy: String,
    },
    /// Hold refunds of a payment channel back until somebody says that the money went back
    Hold {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// Hold the channel no more; what waits already keeps waiting
        #[arg(long)]
        off: bool,
        /// The channel (or method) as orders name it, e.g. `bogus`
        channel: String,
    },
    /// Say what SHOPLINE's API tells of the store; what is left out stays, and an empty value is the usual one again
    Shopline {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// Host name of the shop; usually the handle with `.myshopline.com` behind it
        #[arg(long)]
        domain: Option<String>,
        /// Number of the merchant; usually the store's
        #[arg(long)]
        merchant_id: Option<String>,
        /// Time zone of the shop, e.g. `Asia/Shanghai`; usually `UTC`. It is only told: all times are in UTC
        #[arg(long)]
        zone: Option<String>,
        /// E-mail address of the shop; usually none
        #[arg(long)]
        email: Option<String>,
        /// How deliveries are signed: `hex`, which is usual, or `base64`
        #[arg(long)]
        signature: Option<String>,
    },
}

/// What to do with tokens.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum TokenCommand {
    /// Add a token; its secret is printed once
    Add {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store it opens
        #[arg(long)]
        store: String,
        /// Name for people
        #[arg(long, default_value = "")]
        label: String,
        /// What it may do: `read_orders`, `write_orders`, `read_products`, `write_products`, `admin`
        #[arg(long, value_delimiter = ',', default_value = "read_orders,write_orders")]
        scopes: Vec<String>,
        /// A live token (`sk_live_…`), which Digital River's API reports as live mode
        #[arg(long)]
        live: bool,
        /// A token that clients have already, instead of a new one: 20 to 4,096 visible characters
        #[arg(long, conflicts_with = "live")]
        secret: Option<String>,
    },
    /// List the tokens of a store that work
    List {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
    /// Revoke a token
    Revoke {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// The token's id, as listed
        id: String,
    },
}

/// How to import.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The API whose order objects the files hold: native, shoplazza, shopline, digital-river
    #[arg(long)]
    pub(crate) from: String,
    /// Handle of the store; may be left out where there is only one
    #[arg(long)]
    pub(crate) store: Option<String>,
    /// Where orders that cannot be taken in are written, with the reason, one JSON object a line
    #[arg(long, default_value = "rejected-orders.ndjson", value_name = "FILE")]
    pub(crate) rejects: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// JSON (one order, a list, or a list under `orders`) or NDJSON, plain or gzip; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// How to audit.
#[derive(Args, Clone, Debug)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to look for what needs a person.
#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) secrets: SecretsArgs,
    /// Print what was found as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to simulate a provider.
#[derive(Args, Clone, Debug)]
pub(crate) struct SimulateArgs {
    /// Address to listen on; port 0 lets the system pick one
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Keep the books in this file, so that they survive the process
    #[arg(long, value_name = "FILE")]
    pub(crate) books: Option<PathBuf>,
    /// Have go wrong what this JSON file says, e.g. `{"lost_after": 50, "down": 10}`, per mille
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Have one more thing go wrong, e.g. `lost_after=50`; may be given several times
    #[arg(long, value_name = "NAME=JSON")]
    pub(crate) fault: Vec<String>,
    /// Seed of what goes wrong; the same one, the same faults
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Hold every answer back for so many milliseconds
    #[arg(long, value_name = "N")]
    pub(crate) answer_after_ms: Option<u32>,
    /// Post events to this address until it answers with a status of 200 to 299
    #[arg(long, value_name = "URL", requires = "notify_secret")]
    pub(crate) notify: Option<String>,
    /// Sign events with this secret
    #[arg(long, env = "REFUNDRY_NOTIFY_SECRET", hide_env_values = true, value_name = "TEXT")]
    pub(crate) notify_secret: Option<String>,
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataArgs {
    /// Folder of the embedded database
    #[arg(long, env = "REFUNDRY_DATA", default_value = "refundry-data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A database of a PostgreSQL server instead, with `sslmode` and `sslrootcert` where it is far away:
    /// `postgres://user:password@host/name`
    #[arg(long, env = "REFUNDRY_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Most connections to that server; a quarter of them writes
    #[arg(long, env = "REFUNDRY_CONNECTIONS", default_value_t = CONNECTIONS, value_name = "N")]
    pub(crate) connections: usize,
    /// That server spreads rows over machines by store: a transaction then holds one store only
    #[arg(long, env = "REFUNDRY_DISTRIBUTED")]
    pub(crate) distributed: bool,
}

/// Connections to a server where nobody says how many.
const CONNECTIONS: usize = 12;

impl DataArgs {
    /// A folder, or a database where one is named.
    pub(crate) fn at(data: PathBuf, database: Option<String>) -> Self {
        Self { data, database, connections: CONNECTIONS, distributed: false }
    }
}

/// Where webhooks may lead.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WebhookArgs {
    /// Take webhook addresses inside private networks, and post there; `serve --demo` does so by itself
    #[arg(long = "webhooks-to-private", env = "REFUNDRY_WEBHOOKS_TO_PRIVATE")]
    pub(crate) to_private: bool,
}

/// How to work.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) secrets: SecretsArgs,
    /// Base URL of a simulated payment provider (see `simulate-provider`); without it, one lives inside this process
    #[arg(long, env = "REFUNDRY_SIMULATED_URL", value_name = "URL")]
    pub(crate) simulated_url: Option<String>,
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
}

/// How to migrate.
#[derive(Args, Clone, Debug)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// How to serve.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) secrets: SecretsArgs,
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
    /// Only answer requests, and leave paying out to `refundry work`
    #[arg(long, env = "REFUNDRY_NO_WORK")]
    pub(crate) no_work: bool,
    /// Refuse calls beyond the rate limits of Shoplazza, SHOPLINE and Digital River with 429, as these platforms do
    #[arg(long, env = "REFUNDRY_EMULATE_LIMITS")]
    pub(crate) emulate_limits: bool,
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
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
        Command::Serve(args) => serve::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Work(args) => serve::work(&args).map(|()| ExitCode::SUCCESS),
        Command::Migrate(args) => migrate(&args).map(|()| ExitCode::SUCCESS),
        Command::Import(args) => import::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Reconcile(args) => reconcile::run(&args),
        Command::Store(command) => tenants::run_store(command).map(|()| ExitCode::SUCCESS),
        Command::Token(command) => tenants::run_token(command).map(|()| ExitCode::SUCCESS),
        Command::Gateway(command) => gateways::run(&command).map(|()| ExitCode::SUCCESS),
        Command::Webhook(command) => postman::run(&command).map(|()| ExitCode::SUCCESS),
        Command::SimulateProvider(args) => simulate::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::run(&args).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "refundry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Opening a database brings it up to date; this does nothing else.
fn migrate(args: &MigrateArgs) -> anyhow::Result<()> {
    let store = database::open(&args.data)?;
    serve::say(&format!("schema version {}", store.schema_version()?))
}
