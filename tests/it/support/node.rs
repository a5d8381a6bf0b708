//! A whole node in this process, as `ctigate serve` builds it.

use std::path::Path;

use ctigate::app::{self, Node};
use ctigate::config::{Config, Secret, User};
use ctigate::shutdown::Shutdown;

/// A configuration on ports of the system's choice, with its data in `folder`; ivanov's password is `Secret1`.
pub(crate) fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.web.bind = "127.0.0.1:0".parse().unwrap();
    config.web.tls_bind = None;
    config.web.admin_bind = "127.0.0.1:0".parse().unwrap();
    config.folder = folder.to_path_buf();
    config.web.certificate = folder.join("server.pem");
    config.web.key = folder.join("server.key");
    config.files.folder = folder.join("files");
    config.recordings.folder = folder.join("recordings");
    config.store.url = format!("sqlite://{}", folder.join("ctigate.db").display()).parse().unwrap();
    config.users.push(User {
        login: "ivanov".to_owned(),
        number: "101".to_owned(),
        password: Some(Secret::new("Secret1")),
        ..User::default()
    });
    config
}

/// Starts it.
pub(crate) async fn start(config: &Config) -> Node {
    app::start(config, false, Shutdown::new()).await.unwrap()
}
