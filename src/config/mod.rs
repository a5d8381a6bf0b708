//! What an operator may choose. [`Config`] is plain data with a default for everything; a file with one `[[user]]` is a
//! complete configuration. `ctigate.example.toml` shows every key.
//!
//! Each section of the file is a struct here, each key a field of the same name. Nothing in here opens a socket or decides
//! anything but whether the choices fit together.

mod cidr;
mod difference;
mod finding;
mod form;
pub mod key;
mod keyword;
mod layer;
mod limits;
mod link;
mod load;
mod pbx;
mod plan;
mod print;
pub mod schema;
mod secret;
mod source;
mod sql;
mod storage;
pub mod units;
mod url;
mod user;
mod validate;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use cidr::Cidr;
pub use difference::{Change, difference};
pub use finding::{Finding, Place, Refused};
pub use form::{Form, FormEvent, FormKind, FormPlace, Parameters, Piece, Placeholder, Template};
pub use key::Effect;
pub use layer::{Layer, Row};
pub use limits::Limits;
pub use link::{Auth, Link, LinkFormat, LinkMode, WebSocketVersion};
pub use load::{DEFAULT_FILE, Loaded, Sources};
pub use pbx::{Asterisk, NumberRule, Pbx, PbxKind, PhoneAnswer};
pub use plan::{Break, Files, Procedure, Queue, QueueStrategy, Recordings};
pub use secret::Secret;
pub use sql::Sql;
pub use storage::{DatabaseUrl, PostgresUrl, Store, Synchronous};
pub use user::{Right, RightChange, Role, User};
pub use web::{Log, LogFormat, TlsPort, Web};

/// Everything an operator may choose.
///
/// Paths are ready to be opened. `password`, `ticket`, `rpc_password` and `secret` hold the secret wherever it came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[web]`
    pub web: Web,
    /// `[store]`
    pub store: Store,
    /// `[pbx]`
    pub pbx: Pbx,
    /// `[limits]`
    pub limits: Limits,
    /// `[log]`
    pub log: Log,
    /// `[recordings]`
    pub recordings: Recordings,
    /// `[files]`
    pub files: Files,
    /// `[[user]]`, in the order of the file.
    #[serde(rename = "user")]
    pub users: Vec<User>,
    /// `[[link]]`, in the order of the file.
    #[serde(rename = "link")]
    pub links: Vec<Link>,
    /// `[[form]]`, in the order of the file.
    #[serde(rename = "form")]
    pub forms: Vec<Form>,
    /// `[[break]]`, in the order of the file.
    #[serde(rename = "break")]
    pub breaks: Vec<Break>,
    /// `[[queue]]`, in the order of the file.
    #[serde(rename = "queue")]
    pub queues: Vec<Queue>,
    /// `[[procedure]]`, in the order of the file.
    #[serde(rename = "procedure")]
    pub procedures: Vec<Procedure>,
    /// The folder that relative paths count from: that of the file, or empty for the current one.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Config {
    /// Every address that the gateway listens on, with its key.
    pub fn listeners(&self) -> Vec<(String, SocketAddr)> {
        let mut all = vec![("web.bind".to_owned(), self.web.bind)];
        all.extend(self.web.tls_bind.map(|address| ("web.tls_bind".to_owned(), address)));
        all.push(("web.admin_bind".to_owned(), self.web.admin_bind));
        for (index, link) in self.links.iter().enumerate().filter(|(_, link)| link.mode.accepts()) {
            all.extend(link.bind.map(|address| (format!("link[{index}].bind"), address)));
        }
        if self.pbx.kind == PbxKind::Asterisk {
            all.extend(self.pbx.asterisk.agi_bind.map(|address| ("pbx.asterisk.agi_bind".to_owned(), address)));
        }
        all
    }

    /// The file with the token that the admin port demands.
    pub fn admin_token(&self) -> PathBuf {
        self.folder.join(&self.web.admin_token)
    }
}

/// A path that may be left empty.
mod maybe_path {
    use super::{Deserialize, PathBuf};

    pub(super) fn serialize<S: serde::Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        match path {
            None => to.serialize_str(""),
            Some(path) => to.collect_str(&path.display()),
        }
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Some(PathBuf::deserialize(from)?).filter(|path| !path.as_os_str().is_empty()))
    }
}
