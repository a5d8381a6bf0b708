//! Ports for programs that are told beforehand where to listen.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Below those that the system hands out, and above those of sound: nobody else takes one between the asking and its use. Two
/// Asterisks that met at one port would hear each other's calls.
const PORTS: std::ops::Range<u16> = 30_100..32_700;
/// How many a process claims at once; it holds the first of them for as long as it lives.
const BLOCK: u16 = 260;

/// The ports of this process that were not given away yet.
struct Block {
    claims: Vec<TcpListener>,
    left: std::ops::Range<u16>,
}

impl Block {
    fn next(&mut self) -> u16 {
        if let Some(port) = self.left.next() {
            return port;
        }
        let (claim, first) = PORTS
            .step_by(BLOCK.into())
            .find_map(|first| Some((TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?, first)))
            .expect("too many processes want ports of their own");
        self.claims.push(claim);
        self.left = first + 1..first + BLOCK;
        self.next()
    }
}

/// A port that nobody has now, and that is given to nobody else.
pub(crate) fn free_port() -> u16 {
    static BLOCK: Mutex<Block> = Mutex::new(Block { claims: Vec::new(), left: 0..0 });
    let mut block = BLOCK.lock().unwrap();
    loop {
        let port = block.next();
        let at = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok() {
            return port;
        }
    }
}
