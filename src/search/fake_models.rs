//! Models for tests: quick, deterministic, and able to fail on demand.

use std::num::NonZeroU64;

use super::controller::ControllerSettings;
use super::models::{AccuracyModel, Cost, CostError, CostModel, ModelError};
use super::reward::Reward;
use super::settings::{PolicySettings, StudySettings};
use super::space::Space;
use crate::network::{LayerKind, NetworkParams};

/// Cost by filters, kernels and bits; networks whose head has 4-bit weights and 4-bit inputs can't be
/// run.
pub(super) struct FakeCosts;

impl CostModel for FakeCosts {
    fn cost(&self, network: &NetworkParams) -> Result<Cost, CostError> {
        let mut work = 0;
        for layer in &network.layers {
            let size = match &layer.kind {
                LayerKind::Conv(conv) => conv.out_channels * conv.kernel[0] * conv.kernel[1],
                LayerKind::Fc(fc) => fc.outputs,
                _ => 0,
            };
            let bits = layer
                .kind
                .quantizer()
                .map_or(0, |q| q.input_bits + q.weight_bits);
            if bits == 8 && matches!(layer.kind, LayerKind::Fc(_)) {
                return Err(CostError::Infeasible("no parameters".into()));
            }
            work += size as u64 * u64::from(bits);
        }
        Ok(Cost {
            seconds: work as f64 / 1_000.0,
            bytes: 100 * work,
        })
    }
}

/// Where [`FakeAccuracy`] fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// In the call of `train` with this number.
    Train(u64),
    /// In the call of `quantized_accuracy` with this number.
    Evaluate(u64),
    /// It answers this instead.
    Answer(Answer),
}

/// Nonsense.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    NotANumber,
    TooMuch,
}

/// Weights are the training seed; accuracy grows with filters and bits, and a little with the seed.
#[derive(Default)]
pub(super) struct FakeAccuracy {
    pub(super) fault: Option<Fault>,
    pub(super) trained: Vec<NetworkParams>,
    pub(super) evaluated: u64,
}

impl AccuracyModel for FakeAccuracy {
    fn train(&mut self, network: &NetworkParams, seed: u64) -> Result<Vec<u8>, ModelError> {
        if self.fault == Some(Fault::Train(self.trained.len() as u64)) {
            return Err("the training was stopped".into());
        }
        self.trained.push(network.clone());
        Ok(seed.to_le_bytes().to_vec())
    }

    fn quantized_accuracy(
        &mut self,
        network: &NetworkParams,
        weights: &[u8],
    ) -> Result<f64, ModelError> {
        if self.fault == Some(Fault::Evaluate(self.evaluated)) {
            return Err("the evaluation was stopped".into());
        }
        match self.fault {
            Some(Fault::Answer(Answer::NotANumber)) => return Ok(f64::NAN),
            Some(Fault::Answer(Answer::TooMuch)) => return Ok(1.5),
            _ => {}
        }
        self.evaluated += 1;
        let seed = u64::from_le_bytes(weights.try_into()?);
        let mut loss = 1.0 + (seed % 100) as f64 / 1_000.0;
        for layer in &network.layers {
            if let LayerKind::Conv(conv) = &layer.kind {
                loss += 2.0 / conv.out_channels as f64 + 1.0 / conv.kernel[0] as f64;
            }
            if let Some(q) = layer.kind.quantizer() {
                loss += 0.5 / f64::from(q.input_bits) + 1.0 / f64::from(q.weight_bits);
            }
        }
        Ok(1.0 / loss)
    }
}

/// Settings of a small, quick study.
pub(super) fn settings(seed: u64, policy: PolicySettings) -> StudySettings {
    StudySettings {
        seed,
        space: Space::open("small").unwrap(),
        reward: Reward {
            beta: 0.5,
            reference: Cost {
                seconds: 3.0,
                bytes: 300_000,
            },
        },
        switch_period: NonZeroU64::new(3).unwrap(),
        policy,
        profile: "fake".into(),
        dataset: "fake".into(),
    }
}

/// A small controller.
pub(super) fn small_controller() -> PolicySettings {
    PolicySettings::Controller(ControllerSettings {
        hidden: 6,
        batch: 5,
        ..ControllerSettings::default()
    })
}
