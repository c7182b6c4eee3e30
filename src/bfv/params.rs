//! Parameters of the scheme: an open literal in, a sealed and checked value with all constants out.
//!
//! `R_q = Z_q[x]/(xⁿ+1)` with q = Πq_i, plaintexts modulo p with n slots, special primes with product
//! P or digits for key switching (`key_switch`), secrets ternary, errors discrete Gaussian. Every
//! prime is 1 modulo 2n.
//!
//! A [`BfvParams`] exists only after a security verdict on log2(q·P), unless it comes from
//! [`BfvParams::insecure`], which says so. It is cheap to clone, and every key and ciphertext holds
//! one. Its fingerprint binds all numbers above and the transforms' roots of unity; objects are
//! combined, and bytes are read, only under equal fingerprints.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::BfvError;
use super::key_switch::KeySwitch;
use super::ops::Rotation;
use crate::ring::{Modulus, NttPlan, RnsBasis, Rounding, position};
use crate::security::{self, Requirement, Verdict};

/// What the parameters are made from; unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BfvLiteral {
    /// Ring degree, and number of slots.
    pub n: usize,
    /// Plaintext modulus.
    pub p: u64,
    /// Primes of the ciphertext modulus; a reply keeps the first of them.
    pub q: Vec<u64>,
    /// Special primes of key switching, at most one a limb; none if it takes digits.
    pub special: Vec<u64>,
    /// Width in bits of the digits of key switching without special primes.
    #[serde(default)]
    pub digit_bits: Option<u32>,
    /// The noise that floods a reply is uniform in ±2^this; none if absent.
    pub flooding_log2: Option<u32>,
    /// Limbs of a reply.
    pub reply_limbs: usize,
}

/// Checked parameters.
#[derive(Clone)]
pub struct BfvParams(Arc<Inner>);

struct Inner {
    literal: BfvLiteral,
    verdict: Option<Verdict>,
    key_switch: KeySwitch,
    levels: Vec<Level>,
    plaintext: Arc<NttPlan>,
    /// Position in the transformed plaintext polynomial of every slot.
    positions: Vec<u32>,
    /// Slot of every position.
    slots_at: Vec<u32>,
    fingerprint: u64,
}

/// The modulus q' of the first limbs of q, and what lies between it and p.
pub(super) struct Level {
    pub(super) basis: RnsBasis,
    pub(super) rounding: Rounding,
}

impl Level {
    fn new(basis: RnsBasis, p: Modulus) -> Self {
        let rounding = Rounding::new(&basis, p);
        Self { basis, rounding }
    }
}

impl BfvParams {
    /// The parameters of `literal`, if the security table allows log2(q·P) at this degree.
    ///
    /// # Errors
    /// [`BfvError::Security`], or the first other rule that is broken.
    pub fn new(literal: &BfvLiteral, requirement: &Requirement) -> Result<Self, BfvError> {
        let mut inner = Inner::new(literal)?;
        let total_bits = inner.key_switch.basis().log2();
        inner.verdict = Some(security::check(requirement, literal.n, total_bits)?);
        Ok(Self(Arc::new(inner)))
    }

    /// The parameters of `literal` without any look at a security table: for tests, and for
    /// repeating papers whose parameters are below today's levels.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn insecure(literal: &BfvLiteral) -> Result<Self, BfvError> {
        Ok(Self(Arc::new(Inner::new(literal)?)))
    }

    /// What the parameters were made from.
    pub fn literal(&self) -> &BfvLiteral {
        &self.0.literal
    }

    /// What the security table said; nothing for insecure parameters.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.0.verdict.as_ref()
    }

    /// n.
    pub fn degree(&self) -> usize {
        self.0.literal.n
    }

    /// p.
    pub fn plaintext_modulus(&self) -> u64 {
        self.0.literal.p
    }

    /// Number of limbs of q.
    pub fn limbs(&self) -> usize {
        self.0.literal.q.len()
    }

    /// The basis of q.
    pub fn basis(&self) -> &RnsBasis {
        &self.level(self.limbs()).basis
    }

    /// The basis of q·P, the special primes last.
    pub fn key_basis(&self) -> &RnsBasis {
        self.0.key_switch.basis()
    }

    /// Digits of a polynomial in a key switch, which are also the pairs of a Galois key.
    pub fn key_digits(&self) -> usize {
        self.0.key_switch.digits()
    }

    pub(super) fn key_switch(&self) -> &KeySwitch {
        &self.0.key_switch
    }

    /// Eight bytes of a hash of everything that two parties must have in common.
    pub fn fingerprint(&self) -> u64 {
        self.0.fingerprint
    }

    /// The Galois element g of a rotation: the automorphism x → x^g carries it out.
    ///
    /// # Errors
    /// [`BfvError::Rotation`] if the step is not below n/2.
    pub fn galois_element(&self, rotation: Rotation) -> Result<usize, BfvError> {
        let (two_n, columns) = (2 * self.degree(), self.degree() / 2);
        if rotation.step >= columns {
            return Err(BfvError::Rotation { rotation, columns });
        }
        let g = (0..rotation.step).fold(1, |g, _| g * GENERATOR % two_n);
        Ok(if rotation.swap { two_n - g } else { g })
    }

    /// Refuses an object of other parameters.
    pub(super) fn same(&self, other: &Self) -> Result<(), BfvError> {
        if self.fingerprint() == other.fingerprint() {
            Ok(())
        } else {
            Err(BfvError::ParamsMismatch)
        }
    }

    /// Constants of the modulus of the first `limbs` limbs, `1..=L`.
    #[expect(
        clippy::indexing_slicing,
        reason = "limbs is 1..=L by the checks on the literal"
    )]
    pub(super) fn level(&self, limbs: usize) -> &Level {
        &self.0.levels[limbs - 1]
    }

    pub(super) fn plaintext_plan(&self) -> &NttPlan {
        &self.0.plaintext
    }

    pub(super) fn positions(&self) -> &[u32] {
        &self.0.positions
    }

    pub(super) fn slots_at(&self) -> &[u32] {
        &self.0.slots_at
    }
}

impl std::fmt::Debug for BfvParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BfvParams")
            .field("literal", &self.0.literal)
            .field("verdict", &self.0.verdict)
            .finish_non_exhaustive()
    }
}

/// 3 generates the automorphisms that keep the rows; −1 exchanges them.
const GENERATOR: usize = 3;

impl Inner {
    fn new(literal: &BfvLiteral) -> Result<Self, BfvError> {
        let (n, limbs) = (literal.n, literal.q.len());
        let plaintext = NttPlan::plaintext(n, literal.p).map_err(BfvError::Plaintext)?;
        let key_switch = KeySwitch::new(literal)?;
        let basis = key_switch.basis().prefix(limbs);
        if key_switch.basis().moduli().any(|q| q.value() == literal.p) {
            return Err(BfvError::SharedPrime(literal.p));
        }
        check_sizes(literal, &basis)?;
        let p = plaintext.modulus();
        let positions = slot_positions(n);
        let levels = (1..=limbs)
            .map(|l| Level::new(basis.prefix(l), p))
            .collect();
        Ok(Self {
            verdict: None,
            levels,
            slots_at: inverse(&positions),
            positions,
            fingerprint: fingerprint(literal, key_switch.basis(), &plaintext),
            key_switch,
            plaintext,
            literal: literal.clone(),
        })
    }
}

/// The rules on how wide the moduli are to each other.
fn check_sizes(literal: &BfvLiteral, basis: &RnsBasis) -> Result<(), BfvError> {
    let (reply_limbs, limbs) = (literal.reply_limbs, basis.limbs());
    if !(1..=limbs).contains(&reply_limbs) {
        return Err(BfvError::ReplyLimbs { reply_limbs, limbs });
    }
    let p_bits = (literal.p as f64).log2();
    let reply_bits = basis.prefix(reply_limbs).log2();
    if reply_bits <= p_bits + 1.0 {
        return Err(BfvError::NoRoom { reply_bits, p_bits });
    }
    let room = basis.log2() - p_bits - 1.0;
    match literal.flooding_log2 {
        Some(flooding_log2) if f64::from(flooding_log2) >= room => Err(BfvError::Flooding {
            flooding_log2,
            room,
        }),
        _ => Ok(()),
    }
}

/// Slot (row, column) is the value at ψ^(3^column), in the second row at ψ^(−3^column).
fn slot_positions(n: usize) -> Vec<u32> {
    let powers = std::iter::successors(Some(1), |e| Some(e * GENERATOR % (2 * n)));
    let first: Vec<usize> = powers.take(n / 2).collect();
    let second = first.iter().map(|e| 2 * n - e);
    first
        .iter()
        .copied()
        .chain(second)
        .map(|e| position(n, e) as u32)
        .collect()
}

/// The permutation that undoes `permutation`.
fn inverse(permutation: &[u32]) -> Vec<u32> {
    let mut pairs: Vec<(u32, u32)> = permutation.iter().copied().zip(0..).collect();
    pairs.sort_unstable();
    pairs.into_iter().map(|(_, from)| from).collect()
}

fn fingerprint(literal: &BfvLiteral, key_basis: &RnsBasis, plaintext: &NttPlan) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let mut word = |x: u64| {
        hasher.update(&x.to_le_bytes());
    };
    for x in [literal.n, literal.q.len(), literal.reply_limbs] {
        word(x as u64);
    }
    word(literal.flooding_log2.map_or(0, |log2| u64::from(log2) + 1));
    word(literal.digit_bits.map_or(0, |bits| u64::from(bits) + 1));
    word(literal.p);
    word(plaintext.root());
    for plan in key_basis.plans() {
        word(plan.modulus().value());
        word(plan.root());
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
