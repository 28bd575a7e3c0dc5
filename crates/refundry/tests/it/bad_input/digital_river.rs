//! Soon.
pub(super) fn message(_: u16, _: &serde_json::Value) -> Option<String> {
    None
}
