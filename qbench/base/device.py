"""Starts TensorFlow quietly, with a fixed number of threads."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

from qbench.base.errors import QbenchError
from qbench.base.keras_settings import check_keras_settings
from qbench.base.quick_import import quick_import


def import_tensorflow() -> Any:
    """Import TensorFlow without its start-up messages, and return it.

    TensorFlow writes some messages before it reads its log level. So standard error is redirected
    until the devices have been listed. If the import fails, the messages are shown.

    Raises:
        QbenchError: Keras' settings are not the settings that qbench needs.
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
            with quick_import():
                import tensorflow as tf

            # Warnings of TensorFlow's Python code, as for retracing, do not concern users.
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
    """Start TensorFlow with `threads` threads for every op, and return it.

    The number of threads changes how sums are split, and so it changes the last bits of a result.
    `deterministic` turns on TensorFlow's op determinism, which GPUs need for repeatable results.
    Products of float32 are computed in float32 on GPUs too, not in TensorFloat-32, TensorFlow's
    default, whose factors have ten bits after the point.

    Raises:
        QbenchError: TensorFlow already runs in this process with another number of threads, or
            Keras' settings are not the settings that qbench needs.
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
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return tf


def kind() -> str:
    """`GPU` if TensorFlow sees one, else `CPU`; TensorFlow must have been started."""
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def name() -> str:
    """The name of the device, for records."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
