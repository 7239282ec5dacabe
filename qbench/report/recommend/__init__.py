"""Which settings to train with: the rows of a sweep that satisfy limits, from records alone."""

from qbench.report.recommend.choice import recommend
from qbench.report.recommend.recommendation import Limits, Recommendation

__all__ = ["Limits", "Recommendation", "recommend"]
