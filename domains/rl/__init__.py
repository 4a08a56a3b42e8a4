"""Offline reinforcement learning with one-step policies: the public names of the domain."""

import contextlib
from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

with contextlib.suppress(ImportError):
    from farama_notifications import notifications

    # gymnasium_robotics prints it at every import; it is about environments not used here.
    notifications.pop("gymnasium_robotics", None)

if TYPE_CHECKING:
    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic as ActorCritic
    from oneleap.domains.rl.algorithms.bfq import Bootstrap as Bootstrap
    from oneleap.domains.rl.algorithms.dql import DQL as DQL
    from oneleap.domains.rl.algorithms.flow.drifting import DFP as DFP
    from oneleap.domains.rl.algorithms.flow.drifting import Drifting as Drifting
    from oneleap.domains.rl.algorithms.flow.dsrl import DSRL as DSRL
    from oneleap.domains.rl.algorithms.flow.fbrac import FBRAC as FBRAC
    from oneleap.domains.rl.algorithms.flow.fql import FQL as FQL
    from oneleap.domains.rl.algorithms.flow.ifql import IFQL as IFQL
    from oneleap.domains.rl.algorithms.flow.meanflow_ql import AdaptiveAlpha as AdaptiveAlpha
    from oneleap.domains.rl.algorithms.flow.meanflow_ql import MeanFlowQL as MeanFlowQL
    from oneleap.domains.rl.algorithms.flow.meanflow_ql import ResidualMeanFlow as ResidualMeanFlow
    from oneleap.domains.rl.algorithms.idql import IDQL as IDQL
    from oneleap.domains.rl.algorithms.iql import IQL as IQL
    from oneleap.domains.rl.algorithms.ofql import OFQL as OFQL
    from oneleap.domains.rl.algorithms.pixel_ofql import PixelOFQL as PixelOFQL
    from oneleap.domains.rl.algorithms.policy import Policy as Policy
    from oneleap.domains.rl.algorithms.rebrac import ReBRAC as ReBRAC
    from oneleap.domains.rl.data.datamodule import OfflineData as OfflineData
    from oneleap.domains.rl.data.mapped import MappedData as MappedData
    from oneleap.domains.rl.data.pixels import PixelData as PixelData
    from oneleap.domains.rl.data.rewards import AntMazeReward as AntMazeReward
    from oneleap.domains.rl.data.rewards import GoalDistanceReward as GoalDistanceReward
    from oneleap.domains.rl.data.rewards import NormalizedReward as NormalizedReward
    from oneleap.domains.rl.data.rewards import ReturnScaledReward as ReturnScaledReward
    from oneleap.domains.rl.data.rewards import Reward as Reward
    from oneleap.domains.rl.data.rewards import SparseTaskReward as SparseTaskReward
    from oneleap.domains.rl.data.rewards import StepCostReward as StepCostReward
    from oneleap.domains.rl.data.rewards import StoredReward as StoredReward
    from oneleap.domains.rl.data.transitions import OfflineDataset as OfflineDataset
    from oneleap.domains.rl.data.transitions import Transitions as Transitions
    from oneleap.domains.rl.envs.task import Task as Task
    from oneleap.domains.rl.evaluation.callbacks import EvaluatePolicy as EvaluatePolicy
    from oneleap.domains.rl.evaluation.rollouts import Evaluation as Evaluation
    from oneleap.domains.rl.evaluation.rollouts import evaluate_policy as evaluate_policy
    from oneleap.domains.rl.nets.config import CriticConfig as CriticConfig
    from oneleap.domains.rl.nets.config import NetworkConfig as NetworkConfig
    from oneleap.domains.rl.nets.critics import Critic as Critic
    from oneleap.domains.rl.nets.gaussian import ActionRegression as ActionRegression
    from oneleap.domains.rl.nets.gaussian import GaussianField as GaussianField
    from oneleap.domains.rl.nets.gaussian import GaussianLikelihood as GaussianLikelihood
    from oneleap.domains.rl.online.datamodule import OnlineData as OnlineData
    from oneleap.domains.rl.spec import Spec as Spec

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ActionRegression": "nets.gaussian",
        "ActorCritic": "algorithms.actor_critic",
        "AdaptiveAlpha": "algorithms.flow.meanflow_ql",
        "AntMazeReward": "data.rewards",
        "Bootstrap": "algorithms.bfq",
        "Critic": "nets.critics",
        "CriticConfig": "nets.config",
        "DFP": "algorithms.flow.drifting",
        "DQL": "algorithms.dql",
        "DSRL": "algorithms.flow.dsrl",
        "Drifting": "algorithms.flow.drifting",
        "EvaluatePolicy": "evaluation.callbacks",
        "Evaluation": "evaluation.rollouts",
        "FBRAC": "algorithms.flow.fbrac",
        "FQL": "algorithms.flow.fql",
        "GaussianField": "nets.gaussian",
        "GaussianLikelihood": "nets.gaussian",
        "GoalDistanceReward": "data.rewards",
        "IDQL": "algorithms.idql",
        "IFQL": "algorithms.flow.ifql",
        "IQL": "algorithms.iql",
        "MappedData": "data.mapped",
        "MeanFlowQL": "algorithms.flow.meanflow_ql",
        "NetworkConfig": "nets.config",
        "NormalizedReward": "data.rewards",
        "OFQL": "algorithms.ofql",
        "OfflineData": "data.datamodule",
        "OfflineDataset": "data.transitions",
        "OnlineData": "online.datamodule",
        "PixelData": "data.pixels",
        "PixelOFQL": "algorithms.pixel_ofql",
        "Policy": "algorithms.policy",
        "ReBRAC": "algorithms.rebrac",
        "ResidualMeanFlow": "algorithms.flow.meanflow_ql",
        "ReturnScaledReward": "data.rewards",
        "Reward": "data.rewards",
        "SparseTaskReward": "data.rewards",
        "Spec": "spec",
        "StepCostReward": "data.rewards",
        "StoredReward": "data.rewards",
        "Task": "envs.task",
        "Transitions": "data.transitions",
        "evaluate_policy": "evaluation.rollouts",
    },
)
