//! Callers, the people who decide, and what happens at the provider's own dashboard.

use refundry_core::command::{
    Ask, CreateRefund, ItemAsk, ItemMoney, ItemName, Parts, RefundRequest, UnitAsk, UnitMode,
};
use refundry_core::decide::News;
use refundry_core::money::Decimal;
use refundry_core::order::{Dialect, Id, Reference};
use refundry_core::refund::{LegState, Refund, RefundState, Restock};
use refundry_core::retry::Destination;
use refundry_engine::accept::{Job, Outcome, RequestKey};
use refundry_engine::by_hand::{HandFault, RetryAsk};
use refundry_engine::hear::{BY_HAND, Ruling};
use refundry_gateways::DisputeStage;
use refundry_gateways::simulated::Status;
use refundry_store::{inbox, refunds};

use crate::shop::Shop;

/// A request that a caller may repeat.
#[derive(Clone)]
pub(crate) struct Request {
    command: CreateRefund,
    key: RequestKey,
    /// What it made; nothing where it was refused, or nobody heard.
    made: Option<Id>,
}

pub(crate) fn ours(id: Id) -> Reference {
    Reference { text: String::new(), ours: Some(id) }
}

impl Shop {
    /// A caller asks for a refund, or for the same once more.
    pub(crate) fn ask_for_a_refund(&mut self) -> Result<(), String> {
        if !self.requests.is_empty() && self.dice.hits(120) {
            return self.ask_again();
        }
        let order = self.orders[self.dice.index(self.orders.len())];
        let request = self.request(order)?;
        let command = CreateRefund::new(ours(order), Dialect::Native, request);
        let number = self.dice.next();
        let key = RequestKey { key: format!("key-{number:x}"), hash: format!("{number:x}") };
        let made = self.create(&command, &key)?;
        if self.dice.hits(500) {
            self.requests.push(Request { command, key, made });
        }
        Ok(())
    }

    fn ask_again(&mut self) -> Result<(), String> {
        let place = self.dice.index(self.requests.len());
        let Request { command, key, made } = self.requests[place].clone();
        let again = self.create(&command, &key)?;
        self.counts.one("repeated requests");
        if made.is_some() && again != made {
            return Err(format!("a repeated request made refund {again:?}, and {made:?} before"));
        }
        self.requests[place].made = again;
        Ok(())
    }

    fn create(&mut self, command: &CreateRefund, key: &RequestKey) -> Result<Option<Id>, String> {
        let job = Job::Create { store: self.tenant, command: Box::new(command.clone()), key: Some(key.clone()) };
        match self.call(job)? {
            Outcome::Created(Ok(accepted)) => {
                self.counts.one(if accepted.replayed { "replays" } else { "refunds" });
                self.say(|_| format!("refund {}: {:?}", accepted.refund.id, accepted.refund.legs));
                Ok(Some(accepted.refund.id))
            }
            Outcome::Created(Err(_)) => {
                self.counts.one("refusals");
                Ok(None)
            }
            other => Err(format!("a refund was answered {other:?}")),
        }
    }

    fn request(&mut self, order: Id) -> Result<RefundRequest, String> {
        let facts = self.facts(order)?;
        let left = facts.payments_left().get();
        let line = self.dice.index(facts.order.lines.len());
        let (line_id, quantity) = facts.order.lines.get(line).map_or((0, 1), |line| (line.id, line.quantity));
        Ok(RefundRequest::of(match self.dice.below(20) {
            0..9 => {
                let most = if self.dice.hits(30) { left + left / 10 + 1 } else { (left / 6).max(1) };
                Ask::Amount { amount: Decimal::from_parts(i128::from(self.dice.between(1, most)), 2), class: None }
            }
            9..15 => {
                let unit = UnitAsk {
                    line: ours(line_id),
                    quantity: Some(self.dice.between(1, i64::from(quantity / 6 + 1))),
                    mode: UnitMode::Automatic,
                    restock: Restock::Return,
                    location: String::new(),
                };
                Ask::Parts(Parts { units: vec![unit], ..Parts::default() })
            }
            15..17 => {
                let money = ItemMoney::Percent(Decimal::from_parts(i128::from(self.dice.between(1, 3_000)), 2));
                Ask::Items(vec![ItemAsk { item: ItemName::Id(ours(line_id)), quantity: None, money, part: None }])
            }
            17..19 => {
                Ask::Percent { percent: Decimal::from_parts(i128::from(self.dice.between(1, 2_000)), 2), class: None }
            }
            _ if self.dice.hits(150) => Ask::Everything,
            _ => Ask::Amount { amount: Decimal::from_parts(1, 2), class: None },
        }))
    }

    pub(crate) fn facts(&self, order: Id) -> Result<refundry_core::balances::Facts, String> {
        let found = self.store.read(|tx| refundry_store::orders::facts(tx, self.tenant, order));
        found.map_err(|error| error.to_string())?.ok_or_else(|| format!("order {order} is not there"))
    }

    /// Every refund of the shop.
    pub(crate) fn refunds(&self) -> Result<Vec<Refund>, String> {
        let mut all = Vec::new();
        for order in &self.orders {
            let of_order = self.store.read(|tx| refunds::of_order(tx, self.tenant, *order));
            all.extend(of_order.map_err(|error| error.to_string())?);
        }
        Ok(all)
    }

    /// Somebody at the shop does something about a refund.
    pub(crate) fn person_acts(&mut self) -> Result<(), String> {
        let all = self.refunds()?;
        if all.is_empty() {
            return Ok(());
        }
        match self.dice.below(3) {
            0 => {
                // All that are under way, one after another: few of them surely were not sent.
                for refund in all.iter().filter(|refund| refund.state() == RefundState::Pending) {
                    let text = "called off".to_owned();
                    let job = Job::Cancel { store: self.tenant, refund: ours(refund.id), text };
                    if let Outcome::Cancelled(Ok((refund, _))) = self.call(job)? {
                        self.counts.one("cancelled");
                        self.say(|_| format!("refund {} is called off", refund.id));
                        return Ok(());
                    }
                }
                Ok(())
            }
            1 => self.retry(&all),
            _ => self.decide_parked(&all),
        }
    }

    fn retry(&mut self, all: &[Refund]) -> Result<(), String> {
        let failed: Vec<Id> = all.iter().filter(|r| r.state() == RefundState::Failed).map(|r| r.id).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let refund = ours(failed[self.dice.index(failed.len())]);
        let to = if self.dice.hits(800) { Destination::Same } else { Destination::Outside };
        let job = Job::Retry { store: self.tenant, ask: RetryAsk { refund, to }, key: None };
        if let Outcome::Created(Ok(accepted)) = self.call(job)? {
            self.counts.one("retries");
            self.say(|_| format!("refund {} tries {:?} again", accepted.refund.id, accepted.refund.retry_of));
        }
        Ok(())
    }

    /// Whoever decides about a parked leg asks the provider on the telephone, who looks into its books.
    pub(crate) fn decide_parked(&mut self, all: &[Refund]) -> Result<(), String> {
        for refund in all {
            for leg in refund.legs.iter().filter(|leg| matches!(leg.state, LegState::Parked { .. })) {
                let news = match self.provider.standing(leg.id) {
                    Some((Status::Done, amount)) if amount == leg.own_amount.get() => {
                        News::Succeeded { reference: "by telephone".to_owned() }
                    }
                    // Another amount is for the two companies to settle, and stays where everybody sees it; what they
                    // have not settled themselves, nobody can say.
                    Some((Status::Done | Status::Pending, _)) => continue,
                    Some((Status::Declined, _)) | None => {
                        News::Failed { code: BY_HAND.to_owned(), message: "not in their books".to_owned() }
                    }
                };
                self.say(|_| format!("leg {} is settled by hand: {news:?}", leg.id));
                let job = Job::SettleByHand { store: self.tenant, refund: ours(refund.id), leg: leg.id, news };
                match self.call(job)? {
                    Outcome::Settled(Ok(_)) => self.counts.one("settled by hand"),
                    Outcome::Settled(Err(HandFault::MayStillArrive)) => self.counts.one("too soon to settle by hand"),
                    other => return Err(format!("leg {} could not be settled by hand: {other:?}", leg.id)),
                }
            }
        }
        Ok(())
    }

    /// Somebody gives money back at the provider's dashboard.
    pub(crate) fn refund_at_the_dashboard(&mut self) -> Result<(), String> {
        let Some((payment, left)) = self.some_payment()? else { return Ok(()) };
        let amount = self.dice.between(1, (left / 8).max(1));
        self.counts.one("refunds at the dashboard");
        self.say(|_| format!("{amount} of {payment} are refunded at the dashboard"));
        self.provider.refund_at_the_dashboard(&payment, amount)
    }

    /// A buyer's bank contests a payment, or decides.
    pub(crate) fn dispute(&mut self) -> Result<(), String> {
        if self.dice.hits(500) {
            let stage = if self.dice.hits(500) { DisputeStage::Won } else { DisputeStage::Lost };
            let pick = self.dice.next();
            if self.provider.decide_dispute(pick, stage)? {
                self.counts.one("disputes decided");
                return Ok(());
            }
        }
        let Some((payment, left)) = self.some_payment()? else { return Ok(()) };
        let amount = self.dice.between(1, left.max(1));
        self.counts.one("disputes");
        self.say(|_| format!("{amount} of {payment} are disputed"));
        self.provider.dispute(&payment, amount)
    }

    /// A payment by the provider's name, and what was captured by it.
    fn some_payment(&mut self) -> Result<Option<(String, i64)>, String> {
        let order = self.orders[self.dice.index(self.orders.len())];
        let facts = self.facts(order)?;
        let index = self.dice.index(facts.order.payments.len());
        let payment = facts.order.payments.get(index).filter(|payment| payment.captured.is_positive());
        Ok(payment.map(|payment| (payment.reference.clone(), payment.captured.get())))
    }

    /// A person goes through the events that wait: what cannot be booked stays where it is.
    pub(crate) fn decide_events(&mut self) -> Result<(), String> {
        let events = self.store.read(|tx| inbox::waiting(tx, self.tenant, 0, 10_000));
        for event in events.map_err(|error| error.to_string())? {
            for order in self.orders.clone() {
                let facts = self.facts(order)?;
                let named = |payment: &refundry_core::order::Payment| {
                    event.notice.contains(&format!("\"{}\"", payment.reference))
                };
                let Some(payment) = facts.order.payments.iter().find(|payment| named(payment)) else { continue };
                let ruling = Ruling::Of { order: ours(order), payment: Some(ours(payment.id)) };
                self.call(Job::Rule { store: self.tenant, event: event.id, ruling })?;
            }
        }
        Ok(())
    }
}
