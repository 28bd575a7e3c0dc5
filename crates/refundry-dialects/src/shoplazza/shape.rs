//! Lays stored values over a shape, so that every key is there with the type that clients declare for it.

use serde_json::{Map, Value};

/// The shape with the stored values in it, key by key.
///
/// What is stored counts where its type is the shape's, or can be written as it: numbers as text, texts with a whole
/// number as a number. `null` counts as not stored, and keys that the shape does not have stay out. An empty object
/// takes any keys, an empty list any entries, and a shape of `null` any text.
pub(super) fn fit(shape: &Value, stored: &Value) -> Value {
    match (shape, stored) {
        (Value::Object(shape), Value::Object(stored)) if shape.is_empty() => Value::Object(stored.clone()),
        (Value::Object(keys), Value::Object(stored)) => {
            let fitted = keys.iter().map(|(key, shape)| (key.clone(), fit_key(shape, stored.get(key))));
            Value::Object(fitted.collect())
        }
        (Value::String(_), Value::Number(number)) => number.to_string().into(),
        (Value::Number(_), Value::String(text)) => {
            text.trim().parse::<i64>().map_or_else(|_| shape.clone(), Value::from)
        }
        (Value::String(_) | Value::Null, Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Array(_), Value::Array(_)) => stored.clone(),
        _ => shape.clone(),
    }
}

fn fit_key(shape: &Value, stored: Option<&Value>) -> Value {
    stored.map_or_else(|| shape.clone(), |stored| fit(shape, stored))
}

/// Fits one key of an object, under whichever of its names the stored object has.
pub(super) fn fit_any(object: &mut Map<String, Value>, key: &str, stored: &Value, names: &[&str]) {
    let found = names.iter().find_map(|name| stored.get(*name).filter(|value| !value.is_null()));
    if let (Some(found), Some(shape)) = (found, object.get(key)) {
        let fitted = fit(shape, found);
        object.insert(key.to_owned(), fitted);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_those_of_the_shape() {
        let shape = json!({"a": "", "b": 0, "c": false, "d": {"e": ""}, "f": {}, "g": [], "h": null, "i": "x"});
        let stored = json!({"a": 1.5, "b": "7", "c": "yes", "d": {"e": "z", "y": 1}, "f": {"k": 1}, "g": [1],
            "h": "n", "i": null, "stranger": 1});
        let fitted = json!({"a": "1.5", "b": 7, "c": false, "d": {"e": "z"}, "f": {"k": 1}, "g": [1], "h": "n",
            "i": "x"});
        assert_eq!(fit(&shape, &stored), fitted);
        assert_eq!(fit(&shape, &json!([])), shape);
    }

    #[test]
    fn a_key_may_be_stored_under_another_name() {
        let mut object = Map::from_iter([("slug".to_owned(), json!(""))]);
        fit_any(&mut object, "slug", &json!({"handle": "cup"}), &["slug", "handle"]);
        assert_eq!(object.get("slug"), Some(&json!("cup")));
    }
}
