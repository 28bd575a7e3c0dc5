//! The journal of one order, entry by entry: what every account held at each moment, and whether each refund was made
//! of the figures that stood then.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::{Account, Allocation, Entry, Facts, Leg, Refund, Units};
use super::sums::{Pair, convert, cumulative, open_share};
use super::{Place, ms_of};

/// The books of one order after some of its entries.
pub(super) struct Replay<'a> {
    facts: &'a Facts,
    refunds: BTreeMap<i64, &'a Refund>,
    /// All entries so far.
    accounts: BTreeMap<Account, i128>,
    /// Those entries that brought the order in or changed it.
    opened: BTreeMap<Account, i128>,
    /// Units refunded per line: waiting, shipped.
    units: BTreeMap<usize, (i128, i128)>,
    /// What became of each refund that was accepted.
    pub(super) progress: BTreeMap<i64, Progress>,
    begun: bool,
}

/// What the journal says of one refund.
pub(super) struct Progress {
    pub(super) legs: Vec<Stage>,
    /// Given back by failed legs, per component.
    pub(super) returned: BTreeMap<usize, (i128, i128)>,
    pub(super) last_ms: i64,
    /// Time in the number of its last entry: when that was told, or later.
    pub(super) told_ms: i64,
}

/// Where the journal has a leg, and since when.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Flight,
    Paid(i64),
    Gone(i64),
}

impl<'a> Replay<'a> {
    pub(super) fn new(facts: &'a Facts, refunds: &'a [Refund]) -> Self {
        Self {
            facts,
            refunds: refunds.iter().map(|refund| (refund.id, refund)).collect(),
            accounts: BTreeMap::new(),
            opened: BTreeMap::new(),
            units: BTreeMap::new(),
            progress: BTreeMap::new(),
            begun: false,
        }
    }

    pub(super) fn run(&mut self, place: &mut Place<'_>, mut entries: Vec<Entry>) {
        self.add_empty(&mut entries);
        // Numbers of one order ascend, whichever process gave them.
        entries.sort_by_key(|entry| entry.id);
        for entry in &entries {
            self.step(place, entry);
        }
    }

    pub(super) fn sum(&self, account: Account) -> i128 {
        self.accounts.get(&account).copied().unwrap_or(0)
    }

    pub(super) fn opened(&self, account: Account) -> i128 {
        self.opened.get(&account).copied().unwrap_or(0)
    }

    pub(super) fn units(&self, line: usize) -> (i128, i128) {
        self.units.get(&line).copied().unwrap_or_default()
    }

    /// Every account that was ever moved.
    pub(super) fn accounts(&self) -> impl Iterator<Item = Account> + '_ {
        self.accounts.keys().copied()
    }

    pub(super) fn is_foreign(&self, payment: usize) -> bool {
        self.facts.payments.get(payment).is_some_and(|p| p.own_currency != self.facts.currency)
    }

    /// Net and tax of a component that refunds hold.
    pub(super) fn held(&self, component: usize) -> (i128, i128) {
        let of = |account| self.opened(account) - self.sum(account);
        (of(Account::Net(component)), of(Account::Tax(component)))
    }

    /// Captured by a payment and held of it by refunds, in the order's currency and its own.
    fn pair(&self, payment: usize) -> Pair {
        let captured = -self.opened(Account::Paid(payment));
        let back = self.sum(Account::Paid(payment)) + self.sum(Account::Held(payment));
        let held = captured + back + self.sum(Account::Flight(payment));
        if !self.is_foreign(payment) {
            return Pair { captured, held, other_captured: captured, other_held: held };
        }
        let other_captured = -self.opened(Account::OwnPaid(payment));
        let own_back = self.sum(Account::OwnPaid(payment)) + self.sum(Account::OwnHeld(payment));
        let flown = own_back + self.sum(Account::OwnFlight(payment));
        Pair { captured, held, other_captured, other_held: other_captured + flown }
    }

    /// A refund of nothing (a platform's refund of units alone) moves no account, so it has no entry.
    fn add_empty(&self, entries: &mut Vec<Entry>) {
        let accepted: BTreeSet<i64> =
            entries.iter().filter(|e| e.kind == "refund_accepted").filter_map(|e| e.refund).collect();
        for refund in self.refunds.values().filter(|refund| !accepted.contains(&refund.id)) {
            let postings = self.acceptance(refund);
            if postings.is_empty() {
                entries.push(Entry {
                    id: refund.id,
                    refund: Some(refund.id),
                    happened_ms: if refund.is_imported() { refund.updated_ms } else { refund.created_ms },
                    kind: "refund_accepted".to_owned(),
                    postings,
                });
            }
        }
    }

    fn step(&mut self, place: &mut Place<'_>, entry: &Entry) {
        check_balanced(place, entry);
        match (entry.kind.as_str(), entry.refund) {
            ("order_opened", None) if !self.begun => self.open(place, entry),
            ("order_changed", None) => self.open(place, entry),
            ("dispute_held", None) => check_hold(place, entry),
            ("order_opened" | "order_changed", _) => {
                let text = format!("journal entry {} opens the order a second time, or names a refund", entry.id);
                place.say("journal_kind", text);
                self.open(place, entry);
            }
            ("refund_accepted" | "leg_succeeded" | "leg_failed", Some(id)) => match self.refunds.get(&id).copied() {
                Some(refund) if entry.kind == "refund_accepted" => self.accept(&mut place.of(id), entry, refund),
                Some(refund) => self.settle(&mut place.of(id), entry, refund),
                None => {
                    let text = format!("journal entry {} moves a refund that the order does not have", entry.id);
                    place.of(id).say("journal_refund", text);
                }
            },
            (kind, _) => {
                place.say("journal_kind", format!("journal entry {} is of kind {kind}, or names no refund", entry.id));
            }
        }
        self.begun = true;
        for (account, amount) in &entry.postings {
            *self.accounts.entry(*account).or_insert(0) += amount;
        }
        self.check_room(place, entry);
    }

    fn open(&mut self, place: &mut Place<'_>, entry: &Entry) {
        for (account, amount) in &entry.postings {
            if matches!(account, Account::Flight(_) | Account::OwnFlight(_) | Account::Difference) {
                place.say("journal_account", format!("journal entry {} opens an account of refunds", entry.id));
            }
            *self.opened.entry(*account).or_insert(0) += amount;
        }
    }

    /// Nothing below zero: neither what a component may still give nor what a payment holds.
    fn check_room(&self, place: &mut Place<'_>, entry: &Entry) {
        for account in entry.postings.keys() {
            match account {
                Account::Net(i) | Account::Tax(i) if self.sum(*account) < 0 => {
                    let text = format!(
                        "after journal entry {} refunds hold {} more of component {i} than was charged for it",
                        entry.id,
                        -self.sum(*account)
                    );
                    place.say("above_charged", text);
                }
                Account::Paid(p) | Account::Flight(p) | Account::OwnPaid(p) | Account::OwnFlight(p) => {
                    let pair = self.pair(*p);
                    for (what, over) in
                        [("", pair.held - pair.captured), (" (own currency)", pair.other_held - pair.other_captured)]
                    {
                        if over > 0 {
                            let text = format!(
                                "after journal entry {} refunds hold {over} more of payment {p}{what} than it captured",
                                entry.id
                            );
                            place.say("above_captured", text);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The movement that accepting a refund must be.
    fn acceptance(&self, refund: &Refund) -> BTreeMap<Account, i128> {
        let mut sums = BTreeMap::new();
        let mut post = |account, amount: i128| *sums.entry(account).or_insert(0) += amount;
        for a in &refund.allocations {
            post(Account::Net(a.component), -a.net);
            post(Account::Tax(a.component), -a.tax);
        }
        post(Account::Difference, -refund.discrepancy);
        for leg in &refund.legs {
            let p = leg.payment;
            post(if leg.outside { Account::Paid(p) } else { Account::Flight(p) }, leg.amount);
            if self.is_foreign(p) {
                post(if leg.outside { Account::OwnPaid(p) } else { Account::OwnFlight(p) }, leg.own);
                post(Account::OwnOpen(p), -leg.own);
            }
        }
        sums.retain(|_, sum| *sum != 0);
        sums
    }

    fn accept(&mut self, place: &mut Place<'_>, entry: &Entry, refund: &Refund) {
        if self.progress.contains_key(&refund.id) {
            place.say("journal_twice", format!("journal entry {} accepts the refund a second time", entry.id));
            return;
        }
        compare(place, "journal_refund_differs", "its acceptance", &entry.postings, &self.acceptance(refund));
        let before = i128::try_from(self.progress.len()).unwrap_or(i128::MAX);
        place.same("refund_number", "running number", ("the refund", refund.number), ("the journal", before + 1));
        if !refund.is_imported() {
            let accepted = ("the journal", entry.happened_ms);
            place.same("refund_created", "time of acceptance", ("the refund", refund.created_ms), accepted);
        }
        if entry.id < refund.id {
            place.say("id_order", format!("journal entry {} is numbered before the refund it accepts", entry.id));
        }
        self.check_legs(place, entry, refund);
        self.check_allocations(place, refund);
        self.check_units(place, refund);
        self.check_cap(place, refund);
        let at_ms = if refund.is_imported() { refund.created_ms } else { entry.happened_ms };
        let stage = |leg: &Leg| if leg.outside { Stage::Paid(at_ms) } else { Stage::Flight };
        let legs = refund.legs.iter().map(stage).collect();
        let progress =
            Progress { legs, returned: BTreeMap::new(), last_ms: entry.happened_ms, told_ms: ms_of(entry.id) };
        self.progress.insert(refund.id, progress);
        for units in &refund.units {
            self.move_units(units, 1);
        }
    }

    fn move_units(&mut self, units: &Units, sign: i128) {
        let (waiting, shipped) = self.units.entry(units.line).or_default();
        *(if units.shipped { shipped } else { waiting }) += sign * units.quantity;
    }

    fn check_legs(&self, place: &mut Place<'_>, entry: &Entry, refund: &Refund) {
        let mut last = refund.id;
        let mut taken: BTreeMap<usize, (i128, i128)> = BTreeMap::new();
        for leg in &refund.legs {
            let in_order = leg.id > last && (leg.id < entry.id || entry.id == refund.id);
            if !in_order {
                place.say("id_order", format!("leg {} is numbered out of order", leg.id));
            }
            last = leg.id;
            let (amount, own) = taken.entry(leg.payment).or_default();
            let mut pair = self.pair(leg.payment);
            pair.held += *amount;
            pair.other_held += *own;
            let follows = !self.is_foreign(leg.payment) && leg.own == leg.amount
                || self.is_foreign(leg.payment)
                    && (refund.is_imported()
                        || leg.own == pair.other_of(leg.amount)
                        || leg.amount == pair.turned().other_of(leg.own));
            if !follows {
                let expected = pair.other_of(leg.amount);
                let what = format!("amount of leg {} in the payment's own currency", leg.id);
                place.same("own_amount", what, ("the leg", leg.own), ("the captured pair", expected));
            }
            *amount += leg.amount;
            *own += leg.own;
        }
    }

    fn shadow(&self, before: i128, more: i128) -> i128 {
        let Some((exponent, rate)) = self.facts.shop else { return 0 };
        let at = |sum| convert(rate, sum, self.facts.exponent, exponent);
        at(before + more) - at(before)
    }

    fn check_allocations(&self, place: &mut Place<'_>, refund: &Refund) {
        let mut taken: BTreeMap<usize, (i128, i128)> = BTreeMap::new();
        for allocation in &refund.allocations {
            let Allocation { component, net, tax, shop, .. } = allocation;
            let held = self.held(*component);
            let (taken_net, taken_tax) = taken.entry(*component).or_default();
            let expected = (self.shadow(held.0 + *taken_net, *net), self.shadow(held.1 + *taken_tax, *tax));
            let what = |part: &str| format!("shop money of the {part} of component {component}");
            place.same("shop_money", what("net"), ("the refund", shop.0), ("the order's rate", expected.0));
            place.same("shop_money", what("tax"), ("the refund", shop.1), ("the order's rate", expected.1));
            *taken_net += net;
            *taken_tax += tax;
            self.check_why(place, refund, allocation);
        }
    }

    /// The explanation of a part: which units it is the share of, and what rounding put there.
    fn check_why(&self, place: &mut Place<'_>, refund: &Refund, allocation: &Allocation) {
        let component = allocation.component;
        let (mut units, mut taken) = (0, 0);
        if allocation.why == "unit_shares" {
            units = refund.units.iter().filter(|u| u.line == component).map(|u| u.quantity).sum();
            let refunded = self.units(component);
            taken = refunded.0 + refunded.1;
        }
        let what = |which: &str| format!("units {which} that explain the part of component {component}");
        place.same("explanation", what("now"), ("the refund", allocation.why_units), ("its units", units));
        place.same("explanation", what("before"), ("the refund", allocation.why_taken), ("the refunds before", taken));
        let what = format!("odd minor units of component {component}");
        if refund.is_imported() {
            place.same("explanation", what, ("the refund", allocation.odd), ("a refund made elsewhere", 0));
        } else if allocation.why == "unit_shares" && !refund.reopened {
            let quantity = self.facts.lines.get(component).map_or(1, |line| line.quantity.max(1));
            let floor = |account| (self.opened(account).saturating_mul(units)).div_euclid(quantity);
            let floors = floor(Account::Net(component)) + floor(Account::Tax(component));
            let odd = allocation.net + allocation.tax - floors;
            place.same("explanation", what, ("the refund", allocation.odd), ("its shares", odd));
        }
    }

    fn check_units(&self, place: &mut Place<'_>, refund: &Refund) {
        // Units counted in this refund so far, and what they were worth: net, tax.
        let mut before: BTreeMap<usize, (i128, i128, i128)> = BTreeMap::new();
        for units in &refund.units {
            let (first, net, tax) = before.entry(units.line).or_default();
            let held = self.held(units.line);
            let shop = (self.shadow(held.0 + *net, units.net), self.shadow(held.1 + *tax, units.tax));
            let what = |part: &str| format!("shop money of the {part} of units of line {}", units.line);
            place.same("shop_money", what("net"), ("the refund", units.shop.0), ("the order's rate", shop.0));
            place.same("shop_money", what("tax"), ("the refund", units.shop.1), ("the order's rate", shop.1));
            // Once the units are open again, an import may change the line under this old refund.
            if !refund.is_imported() && !refund.reopened {
                self.check_share(place, units, *first);
            }
            *first += units.quantity;
            *net += units.net;
            *tax += units.tax;
        }
        for (line, (_, net, tax)) in before.iter().filter(|_| !refund.is_imported()) {
            let shares = |a: &&Allocation| a.component == *line && a.why == "unit_shares";
            let Some(allocation) = refund.allocations.iter().find(shares) else { continue };
            let what = |part: &str| format!("{part} of the units of line {line}");
            place.same("unit_shares", what("net"), ("the allocation", allocation.net), ("the sum of its units", *net));
            place.same("unit_shares", what("tax"), ("the allocation", allocation.tax), ("the sum of its units", *tax));
        }
    }

    /// What units are worth, by the share of those after the ones refunded before.
    fn check_share(&self, place: &mut Place<'_>, units: &Units, first: i128) {
        let Some(line) = self.facts.lines.get(units.line) else { return };
        let refunded = self.units(units.line);
        let (taken, upto) = (refunded.0 + refunded.1, first + units.quantity);
        let held = self.held(units.line);
        let charged = (self.opened(Account::Net(units.line)), self.opened(Account::Tax(units.line)));
        let by_gross = self.shares_gross_prices(line.quantity - taken, charged.0 - held.0);
        let share = |n| {
            let tax = open_share(charged.1, held.1, taken, n, line.quantity);
            let net = if by_gross {
                open_share(charged.0 + charged.1, held.0 + held.1, taken, n, line.quantity) - tax
            } else {
                open_share(charged.0, held.0, taken, n, line.quantity)
            };
            (net.min(charged.0 - held.0), tax.min(charged.1 - held.1))
        };
        let (start, end) = (share(first), share(upto));
        let net = ("net", units.net, end.0 - start.0);
        let tax = ("tax", units.tax, end.1 - start.1);
        for (part, stored, expected) in [net, tax] {
            // What counts as captured grows with shipping, so a share may have been cut short.
            if !(self.facts.by_fulfilment && stored <= expected) {
                let what = format!("{part} of {} units of line {}", units.quantity, units.line);
                place.same("unit_shares", what, ("the refund", stored), ("the order's share", expected));
            }
        }
        let after = |n| cumulative(line.discount, taken + n, line.quantity);
        let what = format!("discount of {} units of line {}", units.quantity, units.line);
        place.same("unit_shares", what, ("the refund", units.discount), ("the line", after(upto) - after(first)));
    }

    /// Where prices include their tax, units are shared out by their gross price and the tax inside is taken off; only
    /// where less than four minor units of net a unit are open are net and tax shared apart.
    fn shares_gross_prices(&self, open_units: i128, open_net: i128) -> bool {
        self.facts.taxes_included && open_units > 0 && open_net / open_units >= 4
    }

    /// The nearest limit, as it stood before the refund: payments go before components where both leave the same.
    fn check_cap(&self, place: &mut Place<'_>, refund: &Refund) {
        let (by_payment, index, left) = refund.cap;
        let room = |p: usize| (self.pair(p).captured - self.pair(p).held + self.sum(Account::Held(p))).max(0);
        let payments = refund.legs.iter().map(|leg| {
            // A caller may name a payment twice.
            let same = refund.legs.iter().filter(|other| other.payment == leg.payment);
            let taken: i128 = same.map(|other| other.amount).sum();
            (room(leg.payment) - taken, (true, leg.payment))
        });
        let components = refund.allocations.iter().map(|a| {
            let same = refund.allocations.iter().filter(|b| b.component == a.component);
            let taken: i128 = same.map(|b| b.net + b.tax).sum();
            let open = self.sum(Account::Net(a.component)) + self.sum(Account::Tax(a.component));
            (open - taken, (false, a.component))
        });
        let first = if refund.is_imported() { 1 } else { usize::MAX };
        let caps: Vec<_> = payments.chain(components).take(first).collect();
        let Some((nearest, named)) = caps.iter().min_by_key(|(left, _)| *left).copied() else { return };
        if self.facts.by_fulfilment {
            // What is captured grows with shipping, and what was shipped then is not known: the limit may be nearer.
            place.within("nearest_cap", "room under the nearest limit", left, ("the journal's", nearest));
            if !caps.iter().any(|(_, named)| *named == (by_payment, index)) {
                place.say("nearest_cap", "the refund names a limit that it does not touch");
            }
            return;
        }
        place.same("nearest_cap", "room under the nearest limit", ("the refund", left), ("the journal", nearest));
        if named != (by_payment, index) {
            place.say("nearest_cap", "another limit is nearer than the one that the refund names");
        }
    }

    fn settle(&mut self, place: &mut Place<'_>, entry: &Entry, refund: &Refund) {
        let Some(found) = self.leg_of(entry, refund) else {
            let text = format!("journal entry {} ({}) fits no leg of the refund", entry.id, entry.kind);
            place.say("journal_leg", text);
            return;
        };
        let Some(progress) = self.progress.get_mut(&refund.id) else { return };
        let failed = entry.kind == "leg_failed";
        if let Some(stage) = progress.legs.get_mut(found) {
            *stage = if failed { Stage::Gone(entry.happened_ms) } else { Stage::Paid(entry.happened_ms) };
        }
        progress.last_ms = entry.happened_ms;
        progress.told_ms = ms_of(entry.id);
        for (account, amount) in &entry.postings {
            match account {
                Account::Net(i) => progress.returned.entry(*i).or_default().0 += amount,
                Account::Tax(i) => progress.returned.entry(*i).or_default().1 += amount,
                _ => {}
            }
        }
        if failed && progress.legs.iter().all(|stage| matches!(stage, Stage::Gone(_))) {
            for units in &refund.units {
                self.move_units(units, -1);
            }
        }
    }

    /// The leg that an entry settles. Where several have equal figures, the one whose row tells of this very moment.
    fn leg_of(&self, entry: &Entry, refund: &Refund) -> Option<usize> {
        let progress = self.progress.get(&refund.id)?;
        let failed = entry.kind == "leg_failed";
        let fits = |(index, leg): &(usize, &Leg)| match progress.legs.get(*index) {
            Some(Stage::Flight) => entry_moves(entry, leg, self.is_foreign(leg.payment), failed, false),
            Some(Stage::Paid(_)) => failed && entry_moves(entry, leg, self.is_foreign(leg.payment), failed, true),
            Some(Stage::Gone(_)) | None => false,
        };
        let fitting: Vec<(usize, &Leg)> = refund.legs.iter().enumerate().filter(fits).collect();
        let state = if failed { "failed" } else { "succeeded" };
        let told = |(_, leg): &&(usize, &Leg)| leg.state == state && leg.at_ms == entry.happened_ms;
        let late = |(_, leg): &&(usize, &Leg)| leg.state == "failed";
        let best = fitting.iter().find(told).or_else(|| fitting.iter().find(late)).or_else(|| fitting.first());
        best.map(|(index, _)| *index)
    }
}

/// Whether an entry takes a leg's money out of flight (or, `late`, out of the payment) to where it must go.
fn entry_moves(entry: &Entry, leg: &Leg, foreign: bool, failed: bool, late: bool) -> bool {
    let p = leg.payment;
    let (from, own_from) =
        if late { (Account::Paid(p), Account::OwnPaid(p)) } else { (Account::Flight(p), Account::OwnFlight(p)) };
    let mut expected = BTreeMap::from([(from, -leg.amount)]);
    if foreign {
        expected.insert(own_from, -leg.own);
    }
    if !failed {
        expected.insert(Account::Paid(p), leg.amount);
    }
    if foreign {
        expected.insert(if failed { Account::OwnOpen(p) } else { Account::OwnPaid(p) }, leg.own);
    }
    expected.retain(|_, sum| *sum != 0);
    let to_components = |account: &Account| matches!(account, Account::Net(_) | Account::Tax(_) | Account::Difference);
    let mut moved = entry.postings.clone();
    if failed {
        moved.retain(|account, _| !to_components(account));
    }
    moved == expected
}

/// A dispute moves money between a payment and what is held of it, and nothing else.
fn check_hold(place: &mut Place<'_>, entry: &Entry) {
    let of_disputes = |account: &Account| {
        matches!(account, Account::Paid(_) | Account::Held(_) | Account::OwnPaid(_) | Account::OwnHeld(_))
    };
    if !entry.postings.keys().all(of_disputes) {
        place.say("journal_account", format!("journal entry {} is of a dispute and moves other money", entry.id));
    }
}

fn check_balanced(place: &mut Place<'_>, entry: &Entry) {
    let mut books = 0;
    let mut own: BTreeMap<usize, i128> = BTreeMap::new();
    for (account, amount) in &entry.postings {
        match account {
            Account::OwnPaid(p) | Account::OwnFlight(p) | Account::OwnOpen(p) | Account::OwnHeld(p) => {
                *own.entry(*p).or_insert(0) += amount;
            }
            _ => books += amount,
        }
    }
    let what = format!("sum of journal entry {}", entry.id);
    place.same("journal_sum", &what, ("the journal", books), ("double entry", 0));
    for (payment, sum) in own {
        let what = format!("{what} in the currency of payment {payment}");
        place.same("journal_sum", what, ("the journal", sum), ("double entry", 0));
    }
}

fn compare(
    place: &mut Place<'_>,
    code: &'static str,
    what: &str,
    journal: &BTreeMap<Account, i128>,
    refund: &BTreeMap<Account, i128>,
) {
    let accounts: BTreeSet<&Account> = journal.keys().chain(refund.keys()).collect();
    for account in accounts {
        let of = |sums: &BTreeMap<Account, i128>| sums.get(account).copied().unwrap_or(0);
        let what = format!("{what} on account {account:?}");
        place.same(code, what, ("the journal", of(journal)), ("the refund", of(refund)));
    }
}
