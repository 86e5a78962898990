"""The command-line options of the workspace."""

import argparse
import math
import os
from pathlib import Path

import yaml

from sandbox.slack.app_config import AppConfig, from_manifest
from sandbox.slack.blocks import BLOCKS

LACKS = "SANDBOX_LACKS"
"""The environment variable that sets the default of `--lacks`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options `--manifest`, `--pace`, `--seed` and `--lacks` to a parser.

    The value of `--manifest` is an AppConfig or None, and that of `--lacks` a tuple of types of blocks.
    """
    parser.add_argument("--manifest", type=_app, help="install the app that this manifest (YAML) describes")
    parser.add_argument(
        "--pace", type=_pace, default=1.0, help="speed of Slack's rate limits; 0: none (default: 1)"
    )
    parser.add_argument("--seed", type=int, help="makes the choice of connections repeatable (default: chance)")
    parser.add_argument(
        "--lacks",
        type=_blocks,
        default=os.environ.get(LACKS, ""),
        metavar="TYPES",
        help=f"types of blocks that the workspace refuses, with commas (default: those in {LACKS}, or none)",
    )


def _blocks(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    unknown = [name for name in names if name not in BLOCKS]
    if unknown:
        raise argparse.ArgumentTypeError(f"not a type of block: {', '.join(unknown)}")
    return names


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = -1.0
    if not (math.isfinite(pace) and pace >= 0):
        raise argparse.ArgumentTypeError("a pace is a number, 0 or more")
    return pace


def _app(path: str) -> AppConfig:
    try:
        return from_manifest(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        reason = str(error.strerror)
    except yaml.MarkedYAMLError as error:
        reason = "no YAML" if error.problem_mark is None else f"no YAML, line {error.problem_mark.line + 1}"
    except (yaml.YAMLError, UnicodeDecodeError):
        reason = "no YAML"
    except ValueError as error:
        reason = str(error)
    raise argparse.ArgumentTypeError(f"{path}: {reason}")
