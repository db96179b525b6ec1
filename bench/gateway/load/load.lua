-- The load, run by wrk: bearer tokens from files, each user behind an address of their own.
-- Arguments: path, file of known tokens, how many of them, file of fresh tokens, where in it to
-- begin, one request in how many is fresh (0: none), and how many requests to send, known tokens in
-- turn (0: until time is up, at random).

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

-- wrk sleeps until its time is up, whatever its threads do; an interrupt ends it in good order.
local function finish()
  ffi.C.kill(ffi.C.getpid(), 2)
end

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function address(number)
  return string.format("10.%d.%d.%d", math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
end

local function read(file, from, count, users)
  local requests = {}
  local number = 0
  if count == 0 then return requests end
  for token in io.lines(file) do
    if number >= from then
      local headers = { ["Authorization"] = "Bearer " .. token, ["X-Forwarded-For"] = address(number % users) }
      requests[#requests + 1] = wrk.format("GET", path, headers)
      if #requests == count then break end
    end
    number = number + 1
  end
  return requests
end

-- More of them in one run would need a machine many times as fast as those of today.
local mostFresh = 20000

function init(args)
  path = args[1]
  users = tonumber(args[3])
  freshOneIn = tonumber(args[6])
  inTurn = tonumber(args[7])
  known = read(args[2], 0, users, users)
  fresh = read(args[4], tonumber(args[5]), freshOneIn > 0 and mostFresh or 0, users)
  math.randomseed(os.time())
  sent = 0
  usedFresh = 0
end

function request()
  sent = sent + 1
  if inTurn > 0 then
    if sent == inTurn then finish() end
    return known[(sent - 1) % users + 1]
  end
  if freshOneIn > 0 and sent % freshOneIn == 0 then
    usedFresh = usedFresh + 1
    if usedFresh == #fresh then finish() end
    return fresh[math.min(usedFresh, #fresh)]
  end
  return known[math.random(users)]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"done":%d,"tookUs":%d,"refused":%d,"broken":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,"usedFresh":%d}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max, threads[1]:get("usedFresh")
  ))
end
