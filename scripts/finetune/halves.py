"""CIFAR-10 in two halves: the classes 0 to 4 and the classes 5 to 9.

A network is trained on the first half, and its weights are the start of training on the second.
"""

from qbench.data import DATASETS, Source


def half(first):
    """The images of the classes `first` to `first` + 4, with the labels 0 to 4."""

    def read(folder):
        images, labels, test, test_labels = DATASETS["cifar10"].read(folder)
        parts = []
        for pixels, classes in ((images, labels), (test, test_labels)):
            chosen = (classes >= first) & (classes < first + 5)
            parts += [pixels[chosen], classes[chosen] - first]
        return parts

    return Source((32, 32, 3), 5, flip=True, read=read, known={})


FIRST = half(0)  # airplane, automobile, bird, cat, deer
SECOND = half(5)  # dog, frog, horse, ship, truck
