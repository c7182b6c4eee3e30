//! The garbling hash TMMO: `H(x, i) = π(π(x) ⊕ i) ⊕ π(x)`, π = AES-128 under one public key.
//!
//! Guo, Katz, Wang, Yu (IEEE S&P 2020), section 7: in the ideal-cipher model H is tweakable circular
//! correlation robust. Security is about `128 − log2(ANDs under one key)` bits; with at most 2^20
//! ANDs ([`ANDS_PER_KEY`]) under a key, and a fresh random key after that, about 108 bits against
//! an attacker who spends that many AES calls. The tweak `i` never repeats under one key.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroize;

/// AND gates that may be garbled under one AES key.
pub const ANDS_PER_KEY: usize = 1 << 20;

/// TMMO under one key, with room for the blocks in flight (wiped on drop).
pub(super) struct Tmmo {
    cipher: Aes128,
    scratch: Vec<aes::Block>,
}

impl Drop for Tmmo {
    fn drop(&mut self) {
        self.scratch.iter_mut().for_each(|block| block.0.zeroize());
    }
}

impl Tmmo {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self {
            cipher: Aes128::new(&(*key).into()),
            scratch: Vec::new(),
        }
    }

    /// Replaces each block x by `H(x, i)`, for N groups of equal length: the tweak of place k in a
    /// group is `2 (first + k)` plus the group's parity.
    pub(super) fn hash<const N: usize>(
        &mut self,
        blocks: &mut [u128],
        first: usize,
        parities: [u128; N],
    ) {
        let lanes = (blocks.len() / N).max(1);
        self.scratch.clear();
        self.scratch
            .extend(blocks.iter().map(|x| aes::Block::from(x.to_le_bytes())));
        self.cipher.encrypt_blocks(&mut self.scratch);
        let groups = blocks.chunks_mut(lanes).zip(self.scratch.chunks_mut(lanes));
        for ((blocks, inner), parity) in groups.zip(parities) {
            let mut tweak = 2 * first as u128 + parity;
            for (block, inner) in blocks.iter_mut().zip(inner) {
                *block = u128::from_le_bytes((*inner).into());
                *inner = (*block ^ tweak).to_le_bytes().into();
                tweak += 2;
            }
        }
        self.cipher.encrypt_blocks(&mut self.scratch);
        for (block, outer) in blocks.iter_mut().zip(&self.scratch) {
            *block ^= u128::from_le_bytes((*outer).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AES-128 of one block.
    fn pi(key: [u8; 16], x: u128) -> u128 {
        let mut block = aes::Block::from(x.to_le_bytes());
        Aes128::new(&key.into()).encrypt_block(&mut block);
        u128::from_le_bytes(block.into())
    }

    /// FIPS 197, appendix C.1.
    #[test]
    fn aes_is_the_standard_one() {
        let key = std::array::from_fn(|i| i as u8);
        let text: [u8; 16] = std::array::from_fn(|i| 17 * i as u8);
        let cipher = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.to_be_bytes();
        assert_eq!(
            pi(key, u128::from_le_bytes(text)),
            u128::from_le_bytes(cipher)
        );
    }

    #[test]
    fn hash_is_the_formula_for_every_block() {
        let key = *b"sixteen byte key";
        for lanes in [1, 7, 64, 257] {
            let inputs: Vec<u128> = (0..2 * lanes).map(|i: u128| i.pow(9) << 70 | i).collect();
            let mut hashed = inputs.clone();
            Tmmo::new(&key).hash(&mut hashed, 1000, [0, 1]);
            for (i, (&x, &h)) in (0..).zip(inputs.iter().zip(&hashed)) {
                let tweak = 2 * (1000 + i % lanes) + i / lanes;
                let inner = pi(key, x);
                assert_eq!(h, pi(key, inner ^ tweak) ^ inner);
            }
        }
    }
}
