//! Single layers of random shapes, as networks of one layer each.
//!
//! Linear layers and ReLU take turns, two to one. Sizes are drawn so that their logarithms are uniform; a
//! layer that the protocol has no parameters for, or that is too short or too long, is for the caller to pass
//! over. The same seed gives the same layers.

use rand::{CryptoRng, RngExt};

use crate::network::{NetworkError, NetworkParams};

/// Draws the network of the `index`th layer.
///
/// # Errors
/// The network is refused, which would be an error here.
pub fn random_layer<R: CryptoRng>(
    index: usize,
    rng: &mut R,
) -> Result<NetworkParams, NetworkError> {
    let (input, layer) = match index % 3 {
        0 => conv(rng),
        1 => relu(rng),
        _ => fc(rng),
    };
    let [c, h, w] = input;
    let (input_bits, weight_bits) = (rng.random_range(3..=8), rng.random_range(3..=8));
    let bits = if index % 3 == 1 {
        String::new()
    } else {
        format!("input_bits = {input_bits}\nweight_bits = {weight_bits}\n")
    };
    let text = format!(
        "name = \"layer{index}\"\ninput = [{c}, {h}, {w}]\n[[layers]]\nname = \"layer{index}\"\n{layer}{bits}"
    );
    NetworkParams::from_toml(&text).map(|(network, _)| network)
}

/// A number whose logarithm is uniform between those of `low` and `high`.
fn spread<R: CryptoRng>(rng: &mut R, low: usize, high: usize) -> usize {
    let (low, high) = ((low as f64).ln(), (high as f64).ln());
    rng.random_range(low..=high).exp().round() as usize
}

fn conv<R: CryptoRng>(rng: &mut R) -> ([usize; 3], String) {
    let side = spread(rng, 6, 32);
    let (channels, outputs) = (spread(rng, 2, 64), spread(rng, 2, 64));
    let kernel = [1, 3, 3, 5][rng.random_range(0..4)];
    let stride = [1, 1, 2][rng.random_range(0..3)];
    let text = format!(
        "kind = \"conv\"\nout_channels = {outputs}\nkernel = [{kernel}, {kernel}]\n\
         stride = [{stride}, {stride}]\npadding = \"same\"\n"
    );
    ([channels, side, side], text)
}

fn fc<R: CryptoRng>(rng: &mut R) -> ([usize; 3], String) {
    let (inputs, outputs) = (spread(rng, 64, 4096), spread(rng, 10, 1024));
    (
        [inputs, 1, 1],
        format!("kind = \"fc\"\noutputs = {outputs}\n"),
    )
}

fn relu<R: CryptoRng>(rng: &mut R) -> ([usize; 3], String) {
    (
        [spread(rng, 500, 40_000), 1, 1],
        "kind = \"relu\"\n".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    use super::*;

    #[test]
    fn every_draw_is_a_network_and_a_seed_repeats_it() {
        let draw = || {
            let mut rng = ChaCha20Rng::seed_from_u64(4);
            let layers = (0..60).map(|index| random_layer(index, &mut rng).unwrap());
            layers.collect::<Vec<_>>()
        };
        let layers = draw();
        assert_eq!(layers, draw());
        for network in &layers {
            assert!(network.resolve(None).is_ok(), "{network:?}");
        }
    }
}
