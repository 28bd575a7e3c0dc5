//! Comma-separated values as RFC 4180 writes them, for the files that providers offer. Nothing is guessed: a quotation
//! mark in the wrong place is an error, because what follows it would be read in the wrong columns.

use crate::StatementFault;

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line of the file that it begins in, from 1.
    pub(crate) line: u64,
    pub(crate) fields: Vec<String>,
}

/// Reads a whole file. A mark of the byte order is skipped, and so are blank lines.
pub(crate) fn rows(file: &[u8]) -> Result<Vec<Row>, StatementFault> {
    let text = std::str::from_utf8(file).map_err(|_| StatementFault::whole("the file is not UTF-8"))?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let mut row = Row { line, fields: Vec::new() };
        loop {
            let (field, after) = field(rest, line)?;
            line += field.matches('\n').fold(0, |breaks, _| breaks + 1);
            row.fields.push(field);
            let Some(next) = after.strip_prefix(',') else {
                rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
                break;
            };
            rest = next;
        }
        line += 1;
        if row.fields != [""] {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The first field of a text, and what comes after it: a comma, the end of a line, or nothing.
fn field(text: &str, line: u64) -> Result<(String, &str), StatementFault> {
    let fault = |reason: &str| StatementFault { line, reason: reason.to_owned() };
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let end = if text[..end].ends_with('\r') { end - 1 } else { end };
        let (field, after) = text.split_at(end);
        if field.contains('"') {
            return Err(fault("a quotation mark inside a field without quotation marks"));
        }
        return Ok((field.to_owned(), after));
    };
    let mut field = String::new();
    loop {
        let (part, after) = quoted.split_once('"').ok_or_else(|| fault("a quotation mark that is never closed"))?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                quoted = next;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n") => {
                return Ok((field, after));
            }
            None => return Err(fault("something between a closing quotation mark and the comma")),
        }
    }
}

/// Where columns stand, by name. Spaces in names do not count, because providers are not consistent in them.
pub(crate) struct Columns {
    names: Vec<String>,
}

impl Columns {
    pub(crate) fn new(header: &Row) -> Columns {
        Columns { names: header.fields.iter().map(|name| plain(name)).collect() }
    }

    /// The field of a row in the column of that name; empty where the file has no such column.
    pub(crate) fn get<'r>(&self, row: &'r Row, name: &str) -> &'r str {
        let name = plain(name);
        let place = self.names.iter().position(|known| *known == name);
        place.and_then(|place| row.fields.get(place)).map_or("", |field| field.trim())
    }

    /// The first of these columns that the file has not.
    pub(crate) fn missing<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| !self.names.contains(&plain(name)))
    }
}

fn plain(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_know_their_lines() {
        let read = rows(b"\xef\xbb\xbfa,b\r\n\"x\"\"y\",\"two\nlines\"\n\nlast,").unwrap();
        let row = |line, fields: [&str; 2]| Row { line, fields: fields.map(str::to_owned).to_vec() };
        assert_eq!(read, [row(1, ["a", "b"]), row(2, ["x\"y", "two\nlines"]), row(5, ["last", ""])]);
        assert_eq!(rows(b"").unwrap(), []);
    }

    #[test]
    fn columns_by_name() {
        let read = rows(b"A  B,C\n1, 2 ").unwrap();
        let columns = Columns::new(&read[0]);
        assert_eq!(
            (columns.get(&read[1], "A B"), columns.get(&read[1], "C"), columns.get(&read[1], "D")),
            ("1", "2", "")
        );
        assert_eq!(columns.missing(&["C", "D"]), Some("D"));
    }

    #[test]
    fn nothing_is_guessed() {
        for (file, line) in [(&b"a\n\"b"[..], 2), (b"a\"b", 1), (b"\"a\"b", 1), (b"\xff", 0)] {
            assert_eq!(rows(file).unwrap_err().line, line, "{file:?}");
        }
    }
}
