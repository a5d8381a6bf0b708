//! Uploads: written as they come, counted, and bounded.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::SemaphorePermit;

use super::{Files, private_folder, random_name};

/// The largest upload.
const LARGEST: u64 = 16 << 20;
/// How long a file of the mode `temp` stays.
const TEMPORARY: Duration = Duration::from_secs(24 * 3600);
/// The longest name that is kept, bytes.
const LONGEST_NAME: usize = 128;

/// What an upload is for: the first folder of its path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To stay.
    #[default]
    Storage,
    /// To be removed after a day.
    Temp,
    /// For a scenario.
    Script,
    /// For a scenario.
    ScriptPlain,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Storage, Self::Temp, Self::Script, Self::ScriptPlain];

    /// The word of the request.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Temp => "temp",
            Self::Script => "script",
            Self::ScriptPlain => "scriptplain",
        }
    }

    /// The mode of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// An upload was not taken.
#[derive(Debug, Error)]
pub enum UploadError {
    /// It is too large.
    #[error("the file is larger than {LARGEST} bytes")]
    TooLarge,
    /// There is no room.
    #[error("there is no room left: [files] quota")]
    Full,
    /// Too many at a time.
    #[error("too many uploads at a time")]
    Busy,
    /// The disk failed.
    #[error("the file could not be written: {0}")]
    Disk(#[from] io::Error),
}

/// A file that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its virtual path: `/storage/2026/…/a.png`.
    pub path: String,
    /// Its name as it was given, cut to what a file may be called.
    pub name: String,
}

/// An upload under way. Dropped before its end, nothing of it stays.
#[derive(Debug)]
pub struct Upload<'a> {
    files: &'a Files,
    file: File,
    place: PathBuf,
    stored: Stored,
    written: u64,
    done: bool,
    _permit: SemaphorePermit<'a>,
}

impl Files {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`UploadError`].
    pub async fn upload(&self, mode: Mode, name: &str) -> Result<Upload<'_>, UploadError> {
        let permit = self.inner.uploads.try_acquire().map_err(|_| UploadError::Busy)?;
        let name = plain_name(name);
        let path = format!("/{}/{}/{}/{name}", mode.word(), year(), random_name());
        let place = self.place(&path).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        private_folder(place.parent().unwrap_or(&self.inner.folder))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&place).await?;
        let stored = Stored { path, name };
        Ok(Upload { files: self, file, place, stored, written: 0, done: false, _permit: permit })
    }

    /// Removes what was only to stay for a while and has; to be called now and then, on a thread that may wait.
    pub fn sweep(&self) {
        let Some(old) = SystemTime::now().checked_sub(TEMPORARY) else { return };
        self.sweep_folder(&self.inner.folder.join(Mode::Temp.word()), old);
    }

    /// Removes old files below a folder, and folders that have become empty.
    fn sweep_folder(&self, folder: &Path, old: SystemTime) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
            if about.is_dir() {
                self.sweep_folder(&path, old);
                // Not empty: it stays. Young: somebody is about to write there.
                if about.modified().is_ok_and(|at| at < old) {
                    let _ = std::fs::remove_dir(&path);
                }
            } else if about.modified().is_ok_and(|at| at < old) {
                self.remove(&path);
            }
        }
    }
}

impl Upload<'_> {
    /// Writes a piece.
    ///
    /// # Errors
    /// [`UploadError`]; the upload is to be dropped then.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.written.saturating_add(bytes) > LARGEST {
            return Err(UploadError::TooLarge);
        }
        if !self.files.take(bytes) {
            return Err(UploadError::Full);
        }
        self.written += bytes;
        Ok(self.file.write_all(piece).await?)
    }

    /// All is written: the file stays.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn finish(mut self) -> Result<Stored, UploadError> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        self.done = true;
        Ok(self.stored.clone())
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.place);
            if let Some(folder) = self.place.parent() {
                let _ = std::fs::remove_dir(folder);
            }
            self.files.give_back(self.written);
        }
    }
}

/// The last part of a name, without what no file should be called.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let good = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '(' | ')');
    let name: String = last.chars().map(|c| if good(c) { c } else { '_' }).collect();
    let name = name.trim_matches(['.', ' ']);
    // The end is kept: it says what kind of file it is.
    let cut = &name[name.ceil_char_boundary(name.len().saturating_sub(LONGEST_NAME))..];
    if cut.is_empty() { "file".to_owned() } else { cut.to_owned() }
}

fn year() -> i32 {
    time::OffsetDateTime::now_utc().year()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_what_is_harmless() {
        for (given, kept) in [
            ("a.png", "a.png"),
            ("C:\\fakepath\\фото 1.jpg", "фото 1.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..", "file"),
            ("", "file"),
            ("a\"b<c>.png", "a_b_c_.png"),
        ] {
            assert_eq!(plain_name(given), kept);
        }
        assert!(plain_name(&"я".repeat(500)).len() <= LONGEST_NAME);
        assert!(plain_name(&format!("{}.png", "x".repeat(500))).ends_with(".png"));
    }
}
