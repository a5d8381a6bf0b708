//! Looks at what a start would need, without starting: files, ports, the CRMs that are dialed, and the telephone system. And
//! the pieces of configuration that the telephone system needs for us.

use std::fs::OpenOptions;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, DatabaseUrl, PbxKind};
use crate::pbx::Check;
use crate::pbx::asterisk::doctor as asterisk;
use crate::pbx::asterisk::fragments::{self, Subject};
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::transport::listen;
use crate::transport::tls::Certificates;

use super::{needs_certificate, settings};

/// How long a CRM may take to accept a connection.
const CRM: Duration = Duration::from_secs(3);

/// Examines everything that a start of this configuration would need. Changes nothing that lasts.
pub async fn examine(config: &Config) -> Vec<Check> {
    examine_with(config, ports(config)).await
}

/// The same for a gateway that runs: its own ports are in use, and by it.
pub(super) async fn examine_running(config: &Config) -> Vec<Check> {
    examine_with(config, Vec::new()).await
}

async fn examine_with(config: &Config, ports: Vec<Check>) -> Vec<Check> {
    let mut checks = vec![people(config)];
    checks.extend(certificates(config));
    checks.push(store(config).await);
    checks.extend(folders(config));
    checks.extend(ports);
    for link in config.links.iter().filter(|link| !link.mode.accepts()) {
        checks.push(crm(&link.name, &link.url).await);
    }
    checks.extend(telephone_system(config).await);
    checks
}

/// Pieces of Asterisk's configuration for this gateway: `manager`, `dialplan`, `routes` or `phones`.
pub fn asterisk_config(config: &Config, piece: &str) -> String {
    let asterisk = &config.pbx.asterisk;
    let plan = settings::asterisk_plan(config);
    let gateway = way_to(&asterisk.host, asterisk.port);
    let agi = asterisk.agi_bind.and_then(|bind| {
        let address = if bind.ip().is_unspecified() { gateway? } else { bind.ip() };
        Some(SocketAddr::new(address, bind.port()))
    });
    let subject = Subject {
        plan: &plan,
        user: &asterisk.user,
        tls: asterisk.tls,
        port: asterisk.port,
        gateway,
        agi,
        route_method: &asterisk.route_method,
    };
    match piece {
        "manager" => subject.manager(),
        "routes" => subject.routes(),
        "phones" => subject.phones(),
        _ => fragments::dialplan(&plan),
    }
}

/// The address of ours that a host sees. Nothing is sent.
fn way_to(host: &str, port: u16) -> Option<IpAddr> {
    ["0.0.0.0:0", "[::]:0"].into_iter().find_map(|any| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect((host, port)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

fn people(config: &Config) -> Check {
    match config.users.len() {
        0 => Check::fair("users", "none: nobody can log in", "add a [[user]]"),
        count => Check::good("users", format!("{count}, and {} links", config.links.len())),
    }
}

fn certificates(config: &Config) -> Vec<Check> {
    let mut pairs = Vec::new();
    if needs_certificate(config) {
        pairs.push(("web.certificate".to_owned(), &config.web.certificate, &config.web.key, true));
    }
    for (at, link) in config.links.iter().enumerate() {
        if let (Some(certificate), Some(key)) = (&link.certificate, &link.key) {
            pairs.push((format!("link[{at}].certificate"), certificate, key, false));
        }
    }
    let one = |(what, certificate, key, made): (String, &std::path::PathBuf, &std::path::PathBuf, bool)| {
        if made && !certificate.exists() && !key.exists() {
            return Check::good(what, format!("{} is made on the first start", certificate.display()));
        }
        match Certificates::load(certificate, key) {
            Ok(_) => Check::good(what, certificate.display().to_string()),
            Err(why) => Check::bad(what, why.to_string(), "give a certificate and its own key, both PEM"),
        }
    };
    pairs.into_iter().map(one).collect()
}

async fn store(config: &Config) -> Check {
    let path = match &config.store.url {
        DatabaseUrl::Sqlite(path) => path,
        DatabaseUrl::Memory => {
            return Check::fair("store", "in memory: nothing outlives a restart", "set store.url to a file");
        }
        DatabaseUrl::Postgres(url) => {
            return match Store::probe(&config.store.url).await {
                Ok(()) => Check::good("store", url.to_string()),
                Err(why) => Check::bad("store", why.with_causes(), why.advice()),
            };
        }
    };
    let opened = if path.exists() {
        OpenOptions::new().append(true).open(path).map(drop)
    } else {
        writable(path.parent().unwrap_or_else(|| Path::new("")))
    };
    match opened {
        Ok(()) => Check::good("store", path.display().to_string()),
        Err(why) => {
            let advice = "let the user that runs ctigate write there, or set store.url";
            Check::bad("store", format!("{}: {why}", path.display()), advice)
        }
    }
}

fn folders(config: &Config) -> Vec<Check> {
    let files = &config.files.folder;
    let mut checks = vec![match writable(files) {
        Ok(()) => Check::good("files", files.display().to_string()),
        Err(why) => {
            Check::bad("files", format!("{}: {why}", files.display()), "set files.folder to one that can be written")
        }
    }];
    let recordings = &config.recordings.folder;
    let shown = recordings.display();
    let asterisk = config.pbx.kind == PbxKind::Asterisk;
    checks.push(if !asterisk {
        match writable(recordings) {
            Ok(()) => Check::good("recordings", shown.to_string()),
            Err(why) => Check::bad("recordings", format!("{shown}: {why}"), "set recordings.folder to one that can be written"),
        }
    } else if config.pbx.asterisk.record_folder.is_empty() {
        Check::fair("recordings", "talks are not recorded", "set pbx.asterisk.record_folder, if they are to be")
    } else {
        match std::fs::read_dir(recordings) {
            Ok(_) => Check::good("recordings", format!("{shown}, which Asterisk calls {}", config.pbx.asterisk.record_folder)),
            Err(why) => {
                let advice = "set recordings.folder to where Asterisk's record_folder is found on this machine, readable for ctigate";
                Check::bad("recordings", format!("{shown}: {why}"), advice)
            }
        }
    });
    checks
}

/// Whether something can be written into a folder, or into the nearest one above that is there.
fn writable(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or_else(|| Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let trial = there.join(format!(".ctigate-doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&trial)?;
    std::fs::remove_file(&trial)
}

fn ports(config: &Config) -> Vec<Check> {
    let all = config.listeners();
    let mut taken = Vec::new();
    let mut checks = Vec::new();
    for (key, address) in &all {
        match listen::bind(*address) {
            Ok(_) => {}
            Err(why) if why.kind() == io::ErrorKind::AddrInUse => taken.push((key, address)),
            Err(why) => {
                let advice = "choose an address of this machine, and a port from 1024 on";
                checks.push(Check::bad("ports", format!("{key} = {address}: {why}"), advice));
            }
        }
    }
    let shown = |taken: &[(&String, &SocketAddr)]| {
        taken.iter().map(|(key, address)| format!("{key} = {address}")).collect::<Vec<_>>().join(", ")
    };
    if taken.len() == all.len() {
        checks.push(Check::good("ports", "all in use: the gateway runs, as it seems"));
    } else if !taken.is_empty() {
        let found = format!("in use by another program: {}", shown(&taken));
        checks.push(Check::bad("ports", found, "end it, or choose other ports"));
    } else if checks.is_empty() {
        let numbers: Vec<String> = all.iter().map(|(_, address)| address.port().to_string()).collect();
        checks.push(Check::good("ports", format!("free: {}", numbers.join(", "))));
    }
    checks
}

/// Whether a CRM that we go to accepts connections. Nothing is said to it.
async fn crm(name: &str, url: &str) -> Check {
    let what = format!("link {name}");
    let place = url.parse::<hyper::Uri>().ok().and_then(|uri| {
        let secure = matches!(uri.scheme_str(), Some("wss" | "https"));
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some((host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 })))
    });
    let Some((host, port)) = place else { return Check::fair(what, "has an address that cannot be read", "") };
    let advice = "start the CRM, or see that no firewall stands between";
    match timeout(CRM, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Check::good(what, format!("{host}:{port} accepts connections")),
        Ok(Err(why)) => Check::fair(what, format!("{host}:{port}: {why}"), advice),
        Err(_) => Check::fair(what, format!("{host}:{port} does not answer"), advice),
    }
}

async fn telephone_system(config: &Config) -> Vec<Check> {
    if config.pbx.kind == PbxKind::Simulator {
        return vec![match super::check(config) {
            Ok(()) => Check::good(
                "simulator",
                config.pbx.timeline.as_ref().map_or_else(
                    || "without a timeline".to_owned(),
                    |timeline| format!("plays {}", timeline.display()),
                ),
            ),
            Err(why) => Check::bad("simulator", why.to_string(), "put the timeline right"),
        }];
    }
    match settings::asterisk(config, Telemetry::default()) {
        Ok(settings) => asterisk::examine(&settings, config.pbx.asterisk.agi_bind).await,
        Err(why) => vec![Check::bad("asterisk", why.to_string(), "")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pbx::Verdict;

    #[tokio::test]
    async fn a_simulator_on_free_ports_is_well() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.web.bind = "127.0.0.1:0".parse().unwrap();
        config.web.tls_bind = None;
        config.web.admin_bind = "127.0.0.1:0".parse().unwrap();
        config.store.url = DatabaseUrl::Sqlite(folder.path().join("data/x.db"));
        config.files.folder = folder.path().join("files");
        config.recordings.folder = folder.path().join("recordings");
        let bad = |checks: &[Check]| checks.iter().filter(|c| c.verdict == Verdict::Bad).cloned().collect::<Vec<_>>();
        assert_eq!(bad(&examine(&config).await), []);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");

        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        config.web.bind = taken.local_addr().unwrap();
        config.pbx.timeline = Some(folder.path().join("never"));
        std::fs::write(folder.path().join("file"), "").unwrap();
        config.store.url = DatabaseUrl::Sqlite(folder.path().join("file/x.db"));
        let found = bad(&examine(&config).await);
        let named: Vec<&str> = found.iter().map(|check| check.what.as_str()).collect();
        assert_eq!(named, ["ports", "simulator"]);
    }

    #[tokio::test]
    async fn a_crm_is_reached_or_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/cti", listener.local_addr().unwrap());
        assert_eq!(crm("shop", &url).await.verdict, Verdict::Good);
        drop(listener);
        assert_eq!(crm("shop", &url).await.verdict, Verdict::Fair);
    }

    #[test]
    fn the_way_to_this_machine_stays_on_it() {
        assert_eq!(way_to("127.0.0.1", 5038), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(way_to("no such host.invalid", 1), None);
    }
}
