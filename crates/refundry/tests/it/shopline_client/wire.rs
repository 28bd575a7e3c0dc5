//! What the tables call string, long, double, time, id, enum and money set, each as a type that takes nothing else, and
//! the macros that the tables of keys are written with.
//!
//! An object takes an object with all of its keys and no others. Nothing is taken in place of something else: no number
//! for a text, no `1.0` for a long, no `null` for what is missing, no list for an object.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What an answer is held against beyond its types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The version that was asked for, as its date.
    pub(crate) version: u32,
    /// Whether every id is the server's own, and so has its platform's prefix and length.
    pub(crate) minted: bool,
}

/// What a type alone cannot say: which version has a key, and how ids of our own look.
pub(crate) trait Check: Sized {
    /// What stands for a key that is missing; `None` where that is a fault.
    fn when_missing() -> Option<Self> {
        None
    }

    /// The first fault, with the keys that lead to it.
    fn check(&self, _asked: Asked) -> Result<(), String> {
        Ok(())
    }
}

impl Check for String {}
impl Check for bool {}
impl Check for i64 {}
impl Check for Map<String, Value> {}

impl<T: Check> Check for Vec<T> {
    fn check(&self, asked: Asked) -> Result<(), String> {
        self.iter().enumerate().try_for_each(|(at, entry)| entry.check(asked).map_err(|fault| format!("[{at}]{fault}")))
    }
}

/// An object whose keys are the caller's own, with texts under them.
pub(crate) type Texts = std::collections::BTreeMap<String, String>;

impl Check for Texts {}

/// An object without documented keys.
pub(crate) type Free = Map<String, Value>;

/// Reads `{"key": …}` and nothing beside it; `key` is empty for a body without a wrapper.
pub(crate) fn decode<T>(key: &'static str, asked: Asked, bytes: &[u8]) -> Result<T, String>
where
    T: for<'de> Deserialize<'de> + Check,
{
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let read = if key.is_empty() {
        T::deserialize(&mut source)
    } else {
        Wrapper { key, of: PhantomData }.deserialize(&mut source)
    };
    let value = read.and_then(|value| source.end().map(|()| value)).map_err(|fault| fault.to_string())?;
    value.check(asked).map_err(|fault| fault.trim_start_matches('.').to_owned())?;
    let whole = serde_json::from_slice(bytes).map_err(|fault| fault.to_string())?;
    twins_agree(&whole)?;
    Ok(value)
}

/// The one key that an answer stands under.
struct Wrapper<T> {
    key: &'static str,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Wrapper<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<T, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Wrapper<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != self.key || found.is_some() {
                return Err(A::Error::custom(format!("`{key}` beside `{}`", self.key)));
            }
            found = Some(map.next_value()?);
        }
        found.ok_or_else(|| A::Error::custom(format!("`{}` is missing", self.key)))
    }
}

/// Plain amounts are in the store's currency: next to `price_set` stands its `shop_money` as `price`.
fn twins_agree(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(entries) => entries.iter().try_for_each(twins_agree),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let plain = key.strip_suffix("_set").and_then(|plain| map.get(plain));
            let of_set = value.pointer("/shop_money/amount");
            if let (Some(plain), Some(of_set)) = (plain.and_then(amount_of), of_set.and_then(amount_of))
                && plain != of_set
            {
                return Err(format!("{key} has {of_set} in the store's currency, and beside it stands {plain}"));
            }
            twins_agree(value)
        }),
        _ => Ok(()),
    }
}

/// An amount as it is compared, whether it is a text or a number.
fn amount_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(without_zeros(text)),
        Value::Number(number) => Some(without_zeros(&number.to_string())),
        _ => None,
    }
}

fn without_zeros(decimal: &str) -> String {
    if !decimal.contains('.') {
        return decimal.to_owned();
    }
    decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Tables of keys: structs that take just these, and check what stands under each.
macro_rules! wire {
    ($($(#[$about:meta])* struct $name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind,)*
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                struct Table;

                impl<'de> serde::de::Visitor<'de> for Table {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("an object, ", stringify!($name)))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        use $crate::shopline_client::wire::{key_of, only_once, or_missing, unknown};

                        $(let mut $field: Option<$kind> = None;)*
                        while let Some(key) = map.next_key::<String>()? {
                            $(if key == key_of(stringify!($field)) {
                                only_once(&key, $field.replace(map.next_value()?).is_none())?;
                                continue;
                            })*
                            return Err(unknown(&key, stringify!($name)));
                        }
                        Ok($name { $($field: or_missing(stringify!($name), stringify!($field), $field)?,)* })
                    }
                }

                source.deserialize_map(Table)
            }
        }

        impl $crate::shopline_client::wire::Check for $name {
            fn check(&self, asked: $crate::shopline_client::wire::Asked) -> Result<(), String> {
                use $crate::shopline_client::wire::key_of;

                let _ = asked;
                $(self.$field.check(asked).map_err(|fault| format!(".{}{fault}", key_of(stringify!($field))))?;)*
                Ok(())
            }
        }
    )*};
}
pub(super) use wire;

/// A key of the wire, of which some are words of Rust.
pub(super) fn key_of(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

pub(super) fn unknown<E: serde::de::Error>(key: &str, of: &str) -> E {
    E::custom(format!("unknown key `{key}` in {of}"))
}

pub(super) fn only_once<E: serde::de::Error>(key: &str, is_first: bool) -> Result<(), E> {
    if is_first { Ok(()) } else { Err(E::custom(format!("`{key}` twice"))) }
}

pub(super) fn or_missing<T: Check, E: serde::de::Error>(
    of: &str,
    field: &'static str,
    found: Option<T>,
) -> Result<T, E> {
    found.or_else(T::when_missing).ok_or_else(|| E::custom(format!("`{}` of {of} is missing", key_of(field))))
}

/// Enums: a text that is one of these words, of which some came later.
macro_rules! words {
    ($($(#[$about:meta])* enum $name:ident { $($variant:ident = $word:literal $(since $date:literal)?,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) enum $name { $($variant,)* }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                match text.as_str() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("`{text}` is no {}", stringify!($name))),
                }
            }
        }

        impl $crate::shopline_client::wire::Check for $name {
            fn check(&self, asked: $crate::shopline_client::wire::Asked) -> Result<(), String> {
                let since = match self {
                    $(Self::$variant => [$($date,)? 0][0],)*
                };
                if asked.version < since { Err(format!(": {self:?} comes with v{since}")) } else { Ok(()) }
            }
        }
    )*};
}
pub(super) use words;

/// Texts of a certain form.
macro_rules! texts {
    ($($(#[$about:meta])* $name:ident: $is_it:expr;)*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let is_it: fn(&str) -> bool = $is_it;
                if is_it(&text) { Ok(Self(text)) } else { Err(format!("`{text}` is no {}", stringify!($name))) }
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

/// Ids: texts of digits. Those that the server makes have a prefix and a length.
macro_rules! ids {
    ($($(#[$about:meta])* $name:ident $prefix:literal $digits:literal: $is_it:expr;)*) => {
        texts! { $($(#[$about])* $name: $is_it;)* }

        $(impl Check for $name {
            fn check(&self, asked: Asked) -> Result<(), String> {
                let is_shaped = self.0.len() == $digits && self.0.starts_with($prefix) && is_digits(&self.0);
                if asked.minted && !is_shaped {
                    let (name, digits) = (stringify!($name), $digits);
                    return Err(format!(": {} is no {name} of {digits} digits from {}", self.0, $prefix));
                }
                Ok(())
            }
        })*
    };
}

ids! {
    /// An order.
    OrderId "210" 26: is_digits;
    /// A payment slip, which a refund pays back to.
    SlipId "230" 26: is_digits;
    /// A refund; the oldest of the platform are `SL201AS…`.
    RefundId "260" 22: |text| is_digits(text) || text.strip_prefix("SL").is_some_and(is_alphanumeric);
    /// A refund's transaction, where it has an id of its own.
    RefundTransactionId "101" 29: is_digits;
    /// A parcel.
    ParcelId "220" 26: is_digits;
    /// A return.
    ReturnId "260" 22: is_digits;
    /// A place with stock.
    LocationId "5" 19: is_digits;
}

texts! {
    /// An id without a known shape.
    Digits: is_digits;
    /// A line: a number in an answer to a created refund, a text of the same digits elsewhere.
    LineId: |text| is_digits(text) && text.parse::<i64>().is_ok();
    /// What a refund has beside its lines: `RAP…` or digits.
    AdjustmentId: |text| is_digits(text.strip_prefix("RAP").unwrap_or(text));
    /// Two decimals, or as many as the currency has where those are more.
    Amount: |text| decimals(text).is_some_and(|count| (2..=4).contains(&count));
    /// A decimal.
    Decimal: |text| decimals(text).is_some();
    /// ISO 4217.
    Currency: |text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    /// Milliseconds since 1970, in digits.
    Millis: |text| text.len() == 13 && is_digits(text);
    /// ISO 8601 with a numeric offset and whole seconds: `2021-08-16T08:27:57+00:00`.
    Time: |text| seconds(text).is_some();
    /// The same, or "" while there is no such time.
    TimeOrEmpty: |text| text.is_empty() || seconds(text).is_some();
    /// A version of the API: `v20220901`.
    Version: |text| date_of(text).is_some();
}

impl Check for Digits {}
impl Check for LineId {}
impl Check for AdjustmentId {}
impl Check for Amount {}
impl Check for Decimal {}
impl Check for Currency {}
impl Check for Millis {}
impl Check for Time {}
impl Check for TimeOrEmpty {}
impl Check for Version {}

impl Time {
    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        seconds(&self.0).expect("it was read")
    }
}

impl Millis {
    /// Milliseconds since 1970.
    pub(crate) fn number(&self) -> i64 {
        self.0.parse().expect("it was read")
    }
}

pub(super) fn is_digits(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// How many decimals a number in plain digits has; `None` for any other text.
fn decimals(text: &str) -> Option<usize> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = unsigned.split_once('.').map_or((unsigned, None), |(whole, part)| (whole, Some(part)));
    let is_plain = is_digits(whole) && (whole == "0" || !whole.starts_with('0')) && part.is_none_or(is_digits);
    is_plain.then(|| part.map_or(0, str::len))
}

/// Seconds since 1970 of a time in the one form that is sent.
fn seconds(text: &str) -> Option<i64> {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd+dd:dd";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b'+' => byte == b'+' || byte == b'-',
        form => byte == *form,
    };
    let is_formed = text.len() == FORM.len() && text.bytes().zip(FORM).all(fits);
    // Whether there is such a day and hour.
    is_formed.then(|| text.parse::<jiff::Timestamp>().ok()).flatten().map(jiff::Timestamp::as_second)
}

/// The date of a version.
pub(super) fn date_of(version: &str) -> Option<u32> {
    version.strip_prefix('v').filter(|date| date.len() == 8 && is_digits(date))?.parse().ok()
}

/// A double: a JSON number in plain digits, of which zeros at the end may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Number")]
pub(crate) struct Double(String);

impl TryFrom<Number> for Double {
    type Error = String;

    fn try_from(number: Number) -> Result<Self, String> {
        let text = number.to_string();
        if decimals(&text).is_some() { Ok(Self(text)) } else { Err(format!("{text} is no number in plain digits")) }
    }
}

impl Check for Double {}

impl Double {
    /// With two decimals at least, as texts of amounts are.
    pub(crate) fn amount(&self) -> String {
        let have = decimals(&self.0).expect("it was read");
        let point = if have == 0 { "." } else { "" };
        format!("{}{point}{}", self.0, "0".repeat(2_usize.saturating_sub(have)))
    }
}

/// What is there from a version on, and not before it.
#[derive(Clone, Debug)]
pub(crate) struct Since<const VERSION: u32, T>(pub(crate) Option<T>);

impl<'de, const VERSION: u32, T: Deserialize<'de>> Deserialize<'de> for Since<VERSION, T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        T::deserialize(source).map(|value| Self(Some(value)))
    }
}

impl<const VERSION: u32, T: Check> Check for Since<VERSION, T> {
    fn when_missing() -> Option<Self> {
        Some(Self(None))
    }

    fn check(&self, asked: Asked) -> Result<(), String> {
        match &self.0 {
            Some(value) if asked.version >= VERSION => value.check(asked),
            None if asked.version < VERSION => Ok(()),
            Some(_) => Err(format!(": it comes with v{VERSION}")),
            None => Err(format!(": missing, from v{VERSION} on")),
        }
    }
}

/// What may be missing.
#[derive(Clone, Debug)]
pub(crate) struct Perhaps<T>(pub(crate) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Perhaps<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        T::deserialize(source).map(|value| Self(Some(value)))
    }
}

impl<T: Check> Check for Perhaps<T> {
    fn when_missing() -> Option<Self> {
        Some(Self(None))
    }

    fn check(&self, asked: Asked) -> Result<(), String> {
        self.0.as_ref().map_or(Ok(()), |value| value.check(asked))
    }
}

/// One of some words, or `null`; never missing.
#[derive(Clone, Debug)]
pub(crate) struct Nullable<T>(pub(crate) Option<T>);

impl<T: Check> Check for Nullable<T> {
    fn check(&self, asked: Asked) -> Result<(), String> {
        self.0.as_ref().map_or(Ok(()), |value| value.check(asked))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Nullable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or null")
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Nullable<T>, E> {
                Ok(Nullable(None))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Nullable<T>, E> {
                T::deserialize(text.into_deserializer()).map(|word| Nullable(Some(word)))
            }
        }

        source.deserialize_any(Either(PhantomData))
    }
}

/// An object without keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Free")]
pub(crate) struct Nothing {}

impl TryFrom<Free> for Nothing {
    type Error = String;

    fn try_from(map: Free) -> Result<Self, String> {
        if map.is_empty() { Ok(Self {}) } else { Err("keys in an object that has none".to_owned()) }
    }
}

impl Check for Nothing {}

wire! {
    /// An amount with its currency.
    struct Money {
        amount: Amount,
        currency_code: Currency,
    }

    /// One amount in the store's currency and in the buyer's.
    struct MoneySet {
        shop_money: Money,
        presentment_money: Money,
    }

    /// The same with numbers, as adjustments have it when they are read.
    struct DoubleMoney {
        amount: Double,
        currency_code: Currency,
    }

    /// See [`DoubleMoney`].
    struct DoubleMoneySet {
        shop_money: DoubleMoney,
        presentment_money: DoubleMoney,
    }

    /// How many there are.
    struct Count {
        count: i64,
    }
}
