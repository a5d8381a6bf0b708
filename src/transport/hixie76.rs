//! The draft hixie-76 (version 0), for CRMs older than RFC 6455: its frames, as a client speaks them. A text is 0x00, UTF-8,
//! 0xFF; a closing is 0xFF 0x00; there is no ping, no binary, no mask.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Text;
use md5::{Digest, Md5};
use rand::{Rng, RngExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::engine::Outbox;

use super::line::{GATHER, Serves, Stuck};
use super::socket::Heard;
use super::stream::Stream;
use super::wire;

/// How much is read at once.
const READ: usize = 4096;

/// Most bytes of a length: what is longer says nothing more.
const LONGEST_LENGTH: usize = 9;

/// A socket whose handshake is done.
#[derive(Debug)]
pub(super) struct Hixie {
    io: Stream,
    buffer: Vec<u8>,
    /// How much of the buffer was looked at for the end of the frame it begins with.
    looked: usize,
    out: Vec<u8>,
    serves: Option<Serves>,
    limit: usize,
    patience: Duration,
    heard: u64,
    closed: bool,
}

impl Hixie {
    /// `early` is what the server sent behind the proof.
    pub(super) fn new(io: Stream, early: Vec<u8>, limit: usize, patience: Duration) -> Self {
        Self { io, buffer: early, looked: 0, out: Vec::new(), serves: None, limit, patience, heard: 0, closed: false }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.io
    }

    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    pub(super) fn serve(&mut self, serves: Serves) {
        self.serves = Some(serves);
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    pub(super) fn put_text(&mut self, text: &[u8]) {
        frame(&mut self.out, text);
    }

    pub(super) fn put_close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.out.extend_from_slice(&[0xff, 0x00]);
        }
    }

    /// Writes what waits, in pieces, each with its own time limit. Not cancel safe.
    pub(super) async fn flush(&mut self) -> Result<(), Stuck> {
        let out = std::mem::take(&mut self.out);
        for piece in out.chunks(GATHER) {
            within(self.patience, self.io.write_all(piece)).await?;
        }
        within(self.patience, self.io.flush()).await
    }

    /// Writes what waits here and in the outbox. Says whether the peer is to be closed now.
    pub(super) async fn send(&mut self, outbox: &Outbox) -> Result<Option<CloseReason>, Stuck> {
        let mut messages = Vec::new();
        let close = outbox.take(&mut messages);
        for message in &messages {
            let Some(serves) = &self.serves else { break };
            serves.count(1);
            serves.texts(message, |text| frame(&mut self.out, text.as_bytes()));
            if self.out.len() > GATHER {
                self.flush().await?;
            }
        }
        if !self.out.is_empty() {
            self.flush().await?;
        }
        Ok(close)
    }

    pub(super) async fn linger(&mut self, time: Duration) {
        wire::linger(&mut self.io, time).await;
    }

    /// The next thing from the server. Cancel safe.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            match self.take_frame() {
                Ok(Some(heard)) => return heard,
                Ok(None) => {}
                Err(reason) => return Heard::Broken(reason),
            }
            self.buffer.reserve(READ);
            match self.io.read_buf(&mut self.buffer).await {
                Ok(0) => return Heard::Gone("the peer ended the connection without a close".to_owned()),
                Ok(n) => self.heard = self.heard.wrapping_add(n as u64),
                Err(e) => return Heard::Gone(e.to_string()),
            }
        }
    }

    /// A whole frame from the front of the buffer, if there is one.
    fn take_frame(&mut self) -> Result<Option<Heard>, CloseReason> {
        match self.buffer.first() {
            None => Ok(None),
            Some(0x00) => self.take_text(),
            Some(0xff) => match self.buffer.get(1) {
                None => Ok(None),
                Some(0x00) => {
                    // The answer to a close is a close.
                    self.put_close();
                    Ok(Some(Heard::Close(CloseReason::NORMAL)))
                }
                Some(_) => self.skip(),
            },
            Some(0x80..) => self.skip(),
            Some(_) => Err(CloseReason::new(1002, "a frame of an unknown type")),
        }
    }

    fn take_text(&mut self) -> Result<Option<Heard>, CloseReason> {
        let from = self.looked.max(1);
        let Some(end) = self.buffer[from..].iter().position(|b| *b == 0xff).map(|i| from + i) else {
            self.looked = self.buffer.len();
            return if self.buffer.len() > self.limit { Err(self.too_long()) } else { Ok(None) };
        };
        if end - 1 > self.limit {
            return Err(self.too_long());
        }
        let text = match std::str::from_utf8(&self.buffer[1..end]) {
            Ok(text) => Text::from(text),
            Err(_) => return Err(CloseReason::new(1007, "a text is not UTF-8")),
        };
        self.drop_front(end + 1);
        Ok(Some(Heard::Text(text)))
    }

    /// A frame with a length: no such type has a meaning in the draft, so it is read over.
    fn skip(&mut self) -> Result<Option<Heard>, CloseReason> {
        let mut length = 0usize;
        for (i, byte) in self.buffer[1..].iter().enumerate() {
            length = length.saturating_mul(128).saturating_add(usize::from(byte & 0x7f));
            // A length of zeros without end is refused too, and not gathered.
            if length > self.limit || i >= LONGEST_LENGTH {
                return Err(self.too_long());
            }
            if byte & 0x80 == 0 {
                let whole = 2 + i + length;
                if self.buffer.len() < whole {
                    return Ok(None);
                }
                self.drop_front(whole);
                return Ok(Some(Heard::Binary(Bytes::new())));
            }
        }
        Ok(None)
    }

    fn drop_front(&mut self, len: usize) {
        self.buffer.drain(..len);
        self.looked = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * READ {
            self.buffer = Vec::new();
        }
    }

    fn too_long(&self) -> CloseReason {
        CloseReason::with_text(1009, format!("a message may be {} bytes long now", self.limit))
    }
}

/// Appends the frame of a text.
fn frame(out: &mut Vec<u8>, text: &[u8]) {
    out.push(0x00);
    out.extend_from_slice(text);
    out.push(0xff);
}

async fn within<T>(patience: Duration, what: impl Future<Output = io::Result<T>>) -> Result<T, Stuck> {
    match timeout(patience, what).await {
        Ok(done) => done.map_err(Stuck::Broken),
        Err(_) => Err(Stuck::Slow),
    }
}

/// What a client brings to the handshake: the draft's section 4.1, steps 16 to 26.
#[derive(Debug)]
pub(super) struct Challenge {
    /// The values of `Sec-WebSocket-Key1` and `Sec-WebSocket-Key2`.
    pub keys: [String; 2],
    /// What stands behind the head.
    pub body: [u8; 8],
    numbers: [u32; 2],
}

impl Challenge {
    /// A new one.
    pub(super) fn new(rng: &mut impl Rng) -> Self {
        let (first, number1) = key(rng);
        let (second, number2) = key(rng);
        Self { keys: [first, second], body: rng.random(), numbers: [number1, number2] }
    }

    /// What a server must answer behind its head: MD5 over both numbers and the body.
    pub(super) fn answer(&self) -> [u8; 16] {
        let mut md5 = Md5::new();
        md5.update(self.numbers[0].to_be_bytes());
        md5.update(self.numbers[1].to_be_bytes());
        md5.update(self.body);
        md5.finalize().into()
    }
}

/// A key and its number: the number times the count of spaces, written in decimal, with noise and the spaces strewn in.
fn key(rng: &mut impl Rng) -> (String, u32) {
    let spaces: u32 = rng.random_range(1..=12);
    let number = rng.random_range(0..=u32::MAX / spaces);
    let mut text: Vec<char> = (number * spaces).to_string().chars().collect();
    let noise: Vec<char> = ('!'..='/').chain(':'..='~').collect();
    for _ in 0..rng.random_range(1..=12) {
        let at = rng.random_range(0..=text.len());
        text.insert(at, noise[rng.random_range(0..noise.len())]);
    }
    for _ in 0..spaces {
        // Neither first nor last: those would be trimmed away.
        let at = rng.random_range(1..text.len());
        text.insert(at, ' ');
    }
    (text.into_iter().collect(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server does with a key.
    fn number_of(key: &str) -> u32 {
        let digits: String = key.chars().filter(char::is_ascii_digit).collect();
        let spaces = key.chars().filter(|c| *c == ' ').count() as u64;
        let digits: u64 = digits.parse().unwrap();
        assert_eq!(digits % spaces, 0);
        u32::try_from(digits / spaces).unwrap()
    }

    #[test]
    fn the_example_of_the_draft_is_answered_as_there() {
        let keys = ["4 @1  46546xW%0l 1 5", "12998 5 Y3 1  .P00"].map(str::to_owned);
        let numbers = [number_of(&keys[0]), number_of(&keys[1])];
        assert_eq!(numbers, [829_309_203, 259_970_620]);
        let challenge = Challenge { keys, body: *b"^n:ds[4U", numbers };
        assert_eq!(&challenge.answer(), b"8jKS'y:G*Co,Wxa-");
    }

    #[test]
    fn a_server_reads_our_keys_as_we_meant_them() {
        for _ in 0..1000 {
            let challenge = Challenge::new(&mut rand::rng());
            for (key, number) in challenge.keys.iter().zip(challenge.numbers) {
                assert_eq!(number_of(key), number, "{key}");
                assert_eq!(key.trim(), key);
                assert!(key.chars().all(|c| (' '..='~').contains(&c)));
            }
        }
    }

    /// What a socket makes of these bytes, each piece of which comes alone; and the most that it held.
    async fn heard(bytes: &[u8], piece: usize, limit: usize) -> (Vec<String>, usize) {
        let (mine, mut theirs) = tokio::io::duplex(64);
        let pieces: Vec<Vec<u8>> = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
        let sending = tokio::spawn(async move {
            for piece in pieces {
                if theirs.write_all(&piece).await.is_err() {
                    return;
                }
            }
        });
        let mut hixie = Hixie::new(Stream::Carried(Box::new(mine)), Vec::new(), limit, Duration::from_secs(1));
        let (mut all, mut most) = (Vec::new(), 0);
        loop {
            let heard = hixie.next().await;
            most = most.max(hixie.buffer.len());
            let over = matches!(heard, Heard::Broken(_) | Heard::Gone(_) | Heard::Close(_));
            all.push(match heard {
                Heard::Broken(reason) => format!("broken {}", reason.code),
                Heard::Gone(_) => "gone".to_owned(),
                other => format!("{other:?}"),
            });
            if over {
                drop(hixie);
                sending.await.unwrap();
                return (all, most);
            }
        }
    }

    #[tokio::test]
    async fn bytes_without_sense_are_bounded_and_cost_nobody_a_panic() {
        use rand::SeedableRng;
        let mut dice = rand::rngs::SmallRng::seed_from_u64(76);
        // Mostly the bytes that mean something.
        let bytes = [0x00, 0x00, 0xff, 0xff, 0x80, 0x81, 0x7f, b'a', b'[', 0xd0, 0xb6, 0x01];
        for _ in 0..2000 {
            let some: Vec<u8> =
                (0..dice.random_range(0..300)).map(|_| bytes[dice.random_range(0..bytes.len())]).collect();
            let (whole, most) = heard(&some, some.len().max(1), 100).await;
            assert!(most <= 100 + READ, "{most} bytes are held");
            assert_eq!(whole, heard(&some, dice.random_range(1..5), 100).await.0, "{some:02x?}");
        }
        let endless = vec![0x80; 10_000];
        assert_eq!(heard(&[&[0x81][..], &endless].concat(), 64, 100).await.0.last().unwrap(), "broken 1009");
        assert_eq!(heard(&[&[0x00][..], &[b'a'; 500]].concat(), 64, 100).await.0, ["broken 1009"]);
    }
}
