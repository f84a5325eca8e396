/*
 * A helper of the executor (src/process/helper-wire.ts says what it reads and writes): starts one command at a time and
 * waits for it. The same as helper-script.ts, with vfork(2) and without an interpreter: half of the CPU a command.
 *
 * Between vfork and exec the child runs in this process' memory while this process waits: it calls nothing but the
 * kernel, and its failure is simply left in a variable. Signals are blocked and asked for, so none comes in between.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPE_BYTES 65536
/* A command that ends within this is told started and ended at once. Less than HAND_OVER_AFTER_MS of command-helper.ts. */
#define SHORT_COMMAND_NS 3000000L

struct fields { char **items; size_t count; };
struct text { char bytes[2 * PIPE_BYTES]; size_t length; int open; };

static sigset_t awaited, before;

static void write_all(struct iovec *parts, int count) {
  while (count > 0) {
    ssize_t n = writev(STDOUT_FILENO, parts, count);
    if (n < 0 && errno != EINTR) _exit(1);
    for (; n > 0 && count > 0; ) {
      size_t some = (size_t)n < parts->iov_len ? (size_t)n : parts->iov_len;
      parts->iov_base = (char *)parts->iov_base + some;
      parts->iov_len -= some;
      n -= (ssize_t)some;
      if (parts->iov_len == 0) parts++, count--;
    }
    while (count > 0 && parts->iov_len == 0) parts++, count--;
  }
}

static char *number(char *to, uint32_t value) {
  uint32_t sent = htonl(value);
  memcpy(to, &sent, 4);
  return to + 4;
}

static char *header(char *to, char letter, size_t length) {
  *to = letter;
  return number(to + 1, (uint32_t)length);
}

static void put(char letter, const uint32_t *numbers, int count) {
  char record[32], *end = header(record, letter, 4 * (size_t)count);
  for (int i = 0; i < count; i++) end = number(end, numbers[i]);
  write_all(&(struct iovec){ record, (size_t)(end - record) }, 1);
}

static void put_failure(int error) { put('F', &(uint32_t){ (uint32_t)error }, 1); }

static void get(char *to, size_t want) {
  for (size_t got = 0; got < want; ) {
    ssize_t n = read(STDIN_FILENO, to + got, want - got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    got += (size_t)n;
  }
}

/* One record, in memory that the next one takes over. No fields: an empty record. */
static struct fields record(void) {
  static char *memory;
  static struct fields all;
  uint32_t sent;
  get((char *)&sent, 4);
  size_t length = ntohl(sent);
  memory = realloc(memory, length + 1);
  if (!memory) _exit(1);
  get(memory, length);
  memory[length] = 0;
  all.count = length > 0;
  for (size_t i = 0; i < length; i++) all.count += !memory[i];
  all.items = realloc(all.items, (all.count + 1) * sizeof(char *));
  if (!all.items) _exit(1);
  char *item = memory;
  for (size_t i = 0; i < all.count; i++, item += strlen(item) + 1) all.items[i] = item;
  all.items[all.count] = NULL;
  return all;
}

/* What `variables` do not name of `base`, then these. */
static char **environment(struct fields base, char **variables, size_t count) {
  static char **all;
  all = realloc(all, (base.count + count + 1) * sizeof(char *));
  if (!all) _exit(1);
  size_t n = 0;
  for (size_t i = 0; i < base.count; i++) {
    size_t name = strcspn(base.items[i], "=") + 1, at = 0;
    while (at < count && strncmp(base.items[i], variables[at], name) != 0) at++;
    if (at == count) all[n++] = base.items[i];
  }
  memcpy(all + n, variables, count * sizeof(char *));
  all[n + count] = NULL;
  return all;
}

static void write_to(const char *name, const char *text) {
  int file = *name ? open(name, O_WRONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    ssize_t ignored = write(file, text, strlen(text));
    (void)ignored;
    close(file);
  }
}

/* Answers the pid, or 0 with the errno in `failure`. The environment is `environ`, so PATH is the command's. */
static pid_t start(const char *cgroup, char **argv, const int ends[3], volatile int *failure) {
  *failure = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    setsid();
    write_to(cgroup, "0");
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (dup2(ends[0], 0) >= 0 && dup2(ends[1], 1) >= 0 && dup2(ends[2], 2) >= 0) execvp(argv[0], argv);
    *failure = errno ? errno : EIO;
    _exit(127);
  }
  if (pid < 0) *failure = errno;
  if (*failure && pid > 0) waitpid(pid, NULL, 0);
  return *failure ? 0 : pid;
}

static void read_rest(int pipe, struct text *text) {
  text->length = 0;
  text->open = 1;
  fcntl(pipe, F_SETFL, O_NONBLOCK);
  while (text->length < PIPE_BYTES) {
    ssize_t n = read(pipe, text->bytes + text->length, PIPE_BYTES);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      text->open = n < 0;
      return;
    }
    text->length += (size_t)n;
  }
}

/* Waits for the end; SIGUSR1 is answered T. `status` and whether the pipes were handed over. */
static int wait_for(pid_t pid, const int pipes[2], int *status, int *is_told) {
  int handed = 0;
  *is_told = 0;
  for (struct timespec left = { 0, SHORT_COMMAND_NS }; ; ) {
    int signal = *is_told ? sigwaitinfo(&awaited, NULL) : sigtimedwait(&awaited, NULL, &left);
    if (waitpid(pid, status, WNOHANG) == pid) return handed;
    if (!*is_told) {
      put('S', (uint32_t[]){ (uint32_t)pid, (uint32_t)pipes[0], (uint32_t)pipes[1] }, 3);
      *is_told = 1;
    }
    if (signal == SIGUSR1 && !handed) {
      handed = 1;
      put('T', NULL, 0);
    }
  }
}

static void run(struct fields base, struct fields request, int pipes[2]) {
  static struct text out, err;
  char **rest = request.items + 4;
  size_t count = strtoul(request.items[3], NULL, 10);
  if (count == 0 || count > request.count - 4) _exit(1);
  char **variables = rest + count;
  environ = environment(base, variables, request.count - 4 - count);
  char *argv[count + 1];
  memcpy(argv, rest, count * sizeof(char *));
  argv[count] = NULL;

  int out_pipe[2] = { -1, -1 }, err_pipe[2] = { -1, -1 }, failure = 0;
  int stdin_file = open(request.items[2], O_RDONLY | O_CLOEXEC);
  pid_t pid = 0;
  if (stdin_file < 0 || pipe2(out_pipe, O_CLOEXEC) || pipe2(err_pipe, O_CLOEXEC) || chdir(request.items[1])) {
    failure = errno;
  } else {
    volatile int why;
    pid = start(request.items[0], argv, (int[]){ stdin_file, out_pipe[1], err_pipe[1] }, &why);
    failure = why;
  }
  if (chdir("/")) _exit(1);
  close(stdin_file), close(out_pipe[1]), close(err_pipe[1]);
  pipes[0] = out_pipe[0], pipes[1] = err_pipe[0];
  if (!pid) {
    put_failure(failure);
    return;
  }

  int status, is_told, handed = wait_for(pid, pipes, &status, &is_told);
  int flags = kill(-pid, 0) == 0 ? 1 : 0;
  out.length = err.length = 0;
  if (!handed) {
    read_rest(pipes[0], &out);
    read_rest(pipes[1], &err);
    flags |= (out.open ? 2 : 0) | (err.open ? 4 : 0);
  }
  char started[17], ended[12];
  number(number(number(header(started, 'S', 12), (uint32_t)pid), (uint32_t)pipes[0]), (uint32_t)pipes[1]);
  char *end = header(ended, 'X', 7 + out.length + err.length);
  *end++ = (char)(status >> 8), *end++ = (char)status, *end++ = (char)flags;
  number(end, (uint32_t)out.length);
  write_all((struct iovec[]){ { started, is_told ? 0 : sizeof started }, { ended, sizeof ended },
    { out.bytes, out.length }, { err.bytes, err.length } }, 4);
}

int main(void) {
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGUSR1);
  sigprocmask(SIG_BLOCK, &awaited, &before);

  struct fields setup = record();
  /* Kept: the next record takes the memory over. */
  char **kept = malloc(setup.count * sizeof(char *));
  for (size_t i = 0; kept && i < setup.count; i++) kept[i] = strdup(setup.items[i]);
  if (!kept) return 1;
  /* For the commands, which inherit it: each would take longer to set it. This process is smaller than any of them. */
  if (setup.count && *kept[0]) write_to("/proc/self/oom_score_adj", kept[0]);
  struct fields base = { kept + 1, setup.count ? setup.count - 1 : 0 };
  put('R', NULL, 0);

  for (int pipes[2] = { -1, -1 }; ; ) {
    struct fields request = record();
    close(pipes[0]), close(pipes[1]);
    pipes[0] = pipes[1] = -1;
    /* One that was sent for the command before. */
    sigset_t handing;
    sigemptyset(&handing);
    sigaddset(&handing, SIGUSR1);
    while (sigtimedwait(&handing, NULL, &(struct timespec){ 0, 0 }) > 0) continue;
    if (request.count >= 5) run(base, request, pipes);
  }
}
