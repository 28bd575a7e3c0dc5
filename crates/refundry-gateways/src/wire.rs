//! Small readings that several providers need.

use serde_json::Value;

use crate::text::form_encoded;
use crate::{Answer, Ask, HttpOutcome, Purpose};

/// Our leg in a text that a provider keeps for us: 18 digits and nothing else. Whoever finds no such leg goes by the
/// provider's own ids, because an order number of a shop may look the same.
pub(crate) fn leg_id(text: &str) -> Option<u64> {
    (text.len() == 18 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// A text as one segment of a URL's path, even if it is made of dots.
pub(crate) fn path_segment(text: &str) -> String {
    form_encoded(text).replace('.', "%2E")
}

/// An RFC 3339 time as epoch milliseconds.
pub(crate) fn rfc3339_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The status and body of an answer, or what its absence says of the money.
pub(crate) fn answered(purpose: Purpose, outcome: HttpOutcome) -> Result<(u16, Vec<u8>), Answer> {
    match outcome {
        HttpOutcome::Answered { status, body } => Ok((status, body)),
        unanswered => Err(Answer::unanswered(purpose, unanswered)),
    }
}

/// The provider did not even consider the request, and may do so later: wrong credentials, too many requests. It has to
/// say so in JSON; in anything else somebody on the way may have spoken, and then the request may have gone further.
pub(crate) fn not_considered(purpose: Purpose, status: u16, body: &[u8]) -> Answer {
    let reason = match status {
        429 => "status 429: too many requests".to_owned(),
        status => format!("status {status}: the credentials are not accepted"),
    };
    let said_so = serde_json::from_slice::<Value>(body).is_ok_and(|body| body.is_object());
    match purpose {
        Purpose::Refund if said_so => Answer::NotTaken { reason },
        Purpose::Refund | Purpose::Lookup => Answer::Unknown { reason },
    }
}

/// The provider knows no such payment, or no such refund. To a request that is surely the first that is a no, which is
/// `declined`. To any other it says nothing of the money: the gateway may have been pointed at another account since,
/// and the one that was asked first may have paid.
pub(crate) fn unknown_here(purpose: Purpose, ask: &Ask, declined: Answer) -> Answer {
    if purpose == Purpose::Refund && ask.key_age_ms == 0 {
        return declined;
    }
    Answer::unknown("not known here: the account may be another one than was asked first")
}

/// For a leg whose payment the provider was never named to us, so there is nothing to ask it about.
pub(crate) fn without_payment(ask: &Ask) -> Option<Answer> {
    ask.payment_reference.is_empty().then(|| Answer::Declined {
        code: "payment_reference_missing".to_owned(),
        message: "the order does not say by which id the provider knows the payment".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leg_ids_are_eighteen_digits() {
        assert_eq!(leg_id("123456789012345678"), Some(123_456_789_012_345_678));
        for wrong in ["", "12345678901234567", "1234567890123456789", "+12345678901234567", "12345678901234567x"] {
            assert_eq!(leg_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(path_segment("ABC-1_~z"), "ABC-1_~z");
        assert_eq!(path_segment("../a?b#c%é"), "%2E%2E%2Fa%3Fb%23c%25%C3%A9");
    }

    #[test]
    fn times() {
        assert_eq!(rfc3339_ms("2021-01-01T01:00:00+01:00"), Some(1_609_459_200_000));
        assert_eq!(rfc3339_ms("2018-08-15T19:14:04.543Z"), Some(1_534_360_444_543));
        assert_eq!(rfc3339_ms("2021-01-01"), None);
    }
}
