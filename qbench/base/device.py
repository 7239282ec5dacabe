"""Starts TensorFlow quietly, with a fixed number of threads."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.keras_settings import check_keras_settings


def import_tensorflow() -> Any:
    """TensorFlow, imported without its start-up messages.

    TensorFlow writes some messages before it reads its log level. So standard error is redirected
    until the devices have been listed; if the import fails, it is shown.

    Raises:
        QbenchError: Keras, which is imported next, has settings that qbench cannot work with.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    check_keras_settings()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            import tensorflow as tf

            # Warnings of its Python side, on retracing for one, are about qbench's code.
            tf.get_logger().setLevel("ERROR")
            tf.config.list_physical_devices()
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return tf


def start(threads: int, deterministic: bool = False) -> Any:
    """TensorFlow, set to compute every op with `threads` threads.

    The number of threads changes how sums are split, and so the last bits of a result.
    `deterministic` turns on TensorFlow's op determinism, which GPUs need for repeatable results.

    Raises:
        QbenchError: TensorFlow already runs in this process with another number of threads, or
            Keras' settings are not those that qbench needs.
    """
    tf = import_tensorflow()
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        try:
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(threads)
        except RuntimeError as error:
            raise QbenchError(
                f"threads={threads}: TensorFlow already runs with"
                f" {threading.get_intra_op_parallelism_threads()} threads in this process; give"
                " each number of threads a command of its own."
            ) from error
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return tf


def kind() -> str:
    """`GPU` if TensorFlow sees one, else `CPU`; TensorFlow must have been started."""
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def name() -> str:
    """The device's own name, for records."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
