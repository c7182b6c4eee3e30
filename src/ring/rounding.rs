//! Between integers modulo p and modulo q = Πq_j, exactly: m to round(q·m/p), and x to round(p·x/q).
//!
//! - Up, with h = ⌊p/2⌋ and t = (q·m + h) mod p: round(q·m/p) = (q·m + h − t)/p, which modulo q_j is
//!   (h − t)/p.
//! - Down, with z = (p·x + ⌊q/2⌋) mod q as an integer: round(p·x/q) = (p·x + ⌊q/2⌋ − z)/q, which modulo p
//!   is (⌊q/2⌋ − z)/q. The integer z is known by its mixed-radix digits d_j (`RnsBasis`):
//!   z = Σ d_j·q_0⋯q_(j−1), and d_j = (…(z_j − d_0)/q_0 − … − d_(j−1))/q_(j−1) mod q_j.
//!
//! Only integers are computed with, so that there is no error to bound. Every product has a constant
//! factor w, and is taken by Shoup's quotient: w·x − ⌊x·⌊w·2^b/q⌋/2^b⌋·q lies in 0 … 2q − 1 for all
//! x < 2^b. Where every q_j and p are narrow (`Modulus::NARROW_BITS`), b = 52 serves, the width of the vector
//! multiplier (the largest x is below q_i + 2·q_j < 2^52); else b = 64.
//!
//! No branch or address depends on a value. The variants give the same residues.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use super::basis::RnsBasis;
use super::modulus::{Constant, Modulus};
use super::poly::{Coefficient, Poly};

/// Coefficients that are carried through all limbs at a time: they stay in the nearest cache.
const CHUNK: usize = 512;

/// The constants between p and a basis.
#[derive(Debug, Clone)]
pub struct Rounding {
    p: Modulus,
    width: Width,
    /// m → t modulo p.
    to_t: Affine,
    /// ⌊q/2⌋/q mod p.
    start: u64,
    limbs: Vec<Limb>,
}

/// x → w·x + c.
#[derive(Debug, Clone, Copy)]
struct Affine {
    w: Constant,
    c: u64,
}

/// The constants of q_j.
#[derive(Debug, Clone)]
struct Limb {
    q: Modulus,
    /// t → (h − t)/p.
    from_t: Affine,
    /// x → z.
    to_z: Affine,
    /// One step for each digit below.
    steps: Vec<Step>,
    /// −q_0⋯q_(j−1)/q mod p.
    weight: Constant,
}

/// x → w·(x + multiple − d), for a digit d of an earlier prime and a multiple of q_j not below it.
#[derive(Debug, Clone, Copy)]
struct Step {
    w: Constant,
    multiple: u64,
}

/// How wide products have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Narrow,
    Wide,
}

impl Rounding {
    /// The constants for plaintexts modulo the prime `p`, which is none of the basis.
    pub fn new(basis: &RnsBasis, p: Modulus) -> Self {
        let q_mod_p = basis.product_modulo(p);
        let q_inverse = p.inverse(q_mod_p).unwrap_or_default();
        let moduli: Vec<Modulus> = basis.moduli().collect();
        let narrow = moduli.iter().chain([&p]).all(|q| q.is_narrow());
        let (mut limbs, mut weight) = (Vec::with_capacity(moduli.len()), p.neg(q_inverse));
        for (j, &q) in moduli.iter().enumerate() {
            let (p_mod_q, half) = (q.reduce(p.value()), q.reduce(p.half()));
            let p_inverse = q.inverse(p_mod_q).unwrap_or_default();
            let step = |earlier: &Modulus| Step {
                w: q.constant(q.inverse(earlier.value()).unwrap_or_default()),
                multiple: earlier.value().div_ceil(q.value()) * q.value(),
            };
            limbs.push(Limb {
                q,
                from_t: Affine {
                    w: q.constant(q.neg(p_inverse)),
                    c: q.mul(half, p_inverse),
                },
                to_z: Affine {
                    w: q.constant(p_mod_q),
                    c: basis.half_modulo(q),
                },
                steps: moduli.iter().take(j).map(step).collect(),
                weight: p.constant(weight),
            });
            weight = p.mul(weight, p.reduce(q.value()));
        }
        Self {
            p,
            width: if narrow { Width::Narrow } else { Width::Wide },
            to_t: Affine {
                w: p.constant(q_mod_p),
                c: p.half(),
            },
            start: p.mul(basis.half_modulo(p), q_inverse),
            limbs,
        }
    }

    /// poly += round(q·m/p) for the coefficients m of `message`, which are used up.
    pub fn add_scaled(&self, poly: &mut Poly<Coefficient>, message: &mut [u64]) {
        self.add_scaled_by(Backend::fastest(self.width), poly, message);
    }

    fn add_scaled_by(&self, backend: Backend, poly: &mut Poly<Coefficient>, message: &mut [u64]) {
        for (index, t) in message.chunks_mut(CHUNK).enumerate() {
            backend.affine(self.p, self.to_t, t);
            for (limb, x) in self.limbs.iter().zip(poly.iter_mut()) {
                if let Some(x) = x.chunks_mut(CHUNK).nth(index) {
                    backend.accumulate(limb.q, limb.from_t, t, x);
                }
            }
        }
    }

    /// out = round(p·x/q) mod p for the coefficients x of `poly`, which are used up: they become
    /// digits.
    pub fn round(&self, poly: &mut Poly<Coefficient>, out: &mut [u64]) {
        self.round_by(Backend::fastest(self.width), poly, out);
    }

    fn round_by(&self, backend: Backend, poly: &mut Poly<Coefficient>, out: &mut [u64]) {
        out.fill(self.start);
        for (index, m) in out.chunks_mut(CHUNK).enumerate() {
            let mut parts: Vec<&mut [u64]> = poly
                .iter_mut()
                .filter_map(|limb| limb.chunks_mut(CHUNK).nth(index))
                .collect();
            for (j, limb) in self.limbs.iter().enumerate() {
                let (digits, rest) = parts.split_at_mut(j);
                let Some(x) = rest.first_mut() else { continue };
                backend.affine(limb.q, limb.to_z, x);
                for (digit, &step) in digits.iter().zip(&limb.steps) {
                    backend.eliminate(limb.q, step, digit, x);
                }
                let w = limb.weight;
                backend.accumulate(self.p, Affine { w, c: 0 }, x, m);
            }
        }
    }
}

/// A variant of the loops that this processor can run.
#[derive(Clone, Copy)]
enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx512(fearless_simd::Avx512, Width),
}

impl Backend {
    #[cfg(target_arch = "x86_64")]
    fn fastest(width: Width) -> Self {
        match fearless_simd::Level::new().as_avx512() {
            Some(token) => Self::Avx512(token, width),
            None => Self::Portable,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn fastest(_: Width) -> Self {
        Self::Portable
    }

    /// x = w·x + c.
    fn affine(self, q: Modulus, map: Affine, x: &mut [u64]) {
        match self {
            Self::Portable => portable::affine(q, map, x),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token, width) => avx512::affine(token, width, q, map, x),
        }
    }

    /// acc += w·x + c.
    fn accumulate(self, q: Modulus, map: Affine, x: &[u64], acc: &mut [u64]) {
        match self {
            Self::Portable => portable::accumulate(q, map, x, acc),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token, width) => avx512::accumulate(token, width, q, map, x, acc),
        }
    }

    /// x = w·(x + multiple − digit).
    fn eliminate(self, q: Modulus, step: Step, digit: &[u64], x: &mut [u64]) {
        match self {
            Self::Portable => portable::eliminate(q, step, digit, x),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token, width) => avx512::eliminate(token, width, q, step, digit, x),
        }
    }
}

#[cfg(test)]
#[path = "rounding_tests.rs"]
mod tests;
