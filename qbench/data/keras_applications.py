"""The preprocessing of each network of `keras.applications`, as its `preprocess_input` does it.

Networks with the preprocessing `none` begin with layers that rescale the pixels themselves.
"""

from __future__ import annotations

_NAMES = {
    "inception": (
        *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "NASNetLarge"),
        *("NASNetMobile", "ResNet50V2", "ResNet101V2", "ResNet152V2", "Xception"),
    ),
    "imagenet_caffe": ("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19"),
    "imagenet_torch": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "none": (
        *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
        *(f"EfficientNetB{number}" for number in range(8)),
        *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        *("MobileNetV3Large", "MobileNetV3Small"),
    ),
}

APPLICATIONS = {name: mode for mode, names in _NAMES.items() for name in names}
"""By the name of a network, the name of its preprocessing in `PREPROCESSING`."""
