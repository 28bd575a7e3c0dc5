//! `refundry gateway`: which gateways a store has, and which payment channels lead to them.

use std::fs;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::settings::{RouteAsk, StoreSettings};
use refundry_engine::store::gateways;
use refundry_gateways::Settings;
use refundry_gateways::drivers::DRIVERS;

use super::{SecretsArgs, Vault, driver_called, record};
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
    let name = args.driver.as_ref().or(known.map(|known| &known.driver));
    let name = name.with_context(|| format!("the gateway {} is new, so it needs a --driver", args.name))?;
    let driver = driver_called(name)?;
    let mut settings = match known {
        Some(known) => vault.settings(known)?,
        None => Settings::default(),
    };
    for (name, value) in given(args)? {
        let is_secret = driver.settings.iter().find(|setting| setting.name == name).map(|setting| setting.secret);
        ensure!(
            is_secret != Some(true) || !args.settings.iter().any(|text| text.starts_with(&format!("{name}="))),
            "{name} is a secret, which is not to stand on a command line: use --secret-env or --secret-file"
        );
        if value.is_empty() {
            settings.0.remove(&name)
        } else {
            settings.0.insert(name, value)
        };
    }
    let record = record(&vault, (store.id, &args.name), driver, &settings, engine.clock().now_ms())?;
    match engine.call(Job::PutGateway(record))? {
        Outcome::Configured(true) => say(&format!("gateway {} configured", args.name)),
        Outcome::Configured(false) => bail!("the gateway {} has another driver, which stays", args.name),
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// Settings by name, wherever their values stand.
fn given(args: &PutArgs) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |text: &str| -> anyhow::Result<(String, String)> {
        let (name, value) = text.split_once('=').with_context(|| format!("{text:?} is no NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let mut given = Vec::new();
    for text in &args.settings {
        given.push(pair(text)?);
    }
    for text in &args.secret_env {
        let (name, variable) = pair(text)?;
        let value = std::env::var(&variable).with_context(|| format!("the variable {variable} cannot be read"))?;
        given.push((name, value));
    }
    for text in &args.secret_file {
        let (name, path) = pair(text)?;
        let value = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        given.push((name, value.trim().to_owned()));
    }
    Ok(given)
}

fn list(data: &DataArgs, store: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    for gateway in engine.store().read(|tx| gateways::list(tx, store.id))? {
        let secrets = if gateway.secrets.is_empty() { "no secrets" } else { "secrets kept" };
        say(&format!("{}\t{}\t{}\t{secrets}", gateway.name, gateway.driver, gateway.settings))?;
    }
    for (channel, gateway) in StoreSettings::read(&store.settings)?.routes {
        say(&format!("{channel} -> {gateway}"))?;
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
        _ => bail!("the writer answered something else than was asked"),
    }
}
