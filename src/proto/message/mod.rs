//! The one message model. A message is a name and an ordered object of parameters ([`Envelope`]); which bytes carry it is
//! the business of [`crate::codec`].
//!
//! Parameters that are objects or arrays may stay unopened ([`Raw`]): bytes that a codec has validated already, passed on
//! as they came when the receiver speaks the same format, opened when somebody reads them.

mod body;
mod close;
mod error;
mod raw;
mod shared;
mod text;
mod value;

use std::hash::{BuildHasherDefault, Hasher};

pub use body::{Body, Envelope, Part, Qid};
pub use close::CloseReason;
pub use error::{CallError, Code};
pub use raw::{Format, Grammar, Kind, Raw};
pub use shared::Shared;
pub use text::Text;
pub use value::{Number, Object, Value};

/// What a peer says of itself in `whoareyou` and `iam`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Introduction {
    /// `type`
    pub kind: Text,
    /// `name`
    pub name: Text,
    /// `version`
    pub version: Text,
    /// What else it says: texts, numbers and flags, as far as they are short and few.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub more: Object,
}

/// The id of a peer (a link's connection or a tab) within one node. Never reused while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct PeerId(pub u64);

/// What a table by [`PeerId`] is hashed with. We give these ids ourselves, one after another: no peer can choose them, so the hash
/// needs no secret and costs nearly nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerHasher(u64);

impl Hasher for PeerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        // An odd factor: neighbours differ in the low bits, which choose the place, and in the high ones, which tell places apart.
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// How tables by [`PeerId`] are hashed.
pub type PeerHash = BuildHasherDefault<PeerHasher>;
