//! Half gates over the `aes` crate.
//!
//! In and out as in `kernels`, equations as in `garble` and `evaluate`. Each AND is done for the whole row at once:
//! all blocks of its hashes (128 garbled, 64 evaluated) go to the cipher in one call, since that is what lets
//! it keep its units busy; before and after come plain loops over neighbouring quads.

use aes::cipher::BlockCipherEncrypt;
use bytemuck::must_cast;

use super::super::super::hash::GarblingHash;
use super::super::super::program::{And, Step};
use super::super::{Bytes64, QUADS, Row, Work};
use super::{Closure, Four, Hashes, Job, Key, and, blocks, counted, four, masks, sum};

/// Hashes of an AND, for all lanes.
struct Gate {
    hash: (GarblingHash, u128),
    quads: usize,
    /// The shift between the two labels of a wire, where both are hashed.
    shift: Option<Four>,
    /// `2i` for all lanes, then `2i + 1`.
    tweaks: [Four; 2 * QUADS],
    hashes: Hashes,
}

impl Gate {
    fn new(key: &Key, work: &Work<'_>, shift: Option<Four>) -> Self {
        Self {
            hash: (work.hash, key.number),
            quads: work.quads,
            shift,
            tweaks: [[0; 8]; 2 * QUADS],
            hashes: Hashes::new(),
        }
    }

    /// Hashes the inputs' labels, and where there is a shift these with the shift, at the tweaks `2i` and
    /// `2i + 1` from `position` on.
    #[inline(always)]
    fn run(&mut self, pi: &impl Fn(&mut [Four]), rows: &[Row], and: &And, position: usize) {
        let n = self.quads;
        let mut count = 2 * n;
        for quad in 0..n {
            let inputs = self.inputs(rows, and, quad);
            for (row, input) in inputs.into_iter().enumerate() {
                self.hashes.inner[row * n + quad] = input;
            }
        }
        if let Some(shift) = self.shift {
            let (plain, shifted) = self.hashes.inner.split_at_mut(count);
            for (to, x) in shifted.iter_mut().zip(plain) {
                *to = sum(*x, shift);
            }
            count *= 2;
        }
        for quad in 0..n {
            let first = 2 * (position + 4 * quad) as u64;
            self.tweaks[quad] = counted(first, 2);
            self.tweaks[n + quad] = counted(first + 1, 2);
        }
        let tweaks = &self.tweaks[..2 * n];
        self.hashes.run(pi, self.hash, count, tweaks);
    }

    /// A quad of the inputs; where there is a shift a negated one is shifted.
    #[inline(always)]
    fn inputs(&self, rows: &[Row], and: &And, quad: usize) -> [Four; 2] {
        let input = |[x, y]: [u32; 2], negated| {
            let x = sum(at(rows, x, quad), at(rows, y, quad));
            match self.shift {
                Some(shift) if negated => sum(x, shift),
                _ => x,
            }
        };
        [input(and.x, and.negated[0]), input(and.y, and.negated[1])]
    }

    /// `N` rows of a quad's hashes.
    #[inline(always)]
    fn hashes<const N: usize>(&self, quad: usize) -> [Four; N] {
        let mut hashes = [[0; 8]; N];
        for (row, hash) in hashes.iter_mut().enumerate() {
            *hash = self.hashes.at(row * self.quads + quad);
        }
        hashes
    }
}

/// Garbling, in the names of `garble`.
struct Garbling<'a> {
    gate: Gate,
    work: Work<'a>,
    delta: Four,
    tables: &'a mut [Bytes64],
}

impl Job for Garbling<'_> {
    #[inline(always)]
    fn run(mut self, pi: &impl Fn(&mut [Four])) {
        let (rows, quads) = (self.work.rows, self.work.quads);
        let mut tables = self.tables.chunks_exact_mut(2 * quads);
        let mut position = self.work.first;
        for step in self.work.steps {
            match step {
                Step::Xor { terms, to } => xor(rows, *terms, *to, quads),
                Step::And(and) => {
                    let Some(tables) = tables.next() else { return };
                    let (t_g, t_e) = tables.split_at_mut(quads);
                    self.gate.run(pi, rows, and, position);
                    for quad in 0..quads {
                        let [a, b] = self.gate.inputs(rows, and, quad);
                        let h = self.gate.hashes(quad);
                        let (g, e, w) = garbled([a, b], h, self.delta);
                        let add = at(rows, and.add, quad);
                        rows[and.to as usize][quad].0 = blocks(sum(w, add));
                        t_g[quad] = bytes(g);
                        t_e[quad] = bytes(e);
                    }
                    position += self.work.lanes;
                }
            }
        }
    }
}

/// `T_G`, `T_E` and the zero label out.
#[inline(always)]
fn garbled(
    [a, b]: [Four; 2],
    [h_a, h_b, h_a1, h_b1]: [Four; 4],
    delta: Four,
) -> (Four, Four, Four) {
    let (p_a, p_b) = (masks(a), masks(b));
    let g = sum(sum(h_a, h_a1), and(p_b, delta));
    let difference = sum(h_b, h_b1);
    let w_g = sum(h_a, and(p_a, g));
    let w_e = sum(h_b, and(p_b, difference));
    (g, sum(difference, a), sum(w_g, w_e))
}

pub(in super::super) fn garble(key: &Key, work: Work<'_>, delta: u128, tables: &mut [Bytes64]) {
    let delta = four([delta; 4]);
    let gate = Gate::new(key, &work, Some(delta));
    key.expanded.encrypt_with_backend(Closure(Garbling {
        gate,
        work,
        delta,
        tables,
    }));
}

/// Evaluating, in the names of `evaluate`.
struct Evaluating<'a> {
    gate: Gate,
    work: Work<'a>,
    tables: &'a [Bytes64],
}

impl Job for Evaluating<'_> {
    #[inline(always)]
    fn run(mut self, pi: &impl Fn(&mut [Four])) {
        let (rows, quads) = (self.work.rows, self.work.quads);
        let mut tables = self.tables.chunks_exact(2 * quads);
        let mut position = self.work.first;
        for step in self.work.steps {
            match step {
                Step::Xor { terms, to } => xor(rows, *terms, *to, quads),
                Step::And(and) => {
                    let Some(tables) = tables.next() else { return };
                    self.gate.run(pi, rows, and, position);
                    for quad in 0..quads {
                        let inputs = self.gate.inputs(rows, and, quad);
                        let table = [of_bytes(tables[quad]), of_bytes(tables[quads + quad])];
                        let w = evaluated(inputs, self.gate.hashes(quad), table);
                        let add = at(rows, and.add, quad);
                        rows[and.to as usize][quad].0 = blocks(sum(w, add));
                    }
                    position += self.work.lanes;
                }
            }
        }
    }
}

/// The active label out.
#[inline(always)]
fn evaluated([a, b]: [Four; 2], [h_a, h_b]: [Four; 2], [g, e]: [Four; 2]) -> Four {
    let w_g = sum(h_a, and(masks(a), g));
    let w_e = sum(h_b, and(masks(b), sum(e, a)));
    sum(w_g, w_e)
}

pub(in super::super) fn evaluate(key: &Key, work: Work<'_>, tables: &[Bytes64]) {
    let gate = Gate::new(key, &work, None);
    let job = Closure(Evaluating { gate, work, tables });
    key.expanded.encrypt_with_backend(job);
}

#[inline(always)]
fn xor(rows: &mut [Row], terms: [u32; 4], to: u32, quads: usize) {
    for quad in 0..quads {
        rows[to as usize][quad].0 = blocks(sum_of(rows, terms, quad));
    }
}

/// One quad of a sum of rows.
#[inline(always)]
fn sum_of(rows: &[Row], [x, y, z, w]: [u32; 4], quad: usize) -> Four {
    let (x, y) = (at(rows, x, quad), at(rows, y, quad));
    sum(sum(x, y), sum(at(rows, z, quad), at(rows, w, quad)))
}

#[inline(always)]
fn at(rows: &[Row], slot: u32, quad: usize) -> Four {
    four(rows[slot as usize][quad].0)
}

#[inline(always)]
fn bytes(mut four: Four) -> Bytes64 {
    four.iter_mut().for_each(|word| *word = word.to_le());
    must_cast(four)
}

#[inline(always)]
fn of_bytes(bytes: Bytes64) -> Four {
    let mut four: Four = must_cast(bytes);
    four.iter_mut().for_each(|word| *word = u64::from_le(*word));
    four
}
