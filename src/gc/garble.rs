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
use super::gates::Gates;
use super::hash::Tmmo;
use super::labels::{Blocks, Delta, Stretch, mask};
use super::lanes::{Row, Rows, Run, Shape};
use super::messages::{GarbledTables, GarblerLabels, pack};

/// The garbler's input labels, both for each bit. Used up by [`GarblerInputs::encode`].
#[derive(ZeroizeOnDrop)]
pub struct GarblerInputs {
    #[zeroize(skip)]
    shape: Shape,
    zero: Blocks,
    delta: Delta,
}

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
#[derive(ZeroizeOnDrop)]
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
    let zero = Stretch::random(rng).blocks(shape.batch * shape.garbler_bits);
    let mut keys = vec![[0; 16]; shape.keys()];
    keys.iter_mut().for_each(|key| rng.fill_bytes(key));
    let mut decode = vec![false; shape.batch * shape.output_bits];
    let mut g = Garbler {
        delta,
        rows: Rows::with_capacity(shape.rows),
        hash: Tmmo::new(&[0; 16]),
        tweak: 0,
        inputs: Vec::new(),
        tables: Vec::with_capacity(shape.tables()),
    };
    for run in shape.runs() {
        g.start(&keys, &run);
        let garbler = g.rows.push_inputs(&zero.0, shape.garbler_bits, &run);
        let evaluator = g
            .rows
            .push_inputs(&evaluator_zero.0, shape.evaluator_bits, &run);
        for (bit, &wire) in shape
            .circuit
            .build(&mut g, &garbler, &evaluator)
            .iter()
            .enumerate()
        {
            for (lane, label) in g.rows.row(wire).iter().enumerate() {
                decode[(run.first + lane) * shape.output_bits + bit] = label & 1 == 1;
            }
        }
    }
    let rows = std::mem::take(&mut g.tables);
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

/// The garbling reader of circuits: a wire is a row of zero labels.
struct Garbler<'a> {
    delta: &'a Delta,
    rows: Rows,
    hash: Tmmo,
    tweak: usize,
    inputs: Vec<u128>,
    tables: Vec<[u128; 2]>,
}

impl Garbler<'_> {
    fn start(&mut self, keys: &[[u8; 16]], run: &Run) {
        if run.tweak == 0 {
            self.hash = Tmmo::new(&keys[run.key]);
        }
        self.tweak = run.tweak;
        self.rows.restart(run.lanes);
    }
}

impl Drop for Garbler<'_> {
    fn drop(&mut self) {
        self.inputs.zeroize();
    }
}

impl Gates for Garbler<'_> {
    type Wire = Row;

    /// The active label of a constant is 0, so its zero label is 0 or Δ.
    fn constant(&mut self, bit: bool) -> Row {
        let zero = mask(u128::from(bit)) & self.delta.0;
        self.rows.push(std::iter::repeat_n(zero, self.rows.lanes()))
    }

    fn xor(&mut self, x: Row, y: Row) -> Row {
        self.rows.zip(x, y, |x, y| x ^ y)
    }

    fn not(&mut self, x: Row) -> Row {
        let delta = self.delta.0;
        self.rows.zip(x, x, |x, _| x ^ delta)
    }

    fn and(&mut self, x: Row, y: Row) -> Row {
        let (lanes, delta, first) = (self.rows.lanes(), self.delta.0, self.tweak);
        let (h, rows) = (&mut self.inputs, &self.rows);
        h.clear();
        h.extend(rows.row(x));
        h.extend(rows.row(x).iter().map(|a| a ^ delta));
        h.extend(rows.row(y));
        h.extend(rows.row(y).iter().map(|b| b ^ delta));
        self.hash.hash(h, first, [0, 0, 1, 1]);
        let (w, wires) = self.inputs.split_at_mut(lanes);
        let (a1, b) = wires.split_at_mut(lanes);
        let (b0, b1) = b.split_at_mut(lanes);
        for (i, (&a, &b)) in rows.row(x).iter().zip(rows.row(y)).enumerate() {
            let t_g = w[i] ^ a1[i] ^ (mask(b) & delta);
            let t_e = b0[i] ^ b1[i] ^ a;
            let w_g = w[i] ^ (mask(a) & t_g);
            let w_e = b0[i] ^ (mask(b) & (t_e ^ a));
            self.tables.push([t_g, t_e]);
            w[i] = w_g ^ w_e;
        }
        self.tweak += lanes;
        self.rows.push(w.iter().copied())
    }
}
