//! What a worker does with legs, and everything that can go wrong on the way to the provider and back.

use std::collections::VecDeque;

use refundry_core::limits::CALL_MS;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::execute::GatewayCall;
use refundry_engine::hear::Effect;
use refundry_gateways::{Answer, Heard, Inquiry, Notice, Purpose};

use crate::shop::Shop;

/// For how long a request may be stuck between us and the provider.
const ON_ITS_WAY_MS: i64 = 2 * CALL_MS;

/// Calls in a worker's hands.
#[derive(Default)]
pub(crate) struct Worker {
    calls: VecDeque<GatewayCall>,
}

impl Worker {
    fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }
}

impl Shop {
    /// Leases what is due.
    pub(crate) fn lease(&mut self) -> Result<(), String> {
        match self.call(Job::Lease { store: self.tenant, limit: 50 })? {
            Outcome::Leased(_) => self.take(),
            other => Err(format!("leasing was answered {other:?}")),
        }
    }

    /// Takes over what the engine leased, at once or when asked.
    pub(crate) fn take(&mut self) -> Result<(), String> {
        let calls = self.engine()?.queue().take(usize::MAX);
        self.worker.calls.extend(calls);
        Ok(())
    }

    /// Sees to a leg or two that are in the worker's hands; sometimes the process dies in the middle of it.
    pub(crate) fn work(&mut self) -> Result<(), String> {
        self.take()?;
        for _ in 0..=self.dice.index(3) {
            // Any of them: calls run side by side and end in any order.
            let place = self.dice.index(self.worker.calls.len().max(1));
            let Some(call) = self.worker.calls.remove(place) else { return Ok(()) };
            self.see_to(&call)?;
        }
        Ok(())
    }

    fn see_to(&mut self, call: &GatewayCall) -> Result<(), String> {
        let leg = call.ask.leg_id;
        if !call.in_time(self.now_ms()) {
            self.say(|_| format!("leg {leg} was held for too long, and is left to others"));
            self.engine()?.queue().finished(1);
            return Ok(());
        }
        if self.dice.hits(15) {
            return self.crash();
        }
        let mut answer = self.ask(call.first(), call)?;
        if call.first() == Purpose::Lookup && call.may_be_sent_after(&answer, self.now_ms()) {
            answer = self.ask(Purpose::Refund, call)?;
        }
        if self.dice.hits(15) {
            // The provider did it, and nobody here will remember.
            return self.crash();
        }
        let news = call.news(answer, Inquiry::USUAL, self.now_ms());
        match self.call(Job::Record(news))? {
            Outcome::Recorded(_) => {}
            other => return Err(format!("an answer was recorded as {other:?}")),
        }
        self.engine()?.queue().finished(1);
        Ok(())
    }

    fn ask(&mut self, purpose: Purpose, call: &GatewayCall) -> Result<Answer, String> {
        // A call takes its time, up to its deadline.
        let took = if self.dice.hits(100) { self.dice.between(1_000, 29_000) } else { self.dice.between(1, 300) };
        let begins = self.true_ms();
        if purpose == Purpose::Refund && self.dice.hits(20) {
            // It is stuck on the way and arrives after everybody has given it up.
            let arrives = begins + self.dice.between(1_000, ON_ITS_WAY_MS);
            self.delayed.push((arrives, call.ask.clone()));
            self.pass(CALL_MS);
            self.counts.one("requests stuck on the way");
            self.say(|_| format!("leg {}: a request to pay is stuck on its way", call.ask.leg_id));
            return Ok(Answer::unknown("no answer in time"));
        }
        self.pass(took / 2);
        let answer = self.provider.ask(purpose, &call.ask)?;
        self.pass(took - took / 2);
        self.counts.one(match purpose {
            Purpose::Refund => "requests to pay",
            Purpose::Lookup => "look-ups",
        });
        self.say(|shop| {
            let took = shop.true_ms() - begins;
            format!("leg {}, time {}: {purpose:?} took {took} ms: {answer:?}", call.ask.leg_id, call.attempts)
        });
        Ok(answer)
    }

    /// Takes in what the provider says unasked. At the `end` nothing is lost on the way any more.
    pub(crate) fn deliver(&mut self, end: bool) -> Result<(), String> {
        for posting in self.provider.due() {
            if !end && self.dice.hits(100) {
                // Nobody answers: the provider comes again.
                self.counts.one("deliveries lost");
                continue;
            }
            let heard = self.provider.hear(&posting, self.true_ms());
            let Heard::Notices(notices) = heard else {
                return Err(format!("a delivery of the provider is not understood: {heard:?}"));
            };
            self.counts.one("deliveries");
            let times = if self.dice.hits(80) { 2 } else { 1 };
            for _ in 0..times {
                self.hear(notices.clone())?;
            }
            if !end && self.dice.hits(10) {
                // Taken in, but the provider never hears so.
                self.crash()?;
            } else {
                self.provider.delivered(&posting)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, notices: Vec<Notice>) -> Result<(), String> {
        let told = format!("{notices:?}");
        let job = Job::Hear { store: self.tenant, gateway: "simulated".to_owned(), notices };
        let Outcome::Heard(heard) = self.call(job)? else { return Err("a delivery was answered oddly".to_owned()) };
        for heard in heard {
            self.counts.one(match heard.effect {
                Effect::Known => "events known",
                Effect::Settled => "events that settled a leg",
                Effect::Stale => "stale events",
                Effect::External => "refunds made elsewhere",
                Effect::Disputed => "events of disputes",
                Effect::Waiting => "events that wait",
            });
            self.say(|_| format!("{:?}: {told}", heard.effect));
        }
        Ok(())
    }

    pub(crate) fn has_calls(&mut self) -> Result<bool, String> {
        self.take()?;
        Ok(!self.worker.is_idle())
    }
}
