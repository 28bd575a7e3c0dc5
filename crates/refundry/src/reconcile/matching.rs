//! Our legs against the provider's lines: which belong together, what differs, what probably belongs together. Pure:
//! reads nothing, changes nothing.
//!
//! A line belongs to the leg whose number it carries, else to the leg that the provider calls by the line's reference.
//! What is left is never taken for a match by its amount: it is listed, with the match that is likely.

use std::collections::{BTreeMap, BTreeSet};

use refundry_core::order::Id;
use refundry_core::refund::LegState;
use refundry_gateways::{Standing, StatementLine};

/// How far the two sides' clocks and the way from our decision to the provider's may lie apart: a day.
pub(super) const SLACK_MS: i64 = 86_400_000;

/// A leg of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    pub(super) leg: Id,
    pub(super) refund: Id,
    /// The order, as its platform calls it.
    pub(super) order: String,
    /// The provider's id of the payment.
    pub(super) payment: String,
    pub(super) state: LegState,
    /// The provider's id of the refund, empty where we do not know it.
    pub(super) reference: String,
    /// In minor units of `currency`, the payment's own.
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    /// When the refund was accepted; the provider cannot have made it before.
    pub(super) created_ms: i64,
    /// The refund was made at the provider and then taken into our books.
    pub(super) made_there: bool,
}

impl Ours {
    fn is_paid(&self) -> bool {
        matches!(self.state, LegState::Succeeded { .. })
    }

    /// The provider surely has it, as far as we know.
    fn is_known_there(&self) -> bool {
        matches!(self.state, LegState::Succeeded { .. } | LegState::Sent) && !self.made_there
    }

    /// The last moment at which the provider can have made it, as far as we know.
    fn latest_ms(&self) -> i64 {
        match self.state {
            LegState::Succeeded { at_ms, .. } => at_ms,
            _ => i64::MAX,
        }
    }
}

/// A line of the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Theirs {
    /// File and line, empty for one that was asked for.
    pub(super) place: String,
    pub(super) line: StatementLine,
}

/// A span of time, epoch milliseconds: from `from_ms` on, up to but without `to_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

/// Which time is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// What was made in this span is compared.
    pub(super) span: Span,
    /// The statement holds what was made in this span; it is no shorter.
    pub(super) covered: Span,
}

impl Scope {
    /// Whether the statement must have a leg, so that it is a difference if it has not.
    fn must_have(&self, leg: &Ours) -> bool {
        leg.is_known_there() && within(self.span, leg.created_ms) && !self.is_late(leg)
    }

    /// Whether the statement may have a leg, and the one before or after it may have it as well.
    fn may_have(&self, leg: &Ours) -> bool {
        let early = (self.span.from_ms.saturating_sub(SLACK_MS)..self.span.from_ms).contains(&leg.created_ms);
        let early = early && leg.latest_ms() >= self.span.from_ms;
        leg.is_known_there() && (early || (within(self.span, leg.created_ms) && self.is_late(leg)))
    }

    /// Accepted so late, or paid so much later, that the provider may have made it after the statement's end.
    fn is_late(&self, leg: &Ours) -> bool {
        let end = self.covered.to_ms;
        (leg.is_paid() || leg.created_ms >= end.saturating_sub(SLACK_MS)) && leg.latest_ms() >= end
    }
}

fn within(span: Span, ms: i64) -> bool {
    (span.from_ms..span.to_ms).contains(&ms)
}

/// What else our books know of lines that are none of our legs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// Orders by the provider's id of a payment of theirs.
    pub(super) orders: BTreeMap<String, Vec<OrderHint>>,
    /// Legs that lines carry and that go through another gateway of the store: by number, its name.
    pub(super) elsewhere: BTreeMap<Id, String>,
}

/// An order whose payment is a line's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderHint {
    pub(super) order: String,
    /// What the payment has left to be refunded, in minor units of `currency`.
    pub(super) left_minor: i64,
    pub(super) currency: String,
}

/// What became of a comparison; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// The provider has several refunds for one leg that it did not call off.
    TwiceThere,
    /// One side says that money went back, the other that it did not.
    StateDiffers,
    AmountDiffers,
    CurrencyDiffers,
    /// Ours, and the provider does not have it.
    MissingThere,
    /// The provider's, and no leg of ours.
    MissingHere,
    /// A leg in doubt or parked, of which the provider says what became.
    Answered,
    /// A leg that is open here and over there.
    SettledThere,
}

impl Outcome {
    /// Stable code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::TwiceThere => "twice_there",
            Self::StateDiffers => "state_differs",
            Self::AmountDiffers => "amount_differs",
            Self::CurrencyDiffers => "currency_differs",
            Self::MissingThere => "missing_there",
            Self::MissingHere => "missing_here",
            Self::Answered => "answered",
            Self::SettledThere => "settled_there",
        }
    }
}

/// What probably belongs to what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Suggestion {
    /// This leg, by payment and amount.
    Leg { leg: Id, refund: Id, state: &'static str },
    /// This line, by payment and amount.
    Line { place: String, reference: String },
    /// The line carries a leg of another gateway.
    OtherGateway { leg: Id, gateway: String },
    /// An order has this payment, and enough of it left.
    Order { order: String },
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) outcome: Outcome,
    pub(super) ours: Option<Ours>,
    pub(super) theirs: Vec<Theirs>,
    pub(super) suggestion: Option<Suggestion>,
}

/// Money that went back, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) ours: i128,
    pub(super) theirs: i128,
}

/// The result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Legs compared.
    pub(super) legs: usize,
    /// Refunds of the provider's compared.
    pub(super) lines: usize,
    /// Legs, and lines that moved no money on either side, that agree.
    pub(super) agreed: usize,
    /// The worst first.
    pub(super) differences: Vec<Difference>,
    /// By currency.
    pub(super) sums: BTreeMap<String, Sum>,
    /// Legs at an end of the span: not in this statement, and perhaps in the one before or after it.
    pub(super) at_the_edge: Vec<Id>,
}

/// Compares what was made in a span of time.
pub(super) fn compare(ours: &[Ours], theirs: Vec<Theirs>, hints: &Hints, scope: Scope) -> Comparison {
    let (pairs, rest) = pair(ours, folded(theirs, scope));
    let alone = alone(ours, &pairs);
    let mut work = Work { alone, hints, scope, found: Comparison::default(), suggested: BTreeSet::new() };
    for (index, leg) in ours.iter().enumerate() {
        match pairs.get(&index) {
            Some(lines) => work.settle(leg, lines),
            None => work.miss(leg),
        }
    }
    for line in rest {
        work.is_new(line);
    }
    let mut found = work.found;
    answer_back(&mut found.differences);
    found.differences.sort_by_key(|difference| {
        let place = difference.theirs.first().map(|theirs| (theirs.line.line, theirs.line.refund_reference.clone()));
        (difference.outcome, difference.ours.as_ref().map(|leg| leg.leg), place)
    });
    found
}

/// One line for each refund of the provider's. A refund that came back, or was settled since, stands in several lines
/// under one reference, and files may overlap; what says most counts. It concerns the scope if any of its lines does.
fn folded(theirs: Vec<Theirs>, scope: Scope) -> Vec<Theirs> {
    let mut known: BTreeMap<(String, String, i64), usize> = BTreeMap::new();
    let mut folded: Vec<Theirs> = Vec::with_capacity(theirs.len());
    for theirs in theirs {
        let line = &theirs.line;
        let key = (line.refund_reference.clone(), line.currency.clone(), line.amount_minor);
        let twin = known.get(&key).and_then(|index| folded.get_mut(*index));
        let twin =
            twin.filter(|twin| twin.line.leg_id.is_none() || line.leg_id.is_none() || twin.line.leg_id == line.leg_id);
        let Some(twin) = twin.filter(|_| !line.refund_reference.is_empty()) else {
            known.insert(key, folded.len());
            folded.push(theirs);
            continue;
        };
        let times = [twin.line.made_ms, line.made_ms].into_iter().flatten();
        let made_ms = times.min_by_key(|ms| (!within(scope.span, *ms), *ms));
        let leg_id = twin.line.leg_id.or(line.leg_id);
        if weight(line.standing) > weight(twin.line.standing) {
            *twin = theirs;
        }
        (twin.line.made_ms, twin.line.leg_id) = (made_ms, leg_id);
    }
    folded
}

/// What comes later in the life of a refund weighs more.
fn weight(standing: Standing) -> u8 {
    match standing {
        Standing::Pending => 0,
        Standing::Paid => 1,
        Standing::NotPaid => 2,
    }
}

/// Lines by the leg (its place in `ours`) that they belong to, and the rest of them.
fn pair(ours: &[Ours], theirs: Vec<Theirs>) -> (BTreeMap<usize, Vec<Theirs>>, Vec<Theirs>) {
    let sent = ours.iter().enumerate().filter(|(_, leg)| !leg.made_there);
    let by_leg: BTreeMap<Id, usize> = sent.map(|(index, leg)| (leg.leg, index)).collect();
    let named = ours.iter().enumerate().filter(|(_, leg)| !leg.reference.is_empty());
    // Of several legs of one name, one that did not fail stands for the money: a leg that a person called failed, and
    // the refund that its payment was taken in as.
    let mut by_reference: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, leg) in named {
        let slot = by_reference.entry(leg.reference.as_str()).or_insert(index);
        if ours.get(*slot).is_some_and(|known| known.state.is_failed()) {
            *slot = index;
        }
    }
    let (mut pairs, mut rest) = (BTreeMap::<usize, Vec<Theirs>>::new(), Vec::new());
    for theirs in theirs {
        let by_number = theirs.line.leg_id.and_then(|leg| by_leg.get(&leg));
        let by_name = by_reference.get(theirs.line.refund_reference.as_str());
        let failed = by_number.and_then(|index| ours.get(*index)).is_some_and(|leg| leg.state.is_failed());
        match by_name.filter(|_| failed).or(by_number).or(by_name) {
            Some(index) => pairs.entry(*index).or_default().push(theirs),
            None => rest.push(theirs),
        }
    }
    (pairs, rest)
}

/// A likely leg's own difference names the line in turn.
fn answer_back(differences: &mut [Difference]) {
    let lines = differences.iter().filter_map(|difference| match (&difference.suggestion, difference.theirs.first()) {
        (Some(Suggestion::Leg { leg, .. }), Some(theirs)) => {
            let (place, reference) = (theirs.place.clone(), theirs.line.refund_reference.clone());
            Some((*leg, Suggestion::Line { place, reference }))
        }
        _ => None,
    });
    let lines: BTreeMap<Id, Suggestion> = lines.collect();
    for difference in differences.iter_mut().filter(|difference| difference.outcome == Outcome::MissingThere) {
        let leg = difference.ours.as_ref().map(|leg| leg.leg);
        difference.suggestion = leg.and_then(|leg| lines.get(&leg)).cloned();
    }
}

/// Payment, currency and amount.
type Figures<'w> = (&'w str, &'w str, i64);

/// Legs without a line that one may tell of, the likeliest first.
fn alone<'w>(ours: &'w [Ours], pairs: &BTreeMap<usize, Vec<Theirs>>) -> BTreeMap<Figures<'w>, Vec<&'w Ours>> {
    let mut alone: BTreeMap<Figures<'_>, Vec<&Ours>> = BTreeMap::new();
    for (index, leg) in ours.iter().enumerate().filter(|(_, leg)| likelihood(leg).is_some()) {
        if !pairs.contains_key(&index) {
            alone.entry((&leg.payment, &leg.currency, leg.amount_minor)).or_default().push(leg);
        }
    }
    for legs in alone.values_mut() {
        legs.sort_by_key(|leg| (likelihood(leg), leg.leg));
    }
    alone
}

struct Work<'w> {
    alone: BTreeMap<Figures<'w>, Vec<&'w Ours>>,
    hints: &'w Hints,
    scope: Scope,
    found: Comparison,
    /// Legs that are a likely match already.
    suggested: BTreeSet<Id>,
}

impl Work<'_> {
    fn concerns(&self, theirs: &Theirs) -> bool {
        theirs.line.made_ms.is_none_or(|made_ms| within(self.scope.span, made_ms))
    }

    /// A leg with the lines that belong to it.
    fn settle(&mut self, leg: &Ours, lines: &[Theirs]) {
        if !lines.iter().any(|theirs| self.concerns(theirs)) {
            return;
        }
        self.found.legs += 1;
        self.found.lines += lines.len();
        self.count_ours(leg);
        for theirs in lines {
            self.count_theirs(theirs);
        }
        match verdict(leg, lines) {
            None => self.found.agreed += 1,
            Some(outcome) => self.differ(outcome, Some(leg), lines.to_vec(), None),
        }
    }

    /// A leg without a line.
    fn miss(&mut self, leg: &Ours) {
        let scope = self.scope;
        if scope.must_have(leg) {
            self.found.legs += 1;
            self.count_ours(leg);
            self.differ(Outcome::MissingThere, Some(leg), Vec::new(), None);
        } else if scope.may_have(leg) {
            self.found.at_the_edge.push(leg.leg);
        }
    }

    /// A line without a leg.
    fn is_new(&mut self, theirs: Theirs) {
        if !self.concerns(&theirs) {
            return;
        }
        self.found.lines += 1;
        self.count_theirs(&theirs);
        if theirs.line.standing == Standing::NotPaid {
            // Made there and failed there: there is no money on either side.
            self.found.agreed += 1;
            return;
        }
        let suggestion = self.suggestion(&theirs.line);
        self.differ(Outcome::MissingHere, None, vec![theirs], suggestion);
    }

    fn suggestion(&mut self, line: &StatementLine) -> Option<Suggestion> {
        let elsewhere = line.leg_id.and_then(|leg| Some((leg, self.hints.elsewhere.get(&leg)?)));
        if let Some((leg, gateway)) = elsewhere {
            return Some(Suggestion::OtherGateway { leg, gateway: gateway.clone() });
        }
        if line.payment_reference.is_empty() {
            return None;
        }
        let figures = (line.payment_reference.as_str(), line.currency.as_str(), line.amount_minor);
        let fitting = self.alone.get(&figures).into_iter().flatten();
        if let Some(leg) = fitting.copied().find(|leg| !self.suggested.contains(&leg.leg)) {
            self.suggested.insert(leg.leg);
            return Some(Suggestion::Leg { leg: leg.leg, refund: leg.refund, state: leg.state.code() });
        }
        let orders = self.hints.orders.get(&line.payment_reference)?;
        let fits = |order: &&OrderHint| order.currency == line.currency && order.left_minor >= line.amount_minor;
        orders.iter().find(fits).map(|order| Suggestion::Order { order: order.order.clone() })
    }

    fn differ(&mut self, outcome: Outcome, ours: Option<&Ours>, theirs: Vec<Theirs>, suggestion: Option<Suggestion>) {
        self.found.differences.push(Difference { outcome, ours: ours.cloned(), theirs, suggestion });
    }

    fn count_ours(&mut self, leg: &Ours) {
        let sum = self.found.sums.entry(leg.currency.clone()).or_default();
        sum.ours += if leg.is_paid() { i128::from(leg.amount_minor) } else { 0 };
    }

    fn count_theirs(&mut self, theirs: &Theirs) {
        let sum = self.found.sums.entry(theirs.line.currency.clone()).or_default();
        sum.theirs += if theirs.line.standing == Standing::Paid { i128::from(theirs.line.amount_minor) } else { 0 };
    }
}

/// How likely a leg without a line is one that a line without a leg tells of, the most likely first.
fn likelihood(leg: &Ours) -> Option<u8> {
    match leg.state {
        _ if leg.made_there => None,
        LegState::InDoubt { .. } => Some(0),
        LegState::Parked { .. } => Some(1),
        LegState::Sent | LegState::Succeeded { .. } => Some(2),
        LegState::Waiting => Some(3),
        LegState::Failed { .. } => None,
    }
}

/// What differs between a leg and its lines, if anything does.
fn verdict(leg: &Ours, lines: &[Theirs]) -> Option<Outcome> {
    let mut not_dead = lines.iter().map(|theirs| &theirs.line).filter(|line| line.standing != Standing::NotPaid);
    match (not_dead.next(), not_dead.next()) {
        (Some(_), Some(_)) => Some(Outcome::TwiceThere),
        // Figures of what moved no money do not matter.
        (None, _) => match leg.state {
            LegState::Failed { .. } => None,
            LegState::Succeeded { .. } => Some(Outcome::StateDiffers),
            LegState::InDoubt { .. } | LegState::Parked { .. } => Some(Outcome::Answered),
            LegState::Sent | LegState::Waiting => Some(Outcome::SettledThere),
        },
        (Some(_), None) if leg.state.is_failed() => Some(Outcome::StateDiffers),
        // The leg was paid as another refund, which is in another statement: this is a second one.
        (Some(line), None) if is_another(leg, line) => Some(Outcome::TwiceThere),
        (Some(line), None) if line.currency != leg.currency => Some(Outcome::CurrencyDiffers),
        (Some(line), None) if line.amount_minor != leg.amount_minor => Some(Outcome::AmountDiffers),
        (Some(line), None) => match (&leg.state, line.standing) {
            (LegState::Succeeded { .. }, Standing::Paid) | (LegState::Sent, Standing::Pending) => None,
            // Our books take it as made from the first word on.
            (LegState::Succeeded { .. }, _) if leg.made_there => None,
            (LegState::InDoubt { .. } | LegState::Parked { .. }, _) => Some(Outcome::Answered),
            (LegState::Sent | LegState::Waiting, Standing::Paid) => Some(Outcome::SettledThere),
            _ => Some(Outcome::StateDiffers),
        },
    }
}

/// Whether a line is about another refund than the one that our leg was paid as.
fn is_another(leg: &Ours, line: &StatementLine) -> bool {
    let known = !leg.reference.is_empty() && !line.refund_reference.is_empty();
    leg.is_paid() && known && leg.reference != line.refund_reference
}

#[cfg(test)]
mod tests;
