-- The gateway's work in nginx's Lua module: ES256 by libcrypto, verified tokens in a shared
-- dictionary, both limits in one script of Redis over pooled cosockets.

local ffi = require("ffi")
local cjson = require("cjson.safe")
local base64url = require("ngx.base64").decode_base64url

ffi.cdef([[
void *BIO_new_mem_buf(const void *buffer, int length);
void *PEM_read_bio_PUBKEY(void *bio, void **key, void *callback, void *argument);
void *EVP_MD_CTX_new(void);
int EVP_MD_CTX_reset(void *context);
const void *EVP_sha256(void);
int EVP_DigestVerifyInit(void *context, void **key_context, const void *digest, void *engine, void *key);
int EVP_DigestVerify(void *context, const char *signature, size_t signature_length, const char *data, size_t length);
unsigned char *SHA256(const char *data, size_t length, unsigned char *digest);
]])
local C = ffi.C

local verified = ngx.shared.verified
local settings, public_key, context
local digest = ffi.new("unsigned char[32]")

-- A verified token is trusted for so long, as by Gatehouse.
local verified_seconds = 300
local quota_seconds = 3600

-- A call of Redis fails after this; a connection to it is kept for so long.
local redis_timeout_ms = 1000
local redis_idle_ms = 60000

-- Counts each key in its fixed window. Returns one line: for each, the count and the seconds left.
local script = [[
local counts = {}
for index, key in ipairs(KEYS) do
  local used = redis.call('INCR', key)
  if used == 1 then redis.call('EXPIRE', key, ARGV[index]) end
  counts[#counts + 1] = used
  counts[#counts + 1] = redis.call('TTL', key)
end
return { ok = table.concat(counts, ' ') }
]]
local script_sha1

local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

local M = {}

function M.configure(given)
  settings = given
  local pem = read_file(given.public_key_file)
  public_key = C.PEM_read_bio_PUBKEY(C.BIO_new_mem_buf(pem, #pem), nil, nil, nil)
  assert(public_key ~= nil, "the public key cannot be read")
  context = C.EVP_MD_CTX_new()
  script_sha1 = hex(ngx.sha1_bin(script))
end

-- An unsigned integer of 32 bytes as DER has it.
local function der_integer(bytes)
  local digits = bytes:gsub("^%z+", "")
  if digits == "" or digits:byte() >= 128 then digits = "\0" .. digits end
  return "\2" .. string.char(#digits) .. digits
end

local function is_signed(data, signature)
  if not signature or #signature ~= 64 then return false end
  local pair = der_integer(signature:sub(1, 32)) .. der_integer(signature:sub(33))
  local der = "\48" .. string.char(#pair) .. pair
  C.EVP_MD_CTX_reset(context)
  return C.EVP_DigestVerifyInit(context, nil, C.EVP_sha256(), nil, public_key) == 1
    and C.EVP_DigestVerify(context, der, #der, data, #data) == 1
end

local function decode(part)
  local text = base64url(part)
  return text and cjson.decode(text)
end

-- Returns the cached text of a valid token: its expiry, quota, user, role and plan. Otherwise nil.
local function verify(token)
  local header_part, claims_part, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not header_part then return nil end
  local header, claims = decode(header_part), decode(claims_part)
  if type(header) ~= "table" or header.alg ~= "ES256" or header.typ ~= "at+jwt" then return nil end
  if type(claims) ~= "table" or claims.iss ~= settings.issuer or claims.aud ~= settings.audience then return nil end
  if not is_signed(header_part .. "." .. claims_part, base64url(signature)) then return nil end
  return table.concat({ claims.exp, claims.quota, claims.sub, claims.role, claims.plan }, " ")
end

local function user_of(token)
  C.SHA256(token, #token, digest)
  local key = ffi.string(digest, 32)
  local now = ngx.time()
  local kept = verified:get(key)
  if not kept then
    kept = verify(token)
    if not kept then return nil end
    verified:set(key, kept, verified_seconds)
  end
  local expires, quota, id, role, plan = kept:match("^(%d+) (%d+) (%S+) (%S+) (%S+)$")
  if not expires or tonumber(expires) <= now then return nil end
  return { quota = tonumber(quota), id = id, role = role, plan = plan }
end

local function command(...)
  local words = { ... }
  local parts = { "*" .. #words .. "\r\n" }
  for _, word in ipairs(words) do
    local text = tostring(word)
    parts[#parts + 1] = "$" .. #text .. "\r\n" .. text .. "\r\n"
  end
  return parts
end

local function call(socket, ...)
  local sent, failure = socket:send(command(...))
  if not sent then return nil, failure end
  return socket:receive()
end

-- Returns the script's line, or nil and the reason.
local function count(...)
  local socket = ngx.socket.tcp()
  socket:settimeout(redis_timeout_ms)
  local connected, failure = socket:connect(settings.redis_host, settings.redis_port)
  if not connected then return nil, failure end
  local line
  line, failure = call(socket, "EVALSHA", script_sha1, ...)
  if line and line:sub(1, 9) == "-NOSCRIPT" then line, failure = call(socket, "EVAL", script, ...) end
  if not line then return nil, failure end
  socket:setkeepalive(redis_idle_ms)
  if line:sub(1, 1) ~= "+" then return nil, line end
  return line
end

local function reject(status, body)
  ngx.status = status
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.print(body)
  return ngx.exit(status)
end

local function unavailable(failure)
  ngx.log(ngx.ERR, "Redis: ", failure)
  return reject(503, '{"code":"unavailable"}')
end

local function too_many(seconds)
  ngx.header["Retry-After"] = seconds
  return reject(429, '{"code":"rate_limited"}')
end

local function access_denied(address_key)
  local line, failure = count(1, address_key, settings.address_seconds)
  if not line then return unavailable(failure) end
  local used, seconds = line:match("^%+(%d+) (%-?%d+)$")
  if tonumber(used) > settings.address_quota then return too_many(seconds) end
  ngx.header["WWW-Authenticate"] = "Bearer"
  return reject(401, '{"code":"invalid_token"}')
end

function M.access()
  local address = (ngx.var.http_x_forwarded_for or ngx.var.remote_addr):match("([^, ]+) *$")
  local address_key = settings.key_prefix .. "address:" .. address
  local token = (ngx.var.http_authorization or ""):match("^[Bb]earer +([^ ,]+)$")
  local user = token and user_of(token)
  if not user then return access_denied(address_key) end

  local user_key = settings.key_prefix .. "user:" .. user.id
  local line, failure = count(2, address_key, user_key, settings.address_seconds, quota_seconds)
  if not line then return unavailable(failure) end
  local address_used, address_reset, user_used, user_reset = line:match("^%+(%d+) (%-?%d+) (%d+) (%-?%d+)$")
  local address_left = settings.address_quota - address_used
  local user_left = user.quota - user_used
  ngx.header["RateLimit-Policy"] = '"address";q=' .. settings.address_quota .. ";w=" .. settings.address_seconds
    .. ', "user";q=' .. user.quota .. ";w=" .. quota_seconds
  ngx.header["RateLimit"] = '"address";r=' .. math.max(0, address_left) .. ";t=" .. address_reset
    .. ', "user";r=' .. math.max(0, user_left) .. ";t=" .. user_reset
  if address_left < 0 or user_left < 0 then
    return too_many(user_left < 0 and user_reset or address_reset)
  end

  ngx.req.set_header("X-Forwarded-For", address)
  ngx.req.set_header("X-User-Id", user.id)
  ngx.req.set_header("X-User-Role", user.role)
  ngx.req.set_header("X-User-Plan", user.plan)
end

return M
