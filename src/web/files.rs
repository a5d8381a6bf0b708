//! Files by HTTP: uploads with a temporary password, recordings, photos. `proto-spec/methods/file.md`.

use std::io::SeekFrom;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ctigate_proto::hub::input::{Ask, By, Uploaded};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::Text;
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::files::{Mode, Recording, Stored, UploadError, media_type};

use super::people::{Given, People, Refusal};
use super::xml::quoted;

/// The largest body of an upload: the file and what multipart puts around it.
const BODY: u64 = (16 << 20) + (64 << 10);
/// How much of a recording is read at a time.
const PIECE: usize = 64 << 10;

/// `POST /upload?temppass=…`: one file, in a form.
pub(super) async fn upload(State(people): State<People>, request: Request) -> Result<Response, Refusal> {
    let given = Given::of_query(request.uri())?;
    let mode = match given.get("storagemode") {
        "" => Mode::default(),
        word => Mode::parse(word).ok_or_else(|| {
            Refusal::new(StatusCode::BAD_REQUEST, "storagemode is none of storage, temp, script, scriptplain")
        })?,
    };
    let relative = match given.get("pathmode") {
        "" | "absolute" => false,
        "relative" => true,
        _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "pathmode is none of absolute, relative")),
    };
    let password = Text::from(given.get("temppass"));
    match people.door.ask(Ask::Upload { password: password.clone() }).await {
        Answer::Done => {}
        Answer::Refused(error) => return Err(Refusal::of(&error)),
        _ => return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway gave another answer")),
    }
    let taken = take(&people, mode, request).await;
    let (status, content, paths) = match taken {
        Ok(stored) => {
            let path = match relative {
                true => stored.path.trim_start_matches(&format!("/{}/", mode.word())).to_owned(),
                false => stored.path.clone(),
            };
            // Known clients look for the beginning of this text, letter by letter.
            let content = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><uploadfilesresult count=\"1\"><file name=\"{}\" path=\"{}\"/></uploadfilesresult>",
                quoted(&stored.name),
                quoted(&path)
            );
            (StatusCode::OK, content, Some((Text::from(path), Text::from(stored.path))))
        }
        Err((status, why)) => (status, format!("{why}\n"), None),
    };
    let response = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let uploaded = Uploaded { password, response: response.into(), content: content.clone().into(), paths };
    people.door.ask(Ask::Uploaded(uploaded)).await;
    let kind = if status == StatusCode::OK { "text/xml; charset=utf-8" } else { "text/plain; charset=utf-8" };
    Ok((status, [(header::CONTENT_TYPE, kind)], content).into_response())
}

/// Takes the one file of a form.
async fn take(people: &People, mode: Mode, request: Request) -> Result<Stored, (StatusCode, String)> {
    let wrong = |why: String| (StatusCode::BAD_REQUEST, why);
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|line| line.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be multipart/form-data with one field named file".to_owned(),
        )
    })?;
    let bounds = Constraints::new().size_limit(SizeLimit::new().whole_stream(BODY));
    let mut form = Multipart::with_constraints(request.into_body().into_data_stream(), boundary, bounds);
    let broken = |error: multer::Error| match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, UploadError::TooLarge.to_string())
        }
        error => wrong(format!("the form cannot be read: {error}")),
    };
    let failed = |error: UploadError| match error {
        UploadError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        UploadError::Full => (StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
        UploadError::Busy => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        UploadError::Disk(why) => {
            tracing::error!(%why, "an upload could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the file could not be written".to_owned())
        }
    };
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") {
            continue;
        }
        let name = field.file_name().unwrap_or_default().to_owned();
        let mut upload = people.files.upload(mode, &name).await.map_err(failed)?;
        while let Some(piece) = field.chunk().await.map_err(broken)? {
            upload.write(&piece).await.map_err(failed)?;
        }
        return upload.finish().await.map_err(failed);
    }
    Err(wrong("the form has no field named file".to_owned()))
}

/// `GET <recordlink>?temppass=…`, or with Basic.
pub(super) async fn record(
    State(people): State<People>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, _) = request.into_parts();
    send_recording(&people, format!("/record/{name}"), &head).await
}

/// `GET <filelink>` of a fax, with `temppass` or with Basic.
pub(super) async fn fax(
    State(people): State<People>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, _) = request.into_parts();
    send_recording(&people, format!("/fax/{id}"), &head).await
}

/// `GET /downloadrecordbylink?recordlink=…`, with Basic or `temppass`.
pub(super) async fn record_by_link(State(people): State<People>, request: Request) -> Result<Response, Refusal> {
    let (head, _) = request.into_parts();
    let link = Given::of_query(&head.uri)?.get("recordlink").to_owned();
    send_recording(&people, link, &head).await
}

async fn send_recording(people: &People, link: String, head: &Parts) -> Result<Response, Refusal> {
    let given = Given::of_query(&head.uri)?;
    let by = match given.get("temppass") {
        "" => By::User(people.who(head).await?),
        password => By::Pass(password.into()),
    };
    let file = match people.door.ask(Ask::Recording { link: link.into(), by }).await {
        Answer::Recording { file } => file,
        Answer::Refused(error) => return Err(Refusal::of(&error)),
        _ => return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway gave another answer")),
    };
    match people.files.recording(&file).await {
        Ok(recording) => Ok(play(recording, &head.headers).await),
        Err(why) => {
            tracing::warn!(%file, %why, "a recording that the ledger names is not there");
            Err(Refusal::new(StatusCode::NOT_FOUND, "the recording is not there any more"))
        }
    }
}

/// A recording, or the part of it that is wanted.
async fn play(recording: Recording, headers: &HeaderMap) -> Response {
    let Recording { mut file, length, tag, name } = recording;
    let tag = format!("\"{tag}\"");
    let same = headers.get(header::IF_RANGE).is_none_or(|line| line.as_bytes() == tag.as_bytes());
    let wanted = headers.get(header::RANGE).filter(|_| same).and_then(|line| line.to_str().ok());
    let part = wanted.map_or(Wanted::All, |line| range(line, length));
    let (status, from, until) = match part {
        Wanted::All => (StatusCode::OK, 0, length),
        Wanted::Part(from, until) => (StatusCode::PARTIAL_CONTENT, from, until),
        Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    if from > 0 && file.seek(SeekFrom::Start(from)).await.is_err() {
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the recording cannot be read").into_response();
    }
    let body = match status {
        StatusCode::RANGE_NOT_SATISFIABLE => Body::empty(),
        _ => Body::from_stream(stream::try_unfold((file, until - from), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            let read = file.read(&mut piece).await?;
            if read == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            piece.truncate(read);
            let left = left - u64::try_from(read).unwrap_or(left);
            Ok(Some((Bytes::from(piece), (file, left))))
        })),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::ETAG, tag);
    set(header::CACHE_CONTROL, "private, no-cache".to_owned());
    match status {
        StatusCode::RANGE_NOT_SATISFIABLE => set(header::CONTENT_RANGE, format!("bytes */{length}")),
        _ => {
            set(header::CONTENT_TYPE, media_type(&name).to_owned());
            set(header::CONTENT_LENGTH, (until - from).to_string());
            let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
            set(header::CONTENT_DISPOSITION, format!("inline; filename=\"{plain}\""));
            if status == StatusCode::PARTIAL_CONTENT {
                set(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", until - 1));
            }
        }
    }
    response
}

/// What a `Range` wants of a file: RFC 9110 section 14. Several ranges at once, and what is no range of bytes, are passed over.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// From the first byte to before the second.
    Part(u64, u64),
    Nothing,
}

fn range(line: &str, length: u64) -> Wanted {
    let Some(spec) = line.trim().strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else { return Wanted::All };
    let Some((first, last)) = spec.trim().split_once('-') else { return Wanted::All };
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first.is_empty(), last.is_empty(), number(first), number(last)) {
        (true, false, _, Some(suffix)) if suffix == 0 || length == 0 => Wanted::Nothing,
        (true, false, _, Some(suffix)) => Wanted::Part(length.saturating_sub(suffix), length),
        (false, _, Some(first), _) if first >= length => Wanted::Nothing,
        (false, true, Some(first), _) => Wanted::Part(first, length),
        (false, false, Some(first), Some(last)) if last >= first => {
            Wanted::Part(first, last.saturating_add(1).min(length))
        }
        _ => Wanted::All,
    }
}

/// `GET /photo/<name>`: without any password, because pages show it by `<img>`.
pub(super) async fn photo(State(people): State<People>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let png = people.files.photo_of_link(&format!("/photo/{name}")).await;
    let png = png.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such photo"))?;
    let kept = "public, max-age=31536000, immutable";
    Ok(([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, kept)], png).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_the_standard_says() {
        for (line, wanted) in [
            ("bytes=0-9", Wanted::Part(0, 10)),
            ("bytes=90-", Wanted::Part(90, 100)),
            ("bytes=90-500", Wanted::Part(90, 100)),
            ("bytes=-10", Wanted::Part(90, 100)),
            ("bytes=-500", Wanted::Part(0, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-0", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("seconds=1-2", Wanted::All),
        ] {
            assert_eq!(range(line, 100), wanted, "{line}");
        }
        assert_eq!(range("bytes=-5", 0), Wanted::Nothing);
    }
}
