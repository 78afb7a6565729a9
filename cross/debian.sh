#!/usr/bin/env bash
# Debian's packages for the scripts beside this one, which read it: installed, or unpacked without being installed.

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt ARGUMENT...: waits for another that is at work
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >&2 </dev/null
}

# own_index: the newest list of the packages of this machine's own architecture, whatever the state of the others' lists:
# apt gives up a whole server's lists for one that is half updated there
own_index() {
    local configuration
    configuration=$(mktemp)
    printf '#clear APT::Architectures;\nAPT::Architectures { "%s"; };\n' "$(dpkg --print-architecture)" >"$configuration"
    apt -c "$configuration" -o APT::Get::List-Cleanup=false update || true
    rm "$configuration"
}

# install PACKAGE...: those that are missing
install() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} != 0 ] || return 0
    own_index
    apt install -y --no-install-recommends "${missing[@]}"
}

# architecture NAME: apt knows its packages from now on
architecture() {
    if ! { dpkg --print-architecture && dpkg --print-foreign-architectures; } | grep -qx "$1"; then
        as_root dpkg --add-architecture "$1"
        # An index that is half updated on its server fails the whole command; the package may be there all the same.
        apt update || true
    fi
}

# unpack FOLDER PACKAGE...: into the folder; what is of another architecture cannot run here, and what is of another
# version than the system's would push that out
unpack() {
    local into=$1 new package
    shift
    for package in "$@"; do
        case $package in *:*) architecture "${package##*:}" ;; esac
    done
    mkdir -p "$into"
    new=$(mktemp -d "$into/new.XXXXXX")
    # Without the sandbox: apt's own user may not write here.
    if ! (cd "$new" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2); then
        apt update || true
        (cd "$new" && apt-get -qq -o APT::Sandbox::User=root download "$@" >&2) || {
            rm -r "$new"
            echo "these packages are not to be had: $*" >&2
            return 1
        }
    fi
    for package in "$new"/*.deb; do dpkg -x "$package" "$into"; done
    rm -r "$new"
}
