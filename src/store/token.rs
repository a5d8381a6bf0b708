//! The token of the admin port: 256 random bits in a file that only the owner reads. The gateway makes it at the first
//! start; the commands read it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::file::{private_folder, take_from_others};
use crate::config::Secret;

/// The file cannot be used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It cannot be read or made.
    #[error("the admin token {} cannot be read or made", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("the admin token {} is not 32 to 256 letters, digits, - or _ on one line; remove it and a new one is made", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
    },
}

/// The token in the file; makes both when the file is missing.
///
/// # Errors
/// [`TokenError`].
pub fn load_or_create(path: &Path) -> Result<Secret, TokenError> {
    let failed = |source| TokenError::File { path: path.to_path_buf(), source };
    match create(path) {
        Ok(token) => Ok(token),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = fs::File::open(path).map_err(failed)?;
            take_from_others(&file, path).map_err(failed)?;
            read(path)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The token in the file.
///
/// # Errors
/// [`TokenError`]; also when the file is missing.
pub fn read(path: &Path) -> Result<Secret, TokenError> {
    let failed = |source| TokenError::File { path: path.to_path_buf(), source };
    let mut text = String::new();
    // No more is read than a token can have.
    fs::File::open(path).map_err(failed)?.take(1024).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim_end_matches(['\n', '\r']);
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (32..=256).contains(&token.len()) && token.chars().all(fits) {
        Ok(Secret::new(token))
    } else {
        Err(TokenError::Unfit { path: path.to_path_buf() })
    }
}

/// Writes a new token beside the place and moves it there, so that nobody ever reads half a token.
fn create(path: &Path) -> io::Result<Secret> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder)?;
    }
    let token = rand::random::<[u8; 32]>().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Of its own name for everybody: two may begin at once.
    let draft = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
    let made = options.open(&draft).and_then(|mut file| writeln!(file, "{token}").and_then(|()| file.sync_all()));
    // Unlike a rename, a link never takes the place of one that somebody else made in between.
    let placed = made.and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    placed.and(removed).map(|()| Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_begin_at_once_take_the_same_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data/admin.token");
        for _ in 0..20 {
            let barrier = std::sync::Barrier::new(4);
            let tokens: Vec<String> = std::thread::scope(|scope| {
                let begin = || {
                    barrier.wait();
                    load_or_create(&path).map(|token| token.expose().to_owned())
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
                threads.into_iter().map(|t| t.join().expect("no panic").expect("a token")).collect()
            });
            assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
            fs::remove_file(&path).expect("it is there");
        }
        assert_eq!(fs::read_dir(folder.path().join("data")).expect("a folder").count(), 0, "a draft was left behind");
    }
}
