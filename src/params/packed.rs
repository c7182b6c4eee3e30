//! What a selection must know of a plan: its counts with what surrounds it, its ciphertexts, its sums.

use super::layer_at::Basis;
use super::noise_form::LayerNoise;
use super::prices::LayerWork;
use crate::bfv::{HeOp, OpCounts};
use crate::packing::{LinearShape, OutputSum, PackingError, Plan};
use crate::units::Bytes;

/// Seed of the second half of a fresh ciphertext, in bytes.
const SEED_BYTES: u64 = 32;

/// A plan in numbers.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) n: usize,
    pub(super) schedule: &'static str,
    /// Ciphertexts from client to server.
    pub(super) inputs: u64,
    /// Ciphertexts from server to client.
    pub(super) outputs: u64,
    /// Operations of both parties, online.
    counts: OpCounts,
    /// Encoded plaintexts.
    weights: u64,
    sums: Sums,
}

#[derive(Debug)]
enum Sums {
    Closed(Vec<OutputSum>),
    /// A plan that has to be run to be known.
    Tracked(Box<Plan>),
}

/// What surrounds a plan whose server takes its share in by these sums or products.
fn around(inputs: u64, outputs: u64, share: (HeOp, u64)) -> OpCounts {
    let around = [
        (HeOp::EncryptSecret, inputs),
        (HeOp::Expand, inputs),
        share,
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
            Plan::Square(_) => (HeOp::Encode, outputs),
            _ => (HeOp::AddPlain, inputs),
        };
        Self {
            n,
            schedule: plan.schedule_name(),
            inputs,
            outputs,
            counts: plan.counts() + around(inputs, outputs, share),
            weights: plan.weight_count() as u64,
            sums: match plan.output_sums() {
                Some(sums) => Sums::Closed(sums),
                None => Sums::Tracked(Box::new(plan)),
            },
        }
    }

    /// The least that any plan at this `n` does: one ciphertext in, one product, one ciphertext out.
    pub(super) fn least(n: usize) -> Self {
        let around = around(1, 1, (HeOp::AddPlain, 0));
        Self {
            n,
            schedule: "",
            inputs: 1,
            outputs: 1,
            counts: around + std::iter::once((HeOp::Hadamard, 1)).collect(),
            weights: 1,
            sums: Sums::Closed(vec![OutputSum {
                products: 1,
                ..OutputSum::default()
            }]),
        }
    }

    /// The layer's error where weights are encoded modulo `p`.
    pub(super) fn noise(&self, p: u64) -> LayerNoise {
        match &self.sums {
            Sums::Closed(sums) => LayerNoise::of_sums(self.n, sums, p),
            Sums::Tracked(plan) => LayerNoise::tracked(plan, p),
        }
    }

    /// The layer's work with moduli of weight W: bits of ciphertexts both ways over n.
    pub(super) fn work(&self, basis: Basis, weight: u64) -> LayerWork {
        let n = self.n as u64;
        LayerWork {
            n: self.n,
            limbs: basis.limbs,
            switching: basis.switching,
            counts: self.counts,
            streams: Bytes(8 * n * basis.limbs as u64 * self.weights),
            bytes: Bytes::of_bits(n * weight) + Bytes(SEED_BYTES) * self.inputs,
        }
    }
}
