/* SPDX-License-Identifier: MIT */
/* env.c: what the sessions of one loop share: the read buffer, free lists, one
 * timer over all deadlines, and the fresh stack on which new work begins. */
#include <string.h>

#include "uv/uv_int.h"

/* ------------------------------------------------------------- allocation */

/* Block sizes are 32, 64, 96, 128 and then four to each doubling, so that at
 * most a fifth of a block of more than 128 octets goes unused. */
static unsigned int class_of(size_t size) {
  size_t units = (size + 31) / 32;
  unsigned int shift = 0;
  while (((units - 1) >> shift) >= 4) shift++;
  if (shift == 0) return (unsigned int)units - 1;
  return 4 * shift + (unsigned int)((units - 1) >> (shift - 1)) - 4;
}

static size_t class_size(unsigned int class) {
  if (class < 4) return 32u * ((size_t) class + 1);
  return (size_t)32 * (class % 4 + 5) << (class / 4 - 1);
}

/* How many blocks of a class to keep: few of the large ones. */
static unsigned int class_limit(unsigned int class) {
  size_t fit = 65536 / class_size(class);
  size_t most = UVSMTP__CACHE_BLOCKS;
  return (unsigned int)(fit < most ? fit : most);
}

/* The caller's allocator is one of the hooks: no call may come from it. */
static void* user_resize(uvsmtp_env_t* env, void* ptr, size_t old_size,
                         size_t new_size) {
  void* p;
  uvsmtp__enter(env);
  p = env->user.alloc(env->user.data, ptr, old_size, new_size);
  uvsmtp__leave(env);
  return p;
}

static void* take_block(uvsmtp_env_t* env, size_t size) {
  unsigned int class;
  uvsmtp__free_t* block;
  if (size > UVSMTP__CLASS_MAX) return user_resize(env, NULL, 0, size);
  class = class_of(size);
  block = env->blocks[class];
  if (block == NULL) return user_resize(env, NULL, 0, class_size(class));
  env->blocks[class] = block->next;
  env->counts[class]--;
  return block;
}

static void give_block(uvsmtp_env_t* env, void* ptr, size_t size) {
  unsigned int class;
  uvsmtp__free_t* block = ptr;
  if (size > UVSMTP__CLASS_MAX) {
    user_resize(env, ptr, size, 0);
    return;
  }
  class = class_of(size);
  if (env->counts[class] >= class_limit(class)) {
    user_resize(env, ptr, class_size(class), 0);
    return;
  }
  block->next = env->blocks[class];
  env->blocks[class] = block;
  env->counts[class]++;
}

/* The allocator of everything behind this environment: a busy session then
 * finds all its blocks on the free lists. */
static void* cached_alloc(void* data, void* ptr, size_t old_size,
                          size_t new_size) {
  uvsmtp_env_t* env = data;
  void* fresh;
  if (ptr == NULL) return new_size == 0 ? NULL : take_block(env, new_size);
  if (new_size == 0) {
    give_block(env, ptr, old_size);
    return NULL;
  }
  if (old_size > UVSMTP__CLASS_MAX && new_size > UVSMTP__CLASS_MAX) {
    return user_resize(env, ptr, old_size, new_size);
  }
  if (old_size <= UVSMTP__CLASS_MAX && new_size <= UVSMTP__CLASS_MAX &&
      class_of(old_size) == class_of(new_size)) {
    return ptr;
  }
  fresh = take_block(env, new_size);
  if (fresh == NULL) return NULL;
  memcpy(fresh, ptr, old_size < new_size ? old_size : new_size);
  give_block(env, ptr, old_size);
  return fresh;
}

static void give_all_back(uvsmtp_env_t* env) {
  unsigned int class;
  for (class = 0; class < UVSMTP__CLASSES; class ++) {
    while (env->blocks[class] != NULL) {
      uvsmtp__free_t* block = env->blocks[class];
      env->blocks[class] = block->next;
      user_resize(env, block, class_size(class), 0);
    }
  }
}

/* -------------------------------------------------------------- deadlines */

/* A binary heap by key. A session's key is its deadline or, to save work in the
 * common case that a deadline moves away, an earlier one: it is corrected when
 * the timer gets there. */

static void heap_put(uvsmtp_env_t* env, uint32_t slot, uvsmtp_session_t* s) {
  env->heap[slot] = s;
  s->slot = slot;
}

static void heap_up(uvsmtp_env_t* env, uvsmtp_session_t* s) {
  uint32_t slot = s->slot;
  while (slot > 0) {
    uint32_t parent = (slot - 1) / 2;
    if (env->heap[parent]->key <= s->key) break;
    heap_put(env, slot, env->heap[parent]);
    slot = parent;
  }
  heap_put(env, slot, s);
}

static void heap_down(uvsmtp_env_t* env, uvsmtp_session_t* s) {
  uint32_t slot = s->slot;
  for (;;) {
    uint32_t child = 2 * slot + 1;
    if (child >= env->heap_len) break;
    if (child + 1 < env->heap_len &&
        env->heap[child + 1]->key < env->heap[child]->key) {
      child++;
    }
    if (s->key <= env->heap[child]->key) break;
    heap_put(env, slot, env->heap[child]);
    slot = child;
  }
  heap_put(env, slot, s);
}

static void heap_remove(uvsmtp_env_t* env, uvsmtp_session_t* s) {
  uvsmtp_session_t* last = env->heap[--env->heap_len];
  if (last != s) {
    heap_put(env, s->slot, last);
    heap_up(env, last);
    heap_down(env, last);
  }
  s->slot = UVSMTP__NOWHERE;
}

int uvsmtp__heap_reserve(uvsmtp_env_t* env) {
  uint32_t cap = env->heap_cap;
  uvsmtp_session_t** heap;
  if (env->sessions < cap) return 0;
  if (cap > UINT32_MAX / 4) return UV_ENOMEM;
  cap = cap == 0 ? 8 : cap * 2;
  heap = uvsmtp__resize(&env->mem, env->heap, env->heap_cap * sizeof(*heap),
                        cap * sizeof(*heap));
  if (heap == NULL) return UV_ENOMEM;
  env->heap = heap;
  env->heap_cap = cap;
  return 0;
}

uint64_t uvsmtp__now(uvsmtp_env_t* env) {
  uv_update_time(env->loop);
  return uv_now(env->loop);
}

static void on_timer(uv_timer_t* timer);

/* The timer is started only when the first deadline came nearer; otherwise it
 * fires too early once and is then set right. */
static void arm(uvsmtp_env_t* env) {
  uint64_t now;
  uint64_t key;
  if (env->heap_len == 0) return;
  key = env->heap[0]->key;
  if (key >= env->armed) return;
  env->armed = key;
  now = uv_now(env->loop);
  uv_timer_start(&env->timer, on_timer, key > now ? key - now : 0, 0);
}

void uvsmtp__deadline(uvsmtp_session_t* s, uint64_t due) {
  uvsmtp_env_t* env = s->env;
  s->due = due;
  uvsmtp__queue_remove(&s->late);
  if (due == UVSMTP__NEVER) return;
  if (s->slot == UVSMTP__NOWHERE) {
    s->key = due;
    heap_put(env, env->heap_len++, s);
    heap_up(env, s);
  } else if (due < s->key) {
    s->key = due;
    heap_up(env, s);
  }
  arm(env);
}

static void on_kick(uv_idle_t* kick);
static void on_check(uv_check_t* check);

/* libuv runs timers before it polls: when the loop was held up, the reply may
 * lie in the socket while its deadline has passed. So a deadline counts only
 * when one more poll has found nothing; the idle handle keeps that poll from
 * waiting. */
static void on_timer(uv_timer_t* timer) {
  uvsmtp_env_t* env = timer->data;
  uint64_t now = uv_now(env->loop);
  env->armed = UVSMTP__NEVER;
  while (env->heap_len != 0 && env->heap[0]->key <= now) {
    uvsmtp_session_t* s = env->heap[0];
    if (s->due > now && s->due != UVSMTP__NEVER) {
      s->key = s->due;
      heap_down(env, s);
      continue;
    }
    heap_remove(env, s);
    if (s->due == UVSMTP__NEVER) continue;
    uvsmtp__queue_insert_tail(&env->late, &s->late);
    uv_idle_start(&env->kick, on_kick);
    uv_check_start(&env->check, on_check);
  }
  arm(env);
}

static void rest(uvsmtp_env_t* env) {
  if (uvsmtp__queue_empty(&env->late)) {
    uv_check_stop(&env->check);
    if (uvsmtp__queue_empty(&env->kicked)) uv_idle_stop(&env->kick);
  }
}

static void on_check(uv_check_t* check) {
  uvsmtp_env_t* env = check->data;
  uvsmtp__link_t list;
  uvsmtp__queue_move(&env->late, &list);
  while (!uvsmtp__queue_empty(&list)) {
    uvsmtp_session_t* s = UVSMTP__CONTAINER(list.next, uvsmtp_session_t, late);
    uvsmtp__queue_remove(&s->late);
    uvsmtp__expired(s);
  }
  rest(env);
}

static void on_kick(uv_idle_t* kick) {
  uvsmtp_env_t* env = kick->data;
  uvsmtp__link_t list;
  uvsmtp_session_t* spender = env->spender;
  env->spent = 0; /* whoever had to stop for it comes here */
  env->spender = NULL;
  /* Whoever made the others stop goes behind them: the first would have every
   * turn, until all of its work is done. */
  if (spender != NULL && !uvsmtp__queue_empty(&spender->kicked)) {
    uvsmtp__queue_remove(&spender->kicked);
    uvsmtp__queue_insert_tail(&env->kicked, &spender->kicked);
  }
  uvsmtp__queue_move(&env->kicked, &list);
  while (!uvsmtp__queue_empty(&list)) {
    uvsmtp_session_t* s =
        UVSMTP__CONTAINER(list.next, uvsmtp_session_t, kicked);
    uvsmtp__queue_remove(&s->kicked);
    uvsmtp__pump(s);
  }
  rest(env);
}

void uvsmtp__kick(uvsmtp_session_t* s) {
  if (!uvsmtp__queue_empty(&s->kicked)) return;
  uvsmtp__queue_insert_tail(&s->env->kicked, &s->kicked);
  uv_idle_start(&s->env->kick, on_kick);
}

int uvsmtp__can_spend(const uvsmtp_env_t* env) {
  return env->spent < UVSMTP__SPENT_MAX;
}

void uvsmtp__spend(uvsmtp_session_t* s, uint64_t since) {
  s->env->spent += uv_hrtime() - since;
  if (!uvsmtp__can_spend(s->env)) s->env->spender = s;
}

void uvsmtp__forget(uvsmtp_session_t* s) {
  if (s->env->spender == s) s->env->spender = NULL;
  uvsmtp__queue_remove(&s->kicked);
  uvsmtp__queue_remove(&s->late);
  if (s->slot != UVSMTP__NOWHERE) heap_remove(s->env, s);
}

/* ----------------------------------------------------------- public calls */

static int check_resolver(const uvsmtp_resolver_t* from) {
  uvsmtp_resolver_t resolver;
  if (uvsmtp__take(&resolver, sizeof(resolver), from,
                   UVSMTP__UP_TO(uvsmtp_resolver_t, data)) != 0) {
    return UV_EINVAL;
  }
  return resolver.resolve != NULL ? 0 : UV_EINVAL;
}

int uvsmtp_env_new(uvsmtp_env_t** out, uv_loop_t* loop,
                   const uvsmtp_env_config_t* config) {
  uvsmtp_env_config_t cfg = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp__mem_t user = {uvsmtp__default_alloc, NULL};
  uvsmtp_env_t* env;
  if (out == NULL || loop == NULL) return UV_EINVAL;
  if (config != NULL &&
      uvsmtp__take(&cfg, sizeof(cfg), config, sizeof(size_t)) != 0) {
    return UV_EINVAL;
  }
  if (uvsmtp__mem_set(&user, cfg.mem) != 0) return UV_EINVAL;
  if (cfg.resolver != NULL && check_resolver(cfg.resolver) != 0) {
    return UV_EINVAL;
  }
  env = uvsmtp__alloc(&user, sizeof(*env));
  if (env == NULL) return UV_ENOMEM;
  memset(env, 0, sizeof(*env));
  env->loop = loop;
  env->user = user;
  env->mem.alloc = cached_alloc;
  env->mem.data = env;
  env->armed = UVSMTP__NEVER;
  uvsmtp__queue_init(&env->kicked);
  uvsmtp__queue_init(&env->late);
  uvsmtp__queue_init(&env->naming);
  uvsmtp__resolver_init(&env->system);
  env->resolver = cfg.resolver != NULL ? cfg.resolver : &env->system;
  env->tls = cfg.tls;
  env->read_buffer = user_resize(env, NULL, 0, UVSMTP__READ_MAX);
  if (env->read_buffer == NULL) {
    uvsmtp__free(&user, env, sizeof(*env));
    return UV_ENOMEM;
  }
  if (env->tls != NULL) uvsmtp_tls_ref(env->tls);
  uv_timer_init(loop, &env->timer);
  uv_idle_init(loop, &env->kick);
  uv_check_init(loop, &env->check);
  env->timer.data = env;
  env->kick.data = env;
  env->check.data = env;
  /* Deadlines alone are no reason for the loop to live. */
  uv_unref((uv_handle_t*)&env->timer);
  uv_unref((uv_handle_t*)&env->check);
  *out = env;
  return 0;
}

int uvsmtp__plain_reserve(uvsmtp_env_t* env) {
  if (env->plain == NULL) {
    env->plain = user_resize(env, NULL, 0, UVSMTP__TLS_RECORD_MAX);
  }
  return env->plain == NULL ? UV_ENOMEM : 0;
}

void uvsmtp__env_done(uvsmtp_env_t* env) {
  uvsmtp__mem_t user = env->user;
  if (!env->closing || env->handles != 0 || env->orphans != 0) return;
  if (env->close_cb != NULL) env->close_cb(env, env->close_data);
  uvsmtp__free(&env->mem, env->heap, env->heap_cap * sizeof(env->heap[0]));
  give_all_back(env);
  user_resize(env, env->read_buffer, UVSMTP__READ_MAX, 0);
  if (env->plain != NULL) {
    user_resize(env, env->plain, UVSMTP__TLS_RECORD_MAX, 0);
  }
  uvsmtp_tls_unref(env->tls);
  uvsmtp__free(&user, env, sizeof(*env));
}

static void on_closed(uv_handle_t* handle) {
  uvsmtp_env_t* env = handle->data;
  env->handles--;
  uvsmtp__env_done(env);
}

int uvsmtp_env_close(uvsmtp_env_t* env, uvsmtp_env_cb cb, void* data) {
  if (env->busy != 0) return UV_EBUSY;
  if (env->closing) return UV_EALREADY;
  if (env->sessions != 0 || env->files != 0) return UV_EBUSY;
  env->closing = 1;
  env->close_cb = cb;
  env->close_data = data;
  env->handles = 3 + uvsmtp__name_stop(env);
  uv_close((uv_handle_t*)&env->timer, on_closed);
  uv_close((uv_handle_t*)&env->kick, on_closed);
  uv_close((uv_handle_t*)&env->check, on_closed);
  return 0;
}

uv_loop_t* uvsmtp_env_loop(const uvsmtp_env_t* env) { return env->loop; }
