//! Answers as a text shows them, held against real ones. `…` says what may differ; everything else must be as shown,
//! down to the decimals of a number.

use serde_json::Value;

/// Key that stands for all keys that are not shown.
const MORE: &str = "…";
/// A bare `…`: any value, or at the end of a list any further ones. Quoted, it stands for any string only.
const ANYTHING: &str = "……";

/// Whether a line is as shown.
pub(super) fn check_line(shown: &str, line: &str) -> bool {
    let mut pieces = shown.split('…');
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or("")) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// Says where an answer is not as shown.
pub(super) fn check_json(shown: &str, answer: &str) -> Result<(), String> {
    let quoted = quote_dots(shown);
    let shown = serde_json::from_str(&quoted).map_err(|error| format!("what is shown is not JSON: {error}"))?;
    let answer = serde_json::from_str(answer).map_err(|error| format!("the answer is not JSON: {error}"))?;
    check(&shown, &answer, "")
}

fn check(shown: &Value, answer: &Value, at: &str) -> Result<(), String> {
    match (shown, answer) {
        (Value::String(any), _) if any == ANYTHING => Ok(()),
        (Value::String(shown), Value::String(answer)) if check_line(shown, answer) => Ok(()),
        (Value::Object(shown), Value::Object(answer)) => {
            let hidden = answer.keys().find(|key| !shown.contains_key(*key));
            if let Some(key) = hidden.filter(|_| !shown.contains_key(MORE)) {
                return Err(format!("{at}.{key} is not shown"));
            }
            if shown.contains_key(MORE) && hidden.is_none() {
                return Err(format!("{at} is shown as shortened and has no more"));
            }
            let mut shown = shown.iter().filter(|(key, _)| *key != MORE);
            shown.try_for_each(|(key, value)| {
                let found = answer.get(key).ok_or_else(|| format!("{at}.{key} is not there"))?;
                check(value, found, &format!("{at}.{key}"))
            })
        }
        (Value::Array(shown), Value::Array(answer)) => {
            let open = shown.last().is_some_and(|last| last == ANYTHING);
            let shown = if open { &shown[..shown.len() - 1] } else { shown };
            if shown.len() > answer.len() || (!open && shown.len() < answer.len()) {
                return Err(format!("{at} has {} entries, {} are shown", answer.len(), shown.len()));
            }
            let mut pairs = shown.iter().zip(answer).enumerate();
            pairs.try_for_each(|(index, (shown, answer))| check(shown, answer, &format!("{at}[{index}]")))
        }
        (shown, answer) if shown == answer => Ok(()),
        (shown, answer) => Err(format!("{at} is {answer}, shown is {shown}")),
    }
}

/// Makes JSON of what is shown: every bare `…` becomes a string, with a value where it stands for keys.
fn quote_dots(shown: &str) -> String {
    let mut json = String::new();
    let mut open = Vec::new();
    let (mut quoted, mut escaped, mut last) = (false, false, ' ');
    for c in shown.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            match c {
                '"' => quoted = true,
                '{' | '[' => open.push(c),
                '}' | ']' => drop(open.pop()),
                '…' if last != ':' && open.last() == Some(&'{') => json.push_str("\"…\": null"),
                '…' => json.push_str("\"……\""),
                _ => {}
            }
        }
        if quoted || c != '…' {
            json.push(c);
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    json
}

#[test]
fn shortened_answers_are_told_from_wrong_ones() {
    #[track_caller]
    fn case(shown: &str, answer: &str, found: &str) {
        assert_eq!(check_json(shown, answer).err().as_deref().unwrap_or("as shown"), found, "{shown}");
    }
    case(r#"{"a": 1, …}"#, r#"{"a": 1, "b": 2}"#, "as shown");
    case(r#"{"a": 1, …}"#, r#"{"a": 1}"#, " is shown as shortened and has no more");
    case(r#"{"a": 1}"#, r#"{"a": 1, "b": 2}"#, ".b is not shown");
    case(r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#, ".b is not there");
    case(r#"{"a": {"b": 5.0}}"#, r#"{"a": {"b": 5.00}}"#, ".a.b is 5.00, shown is 5.0");
    case(r#"{"a": …, "b": "ref_…"}"#, r#"{"a": [7], "b": "ref_42"}"#, "as shown");
    case(r#"{"a": "…"}"#, r#"{"a": 7}"#, ".a is 7, shown is \"…\"");
    case(r#"["x…z", …]"#, r#"["xyz", 2, 3]"#, "as shown");
    case(r#"["x…z"]"#, r#"["zyx"]"#, "[0] is \"zyx\", shown is \"x…z\"");
    case("[1]", "[1, 2]", " has 2 entries, 1 are shown");
    case(r#"["say \"…\" {"]"#, r#"["say \"so\" {"]"#, "as shown");
}
