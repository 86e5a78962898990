"""Acts for people, moves the clock, sets faults, and reads what people see and what the account costs."""

from __future__ import annotations

from datetime import datetime

import aiohttp

from sandbox.client.answers import (
    Account,
    Addresses,
    BillLine,
    Button,
    ClockState,
    Json,
    MachineDetails,
    Modal,
    Outcome,
    Ping,
    SeenMessage,
    Sockets,
)
from sandbox.client.server import ControlError, Fault, Server


class SandboxClient:
    """All servers of one sandbox, and the people, the clock and the account in it."""

    def __init__(self, addresses: Addresses, session: aiohttp.ClientSession) -> None:
        self.addresses = addresses
        self.slack = Server(addresses.slack, session)
        self.compute = Server(addresses.compute, session)
        self.github = Server(addresses.github, session)

    # --- time

    async def clock(self) -> ClockState:
        """Return the sandbox's time and its revision."""
        return ClockState.model_validate(await self.compute.get("clock"))

    async def now(self) -> datetime:
        """Return the sandbox's time."""
        return (await self.clock()).now

    async def jump_to(self, moment: datetime) -> None:
        """Move the clock forward to `moment`; do nothing if that has passed."""
        try:
            await self.compute.post("clock", {"to": moment.isoformat()})
        except ControlError:
            if moment > await self.now():
                raise

    # --- what people do; each waits for the app's acknowledgement

    async def command(self, user: str, channel: str, text: str) -> Outcome:
        """Type `/gpu text` in a channel; `dm` is the direct message with the bot."""
        place: Json = {"dm": True} if channel == "dm" else {"channel": channel}
        body = {"user": user, "command": "/gpu", "text": text, **place}
        return Outcome.model_validate(await self.slack.post("command", body))

    async def click(
        self, user: str, message: SeenMessage, button: str | Button, *, as_read: bool = False
    ) -> Outcome:
        """Click a button, or the first one whose text begins with `button`.

        With `as_read`, click the message as it was when it was read, although it may have changed since.
        """
        target = message.button(button) if isinstance(button, str) else button
        body: Json = {"user": user, "channel": message.channel, "ts": message.ts}
        body |= {"action_id": target.action_id, "block_id": target.block_id}
        if as_read:
            body["seq"] = message.seq
        return Outcome.model_validate(await self.slack.post("click", body))

    async def submit(self, user: str, modal: Modal, values: Json | None = None) -> Outcome:
        """Fill in the modal (block id, action id, value) and submit it."""
        body = {"user": user, "view_id": modal.view_id, "values": values or {}}
        return Outcome.model_validate(await self.slack.post("submit", body))

    async def close(self, user: str, modal: Modal) -> None:
        """Close the modal."""
        await self.slack.post("close", {"user": user, "view_id": modal.view_id})

    # --- the app

    async def install(self, manifest: Json, *, reach: str) -> None:
        """Give the app this manifest. The host of its request URLs is at `reach`, such as http://127.0.0.1:8601.
        Raise ControlError if Slack would refuse it, also because the app doesn't answer there.
        """
        await self.slack.post("app", {"manifest": manifest, "reach": reach})

    # --- what people see

    async def see(
        self,
        user: str,
        after: int = 0,
        *,
        channel: str | None = None,
        versions: bool = False,
        wait: float | None = None,
    ) -> list[SeenMessage]:
        """Return the messages that changed for someone after the change with the number `after`, in that order.

        Each is returned once as it is now, or with `versions` in every state that it had. `wait` is how many real
        seconds to wait for the first message.
        """
        query = {"user": user, "after": after, "channel": channel, "wait": wait, "versions": int(versions)}
        answer = await self.slack.get("see", **query)
        return [SeenMessage.model_validate(message) for message in answer["messages"]]

    async def pings(self, user: str | None = None, after: int = 0) -> list[Ping]:
        """Return the notifications of messages after the change with the number `after`, of everyone or of one."""
        answer = await self.slack.get("pings", user=user, after=after)
        return [Ping.model_validate(ping) for ping in answer["pings"]]

    async def last_change(self, user: str) -> int:
        """Return the number of the newest change of any message."""
        return int((await self.slack.get("see", user=user, after=10**9))["last"])

    async def modal(self, user: str, *, wait: float = 0) -> Modal | None:
        """Return the modal that someone has open, if any; wait up to `wait` real seconds for one to open."""
        modal = (await self.slack.get("views", user=user, wait=wait))["modal"]
        return None if modal is None else Modal.model_validate(modal)

    async def open_modal(self, user: str) -> Modal:
        """Return the modal that opens for someone now. Raise LookupError if none opens within 5 real seconds."""
        modal = await self.modal(user, wait=5)
        if modal is None:
            raise LookupError(f"{user} has no modal open")
        return modal

    async def sockets(
        self, *, least: int | None = None, opened: int | None = None, wait: float | None = None
    ) -> Sockets:
        """Return the app's connections; wait until `least` are connected and `opened` were ever opened."""
        answer = await self.slack.get("sockets", least=least, opened=opened, wait=wait)
        return Sockets(tuple(socket["socket"] for socket in answer["sockets"]), int(answer["opened"]))

    # --- the market and the account

    async def vendor(self, name: str, behaviour: str, **fields: object) -> None:
        """Set how a vendor behaves from now on. `*` sets all vendors."""
        await self.compute.post(f"vendors/{name}", {"behaviour": behaviour, **fields})

    async def add_machine(self, name: str, gpu_type: str = "H100", rate: str = "2.10") -> str:
        """Add a running machine that was not procured through the API. Return its id."""
        body = {"name": name, "gpu_type": gpu_type, "rate": rate}
        return str((await self.compute.post("resources", body))["resource_id"])

    async def vanish(self, resource_id: str, how: str) -> None:
        """Let the vendor take a machine back: `deleted`, or `missing` as if it had never existed."""
        await self.compute.post(f"resources/{resource_id}/vanish", {"how": how})

    async def machine(
        self, resource_id: str, *, visits: int | None = None, wait: float | None = None
    ) -> MachineDetails:
        """Return one resource. Wait up to `wait` real seconds until its probe was visited `visits` times."""
        answer = await self.compute.get(f"resources/{resource_id}", visits=visits, wait=wait)
        return MachineDetails.model_validate(answer)

    async def use(self, resource_id: str, *phases: Json, **fields: object) -> MachineDetails:
        """Set how a machine is used from now on, as `{"all": 98, "for": 3600}, {"all": 0, "connections": 1}`.

        The last phase lasts without end. `fields` are the other fields of the call: repeat, setup, on_ending,
        hardware.
        """
        body: Json = {**({"phases": phases} if phases else {}), **fields}
        return MachineDetails.model_validate(await self.compute.post(f"resources/{resource_id}/use", body))

    async def change_host_keys(self, resource_id: str, *kinds: str) -> MachineDetails:
        """Give a machine a new SSH host key of each of these kinds; by default only `ssh-ed25519`."""
        body = {"kinds": kinds} if kinds else {}
        return MachineDetails.model_validate(await self.compute.post(f"resources/{resource_id}/host_keys", body))

    async def use_ssh_port(self, port: int) -> None:
        """Let the next machine that runs listen on this port. Raise ControlError if a machine listens there."""
        await self.compute.post("next_ssh_port", {"port": port})

    async def account(self) -> Account:
        """Return the offers that were bought, and every resource."""
        return Account.model_validate(await self.compute.get("account"))

    async def bill(self) -> list[BillLine]:
        """Return a line for each resource."""
        return [BillLine.model_validate(line) for line in (await self.compute.get("bill"))["lines"]]

    # --- GitHub

    async def github_keys(self, name: str, *lines: str, behaviour: str = "normal") -> None:
        """Let GitHub know a user with these keys, each a line of an authorized_keys file.

        `behaviour` is `normal`, `huge` (an answer over 64 KiB), `endless`, `redirects` or `garbage`.
        """
        await self.github.post(f"users/{name}", {"keys": lines, "behaviour": behaviour})

    # --- faults

    async def add_fault(self, endpoint: str, kind: str, **fields: object) -> Fault:
        """Put a fault in force at an endpoint of one server.

        The endpoint is a Slack method, `response_url`, `socket`, `webhook`, `user_keys` of GitHub, or an operation
        of Compute Clear.
        """
        return await self._server_of(endpoint).add_fault(endpoint, kind, **fields)

    def _server_of(self, endpoint: str) -> Server:
        if endpoint == "user_keys":
            return self.github
        return self.slack if "." in endpoint or endpoint in {"response_url", "socket", "webhook"} else self.compute

    async def remove_faults(self) -> None:
        """Remove every fault of all servers."""
        await self.github.remove_faults()
        await self.slack.remove_faults()
        await self.compute.remove_faults()
