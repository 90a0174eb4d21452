# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A second Mbed TLS. The library has to work with 2.28 of Debian 12, which does
# TLS 1.2, and with 3.6 of Debian 13, which does TLS 1.3 too. Sourced by ./dev,
# after test/server/fetch.sh.
#
# Of 3.6 the packages are only unpacked, below the directory here. What is built
# against it knows where it lies, and finds it there when it runs.

mbedtls=build-mbedtls

# Leaves there either mbedtls-3.6, or mbedtls-3.6.missing with the reason why it
# can't be had here. What is to be tested with it is then skipped, and
# ./dev test --ci forgives that.
fetch_mbedtls() {
  local cache=$mbedtls
  mkdir -p "$cache"
  fetch mbedtls-3.6 unpack_mbedtls trixie libmbedtls-dev libmbedtls21 \
    libmbedx509-7 libmbedcrypto16
}

has_mbedtls() {
  [ -d "$mbedtls/mbedtls-3.6" ]
}

# Whether what was built in a directory runs with it.
with_mbedtls() {
  ldd "$1/tool/uvsmtp" | grep "/$mbedtls/mbedtls-3.6/"
}

# Prints what meson has to be told to take 3.6 where it is there. That is an
# option, since meson does not look again at the environment of a directory that
# it has made.
mbedtls_option() {
  local path=${PKG_CONFIG_PATH-} ours
  ours=$(find "$PWD/$mbedtls/mbedtls-3.6" -name pkgconfig 2>/dev/null) || true
  path=$ours${ours:+${path:+:}}$path
  printf -- '-Dpkg_config_path=%s' "${path//:/,}"
}

# unpack_mbedtls SUITE PACKAGES...
unpack_mbedtls() {
  local package
  command -v apt-get >/dev/null || die 'there is no apt-get'
  [ ! -e "$into/unpacked" ] || return 0
  with_lists download_from "$@"
  for package in "$into"/*.deb; do dpkg-deb -x "$package" "$into"; done
  rm "$into"/*.deb
  # shellcheck disable=SC2016
  find "$into" -name '*.pc' -exec \
    sed -i 's|^prefix=.*|prefix=${pcfiledir}/../../..|' {} +
  touch "$into/unpacked"
}
