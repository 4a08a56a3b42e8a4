"""Robot policies that imitate demonstrations: chunks of actions from one network call."""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.domains.robot.data.datamodule import DemonstrationData as DemonstrationData
    from oneleap.domains.robot.data.robomimic_write import Demonstration as Demonstration
    from oneleap.domains.robot.data.robomimic_write import write_demos as write_demos
    from oneleap.domains.robot.data.scaling import MinMax as MinMax
    from oneleap.domains.robot.data.scaling import NoScaling as NoScaling
    from oneleap.domains.robot.data.scaling import ZScore as ZScore
    from oneleap.domains.robot.envs.robosuite import RobotEnv as RobotEnv
    from oneleap.domains.robot.envs.robosuite import disable_opengl as disable_opengl
    from oneleap.domains.robot.envs.robosuite import enable_opengl as enable_opengl
    from oneleap.domains.robot.envs.task import Task as Task
    from oneleap.domains.robot.evaluation.rank import effective_rank as effective_rank
    from oneleap.domains.robot.evaluation.rollouts import ObsHistory as ObsHistory
    from oneleap.domains.robot.models.dm1 import DM1 as DM1
    from oneleap.domains.robot.models.dm1 import ReleasedDM1 as ReleasedDM1
    from oneleap.domains.robot.models.dm1 import ReleasedInfoNCE as ReleasedInfoNCE
    from oneleap.domains.robot.models.nets import MLPHead as MLPHead
    from oneleap.domains.robot.models.nets import UNetHead as UNetHead
    from oneleap.domains.robot.models.nets import VisionConfig as VisionConfig
    from oneleap.domains.robot.models.policy import RobotPolicy as RobotPolicy
    from oneleap.domains.robot.spec import Spec as Spec

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "DM1": "models.dm1",
        "Demonstration": "data.robomimic_write",
        "DemonstrationData": "data.datamodule",
        "MLPHead": "models.nets",
        "MinMax": "data.scaling",
        "NoScaling": "data.scaling",
        "ObsHistory": "evaluation.rollouts",
        "ReleasedDM1": "models.dm1",
        "ReleasedInfoNCE": "models.dm1",
        "RobotEnv": "envs.robosuite",
        "RobotPolicy": "models.policy",
        "Spec": "spec",
        "Task": "envs.task",
        "UNetHead": "models.nets",
        "VisionConfig": "models.nets",
        "ZScore": "data.scaling",
        "disable_opengl": "envs.robosuite",
        "effective_rank": "evaluation.rank",
        "enable_opengl": "envs.robosuite",
        "write_demos": "data.robomimic_write",
    },
)
