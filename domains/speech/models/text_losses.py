"""The losses of the text encoder: of its mean features, and of its durations."""

from jaxtyping import Float
from torch import Tensor

from oneleap.domains.speech.models.nets import EncodedText
from oneleap.domains.speech.spec import AlignedBatch


def text_losses(
    batch: AlignedBatch, encoded: EncodedText
) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
    """Compute the prior loss and the duration loss, both as means over frames.

    The prior loss is Grad-TTS Eq. (14) without its constant terms.
    ``sum_j ||y_j - mu_i(j)||^2`` is ``sum_i d_i ||mean_i - mu_i||^2`` plus a constant, so the
    loss needs no frames, only the mean of each token.

    The duration loss is the Poisson deviance ``d log(d / m) - d + m``, which is close to
    ``d (log d - log m)^2 / 2``. The best ``m`` is the mean duration. The squared error of
    logarithms in Grad-TTS learns the mean logarithm, and the voice speaks too fast.

    If durations are a distribution, the negative log-likelihood of a log-normal distribution is
    added. It trains only the spreads ``s``; the mean ``m`` stays the best for the deviance.

    Args:
        batch: The aligned batch.
        encoded: The encoded texts.

    Returns:
        Prior loss and duration loss of each row.
    """
    d = batch.durations.to(encoded.means.dtype)
    frames = d.sum(1).clamp(min=1)
    gap = (batch.means - encoded.means).square().mean(1)
    prior = 0.5 * (d * gap).sum(1) / frames
    log_m = encoded.log_durations.masked_fill(~batch.token_mask, 0.0)
    log_d = d.clamp(min=1).log()
    duration = d * (log_d - log_m) - d + log_m.exp()
    if encoded.spread is not None:
        s = encoded.spread.masked_fill(~batch.token_mask, 1.0)
        z = (log_d - log_m.detach() + s.square() / 2) / s
        duration = duration + z.square() / 2 + s.log()
    return prior, duration.masked_fill(~batch.token_mask, 0.0).sum(1) / frames
