//! `[pbx]` and `[pbx.asterisk]`: the telephone system.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keyword::keywords;
use super::web::off_or_address;
use super::{Cidr, Secret};

/// `[pbx]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pbx {
    /// Which telephone system. Default `simulator`.
    pub kind: PbxKind,
    /// A timeline that the simulator plays from the start, a file; empty: none. Default none.
    #[serde(with = "super::maybe_path")]
    pub timeline: Option<PathBuf>,
    /// How many outside lines the simulator has, from 0 to 10000, unless its timeline says otherwise. Default 1000.
    pub lines: usize,
    /// `[pbx.asterisk]`, for `kind = "asterisk"`.
    pub asterisk: Asterisk,
}

keywords! {
    /// The telephone systems.
    PbxKind: "telephone system" {
        /// The simulator that is built in.
        Simulator = "simulator",
        /// Asterisk, by AMI and FastAGI.
        Asterisk = "asterisk",
    }
}

keywords! {
    /// How a ringing phone is made to answer when its user clicks "answer".
    PhoneAnswer: "way to make a phone answer" {
        /// It is rung anew with the headers that tell a phone to answer by itself.
        Intercom = "intercom",
        /// Not at all: people lift the handset.
        Never = "never",
    }
}

impl Default for Pbx {
    fn default() -> Self {
        Self { kind: PbxKind::Simulator, timeline: None, lines: 1000, asterisk: Asterisk::default() }
    }
}

/// `[pbx.asterisk]`: the AMI account, what the numbers mean, and the FastAGI server that the dialplan asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asterisk {
    /// Host name or address of Asterisk. Default `127.0.0.1`.
    pub host: String,
    /// AMI port. Default 5038.
    pub port: u16,
    /// Whether AMI is spoken over TLS. Default no.
    pub tls: bool,
    /// Authorities to trust in place of the system's (PEM), with `tls`. Default none.
    #[serde(with = "super::maybe_path")]
    pub ca_file: Option<PathBuf>,
    /// AMI user. Default `ctigate`.
    pub user: String,
    /// AMI secret; needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// The word from which the ids of calls are made, beside Asterisk's own. Empty: host and port. Default empty.
    pub system: String,
    /// The dialplan context in which inside users' numbers can be dialled. Default `internal`.
    pub context: String,
    /// The endpoint of an inside number, with `{number}` for it. Default `PJSIP/{number}`.
    pub endpoint: String,
    /// Endpoints of numbers for which `endpoint` does not fit. Default none.
    pub phones: BTreeMap<String, String>,
    /// Patterns of inside numbers (`1XX`): devices of Asterisk that fit are phones of the house, though no user has them.
    /// Default none.
    pub inside: Vec<String>,
    /// How phones are made to answer. Default `intercom`.
    pub answer: PhoneAnswer,
    /// Inside numbers whose phones answer to a NOTIFY with the event `talk`. Others lose the call by it. Default none.
    pub talk_notify: Vec<String>,
    /// Endpoints of outside lines; empty: every endpoint that is no inside number's phone. Default empty.
    pub trunks: Vec<String>,
    /// Asterisk's names of the queues, by number; a `[[queue]]` that is not named here has its number for a name. Default
    /// none.
    pub queues: BTreeMap<String, String>,
    /// Further inside numbers that are no phones and no queues, like voice menus and conference rooms. Default none.
    pub services: Vec<String>,
    /// How outside numbers of Asterisk are written for CRMs; the first rule that fits. Default none.
    pub number_told: Vec<NumberRule>,
    /// How outside numbers of CRMs are written for dialling; the first rule that fits. Default none.
    pub number_dialled: Vec<NumberRule>,
    /// The folder into which Asterisk records talks, as Asterisk sees it; what lies there must be found in the gateway's
    /// `recordings.folder`. Empty: nothing is recorded. Default empty.
    pub record_folder: String,
    /// How long phones ring that the gateway rings, from 1 s to 10 m. Default 30 s.
    #[serde(with = "super::units::duration")]
    pub ring: Duration,
    /// Where the FastAGI server listens; `""` switches it off. Default `127.0.0.1:4573`.
    #[serde(with = "off_or_address")]
    pub agi_bind: Option<SocketAddr>,
    /// Who may connect to it. Default `127.0.0.1`.
    pub agi_allow: Vec<Cidr>,
    /// How long the dialplan waits for a dynamic method that names no time of its own, from 100 ms to 1 m. Default 5 s.
    #[serde(with = "super::units::duration")]
    pub agi_timeout: Duration,
    /// The dynamic method that `/route` asks. Default `GetRoute`.
    pub route_method: String,
}

/// One rule of writing numbers. What it does not name it does not ask for, or does not do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberRule {
    /// It fits numbers that begin so.
    pub begins: String,
    /// It fits numbers of so many characters; absent: of any length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// So many characters are cut off at the front.
    pub cut: usize,
    /// This is put before the rest.
    pub put: String,
}

impl Default for Asterisk {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5038,
            tls: false,
            ca_file: None,
            user: "ctigate".to_owned(),
            secret: None,
            secret_file: None,
            secret_env: None,
            system: String::new(),
            context: "internal".to_owned(),
            endpoint: "PJSIP/{number}".to_owned(),
            phones: BTreeMap::new(),
            inside: Vec::new(),
            answer: PhoneAnswer::Intercom,
            talk_notify: Vec::new(),
            trunks: Vec::new(),
            queues: BTreeMap::new(),
            services: Vec::new(),
            number_told: Vec::new(),
            number_dialled: Vec::new(),
            record_folder: String::new(),
            ring: Duration::from_secs(30),
            agi_bind: Some(SocketAddr::from(([127, 0, 0, 1], 4573))),
            agi_allow: vec!["127.0.0.1".parse().expect("an address is a range of one")],
            agi_timeout: Duration::from_secs(5),
            route_method: "GetRoute".to_owned(),
        }
    }
}

impl Asterisk {
    /// The endpoint of an inside number.
    pub fn endpoint_of(&self, number: &str) -> String {
        self.phones.get(number).cloned().unwrap_or_else(|| self.endpoint.replace("{number}", number))
    }

    /// Asterisk's name of the queue with this number.
    pub fn queue_name<'a>(&'a self, number: &'a str) -> &'a str {
        self.queues.get(number).map_or(number, String::as_str)
    }
}
