//! The driver `http`: the merchant's own service, asked in signed JSON.
//!
//! The contract is ours, so it is written down where a service's author looks, in `docs/gateways/http.md`. A test reads
//! that page: its examples are what this driver sends and understands, its signatures are right. Change both together.
//!
//! - The service remembers a key for ever and pays once under it, so a leg in doubt may be looked up at any time.
//! - Both directions are signed alike, `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the time, a dot and the body; a request
//!   without a body has its path and query in place of it. The time comes with the ask.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::drivers::{Chooses, base_url};
use crate::signing::{Hash, from_hex, to_hex};
use crate::text::form_encoded;
use crate::units::{self, Units};
use crate::wire::{answered, leg_id, not_considered, rfc3339_ms};
use crate::{
    About, Answer, Ask, Capabilities, Delivery, DisputeStage, Gateway, Heard, HttpOutcome, HttpRequest, Inquiry,
    KeyMemory, Method, Notice, Page, Purpose, Setting, SettingFault, Settings, SettledBy, Span, Standing,
    StatementFault, StatementLine, Step,
};

/// The header that shows whose a request or a delivery is.
pub const SIGNATURE_HEADER: &str = "Refundry-Signature";

/// How far apart the clocks of both sides may be, and how long something signed may be on its way.
const TOLERANCE_MS: i64 = 300_000;

/// Short secrets can be guessed from one signed message.
const SECRET_CHARS_MIN: usize = 24;

/// The driver of the merchant's own service; see the module.
pub struct MerchantService {
    base_url: String,
    /// The first signs, any of them is believed.
    secrets: Vec<String>,
    partial: bool,
    minimum_minor: i64,
    deadline_days: Option<u32>,
}

/// What it needs to know.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "base_url",
        about: "Where your service is reached, for example https://shop.example/refundry",
        secret: false,
        required: true,
        chooses: Chooses::Host,
    },
    Setting {
        name: "secret",
        about: "Signs both directions, 24 characters or more; several with commas to replace it: the first signs",
        secret: true,
        required: true,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "partial",
        about: "Whether a payment may be refunded in part: yes or no; yes where it is left out",
        secret: false,
        required: false,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "minimum_minor",
        about: "The smallest amount it takes, in minor units; 1 where it is left out",
        secret: false,
        required: false,
        chooses: Chooses::Nothing,
    },
    Setting {
        name: "deadline_days",
        about: "How many days after capture it still refunds; without end where it is left out",
        secret: false,
        required: false,
        chooses: Chooses::Nothing,
    },
];

/// Counts as ISO 4217 does.
const UNITS: Units = Units { exceptions: &[] };

impl MerchantService {
    /// A gateway of these settings, or which of them is wrong.
    pub fn open(settings: &Settings) -> Result<MerchantService, SettingFault> {
        let secrets: Vec<String> = settings.get("secret").split(',').map(|secret| secret.trim().to_owned()).collect();
        if secrets.iter().any(|secret| secret.chars().count() < SECRET_CHARS_MIN) {
            return Err(SettingFault::new("secret", "each of them needs 24 characters or more"));
        }
        let partial = match settings.get("partial") {
            "" | "yes" => true,
            "no" => false,
            _ => return Err(SettingFault::new("partial", "it is neither yes nor no")),
        };
        Ok(MerchantService {
            base_url: base_url(settings, "")?,
            secrets,
            partial,
            minimum_minor: number(settings, "minimum_minor")?.unwrap_or(1),
            deadline_days: number(settings, "deadline_days")?,
        })
    }

    /// What is sent, signed. The path is signed without the part that belongs to `base_url`, which a proxy before the
    /// service may take away.
    fn request(&self, path: &str, body: Vec<u8>, now_ms: i64) -> HttpRequest {
        let method = if body.is_empty() { Method::Get } else { Method::Post };
        let signed = if body.is_empty() { path.as_bytes() } else { &body };
        let signature = signature(self.secrets.first().map_or("", String::as_str), now_ms, signed);
        let mut headers = vec![(SIGNATURE_HEADER.to_owned(), signature)];
        if method == Method::Post {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        HttpRequest { method, url: format!("{}{path}", self.base_url), headers, body }
    }

    fn page(&self, span: Span, cursor: Option<&str>) -> Option<HttpRequest> {
        let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).ok().map(|time| format!("{time:.3}"));
        let cursor = cursor.map(|cursor| format!("&cursor={}", form_encoded(cursor))).unwrap_or_default();
        let path = format!("/refunds?from={}&to={}{cursor}", time(span.from_ms)?, time(span.to_ms)?);
        Some(self.request(&path, Vec::new(), span.now_ms))
    }

    /// Whether one of the codes is right and fresh.
    fn check(&self, delivery: &Delivery<'_>) -> Result<(), &'static str> {
        let name = SIGNATURE_HEADER.to_lowercase();
        let header = delivery.header(&name).ok_or("there is no Refundry-Signature")?;
        let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
        let mut stamps = parts().filter(|(key, _)| *key == "t").map(|(_, value)| value);
        let (Some(stamp), None) = (stamps.next(), stamps.next()) else {
            return Err("Refundry-Signature has no time, or two");
        };
        let is_digits = !stamp.is_empty() && stamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed_s: i64 = stamp.parse().ok().filter(|_| is_digits).ok_or("the time is not in whole seconds")?;
        let message = [stamp.as_bytes(), b".", delivery.body];
        let is_right =
            |code: &[u8]| self.secrets.iter().any(|secret| Hash::Sha256.verify(secret.as_bytes(), &message, code));
        let mut codes = parts().filter(|(key, _)| *key == "v1").filter_map(|(_, code)| from_hex(code));
        if !codes.any(|code| is_right(&code)) {
            return Err("the signature is not right");
        }
        match delivery.now_ms.saturating_sub(signed_s.saturating_mul(1000)).saturating_abs() {
            apart_ms if apart_ms > TOLERANCE_MS => Err("it was not signed in the last five minutes"),
            _ => Ok(()),
        }
    }
}

/// What [`SIGNATURE_HEADER`] says of something that is signed at a moment.
pub fn signature(secret: &str, now_ms: i64, content: &[u8]) -> String {
    let stamp = now_ms.div_euclid(1000).to_string();
    let code = Hash::Sha256.sign(secret.as_bytes(), &[stamp.as_bytes(), b".", content]);
    format!("t={stamp},v1={}", to_hex(&code))
}

/// A setting that is a number above zero.
fn number<T: std::str::FromStr + PartialOrd + From<u8>>(
    settings: &Settings,
    name: &str,
) -> Result<Option<T>, SettingFault> {
    let text = settings.get(name);
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    match number {
        _ if text.is_empty() => Ok(None),
        None => Err(SettingFault::new(name, "it is not a whole number above zero")),
        number => Ok(number),
    }
}

impl fmt::Debug for MerchantService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MerchantService").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Gateway for MerchantService {
    fn name(&self) -> &'static str {
        "http"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            partial: self.partial,
            several_per_payment: self.partial,
            minimum_minor: self.minimum_minor,
            deadline_days: self.deadline_days,
            remembers_keys: KeyMemory::Forever,
            settled_by: SettledBy::Provider,
            inquiry: Inquiry::USUAL,
        }
    }

    fn refund(&self, ask: &Ask) -> Step {
        let Some(amount) = UNITS.write_decimal(ask.amount_minor, &ask.currency) else {
            return units::not_representable(ask).into();
        };
        let order = Order {
            key: ask.key(),
            refund: ask.refund_id.to_string(),
            payment: &ask.payment_reference,
            channel: &ask.channel,
            amount_minor: ask.amount_minor,
            amount,
            currency: &ask.currency,
        };
        let Ok(body) = serde_json::to_vec(&order) else {
            return Answer::unknown("the order could not be written as JSON").into();
        };
        let mut request = self.request("/refunds", body, ask.now_ms);
        request.headers.push(("Idempotency-Key".to_owned(), ask.key()));
        Step::Http(request)
    }

    fn lookup(&self, ask: &Ask) -> Step {
        Step::Http(self.request(&format!("/refunds/{}", ask.key()), Vec::new(), ask.now_ms))
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match answered(purpose, outcome) {
            Ok(answered) => answered,
            Err(answer) => return answer.into(),
        };
        Step::Answer(match (purpose, status) {
            (_, 200..=202) => match serde_json::from_slice::<Refund>(&body) {
                Ok(refund) => refund.answer_to(ask),
                Err(_) => Answer::unknown(format!("status {status}, but the body is not a refund")),
            },
            (Purpose::Lookup, 404) if error_word(&body).as_deref() == Some("unknown_key") => Answer::NotFound,
            (Purpose::Refund, 400) if error_word(&body).is_some() => {
                Answer::NotTaken { reason: "status 400: the service does not understand the request".to_owned() }
            }
            (_, 401 | 403 | 429) => not_considered(purpose, status, &body),
            _ => Answer::unknown(format!("status {status}")),
        })
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        match self.check(delivery) {
            Ok(()) => heard(delivery.body),
            Err(reason) => Heard::refused(reason),
        }
    }

    fn list(&self, span: Span) -> Option<HttpRequest> {
        self.page(span, None)
    }

    fn read_list(&self, span: Span, _: &HttpRequest, outcome: HttpOutcome) -> Result<Page, StatementFault> {
        let (status, body) = match outcome {
            HttpOutcome::Answered { status, body } => (status, body),
            HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => {
                return Err(StatementFault::whole(reason));
            }
        };
        if matches!(status, 404 | 501) {
            return Err(StatementFault::whole("the service has no list of its refunds"));
        }
        let list = serde_json::from_slice::<List>(&body).ok().filter(|_| status == 200);
        let list = list.ok_or_else(|| StatementFault::whole(format!("status {status} without a list of refunds")))?;
        let lines = list.refunds.iter().map(Refund::line).collect::<Result<_, _>>()?;
        let next = list.next.filter(|cursor| !cursor.is_empty()).and_then(|cursor| self.page(span, Some(&cursor)));
        Ok(Page { lines, next })
    }
}

/// What is sent to have money paid back.
#[derive(Serialize)]
struct Order<'a> {
    key: String,
    refund: String,
    payment: &'a str,
    channel: &'a str,
    amount_minor: i64,
    amount: String,
    currency: &'a str,
}

/// A refund as the service tells of it: in an answer, in a delivery, in a list.
#[derive(Deserialize)]
struct Refund {
    /// Ours; absent for a refund that was made elsewhere.
    key: Option<String>,
    status: String,
    reference: Option<String>,
    amount_minor: i64,
    currency: String,
    code: Option<String>,
    message: Option<String>,
    /// The payment it gives back, where it is not an answer.
    payment: Option<String>,
    /// When it was made, RFC 3339.
    made: Option<String>,
}

impl Refund {
    fn answer_to(&self, ask: &Ask) -> Answer {
        let same_figures = (self.amount_minor, self.currency.as_str()) == (ask.amount_minor, ask.currency.as_str());
        match self.answer() {
            _ if self.key != Some(ask.key()) => Answer::unknown("the answer is about another key"),
            // Only a refund that is done is compared by the engine.
            Some(Answer::Pending { .. } | Answer::Declined { .. }) if !same_figures => {
                Answer::unknown("the answer is about other figures")
            }
            Some(answer) => answer,
            None => Answer::unknown("the answer is not as the contract has it"),
        }
    }

    /// How it stands; `None` where that is not said as the contract has it.
    fn answer(&self) -> Option<Answer> {
        if !is_amount(self.amount_minor, &self.currency) {
            return None;
        }
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match self.status.as_str() {
            "succeeded" => Some(Answer::Done {
                reference: said(&self.reference)?,
                amount_minor: self.amount_minor,
                currency: self.currency.clone(),
            }),
            "pending" => Some(Answer::Pending { reference: said(&self.reference).unwrap_or_default() }),
            "failed" => {
                Some(Answer::Declined { code: said(&self.code)?, message: said(&self.message).unwrap_or_default() })
            }
            _ => None,
        }
    }

    /// Our leg; an error if there is a key that is none of ours.
    fn leg(&self) -> Result<Option<u64>, ()> {
        match self.key.as_deref() {
            None | Some("") => Ok(None),
            Some(key) => leg_id(key).map(Some).ok_or(()),
        }
    }

    fn line(&self) -> Result<StatementLine, StatementFault> {
        let reference = self.reference.clone().unwrap_or_default();
        let unreadable = || StatementFault::whole(format!("the refund {reference} is not as the contract has it"));
        Ok(StatementLine {
            line: 0,
            leg_id: self.leg().map_err(|()| unreadable())?,
            payment_reference: self.payment.clone().unwrap_or_default(),
            standing: match self.answer() {
                Some(Answer::Done { .. }) => Standing::Paid,
                Some(Answer::Pending { .. }) => Standing::Pending,
                Some(Answer::Declined { .. }) => Standing::NotPaid,
                _ => return Err(unreadable()),
            },
            amount_minor: self.amount_minor,
            currency: self.currency.clone(),
            made_ms: self.made.as_deref().and_then(rfc3339_ms),
            refund_reference: reference,
        })
    }
}

#[derive(Deserialize)]
struct List {
    refunds: Vec<Refund>,
    next: Option<String>,
}

/// What every delivery says, whatever it is about.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event")]
    id: String,
    #[serde(rename = "type")]
    kind: String,
    happened: Option<String>,
}

#[derive(Deserialize)]
struct Dispute {
    reference: String,
    payment: String,
    status: String,
    amount_minor: i64,
    currency: String,
}

/// What a delivery tells that was signed.
fn heard(body: &[u8]) -> Heard {
    let Some(event) = serde_json::from_slice::<Event>(body).ok().filter(|event| !event.id.is_empty()) else {
        return Heard::refused("it is signed, but has no event and type");
    };
    let told = match event.kind.as_str() {
        "refund" => serde_json::from_slice::<Refund>(body).ok().and_then(about_refund),
        "dispute" => serde_json::from_slice::<Dispute>(body).ok().and_then(about_dispute),
        _ => return Heard::Notices(Vec::new()),
    };
    match told {
        Some((status, about)) => Heard::Notices(vec![Notice {
            event: event.id,
            kind: format!("{}.{status}", event.kind),
            happened_ms: event.happened.as_deref().and_then(rfc3339_ms),
            about,
        }]),
        None => Heard::refused(format!("it is signed, but not the {} that the contract has", event.kind)),
    }
}

fn about_refund(refund: Refund) -> Option<(String, About)> {
    let leg_id = refund.leg().ok()?;
    if leg_id.is_none() && refund.payment.as_deref().unwrap_or_default().is_empty() {
        return None;
    }
    let about = About::Refund {
        leg_id,
        refund_reference: refund.reference.clone().filter(|reference| !reference.is_empty())?,
        payment_reference: refund.payment.clone().unwrap_or_default(),
        payment_alias: String::new(),
        answer: refund.answer()?,
        amount_minor: refund.amount_minor,
        currency: refund.currency,
    };
    Some((refund.status, about))
}

fn about_dispute(dispute: Dispute) -> Option<(String, About)> {
    if !is_amount(dispute.amount_minor, &dispute.currency) {
        return None;
    }
    let about = About::Dispute {
        stage: DisputeStage::parse(&dispute.status)?,
        dispute_reference: dispute.reference,
        payment_reference: dispute.payment,
        payment_alias: String::new(),
        amount_minor: dispute.amount_minor,
        currency: dispute.currency,
    };
    Some((dispute.status, about))
}

/// Whether it is money at all.
fn is_amount(amount_minor: i64, currency: &str) -> bool {
    amount_minor > 0 && UNITS.write(amount_minor, currency).is_some()
}

/// The word of a refusal, `{"error": "unknown_key"}`. A status alone may come from a proxy or a wrong address.
fn error_word(body: &[u8]) -> Option<String> {
    let word = serde_json::from_slice::<Value>(body).ok()?.get("error")?.as_str()?.to_owned();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(more: &[(&str, &str)]) -> Result<MerchantService, SettingFault> {
        let usual = [("base_url", "https://shop.example/refundry/"), ("secret", "0123456789abcdefghijklmn")];
        let settings = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        MerchantService::open(&Settings(settings.collect()))
    }

    #[test]
    fn what_it_can_do_is_set() {
        let usual = open(&[]).unwrap().capabilities();
        assert!(usual.partial && usual.minimum_minor == 1 && usual.deadline_days.is_none());
        let set = open(&[("partial", "no"), ("minimum_minor", "50"), ("deadline_days", "90")]).unwrap().capabilities();
        assert!(!set.partial && !set.several_per_payment);
        assert_eq!((set.minimum_minor, set.deadline_days), (50, Some(90)));
        for (name, value) in [
            ("partial", "true"),
            ("minimum_minor", "0"),
            ("minimum_minor", "1.5"),
            ("deadline_days", "-1"),
            ("deadline_days", "soon"),
            ("secret", "short"),
            ("secret", "0123456789abcdefghijklmn,"),
            ("base_url", "http://shop.example"),
        ] {
            assert_eq!(open(&[(name, value)]).unwrap_err().name, name, "{value}");
        }
        assert!(!format!("{:?}", open(&[])).contains("0123456789"));
    }
}
