//! Requests by curl: somebody else's HTTP.

use std::process::Command;

/// What curl got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    /// The head, lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::trim)
    }
}

/// Asks with these arguments.
pub(crate) async fn curl(args: &[&str]) -> Got {
    let folder = tempfile::tempdir().unwrap();
    let (head, body) = (folder.path().join("head"), folder.path().join("body"));
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "-H",
        "Expect:",
        "-w",
        "%{http_code}",
    ]);
    command.arg("-D").arg(&head).arg("-o").arg(&body).args(args);
    let output =
        tokio::task::spawn_blocking(move || command.output().expect("curl, from the package curl")).await.unwrap();
    let status = String::from_utf8_lossy(&output.stdout).parse().unwrap_or_default();
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&output.stderr));
    Got {
        status,
        head: String::from_utf8_lossy(&std::fs::read(head).unwrap()).to_lowercase(),
        body: std::fs::read(body).unwrap_or_default(),
    }
}
