#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int fb_enter_network_namespace(int fd) { return setns(fd, CLONE_NEWNET) == 0 ? 0 : errno; }

struct visit {
  int fd; /* -1: a new namespace */
  int kind;
  void (*body)(void *);
  void *context;
  int error;
};

static void *visit_namespace(void *argument) {
  struct visit *visit = argument;
  int result = visit->fd < 0 ? unshare(visit->kind) : setns(visit->fd, visit->kind);
  if (result == 0 && visit->kind == CLONE_NEWNS) result = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (result != 0) {
    visit->error = errno;
    return NULL;
  }
  visit->body(visit->context);
  return NULL;
}

static int run(struct visit *visit) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, visit_namespace, visit);
  if (error != 0) return error;
  error = pthread_join(thread, NULL);
  return error != 0 ? error : visit->error;
}

int fb_in_fresh_network_namespace(void (*body)(void *), void *context) {
  struct visit visit = {-1, CLONE_NEWNET, body, context, 0};
  return run(&visit);
}

int fb_in_fresh_mount_namespace(void (*body)(void *), void *context) {
  struct visit visit = {-1, CLONE_NEWNS, body, context, 0};
  return run(&visit);
}

int fb_mount_memory(const char *path) {
  return mount("firebreak", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0 ? 0 : errno;
}

int fb_bind(const char *source, const char *target) {
  return mount(source, target, NULL, MS_BIND, NULL) == 0 ? 0 : errno;
}

int fb_adopt_orphans(int adopts) { return prctl(PR_SET_CHILD_SUBREAPER, adopts, 0, 0, 0) == 0 ? 0 : errno; }

int fb_in_network_namespace(int fd, void (*body)(void *), void *context) {
  struct visit visit = {fd, CLONE_NEWNET, body, context, 0};
  return run(&visit);
}

int fb_run_quietly(const char *name, char *const arguments[]) {
  static const char *const folders[] = {"/sbin", "/usr/sbin", "/usr/bin", "/bin"};
  char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  int status = -1;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char path[256];
    if (snprintf(path, sizeof path, "%s/%s", folders[i], name) >= (int)sizeof path) break;
    pid_t child;
    if (posix_spawn(&child, path, &actions, NULL, arguments, environment) != 0) continue;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    break;
  }
  posix_spawn_file_actions_destroy(&actions);
  return status == 0 ? 0 : -1;
}

int fb_load_module(const char *name) {
  char *const arguments[] = {"modprobe", "-q", "--", (char *)name, NULL};
  return fb_run_quietly("modprobe", arguments);
}

int fb_thread_number(void) { return (int)syscall(SYS_gettid); }

struct together {
  void (*second)(void *);
  void *context;
  cpu_set_t processors;
};

static void *run_second(void *given) {
  struct together *work = given;
  /* It is where it should begin; from now on it may go anywhere. */
  if (CPU_COUNT(&work->processors) > 1) sched_setaffinity(0, sizeof work->processors, &work->processors);
  work->second(work->context);
  return NULL;
}

void fb_run_together(void (*first)(void *), void (*second)(void *), void *context) {
  struct together work = {second, context};
  pthread_attr_t attributes;
  pthread_t thread;
  cpu_set_t others;
  pthread_attr_init(&attributes);
  CPU_ZERO(&work.processors);
  int here = sched_getcpu();
  if (here >= 0 && sched_getaffinity(0, sizeof work.processors, &work.processors) == 0 &&
      CPU_COUNT(&work.processors) > 1) {
    others = work.processors;
    CPU_CLR(here, &others);
    pthread_attr_setaffinity_np(&attributes, sizeof others, &others);
  }
  int failed = pthread_create(&thread, &attributes, run_second, &work);
  pthread_attr_destroy(&attributes);
  first(context);
  if (failed)
    second(context);
  else
    pthread_join(thread, NULL);
}

int fb_open_process(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

/* Makes this process one without a terminal that the end of a session does not reach. */
static void detach(void) {
  setsid();
  static const int deaf[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGTSTP};
  for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++) signal(deaf[i], SIG_IGN);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
}

int fb_start_detached(const char *program, char *const arguments[], int *life) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return error;
  }
  if (child == 0) {
    detach();
    if (ends[1] == 3) fcntl(3, F_SETFD, 0);
    else dup2(ends[1], 3);
    close_range(4, ~0U, 0);
    if (chdir("/") != 0) _exit(127);
    pid_t grandchild = fork();
    if (grandchild != 0) _exit(grandchild < 0 ? 1 : 0);
    execv(program, arguments);
    _exit(127);
  }
  close(ends[1]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    close(ends[0]);
    return EAGAIN;
  }
  *life = ends[0];
  return 0;
}

/* The keeper's whole life, after fork: calls that are safe there only. */
static void keep(int end, const char *program, char *const arguments[]) {
  detach();
  dup2(end, 3);
  close_range(4, ~0U, 0);
  char byte;
  ssize_t count;
  do count = read(3, &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) _exit(0);
  close(3);
  execv(program, arguments);
  _exit(127);
}

int fb_start_keeper(const char *program, char *const arguments[], int *pipe_end, int *process) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  pid_t child = fork();
  if (child < 0) {
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return error;
  }
  if (child == 0) {
    close(ends[1]);
    keep(ends[0], program, arguments);
  }
  close(ends[0]);
  *pipe_end = ends[1];
  *process = child;
  return 0;
}

static int read_connections(int fd, void (*body)(void *, const struct fb_connection *), void *context) {
  static const int most_messages = 1 << 20; /* each holds many connections */
  char buffer[32768] __attribute__((aligned(8)));
  for (int round = 0; round < most_messages; round++) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 5000) <= 0) return ETIMEDOUT;
    ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EPIPE;
    int rest = (int)count;
    for (struct nlmsghdr *head = (struct nlmsghdr *)buffer; NLMSG_OK(head, rest); head = NLMSG_NEXT(head, rest)) {
      if (head->nlmsg_type == NLMSG_DONE) return 0;
      if (head->nlmsg_type == NLMSG_ERROR) return -((struct nlmsgerr *)NLMSG_DATA(head))->error;
      if (head->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) continue;
      const struct inet_diag_msg *found = NLMSG_DATA(head);
      struct fb_connection connection = {.family = found->idiag_family,
                                         .local_port = ntohs(found->id.idiag_sport),
                                         .peer_port = ntohs(found->id.idiag_dport),
                                         .inode = found->idiag_inode};
      memcpy(connection.local, found->id.idiag_src, 16);
      memcpy(connection.peer, found->id.idiag_dst, 16);
      body(context, &connection);
    }
  }
  return EMSGSIZE;
}

int fb_established_connections(void (*body)(void *, const struct fb_connection *), void *context) {
  int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return errno;
  static const unsigned char families[] = {AF_INET, AF_INET6};
  int error = 0;
  for (size_t i = 0; i < sizeof families && error == 0; i++) {
    struct {
      struct nlmsghdr head;
      struct inet_diag_req_v2 body;
    } request = {.head = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
                 .body = {.sdiag_family = families[i], .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << TCP_ESTABLISHED}};
    if (write(fd, &request, sizeof request) < 0) error = errno;
    else error = read_connections(fd, body, context);
  }
  close(fd);
  return error;
}
