/* SPDX-License-Identifier: MIT */
/* load.c: certificates and keys from files and memory. Files are read here and
 * not by Mbed TLS, which would not say why it could not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mbedtls/platform_util.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/tls_int.h"

enum {
  FILE_MAX = 64 * 1024 * 1024, /* octets of a file of certificates */
  PASSPHRASE_MAX = 1024
};

/* Where systems have the certificates that they trust: Debian, Arch, Gentoo;
 * Fedora; its successors' other place; SUSE; Alpine, OpenBSD, FreeBSD; FreeBSD
 * with the port; NetBSD. */
static const char bundles[][52] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",
};

static const char pem_mark[] = "-----BEGIN ";

/* ------------------------------------------------------------------- files */

void uvsmtp__tls_buf_wipe(const uvsmtp__mem_t* mem, uvsmtp__buf_t* buf) {
  if (buf->base != NULL) mbedtls_platform_zeroize(buf->base, buf->cap);
  uvsmtp__buf_free(mem, buf);
}

/* One more block, with a NUL behind what was read. Growing leaves no copy of a
 * key behind. */
static int grow(const uvsmtp__mem_t* mem, uvsmtp__buf_t* buf) {
  size_t cap = buf->cap == 0 ? 16384 : buf->cap * 2;
  char* base;
  if (cap > FILE_MAX) return -EFBIG;
  base = uvsmtp__alloc(mem, cap);
  if (base == NULL) return -ENOMEM;
  if (buf->len > 0) memcpy(base, buf->base, buf->len);
  if (buf->base != NULL) mbedtls_platform_zeroize(buf->base, buf->cap);
  uvsmtp__free(mem, buf->base, buf->cap);
  buf->base = base;
  buf->cap = cap;
  return 0;
}

int uvsmtp__tls_file_read(const uvsmtp__mem_t* mem, const char* path,
                          uvsmtp__buf_t* out) {
  int fd;
  int err = 0;
  memset(out, 0, sizeof(*out));
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return -errno;
  for (;;) {
    ssize_t n;
    if (out->cap - out->len < 2 && (err = grow(mem, out)) != 0) break;
    n = read(fd, out->base + out->len, out->cap - out->len - 1);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      err = -errno;
      break;
    }
    out->len += (size_t)n;
  }
  close(fd);
  if (err != 0) {
    uvsmtp__tls_buf_wipe(mem, out);
    return err;
  }
  out->base[out->len] = '\0';
  return 0;
}

/* A file's contents, or a copy of what the caller has, with a NUL behind,
 * which PEM needs. */
static int get(const uvsmtp__mem_t* mem, const char* path, uvsmtp_slice_t data,
               uvsmtp__buf_t* out) {
  if (path != NULL) return uvsmtp__tls_file_read(mem, path, out);
  memset(out, 0, sizeof(*out));
  if (data.base == NULL) return -EINVAL;
  if (data.len > FILE_MAX) return -EFBIG;
  out->base = uvsmtp__alloc(mem, data.len + 1);
  if (out->base == NULL) return -ENOMEM;
  out->cap = data.len + 1;
  out->len = data.len;
  memcpy(out->base, data.base, data.len);
  out->base[data.len] = '\0';
  return 0;
}

/* PEM is told by its length, which includes the NUL. */
static size_t length_for_parser(const uvsmtp__buf_t* buf) {
  return strstr(buf->base, pem_mark) != NULL ? buf->len + 1 : buf->len;
}

/* 0 when there was at least one that could be read, UVSMTP_ETLS, -ENOMEM. */
static int add(mbedtls_x509_crt* chain, const uvsmtp__buf_t* buf) {
  int before = chain->version;
  const mbedtls_x509_crt* last = chain;
  int rc;
  while (last->next != NULL) last = last->next;
  rc = mbedtls_x509_crt_parse(chain, (const unsigned char*)buf->base,
                              length_for_parser(buf));
  if (rc == MBEDTLS_ERR_X509_ALLOC_FAILED) return -ENOMEM;
  if (rc == 0) return 0;
  /* Some may have been read, others not. */
  return last->next != NULL || (before == 0 && chain->version != 0)
             ? 0
             : UVSMTP_ETLS;
}

/* ------------------------------------------------------------------- trust */

static int add_file(uvsmtp_tls_t* tls, const char* path, uvsmtp_slice_t data) {
  uvsmtp__buf_t buf;
  int err = get(&tls->mem, path, data, &buf);
  if (err != 0) return err;
  err = add(&tls->ca, &buf);
  uvsmtp__tls_buf_wipe(&tls->mem, &buf);
  return err;
}

static int add_directory(uvsmtp_tls_t* tls, const char* path) {
  uvsmtp_slice_t none = {NULL, 0};
  char name[PATH_MAX];
  size_t len = strlen(path);
  struct dirent* e;
  DIR* dir;
  int found = 0;
  int err = 0;
  if (len + 2 > sizeof(name)) return -ENAMETOOLONG;
  dir = opendir(path);
  if (dir == NULL) return -errno;
  memcpy(name, path, len);
  name[len] = '/';
  while (err != -ENOMEM && (e = readdir(dir)) != NULL) {
    size_t n = strlen(e->d_name);
    struct stat st;
    if (e->d_name[0] == '.' || len + n + 2 > sizeof(name)) continue;
    memcpy(name + len + 1, e->d_name, n + 1);
    /* A FIFO would have us wait for its writer. */
    if (stat(name, &st) != 0 || !S_ISREG(st.st_mode)) continue;
    err = add_file(tls, name, none);
    if (err == 0) found = 1;
  }
  closedir(dir);
  if (err == -ENOMEM) return err;
  return found ? 0 : UVSMTP_ETLS;
}

static int add_system(uvsmtp_tls_t* tls) {
  uvsmtp_slice_t none = {NULL, 0};
  size_t i;
  for (i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
    int err = add_file(tls, bundles[i], none);
    if (err == 0 || err == -ENOMEM) return err;
  }
  return 0;
}

int uvsmtp__tls_load_trust(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                           const char** reason) {
  uvsmtp_slice_t none = {NULL, 0};
  int err = 0;
  *reason = "trusted certificates with a length, and nowhere";
  if (c->ca.base == NULL && c->ca.len > 0) return -EINVAL;
  if (c->ca_file == NULL && c->ca_dir == NULL && c->ca.base == NULL)
    err = add_system(tls);
  if (err == 0 && c->ca_file != NULL) {
    *reason = "the file of trusted certificates can't be read, or has none";
    err = add_file(tls, c->ca_file, none);
  }
  if (err == 0 && c->ca.base != NULL) {
    *reason = "no certificate in the trusted ones given";
    err = add_file(tls, NULL, c->ca);
  }
  if (err == 0 && c->ca_dir != NULL) {
    *reason =
        "the directory of trusted certificates can't be read, or has none";
    err = add_directory(tls, c->ca_dir);
  }
  tls->trusts = tls->ca.version != 0;
  return err;
}

/* ------------------------------------------------------------- who we are */

static int with_passphrase(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                           const uvsmtp__buf_t* buf, const char** reason) {
  char pass[PASSPHRASE_MAX];
  int len = c->passphrase(c->passphrase_arg, pass, sizeof(pass));
  int rc = 0;
  if (len < 0) *reason = "no passphrase was given for the private key";
  if (len > PASSPHRASE_MAX) len = -EINVAL;
  if (len >= 0) {
    mbedtls_pk_free(&tls->key);
    mbedtls_pk_init(&tls->key);
    rc = uvsmtp__mbed_parse_key(tls, (const unsigned char*)buf->base,
                                length_for_parser(buf),
                                (const unsigned char*)pass, (size_t)len);
  }
  mbedtls_platform_zeroize(pass, sizeof(pass));
  if (len < 0) return len;
  if (rc == 0) return 0;
  *reason =
      "the passphrase is wrong, or the private key is encrypted in a way "
      "that this Mbed TLS does not know";
  return UVSMTP_ETLS;
}

static int parse_key(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                     const uvsmtp__buf_t* buf, const char** reason) {
  int rc = uvsmtp__mbed_parse_key(tls, (const unsigned char*)buf->base,
                                  length_for_parser(buf), NULL, 0);
  if (rc == 0) return 0;
  if (rc == MBEDTLS_ERR_PK_ALLOC_FAILED) return -ENOMEM;
  if (rc == MBEDTLS_ERR_PK_PASSWORD_REQUIRED ||
      rc == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) {
    if (c->passphrase != NULL) return with_passphrase(tls, c, buf, reason);
    *reason = "the private key is encrypted, and there is no passphrase";
    return UVSMTP_ETLS;
  }
  *reason = "no private key, or one that can't be read";
  return UVSMTP_ETLS;
}

int uvsmtp__tls_load_own(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                         const char** reason) {
  int has_key = c->key_file != NULL || c->key.base != NULL;
  uvsmtp__buf_t buf;
  int err;
  if (c->cert_file == NULL && c->cert.base == NULL) {
    *reason = "a private key without a certificate";
    return has_key ? -EINVAL : 0;
  }
  *reason = "a certificate or private key both as a file and in memory";
  if ((c->cert_file != NULL && c->cert.base != NULL) ||
      (c->key_file != NULL && c->key.base != NULL))
    return -EINVAL;
  *reason = "the file of our certificate can't be read";
  err = get(&tls->mem, c->cert_file, c->cert, &buf);
  if (err != 0) return err;
  *reason = "no certificate in what is to be ours";
  err = add(&tls->cert, &buf);
  if (err == 0 && !has_key) err = parse_key(tls, c, &buf, reason);
  uvsmtp__tls_buf_wipe(&tls->mem, &buf);
  if (err == 0 && has_key) {
    *reason = "the file of the private key can't be read";
    err = get(&tls->mem, c->key_file, c->key, &buf);
    if (err != 0) return err;
    err = parse_key(tls, c, &buf, reason);
    uvsmtp__tls_buf_wipe(&tls->mem, &buf);
  }
  if (err != 0) return err;
  *reason = "the private key is another certificate's";
  return uvsmtp__mbed_check_pair(tls) == 0 ? 0 : UVSMTP_ETLS;
}
