//! Subscriptions in the engine behind the golden files: a list in memory. Nothing is posted here.

use refundry_core::event::EventKind;
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id};
use refundry_core::query::{Beside, Page, TimeRange};
use refundry_dialects::hooks::{
    About, Envelope, HookCall, HookDraft, HookEvent, HookFault, HookQuery, HookReply, HookView, OrderTold, Sender,
    Subject, body, headers, host_of,
};
use refundry_dialects::{Refusal, Reply, Request};
use serde_json::json;

use super::Engine;

/// Headers and body.
pub(crate) type Delivery = (Vec<(&'static str, String)>, String);

impl Engine {
    pub(super) fn hooks(&mut self, call: HookCall) -> Result<Reply, Refusal> {
        let reply = match call {
            HookCall::List(query) => {
                let all = self.hooks_of(&query);
                let skip = match query.page {
                    Page::Skip(skip) => usize::try_from(skip).expect("a small number"),
                    Page::Key { id, .. } => all.iter().filter(|hook| hook.id <= id).count(),
                    _ => 0,
                };
                let limit = usize::try_from(query.limit).expect("a small number");
                let has_more = all.len() > skip + limit;
                HookReply::Hooks { hooks: all.into_iter().skip(skip).take(limit).collect(), has_more }
            }
            HookCall::Count(query) => HookReply::Counted(self.hooks_of(&query).len()),
            HookCall::Get { hook, .. } => HookReply::Hook(self.hooks[self.find_hook(hook)?].clone()),
            HookCall::Create(HookDraft { dialect, version, topic, address }) => {
                check(&address)?;
                let (created_ms, updated_ms, format) = (self.now_ms, self.now_ms, "json".to_owned());
                self.hooks_made.push(topic.kind);
                let counted = Id::try_from(self.hooks_made.len()).expect("a small number");
                let id = if dialect == Dialect::Shopline { counted } else { self.next_id() };
                let hook = HookView { id, version, topic: topic.name, address, format, created_ms, updated_ms };
                self.put_hook(hook)?
            }
            HookCall::Change { hook, topic, address, .. } => {
                let mut changed = self.hooks[self.find_hook(hook)?].clone();
                if let Some(address) = address {
                    check(&address)?;
                    changed.address = address;
                }
                changed.topic = topic.map_or(changed.topic, |topic| topic.name);
                if changed != self.hooks[self.find_hook(hook)?] {
                    changed.updated_ms = self.now_ms;
                }
                self.put_hook(changed)?
            }
            HookCall::Remove { hook, .. } => {
                let index = self.find_hook(hook)?;
                self.hooks.remove(index);
                HookReply::Removed
            }
        };
        Ok(Reply::Hooks(Box::new(reply)))
    }

    /// What somebody who subscribes to a topic of SHOPLINE's is told of what there is now: headers and body.
    pub(crate) fn deliver(&mut self, text: &str) -> Result<Delivery, String> {
        let (topic, version) = text.split_once(' ').ok_or("which topic, and in which version?")?;
        let (topic, version) = (topic.to_owned(), version.trim().to_owned());
        let number = self.subscribe(&topic, &version)?;
        let made = usize::try_from(number).ok().and_then(|number| self.hooks_made.get(number.checked_sub(1)?));
        let kind = made.copied().flatten().ok_or("nothing ever happens under this topic")?;
        let about = self.about(kind).ok_or("there is nothing of this kind yet")?;
        let event = HookEvent { kind, version: version.clone(), about };
        let body = body(Dialect::Shopline, &event).ok_or("it has no body")?;
        let store = Sender {
            handle: "hats".to_owned(),
            id: 1_672_369_729_606,
            domain: "hats.myshopline.com".to_owned(),
            merchant_id: "2000001234".to_owned(),
        };
        let signature = "(HMAC-SHA256 of the body in hex digits)";
        let (event, subscription) = (self.next_id(), i64::try_from(number).expect("a small number"));
        let envelope = Envelope { topic: &topic, version: &version, store: &store, event, subscription, signature };
        Ok((headers(Dialect::Shopline, &envelope), body))
    }

    /// The webhook of a topic, which is made if it is not there.
    fn subscribe(&mut self, topic: &str, version: &str) -> Result<Id, String> {
        let is_it = |hook: &&HookView| hook.topic == topic && hook.version == version;
        if let Some(known) = self.hooks.iter().find(is_it) {
            return Ok(known.id);
        }
        let address = format!("https://app.example/{version}");
        let body = json!({"webhook": {"address": address, "topic": topic, "api_version": version}}).to_string();
        let headers = [("authorization", "Bearer sk_test_demo".into()), ("content-type", "application/json".into())];
        let request = Request {
            method: "POST",
            path: "/admin/openapi/v20260301/webhooks.json",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
            now_ms: self.now_ms,
        };
        let answer = self.answer(&request);
        self.hooks.iter().find(is_it).map(|made| made.id).ok_or_else(|| format!("{:?}", answer.response))
    }

    fn about(&self, kind: EventKind) -> Option<About> {
        let (order, subject) = match kind {
            EventKind::StockChanged => return Some(About::Level(self.shelves.first())),
            EventKind::RefundCreated | EventKind::RefundUpdated => {
                let refund = self.refunds.last()?;
                let shown = if kind == EventKind::RefundCreated { refund.as_accepted() } else { refund.clone() };
                (refund.order, Subject::Refund(Box::new(shown)))
            }
            EventKind::ParcelCreated | EventKind::ParcelUpdated => {
                let parcel = self.yard.last_parcel()?;
                (parcel.order, Subject::Parcel(parcel))
            }
            EventKind::TransactionCreated => {
                let told = self.yard.last_transaction()?;
                (told.order, Subject::Transaction(Box::new(told)))
            }
            EventKind::ReturnCreated | EventKind::ReturnUpdated => {
                let back = self.returns.last()?.clone();
                (back.order, Subject::Return(Box::new(back)))
            }
            _ => (self.orders.last()?.facts.order.id, Subject::Order),
        };
        let index = self.orders.iter().position(|known| known.facts.order.id == order)?;
        let order = self.view_with(index, Beside::ALL);
        Some(About::Order(Box::new(OrderTold { order, asked_last: Amount::ZERO, subject })))
    }

    fn hooks_of(&self, query: &HookQuery) -> Vec<HookView> {
        let within = |range: &TimeRange, ms: i64| {
            range.from_ms.is_none_or(|from| ms >= from) && range.to_ms.is_none_or(|to| ms <= to)
        };
        let takes = |hook: &&HookView| {
            query.address.as_ref().is_none_or(|address| *address == hook.address)
                && query.topics.as_ref().is_none_or(|topics| topics.contains(&hook.topic))
                && within(&query.created, hook.created_ms)
                && within(&query.updated, hook.updated_ms)
        };
        self.hooks.iter().filter(takes).cloned().collect()
    }

    fn find_hook(&self, hook: Id) -> Result<usize, Refusal> {
        self.hooks.iter().position(|known| known.id == hook).ok_or_else(|| refused(HookFault::Unknown(hook)))
    }

    fn put_hook(&mut self, hook: HookView) -> Result<HookReply, Refusal> {
        let same = |known: &HookView| (&known.topic, &known.address) == (&hook.topic, &hook.address);
        if self.hooks.iter().any(|known| known.id != hook.id && same(known)) {
            return Err(refused(HookFault::Taken));
        }
        match self.hooks.iter_mut().find(|known| known.id == hook.id) {
            Some(known) => *known = hook.clone(),
            None => self.hooks.push(hook.clone()),
        }
        Ok(HookReply::Hook(hook))
    }
}

/// Stands for the look at where an address leads.
fn check(address: &str) -> Result<(), Refusal> {
    let private = host_of(address).is_none_or(|host| host.starts_with("127."));
    if private { Err(refused(HookFault::AddressPrivate)) } else { Ok(()) }
}

fn refused(fault: HookFault) -> Refusal {
    Refusal::Hooks(Box::new(fault))
}
