//! What a selection must know of a plan: its counts with what surrounds it, its ciphertexts, its sums.

use std::cell::OnceCell;

use super::layer_at::{Basis, SentBits};
use super::noise_form::LayerNoise;
use super::prices::{LayerWork, working_set};
use crate::bfv::{HeOp, OpCounts, reply_bytes, seeded_ciphertext_bytes};
use crate::network::Origin;
use crate::packing::{KeyReads, LinearShape, OutputSum, PackingError, Plan, Windows};
use crate::units::Bytes;

/// A plan in numbers, over whole weights.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) n: usize,
    pub(super) schedule: &'static str,
    /// Ciphertexts from client to server.
    pub(super) inputs: u64,
    /// Ciphertexts from server to client.
    pub(super) outputs: u64,
    /// Operations of both parties, online; without the server's share, which may be zero.
    counts: OpCounts,
    /// How the server takes its share in.
    share: Share,
    /// Encoded plaintexts.
    weights: u64,
    /// Ciphertexts held at once besides the inputs.
    working: u64,
    /// How rotations read their keys, once that was counted.
    keys: OnceCell<KeyReads>,
    sums: Vec<OutputSum>,
}

/// How the server takes its share of the operand in.
#[derive(Debug, Clone, Copy)]
enum Share {
    /// To the inputs, where it has one.
    Added,
    /// As the factors of a square.
    Multiplied,
}

/// How well the keys that a plan reads are known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys<'a> {
    /// Not at all: they are taken as none, for a price that the plan does not fall below.
    Unknown,
    /// Counted in the plan for this layer.
    Of(&'a LinearShape),
}

/// What surrounds a plan, but for how the server takes its share in.
fn around(inputs: u64, outputs: u64) -> OpCounts {
    let around = [
        (HeOp::EncryptSecret, inputs),
        (HeOp::Expand, inputs),
        (HeOp::Rerandomize, outputs),
        (HeOp::ModSwitch, outputs),
        (HeOp::Decrypt, outputs),
    ];
    around.into_iter().collect()
}

impl Packed {
    /// Every plan for a layer at this `n`.
    pub(super) fn all(shape: &LinearShape, n: usize) -> Result<Vec<Self>, PackingError> {
        let plans = Plan::candidates(shape, n)?;
        Ok(plans.into_iter().map(|plan| Self::new(plan, n)).collect())
    }

    fn new(plan: Plan, n: usize) -> Self {
        let (inputs, outputs) = (
            plan.input_ciphertexts() as u64,
            plan.output_ciphertexts() as u64,
        );
        let share = match plan {
            Plan::Square(_) => Share::Multiplied,
            _ => Share::Added,
        };
        Self {
            n,
            schedule: plan.schedule_name(),
            inputs,
            outputs,
            counts: plan.counts() + around(inputs, outputs),
            share,
            weights: plan.weight_count() as u64,
            working: plan.working_ciphertexts() as u64,
            keys: OnceCell::new(),
            sums: plan.output_sums(),
        }
    }

    /// The least that any plan at this `n` does: one ciphertext in, one product, one ciphertext out.
    pub(super) fn least(n: usize) -> Self {
        let around = around(1, 1);
        Self {
            n,
            schedule: "",
            inputs: 1,
            outputs: 1,
            counts: around + std::iter::once((HeOp::Hadamard, 1)).collect(),
            share: Share::Added,
            weights: 1,
            working: 1,
            keys: OnceCell::new(),
            sums: vec![OutputSum {
                products: 1,
                ..OutputSum::default()
            }],
        }
    }

    /// Ciphertexts from client to server and back.
    pub(super) const fn ciphertexts(&self, windows: Windows) -> (u64, u64) {
        (self.inputs * windows.count() as u64, self.outputs)
    }

    /// The layer's error where weights are cut so.
    pub(super) fn noise(&self, windows: Windows) -> LayerNoise {
        LayerNoise::of_sums(self.n, &self.sums, windows)
    }

    /// How many products, counted as where they all add up in one coefficient, the greatest sum has.
    pub(super) fn greatest_sum(&self) -> f64 {
        let terms = |sum: &OutputSum| sum.products as f64 * 4_f64.powi(sum.folds.cast_signed());
        self.sums.iter().map(terms).fold(0.0, f64::max)
    }

    /// The keys that the plan reads. Planning is repeated for it, once.
    fn keys(&self, keys: Keys<'_>) -> KeyReads {
        let count = |shape| {
            let plan = Plan::named(self.schedule, shape, self.n);
            plan.map_or_else(|_| KeyReads::default(), |plan| plan.key_reads())
        };
        match keys {
            Keys::Unknown => KeyReads::default(),
            Keys::Of(shape) => *self.keys.get_or_init(|| count(shape)),
        }
    }

    /// The layer's work with moduli of so many bits.
    pub(super) fn work(
        &self,
        windows: Windows,
        (basis, bits): (Basis, SentBits),
        (operand, keys): (Origin, Keys<'_>),
    ) -> LayerWork {
        let (polynomial, count) = (
            Bytes(8 * self.n as u64 * basis.limbs as u64),
            windows.count() as u64,
        );
        let mut counts = self.counts;
        match (self.share, operand) {
            (Share::Added, Origin::Input) => {}
            (Share::Added, Origin::Computed) => counts[HeOp::AddPlain] += self.inputs,
            (Share::Multiplied, _) => counts[HeOp::Encode] += self.weights,
        }
        let ring = (self.n, basis.limbs, basis.switching);
        LayerWork {
            n: self.n,
            limbs: basis.limbs,
            switching: basis.switching,
            counts: windows.counts(counts),
            weights: polynomial * self.weights * count,
            ciphertexts: working_set(ring, (self.inputs + self.working) * count, &counts),
            keys: self.keys(keys),
            to_server: seeded_ciphertext_bytes(self.n, bits.q) * self.inputs * count,
            to_client: reply_bytes(self.n, bits.kept) * self.outputs,
        }
    }
}
