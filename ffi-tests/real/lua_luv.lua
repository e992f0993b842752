-- What lua-luv offers, one section after the other. Prints only what is decided.
local uv = require("luv")
local home = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/luv-XXXXXX"))
local function say(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))):gsub(home:gsub("%p", "%%%0"), "HOME") end
  print(table.concat(words, " "))
end
local function must(error) if error then say("error", error) end end

local sections = {
  { "timers", function()
    local closed = 0
    for i, ms in ipairs({ 30, 10, 20, 10 }) do
      local timer = uv.new_timer()
      timer:start(ms, 0, function()
        say("timer", i, ms, timer:is_active())
        timer:close(function() closed = closed + 1 end)
      end)
    end
    uv.run()
    say("closed", closed)
    local count, again = 0, uv.new_timer()
    again:start(1, 20, function()
      count = count + 1
      say("tick", again:get_repeat())
      if count == 3 then again:stop(); again:close() end
    end)
    uv.run()
    local idle, prepare, check, rounds = uv.new_idle(), uv.new_prepare(), uv.new_check(), 0
    prepare:start(function() if rounds < 2 then say("prepare") end end)
    check:start(function() if rounds < 2 then say("check") end end)
    idle:start(function()
      rounds = rounds + 1
      if rounds < 3 then say("idle", rounds) end
      if rounds == 5 then for _, one in ipairs({ idle, prepare, check }) do one:close() end end
    end)
    uv.run()
    say(uv.loop_alive(), uv.timer_start and true)
  end },
  { "tcp", function()
    local server = uv.new_tcp()
    assert(server:bind("127.0.0.1", 0))
    local served, total = 0, 0
    assert(server:listen(128, function(err)
      must(err)
      local peer = uv.new_tcp()
      server:accept(peer)
      peer:read_start(function(failure, data)
        must(failure)
        if data then peer:write(data) else peer:shutdown(function() peer:close() end) end
      end)
      served = served + 1
      if served == 50 then server:close() end
    end))
    local port = server:getsockname().port
    for i = 1, 50 do
      local client = uv.new_tcp()
      client:nodelay(true)
      client:connect("127.0.0.1", port, function(err)
        must(err)
        client:read_start(function(failure, data)
          must(failure)
          if data then total = total + #data else client:close() end
        end)
        client:write({ ("x"):rep(i * 1000), "y" }, function(failure) must(failure) end)
        client:shutdown()
      end)
    end
    uv.run()
    say("served", served, "bytes", total)
    local refused = uv.new_tcp()
    refused:connect("127.0.0.1", port, function(err) say(err); refused:close() end)
    uv.run()
  end },
  { "pipe", function()
    local server, client = uv.new_pipe(false), uv.new_pipe(false)
    assert(server:bind(home .. "/sock"))
    server:listen(5, function()
      local peer = uv.new_pipe(false)
      server:accept(peer)
      peer:write("hello", function() peer:close(); server:close() end)
    end)
    client:connect(home .. "/sock", function(err)
      must(err)
      client:read_start(function(_, data) say("read", data); if not data then client:close() end end)
    end)
    uv.run()
    say(client:is_closing(), uv.fs_stat(home .. "/sock"))
    local ends = uv.socketpair and uv.socketpair(nil, nil, { nonblock = true }, { nonblock = true })
    if ends then
      local a, b = uv.new_tcp(), uv.new_tcp()
      a:open(ends[1]); b:open(ends[2])
      b:read_start(function(_, data) say("pair", data); a:close(); b:close() end)
      say(a:try_write("tried"))
      uv.run()
    end
  end },
  { "udp", function()
    local one, two = uv.new_udp(), uv.new_udp()
    assert(one:bind("127.0.0.1", 0))
    local got = 0
    one:recv_start(function(err, data, from)
      must(err)
      if not data then return end
      say("datagram", #data, from.ip)
      got = got + 1
      if got == 4 then one:close(); two:close() end
    end)
    for _, size in ipairs({ 0, 1, 1400, 20000 }) do
      two:send(("d"):rep(size), "127.0.0.1", one:getsockname().port, function(err) must(err) end)
    end
    uv.run()
  end },
  { "processes", function()
    for _, case in ipairs({ { "sh", { "-c", "cat; exit 7" } }, { "sh", { "-c", "kill -15 $$" } }, { "echo", { "one", "two" } } }) do
      local input, output = uv.new_pipe(false), uv.new_pipe(false)
      local child
      child = assert(uv.spawn(case[1], { args = case[2], stdio = { input, output } }, function(code, signal)
        say("exit", code, signal)
        child:close()
      end))
      local text = ""
      output:read_start(function(_, data)
        if data then text = text .. data else output:close() end
      end)
      input:write("to the child", function() input:shutdown(function() input:close() end) end)
      uv.run()
      say("printed", text:gsub("\n", "/"))
    end
    say(uv.spawn("/no/such/program", { args = {} }, function() end))
    local sleeper
    sleeper = uv.spawn("sleep", { args = { "100" } }, function(code, signal) say("killed", code, signal); sleeper:close() end)
    say(sleeper:kill("sigkill"), uv.run())
    local signal = uv.new_signal()
    signal:start("sigusr1", function(name) say("signal", name); signal:close() end)
    uv.kill(uv.os_getpid(), "sigusr1")
    uv.run()
  end },
  { "files", function()
    local path = home .. "/file"
    local fd = assert(uv.fs_open(path, "w+", tonumber("644", 8)))
    say(uv.fs_write(fd, { "hello ", "world" }, -1), uv.fs_read(fd, 100, 0), uv.fs_ftruncate(fd, 5), uv.fs_fstat(fd).size)
    say(uv.fs_close(fd), uv.fs_stat(home .. "/none"))
    uv.fs_open(path, "r", 0, function(err, file)
      must(err)
      uv.fs_read(file, 3, 1, function(failure, data)
        must(failure)
        say("async", data)
        uv.fs_close(file, function(last, done) say(last, done) end)
      end)
    end)
    uv.run()
    for i = 1, 5 do assert(uv.fs_mkdir(home .. "/d" .. i, 448)) end
    local names = {}
    local scan = uv.fs_scandir(home)
    while true do
      local name, kind = uv.fs_scandir_next(scan)
      if not name then break end
      names[#names + 1] = name .. ":" .. kind
    end
    table.sort(names)
    say(table.concat(names, ","))
    say(uv.fs_symlink("file", home .. "/link"), uv.fs_readlink(home .. "/link"), uv.fs_lstat(home .. "/link").type)
    say(uv.fs_rename(home .. "/link", home .. "/other"), uv.fs_copyfile(path, home .. "/copy"), uv.fs_stat(home .. "/copy").size)
    say(uv.fs_utime(path, 10, 20), uv.fs_stat(path).mtime.sec, uv.fs_access(path, "R"), uv.fs_unlink(home .. "/other"))
    uv.fs_rmdir(home, function(err) say(err) end)
    uv.fs_opendir(home, function(err, dir)
      must(err)
      dir:readdir(function(failure, entries)
        must(failure)
        say("entries", #entries)
        dir:closedir(function(last, done) say(last, done) end)
      end)
    end, 100)
    uv.run()
    local watch, seen = uv.new_fs_event(), false
    watch:start(home, {}, function(err, name)
      must(err)
      if not seen then seen = true; say("watched", name); watch:close() end
    end)
    uv.fs_close(uv.fs_open(home .. "/fresh", "w", 384))
    uv.run()
    local poll = uv.new_fs_poll()
    poll:start(path, 20, function(err, before, now) must(err); say("polled", before.size, now.size); poll:close() end)
    local later = uv.new_timer()
    later:start(400, 0, function() local f = uv.fs_open(path, "a", 0); uv.fs_write(f, "more", -1); uv.fs_close(f); later:close() end)
    uv.run()
  end },
  { "threads", function()
    local count, async = 0
    async = uv.new_async(function(a, b) count = count + 1; say("async", a, b); async:close() end)
    local thread = uv.new_thread(function(handle, text) handle:send(text, 5) end, async, "from a thread")
    thread:join()
    uv.run()
    local work = uv.new_work(function(n) local sum = 0 for i = 1, n do sum = sum + i end return sum, n end,
      function(sum, n) say("work", sum, n) end)
    for _, n in ipairs({ 1000 }) do work:queue(n) end
    uv.run()
  end },
  { "names", function()
    uv.getaddrinfo("127.0.0.1", "80", { socktype = "stream", family = "inet" }, function(err, list) must(err); say(list[1].addr, list[1].port, #list) end)
    uv.run()
    uv.getnameinfo({ ip = "127.0.0.1", port = 80 }, function(err, host, service) must(err); say(host, service) end)
    uv.run()
    say(uv.os_uname().sysname, #uv.cpu_info() > 0, uv.get_total_memory() > 0, uv.os_getenv("HOME") ~= nil, uv.hrtime() > 0)
    say(uv.os_setenv("FRESH", "value"), uv.os_getenv("FRESH"), uv.os_unsetenv("FRESH"), uv.os_getenv("FRESH"))
    say(uv.interface_addresses().lo[1].ip, uv.translate_sys_error(2), uv.version_string() ~= nil, uv.guess_handle(0))
    uv.random(16, 0, function(err, bytes) must(err); say(#bytes) end)
    local tty = uv.new_tty(0, true)
    say(tty and "terminal" or "no terminal")
    uv.walk(function(handle) say("left over", handle) end)
    uv.run()
  end },
}
say("library: " .. io.open("/proc/self/maps"):read("*a"):match("/%S*libuv%S*"))
for _, section in ipairs(sections) do
  say("==", section[1])
  section[2]()
end
local function remove(path)
  local scan = uv.fs_scandir(path)
  while true do
    local name, kind = uv.fs_scandir_next(scan)
    if not name then break end
    if kind == "directory" then remove(path .. "/" .. name) else uv.fs_unlink(path .. "/" .. name) end
  end
  uv.fs_rmdir(path)
end
remove(home)
say("end")
