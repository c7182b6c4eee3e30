//! Fields of a network's TOML text that may be written in two ways: a padding, the layers that are read.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

/// Zeros around an image.
pub(super) enum Padding {
    Same,
    Zeros([usize; 2]),
}

/// One name or several.
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PaddingVisitor;
        impl<'de> Visitor<'de> for PaddingVisitor {
            type Value = Padding;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"same\" or [height, width]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Padding, E> {
                match text {
                    "same" => Ok(Padding::Same),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
                let zeros = Deserialize::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Padding::Zeros(zeros))
            }
        }
        deserializer.deserialize_any(PaddingVisitor)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;
        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a layer's name or a list of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Names, A::Error> {
                let names = Deserialize::deserialize(de::value::SeqAccessDeserializer::new(seq))?;
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(NamesVisitor)
    }
}
