//! The office of the built-in simulator. Hands and people outside are moved by the interface of the admin port.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::SOON;
use crate::dialplan;
use crate::office::{Office, Pbx, RUNTIME, configuration};

/// The simulator, by its admin port.
pub(crate) struct Simulated;

static OFFICE: LazyLock<Office<Simulated>> = LazyLock::new(|| {
    // The stories run on this runtime already; another thread may wait for it.
    std::thread::spawn(|| RUNTIME.block_on(open())).join().expect("the office opens")
});

async fn open() -> Office<Simulated> {
    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path());
    let timeline = folder.path().join("teams.cti");
    std::fs::write(&timeline, dialplan::scenarios()).unwrap();
    config.pbx.timeline = Some(timeline);
    Office::open(Simulated, config, folder).await
}

impl Simulated {
    async fn does(&self, order: Value) {
        Self::office().order(&order).await.unwrap_or_else(|why| panic!("{order}: {why}"));
    }

    /// Tries until it can be done: the phone may ring a moment later.
    async fn does_soon(&self, order: Value) {
        let until = Instant::now() + SOON;
        while let Err(why) = Self::office().order(&order).await {
            assert!(Instant::now() < until, "{order}: {why}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the legs that are not over are as wanted: their numbers and states.
    async fn until(&self, what: &str, yes: impl Fn(&[(String, String)]) -> bool) {
        let until = Instant::now() + SOON;
        loop {
            let picture = Self::office().order(&json!({ "op": "picture" })).await.unwrap();
            let calls = picture["calls"].as_array().cloned().unwrap_or_default();
            let text = |leg: &Value, name: &str| leg[name].as_str().unwrap_or_default().to_owned();
            let legs = calls.iter().flat_map(|call| call["legs"].as_array().cloned().unwrap_or_default());
            let live: Vec<(String, String)> = legs
                .map(|leg| (text(&leg, "number"), text(&leg, "state")))
                .filter(|(_, state)| state != "ended")
                .collect();
            if yes(&live) {
                return;
            }
            assert!(Instant::now() < until, "{what}: not within {} s; there are {live:?}", SOON.as_secs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Pbx for Simulated {
    fn office() -> &'static Office<Self> {
        &OFFICE
    }

    async fn ready(&self, _: &[String]) {}

    async fn comes_in(&self, caller: &str, called: &str) {
        self.does(json!({ "op": "incoming", "caller": caller, "called": called })).await;
    }

    async fn picks_up(&self, number: &str) {
        self.does_soon(json!({ "op": "answer", "number": number })).await;
    }

    async fn hangs_up(&self, number: &str) {
        self.does_soon(json!({ "op": "hangup", "number": number })).await;
    }

    async fn refuses(&self, number: &str) {
        self.until("a ring", |legs| legs.iter().any(|(of, state)| of == number && state == "ringing")).await;
        self.does_soon(json!({ "op": "hangup", "number": number })).await;
    }

    async fn is_busy(&self, number: &str) {
        self.does(json!({ "op": "play", "timeline": format!("phone {number} busy\n") })).await;
    }

    async fn is_away(&self, number: &str, away: bool) {
        self.does(json!({ "op": "phone", "number": number, "connected": !away })).await;
    }

    async fn is_quiet(&self, numbers: &[String]) {
        self.until("quiet", |legs| legs.iter().all(|(of, _)| !numbers.contains(of))).await;
    }
}
