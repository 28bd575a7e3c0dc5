//! Gateways that stores configure: their secrets at rest, and the drivers made of them in this process.
//!
//! What is configured stands in the database, secrets encrypted under a key that only processes have. Each process that
//! pays out or takes deliveries looks every second whether anything changed, so that a gateway configured by one of
//! them, or from the shell, works in all.

mod commands;
mod vault;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use refundry_engine::Engine;
use refundry_engine::store::gateways::{self, GatewayRecord};
use refundry_engine::store::{StoreError, stores};
use refundry_gateways::drivers::driver;
use refundry_gateways::{Driver, Gateway, SettingFault, Settings};

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
        let named = driver(&record.driver).with_context(|| unknown_driver(&record.driver))?;
        Ok(named.open(&self.vault.settings(record)?)?)
    }

    /// Why a configured gateway cannot be used in this process; `None` if it can.
    pub(crate) fn fault(&self, record: &GatewayRecord) -> Option<String> {
        self.open(record).err().map(|error| format!("{error:#}"))
    }

    /// The record of a gateway after a change.
    pub(crate) fn changed(
        &self,
        known: Option<&GatewayRecord>,
        change: Change<'_>,
        now_ms: i64,
    ) -> Result<GatewayRecord, ChangeFault> {
        changed(&self.vault, known, change, now_ms)
    }

    /// Settings of a gateway that may be shown, and the names of the others; `None` for those where this process cannot
    /// read them.
    pub(crate) fn shown(&self, record: &GatewayRecord) -> (BTreeMap<String, String>, Option<Vec<String>>) {
        let shown: BTreeMap<String, String> = serde_json::from_str(&record.settings).unwrap_or_default();
        let all = self.vault.settings(record).ok();
        let secrets = all.map(|all| all.0.into_keys().filter(|name| !shown.contains_key(name)).collect());
        (shown, secrets)
    }
}

/// The driver of that name.
pub(crate) fn driver_called(name: &str) -> anyhow::Result<&'static Driver> {
    driver(name).with_context(|| unknown_driver(name))
}

fn unknown_driver(name: &str) -> String {
    format!("no driver is called {name}; `refundry gateway drivers` lists them")
}

/// What a gateway is to be given: settings by name, added to those that it has; an empty value takes one away.
pub(crate) struct Change<'a> {
    /// The store.
    pub(crate) store: i64,
    /// What the store calls it.
    pub(crate) name: &'a str,
    /// The driver; may be left out for a gateway that is there.
    pub(crate) driver: Option<&'a str>,
    /// Settings as they may be shown.
    pub(crate) plain: BTreeMap<String, String>,
    /// Settings, kept from sight on their way here.
    pub(crate) secret: BTreeMap<String, String>,
}

/// Why a gateway cannot be configured like this. No value of a setting is in it.
#[derive(Debug)]
pub(crate) enum ChangeFault {
    /// The gateway's name.
    Name(String),
    /// The driver: left out, or there is none of that name.
    Driver(String),
    /// It has this driver, which stays.
    DriverDiffers(String),
    /// A secret came where it can be seen.
    InSight(String),
    /// A setting that the driver does not take, or lacks.
    Setting {
        /// Which, and what is wrong with it.
        fault: SettingFault,
        /// It came, or has to come, among the secrets.
        secret: bool,
    },
    /// Secrets can be neither read nor encrypted here.
    Vault(anyhow::Error),
}

impl fmt::Display for ChangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(reason) | Self::Driver(reason) => f.write_str(reason),
            Self::DriverDiffers(driver) => write!(f, "it has the driver {driver}, which stays"),
            Self::InSight(name) => write!(f, "{name} is a secret, and came where it can be seen"),
            Self::Setting { fault, .. } => fault.fmt(f),
            Self::Vault(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for ChangeFault {}

/// The record of a gateway after a change: settings that its driver takes, those that are secret encrypted.
fn changed(
    vault: &Vault,
    known: Option<&GatewayRecord>,
    change: Change<'_>,
    now_ms: i64,
) -> Result<GatewayRecord, ChangeFault> {
    let Change { store, name, driver: asked, plain, secret } = change;
    well_named(name)?;
    if let Some(known) = known.filter(|known| asked.is_some_and(|asked| asked != known.driver)) {
        return Err(ChangeFault::DriverDiffers(known.driver.clone()));
    }
    let Some(named) = asked.or(known.map(|known| known.driver.as_str())) else {
        return Err(ChangeFault::Driver(format!("the gateway {name} is new, so it needs a driver")));
    };
    let driver = driver(named).ok_or_else(|| ChangeFault::Driver(unknown_driver(named)))?;
    let is_secret = |name: &str| driver.settings.iter().any(|setting| setting.name == name && setting.secret);
    if let Some(seen) = plain.keys().find(|name| is_secret(name)) {
        return Err(ChangeFault::InSight(seen.clone()));
    }
    let mut settings = match known {
        Some(known) => vault.settings(known).map_err(ChangeFault::Vault)?,
        None => Settings::default(),
    };
    settings.0.extend(plain);
    settings.0.extend(secret.clone());
    settings.0.retain(|_, value| !value.is_empty());
    let unfit = |fault: SettingFault| {
        let secret = is_secret(&fault.name) || secret.contains_key(&fault.name);
        ChangeFault::Setting { fault, secret }
    };
    driver.open(&settings).map_err(unfit)?;
    let (secrets, plain): (BTreeMap<String, String>, _) = settings.0.into_iter().partition(|(name, _)| is_secret(name));
    let in_json = |settings: &BTreeMap<String, String>| serde_json::to_string(settings).map_err(anyhow::Error::from);
    let mut record = GatewayRecord {
        store,
        name: name.to_owned(),
        driver: driver.name.to_owned(),
        settings: in_json(&plain).map_err(ChangeFault::Vault)?,
        secrets: String::new(),
        created_ms: known.map_or(now_ms, |known| known.created_ms),
        updated_ms: now_ms,
    };
    if !secrets.is_empty() {
        let sealed = in_json(&secrets).and_then(|text| vault.seal(&record, text.as_bytes()));
        record.secrets = sealed.map_err(ChangeFault::Vault)?;
    }
    Ok(record)
}

fn well_named(name: &str) -> Result<(), ChangeFault> {
    let well_formed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(well_formed) {
        let wanted = "a gateway's name is 1 to 64 letters, digits, hyphens and underscores";
        return Err(ChangeFault::Name(format!("{wanted}, not {name:?}")));
    }
    if ["manual", "simulated"].contains(&name) {
        return Err(ChangeFault::Name(format!("{name} is built in, and needs no configuration")));
    }
    Ok(())
}
