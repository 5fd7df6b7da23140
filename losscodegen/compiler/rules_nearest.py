"""Softmaxes over negative squared distances, as of neighbours that are picked by chance."""

from losscodegen.compiler.rule import Rule, Witness

_OWN = "m[i] and n[i]"
_OTHER = "m[i] and not n[i]"


def _gain(y: str, centre: str) -> str:
    """How much nearer ``y`` is to x than ``centre``, as a difference of squares."""
    return f"Sum(({y} - {centre})*((x[j] - {centre}) + (x[j] - {y})), j)"


RULES = (
    Rule(
        name="nearest-as-origin",
        pattern="logsumexp(-k*Sum((x[j] - y[i, j])**2, j), i, where=m[i])"
        " - logsumexp(-k*Sum((x[j] - y[i, j])**2, j), i, where=m[i] and n[i])",
        optional=("k",),
        let=(
            "distance[i] = detach(norm(x[j] - y[i, j], j))",
            f"near = amin(distance[i], i, where={_OWN})",
            f"rival_near = amin(distance[i], i, where={_OTHER})",
            f"is_own[i] = where({_OWN} and distance[i] == near, 1, 0)",
            f"is_rival[i] = where({_OTHER} and distance[i] == rival_near, 1, 0)",
            "own_ties = Sum(is_own[i], i)",
            "rival_ties = Sum(is_rival[i], i)",
            "own_mean[j] = Sum(is_own[i]*detach(y[i, j]), i)/Max(own_ties, 1)",
            "rival_mean[j] = Sum(is_rival[i]*detach(y[i, j]), i)/Max(rival_ties, 1)",
            "own[j] = where(own_ties > 0, own_mean[j], rival_mean[j])",
            "rival[j] = where(rival_ties > 0, rival_mean[j], own_mean[j])",
            f"own_gain[i] = {_gain('y[i, j]', 'own[j]')}",
            f"rival_gain[i] = {_gain('y[i, j]', 'rival[j]')}",
            f"gain = {_gain('rival[j]', 'own[j]')}",
            "own_below[i] = where(isfinite(own_gain[i]), own_gain[i], (near - distance[i])*(near + distance[i]))",
            "rival_below[i] = where(isfinite(rival_gain[i]), rival_gain[i], (rival_near - distance[i])*(rival_near + distance[i]))",
            "ahead = where(isfinite(gain), gain, (near - rival_near)*(near + rival_near))",
            f"rivals = logsumexp(k*rival_below[i], i, where={_OTHER})",
            f"owns = logsumexp(k*own_below[i], i, where={_OWN})",
            "margin = where(own_ties > 0, rivals + k*ahead - owns, oo)",
        ),
        replacement="softplus(margin)",
        why="Squared distances of far neighbours round away what they differ by, and overflow. "
        "Measured from the nearest y of either side, the difference of two squares is a product of "
        "differences. The result does not depend on that origin, hence no gradient flows through it.",
        source="measured",
        witness=Witness(
            point={
                "x": (5e7, 1.0),
                "y": ((0.0, 1.0), (4.0, 1.0)),
                "n": (1.0, -1.0),
                "k": 1.0,
            }
        ),
        safe=True,
    ),
)
