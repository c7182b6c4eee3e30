//! Rounding, maximum, clamp: the leaner circuits, with all constants added in the clear.
//!
//! With h = (p_in − 1)/2 (letters as in `circuits`):
//! 1. The garbler feeds `v = ((a + h) mod p_in) + 2^w − p_in`. The sum D of v and b has no carry exactly
//!    where D + 2^w means the negative number D: then p_in is missing. w ANDs.
//! 2. `x + 2^(s−1) = D + K`, K being one of two constants, chosen by the carry bit by bit and for
//!    free. B − 1 ANDs; the lowest s bits only carry.
//! 3. Maximum: two ANDs a bit. Clamp to a power of two: one AND for each bit that must not be set, one
//!    for each kept. Clamp to any m: `z > m` costs one for each bit above m's trailing ones but the
//!    first, then one for the sign and one for each bit of m; −low is part of K, so that low is 0.
//! 4. The garbler feeds `(−r mod p_out) + 2^w' − p_out`, and one conditional addition of p_out reduces:
//!    2w' − 1 ANDs.

use super::super::arithmetic::{
    Bit, Sign, add_carry, add_modular, and, any, exceeds, maximum, not, select, select_constant,
    xor,
};
use super::super::gates::Gates;
use super::{Pair, ShareCircuit, ShareFunction};

/// How y leaves the clamp.
#[derive(Clone, Copy)]
enum Range {
    /// `0..=2^l − 1`.
    Relu { bits: usize },
    /// Two's complement of l bits, carried as `y + 2^(l−1)`.
    Clamped { bits: usize },
    /// Every x fits: carried as `y + offset`, nothing to clamp.
    Fits { offset: i128 },
    /// `−offset..=span − offset`, carried as `y + offset`.
    Clipped { offset: i128, span: i128 },
}

type Bits<G> = Vec<Bit<<G as Gates>::Wire>>;

impl ShareCircuit {
    /// What is carried is y plus this: `masked` takes it off again.
    pub(in crate::gc) fn offset(&self) -> i128 {
        if let ShareFunction::Gazelle { .. } = self.function {
            return (self.p_in / 2).into();
        }
        match self.range() {
            Range::Relu { .. } => 0,
            Range::Clamped { bits } => 1 << (bits - 1),
            Range::Fits { offset } | Range::Clipped { offset, .. } => offset,
        }
    }

    fn range(&self) -> Range {
        let (low, high) = (self.lowest(), self.highest());
        let (least, greatest) = (self.clamp(low), self.clamp(high));
        match self.function {
            ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. }
                if !then.signed =>
            {
                let bits = then.output_bits as usize;
                Range::Relu { bits }
            }
            _ if (least, greatest) == (low, high) => Range::Fits { offset: -low },
            ShareFunction::Requantize(then) | ShareFunction::MaxPool { then, .. } => {
                let bits = then.output_bits as usize;
                Range::Clamped { bits }
            }
            ShareFunction::Clip(_)
            | ShareFunction::Gazelle { .. }
            | ShareFunction::Argmax { .. } => Range::Clipped {
                offset: -least,
                span: greatest - least,
            },
        }
    }

    /// All four steps.
    pub(super) fn requantized<G: Gates>(
        &self,
        g: &mut G,
        pairs: &[Pair<'_, G>],
        mask: &[Bit<G::Wire>],
    ) -> Bits<G> {
        let range = self.range();
        let (offset, sign) = match range {
            Range::Relu { .. } | Range::Clamped { .. } => (0, Sign::Twos),
            Range::Clipped { offset, .. } if self.lowest() + offset < 0 => (offset, Sign::Twos),
            Range::Fits { offset } | Range::Clipped { offset, .. } => (offset, Sign::Unsigned),
        };
        let mut greatest: Option<Bits<G>> = None;
        for &pair in pairs {
            let x = self.rounded(g, pair, offset, sign);
            greatest = Some(match greatest {
                None => x,
                Some(other) => maximum(g, &other, &x, sign),
            });
        }
        let x = greatest.unwrap_or_default();
        let y = match range {
            Range::Fits { .. } => x,
            Range::Relu { bits } => relu(g, &x, bits),
            Range::Clamped { bits } => clamp_signed(g, &x, bits),
            Range::Clipped { span, .. } => clip(g, &x, sign, span),
        };
        self.masked(g, y, mask)
    }

    /// Steps 1 and 2: `((x + 2^(s−1)) >> s) + offset`, in as few bits as hold every value.
    pub(super) fn rounded<G: Gates>(
        &self,
        g: &mut G,
        (v, b): Pair<'_, G>,
        offset: i128,
        sign: Sign,
    ) -> Bits<G> {
        let shift = self.shift() as usize;
        let offset = offset << shift;
        let (mut d, carry) = add_carry(g, v, b);
        let negative = not(g, carry);
        let (h, p) = (i128::from(self.p_in / 2), i128::from(self.p_in));
        let greatest = h + self.half() + offset;
        let bits =
            (i128::BITS - greatest.leading_zeros()) as usize + usize::from(sign == Sign::Twos);
        let bits = bits.max(shift + 1);
        d.resize(bits, negative);
        let constant = self.half() + offset - h;
        let k = select_constant(g, negative, (constant + p, constant), bits);
        add_modular(g, &d, &k, shift)
    }

    /// Step 4: y plus the garbler's input, reduced modulo p_out.
    fn masked<G: Gates>(&self, g: &mut G, mut y: Bits<G>, mask: &[Bit<G::Wire>]) -> Bits<G> {
        y.resize(mask.len(), Bit::Known(false));
        let (sum, carry) = add_carry(g, mask, &y);
        let missing = not(g, carry);
        let p = select_constant(g, missing, (i128::from(self.p_out), 0), mask.len());
        add_modular(g, &sum, &p, 0)
    }
}

/// Step 3 for ReLU: anything above bit l, the sign included, saturates.
fn relu<G: Gates>(g: &mut G, x: &[Bit<G::Wire>], bits: usize) -> Bits<G> {
    let Some((&sign, magnitude)) = x.split_last() else {
        return Vec::new();
    };
    let kept = magnitude.len().min(bits);
    let saturated = any(g, &x[kept..]);
    let positive = not(g, sign);
    magnitude[..kept]
        .iter()
        .map(|&bit| select(g, saturated, positive, bit))
        .collect()
}

/// Step 3 for signed outputs: `y + 2^(l−1)`; saturated where a bit from l − 1 up differs from the sign.
fn clamp_signed<G: Gates>(g: &mut G, x: &[Bit<G::Wire>], bits: usize) -> Bits<G> {
    let Some((&sign, magnitude)) = x.split_last() else {
        return Vec::new();
    };
    let kept = magnitude.len().min(bits - 1);
    let differing: Vec<_> = magnitude[kept..]
        .iter()
        .map(|&bit| xor(g, bit, sign))
        .collect();
    let saturated = any(g, &differing);
    let positive = not(g, sign);
    let mut y: Vec<_> = magnitude[..kept]
        .iter()
        .map(|&bit| select(g, saturated, positive, bit))
        .collect();
    y.push(positive);
    y
}

/// Step 3 for any range: `clamp(z, 0, m)`.
fn clip<G: Gates>(g: &mut G, z: &[Bit<G::Wire>], sign: Sign, m: i128) -> Bits<G> {
    let (magnitude, positive) = match (sign, z.split_last()) {
        (Sign::Twos, Some((&sign, magnitude))) => (magnitude, not(g, sign)),
        _ => (z, Bit::Known(true)),
    };
    let greater = exceeds(g, magnitude, m);
    let saturated = and(g, positive, greater);
    let inside = xor(g, positive, saturated);
    let bits = (i128::BITS - m.leading_zeros()) as usize;
    let kept = magnitude.iter().take(bits).enumerate();
    kept.map(|(i, &bit)| {
        let bit = and(g, bit, inside);
        if (m >> i) & 1 == 1 {
            xor(g, bit, saturated)
        } else {
            bit
        }
    })
    .collect()
}
