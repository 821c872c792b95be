"""Words for the shell to complete, and the script that makes bash ask for them."""

from __future__ import annotations

from collections.abc import Sequence

from pcnhost.ctl.client import Client
from pcnhost.ctl.views import VIEWS
from pcnhost.ctl.words import COMMANDS, names_apart

# A word that ends in `=` is to be continued and gets no blank after it. To bash, a colon starts a new word.
BASH = r"""_pcnctl() {
    local line="${COMP_LINE:0:COMP_POINT}" words
    read -r -a words <<<"$line"
    [[ "$line" == *" " ]] && words+=("")
    mapfile -t COMPREPLY < <(pcnctl --complete "${words[@]:1}" 2>/dev/null)
    local current="${words[-1]}"
    if [[ "$current" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *= ]]; then
        compopt -o nospace
    fi
}
complete -F _pcnctl pcnctl
"""

HINT_PADDING = " "
ABOUT_A_CUBE = (*VIEWS, "check")


def candidates(client: Client, words: Sequence[str]) -> list[str]:
    """What the last of the words (maybe empty) may become. Raises Unreachable."""
    *before, current = words or [""]
    if before[:1] and before[0] in ABOUT_A_CUBE:
        return _cubes(client, current) if len(before) == 1 else []
    before, names = names_apart(before)
    command = next((word for word in before if word in COMMANDS), "")
    path = [word for word in before if word not in COMMANDS and "=" not in word and not word.startswith("-")]
    path += names
    leaf, equals, value = current.partition("=")
    if path[:1] == ["disconnect"]:
        path = ["connect"]
    if path[:1] == ["connect"]:
        path = path[:1]
    if equals:
        path.append(leaf)
    reply = client.ask(path, f"help={command.upper() or 'NONE'}&completion")
    offered = reply.json() if reply.ok else None
    if not isinstance(offered, list):
        return []
    texts = [*map(str, offered), *([] if before else [*ABOUT_A_CUBE, "doctor"])]
    if len(texts) == 1 and texts[0].startswith("<"):
        # Two candidates make bash show them instead of typing them.
        return [] if value or current else [texts[0], HINT_PADDING]
    return sorted({word for word in texts if word.startswith(value if equals else current)})


def _cubes(client: Client, current: str) -> list[str]:
    listed = client.send("GET", ("cubes",)).json() or {}
    names = (str(cube["name"]) for all_ in listed.values() for cube in all_)
    return sorted(name for name in names if name.startswith(current))
