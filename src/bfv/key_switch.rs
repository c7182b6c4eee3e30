//! Key switching: a polynomial c under a key s′, as a pair under s.
//!
//! c is split into digits d_j, small polynomials with Σd_j·g_j = c modulo q. The key holds for each
//! j an encryption (b_j, a_j) of P·g_j·s′ modulo q·P, and Σd_j·(b_j, a_j), divided by P with rounding,
//! is what is looked for (FACTS on key switching: Halevi, Polyakov and Shoup, "An improved RNS variant
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
use crate::ring::{Constant, Factor, Ntt, Poly, RnsBasis, pointwise};

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

/// Buffers of a key switch, used again and again.
#[derive(Debug, Clone)]
pub struct Scratch {
    pub(super) digits: Vec<Poly<Ntt>>,
    pub(super) sums: [Poly<Ntt>; 2],
    coefficients: Vec<u64>,
    words: [Vec<u64>; 2],
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

    pub(super) fn scratch(&self) -> Scratch {
        let n = self.basis.degree();
        Scratch {
            digits: self.zero_digits(),
            sums: [(); 2].map(|()| Poly::zero(n, self.basis.limbs())),
            coefficients: vec![0; n * self.limbs.max(self.basis.limbs() - self.limbs)],
            words: [vec![0; n], vec![0; n]],
        }
    }

    /// Room for the digits of one polynomial.
    pub(super) fn zero_digits(&self) -> Vec<Poly<Ntt>> {
        let zero = || Poly::zero(self.basis.degree(), self.basis.limbs());
        std::iter::repeat_with(zero).take(self.digits()).collect()
    }

    /// Splits `c`, over q, into `digits`.
    pub(super) fn decompose(&self, c: &Poly<Ntt>, digits: &mut [Poly<Ntt>], room: &mut Room<'_>) {
        let n = self.basis.degree();
        let plans = self.basis.plans();
        for ((x, plan), c) in room
            .coefficients
            .chunks_exact_mut(n)
            .zip(plans)
            .zip(c.iter())
        {
            x.copy_from_slice(c);
            plan.inverse(x);
        }
        match &self.split {
            Split::None => {}
            Split::Groups(groups) => {
                let width = groups.first().map_or(1, RnsBasis::limbs);
                let residues = room.coefficients.chunks_mut(n * width);
                for ((index, group), (digit, x)) in groups
                    .iter()
                    .enumerate()
                    .zip(digits.iter_mut().zip(residues))
                {
                    self.group_digit(c, (index * width, group), digit, (x, &mut *room.words));
                }
            }
            Split::Digits(bits, counts) => {
                let mut digits = digits.iter_mut();
                let limbs = room.coefficients.chunks_exact_mut(n).zip(plans);
                for ((x, plan), &count) in limbs.zip(counts) {
                    pointwise::centre(plan.modulus(), x);
                    let [signed, _] = &mut *room.words;
                    for (k, digit) in (1..=count).zip(&mut digits) {
                        // The last digit is all that is left.
                        let signed = if k < count {
                            pointwise::take_digit(*bits, x, signed);
                            &*signed
                        } else {
                            &*x
                        };
                        for (plan, out) in plans.iter().zip(digit.iter_mut()) {
                            pointwise::reduce_signed(plan.modulus(), signed, out);
                            plan.forward(out);
                        }
                    }
                }
            }
        }
    }

    /// The digit of one group of limbs, from its coefficients.
    fn group_digit(
        &self,
        c: &Poly<Ntt>,
        (first, group): (usize, &RnsBasis),
        digit: &mut Poly<Ntt>,
        (x, [scratch, _]): (&mut [u64], &mut [Vec<u64>; 2]),
    ) {
        group.centred_digits(x, scratch);
        for (j, (plan, out)) in self.basis.plans().iter().zip(digit.iter_mut()).enumerate() {
            if (first..first + group.limbs()).contains(&j) {
                out.copy_from_slice(c.limb(j));
            } else {
                group.lift_digits(x, plan.modulus(), out, scratch);
                plan.forward(out);
            }
        }
    }

    /// Σ digit·key, not yet divided by P.
    pub(super) fn multiply(&self, digits: &[Poly<Ntt>], key: &[Poly<Factor>], sum: &mut Poly<Ntt>) {
        sum.set_products(&self.basis, digits, key);
    }

    /// The first limbs of `sum`: round(sum/P) modulo q.
    pub(super) fn divide_by_special(&self, sum: &mut Poly<Ntt>, room: &mut Room<'_>) {
        let n = self.basis.degree();
        let Some(special) = &self.special else { return };
        let (limbs, rest) = sum.split_limbs_mut(self.limbs);
        for (plan, x) in special.plans().iter().zip(rest.chunks_exact_mut(n)) {
            plan.inverse(x);
        }
        let [lifted, scratch] = &mut *room.words;
        special.centred_digits(rest, scratch);
        let plans = self.basis.plans().iter().zip(&self.special_inverses);
        for ((plan, &inverse), limb) in plans.zip(limbs.chunks_exact_mut(n)) {
            special.lift_digits(rest, plan.modulus(), lifted, scratch);
            plan.forward(lifted);
            pointwise::sub_scale_assign(plan.modulus(), limb, lifted, inverse);
        }
    }
}

/// The part of a [`Scratch`] that the steps work in.
pub(super) struct Room<'a> {
    coefficients: &'a mut [u64],
    words: &'a mut [Vec<u64>; 2],
}

impl Scratch {
    /// The digits, the two sums, and the rest.
    pub(super) fn parts(&mut self) -> (&mut [Poly<Ntt>], &mut [Poly<Ntt>; 2], Room<'_>) {
        let room = Room {
            coefficients: &mut self.coefficients,
            words: &mut self.words,
        };
        (&mut self.digits, &mut self.sums, room)
    }
}
