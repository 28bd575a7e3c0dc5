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
use refundry_core::refund::Stage;
use refundry_engine::Engine;
use refundry_engine::read;
use refundry_engine::store::gateways::{self, GatewayRecord};
use refundry_engine::store::{StoreError, stores};
use refundry_gateways::drivers::driver;
use refundry_gateways::{Chooses, Driver, Gateway, Setting, SettingFault, Settings};

pub(crate) use commands::{GatewayCommand, run};
pub(crate) use vault::{SecretsArgs, Vault};

/// Why the only route of a store stays, and what to do.
pub(crate) const LAST_ROUTE: &str = "the last route cannot be taken away; to stop paying out, route `*` to `manual`";

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
        engine: &Engine,
        known: Option<&GatewayRecord>,
        change: Change<'_>,
    ) -> Result<GatewayRecord, ChangeFault> {
        changed(&self.vault, engine, known, change)
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
    /// This setting chooses who is spoken to, and legs are open that may have been sent.
    InUse {
        /// The setting.
        setting: &'static str,
        /// How many legs, at most [`COUNTED_MAX`].
        legs: usize,
    },
    /// This setting chooses who is shown the secrets, and these did not come along.
    SecretsStay {
        /// The setting.
        setting: &'static str,
        /// The secrets.
        missing: Vec<String>,
    },
    /// The secrets that it has cannot be read any more, and not all of them came along.
    SecretsLost {
        /// The secrets.
        missing: Vec<String>,
    },
    /// Secrets can be neither read nor encrypted here.
    Vault(anyhow::Error),
    /// The database cannot say which legs are open.
    Store(StoreError),
}

/// Legs that are counted before a change is refused; more are as good as these.
pub(crate) const COUNTED_MAX: usize = 1_000;

impl fmt::Display for ChangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(reason) | Self::Driver(reason) => f.write_str(reason),
            Self::DriverDiffers(driver) => write!(f, "it has the driver {driver}, which stays"),
            Self::InSight(name) => write!(f, "{name} is a secret, and came where it can be seen"),
            Self::Setting { fault, .. } => fault.fmt(f),
            Self::InUse { setting, legs } => f.write_str(&in_use(setting, *legs)),
            Self::SecretsStay { setting, missing } => f.write_str(&secrets_stay(setting, missing)),
            Self::SecretsLost { missing } => f.write_str(&secrets_lost(missing)),
            Self::Vault(error) => write!(f, "{error:#}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ChangeFault {}

/// Why who is spoken to stays, and what to do.
pub(crate) fn in_use(setting: &str, legs: usize) -> String {
    let many = if legs < COUNTED_MAX { "" } else { " or more" };
    format!(
        "{setting} chooses who is asked, and legs of the gateway may have been sent and are not settled \
         ({legs}{many}): settle them first, or configure another gateway under a name of its own and route new \
         payments to it"
    )
}

/// Which secrets have to come along, and why.
pub(crate) fn secrets_stay(setting: &str, missing: &[String]) -> String {
    format!(
        "{setting} chooses who is shown the secrets, so all that are kept have to be given again in the same change; \
         missing: {}; an empty value takes one away",
        missing.join(", ")
    )
}

/// That secrets are lost, and what to do.
pub(crate) fn secrets_lost(missing: &[String]) -> String {
    format!(
        "its secrets were encrypted under another key, or changed since: find that key, or give all of them again; \
         missing: {}; an empty value stands for one that it has not",
        missing.join(", ")
    )
}

/// What a gateway is before a change. Where its secrets cannot be read, because their key is lost, those that are given
/// have to be all that its driver knows.
fn before(
    vault: &Vault,
    driver: &Driver,
    known: &GatewayRecord,
    given: &BTreeMap<String, String>,
) -> Result<Settings, ChangeFault> {
    let error = match vault.settings(known) {
        Ok(settings) => return Ok(settings),
        Err(error) => error,
    };
    let has_key = vault.has_key();
    let secrets = driver.settings.iter().filter(|setting| setting.secret).map(|setting| setting.name.to_owned());
    let missing: Vec<String> = secrets.filter(|name| !given.contains_key(name)).collect();
    match missing[..] {
        _ if !has_key => Err(ChangeFault::Vault(error)),
        [] => vault.settings(&GatewayRecord { secrets: String::new(), ..known.clone() }).map_err(ChangeFault::Vault),
        _ => Err(ChangeFault::SecretsLost { missing }),
    }
}

/// How many legs of a gateway may have been sent and are not settled, at most [`COUNTED_MAX`].
///
/// A worker may take a leg between this look and the change, and other processes learn of the change a second late.
/// Such a leg is in doubt at worst: whoever is asked about a payment that it does not know settles nothing.
fn legs_in_use(engine: &Engine, store: i64, gateway: &str) -> Result<usize, StoreError> {
    const STAGES: [Stage; 4] = [Stage::Calling, Stage::Sent, Stage::InDoubt, Stage::Parked];
    const PAGE: i64 = 500;
    let (mut legs, mut after) = (0, 0);
    while legs < COUNTED_MAX {
        let page = read::open_legs(engine.store(), store, &STAGES, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.leg().id;
        legs += page.iter().filter(|open| open.leg().gateway(&open.order) == gateway).count();
    }
    Ok(legs.min(COUNTED_MAX))
}

/// Where a change would let the gateway speak to somebody else: the first such setting.
fn moved(driver: &Driver, before: &Settings, after: &Settings, which: &[Chooses]) -> Option<&'static str> {
    let differs = |name: &str| before.get(name) != after.get(name);
    let chosen = |setting: &&Setting| which.contains(&setting.chooses) && differs(setting.name);
    driver.settings.iter().find(chosen).map(|setting| setting.name)
}

/// Checks that a change of a gateway asks nobody about legs of somebody else, and shows nobody secrets that were given
/// for somebody else.
fn may_move(
    driver: &Driver,
    (before, after): (&Settings, &Settings),
    given: &BTreeMap<String, String>,
    legs: impl FnOnce() -> Result<usize, StoreError>,
) -> Result<(), ChangeFault> {
    if let Some(setting) = moved(driver, before, after, &[Chooses::Host, Chooses::Account]) {
        let legs = legs().map_err(ChangeFault::Store)?;
        if legs > 0 {
            return Err(ChangeFault::InUse { setting, legs });
        }
    }
    if let Some(setting) = moved(driver, before, after, &[Chooses::Host]) {
        let kept = driver.settings.iter().filter(|setting| setting.secret && before.0.contains_key(setting.name));
        let missing: Vec<String> =
            kept.map(|setting| setting.name.to_owned()).filter(|name| !given.contains_key(name)).collect();
        if !missing.is_empty() {
            return Err(ChangeFault::SecretsStay { setting, missing });
        }
    }
    Ok(())
}

/// The record of a gateway after a change: settings that its driver takes, those that are secret encrypted.
fn changed(
    vault: &Vault,
    engine: &Engine,
    known: Option<&GatewayRecord>,
    change: Change<'_>,
) -> Result<GatewayRecord, ChangeFault> {
    let now_ms = engine.clock().now_ms();
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
    let before = known.map(|known| before(vault, driver, known, &secret)).transpose()?;
    let mut settings = before.clone().unwrap_or_default();
    settings.0.extend(plain);
    settings.0.extend(secret.clone());
    settings.0.retain(|_, value| !value.is_empty());
    let unfit = |fault: SettingFault| {
        let secret = is_secret(&fault.name) || secret.contains_key(&fault.name);
        ChangeFault::Setting { fault, secret }
    };
    driver.open(&settings).map_err(unfit)?;
    if let Some(before) = &before {
        may_move(driver, (before, &settings), &secret, || legs_in_use(engine, store, name))?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn fault(driver: &str, after: &[(&str, &str)], given: &[(&str, &str)], legs: usize) -> Option<String> {
        let driver = driver_called(driver).unwrap();
        let before = settings(&[
            ("base_url", "https://one.example"),
            ("account", "acct_1"),
            ("client_id", "one"),
            ("secret_key", "sk_1"),
            ("webhook_secret", "whsec_1"),
            ("client_secret", "hush"),
        ]);
        let mut changed = before.clone();
        changed.0.extend(settings(after).0);
        changed.0.extend(settings(given).0);
        may_move(driver, (&before, &changed), &settings(given).0, || Ok(legs)).err().map(|fault| fault.to_string())
    }

    #[test]
    fn who_is_asked_stays_while_legs_may_have_been_sent() {
        for (driver, change) in [
            ("stripe", ("account", "acct_2")),
            ("stripe", ("account", "")),
            ("stripe", ("base_url", "https://two.example")),
            ("paypal", ("client_id", "two")),
            ("http", ("base_url", "https://two.example")),
        ] {
            let told = fault(driver, &[change], &[], 3).unwrap();
            assert!(told.starts_with(change.0) && told.contains("(3)"), "{told}");
        }
        assert!(fault("stripe", &[("account", "acct_2")], &[], COUNTED_MAX).unwrap().contains("(1000 or more)"));
        assert_eq!(fault("stripe", &[("account", "acct_2")], &[], 0), None);
        assert_eq!(fault("stripe", &[("account", "acct_1")], &[], 3), None, "nothing changes");
        assert_eq!(fault("stripe", &[], &[("secret_key", "sk_2")], 3), None, "keys may be replaced");
    }

    #[test]
    fn a_lost_key_is_made_up_for_by_giving_all_secrets_again() {
        let vault = |key: String| Vault::open(&SecretsArgs { secrets_key: Some(key), secrets_key_file: None }).unwrap();
        let mut known = vault::tests::record();
        let lost = vault(Vault::new_key().unwrap());
        known.secrets = lost.seal(&known, br#"{"secret_key":"sk_1","webhook_secret":"whsec_1"}"#).unwrap();
        let now = vault(Vault::new_key().unwrap());
        let stripe = driver_called("stripe").unwrap();
        let found = |vault: &Vault, given: &[(&str, &str)]| before(vault, stripe, &known, &settings(given).0);
        let told = found(&now, &[("secret_key", "sk_2")]).unwrap_err().to_string();
        assert!(told.contains("missing: webhook_secret;") && !told.contains("sk_2"), "{told}");
        let kept = found(&now, &[("secret_key", "sk_2"), ("webhook_secret", "")]).unwrap();
        assert_eq!((kept.get("account"), kept.get("secret_key")), ("acct_1", ""), "the rest of it stays");
        assert_eq!(found(&lost, &[]).unwrap().get("secret_key"), "sk_1");
        let none = Vault::open(&SecretsArgs::default()).unwrap();
        let told = found(&none, &[("secret_key", "sk_2"), ("webhook_secret", "")]).unwrap_err().to_string();
        assert!(told.contains("REFUNDRY_SECRETS_KEY"), "{told}");
    }

    #[test]
    fn secrets_are_given_again_with_another_host() {
        let host = ("base_url", "https://two.example");
        let told = fault("stripe", &[host], &[], 0).unwrap();
        assert!(told.contains("missing: secret_key, webhook_secret;"), "{told}");
        let told = fault("stripe", &[host], &[("secret_key", "sk_1")], 0).unwrap();
        assert!(told.contains("missing: webhook_secret;") && !told.contains("sk_1"), "{told}");
        for webhook_secret in ["whsec_1", ""] {
            let given = [("secret_key", "sk_1"), ("webhook_secret", webhook_secret)];
            assert_eq!(fault("stripe", &[host], &given, 0), None);
        }
        assert!(fault("stripe", &[("base_url", "")], &[], 0).is_some(), "back to the provider's own");
        assert_eq!(fault("stripe", &[("base_url", "https://one.example")], &[], 0), None);
    }
}
