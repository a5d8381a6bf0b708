//! `[pbx]` and `[pbx.asterisk]`: the telephone system.

use std::net::SocketAddr;
use std::path::PathBuf;

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

impl Default for Pbx {
    fn default() -> Self {
        Self { kind: PbxKind::Simulator, timeline: None, asterisk: Asterisk::default() }
    }
}

/// `[pbx.asterisk]`: the AMI account, and the FastAGI server that the dialplan asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asterisk {
    /// Host name or address of Asterisk. Default `127.0.0.1`.
    pub host: String,
    /// AMI port. Default 5038.
    pub port: u16,
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
    /// The dialplan context in which inside numbers can be dialled. Default `internal`.
    pub context: String,
    /// Where the FastAGI server listens; `""` switches it off. Default `127.0.0.1:4573`.
    #[serde(with = "off_or_address")]
    pub agi_bind: Option<SocketAddr>,
    /// Who may connect to it. Default `127.0.0.1`.
    pub agi_allow: Vec<Cidr>,
}

impl Default for Asterisk {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5038,
            user: "ctigate".to_owned(),
            secret: None,
            secret_file: None,
            secret_env: None,
            context: "internal".to_owned(),
            agi_bind: Some(SocketAddr::from(([127, 0, 0, 1], 4573))),
            agi_allow: vec!["127.0.0.1".parse().expect("an address is a range of one")],
        }
    }
}
