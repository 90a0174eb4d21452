/* SPDX-License-Identifier: MIT */
/* gen_dot.c: the machine as a drawing for graphviz. Places are boxes; a command
 * is an edge from a place in which it may start to the one that its reply leads
 * to. What can be sent from everywhere stands in a note instead of in a dozen
 * edges, and the losses, which all lead to CLOSED, are one edge. */
#include <stdio.h>
#include <string.h>

#include "gen.h"

enum { LINE = 160, LABEL_MAX = 1024, EDGES = 64 };
enum { GOOD, REFUSED };

typedef struct edge_s {
  int from;
  int to;
  int style;
  char label[LABEL_MAX];
} edge_t;

typedef struct drawing_s {
  edge_t edges[EDGES];
  int count;
} drawing_t;

/* The place from which nearly all is drawn: a session. */
static uint32_t in_session(void) { return uvsmtp__states[S_NOOP].starts; }

static int is_everywhere(int command) {
  return uvsmtp__states[command].starts == in_session();
}

static int resolve(int next, int from) {
  if (next == S_SAME) return from;
  if (next == S_HOME) return from == S_GREETED ? S_GREETED : S_READY;
  return next;
}

/* Adds a line to the edge between two places, which it makes if needed. */
static void draw(drawing_t* d, int from, int to, int style, const char* line) {
  edge_t* e = NULL;
  size_t used;
  int k;
  for (k = 0; k < d->count; k++)
    if (d->edges[k].from == from && d->edges[k].to == to &&
        d->edges[k].style == style)
      e = &d->edges[k];
  if (e == NULL) {
    if (d->count == EDGES) return;
    e = &d->edges[d->count++];
    e->from = from;
    e->to = to;
    e->style = style;
    e->label[0] = '\0';
  }
  used = strlen(e->label);
  snprintf(e->label + used, sizeof(e->label) - used, " %s \\l", line);
}

/* Appends the codes of an input, or its name when it is no reply. */
static void append(char* line, int state, int input) {
  char codes[64];
  size_t used = strlen(line);
  const char* text = gen_codes(state, input, codes, sizeof(codes));
  if (text[0] == '\0') text = uvsmtp__input_names[input];
  snprintf(line + used, LINE - used, "%s%s",
           strchr(line, ':') == NULL ? ": " : ", ", text);
}

/* What a refusal of a command in flight does. One that leads where the reply
 * hoped for leads joins its line; one that changes no place is not drawn. */
static void refusals(drawing_t* d, int from, const char* name, int state,
                     int good, char* line) {
  static const int inputs[] = {I_NOVERB, I_TEMP, I_PERM, I_GO_STALE};
  size_t k;
  for (k = 0; k < sizeof(inputs) / sizeof(inputs[0]); k++) {
    char other[LINE];
    int input = inputs[k];
    int next;
    if (gen_never(state, input)) continue;
    next = resolve(uvsmtp__rows[state][input].next, from);
    if (next == good) {
      append(line, state, input);
    } else if (next != from) {
      snprintf(other, sizeof(other), "%s", name);
      append(other, state, input);
      if (input == I_TEMP &&
          uvsmtp__rows[state][I_PERM].next == uvsmtp__rows[state][input].next)
        append(other, state, inputs[++k]);
      if (input == I_GO_STALE)
        snprintf(other + strlen(other), sizeof(other) - strlen(other), ", %s",
                 "no dot may follow");
      draw(d, from, next, REFUSED, other);
    }
  }
}

/* The reply hoped for, by whatever name. */
static int hoped_for(int state) {
  if (!gen_never(state, I_OK)) return I_OK;
  return !gen_never(state, I_GO) ? I_GO : I_UP;
}

/* What a mechanism at work turns into: a line for each, with the reply that is
 * hoped for, unless there is none. */
static void exchange(drawing_t* d, int c, int from) {
  static const int inputs[] = {I_MECH_BEGIN, I_MECH_SEND, I_MECH_FAIL};
  size_t k;
  for (k = 0; k < sizeof(inputs) / sizeof(inputs[0]); k++) {
    int to = uvsmtp__rows[c][inputs[k]].next;
    int input = gen_never(to, I_OK) ? I_PERM : I_OK;
    char line[LINE];
    snprintf(line, sizeof(line), "%s → %s", uvsmtp_state_name(c),
             uvsmtp_state_name(to));
    append(line, to, input);
    if (!gen_never(to, I_CHALLENGE)) {
      char codes[64];
      size_t used = strlen(line);
      snprintf(line + used, sizeof(line) - used, "; %s → %s",
               gen_codes(to, I_CHALLENGE, codes, sizeof(codes)),
               uvsmtp_state_name(uvsmtp__rows[to][I_CHALLENGE].next));
    }
    draw(d, from, resolve(uvsmtp__rows[to][input].next, from), GOOD, line);
  }
}

/* A command from one place. */
static void command(drawing_t* d, int c, int from) {
  char name[64];
  char line[LINE];
  int last = c;
  int input;
  int good;
  if (!gen_never(c, I_MECH_BEGIN)) {
    exchange(d, c, from);
    return;
  }
  snprintf(name, sizeof(name), "%s", uvsmtp_state_name(c));
  if (!gen_never(c, I_SENT)) {
    last = uvsmtp__rows[c][I_SENT].next;
    refusals(d, from, name, c, -1, NULL);
    snprintf(name, sizeof(name), "%s → %s", uvsmtp_state_name(c),
             uvsmtp_state_name(last));
  }
  input = hoped_for(last);
  good = resolve(uvsmtp__rows[last][input].next, from);
  snprintf(line, sizeof(line), "%s", name);
  append(line, last, input);
  refusals(d, from, name, last, good, line);
  draw(d, from, good, GOOD, line);
}

/* ------------------------------------------------------------ printing */

static const char* const styles[] = {
    "color=\"#1f4e79\", fontcolor=\"#12324f\"",
    "color=\"#b26a00\", fontcolor=\"#8a5200\", style=dashed"};

static void place(int state) {
  printf("%*s%s [label=<<b>%s</b><br/><font point-size=\"10\">%s</font>>%s];\n",
         ((in_session() >> state) & 1u) ? 4 : 2, "", uvsmtp_state_name(state),
         uvsmtp_state_name(state), gen_state_text(state),
         state == S_CLOSED || state == S_CONNECT ? ", peripheries=2" : "");
}

/* Is it one of those that the note and the endings show? */
static int is_noted(int s) {
  return gen_named(s) && uvsmtp__states[s].starts != 0 && is_everywhere(s);
}

/* What may be sent everywhere in session. */
static void note(void) {
  int s;
  printf(
      "    note [shape=note, style=filled, fillcolor=\"#fffbe6\", "
      "fontsize=10,\n      color=\"#b8a965\", label=\"from each of these "
      "four:\\l");
  for (s = 0; s < S_COUNT; s++) {
    char line[LINE];
    const uvsmtp__row_t* r = &uvsmtp__rows[s][I_OK];
    if (!is_noted(s) || (r->effects & FX_CLOSES)) continue;
    snprintf(line, sizeof(line), "%s", uvsmtp_state_name(s));
    append(line, s, I_OK);
    printf("  %s → %s\\l", line,
           r->next == S_SAME   ? "where it was"
           : r->next == S_HOME ? "READY, before a hello GREETED"
                               : uvsmtp_state_name(r->next));
  }
  printf(
      "a refusal that is not drawn\\lleaves the session where it is\\l\"];\n");
}

static void nodes(void) {
  int s;
  for (s = 0; s < S_COUNT; s++)
    if (uvsmtp__states[s].kind == KIND_REST && !((in_session() >> s) & 1u))
      place(s);
  printf(
      "  subgraph cluster_session {\n"
      "    label=\"in session\"; labeljust=l; fontsize=12;\n"
      "    style=\"rounded,filled\"; fillcolor=\"#f4f7fb\"; "
      "color=\"#9fb3c8\";\n");
  for (s = 0; s < 32; s++)
    if ((in_session() >> s) & 1u) place(s);
  note();
  printf("  }\n");
}

/* Neighbouring places have neighbouring numbers: that is the way down. */
static void edge(const edge_t* e) {
  printf("  %s -> %s [%s,%s\n    label=\"%s\"];\n", uvsmtp_state_name(e->from),
         uvsmtp_state_name(e->to), styles[e->style],
         e->to == e->from + 1 ? " weight=8," : "", e->label);
}

/* What ends a session from within, whatever the place. */
static void endings(void) {
  int s;
  for (s = 0; s < S_COUNT; s++) {
    char line[LINE];
    int style;
    if (!is_noted(s)) continue;
    snprintf(line, sizeof(line), "%s", uvsmtp_state_name(s));
    if (uvsmtp__rows[s][I_OK].effects & FX_CLOSES) {
      style = GOOD;
      append(line, s, I_OK);
    } else if (uvsmtp__rows[s][I_TEMP].effects & FX_CLOSES) {
      style = REFUSED;
      append(line, s, I_TEMP);
      append(line, s, I_PERM);
    } else {
      continue;
    }
    printf(
        "  CHUNKING -> CLOSED [ltail=cluster_session, %s,\n"
        "    label=\" %s \\l\"];\n",
        styles[style], line);
  }
}

static void losses(void) {
  static const int inputs[] = {I_GONE,    I_EOF,    I_BAD,
                               I_TIMEOUT, I_CANCEL, I_OOM};
  size_t k;
  printf(
      "  anywhere [shape=note, style=filled, fillcolor=\"#fdf1f1\", "
      "fontsize=10,\n    color=\"#d8a0a0\", label=\"from every state:\\l");
  for (k = 0; k < sizeof(inputs) / sizeof(inputs[0]); k++)
    printf("  %s: %s\\l", uvsmtp__input_names[inputs[k]],
           uvsmtp__input_texts[inputs[k]]);
  printf(
      "\"];\n"
      "  anywhere -> CLOSED [color=\"#a02020\", style=dotted];\n");
}

void gen_dot(void) {
  drawing_t d;
  int s;
  int from;
  int k;
  d.count = 0;
  for (s = 0; s < S_COUNT; s++) {
    if (!gen_named(s) || uvsmtp__states[s].starts == 0) continue;
    for (from = 0; from < 32; from++) {
      if (!((uvsmtp__states[s].starts >> from) & 1u)) continue;
      /* Of what can be sent everywhere only the first hello is drawn. */
      if (is_everywhere(s) &&
          (from != S_GREETED || uvsmtp__rows[s][I_OK].next != S_READY))
        continue;
      command(&d, s, from);
    }
  }
  printf(
      "// SPDX-License-"
      "Identifier: MIT\n"
      "// Generated by docs/gen_states.c from lib/core/*.def: do not edit.\n"
      "digraph states {\n"
      "  graph [fontname=\"Helvetica\", compound=true, nodesep=0.5, "
      "ranksep=0.6,\n    pad=0.2, bgcolor=white];\n"
      "  node [fontname=\"Helvetica\", fontsize=13, shape=box, "
      "style=\"rounded,filled\",\n    fillcolor=white, color=\"#334e68\", "
      "margin=\"0.2,0.1\"];\n"
      "  edge [fontname=\"Helvetica\", fontsize=10, arrowsize=0.8];\n");
  nodes();
  for (k = 0; k < d.count; k++) edge(&d.edges[k]);
  endings();
  losses();
  printf("}\n");
}
