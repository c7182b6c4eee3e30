//! Trains networks on a dataset, quantizes them and measures how accurate they are.
//!
//! A [`Trainer`] holds a [`Dataset`]; [`NetworkParams`], [`TrainSettings`] and a seed become
//! [`FloatWeights`] by stochastic gradients of the cross entropy; those become the integer
//! [`Weights`] of `network`; accuracies are shares of a [`Split`]. The seed fixes the first weights
//! and the order of the images; nothing is drawn from libtorch's own generator. Results repeat on one
//! build, one kind of processor and one number of threads; on a GPU they need not.

use rand::seq::SliceRandom;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use tch::nn::{self, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor, no_grad};

use super::dataset::{Dataset, Images, Split};
use super::error::TrainError;
use super::evaluate::{QuantizedModel, accuracy, count_right};
use super::float_weights::FloatWeights;
use super::model::{Model, values};
use super::quantize::{CALIBRATION_IMAGES, Percentiles, quantize};
use super::settings::{Epoch, Optimizer, TrainSettings};
use crate::network::{NetworkParams, ResolvedNetwork, Shape, Weights};

/// Images at once where no gradient is asked for.
const BATCH: usize = 128;

/// Trains and evaluates networks on one dataset, on a GPU if libtorch has one, else on this many
/// threads.
#[derive(Debug)]
pub struct Trainer {
    dataset: Dataset,
    device: Device,
    threads: i32,
}

impl Trainer {
    /// # Errors
    /// [`TrainError::Setting`] for no thread at all.
    pub fn new(dataset: Dataset, threads: usize) -> Result<Self, TrainError> {
        let count = i32::try_from(threads).ok().filter(|threads| *threads > 0);
        let threads = count.ok_or_else(|| TrainError::Setting {
            field: "threads",
            given: threads.to_string(),
            expected: "at least 1",
        })?;
        Ok(Self {
            dataset,
            device: Device::cuda_if_available(),
            threads,
        })
    }

    /// The dataset.
    pub const fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Trains a network from scratch.
    ///
    /// # Errors
    /// Settings out of range; a network that is malformed or does not fit the dataset;
    /// [`TrainError::Diverged`].
    pub fn train(
        &self,
        network: &NetworkParams,
        settings: &TrainSettings,
        seed: u64,
    ) -> Result<FloatWeights, TrainError> {
        self.train_observed(network, settings, seed, &mut |_| {})
    }

    /// As [`Trainer::train`]; `observe` is told of every epoch.
    ///
    /// # Errors
    /// As [`Trainer::train`].
    pub fn train_observed(
        &self,
        network: &NetworkParams,
        settings: &TrainSettings,
        seed: u64,
        observe: &mut dyn FnMut(Epoch),
    ) -> Result<FloatWeights, TrainError> {
        settings.check()?;
        self.prepare(network)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let normalization = self.dataset.normalization.clone();
        let first = FloatWeights::initial(network, normalization, &mut rng)?;
        let variables = VarStore::new(self.device);
        let model = Model::new(network, &first, &variables)?;
        let mut optimizer = optimizer(settings, &variables)?;
        let count = self
            .dataset
            .train
            .len()
            .min(settings.images.unwrap_or(usize::MAX));
        let mut order: Vec<usize> = (0..count).collect();
        let steps = count.div_ceil(settings.batch) as u64;
        for number in 1..=settings.epochs {
            order.shuffle(&mut rng);
            let mut total = Tensor::f_zeros([1], (Kind::Double, self.device))?;
            for (step, batch) in order.chunks(settings.batch).enumerate() {
                let done = u64::from(number - 1) * steps + step as u64;
                optimizer.set_lr(settings.rate(done, u64::from(settings.epochs) * steps));
                let loss = self.loss(&model, batch)?;
                optimizer.backward_step(&loss);
                total = total.f_add(&loss.f_detach()?)?;
            }
            let loss = values::<f64>(&total)?[0] / steps as f64;
            if !loss.is_finite() {
                return Err(TrainError::Diverged { epoch: number });
            }
            observe(Epoch { number, loss });
        }
        model.weights(&first)
    }

    /// Mean cross entropy over a batch of training images.
    fn loss(&self, model: &Model<'_>, batch: &[usize]) -> Result<Tensor, TrainError> {
        let images = &self.dataset.train;
        let labels: Vec<i64> = batch.iter().map(|i| images.labels()[*i].into()).collect();
        let labels = Tensor::f_from_slice(&labels)?.f_to_device(self.device)?;
        let outputs = model.forward(self.batch(images, batch)?, |_, _| Ok(()))?;
        let log = outputs.f_log_softmax(-1, Kind::Float)?;
        Ok(log.f_nll_loss::<Tensor>(&labels, None, tch::Reduction::Mean, -100)?)
    }

    /// The integer weights for a network's quantizers.
    ///
    /// # Errors
    /// A network that is malformed or does not fit the dataset; weights that do not fit the network.
    pub fn quantize(
        &self,
        network: &NetworkParams,
        floats: &FloatWeights,
    ) -> Result<Weights, TrainError> {
        self.prepare(network)?;
        no_grad(|| {
            let variables = VarStore::new(self.device);
            let model = Model::new(network, floats, &variables)?;
            let images = self.dataset.train.len().min(CALIBRATION_IMAGES);
            let order: Vec<usize> = (0..images).collect();
            let batches = order.chunks(BATCH);
            let batches = batches.map(|batch| self.batch(&self.dataset.train, batch));
            let percentiles = Percentiles::measure(&model, network, images, batches)?;
            quantize(network, floats, &percentiles)
        })
    }

    /// Share of a split that the float network gets right.
    ///
    /// # Errors
    /// As [`Trainer::quantize`].
    pub fn float_accuracy(
        &self,
        network: &NetworkParams,
        floats: &FloatWeights,
        split: Split,
    ) -> Result<f64, TrainError> {
        self.prepare(network)?;
        no_grad(|| {
            let variables = VarStore::new(self.device);
            let model = Model::new(network, floats, &variables)?;
            let images = self.dataset.images(split);
            let order: Vec<usize> = (0..images.len()).collect();
            let mut right = 0;
            for batch in order.chunks(BATCH) {
                let outputs = model.forward(self.batch(images, batch)?, |_, _| Ok(()))?;
                let labels = &images.labels()[batch[0]..batch[0] + batch.len()];
                right += count_right(&values::<f32>(&outputs)?, labels, self.dataset.classes);
            }
            Ok(right as f64 / images.len() as f64)
        })
    }

    /// Share of a split that the quantized network gets right, by exact integer arithmetic.
    ///
    /// # Errors
    /// A network that does not fit the dataset; weights that do not fit the network.
    pub fn accuracy(
        &self,
        network: &ResolvedNetwork,
        weights: &Weights,
        split: Split,
    ) -> Result<f64, TrainError> {
        let outputs = network.steps.last().map_or(0, |step| step.shape_out.len());
        self.check(network.input, outputs)?;
        tch::set_num_threads(self.threads);
        no_grad(|| {
            let model = QuantizedModel::new(network, weights, self.device)?;
            accuracy(
                &model,
                self.dataset.images(split),
                &self.dataset.normalization,
            )
        })
    }

    /// Holds a network against the dataset and sets the number of threads.
    fn prepare(&self, network: &NetworkParams) -> Result<(), TrainError> {
        let outputs = network.shapes()?.last().map_or(0, |shape| shape.len());
        tch::set_num_threads(self.threads);
        self.check(network.input, outputs)
    }

    fn check(&self, input: Shape, outputs: usize) -> Result<(), TrainError> {
        if input != self.dataset.shape() {
            return Err(TrainError::InputShape {
                network: input,
                dataset: self.dataset.shape(),
            });
        }
        if outputs != self.dataset.classes {
            return Err(TrainError::Classes {
                network: outputs,
                dataset: self.dataset.classes,
            });
        }
        Ok(())
    }

    /// Normalized images `[images, c, h, w]`.
    fn batch(&self, images: &Images, indices: &[usize]) -> Result<Tensor, TrainError> {
        let shape = images.shape();
        let normalization = &self.dataset.normalization;
        let mut pixels = Vec::with_capacity(indices.len() * shape.len());
        for index in indices {
            pixels.extend_from_slice(images.image(*index));
        }
        let sizes = [indices.len(), shape.channels, shape.height, shape.width];
        let channels = |values: &[f32]| {
            let tensor = Tensor::f_from_slice(values)?.f_reshape([1, -1, 1, 1])?;
            tensor.f_to_device(self.device)
        };
        let fractions = Tensor::f_from_slice(&pixels)?
            .f_to_device(self.device)?
            .f_to_kind(Kind::Float)?
            .f_div_scalar(255.0)?
            .f_reshape(sizes.map(|size| size as i64))?;
        let centred = fractions.f_sub(&channels(&normalization.mean)?)?;
        Ok(centred.f_div(&channels(&normalization.deviation)?)?)
    }
}

fn optimizer(settings: &TrainSettings, variables: &VarStore) -> Result<nn::Optimizer, TrainError> {
    let (rate, decay) = (settings.learning_rate, settings.weight_decay);
    Ok(match settings.optimizer {
        Optimizer::Sgd { momentum } => {
            nn::sgd(momentum, 0.0, decay, false).build(variables, rate)?
        }
        Optimizer::Adam => nn::adam(0.9, 0.999, decay).build(variables, rate)?,
    })
}

#[cfg(test)]
mod tests;
