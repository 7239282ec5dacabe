"""The paper's training: slim's defaults, with batches of 8 and 350,000 steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from qbench.base import device
from qbench.base.paths import config_folder
from qbench.cli.hydra_app import settings_of
from qbench.config.train import Train
from qbench.optimizers.fused import TensorFlow1RMSprop
from qbench.optimizers.optimizers import build_optimizer


@pytest.fixture(scope="module")
def train() -> Iterator[Train]:
    """The settings of `study=paper`."""
    device.start(2)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        yield settings_of(compose("config", overrides=["study=paper"])).base.train
    GlobalHydra.instance().clear()


# 0.01 times powers of 0.94, one more after every 2 epochs of 50,000 images in batches of 8. There
# is no lower end: slim reads --end_learning_rate=0.0001 with polynomial decay only.
RATES = [
    (0, 0.01),
    (12_499, 0.01),
    (12_500, 0.0094),
    (24_999, 0.0094),
    (25_000, 0.008836),
    (279_999, 0.002563378746637597),
    (349_999, 0.001881273973092003),
    (937_500, 0.00009651371214487797),
]


@pytest.mark.parametrize(("step", "rate"), RATES)
def test_the_rate_falls_as_slims_staircase(train: Train, step: int, rate: float) -> None:
    optimizer = build_optimizer(train)
    optimizer.build([])
    optimizer.iterations.assign(step)
    assert float(optimizer.learning_rate) == pytest.approx(rate, rel=2e-6)


def test_the_optimizer_is_slims(train: Train) -> None:
    optimizer = build_optimizer(train)
    assert isinstance(optimizer, TensorFlow1RMSprop)
    assert (optimizer.rho, optimizer.momentum, optimizer.epsilon) == (0.9, 0.9, 1.0)
    assert (train.weight_decay, train.batch_size, train.steps) == (4e-5, 8, 350_000)


def test_what_slim_has_switched_off_is_not_added(train: Train) -> None:
    """No moving average of weights (--moving_average_decay=None), no clipping of gradients."""
    optimizer = build_optimizer(train)
    assert not optimizer.use_ema
    assert (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm) == (None,) * 3
