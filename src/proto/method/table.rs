//! All messages in one table, sorted by name when the crate is built; and the groups of events.

use crate::message::Text;

use super::entry::{Class, Message};
use super::{call, chat, conference, custom, dynamic, file, form, link, procedure, queue, redirect, session, user};

const AREAS: [&[Message]; 13] = [
    session::MESSAGES,
    user::MESSAGES,
    call::MESSAGES,
    conference::MESSAGES,
    queue::MESSAGES,
    redirect::MESSAGES,
    custom::MESSAGES,
    chat::MESSAGES,
    file::MESSAGES,
    procedure::MESSAGES,
    dynamic::MESSAGES,
    form::MESSAGES,
    link::MESSAGES,
];

const COUNT: usize = {
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].len();
        area += 1;
    }
    count
};

/// Every message of the protocol, by ascending name.
pub static MESSAGES: [Message; COUNT] = sorted();

/// The message of this name. Allocates nothing.
pub fn find(name: &str) -> Option<&'static Message> {
    place(name).map(|at| &MESSAGES[at])
}

/// Where in [`MESSAGES`] the message of this name stands. Costs the same for every name, known or not, long or short.
pub fn place(name: &str) -> Option<usize> {
    let mut slot = slot(name.as_bytes());
    // Most slots are empty.
    while PLACES[slot] != 0 {
        let at = usize::from(PLACES[slot]) - 1;
        if MESSAGES[at].name == name {
            return Some(at);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
}

/// How many slots the table of places has.
const SLOTS: usize = 1024;

/// Places in [`MESSAGES`] by slot, each plus one; 0: an empty slot.
static PLACES: [u16; SLOTS] = {
    let (all, mut places, mut at) = (sorted(), [0; SLOTS], 0);
    while at < COUNT {
        let mut slot = slot(all[at].name.as_bytes());
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        at += 1;
        places[slot] = at as u16;
    }
    places
};

/// The slot where the search for a name begins: of its length and four of its letters.
const fn slot(name: &[u8]) -> usize {
    let n = name.len();
    if n < 4 {
        return n;
    }
    let letters = [name[0], name[n / 2], name[n - 4], name[n - 1]];
    (u32::from_le_bytes(letters) ^ n as u32).wrapping_mul(0x9e37_79b1) as usize >> 22
}

/// The name that a reply to this message has: what the catalogue says, else the name with `result` behind it.
pub fn reply_name(name: &str) -> Text {
    match find(name).and_then(|message| message.reply) {
        Some(reply) => Text::from_static(reply),
        None => format!("{name}result").into(),
    }
}

/// Whether a message of this name answers another, so that nothing is answered to it.
pub fn is_reply(name: &str) -> bool {
    match find(name) {
        Some(message) => message.class == Class::Reply,
        None => name.ends_with("result"),
    }
}

/// Several events under one name for `subscribeevent`.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The name.
    pub name: &'static str,
    /// The events.
    pub members: &'static [&'static str],
}

/// The groups of events.
pub static GROUPS: [Group; 5] = [
    Group { name: "dynamic", members: &["executemethod", "cancelmethod"] },
    Group { name: "dynamicwaitabort", members: &["executemethodwaitaborted"] },
    Group {
        name: "chat",
        members: &[
            "chatcreated",
            "chatmessage",
            "chatmessageviewed",
            "chatmemberadded",
            "chatmemberremoved",
            "chatnamechanged",
        ],
    },
    Group {
        name: "dlgcard",
        members: &[
            "dlgcard_showreserve",
            "dlgcard_showconfirm",
            "dlgcard_showformdialog",
            "dlgcard_showformstop",
            "dlgcard_closereserve",
            "dlgcard_closeformreturnvalues",
            "dlgcard_closeformreturncomment",
            "dlgcard_closeall",
        ],
    },
    Group {
        name: "phoneevent",
        members: &[
            "phoneevent_acmcallstarted",
            "phoneevent_acmcallstopped",
            "phoneevent_ringstarted",
            "phoneevent_ringstopped",
            "phoneevent_ivrstarted",
            "phoneevent_ivrstopped",
            "phoneevent_commstarted",
            "phoneevent_commstopped",
            "phoneevent_faxstarted",
            "phoneevent_faxstopped",
            "phoneevent_faxreceived",
        ],
    },
];

/// The most names that one `subscribeevent` may bring.
pub const SUBSCRIBE_MAX: usize = 256;

/// The group of this name.
pub fn group(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// Sorts at build time, so that an area may list its messages in the order that reads best.
const fn sorted() -> [Message; COUNT] {
    let mut all = [AREAS[0][0]; COUNT];
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut row = 0;
        while row < AREAS[area].len() {
            let message = AREAS[area][row];
            let mut at = count;
            while at > 0 && before(message.name, all[at - 1].name) {
                all[at] = all[at - 1];
                at -= 1;
            }
            all[at] = message;
            count += 1;
            row += 1;
        }
        area += 1;
    }
    all
}

const fn before(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

// What must hold between the rows is checked when the crate is built: names are unique, a call has a reply.
const _: () = {
    let all = sorted();
    let mut i = 0;
    while i < COUNT {
        assert!(i == 0 || before(all[i - 1].name, all[i].name), "a name stands twice in the catalogue");
        assert!(!matches!(all[i].class, Class::Call) || all[i].reply.is_some(), "a call without a reply");
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for message in &MESSAGES {
            assert_eq!(find(message.name).map(|m| m.name), Some(message.name));
        }
        for unknown in ["", "a", "Login", "loginresul", "loginresultx", "zzz"] {
            assert!(find(unknown).is_none(), "{unknown}");
        }
        let longest = PLACES.split(|place| *place == 0).map(<[u16]>::len).max();
        assert!(longest.is_some_and(|n| n < 12), "a name is looked for in {longest:?} slots")
    }

    #[test]
    fn a_reply_is_named_by_the_catalogue_or_by_the_rule() {
        assert_eq!(reply_name("ping"), "pong");
        assert_eq!(reply_name("login"), "loginresult");
        assert_eq!(reply_name("nosuchmethod"), "nosuchmethodresult");
    }
}
