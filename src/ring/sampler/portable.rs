//! The loops over secret words for any processor; no branch depends on a word.

use super::THIRDS;

/// Each word as −1, 0 or 1: how many of the thirds it has reached, less one.
pub(super) fn ternary(words: &mut [u64]) {
    for word in words {
        let reached: u64 = THIRDS.iter().map(|&third| u64::from(*word >= third)).sum();
        *word = reached.wrapping_sub(1);
    }
}

/// Each word as the error it stands for: its low bit is the sign, the rest is compared with all tails.
pub(super) fn errors(words: &mut [u64], tails: &[u64]) {
    for word in words {
        let u = *word >> 1;
        // Both sides are below 2^63: the difference is negative exactly if u < tail.
        let magnitude: u64 = tails.iter().map(|&tail| u.wrapping_sub(tail) >> 63).sum();
        let sign = (*word & 1).wrapping_neg();
        *word = (magnitude ^ sign).wrapping_sub(sign);
    }
}
