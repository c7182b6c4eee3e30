//! The BFV operations as the protocol carries them out, messages written and read included.
//!
//! | operation | what one run does |
//! | --- | --- |
//! | `encrypt_secret` | slots encrypted, the seeded ciphertext written; hot, one of 32, each with slots of its own, in one message |
//! | `expand` | a seeded ciphertext read and expanded; hot, one of 32 of one message, all kept |
//! | `mod_switch` | the reply's modulus switched, the reply written |
//! | `decrypt` | a reply read, decrypted and decoded |
//! | `galois_key`, `public_key` | one key made and written |
//! | `load_key` | one Galois key read and expanded |
//! | `decode` | a copy of the polynomial decoded |
//!
//! The others are the calls of the same name. Cold products take their encoded plaintext in turn from 256 MB, shared ones
//! from a set that the cores' shared cache holds, 16 after each rotation. Near, middle and far products are cold ones of several
//! sums made at once, each over all ciphertexts of the set, or 64. Of the others a cold or shared one follows a sweep of as many bytes through the caches;
//! of rotations, a run of 8 by as many keys, or one alone.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::case::{Case, WorkingSet};
use super::sets::{gone_through, spread, swept};
use super::sweep::Sweep;
use super::turns::Turns;
use super::workload::{Workload, WorkloadError};
use crate::bfv::{
    BfvParams, Ciphertext, Decomposed, Evaluator, GaloisKeys, HeOp, HeOps, Plaintext, PublicKey,
    Reply, Rotation, SecretKey, SeededCiphertext, Wire,
};
use crate::packing::SUMS_AT_ONCE;
use crate::units::Bytes;

mod in_layers;

/// Keys that rotations take in turn.
const KEYS: usize = 8;
/// Ciphertexts of a message: from n = 8192 on more than a core's own caches hold.
const ROW: usize = 32;
/// Products between two rotations.
const RUN: usize = 16;
/// The rotation that is measured; all cost the same.
const ROTATION: Rotation = Rotation::rows(1);

/// Operands of every BFV operation in one ring.
pub(super) struct HeOperands {
    case: Case,
    pub(super) params: BfvParams,
    pub(super) secret: SecretKey,
    public: PublicKey,
    pub(super) evaluator: Evaluator,
    pub(super) slots: Vec<u64>,
    pub(super) factor: Vec<u64>,
    accumulator: Ciphertext,
    other: Ciphertext,
    plaintext: Plaintext,
    decomposed: Decomposed,
    polynomial: Vec<u64>,
    seeded: Vec<u8>,
    pub(super) reply: Vec<u8>,
    keys: Vec<u8>,
    plaintexts: Turns<Plaintext>,
    ciphertexts: Turns<Ciphertext>,
    turned: Option<(Evaluator, Turns<Rotation>)>,
    pub(super) rng: ChaCha20Rng,
}

impl HeOperands {
    /// Draws the operands for the ring of `case`.
    pub(super) fn new(case: &Case) -> Result<Self, WorkloadError> {
        let literal = case
            .literal()
            .ok_or_else(|| WorkloadError::case(case, "BFV ring"))?;
        let params = BfvParams::insecure(&literal)?;
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (n, p) = (params.degree(), params.plaintext_modulus());
        let draw = |rng: &mut ChaCha20Rng| (0..n).map(|_| rng.random_range(0..p)).collect();
        let (slots, factor): (Vec<u64>, Vec<u64>) = (draw(&mut rng), draw(&mut rng));
        let secret = SecretKey::generate(&params, &mut rng);
        let public = PublicKey::generate(&secret, &mut rng);
        let galois = GaloisKeys::generate(&secret, &[ROTATION], &mut rng)?;
        let keys = written(&galois);
        let evaluator = Evaluator::new(&params, galois)?;
        let fresh = secret.encrypt(&slots, &mut rng)?;
        let seeded = written(&fresh);
        let other = fresh.expand();
        Ok(Self {
            case: case.clone(),
            plaintext: evaluator.encode(&factor)?,
            decomposed: evaluator.decompose(&other),
            polynomial: params.encode(&slots)?,
            reply: written(&evaluator.mod_switch(&other)),
            accumulator: other.clone(),
            plaintexts: Turns::none(),
            ciphertexts: Turns::none(),
            turned: None,
            params,
            secret,
            public,
            evaluator,
            slots,
            factor,
            other,
            seeded,
            keys,
            rng,
        })
    }

    /// Whether these are the operands of `case` too.
    pub(super) fn serves(&self, case: &Case) -> bool {
        let Case {
            op, working_set, ..
        } = case;
        Case {
            op: *op,
            working_set: *working_set,
            ..self.case.clone()
        } == *case
    }

    /// The operation on these operands.
    pub(super) fn workload(
        &mut self,
        op: HeOp,
        set: WorkingSet,
    ) -> Result<Workload<'_>, WorkloadError> {
        let unseen = self.fill(op, set)?;
        let bytes = self.bytes(op);
        if let Some(swept) = swept(op, set) {
            let prepare = Sweep::of(swept).alone();
            return Ok(Workload::once(bytes, prepare, move |()| self.run(op)));
        }
        let elsewhere = set != WorkingSet::Hot;
        let workload = match op {
            HeOp::MultiplyAccumulate if spread(set).is_some() => self.inner_products(),
            HeOp::Hadamard | HeOp::MultiplyAccumulate if elsewhere => self.products(op, set),
            HeOp::Rotate | HeOp::HoistedRotate if elsewhere => self.rotations(op, set),
            HeOp::Add => Workload::again(bytes, move || self.add()),
            HeOp::Hadamard => Workload::again(bytes, move || self.hadamard(set)),
            HeOp::MultiplyAccumulate => {
                Workload::again(bytes, move || self.multiply_accumulate(set))
            }
            HeOp::AddPlain => Workload::again(bytes, move || self.add_plain()),
            HeOp::Rotate => Workload::again(bytes, move || self.rotate(set)),
            HeOp::Decompose => Workload::again(bytes, move || self.decompose()),
            HeOp::HoistedRotate => Workload::again(bytes, move || self.hoisted_rotate(set)),
            HeOp::Encode => Workload::again(bytes, move || self.encode()),
            HeOp::Decode => Workload::again(bytes, move || self.decode()),
            HeOp::EncryptSecret => {
                let slots = vec![self.slots.clone(); ROW];
                Workload::again(bytes, move || self.encrypt_row(&slots)).for_each_of(ROW)
            }
            HeOp::Expand => {
                let message = self.seeded.repeat(ROW);
                Workload::again(bytes, move || self.expand_row(&message)).for_each_of(ROW)
            }
            HeOp::EncryptPublic => Workload::again(bytes, move || self.encrypt_public()),
            HeOp::Rerandomize => Workload::again(bytes, move || self.rerandomize()),
            HeOp::Decrypt => Workload::again(bytes, move || self.decrypt()),
            HeOp::ModSwitch => Workload::again(bytes, move || self.mod_switch()),
            HeOp::GaloisKey => Workload::again(bytes, move || self.galois_key()),
            HeOp::PublicKey => Workload::again(bytes, move || self.public_key()),
            HeOp::LoadKey => Workload::again(bytes, move || self.load_key()),
        };
        Ok(workload.through(unseen))
    }

    /// One of the operations that are measured after a sweep.
    fn run(&mut self, op: HeOp) -> Result<(), WorkloadError> {
        match op {
            HeOp::Decompose => drop(self.decompose()?),
            HeOp::EncryptSecret => drop(self.encrypt_secret()?),
            HeOp::Expand => drop(self.expand()?),
            HeOp::Rerandomize => self.rerandomize()?,
            HeOp::Decrypt => drop(self.decrypt()?),
            HeOp::ModSwitch => drop(self.mod_switch()?),
            _ => self.add_plain()?,
        }
        Ok(())
    }

    /// Makes the sets that a cold operation walks through, but for what the one before left there; a hot one needs
    /// none. So many runs go through all of them once.
    fn fill(&mut self, op: HeOp, set: WorkingSet) -> Result<usize, WorkloadError> {
        let poly = 8 * self.params.degree() * self.params.limbs();
        let of_ciphertexts = match op {
            HeOp::MultiplyAccumulate => spread(set),
            _ => None,
        };
        let new_ciphertexts = match of_ciphertexts {
            Some(whole) => self.ciphertexts.fill(&self.other, 2 * poly, whole),
            None => {
                self.ciphertexts = Turns::none();
                0
            }
        };
        let rotation = matches!(op, HeOp::Rotate | HeOp::HoistedRotate);
        let product = matches!(op, HeOp::Hadamard | HeOp::MultiplyAccumulate);
        let new_plaintexts = match gone_through(set).filter(|_| product) {
            Some(whole) => self.plaintexts.fill(&self.plaintext, poly, whole),
            None => {
                self.plaintexts = Turns::none();
                0
            }
        };
        if set == WorkingSet::Hot || !rotation {
            self.turned = None;
        } else if self.turned.is_none() {
            self.fill_keys()?;
        }
        let (ciphertexts, plaintexts) = match of_ciphertexts {
            Some(_) => (self.terms(), SUMS_AT_ONCE * self.terms()),
            None => (RUN, RUN),
        };
        let through = new_ciphertexts.div_ceil(ciphertexts);
        Ok(through.max(new_plaintexts.div_ceil(plaintexts)))
    }

    /// Keys of several rotations.
    fn fill_keys(&mut self) -> Result<(), WorkloadError> {
        let most = (self.params.degree() / 2).saturating_sub(1).max(1);
        let all: Vec<Rotation> = (1..=KEYS.min(most)).map(Rotation::rows).collect();
        let galois = GaloisKeys::generate(&self.secret, &all, &mut self.rng)?;
        let evaluator = Evaluator::new(&self.params, galois)?;
        self.turned = Some((evaluator, Turns { all, next: 0 }));
        Ok(())
    }

    pub(super) fn bytes(&self, op: HeOp) -> Bytes {
        let params = &self.params;
        let size = match op {
            HeOp::EncryptSecret => params.seeded_ciphertext_size(),
            HeOp::ModSwitch => params.reply_size(),
            HeOp::GaloisKey => params.galois_keys_size(1),
            HeOp::PublicKey => params.public_key_size(),
            HeOp::Encode => 8 * params.degree() * params.limbs(),
            _ => 0,
        };
        Bytes(size as u64)
    }

    fn add(&mut self) -> Result<(), WorkloadError> {
        self.evaluator.add(&mut self.accumulator, &self.other);
        Ok(())
    }

    fn hadamard(&mut self, set: WorkingSet) -> Result<Ciphertext, WorkloadError> {
        let factor = self.plaintexts.take(set, &self.plaintext);
        Ok(self.evaluator.hadamard(&self.other, factor))
    }

    fn multiply_accumulate(&mut self, set: WorkingSet) -> Result<(), WorkloadError> {
        let factor = self.plaintexts.take(set, &self.plaintext);
        self.evaluator
            .multiply_accumulate(&mut self.accumulator, &self.other, factor);
        Ok(())
    }

    fn add_plain(&mut self) -> Result<(), WorkloadError> {
        Ok(self
            .evaluator
            .add_plain(&mut self.accumulator, &self.factor)?)
    }

    fn rotate(&mut self, set: WorkingSet) -> Result<Ciphertext, WorkloadError> {
        let (evaluator, rotation) = turn(&mut self.turned, &self.evaluator, set);
        Ok(evaluator.rotate(&self.other, rotation)?)
    }

    fn decompose(&self) -> Result<Decomposed, WorkloadError> {
        Ok(self.evaluator.decompose(&self.other))
    }

    fn hoisted_rotate(&mut self, set: WorkingSet) -> Result<Ciphertext, WorkloadError> {
        let (evaluator, rotation) = turn(&mut self.turned, &self.evaluator, set);
        Ok(evaluator.rotate_decomposed(&self.decomposed, rotation)?)
    }

    fn encode(&self) -> Result<Plaintext, WorkloadError> {
        Ok(self.evaluator.encode(&self.factor)?)
    }

    fn decode(&self) -> Result<Vec<u64>, WorkloadError> {
        Ok(self.params.decode(self.polynomial.clone())?)
    }

    fn encrypt_secret(&mut self) -> Result<Vec<u8>, WorkloadError> {
        Ok(written(&self.secret.encrypt(&self.slots, &mut self.rng)?))
    }

    /// A message of one ciphertext for each of the slots.
    fn encrypt_row(&mut self, slots: &[Vec<u64>]) -> Result<Vec<u8>, WorkloadError> {
        let mut message = Vec::with_capacity(slots.len() * self.params.seeded_ciphertext_size());
        for slots in slots {
            let encrypted = self.secret.encrypt(slots, &mut self.rng)?;
            encrypted.write(&mut message);
        }
        Ok(message)
    }

    fn expand(&self) -> Result<Ciphertext, WorkloadError> {
        Ok(SeededCiphertext::read(&self.params, &self.seeded)?.expand())
    }

    /// The ciphertexts of a message.
    fn expand_row(&self, message: &[u8]) -> Result<Vec<Ciphertext>, WorkloadError> {
        let each = message.chunks(self.params.seeded_ciphertext_size());
        let read = |bytes| Ok(SeededCiphertext::read(&self.params, bytes)?.expand());
        each.map(read).collect()
    }

    fn encrypt_public(&mut self) -> Result<Ciphertext, WorkloadError> {
        Ok(self.public.encrypt(&self.slots, &mut self.rng)?)
    }

    fn rerandomize(&mut self) -> Result<(), WorkloadError> {
        let Self {
            evaluator,
            accumulator,
            factor,
            public,
            rng,
            ..
        } = self;
        Ok(evaluator.rerandomize(accumulator, factor, public, rng)?)
    }

    fn decrypt(&self) -> Result<Vec<u64>, WorkloadError> {
        Ok(self
            .secret
            .decrypt(&Reply::read(&self.params, &self.reply)?)?)
    }

    fn mod_switch(&self) -> Result<Vec<u8>, WorkloadError> {
        Ok(written(&self.evaluator.mod_switch(&self.other)))
    }

    fn galois_key(&mut self) -> Result<Vec<u8>, WorkloadError> {
        Ok(written(&GaloisKeys::generate(
            &self.secret,
            &[ROTATION],
            &mut self.rng,
        )?))
    }

    fn public_key(&mut self) -> Result<Vec<u8>, WorkloadError> {
        Ok(written(&PublicKey::generate(&self.secret, &mut self.rng)))
    }

    fn load_key(&self) -> Result<GaloisKeys, WorkloadError> {
        Ok(GaloisKeys::read(&self.params, &self.keys)?)
    }
}

/// The rotation whose turn it is, and the evaluator that holds its key.
fn turn<'a>(
    turned: &'a mut Option<(Evaluator, Turns<Rotation>)>,
    own: &'a Evaluator,
    set: WorkingSet,
) -> (&'a Evaluator, Rotation) {
    match turned {
        Some((evaluator, turns)) => {
            let rotation = *turns.take(set, &ROTATION);
            (evaluator, rotation)
        }
        None => (own, ROTATION),
    }
}

pub(super) fn written(message: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operands, and the two slot vectors with p.
    fn operands(limbs: usize) -> HeOperands {
        HeOperands::new(&Case::of_ring((64, limbs)).remove(0)).unwrap()
    }

    fn zipped(o: &HeOperands, f: impl Fn(u64, u64) -> u64) -> Vec<u64> {
        let p = o.params.plaintext_modulus();
        o.slots
            .iter()
            .zip(&o.factor)
            .map(|(&x, &y)| f(x, y) % p)
            .collect()
    }

    fn rotated(o: &HeOperands) -> Vec<u64> {
        let (first, second) = o.slots.split_at(32);
        let turn = |row: &[u64]| [&row[1..], &row[..1]].concat();
        [turn(first), turn(second)].concat()
    }

    #[test]
    fn operations_in_place_are_right() {
        for (limbs, set) in [
            (1, WorkingSet::Hot),
            (2, WorkingSet::Hot),
            (2, WorkingSet::Cold),
        ] {
            let mut o = operands(limbs);
            o.add().unwrap();
            assert_eq!(
                o.secret.decrypt(&o.accumulator).unwrap(),
                zipped(&o, |x, _| 2 * x)
            );
            let mut o = operands(limbs);
            o.multiply_accumulate(set).unwrap();
            assert_eq!(
                o.secret.decrypt(&o.accumulator).unwrap(),
                zipped(&o, |x, y| x + x * y)
            );
            let product = o.hadamard(set).unwrap();
            assert_eq!(
                o.secret.decrypt(&product).unwrap(),
                zipped(&o, |x, y| x * y)
            );
            let mut o = operands(limbs);
            o.add_plain().unwrap();
            o.rerandomize().unwrap();
            assert_eq!(
                o.secret.decrypt(&o.accumulator).unwrap(),
                zipped(&o, |x, y| x + 2 * y)
            );
        }
    }

    #[test]
    fn operations_with_results_are_right() {
        let mut o = operands(2);
        let slots = o.slots.clone();
        let whole = o.rotate(WorkingSet::Hot).unwrap();
        assert_eq!(o.secret.decrypt(&whole).unwrap(), rotated(&o));
        let hoisted = o.hoisted_rotate(WorkingSet::Hot).unwrap();
        assert_eq!(o.secret.decrypt(&hoisted).unwrap(), rotated(&o));
        let again = o
            .evaluator
            .rotate_decomposed(&o.decompose().unwrap(), ROTATION)
            .unwrap();
        assert_eq!(o.secret.decrypt(&again).unwrap(), rotated(&o));
        assert!(o.encode().unwrap() == o.plaintext);
        assert_eq!(o.decode().unwrap(), slots);
        assert_eq!(o.decrypt().unwrap(), slots);
        assert_eq!(o.secret.decrypt(&o.expand().unwrap()).unwrap(), slots);
        let fresh = o.encrypt_public().unwrap();
        assert_eq!(o.secret.decrypt(&fresh).unwrap(), slots);
    }

    #[test]
    fn messages_are_right_and_as_long_as_their_case_says() {
        let mut o = operands(3);
        let slots = [o.slots.clone(), o.factor.clone()];
        let row = o.encrypt_row(&slots).unwrap();
        let row = o.expand_row(&row).unwrap();
        let decrypted = row.iter().map(|one| o.secret.decrypt(one).unwrap());
        assert!(decrypted.eq(slots));
        o.seeded = o.encrypt_secret().unwrap();
        o.reply = o.mod_switch().unwrap();
        o.keys = o.galois_key().unwrap();
        let public = o.public_key().unwrap();
        let lengths = [o.seeded.len(), o.reply.len(), o.keys.len(), public.len()];
        let ops = [
            HeOp::EncryptSecret,
            HeOp::ModSwitch,
            HeOp::GaloisKey,
            HeOp::PublicKey,
        ];
        assert_eq!(ops.map(|op| o.bytes(op).0 as usize), lengths);
        assert_eq!(o.decrypt().unwrap(), o.slots);
        assert_eq!(o.secret.decrypt(&o.expand().unwrap()).unwrap(), o.slots);
        let evaluator = Evaluator::new(&o.params, o.load_key().unwrap()).unwrap();
        let turned = evaluator.rotate(&o.other, ROTATION).unwrap();
        assert_eq!(o.secret.decrypt(&turned).unwrap(), rotated(&o));
        let public = PublicKey::read(&o.params, &public).unwrap();
        let fresh = public.encrypt(&o.slots, &mut o.rng).unwrap();
        assert_eq!(o.secret.decrypt(&fresh).unwrap(), o.slots);
    }

    #[test]
    fn cold_operands_outgrow_the_caches_and_are_taken_in_turn() {
        let n = 2048;
        let mut o = HeOperands::new(&Case::of_ring((n, 1)).remove(0)).unwrap();
        let bytes = |o: &HeOperands| o.plaintexts.all.len() * n * 8;
        drop(o.workload(HeOp::Hadamard, WorkingSet::Cold));
        assert!(bytes(&o) > 256 << 20);
        drop(o.workload(HeOp::Hadamard, WorkingSet::Shared));
        assert!((24 << 20..25 << 20).contains(&bytes(&o)));
        let hot = o.plaintext.clone();
        let before = o.plaintexts.next;
        for expected in [1, 2, 3] {
            o.plaintexts.take(WorkingSet::Cold, &hot);
            assert_eq!(o.plaintexts.next, before + expected);
        }
        drop(o.workload(HeOp::Hadamard, WorkingSet::Hot));
        assert!(o.plaintexts.all.is_empty());
    }
}
