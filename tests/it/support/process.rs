//! A gateway in a process of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use tokio::net::TcpStream;

use super::ports::free_port;
use super::soon;

/// Killed when it is dropped, as by `kill -9`.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end; gives its exit code.
    pub(crate) async fn ended(&mut self) -> i32 {
        soon("the end of the gateway", async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    return status.code().unwrap_or(-1);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

/// Starts it with the `ctigate.toml` of a folder, its log beside that.
pub(crate) fn start(folder: &Path) -> Process {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Process(Command::new(env!("CARGO_BIN_EXE_ctigate")).arg("serve").current_dir(folder).stderr(log).spawn().unwrap())
}

/// The same, and waits until it listens.
pub(crate) async fn serve(folder: &Path, web: SocketAddr) -> Process {
    let mut process = start(folder);
    soon("the gateway listens", async {
        while TcpStream::connect(web).await.is_err() {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("it ended with {status}: {}", std::fs::read_to_string(folder.join("log")).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    process
}

/// Addresses that are free now, and that nobody else is given.
pub(crate) fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    std::array::from_fn(|_| free_address())
}

/// One of them.
pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}
