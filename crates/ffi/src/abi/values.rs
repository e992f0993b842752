//! Every value that C has a name for, asserted when the crate is compiled: libuv 1.53 on x86_64.

use static_assertions::const_assert_eq;

use super::*;

macro_rules! values {
    ($($name:ident = $value:literal),* $(,)?) => {
        $(const_assert_eq!($name as i64, $value);)*
    };
}

// uv_errno_t
values!(
    UV_E2BIG = -7,
    UV_EACCES = -13,
    UV_EADDRINUSE = -98,
    UV_EADDRNOTAVAIL = -99,
    UV_EAFNOSUPPORT = -97,
    UV_EAGAIN = -11,
    UV_EAI_ADDRFAMILY = -3000,
    UV_EAI_AGAIN = -3001,
    UV_EAI_BADFLAGS = -3002,
    UV_EAI_BADHINTS = -3013,
    UV_EAI_CANCELED = -3003,
    UV_EAI_FAIL = -3004,
    UV_EAI_FAMILY = -3005,
    UV_EAI_MEMORY = -3006,
    UV_EAI_NODATA = -3007,
    UV_EAI_NONAME = -3008,
    UV_EAI_OVERFLOW = -3009,
    UV_EAI_PROTOCOL = -3014,
    UV_EAI_SERVICE = -3010,
    UV_EAI_SOCKTYPE = -3011,
    UV_EALREADY = -114,
    UV_EBADF = -9,
    UV_EBUSY = -16,
    UV_ECANCELED = -125,
    UV_ECHARSET = -4080,
    UV_ECONNABORTED = -103,
    UV_ECONNREFUSED = -111,
    UV_ECONNRESET = -104,
    UV_EDESTADDRREQ = -89,
    UV_EEXIST = -17,
    UV_EFAULT = -14,
    UV_EFBIG = -27,
    UV_EHOSTUNREACH = -113,
    UV_EINTR = -4,
    UV_EINVAL = -22,
    UV_EIO = -5,
    UV_EISCONN = -106,
    UV_EISDIR = -21,
    UV_ELOOP = -40,
    UV_EMFILE = -24,
    UV_EMSGSIZE = -90,
    UV_ENAMETOOLONG = -36,
    UV_ENETDOWN = -100,
    UV_ENETUNREACH = -101,
    UV_ENFILE = -23,
    UV_ENOBUFS = -105,
    UV_ENODEV = -19,
    UV_ENOENT = -2,
    UV_ENOMEM = -12,
    UV_ENONET = -64,
    UV_ENOPROTOOPT = -92,
    UV_ENOSPC = -28,
    UV_ENOSYS = -38,
    UV_ENOTCONN = -107,
    UV_ENOTDIR = -20,
    UV_ENOTEMPTY = -39,
    UV_ENOTSOCK = -88,
    UV_ENOTSUP = -95,
    UV_EOVERFLOW = -75,
    UV_EPERM = -1,
    UV_EPIPE = -32,
    UV_EPROTO = -71,
    UV_EPROTONOSUPPORT = -93,
    UV_EPROTOTYPE = -91,
    UV_ERANGE = -34,
    UV_EROFS = -30,
    UV_ESHUTDOWN = -108,
    UV_ESPIPE = -29,
    UV_ESRCH = -3,
    UV_ETIMEDOUT = -110,
    UV_ETXTBSY = -26,
    UV_EXDEV = -18,
    UV_UNKNOWN = -4094,
    UV_EOF = -4095,
    UV_ENXIO = -6,
    UV_EMLINK = -31,
    UV_EHOSTDOWN = -112,
    UV_EREMOTEIO = -121,
    UV_ENOTTY = -25,
    UV_EFTYPE = -4028,
    UV_EILSEQ = -84,
    UV_ESOCKTNOSUPPORT = -94,
    UV_ENODATA = -61,
    UV_EUNATCH = -49,
    UV_ENOEXEC = -8,
    UV_ERRNO_MAX = -4096,
);
// uv_handle_type
values!(
    UV_UNKNOWN_HANDLE = 0,
    UV_ASYNC = 1,
    UV_CHECK = 2,
    UV_FS_EVENT = 3,
    UV_FS_POLL = 4,
    UV_HANDLE = 5,
    UV_IDLE = 6,
    UV_NAMED_PIPE = 7,
    UV_POLL = 8,
    UV_PREPARE = 9,
    UV_PROCESS = 10,
    UV_STREAM = 11,
    UV_TCP = 12,
    UV_TIMER = 13,
    UV_TTY = 14,
    UV_UDP = 15,
    UV_SIGNAL = 16,
    UV_FILE = 17,
    UV_HANDLE_TYPE_MAX = 18,
);
// uv_req_type
values!(
    UV_UNKNOWN_REQ = 0,
    UV_REQ = 1,
    UV_CONNECT = 2,
    UV_WRITE = 3,
    UV_SHUTDOWN = 4,
    UV_UDP_SEND = 5,
    UV_FS = 6,
    UV_WORK = 7,
    UV_GETADDRINFO = 8,
    UV_GETNAMEINFO = 9,
    UV_RANDOM = 10,
    UV_REQ_TYPE_MAX = 11,
);
// uv_loop_option
values!(UV_LOOP_BLOCK_SIGNAL = 0, UV_METRICS_IDLE_TIME = 1, UV_LOOP_USE_IO_URING_SQPOLL = 2,);
// uv_run_mode
values!(UV_RUN_DEFAULT = 0, UV_RUN_ONCE = 1, UV_RUN_NOWAIT = 2,);
// uv_clock_id
values!(UV_CLOCK_MONOTONIC = 0, UV_CLOCK_REALTIME = 1,);
// uv_membership
values!(UV_LEAVE_GROUP = 0, UV_JOIN_GROUP = 1,);
// uv_tcp_flags
values!(UV_TCP_IPV6ONLY = 1, UV_TCP_REUSEPORT = 2,);
// uv_udp_flags
values!(
    UV_UDP_IPV6ONLY = 1,
    UV_UDP_PARTIAL = 2,
    UV_UDP_REUSEADDR = 4,
    UV_UDP_MMSG_CHUNK = 8,
    UV_UDP_MMSG_FREE = 16,
    UV_UDP_LINUX_RECVERR = 32,
    UV_UDP_REUSEPORT = 64,
    UV_UDP_RECVMMSG = 256,
);
// uv_tty_mode_t
values!(UV_TTY_MODE_NORMAL = 0, UV_TTY_MODE_RAW = 1, UV_TTY_MODE_IO = 2, UV_TTY_MODE_RAW_VT = 3,);
// uv_tty_vtermstate_t
values!(UV_TTY_SUPPORTED = 0, UV_TTY_UNSUPPORTED = 1,);
// uv_poll_event
values!(UV_READABLE = 1, UV_WRITABLE = 2, UV_DISCONNECT = 4, UV_PRIORITIZED = 8,);
// uv_stdio_flags
values!(
    UV_IGNORE = 0,
    UV_CREATE_PIPE = 1,
    UV_INHERIT_FD = 2,
    UV_INHERIT_STREAM = 4,
    UV_READABLE_PIPE = 16,
    UV_WRITABLE_PIPE = 32,
    UV_NONBLOCK_PIPE = 64,
    UV_OVERLAPPED_PIPE = 64,
);
// uv_process_flags
values!(
    UV_PROCESS_SETUID = 1,
    UV_PROCESS_SETGID = 2,
    UV_PROCESS_WINDOWS_VERBATIM_ARGUMENTS = 4,
    UV_PROCESS_DETACHED = 8,
    UV_PROCESS_WINDOWS_HIDE = 16,
    UV_PROCESS_WINDOWS_HIDE_CONSOLE = 32,
    UV_PROCESS_WINDOWS_HIDE_GUI = 64,
    UV_PROCESS_WINDOWS_FILE_PATH_EXACT_NAME = 128,
);
// uv_dirent_type_t
values!(
    UV_DIRENT_UNKNOWN = 0,
    UV_DIRENT_FILE = 1,
    UV_DIRENT_DIR = 2,
    UV_DIRENT_LINK = 3,
    UV_DIRENT_FIFO = 4,
    UV_DIRENT_SOCKET = 5,
    UV_DIRENT_CHAR = 6,
    UV_DIRENT_BLOCK = 7,
);
// uv_fs_type
values!(
    UV_FS_UNKNOWN = -1,
    UV_FS_CUSTOM = 0,
    UV_FS_OPEN = 1,
    UV_FS_CLOSE = 2,
    UV_FS_READ = 3,
    UV_FS_WRITE = 4,
    UV_FS_SENDFILE = 5,
    UV_FS_STAT = 6,
    UV_FS_LSTAT = 7,
    UV_FS_FSTAT = 8,
    UV_FS_FTRUNCATE = 9,
    UV_FS_UTIME = 10,
    UV_FS_FUTIME = 11,
    UV_FS_ACCESS = 12,
    UV_FS_CHMOD = 13,
    UV_FS_FCHMOD = 14,
    UV_FS_FSYNC = 15,
    UV_FS_FDATASYNC = 16,
    UV_FS_UNLINK = 17,
    UV_FS_RMDIR = 18,
    UV_FS_MKDIR = 19,
    UV_FS_MKDTEMP = 20,
    UV_FS_RENAME = 21,
    UV_FS_SCANDIR = 22,
    UV_FS_LINK = 23,
    UV_FS_SYMLINK = 24,
    UV_FS_READLINK = 25,
    UV_FS_CHOWN = 26,
    UV_FS_FCHOWN = 27,
    UV_FS_REALPATH = 28,
    UV_FS_COPYFILE = 29,
    UV_FS_LCHOWN = 30,
    UV_FS_OPENDIR = 31,
    UV_FS_READDIR = 32,
    UV_FS_CLOSEDIR = 33,
    UV_FS_STATFS = 34,
    UV_FS_MKSTEMP = 35,
    UV_FS_LUTIME = 36,
);
// uv_fs_event
values!(UV_RENAME = 1, UV_CHANGE = 2,);
// uv_fs_event_flags
values!(UV_FS_EVENT_WATCH_ENTRY = 1, UV_FS_EVENT_STAT = 2, UV_FS_EVENT_RECURSIVE = 4,);
// uv_thread_create_flags
values!(UV_THREAD_NO_FLAGS = 0, UV_THREAD_HAS_STACK_SIZE = 1,);
// Constants
values!(
    UV_VERSION_MAJOR = 1,
    UV_VERSION_MINOR = 53,
    UV_VERSION_PATCH = 0,
    UV_FS_COPYFILE_EXCL = 1,
    UV_FS_COPYFILE_FICLONE = 2,
    UV_FS_COPYFILE_FICLONE_FORCE = 4,
    UV_FS_SYMLINK_DIR = 1,
    UV_FS_SYMLINK_JUNCTION = 2,
    UV_PRIORITY_LOW = 19,
    UV_PRIORITY_BELOW_NORMAL = 10,
    UV_PRIORITY_NORMAL = 0,
    UV_PRIORITY_ABOVE_NORMAL = -7,
    UV_PRIORITY_HIGH = -14,
    UV_PRIORITY_HIGHEST = -20,
    UV_MAXHOSTNAMESIZE = 65,
    UV_IF_NAMESIZE = 17,
    UV_FS_O_APPEND = 1024,
    UV_FS_O_CREAT = 64,
    UV_FS_O_DIRECT = 16384,
    UV_FS_O_DIRECTORY = 65536,
    UV_FS_O_DSYNC = 4096,
    UV_FS_O_EXCL = 128,
    UV_FS_O_EXLOCK = 0,
    UV_FS_O_NOATIME = 0,
    UV_FS_O_NOCTTY = 256,
    UV_FS_O_NOFOLLOW = 131072,
    UV_FS_O_NONBLOCK = 2048,
    UV_FS_O_RDONLY = 0,
    UV_FS_O_RDWR = 2,
    UV_FS_O_SYMLINK = 0,
    UV_FS_O_SYNC = 1052672,
    UV_FS_O_TRUNC = 512,
    UV_FS_O_WRONLY = 1,
    UV_FS_O_FILEMAP = 0,
    UV_FS_O_RANDOM = 0,
    UV_FS_O_SHORT_LIVED = 0,
    UV_FS_O_SEQUENTIAL = 0,
    UV_FS_O_TEMPORARY = 0,
);
