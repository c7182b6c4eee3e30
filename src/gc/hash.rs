//! The garbling hash TMMO: `H(x, i) = π(π(x) ⊕ i) ⊕ π(x)`, π = AES-128 under one public key.
//!
//! Guo, Katz, Wang, Yu (IEEE S&P 2020), section 7: in the ideal-cipher model H is tweakable circular
//! correlation robust. Security is about `128 − log2(ANDs under one key)` bits; with at most 2^20
//! ANDs ([`ANDS_PER_KEY`]) under a key, and a fresh random key after that, about 108 bits against
//! an attacker who spends that many AES calls. The tweak `i` never repeats under one key.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// AND gates that may be garbled under one AES key.
pub const ANDS_PER_KEY: usize = 1 << 20;

/// TMMO under one key, with room for the blocks in flight.
pub(super) struct Tmmo {
    cipher: Aes128,
    scratch: Vec<aes::Block>,
}

impl Tmmo {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self {
            cipher: Aes128::new(&(*key).into()),
            scratch: Vec::new(),
        }
    }

    /// Replaces each `blocks[i]` by `H(blocks[i], tweak(i))`.
    pub(super) fn hash(&mut self, blocks: &mut [u128], tweak: impl Fn(usize) -> u128) {
        self.scratch.clear();
        self.scratch
            .extend(blocks.iter().map(|x| aes::Block::from(x.to_le_bytes())));
        self.cipher.encrypt_blocks(&mut self.scratch);
        for (i, (block, inner)) in blocks.iter_mut().zip(&mut self.scratch).enumerate() {
            *block = u128::from_le_bytes((*inner).into());
            *inner = (*block ^ tweak(i)).to_le_bytes().into();
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

    /// AES-128 of one block, FIPS 197 appendix B and C.1 checked below.
    fn pi(key: [u8; 16], x: u128) -> u128 {
        let mut block = aes::Block::from(x.to_le_bytes());
        Aes128::new(&key.into()).encrypt_block(&mut block);
        u128::from_le_bytes(block.into())
    }

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
        for len in [1, 7, 64, 257] {
            let inputs: Vec<u128> = (0..len).map(|i: u128| i.pow(9) << 70 | i).collect();
            let mut hashed = inputs.clone();
            Tmmo::new(&key).hash(&mut hashed, |i| 5 + 3 * i as u128);
            for (i, (&x, &h)) in inputs.iter().zip(&hashed).enumerate() {
                let inner = pi(key, x);
                assert_eq!(h, pi(key, inner ^ (5 + 3 * i as u128)) ^ inner);
            }
        }
    }
}
