"""95 % confidence intervals of the live figures: closed formulas over integer counts, so that a recomputation is equal bit for bit.

formulas.py  the intervals     quantiles.py  Student's t, and ranks of a binomial
"""

from services.metrics.intervals.formulas import Interval, mean_of_scores, net_promoter_score, rank_of, ranks_around, students_t, wilson

__all__ = ["Interval", "mean_of_scores", "net_promoter_score", "rank_of", "ranks_around", "students_t", "wilson"]
