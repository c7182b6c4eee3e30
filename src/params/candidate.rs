//! One candidate of a layer: a ring degree and a number of limbs, tried until it works or is refused.
//!
//! For given (n, L) the narrowest limbs are sought at which the reply decrypts (the noise hardly depends
//! on q, the room does); with each width the narrowest special prime, at least as wide as the limbs, that
//! keeps key switching quiet enough. Narrow moduli are safest and send least, unless a bit more lets the
//! reply keep one limb less: so wider ones are offered too. What is found is held against the security table.

use serde::{Deserialize, Serialize};

use super::chain::{Chain, MAX_LIMB_BITS, MIN_LIMB_BITS, PrimePool};
use super::noise_form::LayerNoise;
use super::prices::LayerWork;
use super::reply::{Moduli, Reply, ReplyGoal, log2_product};
use crate::bfv::HeOp;
use crate::packing::Plan;
use crate::security::{Requirement, SecurityError, Verdict, check};
use crate::units::{Bytes, Nanos};

/// Seed of the second half of a fresh ciphertext, in bytes.
const SEED_BYTES: u64 = 32;

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CandidateVerdict {
    /// It is used.
    Chosen,
    /// It works, but costs more than the chosen one, by this much.
    Dearer(Nanos),
    /// Its modulus is too large for the security asked for, by this many bits.
    SecurityShort(f64),
    /// Its widest modulus leaves too little room for the noise, by this many bits.
    NoiseShort(f64),
    /// There are not enough primes.
    NoPrimes,
    /// The layer cannot be packed at this ring degree.
    NoPlan,
}

/// A candidate that was tried for a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Ring degree n.
    pub n: usize,
    /// Limbs of q.
    pub limbs: usize,
    /// log2 of q times the special primes, of what was found or came nearest; 0 if nothing did.
    pub total_bits: f64,
    /// What became of it.
    pub verdict: CandidateVerdict,
}

/// Moduli that satisfy noise and security.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fit {
    pub(super) chain: Chain,
    pub(super) reply: Reply,
    pub(super) total_bits: f64,
    pub(super) security: Verdict,
}

impl Fit {
    /// The work of one layer: the plan's, and what surrounds it.
    pub(super) fn work(&self, plan: &Plan) -> LayerWork {
        let (inputs, outputs) = (
            plan.input_ciphertexts() as u64,
            plan.output_ciphertexts() as u64,
        );
        let around = [
            (HeOp::EncryptSecret, inputs),
            (HeOp::Expand, inputs),
            (HeOp::AddPlain, inputs),
            (HeOp::Rerandomize, outputs),
            (HeOp::ModSwitch, outputs),
            (HeOp::Decrypt, outputs),
        ];
        let n = self.security.n;
        let polynomial = |limbs: &[u64]| {
            let width: u64 = limbs.iter().map(|q| u64::from(q.ilog2() + 1)).sum();
            Bytes::of_bits(n as u64 * width)
        };
        let (q, special) = (&self.chain.q, &self.chain.special);
        let fresh = polynomial(q) + Bytes(SEED_BYTES);
        let reply = polynomial(&q[..self.reply.limbs]) * 2;
        LayerWork {
            n,
            limbs: q.len(),
            special: special.len(),
            counts: plan.counts() + around.into_iter().collect(),
            bytes: fresh * inputs + reply * outputs,
        }
    }
}

/// One layer at one (n, p), as the search sees it.
#[derive(Debug)]
pub(super) struct LayerAt<'a> {
    pub(super) n: usize,
    pub(super) p: u64,
    pub(super) noise: &'a LayerNoise,
    pub(super) goal: &'a ReplyGoal,
    pub(super) requirement: &'a Requirement,
}

impl LayerAt<'_> {
    /// The moduli of `limbs` limbs that work, from the narrowest to the first whose reply keeps a single
    /// limb (wider ones only cost more); or what refused the candidate that came nearest.
    pub(super) fn fits(&self, pool: &PrimePool, limbs: usize) -> Result<Vec<Fit>, Candidate> {
        let mut found: Vec<Fit> = Vec::new();
        let (total_bits, verdict) = (0.0, CandidateVerdict::NoPrimes);
        let mut nearest = Candidate {
            n: self.n,
            limbs,
            total_bits,
            verdict,
        };
        for bits in MIN_LIMB_BITS..=MAX_LIMB_BITS {
            if found.last().is_some_and(|fit| fit.reply.limbs == 1) {
                break;
            }
            let Some((chain, reply)) = self.quietest_enough(pool, limbs, bits) else {
                continue;
            };
            let total_bits = log2_product(&chain.q) + log2_product(&chain.special);
            let verdict = if reply.margin_bits < 0.0 {
                CandidateVerdict::NoiseShort(-reply.margin_bits)
            } else {
                match check(self.requirement, self.n, total_bits) {
                    Ok(security) => {
                        found.push(Fit {
                            chain,
                            reply,
                            total_bits,
                            security,
                        });
                        continue;
                    }
                    Err(error) => CandidateVerdict::SecurityShort(shortfall(&error)),
                }
            };
            if distance(verdict) < distance(nearest.verdict) {
                nearest = Candidate {
                    total_bits,
                    verdict,
                    ..nearest
                };
            }
        }
        if found.is_empty() {
            Err(nearest)
        } else {
            Ok(found)
        }
    }

    /// `limbs` limbs of `bits` bits with the narrowest special prime that lets the reply decrypt, or with
    /// the widest if none does.
    fn quietest_enough(&self, pool: &PrimePool, limbs: usize, bits: u32) -> Option<(Chain, Reply)> {
        let at = |special_bits| {
            let chain = pool.chain((self.n, self.p), limbs, (bits, special_bits))?;
            let moduli = Moduli {
                n: self.n,
                p: self.p,
                q: &chain.q,
                special: &chain.special,
            };
            let reply = self.goal.best_reply(&moduli, self.noise);
            Some((chain, reply))
        };
        let widest = at(MAX_LIMB_BITS);
        if widest
            .as_ref()
            .is_some_and(|(_, reply)| reply.margin_bits < 0.0)
        {
            return widest;
        }
        (bits..MAX_LIMB_BITS)
            .filter_map(at)
            .find(|(_, reply)| reply.margin_bits >= 0.0)
            .or(widest)
    }
}

/// Bits by which a modulus is too large; all of them where the table does not say.
const fn shortfall(error: &SecurityError) -> f64 {
    match error {
        SecurityError::TooManyBits { short_bits, .. } => *short_bits,
        SecurityError::NotInTable { .. } => f64::INFINITY,
    }
}

/// Order of refusals: security short by little, by much, noise short by little, by much, nothing.
pub(super) fn distance(verdict: CandidateVerdict) -> (u8, f64) {
    match verdict {
        CandidateVerdict::Chosen | CandidateVerdict::Dearer(_) => (0, 0.0),
        CandidateVerdict::SecurityShort(bits) => (1, bits),
        CandidateVerdict::NoiseShort(bits) => (2, bits),
        CandidateVerdict::NoPrimes => (3, 0.0),
        CandidateVerdict::NoPlan => (4, 0.0),
    }
}
