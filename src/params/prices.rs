//! What a layer costs, behind a small trait: selection asks, a calibrated profile answers.
//!
//! [`TransformPrices`] answers without a profile, by counting passes over memory: an NTT of one limb
//! costs n·log2 n units, a product or sum n units, at fixed nanoseconds a unit (one Zen 5 core, limbs of at
//! most 50 bits), and bytes at 1 Gbit/s. Good for ranking rings, not for predicting times.

use super::request::LayerCost;
use super::widths::KeySwitching;
use crate::bfv::{HeOp, OpCounts};
use crate::gc::ShareCircuit;
use crate::packing::KeyReads;
use crate::units::{Bytes, Nanos};

/// One linear layer's work, online, both parties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerWork {
    /// Ring degree n.
    pub n: usize,
    /// Limbs of q.
    pub limbs: usize,
    /// How keys are switched.
    pub switching: KeySwitching,
    /// Operations of both parties.
    pub counts: OpCounts,
    /// Encoded weights, which are read once each.
    pub weights: Bytes,
    /// Ciphertexts that sums go through again and again.
    pub ciphertexts: Bytes,
    /// How rotations read their keys.
    pub keys: KeyReads,
    /// Encrypted inputs, in one message.
    pub to_server: Bytes,
    /// Replies, in one message.
    pub to_client: Bytes,
}

impl LayerWork {
    /// Ciphertexts, both ways.
    pub fn bytes(&self) -> Bytes {
        self.to_server + self.to_client
    }
}

/// Bytes that a layer's sums take ciphertexts from and put them into, in turn, at (n, limbs, key switching): those of
/// `held` ciphertexts, inputs among them, and, where rotations come between sums, the key that one reads and what it writes.
pub fn working_set(
    (n, limbs, switching): (usize, usize, KeySwitching),
    held: u64,
    counts: &OpCounts,
) -> Bytes {
    let pair = Bytes(16 * n as u64);
    let ciphertext = pair * limbs as u64;
    let rotated = match counts[HeOp::Rotate] {
        0 => Bytes(0),
        _ => {
            let digits = limbs * (switching.digits() as usize).max(1);
            ciphertext + pair * (digits * (limbs + switching.special())) as u64
        }
    };
    ciphertext * held + rotated
}

/// Prices a linear layer's work; the cheapest parameters are chosen.
///
/// Must not fall as operations, encoded weights, bytes or keys grow, and more operations of a ring have no price
/// where some of them have none: a search relies on both.
pub trait Prices {
    /// Time of the layer's work and messages; `None` where an operation has no price in that ring.
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos>;

    /// Time and bytes of `count` circuits, offline and online; `None`, as by default, leaves them out of the
    /// choice of p.
    fn circuits_cost(&self, _circuit: &ShareCircuit, _count: u64) -> Option<LayerCost> {
        None
    }
}

impl<P: Prices + ?Sized> Prices for &P {
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
        (**self).layer_cost(work)
    }

    fn circuits_cost(&self, circuit: &ShareCircuit, count: u64) -> Option<LayerCost> {
        (**self).circuits_cost(circuit, count)
    }
}

/// The same prices, circuits left out: to choose, and compare, linear layers alone.
#[derive(Debug, Clone, Copy)]
pub struct LinearAlone<P>(pub P);

impl<P: Prices> Prices for LinearAlone<P> {
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
        self.0.layer_cost(work)
    }
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
    fn layer_cost(&self, work: &LayerWork) -> Option<Nanos> {
        let n = work.n as f64;
        let (limbs, special) = (work.limbs as f64, work.switching.special() as f64);
        let digits = match work.switching {
            KeySwitching::Special(special) => work.limbs.div_ceil(special.max(1)) as f64,
            KeySwitching::Digits(digits) => f64::from(digits) * limbs,
        };
        let ring = Ring {
            limbs,
            special,
            digits,
        };
        let computed: f64 = work
            .counts
            .iter()
            .map(|(op, count)| {
                let (transforms, passes) = effort(op, ring);
                count as f64 * n * (transforms * n.log2() * TRANSFORM + passes * PASS)
            })
            .sum();
        Some(Nanos(computed + work.bytes().0 as f64 * BYTE))
    }
}

/// Limbs, special primes, digits of a key switch.
#[derive(Clone, Copy)]
struct Ring {
    limbs: f64,
    special: f64,
    digits: f64,
}

/// Transforms of one limb, and passes over one limb, of an operation.
fn effort(op: HeOp, ring: Ring) -> (f64, f64) {
    let (l, k) = (ring.limbs, ring.special);
    let digits = ring.digits * (l + k);
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
        TransformPrices
            .layer_cost(&work(n, limbs, counts))
            .unwrap()
            .0
    }

    fn work(n: usize, limbs: usize, counts: OpCounts) -> LayerWork {
        LayerWork {
            n,
            limbs,
            switching: KeySwitching::Special(1),
            counts,
            weights: Bytes(0),
            ciphertexts: Bytes(0),
            keys: KeyReads::default(),
            to_server: Bytes(0),
            to_client: Bytes(0),
        }
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
        let ring = Ring {
            limbs: 2.0,
            special: 1.0,
            digits: 2.0,
        };
        assert_eq!(effort(HeOp::Rotate, ring).0, 12.0);
        let (split, turn) = (
            effort(HeOp::Decompose, ring),
            effort(HeOp::HoistedRotate, ring),
        );
        assert_eq!(split.0 + turn.0, 12.0);
    }

    #[test]
    fn bytes_have_a_price() {
        let work = LayerWork {
            to_server: Bytes(60),
            to_client: Bytes(40),
            ..work(4096, 2, OpCounts::default())
        };
        assert_eq!(TransformPrices.layer_cost(&work), Some(Nanos(800.0)));
    }
}
