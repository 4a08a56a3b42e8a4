"""Old names in saved models and configurations of this domain; see ``oneleap.core.hub.legacy``."""

CLASSES = {
    "AntMaze": "oneleap.domains.rl.AntMazeReward",
    "AsStored": "oneleap.domains.rl.StoredReward",
    "Gaussian": "oneleap.domains.rl.GaussianField",
    "GoalDistance": "oneleap.domains.rl.GoalDistanceReward",
    "Likelihood": "oneleap.domains.rl.GaussianLikelihood",
    "Normalized": "oneleap.domains.rl.NormalizedReward",
    "Regression": "oneleap.domains.rl.ActionRegression",
    "ReturnScaled": "oneleap.domains.rl.ReturnScaledReward",
}

GROUPS = {
    "critic_config": "oneleap.domains.rl.CriticConfig",
    "network": "oneleap.domains.rl.NetworkConfig",
}

OBJECTS = {"sampler": "oneleap.core.FlowMapSampler"}

_POLICY = {
    "compile_loss": "recipe.compile",
    "depth": "network.depth",
    "ema": "recipe.ema",
    "from_teacher": "recipe.from_teacher",
    "optimizer": "recipe.optimizer",
    "seed": "recipe.seed",
    "teacher": "recipe.teacher",
    "time_dim": "network.time_dim",
    "width": "network.width",
}

_ACTOR_CRITIC = {
    **_POLICY,
    "backup_actions": "critic_config.backup_actions",
    "candidates": "num_action_samples",
    "critic_optimizer": "critic_config.optimizer",
    "frequencies": "critic_config.frequencies",
    "layer_norm": "critic_config.layer_norm",
    "max_q_backup": "critic_config.max_q_backup",
    "q_agg": "critic_config.q_agg",
    "tau": "critic_config.tau",
}

ARGUMENTS = {
    "ActorCritic": _ACTOR_CRITIC,
    "DQL": _ACTOR_CRITIC,
    "EvaluatePolicy": {"candidates": "num_action_samples"},
    "FBRAC": _ACTOR_CRITIC,
    "FQL": _ACTOR_CRITIC,
    "IDQL": _ACTOR_CRITIC,
    "IQL": {**_ACTOR_CRITIC, "spread": "std_scale"},
    "OFQL": _ACTOR_CRITIC,
    "PixelOFQL": _ACTOR_CRITIC,
    "Policy": {**_POLICY, "steps": "sampler.steps"},
    "ReBRAC": {**_ACTOR_CRITIC, "actor_every": "policy_delay"},
}
