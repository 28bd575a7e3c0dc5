//! What a person does about paying back, in the engine behind the golden files: the rules are `core`'s, and of gateways
//! and events it only keeps the figures.

use std::collections::BTreeMap;

use refundry_core::command::CreateRefund;
use refundry_core::decide::News;
use refundry_core::order::{Id, Reference};
use refundry_core::refund::{LegState, Stage};
use refundry_core::retry::{self, Destination};
use refundry_dialects::payouts::{
    EventView, EventWord, GatewayAsk, GatewayView, LegView, PayoutCall, PayoutFault, PayoutReply, RouteView, Standing,
    Testimony,
};
use refundry_dialects::{RefundView, Refusal, Reply, Request, Wait};

use crate::engine::Engine;

/// Gateways, routes and events that wait.
#[derive(Default)]
pub(crate) struct Till {
    gateways: BTreeMap<String, GatewayView>,
    routes: BTreeMap<String, String>,
    events: Vec<EventView>,
}

impl Engine {
    /// Nobody works here, so whatever waits was not sent.
    pub(crate) fn cancel(&mut self, refund: &Reference, reason: &str) -> Result<Reply, Refusal> {
        let index = self.find_refund(refund)?;
        let legs = &self.refunds[index].legs;
        let open: Vec<usize> = (0..legs.len()).filter(|leg| !legs[*leg].state.is_final()).collect();
        let unsent = |leg: &usize| legs[*leg].state == LegState::Waiting;
        let none_done = legs.iter().all(|leg| !matches!(leg.state, LegState::Succeeded { .. }));
        if open.is_empty() || !none_done || !open.iter().all(unsent) {
            return Err(refused(PayoutFault::NotCancellable(refund.text.clone())));
        }
        for leg in open {
            let news = News::Failed { code: "cancelled".to_owned(), message: reason.to_owned() };
            self.apply(index, leg, news).expect("a leg that waits can fail");
        }
        Ok(self.refund_reply(index))
    }

    pub(crate) fn retry(
        &mut self,
        refund: &Reference,
        to: &Destination,
        request: &Request<'_>,
    ) -> Result<Reply, Refusal> {
        if let Some(answer) = self.replay(Wait::No, request) {
            return answer;
        }
        let index = self.find_refund(refund)?;
        let RefundView { refund: failed, order, .. } = self.view(index);
        let asked = retry::request(&order, &failed, to);
        let asked = asked.ok_or_else(|| refused(PayoutFault::NothingToRetry(refund.text.clone())))?;
        let command = CreateRefund {
            order: Reference { text: String::new(), ours: Some(order.id) },
            via: failed.via,
            request: asked,
            note: failed.note.clone(),
            reason: failed.reason.clone(),
            notify: failed.notify,
            metadata: failed.metadata.clone(),
            processed_ms: None,
            retry_of: Some(failed.id),
            known_places: false,
        };
        let made = self.create(&command)?;
        self.remember(request, made);
        let by = self.refunds[made].id;
        let legs = self.refunds[index].legs.iter_mut();
        for leg in legs.filter(|leg| matches!(leg.state, LegState::Failed { .. }) && leg.retried_by.is_none()) {
            leg.retried_by = Some(by);
        }
        Ok(self.created(made, Wait::No, false))
    }

    /// Reads `500 USD pay_1`: an event that waits.
    pub(crate) fn hear(&mut self, text: &str) -> Result<(), String> {
        let wrong = || format!("`{text}` is not an amount in minor units, a currency and a payment");
        let [amount, currency, payment] = text.split_whitespace().collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let id = self.next_id();
        self.till.events.push(EventView {
            id,
            gateway: "till".to_owned(),
            event: format!("evt_{id}"),
            kind: "refund.created".to_owned(),
            why: "no order has its payment".to_owned(),
            heard_ms: self.now_ms,
            happened_ms: None,
            about: "refund",
            reference: format!("re_{id}"),
            payment: payment.to_owned(),
            amount_minor: amount.parse().map_err(|_| wrong())?,
            currency: currency.to_owned(),
        });
        Ok(())
    }

    pub(crate) fn payouts(&mut self, call: PayoutCall) -> Result<PayoutReply, Refusal> {
        match call {
            PayoutCall::ListLegs { stages, after, limit } => Ok(self.legs(&stages, after, limit)),
            PayoutCall::GetLeg { refund, leg } => self.leg(&refund, leg),
            PayoutCall::AskLeg { refund, leg } => match self.leg(&refund, leg)? {
                PayoutReply::Leg { leg: view, .. } if view.standing.is_none() => {
                    Err(refused(PayoutFault::NothingToAsk(leg)))
                }
                reply => Ok(reply),
            },
            PayoutCall::ListEvents { after, limit } => {
                let mut events: Vec<EventView> = self.till.events.iter().filter(|e| e.id > after).cloned().collect();
                let has_more = cut(&mut events, limit);
                Ok(PayoutReply::Events { events, has_more })
            }
            PayoutCall::ResolveEvent { event, word } => self.resolve(event, &word),
            PayoutCall::ListGateways => Ok(PayoutReply::Gateways(self.till.gateways.values().cloned().collect())),
            PayoutCall::PutGateway(ask) => self.put_gateway(ask),
            PayoutCall::ListRoutes => {
                let route = |(channel, gateway): (&String, &String)| RouteView {
                    channel: channel.clone(),
                    gateway: Some(gateway.clone()),
                };
                Ok(PayoutReply::Routes(self.till.routes.iter().map(route).collect()))
            }
            PayoutCall::PutRoute { channel, gateway } => {
                let known = |name: &String| name == "manual" || self.till.gateways.contains_key(name);
                if let Some(name) = gateway.as_ref().filter(|name| !known(name)) {
                    let reason = format!("the store has no gateway \"{name}\"");
                    return Err(refused(PayoutFault::Setting { field: "gateway".to_owned(), reason }));
                }
                match &gateway {
                    Some(gateway) => self.till.routes.insert(channel.clone(), gateway.clone()),
                    None => self.till.routes.remove(&channel),
                };
                Ok(PayoutReply::Route(RouteView { channel, gateway }))
            }
        }
    }

    fn legs(&self, stages: &[Stage], after: Id, limit: u32) -> PayoutReply {
        let of_refund = |refund: usize| (0..self.refunds[refund].legs.len()).map(move |leg| (refund, leg));
        let views = (0..self.refunds.len()).flat_map(of_refund).map(|(refund, leg)| self.leg_view(refund, leg));
        let meant = |view: &LegView| {
            let above = view.leg().is_some_and(|leg| leg.id > after);
            above && view.standing.is_some_and(|standing| stages.contains(&standing.stage))
        };
        let mut legs: Vec<LegView> = views.filter(meant).collect();
        let has_more = cut(&mut legs, limit);
        PayoutReply::Legs { legs, has_more }
    }

    fn leg_view(&self, refund: usize, index: usize) -> LegView {
        let RefundView { refund, order, .. } = self.view(refund);
        let stage = match refund.legs[index].state {
            LegState::Waiting => Some(Stage::Waiting),
            LegState::Sent => Some(Stage::Sent),
            LegState::InDoubt { .. } => Some(Stage::InDoubt),
            LegState::Parked { .. } => Some(Stage::Parked),
            LegState::Succeeded { .. } | LegState::Failed { .. } => None,
        };
        let next_ms = |stage| (stage != Stage::Parked).then_some(self.now_ms + 5_000);
        let standing = stage.map(|stage| Standing { stage, attempts: 1, next_ms: next_ms(stage) });
        LegView { refund, order, index, standing }
    }

    fn leg(&self, refund: &Reference, leg: Id) -> Result<PayoutReply, Refusal> {
        let unknown = || refused(PayoutFault::LegUnknown(leg.to_string()));
        let index = self.find_refund(refund).map_err(|_| unknown())?;
        let place = self.refunds[index].legs.iter().position(|known| known.id == leg).ok_or_else(unknown)?;
        let evidence = match &self.refunds[index].legs[place].state {
            LegState::InDoubt { reason } => vec![Testimony {
                heard_ms: self.refunds[index].updated_ms,
                source: "answer".to_owned(),
                heard: "in_doubt".to_owned(),
                detail: reason.clone(),
            }],
            _ => Vec::new(),
        };
        Ok(PayoutReply::Leg { leg: Box::new(self.leg_view(index, place)), evidence })
    }

    fn resolve(&mut self, event: Id, word: &EventWord) -> Result<PayoutReply, Refusal> {
        let known = self.till.events.iter().position(|known| known.id == event);
        let known = known.ok_or_else(|| refused(PayoutFault::EventUnknown(event.to_string())))?;
        let (outcome, refund) = match word {
            EventWord::Dismiss(_) => ("dismissed", None),
            EventWord::Of { order, .. } if self.find_order(order).is_none() => {
                let reason = format!("no order has the id \"{}\"", order.text);
                return Err(refused(PayoutFault::EventNotResolvable { event, reason }));
            }
            EventWord::Of { .. } => ("external", Some(self.next_id())),
        };
        self.till.events.remove(known);
        Ok(PayoutReply::Resolved { event, outcome: outcome.to_owned(), refund })
    }

    fn put_gateway(&mut self, ask: GatewayAsk) -> Result<PayoutReply, Refusal> {
        let known = self.till.gateways.get(&ask.name);
        let created = known.is_none();
        let driver = ask.driver.or_else(|| known.map(|known| known.driver.clone()));
        let missing =
            || PayoutFault::Setting { field: "driver".to_owned(), reason: "a new gateway needs one".to_owned() };
        let driver = driver.ok_or_else(|| refused(missing()))?;
        if let Some(known) = known.filter(|known| known.driver != driver) {
            let driver = known.driver.clone();
            return Err(refused(PayoutFault::DriverDiffers { gateway: ask.name, driver }));
        }
        let mut gateway = known.cloned().unwrap_or_else(|| GatewayView {
            name: ask.name.clone(),
            driver,
            settings: BTreeMap::new(),
            secrets: Some(Vec::new()),
            fault: None,
            created_ms: self.now_ms,
            updated_ms: self.now_ms,
        });
        gateway.updated_ms = self.now_ms;
        gateway.settings.extend(ask.settings);
        gateway.settings.retain(|_, value| !value.is_empty());
        let secrets = gateway.secrets.get_or_insert_default();
        secrets.retain(|name| !ask.secrets.0.contains_key(name));
        secrets.extend(ask.secrets.0.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name));
        secrets.sort();
        self.till.gateways.insert(ask.name, gateway.clone());
        Ok(PayoutReply::Gateway { gateway, created })
    }
}

/// Cuts a list to a page; whether more follow.
fn cut<T>(list: &mut Vec<T>, limit: u32) -> bool {
    let limit = usize::try_from(limit).expect("a page");
    let has_more = list.len() > limit;
    list.truncate(limit);
    has_more
}

fn refused(fault: PayoutFault) -> Refusal {
    Refusal::Payouts(Box::new(fault))
}
