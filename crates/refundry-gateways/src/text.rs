//! Readings of text that several providers share: CSV, dates, decimal amounts, forms. No floats: an amount goes from
//! digits to minor units.

use crate::StatementFault;

/// A CSV file with a header.
pub(crate) struct Table {
    columns: Vec<String>,
    /// The line each row begins at, and its cells.
    rows: Vec<(u64, Vec<String>)>,
}

/// A row of a [`Table`].
#[derive(Clone, Copy)]
pub(crate) struct Row<'t> {
    table: &'t Table,
    /// Where it begins, from 1; the header is line 1.
    pub(crate) line: u64,
    cells: &'t [String],
}

impl Table {
    /// Reads a file as RFC 4180 has it: commas, quotes doubled within quotes, any line end, perhaps a byte order mark.
    pub(crate) fn read(file: &[u8]) -> Result<Table, StatementFault> {
        let text = std::str::from_utf8(file).map_err(|_| StatementFault::whole("it is not text in UTF-8"))?;
        let mut rows = rows_of(text.trim_start_matches('\u{feff}'))?.into_iter();
        let (_, columns) = rows.next().ok_or_else(|| StatementFault::whole("it is empty"))?;
        let table = Table { columns, rows: rows.collect() };
        let width = table.columns.len();
        match table.rows.iter().find(|(_, cells)| cells.len() != width) {
            Some((line, cells)) => {
                let reason = format!("{} cells below a header of {width}", cells.len());
                Err(StatementFault { line: *line, reason })
            }
            None => Ok(table),
        }
    }

    /// Says which of these columns is missing, if one is.
    pub(crate) fn require(&self, columns: &[&str]) -> Result<(), StatementFault> {
        match columns.iter().find(|column| !self.columns.iter().any(|known| known == *column)) {
            Some(column) => Err(StatementFault { line: 1, reason: format!("there is no column {column}") }),
            None => Ok(()),
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, cells)| Row { table: self, line: *line, cells })
    }
}

impl<'t> Row<'t> {
    /// The cell of a column; empty where there is no such column.
    pub(crate) fn get(&self, column: &str) -> &'t str {
        let index = self.table.columns.iter().position(|known| known == column);
        index.and_then(|index| self.cells.get(index)).map_or("", |cell| cell.trim())
    }

    /// What is wrong with this row.
    pub(crate) fn fault(&self, reason: impl Into<String>) -> StatementFault {
        StatementFault { line: self.line, reason: reason.into() }
    }
}

/// The rows of a CSV text, which may differ in length, and the line each begins at. Blank ones are left out.
pub(crate) fn rows_of(text: &str) -> Result<Vec<(u64, Vec<String>)>, StatementFault> {
    let mut rows = Vec::new();
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line += u64::from(character == '\n');
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                cells.push(std::mem::take(&mut cell));
                rows.push((begun, std::mem::take(&mut cells)));
                begun = line;
            }
            other => cell.push(other),
        }
    }
    if quoted {
        return Err(StatementFault { line: begun, reason: "a quote is never closed".to_owned() });
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        rows.push((begun, cells));
    }
    rows.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    Ok(rows)
}

/// Minor units of a decimal such as `-10.5`, for a currency with that many decimals. Further decimals must be zero.
pub(crate) fn minor_units(decimal: &str, decimals: usize) -> Option<i64> {
    let digits = decimal.strip_prefix('-').unwrap_or(decimal);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (kept, beyond) = fraction.split_at(fraction.len().min(decimals));
    if beyond.contains(|c| c != '0') {
        return None;
    }
    let sign = &decimal[..decimal.len() - digits.len()];
    format!("{sign}{whole}{kept:0<decimals$}").parse().ok()
}

/// Epoch milliseconds of a date and time in UTC, `2021-03-01 12:30:00`, also with `T` between, `Z` behind and fractions
/// of a second.
pub(crate) fn epoch_ms(text: &str) -> Option<i64> {
    let (date, time) = text.trim_end_matches('Z').split_once([' ', 'T'])?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if !in_range || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    let ms = format!("{:0<3}", fraction.get(..fraction.len().min(3))?).parse::<i64>().ok()?;
    Some((((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Days between 1 January 1970 and a date of the Gregorian calendar. A year is counted from 1 March, so that the day
/// that some years have more is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_month = (153 * month + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + before_month + day - 1 - 719_468
}

/// A value as it stands in a form or a query.
pub(crate) fn form_encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&crate::signing::to_hex(&[byte]).to_uppercase());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let table = Table::read("\u{feff}id,\"a \"\"b\"\"\"\r\n1,\"x,\ny\"\n\n2,\n".as_bytes()).unwrap();
        let rows: Vec<_> =
            table.rows().map(|row| (row.line, row.get("id"), row.get("a \"b\""), row.get("c"))).collect();
        assert_eq!(rows, [(2, "1", "x,\ny", ""), (5, "2", "", "")]);
        assert_eq!(table.require(&["id", "a \"b\""]), Ok(()));
        assert_eq!(table.require(&["c"]).unwrap_err().to_string(), "line 1: there is no column c");
        for (file, fault) in [
            ("", "it is empty"),
            ("a,b\n1,2\n3\n", "line 3: 1 cells below a header of 2"),
            ("a\n\"1\n", "line 2: a quote is never closed"),
        ] {
            assert_eq!(Table::read(file.as_bytes()).err().unwrap().to_string(), fault);
        }
        assert!(Table::read(b"\xff").is_err());
    }

    #[test]
    fn decimals() {
        for (text, decimals, expected) in [
            ("10.00", 2, Some(1000)),
            ("-10.5", 2, Some(-1050)),
            ("500", 0, Some(500)),
            ("500.00", 0, Some(500)),
            ("5.12", 3, Some(5120)),
            ("0.001", 2, None),
            ("", 2, None),
            ("-", 2, None),
            (".5", 2, None),
            ("1e3", 2, None),
            ("1,000.00", 2, None),
            ("+1", 2, None),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
        ] {
            assert_eq!(minor_units(text, decimals), expected, "{text} {decimals}");
        }
    }

    #[test]
    fn dates() {
        for (text, expected) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("2000-02-29 00:00:00", Some(951_782_400_000)),
            ("2000-03-01T00:00:00Z", Some(951_868_800_000)),
            ("2023-08-25 05:45:18", Some(1_692_942_318_000)),
            ("2026-12-31T23:59:59.25Z", Some(1_798_761_599_250)),
            ("2023-08-25", None),
            ("2023-13-25 05:45:18", None),
            ("2023-08-25 24:00:00", None),
            ("25/08/2023 05:45:18", None),
        ] {
            assert_eq!(epoch_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn forms() {
        assert_eq!(form_encoded("re_1-.~"), "re_1-.~");
        assert_eq!(form_encoded("a b&c=[é]"), "a%20b%26c%3D%5B%C3%A9%5D");
    }
}
