/* A union of all handles, and one of all requests. */
#ifndef UV_ANY_H
#define UV_ANY_H

#include "uv.h"

union uv_any_handle {
#define XX(_, name) uv_ ## name ## _t name;
  UV_HANDLE_TYPE_MAP(XX)
#undef XX
};

union uv_any_req {
#define XX(_, name) uv_ ## name ## _t name;
  UV_REQ_TYPE_MAP(XX)
#undef XX
};

#endif /* UV_ANY_H */
