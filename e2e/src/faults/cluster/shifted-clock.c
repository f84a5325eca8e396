/*
 * Loaded into a redis-server (LD_PRELOAD): shifts its wall clock by what stands in FAULTS_CLOCK_FILE, eight bytes, in
 * microseconds, as they are at each moment. Monotonic time goes on, as when a machine's clock is set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t none = 0;
static volatile int64_t *offset = &none;

__attribute__((constructor)) static void map_offset(void) {
  const char *file = getenv("FAULTS_CLOCK_FILE");
  int handle = file == NULL ? -1 : open(file, O_RDONLY);
  if (handle < 0) abort();
  void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, handle, 0);
  if (mapped == MAP_FAILED) abort();
  offset = mapped;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int failed = real(now, zone);
  int64_t us = (int64_t)now->tv_sec * 1000000 + now->tv_usec + *offset;
  now->tv_sec = us / 1000000;
  now->tv_usec = us % 1000000;
  return failed;
}

time_t time(time_t *kept) {
  struct timeval now;
  gettimeofday(&now, NULL);
  if (kept != NULL) *kept = now.tv_sec;
  return now.tv_sec;
}
