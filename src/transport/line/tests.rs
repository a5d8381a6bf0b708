use ctigate_proto::message::{Body, Envelope, Format};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::engine::outbox::Limit;
use crate::transport::sink;
use crate::transport::stream::Stream;

/// A peer, the line to it, and what must live for the line to work.
async fn line(side: Side) -> (TcpStream, Arc<Line>, sink::Source) {
    line_to(side, false).await
}

async fn line_to(side: Side, is_link: bool) -> (TcpStream, Arc<Line>, sink::Source) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (source, sink) = sink::split(Stream::Plain(listener.accept().await.unwrap().0));
    let line = Line::new(sink, side);
    let writer = Writer { format: Format::Json, threshold: 1 << 30, cut_events: false };
    line.serve(Serves { writer: Some(writer), telemetry: Telemetry::default(), is_link, deflate: None });
    // The runtime must have seen once that the socket can be written to.
    let sink::Source::Tcp(tcp) = &source else { panic!("it is TCP") };
    tcp.as_ref().writable().await.unwrap();
    (peer, line, source)
}

fn outbox() -> Arc<Outbox> {
    Outbox::new(Limit { messages: 1000, bytes: 1 << 30 })
}

fn message(n: usize, length: usize) -> Arc<Shared> {
    let body = Body::new().with("n", n as i64).with("text", "x".repeat(length));
    Arc::new(Shared::new(Envelope::new("event", body)))
}

fn is_woken(outbox: &Outbox) -> bool {
    outbox.poll_ready(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
}

/// The opcodes and lengths of whole, unmasked frames; fails when they are none.
fn frames(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (length, head) = match bytes[1] {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (usize::try_from(u64::from_be_bytes(bytes[2..10].try_into().unwrap())).unwrap(), 10),
            short => (usize::from(short), 2),
        };
        if bytes[0] == 0x81 {
            let text = std::str::from_utf8(&bytes[head..head + length]).unwrap();
            assert!(text.starts_with("[\"event\",{\"n\":") && text.ends_with("}]"), "a frame is broken");
        }
        all.push((bytes[0], length));
        bytes = &bytes[head + length..];
    }
    all
}

async fn read_to_end(mut peer: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    timeout(Duration::from_secs(20), peer.read_to_end(&mut all)).await.expect("an end").unwrap();
    all
}

#[tokio::test]
async fn whoever_fills_the_outbox_writes_and_wakes_nobody() {
    let (mut peer, line, _source) = line(Side::Server).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    outbox.push(message(1, 10));
    outbox.push(message(2, 10));
    outbox.wake();
    assert!(!is_woken(&outbox));
    let mut bytes = [0; 4096];
    let read = timeout(Duration::from_secs(5), peer.read(&mut bytes)).await.expect("it was written").unwrap();
    assert_eq!(frames(&bytes[..read]).len(), 2, "by one write");
}

#[tokio::test]
async fn what_is_for_a_link_is_framed_at_once_and_written_by_its_owner() {
    let (mut peer, line, _source) = line_to(Side::Server, true).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    for n in 1..=3 {
        outbox.push(message(n, 10));
        outbox.wake();
        assert!(outbox.is_empty(), "it is framed");
    }
    assert!(is_woken(&outbox));
    assert!(!is_woken(&outbox), "once for all");
    let mut bytes = [0; 4096];
    assert_eq!(peer.try_read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock, "nothing was written");
    line.send(Some(&outbox), Duration::from_secs(10)).await.unwrap();
    let read = timeout(Duration::from_secs(5), peer.read(&mut bytes)).await.expect("it was written").unwrap();
    assert_eq!(frames(&bytes[..read]).len(), 3, "by one write");
}

#[tokio::test]
async fn a_full_buffer_for_a_link_is_written_by_whoever_fills_it() {
    let (mut peer, line, _source) = line_to(Side::Server, true).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    let (mut bytes, mut come) = (vec![0; 2 * GATHER], 0);
    for n in 0..500 {
        outbox.push(message(n, 1000));
        outbox.wake();
        assert!(outbox.is_empty(), "it is framed, {n}");
        // So that the socket takes more.
        come += peer.try_read(&mut bytes).unwrap_or(0);
    }
    while come < 500 * 1000 - GATHER {
        come +=
            timeout(Duration::from_secs(5), peer.read(&mut bytes)).await.expect("full buffers are written").unwrap();
    }
    assert!(is_woken(&outbox), "the rest is the owner's");
}

#[tokio::test]
async fn what_the_socket_does_not_take_is_the_owners_and_keeps_its_order() {
    let (peer, line, _source) = line(Side::Server).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    let mut pushed = 0;
    while !is_woken(&outbox) {
        outbox.push(message(pushed, 30_000));
        outbox.wake();
        pushed += 1;
        assert!(pushed < 1000, "a peer that does not read takes no megabytes");
    }
    // While the owner has it, nobody else writes, and nobody is woken again.
    outbox.push(message(pushed, 10));
    outbox.wake();
    assert!(!is_woken(&outbox));
    line.put(Opcode::Ping, b"");
    let reading = tokio::spawn(read_to_end(peer));
    assert!(line.send(Some(&outbox), Duration::from_secs(10)).await.unwrap().is_none());
    assert!(outbox.is_empty());
    outbox.push(message(pushed + 1, 10));
    outbox.wake();
    assert!(!is_woken(&outbox), "the owner rests, and all is as before");
    line.cut();
    let all = reading.await.unwrap();
    assert_eq!(frames(&all).iter().filter(|(first, _)| *first == 0x81).count(), pushed + 2);
    let numbers: Vec<usize> = (0..all.len() - 4)
        .filter(|at| all[*at..].starts_with(b"\"n\":"))
        .map(|at| {
            let digits = all[at + 4..].iter().take_while(|b| b.is_ascii_digit());
            digits.fold(0, |n, b| n * 10 + usize::from(b - b'0'))
        })
        .collect();
    assert_eq!(numbers.len(), pushed + 2);
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn nothing_comes_between_the_pieces_of_a_long_text() {
    let (peer, line, _source) = line(Side::Server).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    outbox.push(message(1, 20 << 20));
    outbox.push(message(2, 10));
    outbox.wake();
    assert!(is_woken(&outbox), "too much for whoever only passes by");
    line.put(Opcode::Ping, b"between");
    let reading = tokio::spawn(read_to_end(peer));
    line.send(Some(&outbox), Duration::from_secs(10)).await.unwrap();
    line.cut();
    let all = frames(&reading.await.unwrap());
    let opcodes: Vec<u8> = all.iter().map(|(first, _)| *first).collect();
    assert_eq!(opcodes, [0x81, 0x89, 0x81]);
    assert!(all[0].1 > 20 << 20);
}

#[tokio::test]
async fn who_takes_nothing_is_slow_and_the_last_words_are_the_owners_alone() {
    let (_reads_nothing, stuck, _its_source) = line(Side::Server).await;
    let full = outbox();
    full.push(message(1, 20 << 20));
    let slow = stuck.send(Some(&full), Duration::from_millis(100)).await;
    assert!(matches!(slow, Err(Stuck::Slow)));
    let (mut peer, line, _source) = line(Side::Server).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    line.retire();
    outbox.push(message(1, 10));
    outbox.wake();
    line.put(Opcode::Close, &frames::close_payload(1000, ""));
    line.send(None, Duration::from_secs(5)).await.unwrap();
    let mut bytes = [0; 100];
    let read = timeout(Duration::from_secs(5), peer.read(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes[..read], [0x88, 2, 0x03, 0xe8]);
}

#[tokio::test]
async fn a_close_is_for_the_owner() {
    let (_peer, line, _source) = line(Side::Server).await;
    let outbox = outbox();
    outbox.attach(Arc::clone(&line) as _);
    outbox.push(message(1, 10));
    outbox.close(CloseReason::GOING_AWAY);
    outbox.wake();
    assert!(is_woken(&outbox));
    let close = line.send(Some(&outbox), Duration::from_secs(5)).await.unwrap();
    assert_eq!(close.map(|reason| reason.code), Some(CloseReason::GOING_AWAY.code));
}
