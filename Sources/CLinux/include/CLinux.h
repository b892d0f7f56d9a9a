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

/* Loads a kernel module with modprobe(8), silently. Returns 0 when it is loaded. */
int fb_load_module(const char *name);

/* Starts a process in a session of its own, with no open files but a pipe to the caller. When the caller writes to
 * *pipe_end the process ends; when the caller dies without having written, it executes program with arguments.
 * Returns 0 or an errno value. The caller closes *pipe_end and reaps *process. */
int fb_start_keeper(const char *program, char *const arguments[], int *pipe_end, int *process);

#endif
