//! How much goes through the caches until a party comes back to the same data, and what of it is then still there.

use crate::calibrate::{BEYOND, FAR};
use crate::protocol::Script;
use crate::units::Bytes;

/// So much a core keeps in its own caches.
const OWN: Bytes = Bytes(4 << 20);

/// Bytes that a machine goes through from one use of some data to the next: in inferences that follow each other,
/// everything that one of them works on. That of both parties, which share the caches where they are on one machine, and
/// wait for each other meanwhile where they are not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach(Bytes);

impl Reach {
    /// Of a session from which no cache keeps anything, as that of a network of some size is.
    pub const MEMORY: Self = Self(Bytes(BEYOND as u64));

    /// Of so many bytes.
    pub const fn of(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Of a script's inferences.
    pub fn of_script(script: &Script) -> Self {
        Self(script.gone_through())
    }

    /// Whether a core's own caches keep all of it.
    pub(super) fn at_hand(self) -> bool {
        self.0 <= OWN
    }

    /// Share of the data that comes from memory and not from the cache that cores share: of [`FAR`] bytes nothing, of
    /// [`BEYOND`] all, and between them as the logarithm of the bytes grows. (Acts measured after sweeps of 24, 64 and 256
    /// MB took 0.1 to 0.7 of the way between the outer times after the middle one, most of them near 0.4; 0.41 by this
    /// rule.)
    pub(super) fn memory_share(self) -> f64 {
        let over = |bytes: f64| (bytes / FAR as f64).ln();
        let share = over(self.0.0.max(1) as f64) / over(BEYOND as f64);
        share.clamp(0.0, 1.0)
    }

    /// What costs `shared` from the cache that cores share and `memory` from memory; never less than from the cache.
    pub(super) fn between(self, shared: f64, memory: f64) -> f64 {
        let more = (memory - shared) * self.memory_share();
        if more > 0.0 { shared + more } else { shared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_through_tells_where_data_comes_from() {
        let of = |bytes: usize| Reach::of(Bytes(bytes as u64));
        assert!(of(1 << 20).at_hand() && !of(8 << 20).at_hand());
        for (bytes, share) in [
            (0, 0.0),
            (FAR, 0.0),
            (2 * FAR, 2_f64.ln() / (256.0_f64 / 24.0).ln()),
            (BEYOND, 1.0),
        ] {
            assert!((of(bytes).memory_share() - share).abs() < 1e-9, "{bytes}");
        }
        assert_eq!(of(usize::MAX).memory_share(), 1.0);
        let middle = (FAR as f64 * BEYOND as f64).sqrt() as usize;
        assert!((of(middle).between(10.0, 20.0) - 15.0).abs() < 1e-6);
        assert_eq!(of(middle).between(10.0, 9.0), 10.0);
        assert_eq!(of(0).between(10.0, f64::INFINITY), 10.0);
    }
}
