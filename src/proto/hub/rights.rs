//! Who may do what: rights by group of methods, roles as sets of rights. `proto-spec/auth.md`.

use crate::method::Right;

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rights(u32);

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);

    /// These rights.
    pub fn of(rights: &[Right]) -> Self {
        Self(rights.iter().fold(0, |set, r| set | bit(*r)))
    }

    /// What a link holds unless it says otherwise, in the order of the specification.
    pub const LINK_DEFAULT: [Right; 7] = {
        use Right::{Call, Conference, Dynamic, Forms, Journal, Queue, State};
        [Call, State, Conference, Queue, Journal, Forms, Dynamic]
    };

    /// What a role holds: `agent`, `supervisor`, `integrator` or `admin`.
    pub fn role(name: &str) -> Option<Self> {
        use Right::{Call, Conference, Dynamic, Files, Forms, Ghost, Journal, Procedures, Queue, State, Users, WebApi};
        let agent = Self::of(&[Call, State, Conference, Queue, Journal, Files, Dynamic, Forms, Users]);
        Some(match name {
            "agent" => agent,
            "supervisor" => agent.with(Ghost),
            "integrator" => agent.with(WebApi).with(Procedures),
            "admin" => Self::of(&Right::ALL),
            _ => return None,
        })
    }

    /// The set of [`Self::LINK_DEFAULT`].
    pub fn link_default() -> Self {
        Self::of(&Self::LINK_DEFAULT)
    }

    /// The rights of these words; what is none is passed over.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        words.into_iter().filter_map(Right::of_word).fold(Self::NONE, Self::with)
    }

    /// The words of the rights in the set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Right::ALL.into_iter().filter(move |right| self.has(*right)).map(Right::word)
    }

    /// Whether the right is in the set.
    pub fn has(self, right: Right) -> bool {
        self.0 & bit(right) != 0
    }

    /// The set and this right.
    #[must_use]
    pub fn with(self, right: Right) -> Self {
        Self(self.0 | bit(right))
    }

    /// The set without this right.
    #[must_use]
    pub fn without(self, right: Right) -> Self {
        Self(self.0 & !bit(right))
    }

    /// The rights in both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

fn bit(right: Right) -> u32 {
    1 << right as u32
}
