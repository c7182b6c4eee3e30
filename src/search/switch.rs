//! The switch SW: whether an episode draws a new architecture or only new quantizers.
//!
//! `SW = 1 if Eps mod SW_N = 0, else 0` (NASS, Bian et al. 2020, equation 2).

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// Position of the switch in one episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// SW = 1: everything is drawn anew, the architecture is trained unless it was before.
    Architecture,
    /// SW = 0: the previous architecture and its weights stay, only quantizers are drawn.
    Quantizers,
}

impl Switch {
    /// The switch in episode `episode` (counted from 0) with period `sw_n`.
    pub const fn at(episode: u64, sw_n: NonZeroU64) -> Self {
        if episode.is_multiple_of(sw_n.get()) {
            Self::Architecture
        } else {
            Self::Quantizers
        }
    }

    /// SW as the paper writes it.
    pub const fn value(self) -> u8 {
        match self {
            Self::Architecture => 1,
            Self::Quantizers => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_on_in_every_sw_n_th_episode() {
        let values = |sw_n: u64| -> Vec<u8> {
            let sw_n = NonZeroU64::new(sw_n).unwrap();
            (0..7).map(|e| Switch::at(e, sw_n).value()).collect()
        };
        assert_eq!(values(3), [1, 0, 0, 1, 0, 0, 1]);
        assert_eq!(values(1), [1; 7]);
    }
}
