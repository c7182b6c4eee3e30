//! The kernels in plain Rust over the `aes` crate, which itself picks the best AES it finds.
//!
//! In and out as in `kernels`. This is the oracle of the other variants.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroize;

use super::super::labels::mask;
use super::{And, Gate, LANES, QUADS, Quad, Row, Square, Table};

/// The expanded key. Boxed: it is much larger than the other variants' keys.
pub(in crate::gc) type Key = Box<Aes128>;

pub(super) fn key(key: &[u8; 16]) -> Key {
    Box::new(Aes128::new(&(*key).into()))
}

pub(super) fn xor(rows: &mut [Row], gates: &[Gate]) {
    for &Gate { x, y, to } in gates {
        let (mut sum, y) = (rows[x], rows[y]);
        for (sum, y) in sum.iter_mut().zip(y) {
            sum.0 = std::array::from_fn(|k| sum.0[k] ^ y.0[k]);
        }
        rows[to] = sum;
    }
}

/// Replaces each block x by `H(x, j)`; `tweaks[i]` is j of block i.
fn tmmo<const N: usize>(key: &Aes128, x: &mut [u128; N], tweaks: [u128; N]) {
    let mut blocks = x.map(|x| aes::Block::from(x.to_le_bytes()));
    key.encrypt_blocks(&mut blocks);
    for ((x, block), tweak) in x.iter_mut().zip(&mut blocks).zip(tweaks) {
        *x = u128::from_le_bytes((*block).into());
        *block = (*x ^ tweak).to_le_bytes().into();
    }
    key.encrypt_blocks(&mut blocks);
    for (x, block) in x.iter_mut().zip(&mut blocks) {
        *x ^= u128::from_le_bytes((*block).into());
        block.0.zeroize();
    }
}

pub(super) fn garble_and(
    key: &Aes128,
    rows: &mut [Row],
    And { gate, first }: And,
    delta: u128,
    tables: &mut [Table; LANES],
) {
    let Gate { x, y, to } = gate;
    for q in 0..QUADS {
        let (a, b) = (rows[x][q].0, rows[y][q].0);
        let mut h: [u128; 16] = std::array::from_fn(|i| match i / 4 {
            0 => a[i % 4],
            1 => a[i % 4] ^ delta,
            2 => b[i % 4],
            _ => b[i % 4] ^ delta,
        });
        let tweaks = std::array::from_fn(|i| tweak(first, 4 * q + i % 4) + i as u128 / 8);
        tmmo(key, &mut h, tweaks);
        for k in 0..4 {
            let (a, b) = (a[k], b[k]);
            let t_g = h[k] ^ h[4 + k] ^ (mask(b) & delta);
            let t_e = h[8 + k] ^ h[12 + k] ^ a;
            let w_g = h[k] ^ (mask(a) & t_g);
            let w_e = h[8 + k] ^ (mask(b) & (t_e ^ a));
            tables[4 * q + k] = [t_g, t_e];
            rows[to][q].0[k] = w_g ^ w_e;
        }
        h.zeroize();
    }
}

pub(super) fn evaluate_and(
    key: &Aes128,
    rows: &mut [Row],
    And { gate, first }: And,
    tables: &[Table; LANES],
) {
    let Gate { x, y, to } = gate;
    for q in 0..QUADS {
        let (a, b) = (rows[x][q].0, rows[y][q].0);
        let mut h: [u128; 8] = std::array::from_fn(|i| if i < 4 { a[i] } else { b[i - 4] });
        let tweaks = std::array::from_fn(|i| tweak(first, 4 * q + i % 4) + i as u128 / 4);
        tmmo(key, &mut h, tweaks);
        for k in 0..4 {
            let [t_g, t_e] = tables[4 * q + k];
            let w_g = h[k] ^ (mask(a[k]) & t_g);
            let w_e = h[4 + k] ^ (mask(b[k]) & (t_e ^ a[k]));
            rows[to][q].0[k] = w_g ^ w_e;
        }
        h.zeroize();
    }
}

fn tweak(first: usize, lane: usize) -> u128 {
    2 * (first + lane) as u128
}

pub(super) fn hash(key: &Aes128, first: u64, blocks: &mut [Quad]) {
    for (i, quad) in (0_u64..).zip(blocks) {
        let start = first.wrapping_add(4 * i);
        let tweaks = std::array::from_fn(|k| u128::from(start.wrapping_add(k as u64)));
        tmmo(key, &mut quad.0, tweaks);
    }
}

pub(super) fn counter(key: &Aes128, iv: u128, start: u64, out: &mut [Quad]) {
    for (i, quad) in (0_u64..).zip(out) {
        let mut blocks: [aes::Block; 4] = std::array::from_fn(|k| {
            let place = start.wrapping_add(4 * i).wrapping_add(k as u64);
            (iv ^ u128::from(place)).to_le_bytes().into()
        });
        key.encrypt_blocks(&mut blocks);
        quad.0 = blocks.map(|block| u128::from_le_bytes(block.into()));
    }
}

/// Halves, quarters, … (Warren, *Hacker's Delight*, 7-3).
pub(super) fn transpose(square: &mut Square) {
    let (mut size, mut low) = (64, u128::from(u64::MAX));
    while size > 0 {
        for k in (0..square.len()).filter(|k| k & size == 0) {
            for s in 0..4 {
                let exchanged = ((square[k].0[s] >> size) ^ square[k + size].0[s]) & low;
                square[k + size].0[s] ^= exchanged;
                square[k].0[s] ^= exchanged << size;
            }
        }
        size /= 2;
        low ^= low << size;
    }
}
