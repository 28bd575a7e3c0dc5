//! Tells code, comments and literals of a Rust file apart, so that a house rule never trips over its own description.
//!
//! A scanner, not a parser: it knows where literals and comments begin and end and nothing about what the code means.

use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// A Rust file with the kind of every character known.
pub(crate) struct RustText {
    chars: Vec<char>,
    kinds: Vec<Kind>,
    literals: Vec<Range<usize>>,
}

impl RustText {
    pub(crate) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut text = Self { kinds: vec![Kind::Code; chars.len()], chars, literals: Vec::new() };
        let mut at = 0;
        while at < text.chars.len() {
            at = text.scan(at);
        }
        text
    }

    /// The file with comments and literals blanked out, line breaks kept.
    pub(crate) fn code(&self) -> String {
        self.only(&[Kind::Code])
    }

    /// The file with only the literals blanked out, line breaks kept.
    pub(crate) fn code_and_comments(&self) -> String {
        self.only(&[Kind::Code, Kind::Comment])
    }

    /// Every string literal, without prefix and quotes, with the line it starts on (from 1).
    pub(crate) fn string_literals(&self) -> Vec<(usize, String)> {
        let line_of = |at: usize| 1 + self.chars[..at].iter().filter(|c| **c == '\n').count();
        let inner = |literal: &Range<usize>| {
            let text: String = self.chars[literal.clone()].iter().collect();
            let after_quote = text.split_once('"').map_or("", |(_, rest)| rest);
            after_quote.rsplit_once('"').map_or(after_quote, |(inner, _)| inner).to_owned()
        };
        self.literals.iter().map(|literal| (line_of(literal.start), inner(literal))).collect()
    }

    fn only(&self, wanted: &[Kind]) -> String {
        let keep = |(c, kind): (&char, &Kind)| {
            if *c == '\n' || wanted.contains(kind) { *c } else { ' ' }
        };
        self.chars.iter().zip(&self.kinds).map(keep).collect()
    }

    /// Classifies what begins at `at` and returns where the next thing begins.
    fn scan(&mut self, at: usize) -> usize {
        let (kind, end) = match (self.chars[at], self.peek(at + 1)) {
            ('/', Some('/')) => (Kind::Comment, self.find(at, |c| c == '\n')),
            ('/', Some('*')) => (Kind::Comment, self.block_comment_end(at)),
            ('\'', _) => match self.char_literal_end(at) {
                Some(end) => (Kind::Literal, end),
                None => (Kind::Code, at + 1),
            },
            ('"', _) => (Kind::Literal, self.string_end(at)),
            (c, _) if is_word(c) => {
                let end = self.find(at, |c| !is_word(c));
                self.prefixed_string_end(at, end).map_or((Kind::Code, end), |end| (Kind::Literal, end))
            }
            _ => (Kind::Code, at + 1),
        };
        if kind == Kind::Literal && self.chars[at] != '\'' {
            self.literals.push(at..end);
        }
        self.kinds[at..end].fill(kind);
        end
    }

    /// The end of a string whose prefix is the word from `at` to `end`: `b"`, `c"`, `r"`, `r##"`, `br"` and the like.
    fn prefixed_string_end(&self, at: usize, end: usize) -> Option<usize> {
        let prefix: String = self.chars[at..end].iter().collect();
        match prefix.as_str() {
            "b" | "c" if self.peek(end) == Some('"') => Some(self.string_end(end)),
            "r" | "br" | "cr" => {
                let quote = self.find(end, |c| c != '#');
                (self.peek(quote) == Some('"')).then(|| self.raw_string_end(quote, quote - end))
            }
            _ => None,
        }
    }

    fn string_end(&self, quote: usize) -> usize {
        let mut at = quote + 1;
        loop {
            match self.peek(at) {
                None => return self.chars.len(),
                Some('"') => return at + 1,
                Some('\\') => at = (at + 2).min(self.chars.len()),
                Some(_) => at += 1,
            }
        }
    }

    fn raw_string_end(&self, quote: usize, hashes: usize) -> usize {
        let mut at = quote + 1;
        loop {
            at = self.find(at, |c| c == '"') + 1;
            if at >= self.chars.len() {
                return self.chars.len();
            }
            if (at..at + hashes).all(|at| self.peek(at) == Some('#')) {
                return at + hashes;
            }
        }
    }

    /// `'a'` and `'\n'` are literals, `'a` is a lifetime.
    fn char_literal_end(&self, quote: usize) -> Option<usize> {
        match (self.peek(quote + 1)?, self.peek(quote + 2)?) {
            ('\\', _) => Some((self.find(quote + 3, |c| c == '\'') + 1).min(self.chars.len())),
            (_, '\'') => Some(quote + 3),
            _ => None,
        }
    }

    fn block_comment_end(&self, start: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while at < self.chars.len() {
            match (self.chars[at], self.peek(at + 1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 2;
            if depth == 0 {
                return at;
            }
        }
        self.chars.len()
    }

    fn peek(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    /// The first place from `at` on that fulfils `is_end`, or the end of the file.
    fn find(&self, at: usize, is_end: impl Fn(char) -> bool) -> usize {
        (at..self.chars.len()).find(|at| is_end(self.chars[*at])).unwrap_or(self.chars.len())
    }
}

/// Whether a character can be part of a name or a number.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::RustText;

    #[track_caller]
    fn check(text: &str, code: &str, literals: &[&str]) {
        let parsed = RustText::new(text);
        assert_eq!(parsed.code().split_whitespace().collect::<Vec<_>>().join(" "), code);
        let found: Vec<String> = parsed.string_literals().into_iter().map(|(_, literal)| literal).collect();
        assert_eq!(found, literals);
        assert_eq!(parsed.code().matches('\n').count(), text.matches('\n').count(), "line breaks are kept");
    }

    #[test]
    fn literals_and_comments_are_blanked() {
        check("let a = \"x \\\" y\"; b", "let a = ; b", &["x \\\" y"]);
        check("f(r#\"say \"hi\" \"#, b\"z\", br\"\\\", c\"q\")", "f( , , , )", &["say \"hi\" ", "z", "\\", "q"]);
        check("a // \"no\"\nb /* /* c */ \" */ d", "a b d", &[]);
        check("'\\'' '\"' '\\u{41}' x", "x", &[]);
        check("fn f<'a>(x: &'a str) -> &'static str", "fn f<'a>(x: &'a str) -> &'static str", &[]);
        check("for_r\"\" r#type b'x' unfinished \"", "for_r r#type b unfinished", &["", ""]);
        check("r##\"a\"# b\"## c /* open", "c", &["a\"# b"]);
    }

    #[test]
    fn a_literal_knows_its_line() {
        let parsed = RustText::new("\n\nf(\"a\n\nb\", \"c\")");
        assert_eq!(parsed.string_literals(), [(3, "a\n\nb".to_owned()), (5, "c".to_owned())]);
    }
}
