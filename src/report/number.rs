//! Numbers as people read them: a unit that fits, digits in groups, "–" for nothing at all.

use crate::units::{Bytes, Nanos};

const NOTHING: &str = "–";

/// A time; "–" for none.
pub fn seconds(seconds: f64) -> String {
    if seconds == 0.0 {
        NOTHING.to_owned()
    } else {
        Nanos::from_seconds(seconds).to_string()
    }
}

/// A size; "–" for none.
pub fn bytes(bytes: u64) -> String {
    if bytes == 0 {
        NOTHING.to_owned()
    } else {
        Bytes(bytes).to_string()
    }
}

/// A difference of sizes with its sign; "0" for none, because equality is a result.
pub fn signed_bytes(difference: i64) -> String {
    match difference {
        0 => "0".to_owned(),
        d if d < 0 => format!("−{}", Bytes(d.unsigned_abs())),
        d => format!("+{}", Bytes(d.unsigned_abs())),
    }
}

/// A count with its digits in groups of three: `172,032`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A relative difference in percent with its sign: `+4.2 %`.
pub fn percent(relative: f64) -> String {
    format!("{:+.1} %", relative * 100.0).replace('-', "−")
}

/// A probability by its log2: `2^−40.3`, from a million bits on `2^−2.4e20`.
pub fn log2_probability(log2: f64) -> String {
    let text = if log2 > -1e6 {
        format!("2^{log2:.1}")
    } else {
        format!("2^{log2:.1e}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(seconds(0.0), "–");
        assert_eq!(seconds(0.0125), "12.50 ms");
        assert_eq!(bytes(0), "–");
        assert_eq!(bytes(36_900), "36.90 kB");
        assert_eq!(signed_bytes(0), "0");
        assert_eq!(signed_bytes(-12), "−12 B");
        assert_eq!(signed_bytes(i64::MIN), "−9223372036.85 GB");
        assert_eq!(count(7), "7");
        assert_eq!(count(172_032), "172,032");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(percent(-0.042), "−4.2 %");
        assert_eq!(log2_probability(-40.31), "2^−40.3");
        assert_eq!(log2_probability(-2.39e20), "2^−2.4e20");
    }
}
