//! Words that an order is found by: its number, its goods, its people.
//!
//! A term is a text of some kind, written in small letters and cut to a bounded length, and so is what is looked for:
//! lists of orders compare terms, whole or by their beginning. What names and titles say is kept once from each of its
//! words on (`blue cotton shirt`, `cotton shirt`, `shirt`), so that a phrase is found wherever it begins.

use std::collections::{BTreeMap, BTreeSet};

use crate::order::Order;

/// Characters of a term; more are cut off, of what is looked for too.
pub const TERM_CHARS_MAX: usize = 64;
/// Phrases of one kind that an order is found by; more are not looked at.
pub const PHRASES_MAX: usize = 64;

/// A text that an order is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// What it is.
    pub kind: TermKind,
    /// As [`folded`] makes it; never empty.
    pub text: String,
}

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TermKind {
    /// What people call the order.
    Number,
    /// Stock keeping unit of a line.
    Sku,
    /// Product of a line, by the platform's id.
    Product,
    /// Title of a line, from one of its words on.
    Title,
    /// Where it is stocked, by our number of the place.
    Location,
    /// Who bought it, by the platform's id.
    Customer,
    /// The buyer's e-mail address.
    CustomerEmail,
    /// The e-mail address that goods go to.
    ShippingEmail,
    /// The phone number that goods go to.
    ShippingPhone,
    /// Where it was ordered from.
    BrowserIp,
    /// Product of a line, by the merchant's own name.
    Spu,
    /// A tag.
    Tag,
    /// Where it was sold.
    Platform,
    /// How far the buyer was won back, in the platform's word.
    Recovery,
    /// Name of a person, from one of its words on.
    Name,
    /// Where it is stocked, by the platform's id.
    Place,
    /// The buyer's phone number.
    CustomerPhone,
}

impl TermKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Number,
        Self::Sku,
        Self::Product,
        Self::Title,
        Self::Location,
        Self::Customer,
        Self::CustomerEmail,
        Self::ShippingEmail,
        Self::ShippingPhone,
        Self::BrowserIp,
        Self::Spu,
        Self::Tag,
        Self::Platform,
        Self::Recovery,
        Self::Name,
        Self::Place,
        Self::CustomerPhone,
    ];

    /// Whether the facts of an order tell it; else only the document that it was read from does.
    pub const fn is_of_facts(self) -> bool {
        match self {
            Self::Number | Self::Sku | Self::Product | Self::Title | Self::Location => true,
            Self::Customer
            | Self::CustomerEmail
            | Self::ShippingEmail
            | Self::ShippingPhone
            | Self::BrowserIp
            | Self::Spu
            | Self::Tag
            | Self::Platform
            | Self::Recovery
            | Self::Name
            | Self::Place
            | Self::CustomerPhone => false,
        }
    }
}

/// What documents say of an order, as it is told anew or in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermChange {
    /// All of it.
    Anew(Vec<Term>),
    /// Some kinds of it, and more of others.
    Changed {
        /// What was told of these kinds counts no more.
        gone: Vec<TermKind>,
        /// What is told beside.
        more: Vec<Term>,
    },
}

impl TermChange {
    /// What is told in all, after what was known.
    pub fn after(&self, known: impl IntoIterator<Item = Term>) -> Vec<Term> {
        match self {
            Self::Anew(terms) => terms.clone(),
            Self::Changed { gone, more } => {
                let stays = known.into_iter().filter(|term| !gone.contains(&term.kind));
                stays.chain(more.iter().cloned()).collect::<BTreeSet<Term>>().into_iter().collect()
            }
        }
    }

    /// This, and then the other.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        match (self, next) {
            (_, Self::Anew(terms)) => Self::Anew(terms),
            (Self::Anew(terms), changed @ Self::Changed { .. }) => Self::Anew(changed.after(terms)),
            (Self::Changed { mut gone, more: known }, changed @ Self::Changed { .. }) => {
                let more = changed.after(known);
                if let Self::Changed { gone: next, .. } = changed {
                    gone.extend(next);
                }
                Self::Changed { gone, more }
            }
        }
    }
}

/// Terms in the making: each once, nothing empty.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    terms: BTreeSet<Term>,
    /// How many phrases there are of titles, and of names.
    phrases: BTreeMap<TermKind, usize>,
}

impl Terms {
    /// What the facts of an order say.
    pub fn of(order: &Order) -> Self {
        let mut terms = Self::default();
        terms.add(TermKind::Number, &order.number);
        for line in &order.lines {
            terms.add(TermKind::Sku, &line.sku);
            terms.add(TermKind::Product, &line.product_id);
            terms.add_phrases(TermKind::Title, &line.title);
        }
        if let Some(place) = order.life.location {
            terms.add(TermKind::Location, &place.to_string());
        }
        terms
    }

    /// Adds a text as a whole.
    pub fn add(&mut self, kind: TermKind, text: &str) {
        let text = folded(text);
        if !text.is_empty() {
            self.terms.insert(Term { kind, text });
        }
    }

    /// Adds a text once from each of its words on, as long as there is room for more of its kind.
    pub fn add_phrases(&mut self, kind: TermKind, text: &str) {
        let text = spaced(text);
        let mut in_word = false;
        for (at, letter) in text.char_indices() {
            let begins = letter.is_alphanumeric() && !in_word;
            in_word = letter.is_alphanumeric();
            let phrases = self.phrases.entry(kind).or_default();
            if !begins || *phrases >= PHRASES_MAX {
                continue;
            }
            let phrase = Term { kind, text: text.get(at..).map(cut).unwrap_or_default() };
            *phrases = phrases.saturating_add(usize::from(self.terms.insert(phrase)));
        }
    }

    /// All of them, in order.
    pub fn into_set(self) -> BTreeSet<Term> {
        self.terms
    }

    /// All of them, in order.
    pub fn into_vec(self) -> Vec<Term> {
        self.terms.into_iter().collect()
    }
}

/// A text as terms are compared: small letters, one space between words, nothing unprintable, of bounded length.
pub fn folded(text: &str) -> String {
    cut(&spaced(text))
}

fn spaced(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

/// Without a space at the end: an older cut must not differ from a text that was this short.
fn cut(text: &str) -> String {
    let end = text.char_indices().nth(TERM_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(terms: Terms) -> Vec<String> {
        terms.into_vec().into_iter().map(|term| term.text).collect()
    }

    #[test]
    fn texts_are_folded_and_cut() {
        assert_eq!(folded("  Blue\tCotton\u{0}SHIRT "), "blue cotton shirt");
        assert_eq!(folded("Ärger ŒUVRE"), "ärger œuvre");
        assert_eq!(folded(&"ä".repeat(100)).chars().count(), TERM_CHARS_MAX);
        assert_eq!(folded(" \n"), "");
        assert_eq!(folded(&folded("A  b")), "a b");
    }

    #[test]
    fn a_phrase_begins_with_each_word() {
        let mut terms = Terms::default();
        terms.add_phrases(TermKind::Title, "Blue T-Shirt (large)");
        assert_eq!(texts(terms), ["blue t-shirt (large)", "large)", "shirt (large)", "t-shirt (large)"]);
        let mut terms = Terms::default();
        terms.add_phrases(TermKind::Title, &(0..200).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "));
        assert_eq!(texts(terms).len(), PHRASES_MAX);
    }

    #[test]
    fn nothing_is_no_term() {
        let mut terms = Terms::default();
        terms.add(TermKind::Sku, " ");
        terms.add_phrases(TermKind::Name, "- -");
        assert_eq!(texts(terms), Vec::<String>::new());
    }
}
