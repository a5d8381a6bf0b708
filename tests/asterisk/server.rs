//! A real Asterisk on ports of its own, below a folder of its own. `install.sh` has put the program below `target/asterisk`.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader as AsyncReader};
use tokio::net::TcpStream;

use crate::dialplan;
use crate::ports::free_port;

/// Who may do everything by AMI: the tests.
const ROOT: &str = "root";
/// The account of the gateway.
pub(crate) const USER: &str = "ctigate";
/// The secret of both.
pub(crate) const SECRET: &str = "Secret1";
/// How long a start may take; a cold disk is slow.
const START: Duration = Duration::from_secs(60);

/// What is to be written into the configuration.
pub(crate) struct Ports {
    pub(crate) sip: u16,
    pub(crate) ami: u16,
    /// First port of the sound.
    pub(crate) rtp: u16,
    /// Where the gateway serves FastAGI.
    pub(crate) agi: u16,
    /// Where the provider is.
    pub(crate) trunk: SocketAddr,
    /// Where sipp answers for the numbers of the load.
    pub(crate) load: SocketAddr,
}

/// An Asterisk.
pub(crate) struct Asterisk {
    pub(crate) ports: Ports,
    folder: PathBuf,
    _keep: tempfile::TempDir,
    process: Mutex<Option<Process>>,
}

/// The program behind a shell that ends it when we end, however we do: the shell's input closes then.
struct Process {
    shell: Child,
    pid: u32,
}

/// Where the program is.
fn home() -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/asterisk");
    assert!(home.join("bin/asterisk").exists(), "no Asterisk is installed: run tests/asterisk/install.sh");
    home
}

/// sipp, ready to be given arguments.
pub(crate) fn sipp() -> Command {
    let mut command = Command::new(home().join("bin/sipp"));
    command.env("TERM", "dumb").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A range of ports for sound, another for each Asterisk of this process, and hardly that of another process.
fn sound_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 7).unwrap();
    12_000 + (process * 3 + NEXT.fetch_add(1, Ordering::Relaxed)) % 9 * 2_000
}

impl Ports {
    /// Free ports; what else stands where is the test's business.
    pub(crate) fn free(trunk: SocketAddr) -> Self {
        let load = SocketAddr::from((dialplan::LOAD_IP, free_port()));
        Self { sip: free_port(), ami: free_port(), rtp: sound_ports(), agi: free_port(), trunk, load }
    }
}

impl Asterisk {
    /// Writes the configuration and starts it; returns when it is ready.
    pub(crate) async fn start(ports: Ports) -> Self {
        let keep = tempfile::Builder::new().prefix("asterisk-").tempdir().unwrap();
        let folder = keep.path().to_path_buf();
        let modules = std::fs::read_to_string(home().join("modules")).unwrap();
        dialplan::write(&folder, &home().join("tree/usr/share/asterisk"), Path::new(modules.trim()), &ports);
        let asterisk = Self { ports, folder, _keep: keep, process: Mutex::default() };
        asterisk.begin().await;
        asterisk
    }

    /// Where phones find it.
    pub(crate) fn sip(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.sip))
    }

    /// Where it records.
    pub(crate) fn recordings(&self) -> PathBuf {
        self.folder.join("spool/monitor")
    }

    /// Starts it again.
    pub(crate) async fn begin(&self) {
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(r#""$0" -f -C "$1" >"$2" 2>&1 & echo $!; read -r _; kill $! 2>/dev/null; wait $!"#)
            .arg(home().join("bin/asterisk"))
            .arg(self.folder.join("etc/asterisk.conf"))
            .arg(self.folder.join("log/console"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped")).read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the shell says the number of the process");
        *self.process.lock().unwrap() = Some(Process { shell, pid });
        let until = Instant::now() + START;
        while !self.is_ready().await {
            let gone =
                self.process.lock().unwrap().as_mut().is_none_or(|p| !Path::new(&format!("/proc/{}", p.pid)).exists());
            assert!(!gone && Instant::now() < until, "Asterisk does not start:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it as an operator does: calls end, and it says goodbye.
    pub(crate) fn stop(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            drop(process.shell.stdin.take());
            process.shell.wait().unwrap();
        }
    }

    /// Kills it: nobody is told anything.
    pub(crate) fn kill(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            let killed = Command::new("sh").arg("-c").arg(format!("kill -9 {}", process.pid)).status().unwrap();
            assert!(killed.success());
            drop(process.shell.stdin.take());
            process.shell.wait().unwrap();
        }
    }

    /// The end of what it printed.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("log/messages")).unwrap_or_default();
        let console = std::fs::read_to_string(self.folder.join("log/console")).unwrap_or_default();
        let last = |text: &str, n: usize| {
            text.lines().rev().take(n).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("{}\n{}", last(&console, 5), last(&text, 40))
    }

    async fn is_ready(&self) -> bool {
        match Manager::log_in(self.ports.ami).await {
            Some(mut manager) => manager.hears("FullyBooted").await,
            None => false,
        }
    }

    /// An action of the tests' own by AMI; the packets of the answer.
    pub(crate) async fn ask(&self, action: &[(&str, &str)]) -> Vec<Vec<(String, String)>> {
        let mut manager = Manager::log_in(self.ports.ami).await.expect("AMI is there");
        manager.ask(action).await
    }

    /// A command of its command line; what it prints.
    pub(crate) async fn cli(&self, command: &str) -> String {
        let answer = self.ask(&[("Action", "Command"), ("Command", command)]).await;
        let lines = answer.iter().flatten().filter(|(name, _)| name == "Output").map(|(_, line)| line.clone());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The names of all channels.
    pub(crate) async fn channels(&self) -> Vec<String> {
        let lines = self.cli("core show channels concise").await;
        lines
            .lines()
            .filter_map(|line| line.split('!').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A connection of the tests' own to AMI.
struct Manager(AsyncReader<TcpStream>);

impl Manager {
    async fn log_in(port: u16) -> Option<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let mut manager = Self(AsyncReader::new(stream));
        let mut banner = String::new();
        manager.0.read_line(&mut banner).await.ok().filter(|n| *n > 0)?;
        let login = format!("Action: Login\r\nUsername: {ROOT}\r\nSecret: {SECRET}\r\n\r\n");
        manager.0.write_all(login.as_bytes()).await.ok()?;
        let answer = manager.packet().await?;
        (answer.first()? == &("Response".to_owned(), "Success".to_owned())).then_some(manager)
    }

    async fn packet(&mut self) -> Option<Vec<(String, String)>> {
        let mut packet = Vec::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(5), self.0.read_line(&mut line)).await;
            read.ok()?.ok().filter(|n| *n > 0)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => packet.push((name.to_owned(), value.trim().to_owned())),
                None if packet.is_empty() => {}
                None => return Some(packet),
            }
        }
    }

    async fn hears(&mut self, event: &str) -> bool {
        while let Some(packet) = self.packet().await {
            if packet[0] == ("Event".to_owned(), event.to_owned()) {
                return true;
            }
        }
        false
    }

    async fn ask(&mut self, action: &[(&str, &str)]) -> Vec<Vec<(String, String)>> {
        let mut text: String = action.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        text.push_str("ActionID: asked\r\n\r\n");
        self.0.write_all(text.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        while let Some(packet) = self.packet().await {
            let field = |name: &str| packet.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
            if field("ActionID") != "asked" {
                continue;
            }
            let (list, alone) = (field("EventList").to_owned(), all.is_empty());
            all.push(packet);
            if list == "Complete" || (alone && list != "start") {
                return all;
            }
        }
        panic!("{action:?} was not answered");
    }
}
