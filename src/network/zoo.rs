//! Networks known by name: those of the papers and two small ones.
//!
//! Each is a TOML text in `data/networks`, which names its source and says how it was read.

use super::error::NetworkError;
use super::layer::NetworkParams;

/// A network built into the program.
struct Entry {
    name: &'static str,
    description: &'static str,
    text: &'static str,
}

/// All networks, smallest first.
const NETWORKS: [Entry; 6] = [
    Entry {
        name: "toy",
        description: "two small convolutions and a fully connected layer on 2x8x8, for tests",
        text: include_str!("../../data/networks/toy.toml"),
    },
    Entry {
        name: "secureml-square",
        description: "three fully connected layers for MNIST with squares between them, as in SecureML",
        text: include_str!("../../data/networks/secureml-square.toml"),
    },
    Entry {
        name: "lenet-mnist",
        description: "LeNet-like network for MNIST: two 5x5 convolutions, two fully connected layers",
        text: include_str!("../../data/networks/lenet-mnist.toml"),
    },
    Entry {
        name: "nass-cifar-acc",
        description: "the network NASS found for accuracy on CIFAR-10 (its table 2, right)",
        text: include_str!("../../data/networks/nass-cifar-acc.toml"),
    },
    Entry {
        name: "table2-baseline",
        description: "the baseline NASS compares with on CIFAR-10 (its table 2, left), p of 23 bits",
        text: include_str!("../../data/networks/table2-baseline.toml"),
    },
    Entry {
        name: "gazelle-cifar10",
        description: "the CIFAR-10 network of MiniONN and Gazelle: seven convolutions",
        text: include_str!("../../data/networks/gazelle-cifar10.toml"),
    },
];

/// The names, smallest network first.
pub fn names() -> impl Iterator<Item = &'static str> {
    NETWORKS.iter().map(|entry| entry.name)
}

/// One line about a network.
pub fn description(name: &str) -> Option<&'static str> {
    find(name).map(|entry| entry.description)
}

/// A network by name.
///
/// # Errors
/// [`NetworkError::UnknownNetwork`] with the names there are.
pub fn load(name: &str) -> Result<NetworkParams, NetworkError> {
    let entry = find(name).ok_or_else(|| NetworkError::UnknownNetwork {
        name: name.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    NetworkParams::from_toml(entry.text).map(|(network, _)| network)
}

fn find(name: &str) -> Option<&'static Entry> {
    NETWORKS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_sound_named_and_sourced() {
        for entry in &NETWORKS {
            let (network, warnings) = NetworkParams::from_toml(entry.text).unwrap();
            assert_eq!(network.name, entry.name);
            assert!(warnings.is_empty());
            let text = network.to_toml().unwrap();
            assert_eq!(
                NetworkParams::from_toml(&text),
                Ok((network.clone(), vec![]))
            );
            assert!(network.resolve(None).is_ok());
            assert!(entry.text.contains("\n# source: ") || entry.text.starts_with("# source: "));
            assert!(entry.text.contains("\n# date: "));
            assert!(description(entry.name).is_some());
        }
    }

    #[test]
    fn relus_are_those_of_the_papers() {
        let relus = |name| load(name).unwrap().counts().unwrap().total.relus;
        assert_eq!(relus("gazelle-cifar10"), 173_056);
        assert_eq!(relus("table2-baseline"), 172_032);
        assert_eq!(relus("nass-cifar-acc"), 96_768);
        assert_eq!(relus("lenet-mnist"), 10_340);
        assert_eq!(relus("secureml-square"), 0);
        assert_eq!(relus("toy"), 512);
    }

    #[test]
    fn the_baseline_prescribes_23_bits_where_the_worst_case_needs_more() {
        let resolved = load("table2-baseline").unwrap().resolve(None).unwrap();
        let conv2 = resolved.steps.iter().find(|s| s.name == "conv2").unwrap();
        let domain = resolved.domains[conv2.domain];
        assert_eq!(domain.p_bits, Some(23));
        // 577 terms of 127 * 255, and half of what the re-quantization to 8 bits drops.
        assert_eq!(domain.bound, 577 * 127 * 255 + (1 << 16));
        assert!(2 * domain.bound > 1 << 23);
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = load("resnet").unwrap_err().to_string();
        assert_eq!(
            error,
            "no network is named `resnet`; expected one of toy, secureml-square, lenet-mnist, nass-cifar-acc, \
             table2-baseline, gazelle-cifar10"
        );
    }
}
