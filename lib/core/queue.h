/* SPDX-License-Identifier: MIT */
/* queue.h: an intrusive doubly linked list. The head is a link that belongs to
 * no element; inserting and removing allocate nothing and can't fail. */
#ifndef UVSMTP_CORE_QUEUE_H
#define UVSMTP_CORE_QUEUE_H

#include <stddef.h>

typedef struct uvsmtp__link_s {
  struct uvsmtp__link_s* next;
  struct uvsmtp__link_s* prev;
} uvsmtp__link_t;

/* The struct of the given type whose `member` is the link at ptr. */
#define UVSMTP__CONTAINER(ptr, type, member) \
  ((type*)(void*)((char*)(ptr)-offsetof(type, member)))

/* For a head, and for an element before its first insertion. */
static inline void uvsmtp__queue_init(uvsmtp__link_t* link) {
  link->next = link;
  link->prev = link;
}

/* Of a head: no elements. Of an element: in no list. */
static inline int uvsmtp__queue_empty(const uvsmtp__link_t* head) {
  return head->next == head;
}

static inline void uvsmtp__queue_insert_tail(uvsmtp__link_t* head,
                                             uvsmtp__link_t* link) {
  link->next = head;
  link->prev = head->prev;
  head->prev->next = link;
  head->prev = link;
}

/* The link is then in no list; removing it once more does nothing. */
static inline void uvsmtp__queue_remove(uvsmtp__link_t* link) {
  link->prev->next = link->next;
  link->next->prev = link->prev;
  uvsmtp__queue_init(link);
}

/* Moves all elements to another head, which need not be initialised: so that
 * what is added meanwhile waits for the next turn. */
static inline void uvsmtp__queue_move(uvsmtp__link_t* from,
                                      uvsmtp__link_t* to) {
  uvsmtp__queue_init(to);
  if (uvsmtp__queue_empty(from)) return;
  uvsmtp__queue_insert_tail(from, to);
  uvsmtp__queue_remove(from);
}

/* The oldest element's link, or NULL. */
static inline uvsmtp__link_t* uvsmtp__queue_first(const uvsmtp__link_t* head) {
  return uvsmtp__queue_empty(head) ? NULL : head->next;
}

#endif
