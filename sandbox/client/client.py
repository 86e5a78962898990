"""The main client of a sandbox.

Acts for people, reads the messages that they see, moves the clock, adds faults, and reads the costs of the
account.
"""

from __future__ import annotations

from datetime import datetime

import aiohttp

from sandbox.client.answers import (
    Account,
    Addresses,
    BillLine,
    Button,
    ClockState,
    Job,
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
    """Controls all servers of a sandbox, and with them its people, its clock and its account."""

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
        """Move the clock forward to `moment`. Does nothing if this time has passed."""
        try:
            await self.compute.post("clock", {"to": moment.isoformat()})
        except ControlError:
            if moment > await self.now():
                raise

    # --- what people do in Slack. Each of these methods waits until the app has acknowledged the action

    async def command(self, user: str, channel: str, text: str) -> Outcome:
        """Type `/gpu TEXT` in a channel. The channel `dm` is the direct message with the bot."""
        place: Json = {"dm": True} if channel == "dm" else {"channel": channel}
        body = {"user": user, "command": "/gpu", "text": text, **place}
        return Outcome.model_validate(await self.slack.post("command", body))

    async def click(
        self, user: str, message: SeenMessage, button: str | Button, *, as_read: bool = False
    ) -> Outcome:
        """Click a button of a message, given as an object or by the beginning of its text.

        With `as_read`, the button is clicked in the state in which `message` was read, even if the message has
        changed since then.
        """
        target = message.button(button) if isinstance(button, str) else button
        body: Json = {"user": user, "channel": message.channel, "ts": message.ts}
        body |= {"action_id": target.action_id, "block_id": target.block_id}
        if as_read:
            body["seq"] = message.seq
        return Outcome.model_validate(await self.slack.post("click", body))

    async def submit(self, user: str, modal: Modal, values: Json | None = None) -> Outcome:
        """Fill in a modal and submit it. `values` maps block ids to action ids to values."""
        body = {"user": user, "view_id": modal.view_id, "values": values or {}}
        return Outcome.model_validate(await self.slack.post("submit", body))

    async def close(self, user: str, modal: Modal) -> None:
        """Close a modal."""
        await self.slack.post("close", {"user": user, "view_id": modal.view_id})

    # --- the app

    async def install(self, manifest: Json, *, reach: str) -> None:
        """Install a new manifest of the app.

        `reach` is the app's address on this machine, such as `http://127.0.0.1:8601`, which replaces the host of
        its request URLs. Raises ControlError if Slack would refuse the manifest, for example because the app
        doesn't respond at its request URL.
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
        """Return the messages of a person that changed after a given change, in order of change.

        Args:
            user: The person who reads. Only messages that they can see are returned.
            after: The number of the change after which the messages changed; 0 for all messages.
            channel: Restricts the result to one channel.
            versions: Whether to return each message in every state that it had, not only in its current one.
            wait: The maximum number of wall-clock seconds to wait for the first message.
        """
        query = {"user": user, "after": after, "channel": channel, "wait": wait, "versions": int(versions)}
        answer = await self.slack.get("see", **query)
        return [SeenMessage.model_validate(message) for message in answer["messages"]]

    async def pings(self, user: str | None = None, after: int = 0) -> list[Ping]:
        """Return the notifications about messages that came after a given change.

        These are the notifications of `user`, or of everyone if no user is given.
        """
        answer = await self.slack.get("pings", user=user, after=after)
        return [Ping.model_validate(ping) for ping in answer["pings"]]

    async def last_change(self, user: str) -> int:
        """Return the number of the latest change of any message, which `see` and `pings` accept as `after`."""
        return int((await self.slack.get("see", user=user, after=10**9))["last"])

    async def modal(self, user: str, *, wait: float = 0) -> Modal | None:
        """Return the modal that a person has open, or None. Wait up to `wait` wall-clock seconds for a modal."""
        modal = (await self.slack.get("views", user=user, wait=wait))["modal"]
        return None if modal is None else Modal.model_validate(modal)

    async def open_modal(self, user: str) -> Modal:
        """Wait until a person has a modal open, and return it. Raise LookupError after 5 wall-clock seconds."""
        modal = await self.modal(user, wait=5)
        if modal is None:
            raise LookupError(f"{user} has no modal open")
        return modal

    async def sockets(
        self, *, least: int | None = None, opened: int | None = None, wait: float | None = None
    ) -> Sockets:
        """Return the app's connections.

        First waits, at most `wait` wall-clock seconds, until at least `least` connections are open and at least
        `opened` have been opened in total.
        """
        answer = await self.slack.get("sockets", least=least, opened=opened, wait=wait)
        return Sockets(tuple(socket["socket"] for socket in answer["sockets"]), int(answer["opened"]))

    # --- the market and the account

    async def vendor(self, name: str, behaviour: str, **fields: object) -> None:
        """Change the behaviour of a vendor. The name `*` stands for all vendors."""
        await self.compute.post(f"vendors/{name}", {"behaviour": behaviour, **fields})

    async def add_machine(self, name: str, gpu_type: str = "H100", rate: str = "2.10") -> str:
        """Add a running machine that wasn't procured through the API. Return its id."""
        body = {"name": name, "gpu_type": gpu_type, "rate": rate}
        return str((await self.compute.post("resources", body))["resource_id"])

    async def vanish(self, resource_id: str, how: str) -> None:
        """Make the vendor reclaim a machine.

        `how` is `deleted`, or `missing` to make the API respond as if the machine had never existed.
        """
        await self.compute.post(f"resources/{resource_id}/vanish", {"how": how})

    async def machine(
        self, resource_id: str, *, visits: int | None = None, wait: float | None = None
    ) -> MachineDetails:
        """Return a resource.

        First waits, at most `wait` wall-clock seconds, until there have been `visits` logins with the probe's key.
        """
        answer = await self.compute.get(f"resources/{resource_id}", visits=visits, wait=wait)
        return MachineDetails.model_validate(answer)

    async def use(self, resource_id: str, *phases: Json, **fields: object) -> MachineDetails:
        """Set how busy a machine is from now on, as a sequence of phases.

        An example is `{"all": 98, "for": 3600}, {"all": 0, "connections": 1}`: all GPUs are at 98% for an hour,
        and then idle while one person is connected. The last phase has no end. `fields` are the other fields of
        the control call: repeat, setup, on_ending, hardware.
        """
        body: Json = {**({"phases": phases} if phases else {}), **fields}
        return MachineDetails.model_validate(await self.compute.post(f"resources/{resource_id}/use", body))

    async def start_job(self, resource_id: str, name: str, **fields: object) -> Job:
        """Start a job on a machine, as root.

        `fields` are the other fields of the control call: uid, all, gpus, progress, lasts, status. Raises
        ControlError if the startup script hasn't installed `gpubot-run`.
        """
        body = {"name": name, **fields}
        return Job.model_validate(await self.compute.post(f"resources/{resource_id}/jobs", body))

    async def say(self, resource_id: str, job: Job, text: str) -> Job:
        """Let a running job print a line of progress."""
        return await self._change_job(resource_id, job, {"say": text})

    async def end_job(self, resource_id: str, job: Job, status: int | None = 0) -> Job:
        """End a running job with an exit status.

        With None, the program `gpubot-run` that watches the job is killed as well, so nobody knows how the job
        ended.
        """
        return await self._change_job(resource_id, job, {"status": status})

    async def _change_job(self, resource_id: str, job: Job, body: Json) -> Job:
        return Job.model_validate(await self.compute.post(f"resources/{resource_id}/jobs/{job.id}", body))

    async def break_gpu(self, resource_id: str, gpu: int, **fields: object) -> MachineDetails:
        """Break a GPU, for example with `xid=79`.

        `fields` are those of the control call: xid, ecc, lost, hot, power, remap_failed.
        """
        return MachineDetails.model_validate(
            await self.compute.post(f"resources/{resource_id}/gpus/{gpu}", fields)
        )

    async def reboot(self, resource_id: str) -> MachineDetails:
        """Restart a machine, which ends its jobs without a trace."""
        return MachineDetails.model_validate(await self.compute.post(f"resources/{resource_id}/reboot", {}))

    async def change_host_keys(self, resource_id: str, *kinds: str) -> MachineDetails:
        """Replace a machine's SSH host keys with a new key of each of these kinds (default: `ssh-ed25519`)."""
        body = {"kinds": kinds} if kinds else {}
        return MachineDetails.model_validate(await self.compute.post(f"resources/{resource_id}/host_keys", body))

    async def use_ssh_port(self, port: int) -> None:
        """Make the SSH server of the next machine listen on this port.

        Raises ControlError if another machine already listens there.
        """
        await self.compute.post("next_ssh_port", {"port": port})

    async def account(self) -> Account:
        """Return the offers that were bought, and all resources."""
        return Account.model_validate(await self.compute.get("account"))

    async def bill(self) -> list[BillLine]:
        """Return the bill, with a line for each resource."""
        return [BillLine.model_validate(line) for line in (await self.compute.get("bill"))["lines"]]

    # --- GitHub

    async def github_keys(self, name: str, *lines: str, behaviour: str = "normal") -> None:
        """Add or replace a GitHub user. Each key is a line of an authorized_keys file.

        `behaviour` is `normal`, `huge` (a response of more than 64 KiB), `endless`, `redirects` or `garbage`.
        """
        await self.github.post(f"users/{name}", {"keys": lines, "behaviour": behaviour})

    # --- faults

    async def add_fault(self, endpoint: str, kind: str, **fields: object) -> Fault:
        """Add a fault to an endpoint.

        The endpoint is a Slack method, `response_url`, `socket`, `webhook`, `user_keys` of GitHub, or an operation
        of Compute Clear. Its name determines the server.
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
