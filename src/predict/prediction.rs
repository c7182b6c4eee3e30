//! What a prediction says: per layer and in total, seconds and bytes, whose they are and when.
//!
//! These are the types behind `nass predict --format json`. Totals are offline + online; `setup`
//! (keys, weight encoding, base transfers: once a session) stands outside them. Seconds are the
//! critical path (client + server + link, which take turns within a layer); bytes are summed over
//! both directions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gc::{Extension, GarblingHash};
use crate::network::Shape;
use crate::protocol::{CircuitSettings, Delivery, Link, Party, Script};

/// Seconds by phase and by whose they are; `total` = offline + online = client + server + link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondsSplit {
    /// Before the client's input is known.
    pub offline: f64,
    /// From the client's input to its answer.
    pub online: f64,
    /// Computation of the client.
    pub client: f64,
    /// Computation of the server.
    pub server: f64,
    /// Transfer and round trips.
    pub link: f64,
    /// Offline and online together.
    pub total: f64,
}

/// Bytes by phase and direction; `total` = offline + online = to_server + to_client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytesSplit {
    /// Before the client's input is known.
    pub offline: u64,
    /// From the client's input to its answer.
    pub online: u64,
    /// From client to server.
    pub to_server: u64,
    /// From server to client.
    pub to_client: u64,
    /// Both directions together.
    pub total: u64,
}

/// Seconds and bytes of the set-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupCost {
    /// Critical path in seconds.
    pub seconds: f64,
    /// Bytes in both directions.
    pub bytes: u64,
}

/// The link that a prediction assumes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// Bandwidth in 10^6 bits a second, each direction.
    pub mbit_per_s: f64,
    /// Round trip time in milliseconds.
    pub rtt_ms: f64,
}

impl From<Link> for LinkReport {
    fn from(link: Link) -> Self {
        Self {
            mbit_per_s: link.mbit_per_s,
            rtt_ms: link.rtt_ms,
        }
    }
}

/// The homomorphic parameters of one linear layer. Moduli are decimal strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeReport {
    /// Ring degree.
    pub n: usize,
    /// Plaintext modulus.
    pub p: String,
    /// Its width in bits.
    pub p_bits: u32,
    /// Ciphertext modulus, limb by limb.
    pub q: Vec<String>,
    /// Special primes of the key switch.
    pub special: Vec<String>,
    /// Width of the digits of the key switch in bits, where there are no special primes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digit_bits: Option<u32>,
    /// Plaintext windows that weights are encoded in; 1 is none.
    #[serde(default = "one")]
    pub windows: usize,
    /// log2 of q.
    pub q_bits: f64,
    /// log2 of q times the special primes: what the security table is asked.
    pub total_bits: f64,
    /// Security level granted by the table.
    pub security_bits: u32,
    /// Table that granted it; `estimate` where a formula did.
    pub security_table: String,
    /// Attacks that it holds against.
    #[serde(default)]
    pub security_attack: String,
    /// How secret keys are drawn.
    #[serde(default)]
    pub security_secret: String,
    /// Publication of the table.
    #[serde(default)]
    pub security_source: String,
    /// Date of that publication.
    #[serde(default)]
    pub security_date: String,
    /// Probability that any of the layer's values decrypts wrongly; never below 1e-300.
    pub failure_probability: f64,
    /// Its log2.
    pub failure_log2: f64,
    /// Statistical bits by which the reply's error is flooded.
    pub flooding_bits: u32,
    /// Bits between the reply's noise bound and what decrypts.
    pub noise_margin_bits: f64,
    /// Whether p holds every value of the layer; a prescribed or the paper's p may not.
    pub p_holds_all_values: bool,
}

/// No windows.
const fn one() -> usize {
    1
}

impl HeReport {
    /// Who says that the parameters are secure: table, attacks, secrets, date, source.
    pub fn security_cells(&self) -> [&str; 5] {
        [
            &self.security_table,
            &self.security_attack,
            &self.security_secret,
            &self.security_date,
            &self.security_source,
        ]
    }
}

/// One layer's prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerPrediction {
    /// Name in the network.
    pub name: String,
    /// `conv`, `fc`, `relu`, `clip`, `argmax`, `requantize`, `max_pool`, `avg_pool`, `flatten` or `add`.
    pub kind: String,
    /// Shape of the operand, `[c, h, w]`.
    #[serde(rename = "in")]
    pub input: Shape,
    /// Shape of the result, `[c, h, w]`.
    #[serde(rename = "out")]
    pub output: Shape,
    /// Parameters, for a linear layer.
    pub he: Option<HeReport>,
    /// Name of the packing schedule, for a linear layer.
    pub schedule: Option<String>,
    /// Bytes of its encoded weights that the server keeps, for a linear layer; 0 where they are encoded online.
    #[serde(default)]
    pub kept_weights: Option<u64>,
    /// How often each operation happens, both parties together, set-up included. `encrypt` sums the
    /// kinds of encryption; `rotate` are rotations with a key switch of their own, `hoisted_rotate`
    /// those of a ciphertext decomposed once.
    pub ops: BTreeMap<String, u64>,
    /// Predicted seconds.
    pub seconds: SecondsSplit,
    /// Predicted bytes.
    pub bytes: BytesSplit,
    /// Bytes of its circuits that wait with the evaluator between the offline and the online phase, for a
    /// layer of circuits.
    pub stored: Option<u64>,
}

/// Bytes of garbled circuits that wait between the offline and the online phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBytes {
    /// With the client.
    pub client: u64,
    /// With the server.
    pub server: u64,
}

impl StoredBytes {
    /// Both parties together; one of them stores nothing.
    pub const fn total(&self) -> u64 {
        self.client + self.server
    }
}

/// How circuits are garbled, and what waits of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitsReport {
    /// Who garbles; the other party evaluates.
    pub garbler: Party,
    /// When tables move.
    pub delivery: Delivery,
    /// How labels are hashed; `fixed_key_as_in_papers` is not proved secure.
    pub hash: GarblingHash,
    /// How base transfers are stretched.
    pub extension: Extension,
    /// What waits with whom: key, tables, decode bits, and the garbler's labels where they go with them.
    pub stored: StoredBytes,
}

impl CircuitsReport {
    /// That of a script.
    pub fn of(script: &Script) -> Self {
        let CircuitSettings {
            garbler,
            delivery,
            hash,
            extension,
        } = script.circuits;
        let [client, server] = [Party::Client, Party::Server].map(|party| script.stored(party).0);
        Self {
            garbler,
            delivery,
            hash,
            extension,
            stored: StoredBytes { client, server },
        }
    }
}

/// Totals over the layers, and the network's plain counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionTotal {
    /// Sum of the layers' seconds.
    pub seconds: SecondsSplit,
    /// Sum of the layers' bytes.
    pub bytes: BytesSplit,
    /// Number of ReLUs.
    pub relus: u64,
    /// Number of multiply-adds.
    pub flops: u64,
    /// Number of weights and biases.
    pub parameters: u64,
}

/// What a network will cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Name of the network.
    pub network: String,
    /// Protocol, `gazelle`.
    pub protocol: String,
    /// Which profile priced it.
    pub calibration: String,
    /// Which link it assumes.
    pub link: LinkReport,
    /// How circuits are garbled.
    pub circuits: CircuitsReport,
    /// Layer by layer.
    pub layers: Vec<LayerPrediction>,
    /// Once a session, outside the totals.
    pub setup: SetupCost,
    /// Totals.
    pub total: PredictionTotal,
}

impl SecondsSplit {
    /// Adds another split to this one, field by field.
    pub fn add(&mut self, other: &Self) {
        self.offline += other.offline;
        self.online += other.online;
        self.client += other.client;
        self.server += other.server;
        self.link += other.link;
        self.total += other.total;
    }
}

impl Prediction {
    /// Bytes of encoded weights that the server keeps.
    pub fn kept_weights(&self) -> u64 {
        self.layers
            .iter()
            .filter_map(|layer| layer.kept_weights)
            .sum()
    }
}

impl BytesSplit {
    /// Adds another split to this one, field by field.
    pub fn add(&mut self, other: &Self) {
        self.offline += other.offline;
        self.online += other.online;
        self.to_server += other.to_server;
        self.to_client += other.to_client;
        self.total += other.total;
    }
}
