//! The cryptographic parameters of one linear layer, as plain data: what every later stage reads.
//!
//! JSON as `predict` prints it under `he`; 64-bit moduli are decimal strings.

use serde::{Deserialize, Serialize};

use super::decimal;
use super::widths::KeySwitching;
use crate::bfv::BfvLiteral;
use crate::packing::Windows;
use crate::security::{Table, Verdict};

/// Parameters of one linear layer: (n, p, q), security, noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerCrypto {
    /// Ring degree n.
    pub n: usize,
    /// Plaintext modulus p.
    #[serde(with = "decimal")]
    pub p: u64,
    /// Bit length of p.
    pub p_bits: u32,
    /// Whether p exceeds twice the greatest value of its domain; a prescribed or the paper's p may not.
    pub p_holds_all_values: bool,
    /// Primes of the ciphertext modulus q.
    #[serde(with = "decimal::list")]
    pub q: Vec<u64>,
    /// Special primes of key switching.
    #[serde(with = "decimal::list")]
    pub special: Vec<u64>,
    /// Width in bits of the digits of key switching, where there are no special primes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digit_bits: Option<u32>,
    /// Name of the packing schedule that they were chosen for.
    pub schedule: String,
    /// Plaintext windows; 1 is none.
    #[serde(default = "one")]
    pub windows: usize,
    /// log2 of q.
    pub q_bits: f64,
    /// log2 of q times the special primes: what the security table is asked.
    pub total_bits: f64,
    /// Highest level of the table that is reached, in bits.
    pub security_bits: u32,
    /// The table asked.
    pub security_table: Table,
    /// What was asked of the table, and met.
    pub security: Verdict,
    /// Probability that any coefficient of this layer decrypts wrongly, at least 10⁻³⁰⁰.
    pub failure_probability: f64,
    /// log2 of that probability, not cut off.
    pub failure_log2: f64,
    /// Statistical bits by which flooding hides the layer's error ([`Request`](super::Request)); 0: no flooding.
    pub flooding_bits: u32,
    /// Flooding is uniform in ±2^this; `None`: no flooding.
    pub flooding_log2: Option<u32>,
    /// Limbs of q that a reply keeps.
    pub reply_limbs: usize,
    /// log2 of the room for noise in a reply over what the failure probability asked for needs.
    pub noise_margin_bits: f64,
    /// The same over the worst case of the layer's error: negative where only chance keeps it small.
    pub worst_case_margin_bits: f64,
}

/// No windows.
const fn one() -> usize {
    1
}

impl LayerCrypto {
    /// How weights are cut.
    pub const fn windows(&self) -> Windows {
        Windows::new(self.p, self.windows)
    }

    /// How keys are switched.
    pub fn switching(&self) -> KeySwitching {
        let digits = |bits| self.q.first().map_or(0, |q| (q.ilog2() + 1).div_ceil(bits));
        match self.digit_bits {
            Some(bits) => KeySwitching::Digits(digits(bits)),
            None => KeySwitching::Special(self.special.len()),
        }
    }
}

impl From<&LayerCrypto> for BfvLiteral {
    fn from(crypto: &LayerCrypto) -> Self {
        Self {
            n: crypto.n,
            p: crypto.p,
            q: crypto.q.clone(),
            special: crypto.special.clone(),
            digit_bits: crypto.digit_bits,
            flooding_log2: crypto.flooding_log2,
            reply_limbs: crypto.reply_limbs,
        }
    }
}
