//! What each task costs on a calibrated machine.
//!
//! A BFV operation is looked up under its exact case. Where the profile lacks that (n, limbs), the
//! fit ln t = c₀ + c₁·ln n + c₂·ln limbs over the operation's own rows is used, and named in
//! [`PriceList::fitted`]. Circuits and transfers are measured in batches of several sizes s (batch ·
//! ANDs, or transfers), apart for each hash and extension, the smallest a single circuit. Between two neighbours time is a line in s: a fixed
//! cost and a slope; beyond the sizes measured the nearest one's time for each AND or transfer holds.
//! The link is a line, t = fixed + slope · bytes; with one size alone, slope · bytes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::bfv::HeOp;
use crate::calibrate::{Case, FAR, NEAR, Op, Profile, WorkingSet, fit_line, fit_plane};
use crate::gc::{Extension, GarblingHash, ShareCircuit};
use crate::params::{LayerWork, Prices};
use crate::protocol::{Delivery, Link, OtRole, RingSize, Streams, Task};
use crate::ring::Modulus;
use crate::units::{Bytes, Nanos};

/// Encoded weights beyond this size stream from memory, not from a cache.
const CACHED: Bytes = Bytes(4 << 20);

/// Bits of the limbs that the rows of a ring stand for; times depend little on them up to here.
const FAST_BITS: u32 = Modulus::NARROW_BITS;

/// Why a price is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PriceError {
    /// The profile has no row of the operation.
    #[error("the calibration has no row `{op}`{detail}: calibrate this machine again")]
    NotMeasured {
        /// The operation.
        op: &'static str,
        /// What about it.
        detail: String,
    },
}

/// Prices of a profile, for a number of threads.
#[derive(Debug)]
pub struct PriceList {
    exact: BTreeMap<HeKey, Nanos>,
    planes: BTreeMap<(HeOp, WorkingSet), Plane>,
    batches: BTreeMap<BatchKey, Vec<(f64, f64)>>,
    link: Option<Link>,
    fitted: RefCell<BTreeSet<String>>,
}

/// Operations in batches: which, whose side, in which variant.
type BatchKey = (Op, Option<OtRole>, Variant);
type HeKey = (HeOp, RingSize, WorkingSet);
/// c₀, c₁, c₂ of ln t = c₀ + c₁·ln n + c₂·ln limbs.
type Plane = [f64; 3];

impl PriceList {
    /// The prices of `profile`.
    pub fn new(profile: &Profile) -> Self {
        let mut exact = BTreeMap::new();
        let mut points: BTreeMap<_, Vec<([f64; 2], f64)>> = BTreeMap::new();
        let mut batches: BTreeMap<BatchKey, Vec<(f64, f64)>> = BTreeMap::new();
        for record in profile.records.iter().filter(|r| serves(&r.case)) {
            let (case, time) = (&record.case, record.median);
            if let Op::He(op) = case.op {
                let ring = RingSize {
                    n: case.n,
                    limbs: case.limbs,
                    special: 1,
                };
                exact.insert((op, ring, case.working_set), time);
                let at = [(case.n as f64).ln(), (case.limbs as f64).ln()];
                points
                    .entry((op, case.working_set))
                    .or_default()
                    .push((at, time.0.ln()));
            } else if let Some((size, variant)) = case.size().zip(Variant::of(case)) {
                batches
                    .entry((case.op, case.role(), variant))
                    .or_default()
                    .push((size, time.0));
            }
        }
        let planes = points
            .into_iter()
            .filter_map(|(key, p)| Some((key, fit_plane(&p)?)));
        let planes = planes.collect();
        for sizes in batches.values_mut() {
            sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let link = link(&batches);
        Self {
            exact,
            planes,
            batches,
            link,
            fitted: RefCell::default(),
        }
    }

    /// The loopback as the profile measured it.
    ///
    /// # Errors
    /// The profile did not measure it.
    pub fn loopback(&self) -> Result<Link, PriceError> {
        self.link
            .ok_or_else(|| not_measured(Op::Send, String::new()))
    }

    /// What tasks were priced by a fit and not by a row of their own, so far.
    pub fn fitted(&self) -> Vec<String> {
        self.fitted.borrow().iter().cloned().collect()
    }

    /// The price of a task.
    ///
    /// # Errors
    /// The profile has no row of the operation.
    pub fn task(&self, task: &Task) -> Result<Nanos, PriceError> {
        match task {
            Task::He {
                op,
                ring,
                count,
                streams,
            } => {
                self.note_fit(*op, *ring);
                let again = count.saturating_sub(streams.keys) as f64;
                let first = self.he(*op, *ring, WorkingSet::Cold)? * streams.keys as f64;
                Ok(first + self.product(*op, *ring, *streams)? * again)
            }
            Task::Touch { bytes } => Ok(self.touch(bytes.0 as f64)),
            Task::BaseOt { role, count } => {
                self.transfers(Op::BaseOt, *role, Variant::Only, *count)
            }
            Task::ExtendOt {
                role,
                extension,
                count,
            } => {
                let variant = Variant::Extension(*extension);
                self.transfers(Op::OtCorrelated, *role, variant, *count)
            }
            Task::DerandomizeOt { role, count } => {
                self.transfers(Op::OtDerandomize, *role, Variant::Only, *count)
            }
            Task::Garble {
                circuit,
                hash,
                batch,
            } => self.gates(Op::Garble, *hash, ands(circuit) * *batch as f64),
            Task::GarbleTables {
                circuit,
                hash,
                batch,
            } => self.gates(Op::GarbleTables, *hash, ands(circuit) * *batch as f64),
            Task::Evaluate {
                circuit,
                hash,
                batch,
                delivery,
            } => self.evaluation(*hash, *delivery, ands(circuit) * *batch as f64),
            Task::EncodeLabels { circuit, batch } => {
                let labels = circuit.garbler_input_bits() as f64 * *batch as f64;
                self.batch((Op::EncodeLabels, None, Variant::Only), labels)
            }
        }
    }

    /// The price of an operation that reads `streams`. Of a product it depends on the set that ciphertexts are
    /// taken from: a line from none to [`NEAR`] bytes, another one to [`FAR`], where it ends.
    fn product(&self, op: HeOp, ring: RingSize, streams: Streams) -> Result<Nanos, PriceError> {
        if streams.weights <= CACHED {
            return self.he(op, ring, WorkingSet::Hot);
        }
        let of = |set| self.he(op, ring, set);
        let (at, near, far) = (streams.ciphertexts.0 as f64, NEAR as f64, FAR as f64);
        let ((low, from), (high, to)) = if at <= near {
            ((0.0, of(WorkingSet::Cold)?), (near, of(WorkingSet::Near)?))
        } else {
            ((near, of(WorkingSet::Near)?), (far, of(WorkingSet::Far)?))
        };
        let share = ((at - low) / (high - low)).min(1.0);
        Ok(from + (to - from) * share)
    }

    fn transfers(
        &self,
        op: Op,
        role: OtRole,
        variant: Variant,
        count: u64,
    ) -> Result<Nanos, PriceError> {
        self.batch((op, Some(role), variant), count as f64)
    }

    fn gates(&self, op: Op, hash: GarblingHash, ands: f64) -> Result<Nanos, PriceError> {
        self.batch((op, None, Variant::Hash(hash)), ands)
    }

    /// Tables that waited come from memory; profiles that did not measure this have the others' price.
    fn evaluation(
        &self,
        hash: GarblingHash,
        delivery: Delivery,
        ands: f64,
    ) -> Result<Nanos, PriceError> {
        let cold = (Op::Evaluate, None, Variant::ColdHash(hash));
        match delivery {
            Delivery::Split if self.batches.contains_key(&cold) => self.batch(cold, ands),
            Delivery::Split | Delivery::Streamed => self.gates(Op::Evaluate, hash, ands),
        }
    }

    /// The price of one BFV operation.
    ///
    /// # Errors
    /// The profile has no row of the operation.
    pub fn he(&self, op: HeOp, ring: RingSize, set: WorkingSet) -> Result<Nanos, PriceError> {
        if let Some(time) = self.exact.get(&(op, ring, set)) {
            return Ok(*time);
        }
        if let Some([c0, c1, c2]) = self.planes.get(&(op, set)) {
            let RingSize { n, limbs, .. } = ring;
            return Ok(Nanos(
                (c0 + c1 * (n as f64).ln() + c2 * (limbs as f64).ln()).exp(),
            ));
        }
        match set {
            WorkingSet::Far => self.he(op, ring, WorkingSet::Near),
            WorkingSet::Near => self.he(op, ring, WorkingSet::Cold),
            WorkingSet::Cold => self.he(op, ring, WorkingSet::Hot),
            WorkingSet::Hot => {
                let detail = format!(" at n={}, {} limbs", ring.n, ring.limbs);
                Err(not_measured(Op::He(op), detail))
            }
        }
    }

    /// Notes an operation that has no row of its own.
    fn note_fit(&self, op: HeOp, ring: RingSize) {
        let measured = |set| self.exact.contains_key(&(op, ring, set));
        if !measured(WorkingSet::Hot) && !measured(WorkingSet::Cold) {
            let fitted = format!("{} at n={}, {} limbs", op.name(), ring.n, ring.limbs);
            self.fitted.borrow_mut().insert(fitted);
        }
    }

    /// The price of memory touched first; profiles older than its measurement have none, which is noted.
    fn touch(&self, bytes: f64) -> Nanos {
        let price = self.batch((Op::Touch, None, Variant::Only), bytes);
        price.unwrap_or_else(|_| {
            let noted = "first touch of memory, as nothing (not in the profile)";
            self.fitted.borrow_mut().insert(noted.to_owned());
            Nanos(0.0)
        })
    }

    /// The price of a batch of this size.
    fn batch(&self, key: BatchKey, size: f64) -> Result<Nanos, PriceError> {
        let measured = self.batches.get(&key).map_or(&[][..], Vec::as_slice);
        let above = measured.partition_point(|(at, _)| *at < size);
        let time = match (
            above.checked_sub(1).and_then(|i| measured.get(i)),
            measured.get(above),
        ) {
            (Some(&low), Some(&high)) => {
                let share = (size - low.0) / (high.0 - low.0);
                low.1 + share * (high.1 - low.1)
            }
            (Some(&nearest), None) | (None, Some(&nearest)) => nearest.1 / nearest.0 * size,
            (None, None) => return Err(not_measured(key.0, key.2.detail())),
        };
        Ok(Nanos(time))
    }
}

/// Whether prices are drawn from a case: one thread; for BFV limbs of the fast width that parameters
/// are chosen with, and one special prime of about that width.
fn serves(case: &Case) -> bool {
    let fast = |bits: u32| (FAST_BITS - 5..=FAST_BITS).contains(&bits);
    let ring = || {
        let limb_bits = case.q_bits.checked_div(case.limbs as u32)?;
        let special: u32 = case.param("special")?.parse().ok()?;
        Some(fast(limb_bits) && fast(special))
    };
    let parameters = match case.op {
        Op::He(_) => ring() == Some(true),
        _ => true,
    };
    case.threads == 1 && parameters
}

/// What circuits and transfers are done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    /// There is one way.
    Only,
    /// Circuits.
    Hash(GarblingHash),
    /// Circuits whose tables come from memory.
    ColdHash(GarblingHash),
    /// Extended transfers.
    Extension(Extension),
}

impl Variant {
    /// That of a case; none if it has a name that is not known.
    fn of(case: &Case) -> Option<Self> {
        match case.op {
            Op::Evaluate if case.working_set == WorkingSet::Cold => case.hash().map(Self::ColdHash),
            Op::Garble | Op::GarbleTables | Op::Evaluate => case.hash().map(Self::Hash),
            Op::OtCorrelated | Op::OtRandom | Op::OtChosen => case.extension().map(Self::Extension),
            _ => Some(Self::Only),
        }
    }

    /// What an error tells of it.
    fn detail(self) -> String {
        match self {
            Self::Only => String::new(),
            Self::Hash(hash) | Self::ColdHash(hash) => format!(" with hash={}", hash.name()),
            Self::Extension(extension) => format!(" with extension={}", extension.name()),
        }
    }
}

/// ANDs of a circuit that a script holds, and that is therefore a sound one.
fn ands(circuit: &ShareCircuit) -> f64 {
    circuit
        .and_count()
        .map_or(f64::INFINITY, |count| count as f64)
}

/// Prices for the selection of parameters, over a link.
#[derive(Debug, Clone, Copy)]
pub struct LinkedPrices<'a> {
    /// Prices of operations.
    pub list: &'a PriceList,
    /// Price of bytes.
    pub link: Link,
}

impl Prices for LinkedPrices<'_> {
    fn layer_cost(&self, work: &LayerWork) -> Nanos {
        let ring = RingSize {
            n: work.n,
            limbs: work.limbs,
            special: work.special,
        };
        let price = |(op, count): (HeOp, u64)| match self.list.he(op, ring, WorkingSet::Hot) {
            Ok(time) => time * count as f64,
            Err(_) => Nanos(f64::INFINITY),
        };
        work.counts.iter().map(price).sum::<Nanos>() + self.link.time(work.bytes)
    }
}

fn not_measured(op: Op, detail: String) -> PriceError {
    PriceError::NotMeasured {
        op: op.name(),
        detail,
    }
}

fn link(batches: &BTreeMap<BatchKey, Vec<(f64, f64)>>) -> Option<Link> {
    let of = |op| batches.get(&(op, None, Variant::Only));
    let sent = of(Op::Send)?;
    let alone = sent.first().map(|(bytes, time)| time / bytes);
    let ns_per_byte = fit_line(sent).map(|(slope, _)| slope).or(alone)?;
    let (_, round_trip) = of(Op::RoundTrip)?.first()?;
    Some(Link {
        mbit_per_s: 8e3 / ns_per_byte,
        rtt_ms: round_trip / 1e6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfv::HeOp;
    use crate::calibrate::Record;
    use crate::gc::ShareFunction;

    fn record(op: Op, n: usize, limbs: usize, param: &str, median: f64) -> Record {
        let case = Case {
            op,
            n,
            limbs,
            q_bits: 50 * limbs as u32,
            p_bits: 20,
            param: param.to_owned(),
            threads: 1,
            working_set: WorkingSet::Hot,
        };
        let time = Nanos(median);
        Record {
            case,
            samples: 9,
            median: time,
            low: time,
            high: time,
            bytes: Bytes(0),
        }
    }

    /// Additions that take n·limbs nanoseconds, transfers of 100 + 3·count, a link.
    fn prices() -> PriceList {
        let add = Op::He(HeOp::Add);
        let sizes = [(4096, 1), (4096, 2), (8192, 1), (8192, 2)];
        let mut records: Vec<Record> = sizes
            .map(|(n, limbs)| record(add, n, limbs, "special=50", (n * limbs) as f64))
            .to_vec();
        for batch in [10.0, 100.0, 1000.0] {
            let param = format!("role=sender;extension=softspoken4;batch={batch}");
            records.push(record(Op::OtCorrelated, 0, 0, &param, 100.0 + 3.0 * batch));
            let param = format!("bytes={batch}");
            records.push(record(Op::Send, 0, 0, &param, 50.0 + 2.0 * batch));
        }
        records.push(record(Op::RoundTrip, 0, 0, "bytes=1", 20_000.0));
        PriceList::new(&Profile {
            records,
            ..Profile::default()
        })
    }

    fn additions(n: usize, limbs: usize) -> Task {
        let ring = RingSize {
            n,
            limbs,
            special: 1,
        };
        Task::He {
            op: HeOp::Add,
            ring,
            count: 2,
            streams: Streams::default(),
        }
    }

    #[test]
    fn a_measured_case_is_looked_up_and_another_fitted_and_named() {
        let prices = prices();
        assert_eq!(prices.task(&additions(4096, 2)), Ok(Nanos(2.0 * 8192.0)));
        assert!(prices.fitted().is_empty());
        let fitted = prices.task(&additions(16_384, 3)).unwrap();
        assert!((fitted.0 / (2.0 * 49_152.0) - 1.0).abs() < 1e-6, "{fitted}");
        assert_eq!(prices.fitted(), ["add at n=16384, 3 limbs"]);
    }

    #[test]
    fn rows_of_other_rings_and_key_switches_are_not_prices() {
        let add = Op::He(HeOp::Add);
        let mut slow = record(add, 4096, 2, "special=37", 9e9);
        slow.case.q_bits = 72;
        let records = [
            record(add, 4096, 2, "special=50", 7.0),
            slow,
            record(add, 4096, 2, "special=50+50", 9e9),
            record(add, 4096, 2, "digit=25", 9e9),
            record(add, 4096, 2, "special=60", 9e9),
        ];
        let profile = Profile {
            records: records.to_vec(),
            ..Profile::default()
        };
        let list = PriceList::new(&profile);
        assert_eq!(list.task(&additions(4096, 2)), Ok(Nanos(14.0)));
        assert_eq!(list.exact.len(), 1);
    }

    #[test]
    fn a_batch_is_priced_between_its_neighbours() {
        let prices = prices();
        let sender = |count| {
            prices
                .task(&Task::ExtendOt {
                    role: OtRole::Sender,
                    extension: Extension::default(),
                    count,
                })
                .unwrap()
                .0
        };
        assert!(
            (sender(100) - 400.0).abs() < 1e-6,
            "a size that was measured"
        );
        assert!(
            (sender(316) - 1048.0).abs() < 1e-6,
            "on the line through its neighbours"
        );
        assert!((sender(5) - 5.0 * 13.0).abs() < 1e-6, "as the smallest");
        assert!(
            (sender(10_000) - 10_000.0 * 3.1).abs() < 1e-6,
            "as the largest"
        );
    }

    /// Each extension and each hash has its own rows; those that name none were measured with the first ones.
    #[test]
    fn transfers_and_circuits_are_priced_by_their_variant() {
        let transfers = |extension, median| {
            let param = format!("role=sender;{extension}batch=100");
            record(Op::OtCorrelated, 0, 0, &param, median)
        };
        let circuits = |hash, median| {
            let param = format!("circuit=relu;{hash}ands=10;batch=1");
            record(Op::Evaluate, 0, 0, &param, median)
        };
        let profile = Profile {
            records: vec![
                transfers("", 700.0),
                transfers("extension=softspoken4;", 400.0),
                transfers("extension=unheard_of;", 1.0),
                circuits("", 50.0),
                circuits("hash=rekeyed;", 70.0),
            ],
            ..Profile::default()
        };
        let prices = PriceList::new(&profile);
        let extended = |extension| {
            let (role, count) = (OtRole::Sender, 100);
            prices.task(&Task::ExtendOt {
                role,
                extension,
                count,
            })
        };
        assert_eq!(extended(Extension::Iknp), Ok(Nanos(700.0)));
        assert_eq!(extended(Extension::SoftSpoken4), Ok(Nanos(400.0)));
        let refused = extended(Extension::SoftSpoken8).unwrap_err().to_string();
        let named = "no row `ot_correlated` with extension=softspoken8: calibrate";
        assert!(refused.contains(named), "{refused}");
        let circuit = ShareCircuit {
            function: ShareFunction::relu(),
            p_in: 97,
            p_out: 97,
        };
        let evaluated = |hash| {
            let batch = 10;
            let task = Task::Evaluate {
                circuit,
                hash,
                batch,
                delivery: Delivery::Split,
            };
            Ok(prices.task(&task)?.0 / ands(&circuit))
        };
        assert_eq!(evaluated(GarblingHash::Tmmo), Ok(50.0));
        assert_eq!(evaluated(GarblingHash::Rekeyed), Ok(70.0));
        let refused: Result<f64, PriceError> = evaluated(GarblingHash::FixedKeyAsInPapers);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("hash=fixed_key_as_in_papers"), "{refused}");
    }

    #[test]
    fn the_link_is_a_line_through_what_was_sent() {
        let link = prices().loopback().unwrap();
        assert!((link.mbit_per_s - 4000.0).abs() < 1e-6 && (link.rtt_ms - 0.02).abs() < 1e-9);
    }

    #[test]
    fn what_was_not_measured_is_refused_by_name() {
        let prices = prices();
        let task = Task::ExtendOt {
            role: OtRole::Receiver,
            extension: Extension::default(),
            count: 1,
        };
        let refused = prices.task(&task).unwrap_err();
        assert!(refused.to_string().contains("ot_correlated"));
        let ring = RingSize {
            n: 4096,
            limbs: 1,
            special: 1,
        };
        let rotation = prices.he(HeOp::Rotate, ring, WorkingSet::Cold).unwrap_err();
        assert!(rotation.to_string().contains("`rotate` at n=4096, 1 limbs"));
    }
}
