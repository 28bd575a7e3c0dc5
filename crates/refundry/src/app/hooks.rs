//! Calls about subscriptions to what happens, and deliveries of it.

use std::sync::Arc;

use refundry_core::limits::SUBSCRIPTIONS_MAX;
use refundry_core::order::{Dialect, Id};
use refundry_dialects::Refusal;
use refundry_dialects::hooks::{HookCall, HookDraft, HookFault, HookQuery, HookReply, HookView, host_of};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{
    self, HookAsk, HookDone, HookName, NewSubscription, SubscriptionFault, SubscriptionQuery,
};
use refundry_engine::store::subscriptions::Subscription;
use refundry_engine::tenants::Caller;

use super::{App, mismatch};
use crate::postman::is_private_host;

impl App {
    pub(super) async fn run_on_hooks(&self, caller: &Arc<Caller>, call: HookCall) -> Result<HookReply, Refusal> {
        let store = caller.store.id;
        match call {
            HookCall::List(query) => {
                let (dialect, query) = asked(query);
                let read = move |e: &refundry_engine::Engine| {
                    hooks::list_subscriptions(e.store(), store, dialect.code(), &query)
                };
                let (found, has_more) = self.read(caller, read).await?;
                Ok(HookReply::Hooks { hooks: found.into_iter().map(hook_view).collect(), has_more })
            }
            HookCall::Count(query) => {
                let (dialect, query) = asked(query);
                let read = move |e: &refundry_engine::Engine| {
                    hooks::subscriptions_of(e.store(), store, dialect.code(), &query)
                };
                Ok(HookReply::Counted(self.read(caller, read).await?.len()))
            }
            HookCall::Get { dialect, hook } => {
                let read = move |e: &refundry_engine::Engine| {
                    hooks::subscription(e.store(), store, dialect.code(), named(dialect, hook))
                };
                let found = self.read(caller, read).await?;
                found.map(|found| HookReply::Hook(hook_view(found))).ok_or_else(|| refused(HookFault::Unknown(hook)))
            }
            HookCall::Create(draft) => {
                self.check_address(&draft.address)?;
                let HookDraft { dialect, version, topic, address } = draft;
                let ask = HookAsk::Subscribe(NewSubscription {
                    dialect: dialect.code(),
                    version,
                    topic: topic.name,
                    kind: topic.kind,
                    address,
                    format: "json",
                });
                self.subscribed(caller, 0, ask).await
            }
            HookCall::Change { dialect, hook, topic, address } => {
                if let Some(address) = &address {
                    self.check_address(address)?;
                }
                let topic = topic.map(|topic| (topic.name, topic.kind));
                let ask = HookAsk::Change { dialect: dialect.code(), hook: named(dialect, hook), topic, address };
                self.subscribed(caller, hook, ask).await
            }
            HookCall::Remove { dialect, hook } => {
                let ask = HookAsk::Unsubscribe { dialect: dialect.code(), hook: named(dialect, hook) };
                match self.write(caller, Job::Hooks { store, ask: Box::new(ask) }).await? {
                    Outcome::Hooks(HookDone::Unsubscribed(true)) => Ok(HookReply::Removed),
                    Outcome::Hooks(HookDone::Unsubscribed(false)) => Err(refused(HookFault::Unknown(hook))),
                    _ => Err(mismatch()),
                }
            }
        }
    }

    async fn subscribed(&self, caller: &Caller, hook: Id, ask: HookAsk) -> Result<HookReply, Refusal> {
        match self.write(caller, Job::Hooks { store: caller.store.id, ask: Box::new(ask) }).await? {
            Outcome::Hooks(HookDone::Subscribed(Ok(after))) => Ok(HookReply::Hook(hook_view(after))),
            Outcome::Hooks(HookDone::Subscribed(Err(fault))) => Err(refused(match fault {
                SubscriptionFault::Unknown => HookFault::Unknown(hook),
                SubscriptionFault::Taken => HookFault::Taken,
                SubscriptionFault::TooMany => HookFault::TooMany(SUBSCRIPTIONS_MAX),
            })),
            _ => Err(mismatch()),
        }
    }

    fn check_address(&self, address: &str) -> Result<(), Refusal> {
        let private = host_of(address).is_none_or(is_private_host);
        if private && !self.to_private { Err(refused(HookFault::AddressPrivate)) } else { Ok(()) }
    }
}

fn refused(fault: HookFault) -> Refusal {
    Refusal::Hooks(Box::new(fault))
}

fn asked(query: HookQuery) -> (Dialect, SubscriptionQuery) {
    let HookQuery { dialect, address, topics, created, updated, page, limit } = query;
    let by_place = is_counted(dialect);
    (dialect, SubscriptionQuery { address, topics, created, updated, page, limit, by_place })
}

/// Whether an API calls subscriptions by their places among all that the store ever had, and not by our numbers.
fn is_counted(dialect: Dialect) -> bool {
    dialect == Dialect::Shopline
}

fn named(dialect: Dialect, hook: Id) -> HookName {
    // A number that is too large is of none.
    if is_counted(dialect) { HookName::Place(i64::try_from(hook).unwrap_or(-1)) } else { HookName::Ours(hook) }
}

fn hook_view(subscription: Subscription) -> HookView {
    let Subscription { id, number, dialect, version, topic, address, format, created_ms, updated_ms, .. } =
        subscription;
    let counted = Dialect::parse(&dialect).is_some_and(is_counted);
    let id = if counted { Id::try_from(number).unwrap_or(0) } else { id };
    HookView { id, version, topic, address, format, created_ms, updated_ms }
}
