//! Recordings of calls: files below the folder that the configuration names.

use std::io;
use std::time::UNIX_EPOCH;

use tokio::fs::File;

use super::{Files, inside};

/// A recording that is open for reading.
#[derive(Debug)]
pub struct Recording {
    /// The file, at its beginning.
    pub file: File,
    /// How long it is, bytes.
    pub length: u64,
    /// Another when the file is another: for `ETag`, without quotes.
    pub tag: String,
    /// Its name, without folders.
    pub name: String,
}

impl Files {
    /// Opens a recording by its path relative to the folder of recordings.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, and what the disk says.
    pub async fn recording(&self, path: &str) -> io::Result<Recording> {
        let place = inside(&self.inner.recordings, path).ok_or(io::ErrorKind::NotFound)?;
        let file = File::open(&place).await?;
        let about = file.metadata().await?;
        if !about.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let tag = format!("{:x}-{:x}", about.len(), changed.as_millis());
        Ok(Recording { file, length: about.len(), tag, name })
    }
}

/// What a file is, by the end of its name.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "m4a" | "mp4" => "audio/mp4",
        "pdf" => "application/pdf",
        "tif" | "tiff" => "image/tiff",
        _ => "application/octet-stream",
    }
}
