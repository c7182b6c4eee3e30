//! The cheapest moduli of one layer at one (n, p), packing, number of limbs and kind of key switching.
//!
//! With those fixed, time but for the link's is fixed, and what is left to minimise is bytes: with I
//! ciphertexts in and O out, W = I·(bits of q) + 2·O·(bits of the kept limbs), in units of n bits. A split
//! is taken if some width s of the special primes makes it decrypt and keeps it secure. Noise falls as any
//! width of q or s grows, security falls too; so of a split only the widest secure s need be looked at.
//!
//! [`LayerAt::cheapest`] walks over the kept limbs' widths from the least that a reply may have, takes
//! for each the least width of the dropped limbs that works, and stops where W can no longer fall. The
//! tests hold it against trying every width.

use super::noise::{fresh_secret, key_switch_of, plaintext_added, switch_rounding};
use super::noise_form::{LayerNoise, NoiseSources};
use super::packed::Packed;
use super::reply::{Reply, ReplyGoal};
use super::request::Limits;
use super::widths::{KeySwitching, MAX_LIMB_BITS, TOLERANCE, Widths, least_width};
use crate::packing::Windows;

/// One layer at one (n, p), as the search sees it.
#[derive(Debug)]
pub(super) struct LayerAt {
    pub(super) n: usize,
    /// How weights modulo p are cut.
    pub(super) windows: Windows,
    /// log2 of p.
    pub(super) p_log2: f64,
    /// Ciphertexts in and out.
    pub(super) ciphertexts: (u64, u64),
    pub(super) noise: LayerNoise,
    pub(super) goal: ReplyGoal,
    /// What security allows for q·P.
    pub(super) max_bits: u32,
    pub(super) limits: Limits,
}

/// Number of limbs and kind of key switching: with n and the packing, what an operation's price depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) limbs: usize,
    pub(super) switching: KeySwitching,
}

/// Bits of the moduli that ciphertexts are sent under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentBits {
    /// Of q: inputs.
    pub(super) q: u64,
    /// Of what a reply keeps.
    pub(super) kept: u64,
}

impl From<&Widths> for SentBits {
    fn from(widths: &Widths) -> Self {
        Self {
            q: widths.total().into(),
            kept: widths.kept_total().into(),
        }
    }
}

/// How a split does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    pub(super) flooding_log2: Option<u32>,
    /// log2 of the room over what is needed.
    pub(super) margin_bits: f64,
}

/// What every basis must have room for, as log2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// q with special primes, whose rounding adds to the error.
    special: f64,
    /// q with digits.
    digits: f64,
    /// What a switched reply keeps.
    kept: f64,
}

/// Widths that every split with a basis must have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    /// Of q.
    q: u32,
    /// Of what a switched reply keeps.
    kept: u32,
}

impl LayerAt {
    fn least_width(&self) -> u32 {
        least_width(self.n)
    }

    /// What is needed whatever the basis.
    pub(super) fn needs(&self) -> Needs {
        let needed = |rounding: f64| {
            let variance = self.variance(rounding);
            self.goal.least_q_log2(self.n, self.p_log2, variance)
        };
        Needs {
            special: needed(switch_rounding(self.n)),
            digits: needed(0.0),
            kept: self.goal.least_kept_log2(self.n, self.p_log2),
        }
    }

    /// Bits of q that are needed whatever the error of the layer.
    pub(super) fn floor(&self) -> u32 {
        self.goal.least_q_log2(self.n, self.p_log2, 0.0).ceil() as u32
    }

    /// Bits of q that a basis leaves room for.
    pub(super) fn room(&self, basis: Basis) -> u32 {
        let special = basis.switching.special() as u32 * self.least_width();
        let limbs = basis.limbs as u32 * MAX_LIMB_BITS;
        let secure = self.max_bits.saturating_sub(special);
        limbs.min(self.limits.q_bits.1).min(secure)
    }

    /// Widths that are needed whatever the split; `None` if there is no split for sure.
    pub(super) fn least(&self, basis: Basis, needs: &Needs) -> Option<Least> {
        let prescribed = self
            .limits
            .widths
            .map_or(basis.limbs, |(widths, _)| widths.limbs());
        if basis.switching.special() > basis.limbs || prescribed != basis.limbs {
            return None;
        }
        let q = self.least_q(basis, needs).max(self.limits.q_bits.0);
        (q <= self.room(basis)).then_some(Least {
            q,
            kept: (needs.kept + TOLERANCE).ceil() as u32,
        })
    }

    /// Width of q that noise and the number of limbs need, whatever the split.
    pub(super) fn least_q(&self, basis: Basis, needs: &Needs) -> u32 {
        let limbs = basis.limbs as u32;
        let needed = match basis.switching.special() {
            0 => needs.digits,
            _ => needs.special,
        } + f64::from(limbs) * TOLERANCE;
        (needed.ceil() as u32).max(limbs * self.least_width())
    }

    /// Bits that no split falls below.
    pub(super) fn least_bits(&self, basis: Basis, least: Least) -> SentBits {
        let kept = if basis.limbs == 1 {
            least.q
        } else {
            least.kept.clamp(self.least_width(), least.q)
        };
        SentBits {
            q: u64::from(least.q),
            kept: u64::from(kept),
        }
    }

    /// Whether no split of more windows, whatever its error, has a lesser W than the least of these.
    pub(super) fn closes(&self, basis: Basis, least: Least, floor: u32) -> bool {
        let q = floor
            .max(basis.limbs as u32 * self.least_width())
            .max(self.limits.q_bits.0);
        let [now, beyond] =
            [least, Least { q, ..least }].map(|least| self.least_bits(basis, least));
        let once = self.ciphertexts.0 / self.windows.count() as u64;
        let more = self.weight(beyond.q, beyond.kept) + once * beyond.q;
        more >= self.weight(now.q, now.kept)
    }

    const fn weight(&self, q_bits: u64, kept_bits: u64) -> u64 {
        self.ciphertexts.0 * q_bits + 2 * self.ciphertexts.1 * kept_bits
    }

    /// W of a split.
    const fn weight_of(&self, widths: &Widths) -> u64 {
        self.weight(widths.total() as u64, widths.kept_total() as u64)
    }

    /// The split with the least W below `bound`; of equals the first found.
    pub(super) fn cheapest(&self, basis: Basis, least: Least, bound: u64) -> Option<Widths> {
        if let Some((widths, _)) = self.limits.widths {
            return Some(widths).filter(|widths| self.works(widths, basis.switching));
        }
        let mut best = (bound, None);
        for kept in 1..=basis.limbs {
            self.cheapest_kept(basis, (kept, least), &mut best);
        }
        best.1
    }

    /// The same among replies that keep this many limbs.
    fn cheapest_kept(
        &self,
        basis: Basis,
        (kept, least): (usize, Least),
        best: &mut (u64, Option<Widths>),
    ) {
        let (dropped, narrowest) = (basis.limbs - kept, self.least_width());
        let least_kept = if dropped == 0 { least.q } else { least.kept };
        let first = least_kept.div_ceil(kept as u32).max(narrowest);
        for kept_bits in first..=MAX_LIMB_BITS {
            let kept_total = kept as u32 * kept_bits;
            let total = least.q.max(kept_total + dropped as u32 * narrowest);
            if self.weight(total.into(), kept_total.into()) >= best.0 {
                break;
            }
            let missing = least.q.saturating_sub(kept_total);
            let first = match dropped as u32 {
                0 => narrowest,
                dropped => missing.div_ceil(dropped).max(narrowest),
            };
            for dropped_bits in first..=MAX_LIMB_BITS {
                let widths = Widths {
                    kept,
                    kept_bits,
                    dropped,
                    dropped_bits,
                };
                let weight = self.weight_of(&widths);
                if weight >= best.0 {
                    break;
                }
                if self.works(&widths, basis.switching) {
                    *best = (weight, Some(widths));
                    break;
                }
                if dropped == 0 {
                    break;
                }
            }
        }
    }

    /// Whether some width of the special primes makes the split decrypt and keeps it secure.
    pub(super) fn works(&self, widths: &Widths, switching: KeySwitching) -> bool {
        (self.limits.q_bits.0..=self.limits.q_bits.1).contains(&widths.total())
            && self
                .widest_special(widths, switching)
                .and_then(|special_bits| self.fit(widths, (switching, special_bits)))
                .is_some_and(|fit| fit.margin_bits >= 0.0)
    }

    /// Width of the widest special primes that leave the split secure; 0 where there are none.
    fn widest_special(&self, widths: &Widths, switching: KeySwitching) -> Option<u32> {
        let left = self.max_bits.checked_sub(widths.total())?;
        match (switching.special() as u32, self.limits.widths) {
            (0, _) => Some(0),
            (special, Some((_, bits))) => Some(bits).filter(|bits| special * bits <= left),
            (special, None) => {
                Some((left / special).min(MAX_LIMB_BITS)).filter(|&bits| bits >= self.least_width())
            }
        }
    }

    /// The narrowest special primes with which a split that works decrypts.
    pub(super) fn narrowest_special(
        &self,
        widths: &Widths,
        switching: KeySwitching,
    ) -> Option<(u32, Fit)> {
        let widest = self.widest_special(widths, switching)?;
        let narrowest = self
            .limits
            .widths
            .map_or(self.least_width(), |(_, bits)| bits);
        (narrowest.min(widest)..=widest).find_map(|bits| {
            let fit = self.fit(widths, (switching, bits))?;
            (fit.margin_bits >= 0.0).then_some((bits, fit))
        })
    }

    /// Flooding and margin of a split; `None` if its limbs have no equal number of digits.
    pub(super) fn fit(
        &self,
        widths: &Widths,
        (switching, special_bits): (KeySwitching, u32),
    ) -> Option<Fit> {
        let squares = widths.squares(switching, special_bits)?;
        let variance = self.variance(key_switch_of(self.n, squares, switching.special()));
        let least = |total: u32, limbs: usize| f64::from(total) - limbs as f64 * TOLERANCE;
        let reply = Reply {
            n: self.n,
            p_log2: self.p_log2,
            kept_log2: least(widths.kept_total(), widths.kept),
            dropped_log2: least(widths.dropped_total(), widths.dropped),
            variance,
        };
        let flooding_log2 = self.goal.flooding_log2(variance);
        Some(Fit {
            flooding_log2,
            margin_bits: self.goal.margin_bits(&reply, flooding_log2),
        })
    }

    /// The same layer in other windows.
    pub(super) fn windowed(&self, packed: &Packed, windows: Windows) -> Self {
        Self {
            windows,
            ciphertexts: packed.ciphertexts(windows),
            noise: packed.noise(windows),
            ..*self
        }
    }

    /// Greatest variance of the layer's error, one key switch's given.
    pub(super) fn variance(&self, key_switch: f64) -> f64 {
        let sources = NoiseSources {
            input: fresh_secret() + plaintext_added(),
            key_switch,
        };
        self.noise.variance(&sources).peak
    }
}
