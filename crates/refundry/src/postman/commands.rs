//! `refundry webhook`: the secrets that deliveries are signed with, and who is told what.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use refundry_core::limits::{DELIVERY_WAITS_MAX, DELIVERY_WAITS_S_MAX};
use refundry_core::order::Dialect;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{HookAsk, HookDone, can_wait};
use refundry_engine::store::deliveries;
use refundry_engine::store::subscriptions::{self, Subscription};
use refundry_engine::tenants;

use super::Keyring;
use crate::cli::DataArgs;
use crate::database::idle_engine;
use crate::gateways::{SecretsArgs, Vault};
use crate::serve::say;
use crate::tenants::store_called;

/// What to do with webhooks.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum WebhookCommand {
    /// Show, set or change the secret that deliveries are signed with
    #[command(subcommand)]
    Secret(SecretCommand),
    /// List the subscriptions of a store, how many deliveries wait, and since when nothing gets through
    List {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
    /// Post now what did not get through and waits for its next attempt
    Retry {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
    /// Choose how long to wait before each further attempt; without any, the usual ladder of two days
    Waits {
        #[command(flatten)]
        data: DataArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// Seconds to wait before the second attempt, the third, and so on; nobody tries again after the last
        #[arg(value_name = "SECONDS")]
        waits: Vec<u32>,
    },
}

/// Which API's subscribers a secret is for.
#[derive(Args, Clone, Debug)]
pub(crate) struct ApiArgs {
    /// The API whose subscribers it is for: shoplazza, shopline
    #[arg(long, value_name = "API", default_value = "shoplazza", value_parser = api)]
    api: Dialect,
}

fn api(text: &str) -> Result<Dialect, String> {
    let known = Dialect::parse(text).filter(|dialect| matches!(dialect, Dialect::Shoplazza | Dialect::Shopline));
    known.ok_or_else(|| "webhooks are there in the APIs shoplazza and shopline".to_owned())
}

/// What to do with a secret.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum SecretCommand {
    /// Print the secret of a store
    Show {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        secrets: SecretsArgs,
        #[command(flatten)]
        api: ApiArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
    /// Take the client secret of an app, from a variable of the environment or a file
    Set {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        secrets: SecretsArgs,
        #[command(flatten)]
        api: ApiArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
        /// The variable that holds it
        #[arg(long, value_name = "VARIABLE", required_unless_present = "secret_file")]
        secret_env: Option<String>,
        /// The file that holds it; white space around it is dropped
        #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
        secret_file: Option<PathBuf>,
    },
    /// Make a new secret and print it; deliveries are signed with it from now on
    Rotate {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        secrets: SecretsArgs,
        #[command(flatten)]
        api: ApiArgs,
        /// Handle of the store
        #[arg(long)]
        store: String,
    },
}

/// Runs a webhook command.
pub(crate) fn run(command: &WebhookCommand) -> anyhow::Result<()> {
    match command {
        WebhookCommand::Secret(command) => secret(command),
        WebhookCommand::List { data, store } => list(data, store),
        WebhookCommand::Retry { data, store } => retry(data, store),
        WebhookCommand::Waits { data, store, waits } => wait(data, store, waits),
    }
}

fn secret(command: &SecretCommand) -> anyhow::Result<()> {
    let (SecretCommand::Show { data, secrets, api, store }
    | SecretCommand::Set { data, secrets, api, store, .. }
    | SecretCommand::Rotate { data, secrets, api, store }) = command;
    let engine = idle_engine(data)?;
    let keyring = Keyring::new(Vault::open(secrets)?, None);
    let (store, dialect) = (store_called(&engine, store)?, api.api);
    match command {
        SecretCommand::Show { .. } => {
            let secret = keyring.secret(&engine, store.id, dialect)?;
            let secret = secret.with_context(|| format!("the store {} has no secret yet", store.handle))?;
            say(&String::from_utf8(secret).context("the secret is no text")?)
        }
        SecretCommand::Set { secret_env, secret_file, .. } => {
            let secret = match (secret_env, secret_file) {
                (Some(variable), _) => {
                    std::env::var(variable).with_context(|| format!("the variable {variable} cannot be read"))?
                }
                (None, Some(path)) => {
                    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
                }
                (None, None) => bail!("a secret comes from --secret-env or --secret-file"),
            };
            keyring.set(&engine, store.id, dialect, secret.trim())?;
            say(&format!("deliveries of {} to subscribers of {} are signed with it", store.handle, dialect.code()))
        }
        SecretCommand::Rotate { .. } => {
            let secret = tenants::new_secret(true)?.replacen("sk_live_", "whsec_", 1);
            keyring.set(&engine, store.id, dialect, &secret)?;
            say(&secret)
        }
    }
}

fn list(data: &DataArgs, store: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    let (all, waiting) = engine
        .store()
        .read(|tx| Ok((subscriptions::list(tx, store.id)?, deliveries::count_by_subscription(tx, store.id)?)))?;
    for subscription in all {
        let waits = waiting.get(&subscription.id).copied().unwrap_or(0);
        let failing = subscription.failing_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let failing = failing.map_or_else(String::new, |at| format!("\tnothing gets through since {at}"));
        // As its API calls it.
        let id = match Dialect::parse(&subscription.dialect) {
            Some(Dialect::Shopline) => subscription.number.to_string(),
            _ => refundry_dialects::text::uuid_of(subscription.id),
        };
        let Subscription { dialect, topic, address, .. } = &subscription;
        say(&format!("{id}\t{dialect}\t{topic}\t{address}\t{waits} waiting{failing}"))?;
    }
    Ok(())
}

fn retry(data: &DataArgs, store: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    match engine.call(Job::Hooks { store: store.id, ask: Box::new(HookAsk::Hasten) })? {
        Outcome::Hooks(HookDone::Counted(count)) => say(&format!("deliveries posted again: {count}")),
        _ => bail!("the writer answered something else than was asked"),
    }
}

fn wait(data: &DataArgs, store: &str, waits: &[u32]) -> anyhow::Result<()> {
    let days = DELIVERY_WAITS_S_MAX / (24 * 60 * 60);
    ensure!(
        can_wait(waits),
        "at most {DELIVERY_WAITS_MAX} waits, each of at least a second, and of {days} days together"
    );
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    let ask = Box::new(HookAsk::Wait(waits.to_vec()));
    match engine.call(Job::Hooks { store: store.id, ask })? {
        Outcome::Hooks(HookDone::Kept) if waits.is_empty() => say("failed deliveries climb the usual ladder"),
        Outcome::Hooks(HookDone::Kept) => say(&format!("failed deliveries are tried again {} times", waits.len())),
        _ => bail!("the writer answered something else than was asked"),
    }
}
