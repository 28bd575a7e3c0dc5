//! What becomes of an order: by its account name, by its payment reference, by its amount, or by chance. The table for
//! people is in the parent; this is the same in code. Pure.

use super::books::{RefundOrder, Status, Verdict};
use super::faults::{Destiny, Faults, Silence, Trouble};

/// The payment reference that asks for a script ends in this and the script's word.
const MARK: &str = ".sim-";

const SCRIPTED: &str = "scripted by the payment";

const SLOWLY_MS: i64 = 10_000;
const LATER_MS: i64 = 60_000;
const HELD_MS: i64 = 2_000;
const HOUR_MS: i64 = 3_600_000;

/// What a developer can try by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Declined,
    SettlesOnLookup,
    AnswerLost,
    OneLess,
    NotTaken,
    SlowSettlement,
    LateFailure,
    RefusedOnce,
    DownOnce,
    CutBeforeOnce,
    CutAfterOnce,
    SlowFailure,
    NeverSettles,
    SlowAnswer,
    DeliveredTwice,
    DeliveredLate,
    NeverDelivered,
}

/// The last four digits of an amount, and the word behind the mark.
const SCRIPTS: &[(i64, &str, Script)] = &[
    (4001, "declined", Script::Declined),
    (4002, "settles_on_lookup", Script::SettlesOnLookup),
    (4003, "answer_lost", Script::AnswerLost),
    (4004, "one_less", Script::OneLess),
    (4005, "not_taken", Script::NotTaken),
    (4006, "slow_settlement", Script::SlowSettlement),
    (4007, "late_failure", Script::LateFailure),
    (4008, "rate_limited_once", Script::RefusedOnce),
    (4009, "down_once", Script::DownOnce),
    (4010, "cut_before_once", Script::CutBeforeOnce),
    (4011, "cut_after_once", Script::CutAfterOnce),
    (4012, "slow_failure", Script::SlowFailure),
    (4013, "never_settles", Script::NeverSettles),
    (4014, "slow_answer", Script::SlowAnswer),
    (4015, "delivered_twice", Script::DeliveredTwice),
    (4016, "delivered_late", Script::DeliveredLate),
    (4017, "never_delivered", Script::NeverDelivered),
];

/// A verdict at first, and those that follow by themselves, each so many milliseconds after the order was taken.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) first: Verdict,
    pub(super) later: Vec<(i64, Verdict)>,
}

impl Course {
    fn of(first: Verdict) -> Course {
        Course { first, later: Vec::new() }
    }

    fn then(mut self, after_ms: i64, verdict: Verdict) -> Course {
        self.later.push((after_ms, verdict));
        self
    }
}

/// What the provider makes of an order that it takes for the nth time. A name goes before a reference, that before an
/// amount, and all of them before chance.
pub(super) fn course(order: &RefundOrder, faults: &Faults, nth: u32) -> Course {
    if order.amount_minor <= 0 {
        return Course::of(Verdict::declined(order, "invalid_amount", "an amount must be above zero"));
    }
    if let Some(first) = named(order) {
        return Course::of(first);
    }
    let pending = || Verdict::paying(Status::Pending, order.amount_minor);
    let done = || Verdict::paying(Status::Done, order.amount_minor);
    let closed = |told| Verdict::declined(order, "account_closed", told);
    match script(order) {
        None => by_chance(order, faults.destiny(&order.key, nth)),
        Some(Script::Declined) => {
            Course::of(Verdict::declined(order, "expired_or_canceled_card", "scripted by the amount"))
        }
        Some(Script::SettlesOnLookup | Script::NeverSettles) => Course::of(pending()),
        Some(Script::OneLess) => Course::of(Verdict::paying(Status::Done, order.amount_minor - 1)),
        Some(Script::SlowSettlement) => Course::of(pending()).then(SLOWLY_MS, done()),
        Some(Script::SlowFailure) => Course::of(pending()).then(SLOWLY_MS, closed(SCRIPTED)),
        Some(Script::LateFailure) => Course::of(done()).then(LATER_MS, closed(SCRIPTED)),
        Some(
            Script::AnswerLost
            | Script::NotTaken
            | Script::RefusedOnce
            | Script::DownOnce
            | Script::CutBeforeOnce
            | Script::CutAfterOnce
            | Script::SlowAnswer
            | Script::DeliveredTwice
            | Script::DeliveredLate
            | Script::NeverDelivered,
        ) => Course::of(done()),
    }
}

/// What a pending order becomes when it is looked up; `None` leaves it as it is.
pub(super) fn settled_by_lookup(order: &RefundOrder) -> Option<Verdict> {
    match order.account.as_str() {
        "RefundPending" => None,
        "RefundFailedAfterPending" => {
            Some(Verdict::declined(order, "refund_failed_after_pending", "scripted by the account name"))
        }
        _ => {
            (script(order) == Some(Script::SettlesOnLookup)).then(|| Verdict::paying(Status::Done, order.amount_minor))
        }
    }
}

/// What a call to pay meets that asks about its key for the nth time, from 0. Holds for every account name.
pub(super) fn trouble(order: &RefundOrder, nth: u32) -> Option<Trouble> {
    match script(order)? {
        Script::AnswerLost => Some(Trouble::LostAfter(Silence::Error)),
        Script::NotTaken => Some(Trouble::Down),
        Script::RefusedOnce if nth == 0 => Some(Trouble::Refused),
        Script::DownOnce if nth == 0 => Some(Trouble::Down),
        Script::CutBeforeOnce if nth == 0 => Some(Trouble::LostBefore(Silence::Cut)),
        Script::CutAfterOnce if nth == 0 => Some(Trouble::LostAfter(Silence::Cut)),
        _ => None,
    }
}

/// Whether the answer to a call that asks about its key for the nth time depends on that.
pub(super) fn counts_calls(order: &RefundOrder) -> bool {
    use Script::{CutAfterOnce, CutBeforeOnce, DownOnce, RefusedOnce};
    matches!(script(order), Some(RefusedOnce | DownOnce | CutBeforeOnce | CutAfterOnce))
}

/// How long the answer to a call to pay is held back.
pub(super) fn held_ms(order: &RefundOrder) -> i64 {
    if script(order) == Some(Script::SlowAnswer) { HELD_MS } else { 0 }
}

/// When the events of a scripted order are delivered, in milliseconds after they happened.
pub(super) fn deliveries(order: &RefundOrder) -> Option<Vec<i64>> {
    match script(order)? {
        Script::DeliveredTwice => Some(vec![0, 0]),
        Script::DeliveredLate => Some(vec![HOUR_MS]),
        Script::NeverDelivered => Some(Vec::new()),
        _ => None,
    }
}

fn named(order: &RefundOrder) -> Option<Verdict> {
    match order.account.as_str() {
        "RefundFail" | "refundFail" | "RefundFailAfterPaymentInfo" => {
            Some(Verdict::declined(order, "refund_failed", "scripted by the account name"))
        }
        "RefundFailWhileCreation" => {
            Some(Verdict::declined(order, "refund_not_created", "scripted by the account name"))
        }
        "RefundPending" | "RefundFailedAfterPending" => Some(Verdict::paying(Status::Pending, order.amount_minor)),
        _ => None,
    }
}

fn script(order: &RefundOrder) -> Option<Script> {
    let word = order.payment.rsplit_once(MARK).map(|(_, word)| word);
    let worded = word.and_then(|word| SCRIPTS.iter().find(|(_, known, _)| *known == word));
    let digits = order.amount_minor % 10_000;
    worded.or_else(|| SCRIPTS.iter().find(|(known, ..)| *known == digits)).map(|(.., script)| *script)
}

fn by_chance(order: &RefundOrder, destiny: Destiny) -> Course {
    let amount_minor = match (destiny.wrong_amount, order.amount_minor) {
        (false, asked) => asked,
        (true, 1) => 2,
        (true, asked) => asked - 1,
    };
    let settled = if destiny.declined {
        Verdict::declined(order, "do_not_honor", "declined by chance")
    } else {
        Verdict::paying(Status::Done, amount_minor)
    };
    let pending = || Course::of(Verdict::paying(Status::Pending, amount_minor));
    let settles_ms = destiny.settles_after_ms.unwrap_or(0);
    let course = match destiny.settles_after_ms {
        _ if destiny.never_settles => return pending(),
        Some(after_ms) => pending().then(after_ms, settled),
        None => Course::of(settled),
    };
    match destiny.fails_after_ms {
        Some(after_ms) if !destiny.declined => {
            course.then(settles_ms + after_ms, Verdict::declined(order, "account_closed", "failed by chance"))
        }
        _ => course,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(payment: &str, account: &str, amount_minor: i64) -> RefundOrder {
        RefundOrder {
            key: "1".to_owned(),
            payment: payment.to_owned(),
            currency: "USD".to_owned(),
            amount_minor,
            account: account.to_owned(),
        }
    }

    #[test]
    fn every_script_has_an_amount_and_a_word() {
        for (digits, word, wanted) in SCRIPTS {
            assert_eq!(script(&order("pay_1", "", 70_000 + digits)), Some(*wanted), "{digits}");
            assert_eq!(script(&order(&format!("pay_1.sim-{word}"), "", 1000)), Some(*wanted), "{word}");
        }
        assert_eq!(script(&order("pay_1.sim-none", "", 4001)), Some(Script::Declined), "no such word");
        assert_eq!(script(&order("pay_1.sim-one_less", "", 4001)), Some(Script::OneLess), "the reference goes first");
        assert_eq!(script(&order("pay_1", "", 4018)), None);
    }

    #[test]
    fn the_table_for_people_lists_them_all() {
        let table = include_str!("mod.rs");
        for (digits, word, _) in SCRIPTS {
            assert!(table.contains(&format!("//! | `{digits}` | `{word}` |")), "{digits} {word}");
        }
    }

    #[test]
    fn chances_add_up() {
        let all =
            Destiny { settles_after_ms: Some(10), fails_after_ms: Some(100), wrong_amount: true, ..Destiny::default() };
        let told = |destiny, amount_minor| {
            let course = by_chance(&order("", "", amount_minor), destiny);
            let steps = std::iter::once((0, course.first)).chain(course.later);
            steps.map(|(after, v)| format!("{after} {:?} {} {}", v.status, v.amount_minor, v.code)).collect::<Vec<_>>()
        };
        let expected = ["0 Pending 99 ", "10 Done 99 ", "110 Declined 100 account_closed"];
        assert_eq!(told(all, 100), expected);
        assert_eq!(told(Destiny { never_settles: true, ..all }, 100), ["0 Pending 99 "]);
        let declined = told(Destiny { declined: true, ..all }, 100);
        assert_eq!(declined, ["0 Pending 99 ", "10 Declined 100 do_not_honor"]);
        assert_eq!(told(Destiny { wrong_amount: true, ..Destiny::default() }, 1), ["0 Done 2 "]);
    }
}
