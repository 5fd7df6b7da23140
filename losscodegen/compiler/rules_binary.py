"""Binary cross entropy in its many spellings, and products of probabilities."""

from losscodegen.compiler.rule import Fault, Phase, Rule, Witness

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
    Rule(
        name="cross-entropy-split",
        pattern="(1 - y)*softplus(x) + y*softplus(-x)",
        condition="y >= 0 and y <= 1",
        let=("size = where(x >= 0, x, -x)", "part = where(x >= 0, 1 - y, y)"),
        replacement="softplus(-size) + size*part",
        why="The derivative by y, `-x`, cancels for small x when it is the difference of two "
        "softplus. What they share is split off; `where` keeps the derivative at 0.",
        source="measured",
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
        let=("size = where(x >= 0, x, -x)", "part = where(x >= 0, 1 - y, p*y)"),
        replacement="(1 + (p - 1)*y)*softplus(-size) + size*part",
        why="The derivative by y cancels for small x when it is the difference of two softplus. "
        "What they share is split off; `where` keeps the derivative at 0.",
        source="measured",
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
            "less = where(size < 1/2, 1/2 - apart/2, sigmoid(-size))",
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
        name="product-of-exponentials",
        pattern="exp(x)*exp(y)",
        replacement="exp(x + y)",
        why="One exponential may overflow where the other underflows; their product is finite.",
        source="measured",
        witness=Witness(point={"x": 100.0, "y": -100.0}),
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
