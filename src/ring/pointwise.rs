//! The loops over residues of one limb: slices of equal length with values in `0..q` in and out.
//!
//! All loops that touch every coefficient, other than the transforms and the products that the
//! transform engine brings along (`ntt.rs`), stand here, so that they can be made faster in one
//! place. Slices of unequal length are cut to the shorter one.

use super::modulus::{Constant, Modulus};

/// acc += x.
pub fn add_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.add(*acc, x);
    }
}

/// acc −= x.
pub fn sub_assign(q: Modulus, acc: &mut [u64], x: &[u64]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.sub(*acc, x);
    }
}

/// x = −x.
pub fn neg_assign(q: Modulus, x: &mut [u64]) {
    for x in x {
        *x = q.neg(*x);
    }
}

/// x = w·x.
pub fn scale_assign(q: Modulus, x: &mut [u64], w: Constant) {
    for x in x {
        *x = q.mul_constant(w, *x);
    }
}

/// acc = w·(acc − x).
pub fn sub_scale_assign(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.mul_constant(w, q.sub(*acc, x));
    }
}

/// acc += w·x for words x of any size.
pub fn scale_accumulate(q: Modulus, acc: &mut [u64], x: &[u64], w: Constant) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = q.add(*acc, q.mul_constant(w, x));
    }
}

/// out = the residues `x` modulo `from`, taken in −from/2 < x ≤ from/2, modulo `to`.
pub fn lift_centred(from: Modulus, to: Modulus, x: &[u64], out: &mut [u64]) {
    let (half, shift) = (from.half(), to.reduce(from.value()));
    for (out, &x) in out.iter_mut().zip(x) {
        let above = 0_u64.wrapping_sub(u64::from(x > half));
        *out = to.sub(to.reduce(x), shift & above);
    }
}

/// `out[i] = x[indices[i]]`.
#[expect(
    clippy::indexing_slicing,
    reason = "the indices are a permutation of the positions of x"
)]
pub fn permute(indices: &[u32], x: &[u64], out: &mut [u64]) {
    for (out, &index) in out.iter_mut().zip(indices) {
        *out = x[index as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loop_does_what_it_says() {
        let q = Modulus::new(17).unwrap();
        let w = q.constant(3);
        let mut acc = [1, 16, 5];
        add_assign(q, &mut acc, &[16, 16, 2]);
        assert_eq!(acc, [0, 15, 7]);
        sub_assign(q, &mut acc, &[1, 15, 3]);
        assert_eq!(acc, [16, 0, 4]);
        neg_assign(q, &mut acc);
        assert_eq!(acc, [1, 0, 13]);
        scale_assign(q, &mut acc, w);
        assert_eq!(acc, [3, 0, 5]);
        sub_scale_assign(q, &mut acc, &[1, 1, 1], w);
        assert_eq!(acc, [6, 14, 12]);
        scale_accumulate(q, &mut acc, &[100, 0, 1], w);
        assert_eq!(acc, [0, 14, 15]);
        permute(&[2, 0, 1], &[7, 8, 9], &mut acc);
        assert_eq!(acc, [9, 7, 8]);
    }

    #[test]
    fn centred_lift_keeps_the_signed_value() {
        for (from, to) in [(17, 97), (97, 17), (97, 101)] {
            let (from, to) = (Modulus::new(from).unwrap(), Modulus::new(to).unwrap());
            let x: Vec<u64> = (0..from.value()).collect();
            let mut out = vec![0; x.len()];
            lift_centred(from, to, &x, &mut out);
            for (x, out) in x.into_iter().zip(out) {
                assert_eq!(out, to.from_signed(from.centred(x)));
            }
        }
    }
}
