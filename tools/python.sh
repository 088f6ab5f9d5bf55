#!/bin/sh
# Print the newest Python that can carry the lab, or say what to do where there is none.
# PYTHON=... names one to be used instead. The Python of a .venv in this folder is kept
# where none newer is found, so that a shell with another PATH does not rebuild it.
set -u
probe='
import sys
version = "%d.%d" % sys.version_info[:2]
fits = (3, 11) <= sys.version_info[:2] <= (3, 14) and sys.implementation.name == "cpython"
try:
    import ensurepip, venv
except ImportError:
    ensurepip = None
state = "no-venv" if fits and ensurepip is None else "ok" if fits else "unfit"
print(state, version, getattr(sys, "_base_executable", None) or sys.executable)
'
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3.14 python3.13 python3.12 python3.11 python3 python
fi
no_venv='' unfit='' minor=0
if [ -z "${PYTHON:-}" ] && found=$(.venv/bin/python -c "$probe" 2>/dev/null); then
    case $found in ok*) rest=${found#ok 3.}; minor=${rest%% *} kept=${rest#* } ;; esac
fi
for name in "$@"; do
    path=$(command -v "$name" 2>/dev/null) || continue
    found=$("$path" -c "$probe" 2>/dev/null) || continue
    rest=${found#* }
    case $found in
        ok*)
            version=${rest%% *}
            if [ "$minor" -ge "${version#3.}" ]; then break; fi
            printf '%s\n' "${rest#* }"
            exit 0 ;;
        no-venv*) no_venv=${no_venv:-$rest} ;;
        *) unfit=${unfit:-$rest} ;;
    esac
done
if [ "$minor" -gt 0 ]; then
    printf '%s\n' "$kept"
    exit 0
fi
if [ -n "$no_venv" ]; then
    version=${no_venv%% *}
    echo "Python $version (${no_venv#* }) cannot make virtual environments: ensurepip is missing." >&2
    echo "Run \`sudo apt install python$version-venv\`, or name another Python:" \
        "\`make lab PYTHON=/path/to/python3\`." >&2
elif [ -n "$unfit" ]; then
    echo "The lab needs Python 3.11 to 3.14, and this one is ${unfit%% *} (${unfit#* })." >&2
    echo "Install a newer one, or name it: \`make lab PYTHON=/path/to/python3.14\`." >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "PYTHON names $PYTHON, and that does not run." >&2
    echo "Correct it, or leave it out: \`make lab\` finds the newest Python itself." >&2
else
    echo "No Python was found, and the lab needs Python 3.11 to 3.14." >&2
    echo "Install one (Debian and Ubuntu: \`sudo apt install python3 python3-venv\`;" \
        "macOS: \`brew install python\`), or take the conda way in the README." >&2
fi
exit 1
