/* SPDX-License-Identifier: MIT */
/* conn.c: the filter: Mbed TLS between two queues of octets. */
#include <errno.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "tls/conn_int.h"

/* ------------------------------------------------------------------ queues */

/* What Mbed TLS reads from. */
static int take(void* arg, unsigned char* buf, size_t cap) {
  uvsmtp__tls_conn_t* conn = arg;
  const char* from = conn->in;
  size_t n = conn->in_len;
  if (conn->kept.len > 0) {
    from = uvsmtp__buf_data(&conn->kept);
    n = conn->kept.len;
  }
  if (n == 0) {
    conn->starved = 1;
    return conn->ended ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ;
  }
  if (n > cap) n = cap;
  memcpy(buf, from, n);
  if (conn->kept.len > 0) {
    uvsmtp__buf_consume(&conn->kept, n);
    if (conn->kept.len == 0) uvsmtp__buf_free(&conn->mem, &conn->kept);
  } else {
    conn->in += n;
    conn->in_len -= n;
  }
  return (int)n;
}

/* What it writes to. It never has to wait: what would go over the cap is an
 * error, since our own writing stops before, and only a peer that makes us
 * answer and does not read gets there. */
static int give(void* arg, const unsigned char* data, size_t len) {
  uvsmtp__tls_conn_t* conn = arg;
  int err = uvsmtp__buf_append(&conn->mem, &conn->out, data, len,
                               UVSMTP__TLS_OUTPUT_MAX);
  if (err == 0) return (int)len;
  conn->send_error = err;
  return err == -ENOMEM ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                        : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

int uvsmtp__tls_conn_input(uvsmtp__tls_conn_t* conn, const void* data,
                           size_t len) {
  int err = uvsmtp__tls_conn_keep(conn);
  if (err != 0) return err;
  if (conn->kept.len > 0)
    return uvsmtp__buf_append(&conn->mem, &conn->kept, data, len,
                              UVSMTP__TLS_INPUT_MAX);
  if (len > UVSMTP__TLS_INPUT_MAX) return -ENOBUFS;
  conn->in = data;
  conn->in_len = len;
  return 0;
}

int uvsmtp__tls_conn_keep(uvsmtp__tls_conn_t* conn) {
  int err = uvsmtp__buf_append(&conn->mem, &conn->kept, conn->in, conn->in_len,
                               UVSMTP__TLS_INPUT_MAX);
  if (err != 0) return err;
  conn->in = NULL;
  conn->in_len = 0;
  return 0;
}

size_t uvsmtp__tls_conn_left(const uvsmtp__tls_conn_t* conn) {
  return conn->kept.len + conn->in_len;
}

void uvsmtp__tls_conn_end(uvsmtp__tls_conn_t* conn) { conn->ended = 1; }

uvsmtp_slice_t uvsmtp__tls_conn_peek(const uvsmtp__tls_conn_t* conn) {
  uvsmtp_slice_t out;
  out.base = uvsmtp__buf_data(&conn->out);
  out.len = conn->out.len;
  return out;
}

void uvsmtp__tls_conn_sent(uvsmtp__tls_conn_t* conn, size_t n) {
  uvsmtp__buf_consume(&conn->out, n);
  if (conn->out.len == 0) uvsmtp__buf_free(&conn->mem, &conn->out);
}

/* ------------------------------------------------------- beginning and end */

/* Of the cache: all that a session may be resumed for. */
static int make_key(uvsmtp__tls_conn_t* conn, const uvsmtp__tls_peer_t* peer) {
  const char* name = conn->info->named == NULL ? "" : conn->info->named;
  const char* host = peer->host == NULL ? "" : peer->host;
  size_t host_len = strlen(host) + 1;
  size_t name_len = strlen(name);
  char* key;
  conn->key_len = 4 + host_len + name_len;
  key = uvsmtp__alloc(&conn->mem, conn->key_len);
  if (key == NULL) return -ENOMEM;
  key[0] = (char)(conn->strict ? 's' : 'l');
  key[1] = (char)(conn->info->named == NULL ? '-' : 'n');
  key[2] = (char)((unsigned int)peer->port >> 8 & 0xff);
  key[3] = (char)((unsigned int)peer->port & 0xff);
  memcpy(key + 4, host, host_len);
  memcpy(key + 4 + host_len, name, name_len);
  conn->key = key;
  return 0;
}

static void offer(uvsmtp__tls_conn_t* conn) {
  uvsmtp__tls_entry_t* e;
  if ((conn->tls->flags & UVSMTP_TLS_NO_RESUMPTION) != 0) return;
  e = uvsmtp__tls_cache_find(&conn->tls->cache, conn->key, conn->key_len,
                             uvsmtp__tls_now());
  if (e == NULL || mbedtls_ssl_set_session(&conn->ssl, &e->session) != 0)
    return;
  conn->offered = 1;
  conn->earlier.until = e->until;
  conn->earlier.verified = e->verified;
  conn->earlier.problems = e->problems;
  conn->earlier.problem_text = uvsmtp__blob_ref(e->problem_text);
  conn->earlier.certificate = uvsmtp__blob_ref(e->certificate);
}

static int set_up(uvsmtp__tls_conn_t* conn, const uvsmtp__tls_peer_t* peer,
                  const uvsmtp__tls_name_t* name) {
  uvsmtp_tls_t* tls = conn->tls;
  int err;
  conn->strict = peer->strict != 0 && (tls->flags & UVSMTP_TLS_INSECURE) == 0;
  conn->address_len = (unsigned char)name->address_len;
  memcpy(conn->address, name->address, sizeof(conn->address));
  conn->info =
      uvsmtp__tls_info_new(&conn->mem, peer->name == NULL ? NULL : name->text);
  if (conn->info == NULL) return -ENOMEM;
  err = make_key(conn, peer);
  if (err != 0) return err;
  if (mbedtls_ssl_setup(&conn->ssl,
                        conn->strict ? &tls->strict : &tls->lenient) != 0)
    return -ENOMEM;
  /* Always called, since a version that is not told does not look at names.
   * It gets no addresses: they are not for SNI (RFC 6066 3), and not every
   * version can compare them. */
  if (mbedtls_ssl_set_hostname(&conn->ssl,
                               peer->name == NULL || name->address_len > 0
                                   ? NULL
                                   : conn->info->name) != 0)
    return -ENOMEM;
  mbedtls_ssl_set_verify(&conn->ssl, uvsmtp__tls_verify, conn);
  mbedtls_ssl_set_bio(&conn->ssl, conn, give, take, NULL);
  offer(conn);
  return 0;
}

int uvsmtp__tls_conn_new(uvsmtp__tls_conn_t** out, const uvsmtp__mem_t* mem,
                         uvsmtp_tls_t* tls, const uvsmtp__tls_peer_t* peer) {
  uvsmtp__tls_conn_t* conn;
  uvsmtp__tls_name_t name;
  int err = 0;
  *out = NULL;
  memset(&name, 0, sizeof(name));
  if (peer->name != NULL)
    err = uvsmtp__tls_name_set(&name, peer->name);
  else if (peer->strict && (tls->flags & UVSMTP_TLS_INSECURE) == 0)
    err = -EINVAL;
  if (err != 0) return err;
  conn = uvsmtp__alloc(mem, sizeof(*conn));
  if (conn == NULL) return -ENOMEM;
  memset(conn, 0, sizeof(*conn));
  conn->mem = *mem;
  conn->tls = uvsmtp_tls_ref(tls);
  conn->forgotten = tls->forgotten;
  mbedtls_ssl_init(&conn->ssl);
  err = set_up(conn, peer, &name);
  if (err != 0) {
    uvsmtp__tls_conn_free(conn);
    return err;
  }
  *out = conn;
  return 0;
}

/* The facts outlive Mbed TLS's copy of the certificate. */
static void keep_certificate(uvsmtp__tls_conn_t* conn) {
  uvsmtp_tls_info_t* info = conn->info;
  if (info->borrowed.base == NULL) return;
  if (info->refs > 1 && info->certificate == NULL)
    info->certificate = uvsmtp__blob_new(&conn->tls->mem, info->borrowed.base,
                                         info->borrowed.len);
  info->borrowed.base = NULL;
  info->borrowed.len = 0;
}

void uvsmtp__tls_conn_free(uvsmtp__tls_conn_t* conn) {
  uvsmtp__mem_t mem;
  if (conn == NULL) return;
  mem = conn->mem;
  if (conn->info != NULL) {
    /* Whoever ended it in the middle, and why: it has failed for those who look
     * at the facts. */
    if (conn->info->refs > 1 && !conn->info->established && conn->error == 0)
      (void)uvsmtp__tls_conn_fail(conn, MBEDTLS_ERR_SSL_CONN_EOF);
    keep_certificate(conn);
  }
  mbedtls_ssl_free(&conn->ssl);
  uvsmtp__buf_free(&mem, &conn->kept);
  uvsmtp__buf_free(&mem, &conn->out);
  uvsmtp__free(&mem, conn->key, conn->key_len);
  uvsmtp__blob_unref(conn->earlier.problem_text);
  uvsmtp__blob_unref(conn->earlier.certificate);
  uvsmtp__tls_info_unref(conn->info);
  uvsmtp_tls_unref(conn->tls);
  mbedtls_platform_zeroize(conn, sizeof(*conn));
  uvsmtp__free(&mem, conn, sizeof(*conn));
}

uvsmtp_tls_info_t* uvsmtp__tls_conn_info(uvsmtp__tls_conn_t* conn) {
  return conn->info;
}

/* ------------------------------------------------------------------- data */

ptrdiff_t uvsmtp__tls_conn_read(uvsmtp__tls_conn_t* conn, void* buf,
                                size_t cap) {
  if (conn->error != 0) return conn->error;
  if (!conn->info->established) return -ENOTCONN;
  if (cap == 0) return UVSMTP__TLS_WAIT_READ;
  for (;;) {
    int rc;
    conn->starved = 0;
    rc = mbedtls_ssl_read(&conn->ssl, buf, cap);
    if (rc > 0) return rc;
    if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
      /* Said also after a ticket, or an alert that it passed over. */
      if (!conn->starved) continue;
      return UVSMTP__TLS_WAIT_READ;
    }
    if (uvsmtp__mbed_is_ticket(rc)) {
      uvsmtp__tls_conn_ticket(conn);
      continue;
    }
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
      conn->error = UVSMTP__TLS_EOF;
      return conn->error;
    }
    return uvsmtp__tls_conn_fail(conn, rc == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : rc);
  }
}

/* One record from memory in one piece; how much of it was taken. */
static int put_record(uvsmtp__tls_conn_t* conn, const char* data, size_t len) {
  return mbedtls_ssl_write(&conn->ssl, (const unsigned char*)data, len);
}

/* Small slices, put together. */
static int put_gathered(uvsmtp__tls_conn_t* conn, const uvsmtp_slice_t* s,
                        size_t n, size_t off, size_t len) {
  uvsmtp_tls_t* tls = conn->tls;
  size_t at = 0;
  size_t i;
  int rc;
  if (tls->staging == NULL)
    tls->staging = uvsmtp__alloc(&tls->mem, UVSMTP__TLS_RECORD_MAX);
  if (tls->staging == NULL) return MBEDTLS_ERR_SSL_ALLOC_FAILED;
  for (i = 0; i < n && at < len; i++) {
    size_t part = s[i].len - off;
    if (part > len - at) part = len - at;
    if (part > 0) memcpy(tls->staging + at, (const char*)s[i].base + off, part);
    at += part;
    off = 0;
  }
  rc = put_record(conn, tls->staging, at);
  mbedtls_platform_zeroize(tls->staging, at);
  return rc;
}

ptrdiff_t uvsmtp__tls_conn_write(uvsmtp__tls_conn_t* conn,
                                 const uvsmtp_slice_t* slices, size_t n) {
  size_t taken = 0;
  size_t left = 0;
  size_t off = 0;
  size_t i;
  int most;
  if (conn->error != 0) return conn->error;
  if (!conn->info->established) return -ENOTCONN;
  for (i = 0; i < n; i++) left += slices[i].len;
  most = mbedtls_ssl_get_max_out_record_payload(&conn->ssl);
  if (most <= 0) return uvsmtp__tls_conn_fail(conn, most);
  if (most > UVSMTP__TLS_RECORD_MAX) most = UVSMTP__TLS_RECORD_MAX;
  for (i = 0; left > 0;) {
    size_t len = left < (size_t)most ? left : (size_t)most;
    int rc;
    while (off == slices[i].len) {
      off = 0;
      i++;
    }
    if (conn->out.len + len + UVSMTP__TLS_RESERVE > UVSMTP__TLS_OUTPUT_MAX)
      break;
    if (slices[i].len - off >= len)
      rc = put_record(conn, (const char*)slices[i].base + off, len);
    else
      rc = put_gathered(conn, slices + i, n - i, off, len);
    if (rc <= 0) {
      /* What was taken before goes out: the caller has to know. */
      int err = uvsmtp__tls_conn_fail(conn, rc);
      return taken > 0 ? (ptrdiff_t)taken : err;
    }
    taken += (size_t)rc;
    left -= (size_t)rc;
    off += (size_t)rc;
    while (i < n && off > slices[i].len) {
      off -= slices[i].len;
      i++;
    }
  }
  return (ptrdiff_t)taken;
}

void uvsmtp__tls_conn_close(uvsmtp__tls_conn_t* conn) {
  if (!conn->info->established || conn->closed) return;
  if (conn->error != 0 && conn->error != UVSMTP__TLS_EOF) return;
  conn->closed = 1;
  (void)mbedtls_ssl_close_notify(&conn->ssl);
}
