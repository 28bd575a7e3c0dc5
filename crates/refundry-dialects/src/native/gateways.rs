//! Gateways that a store configures, and the payment channels that lead to them. No answer has the value of a secret.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::decode::No;
use super::read::{id, only};
use crate::body::{self, Fault, Fields, Malformed};
use crate::payouts::{GatewayAsk, GatewayView, PayoutCall, RouteView, Secrets};
use crate::text::rfc3339_millis;
use crate::wire::Call;

/// Keys of `PUT /v1/gateways/{name}`.
pub(super) const GATEWAY_KEYS: &[&str] = &["driver", "settings", "secrets"];
/// Keys of `PUT /v1/routes/{channel}`.
pub(super) const ROUTE_KEYS: &[&str] = &["gateway"];
/// Settings that a request may name; drivers have far fewer.
const SETTINGS_MAX: usize = 50;
/// Characters of a setting.
const SETTING_CHARS_MAX: usize = 10_000;
/// Characters of a payment channel.
const CHANNEL_CHARS_MAX: usize = 200;

/// A gateway to configure. Settings are added to those that it has; an empty text takes one away.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayInput {
    /// The driver; may be left out for a gateway that is there. `refundry gateway drivers` lists all, with their
    /// settings.
    pub driver: Option<String>,
    /// Settings that are no secrets.
    pub settings: Option<BTreeMap<String, String>>,
    /// Secret settings. They are kept encrypted and never shown again.
    #[schema(write_only)]
    pub secrets: Option<BTreeMap<String, String>>,
}

/// Where a payment channel is to lead.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteInput {
    /// The gateway, configured or `manual` or `simulated`; `null` takes the route away.
    #[schema(required)]
    pub gateway: Option<String>,
}

/// A gateway that the store configured.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gateway<'a> {
    /// When it was configured first.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Its driver, which stays.
    pub driver: &'a str,
    /// Why it cannot be used in the process that answers; `null` if it can.
    pub fault: Option<&'a str>,
    /// What the store calls it.
    pub name: &'a str,
    /// Names of the secrets that are kept, never their values; `null` where the process that answers cannot read them.
    pub secrets: Option<&'a [String]>,
    /// Settings that are no secrets.
    pub settings: &'a BTreeMap<String, String>,
    /// When it was configured last.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Whether it can be used in the process that answers.
    pub usable: bool,
}

/// Where payments of a channel lead.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentRoute<'a> {
    /// The channel (or method) as orders name it, in lower case; `*` for all without a route of their own.
    pub channel: &'a str,
    /// The gateway; `null` where the channel has none of its own any more.
    pub gateway: Option<&'a str>,
}

/// Reads `PUT /v1/gateways/{name}`.
pub(super) fn put(name: &str, bytes: &[u8]) -> Result<Call, No> {
    let body = body::parse(bytes)?;
    let fields = Fields::root(&body)?;
    only(&fields, GATEWAY_KEYS)?;
    let ask = GatewayAsk {
        name: name.to_owned(),
        driver: id(&fields, "driver")?.map(str::to_owned),
        settings: settings(&fields, "settings")?,
        secrets: Secrets(settings(&fields, "secrets")?),
    };
    let both = ask.settings.keys().find(|name| ask.secrets.0.contains_key(*name));
    if let Some(name) = both {
        let once = Fault::Value("given once: it stands in settings too".to_owned());
        return Err(Malformed::at(format!("secrets.{name}"), once).into());
    }
    Ok(Call::Payouts(Box::new(PayoutCall::PutGateway(ask))))
}

/// Settings by name; `null` counts as left out.
fn settings(fields: &Fields<'_>, key: &str) -> Result<BTreeMap<String, String>, Malformed> {
    let Some(listed) = fields.object(key)? else { return Ok(BTreeMap::new()) };
    if listed.keys().count() > SETTINGS_MAX {
        return Err(fields.fault(key, Fault::TooLong(SETTINGS_MAX)));
    }
    let given = listed.keys().filter(|name| listed.value(name).is_some());
    given.map(|name| Ok((name.to_owned(), listed.text_or_empty(name, SETTING_CHARS_MAX)?))).collect()
}

/// Reads `PUT /v1/routes/{channel}`.
pub(super) fn put_route(channel: &str, bytes: &[u8]) -> Result<Call, No> {
    let body = body::parse(bytes)?;
    let fields = Fields::root(&body)?;
    only(&fields, ROUTE_KEYS)?;
    // `null` takes the route away, so here it must be sent.
    if fields.keys().next().is_none() {
        return Err(fields.fault("gateway", Fault::Missing).into());
    }
    let gateway = id(&fields, "gateway")?.map(str::to_owned);
    let channel = channel.trim();
    if channel.is_empty() || channel.chars().count() > CHANNEL_CHARS_MAX {
        let wanted = format!("a name of 1 to {CHANNEL_CHARS_MAX} characters");
        return Err(Malformed::at("channel", Fault::Value(wanted)).into());
    }
    Ok(Call::Payouts(Box::new(PayoutCall::PutRoute { channel: channel.to_owned(), gateway })))
}

/// Writes a gateway.
pub(super) fn gateway(view: &GatewayView) -> Gateway<'_> {
    Gateway {
        created_at: rfc3339_millis(view.created_ms),
        driver: &view.driver,
        fault: view.fault.as_deref(),
        name: &view.name,
        secrets: view.secrets.as_deref(),
        settings: &view.settings,
        updated_at: rfc3339_millis(view.updated_ms),
        usable: view.fault.is_none(),
    }
}

/// Writes a route.
pub(super) fn route(view: &RouteView) -> PaymentRoute<'_> {
    PaymentRoute { channel: &view.channel, gateway: view.gateway.as_deref() }
}

/// A gateway as it is sent.
pub(super) fn example_input() -> Value {
    json!({
        "driver": "stripe",
        "settings": {"account": "acct_1032D82eZvKYlo2C"},
        "secrets": {"secret_key": "sk_live_example", "webhook_secret": "whsec_example"},
    })
}

/// The example gateway.
pub(super) fn example_view() -> GatewayView {
    GatewayView {
        name: "stripe-eu".to_owned(),
        driver: "stripe".to_owned(),
        settings: BTreeMap::from([("account".to_owned(), "acct_1032D82eZvKYlo2C".to_owned())]),
        secrets: Some(vec!["secret_key".to_owned(), "webhook_secret".to_owned()]),
        fault: None,
        created_ms: super::examples::NOW_MS,
        updated_ms: super::examples::NOW_MS,
    }
}

/// A gateway, as it is answered.
pub(super) fn example() -> Value {
    json!(gateway(&example_view()))
}

/// A route, as it is answered.
pub(super) fn example_route() -> Value {
    json!(route(&RouteView { channel: "credit_card".to_owned(), gateway: Some("stripe-eu".to_owned()) }))
}
