"""Powers less one, where both are nearly equal."""

from losscodegen.compiler.rule import Purpose, Rule, Witness

_POWER = "Where the power rounds to 1, or nearly, the difference is lost."

RULES = (
    Rule(
        name="power-minus-one",
        pattern="(1 + a*x**2)**p - 1",
        optional=("a",),
        condition="a > 0",
        unless="p == 2 or p == 3 or a*x**2 <= 4",
        varying=("x",),
        let=(
            "u = sqrt(a)*x",
            "product = p*log1p(u**2)",
            "near = where(abs(product) < 1, product, 0)",
        ),
        replacement="where(abs(product) < 1, expm1(near), hypot(1, u)**(2*p) - 1)",
        why=_POWER,
        source="robust_loss_pytorch#21; measured",
        witness=Witness(point={"x": 1e-4, "a": 1.0, "p": 0.5}),
        domain={"a": "(0, 10)", "p": "(0, 4]"},
        safe=True,
    ),
    Rule(
        name="power-minus-one",
        pattern="(1 + x)**p - 1",
        condition="x >= 0",
        unless="p == 2 or p == 3",
        varying=("x",),
        replacement="expm1(p*log1p(x))",
        why=_POWER,
        source="robust_loss_pytorch#21",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 1e-9, "p": 0.5}),
        domain={"x": "[0, oo)", "p": "(0, 4]"},
    ),
    Rule(
        name="power-minus-one",
        pattern="1 - x**p",
        condition="x > 0",
        unless="p == 2 or p == 3",
        replacement="-expm1(p*log(x))",
        why=_POWER,
        source="Cui et al., class-balanced loss",
        purpose=Purpose.DIGITS,
        witness=Witness(point={"x": 0.999, "p": 1e-9}),
        domain={"x": "(0, oo)", "p": "(0, 4]"},
    ),
)
