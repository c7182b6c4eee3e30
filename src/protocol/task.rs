//! Computations that have a price, and what they read.

use serde::Serialize;

use super::roles::{Delivery, OtRole, RingSize};
use super::values::ValueOp;
use crate::bfv::{HeOp, OpCounts};
use crate::gc::{Extension, GarblingHash, ShareCircuit};
use crate::packing::KeyReads;
use crate::units::Bytes;

/// Sizes of what the products and rotations of an action read besides their operands, or what goes through the caches between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// Encoded plaintexts, each read once; several times where an image takes more than four lanes.
    pub weights: Bytes,
    /// Ciphertexts, read and written in turn again and again, and what comes between.
    pub ciphertexts: Bytes,
    /// Keys of rotations.
    pub keys: KeyReads,
}

/// A computation that has a price.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Task {
    /// `count` times a BFV operation.
    He {
        /// Which.
        op: HeOp,
        /// In which ring.
        ring: RingSize,
        /// How often.
        count: u64,
        /// What its products and rotations read.
        streams: Streams,
    },
    /// Base transfers.
    BaseOt {
        /// Whose side.
        role: OtRole,
        /// How many.
        count: u64,
    },
    /// Correlated transfers by extension.
    ExtendOt {
        /// Whose side.
        role: OtRole,
        /// By which.
        extension: Extension,
        /// How many.
        count: u64,
    },
    /// Prepared transfers turned to the real choices.
    DerandomizeOt {
        /// Whose side.
        role: OtRole,
        /// How many.
        count: u64,
    },
    /// Garbling of a piece, and the garbler's labels.
    Garble {
        /// The circuit.
        circuit: ShareCircuit,
        /// With which hash.
        hash: GarblingHash,
        /// How many of it.
        batch: u64,
    },
    /// Garbling of a piece without the garbler's labels.
    GarbleTables {
        /// The circuit.
        circuit: ShareCircuit,
        /// With which hash.
        hash: GarblingHash,
        /// How many of it.
        batch: u64,
    },
    /// The garbler's labels of a piece.
    EncodeLabels {
        /// The circuit.
        circuit: ShareCircuit,
        /// How many of it.
        batch: u64,
    },
    /// Evaluation of a piece.
    Evaluate {
        /// The circuit.
        circuit: ShareCircuit,
        /// With which hash.
        hash: GarblingHash,
        /// How many of it.
        batch: u64,
        /// When its tables came: those that waited come from memory.
        delivery: Delivery,
    },
    /// Work on plain values.
    Values {
        /// Which.
        op: ValueOp,
        /// On how many.
        count: u64,
    },
    /// The first touch of memory that stays.
    Touch {
        /// How much.
        bytes: Bytes,
    },
}

impl Task {
    /// Work on plain values.
    pub(super) const fn values(op: ValueOp, count: u64) -> Self {
        Self::Values { op, count }
    }

    /// The BFV operations `counts` in `ring`, as tasks; products and
    /// rotations read `streams`.
    pub fn he(counts: &OpCounts, ring: RingSize, streams: Streams) -> Vec<Self> {
        let tasks = Self::reads(counts, streams);
        let task = |(op, count, streams)| Self::He {
            op,
            ring,
            count,
            streams,
        };
        tasks.map(task).collect()
    }

    /// The operations `counts` of a layer that reads `streams`, each with its part of them.
    pub fn reads(
        counts: &OpCounts,
        streams: Streams,
    ) -> impl Iterator<Item = (HeOp, u64, Streams)> + '_ {
        let KeyReads {
            mut keys,
            turns,
            after_products,
        } = streams.keys;
        counts.iter().map(move |(op, count)| {
            let reads = match op {
                HeOp::Hadamard | HeOp::MultiplyAccumulate => Streams {
                    keys: KeyReads::default(),
                    ..streams
                },
                HeOp::Rotate | HeOp::HoistedRotate => {
                    // Hoisted rotations of a ciphertext are each by a key of its own.
                    let hoisted = op == HeOp::HoistedRotate;
                    let turns = if hoisted { count } else { turns.min(count) };
                    let own = keys.min(turns);
                    keys -= own;
                    let after_products = if hoisted { 0 } else { after_products };
                    let keys = KeyReads {
                        keys: own,
                        turns,
                        after_products,
                    };
                    Streams { keys, ..streams }
                }
                _ => Streams::default(),
            };
            (op, count, reads)
        })
    }
}
