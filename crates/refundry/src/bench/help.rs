//! What the figures mean; the end of `refundry bench --help`.

pub(super) const FIGURES: &str = "\
Figures are being defined.";
