"""One of two processes, of which the second meets data that are no numbers.

The argument is the file to write to.
"""

import os
import sys

import torch
from support.ddp.launch import ddp
from support.tiny_generative import Endless, Toy, batch, trainer

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching


def main(path: str) -> None:
    rank, said = int(os.environ["LOCAL_RANK"]), ""
    rows = batch(rank)
    if rank == 1:
        rows[4, 0] = torch.nan
    try:
        trainer(3, **ddp()).fit(Toy(FlowMatching()).lightning_module(), Endless(rows))
    except InputError as error:
        said = str(error)
    torch.save(said, path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
