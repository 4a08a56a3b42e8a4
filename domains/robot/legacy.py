"""Old names in saved models and configurations of this domain."""

CLASSES = {
    "AsIs": "oneleap.domains.robot.NoScaling",
    "Demonstrations": "oneleap.domains.robot.DemonstrationData",
    "Vision": "oneleap.domains.robot.VisionConfig",
}
"""Old class names to today's classes."""

ARGUMENTS = {
    "Demonstrations": {
        "chunk": "horizon",
        "horizon": "max_episode_steps",
        "obs_steps": "n_obs_steps",
    },
    "RobotPolicy": {
        "compile_loss": "recipe.compile",
        "ema": "recipe.ema",
        "execute": "n_action_steps",
        "from_teacher": "recipe.from_teacher",
        "optimizer": "recipe.optimizer",
        "seed": "recipe.seed",
        "teacher": "recipe.teacher",
    },
    "Spec": {"chunk": "horizon", "obs_steps": "n_obs_steps"},
    "Task": {"horizon": "max_episode_steps"},
}
"""Old arguments to today's, by old class name."""

WEIGHTS = {
    "before_mixing": "attention_norm",
    "before_mlp": "mlp_norm",
    "eye": "vision_encoder",
    "place": "position",
}
"""Old parts of weights' names of the vision encoder to today's."""
