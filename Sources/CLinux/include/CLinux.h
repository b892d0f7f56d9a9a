/* What Glibc's Swift overlay hides: namespaces, and running code inside one. */
#ifndef FIREBREAK_CLINUX_H
#define FIREBREAK_CLINUX_H

/* Moves the calling thread into the network namespace behind fd. Returns 0 or an errno value. */
int fb_enter_network_namespace(int fd);

/* Calls body(context) on a thread of its own inside a new, empty network namespace, and waits for it.
 * Returns 0, or an errno value when the namespace could not be made; body was then not called. */
int fb_in_fresh_network_namespace(void (*body)(void *), void *context);

/* The same inside the namespace behind fd. */
int fb_in_network_namespace(int fd, void (*body)(void *), void *context);

/* The same with the view of files of a new mount namespace, in which mounts are seen by nobody outside. Programs that
 * body starts are in it too. */
int fb_in_fresh_mount_namespace(void (*body)(void *), void *context);

/* Puts an empty file system in memory over a folder. Returns 0 or an errno value. */
int fb_mount_memory(const char *path);

/* Makes a file appear at the place of another (MS_BIND). Returns 0 or an errno value. */
int fb_bind(const char *source, const char *target);

/* Whether this process becomes the parent of descendants that lose theirs (PR_SET_CHILD_SUBREAPER). Returns 0 or an
 * errno value. */
int fb_adopt_orphans(int adopts);

/* Loads a kernel module with modprobe(8), silently. Returns 0 when it is loaded. */
int fb_load_module(const char *name);

/* Starts a process in a session of its own, with no open files but a pipe to the caller. When the caller writes to
 * *pipe_end the process ends; when the caller dies without having written, it executes program with arguments.
 * Returns 0 or an errno value. The caller closes *pipe_end and reaps *process. */
int fb_start_keeper(const char *program, char *const arguments[], int *pipe_end, int *process);

/* Starts a program in a session of its own, with no open files but /dev/null and a pipe to *life, no terminal, and the
 * signals that end sessions ignored; it is nobody's child. *life, which the caller closes, becomes readable when the
 * program ends. Returns 0 or an errno value. */
int fb_start_detached(const char *program, char *const arguments[], int *life);

/* Runs a program that is looked for in the system's folders, silently. Returns 0 when it ended with status 0. */
int fb_run_quietly(const char *name, char *const arguments[]);

/* A descriptor that becomes readable when the process ends (pidfd_open(2)), or -1 when there is no such process. */
int fb_open_process(int process);

/* The calling thread's number, as /proc/PID/task has it. */
int fb_thread_number(void);

/* Calls first(context) here and second(context) on a thread of its own, and returns when both are done; second here too, after
 * first, where no thread can be had. The thread begins on another processor than this one: left alone the kernel lets both
 * share one for some milliseconds, which is as long as the work takes. */
void fb_run_together(void (*first)(void *), void (*second)(void *), void *context);

/* One end-to-end TCP connection of this machine: addresses in network order, 4 or 16 bytes as family (AF_INET, AF_INET6)
 * says; ports in host order; the number that /proc/PID/fd shows for the socket. */
struct fb_connection {
  unsigned char family;
  unsigned char local[16];
  unsigned char peer[16];
  unsigned short local_port;
  unsigned short peer_port;
  unsigned int inode;
};

/* Calls body(context, connection) for every established TCP connection in the calling thread's network namespace
 * (sock_diag(7)). Returns 0 or an errno value. */
int fb_established_connections(void (*body)(void *, const struct fb_connection *), void *context);

#endif
