# SPDX-License-Identifier: MIT
# Sourced by scripts/test, scripts/demo and .ci/run: gets what a build needs, and builds.
#
#   canary_setup build [test] [ci] [clang_runtime] [cross_aarch64] [cross_s390x]
#                                        installs what is missing for these purposes
#   canary_build [--target T]... [OPT]...  configures and compiles $canary_build_dir
#
# Bash only; the caller has set -u, and gets a status other than 0 on failure, with the reason
# printed.

canary_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
canary_build_dir=${CANARY_BUILD_DIR:-$canary_top/build}

canary_say() {
    printf '==> %s\n' "$*"
}

canary__has_headers() {
    printf '#include <stdio.h>\n' | cc -E - >/dev/null 2>&1
}

canary__has_library() {
    command -v pkg-config >/dev/null && pkg-config --exists "$1"
}

canary__has_python_headers() {
    local folder
    folder=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["include"])' 2>/dev/null) &&
        [ -f "$folder/Python.h" ]
}

canary__compiles_for() {
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
        "$1-linux-gnu-gcc" -x c - -o /dev/null 2>/dev/null
}

canary__clang_sanitizes() {
    ! command -v clang >/dev/null ||
        printf 'int main(void) { return 0; }\n' |
        clang -fsanitize=thread -x c - -o /dev/null 2>/dev/null
}

# Prints the Debian package for every missing thing. What is there counts, wherever it came from:
# asking dpkg instead would install a second compiler beside one built by hand.
canary__missing() {
    local purpose
    for purpose in "$@"; do
        case $purpose in
        build)
            command -v cc >/dev/null || echo gcc
            canary__has_headers || echo libc6-dev
            command -v meson >/dev/null || echo meson
            command -v ninja >/dev/null || echo ninja-build
            command -v pkg-config >/dev/null || echo pkg-config
            canary__has_library libsodium || echo libsodium-dev
            canary__has_library sqlite3 || echo libsqlite3-dev
            canary__has_library jansson || echo libjansson-dev
            canary__has_library libcurl || echo libcurl4-openssl-dev
            ;;
        test)
            command -v c++ >/dev/null || echo g++
            command -v cmake >/dev/null || echo cmake
            command -v python3 >/dev/null || echo python3
            canary__has_python_headers || echo python3-dev
            python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
            canary__has_library cmocka || echo libcmocka-dev
            # SQLite asks for it when linked statically, and its own package does not bring it.
            canary__has_library zlib || echo zlib1g-dev
            ;;
        ci)
            command -v clang >/dev/null || echo clang
            command -v clang-tidy >/dev/null || echo clang-tidy
            command -v clang-format-14 >/dev/null || echo clang-format-14
            command -v llvm-symbolizer >/dev/null || echo llvm
            command -v valgrind >/dev/null || echo valgrind
            command -v abidiff >/dev/null || echo abigail-tools
            python3 -c 'import jsonschema' 2>/dev/null || echo python3-jsonschema
            ;;
        clang_runtime)
            # After clang itself, whose version is part of the package's name.
            canary__clang_sanitizes || echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
            ;;
        cross_aarch64)
            canary__compiles_for aarch64 ||
                printf '%s\n' gcc-aarch64-linux-gnu libc6-dev-arm64-cross
            command -v qemu-aarch64 >/dev/null || echo qemu-user
            ;;
        cross_s390x)
            canary__compiles_for s390x || printf '%s\n' gcc-s390x-linux-gnu libc6-dev-s390x-cross
            command -v qemu-s390x >/dev/null || echo qemu-user
            ;;
        esac
    done
}

canary__apt() {
    local -a as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Installing needs root, and there is no sudo here. As root: apt-get install $*" >&2
            return 1
        fi
        as_root=(sudo)
        # Without a terminal a question for the password could only hang.
        [ -t 0 ] || as_root+=(-n)
    fi
    "${as_root[@]}" apt-get -q update </dev/null || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "$@" </dev/null
}

canary_setup() {
    local -a packages
    mapfile -t packages < <(canary__missing "$@")
    if [ "${#packages[@]}" -eq 0 ]; then
        return 0
    fi
    if ! command -v apt-get >/dev/null; then
        echo "These Debian packages, or what your system calls them, are missing:" >&2
        echo "    ${packages[*]}" >&2
        echo "Install them and run this again." >&2
        return 1
    fi
    canary_say "installing ${packages[*]}"
    local log status
    log=$(mktemp)
    canary__apt "${packages[@]}" >"$log" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        tail -n 25 "$log" >&2
        echo "Could not install: ${packages[*]}" >&2
    fi
    rm -f "$log"
    return $status
}

# Options that are given change the directory's configuration; the rest of it stays as it was.
canary_build() {
    local -a targets=() options=()
    while [ $# -gt 0 ]; do
        case $1 in
        --target)
            targets+=("$2")
            shift
            ;;
        *) options+=("$1") ;;
        esac
        shift
    done
    local dir=$canary_build_dir log status
    log=$(mktemp)
    canary_say "configuring ${dir#"$canary_top"/}"
    if [ -f "$dir/build.ninja" ]; then
        # A directory that another Meson or a moved compiler made cannot be brought up to date.
        meson setup --reconfigure "${options[@]}" "$dir" "$canary_top" >"$log" 2>&1 ||
            meson setup --wipe "${options[@]}" "$dir" "$canary_top" >"$log" 2>&1
    else
        meson setup "${options[@]}" "$dir" "$canary_top" >"$log" 2>&1
    fi
    status=$?
    if [ $status -eq 0 ]; then
        canary_say "compiling"
        ninja -C "$dir" "${targets[@]}" >"$log" 2>&1
        status=$?
    fi
    [ $status -eq 0 ] || tail -n 60 "$log" >&2
    rm -f "$log"
    return $status
}
