//! The routes of the web port as they are at the moment: who changes them changes them for connections that are open too.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

/// Routes that can be exchanged. Clones are the same.
#[derive(Clone, Debug)]
pub struct Routes(Arc<ArcSwap<Router>>);

impl Routes {
    /// These, until others are set.
    pub fn new(router: Router) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(router)))
    }

    /// From the next request on others.
    pub fn set(&self, router: Router) {
        self.0.store(Arc::new(router));
    }

    /// A router that answers as those do that are set when a request comes.
    pub fn router(&self) -> Router {
        let routes = Arc::clone(&self.0);
        Router::new().fallback(move |request: Request| {
            let now = Router::clone(&routes.load());
            async move { TowerToHyperService::new(now).call(request).await.unwrap_or_else(|never| match never {}) }
        })
    }
}
