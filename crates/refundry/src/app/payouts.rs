//! Calls about paying back: what a person does about a refund, a leg or an event, and the gateways of a store.

use std::sync::Arc;

use refundry_core::order::{Id, Reference};
use refundry_core::refund::Stage;
use refundry_dialects::payouts::{
    EventView, EventWord, GatewayAsk, GatewayView, LegView, PayoutCall, PayoutFault, PayoutReply, RouteView, Standing,
    Testimony,
};
use refundry_dialects::{Refusal, Reply, Wait};
use refundry_engine::accept::{Job, Outcome, RequestKey};
use refundry_engine::by_hand::{AskFault, CancelFault, RetryAsk, RetryFault};
use refundry_engine::hear::{Ruling, RulingFault};
use refundry_engine::read::{self, OpenLeg};
use refundry_engine::settings::{RouteAsk, StoreSettings};
use refundry_engine::store::evidence::Evidence;
use refundry_engine::store::gateways::{self, GatewayRecord};
use refundry_engine::store::inbox::InboxRow;
use refundry_engine::store::stores;
use refundry_engine::tenants::Caller;
use refundry_gateways::{About, Notice};

use super::{App, failed, mismatch, shared_view, written};
use crate::gateways::{Book, Change, ChangeFault, LAST_ROUTE, in_use, secrets_lost, secrets_stay};

impl App {
    /// Calls a refund off.
    pub(super) async fn cancel(&self, caller: &Caller, refund: Reference, text: String) -> Result<Reply, Refusal> {
        let named = refund.text.clone();
        match self.write(caller, Job::Cancel { store: caller.store.id, refund, text }).await? {
            Outcome::Cancelled(Ok(found)) => Ok(Reply::Refund(Box::new(shared_view(caller, &found)))),
            Outcome::Cancelled(Err(CancelFault::RefundUnknown)) => Err(Refusal::RefundUnknown(named)),
            Outcome::Cancelled(Err(CancelFault::MayBeSent)) => Err(refused(PayoutFault::NotCancellable(named))),
            _ => Err(mismatch()),
        }
    }

    /// Tries again what failed of a refund.
    pub(super) async fn retry(
        &self,
        caller: &Caller,
        ask: RetryAsk,
        key: Option<RequestKey>,
    ) -> Result<Reply, Refusal> {
        let named = ask.refund.text.clone();
        match self.write(caller, Job::Retry { store: caller.store.id, ask, key }).await? {
            Outcome::NotRetried(RetryFault::RefundUnknown) => Err(Refusal::RefundUnknown(named)),
            Outcome::NotRetried(RetryFault::NothingFailed) => Err(refused(PayoutFault::NothingToRetry(named))),
            outcome => self.created(caller, outcome, Wait::No).await,
        }
    }

    pub(super) async fn run_on_payouts(&self, caller: &Arc<Caller>, call: PayoutCall) -> Result<PayoutReply, Refusal> {
        match call {
            PayoutCall::ListLegs { stages, after, limit } => self.legs(caller, stages, after, limit).await,
            PayoutCall::GetLeg { refund, leg } => self.leg(caller, refund, leg).await,
            PayoutCall::AskLeg { refund, leg } => self.ask_leg(caller, refund, leg).await,
            PayoutCall::ListEvents { after, limit } => self.events(caller, after, limit).await,
            PayoutCall::ResolveEvent { event, word } => self.resolve(caller, event, word).await,
            PayoutCall::ListGateways => {
                let (store, book) = (caller.store.id, Arc::clone(&self.book));
                let list = move |e: &refundry_engine::Engine| {
                    let all = e.store().read(|tx| gateways::list(tx, store))?;
                    Ok(all.into_iter().map(|record| gateway_view(&book, record)).collect())
                };
                Ok(PayoutReply::Gateways(self.read(caller, list).await?))
            }
            PayoutCall::PutGateway(ask) => self.put_gateway(caller, ask).await,
            PayoutCall::ListRoutes => self.routes(caller).await,
            PayoutCall::PutRoute { channel, gateway } => self.put_route(caller, channel, gateway).await,
        }
    }

    async fn legs(
        &self,
        caller: &Arc<Caller>,
        stages: Vec<Stage>,
        after: Id,
        limit: u32,
    ) -> Result<PayoutReply, Refusal> {
        let store = caller.store.id;
        let most = i64::from(limit) + 1;
        let open = self.read(caller, move |e| read::open_legs(e.store(), store, &stages, after, most)).await?;
        let (legs, has_more) = page(open.into_iter().map(leg_view).collect(), limit);
        Ok(PayoutReply::Legs { legs, has_more })
    }

    async fn leg(&self, caller: &Arc<Caller>, refund: Reference, leg: Id) -> Result<PayoutReply, Refusal> {
        let store = caller.store.id;
        let found = self.read(caller, move |e| read::leg(e.store(), store, &refund, leg)).await?;
        let unknown = || refused(PayoutFault::LegUnknown(format!("{leg:018}")));
        let file = found.ok_or_else(unknown)?;
        let index = file.refund.legs.iter().position(|known| known.id == leg).ok_or_else(unknown)?;
        let standing = file.open.map(|open| standing(&open));
        let leg = Box::new(LegView { refund: file.refund, order: file.order, index, standing });
        Ok(PayoutReply::Leg { leg, evidence: file.evidence.into_iter().map(testimony).collect() })
    }

    async fn ask_leg(&self, caller: &Arc<Caller>, refund: Reference, leg: Id) -> Result<PayoutReply, Refusal> {
        let job = Job::AskNow { store: caller.store.id, refund: refund.clone(), leg };
        match self.write(caller, job).await? {
            Outcome::Asked(Ok(_)) => self.leg(caller, refund, leg).await.map_err(written),
            Outcome::Asked(Err(AskFault::NothingToAsk)) => Err(refused(PayoutFault::NothingToAsk(leg))),
            Outcome::Asked(Err(AskFault::RefundUnknown | AskFault::LegUnknown)) => {
                Err(refused(PayoutFault::LegUnknown(format!("{leg:018}"))))
            }
            _ => Err(mismatch()),
        }
    }

    async fn events(&self, caller: &Arc<Caller>, after: Id, limit: u32) -> Result<PayoutReply, Refusal> {
        let store = caller.store.id;
        let most = i64::from(limit) + 1;
        let waiting = self.read(caller, move |e| read::events(e.store(), store, after, most)).await?;
        let (events, has_more) = page(waiting.into_iter().map(event_view).collect(), limit);
        Ok(PayoutReply::Events { events, has_more })
    }

    async fn resolve(&self, caller: &Caller, event: Id, word: EventWord) -> Result<PayoutReply, Refusal> {
        let dismissed = matches!(word, EventWord::Dismiss(_));
        let (order_named, ruling) = match word {
            EventWord::Dismiss(text) => (String::new(), Ruling::Dismissed { text }),
            EventWord::Of { order, payment } => (order.text.clone(), Ruling::Of { order, payment }),
        };
        let no = |reason: String| refused(PayoutFault::EventNotResolvable { event, reason });
        match self.write(caller, Job::Rule { store: caller.store.id, event, ruling }).await? {
            Outcome::Ruled(Ok(heard)) => {
                let outcome = if dismissed { "dismissed" } else { heard.effect.code() };
                let refund = heard.refund.map(|refund| refund.id);
                Ok(PayoutReply::Resolved { event, outcome: outcome.to_owned(), refund })
            }
            Outcome::Ruled(Err(fault)) => Err(match fault {
                RulingFault::EventUnknown => refused(PayoutFault::EventUnknown(format!("{event:018}"))),
                RulingFault::OrderUnknown => no(format!("no order has the id \"{order_named}\"")),
                RulingFault::PaymentUnknown => {
                    no("the order has no such payment, or it has several and none was named".to_owned())
                }
                RulingFault::Impossible(reason) => no(reason),
            }),
            _ => Err(mismatch()),
        }
    }

    /// Configures a gateway, and makes it ready in this process at once.
    async fn put_gateway(&self, caller: &Arc<Caller>, ask: GatewayAsk) -> Result<PayoutReply, Refusal> {
        let (store, name) = (caller.store.id, ask.name.clone());
        let book = Arc::clone(&self.book);
        let prepare = move |e: &refundry_engine::Engine| {
            let known = e.store().read(|tx| gateways::list(tx, store))?;
            let known = known.into_iter().find(|known| known.name == ask.name);
            let change = Change {
                store,
                name: &ask.name,
                driver: ask.driver.as_deref(),
                plain: ask.settings,
                secret: ask.secrets.0,
            };
            let changed = book.changed(e, known.as_ref(), change);
            Ok(changed.map(|record| (record, known.is_none())).map_err(|fault| change_refused(&ask.name, fault)))
        };
        let (record, created) = self.read(caller, prepare).await??;
        match self.write(caller, Job::PutGateway(record.clone())).await? {
            Outcome::Configured(true) => {}
            // Somebody else gave the name to another driver since it was looked at.
            Outcome::Configured(false) => {
                return Err(refused(PayoutFault::DriverDiffers { gateway: name, driver: "another one".to_owned() }));
            }
            _ => return Err(mismatch()),
        }
        let book = Arc::clone(&self.book);
        let ready = self.blocking(move |e| {
            book.refresh(e)?;
            Ok(gateway_view(&book, record))
        });
        Ok(PayoutReply::Gateway { gateway: ready.await.map_err(written)?, created })
    }

    async fn routes(&self, caller: &Arc<Caller>) -> Result<PayoutReply, Refusal> {
        let store = caller.store.id;
        let settings = move |e: &refundry_engine::Engine| {
            let record = e.store().read(|tx| stores::by_id(tx, store))?;
            record.map_or_else(|| Ok(StoreSettings::default()), |record| StoreSettings::read(&record.settings))
        };
        let routes = self.read(caller, settings).await?.routes.into_iter();
        let view = |(channel, gateway)| RouteView { channel, gateway: Some(gateway) };
        Ok(PayoutReply::Routes(routes.map(view).collect()))
    }

    async fn put_route(
        &self,
        caller: &Caller,
        channel: String,
        gateway: Option<String>,
    ) -> Result<PayoutReply, Refusal> {
        let ask = RouteAsk { channel: channel.clone(), gateway: gateway.clone() };
        match (self.write(caller, Job::Route { store: caller.store.id, ask }).await?, gateway) {
            (Outcome::Routed(Some(settings)), _) => {
                let channel = channel.to_lowercase();
                let gateway = settings.routes.get(&channel).cloned();
                Ok(PayoutReply::Route(RouteView { channel, gateway }))
            }
            (Outcome::Routed(None), Some(name)) => {
                let reason = format!("the store has no gateway \"{name}\"");
                Err(refused(PayoutFault::Setting { field: "gateway".to_owned(), reason }))
            }
            (Outcome::Routed(None), None) => {
                Err(refused(PayoutFault::Setting { field: "gateway".to_owned(), reason: LAST_ROUTE.to_owned() }))
            }
            _ => Err(mismatch()),
        }
    }
}

fn refused(fault: PayoutFault) -> Refusal {
    Refusal::Payouts(Box::new(fault))
}

/// Cuts a list, read with one entry more than asked for, to a page; whether more follow.
fn page<T>(mut list: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = list.len() > limit;
    list.truncate(limit);
    (list, has_more)
}

fn standing(open: &OpenLeg) -> Standing {
    Standing { stage: open.stage, attempts: open.attempts, next_ms: open.next_ms }
}

fn leg_view(open: OpenLeg) -> LegView {
    let standing = Some(standing(&open));
    LegView { refund: open.refund, order: open.order, index: open.index, standing }
}

fn testimony(evidence: Evidence) -> Testimony {
    let Evidence { heard_ms, source, heard, detail, .. } = evidence;
    Testimony { heard_ms, source, heard, detail }
}

fn event_view((row, notice): (InboxRow, Notice)) -> EventView {
    let (about, reference, payment, alias, amount_minor, currency) = match notice.about {
        About::Refund { refund_reference, payment_reference, payment_alias, amount_minor, currency, .. } => {
            ("refund", refund_reference, payment_reference, payment_alias, amount_minor, currency)
        }
        About::Dispute { dispute_reference, payment_reference, payment_alias, amount_minor, currency, .. } => {
            ("dispute", dispute_reference, payment_reference, payment_alias, amount_minor, currency)
        }
    };
    EventView {
        id: row.id,
        gateway: row.gateway,
        event: row.event,
        kind: row.kind,
        why: row.detail,
        heard_ms: row.heard_ms,
        happened_ms: row.happened_ms,
        about,
        reference,
        payment: if payment.is_empty() { alias } else { payment },
        amount_minor,
        currency,
    }
}

fn gateway_view(book: &Book, record: GatewayRecord) -> GatewayView {
    let fault = book.fault(&record);
    let (settings, secrets) = book.shown(&record);
    let GatewayRecord { name, driver, created_ms, updated_ms, .. } = record;
    GatewayView { name, driver, settings, secrets, fault, created_ms, updated_ms }
}

/// Words why a gateway cannot be configured.
fn change_refused(gateway: &str, fault: ChangeFault) -> Refusal {
    let setting = |field: String, reason: String| PayoutFault::Setting { field, reason };
    refused(match fault {
        ChangeFault::Name(reason) => setting("name".to_owned(), reason),
        ChangeFault::Driver(reason) => setting("driver".to_owned(), reason),
        ChangeFault::DriverDiffers(driver) => PayoutFault::DriverDiffers { gateway: gateway.to_owned(), driver },
        ChangeFault::InSight(name) => {
            setting(format!("settings.{name}"), "it is a secret: send it among secrets".to_owned())
        }
        ChangeFault::Setting { fault, secret } => {
            let part = if secret { "secrets" } else { "settings" };
            setting(format!("{part}.{}", fault.name), fault.reason)
        }
        ChangeFault::InUse { setting, legs } => {
            let reason = in_use(setting, legs);
            PayoutFault::GatewayInUse {
                gateway: gateway.to_owned(),
                field: format!("settings.{setting}"),
                legs,
                reason,
            }
        }
        ChangeFault::SecretsStay { setting: chosen, missing } => {
            setting("secrets".to_owned(), secrets_stay(chosen, &missing))
        }
        ChangeFault::SecretsLost { missing } => setting("secrets".to_owned(), secrets_lost(&missing)),
        ChangeFault::Store(error) => return failed(&error),
        ChangeFault::Vault(error) => PayoutFault::SecretsUnavailable(format!("{error:#}")),
    })
}
