//! `refundry gateway`: which gateways a store has, and which payment channels lead to them.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::settings::{RouteAsk, StoreSettings};
use refundry_engine::store::gateways;
use refundry_gateways::drivers::DRIVERS;

use super::{Change, ChangeFault, LAST_ROUTE, SecretsArgs, Vault, changed};
use crate::cli::DataArgs;
use crate::database::idle_engine;
use crate::serve::say;
use crate::tenants::store_called;

/// What to do with gateways.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum GatewayCommand {
    /// List the drivers and what each needs to know
    Drivers,
    /// Make a key for the secrets of gateways
    Key,
    /// Configure a gateway of a store, or change settings of one
    Put(PutArgs),
    /// List the gateways and routes of a store; secrets are never shown
    List {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
    /// Lead payments of a channel to a gateway, `*` for all channels without one
    Route {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// The channel (or method) as orders name it, e.g. `credit_card`
        channel: String,
        /// The gateway; `manual` leaves it to a person. Left out, the channel has no gateway of its own any more
        gateway: Option<String>,
    },
}

/// How to configure a gateway.
#[derive(Args, Clone, Debug)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    secrets: SecretsArgs,
    /// Handle of the store
    #[arg(long)]
    store: String,
    /// Name of the driver; may be left out for a gateway that is there
    #[arg(long)]
    driver: Option<String>,
    /// A setting that is no secret; an empty value takes it away
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// A secret, from a variable of the environment
    #[arg(long, value_name = "NAME=VARIABLE")]
    secret_env: Vec<String>,
    /// A secret, from a file; white space around it is dropped
    #[arg(long, value_name = "NAME=FILE")]
    secret_file: Vec<String>,
    /// What the store calls it: letters, digits, `-`, `_`
    name: String,
}

/// Runs a gateway command.
pub(crate) fn run(command: &GatewayCommand) -> anyhow::Result<()> {
    match command {
        GatewayCommand::Drivers => drivers(),
        GatewayCommand::Key => say(&Vault::new_key()?),
        GatewayCommand::Put(args) => put(args),
        GatewayCommand::List { data, store } => list(data, store),
        GatewayCommand::Route { data, store, channel, gateway } => route(data, store, channel, gateway.clone()),
    }
}

fn drivers() -> anyhow::Result<()> {
    for driver in DRIVERS {
        say(&format!("{}\t{}", driver.name, driver.about))?;
        for setting in driver.settings {
            let kind = if setting.secret { "secret" } else { "setting" };
            let required = if setting.required { ", required" } else { "" };
            say(&format!("  {}\t{kind}{required}\t{}", setting.name, setting.about))?;
        }
    }
    Ok(())
}

fn put(args: &PutArgs) -> anyhow::Result<()> {
    let engine = idle_engine(&args.data)?;
    let vault = Vault::open(&args.secrets)?;
    let store = store_called(&engine, &args.store)?;
    let known = engine.store().read(|tx| gateways::list(tx, store.id))?;
    let known = known.iter().find(|known| known.name == args.name);
    let (plain, secret) = given(args)?;
    let change = Change { store: store.id, name: &args.name, driver: args.driver.as_deref(), plain, secret };
    let record = match changed(&vault, &engine, known, change) {
        Ok(record) => record,
        Err(ChangeFault::InSight(name)) => {
            bail!("{name} is a secret, which is not to stand on a command line: use --secret-env or --secret-file")
        }
        Err(fault) => return Err(fault.into()),
    };
    match engine.call(Job::PutGateway(record))? {
        Outcome::Configured(true) => say(&format!("gateway {} configured", args.name)),
        Outcome::Configured(false) => bail!("the gateway {} has another driver, which stays", args.name),
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// Settings by name: those that stand on the command line, and those that stand elsewhere.
fn given(args: &PutArgs) -> anyhow::Result<(BTreeMap<String, String>, BTreeMap<String, String>)> {
    let pair = |text: &str| -> anyhow::Result<(String, String)> {
        let (name, value) = text.split_once('=').with_context(|| format!("{text:?} is no NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let plain = args.settings.iter().map(|text| pair(text)).collect::<anyhow::Result<_>>()?;
    let mut secret = BTreeMap::new();
    for text in &args.secret_env {
        let (name, variable) = pair(text)?;
        let value = std::env::var(&variable).with_context(|| format!("the variable {variable} cannot be read"))?;
        secret.insert(name, value);
    }
    for text in &args.secret_file {
        let (name, path) = pair(text)?;
        let value = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        secret.insert(name, value.trim().to_owned());
    }
    Ok((plain, secret))
}

fn list(data: &DataArgs, store: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    for gateway in engine.store().read(|tx| gateways::list(tx, store.id))? {
        let secrets = if gateway.secrets.is_empty() { "no secrets" } else { "secrets kept" };
        say(&format!("{}\t{}\t{}\t{secrets}", gateway.name, gateway.driver, gateway.settings))?;
    }
    let settings = StoreSettings::read(&store.settings)?;
    for (channel, gateway) in settings.routes {
        say(&format!("{channel} -> {gateway}"))?;
    }
    for channel in settings.held {
        say(&format!("{channel} held"))?;
    }
    Ok(())
}

fn route(data: &DataArgs, store: &str, channel: &str, gateway: Option<String>) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    ensure!(!channel.trim().is_empty(), "a channel has a name");
    let ask = RouteAsk { channel: channel.to_owned(), gateway: gateway.clone() };
    match (engine.call(Job::Route { store: store.id, ask })?, gateway) {
        (Outcome::Routed(Some(_)), Some(gateway)) => say(&format!("payments of {channel} are paid back by {gateway}")),
        (Outcome::Routed(Some(_)), None) => say(&format!("payments of {channel} have no gateway of their own")),
        (Outcome::Routed(None), Some(gateway)) => {
            bail!("the store {} has no gateway {gateway}; `refundry gateway list` shows all", store.handle)
        }
        (Outcome::Routed(None), None) => bail!(LAST_ROUTE),
        _ => bail!("the writer answered something else than was asked"),
    }
}
