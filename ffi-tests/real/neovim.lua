-- What neovim does through libuv: jobs, channels, timers, terminals, its own vim.loop. Prints only what is decided.
local function say(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  io.stdout:write(table.concat(words, " "), "\n")
end
local home = vim.fn.tempname()
vim.fn.mkdir(home, "p")

local function job(command, options)
  local got = { stdout = {}, stderr = {} }
  local function keep(_, data, name) table.insert(got[name], table.concat(data, "/")) end
  options = vim.tbl_extend("keep", options or {}, { on_stdout = keep, on_stderr = keep, stdout_buffered = true, stderr_buffered = true })
  local id = vim.fn.jobstart(command, options)
  return id, got
end

say("library: " .. io.open("/proc/self/maps"):read("*a"):match("/%S*libuv%S*"))
say("== jobs")
local id, got = job({ "sh", "-c", "echo out; echo err >&2; exit 3" })
say(vim.fn.jobwait({ id }, 10000)[1], unpack(got.stdout), unpack(got.stderr))
id, got = job({ "cat" })
vim.fn.chansend(id, { "one", "two", "" })
vim.fn.chanclose(id, "stdin")
say(vim.fn.jobwait({ id }, 10000)[1], unpack(got.stdout))
id = job({ "sleep", "100" })
say(vim.fn.jobwait({ id }, 20)[1], vim.fn.jobstop(id), vim.fn.jobwait({ id }, 10000)[1])
say(pcall(vim.fn.jobstart, { home .. "/none" }) and "started" or "not executable")
id, got = job({ "tty" }, { pty = true, stdout_buffered = true })
say(vim.fn.jobwait({ id }, 10000)[1], (table.concat(got.stdout):gsub("%d+", "N")))
local codes = {}
for i = 1, 20 do codes[i] = vim.fn.jobwait({ vim.fn.jobstart({ "sh", "-c", "exit " .. i }) }, 10000)[1] end
say(table.concat(codes, ","))
say((vim.fn.system({ "tr", "a-z", "A-Z" }, "system"):gsub("\n", "/")), vim.v.shell_error)
say(#vim.fn.system({ "cat" }, ("x"):rep(300000)), vim.fn.systemlist("seq 3")[3])

say("== timers")
local order = {}
for _, ms in ipairs({ 60, 20, 40 }) do vim.defer_fn(function() table.insert(order, ms) end, ms) end
local ticks = 0
vim.fn.timer_start(5, function() ticks = ticks + 1 end, { ["repeat"] = 3 })
say(vim.wait(10000, function() return #order == 3 and ticks == 3 end, 5), table.concat(order, ","), ticks)

say("== channels")
local child = vim.fn.jobstart({ vim.v.progpath, "--embed", "--headless", "--clean" }, { rpc = true })
say(vim.fn.rpcrequest(child, "nvim_eval", "6 * 7"))
for _, kind in ipairs({ "pipe", "tcp" }) do
  local at = vim.fn.rpcrequest(child, "nvim_call_function", "serverstart", { kind == "pipe" and home .. "/server" or "127.0.0.1:0" })
  local channel = vim.fn.sockconnect(kind, at, { rpc = true })
  say(kind, vim.fn.rpcrequest(channel, "nvim_eval", "1 + 1"), #vim.fn.rpcrequest(channel, "nvim_eval", "repeat('x', 200000)"))
  say(vim.fn.chanclose(channel))
end
vim.fn.rpcnotify(child, "nvim_command", "quit!")
say(vim.fn.jobwait({ child }, 10000)[1])

say("== files")
local lines = {}
for i = 1, 5000 do lines[i] = "line " .. i end
vim.fn.writefile(lines, home .. "/file")
vim.cmd("silent edit " .. home .. "/file")
say(vim.fn.line("$"), vim.fn.getfsize(home .. "/file"), vim.fn.isdirectory(home))
vim.cmd("silent %s/line/LINE/ | silent write")
say(vim.fn.readfile(home .. "/file")[5000], #vim.fn.readdir(home), vim.fn.rename(home .. "/file", home .. "/moved"))
say(vim.fn.delete(home .. "/moved"), vim.fn.mkdir(home .. "/a/b/c", "p"), #vim.fn.glob(home .. "/**", true, true))

say("== loop")
local uv = vim.loop
local seen
local work = uv.new_work(function(n) return n * n end, function(n) seen = n end)
work:queue(12)
say(vim.wait(10000, function() return seen ~= nil end, 5), seen)
local watch, name = uv.new_fs_event(), nil
watch:start(home, {}, function(_, file) name = name or file; watch:stop() end)
uv.fs_close(uv.fs_open(home .. "/fresh", "w", 384))
say(vim.wait(10000, function() return name ~= nil end, 5), name)
local terminal = vim.fn.termopen({ "sh", "-c", "echo in a terminal" })
say(vim.fn.jobwait({ terminal }, 10000)[1])
say("end")
vim.fn.delete(home, "rf")
vim.cmd("qall!")
