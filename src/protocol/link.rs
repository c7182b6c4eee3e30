//! The link between the parties: bandwidth each way and round-trip time.
//!
//! A message of B bytes takes the time of its bits, B / bandwidth or as it was measured by size, and rtt/2; its bits take
//! longer where its sender has waited and worked on other things since its last one, if that was measured. One that follows another in its direction, with none the other
//! way between them (`work::TransferTimes`), takes that of its bits less what its sender has computed since: the system sends
//! what it was handed meanwhile. It takes no less than to be handed over, which is known where a profile measured it;
//! elsewhere a sender is taken to wait until its message has arrived.

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
    /// Nanoseconds for each byte that a sender hands to the system before it goes on.
    pub hand_over: Option<f64>,
    /// What the bits of messages took by size, where that was measured and is no line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_size: Option<BySize>,
    /// The same of messages whose sender has gone through other things since it last sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_others: Option<BySize>,
}

/// Bytes of three messages, the least first, and nanoseconds of each.
pub type BySize = [(f64, f64); 3];

/// The nanoseconds of `bytes`: between two sizes a line, above all of them the last one, below them the rate of the least.
fn along(sizes: BySize, bytes: f64) -> f64 {
    let [least, middle, most] = sizes;
    let ((x, t), (x_to, t_to)) = match bytes {
        bytes if bytes < least.0 => ((0.0, 0.0), least),
        bytes if bytes < middle.0 => (least, middle),
        _ => (middle, most),
    };
    t + (bytes - x) / (x_to - x) * (t_to - t)
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
        hand_over: None,
        by_size: None,
        after_others: None,
    };
    /// 100 Mbit/s, 40 ms: a wide-area network.
    pub const WAN: Self = Self {
        mbit_per_s: 100.0,
        rtt_ms: 40.0,
        hand_over: None,
        by_size: None,
        after_others: None,
    };

    /// Time of one message of `bytes` that follows none.
    pub fn time(&self, bytes: Bytes) -> Nanos {
        let bits = match self.after_others {
            Some(sizes) => Nanos(along(sizes, bytes.0 as f64)),
            None => self.time_in_stream(bytes),
        };
        bits + Nanos(self.rtt_ms * 1e6 / 2.0)
    }

    /// Time of a message's bits alone: that of one which follows another one the same way, without a gap.
    pub fn time_in_stream(&self, bytes: Bytes) -> Nanos {
        let bytes = bytes.0 as f64;
        Nanos(match self.by_size {
            Some(sizes) => along(sizes, bytes),
            None => bytes * 8e3 / self.mbit_per_s,
        })
    }

    /// Time of a message that follows another one the same way, beyond what its sender has computed since then.
    pub fn time_beyond(&self, bytes: Bytes, computed: Nanos) -> Nanos {
        let whole = self.time_in_stream(bytes);
        let Some(each) = self.hand_over else {
            return whole;
        };
        let handed_over = (bytes.0 as f64 * each).min(whole.0);
        Nanos((whole - computed).0.max(handed_over))
    }

    /// The same link with a sender that hands over so many nanoseconds a byte, where that is known.
    #[must_use]
    pub fn handing_over(self, hand_over: Option<f64>) -> Self {
        Self { hand_over, ..self }
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
            (Some(mbit_per_s), Some(rtt_ms)) => Ok(Self {
                mbit_per_s,
                rtt_ms,
                hand_over: None,
                by_size: None,
                after_others: None,
            }),
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
    fn what_was_measured_by_size_lies_on_lines() {
        let link = Link {
            by_size: Some([(100.0, 50.0), (200.0, 60.0), (400.0, 160.0)]),
            ..Link::LAN
        };
        for (bytes, taken) in [
            (0, 0.0),
            (50, 25.0),
            (150, 55.0),
            (300, 110.0),
            (600, 260.0),
        ] {
            assert_eq!(link.time_in_stream(Bytes(bytes)).0, taken, "{bytes}");
        }
        let trip = Link::LAN.rtt_ms * 1e6 / 2.0;
        assert_eq!(link.time(Bytes(150)).0, 55.0 + trip);
        let after_others = Some([(100.0, 90.0), (200.0, 110.0), (400.0, 180.0)]);
        let link = Link {
            after_others,
            ..link
        };
        assert_eq!(link.time(Bytes(150)).0, 100.0 + trip);
        assert_eq!(link.time_in_stream(Bytes(150)).0, 55.0);
    }

    /// A megabyte in 100 ms on the link; in 1 ms it is handed over.
    #[test]
    fn what_is_computed_while_the_message_before_travels_takes_no_time() {
        let link = Link {
            mbit_per_s: 80.0,
            rtt_ms: 40.0,
            hand_over: Some(1.0),
            by_size: None,
            after_others: None,
        };
        let beyond = |link: Link, computed| link.time_beyond(Bytes(1_000_000), Nanos(computed)).0;
        for (computed, left) in [(0.0, 1e8), (3e7, 7e7), (99.5e6, 1e6), (1e9, 1e6)] {
            assert!((beyond(link, computed) - left).abs() < 1.0, "{computed}");
        }
        let waiting = link.handing_over(None);
        assert!((beyond(waiting, 3e7) - 1e8).abs() < 1.0);
        let slow = link.handing_over(Some(500.0));
        assert!(
            (beyond(slow, 3e7) - 1e8).abs() < 1.0,
            "never more than the whole"
        );
    }

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
