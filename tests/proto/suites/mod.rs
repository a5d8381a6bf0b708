//! The decoders against suites of others. scripts/suites.sh brings them, by version and checksum; without them these tests fail.

use std::fs;
use std::path::{Path, PathBuf};

mod json;
mod xml;

/// A file or folder of a suite.
fn path(of: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/suites")).join(of)
}

/// What a file of a suite says, in bytes.
fn bytes(of: &str) -> Vec<u8> {
    let path = path(of);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; scripts/suites.sh brings it", path.display()))
}

/// The same, in UTF-8.
fn text(of: &str) -> String {
    String::from_utf8(bytes(of)).unwrap_or_else(|e| panic!("{of}: {e}"))
}
