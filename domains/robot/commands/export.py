"""``oneleap export`` for robot policies."""

from pathlib import Path

from oneleap.core.hub.export import Format


def export(run: Path, format: Format = "onnx", tolerance: float = 1e-4) -> None:
    """Write a robot policy as one graph, with normalization inside.

    The inputs are ``obs`` (n, steps, o), the low-dimensional observations concatenated in the order
    of the model's ``config.json``; ``noise`` (n, a, horizon), standard normal; and, if the policy
    sees images, ``images`` (n, cameras, steps, 3, h, w), uint8. The output ``action`` (n, k, a)
    holds k actions to execute one after the other. The graph is written into the model's folder,
    compared with the policy, and timed; the model card lists the results.

    Example: oneleap export runs/robot/dm1_lift/TIME --format onnx

    Args:
        run: Run or model folder.
        format: onnx for ONNX Runtime, or pt2 for torch.export.load.
        tolerance: Largest accepted difference from the policy, in the unit of the actions.

    Raises:
        InputError: There is no robot policy in ``run``, or the graph differs from the policy.
    """
    from oneleap.core.cli.advice import example_line
    from oneleap.core.hub.export import export_graphs
    from oneleap.core.training.run import find_model
    from oneleap.domains.robot.models.graph import policy_graph
    from oneleap.domains.robot.models.policy import RobotPolicy

    folder = find_model(run).model
    policy = RobotPolicy.from_pretrained(folder)
    graph = policy_graph(policy)
    (path,) = export_graphs([graph], folder, format, tolerance)
    plays = format == "onnx" and policy.spec.task is not None and not policy.spec.absolute
    print((example_line("robot_loop.py", folder) if plays else None) or path)
