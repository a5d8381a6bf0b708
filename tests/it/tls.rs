//! Certificates that change, and peers that get TLS wrong.

use std::fs;
use std::time::Duration;

use ctigate::proto::message::Format;
use ctigate::transport::tls::{Certificates, watch};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{FakeTab, Gateway, Setup, soon, tls};

/// What a newcomer is shown.
async fn shown(gateway: &Gateway) -> Vec<u8> {
    tls::connect(gateway.web_tls.unwrap()).await.1.to_vec()
}

async fn is_shown(gateway: &Gateway, expected: &tls::Pair) {
    soon("the new certificate", async {
        while shown(gateway).await != expected.der().to_vec() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_drops_nobody_and_a_bad_one_changes_nothing() {
    let (pair, second, third) = (tls::Pair::new(), tls::Pair::new(), tls::Pair::new());
    let mut setup = Setup::new();
    let certificates = Certificates::load(&pair.certificate, &pair.key).unwrap();
    setup.certificates = Some(certificates.clone());
    let gateway = setup.start().await;
    let watching = tokio::spawn(watch(vec![certificates], gateway.stop.clone()));
    let mut tabs = Vec::new();
    for i in 0..100 {
        let format = if i % 2 == 0 { Format::Json } else { Format::Xml };
        let mut tab = FakeTab::over(tls::connect(gateway.web_tls.unwrap()).await.0, format).await;
        tab.log_in(["ivanov", "petrov"][i / 50]).await;
        tabs.push(tab);
    }
    // Certificate and key change one after the other, by renaming, as orchestrators do. The watcher may not have begun yet, so
    // the change is repeated until it is seen.
    soon("the second certificate", async {
        while shown(&gateway).await != second.der().to_vec() {
            for (new, old) in [(&second.certificate, &pair.certificate), (&second.key, &pair.key)] {
                let beside = old.with_extension("new");
                fs::copy(new, &beside).unwrap();
                fs::rename(&beside, old).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    })
    .await;
    fs::write(&pair.certificate, "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(shown(&gateway).await, second.der().to_vec(), "a bad file keeps the old one");
    // What lies behind a symbolic link is not seen to change; a signal tells.
    let elsewhere = tempfile::tempdir().unwrap();
    for (file, now) in [(&pair.certificate, &second.certificate), (&pair.key, &second.key)] {
        let target = elsewhere.path().join(file.file_name().unwrap());
        fs::copy(now, &target).unwrap();
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink(&target, file).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    fs::copy(&third.certificate, elsewhere.path().join("server.pem")).unwrap();
    fs::copy(&third.key, elsewhere.path().join("server.key")).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(shown(&gateway).await, second.der().to_vec());
    let hangup = std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
    assert!(hangup.success());
    is_shown(&gateway, &third).await;
    for tab in &mut tabs {
        tab.ping().await;
    }
    assert_eq!(gateway.engine.peers().len(), 100, "nobody was dropped");
    gateway.stop.cancel();
    soon("the watcher ends", watching).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_tls_wrong_is_cut_and_holds_up_nobody() {
    let pair = tls::Pair::new();
    let gateway = Setup::new().tls(&pair).start().await;
    let at = gateway.web_tls.unwrap();
    // A hundred that say hello by halves, and nothing more.
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut tcp = TcpStream::connect(at).await.unwrap();
        tcp.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        stalled.push(tcp);
    }
    FakeTab::over(tls::connect(at).await.0, Format::Json).await.log_in("ivanov").await;
    for wrong in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        (0..=255).cycle().take(1000).map(|i: u8| i.wrapping_mul(37)).collect(),
        // A record that says it is larger than any may be.
        vec![0x16, 0x03, 0x01, 0xff, 0xff],
    ] {
        let mut tcp = TcpStream::connect(at).await.unwrap();
        tcp.write_all(&wrong).await.unwrap();
        let mut rest = Vec::new();
        // An alert, perhaps, and the end.
        let _ = soon("the end", tcp.read_to_end(&mut rest)).await;
        assert!(rest.len() < 10, "{rest:?}");
    }
    for mut tcp in stalled {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(15), tcp.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "cut at the deadline");
    }
}

/// A hello of TLS 1.1, which offers a cipher of that time.
fn old_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x02];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xc0, 0x14, 0x00, 0x35, 1, 0]);
    let mut hello = vec![0x16, 0x03, 0x01, 0, u8::try_from(body.len() + 4).unwrap()];
    hello.extend([1, 0, 0, u8::try_from(body.len()).unwrap()]);
    hello.extend(body);
    hello
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_1_is_refused() {
    let pair = tls::Pair::new();
    let gateway = Setup::new().tls(&pair).start().await;
    let mut tcp = TcpStream::connect(gateway.web_tls.unwrap()).await.unwrap();
    tcp.write_all(&old_hello()).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon("an alert", tcp.read_to_end(&mut answer)).await;
    assert_eq!(answer.first(), Some(&0x15), "an alert: {answer:?}");
    assert_eq!(answer.get(5), Some(&2), "a fatal one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_without_goodbye_is_an_end() {
    let pair = tls::Pair::new();
    let gateway = Setup::new().tls(&pair).start().await;
    let (io, _) = tls::connect(gateway.web_tls.unwrap()).await;
    let mut tab = FakeTab::over(io, Format::Json).await;
    tab.log_in("ivanov").await;
    // Dropped without close_notify.
    drop(tab);
    crate::support::until("the tab is gone", || gateway.engine.peers().is_empty()).await;
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--cacert", pair.certificate.to_str().unwrap()])
        .arg(format!("https://localhost:{}/hello", gateway.web_tls.unwrap().port()))
        .output()
        .expect("curl, from the package curl");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{}", String::from_utf8_lossy(&output.stderr));
}
