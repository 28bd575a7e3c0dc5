//! What goes wrong at the simulated provider, as data. Which order meets which fault is a function of the seed, the
//! key and how often that key was asked, never of the order in which threads come: a run replays exactly.

use serde::{Deserialize, Serialize};

/// What goes wrong, and how often. Rates are per mille. The fields are also the names in a file of faults and of
/// `--fault`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Runs with the same seed meet the same faults.
    pub seed: u64,

    /// Of all calls: the order is not taken, and no answer comes.
    pub lost_before: u16,
    /// Of all calls: the order is taken, and no answer comes.
    pub lost_after: u16,
    /// Of the calls without an answer: status 500 instead of a cut connection.
    pub lost_as_500: u16,
    /// Of all calls: not taken, too many requests (429).
    pub refused: u16,
    /// Of all calls: not taken, out of service (503).
    pub down: u16,
    /// Spans of the provider's clock in which every call finds it out of service; epoch milliseconds, the end excluded.
    pub outages: Vec<Outage>,
    /// How long an answer is held back. Only the server does so; in process nobody waits.
    pub answer_after_ms: Millis,

    /// Of all orders: declined, `do_not_honor`.
    pub declined: u16,
    /// Of all orders: another amount is paid than was asked.
    pub wrong_amount: u16,
    /// Of all orders: pending at first.
    pub slow_settlement: u16,
    /// How long those are pending.
    pub slow_settlement_ms: Millis,
    /// Of all orders: pending for ever.
    pub never_settles: u16,
    /// Of all orders: paid, and then not, `account_closed`.
    pub turns_into_failure: u16,
    /// How long those were paid.
    pub turns_into_failure_ms: Millis,

    /// Of all events: delivered twice.
    pub delivery_doubled: u16,
    /// Of all events: delivered late.
    pub delivery_late: u16,
    /// How late, and how long after the first the second delivery of a doubled one.
    pub delivery_late_ms: Millis,
    /// Of all events: delivered after others that happened later.
    pub delivery_reordered: u16,
    /// Of all events: never delivered, so that only a look-up or a reconciliation finds out.
    pub delivery_lost: u16,

    /// How long a key is remembered; for ever where it is left out. A key that comes again after that is paid again, as
    /// a real provider would.
    pub remembers_keys_ms: Option<i64>,
}

impl Default for Faults {
    /// Nothing goes wrong. The spans are those of faults that are given a rate and nothing else.
    fn default() -> Faults {
        Faults {
            seed: 0,
            lost_before: 0,
            lost_after: 0,
            lost_as_500: 250,
            refused: 0,
            down: 0,
            outages: Vec::new(),
            answer_after_ms: Millis(0, 0),
            declined: 0,
            wrong_amount: 0,
            slow_settlement: 0,
            slow_settlement_ms: Millis(1_000, 60_000),
            never_settles: 0,
            turns_into_failure: 0,
            turns_into_failure_ms: Millis(60_000, 3 * 24 * 3_600_000),
            delivery_doubled: 0,
            delivery_late: 0,
            delivery_late_ms: Millis(1_000, 600_000),
            delivery_reordered: 0,
            delivery_lost: 0,
            remembers_keys_ms: None,
        }
    }
}

/// A number of milliseconds between two, both included; `[from, to]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Millis(pub i64, pub i64);

/// A span of the provider's clock, the end excluded; `[from, to]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage(pub i64, pub i64);

/// Events that change places are held back for up to this long.
const REORDERED_MS: Millis = Millis(1, 10_000);

/// What a call meets instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// 429.
    Refused,
    /// 503.
    Down,
    /// Nothing is done, and no answer comes.
    LostBefore(Silence),
    /// It is done, and no answer comes.
    LostAfter(Silence),
}

/// How no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The connection is cut.
    Cut,
    /// Status 500, which tells as little.
    Error,
}

/// What kind of call meets a fault: they do not share their luck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Refund,
    Lookup,
}

/// What will become of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Destiny {
    pub(super) declined: bool,
    pub(super) wrong_amount: bool,
    /// Pending for so long.
    pub(super) settles_after_ms: Option<i64>,
    pub(super) never_settles: bool,
    /// Paid for so long, and then not.
    pub(super) fails_after_ms: Option<i64>,
}

impl Faults {
    /// Reads a file of faults: a JSON object with some of the fields.
    pub fn parse(json: &[u8]) -> Result<Faults, String> {
        let faults: Faults = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        faults.checked()
    }

    /// Sets one field by its name, the value as it would stand in a file: `lost_after`, `50`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let mut all = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        let field = all.get_mut(name).ok_or_else(|| format!("there is no fault {name}"))?;
        *field = serde_json::from_str(value).map_err(|error| format!("{name}: {error}"))?;
        let faults: Faults = serde_json::from_value(all).map_err(|error| format!("{name}: {error}"))?;
        *self = faults.checked()?;
        Ok(())
    }

    /// Without what goes wrong with calls and deliveries: what was begun can come to its end.
    #[must_use]
    pub fn calmed(&self) -> Faults {
        Faults {
            lost_before: 0,
            lost_after: 0,
            refused: 0,
            down: 0,
            outages: Vec::new(),
            answer_after_ms: Millis(0, 0),
            delivery_late: 0,
            delivery_lost: 0,
            ..self.clone()
        }
    }

    fn checked(self) -> Result<Faults, String> {
        let rates = [
            ("lost_before", self.lost_before),
            ("lost_after", self.lost_after),
            ("lost_as_500", self.lost_as_500),
            ("refused", self.refused),
            ("down", self.down),
            ("declined", self.declined),
            ("wrong_amount", self.wrong_amount),
            ("slow_settlement", self.slow_settlement),
            ("never_settles", self.never_settles),
            ("turns_into_failure", self.turns_into_failure),
            ("delivery_doubled", self.delivery_doubled),
            ("delivery_late", self.delivery_late),
            ("delivery_reordered", self.delivery_reordered),
            ("delivery_lost", self.delivery_lost),
        ];
        let spans = [
            ("answer_after_ms", self.answer_after_ms),
            ("slow_settlement_ms", self.slow_settlement_ms),
            ("turns_into_failure_ms", self.turns_into_failure_ms),
            ("delivery_late_ms", self.delivery_late_ms),
        ];
        if let Some((name, _)) = rates.iter().find(|(_, rate)| *rate > 1000) {
            return Err(format!("{name} is per mille, at most 1000"));
        }
        let sound = |span: Millis| (0..=span.1).contains(&span.0) && span.1 <= i64::from(i32::MAX) * 1000;
        match spans.iter().find(|(_, span)| !sound(*span)) {
            Some((name, _)) => Err(format!("{name} is [from, to], from 0 on")),
            None => Ok(self),
        }
    }

    /// Whether a call may meet any trouble at all.
    pub(super) fn troubles_calls(&self) -> bool {
        let rates = [self.lost_before, self.lost_after, self.refused, self.down];
        rates.iter().any(|rate| *rate > 0) || !self.outages.is_empty() || self.answer_after_ms.1 > 0
    }

    /// What the call meets that asks about a key for the nth time, from 0.
    pub(super) fn trouble(&self, call: Call, key: &str, nth: u32, now_ms: i64) -> Option<Trouble> {
        let meets = |rate, label| self.meets(rate, call.label(label), key, nth);
        let silence =
            || if meets(self.lost_as_500, ["refund 500", "lookup 500"]) { Silence::Error } else { Silence::Cut };
        if self.out_of_service(now_ms) || meets(self.down, ["refund down", "lookup down"]) {
            return Some(Trouble::Down);
        }
        if meets(self.refused, ["refund refused", "lookup refused"]) {
            return Some(Trouble::Refused);
        }
        if meets(self.lost_before, ["refund lost before", "lookup lost before"]) {
            return Some(Trouble::LostBefore(silence()));
        }
        meets(self.lost_after, ["refund lost after", "lookup lost after"]).then(|| Trouble::LostAfter(silence()))
    }

    pub(super) fn out_of_service(&self, now_ms: i64) -> bool {
        self.outages.iter().any(|Outage(from, to)| (*from..*to).contains(&now_ms))
    }

    /// How long the answer to the nth call is held back.
    pub(super) fn held_ms(&self, call: Call, key: &str, nth: u32) -> i64 {
        self.within(self.answer_after_ms, call.label(["refund held", "lookup held"]), key, nth)
    }

    /// What will become of an order that is taken for the nth time, from 0: more than once only where keys are
    /// forgotten.
    pub(super) fn destiny(&self, key: &str, nth: u32) -> Destiny {
        let meets = |rate, label| self.meets(rate, label, key, nth);
        let after = |rate, span, label| meets(rate, label).then(|| self.within(span, label, key, nth));
        Destiny {
            declined: meets(self.declined, "declined"),
            wrong_amount: meets(self.wrong_amount, "wrong amount"),
            settles_after_ms: after(self.slow_settlement, self.slow_settlement_ms, "slow settlement"),
            never_settles: meets(self.never_settles, "never settles"),
            fails_after_ms: after(self.turns_into_failure, self.turns_into_failure_ms, "turns into failure"),
        }
    }

    /// When an event of that id is delivered: never, once or twice, in milliseconds after it happened.
    pub(super) fn deliveries(&self, event: &str) -> Vec<i64> {
        let meets = |rate, label| self.meets(rate, label, event, 0);
        let within = |span, label| self.within(span, label, event, 0);
        if meets(self.delivery_lost, "lost") {
            return Vec::new();
        }
        let late = if meets(self.delivery_late, "late") { within(self.delivery_late_ms, "late") } else { 0 };
        let moved = if meets(self.delivery_reordered, "moved") { within(REORDERED_MS, "moved") } else { 0 };
        let mut after = vec![late + moved];
        if meets(self.delivery_doubled, "doubled") {
            after.push(late + moved + within(self.delivery_late_ms, "doubled"));
        }
        after
    }

    fn meets(&self, rate: u16, label: &str, key: &str, nth: u32) -> bool {
        rate > 0 && self.roll(label, key, nth) % 1000 < u64::from(rate)
    }

    fn within(&self, span: Millis, label: &str, key: &str, nth: u32) -> i64 {
        let Millis(from, to) = span;
        let choices = u64::try_from(to - from).unwrap_or(0) + 1;
        // The rate has used the low digits of the same roll.
        let rolled = (self.roll(label, key, nth) / 1000) % choices;
        from + i64::try_from(rolled).unwrap_or(0)
    }

    /// FNV-1a over seed, label, key and number, and the last step of `SplitMix64` to spread what it leaves alike.
    fn roll(&self, label: &str, key: &str, nth: u32) -> u64 {
        let parts = [&self.seed.to_le_bytes()[..], label.as_bytes(), &[0xff], key.as_bytes(), &nth.to_le_bytes()[..]];
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in parts.iter().flat_map(|part| part.iter()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }
}

impl Call {
    fn label(self, [refund, lookup]: [&'static str; 2]) -> &'static str {
        match self {
            Self::Refund => refund,
            Self::Lookup => lookup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_met_about_as_often_as_it_says_and_alike_in_every_run() {
        let faults = Faults { seed: 7, lost_after: 50, refused: 100, ..Faults::default() };
        let run = |faults: &Faults| -> Vec<_> {
            (0..10_000).map(|key| faults.trouble(Call::Refund, &key.to_string(), 0, 0)).collect()
        };
        let first = run(&faults);
        assert_eq!(first, run(&faults));
        assert_ne!(first, run(&Faults { seed: 8, ..faults.clone() }));
        let count = |wanted: fn(&Trouble) -> bool| first.iter().flatten().filter(|trouble| wanted(trouble)).count();
        let (refused, lost) = (count(|t| *t == Trouble::Refused), count(|t| matches!(t, Trouble::LostAfter(_))));
        assert!((900..1100).contains(&refused), "{refused}");
        assert!((380..570).contains(&lost), "{lost}");
        let cut = count(|t| *t == Trouble::LostAfter(Silence::Cut));
        assert!(cut > lost / 2 && cut < lost, "{cut} of {lost}");
    }

    #[test]
    fn another_attempt_and_another_call_have_their_own_luck() {
        let faults = Faults { lost_before: 500, ..Faults::default() };
        let lucky = |call, nth| -> Vec<bool> {
            (0..100).map(|key| faults.trouble(call, &key.to_string(), nth, 0).is_none()).collect()
        };
        assert_ne!(lucky(Call::Refund, 0), lucky(Call::Refund, 1));
        assert_ne!(lucky(Call::Refund, 0), lucky(Call::Lookup, 0));
    }

    #[test]
    fn an_outage_is_a_span_of_the_clock() {
        let faults = Faults { outages: vec![Outage(10, 20), Outage(30, 31)], ..Faults::default() };
        let down = (0..40).filter(|now| faults.trouble(Call::Lookup, "1", 0, *now) == Some(Trouble::Down));
        assert_eq!(down.collect::<Vec<_>>(), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30]);
    }

    #[test]
    fn spans_are_kept_to() {
        let faults = Faults {
            slow_settlement: 1000,
            slow_settlement_ms: Millis(5, 8),
            delivery_doubled: 1000,
            ..Faults::default()
        };
        let mut seen = [false; 4];
        for key in 0..100 {
            let after = faults.destiny(&key.to_string(), 0).settles_after_ms.unwrap();
            seen[usize::try_from(after - 5).unwrap()] = true;
            let twice = faults.deliveries(&key.to_string());
            assert!(twice.len() == 2 && twice[0] == 0 && twice[1] >= 1000, "{twice:?}");
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(Faults::default().deliveries("evt"), [0]);
        assert!(Faults { delivery_lost: 1000, ..faults }.deliveries("evt").is_empty());
    }

    #[test]
    fn a_file_of_faults() {
        let text = br#"{"seed": 3, "lost_after": 50, "delivery_late_ms": [1, 2], "outages": [[1, 5]]}"#;
        let faults = Faults::parse(text).unwrap();
        let expected = Faults {
            seed: 3,
            lost_after: 50,
            delivery_late_ms: Millis(1, 2),
            outages: vec![Outage(1, 5)],
            ..Faults::default()
        };
        assert_eq!(faults, expected);
        for wrong in ["1", r#"{"lost": 1}"#, r#"{"down": 1001}"#, r#"{"down": -1}"#, r#"{"delivery_late_ms": [2, 1]}"#]
        {
            assert!(Faults::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }

        let mut one = Faults::default();
        one.set("lost_after", "50").unwrap();
        one.set("seed", "3").unwrap();
        one.set("delivery_late_ms", "[1,2]").unwrap();
        one.set("outages", "[[1,5]]").unwrap();
        assert_eq!(one, expected);
        assert_eq!(one.set("lost", "1"), Err("there is no fault lost".to_owned()));
        assert!(one.set("down", "many").is_err());
        assert_eq!(one.calmed().trouble(Call::Refund, "1", 0, 3), None);
    }
}
