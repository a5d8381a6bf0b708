//! The second factor of people who sign in to the console: time-based one-time passwords, RFC 6238 with SHA-1, six digits and steps
//! of 30 seconds, as every authenticator app makes them. The step before and the one after are taken too; a code counts once.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::account::key;
use super::sql::sql;
use super::{Store, StoreError};
use crate::config::Secret;

/// Seconds of a step.
const STEP: i64 = 30;
/// Bytes of a secret: as long as the hash, RFC 4226 section 4.
const LENGTH: usize = 20;

/// A second factor that is being set up: what the app is told.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32, for typing.
    pub secret: Secret,
    /// The same as an address, for a QR code.
    pub uri: Secret,
}

impl Store {
    /// Who has a second factor, by login in lower case.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn second_factors(&self) -> Result<Vec<String>, StoreError> {
        let all = sql("SELECT login FROM second_factor WHERE confirmed = 1");
        self.db.list(all, |row| Ok(row.text(0)?.to_string())).await
    }

    /// Whether a person has a second factor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_second_factor(&self, login: &str) -> Result<bool, StoreError> {
        Ok(self.factor(login).await?.is_some_and(|factor| factor.confirmed))
    }

    /// Makes a secret for a person. It counts once a code of it was given ([`Self::confirm_second_factor`]). `None` when there is one
    /// that counts already.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn begin_second_factor(&self, login: &str) -> Result<Option<Enrolment>, StoreError> {
        let secret = base32(&rand::random::<[u8; LENGTH]>());
        let put = "INSERT INTO second_factor (login, secret, confirmed, last_step) VALUES ($1, $2, 0, 0)
                   ON CONFLICT (login) DO UPDATE SET secret = excluded.secret, last_step = 0 WHERE second_factor.confirmed = 0";
        if self.db.run(sql(put).bind(key(login)).bind(&secret)).await? == 0 {
            return Ok(None);
        }
        let name: String = login.bytes().map(escaped).collect();
        let uri = format!("otpauth://totp/ctigate:{name}?secret={secret}&issuer=ctigate");
        Ok(Some(Enrolment { secret: Secret::new(secret), uri: Secret::new(uri) }))
    }

    /// Whether the code is one of the secret that was made last; then it counts from now on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn confirm_second_factor(&self, login: &str, code: &str, now_ms: i64) -> Result<bool, StoreError> {
        let Some(factor) = self.factor(login).await?.filter(|factor| !factor.confirmed) else { return Ok(false) };
        let Some(step) = factor.step_of(code, now_ms) else { return Ok(false) };
        let confirm = "UPDATE second_factor SET confirmed = 1, last_step = $1 WHERE login = $2 AND confirmed = 0";
        Ok(self.db.run(sql(confirm).bind(step).bind(key(login))).await? == 1)
    }

    /// Whether the code is right now. It will not be a second time.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn check_second_factor(&self, login: &str, code: &str, now_ms: i64) -> Result<bool, StoreError> {
        let Some(factor) = self.factor(login).await?.filter(|factor| factor.confirmed) else { return Ok(false) };
        let Some(step) = factor.step_of(code, now_ms) else { return Ok(false) };
        // Of two who come with the same code at the same time, one finds the step taken.
        let take = "UPDATE second_factor SET last_step = $1 WHERE login = $2 AND last_step < $1";
        Ok(self.db.run(sql(take).bind(step).bind(key(login))).await? == 1)
    }

    /// Takes the second factor away. Says whether there was one that counted.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn remove_second_factor(&self, login: &str) -> Result<bool, StoreError> {
        let had = self.has_second_factor(login).await?;
        self.db.run(sql("DELETE FROM second_factor WHERE login = $1").bind(key(login))).await?;
        Ok(had)
    }

    async fn factor(&self, login: &str) -> Result<Option<Factor>, StoreError> {
        let one = sql("SELECT secret, confirmed, last_step FROM second_factor WHERE login = $1").bind(key(login));
        self.db
            .one(one, |row| {
                let secret = of_base32(&row.text(0)?);
                Ok(Factor { secret, confirmed: row.int(1)? == 1, last_step: row.int(2)? })
            })
            .await
    }
}

struct Factor {
    secret: Vec<u8>,
    confirmed: bool,
    last_step: i64,
}

impl Factor {
    /// The step whose code this is: one of three, and later than the last that was used.
    fn step_of(&self, code: &str, now_ms: i64) -> Option<i64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let now = now_ms.div_euclid(1000).div_euclid(STEP);
        let fits = |step: &i64| {
            let expected = format!("{:06}", number(&self.secret, *step) % 1_000_000);
            bool::from(expected.as_bytes().ct_eq(code.as_bytes())) && *step > self.last_step
        };
        [now - 1, now, now + 1].into_iter().rfind(fits)
    }
}

/// The number of a step before it is cut to digits: RFC 4226 section 5.3.
fn number(secret: &[u8], step: i64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]) & 0x7fff_ffff
}

/// The code that an app shows at a moment.
#[cfg(test)]
pub(crate) fn totp(secret: &str, now_ms: i64) -> String {
    format!("{:06}", number(&of_base32(secret), now_ms.div_euclid(1000).div_euclid(STEP)) % 1_000_000)
}

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648 section 6, without padding: whole groups of five bytes only.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks_exact(5) {
        let all = group.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
        text.extend((0..8).rev().map(|at| char::from(LETTERS[usize::from((all >> (5 * at)) as u8 & 31)])));
    }
    text
}

/// The other way; what is no letter of it is passed over.
fn of_base32(text: &str) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for letter in text.bytes() {
        let Some(value) = LETTERS.iter().position(|l| *l == letter) else { continue };
        held = held << 5 | u32::try_from(value).unwrap_or(0);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

/// One byte of a login in the path of an address.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::telemetry::Telemetry;

    /// RFC 6238 appendix B: the seconds and the eight digits of SHA-1.
    const VECTORS: [(i64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        for (seconds, digits) in VECTORS {
            assert_eq!(number(b"12345678901234567890", seconds / STEP) % 100_000_000, digits, "{seconds}");
        }
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(of_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), b"12345678901234567890");
    }

    #[test]
    fn a_code_counts_one_step_around_and_never_again() {
        let factor = |last_step| Factor { secret: b"12345678901234567890".to_vec(), confirmed: true, last_step };
        let code = "287082";
        let taken = |seconds: i64| factor(0).step_of(code, seconds * 1000).is_some();
        assert_eq!([0, 29, 30, 59, 60, 89, 90].map(taken), [true, true, true, true, true, true, false]);
        assert!(factor(0).step_of("287 082", 59_000).is_some(), "apps show it in two halves");
        assert_eq!(factor(1).step_of(code, 59_000), None, "its step was used");
        for wrong in ["", "287083", "94287082", "28708", "２８７０８２"] {
            assert_eq!(factor(0).step_of(wrong, 59_000), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_second_factor_counts_once_it_was_confirmed() {
        let config = config::Store { url: "sqlite::memory:".parse().unwrap(), ..config::Store::default() };
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        let made = store.begin_second_factor("Иванов").await.unwrap().unwrap();
        assert!(made.uri.expose().contains(&format!("?secret={}&issuer=ctigate", made.secret.expose())));
        assert!(made.uri.expose().starts_with("otpauth://totp/ctigate:%D0%98"), "{}", made.uri.expose());
        let secret = of_base32(made.secret.expose());
        let code = |seconds: i64| format!("{:06}", number(&secret, seconds / STEP) % 1_000_000);
        let at = |seconds: i64| seconds * 1000;
        assert!(!store.check_second_factor("иванов", &code(300), at(300)).await.unwrap(), "not confirmed");
        assert!(!store.confirm_second_factor("иванов", "000000", at(300)).await.unwrap() || code(300) == "000000");
        assert!(store.confirm_second_factor("иванов", &code(300), at(300)).await.unwrap());
        assert!(!store.check_second_factor("иванов", &code(300), at(300)).await.unwrap(), "used to confirm");
        assert!(store.begin_second_factor("иванов").await.unwrap().is_none(), "one counts already");
        assert!(store.check_second_factor("иванов", &code(330), at(330)).await.unwrap());
        assert!(!store.check_second_factor("иванов", &code(330), at(331)).await.unwrap(), "a second time");
        assert!(store.remove_second_factor("иванов").await.unwrap());
        assert!(!store.has_second_factor("иванов").await.unwrap());
    }
}
