//! The TLS of a whole node, as somebody else's examiner sees it: sslyze, which the installation of the tests brings.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use ctigate::config::LinkMode;
use serde_json::Value;

use crate::support::gateway::link;
use crate::support::{node, soon};

/// What sslyze finds at an address.
fn examined(address: SocketAddr) -> Value {
    let own = Path::new("target/python/bin/sslyze");
    let program = if own.exists() { own } else { Path::new("sslyze") };
    let output = Command::new(program)
        .args(["--mozilla_config=disable", "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"])
        .args([
            "--reneg",
            "--compression",
            "--heartbleed",
            "--openssl_ccs",
            "--robot",
            "--fallback",
            "--early_data",
            "--ems",
        ])
        .args(["--elliptic_curves", "--json_out=-", &format!("localhost:{}", address.port())])
        .output()
        .expect("sslyze: scripts/install.sh brings it");
    let said = String::from_utf8(output.stdout).unwrap();
    let json = said.find('{').unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(&said[json..]).unwrap_or_else(|e| panic!("{e}: {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sslyze_finds_nothing_weak_at_any_port() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    let any = "127.0.0.1:0".parse().unwrap();
    config.web.tls_bind = Some(any);
    config.web.admin_tls = true;
    let mut crm = link("crm", LinkMode::AcceptWss);
    crm.bind = Some(any);
    config.links.push(crm);
    let node = node::start(&config).await;
    let ports = [node.addresses.web_tls.unwrap(), node.addresses.links[0].1, node.addresses.admin.unwrap()];
    for port in ports {
        let examined = soon("sslyze", tokio::task::spawn_blocking(move || examined(port))).await.unwrap();
        let scan = &examined["server_scan_results"][0]["scan_result"];
        let result = |what: &str| {
            let result = &scan[what]["result"];
            assert!(!result.is_null(), "{port}: {what} was not examined: {}", scan[what]);
            result.clone()
        };
        let suites = |version: &str| -> Vec<String> {
            let accepted = result(&format!("{version}_cipher_suites"))["accepted_cipher_suites"].clone();
            let name = |suite: &Value| suite["cipher_suite"]["name"].as_str().unwrap().to_owned();
            accepted.as_array().unwrap().iter().map(name).collect()
        };
        for old in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
            assert_eq!(suites(old), Vec::<String>::new(), "{port}: {old}");
        }
        for (version, least) in [("tls_1_2", 3), ("tls_1_3", 3)] {
            let all = suites(version);
            assert!(all.len() >= least, "{port}: {version}: {all:?}");
            for suite in &all {
                let sealed = suite.contains("_GCM_") || suite.contains("CHACHA20_POLY1305");
                let forward = version == "tls_1_3" || suite.starts_with("TLS_ECDHE_");
                assert!(sealed && forward, "{port}: {suite} is weak");
            }
        }
        let renegotiation = result("session_renegotiation");
        assert_eq!(renegotiation["is_vulnerable_to_client_renegotiation_dos"], false, "{port}");
        assert_eq!(result("tls_compression")["supports_compression"], false, "{port}");
        assert_eq!(result("heartbleed")["is_vulnerable_to_heartbleed"], false, "{port}");
        assert_eq!(result("openssl_ccs_injection")["is_vulnerable_to_ccs_injection"], false, "{port}");
        assert_eq!(result("tls_1_3_early_data")["supports_early_data"], false, "{port}");
        assert_eq!(result("tls_extended_master_secret")["supports_ems_extension"], true, "{port}");
        let robot = result("robot")["robot_result"].as_str().unwrap().to_owned();
        assert!(robot.starts_with("NOT_VULNERABLE"), "{port}: {robot}");
        let curves = result("elliptic_curves")["supported_curves"].clone();
        for curve in curves.as_array().unwrap() {
            let name = curve["name"].as_str().unwrap();
            assert!(["X25519", "secp256r1", "prime256v1", "secp384r1"].contains(&name), "{port}: {name}");
        }
    }
    assert!(node.stop().await);
}
