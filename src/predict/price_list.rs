//! What each task costs on a calibrated machine.
//!
//! A BFV operation is looked up under its exact case. Where the profile lacks that (n, limbs), the
//! fit ln t = c₀ + c₁·ln n + c₂·ln limbs over the operation's own rows is used, and named in
//! [`PriceList::fitted`]. Circuits and transfers follow t = fixed + slope · (batch · ANDs), or
//! slope · transfers, through the measured batch sizes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::bfv::HeOp;
use crate::calibrate::{Op, Profile, WorkingSet, fit_line, fit_plane};
use crate::gc::ShareCircuit;
use crate::params::{LayerWork, Prices};
use crate::protocol::{Link, OtRole, RingSize, Task};
use crate::units::{Bytes, Nanos};

/// Encoded weights beyond this size stream from memory, not from a cache.
const CACHED: Bytes = Bytes(4 << 20);

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
    lines: BTreeMap<(Op, Option<OtRole>), (f64, f64)>,
    link: Option<Link>,
    fitted: RefCell<BTreeSet<String>>,
}

type HeKey = (HeOp, RingSize, WorkingSet);
/// c₀, c₁, c₂ of ln t = c₀ + c₁·ln n + c₂·ln limbs.
type Plane = [f64; 3];

impl PriceList {
    /// The prices of `profile`.
    pub fn new(profile: &Profile) -> Self {
        let mut exact = BTreeMap::new();
        let mut points: BTreeMap<_, Vec<([f64; 2], f64)>> = BTreeMap::new();
        let mut batches: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
        for record in &profile.records {
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
            } else if let Some(size) = case.size() {
                batches
                    .entry((case.op, case.role()))
                    .or_default()
                    .push((size, time.0));
            }
        }
        let planes = points
            .into_iter()
            .filter_map(|(key, p)| Some((key, fit_plane(&p)?)));
        let lines = batches
            .into_iter()
            .filter_map(|(key, b)| Some((key, line(&b)?)));
        let (planes, lines) = (planes.collect(), lines.collect());
        let link = link(&lines);
        Self {
            exact,
            planes,
            lines,
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

    /// What was priced by a fit and not by its own row, so far.
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
                let set = if *streams > CACHED {
                    WorkingSet::Cold
                } else {
                    WorkingSet::Hot
                };
                Ok(self.he(*op, *ring, set)? * *count as f64)
            }
            Task::BaseOt { role, count } => self.line(Op::BaseOt, Some(*role), *count as f64),
            Task::ExtendOt { role, count } => {
                self.line(Op::OtCorrelated, Some(*role), *count as f64)
            }
            Task::Garble { circuit, batch } => {
                self.line(Op::Garble, None, ands(circuit) * *batch as f64)
            }
            Task::Evaluate { circuit, batch } => {
                self.line(Op::Evaluate, None, ands(circuit) * *batch as f64)
            }
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
        if let Some(plane) = self.planes.get(&(op, set)) {
            let RingSize { n, limbs, .. } = ring;
            let fitted = format!("{} ({}) at n={n}, {limbs} limbs", op.name(), set.name());
            self.fitted.borrow_mut().insert(fitted);
            let [c0, c1, c2] = plane;
            return Ok(Nanos(
                (c0 + c1 * (n as f64).ln() + c2 * (limbs as f64).ln()).exp(),
            ));
        }
        match set {
            WorkingSet::Cold => self.he(op, ring, WorkingSet::Hot),
            WorkingSet::Hot => {
                let detail = format!(" at n={}, {} limbs", ring.n, ring.limbs);
                Err(not_measured(Op::He(op), detail))
            }
        }
    }

    fn line(&self, op: Op, role: Option<OtRole>, size: f64) -> Result<Nanos, PriceError> {
        let (slope, fixed) = self
            .lines
            .get(&(op, role))
            .ok_or_else(|| not_measured(op, String::new()))?;
        Ok(Nanos(fixed.max(0.0) + slope * size))
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

/// Slope and fixed cost; one batch size alone gives a slope.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let alone = points.first().map(|(size, time)| (time / size, 0.0));
    fit_line(points).or(alone)
}

fn link(lines: &BTreeMap<(Op, Option<OtRole>), (f64, f64)>) -> Option<Link> {
    let (ns_per_byte, _) = lines.get(&(Op::Send, None))?;
    let (round_trip, _) = lines.get(&(Op::RoundTrip, None))?;
    Some(Link {
        mbit_per_s: 8e3 / ns_per_byte,
        rtt_ms: round_trip / 1e6,
    })
}
