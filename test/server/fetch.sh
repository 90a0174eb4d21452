# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The servers that the tests talk to; sourced by ./dev. Some are installed.
# Exim, OpenSMTPD and chasquid would each want to be the mail server of this
# machine, as Postfix does: as packages they are in each other's way, as
# programs they are not, so those are only unpacked.
#
# For each server there is, in the directory below, either what was fetched of
# it, or a file NAME.missing that says why it can't be had here. The tests skip
# such a server, and ./dev test --ci forgives that.

servers=build-servers

fetch_servers() {
  local cache=$servers
  mkdir -p "$cache"
  # Most often they all can be had: that is one run of apt-get.
  (packages dovecot-core dovecot-imapd dovecot-lmtpd dovecot-submissiond \
    postfix python3-aiosmtpd) || true
  attempt postfix installed postfix postfix
  attempt dovecot installed dovecot dovecot-core dovecot-imapd dovecot-lmtpd \
    dovecot-submissiond
  attempt aiosmtpd installed aiosmtpd python3-aiosmtpd
  fetch exim unpack exim4-daemon-light usr/sbin/exim4 Debian-exim
  fetch opensmtpd in_namespace unpack "$(opensmtpd)" usr/sbin/smtpd \
    opensmtpd opensmtpq
  fetch chasquid unpack chasquid usr/bin/chasquid
  fetch npm install_npm smtp-server@3.21.6
}

# Where there is no apt-get, whoever runs the tests has seen to the programs.
packages() {
  ! command -v apt-get >/dev/null || install_packages "$@"
}

# attempt NAME COMMAND...: gets something, or writes down in $cache why not.
attempt() {
  local name=$1 log=$cache/$1.log status
  shift
  rm -f "$cache/$name.missing"
  # Not as a condition, which would switch errexit off inside.
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1 </dev/null
  status=$?
  set -e
  [ "$status" -ne 0 ] || return 0
  # The first word of npm, the last of others.
  {
    grep -m 1 -E '^npm (error|ERR!)' "$log" ||
      grep -E '^(E|dev): ' "$log" | tail -n 1 | grep . ||
      printf '%s ended with %d\n' "$*" "$status"
  } >"$cache/$name.missing"
  printf 'dev: no %s: %s\n' "$name" "$(cat "$cache/$name.missing")" >&2
}

# fetch NAME COMMAND...: an attempt whose command fills the directory $into, and
# finds there what it fetched before.
fetch() {
  local into=$cache/$1
  if [ "$(cat "$into/command" 2>/dev/null)" != "${*:2}" ]; then
    say "fetching $1"
    rm -rf "$into"
    mkdir -p "$into"
    printf '%s\n' "${*:2}" >"$into/command"
  fi
  attempt "$@"
  [ ! -e "$into.missing" ] || rm -rf "$into"
}

# installed PROGRAM PACKAGES...: a server that is not in the way of others.
installed() {
  packages "${@:2}"
  PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || die "there is no $1"
}

# The name for unpack. In OpenSMTPD 6.8, which Debian 12 has, no handshake works
# with OpenSSL 3.
opensmtpd() {
  local release
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}") || true
  [ "$release" != bookworm ] || printf 'bookworm-backports/'
  printf 'opensmtpd'
}

# unpack [SUITE/]PACKAGE PROGRAM USERS...: a Debian package, with the libraries
# that it needs and the users that it would have made. SUITE is for one that is
# not of this machine's release.
unpack() {
  local package=${1##*/} program=$2 get=(download "${1##*/}") user libraries
  [ "$package" = "$1" ] || get=(download_from "${1%/*}" "$package")
  shift 2
  command -v apt-get >/dev/null || die 'there is no apt-get'
  if [ ! -e "$into/unpacked" ]; then
    with_lists "${get[@]}"
    dpkg-deb -x "$into/$package"_*.deb "$into"
    [ -x "$into/$program" ] || die "no $program in $package"
    touch "$into/unpacked"
  fi
  # What else it asks for is for a service of the machine.
  libraries=$(dpkg-deb -f "$into/$package"_*.deb Depends | tr ',' '\n' |
    sed -n 's/^ *\(lib[^ :(|]*\).*/\1/p')
  # shellcheck disable=SC2086
  install_packages $libraries
  for user; do
    id -u "$user" >/dev/null 2>&1 ||
      as_root useradd --system --user-group --no-create-home \
        --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  done
}

# in_namespace COMMAND...: unpacks what needs a mount namespace to run.
in_namespace() {
  as_root unshare --mount true || die 'there are no mount namespaces here'
  "$@"
}

# with_lists COMMAND...: a download, which may need newer lists of apt.
with_lists() {
  "$@" || {
    as_root apt-get update
    "$@"
  }
}

download() {
  (cd "$into" && apt-get download "$1")
}

# download_from SUITE PACKAGES...: of another Debian, from the mirror that this
# machine has its own from, and checked as that is. The lists of the suite are
# kept here, so that nothing else comes from it, now or later.
download_from() {
  local suite=$1 apt=$PWD/$into/apt mirror options
  shift
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    'Origin: Debian' 'Label: Debian' | sed -n 1p)
  [ -n "$mirror" ] || {
    printf 'dev: apt knows of no mirror of Debian here\n' >&2
    return 1
  }
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' \
    /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" "$suite" \
    >"$apt/list"
  # As root it would turn into a user who may not come here.
  options=(-o "Dir::Etc::SourceList=$apt/list" -o Dir::Etc::SourceParts=-
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o Acquire::Languages=none -o APT::Sandbox::User=root
    -o APT::Update::Error-Mode=any)
  apt-get "${options[@]}" update &&
    (cd "$into" && apt-get "${options[@]}" download "$@") &&
    rm -rf "$apt"
}

# install_npm PACKAGE: Debian's npm only where there is none, since it can't be
# installed beside a Node.js that comes from elsewhere.
install_npm() {
  command -v node >/dev/null || packages nodejs
  command -v npm >/dev/null || packages npm
  [ -d "$into/node_modules" ] ||
    npm install --prefix "$into" --no-audit --no-fund --ignore-scripts \
      --fetch-retries=1 "$1"
  # It may ask for a newer Node.js than the one that is here.
  node -e 'require(process.argv[1])' \
    "$PWD/$into/node_modules/${1%@*}"
}
