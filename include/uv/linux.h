/* What only Linux has. The fields that libuv lists here stand in the structs of uv.h. */
#ifndef UV_LINUX_H
#define UV_LINUX_H

#ifndef __linux__
# error "uvring runs on Linux only"
#endif

#endif /* UV_LINUX_H */
