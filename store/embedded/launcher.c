/*
 * Runs the ClickHouse of libchdb as a server process of its own:
 *
 *     clickhouse-launcher LIBRARY [clickhouse arguments …]
 *
 * The server lives as long as somebody holds the other end of this process's standard input. Node gives its children
 * a socket there, which cannot be opened again as /dev/stdin, so the server gets a pipe instead, and a thread closes
 * that pipe when the socket ends: the server's last query then returns and it shuts down in order. Where it does not
 * within `shutdown_seconds`, the alarm ends it; what it has acknowledged is on disk by then.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { exit_usage = 64, exit_no_library = 69, exit_engine_error = 70, exit_system = 71, shutdown_seconds = 20 };

static int parent_end = -1;
static int life_line = -1;
static atomic_flag ending = ATOMIC_FLAG_INIT;

/* Async-signal-safe: called from the signal handler too. */
static void begin_shutdown(void) {
  if (atomic_flag_test_and_set(&ending)) return;
  alarm(shutdown_seconds);
  close(life_line);
}

static void on_terminate(int signal_number) {
  (void)signal_number;
  begin_shutdown();
}

static void *watch_parent(void *unused) {
  char discarded[256];
  (void)unused;
  for (;;) {
    ssize_t count = read(parent_end, discarded, sizeof discarded);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    begin_shutdown();
    return NULL;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: clickhouse-launcher LIBRARY [clickhouse arguments]\n");
    return exit_usage;
  }
  /* Out of the terminal's group: Ctrl-C is for the services, which still have rows to hand over. */
  setpgid(0, 0);

  int pipe_ends[2];
  parent_end = dup(STDIN_FILENO);
  if (parent_end < 0 || pipe(pipe_ends) != 0 || dup2(pipe_ends[0], STDIN_FILENO) < 0) {
    perror("clickhouse-launcher: standard input");
    return exit_system;
  }
  close(pipe_ends[0]);
  life_line = pipe_ends[1];

  struct sigaction terminate = {.sa_handler = on_terminate};
  sigemptyset(&terminate.sa_mask);
  sigaction(SIGTERM, &terminate, NULL);

  pthread_t watcher;
  if (pthread_create(&watcher, NULL, watch_parent, NULL) != 0) {
    fprintf(stderr, "clickhouse-launcher: no thread can be started\n");
    return exit_system;
  }

  void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    fprintf(stderr, "clickhouse-launcher: %s\n", dlerror());
    return exit_no_library;
  }
  void *(*run)(int, char **) = (void *(*)(int, char **))dlsym(library, "chdb_query_cmdline");
  const char *(*error_of)(void *) = (const char *(*)(void *))dlsym(library, "chdb_result_error");
  if (run == NULL || error_of == NULL) {
    fprintf(stderr, "clickhouse-launcher: %s is not a libchdb of this kind: %s\n", argv[1], dlerror());
    return exit_no_library;
  }
  argv[1] = "clickhouse";
  void *result = run(argc - 1, argv + 1);
  const char *error = result == NULL ? "no result" : error_of(result);
  return error == NULL || *error == '\0' ? 0 : exit_engine_error;
}
