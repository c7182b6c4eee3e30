//! The crate `fhe` (fhe.rs) with the transforms of tfhe-ntt.
//!
//! A special prime is its last modulus: keys then stand at level 0 and the ciphertexts that are
//! rotated at level 1, below it; all else is done under parameters without that prime, where nothing
//! needs to be switched down. With a single prime it takes two digits. It hoists nothing, keeps
//! ciphertexts in NTT form only, and plaintexts as factors in NTT form.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use fhe::bfv::{
    BfvParameters, BfvParametersBuilder, Ciphertext, Encoding, EvaluationKey, EvaluationKeyBuilder,
    Plaintext, PublicKey, SecretKey,
};
use fhe_traits::{FheDecoder, FheDecrypter, FheEncoder, FheEncrypter, Serialize};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use crate::clock::repeat;
use crate::ops::{Op, Peer, Size};
use crate::rings::Ring;

/// Steps of the larger of two sets of keys whose difference is what keys cost by themselves: building
/// a set of any size also makes tables of other operations.
const STEPS: u32 = 9;

/// fhe.rs with keys and operands.
pub struct FheRs {
    params: Arc<BfvParameters>,
    secret: SecretKey,
    public: PublicKey,
    switching: Switching,
    rng: ChaCha20Rng,
    slots: Vec<u64>,
    plain: Plaintext,
    factor: Plaintext,
    ct: Ciphertext,
    acc: Ciphertext,
    product: Ciphertext,
}

/// What rotates: parameters with the special prime, if there is one.
struct Switching {
    /// Level of the ciphertexts.
    level: usize,
    secret: SecretKey,
    keys: EvaluationKey,
    ct: Ciphertext,
}

impl Switching {
    fn new(ring: &Ring, rng: &mut ChaCha20Rng) -> Result<Self> {
        let level = usize::from(ring.special.is_some());
        let params = parameters(ring, &ring.chain())?;
        let secret = SecretKey::random(&params, rng);
        let keys = keys(&secret, level, 1, rng)?;
        let ([slots, _], encoding) = (ring.slots(), Encoding::simd_at_level(level));
        let plain = Plaintext::try_encode(&slots, encoding.clone(), &params)?;
        let ct = secret.try_encrypt(&plain, rng)?;
        let turned = secret.try_decrypt(&keys.rotates_columns_by(&ct, 1)?)?;
        let got = Vec::<u64>::try_decode(&turned, encoding)?;
        ensure!(got == ring.turned(&slots), "fhe.rs: wrong result of rotate");
        Ok(Self {
            level,
            secret,
            keys,
            ct,
        })
    }
}

impl FheRs {
    /// Keys and operands in `ring`, after a look at the result of every operation.
    pub fn new(ring: &Ring) -> Result<Self> {
        let params = parameters(ring, &ring.q)?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = SecretKey::random(&params, &mut rng);
        let public = PublicKey::new(&secret, &mut rng);
        let [slots, other] = ring.slots();
        let (plain, factor) = (encode(&slots, &params)?, encode(&other, &params)?);
        let ct: Ciphertext = secret.try_encrypt(&plain, &mut rng)?;
        let mut peer = Self {
            switching: Switching::new(ring, &mut rng)?,
            acc: ct.clone(),
            product: ct.clone(),
            params,
            secret,
            public,
            rng,
            slots,
            plain,
            factor,
            ct,
        };
        peer.check(ring, &other)?;
        Ok(peer)
    }

    fn check(&mut self, ring: &Ring, other: &[u64]) -> Result<()> {
        let slots = &self.slots;
        let product = ring.product(slots, other);
        let expect = |ct: &Ciphertext, wanted: &[u64], op: Op| -> Result<()> {
            let got = decode(&self.secret.try_decrypt(ct)?)?;
            ensure!(got == wanted, "fhe.rs: wrong result of {}", op.name());
            Ok(())
        };
        expect(&self.ct, slots, Op::EncryptSecret)?;
        let sum = self.ct.clone() + &self.ct;
        expect(&sum, &ring.sum(slots, slots), Op::Add)?;
        expect(&(&self.ct * &self.factor), &product, Op::Hadamard)?;
        let acc = self.ct.clone() + &(&self.ct * &self.factor);
        let wanted = ring.sum(slots, &product);
        expect(&acc, &wanted, Op::MultiplyAccumulate)?;
        let fresh: Ciphertext = self.public.try_encrypt(&self.plain, &mut self.rng)?;
        expect(&fresh, slots, Op::EncryptPublic)?;
        let decoded = decode(&self.plain)?;
        ensure!(decoded == *slots, "fhe.rs: wrong result of decode");
        Ok(())
    }

    /// The time of `calls` keys, from two sets that differ by several.
    fn time_keys(&mut self, calls: u32) -> Result<Duration> {
        let Switching { level, secret, .. } = &self.switching;
        let mut sets = |steps: u32| {
            repeat(calls, || {
                black_box(keys(secret, *level, steps as usize, &mut self.rng)?);
                Ok(())
            })
        };
        let (many, one) = (sets(STEPS)?, sets(1)?);
        Ok(many.saturating_sub(one) / (STEPS - 1))
    }
}

impl Peer for FheRs {
    fn name(&self) -> &str {
        "fhe.rs"
    }

    fn time(&mut self, op: Op, calls: u32) -> Result<Option<Duration>> {
        let (ct, acc, slots, params) = (&self.ct, &mut self.acc, &self.slots, &self.params);
        let (secret, public, rng) = (&self.secret, &self.public, &mut self.rng);
        let time = match op {
            Op::Forward | Op::Encode | Op::Decrypt | Op::Decompose | Op::HoistedRotate => {
                return Ok(None);
            }
            Op::Add => repeat(calls, || {
                *black_box(&mut *acc) += ct;
                Ok(())
            }),
            Op::Hadamard => repeat(calls, || {
                *black_box(&mut self.product) *= &self.factor;
                Ok(())
            }),
            Op::MultiplyAccumulate => repeat(calls, || {
                *black_box(&mut *acc) += &(ct * &self.factor);
                Ok(())
            }),
            Op::Rotate => repeat(calls, || {
                let Switching { keys, ct, .. } = &self.switching;
                black_box(keys.rotates_columns_by(black_box(ct), 1)?);
                Ok(())
            }),
            Op::EncodeFactor => repeat(calls, || {
                black_box(encode(black_box(slots), params)?);
                Ok(())
            }),
            Op::Decode => repeat(calls, || {
                black_box(decode(black_box(&self.plain))?);
                Ok(())
            }),
            Op::EncryptSecret => repeat(calls, || {
                let ct: Ciphertext = secret.try_encrypt(black_box(&self.plain), rng)?;
                black_box(ct);
                Ok(())
            }),
            Op::EncodeEncryptSecret => repeat(calls, || {
                let plain = encode(black_box(slots), params)?;
                let ct: Ciphertext = secret.try_encrypt(&plain, rng)?;
                black_box(ct);
                Ok(())
            }),
            Op::EncryptPublic => repeat(calls, || {
                let ct: Ciphertext = public.try_encrypt(black_box(&self.plain), rng)?;
                black_box(ct);
                Ok(())
            }),
            Op::EncodeEncryptPublic => repeat(calls, || {
                let plain = encode(black_box(slots), params)?;
                let ct: Ciphertext = public.try_encrypt(&plain, rng)?;
                black_box(ct);
                Ok(())
            }),
            Op::DecryptNtt => repeat(calls, || {
                black_box(decode(&secret.try_decrypt(black_box(ct))?)?);
                Ok(())
            }),
            Op::GaloisKey => self.time_keys(calls),
        };
        time.map(Some)
    }

    fn bytes(&self, size: Size) -> Option<usize> {
        match size {
            Size::Ciphertext => Some(self.ct.to_bytes().len()),
            Size::GaloisKey => Some(self.switching.keys.to_bytes().len()),
        }
    }
}

fn parameters(ring: &Ring, moduli: &[u64]) -> Result<Arc<BfvParameters>> {
    let params = BfvParametersBuilder::new()
        .set_degree(ring.n)
        .set_plaintext_modulus(ring.p)
        .set_moduli(moduli)
        .build_arc()?;
    Ok(params)
}

/// Keys of the first `steps` steps, for ciphertexts at `level`.
fn keys(
    secret: &SecretKey,
    level: usize,
    steps: usize,
    rng: &mut ChaCha20Rng,
) -> Result<EvaluationKey> {
    let mut builder = EvaluationKeyBuilder::new_leveled(secret, level, 0)?;
    for step in 1..=steps {
        builder.enable_column_rotation(step)?;
    }
    Ok(builder.build(rng)?)
}

fn encode(slots: &[u64], params: &Arc<BfvParameters>) -> Result<Plaintext> {
    Ok(Plaintext::try_encode(slots, Encoding::simd(), params)?)
}

fn decode(plain: &Plaintext) -> Result<Vec<u64>> {
    Ok(Vec::<u64>::try_decode(plain, Encoding::simd())?)
}
