//! What the simulator writes: faxes as PDF (`fax.rs`), and recordings. These are short files of tones that stand for what was said. The length and the tones follow from the talk alone, so the
//! same talk is always the same file.

use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{FaxId, TalkId};

use super::fax::Sheets;

/// Samples in a second.
const RATE: u32 = 8_000;
/// The longest file, however long the talk was.
const LONGEST: Duration = Duration::from_secs(3);
/// The shortest.
const SHORTEST: Duration = Duration::from_millis(200);
/// How long one of the two is heard before the other.
const TURN: usize = RATE as usize / 2;
/// Pitches of the voices, in Hz.
const PITCHES: [f64; 8] = [330.0, 370.0, 415.0, 440.0, 494.0, 554.0, 587.0, 659.0];

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// The file's name, relative to the folder of recordings.
    pub file: Text,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Voices(Voices),
    Fax(Sheets),
}

/// Two voices that take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Voices {
    length: Duration,
    /// Which tones.
    pitches: [usize; 2],
}

impl Take {
    /// The recording of a talk that lasted so long.
    pub(super) fn of(talk: &TalkId, length: Duration) -> Self {
        let sum = talk.0.bytes().fold(7_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b)));
        let first = sum % PITCHES.len();
        let second = (first + 1 + sum / PITCHES.len() % (PITCHES.len() - 1)) % PITCHES.len();
        let voices = Voices { length: length.clamp(SHORTEST, LONGEST), pitches: [first, second] };
        Self { file: format!("{}.wav", talk.0).into(), content: Content::Voices(voices) }
    }

    /// A fax that came.
    pub(super) fn of_fax(fax: &FaxId, sheets: Sheets) -> Self {
        Self { file: format!("fax-{}.pdf", fax.0).into(), content: Content::Fax(sheets) }
    }

    /// The file's content.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::Voices(voices) => voices.wav(),
            Content::Fax(sheets) => sheets.pdf(),
        }
    }
}

impl Voices {
    /// The file: RIFF WAVE, PCM of 16 bits, one channel, 8000 samples a second. Two voices take turns.
    fn wav(&self) -> Vec<u8> {
        let samples =
            usize::try_from(self.length.as_millis()).unwrap_or(usize::MAX).saturating_mul(RATE as usize) / 1000;
        let data = u32::try_from(samples * 2).unwrap_or(u32::MAX);
        let mut file = Vec::with_capacity(44 + samples * 2);
        file.extend(b"RIFF");
        file.extend((36 + data).to_le_bytes());
        file.extend(b"WAVEfmt ");
        file.extend(16_u32.to_le_bytes());
        // PCM, one channel.
        file.extend([1_u16, 1].map(u16::to_le_bytes).concat());
        file.extend(RATE.to_le_bytes());
        file.extend((RATE * 2).to_le_bytes());
        // Bytes of one sample, and its bits.
        file.extend([2_u16, 16].map(u16::to_le_bytes).concat());
        file.extend(b"data");
        file.extend(data.to_le_bytes());
        for at in 0..samples {
            file.extend(self.sample(at).to_le_bytes());
        }
        file
    }

    /// One sample. Each turn swells and fades, so that nothing clicks.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "small numbers, and a value below 8000"
    )]
    fn sample(&self, at: usize) -> i16 {
        let pitch = PITCHES[self.pitches[at / TURN % 2]];
        let of_turn = (at % TURN) as f64 / TURN as f64;
        let loudness = (of_turn * std::f64::consts::PI).sin() * 8000.0;
        let phase = at as f64 / f64::from(RATE) * pitch * std::f64::consts::TAU;
        (phase.sin() * loudness) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(talk: &'static str, length: Duration) -> Take {
        Take::of(&TalkId(Text::from_static(talk)), length)
    }

    #[test]
    fn a_file_is_a_short_wave_file_with_something_to_hear() {
        let number = |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        for (length, millis) in
            [(Duration::ZERO, 200), (Duration::from_secs(1), 1000), (Duration::from_secs(3600), 3000)]
        {
            let file = take("a talk", length).bytes();
            assert_eq!((&file[..4], &file[8..16], &file[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
            assert_eq!(number(&file, 4) as usize, file.len() - 8);
            assert_eq!(number(&file, 40) as usize, file.len() - 44);
            assert_eq!((number(&file, 24), number(&file, 28)), (8000, 16_000));
            assert_eq!((file.len() - 44) / 16, millis, "samples of a millisecond");
            let loud = file[44..].chunks(2).filter(|s| i16::from_le_bytes([s[0], s[1]]).abs() > 2000).count();
            assert!(loud > (file.len() - 44) / 8, "{loud} loud samples of {}", file.len() / 2);
        }
    }

    #[test]
    fn one_talk_is_one_file_and_another_talk_another() {
        let length = Duration::from_secs(1);
        assert_eq!(take("one", length).bytes(), take("one", length).bytes());
        assert_eq!(take("one", length).file, "one.wav");
        assert_ne!(take("one", length).bytes(), take("two", length).bytes());
        for talk in ["a", "b", "c", "d", "e", "f", "g"] {
            let Content::Voices(Voices { pitches, .. }) = take(talk, length).content else { panic!("a fax") };
            assert_ne!(pitches[0], pitches[1]);
        }
    }
}
