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
//! A link is half a round trip and slope · bytes; the loopback, where it was measured at three sizes, a time by size, between
//! two of them a line, of messages in a stream and of others apart. Of a link to another machine the slower direction
//! counts, as [`Link`] has one bandwidth.

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
use crate::protocol::{BySize, Delivery, Link, OtRole, RingSize, Streams, Task};
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
    hand_over: Option<f64>,
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
        let hand_over = per_byte(&batches, Op::HandOver);
        let loopback = link(&batches, Op::Send, Op::RoundTrip).map(|link| Link {
            by_size: by_size(&batches, WorkingSet::Hot),
            after_others: by_size(&batches, WorkingSet::Cold),
            ..link
        });
        let [link, distant] =
            [loopback, distant(&batches)].map(|link| Some(link?.handing_over(hand_over)));
        Self {
            exact,
            fits,
            batches,
            link,
            distant,
            hand_over,
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

    /// Nanoseconds for each byte of a message that is handed to the system, where the profile measured it.
    pub const fn hand_over(&self) -> Option<f64> {
        self.hand_over
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
    use WorkingSet::{Alone, Cold, Far, Hot, Middle, Near, Outside, Shared};
    match set {
        Hot => &[Hot],
        // Profiles that know no shared cache have what lay beyond a core's own.
        Shared => &[Shared, Cold, Hot],
        Cold => &[Cold, Shared, Hot],
        Near => &[Near, Cold, Shared, Hot],
        Middle => &[Middle, Near, Cold, Shared, Hot],
        Far => &[Far, Middle, Near, Cold, Shared, Hot],
        Outside => &[Outside, Far, Middle, Near, Cold, Shared, Hot],
        Alone => &[Alone, Shared, Cold, Hot],
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

/// What was measured of an operation of a link, by bytes.
fn sizes(batches: &Batches, op: Op, set: WorkingSet) -> Option<&Sizes> {
    let sets = batches.get(&(op, None, Variant::Only))?;
    sets.get(&set)
}

/// Nanoseconds of each byte: the slope over the sizes, or those of the one there is.
fn per_byte(batches: &Batches, op: Op) -> Option<f64> {
    let measured = sizes(batches, op, WorkingSet::Hot)?;
    let alone = measured.first().map(|(bytes, time)| time / bytes);
    let fitted = fit_line(measured).map(|(slope, _)| slope);
    fitted.filter(|slope| *slope > 0.0).or(alone)
}

/// The link that these two operations measured.
fn link(batches: &Batches, send: Op, trip: Op) -> Option<Link> {
    let mbit_per_s = 8e3 / per_byte(batches, send)?;
    let (_, round_trip) = sizes(batches, trip, WorkingSet::Hot)?.first()?;
    Some(Link {
        mbit_per_s,
        rtt_ms: round_trip / 1e6,
        hand_over: None,
        by_size: None,
        after_others: None,
    })
}

/// What messages of three sizes took over the loopback, if there are as many and each longer one took longer.
fn by_size(batches: &Batches, set: WorkingSet) -> Option<BySize> {
    let measured = <BySize>::try_from(sizes(batches, Op::Send, set)?.as_slice()).ok()?;
    measured
        .is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1)
        .then_some(measured)
}

/// The link to another machine, in its slower direction.
fn distant(batches: &Batches) -> Option<Link> {
    let way = |op| link(batches, op, Op::LinkRoundTrip);
    let (out, back) = (way(Op::LinkOut)?, way(Op::LinkIn)?);
    let mbit_per_s = out.mbit_per_s.min(back.mbit_per_s);
    Some(Link { mbit_per_s, ..out })
}

#[cfg(test)]
mod tests;
