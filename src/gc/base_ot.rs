//! Base oblivious transfers on random strings: 128 pairs of seeds, of which the receiver learns one each.
//!
//! Chou, Orlandi, "The simplest protocol for oblivious transfer" (Latincrypt 2015), over Ristretto
//! (B generates). Sender: secret y, sends `S = yB`. Receiver: secret x_i and choice c_i, sends
//! `R_i = x_i B + c_i S`, keeps `H(i, S, R_i, x_i S)`. The sender has `H(i, S, R_i, y R_i)` and
//! `H(i, S, R_i, y R_i − y S)`. H is blake3 in key-derivation mode. Choices are hidden perfectly; the
//! other seed is hidden by the computational Diffie–Hellman assumption in the random-oracle model.
//! Semi-honest security only: no party proves anything.
//!
//! Roles are turned round for the extension: the evaluator sends here, the garbler receives, with
//! the bits of Δ for choices.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rand::CryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::error::{GcError, expect_len};
use super::labels::Delta;
use super::transfer_messages::{BASE_TRANSFERS, BaseOtOffer, BaseOtReply};

const CONTEXT: &str = "nass 2026 base oblivious transfer, simplest, Ristretto";

/// Both seeds of every base transfer.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SeedPairs(pub(super) Vec<[[u8; 32]; 2]>);

/// One seed of every base transfer: the one Δ's bit names.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ChosenSeeds(pub(super) Vec<[u8; 32]>);

/// The sender, waiting for the reply.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct BaseOtSender {
    y: Scalar,
    #[zeroize(skip)]
    s: RistrettoPoint,
}

impl BaseOtSender {
    /// Makes the offer.
    pub fn offer<R: CryptoRng>(rng: &mut R) -> (Self, BaseOtOffer) {
        let y = scalar(rng);
        let s = RistrettoPoint::mul_base(&y);
        (
            Self { y, s },
            BaseOtOffer {
                point: s.compress().to_bytes(),
            },
        )
    }

    /// The pairs of seeds.
    ///
    /// # Errors
    /// A reply of the wrong length, or with bytes that encode no group element.
    pub fn finish(self, reply: &BaseOtReply) -> Result<SeedPairs, GcError> {
        expect_len(
            "points of a base transfer reply",
            reply.points.len(),
            BASE_TRANSFERS,
        )?;
        let offer = self.s.compress().to_bytes();
        let ys = self.y * self.s;
        let mut pairs = SeedPairs(Vec::with_capacity(BASE_TRANSFERS));
        for (i, r) in reply.points.iter().enumerate() {
            let yr = self.y * decompress(i, r)?;
            pairs
                .0
                .push([yr, yr - ys].map(|shared| derive(i, &offer, r, &shared)));
        }
        Ok(pairs)
    }
}

/// The receiver: Δ's bits are its choices.
pub struct BaseOtReceiver;

impl BaseOtReceiver {
    /// Answers the offer; keeps one seed of each pair.
    ///
    /// # Errors
    /// An offer that encodes no group element, or the neutral one.
    pub fn reply<R: CryptoRng>(
        offer: &BaseOtOffer,
        delta: &Delta,
        rng: &mut R,
    ) -> Result<(ChosenSeeds, BaseOtReply), GcError> {
        let s = decompress(0, &offer.point)?;
        if s == RistrettoPoint::identity() {
            return Err(GcError::Point { index: 0 });
        }
        let mut seeds = ChosenSeeds(Vec::with_capacity(BASE_TRANSFERS));
        let mut points = Vec::with_capacity(BASE_TRANSFERS);
        for i in 0..BASE_TRANSFERS {
            let x = Zeroizing::new(scalar(rng));
            let choice = Choice::from((delta.0 >> i & 1) as u8);
            let zero = RistrettoPoint::identity();
            let shift = RistrettoPoint::conditional_select(&zero, &s, choice);
            let r = (RistrettoPoint::mul_base(&x) + shift).compress().to_bytes();
            seeds.0.push(derive(i, &offer.point, &r, &(*x * s)));
            points.push(r);
        }
        Ok((seeds, BaseOtReply { points }))
    }
}

fn scalar<R: CryptoRng>(rng: &mut R) -> Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    rng.fill_bytes(&mut *wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn decompress(index: usize, bytes: &[u8; 32]) -> Result<RistrettoPoint, GcError> {
    CompressedRistretto(*bytes)
        .decompress()
        .ok_or(GcError::Point { index })
}

/// `H(i, S, R, shared)`.
fn derive(i: usize, s: &[u8; 32], r: &[u8; 32], shared: &RistrettoPoint) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&(i as u64).to_le_bytes()).update(s).update(r);
    hasher.update(shared.compress().as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    use super::*;

    #[test]
    fn the_receiver_has_the_seed_it_chose_and_not_the_other() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let delta = Delta::random(&mut rng);
        let (sender, offer) = BaseOtSender::offer(&mut rng);
        let (chosen, reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
        let pairs = sender.finish(&reply).unwrap();
        assert_eq!(pairs.0.len(), BASE_TRANSFERS);
        for (i, (pair, seed)) in pairs.0.iter().zip(&chosen.0).enumerate() {
            let choice = (delta.0 >> i & 1) as usize;
            assert_eq!(pair[choice], *seed);
            assert_ne!(pair[1 - choice], *seed);
        }
    }

    #[test]
    fn bytes_that_are_no_points_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let delta = Delta::random(&mut rng);
        for point in [[0xff; 32], [0; 32]] {
            let refused = BaseOtReceiver::reply(&BaseOtOffer { point }, &delta, &mut rng).err();
            assert_eq!(refused, Some(GcError::Point { index: 0 }));
        }
        let (sender, offer) = BaseOtSender::offer(&mut rng);
        let (_, mut reply) = BaseOtReceiver::reply(&offer, &delta, &mut rng).unwrap();
        reply.points[77] = [0xff; 32];
        assert_eq!(
            sender.finish(&reply).err(),
            Some(GcError::Point { index: 77 })
        );
    }
}
