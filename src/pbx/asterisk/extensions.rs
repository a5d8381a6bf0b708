//! Inside numbers that nobody configured: read from the devices that Asterisk knows. Pure.

use std::collections::BTreeMap;

use ctigate_proto::message::Text;

use super::machine::{Answer, Phone};

/// Which devices are phones of inside numbers.
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    /// Patterns of numbers as a dialplan writes them, without the `_`: `1XX`.
    pub inside: Vec<String>,
    /// The endpoint of a number, with `{number}` for it.
    pub endpoint: String,
    /// How their phones are made to answer.
    pub answer: Answer,
}

impl Extensions {
    /// The phones among some devices (`PJSIP/101`).
    pub fn of<'a>(&self, devices: impl IntoIterator<Item = &'a str>) -> BTreeMap<Text, Phone> {
        let (before, behind) = self.endpoint.split_once("{number}").unwrap_or((&self.endpoint, ""));
        let number = |device: &&str| {
            let number = device.strip_prefix(before)?.strip_suffix(behind)?;
            self.inside.iter().any(|pattern| fits(pattern, number)).then(|| Text::from(number))
        };
        let phone = |device: &str| Phone { endpoint: device.to_owned(), answer: self.answer };
        devices.into_iter().filter_map(|device| Some((number(&device)?, phone(device)))).collect()
    }
}

/// Whether a pattern fits a number: `X` is 0 to 9, `Z` 1 to 9, `N` 2 to 9; everything else is itself.
fn fits(pattern: &str, number: &str) -> bool {
    let one = |(wanted, found): (u8, u8)| match wanted {
        b'X' => found.is_ascii_digit(),
        b'Z' => (b'1'..=b'9').contains(&found),
        b'N' => (b'2'..=b'9').contains(&found),
        other => other == found,
    };
    pattern.len() == number.len() && pattern.bytes().zip(number.bytes()).all(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_fit_are_phones() {
        let extensions = Extensions {
            inside: vec!["1XX".to_owned(), "2ZN".to_owned()],
            endpoint: "PJSIP/{number}-desk".to_owned(),
            answer: Answer::Intercom,
        };
        let devices =
            ["PJSIP/101-desk", "PJSIP/200-desk", "PJSIP/212-desk", "PJSIP/1011-desk", "PJSIP/102", "Custom:1"];
        let found = extensions.of(devices);
        assert_eq!(found.keys().map(|n| &**n).collect::<Vec<_>>(), ["101", "212"]);
        assert_eq!(found["101"], Phone { endpoint: "PJSIP/101-desk".to_owned(), answer: Answer::Intercom });
        assert!(Extensions::default().of(devices).is_empty());
    }
}
