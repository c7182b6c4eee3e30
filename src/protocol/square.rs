//! What each party makes of its share x = c + s mod p for a square: x² = c² + 2·s·c + s².
//!
//! The client encrypts c and c². The server multiplies Enc(c) by 2·s, adds Enc(c²), and takes s² into the
//! mask of its reply: what the client decrypts is x² − r, and r is the server's share.

use zeroize::Zeroizing;

use super::shares::add;
use crate::packing::Plan;

fn squared(x: u64, p: u64) -> u64 {
    (u128::from(x) * u128::from(x) % u128::from(p)) as u64
}

/// The client's share, and behind it its squares.
pub(super) fn with_squares(share: &[u64], p: u64) -> Vec<u64> {
    let squares = share.iter().map(|&c| squared(c, p));
    share.iter().copied().chain(squares).collect()
}

/// The server's share twice, what Enc(c) is multiplied by.
pub(super) fn doubled(share: &[u64], p: u64) -> Zeroizing<Vec<i64>> {
    Zeroizing::new(share.iter().map(|&s| add(s, s, p) as i64).collect())
}

/// Adds the squares of the server's share to the masks of the reply's slots.
pub(super) fn add_squares(masks: &mut [Vec<u64>], plan: &Plan, share: &[u64], p: u64) {
    let squares = share.iter().map(|&s| squared(s, p) as i64).collect();
    let squares: Zeroizing<Vec<i64>> = Zeroizing::new(squares);
    for (index, mask) in masks.iter_mut().enumerate() {
        let slots = Zeroizing::new(plan.weight_slots(&squares, p, index));
        for (mask, &square) in mask.iter_mut().zip(slots.iter()) {
            *mask = add(*mask, square, p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::{LinearShape, PlainSlots};

    /// Both parties' parts over slots in the clear: what is left for the client and r add up to x².
    #[test]
    fn the_parts_of_both_parties_are_shares_of_the_square() {
        let (n, p) = (8, (1 << 61) - 1);
        let x: Vec<u64> = (0..19).map(|i| i * i * 1_000_003).collect();
        let s: Vec<u64> = (0..19).map(|i| p - 1 - i * 77_777_777_777).collect();
        let c: Vec<u64> = x.iter().zip(&s).map(|(x, s)| add(*x, p - s, p)).collect();
        let plan = Plan::new(&LinearShape::Square { values: x.len() }, n).unwrap();
        let r: Vec<Vec<u64>> = (0..plan.output_ciphertexts() as u64)
            .map(|block| (0..n as u64).map(|i| 1 + block * 31 + i).collect())
            .collect();
        let mut masks: Vec<Vec<u64>> = r
            .iter()
            .map(|r| r.iter().map(|r| p - r).collect())
            .collect();
        add_squares(&mut masks, &plan, &s, p);
        let factors = doubled(&s, p);
        let weights: Vec<_> = (0..plan.weight_count())
            .map(|index| plan.weight_slots(&factors, p, index))
            .collect();
        let inputs = plan.pack_input(&with_squares(&c, p));
        let mut reply = plan.run(&PlainSlots::new(n, p), &inputs, &weights).unwrap();
        for (slots, mask) in reply.iter_mut().zip(&masks) {
            slots
                .iter_mut()
                .zip(mask)
                .for_each(|(y, m)| *y = add(*y, *m, p));
        }
        let shares = [plan.unpack_output(&reply), plan.unpack_output(&r)];
        for (i, &x) in x.iter().enumerate() {
            assert_eq!(add(shares[0][i], shares[1][i], p), squared(x, p));
        }
    }
}
