//! Secrets at rest: ChaCha20-Poly1305 under a key that never stands in the database.
//!
//! What is encrypted is bound to its place (store, name and driver), so that nobody can move a secret from one gateway
//! to another by editing rows. The key is 32 bytes, written as 64 hexadecimal digits, from the environment or a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use refundry_engine::store::gateways::GatewayRecord;
use refundry_gateways::Settings;
use refundry_gateways::signing::{from_hex, to_hex};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Where the key is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SecretsArgs {
    /// Key of the secrets of gateways, 64 hexadecimal digits; better in the environment or in a file than here
    #[arg(long, env = "REFUNDRY_SECRETS_KEY", hide_env_values = true, value_name = "HEX")]
    pub(super) secrets_key: Option<String>,
    /// File with that key
    #[arg(long, env = "REFUNDRY_SECRETS_KEY_FILE", value_name = "FILE", conflicts_with = "secrets_key")]
    pub(super) secrets_key_file: Option<PathBuf>,
}

/// Encrypts and decrypts the secrets of gateways.
pub(crate) struct Vault {
    key: Option<LessSafeKey>,
}

impl Vault {
    /// The vault of the key that is named, if one is.
    pub(crate) fn open(args: &SecretsArgs) -> anyhow::Result<Self> {
        let text = match (&args.secrets_key, &args.secrets_key_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            (None, None) => return Ok(Self { key: None }),
        };
        // What is wrong with it is told without repeating it.
        let bytes = from_hex(text.trim()).filter(|bytes| bytes.len() == 32);
        let bytes = bytes.context("the key of secrets is 64 hexadecimal digits; `refundry gateway key` makes one")?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| anyhow!("the key of secrets is unusable"))?;
        Ok(Self { key: Some(LessSafeKey::new(key)) })
    }

    /// A new key.
    pub(crate) fn new_key() -> anyhow::Result<String> {
        Ok(to_hex(&random::<32>()?))
    }

    /// Whether there is a key at all.
    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    fn key(&self) -> anyhow::Result<&LessSafeKey> {
        self.key.as_ref().context(
            "secrets of gateways are encrypted, and their key is not known: set REFUNDRY_SECRETS_KEY or \
             REFUNDRY_SECRETS_KEY_FILE",
        )
    }

    /// Encrypts what is secret of a gateway.
    pub(crate) fn seal(&self, record: &GatewayRecord, plain: &[u8]) -> anyhow::Result<String> {
        self.seal_text(&place(record), plain)
    }

    /// Encrypts a text for its place, and for no other.
    pub(crate) fn seal_text(&self, place: &str, plain: &[u8]) -> anyhow::Result<String> {
        let nonce = random::<NONCE_LEN>()?;
        let mut text = plain.to_vec();
        let sealed =
            self.key()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut text);
        sealed.map_err(|_| anyhow!("the secrets cannot be encrypted"))?;
        Ok(to_hex(&[&nonce[..], &text[..]].concat()))
    }

    /// All settings of a gateway, secret ones decrypted.
    pub(crate) fn settings(&self, record: &GatewayRecord) -> anyhow::Result<Settings> {
        let mut settings: BTreeMap<String, String> =
            serde_json::from_str(&record.settings).context("its settings are no JSON object of texts")?;
        if !record.secrets.is_empty() {
            let plain = self.unseal(record)?;
            let secrets: BTreeMap<String, String> =
                serde_json::from_slice(&plain).map_err(|_| anyhow!("its secrets are no JSON object of texts"))?;
            settings.extend(secrets);
        }
        Ok(Settings(settings))
    }

    fn unseal(&self, record: &GatewayRecord) -> anyhow::Result<Vec<u8>> {
        self.unseal_text(&place(record), &record.secrets)
    }

    /// Decrypts a text that was encrypted for this place.
    pub(crate) fn unseal_text(&self, place: &str, sealed: &str) -> anyhow::Result<Vec<u8>> {
        let key = self.key()?;
        let sealed = from_hex(sealed).context("its secrets are not what was encrypted")?;
        ensure!(sealed.len() > NONCE_LEN, "its secrets are cut off");
        let (nonce, text) = sealed.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| anyhow!("its secrets are cut off"))?;
        let mut text = text.to_vec();
        match key.open_in_place(nonce, Aad::from(place), &mut text) {
            Ok(plain) => Ok(plain.to_vec()),
            Err(_) => bail!("its secrets were encrypted under another key, or changed since"),
        }
    }
}

/// What the encryption is bound to.
fn place(record: &GatewayRecord) -> String {
    format!("{}\0{}\0{}", record.store, record.name, record.driver)
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system has no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn vault(key: &str) -> anyhow::Result<Vault> {
        Vault::open(&SecretsArgs { secrets_key: Some(key.to_owned()), secrets_key_file: None })
    }

    pub(in crate::gateways) fn record() -> GatewayRecord {
        GatewayRecord {
            store: 7,
            name: "eu".to_owned(),
            driver: "stripe".to_owned(),
            settings: r#"{"account":"acct_1"}"#.to_owned(),
            secrets: String::new(),
            created_ms: 0,
            updated_ms: 0,
        }
    }

    #[test]
    fn secrets_are_read_at_their_place_and_under_their_key_only() {
        let key = Vault::new_key().unwrap();
        let vault_one = vault(&key).unwrap();
        let mut kept = record();
        kept.secrets = vault_one.seal(&kept, br#"{"secret_key":"sk_live_hush"}"#).unwrap();
        assert!(!kept.secrets.contains(&to_hex(b"hush")), "{}", kept.secrets);
        let settings = vault_one.settings(&kept).unwrap();
        assert_eq!((settings.get("account"), settings.get("secret_key")), ("acct_1", "sk_live_hush"));
        assert_eq!(format!("{settings:?}"), r#"{"account", "secret_key"}"#, "no value is ever printed");

        let moved = [
            GatewayRecord { store: 8, ..kept.clone() },
            GatewayRecord { name: "us".to_owned(), ..kept.clone() },
            GatewayRecord { driver: "http".to_owned(), ..kept.clone() },
            GatewayRecord {
                secrets: kept.secrets.replacen(['0', '1', '2', '3', '4', '5', '6', '7'], "8", 1),
                ..kept.clone()
            },
            GatewayRecord { secrets: "00".to_owned(), ..kept.clone() },
        ];
        for other in moved {
            assert!(vault_one.settings(&other).is_err(), "{other:?}");
        }
        let other_key = vault(&Vault::new_key().unwrap()).unwrap();
        assert!(other_key.settings(&kept).is_err());
        let no_key = Vault::open(&SecretsArgs::default()).unwrap();
        assert!(no_key.settings(&kept).unwrap_err().to_string().contains("REFUNDRY_SECRETS_KEY"));
        assert_eq!(no_key.settings(&record()).unwrap().get("account"), "acct_1", "what has no secrets needs no key");
        assert_ne!(vault_one.seal(&record(), b"x").unwrap(), vault_one.seal(&record(), b"x").unwrap());
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_repeating_it() {
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            let error = format!("{:#}", vault(wrong).map(|_| ()).unwrap_err());
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
        assert!(vault(&format!(" {}\n", "0a".repeat(32))).is_ok());
    }
}
