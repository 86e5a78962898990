"""Calls of the MCP tools, as a client makes them."""

from __future__ import annotations

from typing import Any

from mcp import Client
from mcp_types import CallToolResult, TextContent


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def call_tool(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool, and return its structured result."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, text_of(result)
    found: dict[str, Any] = result.structured_content
    return found


async def fails(client: Client, name: str, **arguments: Any) -> str:
    """Call a tool, and return the text of the error."""
    result = await client.call_tool(name, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)
