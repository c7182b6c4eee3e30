//! A layer of ReLUs as the protocol garbles and evaluates it: piece by piece, labels and messages included.

use std::hint::black_box;
use std::sync::Arc;

use nass::gc::{
    BaseOtReceiver, BaseOtSender, ChosenSeeds, Delta, EvaluatedPieces, EvaluatorLabels, Extension,
    ExtensionReceiver, ExtensionSender, GarbledPieces, GarblerInputs, GarblingHash, Kernels, Layer,
    PieceMessages, SeedPairs, ShareCircuit, ShareFunction,
};
use nass::network::Requantize;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// ReLU on shares modulo the greatest prime of so many bits that is given here.
pub(crate) const PRIMES: [(u32, u64); 4] = [
    (8, 251),
    (17, 131_071),
    (22, 4_194_301),
    (41, 2_199_023_255_531),
];

/// What two parties have from their base transfers.
pub(crate) struct Bases {
    pub(crate) delta: Delta,
    pairs: SeedPairs,
    chosen: ChosenSeeds,
}

#[expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]
impl Bases {
    pub(crate) fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let delta = Delta::random(&mut rng);
        let (base, offer) = BaseOtSender::offer(&mut rng);
        let reply = BaseOtReceiver::reply(&offer, &delta, &mut rng);
        let (chosen, reply) = reply.expect("a point");
        Self {
            delta,
            pairs: base.finish(&reply).expect("points"),
            chosen,
        }
    }

    pub(crate) fn parties(&self) -> (ExtensionReceiver, ExtensionSender) {
        let kind = Extension::default();
        let (receiver, sums) = ExtensionReceiver::new(kind, &self.pairs);
        let sender = ExtensionSender::new(kind, &self.chosen, &self.delta, &sums);
        (receiver, sender.expect("sums of this extension"))
    }
}

/// What goes over the wire for a piece.
#[derive(Clone, Default)]
struct Messages {
    tables: Vec<u8>,
    labels: Vec<u8>,
}

/// A layer with what its parties bring.
pub(crate) struct ReluLayer<'a> {
    pub(crate) layer: Arc<Layer>,
    bases: &'a Bases,
    shares: Vec<u64>,
    rng: ChaCha20Rng,
    receiver: ExtensionReceiver,
    /// The pieces that are garbled side by side: each group is written over the last one.
    tables: Vec<Vec<u8>>,
    labels: Vec<Vec<u8>>,
    /// A whole piece and the last one.
    kept: [Messages; 2],
}

#[expect(
    clippy::expect_used,
    reason = "a bench that cannot run has nothing to do but stop"
)]
impl<'a> ReluLayer<'a> {
    /// `batch` circuits on shares modulo p, `at_once` pieces of which are garbled or evaluated side by side.
    pub(crate) fn new(
        bases: &'a Bases,
        (width, p): (u32, u64),
        batch: usize,
        (hash, kernels): (GarblingHash, Kernels),
        at_once: usize,
    ) -> Self {
        let requantize = Requantize {
            shift: 0,
            output_bits: width - 1,
            signed: false,
        };
        let circuit = ShareCircuit {
            function: ShareFunction::Requantize(requantize),
            p_in: p,
            p_out: p,
        };
        let layer = Layer::new(&circuit, batch, hash).expect("the circuit exists");
        Self {
            layer: Arc::new(layer.on(kernels)),
            bases,
            shares: vec![7; batch],
            rng: ChaCha20Rng::seed_from_u64(2),
            receiver: bases.parties().0,
            tables: vec![Vec::new(); at_once],
            labels: vec![Vec::new(); at_once],
            kept: Default::default(),
        }
    }

    /// Garbles the layer and encodes the garbler's shares.
    pub(crate) fn garble(&mut self) {
        let mut pieces = GarbledPieces::fresh(&self.layer, &self.bases.delta, &mut self.rng);
        loop {
            let group = pieces.next_group_into(&mut self.tables, &mut self.rng);
            let count = group.len();
            if count == 0 {
                return;
            }
            self.labels.iter_mut().for_each(Vec::clear);
            let (shares, out) = (&self.shares, &mut self.labels[..count]);
            GarblerInputs::encode_group_into(group, &self.layer, shares, shares, out)
                .expect("shares of the layer");
            black_box((&self.tables, &self.labels));
        }
    }

    /// Keeps a piece of each size for [`ReluLayer::evaluate`].
    pub(crate) fn keep(&mut self) {
        let mut pieces = GarbledPieces::fresh(&self.layer, &self.bases.delta, &mut self.rng);
        let count = self.layer.pieces().len();
        for index in 0..count {
            let mut messages = Messages::default();
            let inputs = pieces.next_into(&mut messages.tables, &mut self.rng);
            let inputs = inputs.expect("a piece");
            let shares = &self.shares;
            let encoded = inputs.encode_into(&self.layer, shares, shares, &mut messages.labels);
            encoded.expect("shares of the layer");
            for (kept, place) in self.kept.iter_mut().zip([0, count - 1]) {
                if place == index {
                    kept.clone_from(&messages);
                }
            }
        }
    }

    /// Labels for one evaluation.
    pub(crate) fn own_labels(&mut self) -> EvaluatorLabels {
        let choices = self.layer.choice_count();
        self.receiver.extend_random(choices).1.into_labels()
    }

    /// Evaluates the layer. One whole piece stands for all of them: results are of no use, the work is the same.
    pub(crate) fn evaluate(&self, own: EvaluatorLabels) -> Vec<u64> {
        let mut pieces = EvaluatedPieces::new(&self.layer, own).expect("labels");
        let mut outputs = Vec::with_capacity(self.shares.len());
        let count = self.layer.pieces().len();
        let messages: Vec<_> = (0..count)
            .map(|index| &self.kept[usize::from(index + 1 == count)])
            .map(|Messages { tables, labels }| PieceMessages { tables, labels })
            .collect();
        for group in messages.chunks(self.tables.len()) {
            pieces.next_group(group, &mut outputs).expect("pieces");
        }
        outputs
    }
}
