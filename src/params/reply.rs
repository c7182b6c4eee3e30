//! Whether a reply decrypts: flooding, modulus switch and failure of one layer at one (n, p, q, P).
//!
//! The reply is L(Enc(x)) plus a fresh public-key encryption of −r whose error is flooded, switched from q
//! to q′ (the first limbs of q). Its error, before rounding to m, is
//!
//! e′ = (q′/q)·(G + U) + R, with G Gaussian (layer and public-key encryption), U uniform in ±2^f (flooding),
//! R the rounding of the switch; it decrypts if and only if |e′| < q′/(2p).
//!
//! U is bounded, so it is taken off the room whole and the Gaussian tail is asked for the rest:
//! P(|e′| ≥ q′/2p) ≤ P(|(q′/q)·G + R| ≥ q′/2p − (q′/q)·2^f). That is an upper bound.
//!
//! Flooding hides the layer's error: f = flooding bits + ⌈log2 (N·B)⌉, N the coefficients of the reply,
//! B a bound on all of them that fails with probability 2^−(flooding bits). Each coefficient is then within
//! 2^−(flooding bits + 1)/N of a distribution that knows nothing of the weights (shift of a uniform
//! distribution), and a layer's whole reply within 2^−(flooding bits + 1).

use super::failure::{log2_tail, split, tail_quantile, union};
use super::noise::{fresh_public, fresh_secret, key_switch, modulus_switched, plaintext_added};
use super::noise_form::{LayerNoise, NoiseSources};
use crate::bfv::digit_ranges;

/// What a reply must satisfy, whatever the moduli.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ReplyGoal {
    /// Coefficients that the client decrypts.
    coefficients: u64,
    /// log2 of the failure probability allowed for all of them.
    failure_log2: f64,
    flooding_bits: u32,
    /// Standard deviations to the end of the room.
    deviations: f64,
    /// Standard deviations of the layer's error that flooding covers.
    flooded_deviations: f64,
}

/// Plaintext and ciphertext moduli of a candidate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moduli<'a> {
    pub(super) n: usize,
    pub(super) p: u64,
    pub(super) q: &'a [u64],
    pub(super) special: &'a [u64],
}

/// How a reply does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reply {
    pub(super) limbs: usize,
    pub(super) flooding_log2: Option<u32>,
    /// log2 of the probability that any coefficient fails.
    pub(super) failure_log2: f64,
    /// log2 of the room over what is needed: negative if the reply fails too often.
    pub(super) margin_bits: f64,
}

impl ReplyGoal {
    pub(super) fn new(coefficients: u64, failure_log2: f64, flooding_bits: u32) -> Self {
        Self {
            coefficients,
            failure_log2,
            flooding_bits,
            deviations: tail_quantile(split(failure_log2, coefficients)),
            flooded_deviations: tail_quantile(split(-f64::from(flooding_bits), coefficients)),
        }
    }

    /// The reply with the fewest limbs that meets the goal; if none does, the one that comes nearest.
    pub(super) fn best_reply(&self, moduli: &Moduli<'_>, noise: &LayerNoise) -> Reply {
        let (n, q) = (moduli.n, moduli.q);
        let layer = noise
            .variance(&NoiseSources {
                input: fresh_secret() + plaintext_added(),
                key_switch: key_switch(n, &digit_ranges(q, moduli.special, None), moduli.special),
            })
            .peak;
        let flooding_log2 = self.flooding_log2(layer);
        let gaussian = layer + fresh_public(n);
        let mut best: Option<Reply> = None;
        for limbs in 1..=q.len() {
            let reply = self.reply(moduli, limbs, gaussian, flooding_log2);
            if reply.failure_log2 <= self.failure_log2 && reply.margin_bits >= 0.0 {
                return reply;
            }
            if best.is_none_or(|best| reply.margin_bits > best.margin_bits) {
                best = Some(reply);
            }
        }
        best.unwrap_or(Reply {
            limbs: 0,
            flooding_log2,
            failure_log2: 0.0,
            margin_bits: f64::NEG_INFINITY,
        })
    }

    /// f, or nothing where no flooding is asked for.
    fn flooding_log2(&self, layer_variance: f64) -> Option<u32> {
        let bound = self.flooded_deviations * layer_variance.sqrt();
        let widening = (bound * self.coefficients as f64).log2().ceil().max(0.0);
        (self.flooding_bits > 0).then(|| self.flooding_bits + widening as u32)
    }

    fn reply(
        &self,
        moduli: &Moduli<'_>,
        limbs: usize,
        gaussian: f64,
        flooding_log2: Option<u32>,
    ) -> Reply {
        let (kept, dropped) = moduli.q.split_at(limbs);
        let ratio = (-log2_product(dropped)).exp2();
        let variance = if dropped.is_empty() {
            gaussian
        } else {
            modulus_switched(moduli.n, gaussian, ratio)
        };
        let flooding = flooding_log2.map_or(0.0, |f| ratio * f64::from(f).exp2());
        let room = (log2_product(kept) - 1.0 - (moduli.p as f64).log2()).exp2();
        let tail = log2_tail((room - flooding) / variance.sqrt());
        Reply {
            limbs,
            flooding_log2,
            failure_log2: union(tail, self.coefficients),
            margin_bits: room.log2() - (flooding + self.deviations * variance.sqrt()).log2(),
        }
    }
}

/// log2 of the product of `moduli`.
pub(super) fn log2_product(moduli: &[u64]) -> f64 {
    moduli.iter().map(|&modulus| (modulus as f64).log2()).sum()
}
