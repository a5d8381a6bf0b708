//! A wire that can be cut: TCP from one of our ports to another.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The wire.
pub(crate) struct Wire {
    pub(crate) port: u16,
    whole: Arc<watch::Sender<bool>>,
}

impl Wire {
    /// A whole wire to this port.
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let whole = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&whole);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // Whoever comes while it is cut is let go at once.
                if *state.borrow() {
                    tokio::spawn(carry(near, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), state.subscribe()));
                }
            }
        });
        Self { port: own, whole }
    }

    /// Cuts it: every connection ends, and new ones do too.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Mends it, for new connections.
    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, to: SocketAddr, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
