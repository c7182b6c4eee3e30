//! nass: all calls of its public interface that are compared.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use nass::bfv::{
    BfvLiteral, BfvParams, Ciphertext, Decomposed, Evaluator, GaloisKeys, HeOps, Plaintext,
    PublicKey, Reply, Rotation, SecretKey, Wire,
};
use nass::ring::NttPlan;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use crate::clock::repeat;
use crate::ops::{Op, Peer, Size};
use crate::rings::{DIGITS, Ring, bits};

const STEP: Rotation = Rotation::rows(1);

/// nass with keys and operands.
pub struct Ours {
    params: BfvParams,
    secret: SecretKey,
    public: PublicKey,
    evaluator: Evaluator,
    bytes_galois_key: usize,
    rng: ChaCha20Rng,
    slots: Vec<u64>,
    polynomial: Vec<u64>,
    factor: Plaintext,
    ct: Ciphertext,
    acc: Ciphertext,
    out: Ciphertext,
    decomposed: Decomposed,
    reply: Reply,
    plan: Arc<NttPlan>,
    residues: Vec<u64>,
}

impl Ours {
    /// Keys and operands in `ring`, after a look at the result of every operation.
    pub fn new(ring: &Ring) -> Result<Self> {
        let params = params(ring)?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let secret = SecretKey::generate(&params, &mut rng);
        let public = PublicKey::generate(&secret, &mut rng);
        let keys = GaloisKeys::generate(&secret, &[STEP], &mut rng)?;
        let bytes_galois_key = keys.wire_size();
        let evaluator = Evaluator::new(&params, keys)?;
        let [slots, other] = ring.slots();
        let ct = secret.encrypt(&slots, &mut rng)?.expand();
        let plan = NttPlan::limb(ring.n, ring.q[0])?;
        let mut ours = Self {
            bytes_galois_key,
            polynomial: params.encode(&slots)?,
            factor: evaluator.encode(&other)?,
            acc: ct.clone(),
            out: ct.clone(),
            decomposed: evaluator.decompose(&ct),
            reply: evaluator.mod_switch(&ct),
            residues: (0..ring.n as u64).collect(),
            params,
            secret,
            public,
            evaluator,
            rng,
            slots,
            ct,
            plan,
        };
        ours.check(ring, &other)?;
        Ok(ours)
    }

    fn check(&mut self, ring: &Ring, other: &[u64]) -> Result<()> {
        let (he, slots, rng) = (&self.evaluator, &self.slots, &mut self.rng);
        let product = ring.product(slots, other);
        let expect = |ct: &Ciphertext, wanted: &[u64], op: Op| -> Result<()> {
            let got = self.secret.decrypt(ct)?;
            ensure!(got == wanted, "nass: wrong result of {}", op.name());
            Ok(())
        };
        let mut acc = self.ct.clone();
        he.add(&mut acc, &self.ct);
        expect(&acc, &ring.sum(slots, slots), Op::Add)?;
        let mut out = self.ct.clone();
        he.hadamard_assign(&mut out, &self.factor);
        expect(&out, &product, Op::Hadamard)?;
        let mut acc = self.ct.clone();
        he.multiply_accumulate(&mut acc, &self.ct, &self.factor);
        let wanted = ring.sum(slots, &product);
        expect(&acc, &wanted, Op::MultiplyAccumulate)?;
        let turned = ring.turned(slots);
        expect(&he.rotate(&self.ct, STEP)?, &turned, Op::Rotate)?;
        let hoisted = he.rotate_decomposed(&self.decomposed, STEP)?;
        expect(&hoisted, &turned, Op::HoistedRotate)?;
        let fresh = self.secret.encrypt(slots, rng)?.expand();
        expect(&fresh, slots, Op::EncryptSecret)?;
        expect(&self.public.encrypt(slots, rng)?, slots, Op::EncryptPublic)?;
        let decoded = self.params.decode(self.polynomial.clone())?;
        ensure!(decoded == *slots, "nass: wrong result of decode");
        let replied = self.secret.decrypt(&self.reply)?;
        ensure!(replied == *slots, "nass: wrong result of decrypt");
        Ok(())
    }
}

fn params(ring: &Ring) -> Result<BfvParams> {
    let widest = ring.q.iter().map(|&q| bits(q)).max().unwrap_or(0);
    let digit_bits = match ring.special {
        Some(_) => None,
        None => Some(widest.div_ceil(DIGITS as u32)),
    };
    Ok(BfvParams::insecure(&BfvLiteral {
        n: ring.n,
        p: ring.p,
        q: ring.q.clone(),
        special: ring.special.into_iter().collect(),
        digit_bits,
        flooding_log2: None,
        reply_limbs: ring.q.len(),
    })?)
}

impl Peer for Ours {
    fn name(&self) -> &str {
        "nass"
    }

    fn time(&mut self, op: Op, calls: u32) -> Result<Option<Duration>> {
        let (he, rng) = (&self.evaluator, &mut self.rng);
        let (ct, acc, slots) = (&self.ct, &mut self.acc, &self.slots);
        let out = &mut self.out;
        let time = match op {
            Op::Forward => repeat(calls, || {
                self.plan.forward(black_box(&mut self.residues));
                Ok(())
            }),
            Op::Add => repeat(calls, || {
                he.add(black_box(acc), ct);
                Ok(())
            }),
            Op::Hadamard => repeat(calls, || {
                he.hadamard_assign(black_box(out), &self.factor);
                Ok(())
            }),
            Op::MultiplyAccumulate => repeat(calls, || {
                he.multiply_accumulate(black_box(acc), ct, &self.factor);
                Ok(())
            }),
            Op::Rotate => repeat(calls, || {
                black_box(he.rotate(black_box(ct), STEP)?);
                Ok(())
            }),
            Op::Decompose => repeat(calls, || {
                black_box(he.decompose(black_box(ct)));
                Ok(())
            }),
            Op::HoistedRotate => repeat(calls, || {
                black_box(he.rotate_decomposed(black_box(&self.decomposed), STEP)?);
                Ok(())
            }),
            Op::Encode => repeat(calls, || {
                black_box(self.params.encode(black_box(slots))?);
                Ok(())
            }),
            Op::EncodeFactor => repeat(calls, || {
                black_box(he.encode(black_box(slots))?);
                Ok(())
            }),
            Op::Decode => repeat(calls, || {
                black_box(self.params.decode(black_box(self.polynomial.clone()))?);
                Ok(())
            }),
            Op::EncryptSecret | Op::EncodeEncryptSecret => repeat(calls, || {
                black_box(self.secret.encrypt(black_box(slots), rng)?);
                Ok(())
            }),
            Op::EncryptPublic | Op::EncodeEncryptPublic => repeat(calls, || {
                black_box(self.public.encrypt(black_box(slots), rng)?);
                Ok(())
            }),
            Op::Decrypt => repeat(calls, || {
                black_box(self.secret.decrypt(black_box(&self.reply))?);
                Ok(())
            }),
            Op::DecryptNtt => repeat(calls, || {
                black_box(self.secret.decrypt(black_box(ct))?);
                Ok(())
            }),
            Op::GaloisKey => repeat(calls, || {
                black_box(GaloisKeys::generate(&self.secret, &[STEP], rng)?);
                Ok(())
            }),
        };
        time.map(Some)
    }

    fn bytes(&self, size: Size) -> Option<usize> {
        match size {
            Size::Ciphertext => Some(self.params.seeded_ciphertext_size()),
            Size::GaloisKey => Some(self.bytes_galois_key),
        }
    }
}
