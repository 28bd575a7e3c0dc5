//! The settings of a store, as they are kept with it: a JSON object that grows by fields with a usual value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::payouts::{GatewayLimits, MANUAL, Payouts, SIMULATED, Strategy};
use refundry_gateways::Registry;
use refundry_store::{StoreError, Tx, gateways, stores};
use serde::{Deserialize, Serialize};

/// What a store configured, beside its gateways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSettings {
    /// Gateways by payment channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, String>,
    /// How a refund is spread over several payments where the request does not say.
    #[serde(default, skip_serializing_if = "is_usual", with = "by_code")]
    pub strategy: Strategy,
    /// Payment channels, in lower case, whose money waits until somebody says that it went back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held: BTreeSet<String>,
    /// What SHOPLINE's API says of the store, where that is not the usual.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub shopline: Shopline,
    /// Seconds to wait before each further attempt at a delivery; none where the usual ladder is climbed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_waits_s: Vec<u32>,
}

/// What SHOPLINE's API says of a store, in answers and to subscribers. Each has a usual value where nothing was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shopline {
    /// Host name of the shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Number of the merchant, in digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_id: Option<String>,
    /// Name of a time zone, as IANA has it. It is only told: times are told in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// E-mail address of the shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// How signatures of deliveries are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureText>,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureText {
    /// In hex digits, lower case.
    #[default]
    Hex,
    /// In Base64.
    Base64,
}

impl SignatureText {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Hex, Self::Base64].into_iter().find(|text| text.code() == code)
    }
}

impl Shopline {
    /// Host name of the shop; usually its handle below the platform's own.
    pub fn domain(&self, handle: &str) -> String {
        self.domain.clone().unwrap_or_else(|| format!("{handle}.{SHOPLINE_HOST}"))
    }

    /// Number of the merchant, in digits; usually the store's.
    pub fn merchant_id(&self, store: i64) -> String {
        self.merchant_id.clone().unwrap_or_else(|| store.to_string())
    }

    /// Name of the shop's time zone; usually `UTC`.
    pub fn zone(&self) -> &str {
        self.zone.as_deref().unwrap_or("UTC")
    }

    /// E-mail address of the shop; usually none.
    pub fn email(&self) -> &str {
        self.email.as_deref().unwrap_or_default()
    }

    /// How signatures of deliveries are written; usually in hex.
    pub fn signature(&self) -> SignatureText {
        self.signature.unwrap_or_default()
    }
}

/// The host that shops of SHOPLINE are below.
const SHOPLINE_HOST: &str = "myshopline.com";

fn is_plain(shopline: &Shopline) -> bool {
    *shopline == Shopline::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_usual(strategy: &Strategy) -> bool {
    *strategy == Strategy::default()
}

/// A strategy as its stable code.
mod by_code {
    use refundry_core::payouts::Strategy;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(strategy: &Strategy, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(strategy.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Strategy, D::Error> {
        let code = String::deserialize(from)?;
        Strategy::parse(&code).ok_or_else(|| de::Error::custom(format!("there is no strategy {code:?}")))
    }
}

impl StoreSettings {
    /// Reads the settings of a store.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text)
            .map_err(|error| StoreError::defect(format!("stores.settings cannot be read: {error}")))
    }

    /// Writes them.
    pub fn write(&self) -> String {
        serde_json::to_string(self).expect("settings have text keys only")
    }
}

/// What a store configured about paying back, with what its gateways take.
pub fn payouts(registry: &Registry, store: i64, settings: &str) -> Result<Arc<Payouts>, StoreError> {
    let gateways = registry.capabilities(store).into_iter().map(|(name, can)| {
        let limits = GatewayLimits {
            partial: can.partial,
            several_per_payment: can.several_per_payment,
            minimum_minor: can.minimum_minor,
            deadline_days: can.deadline_days,
        };
        (name, limits)
    });
    let StoreSettings { routes, strategy, held, shopline: _, webhook_waits_s: _ } = StoreSettings::read(settings)?;
    Ok(Arc::new(Payouts { routes, gateways: gateways.collect(), strategy, held }))
}

/// Which gateway a channel leads to, as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAsk {
    /// The payment channel, in any case; `*` for all others.
    pub channel: String,
    /// The gateway; `None` takes the route away.
    pub gateway: Option<String>,
}

/// Leads a channel to a gateway of the store or a built-in one; `None` where there is none, or no other route.
///
/// The last route stays: a store without any has its refunds paid by the simulated provider, and then real ones would
/// look paid too.
pub(crate) fn route(tx: &mut Tx<'_>, store: i64, ask: &RouteAsk) -> Result<Option<StoreSettings>, StoreError> {
    let record = stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    let mut settings = StoreSettings::read(&record.settings)?;
    let channel = ask.channel.to_lowercase();
    match &ask.gateway {
        None => {
            if settings.routes.remove(&channel).is_some() && settings.routes.is_empty() {
                return Ok(None);
            }
        }
        Some(gateway) => {
            let built_in = [MANUAL, SIMULATED].contains(&gateway.as_str());
            if !built_in && !gateways::list(tx, store)?.iter().any(|known| known.name == *gateway) {
                return Ok(None);
            }
            settings.routes.insert(channel, gateway.clone());
        }
    }
    stores::update(tx, store, &record.name, &settings.write())?;
    Ok(Some(settings))
}

/// Spreads refunds of a store over payments in another way from now on.
pub(crate) fn choose(tx: &mut Tx<'_>, store: i64, strategy: Strategy) -> Result<StoreSettings, StoreError> {
    let record = stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    let mut settings = StoreSettings::read(&record.settings)?;
    settings.strategy = strategy;
    stores::update(tx, store, &record.name, &settings.write())?;
    Ok(settings)
}

/// Holds the money of a payment channel back until somebody says that it went back, or no more.
pub(crate) fn hold(tx: &mut Tx<'_>, store: i64, channel: &str, held: bool) -> Result<StoreSettings, StoreError> {
    let record = stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    let mut settings = StoreSettings::read(&record.settings)?;
    let channel = channel.to_lowercase();
    if held {
        settings.held.insert(channel);
    } else {
        settings.held.remove(&channel);
    }
    stores::update(tx, store, &record.name, &settings.write())?;
    Ok(settings)
}

/// Has failed deliveries of a store tried again after other waits from now on; none for the usual ones.
pub(crate) fn wait(tx: &mut Tx<'_>, store: i64, waits_s: &[u32]) -> Result<(), StoreError> {
    let record = stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    let mut settings = StoreSettings::read(&record.settings)?;
    settings.webhook_waits_s = waits_s.to_vec();
    stores::update(tx, store, &record.name, &settings.write()).map(|_| ())
}

/// What is to change of what SHOPLINE's API says of a store. `None` leaves a value as it is, an empty text takes it
/// back to the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShoplineAsk {
    /// Host name of the shop.
    pub domain: Option<String>,
    /// Number of the merchant.
    pub merchant_id: Option<String>,
    /// Name of a time zone.
    pub zone: Option<String>,
    /// E-mail address of the shop.
    pub email: Option<String>,
    /// How signatures of deliveries are written.
    pub signature: Option<SignatureText>,
}

/// Which of these values cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShoplineFault {
    /// Not a host name.
    Domain,
    /// Not a number of 1 to 20 digits.
    MerchantId,
    /// Not the name of a time zone.
    Zone,
    /// Not an e-mail address.
    Email,
}

impl ShoplineAsk {
    /// Whether all values can be; an empty one can.
    pub fn check(&self) -> Result<(), ShoplineFault> {
        let fits = |text: &Option<String>, fits: fn(&str) -> bool| {
            text.as_deref().is_none_or(|text| text.is_empty() || fits(text))
        };
        let checks = [
            (fits(&self.domain, is_host), ShoplineFault::Domain),
            (fits(&self.merchant_id, is_number), ShoplineFault::MerchantId),
            (fits(&self.zone, is_zone), ShoplineFault::Zone),
            (fits(&self.email, is_email), ShoplineFault::Email),
        ];
        checks.into_iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, fault)| Err(fault))
    }

    fn apply(&self, to: &mut Shopline) {
        let change = |value: &mut Option<String>, ask: &Option<String>| {
            if let Some(text) = ask {
                *value = Some(text.clone()).filter(|text| !text.is_empty());
            }
        };
        change(&mut to.domain, &self.domain);
        change(&mut to.merchant_id, &self.merchant_id);
        change(&mut to.zone, &self.zone);
        change(&mut to.email, &self.email);
        if let Some(text) = self.signature {
            to.signature = Some(text).filter(|text| *text != SignatureText::default());
        }
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_number(text: &str) -> bool {
    text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b"+-_".contains(&b);
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(of_name);
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.split('/').all(is_part)
}

fn is_email(text: &str) -> bool {
    let printed = |c: char| !c.is_whitespace() && !c.is_control();
    let parts = text.rsplit_once('@');
    text.len() <= 254
        && text.chars().all(printed)
        && parts.is_some_and(|(name, host)| !name.is_empty() && is_host(host))
}

/// Changes what SHOPLINE's API says of a store; the values were checked.
pub(crate) fn present(tx: &mut Tx<'_>, store: i64, ask: &ShoplineAsk) -> Result<Shopline, StoreError> {
    let record = stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    let mut settings = StoreSettings::read(&record.settings)?;
    ask.apply(&mut settings.shopline);
    stores::update(tx, store, &record.name, &settings.write())?;
    Ok(settings.shopline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        let settings = StoreSettings {
            routes: BTreeMap::from([("card".to_owned(), "eu".to_owned())]),
            ..StoreSettings::default()
        };
        assert_eq!(settings.write(), r#"{"routes":{"card":"eu"}}"#);
        assert_eq!(StoreSettings::read(&settings.write()), Ok(settings));
        let settings = StoreSettings { strategy: Strategy::GiftCardFirst, ..StoreSettings::default() };
        assert_eq!(settings.write(), r#"{"strategy":"gift_card_first"}"#);
        assert_eq!(StoreSettings::read(&settings.write()), Ok(settings));
        let settings = StoreSettings { held: BTreeSet::from(["bogus".to_owned()]), ..StoreSettings::default() };
        assert_eq!(settings.write(), r#"{"held":["bogus"]}"#);
        assert_eq!(StoreSettings::read(&settings.write()), Ok(settings));
        assert!(StoreSettings::read(r#"{"strategy":"by_mood"}"#).is_err());
        assert_eq!(StoreSettings::read("{}"), Ok(StoreSettings::default()));
        assert_eq!(StoreSettings::default().write(), "{}");
        assert!(StoreSettings::read("").is_err());
    }

    #[test]
    fn what_shopline_says_of_a_store_has_usual_values() {
        let plain = Shopline::default();
        assert_eq!((plain.domain("north"), plain.merchant_id(7)), ("north.myshopline.com".to_owned(), "7".to_owned()));
        assert_eq!((plain.zone(), plain.email(), plain.signature()), ("UTC", "", SignatureText::Hex));
        let ask = ShoplineAsk {
            domain: Some("shop.example".to_owned()),
            merchant_id: Some("2000001234".to_owned()),
            zone: Some("Asia/Shanghai".to_owned()),
            email: Some("shop@example.com".to_owned()),
            signature: Some(SignatureText::Base64),
        };
        let mut settings = StoreSettings::default();
        ask.apply(&mut settings.shopline);
        assert_eq!(
            settings.write(),
            r#"{"shopline":{"domain":"shop.example","merchant_id":"2000001234","zone":"Asia/Shanghai","email":"shop@example.com","signature":"base64"}}"#
        );
        assert_eq!(StoreSettings::read(&settings.write()).as_ref(), Ok(&settings));
        let chosen = &settings.shopline;
        assert_eq!(
            (chosen.domain("north"), chosen.merchant_id(7)),
            ("shop.example".to_owned(), "2000001234".to_owned())
        );
        assert_eq!((chosen.zone(), chosen.email()), ("Asia/Shanghai", "shop@example.com"));
        assert_eq!(chosen.signature(), SignatureText::Base64);
        // Nothing said leaves all as it is; an empty text takes a value back.
        ShoplineAsk::default().apply(&mut settings.shopline);
        assert_eq!(settings.shopline.zone(), "Asia/Shanghai");
        let none = || Some(String::new());
        let usual = ShoplineAsk {
            domain: none(),
            merchant_id: none(),
            zone: none(),
            email: none(),
            signature: Some(SignatureText::Hex),
        };
        assert_eq!(usual.check(), Ok(()));
        usual.apply(&mut settings.shopline);
        assert_eq!(settings.write(), "{}");
    }

    #[test]
    fn what_shopline_says_of_a_store_is_checked() {
        let of = |key: &str, value: &str| {
            let given = |name: &str| (key == name).then(|| value.to_owned());
            ShoplineAsk {
                domain: given("domain"),
                merchant_id: given("merchant"),
                zone: given("zone"),
                email: given("email"),
                signature: None,
            }
        };
        let long = "x".repeat(64);
        for (key, value) in [
            ("domain", "open001.myshopline.com"),
            ("domain", "localhost"),
            ("merchant", "2000001234"),
            ("zone", "America/Argentina/Buenos_Aires"),
            ("zone", "Etc/GMT+5"),
            ("email", "a@b.c"),
        ] {
            assert_eq!(of(key, value).check(), Ok(()), "{key} {value}");
        }
        for (key, value, fault) in [
            ("domain", "-a.b", ShoplineFault::Domain),
            ("domain", "a..b", ShoplineFault::Domain),
            ("domain", "a.b\r\nX: y", ShoplineFault::Domain),
            ("domain", long.as_str(), ShoplineFault::Domain),
            ("merchant", "12a", ShoplineFault::MerchantId),
            ("merchant", "123456789012345678901", ShoplineFault::MerchantId),
            ("zone", "+08:00", ShoplineFault::Zone),
            ("zone", "Asia//Shanghai", ShoplineFault::Zone),
            ("email", "a b@c.d", ShoplineFault::Email),
            ("email", "@c.d", ShoplineFault::Email),
            ("email", "a@", ShoplineFault::Email),
        ] {
            assert_eq!(of(key, value).check(), Err(fault), "{key} {value}");
        }
    }
}
