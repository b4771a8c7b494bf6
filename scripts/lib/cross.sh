# SPDX-License-Identifier: MIT
# Sourced by .ci/run after setup.sh: gets what it takes to build for another kind of machine, and
# to run that here by qemu.
#
#   canary_cross MACHINE DIR    aarch64 or s390x. Puts the libraries of such a machine below
#                               DIR/root and writes DIR/cross.ini, which Meson takes as its cross
#                               file. Returns 77, its last line saying why, where it cannot.
#
# The compilers and qemu are packages of this machine. The libraries come from packages of the
# other architecture, which are unpacked and not installed, by lists of packages in DIR: so dpkg
# never hears of that architecture, and the machine's own lists and packages stay as they were.

canary__cross_packages=(libc6 libgcc-s1 libsodium23 libsodium-dev libsqlite3-0 libsqlite3-dev
    libcmocka0 libcmocka-dev)

# canary__cross_apt ARCHITECTURE DIR: where that architecture's packages are looked up.
canary__cross_apt() {
    cat <<END
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$2/state";
Dir::State::status "$2/status";
Dir::Cache "$2/cache";
END
}

# canary__cross_root ARCHITECTURE DIR: those packages, unpacked below DIR/root.
canary__cross_root() (
    local architecture=$1 dir=$2 package
    rm -rf "$dir"
    mkdir -p "$dir/root" "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/packages" &&
        : >"$dir/status" && canary__cross_apt "$architecture" "$dir" >"$dir/apt.conf" || return 1
    export APT_CONFIG=$dir/apt.conf
    cd "$dir/packages" || return 1
    # A source without this architecture makes the update fail, and is not the one that matters.
    apt-get -q update </dev/null
    apt-get -q download "${canary__cross_packages[@]}" </dev/null || return 1
    for package in *.deb; do
        dpkg -x "$package" "$dir/root" || return 1
    done
    rm -rf "$dir/state" "$dir/cache" "$dir/packages"
    : >"$dir/complete"
)

# canary__cross_ini MACHINE TRIPLET ENDIAN ROOT
canary__cross_ini() {
    cat <<END
[binaries]
c = '$2-gcc'
ar = '$2-gcc-ar'
strip = '$2-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-$1', '-L', '$4', '-cpu', 'max']

[properties]
needs_exe_wrapper = true
sys_root = '$4'
pkg_config_libdir = '$4/usr/lib/$2/pkgconfig'

[host_machine]
system = 'linux'
cpu_family = '$1'
cpu = '$1'
endian = '$3'
END
}

canary_cross() {
    local machine=$1 dir=$2 architecture endian
    case $machine in
    aarch64) architecture=arm64 endian=little ;;
    s390x) architecture=s390x endian=big ;;
    *)
        echo "libcanary is not built for $machine here"
        return 77
        ;;
    esac
    if ! canary_setup build test "cross_$machine"; then
        echo "the compiler for $machine or qemu cannot be installed"
        return 77
    fi
    mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || return 1
    if [ ! -e "$dir/complete" ] && ! canary__cross_root "$architecture" "$dir"; then
        echo "the libraries for $machine cannot be had from this machine's package sources"
        return 77
    fi
    canary__cross_ini "$machine" "$machine-linux-gnu" "$endian" "$dir/root" >"$dir/cross.ini"
}
