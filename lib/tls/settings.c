/* SPDX-License-Identifier: MIT */
/* settings.c: what many connections share: trust, identity, the two
 * configurations of Mbed TLS, the cache. */
#include <errno.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "tls/tls_int.h"

enum { CACHE_SIZE = 256, CACHE_AGE = 7200 };

static int set_versions(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                        const char** reason) {
  int latest = uvsmtp_tls_library_version();
  int min = c->min_version == 0 ? UVSMTP_TLS_1_2 : c->min_version;
  int max = c->max_version == 0 ? UVSMTP_TLS_1_3 : c->max_version;
  *reason = "a version of TLS that does not exist or is not accepted";
  if (min < UVSMTP_TLS_1_2 || min > UVSMTP_TLS_1_3 || max < UVSMTP_TLS_1_2 ||
      max > UVSMTP_TLS_1_3)
    return -EINVAL;
  *reason = "the least version of TLS is above the latest";
  if (min > max) return -EINVAL;
  *reason = "this build does not have TLS 1.3";
  if (min > latest || (c->max_version != 0 && max > latest)) return -ENOTSUP;
  tls->min_version = min;
  tls->max_version = max > latest ? latest : max;
  return 0;
}

static int set_name(uvsmtp_tls_t* tls, const char* text, const char** reason) {
  uvsmtp__tls_name_t name;
  int err;
  if (text == NULL) return 0;
  *reason = "a name that no server can have";
  err = uvsmtp__tls_name_set(&name, text);
  if (err == -ENOTSUP)
    *reason = "a name that is not ASCII, in a build without IDN";
  if (err != 0) return err;
  tls->name = uvsmtp__blob_new(&tls->mem, name.text, strlen(name.text));
  return tls->name == NULL ? -ENOMEM : 0;
}

static int configure(uvsmtp_tls_t* tls, mbedtls_ssl_config* conf, int mode) {
  int rc = uvsmtp__mbed_configure(tls, conf);
  if (rc != 0) return rc;
  mbedtls_ssl_conf_authmode(conf, mode);
  mbedtls_ssl_conf_ciphersuites(conf, tls->ciphers);
  if (tls->trusts) mbedtls_ssl_conf_ca_chain(conf, &tls->ca, NULL);
  if (tls->cert.version == 0) return 0;
  return mbedtls_ssl_conf_own_cert(conf, &tls->cert, &tls->key);
}

/* With a hook the verdict is the hook's: Mbed TLS must not end the handshake
 * for what it would set aside. uvsmtp__tls_verify does it then. */
static int configure_both(uvsmtp_tls_t* tls, const char** reason) {
  int mode = tls->verify != NULL || (tls->flags & UVSMTP_TLS_INSECURE) != 0
                 ? MBEDTLS_SSL_VERIFY_OPTIONAL
                 : MBEDTLS_SSL_VERIFY_REQUIRED;
  *reason = "Mbed TLS could not be configured";
  if (configure(tls, &tls->strict, mode) != 0 ||
      configure(tls, &tls->lenient, MBEDTLS_SSL_VERIFY_OPTIONAL) != 0)
    return UVSMTP_ETLS;
  return 0;
}

static int fill(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                const char** reason) {
  int err = set_versions(tls, c, reason);
  if (err != 0) return err;
  *reason = "no random numbers";
  if ((err = uvsmtp__mbed_open(tls)) != 0 ||
      (err = uvsmtp__tls_load_ciphers(tls, c->ciphers, reason)) != 0 ||
      (err = uvsmtp__tls_load_pins(tls, c, reason)) != 0 ||
      (err = set_name(tls, c->name, reason)) != 0 ||
      (err = uvsmtp__tls_load_trust(tls, c, reason)) != 0 ||
      (err = uvsmtp__tls_load_own(tls, c, reason)) != 0)
    return err;
  return configure_both(tls, reason);
}

static void destroy(uvsmtp_tls_t* tls) {
  uvsmtp__mem_t mem = tls->mem;
  uvsmtp__tls_cache_clear(&tls->cache);
  mbedtls_ssl_config_free(&tls->strict);
  mbedtls_ssl_config_free(&tls->lenient);
  mbedtls_x509_crt_free(&tls->ca);
  mbedtls_x509_crt_free(&tls->cert);
  mbedtls_pk_free(&tls->key);
  uvsmtp__mbed_close(tls);
  uvsmtp__blob_unref(tls->name);
  uvsmtp__free(&mem, tls->pins, tls->npins * sizeof(*tls->pins));
  uvsmtp__free(&mem, tls->staging, UVSMTP__TLS_RECORD_MAX);
  uvsmtp__free(&mem, tls, sizeof(*tls));
}

static uvsmtp_tls_t* create(const uvsmtp_tls_config_t* c) {
  uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};
  uvsmtp_tls_t* tls;
  (void)uvsmtp__mem_set(&mem, c->mem);
  tls = uvsmtp__alloc(&mem, sizeof(*tls));
  if (tls == NULL) return NULL;
  memset(tls, 0, sizeof(*tls));
  tls->mem = mem;
  tls->refs = 1;
  tls->flags = c->flags;
  tls->verify = c->verify;
  tls->verify_arg = c->verify_arg;
  mbedtls_ssl_config_init(&tls->strict);
  mbedtls_ssl_config_init(&tls->lenient);
  mbedtls_x509_crt_init(&tls->ca);
  mbedtls_x509_crt_init(&tls->cert);
  mbedtls_pk_init(&tls->key);
  uvsmtp__tls_cache_init(&tls->cache, &tls->mem,
                         c->cache_size == 0 ? CACHE_SIZE : c->cache_size,
                         c->cache_age == 0 ? CACHE_AGE : c->cache_age);
  return tls;
}

/* ------------------------------------------------------------ public calls */

int uvsmtp_tls_new(uvsmtp_tls_t** tls, const uvsmtp_tls_config_t* config,
                   const char** reason) {
  static const unsigned int known =
      UVSMTP_TLS_INSECURE | UVSMTP_TLS_NO_RESUMPTION;
  uvsmtp_tls_config_t c = UVSMTP_TLS_CONFIG_INIT;
  const char* why = "a config that is not valid";
  uvsmtp_tls_t* self = NULL;
  uvsmtp__mem_t ignored;
  int err = 0;
  if (config != NULL)
    err = uvsmtp__take(&c, sizeof(c), config,
                       UVSMTP__UP_TO(uvsmtp_tls_config_t, cache_age));
  if (tls == NULL || (c.flags & ~known) != 0 ||
      uvsmtp__mem_set(&ignored, c.mem) != 0)
    err = -EINVAL;
  if (err == 0) {
    self = create(&c);
    err = self == NULL ? -ENOMEM : fill(self, &c, &why);
  }
  if (err != 0) {
    if (self != NULL) destroy(self);
    self = NULL;
    if (err == -ENOMEM) why = "no memory";
    if (reason != NULL) *reason = why;
  }
  if (tls != NULL) *tls = self;
  return err;
}

uvsmtp_tls_t* uvsmtp_tls_ref(uvsmtp_tls_t* tls) {
  tls->refs++;
  return tls;
}

void uvsmtp_tls_unref(uvsmtp_tls_t* tls) {
  if (tls != NULL && --tls->refs == 0) destroy(tls);
}

void uvsmtp_tls_forget(uvsmtp_tls_t* tls) {
  tls->forgotten++;
  uvsmtp__tls_cache_clear(&tls->cache);
}

int uvsmtp_tls_stats(const uvsmtp_tls_t* tls, uvsmtp_tls_stats_t* stats) {
  uvsmtp_tls_stats_t s = UVSMTP_TLS_STATS_INIT;
  size_t size;
  if (tls == NULL || stats == NULL) return -EINVAL;
  size = stats->size;
  if (size < UVSMTP__UP_TO(uvsmtp_tls_stats_t, cached) || size > sizeof(s))
    return -EINVAL;
  s.full = tls->full;
  s.resumed = tls->resumed;
  s.refused = tls->refused;
  s.failed = tls->failed;
  s.cached = tls->cache.count;
  s.size = size;
  memcpy(stats, &s, size);
  return 0;
}

const char* uvsmtp__tls_name(const uvsmtp_tls_t* tls) {
  return tls->name == NULL ? NULL : tls->name->octets;
}

int uvsmtp__tls_is_insecure(const uvsmtp_tls_t* tls) {
  return (tls->flags & UVSMTP_TLS_INSECURE) != 0;
}
