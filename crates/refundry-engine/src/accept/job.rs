//! What the writer is asked to do: each job, the store whose rows it touches, and what it names.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use refundry_core::command::CreateRefund;
use refundry_core::decide::News;
use refundry_core::intake::Intake;
use refundry_core::money::Currency;
use refundry_core::order::{Id, Payment, Reference};
use refundry_core::payouts::Strategy;
use refundry_core::refund::MetaValue;
use refundry_core::told::Told;
use refundry_gateways::Notice;
use refundry_store::gateways::GatewayRecord;
use refundry_store::stores::StoreRecord;
use refundry_store::tokens::TokenRecord;

use super::{LegNews, Pass, RequestKey};
use crate::by_hand::RetryAsk;
use crate::cases::CaseAsk;
use crate::hear::Ruling;
use crate::hooks::HookAsk;
use crate::intake;
use crate::parcels::ParcelAsk;
use crate::returns::ReturnAsk;
use crate::settings::RouteAsk;
use crate::shop::ShopAsk;
use crate::slips::SlipAsk;
use crate::stock::StockAsk;

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum Job {
    /// Another job, on behalf of a token that worked a moment ago: checked again in the same transaction.
    On {
        /// What the caller was let in with.
        pass: Pass,
        /// What it asks for.
        job: Box<Job>,
    },
    /// Create a refund.
    Create {
        /// The store.
        store: i64,
        /// What for.
        command: Box<CreateRefund>,
        /// The caller's idempotency key, if one came.
        key: Option<RequestKey>,
    },
    /// Take legs of a store that are due.
    Lease {
        /// The store.
        store: i64,
        /// Most of them.
        limit: i64,
    },
    /// Take over what other processes leased in a store: only for one that knows it is alone.
    Reclaim {
        /// The store.
        store: i64,
    },
    /// Record what is known of a leg.
    Record(LegNews),
    /// Take an order in, or bring a known one up to date.
    PutOrder {
        /// The store.
        store: i64,
        /// The order.
        intake: Box<Intake>,
    },
    /// Units were shipped; an empty list ships everything that waits.
    Fulfil {
        /// The store.
        store: i64,
        /// Which order.
        order: Reference,
        /// Lines, and units shipped beyond those before.
        units: Vec<(Reference, u32)>,
    },
    /// Another payment was captured.
    AddPayment {
        /// The store.
        store: i64,
        /// Which order.
        order: Reference,
        /// What `captured` is in; it must be the order's currency.
        currency: Currency,
        /// The payment, without number.
        payment: Box<Payment>,
    },
    /// Set or remove metadata of a refund.
    Annotate {
        /// The store.
        store: i64,
        /// Which refund.
        refund: Reference,
        /// The pairs; `None` removes.
        metadata: BTreeMap<String, Option<MetaValue>>,
    },
    /// A person says what became of a leg that no gateway answers for.
    SettleByHand {
        /// The store.
        store: i64,
        /// Which refund.
        refund: Reference,
        /// The leg's number.
        leg: Id,
        /// What became of it.
        news: News,
    },
    /// Ask a gateway about a leg now.
    AskNow {
        /// The store.
        store: i64,
        /// Which refund.
        refund: Reference,
        /// Which leg of it.
        leg: Id,
    },
    /// Call a refund off while nothing of it was sent.
    Cancel {
        /// The store.
        store: i64,
        /// Which refund.
        refund: Reference,
        /// Why, may be empty.
        text: String,
    },
    /// Try again what failed of a refund.
    Retry {
        /// The store.
        store: i64,
        /// Of which, and to where.
        ask: RetryAsk,
        /// The caller's idempotency key, if one came.
        key: Option<RequestKey>,
    },
    /// Hear what a gateway says unasked.
    Hear {
        /// The store.
        store: i64,
        /// What the store calls the gateway.
        gateway: String,
        /// What it says.
        notices: Vec<Notice>,
    },
    /// Hear what a payment app tells of a leg.
    Told {
        /// The store.
        store: i64,
        /// What it tells.
        told: Box<Told>,
    },
    /// Try events again that wait: the orders that they are about may have come in.
    HearAgain {
        /// The store.
        store: i64,
        /// Those above this number.
        after: Id,
    },
    /// A person says what becomes of an event that waits.
    Rule {
        /// The store.
        store: i64,
        /// The event, by our number.
        event: Id,
        /// What becomes of it.
        ruling: Ruling,
    },
    /// About orders themselves.
    Shop {
        /// The store.
        store: i64,
        /// What.
        ask: Box<ShopAsk>,
    },
    /// About payments, transactions and parcels.
    Parcels {
        /// The store.
        store: i64,
        /// What.
        ask: Box<ParcelAsk>,
    },
    /// About goods that come back.
    Returns {
        /// The store.
        store: i64,
        /// What.
        ask: Box<ReturnAsk>,
    },
    /// About payment slips.
    Slips {
        /// The store.
        store: i64,
        /// What.
        ask: Box<SlipAsk>,
    },
    /// About after-sales cases.
    Cases {
        /// The store.
        store: i64,
        /// What.
        ask: Box<CaseAsk>,
    },
    /// About subscriptions and deliveries.
    Hooks {
        /// The store.
        store: i64,
        /// What.
        ask: Box<HookAsk>,
    },
    /// About goods in stock.
    Stock {
        /// The store.
        store: i64,
        /// What.
        ask: Box<StockAsk>,
    },
    /// Configure a gateway, or configure it anew.
    PutGateway(GatewayRecord),
    /// Lead a payment channel to a gateway.
    Route {
        /// The store.
        store: i64,
        /// Which, and to where.
        ask: RouteAsk,
    },
    /// Spread refunds of a store over payments in another way.
    Choose {
        /// The store.
        store: i64,
        /// How.
        strategy: Strategy,
    },
    /// Add a store; its number is given here.
    AddStore(StoreRecord),
    /// Add a token.
    AddToken(TokenRecord),
    /// Revoke the token of a store whose hash starts with this.
    RevokeToken {
        /// The store.
        store: i64,
        /// First digits of the hash.
        id: String,
    },
    /// Forget idempotency keys of a store that are too old to count.
    ForgetKeys {
        /// The store.
        store: i64,
    },
}

impl Job {
    /// Which of `count` lanes does this. Locks keep two lanes apart on one order; this only spares them the wait.
    pub(crate) fn lane(&self, distributed: bool, count: usize) -> usize {
        if count < 2 {
            return 0;
        }
        if distributed {
            return spread(&self.store(), count);
        }
        match self {
            Self::On { job, .. } => job.lane(distributed, count),
            Self::Create { command, .. } => by_name(&command.order, count),
            Self::Record(news) => news.lane % count,
            Self::PutOrder { intake, .. } => {
                intake::reference(&intake.order).map_or(0, |reference| by_name(&reference, count))
            }
            Self::Fulfil { order, .. } | Self::AddPayment { order, .. } => by_name(order, count),
            Self::Annotate { refund, .. }
            | Self::SettleByHand { refund, .. }
            | Self::AskNow { refund, .. }
            | Self::Cancel { refund, .. }
            | Self::Retry { ask: RetryAsk { refund, .. }, .. } => by_name(refund, count),
            Self::Shop { ask, .. } => ask.named().lane(count),
            Self::Parcels { ask, .. } => ask.named().lane(count),
            Self::Returns { ask, .. } => ask.named().lane(count),
            Self::Slips { ask, .. } => ask.orders().first().map_or(0, |order| by_name(order, count)),
            Self::Cases { ask, .. } => ask.named().lane(count),
            Self::Stock { ask, .. } => ask.named().lane(count),
            Self::Lease { store, .. } | Self::Hooks { store, .. } => spread(store, count),
            Self::Hear { gateway, .. } => spread(gateway, count),
            Self::Told { told, .. } => spread(&told.leg, count),
            Self::Reclaim { .. }
            | Self::AddStore(_)
            | Self::AddToken(_)
            | Self::RevokeToken { .. }
            | Self::ForgetKeys { .. }
            | Self::HearAgain { .. }
            | Self::PutGateway(_)
            | Self::Route { .. }
            | Self::Choose { .. }
            | Self::Rule { .. } => 0,
        }
    }

    /// The store whose rows it touches; 0 for those that belong to none.
    pub(crate) fn store(&self) -> i64 {
        match self {
            Self::On { job, .. } => job.store(),
            Self::Record(news) => news.store,
            Self::Create { store, .. }
            | Self::Lease { store, .. }
            | Self::Reclaim { store }
            | Self::PutOrder { store, .. }
            | Self::Fulfil { store, .. }
            | Self::AddPayment { store, .. }
            | Self::Annotate { store, .. }
            | Self::SettleByHand { store, .. }
            | Self::RevokeToken { store, .. }
            | Self::Route { store, .. }
            | Self::Choose { store, .. }
            | Self::AskNow { store, .. }
            | Self::Cancel { store, .. }
            | Self::Retry { store, .. }
            | Self::Hear { store, .. }
            | Self::HearAgain { store, .. }
            | Self::Told { store, .. }
            | Self::Rule { store, .. }
            | Self::Shop { store, .. }
            | Self::Parcels { store, .. }
            | Self::Returns { store, .. }
            | Self::Slips { store, .. }
            | Self::Cases { store, .. }
            | Self::Hooks { store, .. }
            | Self::Stock { store, .. }
            | Self::ForgetKeys { store } => *store,
            Self::AddToken(record) => record.store,
            Self::PutGateway(record) => record.store,
            Self::AddStore(_) => 0,
        }
    }
}

/// What a job names, so that its orders are held before anything is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    /// An order.
    Order(&'a Reference),
    /// A refund, and so its order.
    Refund(&'a Reference),
    /// A return, and so its order.
    Return(&'a Reference),
    /// Nothing that was there before.
    Nothing,
}

impl Named<'_> {
    fn lane(self, count: usize) -> usize {
        match self {
            Self::Order(reference) | Self::Refund(reference) | Self::Return(reference) => by_name(reference, count),
            Self::Nothing => 0,
        }
    }
}

fn by_name(reference: &Reference, count: usize) -> usize {
    if reference.text.is_empty() { spread(&reference.ours, count) } else { spread(&reference.text, count) }
}

fn spread(key: &impl Hash, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    // What is below the count fits where the count did.
    usize::try_from(hasher.finish() % count as u64).unwrap_or(0)
}
