//! Compressing what is sent. One message at a time, each for itself; the compressors are the thread's.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::{Agreed, TAIL};

/// A shorter text goes as it is: it would cost more than the routing of a call, and save a few hundred bytes (docs/performance.md).
pub(crate) const SHORTEST: usize = 1024;

/// The smallest window that the compressor has. Peers that want a smaller one get messages as they are.
const SMALLEST: u8 = 9;
/// The largest, which nearly every peer allows.
pub(crate) const LARGEST: u8 = 15;

/// How hard it tries: beyond this, time grows and the size hardly falls. The level below is quicker still, but in zlib-rs 0.6 it panics
/// where the output is full.
const LEVEL: Compression = Compression::new(2);

/// What came out is kept up to this size for the next.
const KEEP: usize = 64 << 10;

thread_local! {
    /// The compressor of the largest window.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new_with_window_bits(LEVEL, false, LARGEST));
    /// What comes out of whichever compressor.
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The payload of a compressed message. `None` when the text is to go as it is: it is short, or would not shrink, or the peer's window
/// is too small.
pub(crate) fn pack(text: &[u8], agreed: Agreed) -> Option<Bytes> {
    if text.len() < SHORTEST || agreed.window < SMALLEST {
        return None;
    }
    if agreed.is_largest() {
        return PACKER.with_borrow_mut(|packer| {
            packer.reset();
            deflate(packer, text)
        });
    }
    deflate(&mut Compress::new_with_window_bits(LEVEL, false, agreed.window), text)
}

/// With a fresh compressor, in one go: there is always room for all that can come out.
fn deflate(packer: &mut Compress, text: &[u8]) -> Option<Bytes> {
    OUTPUT.with_borrow_mut(|out| {
        out.clear();
        // The worst is a code of nine bits for each byte, and what a flush adds.
        out.reserve(text.len() + text.len() / 8 + 128);
        packer.compress_vec(text, out, FlushCompress::Sync).ok()?;
        let whole = out.len() < out.capacity() && packer.total_in() == text.len() as u64;
        let packed = out.strip_suffix(&TAIL).filter(|packed| whole && packed.len() < text.len());
        let packed = packed.map(Bytes::copy_from_slice);
        if out.capacity() > KEEP {
            *out = Vec::new();
        }
        packed
    })
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress, Status};

    use super::*;

    /// Inflates in steps of a few bytes, so that nothing is found that lies further back than the window.
    fn inflated(packed: &[u8], window: u8) -> Vec<u8> {
        let mut inflater = Decompress::new_with_window_bits(false, window);
        let (mut out, mut step) = (Vec::new(), [0; 64]);
        let input = [packed, &TAIL].concat();
        loop {
            let (taken, given) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(&input[taken as usize..], &mut step, FlushDecompress::Sync);
            assert!(matches!(status.expect("valid"), Status::Ok | Status::BufError));
            let new = (inflater.total_out() - given) as usize;
            out.extend_from_slice(&step[..new]);
            if new == 0 && inflater.total_in() == taken {
                return out;
            }
        }
    }

    /// A text whose words come again, near and far.
    fn text(len: usize) -> Vec<u8> {
        let mut seed = 7u32;
        let mut out = Vec::new();
        while out.len() < len {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            out.extend_from_slice(format!("{{\"number\":\"{}\",\"state\":\"talking\"}},", seed >> 20).as_bytes());
        }
        out.truncate(len);
        out
    }

    #[test]
    fn a_message_keeps_to_the_window_that_was_agreed_on() {
        for window in SMALLEST..=LARGEST {
            for len in [SHORTEST, 20_000, 200_000] {
                let text = text(len);
                let packed = pack(&text, Agreed { window }).expect("it shrinks");
                assert!(packed.len() < text.len());
                assert_eq!(inflated(&packed, window), text, "{window} {len}");
                let again = pack(&text, Agreed { window }).expect("it shrinks");
                assert_eq!(packed, again, "each message begins anew");
            }
        }
    }

    #[test]
    fn what_would_not_shrink_goes_as_it_is() {
        let mut state = 1u64;
        let noise: Vec<u8> = (0..100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let largest = Agreed { window: LARGEST };
        for len in [1500, 5000, 65_536, 100_000] {
            for window in SMALLEST..=LARGEST {
                assert_eq!(pack(&noise[..len], Agreed { window }), None, "{len} {window}");
            }
        }
        assert_eq!(pack(&text(SHORTEST - 1), largest), None, "short");
        assert_eq!(pack(&text(2000), Agreed { window: 8 }), None, "the window is too small for the compressor");
    }
}
