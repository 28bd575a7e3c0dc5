//! Calls of a dialect → the engine → replies. The one place that knows both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use refundry_core::command::CreateRefund;
use refundry_core::decide::News;
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::limits::METADATA_PAIRS_MAX;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::query::{Beside, Page, RefundQuery};
use refundry_core::refund::{Refund, RefundState};
use refundry_core::rejection::Rejection;
use refundry_dialects::{
    Call, OrderView, RefundAnswer, RefundPage, RefundView, Refusal, Reply, Scope, StoreView, TokenView, Wait,
};
use refundry_engine::accept::{Accepted, AnnotateFault, Job, Outcome, Pass, RequestKey};
use refundry_engine::by_hand::{HandFault, RetryAsk};
use refundry_engine::intake::{ChangeFault, How, Taken};
use refundry_engine::read::{Quoted, Refunded, Shown};
use refundry_engine::store::stores::StoreRecord;
use refundry_engine::store::tokens::TokenRecord;
use refundry_engine::store::{LaneError, StoreError, refunds, stores, tokens};
use refundry_engine::tenants::{self, Caller};
use refundry_engine::{Engine, read};
use refundry_gateways::Transport;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::gateways::Book;
use crate::http::limits::Limits;
use crate::http::metrics::Metrics;
use crate::mailbox::{Answer, Mailbox};
use crate::postman::Posted;

mod cases;
mod hooks;
mod parcels;
mod payouts;
mod returns;
mod shop;
mod stock;
mod told;
mod trial;

/// Orders of one import that wait for the writer together.
const IMPORT_WINDOW: usize = 512;

/// Tokens remembered as hints; more than any installation has.
const HINTS_MAX: usize = 10_000;

/// The engine behind the HTTP server.
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) metrics: Metrics,
    /// The gateways that stores configured.
    pub(crate) book: Arc<Book>,
    /// Calls providers that confirm their own deliveries.
    pub(crate) transport: Transport,
    /// The platforms' rate limits, where they are emulated.
    pub(crate) limits: Option<Limits>,
    /// What this process posted to subscribers.
    pub(crate) posted: Arc<Posted>,
    /// Subscribers may be inside a private network.
    to_private: bool,
    mailbox: Mailbox,
    /// Callers whose token worked before, by its hash. A hint only: see [`App::guess`].
    hints: Mutex<BTreeMap<String, Arc<Caller>>>,
    wait: Duration,
}

impl App {
    /// `wait` bounds how long a request may wait for its legs.
    pub(crate) fn new(engine: Arc<Engine>, book: Arc<Book>, transport: Transport, wait: Duration) -> Self {
        let (metrics, mailbox) = (Metrics::new(), Mailbox::start());
        let (posted, hints) = (Arc::default(), Mutex::default());
        Self { engine, metrics, book, transport, limits: None, posted, to_private: false, mailbox, hints, wait }
    }

    /// The same beside a postman; `to_private` takes subscribers inside a private network.
    pub(crate) fn with_postman(self, posted: Arc<Posted>, to_private: bool) -> Self {
        Self { posted, to_private, ..self }
    }

    /// The same with the platforms' rate limits.
    pub(crate) fn with_limits(self) -> Self {
        let limits = Some(Limits::new(self.engine.clock().clone()));
        Self { limits, ..self }
    }

    /// The caller that a token let in before, without asking the database.
    ///
    /// Whoever acts on it must have it checked: by the writer, in the job's own transaction ([`Job::On`]); by
    /// [`App::read`], before it reads; or by [`App::authenticate`], before anything is answered. So a revoked token
    /// never works, in whichever process it was revoked, and most requests save a hop to another thread.
    pub(crate) fn guess(&self, token: &str) -> Option<Arc<Caller>> {
        let hash = tenants::hash(token.as_bytes());
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()
    }

    /// The caller behind a token, from the database.
    pub(crate) async fn authenticate(&self, token: String) -> Result<Arc<Caller>, Refusal> {
        let found = self.blocking(move |e| tenants::authenticate(e.store(), &token)).await.map_err(only_read)?;
        let caller = Arc::new(found.ok_or(Refusal::Unauthorized)?);
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        if hints.len() >= HINTS_MAX {
            hints.clear();
        }
        hints.insert(caller.hash.clone(), Arc::clone(&caller));
        Ok(caller)
    }

    /// Forgets a caller whose token does not work any more.
    fn turned_away(&self, caller: &Caller) -> Refusal {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner).remove(&caller.hash);
        Refusal::Unauthorized
    }

    /// Does what is asked.
    ///
    /// The caller may be a guess for every call that [`checks_token`] names: it is checked before anything is done.
    pub(crate) async fn run(
        &self,
        caller: &Arc<Caller>,
        call: Call,
        key: Option<RequestKey>,
    ) -> Result<Reply, Refusal> {
        let store = caller.store.id;
        match call {
            Call::CreateRefund { command, wait } => self.create(caller, command, wait, key).await,
            Call::Quote { order, request } => {
                let quoted = self.read(caller, move |e| read::quote(e, store, &order, &request)).await?;
                match quoted {
                    Ok(Quoted { facts, quote, plans }) => {
                        Ok(Reply::Quoted { facts: Box::new(facts), quote: Box::new(quote), plans })
                    }
                    Err(rejection) => Err(Refusal::Rejected(Box::new(rejection))),
                }
            }
            Call::Trial { order, ask } => self.trial(caller, order, ask).await,
            Call::Told(told) => self.told(caller, told).await,
            Call::GetRefund { refund } => {
                let text = refund.text.clone();
                let found = self.read(caller, move |e| read::refund(e.store(), store, &refund)).await?;
                let (refund, order) = found.ok_or(Refusal::RefundUnknown(text))?;
                let beside = Arc::new(order_view(order));
                Ok(Reply::Refund(Box::new(view_beside(caller, refund, &beside))))
            }
            Call::ListRefunds(query) => Ok(Reply::Refunds(self.refunds(caller, *query).await?)),
            Call::CountRefunds(query) => {
                let count = self.read(caller, move |e| read::count_refunds(e.store(), store, &query)).await?;
                Ok(Reply::Counted(count))
            }
            Call::ListRefundsOf { order, query } => Ok(Reply::Refunds(self.refunds_of(caller, order, *query).await?)),
            Call::OrderWithRefunds { order } => {
                let text = order.text.clone();
                let found = self.read(caller, move |e| read::order_with_refunds(e.store(), store, &order)).await?;
                let Refunded { order, refunds } = found.ok_or(Refusal::OrderUnknown(text))?;
                let seen = |refund| view(caller, refund, Arc::clone(&order.facts.order));
                let refunds = refunds.into_iter().map(seen).collect();
                Ok(Reply::OrderWithRefunds { order: Box::new(order_view(order)), refunds })
            }
            Call::AnnotateRefund { refund, metadata } => {
                let text = refund.text.clone();
                match self.write(caller, Job::Annotate { store, refund, metadata }).await? {
                    Outcome::Annotated(Ok(found)) => Ok(Reply::Refund(Box::new(shared_view(caller, &found)))),
                    Outcome::Annotated(Err(AnnotateFault::RefundUnknown)) => Err(Refusal::RefundUnknown(text)),
                    Outcome::Annotated(Err(AnnotateFault::TooManyPairs)) => {
                        let reason = format!("at most {METADATA_PAIRS_MAX} pairs, with those that the refund has");
                        Err(Refusal::Setting { field: "metadata", reason })
                    }
                    _ => Err(mismatch()),
                }
            }
            Call::CancelRefund { refund, reason } => self.cancel(caller, refund, reason).await,
            Call::RetryRefund { refund, to } => self.retry(caller, RetryAsk { refund, to }, key).await,
            Call::SettleLeg { refund, leg, succeeded, text } => self.settle(caller, refund, leg, succeeded, text).await,
            Call::Payouts(call) => Ok(Reply::Payouts(Box::new(self.run_on_payouts(caller, *call).await?))),
            Call::Shop(call) => Ok(Reply::Shop(Box::new(self.run_on_shop(caller, *call).await?))),
            Call::Parcels(call) => Ok(Reply::Parcels(Box::new(self.run_on_parcels(caller, *call).await?))),
            Call::Returns(call) => Ok(Reply::Returns(Box::new(self.run_on_returns(caller, *call).await?))),
            Call::Cases(call) => Ok(Reply::Cases(Box::new(self.run_on_cases(caller, *call).await?))),
            Call::Hooks(call) => Ok(Reply::Hooks(Box::new(self.run_on_hooks(caller, *call).await?))),
            Call::Stock(call) => Ok(Reply::Stock(Box::new(self.run_on_stock(caller, *call).await?))),
            call => self.run_on_orders(caller, call).await,
        }
    }

    async fn run_on_orders(&self, caller: &Arc<Caller>, call: Call) -> Result<Reply, Refusal> {
        let store = caller.store.id;
        match call {
            Call::GetOrder { order } => {
                let text = order.text.clone();
                let found = self.read(caller, move |e| read::order(e.store(), store, &order, Beside::PARCELS)).await?;
                Ok(Reply::Order { order: known_order(found, text)?, created: false })
            }
            Call::ListOrders(query) => {
                let page = query.page.clone();
                let found = self.read(caller, move |e| read::list_orders(e.store(), store, &query)).await?;
                let Ok((found, has_more)) = found else { return Err(cursor_of(&page)) };
                let orders = found.into_iter().map(order_view).collect();
                Ok(Reply::Orders { orders, has_more })
            }
            Call::PutOrder(intake) => {
                let taken = self.put(caller, intake).await?.map_err(|fault| Refusal::Intake(Box::new(fault)))?;
                let order = self.order(store, by_number(taken.order), Beside::PARCELS).await.map_err(written)?;
                Ok(Reply::Order { order, created: taken.how == How::Created })
            }
            Call::ImportOrders(lines) => self.import(caller, lines).await,
            Call::Fulfil { order, units } => {
                let outcome = self.write(caller, Job::Fulfil { store, order, units }).await?;
                self.changed(store, outcome).await
            }
            Call::AddPayment { order, currency, payment } => {
                let outcome = self.write(caller, Job::AddPayment { store, order, currency, payment }).await?;
                self.changed(store, outcome).await
            }
            call => self.run_on_tenants(caller, call).await,
        }
    }

    async fn run_on_tenants(&self, caller: &Arc<Caller>, call: Call) -> Result<Reply, Refusal> {
        match call {
            Call::CreateStore { handle, name, currency } => {
                let created_ms = self.engine.clock().now_ms();
                let settings = "{}".to_owned();
                let record = StoreRecord { id: 0, handle: handle.clone(), name, currency, settings, created_ms };
                match self.write(caller, Job::AddStore(record)).await? {
                    Outcome::Added(true) => {}
                    _ => return Err(taken("handle", "another one: this handle is in use")),
                }
                let made = self.blocking(move |e| e.store().read(|tx| stores::by_handle(tx, &handle))).await?;
                Ok(Reply::Stores(made.into_iter().map(store_view).collect()))
            }
            Call::ListStores => {
                let all = self.read(caller, |e| e.store().read(stores::list)).await?;
                Ok(Reply::Stores(all.into_iter().map(store_view).collect()))
            }
            Call::CreateToken { store, label, scopes } => self.create_token(caller, store, label, scopes).await,
            Call::ListTokens => {
                let store = caller.store.id;
                let all = self.read(caller, move |e| e.store().read(|tx| tokens::list(tx, store))).await?;
                let good = all.into_iter().filter(|token| token.revoked_ms.is_none());
                Ok(Reply::Tokens(good.map(|token| token_view(token, None)).collect()))
            }
            Call::RevokeToken { token } => {
                match self.write(caller, Job::RevokeToken { store: caller.store.id, id: token }).await? {
                    Outcome::Revoked(true) => Ok(Reply::Revoked),
                    _ => Err(taken("token", "the id of a token that works")),
                }
            }
            // Answered before it came here.
            _ => Err(mismatch()),
        }
    }

    async fn create(
        &self,
        caller: &Caller,
        command: Box<CreateRefund>,
        wait: Wait,
        key: Option<RequestKey>,
    ) -> Result<Reply, Refusal> {
        let outcome = self.write(caller, Job::Create { store: caller.store.id, command, key }).await?;
        self.created(caller, outcome, wait).await
    }

    /// What is answered to a refund that was accepted, or refused by the rules.
    async fn created(&self, caller: &Caller, outcome: Outcome, wait: Wait) -> Result<Reply, Refusal> {
        let store = caller.store.id;
        let accepted = match outcome {
            Outcome::Created(Ok(accepted)) => accepted,
            Outcome::Created(Err(rejection)) => {
                self.metrics.refused(rejection.code());
                return Err(Refusal::Rejected(Box::new(rejection)));
            }
            _ => return Err(mismatch()),
        };
        let Accepted { refund, order, replayed, .. } = accepted;
        if !replayed {
            self.metrics.accepted(refund.via.code());
        }
        // The refund is stored. If it cannot be read again now, it is shown as it was accepted: an error would have the
        // caller ask for the same money once more.
        let settled = if wait == Wait::No { None } else { self.settled(store, &refund).await.ok() };
        let (refund, after) = match settled {
            Some((refund, after)) => (refund, Some(*after)),
            None => (refund.as_accepted(), None),
        };
        let order = after.as_ref().map_or(order, |after| Arc::clone(&after.facts.order));
        let view = view(caller, refund, order);
        Ok(Reply::Created(Box::new(RefundAnswer { view, order: after, replayed })))
    }

    /// A refund once its legs are settled or time is up, and its order after it.
    async fn settled(&self, store: i64, refund: &Refund) -> Result<(Refund, Box<OrderView>), Refusal> {
        self.wait_for(store, refund).await?;
        let (id, order) = (refund.id, by_number(refund.order));
        let (order, settled) = self
            .blocking(move |e| {
                let order = read::order(e.store(), store, &order, Beside::PARCELS)?;
                Ok((order, e.store().read(|tx| refunds::get(tx, store, id))?))
            })
            .await?;
        Ok((settled.unwrap_or_else(|| refund.clone()), known_order(order, String::new())?))
    }

    /// Waits until a refund is settled, or time is up.
    async fn wait_for(&self, store: i64, refund: &Refund) -> Result<(), Refusal> {
        if refund.state() != RefundState::Pending || self.wait.is_zero() {
            return Ok(());
        }
        let (told, settled) = oneshot::channel();
        let ticket = self.engine.waiters().wait(
            store,
            refund.id,
            Box::new(move || {
                // Whoever waited may have given up.
                let _ = told.send(());
            }),
        );
        // It may have settled before anybody waited.
        let id = refund.id;
        let now = self.blocking(move |e| e.store().read(|tx| refunds::get(tx, store, id))).await;
        if matches!(&now, Ok(Some(refund)) if refund.state() == RefundState::Pending) {
            let _ = timeout(self.wait, settled).await;
        }
        self.engine.waiters().give_up(ticket);
        now.map(|_| ())
    }

    async fn settle(
        &self,
        caller: &Caller,
        refund: Reference,
        leg: Id,
        succeeded: bool,
        text: String,
    ) -> Result<Reply, Refusal> {
        let news = if succeeded {
            News::Succeeded { reference: text }
        } else {
            News::Failed { code: "settled_by_hand".to_owned(), message: text }
        };
        let named = refund.text.clone();
        match self.write(caller, Job::SettleByHand { store: caller.store.id, refund, leg, news }).await? {
            Outcome::Settled(Ok(found)) => Ok(Reply::Refund(Box::new(shared_view(caller, &found)))),
            Outcome::Settled(Err(HandFault::RefundUnknown)) => Err(Refusal::RefundUnknown(named)),
            Outcome::Settled(Err(HandFault::LegUnknown | HandFault::NotByHand | HandFault::MayStillArrive)) => {
                Err(Refusal::LegNotSettleable(leg))
            }
            _ => Err(mismatch()),
        }
    }

    async fn refunds(&self, caller: &Arc<Caller>, query: RefundQuery) -> Result<RefundPage, Refusal> {
        let (store, cursor) = (caller.store.id, cursor_of(&query.page));
        let page = self.read(caller, move |e| read::list_refunds(e.store(), store, &query)).await?;
        let (found, has_more) = page.map_err(|_| cursor)?;
        let refunds = found.into_iter().map(|(refund, order)| view(caller, refund, order)).collect();
        Ok(RefundPage { refunds, has_more })
    }

    /// Refunds of one order; an order that was deleted is shown to nobody.
    async fn refunds_of(
        &self,
        caller: &Arc<Caller>,
        order: Reference,
        query: RefundQuery,
    ) -> Result<RefundPage, Refusal> {
        let (store, cursor, text) = (caller.store.id, cursor_of(&query.page), order.text.clone());
        let found = self.read(caller, move |e| read::refunds_of(e.store(), store, &order, &query)).await?;
        let found = found.filter(|(order, _)| order.facts.order.life.deleted_ms.is_none());
        let (order, page) = found.ok_or(Refusal::OrderUnknown(text))?;
        let (refunds, has_more) = page.map_err(|_| cursor)?;
        let beside = Arc::new(order_view(order));
        let refunds = refunds.into_iter().map(|refund| view_beside(caller, refund, &beside)).collect();
        Ok(RefundPage { refunds, has_more })
    }

    async fn order(&self, store: i64, reference: Reference, beside: Beside) -> Result<Box<OrderView>, Refusal> {
        let text = reference.text.clone();
        let found = self.blocking(move |e| read::order(e.store(), store, &reference, beside)).await?;
        known_order(found, text)
    }

    async fn changed(&self, store: i64, outcome: Outcome) -> Result<Reply, Refusal> {
        match outcome {
            Outcome::Changed(Ok(order)) => {
                let order = self.order(store, by_number(order.id), Beside::PARCELS).await.map_err(written)?;
                Ok(Reply::Order { order, created: false })
            }
            Outcome::Changed(Err(fault)) => Err(change_refused(fault)),
            _ => Err(mismatch()),
        }
    }

    async fn put(&self, caller: &Caller, intake: Box<Intake>) -> Result<Result<Taken, IntakeFault>, Refusal> {
        match self.write(caller, Job::PutOrder { store: caller.store.id, intake }).await? {
            Outcome::Put(taken) => Ok(taken),
            _ => Err(mismatch()),
        }
    }

    /// Takes orders in window by window: those of one window are committed together.
    async fn import(
        &self,
        caller: &Caller,
        lines: Vec<(usize, Result<Intake, IntakeFault>)>,
    ) -> Result<Reply, Refusal> {
        let store = caller.store.id;
        let (mut created, mut changed, mut unchanged, mut faults) = (0, 0, 0, Vec::new());
        let mut lines = lines.into_iter().peekable();
        while lines.peek().is_some() {
            let mut waiting = Vec::new();
            for (number, line) in lines.by_ref().take(IMPORT_WINDOW) {
                match line {
                    Ok(intake) => {
                        let job = Job::PutOrder { store, intake: Box::new(intake) };
                        waiting.push((number, self.submit(on(caller, job))?));
                    }
                    Err(fault) => faults.push((number, fault)),
                }
            }
            for (number, outcome) in waiting {
                match answer(outcome.await)? {
                    Outcome::Put(Ok(Taken { how: How::Created, .. })) => created += 1,
                    Outcome::Put(Ok(Taken { how: How::Changed, .. })) => changed += 1,
                    Outcome::Put(Ok(Taken { how: How::Unchanged, .. })) => unchanged += 1,
                    Outcome::Put(Err(fault)) => faults.push((number, fault)),
                    Outcome::TurnedAway => return Err(Refusal::Unauthorized),
                    _ => return Err(mismatch()),
                }
            }
        }
        faults.sort_by_key(|(number, _)| *number);
        Ok(Reply::Imported { created, changed, unchanged, faults })
    }

    async fn create_token(
        &self,
        caller: &Arc<Caller>,
        store: Option<String>,
        label: String,
        scopes: Vec<Scope>,
    ) -> Result<Reply, Refusal> {
        let store = match store {
            None => caller.store.clone(),
            Some(handle) => {
                let found = self.read(caller, move |e| e.store().read(|tx| stores::by_handle(tx, &handle))).await?;
                found.ok_or_else(|| taken("store", "the handle of a store"))?
            }
        };
        let secret = tenants::new_secret(caller.live).map_err(|error| failed(&error))?;
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.code()).collect();
        let record = TokenRecord {
            store: store.id,
            hash: tenants::hash(secret.as_bytes()),
            label,
            scopes: scopes.join(" "),
            created_ms: self.engine.clock().now_ms(),
            revoked_ms: None,
        };
        match self.write(caller, Job::AddToken(record.clone())).await? {
            Outcome::Added(true) => Ok(Reply::Tokens(vec![token_view(record, Some(secret))])),
            _ => Err(mismatch()),
        }
    }

    /// Queues a job for the writer.
    fn submit(&self, job: Job) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let (reply, receiver) = self.mailbox.reply();
        self.engine.submit(job, reply).map_err(|_| Refusal::Busy)?;
        Ok(receiver)
    }

    /// Has a job done that nobody's token is needed for.
    pub(crate) async fn done(&self, job: Job) -> Result<Outcome, Refusal> {
        answer(self.submit(job)?.await)
    }

    /// Has a job done for a caller whose token is checked once more with it.
    async fn write(&self, caller: &Caller, job: Job) -> Result<Outcome, Refusal> {
        match answer(self.submit(on(caller, job))?.await)? {
            Outcome::TurnedAway => Err(self.turned_away(caller)),
            outcome => Ok(outcome),
        }
    }

    /// Reads for a caller whose token is checked first, on the same thread.
    async fn read<T: Send + 'static>(
        &self,
        caller: &Arc<Caller>,
        work: impl FnOnce(&Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let known = Arc::clone(caller);
        let checked = move |engine: &Engine| if works(engine, &known)? { work(engine).map(Some) } else { Ok(None) };
        self.blocking(checked).await.map_err(only_read)?.ok_or_else(|| self.turned_away(caller))
    }

    /// Reads on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        match self.off_runtime(work).await {
            Some(found) => found.map_err(|error| failed(&error)),
            None => Err(Refusal::Internal),
        }
    }

    /// Does what may block on a thread of its own kind; `None` if it panicked, which is logged.
    ///
    /// Every read of the database goes through here: one across the network waits for longer than the runtime's few
    /// threads may, and its driver cannot wait on them at all.
    pub(crate) async fn off_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Option<T> {
        let engine = Arc::clone(&self.engine);
        let done = tokio::task::spawn_blocking(move || work(&engine)).await;
        done.inspect_err(|panic| tracing::error!(%panic, "a read failed")).ok()
    }
}

/// Calls whose caller may be a guess: their first step is a job of the writer or [`App::read`], which check the token.
/// An import may end without either, and what a dialect answers by itself never gets there.
pub(crate) fn checks_token(call: &Call) -> bool {
    !matches!(call, Call::ImportOrders(_) | Call::Ready(_))
}

/// Whether a token that worked before still does, and allows the same.
fn works(engine: &Engine, caller: &Caller) -> Result<bool, StoreError> {
    let found = engine.store().read(|tx| tokens::find(tx, &caller.hash))?;
    Ok(found.is_some_and(|(token, store)| store.id == caller.store.id && token.scopes == caller.scopes.join(" ")))
}

/// A job for a caller whose token is checked once more with it.
fn on(caller: &Caller, job: Job) -> Job {
    let pass = Pass { store: caller.store.id, hash: caller.hash.clone(), scopes: caller.scopes.clone() };
    Job::On { pass, job: Box::new(job) }
}

fn answer(outcome: Result<Answer, oneshot::error::RecvError>) -> Result<Outcome, Refusal> {
    match outcome {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(LaneError::Store(error))) => Err(failed(&error)),
        Ok(Err(LaneError::Poisoned { detail })) => {
            tracing::error!(detail, "a command failed; nothing of it was stored");
            Err(Refusal::Internal)
        }
        Ok(Err(LaneError::QueueFull)) => Err(Refusal::Busy),
        // The writer ended before it could say.
        Err(_) => Err(Refusal::Unsure),
    }
}

/// What a caller is told when the database cannot do it.
pub(crate) fn failed(error: &StoreError) -> Refusal {
    tracing::error!(%error, "the database refused");
    match error {
        StoreError::Busy | StoreError::ReadOnly { .. } | StoreError::Unavailable { .. } => Refusal::Busy,
        StoreError::Unsure { .. } => Refusal::Unsure,
        StoreError::Conflict { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Schema(_)
        | StoreError::Defect { .. } => Refusal::Internal,
    }
}

/// The same where nothing was written: so nothing can have been stored.
fn only_read(refusal: Refusal) -> Refusal {
    if matches!(refusal, Refusal::Unsure) { Refusal::Busy } else { refusal }
}

/// The same where something was written before: nobody may be told that nothing was stored.
fn written(refusal: Refusal) -> Refusal {
    if matches!(refusal, Refusal::Busy) { Refusal::Unsure } else { refusal }
}

/// An outcome that does not belong to its job: a defect here.
fn mismatch() -> Refusal {
    tracing::error!("the writer answered something else than was asked");
    Refusal::Internal
}

fn taken(field: &'static str, reason: &str) -> Refusal {
    Refusal::Setting { field, reason: reason.to_owned() }
}

fn change_refused(fault: ChangeFault) -> Refusal {
    match fault {
        ChangeFault::OrderUnknown(order) => Refusal::OrderUnknown(order),
        ChangeFault::LineUnknown(line) => Refusal::Rejected(Box::new(Rejection::LineUnknown { entry: 0, line })),
        ChangeFault::TooManyUnits { line, waiting } => {
            let asked = i64::from(waiting).saturating_add(1);
            Refusal::Rejected(Box::new(Rejection::QuantityExceeded { entry: 0, line, asked, available: waiting }))
        }
        ChangeFault::Intake(fault) => Refusal::Intake(Box::new(fault)),
        // Only what is refused for a reason of its own says so, and that was told before.
        ChangeFault::Refused => mismatch(),
    }
}

fn known_order(found: Option<Shown>, named: String) -> Result<Box<OrderView>, Refusal> {
    found.map(|order| Box::new(order_view(order))).ok_or(Refusal::OrderUnknown(named))
}

fn order_view(order: Shown) -> OrderView {
    let Shown { store, facts, document, parcels, refunds, transactions } = order;
    OrderView { facts, document, parcels, refunds, transactions, store: Id::try_from(store).unwrap_or_default() }
}

fn by_number(id: Id) -> Reference {
    // The text names nothing of a platform, so only our number counts.
    Reference { text: String::new(), ours: Some(id) }
}

fn cursor_of(page: &Page) -> Refusal {
    match page {
        Page::Before(reference) => Refusal::CursorUnknown { before: true, cursor: reference.text.clone() },
        Page::After(reference) => Refusal::CursorUnknown { before: false, cursor: reference.text.clone() },
        Page::Start | Page::Skip(_) | Page::Key { .. } => {
            Refusal::CursorUnknown { before: false, cursor: String::new() }
        }
    }
}

fn view(caller: &Caller, refund: Refund, order: Arc<Order>) -> RefundView {
    RefundView { refund, order, beside: None, live: caller.live }
}

/// A refund with its order as it is now.
fn view_beside(caller: &Caller, refund: Refund, beside: &Arc<OrderView>) -> RefundView {
    RefundView { beside: Some(Arc::clone(beside)), ..view(caller, refund, Arc::clone(&beside.facts.order)) }
}

fn shared_view(caller: &Caller, (refund, order): &(Arc<Refund>, Arc<Order>)) -> RefundView {
    view(caller, (**refund).clone(), Arc::clone(order))
}

fn store_view(record: StoreRecord) -> StoreView {
    let StoreRecord { id, handle, name, currency, created_ms, .. } = record;
    StoreView { id: Id::try_from(id).unwrap_or_default(), handle, name, currency, created_ms }
}

fn token_view(record: TokenRecord, secret: Option<String>) -> TokenView {
    let scopes = record.scopes.split(' ').filter_map(Scope::parse).collect();
    let id = record.hash.chars().take(16).collect();
    TokenView { id, label: record.label, scopes, created_ms: record.created_ms, secret }
}
