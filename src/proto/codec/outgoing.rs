//! A message on its way out: encoded when the first peer of a format needs it, and never again.

use crate::message::{Format, Shared, Text};

/// The text of a shared message in a format. Encodes at most once per format, whoever asks and however often; the text may
/// be cloned freely, clones share its bytes.
pub fn text(shared: &Shared, format: Format) -> &Text {
    shared.text(format, |envelope| super::encode(envelope, format))
}

/// About how many bytes the text of a message would take that nobody has asked for yet, where [`append`] can write it. A little more than it
/// takes, unless much in it must be escaped.
pub fn expected(shared: &Shared, format: Format) -> Option<usize> {
    (format == Format::Json && !shared.has_text(format)).then(|| shared.weight())
}

/// Appends the text of a message, for whoever is the only one that needs it. Only where [`expected`] says something.
pub fn append(shared: &Shared, out: &mut Vec<u8>) {
    super::json::append(shared.envelope(), out);
}

/// How many bytes a shared message takes in a format. Its text is made for that and kept for whoever sends it.
pub fn size(shared: &Shared, format: Format) -> usize {
    text(shared, format).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Body, Envelope};

    #[test]
    fn every_peer_of_a_format_gets_the_same_bytes() {
        let shared = Shared::new(Envelope::new("event", Body::new().with("a", 1)));
        let first = text(&shared, Format::Json).clone();
        assert_eq!(first, r#"["event",{"a":1}]"#);
        assert_eq!(text(&shared, Format::Json).as_bytes().as_ptr(), first.as_bytes().as_ptr());
    }
}
