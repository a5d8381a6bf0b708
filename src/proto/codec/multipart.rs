//! Long messages in packets (`proto-spec/multipart.md`): a text is made ASCII, written in base64, cut, and each piece
//! travels as a message named `multipart`.
//!
//! [`split`] writes so that the pickiest known receiver reads it: packets in order from 0, each of whole base64 groups, no
//! character divided. [`Assembler`] reads whatever any known sender writes: packets in any order, each decoded by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::Time;
use crate::message::{Body, Envelope, Format, Text};

use super::ascii::to_ascii;

/// The name of a packet.
pub const NAME: &str = "multipart";

/// How many characters of base64 a packet carries by habit.
pub const PIECE: usize = 2048;

/// The most packets a set may have, here and with every peer of ours.
pub const MOST_PACKETS: usize = 4096;

/// The longest `message-id` that is taken, in bytes.
const LONGEST_ID: usize = 128;

/// Cuts the text of one message into packets that carry `piece` characters of base64 each; more where there would
/// otherwise be more than [`MOST_PACKETS`]. `message_id` must be new on the connection.
pub fn split(text: &Text, format: Format, message_id: &Text, piece: usize) -> Vec<Envelope> {
    let data = Text::from(STANDARD.encode(to_ascii(text, format).as_bytes()));
    let groups = data.len() / 4;
    let piece = 4 * (piece / 4).max(groups.div_ceil(MOST_PACKETS)).max(1);
    let count = data.len().div_ceil(piece).max(1);
    let content_type = match format {
        Format::Json => "text/json; charset=utf-8",
        Format::Xml => "text/xml; charset=utf-8",
    };
    let packet = |number: usize| {
        let content = &data[number * piece..data.len().min((number + 1) * piece)];
        Envelope::new(
            NAME,
            Body::new()
                .with("message-id", message_id)
                .with("packetcount", integer(count))
                .with("packetnumber", integer(number))
                .with("content-type", content_type)
                .with("content-transfer-encoding", "base64")
                .with("content-length", integer(content.len()))
                .with("content", data.slice_ref(content)),
        )
    };
    (0..count).map(packet).collect()
}

fn integer(n: usize) -> i64 {
    i64::try_from(n).expect("a length in memory")
}

/// What an [`Assembler`] holds at most.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Bytes of all sets together, decoded.
    pub bytes: usize,
    /// Packets of one set.
    pub packets: usize,
    /// Sets that are incomplete at one time.
    pub sets: usize,
    /// How long a set may take from its first packet.
    pub life: Duration,
}

impl Default for SetLimits {
    fn default() -> Self {
        Self { bytes: 16 << 20, packets: MOST_PACKETS, sets: 16, life: Duration::from_secs(60) }
    }
}

/// Why a packet was refused. Unless it could not even be told which set it belongs to, its whole set is refused with it,
/// and the set's other packets are then passed over in silence: one error for one message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// A field is missing or ill-typed.
    #[error("`{field}`: expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What should have been there.
        expected: &'static str,
    },
    /// More packets than a set may have.
    #[error("`packetcount`: {count} packets, at most {most} are taken")]
    TooManyPackets {
        /// How many were announced.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// `packetcount` is not what it was in the set's first packet.
    #[error("`packetcount`: {count}, but {first} in the first packet of this message")]
    Inconsistent {
        /// What this packet says.
        count: usize,
        /// What the first said.
        first: usize,
    },
    /// A packet came twice.
    #[error("`packetnumber`: packet {number} a second time")]
    Duplicate {
        /// Which.
        number: usize,
    },
    /// The content is not base64.
    #[error("`content`: packet {number} is not base64 in the standard alphabet, padded")]
    NotBase64 {
        /// Which packet.
        number: usize,
    },
    /// What was put together is not UTF-8.
    #[error("`content`: the message put together is not UTF-8")]
    NotUtf8,
    /// The bytes that may be held are used up.
    #[error("`content`: more than {most} bytes of incomplete messages")]
    TooLarge {
        /// How many may be.
        most: usize,
    },
    /// Too many sets are incomplete.
    #[error("`message-id`: more than {most} messages incomplete at one time")]
    TooManySets {
        /// How many may be.
        most: usize,
    },
}

/// Puts packets of one connection together.
#[derive(Debug)]
pub struct Assembler {
    limits: SetLimits,
    /// Few, so a list. The oldest is first.
    sets: Vec<Set>,
    /// Bytes of all sets.
    held: usize,
}

impl Assembler {
    /// Holds nothing yet.
    pub fn new(limits: SetLimits) -> Self {
        Self { limits, sets: Vec::new(), held: 0 }
    }

    /// Takes the parameters of a message named `multipart`. Gives the text of the whole message when this was the packet
    /// it lacked. A set whose time is over is dropped here too, should [`Assembler::handle_timeout`] be late.
    ///
    /// # Errors
    /// [`PacketError`]; what was held of the packet's set is given back.
    pub fn accept(&mut self, now: Time, packet: &Body) -> Result<Option<Text>, PacketError> {
        self.handle_timeout(now);
        let id = Packet::id(packet)?;
        let known = self.sets.iter().position(|set| set.id == id);
        if known.is_some_and(|at| self.sets[at].refused) {
            return Ok(None);
        }
        let packet = Packet::read(packet, &self.limits);
        let at = match known {
            Some(at) => at,
            None => self.open(now, &id, packet.as_ref().map_or(0, |packet| packet.count))?,
        };
        let set = &mut self.sets[at];
        match packet.and_then(|packet| set.add(&packet, self.held, self.limits.bytes)) {
            Ok(added) => self.held += added,
            Err(error) => {
                self.held -= set.refuse();
                return Err(error);
            }
        }
        if set.next < set.count {
            return Ok(None);
        }
        let set = self.sets.remove(at);
        self.held -= set.bytes;
        Text::try_from(set.joined).map(Some).map_err(|_| PacketError::NotUtf8)
    }

    /// When the oldest set's time is over.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.sets.first().map(|set| set.since + self.limits.life)
    }

    /// Drops the sets whose time is over and says how many messages were lost with them.
    pub fn handle_timeout(&mut self, now: Time) -> usize {
        let life = self.limits.life;
        let over = self.sets.iter().take_while(|set| set.since + life <= now).count();
        let mut lost = 0;
        for set in self.sets.drain(..over) {
            self.held -= set.bytes;
            lost += usize::from(!set.refused);
        }
        lost
    }

    /// How many bytes are held, decoded.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Begins a set. One that was refused makes room when there is none.
    fn open(&mut self, now: Time, id: &str, count: usize) -> Result<usize, PacketError> {
        if self.sets.len() >= self.limits.sets {
            let Some(refused) = self.sets.iter().position(|set| set.refused) else {
                return Err(PacketError::TooManySets { most: self.limits.sets });
            };
            self.sets.remove(refused);
        }
        self.sets.push(Set {
            id: Text::from(id),
            since: now,
            count,
            joined: Vec::new(),
            next: 0,
            early: BTreeMap::new(),
            bytes: 0,
            refused: false,
        });
        Ok(self.sets.len() - 1)
    }
}

/// The packets of one message.
#[derive(Debug)]
struct Set {
    id: Text,
    since: Time,
    count: usize,
    /// Packets 0 up to (not with) `next`, decoded. Packets mostly come in order, so this is mostly all there is.
    joined: Vec<u8>,
    next: usize,
    /// Packets that came before their turn.
    early: BTreeMap<usize, Vec<u8>>,
    /// How many bytes are held in `joined` and `early`.
    bytes: usize,
    /// One of its packets was refused; what else comes of it is passed over.
    refused: bool,
}

impl Set {
    /// Takes one packet and says how many bytes it brought. `held` of at most `most` bytes are in use.
    fn add(&mut self, packet: &Packet, held: usize, most: usize) -> Result<usize, PacketError> {
        let number = packet.number;
        if packet.count != self.count {
            return Err(PacketError::Inconsistent { count: packet.count, first: self.count });
        }
        if number < self.next || self.early.contains_key(&number) {
            return Err(PacketError::Duplicate { number });
        }
        let bytes = STANDARD.decode(packet.content.as_bytes()).map_err(|_| PacketError::NotBase64 { number })?;
        let added = bytes.len();
        if added > most - held {
            return Err(PacketError::TooLarge { most });
        }
        self.bytes += added;
        if number > self.next {
            self.early.insert(number, bytes);
            return Ok(added);
        }
        self.joined.extend_from_slice(&bytes);
        self.next += 1;
        while let Some(bytes) = self.early.remove(&self.next) {
            self.joined.extend_from_slice(&bytes);
            self.next += 1;
        }
        Ok(added)
    }

    /// Gives back what is held and says how many bytes that were.
    fn refuse(&mut self) -> usize {
        self.refused = true;
        self.joined = Vec::new();
        self.early = BTreeMap::new();
        std::mem::take(&mut self.bytes)
    }
}

/// One packet. `content-type` is not read: the connection has one format. Nor is `content-length`: some count characters
/// before base64, some behind it.
struct Packet {
    count: usize,
    number: usize,
    content: Text,
}

impl Packet {
    fn id(body: &Body) -> Result<Text, PacketError> {
        let id = body.text("message-id").filter(|id| !id.is_empty() && id.len() <= LONGEST_ID);
        id.ok_or(PacketError::Field { field: "message-id", expected: "a string of at most 128 bytes" })
    }

    fn read(body: &Body, limits: &SetLimits) -> Result<Self, PacketError> {
        let whole = |field: &str| body.int(field).and_then(|n| usize::try_from(n).ok());
        let expected = "a whole number from 1 on";
        let count = whole("packetcount").filter(|&n| n > 0);
        let count = count.ok_or(PacketError::Field { field: "packetcount", expected })?;
        if count > limits.packets {
            return Err(PacketError::TooManyPackets { count, most: limits.packets });
        }
        let expected = "a whole number from 0 on, below `packetcount`";
        let number = whole("packetnumber").filter(|&n| n < count);
        let number = number.ok_or(PacketError::Field { field: "packetnumber", expected })?;
        let encoding = body.text("content-transfer-encoding");
        if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("base64")) {
            return Err(PacketError::Field { field: "content-transfer-encoding", expected: "`base64`" });
        }
        let content = body.text("content");
        let content = content.ok_or(PacketError::Field { field: "content", expected: "a string" })?;
        Ok(Self { count, number, content })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, decode, encode};
    use super::*;
    use crate::message::Value;

    const NOW: Time = Time::ZERO;

    fn assembler() -> Assembler {
        Assembler::new(SetLimits::default())
    }

    fn packet(id: &'static str, count: i64, number: i64, content: &str) -> Body {
        Body::new()
            .with("message-id", id)
            .with("packetcount", count)
            .with("packetnumber", number)
            .with("content", STANDARD.encode(content))
    }

    #[test]
    fn a_long_message_is_cut_by_the_old_habit_and_comes_back() {
        let message = Envelope::new("m", Body::new().with("qid", "1").with("text", "Ж😀<&>\"".repeat(1000)));
        for format in [Format::Json, Format::Xml] {
            let packets = split(&encode(&message, format), format, &"9C1F".into(), PIECE);
            let mut assembler = assembler();
            let mut whole = None;
            for (i, packet) in packets.iter().enumerate() {
                assert_eq!(packet.name, NAME);
                let field = |name| packet.body.text(name).unwrap();
                let content = field("content");
                assert_eq!(field("message-id"), "9C1F");
                assert_eq!(field("packetcount"), packets.len().to_string());
                assert_eq!(field("packetnumber"), i.to_string());
                assert_eq!(field("content-type"), format!("text/{}; charset=utf-8", format.word()));
                assert_eq!(field("content-transfer-encoding"), "base64");
                assert_eq!(field("content-length"), content.len().to_string());
                assert!(content.len() == PIECE || i == packets.len() - 1 && content.len() < PIECE);
                let piece = STANDARD.decode(content.as_bytes()).unwrap();
                assert!(piece.is_ascii(), "no character is divided");
                assert!(whole.is_none());
                whole = assembler.accept(NOW, &packet.body).unwrap();
            }
            assert_eq!(decode(format, &whole.unwrap(), &Limits::default()).unwrap(), message);
            assert_eq!(assembler.held(), 0);
            assert_eq!(assembler.poll_timeout(), None);
        }
    }

    #[test]
    fn pieces_are_whole_groups_and_never_too_many() {
        let text = Text::from("x".repeat(100_000));
        let pieces = |piece| split(&text, Format::Json, &"i".into(), piece);
        let lengths =
            |piece| -> Vec<usize> { pieces(piece).iter().map(|p| p.body.text("content").unwrap().len()).collect() };
        assert!(lengths(2050).iter().all(|&length| length <= 2048));
        for piece in [0, 1, 7] {
            let lengths = lengths(piece);
            assert!(lengths.len() <= MOST_PACKETS && lengths.iter().all(|length| length % 4 == 0));
        }
        assert_eq!(split(&Text::new(), Format::Json, &"i".into(), 4).len(), 1);
    }

    #[test]
    fn packets_come_in_any_order_and_loosely_typed() {
        let mut assembler = assembler();
        let texts = ["[\"m\"", ",{\"a\":", "1}]"];
        let loose = |number: usize| {
            packet("id", 3, 0, texts[number])
                .with("packetcount", "3")
                .with("packetnumber", number.to_string())
                .with("content-transfer-encoding", "Base64")
                .with("content-length", 7)
        };
        assert_eq!(assembler.accept(NOW, &loose(2)), Ok(None));
        assert_eq!(assembler.accept(NOW, &loose(0)), Ok(None));
        assert_eq!(assembler.held(), texts[0].len() + texts[2].len());
        assert_eq!(assembler.accept(NOW, &loose(1)), Ok(Some(texts.concat().into())));
        assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn characters_may_be_divided_between_packets() {
        let mut assembler = assembler();
        let divided = |number: i64, bytes: &[u8]| packet("id", 2, number, "").with("content", STANDARD.encode(bytes));
        assert_eq!(assembler.accept(NOW, &divided(1, &[0x96])), Ok(None));
        assert_eq!(assembler.accept(NOW, &divided(0, &[0xd0])), Ok(Some("Ж".into())));
        assert_eq!(assembler.accept(NOW, &divided(1, &[0xd0])), Ok(None));
        assert_eq!(assembler.accept(NOW, &divided(0, &[0xd0])), Err(PacketError::NotUtf8));
        assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn messages_may_be_mixed() {
        let mut assembler = assembler();
        assert_eq!(assembler.accept(NOW, &packet("a", 2, 0, "A")), Ok(None));
        assert_eq!(assembler.accept(NOW, &packet("b", 2, 0, "B")), Ok(None));
        assert_eq!(assembler.accept(NOW, &packet("c", 1, 0, "C")), Ok(Some("C".into())));
        assert_eq!(assembler.accept(NOW, &packet("b", 2, 1, "b")), Ok(Some("Bb".into())));
        assert_eq!(assembler.accept(NOW, &packet("a", 2, 1, "a")), Ok(Some("Aa".into())));
    }

    #[test]
    fn a_bad_packet_refuses_its_message_once() {
        let field = |field, expected| PacketError::Field { field, expected };
        let below = "a whole number from 0 on, below `packetcount`";
        for (bad, error) in [
            (packet("id", 4, 1, ""), PacketError::Inconsistent { count: 4, first: 3 }),
            (packet("id", 3, 0, ""), PacketError::Duplicate { number: 0 }),
            (packet("id", 3, 2, ""), PacketError::Duplicate { number: 2 }),
            (packet("id", 3, 1, "").with("content", "AA"), PacketError::NotBase64 { number: 1 }),
            (packet("id", 3, 1, "").with("content", "AA==".repeat(2)), PacketError::NotBase64 { number: 1 }),
            (packet("id", 3, 1, "").with("content", Value::Null), field("content", "a string")),
            (packet("id", 3, 3, ""), field("packetnumber", below)),
            (packet("id", 3, -1, ""), field("packetnumber", below)),
            (packet("id", 3, 1, "").with("packetnumber", "one"), field("packetnumber", below)),
            (packet("id", 0, 0, ""), field("packetcount", "a whole number from 1 on")),
            (packet("id", 4097, 1, ""), PacketError::TooManyPackets { count: 4097, most: 4096 }),
            (
                packet("id", 3, 1, "").with("content-transfer-encoding", "8bit"),
                field("content-transfer-encoding", "`base64`"),
            ),
        ] {
            let mut assembler = assembler();
            assert_eq!(assembler.accept(NOW, &packet("id", 3, 0, "a")), Ok(None));
            assert_eq!(assembler.accept(NOW, &packet("id", 3, 2, "c")), Ok(None));
            assert_eq!(assembler.accept(NOW, &bad), Err(error));
            assert_eq!(assembler.held(), 0, "its memory is given back");
            assert_eq!(assembler.accept(NOW, &packet("id", 3, 1, "b")), Ok(None), "the rest is passed over");
            assert_eq!(assembler.handle_timeout(Time::from_millis(60_000)), 0, "and is no loss that is told again");
        }
        let mut assembler = assembler();
        assert!(assembler.accept(NOW, &packet("id", 5000, 0, "")).is_err());
        assert_eq!(assembler.accept(NOW, &packet("id", 5000, 1, "")), Ok(None));
        for id in [Value::Null, Value::from(""), Value::from("x".repeat(129))] {
            assert!(assembler.accept(NOW, &packet("id", 1, 0, "").with("message-id", id)).is_err());
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut assembler = Assembler::new(SetLimits { bytes: 10, sets: 3, ..SetLimits::default() });
        assert_eq!(assembler.accept(NOW, &packet("a", 2, 0, "12345")), Ok(None));
        assert_eq!(assembler.accept(NOW, &packet("b", 2, 1, "12345")), Ok(None));
        assert_eq!(assembler.accept(NOW, &packet("c", 2, 0, "1")), Err(PacketError::TooLarge { most: 10 }));
        assert_eq!(assembler.accept(NOW, &packet("d", 2, 0, "")), Ok(None), "a refused set makes room");
        assert_eq!(assembler.accept(NOW, &packet("e", 2, 0, "")), Err(PacketError::TooManySets { most: 3 }));
        assert_eq!(assembler.accept(NOW, &packet("b", 2, 0, "1")), Err(PacketError::TooLarge { most: 10 }));
        assert_eq!(assembler.held(), 5);
        assert_eq!(assembler.accept(NOW, &packet("a", 2, 1, "67890")), Ok(Some("1234567890".into())));
        assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn an_incomplete_message_is_dropped_in_time() {
        let mut assembler = assembler();
        let at = Time::from_millis;
        assembler.accept(at(0), &packet("a", 2, 0, "A")).unwrap();
        assembler.accept(at(1000), &packet("b", 2, 0, "B")).unwrap();
        assert_eq!(assembler.poll_timeout(), Some(at(60_000)));
        assert_eq!(assembler.handle_timeout(at(59_999)), 0);
        assert_eq!(assembler.handle_timeout(at(60_000)), 1);
        assert_eq!((assembler.held(), assembler.poll_timeout()), (1, Some(at(61_000))));
        assert_eq!(assembler.accept(at(61_000), &packet("b", 2, 1, "b")), Ok(None), "too late, without a timeout told");
        assert_eq!(assembler.accept(at(61_001), &packet("b", 2, 0, "B")), Ok(Some("Bb".into())), "a new message");
    }
}
