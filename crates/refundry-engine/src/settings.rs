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
    let StoreSettings { routes, strategy, held } = StoreSettings::read(settings)?;
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
}
