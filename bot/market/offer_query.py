"""Writes the YAML body of get_offers."""

from __future__ import annotations

from decimal import Decimal

import yaml

from bot.model.request import Request


def query(request: Request) -> bytes:
    """Return the body for a request. Prices are written as the exact numbers that they are."""
    compute: dict[str, object] = {
        "gpu_type": request.gpu,
        "gpu_count": request.count,
        "contract_type": request.contract.value,
    }
    if request.max_gpu_rate is not None:
        compute["max_price_per_gpu_hour"] = request.max_gpu_rate
    body: dict[str, object] = {"compute": compute}
    if request.region is not None:
        body["region"] = request.region
    if request.vendor is not None:
        body["vendor"] = request.vendor
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False).encode()


class _Dumper(yaml.SafeDumper):
    """A SafeDumper that also writes Decimals, as plain numbers."""


def _plain_number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    digits = format(value, "f")
    kind = "float" if "." in digits else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)


_Dumper.add_representer(Decimal, _plain_number)
