//! Uploads and photos, by curl.

use std::path::Path;

use ctigate::config::Config;
use ctigate::proto::message::Format;
use image::{ImageFormat, Rgb, RgbImage};

use crate::support::curl::{Got, curl};
use crate::support::{FakeTab, node};

fn house(folder: &Path) -> Config {
    let mut config = node::config(folder);
    config.files.folder = folder.join("files");
    config
}

async fn pass(tab: &mut FakeTab) -> String {
    tab.0.say(r#"["gettemphttppass",{"qid":"p","responsetowebsock":true}]"#).await;
    tab.0.hear_named("gettemphttppassresult").await.body.text("password").unwrap().to_string()
}

async fn tab(web: std::net::SocketAddr) -> FakeTab {
    let mut tab = FakeTab::login(web, Format::Json, "ivanov").await;
    tab.0.say(r#"["subscribeevent",{"qid":"s","eventmethod":["httpresponsecopy"]}]"#).await;
    tab.0.hear_named("subscribeeventresult").await;
    tab
}

/// How many files lie below a folder.
fn files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|e| e.unwrap()).map(|e| if e.path().is_dir() { files(&e.path()) } else { 1 }).sum()
}

fn path_of(got: &Got) -> String {
    let text = got.text();
    text.split("path=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_uploaded_and_becomes_a_photo_in_three_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let config = house(folder.path());
    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut tab = tab(web).await;
    for (format, name) in [(ImageFormat::Png, "я.png"), (ImageFormat::Jpeg, "b.jpg"), (ImageFormat::Gif, "c.gif")] {
        let picture = folder.path().join(name);
        RgbImage::from_fn(300, 200, |x, _| Rgb(if x < 150 { [255, 0, 0] } else { [0, 0, 255] }))
            .save_with_format(&picture, format)
            .unwrap();
        let password = pass(&mut tab).await;
        // A variant of known clients leaves a part of the query empty.
        let url = format!("http://{web}/upload?temppass={password}&&storagemode=storage");
        let form = format!("file=@{}", picture.display());
        let got = curl(&["-F", &form, &url]).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(got.text().contains("<uploadfilesresult count=\"1\">"), "{got:?}");
        let path = path_of(&got);
        assert!(path.starts_with("/storage/20") && path.ends_with(name), "{path}");
        let copy = tab.0.hear_named("httpresponsecopy").await.body;
        assert_eq!(
            (copy.text("response").as_deref(), copy.text("password").as_deref()),
            (Some("200 OK"), Some(&*password))
        );
        assert_eq!(copy.text("content").as_deref(), Some(&*got.text()));
        assert_eq!(curl(&["-F", &form, &url]).await.status, 403, "one upload");

        tab.0.say(&format!(r#"["setmyuserphoto",{{"qid":"f","filepath":"{path}"}}]"#)).await;
        let reply = tab.0.hear_named("setmyuserphotoresult").await;
        assert_eq!(reply.body.int("result"), Some(1), "{reply:?}");
        tab.0.say(r#"["getuserphoto",{"qid":"g"}]"#).await;
        let links = tab.0.hear_named("getuserphotoresult").await.body;
        for (field, size) in [("link", (300, 200)), ("link32x32", (32, 32)), ("link96x96", (96, 96))] {
            let link = links.text(field).unwrap();
            let got = curl(&[&format!("http://{web}{link}")]).await;
            assert_eq!((got.status, got.header("content-type")), (200, Some("image/png")));
            assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
            let picture = image::load_from_memory_with_format(&got.body, ImageFormat::Png).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), size);
            let (left, right) = (picture.get_pixel(1, size.1 / 2).0, picture.get_pixel(size.0 - 2, size.1 / 2).0);
            assert!(left[0] > 200 && left[2] < 60 && right[2] > 200 && right[0] < 60, "{left:?} {right:?}");
        }
    }
    assert_eq!(files(&config.files.folder.join("photo")), 3, "the old photos went");
    tab.0.say(r#"["getuserphoto",{"qid":"g"}]"#).await;
    let link = tab.0.hear_named("getuserphotoresult").await.body.text("link96x96").unwrap();
    drop(tab);
    assert!(node.stop().await);

    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut again = FakeTab::login(web, Format::Json, "ivanov").await;
    again.0.say(r#"["getalluserphotolink",{"qid":"g"}]"#).await;
    let links = again.0.hear_named("getalluserphotolinkresult").await.body.value("links").unwrap();
    assert!(ctigate::proto::codec::encode_value(&links).contains(&*link), "{links:?}");
    assert_eq!(curl(&[&format!("http://{web}{link}")]).await.status, 200);
    for other in ["/photo/../ctigate.db", "/photo/%2e%2e%2fctigate.db", "/photo/00000000000000000000000000000000.png"] {
        assert_eq!(curl(&["--path-as-is", &format!("http://{web}{other}")]).await.status, 404, "{other}");
    }
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_upload_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = house(folder.path());
    config.files.quota = 20 << 20;
    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut tab = tab(web).await;
    let large = folder.path().join("large");
    std::fs::write(&large, vec![7; (16 << 20) + 1]).unwrap();
    let fits = folder.path().join("fits");
    std::fs::write(&fits, vec![7; 16 << 20]).unwrap();
    let text = folder.path().join("text.png");
    std::fs::write(&text, "this is no picture").unwrap();
    let (large, fits, text) = (
        format!("file=@{}", large.display()),
        format!("file=@{}", fits.display()),
        format!("file=@{}", text.display()),
    );

    assert_eq!(curl(&["-F", &fits, &format!("http://{web}/upload?temppass=guessed")]).await.status, 403);
    assert_eq!(curl(&["-F", &fits, &format!("http://{web}/upload")]).await.status, 403);
    let url = async |tab: &mut FakeTab, more: &str| format!("http://{web}/upload?temppass={}{more}", pass(tab).await);
    let at = url(&mut tab, "").await;
    assert_eq!(curl(&["-F", &large, &at]).await.status, 413);
    let copy = tab.0.hear_named("httpresponsecopy").await.body.text("response").unwrap();
    assert_eq!(&*copy, "413 Payload Too Large");
    assert_eq!(files(&config.files.folder), 0, "nothing of it stays");
    for (args, more, status) in [
        (vec!["-d", "file=x"], "", 415),
        (vec!["-F", "other=x"], "", 400),
        (vec!["-F", &text], "&storagemode=nowhere", 400),
        (vec!["-F", &text], "&pathmode=sideways", 400),
    ] {
        let at = url(&mut tab, more).await;
        assert_eq!(curl(&[&args[..], &[&at]].concat()).await.status, status, "{args:?} {more}");
    }
    assert_eq!(curl(&[&format!("http://{web}/upload")]).await.status, 405);

    let at = url(&mut tab, "&storagemode=temp&pathmode=relative").await;
    let got = curl(&["-F", &text, &at]).await;
    let path = path_of(&got);
    assert!(path.starts_with("20") && path.ends_with("/text.png"), "{path}");
    tab.0.say(&format!(r#"["setmyuserphoto",{{"qid":"f","filepath":"{path}"}}]"#)).await;
    let reply = tab.0.hear_named("setmyuserphotoresult").await.body;
    assert_eq!(reply.int("error"), Some(59002));
    assert!(reply.text("errormsg").unwrap().contains("no PNG, JPEG or GIF"), "{reply:?}");

    let at = url(&mut tab, "").await;
    assert_eq!(curl(&["-F", &fits, &at]).await.status, 200);
    let at = url(&mut tab, "").await;
    assert_eq!(curl(&["-F", &fits, &at]).await.status, 507, "the quota");
    assert_eq!(files(&config.files.folder), 2);
    assert!(node.stop().await);
}
