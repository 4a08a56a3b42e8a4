"""Where runs of before name their samplers: they are :mod:`oneleap.core.samplers` now."""

from oneleap.core.samplers import Consistency as Consistency
from oneleap.core.samplers import EDMSolver as EDMSolver
from oneleap.core.samplers import Euler as Euler
from oneleap.core.samplers import Leap as Leap
