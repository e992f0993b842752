/* Named constants that belong to no enumeration. */
#ifndef UV_CONSTANTS_H
#define UV_CONSTANTS_H

#include <math.h>
#include <sys/param.h>

/* Before every function: exported, whatever the default is. */
#ifndef UV_EXTERN
# ifdef __GNUC__
#  define UV_EXTERN __attribute__((visibility("default")))
# else
#  define UV_EXTERN /* nothing */
# endif
#endif

/* uv_os_setpriority */
#define UV_PRIORITY_LOW 19
#define UV_PRIORITY_BELOW_NORMAL 10
#define UV_PRIORITY_NORMAL 0
#define UV_PRIORITY_ABOVE_NORMAL -7
#define UV_PRIORITY_HIGH -14
#define UV_PRIORITY_HIGHEST -20

/* Room for any result of uv_os_gethostname and uv_if_indextoname, with the final 0. */
#define UV_MAXHOSTNAMESIZE (MAXHOSTNAMELEN + 1)
#define UV_IF_NAMESIZE (16 + 1)

/* uv_fs_copyfile: fail if the target exists; try to share blocks; share blocks or fail. */
#define UV_FS_COPYFILE_EXCL 0x0001
#define UV_FS_COPYFILE_FICLONE 0x0002
#define UV_FS_COPYFILE_FICLONE_FORCE 0x0004

/* uv_fs_symlink: of no effect on Linux. */
#define UV_FS_SYMLINK_DIR 0x0001
#define UV_FS_SYMLINK_JUNCTION 0x0002

/* uv_fs_utime and its kin: the time now; leave this time as it is. */
#define UV_FS_UTIME_NOW (INFINITY)
#define UV_FS_UTIME_OMIT (NAN)

#endif /* UV_CONSTANTS_H */
