/* SPDX-License-Identifier: MIT */
/* derive.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

void uvsmtp__derived_free(uvsmtp__sasl_t* sasl) { (void)sasl; }
