//! Integer arithmetic on little-endian bits, over any [`Gates`].
//!
//! A bit known when the circuit is built costs nothing: it is folded away. A full adder costs one AND,
//! `carry' = c ⊕ (x ⊕ c)(y ⊕ c)` (Kolesnikov, Sadeghi, Schneider 2009), and so do a comparison
//! and a selection, per bit. Nothing here knows of shares or moduli.

use super::gates::Gates;

/// A bit known to everyone, or on a wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bit<W> {
    Known(bool),
    Wire(W),
}

use Bit::{Known, Wire};

/// `x ⊕ y`.
pub(super) fn xor<G: Gates>(g: &mut G, x: Bit<G::Wire>, y: Bit<G::Wire>) -> Bit<G::Wire> {
    match (x, y) {
        (Known(x), Known(y)) => Known(x ^ y),
        (Known(false), other) | (other, Known(false)) => other,
        (Known(true), other) | (other, Known(true)) => not(g, other),
        (Wire(x), Wire(y)) => Wire(g.xor(x, y)),
    }
}

/// `¬x`.
pub(super) fn not<G: Gates>(g: &mut G, x: Bit<G::Wire>) -> Bit<G::Wire> {
    match x {
        Known(x) => Known(!x),
        Wire(x) => Wire(g.not(x)),
    }
}

/// `x ∧ y`.
pub(super) fn and<G: Gates>(g: &mut G, x: Bit<G::Wire>, y: Bit<G::Wire>) -> Bit<G::Wire> {
    match (x, y) {
        (Known(false), _) | (_, Known(false)) => Known(false),
        (Known(true), other) | (other, Known(true)) => other,
        (Wire(x), Wire(y)) => Wire(g.and(x, y)),
    }
}

/// `x ∨ y`.
pub(super) fn or<G: Gates>(g: &mut G, x: Bit<G::Wire>, y: Bit<G::Wire>) -> Bit<G::Wire> {
    let (x, y) = (not(g, x), not(g, y));
    let neither = and(g, x, y);
    not(g, neither)
}

/// `yes` where `choice` is set, else `no`: one AND.
pub(super) fn select<G: Gates>(
    g: &mut G,
    choice: Bit<G::Wire>,
    yes: Bit<G::Wire>,
    no: Bit<G::Wire>,
) -> Bit<G::Wire> {
    let difference = xor(g, yes, no);
    let change = and(g, choice, difference);
    xor(g, no, change)
}

/// The carry of `x + y + c`.
fn carry<G: Gates>(g: &mut G, x: Bit<G::Wire>, y: Bit<G::Wire>, c: Bit<G::Wire>) -> Bit<G::Wire> {
    match (x, y, c) {
        (Known(k), a, b) | (a, Known(k), b) | (a, b, Known(k)) => {
            if k {
                or(g, a, b)
            } else {
                and(g, a, b)
            }
        }
        _ => {
            let (xc, yc) = (xor(g, x, c), xor(g, y, c));
            let both = and(g, xc, yc);
            xor(g, c, both)
        }
    }
}

/// Bits `skip..` of `x + y mod 2^len`, `len` being the common length.
pub(super) fn add_modular<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
    skip: usize,
) -> Vec<Bit<G::Wire>> {
    let len = x.len().min(y.len());
    let mut c = Known(false);
    let mut sum = Vec::with_capacity(len.saturating_sub(skip));
    for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
        if i >= skip {
            let xy = xor(g, x, y);
            sum.push(xor(g, xy, c));
        }
        if i + 1 < len {
            c = carry(g, x, y, c);
        }
    }
    sum
}

/// `x + y` and its carry out.
pub(super) fn add_carry<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
) -> (Vec<Bit<G::Wire>>, Bit<G::Wire>) {
    let mut c = Known(false);
    let mut sum = Vec::with_capacity(x.len());
    for (&x, &y) in x.iter().zip(y) {
        let xy = xor(g, x, y);
        sum.push(xor(g, xy, c));
        c = carry(g, x, y, c);
    }
    (sum, c)
}

/// `len` bits of `yes` where `choice` is set, else of `no`: at most one negation.
pub(super) fn select_constant<G: Gates>(
    g: &mut G,
    choice: Bit<G::Wire>,
    (yes, no): (i128, i128),
    len: usize,
) -> Vec<Bit<G::Wire>> {
    let opposite = not(g, choice);
    (0..len)
        .map(|i| match ((yes >> i) & 1 == 1, (no >> i) & 1 == 1) {
            (true, true) => Known(true),
            (false, false) => Known(false),
            (true, false) => choice,
            (false, true) => opposite,
        })
        .collect()
}

/// How the top bit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// As any other bit.
    Unsigned,
    /// As minus its value (two's complement).
    Twos,
}

/// `x > y` for two numbers of the same length: one AND a bit.
///
/// It is the carry out of `x + ¬y`; two's complement numbers compare as unsigned ones with their top bits
/// negated, which is the same as exchanging them.
pub(super) fn greater<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
    sign: Sign,
) -> Bit<G::Wire> {
    let mut greater = Known(false);
    for (i, (&x_bit, &y_bit)) in x.iter().zip(y).enumerate() {
        let (x_bit, y_bit) = match sign {
            Sign::Twos if i + 1 == x.len() => (y_bit, x_bit),
            _ => (x_bit, y_bit),
        };
        let opposite = not(g, y_bit);
        greater = carry(g, x_bit, opposite, greater);
    }
    greater
}

/// `x > m` for an unsigned x: one AND for each bit above m's trailing ones but the first.
pub(super) fn exceeds<G: Gates>(g: &mut G, x: &[Bit<G::Wire>], m: i128) -> Bit<G::Wire> {
    let m: Vec<_> = (0..x.len()).map(|i| Known((m >> i) & 1 == 1)).collect();
    greater(g, x, &m, Sign::Unsigned)
}

/// The greater of two numbers of the same length: two ANDs a bit.
pub(super) fn maximum<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
    sign: Sign,
) -> Vec<Bit<G::Wire>> {
    let greater = greater(g, x, y, sign);
    let pairs = x.iter().zip(y);
    pairs.map(|(&x, &y)| select(g, greater, x, y)).collect()
}

/// `x − y mod 2^len`, and whether x ≥ y: `x + ¬y + 1` and its carry, one AND a bit.
pub(super) fn subtract<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
) -> (Vec<Bit<G::Wire>>, Bit<G::Wire>) {
    let mut c = Known(true);
    let mut difference = Vec::with_capacity(x.len());
    for (&x, &y) in x.iter().zip(y) {
        let opposite = not(g, y);
        let both = xor(g, x, opposite);
        difference.push(xor(g, both, c));
        c = carry(g, x, opposite, c);
    }
    (difference, c)
}

/// `x + y mod p` for x and y below p: 3w + 1 ANDs, w being the common length.
pub(super) fn add_reduced<G: Gates>(
    g: &mut G,
    x: &[Bit<G::Wire>],
    y: &[Bit<G::Wire>],
    p: &[Bit<G::Wire>],
) -> Vec<Bit<G::Wire>> {
    let (sum, carry) = add_carry(g, x, y);
    let (reduced, not_below) = subtract(g, &sum, p);
    let over = or(g, carry, not_below);
    let pairs = reduced.iter().zip(&sum);
    pairs.map(|(&yes, &no)| select(g, over, yes, no)).collect()
}

/// Whether any bit is set; `len - 1` ANDs.
pub(super) fn any<G: Gates>(g: &mut G, bits: &[Bit<G::Wire>]) -> Bit<G::Wire> {
    bits.iter()
        .fold(Known(false), |seen, &bit| or(g, seen, bit))
}
