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
//! B a bound on all of them that fails with probability 2^−(flooding bits + 1). Each coefficient is then within
//! 2^−(flooding bits + 1)/N of a distribution that knows nothing of the weights (shift of a uniform
//! distribution), and a layer's whole reply, with the failure of B, within 2^−(flooding bits).
//!
//! A [`Reply`] is what is asked here of moduli whose log2 are given: of nominal widths while searching, of
//! the primes themselves in the end.

use super::failure::{log2_tail, split, tail_quantile, union};
use super::noise::{fresh_public, modulus_switched, switch_rounding, worst};

/// What a reply must satisfy, whatever the moduli.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ReplyGoal {
    /// Coefficients that the client decrypts.
    coefficients: u64,
    flooding_bits: u32,
    /// Standard deviations to the end of the room.
    deviations: f64,
    /// Standard deviations of the layer's error that flooding covers.
    flooded_deviations: f64,
}

/// A reply: ring degree, log2 of p, of q′ and of q/q′, and the layer's error under q.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reply {
    pub(super) n: usize,
    pub(super) p_log2: f64,
    pub(super) kept_log2: f64,
    /// 0 where nothing is dropped.
    pub(super) dropped_log2: f64,
    /// Greatest variance of the layer's error.
    pub(super) variance: f64,
}

impl ReplyGoal {
    pub(super) fn new(coefficients: u64, failure_log2: f64, flooding_bits: u32) -> Self {
        Self {
            coefficients,
            flooding_bits,
            deviations: tail_quantile(split(failure_log2, coefficients)),
            flooded_deviations: tail_quantile(split(-f64::from(flooding_bits) - 1.0, coefficients)),
        }
    }

    /// f for this variance of the layer's error, or nothing where no flooding is asked for.
    pub(super) fn flooding_log2(&self, layer_variance: f64) -> Option<u32> {
        let bound = self.flooded_deviations * layer_variance.sqrt();
        let widening = (bound * self.coefficients as f64).log2().ceil().max(0.0);
        (self.flooding_bits > 0).then(|| self.flooding_bits + widening as u32)
    }

    /// log2 of the room over what is needed: negative if the reply fails too often.
    pub(super) fn margin_bits(&self, reply: &Reply, flooding_log2: Option<u32>) -> f64 {
        let spread = self.deviations * reply.gaussian().sqrt();
        reply.room_log2() - (reply.flooding(flooding_log2) + spread).log2()
    }

    /// log2 of the probability that any coefficient fails.
    pub(super) fn failure_log2(&self, reply: &Reply, flooding_log2: Option<u32>) -> f64 {
        let room = reply.room_log2().exp2() - reply.flooding(flooding_log2);
        union(log2_tail(room / reply.gaussian().sqrt()), self.coefficients)
    }

    /// log2 of the least q that this error leaves room in, its reply not switched.
    pub(super) fn least_q_log2(&self, n: usize, p_log2: f64, variance: f64) -> f64 {
        let flooding = flooding(self.flooding_log2(variance));
        let spread = self.deviations * (variance + fresh_public(n)).sqrt();
        p_log2 + 1.0 + (flooding + spread).log2()
    }

    /// log2 of the least q′ that a switched reply may have, whatever its error.
    pub(super) fn least_kept_log2(&self, n: usize, p_log2: f64) -> f64 {
        p_log2 + 1.0 + (self.deviations * switch_rounding(n).sqrt()).log2()
    }
}

fn flooding(flooding_log2: Option<u32>) -> f64 {
    flooding_log2.map_or(0.0, |f| f64::from(f).exp2())
}

impl Reply {
    /// log2 of q′/(2p).
    fn room_log2(&self) -> f64 {
        self.kept_log2 - 1.0 - self.p_log2
    }

    /// What flooding takes of the room.
    fn flooding(&self, flooding_log2: Option<u32>) -> f64 {
        (-self.dropped_log2).exp2() * flooding(flooding_log2)
    }

    /// Variance of the Gaussian part.
    fn gaussian(&self) -> f64 {
        let gaussian = self.variance + fresh_public(self.n);
        if self.dropped_log2 > 0.0 {
            modulus_switched(self.n, gaussian, (-self.dropped_log2).exp2())
        } else {
            gaussian
        }
    }

    /// log2 of the room over the worst case, given that of the layer's error.
    pub(super) fn worst_margin_bits(&self, layer_worst: f64, flooding_log2: Option<u32>) -> f64 {
        let switched = if self.dropped_log2 > 0.0 {
            worst::switch_rounding(self.n)
        } else {
            0.0
        };
        let before = layer_worst + worst::fresh_public(self.n);
        let error = (-self.dropped_log2).exp2() * before + self.flooding(flooding_log2) + switched;
        self.room_log2() - error.log2()
    }
}

/// log2 of the product of `moduli`.
pub(super) fn log2_product(moduli: &[u64]) -> f64 {
    moduli.iter().map(|&modulus| (modulus as f64).log2()).sum()
}
