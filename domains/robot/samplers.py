"""Where runs of before name their samplers: they are :mod:`oneleap.core.samplers` now."""

from oneleap.core.samplers import Ancestral as Ancestral
from oneleap.core.samplers import Consistency as Consistency
from oneleap.core.samplers import Euler as Euler
from oneleap.core.samplers import Implicit as Implicit
from oneleap.core.samplers import Leap as Leap
