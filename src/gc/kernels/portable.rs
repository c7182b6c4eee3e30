//! The kernels in plain Rust over the `aes` crate, which itself picks the best AES it finds.
//!
//! In and out as in `kernels`. This is the oracle of the other variants, and what runs without AVX-512. Each
//! AND is done for the whole row at once: all blocks of its hashes (128 garbled, 64 evaluated) go to the
//! cipher in one call, since that is what lets it keep its units busy; before and after come plain loops over
//! neighbouring blocks, which the compiler turns into vector instructions.

use aes::Aes128Enc;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use bytemuck::{must_cast, must_cast_slice_mut};

use super::super::hash::GarblingHash;
use super::super::labels::mask;
use super::super::program::{And, Step};
use super::{Bytes64, LANES, Quad, Row, Square, Work};

/// The expanded key, and the key as a number. Boxed: it is much larger than the other variants' keys.
pub(in crate::gc) type Key = Box<(Aes128Enc, u128)>;

pub(super) fn key(key: &[u8; 16]) -> Key {
    Box::new((Aes128Enc::new(&(*key).into()), u128::from_le_bytes(*key)))
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

/// Blocks on their way through the hash: `H = inner ⊕ outer`.
struct Hashes {
    inner: [u128; 4 * LANES],
    outer: [u128; 4 * LANES],
}

impl Hashes {
    const fn new() -> Self {
        Self {
            inner: [0; 4 * LANES],
            outer: [0; 4 * LANES],
        }
    }

    /// Hashes the first `count` blocks of `inner`; the tweaks repeat as often as they fit in.
    fn run(&mut self, key: &Key, hash: GarblingHash, count: usize, tweaks: &[u64]) {
        let (inner, outer) = (&mut self.inner[..count], &mut self.outer[..count]);
        match hash {
            GarblingHash::Tmmo => {
                encrypt(&key.0, inner);
                tweaked(outer, inner, tweaks);
                encrypt(&key.0, outer);
            }
            GarblingHash::Rekeyed => {
                outer.copy_from_slice(inner);
                for (first, &j) in tweaks.iter().enumerate() {
                    let fresh = Aes128Enc::new(&(key.1 ^ u128::from(j)).to_le_bytes().into());
                    let blocks = outer[first..].iter_mut().step_by(tweaks.len());
                    blocks.for_each(|block| encrypt(&fresh, std::slice::from_mut(block)));
                }
            }
            GarblingHash::FixedKeyAsInPapers => {
                for (to, &x) in outer.iter_mut().zip(&*inner) {
                    *to = (x << 1) ^ (mask(x >> 127) & 0x87);
                }
                tweaked(inner, outer, tweaks);
                outer.copy_from_slice(inner);
                encrypt(&key.0, outer);
            }
        }
    }

    /// The hashes of four neighbouring blocks.
    fn at(&self, first: usize) -> [u128; 4] {
        let (inner, outer) = (&self.inner[first..][..4], &self.outer[first..][..4]);
        std::array::from_fn(|k| inner[k] ^ outer[k])
    }
}

/// `to = x ⊕ j`.
fn tweaked(to: &mut [u128], x: &[u128], j: &[u64]) {
    for (to, x) in to.chunks_exact_mut(j.len()).zip(x.chunks_exact(j.len())) {
        for ((to, x), &j) in to.iter_mut().zip(x).zip(j) {
            *to = x ^ u128::from(j);
        }
    }
}

/// π of every block, in one call.
fn encrypt(key: &Aes128Enc, blocks: &mut [u128]) {
    for block in &mut *blocks {
        *block = block.to_le();
    }
    let bytes: &mut [[u8; 16]] = must_cast_slice_mut(blocks);
    key.encrypt_blocks(Array::cast_slice_from_core_mut(bytes));
    for block in blocks {
        *block = u128::from_le(*block);
    }
}

/// Hashes of an AND, for all lanes.
struct Gate<'a> {
    key: &'a Key,
    hash: GarblingHash,
    quads: usize,
    /// The inputs' labels, one row after the other.
    x: [u128; 2 * LANES],
    tweaks: [u64; 2 * LANES],
    hashes: Hashes,
}

impl<'a> Gate<'a> {
    const fn new(key: &'a Key, work: &Work<'_>) -> Self {
        Self {
            key,
            hash: work.hash,
            quads: work.quads,
            x: [0; 2 * LANES],
            tweaks: [0; 2 * LANES],
            hashes: Hashes::new(),
        }
    }

    /// Hashes the inputs' labels, and where a shift is given these with the shift, at the tweaks `2i` and
    /// `2i + 1` from `position` on. A negated input is shifted first.
    fn run(&mut self, rows: &[Row], and: &And, position: usize, shift: Option<u128>) {
        let n = 4 * self.quads;
        let slots = [and.x, and.y].into_iter().zip(and.negated);
        for (to, (slots, negated)) in self.x.chunks_exact_mut(n).zip(slots) {
            let shift = mask(u128::from(negated)) & shift.unwrap_or(0);
            let [x, y] = slots.map(|slot| &rows[slot as usize]);
            for ((to, x), y) in to.as_chunks_mut().0.iter_mut().zip(x).zip(y) {
                *to = std::array::from_fn::<_, 4, _>(|k| x.0[k] ^ y.0[k] ^ shift);
            }
        }
        let (even, odd) = self.tweaks.split_at_mut(n);
        for (i, (even, odd)) in (position as u64..).zip(even.iter_mut().zip(odd)) {
            (*even, *odd) = (2 * i, 2 * i + 1);
        }
        let (x, (plain, shifted)) = (&self.x[..2 * n], self.hashes.inner.split_at_mut(2 * n));
        plain.copy_from_slice(x);
        let mut count = 2 * n;
        if let Some(shift) = shift {
            shifted
                .iter_mut()
                .zip(x)
                .for_each(|(to, x)| *to = x ^ shift);
            count *= 2;
        }
        self.hashes
            .run(self.key, self.hash, count, &self.tweaks[..2 * n]);
    }

    /// `N` rows of a quad's hashes.
    fn hashes<const N: usize>(&self, quad: usize) -> [[u128; 4]; N] {
        std::array::from_fn(|row| self.hashes.at(4 * (row * self.quads + quad)))
    }

    /// A quad of the inputs.
    fn inputs(&self, quad: usize) -> [[u128; 4]; 2] {
        [quad, self.quads + quad].map(|quad| std::array::from_fn(|k| self.x[4 * quad + k]))
    }
}

pub(super) fn garble(key: &Key, work: Work<'_>, delta: u128, tables: &mut [Bytes64]) {
    let mut gate = Gate::new(key, &work);
    let mut tables = tables.chunks_exact_mut(2 * work.quads);
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(work.rows, *terms, *to, work.quads),
            Step::And(and) => {
                let Some(tables) = tables.next() else { return };
                let (t_g, t_e) = tables.split_at_mut(work.quads);
                gate.run(work.rows, and, position, Some(delta));
                for quad in 0..work.quads {
                    let [a, b] = gate.inputs(quad);
                    let [h_a, h_b, h_a1, h_b1] = gate.hashes(quad);
                    let (mut g, mut e) = ([0; 4], [0; 4]);
                    let mut out = work.rows[and.add as usize][quad].0;
                    for k in 0..4 {
                        g[k] = h_a[k] ^ h_a1[k] ^ (mask(b[k]) & delta);
                        let difference = h_b[k] ^ h_b1[k];
                        e[k] = difference ^ a[k];
                        let w_g = h_a[k] ^ (mask(a[k]) & g[k]);
                        let w_e = h_b[k] ^ (mask(b[k]) & difference);
                        out[k] ^= w_g ^ w_e;
                    }
                    t_g[quad] = must_cast(g.map(u128::to_le));
                    t_e[quad] = must_cast(e.map(u128::to_le));
                    work.rows[and.to as usize][quad].0 = out;
                }
                position += work.lanes;
            }
        }
    }
}

pub(super) fn evaluate(key: &Key, work: Work<'_>, tables: &[Bytes64]) {
    let mut gate = Gate::new(key, &work);
    let mut tables = tables.chunks_exact(2 * work.quads);
    let mut position = work.first;
    for step in work.steps {
        match step {
            Step::Xor { terms, to } => xor(work.rows, *terms, *to, work.quads),
            Step::And(and) => {
                let Some(tables) = tables.next() else { return };
                gate.run(work.rows, and, position, None);
                for quad in 0..work.quads {
                    let [a, b] = gate.inputs(quad);
                    let [h_a, h_b] = gate.hashes(quad);
                    let [g, e] = [tables[quad], tables[work.quads + quad]]
                        .map(|row| must_cast::<_, [u128; 4]>(row).map(u128::from_le));
                    let mut out = work.rows[and.add as usize][quad].0;
                    for k in 0..4 {
                        let w_g = h_a[k] ^ (mask(a[k]) & g[k]);
                        let w_e = h_b[k] ^ (mask(b[k]) & (e[k] ^ a[k]));
                        out[k] ^= w_g ^ w_e;
                    }
                    work.rows[and.to as usize][quad].0 = out;
                }
                position += work.lanes;
            }
        }
    }
}

fn xor(rows: &mut [Row], terms: [u32; 4], to: u32, quads: usize) {
    for quad in 0..quads {
        rows[to as usize][quad].0 = sum(rows, terms, quad);
    }
}

/// One quad of a sum of rows.
fn sum(rows: &[Row], terms: [u32; 4], quad: usize) -> [u128; 4] {
    let [x, y, z, w] = terms.map(|slot| &rows[slot as usize][quad].0);
    std::array::from_fn(|k| x[k] ^ y[k] ^ z[k] ^ w[k])
}

pub(super) fn hash(key: &Key, first: u64, blocks: &mut [Quad]) {
    let mut hashes = Hashes::new();
    let mut start = first;
    for quads in blocks.chunks_mut(LANES) {
        let count = 4 * quads.len();
        let tweaks: [u64; 4 * LANES] = std::array::from_fn(|i| start.wrapping_add(i as u64));
        for (to, quad) in hashes.inner.chunks_exact_mut(4).zip(&*quads) {
            to.copy_from_slice(&quad.0);
        }
        hashes.run(key, GarblingHash::Tmmo, count, &tweaks[..count]);
        for (i, quad) in quads.iter_mut().enumerate() {
            quad.0 = hashes.at(4 * i);
        }
        start = start.wrapping_add(count as u64);
    }
}

pub(super) fn counter(key: &Key, iv: u128, start: u64, out: &mut [Quad]) {
    let mut blocks = [0; 4 * LANES];
    let mut start = start;
    for quads in out.chunks_mut(LANES) {
        let blocks = &mut blocks[..4 * quads.len()];
        for (i, block) in (0_u64..).zip(&mut *blocks) {
            *block = iv ^ u128::from(start.wrapping_add(i));
        }
        encrypt(&key.0, blocks);
        for (quad, blocks) in quads.iter_mut().zip(blocks.as_chunks().0) {
            quad.0 = *blocks;
        }
        start = start.wrapping_add(4 * LANES as u64);
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
