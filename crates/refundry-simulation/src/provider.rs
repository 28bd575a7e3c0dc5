//! The simulated payment provider, with everything going wrong that may, and what its books say.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use refundry_gateways::simulated::{
    BookKeeper, Books, Dashboard, Faults, Millis, Outage, Posting, Secret, Setup, Simulated, Status, Time,
};
use refundry_gateways::{Answer, Ask, DisputeStage, Gateway as _, Heard, Purpose, Step};

use crate::dice::Dice;
use crate::shop::{BEGIN_MS, DAY_MS};

/// What events are signed with.
const SECRET: &str = "whsec_simulation";

/// The provider of one simulation.
pub(crate) struct Provider {
    keeper: BookKeeper,
}

impl Provider {
    /// A provider with faults of its own for each seed, from none at all to a bad week.
    pub(crate) fn new(seed: u64, true_ms: Arc<AtomicI64>) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let mut rate = |most: u64| u16::try_from(dice.below(most + 1)).unwrap_or(0);
        let mut forgets = Dice::new(seed ^ 0xf0_47e7);
        let faults = Faults {
            seed,
            // A key that comes again after that is paid again, as a real provider would.
            remembers_keys_ms: forgets.hits(500).then(|| forgets.between(600_000, 2 * DAY_MS)),
            lost_before: rate(120),
            lost_after: rate(120),
            refused: rate(80),
            down: rate(80),
            declined: rate(120),
            wrong_amount: rate(15),
            slow_settlement: rate(300),
            slow_settlement_ms: Millis(1_000, 5 * DAY_MS),
            never_settles: rate(5),
            turns_into_failure: rate(120),
            turns_into_failure_ms: Millis(60_000, 20 * DAY_MS),
            delivery_doubled: rate(300),
            delivery_late: rate(300),
            delivery_late_ms: Millis(1_000, 3 * DAY_MS),
            delivery_reordered: rate(300),
            outages: outages(&mut Dice::new(seed ^ 0x007a6e)),
            ..Faults::default()
        };
        let setup = Setup { faults, time: Time::Shared(true_ms), secret: Some(Secret(SECRET.to_owned())) };
        Self { keeper: BookKeeper::in_memory_with(setup) }
    }

    pub(crate) fn driver(&self) -> Simulated {
        Simulated::local(self.keeper.clone()).with_secret(SECRET)
    }

    /// Asks as a worker does; what a driver in this process cannot answer at once is a defect.
    pub(crate) fn ask(&self, purpose: Purpose, ask: &Ask) -> Result<Answer, String> {
        let driver = self.driver();
        let step = match purpose {
            Purpose::Refund => driver.refund(ask),
            Purpose::Lookup => driver.lookup(ask),
        };
        match step {
            Step::Answer(answer) => Ok(answer),
            Step::Http(request) => Err(format!("a provider in this process has to be called: {request:?}")),
        }
    }

    pub(crate) fn due(&self) -> Vec<Posting> {
        self.keeper.due()
    }

    pub(crate) fn delivered(&self, posting: &Posting) -> Result<(), String> {
        self.keeper.delivered(posting).map_err(|error| format!("{error:?}"))
    }

    pub(crate) fn undelivered(&self) -> usize {
        self.keeper.undelivered()
    }

    pub(crate) fn hear(&self, posting: &Posting, now_ms: i64) -> Heard {
        let headers: Vec<_> =
            posting.headers.iter().map(|(name, value)| (name.as_str(), value.as_str().into())).collect();
        let delivery = refundry_gateways::Delivery { headers: &headers, body: &posting.body, now_ms };
        self.driver().hear(&delivery)
    }

    /// From now on calls and deliveries arrive; what was begun comes to its end.
    pub(crate) fn stop_faults(&self) {
        self.keeper.set_faults(self.keeper.faults().calmed());
    }

    pub(crate) fn refund_at_the_dashboard(&self, payment: &str, amount_minor: i64) -> Result<(), String> {
        let entered = self.keeper.refund_at_dashboard(&entered(payment, amount_minor));
        entered.map(|_| ()).map_err(|error| format!("{error:?}"))
    }

    pub(crate) fn dispute(&self, payment: &str, amount_minor: i64) -> Result<(), String> {
        let opened = self.keeper.open_dispute(&entered(payment, amount_minor));
        opened.map(|_| ()).map_err(|error| format!("{error:?}"))
    }

    /// Decides one of the open disputes; `false` if there is none.
    pub(crate) fn decide_dispute(&self, pick: u64, stage: DisputeStage) -> Result<bool, String> {
        let open = self.keeper.read(|books| {
            let open = books.disputes().filter(|dispute| dispute.stage == DisputeStage::Open);
            open.map(|dispute| dispute.id.clone()).collect::<Vec<_>>()
        });
        let place = usize::try_from(pick % (open.len().max(1) as u64)).unwrap_or(0);
        let Some(id) = open.get(place) else { return Ok(false) };
        let moved = self.keeper.move_dispute(id, stage).map_err(|error| format!("{error:?}"))?;
        Ok(moved.is_some())
    }

    /// How the refund of a leg stands, and its amount; `None` where the provider never took it.
    pub(crate) fn standing(&self, leg: u64) -> Option<(Status, i64)> {
        let account = self.keeper.read(|books| books.account(&leg.to_string()));
        account.map(|account| (account.outcome.status, account.outcome.amount_minor))
    }

    /// How often a leg was really paid.
    pub(crate) fn times_paid(&self, leg: u64) -> usize {
        self.keeper.read(|books| books.account(&leg.to_string())).map_or(0, |account| account.times_paid)
    }

    /// Every key under which something was asked.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.keeper.read(|books| books.accounts().map(|account| account.outcome.key).collect())
    }

    /// Everything that is paid now for what we asked.
    pub(crate) fn paid(&self) -> i128 {
        self.keeper.read(Books::paid_minor).values().sum()
    }

    /// What was refunded at the dashboard.
    pub(crate) fn paid_at_the_dashboard(&self) -> i128 {
        self.keeper.read(Books::external_minor).values().sum()
    }

    /// Disputes by their id: how they stand, and the amount.
    pub(crate) fn disputes(&self) -> Vec<(String, DisputeStage, i64)> {
        self.keeper.read(|books| books.disputes().map(|d| (d.id.clone(), d.stage, d.amount_minor)).collect())
    }
}

fn entered(payment: &str, amount_minor: i64) -> Dashboard {
    Dashboard { payment: payment.to_owned(), amount_minor, currency: "USD".to_owned() }
}

/// A few spans in which nobody gets through, from minutes to two days.
fn outages(dice: &mut Dice) -> Vec<Outage> {
    let mut begins = BEGIN_MS;
    let count = dice.below(4);
    let spans = (0..count).map(|_| {
        begins += dice.between(3_600_000, 4 * DAY_MS);
        let ends = begins + dice.between(60_000, 2 * DAY_MS);
        let span = Outage(begins, ends);
        begins = ends;
        span
    });
    spans.collect()
}
