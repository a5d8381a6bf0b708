//! Files of people on the disk: what they upload, the photos made of it, and the recordings of their calls. Who may do what is
//! decided elsewhere; here a path that came from outside never leads anywhere but into our own folders.
//!
//! An upload lies at `FOLDER/<mode>/<year>/<random>/<name>`, a photo at `FOLDER/photo/<random>.png`.

mod photo;
mod recording;
mod upload;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use tokio::sync::Semaphore;

use crate::config::Config;

pub use photo::PhotoError;
pub use recording::{Recording, media_type};
pub use upload::{Mode, Stored, Upload, UploadError};

/// Most uploads at a time.
const UPLOADS: usize = 32;
/// Most photos made at a time: each takes some memory and a core.
const PHOTOS: usize = 2;

/// The folders. Clones are the same.
#[derive(Clone, Debug)]
pub struct Files {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    recordings: PathBuf,
    quota: u64,
    /// How many bytes lie in the folder.
    used: AtomicU64,
    uploads: Semaphore,
    photos: Semaphore,
}

/// The folder cannot be used.
#[derive(Debug, Error)]
#[error("[files] folder = {}: {why}", folder.display())]
pub struct FolderError {
    folder: PathBuf,
    why: io::Error,
}

impl Files {
    /// Makes the folder when it is missing and counts what lies there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(config: &Config) -> Result<Self, FolderError> {
        let folder = config.files.folder.clone();
        let failed = |why| FolderError { folder: folder.clone(), why };
        private_folder(&folder).map_err(failed)?;
        let used = size(&folder).map_err(failed)?;
        Ok(Self {
            inner: Arc::new(Inner {
                recordings: config.recordings.folder.clone(),
                quota: u64::try_from(config.files.quota).unwrap_or(u64::MAX),
                used: AtomicU64::new(used),
                uploads: Semaphore::new(UPLOADS),
                photos: Semaphore::new(PHOTOS),
                folder,
            }),
        })
    }

    /// The file of a virtual path that an upload returned.
    fn place(&self, path: &str) -> Option<PathBuf> {
        inside(&self.inner.folder, path.strip_prefix('/')?)
    }

    /// Takes room, if there is any left.
    fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.inner.quota);
        self.inner.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.inner.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Removes a file and counts what that frees. What is not there is no mistake.
    fn remove(&self, file: &Path) {
        let Ok(about) = fs::symlink_metadata(file) else { return };
        match fs::remove_file(file) {
            Ok(()) => self.give_back(about.len()),
            Err(why) => tracing::warn!(file = %file.display(), %why, "a file could not be removed"),
        }
    }
}

/// A file below a folder, by a relative path of plain names.
fn inside(folder: &Path, path: &str) -> Option<PathBuf> {
    use std::path::Component;

    let plain = !path.is_empty()
        && !path.contains(['\0', '\\'])
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| folder.join(path))
}

/// 128 random bits in hex.
fn random_name() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Makes a folder that only the owner enters, unless it is there.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The bytes of all files below a folder. Links are not followed.
fn size(folder: &Path) -> io::Result<u64> {
    let (mut total, mut folders) = (0_u64, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => total = total.saturating_add(entry.metadata()?.len()),
                _ => {}
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_lead_into_a_folder() {
        let folder = Path::new("/data");
        assert_eq!(inside(folder, "a/b.wav"), Some(PathBuf::from("/data/a/b.wav")));
        for wrong in ["", "..", "a/../../b", "/etc/passwd", "a\\b", "a\0b", "./../x"] {
            assert_eq!(inside(folder, wrong), None, "{wrong:?}");
        }
    }
}
