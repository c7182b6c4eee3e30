//! The text of a search space, read and checked field by field; errors name line and field.

use std::ops::{Range, RangeInclusive};

use serde::Deserialize;
use toml::Spanned;

use super::space::{ConvChoices, HeadChoices, PoolChoice, SpaceError};
use crate::network::Shape;

/// Most options of a decision.
const MAX_OPTIONS: usize = 64;
/// Most convolutions.
const MAX_CONVS: usize = 64;
/// Bits of weights and inputs.
const BITS: RangeInclusive<u32> = 2..=24;

/// A space that was read and checked.
pub(super) struct SpaceText {
    pub(super) name: String,
    pub(super) input: Shape,
    pub(super) conv: Vec<ConvChoices>,
    pub(super) head: HeadChoices,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    input: Spanned<[u32; 3]>,
    conv: Spanned<Vec<RawConv>>,
    head: RawHead,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConv {
    repeat: Option<Spanned<u32>>,
    filters: Spanned<Vec<u32>>,
    kernel_height: Spanned<Vec<u32>>,
    kernel_width: Spanned<Vec<u32>>,
    weight_bits: Spanned<Vec<u32>>,
    input_bits: Spanned<Vec<u32>>,
    #[serde(default)]
    pool: PoolChoice,
    pool_size: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    outputs: Spanned<u32>,
    weight_bits: Spanned<Vec<u32>>,
    input_bits: Spanned<Vec<u32>>,
}

/// Reads a space.
pub(super) fn read(text: &str) -> Result<SpaceText, SpaceError> {
    let reader = Reader { text };
    let raw: Raw = reader.parse()?;
    let name = raw.name.get_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        let expected = "1 to 64 letters, digits, -, _ or .";
        return Err(reader.fault(raw.name.span(), "name", expected, name));
    }
    let input = raw.input.get_ref();
    if input.iter().any(|size| !(1..=4096).contains(size)) {
        let expected = "channels, height and width from 1 to 4096";
        return Err(reader.fault(raw.input.span(), "input", expected, input));
    }
    let conv = reader.convs(&raw.conv, *input)?;
    let head = HeadChoices {
        outputs: reader.number(&raw.head.outputs, "head.outputs", 2..=65_536)?,
        weight_bits: reader.options(&raw.head.weight_bits, "head.weight_bits", BITS)?,
        input_bits: reader.options(&raw.head.input_bits, "head.input_bits", BITS)?,
    };
    Ok(SpaceText {
        name: name.clone(),
        input: Shape::from(input.map(|size| size as usize)),
        conv,
        head,
    })
}

/// Knows the text, so that faults get their lines.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn parse(&self) -> Result<Raw, SpaceError> {
        let toml = |path: String, error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start);
            SpaceError::Text {
                line: self.line(start),
                field: path,
                message: error.message().replace('\n', " "),
            }
        };
        let deserializer =
            toml::Deserializer::parse(self.text).map_err(|e| toml("syntax".into(), e))?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let path = error.path().to_string();
            let path = match path.replace(".$__serde_spanned_private_value", "") {
                root if root == "." => "top level".into(),
                path => path,
            };
            toml(path, error.into_inner())
        })
    }

    fn convs(
        &self,
        raw: &Spanned<Vec<RawConv>>,
        input: [u32; 3],
    ) -> Result<Vec<ConvChoices>, SpaceError> {
        let mut convs = Vec::new();
        let [_, mut height, mut width] = input;
        for (index, one) in raw.get_ref().iter().enumerate() {
            let field = |name: &str| format!("conv[{index}].{name}");
            let choices = self.conv(one, &field)?;
            let repeat = match &one.repeat {
                Some(repeat) => self.number(repeat, &field("repeat"), 1..=64)?,
                None => 1,
            };
            for _ in 0..repeat {
                if choices.pool != PoolChoice::None {
                    let size = choices.pool_size;
                    if !height.is_multiple_of(size) || !width.is_multiple_of(size) {
                        let span = one.pool_size.as_ref().map_or(raw.span(), Spanned::span);
                        let expected = format!("a divisor of the image here, {height} x {width}");
                        return Err(self.fault(span, &field("pool_size"), &expected, size));
                    }
                    (height, width) = (height / size, width / size);
                }
                convs.push(choices.clone());
            }
        }
        if convs.is_empty() || convs.len() > MAX_CONVS {
            let expected = format!("1 to {MAX_CONVS} layers");
            return Err(self.fault(raw.span(), "conv", &expected, convs.len()));
        }
        Ok(convs)
    }

    fn conv(
        &self,
        raw: &RawConv,
        field: &impl Fn(&str) -> String,
    ) -> Result<ConvChoices, SpaceError> {
        let pool_size = match &raw.pool_size {
            Some(size) => self.number(size, &field("pool_size"), 2..=64)?,
            None => 2,
        };
        Ok(ConvChoices {
            filters: self.options(&raw.filters, &field("filters"), 1..=4096)?,
            kernel_height: self.odd(&raw.kernel_height, &field("kernel_height"))?,
            kernel_width: self.odd(&raw.kernel_width, &field("kernel_width"))?,
            weight_bits: self.options(&raw.weight_bits, &field("weight_bits"), BITS)?,
            input_bits: self.options(&raw.input_bits, &field("input_bits"), BITS)?,
            pool: raw.pool,
            pool_size,
        })
    }

    /// A number in a range.
    fn number(
        &self,
        raw: &Spanned<u32>,
        field: &str,
        range: RangeInclusive<u32>,
    ) -> Result<u32, SpaceError> {
        let value = *raw.get_ref();
        if range.contains(&value) {
            return Ok(value);
        }
        let expected = format!("a number from {} to {}", range.start(), range.end());
        Err(self.fault(raw.span(), field, &expected, value))
    }

    /// Options: some, all different, in a range.
    fn options(
        &self,
        raw: &Spanned<Vec<u32>>,
        field: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Vec<u32>, SpaceError> {
        let values = raw.get_ref();
        let mut different = values.clone();
        different.sort_unstable();
        different.dedup();
        let fits = values.iter().all(|value| range.contains(value));
        let some = (1..=MAX_OPTIONS).contains(&values.len());
        if fits && some && different.len() == values.len() {
            return Ok(values.clone());
        }
        let (low, high) = range.into_inner();
        let expected = format!("1 to {MAX_OPTIONS} different numbers from {low} to {high}");
        Err(self.fault(raw.span(), field, &expected, values))
    }

    /// Options for a kernel that can be centred.
    fn odd(&self, raw: &Spanned<Vec<u32>>, field: &str) -> Result<Vec<u32>, SpaceError> {
        let values = self.options(raw, field, 1..=31)?;
        if values.iter().all(|value| value % 2 == 1) {
            return Ok(values);
        }
        Err(self.fault(raw.span(), field, "odd numbers", values))
    }

    fn fault(
        &self,
        span: Range<usize>,
        field: &str,
        expected: &str,
        found: impl std::fmt::Debug,
    ) -> SpaceError {
        SpaceError::Text {
            line: self.line(span.start),
            field: field.into(),
            message: format!("expected {expected}, found {found:?}"),
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        let before = self.text.as_bytes().iter().take(byte);
        1 + before.filter(|&&b| b == b'\n').count()
    }
}
