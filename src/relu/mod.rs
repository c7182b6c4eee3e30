//! Methods that find networks with fewer ReLUs, or with ReLUs where they count.
