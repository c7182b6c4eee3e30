//! What each party does with its own share: pools as sums, sums of values, centring, packing of bits.
//!
//! All values are residues in `0..p`. A sum of shares is a share of the sum, so these steps need no
//! message. Values are in channel, row, column order.

use rand::{CryptoRng, RngExt};

use crate::network::{PoolParams, Shape, Step, StepKind};

/// The signed value in (−p/2, p/2] that a residue stands for. Without a branch: of a comparison the compiler makes one, which
/// processors foretell wrongly for every other value.
fn centred(x: u64, p: u64) -> i64 {
    let beyond = (p / 2).wrapping_sub(x).cast_signed() >> (u64::BITS - 1);
    x.wrapping_sub(p & beyond.cast_unsigned()).cast_signed()
}

/// a + b mod p, of residues.
pub(super) fn add(a: u64, b: u64, p: u64) -> u64 {
    let (sum, below) = a.overflowing_sub(p - b);
    sum.wrapping_add(p & u64::from(below).wrapping_neg())
}

/// Uniform residues.
pub(crate) fn drawn<R: CryptoRng>(count: usize, p: u64, rng: &mut R) -> Vec<u64> {
    (0..count).map(|_| rng.random_range(0..p)).collect()
}

/// −r mod p for each residue r.
pub(crate) fn negated(residues: &[u64], p: u64) -> Vec<u64> {
    let of = |&r: &u64| (p - r) & u64::from(r != 0).wrapping_neg();
    residues.iter().map(of).collect()
}

/// The values that one's own shares and the other party's packed ones stand for; `None` if those do not fit.
pub(crate) fn opened(kind: &StepKind, own: &[u64], packed: &[u8], p: u64) -> Option<Vec<i64>> {
    let other = unpack(packed, own.len(), p)?;
    let joined = |(&a, &b): (&u64, &u64)| joined(kind, a, b, p);
    Some(own.iter().zip(&other).map(joined).collect())
}

/// The value of a step's result that two shares stand for: their XOR for a place, else their centred sum.
fn joined(kind: &StepKind, a: u64, b: u64, p: u64) -> i64 {
    match kind {
        StepKind::Argmax => (a ^ b) as i64,
        _ => centred(add(a, b, p), p),
    }
}

/// Indices of the operand values that each result value's window holds, window after window.
pub(super) fn windows(pool: &PoolParams, operand: Shape, result: Shape) -> Vec<usize> {
    let mut indices = Vec::with_capacity(result.len() * pool.kernel[0] * pool.kernel[1]);
    for channel in 0..result.channels {
        for y in 0..result.height {
            for x in 0..result.width {
                for dy in 0..pool.kernel[0] {
                    let row = channel * operand.height + y * pool.stride[0] + dy;
                    let start = row * operand.width + x * pool.stride[1];
                    indices.extend(start..start + pool.kernel[1]);
                }
            }
        }
    }
    indices
}

/// A party's share of the result of a local step; `None` for steps that are not local.
pub(super) fn local(step: &Step, operands: &[&[u64]], p: u64) -> Option<Vec<u64>> {
    match (&step.kind, operands) {
        (StepKind::SumPool(pool), [x]) => {
            Some(local_sums(pool, (step.shape_in, step.shape_out), x, p))
        }
        (StepKind::Flatten, [x]) => Some(x.to_vec()),
        (StepKind::Add(shifts), [x, y]) => {
            let scale = |v: u64, shift: u32| ((u128::from(v) << shift) % u128::from(p)) as u64;
            let [left, right] = *shifts;
            let sum = |(&a, &b)| add(scale(a, left), scale(b, right), p);
            Some(x.iter().zip(y.iter()).map(sum).collect())
        }
        _ => None,
    }
}

/// The sums over a pool's windows.
pub(crate) fn local_sums(
    pool: &PoolParams,
    (operand, result): (Shape, Shape),
    x: &[u64],
    p: u64,
) -> Vec<u64> {
    let window = pool.kernel[0] * pool.kernel[1];
    let indices = windows(pool, operand, result);
    let sum = |window: &[usize]| window.iter().fold(0, |sum, &i| add(sum, x[i], p));
    indices.chunks(window).map(sum).collect()
}

/// A party's operand of a garbled circuit: the share itself, or window after window for a max pool.
pub(super) fn circuit_operand(step: &Step, share: &[u64]) -> Vec<u64> {
    match &step.kind {
        StepKind::MaxPool(pool, _) => windows(pool, step.shape_in, step.shape_out)
            .into_iter()
            .map(|i| share[i])
            .collect(),
        _ => share.to_vec(),
    }
}

/// Residues packed at `bits` bits each, least significant bit first.
pub(crate) fn pack(values: &[u64], bits: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((values.len() * bits as usize).div_ceil(8));
    let (mut held, mut kept) = (0u128, 0);
    for &value in values {
        held |= u128::from(value) << kept;
        kept += bits;
        while kept >= 8 {
            bytes.push(held as u8);
            held >>= 8;
            kept -= 8;
        }
    }
    if kept > 0 {
        bytes.push(held as u8);
    }
    bytes
}

/// What [`pack`] packed: `count` residues below `p`; `None` if the length or a value does not fit.
fn unpack(bytes: &[u8], count: usize, p: u64) -> Option<Vec<u64>> {
    let bits = width(p);
    if bytes.len() != count.checked_mul(bits as usize)?.div_ceil(8) {
        return None;
    }
    let mask = (1u128 << bits) - 1;
    let (mut held, mut kept, mut rest) = (0u128, 0, bytes.iter());
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        while kept < bits {
            held |= u128::from(*rest.next()?) << kept;
            kept += 8;
        }
        values.push((held & mask) as u64);
        held >>= bits;
        kept -= bits;
    }
    values.iter().all(|&value| value < p).then_some(values)
}

/// Bits of the residues modulo p.
pub(super) fn width(p: u64) -> u32 {
    (p - 1).checked_ilog2().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    use super::*;
    use crate::packing::residue;

    #[test]
    fn residues_and_centred_values_are_inverse() {
        for p in [7, 16, 97] {
            for x in -(p as i64 - 1) / 2..=(p as i64 / 2) {
                assert_eq!(centred(residue(x, p), p), x);
            }
        }
    }

    #[test]
    fn windows_of_a_two_by_two_pool() {
        let pool = PoolParams {
            kernel: [2, 2],
            stride: [2, 2],
        };
        let indices = windows(&pool, Shape::new(1, 2, 4), Shape::new(1, 1, 2));
        assert_eq!(indices, [0, 1, 4, 5, 2, 3, 6, 7]);
    }

    /// Bit by bit.
    fn packed_slowly(values: &[u64], bits: u32) -> Vec<u8> {
        let bit = |place: usize| {
            let (value, bit) = (place / bits as usize, place % bits as usize);
            values
                .get(value)
                .map_or(0, |value| (value >> bit & 1) as u8)
        };
        let bytes = (values.len() * bits as usize).div_ceil(8);
        let byte = |at: usize| (0..8).map(|b| bit(8 * at + b) << b).sum();
        (0..bytes).map(byte).collect()
    }

    #[test]
    fn residues_of_any_width_are_added_packed_and_read_back() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for bits in 1..=64 {
            let p = u64::MAX >> (64 - bits);
            for count in [1, 2, 7, 100] {
                let [a, b] = [0, 1].map(|_| drawn(count, p, &mut rng));
                let packed = pack(&a, width(p));
                assert_eq!(packed, packed_slowly(&a, width(p).max(1))[..packed.len()]);
                assert_eq!(unpack(&packed, count, p), Some(a.clone()));
                for ((&a, &b), minus) in a.iter().zip(&b).zip(negated(&a, p)) {
                    let sum = (u128::from(a) + u128::from(b)) % u128::from(p);
                    assert_eq!(u128::from(add(a, b, p)), sum);
                    assert_eq!(add(a, minus, p), 0);
                }
            }
        }
    }

    #[test]
    fn packed_residues_read_back_and_bad_ones_do_not() {
        let values = [0, 1, 96, 50];
        let bytes = pack(&values, width(97));
        assert_eq!(bytes.len(), 4);
        assert_eq!(unpack(&bytes, 4, 97), Some(values.to_vec()));
        assert_eq!(unpack(&bytes, 5, 97), None);
        assert_eq!(unpack(&bytes[..3], 4, 97), None);
        assert_eq!(unpack(&[0xff; 4], 4, 97), None);
    }
}
