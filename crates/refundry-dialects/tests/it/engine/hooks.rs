//! Subscriptions in the engine behind the golden files: a list in memory. Nothing is posted here.

use refundry_core::order::{Dialect, Id};
use refundry_core::query::{Page, TimeRange};
use refundry_dialects::hooks::{HookCall, HookDraft, HookFault, HookQuery, HookReply, HookView, host_of};
use refundry_dialects::{Refusal, Reply};

use super::Engine;

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
                let id = if dialect == Dialect::Shopline { self.count_hook() } else { self.next_id() };
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

    /// The place of the next one among all that there ever were.
    fn count_hook(&mut self) -> Id {
        self.hooks_made += 1;
        self.hooks_made
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
