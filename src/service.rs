//! The service manager that started us, as systemd speaks with those it starts. Without one, nothing here does anything.
//!
//! - [`Manager::tell`] is sd_notify(3): a datagram to `$NOTIFY_SOCKET`. It says when the gateway is ready, that it is still
//!   alive, and that it stops.
//! - [`inherited`] is sd_listen_fds(3): listeners that were opened before we were started.
//!
//! Called by `cli`. Telling never fails aloud: the manager that does not hear us does what it does with the silent.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Whom to tell, if anybody.
#[derive(Debug, Default)]
pub struct Manager {
    #[cfg(unix)]
    socket: Option<(std::os::unix::net::UnixDatagram, std::os::unix::net::SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let watchdog = watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
        #[cfg(unix)]
        {
            let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| match open(&name) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(socket = ?name, %error, "the service manager cannot be told anything");
                    None
                }
            });
            Self { socket, watchdog }
        }
        #[cfg(not(unix))]
        Self { watchdog }
    }

    /// How often it wants to hear `WATCHDOG=1`, at least; `None`: it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells assignments like `READY=1`, one a line.
    pub fn tell(&self, assignments: &str) {
        #[cfg(unix)]
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(assignments.as_bytes(), address)
        {
            tracing::debug!(%error, assignments, "the service manager was not told");
        }
        #[cfg(not(unix))]
        let _ = assignments;
    }

    /// Waits for `work`; meanwhile tells the manager that we are alive, three times in the time it gives us, as long as
    /// `alive` says so.
    pub async fn guard<T>(&self, work: impl Future<Output = T>, alive: impl Fn() -> bool) -> T {
        let Some(patience) = self.watchdog else { return work.await };
        let mut work = std::pin::pin!(work);
        let mut beat = tokio::time::interval(patience / 3);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => {
                    if alive() {
                        self.tell("WATCHDOG=1");
                    }
                }
            }
        }
    }
}

/// The listeners that the service manager opened for us, in its order. Call it once, while the process has no other thread: it
/// takes them out of the environment, so that nobody we start believes they are its own.
///
/// # Errors
/// One of them is no TCP listener.
pub fn inherited() -> io::Result<Vec<TcpListener>> {
    #[cfg(unix)]
    {
        let mut all = listenfd::ListenFd::from_env();
        // None is left out: what is passed twice or not at all is an error.
        (0..all.len()).filter_map(|at| all.take_tcp_listener(at).transpose()).collect()
    }
    #[cfg(not(unix))]
    Ok(Vec::new())
}

/// The patience of a manager that watches us, and not whoever started us.
fn watchdog(micros: Option<String>, whose: Option<String>, own: u32) -> Option<Duration> {
    if whose.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    micros?.parse().ok().filter(|micros| *micros > 0).map(Duration::from_micros)
}

/// A path, or with `@` in front a name that is in no file system.
#[cfg(unix)]
fn open(name: &std::ffi::OsStr) -> io::Result<(std::os::unix::net::UnixDatagram, std::os::unix::net::SocketAddr)> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;

        if let Some(name) = name.as_bytes().strip_prefix(b"@") {
            return Ok((UnixDatagram::unbound()?, SocketAddr::from_abstract_name(name)?));
        }
    }
    Ok((UnixDatagram::unbound()?, SocketAddr::from_pathname(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_watchdog_that_watches_us_is_heard() {
        let watchdog =
            |micros: &str, whose: Option<&str>| watchdog(Some(micros.to_owned()), whose.map(str::to_owned), 7);
        assert_eq!(watchdog("30000000", None), Some(Duration::from_secs(30)));
        assert_eq!(watchdog("30000000", Some("7")), Some(Duration::from_secs(30)));
        for (micros, whose) in [("30000000", Some("8")), ("0", None), ("often", None), ("1", Some("x"))] {
            assert_eq!(watchdog(micros, whose), None, "{micros} {whose:?}");
        }
        assert_eq!(super::watchdog(None, None, 7), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_alive_does_not_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let manager =
            Manager { socket: Some(open(path.as_os_str()).unwrap()), watchdog: Some(Duration::from_secs(30)) };
        let count = || {
            let mut bytes = [0; 64];
            std::iter::from_fn(|| heard.recv(&mut bytes).ok()).count()
        };
        // At once, and after 10, 20, 30 s.
        manager.guard(tokio::time::sleep(Duration::from_secs(35)), || true).await;
        assert_eq!(count(), 4);
        manager.guard(tokio::time::sleep(Duration::from_secs(35)), || false).await;
        assert_eq!(count(), 0);
    }
}
