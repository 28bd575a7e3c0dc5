//! A whole server in memory: the dialects' own functions around the real rules, with fixed numbers and a fixed clock.
//!
//! It decides nothing itself: money comes from `core`, words from the dialects. What a real engine adds (transactions,
//! gateways, workers) is left out, so that a golden file shows the rules and the wire and nothing else.

mod cases;

use std::sync::Arc;

use std::collections::{BTreeMap, BTreeSet};

use refundry_core::balances::Facts;
use refundry_core::command::{CreateRefund, RefundRequest};
use refundry_core::decide::{News, accept, decide, decide_at, settle};
use refundry_core::event::EventKind;
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::limits::BODY_BYTES_MAX;
use refundry_core::money::Currency;
use refundry_core::order::{Dialect, Id, Order, Payment, Reference};
use refundry_core::payouts::{Payouts, Terms};
use refundry_core::quote::alternatives;
use refundry_core::refund::{Bucket, LegState, MetaValue, Refund};
use refundry_core::rejection::Rejection;
use refundry_core::returns::Return;
use refundry_core::terms::Term;
use refundry_dialects::hooks::HookView;
use refundry_dialects::{
    Call, Endpoint, OrderView, RefundAnswer, RefundView, Refusal, Reply, Request, Response, Routed, Scope, StoreView,
    TokenView, Wait, rate, read_order, refuse, route, token,
};

mod parcels;

use crate::payouts::Till;
use crate::{intake, lists};

mod hooks;
mod returns;
mod shop;
mod stock;
mod told;
mod trial;

/// 2026-03-01T10:00:00Z: the time of the first request. Each request or settlement takes one second.
const START_MS: i64 = 1_772_359_200_000;
/// The first number given to a refund, leg, order, …; each one after it is one higher.
const FIRST_ID: Id = 120_000_000_000_000_001;

/// Orders, refunds, and who is calling.
pub(crate) struct Engine {
    pub(crate) orders: Vec<OrderView>,
    pub(crate) refunds: Vec<Refund>,
    /// What the caller's token allows; `None` for a caller whose token does not work.
    pub(crate) scopes: Option<Vec<Scope>>,
    /// Milliseconds until the platform takes another call; `None` where it takes one now.
    pub(crate) full_ms: Option<u64>,
    pub(crate) now_ms: i64,
    /// What the store configured about paying back.
    pub(crate) payouts: Payouts,
    next_id: Id,
    /// Idempotency key → the request it came with, and the refund it made.
    keys: BTreeMap<String, (String, usize)>,
    stores: Vec<StoreView>,
    tokens: Vec<TokenView>,
    pub(crate) till: Till,
    yard: parcels::Yard,
    returns: Vec<Return>,
    pub(crate) shelves: stock::Shelves,
    hooks: Vec<HookView>,
    /// What each of them wants to hear, of all that there ever were.
    hooks_made: Vec<Option<EventKind>>,
    /// What documents say that orders are found by.
    pub(crate) told: BTreeMap<Id, Vec<Term>>,
    /// Legs that a payment app has called paid.
    paid_by_app: BTreeSet<Id>,
}

/// What became of a request.
pub(crate) struct Answer {
    /// `None` where the request was refused before it was one.
    pub(crate) call: Option<Call>,
    /// `None` where the dialect answered by itself.
    pub(crate) outcome: Option<Result<Reply, Refusal>>,
    pub(crate) response: Response,
}

impl Engine {
    pub(crate) fn new() -> Self {
        Self {
            orders: Vec::new(),
            refunds: Vec::new(),
            scopes: Some(vec![Scope::ReadOrders, Scope::WriteOrders]),
            full_ms: None,
            now_ms: START_MS,
            payouts: Payouts::default(),
            next_id: FIRST_ID,
            keys: BTreeMap::new(),
            stores: Vec::new(),
            tokens: Vec::new(),
            till: Till::default(),
            yard: parcels::Yard::default(),
            returns: Vec::new(),
            shelves: stock::Shelves::default(),
            hooks: Vec::new(),
            hooks_made: Vec::new(),
            told: BTreeMap::new(),
            paid_by_app: BTreeSet::new(),
        }
    }

    /// Adds an order that has its numbers already.
    pub(crate) fn hold(&mut self, order: Order) {
        self.shelves.learn(&order);
        self.orders.push(OrderView::bare(Facts::fresh(order)));
    }

    /// Takes in an example order of SHOPLINE, with the document that it is read from.
    pub(crate) fn import_example(&mut self, name: &str) -> Result<(), String> {
        let path = format!("{}/../../examples/orders/shopline/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let document = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        let taken = read_order(Dialect::Shopline, &document, self.now_ms);
        taken.and_then(|intake| intake::take_in(self, intake)).map(|_| ()).map_err(|fault| format!("{fault:?}"))
    }

    pub(crate) fn next_id(&mut self) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn tick(&mut self) {
        self.now_ms += 1_000;
    }

    /// Answers a request as the server does: route, token, scope, size, decode, run, encode.
    pub(crate) fn serve(&mut self, request: &Request<'_>) -> Answer {
        let answer = self.answer(request);
        self.tick();
        answer
    }

    fn answer(&mut self, request: &Request<'_>) -> Answer {
        let endpoint = match route(request.method, request.path) {
            Routed::To(endpoint) => endpoint,
            Routed::MethodNotAllowed(allow) => return refused(None, request, Refusal::MethodNotAllowed(allow)),
            Routed::NotFound => return refused(None, request, Refusal::NoSuchPath),
        };
        if let Err(refusal) = self.admit(&endpoint, request) {
            return refused(Some(&endpoint), request, refusal);
        }
        let call = match endpoint.decode(request) {
            Ok(Call::Ready(response)) => {
                return Answer { call: Some(Call::Ready(response.clone())), outcome: None, response };
            }
            Ok(call) => call,
            Err(response) => return Answer { call: None, outcome: None, response },
        };
        let outcome = self.run(call.clone(), request);
        let response = match &outcome {
            Ok(reply) => endpoint.encode(request, reply),
            Err(refusal) => refuse(Some(&endpoint), request, refusal),
        };
        Answer { call: Some(call), outcome: Some(outcome), response }
    }

    fn admit(&self, endpoint: &Endpoint, request: &Request<'_>) -> Result<(), Refusal> {
        if let Some(scope) = endpoint.scope() {
            let allowed = token(request).and(self.scopes.as_ref()).ok_or(Refusal::Unauthorized)?;
            if let (Some(retry_after_ms), Some(_)) = (self.full_ms, rate(endpoint.dialect(), false)) {
                return Err(Refusal::TooMany { retry_after_ms });
            }
            if !endpoint.takes_any_token() && !allowed.contains(&scope) {
                return Err(Refusal::Forbidden(scope));
            }
        }
        if request.body.len() > BODY_BYTES_MAX { Err(Refusal::BodyTooLarge) } else { Ok(()) }
    }

    fn run(&mut self, call: Call, request: &Request<'_>) -> Result<Reply, Refusal> {
        match call {
            Call::CreateRefund { command, wait } => self.create_once(&command, wait, request),
            Call::Quote { order, request } => self.quote(&order, &request),
            Call::Trial { order, ask } => self.trial(&order, &ask),
            Call::Told(told) => self.told_of(&told),
            Call::GetRefund { refund } => Ok(self.refund_reply(self.find_refund(&refund)?)),
            Call::ListRefunds(query) => lists::refunds(self, &query).map(Reply::Refunds),
            Call::CountRefunds(query) => Ok(Reply::Counted(lists::count(self, &query))),
            Call::ListRefundsOf { order, query } => {
                let index = self.find_order(&order);
                let is_there = |index: &usize| self.orders[*index].facts.order.life.deleted_ms.is_none();
                index.filter(is_there).ok_or(Refusal::OrderUnknown(order.text))?;
                lists::refunds(self, &query).map(Reply::Refunds)
            }
            Call::OrderWithRefunds { order } => {
                let index = self.find_order(&order).ok_or(Refusal::OrderUnknown(order.text))?;
                let order = self.orders[index].clone();
                let all = (0..self.refunds.len()).map(|index| self.view(index));
                let refunds = all.filter(|view| view.order.id == order.facts.order.id).collect();
                Ok(Reply::OrderWithRefunds { order: Box::new(order), refunds })
            }
            Call::AnnotateRefund { refund, metadata } => self.annotate(&refund, metadata),
            Call::SettleLeg { refund, leg, succeeded, text } => self.settle_by_hand(&refund, leg, succeeded, text),
            Call::GetOrder { order } => {
                let index = self.find_order(&order).ok_or(Refusal::OrderUnknown(order.text))?;
                Ok(self.order_reply(index, false))
            }
            Call::ListOrders(query) => lists::orders(self, &query),
            Call::PutOrder(put) => match intake::take_in(self, *put) {
                Ok((index, taken)) => Ok(self.order_reply(index, taken == intake::Taken::Created)),
                Err(fault) => Err(Refusal::Intake(Box::new(fault))),
            },
            Call::ImportOrders(lines) => Ok(self.import(lines)),
            Call::Fulfil { order, units } => self.fulfil(&order, &units),
            Call::AddPayment { order, currency, payment } => self.add_payment(&order, currency, *payment),
            Call::CreateStore { handle, name, currency } => self.create_store(handle, name, currency),
            Call::ListStores => Ok(Reply::Stores(self.stores.clone())),
            Call::CreateToken { label, scopes, .. } => Ok(self.create_token(label, scopes)),
            Call::ListTokens => {
                let without_secret = |token: &TokenView| TokenView { secret: None, ..token.clone() };
                Ok(Reply::Tokens(self.tokens.iter().map(without_secret).collect()))
            }
            Call::RevokeToken { token } => {
                let unknown = Refusal::Setting { field: "token", reason: "there is no such token".to_owned() };
                let index = self.tokens.iter().position(|t| t.id == token).ok_or(unknown)?;
                self.tokens.remove(index);
                Ok(Reply::Revoked)
            }
            Call::CancelRefund { refund, reason } => self.cancel(&refund, &reason),
            Call::RetryRefund { refund, to } => self.retry(&refund, &to, request),
            Call::Payouts(call) => self.payouts(*call).map(|reply| Reply::Payouts(Box::new(reply))),
            Call::Shop(call) => self.shop(*call).map(|reply| Reply::Shop(Box::new(reply))),
            Call::Parcels(call) => self.parcels(*call).map(|reply| Reply::Parcels(Box::new(reply))),
            Call::Returns(call) => self.returns(*call).map(|reply| Reply::Returns(Box::new(reply))),
            Call::Cases(call) => self.cases(*call).map(|reply| Reply::Cases(Box::new(reply))),
            Call::Stock(call) => self.shelves.run(*call, self.now_ms).map(|reply| Reply::Stock(Box::new(reply))),
            Call::Hooks(call) => self.hooks(*call),
            Call::Ready(_) => unreachable!("answered before it is run"),
        }
    }

    /// Creates a refund, unless the request's idempotency key created it before.
    fn create_once(&mut self, command: &CreateRefund, wait: Wait, request: &Request<'_>) -> Result<Reply, Refusal> {
        if let Some(answer) = self.replay(wait, request) {
            return answer;
        }
        let index = self.create(command)?;
        self.remember(request, index);
        Ok(self.created(index, wait, false))
    }

    /// What the request's idempotency key was answered before.
    pub(crate) fn replay(&mut self, wait: Wait, request: &Request<'_>) -> Option<Result<Reply, Refusal>> {
        let (print, index) = self.keys.get(request.header("idempotency-key")?)?.clone();
        let same = print == print_of(request);
        Some(if same { Ok(self.created(index, wait, true)) } else { Err(rejected(Rejection::KeyReused)) })
    }

    pub(crate) fn remember(&mut self, request: &Request<'_>, index: usize) {
        if let Some(key) = request.header("idempotency-key") {
            self.keys.insert(key.to_owned(), (print_of(request), index));
        }
    }

    pub(crate) fn create(&mut self, command: &CreateRefund) -> Result<usize, Refusal> {
        let order = self.known_order(&command.order)?;
        let facts = self.facts_now(order);
        let lost = self.shelves.lost(command);
        let quote = decide_at(&facts, &command.request, lost.as_deref()).map_err(rejected)?;
        let now_ms = self.now_ms;
        let decision = accept(&facts, command, quote, now_ms, &mut || self.next_id());
        self.orders[order].facts.balances = decision.balances;
        self.refunds.push(decision.refund);
        Ok(self.refunds.len() - 1)
    }

    /// The answer to a creating request; one that waits sees the gateways answer yes.
    pub(crate) fn created(&mut self, index: usize, wait: Wait, replayed: bool) -> Reply {
        let answer = match wait {
            Wait::No => {
                let view = self.view(index);
                let refund = view.refund.as_accepted();
                RefundAnswer { view: RefundView { refund, ..view }, order: None, replayed }
            }
            Wait::Configured => {
                self.let_gateways_answer(index);
                let view = self.view(index);
                let order = self.orders.iter().find(|o| o.facts.order.id == view.order.id).cloned();
                RefundAnswer { view, order, replayed }
            }
        };
        Reply::Created(Box::new(answer))
    }

    fn let_gateways_answer(&mut self, index: usize) {
        let view = self.view(index);
        for (leg, planned) in view.refund.legs.iter().enumerate() {
            let by_person = planned.gateway(&view.order) == "manual";
            if planned.state == LegState::Waiting && !by_person {
                let reference = format!("re_{}", planned.id);
                self.apply(index, leg, News::Succeeded { reference }).expect("a waiting leg may succeed");
            }
        }
    }

    /// Applies news of a leg as a gateway's worker would, and takes a second for it.
    pub(crate) fn settle(&mut self, refund: usize, leg: usize, news: News) -> Result<(), String> {
        let known = self.refunds.get(refund).is_some_and(|refund| refund.legs.get(leg).is_some());
        if !known {
            return Err(format!("there is no leg {} of a refund {}", leg + 1, refund + 1));
        }
        self.apply(refund, leg, news)?;
        self.tick();
        Ok(())
    }

    pub(crate) fn apply(&mut self, index: usize, leg: usize, news: News) -> Result<(), String> {
        let order = self.order_of(&self.refunds[index]);
        let decision = settle(&self.orders[order].facts, &self.refunds[index], leg, news, self.now_ms)
            .map_err(|_| format!("nothing changes: the leg is {}", self.refunds[index].legs[leg].state.code()))?;
        self.orders[order].facts.balances = decision.balances;
        self.refunds[index] = decision.refund;
        Ok(())
    }

    /// A person's word counts where no gateway gives one: manual payments, and legs nobody knows the end of.
    fn settle_by_hand(&mut self, refund: &Reference, leg: Id, succeeded: bool, text: String) -> Result<Reply, Refusal> {
        let index = self.find_refund(refund)?;
        let view = self.view(index);
        let found = view.refund.legs.iter().position(|l| l.id == leg).ok_or(Refusal::LegNotSettleable(leg))?;
        let by_person = view.order.payments[view.refund.legs[found].payment].gateway == "manual";
        let open = match view.refund.legs[found].state {
            LegState::Waiting | LegState::Sent => by_person,
            LegState::InDoubt { .. } | LegState::Parked { .. } => true,
            LegState::Succeeded { .. } | LegState::Failed { .. } => false,
        };
        let news = if succeeded {
            News::Succeeded { reference: text }
        } else {
            News::Failed { code: "settled_by_hand".to_owned(), message: text }
        };
        if !open || self.apply(index, found, news).is_err() {
            return Err(Refusal::LegNotSettleable(leg));
        }
        Ok(self.refund_reply(index))
    }

    fn annotate(
        &mut self,
        refund: &Reference,
        metadata: BTreeMap<String, Option<MetaValue>>,
    ) -> Result<Reply, Refusal> {
        let index = self.find_refund(refund)?;
        let refund = &mut self.refunds[index];
        if !metadata.is_empty() {
            refund.updated_ms = self.now_ms;
        }
        for (key, value) in metadata {
            match value {
                Some(value) => refund.metadata.insert(key, value),
                None => refund.metadata.remove(&key),
            };
        }
        Ok(self.refund_reply(index))
    }

    fn quote(&self, order: &Reference, request: &RefundRequest) -> Result<Reply, Refusal> {
        let facts = self.facts_now(self.known_order(order)?);
        let quote = decide(&facts, request).map_err(rejected)?;
        let plans = alternatives(&facts, request, &quote);
        Ok(Reply::Quoted { facts: Box::new(facts), quote: Box::new(quote), plans })
    }

    /// An order with what the store configured, and when it is asked.
    fn facts_now(&self, order: usize) -> Facts {
        let terms = Terms { asked_ms: self.now_ms, payouts: Arc::new(self.payouts.clone()) };
        Facts { terms, ..self.orders[order].facts.clone() }
    }

    fn import(&mut self, lines: Vec<(usize, Result<Intake, IntakeFault>)>) -> Reply {
        let (mut created, mut changed, mut unchanged, mut faults) = (0, 0, 0, Vec::new());
        for (line, read) in lines {
            match read.and_then(|intake| intake::take_in(self, intake)) {
                Ok((_, intake::Taken::Created)) => created += 1,
                Ok((_, intake::Taken::Changed)) => changed += 1,
                Ok((_, intake::Taken::Unchanged)) => unchanged += 1,
                Err(fault) => faults.push((line, fault)),
            }
        }
        Reply::Imported { created, changed, unchanged, faults }
    }

    fn fulfil(&mut self, order: &Reference, units: &[(Reference, u32)]) -> Result<Reply, Refusal> {
        let index = self.find_order(order).ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))?;
        let mut facts = self.orders[index].facts.clone();
        if units.is_empty() {
            for line in 0..facts.order.lines.len() {
                Arc::make_mut(&mut facts.order).lines[line].shipped += facts.units_left(line, Bucket::Waiting);
            }
        }
        for (entry, (reference, shipped)) in units.iter().enumerate() {
            let text = reference.text.clone();
            let unknown = || rejected(Rejection::LineUnknown { entry, line: text.clone() });
            let line = facts.order.find_line(reference).ok_or_else(unknown)?;
            let available = facts.units_left(line, Bucket::Waiting);
            if *shipped > available {
                let asked = i64::from(*shipped);
                return Err(rejected(Rejection::QuantityExceeded { entry, line: text, asked, available }));
            }
            Arc::make_mut(&mut facts.order).lines[line].shipped += shipped;
        }
        Arc::make_mut(&mut facts.order).updated_ms = self.now_ms;
        self.orders[index].facts = facts;
        Ok(self.order_reply(index, false))
    }

    fn add_payment(&mut self, order: &Reference, currency: Currency, payment: Payment) -> Result<Reply, Refusal> {
        let index = self.find_order(order).ok_or_else(|| Refusal::OrderUnknown(order.text.clone()))?;
        let mut facts = self.orders[index].facts.clone();
        if currency != facts.order.currency {
            let reason = format!("{currency} is not {}, the order's currency", facts.order.currency);
            let field = "currency".to_owned();
            return Err(Refusal::Intake(Box::new(IntakeFault::Contradictory { field, reason })));
        }
        Arc::make_mut(&mut facts.order).payments.push(Payment { id: self.next_id(), ..payment });
        facts.order.validate().map_err(|fault| Refusal::Intake(Box::new(IntakeFault::Fault(fault))))?;
        facts.balances.fit(&facts.order);
        Arc::make_mut(&mut facts.order).updated_ms = self.now_ms;
        self.orders[index].facts = facts;
        Ok(self.order_reply(index, false))
    }

    fn create_store(&mut self, handle: String, name: String, currency: String) -> Result<Reply, Refusal> {
        if self.stores.iter().any(|store| store.handle == handle) {
            return Err(Refusal::Setting { field: "handle", reason: "another store has this handle".to_owned() });
        }
        let store = StoreView { id: self.next_id(), handle, name, currency, created_ms: self.now_ms };
        self.stores.push(store.clone());
        Ok(Reply::Stores(vec![store]))
    }

    fn create_token(&mut self, label: String, scopes: Vec<Scope>) -> Reply {
        let number = self.tokens.len() + 1;
        let secret = Some(format!("sk_test_{number:032x}"));
        let token = TokenView { id: format!("{number:016x}"), label, scopes, created_ms: self.now_ms, secret };
        self.tokens.push(token.clone());
        Reply::Tokens(vec![token])
    }

    /// Index of the order a caller names: the platform's id wins over our number.
    pub(crate) fn find_order(&self, reference: &Reference) -> Option<usize> {
        let orders = || self.orders.iter().map(|view| &*view.facts.order);
        let external = |order: &Order| order.external_id.as_deref() == Some(reference.text.as_str());
        orders().position(external).or_else(|| orders().position(|order| reference.ours == Some(order.id)))
    }

    fn known_order(&self, reference: &Reference) -> Result<usize, Refusal> {
        let unknown = || rejected(Rejection::OrderUnknown { order: reference.text.clone() });
        self.find_order(reference).ok_or_else(unknown)
    }

    pub(crate) fn find_refund(&self, reference: &Reference) -> Result<usize, Refusal> {
        let named = |refund: &Refund| reference.names(refund.id, refund.external_id.as_deref());
        self.refunds.iter().position(named).ok_or_else(|| Refusal::RefundUnknown(reference.text.clone()))
    }

    pub(crate) fn order_of(&self, refund: &Refund) -> usize {
        let found = self.orders.iter().position(|view| view.facts.order.id == refund.order);
        found.expect("a refund belongs to an order")
    }

    /// A refund with its order. No caller here has a live token.
    pub(crate) fn view(&self, index: usize) -> RefundView {
        let refund = self.refunds[index].clone();
        let beside = Arc::new(self.orders[self.order_of(&refund)].clone());
        RefundView { refund, order: Arc::clone(&beside.facts.order), beside: Some(beside), live: false }
    }

    pub(crate) fn refund_reply(&self, index: usize) -> Reply {
        Reply::Refund(Box::new(self.view(index)))
    }

    fn order_reply(&self, index: usize, created: bool) -> Reply {
        Reply::Order { order: Box::new(self.orders[index].clone()), created }
    }
}

fn refused(endpoint: Option<&Endpoint>, request: &Request<'_>, refusal: Refusal) -> Answer {
    let response = refuse(endpoint, request, &refusal);
    Answer { call: None, outcome: Some(Err(refusal)), response }
}

/// What a request asks for, so that the same key for something else is seen.
fn print_of(request: &Request<'_>) -> String {
    format!("{} {}\n{}", request.method, request.path, String::from_utf8_lossy(request.body))
}

fn rejected(rejection: Rejection) -> Refusal {
    Refusal::Rejected(Box::new(rejection))
}

/// The engine without a wire: calls go in as a dialect would make them.
#[expect(clippy::needless_raw_string_hashes, reason = "expect-test writes its texts this way")]
mod tests {
    use expect_test::{Expect, expect};
    use refundry_core::command::{Ask, PartAsk, PartMoney, Parts, Plan, Target, UnitAsk, UnitMode};
    use refundry_core::order::Dialect;
    use refundry_core::query::RefundQuery;
    use refundry_core::refund::Restock;
    use refundry_dialects::Header;

    use super::*;
    use crate::{fixtures, words};

    fn run(engine: &mut Engine, call: Call, headers: &[Header<'_>], expected: &Expect) {
        let request = Request { method: "POST", path: "/", query: "", headers, body: b"", now_ms: engine.now_ms };
        let outcome = engine.run(call, &request);
        engine.tick();
        let response = Response::json(200, &serde_json::Value::Null);
        let text = words::record(&Answer { call: None, outcome: Some(outcome), response });
        let outcome = text.split_once("=== outcome\n").expect("an outcome").1;
        expected.assert_eq(outcome.split_once("\n=== response").expect("a response").0);
    }

    fn create(order: Id, ask: Ask, wait: Wait) -> Call {
        let command = CreateRefund::new(
            Reference { text: order.to_string(), ours: Some(order) },
            Dialect::Native,
            RefundRequest { plan: Plan::default(), ..RefundRequest::of(ask) },
        );
        Call::CreateRefund { command: Box::new(command), wait }
    }

    fn shirt_and_shipping(order: &Order) -> Ask {
        let line = Reference { text: String::new(), ours: Some(order.lines[0].id) };
        let unit = UnitAsk {
            line,
            quantity: Some(1),
            mode: UnitMode::Automatic,
            restock: Restock::Cancel,
            location: String::new(),
        };
        let shipping = PartAsk { target: Target::Shipping, money: PartMoney::Remaining };
        Ask::Parts(Parts { units: vec![unit], parts: vec![shipping], ..Parts::default() })
    }

    #[test]
    fn a_key_creates_once_and_a_failure_is_final() {
        let mut engine = Engine::new();
        let order = fixtures::by_name("two_lines").expect("a fixture");
        let (id, ask) = (order.id, shirt_and_shipping(&order));
        engine.hold(order);
        let key = [("idempotency-key", "k1".into())];
        run(
            &mut engine,
            create(id, ask.clone(), Wait::No),
            &key,
            &expect![[r#"
            accepted: refund 120000000000000001, number 1 of order 1001, pending
            amount 30.00 USD
            allocation goods of shirt: 20.00 + 0.00 tax, unit_shares
            allocation shipping: 10.00 + 0.00 tax, remaining
            units 1 shirt: waiting, cancel, 20.00 + 0.00 tax
            leg 120000000000000002 card-1: 30.00, original, waiting
            nearest cap shipping: 0.00 left
        "#]],
        );
        run(
            &mut engine,
            create(id, ask, Wait::No),
            &key,
            &expect![[r#"
            accepted before: refund 120000000000000001, number 1 of order 1001, pending
            amount 30.00 USD
            allocation goods of shirt: 20.00 + 0.00 tax, unit_shares
            allocation shipping: 10.00 + 0.00 tax, remaining
            units 1 shirt: waiting, cancel, 20.00 + 0.00 tax
            leg 120000000000000002 card-1: 30.00, original, waiting
            nearest cap shipping: 0.00 left
        "#]],
        );
        let news = News::Failed { code: "closed".to_owned(), message: String::new() };
        engine.settle(0, 0, news.clone()).unwrap();
        assert_eq!(engine.settle(0, 0, news).unwrap_err(), "nothing changes: the leg is failed");
    }

    #[test]
    fn refunds_wait_for_gateways_and_are_listed() {
        let mut engine = Engine::new();
        let order = fixtures::by_name("two_lines").expect("a fixture");
        let (id, ask) = (order.id, shirt_and_shipping(&order));
        engine.hold(order);
        let command = create(id, ask, Wait::No);
        run(
            &mut engine,
            command,
            &[],
            &expect![[r#"
            accepted: refund 120000000000000001, number 1 of order 1001, pending
            amount 30.00 USD
            allocation goods of shirt: 20.00 + 0.00 tax, unit_shares
            allocation shipping: 10.00 + 0.00 tax, remaining
            units 1 shirt: waiting, cancel, 20.00 + 0.00 tax
            leg 120000000000000002 card-1: 30.00, original, waiting
            nearest cap shipping: 0.00 left
        "#]],
        );
        engine.settle(0, 0, News::InDoubt { reason: "no answer".to_owned() }).unwrap();
        run(
            &mut engine,
            create(id, Ask::Everything, Wait::Configured),
            &[],
            &expect![[r#"
                accepted: refund 120000000000000003, number 2 of order 1001, succeeded
                amount 60.00 USD
                allocation goods of shirt: 20.00 + 0.00 tax, remaining
                allocation goods of mug: 30.00 + 0.00 tax, remaining
                allocation tip: 5.00 + 0.00 tax, remaining
                allocation additional "Gift Wrapping": 5.00 + 0.00 tax, remaining
                units 1 shirt: shipped, no_restock, 20.00 + 0.00 tax
                units 1 mug: waiting, no_restock, 30.00 + 0.00 tax
                leg 120000000000000004 card-1: 60.00, original, succeeded as re_120000000000000004
                nearest cap card-1: 0.00 left
                order 1001, 2 refunds, 0.00 USD left
                left goods of shirt: 0.00 + 0.00 tax
                left goods of mug: 0.00 + 0.00 tax
                left shipping: 0.00 + 0.00 tax
                left tip: 0.00 + 0.00 tax
                left additional "Gift Wrapping": 0.00 + 0.00 tax
                left card-1: 0.00, 30.00 pending, 60.00 refunded
            "#]],
        );
        run(
            &mut engine,
            create(id, Ask::Everything, Wait::No),
            &[],
            &expect![[r#"
            rejected nothing_left: NothingLeft
        "#]],
        );
        run(
            &mut engine,
            create(7, Ask::Everything, Wait::No),
            &[],
            &expect![[r#"
            rejected order_unknown: OrderUnknown { order: "7" }
        "#]],
        );
        let query = RefundQuery { limit: 1, ..RefundQuery::default() };
        run(
            &mut engine,
            Call::ListRefunds(Box::new(query)),
            &[],
            &expect![[r#"
                reply refunds: 1, more follow
                refund 120000000000000003 of order 1001: 60.00 USD, succeeded
            "#]],
        );
    }

    #[test]
    fn an_order_comes_in_once() {
        let mut engine = Engine::new();
        let order = fixtures::by_name("worked_shopline").expect("a fixture");
        let intake = Intake { order, refunds: Vec::new(), document: String::new(), terms: Vec::new() };
        run(
            &mut engine,
            Call::PutOrder(Box::new(intake.clone())),
            &[],
            &expect![[r#"
            reply order, new: order 1014, 0 refunds, 26.60 USD left
            left goods of tee: 20.00 + 1.60 tax
            left shipping: 5.00 + 0.00 tax
            left 23057520029306658561302511: 26.60, 0.00 pending, 0.00 refunded
        "#]],
        );
        let fault = IntakeFault::Unreadable { field: "price".to_owned(), reason: "x".to_owned() };
        let lines = vec![(1, Ok(intake)), (2, Err(fault))];
        run(
            &mut engine,
            Call::ImportOrders(lines),
            &[],
            &expect![[r#"
            reply Imported { created: 0, changed: 0, unchanged: 1, faults: [(2, Unreadable { field: "price", reason: "x" })] }
        "#]],
        );
    }
}
