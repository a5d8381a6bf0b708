//! The files of the store belong to the owner alone: session hashes and people's data are in them.

use std::fs;
use std::path::Path;

use super::error::{Kind, Place, StoreError};

/// Makes a database's file and its folder when they are missing, and sees to it that only the owner reads the file. The files that
/// SQLite puts beside it take its mode.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    let failed = |kind| move |error| StoreError::new(&Place::File(path.into()), kind, error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder).map_err(failed(Kind::Folder))?;
    }
    private_file(path).map_err(failed(Kind::Open))
}

/// Makes a folder that only the owner enters, unless it is there.
pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a file that only the owner reads; one that is there loses what others may.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    take_from_others(&file, path)
}

/// Takes from a file what others than its owner may do with it.
#[cfg(unix)]
pub(super) fn take_from_others(file: &fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %path.display(), mode = format!("{:o}", permissions.mode() & 0o777), "others could read it; now only its owner can");
    permissions.set_mode(permissions.mode() & !0o077);
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
pub(super) fn take_from_others(_: &fs::File, _: &Path) -> std::io::Result<()> {
    Ok(())
}
