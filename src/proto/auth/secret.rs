//! Comparing secrets, and keyed signatures.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Whether two secrets are the same. The time taken tells neither where they differ nor how long the expected one is,
/// because their hashes are compared.
pub(super) fn same(given: &str, expected: &str) -> Choice {
    Sha256::digest(given).as_slice().ct_eq(Sha256::digest(expected).as_slice())
}

/// HMAC-SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut inner = [0x36; 64];
    let mut outer = [0x5c; 64];
    for (i, byte) in key.iter().enumerate() {
        inner[i] ^= byte;
        outer[i] ^= byte;
    }
    let inner = Sha256::new().chain_update(inner).chain_update(message).finalize();
    Sha256::new().chain_update(outer).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Test cases 1 and 2; a shorter key is one with zeros behind it.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex::encode(&hmac_sha256(&key, b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(&hmac_sha256(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_the_same_is_the_same() {
        assert!(bool::from(same("secret", "secret")));
        assert!(!bool::from(same("secret", "secret ")));
        assert!(!bool::from(same("", "secret")));
    }
}
