//! What each task costs on a calibrated machine.
//!
//! A BFV operation is looked up under its exact case: ring degree, limbs, special primes or digits. Of
//! rows that differ in widths alone the widest of at most 50 bits stands for all. Where the profile lacks
//! an (n, limbs) with one special prime, the fit ln t = c₀ + c₁·ln n + c₂·ln limbs over the operation's own
//! such rows is used within the n and limbs that they span, and named in [`PriceList::fitted`]; beyond
//! there is no price. Circuits and transfers are measured in batches of several sizes s (batch ·
//! ANDs, or transfers), apart for each hash and extension, the smallest a single circuit. Between two neighbours time is a line in s: a fixed
//! cost and a slope; beyond the sizes measured the nearest one's time for each AND or transfer holds, which is named
//! in [`PriceList::fitted`] too. An operation measured at one size alone has a rate.
//! What was measured with operands from the cache that cores share and from memory has a price between the two, by how much
//! is gone through from one use of the same data to the next ([`Reach`]).
//! The link is a line, t = fixed + slope · bytes; with one size alone, slope · bytes. Of a link to another machine
//! the slower direction counts, as [`Link`] has one bandwidth.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use thiserror::Error;

use super::he_fit::{HeFit, he_fits};
use super::he_row::Row;
use super::price_keys::{Variant, name_of, ring_of, serves};
use super::reach::Reach;
use crate::bfv::HeOp;
use crate::calibrate::{Op, Profile, WorkingSet, fit_line};
use crate::gc::{GarblingHash, ShareCircuit};
use crate::protocol::{Delivery, Link, OtRole, RingSize, Streams, Task};
use crate::units::Nanos;

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
    fits: BTreeMap<(HeOp, WorkingSet), HeFit>,
    batches: Batches,
    link: Option<Link>,
    distant: Option<Link>,
    fitted: RefCell<BTreeSet<String>>,
    rows: RefCell<HashMap<RingSize, Row>>,
}

/// Operations in batches: which, whose side, in which variant.
type BatchKey = (Op, Option<OtRole>, Variant);
/// Sizes that were measured, and their times.
type Sizes = Vec<(f64, f64)>;
/// By operation, and by where operands come from.
type Batches = BTreeMap<BatchKey, BTreeMap<WorkingSet, Sizes>>;
pub(super) type HeKey = (HeOp, RingSize, WorkingSet);

impl PriceList {
    /// The prices of `profile`.
    pub fn new(profile: &Profile) -> Self {
        let mut widest: BTreeMap<HeKey, (u32, Nanos)> = BTreeMap::new();
        let mut batches = Batches::new();
        for record in profile.records.iter().filter(|r| serves(&r.case)) {
            let (case, time) = (&record.case, record.median);
            if let Op::He(op) = case.op {
                if let Some((ring, bits)) = ring_of(case) {
                    let row = widest
                        .entry((op, ring, case.working_set))
                        .or_insert((bits, time));
                    *row = if bits > row.0 { (bits, time) } else { *row };
                }
            } else if let Some((size, variant)) = case.size().zip(Variant::of(case)) {
                batches
                    .entry((case.op, case.role(), variant))
                    .or_default()
                    .entry(case.working_set)
                    .or_default()
                    .push((size, time.0));
            }
        }
        let exact: BTreeMap<HeKey, Nanos> = widest
            .into_iter()
            .map(|(key, (_, time))| (key, time))
            .collect();
        let fits = he_fits(&exact);
        for sizes in batches.values_mut().flat_map(BTreeMap::values_mut) {
            sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let link = link(&batches, Op::Send, Op::RoundTrip);
        let distant = distant(&batches);
        Self {
            exact,
            fits,
            batches,
            link,
            distant,
            fitted: RefCell::default(),
            rows: RefCell::default(),
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

    /// The link to another machine as the profile measured it.
    ///
    /// # Errors
    /// The profile did not measure one.
    pub fn distant(&self) -> Result<Link, PriceError> {
        let detail = " (`--link HOST:PORT` of `nass calibrate`)";
        self.distant
            .ok_or_else(|| not_measured(Op::LinkOut, detail.to_owned()))
    }

    /// The fit of each BFV operation over ring degree and limbs, with its residuals.
    pub fn fits(&self) -> impl Iterator<Item = &HeFit> {
        self.fits.values()
    }

    /// What tasks were priced by a fit and not by a row of their own, so far.
    pub fn fitted(&self) -> Vec<String> {
        self.fitted.borrow().iter().cloned().collect()
    }

    /// The price of a task on data that `reach` is gone through between.
    ///
    /// # Errors
    /// The profile has no row of the operation.
    pub fn task(&self, task: &Task, reach: Reach) -> Result<Nanos, PriceError> {
        let batch = |key, size| self.batch(key, size, Some(reach));
        match *task {
            Task::He {
                op,
                ring,
                count,
                streams,
            } => {
                self.note_fit(op, ring);
                let price = self.operations(ring, std::iter::once((op, count, streams)), reach);
                price.ok_or_else(|| not_measured(Op::He(op), format!(" at {}", name_of(ring))))
            }
            Task::Touch { bytes } => Ok(self.younger(Op::Touch, bytes.0 as f64, reach)),
            Task::Values { op, count } => Ok(self.younger(Op::Values(op), count as f64, reach)),
            Task::BaseOt { role, count } => {
                batch((Op::BaseOt, Some(role), Variant::Only), count as f64)
            }
            Task::ExtendOt {
                role,
                extension,
                count,
            } => {
                let variant = Variant::Extension(extension);
                batch((Op::OtCorrelated, Some(role), variant), count as f64)
            }
            Task::DerandomizeOt { role, count } => {
                batch((Op::OtDerandomize, Some(role), Variant::Only), count as f64)
            }
            Task::Garble {
                ref circuit,
                hash,
                batch: count,
            } => batch(gates(Op::Garble, hash), ands(circuit) * count as f64),
            Task::GarbleTables {
                ref circuit,
                hash,
                batch: count,
            } => batch(gates(Op::GarbleTables, hash), ands(circuit) * count as f64),
            Task::Evaluate {
                ref circuit,
                hash,
                batch: count,
                delivery,
            } => {
                // Tables that come when they are needed are at hand.
                let reach = (delivery == Delivery::Split).then_some(reach);
                let size = ands(circuit) * count as f64;
                self.batch(gates(Op::Evaluate, hash), size, reach)
            }
            Task::EncodeLabels {
                ref circuit,
                batch: count,
            } => {
                let labels = circuit.garbler_input_bits() as f64 * count as f64;
                batch((Op::EncodeLabels, None, Variant::Only), labels)
            }
        }
    }

    /// The price of operations in one ring, each with what it reads, on data that `reach` is gone through between; `None`
    /// if one has none there.
    pub(super) fn operations(
        &self,
        ring: RingSize,
        operations: impl Iterator<Item = (HeOp, u64, Streams)>,
        reach: Reach,
    ) -> Option<Nanos> {
        let mut rows = self.rows.borrow_mut();
        let row = rows
            .entry(ring)
            .or_insert_with(|| Row::new(|op, set| self.he(op, ring, set).ok()));
        let price: f64 = operations
            .map(|operation| row.price(operation, reach))
            .sum();
        Some(Nanos(price)).filter(|price| price.0.is_finite())
    }

    /// The price of one BFV operation; where it was not measured with operands from there, from the next place.
    ///
    /// # Errors
    /// The profile has no row of the operation.
    pub fn he(&self, op: HeOp, ring: RingSize, set: WorkingSet) -> Result<Nanos, PriceError> {
        let found = next_places(set).iter().find_map(|&set| {
            let exact = self.exact.get(&(op, ring, set)).copied();
            exact.or_else(|| self.fits.get(&(op, set)).and_then(|fit| fit.at(ring)))
        });
        found.ok_or_else(|| not_measured(Op::He(op), format!(" at {}", name_of(ring))))
    }

    /// Notes an operation that has no row of its own.
    fn note_fit(&self, op: HeOp, ring: RingSize) {
        let measured = |set| self.exact.contains_key(&(op, ring, set));
        if !measured(WorkingSet::Hot) && !measured(WorkingSet::Cold) {
            let fitted = format!("{} at {}", op.name(), name_of(ring));
            self.fitted.borrow_mut().insert(fitted);
        }
    }

    /// Notes a size outside those that were measured; of one alone it is a rate.
    fn note_beyond(&self, (op, _, variant): BatchKey, size: f64, measured: &[(f64, f64)]) {
        if let [least, .., most] = measured
            && !(least.0..=most.0).contains(&size)
        {
            let name = format!("{}{}", op.name(), variant.detail());
            let told = format!("{name}, in sizes outside {} to {}", least.0, most.0);
            self.fitted.borrow_mut().insert(told);
        }
    }

    /// The price of memory touched first, or of work on plain values; profiles older than their measurement have
    /// none, which is noted.
    fn younger(&self, op: Op, size: f64, reach: Reach) -> Nanos {
        if size == 0.0 {
            return Nanos(0.0);
        }
        let price = self.batch((op, None, Variant::Only), size, Some(reach));
        price.unwrap_or_else(|_| {
            let noted = format!("{op}, as nothing (not in the profile)");
            self.fitted.borrow_mut().insert(noted);
            Nanos(0.0)
        })
    }

    /// The price of a batch of this size on data that `reach` is gone through between; of none, on data at hand.
    fn batch(&self, key: BatchKey, size: f64, reach: Option<Reach>) -> Result<Nanos, PriceError> {
        let from = |places: &[WorkingSet]| {
            let sets = self.batches.get(&key);
            let found = places.iter().find_map(|place| sets?.get(place));
            let measured = found.ok_or_else(|| not_measured(key.0, key.2.detail()))?;
            Ok(self.along(key, size, measured))
        };
        let Some(reach) = reach.filter(|reach| !reach.at_hand()) else {
            return from(&[WorkingSet::Hot, WorkingSet::Shared]).map(Nanos);
        };
        let shared = from(&[WorkingSet::Shared, WorkingSet::Hot])?;
        let memory = from(&[WorkingSet::Cold, WorkingSet::Shared, WorkingSet::Hot])?;
        Ok(Nanos(reach.between(shared, memory)))
    }

    /// The time of this size along the line through those measured.
    fn along(&self, key: BatchKey, size: f64, measured: &[(f64, f64)]) -> f64 {
        let above = measured.partition_point(|(at, _)| *at < size);
        let below = above.checked_sub(1).and_then(|i| measured.get(i));
        match (below, measured.get(above)) {
            (Some(&low), Some(&high)) => {
                let share = (size - low.0) / (high.0 - low.0);
                low.1 + share * (high.1 - low.1)
            }
            (Some(&nearest), None) | (None, Some(&nearest)) => {
                self.note_beyond(key, size, measured);
                nearest.1 / nearest.0 * size
            }
            (None, None) => f64::INFINITY,
        }
    }
}

/// Where an operation was measured, from this place to the ones that stand for it.
const fn next_places(set: WorkingSet) -> &'static [WorkingSet] {
    use WorkingSet::{Cold, Far, Hot, Middle, Near, Shared};
    match set {
        Hot => &[Hot],
        // Profiles that know no shared cache have what lay beyond a core's own.
        Shared => &[Shared, Cold, Hot],
        Cold => &[Cold, Shared, Hot],
        Near => &[Near, Cold, Shared, Hot],
        Middle => &[Middle, Near, Cold, Shared, Hot],
        Far => &[Far, Middle, Near, Cold, Shared, Hot],
    }
}

const fn gates(op: Op, hash: GarblingHash) -> BatchKey {
    (op, None, Variant::Hash(hash))
}

/// ANDs of a circuit that a script holds, and that is therefore a sound one.
fn ands(circuit: &ShareCircuit) -> f64 {
    circuit
        .and_count()
        .map_or(f64::INFINITY, |count| count as f64)
}

fn not_measured(op: Op, detail: String) -> PriceError {
    PriceError::NotMeasured {
        op: op.name(),
        detail,
    }
}

/// The link that these two operations measured.
fn link(batches: &Batches, send: Op, trip: Op) -> Option<Link> {
    let of = |op| {
        batches
            .get(&(op, None, Variant::Only))?
            .get(&WorkingSet::Hot)
    };
    let sent = of(send)?;
    let alone = sent.first().map(|(bytes, time)| time / bytes);
    let fitted = fit_line(sent).map(|(slope, _)| slope);
    let ns_per_byte = fitted.filter(|slope| *slope > 0.0).or(alone)?;
    let (_, round_trip) = of(trip)?.first()?;
    Some(Link {
        mbit_per_s: 8e3 / ns_per_byte,
        rtt_ms: round_trip / 1e6,
    })
}

/// The link to another machine, in its slower direction.
fn distant(batches: &Batches) -> Option<Link> {
    let way = |op| link(batches, op, Op::LinkRoundTrip);
    let (out, back) = (way(Op::LinkOut)?, way(Op::LinkIn)?);
    let mbit_per_s = out.mbit_per_s.min(back.mbit_per_s);
    Some(Link { mbit_per_s, ..out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfv::HeOp;
    use crate::calibrate::{Case, Record};
    use crate::gc::{Extension, ShareFunction};
    use crate::units::Bytes;

    impl PriceList {
        /// The price with data from memory.
        fn told(&self, task: &Task) -> Result<Nanos, PriceError> {
            self.task(task, Reach::MEMORY)
        }
    }

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
        let sizes = [(4096, 1), (4096, 2), (8192, 1), (8192, 3)];
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
            digits: 0,
        };
        Task::He {
            op: HeOp::Add,
            ring,
            count: 2,
            streams: Streams::default(),
        }
    }

    #[test]
    fn a_measured_case_is_looked_up_one_between_fitted_and_named_one_beyond_refused() {
        let prices = prices();
        assert_eq!(prices.told(&additions(4096, 2)), Ok(Nanos(2.0 * 8192.0)));
        assert!(prices.fitted().is_empty());
        let fitted = prices.told(&additions(8192, 2)).unwrap();
        assert!((fitted.0 / (2.0 * 16_384.0) - 1.0).abs() < 1e-6, "{fitted}");
        assert_eq!(prices.fitted(), ["add at n=8192, 2 limbs"]);
        for (n, limbs) in [(16_384, 2), (2048, 1), (8192, 4)] {
            assert!(prices.told(&additions(n, limbs)).is_err());
        }
    }

    #[test]
    fn the_widest_fast_row_of_each_kind_of_key_switch_is_its_price() {
        let add = Op::He(HeOp::Add);
        let mut slow = record(add, 4096, 2, "special=37", 9e9);
        slow.case.q_bits = 72;
        let records = [
            record(add, 4096, 2, "special=50", 7.0),
            slow,
            record(add, 4096, 2, "special=50+50", 8.0),
            record(add, 4096, 2, "digit=25", 9.0),
            record(add, 4096, 2, "special=60", 9e9),
        ];
        let profile = Profile {
            records: records.to_vec(),
            ..Profile::default()
        };
        let list = PriceList::new(&profile);
        assert_eq!(list.told(&additions(4096, 2)), Ok(Nanos(14.0)));
        assert_eq!(list.exact.len(), 3);
        let price = |special, digits| {
            let (n, limbs) = (4096, 2);
            let ring = RingSize {
                n,
                limbs,
                special,
                digits,
            };
            list.he(HeOp::Add, ring, WorkingSet::Hot).ok()
        };
        assert_eq!(
            (price(2, 0), price(0, 2)),
            (Some(Nanos(8.0)), Some(Nanos(9.0)))
        );
        assert_eq!((price(3, 0), price(0, 3)), (None, None));
    }

    #[test]
    fn a_batch_is_priced_between_its_neighbours() {
        let prices = prices();
        let sender = |count| {
            prices
                .told(&Task::ExtendOt {
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
        assert!(prices.fitted().is_empty());
        assert!((sender(5) - 5.0 * 13.0).abs() < 1e-6, "as the smallest");
        assert!(
            (sender(10_000) - 10_000.0 * 3.1).abs() < 1e-6,
            "as the largest"
        );
        let told = "ot_correlated with extension=softspoken4, in sizes outside 10 to 1000";
        assert_eq!(prices.fitted(), [told], "never silently");
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
            prices.told(&Task::ExtendOt {
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
            Ok(prices.told(&task)?.0 / ands(&circuit))
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
    fn a_link_to_another_machine_is_its_slower_direction() {
        let mut records = vec![record(Op::LinkRoundTrip, 0, 0, "bytes=1", 3e6)];
        for bytes in [1000.0, 10_000.0] {
            let param = format!("bytes={bytes}");
            records.push(record(Op::LinkOut, 0, 0, &param, 500.0 + 80.0 * bytes));
            records.push(record(Op::LinkIn, 0, 0, &param, 8.0 * bytes));
        }
        let mut profile = Profile {
            records,
            ..Profile::default()
        };
        let link = PriceList::new(&profile).distant().unwrap();
        assert!((link.mbit_per_s - 100.0).abs() < 1e-6 && link.rtt_ms == 3.0);
        assert!(PriceList::new(&profile).loopback().is_err());
        profile.records.truncate(1);
        let refused = PriceList::new(&profile).distant().unwrap_err();
        assert!(
            refused.to_string().contains("--link HOST:PORT"),
            "{refused}"
        );
    }

    /// Prices are those of one thread; what several share is kept for the reader of the profile.
    #[test]
    fn rows_of_several_threads_price_nothing() {
        let mut shared = record(Op::He(HeOp::Add), 4096, 2, "special=50", 1.0);
        shared.case.threads = 2;
        let list = PriceList::new(&Profile {
            records: vec![
                shared,
                record(Op::He(HeOp::Add), 4096, 2, "special=50", 7.0),
            ],
            ..Profile::default()
        });
        assert_eq!(list.told(&additions(4096, 2)), Ok(Nanos(14.0)));
    }

    #[test]
    fn what_was_not_measured_is_refused_by_name() {
        let prices = prices();
        let task = Task::ExtendOt {
            role: OtRole::Receiver,
            extension: Extension::default(),
            count: 1,
        };
        let refused = prices.told(&task).unwrap_err();
        assert!(refused.to_string().contains("ot_correlated"));
        let ring = RingSize {
            n: 4096,
            limbs: 1,
            special: 1,
            digits: 0,
        };
        let rotation = prices.he(HeOp::Rotate, ring, WorkingSet::Cold).unwrap_err();
        assert!(rotation.to_string().contains("`rotate` at n=4096, 1 limbs"));
    }

    /// Tables at hand, from the shared cache and from memory; transfers that were measured from the shared cache alone.
    #[test]
    fn a_batch_costs_what_its_data_comes_from() {
        let at = |working_set, op, param: &str, median| {
            let mut record = record(op, 0, 0, param, median);
            record.case.working_set = working_set;
            record
        };
        let circuits = "circuit=relu;hash=tmmo;ands=10;batch=1";
        let sets = [
            (WorkingSet::Hot, 50.0),
            (WorkingSet::Shared, 60.0),
            (WorkingSet::Cold, 80.0),
        ];
        let mut records = sets
            .map(|(set, median)| at(set, Op::Evaluate, circuits, median))
            .to_vec();
        let transfers = "role=sender;batch=20";
        records.push(at(WorkingSet::Shared, Op::OtDerandomize, transfers, 7.0));
        let prices = PriceList::new(&Profile {
            records,
            ..Profile::default()
        });
        let circuit = ShareCircuit {
            function: ShareFunction::relu(),
            p_in: 97,
            p_out: 97,
        };
        let evaluated = |delivery, megabytes: u64| {
            let (hash, batch) = (GarblingHash::Tmmo, 10);
            let task = Task::Evaluate {
                circuit,
                hash,
                batch,
                delivery,
            };
            let reach = Reach::of(Bytes(megabytes << 20));
            prices.task(&task, reach).unwrap().0 / ands(&circuit)
        };
        for (megabytes, each) in [(1, 50.0), (24, 60.0), (256, 80.0), (1000, 80.0)] {
            let split = evaluated(Delivery::Split, megabytes);
            assert!((split - each).abs() < 1e-9, "{megabytes} {split}");
            assert!((evaluated(Delivery::Streamed, megabytes) - 50.0).abs() < 1e-9);
        }
        let (role, count) = (OtRole::Sender, 20);
        let turned = prices.told(&Task::DerandomizeOt { role, count });
        assert_eq!(turned, Ok(Nanos(7.0)));
    }
}
