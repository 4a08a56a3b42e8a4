"""OFQL, One-Step Flow Q-Learning (arXiv 2508.13904): a mean-velocity policy and a double Q."""

from oneleap.domains.rl.algorithms.actor_critic import ActorCritic


class OFQL(ActorCritic):
    """Actor loss ``L_FBC - eta E[Q1(s, a)] / E|Q2(s, a)|``; clipped double Q-learning.

    ``L_FBC`` is any objective of the core; the paper has MeanFlow (Eq. 8). The action
    ``a = e - u(e, 0, 1; s)`` is one differentiable network call (Eq. 10). The paper searches
    ``eta`` from 0.001 to 0.5 per task. All else is Diffusion-QL's, as in :class:`ActorCritic`,
    which documents the arguments.

    Network evaluations per step: those of the objective, one for the actor's action, and one for
    the target (``backup_actions`` with the max-Q backup).

    Deviations: actor and critics are updated together, see :class:`ActorCritic`. The scale ``E|Q|``
    is taken over the actions of the data, as in the paper's formula, because these values are known
    already. Diffusion-QL's code takes it over the policy's actions. ``residual``,
    ``critic_warmup``, ``critic_config.layer_norm`` and ``critic_config.frequencies`` are not in the
    paper.
    """
