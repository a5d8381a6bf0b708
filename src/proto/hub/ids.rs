//! Ids and session secrets, drawn from a generator that the shell seeded.

use std::hash::{Hash, Hasher};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::message::Text;

/// The GUID of nothing.
pub(super) const ZERO_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// What a replica draws secrets from: they are as long as real ones, and no secrets.
const OF_REPLICA: [u8; 32] = [0; 32];

/// Ids and secrets are drawn apart, so that whoever knows all ids of a node knows none of its secrets.
#[derive(Debug)]
pub(super) struct Ids {
    rng: ChaCha12Rng,
    seed: [u8; 32],
    secrets: ChaCha12Rng,
    /// While what happens is written down: what a replica will draw instead, and the secrets made since they were told last.
    twin: Option<(ChaCha12Rng, Vec<(Text, Text)>)>,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let part = |of: &[u8]| <[u8; 32]>::from(Sha256::new().chain_update(of).chain_update(seed).finalize());
        let secrets = ChaCha12Rng::from_seed(part(b"secrets"));
        let seed = part(b"ids");
        Self { rng: ChaCha12Rng::from_seed(seed), seed, secrets, twin: None }
    }

    /// The ids of the node that this is the seed of, as [`Self::begin_twin`] gave it; secrets of its own.
    pub(super) fn of_replica(seed: [u8; 32]) -> Self {
        let [rng, secrets] = [seed, OF_REPLICA].map(ChaCha12Rng::from_seed);
        Self { rng, seed, secrets, twin: None }
    }

    /// From now on it is noted what a replica will draw for each secret. Gives the replica's seed.
    pub(super) fn begin_twin(&mut self) -> [u8; 32] {
        self.twin = Some((ChaCha12Rng::from_seed(OF_REPLICA), Vec::new()));
        self.seed
    }

    /// The secrets made since this was called last, each with the replica's.
    pub(super) fn take_twins(&mut self) -> Vec<(Text, Text)> {
        self.twin.as_mut().map(|(_, made)| std::mem::take(made)).unwrap_or_default()
    }

    /// A GUID of version 4 (RFC 9562), lower case with dashes.
    pub(super) fn guid(&mut self) -> Text {
        self.execution().text()
    }

    /// The same for an execution.
    pub(super) fn execution(&mut self) -> ExecutionId {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        ExecutionId(u128::from_be_bytes(bytes))
    }

    /// A temporary password: 128 random bits in hex.
    pub(super) fn secret(&mut self) -> Text {
        self.draw::<16>()
    }

    /// A session id: 256 random bits in hex.
    pub(super) fn session(&mut self) -> Text {
        self.draw::<32>()
    }

    fn draw<const BYTES: usize>(&mut self) -> Text {
        let drawn = |from: &mut ChaCha12Rng| {
            let mut bytes = [0; BYTES];
            from.fill_bytes(&mut bytes);
            hex(&bytes)
        };
        let real = drawn(&mut self.secrets);
        if let Some((twin, made)) = &mut self.twin {
            made.push((real.clone(), drawn(twin)));
        }
        real
    }
}

/// The id of an execution: a GUID. Tables hold the number, which is compared and hashed in a moment; peers see the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExecutionId(u128);

impl ExecutionId {
    /// What a peer wrote, in either case. `None`: it is no GUID.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Of this length no other form of a GUID is.
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH)?;
        Some(Self(id.as_u128()))
    }

    /// Lower case with dashes.
    pub(super) fn text(self) -> Text {
        let mut text = [0; Hyphenated::LENGTH];
        Text::from(&*Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}

impl Hash for ExecutionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // All of it is drawn at random; half of it tells more than enough apart.
        state.write_u64(self.0 as u64);
    }
}

/// What of a session id is kept: its SHA-256 in hex.
pub(super) fn session_hash(id: &str) -> Text {
    hex(&Sha256::digest(id.as_bytes()))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> Text {
    let text: Vec<u8> = bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]).collect();
    ascii(&text)
}

fn ascii(bytes: &[u8]) -> Text {
    Text::from(std::str::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_have_their_form_and_differ() {
        let mut ids = Ids::new([7; 32]);
        let (a, b) = (ids.guid(), ids.guid());
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(a.bytes().enumerate().all(|(i, c)| if matches!(i, 8 | 13 | 18 | 23) {
            c == b'-'
        } else {
            c.is_ascii_hexdigit()
        }));
        assert_eq!(ids.session().len(), 64);
    }

    #[test]
    fn a_guid_is_read_in_either_case_and_in_this_form_only() {
        let id = Ids::new([7; 32]).execution();
        let text = id.text();
        assert_eq!([ExecutionId::parse(&text), ExecutionId::parse(&text.to_uppercase())], [Some(id); 2]);
        let other = [
            text.replace('-', ""),
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            text.replace('-', "0"),
            text[1..].to_owned(),
        ];
        assert_eq!(other.map(|text| ExecutionId::parse(&text)), [None; 5]);
    }

    #[test]
    fn a_replica_draws_the_same_ids_and_other_secrets_which_are_known() {
        let mut ids = Ids::new([7; 32]);
        let mut replica = Ids::of_replica(ids.begin_twin());
        for _ in 0..3 {
            assert_eq!(ids.guid(), replica.guid());
            let (real, twin) = (ids.session(), replica.session());
            assert_ne!(real, twin);
            let (real_pass, twin_pass) = (ids.secret(), replica.secret());
            assert_eq!(ids.take_twins(), [(real, twin), (real_pass, twin_pass)]);
        }
    }
}
