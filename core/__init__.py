"""Average-velocity and consistency methods that know no domain.

Nothing is imported here: ``oneleap --help`` must not wait for torch. Import from the modules,
``from oneleap.core.objectives import MeanFlow``.
"""
