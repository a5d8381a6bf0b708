//! What a Hub is made of: accounts, links and rules, as the configuration or a store gave them.

use std::time::Duration;

use super::rights::Rights;
use crate::message::{Format, Object, Shared, Text};
use crate::method::{self, Class, Flow};

/// Everything a Hub is told at its beginning.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seeds ids and sessions. Must come from the system's generator: session ids are as secret as it is.
    pub seed: [u8; 32],
    /// The wall clock at [`crate::Time::ZERO`], milliseconds since 1970.
    pub wall_ms: i64,
    /// The ports that `getversion` names: plain and TLS.
    pub web_ports: (u16, u16),
    /// The accounts. Logins, ids and numbers are unique.
    pub accounts: Vec<Account>,
    /// The links, in the order of the configuration.
    pub links: Vec<LinkSettings>,
    /// The form rules.
    pub forms: Vec<FormRule>,
    /// Numbers that belong to nobody: queues and groups.
    pub numbers: Vec<GroupNumber>,
    /// The reasons of a break; the first is taken when a break names none.
    pub breaks: Vec<BreakReason>,
    /// The stored procedures.
    pub procedures: Vec<Procedure>,
    /// Seconds east of UTC at a moment given in milliseconds since 1970: the gateway's local time.
    pub utc_offset: fn(i64) -> i32,
    /// The bounds.
    pub limits: Limits,
    /// How open forms are written for keeping and read back (JSON), and how long messages are: from the codec.
    pub notation: Notation,
}

/// What of the [`Settings`] may be others while a node runs ([`super::Input::Reconfigure`]). All else stays as at the beginning.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Choices {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The links.
    pub links: Vec<LinkSettings>,
    /// The form rules.
    pub forms: Vec<FormRule>,
    /// Numbers that belong to nobody.
    pub numbers: Vec<GroupNumber>,
    /// The reasons of a break.
    pub breaks: Vec<BreakReason>,
    /// The stored procedures.
    pub procedures: Vec<Procedure>,
    /// The bounds. What is over a new bound already is not taken away.
    pub limits: Limits,
}

impl From<Settings> for Choices {
    fn from(settings: Settings) -> Self {
        let Settings { accounts, links, forms, numbers, breaks, procedures, limits, .. } = settings;
        Self { accounts, links, forms, numbers, breaks, procedures, limits }
    }
}

/// What the Hub has to know of formats. It knows none itself; the shell lends it the codec.
#[derive(Clone, Copy, Debug)]
pub struct Notation {
    /// An object as text.
    pub write: fn(&Object) -> Text,
    /// The object, if the text is one.
    pub read: fn(&Text) -> Option<Object>,
    /// How many bytes a message takes in a format: `codec::outgoing::size`.
    pub size: fn(&Shared, Format) -> usize,
}

/// Bounds of the Hub's tables.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Calls of one tab that wait for an answer.
    pub in_flight_tab: usize,
    /// Longest event to a tab, bytes: a tab takes what it may send.
    pub tab_event: usize,
    /// Calls to or from one link that wait for an answer.
    pub in_flight_link: usize,
    /// Direct tabs of one user.
    pub tabs_per_user: usize,
    /// Users logged in at a time; 0: no limit.
    pub max_users: usize,
    /// Open forms of one user; the oldest closes when one more opens.
    pub forms_per_user: usize,
    /// Sessions of one user; the oldest ends when one more begins.
    pub sessions_per_user: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tab_event: 1 << 20,
            in_flight_tab: 256,
            in_flight_link: 4096,
            tabs_per_user: 100,
            max_users: 0,
            forms_per_user: 64,
            sessions_per_user: 128,
        }
    }
}

/// One person.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// `userid`: a GUID in lower case.
    pub id: Text,
    /// The login.
    pub login: Text,
    /// The display name.
    pub name: Text,
    /// The number; empty: none.
    pub number: Text,
    /// The id of the number: a GUID.
    pub number_id: Text,
    /// The department; empty: none.
    pub department: Text,
    /// The id of the department: a GUID, zero for none.
    pub department_id: Text,
    /// The role, in the word of the configuration.
    pub role: Text,
    /// What the person may do.
    pub rights: Rights,
    /// Whether the person must choose another password before anything else.
    pub must_change_password: bool,
    /// Whether programs may start and end calls in this person's name.
    pub api_calls: bool,
    /// Logins of the subordinates.
    pub subordinates: Vec<Text>,
}

/// A stored procedure that may be run by name.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Procedure {
    /// Its name in lower case.
    pub name: Text,
    /// The roles that may run it; empty: whoever has the right `procedures`.
    pub roles: Vec<Text>,
    /// The names of its parameters in lower case.
    pub parameters: Vec<Text>,
}

/// A number of a queue or group.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct GroupNumber {
    /// The number.
    pub number: Text,
    /// Its id: a GUID.
    pub id: Text,
    /// What people call it.
    pub name: Text,
    /// Logins of those at the queue.
    pub members: Vec<Text>,
}

/// A reason of a break.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct BreakReason {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: Text,
}

/// One link.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LinkSettings {
    /// Its name.
    pub name: Text,
    /// Its mode, for people to see.
    pub mode: Text,
    /// Whether it is posted to.
    pub post: bool,
    /// Logins it is for; `None`: everybody.
    pub users: Option<Vec<Text>>,
    /// Whether a `userlogin` that exists is enough in its tunnel.
    pub trust_users: bool,
    /// What the link may do, and at most its tunnelled users.
    pub rights: Rights,
    /// How long tunnelled users stay when the link is lost.
    pub tunnel_grace: Duration,
    /// Events it does not want.
    pub silent_events: Vec<Text>,
}

impl LinkSettings {
    /// Whether `silent_events` may name this event: one that is sent to links because of the state of users and calls. Those
    /// that belong to a form, a method or the connection itself cannot be left out.
    pub fn can_silence(event: &str) -> bool {
        let needed = ["cancelmethod", "closeform", "executemethod", "executemethodwaitaborted", "multipart", "poll"];
        let told = method::find(event).is_some_and(|m| m.class == Class::Event && m.flows(Flow::GatewayToLink));
        told && !needed.contains(&event)
    }
}

/// Which phone event opens or closes a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The user's phone rings.
    Ring,
    /// The user answered.
    Answer,
    /// The user's part in the call is over, or the call is.
    Hangup,
    /// The call came into a queue (for the users the rule names).
    Queue,
    /// Only on request of the HTTP interface or a scenario.
    Api,
}

impl Trigger {
    /// The word of the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ring" => Self::Ring,
            "answer" => Self::Answer,
            "hangup" => Self::Hangup,
            "queue" => Self::Queue,
            "api" => Self::Api,
            _ => return None,
        })
    }
}

/// Which card a form is for direct tabs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormKind {
    /// "You are reserved": shown, not answered.
    Reserve,
    /// Accept or decline.
    Confirm,
    /// Fields to fill in.
    #[default]
    Dialog,
    /// The closing form of a call: fields, a result and a comment.
    Stop,
}

impl FormKind {
    /// The word of the configuration.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "reserve" => Self::Reserve,
            "confirm" => Self::Confirm,
            "dialog" => Self::Dialog,
            "stop" => Self::Stop,
            _ => return None,
        })
    }

    /// The word of the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Confirm => "confirm",
            Self::Dialog => "dialog",
            Self::Stop => "stop",
        }
    }
}

/// One piece of the template of a form's parameter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Text as it stands.
    Text(Text),
    /// `{caller}`: who calls.
    Caller,
    /// `{called}`: which number was dialled.
    Called,
    /// `{chainid}`: the conversation.
    Chain,
    /// `{user}`: the login of the form's user.
    User,
    /// `{ask.NAME}`: an output of the method asked.
    Ask(Text),
}

/// One `[[form]]` of the configuration.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct FormRule {
    /// The form's name.
    pub name: Text,
    /// What opens it.
    pub on: Trigger,
    /// What closes it.
    pub close_on: Vec<Trigger>,
    /// Logins it is for; empty: everybody whose phone it is.
    pub users: Vec<Text>,
    /// Its input parameters, each as the pieces of its template.
    pub parameters: Vec<(Text, Vec<Piece>)>,
    /// A dynamic method asked before it opens. Its input: those of `parameters` that need no `{ask.…}` and that it declares.
    pub ask: Option<Text>,
    /// Which card it is for direct tabs.
    pub kind: FormKind,
    /// Whether it shows in one tab only.
    pub one: bool,
    /// How long it stays open without an answer.
    pub expire: Duration,
}

impl FormRule {
    /// What a form gets that no rule names: a dialog in all tabs for ten minutes, closed by an answer or by request.
    pub fn default_for(name: Text) -> Self {
        Self {
            name,
            on: Trigger::Api,
            close_on: Vec::new(),
            users: Vec::new(),
            parameters: Vec::new(),
            ask: None,
            kind: FormKind::Dialog,
            one: false,
            expire: Duration::from_secs(600),
        }
    }
}
