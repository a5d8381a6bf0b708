//! A link's ticket: a shared secret for CRMs whose library cannot answer a challenge.

use super::header::after_scheme;
use super::{Proof, secret};

/// The ticket in the query of a request's target: the value of `ticket`, percent-decoded. `None` when there is none, more
/// than one, or it is no text.
pub fn of_query(query: &str) -> Option<String> {
    let mut tickets = query.split('&').filter_map(|field| field.strip_prefix("ticket="));
    let ticket = tickets.next()?;
    if tickets.next().is_some() {
        return None;
    }
    let mut bytes = Vec::with_capacity(ticket.len());
    let mut rest = ticket.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'%' => {
                let digit = |i: usize| rest.get(i).and_then(|&byte| char::from(byte).to_digit(16));
                bytes.push(u8::try_from(digit(0)? << 4 | digit(1)?).ok()?);
                rest = &rest[2..];
            }
            b'+' => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The ticket in an `Authorization: Bearer` header.
pub fn of_bearer(header: &str) -> Option<&str> {
    after_scheme(header, "Bearer").filter(|ticket| !ticket.is_empty())
}

/// Whether this is the ticket that is expected. Takes the same time wherever they differ. An empty ticket is never one.
pub fn verify(given: &str, expected: &str) -> Option<Proof> {
    let same = bool::from(secret::same(given, expected));
    (same && !expected.is_empty()).then_some(Proof(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticket_is_found_in_query_and_header() {
        assert_eq!(of_query("a=b&ticket=s3cret%20%D0%96+x&c").as_deref(), Some("s3cret Ж x"));
        assert_eq!(of_query("ticket=").as_deref(), Some(""));
        for none in [
            "",
            "a=b",
            "aticket=x",
            "Ticket=x",
            "ticket",
            "ticket=a&ticket=a",
            "ticket=%",
            "ticket=%f",
            "ticket=%zz",
            "ticket=%ff",
        ] {
            assert_eq!(of_query(none), None, "{none}");
        }
        assert_eq!(of_bearer("bearer  s3cret"), Some("s3cret"));
        for none in ["", "Bearer", "Bearer ", "Basic s3cret"] {
            assert_eq!(of_bearer(none), None, "{none}");
        }
    }

    #[test]
    fn only_the_ticket_itself_is_a_proof() {
        assert!(verify("s3cret", "s3cret").is_some());
        for wrong in ["", "s3cre", "s3crets", "S3cret"] {
            assert!(verify(wrong, "s3cret").is_none(), "{wrong}");
        }
        assert!(verify("", "").is_none());
    }
}
