"""Writes the YAML body of get_offers."""

from __future__ import annotations

from decimal import Decimal

import yaml

from bot.model.request import OfferQuery


def body_of(query: OfferQuery) -> bytes:
    """Return the body for a query. Prices are written as the exact numbers that they are."""
    compute: dict[str, object] = {
        "gpu_type": query.gpu,
        "gpu_count": query.count,
        "contract_type": query.contract.value,
    }
    if query.max_gpu_rate is not None:
        compute["max_price_per_gpu_hour"] = query.max_gpu_rate
    body: dict[str, object] = {"compute": compute}
    if query.region is not None:
        body["region"] = query.region
    if query.vendor is not None:
        body["vendor"] = query.vendor
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False).encode()


class _Dumper(yaml.SafeDumper):
    """A SafeDumper that also writes Decimals, as plain numbers."""


def _plain_number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    digits = format(value, "f")
    kind = "float" if "." in digits else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)


_Dumper.add_representer(Decimal, _plain_number)
