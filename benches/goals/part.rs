//! The processes of the bench, and what the kernel says of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// A process of the bench, ended with this.
pub(crate) struct Part {
    child: Child,
    lines: BufReader<ChildStdout>,
    stdin: Option<ChildStdin>,
    /// Whether it is no part of this program, and is told to end by a signal.
    is_foreign: bool,
}

impl Drop for Part {
    /// In order, as what has been built to learn from its run writes that down at its end.
    fn drop(&mut self) {
        self.stdin = None;
        if self.is_foreign {
            // The shell's own, which every machine has.
            let _ = Command::new("sh").arg("-c").arg(format!("kill {}", self.child.id())).status();
        }
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > ENDING {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Part {
    pub(crate) fn start(role: &str, arguments: &[(&str, String)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env("BENCH_ROLE", role);
        for (name, value) in arguments {
            command.env(format!("BENCH_{name}"), value);
        }
        Self::spawn(command, false)
    }

    /// Another program.
    pub(crate) fn foreign(command: Command) -> Self {
        Self::spawn(command, true)
    }

    fn spawn(mut command: Command, is_foreign: bool) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take();
        Self { child, lines, stdin, is_foreign }
    }

    /// What it says next.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "a process of the bench ended early");
        line.trim().to_owned()
    }

    /// Tells it to go on.
    pub(crate) fn go(&mut self) {
        writeln!(self.stdin.as_mut().unwrap(), "go").unwrap();
    }

    /// What all its threads have used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let total: u64 = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|line| line.split(' ').next()?.parse::<u64>().ok())
            .sum();
        Duration::from_nanos(total)
    }

    /// How much memory it holds, bytes.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
    }
}

/// What a part was told by the director.
pub(crate) fn argument(name: &str) -> String {
    std::env::var(format!("BENCH_{name}")).unwrap_or_default()
}

pub(crate) fn number(name: &str) -> usize {
    argument(name).parse().unwrap()
}

static GONE: std::sync::OnceLock<tokio::sync::watch::Receiver<usize>> = std::sync::OnceLock::new();

/// How many lines the director has said; closed when it is gone.
fn said() -> tokio::sync::watch::Receiver<usize> {
    let reader = || {
        let (lines, said) = tokio::sync::watch::channel(0);
        std::thread::spawn(move || {
            let mut stdin = std::io::stdin().lock();
            let mut byte = [0];
            while stdin.read(&mut byte).is_ok_and(|n| n > 0) {
                if byte[0] == b'\n' {
                    lines.send_modify(|n| *n += 1);
                }
            }
        });
        said
    };
    GONE.get_or_init(reader).clone()
}

/// Waits until the director has said to go on for the `n`th time.
pub(crate) async fn told(n: usize) {
    let _ = said().wait_for(|lines| *lines >= n).await;
}

/// Ends with the director, whose end closes our standard input.
pub(crate) async fn parent_gone() {
    let mut said = said();
    while said.changed().await.is_ok() {}
}
