/* SPDX-License-Identifier: MIT */
/* url.c: what names a server, and a local address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

static const char* parse_port(const char* text, int* port) {
  char* end;
  long n;
  if (*text == '\0') return "there is no port behind the colon";
  if (*text < '0' || *text > '9') return "the port is not a number";
  errno = 0;
  n = strtol(text, &end, 10);
  if (*end != '\0') return "the port is not a number";
  if (errno != 0 || n < 1 || n > 65535) return "the port is not in 1..65535";
  *port = (int)n;
  return NULL;
}

static int is_ipv6(const char* text) {
  unsigned char address[16];
  char bare[64];
  size_t n = strcspn(text, "%"); /* the scope is for the library to know */
  if (n >= sizeof(bare)) return 0;
  memcpy(bare, text, n);
  bare[n] = '\0';
  return uv_inet_pton(AF_INET6, bare, address) == 0;
}

static int is_name(const char* host) {
  unsigned char address[4];
  return host[0] != '[' && !is_ipv6(host) &&
         uv_inet_pton(AF_INET, host, address) != 0;
}

const char* parse_host_port(const char* text, char* host, size_t cap,
                            int* port) {
  const char* colon = strchr(text, ':');
  size_t n = strlen(text);
  if (text[0] == '[') {
    const char* close = strchr(text, ']');
    if (close == NULL) return "the bracket is not closed";
    n = (size_t)(close - text) + 1;
    colon = close[1] == '\0' ? NULL : close + 1;
    if (colon != NULL && *colon != ':') return "text follows the bracket";
  } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
    n = (size_t)(colon - text);
  } else if (colon != NULL) {
    if (!is_ipv6(text)) return "the colons make no IPv6 address";
    colon = NULL;
  }
  if (n == 0) return "there is no host";
  if (n >= cap) return "the host is too long";
  memcpy(host, text, n);
  host[n] = '\0';
  if (host[0] != '[' && strpbrk(host, "[]") != NULL)
    return "brackets belong around the whole address";
  return colon == NULL ? NULL : parse_port(colon + 1, port);
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* RFC 6874: the "%" before a zone is written "%25" in a URL, and what is
 * unusual in the zone itself is encoded too. A bare "%" is understood, as its
 * section 3 suggests. Nothing else in an authority is ever encoded. */
static const char* decode_zone(char* authority) {
  char* percent = strchr(authority, '%');
  char* close = strchr(authority, ']');
  char* from;
  char* to;
  if (percent == NULL) return NULL;
  if (authority[0] != '[' && strchr(authority, ':') != strrchr(authority, ':'))
    return NULL; /* an address without brackets is no URL anyway: as it is */
  if (authority[0] != '[' || close == NULL || close < percent)
    return "a host is not percent-encoded";
  from = strncmp(percent, "%25", 3) == 0 ? percent + 3 : percent + 1;
  if (from == close) return "there is no zone behind the percent sign";
  for (to = percent + 1; from < close; to++) {
    int high = *from == '%' ? hex(from[1]) : -1;
    int low = high < 0 ? -1 : hex(from[2]);
    if (*from == '%' && low < 0) return "the zone is not well encoded";
    *to = low < 0 ? *from : (char)(high * 16 + low);
    from += low < 0 ? 1 : 3;
    if ((unsigned char)*to <= ' ' || *to == 0x7F || *to == ']')
      return "the zone is not well encoded";
  }
  memmove(to, close, strlen(close) + 1);
  return NULL;
}

static const char* parse_path(server_t* s, const char* path, int lmtp) {
  s->lmtp = lmtp;
  s->named = 0;
  s->port = 0;
  if (strlen(path) >= sizeof(s->host)) return "the path is too long";
  memcpy(s->host, path, strlen(path) + 1);
  return NULL;
}

/* Schemes are compared without regard to case (RFC 3986 3.1). */
static int begins(const char* url, const char* scheme) {
  return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static const char* check_rest(const char* rest) {
  const char* c;
  for (c = rest; *c != '\0'; c++)
    if ((unsigned char)*c <= ' ' || *c == 0x7F)
      return "there is a space or control character in it";
  if (*rest == '\0') return "there is no host";
  c = rest + strcspn(rest, "/?#");
  if (c == rest) return "there is no host";
  if (*c == '/' && c[1] != '\0' && c[1] != '?' && c[1] != '#')
    return "a path follows the host";
  if (*c == '/') c++;
  if (*c == '?') return "a query follows the host";
  if (*c == '#') return "a fragment follows the host";
  return NULL;
}

/* What stands before the "@" (RFC 3986 3.2.1), n octets. */
static const char* parse_user(server_t* s, const char* text, size_t n) {
  const char* end = text + n;
  size_t at = 0;
  if (memchr(text, ':', n) != NULL)
    return "a password does not belong on a command line, where others can "
           "read it; give --password-file, --password-fd or --netrc";
  if (memchr(text, ';', n) != NULL)
    return "a mechanism is given by --auth, and a ; in a name is written %3B";
  if (memchr(text, '@', n) != NULL) return "an @ in a user is written %40";
  if (n == 0) return "there is no user before the @";
  while (text < end) {
    int c = (unsigned char)*text++;
    if (c == ' ') return "a space in a user is written %20";
    if (c == '%') {
      int high = end - text < 2 ? -1 : hex(text[0]);
      int low = high < 0 ? -1 : hex(text[1]);
      if (low < 0) return "the user is not well encoded";
      c = high * 16 + low;
      text += 2;
    }
    if (c < ' ' || c == 0x7F) return "a control character is in the user";
    if (at + 1 == sizeof(s->user)) return "the user is too long";
    s->user[at++] = (char)c;
  }
  s->user[at] = '\0';
  return NULL;
}

/* The last "@" before the path: one in a user is complained of. */
static const char* skip_user(server_t* s, const char** rest, int url) {
  const char* at = *rest + strcspn(*rest, "/?#");
  const char* wrong;
  while (at > *rest && at[-1] != '@') at--;
  if (at == *rest) return NULL;
  if (!url) return "a user belongs into a URL: smtp://USER@HOST";
  wrong = parse_user(s, *rest, (size_t)(at - 1 - *rest));
  *rest = at;
  return wrong;
}

static const char* parse_authority(server_t* s, const char* rest, int url) {
  char authority[300];
  const char* wrong = skip_user(s, &rest, url);
  size_t n = strcspn(rest, "/");
  if (wrong == NULL) wrong = check_rest(rest);
  if (wrong != NULL) return wrong;
  if (n >= sizeof(authority)) return "the host is too long";
  memcpy(authority, rest, n);
  authority[n] = '\0';
  if (url) wrong = decode_zone(authority);
  if (wrong == NULL)
    wrong = parse_host_port(authority, s->host, sizeof(s->host), &s->port);
  s->named = wrong == NULL && is_name(s->host);
  return wrong;
}

const char* parse_server(server_t* s, const char* url) {
  const char* rest = strstr(url, "://");
  int lmtp = begins(url, "lmtp:");
  int smtps = begins(url, "smtps:");
  const char* behind = url + (smtps ? 6 : 5);
  s->lmtp = 0;
  s->implicit = 0;
  s->port = 0;
  s->user[0] = '\0';
  if (url[0] == '\0') return "it is empty";
  if (url[0] == '/') return parse_path(s, url, 1);
  if (lmtp || smtps || begins(url, "smtp:")) {
    if (behind[0] == '/' && behind[1] != '/') {
      s->implicit = smtps;
      return parse_path(s, behind, lmtp);
    }
    /* A host may be called smtp: "smtp:25". */
    if (behind[0] != '/' && (behind[0] < '0' || behind[0] > '9'))
      return "behind the scheme come // and a host, or a path";
  }
  if (rest == NULL) return parse_authority(s, url, 0);
  if (begins(url, "lmtps://"))
    return "no port belongs to this scheme: it is lmtp://HOST:PORT with --tls "
           "implicit";
  if (!lmtp && !smtps && !begins(url, "smtp://"))
    return "the scheme is neither smtp nor smtps nor lmtp";
  s->lmtp = lmtp;
  s->implicit = smtps;
  return parse_authority(s, rest + 3, 1);
}

/* Somebody may have put a password there. */
void url_masked(const char* url, char* to, size_t cap) {
  const char* rest = strstr(url, "://");
  const char* at;
  rest = rest == NULL ? url : rest + 3;
  at = strrchr(rest, '@');
  if (at == NULL)
    snprintf(to, cap, "%s", url);
  else
    snprintf(to, cap, "%.*s...%s", (int)(rest - url), url, at);
}
