//! What keeps people and programs up to date while a node runs: accounts and integration keys that come, change and end, when keys
//! were used last, and when people signed in last.

use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::hub::Input;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Door};
use crate::config::{Config, Loaded, Place};
use crate::engine::Engine;
use crate::files::Files;
use crate::people::{Desk, unix_ms};
use crate::store::StoreError;
use crate::web;

use super::door::House;
use super::settings;

/// How often the store is looked at: a key that a command changed counts after this time at the latest.
const EVERY: Duration = Duration::from_secs(10);

/// A configuration without the accounts of the store.
pub(super) fn of_file(loaded: &Loaded) -> Config {
    let mut config = loaded.config.clone();
    let mut at = 0;
    config.users.retain(|_| {
        let place = loaded.origins.get(&format!("user[{at}].login"));
        at += 1;
        !matches!(place, Some(Place::Store(_)))
    });
    config
}

/// What the web port is made of, with what programs ask for there.
pub(super) fn web(
    config: &Config,
    demo: bool,
    files: Files,
    desk: &Arc<Desk>,
    house: &Arc<dyn Door>,
    stop: CancellationToken,
) -> web::Settings {
    let api = admin::for_programs(Arc::clone(house), Arc::clone(desk), settings::source, stop.clone());
    web::Settings { api: Some(api), ..settings::web(config, demo, files, stop) }
}

/// Reads the keys anew; the connections of programs whose key counts no more are closed.
pub(super) async fn refresh_keys(desk: &Desk, engine: &Engine) -> Result<(), StoreError> {
    for client in desk.accounts().keys().refresh(desk.store(), unix_ms()).await? {
        engine.close_programs(&client);
    }
    Ok(())
}

/// People or keys of the store are others than before.
pub(super) async fn changed(house: &House) {
    let told = match house.live.get().filter(|live| live.sources.is_some()) {
        Some(live) => live.reload().await.map(drop).map_err(|why| why.to_string()),
        None => of_store(house).await.map_err(|why| why.to_string()),
    };
    if let Err(why) = told {
        tracing::error!(%why, "what has changed about people cannot be used; it counts from the next reload");
    }
}

/// The same where there is no configuration to read again.
async fn of_store(House { desk, engine, phone, .. }: &House) -> Result<(), StoreError> {
    let (config, findings) = desk.refresh().await?;
    findings.iter().for_each(|finding| tracing::warn!("{finding}"));
    desk.store().publish(&settings::people(&config)).await?;
    phone.directory(settings::directory(&config));
    let choices = settings::hub(&config, (0, 0), unix_ms(), [0; 32]).into();
    engine.handle(Input::Reconfigure(Box::new(choices)));
    refresh_keys(desk, engine).await
}

/// Runs until `stop`.
pub(super) async fn tend(desk: Arc<Desk>, engine: Arc<Engine>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        let stopping = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let (store, accounts) = (desk.store(), desk.accounts());
        let noted = async {
            store.note_sign_ins(&accounts.take_sign_ins()).await?;
            store.note_keys_used(&accounts.keys().take_used()).await?;
            if !stopping {
                refresh_keys(&desk, &engine).await?;
            }
            Ok::<(), StoreError>(())
        };
        if let Err(why) = noted.await {
            tracing::warn!(%why, "who signed in and which keys count cannot be noted now");
        }
        if stopping {
            return;
        }
    }
}
