//! The macros that make everything about a message from one definition: struct, reader, writer, row of the catalogue.

pub(super) use super::entry::{Right, call, event, reply};

/// Structs with their parameters: what [`messages!`] and [`records!`] have in common. A definition is
///
/// ```text
/// /// What it is for.
/// Name {
///     ..included: Record,                       // parameters of a record, first
///     /// What it means.
///     field = "wire-name" | "other-name": Type, // the wire name when it differs; other names that are understood
/// }
/// ```
macro_rules! shape {
    ($(#[doc = $doc:literal])* $Name:ident {
        $(.. $include:ident : $Include:ident,)*
        $($(#[doc = $meaning:literal])* $field:ident $(= $wire:literal)? $(| $alias:literal)* : $Type:ty,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            $(
                /// The parameters of the record.
                pub $include: $Include,
            )*
            $($(#[doc = $meaning])* pub $field: $Type,)*
        }

        impl $crate::method::entry::Shape for $Name {
            const DOC: &'static str = concat!($($doc, "\n"),*);
            const FIELDS: &'static [$crate::method::entry::Field] = &[$(
                $crate::method::entry::Field::of::<$Type>(
                    $crate::method::define::wire!($field $($wire)?),
                    &[$($alias),*],
                    concat!($($meaning),*),
                ),
            )*];
            const INCLUDES: &'static [&'static $crate::method::entry::Record] =
                &[$(&<$Include as $crate::method::entry::Named>::RECORD),*];

            #[allow(unused_variables, reason = "a message may have no parameters")]
            fn take(from: &impl $crate::method::param::Source) -> Result<Self, $crate::method::Wrong> {
                Ok(Self {
                    $($include: $crate::method::entry::Shape::take(from)?,)*
                    $($field: $crate::method::param::read_field(
                        from,
                        $crate::method::define::wire!($field $($wire)?),
                        &[$($alias),*],
                    )?,)*
                })
            }

            #[allow(unused_variables, reason = "a message may have no parameters")]
            fn put(self, into: &mut impl $crate::method::param::Sink) {
                $($crate::method::entry::Shape::put(self.$include, into);)*
                $(into.put($crate::method::define::wire!($field $($wire)?), self.$field);)*
            }
        }
    };
}

/// The name on the wire: the given one, else the field's.
macro_rules! wire {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $wire:literal) => {
        $wire
    };
}

/// Objects with fixed members inside messages: `Name = "name in the specification" { … }`.
macro_rules! records {
    ($($(#[doc = $doc:literal])* $Name:ident = $name:literal { $($fields:tt)* })*) => {$(
        $crate::method::define::shape! { $(#[doc = $doc])* $Name { $($fields)* } }

        impl $crate::method::entry::Named for $Name {
            const RECORD: $crate::method::Record = $crate::method::Record::named::<Self>($name);
        }

        impl $crate::method::Param for $Name {
            const TYPE: $crate::method::Type = $crate::method::Type::Record(&<Self as $crate::method::entry::Named>::RECORD);

            fn read(given: $crate::method::Given<'_>) -> Result<Self, $crate::method::Wrong> {
                match &*given.open() {
                    $crate::message::Value::Object(object) => $crate::method::entry::Shape::take(object),
                    _ => Err($crate::method::Wrong::kind(given, Self::TYPE)),
                }
            }

            fn into_value(self) -> Option<$crate::message::Value> {
                let mut object = $crate::message::Object::new();
                $crate::method::entry::Shape::put(self, &mut object);
                Some($crate::message::Value::Object(object))
            }
        }
    )*};
}

/// The messages of one area: `Name: head => { … }`, where head says class, name, ways, reply and right. Makes the area's
/// part of the catalogue.
macro_rules! messages {
    ($($(#[doc = $doc:literal])* $Name:ident : $head:expr => { $($fields:tt)* })*) => {
        $(
            $crate::method::define::shape! { $(#[doc = $doc])* $Name { $($fields)* } }

            impl $crate::method::Typed for $Name {
                const MESSAGE: $crate::method::Message = $head.of::<Self>();
            }
        )*

        /// This area's messages.
        pub(super) const MESSAGES: &[$crate::method::Message] = &[$(<$Name as $crate::method::Typed>::MESSAGE),*];
    };
}

/// Parameters that take one of a few words; the first is the default.
macro_rules! choice {
    ($($(#[doc = $doc:literal])* $Name:ident { $($(#[doc = $meaning:literal])* $Word:ident = $word:literal,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $Name {
            $($(#[doc = $meaning])* $Word,)*
        }

        impl $Name {
            /// Every word, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$Word),*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Word => $word,)*
                }
            }

            /// What the word stands for.
            pub fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$Word),)*
                    _ => None,
                }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl $crate::method::Param for $Name {
            const TYPE: $crate::method::Type = $crate::method::Type::Choice(&[$($word),*]);

            fn read(given: $crate::method::Given<'_>) -> Result<Self, $crate::method::Wrong> {
                let found = given.open().as_str().and_then(Self::of_word);
                found.ok_or_else(|| $crate::method::Wrong::kind(given, Self::TYPE))
            }

            fn into_value(self) -> Option<$crate::message::Value> {
                Some($crate::message::Value::from(self.as_str()))
            }
        }
    )*};
}

pub(super) use {choice, messages, records, shape, wire};
