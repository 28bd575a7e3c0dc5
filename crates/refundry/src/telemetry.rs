//! Logs: one line an event on standard error, readable by itself and with fields. Never bodies, tokens, personal data.

use tracing_subscriber::EnvFilter;

/// Starts logging. `REFUNDRY_LOG` sets the level (`info` by default), `REFUNDRY_LOG_FORMAT=json` the form.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("REFUNDRY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if std::env::var("REFUNDRY_LOG_FORMAT").is_ok_and(|form| form == "json") {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(false).init();
    }
}
