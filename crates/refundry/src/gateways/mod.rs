//! Gateways that stores configure: their secrets at rest, and the drivers made of them in this process.
//!
//! What is configured stands in the database, secrets encrypted under a key that only processes have. Each process that
//! pays out or takes deliveries looks every second whether anything changed, so that a gateway configured by one of
//! them, or from the shell, works in all.

mod commands;
mod vault;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use refundry_engine::Engine;
use refundry_engine::store::gateways::{self, GatewayRecord};
use refundry_engine::store::{StoreError, stores};
use refundry_gateways::drivers::driver;
use refundry_gateways::{Driver, Gateway, Settings};

pub(crate) use commands::{GatewayCommand, run};
pub(crate) use vault::{SecretsArgs, Vault};

/// The gateways of all stores, as this process has them.
pub(crate) struct Book {
    vault: Vault,
    /// What was read last, by store.
    known: Mutex<BTreeMap<i64, Vec<GatewayRecord>>>,
}

impl Book {
    /// A book that was not read yet.
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault, known: Mutex::default() }
    }

    /// Reads what is configured, and makes drivers of what changed. One that cannot be made is logged and left out: its
    /// legs wait, and nothing is sent.
    pub(crate) fn refresh(&self, engine: &Engine) -> Result<(), StoreError> {
        let all = engine.store().read(|tx| {
            let mut all = BTreeMap::new();
            for store in stores::list(tx)? {
                all.insert(store.id, gateways::list(tx, store.id)?);
            }
            Ok(all)
        })?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (store, records) in &all {
            let before = known.get(store);
            if before == Some(records) || (before.is_none() && records.is_empty()) {
                continue;
            }
            let mut made: BTreeMap<String, Arc<dyn Gateway>> = BTreeMap::new();
            for record in records {
                match self.open(record) {
                    Ok(gateway) => {
                        made.insert(record.name.clone(), gateway);
                    }
                    Err(error) => {
                        let GatewayRecord { name, driver, .. } = record;
                        tracing::error!(store, name, driver, "a gateway cannot be used: {error:#}");
                    }
                }
            }
            engine.queue().registry().configure(*store, made);
        }
        *known = all;
        Ok(())
    }

    /// The driver of a configured gateway.
    fn open(&self, record: &GatewayRecord) -> anyhow::Result<Arc<dyn Gateway>> {
        let driver = driver_called(&record.driver)?;
        Ok(driver.open(&self.vault.settings(record)?)?)
    }

    /// Why a configured gateway cannot be used in this process; `None` if it can.
    pub(crate) fn fault(&self, record: &GatewayRecord) -> Option<String> {
        self.open(record).err().map(|error| format!("{error:#}"))
    }
}

/// The driver of that name.
pub(crate) fn driver_called(name: &str) -> anyhow::Result<&'static Driver> {
    driver(name).with_context(|| format!("no driver is called {name}; `refundry gateway drivers` lists them"))
}

/// A record of settings that its driver takes, with those that are secret encrypted.
fn record(
    vault: &Vault,
    (store, name): (i64, &str),
    driver: &Driver,
    settings: &Settings,
    now_ms: i64,
) -> anyhow::Result<GatewayRecord> {
    let well_formed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    ensure!(
        !name.is_empty() && name.len() <= 64 && name.bytes().all(well_formed),
        "a gateway's name is 1 to 64 letters, digits, hyphens and underscores, not {name:?}"
    );
    ensure!(!["manual", "simulated"].contains(&name), "{name} is built in, and needs no configuration");
    driver.open(settings)?;
    let is_secret = |name: &str| driver.settings.iter().any(|setting| setting.name == name && setting.secret);
    let part = |secret: bool| -> BTreeMap<&String, &String> {
        settings.0.iter().filter(|(name, _)| is_secret(name) == secret).collect()
    };
    let (shown, secrets) = (serde_json::to_string(&part(false))?, part(true));
    let mut record = GatewayRecord {
        store,
        name: name.to_owned(),
        driver: driver.name.to_owned(),
        settings: shown,
        secrets: String::new(),
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    if !secrets.is_empty() {
        record.secrets = vault.seal(&record, &serde_json::to_vec(&secrets)?)?;
    }
    Ok(record)
}
