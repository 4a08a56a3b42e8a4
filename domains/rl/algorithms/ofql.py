"""OFQL, One-Step Flow Q-Learning (arXiv 2508.13904): a mean-velocity policy and a double Q."""

from oneleap.domains.rl.algorithms.actor_critic import ActorCritic


class OFQL(ActorCritic):
    """Actor ``L_FBC - eta E[Q1(s, a)] / E|Q2(s, a)|``, critics by clipped double Q-learning.

    ``L_FBC`` is any objective of the core, MeanFlow in the paper (Eq. 8); ``a = e - u(e, 0, 1; s)``
    is one differentiable network call (Eq. 10). The paper's grid of ``eta`` is 0.001 to 0.5, per
    task; all else is Diffusion-QL's, as :class:`ActorCritic` has it. Network evaluations per step:
    the objective's, one for the actor's action, one (``backup_actions`` with the max-Q backup) for
    the target's.

    Deviations: that of :class:`ActorCritic`. The normaliser ``E|Q|`` is the other critic's over
    dataset actions, as in the paper's formula, where Diffusion-QL's code has policy actions: those
    values are there already. ``residual``, ``critic_warmup``, ``layer_norm`` and ``frequencies``
    are not in the paper.
    """
