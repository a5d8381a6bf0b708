//! The connections of the admin port: HTTP/1.1, plain or by TLS, with a bound on how many there are and how long a peer may
//! take to say what it wants.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Cidr;
use crate::transport::listen;
use crate::transport::tls::Certificates;

/// Most connections at a time; more wait until one ends.
const MOST: usize = 256;

/// How long TLS may take, and how long the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause when the system gives no connection, so that the loop does not spin.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then lets answers under way end.
pub(super) async fn serve(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    routes: Router,
    proxies: Vec<Cidr>,
    stop: CancellationToken,
) {
    let proxies: Arc<[Cidr]> = proxies.into();
    let room = Arc::new(Semaphore::new(MOST));
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(accept(&listener, &room)).await {
        let ((tcp, from), place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the admin port accepted nothing");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (certificates, stop) = (certificates.clone(), stop.clone());
        let routes =
            Routes { routes: routes.clone(), from, tls: certificates.is_some(), proxies: Arc::clone(&proxies) };
        connections.spawn(async move {
            connection(tcp, certificates, routes, stop).await;
            drop(place);
        });
    }
    connections.close();
    connections.wait().await;
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<((TcpStream, IpAddr), tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    let (tcp, from) = listener.accept().await?;
    Ok(((tcp, from.ip().to_canonical()), place))
}

/// What answers the requests of one connection, which are told where they come from.
struct Routes {
    routes: Router,
    from: IpAddr,
    tls: bool,
    proxies: Arc<[Cidr]>,
}

async fn connection(tcp: TcpStream, certificates: Option<Arc<Certificates>>, routes: Routes, stop: CancellationToken) {
    match certificates {
        None => speak(tcp, routes, stop).await,
        Some(certificates) => match timeout(PATIENCE, certificates.acceptor().accept(tcp)).await {
            Ok(Ok(tls)) => speak(tls, routes, stop).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS on the admin port"),
            Err(_) => tracing::debug!("TLS on the admin port took too long"),
        },
    }
}

async fn speak<S>(stream: S, routes: Routes, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Routes { routes, from, tls, proxies } = routes;
    let answer = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let caller = listen::caller(&proxies, from, tls, request.headers());
        request.extensions_mut().insert(caller);
        TowerToHyperService::new(routes.clone()).call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the admin port broke");
    }
}
