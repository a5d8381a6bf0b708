//! The figures of `docs/performance.md`, each against others under the same load in the same run: the gateway, a bare WebSocket echo,
//! a router as people write it, a byte echo and a bare TLS door, each a process of its own, as are the CRM and the tabs. CPU is the
//! server's alone, by the kernel's counters. Prints figures and ratios, and judges none of them; it fails when nothing was measured or
//! a message was lost, doubled or out of order. `cargo bench --bench goals` (`smoke`: a look at each in seconds; `growth`: the plot; else
//! the names of the lines that are wanted).

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and fails loudly")]

mod crm;
mod frame;
mod lines;
mod part;
mod plot;
mod post;
mod servers;
mod tabs;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Ok(role) = std::env::var("BENCH_ROLE") else { return lines::director() };
    // The gateway as it is shipped (`TOKIO_WORKER_THREADS` changes it); everybody else as tokio does by itself on two cores.
    let runtime = match role.as_str() {
        "gateway" => ctigate::runtime::build().unwrap(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    };
    runtime.block_on(async {
        let work = async {
            match role.as_str() {
                "gateway" => servers::gateway().await,
                "echo" => servers::echo().await,
                "bytes" => servers::bytes().await,
                "naive" => servers::naive().await,
                "tls" => servers::tls().await,
                "hook" => post::hook().await,
                "poster" => post::poster().await,
                "crm" => crm::run().await,
                "tabs" => tabs::run().await,
                "fan" => tabs::fan().await,
                "idle" => tabs::idle().await,
                "logins" => tabs::logins().await,
                "handshakes" => tabs::handshakes().await,
                other => panic!("no role {other}"),
            }
        };
        tokio::select! {
            () = work => {}
            () = part::parent_gone() => {}
        }
    });
    // Whoever still reads the standard input would hold the runtime up.
    std::process::exit(0)
}
