//! The gateway as curl sees it: somebody else's HTTP, Basic and Digest.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate::config::{Auth, Link, LinkMode, Secret};

use crate::support::gateway::link;
use crate::support::{Setup, node};

/// What curl printed, and what it told of the conversation.
async fn curl(args: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--verbose", "--max-time", "10", "--noproxy", "*"]).args(args);
    let output = tokio::task::spawn_blocking(move || command.output().expect("curl, from the package curl")).await;
    let output = output.unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The statuses of the answers in a conversation.
fn statuses(told: &str) -> Vec<u16> {
    told.lines().filter_map(|l| l.strip_prefix("< HTTP/1.1 ")?.get(..3)?.parse().ok()).collect()
}

const UPGRADE: [&str; 12] = [
    "-H",
    "Upgrade: websocket",
    "-H",
    "Connection: Upgrade",
    "-H",
    "Sec-WebSocket-Version: 13",
    "-H",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "-H",
    "Sec-WebSocket-Protocol: json",
    "--max-time",
    "1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_takes_curls_basic_and_digest() {
    for auth in [Auth::Basic, Auth::Digest] {
        let link = Link {
            auth: Some(auth),
            login: "crm".to_owned(),
            password: Some(Secret::new("secret")),
            ..link("crm", LinkMode::AcceptWs)
        };
        let gateway = Setup::new().link(link).start().await;
        let url = format!("http://{}/cti?a=b", gateway.link("crm"));
        let way = format!("--{auth}");
        let (_, told) = curl(&[&UPGRADE[..], &[&way, "--user", "crm:secret", &url]].concat()).await;
        let expected: &[u16] = if auth == Auth::Basic { &[101] } else { &[401, 101] };
        assert_eq!(statuses(&told), expected, "{told}");
        if auth == Auth::Digest {
            assert!(told.contains("Re-using existing"), "on the same connection: {told}");
            let sent = told.lines().find_map(|l| l.strip_prefix("> Authorization: ")).expect("credentials");
            assert!(sent.contains("SHA-256"), "the stronger one: {sent}");
            let replayed = format!("Authorization: {sent}");
            let (_, told) = curl(&[&UPGRADE[..], &["-H", &replayed, &url]].concat()).await;
            assert_eq!(statuses(&told), [401], "{told}");
            assert!(told.contains("stale=true"), "{told}");
        }
        let (_, told) = curl(&[&UPGRADE[..], &[&way, "--user", "crm:wrong", &url]].concat()).await;
        assert_eq!(statuses(&told).last(), Some(&401), "{told}");
        let (_, told) = curl(&[&UPGRADE[..], &["--digest", "--user", "crm:secret", &url]].concat()).await;
        let passes = statuses(&told).contains(&101);
        assert_eq!(passes, auth == Auth::Digest, "Basic demanded is not Digest: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_posts_to_rpc_by_curl() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    config.links.push(Link {
        // Nobody is there: what is posted to us needs no link that is up.
        url: "http://127.0.0.1:9/".to_owned(),
        rpc_login: "shop".to_owned(),
        rpc_password: Some(Secret::new("secret")),
        ticket: Some(Secret::new("0123456789abcdef")),
        trust_users: true,
        ..link("shop", LinkMode::PostHttp)
    });
    let node = node::start(&config).await;
    let url = format!("http://{}/rpc", node.addresses.web.unwrap());
    let calls = r#"[["ping",{"qid":1}],["getuserstate",{"qid":2,"userlogin":"ivanov"}]]"#;
    let data = format!("data={}", STANDARD.encode(calls));
    let form = ["--data-urlencode", "format=json", "--data-urlencode", &data];
    for credentials in [
        vec!["--basic", "--user", "shop:secret"],
        vec!["--digest", "--user", "shop:secret"],
        vec!["-H", "Authorization: Bearer 0123456789abcdef"],
    ] {
        let (body, told) = curl(&[&credentials[..], &form, &[&url]].concat()).await;
        assert_eq!(statuses(&told).last(), Some(&200), "{told}");
        assert!(body.starts_with(r#"[["pong",{"qid":1}],["getuserstateresult",{"qid":2,"result":1"#), "{body}");
    }
    for credentials in [vec![], vec!["--basic", "--user", "shop:wrong"], vec!["--digest", "--user", "shop:wrong"]] {
        let (_, told) = curl(&[&credentials[..], &form, &[&url]].concat()).await;
        assert_eq!(statuses(&told).last(), Some(&401), "{told}");
    }
    assert!(node.stop().await, "a clean stop");
}
