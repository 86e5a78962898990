"""The doctor's findings about Compute Clear."""

from __future__ import annotations

from tests.doctor.conftest import Installation


async def test_a_refused_token_is_not_ok_and_skips_dependent_checks(installation: Installation) -> None:
    await installation.market("token", valid=False)
    findings = await installation.examine()
    assert [f.line() for f in findings if f.mark == "not ok"] == [
        "not ok  Compute Clear token: refused. "
        "Copy it again from your Compute Clear account into COMPUTE_CLEAR_TOKEN."
    ]
    assert [f.what for f in findings if f.mark == "left"] == ["Compute Clear catalogue", "Compute Clear resources"]


async def test_the_sizes_of_the_catalogue_and_the_account_are_shown(installation: Installation) -> None:
    await installation.market("resources", name="train-3", gpu_type="H100", rate="2.10")
    lines = [f.line() for f in await installation.examine()]
    assert "ok      Compute Clear token: taken." in lines
    assert any(
        line.startswith("ok      Compute Clear catalogue: 7 GPU families, 10 vendors, in ") for line in lines
    )
    assert any(line.startswith("ok      Compute Clear resources: 1 on the account, in ") for line in lines)


async def test_an_address_that_leads_to_another_server_is_not_ok(installation: Installation) -> None:
    installation.set(COMPUTE_CLEAR_URL=installation.slack.url)
    assert await installation.not_ok() == [
        "not ok  Compute Clear catalogue: Compute Clear refused the request (404). "
        "Check COMPUTE_CLEAR_URL, which leads to 127.0.0.1; else try again later.",
        "not ok  Compute Clear resources: Compute Clear refused the request (404). "
        "Check COMPUTE_CLEAR_URL, which leads to 127.0.0.1; else try again later.",
    ]


async def test_an_address_without_a_server_is_not_ok(installation: Installation) -> None:
    await installation.compute.stop()
    catalogue, resources = await installation.not_ok()
    assert "Compute Clear catalogue: Compute Clear can't be reached. Check COMPUTE_CLEAR_URL" in catalogue
    assert "Compute Clear resources: Compute Clear can't be reached. Check COMPUTE_CLEAR_URL" in resources


async def test_a_failing_endpoint_does_not_affect_the_other(installation: Installation) -> None:
    await installation.market("faults", endpoint="list_resources", kind="garbage")
    (line,) = await installation.not_ok()
    assert line.startswith("not ok  Compute Clear resources: I can't read Compute Clear's answer.")


async def test_a_gpu_in_the_policy_that_nobody_sells_is_a_hint(installation: Installation) -> None:
    installation.policy("approval: {always: {models: [h200, H1000]}}\n")
    found = await installation.examine()
    assert [f.line() for f in found if f.what == "approval.always"] == [
        "hint    approval.always: Compute Clear sells no H1000, so the rule never applies to it. "
        "If that is a mistake, correct it in the policy. Similar names: H100, H200 and A100."
    ]
