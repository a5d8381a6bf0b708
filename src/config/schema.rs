//! Which tables there are and which keys each may hold. The names come from the structs themselves, so they cannot differ.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::{
    Asterisk, Break, Config, Files, Form, Limits, Link, Log, Pbx, Procedure, Queue, Recordings, Store, User, Web,
};

/// A table of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its name, like `web` or `pbx.asterisk`.
    pub name: &'static str,
    /// Whether it may stand many times (`[[link]]`).
    pub list: bool,
    /// Its keys, tables inside it included.
    pub keys: &'static [&'static str],
}

/// Every table, the single ones first.
pub fn sections() -> [Section; 14] {
    let single = |name, keys| Section { name, list: false, keys };
    let list = |name, keys| Section { name, list: true, keys };
    [
        single("web", keys::<Web>()),
        single("store", keys::<Store>()),
        single("pbx", keys::<Pbx>()),
        single("pbx.asterisk", keys::<Asterisk>()),
        single("limits", keys::<Limits>()),
        single("log", keys::<Log>()),
        single("recordings", keys::<Recordings>()),
        single("files", keys::<Files>()),
        list("user", keys::<User>()),
        list("link", keys::<Link>()),
        list("form", keys::<Form>()),
        list("break", keys::<Break>()),
        list("queue", keys::<Queue>()),
        list("procedure", keys::<Procedure>()),
    ]
}

/// Whether the table of this name may stand many times.
pub fn is_list(name: &str) -> bool {
    section(name).is_some_and(|section| section.list)
}

/// The tables that stand at the top.
pub(super) fn top() -> &'static [&'static str] {
    keys::<Config>()
}

/// The table of this name.
pub(super) fn section(name: &str) -> Option<Section> {
    sections().into_iter().find(|section| section.name == name)
}

/// The names that a struct asks its deserializer for.
fn keys<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // The deserializer below gives no value, so this is always an error.
    let _ = T::deserialize(Listen(&mut found)).is_err();
    found
}

/// Gives nothing; notes what it is asked for.
struct Listen<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Listen<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only asked for names"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only asked for names"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_at_the_top_is_listed() {
        let mut listed: Vec<_> = sections().iter().map(|s| s.name).filter(|name| !name.contains('.')).collect();
        let mut top = top().to_vec();
        listed.sort_unstable();
        top.sort_unstable();
        assert_eq!(listed, top);
        assert!(sections().iter().all(|section| !section.keys.is_empty()));
        assert!(section("form").unwrap().keys.contains(&"where"));
    }
}
