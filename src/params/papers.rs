//! The choices of the papers: as a request of their own, and as limits on ours.
//!
//! - *NASS* (Bian et al. 2020, section 4.1.1): n of 2048, 4096 or 8192, q of 60 to 180 bits, p by the printed
//!   formula, the table of 2018, δ = 10⁻³, no flooding.
//! - *Gazelle* (Juvekar, Vaikuntanathan, Chandrakasan 2018, section 9): n = 2048, q just below 2⁶⁰ with
//!   q ≡ ±small mod p, p of 19 to 21 bits. No table grants 128 bits to that q: [`gazelle_published`](super::gazelle_published) says
//!   what was used and by how much it is short, [`Selector::gazelle`](super::Selector::gazelle) what it costs
//!   and how noisy it is, and neither makes a [`LayerCrypto`](super::LayerCrypto).
//! - *DELPHI* (Mishra et al. 2020, section 7; its released code): n = 8192, the 41-bit
//!   p = 2061584302081, q of 43 + 43 + 44 + 44 bits and a special prime of 44, 218 bits in all, no flooding.
//!
//! [`Paper::asked`] is a paper's choice under the security, failure and flooding of another request: what it
//! costs at equal security. Its values are a part of what a free request may choose, so a free choice is
//! never dearer, where the paper's p holds the layer's values.

use serde::{Deserialize, Serialize};

use super::plaintext::PlaintextBound;
use super::request::{Limits, Request};
use super::widths::{KeySwitching, Widths};
use crate::security::{Requirement, Table};

/// DELPHI's plaintext modulus.
pub const DELPHI_P: u64 = 2_061_584_302_081;

/// Plaintext moduli of Gazelle, of 19, 20 and 21 bits.
pub const GAZELLE_P: [u64; 3] = [307_201, 557_057, 1_712_129];

/// Ring degree of Gazelle.
pub(super) const GAZELLE_N: usize = 2048;

/// Width of Gazelle's q.
pub(super) const GAZELLE_Q_BITS: u32 = 60;

/// DELPHI's q, whose reply keeps the two narrower limbs, and its special prime.
const DELPHI_WIDTHS: (Widths, u32) = (
    Widths {
        kept: 2,
        kept_bits: 43,
        dropped: 2,
        dropped_bits: 44,
    },
    44,
);

/// Whose choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Paper {
    /// NASS, 2020.
    Nass,
    /// Gazelle, 2018.
    Gazelle,
    /// DELPHI, 2020.
    Delphi,
}

impl Paper {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nass, Self::Gazelle, Self::Delphi];

    /// The name used in flags and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nass => "nass",
            Self::Gazelle => "gazelle",
            Self::Delphi => "delphi",
        }
    }

    /// The paper's own request; of Gazelle what can be asked for, which is not its n and q.
    pub fn request(self) -> Request {
        let asked = Request {
            requirement: Requirement {
                table: Table::Standard2018,
                ..Requirement::default()
            },
            failure_log2: 1e-3_f64.log2(),
            flooding_bits: 0,
            ..Request::default()
        };
        match self {
            Self::Nass => Request {
                p_bound: PlaintextBound::Paper,
                limits: self.limits(),
                ..asked
            },
            Self::Gazelle | Self::Delphi => self.asked(&asked),
        }
    }

    /// The paper's choice where `request` sets security, failure, flooding and the objective; p holds all
    /// values (DELPHI's is what it is).
    pub fn asked(self, request: &Request) -> Request {
        Request {
            p_bound: match self {
                Self::Nass | Self::Gazelle => PlaintextBound::Exact,
                Self::Delphi => PlaintextBound::Prime(DELPHI_P),
            },
            limits: self.limits(),
            ..*request
        }
    }

    /// The nearest choices of its kind, where its own are not secure or don't decrypt: NASS with any n and
    /// q, Gazelle with any n and at least its q, DELPHI with other widths of as many limbs.
    pub fn nearest(self, request: &Request) -> Request {
        let limits = self.limits();
        let limits = match self {
            Self::Nass => Limits::default(),
            Self::Gazelle => Limits {
                degrees: (GAZELLE_N, usize::MAX),
                q_bits: (GAZELLE_Q_BITS, u32::MAX),
                ..limits
            },
            Self::Delphi => Limits {
                limbs: Some(DELPHI_WIDTHS.0.limbs()),
                widths: None,
                ..limits
            },
        };
        Request {
            limits,
            ..self.asked(request)
        }
    }

    fn limits(self) -> Limits {
        let free = Limits::default();
        match self {
            Self::Nass => Limits {
                degrees: (2048, 8192),
                q_bits: (60, 180),
                windows: Some(1),
                ..free
            },
            Self::Gazelle => Limits {
                degrees: (GAZELLE_N, GAZELLE_N),
                q_bits: (GAZELLE_Q_BITS, GAZELLE_Q_BITS),
                ..free
            },
            Self::Delphi => Limits {
                degrees: (8192, 8192),
                windows: Some(1),
                switching: Some(KeySwitching::Special(1)),
                widths: Some(DELPHI_WIDTHS),
                ..free
            },
        }
    }
}
