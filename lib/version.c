/* SPDX-License-Identifier: MIT */
/* version.c: which library is this. */
#include "uvsmtp/version.h"

unsigned int uvsmtp_version(void) { return UVSMTP_VERSION_HEX; }

const char* uvsmtp_version_string(void) { return UVSMTP_VERSION_STRING; }
