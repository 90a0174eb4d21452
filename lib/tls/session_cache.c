/* SPDX-License-Identifier: MIT */
/* session_cache.c: sessions that can be resumed, found by whom they were with.
 * They are Mbed TLS's own structs rather than octets: to read them from octets
 * would parse the server's certificate once more (it is parsed once anyway,
 * when Mbed TLS copies the session into the connection). */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "tls/tls_int.h"

enum { BUCKETS_MAX = 65536 };

uint64_t uvsmtp__tls_now(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (uint64_t)now.tv_sec;
}

/* FNV-1a. */
static uint32_t hash_of(const char* key, size_t len) {
  uint32_t h = 2166136261u;
  size_t i;
  for (i = 0; i < len; i++) h = (h ^ (unsigned char)key[i]) * 16777619u;
  return h ^ (h >> 15);
}

void uvsmtp__tls_cache_init(uvsmtp__tls_cache_t* cache,
                            const uvsmtp__mem_t* mem, size_t max,
                            uint32_t age) {
  memset(cache, 0, sizeof(*cache));
  cache->mem = *mem;
  cache->max = max;
  cache->age = age;
  uvsmtp__queue_init(&cache->used);
}

static uvsmtp__tls_entry_t** place_of(uvsmtp__tls_cache_t* cache, uint32_t hash,
                                      const char* key, size_t len) {
  uvsmtp__tls_entry_t** at = &cache->buckets[hash & (cache->nbuckets - 1)];
  while (*at != NULL && ((*at)->hash != hash || (*at)->key_len != len ||
                         memcmp((*at)->key, key, len) != 0))
    at = &(*at)->next;
  return at;
}

static void free_entry(uvsmtp__tls_cache_t* cache, uvsmtp__tls_entry_t* e) {
  size_t size = sizeof(*e) + e->key_len;
  mbedtls_ssl_session_free(&e->session); /* wipes it */
  uvsmtp__blob_unref(e->problem_text);
  uvsmtp__blob_unref(e->certificate);
  uvsmtp__free(&cache->mem, e, size);
}

static void remove_at(uvsmtp__tls_cache_t* cache, uvsmtp__tls_entry_t** at) {
  uvsmtp__tls_entry_t* e = *at;
  *at = e->next;
  uvsmtp__queue_remove(&e->link);
  cache->count--;
  free_entry(cache, e);
}

uvsmtp__tls_entry_t* uvsmtp__tls_cache_find(uvsmtp__tls_cache_t* cache,
                                            const char* key, size_t len,
                                            uint64_t now) {
  uvsmtp__tls_entry_t** at;
  if (cache->count == 0) return NULL;
  at = place_of(cache, hash_of(key, len), key, len);
  if (*at == NULL) return NULL;
  if ((*at)->until <= now) {
    remove_at(cache, at);
    return NULL;
  }
  uvsmtp__queue_remove(&(*at)->link);
  uvsmtp__queue_insert_tail(&cache->used, &(*at)->link);
  return *at;
}

void uvsmtp__tls_cache_drop(uvsmtp__tls_cache_t* cache, const char* key,
                            size_t len) {
  uvsmtp__tls_entry_t** at;
  if (cache->count == 0) return;
  at = place_of(cache, hash_of(key, len), key, len);
  if (*at != NULL) remove_at(cache, at);
}

static int make_buckets(uvsmtp__tls_cache_t* cache) {
  size_t n = 16;
  if (cache->buckets != NULL) return 1;
  while (n < cache->max && n < BUCKETS_MAX) n *= 2;
  cache->buckets = uvsmtp__alloc(&cache->mem, n * sizeof(*cache->buckets));
  if (cache->buckets == NULL) return 0;
  memset(cache->buckets, 0, n * sizeof(*cache->buckets));
  cache->nbuckets = n;
  return 1;
}

uvsmtp__tls_entry_t* uvsmtp__tls_cache_add(uvsmtp__tls_cache_t* cache,
                                           const char* key, size_t len,
                                           uint64_t now, uint32_t lifetime) {
  uvsmtp__tls_entry_t** at;
  uvsmtp__tls_entry_t* e;
  uint32_t hash = hash_of(key, len);
  if (!make_buckets(cache)) return NULL;
  e = uvsmtp__alloc(&cache->mem, sizeof(*e) + len);
  if (e == NULL) return NULL;
  memset(e, 0, sizeof(*e));
  mbedtls_ssl_session_init(&e->session);
  e->hash = hash;
  e->key_len = len;
  memcpy(e->key, key, len);
  e->until =
      now + (lifetime > 0 && lifetime < cache->age ? lifetime : cache->age);
  at = place_of(cache, hash, key, len);
  if (*at != NULL) {
    remove_at(cache, at);
  } else if (cache->count >= cache->max) {
    uvsmtp__tls_entry_t* oldest = UVSMTP__CONTAINER(
        uvsmtp__queue_first(&cache->used), uvsmtp__tls_entry_t, link);
    remove_at(cache,
              place_of(cache, oldest->hash, oldest->key, oldest->key_len));
  }
  at = &cache->buckets[hash & (cache->nbuckets - 1)];
  e->next = *at;
  *at = e;
  uvsmtp__queue_insert_tail(&cache->used, &e->link);
  cache->count++;
  return e;
}

void uvsmtp__tls_cache_clear(uvsmtp__tls_cache_t* cache) {
  uvsmtp__link_t* link;
  while ((link = uvsmtp__queue_first(&cache->used)) != NULL) {
    uvsmtp__queue_remove(link);
    free_entry(cache, UVSMTP__CONTAINER(link, uvsmtp__tls_entry_t, link));
  }
  uvsmtp__free(&cache->mem, cache->buckets,
               cache->nbuckets * sizeof(*cache->buckets));
  cache->buckets = NULL;
  cache->nbuckets = 0;
  cache->count = 0;
}
