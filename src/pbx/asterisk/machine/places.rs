//! The places of the dialplan to which the gateway sends channels, and the names by which it knows its own again. They stand
//! in `dialplan/extensions_cti.conf`.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{ConferenceId, Sequence};
use uuid::Uuid;

/// The context of the places below.
pub(super) const CONTEXT: &str = "cti";
/// Somebody who has put the others aside waits.
pub(super) const WAIT: &str = "wait";
/// Somebody who was put aside hears music.
pub(super) const HOLD: &str = "hold";
/// Goes into the conference room `CTI_CONF`.
pub(super) const CONF: &str = "conf";
/// Talks with the channel `CTI_BRIDGE_CHAN`.
pub(super) const BRIDGE: &str = "bridge";
/// Goes back to who was put aside, else hangs up.
pub(super) const LEFT: &str = "left";
/// Listens in to the channel `CTI_SPY`.
pub(super) const SPY: &str = "spy";
/// Calls the phone of the user whose number was called first.
pub(super) const OWN: &str = "own";
/// A user who was called first dials the number.
pub(super) const DIAL: &str = "cti-c2c";
/// A user who has put somebody aside dials the number.
pub(super) const CONSULT: &str = "cti-consult";
/// Dials a phone so that it answers by itself.
pub(super) const INTERCOM: &str = "cti-intercom";
/// The context that asks Asterisk's database where the calls of a number go, and the family of keys there.
pub(super) const REDIRECT: &str = "cti-redirect";

/// Whether a context is one of those above.
pub(super) fn is_ours(context: &str) -> bool {
    context == CONTEXT || context.starts_with("cti-")
}

/// What a channel that the gateway made is for, as its `Uniqueid` says. So much is known even after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// The own phone of a user who dials.
    Dial(Sequence),
    /// The far half of the channel that a dialling with the number first begins with.
    Far,
    /// A member of a conference.
    Member,
    /// The member who made the conference.
    Host,
    /// Somebody who listens in.
    Spy,
}

impl Own {
    const WORDS: [(Self, &'static str); 6] = [
        (Self::Dial(Sequence::User), "cti-u-"),
        (Self::Dial(Sequence::Abonent), "cti-a-"),
        (Self::Far, "cti-f-"),
        (Self::Member, "cti-m-"),
        (Self::Host, "cti-h-"),
        (Self::Spy, "cti-s-"),
    ];

    /// The `Uniqueid` of a new channel.
    pub(super) fn uniqueid(self, id: &Uuid) -> String {
        let word = Self::WORDS.iter().find(|(own, _)| *own == self).map_or("cti-", |(_, word)| word);
        format!("{word}{id}")
    }

    /// What the channel with this `Uniqueid` is for, if the gateway made it.
    pub(super) fn of(uniqueid: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, word)| uniqueid.starts_with(word)).map(|(own, _)| *own)
    }
}

/// The name of a conference's room.
pub(super) fn room(id: &ConferenceId) -> String {
    format!("cti-{}", id.0)
}

/// The conference whose room it is, if the gateway made it.
pub(super) fn conference(room: &str) -> Option<ConferenceId> {
    room.strip_prefix("cti-").map(|id| ConferenceId(Text::from(id)))
}

/// An id that is the same whenever it is asked for.
pub(super) fn guid(system: &str, kind: &str, of: &str) -> Text {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_OID, system.as_bytes());
    Uuid::new_v5(&space, format!("{kind} {of}").as_bytes()).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_stands_in_the_dialplan() {
        let text = super::super::dialplan("office");
        for exten in [WAIT, HOLD, CONF, BRIDGE, LEFT, SPY, OWN] {
            assert!(text.contains(&format!("\nexten => {exten},1,")), "{exten}");
        }
        for context in [CONTEXT, DIAL, CONSULT, INTERCOM, REDIRECT] {
            assert!(text.contains(&format!("\n[{context}]\n")), "{context}");
            assert!(is_ours(context));
        }
        assert!(text.contains("Goto(office,${EXTEN},1)") && text.contains("Local/${EXTEN}@office/n"));
        assert!(!text.contains("@CONTEXT@"));
    }

    #[test]
    fn a_channel_says_what_it_is_for() {
        let id = Uuid::from_u128(7);
        for (own, _) in Own::WORDS {
            assert_eq!(Own::of(&own.uniqueid(&id)), Some(own));
        }
        assert_eq!(Own::of("1795290174.0"), None);
        let id = ConferenceId("7f".into());
        assert_eq!(conference(&room(&id)), Some(id));
        assert_eq!(conference("7010"), None);
    }
}
