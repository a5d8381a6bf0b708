//! The server that the conformance suite judges: an echo on the real transport. `echo-server PLAIN TLS FOLDER` serves two ports on
//! loopback; the certificate is made in the folder. Says one line when both are open.

use std::error::Error;
use std::path::Path;

use ctigate::transport::tls::{Certificates, make_if_missing};
use ctigate::transport::{echo, listen};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: echo-server PLAIN TLS FOLDER");
    let (plain, tls, folder) = (next()?.parse()?, next()?.parse()?, next()?);
    let (certificate, key) = (Path::new(&folder).join("server.pem"), Path::new(&folder).join("server.key"));
    make_if_missing(&certificate, &key, &[], "")?;
    let certificates = Certificates::load(&certificate, &key)?;
    let open = |port: u16| listen::bind(([127, 0, 0, 1], port).into());
    let (plain, tls) = (open(plain)?, open(tls)?);
    eprintln!("echo is open");
    tokio::spawn(echo::serve(plain, None));
    echo::serve(tls, Some(certificates)).await;
    Ok(())
}
