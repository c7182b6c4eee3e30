//! Garbling: half gates over a batch of equal circuits.
//!
//! Zahur, Rosulek, Evans (Eurocrypt 2015), in their letters: for inputs with zero labels A, B,
//! permute bits `p_a = lsb A`, `p_b = lsb B`, tweaks `j = 2i`, `j' = 2i + 1`:
//! `T_G = H(A, j) ⊕ H(A ⊕ Δ, j) ⊕ p_b Δ`, `W_G = H(A, j) ⊕ p_a T_G`,
//! `T_E = H(B, j') ⊕ H(B ⊕ Δ, j') ⊕ A`, `W_E = H(B, j') ⊕ p_b (T_E ⊕ A)`; zero label out `W_G ⊕ W_E`.
//! H is TMMO, i counts the ANDs under one key. Nothing here branches on a secret.
//!
//! What comes out moves offline ([`GarbledTables`]) or stays and is used up: [`GarblerInputs`] gives the
//! garbler's labels once, [`EvaluatorInputs`] answers one set of choices. Each garbling is so
//! evaluated once; a second set of labels would show Δ.

use rand::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::circuits::ShareCircuit;
use super::error::{GcError, expect_len};
use super::extension::PreparedSends;
use super::hash::Ciphers;
use super::kernels::{And, Backend, Cipher, LANES, Table};
use super::labels::{Blocks, Delta, Stretch, mask};
use super::lanes::{Rows, Run, Shape};
use super::messages::{GarbledTables, GarblerLabels, pack};
use super::program::{Program, Step};

/// The garbler's input labels, both for each bit. Used up by [`GarblerInputs::encode`].
pub struct GarblerInputs {
    shape: Shape,
    zero: Blocks,
    delta: Delta,
}

// Every field wipes itself.
impl ZeroizeOnDrop for GarblerInputs {}
impl ZeroizeOnDrop for EvaluatorInputs {}

impl GarblerInputs {
    /// The labels of the garbler's shares (order instance, window) and its masks r, one an instance.
    ///
    /// # Errors
    /// Wrong numbers of shares or masks, or one that is not below its modulus.
    pub fn encode(self, shares: &[u64], masks: &[u64]) -> Result<GarblerLabels, GcError> {
        let mut bits = self
            .shape
            .circuit
            .garbler_bits(shares, masks, self.shape.batch)?;
        let active = self.zero.0.iter().zip(&bits);
        let labels = active
            .map(|(w, &bit)| w ^ (mask(u128::from(bit)) & self.delta.0))
            .collect();
        bits.zeroize();
        Ok(GarblerLabels { labels })
    }
}

/// The evaluator's input labels, both for each bit. Used up by [`EvaluatorInputs::transfer`].
pub struct EvaluatorInputs {
    pub(super) zero: Blocks,
    pub(super) delta: Delta,
}

/// A garbled batch whose evaluator labels are still to be transferred.
pub struct Garbling {
    /// To the evaluator, offline.
    pub tables: GarbledTables,
    /// Kept for the garbler's shares.
    pub garbler_inputs: GarblerInputs,
    /// Kept for the evaluator's choices.
    pub evaluator_inputs: EvaluatorInputs,
}

/// Garbles `batch` instances with fresh labels.
///
/// # Errors
/// As [`ShareCircuit::check`].
pub fn garble<R: CryptoRng>(
    circuit: &ShareCircuit,
    batch: usize,
    delta: &Delta,
    rng: &mut R,
) -> Result<Garbling, GcError> {
    let shape = Shape::new(circuit, batch)?;
    let zero = Stretch::random(rng).blocks(batch * shape.evaluator_bits);
    let (tables, garbler_inputs) = garble_shape(shape, &zero, delta, rng);
    let evaluator_inputs = EvaluatorInputs {
        zero,
        delta: delta.copy(),
    };
    Ok(Garbling {
        tables,
        garbler_inputs,
        evaluator_inputs,
    })
}

/// Garbles `batch` instances for an evaluator whose prepared choices are its input bits already: the
/// labels are those of the transfers, and nothing more is sent for them.
///
/// # Errors
/// As [`ShareCircuit::check`]; also if the transfers are not one for each input bit.
pub fn garble_for_choices<R: CryptoRng>(
    circuit: &ShareCircuit,
    batch: usize,
    sends: PreparedSends,
    delta: &Delta,
    rng: &mut R,
) -> Result<(GarbledTables, GarblerInputs), GcError> {
    let shape = Shape::new(circuit, batch)?;
    let zero = sends.into_blocks();
    expect_len(
        "prepared transfers",
        zero.0.len(),
        batch * shape.evaluator_bits,
    )?;
    Ok(garble_shape(shape, &zero, delta, rng))
}

fn garble_shape<R: CryptoRng>(
    shape: Shape,
    evaluator_zero: &Blocks,
    delta: &Delta,
    rng: &mut R,
) -> (GarbledTables, GarblerInputs) {
    let mut labels = Stretch::random(rng);
    let mut zero = Blocks(Vec::with_capacity(shape.batch * shape.garbler_bits));
    let mut keys = vec![[0; 16]; shape.keys()];
    keys.iter_mut().for_each(|key| rng.fill_bytes(key));
    let program = Program::new(&shape);
    let mut decode = vec![false; shape.batch * shape.output_bits];
    let mut g = Garbler {
        delta: delta.0,
        rows: Rows::new(program.slots),
        tables: Vec::with_capacity(shape.tables()),
    };
    let mut ciphers = Ciphers::new(&keys);
    for run in shape.runs() {
        labels.extend(&mut zero, run.lanes * shape.garbler_bits);
        g.rows.load(0, &zero.0, shape.garbler_bits, &run);
        let (blocks, width) = (&evaluator_zero.0, shape.evaluator_bits);
        g.rows.load(shape.garbler_bits, blocks, width, &run);
        g.run(&program, &run, ciphers.of(&run));
        for (bit, &slot) in program.outputs.iter().enumerate() {
            for (lane, set) in g.rows.lowest_bits(slot, run.lanes).enumerate() {
                decode[(run.first + lane) * shape.output_bits + bit] = set;
            }
        }
    }
    let rows = g.tables;
    let tables = GarbledTables {
        keys,
        rows,
        decode: pack(&decode),
    };
    (
        tables,
        GarblerInputs {
            shape,
            zero,
            delta: delta.copy(),
        },
    )
}

/// A row holds the zero labels of a wire.
struct Garbler {
    delta: u128,
    rows: Rows,
    tables: Vec<Table>,
}

impl Garbler {
    fn run(&mut self, program: &Program, run: &Run, cipher: &Cipher) {
        let backend = Backend::fastest();
        let mut tables = [Table::default(); LANES];
        let mut first = run.tweak;
        let mut at = self.tables.len();
        // Zeros first: the gates then write where the cache already is, in place.
        self.tables.resize(at + program.ands * run.lanes, [0; 2]);
        for step in &program.steps {
            match step {
                // The active label of a constant is 0, so its zero label is 0 or Δ.
                &Step::Constant { bit, to } => {
                    self.rows.fill(to, mask(u128::from(bit)) & self.delta);
                }
                &Step::Not { x, to } => self.rows.shift(x, self.delta, to),
                Step::Xors(gates) => backend.xor(&mut self.rows.0, gates),
                &Step::And(gate) => {
                    let and = And { gate, first };
                    // What a short run writes past its lanes, the next gate overwrites.
                    if let Some(out) = self.tables[at..].first_chunk_mut() {
                        cipher.garble_and(&mut self.rows.0, and, self.delta, out);
                    } else {
                        cipher.garble_and(&mut self.rows.0, and, self.delta, &mut tables);
                        self.tables[at..at + run.lanes].copy_from_slice(&tables[..run.lanes]);
                    }
                    at += run.lanes;
                    first += run.lanes;
                }
            }
        }
    }
}
