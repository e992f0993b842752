/* The system's types under uv's names. */
#ifndef UV_UNIX_H
#define UV_UNIX_H

/* A compiler in strict ISO mode hides rwlocks and barriers. This helps if no system header was
 * included before; else compile with -std=gnu99 or define _GNU_SOURCE. */
#if defined(__STRICT_ANSI__) && !defined(_GNU_SOURCE) && !defined(_DEFAULT_SOURCE) && \
    !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE)
# define _POSIX_C_SOURCE 200809L
#endif

#include <sys/types.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <dirent.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <termios.h>
#include <pwd.h>
#include <semaphore.h>
#include <sys/param.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "uv/linux.h"

#ifndef NI_MAXHOST
# define NI_MAXHOST 1025
#endif
#ifndef NI_MAXSERV
# define NI_MAXSERV 32
#endif

/* A place on a list, and a list's head. */
struct uv__queue {
  struct uv__queue* next;
  struct uv__queue* prev;
};

/* A watched descriptor. Programs read fd; -1 means that none is open. */
struct uv__io_s {
  uintptr_t bits;
  struct uv__queue pending_queue;
  struct uv__queue watcher_queue;
  unsigned int pevents;
  unsigned int events;
  int fd;
};
typedef struct uv__io_s uv__io_t;

#include "uv/threadpool.h"

/* Descriptors and processes. */
typedef int uv_file;
typedef int uv_os_sock_t;
typedef int uv_os_fd_t;
typedef pid_t uv_pid_t;
typedef uid_t uv_uid_t;
typedef gid_t uv_gid_t;

/* Threads and locks. */
#define UV_ONCE_INIT PTHREAD_ONCE_INIT
typedef pthread_once_t uv_once_t;
typedef pthread_t uv_thread_t;
typedef pthread_mutex_t uv_mutex_t;
typedef pthread_rwlock_t uv_rwlock_t;
typedef sem_t uv_sem_t;
typedef pthread_cond_t uv_cond_t;
typedef pthread_key_t uv_key_t;
typedef pthread_barrier_t uv_barrier_t;
#define UV_PLATFORM_SEM_T sem_t

/* Directory entries. */
typedef struct dirent uv__dirent_t;
#ifdef DT_UNKNOWN
# define HAVE_DIRENT_TYPES
# define UV__DT_FILE DT_REG
# define UV__DT_DIR DT_DIR
# define UV__DT_LINK DT_LNK
# define UV__DT_FIFO DT_FIFO
# define UV__DT_SOCKET DT_SOCK
# define UV__DT_CHAR DT_CHR
# define UV__DT_BLOCK DT_BLK
#endif

/* Before a function that a plug-in imports: nothing on this system. */
#define UV_DYNAMIC /* empty */

/* Flags of uv_fs_open; 0 where the system has no such flag. */
#define UV_FS_O_APPEND O_APPEND
#define UV_FS_O_CREAT O_CREAT
#ifdef O_DIRECT
# define UV_FS_O_DIRECT O_DIRECT
#elif defined(__aarch64__) || defined(__arm__) || defined(__m68k__)
# define UV_FS_O_DIRECT 0x10000
#elif defined(__powerpc__)
# define UV_FS_O_DIRECT 0x20000
#elif defined(__mips__)
# define UV_FS_O_DIRECT 0x8000
#elif defined(__sparc__)
# define UV_FS_O_DIRECT 0x100000
#else
# define UV_FS_O_DIRECT 0x4000
#endif
#define UV_FS_O_DIRECTORY O_DIRECTORY
#define UV_FS_O_DSYNC O_DSYNC
#define UV_FS_O_EXCL O_EXCL
#define UV_FS_O_EXLOCK 0
#ifdef O_NOATIME
# define UV_FS_O_NOATIME O_NOATIME
#else
# define UV_FS_O_NOATIME 0
#endif
#define UV_FS_O_NOCTTY O_NOCTTY
#define UV_FS_O_NOFOLLOW O_NOFOLLOW
#define UV_FS_O_NONBLOCK O_NONBLOCK
#define UV_FS_O_RDONLY O_RDONLY
#define UV_FS_O_RDWR O_RDWR
#define UV_FS_O_SYMLINK 0
#define UV_FS_O_SYNC O_SYNC
#define UV_FS_O_TRUNC O_TRUNC
#define UV_FS_O_WRONLY O_WRONLY
#define UV_FS_O_FILEMAP 0
#define UV_FS_O_RANDOM 0
#define UV_FS_O_SHORT_LIVED 0
#define UV_FS_O_SEQUENTIAL 0
#define UV_FS_O_TEMPORARY 0

#endif /* UV_UNIX_H */
