"""What is tried where no rule of the table applies: other forms of a cancelling expression.

`forms` writes an expression in other ways that are equal as real functions, `measure` finds what
each is worth in floating point, `stage` keeps the best. `rational` is the algebra, `series` the
expansions at 0, `differences` the table of ``f(a) - f(b)``.
"""
