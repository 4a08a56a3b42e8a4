"""Training objectives: each sees a field ``u(z, r, t)`` and data, and fits any domain."""

from oneleap.core.objectives.flow_matching import FlowMatching as FlowMatching
from oneleap.core.objectives.meanflow import MeanFlow as MeanFlow
from oneleap.core.objectives.splitmeanflow import SplitMeanFlow as SplitMeanFlow
