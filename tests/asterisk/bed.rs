//! The bed by itself: what the stories stand on works without a gateway.

use std::net::Ipv4Addr;

use crate::dialplan::{TRUNK_IP, extension};
use crate::phones::{Manner, Phones, Stage};
use crate::server::{Asterisk, Ports};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_call_each_other_and_the_world() {
    let trunk_address = std::net::UdpSocket::bind((TRUNK_IP, 0)).unwrap().local_addr().unwrap();
    let asterisk = Asterisk::start(Ports::free(trunk_address)).await;
    let phones = Phones::at(Ipv4Addr::LOCALHOST, asterisk.sip()).await;
    let (one, two) = (extension(0, 1), extension(0, 2));
    phones.register(&one).await;
    phones.register(&two).await;
    phones.dial(&one, "", &two).await;
    assert_eq!(phones.rings(&two).await.shows, one);
    phones.answer(&two).await;
    phones.talks(&one).await;
    phones.hold(&one, true).await;
    phones.hold(&one, false).await;
    phones.speaks(&one, 500);
    phones.hears(&two, &[500], &[700]).await;
    phones.hang_up(&two).await;
    assert_eq!(phones.is_free(&one).await, Some(0));

    phones.manner(&two, Manner::Busy);
    phones.dial(&one, "", &two).await;
    assert_eq!(phones.is_free(&one).await, Some(486));
    phones.unregister(&two).await;
    phones.dial(&one, "", &two).await;
    let refused = phones.is_free(&one).await;
    assert!(matches!(refused, Some(480 | 503)), "{refused:?}");
    phones.manner(&two, Manner::Rings);
    phones.register(&two).await;
    phones.dial(&one, "", &two).await;
    phones.rings(&two).await;
    phones.hang_up(&one).await;
    phones.is_free(&two).await;
    assert_eq!(phones.calls(&two).last().unwrap().stage, Stage::Over(487));
    assert_eq!(asterisk.channels().await, [""; 0]);
}
