//! What each party does with its own share: pools as sums, sums of values, centring, packing of bits.
//!
//! All values are residues in `0..p`. A sum of shares is a share of the sum, so these steps need no
//! message. Values are in channel, row, column order.

use crate::network::{PoolParams, Shape, Step, StepKind};

/// x mod p for a signed x.
pub(super) fn residue(x: i64, p: u64) -> u64 {
    i128::from(x).rem_euclid(i128::from(p)) as u64
}

/// The signed value in (−p/2, p/2] that a residue stands for.
fn centred(x: u64, p: u64) -> i64 {
    if x > p / 2 {
        -((p - x) as i64)
    } else {
        x as i64
    }
}

/// a + b mod p.
pub(super) fn add(a: u64, b: u64, p: u64) -> u64 {
    ((u128::from(a) + u128::from(b)) % u128::from(p)) as u64
}

/// The value of a step's result that two shares stand for: their XOR for a place, else their centred sum.
pub(super) fn joined(kind: &StepKind, a: u64, b: u64, p: u64) -> i64 {
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
            let window = pool.kernel[0] * pool.kernel[1];
            let indices = windows(pool, step.shape_in, step.shape_out);
            let sum = |window: &[usize]| window.iter().fold(0, |sum, &i| add(sum, x[i], p));
            Some(indices.chunks(window).map(sum).collect())
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
pub(super) fn pack(values: &[u64], bits: u32) -> Vec<u8> {
    let mut bytes = vec![0u8; (values.len() * bits as usize).div_ceil(8)];
    for (index, value) in values.iter().enumerate() {
        for bit in 0..bits as usize {
            let place = index * bits as usize + bit;
            bytes[place / 8] |= ((value >> bit & 1) as u8) << (place % 8);
        }
    }
    bytes
}

/// What [`pack`] packed: `count` residues below `p`; `None` if the length or a value does not fit.
pub(super) fn unpack(bytes: &[u8], count: usize, p: u64) -> Option<Vec<u64>> {
    let bits = width(p) as usize;
    let bit = |place: usize| u64::from(bytes[place / 8] >> (place % 8) & 1);
    let value = |index: usize| (0..bits).fold(0, |v, b| v | bit(index * bits + b) << b);
    let fits = bytes.len() == (count * bits).div_ceil(8);
    let values: Vec<u64> = if fits {
        (0..count).map(value).collect()
    } else {
        return None;
    };
    values.iter().all(|&v| v < p).then_some(values)
}

/// Bits of the residues modulo p.
pub(super) fn width(p: u64) -> u32 {
    (p - 1).checked_ilog2().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
