/* SPDX-License-Identifier: MIT */
/* fds.h: how many descriptors this process has open. */
#ifndef UVSMTP_TEST_FDS_H
#define UVSMTP_TEST_FDS_H

/* Counted before and after, it tells whether one was left. */
int fds_open(void);

#endif
