"""Binary cross entropy in its many spellings, and products of probabilities."""

from losscodegen.compiler.rule import Fault, Phase, Purpose, Rule, Witness
from losscodegen.compiler.rules_logs import _ATANH_SERIES, atanh_series

RULES = (
    Rule(
        name="xlogy-of-complement",
        pattern="xlogy(x, 1 - y)",
        replacement="x*log1p(-where(x == 0 and y == 1, 0, y))",
        why="`1 - y` rounds away the digits of a small y; where x is 0 and y is 1, the term is 0 "
        "and must not become `0 * inf = nan`.",
        source="torch.special.xlog1py",
        witness=Witness(point={"x": 1.0, "y": 1e-9}),
        domain={"y": "[0, 1)"},
    ),
    Rule(
        name="xlogy-of-sigmoid",
        pattern="xlogy(x, sigmoid(y))",
        replacement="x*logsigmoid(y)",
        why="`sigmoid(y)` rounds to 1 or underflows to 0 before the logarithm is taken.",
        source="PyTensor, logsigm_to_softplus",
        witness=Witness(point={"x": 1.0, "y": -200.0}),
    ),
    *(
        Rule(
            name="log-of-mixture",
            pattern=f"log({mixture})",
            condition="s >= 0 and s <= 1 and x >= 0",
            let=("change = s*(x - 1)", "small = change <= -1/2"),
            replacement="log(where(small, 1 - s + s*x, 1)) + log1p(where(small, 0, change))",
            why="Beside 1, a small x or the small share of one keeps no digits. Far below 1 the "
            "shares of both are added up; elsewhere it is what is missing to 1.",
            source="measured",
            witness=Witness(point={"s": share, "x": x}),
            domain={"s": "[0, 1]", "x": "(0, 2)"},
        )
        for mixture, share, x in (
            ("1 + s*(x - 1)", 1.0, 1e-9),
            ("1 - s*(1 - x)", 1.0, 1e-9),
            ("1 - s + s*x", 1e-9, 0.5),
        )
    ),
    Rule(
        name="cross-entropy-split",
        pattern="(1 - y)*softplus(x) + y*softplus(-x)",
        condition="y >= 0 and y <= 1",
        let=("step = where(x >= 0, 1, 0)",),
        replacement="softplus((1 - 2*step)*x) + x*(step - y)",
        why="The derivative by y, `-x`, cancels for small x when it is the difference of two "
        "softplus. What they share is split off; the step keeps the derivative by x at 0.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-9, "y": 0.25}, fault=Fault.GRADIENT, wrt="y"),
        domain={"y": "[0, 1]"},
        phase=Phase.EXPAND,
        gradient_only=True,
        slopes=("y",),
        safe=True,
    ),
    Rule(
        name="cross-entropy-split",
        pattern="(1 - y)*softplus(x) + p*y*softplus(-x)",
        condition="y >= 0 and y <= 1",
        let=("step = where(x >= 0, 1, 0)",),
        replacement="(1 + (p - 1)*y)*softplus((1 - 2*step)*x) + x*(step - where(x >= 0, 1, p)*y)",
        why="The derivative by y cancels for small x when it is the difference of two softplus. "
        "What they share is split off; the step keeps the derivative by x at 0.",
        source="measured",
        purpose=Purpose.DIGITS,
        witness=Witness(
            point={"x": 1e-9, "y": 0.25, "p": 1.0}, fault=Fault.GRADIENT, wrt="y"
        ),
        domain={"y": "[0, 1]", "p": "(0, oo)"},
        phase=Phase.EXPAND,
        gradient_only=True,
        slopes=("y",),
        safe=True,
    ),
    Rule(
        name="mixture-split",
        pattern="y*exp(logsigmoid(-x)) + (1 - y)*exp(logsigmoid(x))",
        condition="y >= 0 and y <= 1",
        let=(
            "size = where(x >= 0, x, -x)",
            "part = where(x >= 0, 1 - y, y)",
            "apart = where(size < 2, tanh(size/2), 1 - 2*sigmoid(-size))",
            "less = where(size < 1/2, 1/2 - tanh(size/2)/2, sigmoid(-size))",
        ),
        replacement="less + part*apart",
        why="The derivative by y cancels for small x when it is the difference of two "
        "probabilities. What they share is split off; `where` keeps the derivative at 0.",
        source="algebra",
        witness=Witness(point={"x": 1e-9, "y": 0.25}, fault=Fault.GRADIENT, wrt="y"),
        domain={"y": "[0, 1]"},
        phase=Phase.EXPAND,
        gradient_only=True,
        slopes=("y",),
        safe=True,
    ),
    Rule(
        name="cross-entropy-with-probability",
        pattern="(1 - y)*softplus(x) + y*softplus(-x) + k*(y*sigmoid(-x) + (1 - y)*sigmoid(x))",
        condition="y >= 0 and y <= 1 and k >= -1",
        let=(
            "size = where(x > 0, x, -x)",
            "wrong = where(x > 0, 1 - y, y)",
            "small = exp(-size)",
            "less = small/(1 + small)",
            "w = small/(2 + small)",
            "u = w**2",
            f"bend = small*less/(2 + small) + 2*w*u*({atanh_series(41)})",
        ),
        replacement="bend + where(size < 1, (1 + k)*less + wrong*(size + k*tanh(size/2)), "
        "wrong*(size + k) + (1 + k - 2*k*wrong)*less)",
        why="Where k is near -1 or 1 the logarithm and the probability cancel, the one in value and "
        "slope for small probabilities, the other in the second derivative for large ones. What "
        "the logarithm adds to the probability is a series, `bend`; all other terms are positive.",
        source="algebra",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": -12.0, "y": 0.0, "k": -1.0}),
        domain={"y": "[0, 1]", "k": "[-1, 2]"},
        safe=True,
        bent=True,
    ),
    Rule(
        name="cross-entropy-with-probability",
        pattern="softplus(x) + k*sigmoid(x)",
        condition="k >= -1",
        unless="k >= 0",
        let=(
            "near = where(x < -1, 0, x)",
            "tail = where(x < -1, x, -1)",
            "small = exp(tail)",
            "less = sigmoid(tail)",
            "w = small/(2 + small)",
            "u = w**2",
            f"bend = w*less + 2*w*u*({atanh_series(21)})",
        ),
        replacement="where(x < -1, (1 + k)*less + bend, softplus(near) + k*sigmoid(near))",
        why="Where k is near -1, the logarithm and the probability cancel once the probability is "
        "small. What the logarithm adds to the probability is a series, `bend`.",
        source="algebra",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": -12.0, "k": -1.0}),
        domain={"k": "[-1, 2]"},
    ),
    Rule(
        name="blend-of-losses",
        pattern="exp(x)*sigmoid(y) - logsigmoid(-x)*sigmoid(-y)",
        let=(
            "near = where(x < 1, x, 0)",
            "d = where(near < -1.5, exp(near), 0)",
            "r = d/(2 + d)",
            "q = r**2",
            f"series = d*r - 2*r**3*({_ATANH_SERIES})",
            "apart = where(near < -1.5, series, exp(near) - softplus(near))",
        ),
        replacement="where(x < 1, softplus(x) + sigmoid(y)*apart, "
        "exp(x)*sigmoid(y) - logsigmoid(-x)*sigmoid(-y))",
        why="The slope by what blends the two is their difference, which is lost when each is "
        "multiplied by its own weight. Where the exponential is not large, the difference itself "
        "is weighed, a series where the exponential is small.",
        source="algebra",
        witness=Witness(point={"x": -12.0, "y": 0.0}, fault=Fault.GRADIENT, wrt="y"),
    ),
    Rule(
        name="product-of-exponentials",
        pattern="exp(x)*exp(y)",
        replacement="exp(x + y)",
        why="One exponential may overflow where the other underflows; their product is finite.",
        source="measured",
        witness=Witness(point={"x": 100.0, "y": -100.0}),
        distinct=("x", "y"),
        phase=Phase.EXPAND,
    ),
    Rule(
        name="exponential-in-halves",
        pattern="x*exp(s)",
        condition="x > 0",
        unless="s <= 80",
        varying=("x", "s"),
        as_written=True,
        let=("root = exp(s/2)",),
        replacement="x*root*root",
        why="The exponential overflows although the product with a small factor does not.",
        source="measured",
        witness=Witness(point={"x": 1e-10, "s": 100.0}),
        domain={"x": "(0, oo)"},
        phase=Phase.EXPAND,
    ),
)
