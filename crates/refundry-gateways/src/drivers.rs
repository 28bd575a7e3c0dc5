//! Every driver that a store can configure, with its settings: the one list that a new provider is added to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{
    Adyen, Gateway, Hyperswitch, Manual, MerchantService, PayPal, Simulated, StatementFault, StatementLine, Stripe,
    adyen, hyperswitch, merchant, paypal, stripe,
};

/// A kind of gateway that a store can configure.
pub struct Driver {
    /// What configurations call it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What it needs to know.
    pub settings: &'static [Setting],
    /// Makes a gateway of settings whose names and presence were checked.
    open: fn(&Settings) -> Result<Arc<dyn Gateway>, SettingFault>,
}

/// One setting of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// It is kept encrypted and never shown again.
    pub secret: bool,
    /// The driver does not work without it.
    pub required: bool,
    /// What a change of it would change about who is spoken to.
    pub chooses: Chooses,
}

/// What a setting decides about who is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooses {
    /// Nothing; a secret does not either, because a key that is replaced opens the same account.
    Nothing,
    /// Which account at the provider. What was asked at one cannot be looked up at another.
    Account,
    /// Which host, and so who is shown the secrets; also which account, as one host knows nothing of another's.
    Host,
}

/// Settings by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    /// A setting, empty where it was not given.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl fmt::Debug for Settings {
    /// Shows names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Every driver, in alphabetical order.
pub const DRIVERS: &[Driver] = &[
    Driver {
        name: "adyen",
        about: "Adyen, through its Checkout API",
        settings: adyen::SETTINGS,
        open: |settings| Ok(Arc::new(Adyen::open(settings)?)),
    },
    Driver {
        name: "http",
        about: "A service of your own, asked in signed JSON",
        settings: merchant::SETTINGS,
        open: |settings| Ok(Arc::new(MerchantService::open(settings)?)),
    },
    Driver {
        name: "hyperswitch",
        about: "Hyperswitch, and the processors behind it",
        settings: hyperswitch::SETTINGS,
        open: |settings| Ok(Arc::new(Hyperswitch::open(settings)?)),
    },
    Driver {
        name: "manual",
        about: "A person pays outside and says so",
        settings: &[],
        open: |_| Ok(Arc::new(Manual)),
    },
    Driver {
        name: "paypal",
        about: "PayPal, through its Payments API",
        settings: paypal::SETTINGS,
        open: |settings| Ok(Arc::new(PayPal::open(settings)?)),
    },
    Driver {
        name: "simulated",
        about: "A provider to try things on; no money moves",
        settings: &[BASE_URL_REQUIRED, NOTIFY_SECRET],
        open: |settings| {
            let simulated = Simulated::remote(&base_url(settings, "")?);
            Ok(Arc::new(simulated.with_secret(settings.get("webhook_secret"))))
        },
    },
    Driver {
        name: "stripe",
        about: "Stripe",
        settings: stripe::SETTINGS,
        open: |settings| Ok(Arc::new(Stripe::open(settings)?)),
    },
];

const BASE_URL_REQUIRED: Setting = Setting {
    name: "base_url",
    about: "Where it is reached, for example http://127.0.0.1:8090",
    secret: false,
    required: true,
    chooses: Chooses::Host,
};

const NOTIFY_SECRET: Setting = Setting {
    name: "webhook_secret",
    about: "What its events are signed with, as given to --notify-secret",
    secret: true,
    required: false,
    chooses: Chooses::Nothing,
};

/// Reads a file that a provider offers for download, with the settings that are no secrets.
pub type FileReader = fn(&Settings, &[u8]) -> Result<Vec<StatementLine>, StatementFault>;

/// Drivers whose files are read without credentials: whoever does the books need not be able to pay.
const FILE_READERS: &[(&str, FileReader)] = &[
    ("adyen", |settings, file| match settings.get("merchant_account") {
        "" => Err(StatementFault::whole("its rows are of merchant accounts, and none is configured")),
        account => adyen::statement::read(account, file),
    }),
    ("paypal", |_, file| paypal::statement::read(file)),
    ("simulated", |_, file| Simulated::remote("").statement(file)),
    ("stripe", |_, file| stripe::statement::read_report(file)),
];

/// The driver of that name.
pub fn driver(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}

impl Driver {
    /// Makes a gateway, or says which setting is wrong.
    pub fn open(&self, settings: &Settings) -> Result<Arc<dyn Gateway>, SettingFault> {
        let known = |name: &String| self.settings.iter().any(|setting| setting.name == name.as_str());
        if let Some(name) = settings.0.keys().find(|name| !known(name)) {
            return Err(SettingFault { name: name.clone(), reason: "this driver has no such setting".to_owned() });
        }
        let missing = self.settings.iter().find(|setting| setting.required && settings.get(setting.name).is_empty());
        if let Some(setting) = missing {
            return Err(SettingFault::new(setting.name, "it is required"));
        }
        (self.open)(settings)
    }

    /// How to read its provider's files without credentials; `None` where only [`Gateway::statement`] can.
    pub fn file_reader(&self) -> Option<FileReader> {
        FILE_READERS.iter().find(|(name, _)| *name == self.name).map(|(_, read)| *read)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The address in `base_url`, without a slash at its end, or the provider's own where none is given.
///
/// Plain HTTP would show credentials to the network, so it is for this machine only.
pub(crate) fn base_url(settings: &Settings, usual: &str) -> Result<String, SettingFault> {
    let given = settings.get("base_url");
    let url = if given.is_empty() { usual } else { given }.trim_end_matches('/');
    let parsed: hyper::Uri = url.parse().map_err(|_| SettingFault::new("base_url", "it is not a URL"))?;
    let host = parsed.host().unwrap_or_default();
    let here =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match parsed.scheme_str() {
        _ if host.is_empty() => Err(SettingFault::new("base_url", "it names no host")),
        _ if parsed.query().is_some() => Err(SettingFault::new("base_url", "it has a query")),
        Some("https") => Ok(url.to_owned()),
        Some("http") if here => Ok(url.to_owned()),
        Some("http") => Err(SettingFault::new("base_url", "only https:// leaves this machine")),
        _ => Err(SettingFault::new("base_url", "it is neither https:// nor http://")),
    }
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// Which.
    pub name: String,
    /// What is wrong; never quotes the value.
    pub reason: String,
}

impl SettingFault {
    /// Names the setting and what is wrong with it.
    pub fn new(name: &str, reason: &str) -> SettingFault {
        SettingFault { name: name.to_owned(), reason: reason.to_owned() }
    }
}

impl fmt::Display for SettingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting {}: {}", self.name, self.reason)
    }
}

impl std::error::Error for SettingFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_its_names_are_those_of_the_gateways() {
        let names: Vec<&str> = DRIVERS.iter().map(|driver| driver.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(driver("manual").unwrap().open(&Settings::default()).unwrap().name(), "manual");
        assert!(driver("cash").is_none());
    }

    #[test]
    fn files_are_read_without_credentials() {
        for (name, read) in FILE_READERS {
            assert!(driver(name).unwrap().file_reader().is_some(), "{name}");
            let account = Settings(BTreeMap::from([("merchant_account".to_owned(), "Shop".to_owned())]));
            assert!(!read(&account, b"some,other\nfile,1\n").unwrap_err().reason.is_empty(), "{name}");
        }
        let adyen = driver("adyen").unwrap().file_reader().unwrap();
        assert!(adyen(&Settings::default(), b"").unwrap_err().reason.contains("merchant account"));
        assert!(driver("manual").unwrap().file_reader().is_none());
    }

    #[test]
    fn what_chooses_a_host_or_an_account_is_no_secret_and_every_address_does() {
        for setting in DRIVERS.iter().flat_map(|driver| driver.settings) {
            assert!(!setting.secret || setting.chooses == Chooses::Nothing, "{setting:?}");
            assert_eq!(setting.name == "base_url", setting.chooses == Chooses::Host, "{setting:?}");
        }
    }

    #[test]
    fn settings_are_checked_by_name() {
        let open = |settings: &[(&str, &str)]| {
            let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            driver("simulated").unwrap().open(&Settings(settings)).map(|gateway| gateway.name())
        };
        assert_eq!(open(&[("base_url", "http://127.0.0.1:8090/")]), Ok("simulated"));
        assert_eq!(open(&[]), Err(SettingFault::new("base_url", "it is required")));
        let unknown = open(&[("base_url", "http://localhost"), ("secret", "x")]);
        assert_eq!(unknown, Err(SettingFault::new("secret", "this driver has no such setting")));
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let url = |url: &str| {
            base_url(&Settings(BTreeMap::from([("base_url".to_owned(), url.to_owned())])), "https://a.example")
        };
        for fine in ["https://pay.example/v1", "http://127.0.0.1:1", "http://localhost", "http://[::1]:8090"] {
            assert_eq!(url(fine).as_deref(), Ok(fine));
        }
        assert_eq!(url("").as_deref(), Ok("https://a.example"));
        assert_eq!(url("https://pay.example/").as_deref(), Ok("https://pay.example"));
        for wrong in
            ["http://pay.example", "ftp://127.0.0.1", "pay.example", "/path", "https://", "https://a.example/?b=c"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
