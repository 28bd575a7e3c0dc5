//! What stores sign deliveries with: kept in the database under the key of secrets, and opened only to sign.

use anyhow::{Context as _, ensure};
use refundry_core::order::Dialect;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{self, HookAsk, HookDone};
use refundry_engine::store::signing::SigningRecord;

use crate::gateways::Vault;

/// Opens the secrets of stores.
pub(crate) struct Keyring {
    vault: Vault,
    /// The secret of a store that has none of its own: the demo's.
    demo: Option<(i64, &'static str)>,
}

impl Keyring {
    /// A keyring of a vault. `demo` is a store with a secret that everybody knows.
    pub(crate) fn new(vault: Vault, demo: Option<(i64, &'static str)>) -> Self {
        Self { vault, demo }
    }

    /// The secret of a store; `None` where it was not set.
    pub(crate) fn secret(&self, engine: &Engine, store: i64, dialect: Dialect) -> anyhow::Result<Option<Vec<u8>>> {
        match hooks::secret(engine.store(), store, dialect.code())? {
            Some(record) => {
                let opened = self.vault.unseal_text(&place(store, dialect), &record.secret);
                opened.map(Some).context("the secret that deliveries are signed with cannot be read")
            }
            None => Ok(self.demo.filter(|(demo, _)| *demo == store).map(|(_, secret)| secret.into())),
        }
    }

    /// Sets the secret of a store.
    pub(crate) fn set(&self, engine: &Engine, store: i64, dialect: Dialect, secret: &str) -> anyhow::Result<()> {
        ensure!(!secret.is_empty(), "a secret is not empty");
        let now_ms = engine.clock().now_ms();
        let record = SigningRecord {
            store,
            dialect: dialect.code().to_owned(),
            secret: self.vault.seal_text(&place(store, dialect), secret.as_bytes())?,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        let done = engine.call(Job::Hooks { store, ask: Box::new(HookAsk::PutSecret(record)) })?;
        ensure!(matches!(done, Outcome::Hooks(HookDone::Kept)), "the writer answered something else than was asked");
        Ok(())
    }
}

/// What the encryption is bound to.
fn place(store: i64, dialect: Dialect) -> String {
    format!("signing\0{store}\0{}", dialect.code())
}
