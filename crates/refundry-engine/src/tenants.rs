//! Stores and tokens: who may call, and what for.

use refundry_core::order::Id;
use refundry_store::stores::{self, StoreRecord};
use refundry_store::tokens::{self, TokenRecord};
use refundry_store::{Store, StoreError, Tx};
use sha2::{Digest, Sha256};

/// A caller whose token works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The store it may touch, and no other.
    pub store: StoreRecord,
    /// Hash of its token.
    pub hash: String,
    /// Codes of what it may do.
    pub scopes: Vec<String>,
    /// A live token (Digital River's mode); what is neither `sk_` nor a known live prefix is a test token.
    pub live: bool,
}

/// The caller behind a token; `None` if it does not work.
pub fn authenticate(store: &Store, token: &str) -> Result<Option<Caller>, StoreError> {
    let hash = hash(token.as_bytes());
    let found = store.read(|tx| tokens::find(tx, &hash))?;
    let live = token.starts_with("sk_") && !token.starts_with("sk_test_");
    Ok(found.map(|(record, store)| {
        let scopes = record.scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        Caller { store, hash, scopes, live }
    }))
}

/// Hex of the SHA-256 of some bytes.
pub fn hash(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(bytes);
    // Twice a request: through `write!` it took more instructions than the hash itself.
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A new secret: `sk_test_` or `sk_live_` and 48 hex digits from the system's source of randomness.
pub fn new_secret(live: bool) -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Unavailable { detail: format!("no randomness for a secret: {error}") })?;
    let digits: String = hash(&bytes).chars().take(48).collect();
    Ok(format!("{}{digits}", if live { "sk_live_" } else { "sk_test_" }))
}

pub(crate) fn add_store(tx: &mut Tx<'_>, record: &StoreRecord, id: Id) -> Result<bool, StoreError> {
    if stores::by_handle(tx, &record.handle)?.is_some() {
        return Ok(false);
    }
    let id = i64::try_from(id).map_err(|_| StoreError::defect("a number of ours has at most 18 digits"))?;
    stores::insert(tx, &StoreRecord { id, ..record.clone() })?;
    Ok(true)
}

pub(crate) fn add_token(tx: &mut Tx<'_>, record: &TokenRecord) -> Result<bool, StoreError> {
    if tokens::find(tx, &record.hash)?.is_some() {
        return Ok(false);
    }
    tokens::insert(tx, record)?;
    Ok(true)
}

pub(crate) fn revoke(tx: &mut Tx<'_>, store: i64, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let listed = tokens::list(tx, store)?;
    let Some(record) = listed.iter().find(|t| !id.is_empty() && t.hash.starts_with(id) && id.len() >= 16) else {
        return Ok(false);
    };
    tokens::revoke(tx, store, &record.hash, now_ms)
}
