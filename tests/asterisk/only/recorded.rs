//! Talks are recorded by Asterisk and served by the gateway, whole and in parts.

use std::process::Command;

use serde_json::json;

use crate::office::{Story, tell};
use crate::real::Real;

/// What curl says: the status, and how many bytes it got.
fn curl(arguments: &[&str]) -> (u16, u64, String) {
    let got = Command::new("curl")
        .args(["-s", "-o", "/dev/null", "-D", "-", "-w", "\n%{http_code} %{size_download}", "--max-time", "10"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&got.stdout).into_owned();
    let (status, size) = text.lines().last().and_then(|l| l.split_once(' ')).expect("curl sums up");
    (status.parse().unwrap(), size.parse().unwrap(), text.clone())
}

#[test]
fn a_talk_is_recorded_and_fetched_in_parts() {
    tell(async |s: Story<Real>| {
        let [a] = s.desks().await;
        let client = s.outside(1);
        s.pbx.world.dial(&client, "", &a.number).await;
        s.pbx.phones.answer(&a.number).await;
        a.is(&format!("talk {client}")).await;
        s.pbx.world.speaks(&client, 400);
        s.pbx.phones.speaks(&a.number, 700);
        s.pbx.phones.hears(&a.number, &[400], &[]).await;
        s.pbx.phones.hang_up(&a.number).await;
        let entry = s.entry(&client, 0).await;
        assert!(entry.talks[0].recording.is_some(), "{entry:#?}");
        let filter = json!({ "filter": { "idchain": a.chain() } });
        let link = |reply: &serde_json::Value| reply["data"][0]["recordlink"].as_str().map(str::to_owned);
        let journal = a.asks_until("getpbxcalljournal", filter, |reply| link(reply).is_some()).await;
        let link = link(&journal).unwrap();
        let password = a.wants("gettemphttppass").await["password"].as_str().unwrap().to_owned();
        let url = format!("http://{}{link}?temppass={password}", s.office.web());
        // Asterisk writes the last of it a moment after the call.
        let mut whole = 0;
        crate::until("the whole recording", || {
            let (status, size, _) = curl(&[&url]);
            whole = size;
            status == 200 && size > 4_000
        })
        .await;
        let (status, size, head) = curl(&["-H", "Range: bytes=44-143", &url]);
        assert_eq!((status, size), (206, 100), "{head}");
        assert!(head.contains(&format!("bytes 44-143/{whole}")), "{head}");
        s.closes(&[&a]).await;
    });
}
