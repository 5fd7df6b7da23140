"""The shape of a spec file: its keys, their types, and what each of them is for.

One set of pydantic models checks files and makes the JSON Schema that editors complete from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Formula = Annotated[str, Field(examples=["(x - y)**2"])]

_NESTED = {
    "anyOf": [
        {"type": ["number", "boolean", "string"]},
        {"type": "array", "items": {"$ref": "#/$defs/ExampleValue"}},
    ]
}


class Table(BaseModel):
    """A TOML table with exactly these keys."""

    model_config = ConfigDict(extra="forbid", strict=True)


class VariableTable(Table):
    """An input or a parameter: its declaration as a string, or a table with more about it."""

    type: str = Field(
        description="The declaration: domain[axes] in (a, b) = default.",
        examples=["real[B, C]", "positive = 1.0", "index(C)[B]"],
    )
    arg: str | None = Field(
        default=None,
        description="The name of the argument in Python; the symbol itself if left out.",
    )
    doc: str = Field(
        default="", description="What it is, for the documentation of the argument."
    )
    buffer: bool = Field(
        default=False,
        description="Keep a tensor parameter as a buffer of the module, as is the default.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        table = handler.resolve_ref_schema(handler(core_schema))
        short = {**table["properties"]["type"], "title": "Declaration"}
        return {"anyOf": [short, table], "description": table.pop("description")}


class ClauseTable(Table):
    """What a call or a construction does first, in the other class's words: one of refuse
    (error and message), warn (warning), broadcast, hand over (instead), or set."""

    when: str | None = Field(
        default=None,
        description="A condition on shapes, dtypes and parameters; always if left out.",
        examples=["target.shape != input.shape"],
    )
    error: str | None = Field(
        default=None, description="The exception to raise.", examples=["ValueError"]
    )
    message: str | None = Field(
        default=None,
        description="Its message, with expressions in braces.",
        examples=["expected {input.ndim} dims"],
    )
    warning: str | None = Field(default=None, description="The text of a warning.")
    broadcast: list[str] = Field(
        default=[], description="Arguments to broadcast against each other."
    )
    instead: str | None = Field(
        default=None,
        description="A class of the same file whose function is called instead.",
    )
    set: dict[str, str] = Field(
        default={}, description="New values of arguments.", examples=[{"x": "x[0]"}]
    )
    result: str | None = Field(
        default=None,
        description="What becomes of the result of 'instead', in terms of 'loss'.",
        examples=["loss.squeeze(0)"],
    )


class InterfaceTable(Table):
    """The calling convention of a class that this loss can replace."""

    constructor: list[str] = Field(
        default=[],
        description="The constructor's arguments in order, those after '*' by name only.",
    )
    forward: list[str] = Field(
        default=[],
        description="The arguments of a call in order; 'name = argument' renames one.",
    )
    class_axis_without_batch: bool = Field(
        default=False,
        description="Also accept an input without the batch axis and a target without any.",
    )
    optional: list[str] = Field(
        default=[], description="Arguments that may be None until a clause sets them."
    )
    layer: dict[str, str] = Field(
        default={},
        description="A linear layer that the class holds: its name, weight and bias.",
        examples=[{"name": "linear", "weight": "W", "bias": "b"}],
    )
    init: list[ClauseTable] = Field(
        default=[], description="What the constructor does first."
    )
    call: list[ClauseTable] = Field(
        default=[], description="What a call does before the loss is computed."
    )
    compare: str | None = Field(
        default=None,
        description="The class that it replaces.",
        examples=["torch.nn.CrossEntropyLoss"],
    )


class LossTable(Table):
    """One loss; the name of the table is the name of the class."""

    family: str = Field(
        default="",
        description="The chapter of the library it belongs to.",
        examples=["regression", "multiclass"],
    )
    summary: str = Field(default="", description="What it is, in one sentence.")
    description: str = Field(default="", description="More about it, in paragraphs.")
    reference: str = Field(default="", description="Where it was defined.")
    notes: str = Field(default="", description="Where implementations differ.")
    inputs: dict[str, VariableTable] = Field(
        description="The tensors of a call, by the symbol that formulas use.",
        examples=[{"x": "real[...]", "y": "real[...]"}],
    )
    params: dict[str, VariableTable] = Field(
        default={}, description="What the constructor takes, by symbol."
    )
    learnable: list[str] = Field(
        default=[], description="The parameters that training changes."
    )
    indices: dict[str, str] = Field(
        default={},
        description="Further indices and the axis of each; "
        "an axis has its own name in lower case already.",
        examples=[{"i": "B", "j": "B"}],
    )
    let: str = Field(
        default="",
        description="Shared subexpressions, one 'name[indices] = formula' per line.",
    )
    loss: Formula = Field(description="The loss before reduction.")
    mean_weight: Formula | None = Field(
        default=None, description="The mean is Sum(loss)/Sum(mean_weight)."
    )
    reduction: Literal["none", "mean", "sum"] | None = Field(
        default=None, description="The default of the constructor; 'mean' if left out."
    )
    gradient: Literal["auto", "autograd", "symbolic"] | None = Field(
        default=None,
        description="What backward does: 'autograd' differentiates the operations, 'symbolic' "
        "evaluates the derivative of the formula, 'auto' (if left out) takes the better one.",
    )
    accuracy: Literal["relative", "absolute"] | None = Field(
        default=None,
        description="What errors are measured beside: 'relative' (if left out) is the result "
        "itself, 'absolute' what results usually are, so that small ones may lose digits.",
    )
    require: list[str] = Field(
        default=[],
        description="Conditions on parameters or inputs.",
        examples=[["low < high"]],
    )
    laws: list[str] = Field(
        default=[],
        description="What holds for every input.",
        examples=[["loss >= 0", "loss(x=y) == 0"]],
    )
    example: dict[str, Any] | None = Field(
        default=None,
        description="Arguments by symbol, and 'result', the loss before reduction.",
        examples=[{"x": [0.5, 3.0], "y": [0.0, 0.0], "result": [0.125, 2.5]}],
    )
    interface: InterfaceTable | None = Field(
        default=None, description="For a drop-in replacement of another class."
    )


SPEC = TypeAdapter(dict[str, LossTable])


def json_schema() -> dict[str, Any]:
    """The JSON Schema of spec files, for editors that complete and check TOML."""
    schema = _without_null(SPEC.json_schema())
    schema["$defs"]["ExampleValue"] = _NESTED
    example = schema["$defs"]["LossTable"]["properties"]["example"]
    example["additionalProperties"] = {"$ref": "#/$defs/ExampleValue"}
    return {
        # Editors of TOML know draft 7; it leaves "$defs" alone and follows pointers into it.
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "losscodegen spec",
        "description": "Losses as formulas, one table each.",
        **schema,
        "propertyNames": {"pattern": "^[A-Z][A-Za-z0-9]*$"},
    }


def _without_null(schema: Any) -> Any:
    """``schema`` without the null that stands for a missing key: TOML has none."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    new = {key: _without_null(value) for key, value in schema.items()}
    if new.get("default", ...) is None:
        del new["default"]
    options = [o for o in new.get("anyOf", ()) if o != {"type": "null"}]
    if len(options) == 1:
        del new["anyOf"]
        new = {**options[0], **new}
    return new


def keys(path: tuple[str | int, ...]) -> Mapping[str, str]:
    """The keys of the table at ``path`` of a spec file, each with its description."""
    model: type[Table] = LossTable
    if len(path) > 1:
        model = VariableTable
        if path[1] == "interface":
            model = InterfaceTable if len(path) == 2 else ClauseTable
    return {name: info.description or "" for name, info in model.model_fields.items()}
