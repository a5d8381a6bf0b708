//! Sound as telephones send it: PCMU in RTP (RFC 3550, 3551). A voice is a tone, so that it can be told from others.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;

/// How much sound a packet holds.
pub(crate) const FRAME: Duration = Duration::from_millis(20);
/// Samples in a second.
pub(crate) const SECOND: usize = 8000;
/// From here on a voice is heard, where a full one has 8000.
pub(crate) const HEARD: f64 = 800.0;
/// How loud a voice is.
const LOUD: f64 = 8000.0;

/// The packet of this number of somebody with a voice of this pitch.
pub(crate) fn packet(sequence: u16, pitch: u32) -> Vec<u8> {
    let first = u32::from(sequence) * 160;
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(first.to_be_bytes());
    packet.extend(pitch.to_be_bytes());
    packet.extend((first..first + 160).map(|n| encoded(LOUD * (TAU * f64::from(pitch) * f64::from(n) / 8000.0).sin())));
    packet
}

/// The sound in a packet.
pub(crate) fn payload(packet: &[u8]) -> &[u8] {
    let plain = packet.len() > 12 && packet[1] & 0x7f == 0;
    if plain { &packet[12..] } else { &[] }
}

/// How loud a pitch is in sound (Goertzel's way).
pub(crate) fn loudness(sound: &VecDeque<u8>, pitch: u32) -> f64 {
    if sound.is_empty() {
        return 0.0;
    }
    let turn = 2.0 * (TAU * f64::from(pitch) / 8000.0).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in sound {
        (one, two) = (decoded(*sample) + turn * one - two, one);
    }
    let power = one * one + two * two - turn * one * two;
    2.0 * power.max(0.0).sqrt() / f64::from(u32::try_from(sound.len()).expect("a second at most"))
}

/// A sample in G.711 mu-law.
fn encoded(sample: f64) -> u8 {
    let (sign, size) = if sample < 0.0 { (0x80_u8, -sample) } else { (0, sample) };
    let size = size.min(32_635.0) + 132.0;
    let mut exponent = 7_u8;
    while exponent > 0 && size < f64::from(1_u32 << (exponent + 7)) {
        exponent -= 1;
    }
    let mut mantissa = 0_u8;
    while mantissa < 15 && size >= f64::from((u32::from(mantissa) + 17) << (exponent + 3)) {
        mantissa += 1;
    }
    !(sign | exponent << 4 | mantissa)
}

/// And back.
fn decoded(byte: u8) -> f64 {
    let byte = !byte;
    let (exponent, mantissa) = (byte >> 4 & 7, byte & 15);
    let size = f64::from(((u32::from(mantissa) << 3) + 132) << exponent) - 132.0;
    if byte & 0x80 == 0 { size } else { -size }
}

#[test]
fn a_voice_is_told_from_another() {
    let sound: VecDeque<u8> = (0..50).flat_map(|n| payload(&packet(n, 700)).to_vec()).collect();
    assert_eq!(sound.len(), SECOND);
    assert!((loudness(&sound, 700) - LOUD).abs() < LOUD / 20.0, "{}", loudness(&sound, 700));
    assert!(loudness(&sound, 400) < HEARD / 4.0 && loudness(&sound, 1000) < HEARD / 4.0);
}
