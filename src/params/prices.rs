//! What a layer costs, behind a small trait: selection asks, a calibrated profile answers.
//!
//! [`TransformPrices`] answers without a profile, by counting passes over memory: an NTT of one limb
//! costs n·log2 n units, a product or sum n units, at fixed nanoseconds a unit (one Zen 5 core, limbs of at
//! most 50 bits), and bytes at 1 Gbit/s. Good for ranking rings, not for predicting times.

use crate::bfv::{HeOp, OpCounts};
use crate::units::{Bytes, Nanos};

/// One linear layer's work, online, both parties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerWork {
    /// Ring degree n.
    pub n: usize,
    /// Limbs of q.
    pub limbs: usize,
    /// Special primes.
    pub special: usize,
    /// Operations of both parties.
    pub counts: OpCounts,
    /// Bytes of ciphertexts, both ways.
    pub bytes: Bytes,
}

/// Prices a linear layer's work; the cheapest parameters are chosen.
pub trait Prices {
    /// Time of the layer's work and messages.
    fn layer_cost(&self, work: &LayerWork) -> Nanos;
}

/// Prices from counted transforms, for use without a profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TransformPrices;

/// Nanoseconds of a transform, per n·log2 n.
const TRANSFORM: f64 = 0.067;

/// Nanoseconds of one pass over a limb, per coefficient.
const PASS: f64 = 0.16;

/// Nanoseconds to send a byte.
const BYTE: f64 = 8.0;

impl Prices for TransformPrices {
    fn layer_cost(&self, work: &LayerWork) -> Nanos {
        let n = work.n as f64;
        let computed: f64 = work
            .counts
            .iter()
            .map(|(op, count)| {
                let (transforms, passes) = effort(op, work.limbs as f64, work.special as f64);
                count as f64 * n * (transforms * n.log2() * TRANSFORM + passes * PASS)
            })
            .sum();
        Nanos(computed + work.bytes.0 as f64 * BYTE)
    }
}

/// Transforms of one limb, and passes over one limb, of an operation with l limbs and k special primes.
fn effort(op: HeOp, l: f64, k: f64) -> (f64, f64) {
    let digits = l * (l + k);
    match op {
        HeOp::Add | HeOp::Hadamard | HeOp::MultiplyAccumulate => (0.0, 2.0 * l),
        HeOp::AddPlain => (1.0 + l, 3.0 * l),
        HeOp::Decompose => (digits, digits),
        HeOp::HoistedRotate => (2.0 * (l + k), 2.0 * digits),
        HeOp::Rotate => (digits + 2.0 * (l + k), 3.0 * digits),
        HeOp::Encode => (1.0 + l, l),
        HeOp::Decode => (1.0, 1.0),
        HeOp::EncryptSecret => (1.0 + l, 6.0 * l),
        HeOp::Expand => (l, 4.0 * l),
        HeOp::EncryptPublic | HeOp::Rerandomize => (1.0 + 4.0 * l, 12.0 * l),
        HeOp::Decrypt => (1.0 + 2.0 * l, 4.0 * l),
        HeOp::ModSwitch => (2.0 * l, 2.0 * l),
        HeOp::GaloisKey => (2.0 * digits, 6.0 * digits),
        HeOp::PublicKey => (2.0 * l, 6.0 * l),
        HeOp::LoadKey => (0.0, 4.0 * digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(op: HeOp, n: usize, limbs: usize) -> f64 {
        let counts = [(op, 1)].into_iter().collect();
        let work = LayerWork {
            n,
            limbs,
            special: 1,
            counts,
            bytes: Bytes(0),
        };
        TransformPrices.layer_cost(&work).0
    }

    #[test]
    fn more_is_dearer() {
        for op in HeOp::ALL {
            assert!(one(op, 4096, 2) > 0.0, "{op:?}");
            assert!(one(op, 8192, 2) > one(op, 4096, 2), "{op:?}");
            assert!(one(op, 4096, 3) >= one(op, 4096, 2), "{op:?}");
        }
    }

    #[test]
    fn a_rotation_is_twelve_transforms_at_two_limbs() {
        assert_eq!(effort(HeOp::Rotate, 2.0, 1.0).0, 12.0);
        let (split, turn) = (
            effort(HeOp::Decompose, 2.0, 1.0),
            effort(HeOp::HoistedRotate, 2.0, 1.0),
        );
        assert_eq!(split.0 + turn.0, 12.0);
    }

    #[test]
    fn bytes_have_a_price() {
        let counts = OpCounts::default();
        let work = LayerWork {
            n: 4096,
            limbs: 2,
            special: 1,
            counts,
            bytes: Bytes(100),
        };
        assert_eq!(TransformPrices.layer_cost(&work), Nanos(800.0));
    }
}
