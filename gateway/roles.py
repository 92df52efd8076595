"""Who may call what, in words and as a table."""

from collections.abc import Iterator, Sequence

from dashtrack.options.v1 import options_pb2

from gateway.contract import Rpc

_REACH = {
    options_pb2.REACH_UNSPECIFIED: "",
    options_pb2.REACH_SELF: "self",
    options_pb2.REACH_COMPANY: "company",
}
_ROLES = tuple(role for role in options_pb2.Role.values() if role)

_HEADING = """\
# Who may call what

Generated from the access options of the contract by `python -m gateway permissions`; a test keeps
it current. *own* means the caller's own session or profile, *company* the caller's own company,
*all* every company. What is out of reach answers as if it didn't exist. An API key calls what its
role may, with the scope in the last column; what has none there is for people.

"""


def role_names(rpc: Rpc) -> list[str]:
    """Return the roles that may call an RPC."""
    return [_name(role) for role in rpc.access.roles]


def reach_of(rpc: Rpc) -> str:
    """Return whose data a person may touch through an RPC."""
    return _REACH[rpc.access.reach]


def audience_of(rpc: Rpc) -> str:
    """Say who may call an RPC."""
    if rpc.public:
        return "Open to everybody, without a token."
    if rpc.for_devices:
        return "Open to devices."
    names = ", ".join(f"`{name}`" for name in role_names(rpc))
    whose = "their own" if reach_of(rpc) == "self" else "their own company's; `master` every"
    sentence = f"Open to {names}: {whose}."
    if rpc.scope:
        sentence = f"{sentence} API keys of these roles need the scope `{rpc.scope}`."
    if not rpc.access.open_to:
        return sentence
    restrictions = map(options_pb2.Restriction.Name, rpc.access.open_to)
    listed = ", ".join(f"`{name}`" for name in restrictions)
    return f"{sentence} Open under {listed} too."


def permission_table(rpcs: Sequence[Rpc]) -> str:
    """Return the table as Markdown."""
    return _HEADING + "\n".join([*_lines(rpcs), "", *_restrictions(rpcs)]) + "\n"


def _restrictions(rpcs: Sequence[Rpc]) -> Iterator[str]:
    for restriction in options_pb2.Restriction.values():
        names = [f"`{rpc.name}`" for rpc in rpcs if restriction in rpc.access.open_to]
        if names:
            yield f"With a token under `{options_pb2.Restriction.Name(restriction)}`, a person"
            yield f"may call {', '.join(names)} alone."


def _lines(rpcs: Sequence[Rpc]) -> Iterator[str]:
    columns = ["everybody", *(_name(role) for role in _ROLES), "device", "API key"]
    yield f"| RPC | REST | {' | '.join(columns)} |"
    yield "|" + "---|" * (len(columns) + 2)
    for rpc in rpcs:
        rest = f"`{rpc.binding.verb} {rpc.binding.template}`" if rpc.binding else ""
        cells = ["yes" if rpc.public else "", *(_cell(rpc, role) for role in _ROLES)]
        cells.append("own" if rpc.for_devices else "")
        cells.append(f"`{rpc.scope}`" if rpc.scope else "")
        name = f"{rpc.service.removeprefix('dashtrack.')}/{rpc.name}"
        yield f"| `{name}` | {rest} | {' | '.join(cells)} |"


def _cell(rpc: Rpc, role: "options_pb2.Role.ValueType") -> str:
    if role not in rpc.access.roles:
        return ""
    if rpc.access.reach == options_pb2.REACH_SELF:
        return "own"
    return "all" if role == options_pb2.ROLE_MASTER else "company"


def _name(role: "options_pb2.Role.ValueType") -> str:
    return options_pb2.Role.Name(role).removeprefix("ROLE_").lower()
