//! By what a profile's rows are found: the ring of a BFV case, the variant of circuits and transfers.

use crate::calibrate::{Case, Op};
use crate::gc::{Extension, GarblingHash};
use crate::protocol::RingSize;
use crate::ring::Modulus;

/// Bits of the limbs that the rows of a ring stand for; times depend little on them up to here.
const FAST_BITS: u32 = Modulus::NARROW_BITS;

/// Whether prices are drawn from a case: one thread.
pub(super) const fn serves(case: &Case) -> bool {
    case.threads == 1
}

/// The ring that a case stands for and the bits of its limbs; `None` beyond the fast width.
pub(super) fn ring_of(case: &Case) -> Option<(RingSize, u32)> {
    let bits = case.q_bits.checked_div(u32::try_from(case.limbs).ok()?)?;
    let (special, digits) = match (case.param("special"), case.param("digit")) {
        (Some(special), _) => {
            let widths = special.split('+').map(str::parse::<u32>);
            let widths: Vec<u32> = widths.collect::<Result<_, _>>().ok()?;
            widths
                .iter()
                .all(|&bits| bits <= FAST_BITS)
                .then_some((widths.len(), 0))?
        }
        (None, Some(digit)) => (
            0,
            bits.div_ceil(digit.parse().ok().filter(|&digit| digit > 0)?),
        ),
        (None, None) => return None,
    };
    let ring = RingSize {
        n: case.n,
        limbs: case.limbs,
        special,
        digits,
    };
    (bits <= FAST_BITS).then_some((ring, bits))
}

/// A ring as messages name it.
pub(super) fn name_of(ring: RingSize) -> String {
    let RingSize { n, limbs, .. } = ring;
    match (ring.special, ring.digits) {
        (1, _) => format!("n={n}, {limbs} limbs"),
        (0, digits) => format!("n={n}, {limbs} limbs, {digits} digits"),
        (special, _) => format!("n={n}, {limbs} limbs, {special} special primes"),
    }
}

/// What circuits and transfers are done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// There is one way.
    Only,
    /// Circuits.
    Hash(GarblingHash),
    /// Extended transfers.
    Extension(Extension),
}

impl Variant {
    /// That of a case; none if it has a name that is not known.
    pub(super) fn of(case: &Case) -> Option<Self> {
        match case.op {
            Op::Garble | Op::GarbleTables | Op::Evaluate => case.hash().map(Self::Hash),
            Op::OtCorrelated | Op::OtRandom | Op::OtChosen => case.extension().map(Self::Extension),
            _ => Some(Self::Only),
        }
    }

    /// What an error tells of it.
    pub(super) fn detail(self) -> String {
        match self {
            Self::Only => String::new(),
            Self::Hash(hash) => format!(" with hash={}", hash.name()),
            Self::Extension(extension) => format!(" with extension={}", extension.name()),
        }
    }
}
