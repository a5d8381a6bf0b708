//! Photos: made anew from what was uploaded, so that nothing of the uploaded file but its picture is ever served.

use std::io::Cursor;
use std::path::Path;

use ctigate_proto::hub::archive::Photo;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use thiserror::Error;

use super::{Files, private_folder, random_name};

/// The largest file of which a photo is made.
const LARGEST: u64 = 2 << 20;
/// The largest picture, pixels a side, and the memory that opening one may take.
const MOST_PIXELS: u32 = 8192;
const MOST_MEMORY: u64 = 128 << 20;
/// The sides of the three pictures. The first is only a bound.
const WHOLE: u32 = 512;
const SMALL: u32 = 32;
const LARGE: u32 = 96;

/// No photo was made.
#[derive(Debug, Error)]
pub enum PhotoError {
    /// The file is gone, or too large, or no picture.
    #[error("{0}")]
    Unfit(String),
    /// The disk failed, or there is no room.
    #[error("{0}")]
    Failed(String),
}

impl Files {
    /// Makes a photo of an uploaded file; the old one goes.
    ///
    /// # Errors
    /// [`PhotoError`].
    pub async fn photo(&self, path: &str, old: Option<Photo>) -> Result<Photo, PhotoError> {
        let place = self.place(path).ok_or_else(|| PhotoError::Unfit("the path is none of an upload".to_owned()))?;
        let _permit = self.inner.photos.acquire().await.map_err(|e| PhotoError::Failed(e.to_string()))?;
        let files = self.clone();
        let work = move || {
            let photo = files.make(&place, random_name)?;
            for link in old.iter().flat_map(|old| [&old.link, &old.small, &old.large]) {
                if let Some(file) = files.photo_place(link) {
                    files.remove(&file);
                }
            }
            Ok(photo)
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| PhotoError::Failed(e.to_string()))?
    }

    /// Makes a photo of a file that the configuration names, under names that its content gives: the same at each start.
    ///
    /// # Errors
    /// [`PhotoError`].
    pub fn configured_photo(&self, file: &Path) -> Result<Photo, PhotoError> {
        use sha2::{Digest, Sha256};

        let bytes = std::fs::read(file).map_err(|why| PhotoError::Unfit(why.to_string()))?;
        let mut digest: Vec<String> = Vec::new();
        for size in ["whole", "small", "large"] {
            let hash = Sha256::new_with_prefix(size).chain_update(&bytes).finalize();
            digest.push(hash[..16].iter().map(|b| format!("{b:02x}")).collect());
        }
        let mut names = digest.into_iter();
        self.make(file, || names.next().unwrap_or_else(random_name))
    }

    fn make(&self, file: &Path, mut name: impl FnMut() -> String) -> Result<Photo, PhotoError> {
        let picture = open(file)?;
        let whole = if picture.width() > WHOLE || picture.height() > WHOLE {
            picture.resize(WHOLE, WHOLE, FilterType::Lanczos3)
        } else {
            picture.clone()
        };
        let mut keep = |picture: &DynamicImage| self.keep(picture, &name());
        Ok(Photo {
            link: keep(&whole)?.into(),
            small: keep(&picture.resize_to_fill(SMALL, SMALL, FilterType::Lanczos3))?.into(),
            large: keep(&picture.resize_to_fill(LARGE, LARGE, FilterType::Lanczos3))?.into(),
        })
    }

    fn keep(&self, picture: &DynamicImage, name: &str) -> Result<String, PhotoError> {
        let failed = |why: String| PhotoError::Failed(format!("the photo could not be kept: {why}"));
        let mut png = Vec::new();
        picture.write_to(&mut Cursor::new(&mut png), ImageFormat::Png).map_err(|e| failed(e.to_string()))?;
        let link = format!("/photo/{name}.png");
        let place = self.place(&link).ok_or_else(|| failed("no name".to_owned()))?;
        let bytes = u64::try_from(png.len()).unwrap_or(u64::MAX);
        private_folder(&self.inner.folder.join("photo")).map_err(|e| failed(e.to_string()))?;
        self.remove(&place);
        if !self.take(bytes) {
            return Err(failed("there is no room left: [files] quota".to_owned()));
        }
        if let Err(why) = std::fs::write(&place, png) {
            self.give_back(bytes);
            return Err(failed(why.to_string()));
        }
        Ok(link)
    }

    /// The bytes of a photo by its link, a PNG. `None`: there is none.
    pub async fn photo_of_link(&self, link: &str) -> Option<Vec<u8>> {
        tokio::fs::read(self.photo_place(link)?).await.ok()
    }

    /// Where a photo lies; nothing but photos is found so.
    fn photo_place(&self, link: &str) -> Option<std::path::PathBuf> {
        let name = link.strip_prefix("/photo/")?.strip_suffix(".png")?;
        let fits = name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| self.place(link)).flatten()
    }
}

/// The picture in a file: PNG, JPEG or GIF, by what is in it and not by its name.
fn open(file: &Path) -> Result<DynamicImage, PhotoError> {
    let unfit = |why: String| PhotoError::Unfit(why);
    let about = std::fs::metadata(file).map_err(|_| unfit("the file is gone: upload it again".to_owned()))?;
    if about.len() > LARGEST {
        return Err(unfit(format!("the file has {} bytes, expected at most {LARGEST}", about.len())));
    }
    let bytes = std::fs::read(file).map_err(|why| unfit(why.to_string()))?;
    let format = image::guess_format(&bytes).ok();
    let Some(format) = format.filter(|f| matches!(f, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::Gif)) else {
        return Err(unfit("the file is no PNG, JPEG or GIF".to_owned()));
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    reader.decode().map_err(|why| unfit(format!("the picture cannot be opened: {why}")))
}
