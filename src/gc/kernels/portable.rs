//! The kernels in plain Rust over the `aes` crate, which itself picks the best AES it finds.
//!
//! In and out as in `kernels`. This is the oracle of the other variants.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::super::hash::GarblingHash;
use super::super::labels::mask;
use super::super::program::{And, Step};
use super::{Bytes64, Quad, Row, Square, Work};

/// The expanded key, and the key as a number. Boxed: it is much larger than the other variants' keys.
pub(in crate::gc) type Key = Box<(Aes128, u128)>;

pub(super) fn key(key: &[u8; 16]) -> Key {
    Box::new((Aes128::new(&(*key).into()), u128::from_le_bytes(*key)))
}

pub(super) fn choose(zero: &mut Row, bits: u32, delta: u128) {
    for (lane, label) in zero.iter_mut().flat_map(|quad| &mut quad.0).enumerate() {
        *label ^= mask(u128::from(bits >> lane)) & delta;
    }
}

pub(super) fn lowest_bits(row: &Row) -> u32 {
    let labels = row.iter().flat_map(|quad| quad.0).enumerate();
    labels.fold(0, |bits, (lane, label)| bits | ((label & 1) as u32) << lane)
}

/// `H(x, j)` of four blocks for each of `N` tweaks; the tweaks of a quad's lanes are j, j + 2, j + 4, j + 6.
fn hash_gate<const N: usize>(
    key: &Key,
    hash: GarblingHash,
    x: [[u128; 4]; N],
    tweaks: [usize; N],
) -> [[u128; 4]; N] {
    let j = tweaks.map(|first| [0, 2, 4, 6].map(|lane| (first + lane) as u128));
    match hash {
        GarblingHash::Tmmo => tmmo(key, x, j),
        GarblingHash::Rekeyed => std::array::from_fn(|i| {
            std::array::from_fn(|k| {
                let fresh = Aes128::new(&(key.1 ^ j[i][k]).to_le_bytes().into());
                let mut block = aes::Block::from(x[i][k].to_le_bytes());
                fresh.encrypt_block(&mut block);
                u128::from_le_bytes(block.into()) ^ x[i][k]
            })
        }),
        GarblingHash::FixedKeyAsInPapers => {
            let doubled = x.map(|x| x.map(|x| (x << 1) ^ (mask(x >> 127) & 0x87)));
            let inner = sums(doubled, j);
            sums(encrypt(&key.0, inner), inner)
        }
    }
}

/// `π(π(x) ⊕ j) ⊕ π(x)`.
fn tmmo<const N: usize>(key: &Key, x: [[u128; 4]; N], j: [[u128; 4]; N]) -> [[u128; 4]; N] {
    let inner = encrypt(&key.0, x);
    sums(encrypt(&key.0, sums(inner, j)), inner)
}

fn sum(x: [u128; 4], y: [u128; 4]) -> [u128; 4] {
    std::array::from_fn(|k| x[k] ^ y[k])
}

fn sums<const N: usize>(x: [[u128; 4]; N], y: [[u128; 4]; N]) -> [[u128; 4]; N] {
    std::array::from_fn(|i| sum(x[i], y[i]))
}

/// π of every block, in one call: the `aes` crate runs several side by side.
fn encrypt<const N: usize>(key: &Aes128, x: [[u128; 4]; N]) -> [[u128; 4]; N] {
    let mut blocks = x.map(|x| x.map(|x| aes::Block::from(x.to_le_bytes())));
    key.encrypt_blocks(blocks.as_flattened_mut());
    blocks.map(|blocks| blocks.map(|block| u128::from_le_bytes(block.into())))
}

/// The sum of one quad of several rows.
fn sum_rows(rows: &[Row], slots: &[u32], quad: usize) -> [u128; 4] {
    let rows = slots.iter().map(|&slot| rows[slot as usize][quad].0);
    rows.fold([0; 4], sum)
}

pub(super) fn garble(key: &Key, work: Work<'_>, delta: u128, tables: &mut [Bytes64]) {
    let mut tables = tables.chunks_exact_mut(2 * work.quads);
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(work.rows, terms, *to, work.quads),
            Step::And(and) => {
                let Some(tables) = tables.next() else { return };
                let (t_g, t_e) = tables.split_at_mut(work.quads);
                for quad in 0..work.quads {
                    let tweak = 2 * (position + 4 * quad);
                    let x = inputs(work.rows, and, quad, delta);
                    let h = hash_gate(
                        key,
                        work.hash,
                        [x[0], sum(x[0], [delta; 4]), x[1], sum(x[1], [delta; 4])],
                        [tweak, tweak, tweak + 1, tweak + 1],
                    );
                    let mut rows = [[0; 4]; 2];
                    let mut out = sum_rows(work.rows, &[and.add], quad);
                    for k in 0..4 {
                        let (a, b) = (x[0][k], x[1][k]);
                        let t_g = h[0][k] ^ h[1][k] ^ (mask(b) & delta);
                        let t_e = h[2][k] ^ h[3][k] ^ a;
                        let w_g = h[0][k] ^ (mask(a) & t_g);
                        let w_e = h[2][k] ^ (mask(b) & (t_e ^ a));
                        out[k] ^= w_g ^ w_e;
                        (rows[0][k], rows[1][k]) = (t_g, t_e);
                    }
                    let [garblers, evaluators] = rows.map(|row| row.map(u128::to_le));
                    t_g[quad] = bytemuck::must_cast(garblers);
                    t_e[quad] = bytemuck::must_cast(evaluators);
                    work.rows[and.to as usize][quad].0 = out;
                }
                position += work.lanes;
            }
        }
    }
}

pub(super) fn evaluate(key: &Key, work: Work<'_>, tables: &[Bytes64]) {
    let mut tables = tables.chunks_exact(2 * work.quads);
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(work.rows, terms, *to, work.quads),
            Step::And(and) => {
                let Some(tables) = tables.next() else { return };
                for quad in 0..work.quads {
                    let tweak = 2 * (position + 4 * quad);
                    let x = inputs(work.rows, and, quad, 0);
                    let h = hash_gate(key, work.hash, x, [tweak, tweak + 1]);
                    let table = [tables[quad], tables[work.quads + quad]];
                    let [t_g, t_e] = table
                        .map(|row| bytemuck::must_cast::<_, [u128; 4]>(row).map(u128::from_le));
                    let mut out = sum_rows(work.rows, &[and.add], quad);
                    for k in 0..4 {
                        let (a, b) = (x[0][k], x[1][k]);
                        let w_g = h[0][k] ^ (mask(a) & t_g[k]);
                        let w_e = h[1][k] ^ (mask(b) & (t_e[k] ^ a));
                        out[k] ^= w_g ^ w_e;
                    }
                    work.rows[and.to as usize][quad].0 = out;
                }
                position += work.lanes;
            }
        }
    }
}

fn xor(rows: &mut [Row], terms: &[u32; 4], to: u32, quads: usize) {
    for quad in 0..quads {
        rows[to as usize][quad].0 = sum_rows(rows, terms, quad);
    }
}

/// One quad of an AND's inputs; a negated one is shifted by `delta`.
fn inputs(rows: &[Row], and: &And, quad: usize, delta: u128) -> [[u128; 4]; 2] {
    let input = |slots, negated| {
        let shift = mask(u128::from(negated)) & delta;
        sum(sum_rows(rows, slots, quad), [shift; 4])
    };
    [input(&and.x, and.negated[0]), input(&and.y, and.negated[1])]
}

pub(super) fn hash(key: &Key, first: u64, blocks: &mut [Quad]) {
    for (i, quad) in (0_u64..).zip(blocks) {
        let start = first.wrapping_add(4 * i);
        let tweaks = std::array::from_fn(|k| u128::from(start.wrapping_add(k as u64)));
        [quad.0] = tmmo(key, [quad.0], [tweaks]);
    }
}

pub(super) fn counter(key: &Key, iv: u128, start: u64, out: &mut [Quad]) {
    for (i, quad) in (0_u64..).zip(out) {
        let mut blocks: [aes::Block; 4] = std::array::from_fn(|k| {
            let place = start.wrapping_add(4 * i).wrapping_add(k as u64);
            (iv ^ u128::from(place)).to_le_bytes().into()
        });
        key.0.encrypt_blocks(&mut blocks);
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
