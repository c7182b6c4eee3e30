//! Key switching: a polynomial c under a key s′, as a pair under s.
//!
//! c is split into digits d_j, small polynomials with Σd_j·g_j = c modulo q. The key holds for each
//! j an encryption (b_j, a_j) of P·g_j·s′ modulo q·P, and Σd_j·(b_j, a_j), divided by P with rounding,
//! is what is looked for (Halevi, Polyakov and Shoup, "An improved RNS variant
//! of the BFV scheme", 2019, section 3; Kim, Polyakov and Zucca, "Revisiting homomorphic encryption
//! schemes for finite fields", 2021, appendix B). Two ways to split:
//!
//! - **Special primes** (hybrid): K primes with product P; d_j is c modulo the j-th group of K limbs
//!   of q, centred, and g_j is 1 modulo those limbs, 0 modulo the others.
//! - **Digits** (no special prime, P = 1): d_(i,k) is the k-th digit, base 2^w and centred, of c modulo
//!   limb i, and g_(i,k) is 2^(w·k) modulo that limb, 0 modulo the others. It costs no modulus
//!   beyond q, which leaves small rings secure, and more noise.
//!
//! In both the digits are made from c alone: one splitting serves many keys.

use super::error::BfvError;
use super::params::BfvLiteral;
use crate::ring::{Constant, Factor, Ntt, Poly, Residues, RnsBasis, pointwise};

/// How one parameter set switches keys.
pub(super) struct KeySwitch {
    /// The primes of q, then the special ones.
    basis: RnsBasis,
    limbs: usize,
    split: Split,
    /// The special primes, if there are any.
    special: Option<RnsBasis>,
    /// 1/P modulo each limb of q.
    special_inverses: Vec<Constant>,
}

enum Split {
    /// The groups of limbs, in order.
    Groups(Vec<RnsBasis>),
    /// Width of a digit, and for each limb how many there are.
    Digits(u32, Vec<u32>),
    /// No key can be switched.
    None,
}

/// What one digit is multiplied with: zero modulo all limbs but these, where it is `value`.
pub(super) struct Gadget {
    /// First limb of the group.
    pub(super) first: usize,
    /// P·g_j modulo each limb of the group.
    pub(super) values: Vec<u64>,
}

impl KeySwitch {
    pub(super) fn new(literal: &BfvLiteral) -> Result<Self, BfvError> {
        let (n, limbs) = (literal.n, literal.q.len());
        // The primes of q on their own first: an empty q must not hide behind a special prime.
        let q = RnsBasis::new(n, &literal.q)?;
        let chain = [literal.q.as_slice(), &literal.special].concat();
        let basis = RnsBasis::new(n, &chain)?;
        let narrowest = q.moduli().map(|q| q.bits()).min().unwrap_or_default();
        let split = match (literal.special.len(), literal.digit_bits) {
            (0, None) => Split::None,
            (0, Some(bits)) if (2..=narrowest).contains(&bits) => {
                Split::Digits(bits, q.moduli().map(|q| q.bits().div_ceil(bits)).collect())
            }
            (0, Some(bits)) => return Err(BfvError::DigitBits { bits, narrowest }),
            (special, None) if special <= limbs => Split::Groups(
                literal
                    .q
                    .chunks(special)
                    .map(|group| RnsBasis::new(n, group))
                    .collect::<Result<_, _>>()?,
            ),
            (special, digit_bits) => {
                let digits = digit_bits.is_some();
                return Err(BfvError::KeySwitch {
                    special,
                    limbs,
                    digits,
                });
            }
        };
        let special = match literal.special.as_slice() {
            [] => None,
            primes => Some(RnsBasis::new(n, primes)?),
        };
        let product = |m| special.as_ref().map_or(1, |p| p.product_modulo(m));
        let special_inverses = q
            .moduli()
            .map(|q| q.constant(q.inverse(product(q)).unwrap_or_default()))
            .collect();
        Ok(Self {
            basis,
            limbs,
            split,
            special,
            special_inverses,
        })
    }

    /// The primes of q, then the special ones.
    pub(super) const fn basis(&self) -> &RnsBasis {
        &self.basis
    }

    /// What each digit stands for.
    pub(super) fn gadgets(&self) -> Vec<Gadget> {
        let moduli: Vec<_> = self.basis.moduli().take(self.limbs).collect();
        match &self.split {
            Split::None => Vec::new(),
            Split::Groups(groups) => {
                let width = groups.first().map_or(1, RnsBasis::limbs);
                let product = |m| self.special.as_ref().map_or(1, |p| p.product_modulo(m));
                let firsts = (0..).step_by(width);
                let gadget = |(first, group): (usize, &RnsBasis)| Gadget {
                    first,
                    values: group.moduli().map(product).collect(),
                };
                firsts.zip(groups).map(gadget).collect()
            }
            Split::Digits(bits, counts) => {
                let limbs = counts.iter().zip(moduli).enumerate();
                limbs
                    .flat_map(|(first, (&count, q))| {
                        (0..count).map(move |k| Gadget {
                            first,
                            values: vec![q.pow(2, u64::from(k * bits))],
                        })
                    })
                    .collect()
            }
        }
    }

    /// Number of digits.
    pub(super) fn digits(&self) -> usize {
        match &self.split {
            Split::None => 0,
            Split::Groups(groups) => groups.len(),
            Split::Digits(_, counts) => counts.iter().map(|&count| count as usize).sum(),
        }
    }

    /// Splits `c`, over q, into digits over q·P.
    pub(super) fn decompose(&self, c: &Poly<Ntt>) -> Vec<Poly<Ntt>> {
        let n = self.basis.degree();
        let plans = self.basis.plans();
        let mut coefficients = Poly::<Ntt>::arbitrary(n, self.limbs);
        for ((x, plan), c) in coefficients.iter_mut().zip(plans).zip(c.iter()) {
            x.copy_from_slice(c);
            plan.inverse(x);
        }
        let mut rest = coefficients.residues_mut();
        let mut digits = Vec::with_capacity(self.digits());
        match &self.split {
            Split::None => {}
            Split::Groups(groups) => {
                for group in groups {
                    let first = self.limbs - rest.len() / n;
                    let (x, others) = rest.split_at_mut(n * group.limbs());
                    rest = others;
                    digits.push(self.group_digit(c, first, group, x));
                }
            }
            Split::Digits(bits, counts) => {
                let limbs = rest.chunks_exact_mut(n).zip(plans).zip(counts);
                for ((x, plan), &count) in limbs {
                    pointwise::centre(plan.modulus(), x);
                    let mut low = Residues::arbitrary(n);
                    for _ in 1..count {
                        pointwise::take_digit(*bits, x, &mut low);
                        digits.push(self.signed_digit(&low));
                    }
                    // The last digit is all that is left.
                    digits.push(self.signed_digit(x));
                }
            }
        }
        digits
    }

    /// The digit of the group of limbs that starts at `first`, from its coefficients.
    fn group_digit(
        &self,
        c: &Poly<Ntt>,
        first: usize,
        group: &RnsBasis,
        x: &mut [u64],
    ) -> Poly<Ntt> {
        let mut scratch = Residues::arbitrary(self.basis.degree());
        group.centred_digits(x, &mut scratch);
        let mut digit = Poly::arbitrary(self.basis.degree(), self.basis.limbs());
        for (j, (plan, out)) in self.basis.plans().iter().zip(digit.iter_mut()).enumerate() {
            if (first..first + group.limbs()).contains(&j) {
                out.copy_from_slice(c.limb(j));
            } else {
                group.lift_digits(x, plan.modulus(), out, &mut scratch);
                plan.forward(out);
            }
        }
        digit
    }

    /// The digit with the given signed coefficients.
    fn signed_digit(&self, x: &[u64]) -> Poly<Ntt> {
        let mut digit = Poly::arbitrary(self.basis.degree(), self.basis.limbs());
        for (plan, out) in self.basis.plans().iter().zip(digit.iter_mut()) {
            pointwise::reduce_signed(plan.modulus(), x, out);
            plan.forward(out);
        }
        digit
    }

    /// Σ digit·key modulo q·P.
    pub(super) fn multiply(&self, digits: &[Poly<Ntt>], key: &[Poly<Factor>]) -> Poly<Ntt> {
        let mut sum = Poly::arbitrary(self.basis.degree(), self.basis.limbs());
        sum.set_products(&self.basis, digits, key);
        sum
    }

    /// round(sum/P) modulo q in the first limbs of what was `sum` modulo q·P.
    pub(super) fn divide_by_special(&self, sum: &mut Poly<Ntt>) {
        let n = self.basis.degree();
        let Some(special) = &self.special else { return };
        let (limbs, rest) = sum.split_limbs_mut(self.limbs);
        for (plan, x) in special.plans().iter().zip(rest.chunks_exact_mut(n)) {
            plan.inverse(x);
        }
        let (mut lifted, mut scratch) = (Residues::arbitrary(n), Residues::arbitrary(n));
        special.centred_digits(rest, &mut scratch);
        let plans = self.basis.plans().iter().zip(&self.special_inverses);
        for ((plan, &inverse), limb) in plans.zip(limbs.chunks_exact_mut(n)) {
            special.lift_digits(rest, plan.modulus(), &mut lifted, &mut scratch);
            plan.forward(&mut lifted);
            pointwise::sub_scale_assign(plan.modulus(), limb, &lifted, inverse);
        }
    }
}

/// Sizes of the digits: d_j is taken from −r_j/2 … r_j/2. Without special primes and digits there
/// are none.
pub fn digit_ranges(q: &[u64], special: &[u64], digit_bits: Option<u32>) -> Vec<f64> {
    let product = |group: &[u64]| group.iter().map(|&q| q as f64).product();
    match (special.len(), digit_bits) {
        (0, None) => Vec::new(),
        (0, Some(bits)) => q
            .iter()
            .flat_map(|&q| {
                let count = (u64::BITS - q.leading_zeros()).div_ceil(bits);
                let base = f64::from(bits).exp2();
                let last = q as f64 / base.powi(count.cast_signed() - 1);
                (1..count).map(move |_| base).chain([last])
            })
            .collect(),
        (width, _) => q.chunks(width).map(product).collect(),
    }
}
