//! The client that the conformance suite judges: an echo on the real dialling code. `echo-client URL AGENT` asks the suite's server how
//! many cases it has, plays each, and has the report written.

use std::error::Error;

use ctigate::config::{Link, LinkMode};
use ctigate::transport::echo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: echo-client URL AGENT");
    let (url, agent) = (next()?, next()?);
    let to = |path: String| Link {
        name: agent.clone(),
        mode: if url.starts_with("wss:") { LinkMode::DialWss } else { LinkMode::DialWs },
        url: format!("{url}/{path}"),
        deflate: true,
        danger_accept_any_certificate: true,
        ..Link::default()
    };
    let count: u32 = echo::ask(&to("getCaseCount".to_owned())).await?.parse()?;
    for case in 1..=count {
        if let Err(e) = echo::dial(&to(format!("runCase?case={case}&agent={agent}"))).await {
            eprintln!("{agent}, case {case} of {count}: {e}");
        }
    }
    if let Err(e) = echo::visit(&to(format!("updateReports?agent={agent}"))).await {
        // The suite answers when the report is written, which may take longer than a handshake may.
        eprintln!("{agent}, the report: {e}");
    }
    Ok(())
}
