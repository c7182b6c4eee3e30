//! The kernels in plain Rust over the `aes` crate, which itself picks the best AES it finds.
//!
//! In and out as in `kernels`. This is the oracle of the other variants, and what runs without AVX-512. All of a
//! call is one closure of the cipher's ([`Job`]): the compiler makes it once for each AES that the crate knows,
//! with that one's registers for the loops around the AES too.

use std::mem::ManuallyDrop;

use aes::Aes128Enc;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
};
use bytemuck::{must_cast, must_cast_slice_mut};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::super::hash::GarblingHash;
use super::super::labels::mask;
use super::{QUADS, Quad, Row, Square};

mod half_gates;

pub(super) use half_gates::{evaluate, garble};

/// The expanded key, and the key as a number. Boxed: it is much larger than the other variants' keys.
pub(in crate::gc) type Key = Box<Keys>;

/// Wiped on drop; the expanded key wipes itself.
pub(in crate::gc) struct Keys {
    expanded: Aes128Enc,
    number: u128,
}

impl ZeroizeOnDrop for Keys {}

impl Drop for Keys {
    fn drop(&mut self) {
        self.number.zeroize();
    }
}

pub(super) fn key(key: &[u8; 16]) -> Key {
    Box::new(Keys {
        expanded: Aes128Enc::new(&(*key).into()),
        number: u128::from_le_bytes(*key),
    })
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

/// A [`Quad`] in words, which the compiler gathers in registers of any width: low half and high half of each block.
type Four = [u64; 8];

// Loops throughout: the compiler keeps `map` over arrays as a call, and what that stores in parts waits to be loaded whole.
#[inline(always)]
fn four(mut blocks: [u128; 4]) -> Four {
    if cfg!(target_endian = "big") {
        blocks
            .iter_mut()
            .for_each(|block| *block = block.rotate_left(64));
    }
    must_cast(blocks)
}

#[inline(always)]
fn blocks(four: Four) -> [u128; 4] {
    let mut blocks: [u128; 4] = must_cast(four);
    if cfg!(target_endian = "big") {
        blocks
            .iter_mut()
            .for_each(|block| *block = block.rotate_left(64));
    }
    blocks
}

#[inline(always)]
fn sum(mut x: Four, y: Four) -> Four {
    x.iter_mut().zip(y).for_each(|(x, y)| *x ^= y);
    x
}

#[inline(always)]
fn and(mut x: Four, y: Four) -> Four {
    x.iter_mut().zip(y).for_each(|(x, y)| *x &= y);
    x
}

/// All ones in every block whose lowest bit is set, else zeros.
#[inline(always)]
fn masks(mut x: Four) -> Four {
    for block in x.as_chunks_mut::<2>().0 {
        *block = [(block[0] & 1).wrapping_neg(); 2];
    }
    x
}

/// 2x in GF(2^128).
#[inline(always)]
fn doubled(mut x: Four) -> Four {
    for block in x.as_chunks_mut::<2>().0 {
        let [low, high] = *block;
        *block = [
            (low << 1) ^ ((high >> 63) * 0x87),
            (high << 1) | (low >> 63),
        ];
    }
    x
}

/// Work under one key.
trait Job {
    /// `pi` replaces blocks x by π(x).
    fn run(self, pi: &impl Fn(&mut [Four]));
}

/// A job as the cipher wants it. Everything below it is to be inlined, for the sake of its instructions.
struct Closure<J>(J);

impl<J> BlockSizeUser for Closure<J> {
    type BlockSize = U16;
}

impl<J: Job> BlockCipherEncClosure for Closure<J> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        self.0.run(&|quads: &mut [Four]| {
            if cfg!(target_endian = "big") {
                quads
                    .as_flattened_mut()
                    .iter_mut()
                    .for_each(|word| *word = word.to_le());
            }
            let bytes: &mut [[u8; 16]] = must_cast_slice_mut(quads);
            let blocks = Array::cast_slice_from_core_mut(bytes);
            let (many, rest) = Array::slice_as_chunks_mut(blocks);
            for blocks in many {
                backend.encrypt_par_blocks_inplace(blocks);
            }
            backend.encrypt_tail_blocks_inplace(rest);
            if cfg!(target_endian = "big") {
                quads
                    .as_flattened_mut()
                    .iter_mut()
                    .for_each(|word| *word = word.to_le());
            }
        });
    }
}

/// Blocks on their way through the hash: `H = inner ⊕ outer`. Wiped on drop.
#[repr(align(64))]
struct Hashes {
    inner: [Four; 4 * QUADS],
    outer: [Four; 4 * QUADS],
}

impl Drop for Hashes {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl Hashes {
    fn new() -> Self {
        let [inner, outer] = [[[0; 8]; 4 * QUADS]; 2];
        Self { inner, outer }
    }

    /// Hashes the first `count` quads of `inner`; the tweaks repeat as often as they fit in.
    #[inline(always)]
    fn run(
        &mut self,
        pi: &impl Fn(&mut [Four]),
        (hash, key): (GarblingHash, u128),
        count: usize,
        tweaks: &[Four],
    ) {
        let (inner, outer) = (&mut self.inner[..count], &mut self.outer[..count]);
        match hash {
            GarblingHash::Tmmo => {
                pi(inner);
                tweaked(outer, inner, tweaks);
                pi(outer);
            }
            GarblingHash::Rekeyed => {
                outer.copy_from_slice(inner);
                encrypt_rekeyed(key, outer, tweaks);
            }
            GarblingHash::FixedKeyAsInPapers => {
                inner.iter_mut().for_each(|x| *x = doubled(*x));
                tweaked(outer, inner, tweaks);
                inner.copy_from_slice(outer);
                pi(outer);
            }
        }
    }

    #[inline(always)]
    fn at(&self, quad: usize) -> Four {
        sum(self.inner[quad], self.outer[quad])
    }
}

/// `to = x ⊕ j`.
#[inline(always)]
fn tweaked(to: &mut [Four], x: &[Four], j: &[Four]) {
    for (to, x) in to.chunks_exact_mut(j.len()).zip(x.chunks_exact(j.len())) {
        for ((to, x), j) in to.iter_mut().zip(x).zip(j) {
            *to = sum(*x, *j);
        }
    }
}

/// `AES_{s ⊕ j}(x)`: one key for each tweak and the blocks at its place in all repetitions.
#[inline(always)]
fn encrypt_rekeyed(key: u128, x: &mut [Four], j: &[Four]) {
    let n = j.len();
    for (quad, tweaks) in j.iter().enumerate() {
        for (k, tweak) in blocks(*tweaks).into_iter().enumerate() {
            // Public, as are its parts: wiping it would take longer than using it.
            let fresh = Aes128Enc::new(&(key ^ tweak).to_le_bytes().into());
            let fresh = ManuallyDrop::new(fresh);
            for x in x[quad..].iter_mut().step_by(n) {
                let mut all = blocks(*x);
                let mut block = all[k].to_le_bytes().into();
                fresh.encrypt_block(&mut block);
                all[k] = u128::from_le_bytes(block.into());
                *x = four(all);
            }
        }
    }
}

/// `H(block, first + i)` of every block.
struct Hashing<'a> {
    hashes: Hashes,
    first: u64,
    blocks: &'a mut [Quad],
}

impl Job for Hashing<'_> {
    #[inline(always)]
    fn run(mut self, pi: &impl Fn(&mut [Four])) {
        let mut start = self.first;
        for quads in self.blocks.chunks_mut(4 * QUADS) {
            let mut tweaks = [[0; 8]; 4 * QUADS];
            count_up(&mut tweaks, start);
            let count = quads.len();
            for (to, quad) in self.hashes.inner.iter_mut().zip(&*quads) {
                *to = four(quad.0);
            }
            let hash = (GarblingHash::Tmmo, 0);
            self.hashes.run(pi, hash, count, &tweaks[..count]);
            for (i, quad) in quads.iter_mut().enumerate() {
                quad.0 = blocks(self.hashes.at(i));
            }
            start = start.wrapping_add(4 * count as u64);
        }
    }
}

/// The blocks `first`, `first + step`, ….
#[inline(always)]
fn counted(first: u64, step: u64) -> Four {
    let at = |k: u64| first.wrapping_add(k * step);
    [at(0), 0, at(1), 0, at(2), 0, at(3), 0]
}

/// Block i becomes `start + i`.
#[inline(always)]
fn count_up(quads: &mut [Four], start: u64) {
    for (i, quad) in (0..).zip(quads) {
        *quad = counted(start.wrapping_add(4 * i), 1);
    }
}

pub(super) fn hash(key: &Key, first: u64, blocks: &mut [Quad]) {
    let hashes = Hashes::new();
    key.expanded.encrypt_with_backend(Closure(Hashing {
        hashes,
        first,
        blocks,
    }));
}

/// The stream `π(iv ⊕ i)`.
struct Counting<'a> {
    iv: u128,
    start: u64,
    out: &'a mut [Quad],
}

impl Job for Counting<'_> {
    #[inline(always)]
    fn run(self, pi: &impl Fn(&mut [Four])) {
        let mut start = self.start;
        let mut stream = Zeroizing::new([[0; 8]; 4 * QUADS]);
        let iv = four([self.iv; 4]);
        for quads in self.out.chunks_mut(stream.len()) {
            let stream = &mut stream[..quads.len()];
            count_up(stream, start);
            stream.iter_mut().for_each(|i| *i = sum(*i, iv));
            pi(stream);
            for (quad, made) in quads.iter_mut().zip(&*stream) {
                quad.0 = blocks(*made);
            }
            start = start.wrapping_add(4 * quads.len() as u64);
        }
    }
}

pub(super) fn counter(key: &Key, iv: u128, start: u64, out: &mut [Quad]) {
    let job = Closure(Counting { iv, start, out });
    key.expanded.encrypt_with_backend(job);
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
