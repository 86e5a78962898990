"""Validates bodies, ids and parameters against openapi.yaml. Invalid ones are refused with 422."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sandbox.compute.catalog import Listing

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAX_DIGITS = 100
_SSH_KEY = (
    r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+={0,2}( .*)?$"
)


class Invalid(Exception):
    """The request is invalid. `detail` has the form of an HTTPValidationError."""

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        super().__init__(str(detail))
        self.detail = detail


def invalid(where: tuple[str, ...], message: str, kind: str) -> Invalid:
    """Return an Invalid exception with one entry."""
    return Invalid([{"loc": list(where), "msg": message, "type": kind}])


def _whole(value: Any) -> Any:
    """Convert a whole number such as 2.0 to an integer, because JSON Schema accepts it as one."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MAX_DIGITS:
        return int(value) if value == value.to_integral_value() else value
    return value


def _decimal(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise ValueError("not a UUID")
    return value.lower()


def _present(value: Any) -> Any:
    """Refuse null. An optional field may be left out, but may not be null."""
    if value is None:
        raise ValueError("null is not allowed")
    return value


T = TypeVar("T")
OptionalField = Annotated[T | None, BeforeValidator(_present)]
Uuid = Annotated[str, AfterValidator(_uuid)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Compute(_Body):
    """The machine to search for."""

    gpu_type: str
    gpu_count: Annotated[int, BeforeValidator(_whole), Field(ge=1, lt=10**_MAX_DIGITS)] = 1
    max_price_per_gpu_hour: OptionalField[
        Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, allow_inf_nan=False)]
    ] = None
    contract_type: OptionalField[Literal["ondemand", "spot"]] = None


class Network(_Body):
    """The required features of the machine's network."""

    supports_cilium: OptionalField[bool] = None


class OfferQuery(_Body):
    """The body of get_offers."""

    compute: Compute
    vendor: OptionalField[str] = None
    region: OptionalField[Literal["US", "EU", "APAC", "Other"]] = None
    network: OptionalField[Network] = None

    def matches(self, listing: Listing) -> bool:
        """Return whether a listing matches this query."""
        wanted, variant = self.compute, listing.variant
        price = wanted.max_price_per_gpu_hour
        cilium = self.network is not None and self.network.supports_cilium
        return (
            wanted.gpu_type.casefold() in (variant.family.casefold(), variant.name)
            and wanted.gpu_count == listing.count
            and wanted.contract_type in (None, listing.contract)
            and self.region in (None, listing.region.group)
            and (self.vendor is None or self.vendor.casefold() == listing.vendor.name)
            and (price is None or listing.per_gpu <= price)
            and (not cilium or listing.vendor.cilium)
        )


class ProcureRequest(_Body):
    """The body of procure_offer."""

    offer_id: Uuid
    ssh_public_key: Annotated[str, Field(min_length=1, pattern=_SSH_KEY)]
    cloud_init: OptionalField[Annotated[str, Field(max_length=65536, pattern="^(#cloud-config|#!/)")]] = None
    resource_name: OptionalField[str] = None
    cluster_name: OptionalField[str] = None


class _ExactLoader(yaml.SafeLoader):
    """A safe YAML loader that reads fractions as Decimals, because prices must be exact."""


def _construct_decimal(loader: yaml.SafeLoader, node: yaml.Node) -> Decimal:
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - only scalars get this tag
    text = loader.construct_scalar(node).replace("_", "").lower().removeprefix("+")
    special = {".inf": "Infinity", "-.inf": "-Infinity", ".nan": "NaN"}
    if ":" in text:
        raise yaml.constructor.ConstructorError(None, None, "base 60 is not a price", node.start_mark)
    return Decimal(special.get(text, text))


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _construct_decimal)


def read_offer_query(content_type: str, raw: bytes) -> OfferQuery:
    """Parse the body of get_offers. Raise Invalid if it isn't YAML, or isn't a valid query."""
    if content_type != "application/yaml":
        raise invalid(("header", "content-type"), "The body is application/yaml", "content_type")
    try:
        value = yaml.load(raw, Loader=_ExactLoader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as wrong:
        raise invalid(("body",), f"The body is no YAML: {type(wrong).__name__}", "yaml_invalid") from None
    return _validated(OfferQuery, value)


def read_procure_request(content_type: str, raw: bytes) -> ProcureRequest:
    """Parse the body of procure_offer. Raise Invalid if it isn't JSON, or isn't a valid request."""
    if content_type != "application/json":
        raise invalid(("header", "content-type"), "The body is application/json", "content_type")
    try:
        return ProcureRequest.model_validate_json(raw)
    except ValidationError as wrong:
        raise _as_invalid(wrong) from None


Body = TypeVar("Body", bound=_Body)


def _validated(model: type[Body], value: Any) -> Body:
    try:
        return model.model_validate(value)
    except ValidationError as wrong:
        raise _as_invalid(wrong) from None


def _as_invalid(wrong: ValidationError) -> Invalid:
    return Invalid(
        [
            {"loc": ["body", *error["loc"]], "msg": error["msg"], "type": error["type"]}
            for error in wrong.errors(include_url=False, include_context=False, include_input=False)
        ]
    )


def read_uuid(where: str, name: str, text: str) -> str:
    """Return an id from the path or the query in lower case. Raise Invalid if it isn't a UUID."""
    if not _UUID.fullmatch(text):
        raise invalid((where, name), "Input should be a valid UUID", "uuid_parsing")
    return text.lower()


def read_boolean(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean query parameter, False if it is absent. Raise Invalid if it is neither true nor false."""
    given = query.get(name, "false").lower()
    if given not in ("true", "false"):
        raise invalid(("query", name), "Input should be true or false", "bool_parsing")
    return given == "true"


def check_known(query: Iterable[str], *known: str) -> None:
    """Refuse unknown query parameters, such as misspelt ones, and parameters that occur twice. Raises Invalid."""
    seen: set[str] = set()
    for name in query:
        if name not in known:
            raise invalid(("query", name), "No such parameter", "extra_forbidden")
        if name in seen:
            raise invalid(("query", name), "Given twice", "repeated")
        seen.add(name)
