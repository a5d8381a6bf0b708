//! The threads that the gateway runs on.
//!
//! Whatever is said of calls goes through the Hub, one at a time. A second thread saves none of that work; it costs waking, waiting, and memory that
//! moves from core to core. So there are few: half of the cores, at most [`MOST`]. The store, password checks and pictures have threads of their own.

use std::io;
use std::num::NonZeroUsize;

use tokio::runtime::{Builder, Runtime};

/// The environment variable that says how many threads there are, as in every program that is built on tokio.
pub const VARIABLE: &str = "TOKIO_WORKER_THREADS";

/// More threads than this are taken only where [`VARIABLE`] says so.
const MOST: usize = 4;

/// A runtime with as many threads as [`VARIABLE`] says, else as suit the machine. On one thread, tasks have their turn in the order in which they
/// were woken.
///
/// # Errors
/// When the variable holds no number from 1 on, or the system gives no threads.
pub fn build() -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let wanted = std::env::var_os(VARIABLE).map(|wanted| wanted.to_string_lossy().into_owned());
    let mut builder = match threads(cores, wanted.as_deref())? {
        1 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build()
}

fn threads(cores: usize, wanted: Option<&str>) -> io::Result<usize> {
    let Some(wanted) = wanted else { return Ok((cores / 2).clamp(1, MOST)) };
    wanted.trim().parse().ok().filter(|threads| *threads > 0).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{VARIABLE} is `{wanted}`, expected a number of threads from 1 on"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_cores_have_a_thread_unless_somebody_says_otherwise() {
        let by_cores = [1, 2, 3, 4, 8, 64].map(|cores| threads(cores, None).unwrap());
        assert_eq!(by_cores, [1, 1, 1, 2, 4, 4]);
        assert_eq!(threads(2, Some("16")).unwrap(), 16);
        for wrong in ["0", "", "two", "-1"] {
            let error = threads(2, Some(wrong)).unwrap_err().to_string();
            assert_eq!(error, format!("TOKIO_WORKER_THREADS is `{wrong}`, expected a number of threads from 1 on"));
        }
    }
}
