/* Enumerations. */
#ifndef UV_ENUMS_H
#define UV_ENUMS_H

#include "uv/errno.h"
#include "uv/maps.h"

/* Error codes; all are negative. */
typedef enum {
#define XX(code, _) UV_ ## code = UV__ ## code,
  UV_ERRNO_MAP(XX)
#undef XX
  UV_ERRNO_MAX = UV__EOF - 1
} uv_errno_t;

/* Kinds of handles. */
typedef enum {
  UV_UNKNOWN_HANDLE = 0,
  UV_ASYNC,
  UV_CHECK,
  UV_FS_EVENT,
  UV_FS_POLL,
  UV_HANDLE,
  UV_IDLE,
  UV_NAMED_PIPE,
  UV_POLL,
  UV_PREPARE,
  UV_PROCESS,
  UV_STREAM,
  UV_TCP,
  UV_TIMER,
  UV_TTY,
  UV_UDP,
  UV_SIGNAL,
  UV_FILE,
  UV_HANDLE_TYPE_MAX
} uv_handle_type;

/* Kinds of requests. */
typedef enum {
  UV_UNKNOWN_REQ = 0,
  UV_REQ,
  UV_CONNECT,
  UV_WRITE,
  UV_SHUTDOWN,
  UV_UDP_SEND,
  UV_FS,
  UV_WORK,
  UV_GETADDRINFO,
  UV_GETNAMEINFO,
  UV_RANDOM,
  UV_REQ_TYPE_MAX
} uv_req_type;

/* Options of uv_loop_configure. */
typedef enum {
  UV_LOOP_BLOCK_SIGNAL = 0,
  UV_METRICS_IDLE_TIME,
  UV_LOOP_USE_IO_URING_SQPOLL
} uv_loop_option;
/* So that #ifdef can ask for it. */
#define UV_LOOP_USE_IO_URING_SQPOLL UV_LOOP_USE_IO_URING_SQPOLL

/* How long uv_run runs. */
typedef enum {
  UV_RUN_DEFAULT = 0,
  UV_RUN_ONCE,
  UV_RUN_NOWAIT
} uv_run_mode;

/* Clocks of uv_clock_gettime. */
typedef enum {
  UV_CLOCK_MONOTONIC = 0,
  UV_CLOCK_REALTIME
} uv_clock_id;

/* uv_udp_set_membership: leave or join a multicast group. */
typedef enum {
  UV_LEAVE_GROUP = 0,
  UV_JOIN_GROUP
} uv_membership;

/* Flags of uv_tcp_bind. */
enum uv_tcp_flags {
  UV_TCP_IPV6ONLY = 0x01,
  UV_TCP_REUSEPORT = 0x02
};

/* Flags of uv_udp_init_ex, uv_udp_bind and of a receive callback. */
enum uv_udp_flags {
  UV_UDP_IPV6ONLY = 0x01,
  UV_UDP_PARTIAL = 0x02,
  UV_UDP_REUSEADDR = 0x04,
  UV_UDP_MMSG_CHUNK = 0x08,
  UV_UDP_MMSG_FREE = 0x10,
  UV_UDP_LINUX_RECVERR = 0x20,
  UV_UDP_REUSEPORT = 0x40,
  UV_UDP_RECVMMSG = 0x100
};

/* Modes of a terminal. */
typedef enum {
  UV_TTY_MODE_NORMAL = 0,
  UV_TTY_MODE_RAW,
  UV_TTY_MODE_IO,
  UV_TTY_MODE_RAW_VT
} uv_tty_mode_t;

/* Whether the console knows escape sequences; of no effect on Linux. */
typedef enum {
  UV_TTY_SUPPORTED = 0,
  UV_TTY_UNSUPPORTED
} uv_tty_vtermstate_t;

/* Bits of uv_poll_start and its callback. */
enum uv_poll_event {
  UV_READABLE = 1,
  UV_WRITABLE,
  UV_DISCONNECT = 4,
  UV_PRIORITIZED = 8
};

/* What becomes of a child's descriptor. */
typedef enum {
  UV_IGNORE = 0x00,
  UV_CREATE_PIPE = 0x01,
  UV_INHERIT_FD = 0x02,
  UV_INHERIT_STREAM = 0x04,
  UV_READABLE_PIPE = 0x10,
  UV_WRITABLE_PIPE = 0x20,
  UV_NONBLOCK_PIPE = 0x40,
  UV_OVERLAPPED_PIPE = UV_NONBLOCK_PIPE
} uv_stdio_flags;

/* Flags of uv_process_options_t. */
enum uv_process_flags {
  UV_PROCESS_SETUID = 0x01,
  UV_PROCESS_SETGID = 0x02,
  UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS = 0x04,
  UV_PROCESS_DETACHED = 0x08,
  UV_PROCESS_WINDOWS_HIDE = 0x10,
  UV_PROCESS_WINDOWS_HIDE_CONSOLE = 0x20,
  UV_PROCESS_WINDOWS_HIDE_GUI = 0x40,
  UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME = 0x80
};

/* Kinds of directory entries. */
typedef enum {
  UV_DIRENT_UNKNOWN = 0,
  UV_DIRENT_FILE,
  UV_DIRENT_DIR,
  UV_DIRENT_LINK,
  UV_DIRENT_FIFO,
  UV_DIRENT_SOCKET,
  UV_DIRENT_CHAR,
  UV_DIRENT_BLOCK
} uv_dirent_type_t;

/* Kinds of file operations. */
typedef enum {
  UV_FS_UNKNOWN = -1,
  UV_FS_CUSTOM,
  UV_FS_OPEN,
  UV_FS_CLOSE,
  UV_FS_READ,
  UV_FS_WRITE,
  UV_FS_SENDFILE,
  UV_FS_STAT,
  UV_FS_LSTAT,
  UV_FS_FSTAT,
  UV_FS_FTRUNCATE,
  UV_FS_UTIME,
  UV_FS_FUTIME,
  UV_FS_ACCESS,
  UV_FS_CHMOD,
  UV_FS_FCHMOD,
  UV_FS_FSYNC,
  UV_FS_FDATASYNC,
  UV_FS_UNLINK,
  UV_FS_RMDIR,
  UV_FS_MKDIR,
  UV_FS_MKDTEMP,
  UV_FS_RENAME,
  UV_FS_SCANDIR,
  UV_FS_LINK,
  UV_FS_SYMLINK,
  UV_FS_READLINK,
  UV_FS_CHOWN,
  UV_FS_FCHOWN,
  UV_FS_REALPATH,
  UV_FS_COPYFILE,
  UV_FS_LCHOWN,
  UV_FS_OPENDIR,
  UV_FS_READDIR,
  UV_FS_CLOSEDIR,
  UV_FS_STATFS,
  UV_FS_MKSTEMP,
  UV_FS_LUTIME
} uv_fs_type;

/* Bits of a uv_fs_event_cb. */
enum uv_fs_event {
  UV_RENAME = 1,
  UV_CHANGE
};

/* Flags of uv_fs_event_start. */
enum uv_fs_event_flags {
  UV_FS_EVENT_WATCH_ENTRY = 0x01,
  UV_FS_EVENT_STAT = 0x02,
  UV_FS_EVENT_RECURSIVE = 0x04
};

/* Flags of uv_thread_options_t. */
typedef enum {
  UV_THREAD_NO_FLAGS = 0,
  UV_THREAD_HAS_STACK_SIZE
} uv_thread_create_flags;

/* Flags of uv_pipe_bind2 and uv_pipe_connect2. */
enum {
  UV_PIPE_NO_TRUNCATE = 1
};

/* uv_thread_setpriority */
enum {
  UV_THREAD_PRIORITY_HIGHEST = 2,
  UV_THREAD_PRIORITY_ABOVE_NORMAL = 1,
  UV_THREAD_PRIORITY_NORMAL = 0,
  UV_THREAD_PRIORITY_BELOW_NORMAL = -1,
  UV_THREAD_PRIORITY_LOWEST = -2
};

#endif /* UV_ENUMS_H */
