//! The link between the parties: bandwidth each way and round-trip time.
//!
//! A message of B bytes takes B / bandwidth + rtt/2; one that follows another in its direction, with none the other
//! way between them, takes B / bandwidth (`work::TransferTimes`). What a party computes while its own message travels
//! is not modelled as overlapping.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::units::{Bytes, Nanos};

/// A link, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Bandwidth in 10^6 bits a second.
    pub mbit_per_s: f64,
    /// Round-trip time in milliseconds.
    pub rtt_ms: f64,
}

/// Why a link description was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Not of the form `mbit=…,rtt_ms=…`, nor a preset.
    #[error(
        "link `{0}`: expected `mbit=<number>,rtt_ms=<number>` or one of loopback, measured, lan, wan"
    )]
    Form(String),
    /// A number out of range.
    #[error("link field `{field}`: `{value}` is not a {expected}")]
    Value {
        /// Field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Slowest link that is read, in 10^6 bits a second.
const SLOWEST: f64 = 0.001;

impl Link {
    /// 1 Gbit/s, 0.5 ms: a local network.
    pub const LAN: Self = Self {
        mbit_per_s: 1000.0,
        rtt_ms: 0.5,
    };
    /// 100 Mbit/s, 40 ms: a wide-area network.
    pub const WAN: Self = Self {
        mbit_per_s: 100.0,
        rtt_ms: 40.0,
    };

    /// Time of one message of `bytes`.
    pub fn time(&self, bytes: Bytes) -> Nanos {
        self.time_in_stream(bytes) + Nanos(self.rtt_ms * 1e6 / 2.0)
    }

    /// Time of a message that follows another one the same way, without a gap.
    pub fn time_in_stream(&self, bytes: Bytes) -> Nanos {
        Nanos(bytes.0 as f64 * 8e3 / self.mbit_per_s)
    }

    /// Reads `mbit=…,rtt_ms=…`.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (mut mbit, mut rtt) = (None, None);
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("mbit", value)) => mbit = Some(number("mbit", value)?),
                Some(("rtt_ms", value)) => rtt = Some(number("rtt_ms", value)?),
                _ => return Err(LinkError::Form(text.to_owned())),
            }
        }
        match (mbit, rtt) {
            (Some(mbit), _) if mbit < SLOWEST => Err(LinkError::Value {
                field: "mbit",
                value: mbit.to_string(),
                expected: "bandwidth of at least 0.001",
            }),
            (Some(mbit_per_s), Some(rtt_ms)) => Ok(Self { mbit_per_s, rtt_ms }),
            _ => Err(LinkError::Form(text.to_owned())),
        }
    }
}

fn number(field: &'static str, value: &str) -> Result<f64, LinkError> {
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(LinkError::Value {
            field,
            value: value.to_owned(),
            expected: "finite number, 0 or more",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_over_a_wan_takes_a_tenth_of_a_second() {
        let time = Link::WAN.time(Bytes(1_000_000));
        assert!(
            (time.seconds() - 0.1).abs() < 1e-12,
            "80 ms of bits and 20 ms of way: {time}"
        );
    }

    #[test]
    fn reads_fields_in_any_order_and_names_what_is_wrong() {
        let link = Link::parse("rtt_ms=40,mbit=100").unwrap();
        assert_eq!(link, Link::WAN);
        assert!(matches!(Link::parse("fast"), Err(LinkError::Form(_))));
        assert!(matches!(Link::parse("mbit=100"), Err(LinkError::Form(_))));
        assert!(matches!(
            Link::parse("mbit=0,rtt_ms=1"),
            Err(LinkError::Value { .. })
        ));
        assert!(matches!(
            Link::parse("mbit=nan,rtt_ms=1"),
            Err(LinkError::Value { .. })
        ));
    }
}
