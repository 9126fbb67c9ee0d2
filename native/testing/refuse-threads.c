// Loaded before a program: once the file that REFUSE_THREADS_FILE names is there, the program gets no more threads, as where a
// limit of processes is reached.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) = dlsym(RTLD_NEXT, "pthread_create");
  const char* file = getenv("REFUSE_THREADS_FILE");
  if (file != NULL && access(file, F_OK) == 0) return EAGAIN;
  return create(thread, attributes, start, argument);
}
