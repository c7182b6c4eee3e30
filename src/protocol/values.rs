//! Work on plain values that a script prices besides encryption and garbling: shares, slots, labels' bits.

use serde::{Deserialize, Serialize};

/// What is done to values one by one. Each counts what its time grows with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueOp {
    /// Uniform residues drawn, as a garbler's share of a result; counts them.
    DrawShare,
    /// Masks of all slots drawn, and what takes them off again; counts slots.
    DrawMask,
    /// A convolution's operand arranged in slots; counts its values.
    PackConv,
    /// A convolution's operand arranged in slots, once for each filter tap; counts slots.
    PackTurned,
    /// The operand of a fully connected layer arranged in slots; counts slots.
    PackFc,
    /// A convolution's result read from slots; counts its values.
    UnpackConv,
    /// The result of a fully connected layer read from slots; counts its values.
    UnpackFc,
    /// Weights of a convolution arranged in slots; counts slots.
    ArrangeConv,
    /// Weights of a fully connected layer arranged in slots; counts slots.
    ArrangeFc,
    /// Shares added up; counts the summands.
    SumShares,
    /// A share packed as a message; counts its values.
    WriteShare,
    /// The other party's share read and added to one's own; counts values.
    JoinShares,
    /// The choices of shares; counts their bits.
    ReadChoices,
    /// Corrections taken into the labels that are going to be garbled for; counts transfers.
    AcceptChoices,
    /// Masked labels read and unmasked; counts transfers.
    ReceiveLabels,
}

impl ValueOp {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::DrawShare,
        Self::DrawMask,
        Self::PackConv,
        Self::PackTurned,
        Self::PackFc,
        Self::UnpackConv,
        Self::UnpackFc,
        Self::ArrangeConv,
        Self::ArrangeFc,
        Self::SumShares,
        Self::WriteShare,
        Self::JoinShares,
        Self::ReadChoices,
        Self::AcceptChoices,
        Self::ReceiveLabels,
    ];

    /// Whether it counts the slots of whole ciphertexts.
    pub const fn counts_slots(self) -> bool {
        matches!(
            self,
            Self::DrawMask | Self::PackTurned | Self::PackFc | Self::ArrangeConv | Self::ArrangeFc
        )
    }

    /// Whether the same is done again and again, or to what was at hand just before: weights arranged one after the other,
    /// a share that was received.
    pub const fn is_amid_others(self) -> bool {
        matches!(self, Self::ArrangeConv | Self::ArrangeFc | Self::JoinShares)
    }

    /// The name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DrawShare => "draw_share",
            Self::DrawMask => "draw_mask",
            Self::PackConv => "pack_conv",
            Self::PackTurned => "pack_turned",
            Self::PackFc => "pack_fc",
            Self::UnpackConv => "unpack_conv",
            Self::UnpackFc => "unpack_fc",
            Self::ArrangeConv => "arrange_conv",
            Self::ArrangeFc => "arrange_fc",
            Self::SumShares => "sum_shares",
            Self::WriteShare => "write_share",
            Self::JoinShares => "join_shares",
            Self::ReadChoices => "read_choices",
            Self::AcceptChoices => "accept_choices",
            Self::ReceiveLabels => "receive_labels",
        }
    }
}
