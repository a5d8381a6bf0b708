//! A PostgreSQL server for the tests of this process: made by `initdb`, on a port and in a folder of its own, ended with the process
//! however that ends. When PostgreSQL is not installed, whoever asks for it fails and says so.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The password of the server's owner, `cti`.
pub(crate) const PASSWORD: &str = "hunter2-%40-hunter2";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    /// While this is open the server runs.
    _watch: Child,
}

/// The server of this process.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start)
}

/// The address of a database that is not there before and that nobody else uses.
pub(crate) async fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = tokio::task::spawn_blocking(server).await.unwrap();
    let mut admin = PgConnection::connect(&server.address("postgres", "sslmode=disable")).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
    admin.execute(AssertSqlSafe(create)).await.unwrap();
    server.address(&name, "sslmode=disable")
}

impl Server {
    pub(crate) fn address(&self, database: &str, query: &str) -> String {
        format!("postgres://cti:{PASSWORD}@localhost:{}/{database}?{query}", self.port)
    }

    /// The authority that the server's certificate can be checked by.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("server.crt")
    }
}

/// The folder with PostgreSQL's programs: Debian keeps them out of the path.
fn programs() -> PathBuf {
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect("PostgreSQL is not installed: run scripts/install.sh")
}

fn start() -> Server {
    let programs = programs();
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/postgres");
    fs::create_dir_all(&base).unwrap();
    let folder = base.join(std::process::id().to_string());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    // PostgreSQL does not run as root.
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let owner = if root { id("postgres") } else { None };
    assert!(!root || owner.is_some(), "there is no user postgres: run scripts/install.sh");
    let own = |path: &Path| {
        if let Some((user, group)) = owner {
            chown(path, Some(user), Some(group)).unwrap();
        }
    };
    own(&folder);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let password = folder.join("password");
    fs::write(&password, PASSWORD.replace("%40", "@")).unwrap();
    own(&password);
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("server.crt"), certificate.cert.pem()).unwrap();
    let key = folder.join("server.key");
    fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
    own(&key);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    // Unlike runuser it becomes the program, so that the program's number is the one that was started.
    let drop_rights = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"];
    let prefix = if root { &drop_rights[..] } else { &[] };
    let data = folder.join("data");
    let made = Command::new("env")
        .args(prefix)
        .arg(programs.join("initdb"))
        .args([
            "--username=cti",
            "--auth=scram-sha-256",
            "--pwfile=password",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ])
        .arg(&data)
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

    // Free now; whoever takes it in between makes the server fail to start, and the test with it.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\nfull_page_writes = off\nmax_connections = 400\n\
         shared_buffers = 32MB\nssl = on\nssl_cert_file = '../server.crt'\nssl_key_file = '../server.key'\n",
        folder.display()
    );
    fs::OpenOptions::new()
        .append(true)
        .open(data.join("postgresql.conf"))
        .unwrap()
        .write_all(settings.as_bytes())
        .unwrap();
    // The shell reads until we are gone, then ends the server by its number and removes what it leaves.
    let script = "folder=$1; shift; \"$@\" >log 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server; cd /; rm -rf \"$folder\"";
    let watch = Command::new("/bin/sh")
        .args(["-c", script, "sh"])
        .arg(&folder)
        .arg("env")
        .args(prefix)
        .arg(programs.join("postgres"))
        .args(["-D", "data"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !ready(&folder.join("log")) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "PostgreSQL did not start: {}",
            fs::read_to_string(folder.join("log")).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    Server { port, folder, _watch: watch }
}

fn ready(log: &Path) -> bool {
    fs::read_to_string(log).is_ok_and(|log| log.contains("database system is ready to accept connections"))
}

/// The numbers of a user and its group.
fn id(user: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
