"""THE rule table: every rewrite, in the order in which rules are tried at a node.

A rule that recognises more stands before one that recognises a part of it. Tempting rewrites that
are wrong stand in `REFUTED` with the point that shows it.
"""

from __future__ import annotations

from losscodegen.compiler.rule import Fault, Phase, Refuted, Rule, Witness
from losscodegen.compiler.rules_angles import RULES as ANGLES
from losscodegen.compiler.rules_axes import RULES as AXES
from losscodegen.compiler.rules_bends import RULES as BENDS
from losscodegen.compiler.rules_beta import RULES as BETA
from losscodegen.compiler.rules_binary import RULES as BINARY
from losscodegen.compiler.rules_boxes import RULES as BOXES
from losscodegen.compiler.rules_circular import RULES as CIRCULAR
from losscodegen.compiler.rules_classes import RULES as CLASSES
from losscodegen.compiler.rules_clips import RULES as CLIPS
from losscodegen.compiler.rules_cosines import RULES as COSINES
from losscodegen.compiler.rules_counts import RULES as COUNTS
from losscodegen.compiler.rules_dirichlet import RULES as DIRICHLET
from losscodegen.compiler.rules_distances import RULES as DISTANCES
from losscodegen.compiler.rules_divergences import RULES as DIVERGENCES
from losscodegen.compiler.rules_factors import RULES as FACTORS
from losscodegen.compiler.rules_far import RULES as FAR
from losscodegen.compiler.rules_fits import RULES as FITS
from losscodegen.compiler.rules_levels import RULES as LEVELS
from losscodegen.compiler.rules_likelihood import RULES as LIKELIHOOD
from losscodegen.compiler.rules_logs import RULES as LOGS
from losscodegen.compiler.rules_nearest import RULES as NEAREST
from losscodegen.compiler.rules_overflow import RULES as OVERFLOW
from losscodegen.compiler.rules_overlaps import RULES as OVERLAPS
from losscodegen.compiler.rules_powers import RULES as POWERS
from losscodegen.compiler.rules_products import RULES as PRODUCTS
from losscodegen.compiler.rules_ranges import RULES as RANGES
from losscodegen.compiler.rules_refuted import REFUTED
from losscodegen.compiler.rules_roots import RULES as ROOTS
from losscodegen.compiler.rules_saturation import RULES as SATURATION
from losscodegen.compiler.rules_scales import RULES as SCALES
from losscodegen.compiler.rules_slopes import RULES as SLOPES
from losscodegen.compiler.rules_softplus import RULES as SOFTPLUS
from losscodegen.compiler.rules_spreads import RULES as SPREADS
from losscodegen.compiler.rules_student import RULES as STUDENT
from losscodegen.compiler.rules_tails import RULES as TAILS
from losscodegen.compiler.rules_thresholds import RULES as THRESHOLDS

RULES: tuple[Rule, ...] = (
    LEVELS
    + OVERFLOW
    + FAR
    + COUNTS
    + BETA
    + STUDENT
    + SCALES
    + DIRICHLET
    + FACTORS
    + RANGES
    + OVERLAPS
    + BOXES
    + PRODUCTS
    + SLOPES
    + TAILS
    + SOFTPLUS
    + BINARY
    + DIVERGENCES
    + CLASSES
    + NEAREST
    + AXES
    + LOGS
    + DISTANCES
    + POWERS
    + ROOTS
    + CLIPS
    + SPREADS
    + LIKELIHOOD
    + COSINES
    + FITS
    + ANGLES
    + SATURATION
    + CIRCULAR
    + THRESHOLDS
    + BENDS
)
"""Every rule, in order of priority."""

__all__ = ["REFUTED", "RULES", "Fault", "Phase", "Refuted", "Rule", "Witness"]
