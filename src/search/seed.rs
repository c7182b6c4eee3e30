//! Every random number of a study comes from its seed: hashes (BLAKE3) of what it is for.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The seed of an episode: the first 64 bits of a hash of (study seed, episode).
pub(super) fn of_episode(study_seed: u64, episode: u64) -> u64 {
    let hash = hash("nass study episode", &[study_seed, episode]);
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// What an episode's decisions are drawn with.
pub(super) fn sampling_rng(episode_seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(*hash("nass study decisions", &[episode_seed]).as_bytes())
}

/// What an untrained policy is drawn with.
pub(super) fn policy_rng(study_seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(*hash("nass study policy", &[study_seed]).as_bytes())
}

fn hash(context: &str, numbers: &[u64]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn seeds_differ_by_study_and_episode() {
        let pairs = (0..20).flat_map(|study| (0..20).map(move |episode| (study, episode)));
        let seeds: HashSet<u64> = pairs.map(|(s, e)| of_episode(s, e)).collect();
        assert_eq!(seeds.len(), 400);
        assert_eq!(of_episode(3, 4), of_episode(3, 4));
    }
}
