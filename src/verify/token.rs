//! The word by which the server knows its client: 16 random bytes, shown by the server, presented first.
//!
//! Compared in constant time. It keeps strangers on the network from taking the client's place; it hides
//! nothing from those who listen in.

use std::fmt;
use std::str::FromStr;

use rand::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::channel::{Channel, ChannelError};

const BYTES: usize = 16;

/// A session's token; overwritten when it is dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Token([u8; BYTES]);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is_shown_by(&other.0)
    }
}

impl Eq for Token {}

impl Token {
    /// How long it is.
    pub(super) const BYTES: usize = BYTES;

    /// A fresh one.
    pub fn random<R: CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = [0; BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Shows the token to the server.
    ///
    /// # Errors
    /// The channel fails.
    pub fn present(&self, channel: &mut Channel) -> Result<(), ChannelError> {
        channel.send_raw(&self.0)
    }

    /// Whether these bytes are this token; the time it takes to tell depends on their number alone.
    pub(super) fn is_shown_by(&self, shown: &[u8]) -> bool {
        shown.ct_eq(&self.0).into()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("expected {} hexadecimal digits", 2 * BYTES);
        let digits = text.as_bytes();
        if digits.len() != 2 * BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(refused());
        }
        let value = u128::from_str_radix(text, 16).map_err(|_| refused())?;
        Ok(Self(value.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let token = Token([0, 1, 2, 0xab, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(token.to_string(), "000102ab0405060708090a0b0c0d0eff");
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert_ne!("000102ab0405060708090a0b0c0d0efe".parse(), Ok(token));
        for bad in [
            "",
            "00",
            "+00102ab0405060708090a0b0c0d0eff",
            "zz0102ab0405060708090a0b0c0d0eff",
        ] {
            assert!(bad.parse::<Token>().is_err(), "{bad}");
        }
    }
}
