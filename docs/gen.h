/* SPDX-License-Identifier: MIT */
/* gen.h: what the two halves of gen_states share. */
#ifndef UVSMTP_DOCS_GEN_H
#define UVSMTP_DOCS_GEN_H

#include "core/table.h"

/* Walks over all states by number, then inputs. */
static inline int gen_named(int state) {
  return uvsmtp__states[state].name[0] != '\0';
}

static inline int gen_never(int state, int input) {
  return (uvsmtp__rows[state][input].effects & FX_NEVER) != 0;
}

/* What people call a state: the text of UVSMTP_STATE_MAP. */
const char* gen_state_text(int state);

/* The codes that are this input to a command, such as "250 251" or "4yz"; empty
 * for inputs that are no reply. */
const char* gen_codes(int state, int input, char* buf, unsigned int size);

void gen_markdown(void);
void gen_dot(void);

#endif
