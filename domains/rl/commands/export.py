"""``oneleap export`` for policies: a graph from observation and noise to an action."""

from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format


def export(
    run: Path, format: Format = "onnx", steps: int | None = None, tolerance: float = 1e-5
) -> None:
    """Write a policy as one graph: inputs ``obs`` and standard normal ``noise``, output ``action``.

    The graph is written into the folder of the model, that of a shipped policy to export/NAME. It
    is compared with the policy and timed, and the model card gets the result. The batch may have
    any size. The selection of one of several actions by Q is not part of the graph.

    Example: oneleap export runs/rl/ofql_d4rl/0 --format onnx

    Args:
        run: Folder of a run or of a model, or the name of a shipped policy.
        format: Format: onnx for ONNX Runtime, or pt2 for ``torch.export.load``.
        steps: Network calls per action; by default the policy's own number.
        tolerance: Largest accepted difference from the policy, in the unit of the actions.

    Raises:
        InputError: There is no policy in ``run``, or the graph differs from it.
    """
    from oneleap.core.hub.export import export_graphs
    from oneleap.domains.rl.commands.evaluate import find_policy, load_policy
    from oneleap.domains.rl.commands.policy_graph import policy_graph

    found = find_policy(run, "export")
    policy = load_policy(found.model)
    in_place = found.run is None or found.run in found.model.parents
    folder = found.model if in_place else found.home
    if steps is not None and steps < 1:
        raise InputError(f"steps: {steps} is not positive")
    (path,) = export_graphs([policy_graph(policy, steps)], folder, format, tolerance)
    if policy.num_action_samples > 1:
        n = policy.num_action_samples
        print(f"the graph samples one action; in oneleap this policy takes the best of {n} by Q")
    shape = "(n, a)" if policy.noise(1).ndim == 2 else f"(n, {policy.steps}, a)"
    chunk = policy.spec.chunk
    action = "(n, a)" if chunk == 1 else f"(n, {chunk}, a)"
    if chunk > 1:
        shape = shape.replace("a)", f"{chunk} * a)")
    print(f"{path}: obs (n, o), noise {shape} -> action {action}, float32")
