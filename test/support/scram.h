/* SPDX-License-Identifier: MIT */
/* scram.h: the server's side of SCRAM (RFC 5802, RFC 7677), for the fake server
 * of peer.h: written from the RFCs, not from the library. */
#ifndef UVSMTP_TEST_SCRAM_H
#define UVSMTP_TEST_SCRAM_H

enum { SCRAM_LINE = 1024, SCRAM_HASH_MAX = 32 };

/* One who logs in. Zeroed at first, but for what is wanted. */
typedef struct scram_s {
  const char* hash; /* "SHA-1" or "SHA-256" */
  const char* password;
  unsigned int iterations;
  int lies; /* its own proof is wrong */
  /* of the exchange */
  const char* header;     /* how the client's second message begins */
  char bare[SCRAM_LINE];  /* client-first-message-bare */
  char first[SCRAM_LINE]; /* server-first-message */
  char nonce[SCRAM_LINE];
} scram_t;

/* The password as it is compared: SCRAM_HASH_MAX octets of room. Its length. */
unsigned int scram_salted(const scram_t* s, unsigned char* salted);

/* Its ClientKey, of as many octets. */
void scram_client_key(const scram_t* s, unsigned char* key);

/* What the client says first, in base64, and the answer to it, likewise: 0, or
 * -1 when it makes no sense. */
int scram_first(scram_t* s, const char* line, char answer[SCRAM_LINE]);
/* What it says next: 0 when it knows the password. */
int scram_final(scram_t* s, const char* line, char answer[SCRAM_LINE]);

#endif
