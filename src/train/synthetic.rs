//! A dataset drawn by the program: ten classes of noisy figures, the same for the same seed.
//!
//! A figure is a set of points (bars, crosses, rings, discs, outlines), given by the distance d of a
//! place from it; it is moved, turned by up to 15°, scaled, and drawn with a soft pen of random
//! width: brightness = clamp(width − d + 1/2). A random background, a stray stroke and noise lie over
//! it. Channels share the figure and differ in its brightness and that of the background.
//! Classes are balanced; every image depends on the seed and its number alone.
//! Learnable, not trivial: a linear classifier stays well below a small convolutional network.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::dataset::Images;
use super::error::TrainError;
use crate::network::Shape;

/// Number of classes.
pub(super) const CLASSES: usize = 10;
/// Images and sizes allowed.
const SIDES: std::ops::RangeInclusive<usize> = 8..=64;
const COUNTS: std::ops::RangeInclusive<usize> = 10..=100_000;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSettings {
    /// Seed of all images.
    pub seed: u64,
    /// Shape of an image: 1 or 3 channels, sides of 8 to 64.
    pub shape: Shape,
    /// Number of training images (validation included), 10 to 100,000.
    pub train: usize,
    /// Number of test images, 10 to 100,000.
    pub test: usize,
}

impl Default for SyntheticSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            shape: Shape::new(1, 16, 16),
            train: 5000,
            test: 1000,
        }
    }
}

/// The training images and the test images.
pub(super) fn draw(settings: &SyntheticSettings) -> Result<[Images; 2], TrainError> {
    let Shape {
        channels,
        height,
        width,
    } = settings.shape;
    if ![1, 3].contains(&channels) || !SIDES.contains(&height) || !SIDES.contains(&width) {
        return Err(TrainError::Setting {
            field: "shape",
            given: settings.shape.to_string(),
            expected: "1 or 3 channels and sides of 8 to 64",
        });
    }
    for (field, count) in [("train", settings.train), ("test", settings.test)] {
        if !COUNTS.contains(&count) {
            return Err(TrainError::Setting {
                field,
                given: count.to_string(),
                expected: "10 to 100000 images",
            });
        }
    }
    let part = |first: usize, count: usize| {
        let mut images = Images::new(settings.shape, Vec::new(), Vec::new());
        for number in first..first + count {
            let (pixels, label) = draw_image(settings, number as u64);
            images.push(&pixels, label);
        }
        images
    };
    Ok([part(0, settings.train), part(settings.train, settings.test)])
}

/// Image `number`: the classes take turns.
fn draw_image(settings: &SyntheticSettings, number: u64) -> (Vec<u8>, u8) {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    rng.set_stream(number);
    let label = (number % CLASSES as u64) as u8;
    let shape = settings.shape;
    let figure = Pose::random(&mut rng);
    let stray = Pose::random(&mut rng);
    let pen = rng.random_range(0.10..0.22);
    let mut pixels = Vec::with_capacity(shape.len());
    for _ in 0..shape.channels {
        let background = rng.random_range(0.0..0.35);
        let ink = rng.random_range(0.45..1.0);
        for row in 0..shape.height {
            for column in 0..shape.width {
                let place = [centred(column, shape.width), centred(row, shape.height)];
                let drawn = soften(pen - figure.distance(label, place), shape);
                // A short bar somewhere, fainter than the figure.
                let [x, y] = stray.undo(place);
                let line = soften(0.08 - segment([x, y], [-0.3, 0.9], [0.3, 0.9]), shape);
                let light = background + (ink - background) * drawn.max(0.4 * line);
                let noise = 0.18 * (unit(&mut rng) + unit(&mut rng) - 1.0);
                pixels.push(((light + noise).clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
    }
    (pixels, label)
}

/// Place of a pixel along one side, in [−1, 1].
fn centred(index: usize, side: usize) -> f64 {
    (2.0 * index as f64 + 1.0) / side as f64 - 1.0
}

/// Uniform in [0, 1), in steps of 2⁻³².
fn unit(rng: &mut impl Rng) -> f64 {
    f64::from(rng.next_u32()) / 4_294_967_296.0
}

/// Brightness at a signed distance from the edge: half of a pixel's width on each side of it.
fn soften(inside: f64, shape: Shape) -> f64 {
    let pixel = 2.0 / shape.height.min(shape.width) as f64;
    (inside / pixel + 0.5).clamp(0.0, 1.0)
}

/// Where a figure stands, how large it is and how far it is turned.
struct Pose {
    centre: [f64; 2],
    scale: f64,
    cosine: f64,
    sine: f64,
}

impl Pose {
    fn random(rng: &mut impl Rng) -> Self {
        let angle = (unit(rng) - 0.5) * std::f64::consts::FRAC_PI_6;
        let centre = [(unit(rng) - 0.5) * 0.5, (unit(rng) - 0.5) * 0.5];
        Self {
            centre,
            scale: 0.45 + 0.3 * unit(rng),
            cosine: libm::cos(angle),
            sine: libm::sin(angle),
        }
    }

    /// A place of the image in the figure's own frame.
    fn undo(&self, place: [f64; 2]) -> [f64; 2] {
        let [x, y] = [place[0] - self.centre[0], place[1] - self.centre[1]];
        [
            (self.cosine * x + self.sine * y) / self.scale,
            (self.cosine * y - self.sine * x) / self.scale,
        ]
    }

    /// Distance of a place of the image from the figure of a class.
    fn distance(&self, label: u8, place: [f64; 2]) -> f64 {
        self.scale * figure(label, self.undo(place))
    }
}

/// Distance from the figure of a class, which lies in [−1, 1]².
fn figure(label: u8, place: [f64; 2]) -> f64 {
    let lines = |lines: &[[[f64; 2]; 2]]| {
        let distances = lines.iter().map(|[from, to]| segment(place, *from, *to));
        distances.fold(f64::INFINITY, f64::min)
    };
    let radius = libm::hypot(place[0], place[1]);
    match label {
        0 => lines(&[[[-1.0, 0.0], [1.0, 0.0]]]),
        1 => lines(&[[[0.0, -1.0], [0.0, 1.0]]]),
        2 => lines(&[[[-0.8, -0.8], [0.8, 0.8]]]),
        3 => lines(&[[[-0.8, 0.8], [0.8, -0.8]]]),
        4 => lines(&[[[-1.0, 0.0], [1.0, 0.0]], [[0.0, -1.0], [0.0, 1.0]]]),
        5 => lines(&[[[-0.8, -0.8], [0.8, 0.8]], [[-0.8, 0.8], [0.8, -0.8]]]),
        6 => (radius - 0.8).abs(),
        7 => (radius - 0.7).max(0.0),
        8 => (place[0].abs().max(place[1].abs()) - 0.8).abs(),
        _ => lines(&[
            [[0.0, -0.9], [0.9, 0.8]],
            [[0.9, 0.8], [-0.9, 0.8]],
            [[-0.9, 0.8], [0.0, -0.9]],
        ]),
    }
}

/// Distance of a place from the line between two others.
fn segment(place: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let (along, offset) = (
        [to[0] - from[0], to[1] - from[1]],
        [place[0] - from[0], place[1] - from[1]],
    );
    let length = along[0] * along[0] + along[1] * along[1];
    let share = (offset[0] * along[0] + offset[1] * along[1]) / length;
    let share = share.clamp(0.0, 1.0);
    libm::hypot(offset[0] - share * along[0], offset[1] - share * along[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(seed: u64) -> SyntheticSettings {
        SyntheticSettings {
            seed,
            train: 30,
            test: 20,
            ..SyntheticSettings::default()
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_images() {
        let (once, again) = (draw(&small(1)).unwrap(), draw(&small(1)).unwrap());
        assert_eq!(once, again);
        assert_ne!(once, draw(&small(2)).unwrap());
    }

    #[test]
    fn an_image_does_not_depend_on_how_many_are_drawn() {
        let [train, test] = draw(&small(1)).unwrap();
        let more = SyntheticSettings {
            train: 50,
            ..small(1)
        };
        let [longer, _] = draw(&more).unwrap();
        assert_eq!(longer.image(7), train.image(7));
        assert_eq!(longer.image(30), test.image(0));
    }

    #[test]
    fn classes_are_balanced_and_figures_stand_out() {
        let [train, _] = draw(&small(3)).unwrap();
        for class in 0..CLASSES as u8 {
            let count = train.labels().iter().filter(|label| **label == class);
            assert_eq!(count.count(), 3);
        }
        for index in 0..train.len() {
            let image = train.image(index);
            let (low, high) = (image.iter().min().unwrap(), image.iter().max().unwrap());
            assert!(high - low > 60, "image {index}: {low} to {high}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let shapes = [[2, 16, 16], [1, 7, 16], [1, 16, 65]];
        for shape in shapes {
            let shape = Shape::from(shape);
            let message = draw(&SyntheticSettings { shape, ..small(0) }).unwrap_err();
            assert!(message.to_string().starts_with("shape is "), "{message}");
        }
        let few = SyntheticSettings {
            test: 9,
            ..small(0)
        };
        let message = draw(&few).unwrap_err().to_string();
        assert_eq!(message, "test is 9; expected 10 to 100000 images");
    }

    #[test]
    fn distances_from_a_line_are_those_of_geometry() {
        let (from, to) = ([0.0, 0.0], [2.0, 0.0]);
        assert_eq!(segment([1.0, 3.0], from, to), 3.0);
        assert_eq!(segment([-3.0, 4.0], from, to), 5.0);
        assert_eq!(segment([5.0, 4.0], from, to), 5.0);
    }
}
