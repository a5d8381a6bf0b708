//! The gateway as a service. The tests play systemd's part: they hear what it is told, and pass listeners on.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Nothing here takes longer, unless it hangs.
const BOUND: Duration = Duration::from_secs(30);

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd");

/// A folder with a configuration.
fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ctigate.toml"), config).unwrap();
    folder
}

const ANY_PORTS: &str = "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n";

/// `serve` by way of a shell, which knows the process before the gateway is one: `$$` in `before` is its id.
fn serve(folder: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$@\""), "sh", env!("CARGO_BIN_EXE_ctigate"), "serve"]);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(name);
    }
    command
}

/// Ends with its test.
struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap().success());
    }

    fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < BOUND {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// systemd's end of `$NOTIFY_SOCKET`.
struct Notified {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notified {
    fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        Self { socket, path }
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("the gateway tells something");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn systemd_hears_when_it_is_ready_alive_and_stopping() {
    let folder = folder(&format!("{ANY_PORTS}[limits]\nstop_grace = \"5s\"\n"));
    let notified = Notified::new(folder.path());
    let mut command = serve(folder.path(), "WATCHDOG_PID=$$ WATCHDOG_USEC=1500000");
    command.env("NOTIFY_SOCKET", &notified.path).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    assert_eq!(notified.next(), "READY=1\nSTATUS=ready");
    assert!(folder.path().join("data/ctigate.db").exists(), "ready is said when everything is there");
    let mut last = Instant::now();
    for _ in 0..3 {
        assert_eq!(notified.next(), "WATCHDOG=1");
        assert!(last.elapsed() < Duration::from_millis(1500), "{:?} is more patience than it has", last.elapsed());
        last = Instant::now();
    }
    running.signal("TERM");
    let stopping = loop {
        match notified.next() {
            beat if beat == "WATCHDOG=1" => {}
            other => break other,
        }
    };
    assert_eq!(stopping, "STOPPING=1\nSTATUS=saying goodbye\nEXTEND_TIMEOUT_USEC=17000000");
    assert_eq!(running.ended().code(), Some(0));
}

#[test]
fn a_socket_may_have_a_name_that_is_no_file_and_a_watchdog_of_others_is_left_alone() {
    use std::os::linux::net::SocketAddrExt;

    let folder = folder(ANY_PORTS);
    let name = format!("ctigate-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    let notified = Notified { socket, path: PathBuf::new() };
    // Its parent is watched, not itself; were it heard, there would be 100 beats in a second.
    let mut command = serve(folder.path(), "WATCHDOG_PID=1 WATCHDOG_USEC=30000");
    command.env("NOTIFY_SOCKET", format!("@{name}")).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    assert_eq!(notified.next(), "READY=1\nSTATUS=ready");
    running.signal("TERM");
    assert!(notified.next().starts_with("STOPPING=1\n"));
    assert_eq!(running.ended().code(), Some(0));
}

#[test]
fn a_start_that_fails_is_never_ready() {
    let folder = folder(&format!("{ANY_PORTS}[store]\nurl = \"sqlite://ctigate.toml/in/a/file.db\"\n"));
    let notified = Notified::new(folder.path());
    let mut command = serve(folder.path(), "");
    let mut running = Running(command.env("NOTIFY_SOCKET", &notified.path).stderr(Stdio::null()).spawn().unwrap());
    assert_eq!(running.ended().code(), Some(4));
    notified.socket.set_nonblocking(true).unwrap();
    assert!(notified.socket.recv(&mut [0; 64]).is_err(), "it said something");
}

/// What the web port answers to a request that was sent before.
fn answer(mut stream: TcpStream) -> String {
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

/// Two listeners as descriptors 3 and 4, the way systemd passes them on: they come by way of what is free in a process.
fn pass_on(command: &mut Command, listeners: [&TcpListener; 2]) {
    let [first, second] = listeners.map(|listener| OwnedFd::from(listener.try_clone().unwrap()));
    command.stdin(first).stdout(second);
}

const PASSED: &str = "exec 3<&0 4>&1 0</dev/null 1>/dev/null; export LISTEN_PID=$$ LISTEN_FDS=2;";

#[test]
fn listeners_that_are_passed_on_are_taken_over_and_who_came_before_the_start_is_answered() {
    let (web, admin) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (web_at, admin_at) = (web.local_addr().unwrap(), admin.local_addr().unwrap());
    // It could not bind them itself: they are taken.
    let folder = folder(&format!("[web]\nbind = \"{web_at}\"\ntls_bind = \"\"\nadmin_bind = \"{admin_at}\"\n"));
    let early = ask(web_at, "/");
    let health = ask(admin_at, "/readyz");
    let mut command = serve(folder.path(), PASSED);
    pass_on(&mut command, [&web, &admin]);
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    assert!(answer(early).starts_with("HTTP/1.1 200"));
    let health = answer(health);
    assert!(health.contains("\"parts\":{\"store\":{\"state\":\"ok\""), "{health}");
    running.signal("TERM");
    assert_eq!(running.ended().code(), Some(0));
    // They are open still: nobody is refused until the next start.
    drop(TcpStream::connect(web_at).unwrap());
    let next = ask(web_at, "/");
    let mut again = serve(folder.path(), PASSED);
    pass_on(&mut again, [&web, &admin]);
    let again = Running(again.stderr(Stdio::null()).spawn().unwrap());
    assert!(answer(next).starts_with("HTTP/1.1 200"));
    drop(again);
}

#[test]
fn a_gateway_without_its_telephone_system_lives_and_is_not_ready() {
    let (web, admin) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (web_at, admin_at) = (web.local_addr().unwrap(), admin.local_addr().unwrap());
    // Bound but never listened to by an Asterisk: whoever connects hears nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let folder = folder(&format!(
        "[web]\nbind = \"{web_at}\"\ntls_bind = \"\"\nadmin_bind = \"{admin_at}\"\n[limits]\nstop_grace = \"2s\"\n\
         [pbx]\nkind = \"asterisk\"\n[pbx.asterisk]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"cti\"\nsecret = \"x\"\n\
         agi_bind = \"127.0.0.1:0\"\n"
    ));
    let mut command = serve(folder.path(), PASSED);
    pass_on(&mut command, [&web, &admin]);
    let running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    assert!(answer(ask(admin_at, "/healthz")).starts_with("HTTP/1.1 200"));
    let ready = answer(ask(admin_at, "/readyz"));
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    for part in [
        "\"ready\":false",
        "\"telephone\":{\"state\":\"down\"",
        "\"store\":{\"state\":\"ok\"",
        "\"web\":{\"state\":\"ok\"",
    ] {
        assert!(ready.contains(part), "{part} is not in {ready}");
    }
    drop(running);
}

#[test]
fn a_listener_that_no_key_names_stops_the_start() {
    let (web, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (web_at, other_at) = (web.local_addr().unwrap(), other.local_addr().unwrap());
    let folder = folder(&format!("[web]\nbind = \"{web_at}\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n"));
    let mut command = serve(folder.path(), PASSED);
    pass_on(&mut command, [&web, &other]);
    let log = folder.path().join("log");
    let mut running = Running(command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    let code = running.ended().code();
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&format!("opened {other_at} for us")) && said.contains("socket unit"), "{said}");
}

/// Whether a program of systemd is here.
#[allow(clippy::print_stdout, reason = "what was left out is to be seen")]
fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        println!("{program} is not installed: this test did nothing");
    }
    here
}

#[test]
fn systemds_own_activator_starts_it_with_the_first_connection() {
    if !is_here("systemd-socket-activate") {
        return;
    }
    // A port that is free now. Should somebody take it in between, the activator says so and the test fails.
    let web_at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = folder(&format!("[web]\nbind = \"{web_at}\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n"));
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &web_at.to_string(), env!("CARGO_BIN_EXE_ctigate"), "serve"]).current_dir(folder.path());
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    let began = Instant::now();
    let answered = loop {
        match TcpStream::connect(web_at) {
            Ok(_) => break answer(ask(web_at, "/")),
            Err(error) => assert!(began.elapsed() < BOUND, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    running.signal("TERM");
    assert_eq!(running.ended().code(), Some(0));
}

/// The units with our binary in the place of the installed one.
fn units() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ctigate.service", "ctigate.socket"] {
        let text = fs::read_to_string(Path::new(UNITS).join(name)).unwrap();
        let text = text.replace("/usr/bin/ctigate", env!("CARGO_BIN_EXE_ctigate"));
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_that_they_may_do() {
    if !is_here("systemd-analyze") {
        return;
    }
    let units = units();
    let analyze = |args: &[&str], name: &str| {
        let output = Command::new("systemd-analyze").args(args).arg(units.path().join(name)).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    };
    for name in ["ctigate.service", "ctigate.socket"] {
        assert_eq!(analyze(&["verify", "--man=no"], name), (true, String::new()), "{name}");
    }
    // Tenths: 0 may do nothing, 100 everything.
    let (safe, said) = analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"], "ctigate.service");
    assert!(safe, "{said}");
}

#[test]
fn the_socket_unit_names_addresses_of_the_configuration() {
    let text = fs::read_to_string(Path::new(UNITS).join("ctigate.socket")).unwrap();
    let config = ctigate::config::Config::default();
    let known: Vec<String> = config.listeners().into_iter().map(|(_, address)| address.to_string()).collect();
    let named: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    assert_eq!(named.len(), 2);
    for address in named {
        assert!(known.iter().any(|known| known == address), "{address} is not among {known:?}");
    }
}
