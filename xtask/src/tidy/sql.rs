//! Splits SQL into words, as far as the rules need it. Knows nothing of what a statement means.

use crate::rust_text::is_word;

/// A word, a number, a mark or a quoted text, with the line it stands on (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Names and key words in lower case; a parameter (`?1`, `$1`, `{}`) as `?`; a quoted text as `'`.
    pub(super) text: String,
    pub(super) line: usize,
    /// Whether it was written in capitals, as our key words are.
    pub(super) capitals: bool,
}

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    /// A name, or a part of the text that is only filled in at run time (`{name}`).
    pub(super) fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{')
    }

    /// A fragment such as `{lock}`, or a name that is only known at run time.
    pub(super) fn is_filled_in(&self) -> bool {
        self.text.starts_with('{')
    }
}

/// The tokens of a text that begins on `line`. Comments are left out.
pub(super) fn tokens(sql: &str, mut line: usize) -> Vec<Token> {
    let chars: Vec<char> = sql.chars().collect();
    let end_of = |from: usize, is_end: &dyn Fn(char) -> bool| {
        (from..chars.len()).find(|at| is_end(chars[*at])).unwrap_or(chars.len())
    };
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '-' if chars.get(at + 1) == Some(&'-') => end_of(at, &|c| c == '\n'),
            '\'' => end_of(at + 1, &|c| c == '\'') + 1,
            '{' => end_of(at, &|c| c == '}') + 1,
            '?' | '$' => end_of(at + 1, &|c| !c.is_ascii_digit()),
            c if is_word(c) => end_of(at, &|c| !is_word(c)),
            _ => at + 1,
        };
        let end = end.min(chars.len());
        let text: String = chars[at..end].iter().collect();
        let token = match chars[at] {
            '-' if end > at + 1 => None,
            '\'' => Some("'".to_owned()),
            '?' | '$' => Some("?".to_owned()),
            '{' if text == "{}" => Some("?".to_owned()),
            // A continued line of a Rust literal, which we do not unescape otherwise.
            '\\' => None,
            c if c.is_whitespace() => None,
            _ => Some(text.to_lowercase()),
        };
        let capitals = text.chars().all(|c| !c.is_lowercase());
        tokens.extend(token.map(|text| Token { text, line, capitals }));
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

/// Splits where `is_border` holds outside of any parentheses; borders are dropped.
pub(super) fn split(tokens: &[Token], is_border: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && is_border(token) => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// What stands inside of the parentheses that open at the first token, and what follows them.
pub(super) fn inside(tokens: &[Token]) -> Option<(&[Token], &[Token])> {
    let (first, rest) = tokens.split_first()?;
    if !first.is("(") {
        return None;
    }
    let mut depth = 1_usize;
    for (at, token) in rest.iter().enumerate() {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&rest[..at], &rest[at + 1..]));
        }
    }
    None
}

/// Whether the tokens begin with these words.
pub(super) fn starts(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.is(word))
}

/// The tokens without the words they begin with, if they do.
pub(super) fn after<'t>(tokens: &'t [Token], words: &[&str]) -> &'t [Token] {
    if starts(tokens, words) { &tokens[words.len()..] } else { tokens }
}
