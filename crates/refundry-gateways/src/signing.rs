//! Message authentication for requests and deliveries. The arithmetic is `ring`'s; here are only the shapes in which
//! providers write it.

use ring::hmac;

/// A keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Hash {
    fn key(self, key: &[u8]) -> hmac::Key {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, key)
    }

    /// The authentication code of a message given in parts.
    pub fn sign(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key(key));
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    /// Whether a code belongs to a message given in parts. Takes as long for a wrong one as for the right one.
    pub fn verify(self, key: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
        hmac::verify(&self.key(key), &parts.concat(), code).is_ok()
    }
}

/// Lower-case hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Reads hexadecimal digits of either case; `None` if they are none, or an odd number.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().chain(&[0, 0]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digits = [18, 12, 6, 0].map(|shift| char::from(BASE64[bits >> shift & 63]));
        text.extend(digits.iter().take(group.len() + 1));
        text.extend(std::iter::repeat_n('=', 3 - group.len()));
    }
    text
}

/// Reads Base64 with padding; `None` for anything but the one text that these bytes are written as.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| BASE64.iter().position(|known| *known == digit);
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().try_fold(0_usize, |bits, digit| Some(bits << 6 | value(*digit)?))?;
        let bits = bits << (6 * (4 - group.len()));
        let read = [16, 8, 0].map(|shift| u8::try_from(bits >> shift & 255));
        for byte in read.into_iter().take(group.len() - 1) {
            bytes.push(byte.ok()?);
        }
    }
    (to_base64(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test cases 1, 2 and 4 of RFC 4231: key, data, SHA-256, SHA-512 (both shortened to 16 bytes).
    const RFC_4231: &[(&str, &str, &str, &str)] = &[
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b",
            "87aa7cdea5ef619d4ff0b4241a1d6cb0",
        ),
        (
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c7",
            "164b7a7bfcf819e2e395fbe73b56e0a3",
        ),
        (
            "0102030405060708090a0b0c0d0e0f10111213141516171819",
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "82558a389a443c0ea4cc819899f2083a",
            "b0ba465637458c6990e5a8c5f61d4af7",
        ),
    ];

    #[test]
    fn published_codes() {
        for (key, data, sha256, sha512) in RFC_4231 {
            let (key, data) = (from_hex(key).unwrap(), from_hex(data).unwrap());
            let (first, rest) = data.split_at(3);
            for (hash, expected) in [(Hash::Sha256, sha256), (Hash::Sha512, sha512)] {
                let mut code = hash.sign(&key, &[first, rest]);
                assert_eq!(to_hex(&code[..16]), *expected);
                assert!(hash.verify(&key, &[&data], &code));
                assert!(!hash.verify(&key, &[first], &code));
                code[0] ^= 1;
                assert!(!hash.verify(&key, &[&data], &code));
            }
        }
    }

    #[test]
    fn digits() {
        assert_eq!(from_hex("00fFA5").as_deref(), Some(&[0, 255, 165][..]));
        assert_eq!(
            (from_hex("0"), from_hex("0g"), from_hex("é0"), from_hex("").as_deref()),
            (None, None, None, Some(&[][..]))
        );
        assert_eq!(to_hex(&[0, 255, 165]), "00ffa5");
    }

    /// The test vectors of RFC 4648.
    #[test]
    fn base64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(to_base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(from_base64("+/+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
        for wrong in ["Zg", "Zg=", "Zg===", "Zh==", "Z", "Zm9v=", "Zm 9v", "-_-_", "=", "é"] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }
}
