//! A plan, whatever its schedule: the trait that schedules implement, and the list of them.
//!
//! [`Plan`] is the list as an enum. It serialises as what it was made from ([`PlanRequest`]: the
//! schedule's name, n, the layer's shapes), so a plan read from a file is built and checked anew.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::conv_client_rotation::ConvClientRotation;
use super::conv_input_rotation::{ConvInputRotation, ConvInputRotationDecimated};
use super::conv_output_rotation::{ConvOutputRotation, ConvOutputRotationDecimated};
use super::fc_bsgs::FcBsgs;
use super::fc_hybrid::{FcDiagonal, FcHybrid};
use super::fc_naive::FcNaive;
use super::keys::KeyReads;
use super::layouts::Layouts;
use super::output_sum::OutputSum;
use super::shape::{LinearShape, PackingError};
use super::square::Square;
use crate::bfv::{HeOp, HeOps, OpCounts, Rotation};
use crate::network::Step;
use crate::units::Bytes;

/// One way to compute a linear layer over packed ciphertexts.
///
/// Weights are used in plaintexts numbered `0..weight_count()`.
pub trait Schedule: Sized {
    /// The name used in tables, JSON and files.
    const NAME: &'static str;

    /// The plan for a layer at ring degree `n`.
    ///
    /// # Errors
    /// [`PackingError::WrongLayer`] where the schedule is not for such layers; others by name.
    fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        Self::over(&Layouts::new(layer, n))
    }

    /// The same, beside other schedules.
    ///
    /// # Errors
    /// As [`Schedule::new`].
    fn over(layouts: &Layouts) -> Result<Self, PackingError>;

    /// The ring degree and the layer it was made for.
    fn made_for(&self) -> (usize, LinearShape);

    /// What [`Schedule::run`] does, in closed form.
    fn counts(&self) -> OpCounts;

    /// How often each rotation is carried out, hoisted or not; the identity is none.
    fn rotation_counts(&self) -> BTreeMap<Rotation, u64>;

    /// About how many rotations that are not hoisted do not follow one by the same key directly.
    fn turns_of_keys(&self) -> u64 {
        self.counts()[HeOp::Rotate]
    }

    /// About how many of these come after products, if there are as many.
    fn turns_after_products(&self) -> u64 {
        1
    }

    /// How the rotations read their keys.
    fn key_reads(&self) -> KeyReads {
        let turns = self.turns_of_keys();
        KeyReads {
            keys: self.rotation_counts().len() as u64,
            turns,
            after_products: self.turns_after_products().min(turns),
        }
    }

    /// Ciphertexts from client to server.
    fn input_ciphertexts(&self) -> usize;

    /// Ciphertexts from server to client.
    fn output_ciphertexts(&self) -> usize;

    /// Number of encoded plaintexts that hold the weights.
    fn weight_count(&self) -> usize;

    /// What the output ciphertexts are sums of, in closed form, equal ones once or more.
    fn output_sums(&self) -> Vec<OutputSum>;

    /// At most so many ciphertexts are held at once during [`Schedule::run`] besides its inputs:
    /// rotated inputs, sums, outputs. (One decomposition is held as well.)
    fn working_ciphertexts(&self) -> usize;

    /// Slots of the input ciphertexts, from values in layer order (c, h, w), in `0..p`.
    ///
    /// # Panics
    /// If there are fewer values than the layer has inputs.
    fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>>;

    /// Slots of plaintext `index`, modulo `p`, from weights in the order of [`LinearShape`].
    ///
    /// # Panics
    /// If there are fewer weights than the layer has, or `index` is not below `weight_count()`.
    fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64>;

    /// Computes the layer; `weight` yields plaintext `index`, held or made on the spot. Each is asked
    /// for once, in rising order.
    ///
    /// # Errors
    /// Those of `ops` and of `weight`.
    ///
    /// # Panics
    /// If there are fewer inputs than `input_ciphertexts()`.
    fn run<H: HeOps, W: Borrow<H::Plaintext>>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weight: impl FnMut(usize) -> Result<W, H::Error>,
    ) -> Result<Vec<H::Ciphertext>, H::Error>;

    /// Output values in layer order (c, h, w), from the slots of the output ciphertexts.
    ///
    /// # Panics
    /// If there are fewer slots than the plan's outputs have.
    fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64>;
}

/// What a plan is made from, and how it is written in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Name of the schedule.
    pub schedule: String,
    /// Ring degree.
    pub n: usize,
    /// Shapes of the layer.
    pub layer: LinearShape,
}

impl PlanRequest {
    /// Whether a plan may be made: the ring degree and all sizes of the layer are within bounds, and the
    /// schedule has a known name. Making a [`Plan`] checks the same.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    pub fn check(&self) -> Result<(), PackingError> {
        Layouts::new(&self.layer, self.n).check()?;
        if Plan::SCHEDULES.contains(&self.schedule.as_str()) {
            Ok(())
        } else {
            Err(PackingError::UnknownSchedule {
                name: self.schedule.clone(),
            })
        }
    }
}

macro_rules! schedules {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// How one linear layer is computed at one ring degree.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "PlanRequest", into = "PlanRequest")]
        pub enum Plan {
            $($(#[$doc])* $name($name),)+
        }

        impl Plan {
            fn attempts(layer: &LinearShape, n: usize) -> Vec<Result<Self, PackingError>> {
                let layouts = Layouts::new(layer, n);
                vec![$($name::over(&layouts).map(Self::$name)),+]
            }

            /// Names of all schedules, in the order of the list.
            pub const SCHEDULES: &'static [&'static str] = &[$($name::NAME),+];

            /// The plan of the schedule with this name.
            ///
            /// # Errors
            /// [`PackingError::UnknownSchedule`], or why the schedule has no plan for the layer.
            pub fn named(schedule: &str, layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
                match schedule {
                    $($name::NAME => $name::new(layer, n).map(Self::$name),)+
                    _ => Err(PackingError::UnknownSchedule {
                        name: schedule.to_owned(),
                    }),
                }
            }

            /// The schedule's name.
            pub const fn schedule_name(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::NAME),+ }
            }

            /// The ring degree and the layer it was made for.
            pub fn made_for(&self) -> (usize, LinearShape) {
                match self { $(Self::$name(plan) => plan.made_for()),+ }
            }

            /// What [`Plan::run`] does, in closed form.
            pub fn counts(&self) -> OpCounts {
                match self { $(Self::$name(plan) => plan.counts()),+ }
            }

            /// How often each rotation is carried out, hoisted or not; the identity is none.
            pub fn rotation_counts(&self) -> BTreeMap<Rotation, u64> {
                match self { $(Self::$name(plan) => plan.rotation_counts()),+ }
            }

            /// How its rotations read their keys.
            pub fn key_reads(&self) -> KeyReads {
                match self { $(Self::$name(plan) => plan.key_reads()),+ }
            }

            /// Ciphertexts from client to server.
            pub fn input_ciphertexts(&self) -> usize {
                match self { $(Self::$name(plan) => plan.input_ciphertexts()),+ }
            }

            /// Ciphertexts from server to client.
            pub fn output_ciphertexts(&self) -> usize {
                match self { $(Self::$name(plan) => plan.output_ciphertexts()),+ }
            }

            /// Number of encoded plaintexts that hold the weights.
            pub fn weight_count(&self) -> usize {
                match self { $(Self::$name(plan) => plan.weight_count()),+ }
            }

            /// What the output ciphertexts are sums of, in closed form, equal ones once or more.
            pub fn output_sums(&self) -> Vec<OutputSum> {
                match self { $(Self::$name(plan) => plan.output_sums()),+ }
            }

            /// At most so many ciphertexts are held at once during [`Plan::run`] besides its inputs.
            pub fn working_ciphertexts(&self) -> usize {
                match self { $(Self::$name(plan) => plan.working_ciphertexts()),+ }
            }

            /// Slots of the input ciphertexts, from values in layer order (c, h, w), in `0..p`.
            ///
            /// # Panics
            /// If there are fewer values than the layer has inputs.
            pub fn pack_input(&self, values: &[u64]) -> Vec<Vec<u64>> {
                match self { $(Self::$name(plan) => plan.pack_input(values)),+ }
            }

            /// Slots of plaintext `index`, modulo `p`, from weights in the order of [`LinearShape`].
            ///
            /// # Panics
            /// If there are fewer weights than the layer has, or `index` is not below
            /// [`Plan::weight_count`].
            pub fn weight_slots(&self, weights: &[i64], p: u64, index: usize) -> Vec<u64> {
                match self { $(Self::$name(plan) => plan.weight_slots(weights, p, index)),+ }
            }

            /// Computes the layer, asking `weight` for each plaintext once, in rising order. Where the
            /// encoded weights ([`Plan::weight_bytes`]) do not fit in memory, `weight` encodes them on the
            /// spot; operations by [`Windowed::one_by_one`](super::Windowed::one_by_one) then hold one of them at a time.
            ///
            /// # Errors
            /// Those of `ops` and of `weight`.
            ///
            /// # Panics
            /// If there are fewer inputs than [`Plan::input_ciphertexts`].
            pub fn run_with<H: HeOps, W: Borrow<H::Plaintext>>(
                &self,
                ops: &H,
                inputs: &[H::Ciphertext],
                weight: impl FnMut(usize) -> Result<W, H::Error>,
            ) -> Result<Vec<H::Ciphertext>, H::Error> {
                match self { $(Self::$name(plan) => plan.run(ops, inputs, weight)),+ }
            }

            /// Output values in layer order (c, h, w), from the slots of the output ciphertexts.
            ///
            /// # Panics
            /// If there are fewer slots than the plan's outputs have.
            pub fn unpack_output(&self, slots: &[Vec<u64>]) -> Vec<u64> {
                match self { $(Self::$name(plan) => plan.unpack_output(slots)),+ }
            }
        }
    };
}

impl Plan {
    /// The preferred plan for a step.
    ///
    /// # Errors
    /// [`PackingError`]: the step is not linear, or no schedule computes it at this `n`.
    pub fn for_step(step: &Step, n: usize) -> Result<Self, PackingError> {
        Self::new(&LinearShape::of_step(step)?, n)
    }

    /// The preferred plan for a layer: the first of [`Plan::candidates`].
    ///
    /// # Errors
    /// [`PackingError`]: no schedule computes it at this `n`.
    pub fn new(layer: &LinearShape, n: usize) -> Result<Self, PackingError> {
        Self::first(Self::attempts(layer, n))
    }

    /// Every plan for a layer at this `n`, in the order of the list of schedules.
    ///
    /// # Errors
    /// [`PackingError`]: no schedule computes it at this `n`.
    pub fn candidates(layer: &LinearShape, n: usize) -> Result<Vec<Self>, PackingError> {
        let attempts = Self::attempts(layer, n);
        if attempts.iter().any(Result::is_ok) {
            Ok(attempts.into_iter().flatten().collect())
        } else {
            Self::first(attempts).map(|plan| vec![plan])
        }
    }

    /// The first plan, or the error of the last schedule that is for such layers.
    fn first(attempts: Vec<Result<Self, PackingError>>) -> Result<Self, PackingError> {
        let mut why = PackingError::Empty;
        for attempt in attempts {
            match attempt {
                Err(PackingError::WrongLayer { .. } | PackingError::NothingToGain { .. }) => {}
                Err(error) => why = error,
                Ok(plan) => return Ok(plan),
            }
        }
        Err(why)
    }

    /// Computes the layer with plaintexts encoded beforehand, in the order of their index.
    ///
    /// # Errors
    /// Those of `ops`.
    ///
    /// # Panics
    /// If there are fewer inputs than [`Plan::input_ciphertexts`] or fewer weights than
    /// [`Plan::weight_count`].
    pub fn run<H: HeOps>(
        &self,
        ops: &H,
        inputs: &[H::Ciphertext],
        weights: &[H::Plaintext],
    ) -> Result<Vec<H::Ciphertext>, H::Error> {
        self.run_with(ops, inputs, |index| Ok(&weights[index]))
    }

    /// The rotations whose Galois keys the server needs.
    pub fn rotations(&self) -> BTreeSet<Rotation> {
        self.rotation_counts().into_keys().collect()
    }

    /// Bytes of the encoded weights, in words of 64 bits, over `limbs` primes.
    pub fn weight_bytes(&self, limbs: usize) -> Bytes {
        Bytes((self.weight_count() * self.made_for().0 * limbs * 8) as u64)
    }

    /// Key switches of one run: full rotations and hoisted ones.
    pub fn key_switches(&self) -> u64 {
        let counts = self.counts();
        counts[HeOp::Rotate] + counts[HeOp::HoistedRotate]
    }
}

impl From<Plan> for PlanRequest {
    fn from(plan: Plan) -> Self {
        let (n, layer) = plan.made_for();
        Self {
            schedule: plan.schedule_name().to_owned(),
            n,
            layer,
        }
    }
}

impl TryFrom<PlanRequest> for Plan {
    type Error = PackingError;

    fn try_from(request: PlanRequest) -> Result<Self, PackingError> {
        Self::named(&request.schedule, &request.layer, request.n)
    }
}

schedules! {
    /// Fully connected, Gazelle's hybrid of diagonals and folding.
    FcHybrid,
    /// Fully connected, by baby steps and giant steps over the hybrid's diagonals.
    FcBsgs,
    /// Fully connected, Halevi and Shoup's diagonals without a fold.
    FcDiagonal,
    /// Fully connected, row by row.
    FcNaive,
    /// Convolution, Gazelle's two-stage output rotation.
    ConvOutputRotation,
    /// The same over a decimated input, for strides.
    ConvOutputRotationDecimated,
    /// Convolution, inputs rotated for taps and channels at once.
    ConvInputRotation,
    /// The same over a decimated input, for strides.
    ConvInputRotationDecimated,
    /// Convolution, inputs rotated by the client as in DELPHI.
    ConvClientRotation,
    /// Square, of values that two parties share.
    Square,
}
