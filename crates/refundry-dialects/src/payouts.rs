//! What is asked and answered about paying back: legs that are not over, events of providers that wait for a person,
//! gateways and routes. Only our own API speaks of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use refundry_core::order::{Id, Order, Reference};
use refundry_core::refund::{Leg, Refund, Stage};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutCall {
    /// A page of legs that are not over, oldest first.
    ListLegs {
        /// Where they stand.
        stages: Vec<Stage>,
        /// Those above this number.
        after: Id,
        /// Most of them.
        limit: u32,
    },
    /// One leg, with all that was heard of it.
    GetLeg {
        /// Of which refund.
        refund: Reference,
        /// The leg's number.
        leg: Id,
    },
    /// Have the gateway asked about a leg now, whatever its ladder says.
    AskLeg {
        /// Of which refund.
        refund: Reference,
        /// The leg's number.
        leg: Id,
    },
    /// A page of events that wait for a person, oldest first.
    ListEvents {
        /// Those above this number.
        after: Id,
        /// Most of them.
        limit: u32,
    },
    /// A person says what becomes of an event that waits.
    ResolveEvent {
        /// The event, by our number.
        event: Id,
        /// What becomes of it.
        word: EventWord,
    },
    /// The gateways that the store configured.
    ListGateways,
    /// Configure a gateway, or change settings of one.
    PutGateway(GatewayAsk),
    /// Which payment channels lead to which gateway.
    ListRoutes,
    /// Lead a channel to a gateway, or (`None`) to none of its own.
    PutRoute {
        /// The channel.
        channel: String,
        /// The gateway.
        gateway: Option<String>,
    },
}

/// What a person says of an event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventWord {
    /// It is nothing to the store: why.
    Dismiss(String),
    /// It is a refund of this payment.
    Of {
        /// The order.
        order: Reference,
        /// The payment; the order's only one where it is left out.
        payment: Option<Reference>,
    },
}

/// What a gateway is to be given: settings by name, added to those that it has; an empty value takes one away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAsk {
    /// What the store calls it.
    pub name: String,
    /// The driver's name; may be left out for a gateway that is there.
    pub driver: Option<String>,
    /// Settings that may be shown.
    pub settings: BTreeMap<String, String>,
    /// Settings that may not.
    pub secrets: Secrets,
}

/// Secret settings by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    /// Shows names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutReply {
    /// To `ListLegs`.
    Legs {
        /// The page.
        legs: Vec<LegView>,
        /// More follow.
        has_more: bool,
    },
    /// To `GetLeg` and `AskLeg`.
    Leg {
        /// The leg.
        leg: Box<LegView>,
        /// What was heard of it that was not plain, oldest first.
        evidence: Vec<Testimony>,
    },
    /// To `ListEvents`.
    Events {
        /// The page.
        events: Vec<EventView>,
        /// More follow.
        has_more: bool,
    },
    /// To `ResolveEvent`.
    Resolved {
        /// The event, by our number.
        event: Id,
        /// What it did in the end: stable code.
        outcome: String,
        /// The refund that it moved, or that was made of it.
        refund: Option<Id>,
    },
    /// To `ListGateways`.
    Gateways(Vec<GatewayView>),
    /// To `PutGateway`.
    Gateway {
        /// As it is now.
        gateway: GatewayView,
        /// It was not there before.
        created: bool,
    },
    /// To `ListRoutes`.
    Routes(Vec<RouteView>),
    /// To `PutRoute`.
    Route(RouteView),
}

/// A leg with the refund and the order that explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegView {
    /// Its refund.
    pub refund: Refund,
    /// The refund's order.
    pub order: Arc<Order>,
    /// Which leg of the refund.
    pub index: usize,
    /// Where it stands on its way out; `None` if it is over, or no worker has to do with it.
    pub standing: Option<Standing>,
}

impl LegView {
    /// The leg itself.
    pub fn leg(&self) -> Option<&Leg> {
        self.refund.legs.get(self.index)
    }
}

/// Where a leg stands on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its stage.
    pub stage: Stage,
    /// How often a worker took it.
    pub attempts: i64,
    /// When something happens next, epoch milliseconds; `None` where a person decides.
    pub next_ms: Option<i64>,
}

/// Something heard of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// When, epoch milliseconds.
    pub heard_ms: i64,
    /// From whom: stable code.
    pub source: String,
    /// What: stable code.
    pub heard: String,
    /// The words.
    pub detail: String,
}

/// An event that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventView {
    /// Our number.
    pub id: Id,
    /// The gateway that told of it.
    pub gateway: String,
    /// The provider's id of the event.
    pub event: String,
    /// The provider's word for what happened.
    pub kind: String,
    /// Why it waits.
    pub why: String,
    /// When it was heard, epoch milliseconds.
    pub heard_ms: i64,
    /// When it happened, as the provider says.
    pub happened_ms: Option<i64>,
    /// What it is about: `refund` or `dispute`.
    pub about: &'static str,
    /// The provider's id of the refund or dispute, may be empty.
    pub reference: String,
    /// The provider's id of the payment, may be empty.
    pub payment: String,
    /// How much, in minor units of `currency`.
    pub amount_minor: i64,
    /// ISO 4217 code, as the provider says.
    pub currency: String,
}

/// A gateway of a store. Values of secrets are nowhere in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayView {
    /// What the store calls it.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// Settings that may be shown.
    pub settings: BTreeMap<String, String>,
    /// Names of the secrets that are kept; `None` where this process cannot read them.
    pub secrets: Option<Vec<String>>,
    /// Why it cannot be used in this process; `None` if it can.
    pub fault: Option<String>,
    /// When it was configured first, epoch milliseconds.
    pub created_ms: i64,
    /// When it was configured last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Where payments of a channel lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteView {
    /// The channel; `*` for all others.
    pub channel: String,
    /// The gateway.
    pub gateway: Option<String>,
}

/// Every "no" about paying back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutFault {
    /// Money of the refund was sent or may have been, or nothing of it is open.
    NotCancellable(String),
    /// No leg of the refund failed, or all that did were tried again.
    NothingToRetry(String),
    /// No such leg, as it was named.
    LegUnknown(String),
    /// The leg is over, or no gateway answers for it.
    NothingToAsk(Id),
    /// No such event waits, as it was named.
    EventUnknown(String),
    /// The person's word cannot be followed.
    EventNotResolvable {
        /// The event, by our number.
        event: Id,
        /// Why.
        reason: String,
    },
    /// A gateway's driver stays what it is.
    DriverDiffers {
        /// The gateway.
        gateway: String,
        /// The driver that it has.
        driver: String,
    },
    /// A setting that chooses who is asked stays while legs may have been sent.
    GatewayInUse {
        /// The gateway.
        gateway: String,
        /// Where in the request.
        field: String,
        /// How many legs are open.
        legs: usize,
        /// What to do.
        reason: String,
    },
    /// A setting of a gateway or route cannot be taken.
    Setting {
        /// Where in the request.
        field: String,
        /// What to change; never quotes the value.
        reason: String,
    },
    /// Secrets can neither be encrypted nor read in this process: why.
    SecretsUnavailable(String),
}
